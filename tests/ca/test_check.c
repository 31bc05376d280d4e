/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CA that lies: every way it could write a certificate that key, birth and
 * policy do not say, asked of a signer.
 */
#include "world.h"

#include <openssl/x509v3.h>

#include "base/hash.h"

static struct world w;
static struct policy_session sign;

static int open_world(void **state)
{
    (void)state;
    world_open(&w);
    world_session(&sign, &w, POLICY_S_SIGN, NULL, 0);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

/* ---- changing one thing of a certificate ------------------------------------------- */

static X509 *opened(const uint8_t *tbs, size_t len)
{
    uint8_t der[CA_DER_MAX];
    size_t der_len;
    world_sign(der, &der_len, &w, tbs, len);
    const uint8_t *at = der;
    X509 *x = d2i_X509(NULL, &at, (long)der_len);
    assert_non_null(x);
    return x;
}

static void closed(uint8_t tbs[CA_DER_MAX], size_t *len, X509 *x)
{
    uint8_t *end = tbs;
    *len = (size_t)i2d_re_X509_tbs(x, &end);
    assert_in_range(*len, 1, CA_DER_MAX);
    X509_free(x);
}

static void add_ext(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void swap_ext(X509 *x, int nid, const char *value)
{
    int at = X509_get_ext_by_NID(x, nid, -1);
    assert_true(at >= 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(e);
    X509_EXTENSION_free(X509_delete_ext(x, at));
    assert_int_equal(X509_add_ext(x, e, at), 1);
    X509_EXTENSION_free(e);
}

static X509_EXTENSION *own_ext(X509 *x, const char *oid, int *place)
{
    ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    *place = X509_get_ext_by_OBJ(x, o, -1);
    ASN1_OBJECT_free(o);
    assert_true(*place >= 0);
    return X509_get_ext(x, *place);
}

/* Flips a bit of an extension's value, `from_end` bytes before its end. */
static void flip_ext(X509 *x, const char *oid, int from_end)
{
    int at;
    X509_EXTENSION *e = own_ext(x, oid, &at);
    ASN1_OCTET_STRING *copy = ASN1_OCTET_STRING_dup(X509_EXTENSION_get_data(e));
    uint8_t bytes[4096];
    int len = ASN1_STRING_length(copy);
    memcpy(bytes, ASN1_STRING_get0_data(copy), (size_t)len);
    bytes[len - from_end] ^= 1;
    ASN1_OCTET_STRING_set(copy, bytes, len);
    assert_int_equal(X509_EXTENSION_set_data(e, copy), 1);
    ASN1_OCTET_STRING_free(copy);
}

static void drop_ext(X509 *x, const char *oid)
{
    int at;
    (void)own_ext(x, oid, &at);
    X509_EXTENSION_free(X509_delete_ext(x, at));
}

static void shift(X509 *x, int before_s, int after_s)
{
    ASN1_TIME *t = ASN1_TIME_set(NULL, WORLD_NOW - CA_BACKDATE_S + before_s);
    X509_set1_notBefore(x, t);
    ASN1_TIME_set(t, WORLD_NOW + 300 + after_s);
    X509_set1_notAfter(x, t);
    ASN1_TIME_free(t);
}

static void be_ca(X509 *x)
{
    add_ext(x, NID_basic_constraints, "critical,CA:TRUE");
}
static void be_no_ca_but_say_so(X509 *x)
{
    add_ext(x, NID_basic_constraints, "CA:FALSE");
}
static void other_key(X509 *x)
{
    EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                              w.node[0].pk, 32);
    X509_set_pubkey(x, k);
    EVP_PKEY_free(k);
}
static void other_birth(X509 *x)
{
    flip_ext(x, CA_OID_CONTEXT, 1);
}
static void other_participant(X509 *x)
{
    /* before birth (3), origin (10), policy and approvals (34 each) */
    flip_ext(x, CA_OID_CONTEXT, 3 + 10 + 34 + 34 + 1);
}
static void other_policy(X509 *x)
{
    flip_ext(x, CA_OID_CONTEXT, 3 + 10 + 1);
}
static void longer_life(X509 *x)
{
    shift(x, 0, 1);
}
static void shorter_life(X509 *x)
{
    shift(x, 0, -1);
}
static void later_start(X509 *x)
{
    shift(x, CA_AHEAD_S + 1, CA_AHEAD_S + 1);
}
static void earlier_start(X509 *x)
{
    shift(x, -CA_BEHIND_S - 1, -CA_BEHIND_S - 1);
}
static void start_a_century_ago(X509 *x)
{
    ASN1_TIME *t = ASN1_TIME_new();
    ASN1_TIME_set_string(t, "19260101000000Z");
    X509_set1_notBefore(x, t);
    ASN1_TIME_free(t);
}
static void another_extension(X509 *x)
{
    add_ext(x, NID_netscape_comment, "hello");
}
static void no_key_usage(X509 *x)
{
    X509_EXTENSION_free(
            X509_delete_ext(x, X509_get_ext_by_NID(x, NID_key_usage, -1)));
}
static void no_context(X509 *x)
{
    drop_ext(x, CA_OID_CONTEXT);
}
static void no_builder(X509 *x)
{
    drop_ext(x, CA_OID_BUILDER);
}
static void two_contexts(X509 *x)
{
    int at;
    X509_EXTENSION *e = X509_EXTENSION_dup(own_ext(x, CA_OID_CONTEXT, &at));
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}
static void san_not_critical(X509 *x)
{
    X509_EXTENSION_set_critical(
            X509_get_ext(x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1)),
            0);
}
static void context_critical(X509 *x)
{
    int at;
    X509_EXTENSION_set_critical(own_ext(x, CA_OID_CONTEXT, &at), 1);
}
static void usage_cert_sign(X509 *x)
{
    swap_ext(x, NID_key_usage, "critical,digitalSignature,keyCertSign");
}
static void eku_server(X509 *x)
{
    swap_ext(x, NID_ext_key_usage, "codeSigning,emailProtection,serverAuth");
}
static void eku_less(X509 *x)
{
    swap_ext(x, NID_ext_key_usage, "codeSigning");
}
static void san_other(X509 *x)
{
    swap_ext(x, NID_subject_alt_name, "critical,URI:mpc://test/group/deadbeef");
}
static void san_more(X509 *x)
{
    X509_EXTENSION *e = X509_get_ext(
            x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1));
    GENERAL_NAMES *names = X509V3_EXT_d2i(e);
    GENERAL_NAME *n = GENERAL_NAME_new();
    ASN1_IA5STRING *s = ASN1_IA5STRING_new();
    ASN1_STRING_set(s, "victim.example", -1);
    GENERAL_NAME_set0_value(n, GEN_DNS, s);
    sk_GENERAL_NAME_push(names, n);
    X509_add1_ext_i2d(x, NID_subject_alt_name, names, 1, X509V3_ADD_REPLACE);
    GENERAL_NAMES_free(names);
}
static void rename_to(X509 *x, bool issuer, const char *cn)
{
    X509_NAME *n = X509_NAME_new();
    X509_NAME_add_entry_by_NID(n, NID_commonName, MBSTRING_UTF8,
                               (const unsigned char *)cn, -1, -1, 0);
    if (issuer)
        X509_set_issuer_name(x, n);
    else
        X509_set_subject_name(x, n);
    X509_NAME_free(n);
}
static void issuer_other(X509 *x)
{
    rename_to(x, true, "another root");
}
static void issuer_in_capitals(X509 *x)
{
    rename_to(x, true, "TEST root"); /* equal by RFC 5280, not in bytes */
}
static void subject_given(X509 *x)
{
    rename_to(x, false, "release");
}
static void builder_other(X509 *x)
{
    flip_ext(x, CA_OID_BUILDER, 1);
}
static void builder_longer(X509 *x)
{
    int at;
    X509_EXTENSION *e = own_ext(x, CA_OID_BUILDER, &at);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(s, (const uint8_t *)"\x0c\x07sha256:", 9);
    X509_EXTENSION_set_data(e, s);
    ASN1_OCTET_STRING_free(s);
}
static void session_other(X509 *x)
{
    flip_ext(x, CA_OID_RUN, 1);
}
static void simulated_by_half(X509 *x)
{
    ASN1_OBJECT *o = OBJ_txt2obj(CA_OID_SIMULATED, 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(s, (const uint8_t *)"\x05\x00", 2);
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, s);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(o);
}
static void serial_short(X509 *x)
{
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
}
static void serial_negative(X509 *x)
{
    X509_get_serialNumber(x)->type = V_ASN1_NEG_INTEGER;
}
static void version_one(X509 *x)
{
    X509_set_version(x, X509_VERSION_1);
}

/* ---- leaves ---------------------------------------------------------------------------- */

static void honest_leaf_is_accepted(void **state)
{
    (void)state;
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    static const struct {
        struct world_plan plan;
        const char *why;
    } cases[] = {
        { { .profile = "release" }, "persistent" },
        { { .profile = "once", .sign_session = true, .artifact = true },
          "ephemeral, bound to an artifact" },
        { { .profile = "once", .sign_session = true, .no_requester = true },
          "ephemeral, opened by a socket caller" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int simulated = 0; simulated < 2; simulated++) {
            WIRE(birth) b = { 0 };
            world_birth(&b, &w, &cases[i].plan);
            world_leaf(tbs, &len, &w, &b, simulated);
            for (int off = -CA_AHEAD_S; off <= CA_BEHIND_S; off += 60)
                if (ca_tbs_check(w.chain, &sign, w.issuer.pk, &b, tbs, len,
                                 WORLD_NOW + off) != RC_OK)
                    fail_msg("%s, %+d s: %s", cases[i].why, off, rc_text());
        }
}

static void changed_leaf_is_refused(void **state)
{
    (void)state;
    static const struct {
        void (*change)(X509 *x);
        const char *why, *text;
    } cases[] = {
        { be_ca, "CA:TRUE", "basicConstraints" },
        { be_no_ca_but_say_so, "CA:FALSE, but there is none in the profile",
          "basicConstraints" },
        { other_key, "another key than the birth's", "subjectPublicKey" },
        { other_birth, "another birth index", "own extensions" },
        { other_participant, "another participant", "own extensions" },
        { other_policy, "another policy", "own extensions" },
        { longer_life, "one second too long", "notAfter" },
        { shorter_life, "one second too short", "notAfter" },
        { later_start, "starts in the future", "notBefore" },
        { earlier_start, "starts in the past", "notBefore" },
        { start_a_century_ago, "backdated", "notBefore" },
        { another_extension, "an extension nobody knows", "extensions" },
        { no_key_usage, "key usage missing", "keyUsage" },
        { no_context, "context missing", "extensions" },
        { no_builder, "build signer missing", "build signer" },
        { two_contexts, "context twice", "extensions" },
        { san_not_critical, "critical bit off", "subjectAltName" },
        { context_critical, "critical bit on", "own extensions" },
        { usage_cert_sign, "may sign certificates", "keyUsage" },
        { eku_server, "a TLS server", "extendedKeyUsage" },
        { eku_less, "fewer uses than the profile's", "extendedKeyUsage" },
        { san_other, "another group", "subjectAltName" },
        { san_more, "a second name", "subjectAltName" },
        { issuer_other, "another issuer", "issuer" },
        { issuer_in_capitals, "another spelling of the issuer", "" },
        { subject_given, "a subject", "subject" },
        { builder_other, "a measurement the policy does not name",
          "build signer" },
        { builder_longer, "a build signer without a hash", "build signer" },
        { session_other, "another session", "own extensions" },
        { simulated_by_half, "simulated by extension, real by name",
          "subjectAltName" },
        { serial_short, "a serial that can be guessed", "serialNumber" },
        { serial_negative, "a negative serial", "serialNumber" },
        { version_one, "version 1 with extensions", "version" },
    };
    WIRE(birth) b = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t tbs[CA_DER_MAX];
        size_t len;
        world_leaf(tbs, &len, &w, &b, false);
        X509 *x = opened(tbs, len);
        cases[i].change(x);
        closed(tbs, &len, x);
        enum rc rc = ca_tbs_check(w.chain, &sign, w.issuer.pk, &b, tbs, len,
                                  WORLD_NOW);
        if (rc != RC_POLICY || !strstr(rc_text(), cases[i].text))
            fail_msg("%s: %s (%s), want policy_refused and %s", cases[i].why,
                     rc_slug(rc), rc_text(), cases[i].text);
    }
}

/* Whatever bit is flipped: it is seen, and nothing falls over. Only serial
 * bits and a few seconds are the CA's to choose. */
static void no_flipped_bit_passes_unseen(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    uint8_t tbs[CA_DER_MAX], bad[CA_DER_MAX];
    size_t len;
    unsigned accepted = 0;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    world_leaf(tbs, &len, &w, &b, false);
    for (size_t i = 0; i < len; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(bad, tbs, len);
            bad[i] ^= (uint8_t)(1 << bit);
            enum rc rc = ca_tbs_check(w.chain, &sign, w.issuer.pk, &b, bad, len,
                                      WORLD_NOW);
            assert_true(rc == RC_OK || rc == RC_POLICY || rc == RC_PARSE);
            accepted += rc == RC_OK;
        }
    assert_int_equal(accepted, 20 * 8 - 2);
}

static void bytes_around_a_leaf_are_refused(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    world_leaf(tbs, &len, &w, &b, false);
    tbs[len] = 0;
    assert_rc(ca_tbs_check(w.chain, &sign, w.issuer.pk, &b, tbs, len + 1,
                           WORLD_NOW),
              RC_PARSE);
    for (size_t n = 0; n < len; n++)
        assert_rc(ca_tbs_check(w.chain, &sign, w.issuer.pk, &b, tbs, n,
                               WORLD_NOW),
                  RC_PARSE);
}

static void leaf_needs_its_own_birth_and_issuer(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 }, other = { 0 };
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    struct policy_session s;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    world_birth(&other, &w, &(struct world_plan){ 0 });
    world_leaf(tbs, &len, &w, &b, false);
    assert_rc(ca_tbs_check(w.chain, &sign, w.issuer.pk, &other, tbs, len,
                           WORLD_NOW),
              RC_POLICY);
    assert_rc(ca_tbs_check(w.chain, &sign, w.issuer.pk, NULL, tbs, len,
                           WORLD_NOW),
              RC_POLICY);
    /* the share at hand is of another key than the session and AKI name */
    assert_rc(
            ca_tbs_check(w.chain, &sign, w.node[0].pk, &b, tbs, len, WORLD_NOW),
            RC_POLICY);
    s = sign;
    hash256(s.key, w.node[0].pk, 32);
    assert_rc(ca_tbs_check(w.chain, &s, w.node[0].pk, &b, tbs, len, WORLD_NOW),
              RC_POLICY);
    assert_non_null(strstr(rc_text(), "authorityKeyIdentifier"));
    world_session(&s, &w, POLICY_S_REFRESH, NULL, 0);
    assert_rc(ca_tbs_check(w.chain, &s, w.issuer.pk, &b, tbs, len, WORLD_NOW),
              RC_POLICY);
}

/* ---- roots --------------------------------------------------------------------------------- */

static enum rc judge_root(const uint8_t *tbs, size_t len,
                          const uint8_t *approved, size_t approved_len,
                          enum policy_session_type type, int64_t now_s)
{
    struct policy_session s;
    world_session(&s, &w, type, approved, approved_len);
    return ca_tbs_check(w.chain, &s, w.issuer.pk, NULL, tbs, len, now_s);
}

static void approved_root_is_accepted(void **state)
{
    (void)state;
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    for (int simulated = 0; simulated < 2; simulated++) {
        assert_ok(ca_root_tbs(tbs, &len, "test", w.issuer.pk, simulated,
                              WORLD_NOW));
        assert_ok(judge_root(tbs, len, tbs, len, POLICY_S_ROOT, WORLD_NOW));
        assert_ok(judge_root(tbs, len, tbs, len, POLICY_S_ROOT,
                             WORLD_NOW + POLICY_SESSION_MAX_S));
        assert_rc(judge_root(tbs, len, tbs, len, POLICY_S_ROOT,
                             WORLD_NOW + 2 * POLICY_SESSION_MAX_S),
                  RC_POLICY);
        assert_rc(
                judge_root(tbs, len, tbs, len, POLICY_S_ROOT, WORLD_NOW - 3600),
                RC_POLICY);
    }
}

static void root_goes_only_in_its_own_session(void **state)
{
    (void)state;
    uint8_t tbs[CA_DER_MAX], other[CA_DER_MAX];
    size_t len, other_len;
    assert_ok(ca_root_tbs(tbs, &len, "test", w.issuer.pk, false, WORLD_NOW));
    assert_ok(ca_root_tbs(other, &other_len, "test", w.issuer.pk, false,
                          WORLD_NOW));
    assert_rc(judge_root(tbs, len, NULL, 0, POLICY_S_SIGN, WORLD_NOW),
              RC_POLICY);
    assert_rc(judge_root(tbs, len, tbs, len, POLICY_S_SIGN, WORLD_NOW),
              RC_POLICY);
    assert_rc(judge_root(tbs, len, other, other_len, POLICY_S_ROOT, WORLD_NOW),
              RC_POLICY);
    assert_non_null(strstr(rc_text(), "approved are other bytes"));
}

/* People were shown a hash: what is in it is judged all the same. */
static void bad_root_is_refused_though_approved(void **state)
{
    (void)state;
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    assert_ok(ca_root_tbs(tbs, &len, "test", w.node[0].pk, false, WORLD_NOW));
    assert_rc(judge_root(tbs, len, tbs, len, POLICY_S_ROOT, WORLD_NOW),
              RC_POLICY);
    assert_ok(ca_root_tbs(tbs, &len, "prod", w.issuer.pk, false, WORLD_NOW));
    assert_rc(judge_root(tbs, len, tbs, len, POLICY_S_ROOT, WORLD_NOW),
              RC_POLICY);
    static void (*const changes[])(X509 *) = {
        another_extension, no_key_usage,      longer_life,
        issuer_other,      subject_given,     serial_short,
        version_one,       simulated_by_half, start_a_century_ago,
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        assert_ok(
                ca_root_tbs(tbs, &len, "test", w.issuer.pk, false, WORLD_NOW));
        X509 *x = opened(tbs, len);
        changes[i](x);
        closed(tbs, &len, x);
        enum rc rc = judge_root(tbs, len, tbs, len, POLICY_S_ROOT, WORLD_NOW);
        if (rc != RC_POLICY)
            fail_msg("change %zu: %s (%s)", i, rc_slug(rc), rc_text());
    }
    /* a leaf, in a root's session */
    WIRE(birth) b = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    world_leaf(tbs, &len, &w, &b, false);
    assert_rc(judge_root(tbs, len, tbs, len, POLICY_S_ROOT, WORLD_NOW),
              RC_POLICY);
}

/* What the sidecar asks of the policy before it asks us. */
static void policy_takes_both_for_x509(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    enum policy_kind kind;
    struct policy_session root;
    const struct policy_profile *ca = policy_profile_find(
            policy_chain_head(w.chain), "ca");
    world_birth(&b, &w, &(struct world_plan){ 0 });
    world_leaf(tbs, &len, &w, &b, true);
    assert_ok(policy_payload_check(&kind, ca, &sign, tbs, len));
    assert_int_equal(kind, POLICY_X509);
    assert_ok(ca_root_tbs(tbs, &len, "test", w.issuer.pk, true, WORLD_NOW));
    world_session(&root, &w, POLICY_S_ROOT, tbs, len);
    assert_ok(policy_payload_check(&kind, ca, &root, tbs, len));
    assert_int_equal(kind, POLICY_X509);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_leaf_is_accepted),
        cmocka_unit_test(changed_leaf_is_refused),
        cmocka_unit_test(no_flipped_bit_passes_unseen),
        cmocka_unit_test(bytes_around_a_leaf_are_refused),
        cmocka_unit_test(leaf_needs_its_own_birth_and_issuer),
        cmocka_unit_test(approved_root_is_accepted),
        cmocka_unit_test(root_goes_only_in_its_own_session),
        cmocka_unit_test(bad_root_is_refused_though_approved),
        cmocka_unit_test(policy_takes_both_for_x509),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}

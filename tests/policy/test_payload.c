/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "fixture.h"
#include "messages.h"

#include <openssl/objects.h>

#include "base/enc.h"
#include "base/hash.h"

static const char app[] = "the artifact that was approved";
#define APP_LEN (sizeof(app) - 1)

static struct policy *p;

static int policy_new(void **state)
{
    (void)state;
    p = fx_policy(2);
    return 0;
}

static int policy_done(void **state)
{
    (void)state;
    policy_free(p);
    return 0;
}

/* A sign session of this profile, bound to app, or free. */
static struct policy_session open_for(const char *profile)
{
    struct policy_session s = fx_session(p, POLICY_S_SIGN, profile);
    fx_seal(&s, NULL, NULL);
    return s;
}
static struct policy_session bound_for(const char *profile)
{
    struct policy_session s = fx_session(p, POLICY_S_SIGN, profile);
    fx_bind(&s, app, APP_LEN);
    return s;
}

static enum rc check(const struct policy_session *s, const char *profile,
                     const struct msg *m)
{
    enum policy_kind kind = POLICY__KINDS;
    enum rc rc = policy_payload_check(&kind, policy_profile_find(p, profile), s,
                                      m->b, m->len);
    assert_int_equal(rc == RC_OK, kind != POLICY__KINDS);
    return rc;
}

static struct msg the_app(void)
{
    return msg_text(app, APP_LEN);
}

static struct msg statement(const char *digests)
{
    char body[2048];
    snprintf(body, sizeof(body),
             "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{"
             "\"name\":\"app\",\"digest\":{%s}}],\"predicateType\":\"x\","
             "\"predicate\":{}}",
             digests);
    return msg_dsse("application/vnd.in-toto+json", body);
}

static char *digest(const char *name, const char *of)
{
    static char text[2][256];
    static unsigned turn;
    uint8_t h[64];
    char hex[ENC_HEX_SIZE(64)];
    bool wide = strcmp(name, "sha512") == 0;
    if (wide)
        hash512(h, of, strlen(of));
    else
        hash256(h, of, strlen(of));
    turn ^= 1;
    snprintf(text[turn], sizeof(text[0]), "\"%s\":\"%s\"", name,
             enc_hex(hex, h, wide ? 64 : 32));
    return text[turn];
}

static void the_approved_artifact_is_signed_in_each_wrapping(void **state)
{
    (void)state;
    struct policy_session s = bound_for("guarded");
    struct msg raw = the_app(), cms = msg_cms(app, APP_LEN);
    struct msg dsse = statement(digest("sha256", app));
    assert_ok(check(&s, "guarded", &raw));
    assert_ok(check(&s, "guarded", &cms));
    assert_ok(check(&s, "guarded", &dsse));
}

static void no_other_artifact_is(void **state)
{
    (void)state;
    struct policy_session s = bound_for("guarded");
    struct msg raw = the_app(), cms = msg_cms("other", 5);
    struct msg dsse = statement(digest("sha256", "other"));
    assert_rc(check(&s, "guarded", &cms), RC_POLICY);
    assert_rc(check(&s, "guarded", &dsse), RC_POLICY);
    for (size_t i = 0; i < raw.len; i++) {
        raw.b[i] ^= 1;
        assert_rc(check(&s, "guarded", &raw), RC_POLICY);
        raw.b[i] ^= 1;
    }
    raw.len--;
    assert_rc(check(&s, "guarded", &raw), RC_POLICY);
}

static void a_free_session_binds_nothing(void **state)
{
    (void)state;
    struct policy_session s = open_for("release");
    struct msg raw = the_app(), cms = msg_cms("other", 5);
    struct msg dsse = msg_dsse("text/plain", "anything");
    assert_ok(check(&s, "release", &raw));
    assert_ok(check(&s, "release", &cms));
    assert_ok(check(&s, "release", &dsse));
}

static void a_0_0_session_with_an_artifact_binds_it(void **state)
{
    (void)state;
    struct policy_session s = bound_for("release");
    struct msg raw = the_app(), other = msg_text("other", 5);
    struct msg ocsp = msg_ocsp_response();
    assert_ok(check(&s, "release", &raw));
    assert_rc(check(&s, "release", &other), RC_POLICY);
    assert_rc(check(&s, "release", &ocsp), RC_POLICY);
}

static void the_session_must_be_one_that_signs_this(void **state)
{
    (void)state;
    struct msg raw = the_app();
    struct policy_session s = bound_for("guarded");
    s.slot[POLICY_RAW] = false;
    assert_rc(check(&s, "guarded", &raw), RC_POLICY);
    assert_non_null(strstr(rc_text(), "slot"));
    s = bound_for("guarded");
    assert_rc(check(&s, "release", &raw), RC_POLICY); /* another profile */
    s = bound_for("guarded");
    s.has_artifact = false; /* a quorum approves something */
    assert_rc(check(&s, "guarded", &raw), RC_POLICY);
    s = fx_session(p, POLICY_S_KEY_CREATE, "release");
    assert_rc(check(&s, "release", &raw), RC_POLICY);
}

static void a_long_message_is_refused(void **state)
{
    (void)state;
    struct policy_session s = open_for("release");
    const struct policy_profile *f = policy_profile_find(p, "release");
    enum policy_kind kind;
    uint8_t *big = calloc(1, f->max_message + 1);
    assert_ok(policy_payload_check(&kind, f, &s, big, f->max_message));
    assert_rc(policy_payload_check(&kind, f, &s, big, f->max_message + 1),
              RC_TOO_LARGE);
    free(big);
}

/* ---- who signs which kind -------------------------------------------------- */

static void a_kind_needs_its_profile(void **state)
{
    (void)state;
    const struct {
        const char *profile;
        struct msg m;
        enum rc rc;
    } cases[] = {
        { "release", msg_tls12(), RC_POLICY },
        { "release", msg_tls13("TLS 1.3, server CertificateVerify", 32),
          RC_POLICY },
        { "web", msg_tls13("TLS 1.3, server CertificateVerify", 32), RC_OK },
        { "web", msg_tls12(), RC_OK },
        { "web", the_app(), RC_POLICY },
        { "web", msg_csr("web"), RC_OK },
        { "web", msg_tbs("web"), RC_OK },
        { "web", msg_csr("release"), RC_POLICY },
        { "web", msg_tbs("release"), RC_POLICY },
        { "web", msg_crl(), RC_OK },
        { "release", msg_csr("release"), RC_OK },
        { "release", msg_csr("web"), RC_POLICY },
        { "release", msg_tbs("release"), RC_POLICY },
        { "release", msg_crl(), RC_POLICY },
        { "release", msg_cmp(NULL), RC_OK },
        { "once", msg_csr("once"), RC_POLICY },
        { "ca", msg_tbs("release"), RC_OK },
        { "ca", msg_crl(), RC_POLICY },
        { "ca", msg_ocsp_response(), RC_OK },
        { "ca", msg_csr("ca"), RC_OK },
        { "ca", msg_csr("release"), RC_POLICY },
        { "ca", the_app(), RC_POLICY },
        { "ca", msg_cms("app", 3), RC_POLICY },
        { "ca", msg_cmp(NULL), RC_POLICY },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct policy_session s = open_for(cases[i].profile);
        enum rc rc = check(&s, cases[i].profile, &cases[i].m);
        if (rc != cases[i].rc)
            fail_msg("case %zu (%s): %s (%s)", i, cases[i].profile, rc_slug(rc),
                     rc_text());
    }
}

static void a_root_is_its_own_and_exactly_the_approved(void **state)
{
    (void)state;
    struct msg tbs = msg_tbs("ca");
    struct policy_session s = fx_session(p, POLICY_S_ROOT, "ca");
    fx_bind(&s, tbs.b, tbs.len);
    assert_ok(check(&s, "ca", &tbs));
    struct msg other = msg_tbs("release");
    assert_rc(check(&s, "ca", &other), RC_POLICY);
    /* approved, but about another key */
    s = fx_session(p, POLICY_S_ROOT, "ca");
    fx_bind(&s, other.b, other.len);
    assert_rc(check(&s, "ca", &other), RC_POLICY);
    assert_non_null(strstr(rc_text(), "public key"));
    /* approved, but no certificate */
    struct msg csr = msg_csr("ca");
    s = fx_session(p, POLICY_S_ROOT, "ca");
    fx_bind(&s, csr.b, csr.len);
    assert_rc(check(&s, "ca", &csr), RC_POLICY);
    /* one byte of the serial number, same shape */
    s = fx_session(p, POLICY_S_ROOT, "ca");
    fx_bind(&s, tbs.b, tbs.len);
    uint8_t *serial = memmem(tbs.b, tbs.len, "\x02\x01\x07", 3);
    assert_non_null(serial);
    serial[2] = 8;
    assert_rc(check(&s, "ca", &tbs), RC_POLICY);
    assert_non_null(strstr(rc_text(), "approved artifact"));
}

/* ---- CMS attribute by attribute -------------------------------------------- */

static struct msg oid(int nid)
{
    unsigned char *der = NULL;
    int len = i2d_ASN1_OBJECT(OBJ_nid2obj(nid), &der);
    assert_true(len > 0);
    struct msg m = msg_text(der, (size_t)len);
    OPENSSL_free(der);
    return m;
}

static struct msg attribute(int nid, const struct msg *values, size_t n)
{
    struct msg part[2] = { oid(nid), msg_der(0x31, values, n) };
    return msg_der(0x30, part, 2);
}

static struct msg one(int nid, struct msg value)
{
    return attribute(nid, &value, 1);
}

static struct msg octets(const void *b, size_t len)
{
    struct msg content = msg_text(b, len);
    return msg_der(0x04, &content, 1);
}

static void only_known_attributes_each_once(void **state)
{
    (void)state;
    uint8_t h512[64], h256[32];
    hash512(h512, app, APP_LEN);
    hash256(h256, app, APP_LEN);
    struct msg type = one(NID_pkcs9_contentType, oid(NID_pkcs7_data));
    struct msg stamp = one(NID_pkcs9_contentType, oid(NID_id_smime_ct_TSTInfo));
    struct msg good = one(NID_pkcs9_messageDigest, octets(h512, 64));
    struct msg narrow = one(NID_pkcs9_messageDigest, octets(h256, 32));
    struct msg two_digests[2] = { octets(h512, 64), octets(h512, 64) };
    struct msg twice = attribute(NID_pkcs9_messageDigest, two_digests, 2);
    struct msg none = attribute(NID_pkcs9_messageDigest, NULL, 0);
    struct msg text = one(NID_pkcs9_messageDigest, oid(NID_sha512));
    struct msg empty = msg_der(0x30, NULL, 0);
    struct msg counter = one(NID_pkcs9_countersignature, empty);
    struct msg caps = one(NID_SMIMECapabilities, empty);
    struct msg v2 = one(NID_id_smime_aa_signingCertificateV2, empty);
    struct msg v1 = one(NID_id_smime_aa_signingCertificate, empty);
    const struct {
        const char *why;
        struct msg part[4];
        size_t n;
        enum rc rc;
    } cases[] = {
        { "the two it needs", { type, good }, 2, RC_OK },
        { "in the other order", { good, type }, 2, RC_OK },
        { "and two it may have", { type, good, caps, v2 }, 4, RC_OK },
        { "no digest", { type, caps }, 2, RC_POLICY },
        { "no type", { good, caps }, 2, RC_POLICY },
        { "a time stamp's type", { stamp, good }, 2, RC_POLICY },
        { "SHA-256", { type, narrow }, 2, RC_POLICY },
        { "two digests in one", { type, twice }, 2, RC_POLICY },
        { "no digest in one", { type, none }, 2, RC_POLICY },
        { "a digest that is an OID", { type, text }, 2, RC_POLICY },
        { "the digest twice", { type, good, good }, 3, RC_POLICY },
        { "a right and a wrong digest", { type, good, narrow }, 3, RC_POLICY },
        { "a countersignature", { type, good, counter }, 3, RC_POLICY },
        { "signingCertificate of old", { type, good, v1 }, 3, RC_POLICY },
    };
    struct policy_session s = bound_for("guarded");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct msg m = msg_der(0x31, cases[i].part, cases[i].n);
        enum policy_kind kind;
        assert_ok(policy_classify(&kind, m.b, m.len));
        assert_int_equal(kind, POLICY_CMS);
        enum rc rc = check(&s, "guarded", &m);
        if (rc != cases[i].rc)
            fail_msg("%s: %s (%s)", cases[i].why, rc_slug(rc), rc_text());
    }
}

/* ---- DSSE ------------------------------------------------------------------ */

static void a_statement_is_about_the_one_artifact(void **state)
{
    (void)state;
    char both[600], wrong[600], more[600], upper[600];
    snprintf(both, sizeof(both), "%s,%s", digest("sha256", app),
             digest("sha512", app));
    snprintf(wrong, sizeof(wrong), "%s,%s", digest("sha256", app),
             digest("sha512", "other"));
    snprintf(more, sizeof(more), "%s,\"gitCommit\":\"00\"",
             digest("sha256", app));
    snprintf(upper, sizeof(upper), "%s", digest("sha256", app));
    for (char *c = upper + 10; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'f' ? *c - 32 : *c);
    char two[1400];
    snprintf(two, sizeof(two),
             "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{"
             "\"digest\":{%s}},{\"digest\":{%s}}]}",
             digest("sha256", app), digest("sha256", app));
    char aside[1400], within[1400];
    snprintf(aside, sizeof(aside),
             "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{"
             "\"digest\":{%s}}],\"Subject\":[{\"digest\":{%s}}]}",
             digest("sha256", app), digest("sha256", "other"));
    snprintf(within, sizeof(within),
             "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{"
             "\"digest\":{%s},\"DIGEST\":{%s}}]}",
             digest("sha256", app), digest("sha256", "other"));
    const struct {
        const char *why;
        struct msg m;
        enum rc rc;
    } cases[] = {
        { "a Subject beside the subject",
          msg_dsse("application/vnd.in-toto+json", aside), RC_POLICY },
        { "a DIGEST beside the digest",
          msg_dsse("application/vnd.in-toto+json", within), RC_POLICY },
        { "sha256 and sha512", statement(both), RC_OK },
        { "the wrong sha512", statement(wrong), RC_POLICY },
        { "only sha512", statement(digest("sha512", app)), RC_POLICY },
        { "a digest nobody approved", statement(more), RC_POLICY },
        { "capitals", statement(upper), RC_POLICY },
        { "no digest", statement(""), RC_POLICY },
        { "two subjects", msg_dsse("application/vnd.in-toto+json", two),
          RC_POLICY },
        { "no statement",
          msg_dsse("application/vnd.in-toto+json", "{\"_type\":\"x\"}"),
          RC_POLICY },
        { "no object", msg_dsse("application/vnd.in-toto+json", "[]"),
          RC_POLICY },
        { "no JSON", msg_dsse("application/vnd.in-toto+json", "app"),
          RC_PARSE },
        { "the artifact itself, wrapped", msg_dsse("text/plain", app),
          RC_POLICY },
    };
    struct policy_session s = bound_for("guarded");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum rc rc = check(&s, "guarded", &cases[i].m);
        if (rc != cases[i].rc)
            fail_msg("%s: %s (%s)", cases[i].why, rc_slug(rc), rc_text());
    }
}

/* A floor over a 0/0 profile: what only goes without a quorum goes no more. */
static void a_raised_profile_signs_what_a_quorum_profile_does(void **state)
{
    (void)state;
    const struct policy_raise raise = { .stewards = 1 };
    const struct policy_raise none = { 0 };
    const struct policy_profile *f = policy_profile_find(p, "release");
    struct policy_session open = open_for("release");
    struct policy_session bound = bound_for("release");
    struct msg csr = msg_csr("release");
    enum policy_kind kind;
    assert_ok(
            policy_payload_check_raised(&kind, f, &open, app, APP_LEN, &none));
    assert_rc(
            policy_payload_check_raised(&kind, f, &open, app, APP_LEN, &raise),
            RC_POLICY);
    assert_ok(policy_payload_check_raised(&kind, f, &bound, app, APP_LEN,
                                          &raise));
    assert_ok(policy_payload_check_raised(&kind, f, &open, csr.b, csr.len,
                                          &none));
    struct policy_session its = fx_session(p, POLICY_S_SIGN, "release");
    fx_bind(&its, csr.b, csr.len);
    assert_rc(
            policy_payload_check_raised(&kind, f, &its, csr.b, csr.len, &raise),
            RC_POLICY);
    assert_non_null(strstr(rc_text(), "only without a quorum"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_approved_artifact_is_signed_in_each_wrapping),
        cmocka_unit_test(a_raised_profile_signs_what_a_quorum_profile_does),
        cmocka_unit_test(no_other_artifact_is),
        cmocka_unit_test(a_free_session_binds_nothing),
        cmocka_unit_test(a_0_0_session_with_an_artifact_binds_it),
        cmocka_unit_test(the_session_must_be_one_that_signs_this),
        cmocka_unit_test(a_long_message_is_refused),
        cmocka_unit_test(a_kind_needs_its_profile),
        cmocka_unit_test(a_root_is_its_own_and_exactly_the_approved),
        cmocka_unit_test(only_known_attributes_each_once),
        cmocka_unit_test(a_statement_is_about_the_one_artifact),
    };
    return cmocka_run_group_tests(tests, policy_new, policy_done);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's promise in a leaf: one list is taken, at one place; everything a
 * broken CA could write there instead is not. And the end of a key's session.
 */
#include "world.h"

#include <jansson.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/file.h"

static struct world w;
static struct policy_session sign;
static EVP_PKEY *log_key;

static int open_world(void **state)
{
    (void)state;
    world_open(&w);
    world_session(&sign, &w, POLICY_S_SIGN, NULL, 0);
    log_key = EVP_EC_gen("P-256");
    return log_key ? 0 : -1;
}

static int close_world(void **state)
{
    (void)state;
    EVP_PKEY_free(log_key);
    world_close(&w);
    return 0;
}

/* ---- lists ------------------------------------------------------------------ */

/* Zeros: an honest one of WORLD_NOW. */
struct plan {
    int64_t at_ms; /* from WORLD_NOW */
    uint8_t version, hash, alg;
    bool extension, twice, empty, after, inside;
    const void *sig; /* instead of a real one */
    size_t sig_len;
};

struct list {
    uint8_t at[1024];
    size_t len;
};

static size_t ecdsa(uint8_t sig[80])
{
    size_t len = 80;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, log_key),
                     1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &len, (const uint8_t *)"tbs", 3),
                     1);
    EVP_MD_CTX_free(ctx);
    return len;
}

static void sct_make(struct list *out, const struct plan *p)
{
    uint8_t one[512], both[1024], sig[80];
    size_t sig_len = ecdsa(sig);
    struct bytes_writer o = bytes_writer(one, sizeof(one));
    struct bytes_writer b = bytes_writer(both, sizeof(both));
    struct bytes_writer l = bytes_writer(out->at, sizeof(out->at));
    static const uint8_t id[32] = { 0x1d };
    bytes_put_u8(&o, p->version);
    bytes_put(&o, id, 32);
    bytes_put_u64(&o, (uint64_t)(WORLD_NOW * INT64_C(1000) + p->at_ms));
    bytes_put_lp16(&o, "x", p->extension);
    bytes_put_u8(&o, p->hash ? p->hash : 4);
    bytes_put_u8(&o, p->alg ? p->alg : 3);
    bytes_put_lp16(&o, p->sig ? p->sig : sig, p->sig ? p->sig_len : sig_len);
    if (p->inside)
        bytes_put_u8(&o, 0);
    for (int i = p->empty; i < 1 + p->twice; i++)
        bytes_put_lp16(&b, one, o.len);
    bytes_put_lp16(&l, both, b.len);
    if (p->after)
        bytes_put_u8(&l, 0);
    out->len = l.len;
}

static const uint8_t zero_r[] = { 0x30, 6, 2, 1, 0, 2, 1, 5 };
static const uint8_t below_zero[] = { 0x30, 6, 2, 1, 5, 2, 1, 0x85 };
static const uint8_t long_form[] = { 0x30, 0x81, 6, 2, 1, 5, 2, 1, 5 };
static const uint8_t padded[] = { 0x30, 7, 2, 2, 0, 5, 2, 1, 5 };
static const uint8_t one_number[] = { 0x30, 3, 2, 1, 5, 0, 0, 0 };
static const uint8_t more_after[] = { 0x30, 6, 2, 1, 5, 2, 1, 5, 0 };
static const uint8_t text[] = "signature";
static const uint8_t large[70] = { 0x30, 68, 2, 33, 1, [37] = 2, 31, 1 };

#define SIG(x) .sig = (x), .sig_len = sizeof(x)
static const struct {
    struct plan plan;
    const char *why, *text;
} bad_lists[] = {
    { { .version = 1 }, "version 2", "version 1" },
    { { .hash = 2 }, "SHA-1", "ECDSA" },
    { { .alg = 1 }, "RSA", "ECDSA" },
    { { .extension = true }, "extensions", "no extensions" },
    { { .twice = true }, "two", "exactly one" },
    { { .empty = true }, "none", "nothing is in it" },
    { { .after = true }, "bytes after the list", "length" },
    { { .inside = true }, "bytes after the signature", "length" },
    { { SIG(zero_r) }, "r is zero", "signature" },
    { { SIG(below_zero) }, "s is negative", "signature" },
    { { SIG(long_form) }, "a length in long form", "signature" },
    { { SIG(padded) }, "a padded number", "signature" },
    { { SIG(one_number) }, "one number", "signature" },
    { { SIG(more_after) }, "bytes after the signature's", "signature" },
    { { SIG(text) }, "no DER", "signature" },
    { { SIG(large) }, "a number over 256 bits", "signature" },
    { { .sig = text, .sig_len = 0 }, "no signature", "signature" },
    { { .sig = large, .sig_len = 7 }, "too short", "signature" },
};

static void one_honest_sct_is_read(void **state)
{
    (void)state;
    struct list l;
    struct ca_sct sct;
    sct_make(&l, &(struct plan){ 0 });
    assert_ok(ca_sct_read(&sct, l.at, l.len));
    assert_int_equal(sct.at_ms, WORLD_NOW * INT64_C(1000));
    assert_int_equal(sct.log_id[0], 0x1d);
}

static void other_lists_are_refused(void **state)
{
    (void)state;
    struct list l;
    struct ca_sct sct = { .at_ms = 7 };
    for (size_t i = 0; i < sizeof(bad_lists) / sizeof(bad_lists[0]); i++) {
        sct_make(&l, &bad_lists[i].plan);
        enum rc rc = ca_sct_read(&sct, l.at, l.len);
        if (rc != RC_POLICY || !strstr(rc_text(), bad_lists[i].text))
            fail_msg("%s: %s (%s), want %s", bad_lists[i].why, rc_slug(rc),
                     rc_text(), bad_lists[i].text);
    }
    sct_make(&l, &(struct plan){ 0 });
    for (size_t n = 0; n < l.len; n++)
        assert_rc(ca_sct_read(&sct, l.at, n), RC_POLICY);
    assert_rc(ca_sct_read(&sct, l.at, CA_SCT_MAX + 1), RC_POLICY);
    assert_int_equal(sct.at_ms, 7);
}

/* What real clients of Sigstore took, from tests of theirs. */
static void sct_that_cosign_accepted_is_read(void **state)
{
    (void)state;
    char path[512];
    uint8_t der[4096];
    size_t der_len;
    snprintf(path, sizeof(path),
             "%s/tlog/sigstore-interop/"
             "D_dsse_ed_dsse1_ec_v1ck_SET.sigstore.json",
             testdata());
    json_t *o = json_load_file(path, 0, NULL);
    assert_non_null(o);
    const char *b64 = json_string_value(json_object_get(
            json_object_get(json_object_get(o, "verificationMaterial"),
                            "certificate"),
            "rawBytes"));
    assert_non_null(b64);
    assert_ok(enc_unb64(der, sizeof(der), &der_len, b64, strlen(b64)));
    const uint8_t *at = der;
    X509 *x = d2i_X509(NULL, &at, (long)der_len);
    int place = X509_get_ext_by_NID(x, NID_ct_precert_scts, -1);
    assert_int_equal(place, X509_get_ext_count(x) - 1);
    const ASN1_OCTET_STRING *v = X509_EXTENSION_get_data(
            X509_get_ext(x, place));
    struct ca_sct sct;
    assert_ok(ca_sct_read(&sct, ASN1_STRING_get0_data(v) + 2,
                          (size_t)ASN1_STRING_length(v) - 2));
    assert_int_equal(sct.log_id[0], 0xe2);
    X509_free(x);
    json_decref(o);
}

/* ---- in a leaf ---------------------------------------------------------------- */

struct tbs {
    uint8_t at[CA_DER_MAX];
    size_t len;
};

static void promised(struct tbs *out, const struct wire_birth *b,
                     const struct plan *p)
{
    struct tbs plain;
    struct list l;
    world_leaf(plain.at, &plain.len, &w, b, true);
    sct_make(&l, p);
    assert_ok(ca_tbs_promise(out->at, &out->len, plain.at, plain.len, l.at,
                             l.len));
    /* and the one without is a leaf too */
    assert_ok(ca_tbs_check(w.chain, &sign, w.issuer.pk, b, plain.at, plain.len,
                           WORLD_NOW));
}

static enum rc judged(const struct wire_birth *b, const struct tbs *t)
{
    return ca_tbs_check(w.chain, &sign, w.issuer.pk, b, t->at, t->len,
                        WORLD_NOW);
}

static void leaf_with_the_logs_promise_is_accepted(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    struct tbs t, again;
    struct list l;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    static const int64_t times[] = { 0, 999, CA_BEHIND_S * 1000,
                                     -CA_AHEAD_S * 1000 };
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        promised(&t, &b, &(struct plan){ .at_ms = times[i] });
        assert_ok(judged(&b, &t));
    }
    uint64_t index;
    assert_ok(ca_tbs_birth(&index, t.at, t.len));
    assert_int_equal(index, b.proof.index);
    sct_make(&l, &(struct plan){ 0 });
    assert_rc(ca_tbs_promise(again.at, &again.len, t.at, t.len, l.at, l.len),
              RC_EXISTS);
}

static void promise_of_another_time_is_refused(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    struct tbs t;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    static const int64_t times[] = { (CA_BEHIND_S + 1) * 1000,
                                     -(CA_AHEAD_S + 1) * 1000,
                                     -WORLD_NOW * INT64_C(1000),
                                     INT64_MAX - WORLD_NOW * INT64_C(1000),
                                     -WORLD_NOW * INT64_C(1000) - 1 };
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        promised(&t, &b, &(struct plan){ .at_ms = times[i] });
        assert_rc(judged(&b, &t), RC_POLICY);
        assert_non_null(strstr(rc_text(), "sct: timestamp"));
    }
}

/* ---- at another place, in another form ------------------------------------------ */

static int place_of(X509 *x)
{
    int at = X509_get_ext_by_NID(x, NID_ct_precert_scts, -1);
    assert_true(at >= 0);
    return at;
}

static void put_value(X509 *x, const void *der, size_t len)
{
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(s, der, (int)len);
    X509_EXTENSION_set_data(X509_get_ext(x, place_of(x)), s);
    ASN1_OCTET_STRING_free(s);
}

static void one_place_earlier(X509 *x)
{
    int at = place_of(x);
    X509_EXTENSION *e = X509_delete_ext(x, at);
    X509_add_ext(x, e, at - 1);
    X509_EXTENSION_free(e);
}
static void first_of_all(X509 *x)
{
    X509_EXTENSION *e = X509_delete_ext(x, place_of(x));
    X509_add_ext(x, e, 0);
    X509_EXTENSION_free(e);
}
static void two_of_them(X509 *x)
{
    X509_EXTENSION *e = X509_EXTENSION_dup(X509_get_ext(x, place_of(x)));
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}
static void one_more_after(X509 *x)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_netscape_comment,
                                            "hello");
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}
static void critical(X509 *x)
{
    X509_EXTENSION_set_critical(X509_get_ext(x, place_of(x)), 1);
}
static void not_an_octet_string(X509 *x)
{
    put_value(x,
              "\x0c\x03"
              "abc",
              5);
}
static void nothing(X509 *x)
{
    put_value(x, "", 0);
}
static void an_empty_string(X509 *x)
{
    put_value(x, "\x04\x00", 2);
}
static void a_wrong_length(X509 *x)
{
    put_value(x,
              "\x04\x20"
              "abc",
              5);
}
static void a_length_of_lengths(X509 *x)
{
    put_value(x,
              "\x04\x82\x00\x01"
              "a",
              5);
}
static void free_text(X509 *x)
{
    put_value(x,
              "\x04\x05"
              "hello",
              7);
}
static void longer_life(X509 *x)
{
    ASN1_TIME *t = ASN1_TIME_set(NULL, WORLD_NOW + 301);
    X509_set1_notAfter(x, t);
    ASN1_TIME_free(t);
}

static void changed_promise_is_refused(void **state)
{
    (void)state;
    static const struct {
        void (*change)(X509 *x);
        const char *why, *text;
    } cases[] = {
        { one_place_earlier, "not last", "last extension" },
        { first_of_all, "first", "last extension" },
        { two_of_them, "twice", "last extension" },
        { one_more_after, "an extension after it", "last extension" },
        { critical, "critical", "ct_precert_scts" },
        { not_an_octet_string, "a UTF8String", "OCTET STRING" },
        { nothing, "no value", "OCTET STRING" },
        { an_empty_string, "an empty one", "OCTET STRING" },
        { a_wrong_length, "longer than it is", "OCTET STRING" },
        { a_length_of_lengths, "no DER", "OCTET STRING" },
        { free_text, "what the CA likes to say", "sct" },
        { longer_life, "a longer life beside it", "notAfter" },
    };
    WIRE(birth) b = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tbs t;
        uint8_t der[CA_DER_MAX], *end = t.at;
        size_t der_len;
        promised(&t, &b, &(struct plan){ 0 });
        world_sign(der, &der_len, &w, t.at, t.len);
        const uint8_t *at = der;
        X509 *x = d2i_X509(NULL, &at, (long)der_len);
        cases[i].change(x);
        assert_in_range(i2d_re_X509_tbs(x, NULL), 1, CA_DER_MAX);
        t.len = (size_t)i2d_re_X509_tbs(x, &end);
        X509_free(x);
        enum rc rc = judged(&b, &t);
        if (rc != RC_POLICY || !strstr(rc_text(), cases[i].text))
            fail_msg("%s: %s (%s), want policy_refused and %s", cases[i].why,
                     rc_slug(rc), rc_text(), cases[i].text);
    }
}

/* Beside serial and list a promised leaf has no free bit. */
static void no_bit_outside_the_promise_is_free(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    struct tbs t, bad;
    struct list l;
    unsigned serial = 0;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    world_leaf(t.at, &t.len, &w, &b, true);
    sct_make(&l, &(struct plan){ 0 });
    assert_ok(ca_tbs_promise(bad.at, &bad.len, t.at, t.len, l.at, l.len));
    t = bad;
    const uint8_t *at = memmem(t.at, t.len, l.at, l.len);
    assert_non_null(at);
    size_t from = (size_t)(at - t.at), to = from + l.len;
    assert_int_equal(to, t.len); /* nothing comes after it */
    for (size_t i = 0; i < t.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            bad = t;
            bad.at[i] ^= (uint8_t)(1 << bit);
            if (judged(&b, &bad) != RC_OK)
                continue;
            /* in the list: log id, milliseconds, two numbers */
            bool id = i >= from + 5 && i < from + 37;
            bool ms = i >= from + 42 && i < from + 45;
            bool sig = i >= from + 51;
            if (i >= from && !id && !ms && !sig)
                fail_msg("bit %d of byte %zu of the list", bit, i - from);
            serial += i < from;
        }
    assert_int_equal(serial, 20 * 8 - 2);
}

static void root_has_no_promise(void **state)
{
    (void)state;
    struct tbs root, t;
    struct list l;
    struct policy_session s;
    assert_ok(ca_root_tbs(root.at, &root.len, "test", w.issuer.pk, false,
                          WORLD_NOW));
    sct_make(&l, &(struct plan){ 0 });
    assert_ok(ca_tbs_promise(t.at, &t.len, root.at, root.len, l.at, l.len));
    world_session(&s, &w, POLICY_S_ROOT, t.at, t.len);
    assert_rc(ca_tbs_check(w.chain, &s, w.issuer.pk, NULL, t.at, t.len,
                           WORLD_NOW),
              RC_POLICY);
}

/* ---- the end of a session ---------------------------------------------------------- */

static void ephemeral_key_is_certified_while_its_session_lasts(void **state)
{
    (void)state;
    static const struct {
        struct world_plan plan;
        enum rc want;
        const char *why;
    } cases[] = {
        { { .profile = "once", .sign_session = true, .ends_s = 1 },
          RC_OK,
          "its last second" },
        { { .profile = "once", .sign_session = true, .ends_s = -1 },
          RC_EXPIRED,
          "ended" },
        { { .profile = "once", .sign_session = true, .ends_s = -50 },
          RC_EXPIRED,
          "ended a while ago" },
        { { .ends_s = -50 }, RC_OK, "a persistent key outlives its session" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        WIRE(birth) b = { 0 };
        struct tbs t;
        world_birth(&b, &w, &cases[i].plan);
        struct ca_leaf leaf = { .chain = w.chain,
                                .birth = &b,
                                .issuer = w.root,
                                .issuer_len = w.root_len,
                                .tee_hash = w.ca_hash,
                                .now_s = WORLD_NOW };
        enum rc rc = ca_leaf_tbs(t.at, &t.len, &leaf);
        if (rc != cases[i].want)
            fail_msg("%s: %s (%s), want %s", cases[i].why, rc_slug(rc),
                     rc_text(), rc_slug(cases[i].want));
        /* a CA that goes on all the same, with a clock of its own */
        leaf.now_s = WORLD_NOW - 60;
        assert_ok(ca_leaf_tbs(t.at, &t.len, &leaf));
        assert_rc(judged(&b, &t), cases[i].want);
    }
}

/* Nodes that a policy put out cannot certify keys by the one before. Last: w
 * has another version after it. */
static void ephemeral_key_is_certified_under_its_own_policy(void **state)
{
    (void)state;
    static const struct {
        struct world_plan plan;
        enum rc want;
    } cases[] = {
        { { .profile = "once", .sign_session = true }, RC_POLICY_CHANGED },
        { { .profile = "release" }, RC_OK },
    };
    struct wire_birth b[2] = { 0 };
    struct tbs t[2];
    for (int i = 0; i < 2; i++) {
        world_birth(&b[i], &w, &cases[i].plan);
        world_leaf(t[i].at, &t[i].len, &w, &b[i], true);
        assert_ok(judged(&b[i], &t[i]));
    }
    world_next_version(&w);
    world_session(&sign, &w, POLICY_S_SIGN, NULL, 0);
    for (int i = 0; i < 2; i++) {
        assert_rc(judged(&b[i], &t[i]), cases[i].want);
        wire_birth_free(&b[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_honest_sct_is_read),
        cmocka_unit_test(other_lists_are_refused),
        cmocka_unit_test(sct_that_cosign_accepted_is_read),
        cmocka_unit_test(leaf_with_the_logs_promise_is_accepted),
        cmocka_unit_test(promise_of_another_time_is_refused),
        cmocka_unit_test(changed_promise_is_refused),
        cmocka_unit_test(no_bit_outside_the_promise_is_free),
        cmocka_unit_test(root_has_no_promise),
        cmocka_unit_test(ephemeral_key_is_certified_while_its_session_lasts),
        cmocka_unit_test(ephemeral_key_is_certified_under_its_own_policy),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}

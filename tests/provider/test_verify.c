/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verification through our provider, with decode-public-keys, against the
 * default provider's on every public edge case that we hold; and what that
 * setting is for, CMS.
 */
#include "test.h"

#include <jansson.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include "base/enc.h"
#include "base/own.h"
#include "rig.h"

OWNED_BY(BIO, BIO_free_all);
OWNED_BY(CMS_ContentInfo, CMS_ContentInfo_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);
OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(OSSL_LIB_CTX, OSSL_LIB_CTX_free);
OWNED_BY(X509, X509_free);
OWNED_BY(X509_STORE, X509_STORE_free);

#define DECODES "decode-public-keys = yes"

static OSSL_LIB_CTX *ours, *stock;

static int up(void **state)
{
    rig_up(state);
    ours = rig_context(DEFAULT_FIRST, DECODES);
    stock = rig_context("default = dflt", "");
    return 0;
}

static int down(void **state)
{
    OSSL_LIB_CTX_free(ours);
    OSSL_LIB_CTX_free(stock);
    return rig_down(state);
}

/* As certificates and -pubin files come in: by SubjectPublicKeyInfo. */
static EVP_PKEY *decoded(OSSL_LIB_CTX *ctx, const uint8_t pub[32],
                         const char *provider)
{
    uint8_t der[44] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                        0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
    const uint8_t *at = der;
    memcpy(der + 12, pub, 32);
    EVP_PKEY *key = d2i_PUBKEY_ex(NULL, &at, sizeof(der), ctx, NULL);
    assert_non_null(key);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)),
                        provider);
    return key;
}

static int verdict(OSSL_LIB_CTX *ctx, EVP_PKEY *key, const char *digest,
                   const uint8_t *sig, size_t sig_len, const uint8_t *msg,
                   size_t len)
{
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    assert_int_equal(
            EVP_DigestVerifyInit_ex(md, NULL, digest, ctx, NULL, key, NULL), 1);
    if (!digest)
        return EVP_DigestVerify(md, sig, sig_len, msg, len) == 1;
    assert_int_equal(EVP_DigestVerifyUpdate(md, msg, len), 1);
    return EVP_DigestVerifyFinal(md, sig, sig_len) == 1;
}

static unsigned valid, invalid;

static void same_verdict(const char *what, const uint8_t pub[32],
                         const uint8_t *sig, size_t sig_len, const uint8_t *msg,
                         size_t len)
{
    OWNED(EVP_PKEY) *a = decoded(ours, pub, "mpc");
    OWNED(EVP_PKEY) *b = decoded(stock, pub, "default");
    int want = verdict(stock, b, NULL, sig, sig_len, msg, len);
    int once = verdict(ours, a, NULL, sig, sig_len, msg, len);
    int cms = verdict(ours, a, "SHA2-512", sig, sig_len, msg, len);
    if (once != want || cms != want)
        fail_msg("%s: default says %d, we %d, and %d in pieces", what, want,
                 once, cms);
    *(want ? &valid : &invalid) += 1;
    ERR_clear_error();
}

static size_t unhex(uint8_t *out, size_t cap, const json_t *from,
                    const char *key)
{
    const char *hex = json_string_value(json_object_get(from, key));
    assert_non_null(hex);
    size_t len = strlen(hex) / 2;
    assert_true(len <= cap);
    assert_ok(enc_unhex(out, len, hex, strlen(hex)));
    return len;
}

static json_t *vectors(const char *name)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/frost/ed25519-verify/%s", testdata(),
             name);
    json_t *doc = json_load_file(path, 0, NULL);
    assert_non_null(doc);
    valid = invalid = 0;
    return doc;
}

static void report(const char *name, size_t want)
{
    print_message("%s: %u valid, %u invalid, verdicts equal\n", name, valid,
                  invalid);
    assert_int_equal(valid + invalid, want);
    assert_true(valid > 0 && invalid > 0);
}

static void wycheproof_verdicts_are_the_default_providers(void **state)
{
    json_auto_t *doc = vectors("wycheproof-ed25519_test.json");
    size_t i, j;
    json_t *group, *one;
    (void)state;
    json_array_foreach (json_object_get(doc, "testGroups"), i, group) {
        uint8_t pub[32];
        assert_int_equal(unhex(pub, sizeof(pub),
                               json_object_get(group, "publicKey"), "pk"),
                         32);
        json_array_foreach (json_object_get(group, "tests"), j, one) {
            uint8_t sig[256], msg[4096];
            size_t sig_len = unhex(sig, sizeof(sig), one, "sig");
            size_t len = unhex(msg, sizeof(msg), one, "msg");
            unsigned before = valid;
            same_verdict(json_string_value(json_object_get(one, "comment")),
                         pub, sig, sig_len, msg, len);
            assert_int_equal(
                    valid > before,
                    strcmp(json_string_value(json_object_get(one, "result")),
                           "valid") == 0);
        }
    }
    report("Wycheproof", 151);
}

static void cctv_verdicts_are_the_default_providers(void **state)
{
    json_auto_t *doc = vectors("cctv-ed25519vectors.json");
    size_t i;
    json_t *one;
    (void)state;
    json_array_foreach (doc, i, one) {
        uint8_t pub[32], sig[64];
        char what[40];
        const char *msg = json_string_value(json_object_get(one, "msg"));
        snprintf(what, sizeof(what), "CCTV %zu", i);
        assert_int_equal(unhex(pub, sizeof(pub), one, "key"), 32);
        assert_int_equal(unhex(sig, sizeof(sig), one, "sig"), 64);
        same_verdict(what, pub, sig, 64, (const uint8_t *)msg, strlen(msg));
    }
    report("CCTV", 914);
}

static void speccheck_verdicts_are_the_default_providers(void **state)
{
    json_auto_t *doc = vectors("speccheck-cases.json");
    size_t i;
    json_t *one;
    (void)state;
    json_array_foreach (doc, i, one) {
        uint8_t pub[32], sig[64], msg[256];
        char what[40];
        snprintf(what, sizeof(what), "speccheck %zu", i);
        assert_int_equal(unhex(pub, sizeof(pub), one, "pub_key"), 32);
        assert_int_equal(unhex(sig, sizeof(sig), one, "signature"), 64);
        size_t len = unhex(msg, sizeof(msg), one, "message");
        same_verdict(what, pub, sig, 64, msg, len);
    }
    report("speccheck", 12);
}

/* ---- what the setting is for, and what it must not change ---------------- */

/* Without the CMS bridge: RFC 8419's algorithm is set by hand. */
static CMS_ContentInfo *signed_cms(X509 *x, EVP_PKEY *key, BIO *content)
{
    unsigned flags = CMS_BINARY | CMS_DETACHED | CMS_NOSMIMECAP;
    CMS_ContentInfo *cms = CMS_sign_ex(NULL, NULL, NULL, NULL,
                                       flags | CMS_PARTIAL, rig_both, NULL);
    CMS_SignerInfo *si = CMS_add1_signer(cms, x, key, EVP_sha512(), flags);
    X509_ALGOR *algorithm;
    assert_non_null(si);
    CMS_SignerInfo_get0_algs(si, NULL, NULL, NULL, &algorithm);
    X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_ED25519), V_ASN1_UNDEF, NULL);
    assert_int_equal(CMS_final(cms, content, NULL, flags), 1);
    return cms;
}

static CMS_ContentInfo *in_context(CMS_ContentInfo *cms, OSSL_LIB_CTX *ctx)
{
    OWNED(BIO) *der = BIO_new(BIO_s_mem());
    assert_int_equal(i2d_CMS_bio(der, cms), 1);
    CMS_ContentInfo *again = CMS_ContentInfo_new_ex(ctx, NULL);
    assert_non_null(d2i_CMS_bio(der, &again));
    return again;
}

static int cms_verify(OSSL_LIB_CTX *ctx, CMS_ContentInfo *cms, X509 *root,
                      const char *text)
{
    OWNED(BIO) *content = BIO_new_mem_buf(text, -1);
    OWNED(X509_STORE) *trust = X509_STORE_new();
    uint8_t *der = NULL;
    int len = i2d_X509(root, &der);
    const uint8_t *at = der;
    X509 *own = X509_new_ex(ctx, NULL);
    assert_non_null(d2i_X509(&own, &at, len));
    OPENSSL_free(der);
    X509_STORE_add_cert(trust, own);
    X509_STORE_set_purpose(trust, X509_PURPOSE_ANY);
    X509_free(own);
    return CMS_verify(cms, NULL, trust, content, NULL,
                      CMS_BINARY | CMS_DETACHED);
}

static void a_cms_message_verifies_by_that_setting_alone(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    OWNED(X509) *x = rig_certificate(rig_both);
    OWNED(BIO) *content = BIO_new_mem_buf("hello", -1);
    unsigned before = rig_fake.signs;
    OWNED(CMS_ContentInfo) *cms = signed_cms(x, key, content);
    assert_int_equal(rig_fake.signs, before + 1);
    OWNED(CMS_ContentInfo) *here = in_context(cms, ours);
    if (cms_verify(ours, here, x, "hello") != 1) {
        ERR_print_errors_fp(stderr);
        fail();
    }
    OWNED(CMS_ContentInfo) *again = in_context(cms, ours);
    assert_int_not_equal(cms_verify(ours, again, x, "hellO"), 1);
    ERR_clear_error();
}

static void ordinary_private_keys_meet_our_public_ones(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *soft = EVP_PKEY_Q_keygen(ours, NULL, "ED25519");
    uint8_t pub[32], sig[64];
    size_t len = sizeof(pub), sig_len = sizeof(sig);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(soft)),
                        "default");
    assert_int_equal(EVP_PKEY_get_raw_public_key(soft, pub, &len), 1);
    OWNED(EVP_PKEY) *mine = decoded(ours, pub, "mpc");
    assert_int_equal(EVP_PKEY_eq(soft, mine), 1);
    assert_int_equal(EVP_PKEY_eq(mine, soft), 1);
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, ours, NULL, soft, NULL), 1);
    assert_int_equal(EVP_DigestSign(md, sig, &sig_len, (const uint8_t *)"m", 1),
                     1);
    assert_int_equal(
            verdict(ours, mine, NULL, sig, 64, (const uint8_t *)"m", 1), 1);
    OWNED(EVP_PKEY) *back = NULL;
    uint8_t *der = NULL;
    int der_len = i2d_PUBKEY(mine, &der);
    assert_int_equal(der_len, 44);
    const uint8_t *at = der;
    back = d2i_PUBKEY_ex(NULL, &at, der_len, stock, NULL);
    OPENSSL_free(der);
    assert_non_null(back);
}

static void assert_makes_keys_after_a_verification(OSSL_LIB_CTX *ctx)
{
    static const uint8_t sig[64];
    OWNED(EVP_PKEY) *key = decoded(ctx, rig_fake.pk, "mpc");
    assert_int_equal(verdict(ctx, key, NULL, sig, 64, sig, 64), 0);
    ERR_clear_error();
    OWNED(EVP_PKEY) *made = EVP_PKEY_Q_keygen(ctx, NULL, "ED25519");
    assert_non_null(made);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(made)),
                        "default");
}

/*
 * In contexts that had no other use of Ed25519 yet: what OpenSSL remembers of
 * our first verification must not make us the home of new keys.
 */
static void new_keys_are_the_default_providers_after_a_verification(
        void **state)
{
    (void)state;
    OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST, DECODES);
    assert_makes_keys_after_a_verification(ctx);
}

/* The context of most programs, which the core calls NULL. */
static void and_so_in_the_default_context(void **state)
{
    char conf[160];
    (void)state;
    OSSL_LIB_CTX_free(rig_context(DEFAULT_FIRST, DECODES)); /* its file */
    snprintf(conf, sizeof(conf), "%s/ctx.cnf", rig_fake.dir);
    assert_int_equal(OSSL_LIB_CTX_load_config(NULL, conf), 1);
    assert_makes_keys_after_a_verification(NULL);
}

static void without_the_setting_public_keys_are_the_default_providers(
        void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = decoded(rig_both, rig_fake.pk, "default");
    assert_non_null(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(wycheproof_verdicts_are_the_default_providers),
        RIG(cctv_verdicts_are_the_default_providers),
        RIG(speccheck_verdicts_are_the_default_providers),
        RIG(a_cms_message_verifies_by_that_setting_alone),
        RIG(ordinary_private_keys_meet_our_public_ones),
        RIG(new_keys_are_the_default_providers_after_a_verification),
        RIG(without_the_setting_public_keys_are_the_default_providers),
        RIG(and_so_in_the_default_context), /* last: it stays configured */
    };
    return cmocka_run_group_tests(tests, up, down);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key references through the calls that servers make: PEM_read_bio_PrivateKey
 * on a file's bytes, SSL_CTX_use_PrivateKey_file's way.
 */
#include "test.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/own.h"
#include "rig.h"

OWNED_BY(BIO, BIO_free_all);
OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(OSSL_LIB_CTX, OSSL_LIB_CTX_free);
OWNED_BY(X509, X509_free);

#define REF(body)                                                              \
    "-----BEGIN MPC KEY REFERENCE-----\n" body                                 \
    "\n-----END MPC KEY REFERENCE-----\n"
#define P8(body)                                                               \
    "-----BEGIN PRIVATE KEY-----\n" body "\n-----END PRIVATE KEY-----\n"
#define RELEASE   REF("bXBjOnJlbGVhc2U=")
#define RELEASE_8 P8("MB4CAQAwDAYKKwYBBAGB/VkBAQQLbXBjOnJlbGVhc2U=")

static EVP_PKEY *read_key(OSSL_LIB_CTX *ctx, const char *pem)
{
    OWNED(BIO) *in = BIO_new_mem_buf(pem, -1);
    return PEM_read_bio_PrivateKey_ex(in, NULL, NULL, NULL, ctx, NULL);
}

static void servers_read_a_reference_as_their_key(void **state)
{
    static const char *const orders[] = { DEFAULT_FIRST, MPC_FIRST, MPC_ONLY };
    static const char *const files[] = {
        RELEASE,
        RELEASE_8,
        "some words\n" RELEASE,
        "a\nb\n" RELEASE_8 "c",
        REF("bXBjOnJl\nbGVhc2U="),
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        OWNED(OSSL_LIB_CTX) *ctx = rig_context(orders[i], "");
        for (size_t j = 0; j < sizeof(files) / sizeof(files[0]); j++) {
            unsigned keys = rig_fake.keys, signs = rig_fake.signs;
            OWNED(EVP_PKEY) *key = read_key(ctx, files[j]);
            uint8_t sig[64];
            if (!key)
                fail_msg("%s\n%s", orders[i], files[j]);
            assert_int_equal(ERR_peek_error(), 0);
            assert_int_equal(rig_fake.keys, keys + 1);
            assert_int_equal(rig_fake.signs, signs);
            assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 1);
            rig_assert_good(sig, "hello", 5);
        }
    }
}

static void a_reference_after_a_certificate_is_found(void **state)
{
    (void)state;
    OWNED(X509) *x = rig_certificate(rig_both);
    OWNED(BIO) *file = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(file, x), 1);
    assert_true(BIO_puts(file, RELEASE) > 0);
    assert_int_equal(PEM_write_bio_X509(file, x), 1);
    OWNED(EVP_PKEY) *key = PEM_read_bio_PrivateKey_ex(file, NULL, NULL, NULL,
                                                      rig_both, NULL);
    assert_non_null(key);
    assert_int_equal(X509_check_private_key(x, key), 1);
    OWNED(X509) *next = PEM_read_bio_X509(file, NULL, NULL, NULL);
    assert_non_null(next); /* and what follows it is not swallowed */
}

static void a_public_key_is_read_where_only_that_is_asked(void **state)
{
    (void)state;
    OWNED(BIO) *in = BIO_new_mem_buf(RELEASE, -1);
    OWNED(EVP_PKEY) *pub = PEM_read_bio_PUBKEY_ex(in, NULL, NULL, NULL,
                                                  rig_both, NULL);
    uint8_t sig[64];
    assert_non_null(pub);
    assert_int_equal(rig_sign(rig_both, pub, "hello", 5, sig), 0);
    rig_assert_first_error("public", "it cannot sign");
}

/* Ours, then what the host's old way of reading PKCS#8 adds. */
static void assert_host_follows(const char *why, const char *words)
{
    const char *data;
    unsigned long e = ERR_get_error_all(NULL, NULL, NULL, &data, NULL);
    if (strcmp(ERR_lib_error_string(e), "mpc") != 0 || !strstr(data, words))
        fail_msg("%s: want \"%s\", got %s", why, words, data);
    while ((e = ERR_get_error()))
        assert_int_equal(ERR_GET_LIB(e), ERR_LIB_EVP);
}

static void a_failure_is_one_error_with_its_reason(void **state)
{
    static const struct {
        const char *pem;
        enum fake_mode mode;
        const char *reason;
        const char *words;
    } cases[] = {
        { RELEASE, FAKE_REFUSES, "approvals are missing", "mpcsign approve" },
        { RELEASE_8, FAKE_REFUSES, "approvals are missing", "mpcsign approve" },
        { RELEASE, FAKE_CLOSES, "sidecar not reachable", "closed" },
        { REF("bXBjOlJlbGVhc2U="), FAKE_OK, "malformed", "of the name" },
        { REF("bXBjOgBh"), FAKE_OK, "malformed", "has a NUL; write it again" },
        { REF("!"), FAKE_OK, "malformed", "not base64; write it again" },
        { "-----BEGIN MPC KEY REFERENCE-----\nbXBj\n", FAKE_OK, "malformed",
          "no END line; write it again" },
        /* an attribute, then a text that is no URI */
        { P8("MCACAQAwDAYKKwYBBAGB/VkBAQQLbXBjOnJlbGVhc2WgAA=="), FAKE_OK,
          "malformed", "more than one text" },
        { P8("MBQCAQAwDAYKKwYBBAGB/VkBAQQBeA=="), FAKE_OK, "malformed",
          "begin with mpc:" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_fake.key_mode = cases[i].mode;
        assert_null(read_key(rig_both, cases[i].pem));
        /* the host tries PKCS#8 in its old way too, and says that it can not */
        bool pkcs8 = strstr(cases[i].pem, "PRIVATE KEY") != NULL;
        unsigned long e = ERR_peek_last_error();
        if (pkcs8 && ERR_GET_LIB(e) == ERR_LIB_EVP)
            assert_host_follows(cases[i].pem, cases[i].words);
        else
            rig_assert_one_error(cases[i].pem, cases[i].reason, cases[i].words);
    }
}

static void what_is_not_ours_is_left_alone(void **state)
{
    (void)state;
    unsigned keys = rig_fake.keys;
    OWNED(EVP_PKEY) *soft = rig_software_key(rig_both, true);
    OWNED(BIO) *file = BIO_new(BIO_s_mem());
    assert_int_equal(
            PEM_write_bio_PrivateKey(file, soft, NULL, NULL, 0, NULL, NULL), 1);
    OWNED(EVP_PKEY) *back = PEM_read_bio_PrivateKey_ex(file, NULL, NULL, NULL,
                                                       rig_both, NULL);
    assert_non_null(back);
    assert_null(read_key(rig_both, ""));
    assert_null(read_key(rig_both, "-----BEGIN PRIVATE KEY-----\n"));
    assert_null(read_key(rig_both, P8("bXBjOnJlbGVhc2U=")));
    assert_null(read_key(rig_both, "-----BEGIN OTHER KEY REFERENCE-----\n"
                                   "bXBjOnJlbGVhc2U=\n"
                                   "-----END OTHER KEY REFERENCE-----\n"));
    ERR_clear_error();
    assert_int_equal(rig_fake.keys, keys);
}

/* Then libcrypto finds that form on the bridge: a key of no provider. */
static void the_bridge_form_is_declined_where_the_bridge_is_on(void **state)
{
    (void)state;
    OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST,
                                           "legacy-bridge = yes");
    EVP_PKEY *key = read_key(ctx, RELEASE_8);
    assert_non_null(key);
    assert_null(EVP_PKEY_get0_provider(key));
    EVP_PKEY_free(key);
    OWNED(EVP_PKEY) *ref = read_key(ctx, RELEASE);
    assert_non_null(ref);
    assert_non_null(EVP_PKEY_get0_provider(ref));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(servers_read_a_reference_as_their_key),
        RIG(a_reference_after_a_certificate_is_found),
        RIG(a_public_key_is_read_where_only_that_is_asked),
        RIG(a_failure_is_one_error_with_its_reason),
        RIG(what_is_not_ours_is_left_alone),
        RIG(the_bridge_form_is_declined_where_the_bridge_is_on),
    };
    return cmocka_run_group_tests(tests, rig_up, rig_down);
}

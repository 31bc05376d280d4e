/* SPDX-License-Identifier: Apache-2.0 */
/* mpc.so through the EVP interface, against a fake sidecar. */
#include "test.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "base/own.h"
#include "rig.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);
OWNED_BY(X509, X509_free);
OWNED_BY(OSSL_LIB_CTX, OSSL_LIB_CTX_free);

/* ---- signing ------------------------------------------------------------- */

static void one_shot_signs_and_asks_once(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    unsigned before = rig_fake.signs;
    uint8_t sig[64];
    size_t len = 0;
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, rig_both, NULL, key, NULL),
            1);
    assert_int_equal(
            EVP_DigestSign(md, NULL, &len, (const uint8_t *)"hello", 5), 1);
    assert_int_equal(len, 64);
    assert_int_equal(rig_fake.signs, before);
    assert_int_equal(EVP_DigestSign(md, sig, &len, (const uint8_t *)"hello", 5),
                     1);
    assert_int_equal(rig_fake.signs, before + 1);
    rig_assert_good(sig, "hello", 5);
}

static void a_short_buffer_asks_nobody(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    unsigned before = rig_fake.signs;
    uint8_t sig[64];
    size_t len = 63;
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, rig_both, NULL, key, NULL),
            1);
    assert_int_not_equal(
            EVP_DigestSign(md, sig, &len, (const uint8_t *)"hello", 5), 1);
    assert_int_equal(rig_fake.signs, before);
    rig_assert_one_error("63 bytes", "not possible with this key",
                         "signature buffer: 63 bytes, want 64");
}

static void messages_of_every_size_sign(void **state)
{
    static const size_t sizes[] = { 0, 1, 100 * 1000, 16u << 20 };
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    OWNED_MEM uint8_t *msg = calloc(1, (16u << 20) + 1);
    uint8_t sig[64];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(rig_sign(rig_both, key, msg, sizes[i], sig), 1);
        rig_assert_good(sig, msg, sizes[i]);
    }
    assert_int_equal(rig_sign(rig_both, key, NULL, 0, sig), 1);
    rig_assert_good(sig, msg, 0);
    unsigned before = rig_fake.signs;
    assert_int_equal(rig_sign(rig_both, key, msg, (16u << 20) + 1, sig), 0);
    assert_int_equal(rig_fake.signs, before);
    rig_assert_one_error("over", "too large",
                         "16777217 bytes, key release takes at most 16777216");
}

static void a_message_in_pieces_signs_the_same_bytes(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    unsigned before = rig_fake.signs;
    uint8_t sig[64];
    size_t len = 0;
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, rig_both, NULL, key, NULL),
            1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(EVP_DigestSignUpdate(md, &"hello"[i], 1), 1);
    assert_int_equal(EVP_DigestSignFinal(md, NULL, &len), 1);
    assert_int_equal(len, 64);
    assert_int_equal(rig_fake.signs, before);
    assert_int_equal(EVP_DigestSignFinal(md, sig, &len), 1);
    assert_int_equal(rig_fake.signs, before + 1);
    rig_assert_good(sig, "hello", 5);
}

static void an_empty_message_in_no_pieces_signs(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    uint8_t sig[64];
    size_t len = sizeof(sig);
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, rig_both, NULL, key, NULL),
            1);
    assert_int_equal(EVP_DigestSignFinal(md, sig, &len), 1);
    rig_assert_good(sig, "", 0);
}

static void pieces_over_the_limit_are_refused_at_that_piece(void **state)
{
    (void)state;
    rig_fake.max_message = 8;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, rig_both, NULL, key, NULL),
            1);
    assert_int_equal(EVP_DigestSignUpdate(md, "12345678", 8), 1);
    assert_int_equal(EVP_DigestSignUpdate(md, "9", 1), 0);
    rig_assert_one_error("ninth byte", "too large",
                         "message: 9 bytes, key release takes at most 8");
}

static void a_copied_context_goes_its_own_way(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    OWNED(EVP_MD_CTX) *a = EVP_MD_CTX_new();
    OWNED(EVP_MD_CTX) *b = EVP_MD_CTX_new();
    uint8_t sig[64];
    size_t len = sizeof(sig);
    assert_int_equal(
            EVP_DigestSignInit_ex(a, NULL, NULL, rig_both, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSignUpdate(a, "to ", 3), 1);
    assert_int_equal(EVP_MD_CTX_copy_ex(b, a), 1);
    assert_int_equal(EVP_DigestSignUpdate(a, "alice", 5), 1);
    assert_int_equal(EVP_DigestSignUpdate(b, "bob", 3), 1);
    assert_int_equal(EVP_DigestSignFinal(a, sig, &len), 1);
    rig_assert_good(sig, "to alice", 8);
    len = sizeof(sig);
    assert_int_equal(EVP_DigestSignFinal(b, sig, &len), 1);
    rig_assert_good(sig, "to bob", 6);
}

/* Names that the core itself can look up; "" and "UNDEF" it can not. */
static void digests_other_than_its_own_are_refused(void **state)
{
    static const char *const fine[] = { NULL,       "SHA512",
                                        "SHA2-512", "sha512",
                                        "SHA-512",  "2.16.840.1.101.3.4.2.3" };
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
        if (EVP_DigestSignInit_ex(md, NULL, fine[i], rig_both, NULL, key,
                                  NULL) != 1)
            fail_msg("digest %s refused", fine[i] ? fine[i] : "NULL");
    }
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    ERR_clear_error();
    assert_int_not_equal(EVP_DigestSignInit_ex(md, NULL, "SHA256", rig_both,
                                               NULL, key, NULL),
                         1);
    rig_assert_one_error("SHA256", "not possible with this key",
                         "digest SHA256");
}

static void other_modes_are_refused_not_ignored(void **state)
{
    (void)state;
    char prehash[] = "Ed25519ph", pure[] = "Ed25519";
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    OSSL_PARAM params[2] = {
        OSSL_PARAM_construct_utf8_string("instance", prehash, 0),
        OSSL_PARAM_construct_end(),
    };
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    assert_int_not_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, rig_both, NULL, key, params),
            1);
    rig_assert_first_error("Ed25519ph", "instance");
    params[0] = OSSL_PARAM_construct_utf8_string("instance", pure, 0);
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, rig_both, NULL, key, params),
            1);
    params[0] = OSSL_PARAM_construct_octet_string("context-string", pure, 3);
    assert_int_not_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, rig_both, NULL, key, params),
            1);
    rig_assert_first_error("context", "3 bytes");
}

static void signing_works_whichever_provider_came_first(void **state)
{
    static const char *const orders[] = { DEFAULT_FIRST, MPC_FIRST, MPC_ONLY };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        OWNED(OSSL_LIB_CTX) *ctx = rig_context(orders[i], "");
        OWNED(EVP_PKEY) *key = rig_need_key(ctx, "mpc:release");
        uint8_t sig[64];
        assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 1);
        rig_assert_good(sig, "hello", 5);
        EVP_SIGNATURE *s = EVP_SIGNATURE_fetch(ctx, "mpc-ed25519", NULL);
        assert_non_null(s);
        assert_string_equal(
                OSSL_PROVIDER_get0_name(EVP_SIGNATURE_get0_provider(s)), "mpc");
        EVP_SIGNATURE_free(s);
    }
}

/* ---- verification -------------------------------------------------------- */

static void our_keys_verify_with_and_without_the_default_provider(void **state)
{
    static const char *const orders[] = { DEFAULT_FIRST, MPC_FIRST, MPC_ONLY };
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        OWNED(OSSL_LIB_CTX) *ctx = rig_context(orders[i % 3], "");
        OWNED(EVP_PKEY) *key = rig_need_key(ctx, "mpc:release");
        uint8_t sig[64];
        assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 1);
        assert_int_equal(rig_verify(ctx, key, sig, 64, "hello", i >= 3), 1);
        assert_int_equal(ERR_peek_error(), 0);
        assert_int_not_equal(rig_verify(ctx, key, sig, 64, "hellO", i >= 3), 1);
        assert_int_not_equal(rig_verify(ctx, key, sig, 63, "hello", i >= 3), 1);
        sig[40] ^= 1;
        assert_int_not_equal(rig_verify(ctx, key, sig, 64, "hello", i >= 3), 1);
        ERR_clear_error();
    }
}

/* ---- keys ---------------------------------------------------------------- */

static void a_key_says_what_it_is(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    char name[80], digest[32];
    uint8_t pub[32];
    size_t len = sizeof(pub);
    assert_int_equal(EVP_PKEY_get_bits(key), 256);
    assert_int_equal(EVP_PKEY_get_security_bits(key), 128);
    assert_int_equal(EVP_PKEY_get_size(key), 64);
    assert_int_equal(EVP_PKEY_get_id(key), EVP_PKEY_ED25519);
    assert_int_equal(EVP_PKEY_is_a(key, "ED25519"), 1);
    assert_int_equal(EVP_PKEY_is_a(key, "mpc-ed25519"), 0);
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, pub, &len), 1);
    assert_memory_equal(pub, rig_fake.pk, 32);
    assert_int_equal(EVP_PKEY_get_octet_string_param(
                             key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, pub,
                             sizeof(pub), &len),
                     1);
    assert_memory_equal(pub, rig_fake.pk, 32);
    assert_int_equal(EVP_PKEY_get_utf8_string_param(key, "mpc-key-name", name,
                                                    sizeof(name), NULL),
                     1);
    assert_string_equal(name, "release");
    assert_int_equal(
            EVP_PKEY_get_default_digest_name(key, digest, sizeof(digest)),
            2); /* 2: mandatory */
    assert_true(strcmp(digest, "") == 0 || strcmp(digest, "UNDEF") == 0);
}

static void private_export_is_refused(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    uint8_t raw[32];
    size_t len = sizeof(raw);
    uint8_t *der = NULL;
    assert_int_not_equal(EVP_PKEY_get_raw_private_key(key, raw, &len), 1);
    rig_assert_one_error("raw", "not possible with this key",
                         "can not be exported");
    assert_true(i2d_PrivateKey(key, &der) <= 0);
    assert_null(der);
    assert_int_not_equal(ERR_peek_error(), 0);
    ERR_clear_error();
    OSSL_PARAM *params = NULL;
    assert_int_not_equal(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params), 1);
    rig_assert_one_error("todata", "not possible with this key", "mpc:release");
    assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params), 1);
    OSSL_PARAM_free(params);
}

static void keys_equal_software_keys_both_ways(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *ours = rig_need_key(rig_both, "mpc:release");
    OWNED(EVP_PKEY) *again = rig_need_key(rig_both, "mpc:release");
    OWNED(EVP_PKEY) *pub = rig_software_key(rig_both, false);
    OWNED(EVP_PKEY) *priv = rig_software_key(rig_both, true);
    OWNED(EVP_PKEY) *other = EVP_PKEY_Q_keygen(rig_both, NULL, "ED25519");
    assert_non_null(other);
    assert_int_equal(EVP_PKEY_eq(ours, again), 1);
    assert_int_equal(EVP_PKEY_eq(ours, pub), 1);
    assert_int_equal(EVP_PKEY_eq(pub, ours), 1);
    assert_int_equal(EVP_PKEY_eq(ours, priv), 1);
    assert_int_equal(EVP_PKEY_eq(priv, ours), 1);
    assert_int_not_equal(EVP_PKEY_eq(ours, other), 1);
    assert_int_not_equal(EVP_PKEY_eq(other, ours), 1);
}

static void a_duplicate_of_a_key_signs(void **state)
{
    (void)state;
    EVP_PKEY *key = rig_need_key(rig_both, "mpc:release");
    OWNED(EVP_PKEY) *copy = EVP_PKEY_dup(key);
    EVP_PKEY_free(key);
    assert_non_null(copy);
    uint8_t sig[64];
    assert_int_equal(rig_sign(rig_both, copy, "hello", 5, sig), 1);
    rig_assert_good(sig, "hello", 5);
}

static void a_certificate_matches_our_key(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    OWNED(X509) *x = rig_certificate(rig_both);
    assert_int_equal(X509_check_private_key(x, key), 1);
    OWNED(EVP_PKEY) *other = EVP_PKEY_Q_keygen(rig_both, NULL, "ED25519");
    OWNED(X509) *y = rig_certificate(rig_both);
    assert_int_equal(X509_set_pubkey(y, other), 1);
    assert_int_not_equal(X509_check_private_key(y, key), 1);
}

static void certificates_can_be_signed(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    OWNED(EVP_PKEY) *pub = rig_software_key(rig_both, false);
    OWNED(X509) *x = rig_certificate(rig_both);
    unsigned before = rig_fake.signs;
    assert_true(X509_sign(x, key, NULL) > 0);
    assert_int_equal(rig_fake.signs, before + 1);
    assert_int_equal(X509_verify(x, pub), 1);
    assert_int_equal(X509_verify(x, key), 1);
}

static void ordinary_keys_stay_with_the_default_provider(void **state)
{
    (void)state;
    unsigned before = rig_fake.signs;
    OWNED(EVP_PKEY) *key = EVP_PKEY_Q_keygen(rig_both, NULL, "ED25519");
    assert_non_null(key);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)),
                        "default");
    uint8_t sig[64];
    assert_int_equal(rig_sign(rig_both, key, "hello", 5, sig), 1);
    assert_int_equal(rig_verify(rig_both, key, sig, 64, "hello", false), 1);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(
            PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    OWNED(EVP_PKEY) *back = PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL,
                                                       rig_both, NULL);
    assert_non_null(back);
    assert_int_equal(EVP_PKEY_eq(key, back), 1);
    assert_int_equal(rig_sign(rig_both, back, "hello", 5, sig), 1);
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    OWNED(EVP_PKEY) *pub = PEM_read_bio_PUBKEY_ex(bio, NULL, NULL, NULL,
                                                  rig_both, NULL);
    assert_non_null(pub);
    assert_int_equal(rig_verify(rig_both, pub, sig, 64, "hello", false), 1);
    BIO_free(bio);
    assert_int_equal(rig_fake.signs, before);
}

static void with_mpc_first_software_keys_still_load(void **state)
{
    (void)state;
    OWNED(OSSL_LIB_CTX) *ctx = rig_context(MPC_FIRST, "");
    OWNED(EVP_PKEY) *key = EVP_PKEY_new_raw_private_key_ex(
            ctx, "ED25519", "provider=default", rig_fake.sk, 32);
    uint8_t sig[64];
    unsigned before = rig_fake.signs;
    assert_non_null(key);
    assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 1);
    rig_assert_good(sig, "hello", 5);
    assert_int_equal(rig_fake.signs, before);
    /* a public key may land with us: it must verify all the same */
    OWNED(EVP_PKEY) *pub = EVP_PKEY_new_raw_public_key_ex(ctx, "ED25519", NULL,
                                                          rig_fake.pk, 32);
    assert_non_null(pub);
    assert_int_equal(rig_verify(ctx, pub, sig, 64, "hello", false), 1);
    assert_int_equal(EVP_PKEY_eq(pub, key), 1);
    assert_int_equal(rig_sign(ctx, pub, "hello", 5, sig), 0);
    ERR_clear_error();
}

static void public_keys_encode_alone(void **state)
{
    (void)state;
    OWNED(OSSL_LIB_CTX) *ctx = rig_context(MPC_ONLY, "");
    OWNED(EVP_PKEY) *key = rig_need_key(ctx, "mpc:release");
    OWNED(EVP_PKEY) *stock = rig_software_key(rig_both, false);
    uint8_t *a = NULL, *b = NULL;
    int len = i2d_PUBKEY(key, &a);
    assert_int_equal(len, 44);
    assert_int_equal(i2d_PUBKEY(stock, &b), 44);
    assert_memory_equal(a, b, 44);
    OPENSSL_free(a);
    OPENSSL_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(one_shot_signs_and_asks_once),
        RIG(a_short_buffer_asks_nobody),
        RIG(messages_of_every_size_sign),
        RIG(a_message_in_pieces_signs_the_same_bytes),
        RIG(an_empty_message_in_no_pieces_signs),
        RIG(pieces_over_the_limit_are_refused_at_that_piece),
        RIG(a_copied_context_goes_its_own_way),
        RIG(digests_other_than_its_own_are_refused),
        RIG(other_modes_are_refused_not_ignored),
        RIG(signing_works_whichever_provider_came_first),
        RIG(our_keys_verify_with_and_without_the_default_provider),
        RIG(a_key_says_what_it_is),
        RIG(private_export_is_refused),
        RIG(keys_equal_software_keys_both_ways),
        RIG(a_duplicate_of_a_key_signs),
        RIG(a_certificate_matches_our_key),
        RIG(certificates_can_be_signed),
        RIG(ordinary_keys_stay_with_the_default_provider),
        RIG(with_mpc_first_software_keys_still_load),
        RIG(public_keys_encode_alone),
    };
    return cmocka_run_group_tests(tests, rig_up, rig_down);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that is not ours, in processes where mpc.so is at work: software
 * keys of every kind, and TLS with them, in either order of loading and with
 * every setting. And TLS with a key of ours.
 */
#include "test.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>

#include "base/own.h"
#include "rig.h"

OWNED_BY(BIO, BIO_free_all);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);
OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(OSSL_LIB_CTX, OSSL_LIB_CTX_free);
OWNED_BY(SSL, SSL_free);
OWNED_BY(SSL_CTX, SSL_CTX_free);
OWNED_BY(X509, X509_free);

#define REFERENCE                                                              \
    "-----BEGIN MPC KEY REFERENCE-----\nbXBjOnJlbGVhc2U=\n"                    \
    "-----END MPC KEY REFERENCE-----\n"

static const char *const orders[] = { DEFAULT_FIRST, MPC_FIRST };
static const char *const settings[] = {
    "", "decode-public-keys = yes",
    "decode-public-keys = yes\nlegacy-bridge = yes"
};
#define ORDERS   (sizeof(orders) / sizeof(orders[0]))
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static OSSL_LIB_CTX *stock;

static int up(void **state)
{
    rig_up(state);
    stock = rig_context("default = dflt", "");
    return 0;
}

static int down(void **state)
{
    OSSL_LIB_CTX_free(stock);
    return rig_down(state);
}

/* A context in which a key of ours has signed and verified already. */
static OSSL_LIB_CTX *used_context(const char *order, const char *extra)
{
    OSSL_LIB_CTX *ctx = rig_context(order, extra);
    OWNED(BIO) *in = BIO_new_mem_buf(REFERENCE, -1);
    OWNED(EVP_PKEY) *key = PEM_read_bio_PrivateKey_ex(in, NULL, NULL, NULL, ctx,
                                                      NULL);
    uint8_t sig[64];
    assert_non_null(key);
    assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 1);
    assert_int_equal(rig_verify(ctx, key, sig, 64, "hello", false), 1);
    return ctx;
}

/* ---- software keys ------------------------------------------------------- */

static void assert_signs(OSSL_LIB_CTX *ctx, EVP_PKEY *private, EVP_PKEY *public,
                         const char *digest)
{
    uint8_t sig[512];
    size_t len = sizeof(sig);
    OWNED(EVP_MD_CTX) *s = EVP_MD_CTX_new();
    OWNED(EVP_MD_CTX) *v = EVP_MD_CTX_new();
    assert_int_equal(
            EVP_DigestSignInit_ex(s, NULL, digest, ctx, NULL, private, NULL),
            1);
    assert_int_equal(EVP_DigestSign(s, sig, &len, (const uint8_t *)"m", 1), 1);
    assert_int_equal(
            EVP_DigestVerifyInit_ex(v, NULL, digest, ctx, NULL, public, NULL),
            1);
    assert_int_equal(EVP_DigestVerify(v, sig, len, (const uint8_t *)"m", 1), 1);
}

/* Out and in again, as files do: the private half stays the default's. */
static void assert_travels(OSSL_LIB_CTX *ctx, EVP_PKEY *key, const char *digest,
                           const EVP_CIPHER *cipher)
{
    OWNED(BIO) *file = BIO_new(BIO_s_mem());
    char pass[] = "pass";
    assert_int_equal(PEM_write_bio_PrivateKey(file, key, cipher, NULL, 0, NULL,
                                              cipher ? pass : NULL),
                     1);
    OWNED(EVP_PKEY) *back = PEM_read_bio_PrivateKey_ex(file, NULL, NULL, pass,
                                                       ctx, NULL);
    assert_non_null(back);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(back)),
                        "default");
    assert_int_equal(EVP_PKEY_eq(key, back), 1);
    assert_int_equal(PEM_write_bio_PUBKEY(file, key), 1);
    OWNED(EVP_PKEY) *public = PEM_read_bio_PUBKEY_ex(file, NULL, NULL, NULL,
                                                     ctx, NULL);
    assert_non_null(public);
    assert_int_equal(EVP_PKEY_eq(public, back), 1);
    assert_signs(ctx, back, public, digest);
}

static EVP_PKEY *made(OSSL_LIB_CTX *ctx, const char *type)
{
    if (strcmp(type, "RSA") == 0)
        return EVP_PKEY_Q_keygen(ctx, NULL, type, (size_t)2048);
    if (strcmp(type, "EC") == 0)
        return EVP_PKEY_Q_keygen(ctx, NULL, type, "P-256");
    return EVP_PKEY_Q_keygen(ctx, NULL, type);
}

static const struct {
    const char *type;
    const char *digest;
} kinds[] = {
    { "ED25519", NULL }, { "ED448", NULL },     { "EC", "SHA256" },
    { "RSA", "SHA256" }, { "RSA", "SHA2-512" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void software_keys_are_as_without_us(void **state)
{
    (void)state;
    for (size_t i = 0; i < ORDERS * SETTINGS; i++) {
        const char *order = orders[i % ORDERS];
        OWNED(OSSL_LIB_CTX) *ctx = used_context(order, settings[i / ORDERS]);
        unsigned before = rig_fake.signs;
        for (size_t j = 0; j < KINDS; j++) {
            OWNED(EVP_PKEY) *key = made(ctx, kinds[j].type);
            assert_non_null(key);
            assert_string_equal(
                    OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)),
                    "default");
            assert_signs(ctx, key, key, kinds[j].digest);
            assert_travels(ctx, key, kinds[j].digest, NULL);
            assert_travels(ctx, key, kinds[j].digest, EVP_aes_256_cbc());
        }
        OWNED(EVP_PKEY) *x = made(ctx, "X25519");
        assert_non_null(x);
        assert_int_equal(rig_fake.signs, before);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void look(EVP_KEYMGMT *keymgmt, void *arg)
{
    (void)keymgmt;
    (void)arg;
}

static void assert_makes_ed25519(OSSL_LIB_CTX *ctx)
{
    static const uint8_t seed[32] = { 1 };
    OWNED(EVP_PKEY) *new = made(ctx, "ED25519");
    OWNED(EVP_PKEY) *raw = EVP_PKEY_new_raw_private_key_ex(ctx, "ED25519", NULL,
                                                           seed, sizeof(seed));
    assert_non_null(new);
    assert_non_null(raw);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(new)),
                        "default");
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(raw)),
                        "default");
    assert_signs(ctx, new, new, NULL);
    assert_signs(ctx, raw, raw, NULL);
}

/*
 * Whichever was loaded first, and whatever the process did first: OpenSSL
 * takes for a plain ED25519 whom it found first, which must not be us.
 */
static void ed25519_keys_are_made_in_either_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < ORDERS * SETTINGS; i++) {
        const char *order = orders[i % ORDERS], *more = settings[i / ORDERS];
        OWNED(OSSL_LIB_CTX) *fresh = rig_context(order, more);
        OWNED(OSSL_LIB_CTX) *used = used_context(order, more);
        OWNED(OSSL_LIB_CTX) *listed = rig_context(order, more);
        EVP_KEYMGMT_do_all_provided(listed, look, NULL);
        assert_makes_ed25519(fresh);
        assert_makes_ed25519(used);
        assert_makes_ed25519(listed);
        /* and a key of ours still comes out of a file after it */
        OWNED(BIO) *in = BIO_new_mem_buf(REFERENCE, -1);
        OWNED(EVP_PKEY) *key = PEM_read_bio_PrivateKey_ex(in, NULL, NULL, NULL,
                                                          fresh, NULL);
        uint8_t sig[64];
        assert_non_null(key);
        assert_int_equal(rig_sign(fresh, key, "hello", 5, sig), 1);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

/* The first use of a context by many threads at once. */
static void *first_use(void *arg)
{
    OWNED(EVP_PKEY) *new = made(arg, "ED25519");
    OWNED(BIO) *in = BIO_new_mem_buf(REFERENCE, -1);
    OWNED(EVP_PKEY) *key = PEM_read_bio_PrivateKey_ex(in, NULL, NULL, NULL, arg,
                                                      NULL);
    ERR_clear_error();
    return new &&key ? arg : NULL;
}

static void threads_may_all_be_the_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < 20; i++) {
        pthread_t thread[8];
        OWNED(OSSL_LIB_CTX) *ctx = rig_context(orders[i % ORDERS], "");
        for (size_t k = 0; k < 8; k++)
            assert_int_equal(pthread_create(&thread[k], NULL, first_use, ctx),
                             0);
        for (size_t k = 0; k < 8; k++) {
            void *done;
            assert_int_equal(pthread_join(thread[k], &done), 0);
            assert_ptr_equal(done, ctx);
        }
    }
}

/* ---- TLS ----------------------------------------------------------------- */

static X509 *certificate(OSSL_LIB_CTX *ctx, EVP_PKEY *key, const char *digest)
{
    EVP_MD *md = digest ? EVP_MD_fetch(ctx, digest, NULL) : NULL;
    X509 *x = rig_named_certificate(ctx, "localhost");
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_true(X509_sign(x, key, md) > 0);
    EVP_MD_free(md);
    /* as it comes over the wire: the public key is decoded again */
    uint8_t *der = NULL;
    int len = i2d_X509(x, &der);
    const uint8_t *at = der;
    X509 *again = X509_new_ex(ctx, NULL);
    assert_non_null(d2i_X509(&again, &at, len));
    OPENSSL_free(der);
    X509_free(x);
    return again;
}

static SSL *end(SSL_CTX *ctx, BIO *wire, bool server)
{
    SSL *s = SSL_new(ctx);
    assert_non_null(s);
    SSL_set_bio(s, wire, wire);
    if (server)
        SSL_set_accept_state(s);
    else
        SSL_set_connect_state(s);
    return s;
}

static void assert_handshake(OSSL_LIB_CTX *ctx, EVP_PKEY *key, X509 *x,
                             int version)
{
    OWNED(SSL_CTX) *here = SSL_CTX_new_ex(ctx, NULL, TLS_method());
    OWNED(SSL_CTX) *there = SSL_CTX_new_ex(ctx, NULL, TLS_method());
    assert_int_equal(SSL_CTX_use_certificate(here, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(here, key), 1);
    assert_int_equal(SSL_CTX_check_private_key(here), 1);
    SSL_CTX_set_min_proto_version(here, version);
    SSL_CTX_set_max_proto_version(here, version);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(there), x);
    SSL_CTX_set_verify(there, SSL_VERIFY_PEER, NULL);
    BIO *a, *b;
    assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
    OWNED(SSL) *server = end(here, a, true);
    OWNED(SSL) *client = end(there, b, false);
    int done = 0;
    for (int i = 0; i < 20 && done != 2; i++)
        done = (SSL_do_handshake(client) == 1) +
               (SSL_do_handshake(server) == 1);
    if (done != 2) {
        ERR_print_errors_fp(stderr);
        fail_msg("no handshake");
    }
    assert_int_equal(SSL_version(client), version);
    assert_int_equal(SSL_get_verify_result(client), X509_V_OK);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void tls_with_software_keys_is_as_without_us(void **state)
{
    (void)state;
    for (size_t i = 0; i < ORDERS * SETTINGS; i++) {
        const char *order = orders[i % ORDERS];
        OWNED(OSSL_LIB_CTX) *ctx = used_context(order, settings[i / ORDERS]);
        unsigned before = rig_fake.signs;
        for (size_t j = 0; j < KINDS; j++) {
            OWNED(EVP_PKEY) *key = made(ctx, kinds[j].type);
            OWNED(X509) *x = certificate(ctx, key, kinds[j].digest);
            ERR_clear_error();
            for (size_t k = 0; k < 2; k++)
                assert_handshake(ctx, key, x, versions[k]);
        }
        assert_int_equal(rig_fake.signs, before);
    }
}

static void tls_with_a_key_of_ours_takes_one_signature(void **state)
{
    (void)state;
    for (size_t i = 0; i < ORDERS * SETTINGS; i++) {
        OWNED(OSSL_LIB_CTX) *ctx = used_context(orders[i % ORDERS],
                                                settings[i / ORDERS]);
        OWNED(EVP_PKEY) *key = rig_need_key(ctx, "mpc:release");
        OWNED(X509) *x = certificate(ctx, key, NULL);
        ERR_clear_error();
        for (size_t k = 0; k < 2; k++) {
            unsigned before = rig_fake.signs;
            assert_handshake(ctx, key, x, versions[k]);
            assert_int_equal(rig_fake.signs, before + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(software_keys_are_as_without_us),
        RIG(ed25519_keys_are_made_in_either_order),
        RIG(threads_may_all_be_the_first),
        RIG(tls_with_software_keys_is_as_without_us),
        RIG(tls_with_a_key_of_ours_takes_one_signature),
    };
    return cmocka_run_group_tests(tests, up, down);
}

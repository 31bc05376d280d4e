/* SPDX-License-Identifier: Apache-2.0 */
/* mpc.so through the EVP and STORE interfaces, against a fake sidecar. */
#include "test.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/own.h"
#include "base/sock.h"
#include "fake.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);
OWNED_BY(X509, X509_free);
OWNED_BY(OSSL_LIB_CTX, OSSL_LIB_CTX_free);

#define MODULES MPC_BUILD_DIR "/lib/ossl-modules"
#define HEX64   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct fake fake;
static OSSL_LIB_CTX *both; /* default first, then mpc */

/*
 * A library context of its own, configured by file as a host would.
 * providers: lines of the section; extra: lines of mpc's section.
 */
static OSSL_LIB_CTX *context(const char *providers, const char *extra)
{
    char conf[1024], path[160];
    int n = snprintf(conf, sizeof(conf),
                     "openssl_conf = init\n[init]\nproviders = provs\n[provs]\n"
                     "%s\n[dflt]\nactivate = 1\n[mpc]\nactivate = 1\n"
                     "module = " MODULES "/mpc.so\n%s\n",
                     providers, extra);
    assert_true(n > 0 && (size_t)n < sizeof(conf));
    fake_file(&fake, "ctx.cnf", conf, (size_t)n);
    snprintf(path, sizeof(path), "%s/ctx.cnf", fake.dir);
    OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
    assert_non_null(ctx);
    if (OSSL_LIB_CTX_load_config(ctx, path) != 1) {
        ERR_print_errors_fp(stderr);
        fail();
    }
    return ctx;
}

#define DEFAULT_FIRST "default = dflt\nmpc = mpc"
#define MPC_FIRST     "mpc = mpc\ndefault = dflt"
#define MPC_ONLY      "mpc = mpc"

static int up(void **state)
{
    (void)state;
    fake_start(&fake);
    setenv("MPC_SIDECAR", fake.path, 1);
    unsetenv("TEE_POLICY_HASH");
    unsetenv("MPC_SESSION");
    both = context(DEFAULT_FIRST, "");
    return 0;
}

static int down(void **state)
{
    (void)state;
    OSSL_LIB_CTX_free(both);
    fake_stop(&fake);
    return 0;
}

static int calm(void **state)
{
    (void)state;
    fake.key_mode = FAKE_OK;
    fake.sign_mode = FAKE_OK;
    fake.class = "artifact";
    fake.cert_len = 0;
    fake.max_message = 16u << 20;
    ERR_clear_error();
    return 0;
}

/* The first object of this kind, or NULL; expect 0 takes what comes. */
static OSSL_STORE_INFO *load(OSSL_LIB_CTX *ctx, const char *uri, int expect)
{
    OSSL_STORE_CTX *s = OSSL_STORE_open_ex(uri, ctx, NULL, NULL, NULL, NULL,
                                           NULL, NULL);
    if (!s)
        return NULL;
    if (expect)
        assert_int_equal(OSSL_STORE_expect(s, expect), 1);
    OSSL_STORE_INFO *info = NULL;
    while (!info && !OSSL_STORE_eof(s))
        info = OSSL_STORE_load(s);
    OSSL_STORE_close(s);
    return info;
}

static EVP_PKEY *key_at(OSSL_LIB_CTX *ctx, const char *uri)
{
    OSSL_STORE_INFO *info = load(ctx, uri, OSSL_STORE_INFO_PKEY);
    EVP_PKEY *key = info ? OSSL_STORE_INFO_get1_PKEY(info) : NULL;
    OSSL_STORE_INFO_free(info);
    return key;
}

static EVP_PKEY *need_key(OSSL_LIB_CTX *ctx, const char *uri)
{
    EVP_PKEY *key = key_at(ctx, uri);
    if (!key) {
        ERR_print_errors_fp(stderr);
        fail_msg("%s does not load", uri);
    }
    return key;
}

static int sign_with(OSSL_LIB_CTX *ctx, EVP_PKEY *key, const void *msg,
                     size_t len, uint8_t sig[64])
{
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    size_t sig_len = 64;
    return EVP_DigestSignInit_ex(md, NULL, NULL, ctx, NULL, key, NULL) == 1 &&
           EVP_DigestSign(md, sig, &sig_len, msg, len) == 1 && sig_len == 64;
}

static void assert_good(const uint8_t sig[64], const void *msg, size_t len)
{
    assert_int_equal(crypto_sign_verify_detached(sig, msg, len, fake.pk), 0);
}

/*
 * The queue holds exactly one error, ours, with this reason and these words;
 * empties it. Every one of ours ends with what to do.
 */
static void assert_one_error(const char *why, const char *reason,
                             const char *words)
{
    const char *data;
    int flags;
    unsigned long e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
    const char *got = e ? ERR_reason_error_string(e) : NULL;
    const char *lib = e ? ERR_lib_error_string(e) : NULL;
    if (!got || !lib || strcmp(lib, "mpc") != 0 || strcmp(got, reason) != 0 ||
        !strstr(data, words) || strchr(data, '\n'))
        fail_msg("%s: want %s with \"%s\", got %s:%s:%s", why, reason, words,
                 lib ? lib : "?", got ? got : "nothing", e ? data : "");
    unsigned long more = ERR_get_error();
    if (more)
        fail_msg("%s: a second error: %s", why, ERR_error_string(more, NULL));
}

/*
 * The first error is ours as above. The core adds one of its own when an
 * init without digest fails ("no default digest"), whatever the reason.
 */
static void assert_first_error(const char *why, const char *words)
{
    const char *data;
    unsigned long e = ERR_get_error_all(NULL, NULL, NULL, &data, NULL);
    if (!e || strcmp(ERR_lib_error_string(e), "mpc") != 0 ||
        !strstr(data, words))
        fail_msg("%s: want \"%s\", got %s", why, words, e ? data : "nothing");
    while ((e = ERR_get_error()))
        assert_string_equal(ERR_reason_error_string(e), "no default digest");
}

/* ---- signing ----------------------------------------------------------------- */

static void one_shot_signs_and_asks_once(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    unsigned before = fake.signs;
    uint8_t sig[64];
    size_t len = 0;
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, both, NULL, key, NULL), 1);
    assert_int_equal(
            EVP_DigestSign(md, NULL, &len, (const uint8_t *)"hello", 5), 1);
    assert_int_equal(len, 64);
    assert_int_equal(fake.signs, before);
    assert_int_equal(EVP_DigestSign(md, sig, &len, (const uint8_t *)"hello", 5),
                     1);
    assert_int_equal(fake.signs, before + 1);
    assert_good(sig, "hello", 5);
}

static void a_short_buffer_asks_nobody(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    unsigned before = fake.signs;
    uint8_t sig[64];
    size_t len = 63;
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, both, NULL, key, NULL), 1);
    assert_int_not_equal(
            EVP_DigestSign(md, sig, &len, (const uint8_t *)"hello", 5), 1);
    assert_int_equal(fake.signs, before);
    assert_one_error("63 bytes", "not possible with this key",
                     "signature buffer: 63 bytes, want 64");
}

static void messages_of_every_size_sign(void **state)
{
    static const size_t sizes[] = { 0, 1, 100 * 1000, 16u << 20 };
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    OWNED_MEM uint8_t *msg = calloc(1, (16u << 20) + 1);
    uint8_t sig[64];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(sign_with(both, key, msg, sizes[i], sig), 1);
        assert_good(sig, msg, sizes[i]);
    }
    assert_int_equal(sign_with(both, key, NULL, 0, sig), 1);
    assert_good(sig, msg, 0);
    unsigned before = fake.signs;
    assert_int_equal(sign_with(both, key, msg, (16u << 20) + 1, sig), 0);
    assert_int_equal(fake.signs, before);
    assert_one_error("over", "too large",
                     "16777217 bytes, key release takes at most 16777216");
}

static void a_message_in_pieces_signs_the_same_bytes(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    unsigned before = fake.signs;
    uint8_t sig[64];
    size_t len = 0;
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, both, NULL, key, NULL), 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(EVP_DigestSignUpdate(md, "hello" + i, 1), 1);
    assert_int_equal(EVP_DigestSignFinal(md, NULL, &len), 1);
    assert_int_equal(len, 64);
    assert_int_equal(fake.signs, before);
    assert_int_equal(EVP_DigestSignFinal(md, sig, &len), 1);
    assert_int_equal(fake.signs, before + 1);
    assert_good(sig, "hello", 5);
}

static void an_empty_message_in_no_pieces_signs(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    uint8_t sig[64];
    size_t len = sizeof(sig);
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, both, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSignFinal(md, sig, &len), 1);
    assert_good(sig, "", 0);
}

static void pieces_over_the_limit_are_refused_at_that_piece(void **state)
{
    (void)state;
    fake.max_message = 8;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, both, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSignUpdate(md, "12345678", 8), 1);
    assert_int_equal(EVP_DigestSignUpdate(md, "9", 1), 0);
    assert_one_error("ninth byte", "too large",
                     "message: 9 bytes, key release takes at most 8");
}

static void a_copied_context_goes_its_own_way(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    OWNED(EVP_MD_CTX) *a = EVP_MD_CTX_new();
    OWNED(EVP_MD_CTX) *b = EVP_MD_CTX_new();
    uint8_t sig[64];
    size_t len = sizeof(sig);
    assert_int_equal(
            EVP_DigestSignInit_ex(a, NULL, NULL, both, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSignUpdate(a, "to ", 3), 1);
    assert_int_equal(EVP_MD_CTX_copy_ex(b, a), 1);
    assert_int_equal(EVP_DigestSignUpdate(a, "alice", 5), 1);
    assert_int_equal(EVP_DigestSignUpdate(b, "bob", 3), 1);
    assert_int_equal(EVP_DigestSignFinal(a, sig, &len), 1);
    assert_good(sig, "to alice", 8);
    len = sizeof(sig);
    assert_int_equal(EVP_DigestSignFinal(b, sig, &len), 1);
    assert_good(sig, "to bob", 6);
}

/* Names that the core itself can look up; "" and "UNDEF" it can not. */
static void digests_other_than_its_own_are_refused(void **state)
{
    static const char *const fine[] = { NULL,       "SHA512",
                                        "SHA2-512", "sha512",
                                        "SHA-512",  "2.16.840.1.101.3.4.2.3" };
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
        if (EVP_DigestSignInit_ex(md, NULL, fine[i], both, NULL, key, NULL) !=
            1)
            fail_msg("digest %s refused", fine[i] ? fine[i] : "NULL");
    }
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    ERR_clear_error();
    assert_int_not_equal(
            EVP_DigestSignInit_ex(md, NULL, "SHA256", both, NULL, key, NULL),
            1);
    assert_one_error("SHA256", "not possible with this key", "digest SHA256");
}

static void other_modes_are_refused_not_ignored(void **state)
{
    (void)state;
    char prehash[] = "Ed25519ph", pure[] = "Ed25519";
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    OSSL_PARAM params[2] = {
        OSSL_PARAM_construct_utf8_string("instance", prehash, 0),
        OSSL_PARAM_construct_end(),
    };
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    assert_int_not_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, both, NULL, key, params), 1);
    assert_first_error("Ed25519ph", "instance");
    params[0] = OSSL_PARAM_construct_utf8_string("instance", pure, 0);
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, both, NULL, key, params), 1);
    params[0] = OSSL_PARAM_construct_octet_string("context-string", pure, 3);
    assert_int_not_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, both, NULL, key, params), 1);
    assert_first_error("context", "3 bytes");
}

static void signing_works_whichever_provider_came_first(void **state)
{
    static const char *const orders[] = { DEFAULT_FIRST, MPC_FIRST, MPC_ONLY };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        OWNED(OSSL_LIB_CTX) *ctx = context(orders[i], "");
        OWNED(EVP_PKEY) *key = need_key(ctx, "mpc:release");
        uint8_t sig[64];
        assert_int_equal(sign_with(ctx, key, "hello", 5, sig), 1);
        assert_good(sig, "hello", 5);
        EVP_SIGNATURE *s = EVP_SIGNATURE_fetch(ctx, "mpc-ed25519", NULL);
        assert_non_null(s);
        assert_string_equal(
                OSSL_PROVIDER_get0_name(EVP_SIGNATURE_get0_provider(s)), "mpc");
        EVP_SIGNATURE_free(s);
    }
}

/* ---- verification -------------------------------------------------------------- */

static int verify_with(OSSL_LIB_CTX *ctx, EVP_PKEY *key, const uint8_t *sig,
                       size_t sig_len, const char *msg, bool pieces)
{
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    if (EVP_DigestVerifyInit_ex(md, NULL, NULL, ctx, NULL, key, NULL) != 1)
        return -1;
    if (!pieces)
        return EVP_DigestVerify(md, sig, sig_len, (const uint8_t *)msg,
                                strlen(msg));
    if (EVP_DigestVerifyUpdate(md, msg, strlen(msg)) != 1)
        return -1;
    return EVP_DigestVerifyFinal(md, sig, sig_len);
}

static void our_keys_verify_with_and_without_the_default_provider(void **state)
{
    static const char *const orders[] = { DEFAULT_FIRST, MPC_FIRST, MPC_ONLY };
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        OWNED(OSSL_LIB_CTX) *ctx = context(orders[i % 3], "");
        OWNED(EVP_PKEY) *key = need_key(ctx, "mpc:release");
        uint8_t sig[64];
        assert_int_equal(sign_with(ctx, key, "hello", 5, sig), 1);
        assert_int_equal(verify_with(ctx, key, sig, 64, "hello", i >= 3), 1);
        assert_int_equal(ERR_peek_error(), 0);
        assert_int_not_equal(verify_with(ctx, key, sig, 64, "hellO", i >= 3),
                             1);
        assert_int_not_equal(verify_with(ctx, key, sig, 63, "hello", i >= 3),
                             1);
        sig[40] ^= 1;
        assert_int_not_equal(verify_with(ctx, key, sig, 64, "hello", i >= 3),
                             1);
        ERR_clear_error();
    }
}

/* ---- keys ------------------------------------------------------------------------- */

static EVP_PKEY *software_key(OSSL_LIB_CTX *ctx, bool private)
{
    return private ? EVP_PKEY_new_raw_private_key_ex(
                             ctx, "ED25519", "provider=default", fake.sk, 32)
                   : EVP_PKEY_new_raw_public_key_ex(
                             ctx, "ED25519", "provider=default", fake.pk, 32);
}

static void a_key_says_what_it_is(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
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
    assert_memory_equal(pub, fake.pk, 32);
    assert_int_equal(EVP_PKEY_get_octet_string_param(
                             key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, pub,
                             sizeof(pub), &len),
                     1);
    assert_memory_equal(pub, fake.pk, 32);
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
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    uint8_t raw[32];
    size_t len = sizeof(raw);
    uint8_t *der = NULL;
    assert_int_not_equal(EVP_PKEY_get_raw_private_key(key, raw, &len), 1);
    assert_one_error("raw", "not possible with this key",
                     "can not be exported");
    assert_true(i2d_PrivateKey(key, &der) <= 0);
    assert_null(der);
    assert_int_not_equal(ERR_peek_error(), 0);
    ERR_clear_error();
    OSSL_PARAM *params = NULL;
    assert_int_not_equal(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params), 1);
    assert_one_error("todata", "not possible with this key", "mpc:release");
    assert_int_equal(EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params), 1);
    OSSL_PARAM_free(params);
}

static void keys_equal_software_keys_both_ways(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *ours = need_key(both, "mpc:release");
    OWNED(EVP_PKEY) *again = need_key(both, "mpc:release");
    OWNED(EVP_PKEY) *pub = software_key(both, false);
    OWNED(EVP_PKEY) *priv = software_key(both, true);
    OWNED(EVP_PKEY) *other = EVP_PKEY_Q_keygen(both, NULL, "ED25519");
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
    EVP_PKEY *key = need_key(both, "mpc:release");
    OWNED(EVP_PKEY) *copy = EVP_PKEY_dup(key);
    EVP_PKEY_free(key);
    assert_non_null(copy);
    uint8_t sig[64];
    assert_int_equal(sign_with(both, copy, "hello", 5, sig), 1);
    assert_good(sig, "hello", 5);
}

/* Self-signed by the software half of the fake's key. */
static X509 *certificate(OSSL_LIB_CTX *ctx)
{
    OWNED(EVP_PKEY) *key = software_key(ctx, true);
    X509 *x = X509_new_ex(ctx, NULL);
    assert_non_null(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const uint8_t *)"release", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_true(X509_sign(x, key, NULL) > 0);
    return x;
}

static void a_certificate_matches_our_key(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    OWNED(X509) *x = certificate(both);
    assert_int_equal(X509_check_private_key(x, key), 1);
    OWNED(EVP_PKEY) *other = EVP_PKEY_Q_keygen(both, NULL, "ED25519");
    OWNED(X509) *y = certificate(both);
    assert_int_equal(X509_set_pubkey(y, other), 1);
    assert_int_not_equal(X509_check_private_key(y, key), 1);
}

static void certificates_can_be_signed(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    OWNED(EVP_PKEY) *pub = software_key(both, false);
    OWNED(X509) *x = certificate(both);
    unsigned before = fake.signs;
    assert_true(X509_sign(x, key, NULL) > 0);
    assert_int_equal(fake.signs, before + 1);
    assert_int_equal(X509_verify(x, pub), 1);
    assert_int_equal(X509_verify(x, key), 1);
}

static void ordinary_keys_stay_with_the_default_provider(void **state)
{
    (void)state;
    unsigned before = fake.signs;
    OWNED(EVP_PKEY) *key = EVP_PKEY_Q_keygen(both, NULL, "ED25519");
    assert_non_null(key);
    assert_string_equal(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)),
                        "default");
    uint8_t sig[64];
    assert_int_equal(sign_with(both, key, "hello", 5, sig), 1);
    assert_int_equal(verify_with(both, key, sig, 64, "hello", false), 1);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(
            PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    OWNED(EVP_PKEY) *back = PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL,
                                                       both, NULL);
    assert_non_null(back);
    assert_int_equal(EVP_PKEY_eq(key, back), 1);
    assert_int_equal(sign_with(both, back, "hello", 5, sig), 1);
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    OWNED(EVP_PKEY) *pub = PEM_read_bio_PUBKEY_ex(bio, NULL, NULL, NULL, both,
                                                  NULL);
    assert_non_null(pub);
    assert_int_equal(verify_with(both, pub, sig, 64, "hello", false), 1);
    BIO_free(bio);
    assert_int_equal(fake.signs, before);
}

static void with_mpc_first_software_keys_still_load(void **state)
{
    (void)state;
    OWNED(OSSL_LIB_CTX) *ctx = context(MPC_FIRST, "");
    OWNED(EVP_PKEY) *key = EVP_PKEY_new_raw_private_key_ex(
            ctx, "ED25519", "provider=default", fake.sk, 32);
    uint8_t sig[64];
    unsigned before = fake.signs;
    assert_non_null(key);
    assert_int_equal(sign_with(ctx, key, "hello", 5, sig), 1);
    assert_good(sig, "hello", 5);
    assert_int_equal(fake.signs, before);
    /* a public key may land with us: it must verify all the same */
    OWNED(EVP_PKEY) *pub = EVP_PKEY_new_raw_public_key_ex(ctx, "ED25519", NULL,
                                                          fake.pk, 32);
    assert_non_null(pub);
    assert_int_equal(verify_with(ctx, pub, sig, 64, "hello", false), 1);
    assert_int_equal(EVP_PKEY_eq(pub, key), 1);
    assert_int_equal(sign_with(ctx, pub, "hello", 5, sig), 0);
    ERR_clear_error();
}

static void public_keys_encode_alone(void **state)
{
    (void)state;
    OWNED(OSSL_LIB_CTX) *ctx = context(MPC_ONLY, "");
    OWNED(EVP_PKEY) *key = need_key(ctx, "mpc:release");
    OWNED(EVP_PKEY) *stock = software_key(both, false);
    uint8_t *a = NULL, *b = NULL;
    int len = i2d_PUBKEY(key, &a);
    assert_int_equal(len, 44);
    assert_int_equal(i2d_PUBKEY(stock, &b), 44);
    assert_memory_equal(a, b, 44);
    OPENSSL_free(a);
    OPENSSL_free(b);
}

/* ---- STORE --------------------------------------------------------------------------- */

static void the_uri_and_its_session_reach_the_sidecar(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release?session=" HEX64);
    uint8_t sig[64];
    assert_string_equal(fake.target, "/v1/key/release?session=" HEX64);
    assert_int_equal(sign_with(both, key, "hello", 5, sig), 1);
    assert_string_equal(fake.session, HEX64);
    OWNED(EVP_PKEY) *plain = need_key(both, "mpc:release");
    assert_string_equal(fake.target, "/v1/key/release");
    assert_int_equal(sign_with(both, plain, "hello", 5, sig), 1);
    assert_string_equal(fake.session, "");
}

static void expectation_decides_what_comes(void **state)
{
    (void)state;
    OWNED(X509) *x = certificate(both);
    uint8_t *der = NULL;
    int len = i2d_X509(x, &der);
    assert_true(len > 0 && (size_t)len <= sizeof(fake.cert));
    memcpy(fake.cert, der, (size_t)len);
    fake.cert_len = (size_t)len;
    OPENSSL_free(der);

    unsigned certs = fake.certs;
    OSSL_STORE_INFO *info = load(both, "mpc:release", OSSL_STORE_INFO_PUBKEY);
    assert_non_null(info);
    OWNED(EVP_PKEY) *pub = OSSL_STORE_INFO_get1_PUBKEY(info);
    OSSL_STORE_INFO_free(info);
    assert_non_null(pub);
    uint8_t sig[64];
    assert_int_equal(sign_with(both, pub, "hello", 5, sig), 0);
    ERR_clear_error();
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    assert_int_equal(fake.certs, certs);

    info = load(both, "mpc:release", OSSL_STORE_INFO_CERT);
    assert_non_null(info);
    assert_int_equal(X509_cmp(OSSL_STORE_INFO_get0_CERT(info), x), 0);
    OSSL_STORE_INFO_free(info);
    assert_int_equal(fake.certs, certs + 1);

    assert_null(load(both, "mpc:release", OSSL_STORE_INFO_CRL));
    ERR_clear_error();
}

static unsigned kinds(const char *uri, int seen[4])
{
    OSSL_STORE_CTX *s = OSSL_STORE_open_ex(uri, both, NULL, NULL, NULL, NULL,
                                           NULL, NULL);
    unsigned n = 0;
    assert_non_null(s);
    while (!OSSL_STORE_eof(s)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(s);
        if (info && n < 4)
            seen[n++] = OSSL_STORE_INFO_get_type(info);
        OSSL_STORE_INFO_free(info);
    }
    assert_int_equal(OSSL_STORE_error(s), 0);
    OSSL_STORE_close(s);
    return n;
}

static void without_expectation_the_key_then_its_certificates_come(void **state)
{
    (void)state;
    int seen[4];
    OWNED(X509) *x = certificate(both);
    uint8_t *to = fake.cert;
    fake.cert_len = (size_t)i2d_X509(x, &to);
    assert_int_equal(kinds("mpc:release", seen), 2);
    assert_int_equal(seen[0], OSSL_STORE_INFO_PKEY);
    assert_int_equal(seen[1], OSSL_STORE_INFO_CERT);
    fake.cert_len = 0; /* none: the key alone, and no error */
    assert_int_equal(kinds("mpc:release", seen), 1);
    assert_int_equal(ERR_peek_error(), 0);
}

static void only_artifact_keys_have_certificates(void **state)
{
    (void)state;
    int seen[4];
    unsigned certs = fake.certs;
    fake.class = "issuer";
    assert_int_equal(kinds("mpc:ca", seen), 1);
    assert_null(load(both, "mpc:ca", OSSL_STORE_INFO_CERT));
    assert_one_error("issuer", "not found", "key ca is no artifact key");
    assert_int_equal(fake.certs, certs);
}

/* ---- failures ------------------------------------------------------------------------- */

/* While held, stderr goes to a file; afterwards that file must be empty. */
static int quiet_begin(void)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/stderr", fake.dir);
    fflush(stderr);
    int saved = dup(2);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(saved >= 0 && fd >= 0);
    assert_int_equal(dup2(fd, 2), 2);
    close(fd);
    return saved;
}

static void quiet_end(int saved)
{
    struct stat st;
    fflush(stderr);
    assert_int_equal(fstat(2, &st), 0);
    dup2(saved, 2);
    close(saved);
    assert_int_equal(st.st_size, 0);
}

static void a_bad_answer_to_a_signature_is_one_error(void **state)
{
    static const struct {
        enum fake_mode mode;
        const char *reason;
        const char *words;
    } cases[] = {
        { FAKE_REFUSES, "approvals are missing",
          "bob has not approved; mpcsign approve" },
        { FAKE_REFUSES_RAW, "signing quorum not reached",
          "one of two node2  is away; see" },
        { FAKE_PLAIN_500, "malformed", "HTTP status 500" },
        { FAKE_GARBAGE, "malformed", "no HTTP/1.1 status line; see" },
        { FAKE_CHUNKED, "malformed", "Transfer-Encoding" },
        { FAKE_BAD_JSON, "malformed", "sidecar's signature: " },
        { FAKE_HUGE, "too large", "1099511627776 bytes" },
        { FAKE_SHORT, "sidecar not reachable", "closed" },
        { FAKE_CLOSES, "sidecar not reachable", "closed" },
        { FAKE_WRONG_SIGNATURE, "signature does not verify",
          "with key release; nothing was returned" },
        { FAKE_OTHER_KEY, "signature does not verify", "another key" },
        { FAKE_EARLY, "too large", "body over its limit; send less" },
    };
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    OWNED_MEM uint8_t *msg = calloc(1, 1 << 20);
    static const uint8_t untouched[64];
    int saved = quiet_begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t sig[64] = { 0 };
        unsigned before = fake.signs;
        fake.sign_mode = cases[i].mode;
        assert_int_equal(sign_with(both, key, msg, 1 << 20, sig), 0);
        assert_memory_equal(sig, untouched, 64);
        assert_int_equal(fake.signs, before + 1);
        assert_one_error("sign", cases[i].reason, cases[i].words);
    }
    quiet_end(saved);
}

static void a_bad_answer_about_a_key_is_one_error(void **state)
{
    static const struct {
        enum fake_mode mode;
        const char *reason;
        const char *words;
    } cases[] = {
        { FAKE_REFUSES, "approvals are missing", "mpcsign approve" },
        { FAKE_PLAIN_500, "malformed", "HTTP status 500" },
        { FAKE_GARBAGE, "malformed", "no HTTP/1.1 status line" },
        { FAKE_BAD_JSON, "malformed", "sidecar's key: " },
        { FAKE_HUGE, "too large", "at most" },
        { FAKE_CLOSES, "sidecar not reachable", "closed" },
        { FAKE_OTHER_NAME, "malformed", "names another key" },
        { FAKE_NOT_MADE, "not possible now", "mpcsign key create release" },
    };
    (void)state;
    int saved = quiet_begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake.key_mode = cases[i].mode;
        assert_null(key_at(both, "mpc:release"));
        assert_one_error("key", cases[i].reason, cases[i].words);
        assert_null(load(both, "mpc:release", OSSL_STORE_INFO_CERT));
        assert_one_error("certificate", cases[i].reason, cases[i].words);
    }
    quiet_end(saved);
}

static void a_bad_uri_is_one_error(void **state)
{
    (void)state;
    assert_null(key_at(both, "mpc:Release"));
    assert_one_error("upper case", "malformed", "a key is mpc:NAME");
    assert_null(key_at(both, "mpc:release?slot=raw"));
    assert_one_error("parameter", "malformed", "unknown parameter");
    OWNED_MEM char *endless = malloc(100000);
    memset(endless, 'a', 99999);
    memcpy(endless, "mpc:", 4);
    endless[99999] = '\0';
    assert_null(key_at(both, endless));
    assert_one_error("endless", "too large", "key URI");
}

static void an_absent_sidecar_is_one_error_with_a_remedy(void **state)
{
    (void)state;
    unsetenv("MPC_SIDECAR");
    OWNED(OSSL_LIB_CTX) *ctx = context(DEFAULT_FIRST,
                                       "sidecar = unix:/nonexistent/s.sock");
    setenv("MPC_SIDECAR", fake.path, 1);
    int saved = quiet_begin();
    assert_null(key_at(ctx, "mpc:release"));
    assert_one_error("absent", "sidecar not reachable",
                     "sidecar /nonexistent/s.sock: No such file or directory; "
                     "start it");
    quiet_end(saved);
}

static void a_silent_sidecar_meets_the_deadline(void **state)
{
    (void)state;
    OWNED(OSSL_LIB_CTX) *ctx = context(DEFAULT_FIRST, "timeout = 1");
    OWNED(EVP_PKEY) *key = need_key(ctx, "mpc:release");
    uint8_t sig[64];
    int saved = quiet_begin();
    fake.sign_mode = FAKE_SILENT;
    assert_int_equal(sign_with(ctx, key, "hello", 5, sig), 0);
    assert_one_error("silent", "no answer in time", "no answer in 1 s; see");
    fake.sign_mode = FAKE_DRIPS; /* never idle, never done */
    assert_int_equal(sign_with(ctx, key, "hello", 5, sig), 0);
    assert_one_error("drips", "no answer in time", "no answer in 1 s; see");
    quiet_end(saved);
}

/* A stopped sidecar whose backlog is full keeps even connect() waiting. */
static void a_full_backlog_meets_the_deadline(void **state)
{
    (void)state;
    char path[120], extra[200];
    int fd, waiting[16];
    size_t n = 0;
    snprintf(path, sizeof(path), "%s/full.sock", fake.dir);
    snprintf(extra, sizeof(extra), "timeout = 1\nsidecar = %s", path);
    assert_ok(sock_unix_listen(&fd, path, 0600));
    assert_int_equal(listen(fd, 0), 0);
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    memcpy(sa.sun_path, path, strlen(path));
    bool full = false;
    while (!full && n < 16) {
        waiting[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        full = connect(waiting[n++], (struct sockaddr *)&sa, sizeof(sa)) != 0;
    }
    assert_true(full);
    unsetenv("MPC_SIDECAR");
    OWNED(OSSL_LIB_CTX) *ctx = context(DEFAULT_FIRST, extra);
    setenv("MPC_SIDECAR", fake.path, 1);
    assert_null(key_at(ctx, "mpc:release"));
    assert_one_error("full", "no answer in time", "overloaded");
    while (n > 0)
        close(waiting[--n]);
    close(fd);
}

static void wrong_settings_are_told_when_used_and_break_nothing(void **state)
{
    static const struct {
        const char *env;
        const char *extra;
        const char *reason;
        const char *words;
    } cases[] = {
        { NULL, "timeout = soon", "malformed", "timeout:" },
        { NULL, "timeout = 0", "malformed", "1..3600" },
        { "", "", "TEE_POLICY_HASH does not match", "0 bytes" },
        { "ab\r\nX: y", "", "TEE_POLICY_HASH does not match", "hex" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].env)
            setenv("TEE_POLICY_HASH", cases[i].env, 1);
        OWNED(OSSL_LIB_CTX) *ctx = context(DEFAULT_FIRST, cases[i].extra);
        unsetenv("TEE_POLICY_HASH");
        OWNED(EVP_PKEY) *soft = EVP_PKEY_Q_keygen(ctx, NULL, "ED25519");
        assert_non_null(soft);
        assert_null(key_at(ctx, "mpc:release"));
        assert_one_error(cases[i].extra, cases[i].reason, cases[i].words);
    }
}

static void the_wanted_policy_is_sent(void **state)
{
    (void)state;
    setenv("TEE_POLICY_HASH", HEX64, 1);
    OWNED(OSSL_LIB_CTX) *ctx = context(DEFAULT_FIRST, "");
    unsetenv("TEE_POLICY_HASH");
    OWNED(EVP_PKEY) *key = need_key(ctx, "mpc:release");
    assert_string_equal(fake.want, HEX64);
    OWNED(EVP_PKEY) *other = need_key(both, "mpc:release");
    assert_string_equal(fake.want, "");
}

/* ---- threads, forks, unloading ------------------------------------------------------------ */

#define THREADS 8
#define ROUNDS  200

struct work {
    EVP_PKEY *key;
    uint32_t id;
    unsigned rounds;
    unsigned good;
};

static void *many(void *arg)
{
    struct work *w = arg;
    for (uint32_t i = 0; i < w->rounds; i++) {
        uint32_t msg[2] = { w->id, i };
        uint8_t sig[64];
        if (sign_with(both, w->key, msg, sizeof(msg), sig) &&
            crypto_sign_verify_detached(sig, (uint8_t *)msg, sizeof(msg),
                                        fake.pk) == 0)
            w->good++;
    }
    return NULL;
}

#define CHILDREN     4
#define CHILD_ROUNDS 50

/* Children that begin when the other end of their pipe is closed. */
static void fork_children(pid_t children[CHILDREN], int gate[2], EVP_PKEY *key)
{
    assert_int_equal(pipe(gate), 0);
    fake_idle(&fake);
    for (uint32_t i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] > 0)
            continue;
        char nothing;
        close(gate[1]);
        if (read(gate[0], &nothing, 1) != 0)
            _exit(2);
        struct work own = { key, 100 + i, CHILD_ROUNDS, 0 };
        many(&own);
        _exit(own.good == own.rounds ? 0 : 1);
    }
    close(gate[0]);
}

static void threads_and_forked_children_sign_at_once(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    struct work w[THREADS];
    pthread_t threads[THREADS];
    pid_t children[CHILDREN];
    int gate[2];
    unsigned before = fake.signs;
    fork_children(children, gate, key);
    close(gate[1]);
    for (uint32_t i = 0; i < THREADS; i++) {
        w[i] = (struct work){ key, i, ROUNDS, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, many, &w[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(w[i].good, ROUNDS);
    }
    for (size_t i = 0; i < CHILDREN; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(fake.signs,
                     before + THREADS * ROUNDS + CHILDREN * CHILD_ROUNDS);
}

static void *verify_many(void *arg)
{
    struct work *w = arg;
    uint8_t sig[64];
    crypto_sign_detached(sig, NULL, (const uint8_t *)"hello", 5, fake.sk);
    for (unsigned i = 0; i < w->rounds; i++)
        w->good += verify_with(both, w->key, sig, 64, "hello", false) == 1;
    return NULL;
}

static void threads_verify_at_once(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need_key(both, "mpc:release");
    struct work w[THREADS];
    pthread_t threads[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        w[i] = (struct work){ key, i, 50, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, verify_many, &w[i]),
                         0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(w[i].good, 50);
    }
}

/* Load, sign, verify (which makes the child context), unload: all gone. */
static void use_and_unload(OSSL_LIB_CTX *ctx)
{
    OSSL_PROVIDER *mpc = OSSL_PROVIDER_load(ctx, "mpc");
    assert_non_null(mpc);
    EVP_PKEY *key = need_key(ctx, "mpc:release");
    uint8_t sig[64];
    assert_int_equal(sign_with(ctx, key, "hello", 5, sig), 1);
    assert_int_equal(verify_with(ctx, key, sig, 64, "hello", false), 1);
    EVP_PKEY_free(key);
    assert_int_equal(OSSL_PROVIDER_unload(mpc), 1);
    assert_int_equal(OSSL_PROVIDER_available(ctx, "mpc"), 0);
}

static OSSL_LIB_CTX *bare_context(OSSL_PROVIDER **dflt)
{
    OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
    assert_int_equal(OSSL_PROVIDER_set_default_search_path(ctx, MODULES), 1);
    *dflt = OSSL_PROVIDER_load(ctx, "default");
    assert_non_null(*dflt);
    return ctx;
}

static void loads_and_unloads_twenty_times_in_contexts_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        OSSL_PROVIDER *dflt;
        OWNED(OSSL_LIB_CTX) *ctx = bare_context(&dflt);
        use_and_unload(ctx);
        assert_int_equal(OSSL_PROVIDER_unload(dflt), 1);
    }
}

static void loads_and_unloads_twenty_times_in_one_context(void **state)
{
    (void)state;
    OSSL_PROVIDER *dflt;
    OWNED(OSSL_LIB_CTX) *ctx = bare_context(&dflt);
    for (int i = 0; i < 20; i++)
        use_and_unload(ctx);
    OWNED(EVP_PKEY) *soft = EVP_PKEY_Q_keygen(ctx, NULL, "ED25519");
    assert_non_null(soft);
    assert_int_equal(OSSL_PROVIDER_unload(dflt), 1);
}

#define T(name) cmocka_unit_test_setup(name, calm)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_shot_signs_and_asks_once),
        T(a_short_buffer_asks_nobody),
        T(messages_of_every_size_sign),
        T(a_message_in_pieces_signs_the_same_bytes),
        T(an_empty_message_in_no_pieces_signs),
        T(pieces_over_the_limit_are_refused_at_that_piece),
        T(a_copied_context_goes_its_own_way),
        T(digests_other_than_its_own_are_refused),
        T(other_modes_are_refused_not_ignored),
        T(signing_works_whichever_provider_came_first),
        T(our_keys_verify_with_and_without_the_default_provider),
        T(a_key_says_what_it_is),
        T(private_export_is_refused),
        T(keys_equal_software_keys_both_ways),
        T(a_duplicate_of_a_key_signs),
        T(a_certificate_matches_our_key),
        T(certificates_can_be_signed),
        T(ordinary_keys_stay_with_the_default_provider),
        T(with_mpc_first_software_keys_still_load),
        T(public_keys_encode_alone),
        T(the_uri_and_its_session_reach_the_sidecar),
        T(expectation_decides_what_comes),
        T(without_expectation_the_key_then_its_certificates_come),
        T(only_artifact_keys_have_certificates),
        T(a_bad_answer_to_a_signature_is_one_error),
        T(a_bad_answer_about_a_key_is_one_error),
        T(a_bad_uri_is_one_error),
        T(an_absent_sidecar_is_one_error_with_a_remedy),
        T(a_silent_sidecar_meets_the_deadline),
        T(a_full_backlog_meets_the_deadline),
        T(wrong_settings_are_told_when_used_and_break_nothing),
        T(the_wanted_policy_is_sent),
        T(threads_and_forked_children_sign_at_once),
        T(threads_verify_at_once),
        T(loads_and_unloads_twenty_times_in_contexts_of_its_own),
        T(loads_and_unloads_twenty_times_in_one_context),
    };
    return cmocka_run_group_tests(tests, up, down);
}

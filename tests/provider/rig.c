/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the module share; see rig.h. */
#include "rig.h"

#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "base/own.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);

struct fake rig_fake;
OSSL_LIB_CTX *rig_both; /* default first, then mpc */

/*
 * A library context of its own, configured by file as a host would.
 * providers: lines of the section; extra: lines of mpc's section.
 */
OSSL_LIB_CTX *rig_context(const char *providers, const char *extra)
{
    char conf[1024], path[160];
    int n = snprintf(conf, sizeof(conf),
                     "openssl_conf = init\n[init]\nproviders = provs\n[provs]\n"
                     "%s\n[dflt]\nactivate = 1\n[mpc]\nactivate = 1\n"
                     "module = " MODULES "/mpc.so\n%s\n",
                     providers, extra);
    assert_true(n > 0 && (size_t)n < sizeof(conf));
    fake_file(&rig_fake, "ctx.cnf", conf, (size_t)n);
    snprintf(path, sizeof(path), "%s/ctx.cnf", rig_fake.dir);
    OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
    assert_non_null(ctx);
    if (OSSL_LIB_CTX_load_config(ctx, path) != 1) {
        ERR_print_errors_fp(stderr);
        fail();
    }
    return ctx;
}

int rig_up(void **state)
{
    (void)state;
    fake_start(&rig_fake);
    setenv("MPC_SIDECAR", rig_fake.path, 1);
    unsetenv("TEE_POLICY_HASH");
    unsetenv("MPC_SESSION");
    rig_both = rig_context(DEFAULT_FIRST, "");
    return 0;
}

int rig_down(void **state)
{
    (void)state;
    OSSL_LIB_CTX_free(rig_both);
    fake_stop(&rig_fake);
    return 0;
}

int rig_calm(void **state)
{
    (void)state;
    rig_fake.class = "artifact";
    rig_fake.cert_len = rig_fake.root_len = 0;
    rig_fake.max_message = 16u << 20;
    /* atomic, and last: what is written above is seen with them */
    rig_fake.bundle_mode = FAKE_OK;
    rig_fake.sign_mode = FAKE_OK;
    rig_fake.key_mode = FAKE_OK;
    ERR_clear_error();
    return 0;
}

/* The first object of this kind, or NULL; expect 0 takes what comes. */
OSSL_STORE_INFO *rig_load(OSSL_LIB_CTX *ctx, const char *uri, int expect)
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

EVP_PKEY *rig_key(OSSL_LIB_CTX *ctx, const char *uri)
{
    OSSL_STORE_INFO *info = rig_load(ctx, uri, OSSL_STORE_INFO_PKEY);
    EVP_PKEY *key = info ? OSSL_STORE_INFO_get1_PKEY(info) : NULL;
    OSSL_STORE_INFO_free(info);
    return key;
}

EVP_PKEY *rig_need_key(OSSL_LIB_CTX *ctx, const char *uri)
{
    EVP_PKEY *key = rig_key(ctx, uri);
    if (!key) {
        ERR_print_errors_fp(stderr);
        fail_msg("%s does not load", uri);
    }
    return key;
}

int rig_sign(OSSL_LIB_CTX *ctx, EVP_PKEY *key, const void *msg, size_t len,
             uint8_t sig[64])
{
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    size_t sig_len = 64;
    return EVP_DigestSignInit_ex(md, NULL, NULL, ctx, NULL, key, NULL) == 1 &&
           EVP_DigestSign(md, sig, &sig_len, msg, len) == 1 && sig_len == 64;
}

void rig_assert_good(const uint8_t sig[64], const void *msg, size_t len)
{
    assert_int_equal(crypto_sign_verify_detached(sig, msg, len, rig_fake.pk),
                     0);
}

/*
 * The queue holds exactly one error, ours, with this reason and these words;
 * empties it. Every one of ours ends with what to do.
 */
void rig_assert_one_error(const char *why, const char *reason,
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
void rig_assert_first_error(const char *why, const char *words)
{
    const char *data;
    unsigned long e = ERR_get_error_all(NULL, NULL, NULL, &data, NULL);
    if (!e || strcmp(ERR_lib_error_string(e), "mpc") != 0 ||
        !strstr(data, words))
        fail_msg("%s: want \"%s\", got %s", why, words, e ? data : "nothing");
    while ((e = ERR_get_error()))
        assert_string_equal(ERR_reason_error_string(e), "no default digest");
}

void rig_assert_told(const char *why, const char *words)
{
    const char *data;
    unsigned ours = 0, told = 0;
    unsigned long e;
    while ((e = ERR_get_error_all(NULL, NULL, NULL, &data, NULL))) {
        const char *lib = ERR_lib_error_string(e);
        bool is_ours = lib && strcmp(lib, "mpc") == 0;
        ours += is_ours;
        told += is_ours && strstr(data, words) && ERR_reason_error_string(e);
        if (is_ours && !strstr(data, words))
            print_error("got %s\n", data);
    }
    if (ours != 1 || told != 1)
        fail_msg("%s: want \"%s\", %u errors of ours", why, words, ours);
}

int rig_verify(OSSL_LIB_CTX *ctx, EVP_PKEY *key, const uint8_t *sig,
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

EVP_PKEY *rig_software_key(OSSL_LIB_CTX *ctx, bool private)
{
    return private ? EVP_PKEY_new_raw_private_key_ex(ctx, "ED25519",
                                                     "provider=default",
                                                     rig_fake.sk, 32)
                   : EVP_PKEY_new_raw_public_key_ex(ctx, "ED25519",
                                                    "provider=default",
                                                    rig_fake.pk, 32);
}

/* Self-signed by the software half of the fake's key. */
X509 *rig_certificate(OSSL_LIB_CTX *ctx)
{
    return rig_named_certificate(ctx, "release");
}

X509 *rig_named_certificate(OSSL_LIB_CTX *ctx, const char *name)
{
    OWNED(EVP_PKEY) *key = rig_software_key(ctx, true);
    X509 *x = X509_new_ex(ctx, NULL);
    assert_non_null(x);
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const uint8_t *)name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_true(X509_sign(x, key, NULL) > 0);
    return x;
}

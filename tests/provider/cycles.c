/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cycles keys N: loads a key of the bridge N times, with all a program does
 * with one. cycles contexts N: loads and unloads the provider N times, a key
 * of each kind in it. cycles loads N: the same by OSSL_PROVIDER_unload(), and
 * what else there is of a provider's key. cycles.sh runs it under valgrind.
 */
#include "bridged.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include "base/own.h"

OWNED_BY(BIO, BIO_free);
OWNED_BY(CMS_ContentInfo, CMS_ContentInfo_free);
OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(OSSL_LIB_CTX, OSSL_LIB_CTX_free);
OWNED_BY(X509, X509_free);

static void want(bool good, const char *what)
{
    if (good)
        return;
    ERR_print_errors_fp(stderr);
    fprintf(stderr, "cycles: %s failed\n", what);
    exit(1);
}

static bool signs(OSSL_LIB_CTX *ctx, EVP_PKEY *key)
{
    uint8_t sig[64];
    return key && rig_sign(ctx, key, "hello", 5, sig) &&
           rig_verify(ctx, key, sig, 64, "hello", false) == 1;
}

static void one_key(OSSL_LIB_CTX *ctx, X509 *cert)
{
    OWNED(EVP_PKEY) *key = bridged(ctx, BRIDGE_RELEASE);
    OWNED(BIO) *in = BIO_new_mem_buf("content", 7);
    want(signs(ctx, key), "a key");
    want(X509_check_private_key(cert, key) == 1, "its certificate");
    OWNED(CMS_ContentInfo) *cms = CMS_sign_ex(cert, key, NULL, in, CMS_BINARY,
                                              ctx, NULL);
    want(cms != NULL, "CMS");
    rig_fake.key_mode = FAKE_REFUSES;
    OWNED(EVP_PKEY) *none = bridged(ctx, BRIDGE_RELEASE);
    rig_fake.key_mode = FAKE_OK;
    want(!none, "a refusal");
    ERR_clear_error();
}

static void keys(unsigned n)
{
    OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST, BRIDGE_ON);
    OWNED(X509) *cert = rig_certificate(ctx);
    while (n-- > 0)
        one_key(ctx, cert);
}

static void contexts(unsigned n)
{
    while (n-- > 0) {
        OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST, BRIDGE_ON);
        EVP_PKEY *bridge = bridged(ctx, BRIDGE_RELEASE);
        EVP_PKEY *plain = rig_key(ctx, "mpc:release");
        want(signs(ctx, bridge) && signs(ctx, plain), "keys of a context");
        EVP_PKEY_free(bridge);
        EVP_PKEY_free(plain);
    }
}

static void all_of_a_key(OSSL_LIB_CTX *ctx)
{
    uint8_t json[4096];
    size_t len = 0;
    OWNED(EVP_PKEY) *file = bridged(ctx, BRIDGE_RELEASE);
    OWNED(EVP_PKEY) *key = rig_key(ctx, "mpc:release");
    want(signs(ctx, file) && signs(ctx, key), "keys");
    want(EVP_PKEY_get_octet_string_param(key, "mpc-bundle", json, sizeof(json),
                                         &len) == 1,
         "evidence");
    OWNED(EVP_PKEY) *none = rig_key(ctx, "mpc:Wrong");
    want(!none, "a wrong name");
    ERR_clear_error();
}

/* As programs do that load providers themselves. */
static void loads(unsigned n)
{
    while (n-- > 0) {
        OWNED(OSSL_LIB_CTX) *ctx = OSSL_LIB_CTX_new();
        OSSL_PROVIDER_set_default_search_path(ctx, MODULES);
        OSSL_PROVIDER *dflt = OSSL_PROVIDER_load(ctx, "default");
        OSSL_PROVIDER *mpc = OSSL_PROVIDER_load(ctx, "mpc");
        want(dflt && mpc, "loading");
        all_of_a_key(ctx);
        want(OSSL_PROVIDER_unload(mpc) == 1, "unloading");
        OSSL_PROVIDER_unload(dflt);
    }
}

int main(int argc, char **argv)
{
    unsigned n = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (n == 0)
        return 2;
    rig_up(NULL);
    if (strcmp(argv[1], "keys") == 0)
        keys(n);
    else if (strcmp(argv[1], "loads") == 0)
        loads(n);
    else
        contexts(n);
    rig_down(NULL);
    return 0;
}

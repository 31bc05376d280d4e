/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cycles keys N: loads a key of the bridge N times, with all a program does
 * with one. cycles contexts N: loads and unloads the provider N times, a key
 * of each kind in it. cycles.sh runs it under valgrind.
 */
#include "bridged.h"

#include <openssl/cms.h>
#include <openssl/err.h>

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

int main(int argc, char **argv)
{
    unsigned n = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (n == 0)
        return 2;
    rig_up(NULL);
    if (strcmp(argv[1], "keys") == 0)
        keys(n);
    else
        contexts(n);
    rig_down(NULL);
    return 0;
}

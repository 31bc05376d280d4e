/* SPDX-License-Identifier: Apache-2.0 */
/* A file of the bridge, and reading it as programs do. */
#ifndef TESTS_PROVIDER_BRIDGED_H
#define TESTS_PROVIDER_BRIDGED_H

#include "rig.h"

#include <openssl/pem.h>

#define BRIDGE_ON "legacy-bridge = yes"
#define BRIDGE_FILE(b64)                                                       \
    "-----BEGIN PRIVATE KEY-----\n" b64 "\n-----END PRIVATE KEY-----\n"
/* PKCS#8, as mpcsign key ref release --cms writes it: "mpc:release". */
#define BRIDGE_RELEASE                                                         \
    BRIDGE_FILE("MB4CAQAwDAYKKwYBBAGB/VkBAQQLbXBjOnJlbGVhc2U=")

static inline EVP_PKEY *bridged(OSSL_LIB_CTX *ctx, const char *pem)
{
    BIO *in = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey_ex(in, NULL, NULL, NULL, ctx, NULL);
    BIO_free(in);
    return key;
}

#endif

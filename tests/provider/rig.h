/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One fake sidecar and one library context for a whole test program, and the
 * few steps that all tests of the module take. Test programs see the module
 * through libcrypto only.
 */
#ifndef TESTS_PROVIDER_RIG_H
#define TESTS_PROVIDER_RIG_H

#include "test.h"

#include <openssl/evp.h>
#include <openssl/store.h>
#include <openssl/x509.h>

#include "fake.h"

#define MODULES MPC_BUILD_DIR "/lib/ossl-modules"
#define HEX64                                                                  \
    "00112233445566778899aabbccddeeff"                                         \
    "00112233445566778899aabbccddeeff"

/* Lines for rig_context(): which providers, in which order. */
#define DEFAULT_FIRST "default = dflt\nmpc = mpc"
#define MPC_FIRST     "mpc = mpc\ndefault = dflt"
#define MPC_ONLY      "mpc = mpc"

extern struct fake rig_fake;
extern OSSL_LIB_CTX *rig_both; /* DEFAULT_FIRST */

int rig_up(void **state);
int rig_down(void **state);
/* Before each test: good manners, an empty error queue. */
int rig_calm(void **state);
#define RIG(test) cmocka_unit_test_setup(test, rig_calm)

OSSL_LIB_CTX *rig_context(const char *providers, const char *extra);
OSSL_STORE_INFO *rig_load(OSSL_LIB_CTX *ctx, const char *uri, int expect);
/* NULL, or fails the test. */
EVP_PKEY *rig_key(OSSL_LIB_CTX *ctx, const char *uri);
EVP_PKEY *rig_need_key(OSSL_LIB_CTX *ctx, const char *uri);
/* The software key behind the fake, in the default provider. */
EVP_PKEY *rig_software_key(OSSL_LIB_CTX *ctx, bool private);
/* Self-signed by it, as CN=release or another. */
X509 *rig_certificate(OSSL_LIB_CTX *ctx);
X509 *rig_named_certificate(OSSL_LIB_CTX *ctx, const char *name);

int rig_sign(OSSL_LIB_CTX *ctx, EVP_PKEY *key, const void *msg, size_t len,
             uint8_t sig[64]);
int rig_verify(OSSL_LIB_CTX *ctx, EVP_PKEY *key, const uint8_t *sig,
               size_t sig_len, const char *msg, bool pieces);
void rig_assert_good(const uint8_t sig[64], const void *msg, size_t len);
void rig_assert_one_error(const char *why, const char *reason,
                          const char *words);
void rig_assert_first_error(const char *why, const char *words);
/* Exactly one of the errors is ours, and it has these words; empties it. */
void rig_assert_told(const char *why, const char *words);

#endif

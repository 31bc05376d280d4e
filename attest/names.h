/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate profile: names and algorithms a chain must wear. */
#ifndef ATTEST_NAMES_H
#define ATTEST_NAMES_H

#include "attest/attest.h"

#include <openssl/x509.h>

struct attest_names {
    const char *org;
    char root[64];   /* CN of the ARK */
    char signer[64]; /* of the ASK or ASVK */
    char leaf[64];   /* of the VCEK or VLEK */
};
struct attest_names attest_names_of(enum attest_product product, bool simulated,
                                    bool vlek);
/* Exactly OU, C, L, ST, O and this CN, each once. */
bool attest_name_is(const X509_NAME *name, const struct attest_names *n,
                    const char *cn);
/* NULL, or what is wrong about keys and signature algorithms. */
const char *attest_profile_refuses(X509 *ark, X509 *ask, X509 *vek);

#endif

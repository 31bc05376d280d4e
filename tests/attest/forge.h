/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains and reports made to order: right in everything but what a test
 * asks to be wrong. Roots are accepted as simulated ones.
 */
#ifndef TESTS_FORGE_H
#define TESTS_FORGE_H

#include "test.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "attest/attest.h"

struct forge_ext {
    const char *oid; /* behind AMD's arc */
    const char *der; /* NULL: leave it out */
    size_t len;
    bool twice;
};
struct forge_byte {
    size_t at; /* 0: none */
    uint8_t value;
};
/* Zeros mean: as it should be. */
struct forge {
    const char *leaf_cn, *ask_cn, *org;
    uint8_t version; /* of the report */
    int salt;
    const EVP_MD *md, *mgf;
    const char *leaf_curve;
    const char *ask_basic; /* basicConstraints of the ASK */
    int leaf_days;         /* from its beginning; ends 10 days later */
    bool leaf_by_ark;
    bool no_chip; /* CHIP_ID of zeros: MaskChipId */
    struct forge_ext ext[2];
    struct forge_byte byte[3]; /* of the report, before it is signed */
};

/* Keys of the two roots: slow, once. */
void forge_setup(void);
void forge_teardown(void);
/* roots->simulated_ark is set to the root of this evidence. */
void forge_make(struct wire_evidence *out, struct attest_roots *roots,
                const struct forge *f);
/* A CRL by the ARK, which lists the ASK or does not. */
void forge_crl(struct wire_blob *out, const struct forge *f, bool revoked);

#endif

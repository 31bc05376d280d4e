/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator's own door between its files. Nothing of it is in the
 * library or in a build without MPC_SIMULATED_TEE.
 */
#ifndef ATTEST_SNPSIM_H
#define ATTEST_SNPSIM_H

#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "attest/attest.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(X509, X509_free);

/* The chip that is played: Genoa, one TCB for all four fields. */
#define SNPSIM_FAMILY   0x19
#define SNPSIM_MODEL    0x11
#define SNPSIM_STEPPING 0x01
#define SNPSIM_BL       10
#define SNPSIM_TEE      0
#define SNPSIM_SNP      0x18
#define SNPSIM_UCODE    0x54
#define SNPSIM_POLICY   0x30000
#define SNPSIM_SVN      1

struct snpsim_cert {
    uint8_t der[ATTEST_CERT_MAX];
    size_t len;
};
struct snpsim_chip {
    uint8_t chip_id[64];
    uint8_t report_id[32]; /* new for each `serve`: one launch */
    uint8_t host_data[32];
    uint8_t root[32]; /* derived keys come from it */
    EVP_PKEY *vcek_key;
    struct snpsim_cert vcek, ask, ark;
};

/* pki.c: DIR/{ark,ask,vcek}.der and .key, chip_id, root.key */
MUST_CHECK enum rc snpsim_init(const char *dir, const char *roots,
                               const char *chip);
MUST_CHECK enum rc snpsim_load(struct snpsim_chip *out, const char *dir);
void snpsim_chip_free(struct snpsim_chip *c);

/* report.c: what the firmware would say to a guest of this measurement */
MUST_CHECK enum rc snpsim_report(uint8_t out[ATTEST_REPORT_LEN],
                                 const struct snpsim_chip *chip,
                                 const uint8_t measurement[48],
                                 const uint8_t report_data[64]);
/* RC_ARG: the firmware refuses these parameters. */
MUST_CHECK enum rc snpsim_key(uint8_t out[32], const struct snpsim_chip *chip,
                              const uint8_t measurement[48],
                              const uint8_t body[24]);

/* serve.c: until SIGTERM or SIGINT */
MUST_CHECK enum rc snpsim_serve(const struct snpsim_chip *chip,
                                const char *socket, int ready_fd);

#endif

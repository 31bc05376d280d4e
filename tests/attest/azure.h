/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an Azure VM finds: a vTPM with its key and blob, and the metadata
 * service's answer in a file. A simulator is the hardware under it.
 */
#ifndef TESTS_AZURE_H
#define TESTS_AZURE_H

#include "simulator.h"
#include "swtpm.h"

#include "attest/attest.h"

#define AZURE_BLOB_MAX 2048 /* an NV index of swtpm's holds no more */

struct azure {
    const struct simulator *sim;
    struct attest_guest *guest; /* the simulator's device */
    struct swtpm tpm;
    uint8_t ak[256]; /* modulus */
    uint8_t blob[AZURE_BLOB_MAX];
    size_t blob_len; /* without the padding */
    char vcek_pem[8192], chain_pem[16384];
    char certs[96];
    char device[128]; /* of a config */
};

/* The simulator runs. */
void azure_start(struct azure *a, const struct simulator *sim);
void azure_stop(struct azure *a);

/* A blob of this key, its report signed by the simulator: *e gets the report
 * and the certificates. Returns the length. */
size_t azure_blob(struct azure *a, uint8_t out[AZURE_BLOB_MAX],
                  struct wire_evidence *e, const uint8_t n[256]);
/* The metadata service's JSON. */
size_t azure_thim(char *out, const char *vcek, const char *chain);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A running swtpm of this test's own, with what Azure's vTPM holds: an
 * attestation key at its handle and the HCL blob at its NV index.
 */
#ifndef TESTS_SWTPM_H
#define TESTS_SWTPM_H

#include "test.h"

#include <sys/types.h>
#include <tss2/tss2_esys.h>

struct swtpm {
    char dir[64];
    char socket[80];
    char device[96]; /* "swtpm:path=SOCKET" */
    pid_t pid;
};

/* Fails the test where there is no swtpm, before others are started. */
void swtpm_must_be_here(void);
void swtpm_start(struct swtpm *s);
void swtpm_stop(struct swtpm *s);

/* A key that signs only what the TPM made; number chooses which, 0: none, and
 * the handle is emptied. n gets its modulus unless it is NULL. */
#define SWTPM_PSS 9 /* the one that signs with RSAPSS */
void swtpm_ak(struct swtpm *s, uint8_t n[256], uint8_t number, bool persist);
/* What that key quotes, TPMS_ATTEST and TPMT_SIGNATURE. */
void swtpm_quote(struct swtpm *s, uint8_t number, const uint8_t extra[32],
                 uint8_t *quote, size_t *quote_len, uint8_t *sig,
                 size_t *sig_len);
/* len 0: takes the index away. */
void swtpm_blob(struct swtpm *s, const uint8_t *p, size_t len);

#endif

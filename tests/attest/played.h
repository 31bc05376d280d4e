/* SPDX-License-Identifier: Apache-2.0 */
/* A genuine report and its certificates, in the hands of the played kernel. */
#ifndef TESTS_PLAYED_H
#define TESTS_PLAYED_H

#include "snpdata.h"

#include "shim.h"

#define PLAYED_NOW 1795305600 /* when its certificates are good */

/* At the start of each test: without data it is skipped there. */
void played_load(void);
/* A certificate table out of n blobs, each under its GUID in hex. */
struct played_row {
    const char *guid;
    const struct wire_blob *blob;
};
uint32_t played_table(uint8_t *out, const struct played_row *rows, size_t n);
extern const char *const played_guids[3]; /* VCEK, ASK, ARK */
/* The data that the genuine report is over. */
const uint8_t *played_data(void);
/* It is the genuine one, whole: the verifier says so. */
void played_verify(const struct wire_evidence *e);

#endif

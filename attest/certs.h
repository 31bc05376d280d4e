/* SPDX-License-Identifier: Apache-2.0 */
/* The host's certificate table, as it comes with an extended report. */
#ifndef ATTEST_CERTS_H
#define ATTEST_CERTS_H

#include "attest/attest.h"

#define ATTEST_TABLE_MAX (256 * 1024)

/*
 * Fills vek and chain from the table; the report in out says whether the VCEK
 * or the VLEK signed. An empty table or one without a VEK is
 * legal here: the verifier says what is missing. len 0: no table.
 */
MUST_CHECK enum rc attest_certs_take(struct wire_evidence *out,
                                     const uint8_t *table, size_t len);

#endif

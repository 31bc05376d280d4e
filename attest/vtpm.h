/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure's guest backend: the report lies in a vTPM's NV memory, made before we
 * ran, and the vTPM's quote is over what we choose. Public data only.
 */
#ifndef ATTEST_VTPM_H
#define ATTEST_VTPM_H

#include "attest/attest.h"

#define ATTEST_VTPM_NV 0x01400001u /* the HCL blob */
#define ATTEST_VTPM_AK 0x81000003u /* HCLAkPub's key */

/*
 * device is "[TPM][,certs=FILE]", or "certs=FILE". TPM: device:/dev/tpmrm0,
 * and that where none is named; in builds that simulate swtpm:path=SOCKET and
 * swtpm:host=127.0.0.1,port=N too. FILE, /etc/mpc/thim.json where none is
 * named, is read anew for each report: attest_thim_take(). Nothing is
 * connected yet.
 */
struct attest_vtpm;
MUST_CHECK enum rc attest_vtpm_open(struct attest_vtpm **out, bool *simulated,
                                    const char *device);
void attest_vtpm_close(struct attest_vtpm *v);
/*
 * The blob, a quote over attest_quote_data(report_data, genesis) by the key
 * the blob names, and the certificates.
 *
 * Fails RC_UNKNOWN this TPM has no blob or no key; RC_TOO_LARGE, RC_PARSE the
 *       blob; RC_ATTEST another key stands where the blob's should; RC_IO
 */
MUST_CHECK enum rc attest_vtpm_report(struct wire_evidence *out,
                                      const struct attest_vtpm *v,
                                      const uint8_t report_data[64],
                                      const uint8_t *genesis);
/* The NV index as it is, at most max bytes. */
MUST_CHECK enum rc attest_vtpm_blob(struct wire_blob *out,
                                    const struct attest_vtpm *v, size_t max);

/*
 * vek and chain from a file: Azure's THIM answer, a JSON object with vcekCert
 * and certificateChain as PEM text; or PEM alone, VEK first.
 */
#define ATTEST_THIM_MAX (64 * 1024)
MUST_CHECK enum rc attest_thim_take(struct wire_evidence *out,
                                    const char *path);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `mpcsign attest` share. */
#ifndef CLI_ATTEST_H
#define CLI_ATTEST_H

#include "attest/attest.h"
#include "cli/inner.h"

#define CLI_EVIDENCE_MAX (1024 * 1024) /* a file of it */

/* A file, and where the report is in it. The members point into bytes. */
struct cli_report {
    uint8_t *bytes;          /* heap */
    struct wire_blob report; /* 1184 bytes, unless the file is another thing */
    struct wire_blob hcl;    /* the HCL blob around it, or empty */
};
/*
 * The report in a file. offset NULL: the whole file, or what an Azure HCL
 * blob holds, known by its first bytes; else 1184 bytes from there on.
 */
MUST_CHECK enum rc cli_report_read(struct cli_report *out, const char *path,
                                   const char *offset);
/* What a verdict says: a JSON list of rows, or a line a row. */
json_t *cli_rows_json(const struct attest_verdict *v);
MUST_CHECK enum rc cli_rows_say(const struct attest_verdict *v);
/* attest verify --kind nitro; pcrs: "0=HEX" each. */
MUST_CHECK enum rc cli_nitro_verify(const char *path, int64_t now_s,
                                    const struct cli_list *pcrs);
/* A quote and its signature, each a file as tpm2_quote writes them, beside the
 * blob of the report. Both NULL: nothing is done. */
MUST_CHECK enum rc cli_quote_take(struct wire_evidence *e,
                                  const struct cli_report *from,
                                  const char *quote, const char *signature);
MUST_CHECK enum rc cli_quote_read(struct attest_quote *out, const char *path);
MUST_CHECK enum rc cli_quote_say(const struct attest_quote *q);
json_t *cli_quote_json(const struct attest_quote *q);
void cli_report_free(struct cli_report *r);

#define CLI_URL_MAX 384
/* URLs of AMD's service for a report; "" where there is none, and why. */
struct cli_kds {
    bool vlek;
    char vek[CLI_URL_MAX], chain[CLI_URL_MAX], crl[CLI_URL_MAX];
    const char *why;
};
MUST_CHECK enum rc cli_kds_read(struct cli_kds *out,
                                const struct wire_blob *report);

#endif

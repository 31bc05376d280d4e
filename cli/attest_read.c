/* SPDX-License-Identifier: Apache-2.0 */
/* Reports as they lie in files: bare, inside something, or in Azure's blob. */
#include "cli/attest.h"

#include <stdlib.h>

#include "base/file.h"

static enum rc locate(struct cli_report *r, size_t len, const char *offset)
{
    int64_t from = 0;
    if (offset)
        TRY(cli_number(&from, "--offset", offset, 0, CLI_EVIDENCE_MAX));
    if (!offset && attest_hcl_is(r->bytes, len)) {
        struct attest_hcl hcl;
        TRY(attest_hcl_read(&hcl, r->bytes, len));
        r->report.p = r->bytes + (hcl.report - r->bytes);
        r->report.len = ATTEST_REPORT_LEN;
        r->hcl = (struct wire_blob){ r->bytes, len };
        return RC_OK;
    }
    if ((size_t)from > len)
        return rc_raise(RC_ARG, "--offset: %lld, the file has %zu bytes",
                        (long long)from, len);
    size_t left = len - (size_t)from;
    /* behind an offset the report is a part of something else */
    if (offset && left > ATTEST_REPORT_LEN)
        left = ATTEST_REPORT_LEN;
    r->report = (struct wire_blob){ r->bytes + from, left };
    return RC_OK;
}

enum rc cli_report_read(struct cli_report *out, const char *path,
                        const char *offset)
{
    struct cli_report r = { 0 };
    size_t len;
    TRY(file_read(&r.bytes, &len, path, CLI_EVIDENCE_MAX));
    enum rc rc = locate(&r, len, offset);
    if (rc != RC_OK) {
        cli_report_free(&r);
        return rc;
    }
    *out = r;
    return RC_OK;
}

void cli_report_free(struct cli_report *r)
{
    free(r->bytes);
    *r = (struct cli_report){ 0 };
}

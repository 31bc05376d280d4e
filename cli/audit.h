/* SPDX-License-Identifier: Apache-2.0 */
/* Reading audit rows; see audit_read.c. */
#ifndef CLI_AUDIT_H
#define CLI_AUDIT_H

#include "cli/inner.h"

typedef enum rc audit_row_fn(void *ctx, const struct wire_audit_row *row);
/* Every row after `after`, in order; RC_VERIFY names one that is no row. */
MUST_CHECK enum rc audit_read_sidecar(uint64_t after, audit_row_fn *fn,
                                      void *ctx);
MUST_CHECK enum rc audit_read_db(const char *path, uint64_t after,
                                 audit_row_fn *fn, void *ctx);

#endif

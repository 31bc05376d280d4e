/* SPDX-License-Identifier: Apache-2.0 */
/* An audit row as a line of JSON; see audit_line.c. */
#ifndef SIDECAR_AUDIT_LINE_H
#define SIDECAR_AUDIT_LINE_H

#include "wire/wire.h"

/* Every text may double when it is escaped. */
#define AUDIT_LINE_MAX (2 * sizeof(struct wire_audit_row) + 512)

/* line [AUDIT_LINE_MAX], LF at its end, no NUL; its length. */
size_t audit_line(char *line, const struct wire_audit_row *r, bool simulated);
void audit_line_write(const struct wire_audit_row *r, bool simulated);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit chain on stdout: one JSON object a line, once its row is at rest,
 * whatever the log's format is. One write a line: lines never mix.
 */
#include "sidecar/audit_line.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"

static size_t put(char *line, size_t len, const char *text)
{
    size_t n = strlen(text);
    memcpy(line + len, text, n);
    return len + n;
}

/* Rows are printable ASCII: two characters need an escape. */
static size_t put_member(char *line, size_t len, const char *name,
                         const char *text)
{
    len = put(line, len, ",\"");
    len = put(line, len, name);
    len = put(line, len, "\":\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            line[len++] = '\\';
        line[len++] = *text;
    }
    return put(line, len, "\"");
}

size_t audit_line(char *line, const struct wire_audit_row *r, bool simulated)
{
    char at[CLOCK_TEXT_SIZE];
    char hex[ENC_HEX_SIZE(32)];
    size_t len = (size_t)sprintf(line,
                                 "{\"time\":\"%s\",\"event\":\"audit\","
                                 "\"seq\":%llu",
                                 clock_text(at, (int64_t)r->at),
                                 (unsigned long long)r->seq);
    if (simulated)
        len = put_member(line, len, "simulated", "yes");
    len = put_member(line, len, "actor", r->actor);
    len = put_member(line, len, "method", r->method);
    len = put_member(line, len, "attestation", r->attestation);
    len = put_member(line, len, "session", r->session);
    len = put_member(line, len, "result", r->result);
    len = put_member(line, len, "detail", r->detail);
    len = put_member(line, len, "prev", enc_hex(hex, r->prev, 32));
    len = put_member(line, len, "hash", enc_hex(hex, r->hash, 32));
    return put(line, len, "}\n");
}

void audit_line_write(const struct wire_audit_row *r, bool simulated)
{
    char line[AUDIT_LINE_MAX];
    size_t len = audit_line(line, r, simulated);
    if (write(STDOUT_FILENO, line, len) < 0)
        return; /* the chain at rest is the record; this is a copy */
}

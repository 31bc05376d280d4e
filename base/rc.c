/* SPDX-License-Identifier: Apache-2.0 */
/* The table of result codes and the thread's last error text. */
#include "base/rc.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct rc_row {
    const char *slug;
    int exit_code;
    int http;
};

/* clang-format off */
static const struct rc_row rows[RC__COUNT] = {
    [RC_OK]             = { "ok", 0, 200 },
    [RC_ARG]            = { "bad_argument", 2, 400 },
    [RC_NOMEM]          = { "no_memory", 1, 503 },
    [RC_INTERNAL]       = { "internal", 1, 500 },
    [RC_IO]             = { "io", 1, 500 },
    [RC_TIMEOUT]        = { "timeout", 8, 504 },
    [RC_UNREACHABLE]    = { "unreachable", 8, 502 },
    [RC_PARSE]          = { "malformed", 1, 400 },
    [RC_TOO_LARGE]      = { "too_large", 1, 413 },
    [RC_UNKNOWN]        = { "not_found", 1, 404 },
    [RC_EXISTS]         = { "exists", 1, 409 },
    [RC_CONFLICT]       = { "conflict", 1, 409 },
    [RC_ORDER]          = { "not_now", 1, 409 },
    [RC_AUTH]           = { "forbidden", 1, 403 },
    [RC_POLICY]         = { "policy_refused", 6, 403 },
    [RC_POLICY_CHANGED] = { "policy_changed", 6, 409 },
    [RC_POLICY_HASH]    = { "policy_mismatch", 6, 403 },
    [RC_NOT_APPROVED]   = { "not_approved", 3, 403 },
    [RC_DENIED]         = { "denied", 4, 403 },
    [RC_EXPIRED]        = { "expired", 5, 403 },
    [RC_SLOT_BURNT]     = { "slot_burnt", 1, 409 },
    [RC_EPOCH_MOVED]    = { "epoch_moved", 1, 409 },
    [RC_ATTEST]         = { "attestation_required", 7, 403 },
    [RC_VERIFY]         = { "verification_failed", 10, 422 },
    [RC_LOG]            = { "log_proof_refused", 12, 422 },
    [RC_HEAD_BEHIND]    = { "head_behind", 12, 409 },
    [RC_NODES]          = { "not_enough_nodes", 8, 503 },
    [RC_CHEATER]        = { "node_misbehaved", 9, 502 },
    [RC_STORE]          = { "storage", 11, 500 },
    [RC_UNBOUND]        = { "evidence_unknown", 7, 409 },
    [RC_BUSY]           = { "busy", 8, 429 },
};
/* clang-format on */

static _Thread_local struct {
    char text[1024];
    char hint[256];
    char where[64];
} last;

static const struct rc_row *row(enum rc rc)
{
    unsigned i = (unsigned)rc;
    if (i >= RC__COUNT || !rows[i].slug)
        i = RC_INTERNAL;
    return &rows[i];
}

const char *rc_slug(enum rc rc)
{
    return row(rc)->slug;
}

enum rc rc_from_slug(const char *slug)
{
    for (unsigned i = 0; i < RC__COUNT; i++)
        if (strcmp(rows[i].slug, slug) == 0)
            return (enum rc)i;
    return RC_INTERNAL;
}

int rc_exit(enum rc rc)
{
    return row(rc)->exit_code;
}

int rc_http(enum rc rc)
{
    return row(rc)->http;
}

enum rc rc_raise_at(const char *file, int line, enum rc rc, const char *fmt,
                    ...)
{
    assert(rc != RC_OK);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(last.text, sizeof(last.text), fmt, ap);
    va_end(ap);
    const char *slash = strrchr(file, '/');
    snprintf(last.where, sizeof(last.where), "%s:%d", slash ? slash + 1 : file,
             line);
    last.hint[0] = '\0';
    return rc;
}

void rc_hint(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(last.hint, sizeof(last.hint), fmt, ap);
    va_end(ap);
}

enum rc rc_prefix(enum rc rc, const char *fmt, ...)
{
    char whole[sizeof(last.text)];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(whole, sizeof(whole), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(whole))
        snprintf(whole + n, sizeof(whole) - (size_t)n, "%s", last.text);
    memcpy(last.text, whole, sizeof(last.text));
    return rc;
}

const char *rc_text(void)
{
    return last.text;
}

const char *rc_hint_text(void)
{
    return last.hint;
}

const char *rc_where(void)
{
    return last.where;
}

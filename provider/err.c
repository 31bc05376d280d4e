/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our result codes as OpenSSL errors: one line a failure, so that every tool
 * shows what happened and what to do. Holds no state.
 */
#include "provider/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const OSSL_ITEM reasons[] = {
    { RC_ARG,            (void *)(uintptr_t)"not possible with this key" },
    { RC_NOMEM,          (void *)(uintptr_t)"out of memory" },
    { RC_INTERNAL,       (void *)(uintptr_t)"internal error" },
    { RC_IO,             (void *)(uintptr_t)"input or output failed" },
    { RC_TIMEOUT,        (void *)(uintptr_t)"no answer in time" },
    { RC_UNREACHABLE,    (void *)(uintptr_t)"sidecar not reachable" },
    { RC_PARSE,          (void *)(uintptr_t)"malformed" },
    { RC_TOO_LARGE,      (void *)(uintptr_t)"too large" },
    { RC_UNKNOWN,        (void *)(uintptr_t)"not found" },
    { RC_EXISTS,         (void *)(uintptr_t)"exists already" },
    { RC_CONFLICT,       (void *)(uintptr_t)"conflicts with an earlier one" },
    { RC_ORDER,          (void *)(uintptr_t)"not possible now" },
    { RC_AUTH,           (void *)(uintptr_t)"not permitted" },
    { RC_POLICY,         (void *)(uintptr_t)"policy refuses it" },
    { RC_POLICY_CHANGED, (void *)(uintptr_t)"policy has changed" },
    { RC_POLICY_HASH,    (void *)(uintptr_t)"TEE_POLICY_HASH does not match" },
    { RC_NOT_APPROVED,   (void *)(uintptr_t)"approvals are missing" },
    { RC_DENIED,         (void *)(uintptr_t)"denied" },
    { RC_EXPIRED,        (void *)(uintptr_t)"expired" },
    { RC_SLOT_BURNT,     (void *)(uintptr_t)"signing slot is burnt" },
    { RC_EPOCH_MOVED,    (void *)(uintptr_t)"key has a newer epoch" },
    { RC_ATTEST,         (void *)(uintptr_t)"attestation refused" },
    { RC_VERIFY,         (void *)(uintptr_t)"signature does not verify" },
    { RC_LOG,            (void *)(uintptr_t)"transparency log refused" },
    { RC_HEAD_BEHIND,    (void *)(uintptr_t)"log head is behind" },
    { RC_NODES,          (void *)(uintptr_t)"signing quorum not reached" },
    { RC_CHEATER,        (void *)(uintptr_t)"a node misbehaved" },
    { RC_STORE,          (void *)(uintptr_t)"storage failed" },
    { RC_UNBOUND,        (void *)(uintptr_t)"evidence is not known there" },
    { RC_BUSY,           (void *)(uintptr_t)"asked too often" },
    { 0, NULL }
};
/* clang-format on */
_Static_assert(sizeof(reasons) / sizeof(reasons[0]) == RC__COUNT,
               "every result code but RC_OK has a reason");

const OSSL_ITEM *prov_reasons(void *provctx)
{
    (void)provctx;
    return reasons;
}

/* OpenSSL takes the words as a va_list. */
static PRINTF_LIKE(3, 4) void say(const struct prov *p, uint32_t reason,
                                  const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    p->core.vset_error(p->handle, reason, fmt, ap);
    va_end(ap);
}

/* One line: what came from a sidecar may hold anything. */
static void one_line(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
}

void prov_words(struct prov_words *out)
{
    snprintf(out->file, sizeof(out->file), "%s", rc_where());
    char *colon = strchr(out->file, ':');
    out->line = colon ? atoi(colon + 1) : 0;
    if (colon)
        *colon = '\0';
    const char *hint = rc_hint_text();
    snprintf(out->text, sizeof(out->text), "%s%s%s", rc_text(),
             hint[0] ? "; " : "", hint);
    one_line(out->text);
}

int prov_fail(const struct prov *p, const char *func, enum rc rc)
{
    struct prov_words w;
    if (!p->core.new_error || !p->core.vset_error || !p->core.set_error_debug)
        return 0;
    prov_words(&w);
    p->core.new_error(p->handle);
    p->core.set_error_debug(p->handle, w.file, w.line, func);
    say(p, (uint32_t)rc, "%s", w.text);
    return 0;
}

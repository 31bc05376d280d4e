/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit chain: one row a call, each naming the hash of the one before.
 * The encoding that is hashed is docs/AUDIT.md's; the walk over rows is the
 * same for a sidecar's answer and for a copy of its state.db. Public data.
 */
#include "wire/codec.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/hash.h"

/* clang-format off */
static const struct wire_row audit_row_rows[] = {
    U64(audit_row, seq, WIRE_MAX_U64),
    U64(audit_row, at, WIRE_MAX_U64),
    HEX(audit_row, prev),
    HEX(audit_row, hash),
    STR(audit_row, actor),
    STR(audit_row, method),
    STR(audit_row, attestation),
    STR(audit_row, session),
    STR(audit_row, result),
    STR(audit_row, detail),
    { 0 },
};
WIRE_TABLE(audit_row);

static const struct wire_row audit_rows[] = {
    STRUCTS(audit, rows, 0, WIRE_MAX_AUDIT, audit_row),
    HEX(audit, head),
    { 0 },
};
WIRE_CODEC(audit);
/* clang-format on */

static void put_text(struct bytes_writer *w, const char *text)
{
    bytes_put_lp16(w, text, strlen(text));
}

void wire_audit_hash(uint8_t out[32], const struct wire_audit_row *r)
{
    uint8_t buf[sizeof(*r) + 64]; /* every text, its length, and the tag */
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    bytes_put_tag(&w, "mpc/audit/v1");
    bytes_put(&w, r->prev, 32);
    bytes_put_u64(&w, r->seq);
    bytes_put_u64(&w, r->at);
    put_text(&w, r->actor);
    put_text(&w, r->method);
    put_text(&w, r->attestation);
    put_text(&w, r->session);
    put_text(&w, r->result);
    put_text(&w, r->detail);
    hash256(out, buf, w.len);
}

/* ---- the walk ------------------------------------------------------------- */

static enum rc broken(const struct wire_audit_row *r, const char *what)
{
    return rc_raise(RC_VERIFY, "audit: row %llu: %s",
                    (unsigned long long)r->seq, what);
}

/* "rows up to N, hash HEX": what a row of AUDIT_PRUNE says is gone. */
bool wire_audit_pruned(uint64_t *seq, uint8_t hash[32],
                       const struct wire_audit_row *r)
{
    unsigned long long n;
    char hex[65];
    int end = 0;
    if (strcmp(r->method, WIRE_AUDIT_PRUNE) != 0 ||
        sscanf(r->detail, WIRE_AUDIT_PRUNED "%n", &n, hex, &end) != 2 ||
        r->detail[end] || enc_unhex(hash, 32, hex, strlen(hex)) != RC_OK)
        return false;
    *seq = n;
    return true;
}

static enum rc first_row(struct wire_audit_walk *w,
                         const struct wire_audit_row *r)
{
    static const uint8_t none[32];
    if (r->seq == 0)
        return broken(r, "no row has this number");
    if (r->seq == 1 && memcmp(r->prev, none, 32) != 0)
        return broken(r, "the first row names one before it");
    w->anchored = r->seq == 1;
    w->before = r->seq - 1;
    w->first = r->seq;
    memcpy(w->before_hash, r->prev, 32);
    return RC_OK;
}

enum rc wire_audit_next(struct wire_audit_walk *w,
                        const struct wire_audit_row *r)
{
    uint8_t hash[32];
    uint64_t gone;
    if (!w->n)
        TRY(first_row(w, r));
    else if (r->seq != w->seq + 1)
        return rc_raise(RC_VERIFY,
                        "audit: row %llu: missing, row %llu follows "
                        "row %llu",
                        (unsigned long long)w->seq + 1,
                        (unsigned long long)r->seq, (unsigned long long)w->seq);
    else if (memcmp(r->prev, w->hash, 32) != 0)
        return broken(r, "does not follow from the row before it");
    wire_audit_hash(hash, r);
    if (memcmp(hash, r->hash, 32) != 0)
        return broken(r, "is not what was hashed");
    if (wire_audit_pruned(&gone, hash, r) && gone == w->before &&
        memcmp(hash, w->before_hash, 32) == 0)
        w->anchored = true;
    w->seq = r->seq;
    memcpy(w->hash, r->hash, 32);
    w->n++;
    if (w->wants_head && memcmp(r->hash, w->head, 32) == 0)
        w->saw_head = true;
    return RC_OK;
}

enum rc wire_audit_end(const struct wire_audit_walk *w)
{
    if (w->n && !w->anchored)
        return rc_raise(RC_VERIFY,
                        "audit: row %llu: is the oldest, and no row says that "
                        "those before it were pruned",
                        (unsigned long long)w->first);
    if (w->wants_head && !w->saw_head)
        return rc_raise(RC_VERIFY,
                        "audit: row %llu is the newest, and the head that was "
                        "noted is not among the rows: rows at the end are gone "
                        "or others",
                        (unsigned long long)w->seq);
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit chain, docs/AUDIT.md. Part of wire/wire.h, which includes it last.
 */
#ifndef WIRE_AUDIT_H
#define WIRE_AUDIT_H

#include "wire/wire.h"

#define WIRE_MAX_AUDIT    500 /* rows in one answer */
#define WIRE_AUDIT_PRUNE  "audit prune"
#define WIRE_AUDIT_PRUNED "rows up to %llu, hash %64[0-9a-f]"

/* Texts: printable ASCII, cut at their size. */
struct wire_audit_row {
    uint64_t seq; /* from 1, no gaps */
    uint64_t at;
    uint8_t prev[32]; /* hash of the row before; zeros for the first */
    uint8_t hash[32];
    char actor[320];       /* a URI, or what a socket caller is */
    char method[128];      /* "POST /v1/sign" */
    char attestation[130]; /* "POLICY_HASH/AK" of an attested peer, or "" */
    char session[65];      /* hex, or "" */
    char result[33];       /* "ok", or a code */
    char detail[512];
};
/* GET /v1/audit?since=SEQ: rows after SEQ, and the newest row's hash. */
struct wire_audit {
    WIRE_LIST(struct wire_audit_row) rows;
    uint8_t head[32];
};
WIRE_MESSAGE(audit);
void wire_audit_hash(uint8_t out[32], const struct wire_audit_row *r);
/* Does this row say which rows were pruned? */
bool wire_audit_pruned(uint64_t *seq, uint8_t hash[32],
                       const struct wire_audit_row *r);
/*
 * A walk from the oldest kept row to the newest, zeroed at first. RC_VERIFY
 * names the first row that is broken. A chain whose front was pruned holds a
 * row that says so; wants_head: so must a row of this hash.
 */
struct wire_audit_walk {
    uint64_t n;
    uint64_t seq; /* of the newest row walked over */
    uint8_t hash[32];
    uint64_t first, before;
    uint8_t before_hash[32];
    bool anchored;
    bool wants_head, saw_head;
    uint8_t head[32];
};
MUST_CHECK enum rc wire_audit_next(struct wire_audit_walk *w,
                                   const struct wire_audit_row *r);
MUST_CHECK enum rc wire_audit_end(const struct wire_audit_walk *w);

#endif

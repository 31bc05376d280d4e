/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions that are kept: what comes, from a caller or a peer, is checked and
 * laid beside what is there, one record of each person, role and decision.
 * Nothing is stored that does not hold, and no more than has a place; what
 * takes something back always has one. Public data.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

#define LIVE_MAX 64   /* sessions of one requester that have not expired */
#define KEPT_MAX 5000 /* and with those that have, KEEP_EXPIRED_S long */

/* ---- at rest ---------------------------------------------------------------- */

enum rc session_load(struct wire_session *out, struct node *n,
                     const uint8_t id[32])
{
    OWNED_MEM uint8_t *json = NULL;
    size_t len;
    enum rc rc = store_session_get(n->w.store, id, &json, &len);
    if (rc == RC_UNKNOWN) {
        char hex[65];
        rc = rc_raise(RC_UNKNOWN, "session %.8s: not known here",
                      enc_hex(hex, id, 32));
        rc_hint("mpcsign request makes one");
    }
    TRY(rc);
    return wire_session_decode(out, (const char *)json, len);
}

enum rc session_noes(struct wire_session *out, struct node *n,
                     const uint8_t id[32])
{
    OWNED_MEM uint8_t *json = NULL;
    size_t len;
    TRY(store_session_noes(n->w.store, id, &json, &len));
    return json ? wire_session_decode(out, (const char *)json, len) : RC_OK;
}

/* ---- records that hold -------------------------------------------------------- */

/* One of each person, role and decision. */
struct kept {
    const struct wire_blob *at[POLICY_MAX_APPROVALS]; /* lent */
    struct policy_record r[POLICY_MAX_APPROVALS];
    unsigned n;
    unsigned max;
};

/* Versions stay readable once they were in force, so without the lock. */
enum rc session_record(struct policy_record *out, struct node *n,
                       const struct policy_session *s,
                       const struct wire_blob *record)
{
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    node_unlock(n);
    return policy_approval_check(out, p, s, record->p, record->len,
                                 n->w.now_s(n->w.ctx));
}

bool session_takes_back(const struct policy_record *r)
{
    return r->decision == POLICY_D_DENY || r->decision == POLICY_D_REVOKE;
}

static bool same(const struct policy_record *a, const struct policy_record *b)
{
    return a->decision == b->decision && strcmp(a->person, b->person) == 0 &&
           strcmp(a->role, b->role) == 0;
}

static bool smaller(const struct wire_blob *a, const struct wire_blob *b)
{
    size_t n = a->len < b->len ? a->len : b->len;
    int cmp = memcmp(a->p, b->p, n);
    return cmp < 0 || (cmp == 0 && a->len < b->len);
}

/* Full: an approval gives way to what takes something back. */
static enum rc find_room(unsigned *at, const struct kept *k,
                         const struct policy_record *r)
{
    if (k->n < k->max) {
        *at = k->n;
        return RC_OK;
    }
    for (unsigned i = k->n; session_takes_back(r) && i-- > 0;)
        if (!session_takes_back(&k->r[i])) {
            *at = i;
            return RC_OK;
        }
    return rc_raise(RC_TOO_LARGE, "session: more than %u records", k->max);
}

/*
 * Two credentials of a person make two records of one decision: the bytewise
 * smaller one stays, so that all nodes end with the same.
 */
static enum rc keep_record(struct kept *k, struct policy_record *out,
                           struct node *n, const struct policy_session *s,
                           const struct wire_blob *record, unsigned *place)
{
    struct policy_record r;
    unsigned at;
    TRY(session_record(&r, n, s, record));
    *out = r;
    if (r.decision == POLICY_D_REQUEST)
        return rc_raise(RC_POLICY, "session: a requester's record among the "
                                   "approvals");
    for (unsigned i = 0; i < k->n; i++)
        if (same(&k->r[i], &r)) {
            if (smaller(record, k->at[i]))
                k->at[i] = record;
            *place = i;
            return RC_OK;
        }
    TRY(find_room(&at, k, &r));
    k->r[at] = r;
    k->at[at] = record;
    k->n += at == k->n;
    *place = at;
    return RC_OK;
}

static enum rc check_request(struct policy_record *out, struct node *n,
                             const struct policy_session *s,
                             const struct wire_blob *record)
{
    struct policy_record r;
    TRY(session_record(&r, n, s, record));
    *out = r;
    if (r.decision != POLICY_D_REQUEST || strcmp(r.person, s->requester) != 0)
        return rc_raise(RC_POLICY,
                        "session: the requester's record is by %s as %s, want "
                        "%s as requester",
                        r.person, r.role, s->requester);
    return RC_OK;
}

/* ---- laid beside what is there -------------------------------------------------- */

void session_know(struct session_known *known, const struct wire_blob *b)
{
    if (known->n < SPREAD_RECORDS)
        hash256(known->hash[known->n++], b->p, b->len);
}

/* Which of what came holds: all of it, or it was a caller's mistake. */
static enum rc take_records(struct kept *k, struct session_known *known,
                            struct counters *seen, struct node *n,
                            uint16_t from, const struct policy_session *s,
                            const struct wire_session *in)
{
    for (size_t i = 0; i < in->approvals.n; i++) {
        unsigned at;
        struct policy_record r;
        enum rc rc = keep_record(k, &r, n, s, &in->approvals.at[i], &at);
        if (rc == RC_OK) {
            session_counter_see(seen, &r, &in->approvals.at[i]);
            session_know(known, &in->approvals.at[i]);
            hash256(known->kept, k->at[at]->p, k->at[at]->len);
        } else if (from == 0) {
            return rc;
        }
    }
    return RC_OK;
}

static enum rc write_kept(struct wire_session *out, const struct kept *k,
                          bool noes_only)
{
    unsigned count = 0;
    for (unsigned i = 0; i < k->n; i++)
        count += !noes_only || session_takes_back(&k->r[i]);
    TRY(wire_list_new(&out->approvals, count));
    for (unsigned i = 0, at = 0; i < k->n; i++)
        if (!noes_only || session_takes_back(&k->r[i]))
            TRY(wire_blob_set(&out->approvals.at[at++], k->at[i]->p,
                              k->at[i]->len));
    return RC_OK;
}

static enum rc merge(struct wire_session *out, struct wire_session *noes,
                     struct session_known *known, struct counters *seen,
                     struct node *n, uint16_t from,
                     const struct policy_session *s,
                     const struct wire_session *have,
                     const struct wire_session *in)
{
    const struct wire_blob *requester = &have->requester;
    struct kept k = { .max = POLICY_MAX_APPROVALS };
    struct policy_record r;
    if (in->requester.len) {
        TRY(check_request(&r, n, s, &in->requester));
        session_counter_see(seen, &r, &in->requester);
        session_know(known, &in->requester);
    }
    if (!requester->len || check_request(&r, n, s, requester) != RC_OK)
        requester = &in->requester;
    unsigned at;
    for (size_t i = 0; i < have->approvals.n; i++)
        if (keep_record(&k, &r, n, s, &have->approvals.at[i], &at) != RC_OK)
            continue; /* junk must not block the session */
    TRY(take_records(&k, known, seen, n, from, s, in));
    TRY(wire_blob_set(&out->descriptor, in->descriptor.p, in->descriptor.len));
    TRY(wire_blob_set(&out->requester, requester->p, requester->len));
    TRY(write_kept(out, &k, false));
    return write_kept(noes, &k, true);
}

/* ---- who may have what kept -------------------------------------------------------- */

/* The session by itself: its records are looked at one by one. */
static enum rc check_session(struct node *n, uint16_t from,
                             const struct policy_session *s,
                             const struct wire_blob *requester)
{
    struct policy_approved ignored;
    struct tlog_blob r = { requester->p, requester->len };
    const struct policy_raise raise = node_raise(n);
    node_lock(n);
    enum rc rc = policy_judge_raised(&ignored, policy_chain_head(n->chain),
                                     policy_chain_genesis(n->chain), s,
                                     r.len ? &r : NULL, NULL, 0,
                                     n->w.now_s(n->w.ctx), &raise);
    node_unlock(n);
    /* It is kept while its approvals are still coming in. */
    if (rc == RC_NOT_APPROVED && requester->len)
        return RC_OK;
    TRY(rc);
    if (from && !requester->len)
        return rc_raise(RC_NOT_APPROVED,
                        "session: not signed by its requester "
                        "%s",
                        s->requester);
    return RC_OK;
}

/* A person's own sessions never crowd out another's. Used ones are no longer
 * open. */
static enum rc check_room(struct node *n, const char *requester)
{
    unsigned live;
    unsigned all;
    TRY(store_sessions_of(n->w.store, requester, n->w.now_s(n->w.ctx), &live,
                          &all));
    /* unsigned ones: each that is gone from `live` was a signature */
    if (live < LIVE_MAX && (all < KEPT_MAX || !*requester))
        return RC_OK;
    enum rc rc = rc_raise(RC_TOO_LARGE,
                          "session: %s has %u open here and %u kept, at most "
                          "%d and %d",
                          *requester ? requester : "unsigned callers", live,
                          all, LIVE_MAX, KEPT_MAX);
    rc_hint("wait until some expire, or ask for shorter lives with --ttl");
    return rc;
}

static enum rc keep(struct node *n, const struct policy_session *s,
                    const struct wire_session *both,
                    const struct wire_session *noes,
                    const struct counters *seen)
{
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *noes_json = NULL;
    struct store_session in = { .requester = both->requester.len ? s->requester
                                                                 : "",
                                .created = s->created,
                                .expires = s->expires,
                                .counter = seen->at,
                                .n_counters = seen->n };
    TRY(wire_session_encode(&json, &in.json_len, both));
    if (noes->approvals.n) {
        TRY(wire_session_encode(&noes_json, &in.noes_len, noes));
        node_lock(n);
        n->noes = true; /* before it is there: read for nothing at worst */
        node_unlock(n);
    }
    memcpy(in.id, s->id, 32);
    in.json = json;
    in.noes = noes_json;
    return store_session_put(n->w.store, &in);
}

static bool same_records(const struct wire_session *a,
                         const struct wire_session *b)
{
    if (a->approvals.n != b->approvals.n ||
        a->requester.len != b->requester.len)
        return false;
    for (size_t i = 0; i < a->approvals.n; i++)
        if (a->approvals.at[i].len != b->approvals.at[i].len ||
            memcmp(a->approvals.at[i].p, b->approvals.at[i].p,
                   a->approvals.at[i].len) != 0)
            return false;
    return true;
}

/* Under release_lock for writing. */
static enum rc take(struct session_known *known, struct node *n, uint16_t from,
                    const struct policy_session *s,
                    const struct wire_session *in)
{
    WIRE(session) have = { 0 };
    WIRE(session) both = { 0 };
    WIRE(session) noes = { 0 };
    struct counters seen = { .n = 0 };
    enum rc rc = session_load(&have, n, s->id);
    if (rc != RC_OK && rc != RC_UNKNOWN)
        return rc;
    TRY(check_session(n, from, s,
                      have.requester.len ? &have.requester : &in->requester));
    if (rc == RC_UNKNOWN)
        TRY(check_room(n, in->requester.len ? s->requester : ""));
    TRY(merge(&both, &noes, known, &seen, n, from, s, &have, in));
    TRY(session_counters_compare(&seen, n, from, s, &have));
    if (rc == RC_UNKNOWN || !same_records(&have, &both) || seen.n)
        TRY(keep(n, s, &both, &noes, &seen));
    node_lock(n);
    spread_note(n, from, s, &both, noes.approvals.n > 0);
    if (from)
        spread_heard(n, from, s->id, known);
    else
        spread_offer(n, s->id, known);
    node_unlock(n);
    return RC_OK;
}

enum rc session_take(struct session_known *known, struct node *n, uint16_t from,
                     const struct wire_session *in)
{
    struct policy_session s;
    struct session_known found = { .n = 0, .kept = { 0 } };
    TRY(policy_session_parse(&s, in->descriptor.p, in->descriptor.len));
    pthread_rwlock_wrlock(&n->release_lock);
    enum rc rc = take(&found, n, from, &s, in);
    pthread_rwlock_unlock(&n->release_lock);
    TRY(rc);
    *known = found;
    return RC_OK;
}

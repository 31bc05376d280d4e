/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spreading, part two: what a peer lacks is sent until it says that it holds
 * it or the session expires; peers that meet are offered the rest. Who denied
 * or revoked waits for enough of them.
 */
#include "sidecar/inner.h"

#include <string.h>

#include "base/hash.h"

#define PUT_MS      2000
#define PATIENCE_MS 3000 /* of who denied or revoked */
#define FLYING_MAX  4    /* calls under way to one peer */
#define PUT_BYTES   (256 * 1024)
#define FIRST_MS    250
#define LAST_MS     10000

static uint64_t all_of(const struct spread *e)
{
    return e->n ? UINT64_MAX >> (64 - e->n) : 0;
}

/* ---- offering ------------------------------------------------------------------------ */

void spread_meet(struct node *n, uint16_t peer)
{
    node_lock(n);
    struct spread_pace *pace = spread_pace_of(n, peer);
    for (struct spread *e = n->spread; e; e = e->next) {
        struct spread_peer *p = spread_peer_of(e, peer);
        if (!p || !e->is_signed)
            continue;
        p->want = all_of(e) & ~p->held;
        p->after_ms = 0;
    }
    if (pace)
        pace->after_ms = 0;
    node_unlock(n);
    spread_pump(n);
}

void spread_again(struct node *n, const uint8_t id[32])
{
    node_lock(n);
    struct spread *e = spread_find(n, id);
    for (unsigned i = 0; e && e->is_signed && i < e->n_peers; i++)
        e->peer[i].want = all_of(e) & ~e->peer[i].held;
    node_unlock(n);
    if (e)
        spread_pump(n);
}

/* One call under way. */
struct flight {
    struct flight *next; /* of all that are under way */
    uint16_t to;
    unsigned n;
    struct {
        uint8_t id[32];
        uint8_t hash[SPREAD_RECORDS][32]; /* of those that are sent */
        unsigned n;
    } at[WIRE_MAX_PUT];
};

static void flight_free(struct node *n, struct flight *f)
{
    struct flight **at = &n->flights;
    while (*at && *at != f)
        at = &(*at)->next;
    if (*at)
        *at = f->next;
    free(f);
}

static void load(struct flight *f, struct spread *e, struct spread_peer *p)
{
    uint64_t now = p->want & ~p->held & ~p->sent;
    memcpy(f->at[f->n].id, e->id, 32);
    f->at[f->n].n = 0;
    for (unsigned i = 0; i < e->n; i++)
        if (now >> i & 1)
            memcpy(f->at[f->n].hash[f->at[f->n].n++], e->hash[i], 32);
    p->sent |= now;
    f->n++;
}

/* Under lock. What this peer is to be sent now, urgent sessions first. */
static void choose(struct flight *f, struct node *n, int64_t now_ms)
{
    for (int urgent = 1; urgent >= 0; urgent--)
        for (struct spread *e = n->spread; e; e = e->next) {
            struct spread_peer *p = spread_peer_of(e, f->to);
            if (e->urgent != (urgent != 0) || !p || f->n == WIRE_MAX_PUT ||
                now_ms < p->after_ms || !(p->want & ~p->held & ~p->sent))
                continue;
            load(f, e, p);
        }
}

static bool is_sent(const struct flight *f, unsigned i,
                    const struct wire_blob *b)
{
    uint8_t hash[32];
    hash256(hash, b->p, b->len);
    for (unsigned k = 0; k < f->at[i].n; k++)
        if (memcmp(f->at[i].hash[k], hash, 32) == 0)
            return true;
    return false;
}

/* The descriptor and the requester's record always, of the others what lacks. */
static enum rc fill(struct wire_session *out, struct node *n,
                    const struct flight *f, unsigned i, size_t *bytes)
{
    WIRE(session) have = { 0 };
    size_t count = 0;
    TRY(session_load(&have, n, f->at[i].id));
    TRY(wire_blob_set(&out->descriptor, have.descriptor.p,
                      have.descriptor.len));
    TRY(wire_blob_set(&out->requester, have.requester.p, have.requester.len));
    TRY(wire_list_new(&out->approvals, have.approvals.n));
    *bytes += have.descriptor.len + have.requester.len;
    for (size_t k = 0; k < have.approvals.n; k++) {
        const struct wire_blob *b = &have.approvals.at[k];
        if (!is_sent(f, i, b))
            continue;
        TRY(wire_blob_set(&out->approvals.at[count++], b->p, b->len));
        *bytes += b->len;
    }
    out->approvals.n = count;
    return RC_OK;
}

/* What does not fit waits for the next call. */
static enum rc encode(char **json, size_t *len, struct node *n,
                      struct flight *f, unsigned *fitted)
{
    WIRE(session_put) m = { 0 };
    size_t bytes = 0;
    unsigned count = 0;
    TRY(wire_list_new(&m.sessions, f->n));
    while (count < f->n && (count == 0 || bytes < PUT_BYTES)) {
        TRY(fill(&m.sessions.at[count], n, f, count, &bytes));
        count++;
    }
    m.sessions.n = count;
    *fitted = count;
    enum rc rc = wire_session_put_encode(json, len, &m);
    m.sessions.n = f->n;
    return rc;
}

/* Under lock. They are under way no more, from the first-th on. */
static void landed(struct node *n, const struct flight *f, unsigned first)
{
    for (unsigned i = first; i < f->n; i++) {
        struct spread *e = spread_find(n, f->at[i].id);
        struct spread_peer *p = e ? spread_peer_of(e, f->to) : NULL;
        for (unsigned k = 0; p && k < f->at[i].n; k++) {
            unsigned at = spread_place(e, f->at[i].hash[k]);
            if (at < e->n)
                p->sent &= ~(UINT64_C(1) << at);
        }
    }
}

/* ---- answers ------------------------------------------------------------------------------ */

static int64_t pause_ms(unsigned *tries)
{
    int64_t ms = *tries < 6 ? (int64_t)FIRST_MS << *tries : LAST_MS;
    *tries += *tries < 6;
    return ms < LAST_MS ? ms : LAST_MS;
}

/* Of what this call brought it; more may have come since. */
static bool lacks(const struct spread *e, const struct spread_peer *p,
                  const struct flight *f, unsigned i)
{
    for (unsigned k = 0; k < f->at[i].n; k++) {
        unsigned at = spread_place(e, f->at[i].hash[k]);
        if (at < e->n && !(p->held >> at & 1))
            return true;
    }
    return false;
}

/* Under lock. Not taken, or not all of it: later again, until it expires. */
static void take_known(struct node *n, const struct flight *f, unsigned i,
                       const struct wire_session_known *in, int64_t now_ms)
{
    struct spread *e = spread_find(n, f->at[i].id);
    struct spread_peer *p = e ? spread_peer_of(e, f->to) : NULL;
    if (!p || memcmp(in->session, e->id, 32) != 0)
        return;
    for (size_t k = 0; strcmp(in->code, rc_slug(RC_OK)) == 0 && k < in->known.n;
         k++)
        spread_learn(e, f->to, in->known.at[k].b);
    if (lacks(e, p, f, i))
        p->after_ms = now_ms + pause_ms(&p->tries);
    else
        p->tries = 0;
}

static bool says(const struct wire_session_held *in, enum rc rc)
{
    for (size_t i = 0; i < in->sessions.n; i++)
        if (strcmp(in->sessions.at[i].code, rc_slug(rc)) == 0)
            return true;
    return false;
}

static void check_waiters(struct node *n);

static void put_came(struct node *n, void *arg, uint32_t extra, enum rc rc,
                     const uint8_t *body, size_t len)
{
    struct flight *f = arg;
    WIRE(session_held) in = { 0 };
    int64_t now_ms = n->w.now_ms(n->w.ctx);
    (void)extra;
    if (rc == RC_OK)
        rc = wire_session_held_decode(&in, (const char *)body, len);
    node_lock(n);
    struct spread_pace *pace = spread_pace_of(n, f->to);
    landed(n, f, 0);
    for (unsigned i = 0; rc == RC_OK && i < f->n && i < in.sessions.n; i++)
        take_known(n, f, i, &in.sessions.at[i], now_ms);
    if (pace) {
        pace->flying--;
        if (rc == RC_OK)
            pace->tries = 0;
        pace->after_ms = rc == RC_OK ? 0 : now_ms + pause_ms(&pace->tries);
    }
    node_unlock(n);
    if (rc == RC_OK && says(&in, RC_POLICY_CHANGED)) {
        govern_tell(n, f->to); /* one of us is behind */
        govern_ask(n, f->to);
    }
    flight_free(n, f);
    check_waiters(n);
    spread_pump(n);
}

/* False: nothing to send to it now. */
static bool send_to(struct node *n, uint16_t to)
{
    int64_t now_ms = n->w.now_ms(n->w.ctx);
    OWNED_MEM char *json = NULL;
    size_t len = 0;
    struct flight *f = calloc(1, sizeof(*f));
    if (!f)
        return false;
    f->to = to;
    node_lock(n);
    struct spread_pace *pace = spread_pace_of(n, to);
    if (pace && now_ms >= pace->after_ms && pace->flying < FLYING_MAX)
        choose(f, n, now_ms);
    if (f->n)
        pace->flying++;
    node_unlock(n);
    unsigned fitted = 0;
    enum rc rc = f->n ? encode(&json, &len, n, f, &fitted) : RC_UNKNOWN;
    if (rc != RC_OK) {
        node_lock(n);
        landed(n, f, 0);
        if (f->n) { /* our own store or memory: in a while */
            pace->flying--;
            pace->after_ms = now_ms + pause_ms(&pace->tries);
        }
        node_unlock(n);
        free(f);
        return false;
    }
    node_lock(n);
    landed(n, f, fitted);
    f->n = fitted;
    node_unlock(n);
    f->next = n->flights;
    n->flights = f;
    node_send(n, to, "/v1/session/put", json, len, now_ms + PUT_MS, put_came, f,
              to);
    return true;
}

void spread_pump(struct node *n)
{
    uint16_t to[POLICY_MAX_NODES];
    unsigned n_to = 0;
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    for (unsigned i = 0; n->spread && i < p->n_nodes; i++)
        if (p->node[i].id != n->id)
            to[n_to++] = p->node[i].id;
    node_unlock(n);
    for (unsigned i = 0; i < n_to; i++)
        while (send_to(n, to[i]))
            ;
}

/* ---- who waits ------------------------------------------------------------------------------- */

static void answer(struct node *n, const struct waiter *w, uint64_t nodes,
                   uint64_t need)
{
    struct wire_decided out = { .nodes = nodes,
                                .need = need,
                                .stands = nodes >= need };
    char *json = NULL;
    size_t len = 0;
    memcpy(out.session, w->session, 32);
    enum rc rc = wire_decided_encode(&json, &len, &out);
    node_answer(n, w->call, rc, json, len);
}

static void check_waiters(struct node *n)
{
    int64_t now_ms = n->w.now_ms(n->w.ctx);
    for (unsigned i = n->n_waiters; i-- > 0;) {
        struct waiter w = n->waiter[i];
        uint64_t nodes;
        uint64_t need;
        node_lock(n);
        spread_count(n, w.session, w.record, &nodes, &need);
        node_unlock(n);
        if (nodes < need && now_ms < w.deadline_ms)
            continue;
        n->waiter[i] = n->waiter[--n->n_waiters];
        answer(n, &w, nodes, need);
    }
}

void spread_wait(struct node *n, uint64_t call, const uint8_t id[32],
                 const uint8_t hash[32], bool patient)
{
    struct waiter w = { .call = call };
    int64_t ms = patient && n->n_waiters < WAITERS_MAX - 1 ? PATIENCE_MS : 0;
    memcpy(w.session, id, 32);
    memcpy(w.record, hash, 32);
    w.deadline_ms = n->w.now_ms(n->w.ctx) + ms;
    n->waiter[n->n_waiters++] = w;
    spread_pump(n);
    check_waiters(n);
}

/* ---- life -------------------------------------------------------------------------------------- */

void spread_tick(struct node *n)
{
    node_lock(n);
    spread_prune(n);
    node_unlock(n);
    check_waiters(n);
    spread_pump(n);
}

void spread_send_free(struct node *n)
{
    while (n->flights)
        flight_free(n, n->flights);
}

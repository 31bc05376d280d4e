/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spreading, part one: which records a live session has, and which of them
 * each peer is known to hold. A record that a caller brought is wanted for
 * every peer; what a peer brought is sent on to nobody: no loop, and each
 * record crosses once. In memory only: after a start everything is offered
 * once more.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

#define SLACK_S    60   /* of clocks */
#define SPREAD_MAX 4096 /* as many as 64 persons may have open */

/* ---- live sessions ------------------------------------------------------------ */

struct spread *spread_find(const struct node *n, const uint8_t id[32])
{
    struct spread *e = n->spread;
    while (e && memcmp(e->id, id, 32) != 0)
        e = e->next;
    return e;
}

unsigned spread_place(const struct spread *e, const uint8_t hash[32])
{
    unsigned i = 0;
    while (i < e->n && memcmp(e->hash[i], hash, 32) != 0)
        i++;
    return i;
}

static uint64_t all_of(const struct spread *e)
{
    return e->n ? UINT64_MAX >> (64 - e->n) : 0;
}

/* Under lock. Every other node of the policy in force. */
static struct spread *make(struct node *n, const struct policy_session *s)
{
    const struct policy *p = policy_chain_head(n->chain);
    struct spread *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->peer = calloc(p->n_nodes + 1, sizeof(*e->peer));
    if (!e->peer) {
        free(e);
        return NULL;
    }
    for (unsigned i = 0; i < p->n_nodes; i++)
        if (p->node[i].id != n->id)
            e->peer[e->n_peers++].node = p->node[i].id;
    memcpy(e->id, s->id, 32);
    memcpy(e->policy, s->policy, 32);
    if (s->type == POLICY_S_SIGN && s->has_profile)
        snprintf(e->profile, sizeof(e->profile), "%s", s->profile);
    e->expires = s->expires;
    e->next = n->spread;
    n->spread = e;
    return e;
}

static void drop(struct spread **at)
{
    struct spread *e = *at;
    *at = e->next;
    free(e->peer);
    free(e);
}

/* ---- what a session has ---------------------------------------------------------- */

static uint64_t moved(uint64_t bits, const unsigned to[SPREAD_RECORDS],
                      unsigned n)
{
    uint64_t out = 0;
    for (unsigned i = 0; i < n; i++)
        if ((bits >> i & 1) && to[i] < SPREAD_RECORDS)
            out |= UINT64_C(1) << to[i];
    return out;
}

static void add_hash(struct spread *e, const struct wire_blob *b)
{
    if (e->n == SPREAD_RECORDS)
        return;
    hash256(e->hash[e->n++], b->p, b->len);
}

/* The records that are kept now; what is known of those that stayed stays. */
static uint64_t take_hashes(struct spread *e, const struct wire_session *kept)
{
    struct spread was = *e;
    unsigned to[SPREAD_RECORDS];
    uint64_t old = 0;
    e->n = 0;
    e->is_signed = kept->requester.len > 0;
    if (e->is_signed)
        add_hash(e, &kept->requester);
    for (size_t i = 0; i < kept->approvals.n; i++)
        add_hash(e, &kept->approvals.at[i]);
    for (unsigned i = 0; i < was.n; i++) {
        to[i] = spread_place(e, was.hash[i]);
        if (to[i] == e->n)
            to[i] = SPREAD_RECORDS;
        else
            old |= UINT64_C(1) << to[i];
    }
    for (unsigned i = 0; i < e->n_peers; i++) {
        struct spread_peer *p = &e->peer[i];
        p->held = moved(p->held, to, was.n);
        p->want = moved(p->want, to, was.n);
        p->sent = moved(p->sent, to, was.n);
    }
    return all_of(e) & ~old;
}

void spread_note(struct node *n, uint16_t from, const struct policy_session *s,
                 const struct wire_session *kept, bool urgent)
{
    struct spread *e = spread_find(n, s->id);
    if (!e)
        e = make(n, s);
    if (!e)
        return; /* out of memory: it is kept, and offered after a restart */
    uint64_t fresh = take_hashes(e, kept);
    e->urgent = urgent;
    for (unsigned i = 0; from == 0 && e->is_signed && i < e->n_peers; i++) {
        e->peer[i].want |= fresh;
        e->peer[i].after_ms = 0;
    }
}

void spread_offer(struct node *n, const uint8_t id[32],
                  const struct session_known *brought)
{
    struct spread *e = spread_find(n, id);
    uint64_t bits = 0;
    if (!e || !e->is_signed)
        return;
    for (unsigned i = 0; i < e->n; i++) {
        bool ours = memcmp(e->hash[i], brought->kept, 32) == 0;
        for (unsigned k = 0; !ours && k < brought->n; k++)
            ours = memcmp(e->hash[i], brought->hash[k], 32) == 0;
        bits |= (uint64_t)ours << i;
    }
    for (unsigned i = 0; i < e->n_peers; i++)
        e->peer[i].want |= bits & ~e->peer[i].held;
}

struct spread_peer *spread_peer_of(const struct spread *e, uint16_t node)
{
    for (unsigned i = 0; i < e->n_peers; i++)
        if (e->peer[i].node == node)
            return &e->peer[i];
    return NULL;
}

void spread_learn(struct spread *e, uint16_t node, const uint8_t hash[32])
{
    struct spread_peer *p = spread_peer_of(e, node);
    unsigned i = spread_place(e, hash);
    if (!p || i == e->n)
        return;
    p->held |= UINT64_C(1) << i;
    p->want &= ~p->held;
}

struct spread_pace *spread_pace_of(struct node *n, uint16_t node)
{
    for (unsigned i = 0; i < n->n_paces; i++)
        if (n->pace[i].node == node)
            return &n->pace[i];
    if (n->n_paces == POLICY_MAX_NODES)
        return NULL;
    n->pace[n->n_paces] = (struct spread_pace){ .node = node };
    return &n->pace[n->n_paces++];
}

void spread_heard(struct node *n, uint16_t from, const uint8_t id[32],
                  const struct session_known *known)
{
    struct spread *e = spread_find(n, id);
    struct spread_pace *pace = spread_pace_of(n, from);
    for (unsigned i = 0; e && i < known->n; i++)
        spread_learn(e, from, known->hash[i]);
    if (pace) { /* it is there */
        pace->tries = 0;
        pace->after_ms = 0;
    }
}

bool spread_has(const struct node *n, const uint8_t id[32],
                const struct session_known *all)
{
    const struct spread *e = spread_find(n, id);
    bool has = e != NULL;
    for (unsigned i = 0; has && i < all->n; i++)
        has = spread_place(e, all->hash[i]) < e->n;
    return has;
}

/* ---- who holds what ----------------------------------------------------------------- */

/* Those whose holding counts: who could help to sign, else everyone. */
static bool counts(const struct policy_profile *f, uint16_t node)
{
    bool in = !f;
    for (unsigned i = 0; f && i < f->n_nodes; i++)
        in = in || f->nodes[i] == node;
    return in;
}

void spread_count(struct node *n, const uint8_t id[32], const uint8_t hash[32],
                  uint64_t *nodes, uint64_t *need)
{
    const struct policy *p = policy_chain_head(n->chain);
    const struct spread *e = spread_find(n, id);
    const struct policy_profile *f = e && e->profile[0] ? policy_profile_find(
                                                                  p, e->profile)
                                                        : NULL;
    unsigned at = e ? spread_place(e, hash) : 0;
    *nodes = counts(f, n->id);
    *need = f ? f->n_nodes - f->threshold + 1u : p->n_nodes;
    for (unsigned i = 0; e && at < e->n && i < e->n_peers; i++)
        *nodes += counts(f, e->peer[i].node) && (e->peer[i].held >> at & 1);
}

/* ---- life -------------------------------------------------------------------------------------- */

static enum rc load_one(void *ctx, const char *name, uint64_t expires,
                        const uint8_t *id, size_t id_len, const uint8_t *json,
                        size_t len)
{
    struct node *n = ctx;
    WIRE(session) kept = { 0 };
    WIRE(session) noes = { 0 };
    struct policy_session s;
    (void)name;
    (void)expires;
    if (id_len != 32 ||
        wire_session_decode(&kept, (const char *)json, len) != RC_OK ||
        policy_session_parse(&s, kept.descriptor.p, kept.descriptor.len) !=
                RC_OK)
        return RC_OK; /* nothing another node would take */
    TRY(session_noes(&noes, n, id));
    n->noes = n->noes || noes.approvals.n > 0;
    spread_note(n, 0, &s, &kept, noes.approvals.n > 0);
    return RC_OK;
}

enum rc spread_load(struct node *n)
{
    TRY(store_session_any_noes(n->w.store, &n->noes));
    return store_sessions(n->w.store, n->w.now_s(n->w.ctx), SPREAD_MAX,
                          load_one, n);
}

void spread_prune(struct node *n)
{
    int64_t now_s = n->w.now_s(n->w.ctx);
    const struct policy *p = policy_chain_head(n->chain);
    for (struct spread **at = &n->spread; *at;)
        if ((*at)->expires + SLACK_S < now_s ||
            memcmp((*at)->policy, p->sha256, 32) != 0)
            drop(at);
        else
            at = &(*at)->next;
}

void spread_free(struct node *n)
{
    while (n->spread)
        drop(&n->spread);
    spread_send_free(n);
}

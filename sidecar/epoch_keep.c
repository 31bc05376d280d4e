/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Until everyone is in the same epoch: a node that still holds a share of an
 * older one shows each member of the newer where the key lives, collects
 * their acknowledgements, and when it has all erases what it holds. So a
 * driver that dies after the certificate loses nothing: any holder goes on.
 * And a lead shows a peer that refused for its epoch the same, and hears. Who
 * was away, or runs from an older copy of its disk, asks when it starts.
 */
#include "sidecar/epoch_views.h"
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

#define KEEP_EVERY_MS 3000
#define MEET_MS       2000
#define ASK_EVERY_MS  30000
#define ASK_FIRST     3 /* so often as it keeps, after the start */

/* Acknowledgements of one key's epoch, as they come in. */
struct epoch_keep {
    struct epoch_keep *next;
    const struct key *key;
    uint64_t epoch;
    unsigned n;
    uint16_t node[TLOG_MAX_NODES];
    uint8_t ack[TLOG_MAX_NODES][64];
    bool have[TLOG_MAX_NODES];
};

void epoch_keep_free(struct node *n)
{
    while (n->keeps) {
        struct epoch_keep *next = n->keeps->next;
        free(n->keeps);
        n->keeps = next;
    }
}

/* ---- what a peer answers ---------------------------------------------------------- */

static struct epoch_keep *keep_of(struct node *n, const struct key *key)
{
    struct epoch_keep *k = n->keeps;
    while (k && k->key != key)
        k = k->next;
    return k;
}

static void all_acknowledged(struct node *n, const struct epoch_keep *k)
{
    for (unsigned i = 0; i < k->n; i++)
        if (!k->have[i])
            return;
    if (epoch_retire(n, k->key->name, k->epoch, (const uint8_t(*)[64])k->ack,
                     k->n) != RC_OK)
        return; /* the next turn tries again */
}

static void note_ack(struct node *n, const struct key *key,
                     const struct wire_epoch_where *in)
{
    struct epoch_keep *k = keep_of(n, key);
    if (!k || in->epoch != k->epoch || in->ack.n == 0)
        return;
    for (unsigned i = 0; i < k->n; i++)
        if (k->node[i] == in->node) {
            memcpy(k->ack[i], in->ack.at[0].ack, 64);
            k->have[i] = true;
        }
    all_acknowledged(n, k);
}

/* It may be asked again, unless it has lost its share: that takes a repair. */
static void met(struct node *n, const struct key *key, uint16_t from,
                const struct wire_epoch_where *in)
{
    struct peer *p = node_peer(n, from);
    if (!p || !p->moving)
        return;
    node_lock(n);
    bool same = in->epoch == key->live.epoch;
    node_unlock(n);
    if (!same)
        return; /* it rests a little, and we meet again */
    p->moving = false;
    p->down_until_ms = 0;
    if (in->share)
        return;
    (void)rc_raise(RC_UNKNOWN, "has no share of epoch %llu",
                   (unsigned long long)in->epoch);
    peer_down(n, from, TIMEOUT_DOWN_MS, RC_UNKNOWN);
    p->lost = true;
}

static void heard(struct node *n, void *arg, uint32_t from, enum rc rc,
                  const uint8_t *body, size_t len)
{
    const struct key *key = arg;
    WIRE(epoch_where) in = { 0 };
    if (rc == RC_OK)
        rc = wire_epoch_where_decode(&in, (const char *)body, len);
    if (rc == RC_OK && in.newer.n)
        rc = epoch_take(n, &in.newer.at[0]);
    if (rc != RC_OK)
        return; /* it is shown again when it refuses again */
    if (in.node == from) {
        note_ack(n, key, &in);
        epoch_views_heard(n, key, (uint16_t)from, in.epoch, in.share);
    }
    met(n, key, (uint16_t)from, &in);
    lead_pump(n);
}

/* A birth that it missed: it may have a share to activate. */
static void told(struct node *n, void *arg, uint32_t to, enum rc rc,
                 const uint8_t *body, size_t len)
{
    (void)arg;
    (void)body;
    (void)len;
    struct peer *p = rc == RC_OK ? node_peer(n, (uint16_t)to) : NULL;
    if (!p)
        return; /* it is tried again when it is asked to sign again */
    p->down_until_ms = 0;
    lead_pump(n);
}

static void send_birth(struct node *n, uint16_t to, const struct key *key)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    if (wire_birth_encode(&json, &len, &key->evidence) == RC_OK)
        node_send(n, to, "/v1/epoch/activate", json, len,
                  n->w.now_ms(n->w.ctx) + ROUND_MS, told, NULL, to);
}

void epoch_meet(struct node *n, uint16_t to, const struct key *key)
{
    WIRE(epoch_live) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    node_lock(n);
    bool born = key->live.cert.cert.votes.n == 0;
    enum rc rc = keys_live_wire(&m, key);
    node_unlock(n);
    if (rc != RC_OK || wire_epoch_live_encode(&json, &len, &m) != RC_OK)
        return;
    if (born)
        send_birth(n, to, key);
    node_send(n, to, "/v1/epoch/live", json, len,
              n->w.now_ms(n->w.ctx) + MEET_MS, heard, (void *)(uintptr_t)key,
              to);
}

/* ---- keeping at it ------------------------------------------------------------------ */

/* Under lock. Whose acknowledgements are wanted. */
static struct epoch_keep *keep_begin(struct node *n, const struct key *key)
{
    struct epoch_keep *k = keep_of(n, key);
    const struct wire_cert *c = keys_cert(key);
    if (!k) {
        k = calloc(1, sizeof(*k));
        if (!k)
            return NULL;
        k->key = key;
        k->next = n->keeps;
        n->keeps = k;
    }
    if (k->epoch != key->live.epoch) {
        k->epoch = key->live.epoch;
        k->n = 0;
        memset(k->have, 0, sizeof(k->have));
        for (size_t i = 0; i < c->votes.n && i < TLOG_MAX_NODES; i++)
            k->node[k->n++] = (uint16_t)c->votes.at[i].node;
    }
    for (unsigned i = 0; i < k->n; i++)
        if (k->node[i] == n->id && key->live.has_ack) {
            k->have[i] = true; /* it may have waited for its pieces */
            memcpy(k->ack[i], key->live.ack, 64);
        }
    return k;
}

unsigned epoch_waits(uint16_t *out, const struct node *n, const struct key *key)
{
    unsigned waits = 0;
    const struct epoch_keep *k = n->keeps;
    const struct wire_cert *c = keys_cert(key);
    if (key->live.retired || key->live.gone)
        return 0;
    while (k && (k->key != key || k->epoch != key->live.epoch))
        k = k->next;
    for (size_t i = 0; i < c->votes.n && i < TLOG_MAX_NODES; i++) {
        uint16_t node = (uint16_t)c->votes.at[i].node;
        bool have = node == n->id && key->live.has_ack;
        for (unsigned j = 0; k && j < k->n; j++)
            have = have || (k->node[j] == node && k->have[j]);
        if (!have)
            out[waits++] = node;
    }
    return waits;
}

static void keep_on(struct node *n, const struct key *key)
{
    node_lock(n);
    bool open = key->live.cert.cert.votes.n && !key->live.retired;
    struct epoch_keep *k = open ? keep_begin(n, key) : NULL;
    node_unlock(n);
    if (!k)
        return;
    all_acknowledged(n, k);
    for (unsigned i = 0; i < k->n; i++)
        if (!k->have[i] && k->node[i] != n->id)
            epoch_meet(n, k->node[i], key);
}

/* ---- asking ------------------------------------------------------------------------- */

static void found(struct node *n, void *arg, uint32_t from, enum rc rc,
                  const uint8_t *body, size_t len)
{
    WIRE(epoch_found) in = { 0 };
    uint8_t id[32];
    if (rc == RC_OK)
        rc = wire_epoch_found_decode(&in, (const char *)body, len);
    if (rc == RC_OK && in.node == from)
        epoch_views_heard(n, arg, (uint16_t)from, in.epoch, in.share);
    if (rc == RC_OK && in.newer.n)
        rc = epoch_take(n, &in.newer.at[0]);
    if (rc == RC_OK && in.gone.n) {
        hash256(id, in.gone.at[0].cert.group_key, 32);
        rc = epoch_take_gone(n, id, &in.gone.at[0]);
    }
    if (rc != RC_OK)
        return; /* it is asked again */
    lead_pump(n);
}

static void ask_all(struct node *n, const char *name)
{
    uint16_t to[POLICY_MAX_NODES];
    unsigned n_to = 0;
    struct wire_epoch_look m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    const struct key *key = node_key_by_name(n, name);
    snprintf(m.name, sizeof(m.name), "%s", name);
    m.epoch = key ? key->live.epoch : 0;
    for (unsigned i = 0; i < p->n_nodes; i++)
        if (p->node[i].id != n->id)
            to[n_to++] = p->node[i].id;
    node_unlock(n);
    if (wire_epoch_look_encode(&json, &len, &m) != RC_OK)
        return;
    for (unsigned i = 0; i < n_to; i++)
        node_send(n, to[i], "/v1/epoch/look", json, len,
                  n->w.now_ms(n->w.ctx) + MEET_MS, found,
                  (void *)(uintptr_t)key, to[i]);
}

/* Of every key that the policy has, whether we have heard of it or not. */
static void ask_of_each(struct node *n)
{
    char name[POLICY_NAME_MAX];
    for (unsigned i = 0;; i++) {
        node_lock(n);
        const struct policy *p = policy_chain_head(n->chain);
        bool more = i < p->n_profiles;
        const struct policy_profile *f = more ? &p->profile[i] : NULL;
        bool own = f && !f->ephemeral && !f->has_key_of;
        if (own)
            snprintf(name, sizeof(name), "%s", f->name);
        node_unlock(n);
        if (!more)
            return;
        if (own)
            ask_all(n, name);
    }
}

void epoch_tick(struct node *n)
{
    unsigned n_keys = node_n_keys(n);
    int64_t now = n->w.now_ms(n->w.ctx);
    for (unsigned i = 0; i < n_keys; i++)
        if (!n->key[i].round)
            keys_settle(n, &n->key[i]);
    if (now < n->keep_after_ms)
        return;
    n->keep_after_ms = now + KEEP_EVERY_MS;
    for (unsigned i = 0; i < n_keys; i++)
        keep_on(n, &n->key[i]);
    if (now < n->ask_epochs_after_ms)
        return;
    n->ask_epochs_after_ms = ++n->epoch_asks < ASK_FIRST ? now
                                                         : now + ASK_EVERY_MS;
    ask_of_each(n);
}

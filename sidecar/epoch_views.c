/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where each key lives as its nodes see it, and what an operator should do
 * next. Peers say it when they are asked, every 30 seconds, and whenever a
 * move shows them; nothing here is believed for more than these words.
 */
#include "sidecar/epoch_views.h"

#include <stdio.h>
#include <string.h>

#include "sidecar/inner.h"

struct view {
    uint16_t node; /* 0: unused */
    uint64_t epoch;
    bool share;
    int64_t at_ms;
};
struct epoch_views {
    struct view of[POLICY_MAX_PROFILES][POLICY_MAX_NODES]; /* beside key[] */
};

void epoch_views_free(struct node *n)
{
    free(n->views);
    n->views = NULL;
}

void epoch_views_heard(struct node *n, const struct key *key, uint16_t from,
                       uint64_t epoch, bool share)
{
    if (!key || key->once)
        return;
    if (!n->views)
        n->views = calloc(1, sizeof(*n->views));
    if (!n->views)
        return; /* it is heard again */
    struct view *row = n->views->of[key - n->key];
    for (unsigned i = 0; i < POLICY_MAX_NODES; i++) {
        if (row[i].node && row[i].node != from)
            continue;
        row[i] = (struct view){ from, epoch, share, n->w.now_ms(n->w.ctx) };
        return;
    }
}

static const struct view *view_of(const struct node *n, const struct key *key,
                                  uint16_t node)
{
    for (unsigned i = 0; n->views && i < POLICY_MAX_NODES; i++) {
        const struct view *v = &n->views->of[key - n->key][i];
        if (v->node == node)
            return v;
    }
    return NULL;
}

/* ---- one key, as JSON -------------------------------------------------------- */

/* ok, behind, lost, or unknown: it has not said yet */
static const char *state_of(const struct key *key, const struct view *v)
{
    if (!v)
        return "unknown";
    if (v->epoch < key->live.epoch)
        return "behind";
    return v->share ? "ok" : "lost";
}

static json_t *nodes_json(const struct node *n, const struct key *key)
{
    json_t *list = json_array();
    const struct wire_cert *c = keys_cert(key);
    int64_t now = n->w.now_ms(n->w.ctx);
    const struct view us = { n->id, key->live.epoch, key->live.have_share,
                             now };
    for (size_t i = 0; i < c->votes.n; i++) {
        uint16_t id = (uint16_t)c->votes.at[i].node;
        const struct view *v = id == n->id ? &us : view_of(n, key, id);
        json_array_append_new(
                list, json_pack("{s:i, s:s, s:I, s:I}", "node", (int)id,
                                "state", state_of(key, v), "epoch",
                                v ? (json_int_t)v->epoch : (json_int_t)0, "age",
                                v ? (json_int_t)((now - v->at_ms) / 1000)
                                  : (json_int_t)-1));
    }
    return list;
}

/* A share of ours that waits for its certificate; 0: none. */
static uint64_t prepared(const struct node *n, const struct key *key)
{
    uint64_t epoch = 0;
    if (store_move_prepared(n->w.store, key->name, key->live.epoch, &epoch) !=
        RC_OK)
        return 0;
    return epoch;
}

static json_t *waits_json(const struct node *n, const struct key *key)
{
    uint16_t node[TLOG_MAX_NODES];
    json_t *list = json_array();
    unsigned waits = epoch_waits(node, n, key);
    for (unsigned i = 0; i < waits; i++)
        json_array_append_new(list, json_integer(node[i]));
    return list;
}

json_t *epoch_views_json(const struct node *n)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < n->n_keys; i++) {
        const struct key *key = &n->key[i];
        json_array_append_new(
                list,
                json_pack("{s:s, s:I, s:I, s:b, s:i, s:b, s:o, s:o}", "key",
                          key->name, "live", (json_int_t)key->live.epoch,
                          "prepared", (json_int_t)prepared(n, key), "retired",
                          (int)key->live.retired, "brought",
                          (int)key->live.brought, "destroyed",
                          (int)key->live.gone, "waits_for", waits_json(n, key),
                          "nodes", nodes_json(n, key)));
    }
    return list;
}

/* ---- the next thing to do ------------------------------------------------------- */

#define SAY(list, ...) json_array_append_new(list, json_sprintf(__VA_ARGS__))

static void next_of_nodes(json_t *list, const struct node *n,
                          const struct key *key)
{
    const struct wire_cert *c = keys_cert(key);
    unsigned lost = 0;
    uint16_t first = 0;
    for (size_t i = 0; i < c->votes.n; i++) {
        uint16_t id = (uint16_t)c->votes.at[i].node;
        const struct view *v = id == n->id ? NULL : view_of(n, key, id);
        bool gone = id == n->id ? !key->live.have_share && !key->live.waits
                                : v && v->epoch == key->live.epoch && !v->share;
        lost += gone;
        first = gone && (!first || id == n->id) ? id : first;
        if (v && v->epoch < key->live.epoch)
            SAY(list,
                "key %s: node%u is in epoch %llu, not %llu: mpcsign status "
                "there says why",
                key->name, id, (unsigned long long)v->epoch,
                (unsigned long long)key->live.epoch);
    }
    if (c->votes.n - lost < c->threshold)
        SAY(list,
            "key %s: %u of its %zu shares are lost and %llu are needed: its "
            "custodians bring theirs: mpcsign key recover %s",
            key->name, lost, c->votes.n, (unsigned long long)c->threshold,
            key->name);
    else if (first)
        SAY(list,
            "key %s: %s%.0u has no share of epoch %llu: mpcsign key repair %s",
            key->name, first == n->id ? "this node" : "node",
            first == n->id ? 0 : first, (unsigned long long)key->live.epoch,
            key->name);
}

static void next_of_old(json_t *list, const struct node *n,
                        const struct key *key)
{
    uint16_t node[TLOG_MAX_NODES];
    char who[200] = "";
    unsigned waits = epoch_waits(node, n, key);
    for (unsigned i = 0; i < waits; i++) {
        size_t at = strlen(who);
        snprintf(who + at, sizeof(who) - at, "%snode%u", at ? ", " : "",
                 node[i]);
    }
    if (waits)
        SAY(list,
            "key %s: shares from before epoch %llu are kept until %s "
            "acknowledges it: start it, or mark it leaving and mpcsign key "
            "reshare %s",
            key->name, (unsigned long long)key->live.epoch, who, key->name);
}

void epoch_views_next(json_t *list, const struct node *n)
{
    for (unsigned i = 0; i < n->n_keys; i++) {
        const struct key *key = &n->key[i];
        uint64_t open = key->live.gone ? 0 : prepared(n, key);
        if (key->live.gone) {
            if (key->live.shown.cert.votes.n == 0)
                SAY(list,
                    "key %s: destroyed here, not everywhere yet: mpcsign "
                    "key destroy %s",
                    key->name, key->name);
            continue;
        }
        if (key->live.brought)
            SAY(list,
                "key %s: the share of node%u was brought here: mpcsign key "
                "recover %s with the other custodians'",
                key->name, key->live.brought, key->name);
        next_of_nodes(list, n, key);
        next_of_old(list, n, key);
        if (open)
            SAY(list,
                "key %s: epoch %llu is prepared here and not certified: go on "
                "with its session, or mpcsign key refresh %s",
                key->name, (unsigned long long)open, key->name);
    }
}

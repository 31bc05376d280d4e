/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who holds a live share of a key right now: each of its nodes is asked, and
 * one that does not answer holds none. For whoever is about to take a node
 * out.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#define ASK_MS 2500

/* Lives until all have answered; each send is answered once. */
struct holders {
    uint64_t call;
    struct wire_change out;
    unsigned left;
};

static void end(struct node *n, struct holders *h, enum rc rc)
{
    char *json = NULL;
    size_t len = 0;
    if (rc == RC_OK)
        rc = wire_change_encode(&json, &len, &h->out);
    node_answer(n, h->call, rc, json, len);
    wire_change_free(&h->out);
    free(h);
}

static void put(struct wire_change_node *to, uint64_t epoch,
                const struct wire_epoch_found *in)
{
    to->deals = in->share && in->epoch == epoch;
    if (in->epoch != epoch)
        snprintf(to->what, sizeof(to->what), "in epoch %llu",
                 (unsigned long long)in->epoch);
    else if (!in->share)
        snprintf(to->what, sizeof(to->what), "has no share");
}

static void answered(struct node *n, void *arg, uint32_t from, enum rc rc,
                     const uint8_t *body, size_t len)
{
    struct holders *h = arg;
    WIRE(epoch_found) in = { 0 };
    if (rc == RC_OK)
        rc = wire_epoch_found_decode(&in, (const char *)body, len);
    for (size_t i = 0; i < h->out.nodes.n; i++) {
        struct wire_change_node *to = &h->out.nodes.at[i];
        if (to->node != from)
            continue;
        if (rc == RC_OK)
            put(to, h->out.epoch, &in);
        else
            snprintf(to->what, sizeof(to->what), "%.80s", rc_text());
    }
    if (--h->left == 0)
        end(n, h, RC_OK);
}

/* Under lock. */
static enum rc begin(struct holders *h, struct node *n, const char *name)
{
    const struct key *k = node_key_by_name(n, name);
    struct wire_change *out = &h->out;
    if (!k)
        return rc_raise(RC_UNKNOWN, "key %.64s: not created", name);
    const struct wire_cert *c = keys_cert(k);
    snprintf(out->name, sizeof(out->name), "%s", k->name);
    snprintf(out->type, sizeof(out->type), "holders");
    snprintf(out->state, sizeof(out->state), "done");
    out->epoch = k->live.epoch;
    out->parent = c->parent;
    TRY(wire_list_new(&out->nodes, c->votes.n));
    for (size_t i = 0; i < c->votes.n; i++) {
        struct wire_change_node *to = &out->nodes.at[i];
        to->node = c->votes.at[i].node;
        if (to->node == n->id)
            to->deals = k->live.have_share;
        else
            h->left++;
    }
    return RC_OK;
}

void epoch_on_holders(struct node *n, uint64_t call, const char *name)
{
    struct wire_epoch_look m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct holders *h = calloc(1, sizeof(*h));
    if (!h) {
        node_answer(n, call, rc_raise(RC_NOMEM, "holders"), NULL, 0);
        return;
    }
    h->call = call;
    node_lock(n);
    enum rc rc = begin(h, n, name);
    node_unlock(n);
    snprintf(m.name, sizeof(m.name), "%s", h->out.name);
    m.epoch = h->out.epoch;
    if (rc == RC_OK)
        rc = wire_epoch_look_encode(&json, &len, &m);
    if (rc != RC_OK || h->left == 0) {
        end(n, h, rc);
        return;
    }
    uint16_t to[TLOG_MAX_NODES]; /* the last answer ends h */
    unsigned n_to = 0;
    for (size_t i = 0; i < h->out.nodes.n; i++)
        if (h->out.nodes.at[i].node != n->id)
            to[n_to++] = (uint16_t)h->out.nodes.at[i].node;
    for (unsigned i = 0; i < n_to; i++)
        node_send(n, to[i], "/v1/epoch/look", json, len,
                  n->w.now_ms(n->w.ctx) + ASK_MS, answered, h, to[i]);
}

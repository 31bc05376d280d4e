/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carrying pieces while an epoch is made: from their owners to their holders,
 * and the holders' words back. The driver's work, and as little trusted: an
 * owner's vault wants the word of every holder.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

enum deal_phase { D_SPLIT, D_KEEP, D_ACKED };

struct deal {
    struct deal *next;
    struct vault_dkg_terms terms;
    int64_t deadline_ms;
    pieces_done *fn;
    void *arg;
    enum deal_phase phase;
    unsigned waiting;
    enum rc rc; /* first failure */
    char why[960];
    struct wire_pieces *made;      /* [n], owned: by owner */
    struct wire_piece_acks *acked; /* [n], owned: by holder */
};

static void phase_begin(struct node *n, struct deal *d);

/* ---- ends ------------------------------------------------------------------------ */

static void deal_free(struct deal *d)
{
    for (unsigned i = 0; i < d->terms.n; i++) {
        if (d->made)
            wire_pieces_free(&d->made[i]);
        if (d->acked)
            wire_piece_acks_free(&d->acked[i]);
    }
    free(d->made);
    free(d->acked);
    free(d);
}

void pieces_deal_free(struct node *n)
{
    while (n->deals) {
        struct deal *next = n->deals->next;
        deal_free(n->deals);
        n->deals = next;
    }
}

static void deal_end(struct node *n, struct deal *d)
{
    struct deal **at = &n->deals;
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    d->fn(n, d->arg, d->rc, d->why);
    deal_free(d);
}

/* ---- what each phase says --------------------------------------------------------- */

static enum rc say_split(char **json, size_t *len, const struct deal *d)
{
    WIRE(piece_split) m = { .epoch = d->terms.epoch, .threshold = d->terms.t };
    memcpy(m.session, d->terms.session, 32);
    TRY(wire_list_new(&m.nodes, d->terms.n));
    for (unsigned i = 0; i < d->terms.n; i++)
        m.nodes.at[i] = d->terms.ids[i];
    return wire_piece_split_encode(json, len, &m);
}

/* What all owners made for member `to`; *len 0: nothing. */
static enum rc say_keep(char **json, size_t *len, const struct deal *d,
                        unsigned to)
{
    struct wire_piece at[TLOG_MAX_NODES];
    struct wire_piece_keep m = { .epoch = d->terms.epoch,
                                 .threshold = d->terms.t };
    memcpy(m.session, d->terms.session, 32);
    m.pieces.at = at;
    for (unsigned i = 0; i < d->terms.n; i++)
        for (size_t j = 0; j < d->made[i].pieces.n; j++) {
            const struct wire_piece *p = &d->made[i].pieces.at[j];
            if (p->node != d->terms.ids[to] || m.pieces.n == TLOG_MAX_NODES)
                continue;
            at[m.pieces.n] = *p;
            at[m.pieces.n++].node = d->terms.ids[i];
        }
    *len = 0;
    return m.pieces.n ? wire_piece_keep_encode(json, len, &m) : RC_OK;
}

/* What all holders said to owner `to`. */
static enum rc say_acked(char **json, size_t *len, const struct deal *d,
                         unsigned to)
{
    struct wire_piece_ack at[TLOG_MAX_NODES];
    struct wire_piece_acked m = { .epoch = d->terms.epoch,
                                  .acks = { .at = at } };
    memcpy(m.session, d->terms.session, 32);
    for (unsigned i = 0; i < d->terms.n; i++)
        for (size_t j = 0; j < d->acked[i].acks.n; j++) {
            const struct wire_piece_ack *a = &d->acked[i].acks.at[j];
            if (a->node != d->terms.ids[to] || m.acks.n == TLOG_MAX_NODES)
                continue;
            at[m.acks.n] = *a;
            at[m.acks.n++].node = d->terms.ids[i];
        }
    *len = 0;
    return m.acks.n ? wire_piece_acked_encode(json, len, &m) : RC_OK;
}

static enum rc say(char **json, size_t *len, const struct deal *d, unsigned to)
{
    switch (d->phase) {
    case D_SPLIT:
        return say_split(json, len, d);
    case D_KEEP:
        return say_keep(json, len, d, to);
    default:
        return say_acked(json, len, d, to);
    }
}

/* ---- replies -------------------------------------------------------------------------- */

static enum rc take_reply(struct deal *d, unsigned i, const char *json,
                          size_t len)
{
    struct wire_piece_missing left;
    switch (d->phase) {
    case D_SPLIT:
        return wire_pieces_decode(&d->made[i], json, len);
    case D_KEEP:
        return wire_piece_acks_decode(&d->acked[i], json, len);
    default:
        TRY(wire_piece_missing_decode(&left, json, len));
        return left.missing == 0
                       ? RC_OK
                       : rc_raise(RC_ORDER, "%llu pieces not acknowledged",
                                  (unsigned long long)left.missing);
    }
}

static void release(struct node *n, struct deal *d)
{
    if (--d->waiting > 0)
        return;
    bool any = false;
    for (unsigned i = 0; i < d->terms.n; i++)
        any = any || d->made[i].pieces.n > 0;
    if (d->rc != RC_OK || d->phase == D_ACKED || !any) {
        deal_end(n, d);
        return;
    }
    d->phase++;
    phase_begin(n, d);
}

static void replied(struct node *n, void *arg, uint32_t i, enum rc rc,
                    const uint8_t *body, size_t len)
{
    struct deal *d = arg;
    if (rc == RC_OK)
        rc = take_reply(d, i, (const char *)body, len);
    if (rc != RC_OK && d->rc == RC_OK) {
        d->rc = rc;
        snprintf(d->why, sizeof(d->why), "node%u: %.900s", d->terms.ids[i],
                 rc_text());
    }
    release(n, d);
}

/* To a member: over the wire, or straight into our own handler. */
static void tell(struct node *n, struct deal *d, unsigned i)
{
    static const char *const paths[] = { [D_SPLIT] = "/v1/piece/split",
                                         [D_KEEP] = "/v1/piece/keep",
                                         [D_ACKED] = "/v1/piece/acked" };
    const char *path = paths[d->phase];
    OWNED_MEM char *json = NULL;
    size_t len = 0;
    enum rc rc = say(&json, &len, d, i);
    if (rc == RC_OK && len == 0)
        return;
    d->waiting++;
    if (rc != RC_OK) {
        replied(n, d, i, rc, NULL, 0);
    } else if (d->terms.ids[i] != n->id) {
        node_send(n, d->terms.ids[i], path, json, len, d->deadline_ms, replied,
                  d, i);
    } else {
        OWNED_MEM char *reply = NULL;
        size_t reply_len = 0;
        rc = node_on_peer(n, n->id, path, (const uint8_t *)json, len, &reply,
                          &reply_len);
        replied(n, d, i, rc, (const uint8_t *)reply, reply_len);
    }
}

/* d lives until its last release, which may be ours. */
static void phase_begin(struct node *n, struct deal *d)
{
    const unsigned members = d->terms.n;
    unsigned own = 0;
    while (own < members && d->terms.ids[own] != n->id)
        own++;
    d->waiting = 1;
    /* ourselves last: by then every other message is on its way */
    for (unsigned k = 0; k < members; k++)
        tell(n, d, (own + 1 + k) % members);
    release(n, d);
}

void pieces_deal(struct node *n, const struct vault_dkg_terms *terms,
                 int64_t deadline_ms, pieces_done *fn, void *arg)
{
    struct deal *d = calloc(1, sizeof(*d));
    if (d) {
        d->terms = *terms;
        d->made = calloc(terms->n, sizeof(*d->made));
        d->acked = calloc(terms->n, sizeof(*d->acked));
    }
    if (!d || !d->made || !d->acked) {
        if (d)
            deal_free(d);
        fn(n, arg, RC_NOMEM, "pieces: out of memory");
        return;
    }
    d->deadline_ms = deadline_ms;
    d->fn = fn;
    d->arg = arg;
    d->next = n->deals;
    n->deals = d;
    phase_begin(n, d);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares of ours that do not open by themselves: asks every other node for its
 * piece, boxed to this life of our vault, until t-1 are here. Meanwhile the
 * node is up, serves others their pieces, witnesses, and leads: nobody waits
 * for a share to give a piece, so all nodes together come back from nothing.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#define ASK_MS      3000  /* for an answer */
#define AGAIN_MS    500   /* after none */
#define REFUSED_MS  2500  /* after a no, twice that after the next, and on */
#define REFUSED_MAX 7     /* that often: five minutes */
#define CHEATER_MS  60000 /* after a piece that is none */
#define WAITING_MAX 256

/* One other node. */
struct asked {
    uint16_t id;
    bool in_flight;
    bool has; /* its piece is here */
    unsigned refused;
    int64_t after_ms;
    char why[160]; /* it did not give it */
    uint8_t box[VAULT_PIECE_BOX_LEN];
};

struct waiting {
    char name[POLICY_NAME_MAX];
    uint8_t session[32];
    uint64_t epoch;
    uint16_t t;
    bool done;
    /* certified: it signs when it is back, and status speaks of it */
    struct tlog_vote *votes; /* [n_votes], owned; NULL: not certified */
    unsigned n_votes;
    struct tlog_epoch_terms terms;
    uint8_t sealed[VAULT_SEALED_SHARE_MAX];
    size_t sealed_len;
    unsigned n_asked;
    struct asked asked[POLICY_MAX_NODES];
    char why[160]; /* of ours */
    char line[600];
};
struct pieces {
    struct waiting *at[WAITING_MAX]; /* owned; live until the node ends */
    unsigned n;
};

/* ---- what waits --------------------------------------------------------------- */

static unsigned has(const struct waiting *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->n_asked; i++)
        n += w->asked[i].has;
    return n;
}

static void say_line(struct waiting *w)
{
    char *line = w->line;
    size_t size = sizeof(w->line);
    int at = snprintf(line, size, "waits for peers (has %u of %u)%s%s", has(w),
                      w->t - 1u, w->why[0] ? ": " : "", w->why);
    for (unsigned i = 0; i < w->n_asked; i++)
        if (w->asked[i].why[0] && (size_t)at < size)
            at += snprintf(line + at, size - (size_t)at, "; node%u: %s",
                           w->asked[i].id, w->asked[i].why);
}

static enum rc wait_add(struct waiting **out, struct node *n, const char *name,
                        const uint8_t session[32], const struct vault_msh1 *h)
{
    if (!n->pieces)
        n->pieces = calloc(1, sizeof(*n->pieces));
    struct waiting *w = calloc(1, sizeof(*w));
    if (!n->pieces || !w || n->pieces->n == WAITING_MAX) {
        free(w);
        return rc_raise(RC_NOMEM, "pieces: more than %d shares wait",
                        WAITING_MAX);
    }
    snprintf(w->name, sizeof(w->name), "%s", name);
    memcpy(w->session, session, 32);
    w->epoch = h->epoch;
    w->t = h->t;
    say_line(w);
    n->pieces->at[n->pieces->n++] = w;
    *out = w;
    return RC_OK;
}

enum rc pieces_wait(struct node *n, const char *name,
                    const struct wire_cert *cert, const uint8_t *sealed,
                    size_t len)
{
    struct vault_msh1 h;
    struct waiting *w;
    struct tlog_vote *votes = calloc(TLOG_MAX_NODES, sizeof(*votes));
    if (!votes)
        return rc_raise(RC_NOMEM, "pieces: out of memory");
    OWNED_MEM struct tlog_vote *freed = votes;
    struct tlog_epoch_terms terms;
    unsigned n_votes;
    TRY(cert_terms(&terms, votes, &n_votes, cert));
    TRY(vault_msh1_decode(&h, sealed, len));
    if (len > sizeof(w->sealed))
        return rc_raise(RC_STORE, "sealed share: %zu bytes", len);
    for (unsigned i = 0; n->pieces && i < n->pieces->n; i++)
        if (strcmp(n->pieces->at[i]->name, name) == 0)
            n->pieces->at[i]->done = true; /* an older epoch of it */
    TRY(wait_add(&w, n, name, cert->session, &h));
    w->terms = terms;
    w->votes = TAKE(freed);
    w->n_votes = n_votes;
    memcpy(w->sealed, sealed, len);
    w->sealed_len = len;
    return RC_OK;
}

static enum rc prepared(void *ctx, const char *name, uint64_t number,
                        const uint8_t *session, size_t session_len,
                        const uint8_t *sealed, size_t sealed_len)
{
    struct node *n = ctx;
    struct vault_msh1 h;
    struct waiting *w;
    const struct key *k = node_key_by_name(n, name);
    if (session_len != 32 || (k && k->live.epoch >= number) ||
        vault_msh1_decode(&h, sealed, sealed_len) != RC_OK ||
        h.provider != VAULT_SNP_PEERS)
        return RC_OK;
    return wait_add(&w, n, name, session, &h);
}

enum rc pieces_load(struct node *n)
{
    return store_pieces_prepared(n->w.store, prepared, n);
}

void pieces_free(struct node *n)
{
    for (unsigned i = 0; n->pieces && i < n->pieces->n; i++) {
        free(n->pieces->at[i]->votes);
        free(n->pieces->at[i]);
    }
    free(n->pieces);
    n->pieces = NULL;
    pieces_deal_free(n);
}

/* ---- enough of them ------------------------------------------------------------ */

/* Its secret is in the vault; a certified one signs from now on. */
static void share_back(struct node *n, struct waiting *w)
{
    uint8_t ack[64];
    w->done = true;
    if (!w->votes)
        return;
    enum rc rc = vault_activate(n->w.vault, ack, &w->terms, w->votes,
                                w->n_votes, w->sealed, w->sealed_len);
    if (rc == RC_OK) {
        keys_share_back(n, w->name, w->epoch, ack);
    } else {
        w->done = rc == RC_EPOCH_MOVED; /* not needed any more */
        snprintf(w->why, sizeof(w->why), "%.150s", rc_text());
        for (unsigned i = 0; i < w->n_asked; i++)
            w->asked[i].after_ms = n->w.now_ms(n->w.ctx) + CHEATER_MS;
    }
}

static void blame(struct node *n, struct waiting *w, const uint16_t *bad,
                  unsigned n_bad)
{
    for (unsigned i = 0; i < w->n_asked; i++)
        for (unsigned j = 0; j < n_bad; j++) {
            if (w->asked[i].id != bad[j])
                continue;
            w->asked[i].has = false;
            w->asked[i].after_ms = n->w.now_ms(n->w.ctx) + CHEATER_MS;
            snprintf(w->asked[i].why, sizeof(w->asked[i].why),
                     "gave another piece than it was given");
        }
}

static void try_join(struct node *n, struct waiting *w)
{
    struct vault_piece p[POLICY_MAX_NODES];
    uint16_t bad[POLICY_MAX_NODES];
    unsigned n_p = 0;
    unsigned n_bad = 0;
    bool whole = false;
    for (unsigned i = 0; i < w->n_asked; i++) {
        if (!w->asked[i].has)
            continue;
        p[n_p].node = w->asked[i].id;
        memcpy(p[n_p++].box, w->asked[i].box, VAULT_PIECE_BOX_LEN);
    }
    if (n_p + 1 < w->t)
        return;
    enum rc rc = vault_piece_join(n->w.vault, &whole, bad, &n_bad, w->session,
                                  w->epoch, w->t, p, n_p);
    if (rc != RC_OK)
        snprintf(w->why, sizeof(w->why), "%.150s", rc_text());
    blame(n, w, bad, n_bad);
    if (whole)
        share_back(n, w);
}

/* ---- asking -------------------------------------------------------------------- */

static void given(struct node *n, void *arg, uint32_t from, enum rc rc,
                  const uint8_t *body, size_t len)
{
    struct waiting *w = arg;
    struct asked *a = NULL;
    struct wire_piece_given in;
    for (unsigned i = 0; i < w->n_asked && !a; i++)
        if (w->asked[i].id == from)
            a = &w->asked[i];
    if (!a)
        return;
    a->in_flight = false;
    a->after_ms = n->w.now_ms(n->w.ctx) + AGAIN_MS;
    if (w->done)
        return;
    if (rc == RC_OK)
        rc = wire_piece_given_decode(&in, (const char *)body, len);
    if (rc == RC_OK) {
        memcpy(a->box, in.box, sizeof(a->box));
        a->has = true;
        a->why[0] = '\0';
        try_join(n, w);
    } else {
        snprintf(a->why, sizeof(a->why), "%.150s", rc_text());
        if (rc != RC_UNREACHABLE && rc != RC_TIMEOUT) {
            a->after_ms += REFUSED_MS << a->refused;
            a->refused += a->refused < REFUSED_MAX;
        }
    }
    say_line(w);
}

static struct asked *asked_of(struct waiting *w, uint16_t id)
{
    for (unsigned i = 0; i < w->n_asked; i++)
        if (w->asked[i].id == id)
            return &w->asked[i];
    if (w->n_asked == POLICY_MAX_NODES)
        return NULL;
    w->asked[w->n_asked] = (struct asked){ .id = id };
    return &w->asked[w->n_asked++];
}

static void ask(struct node *n, struct waiting *w, uint16_t id)
{
    struct asked *a = asked_of(w, id);
    const int64_t now = n->w.now_ms(n->w.ctx);
    WIRE(piece_ask) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    if (!a || a->in_flight || a->has || now < a->after_ms)
        return;
    memcpy(m.session, w->session, 32);
    m.epoch = w->epoch;
    memcpy(m.boot, n->keys.boot, 16);
    if (wire_piece_ask_encode(&json, &len, &m) != RC_OK)
        return;
    a->in_flight = true;
    node_send(n, id, "/v1/piece/ask", json, len, now + ASK_MS, given, w, id);
}

void pieces_tick(struct node *n)
{
    uint16_t id[POLICY_MAX_NODES];
    unsigned n_ids = 0;
    if (!n->pieces)
        return;
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    for (unsigned i = 0; i < p->n_nodes; i++)
        if (p->node[i].id != n->id)
            id[n_ids++] = p->node[i].id;
    for (unsigned i = 0; i < n->pieces->n; i++) {
        struct waiting *w = n->pieces->at[i];
        const struct key *k = node_key_by_name(n, w->name);
        w->done = w->done || (k && k->live.epoch > w->epoch); /* not needed */
    }
    node_unlock(n);
    for (unsigned i = 0; i < n->pieces->n; i++)
        for (unsigned j = 0; j < n_ids && !n->pieces->at[i]->done; j++)
            ask(n, n->pieces->at[i], id[j]);
}

/* ---- looking in ------------------------------------------------------------------ */

void pieces_problems(const struct node *n, json_t *list)
{
    for (unsigned i = 0; n->pieces && i < n->pieces->n; i++) {
        const struct waiting *w = n->pieces->at[i];
        if (w->votes && !w->done)
            json_array_append_new(
                    list, json_sprintf("key %s, epoch %llu: share %s", w->name,
                                       (unsigned long long)w->epoch, w->line));
    }
}

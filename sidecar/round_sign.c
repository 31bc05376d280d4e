/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leading, part four: round two to the signers, ourselves included, through
 * the same follow_round2 as everyone. Whoever knows a newer head than the
 * checkpoint sent is asked again with a better proof; nothing was marked
 * there and no nonce bound.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

#define WANT_NEXT     WIRE_MAX_BATCH
#define HEAR_EVERY_MS 1000

/* ---- results ------------------------------------------------------------------------------- */

static unsigned index_of(const struct round *r, uint16_t node)
{
    unsigned at = 0;
    while (at < r->n_signers && r->signer[at] != node)
        at++;
    return at;
}

static bool is_ok(const struct wire_round2_result *res)
{
    return rc_from_slug(res->code) == RC_OK;
}

/*
 * Its newest head, unless it is that of this round. Once a second is enough,
 * and no more than that is verified: the signer itself judges what it signs.
 */
static void hear_head(struct node *n, const struct round *r, uint16_t from,
                      const struct wire_round2_result *res)
{
    struct peer *p = node_peer(n, from);
    const struct wire_text *cp = &r->shot[0].item.intent.checkpoint;
    const char *end = res->head.p ? strstr(res->head.p, "\n\n") : NULL;
    int64_t now = n->w.now_ms(n->w.ctx);
    if (!end || !cp->p || !p || now < p->hear_after_ms)
        return;
    size_t body = (size_t)(end - res->head.p);
    if (body <= cp->len && memcmp(res->head.p, cp->p, body) == 0)
        return;
    p->hear_after_ms = now + HEAR_EVERY_MS;
    gossip_hear(n, from, res->head.p, res->head.len, false);
}

static enum rc take_results(struct node *n, struct round *r, uint16_t from,
                            struct wire_round2_reply *in)
{
    unsigned at = index_of(r, from);
    if (at == r->n_signers || in->items.n != r->n_shots)
        return rc_raise(RC_PARSE, "round 2: %zu results for %u items",
                        in->items.n, r->n_shots);
    for (unsigned s = 0; s < r->n_shots; s++) {
        struct wire_round2_result *mine = &r->shot[s].results[at];
        if (is_ok(mine))
            continue; /* asked again for the others of its batch */
        wire_round2_result_free(mine);
        *mine = in->items.at[s];
        memset(&in->items.at[s], 0, sizeof(in->items.at[s])); /* moved */
    }
    if (from == n->id)
        return RC_OK;
    struct peer *p = node_peer(n, from);
    struct pool *pool = p ? peer_pool(p, r->key) : NULL;
    if (!pool)
        return RC_OK;
    p->head = in->head;
    p->why[0] = '\0';
    hear_head(n, r, from, &r->shot[0].results[at]);
    /* these shares count all the same; it is only asked for no more */
    if (peer_pool_fill(pool, from, in->next.at, in->next.n) != RC_OK)
        peer_down(n, from, CHEATER_DOWN_MS, RC_CHEATER);
    return RC_OK;
}

static void replied(struct node *n, void *arg, uint32_t from, enum rc rc,
                    const uint8_t *body, size_t len)
{
    struct round *r = arg;
    WIRE(round2_reply) in = { 0 };
    if (rc == RC_OK)
        rc = wire_round2_reply_decode(&in, (const char *)body, len);
    if (rc == RC_OK)
        rc = take_results(n, r, (uint16_t)from, &in);
    if (rc != RC_OK) {
        peer_down(n, from, DOWN_MS, rc);
        (void)rc_prefix(rc, "node%u: ", from);
        round_fail_by_peer(r, rc);
    }
    if (--r->waiting == 0)
        round_finish(n, r);
}

/* ---- sending ------------------------------------------------------------------------------- */

/* What one signer gets: every item, with growth from its own last size. */
static enum rc set_growth(struct round *r, unsigned at,
                          const struct wire_appended *in)
{
    const struct wire_growth *g = r->from[at] ? proof_growth(in, r->from[at])
                                              : NULL;
    for (unsigned s = 0; s < r->n_shots; s++) {
        struct wire_growth *to = &r->shot[s].item.growth;
        wire_growth_free(to);
        if (!g)
            continue;
        to->from = g->from;
        to->to = g->to;
        TRY(wire_list_new(&to->path, g->path.n));
        if (g->path.n)
            memcpy(to->path.at, g->path.at, g->path.n * sizeof(*g->path.at));
    }
    return RC_OK;
}

/* The shots' items, lent. */
static void lend(struct wire_round2_item *items, const struct round *r)
{
    for (unsigned s = 0; s < r->n_shots; s++)
        items[s] = r->shot[s].item;
}

/*
 * What a signer's pool has room for. More would be dropped here while the
 * signer, short of places, drops its oldest: those we still count on.
 */
static uint64_t room_for(struct node *n, const struct round *r, uint16_t signer)
{
    struct peer *p = node_peer(n, signer);
    const struct pool *pool = p && !r->key->once ? peer_pool(p, r->key) : NULL;
    unsigned room = pool ? POOL_CAP - pool->n : 0;
    return room < WANT_NEXT ? room : WANT_NEXT;
}

static enum rc encode_round2(uint8_t **out, size_t *out_len,
                             const struct round *r, uint64_t want_next)
{
    struct wire_round2_item items[WIRE_MAX_BATCH];
    unsigned n_items = r->n_shots;
    struct wire_round2 m = { .want_next = want_next };
    lend(items, r);
    m.items.at = items;
    m.items.n = n_items;
    OWNED_MEM char *json = NULL;
    size_t json_len;
    size_t raw = 0;
    TRY(wire_round2_encode(&json, &json_len, &m));
    for (unsigned s = 0; s < n_items; s++)
        raw += r->shot[s].job->msg_len;
    OWNED_MEM uint8_t *buf = malloc(4 + json_len + raw);
    if (!buf)
        return rc_raise(RC_NOMEM, "round 2: out of memory");
    struct bytes_writer w = bytes_writer(buf, 4 + json_len + raw);
    bytes_put_lp32(&w, json, json_len);
    for (unsigned s = 0; s < n_items; s++)
        bytes_put(&w, r->shot[s].job->msg, r->shot[s].job->msg_len);
    TRY(bytes_written(&w));
    *out_len = w.len;
    *out = TAKE(buf);
    return RC_OK;
}

static enum rc send_round2(struct node *n, struct round *r, unsigned at,
                           const struct wire_appended *in)
{
    OWNED_MEM uint8_t *body = NULL;
    size_t len;
    TRY(set_growth(r, at, in));
    TRY(encode_round2(&body, &len, r, room_for(n, r, r->signer[at])));
    node_send(n, r->signer[at], "/v1/frost/round2", (const char *)body, len,
              r->deadline_ms, replied, r, r->signer[at]);
    return RC_OK;
}

static enum rc join_messages(uint8_t **out, size_t *out_len,
                             const struct round *r)
{
    size_t len = 0;
    for (unsigned s = 0; s < r->n_shots; s++)
        len += r->shot[s].job->msg_len;
    OWNED_MEM uint8_t *raw = malloc(len + 1);
    if (!raw)
        return rc_raise(RC_NOMEM, "round 2: out of memory");
    struct bytes_writer w = bytes_writer(raw, len);
    for (unsigned s = 0; s < r->n_shots; s++)
        bytes_put(&w, r->shot[s].job->msg, r->shot[s].job->msg_len);
    TRY(bytes_written(&w));
    *out_len = len;
    *out = TAKE(raw);
    return RC_OK;
}

/* Our own part: judged, marked and signed like anybody's. */
static enum rc own_items(struct wire_round2 *m, uint8_t **raw, size_t *raw_len,
                         const struct round *r)
{
    for (unsigned s = 0; s < r->n_shots; s++)
        if (!r->shot[s].job)
            return rc_raise(RC_TIMEOUT, "round 2: a caller's time is over");
    lend(m->items.at, r);
    m->items.n = r->n_shots;
    return join_messages(raw, raw_len, r);
}

static enum rc sign_ourselves(struct node *n, struct round *r,
                              const struct authorised *said)
{
    struct wire_round2_item items[WIRE_MAX_BATCH];
    struct wire_round2 m = { .items.at = items };
    const struct node_from who = { .id = n->id };
    OWNED_MEM uint8_t *raw = NULL;
    size_t raw_len;
    WIRE(round2_reply) out = { 0 };
    TRY(own_items(&m, &raw, &raw_len, r));
    TRY(follow_round2(n, &who, &m, raw, raw_len, said, &out));
    return take_results(n, r, n->id, &out);
}

static void own_end(struct node *n, struct round *r, enum rc rc,
                    const struct authorised *said)
{
    if (rc == RC_OK)
        rc = sign_ourselves(n, r, said);
    if (rc != RC_OK) {
        (void)rc_prefix(rc, "node%u (leading): ", n->id);
        round_fail(r, rc);
    }
    if (--r->waiting == 0)
        round_finish(n, r);
}

/* The authoriser is asked of each of our shares; the loop goes on meanwhile. */
struct asked {
    struct round *r;
    unsigned waiting;
    struct authorised said[WIRE_MAX_BATCH];
};

static void one_said(struct node *n, struct asked *a)
{
    if (--a->waiting)
        return;
    own_end(n, a->r, RC_OK, a->said);
    free(a);
}

static void said(struct node *n, void *arg, uint32_t at, enum rc rc,
                 const uint8_t *body, size_t len)
{
    struct asked *a = arg;
    struct authorised *to = &a->said[at];
    to->rc = authorise_answer(rc, body, len);
    snprintf(to->why, sizeof(to->why), "%s", to->rc == RC_OK ? "" : rc_text());
    one_said(n, a);
}

static enum rc questions(struct follow_question *q, struct node *n,
                         const struct round *r)
{
    struct wire_round2_item items[WIRE_MAX_BATCH];
    struct wire_round2 m = { .items.at = items };
    OWNED_MEM uint8_t *raw = NULL;
    size_t raw_len;
    TRY(own_items(&m, &raw, &raw_len, r));
    return follow_questions(q, n, n->id, &m, raw, raw_len);
}

static void ask_authoriser(struct node *n, struct round *r)
{
    struct follow_question q[WIRE_MAX_BATCH] = { 0 };
    struct asked *a = calloc(1, sizeof(*a));
    enum rc rc = a ? questions(q, n, r)
                   : rc_raise(RC_NOMEM, "authoriser: out of memory");
    if (rc == RC_OK) {
        int64_t until = n->w.now_ms(n->w.ctx) + n->w.authorise_ms;
        a->r = r;
        a->waiting = 1; /* none ends it before all are asked */
        for (unsigned s = 0; s < r->n_shots; s++) {
            a->said[s].rc = RC_DENIED; /* what we refuse is not asked */
            if (!q[s].json)
                continue;
            a->waiting++;
            node_send(n, WORLD_AUTHORISER, "", q[s].json, q[s].len, until, said,
                      a, s);
        }
        one_said(n, a);
    } else {
        free(a);
        own_end(n, r, rc, NULL);
    }
    for (unsigned s = 0; s < WIRE_MAX_BATCH; s++)
        free(q[s].json);
}

/* The others have their request: now our share, while they make theirs. */
static void own_turn(struct node *n, void *arg, uint32_t at, enum rc rc,
                     const uint8_t *body, size_t len)
{
    struct round *r = arg;
    (void)at;
    (void)body;
    (void)len;
    if (rc == RC_OK && n->w.authorise)
        ask_authoriser(n, r);
    else
        own_end(n, r, rc, NULL);
}

void round_sign(struct node *n, struct round *r, const struct wire_appended *in)
{
    unsigned own = r->n_signers;
    r->state = ROUND_SIGN;
    r->deadline_ms = n->w.now_ms(n->w.ctx) + ROUND_MS;
    r->waiting = 1; /* ours: no reply can end the round before we are through */
    for (unsigned i = 0; i < r->n_signers; i++) {
        if (!r->ask[i])
            continue;
        if (r->signer[i] == n->id) {
            own = i;
            continue;
        }
        r->waiting++;
        enum rc rc = send_round2(n, r, i, in);
        if (rc != RC_OK)
            replied(n, r, r->signer[i], rc, NULL, 0);
    }
    if (own == r->n_signers) {
        if (--r->waiting == 0)
            round_finish(n, r);
        return;
    }
    /* Last, so that the items keep our own growth until our turn. */
    enum rc rc = set_growth(r, own, in);
    if (rc == RC_OK)
        node_later(n, own_turn, r, own);
    else
        own_turn(n, r, own, rc, NULL, 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A member's part in the key of one session: START → DEAL → FINISH → BIRTH,
 * one step at a time, each asked for by the lead, which only carries messages.
 * Nothing of the share is ever at rest. Who takes part is fixed by DEAL: of
 * those that began, the ones whose packages are in it.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/failpoint.h"
#include "base/hash.h"
#include "sidecar/follow.h"

/* ---- repeats ------------------------------------------------------------------- */
/*
 * A POST may come twice (a connection died before its answer); a
 * byte-identical repeat of the same node's gets the answer that was given.
 */

struct request {
    uint16_t from;
    const uint8_t *body;
    size_t len;
    uint8_t hash[32];
};

static bool given_before(char **reply, size_t *reply_len, const struct once *o,
                         enum once_step step, const struct request *q)
{
    const struct epoch_answer *a = o ? &o->answer[step] : NULL;
    if (!a || !a->json || memcmp(a->request, q->hash, 32) != 0)
        return false;
    *reply = malloc(a->len + 1);
    if (!*reply)
        return false;
    memcpy(*reply, a->json, a->len + 1);
    *reply_len = a->len;
    return true;
}

static void remember(struct once *o, enum once_step step,
                     const struct request *q, const char *json, size_t len)
{
    struct epoch_answer *a = &o->answer[step];
    free(a->json);
    a->json = malloc(len + 1);
    if (!a->json)
        return;
    memcpy(a->json, json, len);
    a->json[len] = '\0';
    a->len = len;
    memcpy(a->request, q->hash, 32);
}

/* ---- start ------------------------------------------------------------------------ */

/*
 * Begun, and not dealt: the same package for whoever leads it now, so that a
 * session is not lost when too few were there.
 */
static enum rc start_again(char **reply, size_t *reply_len, struct node *n,
                           struct once *o, const struct request *q)
{
    if (o->gone || o->state == ONCE_KEPT)
        return rc_raise(RC_SLOT_BURNT, "key is gone: %s",
                        o->gone ? o->gone : "it was made without this node");
    const struct epoch_answer *a = &o->answer[ONCE_START];
    if (!o->named && o->lead != q->from)
        return rc_raise(RC_AUTH, "once: this session is node%u's", o->lead);
    if (o->state != ONCE_BEGUN || !a->json)
        return rc_raise(RC_ORDER,
                        "once: the key of this session is node%u's "
                        "to make",
                        o->lead);
    *reply = malloc(a->len + 1);
    if (!*reply)
        return rc_raise(RC_NOMEM, "once: out of memory");
    memcpy(*reply, a->json, a->len + 1);
    *reply_len = a->len;
    node_lock(n);
    o->lead = q->from;
    o->kept_ms = n->w.now_ms(n->w.ctx);
    node_unlock(n);
    return RC_OK;
}

static enum rc begin(char **reply, size_t *reply_len, struct node *n,
                     const struct once_terms *terms)
{
    struct frost_dealing package;
    WIRE(package) out = { 0 };
    TRY(once_begin_only(n, &terms->s));
    enum rc rc = vault_dkg_begin(n->w.vault, &package, &terms->dkg);
    if (rc == RC_EXISTS)
        return rc_raise(RC_SLOT_BURNT,
                        "key is gone: node%u made one for this "
                        "session before",
                        n->id);
    TRY(rc);
    TRY(epoch_package_to_wire(&out, n->id, &package));
    return wire_package_encode(reply, reply_len, &out);
}

/* Not under lock. */
static enum rc keep_begun(struct node *n, const struct once_terms *terms,
                          const struct request *q, bool named, const char *json,
                          size_t len)
{
    node_lock(n);
    struct once *o = once_add(n, &terms->s);
    if (o) {
        int64_t latest = n->w.now_s(n->w.ctx) + ONCE_LIFE_S;
        o->state = ONCE_BEGUN;
        o->lead = q->from;
        o->named = named;
        if (!named && o->expires > latest)
            o->expires = latest;
        o->until_ms = n->w.now_ms(n->w.ctx) +
                      (o->expires - n->w.now_s(n->w.ctx)) * 1000;
        o->step_until_ms = named ? INT64_MAX
                                 : n->w.now_ms(n->w.ctx) + ONCE_STEP_MS;
        remember(o, ONCE_START, q, json, len);
    }
    node_unlock(n);
    if (o)
        return RC_OK;
    enum rc rc = vault_session_end(n->w.vault, terms->s.id);
    return rc == RC_OK ? RC_NOMEM : rc;
}

static enum rc on_start(struct node *n, struct request *q, char **reply,
                        size_t *reply_len)
{
    WIRE(session) in = { 0 };
    struct once_terms terms;
    TRY(wire_session_decode(&in, (const char *)q->body, q->len));
    if (q->from != n->id)
        session_hear(n, q->from, &in);
    node_lock(n);
    enum rc rc = once_judge_start(&terms, n, &in, q->from);
    struct once *o = rc == RC_OK ? once_find(n, terms.s.id) : NULL;
    node_unlock(n);
    TRY(rc);
    if (!o)
        TRY(once_room(n, q->from));
    if (given_before(reply, reply_len, o, ONCE_START, q))
        return RC_OK;
    if (o)
        return start_again(reply, reply_len, n, o, q);
    TRY(begin(reply, reply_len, n, &terms));
    FAILPOINT(once_begun);
    return keep_begun(n, &terms, q, in.requester.len > 0, *reply, *reply_len);
}

/* ---- deal ---------------------------------------------------------------------------- */

/* Its lead goes on from here; and only once. */
static enum rc expect(struct once **out, struct node *n,
                      const uint8_t session[32], const struct request *q,
                      enum once_state state)
{
    node_lock(n);
    struct once *o = once_find(n, session);
    node_unlock(n);
    if (!o || o->gone || o->state == ONCE_KEPT)
        return rc_raise(RC_UNKNOWN,
                        "once: node%u makes no key for this "
                        "session%s%s",
                        n->id, o && o->gone ? ": " : "",
                        o && o->gone ? o->gone : "");
    if (o->lead != q->from)
        return rc_raise(RC_AUTH, "once: node%u makes this key, not node%u",
                        o->lead, q->from);
    if (o->state != state)
        return rc_raise(RC_ORDER, "once: not this step now");
    *out = o;
    return RC_OK;
}

static struct once *known(struct node *n, const uint8_t session[32])
{
    node_lock(n);
    struct once *o = once_find(n, session);
    node_unlock(n);
    return o;
}

static void step_on(struct node *n, struct once *o, enum once_state state)
{
    node_lock(n);
    o->state = state;
    o->step_until_ms = n->w.now_ms(n->w.ctx) + ONCE_STEP_MS;
    node_unlock(n);
}

static enum rc deal(struct wire_boxes *out, struct node *n,
                    const struct wire_epoch_deal *in)
{
    unsigned members = (unsigned)in->packages.n;
    uint16_t ids[TLOG_MAX_NODES];
    OWNED_MEM struct frost_dealing *p = calloc(members, sizeof(*p));
    OWNED_MEM uint8_t(*boxes)[VAULT_BOX_LEN] = calloc(members, sizeof(*boxes));
    if (!p || !boxes)
        return rc_raise(RC_NOMEM, "deal: out of memory");
    for (unsigned i = 0; i < members; i++) {
        ids[i] = (uint16_t)in->packages.at[i].node;
        TRY(epoch_package_from_wire(&p[i], &in->packages.at[i]));
    }
    TRY(vault_dkg_narrow(n->w.vault, in->session, ids, members));
    TRY(vault_dkg_deal(n->w.vault, boxes, in->session, p, members));
    TRY(wire_list_new(&out->boxes, members));
    for (unsigned i = 0; i < members; i++) {
        out->boxes.at[i].node = ids[i];
        memcpy(out->boxes.at[i].box, boxes[i], VAULT_BOX_LEN);
    }
    return RC_OK;
}

static enum rc on_deal(struct node *n, struct request *q, char **reply,
                       size_t *reply_len)
{
    WIRE(epoch_deal) in = { 0 };
    WIRE(boxes) out = { 0 };
    struct once *o;
    TRY(wire_epoch_deal_decode(&in, (const char *)q->body, q->len));
    if (in.packages.n == 0 || in.packages.n > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "packages: %zu", in.packages.n);
    if (given_before(reply, reply_len, known(n, in.session), ONCE_DEAL, q))
        return RC_OK;
    TRY(expect(&o, n, in.session, q, ONCE_BEGUN));
    TRY(deal(&out, n, &in));
    TRY(wire_boxes_encode(reply, reply_len, &out));
    FAILPOINT(once_dealt);
    step_on(n, o, ONCE_DEALT);
    remember(o, ONCE_DEAL, q, *reply, *reply_len);
    return RC_OK;
}

/* ---- finish: our endorsement ------------------------------------------------------------ */

static enum rc prepare(struct wire_epoch_vote *out, struct node *n,
                       const struct wire_epoch_finish *in)
{
    size_t members = in->boxes.n;
    size_t mine = members;
    OWNED_MEM uint8_t(*boxes)[VAULT_BOX_LEN] = calloc(members, sizeof(*boxes));
    OWNED_MEM struct vault_dkg_result *made = calloc(1, sizeof(*made));
    if (!boxes || !made)
        return rc_raise(RC_NOMEM, "finish: out of memory");
    for (size_t i = 0; i < members; i++) {
        memcpy(boxes[i], in->boxes.at[i].box, VAULT_BOX_LEN);
        if (in->boxes.at[i].node == n->id)
            mine = i;
    }
    if (mine == members)
        return rc_raise(RC_PARSE, "boxes: none dealt by node%u itself", n->id);
    TRY(vault_dkg_finish(n->w.vault, made, in->session, boxes,
                         (unsigned)members));
    FAILPOINT(once_shared);
    TRY(vault_vote(n->w.vault, out->vote.sig, in->session, NULL, 0));
    memcpy(out->group_key, made->group_key, 32);
    memcpy(out->transcript, made->transcript, 32);
    memcpy(out->vote.identity, n->keys.identity, 32);
    memcpy(out->vote.y, made->ys[mine], 32);
    out->vote.node = n->id;
    return RC_OK;
}

static enum rc on_finish(struct node *n, struct request *q, char **reply,
                         size_t *reply_len)
{
    WIRE(epoch_finish) in = { 0 };
    struct wire_epoch_vote out = { 0 };
    struct once *o;
    TRY(wire_epoch_finish_decode(&in, (const char *)q->body, q->len));
    if (in.boxes.n == 0 || in.boxes.n > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "boxes: %zu", in.boxes.n);
    if (given_before(reply, reply_len, known(n, in.session), ONCE_FINISH, q))
        return RC_OK;
    TRY(expect(&o, n, in.session, q, ONCE_DEALT));
    enum rc rc = prepare(&out, n, &in);
    if (rc == RC_OK)
        rc = wire_epoch_vote_encode(reply, reply_len, &out);
    if (rc != RC_OK) {
        char why[960];
        snprintf(why, sizeof(why), "%s", rc_text());
        once_end(n, o, "it could not be made");
        return rc_raise(rc, "%s", why);
    }
    FAILPOINT(once_endorsed);
    step_on(n, o, ONCE_VOTED);
    remember(o, ONCE_FINISH, q, *reply, *reply_len);
    return RC_OK;
}

/* ---- birth -------------------------------------------------------------------------------- */

/*
 * Made without us: what we began for it ends, and that is no end of the key.
 * Of two keys of one session we have a share of none.
 */
static void left_out(struct node *n, const struct once_birth *b)
{
    node_lock(n);
    struct once *o = b->member ? NULL : once_find(n, b->s.id);
    bool first = o && !o->has_key;
    bool holds = first && o->state != ONCE_KEPT;
    node_unlock(n);
    if (holds)
        once_end(n, o, "it was made without this node");
    node_lock(n);
    if (first)
        o->gone = NULL;
    node_unlock(n);
}

/* Under lock. Another key of the same session is no birth of it. */
static enum rc publish(struct once **out, struct node *n,
                       const struct once_birth *b, const struct wire_birth *in,
                       bool share)
{
    struct once *o = once_find(n, b->s.id);
    if (o && o->has_key) {
        if (memcmp(o->key.group_key, in->cert.group_key, 32) != 0)
            return rc_raise(RC_CONFLICT, "once: this session has another key");
        *out = o;
        return RC_OK;
    }
    if (!o)
        o = once_add(n, &b->s);
    if (!o)
        return RC_NOMEM;
    TRY(node_key_fill(&o->key, b->s.profile, in, share));
    o->has_key = true;
    if (share)
        o->state = ONCE_LIVE;
    *out = o;
    return RC_OK;
}

static enum rc take_birth(struct once **out, struct node *n,
                          const struct wire_birth *in)
{
    OWNED_MEM struct once_birth *b = calloc(1, sizeof(*b));
    uint8_t ack[64];
    if (!b)
        return rc_raise(RC_NOMEM, "birth: out of memory");
    node_lock(n);
    enum rc rc = once_judge_birth(b, n, in);
    const struct once *o = rc == RC_OK ? once_find(n, b->s.id) : NULL;
    bool share = rc == RC_OK && b->member && o && o->state == ONCE_VOTED;
    node_unlock(n);
    TRY(rc);
    if (share)
        TRY(vault_activate(n->w.vault, ack, &b->terms, b->votes, b->n_votes,
                           NULL, 0));
    left_out(n, b);
    node_lock(n);
    rc = publish(out, n, b, in, share);
    node_unlock(n);
    return rc;
}

static enum rc answer_birth(struct wire_once_born *out, struct node *n,
                            const struct once *o, const struct request *q,
                            uint64_t want_next)
{
    node_lock(n);
    out->share = o->state == ONCE_LIVE;
    out->head = n->head;
    node_unlock(n);
    memcpy(out->boot, n->keys.boot, 16);
    if (!out->share || q->from == n->id)
        return RC_OK;
    return follow_next_commitments(n, q->from, o->key.id, 1, want_next,
                                   &out->next.at, &out->next.n);
}

static enum rc on_birth(struct node *n, struct request *q, char **reply,
                        size_t *reply_len)
{
    WIRE(once_birth) in = { 0 };
    WIRE(once_born) out = { 0 };
    struct once *o;
    TRY(wire_once_birth_decode(&in, (const char *)q->body, q->len));
    if (given_before(reply, reply_len, known(n, in.birth.cert.session),
                     ONCE_BIRTH, q))
        return RC_OK;
    TRY(take_birth(&o, n, &in.birth));
    /* logged, but in which history? */
    gossip_hear(n, q->from == n->id ? 0 : q->from, in.birth.proof.checkpoint.p,
                in.birth.proof.checkpoint.len, false);
    FAILPOINT(once_active);
    TRY(answer_birth(&out, n, o, q, in.want_next));
    TRY(wire_once_born_encode(reply, reply_len, &out));
    if (out.share)
        remember(o, ONCE_BIRTH, q, *reply, *reply_len);
    return RC_OK;
}

/* ---- close ---------------------------------------------------------------------------------- */

static enum rc on_close(struct node *n, struct request *q, char **reply,
                        size_t *reply_len)
{
    struct wire_once_close in;
    TRY(wire_once_close_decode(&in, (const char *)q->body, q->len));
    node_lock(n);
    struct once *o = once_find(n, in.session);
    bool may = !o || q->from == o->lead || q->from == o->user;
    node_unlock(n);
    if (!may)
        return rc_raise(RC_AUTH, "once: this key is not node%u's to close",
                        q->from);
    if (o && o->state != ONCE_KEPT)
        once_end(n, o, "its session has ended");
    return wire_once_close_encode(reply, reply_len, &in);
}

/* ---- the door --------------------------------------------------------------------------------- */

enum rc once_on_peer(struct node *n, uint16_t from, const char *step,
                     const uint8_t *body, size_t len, char **reply,
                     size_t *reply_len)
{
    static const struct {
        const char *name;
        enum rc (*fn)(struct node *n, struct request *q, char **reply,
                      size_t *reply_len);
    } steps[] = { { "start", on_start },
                  { "deal", on_deal },
                  { "finish", on_finish },
                  { "birth", on_birth },
                  { "close", on_close } };
    struct request q = { .from = from, .body = body, .len = len };
    const uint8_t who[2] = { (uint8_t)(from >> 8), (uint8_t)from };
    const struct hash_part parts[] = { { who, 2 }, { body, len } };
    hash256_parts(q.hash, parts, 2);
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        if (strcmp(step, steps[i].name) != 0)
            continue;
        pthread_mutex_lock(&n->once_lock);
        enum rc rc = steps[i].fn(n, &q, reply, reply_len);
        pthread_mutex_unlock(&n->once_lock);
        return rc;
    }
    return rc_raise(RC_UNKNOWN, "no such path");
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driving a move of a key: refresh, reshare, repair; or its end. The node that was asked
 * carries messages between holders and new members, logs the certificate and
 * tells everyone. It is trusted with nothing. Whatever became of an earlier
 * driver of the same session is found out first: votes that are all there are
 * logged, what is certified is handed on, and else a new number is begun.
 */
#include "sidecar/changes.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"

#define CHANGE_MS 25000 /* all of it */
#define LOOK_MS   3000  /* who does not answer by then is down */
#define PHASE_MS  6000

static void phase_begin(struct node *n);

/* ---- ends ------------------------------------------------------------------------- */

static void change_drop(struct change *c)
{
    wire_session_free(&c->session);
    wire_epoch_live_free(&c->live);
    for (unsigned i = 0; i < c->n_parties; i++) {
        wire_package_free(&c->party[i].package);
        wire_boxes_free(&c->party[i].boxes);
    }
    free(c);
}

void change_free(struct node *n)
{
    if (n->change)
        change_drop(n->change);
    n->change = NULL;
}

/* The thread's text says why. */
static void fail(struct node *n, enum rc rc)
{
    struct change *c = n->change;
    c->over = true;
    c->rc = rc;
    snprintf(c->why, sizeof(c->why), "%.959s", rc_text());
    if (!c->answered) {
        c->answered = true;
        node_answer(n, c->call, rc, NULL, 0);
    }
}

static void done(struct node *n)
{
    struct change *c = n->change;
    c->over = true;
    c->phase = CH_END;
    if (!c->answered) {
        c->answered = true;
        ask_key(n, c->call, c->name);
    }
}

/* ---- one phase: a call to each, one answer from each --------------------------------- */

/* A party's part failed. Before there is a certificate, all must do theirs. */
static void party_failed(struct change *c, struct change_party *p, enum rc rc)
{
    snprintf(p->what, sizeof(p->what), "%.440s (%s)", rc_text(), rc_slug(rc));
    if (c->phase == CH_LOOK || c->phase >= CH_LIVE || c->rc != RC_OK)
        return;
    c->rc = rc;
    snprintf(c->why, sizeof(c->why), "node%u: %.900s", p->node, rc_text());
}

static void phase_end(struct node *n);

static void answered(struct node *n, void *arg, uint32_t from, enum rc rc,
                     const uint8_t *body, size_t len)
{
    struct change *c = n->change;
    struct change_party *p = NULL;
    uint64_t tag = (uint64_t)(uintptr_t)arg;
    if (!c || c->over || tag != c->serial * CH_END + c->phase)
        return; /* of an earlier one */
    for (unsigned i = 0; i < c->n_parties; i++)
        if (c->party[i].node == from && c->party[i].asked)
            p = &c->party[i];
    if (!p)
        return;
    p->asked = false;
    if (rc == RC_OK)
        rc = change_take(n, c, p, body, len);
    if (rc == RC_OK) {
        p->step = c->phase;
        p->what[0] = '\0';
    } else {
        party_failed(c, p, rc);
    }
    if (--c->waiting == 0)
        phase_end(n);
}

/* To a party: over the wire, or straight into our own handler. */
static void tell(struct node *n, uint16_t to, const char *path,
                 const char *json, size_t len)
{
    const struct change *c = n->change;
    int64_t now = n->w.now_ms(n->w.ctx);
    int64_t until = now + (c->phase == CH_LOOK ? LOOK_MS : PHASE_MS);
    void *tag = (void *)(uintptr_t)(c->serial * CH_END + c->phase);
    if (to != n->id) {
        node_send(n, to, path, json, len, until, answered, tag, to);
        return;
    }
    char *reply = NULL;
    size_t reply_len = 0;
    enum rc rc = node_on_peer(n, n->id, path, (const uint8_t *)json, len,
                              &reply, &reply_len);
    answered(n, tag, n->id, rc, (const uint8_t *)reply, reply_len);
    free(reply);
}

static void tell_one(struct node *n, struct change_party *p)
{
    struct change *c = n->change;
    OWNED_MEM char *json = NULL;
    const char *path;
    size_t len = 0;
    enum rc rc = change_say(&path, &json, &len, n, c, p);
    if (rc != RC_OK) {
        void *tag = (void *)(uintptr_t)(c->serial * CH_END + c->phase);
        answered(n, tag, p->node, rc, NULL, 0);
        return;
    }
    tell(n, p->node, path, json, len);
}

static bool has_part(const struct change *c, const struct change_party *p)
{
    switch (c->phase) {
    case CH_BEGIN:
    case CH_SHARE:
        return p->deals || p->receives;
    case CH_DESTROY:
    case CH_PREPARE:
        return p->receives;
    default:
        return true;
    }
}

static void tell_all(struct node *n)
{
    struct change *c = n->change;
    uint64_t serial = c->serial;
    enum change_phase phase = c->phase;
    unsigned own = 0;
    c->waiting = 0;
    for (unsigned i = 0; i < c->n_parties; i++) {
        c->party[i].asked = has_part(c, &c->party[i]);
        c->waiting += c->party[i].asked;
        if (c->party[i].node == n->id)
            own = i;
    }
    for (unsigned k = 0; k < c->n_parties; k++) {
        /* ourselves last: by then every other message is on its way */
        struct change_party *p = &c->party[(own + 1 + k) % c->n_parties];
        if (p->asked)
            tell_one(n, p);
        if (n->change != c || c->serial != serial || c->phase != phase ||
            c->over)
            return;
    }
}

/* ---- the log ------------------------------------------------------------------------------ */

static void logged(struct node *n, void *arg, uint32_t extra, enum rc rc,
                   const uint8_t *body, size_t len)
{
    struct change *c = n->change;
    WIRE(appended) in = { 0 };
    (void)extra;
    if (!c || c->over ||
        (uint64_t)(uintptr_t)arg != c->serial * CH_END + c->phase)
        return;
    if (rc == RC_OK)
        rc = wire_appended_decode(&in, (const char *)body, len);
    if (rc == RC_OK && in.proofs.n != 1)
        rc = rc_raise(RC_LOG, "%zu proofs for one epoch", in.proofs.n);
    if (rc == RC_OK)
        rc = proof_copy(&c->live.live.at[0].proof, &in.proofs.at[0]);
    FAILPOINT(change_logged);
    if (rc == RC_OK && c->destroys)
        rc = epoch_take_gone(n, c->key->id, &c->live.live.at[0]);
    else if (rc == RC_OK)
        rc = epoch_take(n, &c->live); /* ours first: then it is at rest */
    if (rc != RC_OK) {
        (void)rc_prefix(rc, "log: ");
        if (rc == RC_EPOCH_MOVED && c->recovers)
            rc_hint("bring the backups of that epoch; a node that took an "
                    "older one must be started again first");
        fail(n, rc);
        return;
    }
    c->phase = CH_LIVE;
    phase_begin(n);
}

static enum rc log_cert(struct node *n, struct change *c)
{
    char text[TLOG_ENTRY_MAX + 1];
    size_t text_len;
    struct judged j;
    WIRE(append) ask = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    node_lock(n);
    enum rc rc = session_judge(&j, n, &c->session); /* still approved? */
    node_unlock(n);
    TRY(rc);
    FAILPOINT(change_voted);
    TRY(change_certify(text, &text_len, n, c));
    TRY(wire_list_new(&ask.entries, 1));
    TRY(wire_text_set(&ask.entries.at[0], text, text_len));
    TRY(wire_append_encode(&json, &len, &ask));
    node_send(n, WORLD_LOG, "/v1/log/append", json, len,
              n->w.now_ms(n->w.ctx) + PHASE_MS, logged,
              (void *)(uintptr_t)(c->serial * CH_END + c->phase), 0);
    return RC_OK;
}

/* ---- phases -------------------------------------------------------------------------------- */

static void phase_begin(struct node *n)
{
    struct change *c = n->change;
    if (c->phase != CH_LOG) {
        tell_all(n);
        return;
    }
    enum rc rc = log_cert(n, c);
    if (rc != RC_OK)
        fail(n, rc);
}

/* The key can sign; what is missing comes by itself (epoch_keep.c). */
static void after_live(struct node *n, struct change *c)
{
    unsigned acks = 0;
    char who[300] = "";
    for (unsigned i = 0; i < c->n_parties; i++) {
        const struct change_party *p = &c->party[i];
        size_t at = strlen(who);
        acks += p->receives && p->has_ack;
        if (p->receives && !p->has_ack)
            snprintf(who + at, sizeof(who) - at, "; node%u: %.80s", p->node,
                     p->what);
    }
    if (acks < c->plan.t) {
        fail(n, rc_raise(RC_NODES,
                         "epoch %llu of %s is certified, and %u of %u nodes "
                         "have taken it; the others will when they can%s",
                         (unsigned long long)c->epoch, c->name, acks, c->plan.n,
                         who));
        return;
    }
    if (acks < c->plan.n) {
        done(n);
        return;
    }
    c->phase = CH_RETIRE;
    phase_begin(n);
}

/* After begin, before the dealing: no share is sealed without its pieces. */
static void pieces_came(struct node *n, void *arg, enum rc rc, const char *why)
{
    struct change *c = n->change;
    if (!c || c->over ||
        (uint64_t)(uintptr_t)arg != c->serial * CH_END + c->phase)
        return;
    if (rc != RC_OK) {
        fail(n, rc_raise(rc, "%s", why));
        return;
    }
    c->pieces_dealt = true;
    c->phase = CH_SHARE;
    phase_begin(n);
}

static void deal_pieces(struct node *n, const struct change *c)
{
    struct vault_dkg_terms terms = { .epoch = c->epoch,
                                     .t = c->plan.t,
                                     .n = (uint16_t)c->plan.n,
                                     .persistent = true };
    memcpy(terms.session, c->judged.s.id, 32);
    memcpy(terms.ids, c->plan.node, c->plan.n * sizeof(*c->plan.node));
    pieces_deal(n, &terms, n->w.now_ms(n->w.ctx) + PHASE_MS, pieces_came,
                (void *)(uintptr_t)(c->serial * CH_END + c->phase));
}

static void phase_end(struct node *n)
{
    struct change *c = n->change;
    enum change_phase next = c->phase == CH_DESTROY ? CH_LOG : c->phase + 1;
    enum rc rc = c->rc;
    if (rc != RC_OK)
        (void)rc_raise(rc, "%s", c->why);
    if (rc == RC_OK && c->phase == CH_LOOK)
        rc = change_after_look(&next, n, c);
    if (rc != RC_OK) {
        fail(n, rc);
        return;
    }
    if (c->phase == CH_LIVE && !c->destroys) {
        after_live(n, c);
        return;
    }
    if (c->phase == CH_RETIRE || c->phase == CH_LIVE) {
        done(n);
        return;
    }
    if (c->phase == CH_BEGIN && !c->pieces_dealt) {
        deal_pieces(n, c);
        return;
    }
    c->phase = next;
    phase_begin(n);
}

/* ---- the beginning --------------------------------------------------------------------------- */

/* Under lock. Approvals may have been brought here, or to any node, before. */
static enum rc use_held(struct change *c, struct node *n)
{
    WIRE(session) held = { 0 };
    uint8_t id[32];
    policy_session_id(id, c->session.descriptor.p, c->session.descriptor.len);
    if (c->session.approvals.n)
        return RC_OK;
    enum rc rc = session_load(&held, n, id);
    if (rc == RC_UNKNOWN)
        return RC_OK;
    TRY(rc);
    wire_session_free(&c->session);
    c->session = held;
    memset(&held, 0, sizeof(held)); /* moved */
    return RC_OK;
}

static enum rc begin(struct node *n, struct change *c, const uint8_t *body,
                     size_t len)
{
    TRY(wire_session_decode(&c->session, (const char *)body, len));
    node_lock(n);
    enum rc rc = use_held(c, n);
    if (rc == RC_OK)
        rc = change_plan(c, n);
    node_unlock(n);
    c->deadline_ms = n->w.now_ms(n->w.ctx) + CHANGE_MS;
    return rc;
}

void change_on_post(struct node *n, uint64_t call, const uint8_t *body,
                    size_t len)
{
    if (n->change && !n->change->over) {
        enum rc rc = rc_raise(RC_ORDER, "key %s is being moved by this node",
                              n->change->name);
        rc_hint("wait for it: mpcsign key show %s", n->change->name);
        node_answer(n, call, rc, NULL, 0);
        return;
    }
    struct change *c = calloc(1, sizeof(*c));
    if (!c) {
        node_answer(n, call, rc_raise(RC_NOMEM, "change"), NULL, 0);
        return;
    }
    change_free(n);
    n->change = c;
    c->serial = ++n->change_serial;
    c->call = call;
    enum rc rc = begin(n, c, body, len);
    if (rc != RC_OK)
        fail(n, rc);
    else
        phase_begin(n);
}

void change_tick(struct node *n)
{
    struct change *c = n->change;
    if (!c || c->over || n->w.now_ms(n->w.ctx) < c->deadline_ms + 1000)
        return;
    fail(n, rc_raise(RC_TIMEOUT, "key %s: the nodes did not finish in time",
                     c->name));
}

/* ---- how it goes ----------------------------------------------------------------------------- */

static enum rc fill(struct wire_change *out, const struct change *c)
{
    snprintf(out->type, sizeof(out->type), "%s",
             policy_session_type_name(c->judged.s.type));
    snprintf(out->state, sizeof(out->state), "%s",
             !c->over         ? "running"
             : c->rc == RC_OK ? "done"
                              : "failed");
    snprintf(out->why, sizeof(out->why), "%s", c->why);
    memcpy(out->session, c->judged.s.id, 32);
    out->epoch = c->epoch;
    out->parent = c->parent;
    TRY(wire_list_new(&out->nodes, c->n_parties));
    for (unsigned i = 0; i < c->n_parties; i++) {
        const struct change_party *p = &c->party[i];
        struct wire_change_node *to = &out->nodes.at[i];
        to->node = p->node;
        to->deals = p->deals;
        to->receives = p->receives;
        snprintf(to->step, sizeof(to->step), "%s",
                 p->found ? change_phase_name(p->step) : "");
        snprintf(to->what, sizeof(to->what), "%s", p->what);
    }
    return RC_OK;
}

void change_on_get(struct node *n, uint64_t call, const char *name)
{
    WIRE(change) out = { 0 };
    char *json = NULL;
    size_t len = 0;
    size_t whole = strlen(name) - strlen("/change");
    const struct change *c = n->change;
    snprintf(out.name, sizeof(out.name), "%.*s", (int)whole, name);
    snprintf(out.state, sizeof(out.state), "none");
    enum rc rc = RC_OK;
    if (c && strcmp(c->name, out.name) == 0)
        rc = fill(&out, c);
    if (rc == RC_OK)
        rc = wire_change_encode(&json, &len, &out);
    node_answer(n, call, rc, json, len);
}

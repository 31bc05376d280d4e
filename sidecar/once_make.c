/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leading the making of a session's key: START to those who sign for its
 * profile and seem well; the first t + 1 that answer take part, or t when that
 * is all there are. The lead only carries messages and is trusted with
 * nothing: the members' endorsements are over what they saw.
 *
 * A session's key is begun once in a vault's life, but its package is the same
 * until it is dealt: too few at START lose nothing.
 */
#include "sidecar/once_make.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"

static const char *const paths[] = { [MAKING_START] = "/v1/once/start",
                                     [MAKING_DEAL] = "/v1/once/deal",
                                     [MAKING_FINISH] = "/v1/once/finish",
                                     [MAKING_BIRTH] = "/v1/once/birth" };

/* ---- ends ------------------------------------------------------------------------- */

void once_making_free(struct making *m)
{
    if (!m)
        return;
    for (unsigned i = 0; i < m->n_cand; i++)
        wire_package_free(&m->cand[i].package);
    for (unsigned i = 0; i < m->n; i++) {
        wire_package_free(&m->package[i]);
        wire_boxes_free(&m->boxes[i]);
        wire_once_born_free(&m->born[i]);
    }
    wire_birth_free(&m->birth);
    free(m->own);
    free(m);
}

void once_close(struct node *n, const struct once_run *run)
{
    const struct making *m = run->making;
    const struct key *k = run->once ? &run->once->key : NULL;
    FAILPOINT(once_closed);
    for (unsigned i = 0; m && i < m->n_cand; i++)
        if (m->cand[i].asked)
            once_making_close(n, run->judged.s.id, m->cand[i].id);
    for (unsigned i = 0; k && i < k->n; i++)
        once_making_close(n, run->judged.s.id, k->node[i]);
}

/*
 * It or another of them lies. Nobody can tell; so the next try goes without
 * the one, and one more without another.
 */
static void leave_out(const struct node *n, struct once_run *run)
{
    const struct making *m = run->making;
    uint16_t before = run->left_out;
    run->left_out = m->by == n->id ? 0 : m->by;
    for (unsigned i = 0; i < m->n && (before || !run->left_out); i++)
        if (m->node[i] != n->id && m->node[i] != before) {
            run->left_out = m->node[i];
            return;
        }
}

/* It will not be made any more, unless another node is making it. */
static bool is_dealt(const struct making *m)
{
    return m->phase > MAKING_START && !m->elsewhere;
}

void once_making_fail(struct node *n, struct once_run *run, enum rc rc,
                      const char *why)
{
    char text[960];
    snprintf(text, sizeof(text), "%s", why);
    /* begun only: another try gets the same packages */
    if (run->anonymous || run->making->phase > MAKING_START)
        once_close(n, run);
    bool dealt = is_dealt(run->making);
    if (run->making->by)
        leave_out(n, run);
    run->step++;
    once_making_free(TAKE(run->making));
    once_failed(n, run, rc, text, dealt);
}

/* What a node should not have done; a refusal is its right. */
void once_making_blame(struct node *n, uint16_t node, enum rc rc)
{
    switch (rc) {
    case RC_CHEATER:
    case RC_PARSE:
        peer_down(n, node, CHEATER_DOWN_MS, rc);
        return;
    case RC_TIMEOUT:
    case RC_UNREACHABLE:
    case RC_IO:
    case RC_ATTEST:
    case RC_POLICY_HASH:
    case RC_NOMEM:
    case RC_STORE:
    case RC_INTERNAL:
        peer_down(n, node, DOWN_MS, rc);
        return;
    case RC_POLICY_CHANGED:
        govern_tell(n, node);
        govern_ask(n, node);
        return;
    default:
        return;
    }
}

unsigned once_making_index(const struct making *m, uint16_t node)
{
    unsigned i = 0;
    while (i < m->n && m->node[i] != node)
        i++;
    return i;
}

void once_making_phase(struct once_run *run, enum making_phase phase)
{
    struct making *m = run->making;
    m->phase = phase;
    m->rc = RC_OK;
    m->waiting = 0;
    m->own_waiting = false;
    run->step++;
}

/* ---- asking ------------------------------------------------------------------------- */

static void took(struct node *n, struct once_run *run, uint16_t from,
                 enum rc rc, const uint8_t *body, size_t len);

static void replied(struct node *n, void *arg, uint32_t extra, enum rc rc,
                    const uint8_t *body, size_t len)
{
    struct once_run *run = arg;
    run->refs--;
    if (run->making && extra >> 16 == run->step)
        took(n, run, (uint16_t)extra, rc, body, len);
    else if (rc != RC_OK) /* nobody waited for it */
        once_making_blame(n, (uint16_t)extra, rc);
}

static void own_turn(struct node *n, void *arg, uint32_t extra, enum rc rc,
                     const uint8_t *body, size_t len)
{
    struct once_run *run = arg;
    OWNED_MEM char *reply = NULL;
    size_t reply_len = 0;
    (void)body;
    (void)len;
    run->refs--;
    if (!run->making || extra != run->step)
        return;
    OWNED_MEM char *own = TAKE(run->making->own);
    run->making->own_waiting = false;
    if (rc == RC_OK)
        rc = node_on_peer(n, n->id, paths[run->making->phase],
                          (const uint8_t *)own, run->making->own_len, &reply,
                          &reply_len);
    took(n, run, n->id, rc, (const uint8_t *)reply, reply_len);
}

void once_making_ask(struct node *n, struct once_run *run, uint16_t to,
                     const char *json, size_t len)
{
    struct making *m = run->making;
    m->waiting++;
    run->refs++;
    if (to != n->id) {
        node_send(n, to, paths[m->phase], json, len,
                  n->w.now_ms(n->w.ctx) + ROUND_MS, replied, run,
                  (uint32_t)run->step << 16 | to);
        return;
    }
    m->own_waiting = true;
    free(m->own);
    m->own = malloc(len + 1);
    m->own_len = len;
    if (m->own)
        memcpy(m->own, json, len + 1);
    else
        m->own_len = 0;
    node_later(n, own_turn, run, run->step);
}

/* ---- start ---------------------------------------------------------------------------- */

/* Ourselves, then those that seem well, around the ring; then the others. */
static unsigned list_candidates(struct making *m, struct node *n,
                                const struct policy_profile *f,
                                uint16_t left_out)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    unsigned well = 0;
    unsigned turn = n->once_more.turn++;
    if (f->n_signers <= f->threshold)
        left_out = 0;
    for (unsigned i = 0; i < f->n_signers; i++)
        if (f->signers[i] == n->id)
            m->cand[m->n_cand++].id = n->id;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < f->n_signers; i++) {
            uint16_t id = f->signers[(turn + i) % f->n_signers];
            const struct peer *p = id == n->id || id == left_out
                                           ? NULL
                                           : node_peer(n, id);
            if (p && (p->down_until_ms <= now) == (pass == 0))
                m->cand[m->n_cand++].id = id;
        }
        if (pass == 0)
            well = m->n_cand;
    }
    return well;
}

/* How many are asked at once: one spare, where there is one. */
static enum rc plan(unsigned *first, struct node *n, struct once_run *run)
{
    struct making *m = run->making;
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    const struct policy_profile *f = policy_profile_find(p, run->profile);
    bool current = memcmp(run->judged.s.policy, p->sha256, 32) == 0;
    node_unlock(n);
    if (!f || !current)
        return rc_raise(RC_POLICY_CHANGED,
                        "session for %s: made under another policy than the "
                        "one in force",
                        run->profile);
    m->t = f->threshold;
    unsigned well = list_candidates(m, n, f, run->left_out);
    m->want = well > m->t ? m->t + 1u : m->t;
    *first = well < m->t ? m->n_cand : well > m->want + 1 ? m->want + 1 : well;
    m->hedge_ms = n->w.now_ms(n->w.ctx) + ONCE_HEDGE_MS;
    return RC_OK;
}

static void start_check(struct node *n, struct once_run *run);

/* The next `count` candidates; ourselves last, who are the first of them. */
static void ask_more(struct node *n, struct once_run *run, unsigned count)
{
    struct making *m = run->making;
    OWNED_MEM char *json = NULL;
    size_t len;
    uint16_t step = run->step;
    bool own = false;
    if (wire_session_encode(&json, &len, &run->session) != RC_OK) {
        once_making_fail(n, run, RC_NOMEM, rc_text());
        return;
    }
    for (unsigned i = 0; i < m->n_cand && count; i++) {
        if (m->cand[i].asked)
            continue;
        m->cand[i].asked = true;
        count--;
        own = own || m->cand[i].id == n->id;
        if (m->cand[i].id == n->id)
            continue;
        once_making_ask(n, run, m->cand[i].id, json, len);
        if (run->making != m || run->step != step)
            return;
    }
    if (own)
        once_making_ask(n, run, n->id, json, len);
}

static void start(struct node *n, struct once_run *run)
{
    unsigned first;
    enum rc rc = plan(&first, n, run);
    if (rc != RC_OK) {
        once_making_fail(n, run, rc, rc_text());
        return;
    }
    once_making_phase(run, MAKING_START);
    ask_more(n, run, first);
}

/* A package that is none is found here, by its sender's name. */
static enum rc take_package(struct candidate *c, unsigned t,
                            const uint8_t *body, size_t len)
{
    struct frost_dealing d;
    struct frost_id id;
    TRY(wire_package_decode(&c->package, (const char *)body, len));
    if (c->package.node != c->id)
        return rc_raise(RC_PARSE, "package of another node");
    TRY(epoch_package_from_wire(&d, &c->package));
    TRY(frost_id_from_u16(&id, c->id));
    if (frost_dkg_check(&d, &id, t) != RC_OK)
        return rc_prefix(RC_CHEATER, "bad package: ");
    return RC_OK;
}

static void started(struct node *n, struct once_run *run, uint16_t from,
                    enum rc rc, const uint8_t *body, size_t len)
{
    struct making *m = run->making;
    struct candidate *c = m->cand;
    while (c->id != from)
        c++;
    if (rc == RC_OK)
        rc = take_package(c, m->t, body, len);
    m->waiting--;
    if (rc == RC_OK) {
        c->answered = true;
        c->order = from == n->id ? 0 : ++m->answered;
        if (from == n->id)
            m->answered++;
        start_check(n, run);
        return;
    }
    snprintf(c->why, sizeof(c->why), "%.199s", rc_text());
    if (from == n->id && !round_worth_another(rc) && rc != RC_BUSY) {
        once_making_fail(n, run, rc, c->why); /* what we say ourselves stands */
        return;
    }
    if (from != n->id)
        once_making_blame(n, from, rc);
    if (m->rc == RC_OK)
        m->rc = rc;
    m->soon = m->soon || rc == RC_ORDER;
    uint16_t step = run->step;
    ask_more(n, run, 1);
    if (run->making == m && run->step == step)
        start_check(n, run);
}

/* "needs 2 of 3 nodes, has 1; node2: …; node3: …" */
static void say_few(char *why, size_t cap, const struct once_run *run)
{
    const struct making *m = run->making;
    int at = snprintf(why, cap, "key of %s: needs %u of %u nodes, has %u",
                      run->profile, m->t, m->n_cand, m->answered);
    for (unsigned i = 0; i < m->n_cand && at > 0 && (size_t)at < cap; i++)
        if (!m->cand[i].answered)
            at += snprintf(why + at, cap - (size_t)at, "; node%u: %s",
                           m->cand[i].id,
                           m->cand[i].why[0] ? m->cand[i].why : "no answer");
}

/* Nothing was dealt: the next tick asks for the same packages again. */
static bool wait_for_more(const struct node *n, struct once_run *run)
{
    if (!run->making->soon ||
        n->w.now_ms(n->w.ctx) >= run->opened_ms + NOBODY_MS)
        return false;
    struct making *m = calloc(1, sizeof(*m));
    if (!m)
        return false;
    run->step++;
    once_making_free(run->making);
    run->making = m;
    return true;
}

static void start_check(struct node *n, struct once_run *run)
{
    struct making *m = run->making;
    bool enough = m->answered >= m->t;
    bool all = m->answered >= m->want || m->waiting == 0 ||
               n->w.now_ms(n->w.ctx) >= m->hedge_ms;
    if (m->own_waiting || (m->waiting && !(enough && all)))
        return;
    if (!enough && wait_for_more(n, run))
        return;
    if (!enough) {
        char why[960];
        say_few(why, sizeof(why), run);
        once_making_fail(n, run, m->rc == RC_BUSY ? RC_BUSY : RC_NODES, why);
        return;
    }
    once_making_deal(n, run);
}

static void took(struct node *n, struct once_run *run, uint16_t from,
                 enum rc rc, const uint8_t *body, size_t len)
{
    switch (run->making->phase) {
    case MAKING_START:
        started(n, run, from, rc, body, len);
        return;
    case MAKING_BIRTH:
        once_making_born(n, run, from, rc, body, len);
        return;
    default:
        once_making_stepped(n, run, from, rc, body, len);
        return;
    }
}

/* ---- the beginning, and time ------------------------------------------------------------------ */

/* Nothing is made under a log that we cannot rely on. */
static void when_settled(struct node *n, struct once_run *run)
{
    node_lock(n);
    enum rc rc = gossip_check(n);
    node_unlock(n);
    if (rc == RC_ORDER)
        return; /* the next tick looks again */
    if (rc == RC_OK)
        start(n, run);
    else
        once_making_fail(n, run, rc, rc_text());
}

void once_make(struct node *n, struct once_run *run)
{
    run->making = calloc(1, sizeof(*run->making));
    if (!run->making) {
        once_failed(n, run, rc_raise(RC_NOMEM, "once: out of memory"),
                    rc_text(), false);
        return;
    }
    when_settled(n, run);
}

void once_make_waits(char *out, size_t cap, const struct once_run *run)
{
    static const char *const what[] = {
        "to know the log",         "enough nodes", "the nodes' sub-shares",
        "the nodes' endorsements", "the log",      "the nodes to activate it"
    };
    const struct making *m = run->making;
    snprintf(out, cap, "key of %s: not made in time, waiting for %s",
             run->profile, m ? what[m->phase] : "its nodes");
}

void once_make_tick(struct node *n, struct once_run *run)
{
    char why[200];
    if (n->w.now_ms(n->w.ctx) >= run->deadline_ms) {
        once_make_waits(why, sizeof(why), run);
        once_making_fail(n, run, RC_TIMEOUT, why);
        return;
    }
    if (run->making->phase == MAKING_WAIT)
        when_settled(n, run);
    else if (run->making->phase == MAKING_START)
        start_check(n, run);
    else if (run->making->phase == MAKING_BIRTH)
        once_making_born_check(n, run);
}

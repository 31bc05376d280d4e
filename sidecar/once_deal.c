/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leading, the middle of making a session's key: who takes part is fixed, each
 * deals to all of them, and each endorses what it saw.
 */
#include "sidecar/once_make.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"

/* ---- who takes part --------------------------------------------------------------------- */

static void take_part(struct making *m, unsigned at)
{
    struct candidate *c = &m->cand[at];
    unsigned i = m->n++;
    for (; i > 0 && m->node[i - 1] > c->id; i--) {
        m->node[i] = m->node[i - 1];
        m->package[i] = m->package[i - 1];
    }
    m->node[i] = c->id;
    m->package[i] = c->package; /* moved */
    memset(&c->package, 0, sizeof(c->package));
}

/* The first that answered; ourselves in any case. */
static void choose(struct node *n, struct once_run *run)
{
    struct making *m = run->making;
    for (unsigned order = 0; order <= m->answered && m->n < m->want; order++)
        for (unsigned i = 0; i < m->n_cand && m->n < m->want; i++) {
            const struct candidate *c = &m->cand[i];
            if (c->answered && c->order == order)
                take_part(m, i);
        }
    for (unsigned i = 0; i < m->n_cand; i++)
        if (m->cand[i].asked && once_making_index(m, m->cand[i].id) == m->n) {
            once_making_close(n, run->judged.s.id, m->cand[i].id);
            m->cand[i].asked = false;
        }
}

static enum rc say_deal(char **json, size_t *len, const struct once_run *run)
{
    struct wire_epoch_deal m = { 0 };
    memcpy(m.session, run->judged.s.id, 32);
    m.packages.at = run->making->package; /* lent */
    m.packages.n = run->making->n;
    return wire_epoch_deal_encode(json, len, &m);
}

/* The boxes that all dealers made for member `to`. */
static enum rc say_finish(char **json, size_t *len, const struct once_run *run,
                          unsigned to)
{
    const struct making *m = run->making;
    struct wire_box boxes[TLOG_MAX_NODES];
    struct wire_epoch_finish out = { 0 };
    memcpy(out.session, run->judged.s.id, 32);
    for (unsigned i = 0; i < m->n; i++) {
        boxes[i].node = m->node[i];
        memcpy(boxes[i].box, m->boxes[i].boxes.at[to].box,
               sizeof(boxes[i].box));
    }
    out.boxes.at = boxes;
    out.boxes.n = m->n;
    return wire_epoch_finish_encode(json, len, &out);
}

/* The same step of all who take part, ourselves last. */
static void tell_all(struct node *n, struct once_run *run)
{
    struct making *m = run->making;
    unsigned members = m->n;
    unsigned own = once_making_index(m, n->id);
    uint16_t step = run->step;
    unsigned first = own == members ? 0 : own + 1;
    for (unsigned k = 0; k < members; k++) {
        unsigned i = (first + k) % members;
        OWNED_MEM char *json = NULL;
        size_t len;
        enum rc rc = m->phase == MAKING_DEAL ? say_deal(&json, &len, run)
                                             : say_finish(&json, &len, run, i);
        if (rc != RC_OK) {
            once_making_fail(n, run, rc, rc_text());
            return;
        }
        once_making_ask(n, run, m->node[i], json, len);
        if (run->making != m || run->step != step)
            return;
    }
}

void once_making_deal(struct node *n, struct once_run *run)
{
    struct making *m = run->making;
    if (m->want > m->answered)
        m->want = m->answered;
    choose(n, run);
    FAILPOINT(once_chosen);
    once_making_phase(run, MAKING_DEAL);
    tell_all(n, run);
}

/* ---- deal and finish ------------------------------------------------------------------------ */

/* It says so under the identity that its node has. */
static enum rc check_vote(struct node *n, const struct once_run *run,
                          const struct wire_epoch_vote *v)
{
    const struct making *m = run->making;
    struct tlog_epoch_terms terms = { .epoch = 1,
                                      .t = m->t,
                                      .n = (uint16_t)m->n };
    struct tlog_vote vote = { .node = (uint16_t)v->vote.node };
    memcpy(terms.session, run->judged.s.id, 32);
    memcpy(terms.group_key, v->group_key, 32);
    memcpy(terms.transcript, v->transcript, 32);
    memcpy(vote.identity, v->vote.identity, 32);
    memcpy(vote.y, v->vote.y, 32);
    memcpy(vote.sig, v->vote.sig, 64);
    node_lock(n);
    const struct policy_node *node = policy_node_find(
            policy_chain_head(n->chain), vote.node);
    bool own = node && node->has_keys &&
               memcmp(node->identity, vote.identity, 32) == 0;
    node_unlock(n);
    if (!own)
        return rc_raise(RC_VERIFY, "vote under another identity than its own");
    return tlog_votes_check(&terms, TLOG_VOTE_PREPARED, &vote, 1);
}

static enum rc take_reply(struct node *n, const struct once_run *run,
                          unsigned i, const uint8_t *body, size_t len)
{
    struct making *m = run->making;
    const char *json = (const char *)body;
    if (m->phase == MAKING_DEAL) {
        TRY(wire_boxes_decode(&m->boxes[i], json, len));
        return m->boxes[i].boxes.n == m->n
                       ? RC_OK
                       : rc_raise(RC_PARSE, "%zu boxes for %u members",
                                  m->boxes[i].boxes.n, m->n);
    }
    TRY(wire_epoch_vote_decode(&m->vote[i], json, len));
    if (m->vote[i].vote.node != m->node[i])
        return rc_raise(RC_PARSE, "vote of another node");
    return check_vote(n, run, &m->vote[i]);
}

void once_making_stepped(struct node *n, struct once_run *run, uint16_t from,
                         enum rc rc, const uint8_t *body, size_t len)
{
    struct making *m = run->making;
    unsigned i = once_making_index(m, from);
    if (rc == RC_OK)
        rc = take_reply(n, run, i, body, len);
    m->elsewhere = m->elsewhere || rc == RC_AUTH;
    if (rc != RC_OK && m->rc == RC_OK) {
        m->rc = rc;
        m->by = from;
        snprintf(m->why, sizeof(m->why), "node%u: %.900s", from, rc_text());
    }
    if (rc != RC_OK && from != n->id && rc != RC_CHEATER)
        once_making_blame(n, from, rc);
    if (--m->waiting > 0)
        return;
    if (m->rc != RC_OK) {
        once_making_fail(n, run, m->rc, m->why);
        return;
    }
    if (m->phase == MAKING_FINISH) {
        once_making_log(n, run);
        return;
    }
    once_making_phase(run, MAKING_FINISH);
    tell_all(n, run);
}

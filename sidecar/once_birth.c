/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leading, the end of making a session's key: all endorsements make its birth,
 * which goes to the log and then to every node of the policy. Who holds a
 * share activates it and sends its first commitments along, so that signing
 * costs no other round trip; the others keep it, to judge and to lead by.
 */
#include "sidecar/once_make.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/hash.h"

/* ---- what the entry says ------------------------------------------------------------ */

/* What we saw ourselves, where we took part, is what the others must have. */
static enum rc fill_cert(struct making *m, const struct node *n,
                         const struct judged *j)
{
    struct wire_cert *c = &m->birth.cert;
    unsigned own = once_making_index(m, n->id);
    const struct wire_epoch_vote *first = &m->vote[own < m->n ? own : 0];
    memcpy(c->session, j->s.id, 32);
    memcpy(c->group_key, first->group_key, 32);
    memcpy(c->transcript, first->transcript, 32);
    c->epoch = 1;
    c->threshold = m->t;
    TRY(wire_list_new(&c->votes, m->n));
    for (unsigned i = 0; i < m->n; i++) {
        if (memcmp(m->vote[i].transcript, c->transcript, 32) != 0 ||
            memcmp(m->vote[i].group_key, c->group_key, 32) != 0) {
            m->by = m->node[i];
            return rc_raise(RC_CHEATER,
                            "node%u saw another transcript than node%u: "
                            "somebody equivocated",
                            m->node[i], m->node[own < m->n ? own : 0]);
        }
        c->votes.at[i] = m->vote[i].vote;
    }
    return RC_OK;
}

static enum rc birth_entry(char *text, size_t *len, struct node *n,
                           const struct once_run *run)
{
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    uint8_t identities[TLOG_MAX_NODES][32];
    unsigned n_votes;
    struct tlog_birth b = { .threshold = run->making->t };
    TRY(cert_terms(&terms, votes, &n_votes, &run->making->birth.cert));
    for (unsigned i = 0; i < n_votes; i++)
        memcpy(identities[i], votes[i].identity, 32);
    hash256(b.key, terms.group_key, 32);
    memcpy(b.session, run->judged.s.id, 32);
    tlog_participants(b.participants, identities, n_votes);
    tlog_endorsements_root(b.endorsements, votes, n_votes);
    memcpy(b.approvals, run->judged.approved.root, 32);
    memcpy(b.policy, run->judged.s.policy, 32);
    node_lock(n);
    const struct policy_profile *f = policy_profile_find(
            policy_chain_head(n->chain), run->profile);
    if (f)
        snprintf(b.class, sizeof(b.class), "%s", policy_class_name(f->class));
    node_unlock(n);
    return tlog_birth_encode(text, len, &b);
}

/* The session as it was judged, moved into the birth. */
static enum rc fill_session(struct wire_birth *out,
                            const struct wire_session *in)
{
    WIRE(session) copy = { 0 };
    TRY(session_copy(&copy, in));
    out->descriptor = copy.descriptor;
    out->requester = copy.requester;
    out->approvals.at = copy.approvals.at;
    out->approvals.n = copy.approvals.n;
    memset(&copy, 0, sizeof(copy)); /* moved */
    return RC_OK;
}

/* ---- the log ----------------------------------------------------------------------------- */

static void tell_birth(struct node *n, struct once_run *run);

static enum rc take_proof(struct making *m, const struct wire_appended *in)
{
    const struct wire_text *mine = &m->birth.proof.entry;
    if (in->proofs.n != 1 || in->proofs.at[0].entry.len != mine->len ||
        memcmp(in->proofs.at[0].entry.p, mine->p, mine->len) != 0)
        return rc_raise(RC_LOG, "not the proof of this birth");
    wire_proof_free(&m->birth.proof);
    return proof_copy(&m->birth.proof, &in->proofs.at[0]);
}

static void logged(struct node *n, void *arg, uint32_t extra, enum rc rc,
                   const uint8_t *body, size_t len)
{
    struct once_run *run = arg;
    WIRE(appended) in = { 0 };
    char why[960];
    run->refs--;
    if (!run->making || extra != run->step)
        return;
    if (rc == RC_OK)
        rc = wire_appended_decode(&in, (const char *)body, len);
    if (rc == RC_OK)
        rc = take_proof(run->making, &in);
    if (rc != RC_OK) {
        snprintf(why, sizeof(why), "log: %.900s", rc_text());
        once_making_fail(n, run, rc, why);
        return;
    }
    tell_birth(n, run);
}

static enum rc log_birth(char **json, size_t *len, struct node *n,
                         struct once_run *run)
{
    struct making *m = run->making;
    char text[TLOG_ENTRY_MAX + 1];
    size_t text_len;
    WIRE(append) ask = { 0 };
    TRY(fill_cert(m, n, &run->judged));
    TRY(birth_entry(text, &text_len, n, run));
    TRY(fill_session(&m->birth, &run->session));
    TRY(wire_text_set(&m->birth.proof.entry, text, text_len));
    TRY(wire_list_new(&ask.entries, 1));
    TRY(wire_text_set(&ask.entries.at[0], text, text_len));
    return wire_append_encode(json, len, &ask);
}

void once_making_log(struct node *n, struct once_run *run)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    FAILPOINT(once_due);
    enum rc rc = log_birth(&json, &len, n, run);
    if (rc != RC_OK) {
        once_making_fail(n, run, rc, rc_text());
        return;
    }
    once_making_phase(run, MAKING_LOG);
    run->refs++;
    node_send(n, WORLD_LOG, "/v1/log/append", json, len,
              n->w.now_ms(n->w.ctx) + ROUND_MS, logged, run, run->step);
}

/* ---- to everybody -------------------------------------------------------------------------- */

static void heard(struct node *n, void *arg, uint32_t to, enum rc rc,
                  const uint8_t *body, size_t len)
{
    (void)n;
    (void)arg;
    (void)to;
    (void)rc; /* it is told again when it is asked to sign */
    (void)body;
    (void)len;
}

static enum rc say_birth(char **json, size_t *len,
                         const struct wire_birth *birth, uint64_t want_next)
{
    const struct wire_once_birth m = { .birth = *birth, /* lent */
                                       .want_next = want_next };
    return wire_once_birth_encode(json, len, &m);
}

static void told_again(struct node *n, void *arg, uint32_t to, enum rc rc,
                       const uint8_t *body, size_t len)
{
    const struct key *key = arg;
    WIRE(once_born) born = { 0 };
    struct peer *p = node_peer(n, (uint16_t)to);
    struct pool *pool = p ? peer_pool(p, key) : NULL;
    if (rc == RC_OK)
        rc = wire_once_born_decode(&born, (const char *)body, len);
    if (rc == RC_OK && born.share && pool) {
        pool->lost = false;
        lead_pump(n);
    }
    once_release(key);
}

void once_tell(struct node *n, uint16_t to, const struct key *key)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    if (say_birth(&json, &len, &key->evidence, 0) != RC_OK)
        return;
    once_hold(key);
    node_send(n, to, "/v1/once/birth", json, len,
              n->w.now_ms(n->w.ctx) + ROUND_MS, told_again,
              key->once ? &key->once->key : NULL, to);
}

/* Nodes that hold no share keep it too. */
static void tell_others(struct node *n, const struct once_run *run)
{
    const struct making *m = run->making;
    OWNED_MEM char *json = NULL;
    size_t len;
    uint16_t to[POLICY_MAX_NODES];
    unsigned n_to = 0;
    if (say_birth(&json, &len, &m->birth, 0) != RC_OK)
        return;
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    for (unsigned i = 0; i < p->n_nodes; i++)
        if (once_making_index(m, p->node[i].id) == m->n &&
            p->node[i].id != n->id)
            to[n_to++] = p->node[i].id;
    node_unlock(n);
    for (unsigned i = 0; i < n_to; i++)
        node_send(n, to[i], "/v1/once/birth", json, len,
                  n->w.now_ms(n->w.ctx) + ROUND_MS, heard, NULL, to[i]);
}

static void tell_birth(struct node *n, struct once_run *run)
{
    struct making *m = run->making;
    OWNED_MEM char *json = NULL;
    size_t len;
    FAILPOINT(once_born);
    const uint64_t next = run->anonymous ? ONCE_NEXT
                                         : run->judged.s.n_slots + 1u;
    enum rc rc = say_birth(&json, &len, &m->birth, next);
    if (rc != RC_OK) {
        once_making_fail(n, run, rc, rc_text());
        return;
    }
    once_making_phase(run, MAKING_BIRTH);
    m->hedge_ms = n->w.now_ms(n->w.ctx) + ONCE_HEDGE_MS;
    uint16_t step = run->step;
    for (unsigned i = 0; i < m->n; i++) {
        if (m->node[i] == n->id)
            continue;
        once_making_ask(n, run, m->node[i], json, len);
        if (run->making != m || run->step != step)
            return;
    }
    tell_others(n, run);
    /* ourselves in any case: what we lead by, we have judged */
    once_making_ask(n, run, n->id, json, len);
}

/* ---- it lives --------------------------------------------------------------------------------- */

static void fill_pool(struct node *n, struct key *k, uint16_t id,
                      const struct wire_once_born *born)
{
    struct peer *p = node_peer(n, id);
    if (!p || !born->share)
        return;
    peer_see_boot(n, p, born->boot);
    p->head = born->head;
    struct pool *pool = peer_pool(p, k);
    if (pool && peer_pool_fill(pool, id, born->next.at, born->next.n) != RC_OK)
        peer_down(n, id, CHEATER_DOWN_MS, RC_CHEATER);
}

static enum rc lead_by(struct node *n, struct once_run *run)
{
    const struct making *m = run->making;
    TRY(once_lead_by(n, run));
    for (unsigned i = 0; i < m->n; i++)
        if (m->node[i] != n->id)
            fill_pool(n, &run->once->key, m->node[i], &m->born[i]);
    return RC_OK;
}

void once_making_born_check(struct node *n, struct once_run *run)
{
    struct making *m = run->making;
    bool late = n->w.now_ms(n->w.ctx) >= m->hedge_ms;
    if (m->own_waiting || (m->waiting && !(late && m->shares >= m->t)))
        return;
    enum rc rc = m->shares >= m->t ? RC_OK : m->rc;
    if (rc != RC_OK) {
        once_making_fail(n, run, rc, m->why);
        return;
    }
    rc = lead_by(n, run);
    if (rc != RC_OK) {
        once_making_fail(n, run, rc, rc_text());
        return;
    }
    run->step++;
    once_making_free(TAKE(run->making));
    FAILPOINT(once_opened);
    once_made(n, run);
}

void once_making_born(struct node *n, struct once_run *run, uint16_t from,
                      enum rc rc, const uint8_t *body, size_t len)
{
    struct making *m = run->making;
    unsigned i = once_making_index(m, from);
    WIRE(once_born) born = { 0 };
    if (rc == RC_OK)
        rc = wire_once_born_decode(&born, (const char *)body, len);
    if (rc == RC_OK && i < m->n && !born.share)
        rc = rc_raise(RC_ORDER, "its share is gone");
    if (rc == RC_OK && i < m->n) {
        m->shares++;
        m->born[i] = born;
        memset(&born, 0, sizeof(born)); /* moved */
    }
    if (rc != RC_OK && m->rc == RC_OK) {
        m->rc = rc;
        snprintf(m->why, sizeof(m->why), "node%u: %.900s", from, rc_text());
    }
    if (rc != RC_OK && from != n->id)
        once_making_blame(n, from, rc);
    m->waiting--;
    if (rc != RC_OK && from == n->id) {
        once_making_fail(n, run, rc, m->why);
        return;
    }
    once_making_born_check(n, run);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has a part in a move, and where a session goes on once every node has
 * said how far it is.
 */
#include "sidecar/changes.h"

#include <stdio.h>
#include <string.h>

/* ---- who has a part in it -------------------------------------------------------------- */

static bool of_cert(const struct wire_cert *cert, uint16_t node)
{
    for (size_t i = 0; i < cert->votes.n; i++)
        if (cert->votes.at[i].node == node)
            return true;
    return false;
}

/* Under lock. By the epoch the key is in now. */
static enum rc make_plan(struct change *c, const struct node *n)
{
    const struct policy *p = policy_chain_head(n->chain);
    const struct wire_cert *cert = keys_cert(c->key);
    struct policy_session s = c->judged.s;
    if (c->destroys)
        s.type = POLICY_S_REPAIR; /* its own nodes, whatever the policy says */
    TRY(epoch_plan_make(&c->plan, p, &s, cert));
    c->parent = cert->epoch;
    for (unsigned i = 0; i < c->n_parties; i++) {
        struct change_party *q = &c->party[i];
        q->receives = false;
        for (unsigned j = 0; j < c->plan.n; j++)
            q->receives = q->receives || c->plan.node[j] == q->node;
    }
    for (unsigned j = 0; j < c->plan.n; j++)
        if (!policy_node_find(p, c->plan.node[j]))
            return rc_raise(RC_POLICY, "node%u is not in the policy",
                            c->plan.node[j]);
    return RC_OK;
}

enum rc change_plan(struct change *c, struct node *n)
{
    const struct policy *p = policy_chain_head(n->chain);
    TRY(session_judge(&c->judged, n, &c->session));
    const struct policy_session *s = &c->judged.s;
    c->destroys = s->type == POLICY_S_DESTROY;
    c->recovers = s->type == POLICY_S_RECOVER;
    if (s->type != POLICY_S_REFRESH && s->type != POLICY_S_RESHARE &&
        s->type != POLICY_S_REPAIR && !c->destroys && !c->recovers)
        return rc_raise(RC_ARG, "session: want a refresh, reshare, repair, "
                                "recover or destroy");
    c->key = node_key_by_name(n, s->profile);
    if (!c->key)
        return rc_raise(RC_UNKNOWN, "key %s: not created", s->profile);
    if (memcmp(s->key, c->key->id, 32) != 0)
        return rc_raise(RC_POLICY, "session names another key than %s",
                        s->profile);
    if (c->key->live.gone && !c->destroys)
        return rc_raise(RC_UNKNOWN, "key %s: it was destroyed", s->profile);
    snprintf(c->name, sizeof(c->name), "%s", c->key->name);
    for (unsigned i = 0; i < p->n_nodes; i++)
        c->party[c->n_parties++].node = p->node[i].id;
    return make_plan(c, n);
}

static enum rc still_held(const char *name, unsigned live)
{
    enum rc rc = rc_raise(RC_CONFLICT,
                          "key %s: %u of its holders live, which is enough: "
                          "no backup is needed",
                          name, live);
    rc_hint("mpcsign key repair %s, or reshare", name);
    return rc;
}

/* Nobody else deals this share. */
static bool is_free(const struct change *c, uint16_t dealer)
{
    for (unsigned i = 0; i < c->n_parties; i++)
        if (c->party[i].deals && c->party[i].dealer == dealer)
            return false;
    return true;
}

/* Under lock. Shares that custodians brought, beside those that live. */
static enum rc choose_brought(struct change *c, unsigned live)
{
    const struct wire_cert *cert = keys_cert(c->key);
    unsigned have = live;
    if (live >= cert->threshold)
        return still_held(c->name, live);
    for (unsigned i = 0; i < c->n_parties; i++) {
        struct change_party *p = &c->party[i];
        if (p->deals || !p->found || !p->brought ||
            !of_cert(cert, p->brought) || !is_free(c, p->brought))
            continue;
        p->deals = true;
        p->dealer = p->brought;
        have++;
    }
    if (have >= cert->threshold)
        return RC_OK;
    enum rc rc = rc_raise(RC_NODES,
                          "key %s: its epoch %llu needs %llu of %zu shares, "
                          "%u live and %u were brought",
                          c->name, (unsigned long long)cert->epoch,
                          (unsigned long long)cert->threshold, cert->votes.n,
                          live, have - live);
    rc_hint("the next custodian: mpcsign key recover %s --backup FILE "
            "--custodian-key FILE, to another node",
            c->name);
    return rc;
}

/* Under lock. */
static enum rc choose_dealers(struct change *c)
{
    const struct wire_cert *cert = keys_cert(c->key);
    char down[300] = "";
    unsigned have = 0;
    for (unsigned i = 0; i < c->n_parties; i++) {
        struct change_party *p = &c->party[i];
        size_t at = strlen(down);
        p->deals = p->found && p->holds && of_cert(cert, p->node);
        p->dealer = p->node;
        have += p->deals;
        if (of_cert(cert, p->node) && !p->deals)
            snprintf(down + at, sizeof(down) - at, "; node%u: %.80s", p->node,
                     p->found ? "has no share" : p->what);
    }
    if (c->recovers)
        return choose_brought(c, have);
    if (have >= cert->threshold)
        return RC_OK;
    enum rc rc = rc_raise(
            RC_NODES, "key %s: needs %llu of %zu holders, has %u%s", c->name,
            (unsigned long long)cert->threshold, cert->votes.n, have, down);
    rc_hint("start those that are down; where too few are left for good, "
            "custodians bring theirs: mpcsign key recover %s",
            c->name);
    return rc;
}

static enum rc all_receivers(const struct change *c)
{
    for (unsigned i = 0; i < c->n_parties; i++) {
        const struct change_party *p = &c->party[i];
        if (!p->receives || p->found)
            continue;
        enum rc rc = rc_raise(RC_NODES,
                              "node%u: %.400s; all members of the new epoch "
                              "must take part",
                              p->node, p->what);
        rc_hint("start it, or mark it leaving in a policy and mpcsign key "
                "reshare %s",
                c->name);
        return rc;
    }
    return RC_OK;
}

/* All members voted for one epoch, from the parent the key still has. */
static bool all_voted(const struct change *c)
{
    const struct wire_epoch_voted *first = NULL;
    for (unsigned i = 0; i < c->n_parties; i++) {
        const struct change_party *p = &c->party[i];
        if (!p->receives)
            continue;
        if (!p->has_vote || p->vote.parent != c->parent)
            return false;
        if (!first)
            first = &p->vote;
        if (p->vote.epoch != first->epoch ||
            memcmp(p->vote.vote.transcript, first->vote.transcript, 32) != 0)
            return false;
    }
    return first != NULL;
}

/* Half a destruction helps nobody: all of the key's nodes are there. */
static enum rc after_look_destroy(enum change_phase *next, struct node *n,
                                  struct change *c)
{
    node_lock(n);
    enum rc rc = make_plan(c, n);
    const struct wire_birth *shown = &c->key->live.shown;
    bool made = shown->cert.votes.n != 0;
    if (rc == RC_OK && made) { /* before: everyone is to hear of it */
        rc = birth_copy(&c->live.birth, &c->key->evidence);
        if (rc == RC_OK)
            rc = wire_list_new(&c->live.live, 1);
        if (rc == RC_OK)
            rc = birth_copy(&c->live.live.at[0], shown);
    }
    *next = made ? CH_LIVE : CH_DESTROY;
    c->epoch = c->parent;
    for (unsigned i = 0; rc == RC_OK && !made && i < c->n_parties; i++) {
        const struct change_party *p = &c->party[i];
        if (!p->receives || (p->found && p->holds))
            continue;
        rc = rc_raise(RC_NODES,
                      "node%u: %.400s; all nodes of %s must erase "
                      "their share",
                      p->node, p->found ? "has no share" : p->what, c->name);
        rc_hint("start it, repair it, or reshare it out first");
    }
    node_unlock(n);
    return rc;
}

/*
 * The highest number that was used, but for one so far away that no member
 * would follow: who says that shall not stand in everybody's way.
 */
static uint64_t highest(const struct change *c, uint16_t us)
{
    uint64_t base = c->parent;
    for (unsigned i = 0; i < c->n_parties; i++)
        if (c->party[i].node == us && c->party[i].number > base)
            base = c->party[i].number;
    uint64_t most = base;
    for (unsigned i = 0; i < c->n_parties; i++)
        if (c->party[i].number > most &&
            c->party[i].number - base < EPOCH_STEP_MAX)
            most = c->party[i].number;
    return most;
}

enum rc change_after_look(enum change_phase *next, struct node *n,
                          struct change *c)
{
    if (c->destroys)
        return after_look_destroy(next, n, c);
    node_lock(n);
    const struct wire_cert *cert = keys_cert(c->key);
    bool made = c->key->live.cert.cert.votes.n &&
                memcmp(cert->session, c->judged.s.id, 32) == 0;
    enum rc rc = RC_OK;
    if (made) { /* certified before: everyone is to take it */
        *next = CH_LIVE;
        c->epoch = cert->epoch;
        c->parent = cert->parent;
        for (unsigned i = 0; i < c->n_parties; i++)
            c->party[i].receives = of_cert(cert, c->party[i].node);
        c->plan.t = (uint16_t)cert->threshold;
        c->plan.n = (unsigned)cert->votes.n;
        rc = keys_live_wire(&c->live, c->key);
    } else {
        rc = make_plan(c, n); /* a newer parent may have turned up */
    }
    if (rc == RC_OK && !made && all_voted(c)) {
        *next = CH_LOG;
        for (unsigned i = 0; i < c->n_parties; i++)
            if (c->party[i].receives)
                c->epoch = c->party[i].vote.epoch;
    } else if (rc == RC_OK && !made) {
        *next = CH_BEGIN;
        c->epoch = highest(c, n->id) + 1;
        rc = choose_dealers(c);
        if (rc == RC_OK)
            rc = all_receivers(c);
    }
    node_unlock(n);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the driver of a move says to each node in each phase, what it makes of
 * the answers, and the certificate. Carries boxes, opens none.
 */
#include "sidecar/changes.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

const char *change_phase_name(enum change_phase phase)
{
    static const char *const names[] = {
        [CH_LOOK] = "look",       [CH_BEGIN] = "begin", [CH_SHARE] = "share",
        [CH_PREPARE] = "prepare", [CH_LOG] = "log",     [CH_LIVE] = "live",
        [CH_RETIRE] = "retire",   [CH_END] = "end"
    };
    return names[phase];
}

/* ---- saying ----------------------------------------------------------------------- */

static enum rc say_look(char **json, size_t *len, struct node *n,
                        const struct change *c)
{
    struct wire_epoch_look m = { 0 };
    snprintf(m.name, sizeof(m.name), "%s", c->name);
    memcpy(m.session, c->judged.s.id, 32);
    node_lock(n);
    m.epoch = c->key->live.epoch;
    node_unlock(n);
    return wire_epoch_look_encode(json, len, &m);
}

unsigned change_dealers(struct change_party *out[POLICY_MAX_NODES],
                        struct change *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->n_parties; i++) {
        unsigned at = n;
        if (!c->party[i].deals)
            continue;
        for (; at > 0 && out[at - 1]->dealer > c->party[i].dealer; at--)
            out[at] = out[at - 1];
        out[at] = &c->party[i];
        n++;
    }
    return n;
}

static enum rc say_begin(char **json, size_t *len, struct node *n,
                         struct change *c)
{
    WIRE(epoch_begin) m = { .epoch = c->epoch };
    struct change_party *dealer[POLICY_MAX_NODES];
    unsigned dealers = change_dealers(dealer, c);
    TRY(session_copy(&m.session, &c->session));
    node_lock(n);
    enum rc rc = keys_live_wire(&m.parent, c->key);
    node_unlock(n);
    TRY(rc);
    TRY(wire_list_new(&m.dealers, dealers));
    TRY(wire_list_new(&m.at, dealers));
    for (unsigned i = 0; i < dealers; i++) {
        m.dealers.at[i] = dealer[i]->dealer;
        m.at.at[i] = dealer[i]->node;
    }
    return wire_epoch_begin_encode(json, len, &m);
}

static enum rc say_share(char **json, size_t *len, struct change *c)
{
    struct wire_package package[TLOG_MAX_NODES];
    struct change_party *dealer[POLICY_MAX_NODES];
    unsigned dealers = change_dealers(dealer, c);
    struct wire_epoch_share m = { .epoch = c->epoch };
    memcpy(m.session, c->judged.s.id, 32);
    m.packages.at = package; /* lent */
    for (unsigned i = 0; i < dealers; i++)
        package[m.packages.n++] = dealer[i]->package;
    return wire_epoch_share_encode(json, len, &m);
}

/* The boxes that all dealers made for this new member. */
static enum rc say_prepare(char **json, size_t *len, struct change *c,
                           const struct change_party *p)
{
    struct wire_box box[TLOG_MAX_NODES];
    struct change_party *dealer[POLICY_MAX_NODES];
    unsigned dealers = change_dealers(dealer, c);
    struct wire_epoch_prepare m = { .epoch = c->epoch };
    unsigned at = 0;
    memcpy(m.session, c->judged.s.id, 32);
    snprintf(m.name, sizeof(m.name), "%s", c->name);
    while (at < c->plan.n && c->plan.node[at] != p->node)
        at++;
    m.boxes.at = box; /* lent */
    for (unsigned i = 0; i < dealers; i++) {
        const struct change_party *d = dealer[i];
        if (at >= d->boxes.boxes.n)
            return rc_raise(RC_INTERNAL, "no box of node%u for node%u", d->node,
                            p->node);
        box[m.boxes.n].node = d->node;
        memcpy(box[m.boxes.n++].box, d->boxes.boxes.at[at].box,
               sizeof(box[0].box));
    }
    return wire_epoch_prepare_encode(json, len, &m);
}

static enum rc say_retire(char **json, size_t *len, const struct change *c)
{
    struct wire_ack ack[TLOG_MAX_NODES];
    struct wire_epoch_retire m = { .epoch = c->epoch };
    snprintf(m.name, sizeof(m.name), "%s", c->name);
    m.acks.at = ack; /* lent */
    for (unsigned i = 0; i < c->n_parties; i++)
        if (c->party[i].receives) {
            ack[m.acks.n].node = c->party[i].node;
            memcpy(ack[m.acks.n++].ack, c->party[i].ack, 64);
        }
    return wire_epoch_retire_encode(json, len, &m);
}

static enum rc say_destroy(char **json, size_t *len, struct node *n,
                           const struct change *c)
{
    WIRE(epoch_destroy) m = { 0 };
    TRY(session_copy(&m.session, &c->session));
    node_lock(n);
    enum rc rc = keys_live_wire(&m.key, c->key);
    node_unlock(n);
    TRY(rc);
    return wire_epoch_destroy_encode(json, len, &m);
}

enum rc change_say(const char **path, char **json, size_t *len, struct node *n,
                   struct change *c, struct change_party *p)
{
    *path = NULL;
    switch (c->phase) {
    case CH_LOOK:
        *path = "/v1/epoch/look";
        return say_look(json, len, n, c);
    case CH_DESTROY:
        *path = "/v1/epoch/destroy";
        return say_destroy(json, len, n, c);
    case CH_BEGIN:
        if (!p->deals && !p->receives)
            return RC_OK;
        *path = "/v1/epoch/begin";
        return say_begin(json, len, n, c);
    case CH_SHARE:
        if (!p->deals && !p->receives)
            return RC_OK;
        *path = "/v1/epoch/share";
        return say_share(json, len, c);
    case CH_PREPARE:
        if (!p->receives)
            return RC_OK;
        *path = "/v1/epoch/prepare";
        return say_prepare(json, len, c, p);
    case CH_LIVE:
        *path = c->destroys ? "/v1/epoch/gone" : "/v1/epoch/live";
        return wire_epoch_live_encode(json, len, &c->live);
    case CH_RETIRE:
        *path = "/v1/epoch/retire";
        return say_retire(json, len, c);
    default:
        return rc_raise(RC_INTERNAL, "change: nothing is said in this phase");
    }
}

/* ---- hearing ------------------------------------------------------------------------ */

static enum rc other_node(void)
{
    return rc_raise(RC_PARSE, "answers for another node");
}

static enum rc take_found(struct node *n, struct change_party *p,
                          const char *json, size_t len)
{
    WIRE(epoch_found) in = { 0 };
    TRY(wire_epoch_found_decode(&in, json, len));
    if (in.node != p->node)
        return other_node();
    if (in.newer.n)
        TRY(epoch_take(n, &in.newer.at[0]));
    p->number = in.number;
    p->found = true;
    p->holds = in.share || in.word.n; /* or had one, and says so again */
    p->brought = (uint16_t)in.brought;
    p->has_vote = in.voted.n == 1;
    if (p->has_vote)
        p->vote = in.voted.at[0];
    return RC_OK;
}

static enum rc take_package(struct change_party *p, const char *json,
                            size_t len)
{
    wire_package_free(&p->package);
    TRY(wire_package_decode(&p->package, json, len));
    if (p->package.node != p->node)
        return other_node();
    return (p->package.commitment.n != 0) == p->deals
                   ? RC_OK
                   : rc_raise(RC_PARSE, "package of %zu commitments",
                              p->package.commitment.n);
}

static enum rc take_boxes(struct change *c, struct change_party *p,
                          const char *json, size_t len)
{
    wire_boxes_free(&p->boxes);
    TRY(wire_boxes_decode(&p->boxes, json, len));
    return p->boxes.boxes.n == (p->deals ? c->plan.n : 0)
                   ? RC_OK
                   : rc_raise(RC_PARSE, "%zu boxes for %u members",
                              p->boxes.boxes.n, c->plan.n);
}

static enum rc take_vote(struct change *c, struct change_party *p,
                         const char *json, size_t len)
{
    TRY(wire_epoch_voted_decode(&p->vote, json, len));
    if (p->vote.vote.vote.node != p->node)
        return other_node();
    if (p->vote.epoch != c->epoch)
        return rc_raise(RC_PARSE, "voted for epoch %llu",
                        (unsigned long long)p->vote.epoch);
    p->has_vote = true;
    return RC_OK;
}

static enum rc take_word(struct change_party *p, const char *json, size_t len)
{
    struct wire_ack in;
    TRY(wire_ack_decode(&in, json, len));
    if (in.node != p->node)
        return other_node();
    p->has_ack = true;
    memcpy(p->ack, in.ack, 64);
    return RC_OK;
}

static enum rc take_gone(const char *json, size_t len)
{
    struct wire_session_id in;
    return wire_session_id_decode(&in, json, len);
}

static enum rc take_where(struct change *c, struct change_party *p,
                          const char *json, size_t len)
{
    WIRE(epoch_where) in = { 0 };
    TRY(wire_epoch_where_decode(&in, json, len));
    if (in.node != p->node)
        return other_node();
    if (in.epoch != c->epoch)
        return rc_raise(RC_EPOCH_MOVED, "is in epoch %llu",
                        (unsigned long long)in.epoch);
    if (c->phase == CH_RETIRE)
        return in.retired ? RC_OK
                          : rc_raise(RC_ORDER, "has kept an older share");
    if (!p->receives)
        return RC_OK;
    if (in.ack.n == 0)
        return rc_raise(RC_UNKNOWN, "has no share of epoch %llu",
                        (unsigned long long)c->epoch);
    p->has_ack = true;
    memcpy(p->ack, in.ack.at[0].ack, 64);
    return RC_OK;
}

enum rc change_take(struct node *n, struct change *c, struct change_party *p,
                    const uint8_t *body, size_t len)
{
    const char *json = (const char *)body;
    switch (c->phase) {
    case CH_LOOK:
        return take_found(n, p, json, len);
    case CH_DESTROY:
        return take_word(p, json, len);
    case CH_BEGIN:
        return take_package(p, json, len);
    case CH_SHARE:
        return take_boxes(c, p, json, len);
    case CH_PREPARE:
        return take_vote(c, p, json, len);
    case CH_LIVE:
        return c->destroys ? take_gone(json, len) : take_where(c, p, json, len);
    case CH_RETIRE:
        return take_where(c, p, json, len);
    default:
        return rc_raise(RC_INTERNAL, "answer in the wrong phase");
    }
}

/* ---- the certificate ------------------------------------------------------------------ */

/*
 * One run gives one transcript. Who voted for another than most is named, if
 * it did sign that: then it, or who dealt to it, has shown two faces.
 */
static enum rc one_transcript(const struct change *c)
{
    const struct change_party *most = NULL;
    unsigned best = 0;
    char who[160] = "";
    for (unsigned i = 0; i < c->n_parties; i++) {
        unsigned same = 0;
        for (unsigned j = 0; c->party[i].receives && j < c->n_parties; j++)
            same += c->party[j].receives &&
                    memcmp(c->party[i].vote.vote.transcript,
                           c->party[j].vote.vote.transcript, 32) == 0;
        if (same > best) {
            best = same;
            most = &c->party[i];
        }
    }
    for (unsigned i = 0; most && i < c->n_parties; i++) {
        const struct change_party *p = &c->party[i];
        size_t at = strlen(who);
        if (p->receives && memcmp(p->vote.vote.transcript,
                                  most->vote.vote.transcript, 32) != 0)
            snprintf(who + at, sizeof(who) - at, "%snode%u", at ? ", " : "",
                     p->node);
    }
    return !who[0] ? RC_OK
                   : rc_raise(RC_CHEATER,
                              "%s saw another transcript than the others: "
                              "somebody equivocated",
                              who);
}

static enum rc fill_cert(struct wire_cert *out, const struct change *c)
{
    unsigned at = 0;
    TRY(one_transcript(c));
    TRY(wire_list_new(&out->votes, c->plan.n));
    memcpy(out->session, c->judged.s.id, 32);
    out->epoch = c->epoch;
    out->parent = c->parent;
    out->threshold = c->plan.t;
    memcpy(out->group_key, c->key->group_key, 32);
    for (unsigned i = 0; i < c->n_parties; i++) {
        const struct change_party *p = &c->party[i];
        if (!p->receives)
            continue;
        if (memcmp(out->group_key, p->vote.vote.group_key, 32) != 0)
            return rc_raise(RC_CHEATER, "node%u voted for another key",
                            p->node);
        memcpy(out->transcript, p->vote.vote.transcript, 32);
        out->votes.at[at++] = p->vote.vote.vote;
    }
    return RC_OK;
}

/* Under lock. The live epoch's own certificate, with words for votes. */
static enum rc fill_words(struct wire_cert *out, const struct change *c)
{
    const struct wire_cert *live = keys_cert(c->key);
    *out = *live;
    out->votes.at = NULL;
    out->votes.n = 0;
    TRY(wire_list_new(&out->votes, live->votes.n));
    for (size_t i = 0; i < live->votes.n; i++) {
        out->votes.at[i] = live->votes.at[i];
        for (unsigned k = 0; k < c->n_parties; k++)
            if (c->party[k].node == live->votes.at[i].node)
                memcpy(out->votes.at[i].sig, c->party[k].ack, 64);
    }
    return RC_OK;
}

static enum rc entry_text(char *text, size_t *len, const struct change *c,
                          const struct wire_cert *cert)
{
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    uint8_t identities[TLOG_MAX_NODES][32];
    unsigned n_votes;
    TRY(cert_terms(&terms, votes, &n_votes, cert));
    TRY(tlog_votes_check(&terms,
                         c->destroys ? TLOG_VOTE_DESTROYED : TLOG_VOTE_PREPARED,
                         votes, n_votes));
    struct tlog_epoch e = { .epoch = terms.epoch,
                            .parent = terms.parent,
                            .threshold = terms.t };
    for (unsigned i = 0; i < n_votes; i++)
        memcpy(identities[i], votes[i].identity, 32);
    hash256(e.key, terms.group_key, 32);
    memcpy(e.session, c->judged.s.id, 32);
    snprintf(e.type, sizeof(e.type), "%s",
             c->destroys ? "destroy" : c->plan.type);
    tlog_participants(e.participants, (const uint8_t(*)[32])identities,
                      n_votes);
    tlog_endorsements_root(e.endorsements, votes, n_votes);
    memcpy(e.policy, c->judged.s.policy, 32);
    return tlog_epoch_encode(text, len, &e);
}

enum rc change_certify(char *text, size_t *len, struct node *n,
                       struct change *c)
{
    WIRE(session) copy = { 0 };
    wire_epoch_live_free(&c->live);
    TRY(birth_copy(&c->live.birth, &c->key->evidence));
    TRY(wire_list_new(&c->live.live, 1));
    struct wire_birth *b = &c->live.live.at[0];
    node_lock(n);
    enum rc rc = c->destroys ? fill_words(&b->cert, c) : fill_cert(&b->cert, c);
    node_unlock(n);
    TRY(rc);
    TRY(entry_text(text, len, c, &b->cert));
    TRY(session_copy(&copy, &c->session));
    b->descriptor = copy.descriptor;
    b->requester = copy.requester;
    b->approvals.at = copy.approvals.at;
    b->approvals.n = copy.approvals.n;
    memset(&copy, 0, sizeof(copy)); /* moved */
    return RC_OK;
}

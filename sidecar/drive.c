/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driving the making of a key: the node that was asked carries messages
 * between all members, itself included, logs the birth and tells everyone.
 * It is trusted with nothing: the members' votes are over what they saw.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

enum phase { P_START, P_DEAL, P_FINISH, P_LOG, P_ACTIVATE };

struct drive {
    uint64_t call;
    enum phase phase;
    struct wire_session session; /* owned */
    struct judged judged;
    char name[POLICY_NAME_MAX];
    uint64_t epoch;
    uint16_t t;
    unsigned n;
    uint16_t node[TLOG_MAX_NODES];
    int64_t deadline_ms;
    unsigned waiting;
    unsigned acks;
    bool pieces_dealt;
    enum rc rc; /* first failure of the phase */
    char why[960];
    struct wire_package package[TLOG_MAX_NODES]; /* owned */
    struct wire_boxes boxes[TLOG_MAX_NODES];     /* owned; [dealer] */
    struct wire_epoch_vote vote[TLOG_MAX_NODES];
    struct wire_birth birth; /* owned */
};

static void next_phase(struct node *n);

/* ---- ends ------------------------------------------------------------------------ */

void drive_free(struct node *n)
{
    struct drive *d = n->drive;
    if (!d)
        return;
    wire_session_free(&d->session);
    for (unsigned i = 0; i < d->n; i++) {
        wire_package_free(&d->package[i]);
        wire_boxes_free(&d->boxes[i]);
    }
    wire_birth_free(&d->birth);
    free(d);
    n->drive = NULL;
}

static void fail(struct node *n, enum rc rc, const char *why)
{
    uint64_t call = n->drive->call;
    drive_free(n);
    (void)rc_raise(rc, "%s", why);
    node_answer(n, call, rc, NULL, 0);
}

static void done(struct node *n)
{
    char name[POLICY_NAME_MAX];
    uint64_t call = n->drive->call;
    snprintf(name, sizeof(name), "%s", n->drive->name);
    drive_free(n);
    ask_key(n, call, name);
}

static unsigned index_of(const struct drive *d, uint32_t node)
{
    unsigned i = 0;
    while (i < d->n && d->node[i] != node)
        i++;
    return i;
}

/* ---- one phase: the same path to all members, one reply each ------------------------ */

static enum rc take_reply(struct drive *d, unsigned i, const uint8_t *body,
                          size_t len)
{
    const char *json = (const char *)body;
    switch (d->phase) {
    case P_START:
        TRY(wire_package_decode(&d->package[i], json, len));
        return d->package[i].node == d->node[i]
                       ? RC_OK
                       : rc_raise(RC_PARSE, "package of another node");
    case P_DEAL:
        TRY(wire_boxes_decode(&d->boxes[i], json, len));
        return d->boxes[i].boxes.n == d->n
                       ? RC_OK
                       : rc_raise(RC_PARSE, "%zu boxes for %u members",
                                  d->boxes[i].boxes.n, d->n);
    case P_FINISH:
        TRY(wire_epoch_vote_decode(&d->vote[i], json, len));
        return d->vote[i].vote.node == d->node[i]
                       ? RC_OK
                       : rc_raise(RC_PARSE, "vote of another node");
    case P_ACTIVATE: {
        struct wire_ack ack;
        TRY(wire_ack_decode(&ack, json, len));
        d->acks++;
        return RC_OK;
    }
    default:
        return rc_raise(RC_INTERNAL, "reply in the wrong phase");
    }
}

static void replied(struct node *n, void *arg, uint32_t from, enum rc rc,
                    const uint8_t *body, size_t len)
{
    struct drive *d = arg;
    if (n->drive != d)
        return;
    unsigned i = index_of(d, from);
    if (rc == RC_OK && i < d->n)
        rc = take_reply(d, i, body, len);
    if (rc != RC_OK && d->rc == RC_OK) {
        d->rc = rc;
        snprintf(d->why, sizeof(d->why), "node%u: %.900s", from, rc_text());
    }
    if (--d->waiting > 0)
        return;
    /* The birth is logged: a member that missed it is told when it is asked to
     * sign. The key lives when it can sign. */
    if (d->rc != RC_OK && (d->phase != P_ACTIVATE || d->acks < d->t)) {
        char why[sizeof(d->why)];
        memcpy(why, d->why, sizeof(why));
        fail(n, d->rc, why);
        return;
    }
    next_phase(n);
}

/* To a member: over the wire, or straight into our own handler. */
static void tell(struct node *n, uint16_t to, const char *path,
                 const char *json, size_t len)
{
    struct drive *d = n->drive;
    if (to != n->id) {
        node_send(n, to, path, json, len, d->deadline_ms, replied, d, to);
        return;
    }
    char *reply = NULL;
    size_t reply_len = 0;
    enum rc rc = node_on_peer(n, n->id, path, (const uint8_t *)json, len,
                              &reply, &reply_len);
    replied(n, d, n->id, rc, (const uint8_t *)reply, reply_len);
    free(reply);
}

/* ---- what each phase says ------------------------------------------------------------ */

static enum rc say_start(char **json, size_t *len, const struct drive *d)
{
    WIRE(epoch_start) m = { .epoch = d->epoch };
    TRY(session_copy(&m.session, &d->session));
    return wire_epoch_start_encode(json, len, &m);
}

static enum rc say_deal(char **json, size_t *len, struct drive *d)
{
    struct wire_epoch_deal m = { 0 };
    memcpy(m.session, d->judged.s.id, 32);
    m.packages.at = d->package; /* lent */
    m.packages.n = d->n;
    return wire_epoch_deal_encode(json, len, &m);
}

/* The boxes that all dealers made for member `to`. */
static enum rc say_finish(char **json, size_t *len, const struct drive *d,
                          unsigned to)
{
    struct wire_box boxes[TLOG_MAX_NODES];
    struct wire_epoch_finish m = { 0 };
    memcpy(m.session, d->judged.s.id, 32);
    for (unsigned i = 0; i < d->n; i++) {
        boxes[i].node = d->node[i];
        memcpy(boxes[i].box, d->boxes[i].boxes.at[to].box,
               sizeof(boxes[i].box));
    }
    m.boxes.at = boxes;
    m.boxes.n = d->n;
    return wire_epoch_finish_encode(json, len, &m);
}

static enum rc say(char **json, size_t *len, struct drive *d, unsigned to)
{
    switch (d->phase) {
    case P_START:
        return say_start(json, len, d);
    case P_DEAL:
        return say_deal(json, len, d);
    case P_FINISH:
        return say_finish(json, len, d, to);
    default:
        return wire_birth_encode(json, len, &d->birth);
    }
}

static void tell_all(struct node *n, const char *path)
{
    struct drive *d = n->drive;
    d->waiting = d->n;
    unsigned members = d->n; /* d may be gone after our own reply */
    unsigned own = index_of(d, n->id);
    for (unsigned k = 0; k < members; k++) {
        /* ourselves last: by then every other message is on its way */
        unsigned i = (own + 1 + k) % members;
        OWNED_MEM char *json = NULL;
        size_t len = 0;
        enum rc rc = say(&json, &len, d, i);
        if (rc == RC_OK)
            tell(n, d->node[i], path, json, len);
        else
            replied(n, d, d->node[i], rc, NULL, 0);
        if (n->drive != d)
            return;
    }
}

/* ---- the birth ---------------------------------------------------------------------------- */

static enum rc fill_cert(struct drive *d)
{
    struct wire_cert *c = &d->birth.cert;
    memcpy(c->session, d->judged.s.id, 32);
    memcpy(c->group_key, d->vote[0].group_key, 32);
    memcpy(c->transcript, d->vote[0].transcript, 32);
    c->epoch = d->epoch;
    c->threshold = d->t;
    TRY(wire_list_new(&c->votes, d->n));
    for (unsigned i = 0; i < d->n; i++) {
        if (memcmp(d->vote[i].transcript, c->transcript, 32) != 0 ||
            memcmp(d->vote[i].group_key, c->group_key, 32) != 0)
            return rc_raise(RC_CHEATER,
                            "node%u saw another transcript than node%u: "
                            "somebody equivocated",
                            d->node[i], d->node[0]);
        c->votes.at[i] = d->vote[i].vote;
    }
    return RC_OK;
}

static enum rc birth_entry(char *text, size_t *len, struct node *n,
                           struct drive *d)
{
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    unsigned n_votes;
    TRY(cert_terms(&terms, votes, &n_votes, &d->birth.cert));
    TRY(tlog_votes_check(&terms, TLOG_VOTE_PREPARED, votes, n_votes));
    struct tlog_birth b = { .threshold = d->t };
    uint8_t identities[TLOG_MAX_NODES][32];
    for (unsigned i = 0; i < n_votes; i++)
        memcpy(identities[i], votes[i].identity, 32);
    hash256(b.key, terms.group_key, 32);
    memcpy(b.session, d->judged.s.id, 32);
    tlog_participants(b.participants, identities, n_votes);
    tlog_endorsements_root(b.endorsements, votes, n_votes);
    memcpy(b.approvals, d->judged.approved.root, 32);
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    const struct policy_profile *profile = policy_profile_find(p, d->name);
    memcpy(b.policy, p->sha256, 32);
    if (profile)
        snprintf(b.class, sizeof(b.class), "%s",
                 policy_class_name(profile->class));
    node_unlock(n);
    return tlog_birth_encode(text, len, &b);
}

static void logged(struct node *n, void *arg, uint32_t extra, enum rc rc,
                   const uint8_t *body, size_t len)
{
    struct drive *d = arg;
    (void)extra;
    if (n->drive != d)
        return;
    WIRE(appended) in = { 0 };
    if (rc == RC_OK)
        rc = wire_appended_decode(&in, (const char *)body, len);
    if (rc == RC_OK && in.proofs.n != 1)
        rc = rc_raise(RC_LOG, "log: %zu proofs for one birth", in.proofs.n);
    if (rc == RC_OK)
        rc = proof_copy(&d->birth.proof, &in.proofs.at[0]);
    if (rc != RC_OK) {
        char why[960];
        snprintf(why, sizeof(why), "log: %.900s", rc_text());
        fail(n, rc, why);
        return;
    }
    next_phase(n);
}

static enum rc log_birth(struct node *n)
{
    struct drive *d = n->drive;
    char text[TLOG_ENTRY_MAX + 1];
    size_t text_len;
    TRY(fill_cert(d));
    TRY(birth_entry(text, &text_len, n, d));
    WIRE(session) copy = { 0 };
    TRY(session_copy(&copy, &d->session));
    d->birth.descriptor = copy.descriptor;
    d->birth.requester = copy.requester;
    d->birth.approvals.at = copy.approvals.at;
    d->birth.approvals.n = copy.approvals.n;
    memset(&copy, 0, sizeof(copy)); /* moved */
    WIRE(append) ask = { 0 };
    TRY(wire_list_new(&ask.entries, 1));
    TRY(wire_text_set(&ask.entries.at[0], text, text_len));
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_append_encode(&json, &len, &ask));
    node_send(n, WORLD_LOG, "/v1/log/append", json, len, d->deadline_ms, logged,
              d, 0);
    return RC_OK;
}

static void heard(struct node *n, void *arg, uint32_t extra, enum rc rc,
                  const uint8_t *body, size_t len)
{
    (void)n;
    (void)arg;
    (void)extra;
    (void)rc;
    (void)body;
    (void)len;
}

/* Nodes that hold no share keep the birth too: they may lead. */
static void tell_others(struct node *n)
{
    const struct drive *d = n->drive;
    OWNED_MEM char *json = NULL;
    size_t len;
    uint16_t to[POLICY_MAX_NODES];
    unsigned n_to = 0;
    if (wire_birth_encode(&json, &len, &d->birth) != RC_OK)
        return;
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    for (unsigned i = 0; i < p->n_nodes; i++)
        if (index_of(d, p->node[i].id) == d->n)
            to[n_to++] = p->node[i].id;
    node_unlock(n);
    for (unsigned i = 0; i < n_to; i++)
        node_send(n, to[i], "/v1/epoch/activate", json, len, d->deadline_ms,
                  heard, NULL, to[i]);
}

/* After START, before the dealing: what sealed shares need from each other. */
static void pieces_came(struct node *n, void *arg, enum rc rc, const char *why)
{
    struct drive *d = arg;
    char words[960];
    if (n->drive != d)
        return;
    if (rc == RC_OK) {
        d->pieces_dealt = true;
        next_phase(n);
        return;
    }
    snprintf(words, sizeof(words), "%s", why);
    fail(n, rc, words);
}

static void deal_pieces(struct node *n)
{
    struct drive *d = n->drive;
    struct vault_dkg_terms terms = {
        .epoch = d->epoch, .t = d->t, .n = (uint16_t)d->n, .persistent = true
    };
    memcpy(terms.session, d->judged.s.id, 32);
    memcpy(terms.ids, d->node, d->n * sizeof(*d->node));
    pieces_deal(n, &terms, d->deadline_ms, pieces_came, d);
}

static void next_phase(struct node *n)
{
    static const char *const paths[] = { [P_START] = "/v1/epoch/start",
                                         [P_DEAL] = "/v1/epoch/deal",
                                         [P_FINISH] = "/v1/epoch/finish",
                                         [P_ACTIVATE] = "/v1/epoch/activate" };
    if (n->drive->phase == P_ACTIVATE) {
        done(n);
        return;
    }
    if (n->drive->phase == P_START && !n->drive->pieces_dealt) {
        deal_pieces(n);
        return;
    }
    n->drive->phase++;
    if (n->drive->phase == P_ACTIVATE)
        tell_others(n);
    if (n->drive->phase != P_LOG) {
        tell_all(n, paths[n->drive->phase]);
        return;
    }
    enum rc rc = log_birth(n);
    if (rc == RC_OK)
        return;
    char why[960];
    snprintf(why, sizeof(why), "%s", rc_text());
    fail(n, rc, why);
}

/* ---- the beginning ---------------------------------------------------------------------------- */

/* Under lock. */
static enum rc plan(struct drive *d, struct node *n)
{
    TRY(session_judge(&d->judged, n, &d->session));
    if (d->judged.s.type != POLICY_S_KEY_CREATE)
        return rc_raise(RC_ARG, "session: not a key-create");
    const struct policy_profile *p = policy_profile_find(
            policy_chain_head(n->chain), d->judged.s.profile);
    if (!p)
        return rc_raise(RC_UNKNOWN, "profile %s: not in the policy",
                        d->judged.s.profile);
    if (node_key_by_name(n, p->name))
        return rc_raise(RC_EXISTS, "key %s exists already, or was destroyed",
                        p->name);
    snprintf(d->name, sizeof(d->name), "%s", p->name);
    d->t = p->threshold;
    d->n = p->n_nodes;
    memcpy(d->node, p->nodes, p->n_nodes * sizeof(*p->nodes));
    if (index_of(d, n->id) == d->n)
        return rc_raise(RC_ARG, "node%u is no member of %s: ask one that is",
                        n->id, d->name);
    return RC_OK;
}

static enum rc begin(struct node *n, const uint8_t *body, size_t len)
{
    struct drive *d = n->drive;
    TRY(wire_session_decode(&d->session, (const char *)body, len));
    node_lock(n);
    enum rc rc = plan(d, n);
    node_unlock(n);
    TRY(rc);
    /* Numbers are never used twice: time gives one past all of ours. */
    TRY(store_epoch_newest(n->w.store, d->name, &d->epoch));
    d->epoch++;
    d->deadline_ms = n->w.now_ms(n->w.ctx) + EPOCH_DRIVE_MS;
    return RC_OK;
}

void drive_on_create(struct node *n, uint64_t call, const uint8_t *body,
                     size_t len)
{
    if (n->drive) {
        node_answer(n, call,
                    rc_raise(RC_ORDER, "key %s is being made: wait for it",
                             n->drive->name),
                    NULL, 0);
        return;
    }
    n->drive = calloc(1, sizeof(*n->drive));
    if (!n->drive) {
        node_answer(n, call, rc_raise(RC_NOMEM, "drive"), NULL, 0);
        return;
    }
    n->drive->call = call;
    enum rc rc = begin(n, body, len);
    if (rc != RC_OK) {
        char why[960];
        snprintf(why, sizeof(why), "%s", rc_text());
        fail(n, rc, why);
        return;
    }
    tell_all(n, "/v1/epoch/start");
}

void drive_tick(struct node *n)
{
    struct drive *d = n->drive;
    if (!d || n->w.now_ms(n->w.ctx) < d->deadline_ms + 1000)
        return;
    char why[200];
    snprintf(why, sizeof(why), "key %s: the members did not finish in time",
             d->name);
    fail(n, RC_TIMEOUT, why);
}

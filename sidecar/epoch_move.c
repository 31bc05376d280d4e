/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A member's part in moving a key to its next epoch (DESIGN section 8): look,
 * begin, share, prepare. The driver only carries messages; every check that
 * matters is here or in the vault. A number is burnt before any randomness;
 * a share is durable and read back before the vote; the vote is durable
 * before it leaves, and is given again to whoever goes on with the session.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"

/* ---- who is to hold it ------------------------------------------------------------ */

static void plan_of_parent(struct epoch_plan *out,
                           const struct wire_cert *parent)
{
    out->t = (uint16_t)parent->threshold;
    out->n = (unsigned)parent->votes.n;
    for (unsigned i = 0; i < out->n && i < TLOG_MAX_NODES; i++)
        out->node[i] = (uint16_t)parent->votes.at[i].node;
}

static enum rc plan_of_profile(struct epoch_plan *out, const struct policy *p,
                               const char *name)
{
    const struct policy_profile *f = policy_profile_find(p, name);
    if (!f)
        return rc_raise(RC_UNKNOWN, "profile %s: not in the policy", name);
    out->t = f->threshold;
    out->n = f->n_signers;
    memcpy(out->node, f->signers, f->n_signers * sizeof(*f->signers));
    if (out->n < out->t)
        return rc_raise(RC_POLICY,
                        "profile %s: %u of its nodes are not leaving, its "
                        "threshold is %u",
                        name, out->n, out->t);
    return RC_OK;
}

enum rc epoch_plan_make(struct epoch_plan *out, const struct policy *p,
                        const struct policy_session *s,
                        const struct wire_cert *parent)
{
    *out = (struct epoch_plan){ .type = "reshare" };
    switch (s->type) {
    case POLICY_S_REFRESH:
        out->type = "refresh";
        /* fallthrough */
    case POLICY_S_REPAIR: /* same members; its dealers are those who can */
        if (parent)
            plan_of_parent(out, parent);
        return RC_OK;
    case POLICY_S_RECOVER:
        out->type = "recover";
        out->recover = true;
        return plan_of_profile(out, p, s->profile);
    case POLICY_S_RESHARE:
        return plan_of_profile(out, p, s->profile);
    default:
        return rc_raise(RC_POLICY, "session: its type moves no key");
    }
}

/* ---- look ------------------------------------------------------------------------- */

static enum rc add_vote(struct wire_epoch_found *out, struct node *n,
                        const struct wire_epoch_look *in)
{
    OWNED_MEM uint8_t *json = NULL;
    size_t len;
    enum rc rc = store_move_voted(n->w.store, in->name, in->session, &json,
                                  &len);
    if (rc == RC_UNKNOWN)
        return RC_OK;
    TRY(rc);
    TRY(wire_list_new(&out->voted, 1));
    return wire_epoch_voted_decode(&out->voted.at[0], (const char *)json, len);
}

enum rc epoch_on_look(struct node *n, const uint8_t *body, size_t len,
                      char **reply, size_t *reply_len)
{
    struct wire_epoch_look in;
    WIRE(epoch_found) out = { .node = n->id };
    TRY(wire_epoch_look_decode(&in, (const char *)body, len));
    TRY(store_epoch_newest(n->w.store, in.name, &out.number));
    TRY(add_vote(&out, n, &in));
    enum rc rc = RC_OK;
    node_lock(n);
    const struct key *k = node_key_by_name(n, in.name);
    if (k) {
        out.epoch = k->live.epoch;
        out.share = k->live.have_share;
        out.brought = k->live.brought;
    }
    if (k && k->live.has_word) {
        rc = wire_list_new(&out.word, 1);
        if (rc == RC_OK) {
            out.word.at[0].node = n->id;
            memcpy(out.word.at[0].ack, k->live.word, 64);
        }
    }
    if (rc == RC_OK && k && k->live.shown.cert.votes.n) {
        rc = wire_list_new(&out.gone, 1);
        if (rc == RC_OK)
            rc = birth_copy(&out.gone.at[0], &k->live.shown);
    }
    if (rc == RC_OK && k && out.epoch > in.epoch) {
        rc = wire_list_new(&out.newer, 1);
        if (rc == RC_OK)
            rc = keys_live_wire(&out.newer.at[0], k);
    }
    node_unlock(n);
    TRY(rc);
    return wire_epoch_found_encode(reply, reply_len, &out);
}

/* ---- begin ------------------------------------------------------------------------- */

/* What is to be begun, as judged here. */
struct beginning {
    char name[POLICY_NAME_MAX];
    struct vault_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
};

static enum rc take_dealers(struct vault_epoch_terms *t,
                            const struct wire_epoch_begin *in)
{
    if (in->dealers.n > TLOG_MAX_NODES || in->at.n != in->dealers.n)
        return rc_raise(RC_PARSE, "dealers: %zu at %zu nodes", in->dealers.n,
                        in->at.n);
    t->n_dealers = (uint16_t)in->dealers.n;
    for (size_t i = 0; i < in->dealers.n; i++) {
        t->dealer[i] = (uint16_t)in->dealers.at[i];
        t->dealer_at[i] = (uint16_t)in->at.at[i];
    }
    return RC_OK;
}

/* The session names this key, which is in the epoch that is to be left. */
static enum rc check_key(const struct key **out, struct node *n,
                         const struct judged *j,
                         const struct wire_epoch_begin *in)
{
    const struct key *k = node_key_by_name(n, j->s.profile);
    const struct wire_cert *shown = in->parent.live.n
                                            ? &in->parent.live.at[0].cert
                                            : &in->parent.birth.cert;
    if (!k)
        return rc_raise(RC_UNKNOWN, "key %s: not created", j->s.profile);
    if (k->live.gone)
        return rc_raise(RC_POLICY, "key %s: destroyed", k->name);
    if (!j->s.has_key || memcmp(j->s.key, k->id, 32) != 0)
        return rc_raise(RC_POLICY, "session names another key than %s",
                        k->name);
    if (k->live.epoch != shown->epoch)
        return rc_raise(RC_EPOCH_MOVED, "key %s: in epoch %llu here, not %llu",
                        k->name, (unsigned long long)k->live.epoch,
                        (unsigned long long)shown->epoch);
    *out = k;
    return RC_OK;
}

/* Under lock. */
static enum rc judge_begin(struct beginning *b, struct node *n,
                           const struct wire_epoch_begin *in)
{
    struct judged j;
    struct epoch_plan plan;
    const struct key *k;
    unsigned n_votes;
    struct vault_epoch_terms *t = &b->terms;
    TRY(session_judge(&j, n, &in->session));
    TRY(check_key(&k, n, &j, in));
    TRY(epoch_plan_make(&plan, policy_chain_head(n->chain), &j.s,
                        keys_cert(k)));
    t->epoch = in->epoch;
    t->t = plan.t;
    t->n = (uint16_t)plan.n;
    memcpy(t->ids, plan.node, sizeof(t->ids));
    t->recover = plan.recover;
    TRY(take_dealers(t, in));
    TRY(cert_terms(&t->parent, b->votes, &n_votes, keys_cert(k)));
    t->votes = b->votes;
    t->n_votes = n_votes;
    memcpy(t->session, j.s.id, 32);
    snprintf(b->name, sizeof(b->name), "%s", k->name);
    return RC_OK;
}

/* A session makes one epoch; until then each try has its own number. */
static enum rc check_number(struct node *n, const struct beginning *b)
{
    uint64_t newest;
    uint64_t made;
    TRY(store_move_made(n->w.store, b->terms.session, &made));
    if (made)
        return rc_raise(RC_CONFLICT, "session: it has made epoch %llu of %s",
                        (unsigned long long)made, b->name);
    TRY(store_epoch_newest(n->w.store, b->name, &newest));
    if (b->terms.epoch <= newest)
        return rc_raise(RC_CONFLICT, "epoch %llu of %s is used up, newest %llu",
                        (unsigned long long)b->terms.epoch, b->name,
                        (unsigned long long)newest);
    if (b->terms.epoch - newest > EPOCH_STEP_MAX)
        return rc_raise(RC_CONFLICT,
                        "epoch %llu of %s is too far from the newest, %llu",
                        (unsigned long long)b->terms.epoch, b->name,
                        (unsigned long long)newest);
    return RC_OK;
}

enum rc epoch_on_begin(struct node *n, const uint8_t *body, size_t len,
                       char **reply, size_t *reply_len)
{
    WIRE(epoch_begin) in = { 0 };
    WIRE(package) out = { 0 };
    struct frost_dealing package;
    OWNED_MEM struct beginning *b = calloc(1, sizeof(*b));
    if (!b)
        return rc_raise(RC_NOMEM, "epoch: out of memory");
    TRY(wire_epoch_begin_decode(&in, (const char *)body, len));
    TRY(epoch_take(n, &in.parent)); /* we may have missed it */
    node_lock(n);
    enum rc rc = judge_begin(b, n, &in);
    node_unlock(n);
    TRY(rc);
    TRY(check_number(n, b));
    TRY(store_move_start(n->w.store, b->name, b->terms.epoch,
                         b->terms.session));
    FAILPOINT(epoch_burnt);
    TRY(vault_epoch_begin(n->w.vault, &package, &b->terms));
    TRY(epoch_package_to_wire(&out, n->id, &package));
    return wire_package_encode(reply, reply_len, &out);
}

/* ---- share -------------------------------------------------------------------------- */

enum rc epoch_on_share(struct node *n, const uint8_t *body, size_t len,
                       char **reply, size_t *reply_len)
{
    WIRE(epoch_share) in = { 0 };
    WIRE(boxes) out = { 0 };
    unsigned n_boxes;
    TRY(wire_epoch_share_decode(&in, (const char *)body, len));
    size_t dealers = in.packages.n;
    if (dealers == 0 || dealers > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "packages: %zu", dealers);
    OWNED_MEM struct frost_dealing *p = calloc(dealers, sizeof(*p));
    OWNED_MEM uint8_t(*boxes)[VAULT_BOX_LEN] = calloc(TLOG_MAX_NODES,
                                                      sizeof(*boxes));
    if (!p || !boxes)
        return rc_raise(RC_NOMEM, "epoch: out of memory");
    for (size_t i = 0; i < dealers; i++)
        TRY(epoch_package_from_wire(&p[i], &in.packages.at[i]));
    TRY(vault_epoch_deal(n->w.vault, boxes, &n_boxes, in.session, in.epoch, p,
                         (unsigned)dealers));
    /* in the order of the new members, which the driver knows as well */
    TRY(wire_list_new(&out.boxes, n_boxes));
    for (unsigned i = 0; i < n_boxes; i++) {
        out.boxes.at[i].node = n->id;
        memcpy(out.boxes.at[i].box, boxes[i], VAULT_BOX_LEN);
    }
    return wire_boxes_encode(reply, reply_len, &out);
}

/* ---- prepare: durable, read back, then the vote --------------------------------------- */

static enum rc finish(struct vault_dkg_result *made, struct node *n,
                      const struct wire_epoch_prepare *in)
{
    OWNED_MEM uint8_t(*boxes)[VAULT_BOX_LEN] = calloc(in->boxes.n + 1,
                                                      sizeof(*boxes));
    if (!boxes)
        return rc_raise(RC_NOMEM, "epoch: out of memory");
    for (size_t i = 0; i < in->boxes.n; i++)
        memcpy(boxes[i], in->boxes.at[i].box, VAULT_BOX_LEN);
    return vault_epoch_finish(n->w.vault, made, in->session, in->epoch, boxes,
                              (unsigned)in->boxes.n);
}

/* Before the vote: the key may have moved on, or ended, since the run began. */
static enum rc still_parent(struct node *n, const char *name, uint64_t parent)
{
    node_lock(n);
    const struct key *k = node_key_by_name(n, name);
    enum rc rc = k ? RC_OK : rc_raise(RC_UNKNOWN, "key %s: not known", name);
    if (rc == RC_OK && k->live.gone)
        rc = rc_raise(RC_POLICY, "key %s: destroyed", name);
    if (rc == RC_OK && k->live.epoch != parent)
        rc = rc_raise(RC_EPOCH_MOVED, "key %s: in epoch %llu here, not %llu",
                      name, (unsigned long long)k->live.epoch,
                      (unsigned long long)parent);
    node_unlock(n);
    return rc;
}

/* Under policy_lock: nothing is certified between the check and the vote. */
static enum rc prepare(struct wire_epoch_voted *out, struct node *n,
                       const struct wire_epoch_prepare *in)
{
    OWNED_MEM struct vault_dkg_result *made = calloc(1, sizeof(*made));
    OWNED_MEM uint8_t *back = NULL;
    size_t back_len;
    struct wire_epoch_vote *v = &out->vote;
    if (!made)
        return rc_raise(RC_NOMEM, "epoch: out of memory");
    TRY(finish(made, n, in));
    TRY(still_parent(n, in->name, made->parent));
    TRY(store_move_prepare(n->w.store, in->name, in->epoch, made->sealed,
                           made->sealed_len));
    FAILPOINT(epoch_prepared);
    TRY(store_move_sealed(n->w.store, in->name, in->epoch, &back, &back_len));
    TRY(vault_epoch_vote(n->w.vault, v->vote.sig, in->session, in->epoch, back,
                         back_len));
    memcpy(v->group_key, made->group_key, 32);
    memcpy(v->transcript, made->transcript, 32);
    memcpy(v->vote.identity, n->keys.identity, 32);
    memcpy(v->vote.y, made->y, 32);
    v->vote.node = n->id;
    out->epoch = in->epoch;
    out->parent = made->parent;
    return RC_OK;
}

enum rc epoch_on_prepare(struct node *n, const uint8_t *body, size_t len,
                         char **reply, size_t *reply_len)
{
    WIRE(epoch_prepare) in = { 0 };
    struct wire_epoch_voted out = { 0 };
    OWNED_MEM char *kept = NULL;
    size_t kept_len;
    TRY(wire_epoch_prepare_decode(&in, (const char *)body, len));
    if (in.boxes.n == 0 || in.boxes.n > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "boxes: %zu", in.boxes.n);
    pthread_mutex_lock(&n->policy_lock);
    enum rc rc = prepare(&out, n, &in);
    pthread_mutex_unlock(&n->policy_lock);
    TRY(rc);
    TRY(wire_epoch_voted_encode(&kept, &kept_len, &out));
    TRY(store_move_vote(n->w.store, in.name, in.epoch, kept, kept_len));
    FAILPOINT(epoch_voted);
    return wire_epoch_voted_encode(reply, reply_len, &out);
}

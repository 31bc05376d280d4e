/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking an epoch that is certified: every member voted for it and the log has
 * its entry. Whoever brings it is not believed; from here on the key lives
 * there, older shares sign no more, and they are erased once all members have
 * acknowledged. Public data; shares are the vault's.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/hash.h"

/* ---- judging -------------------------------------------------------------------- */

/* The entry is of this certificate, and the certificate is whole. */
static enum rc check_entry(const struct tlog_epoch *e,
                           const struct tlog_epoch_terms *terms,
                           const struct tlog_vote *votes, unsigned n_votes,
                           const struct judged *j)
{
    uint8_t identities[TLOG_MAX_NODES][32];
    uint8_t participants[32];
    uint8_t root[32];
    uint8_t key[32];
    TRY(tlog_votes_check(terms, TLOG_VOTE_PREPARED, votes, n_votes));
    tlog_endorsements_root(root, votes, n_votes);
    for (unsigned i = 0; i < n_votes; i++)
        memcpy(identities[i], votes[i].identity, 32);
    tlog_participants(participants, identities, n_votes);
    hash256(key, terms->group_key, 32);
    if (memcmp(root, e->endorsements, 32) != 0 ||
        memcmp(key, e->key, 32) != 0 || memcmp(e->session, j->s.id, 32) != 0 ||
        memcmp(e->policy, j->s.policy, 32) != 0 ||
        memcmp(e->participants, participants, 32) != 0 ||
        e->epoch != terms->epoch || e->parent != terms->parent ||
        e->threshold != terms->t)
        return rc_raise(RC_LOG, "epoch: entry is of another certificate");
    return RC_OK;
}

/* Those who should hold it, all of them and nobody else, under their keys. */
static enum rc check_voters(const struct policy *p,
                            const struct epoch_plan *plan,
                            const struct wire_cert *cert)
{
    if (cert->threshold != plan->t || cert->votes.n != plan->n)
        return rc_raise(RC_POLICY, "epoch: %llu of %zu, want %u of %u",
                        (unsigned long long)cert->threshold, cert->votes.n,
                        plan->t, plan->n);
    for (unsigned i = 0; i < plan->n; i++) {
        const struct wire_vote *v = &cert->votes.at[i];
        const struct policy_node *node = policy_node_find(p, plan->node[i]);
        if (v->node != plan->node[i] || !node || !node->has_keys ||
            memcmp(node->identity, v->identity, 32) != 0)
            return rc_raise(RC_POLICY, "epoch: vote of a stranger, want node%u",
                            plan->node[i]);
    }
    return RC_OK;
}

static bool same_holders(const struct wire_cert *a, const struct wire_cert *b)
{
    if (a->threshold != b->threshold || a->votes.n != b->votes.n)
        return false;
    for (size_t i = 0; i < a->votes.n; i++)
        if (a->votes.at[i].node != b->votes.at[i].node)
            return false;
    return true;
}

static bool profile_holders(const struct policy_profile *f,
                            const struct wire_cert *c)
{
    if (!f || f->threshold != c->threshold || f->n_signers != c->votes.n)
        return false;
    for (unsigned i = 0; i < f->n_signers; i++)
        if (f->signers[i] != c->votes.at[i].node)
            return false;
    return true;
}

/*
 * Who is behind by more than one epoch cannot know what the parent was. A
 * refresh keeps who held it: those of an epoch that we know, or those whom a
 * version of the policy named, or else a few nodes could make a parent of
 * their own and have everybody else's shares erased for it.
 */
static enum rc plan_of_cert(struct epoch_plan *plan, const struct node *n,
                            const struct key *k, const struct policy *p,
                            const struct wire_cert *c)
{
    bool known = same_holders(c, keys_cert(k)) ||
                 same_holders(c, &k->evidence.cert);
    for (uint64_t v = 1; !known && v <= p->version; v++) {
        const struct policy *at = policy_chain_at(n->chain, v);
        known = at && profile_holders(policy_profile_find(at, k->name), c);
    }
    if (!known)
        return rc_raise(RC_POLICY,
                        "epoch: %llu of %zu nodes that no policy named for %s",
                        (unsigned long long)c->threshold, c->votes.n, k->name);
    plan->t = (uint16_t)c->threshold;
    plan->n = (unsigned)c->votes.n;
    for (unsigned i = 0; i < plan->n && i < TLOG_MAX_NODES; i++)
        plan->node[i] = (uint16_t)c->votes.at[i].node;
    return RC_OK;
}

static enum rc check_session(const struct judged *j, const struct key *k,
                             const struct wire_cert *c)
{
    if (memcmp(j->s.id, c->session, 32) != 0)
        return rc_raise(RC_POLICY, "epoch: session and certificate differ");
    if (!j->s.has_key || memcmp(j->s.key, k->id, 32) != 0 ||
        strcmp(j->s.profile, k->name) != 0)
        return rc_raise(RC_POLICY, "epoch: its session names another key");
    if (memcmp(c->group_key, k->group_key, 32) != 0)
        return rc_raise(RC_CONFLICT, "key %s: its group key never changes",
                        k->name);
    return RC_OK;
}

/* Under lock. */
static enum rc judge_live(struct node *n, const struct key *k,
                          const struct wire_birth *in)
{
    struct tlog_proof proof;
    struct tlog_epoch e;
    struct judged j;
    struct epoch_plan plan;
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    unsigned n_votes;
    const struct wire_cert *have = keys_cert(k);
    TRY(proof_from_wire(&proof, &in->proof));
    TRY(tlog_proof_check(&proof, &n->log, NULL));
    TRY(tlog_epoch_decode(&e, proof.entry, proof.entry_len));
    const struct policy *p = policy_chain_by_hash(n->chain, e.policy);
    if (!p)
        return rc_raise(RC_ORDER, "epoch: of a policy this node has not got");
    TRY(epoch_judge_session(&j, n, p, in));
    TRY(check_session(&j, k, &in->cert));
    TRY(cert_terms(&terms, votes, &n_votes, &in->cert));
    bool know = in->cert.parent == have->epoch;
    TRY(epoch_plan_make(&plan, p, &j.s, know ? have : NULL));
    if (plan.n == 0)
        TRY(plan_of_cert(&plan, n, k, p, &in->cert));
    if (strcmp(plan.type, e.type) != 0)
        return rc_raise(RC_LOG, "epoch: entry says %s, its session %s", e.type,
                        plan.type);
    TRY(check_voters(p, &plan, &in->cert));
    return check_entry(&e, &terms, votes, n_votes, &j);
}

/* ---- taking ---------------------------------------------------------------------- */

/* Under policy_lock. A key we have never heard of: first its birth. */
static enum rc take_birth(struct node *n, const struct wire_epoch_live *in)
{
    char name[POLICY_NAME_MAX];
    bool member;
    struct key *k;
    OWNED_MEM char *json = NULL;
    size_t len;
    node_lock(n);
    enum rc rc = epoch_judge_birth(name, &member, n, &in->birth);
    bool have = rc == RC_OK && node_key_by_name(n, name);
    node_unlock(n);
    TRY(rc);
    if (have)
        return RC_OK;
    TRY(wire_birth_encode(&json, &len, &in->birth));
    TRY(store_epoch_activate(n->w.store, name, in->birth.cert.epoch,
                             in->birth.cert.session, json, len));
    node_lock(n);
    rc = node_key_take(n, name, &in->birth, false, &k);
    node_unlock(n);
    return rc;
}

/* It still lives in the epoch it was born in. */
static enum rc take_newborn(struct node *n, const struct wire_birth *in)
{
    struct wire_ack ack;
    OWNED_MEM char *json = NULL;
    size_t len;
    uint8_t id[32];
    TRY(wire_birth_encode(&json, &len, in));
    enum rc rc = epoch_take_birth(&ack, n, in, (const uint8_t *)json, len);
    if (rc != RC_UNKNOWN)
        return rc;
    hash256(id, in->cert.group_key, 32);
    node_lock(n);
    bool known = node_key_by_id(n, id) != NULL; /* without a share */
    node_unlock(n);
    return known ? RC_OK : rc;
}

/* Nothing that could sign is here, nor anything brought: no vault's concern. */
static enum rc holds_nothing(bool *out, struct node *n, const char *name,
                             uint64_t epoch)
{
    bool held;
    TRY(store_move_signed(n->w.store, name, epoch, &held));
    node_lock(n);
    const struct key *k = node_key_by_name(n, name);
    *out = !held && !(k && k->live.brought);
    node_unlock(n);
    return RC_OK;
}

/* *have: our share of it is active, and ack says so. */
static enum rc into_vault(uint8_t ack[64], bool *have, struct node *n,
                          const char *name, const struct wire_birth *in)
{
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    unsigned n_votes;
    OWNED_MEM uint8_t *sealed = NULL;
    size_t len = 0;
    *have = false;
    if (!n->keys.has_roster)
        return RC_OK; /* nor any share: this node's keys are new */
    TRY(cert_terms(&terms, votes, &n_votes, &in->cert));
    enum rc rc = store_move_sealed(n->w.store, name, in->cert.epoch, &sealed,
                                   &len);
    if (rc == RC_UNKNOWN) {
        bool nothing;
        TRY(holds_nothing(&nothing, n, name, in->cert.epoch));
        if (nothing)
            return RC_OK; /* its holders may be gone from the roster */
    }
    if (rc == RC_OK)
        rc = vault_activate(n->w.vault, ack, &terms, votes, n_votes, sealed,
                            len);
    *have = rc == RC_OK;
    if (*have)
        return RC_OK;
    if (rc == RC_NOMEM || rc == RC_UNREACHABLE || rc == RC_ORDER)
        return rc; /* for now: it waits for its peers' pieces */
    /* not ours, or lost: what we hold of older ones signs no more */
    return vault_epoch_moved(n->w.vault, &terms, votes, n_votes);
}

/* Under policy_lock: no other version of the policy comes between. */
static enum rc take_live(struct node *n, const uint8_t id[32],
                         const struct wire_birth *in)
{
    char name[POLICY_NAME_MAX];
    uint8_t ack[64];
    bool have;
    OWNED_MEM char *json = NULL;
    size_t len;
    node_lock(n);
    struct key *k = node_key_by_id(n, id);
    bool newer = k && !k->live.gone && in->cert.epoch > k->live.epoch;
    enum rc rc = newer ? judge_live(n, k, in) : RC_OK;
    if (newer)
        snprintf(name, sizeof(name), "%s", k->name);
    node_unlock(n);
    if (rc != RC_OK || !newer)
        return rc;
    TRY(wire_birth_encode(&json, &len, in));
    /* known for good before its share signs: never back to the one before */
    TRY(store_move_certify(n->w.store, name, in->cert.epoch, in->cert.session,
                           json, len));
    FAILPOINT(epoch_certified);
    TRY(into_vault(ack, &have, n, name, in));
    FAILPOINT(epoch_active);
    node_lock(n);
    rc = keys_move(n, k, in, have ? ack : NULL);
    node_unlock(n);
    if (rc == RC_OK)
        custody_on_active(n, k);
    return rc;
}

/* Under policy_lock. Nothing of ours is older: nothing is to be retired. */
static enum rc nothing_old(struct node *n, const uint8_t id[32])
{
    char name[POLICY_NAME_MAX];
    OWNED_MEM uint8_t *json = NULL;
    size_t len;
    node_lock(n);
    struct key *k = node_key_by_id(n, id);
    bool open = k && !k->live.retired;
    uint64_t epoch = k ? k->live.epoch : 0;
    if (k)
        snprintf(name, sizeof(name), "%s", k->name);
    node_unlock(n);
    if (!open)
        return RC_OK;
    enum rc rc = store_move_old(n->w.store, name, epoch, &json, &len);
    if (rc != RC_UNKNOWN)
        return rc;
    TRY(pieces_forget(n, name, epoch - 1)); /* asked for, we refuse them */
    node_lock(n);
    keys_retired(k);
    node_unlock(n);
    return RC_OK;
}

enum rc epoch_take(struct node *n, const struct wire_epoch_live *in)
{
    uint8_t id[32];
    hash256(id, in->birth.cert.group_key, 32);
    pthread_mutex_lock(&n->policy_lock);
    node_lock(n);
    bool known = node_key_by_id(n, id) != NULL;
    node_unlock(n);
    enum rc rc = RC_OK;
    if (!known)
        rc = in->live.n ? take_birth(n, in) : take_newborn(n, &in->birth);
    if (rc == RC_OK && in->live.n)
        rc = take_live(n, id, &in->live.at[0]);
    if (rc == RC_OK)
        rc = nothing_old(n, id);
    pthread_mutex_unlock(&n->policy_lock);
    return rc;
}

/* ---- erasing --------------------------------------------------------------------- */

/* Under policy_lock. The certificate that the acknowledgements are of. */
static enum rc cert_of(struct tlog_epoch_terms *terms, struct tlog_vote *votes,
                       unsigned *n_votes, bool *retired, struct node *n,
                       const char *name, uint64_t epoch)
{
    node_lock(n);
    struct key *k = node_key_by_name(n, name);
    enum rc rc = k ? RC_OK : rc_raise(RC_UNKNOWN, "key %s: not known", name);
    if (rc == RC_OK && k->live.epoch != epoch)
        rc = rc_raise(RC_EPOCH_MOVED, "key %s: in epoch %llu here", name,
                      (unsigned long long)k->live.epoch);
    if (rc == RC_OK)
        rc = cert_terms(terms, votes, n_votes, keys_cert(k));
    *retired = rc == RC_OK && k->live.retired;
    node_unlock(n);
    return rc;
}

static enum rc retire(struct node *n, const char *name, uint64_t epoch,
                      const uint8_t (*acks)[64], unsigned n_acks)
{
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    unsigned n_votes;
    bool retired;
    TRY(cert_of(&terms, votes, &n_votes, &retired, n, name, epoch));
    if (retired)
        return RC_OK;
    if (n_acks != n_votes)
        return rc_raise(RC_VERIFY, "retire: %u acknowledgements, want %u",
                        n_acks, n_votes);
    TRY(vault_epoch_retire(n->w.vault, &terms, votes, acks, n_acks));
    FAILPOINT(epoch_retiring);
    TRY(store_move_retire(n->w.store, name, epoch));
    FAILPOINT(epoch_retired);
    node_lock(n);
    struct key *k = node_key_by_name(n, name);
    if (k && k->live.epoch == epoch)
        keys_retired(k);
    node_unlock(n);
    return RC_OK;
}

enum rc epoch_retire(struct node *n, const char *name, uint64_t epoch,
                     const uint8_t (*acks)[64], unsigned n_acks)
{
    pthread_mutex_lock(&n->policy_lock);
    enum rc rc = retire(n, name, epoch, acks, n_acks);
    pthread_mutex_unlock(&n->policy_lock);
    return rc;
}

/* ---- what to do about it ----------------------------------------------------------- */

bool epoch_problem(char *out, size_t cap, const struct key *k)
{
    const struct key_live *l = &k->live;
    if (l->gone && l->shown.cert.votes.n == 0) {
        snprintf(
                out, cap,
                "key %s: destroyed here, and not at all its nodes yet: mpcsign "
                "key destroy %s",
                k->name, k->name);
        return true;
    }
    if (l->gone || l->cert.cert.votes.n == 0)
        return false; /* a birth's epoch: its own problems say it */
    if (l->member && !l->have_share && !l->waits) {
        snprintf(out, cap,
                 "key %s, epoch %llu: this node has no share of it: mpcsign "
                 "key repair %s",
                 k->name, (unsigned long long)l->epoch, k->name);
        return true;
    }
    if (!l->retired) {
        snprintf(out, cap,
                 "key %s, epoch %llu: shares of the epoch before are kept "
                 "until all its nodes have acknowledged: start those that are "
                 "down",
                 k->name, (unsigned long long)l->epoch);
        return true;
    }
    return false;
}

/* ---- the steps ----------------------------------------------------------------------- */

/* Where we stand with this key, and what the asker lacks. */
static enum rc where(struct node *n, const uint8_t id[32], uint64_t shown,
                     char **reply, size_t *reply_len)
{
    WIRE(epoch_where) out = { .node = n->id };
    node_lock(n);
    struct key *k = node_key_by_id(n, id);
    enum rc rc = k ? RC_OK : rc_raise(RC_UNKNOWN, "key: not known here");
    if (rc == RC_OK) {
        out.epoch = k->live.epoch;
        out.share = k->live.have_share;
        out.retired = k->live.retired;
    }
    if (rc == RC_OK && k->live.has_ack) {
        rc = wire_list_new(&out.ack, 1);
        if (rc == RC_OK) {
            out.ack.at[0].node = n->id;
            memcpy(out.ack.at[0].ack, k->live.ack, 64);
        }
    }
    if (rc == RC_OK && out.epoch > shown) {
        rc = wire_list_new(&out.newer, 1);
        if (rc == RC_OK)
            rc = keys_live_wire(&out.newer.at[0], k);
    }
    node_unlock(n);
    TRY(rc);
    return wire_epoch_where_encode(reply, reply_len, &out);
}

enum rc epoch_on_live(struct node *n, const uint8_t *body, size_t len,
                      char **reply, size_t *reply_len)
{
    WIRE(epoch_live) in = { 0 };
    uint8_t id[32];
    TRY(wire_epoch_live_decode(&in, (const char *)body, len));
    TRY(epoch_take(n, &in));
    hash256(id, in.birth.cert.group_key, 32);
    return where(n, id,
                 in.live.n ? in.live.at[0].cert.epoch : in.birth.cert.epoch,
                 reply, reply_len);
}

enum rc epoch_on_retire(struct node *n, const uint8_t *body, size_t len,
                        char **reply, size_t *reply_len)
{
    WIRE(epoch_retire) in = { 0 };
    uint8_t acks[TLOG_MAX_NODES][64];
    uint8_t id[32] = { 0 };
    TRY(wire_epoch_retire_decode(&in, (const char *)body, len));
    if (in.acks.n > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "acks: %zu", in.acks.n);
    for (size_t i = 0; i < in.acks.n; i++)
        memcpy(acks[i], in.acks.at[i].ack, 64);
    TRY(epoch_retire(n, in.name, in.epoch, (const uint8_t(*)[64])acks,
                     (unsigned)in.acks.n));
    node_lock(n);
    const struct key *k = node_key_by_name(n, in.name);
    if (k)
        memcpy(id, k->id, 32);
    node_unlock(n);
    return where(n, id, in.epoch, reply, reply_len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Destroying a key: each of its nodes says that it has erased its share, and
 * erases it; all their words, in the log, show that the key is gone. The word
 * and the empty place are at rest before the vault forgets, so that a crash
 * leaves a share or a word, and asking again gives the same word. A name that
 * was destroyed is not used again.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/hash.h"

/* ---- what shows it ---------------------------------------------------------------- */

/* Of the key's live epoch: its own terms and members, words for votes. */
static enum rc check_words(const struct tlog_epoch *e, const struct judged *j,
                           const struct wire_cert *live,
                           const struct wire_cert *words)
{
    struct tlog_epoch_terms terms;
    struct tlog_vote votes[TLOG_MAX_NODES];
    uint8_t identities[TLOG_MAX_NODES][32];
    uint8_t participants[32];
    uint8_t root[32];
    uint8_t key[32];
    unsigned n;
    TRY(cert_terms(&terms, votes, &n, live));
    if (words->votes.n != n)
        return rc_raise(RC_LOG, "destroy: words of %zu nodes, want %u",
                        words->votes.n, n);
    for (unsigned i = 0; i < n; i++) {
        memcpy(votes[i].sig, words->votes.at[i].sig, 64);
        memcpy(identities[i], votes[i].identity, 32);
    }
    TRY(tlog_votes_check(&terms, TLOG_VOTE_DESTROYED, votes, n));
    tlog_endorsements_root(root, votes, n);
    tlog_participants(participants, (const uint8_t(*)[32])identities, n);
    hash256(key, terms.group_key, 32);
    if (strcmp(e->type, "destroy") != 0 || memcmp(e->key, key, 32) != 0 ||
        memcmp(e->session, j->s.id, 32) != 0 ||
        memcmp(e->policy, j->s.policy, 32) != 0 ||
        memcmp(e->endorsements, root, 32) != 0 ||
        memcmp(e->participants, participants, 32) != 0 ||
        e->epoch != terms.epoch || e->parent != terms.parent ||
        e->threshold != terms.t)
        return rc_raise(RC_LOG, "destroy: entry is of something else");
    return RC_OK;
}

/* Under lock. */
static enum rc check_names(const struct judged *j, const struct key *k)
{
    if (j->s.type != POLICY_S_DESTROY)
        return rc_raise(RC_POLICY, "destroy: its session is no destroy");
    if (!j->s.has_key || memcmp(j->s.key, k->id, 32) != 0 ||
        strcmp(j->s.profile, k->name) != 0)
        return rc_raise(RC_POLICY, "destroy: its session names another key");
    return RC_OK;
}

/* Under lock. */
static enum rc judge_shown(struct node *n, const struct key *k,
                           const struct wire_birth *in)
{
    struct tlog_proof proof;
    struct tlog_epoch e;
    struct judged j;
    TRY(proof_from_wire(&proof, &in->proof));
    TRY(tlog_proof_check(&proof, &n->log, NULL));
    TRY(tlog_epoch_decode(&e, proof.entry, proof.entry_len));
    const struct policy *p = policy_chain_by_hash(n->chain, e.policy);
    if (!p)
        return rc_raise(RC_ORDER, "destroy: of a policy this node has not got");
    TRY(epoch_judge_session(&j, n, p, in));
    TRY(check_names(&j, k));
    return check_words(&e, &j, keys_cert(k), &in->cert);
}

/* ---- keeping it --------------------------------------------------------------------- */

/* Under policy_lock. word or shown; the vault forgets last. */
static enum rc put(struct node *n, struct key *k, const uint8_t *word,
                   const struct wire_birth *shown)
{
    OWNED_MEM char *json = NULL;
    size_t len = 0;
    if (shown)
        TRY(wire_birth_encode(&json, &len, shown));
    TRY(store_gone_put(n->w.store, k->name, k->live.epoch, word, json, len));
    FAILPOINT(epoch_gone);
    node_lock(n);
    enum rc rc = keys_gone(k, word, shown);
    node_unlock(n);
    TRY(rc);
    return vault_destroy(n->w.vault, k->id);
}

static enum rc take_shown(struct node *n, const uint8_t id[32],
                          const struct wire_birth *in)
{
    node_lock(n);
    struct key *k = node_key_by_id(n, id);
    enum rc rc = k ? RC_OK : rc_raise(RC_UNKNOWN, "key: not known here");
    bool have = k && k->live.shown.cert.votes.n;
    if (rc == RC_OK && !have)
        rc = judge_shown(n, k, in);
    node_unlock(n);
    return rc != RC_OK || have ? rc : put(n, k, NULL, in);
}

enum rc epoch_take_gone(struct node *n, const uint8_t id[32],
                        const struct wire_birth *in)
{
    pthread_mutex_lock(&n->policy_lock);
    enum rc rc = take_shown(n, id, in);
    pthread_mutex_unlock(&n->policy_lock);
    return rc;
}

/* ---- the steps ------------------------------------------------------------------------ */

/* Under policy_lock. */
static enum rc give_word(uint8_t word[64], struct node *n,
                         const struct wire_session *session)
{
    struct judged j;
    struct key *k = NULL;
    node_lock(n);
    enum rc rc = session_judge(&j, n, session);
    if (rc == RC_OK)
        k = node_key_by_name(n, j.s.profile);
    if (rc == RC_OK && !k)
        rc = rc_raise(RC_UNKNOWN, "key %s: not created", j.s.profile);
    if (rc == RC_OK)
        rc = check_names(&j, k);
    bool given = rc == RC_OK && k->live.has_word;
    if (given)
        memcpy(word, k->live.word, 64);
    if (rc == RC_OK && !given && !k->live.have_share)
        rc = rc_raise(RC_UNKNOWN, "key %s: node%u has no share to destroy",
                      k->name, n->id);
    node_unlock(n);
    if (rc != RC_OK || given)
        return rc;
    TRY(vault_destroy_word(n->w.vault, word, k->id, k->live.epoch));
    return put(n, k, word, NULL);
}

enum rc epoch_on_destroy(struct node *n, const uint8_t *body, size_t len,
                         char **reply, size_t *reply_len)
{
    WIRE(epoch_destroy) in = { 0 };
    struct wire_ack out = { .node = n->id };
    TRY(wire_epoch_destroy_decode(&in, (const char *)body, len));
    TRY(epoch_take(n, &in.key));
    pthread_mutex_lock(&n->policy_lock);
    enum rc rc = give_word(out.ack, n, &in.session);
    pthread_mutex_unlock(&n->policy_lock);
    TRY(rc);
    return wire_ack_encode(reply, reply_len, &out);
}

enum rc epoch_on_gone(struct node *n, const uint8_t *body, size_t len,
                      char **reply, size_t *reply_len)
{
    WIRE(epoch_live) in = { 0 };
    struct wire_session_id out;
    uint8_t id[32];
    TRY(wire_epoch_live_decode(&in, (const char *)body, len));
    if (in.live.n != 1)
        return rc_raise(RC_PARSE, "gone: nothing shows it");
    hash256(id, in.birth.cert.group_key, 32);
    TRY(epoch_take_gone(n, id, &in.live.at[0]));
    memcpy(out.session, in.live.at[0].cert.session, 32);
    return wire_session_id_encode(reply, reply_len, &out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leading, part three: the intents go to the log, before anything else is
 * sent. When a signer turns out to know a newer head, the same entries go
 * there once more: same index, newer checkpoint, proven from that head.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/hash.h"

void round_fail(struct round *r, enum rc rc)
{
    r->failed = true;
    r->others = false;
    r->rc = rc;
    snprintf(r->why, sizeof(r->why), "%.399s", rc_text());
    snprintf(r->hint, sizeof(r->hint), "%.199s", rc_hint_text());
}

void round_fail_by_peer(struct round *r, enum rc rc)
{
    round_fail(r, rc);
    r->others = true;
}

/* ---- commitments of every signer into every item ---------------------------------- */

/* Who leads without a share of its own has none. */
static enum rc own_commitments(struct node *n, struct round *r,
                               struct vault_commitment *out)
{
    bool signing = false;
    for (unsigned i = 0; i < r->n_signers; i++)
        signing = signing || r->signer[i] == n->id;
    if (!signing)
        return RC_OK;
    return vault_commit(n->w.vault, out, r->n_shots, r->key->id, r->key->epoch,
                        n->id);
}

static enum rc take_commitments(struct node *n, struct round *r)
{
    struct vault_commitment own[WIRE_MAX_BATCH];
    TRY(own_commitments(n, r, own));
    for (unsigned s = 0; s < r->n_shots; s++)
        TRY(wire_list_new(&r->shot[s].item.signers, r->n_signers));
    for (unsigned i = 0; i < r->n_signers; i++) {
        struct peer *p = node_peer(n, r->signer[i]);
        struct pool *pool = p ? peer_pool(p, r->key) : NULL;
        for (unsigned s = 0; s < r->n_shots; s++) {
            struct wire_signer *w = &r->shot[s].item.signers.at[i];
            w->node = r->signer[i];
            if (r->signer[i] == n->id) {
                memcpy(w->nonce, own[s].nonce_id, 16);
                memcpy(w->hiding, own[s].hiding, 32);
                memcpy(w->binding, own[s].binding, 32);
                continue;
            }
            if (!pool || pool->n == 0) /* another key's round saw it go */
                return rc_raise(RC_ORDER,
                                "node%u was restarted: its commitments went "
                                "with its vault",
                                r->signer[i]);
            const struct wire_commitment *c = &pool->at[--pool->n];
            memcpy(w->nonce, c->nonce, 16);
            memcpy(w->hiding, c->hiding, 32);
            memcpy(w->binding, c->binding, 32);
        }
    }
    return RC_OK;
}

/* ---- intents ------------------------------------------------------------------------ */

static enum rc participants_of(uint8_t out[32], struct node *n,
                               const struct round *r)
{
    const struct policy *p = policy_chain_head(n->chain);
    uint8_t identities[TLOG_MAX_NODES][32];
    for (unsigned i = 0; i < r->n_signers; i++) {
        const struct policy_node *node = policy_node_find(p, r->signer[i]);
        if (!node || !node->has_keys)
            return rc_raise(RC_POLICY, "node%u is not in the policy",
                            r->signer[i]);
        memcpy(identities[i], node->identity, 32);
    }
    tlog_participants(out, identities, r->n_signers);
    return RC_OK;
}

/* Under lock. */
static enum rc fill_intent(struct tlog_intent *in, struct node *n,
                           const struct round *r, const struct job *job)
{
    const struct policy *p = policy_chain_head(n->chain);
    const struct policy_profile *profile = policy_profile_find(p, r->key->name);
    if (!profile)
        return rc_raise(RC_POLICY_CHANGED, "profile %s is gone", r->key->name);
    if (memcmp(job->parsed.policy, p->sha256, 32) != 0)
        return rc_raise(RC_ORDER, "the policy changed to version %llu: again",
                        (unsigned long long)p->version);
    *in = (struct tlog_intent){ .attempt = job->attempt,
                                .epoch = r->key->epoch,
                                .birth = r->key->birth,
                                .expires = n->w.now_s(n->w.ctx) +
                                           INTENT_LIFE_S };
    tlog_commitment(in->commitment, job->parsed.nonce, job->msg, job->msg_len);
    memcpy(in->key, r->key->id, 32);
    snprintf(in->class, sizeof(in->class), "%s",
             policy_class_name(profile->class));
    snprintf(in->mode, sizeof(in->mode), "ed25519");
    memcpy(in->session, job->parsed.id, 32);
    snprintf(in->slot, sizeof(in->slot), "%s", policy_kind_name(job->kind));
    memcpy(in->approvals, job->approved.root, 32);
    memcpy(in->policy, p->sha256, 32);
    return participants_of(in->participants, n, r);
}

static enum rc encode_intent(struct wire_text *out, struct node *n,
                             const struct round *r, const struct job *job)
{
    struct tlog_intent in;
    node_lock(n);
    enum rc rc = fill_intent(&in, n, r, job);
    node_unlock(n);
    TRY(rc);
    char text[TLOG_ENTRY_MAX + 1];
    size_t len;
    TRY(tlog_intent_encode(text, &len, &in));
    return wire_text_set(out, text, len);
}

/* Consistency is wanted from what each signer has seen; sizes once each. */
static enum rc want_sizes(struct wire_append *out, const struct round *r)
{
    uint64_t sizes[TLOG_MAX_NODES];
    size_t n_sizes = 0;
    for (unsigned i = 0; i < r->n_signers; i++) {
        bool known = r->from[i] == 0 || !r->ask[i];
        for (size_t j = 0; j < n_sizes; j++)
            known = known || sizes[j] == r->from[i];
        if (!known)
            sizes[n_sizes++] = r->from[i];
    }
    TRY(wire_list_new(&out->sizes, n_sizes));
    if (n_sizes)
        memcpy(out->sizes.at, sizes, n_sizes * sizeof(*sizes));
    return RC_OK;
}

/* ---- the log's answer ------------------------------------------------------------------ */

static enum rc take_proofs(struct node *n, struct round *r,
                           const struct wire_appended *in)
{
    if (in->proofs.n != r->n_shots)
        return rc_raise(RC_PARSE, "log: %zu proofs for %u intents",
                        in->proofs.n, r->n_shots);
    for (unsigned s = 0; s < r->n_shots; s++) {
        struct wire_proof *mine = &r->shot[s].item.intent;
        const struct wire_proof *theirs = &in->proofs.at[s];
        if (theirs->entry.len != mine->entry.len ||
            memcmp(theirs->entry.p, mine->entry.p, mine->entry.len) != 0)
            return rc_raise(RC_LOG, "log: proof %u is of another entry", s);
        wire_proof_free(mine);
        TRY(proof_copy(mine, theirs));
        struct tlog_proof proof;
        TRY(proof_from_wire(&proof, mine));
        TRY(tlog_proof_check(&proof, &n->log, NULL));
    }
    return RC_OK;
}

static enum rc fill_items(struct round *r)
{
    for (unsigned s = 0; s < r->n_shots; s++) {
        struct wire_round2_item *item = &r->shot[s].item;
        const struct job *job = r->shot[s].job;
        TRY(session_copy(&item->session, &job->session));
        memcpy(item->key, r->key->id, 32);
        item->epoch = r->key->epoch;
        snprintf(item->slot, sizeof(item->slot), "%s",
                 policy_kind_name(job->kind));
        item->attempt = job->attempt;
        item->message_len = job->msg_len;
        if (!job->birth)
            continue;
        TRY(wire_list_new(&item->birth, 1));
        TRY(birth_copy(&item->birth.at[0], job->birth));
    }
    return RC_OK;
}

/* What we were told of the signers' heads may be what the log choked on. */
static void forget_heads(struct node *n, const struct round *r)
{
    for (unsigned i = 0; i < r->n_signers; i++) {
        struct peer *p = node_peer(n, r->signer[i]);
        if (p)
            p->head = 0;
    }
}

/* The log has answered, and the intents are kept. */
static void log_done(struct node *n, struct round *r)
{
    FAILPOINT(lead_logged);
    if (r->failed)
        round_abandon(n, r);
    else
        round_sign(n, r, &r->appended);
}

static void logged(struct node *n, void *arg, uint32_t extra, enum rc rc,
                   const uint8_t *body, size_t len)
{
    struct round *r = arg;
    (void)extra;
    wire_appended_free(&r->appended);
    if (rc == RC_OK)
        rc = wire_appended_decode(&r->appended, (const char *)body, len);
    if (rc == RC_OK)
        rc = take_proofs(n, r, &r->appended);
    if (rc == RC_OK && r->resends == 0)
        rc = fill_items(r);
    if (rc != RC_OK) {
        (void)rc_prefix(rc, "log: ");
        round_fail(r, rc);
        forget_heads(n, r);
        if (r->rc != RC_POLICY_HASH && r->rc != RC_ATTEST)
            r->rc = RC_LOG;
        snprintf(r->hint, sizeof(r->hint),
                 "nothing is signed without the log: check that mpc-log runs");
    }
    if (--r->waiting == 0)
        log_done(n, r);
}

/*
 * While the log works: what it is given is kept here, so that it ends in a
 * receipt or an abort whatever becomes of us.
 */
static void keep_intents(struct node *n, void *arg, uint32_t extra, enum rc rc,
                         const uint8_t *body, size_t len)
{
    struct round *r = arg;
    (void)extra;
    (void)body;
    (void)len;
    if (rc == RC_OK)
        rc = abort_watch(n, r);
    for (unsigned s = 0; rc == RC_OK && s < r->n_shots; s++)
        if (r->shot[s].job)
            r->shot[s].job->watched = true;
    if (rc != RC_OK)
        round_fail(r, rc);
    if (--r->waiting == 0)
        log_done(n, r);
}

static enum rc append(struct node *n, struct round *r)
{
    WIRE(append) ask = { 0 };
    TRY(wire_list_new(&ask.entries, r->n_shots));
    for (unsigned s = 0; s < r->n_shots; s++) {
        const struct wire_text *mine = &r->shot[s].item.intent.entry;
        TRY(wire_text_set(&ask.entries.at[s], mine->p, mine->len));
    }
    TRY(want_sizes(&ask, r));
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_append_encode(&json, &len, &ask));
    r->deadline_ms = n->w.now_ms(n->w.ctx) + ROUND_MS;
    bool first = r->resends == 0; /* the same intents go again */
    r->waiting = first ? 2 : 1;   /* before the send: it may fail at once */
    node_send(n, WORLD_LOG, "/v1/log/append", json, len, r->deadline_ms, logged,
              r, 0);
    if (first)
        node_later(n, keep_intents, r, 0);
    return RC_OK;
}

static enum rc prepare(struct node *n, struct round *r)
{
    TRY(take_commitments(n, r));
    for (unsigned s = 0; s < r->n_shots; s++)
        TRY(encode_intent(&r->shot[s].item.intent.entry, n, r, r->shot[s].job));
    for (unsigned i = 0; i < r->n_signers; i++) {
        struct peer *p = node_peer(n, r->signer[i]);
        r->from[i] = r->signer[i] == n->id ? node_head(n) : p ? p->head : 0;
        r->ask[i] = true;
    }
    return append(n, r);
}

void round_log(struct node *n, struct round *r)
{
    r->state = ROUND_LOG;
    FAILPOINT(lead_gathered);
    enum rc rc = prepare(n, r);
    if (rc == RC_OK)
        return;
    round_fail(r, rc);
    round_abandon(n, r);
}

void round_log_again(struct node *n, struct round *r)
{
    enum rc rc = append(n, r);
    if (rc == RC_OK)
        return;
    round_fail(r, rc);
    round_abandon(n, r);
}

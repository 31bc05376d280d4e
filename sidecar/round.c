/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leading, part three: the intents go to the log, round two to the signers
 * (ourselves included, through the same follow_round2 as everyone), the
 * shares are summed and verified, and only then does a caller hear of it.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

#define WANT_NEXT WIRE_MAX_BATCH

static void fail_round(struct node *n, struct round *r, enum rc rc)
{
    r->failed = true;
    r->rc = rc;
    snprintf(r->why, sizeof(r->why), "%s", rc_text());
    snprintf(r->hint, sizeof(r->hint), "%s", rc_hint_text());
    (void)n;
}

/* ---- commitments of every signer into every item ---------------------------------- */

static enum rc own_commitments(struct node *n, struct round *r,
                               struct vault_commitment *out)
{
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
            if (!pool || pool->n == 0)
                return rc_raise(RC_INTERNAL, "commitments: none left");
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
static enum rc want_sizes(struct wire_append *out, struct node *n,
                          const struct round *r)
{
    uint64_t sizes[TLOG_MAX_NODES];
    size_t n_sizes = 0;
    for (unsigned i = 0; i < r->n_signers; i++) {
        struct peer *p = node_peer(n, r->signer[i]);
        uint64_t size = r->signer[i] == n->id ? node_head(n) : p ? p->head : 0;
        bool known = size == 0;
        for (size_t j = 0; j < n_sizes; j++)
            known = known || sizes[j] == size;
        if (!known)
            sizes[n_sizes++] = size;
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

static const struct wire_growth *growth_from(const struct wire_appended *in,
                                             uint64_t size)
{
    for (size_t i = 0; i < in->growth.n; i++)
        if (in->growth.at[i].from == size)
            return &in->growth.at[i];
    return NULL;
}

/* What one signer gets: every item, with growth from its own last size. */
static enum rc set_growth(struct node *n, struct round *r, uint16_t signer,
                          const struct wire_appended *in)
{
    struct peer *p = node_peer(n, signer);
    uint64_t size = signer == n->id ? node_head(n) : p ? p->head : 0;
    const struct wire_growth *g = size ? growth_from(in, size) : NULL;
    for (unsigned s = 0; s < r->n_shots; s++) {
        struct wire_growth *to = &r->shot[s].item.growth;
        wire_growth_free(to);
        if (!g)
            continue;
        to->from = g->from;
        to->to = g->to;
        TRY(wire_list_new(&to->path, g->path.n));
        if (g->path.n)
            memcpy(to->path.at, g->path.at, g->path.n * sizeof(*g->path.at));
    }
    return RC_OK;
}

/* ---- round two ----------------------------------------------------------------------------- */

static enum rc take_results(struct node *n, struct round *r, uint16_t from,
                            struct wire_round2_reply *in)
{
    unsigned at = 0;
    while (at < r->n_signers && r->signer[at] != from)
        at++;
    if (at == r->n_signers || in->items.n != r->n_shots)
        return rc_raise(RC_PARSE, "round 2: %zu results for %u items",
                        in->items.n, r->n_shots);
    r->answered[at] = true;
    for (unsigned s = 0; s < r->n_shots; s++) {
        r->shot[s].results[at] = in->items.at[s];
        memset(&in->items.at[s], 0, sizeof(in->items.at[s])); /* moved */
    }
    if (from == n->id)
        return RC_OK;
    struct peer *p = node_peer(n, from);
    struct pool *pool = p ? peer_pool(p, r->key) : NULL;
    if (!pool)
        return RC_OK;
    p->head = in->head;
    p->why[0] = '\0';
    for (size_t i = 0; i < in->next.n && pool->n < POOL_CAP; i++)
        pool->at[pool->n++] = in->next.at[i];
    return RC_OK;
}

static void replied(struct node *n, void *arg, uint32_t from, enum rc rc,
                    const uint8_t *body, size_t len)
{
    struct round *r = arg;
    WIRE(round2_reply) in = { 0 };
    if (rc == RC_OK)
        rc = wire_round2_reply_decode(&in, (const char *)body, len);
    if (rc == RC_OK)
        rc = take_results(n, r, (uint16_t)from, &in);
    if (rc != RC_OK) {
        (void)rc_prefix(rc, "node%u: ", from);
        fail_round(n, r, rc);
        peer_down(n, from, DOWN_MS, rc);
    }
    if (--r->waiting == 0)
        round_finish(n, r);
}

/* items is lent to the message while it is encoded, and taken back. */
static enum rc encode_round2(uint8_t **out, size_t *out_len,
                             struct wire_round2_item *items, unsigned n_items,
                             const struct round *r)
{
    struct wire_round2 m = { .want_next = WANT_NEXT };
    m.items.at = items;
    m.items.n = n_items;
    OWNED_MEM char *json = NULL;
    size_t json_len;
    size_t raw = 0;
    TRY(wire_round2_encode(&json, &json_len, &m));
    for (unsigned s = 0; s < n_items; s++)
        raw += r->shot[s].job->msg_len;
    OWNED_MEM uint8_t *buf = malloc(4 + json_len + raw);
    if (!buf)
        return rc_raise(RC_NOMEM, "round 2: out of memory");
    struct bytes_writer w = bytes_writer(buf, 4 + json_len + raw);
    bytes_put_lp32(&w, json, json_len);
    for (unsigned s = 0; s < n_items; s++)
        bytes_put(&w, r->shot[s].job->msg, r->shot[s].job->msg_len);
    TRY(bytes_written(&w));
    *out_len = w.len;
    *out = TAKE(buf);
    return RC_OK;
}

static enum rc send_round2(struct node *n, struct round *r, uint16_t to,
                           struct wire_round2_item *items)
{
    OWNED_MEM uint8_t *body = NULL;
    size_t len;
    TRY(encode_round2(&body, &len, items, r->n_shots, r));
    node_send(n, to, "/v1/frost/round2", (const char *)body, len,
              r->deadline_ms, replied, r, to);
    return RC_OK;
}

/* Our own part: judged, marked and signed like anybody's. */
static void sign_ourselves(struct node *n, struct round *r,
                           struct wire_round2_item *items)
{
    struct wire_round2 m = { .want_next = 0 };
    m.items.at = items;
    m.items.n = r->n_shots;
    size_t raw_len = 0;
    for (unsigned s = 0; s < r->n_shots; s++)
        raw_len += r->shot[s].job->msg_len;
    OWNED_MEM uint8_t *raw = malloc(raw_len + 1);
    WIRE(round2_reply) out = { 0 };
    enum rc rc = raw ? RC_OK : rc_raise(RC_NOMEM, "round 2: out of memory");
    size_t at = 0;
    for (unsigned s = 0; rc == RC_OK && s < r->n_shots; s++) {
        if (r->shot[s].job->msg_len)
            memcpy(raw + at, r->shot[s].job->msg, r->shot[s].job->msg_len);
        at += r->shot[s].job->msg_len;
    }
    if (rc == RC_OK)
        rc = follow_round2(n, n->id, &m, raw, raw_len, &out);
    if (rc == RC_OK)
        rc = take_results(n, r, n->id, &out);
    if (rc != RC_OK) {
        (void)rc_prefix(rc, "node%u (leading): ", n->id);
        fail_round(n, r, rc);
    }
    if (--r->waiting == 0)
        round_finish(n, r);
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

static void send_all(struct node *n, struct round *r,
                     const struct wire_appended *in)
{
    struct wire_round2_item items[WIRE_MAX_BATCH];
    bool ours = false;
    r->state = ROUND_SIGN;
    r->deadline_ms = n->w.now_ms(n->w.ctx) + ROUND_MS;
    r->waiting = r->n_signers;
    for (unsigned i = 0; i < r->n_signers; i++) {
        if (r->signer[i] == n->id) {
            ours = true;
            continue;
        }
        enum rc rc = set_growth(n, r, r->signer[i], in);
        for (unsigned s = 0; s < r->n_shots; s++)
            items[s] = r->shot[s].item;
        if (rc == RC_OK)
            rc = send_round2(n, r, r->signer[i], items);
        if (rc != RC_OK)
            replied(n, r, r->signer[i], rc, NULL, 0);
    }
    if (!ours)
        return;
    enum rc rc = set_growth(n, r, n->id, in);
    for (unsigned s = 0; s < r->n_shots; s++)
        items[s] = r->shot[s].item;
    if (rc != RC_OK)
        fail_round(n, r, rc);
    sign_ourselves(n, r, items); /* may finish and free r */
}

static void logged(struct node *n, void *arg, uint32_t extra, enum rc rc,
                   const uint8_t *body, size_t len)
{
    struct round *r = arg;
    (void)extra;
    WIRE(appended) in = { 0 };
    if (rc == RC_OK)
        rc = wire_appended_decode(&in, (const char *)body, len);
    if (rc == RC_OK)
        rc = take_proofs(n, r, &in);
    if (rc == RC_OK)
        rc = fill_items(r);
    if (rc != RC_OK) {
        (void)rc_prefix(rc, "log: ");
        fail_round(n, r, rc);
        if (r->rc != RC_POLICY_HASH && r->rc != RC_ATTEST)
            r->rc = RC_LOG;
        snprintf(r->hint, sizeof(r->hint),
                 "nothing is signed without the log: check that mpc-log runs");
        round_abandon(n, r);
        return;
    }
    send_all(n, r, &in);
}

static enum rc append_intents(struct node *n, struct round *r)
{
    WIRE(append) ask = { 0 };
    TRY(take_commitments(n, r));
    TRY(wire_list_new(&ask.entries, r->n_shots));
    for (unsigned s = 0; s < r->n_shots; s++) {
        struct wire_text *mine = &r->shot[s].item.intent.entry;
        TRY(encode_intent(mine, n, r, r->shot[s].job));
        TRY(wire_text_set(&ask.entries.at[s], mine->p, mine->len));
    }
    TRY(want_sizes(&ask, n, r));
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_append_encode(&json, &len, &ask));
    node_send(n, WORLD_LOG, "/v1/log/append", json, len, r->deadline_ms, logged,
              r, 0);
    return RC_OK;
}

void round_log(struct node *n, struct round *r)
{
    r->state = ROUND_LOG;
    enum rc rc = append_intents(n, r);
    if (rc == RC_OK)
        return;
    fail_round(n, r, rc);
    round_abandon(n, r);
}

/* ---- the end of a round --------------------------------------------------------------------- */

static enum rc sum_shares(uint8_t sig[64], struct node *n,
                          const struct round *r, unsigned s)
{
    struct frost_commitment list[TLOG_MAX_NODES];
    struct frost_sig_share shares[TLOG_MAX_NODES];
    struct frost_point ys[TLOG_MAX_NODES];
    struct frost_point group;
    struct frost_id bad[TLOG_MAX_NODES];
    unsigned n_bad = 0;
    const struct shot *shot = &r->shot[s];
    for (unsigned i = 0; i < r->n_signers; i++) {
        const struct wire_signer *w = &shot->item.signers.at[i];
        TRY(frost_id_from_u16(&list[i].id, r->signer[i]));
        memcpy(list[i].hiding.b, w->hiding, 32);
        memcpy(list[i].binding.b, w->binding, 32);
        shares[i].id = list[i].id;
        memcpy(shares[i].z.le, shot->results[i].share, 32);
        for (unsigned k = 0; k < r->key->n; k++)
            if (r->key->node[k] == r->signer[i])
                ys[i] = r->key->y[k];
    }
    memcpy(group.b, r->key->group_key, 32);
    enum rc rc = frost_aggregate(sig, &group, shot->job->msg,
                                 shot->job->msg_len, list, shares, ys, bad,
                                 &n_bad, r->n_signers);
    if (rc != RC_CHEATER)
        return rc;
    char who[64] = "";
    for (unsigned i = 0; i < n_bad; i++) {
        uint16_t id = frost_id_to_u16(&bad[i]);
        size_t at = strlen(who);
        snprintf(who + at, sizeof(who) - at, " node%u", id);
        (void)rc_raise(RC_CHEATER, "wrong signature share");
        peer_down(n, id, CHEATER_DOWN_MS, RC_CHEATER);
    }
    return rc_raise(RC_CHEATER, "wrong signature share from%s", who);
}

/* RC_OK, or the first refusal, with the node's name in front. */
static enum rc first_refusal(struct node *n, const struct round *r, unsigned s)
{
    for (unsigned i = 0; i < r->n_signers; i++) {
        const struct wire_round2_result *res = &r->shot[s].results[i];
        enum rc rc = rc_from_slug(res->code);
        if (rc == RC_OK)
            continue;
        (void)rc_raise(rc, "node%u: %s", r->signer[i],
                       res->message.p ? res->message.p : res->code);
        if (rc == RC_UNKNOWN || rc == RC_ORDER) { /* nonces of a dead vault */
            struct peer *p = node_peer(n, r->signer[i]);
            struct pool *pool = p ? peer_pool(p, r->key) : NULL;
            if (pool)
                pool->n = 0;
        }
        return rc;
    }
    return RC_OK;
}

static enum rc add_receipt(struct node *n, uint64_t intent,
                           const uint8_t sig[64])
{
    struct tlog_receipt receipt = { .intent = intent };
    char text[TLOG_ENTRY_MAX + 1];
    size_t len;
    hash256(receipt.signature, sig, 64);
    TRY(tlog_receipt_encode(text, &len, &receipt));
    const char *one = text;
    return store_outbox_add(n->w.store, &one, 1);
}

/* Keeps the evidence of a finished signature for GET /v1/bundle. */
static void keep_seen(struct node *n, struct round *r, unsigned s,
                      const uint8_t sig[64])
{
    struct seen *seen = &n->seen[n->next_seen++ % SEEN_MAX];
    wire_round2_item_free(&seen->item);
    for (unsigned i = 0; seen->results && i < seen->n_signers; i++)
        wire_round2_result_free(&seen->results[i]);
    free(seen->results);
    *seen = (struct seen){ .used = true,
                           .item = r->shot[s].item,
                           .results = r->shot[s].results,
                           .n_signers = r->n_signers,
                           .key = r->key };
    memcpy(seen->signer, r->signer, sizeof(seen->signer));
    memcpy(seen->signature, sig, 64);
    memset(&r->shot[s].item, 0, sizeof(r->shot[s].item));
    r->shot[s].results = NULL;
}

static enum rc finish_shot(struct node *n, struct round *r, unsigned s)
{
    uint8_t sig[64];
    struct job *job = r->shot[s].job;
    TRY(first_refusal(n, r, s));
    TRY(sum_shares(sig, n, r, s));
    uint64_t intent = r->shot[s].item.intent.index;
    keep_seen(n, r, s, sig);
    r->shot[s].job = NULL;
    lead_job_done(n, job, sig, intent); /* reply first */
    return add_receipt(n, intent, sig);
}

void round_finish(struct node *n, struct round *r)
{
    if (r->failed) {
        round_abandon(n, r);
        return;
    }
    for (unsigned s = 0; s < r->n_shots; s++) {
        enum rc rc = finish_shot(n, r, s);
        if (rc == RC_OK || !r->shot[s].job)
            continue;
        fail_round(n, r, rc);
        round_requeue(n, r, s);
    }
    round_abandon(n, r); /* nothing is left in it */
}

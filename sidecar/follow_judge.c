/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a signer judges of one item of round two, from scratch and against its
 * own policy: key, payload, intent, log proof, the package's signers.
 */
#include "sidecar/follow.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

unsigned max_attempts(const struct key *key)
{
    unsigned spare = key->n - key->t + 1;
    return spare > MAX_ATTEMPTS_MIN ? spare : MAX_ATTEMPTS_MIN;
}

static enum rc check_key(struct verdict *v, struct node *n,
                         const struct wire_round2_item *item,
                         const struct policy_profile **profile)
{
    v->key = node_key_by_id(n, item->key);
    if (v->key && v->key->once)
        TRY(once_judge_use(v->key->once, &v->j.s, item->slot));
    TRY(keys_opened(n, v->key));
    if (!v->key || !v->key->live.have_share)
        return rc_raise(RC_UNKNOWN, "key: node%u holds no share of it", n->id);
    if (v->key->live.epoch != item->epoch)
        return rc_raise(RC_EPOCH_MOVED, "epoch: asked for %llu, in force %llu",
                        (unsigned long long)item->epoch,
                        (unsigned long long)v->key->live.epoch);
    const struct policy_session *s = &v->j.s;
    TRY(glass_profile(profile, n, v->key, s));
    if (s->type != POLICY_S_SIGN && s->type != POLICY_S_ROOT)
        return rc_raise(RC_POLICY, "session: its type signs nothing");
    if (s->has_key && memcmp(s->key, v->key->id, 32) != 0)
        return rc_raise(RC_POLICY, "session names another key");
    return RC_OK;
}

static enum rc check_payload(struct verdict *v, struct node *n,
                             const struct wire_round2_item *item,
                             const struct policy_profile *profile)
{
    enum policy_kind kind;
    if (v->msg_len > profile->max_message)
        return rc_raise(RC_TOO_LARGE, "message: %zu bytes, %s signs up to %u",
                        v->msg_len, profile->name, profile->max_message);
    const struct policy_raise raise = node_raise(n);
    TRY(policy_payload_check_raised(&kind, profile, &v->j.s, v->msg, v->msg_len,
                                    &raise));
    if (strcmp(policy_kind_name(kind), item->slot) != 0)
        return rc_raise(RC_POLICY, "slot: %s, but the bytes are %s", item->slot,
                        policy_kind_name(kind));
    if (profile->class != POLICY_ISSUER)
        return RC_OK;
    if (!n->w.tbs_check)
        return rc_raise(RC_POLICY, "this node signs no certificates");
    TRY(n->w.tbs_check(n->w.ctx, n->chain, &v->j.s, v->key->group_key,
                       item->birth.n ? &item->birth.at[0] : NULL, v->msg,
                       v->msg_len));
    return session_root_free(n, &v->j.s, v->key, v->msg, v->msg_len);
}

/* participants of the intent = identities of exactly these signers */
static enum rc check_signers(const struct verdict *v, struct node *n,
                             const struct wire_round2_item *item)
{
    const struct policy *p = policy_chain_head(n->chain);
    uint8_t identities[TLOG_MAX_NODES][32];
    bool us = false;
    if (item->signers.n < v->key->live.t || item->signers.n > TLOG_MAX_NODES)
        return rc_raise(RC_POLICY, "signers: %zu, the key wants %u",
                        item->signers.n, v->key->live.t);
    for (size_t i = 0; i < item->signers.n; i++) {
        uint64_t id = item->signers.at[i].node;
        const struct policy_node *node = id <= UINT16_MAX
                                                 ? policy_node_find(
                                                           p, (uint16_t)id)
                                                 : NULL;
        if (!node || !node->has_keys)
            return rc_raise(RC_POLICY, "signers: node %llu is not in force",
                            (unsigned long long)id);
        if (node->leaving)
            return rc_raise(RC_POLICY,
                            "signers: node%llu is leaving: it deals, and "
                            "signs no more",
                            (unsigned long long)id);
        if (i && item->signers.at[i - 1].node >= id)
            return rc_raise(RC_PARSE, "signers: not ascending");
        memcpy(identities[i], node->identity, 32);
        us = us || id == n->id;
    }
    if (!us)
        return rc_raise(RC_PARSE, "signers: without node%u", n->id);
    uint8_t want[32];
    tlog_participants(want, identities, (unsigned)item->signers.n);
    if (memcmp(want, v->intent.participants, 32) != 0)
        return rc_raise(RC_POLICY, "intent: participants differ from the "
                                   "signers of the package");
    return RC_OK;
}

static enum rc differs(const char *field)
{
    return rc_raise(RC_POLICY, "intent: %s is not what the request says",
                    field);
}

static enum rc check_intent(struct verdict *v, struct node *n,
                            const struct wire_round2_item *item,
                            const struct policy_profile *profile)
{
    const struct policy *p = policy_chain_head(n->chain);
    TRY(proof_from_wire(&v->proof, &item->intent));
    TRY(tlog_intent_decode(&v->intent, v->proof.entry, v->proof.entry_len));
    const struct tlog_intent *in = &v->intent;
    if (memcmp(in->session, v->j.s.id, 32) != 0)
        return differs("session");
    if (memcmp(in->key, v->key->id, 32) != 0)
        return differs("key");
    if (in->epoch != item->epoch || in->attempt != item->attempt ||
        strcmp(in->slot, item->slot) != 0)
        return differs("epoch, attempt or slot");
    if (strcmp(in->class, policy_class_name(profile->class)) != 0 ||
        strcmp(in->mode, "ed25519") != 0)
        return differs("class or mode");
    if (memcmp(in->approvals, v->j.approved.root, 32) != 0)
        return rc_raise(RC_POLICY,
                        "intent: its approvals are not those that count at "
                        "node%u; was one revoked?",
                        n->id);
    if (memcmp(in->policy, p->sha256, 32) != 0)
        return differs("policy");
    if (in->birth != v->key->birth)
        return differs("birth");
    int64_t now = n->w.now_s(n->w.ctx);
    if (in->expires < now || in->expires > now + INTENT_LIFE_S + 60)
        return rc_raise(RC_EXPIRED, "intent: expires %lld, now %lld",
                        (long long)in->expires, (long long)now);
    uint8_t commitment[32];
    tlog_commitment(commitment, v->j.s.nonce, v->msg, v->msg_len);
    if (memcmp(commitment, in->commitment, 32) != 0)
        return rc_raise(RC_LOG, "intent: commitment is to another message");
    struct tlog_checkpoint cp;
    TRY(tlog_proof_check(&v->proof, &n->log, &cp));
    return head_check(n, &cp, &item->growth);
}

static void digest_item(uint8_t out[32], const struct wire_round2_item *item,
                        const uint8_t commitment[32])
{
    crypto_hash_sha256_state st;
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, commitment, 32);
    crypto_hash_sha256_update(&st, (const uint8_t *)item->intent.entry.p,
                              item->intent.entry.len);
    crypto_hash_sha256_update(&st, (const uint8_t *)item->signers.at,
                              item->signers.n * sizeof(*item->signers.at));
    crypto_hash_sha256_final(&st, out);
}

/* Under lock. */
static enum rc judge_item(struct verdict *v, struct node *n, uint16_t from,
                          const struct wire_round2_item *item)
{
    const struct policy_profile *profile;
    if (!n->has_log)
        return rc_raise(RC_ORDER, "node%u has no log key yet", n->id);
    TRY(standing_check(n));
    TRY(session_judge(&v->j, n, &item->session));
    TRY(session_led_by(&v->j.s, &item->session, from));
    TRY(check_key(v, n, item, &profile));
    TRY(check_payload(v, n, item, profile));
    TRY(check_intent(v, n, item, profile));
    TRY(check_signers(v, n, item));
    once_bind(v->key->once, &v->j.s, from, item->slot);
    v->glass = profile->break_glass;
    v->mark = (struct store_mark){ .attempt = item->attempt,
                                   .expires = v->j.s.expires,
                                   .max_attempts = max_attempts(v->key) };
    memcpy(v->mark.session, v->j.s.id, 32);
    memcpy(v->mark.slot, item->slot, sizeof(v->mark.slot));
    memcpy(v->mark.message, v->intent.commitment, 32);
    digest_item(v->mark.request, item, v->intent.commitment);
    return RC_OK;
}

void follow_say_why(struct verdict *v)
{
    if (v->rc != RC_OK)
        snprintf(v->why, sizeof(v->why), "%s", rc_text());
}

void follow_judge_all(struct verdict *v, struct node *n, uint16_t from,
                      const struct wire_round2 *in, const uint8_t *raw,
                      size_t raw_len)
{
    node_lock(n);
    for (size_t i = 0; i < in->items.n; i++) {
        const struct wire_round2_item *item = &in->items.at[i];
        if (item->message_len > raw_len) {
            v[i].rc = rc_raise(RC_PARSE, "message_len: over the bytes sent");
        } else {
            v[i].msg = raw;
            v[i].msg_len = item->message_len;
            raw += item->message_len;
            raw_len -= item->message_len;
            v[i].rc = judge_item(&v[i], n, from, item);
        }
        follow_say_why(&v[i]);
    }
    node_unlock(n);
    /* another history, or a wrong proof of ours? the log is to say */
    for (size_t i = 0; i < in->items.n; i++)
        if (v[i].rc == RC_LOG)
            gossip_hear(n, from, in->items.at[i].intent.checkpoint.p,
                        in->items.at[i].intent.checkpoint.len, false);
}

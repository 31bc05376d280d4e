/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node judges of a session's key, each for itself: may it be made, is
 * that its birth, may it sign this. Pure; under the node's lock.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

/* ---- may it be made? --------------------------------------------------------- */

static bool is_among(const uint16_t *ids, unsigned n, uint64_t id)
{
    for (unsigned i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static enum rc check_type(const struct policy_session *s,
                          const struct policy_profile *f)
{
    if (s->type != POLICY_S_SIGN)
        return rc_raise(RC_POLICY, "once: a session of type %s makes no key",
                        policy_session_type_name(s->type));
    if (!f->ephemeral)
        return rc_raise(RC_POLICY, "once: the key of profile %s is persistent",
                        f->name);
    return RC_OK;
}

enum rc once_judge_start(struct once_terms *out, struct node *n,
                         const struct wire_session *in, uint16_t lead)
{
    struct judged j;
    if (!n->has_log)
        return rc_raise(RC_ORDER, "node%u has no log key yet", n->id);
    TRY(gossip_check(n));
    TRY(session_judge(&j, n, in));
    TRY(session_led_by(&j.s, in, lead));
    const struct policy_profile *f = policy_profile_find(
            policy_chain_head(n->chain), j.s.profile);
    if (!f)
        return rc_raise(RC_UNKNOWN, "profile %s: not in the policy",
                        j.s.profile);
    TRY(check_type(&j.s, f));
    if (!is_among(f->signers, f->n_signers, n->id))
        return rc_raise(RC_POLICY, "profile %s: node%u does not sign for it",
                        f->name, n->id);
    out->s = j.s;
    out->dkg = (struct vault_dkg_terms){ .epoch = 1,
                                         .t = f->threshold,
                                         .n = (uint16_t)f->n_signers,
                                         .persistent = false };
    memcpy(out->dkg.session, j.s.id, 32);
    memcpy(out->dkg.ids, f->signers, f->n_signers * sizeof(*f->signers));
    return RC_OK;
}

/* ---- is it its birth? ---------------------------------------------------------- */

/* By the policy of its time: the log proves that it was in force. */
static enum rc judge_session(struct judged *j, struct node *n,
                             const struct policy *p,
                             const struct wire_birth *in)
{
    struct tlog_blob approvals[POLICY_MAX_APPROVALS];
    struct tlog_blob requester = { in->requester.p, in->requester.len };
    if (in->approvals.n > POLICY_MAX_APPROVALS)
        return rc_raise(RC_PARSE, "birth: %zu approvals", in->approvals.n);
    for (size_t i = 0; i < in->approvals.n; i++)
        approvals[i] = (struct tlog_blob){ in->approvals.at[i].p,
                                           in->approvals.at[i].len };
    TRY(policy_session_parse(&j->s, in->descriptor.p, in->descriptor.len));
    return policy_judge(&j->approved, p, policy_chain_genesis(n->chain), &j->s,
                        requester.len ? &requester : NULL, approvals,
                        (unsigned)in->approvals.n, POLICY_AT_ITS_TIME);
}

/* At least t of those who sign for the profile, under their own keys. */
static enum rc check_voters(const struct policy *p,
                            const struct policy_profile *f,
                            const struct wire_cert *cert)
{
    if (cert->epoch != 1 || cert->parent != 0)
        return rc_raise(RC_POLICY, "birth: a session's key has epoch 1 and no "
                                   "parent");
    if (cert->threshold != f->threshold || cert->votes.n < f->threshold ||
        cert->votes.n > f->n_signers)
        return rc_raise(RC_POLICY,
                        "birth: %zu endorsements for threshold %llu, profile "
                        "%s wants %u or more",
                        cert->votes.n, (unsigned long long)cert->threshold,
                        f->name, f->threshold);
    for (size_t i = 0; i < cert->votes.n; i++) {
        const struct wire_vote *v = &cert->votes.at[i];
        const struct policy_node *node = is_among(f->signers, f->n_signers,
                                                  v->node)
                                                 ? policy_node_find(
                                                           p, (uint16_t)v->node)
                                                 : NULL;
        if (!node || !node->has_keys ||
            memcmp(node->identity, v->identity, 32) != 0)
            return rc_raise(RC_POLICY, "birth: endorsed by a stranger to %s",
                            f->name);
        if (i && v[-1].node >= v->node)
            return rc_raise(RC_POLICY, "birth: endorsements do not ascend");
    }
    return RC_OK;
}

/* The entry is of this certificate, and the certificate is whole. */
static enum rc check_entry(const struct tlog_birth *b,
                           const struct once_birth *o, const struct judged *j,
                           const struct policy_profile *f)
{
    uint8_t identities[TLOG_MAX_NODES][32];
    uint8_t participants[32];
    uint8_t root[32];
    uint8_t key[32];
    TRY(tlog_votes_check(&o->terms, TLOG_VOTE_PREPARED, o->votes, o->n_votes));
    tlog_endorsements_root(root, o->votes, o->n_votes);
    for (unsigned i = 0; i < o->n_votes; i++)
        memcpy(identities[i], o->votes[i].identity, 32);
    tlog_participants(participants, identities, o->n_votes);
    hash256(key, o->terms.group_key, 32);
    if (memcmp(root, b->endorsements, 32) != 0 ||
        memcmp(key, b->key, 32) != 0 || memcmp(b->session, j->s.id, 32) != 0 ||
        memcmp(b->approvals, j->approved.root, 32) != 0 ||
        memcmp(b->participants, participants, 32) != 0 ||
        b->threshold != o->terms.t ||
        strcmp(b->class, policy_class_name(f->class)) != 0)
        return rc_raise(RC_LOG, "birth: entry is of another birth");
    return RC_OK;
}

/*
 * Who holds a share of it judges the session once more, as it is now: what was
 * taken back since, or another policy, ends it here.
 */
static enum rc judge_member(struct node *n, const struct wire_birth *in,
                            const struct judged *then)
{
    struct judged now;
    struct wire_session s = { .descriptor = in->descriptor,
                              .requester = in->requester }; /* lent */
    s.approvals.at = in->approvals.at;
    s.approvals.n = in->approvals.n;
    TRY(gossip_check(n));
    TRY(session_judge(&now, n, &s));
    if (memcmp(now.approved.root, then->approved.root, 32) != 0)
        return rc_raise(RC_POLICY,
                        "birth: its approvals are not those that "
                        "count at node%u; was one revoked?",
                        n->id);
    return RC_OK;
}

enum rc once_judge_birth(struct once_birth *out, struct node *n,
                         const struct wire_birth *in)
{
    struct tlog_proof proof;
    struct tlog_birth b;
    struct judged j;
    TRY(proof_from_wire(&proof, &in->proof));
    TRY(tlog_proof_check(&proof, &n->log, NULL));
    TRY(tlog_birth_decode(&b, proof.entry, proof.entry_len));
    const struct policy *p = policy_chain_by_hash(n->chain, b.policy);
    if (!p)
        return rc_raise(RC_ORDER, "birth: of a policy this node has not got");
    TRY(judge_session(&j, n, p, in));
    const struct policy_profile *f = policy_profile_find(p, j.s.profile);
    if (!f || memcmp(j.s.id, in->cert.session, 32) != 0)
        return rc_raise(RC_POLICY, "birth: session and certificate differ");
    TRY(check_type(&j.s, f));
    TRY(check_voters(p, f, &in->cert));
    TRY(cert_terms(&out->terms, out->votes, &out->n_votes, &in->cert));
    TRY(check_entry(&b, out, &j, f));
    out->s = j.s;
    out->member = false;
    for (unsigned i = 0; i < out->n_votes; i++)
        out->member = out->member || out->votes[i].node == n->id;
    const struct once *o = once_find(n, j.s.id);
    if (out->member && o && o->state == ONCE_VOTED)
        return judge_member(n, in, &j);
    return RC_OK;
}

/* ---- may it sign this? ------------------------------------------------------------ */

enum rc once_judge_use(const struct once *o, const struct policy_session *s,
                       const char *slot)
{
    if (memcmp(o->session, s->id, 32) != 0)
        return rc_raise(RC_POLICY, "key: it was made for another session");
    if (o->gone || o->state != ONCE_LIVE)
        return rc_raise(RC_UNKNOWN, "key is gone: %s",
                        o->gone ? o->gone : "no share of it here");
    if (o->bound[0] && strcmp(o->bound, slot) != 0)
        return rc_raise(RC_SLOT_BURNT,
                        "key: its first use, %s, closed its other slots",
                        o->bound);
    return RC_OK;
}

void once_bind(struct once *o, const struct policy_session *s, uint16_t lead,
               const char *slot)
{
    if (!o)
        return;
    o->user = lead;
    if (!s->has_artifact)
        snprintf(o->bound, sizeof(o->bound), "%s", slot);
}

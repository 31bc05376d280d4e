/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The birth of a key: logged, endorsed by every member with the identity the
 * policy names, and made in a session that stewards approved.
 */
#include "cli/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

struct parts {
    struct tlog_proof proof;
    struct tlog_birth entry;
    struct policy_session session;
    struct tlog_epoch_terms terms;
    struct tlog_vote vote[TLOG_MAX_NODES];
    unsigned n_votes;
    const struct policy *policy;
    const struct policy_profile *profile;
};

static enum rc check_entry(struct parts *p, const struct verify *v,
                           const struct wire_birth *birth,
                           const uint8_t group_key[32], const char *class)
{
    uint8_t id[32];
    TRY(cli_proof(&p->proof, &birth->proof));
    TRY(tlog_birth_decode(&p->entry, p->proof.entry, p->proof.entry_len));
    if (!v->newest->has_log)
        return rc_raise(RC_LOG, "the policy names no log");
    TRY(tlog_proof_check(&p->proof, &v->newest->log, NULL));
    hash256(id, group_key, 32);
    if (memcmp(id, p->entry.key, 32) != 0 ||
        memcmp(group_key, birth->cert.group_key, 32) != 0)
        return rc_raise(RC_VERIFY, "is of another key");
    if (strcmp(p->entry.class, class) != 0)
        return rc_raise(RC_VERIFY, "class %s, want %s", p->entry.class, class);
    p->policy = verify_policy(v, p->entry.policy);
    if (!p->policy)
        return rc_raise(RC_POLICY, "born under a policy version that is none "
                                   "of the files given");
    return RC_OK;
}

static enum rc check_profile(struct parts *p, const struct wire_birth *birth,
                             const char *profile)
{
    TRY(policy_session_parse(&p->session, birth->descriptor.p,
                             birth->descriptor.len));
    if (profile && strcmp(p->session.profile, profile) != 0)
        return rc_raise(RC_VERIFY, "born for profile %s, used as %s",
                        p->session.profile, profile);
    p->profile = policy_profile_find(p->policy, p->session.profile);
    if (!p->profile)
        return rc_raise(RC_POLICY, "profile %s is not in its policy",
                        p->session.profile);
    if (p->session.type != POLICY_S_KEY_CREATE &&
        !(p->session.type == POLICY_S_SIGN && p->profile->ephemeral))
        return rc_raise(RC_POLICY, "a session of type %s makes no key",
                        policy_session_type_name(p->session.type));
    if (strcmp(p->entry.class, policy_class_name(p->profile->class)) != 0 ||
        p->entry.threshold != p->profile->threshold)
        return rc_raise(RC_POLICY, "class or threshold are not profile %s's",
                        p->profile->name);
    return RC_OK;
}

static enum rc check_session(const struct parts *p, const struct verify *v,
                             const struct wire_birth *birth,
                             struct policy_approved *by)
{
    struct tlog_blob approvals[POLICY_MAX_APPROVALS];
    struct tlog_blob requester = { birth->requester.p, birth->requester.len };
    unsigned n;
    TRY(cli_blobs(approvals, &n, birth->approvals.at, birth->approvals.n));
    TRY(policy_judge(by, p->policy, v->genesis, &p->session,
                     requester.len ? &requester : NULL, approvals, n,
                     POLICY_AT_ITS_TIME));
    if (memcmp(p->session.id, p->entry.session, 32) != 0 ||
        memcmp(p->session.id, p->terms.session, 32) != 0)
        return rc_raise(RC_VERIFY, "entry, endorsements and session differ");
    if (memcmp(by->root, p->entry.approvals, 32) != 0)
        return rc_raise(RC_VERIFY, "approvals are not those of the entry");
    return RC_OK;
}

static bool holds(const struct policy_profile *f, uint16_t node)
{
    for (unsigned i = 0; i < f->n_nodes; i++)
        if (f->nodes[i] == node)
            return true;
    return false;
}

/* A persistent key belongs to all its nodes; an ephemeral one to t, and one
 * more where there are more. */
static enum rc check_members(const struct parts *p)
{
    const struct policy_profile *f = p->profile;
    unsigned least = !f->ephemeral
                             ? f->n_nodes
                             : f->threshold +
                                       (f->n_nodes > f->threshold ? 1u : 0u);
    if (p->n_votes < least)
        return rc_raise(RC_VERIFY, "%u endorsements, profile %s wants %u",
                        p->n_votes, f->name, least);
    for (unsigned i = 0; i < p->n_votes; i++) {
        const struct tlog_vote *vote = &p->vote[i];
        const struct policy_node *n = policy_node_find(p->policy, vote->node);
        if (!n || !n->has_keys || !holds(f, vote->node) ||
            memcmp(n->identity, vote->identity, 32) != 0)
            return rc_raise(RC_VERIFY,
                            "endorsed by node %u, no member with that identity",
                            vote->node);
    }
    return RC_OK;
}

static enum rc check_votes(const struct parts *p)
{
    uint8_t identity[TLOG_MAX_NODES][32];
    uint8_t participants[32];
    uint8_t endorsements[32];
    TRY(check_members(p));
    TRY(tlog_votes_check(&p->terms, TLOG_VOTE_PREPARED, p->vote, p->n_votes));
    for (unsigned i = 0; i < p->n_votes; i++)
        memcpy(identity[i], p->vote[i].identity, 32);
    tlog_participants(participants, (const uint8_t(*)[32])identity, p->n_votes);
    tlog_endorsements_root(endorsements, p->vote, p->n_votes);
    if (p->terms.parent != 0 || p->terms.t != p->entry.threshold ||
        memcmp(participants, p->entry.participants, 32) != 0 ||
        memcmp(endorsements, p->entry.endorsements, 32) != 0)
        return rc_raise(RC_VERIFY, "the entry and its endorsements differ");
    return RC_OK;
}

static enum rc check(struct parts *p, struct policy_approved *by,
                     const struct verify *v, const struct wire_birth *birth,
                     const uint8_t group_key[32], const char *class,
                     const char *profile)
{
    TRY(check_entry(p, v, birth, group_key, class));
    TRY(check_profile(p, birth, profile));
    TRY(cli_votes(&p->terms, p->vote, &p->n_votes, &birth->cert));
    TRY(check_session(p, v, birth, by));
    return check_votes(p);
}

void verify_birth(struct verify *v, const char *id,
                  const struct wire_birth *birth, const uint8_t group_key[32],
                  const char *class, const char *profile)
{
    struct policy_approved by = { 0 };
    OWNED_MEM struct parts *p = calloc(1, sizeof(*p));
    enum rc rc = p ? check(p, &by, v, birth, group_key, class, profile)
                   : rc_raise(RC_NOMEM, "out of memory");
    if (rc != RC_OK) {
        verify_mark_rc(v, id, rc, "%s", "");
        return;
    }
    verify_mark(
            v, id, true,
            "key of profile %s, log index %llu, endorsed by %u of %u "
            "nodes (%llu sign), requested by %s and approved by %u stewards "
            "under policy version %llu",
            p->profile->name, (unsigned long long)p->proof.index, p->n_votes,
            p->profile->n_nodes, (unsigned long long)p->entry.threshold,
            p->session.requester, by.stewards,
            (unsigned long long)p->policy->version);
}

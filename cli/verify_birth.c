/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The birth of a key: logged, endorsed by every member with the identity the
 * policy names, and made in a session that stewards approved.
 */
#include "cli/verify_inner.h"

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
    TRY(verify_proof(&p->proof, NULL, v, &birth->proof));
    TRY(tlog_birth_decode(&p->entry, p->proof.entry, p->proof.entry_len));
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
    const struct verify_records r = { .p = p->policy,
                                      .s = &p->session,
                                      .requester = &birth->requester,
                                      .at = birth->approvals.at,
                                      .n = birth->approvals.n,
                                      .root = p->entry.approvals };
    TRY(verify_records(by, v, &r));
    if (memcmp(p->session.id, p->entry.session, 32) != 0 ||
        memcmp(p->session.id, p->terms.session, 32) != 0)
        return rc_raise(RC_VERIFY, "entry, endorsements and session differ");
    return RC_OK;
}

static bool holds(const struct policy_profile *f, uint16_t node)
{
    for (unsigned i = 0; i < f->n_nodes; i++)
        if (f->nodes[i] == node)
            return true;
    return false;
}

/* A persistent key belongs to all its nodes; an ephemeral one to those that
 * were healthy, at least the threshold. */
static enum rc check_members(const struct parts *p)
{
    const struct policy_profile *f = p->profile;
    unsigned least = f->ephemeral ? f->threshold : f->n_nodes;
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

/* An ephemeral key is for one session, and dies with it. */
static enum rc check_own_session(const struct parts *p, const struct verify *v)
{
    if (!p->profile->ephemeral)
        return RC_OK;
    if (memcmp(p->session.id, v->session.id, 32) != 0)
        return rc_raise(RC_VERIFY, "an ephemeral key of another session");
    if (v->intent.epoch != 1)
        return rc_raise(RC_VERIFY, "an ephemeral key has one epoch");
    return RC_OK;
}

/* What the certificate must say too. */
static void keep(struct verify *v, const struct parts *p)
{
    v->birth = p->entry;
    v->born_in = p->session;
    memcpy(v->vote, p->vote, sizeof(v->vote));
    v->n_votes = p->n_votes;
    v->born = true;
    v->ephemeral = p->profile->ephemeral;
}

static json_t *fact(const struct parts *p, const struct verify_records *r)
{
    return json_pack(
            "{s:s, s:b, s:s, s:I, s:I, s:i, s:i, s:s, s:I, s:o}", "profile",
            p->profile->name, "ephemeral", (int)p->profile->ephemeral, "class",
            p->entry.class, "index", (json_int_t)p->proof.index, "threshold",
            (json_int_t)p->entry.threshold, "endorsed", (int)p->n_votes,
            "nodes", (int)p->profile->n_nodes, "requester",
            p->session.requester, "asked", (json_int_t)p->session.created,
            "approvals", verify_people(r));
}

static void tell(struct verify *v, const char *id, const struct parts *p,
                 const struct policy_approved *by,
                 const struct wire_birth *birth)
{
    const struct verify_records r = { .p = p->policy,
                                      .s = &p->session,
                                      .requester = &birth->requester,
                                      .at = birth->approvals.at,
                                      .n = birth->approvals.n,
                                      .root = p->entry.approvals };
    verify_pass(v, id,
                "%skey of profile %s, log index %llu, endorsed by %u of %u "
                "nodes (%llu sign), requested by %s and approved by %u "
                "engineers and %u stewards under policy version %llu",
                p->profile->ephemeral ? "this session's own " : "",
                p->profile->name, (unsigned long long)p->proof.index,
                p->n_votes, p->profile->n_nodes,
                (unsigned long long)p->entry.threshold, p->session.requester,
                by->engineers, by->stewards,
                (unsigned long long)p->policy->version);
    verify_fact(v, id, fact(p, &r));
}

void verify_birth(struct verify *v, const char *id,
                  const struct wire_birth *birth, const uint8_t group_key[32],
                  const char *class, const char *profile)
{
    struct policy_approved by = { 0 };
    OWNED_MEM struct parts *p = calloc(1, sizeof(*p));
    bool own = strcmp(id, "birth") == 0;
    enum rc rc = p ? check(p, &by, v, birth, group_key, class, profile)
                   : rc_raise(RC_NOMEM, "out of memory");
    if (rc == RC_OK && own)
        rc = check_own_session(p, v);
    if (rc != RC_OK) {
        verify_mark(v, id, rc,
                    "a birth in the log: of this key, by approved people, "
                    "endorsed by its nodes",
                    "%s", "");
        return;
    }
    if (own)
        keep(v, p);
    tell(v, id, p, &by, birth);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this key what its birth says: made by approved people, by all members of
 * its profile, and in the log? Judged as of the birth's own time, under the
 * policy version that was in force then. Public data only.
 */
#include "ca/inner.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* What the birth's parts say, gathered from the wire. */
struct parts {
    struct tlog_proof proof;
    struct tlog_birth entry;
    struct policy_session session;
    struct tlog_epoch_terms terms;
    struct tlog_vote vote[TLOG_MAX_NODES];
    unsigned n_votes;
    const struct policy *policy;           /* of the birth */
    const struct policy_profile *profile;  /* in that version */
    const struct policy_profile *in_force; /* the same, today */
};

/* ---- from the wire -------------------------------------------------------- */

static enum rc read_proof(struct tlog_proof *out, const struct wire_proof *in)
{
    if (in->entry.len > TLOG_ENTRY_MAX || in->checkpoint.len >= TLOG_NOTE_MAX ||
        in->path.n > TLOG_PATH_MAX)
        return rc_raise(RC_PARSE, "birth.proof: entry, path or checkpoint too "
                                  "long");
    if (in->entry.len)
        memcpy(out->entry, in->entry.p, in->entry.len);
    out->entry[in->entry.len] = '\0';
    out->entry_len = in->entry.len;
    out->index = in->index;
    out->path.n = (unsigned)in->path.n;
    for (size_t i = 0; i < in->path.n; i++)
        memcpy(out->path.hash[i].b, in->path.at[i].b, 32);
    if (in->checkpoint.len)
        memcpy(out->checkpoint, in->checkpoint.p, in->checkpoint.len);
    out->checkpoint[in->checkpoint.len] = '\0';
    return RC_OK;
}

static enum rc read_cert(struct parts *p, const struct wire_cert *c)
{
    if (c->votes.n == 0 || c->votes.n > TLOG_MAX_NODES ||
        c->threshold > TLOG_MAX_NODES)
        return rc_raise(RC_PARSE, "birth.cert: %zu votes, threshold %llu",
                        c->votes.n, (unsigned long long)c->threshold);
    p->terms = (struct tlog_epoch_terms){ .epoch = c->epoch,
                                          .parent = c->parent,
                                          .t = (uint16_t)c->threshold,
                                          .n = (uint16_t)c->votes.n };
    memcpy(p->terms.session, c->session, 32);
    memcpy(p->terms.group_key, c->group_key, 32);
    memcpy(p->terms.transcript, c->transcript, 32);
    p->n_votes = (unsigned)c->votes.n;
    for (unsigned i = 0; i < p->n_votes; i++) {
        const struct wire_vote *v = &c->votes.at[i];
        if (v->node == 0 || v->node > UINT16_MAX)
            return rc_raise(RC_PARSE,
                            "birth.cert.votes[%u].node: out of "
                            "range",
                            i);
        p->vote[i].node = (uint16_t)v->node;
        memcpy(p->vote[i].identity, v->identity, 32);
        memcpy(p->vote[i].y, v->y, 32);
        memcpy(p->vote[i].sig, v->sig, 64);
    }
    return RC_OK;
}

static enum rc read_parts(struct parts *p, const struct wire_birth *birth)
{
    TRY(read_proof(&p->proof, &birth->proof));
    TRY(tlog_birth_decode(&p->entry, p->proof.entry, p->proof.entry_len));
    TRY(policy_session_parse(&p->session, birth->descriptor.p,
                             birth->descriptor.len));
    return read_cert(p, &birth->cert);
}

/* ---- in the log, under a policy in force ------------------------------------ */

static enum rc check_log(struct parts *p, const struct policy_chain *chain)
{
    const struct policy *head = policy_chain_head(chain);
    if (!head->has_log)
        return rc_raise(RC_ORDER, "birth: policy version %llu names no log yet",
                        (unsigned long long)head->version);
    TRY(tlog_proof_check(&p->proof, &head->log, NULL));
    p->policy = policy_chain_by_hash(chain, p->entry.policy);
    if (!p->policy)
        return rc_raise(RC_POLICY, "birth.policy: no version of this chain");
    return RC_OK;
}

static enum rc check_profile(struct parts *p, const struct policy_chain *chain)
{
    const char *name = p->session.profile;
    p->profile = policy_profile_find(p->policy, name);
    p->in_force = policy_profile_find(policy_chain_head(chain), name);
    if (!p->profile || !p->in_force)
        return rc_raise(RC_POLICY, "birth: profile %s is not in force", name);
    if (p->profile->class != p->in_force->class ||
        p->profile->ephemeral != p->in_force->ephemeral)
        return rc_raise(RC_POLICY,
                        "birth: profile %s changed its class or lifetime since",
                        name);
    const char *class = policy_class_name(p->profile->class);
    if (strcmp(p->entry.class, class) != 0)
        return rc_raise(RC_POLICY, "birth.class: %s, profile %s is %s",
                        p->entry.class, name, class);
    if (p->entry.threshold != p->profile->threshold ||
        p->terms.t != p->profile->threshold)
        return rc_raise(RC_POLICY, "birth.threshold: %llu, profile %s has %u",
                        (unsigned long long)p->entry.threshold, name,
                        p->profile->threshold);
    return RC_OK;
}

/* ---- by approved people ------------------------------------------------------- */

static enum rc check_session(struct parts *p, const struct policy_chain *chain,
                             const struct wire_birth *birth)
{
    struct tlog_blob approvals[POLICY_MAX_APPROVALS];
    struct tlog_blob requester = { birth->requester.p, birth->requester.len };
    struct policy_approved by;
    if (birth->approvals.n > POLICY_MAX_APPROVALS)
        return rc_raise(RC_PARSE, "birth.approvals: %zu", birth->approvals.n);
    for (size_t i = 0; i < birth->approvals.n; i++)
        approvals[i] = (struct tlog_blob){ birth->approvals.at[i].p,
                                           birth->approvals.at[i].len };
    bool makes = p->session.type == POLICY_S_KEY_CREATE ||
                 (p->session.type == POLICY_S_SIGN && p->profile->ephemeral);
    if (!makes)
        return rc_raise(RC_POLICY, "birth: a session of type %s makes no key",
                        policy_session_type_name(p->session.type));
    TRY(policy_judge(&by, p->policy, policy_chain_genesis(chain), &p->session,
                     requester.len ? &requester : NULL, approvals,
                     (unsigned)birth->approvals.n, POLICY_AT_ITS_TIME));
    if (memcmp(p->session.id, p->entry.session, 32) != 0 ||
        memcmp(p->session.id, p->terms.session, 32) != 0)
        return rc_raise(RC_POLICY, "birth.session: entry, endorsements and "
                                   "descriptor differ");
    if (memcmp(by.root, p->entry.approvals, 32) != 0)
        return rc_raise(RC_POLICY, "birth.approvals: not those of its session");
    return RC_OK;
}

/* ---- by all members -------------------------------------------------------------- */

static bool is_member(const struct policy_profile *f, uint16_t node)
{
    for (unsigned i = 0; i < f->n_nodes; i++)
        if (f->nodes[i] == node)
            return true;
    return false;
}

/*
 * A persistent key belongs to all nodes of its profile; an ephemeral one to
 * those that were healthy, and those are enough to sign.
 */
static enum rc check_members(const struct parts *p)
{
    const struct policy_profile *f = p->profile;
    unsigned least = f->ephemeral ? f->threshold : f->n_nodes;
    if (p->n_votes < least)
        return rc_raise(RC_POLICY,
                        "birth.endorsements: %u nodes, profile %s wants %u",
                        p->n_votes, f->name, least);
    for (unsigned i = 0; i < p->n_votes; i++) {
        const struct tlog_vote *v = &p->vote[i];
        const struct policy_node *n = policy_node_find(p->policy, v->node);
        if (!is_member(f, v->node) || !n || !n->has_keys ||
            memcmp(n->identity, v->identity, 32) != 0)
            return rc_raise(RC_POLICY,
                            "birth.endorsements: node %u is no member of %s "
                            "with this identity",
                            v->node, f->name);
    }
    return RC_OK;
}

static void participants_of(uint8_t out[32], const struct parts *p)
{
    uint8_t identity[TLOG_MAX_NODES][32];
    for (unsigned i = 0; i < p->n_votes; i++)
        memcpy(identity[i], p->vote[i].identity, 32);
    tlog_participants(out, (const uint8_t(*)[32])identity, p->n_votes);
}

static enum rc check_votes(const struct parts *p)
{
    uint8_t key[32], participants[32], endorsements[32];
    TRY(check_members(p));
    TRY(tlog_votes_check(&p->terms, TLOG_VOTE_PREPARED, p->vote, p->n_votes));
    hash256(key, p->terms.group_key, 32);
    participants_of(participants, p);
    tlog_endorsements_root(endorsements, p->vote, p->n_votes);
    const char *differs = p->terms.epoch == 0             ? "epoch"
                          : p->terms.parent != 0          ? "parent"
                          : memcmp(key, p->entry.key, 32) ? "key"
                          : memcmp(participants, p->entry.participants, 32)
                                  ? "participants"
                          : memcmp(endorsements, p->entry.endorsements, 32)
                                  ? "endorsements"
                                  : NULL;
    if (differs)
        return rc_raise(RC_POLICY,
                        "birth.%s: the entry and its endorsements differ",
                        differs);
    return RC_OK;
}

/* ---- the whole ---------------------------------------------------------------------- */

static enum rc check_parts(struct parts *p, const struct policy_chain *chain,
                           const struct wire_birth *birth)
{
    TRY(read_parts(p, birth));
    TRY(check_log(p, chain));
    TRY(check_profile(p, chain));
    TRY(check_session(p, chain, birth));
    return check_votes(p);
}

enum rc ca_birth_check(const struct policy_profile **profile,
                       struct tlog_birth *entry, struct policy_session *session,
                       const struct policy_chain *chain,
                       const struct wire_birth *birth)
{
    OWNED_MEM struct parts *p = calloc(1, sizeof(*p));
    if (!p)
        return rc_raise(RC_NOMEM, "birth: out of memory");
    TRY(check_parts(p, chain, birth));
    *profile = p->in_force;
    *entry = p->entry;
    *session = p->session;
    return RC_OK;
}

/* ---- what a leaf says of it ------------------------------------------------------------ */

static void add_signer(struct ca_facts *f, const uint8_t identity[32])
{
    uint8_t h[32];
    hash256(h, identity, 32);
    unsigned at = f->n_signers++;
    for (; at > 0 && memcmp(f->signer[at - 1], h, 32) > 0; at--)
        memcpy(f->signer[at], f->signer[at - 1], 32);
    memcpy(f->signer[at], h, 32);
}

static enum rc check_certifiable(const struct policy_profile *f)
{
    if (f->class != POLICY_ARTIFACT)
        return rc_raise(RC_POLICY, "profile %s: class %s gets no leaf", f->name,
                        policy_class_name(f->class));
    if (!f->has_certificate)
        return rc_raise(RC_POLICY, "profile %s: its certificate is null",
                        f->name);
    if (f->cert_ttl_s > CA_MAX_TTL_S)
        return rc_raise(RC_POLICY,
                        "profile %s: certificate.ttl_s %lld, a leaf lives at "
                        "most %d",
                        f->name, (long long)f->cert_ttl_s, CA_MAX_TTL_S);
    return RC_OK;
}

/*
 * Its shares are gone by then: whoever still asks does not ask for it. Nor
 * does it sign under a later policy; what endorsed it may be out of that, and
 * would go on making births of yesterday.
 */
static enum rc check_alive(const struct policy_profile *f,
                           const struct policy_session *s,
                           const struct policy *head, int64_t now_s)
{
    if (!f->ephemeral)
        return RC_OK;
    if (memcmp(s->policy, head->sha256, 32) != 0)
        return rc_raise(RC_POLICY_CHANGED,
                        "certificate: its key's session was made under another "
                        "policy than version %llu, which is in force",
                        (unsigned long long)head->version);
    if (now_s < s->expires)
        return RC_OK;
    return rc_raise(RC_EXPIRED,
                    "certificate: its key ended with its session, %lld s ago",
                    (long long)(now_s - s->expires));
}

enum rc ca_facts_of(struct ca_facts *out, const struct policy_chain *chain,
                    const struct wire_birth *birth, int64_t now_s)
{
    struct tlog_birth entry;
    struct policy_session session;
    const struct policy_profile *profile;
    TRY(ca_birth_check(&profile, &entry, &session, chain, birth));
    TRY(check_certifiable(profile));
    const struct policy *head = policy_chain_head(chain);
    TRY(check_alive(profile, &session, head, now_s));
    memset(out, 0, sizeof(*out));
    out->profile = profile;
    memcpy(out->cluster, head->cluster, sizeof(out->cluster));
    memcpy(out->log_origin, head->log.name, sizeof(out->log_origin));
    memcpy(out->group_key, birth->cert.group_key, 32);
    memcpy(out->session, entry.session, 32);
    out->has_artifact = profile->ephemeral && session.has_artifact;
    memcpy(out->artifact, session.artifact_sha256, 32);
    out->threshold = entry.threshold;
    for (size_t i = 0; i < birth->cert.votes.n; i++)
        add_signer(out, birth->cert.votes.at[i].identity);
    memcpy(out->approvals, entry.approvals, 32);
    memcpy(out->policy, entry.policy, 32);
    out->birth = birth->proof.index;
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this session approved? Every sidecar asks for itself, under its own
 * policy, before it touches a nonce. Counts persons, not signatures.
 */
#include "policy/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

/* One person's part in one session. */
struct voice {
    const struct policy_person *who;
    const struct tlog_blob *engineer; /* their approval as one, or NULL */
    const struct tlog_blob *steward;
    const struct tlog_blob *counted; /* the one of the two that counts */
    bool revoked;
};
struct voices {
    struct voice v[POLICY_MAX_APPROVALS]; /* ascending by person */
    unsigned n;
};
struct rule {
    unsigned engineers;
    unsigned stewards;
    bool wants_requester;
};

/* ---- the session itself ---------------------------------------------------- */

static enum rc check_origin(const struct policy *p, const uint8_t genesis[32],
                            const struct policy_session *s)
{
    if (memcmp(s->cluster, genesis, 32) != 0)
        return rc_raise(RC_POLICY,
                        "session %02x%02x%02x%02x: made for another "
                        "cluster",
                        s->id[0], s->id[1], s->id[2], s->id[3]);
    if (memcmp(s->policy, p->sha256, 32) == 0)
        return RC_OK;
    enum rc rc = rc_raise(
            RC_POLICY_CHANGED,
            "session %02x%02x%02x%02x: made under another policy than version "
            "%llu",
            s->id[0], s->id[1], s->id[2], s->id[3],
            (unsigned long long)p->version);
    rc_hint("request a new session: mpcsign request");
    return rc;
}

static enum rc check_times(const struct policy_session *s, int64_t now_s)
{
    enum { GRACE_S = 60 };
    if (now_s == POLICY_AT_ITS_TIME)
        return RC_OK;
    if (now_s < s->created - GRACE_S)
        return rc_raise(RC_EXPIRED,
                        "session %02x%02x%02x%02x: created %lld s in the "
                        "future; compare the clocks",
                        s->id[0], s->id[1], s->id[2], s->id[3],
                        (long long)(s->created - now_s));
    if (now_s >= s->expires)
        return rc_raise(RC_EXPIRED,
                        "session %02x%02x%02x%02x: expired %lld s ago",
                        s->id[0], s->id[1], s->id[2], s->id[3],
                        (long long)(now_s - s->expires));
    return RC_OK;
}

static enum rc check_slots(const struct policy_profile *f,
                           const struct policy_session *s)
{
    for (unsigned k = 0; k < POLICY__KINDS; k++)
        if (s->slot[k] && !f->kinds[k])
            return rc_raise(RC_POLICY,
                            "session %02x%02x%02x%02x: profile %s does not "
                            "sign %s",
                            s->id[0], s->id[1], s->id[2], s->id[3], f->name,
                            policy_kind_name((enum policy_kind)k));
    return RC_OK;
}

static enum rc check_profile(const struct policy_profile *f,
                             const struct policy_session *s, bool quorum)
{
    TRY(check_slots(f, s));
    if (s->type == POLICY_S_ROOT && f->class != POLICY_ISSUER)
        return rc_raise(RC_POLICY,
                        "session: a root is for class issuer, %s "
                        "is %s",
                        f->name, policy_class_name(f->class));
    if (s->type != POLICY_S_SIGN && f->ephemeral)
        return rc_raise(RC_POLICY,
                        "session: %s is ephemeral, its keys live "
                        "in sign sessions only",
                        f->name);
    if (s->type == POLICY_S_SIGN && s->has_key == f->ephemeral)
        return rc_raise(RC_POLICY, "session: %s wants %s", f->name,
                        f->ephemeral ? "no key" : "its key named");
    if (s->type == POLICY_S_SIGN && quorum && !s->has_artifact)
        return rc_raise(RC_POLICY, "session: %s wants an artifact to approve",
                        f->name);
    return RC_OK;
}

static unsigned larger(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

/*
 * Sign sessions live by their profile's numbers, all others by the stewards.
 * wanted: what must be met here, with the floor; out: what is counted by.
 */
static enum rc rule_of(struct rule *out, struct rule *wanted,
                       const struct policy *p, const struct policy_session *s,
                       const struct policy_raise *raise)
{
    const struct policy_profile *f = NULL;
    struct rule floor = { 0 };
    if (s->has_profile) {
        f = policy_profile_find(p, s->profile);
        if (!f)
            return rc_raise(RC_UNKNOWN,
                            "session: no profile %s in policy "
                            "version %llu",
                            s->profile, (unsigned long long)p->version);
        floor.engineers = larger(f->engineers, raise->engineers);
        floor.stewards = larger(f->stewards, raise->stewards);
        floor.wants_requester = floor.engineers || floor.stewards;
        TRY(check_profile(f, s, floor.wants_requester));
    }
    if (s->type != POLICY_S_SIGN) {
        *out = *wanted = (struct rule){ 0, p->steward_rule, true };
        return RC_OK;
    }
    if (!f)
        return rc_raise(RC_POLICY, "session: type sign without a profile");
    *out = (struct rule){ f->engineers, f->stewards, policy_has_quorum(f) };
    *wanted = floor;
    return RC_OK;
}

/* ---- records --------------------------------------------------------------- */

static enum rc check_requester(const struct policy *p,
                               const struct policy_session *s,
                               const struct tlog_blob *record, bool wanted)
{
    /* uid.<n>.node<m> is what a sidecar saw; a person's name is a claim */
    bool claimed = strncmp(s->requester, "uid.", 4) != 0;
    if (!record && !wanted && !claimed)
        return RC_OK;
    if (!record) {
        enum rc rc = rc_raise(RC_NOT_APPROVED,
                              "session %02x%02x%02x%02x: not signed by its "
                              "requester %s",
                              s->id[0], s->id[1], s->id[2], s->id[3],
                              s->requester);
        rc_hint("mpcsign request signs what it asks for");
        return rc;
    }
    struct policy_record r;
    TRY(policy_record_check(&r, p, s->id, record->p, record->len));
    if (r.decision != POLICY_D_REQUEST || strcmp(r.person, s->requester) != 0)
        return rc_raise(RC_POLICY,
                        "session: the requester's record is by %s as %s, want "
                        "%s as requester",
                        r.person, r.role, s->requester);
    return RC_OK;
}

/* The place of a person, made when new; RC checked by the caller's bound. */
static struct voice *voice_of(struct voices *all,
                              const struct policy_person *who)
{
    unsigned at = 0;
    while (at < all->n && strcmp(all->v[at].who->id, who->id) < 0)
        at++;
    if (at < all->n && all->v[at].who == who)
        return &all->v[at];
    memmove(&all->v[at + 1], &all->v[at], (all->n - at) * sizeof(all->v[0]));
    all->v[at] = (struct voice){ .who = who };
    all->n++;
    return &all->v[at];
}

/*
 * A person may sign the same approval twice (two credentials). The bytewise
 * smaller record stands, so that every node counts the same bytes.
 */
static void keep_smaller(const struct tlog_blob **slot,
                         const struct tlog_blob *b)
{
    if (*slot) {
        size_t n = (*slot)->len < b->len ? (*slot)->len : b->len;
        int cmp = memcmp((*slot)->p, b->p, n);
        if (cmp < 0 || (cmp == 0 && (*slot)->len <= b->len))
            return;
    }
    *slot = b;
}

static enum rc hear(struct voices *all, const struct policy *p,
                    const struct policy_session *s, const struct tlog_blob *b)
{
    struct policy_record r;
    TRY(policy_record_check(&r, p, s->id, b->p, b->len));
    if (r.decision == POLICY_D_REQUEST)
        return rc_raise(RC_POLICY, "session: a requester's record among the "
                                   "approvals");
    if (r.decision == POLICY_D_DENY)
        return rc_raise(RC_DENIED,
                        "session %02x%02x%02x%02x: denied by %s (%s)", s->id[0],
                        s->id[1], s->id[2], s->id[3], r.person, r.role);
    struct voice *v = voice_of(all, policy_person_find(p, r.person));
    if (r.decision == POLICY_D_REVOKE)
        v->revoked = true;
    else
        keep_smaller(strcmp(r.role, "engineer") == 0 ? &v->engineer
                                                     : &v->steward,
                     b);
    return RC_OK;
}

/* ---- counting -------------------------------------------------------------- */

static bool counts(const struct voice *v, const struct policy_session *s)
{
    return !v->revoked && strcmp(v->who->id, s->requester) != 0;
}

/* First those who approved in one role, then those who could stand in both. */
static void count(struct policy_approved *out, struct voices *all,
                  const struct policy_session *s, const struct rule *rule)
{
    for (unsigned i = 0; i < all->n; i++) {
        struct voice *v = &all->v[i];
        if (!counts(v, s) || (v->engineer && v->steward))
            continue;
        v->counted = v->engineer ? v->engineer : v->steward;
        out->engineers += v->engineer != NULL;
        out->stewards += v->steward != NULL;
    }
    for (unsigned i = 0; i < all->n; i++) {
        struct voice *v = &all->v[i];
        if (!counts(v, s) || !v->engineer || !v->steward)
            continue;
        bool as_engineer = out->engineers < rule->engineers;
        v->counted = as_engineer ? v->engineer : v->steward;
        *(as_engineer ? &out->engineers : &out->stewards) += 1;
    }
}

static void root_of(struct policy_approved *out, const struct voices *all)
{
    struct tlog_blob list[POLICY_MAX_APPROVALS];
    unsigned n = 0;
    for (unsigned i = 0; i < all->n; i++)
        if (all->v[i].counted)
            list[n++] = *all->v[i].counted;
    tlog_approvals_root(out->root, list, n);
}

static enum rc not_enough(const struct policy_approved *have,
                          const struct rule *want,
                          const struct policy_session *s)
{
    char needs[96] = "", has[64] = "", id[ENC_HEX_SIZE(32)];
    if (want->engineers)
        snprintf(needs, sizeof(needs), "%u engineer%s%s", want->engineers,
                 want->engineers > 1 ? "s" : "", want->stewards ? " and " : "");
    if (want->engineers)
        snprintf(has, sizeof(has), "%u%s", have->engineers,
                 want->stewards ? " and " : "");
    size_t n = strlen(needs), h = strlen(has);
    if (want->stewards) {
        snprintf(needs + n, sizeof(needs) - n, "%u steward%s", want->stewards,
                 want->stewards > 1 ? "s" : "");
        snprintf(has + h, sizeof(has) - h, "%u", have->stewards);
    }
    enc_hex(id, s->id, 32);
    enum rc rc = rc_raise(RC_NOT_APPROVED, "session %.8s: needs %s, has %s", id,
                          needs, has);
    rc_hint("mpcsign approve %s --role %s", id,
            have->stewards < want->stewards ? "steward" : "engineer");
    return rc;
}

static enum rc hear_all(struct voices *all, const struct policy *p,
                        const struct policy_session *s,
                        const struct tlog_blob *approvals, unsigned n)
{
    if (n > POLICY_MAX_APPROVALS)
        return rc_raise(RC_TOO_LARGE, "session: %u records, at most %d", n,
                        POLICY_MAX_APPROVALS);
    for (unsigned i = 0; i < n; i++)
        TRY(hear(all, p, s, &approvals[i]));
    return RC_OK;
}

/* Who could stand in both roles fills the places that this rule has. */
static enum rc meets(const struct voices *all, const struct policy_session *s,
                     const struct rule *rule)
{
    struct voices again = *all;
    struct policy_approved have = { 0 };
    count(&have, &again, s, rule);
    return have.engineers < rule->engineers || have.stewards < rule->stewards
                   ? not_enough(&have, rule, s)
                   : RC_OK;
}

enum rc policy_judge_raised(struct policy_approved *out, const struct policy *p,
                            const uint8_t genesis[32],
                            const struct policy_session *s,
                            const struct tlog_blob *requester,
                            const struct tlog_blob *approvals,
                            unsigned n_approvals, int64_t now_s,
                            const struct policy_raise *raise)
{
    struct rule rule = { 0 };
    struct rule wanted = { 0 };
    struct voices all = { .n = 0 };
    struct policy_approved have = { 0 };
    TRY(check_origin(p, genesis, s));
    TRY(check_times(s, now_s));
    TRY(rule_of(&rule, &wanted, p, s, raise));
    TRY(check_requester(p, s, requester, wanted.wants_requester));
    TRY(hear_all(&all, p, s, approvals, n_approvals));
    TRY(meets(&all, s, &wanted));
    count(&have, &all, s, &rule);
    root_of(&have, &all);
    *out = have;
    return RC_OK;
}

enum rc policy_judge(struct policy_approved *out, const struct policy *p,
                     const uint8_t genesis[32], const struct policy_session *s,
                     const struct tlog_blob *requester,
                     const struct tlog_blob *approvals, unsigned n_approvals,
                     int64_t now_s)
{
    const struct policy_raise none = { 0 };
    return policy_judge_raised(out, p, genesis, s, requester, approvals,
                               n_approvals, now_s, &none);
}

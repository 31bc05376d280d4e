/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can the people a policy names do what it asks of them? Quorums that somebody
 * can meet, and break-glass profiles that are no way around the others.
 */
#include "policy/check.h"

#include <string.h>

#include "policy/credential.h"

/* ---- quorums --------------------------------------------------------------- */

/*
 * Each person counts once, so one with both roles fills one place of either:
 * with two roles the matching is a sum.
 */
static bool enough_without(const struct policy *p, unsigned requester,
                           unsigned engineers, unsigned stewards,
                           const bool way[POLICY__WAYS])
{
    unsigned e = 0, s = 0, both = 0;
    for (unsigned i = 0; i < p->n_persons; i++) {
        const struct policy_person *who = &p->person[i];
        if (i == requester || !policy_person_fits(p, who, way, 0))
            continue;
        if (who->engineer && who->steward)
            both++;
        else if (who->engineer)
            e++;
        else if (who->steward)
            s++;
    }
    unsigned missing = (engineers > e ? engineers - e : 0) +
                       (stewards > s ? stewards - s : 0);
    return missing <= both;
}

/* There is a person who can ask and have enough others approve. */
static bool satisfiable(const struct policy *p, unsigned engineers,
                        unsigned stewards, const bool way[POLICY__WAYS])
{
    static const bool any[POLICY__WAYS] = { true, true, true, true };
    for (unsigned i = 0; i < p->n_persons; i++)
        if (policy_person_fits(p, &p->person[i], any, 0) &&
            enough_without(p, i, engineers, stewards, way))
            return true;
    return false;
}

enum rc policy_check_steward_rule(const struct policy *p)
{
    if (!satisfiable(p, 0, p->steward_rule, policy_ways(NULL)))
        return rc_raise(RC_POLICY,
                        "policy.steward_rule: %u stewards cannot be found "
                        "without the requester",
                        p->steward_rule);
    return RC_OK;
}

enum rc policy_check_quorum(const struct policy *p, unsigned i)
{
    const struct policy_profile *f = &p->profile[i];
    if (policy_has_quorum(f) &&
        !satisfiable(p, f->engineers, f->stewards, f->way))
        return rc_raise(RC_POLICY,
                        "policy.profiles[%u].required: %u engineers and %u "
                        "stewards cannot be found without the requester, with "
                        "credentials for its approve_with",
                        i, f->engineers, f->stewards);
    return RC_OK;
}

/* ---- break-glass ----------------------------------------------------------- */

static bool same_holders(const struct policy_profile *a,
                         const struct policy_profile *b)
{
    return a->threshold == b->threshold && a->n_nodes == b->n_nodes &&
           memcmp(a->nodes, b->nodes, a->n_nodes * sizeof(a->nodes[0])) == 0;
}

/* It signs with that key, so it must be what that key's profile is. */
static enum rc check_key_of(const struct policy *p,
                            const struct policy_profile *f, unsigned i)
{
    const struct policy_profile *of = policy_profile_find(p, f->key_of);
    if (!of || of->ephemeral || of->has_key_of || of == f)
        return rc_raise(RC_POLICY,
                        "policy.profiles[%u].key_of: want a persistent profile "
                        "with a key of its own",
                        i);
    if (f->ephemeral || f->class != of->class || !same_holders(f, of))
        return rc_raise(RC_POLICY,
                        "policy.profiles[%u].key_of: lifetime, class, "
                        "threshold or nodes are not those of %s",
                        i, of->name);
    for (unsigned k = 0; k < POLICY__KINDS; k++)
        if (f->kinds[k] && !of->kinds[k])
            return rc_raise(RC_POLICY,
                            "policy.profiles[%u].kinds: %s does not sign %s", i,
                            of->name, policy_kind_name((enum policy_kind)k));
    return RC_OK;
}

enum rc policy_check_break_glass(const struct policy *p, unsigned i)
{
    const struct policy_profile *f = &p->profile[i];
    if (f->has_key_of && !f->break_glass)
        return rc_raise(RC_POLICY,
                        "policy.profiles[%u].key_of: is for break_glass "
                        "profiles",
                        i);
    /* whoever can break the glass could have changed the policy */
    if (f->break_glass && f->stewards < p->steward_rule)
        return rc_raise(RC_POLICY,
                        "policy.profiles[%u].required: %u stewards, want the "
                        "steward rule's %u to break the glass",
                        i, f->stewards, p->steward_rule);
    return f->has_key_of ? check_key_of(p, f, i) : RC_OK;
}

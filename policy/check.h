/* SPDX-License-Identifier: Apache-2.0 */
/* What the members of one policy must be to each other. Inside the room. */
#ifndef POLICY_CHECK_H
#define POLICY_CHECK_H

#include "policy/policy.h"

/* RC_POLICY names the member that breaks a rule. */
MUST_CHECK enum rc policy_check(const struct policy *p);

/* Its parts that are about people, for the whole and for profile[i]. */
MUST_CHECK enum rc policy_check_steward_rule(const struct policy *p);
MUST_CHECK enum rc policy_check_quorum(const struct policy *p, unsigned i);
MUST_CHECK enum rc policy_check_break_glass(const struct policy *p, unsigned i);

/* May a profile of this class sign this kind at all? */
bool policy_class_signs(enum policy_class class, enum policy_kind kind);
/* Some approval is needed. */
static inline bool policy_has_quorum(const struct policy_profile *p)
{
    return p->engineers || p->stewards;
}

#endif

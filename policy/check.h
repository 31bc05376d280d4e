/* SPDX-License-Identifier: Apache-2.0 */
/* What the members of one policy must be to each other. Inside the room. */
#ifndef POLICY_CHECK_H
#define POLICY_CHECK_H

#include "policy/policy.h"

/* RC_POLICY names the member that breaks a rule. */
MUST_CHECK enum rc policy_check(const struct policy *p);

/* May a profile of this class sign this kind at all? */
bool policy_class_signs(enum policy_class class, enum policy_kind kind);
/* Some approval is needed. */
static inline bool policy_has_quorum(const struct policy_profile *p)
{
    return p->engineers || p->stewards;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Who said what of one session, and how it is counted. Inside the room only. */
#ifndef POLICY_VOICES_H
#define POLICY_VOICES_H

#include "policy/policy.h"

/* One person's part in one session. */
struct policy_voice {
    const struct policy_person *who;
    const struct tlog_blob *engineer; /* their approval as one, or NULL */
    const struct tlog_blob *steward;
    const struct tlog_blob *counted; /* the one of the two that counts */
    bool revoked;
    const char *why; /* an approval of theirs does not count, or NULL */
};
struct policy_voices {
    struct policy_voice v[POLICY_MAX_APPROVALS]; /* ascending by person */
    unsigned n;
};
struct policy_rule {
    unsigned engineers;
    unsigned stewards;
    bool wants_requester;
};

/*
 * Why an approval that verifies does not count in this session: the name of
 * the check and a phrase ("approval_way: …"), static; NULL when it counts.
 * A credential must last as long as the session: then no clock has a say in
 * who is counted, and every node and verifier counts the same.
 */
const char *policy_uncounted(const struct policy *p,
                             const struct policy_session *s,
                             const struct policy_record *r);
/* Does the credential end before the session does? */
static inline bool policy_ends_before(const struct policy_session *s,
                                      int64_t not_after)
{
    return not_after && not_after < s->expires;
}

/* RC_EXPIRED outside created (60 s of grace) to expires. */
MUST_CHECK enum rc policy_times_check(const struct policy_session *s,
                                      int64_t now_s);

/* Adds a verified approval or revocation; b is lent for as long as all is. */
void policy_voices_add(struct policy_voices *all, const struct policy *p,
                       const struct policy_record *r, const struct tlog_blob *b,
                       const char *why);
/*
 * How many fill places of the rule: first those who approved in one role,
 * then those who could stand in both. Marks whose record counts.
 */
void policy_voices_count(struct policy_approved *out, struct policy_voices *all,
                         const struct policy_session *s,
                         const struct policy_rule *rule);

/*
 * Sign sessions live by their profile's numbers, all others by the stewards.
 * wanted: what must be met here, with the floor; out: what is counted by.
 * Checks that profile, key, slots, reason and length fit each other.
 */
MUST_CHECK enum rc policy_rule_of(struct policy_rule *out,
                                  struct policy_rule *wanted,
                                  const struct policy *p,
                                  const struct policy_session *s,
                                  const struct policy_raise *raise);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts persons, not signatures: whatever a person sends, in however many
 * roles, with however many credentials, fills one place at most.
 */
#include "policy/voices.h"

#include <string.h>

#include "policy/credential.h"

/* The place of a person, made when new; RC checked by the caller's bound. */
static struct policy_voice *voice_of(struct policy_voices *all,
                                     const struct policy_person *who)
{
    unsigned at = 0;
    while (at < all->n && strcmp(all->v[at].who->id, who->id) < 0)
        at++;
    if (at < all->n && all->v[at].who == who)
        return &all->v[at];
    memmove(&all->v[at + 1], &all->v[at], (all->n - at) * sizeof(all->v[0]));
    all->v[at] = (struct policy_voice){ .who = who };
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

/* ---- what counts ----------------------------------------------------------- */

const char *policy_uncounted(const struct policy *p,
                             const struct policy_session *s,
                             const struct policy_record *r)
{
    const struct policy_profile *f = s->has_profile ? policy_profile_find(
                                                              p, s->profile)
                                                    : NULL;
    if (strcmp(r->person, s->requester) == 0)
        return "approval_requester: who asks does not approve";
    if (policy_ends_before(s, r->not_after))
        return "approval_expired: the credential ends before the session";
    if (!policy_ways(f)[r->way])
        return r->way == POLICY_W_SSH
                       ? "approval_way: ssh is not in approve_with"
               : r->way == POLICY_W_FIDO2
                       ? "approval_way: fido2 is not in approve_with"
               : r->way == POLICY_W_LOCAL_PAGE
                       ? "approval_way: local-page is not in approve_with"
                       : "approval_way: sidecar-page is not in approve_with";
    return NULL;
}

void policy_voices_add(struct policy_voices *all, const struct policy *p,
                       const struct policy_record *r, const struct tlog_blob *b,
                       const char *why)
{
    struct policy_voice *v = voice_of(all, policy_person_find(p, r->person));
    if (r->decision == POLICY_D_REVOKE)
        v->revoked = true;
    else if (why)
        v->why = why;
    else
        keep_smaller(strcmp(r->role, "engineer") == 0 ? &v->engineer
                                                      : &v->steward,
                     b);
}

/* ---- counting -------------------------------------------------------------- */

static bool counts(const struct policy_voice *v, const struct policy_session *s)
{
    return !v->revoked && strcmp(v->who->id, s->requester) != 0;
}

void policy_voices_count(struct policy_approved *out, struct policy_voices *all,
                         const struct policy_session *s,
                         const struct policy_rule *rule)
{
    for (unsigned i = 0; i < all->n; i++) {
        struct policy_voice *v = &all->v[i];
        if (!counts(v, s) || (v->engineer && v->steward))
            continue;
        v->counted = v->engineer ? v->engineer : v->steward;
        out->engineers += v->engineer != NULL;
        out->stewards += v->steward != NULL;
    }
    for (unsigned i = 0; i < all->n; i++) {
        struct policy_voice *v = &all->v[i];
        if (!counts(v, s) || !v->engineer || !v->steward)
            continue;
        bool as_engineer = out->engineers < rule->engineers;
        v->counted = as_engineer ? v->engineer : v->steward;
        *(as_engineer ? &out->engineers : &out->stewards) += 1;
    }
}

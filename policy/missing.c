/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge's view as data: who has said what, what is missing and who could
 * still give it. And what a record must be when it arrives.
 */
#include "policy/voices.h"

#include <string.h>

#include "policy/credential.h"

enum rc policy_approval_check(struct policy_record *out, const struct policy *p,
                              const struct policy_session *s, const void *bytes,
                              size_t len, int64_t now_s)
{
    struct policy_record r;
    TRY(policy_times_check(s, now_s));
    TRY(policy_record_check(&r, p, s->id, bytes, len));
    const char *why = r.decision == POLICY_D_APPROVE
                              ? policy_uncounted(p, s, &r)
                              : NULL;
    if (why)
        return rc_raise(policy_ends_before(s, r.not_after) ? RC_EXPIRED
                                                           : RC_POLICY,
                        "record of %s: %s", r.person, why);
    *out = r;
    return RC_OK;
}

static bool requester_signed(const struct policy *p,
                             const struct policy_session *s,
                             const struct tlog_blob *record)
{
    struct policy_record r;
    return record &&
           policy_record_check(&r, p, s->id, record->p, record->len) == RC_OK &&
           r.decision == POLICY_D_REQUEST &&
           strcmp(r.person, s->requester) == 0;
}

/* ---- what was said --------------------------------------------------------- */

struct heard {
    struct policy_voices all;
    const struct tlog_blob *blob[POLICY_MAX_APPROVALS]; /* as out->said */
};

static void hear(struct policy_missing *out, struct heard *h,
                 const struct policy *p, const struct policy_session *s,
                 const struct tlog_blob *b)
{
    struct policy_record r;
    if (policy_record_check(&r, p, s->id, b->p, b->len) != RC_OK ||
        r.decision == POLICY_D_REQUEST) {
        out->n_bad++;
        return;
    }
    struct policy_said *said = &out->said[out->n_said];
    memcpy(said->person, r.person, sizeof(said->person));
    memcpy(said->role, r.role, sizeof(said->role));
    memcpy(said->kind, r.kind, sizeof(said->kind));
    said->decision = r.decision;
    said->way = r.way;
    said->why = "";
    h->blob[out->n_said++] = b;
    out->denied |= r.decision == POLICY_D_DENY;
    if (r.decision == POLICY_D_DENY)
        return;
    const char *why = r.decision == POLICY_D_APPROVE
                              ? policy_uncounted(p, s, &r)
                              : NULL;
    if (why)
        said->why = why;
    policy_voices_add(&h->all, p, &r, b, why);
}

static const struct policy_voice *voice_of(const struct policy_voices *all,
                                           const char *person)
{
    for (unsigned i = 0; i < all->n; i++)
        if (strcmp(all->v[i].who->id, person) == 0)
            return &all->v[i];
    return NULL;
}

/* Which of the approvals fill a place, and what is said of the others. */
static void mark(struct policy_missing *out, const struct heard *h)
{
    for (unsigned i = 0; i < out->n_said; i++) {
        struct policy_said *said = &out->said[i];
        const struct policy_voice *v = voice_of(&h->all, said->person);
        if (said->decision != POLICY_D_APPROVE || *said->why || !v)
            continue;
        said->counts = v->counted == h->blob[i];
        said->why = said->counts ? ""
                    : v->revoked ? "revoked by its maker"
                                 : "a person counts once";
    }
}

/* ---- what is missing ------------------------------------------------------- */

static void who_may(struct policy_missing *out, const struct heard *h,
                    const struct policy *p, const struct policy_session *s)
{
    const struct policy_profile *f = s->has_profile ? policy_profile_find(
                                                              p, s->profile)
                                                    : NULL;
    bool engineers = out->have_engineers < out->need_engineers;
    bool stewards = out->have_stewards < out->need_stewards;
    for (unsigned i = 0; i < p->n_persons; i++) {
        const struct policy_person *who = &p->person[i];
        const struct policy_voice *v = voice_of(&h->all, who->id);
        bool role = (who->engineer && engineers) || (who->steward && stewards);
        if (role && strcmp(who->id, s->requester) != 0 &&
            !(v && (v->counted || v->revoked)) &&
            policy_person_fits(p, who, policy_ways(f), s->expires))
            out->may[out->n_may++] = who;
    }
}

enum rc policy_required(struct policy_missing *out, const struct policy *p,
                        const struct policy_session *s,
                        const struct tlog_blob *requester,
                        const struct tlog_blob *approvals, unsigned n_approvals,
                        int64_t now_s, const struct policy_raise *raise)
{
    const struct policy_raise none = { 0 };
    struct policy_rule rule, wanted;
    struct policy_approved have = { 0 };
    struct heard h = { .all.n = 0 };
    if (n_approvals > POLICY_MAX_APPROVALS)
        return rc_raise(RC_TOO_LARGE, "session: %u records, at most %d",
                        n_approvals, POLICY_MAX_APPROVALS);
    TRY(policy_rule_of(&rule, &wanted, p, s, raise ? raise : &none));
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < n_approvals; i++)
        hear(out, &h, p, s, &approvals[i]);
    policy_voices_count(&have, &h.all, s, &wanted);
    mark(out, &h);
    out->need_engineers = wanted.engineers;
    out->need_stewards = wanted.stewards;
    out->have_engineers = have.engineers;
    out->have_stewards = have.stewards;
    out->wants_requester = wanted.wants_requester &&
                           !requester_signed(p, s, requester);
    out->complete = !out->denied && !out->wants_requester && !out->n_bad &&
                    have.engineers >= wanted.engineers &&
                    have.stewards >= wanted.stewards;
    if (now_s == POLICY_AT_ITS_TIME || now_s < s->expires)
        who_may(out, &h, p, s);
    return RC_OK;
}

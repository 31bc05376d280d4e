/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session must be to its profile, and how many must approve it.
 */
#include "policy/voices.h"

#include <string.h>

#include "policy/check.h"

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

/* Characters, without the spaces around them. */
static size_t characters(const char *text)
{
    size_t n = 0, last = 0;
    text += strspn(text, " ");
    for (; *text; text++) {
        n += ((uint8_t)*text & 0xc0) != 0x80; /* UTF-8: first bytes */
        if (*text != ' ')
            last = n;
    }
    return last;
}

/* What a sign session's own words must be. */
static enum rc check_asked(const struct policy_profile *f,
                           const struct policy_session *s)
{
    if (s->expires - s->created > f->max_ttl_s)
        return rc_raise(RC_POLICY,
                        "session_ttl: %lld s, profile %s allows %lld",
                        (long long)(s->expires - s->created), f->name,
                        (long long)f->max_ttl_s);
    if (f->break_glass && characters(s->reason) < POLICY_REASON_MIN)
        return rc_raise(RC_POLICY,
                        "session_reason: %zu characters, want %d to break the "
                        "glass (profile %s)",
                        characters(s->reason), POLICY_REASON_MIN, f->name);
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
    if (s->type != POLICY_S_SIGN && f->has_key_of)
        return rc_raise(RC_POLICY,
                        "session: %s has no key of its own, ask for "
                        "%s",
                        f->name, f->key_of);
    if (s->type == POLICY_S_SIGN)
        TRY(check_asked(f, s));
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

enum rc policy_rule_of(struct policy_rule *out, struct policy_rule *wanted,
                       const struct policy *p, const struct policy_session *s,
                       const struct policy_raise *raise)
{
    const struct policy_profile *f = NULL;
    struct policy_rule floor = { 0 };
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
        *out = *wanted = (struct policy_rule){ 0, p->steward_rule, true };
        return RC_OK;
    }
    if (!f)
        return rc_raise(RC_POLICY, "session: type sign without a profile");
    *out = (struct policy_rule){ f->engineers, f->stewards,
                                 policy_has_quorum(f) };
    *wanted = floor;
    return RC_OK;
}

enum rc policy_times_check(const struct policy_session *s, int64_t now_s)
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

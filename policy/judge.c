/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this session approved? Every sidecar asks for itself, under its own
 * policy, before it touches a nonce. Counts persons, not signatures.
 */
#include "policy/voices.h"

#include <string.h>

#include "base/enc.h"

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
    if (policy_ends_before(s, r.not_after))
        return rc_raise(RC_EXPIRED,
                        "record of %s: approval_expired: the requester's "
                        "credential ends before the session",
                        r.person);
    return RC_OK;
}

static enum rc hear(struct policy_voices *all, const struct policy *p,
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
    policy_voices_add(all, p, &r, b, policy_uncounted(p, s, &r));
    return RC_OK;
}

static void root_of(struct policy_approved *out,
                    const struct policy_voices *all)
{
    struct tlog_blob list[POLICY_MAX_APPROVALS];
    unsigned n = 0;
    for (unsigned i = 0; i < all->n; i++)
        if (all->v[i].counted)
            list[n++] = *all->v[i].counted;
    tlog_approvals_root(out->root, list, n);
}

/* "2 engineers and 1 steward", by the places that the rule has. */
static void say(char out[96], const struct policy_rule *places, unsigned e,
                unsigned s, bool named)
{
    const char *roles[] = { "engineer", "steward" };
    const unsigned want[] = { places->engineers, places->stewards };
    const unsigned n[] = { e, s };
    size_t len = 0;
    out[0] = 0;
    for (unsigned i = 0; i < 2; i++)
        if (want[i])
            len += (size_t)snprintf(out + len, 96 - len, "%s%u%s%s%s",
                                    len ? " and " : "", n[i], named ? " " : "",
                                    named ? roles[i] : "",
                                    named && n[i] > 1 ? "s" : "");
}

/* Of whoever approved in vain, the first: ", not counting bob (why)". */
static void say_why(char *out, size_t cap, const struct policy_voices *all)
{
    out[0] = 0;
    for (unsigned i = 0; i < all->n; i++)
        if (all->v[i].why && !all->v[i].counted) {
            snprintf(out, cap, ", not counting %s (%s)", all->v[i].who->id,
                     all->v[i].why);
            return;
        }
}

static enum rc not_enough(const struct policy_approved *have,
                          const struct policy_rule *want,
                          const struct policy_voices *all,
                          const struct policy_session *s)
{
    char needs[96], has[96], but[192], id[ENC_HEX_SIZE(32)];
    say(needs, want, want->engineers, want->stewards, true);
    say(has, want, have->engineers, have->stewards, false);
    say_why(but, sizeof(but), all);
    enc_hex(id, s->id, 32);
    enum rc rc = rc_raise(RC_NOT_APPROVED, "session %.8s: needs %s, has %s%s",
                          id, needs, has, but);
    rc_hint("mpcsign approve %s --role %s", id,
            have->stewards < want->stewards ? "steward" : "engineer");
    return rc;
}

static enum rc hear_all(struct policy_voices *all, const struct policy *p,
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
static enum rc meets(const struct policy_voices *all,
                     const struct policy_session *s,
                     const struct policy_rule *rule)
{
    struct policy_voices again = *all;
    struct policy_approved have = { 0 };
    policy_voices_count(&have, &again, s, rule);
    return have.engineers < rule->engineers || have.stewards < rule->stewards
                   ? not_enough(&have, rule, &again, s)
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
    struct policy_rule rule = { 0 };
    struct policy_rule wanted = { 0 };
    struct policy_voices all = { .n = 0 };
    struct policy_approved have = { 0 };
    TRY(check_origin(p, genesis, s));
    TRY(policy_times_check(s, now_s));
    TRY(policy_rule_of(&rule, &wanted, p, s, raise));
    TRY(check_requester(p, s, requester, wanted.wants_requester));
    TRY(hear_all(&all, p, s, approvals, n_approvals));
    TRY(meets(&all, s, &wanted));
    policy_voices_count(&have, &all, s, &rule);
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

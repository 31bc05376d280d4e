/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "fixture.h"

#include "base/hash.h"

/* One judging: a session under a policy and what persons said of it. */
struct court {
    struct policy *p;
    uint8_t genesis[32];
    struct policy_session s;
    struct fx_record request;
    struct fx_record record[POLICY_MAX_APPROVALS + 1];
    struct tlog_blob blob[POLICY_MAX_APPROVALS + 1];
    unsigned n;
    struct policy_approved out;
};

static int court_new(void **state)
{
    struct court *c = calloc(1, sizeof(*c));
    if (!c)
        return -1;
    c->p = fx_policy(2);
    hash256(c->genesis, "genesis", 7);
    *state = c;
    return 0;
}

static int court_free(void **state)
{
    struct court *c = *state;
    policy_free(c->p);
    free(c);
    return 0;
}

static void ask(struct court *c, enum policy_session_type type,
                const char *profile)
{
    c->n = 0;
    c->s = fx_session(c->p, type, profile);
    if (type == POLICY_S_SIGN || type == POLICY_S_POLICY ||
        type == POLICY_S_ROOT)
        fx_bind(&c->s, "app", 3);
    else
        fx_seal(&c->s, NULL, NULL);
    fx_record(&c->request, c->s.id, POLICY_D_REQUEST, "requester", "dev");
}

static void say(struct court *c, enum policy_decision d, const char *role,
                const char *person)
{
    c->blob[c->n] = fx_record(&c->record[c->n], c->s.id, d, role, person);
    c->n++;
}

#define yes(c, role, person) say(c, POLICY_D_APPROVE, role, person)

static enum rc judge(struct court *c)
{
    return policy_judge(&c->out, c->p, c->genesis, &c->s, &c->request.blob,
                        c->blob, c->n, FX_NOW);
}

static void two_stewards_make_a_policy_change(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_POLICY, NULL);
    yes(c, "steward", "carol");
    yes(c, "steward", "bob");
    assert_ok(judge(c));
    assert_int_equal(c->out.stewards, 2);
    assert_int_equal(c->out.engineers, 0);
    /* the root is over the exact records, ascending by person */
    const struct tlog_blob list[] = { c->blob[1], c->blob[0] };
    uint8_t root[32];
    tlog_approvals_root(root, list, 2);
    assert_memory_equal(c->out.root, root, 32);
}

static void the_same_person_counts_once(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_POLICY, NULL);
    yes(c, "steward", "bob");
    yes(c, "steward", "bob");
    assert_rc(judge(c), RC_NOT_APPROVED);
    assert_non_null(strstr(rc_text(), "needs 2 stewards, has 1"));
    assert_non_null(strstr(rc_hint_text(), "mpcsign approve"));
}

static void an_engineer_is_no_steward(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_KEY_CREATE, "release");
    yes(c, "steward", "bob");
    yes(c, "engineer", "alice");
    yes(c, "engineer", "erin");
    assert_rc(judge(c), RC_NOT_APPROVED);
    yes(c, "steward", "erin");
    assert_ok(judge(c));
    assert_int_equal(c->out.stewards, 2);
}

static void the_requester_never_counts(void **state)
{
    struct court *c = *state;
    c->n = 0;
    c->s = fx_session(c->p, POLICY_S_KEY_CREATE, "release");
    strcpy(c->s.requester, "bob");
    fx_seal(&c->s, NULL, NULL);
    fx_record(&c->request, c->s.id, POLICY_D_REQUEST, "requester", "bob");
    yes(c, "steward", "bob");
    yes(c, "steward", "carol");
    assert_rc(judge(c), RC_NOT_APPROVED);
    assert_non_null(strstr(rc_text(), "has 1"));
    yes(c, "steward", "erin");
    assert_ok(judge(c));
    assert_int_equal(c->out.stewards, 2);
}

static void one_denial_is_the_end(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_POLICY, NULL);
    yes(c, "steward", "bob");
    yes(c, "steward", "carol");
    say(c, POLICY_D_DENY, "engineer", "alice");
    assert_rc(judge(c), RC_DENIED);
    assert_non_null(strstr(rc_text(), "alice"));
}

static void who_revokes_is_not_counted(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_POLICY, NULL);
    say(c, POLICY_D_REVOKE, "steward", "bob"); /* in any order */
    yes(c, "steward", "bob");
    yes(c, "steward", "carol");
    assert_rc(judge(c), RC_NOT_APPROVED);
    yes(c, "steward", "erin");
    assert_ok(judge(c));
    assert_int_equal(c->out.stewards, 2);
    const struct tlog_blob list[] = { c->blob[2], c->blob[3] };
    uint8_t root[32];
    tlog_approvals_root(root, list, 2);
    assert_memory_equal(c->out.root, root, 32);
}

static void a_profile_says_how_many_of_whom(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_SIGN, "guarded");
    assert_rc(judge(c), RC_NOT_APPROVED);
    assert_non_null(
            strstr(rc_text(), "needs 1 engineer and 2 stewards, has 0 and 0"));
    yes(c, "engineer", "alice");
    yes(c, "steward", "bob");
    assert_rc(judge(c), RC_NOT_APPROVED);
    yes(c, "steward", "carol");
    assert_ok(judge(c));
    assert_int_equal(c->out.engineers, 1);
    assert_int_equal(c->out.stewards, 2);
    yes(c, "engineer", "dave"); /* more is counted, and in the root */
    assert_ok(judge(c));
    assert_int_equal(c->out.engineers, 2);
}

static void one_with_two_roles_fills_one_place(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_SIGN, "guarded");
    yes(c, "steward", "erin");
    yes(c, "engineer", "erin");
    yes(c, "steward", "bob");
    assert_rc(judge(c), RC_NOT_APPROVED); /* as engineer: 1 and 1 */
    yes(c, "steward", "carol");
    assert_ok(judge(c)); /* erin as engineer */
    assert_int_equal(c->out.engineers, 1);
    assert_int_equal(c->out.stewards, 2);
    /* with another engineer she is a steward */
    ask(c, POLICY_S_SIGN, "guarded");
    yes(c, "steward", "erin");
    yes(c, "engineer", "erin");
    yes(c, "steward", "bob");
    yes(c, "engineer", "dave");
    assert_ok(judge(c));
    assert_int_equal(c->out.engineers, 1);
    assert_int_equal(c->out.stewards, 2);
}

static void the_order_of_records_changes_nothing(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_SIGN, "guarded");
    yes(c, "engineer", "erin");
    yes(c, "steward", "erin");
    yes(c, "steward", "carol");
    yes(c, "engineer", "alice");
    yes(c, "steward", "bob");
    assert_ok(judge(c));
    uint8_t root[32];
    memcpy(root, c->out.root, 32);
    for (unsigned turn = 0; turn < 4; turn++) {
        struct tlog_blob first = c->blob[0];
        memmove(c->blob, c->blob + 1, (c->n - 1) * sizeof(first));
        c->blob[c->n - 1] = first;
        assert_ok(judge(c));
        assert_memory_equal(c->out.root, root, 32);
    }
}

static void two_records_of_one_approval_count_the_same_bytes(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_POLICY, NULL);
    yes(c, "steward", "bob");
    yes(c, "steward", "carol");
    yes(c, "steward", "bob");
    /* other bytes, the same meaning */
    c->record[2].text[c->blob[2].len] = ' ';
    c->blob[2].len++;
    assert_ok(judge(c));
    uint8_t root[32];
    memcpy(root, c->out.root, 32);
    struct tlog_blob swap = c->blob[0];
    c->blob[0] = c->blob[2];
    c->blob[2] = swap;
    assert_ok(judge(c));
    assert_memory_equal(c->out.root, root, 32);
}

static void a_requester_signs_what_needs_approval(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_SIGN, "guarded");
    yes(c, "engineer", "alice");
    yes(c, "steward", "bob");
    yes(c, "steward", "carol");
    assert_rc(policy_judge(&c->out, c->p, c->genesis, &c->s, NULL, c->blob,
                           c->n, FX_NOW),
              RC_NOT_APPROVED);
    /* someone else's request */
    fx_record(&c->request, c->s.id, POLICY_D_REQUEST, "requester", "dave");
    assert_rc(judge(c), RC_POLICY);
    /* an approval in its place */
    fx_record(&c->request, c->s.id, POLICY_D_APPROVE, "engineer", "dave");
    assert_rc(judge(c), RC_POLICY);
    /* a request among the approvals */
    fx_record(&c->request, c->s.id, POLICY_D_REQUEST, "requester", "dev");
    say(c, POLICY_D_REQUEST, "requester", "dev");
    assert_rc(judge(c), RC_POLICY);
    c->n--;
    assert_ok(judge(c));
}

static void a_session_of_0_0_needs_nobody(void **state)
{
    struct court *c = *state;
    c->n = 0;
    c->s = fx_session(c->p, POLICY_S_SIGN, "release");
    strcpy(c->s.requester, "uid.1000.node1");
    fx_seal(&c->s, NULL, NULL);
    assert_ok(policy_judge(&c->out, c->p, c->genesis, &c->s, NULL, NULL, 0,
                           FX_NOW));
    uint8_t none[32];
    hash256(none, "", 0);
    assert_memory_equal(c->out.root, none, 32);
    /* but a request that is shown must be his */
    fx_record(&c->request, c->s.id, POLICY_D_REQUEST, "requester", "dev");
    assert_rc(judge(c), RC_POLICY);
    /* and a no is a no */
    say(c, POLICY_D_DENY, "steward", "bob");
    assert_rc(policy_judge(&c->out, c->p, c->genesis, &c->s, NULL, c->blob,
                           c->n, FX_NOW),
              RC_DENIED);
}

static void a_named_person_must_have_asked(void **state)
{
    struct court *c = *state;
    c->n = 0;
    c->s = fx_session(c->p, POLICY_S_SIGN, "release");
    strcpy(c->s.requester, "alice");
    fx_seal(&c->s, NULL, NULL);
    assert_rc(policy_judge(&c->out, c->p, c->genesis, &c->s, NULL, NULL, 0,
                           FX_NOW),
              RC_NOT_APPROVED);
    fx_record(&c->request, c->s.id, POLICY_D_REQUEST, "requester", "alice");
    assert_ok(judge(c));
}

/* A floor makes a quorum profile of a 0/0 one, with all that belongs to it. */
static void a_raised_profile_is_a_quorum_profile(void **state)
{
    struct court *c = *state;
    const struct policy_raise raise = { .engineers = 1 };
    const struct policy_raise none = { 0 };
    c->n = 0;
    c->s = fx_session(c->p, POLICY_S_SIGN, "release");
    strcpy(c->s.requester, "uid.1000.node1");
    fx_seal(&c->s, NULL, NULL);
    yes(c, "engineer", "alice");
    assert_ok(policy_judge_raised(&c->out, c->p, c->genesis, &c->s, NULL,
                                  c->blob, c->n, FX_NOW, &none));
    /* free of an artifact */
    assert_rc(policy_judge_raised(&c->out, c->p, c->genesis, &c->s, NULL,
                                  c->blob, c->n, FX_NOW, &raise),
              RC_POLICY);
    /* bound, but nobody signed the request */
    ask(c, POLICY_S_SIGN, "release");
    yes(c, "engineer", "alice");
    assert_rc(policy_judge_raised(&c->out, c->p, c->genesis, &c->s, NULL,
                                  c->blob, c->n, FX_NOW, &raise),
              RC_NOT_APPROVED);
    assert_ok(policy_judge_raised(&c->out, c->p, c->genesis, &c->s,
                                  &c->request.blob, c->blob, c->n, FX_NOW,
                                  &raise));
    /* the root is the one that a node without the floor computes */
    uint8_t root[32];
    memcpy(root, c->out.root, 32);
    assert_ok(judge(c));
    assert_memory_equal(root, c->out.root, 32);
    /* and without the engineer it is not enough */
    assert_rc(policy_judge_raised(&c->out, c->p, c->genesis, &c->s,
                                  &c->request.blob, NULL, 0, FX_NOW, &raise),
              RC_NOT_APPROVED);
    assert_non_null(strstr(rc_text(), "needs 1 engineer, has 0"));
    /* a floor lowers nothing, and is no matter of the stewards' sessions */
    ask(c, POLICY_S_SIGN, "guarded");
    yes(c, "engineer", "alice");
    assert_rc(policy_judge_raised(&c->out, c->p, c->genesis, &c->s,
                                  &c->request.blob, c->blob, c->n, FX_NOW,
                                  &raise),
              RC_NOT_APPROVED);
    ask(c, POLICY_S_POLICY, NULL);
    yes(c, "steward", "bob");
    yes(c, "steward", "carol");
    assert_ok(policy_judge_raised(&c->out, c->p, c->genesis, &c->s,
                                  &c->request.blob, c->blob, c->n, FX_NOW,
                                  &raise));
}

static void every_record_must_hold(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_POLICY, NULL);
    yes(c, "steward", "bob");
    yes(c, "steward", "carol");
    yes(c, "steward", "erin");
    c->record[2].text[c->blob[2].len - 10] ^= 1;
    assert_int_not_equal(judge(c), RC_OK);
    c->n = 2;
    assert_ok(judge(c));
    c->n = POLICY_MAX_APPROVALS + 1;
    assert_rc(judge(c), RC_TOO_LARGE);
}

static void an_approval_of_another_session_is_refused(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_POLICY, NULL);
    yes(c, "steward", "bob");
    struct tlog_blob old = c->blob[0];
    struct fx_record kept = c->record[0];
    ask(c, POLICY_S_KEY_CREATE, "release");
    old.p = (const uint8_t *)kept.text;
    c->blob[0] = old;
    c->n = 1;
    assert_rc(judge(c), RC_POLICY);
}

static void time_and_place_must_fit(void **state)
{
    struct court *c = *state;
    ask(c, POLICY_S_POLICY, NULL);
    yes(c, "steward", "bob");
    yes(c, "steward", "carol");
    const struct {
        int64_t now;
        enum rc rc;
    } times[] = {
        { FX_NOW - 61, RC_EXPIRED },   { FX_NOW - 60, RC_OK },
        { FX_NOW + 899, RC_OK },       { FX_NOW + 900, RC_EXPIRED },
        { POLICY_AT_ITS_TIME, RC_OK }, { INT64_MAX, RC_EXPIRED },
    };
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        assert_rc(policy_judge(&c->out, c->p, c->genesis, &c->s,
                               &c->request.blob, c->blob, c->n, times[i].now),
                  times[i].rc);
    uint8_t other[32] = { 1 };
    assert_rc(policy_judge(&c->out, c->p, other, &c->s, &c->request.blob,
                           c->blob, c->n, FX_NOW),
              RC_POLICY);
    c->s.policy[0] ^= 1;
    assert_rc(judge(c), RC_POLICY_CHANGED);
}

static void a_session_must_fit_its_profile(void **state)
{
    struct court *c = *state;
    const struct {
        const char *why;
        const char *profile;
        enum policy_session_type type;
        const char *change;
        enum rc rc;
    } cases[] = {
        { "no such profile", "nothing", POLICY_S_SIGN, "raw", RC_UNKNOWN },
        { "a slot the profile has not", "guarded", POLICY_S_SIGN, "slot",
          RC_POLICY },
        { "no key for a persistent one", "release", POLICY_S_SIGN, "nokey",
          RC_POLICY },
        { "a key for an ephemeral one", "once", POLICY_S_SIGN, "key",
          RC_POLICY },
        { "a quorum without an artifact", "guarded", POLICY_S_SIGN, "nothing",
          RC_POLICY },
        { "an ephemeral key created ahead", "once", POLICY_S_KEY_CREATE, "",
          RC_POLICY },
        { "a root for no issuer", "release", POLICY_S_ROOT, "", RC_POLICY },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct policy_session s = fx_session(c->p, cases[i].type,
                                             cases[i].profile);
        s.slot[POLICY_RAW] |= !strcmp(cases[i].change, "raw");
        s.slot[POLICY_TLS13] |= !strcmp(cases[i].change, "slot");
        s.has_key = !strcmp(cases[i].change, "key") ||
                    (s.has_key && strcmp(cases[i].change, "nokey"));
        if (strcmp(cases[i].change, "nothing") &&
            cases[i].type != POLICY_S_KEY_CREATE)
            policy_session_artifact(&s, "app", "app", 3);
        fx_seal(&s, NULL, NULL);
        enum rc rc = policy_judge(&c->out, c->p, c->genesis, &s, NULL, NULL, 0,
                                  FX_NOW);
        if (rc != cases[i].rc)
            fail_msg("%s: %s (%s)", cases[i].why, rc_slug(rc), rc_text());
    }
}

#define court_test(f) cmocka_unit_test_setup_teardown(f, court_new, court_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        court_test(two_stewards_make_a_policy_change),
        court_test(the_same_person_counts_once),
        court_test(an_engineer_is_no_steward),
        court_test(the_requester_never_counts),
        court_test(one_denial_is_the_end),
        court_test(who_revokes_is_not_counted),
        court_test(a_profile_says_how_many_of_whom),
        court_test(one_with_two_roles_fills_one_place),
        court_test(the_order_of_records_changes_nothing),
        court_test(two_records_of_one_approval_count_the_same_bytes),
        court_test(a_named_person_must_have_asked),
        court_test(a_requester_signs_what_needs_approval),
        court_test(a_session_of_0_0_needs_nobody),
        court_test(a_raised_profile_is_a_quorum_profile),
        court_test(every_record_must_hold),
        court_test(an_approval_of_another_session_is_refused),
        court_test(time_and_place_must_fit),
        court_test(a_session_must_fit_its_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

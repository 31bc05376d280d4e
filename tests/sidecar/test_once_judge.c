/* SPDX-License-Identifier: Apache-2.0 */
/* What a lead that was taken over cannot make members do with a session's
 * key: each judges for itself. */
#include "test.h"

#include "once_hand.h"

static void share_of(struct hand *h, unsigned id, enum rc want, bool share)
{
    bool got = false;
    enum rc rc = hand_birth(h, id, &got);
    if (rc != want || (rc == RC_OK && got != share))
        fail_msg("node%u: %s (%s), share %d, want %s, %d", id, rc_slug(rc),
                 rc_text(), got, rc_slug(want), share);
}

/* ---- start --------------------------------------------------------------------- */

static void of_a_policy(struct policy_session *s)
{
    s->policy[0] ^= 1;
}
static void too_old(struct policy_session *s)
{
    s->created -= 1000;
    s->expires -= 1000;
}
static void too_long(struct policy_session *s)
{
    s->expires = s->created + 90000;
}
static void of_nobody(struct policy_session *s)
{
    snprintf(s->profile, sizeof(s->profile), "nothing");
}
static void persistent(struct policy_session *s)
{
    snprintf(s->profile, sizeof(s->profile), "release");
    s->has_key = true;
}
static void unapproved(struct policy_session *s)
{
    snprintf(s->profile, sizeof(s->profile), "guarded-once");
    s->has_artifact = true;
    policy_session_artifact(s, "app", "app", 3);
}
static void another_cluster(struct policy_session *s)
{
    s->cluster[0] ^= 1;
}

static void a_key_is_begun_for_its_session_only(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        void (*change)(struct policy_session *s);
        enum rc want;
    } cases[] = {
        { "made under another policy", of_a_policy, RC_POLICY_CHANGED },
        { "expired", too_old, RC_EXPIRED },
        { "longer than a day", too_long, RC_PARSE },
        { "of no profile", of_nobody, RC_UNKNOWN },
        { "of a persistent profile", persistent, RC_POLICY },
        { "nobody approved it", unapproved, RC_NOT_APPROVED },
        { "of another cluster", another_cluster, RC_POLICY },
    };
    struct sim *s = once_cluster(3);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct hand h;
        char text[POLICY_DESCRIPTOR_MAX];
        size_t len;
        hand_begin(&h, s);
        cases[i].change(&h.session);
        if (policy_session_write(text, &len, &h.session) == RC_OK) {
            hand_write(&h);
            enum rc rc = hand_start(&h, 0, 1);
            if (rc != cases[i].want)
                fail_msg("%s: %s (%s)", cases[i].why, rc_slug(rc), rc_text());
        } else {
            assert_int_equal(cases[i].want, RC_PARSE);
        }
        hand_free(&h);
    }
    once_nothing_left(s);
    done(s);
}

/* The same package until it is dealt, whoever asks. */
static void a_session_has_one_package_of_each_node(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h;
    uint8_t first[64];
    hand_begin(&h, s);
    h.n = 2;
    assert_ok(hand_start(&h, 0, 1));
    memcpy(first, h.package[0].commitment.at, 64);
    assert_ok(hand_start(&h, 0, 1));
    assert_memory_equal(h.package[0].commitment.at, first, 64);
    assert_ok(hand_start(&h, 1, 2));
    assert_ok(hand_deal(&h, 0));
    /* dealt: a repeat gets the same boxes, and nothing begins again */
    struct wire_boxes boxes = h.boxes[0];
    memset(&h.boxes[0], 0, sizeof(h.boxes[0]));
    assert_ok(hand_deal(&h, 0));
    assert_memory_equal(boxes.boxes.at, h.boxes[0].boxes.at,
                        2 * sizeof(*boxes.boxes.at));
    wire_boxes_free(&boxes);
    hand_free(&h);
    done(s);
}

static void a_restart_ends_it_for_good(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h;
    hand_begin(&h, s);
    h.n = 2;
    assert_ok(hand_start(&h, 0, 1));
    sim_crash(s, 1);
    sim_start(s, 1);
    sim_run(s, 500);
    assert_rc(hand_start(&h, 0, 1), RC_SLOT_BURNT);
    assert_non_null(strstr(rc_text(), "key is gone"));
    once_nothing_left(s);
    hand_free(&h);
    done(s);
}

static void who_takes_part_is_fixed_by_the_deal(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h;
    hand_begin(&h, s);
    for (unsigned i = 0; i < 3; i++)
        assert_ok(hand_start(&h, i, i + 1));
    h.n = 1; /* below the threshold */
    assert_rc(hand_deal(&h, 0), RC_ARG);
    h.n = 2; /* without the node that is asked */
    assert_rc(hand_deal(&h, 2), RC_ARG);
    assert_ok(hand_deal(&h, 0));
    assert_ok(hand_deal(&h, 1));
    /* another set, after dealing */
    h.n = 3;
    assert_rc(hand_deal(&h, 0), RC_ORDER);
    /* the two that dealt alike finish; the third never can */
    h.n = 2;
    assert_ok(hand_finish(&h, 0));
    assert_ok(hand_finish(&h, 1));
    assert_memory_equal(h.vote[0].transcript, h.vote[1].transcript, 32);
    assert_rc(hand_finish(&h, 2), RC_ORDER);
    hand_free(&h);
    sim_run(s, 15000);
    once_nothing_left(s);
    done(s);
}

/* Two who saw different packages hold no share of one key. */
static void equivocation_makes_no_key(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h, other;
    hand_begin(&other, s);
    assert_ok(hand_start(&other, 2, 3));
    hand_begin(&h, s);
    h.n = 3;
    for (unsigned i = 0; i < 3; i++)
        assert_ok(hand_start(&h, i, i + 1));
    assert_ok(hand_deal(&h, 0));
    assert_ok(hand_deal(&h, 2));
    /* node2 is shown another of node3's packages, which is valid by itself */
    struct wire_package true_one = h.package[2];
    h.package[2] = other.package[2];
    assert_ok(hand_deal(&h, 1));
    h.package[2] = true_one;
    assert_ok(hand_finish(&h, 0));
    assert_rc(hand_finish(&h, 1), RC_CHEATER);
    assert_ok(hand_finish(&h, 2));
    sim_run(s, 15000);
    once_nothing_left(s);
    hand_free(&h);
    hand_free(&other);
    done(s);
}

/* ---- birth ----------------------------------------------------------------------- */

static void whole(struct hand *h, struct tlog_birth *e)
{
    (void)h;
    (void)e;
}
static void other_participants(struct hand *h, struct tlog_birth *e)
{
    (void)h;
    e->participants[0] ^= 1;
}
static void other_approvals(struct hand *h, struct tlog_birth *e)
{
    (void)h;
    e->approvals[0] ^= 1;
}
static void other_endorsements(struct hand *h, struct tlog_birth *e)
{
    (void)h;
    e->endorsements[0] ^= 1;
}
static void other_key(struct hand *h, struct tlog_birth *e)
{
    (void)h;
    e->key[0] ^= 1;
}
static void other_class(struct hand *h, struct tlog_birth *e)
{
    (void)h;
    snprintf(e->class, sizeof(e->class), "tls");
}
static void a_parent(struct hand *h, struct tlog_birth *e)
{
    (void)e;
    h->birth.cert.parent = 1;
}
static void another_epoch(struct hand *h, struct tlog_birth *e)
{
    (void)e;
    h->birth.cert.epoch = 2;
}
/* One who took part has not endorsed it; votes say how many they are of. */
static void a_vote_less(struct hand *h, struct tlog_birth *e)
{
    struct tlog_vote votes[2];
    uint8_t identities[2][32];
    h->birth.cert.votes.n = 2;
    for (unsigned i = 0; i < 2; i++) {
        const struct wire_vote *v = &h->birth.cert.votes.at[i];
        votes[i].node = (uint16_t)v->node;
        memcpy(votes[i].identity, v->identity, 32);
        memcpy(votes[i].y, v->y, 32);
        memcpy(votes[i].sig, v->sig, 64);
        memcpy(identities[i], v->identity, 32);
    }
    tlog_endorsements_root(e->endorsements, votes, 2);
    tlog_participants(e->participants, identities, 2);
}
static void one_vote(struct hand *h, struct tlog_birth *e)
{
    (void)e;
    h->birth.cert.votes.n = 1;
}
static void one_voter_twice(struct hand *h, struct tlog_birth *e)
{
    (void)e;
    h->birth.cert.votes.at[2] = h->birth.cert.votes.at[1];
}
static void disorder(struct hand *h, struct tlog_birth *e)
{
    struct wire_vote t = h->birth.cert.votes.at[0];
    (void)e;
    h->birth.cert.votes.at[0] = h->birth.cert.votes.at[1];
    h->birth.cert.votes.at[1] = t;
}
static void a_stranger(struct hand *h, struct tlog_birth *e)
{
    (void)e;
    h->birth.cert.votes.at[2].node = 4;
}
static void a_false_identity(struct hand *h, struct tlog_birth *e)
{
    (void)e;
    h->birth.cert.votes.at[2].identity[0] ^= 1;
}
static void a_false_vote(struct hand *h, struct tlog_birth *e)
{
    (void)e;
    h->birth.cert.votes.at[2].sig[0] ^= 1;
}
static void lower_threshold(struct hand *h, struct tlog_birth *e)
{
    e->threshold = h->birth.cert.threshold = 1;
}
static void another_session(struct hand *h, struct tlog_birth *e)
{
    (void)e;
    h->birth.cert.session[0] ^= 1;
}

static void a_birth_is_endorsed_by_all_who_took_part(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        void (*change)(struct hand *h, struct tlog_birth *e);
        enum rc want;
    } cases[] = {
        { "other participants", other_participants, RC_LOG },
        { "other approvals", other_approvals, RC_LOG },
        { "other endorsements", other_endorsements, RC_LOG },
        { "another key", other_key, RC_LOG },
        { "another class", other_class, RC_LOG },
        { "a parent", a_parent, RC_POLICY },
        { "another epoch", another_epoch, RC_POLICY },
        { "a vote less, and whole by itself", a_vote_less, RC_VERIFY },
        { "below the threshold", one_vote, RC_POLICY },
        { "one voter twice", one_voter_twice, RC_POLICY },
        { "votes in disorder", disorder, RC_POLICY },
        { "the vote of a stranger", a_stranger, RC_POLICY },
        { "under a false identity", a_false_identity, RC_POLICY },
        { "a vote that does not verify", a_false_vote, RC_VERIFY },
        { "a lower threshold", lower_threshold, RC_POLICY },
        { "another session", another_session, RC_POLICY },
        { "nothing wrong", whole, RC_OK },
    };
    struct sim *s = once_cluster(3);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct hand h;
        struct tlog_birth entry;
        bool share;
        hand_begin(&h, s);
        hand_make(&h, 3, &entry);
        cases[i].change(&h, &entry);
        hand_log(&h, &entry);
        for (unsigned id = 1; id <= 2; id++) {
            enum rc rc = hand_birth(&h, id, &share);
            if (rc != cases[i].want)
                fail_msg("%s: %s (%s)", cases[i].why, rc_slug(rc), rc_text());
            if (cases[i].want != RC_OK && rc == RC_OK && share)
                fail_msg("%s: a share is active", cases[i].why);
        }
        hand_free(&h);
    }
    sim_run(s, 15000);
    assert_int_equal(once_holders(s), 2); /* of the whole one, until its end */
    sim_run(s, 120000);
    once_nothing_left(s);
    done(s);
}

static void a_birth_that_is_not_logged_is_none(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h;
    struct tlog_birth entry;
    hand_begin(&h, s);
    hand_make(&h, 3, &entry);
    hand_log(&h, &entry);
    h.birth.proof.index ^= 1;
    share_of(&h, 1, RC_LOG, false);
    h.birth.proof.index ^= 1;
    h.birth.proof.checkpoint.p[h.birth.proof.checkpoint.len / 2] ^= 1;
    bool share;
    assert_int_not_equal(hand_birth(&h, 1, &share), RC_OK);
    h.birth.proof.checkpoint.p[h.birth.proof.checkpoint.len / 2] ^= 1;
    share_of(&h, 1, RC_OK, true);
    share_of(&h, 1, RC_OK, true); /* again: the same answer */
    hand_free(&h);
    done(s);
}

/* Those who hold no share keep it, as evidence. */
static void a_birth_without_us_is_kept_without_a_share(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h;
    struct tlog_birth entry;
    hand_begin(&h, s);
    hand_make(&h, 2, &entry);
    hand_log(&h, &entry);
    share_of(&h, 3, RC_OK, false);
    share_of(&h, 1, RC_OK, true);
    share_of(&h, 2, RC_OK, true);
    /* one who took part was restarted since: evidence is all it has */
    sim_crash(s, 1);
    sim_start(s, 1);
    sim_run(s, 500);
    share_of(&h, 1, RC_OK, false);
    hand_free(&h);
    done(s);
}

/* ---- shares ----------------------------------------------------------------------- */

static struct hand *made(struct sim *s, struct hand *h)
{
    struct tlog_birth entry;
    hand_begin(h, s);
    hand_make(h, 3, &entry);
    hand_log(h, &entry);
    for (unsigned id = 1; id <= 3; id++)
        share_of(h, id, RC_OK, true);
    return h;
}

static void a_slot_is_good_for_one_message(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h;
    made(s, &h);
    assert_ok(hand_sign(&h, &h.session, &h.wire, 1, "raw", 1, "message"));
    assert_ok(hand_sign(&h, &h.session, &h.wire, 1, "raw", 2, "message"));
    assert_rc(hand_sign(&h, &h.session, &h.wire, 1, "raw", 3, "another"),
              RC_SLOT_BURNT);
    hand_free(&h);
    done(s);
}

/* A key of one session, and the words of another of the same profile. */
static void a_key_signs_in_its_own_session_only(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h, other;
    made(s, &h);
    hand_begin(&other, s);
    assert_rc(hand_sign(&h, &other.session, &other.wire, 1, "raw", 1, "x"),
              RC_POLICY);
    assert_non_null(strstr(rc_text(), "another session"));
    assert_ok(hand_sign(&h, &h.session, &h.wire, 1, "raw", 1, "x"));
    hand_free(&h);
    hand_free(&other);
    done(s);
}

/* No artifact is named: what was signed once is all. */
static void a_first_use_closes_the_other_slots(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h;
    static const char dsse[] = "DSSEv1 1 t 2 {}";
    made(s, &h);
    assert_ok(hand_sign(&h, &h.session, &h.wire, 1, "raw", 1, "message"));
    assert_rc(hand_sign(&h, &h.session, &h.wire, 1, "dsse", 1, dsse),
              RC_SLOT_BURNT);
    assert_ok(hand_sign(&h, &h.session, &h.wire, 2, "raw", 1, "message"));
    hand_free(&h);
    done(s);
}

static void its_lead_closes_it_and_nobody_else(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h;
    made(s, &h);
    assert_rc(hand_close(&h, 3, 1), RC_AUTH);
    assert_ok(hand_sign(&h, &h.session, &h.wire, 1, "raw", 1, "message"));
    for (unsigned id = 1; id <= 3; id++) {
        assert_ok(hand_close(&h, HAND_ID, id));
        assert_ok(hand_close(&h, HAND_ID, id)); /* again: fine */
    }
    once_nothing_left(s);
    /* nothing of it begins again */
    assert_rc(hand_start(&h, 0, 1), RC_SLOT_BURNT);
    assert_non_null(strstr(rc_text(), "key is gone"));
    share_of(&h, 1, RC_OK, false);
    hand_free(&h);
    done(s);
}

/* One lead does not fill the places of all. */
static void a_lead_has_so_many_and_no_more(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h[64];
    unsigned n = 0;
    enum rc rc = RC_OK;
    while (rc == RC_OK && n < 64) {
        hand_begin(&h[n], s);
        rc = hand_start(&h[n], 0, 1);
        n += rc == RC_OK;
    }
    assert_int_equal(rc, RC_BUSY);
    assert_non_null(strstr(rc_text(), "at most"));
    hand_free(&h[n]);
    sim_run(s, 15000); /* none was made: their places are free again */
    once_nothing_left(s);
    struct hand last;
    hand_begin(&last, s);
    assert_ok(hand_start(&last, 0, 1));
    hand_free(&last);
    for (unsigned i = 0; i < n; i++)
        hand_free(&h[i]);
    done(s);
}

/* Whatever a lead writes into a session that nobody signed. */
static void an_unsigned_session_lives_two_minutes(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h;
    struct tlog_birth entry;
    hand_begin(&h, s);
    h.session.expires = h.session.created + 80000;
    hand_write(&h);
    hand_make(&h, 3, &entry);
    hand_log(&h, &entry);
    for (unsigned id = 1; id <= 3; id++)
        share_of(&h, id, RC_OK, true);
    sim_run(s, 110000);
    assert_int_equal(once_holders(s), 3);
    sim_run(s, 15000);
    once_nothing_left(s);
    hand_free(&h);
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(a_key_is_begun_for_its_session_only),
        T(a_session_has_one_package_of_each_node),
        T(a_restart_ends_it_for_good),
        T(who_takes_part_is_fixed_by_the_deal),
        T(equivocation_makes_no_key),
        T(a_birth_is_endorsed_by_all_who_took_part),
        T(a_birth_that_is_not_logged_is_none),
        T(a_birth_without_us_is_kept_without_a_share),
        T(a_slot_is_good_for_one_message),
        T(a_key_signs_in_its_own_session_only),
        T(a_first_use_closes_the_other_slots),
        T(its_lead_closes_it_and_nobody_else),
        T(an_unsigned_session_lives_two_minutes),
        T(a_lead_has_so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

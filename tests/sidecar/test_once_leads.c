/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several leads and one session's key: who takes it over, who was left out of
 * it, whose session it is, and that its end reaches everyone.
 */
#include "test.h"

#include "once_hand.h"

/* ---- one after the other ----------------------------------------------------------- */

static void behead(struct sim *s, uint32_t from, uint32_t to, const char *path,
                   bool reply, uint8_t **body, size_t *len)
{
    bool *done = s->tamper_ctx;
    (void)to;
    (void)body;
    (void)len;
    if (!reply || *done || from != 1 || strcmp(path, "/v1/once/start") != 0)
        return;
    *done = true;
    sim_crash(s, 1);
}

/* It was begun and not dealt: another node makes it, with the same words. */
static void a_session_that_was_only_begun_is_anothers_to_lead(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    char hex[65];
    bool died = false;
    once_approved(s, 1, hex, "app", false);
    sim_run(s, 1000);
    s->tamper = behead;
    s->tamper_ctx = &died;
    (void)once_sign(s, 1, &me, "guarded-once", hex, "app");
    sim_run(s, 1000);
    assert_true(died);
    s->tamper = NULL;
    sim_want_ok(s, once_sign(s, 2, &me, "guarded-once", hex, "app"));
    assert_int_equal(once_births(s), 1);
    sim_run(s, 500);
    once_nothing_left(s);
    done(s);
}

/* The same bytes, whoever brings them. */
static void who_leads_it_is_who_began_it_last(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h;
    hand_begin(&h, s);
    h.session = sim_session(s, POLICY_S_SIGN, "once");
    h.session.slot[POLICY_RAW] = true;
    wire_session_free(&h.wire);
    sim_session_wire(s, &h.wire, &h.session, "engineer", NULL);
    h.n = 2;
    for (h.lead = 2; h.lead <= 3; h.lead++)
        for (unsigned i = 0; i < 2; i++)
            assert_ok(hand_start(&h, i, i + 1));
    h.lead = 2;
    assert_rc(hand_deal(&h, 0), RC_AUTH);
    h.lead = 3;
    assert_ok(hand_deal(&h, 0));
    /* nor is anybody else given the answer */
    h.lead = 2;
    assert_rc(hand_deal(&h, 0), RC_AUTH);
    hand_free(&h);
    done(s);
}

/* Its caller gave up; what was approved is there for the next one. */
static void an_impatient_caller_wastes_no_session(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    char hex[65];
    once_approved(s, 1, hex, "app", false);
    sim_run(s, 1000);
    s->faults.slow = 1000;
    s->caller = &me;
    unsigned call = sim_sign(s, 1, "guarded-once", hex, "app", 3, 60);
    s->caller = NULL;
    sim_want(s, call, RC_TIMEOUT);
    s->faults.slow = 0;
    sim_run(s, 1000);
    sim_want_ok(s, once_sign(s, 1, &me, "guarded-once", hex, "app"));
    assert_int_equal(once_births(s), 1);
    sim_run(s, 500);
    once_nothing_left(s);
    done(s);
}

static void ask_key(struct sim *s, unsigned id, const char *hex, unsigned *call)
{
    struct node_caller me = once_caller(5);
    char path[160];
    snprintf(path, sizeof(path), "/v1/key/guarded-once?session=%s", hex);
    *call = once_get(s, id, &me, path);
}

static bool holds(struct sim *s, unsigned id)
{
    struct vault_holds h;
    assert_ok(vault_held(s->node[id].vault, &h));
    return h.once || h.dkgs;
}

/* What it began ends, and the key that the others have does not. */
static void who_was_left_out_leads_it_all_the_same(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 5);
    static const char *const none[] = { NULL };
    struct node_caller me = once_caller(100);
    uint8_t first[32], key[32];
    unsigned call, out = 0;
    char hex[65];
    sim_ready(s, none);
    once_approved(s, 1, hex, "app", true);
    sim_run(s, 1000);
    ask_key(s, 1, hex, &call);
    once_key(s, call, first);
    sim_run(s, 500);
    assert_int_equal(once_holders(s), 4);
    for (unsigned id = 1; id <= 5; id++)
        out = holds(s, id) ? out : id;
    ask_key(s, out, hex, &call);
    once_key(s, call, key);
    assert_memory_equal(key, first, 32);
    sim_want_ok(s, once_sign(s, out, &me, "guarded-once", hex, "app"));
    assert_int_equal(once_births(s), 1);
    done(s);
}

/* Its lead never told it: the birth does. */
static void who_was_left_out_keeps_nothing(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct tlog_birth entry;
    struct hand h;
    bool share;
    hand_begin(&h, s);
    hand_make(&h, 2, &entry);
    assert_ok(hand_start(&h, 2, 3));
    hand_log(&h, &entry);
    assert_int_equal(once_holders(s), 3);
    assert_ok(hand_birth(&h, 3, &share));
    assert_false(share);
    assert_false(holds(s, 3));
    assert_rc(hand_start(&h, 2, 3), RC_SLOT_BURNT);
    hand_free(&h);
    done(s);
}

/* ---- at once ------------------------------------------------------------------------- */

/* They may stand in each other's way; a session that one has made is good. */
static void two_leads_at_once_do_not_burn_what_one_has_made(void **state)
{
    (void)state;
    unsigned lost = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        static const char *const none[] = { NULL };
        struct sim *s = sim_new(seed, 3);
        unsigned call[2];
        uint8_t key[2][32];
        char hex[65];
        sim_ready(s, none);
        once_approved(s, 1, hex, "app", true);
        sim_run(s, 1000);
        ask_key(s, 1, hex, &call[0]);
        sim_run(s, (int64_t)sim_dice(s, 4));
        ask_key(s, 2, hex, &call[1]);
        bool good = false;
        for (unsigned i = 0; i < 2; i++) {
            assert_true(sim_wait(s, call[i], 20000));
            good = good || s->call[call[i]].rc == RC_OK;
        }
        lost += !good;
        sim_run(s, 1000);
        for (unsigned i = 0; good && i < 2; i++) {
            ask_key(s, 1 + i, hex, &call[i]);
            once_key(s, call[i], key[i]);
        }
        if (good)
            assert_memory_equal(key[0], key[1], 32);
        assert_true(once_births(s) <= 1);
        done(s);
    }
    assert_true(lost <= 6);
}

/* ---- whose session ---------------------------------------------------------------------- */

static enum rc start_as(struct sim *s, uint16_t lead, const char *requester)
{
    struct hand h;
    hand_begin(&h, s);
    h.lead = lead;
    snprintf(h.session.requester, sizeof(h.session.requester), "%s", requester);
    hand_write(&h);
    enum rc rc = hand_start(&h, 0, 1);
    hand_free(&h);
    return rc;
}

/* What a sidecar saw on its socket, no other can have seen. */
static void a_lead_speaks_for_its_own_callers_only(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    assert_ok(start_as(s, 2, "uid.0.node2"));
    assert_rc(start_as(s, 2, "uid.0.node1"), RC_AUTH);
    assert_non_null(strstr(rc_text(), "node2"));
    assert_rc(start_as(s, 2, "uid.0.node12"), RC_AUTH);
    assert_rc(start_as(s, 2, "uid.0.node20"), RC_AUTH);
    assert_rc(start_as(s, 2, "uid.0"), RC_AUTH);
    done(s);
}

/* Who knows of a session has not opened it. */
static void a_key_of_one_leads_caller_signs_for_no_other_lead(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct tlog_birth entry;
    struct hand h;
    bool share;
    hand_begin(&h, s);
    hand_make(&h, 3, &entry);
    hand_log(&h, &entry);
    for (unsigned id = 1; id <= 3; id++)
        assert_ok(hand_birth(&h, id, &share));
    h.lead = 3;
    assert_rc(hand_sign(&h, &h.session, &h.wire, 1, "raw", 1, "x"), RC_AUTH);
    h.lead = HAND_ID;
    assert_ok(hand_sign(&h, &h.session, &h.wire, 1, "raw", 1, "x"));
    hand_free(&h);
    done(s);
}

/* ---- places --------------------------------------------------------------------------------- */

static void a_lead_that_only_begins_leaves_places_to_others(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    enum rc rc = RC_OK;
    unsigned n = 0;
    while (rc == RC_OK && n < 64) {
        rc = start_as(s, 2, "uid.1.node2");
        n += rc == RC_OK;
    }
    assert_int_equal(rc, RC_BUSY);
    assert_non_null(strstr(rc_text(), "for node2"));
    assert_ok(start_as(s, 3, "uid.1.node3"));
    struct node_caller me = once_caller(100);
    sim_want_ok(s, once_sign(s, 1, &me, "once", "", "all the same"));
    done(s);
}

static enum rc start_signed(struct sim *s, uint16_t lead)
{
    struct hand h;
    hand_begin(&h, s);
    h.lead = lead;
    h.session = sim_session(s, POLICY_S_SIGN, "once");
    h.session.slot[POLICY_RAW] = true;
    wire_session_free(&h.wire);
    sim_session_wire(s, &h.wire, &h.session, "engineer", NULL);
    enum rc rc = hand_start(&h, 0, 1);
    hand_free(&h);
    return rc;
}

/* What waits for its nodes gives way to others' need, not to anyone's greed. */
static void who_has_too_many_gives_up_its_own(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct vault_holds before, after;
    for (unsigned i = 0; i < 4; i++)
        assert_ok(start_signed(s, 3));
    sim_run(s, 70000);
    enum rc rc = RC_OK;
    for (unsigned i = 0; i < 40 && rc == RC_OK; i++)
        rc = start_as(s, 2, "uid.1.node2");
    assert_int_equal(rc, RC_BUSY);
    assert_ok(vault_held(s->node[1].vault, &before));
    for (unsigned i = 0; i < 4; i++)
        assert_rc(start_as(s, 2, "uid.1.node2"), RC_BUSY);
    assert_ok(vault_held(s->node[1].vault, &after));
    assert_int_equal(before.dkgs, after.dkgs);
    done(s);
}

/* Whoever begins and ends many drives out no births. */
static void ends_do_not_crowd_out_births(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct tlog_birth entry;
    struct hand h;
    bool share;
    hand_begin(&h, s);
    hand_make(&h, 2, &entry);
    hand_log(&h, &entry);
    assert_ok(hand_birth(&h, 3, &share));
    for (unsigned i = 0; i < 300; i++) {
        struct hand o;
        hand_begin(&o, s);
        assert_ok(hand_start(&o, 0, 3));
        assert_ok(hand_close(&o, HAND_ID, 3));
        hand_free(&o);
    }
    sim_run(s, 1000);
    /* forgotten, it would be begun */
    assert_rc(hand_start(&h, 2, 3), RC_SLOT_BURNT);
    hand_free(&h);
    done(s);
}

/* A log that shows a birth to its members alone has two histories. */
static void a_birth_in_another_history_is_found(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    struct tlog_birth entry;
    struct hand h;
    bool share;
    sim_want_ok(s, once_sign(s, 1, &me, "once", "", "all know the log"));
    sim_run(s, 500);
    hand_begin(&h, s);
    hand_make(&h, 3, &entry);
    sim_log_fork(s, HAND_ID);
    hand_log(&h, &entry); /* there, and nowhere else */
    s->fork_for = 0;
    assert_ok(hand_birth(&h, 1, &share));
    sim_want_ok(s, once_sign(s, 3, &me, "once", "", "the true one grows"));
    sim_run(s, 15000);
    assert_int_equal(s->node[1].forks, 1);
    hand_free(&h);
    done(s);
}

/* ---- its end ------------------------------------------------------------------------------- */

/* However long ago, and whatever the vault remembers. */
static void a_session_that_was_forgotten_is_not_begun_again(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct hand h;
    hand_begin(&h, s);
    h.session.expires = h.session.created + 80000;
    hand_write(&h);
    assert_ok(hand_start(&h, 0, 1));
    assert_ok(hand_close(&h, HAND_ID, 1));
    sim_run(s, 620000);
    assert_rc(hand_start(&h, 0, 1), RC_SLOT_BURNT);
    assert_non_null(strstr(rc_text(), "lost it since"));
    hand_free(&h);
    done(s);
}

/* Another one would not verify under the key that its caller holds. */
static void a_key_that_was_shown_signs_as_long_as_it_lives(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    struct wire_signed out;
    uint8_t key[32];
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), key);
    sim_run(s, 70000);
    unsigned call = once_sign(s, 1, &me, "once", "", "late");
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &out));
    assert_memory_equal(out.group_key, key, 32);
    me = once_caller(101);
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), key);
    sim_run(s, 130000);
    call = once_sign(s, 1, &me, "once", "", "too late");
    sim_want(s, call, RC_SLOT_BURNT);
    says(s, call, "key is gone");
    done(s);
}

/* A clock that is set back gives no share a longer life. */
static void a_clock_set_back_does_not_keep_a_share(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    uint8_t key[32];
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), key);
    sim_run(s, 60000);
    assert_int_equal(once_holders(s), 3);
    s->step_s = -3600;
    sim_run(s, 65000);
    once_nothing_left(s);
    done(s);
}

static void hang(struct sim *s, uint32_t from, uint32_t to, const char *path,
                 bool reply, uint8_t **body, size_t *len)
{
    (void)from;
    (void)body;
    (void)len;
    if (!reply && to == 3 && strcmp(path, "/v1/once/close") == 0)
        s->node[3].hung = true;
}

/* It did not hear of it, and its session would go on for long. */
static void an_end_is_told_until_it_is_heard(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    char hex[65];
    once_approved(s, 1, hex, "app", false);
    sim_run(s, 1000);
    s->tamper = hang;
    sim_want_ok(s, once_sign(s, 1, &me, "guarded-once", hex, "app"));
    sim_run(s, 5000);
    assert_int_equal(once_holders(s), 1);
    s->tamper = NULL;
    s->node[3].hung = false;
    sim_run(s, 15000);
    once_nothing_left(s);
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(a_session_that_was_only_begun_is_anothers_to_lead),
        T(who_leads_it_is_who_began_it_last),
        T(an_impatient_caller_wastes_no_session),
        T(who_was_left_out_leads_it_all_the_same),
        T(who_was_left_out_keeps_nothing),
        T(two_leads_at_once_do_not_burn_what_one_has_made),
        T(a_lead_speaks_for_its_own_callers_only),
        T(a_key_of_one_leads_caller_signs_for_no_other_lead),
        T(a_lead_that_only_begins_leaves_places_to_others),
        T(who_has_too_many_gives_up_its_own),
        T(ends_do_not_crowd_out_births),
        T(a_birth_in_another_history_is_found),
        T(a_session_that_was_forgotten_is_not_begun_again),
        T(a_key_that_was_shown_signs_as_long_as_it_lives),
        T(a_clock_set_back_does_not_keep_a_share),
        T(an_end_is_told_until_it_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

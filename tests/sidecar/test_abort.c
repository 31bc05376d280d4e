/* SPDX-License-Identifier: Apache-2.0 */
/* Every intent that reached the log ends there, whatever becomes of its lead. */
#include "test.h"

#include "story.h"

static const char *const release[] = { "release", NULL };

/* Entries of this kind in the log; the last one's text in *last. */
static unsigned count(struct sim *s, enum tlog_kind kind, const char **last)
{
    unsigned n = 0;
    for (uint64_t i = 0; i < s->log.n; i++) {
        if (tlog_entry_kind(s->log.entry[i], strlen(s->log.entry[i])) != kind)
            continue;
        n++;
        if (last)
            *last = s->log.entry[i];
    }
    return n;
}

static unsigned aborts(struct sim *s)
{
    return count(s, TLOG_ABORT, NULL);
}

/* The newest abort is of an intent of ours, for this reason. */
static void aborted_for(struct sim *s, const char *reason)
{
    const char *text = NULL;
    struct tlog_abort a;
    assert_true(count(s, TLOG_ABORT, &text) > 0);
    assert_ok(tlog_abort_decode(&a, text, strlen(text)));
    assert_string_equal(a.reason, reason);
    assert_true(a.intent < s->log.n);
    const char *entry = s->log.entry[a.intent];
    assert_int_equal(tlog_entry_kind(entry, strlen(entry)), TLOG_INTENT);
}

static void hang(struct sim *s, bool hung)
{
    s->node[2].hung = s->node[3].hung = hung;
}

/* A call of node 1 whose intent is in the log and which nobody signs. */
static unsigned stuck(struct sim *s, unsigned wait_ms)
{
    sim_want_ok(s, sign(s, 1, "so that it holds commitments"));
    sim_run(s, 1000);
    unsigned before = count(s, TLOG_INTENT, NULL);
    hang(s, true);
    unsigned call = sim_sign(s, 1, "release", "", "stuck", 5, wait_ms);
    sim_run(s, 100);
    assert_int_equal(count(s, TLOG_INTENT, NULL), before + 1);
    assert_int_equal(aborts(s), 0);
    return call;
}

static void what_is_signed_is_never_aborted(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    for (unsigned i = 0; i < 20; i++)
        sim_want_ok(s, sign(s, 1 + i % 3, "signed"));
    sim_run(s, 3000);
    for (unsigned id = 1; id <= 3; id++) { /* nor after a restart */
        sim_crash(s, id);
        sim_start(s, id);
    }
    sim_run(s, 5000);
    assert_int_equal(count(s, TLOG_INTENT, NULL), 20);
    assert_int_equal(count(s, TLOG_RECEIPT, NULL), 20);
    assert_int_equal(aborts(s), 0);
    sim_ends(s);
    done(s);
}

static void a_retry_that_signs_needs_no_abort(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    sim_want_ok(s, sign(s, 1, "so that it holds commitments"));
    sim_crash(s, 2);
    for (unsigned i = 0; i < 3; i++)
        sim_want_ok(s, sign(s, 1, "by the others"));
    sim_run(s, 3000);
    assert_true(count(s, TLOG_INTENT, NULL) > 4); /* or nothing was retried */
    assert_int_equal(aborts(s), 0);
    sim_ends(s);
    done(s);
}

static void a_job_that_fails_after_its_intent_is_aborted(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    unsigned call = stuck(s, 6000);
    assert_true(sim_wait(s, call, 8000));
    assert_int_not_equal(s->call[call].rc, RC_OK);
    sim_run(s, 5000);
    assert_true(aborts(s) > 0);
    aborted_for(s, rc_slug(s->call[call].rc));
    sim_ends(s);
    /* each once */
    unsigned n = aborts(s);
    sim_run(s, 10000);
    assert_int_equal(aborts(s), n);
    hang(s, false);
    sim_run(s, 11000);
    sim_want_ok(s, sign(s, 1, "and it goes on"));
    done(s);
}

static void a_restarted_lead_aborts_what_it_left_behind(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    (void)stuck(s, 60000);
    sim_crash(s, 1);
    hang(s, false);
    sim_start(s, 1);
    sim_run(s, 3000);
    assert_int_equal(aborts(s), 1);
    aborted_for(s, "restarted");
    sim_ends(s);
    sim_crash(s, 1);
    sim_start(s, 1);
    sim_run(s, 3000);
    assert_int_equal(aborts(s), 1);
    done(s);
}

static void an_abort_outlives_a_dead_log_and_a_crash(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    unsigned call = stuck(s, 4000);
    s->log_down = true;
    assert_true(sim_wait(s, call, 8000));
    sim_run(s, 3000);
    assert_int_equal(aborts(s), 0);
    sim_crash(s, 1);
    sim_start(s, 1);
    sim_run(s, 3000);
    assert_int_equal(aborts(s), 0);
    s->log_down = false;
    sim_run(s, 5000);
    assert_int_equal(aborts(s), 1);
    /* the reason it had, not that of the restart */
    aborted_for(s, rc_slug(s->call[call].rc));
    sim_ends(s);
    done(s);
}

/* The log has it, the lead never hears of that. */
static void swallow_appends(struct sim *s, uint32_t from, uint32_t to,
                            const char *path, bool reply, uint8_t **body,
                            size_t *len)
{
    (void)s;
    if (reply && from == 1 && to == WORLD_LOG &&
        strcmp(path, "/v1/log/append") == 0) {
        free(*body);
        *body = (uint8_t *)strdup("?");
        *len = 1;
    }
}

static void an_intent_whose_proof_was_lost_is_aborted(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    sim_want_ok(s, sign(s, 1, "before"));
    sim_run(s, 1000);
    unsigned before = count(s, TLOG_INTENT, NULL);
    s->tamper = swallow_appends;
    unsigned call = sim_sign(s, 1, "release", "", "lost", 4, 2000);
    assert_true(sim_wait(s, call, 4000));
    assert_int_equal(s->call[call].rc, RC_LOG);
    s->tamper = NULL;
    assert_true(count(s, TLOG_INTENT, NULL) > before);
    sim_run(s, 5000);
    sim_ends(s);
    aborted_for(s, rc_slug(RC_LOG));
    done(s);
}

#define T(name) cmocka_unit_test_teardown(name, sim_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_signed_is_never_aborted),
        T(a_retry_that_signs_needs_no_abort),
        T(a_job_that_fails_after_its_intent_is_aborted),
        T(a_restarted_lead_aborts_what_it_left_behind),
        T(an_abort_outlives_a_dead_log_and_a_crash),
        T(an_intent_whose_proof_was_lost_is_aborted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

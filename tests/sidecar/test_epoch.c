/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver that was taken over cannot make members do with a key. */
#include "test.h"

#include "rogue.h"
#include "story.h"

#include <sqlite3.h>

static struct sim *booted(void)
{
    struct sim *s = sim_new(1, 3);
    sim_boot(s);
    return s;
}

static void start_everywhere(struct rogue *r)
{
    for (unsigned id = 1; id <= r->s->n; id++)
        assert_ok(rogue_start(r, id));
}

static void log_and_certify(struct rogue *r)
{
    struct tlog_birth entry;
    rogue_finish(r);
    rogue_certify(r, &entry);
    rogue_log(r, &entry);
}

/* A member that has voted starts no other making of that name till then. */
#define AFTER_A_VOTE 22000

/* ---- one name, one key -------------------------------------------------------- */

/* Two births of one name, both whole: the second one is nowhere at rest. */
static void a_second_group_key_for_a_name_leaves_no_trace(void **state)
{
    (void)state;
    struct sim *s = booted();
    struct rogue a, b;
    rogue_begin(&a, s, "release", 1);
    rogue_begin(&b, s, "release", 2);
    start_everywhere(&a);
    log_and_certify(&a);
    /* not before the first one's driver has ended, one way or the other */
    assert_rc(rogue_start(&b, 1), RC_ORDER);
    sim_run(s, AFTER_A_VOTE);
    start_everywhere(&b);
    log_and_certify(&b);
    for (unsigned id = 1; id <= 3; id++) {
        assert_ok(rogue_activate(&a, id));
        assert_rc(rogue_activate(&b, id), RC_CONFLICT);
    }
    for (unsigned id = 1; id <= 3; id++) {
        sim_crash(s, id);
        sim_start(s, id); /* fails the test when it does not start */
        char *json = NULL;
        size_t len;
        assert_ok(node_status(s->node[id].node, &json, &len));
        if (!strstr(json, "\"problems\":[]"))
            fail_msg("node%u has something at rest: %s", id, json);
        free(json);
    }
    for (unsigned id = 1; id <= 3; id++)
        sim_want_ok(s, sign(s, id, "still the first key"));
    rogue_free(&a);
    rogue_free(&b);
    done(s);
}

/* What an older build may have left on the disk. */
static void spoil(struct sim_node *n, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(n->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void one_bad_row_does_not_keep_a_node_down(void **state)
{
    (void)state;
    static const char *const two[] = { "release", "second", NULL };
    static const struct {
        const char *why, *sql, *says;
    } cases[] = {
        { "another birth under the name",
          "INSERT INTO epoch SELECT 'release', 9, x'aa', 'ACTIVE', sealed,"
          " birth FROM epoch WHERE key='second'",
          "key release, epoch 9: another group key" },
        { "no birth in it",
          "INSERT INTO epoch VALUES('small', 1, x'bb', 'ACTIVE', NULL, x'7b')",
          "key small, epoch 1:" },
        { "a share that does not open",
          "UPDATE epoch SET sealed=x'00' WHERE key='second'",
          "key second, epoch 1:" },
    };
    struct sim *s = cluster(two);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *json = NULL;
        size_t len;
        sim_crash(s, 1);
        free(TAKE(s->node[1].status)); /* it will not be as before */
        spoil(&s->node[1], cases[i].sql);
        sim_start(s, 1);
        assert_ok(node_status(s->node[1].node, &json, &len));
        if (!strstr(json, cases[i].says))
            fail_msg("%s: status does not say so: %s", cases[i].why, json);
        free(json);
        sim_want_ok(s, sign(s, 1, cases[i].why));
    }
    /* and a key without our share is led with the others' */
    sim_want_ok(s, sim_sign(s, 1, "second", "", "lead", 4, 5000));
    done(s);
}

/* ---- numbers -------------------------------------------------------------------- */

static void far_numbers_are_not_burnt(void **state)
{
    (void)state;
    static const struct {
        uint64_t epoch;
        enum rc want;
    } cases[] = {
        { INT64_MAX, RC_CONFLICT }, { 1025, RC_CONFLICT }, { 1024, RC_OK },
        { 1024, RC_CONFLICT },      { 2049, RC_CONFLICT }, { 2048, RC_OK }
    };
    struct sim *s = booted();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct rogue r;
        rogue_begin(&r, s, "release", cases[i].epoch);
        enum rc rc = rogue_start(&r, 1);
        if (rc != cases[i].want)
            fail_msg("%llu: %s (%s)", (unsigned long long)cases[i].epoch,
                     rc_slug(rc), rc_text());
        rogue_free(&r);
    }
    done(s);
}

/* ---- births that are not of their profile ------------------------------------------ */

static void whole(struct rogue *r, struct tlog_birth *e)
{
    (void)r;
    (void)e;
}
static void other_participants(struct rogue *r, struct tlog_birth *e)
{
    (void)r;
    e->participants[0] ^= 1;
}
static void a_parent(struct rogue *r, struct tlog_birth *e)
{
    (void)e;
    r->birth.cert.parent = 1;
}
static void a_vote_less(struct rogue *r, struct tlog_birth *e)
{
    (void)e;
    r->birth.cert.votes.n--;
}
static void one_voter_twice(struct rogue *r, struct tlog_birth *e)
{
    (void)e;
    r->birth.cert.votes.at[2] = r->birth.cert.votes.at[1];
}
static void disorder(struct rogue *r, struct tlog_birth *e)
{
    struct wire_vote t = r->birth.cert.votes.at[0];
    (void)e;
    r->birth.cert.votes.at[0] = r->birth.cert.votes.at[1];
    r->birth.cert.votes.at[1] = t;
}
static void another_name(struct rogue *r, struct tlog_birth *e)
{
    (void)e;
    r->birth.cert.votes.at[2].node = 4;
}
static void lower_threshold(struct rogue *r, struct tlog_birth *e)
{
    e->threshold = r->birth.cert.threshold = 1;
}

static void a_birth_is_by_all_of_its_profile(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        void (*change)(struct rogue *r, struct tlog_birth *e);
        enum rc want;
    } cases[] = {
        { "other participants", other_participants, RC_LOG },
        { "a parent", a_parent, RC_POLICY },
        { "a vote less", a_vote_less, RC_POLICY },
        { "one voter twice", one_voter_twice, RC_POLICY },
        { "votes in disorder", disorder, RC_POLICY },
        { "the vote of a stranger", another_name, RC_POLICY },
        { "a lower threshold", lower_threshold, RC_POLICY },
        { "nothing wrong", whole, RC_OK },
    };
    struct sim *s = booted();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct rogue r;
        struct tlog_birth entry;
        rogue_begin(&r, s, "release", i + 1);
        start_everywhere(&r);
        rogue_finish(&r);
        rogue_certify(&r, &entry);
        cases[i].change(&r, &entry);
        rogue_log(&r, &entry);
        for (unsigned id = 1; id <= 3; id++) {
            enum rc rc = rogue_activate(&r, id);
            if (rc != cases[i].want)
                fail_msg("%s: %s (%s)", cases[i].why, rc_slug(rc), rc_text());
        }
        rogue_free(&r);
        sim_run(s, AFTER_A_VOTE);
    }
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(a_second_group_key_for_a_name_leaves_no_trace),
        T(one_bad_row_does_not_keep_a_node_down),
        T(far_numbers_are_not_burnt),
        T(a_birth_is_by_all_of_its_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Two drivers at once, each with a session of its own: one key comes of it. */
#include "test.h"

#include "mover.h"
#include "story.h"

static const char *const none[] = { NULL };
static const char *const release[] = { "release", NULL };

static void group_of(struct sim *s, unsigned id, uint8_t group[32])
{
    WIRE(key) key = { 0 };
    mover_key(s, id, "release", &key);
    memcpy(group, key.group_key, 32);
}

/* Every other run with messages that overtake each other. */
static struct sim *rivals(const char *const *keys, unsigned ms)
{
    struct sim *s = cluster(keys);
    s->faults.slow = ms % 2 ? 300 : 0;
    return s;
}

static void both_end(struct sim *s, unsigned one, unsigned two)
{
    if (!sim_wait(s, one, 40000) || !sim_wait(s, two, 40000))
        sim_fail(s, "one of them was never answered");
    s->faults.slow = 0;
    sim_run(s, 15000);
}

/* Each try uses up a number, until it is one that nobody has used. */
static void create_at_last(struct sim *s)
{
    for (unsigned i = 0; i < 5; i++) {
        unsigned call = sim_key_create(s, 3, "release", sim_stewards);
        sim_wait(s, call, 40000);
        if (s->call[call].rc == RC_OK)
            return;
        if (s->call[call].rc != RC_CONFLICT)
            sim_fail(s, "%s", s->call[call].why);
    }
    sim_fail(s, "the key is never made");
}

static void two_births_are_one(void **state)
{
    (void)state;
    unsigned born = 0;
    for (unsigned ms = 0; ms < 50; ms++) {
        struct sim *s = rivals(none, ms);
        uint8_t group[32];
        unsigned one = sim_key_create(s, 1, "release", sim_stewards);
        sim_run(s, ms);
        unsigned two = sim_key_create(s, 2, "release", sim_stewards);
        both_end(s, one, two);
        if (s->call[one].rc != RC_OK && s->call[two].rc != RC_OK) {
            sim_run(s, 10000); /* then nothing stands in its way */
            create_at_last(s);
        } else {
            born++;
        }
        group_of(s, 1, group);
        for (unsigned id = 1; id <= 3; id++) {
            uint8_t other[32];
            group_of(s, id, other);
            if (memcmp(other, group, 32) != 0)
                sim_fail(s, "%u ms: node%u has another key", ms, id);
            sim_want_ok(s, sign(s, id, "one key"));
        }
        sim_free(s);
    }
    assert_in_range(born, 10, 50);
}

static void two_moves_end_in_one_epoch(void **state)
{
    (void)state;
    for (unsigned ms = 0; ms < 50; ms++) {
        struct sim *s = rivals(release, ms);
        uint8_t group[32];
        group_of(s, 1, group);
        unsigned one = mover_move(s, 1, POLICY_S_REFRESH, "release");
        sim_run(s, ms);
        unsigned two = mover_move(s, 2, POLICY_S_REFRESH, "release");
        both_end(s, one, two);
        mover_settled(s, "release", group);
        sim_free(s);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, sim_teardown)
    const struct CMUnitTest tests[] = {
        T(two_births_are_one),
        T(two_moves_end_in_one_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

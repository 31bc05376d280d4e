/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of one session: made for it, good for its slots, gone with it. */
#include "test.h"

#include "once.h"

static void a_caller_gets_a_key_and_signs_with_it(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    WIRE(key) key = { 0 };
    struct wire_signed out;
    unsigned call = once_get(s, 1, &me, "/v1/key/once");
    sim_want_ok(s, call);
    assert_ok(wire_key_decode(&key, s->call[call].json, s->call[call].len));
    assert_int_equal(key.epoch, 1);
    assert_int_equal(key.nodes.n, 3);
    call = once_sign(s, 1, &me, "once", "", "one message");
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &out));
    assert_memory_equal(out.group_key, key.group_key, 32);
    assert_int_equal(out.epoch, 1);
    assert_int_equal(out.attempt, 1);
    sim_run(s, 500);
    once_nothing_left(s);
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(a_caller_gets_a_key_and_signs_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

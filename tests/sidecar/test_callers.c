/* SPDX-License-Identifier: Apache-2.0 */
/* Local callers by name: what the configuration may say, and what it means. */
#include "test.h"

#include "sidecar/callers.h"

static struct callers parsed(const char *callers, const char *users)
{
    struct callers c;
    assert_ok(callers_parse(&c, callers, users));
    return c;
}

static struct node_caller caller(const struct callers *c, uid_t uid)
{
    struct node_caller who;
    const struct sock_peer peer = { .pid = 4, .uid = uid };
    callers_find(&who, c, &peer);
    assert_int_equal(who.uid, uid);
    assert_int_equal(who.pid, 4);
    return who;
}

static void without_callers_nobody_is_named_and_nothing_changes(void **state)
{
    (void)state;
    const struct callers c = parsed(NULL, NULL);
    assert_null(caller(&c, 1000).name);
    assert_false(caller(&c, 1000).own_sessions);
}

static void a_uid_has_the_name_it_is_given(void **state)
{
    (void)state;
    const struct callers c = parsed(" 1000=dev, 33=workload:nginx ", NULL);
    assert_string_equal(caller(&c, 1000).name, "dev");
    assert_string_equal(caller(&c, 33).name, "workload:nginx");
    assert_null(caller(&c, 0).name);
    assert_true(caller(&c, 1000).own_sessions);
    assert_true(caller(&c, 33).own_sessions);
    assert_true(caller(&c, 0).own_sessions); /* root is no exception */
    assert_true(caller(&c, 7).own_sessions);
}

static void session_users_may_use_sessions_of_others(void **state)
{
    (void)state;
    const struct callers c = parsed("1000=dev,33=workload:nginx,0=admin",
                                    "workload:nginx, root");
    assert_true(caller(&c, 1000).own_sessions);
    assert_false(caller(&c, 33).own_sessions);
    assert_false(caller(&c, 0).own_sessions);
    assert_string_equal(caller(&c, 0).name, "admin");
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *callers, *users, *says;
    } cases[] = {
        { "dev", NULL, "UID=NAME" },
        { "dev=1000", NULL, "UID=NAME" },
        { "-1=dev", NULL, "UID=NAME" },
        { "4294967295=dev", NULL, "UID=NAME" },
        { "99999999999999999999=dev", NULL, "UID=NAME" },
        { "1000=", NULL, "a person or workload:NAME" },
        { "1000=Dev", NULL, "a person or workload:NAME" },
        { "1000=workload:", NULL, "a person or workload:NAME" },
        { "1000=robot:x", NULL, "a person or workload:NAME" },
        { "1000=uid.0.node1", NULL, "a person or workload:NAME" },
        { "1000=a,1000=b", NULL, "each uid once" },
        { " , ", NULL, "callers: empty" },
        { NULL, "root", "session_users: means nothing" },
        { "1000=dev", "bob", "session_users: bob" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct callers c;
        assert_rc(callers_parse(&c, cases[i].callers, cases[i].users), RC_ARG);
        if (!strstr(rc_text(), cases[i].says))
            fail_msg("\"%s\" does not say %s", rc_text(), cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_callers_nobody_is_named_and_nothing_changes),
        cmocka_unit_test(a_uid_has_the_name_it_is_given),
        cmocka_unit_test(session_users_may_use_sessions_of_others),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

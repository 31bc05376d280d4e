/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration: environment over file over default, nothing unknown. */
#include "test.h"

#include "base/conf.h"
#include "base/file.h"

/* clang-format off */
static const struct conf_option options[] = {
    { "listen", NULL, "127.0.0.1:0", "address" },
    { "socket", "MPC_TEST_SOCKET", NULL, "path" },
    { "allow", NULL, "no", "switch" },
    { "count", NULL, "3", "number" },
    { 0 },
};
/* clang-format on */

static char dir[64];
static char path[96];

static void write_conf(const char *text)
{
    assert_ok(file_write(path, text, strlen(text), 0600));
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/mpc-conf-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x.conf", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static void environment_wins_over_file_and_default(void **state)
{
    (void)state;
    struct conf *c = NULL;
    write_conf("[x]\nsocket = /from/file\ncount = 7\n");
    assert_ok(conf_load(&c, path, "x", options));
    assert_string_equal(conf_get(c, "socket"), "/from/file");
    assert_string_equal(conf_get(c, "listen"), "127.0.0.1:0");
    int64_t n;
    assert_ok(conf_int(&n, c, "count", 1, 9));
    assert_int_equal(n, 7);
    assert_rc(conf_int(&n, c, "count", 1, 6), RC_PARSE);
    conf_free(c);
    setenv("MPC_TEST_SOCKET", "/from/env", 1);
    assert_ok(conf_load(&c, path, "x", options));
    unsetenv("MPC_TEST_SOCKET");
    assert_string_equal(conf_get(c, "socket"), "/from/env");
    conf_free(c);
}

static void unknown_key_is_refused_with_file_and_line(void **state)
{
    (void)state;
    struct conf *c = NULL;
    write_conf("# one\n[x]\nsocket = a\nlisten_on = b\n");
    assert_rc(conf_load(&c, path, "x", options), RC_PARSE);
    assert_non_null(strstr(rc_text(), "x.conf:4: listen_on: unknown key"));
    assert_null(c);
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    struct conf *c = NULL;
    write_conf("[x]\nno equals sign\n");
    assert_rc(conf_load(&c, path, "x", options), RC_PARSE);
    assert_non_null(strstr(rc_text(), "x.conf:2"));
    write_conf("[y]\nsocket = a\n");
    assert_rc(conf_load(&c, path, "x", options), RC_PARSE);
    assert_non_null(strstr(rc_text(), "[x]"));
    assert_rc(conf_load(&c, "/nowhere/x.conf", "x", options), RC_IO);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    struct conf *c = NULL;
    const char *v;
    bool yes = true;
    write_conf("[x]\nlisten = a\nallow = perhaps\n");
    assert_ok(conf_load(&c, path, "x", options));
    assert_rc(conf_need(&v, c, "socket"), RC_ARG);
    assert_non_null(strstr(rc_text(), "socket"));
    assert_non_null(strstr(rc_hint_text(), "MPC_TEST_SOCKET"));
    assert_rc(conf_bool(&yes, c, "allow"), RC_PARSE);
    conf_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_wins_over_file_and_default),
        cmocka_unit_test(unknown_key_is_refused_with_file_and_line),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(what_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

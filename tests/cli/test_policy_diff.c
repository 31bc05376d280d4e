/* SPDX-License-Identifier: Apache-2.0 */
/* What two policy documents differ in, as stewards are shown it. */
#include "test.h"

#include <unistd.h>

#include "cli/policy.h"

static struct cli_diffs d;

static int end(void **state)
{
    (void)state;
    cli_diffs_free(&d);
    return 0;
}

static enum rc diff(const char *a, const char *b)
{
    cli_diffs_free(&d);
    return cli_policy_diff(&d, a, strlen(a), b, strlen(b));
}

/* "~ path from to" of each; "" for none. */
static void want(const char *a, const char *b, const char *lines)
{
    char text[2048] = "";
    size_t at = 0;
    assert_ok(diff(a, b));
    for (unsigned i = 0; i < d.n; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%c %s %s %s\n",
                               d.at[i].sign, d.at[i].path,
                               d.at[i].from ? d.at[i].from : "-",
                               d.at[i].to ? d.at[i].to : "-");
    assert_string_equal(text, lines);
}

static void each_change_has_one_line(void **state)
{
    (void)state;
    want("{}", "{}", "");
    want("{\"a\":1}", "{\"a\":2}", "~ a 1 2\n");
    want("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1,\"c\":true}}", "+ a.c - true\n");
    want("{\"a\":null}", "{\"a\":\"x\"}", "~ a null \"x\"\n");
    want("{\"a\":[1,2]}", "{\"a\":[2,1]}", "~ a [1,2] [2,1]\n");
    want("{\"a\":1,\"b\":2}", "{\"b\":2}", "- a 1 -\n");
}

static void rows_are_known_by_their_names(void **state)
{
    (void)state;
    want("{\"p\":[{\"id\":\"x\",\"r\":1},{\"id\":\"y\",\"r\":2}]}",
         "{\"p\":[{\"id\":\"y\",\"r\":2},{\"id\":\"x\",\"r\":1}]}", "");
    want("{\"p\":[{\"id\":\"x\",\"r\":1}]}",
         "{\"p\":[{\"id\":\"x\",\"r\":2},{\"id\":\"z\"}]}",
         "~ p[x].r 1 2\n+ p[z] - {\"id\":\"z\"}\n");
    want("{\"p\":[{\"id\":1},{\"id\":2}]}", "{\"p\":[{\"id\":2}]}",
         "- p[1] {\"id\":1} -\n");
    want("{\"p\":[{\"name\":\"n\",\"q\":{\"e\":0}}]}",
         "{\"p\":[{\"name\":\"n\",\"q\":{\"e\":2}}]}", "~ p[n].q.e 0 2\n");
    /* a list that becomes empty, or is of other things, is shown whole */
    want("{\"p\":[{\"id\":1}]}", "{\"p\":[]}", "~ p [{\"id\":1}] []\n");
    want("{\"p\":[{\"id\":1}]}", "{\"p\":[3]}", "~ p [{\"id\":1}] [3]\n");
}

static void what_is_no_document_is_refused(void **state)
{
    (void)state;
    assert_rc(diff("[]", "{}"), RC_PARSE);
    assert_rc(diff("{}", "{\"a\":1,\"a\":2}"), RC_PARSE);
    assert_rc(diff("{}", "{\"a\":"), RC_PARSE);
    assert_rc(diff("", "{}"), RC_PARSE);
}

static void there_is_an_end_to_it(void **state)
{
    (void)state;
    char text[16384] = "{";
    size_t at = 1;
    for (unsigned i = 0; i < CLI_DIFF_MAX + 5; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s\"m%u\":%u",
                               i ? "," : "", i, i);
    snprintf(text + at, sizeof(text) - at, "}");
    assert_ok(diff("{}", text));
    assert_int_equal(d.n, CLI_DIFF_MAX);
    assert_true(d.more);
}

/* What cli_diffs_say() prints. */
static void said(char *out, size_t cap)
{
    FILE *f = tmpfile();
    int was = dup(STDOUT_FILENO);
    assert_non_null(f);
    fflush(stdout);
    assert_true(dup2(fileno(f), STDOUT_FILENO) >= 0);
    enum rc rc = cli_diffs_say(&d);
    fflush(stdout);
    assert_true(dup2(was, STDOUT_FILENO) >= 0);
    close(was);
    assert_ok(rc);
    rewind(f);
    out[fread(out, 1, cap - 1, f)] = '\0';
    fclose(f);
}

static void what_changes_is_shown_whole_and_moves_no_terminal(void **state)
{
    (void)state;
    char doc[2048];
    char text[4096];
    snprintf(doc, sizeof(doc),
             "{\"p\":[{\"id\":\"e\xc2\x9b\",\"k\":\"%0900d\","
             "\"z\":\"second\xe2\x80\xae key\"}]}",
             7);
    assert_ok(diff("{\"p\":[]}", doc));
    said(text, sizeof(text));
    assert_non_null(strstr(text, "0007\""));
    assert_non_null(strstr(text, "second? key"));
    assert_null(strstr(text, "\xc2\x9b"));
    assert_null(strstr(text, "\xe2\x80\xae"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_change_has_one_line, end),
        cmocka_unit_test_teardown(rows_are_known_by_their_names, end),
        cmocka_unit_test_teardown(what_is_no_document_is_refused, end),
        cmocka_unit_test_teardown(there_is_an_end_to_it, end),
        cmocka_unit_test_teardown(
                what_changes_is_shown_whole_and_moves_no_terminal, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

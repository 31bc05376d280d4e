/* SPDX-License-Identifier: Apache-2.0 */
/* C2SP tlog-policy files, and the sample log judged by some. */
#include "test.h"

#include "vectors.h"

#define LOG "log.example/sample"

static char *vkey_line(const char *file, unsigned i)
{
    static char out[4][TLOG_VKEY_MAX];
    static unsigned next;
    struct tlog_vkey v = vectors_vkey(file, i);
    return tlog_vkey_text(out[next++ % 4], &v);
}

/* %L the log, %1 and %2 its witnesses. */
static char *fill_in(const char *pattern)
{
    static char out[8192];
    size_t n = 0;
    for (const char *p = pattern; *p; p++) {
        const char *word = NULL;
        if (*p == '%' && p[1] == 'L')
            word = vkey_line("sample-log/log.vkey", 0);
        else if (*p == '%')
            word = vkey_line("sample-log/witnesses.vkey",
                             (unsigned)(p[1] - '1'));
        if (word) {
            n += (size_t)snprintf(out + n, sizeof(out) - n, "%s", word);
            p++;
        } else {
            out[n++] = *p;
        }
    }
    out[n] = '\0';
    return out;
}

static struct tlog_trust *trust(const char *pattern, enum rc want)
{
    struct tlog_trust *t = calloc(1, sizeof(*t));
    const char *text = fill_in(pattern);
    assert_non_null(t);
    enum rc rc = tlog_trust_read(t, text, strlen(text));
    if (rc != want)
        fail_msg("%s: %s (%s)", text, rc_slug(rc), rc_text());
    return t;
}

static void files_of_the_specification_are_read(void **state)
{
    (void)state;
    OWNED_MEM struct tlog_trust *t = trust(
            "# a comment\n\n  \t\n log %L https://log.example/\n"
            "witness W1 %1\t http://w1.example/x\nwitness W\xc3\xa9 %2\n"
            "group both all W1 W\xc3\xa9\n"
            "group outer any both\nquorum outer\n",
            RC_OK);
    assert_int_equal(t->n_logs, 1);
    assert_string_equal(t->log[0].key.name, LOG);
    assert_string_equal(t->log[0].url, "https://log.example/");
    assert_int_equal(t->n_witnesses, 2);
    assert_string_equal(t->witness[0].url, "http://w1.example/x");
    assert_string_equal(t->witness[1].url, "");
    assert_false(tlog_trust_quorum(t, 0));
    assert_false(tlog_trust_quorum(t, 1));
    assert_false(tlog_trust_quorum(t, 2));
    assert_true(tlog_trust_quorum(t, 3));
    OWNED_MEM struct tlog_trust *none = trust("quorum none\n", RC_OK);
    assert_true(tlog_trust_quorum(none, 0));
}

static void the_example_of_the_specification_is_a_quorum_of_two_groups(
        void **state)
{
    (void)state;
    char text[4096];
    size_t n = 0;
    for (unsigned i = 0; i < 6; i++) {
        struct tlog_vkey v;
        char vkey[TLOG_VKEY_MAX];
        uint8_t key[32] = { (uint8_t)(i + 1) };
        assert_ok(tlog_vkey_make(&v, "w", TLOG_SIG_COSIGNATURE, key));
        n += (size_t)snprintf(text + n, sizeof(text) - n, "witness %c%u %s\n",
                              i < 3 ? 'X' : 'Y', i % 3 + 1,
                              tlog_vkey_text(vkey, &v));
    }
    snprintf(text + n, sizeof(text) - n,
             "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n"
             "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n");
    OWNED_MEM struct tlog_trust *t = trust(text, RC_OK);
    for (uint64_t who = 0; who < 64; who++)
        assert_int_equal(tlog_trust_quorum(t, who),
                         __builtin_popcountll(who & 7) >= 2 && who >> 3);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
    } cases[] = {
        { "empty", "" },
        { "no quorum", "log %L\n" },
        { "two quorums", "quorum none\nquorum none\n" },
        { "no LF at the end", "quorum none" },
        { "CR", "quorum none\r\n" },
        { "NUL-like control", "quorum\x01none\n" },
        { "unknown word", "witnesses %1\nquorum none\n" },
        { "log twice", "log %L\nlog %L\nquorum none\n" },
        { "log without key", "log\nquorum none\n" },
        { "log with too much", "log %L a b\nquorum none\n" },
        { "log with a cosigner's key", "log %1\nquorum none\n" },
        { "witness with a log's key", "witness a %L\nquorum none\n" },
        { "witness key twice", "witness a %1\nwitness b %1\nquorum none\n" },
        { "name twice", "witness a %1\nwitness a %2\nquorum none\n" },
        { "a witness named none", "witness none %1\nquorum none\n" },
        { "a group named like a witness",
          "witness a %1\ngroup a any a\nquorum a\n" },
        { "quorum not defined", "quorum a\n" },
        { "quorum defined below", "quorum a\nwitness a %1\n" },
        { "member defined below",
          "group g any a\nwitness a %1\nquorum none\n" },
        { "a group in itself", "group g any g\nquorum g\n" },
        { "no members", "group g any\nquorum none\n" },
        { "k 0", "witness a %1\ngroup g 0 a\nquorum g\n" },
        { "k over n", "witness a %1\ngroup g 2 a\nquorum g\n" },
        { "k with a zero", "witness a %1\ngroup g 01 a\nquorum g\n" },
        { "a member twice", "witness a %1\ngroup g any a a\nquorum g\n" },
        { "a member of two groups",
          "witness a %1\ngroup g any a\ngroup h any a\nquorum g\n" },
        { "none as a member", "group g any none\nquorum g\n" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        OWNED_MEM struct tlog_trust *t = calloc(1, sizeof(*t));
        const char *text = fill_in(cases[i].text);
        assert_non_null(t);
        if (tlog_trust_read(t, text, strlen(text)) != RC_PARSE)
            fail_msg("%s was taken", cases[i].why);
    }
}

/* The sample's checkpoint carries the lines of both witnesses. */
static void the_sample_is_judged_by_its_quorum(void **state)
{
    (void)state;
    struct tlog_checkpoint cp;
    uint64_t who = 0;
    unsigned log = 9;
    size_t len;
    OWNED_MEM char *note = vectors_file("sample-log/log/checkpoint", &len);
    OWNED_MEM struct tlog_trust *both = trust(
            "log %L\nwitness a %1\nwitness b %2\ngroup g all a b\n"
            "quorum g\n",
            RC_OK);
    assert_ok(tlog_trust_open(&cp, &who, &log, both, note, len));
    assert_int_equal(cp.size, 600);
    assert_int_equal(who, 3);
    assert_int_equal(log, 0);

    /* without its last line one cosignature is missing */
    size_t cut = len - 1;
    while (note[cut - 1] != '\n')
        cut--;
    assert_rc(tlog_trust_open(&cp, &who, NULL, both, note, cut), RC_LOG);
    assert_non_null(strstr(rc_text(), "1 of 2 witnesses"));
    assert_int_equal(__builtin_popcountll(who), 1);
    OWNED_MEM struct tlog_trust *any = trust(
            "log %L\nwitness a %1\nwitness b %2\ngroup g any a b\n"
            "quorum g\n",
            RC_OK);
    assert_ok(tlog_trust_open(&cp, NULL, NULL, any, note, cut));
    OWNED_MEM struct tlog_trust *none = trust("log %L\nquorum none\n", RC_OK);
    assert_ok(tlog_trust_open(&cp, &who, NULL, none, note, len));
    assert_int_equal(who, 0);

    /* a known witness' bad line spoils the note, quorum or not */
    note[len - 10] = note[len - 10] == 'A' ? 'B' : 'A';
    assert_rc(tlog_trust_open(&cp, NULL, NULL, any, note, len), RC_VERIFY);
    assert_ok(tlog_trust_open(&cp, NULL, NULL, none, note, len));

    OWNED_MEM struct tlog_trust *nobody = trust("quorum none\n", RC_OK);
    assert_rc(tlog_trust_open(&cp, NULL, NULL, nobody, note, len), RC_ARG);
    note[0] ^= 1;
    assert_rc(tlog_trust_open(&cp, NULL, NULL, none, note, len), RC_LOG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_the_specification_are_read),
        cmocka_unit_test(
                the_example_of_the_specification_is_a_quorum_of_two_groups),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(the_sample_is_judged_by_its_quorum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

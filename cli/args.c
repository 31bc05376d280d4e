/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of a verb, read by its table of rows. */
#include "cli/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_option(const struct cli_arg *row)
{
    return row->name[0] == '-';
}

static const struct cli_arg *find_option(const struct cli_arg *rows,
                                         const char *word)
{
    for (; rows->name; rows++)
        if (is_option(rows) &&
            (strcmp(rows->name, word) == 0 ||
             (rows->brief && strcmp(rows->brief, word) == 0)))
            return rows;
    return NULL;
}

static enum rc usage_error(const char *verb)
{
    rc_hint("mpcsign %s --help tells what it takes", verb);
    return RC_ARG;
}

/* ---- help --------------------------------------------------------------- */

static void print_row(const struct cli_arg *row)
{
    char left[40];
    if (!is_option(row))
        snprintf(left, sizeof(left), "%s", row->name);
    else
        snprintf(left, sizeof(left), "%s%s%s%s", row->brief ? row->brief : "",
                 row->brief ? ", " : "", row->name,
                 row->flag                 ? ""
                 : row->list && !row->once ? " NAMES"
                                           : " VALUE");
    printf("  %-26s %s%s\n", left, row->help, row->need ? " (needed)" : "");
}

static void print_help(const char *verb, const struct cli_arg *rows)
{
    printf("usage: mpcsign %s", verb);
    for (const struct cli_arg *r = rows; r->name; r++)
        if (!is_option(r))
            printf(r->need ? " %s" : " [%s]", r->name);
    puts(" [OPTIONS]");
    for (const struct cli_arg *r = rows; r->name; r++)
        print_row(r);
    puts("  -o, --output text|json     how results and errors are said");
}

/* ---- reading ------------------------------------------------------------ */

struct reading {
    const struct cli_arg *rows;
    const char *verb;
    int argc;
    char **argv;
    int at;
    unsigned positionals;
};

static enum rc take_list(struct reading *r, const struct cli_arg *row)
{
    unsigned before = row->list->n;
    while (r->at < r->argc && r->argv[r->at][0] != '-') {
        if (row->list->n == CLI_LIST_MAX)
            return rc_raise(RC_ARG, "%s: more than %d words", row->name,
                            CLI_LIST_MAX);
        row->list->at[row->list->n++] = r->argv[r->at++];
        if (row->once)
            break;
    }
    if (row->list->n > before)
        return RC_OK;
    (void)rc_raise(RC_ARG, "%s: wants a word", row->name);
    return usage_error(r->verb);
}

static enum rc take_output(struct reading *r)
{
    const char *how = r->at < r->argc ? r->argv[r->at++] : "";
    if (strcmp(how, "json") != 0 && strcmp(how, "text") != 0)
        return rc_raise(RC_ARG, "-o: want text or json");
    cli_json_set(strcmp(how, "json") == 0);
    return RC_OK;
}

static enum rc take_option(struct reading *r, const char *word)
{
    if (strcmp(word, "-o") == 0 || strcmp(word, "--output") == 0)
        return take_output(r);
    const struct cli_arg *row = find_option(r->rows, word);
    if (!row) {
        (void)rc_raise(RC_ARG, "unknown option %.40s", word);
        return usage_error(r->verb);
    }
    if (row->flag) {
        *row->flag = true;
        return RC_OK;
    }
    if (row->list)
        return take_list(r, row);
    if (r->at == r->argc || *row->text) {
        (void)rc_raise(RC_ARG, "%s: %s", row->name,
                       *row->text ? "given twice" : "wants a value");
        return usage_error(r->verb);
    }
    *row->text = r->argv[r->at++];
    return RC_OK;
}

static enum rc take_positional(struct reading *r, const char *word)
{
    unsigned k = 0;
    for (const struct cli_arg *row = r->rows; row->name; row++) {
        if (is_option(row) || k++ != r->positionals)
            continue;
        *row->text = word;
        r->positionals++;
        return RC_OK;
    }
    (void)rc_raise(RC_ARG, "one word too many: %.60s", word);
    return usage_error(r->verb);
}

static bool given(const struct cli_arg *row)
{
    return row->text   ? *row->text != NULL
           : row->list ? row->list->n > 0
                       : *row->flag;
}

static enum rc check_needed(const struct reading *r)
{
    for (const struct cli_arg *row = r->rows; row->name; row++)
        if (row->need && !given(row)) {
            (void)rc_raise(RC_ARG, "%s is missing", row->name);
            return usage_error(r->verb);
        }
    return RC_OK;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

enum rc cli_args(bool *done, const struct cli_arg *rows, int argc, char **argv)
{
    struct reading r = { .rows = rows,
                         .verb = cli_verb_now(),
                         .argc = argc,
                         .argv = argv,
                         .at = 1 };
    *done = wants_help(argc, argv);
    if (*done) {
        print_help(r.verb, rows);
        return RC_OK;
    }
    bool plain = false; /* after "--" */
    while (r.at < argc) {
        const char *word = argv[r.at++];
        if (!plain && strcmp(word, "--") == 0)
            plain = true;
        else if (!plain && word[0] == '-' && word[1])
            TRY(take_option(&r, word));
        else
            TRY(take_positional(&r, word));
    }
    return check_needed(&r);
}

enum rc cli_number(int64_t *out, const char *option, const char *text,
                   int64_t min, int64_t max)
{
    char *end;
    long long n = strtoll(text, &end, 10);
    if (end == text || *end || n < min || n > max)
        return rc_raise(RC_ARG, "%s: want a number, %lld to %lld", option,
                        (long long)min, (long long)max);
    *out = n;
    return RC_OK;
}

enum rc cli_time(int64_t *out, const char *option, const char *text)
{
    struct tm tm = { 0 };
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (!end || *end)
        return rc_raise(RC_ARG, "%s: want a time as 2026-11-22T03:35:00Z",
                        option);
    *out = (int64_t)timegm(&tm);
    return RC_OK;
}

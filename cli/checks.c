/* SPDX-License-Identifier: Apache-2.0 */
/* A verdict made of many small ones: one line a check, or one document. */
#include "cli/inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORDS_MAX 1024

static const char *const names[] = { "ok", "warn", "FAIL" };
static const char *const slugs[] = { "ok", "warn", "fail" };

enum rc cli_checks_begin(struct cli_checks *c)
{
    *c = (struct cli_checks){ .list = json_array() };
    return c->list ? RC_OK : rc_raise(RC_NOMEM, "checks: out of memory");
}

void cli_checks_end(struct cli_checks *c)
{
    json_decref(c->list);
    c->list = NULL;
}

static void say(enum cli_level level, const char *id, const char *words,
                const char *fix, struct cli_checks *c)
{
    if (cli_say_line("%-4s %-12s %s%s%s", names[level], id, words,
                     fix ? "; fix: " : "", fix ? fix : "") != RC_OK)
        c->failed++;
}

void cli_check(struct cli_checks *c, enum cli_level level, const char *id,
               const char *fix, const char *fmt, ...)
{
    char words[WORDS_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    c->failed += level == CLI_FAIL;
    c->warned += level == CLI_WARN;
    json_array_append_new(c->list,
                          json_pack("{s:s, s:b, s:s, s:s, s:s?}", "id", id,
                                    "ok", (int)(level != CLI_FAIL), "level",
                                    slugs[level], "words", words, "fix", fix));
    if (!cli_json())
        say(level, id, words, fix, c);
}

void cli_check_rc(struct cli_checks *c, const char *id, enum rc rc,
                  const char *fmt, ...)
{
    char words[WORDS_MAX];
    char fix[WORDS_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    snprintf(fix, sizeof(fix), "%s", rc_hint_text());
    if (rc == RC_OK)
        cli_check(c, CLI_OK, id, NULL, "%s", words);
    else
        cli_check(c, CLI_FAIL, id, *fix ? fix : NULL, "%s", rc_text());
}

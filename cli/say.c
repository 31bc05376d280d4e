/* SPDX-License-Identifier: Apache-2.0 */
/* How results, progress and failures reach a person or a program. */
#include "cli/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool json;
static bool told;

bool cli_json(void)
{
    return json;
}

void cli_json_set(bool on)
{
    json = on;
}

enum rc cli_say_json(json_t *doc)
{
    OWNED(json_t) *owned = doc;
    OWNED_MEM char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    if (!text)
        return rc_raise(RC_NOMEM, "result: out of memory, or a text that is "
                                  "not UTF-8");
    if (puts(text) < 0)
        return rc_raise(RC_IO, "stdout: cannot be written");
    return RC_OK;
}

enum rc cli_say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vprintf(fmt, ap);
    va_end(ap);
    return n < 0 ? rc_raise(RC_IO, "stdout: cannot be written") : RC_OK;
}

enum rc cli_say_line(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return rc_raise(RC_NOMEM, "result: out of memory");
    enum rc rc = cli_say("%s\n", state_plain(text, (size_t)n + 1, text));
    free(text);
    return rc;
}

json_t *cli_error_json(enum rc rc)
{
    return json_pack("{s:i, s:s, s:s, s:s}", "code", rc_exit(rc), "name",
                     rc_slug(rc), "message", rc_text(), "hint", rc_hint_text());
}

void cli_told(void)
{
    told = true;
}

int cli_fail(enum rc rc)
{
    const char *hint = rc_hint_text();
    if (told) {
        told = false; /* tests run many verbs in one process */
        return rc_exit(rc);
    }
    if (json) {
        if (cli_say_json(json_pack("{s:o}", "error", cli_error_json(rc))) !=
            RC_OK)
            return 1;
        fflush(stdout);
    } else {
        fflush(stdout);
        cli_note("%s%s%s%s", rc_text(), *hint ? " (" : "", hint,
                 *hint ? ")" : "");
    }
    return rc_exit(rc);
}

void cli_note(const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    if (json)
        return;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    /* names and reasons of others are in it: nothing of it moves a cursor */
    fprintf(stderr, "mpcsign: %s\n", state_plain(text, (size_t)n + 1, text));
    free(text);
}

void cli_banner(bool to_stderr)
{
    FILE *f = to_stderr ? stderr : stdout;
    const char *plain = getenv("NO_COLOR");
    bool red = isatty(fileno(f)) && !(plain && *plain);
    fprintf(f,
            "%s*** SIMULATED: this is NOT AMD hardware; nothing here protects "
            "a key against its host ***%s\n",
            red ? "\033[1;97;41m" : "", red ? "\033[0m" : "");
}

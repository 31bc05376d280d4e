/* SPDX-License-Identifier: Apache-2.0 */
/* One event, one line, one write: lines of two threads never mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_LEN 3072

static enum log_level max_level = LOG_INFO;
static bool as_json;
static char line_tag[64];

void log_setup(enum log_level max, bool json, const char *tag)
{
    max_level = max;
    as_json = json;
    snprintf(line_tag, sizeof(line_tag), "%s", tag ? tag : "");
}

static size_t put(char *line, size_t len, const char *text)
{
    while (*text && len < LINE_MAX_LEN - 8)
        line[len++] = *text++;
    return len;
}

/* JSON string content: control characters become spaces. */
static size_t put_escaped(char *line, size_t len, const char *text, size_t n)
{
    for (size_t i = 0; i < n && len < LINE_MAX_LEN - 8; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            line[len++] = '\\';
        line[len++] = (char)(c < 0x20 ? ' ' : c);
    }
    return len;
}

/* `k=v k="v w"` becomes "k":"v","k":"v w" */
static size_t put_pairs(char *line, size_t len, const char *pairs)
{
    while (*pairs) {
        const char *eq = strchr(pairs, '=');
        if (!eq)
            break;
        const char *value = eq + 1;
        bool quoted = *value == '"';
        if (quoted)
            value++;
        const char *end = quoted ? strchr(value, '"') : NULL;
        if (!end)
            end = value + strcspn(value, " ");
        len = put(line, len, ",\"");
        len = put_escaped(line, len, pairs, (size_t)(eq - pairs));
        len = put(line, len, "\":\"");
        len = put_escaped(line, len, value, (size_t)(end - value));
        len = put(line, len, "\"");
        pairs = end + (quoted && *end == '"');
        pairs += strspn(pairs, " ");
    }
    return len;
}

void log_event(enum log_level level, const char *event, const char *pairs, ...)
{
    if (level > max_level)
        return;
    char text[LINE_MAX_LEN - 256];
    va_list ap;
    va_start(ap, pairs);
    vsnprintf(text, sizeof(text), pairs, ap);
    va_end(ap);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = ' ';

    char line[LINE_MAX_LEN];
    size_t len = 0;
    if (as_json) {
        char at[CLOCK_TEXT_SIZE];
        len = put(line, len, "{\"time\":\"");
        len = put(line, len, clock_text(at, clock_now_s()));
        len = put(line, len, "\",\"event\":\"");
        len = put(line, len, event);
        len = put(line, len, "\"");
        len = put_pairs(line, len, line_tag);
        len = put_pairs(line, len, text);
        len = put(line, len, "}");
    } else {
        char prefix[8];
        snprintf(prefix, sizeof(prefix), "<%d>", (int)level);
        len = put(line, len, prefix);
        len = put(line, len, event);
        if (line_tag[0]) {
            len = put(line, len, " ");
            len = put(line, len, line_tag);
        }
        len = put(line, len, text[0] ? " " : "");
        len = put(line, len, text);
    }
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* nowhere left to say so */
}

void log_rc(enum log_level level, const char *event, enum rc rc)
{
    char text[1100];
    char hint[300];
    snprintf(text, sizeof(text), "%s", rc_text());
    snprintf(hint, sizeof(hint), "%s", rc_hint_text());
    for (char *c = text; *c; c++)
        if (*c == '"')
            *c = '\'';
    for (char *c = hint; *c; c++)
        if (*c == '"')
            *c = '\'';
    if (hint[0])
        log_event(level, event, "code=%s at=%s why=\"%s\" hint=\"%s\"",
                  rc_slug(rc), rc_where(), text, hint);
    else
        log_event(level, event, "code=%s at=%s why=\"%s\"", rc_slug(rc),
                  rc_where(), text);
}

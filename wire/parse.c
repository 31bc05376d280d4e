/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a stranger's text to a tree, at a bounded price and with memory
 * failures told apart from the truth. Two things jansson does not do for us:
 *
 * 1. Three bytes of JSON ("{},") become some 300 bytes of tree, so a body
 *    well inside its limit could cost gigabytes. We count values first; no
 *    message has more than its table allows.
 *
 * 2. Its lexer ignores a failed growth of its token buffer (lex_save() in
 *    load.c) and goes on with bytes missing: wrong values, an abort, or a read
 *    past the end where the closing quote went missing. The buffer keeps its
 *    size from token to token, so a guard in front makes it grow first, where
 *    it does no harm and shows: we parse ["guard",BODY].
 */
#include "wire/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define LEVELS_MAX  16 /* the deepest message has 8 */
#define WORD_MAX    20 /* -9223372036854775808 */
#define ROOM_MIN    32
#define GUARD_HEAD  "[\"xxxx"
#define GUARD_TAIL  "\","
#define GUARD_PLAIN 4 /* x */

OWNED_BY(json_t, json_decref);

/* ---- 1: count first ------------------------------------------------------ */

struct scan {
    const char *json;
    size_t len;
    size_t at;
    uint64_t left;  /* values still allowed */
    int levels;     /* open objects and arrays */
    size_t longest; /* token, as written */
};

/* How many values, with all lists full. */
static uint64_t values(const struct wire_row *row)
{
    uint64_t n = 1;
    if (row->kind == WIRE_ARRAY || row->kind == WIRE_MAYBE)
        n += row->max * values(row->item);
    if (row->kind == WIRE_STRUCT)
        for (const struct wire_row *r = row->table->rows; r->name; r++)
            n += values(r);
    return n;
}

/* From its opening quote to behind the closing one, or to the end. */
static size_t string_length(const struct scan *s)
{
    size_t i = s->at + 1;
    while (i < s->len && s->json[i] != '"')
        i += s->json[i] == '\\' ? 2 : 1;
    return i < s->len ? i + 1 - s->at : s->len - s->at;
}

static bool is_plain(char c)
{
    return c && strchr("{}[],: \t\r\n", c);
}

/* A number, true, false or null, or what is not JSON. */
static enum rc scan_word(struct scan *s, size_t *length, const char *name)
{
    const char *word = s->json + s->at;
    size_t n = 0;
    while (s->at + n < s->len && !is_plain(word[n]) && word[n] != '"')
        if (++n > WORD_MAX)
            return rc_raise(RC_PARSE, "%s: byte %zu: over %d characters", name,
                            s->at, WORD_MAX);
    /*
     * Reals stop here: the parser reads them by the process's locale, which
     * is not ours in a provider, and asserts that it understood.
     */
    bool number = word[0] == '-' || (word[0] >= '0' && word[0] <= '9');
    for (size_t i = 0; number && i < n; i++)
        if (word[i] == '.' || word[i] == 'e' || word[i] == 'E')
            return rc_raise(RC_PARSE, "%s: byte %zu: want an integer", name,
                            s->at);
    *length = n;
    return RC_OK;
}

/* Not a JSON parser: what it lets through may still be anything. */
static enum rc scan_text(struct scan *s, const char *name)
{
    for (size_t length; s->at < s->len; s->at += length) {
        char c = s->json[s->at];
        length = 1;
        if (c == '"')
            length = string_length(s);
        else if (!is_plain(c))
            TRY(scan_word(s, &length, name));
        if (length > s->longest)
            s->longest = length;
        s->levels += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (s->levels > LEVELS_MAX)
            return rc_raise(RC_PARSE, "%s: byte %zu: nested too deep", name,
                            s->at);
        /* all but the first value stand first in a container or after ',' */
        if ((c == '{' || c == '[' || c == ',') && s->left-- == 0)
            return rc_raise(RC_PARSE, "%s: byte %zu: more values than fit",
                            name, s->at);
    }
    return RC_OK;
}

/* ---- 2: the guard in front ----------------------------------------------- */

struct feed {
    char *guard; /* ["xxxx\u0041...\u0041", */
    size_t guard_len;
    size_t escapes;
    const char *json;
    size_t len;
    size_t at; /* of the whole: guard, json, "]" */
};

static void feed_clear(struct feed *f)
{
    free(f->guard);
}

/*
 * Growth happens where a power of two is full. `xxxx` puts each of those
 * places inside the digits of an escape, so that whatever is cut there, for
 * one byte or for all that follow, leaves no whole escape: jansson refuses
 * it before it looks for the closing quote. The last growth is to over
 * `longest` and a byte of look-ahead, and well before the guard's own end.
 */
static enum rc feed_init(struct feed *f, size_t longest)
{
    size_t half = ROOM_MIN;
    while (half * 2 < longest + 3)
        half *= 2;
    f->escapes = half / 6 + 1;
    f->guard = malloc(f->escapes * 6 + sizeof(GUARD_HEAD GUARD_TAIL));
    if (!f->guard)
        return rc_raise(RC_NOMEM, "message: guard of %zu bytes", half);
    char *p = stpcpy(f->guard, GUARD_HEAD);
    for (size_t i = 0; i < f->escapes; i++)
        p = stpcpy(p, "\\u0041");
    p = stpcpy(p, GUARD_TAIL);
    f->guard_len = (size_t)(p - f->guard);
    return RC_OK;
}

/* Did all of it arrive? */
static bool guard_is_whole(const struct feed *f, const json_t *guard)
{
    const char *p = json_string_value(guard);
    return p && json_string_length(guard) == GUARD_PLAIN + f->escapes &&
           strspn(p + GUARD_PLAIN, "A") == f->escapes;
}

/* Copies what of src[len], which stands at `start`, fits; moves f->at. */
static size_t feed_part(struct feed *f, size_t start, const char *src,
                        size_t len, char *out, size_t room)
{
    if (f->at < start || f->at - start >= len)
        return 0;
    size_t from = f->at - start;
    size_t n = len - from < room ? len - from : room;
    memcpy(out, src + from, n);
    f->at += n;
    return n;
}

static size_t feed_read(void *buffer, size_t size, void *ctx)
{
    struct feed *f = ctx;
    char *out = buffer;
    size_t n = feed_part(f, 0, f->guard, f->guard_len, out, size);
    n += feed_part(f, f->guard_len, f->json, f->len, out + n, size - n);
    n += feed_part(f, f->guard_len + f->len, "]", 1, out + n, size - n);
    return n;
}

static enum rc refuse_text(const json_error_t *error, const struct feed *f,
                           const char *name)
{
    size_t before = f->guard_len;
    size_t at = error->position < 0 ? 0 : (size_t)error->position;
    /* without a text, or inside the guard, the input is not to blame */
    if (error->text[0] == '\0' || at < before ||
        json_error_code(error) == json_error_out_of_memory)
        return rc_raise(RC_NOMEM, "%s: JSON of %zu bytes", name, f->len);
    at = at - before < f->len ? at - before : f->len;
    return rc_raise(RC_PARSE, "%s: byte %zu: not JSON", name, at);
}

enum rc wire_parse(json_t **out, const struct wire_table *table,
                   const char *json, size_t len)
{
    if (len > WIRE_JSON_MAX)
        return rc_raise(RC_TOO_LARGE, "%s: %zu bytes, want at most %u",
                        table->name, len, WIRE_JSON_MAX);
    const struct wire_row whole = { .kind = WIRE_STRUCT, .table = table };
    struct scan scan = {
        .json = json, .len = len, .left = values(&whole), .longest = WORD_MAX
    };
    TRY(scan_text(&scan, table->name));

    __attribute__((cleanup(feed_clear))) struct feed feed = { .json = json,
                                                              .len = len };
    TRY(feed_init(&feed, scan.longest));
    json_error_t error = { .text = "" };
    OWNED(json_t) *both = json_load_callback(feed_read, &feed,
                                             JSON_REJECT_DUPLICATES, &error);
    if (!both)
        return refuse_text(&error, &feed, table->name);
    if (!guard_is_whole(&feed, json_array_get(both, 0)))
        return rc_raise(RC_NOMEM, "%s: JSON of %zu bytes", table->name, len);
    /* "{},{}" or nothing at all */
    if (json_array_size(both) != 2)
        return rc_raise(RC_PARSE, "%s: want one object", table->name);
    *out = json_incref(json_array_get(both, 1));
    return RC_OK;
}

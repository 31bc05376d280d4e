/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at the text before a tree is made of it. Three bytes of JSON ("{},")
 * become some 300 bytes of tree, so a body well inside its limit could still
 * cost gigabytes; no message has more values than its table allows.
 *
 * Reals are refused here and not in the tree: the parser reads them with the
 * process's locale, which is not ours when we live in a provider.
 */
#include "wire/codec.h"

#include <string.h>

#define LEVELS_MAX 16 /* the deepest message has 8 */

/* How many values, with all lists full. */
static uint64_t values(const struct wire_row *row)
{
    uint64_t n = 1;
    if (row->kind == WIRE_ARRAY)
        n += row->max * values(row->item);
    if (row->kind == WIRE_STRUCT)
        for (const struct wire_row *r = row->table->rows; r->name; r++)
            n += values(r);
    return n;
}

/* Index of the closing quote; len when there is none. */
static size_t string_end(const char *json, size_t len, size_t open)
{
    for (size_t i = open + 1; i < len; i++) {
        if (json[i] == '"')
            return i;
        if (json[i] == '\\')
            i++;
    }
    return len;
}

/* Of a number, the bytes that only a real has. */
static bool is_real(const char *json, size_t i)
{
    if (json[i] == '.')
        return true;
    bool e = json[i] == 'e' || json[i] == 'E';
    return e && i > 0 && json[i - 1] >= '0' && json[i - 1] <= '9';
}

enum rc wire_weigh(const struct wire_table *table, const char *json, size_t len)
{
    const struct wire_row whole = { .kind = WIRE_STRUCT, .table = table };
    uint64_t left = values(&whole);
    int levels = 0;
    for (size_t i = 0; i < len; i++) {
        char c = json[i];
        if (c == '"')
            i = string_end(json, len, i);
        else if (is_real(json, i))
            return rc_raise(RC_PARSE, "%s: byte %zu: number is not an integer",
                            table->name, i);
        else if (c == '}' || c == ']')
            levels--;
        else if (c == '{' || c == '[')
            levels++;
        if (levels > LEVELS_MAX)
            return rc_raise(RC_PARSE, "%s: byte %zu: nested too deep",
                            table->name, i);
        /* every value but the first of a container follows a comma */
        if ((c == '{' || c == '[' || c == ',') && left-- == 0)
            return rc_raise(RC_PARSE, "%s: byte %zu: more values than fit",
                            table->name, i);
    }
    return RC_OK;
}

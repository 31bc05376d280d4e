/* SPDX-License-Identifier: Apache-2.0 */
#include "fill.h"

#include <stdlib.h>
#include <string.h>

static void fill_value(const struct wire_row *row, void *member,
                       const struct fill *how);

static void must(enum rc rc)
{
    if (rc != RC_OK)
        abort();
}

static size_t least(size_t a, uint64_t b)
{
    return a < b ? a : (size_t)b;
}

/* Bytes that are all different from their neighbours, none of them zero. */
static void fill_bytes(uint8_t *p, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(1 + (from + i * 7) % 255);
}

/* Everything a JSON string has to escape, and two characters of UTF-8. */
static void fill_text(struct wire_text *t, size_t n)
{
    static const char some[] = "\xe2\x80\x94 a/log\n\"q\"\\\t\x01\x7f\xc3\xa9";
    const size_t step = sizeof(some) - 1;
    char *p = malloc(n + 1);
    if (!p)
        abort();
    memset(p, 'x', n);
    for (size_t i = 0; i + step <= n; i += step)
        memcpy(p + i, some, step);
    must(wire_text_set(t, p, n));
    free(p);
}

static void fill_list(const struct wire_row *row, struct wire_any_list *list,
                      const struct fill *how)
{
    size_t n = least(how->elements, row->max);
    if (n < row->min)
        n = (size_t)row->min;
    must(wire_list_alloc(&list->at, &list->n, row->size, n));
    for (size_t i = 0; i < n; i++)
        fill_value(row->item, (char *)list->at + i * row->size, how);
}

static void fill_value(const struct wire_row *row, void *member,
                       const struct fill *how)
{
    size_t n = least(how->bytes, row->max);
    struct wire_blob *b = member;
    switch (row->kind) {
    case WIRE_HEX:
        fill_bytes(member, row->size, row->offset);
        break;
    case WIRE_STR:
        memset(member, 'a', row->size - 1);
        break;
    case WIRE_U64:
        *(uint64_t *)member = row->max;
        break;
    case WIRE_BOOL:
        *(bool *)member = true;
        break;
    case WIRE_BLOB:
        must(wire_blob_set(b, "", 0));
        b->p = realloc(b->p, n + 1);
        if (!b->p)
            abort();
        fill_bytes(b->p, n, row->offset);
        b->len = n;
        break;
    case WIRE_TEXT:
        fill_text(member, n);
        break;
    case WIRE_STRUCT:
        fill(row->table, member, how);
        break;
    case WIRE_ARRAY:
    case WIRE_MAYBE:
        fill_list(row, member, how);
        break;
    }
}

void fill(const struct wire_table *table, void *m, const struct fill *how)
{
    for (const struct wire_row *row = table->rows; row->name; row++)
        fill_value(row, (char *)m + row->offset, how);
}

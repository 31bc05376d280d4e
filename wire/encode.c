/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Struct to JSON, by table. A struct that breaks its table is our own mistake
 * and is refused here, before a peer does it; a failed allocation anywhere
 * fails the whole, so nothing goes out half said.
 */
#include "wire/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/own.h"

#define HEX_MAX 160 /* bytes of the longest WIRE_HEX member: a piece has 136 */

OWNED_BY(json_t, json_decref);

static enum rc put_value(json_t **out, const struct wire_row *row,
                         const void *member, const struct wire_path *path);

/* NULL from jansson's constructors means memory. */
static enum rc made(json_t **out, json_t *v, const struct wire_path *path)
{
    if (!v)
        return wire_refuse(path, RC_NOMEM, "JSON value");
    *out = v;
    return RC_OK;
}

static enum rc put_hex(json_t **out, const struct wire_row *row,
                       const void *member, const struct wire_path *path)
{
    char hex[ENC_HEX_SIZE(HEX_MAX)];
    if (row->size > HEX_MAX)
        return wire_refuse(path, RC_INTERNAL, "over %d bytes", HEX_MAX);
    enc_hex(hex, member, row->size);
    return made(out, json_stringn_nocheck(hex, ENC_HEX_LEN(row->size)), path);
}

/* Length of the sequence at p, 0 if it is not UTF-8 (RFC 3629 section 4). */
static size_t utf8_step(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* no overlong forms, no surrogates, nothing over U+10FFFF */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

static enum rc put_string(json_t **out, const char *p, size_t len,
                          const struct wire_path *path)
{
    if (len && memchr(p, '\0', len))
        return wire_refuse(path, RC_ARG, "NUL inside");
    for (size_t i = 0, step; i < len; i += step) {
        step = utf8_step((const unsigned char *)p + i, len - i);
        if (step == 0)
            return wire_refuse(path, RC_ARG, "not UTF-8 at byte %zu", i);
    }
    return made(out, json_stringn(len ? p : "", len), path);
}

static enum rc put_str(json_t **out, const struct wire_row *row, const char *p,
                       const struct wire_path *path)
{
    size_t len = strnlen(p, row->size);
    if (len == row->size)
        return wire_refuse(path, RC_ARG, "no NUL in its %zu bytes", len);
    if (!wire_printable(p, len))
        return wire_refuse(path, RC_ARG, "control characters");
    return put_string(out, p, len, path);
}

static enum rc put_u64(json_t **out, const struct wire_row *row, uint64_t v,
                       const struct wire_path *path)
{
    if (v > row->max)
        return wire_refuse(path, RC_ARG, "want 0..%llu",
                           (unsigned long long)row->max);
    return made(out, json_integer((json_int_t)v), path);
}

/* A member of len elements or bytes fits its row and really points somewhere */
static enum rc check_size(const struct wire_row *row, const void *p, size_t len,
                          const struct wire_path *path)
{
    if (len < row->min || len > row->max)
        return wire_refuse(path, RC_ARG, "size %zu, want %llu..%llu", len,
                           (unsigned long long)row->min,
                           (unsigned long long)row->max);
    if (len && !p)
        return wire_refuse(path, RC_ARG, "size %zu at NULL", len);
    return RC_OK;
}

static enum rc put_blob(json_t **out, const struct wire_row *row,
                        const struct wire_blob *b, const struct wire_path *path)
{
    TRY(check_size(row, b->p, b->len, path));
    OWNED_MEM char *text = malloc(ENC_B64_SIZE(b->len));
    if (!text)
        return wire_refuse(path, RC_NOMEM, "%zu bytes", b->len);
    enc_b64u(text, b->p, b->len);
    return made(out, json_string_nocheck(text), path);
}

static enum rc put_text(json_t **out, const struct wire_row *row,
                        const struct wire_text *t, const struct wire_path *path)
{
    TRY(check_size(row, t->p, t->len, path));
    return put_string(out, t->p, t->len, path);
}

static enum rc put_struct(json_t **out, const struct wire_table *table,
                          const void *m, const struct wire_path *path)
{
    OWNED(json_t) *object = NULL;
    TRY(made(&object, json_object(), path));
    for (const struct wire_row *row = table->rows; row->name; row++) {
        struct wire_path at = { .up = path, .name = row->name };
        json_t *value;
        TRY(put_value(&value, row, (const char *)m + row->offset, &at));
        /* takes the value even when it fails */
        if (json_object_set_new_nocheck(object, row->name, value) != 0)
            return wire_refuse(&at, RC_NOMEM, "JSON object");
    }
    *out = TAKE(object);
    return RC_OK;
}

static enum rc put_array(json_t **out, const struct wire_row *row,
                         const struct wire_any_list *list,
                         const struct wire_path *path)
{
    TRY(check_size(row, list->at, list->n, path));
    OWNED(json_t) *array = NULL;
    TRY(made(&array, json_array(), path));
    for (size_t i = 0; i < list->n; i++) {
        struct wire_path at = { .up = path, .index = i };
        const char *element = (const char *)list->at + i * row->size;
        json_t *value;
        TRY(put_value(&value, row->item, element, &at));
        if (json_array_append_new(array, value) != 0)
            return wire_refuse(&at, RC_NOMEM, "JSON array");
    }
    *out = TAKE(array);
    return RC_OK;
}

static enum rc put_maybe(json_t **out, const struct wire_row *row,
                         const struct wire_any_list *list,
                         const struct wire_path *path)
{
    TRY(check_size(row, list->at, list->n, path));
    return list->n ? put_value(out, row->item, list->at, path)
                   : made(out, json_null(), path);
}

static enum rc put_value(json_t **out, const struct wire_row *row,
                         const void *member, const struct wire_path *path)
{
    switch (row->kind) {
    case WIRE_HEX:
        return put_hex(out, row, member, path);
    case WIRE_STR:
        return put_str(out, row, member, path);
    case WIRE_U64:
        return put_u64(out, row, *(const uint64_t *)member, path);
    case WIRE_BOOL:
        return made(out, json_boolean(*(const bool *)member), path);
    case WIRE_BLOB:
        return put_blob(out, row, member, path);
    case WIRE_TEXT:
        return put_text(out, row, member, path);
    case WIRE_STRUCT:
        return put_struct(out, row->table, member, path);
    case WIRE_ARRAY:
        return put_array(out, row, member, path);
    case WIRE_MAYBE:
        return put_maybe(out, row, member, path);
    }
    return wire_refuse(path, RC_INTERNAL, "row of no kind");
}

enum rc wire_encode(const struct wire_table *table, char **json, size_t *len,
                    const void *in)
{
    struct wire_path path = { .name = table->name };
    OWNED(json_t) *root = NULL;
    TRY(put_struct(&root, table, in, &path));
    /*
     * Measured, then written into our own memory: json_dumps() would use the
     * allocator of whoever called json_set_alloc_funcs(), and free() is ours.
     */
    size_t need = json_dumpb(root, NULL, 0, JSON_COMPACT);
    if (need == 0)
        return rc_raise(RC_NOMEM, "%s: JSON", table->name);
    if (need > WIRE_JSON_MAX)
        return rc_raise(RC_TOO_LARGE, "%s: %zu bytes, want at most %u",
                        table->name, need, WIRE_JSON_MAX);
    OWNED_MEM char *text = malloc(need + 1);
    if (!text || json_dumpb(root, text, need, JSON_COMPACT) != need)
        return rc_raise(RC_NOMEM, "%s: JSON of %zu bytes", table->name, need);
    text[need] = '\0';
    *json = TAKE(text);
    *len = need;
    return RC_OK;
}

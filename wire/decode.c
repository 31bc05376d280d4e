/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON to struct, by table. The input is a stranger's: every size is checked
 * against its row before memory is asked for, and error texts name our fields
 * and sizes, never what the stranger wrote.
 */
#include "wire/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/own.h"

OWNED_BY(json_t, json_decref);

static enum rc get_value(const struct wire_row *row, void *member, json_t *v,
                         const struct wire_path *path);

static enum rc get_string(const char **p, size_t *len, json_t *v,
                          const struct wire_path *path)
{
    if (!json_is_string(v))
        return wire_refuse(path, RC_PARSE, "want a string");
    *p = json_string_value(v);
    *len = json_string_length(v);
    if (memchr(*p, '\0', *len))
        return wire_refuse(path, RC_PARSE, "want no NUL inside");
    return RC_OK;
}

static enum rc get_hex(const struct wire_row *row, void *member, json_t *v,
                       const struct wire_path *path)
{
    const char *p;
    size_t len;
    TRY(get_string(&p, &len, v, path));
    if (len != ENC_HEX_LEN(row->size) ||
        enc_unhex(member, row->size, p, len) != RC_OK)
        return wire_refuse(path, RC_PARSE, "want %zu lower-case hex characters",
                           ENC_HEX_LEN(row->size));
    return RC_OK;
}

static enum rc get_str(const struct wire_row *row, void *member, json_t *v,
                       const struct wire_path *path)
{
    const char *p;
    size_t len;
    TRY(get_string(&p, &len, v, path));
    if (len >= row->size)
        return wire_refuse(path, RC_PARSE, "%zu bytes, want at most %zu", len,
                           row->size - 1);
    if (!wire_printable(p, len))
        return wire_refuse(path, RC_PARSE, "want no control characters");
    memcpy(member, p, len); /* the struct was zeroed: NUL is there */
    return RC_OK;
}

static enum rc get_u64(const struct wire_row *row, void *member, json_t *v,
                       const struct wire_path *path)
{
    if (!json_is_integer(v))
        return wire_refuse(path, RC_PARSE, "want an integer");
    json_int_t value = json_integer_value(v);
    if (value < 0 || (uint64_t)value > row->max)
        return wire_refuse(path, RC_PARSE, "want 0..%llu",
                           (unsigned long long)row->max);
    *(uint64_t *)member = (uint64_t)value;
    return RC_OK;
}

static enum rc get_bool(void *member, json_t *v, const struct wire_path *path)
{
    if (!json_is_boolean(v))
        return wire_refuse(path, RC_PARSE, "want true or false");
    *(bool *)member = json_is_true(v);
    return RC_OK;
}

static enum rc get_blob(const struct wire_row *row, struct wire_blob *b,
                        json_t *v, const struct wire_path *path)
{
    const char *p;
    size_t len;
    TRY(get_string(&p, &len, v, path));
    /* 4 characters are 3 bytes; a rest of 2 or 3 is 1 or 2 */
    size_t cap = len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0);
    if (cap > row->max)
        return wire_refuse(path, RC_PARSE, "%zu bytes, want at most %llu", cap,
                           (unsigned long long)row->max);
    OWNED_MEM uint8_t *bytes = calloc(1, cap + 1);
    if (!bytes)
        return wire_refuse(path, RC_NOMEM, "%zu bytes", cap);
    size_t got;
    if (enc_unb64u(bytes, cap, &got, p, len) != RC_OK)
        return wire_refuse(path, RC_PARSE, "want unpadded base64url");
    *b = (struct wire_blob){ TAKE(bytes), got };
    return RC_OK;
}

static enum rc get_text(const struct wire_row *row, struct wire_text *t,
                        json_t *v, const struct wire_path *path)
{
    const char *p;
    size_t len;
    TRY(get_string(&p, &len, v, path));
    if (len > row->max)
        return wire_refuse(path, RC_PARSE, "%zu bytes, want at most %llu", len,
                           (unsigned long long)row->max);
    return wire_text_set(t, p, len);
}

static enum rc get_struct(const struct wire_table *table, void *m, json_t *v,
                          const struct wire_path *path)
{
    if (!json_is_object(v))
        return wire_refuse(path, RC_PARSE, "want an object");
    size_t want = 0;
    for (const struct wire_row *row = table->rows; row->name; row++, want++) {
        struct wire_path at = { .up = path, .name = row->name };
        json_t *value = json_object_get(v, row->name);
        if (!value)
            return wire_refuse(&at, RC_PARSE, "missing");
        TRY(get_value(row, (char *)m + row->offset, value, &at));
    }
    /* all of ours are there and none twice, so more is foreign */
    if (json_object_size(v) != want)
        return wire_refuse(path, RC_PARSE, "%zu keys, want %zu",
                           json_object_size(v), want);
    return RC_OK;
}

static enum rc get_array(const struct wire_row *row, struct wire_any_list *list,
                         json_t *v, const struct wire_path *path)
{
    if (!json_is_array(v))
        return wire_refuse(path, RC_PARSE, "want an array");
    size_t n = json_array_size(v);
    if (n < row->min || n > row->max)
        return wire_refuse(path, RC_PARSE, "%zu elements, want %llu..%llu", n,
                           (unsigned long long)row->min,
                           (unsigned long long)row->max);
    TRY(wire_list_alloc(&list->at, &list->n, row->size, n));
    for (size_t i = 0; i < n; i++) {
        struct wire_path at = { .up = path, .index = i };
        TRY(get_value(row->item, (char *)list->at + i * row->size,
                      json_array_get(v, i), &at));
    }
    return RC_OK;
}

static enum rc get_maybe(const struct wire_row *row, struct wire_any_list *list,
                         json_t *v, const struct wire_path *path)
{
    if (json_is_null(v))
        return RC_OK;
    if (!json_is_object(v))
        return wire_refuse(path, RC_PARSE, "want an object or null");
    TRY(wire_list_alloc(&list->at, &list->n, row->size, 1));
    return get_value(row->item, list->at, v, path);
}

static enum rc get_value(const struct wire_row *row, void *member, json_t *v,
                         const struct wire_path *path)
{
    switch (row->kind) {
    case WIRE_HEX:
        return get_hex(row, member, v, path);
    case WIRE_STR:
        return get_str(row, member, v, path);
    case WIRE_U64:
        return get_u64(row, member, v, path);
    case WIRE_BOOL:
        return get_bool(member, v, path);
    case WIRE_BLOB:
        return get_blob(row, member, v, path);
    case WIRE_TEXT:
        return get_text(row, member, v, path);
    case WIRE_STRUCT:
        return get_struct(row->table, member, v, path);
    case WIRE_ARRAY:
        return get_array(row, member, v, path);
    case WIRE_MAYBE:
        return get_maybe(row, member, v, path);
    }
    return wire_refuse(path, RC_INTERNAL, "row of no kind");
}

enum rc wire_decode(const struct wire_table *table, void *out, const char *json,
                    size_t len)
{
    memset(out, 0, table->size);
    OWNED(json_t) *root = NULL;
    TRY(wire_parse(&root, table, json, len));
    struct wire_path path = { .name = table->name };
    enum rc rc = get_struct(table, out, root, &path);
    if (rc != RC_OK)
        wire_free(table, out);
    return rc;
}

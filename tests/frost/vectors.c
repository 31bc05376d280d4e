/* SPDX-License-Identifier: Apache-2.0 */
/* See vectors.h. */
#include "vectors.h"

#include "base/enc.h"

json_t *vec_load(const char *name)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/frost/%s", testdata(), name);
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return root;
}

json_t *vec_get(const json_t *obj, const char *key)
{
    json_t *v = json_object_get(obj, key);
    if (!v)
        fail_msg("vector without \"%s\"", key);
    return v;
}

const char *vec_str(const json_t *obj, const char *key)
{
    const char *s = json_string_value(vec_get(obj, key));
    assert_non_null(s);
    return s;
}

void vec_hex(const json_t *text, void *out, size_t len)
{
    assert_true(json_is_string(text));
    assert_ok(enc_unhex(out, len, json_string_value(text),
                        json_string_length(text)));
}

void vec_hex_of(const json_t *obj, const char *key, void *out, size_t len)
{
    vec_hex(vec_get(obj, key), out, len);
}

uint8_t *vec_bytes(const json_t *obj, const char *key, size_t *len)
{
    const json_t *v = vec_get(obj, key);
    *len = json_string_length(v) / 2;
    uint8_t *out = malloc(*len + 1);
    assert_non_null(out);
    vec_hex(v, out, *len);
    return out;
}

unsigned vec_uint(const json_t *obj, const char *key)
{
    const json_t *v = vec_get(obj, key);
    if (json_is_integer(v))
        return (unsigned)json_integer_value(v);
    assert_true(json_is_string(v));
    return (unsigned)strtoul(json_string_value(v), NULL, 10);
}

struct frost_id vec_id(const json_t *v)
{
    struct frost_id id;
    uint8_t le[32];
    if (json_is_integer(v)) {
        assert_in_range(json_integer_value(v), 1, 65535);
        assert_ok(frost_id_from_u16(&id, (uint16_t)json_integer_value(v)));
    } else {
        vec_hex(v, le, sizeof(le));
        assert_ok(frost_id_decode(&id, le));
    }
    return id;
}

json_t *vec_find(const json_t *array, const struct frost_id *id)
{
    size_t i;
    json_t *row;
    json_array_foreach (array, i, row) {
        struct frost_id at = vec_id(vec_get(row, "identifier"));
        if (frost_id_cmp(&at, id) == 0)
            return row;
    }
    fail_msg("vector without the identifier of %u", frost_id_to_u16(id));
    return NULL;
}

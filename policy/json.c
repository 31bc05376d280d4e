/* SPDX-License-Identifier: Apache-2.0 */
/* Strict JSON over jansson; see json.h. */
#include "policy/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/own.h"
#include "policy/policy.h"

/*
 * jansson drops characters of a word that it finds no memory for, and goes on.
 * Its buffer keeps the size it once had: a first word as long as any that
 * follows shows that there is enough, or is itself too short.
 */
#define GUARD_HEAD "[\""
#define GUARD_TAIL "\",\n"

/* Of what stands between two quotes, or outside any. */
static size_t longest_word(const char *p, size_t len)
{
    size_t longest = 0;
    size_t run = 0;
    for (size_t i = 0; i < len; i++) {
        if (p[i] == '\\' && i + 1 < len) {
            run += 2;
            i++;
        } else if (p[i] == '"') {
            longest = run > longest ? run : longest;
            run = 0;
        } else {
            run++;
        }
    }
    return run > longest ? run : longest;
}

/* GUARD_HEAD, n letters, GUARD_TAIL, the text, "]"; heap. */
static char *guarded(const void *bytes, size_t len, size_t n, size_t *total)
{
    const size_t head = sizeof(GUARD_HEAD) - 1;
    const size_t tail = sizeof(GUARD_TAIL) - 1;
    char *p = malloc(head + n + tail + len + 1);
    if (!p)
        return NULL;
    memcpy(p, GUARD_HEAD, head);
    memset(p + head, 'A', n);
    memcpy(p + head + n, GUARD_TAIL, tail);
    memcpy(p + head + n + tail, bytes, len);
    p[head + n + tail + len] = ']';
    *total = head + n + tail + len + 1;
    return p;
}

/* The text begins on the second line. err.text quotes it: never told. */
static enum rc refuse(const json_error_t *err, size_t len, const char *what)
{
    if (err->text[0] == '\0' || err->line < 2 ||
        json_error_code(err) == json_error_out_of_memory)
        return rc_raise(RC_NOMEM, "%s: JSON of %zu bytes", what, len);
    return rc_raise(RC_PARSE, "%s: not JSON at line %d column %d", what,
                    err->line - 1, err->column);
}

enum rc policy_json_open(json_t **out, const void *bytes, size_t len,
                         size_t max, const char *what)
{
    if (len > max)
        return rc_raise(RC_TOO_LARGE, "%s: %zu bytes, at most %zu", what, len,
                        max);
    size_t n = longest_word(bytes, len);
    size_t total;
    OWNED_MEM char *text = guarded(bytes, len, n, &total);
    if (!text)
        return rc_raise(RC_NOMEM, "%s: JSON of %zu bytes", what, len);
    json_error_t err = { .text = "" };
    json_t *both = json_loadb(text, total, JSON_REJECT_DUPLICATES, &err);
    if (!both)
        return refuse(&err, len, what);
    json_t *v = json_array_get(both, 1);
    enum rc rc = RC_OK;
    if (json_string_length(json_array_get(both, 0)) != n)
        rc = rc_raise(RC_NOMEM, "%s: JSON of %zu bytes", what, len);
    else if (json_array_size(both) != 2 ||
             !(json_is_object(v) || json_is_array(v)))
        rc = rc_raise(RC_PARSE, "%s: want one JSON object", what);
    else
        *out = json_incref(v);
    json_decref(both);
    return rc;
}

static enum rc exactly(const struct policy_obj *o, const char *const *keys)
{
    size_t n = 0;
    for (; *keys; keys++) {
        bool optional = **keys == '?';
        bool there = json_object_get(o->v, *keys + optional);
        if (!there && !optional)
            return rc_raise(RC_PARSE, "%s: no member %s", o->at, *keys);
        n += there;
    }
    if (json_object_size(o->v) != n)
        return rc_raise(RC_PARSE, "%s: %zu unknown members", o->at,
                        json_object_size(o->v) - n);
    return RC_OK;
}

static enum rc object(struct policy_obj *o, const json_t *v,
                      const char *const *keys)
{
    if (!json_is_object(v))
        return rc_raise(RC_PARSE, "%s: want an object", o->at);
    o->v = v;
    return exactly(o, keys);
}

enum rc policy_obj_of(struct policy_obj *out, const json_t *v,
                      const char *const *keys, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out->at, sizeof(out->at), fmt, ap);
    va_end(ap);
    return object(out, v, keys);
}

enum rc policy_obj_in(struct policy_obj *out, const struct policy_obj *o,
                      const char *key, const char *const *keys)
{
    snprintf(out->at, sizeof(out->at), "%s.%s", o->at, key);
    return object(out, json_object_get(o->v, key), keys);
}

bool policy_obj_has(const struct policy_obj *o, const char *key)
{
    return json_object_get(o->v, key) != NULL;
}

bool policy_obj_null(const struct policy_obj *o, const char *key)
{
    return json_is_null(json_object_get(o->v, key));
}

/* Borrowed text of a member; jansson has refused NUL and bad UTF-8. */
static enum rc text_of(const char **out, size_t *len,
                       const struct policy_obj *o, const char *key)
{
    const json_t *v = json_object_get(o->v, key);
    if (!json_is_string(v))
        return rc_raise(RC_PARSE, "%s.%s: want a string", o->at, key);
    *out = json_string_value(v);
    *len = json_string_length(v);
    return RC_OK;
}

enum rc policy_json_text(const char **out, const json_t *v, const char *at)
{
    if (!json_is_string(v))
        return rc_raise(RC_PARSE, "%s: want strings", at);
    *out = json_string_value(v);
    return RC_OK;
}

/* One code point of UTF-8 already known to be well-formed. */
static uint32_t next_code(const uint8_t **at)
{
    const uint8_t *p = *at;
    unsigned more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : p[0] >= 0xc0 ? 1 : 0;
    uint32_t c = more ? p[0] & (0x3fu >> more) : p[0];
    for (unsigned i = 1; i <= more && p[i]; i++)
        c = c << 6 | (p[i] & 0x3fu);
    for (unsigned i = 0; i <= more && **at; i++)
        ++*at;
    return c;
}

bool policy_text_plain(const char *text)
{
    const uint8_t *p = (const uint8_t *)text;
    while (*p) {
        uint32_t c = next_code(&p);
        if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            return false; /* controls, which terminals obey */
        if (c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
            (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x2069) ||
            c == 0xfeff || (c >= 0xe0000 && c <= 0xe007f))
            return false; /* invisible, or turns the direction of text */
    }
    return true;
}

enum rc policy_obj_text(char *out, size_t cap, const struct policy_obj *o,
                        const char *key)
{
    const char *text = NULL;
    size_t len = 0;
    TRY(text_of(&text, &len, o, key));
    if (len >= cap)
        return rc_raise(RC_TOO_LARGE, "%s.%s: %zu bytes, at most %zu", o->at,
                        key, len, cap - 1);
    if (!policy_text_plain(text))
        return rc_raise(RC_PARSE,
                        "%s.%s: holds control or direction characters", o->at,
                        key);
    memcpy(out, text, len + 1);
    return RC_OK;
}

bool policy_name_ok(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    return len >= 1 && len < POLICY_NAME_MAX && !name[len];
}

enum rc policy_obj_name(char *out, const struct policy_obj *o, const char *key)
{
    const char *text = NULL;
    size_t len = 0;
    TRY(text_of(&text, &len, o, key));
    if (!policy_name_ok(text))
        return rc_raise(RC_PARSE, "%s.%s: want [a-z0-9._-]{1,64}", o->at, key);
    memcpy(out, text, len + 1);
    return RC_OK;
}

enum rc policy_obj_hex(uint8_t *out, size_t len, const struct policy_obj *o,
                       const char *key)
{
    const char *text = NULL;
    size_t n = 0;
    TRY(text_of(&text, &n, o, key));
    enum rc rc = enc_unhex(out, len, text, n);
    return rc ? rc_prefix(rc, "%s.%s: ", o->at, key) : RC_OK;
}

enum rc policy_obj_b64u(uint8_t *out, size_t cap, size_t *len,
                        const struct policy_obj *o, const char *key)
{
    const char *text = NULL;
    size_t n = 0;
    TRY(text_of(&text, &n, o, key));
    enum rc rc = enc_unb64u(out, cap, len, text, n);
    return rc ? rc_prefix(rc, "%s.%s: ", o->at, key) : RC_OK;
}

enum rc policy_obj_int(int64_t *out, const struct policy_obj *o,
                       const char *key, int64_t min, int64_t max)
{
    const json_t *v = json_object_get(o->v, key);
    if (!json_is_integer(v) || json_integer_value(v) < min ||
        json_integer_value(v) > max)
        return rc_raise(RC_PARSE, "%s.%s: want an integer, %lld to %lld", o->at,
                        key, (long long)min, (long long)max);
    *out = json_integer_value(v);
    return RC_OK;
}

enum rc policy_obj_bool(bool *out, const struct policy_obj *o, const char *key)
{
    const json_t *v = json_object_get(o->v, key);
    if (!json_is_boolean(v))
        return rc_raise(RC_PARSE, "%s.%s: want true or false", o->at, key);
    *out = json_is_true(v);
    return RC_OK;
}

enum rc policy_obj_array(const json_t **out, const struct policy_obj *o,
                         const char *key, size_t max)
{
    const json_t *v = json_object_get(o->v, key);
    if (!json_is_array(v))
        return rc_raise(RC_PARSE, "%s.%s: want an array", o->at, key);
    if (json_array_size(v) > max)
        return rc_raise(RC_TOO_LARGE, "%s.%s: %zu elements, at most %zu", o->at,
                        key, json_array_size(v), max);
    *out = v;
    return RC_OK;
}

enum rc policy_obj_v1(const struct policy_obj *o)
{
    int64_t v;
    return policy_obj_int(&v, o, "v", 1, 1);
}

enum rc policy_obj_true(bool *out, const struct policy_obj *o, const char *key)
{
    *out = false;
    return policy_obj_has(o, key) ? policy_obj_bool(out, o, key) : RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Shared vectors of the transparency tests: JSON files under testdata/tlog. */
#ifndef TESTS_TRANSPARENCY_VECTORS_H
#define TESTS_TRANSPARENCY_VECTORS_H

#include <jansson.h>

#include "base/enc.h"
#include "base/file.h"
#include "transparency/transparency.h"

static inline json_t *vectors_load(const char *name)
{
    char path[1024];
    json_error_t why;
    snprintf(path, sizeof(path), "%s/tlog/%s", testdata(), name);
    json_t *all = json_load_file(path, 0, &why);
    if (!all)
        fail_msg("%s: %s at line %d", path, why.text, why.line);
    return all;
}

static inline const char *vectors_text(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    if (!text)
        fail_msg("vector without %s", key);
    return text;
}

static inline uint64_t vectors_num(const json_t *row, const char *key)
{
    json_t *v = json_object_get(row, key);
    if (!json_is_integer(v))
        fail_msg("vector without number %s", key);
    return (uint64_t)json_integer_value(v);
}

static inline void vectors_hex(void *out, size_t len, const char *hex)
{
    assert_ok(enc_unhex(out, len, hex, strlen(hex)));
}

static inline struct tlog_hash vectors_hash(const char *hex)
{
    struct tlog_hash h;
    vectors_hex(h.b, sizeof(h.b), hex);
    return h;
}

/* A file under testdata/tlog, heap, NUL-terminated. */
static __attribute__((noinline, unused)) char *vectors_file(const char *name,
                                                            size_t *len)
{
    char path[1024];
    uint8_t *p = NULL;
    snprintf(path, sizeof(path), "%s/tlog/%s", testdata(), name);
    assert_ok(file_read(&p, len, path, 1 << 20));
    return (char *)p;
}

/* The first line of such a file as a verifier key. */
static inline struct tlog_vkey vectors_vkey(const char *name, unsigned line)
{
    size_t len;
    struct tlog_vkey v;
    OWNED_MEM char *text = vectors_file(name, &len);
    char *at = text;
    for (; line > 0; line--)
        at = strchr(at, '\n') + 1;
    at[strcspn(at, "\n")] = '\0';
    assert_ok(tlog_vkey_parse(&v, at));
    return v;
}

#endif

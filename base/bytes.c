/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded writer and reader for binary layouts; see bytes.h. */
#include "base/bytes.h"

#include <string.h>

struct bytes_writer bytes_writer(void *buf, size_t cap)
{
    return (struct bytes_writer){ .buf = buf, .cap = cap };
}

void bytes_put(struct bytes_writer *w, const void *src, size_t len)
{
    if (w->failed || len > w->cap - w->len) {
        w->failed = true;
        return;
    }
    if (len)
        memcpy(w->buf + w->len, src, len);
    w->len += len;
}

static void put_be(struct bytes_writer *w, uint64_t v, unsigned n)
{
    uint8_t be[8];
    for (unsigned i = 0; i < n; i++)
        be[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    bytes_put(w, be, n);
}

void bytes_put_u8(struct bytes_writer *w, uint8_t v)
{
    put_be(w, v, 1);
}

void bytes_put_u16(struct bytes_writer *w, uint16_t v)
{
    put_be(w, v, 2);
}

void bytes_put_u32(struct bytes_writer *w, uint32_t v)
{
    put_be(w, v, 4);
}

void bytes_put_u64(struct bytes_writer *w, uint64_t v)
{
    put_be(w, v, 8);
}

void bytes_put_lp16(struct bytes_writer *w, const void *src, size_t len)
{
    if (len > UINT16_MAX) {
        w->failed = true;
        return;
    }
    bytes_put_u16(w, (uint16_t)len);
    bytes_put(w, src, len);
}

void bytes_put_lp32(struct bytes_writer *w, const void *src, size_t len)
{
    if (len > UINT32_MAX) {
        w->failed = true;
        return;
    }
    bytes_put_u32(w, (uint32_t)len);
    bytes_put(w, src, len);
}

void bytes_put_tag(struct bytes_writer *w, const char *tag)
{
    bytes_put(w, tag, strlen(tag) + 1);
}

enum rc bytes_written(const struct bytes_writer *w)
{
    if (w->failed)
        return rc_raise(RC_NOMEM, "buffer of %zu bytes is too small", w->cap);
    return RC_OK;
}

struct bytes_reader bytes_reader(const void *buf, size_t len)
{
    return (struct bytes_reader){ .p = buf, .left = len };
}

const uint8_t *bytes_take(struct bytes_reader *r, size_t len)
{
    if (r->failed || len > r->left) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->p;
    r->p += len;
    r->left -= len;
    return at;
}

void bytes_get(struct bytes_reader *r, void *dst, size_t len)
{
    const uint8_t *at = bytes_take(r, len);
    if (!len)
        return;
    if (at)
        memcpy(dst, at, len);
    else
        memset(dst, 0, len);
}

static uint64_t get_be(struct bytes_reader *r, unsigned n)
{
    const uint8_t *at = bytes_take(r, n);
    uint64_t v = 0;
    for (unsigned i = 0; at && i < n; i++)
        v = v << 8 | at[i];
    return v;
}

uint8_t bytes_get_u8(struct bytes_reader *r)
{
    return (uint8_t)get_be(r, 1);
}

uint16_t bytes_get_u16(struct bytes_reader *r)
{
    return (uint16_t)get_be(r, 2);
}

uint32_t bytes_get_u32(struct bytes_reader *r)
{
    return (uint32_t)get_be(r, 4);
}

uint64_t bytes_get_u64(struct bytes_reader *r)
{
    return get_be(r, 8);
}

static const uint8_t *take_counted(struct bytes_reader *r, size_t n,
                                   size_t *len)
{
    const uint8_t *at = bytes_take(r, n);
    *len = at ? n : 0;
    return at;
}

const uint8_t *bytes_take_lp16(struct bytes_reader *r, size_t *len)
{
    return take_counted(r, bytes_get_u16(r), len);
}

const uint8_t *bytes_take_lp32(struct bytes_reader *r, size_t *len)
{
    return take_counted(r, bytes_get_u32(r), len);
}

enum rc bytes_end(const struct bytes_reader *r, const char *what)
{
    if (r->failed)
        return rc_raise(RC_PARSE, "%s: too short", what);
    if (r->left)
        return rc_raise(RC_PARSE, "%s: %zu bytes too many", what, r->left);
    return RC_OK;
}

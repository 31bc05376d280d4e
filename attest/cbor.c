/* SPDX-License-Identifier: Apache-2.0 */
/* Strict reader; see cbor.h. Public data only. */
#include "attest/cbor.h"

enum major { UINT = 0, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5 };
#define NULL_ITEM 0xF6

/* Major type and argument; the shortest form only. */
static bool head(struct cbor *c, enum major want, uint64_t *out)
{
    static const uint64_t least[] = { 24, 0x100, 0x10000, 0x100000000 };
    if (c->left == 0 || c->p[0] >> 5 != (uint8_t)want)
        return false;
    unsigned more = c->p[0] & 31;
    c->p++;
    c->left--;
    *out = more;
    if (more < 24)
        return true;
    if (more > 27)
        return false; /* reserved, or of indefinite length */
    size_t n = (size_t)1 << (more - 24);
    if (c->left < n)
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | c->p[i];
    c->p += n;
    c->left -= n;
    *out = v;
    return v >= least[more - 24];
}

static bool string(struct cbor *c, enum major type, struct cbor_bytes *out)
{
    uint64_t n;
    if (!head(c, type, &n) || n > c->left)
        return false;
    *out = (struct cbor_bytes){ c->p, (size_t)n };
    c->p += n;
    c->left -= (size_t)n;
    return true;
}

bool attest_cbor_uint(struct cbor *c, uint64_t *out)
{
    return head(c, UINT, out);
}

bool attest_cbor_bytes(struct cbor *c, struct cbor_bytes *out)
{
    return string(c, BYTES, out);
}

bool attest_cbor_text(struct cbor *c, struct cbor_bytes *out)
{
    return string(c, TEXT, out);
}

bool attest_cbor_bytes_or_null(struct cbor *c, struct cbor_bytes *out)
{
    if (c->left == 0 || c->p[0] != NULL_ITEM)
        return string(c, BYTES, out);
    c->p++;
    c->left--;
    *out = (struct cbor_bytes){ 0 };
    return true;
}

bool attest_cbor_array(struct cbor *c, uint64_t *n)
{
    return head(c, ARRAY, n);
}

bool attest_cbor_map(struct cbor *c, uint64_t *n)
{
    return head(c, MAP, n);
}

size_t attest_cbor_put_bytes_head(uint8_t out[9], uint64_t len)
{
    unsigned n = len < 24            ? 0
                 : len < 0x100       ? 1
                 : len < 0x10000     ? 2
                 : len < 0x100000000 ? 4
                                     : 8;
    unsigned code = n == 0   ? (unsigned)len
                    : n == 1 ? 24
                    : n == 2 ? 25
                    : n == 4 ? 26
                             : 27;
    out[0] = (uint8_t)(BYTES << 5 | code);
    for (unsigned i = 0; i < n; i++)
        out[1 + i] = (uint8_t)(len >> 8 * (n - 1 - i));
    return 1 + n;
}

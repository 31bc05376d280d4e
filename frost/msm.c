/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multi-scalar multiplication in variable time: for PUBLIC data only. No
 * secret has a way here: the callers hold commitments, verifying shares and
 * factors computed from them.
 *
 * Straus' method: one chain of doublings for all points, each scalar as
 * signed odd digits of at most 15, with the odd multiples of its point at
 * hand.
 */
#include "frost/ge.h"

#include <assert.h>

#define MULTIPLES 8   /* P, 3P, ... 15P */
#define DIGITS    254 /* a scalar is below 2^253; a carry may add one */
#define CHUNK     64  /* points a chain: 100 KiB of stack */

struct digits {
    int8_t of[DIGITS];
};

static unsigned bit_at(const struct frost_scalar *s, unsigned i)
{
    return i < 256 ? s->le[i / 8] >> (i % 8) & 1 : 0;
}

/* Width-5 non-adjacent form: between two digits at least four zeros. */
static void recode(struct digits *out, const struct frost_scalar *s)
{
    unsigned carry = 0;
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < DIGITS;) {
        if (bit_at(s, i) + carry != 1) {
            i++; /* 0, or 2: the carry goes on */
            continue;
        }
        int digit = (int)carry;
        for (unsigned k = 0; k < 5; k++)
            digit += (int)(bit_at(s, i + k) << k);
        carry = digit > 15;
        out->of[i] = (int8_t)(digit - (carry ? 32 : 0));
        i += 5;
    }
    assert(carry == 0 && s->le[31] < 0x20);
}

static void multiples(struct ge_cached out[MULTIPLES], const struct ge *p)
{
    struct ge_open o = ge_double(p);
    const struct ge twice = ge_close(&o);
    const struct ge_cached step = ge_cache(&twice);
    struct ge at = *p;
    out[0] = ge_cache(p);
    for (unsigned i = 1; i < MULTIPLES; i++) {
        o = ge_add_signed(&at, &step, false);
        at = ge_close(&o);
        out[i] = ge_cache(&at);
    }
}

static void msm_chunk(struct ge *out, const struct frost_scalar *s,
                      const struct ge *points, unsigned n)
{
    struct ge_cached table[CHUNK][MULTIPLES];
    struct digits digits[CHUNK];
    for (unsigned i = 0; i < n; i++) {
        multiples(table[i], &points[i]);
        recode(&digits[i], &s[i]);
    }
    struct ge_open o;
    struct ge r = frost_ge_identity;
    for (unsigned bit = DIGITS; bit-- > 0;) {
        o = ge_double(&r);
        for (unsigned i = 0; i < n; i++) {
            int digit = digits[i].of[bit];
            if (digit == 0)
                continue;
            r = ge_close(&o);
            o = ge_add_signed(&r, &table[i][(digit < 0 ? -digit : digit) / 2],
                              digit < 0);
        }
        r = bit > 0 ? ge_close_for_double(&o) : ge_close(&o);
    }
    *out = r;
}

void frost_msm(struct ge *out, const struct frost_scalar *s,
               const struct ge *points, unsigned n)
{
    struct ge sum = frost_ge_identity, part;
    for (unsigned at = 0; at < n; at += CHUNK) {
        unsigned len = n - at < CHUNK ? n - at : CHUNK;
        msm_chunk(&part, s + at, points + at, len);
        sum = ge_add(&sum, &part);
    }
    *out = sum;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The field of 2^255 - 19, for PUBLIC data only: it branches and it leaves
 * its numbers on the stack. Secrets go through libsodium (scalar.c, point.c).
 * For ge.c and msm.c alone.
 *
 * Five limbs of 51 bits, little-endian. "Tight" means each limb below 2^52,
 * which every function here but fe_add() returns; "loose" below 2^54, which
 * every function takes.
 */
#ifndef FROST_FE_H
#define FROST_FE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FE_MASK ((UINT64_C(1) << 51) - 1)

struct fe {
    uint64_t v[5];
};

__extension__ typedef unsigned __int128 fe_wide;

/* Loose, for a sum of up to four tight numbers. */
static inline struct fe fe_add(const struct fe *a, const struct fe *b)
{
    return (struct fe){ { a->v[0] + b->v[0], a->v[1] + b->v[1],
                          a->v[2] + b->v[2], a->v[3] + b->v[3],
                          a->v[4] + b->v[4] } };
}

/* From limbs below 2^63 to tight ones. */
static inline struct fe fe_carry(uint64_t v0, uint64_t v1, uint64_t v2,
                                 uint64_t v3, uint64_t v4)
{
    v1 += v0 >> 51;
    v2 += v1 >> 51;
    v3 += v2 >> 51;
    v4 += v3 >> 51;
    v0 = (v0 & FE_MASK) + 19 * (v4 >> 51);
    return (struct fe){ { v0, v1 & FE_MASK, v2 & FE_MASK, v3 & FE_MASK,
                          v4 & FE_MASK } };
}

static inline struct fe fe_sub(const struct fe *a, const struct fe *b)
{
    /* 16 p, so that no limb goes below zero */
    const uint64_t low = 16 * (FE_MASK - 18), rest = 16 * FE_MASK;
    return fe_carry(a->v[0] + low - b->v[0], a->v[1] + rest - b->v[1],
                    a->v[2] + rest - b->v[2], a->v[3] + rest - b->v[3],
                    a->v[4] + rest - b->v[4]);
}

static inline struct fe fe_neg(const struct fe *a)
{
    const struct fe zero = { { 0 } };
    return fe_sub(&zero, a);
}

/* Columns of a product, each below 2^115, to tight limbs. */
static inline struct fe fe_reduce(fe_wide r0, fe_wide r1, fe_wide r2,
                                  fe_wide r3, fe_wide r4)
{
    r1 += (uint64_t)(r0 >> 51);
    r2 += (uint64_t)(r1 >> 51);
    r3 += (uint64_t)(r2 >> 51);
    r4 += (uint64_t)(r3 >> 51);
    /* 19 times what is left over may need 69 bits */
    const fe_wide low = ((uint64_t)r0 & FE_MASK) +
                        (fe_wide)19 * (uint64_t)(r4 >> 51);
    return (struct fe){ { (uint64_t)low & FE_MASK,
                          ((uint64_t)r1 & FE_MASK) + (uint64_t)(low >> 51),
                          (uint64_t)r2 & FE_MASK, (uint64_t)r3 & FE_MASK,
                          (uint64_t)r4 & FE_MASK } };
}

static inline struct fe fe_mul(const struct fe *x, const struct fe *y)
{
    const uint64_t *a = x->v, *b = y->v;
    const uint64_t b1 = 19 * b[1], b2 = 19 * b[2], b3 = 19 * b[3],
                   b4 = 19 * b[4];
    const fe_wide r0 = (fe_wide)a[0] * b[0] + (fe_wide)a[1] * b4 +
                       (fe_wide)a[2] * b3 + (fe_wide)a[3] * b2 +
                       (fe_wide)a[4] * b1;
    const fe_wide r1 = (fe_wide)a[0] * b[1] + (fe_wide)a[1] * b[0] +
                       (fe_wide)a[2] * b4 + (fe_wide)a[3] * b3 +
                       (fe_wide)a[4] * b2;
    const fe_wide r2 = (fe_wide)a[0] * b[2] + (fe_wide)a[1] * b[1] +
                       (fe_wide)a[2] * b[0] + (fe_wide)a[3] * b4 +
                       (fe_wide)a[4] * b3;
    const fe_wide r3 = (fe_wide)a[0] * b[3] + (fe_wide)a[1] * b[2] +
                       (fe_wide)a[2] * b[1] + (fe_wide)a[3] * b[0] +
                       (fe_wide)a[4] * b4;
    const fe_wide r4 = (fe_wide)a[0] * b[4] + (fe_wide)a[1] * b[3] +
                       (fe_wide)a[2] * b[2] + (fe_wide)a[3] * b[1] +
                       (fe_wide)a[4] * b[0];
    return fe_reduce(r0, r1, r2, r3, r4);
}

static inline struct fe fe_sq(const struct fe *x)
{
    const uint64_t *a = x->v;
    const uint64_t d0 = 2 * a[0], d1 = 2 * a[1], a3 = 19 * a[3], a4 = 19 * a[4];
    const fe_wide r0 = (fe_wide)a[0] * a[0] + (fe_wide)d1 * a4 +
                       (fe_wide)(2 * a[2]) * a3;
    const fe_wide r1 = (fe_wide)d0 * a[1] + (fe_wide)(2 * a[2]) * a4 +
                       (fe_wide)a[3] * a3;
    const fe_wide r2 = (fe_wide)d0 * a[2] + (fe_wide)a[1] * a[1] +
                       (fe_wide)(2 * a[3]) * a4;
    const fe_wide r3 = (fe_wide)d0 * a[3] + (fe_wide)d1 * a[2] +
                       (fe_wide)a[4] * a4;
    const fe_wide r4 = (fe_wide)d0 * a[4] + (fe_wide)d1 * a[3] +
                       (fe_wide)a[2] * a[2];
    return fe_reduce(r0, r1, r2, r3, r4);
}

static inline struct fe fe_sq_times(const struct fe *x, unsigned n)
{
    struct fe r = fe_sq(x);
    while (--n > 0)
        r = fe_sq(&r);
    return r;
}

/* x^(2^250 - 1), and x^11 on the way: what all exponents here begin with. */
static inline struct fe fe_pow_2_250_1(const struct fe *x, struct fe *x11)
{
    const struct fe x2 = fe_sq(x);
    struct fe t = fe_sq_times(&x2, 2);
    const struct fe x9 = fe_mul(&t, x);
    *x11 = fe_mul(&x9, &x2);
    t = fe_sq(x11);
    const struct fe e5 = fe_mul(&t, &x9); /* 2^5 - 1 */
    t = fe_sq_times(&e5, 5);
    const struct fe e10 = fe_mul(&t, &e5);
    t = fe_sq_times(&e10, 10);
    const struct fe e20 = fe_mul(&t, &e10);
    t = fe_sq_times(&e20, 20);
    t = fe_mul(&t, &e20); /* 2^40 - 1 */
    t = fe_sq_times(&t, 10);
    const struct fe e50 = fe_mul(&t, &e10);
    t = fe_sq_times(&e50, 50);
    const struct fe e100 = fe_mul(&t, &e50);
    t = fe_sq_times(&e100, 100);
    t = fe_mul(&t, &e100); /* 2^200 - 1 */
    t = fe_sq_times(&t, 50);
    return fe_mul(&t, &e50);
}

/* x^(p - 2): the inverse, and 0 for 0. */
static inline struct fe fe_invert(const struct fe *x)
{
    struct fe x11;
    struct fe t = fe_pow_2_250_1(x, &x11);
    t = fe_sq_times(&t, 5);
    return fe_mul(&t, &x11);
}

/* x^((p - 5) / 8) = x^(2^252 - 3) */
static inline struct fe fe_pow_p58(const struct fe *x)
{
    struct fe x11;
    struct fe t = fe_pow_2_250_1(x, &x11);
    t = fe_sq_times(&t, 2);
    return fe_mul(&t, x);
}

/* The canonical encoding, RFC 8032 section 5.1.2. */
static inline void fe_encode(uint8_t out[32], const struct fe *x)
{
    struct fe t = fe_carry(x->v[0], x->v[1], x->v[2], x->v[3], x->v[4]);
    /* below 2^255 + 2^13: adding 19 carries over exactly when t >= p */
    uint64_t q = (t.v[0] + 19) >> 51;
    for (unsigned i = 1; i < 5; i++)
        q = (t.v[i] + q) >> 51;
    t.v[0] += 19 * q;
    for (unsigned i = 0; i < 4; i++) {
        t.v[i + 1] += t.v[i] >> 51;
        t.v[i] &= FE_MASK;
    }
    t.v[4] &= FE_MASK;
    const uint64_t word[4] = { t.v[0] | t.v[1] << 51,
                               t.v[1] >> 13 | t.v[2] << 38,
                               t.v[2] >> 26 | t.v[3] << 25,
                               t.v[3] >> 39 | t.v[4] << 12 };
    for (unsigned i = 0; i < 32; i++)
        out[i] = (uint8_t)(word[i / 8] >> (8 * (i % 8)));
}

/* Ignores bit 255 and takes any number below 2^255. */
static inline struct fe fe_decode(const uint8_t in[32])
{
    uint64_t w[4] = { 0 };
    for (unsigned i = 0; i < 32; i++)
        w[i / 8] |= (uint64_t)in[i] << (8 * (i % 8));
    return (struct fe){ { w[0] & FE_MASK, (w[0] >> 51 | w[1] << 13) & FE_MASK,
                          (w[1] >> 38 | w[2] << 26) & FE_MASK,
                          (w[2] >> 25 | w[3] << 39) & FE_MASK,
                          w[3] >> 12 & FE_MASK } };
}

static inline bool fe_is_zero(const struct fe *x)
{
    static const uint8_t zero[32];
    uint8_t b[32];
    fe_encode(b, x);
    return memcmp(b, zero, sizeof(b)) == 0;
}

static inline bool fe_eq(const struct fe *a, const struct fe *b)
{
    const struct fe d = fe_sub(a, b);
    return fe_is_zero(&d);
}

/* The sign of RFC 8032: the lowest bit of the canonical form. */
static inline bool fe_is_odd(const struct fe *x)
{
    uint8_t b[32];
    fe_encode(b, x);
    return b[0] & 1;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points from bytes and back, and the question whether one lies in the
 * prime-order subgroup. Public data only.
 */
#include "frost/ge.h"

static const struct fe one = { { 1 } };

/* -121665/121666, RFC 8032 section 5.1 */
static const struct fe d = { { 0x34dca135978a3, 0x1a8283b156ebd,
                               0x5e7a26001c029, 0x739c663a03cbb,
                               0x52036cee2b6ff } };
const struct fe frost_fe_2d = { { 0x69b9426b2f159, 0x35050762add7a,
                                  0x3cf44c0038052, 0x6738cc7407977,
                                  0x2406d9dc56dff } };
/* sqrt(-1) */
static const struct fe root_m1 = { { 0x61b274a0ea0b0, 0x0d5a5fc8f189d,
                                     0x7ef5e9cbd0c60, 0x78595a6804c9e,
                                     0x2b8324804fc1d } };

const struct ge frost_ge_identity = { .y = { { 1 } }, .z = { { 1 } } };
const struct ge frost_ge_base = {
    .x = { { 0x62d608f25d51a, 0x412a4b4f6592a, 0x75b7171a4b31d, 0x1ff60527118fe,
             0x216936d3cd6e5 } },
    .y = { { 0x6666666666658, 0x4cccccccccccc, 0x1999999999999, 0x3333333333333,
             0x6666666666666 } },
    .z = { { 1 } },
    .t = { { 0x68ab3a5b7dda3, 0x00eea2a5eadbb, 0x2af8df483c27e, 0x332b375274732,
             0x67875f0fd78b7 } },
};

/* ---- square roots ------------------------------------------------------ */

/*
 * r = sqrt(n/d), and true, when n/d is a square; else r = sqrt(i*n/d). One
 * exponentiation for quotient and root, RFC 8032 section 5.1.3 step 3. d is
 * not zero.
 */
static bool root_of_ratio(struct fe *r, const struct fe *n,
                          const struct fe *den)
{
    const struct fe d2 = fe_sq(den), d3 = fe_mul(&d2, den);
    const struct fe d6 = fe_sq(&d3), d7 = fe_mul(&d6, den);
    const struct fe nd3 = fe_mul(n, &d3), nd7 = fe_mul(n, &d7);
    const struct fe power = fe_pow_p58(&nd7);
    const struct fe root = fe_mul(&nd3, &power);

    /* den*root^2 is n times one of the four roots of unity */
    const struct fe rr = fe_sq(&root), check = fe_mul(&rr, den);
    const struct fe minus_n = fe_neg(n), minus_in = fe_mul(&minus_n, &root_m1);
    bool straight = fe_eq(&check, n), minus = fe_eq(&check, &minus_n);
    *r = root;
    if (minus || fe_eq(&check, &minus_in))
        *r = fe_mul(&root, &root_m1);
    return straight || minus;
}

/* ---- bytes ------------------------------------------------------------- */

bool frost_ge_decode_any(struct ge *out, const struct frost_point *in)
{
    uint8_t again[32];
    const struct fe y = fe_decode(in->b);
    const bool sign = in->b[31] >> 7;
    fe_encode(again, &y);
    again[31] |= (uint8_t)(in->b[31] & 0x80);
    if (memcmp(again, in->b, sizeof(again)) != 0)
        return false; /* y >= p */

    /* x^2 = (y^2 - 1)/(d*y^2 + 1); -1/d is no square, so no division by 0 */
    const struct fe yy = fe_sq(&y), dyy = fe_mul(&yy, &d);
    const struct fe n = fe_sub(&yy, &one), den = fe_add(&dyy, &one);
    struct fe x;
    if (!root_of_ratio(&x, &n, &den))
        return false;
    if (fe_is_zero(&x) && sign)
        return false; /* minus zero */
    if (fe_is_odd(&x) != sign)
        x = fe_neg(&x);
    *out = (struct ge){ x, y, one, fe_mul(&x, &y) };
    return true;
}

void frost_ge_encode(struct frost_point *out, const struct ge *p)
{
    const struct fe inv = fe_invert(&p->z);
    const struct fe x = fe_mul(&p->x, &inv), y = fe_mul(&p->y, &inv);
    fe_encode(out->b, &y);
    out->b[31] |= (uint8_t)(fe_is_odd(&x) << 7);
}

bool frost_ge_is_identity(const struct ge *p)
{
    return fe_is_zero(&p->x) && fe_eq(&p->y, &p->z);
}

/* ---- the subgroup ------------------------------------------------------ */
/*
 * The curve has 8L points and one cyclic group of order 8, so the subgroup
 * of order L is 8E: the points that can be halved three times. Asked
 * directly that is [L]P = 0, 253 doublings; here it takes three
 * exponentiations of a field element, on the Montgomery form
 *
 *     M: v^2 = u(u^2 + Au + 1),  u = (1+y)/(1-y),  v = c*u/x,  c^2 = -(A+2)
 *
 * 1. P is in 2E exactly when u is a square, s^2 (2-descent: M has the one
 *    point N = (0,0) of order 2).
 * 2. A half of it, Q, comes through the 2-isogenous curve
 *    y'^2 = x'(x'^2 - 2Ax' + A^2-4): x' = A + 2u - 2v/s is that curve's
 *    preimage of P, and with r^2 = x'
 *
 *        u(Q) = s^2 - v/s - s*r,    v(Q) = r*u(Q).
 *
 *    Of the two preimages, s and -s, exactly one has a square x', because
 *    their product A^2-4 is none.
 * 3. P is in 8E exactly when Q is in 4E (either half: they differ by N,
 *    which is in 4E). The Tate pairing with T = (1, w), w^2 = A+2, of order
 *    4, says so: f(Q) = (v - wu)^2/u has divisor 4(T) - 4(O), and the
 *    pairing E/4E x E[4] -> mu_4, f(Q)^((p-1)/4), is perfect as mu_4 lies in
 *    the field: Q is in 4E exactly when it is 1. f(Q) = u(Q)(r - w)^2.
 *
 * Everything stays a fraction; f is multiplied by fourth powers to clear
 * denominators. The self test tries each coset, tests/frost compares with
 * libsodium and with [L]P, and a fuzz target does so for as long as one likes.
 */
static const struct fe mont_a = { { 486662 } };
/* sqrt(-(A+2)), sqrt(A+2), sqrt(i*(A^2-4)) */
static const struct fe mont_c = { { 0x604aaff457e06, 0x2296fa350598d,
                                    0x7f13dfb16874f, 0x35de93d846e01,
                                    0x0f26edf460a00 } };
static const struct fe mont_w = { { 0x248ef9c884415, 0x0e509526c7d34,
                                    0x7d29bbd8d6847, 0x157e10fd3bd6b,
                                    0x6be4f497f9a9c } };
static const struct fe mont_g = { { 0x48befa14b6386, 0x3d8b4d0d98017,
                                    0x40e99219f1a86, 0x5f873e60f4e67,
                                    0x797f018b3b0ee } };

/* x^((p-1)/4) = 1, for x not zero: (p-1)/4 = 2(p-5)/8 + 1 */
static bool is_fourth_power(const struct fe *x)
{
    const struct fe power = fe_pow_p58(x), square = fe_sq(&power);
    const struct fe symbol = fe_mul(&square, x);
    return fe_eq(&symbol, &one);
}

/* r = rn/rd with r^2 = x' = (A*x + 2*u*x - 2*c*s)/x, s of the right sign. */
static void isogenous_root(struct fe *rn, struct fe *rd, struct fe *s,
                           const struct fe *x)
{
    const struct fe u = fe_sq(s), uu = fe_add(&u, &u);
    const struct fe sum = fe_add(&uu, &mont_a), t = fe_mul(&sum, x);
    const struct fe cs = fe_mul(&mont_c, s), cs2 = fe_add(&cs, &cs);
    const struct fe n = fe_sub(&t, &cs2);
    struct fe root;
    if (root_of_ratio(&root, &n, x)) {
        *rn = root;
        *rd = one;
    } else {
        /* the other one: (A^2-4)/x', of root sqrt(i*(A^2-4))/sqrt(i*x') */
        *rn = mont_g;
        *rd = root;
        *s = fe_neg(s);
    }
}

/* P affine (z = 1). */
static bool in_subgroup(const struct ge *p)
{
    if (fe_is_zero(&p->x))
        return false; /* the identity and N */
    const struct fe num = fe_add(&one, &p->y), den = fe_sub(&one, &p->y);
    struct fe s, rn, rd;
    if (!root_of_ratio(&s, &num, &den))
        return false;
    isogenous_root(&rn, &rd, &s, &p->x);

    /* u(Q)*x*rd = s^2*x*rd - c*s*rd - s*rn*x */
    const struct fe sx = fe_mul(&s, &p->x), ssx = fe_mul(&s, &sx);
    const struct fe cs = fe_mul(&mont_c, &s), left = fe_sub(&ssx, &cs);
    const struct fe left_rd = fe_mul(&left, &rd), right = fe_mul(&sx, &rn);
    const struct fe uq = fe_sub(&left_rd, &right);
    /* f(Q)*(x*rd)^4 = u(Q)*x*rd * (rn - w*rd)^2 * x^3 * rd */
    const struct fe wrd = fe_mul(&mont_w, &rd), line = fe_sub(&rn, &wrd);
    const struct fe line2 = fe_sq(&line), xx = fe_sq(&p->x);
    const struct fe x3 = fe_mul(&xx, &p->x), x3rd = fe_mul(&x3, &rd);
    struct fe f = fe_mul(&uq, &line2);
    f = fe_mul(&f, &x3rd);
    return is_fourth_power(&f);
}

bool frost_ge_decode(struct ge *out, const struct frost_point *in)
{
    struct ge p;
    if (!frost_ge_decode_any(&p, in) || !in_subgroup(&p))
        return false;
    *out = p;
    return true;
}

struct ge frost_ge_mul_small(const struct ge *p, uint32_t x)
{
    struct ge r = frost_ge_identity;
    const struct ge_cached c = ge_cache(p);
    for (unsigned bit = 32 - (unsigned)(x ? __builtin_clz(x) : 32);
         bit-- > 0;) {
        struct ge_open o = ge_double(&r);
        r = ge_close(&o);
        if (x >> bit & 1) {
            o = ge_add_signed(&r, &c, false);
            r = ge_close(&o);
        }
    }
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points of edwards25519 as numbers, for PUBLIC data only, in variable time.
 * The law is complete: no pair of points needs care. For ge.c, msm.c and the
 * files that compute with other people's commitments.
 *
 * Formulas: Hisil, Wong, Carter, Dawson, "Twisted Edwards Curves Revisited",
 * sections 3.1 and 3.3, for a = -1.
 */
#ifndef FROST_GE_H
#define FROST_GE_H

#include "base/rc.h"
#include "frost/fe.h"
#include "frost/frost.h"

/* x = X/Z, y = Y/Z, T = XY/Z. */
struct ge {
    struct fe x, y, z, t;
};
/* What an addition wants of its second operand. */
struct ge_cached {
    struct fe sum, diff, z2, t2d; /* Y+X, Y-X, 2Z, 2dT */
};
/* A result before its last multiplications: X = EF, Y = GH, Z = FG, T = EH. */
struct ge_open {
    struct fe e, f, g, h;
};

extern const struct ge frost_ge_identity;
extern const struct ge frost_ge_base; /* RFC 8032's B */

/* ---- the law ---------------------------------------------------------- */

extern const struct fe frost_fe_2d;

static inline struct ge_cached ge_cache(const struct ge *p)
{
    return (struct ge_cached){ fe_add(&p->y, &p->x), fe_sub(&p->y, &p->x),
                               fe_add(&p->z, &p->z),
                               fe_mul(&p->t, &frost_fe_2d) };
}

static inline struct ge ge_close(const struct ge_open *o)
{
    return (struct ge){ fe_mul(&o->e, &o->f), fe_mul(&o->g, &o->h),
                        fe_mul(&o->f, &o->g), fe_mul(&o->e, &o->h) };
}

/* Without T, which a doubling does not need. */
static inline struct ge ge_close_for_double(const struct ge_open *o)
{
    return (struct ge){ fe_mul(&o->e, &o->f),
                        fe_mul(&o->g, &o->h),
                        fe_mul(&o->f, &o->g),
                        { { 0 } } };
}

static inline struct ge_open ge_double(const struct ge *p)
{
    const struct fe a = fe_sq(&p->x), b = fe_sq(&p->y);
    const struct fe zz = fe_sq(&p->z), c = fe_add(&zz, &zz);
    const struct fe xy = fe_add(&p->x, &p->y), xy2 = fe_sq(&xy);
    struct ge_open o;
    o.h = fe_add(&a, &b);
    o.e = fe_sub(&o.h, &xy2);
    o.g = fe_sub(&a, &b);
    o.f = fe_add(&c, &o.g);
    return o;
}

/* p + q, or p - q: the negative of q has X and T of the other sign. */
static inline struct ge_open ge_add_signed(const struct ge *p,
                                           const struct ge_cached *q,
                                           bool minus)
{
    const struct fe diff = fe_sub(&p->y, &p->x), sum = fe_add(&p->y, &p->x);
    const struct fe a = fe_mul(&diff, minus ? &q->sum : &q->diff);
    const struct fe b = fe_mul(&sum, minus ? &q->diff : &q->sum);
    const struct fe c = fe_mul(&p->t, &q->t2d), d = fe_mul(&p->z, &q->z2);
    struct ge_open o;
    o.e = fe_sub(&b, &a);
    o.h = fe_add(&b, &a);
    o.f = minus ? fe_add(&d, &c) : fe_sub(&d, &c);
    o.g = minus ? fe_sub(&d, &c) : fe_add(&d, &c);
    return o;
}

static inline struct ge ge_add(const struct ge *p, const struct ge *q)
{
    const struct ge_cached c = ge_cache(q);
    const struct ge_open o = ge_add_signed(p, &c, false);
    return ge_close(&o);
}

/* ---- ge.c -------------------------------------------------------------- */

/* Canonical and on the curve; perhaps outside the prime-order subgroup. */
MUST_CHECK bool frost_ge_decode_any(struct ge *out,
                                    const struct frost_point *in);
/* Canonical, in the prime-order subgroup, not the identity. */
MUST_CHECK bool frost_ge_decode(struct ge *out, const struct frost_point *in);
void frost_ge_encode(struct frost_point *out, const struct ge *p);
bool frost_ge_is_identity(const struct ge *p);
/* x*P for a small x: a node's number. */
struct ge frost_ge_mul_small(const struct ge *p, uint32_t x);

/* ---- msm.c -------------------------------------------------------------- */

/*
 * sum of s[i]*P[i], all public: Straus' method, variable time. Any n, also 0;
 * scalars below the group order; points may be any of the curve.
 */
void frost_msm(struct ge *out, const struct frost_scalar *s,
               const struct ge *points, unsigned n);

#endif

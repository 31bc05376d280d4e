/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of identifiers, interpolation through them (RFC 9591 section 4.2),
 * and the value of a polynomial. Coefficients of frost_poly_at() may be
 * secret; all else is public.
 */
#include "frost/inner.h"

#include <assert.h>

/* ---- lists ------------------------------------------------------------- */

enum rc frost_ids_check(const struct frost_id *ids, unsigned n,
                        const char *what)
{
    if (n == 0 || n > FROST_MAX_SIGNERS)
        return rc_raise(RC_ARG, "%s: %u identifiers, want 1..%d", what, n,
                        FROST_MAX_SIGNERS);
    for (unsigned i = 0; i < n; i++) {
        if (!frost_id_is_valid(&ids[i]))
            return rc_raise(RC_ARG, "%s: entry %u: bad identifier", what, i);
        if (i > 0 && frost_id_cmp(&ids[i - 1], &ids[i]) >= 0)
            return rc_raise(RC_ARG,
                            "%s: entry %u: repeated or not in rising order",
                            what, i);
    }
    return RC_OK;
}

unsigned frost_ids_find(const struct frost_id *ids, unsigned n,
                        const struct frost_id *id)
{
    unsigned i = 0;
    while (i < n && frost_id_cmp(&ids[i], id) != 0)
        i++;
    return i;
}

/* ---- interpolation ----------------------------------------------------- */

static const struct frost_scalar zero, one = { .le = { 1 } };

static struct frost_scalar difference(const struct frost_id *a,
                                      const struct frost_scalar *b)
{
    const struct frost_scalar x = frost_id_scalar(a);
    struct frost_scalar d;
    frost_scalar_sub(&d, &x, b);
    return d;
}

/* Not zero, for the caller's sake. */
static void invert(struct frost_scalar *out, const struct frost_scalar *s)
{
    int failed = crypto_core_ed25519_scalar_invert(out->le, s->le);
    assert(failed == 0);
}

/*
 * lambda_i = prod (x_j - x)/(x_j - x_i), over all j but i. Numerator and
 * denominator.
 */
static void lambda_parts(struct frost_scalar *num, struct frost_scalar *den,
                         const struct frost_id *ids, unsigned n, unsigned me,
                         const struct frost_scalar *x)
{
    const struct frost_scalar mine = frost_id_scalar(&ids[me]);
    *num = one;
    *den = one;
    for (unsigned j = 0; j < n; j++) {
        if (j == me)
            continue;
        const struct frost_scalar up = difference(&ids[j], x);
        const struct frost_scalar down = difference(&ids[j], &mine);
        frost_scalar_mul(num, num, &up);
        frost_scalar_mul(den, den, &down);
    }
}

void frost_lagrange(struct frost_scalar *out, const struct frost_id *ids,
                    unsigned n, unsigned me, const struct frost_id *x)
{
    const struct frost_scalar at = x ? frost_id_scalar(x) : zero;
    struct frost_scalar num, den;
    lambda_parts(&num, &den, ids, n, me, &at);
    invert(&den, &den);
    frost_scalar_mul(out, &num, &den);
}

void frost_lagrange_all(struct frost_scalar *out, const struct frost_id *ids,
                        unsigned n, const struct frost_id *x)
{
    const struct frost_scalar at = x ? frost_id_scalar(x) : zero;
    struct frost_scalar den[FROST_MAX_SIGNERS], before[FROST_MAX_SIGNERS];
    struct frost_scalar product = one;
    for (unsigned i = 0; i < n; i++) {
        lambda_parts(&out[i], &den[i], ids, n, i, &at);
        before[i] = product; /* den[0]..den[i-1] */
        frost_scalar_mul(&product, &product, &den[i]);
    }
    struct frost_scalar inverse; /* of den[0]..den[i] */
    invert(&inverse, &product);
    for (unsigned i = n; i-- > 0;) {
        struct frost_scalar inv_den;
        frost_scalar_mul(&inv_den, &inverse, &before[i]);
        frost_scalar_mul(&out[i], &out[i], &inv_den);
        frost_scalar_mul(&inverse, &inverse, &den[i]);
    }
}

/* ---- evaluation -------------------------------------------------------- */

void frost_poly_at(struct frost_scalar *out, const struct frost_scalar *coeff,
                   unsigned t, const struct frost_scalar *x)
{
    WIPED(frost_scalar) sum = coeff[t - 1];
    for (unsigned k = t - 1; k-- > 0;) {
        frost_scalar_mul(&sum, &sum, x);
        frost_scalar_add(&sum, &sum, &coeff[k]);
    }
    *out = sum;
}

/* Horner: a node's number has 16 bits at most. */
static void points_at_number(struct ge *out, const struct ge *coeff, unsigned t,
                             uint16_t x)
{
    struct ge sum = coeff[t - 1];
    for (unsigned k = t - 1; k-- > 0;) {
        sum = frost_ge_mul_small(&sum, x);
        sum = ge_add(&sum, &coeff[k]);
    }
    *out = sum;
}

static void points_at_scalar(struct ge *out, const struct ge *coeff, unsigned t,
                             const struct frost_scalar *x)
{
    struct frost_scalar power[FROST_MAX_SIGNERS];
    power[0] = one;
    for (unsigned k = 1; k < t; k++)
        frost_scalar_mul(&power[k], &power[k - 1], x);
    frost_msm(out, power, coeff, t);
}

void frost_points_at(struct ge *out, const struct ge *coeff, unsigned t,
                     const struct frost_id *x)
{
    const uint16_t number = frost_id_to_u16(x);
    const struct frost_scalar s = frost_id_scalar(x);
    if (number != 0)
        points_at_number(out, coeff, t, number);
    else
        points_at_scalar(out, coeff, t, &s);
}

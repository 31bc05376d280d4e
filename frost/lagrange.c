/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Polynomials: evaluation, over scalars and over the points that commit to
 * them, and interpolation at zero. Coefficients of frost_poly_at() may be
 * secret; all else is public.
 */
#include "frost/inner.h"

enum rc frost_lagrange(struct frost_scalar *out,
                       const struct frost_commitment *list, unsigned n_list,
                       unsigned me)
{
    const struct frost_scalar mine = frost_id_scalar(&list[me].id);
    struct frost_scalar num = { .le = { 1 } };
    struct frost_scalar den = { .le = { 1 } };
    for (unsigned j = 0; j < n_list; j++) {
        if (j == me)
            continue;
        const struct frost_scalar x = frost_id_scalar(&list[j].id);
        struct frost_scalar diff;
        frost_scalar_sub(&diff, &x, &mine);
        frost_scalar_mul(&num, &num, &x);
        frost_scalar_mul(&den, &den, &diff);
    }
    struct frost_scalar inv;
    if (crypto_core_ed25519_scalar_invert(inv.le, den.le) != 0)
        return rc_raise(RC_ARG, "identifiers: two are the same");
    frost_scalar_mul(out, &num, &inv);
    return RC_OK;
}

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

bool frost_poly_point_at(struct frost_point *out,
                         const struct frost_point *coeff, unsigned t,
                         const struct frost_scalar *x)
{
    struct frost_point sum = coeff[t - 1];
    for (unsigned k = t - 1; k-- > 0;)
        if (!frost_mul(&sum, x, &sum) || !frost_add(&sum, &sum, &coeff[k]))
            return false;
    *out = sum;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points of the prime-order group, behind typed calls. What libsodium 1.0.18
 * does at the edges is settled here and nowhere else: its multiplications
 * ignore bit 255 of a scalar and fail on 0 and on the identity, its addition
 * takes any point of the curve. Secret here is only the scalar of
 * frost_base().
 */
#include "frost/inner.h"

#include <string.h>

#include "base/secret.h"

const struct frost_point frost_identity = { .b = { 1 } };

bool frost_point_is_valid(const struct frost_point *p)
{
    return crypto_core_ed25519_is_valid_point(p->b) == 1;
}

bool frost_point_is(const struct frost_point *a, const struct frost_point *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

enum rc frost_point_decode(struct frost_point *out, const uint8_t b[32])
{
    struct frost_point p;
    memcpy(p.b, b, sizeof(p.b));
    if (!frost_point_is_valid(&p))
        return rc_raise(RC_PARSE, "point: not a canonical encoding of a "
                                  "non-identity element of the group");
    *out = p;
    return RC_OK;
}

bool frost_base(struct frost_point *out, const struct frost_scalar *s)
{
    int failed = crypto_scalarmult_ed25519_base_noclamp(out->b, s->le);
    /* the point is public, whatever it was made of, and so is failure */
    ct_public(out->b, sizeof(out->b));
    ct_public(&failed, sizeof(failed));
    return failed == 0;
}

enum rc frost_scalar_base(struct frost_point *out, const struct frost_scalar *s)
{
    WIPED_BELOW;
    struct frost_point y;
    if (!frost_scalar_is_canonical(s->le) || !frost_base(&y, s))
        return rc_raise(RC_ARG, "scalar: zero, or not below the group order");
    *out = y;
    return RC_OK;
}

bool frost_mul(struct frost_point *out, const struct frost_scalar *s,
               const struct frost_point *p)
{
    if (frost_scalar_is_zero(s) || frost_point_is(p, &frost_identity)) {
        *out = frost_identity;
        return true;
    }
    return crypto_scalarmult_ed25519_noclamp(out->b, s->le, p->b) == 0;
}

bool frost_add(struct frost_point *out, const struct frost_point *p,
               const struct frost_point *q)
{
    return crypto_core_ed25519_add(out->b, p->b, q->b) == 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points as bytes, and the one multiplication of a secret: by the base, in
 * constant time, libsodium's. What 1.0.18 does at the edges is settled here
 * and nowhere else: it ignores bit 255 of a scalar and fails on 0.
 */
#include "frost/inner.h"

#include <string.h>

#include "base/secret.h"

const struct frost_point frost_identity = { .b = { 1 } };

bool frost_point_is_valid(const struct frost_point *p)
{
    struct ge decoded;
    return frost_ge_decode(&decoded, p);
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

bool frost_base_or_identity(struct frost_point *out,
                            const struct frost_scalar *s)
{
    if (!frost_scalar_is_zero(s))
        return frost_base(out, s);
    *out = frost_identity;
    return true;
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

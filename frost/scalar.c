/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scalars mod L and identifiers. Constant time: a scalar here may be secret.
 * Holds no point arithmetic.
 */
#include "frost/inner.h"

#include <string.h>

#include "base/secret.h"

/* L = 2^252 + 27742317777372353535851937790883648493, RFC 8032 section 5.1 */
static const uint8_t order[32] = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
    0xa2, 0xde, 0xf9, 0xde, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
};

bool frost_scalar_is_canonical(const uint8_t le[32])
{
    /* subtract L and keep only the borrow: it is 1 exactly when le < L */
    uint32_t borrow = 0;
    for (unsigned i = 0; i < 32; i++)
        borrow = (((uint32_t)le[i] - order[i] - borrow) >> 8) & 1;
    ct_public(&borrow, sizeof(borrow));
    return borrow == 1;
}

bool frost_scalar_is_zero(const struct frost_scalar *s)
{
    int zero = sodium_is_zero(s->le, sizeof(s->le));
    ct_public(&zero, sizeof(zero));
    return zero == 1;
}

void frost_scalar_reduce(struct frost_scalar *out, const uint8_t wide[64])
{
    crypto_core_ed25519_scalar_reduce(out->le, wide);
}

void frost_scalar_from_uniform(struct frost_scalar *out, const uint8_t r[32])
{
    /*
     * 2^256 is 16 L less 2^128 or so: the bias of this reduction is near
     * 2^-127, so 32 bytes are enough here.
     */
    WIPED_BYTES(wide, 64);
    memcpy(wide, r, 32);
    memset(wide + 32, 0, 32);
    frost_scalar_reduce(out, wide);
}

void frost_scalar_add(struct frost_scalar *out, const struct frost_scalar *a,
                      const struct frost_scalar *b)
{
    crypto_core_ed25519_scalar_add(out->le, a->le, b->le);
}

void frost_scalar_sub(struct frost_scalar *out, const struct frost_scalar *a,
                      const struct frost_scalar *b)
{
    crypto_core_ed25519_scalar_sub(out->le, a->le, b->le);
}

void frost_scalar_mul(struct frost_scalar *out, const struct frost_scalar *a,
                      const struct frost_scalar *b)
{
    crypto_core_ed25519_scalar_mul(out->le, a->le, b->le);
}

enum rc frost_scalar_decode(struct frost_scalar *out, const uint8_t le[32])
{
    if (!frost_scalar_is_canonical(le))
        return rc_raise(RC_PARSE, "scalar: not below the group order");
    memmove(out->le, le, sizeof(out->le));
    return RC_OK;
}

/* ---- identifiers: public --------------------------------------------- */

enum rc frost_id_from_u16(struct frost_id *out, uint16_t n)
{
    if (n == 0)
        return rc_raise(RC_ARG, "identifier: 0 would be the secret itself");
    *out = (struct frost_id){ .le = { (uint8_t)(n & 0xff),
                                      (uint8_t)(n >> 8) } };
    return RC_OK;
}

uint16_t frost_id_to_u16(const struct frost_id *id)
{
    for (unsigned i = 2; i < sizeof(id->le); i++)
        if (id->le[i] != 0)
            return 0;
    return (uint16_t)(id->le[0] | id->le[1] << 8);
}

bool frost_id_is_valid(const struct frost_id *id)
{
    return frost_scalar_is_canonical(id->le) &&
           !sodium_is_zero(id->le, sizeof(id->le));
}

enum rc frost_id_decode(struct frost_id *out, const uint8_t le[32])
{
    struct frost_id id;
    memcpy(id.le, le, sizeof(id.le));
    if (!frost_id_is_valid(&id))
        return rc_raise(RC_PARSE,
                        "identifier: zero, or not below the group order");
    *out = id;
    return RC_OK;
}

enum rc frost_id_derive(struct frost_id *out, const void *name, size_t name_len)
{
    struct frost_scalar s;
    frost_hid(&s, name, name_len);
    return frost_id_decode(out, s.le);
}

int frost_id_cmp(const struct frost_id *a, const struct frost_id *b)
{
    for (unsigned i = sizeof(a->le); i-- > 0;)
        if (a->le[i] != b->le[i])
            return a->le[i] < b->le[i] ? -1 : 1;
    return 0;
}

struct frost_scalar frost_id_scalar(const struct frost_id *id)
{
    struct frost_scalar s;
    memcpy(s.le, id->le, sizeof(s.le));
    return s;
}

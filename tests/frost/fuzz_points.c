/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our point arithmetic against libsodium's: every 32 bytes are decoded by
 * both, and scalars times points are summed by both.
 */
#include "frost/inner.h"

#include <stdlib.h>

#define TERMS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* The same answer; and what decodes encodes to the same bytes. */
static void decoders(const uint8_t b[32])
{
    struct frost_point p, again;
    struct frost_scalar s;
    struct frost_id id;
    struct ge g;
    memcpy(p.b, b, 32);
    const bool ours = frost_ge_decode(&g, &p);
    must(ours == (crypto_core_ed25519_is_valid_point(b) == 1));
    must(ours == (frost_point_decode(&again, b) == RC_OK));
    if (frost_ge_decode_any(&g, &p)) {
        frost_ge_encode(&again, &g);
        must(frost_point_is(&again, &p));
    } else {
        must(!ours);
    }
    uint8_t wide[64] = { 0 }, reduced[32];
    memcpy(wide, b, 32);
    crypto_core_ed25519_scalar_reduce(reduced, wide);
    const bool canonical = memcmp(reduced, b, 32) == 0;
    must(canonical == (frost_scalar_decode(&s, b) == RC_OK));
    must((canonical && !sodium_is_zero(b, 32)) ==
         (frost_id_decode(&id, b) == RC_OK));
}

/* Any bytes to a scalar and, by Elligator, to a point of the group. */
static void sums(const uint8_t *data, unsigned n)
{
    struct frost_scalar s[TERMS];
    struct frost_point p, want = frost_identity, got;
    struct ge g[TERMS], sum;
    for (unsigned i = 0; i < n; i++, data += 64) {
        frost_scalar_from_uniform(&s[i], data);
        must(crypto_core_ed25519_from_uniform(p.b, data + 32) == 0);
        if (!frost_ge_decode(&g[i], &p))
            g[i] = frost_ge_base, p = (struct frost_point){ { 0x58 } },
            memset(p.b + 1, 0x66, 31);
        struct frost_point one = frost_identity;
        if (!sodium_is_zero(s[i].le, 32))
            must(crypto_scalarmult_ed25519_noclamp(one.b, s[i].le, p.b) == 0);
        must(crypto_core_ed25519_add(want.b, want.b, one.b) == 0);
    }
    frost_msm(&sum, s, g, n);
    frost_ge_encode(&got, &sum);
    must(frost_point_is(&got, &want));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (sodium_init() < 0 || size < 32)
        return 0;
    decoders(data);
    unsigned n = (unsigned)(size / 64);
    sums(data, n < TERMS ? n : TERMS);
    return 0;
}

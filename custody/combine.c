/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole key out of t shares: the one place where it ever is. For
 * mpc-reconstruct alone.
 */
#include "custody/inner.h"

#include <string.h>

#include "base/rand.h"

static void from_u16(uint8_t out[32], uint16_t n)
{
    memset(out, 0, 32);
    out[0] = (uint8_t)n;
    out[1] = (uint8_t)(n >> 8);
}

/* lambda_i at 0; node numbers are public. */
static enum rc lambda(uint8_t out[32], const struct custody_part *parts,
                      unsigned n, unsigned i)
{
    uint8_t num[32];
    uint8_t den[32];
    uint8_t xi[32];
    uint8_t xj[32];
    uint8_t d[32];
    from_u16(num, 1);
    from_u16(den, 1);
    from_u16(xi, parts[i].of.node);
    for (unsigned j = 0; j < n; j++) {
        if (j == i)
            continue;
        from_u16(xj, parts[j].of.node);
        crypto_core_ed25519_scalar_mul(num, num, xj);
        crypto_core_ed25519_scalar_sub(d, xj, xi);
        crypto_core_ed25519_scalar_mul(den, den, d);
    }
    if (crypto_core_ed25519_scalar_invert(den, den) != 0)
        return rc_raise(RC_CONFLICT, "node %u is there twice",
                        parts[i].of.node);
    crypto_core_ed25519_scalar_mul(out, num, den);
    return RC_OK;
}

static enum rc of_one_key(const struct custody_part *parts, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct custody_backup *b = &parts[i].of;
        if (memcmp(b->group_key, parts[0].of.group_key, 32) != 0)
            return rc_raise(RC_CONFLICT,
                            "backups of different keys (nodes %u and %u)",
                            parts[0].of.node, b->node);
        if (b->epoch != parts[0].of.epoch ||
            memcmp(b->transcript, parts[0].of.transcript, 32) != 0)
            return rc_raise(RC_CONFLICT,
                            "backups of epochs %llu and %llu do not mix",
                            (unsigned long long)parts[0].of.epoch,
                            (unsigned long long)b->epoch);
        for (unsigned j = 0; j < i; j++)
            if (parts[j].of.node == b->node)
                return rc_raise(RC_CONFLICT, "node %u is there twice", b->node);
    }
    return RC_OK;
}

enum rc custody_combine(struct frost_scalar *secret,
                        const struct custody_part *parts, unsigned n)
{
    WIPED(frost_scalar) sum = { { 0 } };
    WIPED_BYTES(term, 32);
    uint8_t l[32];
    struct frost_point got;
    if (n == 0)
        return rc_raise(RC_NODES, "no backup was opened");
    TRY(of_one_key(parts, n));
    if (n < parts[0].of.t)
        return rc_raise(RC_NODES,
                        "%u of the %u backups that make this key: fewer say "
                        "nothing about it",
                        n, parts[0].of.t);
    for (unsigned i = 0; i < n; i++) {
        TRY(lambda(l, parts, n, i));
        crypto_core_ed25519_scalar_mul(term, l, parts[i].share.le);
        crypto_core_ed25519_scalar_add(sum.le, sum.le, term);
    }
    TRY(frost_scalar_base(&got, &sum));
    if (memcmp(got.b, parts[0].of.group_key, 32) != 0)
        return rc_raise(RC_VERIFY, "these shares do not make this key");
    *secret = sum;
    return RC_OK;
}

enum rc custody_sign(uint8_t sig[64], const struct frost_scalar *secret,
                     const uint8_t group_key[32], const uint8_t *msg,
                     size_t len)
{
    WIPED_BYTES(random, 32);
    WIPED_BYTES(wide, 64);
    WIPED_BYTES(r, 32);
    uint8_t k[32];
    uint8_t out[64];
    crypto_hash_sha512_state st;
    TRY(rand_bytes(random, 32));
    crypto_hash_sha512_init(&st);
    crypto_hash_sha512_update(&st, random, 32);
    crypto_hash_sha512_update(&st, secret->le, 32);
    crypto_hash_sha512_update(&st, msg, len);
    crypto_hash_sha512_final(&st, wide);
    sodium_memzero(&st, sizeof(st));
    crypto_core_ed25519_scalar_reduce(r, wide);
    if (crypto_scalarmult_ed25519_base_noclamp(out, r) != 0)
        return rc_raise(RC_INTERNAL, "sign: a nonce of zero");
    crypto_hash_sha512_init(&st);
    crypto_hash_sha512_update(&st, out, 32);
    crypto_hash_sha512_update(&st, group_key, 32);
    crypto_hash_sha512_update(&st, msg, len);
    crypto_hash_sha512_final(&st, wide);
    crypto_core_ed25519_scalar_reduce(k, wide);
    crypto_core_ed25519_scalar_mul(out + 32, k, secret->le);
    crypto_core_ed25519_scalar_add(out + 32, out + 32, r);
    if (crypto_sign_verify_detached(out, msg, len, group_key) != 0)
        return rc_raise(RC_VERIFY, "sign: the signature does not verify");
    memcpy(sig, out, 64);
    return RC_OK;
}

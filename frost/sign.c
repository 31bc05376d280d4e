/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round two: a signer's share of the signature, RFC 9591 section 5.2. The
 * nonce is gone from the caller's memory before anything is computed with it.
 */
#include "frost/inner.h"

#include <string.h>

/* Where is our commitment, with exactly the bytes we published? */
static enum rc find_own(unsigned *me, const struct frost_package *p,
                        const struct frost_commitment *own)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (frost_id_cmp(&p->list[i].id, &own->id) != 0)
            continue;
        if (memcmp(&p->list[i], own, sizeof(*own)) != 0)
            return rc_raise(RC_ARG, "commitment list: ours was altered");
        *me = i;
        return RC_OK;
    }
    return rc_raise(RC_ARG, "commitment list: ours is not in it");
}

/*
 * What the public parts of the package come to: R, and c*lambda. `own` is
 * our term (d + rho*e)*B. Not inlined: its large public arrays must not push
 * secrets of the caller out of reach of the stack's wiping.
 */
static __attribute__((noinline)) enum rc public_part(
        struct frost_point *r, struct frost_scalar *c_lambda,
        const struct frost_package *p, const struct frost_factors *f,
        unsigned me, const struct frost_point *own)
{
    struct frost_points points;
    struct frost_id ids[FROST_MAX_SIGNERS];
    struct frost_scalar c, lambda;
    TRY(frost_list_decode(&points, p, me, true));
    TRY(frost_group_commitment(r, p, &points, f, me, own));
    frost_h2(&c, r, p->group_key, p->msg, p->msg_len);
    frost_list_ids(ids, p);
    frost_cache_lagrange(&lambda, ids, p->n, me, p->cache);
    frost_scalar_mul(c_lambda, &c, &lambda);
    return RC_OK;
}

/* The caller has taken the nonce out of circulation. */
static enum rc share_of(struct frost_scalar *z, struct frost_point *r,
                        const struct frost_nonce *nonce,
                        const struct frost_scalar *share,
                        const struct frost_package *p, unsigned me)
{
    WIPED_BELOW;
    struct frost_factors f;
    struct frost_scalar c_lambda;
    struct frost_point own_point;
    frost_binding_factors(&f, p);

    /*
     * Our term as (d + rho*e)*B: one constant-time multiplication, and
     * nothing of ours to decode or to check.
     */
    WIPED(frost_scalar) own;
    frost_scalar_mul(&own, &f.rho[me], &nonce->binding);
    frost_scalar_add(&own, &own, &nonce->hiding);
    if (!frost_base(&own_point, &own))
        return rc_raise(RC_INTERNAL, "sign: our nonces cancel out");
    TRY(public_part(r, &c_lambda, p, &f, me, &own_point));

    WIPED(frost_scalar) key_term; /* lambda*s*c */
    frost_scalar_mul(&key_term, &c_lambda, share);
    frost_scalar_add(z, &own, &key_term);
    return RC_OK;
}

enum rc frost_sign(struct frost_scalar *z, struct frost_point *r,
                   struct frost_nonce *nonce, const struct frost_scalar *share,
                   unsigned min, const struct frost_package *package)
{
    WIPED_BELOW;
    /* spent first, whatever comes: no path leads back to it */
    WIPED(frost_nonce) spent = *nonce;
    sodium_memzero(nonce, sizeof(*nonce));
    if (spent.live != 1)
        return rc_raise(RC_ORDER, "sign: this nonce is spent already");

    TRY(frost_list_check(package));
    if (min < 2 || package->n < min)
        return rc_raise(RC_ARG, "commitment list: %u signers, threshold %u",
                        package->n, min);
    if (!frost_scalar_is_canonical(share->le) || frost_scalar_is_zero(share))
        return rc_raise(RC_ARG, "sign: not a signing share");
    unsigned me = 0;
    TRY(find_own(&me, package, &spent.commitment));

    WIPED(frost_scalar) out;
    struct frost_point sum;
    TRY(share_of(&out, &sum, &spent, share, package, me));
    *z = out;
    if (r)
        *r = sum;
    return RC_OK;
}

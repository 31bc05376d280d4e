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
 * R, with our own term as (d + rho*e)*B: one constant-time multiplication,
 * and nothing of ours to decode or to check.
 */
static enum rc group_commitment(struct frost_point *r,
                                const struct frost_package *p,
                                const struct frost_factors *f, unsigned me,
                                const struct frost_scalar *own)
{
    struct frost_terms terms;
    for (unsigned i = 0; i < p->n; i++) {
        if (i != me)
            TRY(frost_term(&terms.of[i], p, f, i, true));
        else if (!frost_base(&terms.of[i], own))
            return rc_raise(RC_INTERNAL, "sign: our nonces cancel out");
    }
    return frost_terms_sum(r, &terms, p->n);
}

/* The caller has taken the nonce out of circulation. */
static enum rc share_of(struct frost_scalar *z, const struct frost_nonce *nonce,
                        const struct frost_scalar *share,
                        const struct frost_package *p, unsigned me)
{
    struct frost_factors f;
    frost_binding_factors(&f, p);

    WIPED(frost_scalar) own; /* d + rho*e */
    frost_scalar_mul(&own, &f.rho[me], &nonce->binding);
    frost_scalar_add(&own, &own, &nonce->hiding);
    struct frost_point r;
    TRY(group_commitment(&r, p, &f, me, &own));

    struct frost_scalar c, lambda;
    frost_h2(&c, &r, p->group_key, p->msg, p->msg_len);
    TRY(frost_lagrange(&lambda, p->list, p->n, me));

    WIPED(frost_scalar) key_term; /* lambda*s*c */
    frost_scalar_mul(&lambda, &lambda, &c);
    frost_scalar_mul(&key_term, &lambda, share);
    frost_scalar_add(z, &own, &key_term);
    return RC_OK;
}

enum rc frost_sign(struct frost_scalar *z, struct frost_nonce *nonce,
                   const struct frost_scalar *share,
                   const struct frost_point *group_key, unsigned min,
                   const uint8_t *msg, size_t msg_len,
                   const struct frost_commitment *list, unsigned n_list)
{
    WIPED_BELOW;
    /* spent first, whatever comes: no path leads back to it */
    WIPED(frost_nonce) spent = *nonce;
    sodium_memzero(nonce, sizeof(*nonce));
    if (spent.live != 1)
        return rc_raise(RC_ORDER, "sign: this nonce is spent already");

    const struct frost_package p = {
        .group_key = group_key,
        .msg = msg,
        .msg_len = msg_len,
        .list = list,
        .n = n_list,
    };
    TRY(frost_list_check(list, n_list));
    if (min < 2 || n_list < min)
        return rc_raise(RC_ARG, "commitment list: %u signers, threshold %u",
                        n_list, min);
    if (!frost_scalar_is_canonical(share->le) || frost_scalar_is_zero(share))
        return rc_raise(RC_ARG, "sign: not a signing share");
    unsigned me = 0;
    TRY(find_own(&me, &p, &spent.commitment));

    WIPED(frost_scalar) out;
    TRY(share_of(&out, &spent, share, &p, me));
    *z = out;
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round one: nonces and their commitment, RFC 9591 sections 4.1 and 5.1.
 * Keeps nothing: the nonce lives in the caller's memory alone.
 */
#include "frost/inner.h"

#include <string.h>

#include "base/secret.h"

/* The caller wipes the nonce when this fails. */
static enum rc nonce_fill(struct frost_nonce *nonce, const struct frost_id *id,
                          const struct frost_scalar *share,
                          const uint8_t rand_d[32], const uint8_t rand_e[32])
{
    if (!frost_id_is_valid(id))
        return rc_raise(RC_ARG, "commit: bad identifier");
    if (!frost_scalar_is_canonical(share->le) || frost_scalar_is_zero(share))
        return rc_raise(RC_ARG, "commit: not a signing share");
    /* a broken source repeats itself before it does anything else */
    int same = sodium_memcmp(rand_d, rand_e, 32) == 0;
    ct_public(&same, sizeof(same));
    if (same)
        return rc_raise(RC_ARG, "commit: the randomness repeats");

    frost_h3(&nonce->hiding, rand_d, share);
    frost_h3(&nonce->binding, rand_e, share);
    nonce->commitment.id = *id;
    if (!frost_base(&nonce->commitment.hiding, &nonce->hiding) ||
        !frost_base(&nonce->commitment.binding, &nonce->binding))
        return rc_raise(RC_INTERNAL, "commit: a nonce is zero");
    nonce->live = 1;
    return RC_OK;
}

enum rc frost_commit(struct frost_nonce *nonce, const struct frost_ready *ready,
                     const struct frost_id *id,
                     const struct frost_scalar *share, const uint8_t rand_d[32],
                     const uint8_t rand_e[32])
{
    WIPED_BELOW;
    sodium_memzero(nonce, sizeof(*nonce));
    TRY(frost_ready_check(ready));
    enum rc rc = nonce_fill(nonce, id, share, rand_d, rand_e);
    if (rc != RC_OK)
        sodium_memzero(nonce, sizeof(*nonce));
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reshare: t or more holders share their weighted shares of a key out to a
 * new group, of any threshold and members. The key stays.
 */
#include "frost/inner.h"

#include <string.h>

/* ---- dealing ----------------------------------------------------------- */

static enum rc quorum_check(const struct frost_group *old,
                            const struct frost_id *quorum, unsigned n,
                            unsigned at)
{
    TRY(frost_group_shape(old));
    TRY(frost_group_subset(old, quorum, n, "reshare"));
    if (at >= n)
        return rc_raise(RC_ARG, "reshare: %u dealers, no entry %u", n, at);
    return RC_OK;
}

static enum rc deal(struct frost_poly *poly, struct frost_dealing *dealing,
                    const struct frost_id *quorum, unsigned n_quorum,
                    unsigned me, const struct frost_scalar *share,
                    unsigned new_t, const uint8_t (*randomness)[32])
{
    struct frost_scalar lambda;
    TRY(frost_threshold_check(new_t));
    TRY(frost_randomness_check(randomness, new_t - 1));
    frost_lagrange(&lambda, quorum, n_quorum, me, NULL);
    frost_scalar_mul(&poly->coeff[0], &lambda, share);
    if (!frost_base(&dealing->commitment[0], &poly->coeff[0]))
        return rc_raise(RC_ARG, "reshare: our share is zero");
    return frost_poly_fill(poly, dealing, 1, new_t, randomness);
}

enum rc frost_reshare_deal(struct frost_poly *poly,
                           struct frost_dealing *dealing,
                           const struct frost_ready *ready,
                           const struct frost_group *old,
                           const struct frost_id *quorum, unsigned n_quorum,
                           unsigned me, const struct frost_scalar *share,
                           unsigned new_t, const uint8_t (*randomness)[32])
{
    WIPED_BELOW;
    sodium_memzero(poly, sizeof(*poly));
    sodium_memzero(dealing, sizeof(*dealing));
    TRY(frost_ready_check(ready));
    TRY(quorum_check(old, quorum, n_quorum, me));
    TRY(frost_group_share(old, &quorum[me], share));
    enum rc rc = deal(poly, dealing, quorum, n_quorum, me, share, new_t,
                      randomness);
    if (rc != RC_OK) {
        sodium_memzero(poly, sizeof(*poly));
        sodium_memzero(dealing, sizeof(*dealing));
    }
    return rc;
}

/* ---- receiving --------------------------------------------------------- */

enum rc frost_reshare_check(const struct frost_dealing *dealing,
                            const struct frost_group *old,
                            const struct frost_id *quorum, unsigned n_quorum,
                            unsigned dealer, unsigned new_t)
{
    struct frost_scalar lambda;
    struct frost_point want;
    struct ge y;
    TRY(quorum_check(old, quorum, n_quorum, dealer));
    TRY(frost_dealing_check(dealing, &quorum[dealer], 0, new_t));
    TRY(frost_group_y(&y, old, &quorum[dealer]));
    frost_lagrange(&lambda, quorum, n_quorum, dealer, NULL);
    frost_msm(&y, &lambda, &y, 1);
    frost_ge_encode(&want, &y);
    if (!frost_point_is(&want, &dealing->commitment[0]))
        return rc_raise(RC_VERIFY,
                        "reshare: %u deals something else than its part of "
                        "the key",
                        frost_id_to_u16(&quorum[dealer]));
    return RC_OK;
}

/* ---- finishing --------------------------------------------------------- */

static enum rc arguments_check(const struct frost_group *old, unsigned new_t,
                               const struct frost_id *ids, unsigned n,
                               unsigned me, const struct frost_dealt *dealt,
                               const struct frost_dealing *mine)
{
    TRY(quorum_check(old, dealt->dealers, dealt->n, 0));
    TRY(frost_dealt_check(dealt, new_t));
    TRY(frost_ids_check(ids, n, "reshare"));
    if (new_t > n || me >= n)
        return rc_raise(RC_ARG, "reshare: threshold %u of %u, we are entry %u",
                        new_t, n, me);
    const unsigned at = frost_ids_find(dealt->dealers, dealt->n, &ids[me]);
    return at < dealt->n ? frost_dealt_mine(dealt, at, mine) : RC_OK;
}

static __attribute__((noinline)) enum rc new_shares_of(
        struct frost_point *ys, const struct frost_group *old, unsigned new_t,
        const struct frost_id *ids, unsigned n, const struct frost_dealt *dealt)
{
    struct ge sum[FROST_MAX_SIGNERS], at;
    struct frost_point key;
    TRY(frost_dealt_sum(sum, dealt));
    frost_ge_encode(&key, &sum[0]);
    if (!frost_point_is(&key, old->key))
        return rc_raise(RC_VERIFY, "reshare: the dealings come to another key");
    for (unsigned i = 0; i < n; i++) {
        frost_points_at(&at, sum, new_t, &ids[i]);
        frost_ge_encode(&ys[i], &at);
    }
    return RC_OK;
}

enum rc frost_reshare_finish(struct frost_scalar *share, struct frost_point *ys,
                             const struct frost_group *old, unsigned new_t,
                             const struct frost_id *ids, unsigned n,
                             unsigned me, const struct frost_dealt *dealt,
                             const struct frost_dealing *mine,
                             struct frost_culprits *culprits)
{
    struct frost_point shares_of[FROST_MAX_SIGNERS];
    if (culprits)
        culprits->n = 0;
    TRY(arguments_check(old, new_t, ids, n, me, dealt, mine));
    TRY(new_shares_of(shares_of, old, new_t, ids, n, dealt));
    WIPED(frost_scalar) out;
    TRY(frost_dealt_share(&out, NULL, &shares_of[me], dealt, &ids[me],
                          culprits));
    TRY(frost_ys_check(shares_of, ids, n));
    *share = out;
    memcpy(ys, shares_of, n * sizeof(*ys));
    return RC_OK;
}

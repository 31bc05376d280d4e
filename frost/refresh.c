/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refresh: shares of zero are added to the shares of a key. The key and the
 * threshold stay; who stole fewer than t old shares starts anew.
 */
#include "frost/inner.h"

#include <string.h>

enum rc frost_refresh_deal(struct frost_poly *poly,
                           struct frost_dealing *dealing,
                           const struct frost_ready *ready, unsigned t,
                           const uint8_t (*randomness)[32])
{
    WIPED_BELOW;
    sodium_memzero(poly, sizeof(*poly));
    sodium_memzero(dealing, sizeof(*dealing));
    TRY(frost_ready_check(ready));
    TRY(frost_threshold_check(t));
    enum rc rc = frost_poly_fill(poly, dealing, 1, t, randomness);
    if (rc != RC_OK) {
        sodium_memzero(poly, sizeof(*poly));
        sodium_memzero(dealing, sizeof(*dealing));
        return rc;
    }
    dealing->commitment[0] = frost_identity; /* coefficient 0 is zero */
    return RC_OK;
}

enum rc frost_refresh_check(const struct frost_dealing *dealing,
                            const struct frost_id *dealer, unsigned t)
{
    TRY(frost_dealing_check(dealing, dealer, 1, t));
    if (!frost_point_is(&dealing->commitment[0], &frost_identity))
        return rc_raise(RC_PARSE,
                        "refresh: %u deals something else than zero: the key "
                        "would change",
                        frost_id_to_u16(dealer));
    return RC_OK;
}

static enum rc arguments_check(const struct frost_group *old,
                               const struct frost_id *ids, unsigned n,
                               unsigned me, const struct frost_dealt *dealt)
{
    TRY(frost_group_shape(old));
    TRY(frost_group_subset(old, ids, n, "refresh"));
    if (me >= n)
        return rc_raise(RC_ARG, "refresh: %u members, we are entry %u", n, me);
    TRY(frost_dealt_check(dealt, old->t));
    for (unsigned i = 0; i < dealt->n; i++)
        if (!frost_point_is(&dealt->dealings[i].commitment[0], &frost_identity))
            return rc_raise(RC_ARG, "refresh: the dealing of %u is not checked",
                            frost_id_to_u16(&dealt->dealers[i]));
    return RC_OK;
}

static __attribute__((noinline)) enum rc new_shares_of(
        struct frost_point *ys, const struct frost_group *old,
        const struct frost_id *ids, unsigned n, const struct frost_dealt *dealt)
{
    struct ge sum[FROST_MAX_SIGNERS], at, y;
    TRY(frost_dealt_sum(sum, dealt));
    for (unsigned i = 0; i < n; i++) {
        TRY(frost_group_y(&y, old, &ids[i]));
        frost_points_at(&at, sum, old->t, &ids[i]);
        at = ge_add(&at, &y);
        if (frost_ge_is_identity(&at))
            return rc_raise(RC_VERIFY, "refresh: no verifying share for %u",
                            frost_id_to_u16(&ids[i]));
        frost_ge_encode(&ys[i], &at);
    }
    return RC_OK;
}

enum rc frost_refresh_finish(struct frost_scalar *share, struct frost_point *ys,
                             const struct frost_group *old,
                             const struct frost_scalar *old_share,
                             const struct frost_id *ids, unsigned n,
                             unsigned me, const struct frost_dealt *dealt,
                             struct frost_culprits *culprits)
{
    struct frost_point shares_of[FROST_MAX_SIGNERS];
    if (culprits)
        culprits->n = 0;
    TRY(arguments_check(old, ids, n, me, dealt));
    TRY(frost_group_share(old, &ids[me], old_share));
    TRY(new_shares_of(shares_of, old, ids, n, dealt));
    TRY(frost_dealt_share(share, old_share, &shares_of[me], dealt, &ids[me],
                          culprits));
    memcpy(ys, shares_of, n * sizeof(*ys));
    return RC_OK;
}

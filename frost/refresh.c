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
    TRY(frost_randomness_check(randomness, t - 1));
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
                               const struct frost_dealt *dealt,
                               const struct frost_dealing *mine, unsigned me)
{
    TRY(frost_group_shape(old));
    TRY(frost_group_subset(old, dealt->dealers, dealt->n, "refresh"));
    if (me >= dealt->n)
        return rc_raise(RC_ARG, "refresh: %u members, we are entry %u",
                        dealt->n, me);
    TRY(frost_dealt_check(dealt, old->t));
    for (unsigned i = 0; i < dealt->n; i++)
        if (!frost_point_is(&dealt->dealings[i].commitment[0], &frost_identity))
            return rc_raise(RC_ARG, "refresh: the dealing of %u is not checked",
                            frost_id_to_u16(&dealt->dealers[i]));
    return frost_dealt_mine(dealt, me, mine);
}

static __attribute__((noinline)) enum rc new_shares_of(
        struct frost_point *ys, const struct frost_group *old,
        const struct frost_dealt *dealt)
{
    struct ge sum[FROST_MAX_SIGNERS], at, y;
    TRY(frost_dealt_sum(sum, dealt));
    for (unsigned i = 0; i < dealt->n; i++) {
        TRY(frost_group_y(&y, old, &dealt->dealers[i]));
        frost_points_at(&at, sum, old->t, &dealt->dealers[i]);
        at = ge_add(&at, &y);
        frost_ge_encode(&ys[i], &at);
    }
    return RC_OK;
}

enum rc frost_refresh_finish(struct frost_scalar *share, struct frost_point *ys,
                             const struct frost_group *old,
                             const struct frost_scalar *old_share,
                             const struct frost_dealt *dealt,
                             const struct frost_dealing *mine, unsigned me,
                             struct frost_culprits *culprits)
{
    struct frost_point shares_of[FROST_MAX_SIGNERS];
    if (culprits)
        culprits->n = 0;
    TRY(arguments_check(old, dealt, mine, me));
    TRY(frost_group_share(old, &dealt->dealers[me], old_share));
    TRY(new_shares_of(shares_of, old, dealt));
    WIPED(frost_scalar) out;
    TRY(frost_dealt_share(&out, old_share, &shares_of[me], dealt,
                          &dealt->dealers[me], culprits));
    TRY(frost_ys_check(shares_of, dealt->dealers, dealt->n));
    *share = out;
    memcpy(ys, shares_of, dealt->n * sizeof(*ys));
    return RC_OK;
}

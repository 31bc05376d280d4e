/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repair and enrolment: t holders make one more holder's share without any of
 * them learning it. Stinson and Wei, "Combinatorial repairability for
 * threshold schemes", section 2.2, as in ZF frost-core's keys::repairable;
 * unlike there, the result is compared with what it must be.
 */
#include "frost/inner.h"

#include <string.h>

/* ---- helpers ----------------------------------------------------------- */

static enum rc helpers_check(const struct frost_group *group,
                             const struct frost_id *helpers, unsigned n,
                             unsigned me, const struct frost_id *target)
{
    TRY(frost_group_shape(group));
    TRY(frost_group_subset(group, helpers, n, "helpers"));
    if (me >= n)
        return rc_raise(RC_ARG, "helpers: %u, we are entry %u", n, me);
    if (!frost_id_is_valid(target))
        return rc_raise(RC_ARG, "repair: bad identifier of the target");
    if (frost_ids_find(helpers, n, target) < n)
        return rc_raise(RC_ARG, "repair: %u cannot help itself",
                        frost_id_to_u16(target));
    return RC_OK;
}

/* Random deltas, and a last one that makes the sum lambda*share. */
static enum rc split(struct frost_scalar *deltas,
                     const struct frost_id *helpers, unsigned n, unsigned me,
                     const struct frost_scalar *share,
                     const struct frost_id *target,
                     const uint8_t (*randomness)[32])
{
    struct frost_scalar lambda;
    WIPED(frost_scalar) left;
    TRY(frost_randomness_check(randomness, n - 1));
    frost_lagrange(&lambda, helpers, n, me, target);
    frost_scalar_mul(&left, &lambda, share);
    for (unsigned i = 0; i + 1 < n; i++) {
        frost_scalar_from_uniform(&deltas[i], randomness[i]);
        if (frost_scalar_is_zero(&deltas[i]))
            return rc_raise(RC_ARG, "repair: the randomness gives a zero");
        frost_scalar_sub(&left, &left, &deltas[i]);
    }
    deltas[n - 1] = left;
    return RC_OK;
}

enum rc frost_repair_delta(struct frost_scalar *deltas,
                           const struct frost_ready *ready,
                           const struct frost_group *group,
                           const struct frost_id *helpers, unsigned n,
                           unsigned me, const struct frost_scalar *share,
                           const struct frost_id *target,
                           const uint8_t (*randomness)[32])
{
    WIPED_BELOW;
    if (n > FROST_MAX_SIGNERS)
        return rc_raise(RC_ARG, "helpers: %u, at most %d", n,
                        FROST_MAX_SIGNERS);
    sodium_memzero(deltas, n * sizeof(*deltas));
    TRY(frost_ready_check(ready));
    TRY(helpers_check(group, helpers, n, me, target));
    TRY(frost_group_share(group, &helpers[me], share));
    enum rc rc = split(deltas, helpers, n, me, share, target, randomness);
    if (rc != RC_OK)
        sodium_memzero(deltas, n * sizeof(*deltas));
    return rc;
}

/* Secret parts to a secret sum. */
static enum rc sum_of(struct frost_scalar *out,
                      const struct frost_scalar *parts, unsigned n,
                      const char *what)
{
    WIPED(frost_scalar) sum = { .le = { 0 } };
    if (n < 2 || n > FROST_MAX_SIGNERS)
        return rc_raise(RC_ARG, "%s: %u, want 2..%d", what, n,
                        FROST_MAX_SIGNERS);
    for (unsigned i = 0; i < n; i++) {
        if (!frost_scalar_is_canonical(parts[i].le))
            return rc_raise(RC_PARSE, "%s %u: not a scalar", what, i);
        frost_scalar_add(&sum, &sum, &parts[i]);
    }
    *out = sum;
    return RC_OK;
}

enum rc frost_repair_sigma(struct frost_scalar *sigma,
                           const struct frost_scalar *deltas, unsigned n)
{
    WIPED_BELOW;
    return sum_of(sigma, deltas, n, "delta");
}

/* ---- the target -------------------------------------------------------- */

static enum rc finish(struct frost_scalar *share, const struct frost_point *y,
                      const struct frost_scalar *sigmas, unsigned n)
{
    WIPED_BELOW;
    WIPED(frost_scalar) sum;
    struct frost_point got;
    TRY(sum_of(&sum, sigmas, n, "sigma"));
    /* a share is never zero, whatever the group says of this member */
    if (frost_scalar_is_zero(&sum) || !frost_base(&got, &sum) ||
        !frost_point_is(&got, y))
        return rc_raise(RC_VERIFY, "repair: what came is not the share: a "
                                   "helper was wrong, or another set helped");
    *share = sum;
    return RC_OK;
}

enum rc frost_repair_finish(struct frost_scalar *share,
                            const struct frost_group *group,
                            const struct frost_id *target,
                            const struct frost_scalar *sigmas, unsigned n)
{
    TRY(frost_group_shape(group));
    const unsigned i = frost_ids_find(group->ids, group->n, target);
    if (i == group->n)
        return rc_raise(RC_ARG, "repair: %u is not of the group",
                        frost_id_to_u16(target));
    return finish(share, &group->ys[i], sigmas, n);
}

enum rc frost_enrol_finish(struct frost_scalar *share, struct frost_point *y,
                           const struct frost_group *group,
                           const struct frost_id *target,
                           const struct frost_scalar *sigmas, unsigned n)
{
    struct ge at;
    struct frost_point want;
    TRY(frost_group_shape(group));
    if (!frost_id_is_valid(target) ||
        frost_ids_find(group->ids, group->n, target) < group->n)
        return rc_raise(RC_ARG, "enrol: %u: bad identifier, or of the group",
                        frost_id_to_u16(target));
    TRY(frost_group_at(&at, group, target));
    frost_ge_encode(&want, &at);
    if (frost_ge_is_identity(&at))
        return rc_raise(RC_VERIFY, "enrol: the share of %u would be zero",
                        frost_id_to_u16(target));
    TRY(finish(share, &want, sigmas, n));
    *y = want;
    return RC_OK;
}

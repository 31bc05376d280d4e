/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public half of a key: members, verifying shares, group key, and what
 * must hold between them. Public data only, but for the share that
 * frost_group_share() compares.
 */
#include "frost/inner.h"

enum rc frost_group_shape(const struct frost_group *group)
{
    if (group->t < 2 || group->n < group->t || group->n > FROST_MAX_SIGNERS)
        return rc_raise(RC_ARG, "group: %u of %u, want 2..n of at most %d",
                        group->t, group->n, FROST_MAX_SIGNERS);
    return frost_ids_check(group->ids, group->n, "group");
}

enum rc frost_group_subset(const struct frost_group *group,
                           const struct frost_id *ids, unsigned n,
                           const char *what)
{
    TRY(frost_ids_check(ids, n, what));
    if (n < group->t)
        return rc_raise(RC_ARG, "%s: %u members, the threshold is %u", what, n,
                        group->t);
    for (unsigned i = 0; i < n; i++)
        if (frost_ids_find(group->ids, group->n, &ids[i]) == group->n)
            return rc_raise(RC_ARG, "%s: %u is not of the group", what,
                            frost_id_to_u16(&ids[i]));
    return RC_OK;
}

enum rc frost_group_y(struct ge *out, const struct frost_group *group,
                      const struct frost_id *id)
{
    const unsigned i = frost_ids_find(group->ids, group->n, id);
    if (i == group->n)
        return rc_raise(RC_ARG, "group: %u is not of it", frost_id_to_u16(id));
    if (!frost_ge_decode(out, &group->ys[i]))
        return rc_raise(RC_PARSE,
                        "verifying share of %u: not a point of the group",
                        frost_id_to_u16(id));
    return RC_OK;
}

/* By the first t of ys, decoded. */
static void interpolate(struct ge *out, const struct frost_group *group,
                        const struct ge *ys, const struct frost_id *x)
{
    struct frost_scalar lambda[FROST_MAX_SIGNERS];
    frost_lagrange_all(lambda, group->ids, group->t, x);
    frost_msm(out, lambda, ys, group->t);
}

enum rc frost_group_at(struct ge *out, const struct frost_group *group,
                       const struct frost_id *x)
{
    struct ge ys[FROST_MAX_SIGNERS];
    for (unsigned i = 0; i < group->t; i++)
        TRY(frost_group_y(&ys[i], group, &group->ids[i]));
    interpolate(out, group, ys, x);
    return RC_OK;
}

enum rc frost_group_check(const struct frost_group *group)
{
    struct ge ys[FROST_MAX_SIGNERS], at;
    struct frost_point encoded;
    TRY(frost_group_shape(group));
    if (!frost_point_is_valid(group->key))
        return rc_raise(RC_PARSE, "group key: not a point of the group");
    for (unsigned i = 0; i < group->n; i++)
        TRY(frost_group_y(&ys[i], group, &group->ids[i]));
    interpolate(&at, group, ys, NULL);
    frost_ge_encode(&encoded, &at);
    if (!frost_point_is(&encoded, group->key))
        return rc_raise(RC_VERIFY, "group: the verifying shares are not those "
                                   "of its key");
    for (unsigned i = group->t; i < group->n; i++) {
        interpolate(&at, group, ys, &group->ids[i]);
        frost_ge_encode(&encoded, &at);
        if (!frost_point_is(&encoded, &group->ys[i]))
            return rc_raise(RC_VERIFY,
                            "verifying share of %u: not on the polynomial of "
                            "the others",
                            frost_id_to_u16(&group->ids[i]));
    }
    return RC_OK;
}

enum rc frost_group_share(const struct frost_group *group,
                          const struct frost_id *id,
                          const struct frost_scalar *share)
{
    WIPED_BELOW;
    struct frost_point y;
    const unsigned i = frost_ids_find(group->ids, group->n, id);
    if (i == group->n || !frost_scalar_is_canonical(share->le) ||
        !frost_base_or_identity(&y, share) ||
        !frost_point_is(&y, &group->ys[i]))
        return rc_raise(RC_ARG, "share of %u: not the one of this group",
                        frost_id_to_u16(id));
    return RC_OK;
}

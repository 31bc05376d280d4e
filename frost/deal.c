/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What DKG, refresh and reshare have in common: polynomials, their public
 * commitments, sub-shares, and the sum of it all. Holds no state between
 * calls. It cannot see whether all were sent the same dealings: that is for
 * the transcript they sign afterwards.
 */
#include "frost/inner.h"

#include <string.h>

#include "base/secret.h"

enum rc frost_threshold_check(unsigned t)
{
    if (t < 2 || t > FROST_MAX_SIGNERS)
        return rc_raise(RC_ARG, "threshold %u, want 2..%d", t,
                        FROST_MAX_SIGNERS);
    return RC_OK;
}

/* ---- dealing ----------------------------------------------------------- */

enum rc frost_randomness_check(const uint8_t (*randomness)[32], unsigned n)
{
    int same = 0;
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < i; k++)
            same |= sodium_memcmp(randomness[i], randomness[k], 32) == 0;
    ct_public(&same, sizeof(same));
    if (same)
        return rc_raise(RC_ARG, "the randomness repeats");
    return RC_OK;
}

enum rc frost_poly_fill(struct frost_poly *poly, struct frost_dealing *dealing,
                        unsigned first, unsigned t,
                        const uint8_t (*randomness)[32])
{
    for (unsigned k = first; k < t; k++) {
        frost_scalar_from_uniform(&poly->coeff[k], randomness[k - first]);
        if (!frost_base(&dealing->commitment[k], &poly->coeff[k]))
            return rc_raise(RC_ARG, "deal: the randomness gives a zero");
    }
    poly->t = t;
    dealing->t = t;
    return RC_OK;
}

enum rc frost_sub_share(struct frost_scalar *out, const struct frost_poly *poly,
                        const struct frost_id *to)
{
    WIPED_BELOW;
    TRY(frost_threshold_check(poly->t));
    /* f(0) is the secret itself */
    if (!frost_id_is_valid(to))
        return rc_raise(RC_ARG, "sub-share: bad identifier");
    const struct frost_scalar x = frost_id_scalar(to);
    frost_poly_at(out, poly->coeff, poly->t, &x);
    return RC_OK;
}

/* ---- one dealing ------------------------------------------------------- */

enum rc frost_dealing_check(const struct frost_dealing *dealing,
                            const struct frost_id *dealer, unsigned first,
                            unsigned t)
{
    TRY(frost_threshold_check(t));
    if (!frost_id_is_valid(dealer))
        return rc_raise(RC_ARG, "dealing: bad identifier");
    /* one more would silently raise the threshold of the key */
    if (dealing->t != t)
        return rc_raise(RC_PARSE, "dealing of %u: %u commitments, want %u",
                        frost_id_to_u16(dealer), dealing->t, t);
    for (unsigned k = first; k < t; k++)
        if (!frost_point_is_valid(&dealing->commitment[k]))
            return rc_raise(RC_PARSE,
                            "dealing of %u: commitment %u: not a point of "
                            "the group",
                            frost_id_to_u16(dealer), k);
    return RC_OK;
}

/* Checked before, so canonical and on the curve is enough here. */
static enum rc decode_all(struct ge *out, const struct frost_dealing *dealing)
{
    for (unsigned k = 0; k < dealing->t; k++)
        if (!frost_ge_decode_any(&out[k], &dealing->commitment[k]))
            return rc_raise(RC_PARSE, "dealing: commitment %u: not a point", k);
    return RC_OK;
}

static __attribute__((noinline)) enum rc committed_at(
        struct frost_point *out, const struct frost_dealing *dealing,
        const struct frost_id *x)
{
    struct ge coeff[FROST_MAX_SIGNERS], at;
    TRY(decode_all(coeff, dealing));
    frost_points_at(&at, coeff, dealing->t, x);
    frost_ge_encode(out, &at);
    return RC_OK;
}

enum rc frost_sub_share_check(const struct frost_scalar *sub_share,
                              const struct frost_dealing *dealing,
                              const struct frost_id *us)
{
    WIPED_BELOW;
    TRY(frost_threshold_check(dealing->t));
    if (!frost_id_is_valid(us))
        return rc_raise(RC_ARG, "sub-share: bad identifier");
    if (!frost_scalar_is_canonical(sub_share->le))
        return rc_raise(RC_PARSE, "sub-share: not a scalar");
    struct frost_point want, got;
    TRY(committed_at(&want, dealing, us));
    /* a dealer may hit zero by chance; then the point is the identity */
    if (!frost_base_or_identity(&got, sub_share))
        return rc_raise(RC_INTERNAL, "sub-share: no point");
    if (!frost_point_is(&want, &got))
        return rc_raise(RC_VERIFY, "sub-share: not on the polynomial its "
                                   "dealer committed to");
    return RC_OK;
}

/* ---- all of them ------------------------------------------------------- */

enum rc frost_dealt_check(const struct frost_dealt *dealt, unsigned t)
{
    TRY(frost_threshold_check(t));
    TRY(frost_ids_check(dealt->dealers, dealt->n, "dealers"));
    for (unsigned i = 0; i < dealt->n; i++)
        if (dealt->dealings[i].t != t)
            return rc_raise(RC_ARG, "dealing of %u: %u commitments, want %u",
                            frost_id_to_u16(&dealt->dealers[i]),
                            dealt->dealings[i].t, t);
    return RC_OK;
}

enum rc frost_dealt_sum(struct ge *out, const struct frost_dealt *dealt)
{
    struct ge one[FROST_MAX_SIGNERS];
    const unsigned t = dealt->dealings[0].t;
    TRY(decode_all(out, &dealt->dealings[0]));
    for (unsigned i = 1; i < dealt->n; i++) {
        TRY(decode_all(one, &dealt->dealings[i]));
        for (unsigned k = 0; k < t; k++)
            out[k] = ge_add(&out[k], &one[k]);
    }
    return RC_OK;
}

enum rc frost_dealt_mine(const struct frost_dealt *dealt, unsigned at,
                         const struct frost_dealing *mine)
{
    const struct frost_dealing *d = &dealt->dealings[at];
    if (mine && d->t == mine->t &&
        memcmp(d->commitment, mine->commitment,
               d->t * sizeof(d->commitment[0])) == 0 &&
        frost_point_is(&d->pok_r, &mine->pok_r) &&
        memcmp(&d->pok_z, &mine->pok_z, sizeof(d->pok_z)) == 0)
        return RC_OK;
    return rc_raise(RC_CONFLICT, "dealings: ours is not the one we sent");
}

enum rc frost_ys_check(const struct frost_point *ys, const struct frost_id *ids,
                       unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (frost_point_is(&ys[i], &frost_identity))
            return rc_raise(RC_VERIFY,
                            "the share of %u would be zero: deal again",
                            frost_id_to_u16(&ids[i]));
    return RC_OK;
}

/* The sum is wrong: whose part of it? */
static enum rc blame(const struct frost_dealt *dealt, const struct frost_id *us,
                     struct frost_culprits *culprits)
{
    unsigned n = 0, first = 0;
    for (unsigned i = 0; i < dealt->n; i++) {
        if (frost_sub_share_check(&dealt->subs[i], &dealt->dealings[i], us) ==
            RC_OK)
            continue;
        if (n == 0)
            first = i;
        if (culprits)
            culprits->id[n] = dealt->dealers[i];
        n++;
    }
    if (culprits)
        culprits->n = n;
    if (n == 0)
        return rc_raise(RC_ARG, "the dealings are right for another share or "
                                "member than ours");
    return rc_raise(RC_CHEATER,
                    "%u of %u sub-shares are not on their dealer's "
                    "polynomial, first that of %u%s",
                    n, dealt->n, frost_id_to_u16(&dealt->dealers[first]),
                    n == dealt->n ? "; or we are another member" : "");
}

enum rc frost_dealt_share(struct frost_scalar *share,
                          const struct frost_scalar *base,
                          const struct frost_point *y,
                          const struct frost_dealt *dealt,
                          const struct frost_id *us,
                          struct frost_culprits *culprits)
{
    WIPED_BELOW;
    WIPED(frost_scalar) sum = { .le = { 0 } };
    struct frost_point mine;
    bool scalars = true;
    if (base)
        sum = *base;
    for (unsigned i = 0; i < dealt->n; i++) {
        scalars = scalars && frost_scalar_is_canonical(dealt->subs[i].le);
        frost_scalar_add(&sum, &sum, &dealt->subs[i]);
    }
    if (!scalars || !frost_base_or_identity(&mine, &sum) ||
        !frost_point_is(&mine, y))
        return blame(dealt, us, culprits);
    *share = sum;
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pedersen's distributed key generation with proofs of possession. Holds no
 * state between calls. It cannot see whether all participants were sent the
 * same packages: that is for the transcript they sign afterwards.
 */
#include "frost/inner.h"

#include <string.h>

static enum rc threshold_check(unsigned t)
{
    if (t < 2 || t > FROST_MAX_SIGNERS)
        return rc_raise(RC_ARG, "dkg: threshold %u, want 2..%d", t,
                        FROST_MAX_SIGNERS);
    return RC_OK;
}

/* ---- dealing --------------------------------------------------------- */

/* R = k*B, mu = k + a0*c: a Schnorr proof that we know coefficient 0. */
static enum rc prove(struct frost_dkg_package *package,
                     const struct frost_dkg_secret *secret,
                     const struct frost_id *id, const uint8_t random[32])
{
    WIPED(frost_scalar) k;
    frost_scalar_from_uniform(&k, random);
    if (!frost_base(&package->pok_r, &k))
        return rc_raise(RC_ARG, "dkg: the randomness gives a zero nonce");
    struct frost_scalar c;
    frost_hdkg(&c, id, &package->commitment[0], &package->pok_r);
    WIPED(frost_scalar) key_term;
    frost_scalar_mul(&key_term, &secret->coeff[0], &c);
    frost_scalar_add(&package->pok_z, &k, &key_term);
    return RC_OK;
}

/* The caller wipes both outputs when this fails. */
static enum rc deal(struct frost_dkg_secret *secret,
                    struct frost_dkg_package *package,
                    const struct frost_id *id, unsigned t,
                    const uint8_t (*randomness)[32])
{
    for (unsigned k = 0; k < t; k++) {
        frost_scalar_from_uniform(&secret->coeff[k], randomness[k]);
        if (!frost_base(&package->commitment[k], &secret->coeff[k]))
            return rc_raise(RC_ARG,
                            "dkg: the randomness gives a zero coefficient");
    }
    secret->t = t;
    package->t = t;
    return prove(package, secret, id, randomness[t]);
}

enum rc frost_dkg_deal(struct frost_dkg_secret *secret,
                       struct frost_dkg_package *package,
                       const struct frost_id *id, unsigned t,
                       const uint8_t (*randomness)[32])
{
    WIPED_BELOW;
    sodium_memzero(secret, sizeof(*secret));
    sodium_memzero(package, sizeof(*package));
    TRY(frost_ready());
    TRY(threshold_check(t));
    if (!frost_id_is_valid(id))
        return rc_raise(RC_ARG, "dkg: bad identifier");
    enum rc rc = deal(secret, package, id, t, randomness);
    if (rc != RC_OK) {
        sodium_memzero(secret, sizeof(*secret));
        sodium_memzero(package, sizeof(*package));
    }
    return rc;
}

enum rc frost_dkg_sub_share(struct frost_scalar *out,
                            const struct frost_dkg_secret *secret,
                            const struct frost_id *to)
{
    WIPED_BELOW;
    TRY(threshold_check(secret->t));
    /* f(0) is the secret itself */
    if (!frost_id_is_valid(to))
        return rc_raise(RC_ARG, "dkg: bad identifier");
    const struct frost_scalar x = frost_id_scalar(to);
    frost_poly_at(out, secret->coeff, secret->t, &x);
    return RC_OK;
}

/* ---- receiving ------------------------------------------------------- */

static enum rc proof_check(const struct frost_dkg_package *package,
                           const struct frost_id *dealer)
{
    if (!frost_scalar_is_canonical(package->pok_z.le) ||
        !frost_point_is_valid(&package->pok_r))
        return rc_raise(RC_PARSE, "dkg: proof of possession of %u: malformed",
                        frost_id_to_u16(dealer));
    /* mu*B = R + c*phi0 */
    struct frost_scalar c;
    frost_hdkg(&c, dealer, &package->commitment[0], &package->pok_r);
    struct frost_point want, got;
    if (!frost_mul(&want, &c, &package->commitment[0]) ||
        !frost_add(&want, &want, &package->pok_r) ||
        !frost_base(&got, &package->pok_z) || !frost_point_is(&want, &got))
        return rc_raise(RC_VERIFY,
                        "dkg: proof of possession of %u does not hold",
                        frost_id_to_u16(dealer));
    return RC_OK;
}

enum rc frost_dkg_package_check(const struct frost_dkg_package *package,
                                const struct frost_id *dealer, unsigned t)
{
    TRY(threshold_check(t));
    if (!frost_id_is_valid(dealer))
        return rc_raise(RC_ARG, "dkg: bad identifier");
    /* one more would silently raise the threshold of the key */
    if (package->t != t)
        return rc_raise(RC_PARSE, "dkg: %u commitments of %u, want %u",
                        package->t, frost_id_to_u16(dealer), t);
    for (unsigned k = 0; k < t; k++)
        if (!frost_point_is_valid(&package->commitment[k]))
            return rc_raise(RC_PARSE,
                            "dkg: commitment %u of %u: not a point "
                            "of the group",
                            k, frost_id_to_u16(dealer));
    return proof_check(package, dealer);
}

enum rc frost_dkg_sub_share_check(const struct frost_scalar *sub_share,
                                  const struct frost_dkg_package *package,
                                  const struct frost_id *us)
{
    WIPED_BELOW;
    TRY(threshold_check(package->t));
    if (!frost_id_is_valid(us))
        return rc_raise(RC_ARG, "dkg: bad identifier");
    if (!frost_scalar_is_canonical(sub_share->le))
        return rc_raise(RC_PARSE, "dkg: sub-share: not a scalar");

    const struct frost_scalar x = frost_id_scalar(us);
    struct frost_point want, got;
    if (!frost_poly_point_at(&want, package->commitment, package->t, &x))
        return rc_raise(RC_PARSE, "dkg: a commitment is not a point of the "
                                  "group");
    /* a dealer may hit zero by chance; then the point is the identity */
    if (frost_scalar_is_zero(sub_share))
        got = frost_identity;
    else if (!frost_base(&got, sub_share))
        return rc_raise(RC_INTERNAL, "dkg: sub-share: no point");
    if (!frost_point_is(&want, &got))
        return rc_raise(RC_VERIFY, "dkg: sub-share: not on the polynomial "
                                   "its dealer committed to");
    return RC_OK;
}

/* ---- finishing ------------------------------------------------------- */

static enum rc participants_check(const struct frost_id *ids,
                                  const struct frost_dkg_package *packages,
                                  unsigned n, unsigned me)
{
    if (n < 2 || n > FROST_MAX_SIGNERS || me >= n)
        return rc_raise(RC_ARG, "dkg: %u participants, we are entry %u", n, me);
    TRY(threshold_check(packages[0].t));
    if (packages[0].t > n)
        return rc_raise(RC_ARG, "dkg: threshold %u of %u", packages[0].t, n);
    for (unsigned i = 0; i < n; i++) {
        if (!frost_id_is_valid(&ids[i]) ||
            (i > 0 && frost_id_cmp(&ids[i - 1], &ids[i]) >= 0))
            return rc_raise(RC_ARG,
                            "dkg: participant %u: bad identifier, or "
                            "not in rising order",
                            i);
        if (packages[i].t != packages[0].t)
            return rc_raise(RC_ARG,
                            "dkg: participant %u: %u commitments, "
                            "want %u",
                            i, packages[i].t, packages[0].t);
    }
    return RC_OK;
}

/* The polynomial nobody knows: the sum of everybody's. */
static enum rc sum_commitments(struct frost_point *group,
                               const struct frost_dkg_package *packages,
                               unsigned n)
{
    for (unsigned k = 0; k < packages[0].t; k++) {
        group[k] = packages[0].commitment[k];
        for (unsigned i = 1; i < n; i++)
            if (!frost_add(&group[k], &group[k], &packages[i].commitment[k]))
                return rc_raise(RC_PARSE,
                                "dkg: commitment %u of participant "
                                "%u: not a point",
                                k, i);
    }
    if (!frost_point_is_valid(&group[0]))
        return rc_raise(RC_VERIFY, "dkg: the group key is the identity");
    return RC_OK;
}

static enum rc verifying_shares(struct frost_point *ys,
                                const struct frost_id *ids, unsigned n,
                                const struct frost_point *group, unsigned t)
{
    for (unsigned i = 0; i < n; i++) {
        const struct frost_scalar x = frost_id_scalar(&ids[i]);
        if (!frost_poly_point_at(&ys[i], group, t, &x) ||
            frost_point_is(&ys[i], &frost_identity))
            return rc_raise(RC_VERIFY,
                            "dkg: no verifying share for "
                            "participant %u",
                            i);
    }
    return RC_OK;
}

enum rc frost_dkg_finish(struct frost_scalar *share,
                         struct frost_point *group_key, struct frost_point *ys,
                         const struct frost_id *ids,
                         const struct frost_dkg_package *packages,
                         const struct frost_scalar *sub_shares, unsigned n,
                         unsigned me)
{
    WIPED_BELOW;
    TRY(participants_check(ids, packages, n, me));
    struct frost_point group[FROST_MAX_SIGNERS];
    struct frost_point shares_of[FROST_MAX_SIGNERS];
    TRY(sum_commitments(group, packages, n));
    TRY(verifying_shares(shares_of, ids, n, group, packages[0].t));

    WIPED(frost_scalar) sum = { .le = { 0 } };
    for (unsigned i = 0; i < n; i++)
        frost_scalar_add(&sum, &sum, &sub_shares[i]);
    struct frost_point mine;
    if (!frost_base(&mine, &sum) || !frost_point_is(&mine, &shares_of[me]))
        return rc_raise(RC_VERIFY, "dkg: our share does not match the "
                                   "commitments");
    *share = sum;
    *group_key = group[0];
    memcpy(ys, shares_of, n * sizeof(*ys));
    return RC_OK;
}

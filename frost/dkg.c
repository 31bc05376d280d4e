/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pedersen's distributed key generation with proofs of possession, for which
 * RFC 9591 appendix C points to the FROST paper; the messages are those of ZF
 * frost-core.
 */
#include "frost/inner.h"

#include <string.h>

/* ---- dealing ----------------------------------------------------------- */

/* R = k*B, mu = k + a0*c: a Schnorr proof that we know coefficient 0. */
enum rc frost_dkg_prove(struct frost_dealing *dealing,
                        const struct frost_poly *poly,
                        const struct frost_id *id,
                        const struct frost_scalar *nonce)
{
    if (!frost_base(&dealing->pok_r, nonce))
        return rc_raise(RC_ARG, "dkg: the randomness gives a zero nonce");
    struct frost_scalar c;
    frost_hdkg(&c, id, &dealing->commitment[0], &dealing->pok_r);
    WIPED(frost_scalar) key_term;
    frost_scalar_mul(&key_term, &poly->coeff[0], &c);
    frost_scalar_add(&dealing->pok_z, nonce, &key_term);
    return RC_OK;
}

static enum rc deal(struct frost_poly *poly, struct frost_dealing *dealing,
                    const struct frost_id *id, unsigned t,
                    const uint8_t (*randomness)[32])
{
    TRY(frost_threshold_check(t));
    if (!frost_id_is_valid(id))
        return rc_raise(RC_ARG, "dkg: bad identifier");
    TRY(frost_randomness_check(randomness, t + 1));
    TRY(frost_poly_fill(poly, dealing, 0, t, randomness));
    /*
     * Hedged as the nonces of signing are: were it the coefficient itself,
     * or predictable, the proof would give the secret away.
     */
    WIPED(frost_scalar) nonce;
    frost_h3(&nonce, randomness[t], &poly->coeff[0]);
    return frost_dkg_prove(dealing, poly, id, &nonce);
}

enum rc frost_dkg_deal(struct frost_poly *poly, struct frost_dealing *dealing,
                       const struct frost_ready *ready,
                       const struct frost_id *id, unsigned t,
                       const uint8_t (*randomness)[32])
{
    WIPED_BELOW;
    sodium_memzero(poly, sizeof(*poly));
    sodium_memzero(dealing, sizeof(*dealing));
    TRY(frost_ready_check(ready));
    enum rc rc = deal(poly, dealing, id, t, randomness);
    if (rc != RC_OK) {
        sodium_memzero(poly, sizeof(*poly));
        sodium_memzero(dealing, sizeof(*dealing));
    }
    return rc;
}

/* ---- receiving --------------------------------------------------------- */

/* mu*B = R + c*phi0, as a sum that must come to nothing. */
static enum rc proof_check(const struct frost_dealing *dealing,
                           const struct frost_id *dealer)
{
    static const struct frost_scalar zero;
    struct frost_scalar factor[2];
    struct ge point[2] = { frost_ge_base, frost_ge_base }, r, sum;
    if (!frost_scalar_is_canonical(dealing->pok_z.le) ||
        !frost_ge_decode(&r, &dealing->pok_r) ||
        !frost_ge_decode_any(&point[0], &dealing->commitment[0]))
        return rc_raise(RC_PARSE, "dkg: proof of possession of %u: malformed",
                        frost_id_to_u16(dealer));
    if (frost_point_is(&dealing->pok_r, &dealing->commitment[0]))
        return rc_raise(RC_VERIFY,
                        "dkg: proof of possession of %u tells its secret",
                        frost_id_to_u16(dealer));
    frost_hdkg(&factor[0], dealer, &dealing->commitment[0], &dealing->pok_r);
    frost_scalar_sub(&factor[1], &zero, &dealing->pok_z);
    frost_msm(&sum, factor, point, 2);
    sum = ge_add(&sum, &r);
    if (!frost_ge_is_identity(&sum))
        return rc_raise(RC_VERIFY,
                        "dkg: proof of possession of %u does not hold",
                        frost_id_to_u16(dealer));
    return RC_OK;
}

enum rc frost_dkg_check(const struct frost_dealing *dealing,
                        const struct frost_id *dealer, unsigned t)
{
    TRY(frost_dealing_check(dealing, dealer, 0, t));
    return proof_check(dealing, dealer);
}

/* ---- finishing --------------------------------------------------------- */

static enum rc arguments_check(const struct frost_dealt *dealt,
                               const struct frost_dealing *mine, unsigned me)
{
    if (dealt->n < 2 || me >= dealt->n)
        return rc_raise(RC_ARG, "dkg: %u participants, we are entry %u",
                        dealt->n, me);
    TRY(frost_dealt_check(dealt, dealt->dealings[0].t));
    if (dealt->dealings[0].t > dealt->n)
        return rc_raise(RC_ARG, "dkg: threshold %u of %u", dealt->dealings[0].t,
                        dealt->n);
    return frost_dealt_mine(dealt, me, mine);
}

/* Group key and verifying shares: all public. */
static __attribute__((noinline)) enum rc public_key(
        struct frost_point *group_key, struct frost_point *ys,
        const struct frost_dealt *dealt)
{
    struct ge group[FROST_MAX_SIGNERS], at;
    const unsigned t = dealt->dealings[0].t;
    TRY(frost_dealt_sum(group, dealt));
    frost_ge_encode(group_key, &group[0]);
    if (!frost_point_is_valid(group_key))
        return rc_raise(RC_VERIFY, "dkg: the group key is the identity");
    for (unsigned i = 0; i < dealt->n; i++) {
        frost_points_at(&at, group, t, &dealt->dealers[i]);
        frost_ge_encode(&ys[i], &at);
    }
    return RC_OK;
}

enum rc frost_dkg_finish(struct frost_scalar *share,
                         struct frost_point *group_key, struct frost_point *ys,
                         const struct frost_dealt *dealt,
                         const struct frost_dealing *mine, unsigned me,
                         struct frost_culprits *culprits)
{
    struct frost_point key, shares_of[FROST_MAX_SIGNERS];
    if (culprits)
        culprits->n = 0;
    TRY(arguments_check(dealt, mine, me));
    TRY(public_key(&key, shares_of, dealt));
    WIPED(frost_scalar) out;
    TRY(frost_dealt_share(&out, NULL, &shares_of[me], dealt,
                          &dealt->dealers[me], culprits));
    TRY(frost_ys_check(shares_of, dealt->dealers, dealt->n));
    *share = out;
    *group_key = key;
    memcpy(ys, shares_of, dealt->n * sizeof(*ys));
    return RC_OK;
}

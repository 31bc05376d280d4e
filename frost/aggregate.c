/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From shares to a signature, RFC 9591 sections 5.3 and 5.4. Public data
 * only. No signature leaves before it verifies as plain Ed25519.
 */
#include "frost/inner.h"

#include <string.h>

enum rc frost_verify(const uint8_t sig[FROST_SIG_LEN],
                     const struct frost_point *group_key, const uint8_t *msg,
                     size_t msg_len)
{
    if (crypto_sign_verify_detached(sig, msg, msg_len, group_key->b) != 0)
        return rc_raise(RC_VERIFY, "signature: does not verify");
    return RC_OK;
}

static enum rc all_terms(struct frost_terms *out, const struct frost_package *p,
                         const struct frost_factors *f, bool strict)
{
    for (unsigned i = 0; i < p->n; i++)
        TRY(frost_term(&out->of[i], p, f, i, strict));
    return RC_OK;
}

/* z*B = D + rho*E + c*lambda*Y ? `term` is D + rho*E. */
static enum rc share_check(const struct frost_package *p, unsigned i,
                           const struct frost_scalar *z,
                           const struct frost_point *y,
                           const struct frost_point *term,
                           const struct frost_scalar *c)
{
    struct frost_scalar factor;
    TRY(frost_lagrange(&factor, p->list, p->n, i));
    frost_scalar_mul(&factor, &factor, c);

    struct frost_point want, got;
    if (frost_point_is(y, &frost_identity) || !frost_mul(&want, &factor, y) ||
        !frost_add(&want, &want, term))
        return rc_raise(RC_PARSE,
                        "verifying share of signer %u: not a point "
                        "of the group",
                        frost_id_to_u16(&p->list[i].id));
    if (!frost_scalar_is_canonical(z->le) || !frost_base(&got, z) ||
        !frost_point_is(&want, &got))
        return rc_raise(RC_VERIFY, "signature share of signer %u is wrong",
                        frost_id_to_u16(&p->list[i].id));
    return RC_OK;
}

/* Terms, R and challenge, with every commitment checked. */
static enum rc strict_challenge(struct frost_terms *terms,
                                struct frost_scalar *c,
                                const struct frost_package *p)
{
    struct frost_factors f;
    frost_binding_factors(&f, p);
    TRY(all_terms(terms, p, &f, true));
    struct frost_point r;
    TRY(frost_terms_sum(&r, terms, p->n));
    frost_h2(c, &r, p->group_key, p->msg, p->msg_len);
    return RC_OK;
}

enum rc frost_share_verify(const struct frost_sig_share *share,
                           const struct frost_point *y,
                           const struct frost_point *group_key,
                           const uint8_t *msg, size_t msg_len,
                           const struct frost_commitment *list, unsigned n_list)
{
    const struct frost_package p = { group_key, msg, msg_len, list, n_list };
    TRY(frost_list_check(list, n_list));
    if (!frost_scalar_is_canonical(share->z.le))
        return rc_raise(RC_PARSE, "signature share: not a scalar");
    unsigned i = 0;
    while (i < n_list && frost_id_cmp(&list[i].id, &share->id) != 0)
        i++;
    if (i == n_list)
        return rc_raise(RC_ARG, "signature share: its signer is not listed");

    struct frost_terms terms;
    struct frost_scalar c;
    TRY(strict_challenge(&terms, &c, &p));
    return share_check(&p, i, &share->z, y, &terms.of[i], &c);
}

/*
 * The bare sum. Hiding commitments are not checked for torsion here: what
 * comes of a bad one does not verify, or is a good signature all the same.
 */
static enum rc optimistic(uint8_t sig[FROST_SIG_LEN],
                          const struct frost_package *p,
                          const struct frost_sig_share *shares)
{
    struct frost_factors f;
    struct frost_terms terms;
    struct frost_point r;
    frost_binding_factors(&f, p);
    TRY(all_terms(&terms, p, &f, false));
    TRY(frost_terms_sum(&r, &terms, p->n));

    struct frost_scalar z = { .le = { 0 } };
    for (unsigned i = 0; i < p->n; i++) {
        if (!frost_scalar_is_canonical(shares[i].z.le))
            return rc_raise(RC_VERIFY, "signature share %u: not a scalar", i);
        frost_scalar_add(&z, &z, &shares[i].z);
    }
    memcpy(sig, r.b, 32);
    memcpy(sig + 32, z.le, 32);
    return frost_verify(sig, p->group_key, p->msg, p->msg_len);
}

/* Who is to blame? All of them, never only the first. */
static enum rc blame(const struct frost_package *p,
                     const struct frost_sig_share *shares,
                     const struct frost_point *ys, struct frost_id *cheaters,
                     unsigned *n_cheaters)
{
    struct frost_terms terms;
    struct frost_scalar c;
    TRY(strict_challenge(&terms, &c, p));

    struct frost_id named[FROST_MAX_SIGNERS];
    unsigned n_named = 0;
    for (unsigned i = 0; ys && i < p->n; i++) {
        enum rc rc = share_check(p, i, &shares[i].z, &ys[i], &terms.of[i], &c);
        if (rc == RC_VERIFY)
            named[n_named++] = p->list[i].id;
        else
            TRY(rc);
    }
    if (n_named == 0)
        return rc_raise(RC_VERIFY, ys ? "the shares are right for other keys "
                                        "than the group's"
                                      : "the sum of the shares does not "
                                        "verify");
    if (cheaters)
        memcpy(cheaters, named, n_named * sizeof(*named));
    if (n_cheaters)
        *n_cheaters = n_named;
    return rc_raise(RC_CHEATER,
                    "%u of %u signature shares are wrong, first "
                    "that of signer %u",
                    n_named, p->n, frost_id_to_u16(&named[0]));
}

enum rc frost_aggregate(uint8_t sig[FROST_SIG_LEN],
                        const struct frost_point *group_key, const uint8_t *msg,
                        size_t msg_len, const struct frost_commitment *list,
                        const struct frost_sig_share *shares,
                        const struct frost_point *ys, struct frost_id *cheaters,
                        unsigned *n_cheaters, unsigned n_list)
{
    const struct frost_package p = { group_key, msg, msg_len, list, n_list };
    if (n_cheaters)
        *n_cheaters = 0;
    TRY(frost_list_check(list, n_list));
    for (unsigned i = 0; i < n_list; i++)
        if (frost_id_cmp(&list[i].id, &shares[i].id) != 0)
            return rc_raise(RC_ARG,
                            "signature share %u: not that of entry %u "
                            "of the commitment list",
                            i, i);

    uint8_t sum[FROST_SIG_LEN];
    if (optimistic(sum, &p, shares) != RC_OK)
        return blame(&p, shares, ys, cheaters, n_cheaters);
    memcpy(sig, sum, sizeof(sum));
    return RC_OK;
}

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

/* ---- judging shares ---------------------------------------------------- */

/* What all share checks of one package have in common. */
struct court {
    struct frost_points points;
    struct frost_factors f;
    struct frost_scalar c;
    struct frost_id ids[FROST_MAX_SIGNERS];
};

/* With every commitment checked. */
static enum rc court_set(struct court *b, const struct frost_package *p)
{
    struct frost_point r;
    frost_list_ids(b->ids, p);
    frost_binding_factors(&b->f, p);
    TRY(frost_list_decode(&b->points, p, FROST_NOBODY, true));
    TRY(frost_group_commitment(&r, p, &b->points, &b->f, FROST_NOBODY, NULL));
    frost_h2(&b->c, &r, p->group_key, p->msg, p->msg_len);
    return RC_OK;
}

/* z*B = D + rho*E + c*lambda*Y ? As one sum that must come to nothing. */
static enum rc share_check(const struct court *b, const struct frost_package *p,
                           unsigned i, const struct frost_scalar *lambda,
                           const struct frost_scalar *z,
                           const struct frost_point *y)
{
    static const struct frost_scalar zero;
    const unsigned who = frost_id_to_u16(&p->list[i].id);
    struct ge point[3] = { b->points.binding[i], frost_ge_base, frost_ge_base };
    struct frost_scalar factor[3] = { b->f.rho[i] };
    struct ge sum;
    if (!frost_cache_decode(&point[1], y, p->cache))
        return rc_raise(RC_PARSE,
                        "verifying share of signer %u: not a point "
                        "of the group",
                        who);
    if (!frost_scalar_is_canonical(z->le))
        return rc_raise(RC_VERIFY, "signature share of signer %u: no scalar",
                        who);
    frost_scalar_mul(&factor[1], &b->c, lambda);
    frost_scalar_sub(&factor[2], &zero, z);
    frost_msm(&sum, factor, point, 3);
    sum = ge_add(&sum, &b->points.hiding[i]);
    if (!frost_ge_is_identity(&sum))
        return rc_raise(RC_VERIFY, "signature share of signer %u is wrong",
                        who);
    return RC_OK;
}

enum rc frost_share_verify(const struct frost_sig_share *share,
                           const struct frost_point *y,
                           const struct frost_package *package)
{
    TRY(frost_list_check(package));
    if (!frost_scalar_is_canonical(share->z.le))
        return rc_raise(RC_PARSE, "signature share: not a scalar");
    unsigned i = 0;
    while (i < package->n &&
           frost_id_cmp(&package->list[i].id, &share->id) != 0)
        i++;
    if (i == package->n)
        return rc_raise(RC_ARG, "signature share: its signer is not listed");

    struct court b;
    struct frost_scalar lambda;
    TRY(court_set(&b, package));
    frost_cache_lagrange(&lambda, b.ids, package->n, i, package->cache);
    return share_check(&b, package, i, &lambda, &share->z, y);
}

/* Who is to blame? All of them, never only the first. */
static enum rc blame(const struct frost_package *p,
                     const struct frost_sig_share *shares,
                     const struct frost_point *ys,
                     struct frost_culprits *culprits)
{
    struct court b;
    struct frost_scalar lambda[FROST_MAX_SIGNERS];
    struct frost_culprits named;
    named.n = 0;
    if (!ys)
        return rc_raise(RC_VERIFY, "the sum of the shares does not verify");
    TRY(court_set(&b, p));
    frost_lagrange_all(lambda, b.ids, p->n, NULL);
    for (unsigned i = 0; i < p->n; i++) {
        enum rc rc = share_check(&b, p, i, &lambda[i], &shares[i].z, &ys[i]);
        if (rc == RC_VERIFY)
            named.id[named.n++] = p->list[i].id;
        else
            TRY(rc);
    }
    if (named.n == 0)
        return rc_raise(RC_VERIFY, "the shares are right, but not of this "
                                   "group's key, or fewer than its "
                                   "threshold");
    if (culprits) {
        memcpy(culprits->id, named.id, named.n * sizeof(*named.id));
        culprits->n = named.n;
    }
    return rc_raise(RC_CHEATER,
                    "%u of %u signature shares are wrong, first "
                    "that of signer %u",
                    named.n, p->n, frost_id_to_u16(&named.id[0]));
}

/* ---- the sum ----------------------------------------------------------- */

/*
 * R without asking whether commitments are of the group: what comes of a bad
 * one does not verify, or is a good signature all the same.
 */
static enum rc quick_commitment(struct frost_point *r,
                                const struct frost_package *p)
{
    struct frost_factors f;
    struct frost_points points;
    frost_binding_factors(&f, p);
    TRY(frost_list_decode(&points, p, FROST_NOBODY, false));
    return frost_group_commitment(r, p, &points, &f, FROST_NOBODY, NULL);
}

static enum rc sum_shares(struct frost_scalar *z, const struct frost_package *p,
                          const struct frost_sig_share *shares)
{
    struct frost_scalar sum = { .le = { 0 } };
    for (unsigned i = 0; i < p->n; i++) {
        if (!frost_scalar_is_canonical(shares[i].z.le))
            return rc_raise(RC_VERIFY, "signature share %u: not a scalar", i);
        frost_scalar_add(&sum, &sum, &shares[i].z);
    }
    *z = sum;
    return RC_OK;
}

/* sig = R || z, if that verifies. */
static enum rc try_signature(uint8_t sig[FROST_SIG_LEN],
                             const struct frost_package *p,
                             const struct frost_point *r,
                             const struct frost_scalar *z)
{
    uint8_t both[FROST_SIG_LEN];
    memcpy(both, r->b, 32);
    memcpy(both + 32, z->le, 32);
    TRY(frost_verify(both, p->group_key, p->msg, p->msg_len));
    memcpy(sig, both, sizeof(both));
    return RC_OK;
}

static enum rc optimistic(uint8_t sig[FROST_SIG_LEN],
                          const struct frost_package *p,
                          const struct frost_sig_share *shares,
                          const struct frost_point *r_hint)
{
    struct frost_scalar z;
    struct frost_point r;
    TRY(sum_shares(&z, p, shares));
    if (r_hint && try_signature(sig, p, r_hint, &z) == RC_OK)
        return RC_OK;
    TRY(quick_commitment(&r, p));
    if (r_hint && frost_point_is(&r, r_hint))
        return RC_VERIFY; /* as said above: same R, same sum */
    return try_signature(sig, p, &r, &z);
}

enum rc frost_aggregate(uint8_t sig[FROST_SIG_LEN],
                        const struct frost_package *package,
                        const struct frost_sig_share *shares,
                        const struct frost_point *ys,
                        const struct frost_point *r_hint,
                        struct frost_culprits *culprits)
{
    if (culprits)
        culprits->n = 0;
    TRY(frost_list_check(package));
    for (unsigned i = 0; i < package->n; i++)
        if (frost_id_cmp(&package->list[i].id, &shares[i].id) != 0)
            return rc_raise(RC_ARG,
                            "signature share %u: not that of entry %u "
                            "of the commitment list",
                            i, i);
    if (optimistic(sig, package, shares, r_hint) != RC_OK)
        return blame(package, shares, ys, culprits);
    return RC_OK;
}

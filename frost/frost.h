/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FROST(Ed25519, SHA-512), RFC 9591, and the distributed key generation that
 * makes its shares. Pure arithmetic: no I/O, clock, randomness of its own,
 * log, heap or global state; the caller owns every byte. libsodium only.
 *
 * Scalars are 32 bytes little-endian, below the group order L. Points are
 * compressed Edwards points. Every decoder is strict: a scalar >= L, a point
 * that is not canonical, not on the curve, the identity, or outside the
 * prime-order subgroup is RC_PARSE.
 *
 * Call frost_init() once before anything else, and before a seccomp filter:
 * until it has succeeded frost_commit() and frost_dkg_deal() are RC_ORDER.
 */
#ifndef FROST_FROST_H
#define FROST_FROST_H

#include <stdint.h>

#include "base/own.h"
#include "base/rc.h"

#define FROST_MAX_SIGNERS 128 /* in one signing package or DKG */
#define FROST_SIG_LEN     64

/* ---- types ---------------------------------------------------------- */

struct frost_scalar {
    uint8_t le[32];
};
struct frost_point {
    uint8_t b[32];
};
/* A participant: a non-zero scalar. Nodes are numbers 1..65535. */
struct frost_id {
    uint8_t le[32];
};
/* What a signer publishes in round one. RFC 9591 section 5.1. */
struct frost_commitment {
    struct frost_id id;
    struct frost_point hiding;  /* D */
    struct frost_point binding; /* E */
};
/*
 * The secret behind one commitment: good for one signature. Never copied,
 * never serialised; frost_sign() consumes it whatever happens.
 */
struct frost_nonce {
    struct frost_scalar hiding;         /* d, secret */
    struct frost_scalar binding;        /* e, secret */
    struct frost_commitment commitment; /* public, ours */
    uint8_t live;                       /* 1 until consumed */
};
struct frost_sig_share {
    struct frost_id id;
    struct frost_scalar z;
};

WIPED_TYPE(frost_scalar);
WIPED_TYPE(frost_nonce);

/* ---- start ---------------------------------------------------------- */

/*
 * Power-on self test: one RFC 9591 vector, and that this libsodium refuses a
 * point plus each torsion component (CVE-2025-69277). RC_INTERNAL: do not
 * run. Idempotent.
 */
MUST_CHECK enum rc frost_init(void);

/* ---- identifiers, scalars, points ----------------------------------- */

/* RC_ARG for 0. */
MUST_CHECK enum rc frost_id_from_u16(struct frost_id *out, uint16_t n);
/* 0 when the identifier is not a number 1..65535. */
uint16_t frost_id_to_u16(const struct frost_id *id);
/* Canonical and not zero. */
MUST_CHECK enum rc frost_id_decode(struct frost_id *out, const uint8_t le[32]);
/* Numerical order: <0, 0, >0. Public data. */
int frost_id_cmp(const struct frost_id *a, const struct frost_id *b);

MUST_CHECK enum rc frost_scalar_decode(struct frost_scalar *out,
                                       const uint8_t le[32]);
MUST_CHECK enum rc frost_point_decode(struct frost_point *out,
                                      const uint8_t b[32]);
/* Y = s*B. Constant time. RC_ARG for s = 0. */
MUST_CHECK enum rc frost_scalar_base(struct frost_point *out,
                                     const struct frost_scalar *s);

/* ---- signing, RFC 9591 section 5 ------------------------------------ */

/*
 * Round one: a nonce and its commitment.
 *
 * nonce      out, secret; wiped on failure
 * share      the signer's secret share, mixed in as RFC 9591 section 4.1
 * rand_d/_e  32 fresh uniform bytes each, never used before or again; the
 *            caller wipes them
 * Fails      RC_ORDER before frost_init(); RC_ARG a bad id or share, or both
 *            randoms the same: the source is broken
 */
MUST_CHECK enum rc frost_commit(struct frost_nonce *nonce,
                                const struct frost_id *id,
                                const struct frost_scalar *share,
                                const uint8_t rand_d[32],
                                const uint8_t rand_e[32]);

/*
 * Make this signer's share of the signature: z = d + e*rho + lambda*s*c.
 * RFC 9591 section 5.2, sign().
 *
 * z          out, written only on RC_OK
 * nonce      in/out, consumed: zero on return, whatever the result
 * list       [n_list] sorted by id, no repeats, ours included with exactly
 *            the bytes we published; 2..FROST_MAX_SIGNERS
 * min        the key's threshold: fewer commitments are refused
 * Fails      RC_ORDER nonce already spent; RC_ARG list unsorted, repeated,
 *            short or without us; RC_PARSE a bad point in the list
 */
MUST_CHECK enum rc frost_sign(struct frost_scalar *z, struct frost_nonce *nonce,
                              const struct frost_scalar *share,
                              const struct frost_point *group_key, unsigned min,
                              const uint8_t *msg, size_t msg_len,
                              const struct frost_commitment *list,
                              unsigned n_list);

/*
 * Sum the shares and verify the result as plain Ed25519 before returning it.
 * RFC 9591 section 5.3; optimistic: shares are verified one by one only when
 * the sum does not verify.
 *
 * sig        out, written only on RC_OK
 * shares     [n_list] in the order of list, same ids
 * ys         [n_list] verifying shares in the order of list, or NULL: then a
 *            bad sum is RC_VERIFY without blame
 * cheaters   out [n_list] the ids whose share is wrong; may be NULL
 * n_cheaters out, 0 unless RC_CHEATER; may be NULL
 * Fails      RC_CHEATER with cheaters filled, RC_VERIFY, RC_ARG, RC_PARSE
 */
MUST_CHECK enum rc frost_aggregate(
        uint8_t sig[FROST_SIG_LEN], const struct frost_point *group_key,
        const uint8_t *msg, size_t msg_len, const struct frost_commitment *list,
        const struct frost_sig_share *shares, const struct frost_point *ys,
        struct frost_id *cheaters, unsigned *n_cheaters, unsigned n_list);

/* RFC 9591 section 5.4: is this share the right one for this package? */
MUST_CHECK enum rc frost_share_verify(const struct frost_sig_share *share,
                                      const struct frost_point *y,
                                      const struct frost_point *group_key,
                                      const uint8_t *msg, size_t msg_len,
                                      const struct frost_commitment *list,
                                      unsigned n_list);

/* Plain Ed25519, strict (libsodium): RC_VERIFY when it does not hold. */
MUST_CHECK enum rc frost_verify(const uint8_t sig[FROST_SIG_LEN],
                                const struct frost_point *group_key,
                                const uint8_t *msg, size_t msg_len);

/* ---- distributed key generation ------------------------------------- */
/*
 * Pedersen's DKG with proofs of possession (RFC 9591 references it; messages
 * as in ZF's frost-core: PoK challenge HDKG(id, phi0, R)). Each participant
 * deals to all, itself included. The caller carries messages, boxes the
 * sub-shares, and afterwards compares the transcript everyone signed: without
 * that confirmation round an equivocating dealer can split the group.
 */

/* A dealer's secret polynomial; wipe when the DKG ends either way. */
struct frost_dkg_secret {
    struct frost_scalar coeff[FROST_MAX_SIGNERS]; /* [t] used */
    unsigned t;
};
WIPED_TYPE(frost_dkg_secret);

/* What a dealer sends to everyone. */
struct frost_dkg_package {
    struct frost_point commitment[FROST_MAX_SIGNERS]; /* [t] used */
    unsigned t;
    struct frost_point pok_r; /* proof of possession of coeff[0] */
    struct frost_scalar pok_z;
};

/*
 * randomness   [t + 1] x 32 fresh uniform bytes: the coefficients and the
 *              proof's nonce; the caller wipes it
 */
MUST_CHECK enum rc frost_dkg_deal(struct frost_dkg_secret *secret,
                                  struct frost_dkg_package *package,
                                  const struct frost_id *id, unsigned t,
                                  const uint8_t (*randomness)[32]);

/*
 * Is this a package that dealer may have sent: exactly t commitments, each a
 * valid point, and the proof of possession holds for this identifier?
 * RC_PARSE: another number of commitments, or bad bytes; RC_VERIFY: the proof.
 */
MUST_CHECK enum rc frost_dkg_package_check(
        const struct frost_dkg_package *package, const struct frost_id *dealer,
        unsigned t);

/* The dealer's sub-share for `to`: f(to). Secret. */
MUST_CHECK enum rc frost_dkg_sub_share(struct frost_scalar *out,
                                       const struct frost_dkg_secret *secret,
                                       const struct frost_id *to);

/*
 * Does the sub-share dealt to us lie on its dealer's committed polynomial?
 * RC_VERIFY when not. Check the package first.
 */
MUST_CHECK enum rc frost_dkg_sub_share_check(
        const struct frost_scalar *sub_share,
        const struct frost_dkg_package *package, const struct frost_id *us);

/*
 * Put the pieces together. Checks share*B == our verifying share; RC_VERIFY
 * then, or for a group key that is the identity.
 *
 * share      out, secret: our signing share
 * group_key  out: the group's Ed25519 public key, never the identity
 * ys         out [n]: verifying share of each id
 * ids        [n] all participants, sorted
 * packages   [n] checked packages, same order
 * sub_shares [n] checked sub-shares dealt to us, same order; caller wipes
 * me         our index in ids
 */
MUST_CHECK enum rc frost_dkg_finish(struct frost_scalar *share,
                                    struct frost_point *group_key,
                                    struct frost_point *ys,
                                    const struct frost_id *ids,
                                    const struct frost_dkg_package *packages,
                                    const struct frost_scalar *sub_shares,
                                    unsigned n, unsigned me);

#endif

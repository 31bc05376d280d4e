/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FROST(Ed25519, SHA-512): two-round threshold Schnorr signatures that are
 * plain Ed25519 signatures. RFC 9591; and what makes and moves the shares:
 * distributed key generation, refresh, reshare, repair, enrolment.
 *
 * Pure arithmetic on libsodium: no I/O, clock, randomness of its own, log,
 * heap or state. The caller owns every byte; pointers are read or written
 * during the call and never kept. docs/FROST.md says which section of which
 * document each function is from, under what conditions the whole is secure,
 * and what the caller owes.
 *
 * The life of a signature, for a key with threshold t among n:
 *
 *     each signer   frost_commit()     before there is a message
 *     coordinator   collects t or more commitments, sorted by identifier
 *     each signer   frost_sign()       judges the message first: that is the
 *                                      caller's duty, RFC 9591 section 7
 *     coordinator   frost_aggregate()  names who cheated, if one did
 *
 * Rules that hold for every function here
 *   - Fallible functions return enum rc and write outputs only on RC_OK,
 *     last, unless a comment says "zero on failure".
 *   - Scalars are 32 bytes little-endian, below the group order L. Points
 *     are compressed Edwards points (RFC 8032 section 5.1.2). Decoders are
 *     strict: a scalar >= L, a point that is not canonical, not on the
 *     curve, the identity, or outside the prime-order subgroup is RC_PARSE.
 *   - An identifier is a non-zero scalar: nodes are numbers 1..65535, and
 *     libraries may derive others. Lists of them rise strictly, as numbers.
 *   - "secret" marks what the caller wipes; WIPED(type) does it. Functions
 *     that touch a secret run in time that does not depend on it, wipe their
 *     own copies at every exit and clear the stack below them. All else is
 *     public and handled in variable time.
 *   - Randomness is a parameter: 32 fresh uniform bytes each, used once, of
 *     this call alone; secret, wiped by the caller. When it is plainly
 *     broken (two alike, or a zero coefficient) the call is RC_ARG.
 *   - Stack: up to 200 KiB below a call, for 128 signers; little for few.
 */
#ifndef FROST_FROST_H
#define FROST_FROST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/own.h"
#include "base/rc.h"

#define FROST_MAX_SIGNERS 128 /* in one signing package, DKG or group */
#define FROST_SIG_LEN     64

/* ---- types ------------------------------------------------------------- */

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
 * The secret behind one commitment: good for one signature. Do not copy it
 * but to move it; there is no function that serialises it, and frost_sign()
 * consumes it whatever happens.
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
/* Who cheated: all of them, never only the first found. */
struct frost_culprits {
    unsigned n;
    struct frost_id id[FROST_MAX_SIGNERS]; /* [n] used, in rising order */
};
/*
 * The public half of a key: who holds a share and what it must match. RFC
 * 9591's group info. Borrowed pointers; from the caller's own store.
 */
struct frost_group {
    unsigned t, n;
    const struct frost_id *ids;    /* [n] */
    const struct frost_point *ys;  /* [n] verifying shares */
    const struct frost_point *key; /* the group's Ed25519 public key */
};

WIPED_TYPE(frost_scalar);
WIPED_TYPE(frost_nonce);

/* ---- start ------------------------------------------------------------- */

/*
 * Proof that the self test has passed, for the functions that make secrets:
 * all zero, as a fresh struct is, they answer RC_ORDER.
 */
struct frost_ready {
    uint64_t passed;
};

/*
 * Power-on self test; fails closed. One RFC 9591 vector through the real
 * functions; libsodium and our own arithmetic refuse a point plus each
 * torsion component (CVE-2025-69277) and agree with one another; and the
 * caller's randomness is not plainly broken.
 *
 * Call it before a seccomp filter: libsodium looks at the CPU here.
 *
 * ready     out, zero on failure
 * sample    two draws from the source that will be used; not used for else
 * Fails     RC_INTERNAL, the text says which test: do not go on
 */
MUST_CHECK enum rc frost_init(struct frost_ready *ready,
                              const uint8_t sample[2][32]);

/* ---- identifiers, scalars, points -------------------------------------- */

/* RC_ARG for 0: f(0) is the secret itself. */
MUST_CHECK enum rc frost_id_from_u16(struct frost_id *out, uint16_t n);
/* 0 when the identifier is not a number 1..65535. */
uint16_t frost_id_to_u16(const struct frost_id *id);
/* HID of ZF frost-core: the same name gives the same identifier everywhere. */
MUST_CHECK enum rc frost_id_derive(struct frost_id *out, const void *name,
                                   size_t name_len);
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

/* ---- cache -------------------------------------------------------------- */

#define FROST_CACHE_POINTS  256
#define FROST_CACHE_LAMBDAS 16

/*
 * What costs time and does not change: points that were decoded and found
 * good, Lagrange coefficients of signer sets. Public data; 30 KiB, all zero
 * when new; one thread at a time. It changes no answer: only what passed
 * every check enters, and what is found is compared in full.
 */
struct frost_cache {
    struct {
        struct frost_point encoded;
        uint64_t x[5], y[5];
        uint64_t used;
    } point[FROST_CACHE_POINTS];
    struct {
        uint8_t set[32]; /* a hash of the identifiers and ours */
        struct frost_scalar lambda;
        uint64_t used;
    } lambda[FROST_CACHE_LAMBDAS];
};

/*
 * Are these two points of the group? For commitments as they arrive: a bad
 * one is blamed on its sender before anything is built on it, and a good one
 * is not decoded again at the signature (cache may be NULL). RC_PARSE.
 */
MUST_CHECK enum rc frost_commitment_check(const struct frost_commitment *c,
                                          struct frost_cache *cache);

/* ---- signing, RFC 9591 section 5 ---------------------------------------- */

/*
 * What all signers of one signature agree on: the signing package. Public,
 * borrowed.
 */
struct frost_package {
    const struct frost_point *group_key;
    const uint8_t *msg;
    size_t msg_len;
    const struct frost_commitment *list; /* [n] rising by id, no repeats */
    unsigned n;                          /* 2..FROST_MAX_SIGNERS */
    struct frost_cache *cache;           /* the caller's, or NULL */
};

/*
 * Round one: a nonce and its commitment. RFC 9591 sections 4.1 and 5.1.
 *
 * nonce      out, secret; zero on failure
 * share      the signer's secret share, mixed in as section 4.1 says
 * rand_d/_e  randomness
 * Fails      RC_ORDER not ready; RC_ARG a bad id or share, or both randoms
 *            the same; RC_INTERNAL a nonce came out zero
 */
MUST_CHECK enum rc frost_commit(struct frost_nonce *nonce,
                                const struct frost_ready *ready,
                                const struct frost_id *id,
                                const struct frost_scalar *share,
                                const uint8_t rand_d[32],
                                const uint8_t rand_e[32]);

/*
 * Round two, this signer's share of the signature: z = d + e*rho +
 * lambda*s*c. RFC 9591 section 5.2. Every commitment of the others is
 * checked to be of the group; ours must stand in the list with exactly the
 * bytes we published.
 *
 * z          out: secret until the caller has decided to release it
 * r          out, or NULL: the group commitment R, a hint for the aggregate
 * nonce      in/out, consumed: zero on return, whatever the result
 * min        the key's threshold: fewer commitments are refused
 * Fails      RC_ORDER nonce already spent; RC_ARG list unsorted, repeated,
 *            short or without us; RC_PARSE a bad point in the list
 */
MUST_CHECK enum rc frost_sign(struct frost_scalar *z, struct frost_point *r,
                              struct frost_nonce *nonce,
                              const struct frost_scalar *share, unsigned min,
                              const struct frost_package *package);

/*
 * Sum the shares and verify the result as plain Ed25519 before returning it.
 * RFC 9591 section 5.3; optimistic: shares are judged one by one only when
 * the sum does not verify.
 *
 * sig        out
 * shares     [n] in the order of the package's list, same ids
 * ys         [n] verifying shares in that order, or NULL: then a bad sum is
 *            RC_VERIFY without blame
 * r_hint     R as a signer found it, or NULL. Only a hint: a wrong one costs
 *            time and blames nobody
 * culprits   out, n = 0 unless RC_CHEATER; may be NULL
 * Fails      RC_CHEATER with culprits filled, RC_VERIFY, RC_ARG, RC_PARSE
 */
MUST_CHECK enum rc frost_aggregate(uint8_t sig[FROST_SIG_LEN],
                                   const struct frost_package *package,
                                   const struct frost_sig_share *shares,
                                   const struct frost_point *ys,
                                   const struct frost_point *r_hint,
                                   struct frost_culprits *culprits);

/* RFC 9591 section 5.4: is this share the right one for this package? */
MUST_CHECK enum rc frost_share_verify(const struct frost_sig_share *share,
                                      const struct frost_point *y,
                                      const struct frost_package *package);

/*
 * Plain Ed25519 as libsodium judges it: cofactorless, canonical, no point of
 * small order (docs/FROST.md compares verifiers). RC_VERIFY.
 */
MUST_CHECK enum rc frost_verify(const uint8_t sig[FROST_SIG_LEN],
                                const struct frost_point *group_key,
                                const uint8_t *msg, size_t msg_len);

/*
 * Do the parts of a group fit: identifiers, points, and all n verifying
 * shares on one polynomial of degree below t that is the key at 0? RC_ARG,
 * RC_PARSE, RC_VERIFY.
 */
MUST_CHECK enum rc frost_group_check(const struct frost_group *group);

/* ---- dealing ------------------------------------------------------------- */
/*
 * DKG, refresh and reshare are the same dance. Each dealer makes a secret
 * polynomial of degree t-1 and commits to it in public; each receiver gets
 * the polynomial's value at its identifier, over a channel that is private
 * and authenticated; the sum of all is the new share. What differs is the
 * constant term: fresh (DKG), zero (refresh), a part of the old key
 * (reshare).
 *
 * In each, the caller
 *   - knows beforehand which identifier belongs to which peer and takes a
 *     message's sender from the channel, never from the message;
 *   - checks each dealing with the _check of its kind, and compares its own
 *     with what it sent, before it deals a sub-share to anyone;
 *   - keeps the old share until all receivers have confirmed
 *     frost_transcript_hash() to each other. Without that round a dealer who
 *     says different things to different receivers can split the group.
 */

/* A secret polynomial; wipe when the run ends either way. */
struct frost_poly {
    struct frost_scalar coeff[FROST_MAX_SIGNERS]; /* [t] used */
    unsigned t;
};
WIPED_TYPE(frost_poly);

/* What a dealer sends to everyone. Public. */
struct frost_dealing {
    struct frost_point commitment[FROST_MAX_SIGNERS]; /* [t] used */
    unsigned t;
    struct frost_point pok_r;  /* DKG: proof of possession of coefficient 0; */
    struct frost_scalar pok_z; /* all zero otherwise */
};

/* All that reached one receiver. Borrowed. */
struct frost_dealt {
    unsigned n;                           /* dealers */
    const struct frost_id *dealers;       /* [n] */
    const struct frost_dealing *dealings; /* [n], each checked */
    const struct frost_scalar *subs;      /* [n] dealt to us, secret */
};

/* The dealer's sub-share for `to`: f(to). Secret. */
MUST_CHECK enum rc frost_sub_share(struct frost_scalar *out,
                                   const struct frost_poly *poly,
                                   const struct frost_id *to);
/*
 * Does the sub-share dealt to us lie on its dealer's polynomial? The
 * _finish functions ask this of the sum, and of each only to find culprits:
 * there is no need to ask before. RC_VERIFY, RC_PARSE.
 */
MUST_CHECK enum rc frost_sub_share_check(const struct frost_scalar *sub_share,
                                         const struct frost_dealing *dealing,
                                         const struct frost_id *us);

/* ---- distributed key generation ------------------------------------------ */
/*
 * Pedersen's DKG with proofs of possession, every participant a dealer; the
 * messages are those of ZF frost-core, PoK challenge HDKG(id, phi0, R).
 */

/*
 * poly         out, secret; zero on failure
 * dealing      out; zero on failure
 * t            threshold, 2..FROST_MAX_SIGNERS
 * randomness   [t + 1]: the coefficients and the proof's nonce
 */
MUST_CHECK enum rc frost_dkg_deal(struct frost_poly *poly,
                                  struct frost_dealing *dealing,
                                  const struct frost_ready *ready,
                                  const struct frost_id *id, unsigned t,
                                  const uint8_t (*randomness)[32]);
/*
 * May this dealer have sent that: exactly t commitments, each a point of the
 * group, and the proof of possession holds for this identifier? RC_PARSE:
 * another number, or bad bytes; RC_VERIFY: the proof.
 */
MUST_CHECK enum rc frost_dkg_check(const struct frost_dealing *dealing,
                                   const struct frost_id *dealer, unsigned t);
/*
 * Put the pieces together: the dealers are the group to be.
 *
 * share      out, secret: our signing share; share*B = ys[me]
 * group_key  out, never the identity
 * ys         out [n]: verifying share of each dealer
 * dealt      of all n participants, ourselves included
 * mine       the dealing we sent: what came back as ours must equal it
 * me         our index in dealt->dealers
 * culprits   out as in frost_aggregate(); may be NULL
 * Fails      RC_CHEATER sub-shares off their polynomials; RC_CONFLICT ours
 *            was altered; RC_VERIFY the group key or, with all sub-shares
 *            right, a verifying share is the identity; RC_ARG
 */
MUST_CHECK enum rc frost_dkg_finish(struct frost_scalar *share,
                                    struct frost_point *group_key,
                                    struct frost_point *ys,
                                    const struct frost_dealt *dealt,
                                    const struct frost_dealing *mine,
                                    unsigned me,
                                    struct frost_culprits *culprits);

/* ---- refresh: new shares, same key, same t --------------------------------- */
/*
 * Every member that stays deals a sharing of zero. Members may leave (down to
 * t), none may join, t cannot change: reshare does that. Old and new shares
 * do not mix. One honest dealer makes the old shares worthless, if at least
 * n-t+1 holders really erase theirs.
 */

/* randomness [t - 1]; outputs zero on failure. commitment[0] is the identity. */
MUST_CHECK enum rc frost_refresh_deal(struct frost_poly *poly,
                                      struct frost_dealing *dealing,
                                      const struct frost_ready *ready,
                                      unsigned t,
                                      const uint8_t (*randomness)[32]);
/*
 * Exactly t commitments, the first the identity, each other a point of the
 * group. Fewer would lower the threshold, another constant change the key.
 */
MUST_CHECK enum rc frost_refresh_check(const struct frost_dealing *dealing,
                                       const struct frost_id *dealer,
                                       unsigned t);
/*
 * share      out, secret; may be old_share itself
 * ys         out [dealt->n]: the new verifying shares of the dealers
 * old        the group before
 * dealt      of all who stay: t..old->n of old->ids, ourselves included
 * mine, me, culprits, failures   as in frost_dkg_finish()
 */
MUST_CHECK enum rc frost_refresh_finish(
        struct frost_scalar *share, struct frost_point *ys,
        const struct frost_group *old, const struct frost_scalar *old_share,
        const struct frost_dealt *dealt, const struct frost_dealing *mine,
        unsigned me, struct frost_culprits *culprits);

/* ---- reshare: new t, n and members, same key -------------------------------- */
/*
 * t or more of the old group, the quorum, deal lambda_i*s_i; the receivers
 * are the new group, who may or may not be of the old one. Old holders erase
 * only when old and new have all confirmed; a quorum that keeps its old
 * shares can still sign.
 */

/*
 * Deal our part of the old key to a group of threshold new_t.
 *
 * quorum     [n_quorum] who deals, of old->ids, t or more
 * me         our index in quorum
 * share      our old share; RC_ARG unless it matches old->ys
 * randomness [new_t - 1]; outputs zero on failure
 */
MUST_CHECK enum rc frost_reshare_deal(
        struct frost_poly *poly, struct frost_dealing *dealing,
        const struct frost_ready *ready, const struct frost_group *old,
        const struct frost_id *quorum, unsigned n_quorum, unsigned me,
        const struct frost_scalar *share, unsigned new_t,
        const uint8_t (*randomness)[32]);
/*
 * Exactly new_t commitments, points of the group, the first lambda_i*Y_i of
 * the dealer's old verifying share. RC_PARSE, RC_VERIFY, RC_ARG.
 */
MUST_CHECK enum rc frost_reshare_check(const struct frost_dealing *dealing,
                                       const struct frost_group *old,
                                       const struct frost_id *quorum,
                                       unsigned n_quorum, unsigned dealer,
                                       unsigned new_t);
/*
 * share      out, secret: our share of the new group
 * ys         out [n]: the new verifying shares
 * old        the group before: its key must come out again, else RC_VERIFY
 * new_t, ids, n, me   the new group, and our index in it
 * dealt      of the quorum
 * mine       the dealing we sent, if we are of the quorum; else unused
 */
MUST_CHECK enum rc frost_reshare_finish(
        struct frost_scalar *share, struct frost_point *ys,
        const struct frost_group *old, unsigned new_t,
        const struct frost_id *ids, unsigned n, unsigned me,
        const struct frost_dealt *dealt, const struct frost_dealing *mine,
        struct frost_culprits *culprits);

/* ---- repair and enrolment: one share, made by t others ---------------------- */
/*
 * Stinson and Wei's repairable threshold scheme. Each of t or more helpers
 * splits lambda_i(target)*s_i into random deltas, one a helper; each helper
 * sums what it got into a sigma; the sum of the sigmas is the target's share.
 * Deltas and sigmas travel in private; a run uses one set of helpers, once.
 * A false delta or sigma is found but cannot be pinned on its sender: repair
 * with other helpers then.
 *
 * Repair gives a member its lost share back; enrolment makes a share for a
 * new identifier of the same polynomial: who decides that may enrol is the
 * caller, and t-1 enrolled for one holder is a key for that holder.
 */

/*
 * deltas     out [n]: for each helper, ours included; secret; zero on failure
 * helpers    [n] of group->ids, t or more, without the target
 * me         our index in helpers
 * share      ours; RC_ARG unless it matches group->ys
 * randomness [n - 1]
 */
MUST_CHECK enum rc frost_repair_delta(
        struct frost_scalar *deltas, const struct frost_ready *ready,
        const struct frost_group *group, const struct frost_id *helpers,
        unsigned n, unsigned me, const struct frost_scalar *share,
        const struct frost_id *target, const uint8_t (*randomness)[32]);
/* What a helper sends on: the sum of the deltas it got. Secret. */
MUST_CHECK enum rc frost_repair_sigma(struct frost_scalar *sigma,
                                      const struct frost_scalar *deltas,
                                      unsigned n);
/*
 * The share of target, a member of the group, out of [n] sigmas. RC_VERIFY
 * unless share*B is its verifying share.
 */
MUST_CHECK enum rc frost_repair_finish(struct frost_scalar *share,
                                       const struct frost_group *group,
                                       const struct frost_id *target,
                                       const struct frost_scalar *sigmas,
                                       unsigned n);
/*
 * The share of target, which is not yet of the group, and its verifying
 * share y, computed from those of the group. RC_VERIFY as above.
 */
MUST_CHECK enum rc frost_enrol_finish(struct frost_scalar *share,
                                      struct frost_point *y,
                                      const struct frost_group *group,
                                      const struct frost_id *target,
                                      const struct frost_scalar *sigmas,
                                      unsigned n);

/* ---- confirmation ------------------------------------------------------------ */

/* All that everyone saw of one run. Borrowed, public. */
struct frost_transcript {
    const uint8_t *roster;  /* [32] binds each number to its keys */
    const uint8_t *session; /* [32] */
    uint64_t epoch, parent; /* parent 0: a new key */
    unsigned t;
    unsigned n_dealers;
    const struct frost_id *dealers; /* [n_dealers], numbers */
    const struct frost_dealing *dealings;
    unsigned n_receivers;
    const struct frost_id *receivers; /* [n_receivers], numbers */
    const struct frost_point *ys;     /* [n_receivers] */
};

/*
 * T of FORMATS section 2: what each receiver signs and compares before the
 * share counts. RC_ARG for an identifier that is not a number.
 */
MUST_CHECK enum rc frost_transcript_hash(uint8_t out[32],
                                         const struct frost_transcript *t);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this room share: libsodium's group arithmetic behind
 * typed calls, and RFC 9591's helper functions under the RFC's own names.
 * For this room and its tests only.
 *
 * Scalar arithmetic and frost_base() are constant time and libsodium's. All
 * that takes a point works on public data, in variable time, and is ours
 * (ge.h, msm.c): the self test and the fuzz targets hold it to libsodium.
 */
#ifndef FROST_INNER_H
#define FROST_INNER_H

#include <stdbool.h>

#include "base/hash.h"
#include "frost/frost.h"
#include "frost/ge.h"

/*
 * libsodium leaves parts of its scalars (digits of a base multiplication,
 * operands of an addition) on the stack below its caller. First line of every
 * function of the door that touches a secret: clears them at every exit.
 * The deepest such frame is near 1.5 KiB. It rests on immediate binding (-z
 * now): a lazy call of libsodium would spill registers far below.
 */
#define FROST_STACK_BELOW 4096
static inline void frost_stack_wipe(int *unused)
{
    (void)unused;
    sodium_stackzero(FROST_STACK_BELOW);
}
#define WIPED_BELOW                                                            \
    __attribute__((cleanup(frost_stack_wipe), unused)) int wiped_below_ = 0

/* ---- scalar.c -------------------------------------------------------- */

/* Below L. Constant time; the answer is public. */
bool frost_scalar_is_canonical(const uint8_t le[32]);
/* Constant time; the answer is public. */
bool frost_scalar_is_zero(const struct frost_scalar *s);
/* 64 bytes little-endian, mod L. */
void frost_scalar_reduce(struct frost_scalar *out, const uint8_t wide[64]);
/* 32 uniform bytes, mod L. */
void frost_scalar_from_uniform(struct frost_scalar *out, const uint8_t r[32]);
void frost_scalar_add(struct frost_scalar *out, const struct frost_scalar *a,
                      const struct frost_scalar *b);
void frost_scalar_sub(struct frost_scalar *out, const struct frost_scalar *a,
                      const struct frost_scalar *b);
void frost_scalar_mul(struct frost_scalar *out, const struct frost_scalar *a,
                      const struct frost_scalar *b);
/* An identifier as the scalar it is. */
struct frost_scalar frost_id_scalar(const struct frost_id *id);
/* Canonical and not zero. */
bool frost_id_is_valid(const struct frost_id *id);

/* ---- point.c --------------------------------------------------------- */

extern const struct frost_point frost_identity;

/* On the curve, canonical, prime order, not the identity. */
bool frost_point_is_valid(const struct frost_point *p);
bool frost_point_is(const struct frost_point *a, const struct frost_point *b);
/* s*B for a canonical s; false for s = 0. Constant time. */
MUST_CHECK bool frost_base(struct frost_point *out,
                           const struct frost_scalar *s);
/* The same, also for 0: then the identity. Tells the two apart in public. */
MUST_CHECK bool frost_base_or_identity(struct frost_point *out,
                                       const struct frost_scalar *s);

/* ---- hash.c, RFC 9591 section 6.1 ------------------------------------ */

/* group key, H4(msg), H5(list), id: section 4.4 */
#define FROST_BINDING_INPUT_LEN 192

void frost_h1(struct frost_scalar *out,
              const uint8_t input[FROST_BINDING_INPUT_LEN]);
void frost_h2(struct frost_scalar *out, const struct frost_point *r,
              const struct frost_point *group_key, const uint8_t *msg,
              size_t msg_len);
/* Its input and output are secret. */
void frost_h3(struct frost_scalar *out, const uint8_t random[32],
              const struct frost_scalar *share);
void frost_h4(uint8_t out[HASH512_LEN], const uint8_t *msg, size_t msg_len);
void frost_h5(uint8_t out[HASH512_LEN], const struct frost_commitment *list,
              unsigned n_list);
/* The proof of possession's challenge; ZF frost-core's HDKG. */
void frost_hdkg(struct frost_scalar *out, const struct frost_id *id,
                const struct frost_point *phi0, const struct frost_point *r);

/* HID: a name to a scalar, which may be zero in theory. */
void frost_hid(struct frost_scalar *out, const void *name, size_t name_len);

/* ---- lagrange.c, section 4.2 ----------------------------------------- */

/* 1..FROST_MAX_SIGNERS valid identifiers in rising order: else RC_ARG. */
MUST_CHECK enum rc frost_ids_check(const struct frost_id *ids, unsigned n,
                                   const char *what);
/* Where is it? n when nowhere. */
unsigned frost_ids_find(const struct frost_id *ids, unsigned n,
                        const struct frost_id *id);
/*
 * lambda of ids[me] at x: the weight of f(ids[me]) in f(x). Checked ids, and
 * x none of them; x NULL is 0.
 */
void frost_lagrange(struct frost_scalar *out, const struct frost_id *ids,
                    unsigned n, unsigned me, const struct frost_id *x);
/* All of them, by one inversion. */
void frost_lagrange_all(struct frost_scalar *out, const struct frost_id *ids,
                        unsigned n, const struct frost_id *x);
/* f(x), Horner, constant time in the coefficients. */
void frost_poly_at(struct frost_scalar *out, const struct frost_scalar *coeff,
                   unsigned t, const struct frost_scalar *x);
/* The same of a polynomial whose coefficients are points. */
void frost_points_at(struct ge *out, const struct ge *coeff, unsigned t,
                     const struct frost_id *x);

/* ---- cache.c ---------------------------------------------------------- */

/* frost_ge_decode() through a cache, which may be NULL. */
MUST_CHECK bool frost_cache_decode(struct ge *out, const struct frost_point *in,
                                   struct frost_cache *cache);
/* frost_lagrange() at 0 through a cache, which may be NULL. */
void frost_cache_lagrange(struct frost_scalar *out, const struct frost_id *ids,
                          unsigned n, unsigned me, struct frost_cache *cache);

/* ---- package.c, sections 4.3 to 4.6 ---------------------------------- */

struct frost_factors {
    struct frost_scalar rho[FROST_MAX_SIGNERS]; /* [n] used */
};
/* D and E of each signer, as numbers. */
struct frost_points {
    struct ge hiding[FROST_MAX_SIGNERS]; /* [n] used */
    struct ge binding[FROST_MAX_SIGNERS];
};
#define FROST_NOBODY FROST_MAX_SIGNERS /* no index of a list */

/* 2..FROST_MAX_SIGNERS, valid identifiers in rising order: else RC_ARG. */
MUST_CHECK enum rc frost_list_check(const struct frost_package *p);
/* The list's identifiers alone. */
void frost_list_ids(struct frost_id *out, const struct frost_package *p);
/* All but the identifier, which the last 32 bytes are for. */
void frost_binding_input(uint8_t out[FROST_BINDING_INPUT_LEN],
                         const struct frost_package *p);
void frost_binding_factors(struct frost_factors *out,
                           const struct frost_package *p);
/*
 * Decodes all commitments but those of `skip`. Strict: they are of the
 * group; otherwise only on the curve. RC_PARSE names the signer.
 */
MUST_CHECK enum rc frost_list_decode(struct frost_points *out,
                                     const struct frost_package *p,
                                     unsigned skip, bool strict);
/*
 * R: the sum of D + rho*E of all but `skip`, and of `term`, which stands for
 * that one (NULL: none skipped). RC_PARSE when it comes to nothing.
 */
MUST_CHECK enum rc frost_group_commitment(struct frost_point *r,
                                          const struct frost_package *p,
                                          const struct frost_points *points,
                                          const struct frost_factors *f,
                                          unsigned skip,
                                          const struct frost_point *term);

/* ---- group.c ---------------------------------------------------------- */

/* Sizes and identifiers of a group: RC_ARG. */
MUST_CHECK enum rc frost_group_shape(const struct frost_group *group);
/* `ids` are t or more of the group: RC_ARG. */
MUST_CHECK enum rc frost_group_subset(const struct frost_group *group,
                                      const struct frost_id *ids, unsigned n,
                                      const char *what);
/* Decoded verifying share of a member; RC_PARSE. */
MUST_CHECK enum rc frost_group_y(struct ge *out,
                                 const struct frost_group *group,
                                 const struct frost_id *id);
/* F(x) by interpolation through the first t members. x NULL is 0. */
MUST_CHECK enum rc frost_group_at(struct ge *out,
                                  const struct frost_group *group,
                                  const struct frost_id *x);
/* share*B is the verifying share of id: else RC_ARG. */
MUST_CHECK enum rc frost_group_share(const struct frost_group *group,
                                     const struct frost_id *id,
                                     const struct frost_scalar *share);

/* ---- deal.c ----------------------------------------------------------- */

MUST_CHECK enum rc frost_threshold_check(unsigned t);
/* No two alike: RC_ARG. */
MUST_CHECK enum rc frost_randomness_check(const uint8_t (*randomness)[32],
                                          unsigned n);
/*
 * Coefficients `first`..t-1 of poly and their commitments, from randomness;
 * the caller has set the ones before and wipes all when this fails.
 */
MUST_CHECK enum rc frost_poly_fill(struct frost_poly *poly,
                                   struct frost_dealing *dealing,
                                   unsigned first, unsigned t,
                                   const uint8_t (*randomness)[32]);
/* Exactly t commitments, those from `first` on points of the group. */
MUST_CHECK enum rc frost_dealing_check(const struct frost_dealing *dealing,
                                       const struct frost_id *dealer,
                                       unsigned first, unsigned t);
/* Dealers rise, all of threshold t. */
MUST_CHECK enum rc frost_dealt_check(const struct frost_dealt *dealt,
                                     unsigned t);
/* Dealing `at` is `mine`, and mine is given: else RC_CONFLICT. */
MUST_CHECK enum rc frost_dealt_mine(const struct frost_dealt *dealt,
                                    unsigned at,
                                    const struct frost_dealing *mine);
/*
 * None is the identity: RC_VERIFY. After the sub-shares have been judged: a
 * dealer can steer another's verifying share there, and then cannot have
 * dealt right ones.
 */
MUST_CHECK enum rc frost_ys_check(const struct frost_point *ys,
                                  const struct frost_id *ids, unsigned n);
/* The polynomial nobody knows: out [t], the sum of all dealings. */
MUST_CHECK enum rc frost_dealt_sum(struct ge *out,
                                   const struct frost_dealt *dealt);
/*
 * share = base + the sub-shares (base NULL: 0), if share*B = y. Otherwise
 * RC_CHEATER with the dealers whose sub-share is wrong, RC_ARG when all are
 * right.
 */
MUST_CHECK enum rc frost_dealt_share(struct frost_scalar *share,
                                     const struct frost_scalar *base,
                                     const struct frost_point *y,
                                     const struct frost_dealt *dealt,
                                     const struct frost_id *us,
                                     struct frost_culprits *culprits);

/* ---- dkg.c ------------------------------------------------------------ */

/* The proof alone, of poly's coefficient 0; the nonce is secret. */
MUST_CHECK enum rc frost_dkg_prove(struct frost_dealing *dealing,
                                   const struct frost_poly *poly,
                                   const struct frost_id *id,
                                   const struct frost_scalar *nonce);

/* ---- commit.c, selftest.c -------------------------------------------- */

/* RC_ORDER unless frost_init() filled it. */
MUST_CHECK enum rc frost_ready_check(const struct frost_ready *ready);
/* The token, for frost_init() and for the test it makes with real functions. */
struct frost_ready frost_ready_token(void);

#endif

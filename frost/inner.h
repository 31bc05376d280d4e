/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this room share: libsodium's group arithmetic behind
 * typed calls, and RFC 9591's helper functions under the RFC's own names.
 * For this room and its tests only.
 *
 * Scalar arithmetic is constant time. Everything that takes a point besides
 * frost_base() works on public data.
 */
#ifndef FROST_INNER_H
#define FROST_INNER_H

#include <stdbool.h>

#include "base/hash.h"
#include "frost/frost.h"

/*
 * libsodium leaves parts of its scalars (digits of a base multiplication,
 * operands of an addition) on the stack below its caller. First line of every
 * function of the door that touches a secret: clears them at every exit.
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
/*
 * s*P, variable inputs public. P must be valid or the identity; false
 * otherwise. s = 0 gives the identity.
 */
MUST_CHECK bool frost_mul(struct frost_point *out, const struct frost_scalar *s,
                          const struct frost_point *p);
/*
 * P + Q; false when one is not on the curve. Does not look for torsion or
 * non-canonical bytes: check what comes from outside first.
 */
MUST_CHECK bool frost_add(struct frost_point *out, const struct frost_point *p,
                          const struct frost_point *q);

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

/* ---- lagrange.c, section 4.2 ----------------------------------------- */

/* lambda of list[me] at 0; the list is checked. */
MUST_CHECK enum rc frost_lagrange(struct frost_scalar *out,
                                  const struct frost_commitment *list,
                                  unsigned n_list, unsigned me);
/* f(x), Horner, constant time in the coefficients. */
void frost_poly_at(struct frost_scalar *out, const struct frost_scalar *coeff,
                   unsigned t, const struct frost_scalar *x);
/* F(x) for points of the polynomial; false when one is not valid. */
MUST_CHECK bool frost_poly_point_at(struct frost_point *out,
                                    const struct frost_point *coeff, unsigned t,
                                    const struct frost_scalar *x);

/* ---- package.c, sections 4.3 to 4.6 ---------------------------------- */

/* A signing package, borrowed: what all signers must agree on. Public. */
struct frost_package {
    const struct frost_point *group_key;
    const uint8_t *msg;
    size_t msg_len;
    const struct frost_commitment *list;
    unsigned n;
};
struct frost_factors {
    struct frost_scalar rho[FROST_MAX_SIGNERS]; /* [n] used */
};
/* D + rho*E of each signer. */
struct frost_terms {
    struct frost_point of[FROST_MAX_SIGNERS]; /* [n] used */
};

/* 2..FROST_MAX_SIGNERS, valid identifiers in rising order: else RC_ARG. */
MUST_CHECK enum rc frost_list_check(const struct frost_commitment *list,
                                    unsigned n_list);
/* All but the identifier, which the last 32 bytes are for. */
void frost_binding_input(uint8_t out[FROST_BINDING_INPUT_LEN],
                         const struct frost_package *p);
void frost_binding_factors(struct frost_factors *out,
                           const struct frost_package *p);
/*
 * D + rho*E of list[i]. Refuses a bad E by itself; looks at D only when
 * `strict`, because that costs as much as a third of the rest.
 */
MUST_CHECK enum rc frost_term(struct frost_point *out,
                              const struct frost_package *p,
                              const struct frost_factors *f, unsigned i,
                              bool strict);
/* The sum of the terms, R. RC_PARSE when they cancel out. */
MUST_CHECK enum rc frost_terms_sum(struct frost_point *r,
                                   const struct frost_terms *terms, unsigned n);

/* ---- commit.c, selftest.c -------------------------------------------- */

/* frost_commit() without asking for the self test, which needs it. */
MUST_CHECK enum rc frost_commit_untested(struct frost_nonce *nonce,
                                         const struct frost_id *id,
                                         const struct frost_scalar *share,
                                         const uint8_t rand_d[32],
                                         const uint8_t rand_e[32]);
/* RC_ORDER until frost_init() has succeeded. */
MUST_CHECK enum rc frost_ready(void);

#endif

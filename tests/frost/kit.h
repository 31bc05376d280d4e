/* SPDX-License-Identifier: Apache-2.0 */
/* A whole group in one process, made and used through the door alone. */
#ifndef TESTS_FROST_KIT_H
#define TESTS_FROST_KIT_H

#include "test.h"

#include "frost/frost.h"

#define KIT_MAX FROST_MAX_SIGNERS

/* The token of a passed self test, from kit_init(). */
extern struct frost_ready kit_ready;

struct kit_group {
    unsigned t, n;
    struct frost_point key;
    struct frost_id ids[KIT_MAX];
    struct frost_scalar shares[KIT_MAX];
    struct frost_point ys[KIT_MAX];
};

/* One signing round: who signs, with what, and what came of it. */
struct kit_round {
    const struct kit_group *group;
    unsigned n;
    unsigned who[KIT_MAX]; /* index into the group, rising */
    struct frost_nonce nonces[KIT_MAX];
    struct frost_commitment list[KIT_MAX];
    struct frost_sig_share shares[KIT_MAX];
    struct frost_point ys[KIT_MAX];
};

/* Different bytes at each call, the same in each run. */
void kit_random(void *out, size_t len);
void kit_randoms(uint8_t (*out)[32], unsigned n);

/* t of n, identifiers 1..n, by the full DKG with every check. */
void kit_group_make(struct kit_group *g, unsigned t, unsigned n);
/* The same by a dealer: for sizes where a DKG takes long. */
void kit_group_deal(struct kit_group *g, unsigned t, unsigned n);
/* Its public half, borrowed. */
struct frost_group kit_public(const struct kit_group *g);

/* Commitments of the first n members. */
void kit_round_start(struct kit_round *r, const struct kit_group *g,
                     unsigned n);
/* The share of one; all parameters those of the round. */
enum rc kit_sign_one(struct kit_round *r, unsigned i, const void *msg,
                     size_t len);
/* The shares of all; each must succeed. */
void kit_sign_all(struct kit_round *r, const void *msg, size_t len);
enum rc kit_aggregate(const struct kit_round *r, uint8_t sig[FROST_SIG_LEN],
                      const void *msg, size_t len,
                      struct frost_culprits *culprits);
/* The round as a signing package, without a cache. */
struct frost_package kit_package(const struct kit_round *r, const void *msg,
                                 size_t len);

/* What OpenSSL says of it. */
bool kit_openssl_verifies(const uint8_t sig[FROST_SIG_LEN],
                          const struct frost_point *key, const void *msg,
                          size_t len);
/* p = p + q by libsodium, whatever points they are. */
void kit_add(struct frost_point *p, const struct frost_point *q);
bool kit_all_zero(const void *p, size_t len);

/* Group setup for cmocka: the self test has passed. */
int kit_init(void **state);

#endif

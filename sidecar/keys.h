/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys a node knows (keys.c). Part of sidecar/inner.h, which says under
 * which lock they are touched.
 */
#ifndef SIDECAR_KEYS_H
#define SIDECAR_KEYS_H

#include "sidecar/sidecar.h"

struct job;
struct once;
struct pool;
struct round;

struct key {
    char name[POLICY_NAME_MAX];
    uint8_t group_key[32];
    uint8_t id[32]; /* H(group_key) */
    uint64_t epoch;
    uint64_t birth; /* log index */
    uint16_t t;
    unsigned n;
    uint16_t node[TLOG_MAX_NODES];
    struct frost_point y[TLOG_MAX_NODES];
    bool have_share;
    struct wire_birth evidence; /* owned */
    /* leads only */
    struct job *queue;
    struct round *round;
    unsigned turn;         /* spreads the choice of signers */
    int64_t rest_until_ms; /* after the log failed */
    /* of one session; NULL: it stays */
    struct once *once;
    struct pool *pools; /* [n], owned; leads only */
    unsigned held;      /* what points to it; leads only */
};

/* Keys that stay are added, never removed. */
unsigned node_n_keys(struct node *n);
struct key *node_key_by_name(struct node *n, const char *name);
struct key *node_key_by_id(struct node *n, const uint8_t id[32]);
struct key *node_key_by_birth(struct node *n, uint64_t index);
/* What a birth says of its key; changes nothing on failure. */
MUST_CHECK enum rc node_key_fill(struct key *k, const char *name,
                                 const struct wire_birth *birth,
                                 bool have_share);
/* Takes what an activated birth says; frees nothing on failure. */
MUST_CHECK enum rc node_key_take(struct node *n, const char *name,
                                 const struct wire_birth *birth,
                                 bool have_share, struct key **out);
/* A share that waited for its pieces is open in the vault. Loop thread. */
void keys_share_back(struct node *n, const char *name, uint64_t epoch);
/* One stored ACTIVE epoch, a store_row of store_epochs(); ctx is the node. */
MUST_CHECK enum rc keys_load_epoch(void *ctx, const char *name, uint64_t number,
                                   const uint8_t *json, size_t json_len,
                                   const uint8_t *sealed, size_t sealed_len);

#endif

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

/*
 * The epoch a key lives in, as followers judge by it: changed under lock, by
 * any thread, as soon as the vault has it.
 */
struct key_live {
    uint64_t epoch;
    uint16_t t;
    bool have_share;
    bool member;
    bool waits;       /* it is at rest, and needs its peers' pieces */
    uint16_t brought; /* whose share of it a custodian brought; 0: none */
    bool has_ack;     /* a member's: ours that its share is active */
    uint8_t ack[64];
    bool gone; /* destroyed, as far as we can */
    bool has_word;
    uint8_t word[64];        /* ours that it is */
    struct wire_birth shown; /* owned; and everybody's; or no votes */
    bool retired;            /* we hold nothing of an older one */
    struct wire_cert old;    /* owned; who may still hold one; or no votes */
    struct wire_birth cert;  /* owned; no votes: the birth's own epoch */
};

struct key {
    char name[POLICY_NAME_MAX];
    uint8_t group_key[32];
    uint8_t id[32];             /* H(group_key) */
    uint64_t birth;             /* log index */
    struct wire_birth evidence; /* owned; of the birth, for ever */
    struct key_live live;
    /*
     * The same as leads see it: changed by the thread that leads, between two
     * rounds (keys_settle), so that a round ends in the epoch it began in.
     */
    uint64_t epoch;
    uint16_t t;
    unsigned n;
    uint16_t node[TLOG_MAX_NODES];
    struct frost_point y[TLOG_MAX_NODES];
    bool have_share;
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
/* A share that waited for its pieces is open in the vault, which says so. Loop
 * thread. */
void keys_share_back(struct node *n, const char *name, uint64_t epoch,
                     const uint8_t ack[64]);
/* Under lock. The certificate of the epoch it lives in. */
const struct wire_cert *keys_cert(const struct key *k);
/* Under lock. That epoch, as a message. */
MUST_CHECK enum rc keys_live_wire(struct wire_epoch_live *out,
                                  const struct key *k);
/*
 * Under lock. A later epoch that was judged and is at rest; ack NULL: no share
 * of it here. RC_NOMEM changes nothing.
 */
MUST_CHECK enum rc keys_move(struct node *n, struct key *k,
                             const struct wire_birth *in, const uint8_t *ack);
/* Under lock. The key is destroyed; either may be NULL. */
MUST_CHECK enum rc keys_gone(struct key *k, const uint8_t *word,
                             const struct wire_birth *shown);
/* Under lock. Nothing of older epochs is held here any more. */
void keys_retired(struct key *k);
/* Takes the lock; the thread that leads, no round of it in flight. */
void keys_settle(struct node *n, struct key *k);
/* Newest epochs and births at rest; their shares go into the vault. */
MUST_CHECK enum rc keys_load(struct node *n);
/* Under lock. RC_ORDER: our share is at rest, and not open yet. NULL is fine. */
MUST_CHECK enum rc keys_opened(const struct node *n, const struct key *k);
/* One stored ACTIVE epoch, a store_row of store_epochs(); ctx is the node. */
MUST_CHECK enum rc keys_load_epoch(void *ctx, const char *name, uint64_t number,
                                   const uint8_t *json, size_t json_len,
                                   const uint8_t *sealed, size_t sealed_len);

#endif

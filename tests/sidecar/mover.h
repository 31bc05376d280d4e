/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that move, in the simulated cluster: asking for it, and looking in. */
#ifndef TESTS_SIDECAR_MOVER_H
#define TESTS_SIDECAR_MOVER_H

#include "sim.h"

/* A session that its stewards have approved; kept to ask again with it. */
struct mover {
    struct sim *s;
    char *json; /* owned */
    size_t len;
    uint8_t id[32];
};

/* of the key that `via` knows by this name */
void mover_approve(struct mover *m, struct sim *s, unsigned via,
                   enum policy_session_type type, const char *name);
void mover_free(struct mover *m);
unsigned mover_ask(struct mover *m, unsigned via);
/* All at once; the call. */
unsigned mover_move(struct sim *s, unsigned via, enum policy_session_type type,
                    const char *name);

/* The key as a node tells it. */
void mover_key(struct sim *s, unsigned via, const char *name,
               struct wire_key *out);
/* The profiles follow these: one more version of the policy, taken by all. */
void mover_layout(struct sim *s, unsigned via, unsigned threshold,
                  unsigned holders, unsigned leaving);

/* It ends, its shares at rest are gone, and it starts again. */
void mover_lose_share(struct sim *s, unsigned id);

/* A number out of a node's store. */
int mover_count(struct sim *s, unsigned node, const char *sql);
/* Shares at rest of epochs before this one. */
int mover_old_shares(struct sim *s, unsigned node, uint64_t epoch);

/*
 * The key is in one epoch on all nodes that are up, nothing older is at rest
 * on them, and it signs through each under this group key.
 */
void mover_settled(struct sim *s, const char *name, const uint8_t group[32]);

#endif

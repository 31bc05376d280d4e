/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that makes a key by calling each member itself: what a node that
 * was taken over can do, one step at a time. Test keys only.
 */
#ifndef TESTS_SIDECAR_ROGUE_H
#define TESTS_SIDECAR_ROGUE_H

#include "sim.h"

struct rogue {
    struct sim *s;
    struct wire_session wire; /* owned */
    struct policy_session session;
    uint64_t epoch;
    struct wire_package package[SIM_NODES]; /* owned; [id - 1] */
    struct wire_boxes boxes[SIM_NODES];     /* owned */
    struct wire_epoch_vote vote[SIM_NODES];
    struct wire_birth birth; /* owned */
};

/* A key-create session of this profile, approved by the stewards. */
void rogue_begin(struct rogue *r, struct sim *s, const char *profile,
                 uint64_t epoch);
void rogue_free(struct rogue *r);
MUST_CHECK enum rc rogue_start(struct rogue *r, unsigned id);
/* Deals and finishes at everyone; all have started. */
void rogue_finish(struct rogue *r);
/* The certificate of all votes, and an entry over it; log it with _log. */
void rogue_certify(struct rogue *r, struct tlog_birth *entry);
void rogue_log(struct rogue *r, const struct tlog_birth *entry);
MUST_CHECK enum rc rogue_activate(struct rogue *r, unsigned id);

#endif

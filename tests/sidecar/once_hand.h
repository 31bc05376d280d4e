/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lead of one session's key that calls each member itself: what a node that
 * was taken over can do, one step at a time. Test keys only.
 */
#ifndef TESTS_SIDECAR_ONCE_HAND_H
#define TESTS_SIDECAR_ONCE_HAND_H

#include "once.h"

#define HAND_ID 2 /* whom the members take it for */

struct hand {
    struct sim *s;
    uint16_t lead; /* HAND_ID, unless set afterwards */
    struct policy_session session;
    struct wire_session wire;   /* owned */
    unsigned member[SIM_NODES]; /* who takes part, ascending */
    unsigned n;
    struct wire_package package[SIM_NODES]; /* owned; by place */
    struct wire_boxes boxes[SIM_NODES];     /* owned */
    struct wire_epoch_vote vote[SIM_NODES];
    struct wire_birth birth; /* owned */
};

/* A session of `once` as a lead opens it: all kinds, nobody asked. */
void hand_begin(struct hand *h, struct sim *s);
void hand_free(struct hand *h);
/* The session is whatever h->session says now. */
void hand_write(struct hand *h);
MUST_CHECK enum rc hand_start(struct hand *h, unsigned at, unsigned id);
MUST_CHECK enum rc hand_deal(struct hand *h, unsigned at);
MUST_CHECK enum rc hand_finish(struct hand *h, unsigned at);
/* All three, at members 1..n; then the certificate and its entry. */
void hand_make(struct hand *h, unsigned n, struct tlog_birth *entry);
void hand_log(struct hand *h, const struct tlog_birth *entry);
MUST_CHECK enum rc hand_birth(struct hand *h, unsigned id, bool *share);
MUST_CHECK enum rc hand_close(struct hand *h, unsigned from, unsigned id);
/*
 * A share of this node over msg in that slot, asked for under session s (h's
 * own, or another one), its intent logged like any other.
 */
MUST_CHECK enum rc hand_sign(struct hand *h, const struct policy_session *s,
                             const struct wire_session *wire, unsigned id,
                             const char *slot, uint64_t attempt,
                             const char *msg);

#endif

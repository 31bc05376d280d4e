/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A round two of one's own making: an honest request that node1 sent node2 is
 * caught, and asked again with one thing changed. Its intent is logged like
 * any other, so that nothing but the change can be the reason of a refusal.
 */
#ifndef TESTS_SIDECAR_FORGE_H
#define TESTS_SIDECAR_FORGE_H

#include "sim.h"

struct forge {
    struct sim *s;
    struct wire_round2 caught; /* the honest request, as node2 got it */
    bool have;
    /* the one being made */
    struct wire_round2 m;
    struct wire_round2_item *item;
    struct wire_signer *mine; /* node2's row */
    struct tlog_intent in;
    char msg[64];
    size_t msg_len;
    uint64_t head;     /* node2's */
    uint8_t share[32]; /* what it was answered with; zeros: none */
};

typedef void forge_change(struct forge *f);
static inline void forge_nothing(struct forge *f)
{
    (void)f;
}

/* Node 3 ends, nodes 1 and 2 sign, and what node2 was sent is caught. */
void forge_catch(struct forge *f, struct sim *s);
void forge_free(struct forge *f);
/*
 * The caught request as another attempt, with a fresh commitment and intent;
 * changed before the intent is logged and after. The code node2 answers with;
 * a refusal with a share in it fails the test.
 */
enum rc forge_ask(struct forge *f, uint64_t attempt, forge_change *before,
                  forge_change *after);
/* Exactly what was caught, into f->m; and f->m to node2, as node1. */
void forge_copy(struct forge *f);
enum rc forge_send(struct forge *f);

#endif

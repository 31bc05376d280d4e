/* SPDX-License-Identifier: Apache-2.0 */
/* Between follow.c and follow_judge.c: what is known of one item. */
#ifndef SIDECAR_FOLLOW_H
#define SIDECAR_FOLLOW_H

#include "sidecar/inner.h"

struct verdict {
    enum rc rc;
    char why[960];
    struct judged j;
    struct key *key;
    const uint8_t *msg;
    size_t msg_len;
    struct tlog_intent intent;
    struct tlog_proof proof;
    struct store_mark mark;
    struct wire_audit_row row;
    bool glass; /* its profile is a break-glass one */
};

/* Takes the lock; v[in->items.n]. */
void follow_judge_all(struct verdict *v, struct node *n, uint16_t from,
                      const struct wire_round2 *in, const uint8_t *raw,
                      size_t raw_len);
/* Keeps the thread's text of a refusal. */
void follow_say_why(struct verdict *v);

#endif

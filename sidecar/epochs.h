/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and moving keys: a member's part (epoch.c) and the driver's (drive.c).
 * Part of sidecar/inner.h.
 */
#ifndef SIDECAR_EPOCHS_H
#define SIDECAR_EPOCHS_H

#include "sidecar/sidecar.h"

struct key;

/* What a step of making a key was answered; a repeat gets it again. */
struct epoch_answer {
    uint8_t request[32];
    char *json; /* owned; NULL: unused */
    size_t len;
};

/* epoch.c: a member's part in making a key; drive.c: the driver's */
/* step: start, deal, finish or activate */
MUST_CHECK enum rc epoch_on_peer(struct node *n, const char *step,
                                 const uint8_t *body, size_t len, char **reply,
                                 size_t *reply_len);
/* Hands a key's birth to a node that missed it. */
void epoch_tell(struct node *n, uint16_t to, const struct key *key);
void epoch_answers_free(struct node *n);
void drive_on_create(struct node *n, uint64_t call, const uint8_t *body,
                     size_t len);
void drive_tick(struct node *n);
void drive_free(struct node *n);

#endif

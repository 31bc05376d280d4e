/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces: what a share sealed under snp+peers needs from other members of its
 * key (docs/SEALING.md). Part of sidecar/inner.h.
 *
 * Making an epoch, the order is
 *
 *     START at every member (store_epoch_start: the session is known there)
 *     pieces_deal() by the driver: split, keep, acked at every member
 *     the dealing and FINISH, whose vault seals the share (PREPARED): it
 *     refuses with RC_ORDER while a holder's acknowledgement is missing
 *
 * RETIRE erases them with an epoch's share, in one transaction. After a
 * restart keys.c calls pieces_wait() for shares that do not open alone, and
 * pieces_tick() asks for what is missing.
 */
#ifndef SIDECAR_PIECES_H
#define SIDECAR_PIECES_H

#include <jansson.h>

#include "sidecar/sidecar.h"

struct pieces; /* in struct node; loop thread */

typedef void pieces_done(struct node *n, void *arg, enum rc rc,
                         const char *why);
/*
 * pieces_deal.c: every member's secret of this epoch is split among the others,
 * kept durably and acknowledged. fn is called once, unless the node ends
 * before; whoever gave up in the meantime knows by arg.
 */
void pieces_deal(struct node *n, const struct vault_dkg_terms *terms,
                 int64_t deadline_ms, pieces_done *fn, void *arg);
void pieces_deal_free(struct node *n);

/* pieces.c: a member's part. step: split, keep, acked or ask. Any thread. */
MUST_CHECK enum rc pieces_on_peer(struct node *n, uint16_t from,
                                  const char *step, const uint8_t *body,
                                  size_t len, char **reply, size_t *reply_len);
/* Others' pieces of this key's epochs up to this one are erased, and with
 * the vault's own share of it (vault_forget) our secret. Any thread. */
MUST_CHECK enum rc pieces_forget(struct node *n, const char *name,
                                 uint64_t epoch);

/* pieces_wait.c: our own shares. While the node starts: */
/* PREPARED ones, whose certificate may still come. */
MUST_CHECK enum rc pieces_load(struct node *n);
/* This sealed share opens when t-1 pieces are here: ask for them. */
MUST_CHECK enum rc pieces_wait(struct node *n, const char *name,
                               const struct wire_cert *cert,
                               const uint8_t *sealed, size_t len);
void pieces_tick(struct node *n);
/* Appends a line for each share that waits. Under lock. */
void pieces_problems(const struct node *n, json_t *list);
void pieces_free(struct node *n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backups of this node's shares for its custodians (custody.c), and shares
 * that custodians bring (recover.c). Part of sidecar/inner.h.
 */
#ifndef SIDECAR_CUSTODY_H
#define SIDECAR_CUSTODY_H

#include <jansson.h>

#include "sidecar/sidecar.h"

struct key;
struct custody; /* what is known of the backups at rest */

/*
 * The key's epoch has become active here: its share is sealed to the
 * custodians that the roster names, and kept instead of the one before. Not
 * under lock. A backup that cannot be made stops nothing: status says why, and
 * it is tried again.
 */
void custody_on_active(struct node *n, struct key *key);
/* Makes those that are missing, or are for other custodians than now. */
void custody_tick(struct node *n);
/* At the start, keys being known: what an earlier life left. */
void custody_start(struct node *n);
void custody_free(struct node *n);

/* POST /v1/key/backup and /v1/key/export; peer POST /v1/backup. */
void custody_on_backup(struct node *n, uint64_t call, const uint8_t *body,
                       size_t len);
void custody_on_export(struct node *n, uint64_t call, const uint8_t *body,
                       size_t len);
MUST_CHECK enum rc custody_on_peer(struct node *n, const uint8_t *body,
                                   size_t len, char **reply, size_t *reply_len);
/* Under lock, for status: {epoch, made, custodians, why} or null. */
json_t *custody_json(const struct node *n, const struct key *key);
/* Under lock, for status: what an operator should do next, as words. */
json_t *custody_next_json(const struct node *n);

/* recover.c: POST /v1/key/recover */
void recover_on_share(struct node *n, uint64_t call, const uint8_t *body,
                      size_t len);

#endif

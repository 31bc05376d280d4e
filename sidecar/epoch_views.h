/* SPDX-License-Identifier: Apache-2.0 */
/* What peers say of each key's epoch (epoch_views.c). Part of sidecar/inner.h. */
#ifndef SIDECAR_EPOCH_VIEWS_H
#define SIDECAR_EPOCH_VIEWS_H

#include <jansson.h>

#include "sidecar/sidecar.h"

struct key;
struct epoch_views;

/* A peer said in which epoch the key is, and whether it has a share of it.
 * Loop thread; key NULL: not known here, nothing is noted. */
void epoch_views_heard(struct node *n, const struct key *key, uint16_t from,
                       uint64_t epoch, bool share);
void epoch_views_free(struct node *n);
/* Under lock, loop thread, for status: of each key, its epochs here and at its
 * nodes. */
json_t *epoch_views_json(const struct node *n);
/* The same: lines of what an operator should do, each with its command. */
void epoch_views_next(json_t *list, const struct node *n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A node's own keys that the policy does not name: new_keys.c. */
#ifndef SIDECAR_NEW_KEYS_H
#define SIDECAR_NEW_KEYS_H

#include "sidecar/inner.h"

/* Those at rest; where they do not open, new ones beside them. */
MUST_CHECK enum rc keys_open(struct node *n);
/* Under lock. The version in force names other keys for this node. */
bool keys_are_new(const struct node *n);

#endif

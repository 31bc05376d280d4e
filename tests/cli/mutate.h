/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every change of a JSON document, one at a time: members, elements, bytes of
 * blobs, and whatever documents stand inside blobs.
 */
#ifndef TESTS_CLI_MUTATE_H
#define TESTS_CLI_MUTATE_H

#include "test.h"

#include <jansson.h>

/* where: "signers.0.evidence.0.report", how: "bit 1 of byte 40". */
typedef void mutate_fn(void *ctx, json_t *changed, const char *where,
                       const char *how);
/* other: a document of the same kind, whose values are swapped in. */
void mutate_all(json_t *root, json_t *other, mutate_fn *fn, void *ctx);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the room: a tree that only grows at its right edge, of which only
 * the roots of its complete subtrees are kept. Public data.
 */
#ifndef TRANSPARENCY_MERKLE_H
#define TRANSPARENCY_MERKLE_H

#include "transparency/transparency.h"

struct tlog_range {
    struct tlog_hash root[64]; /* root[k]: the subtree of 2^k, if bit k of n */
    uint64_t n;
};
void tlog_range_push(struct tlog_range *r, const struct tlog_hash *leaf);
/* MTH of what was pushed; SHA-256("") for nothing. */
void tlog_range_root(struct tlog_hash *out, const struct tlog_range *r);

/* Largest power of two smaller than n; n is at least 2. */
uint64_t tlog_split(uint64_t n);

#endif

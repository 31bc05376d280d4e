/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the room: every complete node of a growing tree, level by level, so
 * that any path of any size is a few copies; and the table that finds an entry
 * again. A cache: it is rebuilt from the entries. Public data, heap.
 */
#ifndef TRANSPARENCY_TREE_H
#define TRANSPARENCY_TREE_H

#include "transparency/transparency.h"

#define TREE_LEVELS 64

struct tlog_tree {
    struct tree_level {
        struct tlog_hash *h;
        size_t cap;
    } level[TREE_LEVELS];
    uint64_t n; /* leaves; level k holds n >> k nodes */
};

/* Room for that many more leaves: pushing them cannot fail. RC_NOMEM. */
MUST_CHECK enum rc tlog_tree_reserve(struct tlog_tree *t, size_t more);
void tlog_tree_push(struct tlog_tree *t, const struct tlog_hash *leaf);
void tlog_tree_clear(struct tlog_tree *t);

/* Of the tree's first size leaves, size <= n. */
void tlog_tree_root(const struct tlog_tree *t, struct tlog_hash *out,
                    uint64_t size);
/* index < size <= n */
void tlog_tree_inclusion(const struct tlog_tree *t, struct tlog_path *out,
                         uint64_t index, uint64_t size);
/* old_size <= size <= n */
void tlog_tree_consistency(const struct tlog_tree *t, struct tlog_path *out,
                           uint64_t old_size, uint64_t size);

/*
 * Which subtrees a path is made of, from the leaf up: MTH(D[lo:hi]) each,
 * where lo is a multiple of the largest power of two below hi - lo.
 */
struct tlog_spans {
    struct tlog_span {
        uint64_t lo;
        uint64_t hi;
    } at[TLOG_PATH_MAX];
    unsigned n;
};
/* index < size */
void tlog_spans_inclusion(struct tlog_spans *out, uint64_t index,
                          uint64_t size);
/* old_size <= size */
void tlog_spans_consistency(struct tlog_spans *out, uint64_t old_size,
                            uint64_t size);

/* Leaf hash to index, open addressing; hashes stay in the tree. */
struct tlog_seen {
    uint64_t *slot; /* index + 1; 0: free */
    size_t cap;     /* a power of two, or 0 */
    uint8_t key[16];
};
MUST_CHECK enum rc tlog_seen_init(struct tlog_seen *s);
void tlog_seen_clear(struct tlog_seen *s);
/* Room for all leaves of the tree and that many more. */
MUST_CHECK enum rc tlog_seen_reserve(struct tlog_seen *s,
                                     const struct tlog_tree *t, size_t more);
/* Index of the first such leaf, or TLOG_NO_INDEX. */
uint64_t tlog_seen_find(const struct tlog_seen *s, const struct tlog_tree *t,
                        const struct tlog_hash *leaf);
/* The tree's leaf at index, once; a repeated leaf keeps its first index. */
void tlog_seen_add(struct tlog_seen *s, const struct tlog_tree *t,
                   uint64_t index);

#endif

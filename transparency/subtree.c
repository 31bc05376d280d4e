/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs of and in a subtree D[start:end], as in Merkle Tree Certificates and
 * C2SP tlog-mirror: start is a multiple of the power of two that holds the
 * subtree. Public data only; no heap.
 */
#include "transparency/merkle.h"

static enum rc check_range(uint64_t start, uint64_t end)
{
    uint64_t holds = 1;
    if (start >= end)
        return rc_raise(RC_LOG, "subtree: %llu to %llu is empty",
                        (unsigned long long)start, (unsigned long long)end);
    while (holds && holds < end - start)
        holds <<= 1;
    if (holds == 0 ? start != 0 : start % holds != 0)
        return rc_raise(RC_LOG, "subtree: %llu to %llu is none",
                        (unsigned long long)start, (unsigned long long)end);
    return RC_OK;
}

enum rc tlog_subtree_inclusion_check(const struct tlog_path *path,
                                     uint64_t index, uint64_t start,
                                     uint64_t end, const struct tlog_hash *leaf,
                                     const struct tlog_hash *root)
{
    TRY(check_range(start, end));
    if (index < start || index >= end)
        return rc_raise(RC_LOG, "subtree: index %llu is not in %llu to %llu",
                        (unsigned long long)index, (unsigned long long)start,
                        (unsigned long long)end);
    return tlog_inclusion_check(path, index - start, end - start, leaf, root);
}

/* Nothing is in every tree, and needs no path. */
static enum rc check_empty(const struct tlog_path *path,
                           const struct tlog_hash *sub)
{
    struct tlog_hash empty;
    tlog_root(&empty, NULL, 0);
    if (path->n != 0 || !tlog_hash_equal(sub, &empty))
        return rc_raise(RC_LOG, "subtree: an empty one has another root, or a "
                                "path");
    return RC_OK;
}

/* Where the subtree's edges and the tree's right edge are, level by level. */
struct edges {
    uint64_t first;
    uint64_t last;
    uint64_t tree;
};

static void up(struct edges *e)
{
    e->first >>= 1;
    e->last >>= 1;
    e->tree >>= 1;
}

enum rc tlog_subtree_consistency_check(const struct tlog_path *path,
                                       uint64_t start, uint64_t end,
                                       uint64_t size,
                                       const struct tlog_hash *sub,
                                       const struct tlog_hash *root)
{
    if (end > size)
        return rc_raise(RC_LOG, "subtree: it ends at %llu, the tree at %llu",
                        (unsigned long long)end, (unsigned long long)size);
    if (path->n > TLOG_PATH_MAX)
        return rc_raise(RC_LOG, "subtree: path of %u hashes", path->n);
    if (start == end)
        return check_empty(path, sub);
    TRY(check_range(start, end));
    struct edges e = { start, end - 1, size - 1 };
    bool to_the_edge = e.last == e.tree;
    while (e.first != e.last && (to_the_edge || (e.last & 1)))
        up(&e);
    unsigned i = 0;
    /* a complete subtree, or one up to the edge, is itself the first node */
    bool whole = e.first == e.last;
    if (!whole && path->n == 0)
        return rc_raise(RC_LOG, "subtree: path is empty");
    struct tlog_hash fr = whole ? *sub : path->hash[i++];
    struct tlog_hash sr = fr;
    for (; i < path->n; i++) {
        if (e.tree == 0)
            return rc_raise(RC_LOG, "subtree: path too long");
        if ((e.last & 1) || e.last == e.tree) {
            if (e.first < e.last)
                tlog_node_hash(&fr, &path->hash[i], &fr);
            tlog_node_hash(&sr, &path->hash[i], &sr);
            while (!(e.last & 1) && e.last != 0)
                up(&e);
        } else {
            tlog_node_hash(&sr, &sr, &path->hash[i]);
        }
        up(&e);
    }
    if (e.tree != 0)
        return rc_raise(RC_LOG, "subtree: path too short");
    if (!tlog_hash_equal(&fr, sub))
        return rc_raise(RC_LOG, "subtree: not this subtree");
    if (!tlog_hash_equal(&sr, root))
        return rc_raise(RC_LOG, "subtree: not this root");
    return RC_OK;
}

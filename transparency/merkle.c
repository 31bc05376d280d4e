/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 6962 hashing and the two proof checks of RFC 9162 sections 2.1.3.2 and
 * 2.1.4.2 (the same trees, written as loops). Public data only; no heap.
 */
#include "transparency/merkle.h"

#include <string.h>

#include "base/hash.h"

void tlog_leaf_hash(struct tlog_hash *out, const void *entry, size_t len)
{
    static const uint8_t leaf = 0x00;
    const struct hash_part parts[] = { { &leaf, 1 }, { entry, len } };
    hash256_parts(out->b, parts, 2);
}

void tlog_node_hash(struct tlog_hash *out, const struct tlog_hash *l,
                    const struct tlog_hash *r)
{
    uint8_t node[65] = { 0x01 };
    memcpy(node + 1, l->b, 32);
    memcpy(node + 33, r->b, 32);
    hash256(out->b, node, sizeof(node));
}

bool tlog_hash_equal(const struct tlog_hash *a, const struct tlog_hash *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

uint64_t tlog_split(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

void tlog_range_push(struct tlog_range *r, const struct tlog_hash *leaf)
{
    struct tlog_hash h = *leaf;
    unsigned k = 0;
    for (; r->n >> k & 1; k++)
        tlog_node_hash(&h, &r->root[k], &h);
    r->root[k] = h;
    r->n++;
}

void tlog_range_root(struct tlog_hash *out, const struct tlog_range *r)
{
    struct tlog_hash h;
    bool any = false;
    hash256(h.b, "", 0);
    for (unsigned k = 0; k < 64; k++) {
        if (!(r->n >> k & 1))
            continue;
        if (any)
            tlog_node_hash(&h, &r->root[k], &h);
        else
            h = r->root[k];
        any = true;
    }
    *out = h;
}

void tlog_root(struct tlog_hash *out, const struct tlog_hash *leaves, size_t n)
{
    struct tlog_range r = { .n = 0 };
    for (size_t i = 0; i < n; i++)
        tlog_range_push(&r, &leaves[i]);
    tlog_range_root(out, &r);
}

enum rc tlog_inclusion_check(const struct tlog_path *path, uint64_t index,
                             uint64_t size, const struct tlog_hash *leaf,
                             const struct tlog_hash *root)
{
    if (index >= size)
        return rc_raise(RC_LOG, "inclusion: index %llu outside tree of %llu",
                        (unsigned long long)index, (unsigned long long)size);
    if (path->n > TLOG_PATH_MAX)
        return rc_raise(RC_LOG, "inclusion: path of %u hashes", path->n);
    uint64_t fn = index;
    uint64_t sn = size - 1;
    struct tlog_hash r = *leaf;
    for (unsigned i = 0; i < path->n; i++) {
        if (sn == 0)
            return rc_raise(RC_LOG, "inclusion: path too long");
        if ((fn & 1) || fn == sn) {
            tlog_node_hash(&r, &path->hash[i], &r);
            /* a right edge without sibling climbs until it has one */
            for (; !(fn & 1) && fn != 0; fn >>= 1)
                sn >>= 1;
        } else {
            tlog_node_hash(&r, &r, &path->hash[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return rc_raise(RC_LOG, "inclusion: path too short");
    if (!tlog_hash_equal(&r, root))
        return rc_raise(RC_LOG, "inclusion: path leads to another root");
    return RC_OK;
}

/* RFC 9162 section 2.1.4.2, for 0 < old_size < size. */
static enum rc consistency_walk(const struct tlog_path *path, uint64_t old_size,
                                const struct tlog_hash *old_root, uint64_t size,
                                const struct tlog_hash *root)
{
    uint64_t fn = old_size - 1;
    uint64_t sn = size - 1;
    unsigned i = 0;
    for (; fn & 1; fn >>= 1)
        sn >>= 1;
    /* a complete old tree is itself the first node of the path */
    bool complete = (old_size & (old_size - 1)) == 0;
    if (!complete && path->n == 0)
        return rc_raise(RC_LOG, "consistency: path is empty");
    struct tlog_hash fr = complete ? *old_root : path->hash[i++];
    struct tlog_hash sr = fr;
    for (; i < path->n; i++) {
        if (sn == 0)
            return rc_raise(RC_LOG, "consistency: path too long");
        if ((fn & 1) || fn == sn) {
            tlog_node_hash(&fr, &path->hash[i], &fr);
            tlog_node_hash(&sr, &path->hash[i], &sr);
            for (; !(fn & 1) && fn != 0; fn >>= 1)
                sn >>= 1;
        } else {
            tlog_node_hash(&sr, &sr, &path->hash[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    if (sn != 0)
        return rc_raise(RC_LOG, "consistency: path too short");
    if (!tlog_hash_equal(&fr, old_root))
        return rc_raise(RC_LOG, "consistency: not this old root");
    if (!tlog_hash_equal(&sr, root))
        return rc_raise(RC_LOG, "consistency: not this new root");
    return RC_OK;
}

enum rc tlog_consistency_check(const struct tlog_path *path, uint64_t old_size,
                               const struct tlog_hash *old_root, uint64_t size,
                               const struct tlog_hash *root)
{
    if (old_size > size)
        return rc_raise(RC_LOG, "consistency: size %llu is behind %llu",
                        (unsigned long long)size, (unsigned long long)old_size);
    if (path->n > TLOG_PATH_MAX)
        return rc_raise(RC_LOG, "consistency: path of %u hashes", path->n);
    if (old_size != 0 && old_size != size)
        return consistency_walk(path, old_size, old_root, size, root);
    if (path->n != 0)
        return rc_raise(RC_LOG, "consistency: %u hashes where none belong",
                        path->n);
    struct tlog_hash empty;
    tlog_root(&empty, NULL, 0);
    if (size == 0 && !tlog_hash_equal(root, &empty))
        return rc_raise(RC_LOG, "consistency: an empty tree has another root");
    /* every tree extends the empty one, whose root nobody needs to know */
    if (old_size != 0 && !tlog_hash_equal(old_root, root))
        return rc_raise(RC_LOG, "consistency: two roots of size %llu",
                        (unsigned long long)size);
    return RC_OK;
}

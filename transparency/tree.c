/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes by level, and the paths of RFC 6962 section 2.1 read off them. */
#include "transparency/tree.h"

#include <assert.h>

#include "transparency/merkle.h"
#include "transparency/sha.h"

static enum rc level_reserve(struct tree_level *l, size_t need)
{
    if (need <= l->cap)
        return RC_OK;
    size_t cap = l->cap ? l->cap : 64;
    while (cap < need)
        cap *= 2;
    struct tlog_hash *more = reallocarray(l->h, cap, sizeof(*more));
    if (!more)
        return rc_raise(RC_NOMEM, "tree: %zu hashes", cap);
    l->h = more;
    l->cap = cap;
    return RC_OK;
}

enum rc tlog_tree_reserve(struct tlog_tree *t, size_t more)
{
    uint64_t want = t->n + more;
    for (unsigned k = 0; k < TREE_LEVELS && want >> k; k++)
        TRY(level_reserve(&t->level[k], (size_t)(want >> k)));
    return RC_OK;
}

void tlog_tree_push(struct tlog_tree *t, const struct tlog_hash *leaf)
{
    uint64_t at = t->n;
    t->level[0].h[at] = *leaf;
    for (unsigned k = 0; at & 1; k++, at >>= 1) {
        const struct tlog_hash *h = t->level[k].h;
        tlog_sha_node(&t->level[k + 1].h[at >> 1], &h[at - 1], &h[at]);
    }
    t->n++;
}

void tlog_tree_clear(struct tlog_tree *t)
{
    for (unsigned k = 0; k < TREE_LEVELS; k++)
        free(t->level[k].h);
    *t = (struct tlog_tree){ .n = 0 };
}

/*
 * MTH(D[lo:hi]) where lo is a multiple of the largest power of two below
 * hi - lo, as it is all through RFC 6962: whole nodes folded from the right.
 */
static void range_root(const struct tlog_tree *t, struct tlog_hash *out,
                       uint64_t lo, uint64_t hi)
{
    bool any = false;
    assert(lo < hi && hi <= t->n);
    for (unsigned k = 0; hi > lo; k++) {
        if (!((hi - lo) >> k & 1))
            continue;
        hi -= UINT64_C(1) << k;
        const struct tlog_hash *node = &t->level[k].h[hi >> k];
        if (any)
            tlog_sha_node(out, node, out);
        else
            *out = *node;
        any = true;
    }
}

void tlog_tree_root(const struct tlog_tree *t, struct tlog_hash *out,
                    uint64_t size)
{
    if (size == 0)
        tlog_root(out, NULL, 0);
    else
        range_root(t, out, 0, size);
}

/* Paths are found from the root down and told from the leaf up. */
static void reverse(struct tlog_spans *s)
{
    for (unsigned i = 0; i < s->n / 2; i++) {
        struct tlog_span h = s->at[i];
        s->at[i] = s->at[s->n - 1 - i];
        s->at[s->n - 1 - i] = h;
    }
}

void tlog_spans_inclusion(struct tlog_spans *out, uint64_t index, uint64_t size)
{
    uint64_t lo = 0;
    uint64_t hi = size;
    out->n = 0;
    while (hi - lo > 1) {
        uint64_t mid = lo + tlog_split(hi - lo);
        struct tlog_span *next = &out->at[out->n++];
        if (index < mid) {
            *next = (struct tlog_span){ mid, hi };
            hi = mid;
        } else {
            *next = (struct tlog_span){ lo, mid };
            lo = mid;
        }
    }
    reverse(out);
}

void tlog_spans_consistency(struct tlog_spans *out, uint64_t old_size,
                            uint64_t size)
{
    uint64_t lo = 0;
    uint64_t hi = size;
    out->n = 0;
    if (old_size == 0)
        return;
    while (hi != old_size) {
        uint64_t mid = lo + tlog_split(hi - lo);
        struct tlog_span *next = &out->at[out->n++];
        if (old_size <= mid) {
            *next = (struct tlog_span){ mid, hi };
            hi = mid;
        } else {
            *next = (struct tlog_span){ lo, mid };
            lo = mid;
        }
    }
    if (lo != 0) /* else the old root itself, which the asker holds */
        out->at[out->n++] = (struct tlog_span){ lo, hi };
    reverse(out);
}

static void fill(const struct tlog_tree *t, struct tlog_path *out,
                 const struct tlog_spans *spans)
{
    for (unsigned i = 0; i < spans->n; i++)
        range_root(t, &out->hash[i], spans->at[i].lo, spans->at[i].hi);
    out->n = spans->n;
}

void tlog_tree_inclusion(const struct tlog_tree *t, struct tlog_path *out,
                         uint64_t index, uint64_t size)
{
    struct tlog_spans spans;
    tlog_spans_inclusion(&spans, index, size);
    fill(t, out, &spans);
}

void tlog_tree_consistency(const struct tlog_tree *t, struct tlog_path *out,
                           uint64_t old_size, uint64_t size)
{
    struct tlog_spans spans;
    tlog_spans_consistency(&spans, old_size, size);
    fill(t, out, &spans);
}

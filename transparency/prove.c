/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths put together from tiles: each hash of a path is the root of a subtree,
 * which is folded from complete nodes, which stand in tiles or are folded from
 * the hashes of one tile. A few tiles are kept, for a path needs each of them
 * several times.
 */
#include "transparency/prove.h"

#include <string.h>

#include "base/bytes.h"
#include "transparency/merkle.h"
#include "transparency/tree.h"

enum rc tlog_fetch_tile(uint8_t **out, size_t *len, unsigned *got_width,
                        int level, uint64_t n, unsigned width,
                        tlog_fetch *fetch, void *ctx)
{
    char path[TLOG_TILE_PATH_MAX];
    *got_width = width;
    tlog_tile_path(path, level, n, width);
    enum rc rc = fetch(out, len, path, ctx);
    if (rc != RC_UNKNOWN || width == TILE_WIDTH)
        return rc;
    /* a partial tile may have gone once the full one exists */
    *got_width = TILE_WIDTH;
    tlog_tile_path(path, level, n, TILE_WIDTH);
    return fetch(out, len, path, ctx);
}

unsigned tlog_tile_width(int level, uint64_t n, uint64_t size)
{
    uint64_t have = size >> (level > 0 ? 8 * level : 0);
    if (n > have >> 8)
        return 0;
    uint64_t left = have - n * TILE_WIDTH;
    return left < TILE_WIDTH ? (unsigned)left : TILE_WIDTH;
}

/* The tile with the hashes of this level, from the kept ones or fetched. */
static enum rc get_tile(struct tlog_prover *p, const struct prover_tile **out,
                        unsigned level, uint64_t n)
{
    for (unsigned i = 0; i < PROVER_TILES; i++)
        if (p->tile[i].width && p->tile[i].level == level &&
            p->tile[i].n == n) {
            *out = &p->tile[i];
            return RC_OK;
        }
    unsigned width = tlog_tile_width((int)level, n, p->size);
    OWNED_MEM uint8_t *got = NULL;
    size_t len = 0;
    unsigned got_width;
    if (width == 0)
        return rc_raise(RC_UNKNOWN, "tile %u/%llu is outside the tree", level,
                        (unsigned long long)n);
    TRY(tlog_fetch_tile(&got, &len, &got_width, (int)level, n, width, p->fetch,
                        p->ctx));
    if (len != got_width * sizeof(struct tlog_hash))
        return rc_raise(RC_LOG, "tile %u/%llu: %zu bytes, want %zu", level,
                        (unsigned long long)n, len,
                        got_width * sizeof(struct tlog_hash));
    struct prover_tile *t = &p->tile[p->next++ % PROVER_TILES];
    t->level = level;
    t->n = n;
    t->width = width;
    memcpy(t->h, got, width * sizeof(struct tlog_hash));
    *out = t;
    return RC_OK;
}

enum rc tlog_prover_node(struct tlog_prover *p, struct tlog_hash *out,
                         unsigned k, uint64_t i)
{
    unsigned within = k % 8; /* so many levels above the tile's own */
    uint64_t first = i << within;
    const struct prover_tile *t;
    TRY(get_tile(p, &t, k / 8, first / TILE_WIDTH));
    unsigned at = (unsigned)(first % TILE_WIDTH);
    if (at + (1u << within) > t->width)
        return rc_raise(RC_UNKNOWN, "node %u/%llu is outside the tree", k,
                        (unsigned long long)i);
    tlog_root(out, &t->h[at], (size_t)1 << within);
    return RC_OK;
}

/* As range_root() of the tree, from fetched nodes. */
static enum rc span_root(struct tlog_prover *p, struct tlog_hash *out,
                         const struct tlog_span *span)
{
    bool any = false;
    uint64_t hi = span->hi;
    struct tlog_hash node;
    for (unsigned k = 0; hi > span->lo; k++) {
        if (!((hi - span->lo) >> k & 1))
            continue;
        hi -= UINT64_C(1) << k;
        TRY(tlog_prover_node(p, &node, k, hi >> k));
        if (any)
            tlog_node_hash(out, &node, out);
        else
            *out = node;
        any = true;
    }
    return RC_OK;
}

enum rc tlog_prover_root(struct tlog_prover *p, struct tlog_hash *out)
{
    const struct tlog_span all = { 0, p->size };
    if (p->size > 0)
        return span_root(p, out, &all);
    tlog_root(out, NULL, 0);
    return RC_OK;
}

static enum rc fill(struct tlog_path *out, const struct tlog_spans *spans,
                    uint64_t size, tlog_fetch *fetch, void *ctx)
{
    struct tlog_path path = { .n = spans->n };
    OWNED_MEM struct tlog_prover *p = calloc(1, sizeof(*p));
    if (!p)
        return rc_raise(RC_NOMEM, "proof: out of memory");
    p->fetch = fetch;
    p->ctx = ctx;
    p->size = size;
    for (unsigned i = 0; i < spans->n; i++)
        TRY(span_root(p, &path.hash[i], &spans->at[i]));
    *out = path;
    return RC_OK;
}

enum rc tlog_tiles_inclusion(struct tlog_path *out, uint64_t index,
                             uint64_t size, tlog_fetch *fetch, void *ctx)
{
    struct tlog_spans spans;
    if (index >= size)
        return rc_raise(RC_UNKNOWN, "entry %llu is outside the tree of %llu",
                        (unsigned long long)index, (unsigned long long)size);
    tlog_spans_inclusion(&spans, index, size);
    return fill(out, &spans, size, fetch, ctx);
}

enum rc tlog_tiles_consistency(struct tlog_path *out, uint64_t old_size,
                               uint64_t size, tlog_fetch *fetch, void *ctx)
{
    struct tlog_spans spans;
    if (old_size > size)
        return rc_raise(RC_UNKNOWN, "size %llu is over %llu",
                        (unsigned long long)old_size, (unsigned long long)size);
    tlog_spans_consistency(&spans, old_size, size);
    return fill(out, &spans, size, fetch, ctx);
}

enum rc tlog_tiles_entry(uint8_t **out, size_t *len, uint64_t index,
                         uint64_t size, tlog_fetch *fetch, void *ctx)
{
    OWNED_MEM uint8_t *bundle = NULL;
    size_t bundle_len = 0;
    unsigned width;
    if (index >= size)
        return rc_raise(RC_UNKNOWN, "entry %llu is outside the tree of %llu",
                        (unsigned long long)index, (unsigned long long)size);
    uint64_t n = index / TILE_WIDTH;
    TRY(tlog_fetch_tile(&bundle, &bundle_len, &width, -1, n,
                        tlog_tile_width(-1, n, size), fetch, ctx));
    struct bytes_reader r = bytes_reader(bundle, bundle_len);
    const uint8_t *entry = NULL;
    for (uint64_t i = 0; i <= index % TILE_WIDTH; i++)
        entry = bytes_take_lp16(&r, len);
    if (!entry)
        return rc_raise(RC_LOG, "entry %llu is cut off",
                        (unsigned long long)index);
    *out = malloc(*len + 1);
    if (!*out)
        return rc_raise(RC_NOMEM, "entry: out of memory");
    memcpy(*out, entry, *len);
    (*out)[*len] = 0;
    return RC_OK;
}

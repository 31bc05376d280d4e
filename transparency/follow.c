/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log followed: what is new is read as entries, hashed again, and must lead
 * to the root that the log signed. That is consistency proven the long way,
 * and every entry was seen.
 */
#include "transparency/prove.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "transparency/merkle.h"
#include "transparency/sha.h"

struct step {
    struct tlog_range range;
    tlog_fetch *fetch;
    void *ctx;
    tlog_on_entry *on_entry;
    void *arg;
};

/* The tile beside the bundle: what others prove with. */
static enum rc check_tile(struct step *s, uint64_t n, unsigned width,
                          const struct tlog_hash *leaf)
{
    OWNED_MEM uint8_t *tile = NULL;
    size_t len = 0;
    unsigned got;
    TRY(tlog_fetch_tile(&tile, &len, &got, 0, n, width, s->fetch, s->ctx));
    if (len != got * sizeof(*leaf))
        return rc_raise(RC_LOG, "tile 0/%llu: %zu bytes, want %zu",
                        (unsigned long long)n, len, got * sizeof(*leaf));
    if (memcmp(tile, leaf, width * sizeof(*leaf)) != 0)
        return rc_raise(RC_LOG, "tile 0/%llu is not that of its entries",
                        (unsigned long long)n);
    return RC_OK;
}

/* One bundle, of which the first `known` entries were seen before. */
static enum rc read_bundle(struct step *s, uint64_t n, unsigned width,
                           unsigned known)
{
    OWNED_MEM uint8_t *bundle = NULL;
    struct tlog_hash leaf[TILE_WIDTH];
    size_t len = 0;
    size_t entry_len;
    unsigned got;
    TRY(tlog_fetch_tile(&bundle, &len, &got, -1, n, width, s->fetch, s->ctx));
    struct bytes_reader r = bytes_reader(bundle, len);
    for (unsigned i = 0; i < width; i++) {
        const uint8_t *entry = bytes_take_lp16(&r, &entry_len);
        if (!entry)
            return rc_raise(RC_LOG, "bundle %llu: entry %u is cut off",
                            (unsigned long long)n, i);
        tlog_sha_leaf(&leaf[i], entry, entry_len);
        if (i < known)
            continue;
        tlog_range_push(&s->range, &leaf[i]);
        if (s->on_entry)
            TRY(s->on_entry(n * TILE_WIDTH + i, entry, entry_len, s->arg));
    }
    return check_tile(s, n, width, leaf);
}

static enum rc read_new(struct step *s, uint64_t size)
{
    while (s->range.n < size) {
        uint64_t n = s->range.n / TILE_WIDTH;
        TRY(read_bundle(s, n, tlog_tile_width(-1, n, size),
                        (unsigned)(s->range.n % TILE_WIDTH)));
    }
    return RC_OK;
}

/* A tile of level 1 and up that became full folds to its hash above it. */
static enum rc check_full(struct step *s, struct tlog_prover *p, int level,
                          uint64_t n)
{
    OWNED_MEM uint8_t *tile = NULL;
    struct tlog_hash h[TILE_WIDTH];
    struct tlog_hash is;
    struct tlog_hash want;
    size_t len = 0;
    unsigned got;
    TRY(tlog_fetch_tile(&tile, &len, &got, level, n, TILE_WIDTH, s->fetch,
                        s->ctx));
    if (len != sizeof(h))
        return rc_raise(RC_LOG, "tile %d/%llu: %zu bytes, want %zu", level,
                        (unsigned long long)n, len, sizeof(h));
    memcpy(h, tile, sizeof(h));
    tlog_root(&is, h, TILE_WIDTH);
    TRY(tlog_prover_node(p, &want, (unsigned)level * 8 + 8, n));
    if (!tlog_hash_equal(&is, &want))
        return rc_raise(RC_LOG, "tile %d/%llu is not that of its entries",
                        level, (unsigned long long)n);
    return RC_OK;
}

/*
 * The levels above: the right edge of all of them folds to the root, and what
 * left the edge since the last step folds to a hash on it.
 */
static enum rc check_above(struct step *s, uint64_t old_size,
                           const struct tlog_checkpoint *cp)
{
    struct tlog_hash root;
    OWNED_MEM struct tlog_prover *p = calloc(1, sizeof(*p));
    if (!p)
        return rc_raise(RC_NOMEM, "log: out of memory");
    p->fetch = s->fetch;
    p->ctx = s->ctx;
    p->size = cp->size;
    TRY(tlog_prover_root(p, &root));
    if (!tlog_hash_equal(&root, &cp->root))
        return rc_raise(RC_LOG,
                        "log: tiles at its edge do not fold to its "
                        "root at %llu",
                        (unsigned long long)cp->size);
    for (int level = 1; level < 7; level++)
        for (uint64_t n = old_size >> (8 * level) >> 8;
             tlog_tile_width(level, n, cp->size) == TILE_WIDTH; n++)
            TRY(check_full(s, p, level, n));
    return RC_OK;
}

static struct tlog_hash root_of(const struct tlog_range *range)
{
    struct tlog_hash h;
    tlog_range_root(&h, range);
    return h;
}

/* Smaller than what we hold: must be a past of it, shown by the tiles. */
static enum rc check_behind(const struct step *s,
                            const struct tlog_checkpoint *cp)
{
    struct tlog_path path;
    struct tlog_hash root = root_of(&s->range);
    enum rc rc = tlog_tiles_consistency(&path, cp->size, s->range.n, s->fetch,
                                        s->ctx);
    if (rc == RC_OK)
        TRY(tlog_consistency_check(&path, cp->size, &cp->root, s->range.n,
                                   &root));
    else if (rc != RC_UNKNOWN) /* it has no tiles of the larger tree */
        return rc;
    return rc_raise(RC_HEAD_BEHIND, "log: shows %llu entries, had %llu before",
                    (unsigned long long)cp->size,
                    (unsigned long long)s->range.n);
}

static enum rc step(struct step *s, const struct tlog_checkpoint *cp)
{
    uint64_t old_size = s->range.n;
    if (cp->size < old_size)
        return check_behind(s, cp);
    TRY(read_new(s, cp->size));
    struct tlog_hash root = root_of(&s->range);
    if (!tlog_hash_equal(&root, &cp->root))
        return rc_raise(RC_LOG,
                        "log: its root at %llu is not that of the "
                        "entries it shows and showed: a fork",
                        (unsigned long long)cp->size);
    return cp->size == old_size ? RC_OK : check_above(s, old_size, cp);
}

enum rc tlog_follow_step(struct tlog_follow *f, const struct tlog_trust *trust,
                         tlog_fetch *fetch, void *ctx, tlog_on_entry *on_entry,
                         void *arg, char other[TLOG_NOTE_MAX])
{
    struct step s = {
        .fetch = fetch, .ctx = ctx, .on_entry = on_entry, .arg = arg
    };
    OWNED_MEM uint8_t *note = NULL;
    size_t len = 0;
    struct tlog_checkpoint cp;
    if (other)
        other[0] = '\0';
    TRY(fetch(&note, &len, "checkpoint", ctx));
    TRY(tlog_trust_open(&cp, NULL, NULL, trust, (char *)note, len));
    if (len >= sizeof(f->checkpoint))
        return rc_raise(RC_TOO_LARGE, "checkpoint: %zu bytes", len);
    s.range.n = f->size;
    memcpy(s.range.root, f->root, sizeof(s.range.root));
    enum rc rc = step(&s, &cp);
    if (rc == RC_LOG && other) {
        memcpy(other, note, len);
        other[len] = '\0';
    }
    TRY(rc);
    f->size = s.range.n;
    memcpy(f->root, s.range.root, sizeof(f->root));
    memcpy(f->checkpoint, note, len);
    f->checkpoint[len] = '\0';
    return RC_OK;
}

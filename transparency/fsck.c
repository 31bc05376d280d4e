/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole log read through someone's fetch function and computed again from
 * its entries: every tile of every level, then the root the log signed. Holds
 * one tile a level and one bundle at a time. Public data; for tools, not for
 * the vault: uses the heap.
 */
#include <string.h>

#include "base/bytes.h"
#include "transparency/merkle.h"
#include "transparency/sha.h"

#define TILE   256
#define LEVELS 8 /* 256^8 entries */

struct fsck {
    tlog_fetch *fetch;
    void *ctx;
    struct tlog_range range;
    struct level {
        struct tlog_hash h[TILE];
        unsigned n;       /* hashes of the tile under way */
        uint64_t n_tiles; /* full ones before it */
    } level[LEVELS];
    struct tlog_fsck_report report;
};

/* A partial tile may have gone once the full one exists. */
static enum rc fetch_tile(struct fsck *f, uint8_t **out, size_t *len,
                          char path[TLOG_TILE_PATH_MAX], int level, uint64_t n,
                          unsigned width)
{
    tlog_tile_path(path, level, n, width);
    enum rc rc = f->fetch(out, len, path, f->ctx);
    if (rc != RC_UNKNOWN || width == TILE)
        return rc;
    tlog_tile_path(path, level, n, TILE);
    return f->fetch(out, len, path, f->ctx);
}

static enum rc check_tile(struct fsck *f, unsigned level)
{
    const struct level *l = &f->level[level];
    char path[TLOG_TILE_PATH_MAX];
    OWNED_MEM uint8_t *got = NULL;
    size_t len = 0;
    size_t want = l->n * sizeof(struct tlog_hash);
    TRY(fetch_tile(f, &got, &len, path, (int)level, l->n_tiles, l->n));
    bool whole = !strstr(path, ".p/");
    if (whole ? len != TILE * sizeof(struct tlog_hash) : len != want)
        return rc_raise(RC_LOG, "%s: %zu bytes, want %zu", path, len, want);
    for (unsigned i = 0; i < l->n; i++)
        if (memcmp(got + 32 * i, l->h[i].b, 32) != 0)
            return rc_raise(RC_LOG, "%s: hash %u is not that of its entries",
                            path, i);
    f->report.tiles_checked++;
    return RC_OK;
}

static enum rc add_hash(struct fsck *f, const struct tlog_hash *leaf)
{
    struct tlog_hash h = *leaf;
    for (unsigned i = 0; i < LEVELS; i++) {
        struct level *l = &f->level[i];
        l->h[l->n++] = h;
        if (l->n < TILE)
            return RC_OK;
        TRY(check_tile(f, i));
        tlog_root(&h, l->h, TILE);
        l->n = 0;
        l->n_tiles++;
    }
    return rc_raise(RC_TOO_LARGE, "fsck: over 256^%d entries", LEVELS);
}

/* Entries of one bundle, `width` of them: u16be length and bytes each. */
static enum rc read_bundle(struct fsck *f, uint64_t n, unsigned width)
{
    char path[TLOG_TILE_PATH_MAX];
    OWNED_MEM uint8_t *got = NULL;
    size_t len = 0;
    struct tlog_hash leaf;
    TRY(fetch_tile(f, &got, &len, path, -1, n, width));
    bool whole = !strstr(path, ".p/");
    struct bytes_reader r = bytes_reader(got, len);
    for (unsigned i = 0; i < (whole ? TILE : width); i++) {
        size_t entry_len;
        const uint8_t *entry = bytes_take_lp16(&r, &entry_len);
        if (!entry)
            return rc_raise(RC_LOG, "%s: entry %u is cut off", path, i);
        if (i >= width) /* of a later, larger tree */
            continue;
        tlog_sha_leaf(&leaf, entry, entry_len);
        tlog_range_push(&f->range, &leaf);
        TRY(add_hash(f, &leaf));
        f->report.entries_checked++;
    }
    if (bytes_end(&r, path) != RC_OK)
        return RC_LOG;
    f->report.tiles_checked++;
    return RC_OK;
}

static enum rc check_all(struct fsck *f, const struct tlog_vkey *log)
{
    OWNED_MEM uint8_t *note = NULL;
    size_t len = 0;
    struct tlog_hash root;
    struct tlog_checkpoint *head = &f->report.head;
    TRY(f->fetch(&note, &len, "checkpoint", f->ctx));
    TRY(tlog_checkpoint_open(head, (const char *)note, len, log));
    for (uint64_t at = 0; at < head->size; at += TILE) {
        uint64_t left = head->size - at;
        TRY(read_bundle(f, at / TILE, left < TILE ? (unsigned)left : TILE));
    }
    for (unsigned i = 0; i < LEVELS; i++)
        if (f->level[i].n > 0)
            TRY(check_tile(f, i));
    tlog_range_root(&root, &f->range);
    if (!tlog_hash_equal(&root, &head->root))
        return rc_raise(RC_LOG, "checkpoint: root is not that of the "
                                "entries");
    return RC_OK;
}

enum rc tlog_fsck(struct tlog_fsck_report *out, const struct tlog_vkey *log,
                  tlog_fetch *fetch, void *ctx)
{
    OWNED_MEM struct fsck *f = calloc(1, sizeof(*f));
    if (!f)
        return rc_raise(RC_NOMEM, "fsck: out of memory");
    f->fetch = fetch;
    f->ctx = ctx;
    TRY(check_all(f, log));
    *out = f->report;
    return RC_OK;
}

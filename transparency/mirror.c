/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log as a directory of static files. Of a larger tree only the tiles that
 * are new or wider are fetched. They are believed because leaves are hashed
 * again, each full tile folds to its hash one level up, and the right edge of
 * all of them folds to the root that the log signed. Files are renamed into
 * place, synced together, and the checkpoint comes last: a server never shows
 * a checkpoint whose tiles it lacks.
 */
#include "transparency/prove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/file.h"
#include "transparency/merkle.h"
#include "transparency/sha.h"

#define LEVELS       8
#define PATH_MAX_LEN 4096
#define FILE_MAX     (TILE_WIDTH * (2u + 65535u))

struct mirror {
    const char *dir;
    tlog_fetch *fetch;
    void *ctx;
    uint64_t old_size;
    struct tlog_checkpoint head;
    struct tlog_mirror_report report;
};

static void path_in(char out[PATH_MAX_LEN], const struct mirror *m,
                    const char *name)
{
    snprintf(out, PATH_MAX_LEN, "%s/%s", m->dir, name);
}

/* tlog_fetch over what is in the directory already. */
static enum rc fetch_own(uint8_t **out, size_t *len, const char *path,
                         void *ctx)
{
    char file[PATH_MAX_LEN];
    path_in(file, ctx, path);
    return file_read(out, len, file, FILE_MAX);
}

static enum rc put_fd(const char *tmp, const void *data, size_t len)
{
    const uint8_t *p = data;
    OWNED_FD fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return rc_raise(RC_IO, "%s: %s", tmp, strerror(errno));
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return rc_raise(RC_IO, "%s: %s", tmp, strerror(errno));
        p += n;
        len -= (size_t)n;
    }
    return RC_OK;
}

/* Not synced: one syncfs() before the checkpoint does it for all. */
static enum rc put(struct mirror *m, const char *name, const void *data,
                   size_t len)
{
    char path[PATH_MAX_LEN];
    char tmp[PATH_MAX_LEN + 8];
    path_in(path, m, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    TRY(file_mkdirs(path, 0755));
    *slash = '/';
    snprintf(tmp, sizeof(tmp), "%s.new", path);
    TRY(put_fd(tmp, data, len));
    if (rename(tmp, path) != 0)
        return rc_raise(RC_IO, "%s: %s", path, strerror(errno));
    m->report.files++;
    return RC_OK;
}

/* NAME.p and what is in it: the full tile is there now. */
static void drop_partials(const struct mirror *m, int level, uint64_t n)
{
    char name[TLOG_TILE_PATH_MAX];
    char path[PATH_MAX_LEN];
    tlog_tile_path(name, level, n, TILE_WIDTH);
    snprintf(path, sizeof(path), "%s/%s.p", m->dir, name);
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
    (void)rmdir(path);
}

static enum rc put_tile(struct mirror *m, int level, uint64_t n, unsigned width,
                        const void *data, size_t len)
{
    char name[TLOG_TILE_PATH_MAX];
    tlog_tile_path(name, level, n, width);
    return put(m, name, data, len);
}

/* Tiles that a tree of the old size did not have so wide. */
static uint64_t first_new(const struct mirror *m, int level)
{
    return m->old_size >> (8 * (level > 0 ? level : 0)) >> 8;
}

/* ---- entries and level 0 ------------------------------------------------- */

static enum rc leaves_of(struct tlog_hash leaf[TILE_WIDTH], size_t *used,
                         const uint8_t *bundle, size_t len, uint64_t n,
                         unsigned width)
{
    struct bytes_reader r = bytes_reader(bundle, len);
    for (unsigned i = 0; i < width; i++) {
        size_t entry_len;
        const uint8_t *entry = bytes_take_lp16(&r, &entry_len);
        if (!entry)
            return rc_raise(RC_LOG, "bundle %llu: entry %u is cut off",
                            (unsigned long long)n, i);
        tlog_sha_leaf(&leaf[i], entry, entry_len);
    }
    *used = len - r.left; /* a wider one was found: the rest is not ours yet */
    return RC_OK;
}

/* What the old tree had of this tile is taken from its partial file. */
static enum rc old_part(const struct mirror *m, struct tlog_hash *h,
                        unsigned *have, int level, uint64_t n)
{
    char name[TLOG_TILE_PATH_MAX];
    OWNED_MEM uint8_t *tile = NULL;
    size_t len = 0;
    *have = tlog_tile_width(level, n, m->old_size);
    if (*have == 0)
        return RC_OK;
    tlog_tile_path(name, level, n, *have);
    TRY(fetch_own(&tile, &len, name, (void *)(uintptr_t)m));
    if (len != *have * sizeof(*h))
        return rc_raise(RC_LOG, "%s: %zu bytes, want %zu", name, len,
                        *have * sizeof(*h));
    memcpy(h, tile, len);
    return RC_OK;
}

static enum rc copy_bundle(struct mirror *m, uint64_t n)
{
    OWNED_MEM uint8_t *bundle = NULL;
    struct tlog_hash leaf[TILE_WIDTH];
    struct tlog_hash was[TILE_WIDTH];
    size_t len = 0;
    size_t used = 0;
    unsigned got;
    unsigned have;
    unsigned width = tlog_tile_width(-1, n, m->head.size);
    TRY(tlog_fetch_tile(&bundle, &len, &got, -1, n, width, m->fetch, m->ctx));
    TRY(leaves_of(leaf, &used, bundle, len, n, width));
    if (got == width && used != len)
        return rc_raise(RC_LOG, "bundle %llu: bytes after its entries",
                        (unsigned long long)n);
    /* before anything is written: what stands there stays true */
    TRY(old_part(m, was, &have, 0, n));
    if (memcmp(was, leaf, have * sizeof(leaf[0])) != 0)
        return rc_raise(RC_LOG,
                        "bundle %llu: entries differ from those in %s: a fork",
                        (unsigned long long)n, m->dir);
    TRY(put_tile(m, -1, n, width, bundle, used));
    return put_tile(m, 0, n, width, leaf, width * sizeof(leaf[0]));
}

/* ---- levels above -------------------------------------------------------- */

/* The hash of a full tile, from the files already written. */
static enum rc hash_below(const struct mirror *m, struct tlog_hash *out,
                          int level, uint64_t n)
{
    char name[TLOG_TILE_PATH_MAX];
    OWNED_MEM uint8_t *tile = NULL;
    size_t len = 0;
    struct tlog_hash h[TILE_WIDTH];
    tlog_tile_path(name, level, n, TILE_WIDTH);
    TRY(fetch_own(&tile, &len, name, (void *)(uintptr_t)m));
    if (len != sizeof(h))
        return rc_raise(RC_LOG, "%s: %zu bytes, want %zu", name, len,
                        sizeof(h));
    memcpy(h, tile, sizeof(h));
    tlog_root(out, h, TILE_WIDTH);
    return RC_OK;
}

static enum rc make_tile(struct mirror *m, int level, uint64_t n)
{
    struct tlog_hash h[TILE_WIDTH];
    unsigned width = tlog_tile_width(level, n, m->head.size);
    unsigned have;
    TRY(old_part(m, h, &have, level, n));
    for (unsigned i = have; i < width; i++)
        TRY(hash_below(m, &h[i], level - 1, n * TILE_WIDTH + i));
    return put_tile(m, level, n, width, h, width * sizeof(h[0]));
}

static enum rc copy_tiles(struct mirror *m)
{
    for (uint64_t n = first_new(m, 0); tlog_tile_width(0, n, m->head.size); n++)
        TRY(copy_bundle(m, n));
    for (int level = 1; level < LEVELS; level++)
        for (uint64_t n = first_new(m, level);
             tlog_tile_width(level, n, m->head.size); n++)
            if (tlog_tile_width(level, n, m->head.size) !=
                tlog_tile_width(level, n, m->old_size))
                TRY(make_tile(m, level, n));
    return RC_OK;
}

/* ---- all of it ----------------------------------------------------------- */

static enum rc check_root(struct mirror *m)
{
    struct tlog_hash root;
    OWNED_MEM struct tlog_prover *p = calloc(1, sizeof(*p));
    if (!p)
        return rc_raise(RC_NOMEM, "mirror: out of memory");
    p->fetch = fetch_own;
    p->ctx = m;
    p->size = m->head.size;
    TRY(tlog_prover_root(p, &root));
    if (!tlog_hash_equal(&root, &m->head.root))
        return rc_raise(RC_LOG,
                        "log: its root at %llu is not that of these tiles and "
                        "those that are in %s: a fork, or damage",
                        (unsigned long long)m->head.size, m->dir);
    return RC_OK;
}

static enum rc finish(struct mirror *m, const uint8_t *note, size_t len)
{
    OWNED_FD fd = open(m->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) != 0)
        return rc_raise(RC_IO, "%s: sync: %s", m->dir, strerror(errno));
    char path[PATH_MAX_LEN];
    path_in(path, m, "checkpoint");
    TRY(file_write(path, note, len, 0644));
    m->report.files++;
    return RC_OK;
}

/* Only now: until the checkpoint was there, the partial ones were needed. */
static void drop_all_partials(const struct mirror *m)
{
    for (int level = -1; level < LEVELS; level++)
        for (uint64_t n = first_new(m, level);
             tlog_tile_width(level, n, m->head.size) == TILE_WIDTH; n++)
            drop_partials(m, level, n);
}

/* What the directory holds; *old_note NULL: nothing. */
static enum rc read_old(struct mirror *m, struct tlog_checkpoint *old,
                        uint8_t **old_note, size_t *len,
                        const struct tlog_vkey *log)
{
    old->size = 0;
    enum rc rc = fetch_own(old_note, len, "checkpoint", m);
    if (rc == RC_UNKNOWN)
        return RC_OK;
    TRY(rc);
    rc = tlog_checkpoint_open(old, (char *)*old_note, *len, log);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "%s: ", m->dir);
}

static enum rc run(struct mirror *m, const struct tlog_vkey *log)
{
    struct tlog_checkpoint old;
    OWNED_MEM uint8_t *old_note = NULL;
    OWNED_MEM uint8_t *note = NULL;
    size_t old_len = 0;
    size_t len = 0;
    TRY(file_mkdirs(m->dir, 0755));
    TRY(read_old(m, &old, &old_note, &old_len, log));
    TRY(m->fetch(&note, &len, "checkpoint", m->ctx));
    TRY(tlog_checkpoint_open(&m->head, (char *)note, len, log));
    m->old_size = old.size;
    m->report.old_size = old.size;
    m->report.size = m->head.size;
    if (m->head.size < old.size)
        return rc_raise(RC_HEAD_BEHIND, "log: %llu entries, %s has %llu",
                        (unsigned long long)m->head.size, m->dir,
                        (unsigned long long)old.size);
    if (old_note && old_len == len && memcmp(old_note, note, len) == 0)
        return RC_OK;
    TRY(copy_tiles(m));
    TRY(check_root(m));
    TRY(finish(m, note, len));
    drop_all_partials(m);
    return RC_OK;
}

enum rc tlog_mirror(struct tlog_mirror_report *out, const char *dir,
                    const struct tlog_vkey *log, tlog_fetch *fetch, void *ctx)
{
    struct mirror m = { .dir = dir, .fetch = fetch, .ctx = ctx };
    if (strlen(dir) > PATH_MAX_LEN - TLOG_TILE_PATH_MAX - 8)
        return rc_raise(RC_ARG, "mirror: %zu bytes of path", strlen(dir));
    TRY(run(&m, log));
    *out = m.report;
    return RC_OK;
}

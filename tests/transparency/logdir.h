/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a directory of its own, and a log read back through its tiles. */
#ifndef TESTS_TRANSPARENCY_LOGDIR_H
#define TESTS_TRANSPARENCY_LOGDIR_H

#include <dirent.h>

#include <sodium.h>

#include "base/file.h"
#include "transparency/transparency.h"

struct logdir {
    char dir[128];
    struct tlog_vkey log;
    uint8_t sk[64];
};

static inline void logdir_key(struct logdir *d, const char *name,
                              const uint8_t seed[32])
{
    uint8_t pk[32];
    crypto_sign_seed_keypair(pk, d->sk, seed);
    assert_ok(tlog_vkey_make(&d->log, name, TLOG_SIG_ED25519, pk));
}

static inline struct logdir logdir_new_in(const char *where)
{
    struct logdir d;
    snprintf(d.dir, sizeof(d.dir), "%s/tlog-test-XXXXXX", where);
    assert_true(sodium_init() >= 0);
    assert_non_null(mkdtemp(d.dir));
    logdir_key(&d, "test/log", (const uint8_t[32]){ 7 });
    return d;
}

static inline struct logdir logdir_new(void)
{
    return logdir_new_in("/tmp");
}

static inline void logdir_free(const struct logdir *d)
{
    char path[512];
    DIR *dir = opendir(d->dir);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", d->dir, e->d_name);
        if (e->d_name[0] != '.')
            assert_int_equal(unlink(path), 0);
    }
    closedir(dir);
    assert_int_equal(rmdir(d->dir), 0);
}

static inline struct tlog_store *logdir_open(const struct logdir *d)
{
    struct tlog_store *s = NULL;
    assert_ok(tlog_store_open(&s, d->dir, &d->log, d->sk));
    return s;
}

static inline struct tlog_checkpoint logdir_head(const struct logdir *d,
                                                 struct tlog_store *s)
{
    char note[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    assert_ok(tlog_store_checkpoint(s, note));
    assert_ok(tlog_checkpoint_open(&cp, note, strlen(note), &d->log));
    return cp;
}

/* tlog_fetch over a store. */
static inline enum rc logdir_fetch(uint8_t **out, size_t *len, const char *path,
                                   void *ctx)
{
    int level;
    uint64_t n;
    unsigned width;
    if (strcmp(path, "checkpoint") == 0) {
        char *note = malloc(TLOG_NOTE_MAX);
        assert_non_null(note);
        assert_ok(tlog_store_checkpoint(ctx, note));
        *len = strlen(note);
        *out = (uint8_t *)note;
        return RC_OK;
    }
    assert_memory_equal(path, "tile/", 5);
    TRY(tlog_tile_parse(&level, &n, &width, path + 5));
    return tlog_store_tile(ctx, out, len, level, n, width);
}

/* The store reads back whole and holds that many entries. */
static inline void logdir_check(const struct logdir *d, struct tlog_store *s,
                                uint64_t size)
{
    struct tlog_fsck_report report;
    assert_ok(tlog_fsck(&report, &d->log, logdir_fetch, s));
    assert_int_equal(report.head.size, size);
    assert_int_equal(report.entries_checked, size);
}

/* The i-th entry of the tests. */
static inline size_t logdir_entry(char out[64], uint64_t i)
{
    return (size_t)snprintf(out, 64, "entry %llu\n", (unsigned long long)i);
}

static inline void logdir_add(const struct logdir *d, struct tlog_store *s,
                              uint64_t i)
{
    static _Thread_local struct tlog_proof proof;
    char entry[64];
    size_t len = logdir_entry(entry, i);
    assert_ok(tlog_store_append(s, &proof, entry, len));
    assert_ok(tlog_proof_check(&proof, &d->log, NULL));
    assert_int_equal(proof.index, i);
    assert_string_equal(proof.entry, entry);
}

/* Copy or size of a file in the directory. */
static inline uint8_t *logdir_read(const struct logdir *d, const char *name,
                                   size_t *len)
{
    char path[512];
    uint8_t *p = NULL;
    snprintf(path, sizeof(path), "%s/%s", d->dir, name);
    assert_ok(file_read(&p, len, path, (64 << 20) + 1));
    return p;
}

#define LOGDIR_ENTRIES "entries.000000"

/* The first segment without the zeros written ahead. */
static inline uint8_t *logdir_entries(const struct logdir *d, size_t *len)
{
    uint8_t *p = logdir_read(d, LOGDIR_ENTRIES, len);
    while (*len > 0 && p[*len - 1] == 0)
        --*len;
    return p;
}

static inline void logdir_write(const struct logdir *d, const char *name,
                                const void *p, size_t len)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", d->dir, name);
    assert_ok(file_write(path, p, len, 0600));
}

#endif

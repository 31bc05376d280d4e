/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a store comes up: the segments are read record by record and the caches
 * are built from them. A last record that is cut off was never acknowledged
 * and is dropped; anything else that does not fit is damage, and a log that
 * lost entries must not sign again, so it refuses.
 */
#include "transparency/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/file.h"
#include "transparency/merkle.h"
#include "transparency/sha.h"

static enum rc disk_error(const char *what)
{
    return rc_raise(RC_STORE, "log: %s: %s", what, strerror(errno));
}

static enum rc open_files(struct tlog_store *s, const char *dir)
{
    TRY(file_mkdirs(dir, 0700));
    s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return disk_error("open directory");
    s->seg.dir_fd = s->dir_fd;
    if (flock(s->dir_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return disk_error("lock directory");
        return rc_raise(RC_STORE, "log: another process writes %s", dir);
    }
    s->checkpoint_fd = openat(s->dir_fd, STORE_CHECKPOINT,
                              O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (s->checkpoint_fd < 0)
        return disk_error("open checkpoint");
    return RC_OK;
}

/* -1 with ENOENT when there is no such segment. */
static int open_segment(const struct tlog_store *s, uint64_t number)
{
    char name[SEGMENT_NAME_MAX];
    tlog_segment_name(name, number);
    return openat(s->dir_fd, name, O_RDWR | O_CLOEXEC);
}

/* A gap between segments: more of them than follow one another. */
static enum rc check_no_more(const struct tlog_store *s, uint64_t count)
{
    int fd = dup(s->dir_fd);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    enum rc rc = dir ? RC_OK : disk_error("list directory");
    for (struct dirent *e; rc == RC_OK && (e = readdir(dir)) != NULL;) {
        char want[SEGMENT_NAME_MAX];
        unsigned long long n;
        if (sscanf(e->d_name, "entries.%llu", &n) != 1)
            continue;
        tlog_segment_name(want, n);
        if (strcmp(e->d_name, want) == 0 && n >= count)
            rc = rc_raise(RC_STORE, "log: %s is here, but not entries.%06llu",
                          e->d_name, (unsigned long long)count);
    }
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    return rc;
}

/*
 * The segment's first line. *whole: it stands there; if not, the file is new
 * and holds nothing else.
 */
static enum rc check_head(struct tlog_store *s, bool *whole, uint64_t number,
                          uint64_t file_size)
{
    char want[SEGMENT_HEAD_MAX];
    uint8_t is[SEGMENT_HEAD_MAX];
    size_t got;
    size_t len = tlog_segment_head(want, &s->log, number, s->tree.n);
    TRY(tlog_read_at(s->seg.fd, is, len, 0, &got));
    *whole = file_size >= len;
    if (memcmp(is, want, got) == 0) {
        s->end = number * SEGMENT_BYTES + len;
        return RC_OK;
    }
    return rc_raise(RC_STORE,
                    "log: entries.%06llu does not begin as segment %llu of %s "
                    "with entry %llu",
                    (unsigned long long)number, (unsigned long long)number,
                    s->log.name, (unsigned long long)s->tree.n);
}

/* A record that passed tlog_batch_check(): its entries into the caches. */
static enum rc take_record(struct tlog_store *s, const uint8_t *p, size_t len,
                           uint32_t count)
{
    struct bytes_reader r = bytes_reader(p + BATCH_HEAD, len - BATCH_HEAD);
    struct tlog_hash leaf;
    TRY(tlog_store_reserve(s, count));
    for (uint32_t i = 0; i < count; i++) {
        size_t n;
        uint64_t place = s->end + len - r.left;
        const uint8_t *entry = bytes_take_lp16(&r, &n);
        if (!entry)
            break;
        tlog_sha_leaf(&leaf, entry, n);
        tlog_store_push(s, &leaf, place);
    }
    if (bytes_end(&r, "log: record") != RC_OK)
        return RC_STORE;
    return RC_OK;
}

/* What was signed last must still be there. */
static enum rc check_last_checkpoint(struct tlog_store *s)
{
    uint8_t note[TLOG_NOTE_MAX];
    size_t len;
    struct tlog_checkpoint cp;
    struct tlog_hash root;
    TRY(tlog_read_at(s->checkpoint_fd, note, sizeof(note), 0, &len));
    enum rc rc = tlog_checkpoint_open(&cp, (char *)note, len, &s->log);
    if (rc == RC_PARSE) /* never synced, so a power cut may spoil it */
        return RC_OK;
    if (rc != RC_OK)
        return rc_prefix(RC_STORE, "log: last checkpoint: ");
    if (cp.size > s->tree.n)
        return rc_raise(RC_STORE,
                        "log: %llu entries, but %llu were signed: "
                        "entries are lost",
                        (unsigned long long)s->tree.n,
                        (unsigned long long)cp.size);
    tlog_tree_root(&s->tree, &root, cp.size);
    if (!tlog_hash_equal(&root, &cp.root))
        return rc_raise(RC_STORE,
                        "log: entries differ from what was signed at %llu",
                        (unsigned long long)cp.size);
    return RC_OK;
}

/* Where the last byte that is not zero ends, from `at` in the file on. */
static enum rc used_end(const struct tlog_store *s, uint64_t *out, uint64_t at,
                        uint64_t file_size)
{
    uint8_t buf[65536];
    size_t got;
    *out = at;
    for (; at < file_size; at += got) {
        TRY(tlog_read_at(s->seg.fd, buf, sizeof(buf), at, &got));
        if (got == 0)
            break;
        for (size_t i = got; i > 0; i--)
            if (buf[i - 1]) {
                *out = at + i;
                break;
            }
    }
    return RC_OK;
}

/*
 * What follows the last whole record of a segment. Only one record is ever
 * under way, so a torn tail is at most one record long, no whole record
 * follows it, and it is in the last segment.
 */
static enum rc check_tail(const struct tlog_store *s, const uint8_t *tail,
                          size_t len, uint64_t used, bool last)
{
    uint64_t first;
    uint64_t at = s->end % SEGMENT_BYTES;
    if (used > at && (!last || used - at > BATCH_MAX))
        return rc_raise(RC_STORE,
                        "log: entries.%06llu damaged at byte %llu of %llu",
                        (unsigned long long)s->seg.number,
                        (unsigned long long)at, (unsigned long long)used);
    if (tlog_batch_find(&first, tail, len))
        return rc_raise(RC_STORE,
                        "log: entries.%06llu damaged at byte %llu, entry %llu "
                        "follows",
                        (unsigned long long)s->seg.number,
                        (unsigned long long)at, (unsigned long long)first);
    return RC_OK;
}

/* All whole records of the open segment; buf then holds what follows them. */
static enum rc scan(struct tlog_store *s, size_t *left)
{
    uint8_t *buf = s->batch.buf;
    size_t record;
    uint64_t first;
    uint32_t count;
    for (;;) {
        TRY(tlog_read_at(s->seg.fd, buf, BATCH_MAX, s->end % SEGMENT_BYTES,
                         left));
        size_t at = 0;
        while (tlog_batch_check(&first, &count, &record, buf + at,
                                *left - at) == RC_OK) {
            if (first != s->tree.n)
                return rc_raise(RC_STORE, "log: entry %llu where %llu belongs",
                                (unsigned long long)first,
                                (unsigned long long)s->tree.n);
            TRY(take_record(s, buf + at, record, count));
            s->end += record;
            at += record;
        }
        if (at == 0) /* a whole buffer holds a record, if there is one */
            return RC_OK;
    }
}

/* The torn tail goes; zeros written ahead stay for what comes. */
static enum rc drop_tail(struct tlog_store *s, uint64_t used,
                         uint64_t file_size)
{
    uint64_t at = s->end % SEGMENT_BYTES;
    bool torn = used > at;
    if (torn &&
        (ftruncate(s->seg.fd, (off_t)at) != 0 || fdatasync(s->seg.fd) != 0))
        return disk_error("drop the torn tail");
    s->seg.zeroed = s->end - at + (torn || file_size < at ? at : file_size);
    return RC_OK;
}

static enum rc read_segment(struct tlog_store *s, uint64_t number, bool last)
{
    struct stat st;
    bool whole;
    size_t left = 0;
    uint64_t used;
    s->seg.number = number;
    /* judge what the disk holds, not what a cache remembers */
    if (fdatasync(s->seg.fd) != 0)
        return disk_error("sync entries");
    if (last) /* full ones were synced before the next began */
        (void)posix_fadvise(s->seg.fd, 0, 0, POSIX_FADV_DONTNEED);
    if (fstat(s->seg.fd, &st) != 0)
        return disk_error("stat entries");
    uint64_t size = (uint64_t)st.st_size;
    if (size > SEGMENT_BYTES)
        return rc_raise(RC_STORE, "log: entries.%06llu is too long",
                        (unsigned long long)number);
    TRY(check_head(s, &whole, number, size));
    if (!whole && last) { /* its very first write was cut off */
        TRY(check_last_checkpoint(s));
        return tlog_segment_begin(&s->seg, &s->end, number, s->tree.n);
    }
    TRY(scan(s, &left));
    TRY(used_end(s, &used, s->end % SEGMENT_BYTES, size));
    TRY(check_tail(s, s->batch.buf, left, used, last));
    if (!last)
        return RC_OK;
    TRY(check_last_checkpoint(s));
    return drop_tail(s, used, size);
}

static enum rc read_segments(struct tlog_store *s)
{
    uint64_t number = 0;
    int next = open_segment(s, 0);
    if (next < 0 && errno != ENOENT)
        return disk_error("open entries");
    if (next < 0) {
        TRY(check_no_more(s, 0));
        TRY(check_last_checkpoint(s));
        return tlog_segment_begin(&s->seg, &s->end, 0, 0);
    }
    for (; next >= 0; number++) {
        if (s->seg.fd >= 0)
            close(s->seg.fd);
        s->seg.fd = next;
        next = open_segment(s, number + 1);
        if (next >= 0) /* it comes in while this one is hashed */
            (void)posix_fadvise(next, 0, 0, POSIX_FADV_WILLNEED);
        if (next < 0 && errno != ENOENT)
            return disk_error("open entries");
        enum rc rc = next < 0 ? check_no_more(s, number + 1) : RC_OK;
        if (rc == RC_OK)
            rc = read_segment(s, number, next < 0);
        if (rc != RC_OK) {
            if (next >= 0)
                close(next);
            return rc;
        }
    }
    return RC_OK;
}

enum rc tlog_store_recover(struct tlog_store *s, const char *dir)
{
    TRY(open_files(s, dir));
    TRY(read_segments(s));
    /* once, when its size is known: it is never rebuilt on the way */
    TRY(tlog_seen_reserve(&s->seen, &s->tree, BATCH_ENTRIES_MAX));
    s->synced = s->tree.n;
    s->stats.bytes = s->end;
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a store comes up: the entries file is read record by record and the
 * caches are built from it. A last record that is cut off was never
 * acknowledged and is dropped; anything else that does not fit is damage, and
 * a log that lost entries must not sign again, so it refuses.
 */
#include "transparency/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/file.h"
#include "transparency/merkle.h"

#define HEADER_MAX (TLOG_VKEY_MAX + 32)

static enum rc disk_error(const char *what)
{
    return rc_raise(RC_STORE, "log: %s: %s", what, strerror(errno));
}

/* The file's first line says whose entries these are. */
static size_t header_text(char out[HEADER_MAX], const struct tlog_vkey *log)
{
    char vkey[TLOG_VKEY_MAX];
    return (size_t)snprintf(out, HEADER_MAX, "mpc-log-entries/1 %s\n",
                            tlog_vkey_text(vkey, log));
}

static enum rc open_files(struct tlog_store *s, const char *dir)
{
    TRY(file_mkdirs(dir, 0700));
    s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return disk_error("open directory");
    s->fd = openat(s->dir_fd, STORE_ENTRIES, O_RDWR | O_CREAT | O_CLOEXEC,
                   0600);
    if (s->fd < 0)
        return disk_error("open " STORE_ENTRIES);
    if (flock(s->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return disk_error("lock " STORE_ENTRIES);
        return rc_raise(RC_STORE, "log: another process writes %s", dir);
    }
    return RC_OK;
}

/* Reads up to len bytes; fewer only at the end of the file. */
static enum rc read_at(int fd, uint8_t *out, size_t len, uint64_t at,
                       size_t *got)
{
    size_t have = 0;
    while (have < len) {
        ssize_t n = pread(fd, out + have, len - have, (off_t)(at + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return disk_error("read " STORE_ENTRIES);
        if (n == 0)
            break;
        have += (size_t)n;
    }
    *got = have;
    return RC_OK;
}

static enum rc check_header(struct tlog_store *s, uint64_t file_size)
{
    char want[HEADER_MAX];
    uint8_t is[HEADER_MAX];
    size_t got;
    size_t len = header_text(want, &s->log);
    TRY(read_at(s->fd, is, len, 0, &got));
    if (memcmp(is, want, got) != 0)
        return rc_raise(RC_STORE,
                        "log: " STORE_ENTRIES " was not written under key %s",
                        s->log.name);
    s->end = len;
    if (file_size >= len)
        return RC_OK;
    /* new, or its very first write was cut off */
    TRY(tlog_store_write(s->fd, want, len, 0));
    if (fsync(s->fd) != 0 || fsync(s->dir_fd) != 0)
        return disk_error("sync new " STORE_ENTRIES);
    return RC_OK;
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
        tlog_leaf_hash(&leaf, entry, n);
        tlog_store_push(s, &leaf, place);
    }
    if (bytes_end(&r, "log: record") != RC_OK)
        return RC_STORE;
    return RC_OK;
}

/*
 * Only one record is ever under way, so a torn tail is at most one record
 * long and no whole record follows it.
 */
static enum rc check_tail(const struct tlog_store *s, const uint8_t *tail,
                          size_t len, uint64_t file_size)
{
    uint64_t first;
    if (file_size > s->end && file_size - s->end > BATCH_MAX)
        return rc_raise(RC_STORE, "log: damaged at byte %llu of %llu",
                        (unsigned long long)s->end,
                        (unsigned long long)file_size);
    if (tlog_batch_find(&first, tail, len))
        return rc_raise(RC_STORE,
                        "log: damaged at byte %llu, entry %llu follows",
                        (unsigned long long)s->end, (unsigned long long)first);
    return RC_OK;
}

static enum rc scan(struct tlog_store *s, uint64_t file_size)
{
    uint8_t *buf = s->batch.buf;
    size_t got = 0;
    size_t record;
    uint64_t first;
    uint32_t count;
    for (;;) {
        TRY(read_at(s->fd, buf, BATCH_MAX, s->end, &got));
        size_t at = 0;
        while (tlog_batch_check(&first, &count, &record, buf + at, got - at) ==
               RC_OK) {
            if (first != s->tree.n)
                return rc_raise(RC_STORE, "log: entry %llu where %llu belongs",
                                (unsigned long long)first,
                                (unsigned long long)s->tree.n);
            TRY(take_record(s, buf + at, record, count));
            s->end += record;
            at += record;
        }
        if (at == 0) /* a whole buffer holds a record, if there is one */
            return check_tail(s, buf, got, file_size);
    }
}

/* What was signed last must still be there. */
static enum rc check_last_checkpoint(struct tlog_store *s)
{
    uint8_t note[TLOG_NOTE_MAX];
    size_t len;
    struct tlog_checkpoint cp;
    struct tlog_hash root;
    OWNED_FD fd = openat(s->dir_fd, STORE_CHECKPOINT, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? RC_OK : disk_error("open checkpoint");
    TRY(read_at(fd, note, sizeof(note), 0, &len));
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

enum rc tlog_store_recover(struct tlog_store *s, const char *dir)
{
    struct stat st;
    TRY(open_files(s, dir));
    /* judge what the disk holds, not what a cache remembers */
    if (fdatasync(s->fd) != 0)
        return disk_error("sync " STORE_ENTRIES);
    (void)posix_fadvise(s->fd, 0, 0, POSIX_FADV_DONTNEED);
    if (fstat(s->fd, &st) != 0)
        return disk_error("stat " STORE_ENTRIES);
    TRY(check_header(s, (uint64_t)st.st_size));
    TRY(scan(s, (uint64_t)st.st_size));
    TRY(check_last_checkpoint(s));
    if ((uint64_t)st.st_size > s->end &&
        (ftruncate(s->fd, (off_t)s->end) != 0 || fdatasync(s->fd) != 0))
        return disk_error("drop the torn tail of " STORE_ENTRIES);
    s->synced = s->tree.n;
    return RC_OK;
}

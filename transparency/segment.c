/* SPDX-License-Identifier: Apache-2.0 */
/* Writing and reading the entries files; see segment.h. Public data. */
#include "transparency/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static enum rc disk_error(const char *what, const char *name)
{
    return rc_raise(RC_STORE, "log: %s %s: %s", what, name, strerror(errno));
}

enum rc tlog_write_at(int fd, const void *p, size_t len, uint64_t at)
{
    const uint8_t *from = p;
    while (len > 0) {
        ssize_t n = pwrite(fd, from, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return rc_raise(RC_STORE, "log: write: %s", strerror(errno));
        from += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return RC_OK;
}

enum rc tlog_read_at(int fd, uint8_t *out, size_t len, uint64_t at, size_t *got)
{
    size_t have = 0;
    while (have < len) {
        ssize_t n = pread(fd, out + have, len - have, (off_t)(at + have));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rc_raise(RC_STORE, "log: read: %s", strerror(errno));
        if (n == 0)
            break;
        have += (size_t)n;
    }
    *got = have;
    return RC_OK;
}

void tlog_segment_name(char out[SEGMENT_NAME_MAX], uint64_t number)
{
    snprintf(out, SEGMENT_NAME_MAX, "entries.%06llu",
             (unsigned long long)number);
}

size_t tlog_segment_head(char out[SEGMENT_HEAD_MAX],
                         const struct tlog_vkey *log, uint64_t number,
                         uint64_t first)
{
    char vkey[TLOG_VKEY_MAX];
    return (size_t)snprintf(
            out, SEGMENT_HEAD_MAX, "mpc-log-entries/1 %s %llu %llu\n",
            tlog_vkey_text(vkey, log), (unsigned long long)number,
            (unsigned long long)first);
}

bool tlog_segment_fits(uint64_t at, size_t len)
{
    return at % SEGMENT_BYTES + len <= SEGMENT_BYTES;
}

enum rc tlog_segment_begin(struct tlog_segments *g, uint64_t *at,
                           uint64_t number, uint64_t first)
{
    char name[SEGMENT_NAME_MAX];
    char head[SEGMENT_HEAD_MAX];
    size_t len = tlog_segment_head(head, g->log, number, first);
    tlog_segment_name(name, number);
    OWNED_FD fd = openat(g->dir_fd, name,
                         O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return disk_error("create", name);
    TRY(tlog_write_at(fd, head, len, 0));
    if (fdatasync(fd) != 0 || fsync(g->dir_fd) != 0)
        return disk_error("sync new", name);
    if (g->fd >= 0)
        close(g->fd);
    g->fd = TAKE_FD(fd);
    g->number = number;
    *at = number * SEGMENT_BYTES + len;
    g->zeroed = *at;
    return RC_OK;
}

/* Zeros ahead, so that the sync of most records changes no metadata. */
static enum rc zero_ahead(struct tlog_segments *g, uint64_t upto)
{
    static const uint8_t zeros[SEGMENT_AHEAD];
    const uint64_t end = (g->number + 1) * SEGMENT_BYTES;
    while (g->zeroed < upto) {
        uint64_t n = end - g->zeroed;
        if (n > sizeof(zeros))
            n = sizeof(zeros);
        TRY(tlog_write_at(g->fd, zeros, (size_t)n, g->zeroed % SEGMENT_BYTES));
        g->zeroed += n;
    }
    return RC_OK;
}

enum rc tlog_segment_write(struct tlog_segments *g, const void *p, size_t len,
                           uint64_t at)
{
    TRY(zero_ahead(g, at + len));
    return tlog_write_at(g->fd, p, len, at % SEGMENT_BYTES);
}

/* Finished segments are opened when asked for: no table of descriptors. */
static enum rc read_one(const struct tlog_segments *g, uint8_t *out, size_t len,
                        uint64_t at)
{
    char name[SEGMENT_NAME_MAX];
    size_t got;
    tlog_segment_name(name, at / SEGMENT_BYTES);
    OWNED_FD fd = openat(g->dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return disk_error("open", name);
    TRY(tlog_read_at(fd, out, len, at % SEGMENT_BYTES, &got));
    /* only the rest of a finished segment may be missing: it holds nothing */
    memset(out + got, 0, len - got);
    return RC_OK;
}

enum rc tlog_segment_read(const struct tlog_segments *g, uint8_t *out,
                          size_t len, uint64_t at)
{
    while (len > 0) {
        uint64_t left = SEGMENT_BYTES - at % SEGMENT_BYTES;
        size_t n = len < left ? len : (size_t)left;
        TRY(read_one(g, out, n, at));
        out += n;
        at += n;
        len -= n;
    }
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded reads and atomic writes; see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"

enum rc file_read(uint8_t **out, size_t *len, const char *path, size_t max)
{
    OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rc_raise(errno == ENOENT ? RC_UNKNOWN : RC_IO, "%s: %s", path,
                        strerror(errno));
    size_t cap = 4096;
    size_t have = 0;
    OWNED_MEM uint8_t *buf = malloc(cap + 1);
    if (!buf)
        return rc_raise(RC_NOMEM, "%s: out of memory", path);
    for (;;) {
        ssize_t n = read(fd, buf + have, cap - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rc_raise(RC_IO, "%s: %s", path, strerror(errno));
        if (n == 0)
            break;
        have += (size_t)n;
        if (have > max)
            return rc_raise(RC_TOO_LARGE, "%s: over %zu bytes", path, max);
        if (have == cap) {
            cap *= 2;
            uint8_t *more = realloc(buf, cap + 1);
            if (!more)
                return rc_raise(RC_NOMEM, "%s: out of memory", path);
            buf = more;
        }
    }
    buf[have] = '\0';
    *len = have;
    *out = TAKE(buf);
    return RC_OK;
}

static enum rc write_all(int fd, const char *path, const uint8_t *data,
                         size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rc_raise(RC_IO, "write %s: %s", path, strerror(errno));
        data += n;
        len -= (size_t)n;
    }
    if (fsync(fd) != 0)
        return rc_raise(RC_IO, "fsync %s: %s", path, strerror(errno));
    return RC_OK;
}

static enum rc sync_dir_of(const char *path)
{
    char dir[PATH_MAX];
    snprintf(dir, sizeof(dir), "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash && slash != dir)
        *slash = '\0';
    OWNED_FD fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return rc_raise(RC_IO, "fsync directory of %s: %s", path,
                        strerror(errno));
    return RC_OK;
}

enum rc file_write(const char *path, const void *data, size_t len, mode_t mode)
{
    char tmp[PATH_MAX];
    int n = snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof(tmp))
        return rc_raise(RC_ARG, "%s: path too long", path);
    OWNED_FD fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return rc_raise(RC_IO, "create %s: %s", tmp, strerror(errno));
    enum rc rc = write_all(fd, path, data, len);
    if (rc == RC_OK && fchmod(fd, mode) != 0)
        rc = rc_raise(RC_IO, "chmod %s: %s", tmp, strerror(errno));
    if (rc == RC_OK && rename(tmp, path) != 0)
        rc = rc_raise(RC_IO, "rename to %s: %s", path, strerror(errno));
    if (rc != RC_OK) {
        unlink(tmp);
        return rc;
    }
    return sync_dir_of(path);
}

enum rc file_mkdirs(const char *path, mode_t mode)
{
    char part[PATH_MAX];
    int n = snprintf(part, sizeof(part), "%s", path);
    if (n <= 0 || (size_t)n >= sizeof(part))
        return rc_raise(RC_ARG, "directory name: empty or too long");
    for (char *c = part + 1;; c++) {
        if (*c != '/' && *c != '\0')
            continue;
        char was = *c;
        *c = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST)
            return rc_raise(RC_IO, "mkdir %s: %s", part, strerror(errno));
        *c = was;
        if (!was)
            return RC_OK;
    }
}

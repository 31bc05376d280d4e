/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets with deadlines; see sock.h. No global state, no signals. */
#include "base/sock.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

static enum rc unix_name(struct sockaddr_un *sa, const char *path)
{
    memset(sa, 0, sizeof(*sa));
    sa->sun_family = AF_UNIX;
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(sa->sun_path)) {
        enum rc rc = rc_raise(RC_ARG, "socket path: %zu bytes, want 1..%zu",
                              len, sizeof(sa->sun_path) - 1);
        rc_hint("choose a shorter directory");
        return rc;
    }
    memcpy(sa->sun_path, path, len);
    return RC_OK;
}

enum rc sock_unix_connect(int *out, const char *path)
{
    struct sockaddr_un sa;
    TRY(unix_name(&sa, path));
    OWNED_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return rc_raise(RC_IO, "socket: %s", strerror(errno));
    while (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
        if (errno == EINTR)
            continue;
        return rc_raise(errno == EACCES ? RC_AUTH : RC_UNREACHABLE, "%s: %s",
                        path, strerror(errno));
    }
    *out = TAKE_FD(fd);
    return RC_OK;
}

/* (gid_t)-1, which chown() takes for "as it is", without a name. */
static enum rc group_id(gid_t *out, const char *path, const char *name)
{
    const struct group *g = name ? getgrnam(name) : NULL;
    if (name && !g)
        return rc_raise(RC_ARG, "%s: no group %s", path, name);
    *out = g ? g->gr_gid : (gid_t)-1;
    return RC_OK;
}

enum rc sock_unix_listen(int *out, const char *path, mode_t mode)
{
    return sock_unix_listen_group(out, path, mode, NULL);
}

enum rc sock_unix_listen_group(int *out, const char *path, mode_t mode,
                               const char *group)
{
    struct sockaddr_un sa;
    TRY(unix_name(&sa, path));
    gid_t gid;
    TRY(group_id(&gid, path, group));
    int live = -1;
    if (access(path, F_OK) == 0) {
        if (sock_unix_connect(&live, path) == RC_OK) {
            close(live);
            return rc_raise(RC_EXISTS, "%s: another process listens", path);
        }
        unlink(path);
    }
    OWNED_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                         0);
    if (fd < 0)
        return rc_raise(RC_IO, "socket: %s", strerror(errno));
    /* nobody can connect before it listens */
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
        chown(path, (uid_t)-1, gid) != 0 || chmod(path, mode) != 0 ||
        listen(fd, 512) != 0)
        return rc_raise(RC_IO, "listen on %s: %s", path, strerror(errno));
    *out = TAKE_FD(fd);
    return RC_OK;
}

static enum rc split_addr(char host[64], char port[8], const char *addr)
{
    const char *colon = strrchr(addr, ':');
    if (!colon || strlen(colon + 1) == 0 || strlen(colon + 1) > 5)
        return rc_raise(RC_ARG, "address %s: want HOST:PORT", addr);
    const char *from = addr;
    const char *to = colon;
    if (*from == '[' && to > from && to[-1] == ']') {
        from++;
        to--;
    }
    if ((size_t)(to - from) >= 64)
        return rc_raise(RC_ARG, "address %s: host too long", addr);
    snprintf(host, 64, "%.*s", (int)(to - from), from);
    snprintf(port, 8, "%s", colon + 1);
    return RC_OK;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return 0;
    if (sa.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
    return ntohs(((struct sockaddr_in *)&sa)->sin_port);
}

enum rc sock_tcp_listen(int *out, uint16_t *port, const char *addr)
{
    char host[64];
    char service[8];
    TRY(split_addr(host, service, addr));
    struct addrinfo want = { .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICHOST |
                                         AI_NUMERICSERV };
    struct addrinfo *ai = NULL;
    int e = getaddrinfo(host, service, &want, &ai);
    if (e != 0)
        return rc_raise(RC_ARG, "address %s: %s", addr, gai_strerror(e));
    OWNED_FD fd = socket(ai->ai_family,
                         SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    int bad = fd < 0 ||
              setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
              bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 ||
              listen(fd, 512) != 0;
    int why = errno;
    freeaddrinfo(ai);
    if (bad)
        return rc_raise(RC_IO, "listen on %s: %s", addr, strerror(why));
    if (port)
        *port = bound_port(fd);
    *out = TAKE_FD(fd);
    return RC_OK;
}

bool sock_is_loopback(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a = { .any.sa_family = AF_UNSPEC };
    socklen_t len = sizeof(a);
    if (getsockname(fd, &a.any, &len) != 0)
        return false;
    if (a.any.sa_family == AF_INET)
        return ntohl(a.v4.sin_addr.s_addr) >> 24 == 127;
    return a.any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
}

enum rc sock_peer(struct sock_peer *out, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return rc_raise(RC_IO, "peer credentials: %s", strerror(errno));
    *out = (struct sock_peer){ cred.pid, cred.uid, cred.gid };
    return RC_OK;
}

static enum rc wait_for(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int timeout = -1;
        if (deadline_ms >= 0) {
            int64_t left = deadline_ms - clock_mono_ms();
            if (left <= 0)
                return rc_raise(RC_TIMEOUT, "socket: deadline passed");
            timeout = left > 60000 ? 60000 : (int)left;
        }
        struct pollfd p = { .fd = fd, .events = events };
        int n = poll(&p, 1, timeout);
        if (n > 0)
            return RC_OK;
        if (n < 0 && errno != EINTR)
            return rc_raise(RC_IO, "poll: %s", strerror(errno));
    }
}

enum rc sock_read_some(int fd, void *buf, size_t cap, size_t *got,
                       int64_t deadline_ms)
{
    for (;;) {
        TRY(wait_for(fd, POLLIN, deadline_ms));
        ssize_t n = recv(fd, buf, cap, MSG_DONTWAIT);
        if (n >= 0) {
            *got = (size_t)n;
            return RC_OK;
        }
        if (errno != EINTR && errno != EAGAIN)
            return rc_raise(RC_UNREACHABLE, "read: %s", strerror(errno));
    }
}

enum rc sock_read(int fd, void *buf, size_t len, int64_t deadline_ms)
{
    uint8_t *to = buf;
    while (len > 0) {
        size_t n;
        TRY(sock_read_some(fd, to, len, &n, deadline_ms));
        if (n == 0)
            return rc_raise(RC_UNREACHABLE, "read: the other end closed");
        to += n;
        len -= n;
    }
    return RC_OK;
}

enum rc sock_write(int fd, const void *buf, size_t len, int64_t deadline_ms)
{
    const uint8_t *from = buf;
    while (len > 0) {
        TRY(wait_for(fd, POLLOUT, deadline_ms));
        ssize_t n = send(fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return rc_raise(RC_UNREACHABLE, "write: %s", strerror(errno));
        from += n;
        len -= (size_t)n;
    }
    return RC_OK;
}

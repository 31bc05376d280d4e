/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: Unix and TCP listeners, connect, peer credentials, exact I/O. */
#ifndef BASE_SOCK_H
#define BASE_SOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/rc.h"

/*
 * A bound, listening, non-blocking, close-on-exec socket. A stale socket file
 * (nobody answers) is replaced; a live one is RC_EXISTS. mode: of the file.
 */
MUST_CHECK enum rc sock_unix_listen(int *fd, const char *path, mode_t mode);
/* The same; group: name of the file's group, RC_ARG when there is none. */
MUST_CHECK enum rc sock_unix_listen_group(int *fd, const char *path,
                                          mode_t mode, const char *group);
/* Connected, blocking, close-on-exec. RC_UNREACHABLE when nobody listens. */
MUST_CHECK enum rc sock_unix_connect(int *fd, const char *path);

/* addr is "127.0.0.1:0", "[::1]:8443"; *port (may be NULL) what was bound. */
MUST_CHECK enum rc sock_tcp_listen(int *fd, uint16_t *port, const char *addr);
/* Only this machine can reach what listens there. */
bool sock_is_loopback(int fd);

struct sock_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};
/* SO_PEERCRED of a Unix connection. */
MUST_CHECK enum rc sock_peer(struct sock_peer *out, int fd);

/*
 * Exactly len bytes before the deadline (clock_mono_ms() scale; -1 waits for
 * ever). RC_UNREACHABLE: the other end closed. Never raises SIGPIPE.
 */
MUST_CHECK enum rc sock_read(int fd, void *buf, size_t len,
                             int64_t deadline_ms);
MUST_CHECK enum rc sock_write(int fd, const void *buf, size_t len,
                              int64_t deadline_ms);
/* What is there, 1..cap bytes; *got is 0 when the other end closed. */
MUST_CHECK enum rc sock_read_some(int fd, void *buf, size_t cap, size_t *got,
                                  int64_t deadline_ms);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A store and its public port on loopback, read by plain HTTP. */
#ifndef TESTS_TRANSPARENCY_SERVELOG_H
#define TESTS_TRANSPARENCY_SERVELOG_H

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/http.h"
#include "logdir.h"
#include "transparency/public.h"

struct servelog {
    struct logdir d;
    struct tlog_store *store;
    struct log_public public;
    struct http_server *server;
    uint16_t port;
    char url[64];
};

static inline void servelog_open(struct servelog *s,
                                 const struct http_route *routes, void *ctx)
{
    struct http_server_config c = { .kind = HTTP_ON_TCP,
                                    .routes = routes,
                                    .ctx = ctx,
                                    .threads = 2,
                                    .request_limit_s = 10 };
    s->store = logdir_open(&s->d);
    log_public_init(&s->public, s->store, &s->d.log);
    assert_ok(sock_tcp_listen(&c.listen_fd, &s->port, "127.0.0.1:0"));
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", s->port);
    assert_ok(http_server_start(&s->server, &c));
}

static inline void servelog_close(struct servelog *s)
{
    http_server_stop(s->server);
    log_find_stop(s->public.find);
    tlog_store_free(s->store);
}

/* A whole reply, headers and body; heap, NUL-terminated. *len: all of it. */
static inline char *servelog_raw(const struct servelog *s, const char *method,
                                 const char *path, size_t *len)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(s->port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    char ask[1024];
    size_t cap = 1 << 20;
    char *got = malloc(cap);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_non_null(got);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    int n = snprintf(ask, sizeof(ask),
                     "%s %s HTTP/1.1\r\nHost: localhost\r\n"
                     "Connection: close\r\n%s\r\n",
                     method, path,
                     strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n"
                                                 : "");
    assert_int_equal(write(fd, ask, (size_t)n), n);
    *len = 0;
    for (ssize_t r; (r = read(fd, got + *len, cap - 1 - *len)) > 0;)
        *len += (size_t)r;
    got[*len] = '\0';
    close(fd);
    return got;
}

static inline int servelog_status(const char *reply)
{
    int status = 0;
    assert_int_equal(sscanf(reply, "HTTP/1.1 %d", &status), 1);
    return status;
}

/* Is this header line there, whatever its case? */
static inline bool servelog_header(const char *reply, const char *line)
{
    char want[256];
    snprintf(want, sizeof(want), "\r\n%s\r\n", line);
    const char *end = strstr(reply, "\r\n\r\n");
    const char *at = strcasestr(reply, want);
    return at && end && at <= end;
}

static inline const char *servelog_body(const char *reply)
{
    const char *end = strstr(reply, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

#endif

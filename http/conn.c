/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accepted connections: who is at the other end, and until when it must have
 * done its part. microhttpd's own timeout counts idle time only, so a client
 * that drips a byte a second would keep its place for ever; ours does not
 * move with what is received.
 */
#include "http/inner.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"

struct http_conn *http_conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
            mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void http_conn_due(struct http_conn *c, int64_t ms)
{
    pthread_mutex_lock(&c->server->lock);
    c->due_ms = ms ? clock_mono_ms() + ms : 0;
    pthread_mutex_unlock(&c->server->lock);
}

void http_conn_due_sooner(struct http_conn *c, int64_t ms)
{
    int64_t due = clock_mono_ms() + ms;
    pthread_mutex_lock(&c->server->lock);
    if (c->due_ms == 0 || due < c->due_ms)
        c->due_ms = due;
    pthread_mutex_unlock(&c->server->lock);
}

static void link_conn(struct http_server *s, struct http_conn *c)
{
    pthread_mutex_lock(&s->lock);
    c->next = s->conns;
    if (c->next)
        c->next->prev = c;
    s->conns = c;
    s->n_conns++;
    pthread_mutex_unlock(&s->lock);
}

static void unlink_conn(struct http_server *s, struct http_conn *c)
{
    pthread_mutex_lock(&s->lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->n_conns--;
    pthread_mutex_unlock(&s->lock);
}

static struct http_conn *conn_new(struct http_server *s,
                                  struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
            mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_conn *c = info ? calloc(1, sizeof(*c)) : NULL;
    if (!c)
        return NULL;
    c->server = s;
    c->fd = info->connect_fd;
    c->due_ms = clock_mono_ms() + s->limit_ms;
    if (s->config.kind == HTTP_ON_UNIX)
        c->peer_known = sock_peer(&c->peer, c->fd) == RC_OK;
    return c;
}

static void started(struct http_server *s, struct MHD_Connection *mhd,
                    void **context)
{
    struct http_conn *c = conn_new(s, mhd);
    *context = c; /* NULL: http_call_access() refuses its calls */
    if (!c)
        return;
    if (s->config.kind == HTTP_ON_PEER)
        http_tls_server_demand(c, mhd);
    link_conn(s, c);
}

static void tell_stranger(const struct http_server *s,
                          struct MHD_Connection *mhd, const struct http_conn *c)
{
    const struct http_guard *guard = &s->config.guard;
    if (s->config.kind != HTTP_ON_PEER || c->verified || !c->said ||
        !guard->stranger)
        return;
    char host[INET6_ADDRSTRLEN];
    char port[8];
    char from[sizeof(host) + sizeof(port)] = "?";
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
            mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info ? info->client_addr : NULL;
    socklen_t len = a && a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                  : sizeof(struct sockaddr_in);
    if (a && getnameinfo(a, len, host, sizeof(host), port, sizeof(port),
                         NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(from, sizeof(from), "%s:%s", host, port);
    guard->stranger(from, http_tls_server_why(c), guard->ctx);
}

/* microhttpd closes the descriptor after this, so the reaper is safe. */
static void closed(struct http_server *s, struct MHD_Connection *mhd,
                   void **context)
{
    struct http_conn *c = *context;
    *context = NULL;
    if (!c)
        return;
    unlink_conn(s, c);
    tell_stranger(s, mhd, c);
    if (c->state && s->config.guard.conn_free)
        s->config.guard.conn_free(c->state);
    free(c);
}

void http_conn_notify(void *server, struct MHD_Connection *mhd, void **context,
                      enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        started(server, mhd, context);
    else
        closed(server, mhd, context);
}

void http_conn_reap(struct http_server *s)
{
    int64_t now = clock_mono_ms();
    pthread_mutex_lock(&s->lock);
    for (struct http_conn *c = s->conns; c; c = c->next)
        if (c->due_ms != 0 && now >= c->due_ms) {
            shutdown(c->fd, SHUT_RDWR);
            c->due_ms = 0;
        }
    pthread_mutex_unlock(&s->lock);
}

void http_conn_set(struct http_call *c, void *state)
{
    c->conn->state = state;
}

void *http_conn_get(const struct http_call *c)
{
    return c->conn->state;
}

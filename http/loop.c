/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reactor: external listeners and one client in one thread, no locks and
 * no hops. Another thread's only way in is http_loop_wake(), or answering a
 * deferred call.
 */
#include "http/inner.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

#define REAP_EVERY_MS 250

struct http_loop {
    struct http_client *client;
    CURLM *waiter; /* the client's, or our own where there is none */
    bool own_waiter;
    int wake_fd;
    struct http_server *servers[HTTP_LOOP_SERVERS];
    unsigned n_servers;
    int64_t reap_ms; /* next look at slow clients */
};

enum rc http_loop_new(struct http_loop **out, struct http_client *client)
{
    struct http_loop *l = calloc(1, sizeof(*l));
    if (!l)
        return rc_raise(RC_NOMEM, "loop");
    l->client = client;
    l->own_waiter = !client;
    l->waiter = client ? client->multi : curl_multi_init();
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!l->waiter || l->wake_fd < 0) {
        http_loop_free(l);
        return rc_raise(RC_IO, "loop: %s", strerror(errno));
    }
    *out = l;
    return RC_OK;
}

void http_loop_free(struct http_loop *l)
{
    if (!l)
        return;
    for (unsigned i = 0; i < l->n_servers; i++)
        l->servers[i]->loop = NULL;
    if (l->own_waiter && l->waiter)
        curl_multi_cleanup(l->waiter);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    free(l);
}

void http_loop_add(struct http_loop *l, struct http_server *external)
{
    assert(l->n_servers < HTTP_LOOP_SERVERS);
    assert(external->config.threads == 0 && !external->loop);
    external->loop = l;
    l->servers[l->n_servers++] = external;
}

void http_loop_remove(struct http_loop *l, struct http_server *s)
{
    for (unsigned i = 0; i < l->n_servers; i++)
        if (l->servers[i] == s) {
            l->servers[i] = l->servers[--l->n_servers];
            s->loop = NULL;
            return;
        }
}

void http_loop_wake(struct http_loop *l)
{
    uint64_t one = 1;
    /* full means it is awake already */
    ssize_t n = write(l->wake_fd, &one, sizeof(one));
    (void)n;
}

static int longest_wait(struct http_loop *l, int max_ms)
{
    int wait = max_ms;
    if (l->n_servers && wait > REAP_EVERY_MS)
        wait = REAP_EVERY_MS;
    for (unsigned i = 0; i < l->n_servers; i++) {
        MHD_UNSIGNED_LONG_LONG ms;
        if (MHD_get_timeout(l->servers[i]->daemon, &ms) == MHD_YES &&
            ms < (MHD_UNSIGNED_LONG_LONG)wait)
            wait = (int)ms;
    }
    return l->client ? http_client_timeout(l->client, wait) : wait;
}

static enum rc wait_for_work(struct http_loop *l, int max_ms)
{
    struct curl_waitfd fds[HTTP_LOOP_SERVERS + 1] = { 0 };
    unsigned n = 0;
    fds[n++] = (struct curl_waitfd){ l->wake_fd, CURL_WAIT_POLLIN, 0 };
    for (unsigned i = 0; i < l->n_servers; i++) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(
                l->servers[i]->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        fds[n++] = (struct curl_waitfd){ info->epoll_fd, CURL_WAIT_POLLIN, 0 };
    }
    int ready = 0;
    CURLMcode e = curl_multi_poll(l->waiter, fds, n, longest_wait(l, max_ms),
                                  &ready);
    if (e != CURLM_OK)
        return rc_raise(RC_IO, "loop: %s", curl_multi_strerror(e));
    uint64_t woken;
    while (read(l->wake_fd, &woken, sizeof(woken)) > 0)
        ;
    return RC_OK;
}

static void serve(struct http_loop *l)
{
    for (unsigned i = 0; i < l->n_servers; i++)
        MHD_run(l->servers[i]->daemon);
}

static void reap(struct http_loop *l)
{
    int64_t now = clock_mono_ms();
    if (now < l->reap_ms)
        return;
    l->reap_ms = now + REAP_EVERY_MS;
    for (unsigned i = 0; i < l->n_servers; i++)
        http_conn_reap(l->servers[i]);
}

enum rc http_loop_run(struct http_loop *l, int max_ms)
{
    TRY(wait_for_work(l, max_ms));
    serve(l);
    if (l->client) {
        http_client_step(l->client);
        serve(l); /* what the client's replies have answered leaves now */
    }
    reap(l);
    return RC_OK;
}

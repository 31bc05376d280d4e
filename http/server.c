/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of a server: microhttpd's daemon over our listening socket, the thread
 * that cuts slow clients where no loop does it, and an orderly end.
 */
#include "http/inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

#define OPTIONS_MAX    16
#define STOP_MS        1000 /* for answers that are on their way */
#define REAP_EVERY_MS  250
#define MAX_CONNS      256
#define MAX_CONNS_A_IP 128
#define MAX_WORKERS    16 /* may accept one each at the same moment */
#define MEMORY_A_CONN  (32 * 1024)
#define LIMIT_S        10

/* TLS 1.3 only and no tickets, so no resumption and no early data. */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:%NO_TICKETS"

struct options {
    struct MHD_OptionItem item[OPTIONS_MAX];
    unsigned n;
};

static void put(struct options *o, enum MHD_OPTION name, intptr_t value,
                void *pointer)
{
    o->item[o->n++] = (struct MHD_OptionItem){ name, value, pointer };
}

static void put_tls(struct options *o, struct http_tls_pem *pem)
{
    static char priorities[] = PRIORITIES;
    if (pem->ca)
        put(o, MHD_OPTION_HTTPS_MEM_TRUST, 0, pem->ca);
    put(o, MHD_OPTION_HTTPS_MEM_CERT, 0, pem->cert);
    put(o, MHD_OPTION_HTTPS_MEM_KEY, 0, pem->key);
    put(o, MHD_OPTION_HTTPS_PRIORITIES, 0, priorities);
}

static bool has_tls(const struct http_server_config *config)
{
    return config->kind == HTTP_ON_PEER || config->kind == HTTP_ON_TLS;
}

static unsigned flags_of(const struct http_server_config *config)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    if (config->threads > 0)
        flags |= MHD_USE_INTERNAL_POLLING_THREAD;
    if (has_tls(config))
        flags |= MHD_USE_TLS;
    return flags;
}

/*
 * While stopping nobody new is let in. MHD_quiesce_daemon() would do that,
 * but with threads it races with its own workers over the epoll set and then
 * ends the process.
 */
static enum MHD_Result accept_while_running(void *server,
                                            const struct sockaddr *addr,
                                            socklen_t len)
{
    (void)addr;
    (void)len;
    struct http_server *s = server;
    pthread_mutex_lock(&s->lock);
    bool take = !s->stopping && s->n_conns < MAX_CONNS;
    pthread_mutex_unlock(&s->lock);
    return take ? MHD_YES : MHD_NO;
}

/*
 * microhttpd's own limit is set where it is never met, each worker's share of
 * it too: a worker at its limit resumes no suspended call until somebody
 * hangs up, and leaves the next connection waiting though others have room.
 */
static unsigned never_met(const struct http_server_config *config)
{
    return (MAX_CONNS + MAX_WORKERS) * (config->threads ? config->threads : 1);
}

static enum rc start_daemon(struct http_server *s, struct http_tls_pem *pem)
{
    const struct http_server_config *config = &s->config;
    struct options o = { .n = 0 };
    put(&o, MHD_OPTION_LISTEN_SOCKET, config->listen_fd, NULL);
    put(&o, MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)http_conn_notify, s);
    put(&o, MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_call_completed, s);
    put(&o, MHD_OPTION_CONNECTION_TIMEOUT, HTTP_IDLE_S, NULL);
    put(&o, MHD_OPTION_CONNECTION_LIMIT, never_met(config), NULL);
    put(&o, MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_A_CONN, NULL);
    put(&o, MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL);
    if (config->kind != HTTP_ON_UNIX)
        put(&o, MHD_OPTION_PER_IP_CONNECTION_LIMIT, MAX_CONNS_A_IP, NULL);
    if (config->threads > 1)
        put(&o, MHD_OPTION_THREAD_POOL_SIZE, config->threads, NULL);
    if (has_tls(config))
        put_tls(&o, pem);
    put(&o, MHD_OPTION_END, 0, NULL);
    s->fd_given = true; /* microhttpd's now, whatever comes of it */
    s->daemon = MHD_start_daemon(flags_of(config), 0, accept_while_running, s,
                                 http_call_access, s, MHD_OPTION_ARRAY, o.item,
                                 MHD_OPTION_END);
    if (!s->daemon)
        return rc_raise(RC_IO, "cannot start the HTTP server: %s",
                        strerror(errno));
    return RC_OK;
}

/* ---- the reaper of a pool -------------------------------------------- */

static struct timespec in_ms(long ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static void *reap_until_stopped(void *arg)
{
    struct http_server *s = arg;
    for (;;) {
        struct timespec next = in_ms(REAP_EVERY_MS);
        pthread_mutex_lock(&s->lock);
        while (!s->stopping &&
               pthread_cond_timedwait(&s->moved, &s->lock, &next) == 0)
            ;
        bool stopping = s->stopping;
        pthread_mutex_unlock(&s->lock);
        if (stopping)
            return NULL;
        http_conn_reap(s);
    }
}

static enum rc start_reaper(struct http_server *s)
{
    if (s->config.threads == 0)
        return RC_OK; /* http_loop_run() does it */
    int e = pthread_create(&s->reaper, NULL, reap_until_stopped, s);
    if (e != 0)
        return rc_raise(RC_NOMEM, "thread: %s", strerror(e));
    s->reaping = true;
    return RC_OK;
}

/* ---- start ----------------------------------------------------------- */

static struct http_server *server_new(const struct http_server_config *config)
{
    struct http_server *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->config = *config;
    s->limit_ms = 1000 * (int64_t)(config->request_limit_s
                                           ? config->request_limit_s
                                           : LIMIT_S);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->moved, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static enum rc server_run(struct http_server *s)
{
    struct http_tls_pem pem = { 0 };
    enum rc rc = RC_OK;
    if (has_tls(&s->config))
        rc = http_tls_server_load(&pem, s->own_spki, &s->config.tls,
                                  s->config.kind == HTTP_ON_PEER);
    if (rc == RC_OK)
        rc = start_daemon(s, &pem);
    http_tls_pem_wipe(&pem);
    TRY(rc);
    return start_reaper(s);
}

enum rc http_server_start(struct http_server **out,
                          const struct http_server_config *config)
{
    struct http_server *s = server_new(config);
    if (!s) {
        close(config->listen_fd);
        return rc_raise(RC_NOMEM, "HTTP server");
    }
    enum rc rc = server_run(s);
    if (rc != RC_OK) {
        if (!s->fd_given)
            close(config->listen_fd);
        http_server_stop(s);
        return rc;
    }
    *out = s;
    return RC_OK;
}

/* ---- stop ------------------------------------------------------------ */

static bool quiet(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    bool none = s->n_busy == 0;
    pthread_mutex_unlock(&s->lock);
    return none;
}

/* An external server's answers leave only when somebody runs it. */
static void drain_external(struct http_server *s)
{
    int64_t until = clock_mono_ms() + STOP_MS;
    do
        MHD_run_wait(s->daemon, 10);
    while (!quiet(s) && clock_mono_ms() < until);
}

static void drain_pool(struct http_server *s)
{
    struct timespec until = in_ms(STOP_MS);
    pthread_mutex_lock(&s->lock);
    while (s->n_busy > 0 &&
           pthread_cond_timedwait(&s->moved, &s->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&s->lock);
}

static void stop_daemon(struct http_server *s)
{
    http_reply_stopping(s);
    if (s->config.threads == 0)
        drain_external(s);
    else
        drain_pool(s);
    MHD_stop_daemon(s->daemon);
}

static void begin_stop(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    if (s->reaping)
        pthread_join(s->reaper, NULL);
}

void http_server_stop(struct http_server *s)
{
    if (!s)
        return;
    if (s->loop)
        http_loop_remove(s->loop, s);
    begin_stop(s);
    if (s->daemon)
        stop_daemon(s);
    /* what the application held and we answered in its place */
    while (s->deferred) {
        struct http_call *c = s->deferred;
        s->deferred = c->next;
        http_call_release(c);
    }
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

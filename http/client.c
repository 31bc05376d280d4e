/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client: one CURLM, its peers, and the life of a request. done() is
 * never called from inside http_send() (only without memory for the request
 * itself), nor from inside a libcurl callback.
 */
#include "http/inner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"

#define KEPT_CONNECTIONS 256L /* libcurl's default shrinks while it runs */
#define ROUNDS_MAX       16

/* ---- a request ------------------------------------------------------- */

struct http_request *http_request_new(const char *method, const char *path,
                                      const void *body, size_t body_len,
                                      size_t max_reply, int64_t deadline_ms,
                                      http_done *done, void *arg)
{
    size_t path_size = strlen(path) + 1;
    struct http_request *r = malloc(sizeof(*r) + path_size + body_len);
    if (!r)
        return NULL;
    *r = (struct http_request){ .max_reply = max_reply,
                                .deadline_ms = deadline_ms,
                                .done = done,
                                .arg = arg };
    snprintf(r->method, sizeof(r->method), "%s", method);
    memcpy(r->mem, path, path_size);
    if (body_len)
        memcpy(r->mem + path_size, body, body_len);
    r->path = r->mem;
    r->body = (const uint8_t *)r->mem + path_size;
    r->body_len = body_len;
    return r;
}

void http_request_free(struct http_request *r)
{
    free(r->reply);
    free(r);
}

void http_request_keep_error(struct http_request *r, enum rc rc)
{
    r->rc = rc;
    snprintf(r->why, sizeof(r->why), "%s", rc_text());
    snprintf(r->hint, sizeof(r->hint), "%s", rc_hint_text());
}

void http_request_end(struct http_request *r,
                      const struct http_reply_view *view)
{
    r->done(view, r->arg);
    http_request_free(r);
}

static void end_failed(struct http_request *r)
{
    http_request_end(r, &(struct http_reply_view){
                                .rc = r->rc, .why = r->why, .hint = r->hint });
}

void http_client_fail(struct http_client *c, struct http_request *r, enum rc rc)
{
    http_request_keep_error(r, rc);
    http_queue_put(&c->failed, r);
}

/* ---- life ------------------------------------------------------------ */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global = CURLE_FAILED_INIT;

static void init_global(void)
{
    struct sigaction old;
    global = curl_global_init(CURL_GLOBAL_DEFAULT);
    /* with CURLOPT_NOSIGNAL a peer that goes away would end the process */
    if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static enum rc client_init(struct http_client *c,
                           const struct http_tls_files *tls)
{
    pthread_once(&once, init_global);
    c->multi = global == CURLE_OK ? curl_multi_init() : NULL;
    if (!c->multi)
        return rc_raise(RC_NOMEM, "libcurl does not start");
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS);
    if (!tls)
        return RC_OK;
    c->has_tls = true;
    return http_tls_client_load(&c->tls, tls);
}

enum rc http_client_new(struct http_client **out,
                        const struct http_tls_files *tls,
                        const struct http_client_guard *guard)
{
    struct http_client *c = calloc(1, sizeof(*c));
    if (!c)
        return rc_raise(RC_NOMEM, "HTTP client");
    c->guarded = guard != NULL;
    if (guard)
        c->guard = *guard;
    enum rc rc = client_init(c, tls);
    if (rc != RC_OK) {
        http_client_free(c);
        return rc;
    }
    *out = c;
    return RC_OK;
}

static void deliver_failed(struct http_client *c)
{
    struct http_request *r;
    while ((r = http_queue_take(&c->failed)) != NULL)
        end_failed(r);
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    while (c->peers)
        http_peer_free(c->peers);
    deliver_failed(c);
    if (c->multi)
        curl_multi_cleanup(c->multi);
    http_tls_client_wipe(&c->tls);
    free(c);
}

/* ---- a step ---------------------------------------------------------- */

static struct http_peer *dirty_peer(const struct http_client *c)
{
    struct http_peer *p = c->peers;
    while (p && !p->dirty)
        p = p->next;
    return p;
}

/* Finished transfers; true when there was one. */
static bool finish_transfers(struct http_client *c)
{
    const CURLMsg *m;
    int left;
    bool any = false;
    while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
        struct http_lane *l = NULL;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&l);
        http_lane_finish(l, code);
        any = true;
    }
    return any;
}

static void resume(struct http_lane *l)
{
    const struct http_client_guard *g = &l->peer->client->guard;
    if (l->waits && g->resume(l, g->ctx))
        l->waits = false;
}

/* Bindings that wait for another thread. */
static void resume_lanes(struct http_client *c)
{
    for (struct http_peer *p = c->peers; p; p = p->next) {
        for (struct http_lane *l = p->lanes; l; l = l->next)
            resume(l);
        if (p->renewal)
            resume(p->renewal);
    }
}

void http_client_step(struct http_client *c)
{
    c->stepping = true;
    int64_t now = clock_mono_ms();
    resume_lanes(c);
    for (struct http_peer *p = c->peers; p; p = p->next)
        http_peer_expire(p, now);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        struct http_peer *p;
        while ((p = dirty_peer(c)) != NULL)
            http_peer_pump(p);
        deliver_failed(c);
        int running;
        curl_multi_perform(c->multi, &running);
        if (!finish_transfers(c) && !dirty_peer(c) && !c->failed.head)
            break;
    }
    c->stepping = false;
}

static int sooner(int wait_ms, int64_t at_ms, int64_t now_ms)
{
    int64_t left = at_ms > now_ms ? at_ms - now_ms : 0;
    return left < wait_ms ? (int)left : wait_ms;
}

int http_client_timeout(const struct http_client *c, int max_ms)
{
    if (c->failed.head || dirty_peer(c))
        return 0;
    int64_t now = clock_mono_ms();
    int wait = max_ms;
    for (const struct http_peer *p = c->peers; p; p = p->next) {
        for (struct http_request *r = p->queue.head; r; r = r->next)
            wait = sooner(wait, r->deadline_ms, now);
        if (p->queue.head && p->again_ms)
            wait = sooner(wait, p->again_ms, now);
        if (p->renew_ms && !p->renewal)
            wait = sooner(wait, p->renew_ms, now);
    }
    return wait;
}

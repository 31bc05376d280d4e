/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers, at once or later and from any thread. Whoever claims a call first
 * answers it; the claim, the built response and the suspension change only
 * under the server's lock, and resuming happens under it too, so that
 * http_server_stop() never meets a call that is answered but still suspended.
 */
#include "http/inner.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"

static bool claim(struct http_call *c)
{
    pthread_mutex_lock(&c->server->lock);
    bool mine = !c->answered;
    if (mine) {
        c->answered = true;
        c->answerer = pthread_self();
        c->refs++; /* published, it may be over before we return */
    }
    pthread_mutex_unlock(&c->server->lock);
    return mine;
}

/* The application lets go of a call it had deferred. */
static void let_go(struct http_call *c)
{
    struct http_server *s = c->server;
    pthread_mutex_lock(&s->lock);
    bool held = c->deferred;
    if (held) {
        c->deferred = false;
        if (c->prev)
            c->prev->next = c->next;
        else
            s->deferred = c->next;
        if (c->next)
            c->next->prev = c->prev;
    }
    pthread_mutex_unlock(&s->lock);
    if (held)
        http_call_release(c);
}

static void publish(struct http_call *c, int status, struct MHD_Response *r)
{
    pthread_mutex_lock(&c->server->lock);
    c->status = status;
    c->response = r;
    c->published = true;
    if (c->suspended) {
        c->suspended = false;
        MHD_resume_connection(c->mhd);
        if (c->server->loop) /* it may be about to wait */
            http_loop_wake(c->server->loop);
    }
    pthread_mutex_unlock(&c->server->lock);
}

static bool stopping(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    bool yes = s->stopping;
    pthread_mutex_unlock(&s->lock);
    return yes;
}

static struct MHD_Response *build(struct http_call *c, const char *type,
                                  const void *body, size_t len)
{
    /* microhttpd copies; its argument is merely not const */
    struct MHD_Response *r = MHD_create_response_from_buffer(
            len, len ? (void *)(uintptr_t)body : NULL, MHD_RESPMEM_MUST_COPY);
    if (!r)
        return NULL;
    bool ok = len == 0 ||
              MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    for (unsigned i = 0; i < c->n_headers; i++)
        ok = ok && MHD_add_response_header(r, c->headers[i].name,
                                           c->headers[i].value);
    if (stopping(c->server))
        ok = ok &&
             MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
    if (ok)
        return r;
    MHD_destroy_response(r);
    return NULL;
}

/* The call is claimed. Without memory the connection is closed instead. */
static void answer(struct http_call *c, int status, const char *type,
                   const void *body, size_t len)
{
    const struct http_guard *g = &c->server->config.guard;
    OWNED_MEM char *text = NULL;
    enum rc rc = http_call_still(c);
    if (rc != RC_OK) {
        text = http_problem_encode(rc, rc_text(), rc_hint_text());
        status = rc_http(rc);
        type = "application/problem+json";
        body = text ? text : "";
        len = text ? strlen(text) : 0;
    }
    if (g->reply)
        g->reply(c, g->ctx);
    publish(c, status, build(c, type ? type : "application/json", body, len));
}

enum rc http_reply(struct http_call *c, int status, const char *type,
                   const void *body, size_t len)
{
    if (!claim(c)) {
        let_go(c);
        return rc_raise(RC_ORDER, "this call is answered already");
    }
    answer(c, status, type, body, len);
    let_go(c);
    http_call_release(c);
    return RC_OK;
}

enum rc http_reply_problem_as(struct http_call *c, int status, enum rc rc)
{
    OWNED_MEM char *text = http_problem_encode(rc, rc_text(), rc_hint_text());
    return http_reply(c, status, "application/problem+json", text ? text : "",
                      text ? strlen(text) : 0);
}

enum rc http_reply_problem(struct http_call *c, enum rc rc)
{
    return http_reply_problem_as(c, rc_http(rc), rc);
}

static enum rc keep_header(struct http_call *c, const char *name,
                           const char *value)
{
    /* once claimed, only the thread that answers may still add */
    if (c->answered && !pthread_equal(c->answerer, pthread_self()))
        return rc_raise(RC_ORDER, "this call is answered already");
    if (c->n_headers == HTTP_HEADERS_MAX)
        return rc_raise(RC_NOMEM, "over %d reply headers", HTTP_HEADERS_MAX);
    OWNED_MEM char *n = strdup(name);
    OWNED_MEM char *v = strdup(value);
    if (!n || !v)
        return rc_raise(RC_NOMEM, "reply header");
    struct http_header *h = &c->headers[c->n_headers++];
    h->name = TAKE(n);
    h->value = TAKE(v);
    return RC_OK;
}

enum rc http_reply_header(struct http_call *c, const char *name,
                          const char *value)
{
    if (strpbrk(name, "\r\n: ") || strpbrk(value, "\r\n"))
        return rc_raise(RC_ARG, "reply header: a line end in it");
    pthread_mutex_lock(&c->server->lock);
    enum rc rc = keep_header(c, name, value);
    pthread_mutex_unlock(&c->server->lock);
    return rc;
}

enum MHD_Result http_reply_queue(struct http_call *c)
{
    http_conn_due(c->conn, HTTP_REPLY_S * 1000);
    pthread_mutex_lock(&c->server->lock);
    struct MHD_Response *r = c->response;
    unsigned status = (unsigned)c->status;
    c->response = NULL;
    pthread_mutex_unlock(&c->server->lock);
    if (!r)
        return MHD_NO;
    enum MHD_Result done = MHD_queue_response(c->mhd, status, r);
    MHD_destroy_response(r);
    return done;
}

/* The application holds the call until it answers. */
static void hold(struct http_server *s, struct http_call *c)
{
    c->deferred = true;
    c->refs++;
    c->prev = NULL;
    c->next = s->deferred;
    if (c->next)
        c->next->prev = c;
    s->deferred = c;
}

void http_defer(struct http_call *c)
{
    struct http_server *s = c->server;
    pthread_mutex_lock(&s->lock);
    bool late = s->stopping;
    if (!c->answered && !c->deferred)
        hold(s, c);
    /* an answer that is there already leaves when the handler returns */
    if (!c->published && !c->suspended) {
        MHD_suspend_connection(c->mhd);
        c->suspended = true;
        c->slept = true;
    }
    pthread_mutex_unlock(&s->lock);
    if (late)
        http_reply_stopping(s);
}

/* The application's hold stays: it may be about to answer. */
static struct http_call *claim_any(struct http_server *s)
{
    pthread_mutex_lock(&s->lock);
    struct http_call *c = s->deferred;
    while (c && c->answered)
        c = c->next;
    if (c) {
        c->answered = true;
        c->answerer = pthread_self();
        c->refs++;
    }
    pthread_mutex_unlock(&s->lock);
    return c;
}

void http_reply_stopping(struct http_server *s)
{
    OWNED_MEM char *text = http_problem_encode(
            RC_UNREACHABLE, "the server is stopping", "ask again later");
    struct http_call *c;
    while ((c = claim_any(s)) != NULL) {
        answer(c, MHD_HTTP_SERVICE_UNAVAILABLE, "application/problem+json",
               text ? text : "", text ? strlen(text) : 0);
        http_call_release(c);
    }
}

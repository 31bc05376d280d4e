/* SPDX-License-Identifier: Apache-2.0 */
/* One request, waited for. */
#include "http/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

struct asking {
    bool done;
    enum rc rc;
    struct http_answer answer;
    char why[HTTP_WHY_SIZE];
    char hint[HTTP_HINT_SIZE];
};

void http_answer_free(struct http_answer *a)
{
    free(a->body);
    *a = (struct http_answer){ 0 };
}

/* What a status says where there is no problem document. */
static enum rc rc_of_status(int status)
{
    if (status >= 200 && status < 300)
        return RC_OK;
    switch (status) {
    case 401:
    case 403:
        return RC_AUTH;
    case 404:
        return RC_UNKNOWN;
    case 413:
        return RC_TOO_LARGE;
    case 502:
    case 503:
        return RC_UNREACHABLE;
    default:
        return RC_IO;
    }
}

static void judge(struct asking *a, const struct http_reply_view *v)
{
    a->rc = v->rc != RC_OK ? v->rc : v->problem;
    if (a->rc != RC_OK) {
        snprintf(a->why, sizeof(a->why), "%s", v->why);
        snprintf(a->hint, sizeof(a->hint), "%s", v->hint);
        return;
    }
    a->rc = rc_of_status(v->status);
    if (a->rc != RC_OK)
        snprintf(a->why, sizeof(a->why), "the answer is HTTP status %d",
                 v->status);
}

static void keep(struct asking *a, const struct http_reply_view *v)
{
    uint8_t *copy = malloc(v->body_len + 1);
    if (!copy) {
        a->rc = RC_NOMEM;
        snprintf(a->why, sizeof(a->why), "reply: no memory");
        return;
    }
    if (v->body_len)
        memcpy(copy, v->body, v->body_len);
    copy[v->body_len] = '\0';
    a->answer = (struct http_answer){ v->status, copy, v->body_len };
}

static void on_done(const struct http_reply_view *v, void *arg)
{
    struct asking *a = arg;
    a->done = true;
    judge(a, v);
    if (a->rc == RC_OK)
        keep(a, v);
}

enum rc http_ask(struct http_answer *out, struct http_peer *p,
                 const char *method, const char *path, const void *body,
                 size_t body_len, size_t max_reply, int64_t deadline_ms)
{
    struct http_client *c = p->client;
    if (c->stepping)
        return rc_raise(RC_ORDER, "http_ask inside a callback");
    struct asking a = { .done = false };
    http_send(p, method, path, body, body_len, max_reply, deadline_ms, on_done,
              &a);
    while (!a.done) {
        http_client_step(c);
        if (!a.done)
            curl_multi_poll(c->multi, NULL, 0, http_client_timeout(c, 1000),
                            NULL);
    }
    if (a.rc != RC_OK) {
        enum rc rc = rc_raise(a.rc, "%s", a.why);
        if (a.hint[0])
            rc_hint("%s", a.hint);
        return rc;
    }
    *out = a.answer;
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the page: files, and questions handed to the host after what a
 * stranger's browser may ask was checked. Every reply carries the headers
 * that keep other origins out, errors too.
 */
#include "page/inner.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* clang-format off */
static const char *const headers[][2] = {
    /* nothing from elsewhere, nothing inline, nobody's frame, no HTML made of
     * strings */
    { "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self'; "
      "connect-src 'self'; img-src 'self'; frame-ancestors 'none'; "
      "base-uri 'none'; form-action 'none'; "
      "require-trusted-types-for 'script'; trusted-types 'none'" },
    { "X-Content-Type-Options", "nosniff" },
    { "Referrer-Policy", "no-referrer" },
    { "Cross-Origin-Opener-Policy", "same-origin" },
    { "Cross-Origin-Resource-Policy", "same-origin" },
    { "Cache-Control", "no-store" },
};
static const struct type {
    const char *ending;
    const char *type;
} types[] = {
    { ".html", "text/html; charset=utf-8" },
    { ".css",  "text/css; charset=utf-8" },
    { ".js",   "text/javascript; charset=utf-8" },
    { ".svg",  "image/svg+xml" },
};
/* clang-format on */

static void add_headers(struct http_call *call, void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
        if (http_reply_header(call, headers[i][0], headers[i][1]) != RC_OK)
            log_rc(LOG_WARN, "page.header", RC_NOMEM);
}

/* ---- files ----------------------------------------------------------------- */

static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(dot, types[i].ending) == 0)
            return types[i].type;
    return "application/octet-stream";
}

static enum rc reply_file(struct http_call *call, struct page *p,
                          const char *name)
{
    TRY(page_host_check(p->origin, http_call_header(call, "Host")));
    for (const struct page_file *f = page_files; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return http_reply(call, 200, type_of(name), f->bytes, f->len);
    return rc_raise(RC_UNKNOWN, "no such file");
}

static enum rc on_index(struct http_call *call, void *ctx)
{
    return reply_file(call, ctx, "index.html");
}

/* The same file for every session: what it shows, its script asks for. */
static enum rc on_approve(struct http_call *call, void *ctx)
{
    return reply_file(call, ctx, "approve.html");
}

static enum rc on_enrol(struct http_call *call, void *ctx)
{
    return reply_file(call, ctx, "enrol.html");
}

static enum rc on_file(struct http_call *call, void *ctx)
{
    return reply_file(call, ctx, http_call_rest(call));
}

/* ---- questions --------------------------------------------------------------- */

static enum rc take_quota(struct http_call *call, struct page *p,
                          struct page_quota *q)
{
    uint8_t addr[16];
    TRY(http_call_address(addr, call));
    pthread_mutex_lock(&p->lock);
    enum rc rc = page_quota_take(q, addr, clock_mono_ms());
    pthread_mutex_unlock(&p->lock);
    return rc;
}

static enum rc get(struct http_call *call, struct page *p)
{
    TRY(page_host_check(p->origin, http_call_header(call, "Host")));
    TRY(take_quota(call, p, &p->questions));
    return p->host.ask(call, http_call_path(call), NULL, 0, p->host.ctx);
}

static enum rc on_get(struct http_call *call, void *ctx)
{
    return get(call, ctx);
}

static enum rc on_get_id(struct http_call *call, void *ctx)
{
    const char *rest = http_call_rest(call);
    if (!page_is_id(rest, ""))
        return rc_raise(RC_ARG, "the id: want 64 hex digits");
    return get(call, ctx);
}

static enum rc on_session(struct http_call *call, void *ctx)
{
    const char *rest = http_call_rest(call);
    if (!page_is_id(rest, "") && !page_is_id(rest, "/state"))
        return rc_raise(RC_ARG, "session: want 64 hex digits, then nothing "
                                "or /state");
    return get(call, ctx);
}

static enum rc on_post(struct http_call *call, void *ctx)
{
    struct page *p = ctx;
    const char *host = http_call_header(call, "Host");
    size_t len;
    const uint8_t *body = http_call_body(call, &len);
    TRY(page_host_check(p->origin, host));
    TRY(page_post_check(host, http_call_header(call, "Origin"),
                        http_call_header(call, "Content-Type")));
    TRY(take_quota(call, p, &p->posts));
    return p->host.ask(call, http_call_path(call), body, len, p->host.ctx);
}

/* clang-format off */
static const struct http_route routes[] = {
    { "GET",  "/",              HTTP_PUBLIC, 0,                on_index },
    { "GET",  "/s/*",           HTTP_PUBLIC, 0,                on_approve },
    { "GET",  "/enrol",         HTTP_PUBLIC, 0,                on_enrol },
    { "GET",  "/page/*",        HTTP_PUBLIC, 0,                on_file },
    { "GET",  "/v1/sessions",   HTTP_PUBLIC, 0,                on_get },
    { "GET",  "/v1/session/*",  HTTP_PUBLIC, 0,                on_session },
    { "GET",  "/v1/approvers/*", HTTP_PUBLIC, 0,               on_get_id },
    { "GET",  "/v1/invite/*",   HTTP_PUBLIC, 0,                on_get_id },
    { "GET",  "/v1/ca/chain",   HTTP_PUBLIC, 0,                on_get },
    { "POST", "/v1/session",    HTTP_PUBLIC, PAGE_MAX_SESSION, on_post },
    { "POST", "/v1/approval",   HTTP_PUBLIC, PAGE_MAX_RECORD,  on_post },
    { "POST", "/v1/enrol",      HTTP_PUBLIC, PAGE_MAX_ENROL,   on_post },
    { 0 },
};
/* clang-format on */

/* ---- life ---------------------------------------------------------------------- */

enum rc page_new(struct page **out, const struct page_host *host)
{
    if (host->origin)
        TRY(page_origin_check(host->origin));
    struct page *p = calloc(1, sizeof(*p));
    if (!p)
        return rc_raise(RC_NOMEM, "page: out of memory");
    p->host = *host;
    p->posts.per_s = PAGE_POST_PER_S;
    p->posts.burst = PAGE_POST_BURST;
    p->questions.per_s = PAGE_ASK_PER_S;
    p->questions.burst = PAGE_ASK_BURST;
    if (host->origin)
        strcpy(p->origin, host->origin);
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    return RC_OK;
}

void page_free(struct page *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void page_server(struct http_server_config *out, struct page *p)
{
    out->routes = routes;
    out->ctx = p;
    out->guard = (struct http_guard){ .reply = add_headers, .ctx = p };
}

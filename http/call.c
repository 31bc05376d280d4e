/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call on the server's side, from its headers to its last byte. What can be
 * refused without the body is judged before a byte of it is kept: path,
 * method, size, and on the peer listener the guard's word.
 */
#include "http/inner.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/enc.h"

/*
 * An answer that overtakes the body ends the connection, and the reset for
 * the unread bytes can destroy it on its way. So a refused body of moderate
 * size is read and dropped; our client waits for "100 Continue" with more.
 */
#define DROP_MAX (1024 * 1024)

static struct http_call *call_new(struct http_server *s,
                                  struct MHD_Connection *mhd,
                                  const char *method, const char *path)
{
    struct http_conn *conn = http_conn_of(mhd);
    struct http_call *c = conn ? calloc(1, sizeof(*c)) : NULL;
    if (!c)
        return NULL;
    c->server = s;
    c->mhd = mhd;
    c->conn = conn;
    c->method = method;
    c->path = path;
    c->rest = "";
    c->refs = 1;
    return c;
}

void http_call_release(struct http_call *c)
{
    pthread_mutex_lock(&c->server->lock);
    bool last = --c->refs == 0;
    pthread_mutex_unlock(&c->server->lock);
    if (!last)
        return;
    for (unsigned i = 0; i < c->n_headers; i++) {
        free(c->headers[i].name);
        free(c->headers[i].value);
    }
    if (c->response)
        MHD_destroy_response(c->response);
    free(c->body);
    free(c);
}

/* ---- before the body ------------------------------------------------- */

static enum rc refuse_path(struct http_call *c, bool known)
{
    if (!known) {
        rc_raise(RC_UNKNOWN, "%s: no such path here", c->path);
        return http_reply_problem_as(c, MHD_HTTP_NOT_FOUND, RC_UNKNOWN);
    }
    char allow[128];
    http_route_allow(allow, sizeof(allow), c->server->config.routes,
                     c->server->config.kind, c->path);
    TRY(http_reply_header(c, "Allow", allow));
    rc_raise(RC_ARG, "%s does not know the method %s", c->path, c->method);
    rc_hint("use %s", allow);
    return http_reply_problem_as(c, MHD_HTTP_METHOD_NOT_ALLOWED, RC_ARG);
}

/*
 * A body of unstated length cannot be refused before it is read, so it must
 * be stated.
 */
static enum rc check_length(struct http_call *c)
{
    const char *length = http_call_header(c, "Content-Length");
    if (http_call_header(c, "Transfer-Encoding")) {
        rc_raise(RC_ARG, "a body needs a Content-Length");
        return http_reply_problem_as(c, MHD_HTTP_LENGTH_REQUIRED, RC_ARG);
    }
    uint64_t n = 0;
    if (length && enc_undec(&n, length, strlen(length)) != RC_OK)
        return http_reply_problem_as(c, MHD_HTTP_BAD_REQUEST, RC_PARSE);
    if (n <= c->row->max_body)
        return RC_OK;
    return http_reply_problem(c, rc_raise(RC_TOO_LARGE,
                                          "body: %llu bytes, %s %s takes at "
                                          "most %zu",
                                          (unsigned long long)n, c->method,
                                          c->path, c->row->max_body));
}

enum rc http_call_still(struct http_call *c)
{
    const struct http_guard *g = &c->server->config.guard;
    enum rc rc = c->let_in && g->still ? g->still(c, g->ctx) : RC_OK;
    c->let_in &= rc == RC_OK; /* said once */
    return rc;
}

static enum rc check_guard(struct http_call *c)
{
    const struct http_guard *g = &c->server->config.guard;
    if (c->row->who != HTTP_PEER)
        return RC_OK;
    enum rc rc = g->check ? g->check(c, g->ctx)
                          : rc_raise(RC_ATTEST, "no attestation here");
    c->let_in = rc == RC_OK;
    return rc == RC_OK ? RC_OK : http_reply_problem(c, rc);
}

/* RC_OK also when it was refused: then the answer is there. */
static enum rc admit(struct http_call *c)
{
    const struct http_server_config *config = &c->server->config;
    if (config->kind == HTTP_ON_PEER)
        TRY(http_tls_server_facts(c->conn, c->mhd));
    bool known;
    c->row = http_route_find(config->routes, config->kind, c->method, c->path,
                             &c->rest, &known);
    if (!c->row)
        return refuse_path(c, known);
    TRY(check_guard(c));
    return c->published ? RC_OK : check_length(c);
}

static bool worth_dropping(const struct http_call *c)
{
    const char *length = http_call_header(c, "Content-Length");
    uint64_t n = 0;
    if (http_call_header(c, "Transfer-Encoding"))
        return false;
    return !length ||
           (enc_undec(&n, length, strlen(length)) == RC_OK && n <= DROP_MAX);
}

static enum MHD_Result begin(struct http_server *s, struct MHD_Connection *mhd,
                             const char *method, const char *path,
                             void **context)
{
    struct http_call *c = call_new(s, mhd, method, path);
    if (!c)
        return MHD_NO;
    *context = c;
    http_conn_due_sooner(c->conn, s->limit_ms);
    if (admit(c) != RC_OK)
        return MHD_NO;
    c->refused = c->published;
    if (c->refused && !worth_dropping(c))
        return http_reply_queue(c);
    return MHD_YES;
}

/* ---- the body -------------------------------------------------------- */

static bool make_room(struct http_call *c, size_t want)
{
    if (want <= c->body_cap)
        return true;
    size_t cap = c->body_cap ? c->body_cap : 1024;
    while (cap < want)
        cap *= 2;
    uint8_t *bigger = realloc(c->body, cap + 1);
    if (!bigger)
        return false;
    c->body = bigger;
    c->body_cap = cap;
    return true;
}

static enum MHD_Result collect(struct http_call *c, const char *data,
                               size_t *len)
{
    if (c->refused) {
        *len = 0;
        return MHD_YES;
    }
    /* microhttpd keeps to Content-Length; the limit was checked against it */
    if (*len > c->row->max_body - c->body_len ||
        !make_room(c, c->body_len + *len))
        return MHD_NO;
    memcpy(c->body + c->body_len, data, *len);
    c->body_len += *len;
    *len = 0;
    return MHD_YES;
}

/* ---- the handler ----------------------------------------------------- */

static bool enter(struct http_call *c)
{
    struct http_server *s = c->server;
    pthread_mutex_lock(&s->lock);
    bool stopping = s->stopping;
    c->busy = true;
    s->n_busy++;
    c->conn->due_ms = 0;
    pthread_mutex_unlock(&s->lock);
    return !stopping;
}

static bool published(struct http_call *c)
{
    pthread_mutex_lock(&c->server->lock);
    bool yes = c->published;
    pthread_mutex_unlock(&c->server->lock);
    return yes;
}

static enum rc run_handler(struct http_call *c)
{
    if (!enter(c))
        return http_reply_problem(c, rc_raise(RC_UNREACHABLE, "stopping"));
    enum rc rc = http_call_still(c);
    if (rc == RC_OK)
        rc = c->row->handler(c, c->server->config.ctx);
    if (rc != RC_OK && !published(c))
        return http_reply_problem(c, rc);
    return RC_OK;
}

static enum MHD_Result run(struct http_call *c)
{
    c->ran = true;
    enum rc rc = run_handler(c);
    if (c->slept)
        return MHD_YES; /* called again after resume */
    if (rc != RC_OK)
        return MHD_NO;
    if (!published(c) &&
        http_reply_problem(c, rc_raise(RC_INTERNAL, "%s %s gave no answer",
                                       c->method, c->path)) != RC_OK)
        return MHD_NO;
    return http_reply_queue(c);
}

enum MHD_Result http_call_access(void *server, struct MHD_Connection *mhd,
                                 const char *path, const char *method,
                                 const char *version, const char *data,
                                 size_t *data_len, void **context)
{
    (void)version;
    struct http_call *c = *context;
    if (!c)
        return begin(server, mhd, method, path, context);
    if (*data_len > 0)
        return collect(c, data, data_len);
    return c->ran || c->refused ? http_reply_queue(c) : run(c);
}

void http_call_completed(void *server, struct MHD_Connection *mhd,
                         void **context, enum MHD_RequestTerminationCode how)
{
    (void)mhd;
    (void)how;
    struct http_server *s = server;
    struct http_call *c = *context;
    *context = NULL;
    if (!c)
        return;
    http_conn_due(c->conn, HTTP_IDLE_S * 1000 + s->limit_ms);
    pthread_mutex_lock(&s->lock);
    if (c->busy)
        s->n_busy--;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    http_call_release(c);
}

/* ---- what a handler may ask ------------------------------------------ */

const char *http_call_method(const struct http_call *c)
{
    return c->method;
}

const char *http_call_path(const struct http_call *c)
{
    return c->path;
}

const char *http_call_rest(const struct http_call *c)
{
    return c->rest;
}

const char *http_call_query(const struct http_call *c, const char *name)
{
    return MHD_lookup_connection_value(c->mhd, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_call_header(const struct http_call *c, const char *name)
{
    return MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, name);
}

struct count {
    const char *name;
    unsigned n;
};

static enum MHD_Result count(void *arg, enum MHD_ValueKind kind,
                             const char *name, const char *value)
{
    struct count *c = arg;
    (void)kind;
    (void)value;
    c->n += strcasecmp(name, c->name) == 0;
    return MHD_YES;
}

const char *http_call_header_once(const struct http_call *c, const char *name)
{
    struct count seen = { .name = name };
    MHD_get_connection_values(c->mhd, MHD_HEADER_KIND, count, &seen);
    return seen.n == 1 ? http_call_header(c, name) : NULL;
}

const uint8_t *http_call_body(const struct http_call *c, size_t *len)
{
    *len = c->body_len;
    return c->body ? c->body : (const uint8_t *)"";
}

enum rc http_call_peer(struct sock_peer *out, const struct http_call *c)
{
    if (!c->conn->peer_known)
        return rc_raise(RC_AUTH, "not a Unix socket: the caller is unknown");
    *out = c->conn->peer;
    return RC_OK;
}

enum rc http_call_address(uint8_t out[16], const struct http_call *c)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a = { .any.sa_family = AF_UNSPEC };
    socklen_t len = sizeof(a);
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    if (getpeername(c->conn->fd, &a.any, &len) != 0)
        return rc_raise(RC_IO, "the caller's address: %s", strerror(errno));
    if (a.any.sa_family == AF_INET6) {
        memcpy(out, &a.v6.sin6_addr, 16);
        return RC_OK;
    }
    if (a.any.sa_family != AF_INET)
        return rc_raise(RC_AUTH, "not a TCP caller: no address");
    memcpy(out, mapped, 12);
    memcpy(out + 12, &a.v4.sin_addr, 4);
    return RC_OK;
}

const struct http_tls *http_call_tls(const struct http_call *c)
{
    return c->conn->exported ? &c->conn->tls : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane: one connection to one peer, one request at a time. Each lane has a
 * host name of its own in its URLs, so libcurl never gives it another lane's
 * connection. libcurl reconnects silently when a kept connection has died;
 * the check before each request's first byte is what makes that safe.
 */
#include "http/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/own.h"

#define URL_SIZE       4096
#define IDLE_SECONDS   100L /* below the server's HTTP_IDLE_S */
#define POLICY_HEADER  "MPC-Policy"
#define ASK_FIRST_OVER (1024 * 1024) /* the server drops what is below */
#define REPLY_FIRST    4096
#define PEER_NAME(p)                                                           \
    ((p)->uri ? (p)->uri : (p)->unix_path ? (p)->unix_path : (p)->host)

/* ---- before the first byte ------------------------------------------- */

static enum rc check_peer(struct http_lane *l)
{
    struct http_peer *p = l->peer;
    TRY(http_tls_client_facts(&l->tls, l->tls_known, l->easy, &p->client->tls));
    l->tls_known = true;
    if (strcmp(l->tls.peer_uri, p->uri) == 0)
        return RC_OK;
    enum rc rc = rc_raise(RC_AUTH, "the server there is %s, want %s",
                          l->tls.peer_uri, p->uri);
    rc_hint("check the address of %s", p->uri);
    return rc;
}

/* libcurl reads the body when this has returned. */
static enum rc seal(struct http_lane *l)
{
    const struct http_client_guard *g = &l->peer->client->guard;
    struct http_request *r = l->now;
    if (!g->seal || r->body_len == 0)
        return RC_OK;
    return g->seal(l, &l->tls, r->mem + strlen(r->path) + 1, r->body_len,
                   g->ctx);
}

static enum rc check_before_send(struct http_lane *l)
{
    const struct http_client *c = l->peer->client;
    if (!l->peer->tls)
        return RC_OK;
    TRY(check_peer(l));
    if (!http_peer_guarded(l->peer))
        return RC_OK;
    if (l->now->binding)
        return seal(l);
    return c->guard.gate ? c->guard.gate(l, &l->tls, c->guard.ctx) : RC_OK;
}

/* Runs for each request, on fresh, kept and silently renewed connections. */
static int on_prereq(void *arg, char *remote, char *local, int remote_port,
                     int local_port)
{
    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    struct http_lane *l = arg;
    l->now->stopped = check_before_send(l);
    if (l->now->stopped == RC_OK)
        return CURL_PREREQFUNC_OK;
    http_request_keep_error(l->now, l->now->stopped);
    return CURL_PREREQFUNC_ABORT;
}

/* ---- the reply's body ------------------------------------------------ */

static bool make_room(struct http_request *r, size_t want)
{
    if (want <= r->reply_cap)
        return true;
    size_t cap = r->reply_cap ? r->reply_cap : REPLY_FIRST;
    while (cap < want)
        cap *= 2;
    uint8_t *bigger = realloc(r->reply, cap);
    if (!bigger)
        return false;
    r->reply = bigger;
    r->reply_cap = cap;
    return true;
}

static size_t on_body(char *data, size_t one, size_t len, void *arg)
{
    (void)one;
    struct http_request *r = ((struct http_lane *)arg)->now;
    if (len > r->max_reply - r->reply_len) {
        r->overflow = true;
        return 0;
    }
    if (!make_room(r, r->reply_len + len))
        return 0;
    memcpy(r->reply + r->reply_len, data, len);
    r->reply_len += len;
    return len;
}

/* ---- life ------------------------------------------------------------ */

static enum rc lane_setup(struct http_lane *l)
{
    const struct http_peer *p = l->peer;
    CURL *e = l->easy;
    curl_easy_setopt(e, CURLOPT_PRIVATE, (void *)l);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, l->error);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, p->tls ? "https" : "http");
    curl_easy_setopt(e, CURLOPT_PROXY, ""); /* nor one of the environment */
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, IDLE_SECONDS);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_prereq);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, l);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, l);
    if (p->unix_path) {
        CURLcode bad = curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH,
                                        p->unix_path);
        return bad ? rc_raise(RC_ARG, "%s: %s", p->unix_path,
                              curl_easy_strerror(bad))
                   : RC_OK;
    }
    char to[URL_SIZE];
    snprintf(to, sizeof(to), "::%s:%s", p->host, p->port);
    l->connect_to = curl_slist_append(NULL, to);
    if (!l->connect_to)
        return rc_raise(RC_NOMEM, "lane");
    curl_easy_setopt(e, CURLOPT_CONNECT_TO, l->connect_to);
    return p->tls ? http_tls_client_apply(e, &p->client->tls) : RC_OK;
}

enum rc http_lane_make(struct http_lane **out, struct http_peer *p,
                       unsigned index)
{
    struct http_lane *l = calloc(1, sizeof(*l));
    if (!l)
        return rc_raise(RC_NOMEM, "lane");
    l->peer = p;
    l->index = index;
    l->easy = curl_easy_init();
    enum rc rc = l->easy ? lane_setup(l) : rc_raise(RC_NOMEM, "lane");
    if (rc != RC_OK) {
        http_lane_free(l);
        return rc;
    }
    *out = l;
    return RC_OK;
}

enum rc http_lane_new(struct http_lane **out, struct http_peer *p)
{
    struct http_lane *l = NULL;
    TRY(http_lane_make(&l, p, p->n_lanes));
    l->next = p->lanes;
    p->lanes = l;
    p->n_lanes++;
    *out = l;
    return RC_OK;
}

static void drop_state(struct http_lane *l)
{
    const struct http_client_guard *g = &l->peer->client->guard;
    void *state = l->guard_state;
    l->guard_state = NULL;
    l->waits = false;
    if (state && g->closed)
        g->closed(l, state, g->ctx);
}

/* The lane is out of its peer's list already. */
void http_lane_free(struct http_lane *l)
{
    struct http_client *c = l->peer->client;
    struct http_request *r = l->now;
    l->now = NULL;
    if (r)
        curl_multi_remove_handle(c->multi, l->easy);
    if (r)
        http_queue_put_first(&l->own, r);
    while ((r = http_queue_take(&l->own)) != NULL)
        http_client_fail(c, r,
                         rc_raise(RC_UNREACHABLE, "the client is closing"));
    drop_state(l);
    curl_easy_cleanup(l->easy);
    curl_slist_free_all(l->connect_to);
    curl_slist_free_all(l->headers);
    free(l);
}

struct http_peer *http_lane_peer(struct http_lane *l)
{
    return l->peer;
}

void http_lane_state_set(struct http_lane *l, void *state)
{
    l->guard_state = state;
}

void *http_lane_state(struct http_lane *l)
{
    return l->guard_state;
}

const struct http_tls *http_lane_tls(const struct http_lane *l)
{
    return l->tls_known ? &l->tls : NULL;
}

void http_lane_wait(struct http_lane *l)
{
    l->waits = l->peer->client->guard.resume != NULL;
}

void http_lane_wake(struct http_lane *l)
{
    curl_multi_wakeup(l->peer->client->multi);
}

void http_lane_unbind(struct http_lane *l)
{
    if (l->now) {
        l->unbind_due = true;
        return;
    }
    l->unbind_due = false;
    l->state = LANE_UNBOUND;
    l->peer->dirty = true;
    drop_state(l);
}

/* ---- start ----------------------------------------------------------- */

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *more = curl_slist_append(*list, line);
    if (more)
        *list = more;
    return more != NULL;
}

static bool add_named(struct curl_slist **list, const char *name,
                      const char *value)
{
    char line[1024];
    int n = snprintf(line, sizeof(line), "%s: %s", name, value);
    return n > 0 && (size_t)n < sizeof(line) && add_header(list, line);
}

/* A framed body begins with a length, so it never looks like JSON. */
static const char *type_of(const struct http_request *r)
{
    bool json = r->body_len > 0 && (r->body[0] == '{' || r->body[0] == '[');
    return json ? "application/json" : "application/octet-stream";
}

/* A refusal should not have to overtake a large body: ask first. */
static bool asks_first(const struct http_request *r)
{
    return r->body_len > ASK_FIRST_OVER;
}

static enum rc set_headers(struct http_lane *l, const struct http_request *r)
{
    const struct http_peer *p = l->peer;
    const struct http_client_guard *g = &p->client->guard;
    char host[512];
    snprintf(host, sizeof(host), "%s:%s", p->host, p->port);
    curl_slist_free_all(l->headers);
    l->headers = NULL;
    bool ok = add_named(&l->headers, "Host", p->unix_path ? p->host : host) &&
              add_header(&l->headers,
                         asks_first(r) ? "Expect: 100-continue" : "Expect:");
    if (ok && r->body_len > 0)
        ok = add_named(&l->headers, "Content-Type", type_of(r));
    for (struct curl_slist *h = p->headers; ok && h; h = h->next)
        ok = add_header(&l->headers, h->data);
    const char *policy = http_peer_guarded(p) && g->request_header
                                 ? g->request_header(g->ctx)
                                 : NULL;
    if (ok && policy)
        ok = add_named(&l->headers, POLICY_HEADER, policy);
    if (!ok)
        return rc_raise(RC_NOMEM, "request headers");
    curl_easy_setopt(l->easy, CURLOPT_HTTPHEADER, l->headers);
    return RC_OK;
}

static enum rc set_url(struct http_lane *l, const struct http_request *r)
{
    const struct http_peer *p = l->peer;
    char url[URL_SIZE];
    int n = snprintf(url, sizeof(url), "%s://lane%u.peer%u.mpc.invalid:%s%s%s",
                     p->tls ? "https" : "http", l->index, p->id, p->port,
                     p->prefix, r->path);
    if (n < 0 || (size_t)n >= sizeof(url))
        return rc_raise(RC_TOO_LARGE, "request path: over %d bytes", URL_SIZE);
    if (curl_easy_setopt(l->easy, CURLOPT_URL, url) != CURLE_OK)
        return rc_raise(RC_NOMEM, "request URL");
    return RC_OK;
}

static void set_method(struct http_lane *l, const struct http_request *r)
{
    CURL *e = l->easy;
    curl_easy_setopt(e, CURLOPT_NOBODY, 0L);
    curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, NULL);
    if (strcmp(r->method, "HEAD") == 0)
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    else if (strcmp(r->method, "GET") != 0 || r->body_len > 0) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)r->body_len);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, (const char *)r->body);
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
    }
}

static enum rc start(struct http_lane *l, struct http_request *r)
{
    int64_t left = r->deadline_ms - clock_mono_ms();
    if (left <= 0)
        return rc_raise(RC_TIMEOUT, "%s: the deadline passed before %s",
                        PEER_NAME(l->peer), r->path);
    TRY(set_url(l, r));
    TRY(set_headers(l, r));
    set_method(l, r);
    curl_easy_setopt(l->easy, CURLOPT_TIMEOUT_MS, (long)left);
    l->error[0] = '\0';
    CURLMcode e = curl_multi_add_handle(l->peer->client->multi, l->easy);
    if (e != CURLM_OK)
        return rc_raise(RC_INTERNAL, "request: %s", curl_multi_strerror(e));
    return RC_OK;
}

void http_lane_start(struct http_lane *l, struct http_request *r)
{
    r->stopped = RC_OK;
    r->reply_len = 0;
    r->overflow = false;
    enum rc rc = start(l, r);
    if (rc != RC_OK)
        http_client_fail(l->peer->client, r, rc);
    else
        l->now = r;
}

/* ---- finish ---------------------------------------------------------- */

/*
 * In TLS 1.3 a client whose certificate is refused still sees its own
 * handshake succeed; the end comes with the first read.
 */
static enum rc cut_off(const struct http_lane *l, const char *name)
{
    long fresh = 0;
    curl_easy_getinfo(l->easy, CURLINFO_NUM_CONNECTS, &fresh);
    if (!l->peer->tls || fresh == 0)
        return rc_raise(RC_UNREACHABLE, "%s: the connection broke: %s", name,
                        l->error);
    enum rc rc = rc_raise(RC_AUTH,
                          "%s: peer refused our certificate or "
                          "closed: %s",
                          name, l->error);
    rc_hint("is our certificate of the same deployment, unexpired, and with "
            "one URI?");
    return rc;
}

static enum rc tls_failed(const struct http_lane *l, const char *name)
{
    long why = 0;
    curl_easy_getinfo(l->easy, CURLINFO_OS_ERRNO, &why);
    bool gone = why != 0 || strstr(l->error, "SSL_ERROR_SYSCALL");
    return rc_raise(gone ? RC_UNREACHABLE : RC_AUTH, "%s: TLS: %s", name,
                    l->error);
}

static enum rc rc_of_code(const struct http_lane *l, CURLcode code)
{
    const struct http_request *r = l->now;
    const char *name = PEER_NAME(l->peer);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return rc_raise(RC_TIMEOUT, "%s: no answer to %s in time", name,
                        r->path);
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return rc_raise(RC_UNREACHABLE, "%s: %s", name, l->error);
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return cut_off(l, name);
    case CURLE_PEER_FAILED_VERIFICATION:
        return rc_raise(RC_AUTH, "%s: its certificate does not verify: %s",
                        name, l->error);
    case CURLE_SSL_CONNECT_ERROR:
        return tls_failed(l, name);
    case CURLE_OUT_OF_MEMORY:
        return rc_raise(RC_NOMEM, "%s: %s", name, l->error);
    default:
        return r->overflow ? rc_raise(RC_TOO_LARGE, "%s: reply over %zu bytes",
                                      name, r->max_reply)
                           : rc_raise(RC_IO, "%s: %s", name,
                                      l->error[0] ? l->error
                                                  : curl_easy_strerror(code));
    }
}

static const char *policy_header(struct http_lane *l)
{
    struct curl_header *h = NULL;
    if (curl_easy_header(l->easy, POLICY_HEADER, 0, CURLH_HEADER, -1, &h) !=
                CURLHE_OK ||
        h->amount != 1)
        return NULL; /* two of them are as good as none */
    return h->value;
}

static enum rc judge_reply(struct http_lane *l)
{
    const struct http_client_guard *g = &l->peer->client->guard;
    if (!http_peer_guarded(l->peer) || l->now->binding || !g->reply)
        return RC_OK;
    return g->reply(l, policy_header(l), g->ctx);
}

static enum rc outcome(struct http_lane *l, CURLcode code)
{
    struct http_request *r = l->now;
    if (r->stopped != RC_OK)
        return r->stopped; /* its words are kept */
    enum rc rc = code == CURLE_OK ? judge_reply(l) : rc_of_code(l, code);
    if (rc != RC_OK)
        http_request_keep_error(r, rc);
    return rc;
}

static enum rc problem_of(struct http_lane *l, struct http_request *r)
{
    const char *type = NULL;
    curl_easy_getinfo(l->easy, CURLINFO_CONTENT_TYPE, &type);
    if (!type || strncasecmp(type, "application/problem+json", 24) != 0)
        return RC_OK;
    return http_problem_decode(r->reply, r->reply_len, r->why, sizeof(r->why),
                               r->hint, sizeof(r->hint));
}

/*
 * Not the connection that was bound: it was renewed under us, or the server
 * has forgotten it. Nothing was sent, or nothing was done, so ask again. A new
 * policy ends all that either end had bound, at different times, and every
 * lane finds out by a request: so as often as there are lanes, for each end.
 */
static bool wants_binding(const struct http_lane *l, struct http_request *r,
                          enum rc problem)
{
    unsigned *retries = r->rc == RC_ORDER ? &r->gate_retries
                        : r->rc == RC_OK && problem == RC_ATTEST
                                ? &r->server_retries
                                : NULL;
    if (!http_peer_guarded(l->peer) || r->binding || !retries ||
        *retries >= l->peer->max_lanes)
        return false;
    ++*retries;
    return true;
}

static void bind_again(struct http_lane *l, struct http_request *r)
{
    r->rc = RC_OK;
    r->why[0] = '\0';
    r->hint[0] = '\0';
    http_queue_put_first(&l->peer->queue, r);
    http_lane_unbind(l);
}

void http_lane_finish(struct http_lane *l, CURLcode code)
{
    struct http_request *r = l->now;
    long status = 0;
    r->rc = outcome(l, code);
    enum rc problem = r->rc == RC_OK ? problem_of(l, r) : RC_OK;
    if (code == CURLE_OK)
        curl_easy_getinfo(l->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(l->peer->client->multi, l->easy);
    l->now = NULL;
    l->peer->dirty = true;
    if (wants_binding(l, r, problem)) {
        bind_again(l, r);
        return;
    }
    if (l->unbind_due)
        http_lane_unbind(l);
    struct http_reply_view view = { .rc = r->rc,
                                    .status = (int)status,
                                    .body = r->reply,
                                    .body_len = r->reply_len,
                                    .why = r->why,
                                    .hint = r->hint,
                                    .problem = problem };
    http_request_end(r, &view);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer: where it is, who it must be, and which request goes on which lane.
 * Requests wait in one queue, first come first served; a new lane opens only
 * when every ready one is busy.
 */
#include "http/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"

#define REST_MS      500 /* between two tries to bind beside a working lane */
#define BUSY_REST_MS 1000

/* ---- queues ---------------------------------------------------------- */

void http_queue_put(struct http_queue *q, struct http_request *r)
{
    r->next = NULL;
    if (q->tail)
        q->tail->next = r;
    else
        q->head = r;
    q->tail = r;
}

void http_queue_put_first(struct http_queue *q, struct http_request *r)
{
    r->next = q->head;
    q->head = r;
    if (!q->tail)
        q->tail = r;
}

struct http_request *http_queue_take(struct http_queue *q)
{
    struct http_request *r = q->head;
    if (!r)
        return NULL;
    q->head = r->next;
    if (!q->head)
        q->tail = NULL;
    r->next = NULL;
    return r;
}

/* ---- address --------------------------------------------------------- */

OWNED_BY(CURLU, curl_url_cleanup);

static enum rc url_part(char **out, CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    CURLUcode e = curl_url_get(url, part, &text, flags);
    if (e != CURLUE_OK)
        return rc_raise(RC_ARG, "peer URL: %s", curl_url_strerror(e));
    *out = strdup(text);
    curl_free(text);
    return *out ? RC_OK : rc_raise(RC_NOMEM, "peer URL");
}

static enum rc parse_url(struct http_peer *p, const char *base_url)
{
    OWNED_MEM char *scheme = NULL;
    OWNED(CURLU) *url = curl_url();
    if (!url)
        return rc_raise(RC_NOMEM, "peer URL");
    CURLUcode e = curl_url_set(url, CURLUPART_URL, base_url, 0);
    if (e != CURLUE_OK)
        return rc_raise(RC_ARG, "peer URL %s: %s", base_url,
                        curl_url_strerror(e));
    TRY(url_part(&scheme, url, CURLUPART_SCHEME, 0));
    TRY(url_part(&p->host, url, CURLUPART_HOST, 0));
    TRY(url_part(&p->port, url, CURLUPART_PORT, CURLU_DEFAULT_PORT));
    TRY(url_part(&p->prefix, url, CURLUPART_PATH, 0));
    size_t len = strlen(p->prefix);
    if (len > 0 && p->prefix[len - 1] == '/')
        p->prefix[len - 1] = '\0';
    p->tls = strcmp(scheme, "https") == 0;
    if (!p->tls && strcmp(scheme, "http") != 0)
        return rc_raise(RC_ARG, "peer URL %s: want https, http or unix:/path",
                        base_url);
    return RC_OK;
}

static enum rc parse_base(struct http_peer *p, const char *base_url)
{
    if (strncmp(base_url, "unix:", 5) != 0)
        return parse_url(p, base_url);
    p->unix_path = strdup(base_url + 5);
    p->host = strdup("localhost");
    p->port = strdup("80");
    p->prefix = strdup("");
    if (!p->unix_path || !p->host || !p->port || !p->prefix)
        return rc_raise(RC_NOMEM, "peer URL");
    return RC_OK;
}

/* ---- life ------------------------------------------------------------ */

static enum rc check_uri(const struct http_peer *p, const char *uri)
{
    if (!p->tls)
        return uri ? rc_raise(RC_ARG, "a peer without TLS cannot be %s", uri)
                   : RC_OK;
    if (!p->client->has_tls)
        return rc_raise(RC_ARG, "https needs a client with TLS files");
    if (!uri)
        return rc_raise(RC_ARG, "https needs the peer's node URI");
    if (strlen(uri) >= HTTP_URI_MAX)
        return rc_raise(RC_TOO_LARGE, "node URI: %zu bytes, at most %d",
                        strlen(uri), HTTP_URI_MAX - 1);
    return RC_OK;
}

static enum rc peer_init(struct http_peer *p, const char *base_url,
                         const char *uri)
{
    TRY(parse_base(p, base_url));
    TRY(check_uri(p, uri));
    if (uri && (p->uri = strdup(uri)) == NULL)
        return rc_raise(RC_NOMEM, "peer");
    return RC_OK;
}

enum rc http_peer_new(struct http_peer **out, struct http_client *c,
                      const char *base_url, const char *uri, unsigned lanes)
{
    struct http_peer *p = calloc(1, sizeof(*p));
    if (!p)
        return rc_raise(RC_NOMEM, "peer");
    p->client = c;
    p->id = ++c->n_ids;
    p->max_lanes = lanes ? lanes : 1;
    p->next = c->peers;
    c->peers = p;
    enum rc rc = peer_init(p, base_url, uri);
    if (rc != RC_OK) {
        http_peer_free(p);
        return rc;
    }
    *out = p;
    return RC_OK;
}

static void fail_queue(struct http_peer *p, enum rc rc)
{
    struct http_request *r;
    while ((r = http_queue_take(&p->queue)) != NULL)
        http_client_fail(p->client, r, rc);
}

void http_peer_free(struct http_peer *p)
{
    if (!p)
        return;
    while (p->lanes) {
        struct http_lane *l = p->lanes;
        p->lanes = l->next;
        http_lane_free(l);
    }
    if (p->renewal)
        http_lane_free(TAKE(p->renewal));
    if (p->queue.head)
        fail_queue(p, rc_raise(RC_UNREACHABLE, "the client is closing"));
    struct http_peer **at = &p->client->peers;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    curl_slist_free_all(p->headers);
    free(p->uri);
    free(p->unix_path);
    free(p->host);
    free(p->port);
    free(p->prefix);
    free(p);
}

const char *http_peer_uri(const struct http_peer *p)
{
    return p->uri;
}

bool http_peer_guarded(const struct http_peer *p)
{
    return p->tls && p->client->guarded;
}

enum rc http_peer_header(struct http_peer *p, const char *name,
                         const char *value)
{
    char line[1024];
    int n = snprintf(line, sizeof(line), "%s: %s", name, value);
    if (n < 0 || (size_t)n >= sizeof(line) || strpbrk(line, "\r\n"))
        return rc_raise(RC_ARG, "request header: too long, or a line end");
    struct curl_slist *more = curl_slist_append(p->headers, line);
    if (!more)
        return rc_raise(RC_NOMEM, "request header");
    p->headers = more;
    return RC_OK;
}

/* ---- requests -------------------------------------------------------- */

static void fail_now(http_done *done, void *arg)
{
    done(&(struct http_reply_view){ .rc = RC_NOMEM,
                                    .why = "request: no memory",
                                    .hint = "" },
         arg);
}

/* Nothing that could end the request line or begin another header. */
static enum rc check_target(const char *method, const char *path)
{
    size_t n = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (n == 0 || method[n] != '\0' ||
        n >= sizeof(((struct http_request *)0)->method))
        return rc_raise(RC_ARG, "request: malformed method");
    if (path[0] != '/')
        return rc_raise(RC_ARG, "request: the path must begin with /");
    for (const char *s = path; *s; s++)
        if (*s <= ' ' || *s > '~' || *s == '#')
            return rc_raise(RC_ARG, "request: a forbidden byte in the path");
    return RC_OK;
}

void http_send(struct http_peer *p, const char *method, const char *path,
               const void *body, size_t body_len, size_t max_reply,
               int64_t deadline_ms, http_done *done, void *arg)
{
    struct http_request *r = http_request_new(
            method, path, body, body_len, max_reply, deadline_ms, done, arg);
    if (!r) {
        fail_now(done, arg);
        return;
    }
    enum rc rc = check_target(method, path);
    if (rc != RC_OK) {
        http_client_fail(p->client, r, rc);
        return;
    }
    http_queue_put(&p->queue, r);
    p->dirty = true;
}

void http_lane_send(struct http_lane *l, const char *method, const char *path,
                    const void *body, size_t body_len, size_t max_reply,
                    int64_t deadline_ms, http_done *done, void *arg)
{
    struct http_request *r = http_request_new(
            method, path, body, body_len, max_reply, deadline_ms, done, arg);
    if (!r) {
        fail_now(done, arg);
        return;
    }
    r->binding = true;
    enum rc rc = check_target(method, path);
    if (rc != RC_OK) {
        http_client_fail(l->peer->client, r, rc);
        return;
    }
    http_queue_put(&l->own, r);
    l->peer->dirty = true;
}

/* ---- from the queue to the lanes ------------------------------------- */

static void expire_queue(struct http_peer *p, struct http_queue *q,
                         int64_t now_ms)
{
    struct http_queue kept = { 0 };
    struct http_request *r;
    while ((r = http_queue_take(q)) != NULL) {
        if (now_ms < r->deadline_ms) {
            http_queue_put(&kept, r);
            continue;
        }
        http_client_fail(p->client, r,
                         rc_raise(RC_TIMEOUT,
                                  "%s: the deadline passed while "
                                  "%s waited for a lane",
                                  p->uri ? p->uri : p->host, r->path));
    }
    *q = kept;
}

void http_peer_expire(struct http_peer *p, int64_t now_ms)
{
    if (p->queue.head)
        expire_queue(p, &p->queue, now_ms);
    if (p->again_ms && now_ms >= p->again_ms) {
        p->again_ms = 0;
        p->dirty = true;
    }
    http_renew_expire(p, now_ms);
}

static void run_lanes(struct http_peer *p)
{
    for (struct http_lane *l = p->lanes; l; l = l->next) {
        struct http_request *r = NULL;
        if (l->now)
            continue;
        r = http_queue_take(&l->own);
        if (!r && l->state == LANE_READY) {
            r = http_queue_take(&p->queue);
            p->asked |= r != NULL;
        }
        if (r)
            http_lane_start(l, r);
    }
}

/* A lane that may be bound now, a new one if need be. */
static struct http_lane *spare(struct http_peer *p, int64_t now_ms)
{
    for (struct http_lane *l = p->lanes; l; l = l->next) {
        if (l->state != LANE_UNBOUND || l->now)
            continue;
        if (now_ms >= l->rest_until_ms)
            return l;
        p->again_ms = l->rest_until_ms;
        return NULL;
    }
    struct http_lane *made = NULL;
    if (p->n_lanes >= p->max_lanes)
        return NULL;
    enum rc rc = http_lane_new(&made, p);
    if (rc != RC_OK && !p->lanes)
        fail_queue(p, rc);
    return made;
}

/*
 * Bound lanes come one after the other: what the first proved makes it cheap
 * for the others, and a peer is never asked for evidence by all at once.
 */
static bool one_binds(const struct http_peer *p)
{
    for (const struct http_lane *l = p->lanes; l; l = l->next)
        if (l->state == LANE_BINDING)
            return true;
    return false;
}

static unsigned missing_lanes(const struct http_peer *p)
{
    unsigned want = 0;
    unsigned coming = 0;
    for (struct http_request *r = p->queue.head; r; r = r->next)
        want++;
    for (struct http_lane *l = p->lanes; l; l = l->next)
        if (l->state == LANE_BINDING || (l->state == LANE_READY && !l->now))
            coming++;
    return want > coming ? want - coming : 0;
}

void http_peer_pump(struct http_peer *p)
{
    p->dirty = false;
    http_renew_pump(p);
    run_lanes(p);
    int64_t now = clock_mono_ms();
    for (unsigned n = missing_lanes(p); n > 0 && !one_binds(p); n--) {
        struct http_lane *l = spare(p, now);
        if (!l)
            return;
        p->dirty = true;
        if (http_peer_guarded(p)) {
            l->state = LANE_BINDING;
            p->client->guard.opened(l, p->client->guard.ctx);
        } else {
            l->state = LANE_READY;
        }
    }
}

void http_lane_ready(struct http_lane *l, enum rc rc)
{
    struct http_peer *p = l->peer;
    if (l->state != LANE_BINDING)
        return;
    p->dirty = true;
    if (http_lane_renews(l)) {
        http_renew_ready(l, rc);
        return;
    }
    if (rc == RC_OK) {
        l->state = LANE_READY;
        return;
    }
    http_lane_unbind(l);
    l->rest_until_ms = clock_mono_ms() +
                       (rc == RC_BUSY ? BUSY_REST_MS : REST_MS);
    if (rc == RC_BUSY)
        return; /* the queue waits, each request to its deadline */
    for (struct http_lane *o = p->lanes; o; o = o->next)
        if (o->state == LANE_READY)
            return; /* the queue still moves */
    l->rest_until_ms = 0;
    fail_queue(p, rc);
}

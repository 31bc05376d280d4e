/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outgoing calls: each node, the log and the CA by the address the
 * configuration gives, the URI the policy gives, and the attested channel.
 */
#include "sidecar/do.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define LANES     4
#define MAX_REPLY (4u * 1024 * 1024)

/* ---- addresses ------------------------------------------------------------------ */

static enum rc add_reach(struct sidecar *sc, uint32_t id, const char *url,
                         const char *uri)
{
    if (sc->n_reach == sizeof(sc->reach) / sizeof(sc->reach[0]))
        return rc_raise(RC_NOMEM, "peers: more than %u", sc->n_reach);
    struct reach *r = &sc->reach[sc->n_reach];
    r->id = id;
    TRY(http_peer_new(&r->peer, sc->client, url, uri, LANES));
    sc->n_reach++;
    return RC_OK;
}

/* "1=https://127.0.0.1:4431, 2=…": node ids and their addresses. */
static enum rc add_nodes(struct sidecar *sc, const struct policy *p,
                         const char *list)
{
    char copy[CONF_VALUE_MAX + 1];
    snprintf(copy, sizeof(copy), "%s", list);
    char *save = NULL;
    for (char *part = strtok_r(copy, ", ", &save); part;
         part = strtok_r(NULL, ", ", &save)) {
        char *eq = strchr(part, '=');
        long id = eq ? strtol(part, NULL, 10) : 0;
        const struct policy_node *node = id > 0 && id <= UINT16_MAX
                                                 ? policy_node_find(
                                                           p, (uint16_t)id)
                                                 : NULL;
        if (!node)
            return rc_raise(RC_ARG,
                            "peers: %.40s: want ID=URL of a node in "
                            "the policy",
                            part);
        if (id != sc->id)
            TRY(add_reach(sc, (uint32_t)id, eq + 1, node->uri));
    }
    return RC_OK;
}

enum rc peers_open(struct sidecar *sc)
{
    const char *nodes;
    const char *log;
    const char *ca;
    struct http_client_guard guard = attest_channel_client_guard(sc->d.channel);
    TRY(http_client_new(&sc->client, &sc->d.client_tls, &guard));
    TRY(conf_need(&nodes, sc->d.conf, "peers"));
    TRY(conf_need(&log, sc->d.conf, "log_url"));
    TRY(conf_need(&ca, sc->d.conf, "ca_url"));
    struct policy *p = NULL;
    TRY(policy_parse(&p, sc->d.genesis, sc->d.genesis_len));
    enum rc rc = add_nodes(sc, p, nodes);
    if (rc == RC_OK)
        rc = add_reach(sc, WORLD_LOG, log, p->service[POLICY_LOG]);
    if (rc == RC_OK)
        rc = add_reach(sc, WORLD_CA, ca, p->service[POLICY_CA]);
    policy_free(p);
    if (rc == RC_OK && sc->authoriser)
        rc = add_reach(sc, WORLD_AUTHORISER, authoriser_base(sc->authoriser),
                       NULL);
    return rc;
}

void peers_close(struct sidecar *sc)
{
    for (unsigned i = 0; i < sc->n_reach; i++)
        http_peer_free(sc->reach[i].peer);
    http_client_free(sc->client);
    while (sc->first) {
        struct outgoing *next = sc->first->next;
        free(sc->first->body);
        free(sc->first);
        sc->first = next;
    }
    while (sc->heard) {
        struct heard *next = sc->heard->next;
        free(sc->heard);
        sc->heard = next;
    }
}

/* ---- sending ---------------------------------------------------------------------- */

static void enqueue(struct sidecar *sc, struct outgoing *o)
{
    pthread_mutex_lock(&sc->lock);
    if (sc->last)
        sc->last->next = o;
    else
        sc->first = o;
    sc->last = o;
    pthread_mutex_unlock(&sc->lock);
    if (sc->loop)
        http_loop_wake(sc->loop); /* it may be about to wait for a tick */
}

static struct outgoing *new_outgoing(struct sidecar *sc, uint64_t ticket)
{
    struct outgoing *o = calloc(1, sizeof(*o));
    if (!o) {
        log_error("send", "why=\"out of memory\"");
        abort(); /* a ticket without a reply would hang its caller */
    }
    o->sc = sc;
    o->ticket = ticket;
    return o;
}

void peers_send(void *ctx, uint32_t to, const char *path, const void *body,
                size_t len, int64_t deadline_ms, uint64_t ticket)
{
    struct outgoing *o = new_outgoing(ctx, ticket);
    o->to = to;
    o->deadline_ms = deadline_ms;
    o->len = len;
    if (to == WORLD_AUTHORISER) /* its path is its own business */
        path = authoriser_path(((struct sidecar *)ctx)->authoriser);
    snprintf(o->path, sizeof(o->path), "%s", path);
    if (body) {
        o->body = malloc(len + 1);
        if (!o->body) {
            log_error("send", "why=\"out of memory\"");
            abort();
        }
        memcpy(o->body, body, len);
    }
    enqueue(ctx, o);
}

void peers_later(void *ctx, uint64_t ticket)
{
    struct outgoing *o = new_outgoing(ctx, ticket);
    o->later = true;
    enqueue(ctx, o);
}

static struct reach *reach_of(struct sidecar *sc, uint32_t id)
{
    for (unsigned i = 0; i < sc->n_reach; i++)
        if (sc->reach[i].id == id)
            return &sc->reach[i];
    return NULL;
}

/* Says when a peer fails, fails differently, or is back; not each time. */
static void note_change(struct sidecar *sc, uint32_t to, const char *path,
                        enum rc rc)
{
    struct reach *r = reach_of(sc, to);
    if (!r || r->last == rc)
        return;
    r->last = rc;
    const char *uri = http_peer_uri(r->peer);
    if (!uri)
        uri = "authoriser";
    if (rc == RC_OK)
        log_info("peer.back", "peer=%s", uri);
    else
        log_warn("peer.failed", "peer=%s path=%s code=%s why=\"%s\"", uri, path,
                 rc_slug(rc), rc_text());
}

/* The authoriser speaks no problem+json: its status is all there is. */
static enum rc authoriser_status(const struct http_reply_view *reply)
{
    return reply->status == 200
                   ? RC_OK
                   : rc_raise(RC_IO, "status %d, want 200", reply->status);
}

static enum rc peer_status(const struct http_reply_view *reply)
{
    enum rc rc = reply->rc;
    if (rc == RC_OK && reply->status / 100 != 2)
        rc = reply->problem != RC_OK ? reply->problem : RC_IO;
    if (rc == RC_OK)
        return RC_OK;
    (void)rc_raise(rc, "%s",
                   reply->why && *reply->why ? reply->why
                                             : "no readable answer");
    if (reply->hint && *reply->hint)
        rc_hint("%s", reply->hint);
    return rc;
}

static void came_back(const struct http_reply_view *reply, void *arg)
{
    struct outgoing *o = arg;
    enum rc rc = o->to == WORLD_AUTHORISER && reply->rc == RC_OK
                         ? authoriser_status(reply)
                         : peer_status(reply);
    note_change(o->sc, o->to, o->path, rc);
    node_on_reply(o->sc->node, o->ticket, rc, reply->body, reply->body_len);
    free(o);
}

static void start(struct sidecar *sc, struct outgoing *o)
{
    const struct reach *r = reach_of(sc, o->to);
    if (r) {
        OWNED_MEM void *body = TAKE(o->body);
        http_send(r->peer, body ? "POST" : "GET", o->path, body, o->len,
                  MAX_REPLY, o->deadline_ms, came_back, o);
        return;
    }
    (void)rc_raise(RC_UNREACHABLE, "node%u: no address configured", o->to);
    node_on_reply(sc->node, o->ticket, RC_UNREACHABLE, NULL, 0);
    free(o->body);
    free(o);
}

void peers_heard(struct sidecar *sc, uint32_t from,
                 const struct wire_policy_head *head)
{
    struct heard *h = calloc(1, sizeof(*h));
    if (!h)
        return; /* it will be told again */
    h->from = from;
    h->head = *head;
    pthread_mutex_lock(&sc->lock);
    h->next = sc->heard;
    sc->heard = h;
    pthread_mutex_unlock(&sc->lock);
    http_loop_wake(sc->loop);
}

static void deal(struct sidecar *sc, struct outgoing *o)
{
    if (!o->later) {
        start(sc, o);
    } else if (!o->looked_at) {
        o->looked_at = true; /* the loop sends once before it comes again */
        enqueue(sc, o);
    } else {
        uint64_t ticket = o->ticket;
        free(o);
        node_on_reply(sc->node, ticket, RC_OK, NULL, 0);
    }
}

void peers_pump(struct sidecar *sc)
{
    pthread_mutex_lock(&sc->lock);
    struct heard *h = TAKE(sc->heard);
    pthread_mutex_unlock(&sc->lock);
    while (h) {
        struct heard *next = h->next;
        node_peer_head(sc->node, h->from, &h->head);
        free(h);
        h = next;
    }
    pthread_mutex_lock(&sc->lock);
    struct outgoing *o = TAKE(sc->first); /* what comes meanwhile: next time */
    sc->last = NULL;
    pthread_mutex_unlock(&sc->lock);
    while (o) {
        struct outgoing *next = TAKE(o->next);
        deal(sc, o);
        o = next;
    }
}

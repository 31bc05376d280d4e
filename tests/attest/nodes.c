/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes.h"

#include <time.h>

#include "base/clock.h"
#include "base/sock.h"

/* ---- time -------------------------------------------------------------- */

static _Atomic int64_t ahead_ms;

static int64_t mono(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + ahead_ms;
}

static int64_t now(void)
{
    return (int64_t)time(NULL);
}

void node_clock_setup(void)
{
    clock_replace(now, mono);
}

void node_clock_advance(int64_t ms)
{
    ahead_ms += ms;
}

/* ---- the host ---------------------------------------------------------- */

static enum rc allowed(void *ctx, const char *uri, uint8_t (*hashes)[32],
                       unsigned *n, enum attest_role *role)
{
    struct node *node = ctx;
    pthread_mutex_lock(&node->lock);
    bool unknown = node->unknown;
    *n = node->n_hashes;
    *role = node->role;
    memcpy(hashes, node->hashes, sizeof(node->hashes));
    pthread_mutex_unlock(&node->lock);
    return unknown ? rc_raise(RC_UNKNOWN, "%s: unknown", uri) : RC_OK;
}

static void own_head(void *ctx, struct wire_policy_head *head)
{
    (void)ctx;
    head->version = 7;
    memset(head->sha256, 0x77, sizeof(head->sha256));
}

static void peer_head(void *ctx, const char *uri,
                      const struct wire_policy_head *head)
{
    struct node *node = ctx;
    (void)uri;
    if (head->version == 7)
        node->heads++;
}

static void refused(void *ctx, const char *uri, const char *method,
                    const char *path, enum rc rc, const char *why)
{
    struct node *node = ctx;
    node->refusals++;
    pthread_mutex_lock(&node->lock);
    snprintf(node->refusal, sizeof(node->refusal), "%s %s %s %s %s", uri,
             method, path, rc_slug(rc), why);
    pthread_mutex_unlock(&node->lock);
}

static void news(void *ctx, const char *uri, enum attest_news what)
{
    struct node *node = ctx;
    (void)uri;
    node->news[what]++;
}

/* ---- server ------------------------------------------------------------ */

/* The rows' ctx is the channel; which node it is, the ping must know. */
static struct node *serving[4];

static struct node *node_of(const struct attest_channel *ch)
{
    for (size_t i = 0; i < 4; i++) {
        if (serving[i] && serving[i]->channel == ch)
            return serving[i];
    }
    return NULL;
}

static enum rc ping(struct http_call *call, void *ctx)
{
    struct attest_peer peer;
    TRY(attest_channel_peer(&peer, call));
    struct node *n = node_of(ctx);
    n->handled++;
    while (n->hold)
        usleep(1000);
    return http_reply(call, 200, "text/plain", peer.uri, strlen(peer.uri));
}

static void lying_reply(struct http_call *call, void *ctx)
{
    struct node *n = node_of(ctx);
    char hex[ENC_HEX_SIZE(32)];
    if (strcmp(http_call_path(call), CHANNEL_EVIDENCE) == 0) {
        pthread_mutex_lock(&n->lock);
        size_t at = strlen(n->said);
        snprintf(n->said + at, sizeof(n->said) - at, "%s\n", rc_text());
        pthread_mutex_unlock(&n->lock);
    }
    memcpy(hex, n->channel->hash_hex, sizeof(hex));
    if (n->lies)
        hex[0] = hex[0] == '0' ? '1' : '0';
    if (http_reply_header(call, "MPC-Policy", hex) != RC_OK)
        abort();
}

static struct http_route routes[5];

void node_serve(struct node *n)
{
    const struct http_route *rows = attest_channel_routes();
    routes[0] = rows[0];
    routes[1] = rows[1];
    routes[2] = rows[2];
    assert_null(rows[3].method);
    routes[3] = (struct http_route){ "GET", "/v1/ping", HTTP_PEER, 0, ping };
    size_t slot = 0;
    while (serving[slot])
        slot++;
    assert_true(slot < 4);
    serving[slot] = n;
    int fd;
    uint16_t port;
    assert_ok(sock_tcp_listen(&fd, &port, "127.0.0.1:0"));
    snprintf(n->url, sizeof(n->url), "https://127.0.0.1:%u", port);
    struct http_server_config config = {
        .kind = HTTP_ON_PEER,
        .listen_fd = fd,
        .routes = routes,
        .ctx = n->channel,
        .tls = pki_files(&n->id),
        .guard = attest_channel_server_guard(n->channel),
        .threads = 2,
        .request_limit_s = 60,
    };
    config.guard.reply = lying_reply;
    assert_ok(http_server_start(&n->server, &config));
}

/* ---- a node ------------------------------------------------------------ */

struct attest_channel_config node_config(struct node *n, int64_t window_s,
                                         const char *tee_policy_hash)
{
    struct attest_channel_config c = {
        .deployment = DEPLOYMENT,
        .own_uri = n->uri,
        .guest = n->guest,
        .roots = { .allow_simulated = true },
        .tee_policy_hash = tee_policy_hash,
        .window_s = window_s,
        .hello_burst = 1000, /* by hand they come fast */
        .refused_burst = 1000000,
        .host = { .allowed = allowed,
                  .policy_head = own_head,
                  .peer_head = peer_head,
                  .refused = refused,
                  .news = news,
                  .ctx = n },
    };
    memcpy(c.roots.simulated_ark, n->sim->ark, 32);
    memset(c.genesis, 1, sizeof(c.genesis));
    return c;
}

void node_open(struct node *n, const char *uri, const struct pki_id *id,
               const struct simulator *sim, int64_t window_s,
               const char *tee_policy_hash)
{
    memset(n, 0, sizeof(*n));
    pthread_mutex_init(&n->lock, NULL);
    n->uri = uri;
    n->id = *id;
    n->sim = sim;
    n->role = ATTEST_SIDECAR;
    assert_ok(attest_guest_open(&n->guest, sim->device));
    struct attest_channel_config c = node_config(n, window_s, tee_policy_hash);
    assert_ok(attest_channel_new(&n->channel, &c));
    /* the policy lists what this very program measures */
    node_allow(n, n->channel->hash);
}

void node_allow(struct node *n, const uint8_t hash[32])
{
    pthread_mutex_lock(&n->lock);
    memcpy(n->hashes[0], hash, 32);
    n->n_hashes = 1;
    pthread_mutex_unlock(&n->lock);
}

bool node_said(struct node *n, const char *text)
{
    pthread_mutex_lock(&n->lock);
    bool found = strstr(n->said, text) != NULL;
    if (!found)
        print_message("it said: %s\n", n->said);
    n->said[0] = '\0';
    pthread_mutex_unlock(&n->lock);
    return found;
}

void node_close(struct node *n)
{
    http_server_stop(n->server);
    for (size_t i = 0; i < 4; i++) {
        if (serving[i] == n)
            serving[i] = NULL;
    }
    attest_channel_free(n->channel);
    attest_guest_free(n->guest);
    pthread_mutex_destroy(&n->lock);
}

enum rc node_evidence(struct attest_channel *ch, struct wire_evidence *out,
                      enum attest_end end, const struct http_tls *tls,
                      const uint8_t nonce[32])
{
    uint8_t data[64];
    attest_channel_own_data(ch, data, end, tls, nonce);
    return attest_channel_report(ch, out, data);
}

/* ---- lines ------------------------------------------------------------- */

static void open_line(struct line *l, struct node *from, const struct node *to,
                      const struct http_client_guard *guard)
{
    struct http_tls_files files = pki_files(&from->id);
    assert_ok(http_client_new(&l->client, &files, guard));
    assert_ok(http_peer_new(&l->peer, l->client, to->url, to->uri, 1));
}

void line_open(struct line *l, struct node *from, const struct node *to)
{
    memset(l, 0, sizeof(*l));
    struct http_client_guard guard = attest_channel_client_guard(from->channel);
    open_line(l, from, to, &guard);
}

static void raw_opened(struct http_lane *lane, void *ctx)
{
    (void)ctx;
    http_lane_ready(lane, RC_OK);
}

static enum rc raw_gate(struct http_lane *lane, const struct http_tls *tls,
                        void *ctx)
{
    struct line *l = ctx;
    (void)lane;
    l->tls = *tls;
    return RC_OK;
}

static const char *raw_header(void *ctx)
{
    const struct line *l = ctx;
    return l->header[0] ? l->header : NULL;
}

void line_open_raw(struct line *l, struct node *from, const struct node *to)
{
    memset(l, 0, sizeof(*l));
    strcpy(l->header, from->channel->hash_hex);
    const struct http_client_guard guard = { .opened = raw_opened,
                                             .gate = raw_gate,
                                             .request_header = raw_header,
                                             .ctx = l };
    open_line(l, from, to, &guard);
}

void line_close(struct line *l)
{
    http_peer_free(l->peer);
    http_client_free(l->client);
}

enum rc line_ping(struct line *l)
{
    struct http_answer a = { 0 };
    enum rc rc = http_ask(&a, l->peer, "GET", "/v1/ping", NULL, 0, 1024,
                          clock_mono_ms() + 60000);
    http_answer_free(&a);
    return rc;
}

enum rc line_post(struct http_answer *out, struct line *l, const char *path,
                  const char *json, size_t len)
{
    return http_ask(out, l->peer, "POST", path, json, len, 65536,
                    clock_mono_ms() + 60000);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appends over the attested channel: two nodes with a simulated guest each,
 * mutual TLS 1.3, every request and answer bound to attestation; closed loops
 * on as many connections as are asked for, with one entry a request or as many
 * as a lead's full batch brings. Client and log share this process.
 *
 *     bench_log_channel [-s SECONDS] [DIR]
 */
#include "../attest/two.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>

#include <sodium.h>

#include "base/clock.h"
#include "bench.h"
#include "bench_log.h"
#include "transparency/append.h"
#include "wire/wire.h"

#define BARE_N 400

static struct {
    char dir[512];
    struct tlog_vkey vkey;
    uint8_t sk[64];
    struct log_public public;
    struct log_appender *appender;
    struct http_server *server;
    char url[64];
} logd;

/* ---- the log's side ------------------------------------------------------ */

static enum rc on_hello(struct http_call *call, void *ctx)
{
    (void)ctx;
    return attest_on_hello(call, b.channel);
}

static enum rc on_evidence(struct http_call *call, void *ctx)
{
    (void)ctx;
    return attest_on_evidence(call, b.channel);
}

static enum rc on_bind(struct http_call *call, void *ctx)
{
    (void)ctx;
    return attest_on_bind(call, b.channel);
}

static enum rc on_append(struct http_call *call, void *ctx)
{
    struct attest_peer peer;
    (void)ctx;
    TRY(attest_channel_peer(&peer, call));
    return log_append(logd.appender, call, peer.uri);
}

static const struct http_route routes[] = {
    { "POST", "/v1/attest/hello", HTTP_CERT, 4096, on_hello },
    { "POST", "/v1/attest/evidence", HTTP_CERT, 65536, on_evidence },
    { "POST", "/v1/attest/bind", HTTP_CERT, 4096, on_bind },
    { "POST", "/v1/log/append", HTTP_PEER, 256 * 1024, on_append },
    { 0 },
};

static void log_open(const char *where)
{
    struct tlog_store *store = NULL;
    uint8_t pk[32];
    uint16_t port;
    struct http_server_config c = {
        .kind = HTTP_ON_PEER,
        .routes = routes,
        .tls = pki_files(&b.id),
        .guard = attest_channel_server_guard(b.channel),
        .threads = 4,
        .request_limit_s = 60,
    };
    snprintf(logd.dir, sizeof(logd.dir), "%s/log-bench-XXXXXX", where);
    assert_non_null(mkdtemp(logd.dir));
    crypto_sign_keypair(pk, logd.sk);
    assert_ok(tlog_vkey_make(&logd.vkey, "bench/log", TLOG_SIG_ED25519, pk));
    assert_ok(tlog_store_open(&store, logd.dir, &logd.vkey, logd.sk));
    log_public_init(&logd.public, store, &logd.vkey);
    assert_ok(log_appender_start(&logd.appender, &logd.public, 0));
    assert_ok(sock_tcp_listen(&c.listen_fd, &port, "127.0.0.1:0"));
    snprintf(logd.url, sizeof(logd.url), "https://127.0.0.1:%u", port);
    assert_ok(http_server_start(&logd.server, &c));
}

static void log_close(void)
{
    char path[800];
    log_appender_close(logd.appender, 5000);
    http_server_stop(logd.server);
    tlog_store_free(logd.public.store);
    log_appender_free(logd.appender);
    DIR *d = opendir(logd.dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", logd.dir, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(logd.dir);
}

static void bare(struct bench_series *out)
{
    char path[600];
    static char text[TLOG_ENTRY_MAX + 1];
    snprintf(path, sizeof(path), "%s/bare", logd.dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (unsigned i = 0; i < BARE_N; i++) {
        size_t len = bench_log_intent(text);
        double from = bench_now_us();
        assert_int_equal(write(fd, text, len), len);
        assert_int_equal(fdatasync(fd), 0);
        bench_add(out, bench_now_us() - from);
    }
    close(fd);
    unlink(path);
}

/* ---- the sidecars' side -------------------------------------------------- */

struct asker {
    struct http_peer *peer;
    unsigned entries;
    double from;
    double end_us; /* no new request after that */
    unsigned *busy;
    struct bench_series *times;
};

static void ask(struct asker *k);

static void on_done(const struct http_reply_view *v, void *arg)
{
    struct asker *k = arg;
    if (v->rc != RC_OK || v->status != 200)
        bench_die("append: status %d %s", v->status, v->why);
    bench_add(k->times, bench_now_us() - k->from);
    --*k->busy;
    if (bench_now_us() < k->end_us)
        ask(k);
}

static void ask(struct asker *k)
{
    WIRE(append) in = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(wire_list_new(&in.entries, k->entries));
    for (unsigned i = 0; i < k->entries; i++) {
        char text[TLOG_ENTRY_MAX + 1];
        size_t n = bench_log_intent(text);
        assert_ok(wire_text_set(&in.entries.at[i], text, n));
    }
    assert_ok(wire_append_encode(&json, &len, &in));
    k->from = bench_now_us();
    ++*k->busy;
    http_send(k->peer, "POST", "/v1/log/append", json, len, 1 << 20,
              clock_mono_ms() + 60000, on_done, k);
}

static void loops(struct http_client *client, struct http_peer *peer,
                  struct bench_series *times, unsigned n, unsigned entries,
                  double seconds)
{
    static struct asker asker[BENCH_LOG_CONNS_MAX];
    struct http_loop *loop = NULL;
    unsigned busy = 0;
    assert_ok(http_loop_new(&loop, client));
    double end = bench_now_us() + seconds * 1e6;
    for (unsigned i = 0; i < n; i++) {
        asker[i] = (struct asker){ peer, entries, 0, end, &busy, times };
        ask(&asker[i]);
    }
    while (busy > 0)
        assert_ok(http_loop_run(loop, 100));
    http_loop_free(loop);
}

static void over_the_channel(const char *where, unsigned n, unsigned entries,
                             unsigned seconds)
{
    struct bench_series disk = { 0 };
    struct bench_series times = { 0 };
    struct http_client *client = NULL;
    struct http_peer *peer = NULL;
    char name[48];
    struct http_tls_files tls = pki_files(&a.id);
    struct http_client_guard guard = attest_channel_client_guard(a.channel);
    log_open(where);
    assert_ok(http_client_new(&client, &tls, &guard));
    assert_ok(http_peer_new(&peer, client, logd.url, NODE_B, n));
    bare(&disk);
    loops(client, peer, &times, n, 1, 0.3); /* handshakes are not meant */
    times.n = 0;
    double from = bench_now_us();
    loops(client, peer, &times, n, entries, seconds);
    double took = bench_now_us() - from;
    bare(&disk);
    double sync_us = bench_quantile(&disk, 0.5);
    double bare_per_s = (double)disk.n / bench_sum(&disk) * 1e6;
    double per_s = (double)(times.n * entries) / took * 1e6;
    snprintf(name, sizeof(name), "log.channel.%u.x%u", n, entries);
    bench_line(name, &times, per_s,
               ",\"fdatasync_us\":%.0f,\"bare_per_s\":%.0f,"
               "\"p50_in_fdatasync\":%.2f,\"rate_in_bare\":%.2f,"
               "\"rate_in_median_sync\":%.2f",
               sync_us, bare_per_s, bench_quantile(&times, 0.5) / sync_us,
               per_s / bare_per_s, per_s * sync_us / 1e6);
    bench_free(&times);
    bench_free(&disk);
    http_peer_free(peer);
    http_client_free(client);
    log_close();
}

int main(int argc, char **argv)
{
    static const struct {
        unsigned n;
        unsigned entries;
    } runs[] = { { 1, 1 }, { 8, 1 }, { 64, 1 }, { 8, 16 }, { 64, 16 } };
    unsigned seconds = 3;
    const char *where = ".";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-s") == 0 && i + 1 < argc)
            seconds = bench_number("-s", argv[++i], 600);
        else
            where = argv[i];
    }
    signal(SIGPIPE, SIG_IGN);
    setup(NULL);
    open_nodes(NULL);
    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
        over_the_channel(where, runs[i].n, runs[i].entries, seconds);
    close_nodes(NULL);
    teardown(NULL);
    return 0;
}

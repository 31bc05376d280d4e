/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect: the handshake, the certificates, the URIs. */
#include "test.h"

#include "http/http.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/enc.h"
#include "home.h"
#include "pki.h"

#define SERVER_URI "mpc://dep/sidecar/node1"
#define CLIENT_URI "mpc://dep/sidecar/node2"

struct world {
    struct home home;
    struct pki ca;
    struct pki rogue;
    struct pki_id server_id;
    struct pki_id client_id;
    struct http_server *server;
    char url[64];
    atomic_int n_calls; /* of any handler */
    atomic_int n_checks;
    atomic_bool attested;
    pthread_mutex_t lock; /* of what follows */
    int n_strangers;
    char from[64], why[256]; /* the last one */
};

static enum rc on_tls(struct http_call *c, void *ctx)
{
    struct world *w = ctx;
    atomic_fetch_add(&w->n_calls, 1);
    const struct http_tls *tls = http_call_tls(c);
    if (!tls)
        return rc_raise(RC_AUTH, "no TLS");
    char exporter[65];
    char own[65];
    char peer[65];
    char text[512];
    int n = snprintf(text, sizeof(text), "%s %s %s %s",
                     enc_hex(exporter, tls->exporter, 32),
                     enc_hex(own, tls->own_spki, 32),
                     enc_hex(peer, tls->peer_spki, 32), tls->peer_uri);
    return http_reply(c, 200, "text/plain", text, (size_t)n);
}

static const struct http_route routes[] = {
    { "GET", "/public", HTTP_PUBLIC, 0, on_tls },
    { "GET", "/cert", HTTP_CERT, 0, on_tls },
    { "POST", "/peer", HTTP_PEER, 4 << 20, on_tls },
    { "GET", "/local", HTTP_LOCAL, 0, on_tls },
    { NULL, NULL, HTTP_PUBLIC, 0, NULL },
};

static enum rc check(struct http_call *c, void *ctx)
{
    struct world *w = ctx;
    size_t len;
    http_call_body(c, &len);
    assert_int_equal(len, 0); /* asked before the body is read */
    atomic_fetch_add(&w->n_checks, 1);
    return atomic_load(&w->attested)
                   ? RC_OK
                   : rc_raise(RC_ATTEST, "not attested on this connection");
}

static void stranger(const char *from, const char *why, void *ctx)
{
    struct world *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->n_strangers++;
    snprintf(w->from, sizeof(w->from), "%s", from);
    snprintf(w->why, sizeof(w->why), "%s", why);
    pthread_mutex_unlock(&w->lock);
}

static void serve_as(struct world *w, const struct pki_id *id)
{
    struct http_server_config config = {
        .kind = HTTP_ON_PEER,
        .listen_fd = home_listen(w->url, "https"),
        .routes = routes,
        .ctx = w,
        .tls = pki_files(id),
        .guard = { .check = check, .stranger = stranger, .ctx = w },
        .threads = 2,
    };
    assert_ok(http_server_start(&w->server, &config));
}

static void good_leaf(struct pki_id *out, const struct pki *p, const char *name,
                      const char *san)
{
    pki_leaf(out, p, name, san, -60, 3600);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    pthread_mutex_init(&w->lock, NULL);
    home_make(&w->home);
    pki_make(&w->ca, w->home.dir, "ca");
    pki_make(&w->rogue, w->home.dir, "rogue");
    good_leaf(&w->server_id, &w->ca, "server", "URI:" SERVER_URI);
    good_leaf(&w->client_id, &w->ca, "client", "URI:" CLIENT_URI);
    serve_as(w, &w->server_id);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    http_server_stop(w->server);
    pki_wipe(&w->ca);
    pki_wipe(&w->rogue);
    home_remove(&w->home);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return 0;
}

/* One request by a fresh client. */
static enum rc ask_as(struct world *w, const struct pki_id *id, const char *uri,
                      const char *method, const char *path, size_t body_len,
                      struct http_answer *a)
{
    struct http_client *client;
    struct http_peer *peer;
    struct http_tls_files files = pki_files(id);
    uint8_t *body = calloc(1, body_len + 1);
    assert_ok(http_client_new(&client, &files, NULL));
    assert_ok(http_peer_new(&peer, client, w->url, uri, 1));
    enum rc rc = http_ask(a, peer, method, path, body, body_len, 4096,
                          home_soon());
    http_client_free(client);
    free(body);
    return rc;
}

static enum rc visit(struct world *w, const struct pki_id *id, const char *uri)
{
    struct http_answer a = { 0 };
    enum rc rc = ask_as(w, id, uri, "GET", "/public", 0, &a);
    http_answer_free(&a);
    return rc;
}

/* ---- who gets in ----------------------------------------------------- */

static void client_of_the_deployment_is_served(void **state)
{
    struct world *w = *state;
    assert_ok(visit(w, &w->client_id, SERVER_URI));
    assert_int_equal(atomic_load(&w->n_calls), 1);
}

/* A client of our own making: what libcurl would not do for us. */
static bool raw_visit(struct world *w, const struct pki_id *id, int version,
                      bool *shook)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(ctx);
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    if (id) {
        assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, id->cert), 1);
        assert_int_equal(
                SSL_CTX_use_PrivateKey_file(ctx, id->key, SSL_FILETYPE_PEM), 1);
    }
    BIO *bio = BIO_new_ssl_connect(ctx);
    assert_non_null(bio);
    BIO_set_conn_hostname(bio, w->url + strlen("https://"));
    static const char get[] = "GET /public HTTP/1.1\r\nHost: x\r\n\r\n";
    char got[16] = "";
    *shook = BIO_do_connect(bio) == 1 && BIO_do_handshake(bio) == 1;
    bool ok = *shook && BIO_write(bio, get, sizeof(get) - 1) > 0 &&
              BIO_read(bio, got, 12) == 12;
    BIO_free_all(bio);
    SSL_CTX_free(ctx);
    return ok && strcmp(got, "HTTP/1.1 200") == 0;
}

static void client_without_certificate_never_reaches_a_handler(void **state)
{
    struct world *w = *state;
    bool shook; /* with TLS 1.3 the client only learns it by reading */
    assert_true(raw_visit(w, &w->client_id, TLS1_3_VERSION, &shook));
    assert_int_equal(atomic_load(&w->n_calls), 1);
    assert_false(raw_visit(w, NULL, TLS1_3_VERSION, &shook));
    assert_int_equal(atomic_load(&w->n_calls), 1);
}

/* A page for browsers: TLS, nobody asked for a certificate, public rows. */
static void plain_tls_serves_public_rows_to_anybody(void **state)
{
    struct world *w = *state;
    bool shook;
    http_server_stop(w->server);
    w->server = NULL;
    struct http_server_config config = {
        .kind = HTTP_ON_TLS,
        .listen_fd = home_listen(w->url, "https"),
        .routes = routes,
        .ctx = w,
        .tls = { .cert = w->server_id.cert, .key = w->server_id.key },
        .threads = 1,
    };
    assert_ok(http_server_start(&w->server, &config));
    /* on_tls() finds no mutual TLS and refuses: it was reached */
    assert_false(raw_visit(w, NULL, TLS1_3_VERSION, &shook));
    assert_true(shook);
    assert_int_equal(atomic_load(&w->n_calls), 1);
    struct http_answer a = { 0 };
    assert_rc(ask_as(w, &w->client_id, SERVER_URI, "GET", "/cert", 0, &a),
              RC_UNKNOWN);
    assert_int_equal(atomic_load(&w->n_calls), 1);
}

static void tls12_client_is_refused(void **state)
{
    struct world *w = *state;
    bool shook;
    assert_false(raw_visit(w, &w->client_id, TLS1_2_VERSION, &shook));
    assert_false(shook); /* not even the handshake */
    assert_int_equal(atomic_load(&w->n_calls), 0);
    assert_true(raw_visit(w, &w->client_id, TLS1_3_VERSION, &shook));
}

static void client_of_a_rogue_ca_never_reaches_a_handler(void **state)
{
    struct world *w = *state;
    struct pki_id id;
    good_leaf(&id, &w->rogue, "client", "URI:" CLIENT_URI);
    strcpy(id.ca, w->ca.ca_path); /* it would accept the server */
    assert_rc(visit(w, &id, SERVER_URI), RC_AUTH);
    assert_non_null(strstr(rc_text(), "refused our certificate"));
    assert_true(rc_hint_text()[0] != '\0');
    assert_int_equal(atomic_load(&w->n_calls), 0);
}

static void certificate_without_uri_is_refused(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *why;
        const char *name;
        const char *san;
        int64_t from_s;
        int64_t to_s;
    } cases[] = {
        { "no names at all", "none", NULL, -60, 60 },
        { "only a host name", "dns", "DNS:node2", -60, 60 },
        { "two URIs", "two", "URI:" CLIENT_URI ",URI:mpc://dep/ca/x", -60, 60 },
        { "a space in the URI", "space", "URI:mpc://dep/a b", -60, 60 },
        { "expired", "expired", "URI:" CLIENT_URI, -60, -30 },
        { "not valid yet", "early", "URI:" CLIENT_URI, 600, 1200 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pki_id id;
        pki_leaf(&id, &w->ca, cases[i].name, cases[i].san, cases[i].from_s,
                 cases[i].to_s);
        if (visit(w, &id, SERVER_URI) != RC_AUTH)
            fail_msg("%s: %s", cases[i].why, rc_text());
    }
    assert_int_equal(atomic_load(&w->n_calls), 0);
}

/* The n-th stranger was told of, for that reason. */
static void assert_told(struct world *w, int n, const char *why)
{
    int64_t end = home_soon();
    bool told = false;
    while (!told && clock_mono_ms() < end) {
        pthread_mutex_lock(&w->lock);
        told = w->n_strangers == n;
        pthread_mutex_unlock(&w->lock);
        usleep(1000);
    }
    pthread_mutex_lock(&w->lock);
    if (!told || !strstr(w->why, why) || strncmp(w->from, "127.0.0.1:", 10))
        fail_msg("%d told, want %d: %s from %s, want %s", w->n_strangers, n,
                 w->why, w->from, why);
    pthread_mutex_unlock(&w->lock);
}

static void a_failed_handshake_is_told_with_its_reason(void **state)
{
    struct world *w = *state;
    struct pki_id id;
    bool shook;
    int n = 0;
    assert_true(raw_visit(w, &w->client_id, TLS1_3_VERSION, &shook));
    assert_false(raw_visit(w, NULL, TLS1_3_VERSION, &shook));
    assert_told(w, ++n, "no client certificate");
    assert_false(raw_visit(w, &w->client_id, TLS1_2_VERSION, &shook));
    assert_told(w, ++n, "not TLS 1.3");
    good_leaf(&id, &w->rogue, "client", "URI:" CLIENT_URI);
    assert_false(raw_visit(w, &id, TLS1_3_VERSION, &shook));
    assert_told(w, ++n, "issuer is unknown");
    pki_leaf(&id, &w->ca, "old", "URI:" CLIENT_URI, -60, -30);
    assert_false(raw_visit(w, &id, TLS1_3_VERSION, &shook));
    assert_told(w, ++n, "expired");
    pki_leaf(&id, &w->ca, "early", "URI:" CLIENT_URI, 600, 1200);
    assert_false(raw_visit(w, &id, TLS1_3_VERSION, &shook));
    assert_told(w, ++n, "not yet");
    good_leaf(&id, &w->ca, "none", "DNS:node2");
    assert_false(raw_visit(w, &id, TLS1_3_VERSION, &shook));
    assert_told(w, ++n, "0 URIs, want one");
    assert_int_equal(atomic_load(&w->n_calls), 1);
}

static void who_sends_no_tls_is_no_stranger(void **state)
{
    struct world *w = *state;
    bool shook;
    BIO *bio = BIO_new_connect(w->url + strlen("https://"));
    assert_int_equal(BIO_do_connect(bio), 1);
    BIO_free_all(bio); /* as a probe of the port does */
    assert_false(raw_visit(w, NULL, TLS1_3_VERSION, &shook));
    assert_told(w, 1, "no client certificate");
    http_server_stop(w->server);
    w->server = NULL;
    assert_told(w, 1, "no client certificate");
}

static void other_names_beside_the_uri_are_fine(void **state)
{
    struct world *w = *state;
    struct pki_id id;
    good_leaf(&id, &w->ca, "more", "DNS:localhost,URI:" CLIENT_URI ",IP:::1");
    assert_ok(visit(w, &id, SERVER_URI));
}

/* ---- whom the client accepts ----------------------------------------- */

static void a_wrong_server_uri_is_refused(void **state)
{
    struct world *w = *state;
    static const char *const wrong[] = {
        "mpc://dep/sidecar/node3",
        "mpc://dep/sidecar/node",
        "mpc://dep/sidecar/node11",
        "MPC://dep/sidecar/node1",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_rc(visit(w, &w->client_id, wrong[i]), RC_AUTH);
        assert_non_null(strstr(rc_text(), SERVER_URI));
        assert_non_null(strstr(rc_text(), wrong[i]));
    }
    assert_int_equal(atomic_load(&w->n_calls), 0);
}

static void bad_servers_are_refused_by_the_client(void **state)
{
    struct world *w = *state;
    struct pki_id rogue;
    struct pki_id nameless;
    good_leaf(&rogue, &w->rogue, "server", "URI:" SERVER_URI);
    good_leaf(&nameless, &w->ca, "nameless", "DNS:localhost");
    const struct pki_id *const bad[] = { &rogue, &nameless };
    for (size_t i = 0; i < 2; i++) {
        http_server_stop(w->server);
        serve_as(w, bad[i]);
        assert_rc(visit(w, &w->client_id, SERVER_URI), RC_AUTH);
    }
    assert_int_equal(atomic_load(&w->n_calls), 0);
}

static void unusable_files_are_named(void **state)
{
    struct world *w = *state;
    struct pki_id mixed = w->client_id;
    strcpy(mixed.key, w->server_id.key);
    struct http_tls_files files = pki_files(&mixed);
    struct http_client *client = NULL;
    assert_rc(http_client_new(&client, &files, NULL), RC_ARG);
    assert_null(client);
    struct http_server_config config = {
        .kind = HTTP_ON_PEER, .routes = routes, .tls = files, .threads = 1
    };
    struct http_server *server = NULL;
    char url[64];
    config.listen_fd = home_listen(url, "https");
    assert_rc(http_server_start(&server, &config), RC_ARG);
    assert_null(server);
    config.tls.key = "/nonexistent";
    config.listen_fd = home_listen(url, "https");
    assert_rc(http_server_start(&server, &config), RC_UNKNOWN);
    config.tls.key = NULL;
    config.listen_fd = home_listen(url, "https");
    assert_rc(http_server_start(&server, &config), RC_ARG);
}

/* ---- rows ------------------------------------------------------------ */

static void unattested_peer_never_reaches_a_peer_row(void **state)
{
    struct world *w = *state;
    struct http_answer a = { 0 };
    assert_rc(
            ask_as(w, &w->client_id, SERVER_URI, "POST", "/peer", 1 << 20, &a),
            RC_ATTEST);
    assert_int_equal(atomic_load(&w->n_calls), 0);
    assert_int_equal(atomic_load(&w->n_checks), 1);
    assert_ok(ask_as(w, &w->client_id, SERVER_URI, "GET", "/cert", 0, &a));
    http_answer_free(&a);
    assert_int_equal(atomic_load(&w->n_checks), 1);
    atomic_store(&w->attested, true);
    assert_ok(
            ask_as(w, &w->client_id, SERVER_URI, "POST", "/peer", 1 << 20, &a));
    http_answer_free(&a);
    assert_int_equal(atomic_load(&w->n_calls), 2);
}

static void local_route_is_hidden_on_the_peer_listener(void **state)
{
    struct world *w = *state;
    struct http_answer a = { 0 };
    assert_rc(ask_as(w, &w->client_id, SERVER_URI, "GET", "/local", 0, &a),
              RC_UNKNOWN);
}

/* ---- the connection's own facts -------------------------------------- */

struct seen {
    struct http_tls tls;
    int n;
};

static void just_ready(struct http_lane *l, void *ctx)
{
    (void)ctx;
    http_lane_ready(l, RC_OK);
}

static enum rc see(struct http_lane *l, const struct http_tls *tls, void *ctx)
{
    struct seen *s = ctx;
    s->tls = *tls;
    s->n++;
    assert_memory_equal(tls, http_lane_tls(l), sizeof(*tls));
    return RC_OK;
}

static void same_on_both_ends(const struct http_tls *tls,
                              const struct http_answer *a)
{
    char exporter[65];
    char own[65];
    char peer[65];
    char want[512];
    /* what is the server's own is the client's peer */
    snprintf(want, sizeof(want), "%s %s %s %s",
             enc_hex(exporter, tls->exporter, 32),
             enc_hex(own, tls->peer_spki, 32), enc_hex(peer, tls->own_spki, 32),
             CLIENT_URI);
    assert_string_equal(tls->peer_uri, SERVER_URI);
    assert_string_equal((const char *)a->body, want);
}

static void both_ends_see_the_same_exporter(void **state)
{
    struct world *w = *state;
    struct seen s[2] = { 0 };
    for (int i = 0; i < 2; i++) {
        struct http_client *client;
        struct http_peer *peer;
        struct http_tls_files files = pki_files(&w->client_id);
        struct http_client_guard guard = { .opened = just_ready,
                                           .gate = see,
                                           .ctx = &s[i] };
        assert_ok(http_client_new(&client, &files, &guard));
        assert_ok(http_peer_new(&peer, client, w->url, SERVER_URI, 1));
        for (int n = 0; n < 3; n++) {
            struct http_answer a;
            struct http_tls before = s[i].tls;
            assert_ok(http_ask(&a, peer, "GET", "/cert", NULL, 0, 4096,
                               home_soon()));
            same_on_both_ends(&s[i].tls, &a);
            if (n > 0) /* a kept connection keeps it */
                assert_memory_equal(&before, &s[i].tls, sizeof(before));
            http_answer_free(&a);
        }
        assert_int_equal(s[i].n, 3);
        http_client_free(client);
    }
    /* another connection has another one */
    assert_memory_not_equal(s[0].tls.exporter, s[1].tls.exporter, 32);
    assert_memory_equal(s[0].tls.peer_spki, s[1].tls.peer_spki, 32);
    assert_memory_not_equal(s[0].tls.peer_spki, s[0].tls.own_spki, 32);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(client_of_the_deployment_is_served),
        IN_WORLD(client_without_certificate_never_reaches_a_handler),
        IN_WORLD(plain_tls_serves_public_rows_to_anybody),
        IN_WORLD(tls12_client_is_refused),
        IN_WORLD(client_of_a_rogue_ca_never_reaches_a_handler),
        IN_WORLD(certificate_without_uri_is_refused),
        IN_WORLD(a_failed_handshake_is_told_with_its_reason),
        IN_WORLD(who_sends_no_tls_is_no_stranger),
        IN_WORLD(other_names_beside_the_uri_are_fine),
        IN_WORLD(a_wrong_server_uri_is_refused),
        IN_WORLD(bad_servers_are_refused_by_the_client),
        IN_WORLD(unusable_files_are_named),
        IN_WORLD(unattested_peer_never_reaches_a_peer_row),
        IN_WORLD(local_route_is_hidden_on_the_peer_listener),
        IN_WORLD(both_ends_see_the_same_exporter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

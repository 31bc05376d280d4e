/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes under a guard: bound before use, checked before each request, bound
 * again when the connection is another. The guard here binds with the
 * exporter in clear; only the moments matter, not the proof.
 */
#include "test.h"

#include "http/http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/enc.h"
#include "home.h"
#include "pki.h"

#define SERVER_URI "mpc://dep/sidecar/node1"
#define CLIENT_URI "mpc://dep/sidecar/node2"

struct world {
    struct home home;
    struct pki ca;
    struct pki_id server_id;
    struct pki_id client_id;
    struct http_server *server;
    int reserve_fd; /* bound, never listening: keeps our port for restarts */
    char addr[32];
    char url[64];
    /* the server's side */
    atomic_int n_binds;
    atomic_int n_work;
    atomic_int n_conns_freed;
    atomic_int forget;       /* answer so many checks with RC_ATTEST */
    atomic_bool refuse_bind; /* the binding route fails */
    char reply_policy[32];   /* MPC-Policy of replies; "" sends none */
    char got_policy[32];     /* of the latest request */
    pthread_mutex_t lock;    /* the strings, and held */
    struct http_call *held;
    /* the client's side */
    struct http_client *client;
    struct http_peer *peer;
    struct http_loop *loop;
    struct http_lane *lane; /* the latest one opened */
    int n_opened;
    int n_gates;
    int n_closed;
    enum rc gate_rc;
    bool gate_forgets; /* once */
};

/* ---- server ---------------------------------------------------------- */

static enum rc on_bind(struct http_call *c, void *ctx)
{
    struct world *w = ctx;
    if (atomic_load(&w->refuse_bind))
        return rc_raise(RC_ATTEST, "evidence refused");
    atomic_fetch_add(&w->n_binds, 1);
    if (!http_conn_get(c))
        http_conn_set(c, w);
    return http_reply(c, 204, NULL, NULL, 0);
}

static enum rc on_work(struct http_call *c, void *ctx)
{
    struct world *w = ctx;
    atomic_fetch_add(&w->n_work, 1);
    const char *policy = http_call_header(c, "MPC-Policy");
    pthread_mutex_lock(&w->lock);
    snprintf(w->got_policy, sizeof(w->got_policy), "%s", policy ? policy : "");
    pthread_mutex_unlock(&w->lock);
    return http_reply(c, 200, NULL, "{}", 2);
}

static enum rc on_hold(struct http_call *c, void *ctx)
{
    struct world *w = ctx;
    atomic_fetch_add(&w->n_work, 1);
    http_defer(c);
    pthread_mutex_lock(&w->lock);
    w->held = c;
    pthread_mutex_unlock(&w->lock);
    return RC_OK;
}

static const struct http_route routes[] = {
    { "POST", "/bind", HTTP_CERT, 100, on_bind },
    { "POST", "/work", HTTP_PEER, 100, on_work },
    { "POST", "/hold", HTTP_PEER, 100, on_hold },
    { NULL, NULL, HTTP_PUBLIC, 0, NULL },
};

static enum rc check(struct http_call *c, void *ctx)
{
    struct world *w = ctx;
    if (http_conn_get(c) != w)
        return rc_raise(RC_ATTEST, "connection not bound");
    int left = atomic_load(&w->forget);
    while (left > 0 &&
           !atomic_compare_exchange_weak(&w->forget, &left, left - 1))
        ;
    if (left > 0)
        return rc_raise(RC_ATTEST, "binding forgotten");
    return RC_OK;
}

static void add_policy(struct http_call *c, void *ctx)
{
    struct world *w = ctx;
    char policy[32];
    pthread_mutex_lock(&w->lock);
    memcpy(policy, w->reply_policy, sizeof(policy));
    pthread_mutex_unlock(&w->lock);
    if (policy[0] && http_reply_header(c, "MPC-Policy", policy) != RC_OK)
        abort();
}

static void conn_free(void *conn_state)
{
    struct world *w = conn_state;
    atomic_fetch_add(&w->n_conns_freed, 1);
}

static void reserve_port(struct world *w)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(sa);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)),
                     0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    snprintf(w->addr, sizeof(w->addr), "127.0.0.1:%u", ntohs(sa.sin_port));
    snprintf(w->url, sizeof(w->url), "https://%s", w->addr);
    w->reserve_fd = fd;
}

static void serve(struct world *w)
{
    struct http_server_config config = {
        .kind = HTTP_ON_PEER,
        .routes = routes,
        .ctx = w,
        .tls = pki_files(&w->server_id),
        .guard = { .check = check,
                   .reply = add_policy,
                   .conn_free = conn_free,
                   .ctx = w },
        .threads = 2,
    };
    assert_ok(sock_tcp_listen(&config.listen_fd, NULL, w->addr));
    assert_ok(http_server_start(&w->server, &config));
}

/* ---- guard ----------------------------------------------------------- */

static void on_bound(const struct http_reply_view *v, void *arg)
{
    struct http_lane *l = arg;
    if (v->rc != RC_OK || v->status != 204) {
        enum rc rc = v->rc != RC_OK ? v->rc : v->problem;
        http_lane_ready(l, rc_raise(rc, "binding: %s", v->why));
        return;
    }
    struct http_tls *bound = malloc(sizeof(*bound));
    assert_non_null(bound);
    assert_non_null(http_lane_tls(l));
    *bound = *http_lane_tls(l);
    http_lane_state_set(l, bound);
    http_lane_ready(l, RC_OK);
}

static void opened(struct http_lane *l, void *ctx)
{
    struct world *w = ctx;
    w->n_opened++;
    w->lane = l;
    assert_string_equal(http_peer_uri(http_lane_peer(l)), SERVER_URI);
    assert_null(http_lane_state(l));
    http_lane_send(l, "POST", "/bind", "{}", 2, 4096, home_soon(), on_bound, l);
}

static enum rc gate(struct http_lane *l, const struct http_tls *tls, void *ctx)
{
    struct world *w = ctx;
    const struct http_tls *bound = http_lane_state(l);
    w->n_gates++;
    assert_non_null(bound);
    if (w->gate_rc != RC_OK)
        return rc_raise(w->gate_rc, "gate closed");
    if (w->gate_forgets) {
        w->gate_forgets = false;
        return rc_raise(RC_ORDER, "binding forgotten here");
    }
    if (memcmp(bound->exporter, tls->exporter, 32) != 0)
        return rc_raise(RC_ORDER, "another connection than was bound");
    return RC_OK;
}

static enum rc judge(struct http_lane *l, const char *policy, void *ctx)
{
    (void)l;
    (void)ctx;
    if (policy && strcmp(policy, "good") == 0)
        return RC_OK;
    return rc_raise(RC_POLICY_HASH, "reply under policy %s",
                    policy ? policy : "(none)");
}

static const char *own_policy(void *ctx)
{
    (void)ctx;
    return "mine";
}

static void closed(struct http_lane *l, void *lane_state, void *ctx)
{
    (void)l;
    struct world *w = ctx;
    w->n_closed++;
    free(lane_state);
}

/* ---- the world ------------------------------------------------------- */

static void connect_with(struct world *w, unsigned lanes)
{
    struct http_tls_files files = pki_files(&w->client_id);
    struct http_client_guard guard = { .opened = opened,
                                       .gate = gate,
                                       .reply = judge,
                                       .request_header = own_policy,
                                       .closed = closed,
                                       .ctx = w };
    assert_ok(http_client_new(&w->client, &files, &guard));
    assert_ok(http_loop_new(&w->loop, w->client));
    assert_ok(http_peer_new(&w->peer, w->client, w->url, SERVER_URI, lanes));
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    pthread_mutex_init(&w->lock, NULL);
    strcpy(w->reply_policy, "good");
    home_make(&w->home);
    pki_make(&w->ca, w->home.dir, "ca");
    pki_leaf(&w->server_id, &w->ca, "server", "URI:" SERVER_URI, -60, 3600);
    pki_leaf(&w->client_id, &w->ca, "client", "URI:" CLIENT_URI, -60, 3600);
    reserve_port(w);
    serve(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    http_loop_free(w->loop);
    http_client_free(w->client);
    http_server_stop(w->server);
    /* every state came back, on both sides */
    assert_int_equal(w->n_closed +
                             (atomic_load(&w->refuse_bind) ? w->n_opened : 0),
                     w->n_opened);
    assert_true(atomic_load(&w->n_conns_freed) <= atomic_load(&w->n_binds));
    close(w->reserve_fd);
    pki_wipe(&w->ca);
    home_remove(&w->home);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return 0;
}

static enum rc work(struct world *w)
{
    struct http_answer a = { 0 };
    enum rc rc = http_ask(&a, w->peer, "POST", "/work", "{}", 2, 4096,
                          home_soon());
    http_answer_free(&a);
    return rc;
}

/* ---- sentences ------------------------------------------------------- */

static void lane_is_bound_once_and_gated_each_time(void **state)
{
    struct world *w = *state;
    connect_with(w, 1);
    for (int i = 0; i < 5; i++)
        assert_ok(work(w));
    assert_int_equal(w->n_opened, 1);
    assert_int_equal(w->n_gates, 5);
    assert_int_equal(atomic_load(&w->n_binds), 1);
    assert_int_equal(atomic_load(&w->n_work), 5);
    assert_string_equal(w->got_policy, "mine");
}

static void gate_stops_a_request_before_its_first_byte(void **state)
{
    struct world *w = *state;
    connect_with(w, 1);
    assert_ok(work(w));
    w->gate_rc = RC_POLICY;
    assert_rc(work(w), RC_POLICY);
    assert_string_equal(rc_text(), "gate closed");
    assert_int_equal(atomic_load(&w->n_work), 1);
    w->gate_rc = RC_OK;
    assert_ok(work(w));
    assert_int_equal(atomic_load(&w->n_work), 2);
}

static void gate_that_never_opens_is_asked_twice(void **state)
{
    struct world *w = *state;
    connect_with(w, 1);
    w->gate_rc = RC_ORDER;
    assert_rc(work(w), RC_ORDER);
    assert_int_equal(w->n_gates, 2);
    assert_int_equal(w->n_opened, 2);
    assert_int_equal(atomic_load(&w->n_work), 0);
}

static void lane_is_bound_again_after_the_server_restarts(void **state)
{
    struct world *w = *state;
    connect_with(w, 1);
    assert_ok(work(w));
    for (int i = 0; i < 3; i++) {
        http_server_stop(w->server);
        serve(w);
        assert_ok(work(w));
    }
    assert_int_equal(w->n_opened, 4);
    assert_int_equal(atomic_load(&w->n_binds), 4);
    assert_int_equal(atomic_load(&w->n_work), 4);
}

static void binding_that_the_server_forgot_is_made_again(void **state)
{
    struct world *w = *state;
    connect_with(w, 1);
    assert_ok(work(w));
    struct http_tls before = *http_lane_tls(w->lane);
    atomic_store(&w->forget, 1);
    assert_ok(work(w));
    assert_int_equal(w->n_opened, 2);
    assert_int_equal(atomic_load(&w->n_work), 2);
    /* on the same connection: a refusal does not cost a handshake */
    assert_memory_equal(before.exporter, http_lane_tls(w->lane)->exporter, 32);
}

static void both_ends_may_forget_the_binding_of_one_request(void **state)
{
    struct world *w = *state;
    connect_with(w, 1);
    assert_ok(work(w));
    w->gate_forgets = true;
    atomic_store(&w->forget, 1);
    assert_ok(work(w));
    assert_int_equal(w->n_opened, 3);
    assert_int_equal(atomic_load(&w->n_work), 2);
}

static void request_outlives_that_all_lanes_are_forgotten(void **state)
{
    struct world *w = *state;
    struct outcome o = { 0 };
    connect_with(w, 2);
    for (int i = 0; i < 2; i++)
        http_send(w->peer, "POST", "/work", "{}", 2, 4096, home_soon(),
                  outcome_done, &o);
    home_drive(w->loop, &o.n_done, 2);
    assert_int_equal(w->n_opened, 2);
    atomic_store(&w->forget, 2);
    assert_ok(work(w));
    assert_int_equal(atomic_load(&w->n_work), 3);
    /* but not a server that never remembers */
    atomic_store(&w->forget, 100);
    assert_rc(work(w), RC_ATTEST);
    assert_int_equal(atomic_load(&w->forget), 97);
}

static void unbound_lane_is_bound_before_its_next_use(void **state)
{
    struct world *w = *state;
    connect_with(w, 1);
    assert_ok(work(w));
    struct outcome o = { 0 };
    http_send(w->peer, "POST", "/hold", "{}", 2, 4096, home_soon(),
              outcome_done, &o);
    for (bool held = false; !held;) {
        assert_ok(http_loop_run(w->loop, 50));
        pthread_mutex_lock(&w->lock);
        held = w->held != NULL;
        pthread_mutex_unlock(&w->lock);
    }
    http_lane_unbind(w->lane); /* busy: takes effect when it is done */
    assert_int_equal(w->n_closed, 0);
    assert_ok(http_reply(w->held, 200, NULL, "{}", 2));
    home_drive(w->loop, &o.n_done, 1);
    assert_int_equal(o.status, 200);
    assert_int_equal(w->n_closed, 1);
    assert_int_equal(w->n_opened, 1);
    assert_ok(work(w));
    assert_int_equal(w->n_opened, 2);
    http_lane_unbind(w->lane); /* idle: at once */
    assert_int_equal(w->n_closed, 2);
    assert_ok(work(w));
    assert_int_equal(w->n_opened, 3);
}

static void failed_binding_fails_what_waits_for_it(void **state)
{
    struct world *w = *state;
    struct outcome o = { 0 };
    connect_with(w, 1);
    atomic_store(&w->refuse_bind, true);
    for (int i = 0; i < 3; i++)
        http_send(w->peer, "POST", "/work", "{}", 2, 4096, home_soon(),
                  outcome_done, &o);
    home_drive(w->loop, &o.n_done, 3);
    assert_int_equal(o.rc, RC_ATTEST);
    assert_string_equal(o.why, "binding: evidence refused");
    assert_int_equal(w->n_opened, 1);
    assert_int_equal(atomic_load(&w->n_work), 0);
}

static void lanes_never_share_a_connection(void **state)
{
    struct world *w = *state;
    struct outcome o = { 0 };
    connect_with(w, 4);
    for (int round = 1; round <= 25; round++) {
        for (int i = 0; i < 8; i++)
            http_send(w->peer, "POST", "/work", "{}", 2, 4096, home_soon(),
                      outcome_done, &o);
        home_drive(w->loop, &o.n_done, round * 8);
        assert_int_equal(o.rc, RC_OK);
        assert_int_equal(o.status, 200);
    }
    /* a lane on another's connection would have been bound again */
    assert_in_range(w->n_opened, 1, 4);
    assert_int_equal(w->n_gates, 200);
    assert_int_equal(atomic_load(&w->n_work), 200);
}

static void policy_header_mismatch_in_a_reply_fails_the_call(void **state)
{
    struct world *w = *state;
    connect_with(w, 1);
    assert_ok(work(w));
    static const char *const bad[] = { "other", "" };
    for (size_t i = 0; i < 2; i++) {
        pthread_mutex_lock(&w->lock);
        strcpy(w->reply_policy, bad[i]);
        pthread_mutex_unlock(&w->lock);
        assert_rc(work(w), RC_POLICY_HASH);
    }
    pthread_mutex_lock(&w->lock);
    strcpy(w->reply_policy, "good");
    pthread_mutex_unlock(&w->lock);
    assert_ok(work(w));
    assert_int_equal(w->n_opened, 1);
}

static void wrong_server_is_never_bound(void **state)
{
    struct world *w = *state;
    http_server_stop(w->server);
    w->server_id = w->client_id;
    serve(w);
    connect_with(w, 1);
    atomic_store(&w->refuse_bind, true); /* no state will be made */
    assert_rc(work(w), RC_AUTH);
    assert_non_null(strstr(rc_text(), CLIENT_URI));
    assert_int_equal(atomic_load(&w->n_binds), 0);
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(lane_is_bound_once_and_gated_each_time),
        IN_WORLD(gate_stops_a_request_before_its_first_byte),
        IN_WORLD(gate_that_never_opens_is_asked_twice),
        IN_WORLD(lane_is_bound_again_after_the_server_restarts),
        IN_WORLD(binding_that_the_server_forgot_is_made_again),
        IN_WORLD(both_ends_may_forget_the_binding_of_one_request),
        IN_WORLD(request_outlives_that_all_lanes_are_forgotten),
        IN_WORLD(unbound_lane_is_bound_before_its_next_use),
        IN_WORLD(failed_binding_fails_what_waits_for_it),
        IN_WORLD(lanes_never_share_a_connection),
        IN_WORLD(policy_header_mismatch_in_a_reply_fails_the_call),
        IN_WORLD(wrong_server_is_never_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that come later, from any thread, and the end of a server. */
#include "test.h"

#include "http/http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#include "home.h"

struct world {
    struct home home;
    struct http_client *client;
    struct http_server *server;
    struct http_peer *peer;
    char url[128];
    struct http_call *held; /* under lock, as the pile */
    struct http_call *pile[256];
    int n_pile;
    pthread_mutex_t lock;
    pthread_cond_t moved;
};

static enum rc on_echo(struct http_call *c, void *ctx)
{
    (void)ctx;
    return http_reply(c, 200, NULL, "{}", 2);
}

static enum rc on_hold(struct http_call *c, void *ctx)
{
    struct world *w = ctx;
    /* published before it is deferred: the worse of the two orders */
    pthread_mutex_lock(&w->lock);
    w->held = c;
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
    http_defer(c);
    return RC_OK;
}

static enum rc on_pile(struct http_call *c, void *ctx)
{
    struct world *w = ctx;
    http_defer(c);
    pthread_mutex_lock(&w->lock);
    w->pile[w->n_pile++] = c;
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
    return RC_OK;
}

#define FULL 256 /* as many connections as a server takes */

static const struct http_route routes[] = {
    { "GET", "/once", HTTP_PUBLIC, 0, on_echo },
    { "GET", "/hold", HTTP_PUBLIC, 0, on_hold },
    { "GET", "/pile", HTTP_PUBLIC, 0, on_pile },
    { NULL, NULL, HTTP_PUBLIC, 0, NULL },
};

static void setup_as(struct world *w, enum http_listen_kind kind,
                     unsigned threads)
{
    struct http_server_config config = {
        .kind = kind, .routes = routes, .ctx = w, .threads = threads
    };
    memset(w, 0, sizeof(*w));
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->moved, NULL);
    home_make(&w->home);
    if (kind == HTTP_ON_UNIX) {
        assert_ok(sock_unix_listen(&config.listen_fd, w->home.sock, 0600));
        strcpy(w->url, w->home.unix_url);
    } else {
        config.listen_fd = home_listen(w->url, "http");
    }
    assert_ok(http_server_start(&w->server, &config));
    assert_ok(http_client_new(&w->client, NULL, NULL));
    assert_ok(http_peer_new(&w->peer, w->client, w->url, NULL, 1));
}

static void teardown(struct world *w)
{
    http_client_free(w->client);
    http_server_stop(w->server);
    home_remove(&w->home);
    pthread_cond_destroy(&w->moved);
    pthread_mutex_destroy(&w->lock);
}

static enum rc once(struct world *w)
{
    struct http_answer a = { 0 };
    enum rc rc = http_ask(&a, w->peer, "GET", "/once", NULL, 0, 100,
                          home_soon());
    http_answer_free(&a);
    return rc;
}

/* ---- later ----------------------------------------------------------- */

static struct http_call *take_held(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->held)
        pthread_cond_wait(&w->moved, &w->lock);
    struct http_call *c = w->held;
    w->held = NULL;
    pthread_mutex_unlock(&w->lock);
    return c;
}

static void *answer_later(void *arg)
{
    for (int i = 0; i < 50; i++) {
        struct http_call *c = take_held(arg);
        if (http_reply_header(c, "X-Late", "yes") != RC_OK ||
            http_reply(c, 200, "text/plain", "late", 4) != RC_OK)
            return arg;
    }
    return NULL;
}

static void deferred_call_is_answered_from_another_thread(void **state)
{
    (void)state;
    for (unsigned threads = 0; threads < 3; threads++) {
        struct world w;
        struct http_loop *l;
        pthread_t t;
        void *bad;
        setup_as(&w, HTTP_ON_TCP, threads);
        assert_ok(http_loop_new(&l, w.client));
        if (threads == 0)
            http_loop_add(l, w.server);
        assert_int_equal(pthread_create(&t, NULL, answer_later, &w), 0);
        for (int i = 0; i < 50; i++) {
            struct outcome o = { 0 };
            http_send(w.peer, "GET", "/hold", NULL, 0, 100, home_soon(),
                      outcome_done, &o);
            home_drive(l, &o.n_done, 1);
            assert_int_equal(o.status, 200);
            assert_string_equal(o.body, "late");
        }
        pthread_join(t, &bad);
        assert_null(bad);
        teardown(&w);
        http_loop_free(l);
    }
}

static void a_call_is_answered_once(void **state)
{
    (void)state;
    struct world w;
    struct http_loop *l;
    struct outcome o = { 0 };
    setup_as(&w, HTTP_ON_TCP, 0);
    assert_ok(http_loop_new(&l, w.client));
    http_loop_add(l, w.server);
    http_send(w.peer, "GET", "/hold", NULL, 0, 100, home_soon(), outcome_done,
              &o);
    while (!w.held)
        assert_ok(http_loop_run(l, 100));
    assert_ok(http_reply(w.held, 201, "text/plain", "one", 3));
    assert_rc(http_reply(w.held, 202, "text/plain", "two", 3), RC_ORDER);
    home_drive(l, &o.n_done, 1);
    assert_int_equal(o.status, 201);
    teardown(&w);
    http_loop_free(l);
}

static void stop_answers_deferred_calls(void **state)
{
    (void)state;
    for (unsigned threads = 0; threads < 3; threads++) {
        struct world w;
        struct http_loop *l;
        struct outcome o = { 0 };
        setup_as(&w, HTTP_ON_TCP, threads);
        assert_ok(http_loop_new(&l, w.client));
        if (threads == 0)
            http_loop_add(l, w.server);
        http_send(w.peer, "GET", "/hold", NULL, 0, 4096, home_soon(),
                  outcome_done, &o);
        for (bool held = false; !held;) {
            assert_ok(http_loop_run(l, 50));
            pthread_mutex_lock(&w.lock);
            held = w.held != NULL;
            pthread_mutex_unlock(&w.lock);
        }
        assert_int_equal(o.n_done, 0);
        http_server_stop(w.server);
        w.server = NULL;
        home_drive(l, &o.n_done, 1);
        assert_int_equal(o.rc, RC_OK);
        assert_int_equal(o.status, 503);
        assert_int_equal(o.problem, RC_UNREACHABLE);
        teardown(&w);
        http_loop_free(l);
    }
}

/* ---- stop under load ------------------------------------------------- */

#define CALLERS 4

static void *call_until_refused(void *arg)
{
    struct world *w = arg;
    struct http_client *client;
    struct http_peer *peer;
    if (http_client_new(&client, NULL, NULL) != RC_OK ||
        http_peer_new(&peer, client, w->url, NULL, 1) != RC_OK)
        abort();
    static char wrong[] = "neither an answer nor the end";
    char *bad = NULL;
    for (;;) {
        struct http_answer a = { 0 };
        enum rc rc = http_ask(&a, peer, "GET", "/pile", NULL, 0, 4096,
                              home_soon());
        if (rc == RC_UNREACHABLE)
            break;
        if (rc != RC_OK || strcmp((const char *)a.body, "late") != 0)
            bad = wrong;
        http_answer_free(&a);
        if (bad)
            break;
    }
    http_client_free(client);
    return bad;
}

/* Answers what lies on the pile until it has seen enough. */
static void *answer_some(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < 300; i++) {
        pthread_mutex_lock(&w->lock);
        while (w->n_pile == 0)
            pthread_cond_wait(&w->moved, &w->lock);
        struct http_call *c = w->pile[--w->n_pile];
        pthread_mutex_unlock(&w->lock);
        if (http_reply(c, 200, "text/plain", "late", 4) != RC_OK)
            return w;
    }
    return NULL;
}

static void stop_under_load_answers_everybody(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        struct world w;
        pthread_t callers[CALLERS];
        pthread_t answerer;
        void *bad;
        setup_as(&w, HTTP_ON_UNIX, 2);
        assert_int_equal(pthread_create(&answerer, NULL, answer_some, &w), 0);
        for (int i = 0; i < CALLERS; i++)
            assert_int_equal(
                    pthread_create(&callers[i], NULL, call_until_refused, &w),
                    0);
        pthread_join(answerer, &bad);
        assert_null(bad);
        http_server_stop(w.server);
        w.server = NULL;
        for (int i = 0; i < CALLERS; i++) {
            pthread_join(callers[i], &bad);
            if (bad)
                fail_msg("%s", (const char *)bad);
        }
        teardown(&w);
    }
}

static void stop_frees_the_address(void **state)
{
    (void)state;
    struct world w;
    setup_as(&w, HTTP_ON_UNIX, 2);
    assert_ok(once(&w));
    http_server_stop(w.server);
    w.server = NULL;
    assert_rc(once(&w), RC_UNREACHABLE);
    teardown(&w);
}

/* ---- a full server --------------------------------------------------------- */

/* The server bounds the connections of one address, so they have several. */
static int dial(const struct world *w, unsigned i)
{
    struct sockaddr_in own = {
        .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK + i / 100) }
    };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    to.sin_port = htons((uint16_t)atoi(strrchr(w->url, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void assert_answered(int fd)
{
    char got[512] = "";
    struct timeval soon = { .tv_sec = HOME_WAIT_MS / 1000 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
    assert_true(read(fd, got, sizeof(got) - 1) > 0);
    assert_non_null(strstr(got, "200 OK"));
}

static void a_full_server_answers_all_it_took(void **state)
{
    (void)state;
    static const char ask[] = "GET /pile HTTP/1.1\r\nHost: a\r\n\r\n";
    static int fd[FULL];
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        struct world w;
        char byte;
        setup_as(&w, HTTP_ON_TCP, threads);
        for (unsigned i = 0; i < FULL; i++) {
            fd[i] = dial(&w, i);
            assert_int_equal(write(fd[i], ask, strlen(ask)), strlen(ask));
        }
        /* every one of them reaches its handler, whatever worker has it */
        pthread_mutex_lock(&w.lock);
        while (w.n_pile < FULL)
            pthread_cond_wait(&w.moved, &w.lock);
        pthread_mutex_unlock(&w.lock);
        /* one more is turned away at once */
        int late = dial(&w, FULL);
        assert_true(read(late, &byte, 1) <= 0);
        close(late);
        for (unsigned i = 0; i < FULL; i++)
            assert_ok(http_reply(w.pile[i], 200, "text/plain", "late", 4));
        for (unsigned i = 0; i < FULL; i++)
            assert_answered(fd[i]);
        for (unsigned i = 0; i < FULL; i++)
            close(fd[i]);
        teardown(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deferred_call_is_answered_from_another_thread),
        cmocka_unit_test(a_full_server_answers_all_it_took),
        cmocka_unit_test(a_call_is_answered_once),
        cmocka_unit_test(stop_answers_deferred_calls),
        cmocka_unit_test(stop_under_load_answers_everybody),
        cmocka_unit_test(stop_frees_the_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

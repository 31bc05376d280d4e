/* SPDX-License-Identifier: Apache-2.0 */
/* The server over plain sockets: rows, limits, callers, slow clients. */
#include "test.h"

#include "http/http.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "home.h"

#define BIG 200000

struct world {
    struct home home;
    struct http_client *client;
    struct http_server *server;
    struct http_peer *peer;
    char url[128];
    atomic_int n_calls;
};

/* ---- handlers -------------------------------------------------------- */

static enum rc on_echo(struct http_call *c, void *ctx)
{
    struct world *w = ctx;
    atomic_fetch_add(&w->n_calls, 1);
    size_t len;
    const uint8_t *body = http_call_body(c, &len);
    return http_reply(c, 200, "application/octet-stream", body, len);
}

static enum rc on_rest(struct http_call *c, void *ctx)
{
    (void)ctx;
    char text[256];
    const char *q = http_call_query(c, "q");
    int n = snprintf(text, sizeof(text), "%s %s %s", http_call_method(c),
                     http_call_rest(c), q ? q : "-");
    return http_reply(c, 200, "text/plain", text, (size_t)n);
}

static enum rc on_fail(struct http_call *c, void *ctx)
{
    (void)c;
    (void)ctx;
    enum rc rc = rc_raise(RC_CONFLICT, "other bytes \xff before");
    rc_hint("do not");
    return rc;
}

static enum rc on_silent(struct http_call *c, void *ctx)
{
    (void)c;
    (void)ctx;
    return RC_OK;
}

static enum rc on_who(struct http_call *c, void *ctx)
{
    (void)ctx;
    struct sock_peer peer;
    TRY(http_call_peer(&peer, c));
    char text[64];
    int n = snprintf(text, sizeof(text), "%d %u", (int)peer.pid,
                     (unsigned)peer.uid);
    return http_reply(c, 200, "text/plain", text, (size_t)n);
}

static enum rc on_once(struct http_call *c, void *ctx)
{
    (void)ctx;
    const char *value = http_call_header_once(c, "MPC-Policy");
    if (!value)
        value = "none";
    return http_reply(c, 200, "text/plain", value, strlen(value));
}

static const struct http_route routes[] = {
    { "POST", "/echo", HTTP_PUBLIC, BIG, on_echo },
    { "GET", "/rest/*", HTTP_PUBLIC, 0, on_rest },
    { "GET", "/rest/long/*", HTTP_PUBLIC, 0, on_silent },
    { "GET", "/rest/exact", HTTP_PUBLIC, 0, on_fail },
    { "DELETE", "/rest/exact", HTTP_PUBLIC, 0, on_rest },
    { "GET", "/who", HTTP_LOCAL, 0, on_who },
    { "GET", "/who-public", HTTP_PUBLIC, 0, on_who },
    { "GET", "/once", HTTP_PUBLIC, 0, on_once },
    { "GET", "/cert", HTTP_CERT, 0, on_silent },
    { "GET", "/peer", HTTP_PEER, 0, on_silent },
    { NULL, NULL, HTTP_PUBLIC, 0, NULL },
};

/* ---- the world ------------------------------------------------------- */

static void listen_as(struct world *w, struct http_server_config *config)
{
    config->routes = routes;
    config->ctx = w;
    if (config->kind == HTTP_ON_UNIX) {
        assert_ok(sock_unix_listen(&config->listen_fd, w->home.sock, 0600));
        strcpy(w->url, w->home.unix_url);
    } else {
        config->listen_fd = home_listen(w->url, "http");
    }
    assert_ok(http_server_start(&w->server, config));
    assert_ok(http_peer_new(&w->peer, w->client, w->url, NULL, 2));
}

static void setup_as(struct world *w, enum http_listen_kind kind,
                     unsigned threads)
{
    memset(w, 0, sizeof(*w));
    home_make(&w->home);
    assert_ok(http_client_new(&w->client, NULL, NULL));
    struct http_server_config config = { .kind = kind,
                                         .threads = threads,
                                         .request_limit_s = 1 };
    listen_as(w, &config);
}

static void teardown(struct world *w)
{
    http_client_free(w->client);
    http_server_stop(w->server);
    home_remove(&w->home);
}

static enum rc ask(struct world *w, const char *method, const char *path,
                   size_t body_len, struct outcome *o)
{
    static char body[BIG + 1];
    struct http_answer a = { 0 };
    enum rc rc = http_ask(&a, w->peer, method, path, body, body_len, BIG,
                          home_soon());
    if (rc == RC_OK) {
        snprintf(o->body, sizeof(o->body), "%s", (const char *)a.body);
        o->status = a.status;
    }
    http_answer_free(&a);
    return rc;
}

/* ---- rows ------------------------------------------------------------ */

static void route_is_found_by_method_and_path(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *method;
        const char *path;
        enum rc rc;
        const char *body;
    } cases[] = {
        { "a prefix row", "GET", "/rest/a/b?q=1", RC_OK, "GET a/b 1" },
        { "the bare prefix", "GET", "/rest/", RC_OK, "GET  -" },
        { "an exact row wins", "GET", "/rest/exact", RC_CONFLICT, NULL },
        { "by method", "DELETE", "/rest/exact", RC_OK, "DELETE  -" },
        { "the longer prefix wins", "GET", "/rest/long/x", RC_INTERNAL, NULL },
        { "wrong method", "PUT", "/rest/a", RC_ARG, NULL },
        { "a prefix is not a stem", "GET", "/restful", RC_UNKNOWN, NULL },
        { "no trailing slash", "GET", "/rest", RC_UNKNOWN, NULL },
        { "HEAD is a GET", "HEAD", "/rest/a", RC_OK, "" },
    };
    struct world w;
    setup_as(&w, HTTP_ON_TCP, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome o = { 0 };
        enum rc rc = ask(&w, cases[i].method, cases[i].path, 0, &o);
        if (rc != cases[i].rc)
            fail_msg("%s: %s (%s)", cases[i].why, rc_slug(rc), rc_text());
        if (cases[i].body)
            assert_string_equal(o.body, cases[i].body);
    }
    teardown(&w);
}

static void problem_of(struct world *w, const char *method, const char *path,
                       struct outcome *o)
{
    struct http_loop *l;
    memset(o, 0, sizeof(*o));
    assert_ok(http_loop_new(&l, w->client));
    http_send(w->peer, method, path, NULL, 0, 4096, home_soon(), outcome_done,
              o);
    home_drive(l, &o->n_done, 1);
    http_loop_free(l);
    assert_int_equal(o->rc, RC_OK);
}

static void unknown_path_is_a_problem(void **state)
{
    (void)state;
    struct world w;
    struct outcome o;
    setup_as(&w, HTTP_ON_TCP, 1);
    problem_of(&w, "GET", "/nothing", &o);
    assert_int_equal(o.status, 404);
    assert_int_equal(o.problem, RC_UNKNOWN);
    assert_non_null(strstr(o.body, "\"code\":\"not_found\""));
    problem_of(&w, "GET", "/echo", &o);
    assert_int_equal(o.status, 405);
    assert_non_null(strstr(o.body, "use POST"));
    teardown(&w);
}

static void a_failed_handler_is_a_problem(void **state)
{
    (void)state;
    struct world w;
    struct outcome o;
    setup_as(&w, HTTP_ON_TCP, 2);
    problem_of(&w, "GET", "/rest/exact", &o);
    assert_int_equal(o.status, 409);
    assert_int_equal(o.problem, RC_CONFLICT);
    assert_string_equal(o.why, "other bytes ? before");
    assert_int_equal(ask(&w, "GET", "/rest/exact", 0, &o), RC_CONFLICT);
    assert_string_equal(rc_text(), "other bytes ? before");
    assert_string_equal(rc_hint_text(), "do not");
    teardown(&w);
}

static void body_over_the_row_limit_is_413(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = { 0 };
    setup_as(&w, HTTP_ON_TCP, 1);
    assert_ok(ask(&w, "POST", "/echo", BIG, &o));
    assert_int_equal(atomic_load(&w.n_calls), 1);
    assert_rc(ask(&w, "POST", "/echo", BIG + 1, &o), RC_TOO_LARGE);
    assert_non_null(strstr(rc_text(), "200001 bytes"));
    assert_non_null(strstr(rc_text(), "at most 200000"));
    assert_int_equal(atomic_load(&w.n_calls), 1);
    teardown(&w);
}

static void reply_over_the_callers_limit_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct http_answer a = { 0 };
    setup_as(&w, HTTP_ON_TCP, 1);
    assert_rc(http_ask(&a, w.peer, "POST", "/echo", "12345", 5, 4, home_soon()),
              RC_TOO_LARGE);
    assert_null(a.body);
    assert_ok(
            http_ask(&a, w.peer, "POST", "/echo", "12345", 5, 5, home_soon()));
    assert_int_equal(a.body_len, 5);
    http_answer_free(&a);
    teardown(&w);
}

static void local_route_is_hidden_on_tcp(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = { 0 };
    setup_as(&w, HTTP_ON_TCP, 1);
    assert_rc(ask(&w, "GET", "/who", 0, &o), RC_UNKNOWN);
    assert_rc(ask(&w, "GET", "/who-public", 0, &o), RC_AUTH);
    assert_rc(ask(&w, "GET", "/cert", 0, &o), RC_UNKNOWN);
    assert_rc(ask(&w, "GET", "/peer", 0, &o), RC_UNKNOWN);
    teardown(&w);
}

static void unix_peer_credentials_are_known(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = { 0 };
    char want[64];
    setup_as(&w, HTTP_ON_UNIX, 1);
    assert_ok(ask(&w, "GET", "/who", 0, &o));
    snprintf(want, sizeof(want), "%d %u", (int)getpid(), (unsigned)getuid());
    assert_string_equal(o.body, want);
    assert_rc(ask(&w, "GET", "/peer", 0, &o), RC_UNKNOWN);
    teardown(&w);
}

/* ---- raw bytes ------------------------------------------------------- */

static int raw_connect(struct world *w)
{
    int fd;
    assert_ok(sock_unix_connect(&fd, w->home.sock));
    return fd;
}

static void raw_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void a_body_of_unstated_length_is_refused(void **state)
{
    (void)state;
    struct world w;
    setup_as(&w, HTTP_ON_UNIX, 1);
    int fd = raw_connect(&w);
    raw_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
    char got[64] = "";
    assert_ok(sock_read(fd, got, 12, home_soon()));
    assert_string_equal(got, "HTTP/1.1 411");
    close(fd);
    assert_int_equal(atomic_load(&w.n_calls), 0);
    teardown(&w);
}

static void a_header_that_is_repeated_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        const char *want;
    } cases[] = {
        { "", "none" },
        { "mpc-policy: ab\r\n", "ab" },
        { "MPC-Policy: ab\r\nMPC-Policy: cd\r\n", "none" },
        { "MPC-Policy: ab\r\nX: y\r\nmpc-POLICY: ab\r\n", "none" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world w;
        char text[256];
        char got[1024] = "";
        setup_as(&w, HTTP_ON_UNIX, 1);
        int fd = raw_connect(&w);
        snprintf(text, sizeof(text),
                 "GET /once HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 "%s\r\n",
                 cases[i].headers);
        raw_send(fd, text);
        size_t at = 0;
        for (ssize_t n = 1; n > 0 && at < sizeof(got) - 1; at += (size_t)n)
            n = recv(fd, got + at, sizeof(got) - 1 - at, 0);
        const char *body = strstr(got, "\r\n\r\n");
        assert_non_null(body);
        assert_string_equal(body + 4, cases[i].want);
        close(fd);
        teardown(&w);
    }
}

static void pause_ms(struct http_loop *l, int ms)
{
    int64_t until = clock_mono_ms() + ms;
    while (clock_mono_ms() < until)
        if (l)
            assert_ok(http_loop_run(l, 10));
        else
            usleep(10000);
}

/* One byte now and then, until the server cuts it; true when it did. */
static bool drip(int fd, struct http_loop *l)
{
    for (int i = 0; i < 90; i++) {
        char c;
        if (send(fd, "x", 1, MSG_NOSIGNAL) != 1)
            return true;
        pause_ms(l, 100);
        ssize_t n = recv(fd, &c, 1, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return true;
        assert_true(n < 0); /* an answer would mean it was let through */
    }
    return false;
}

static void dripping_client_is_cut(void **state)
{
    (void)state;
    static const char *const begun[] = {
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
        "GET /rest/x HTTP/1.1\r\nHost: ",
    };
    for (int external = 0; external < 2; external++) {
        struct world w;
        struct http_loop *l = NULL;
        setup_as(&w, HTTP_ON_UNIX, external ? 0 : 2);
        if (external) {
            assert_ok(http_loop_new(&l, NULL));
            http_loop_add(l, w.server);
        }
        for (size_t i = 0; i < 2; i++) {
            int fd = raw_connect(&w);
            raw_send(fd, begun[i]);
            assert_true(drip(fd, l));
            close(fd);
        }
        assert_int_equal(atomic_load(&w.n_calls), 0);
        teardown(&w);
        http_loop_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(route_is_found_by_method_and_path),
        cmocka_unit_test(unknown_path_is_a_problem),
        cmocka_unit_test(a_failed_handler_is_a_problem),
        cmocka_unit_test(body_over_the_row_limit_is_413),
        cmocka_unit_test(reply_over_the_callers_limit_is_refused),
        cmocka_unit_test(local_route_is_hidden_on_tcp),
        cmocka_unit_test(unix_peer_credentials_are_known),
        cmocka_unit_test(a_body_of_unstated_length_is_refused),
        cmocka_unit_test(a_header_that_is_repeated_is_none),
        cmocka_unit_test(dripping_client_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

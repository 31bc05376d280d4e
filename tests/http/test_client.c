/* SPDX-License-Identifier: Apache-2.0 */
/* The client over plain sockets: deadlines, lanes, fan-out. */
#include "test.h"

#include "http/http.h"

#include "base/clock.h"
#include "home.h"

#define MANY 8

struct world {
    struct http_client *client;
    struct http_loop *loop;
    struct http_server *server[MANY];
    struct http_peer *peer[MANY];
    char url[MANY][64];
    struct http_call *held[64];
    int n_held;
    int release_at; /* answer all when so many are held; 0: never */
    int n_calls;
    char seen[256]; /* X-Seen header of the latest call */
};

static enum rc on_hold(struct http_call *c, void *ctx)
{
    struct world *w = ctx;
    w->held[w->n_held++] = c;
    http_defer(c);
    if (w->n_held != w->release_at)
        return RC_OK;
    for (int i = 0; i < w->n_held; i++)
        TRY(http_reply(w->held[i], 200, NULL, "{}", 2));
    w->n_held = 0;
    return RC_OK;
}

static enum rc on_count(struct http_call *c, void *ctx)
{
    struct world *w = ctx;
    const char *seen = http_call_header(c, "X-Seen");
    w->n_calls++;
    snprintf(w->seen, sizeof(w->seen), "%s", seen ? seen : "");
    return http_reply(c, 200, NULL, "{}", 2);
}

static const struct http_route routes[] = {
    { "POST", "/hold", HTTP_PUBLIC, 100, on_hold },
    { "POST", "/count", HTTP_PUBLIC, 100, on_count },
    { "GET", "/prefix/count", HTTP_PUBLIC, 0, on_count },
    { NULL, NULL, HTTP_PUBLIC, 0, NULL },
};

static void setup(struct world *w, int n_servers, unsigned lanes)
{
    memset(w, 0, sizeof(*w));
    assert_ok(http_client_new(&w->client, NULL, NULL));
    assert_ok(http_loop_new(&w->loop, w->client));
    for (int i = 0; i < n_servers; i++) {
        struct http_server_config config = {
            .kind = HTTP_ON_TCP,
            .listen_fd = home_listen(w->url[i], "http"),
            .routes = routes,
            .ctx = w,
        };
        assert_ok(http_server_start(&w->server[i], &config));
        http_loop_add(w->loop, w->server[i]);
        assert_ok(
                http_peer_new(&w->peer[i], w->client, w->url[i], NULL, lanes));
    }
}

static void teardown(struct world *w)
{
    for (int i = 0; i < MANY; i++)
        http_server_stop(w->server[i]);
    http_loop_free(w->loop);
    http_client_free(w->client);
}

static void send_to(struct http_peer *p, const char *path, int64_t deadline,
                    struct outcome *o)
{
    http_send(p, "POST", path, "{}", 2, 4096, deadline, outcome_done, o);
}

static void fan_out_to_many_peers_runs_at_once(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = { 0 };
    setup(&w, MANY, 1);
    /* nobody is answered before everybody has been asked */
    w.release_at = MANY;
    for (int i = 0; i < MANY; i++)
        send_to(w.peer[i], "/hold", home_soon(), &o);
    home_drive(w.loop, &o.n_done, MANY);
    assert_int_equal(o.status, 200);
    teardown(&w);
}

static void requests_beyond_the_lanes_wait(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = { 0 };
    setup(&w, 1, 2);
    for (int i = 0; i < 5; i++)
        send_to(w.peer[0], "/hold", home_soon(), &o);
    while (w.n_held < 2)
        assert_ok(http_loop_run(w.loop, 100));
    for (int i = 0; i < 5; i++) {
        assert_ok(http_loop_run(w.loop, 10));
        assert_int_equal(w.n_held, 2); /* never a third */
    }
    for (int done = 0; done < 5; done++) {
        struct http_call *c = w.held[0];
        w.held[0] = w.held[--w.n_held];
        assert_ok(http_reply(c, 200, NULL, "{}", 2));
        home_drive(w.loop, &o.n_done, done + 1);
        while (w.n_held < (done < 3 ? 2 : 4 - done))
            assert_ok(http_loop_run(w.loop, 100));
    }
    teardown(&w);
}

static void deadline_ends_a_request(void **state)
{
    (void)state;
    struct world w;
    struct outcome running = { 0 };
    struct outcome waiting = { 0 };
    struct outcome late = { 0 };
    setup(&w, 1, 1);
    send_to(w.peer[0], "/hold", clock_mono_ms() + 200, &running);
    send_to(w.peer[0], "/hold", clock_mono_ms() + 100, &waiting);
    send_to(w.peer[0], "/count", clock_mono_ms() - 1, &late);
    home_drive(w.loop, &running.n_done, 1);
    home_drive(w.loop, &waiting.n_done, 1);
    home_drive(w.loop, &late.n_done, 1);
    assert_int_equal(running.rc, RC_TIMEOUT);
    assert_int_equal(waiting.rc, RC_TIMEOUT);
    assert_int_equal(late.rc, RC_TIMEOUT);
    assert_int_equal(w.n_calls, 0);
    /* the lane is fit for use again */
    struct outcome next = { 0 };
    send_to(w.peer[0], "/count", home_soon(), &next);
    home_drive(w.loop, &next.n_done, 1);
    assert_int_equal(next.status, 200);
    teardown(&w);
}

static void nobody_there_is_unreachable(void **state)
{
    (void)state;
    struct world w;
    struct http_answer a = { 0 };
    setup(&w, 1, 1);
    http_server_stop(w.server[0]);
    w.server[0] = NULL;
    assert_rc(
            http_ask(&a, w.peer[0], "POST", "/count", NULL, 0, 10, home_soon()),
            RC_UNREACHABLE);
    teardown(&w);
}

static void done_is_called_when_the_client_goes(void **state)
{
    (void)state;
    struct world w;
    struct outcome running = { 0 };
    struct outcome waiting = { 0 };
    setup(&w, 1, 1);
    send_to(w.peer[0], "/hold", home_soon(), &running);
    send_to(w.peer[0], "/hold", home_soon(), &waiting);
    while (w.n_held < 1)
        assert_ok(http_loop_run(w.loop, 100));
    http_loop_free(w.loop);
    http_client_free(w.client);
    assert_int_equal(running.n_done, 1);
    assert_int_equal(running.rc, RC_UNREACHABLE);
    assert_int_equal(waiting.n_done, 1);
    assert_int_equal(waiting.rc, RC_UNREACHABLE);
    w.loop = NULL;
    w.client = NULL;
    teardown(&w);
}

static void malformed_requests_are_never_sent(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *method;
        const char *path;
    } cases[] = {
        { "a line end in the path", "POST", "/count\r\nX: y" },
        { "a space in the path", "POST", "/count x" },
        { "no slash", "POST", "count" },
        { "a host in its place", "POST", "@evil/count" },
        { "a lower-case method", "post", "/count" },
        { "an empty method", "", "/count" },
        { "a long method", "PROPPATCH", "/count" },
    };
    struct world w;
    setup(&w, 1, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome o = { 0 };
        http_send(w.peer[0], cases[i].method, cases[i].path, NULL, 0, 10,
                  home_soon(), outcome_done, &o);
        assert_int_equal(o.n_done, 0); /* not from inside http_send() */
        home_drive(w.loop, &o.n_done, 1);
        if (o.rc != RC_ARG)
            fail_msg("%s: %s", cases[i].why, rc_slug(o.rc));
    }
    assert_int_equal(w.n_calls, 0);
    teardown(&w);
}

static void bad_peers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *url;
        const char *uri;
    } cases[] = {
        { "no scheme we speak", "ftp://127.0.0.1:1", NULL },
        { "https without TLS files", "https://127.0.0.1:1", "mpc://d/r/n" },
        { "a URI without TLS", "http://127.0.0.1:1", "mpc://d/r/n" },
        { "not a URL", "http://[::1", NULL },
    };
    struct world w;
    setup(&w, 0, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_peer *p = NULL;
        if (http_peer_new(&p, w.client, cases[i].url, cases[i].uri, 1) !=
            RC_ARG)
            fail_msg("accepted: %s", cases[i].why);
        assert_null(p);
    }
    teardown(&w);
}

static void peer_header_goes_with_every_request(void **state)
{
    (void)state;
    struct world w;
    struct outcome o = { 0 };
    struct http_peer *p;
    char url[96];
    setup(&w, 1, 1);
    snprintf(url, sizeof(url), "%s/prefix/", w.url[0]);
    assert_ok(http_peer_new(&p, w.client, url, NULL, 1));
    assert_ok(http_peer_header(p, "X-Seen", "yes"));
    assert_rc(http_peer_header(p, "X-Bad", "a\r\nb"), RC_ARG);
    http_send(p, "GET", "/count", NULL, 0, 10, home_soon(), outcome_done, &o);
    home_drive(w.loop, &o.n_done, 1);
    assert_int_equal(o.status, 200);
    assert_string_equal(w.seen, "yes");
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fan_out_to_many_peers_runs_at_once),
        cmocka_unit_test(requests_beyond_the_lanes_wait),
        cmocka_unit_test(deadline_ends_a_request),
        cmocka_unit_test(nobody_there_is_unreachable),
        cmocka_unit_test(done_is_called_when_the_client_goes),
        cmocka_unit_test(malformed_requests_are_never_sent),
        cmocka_unit_test(bad_peers_are_refused),
        cmocka_unit_test(peer_header_goes_with_every_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

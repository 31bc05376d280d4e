/* SPDX-License-Identifier: Apache-2.0 */
/* The page over a socket: its files, its headers, and what it passes on. */
#include "test.h"

#include "page/page.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "../http/home.h"

#define ID   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define JSON "Content-Type: application/json\r\n"

struct world {
    struct page *page;
    struct http_server *server;
    int port;
    atomic_int n_asked;
    char path[256];
    char body[64];
    char reply[64 * 1024];
};

static enum rc ask(struct http_call *call, const char *path,
                   const uint8_t *body, size_t len, void *ctx)
{
    struct world *w = ctx;
    snprintf(w->path, sizeof(w->path), "%s", path);
    snprintf(w->body, sizeof(w->body), "%.*s", (int)len,
             body ? (const char *)body : "");
    atomic_fetch_add(&w->n_asked, 1);
    return http_reply(call, 200, NULL, "{}", 2);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char url[64];
    struct page_host host = { .ask = ask, .ctx = w };
    assert_ok(page_new(&w->page, &host));
    struct http_server_config c = { .kind = HTTP_ON_TCP,
                                    .listen_fd = home_listen(url, "http"),
                                    .threads = 1 };
    w->port = atoi(strrchr(url, ':') + 1);
    page_server(&c, w->page);
    assert_ok(http_server_start(&w->server, &c));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    http_server_stop(w->server);
    page_free(w->page);
    free(w);
    return 0;
}

/* One request as these bytes; the whole reply in w->reply. */
static int send_raw(struct world *w, const char *request)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)w->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    size_t len = strlen(request);
    assert_int_equal(write(fd, request, len), (ssize_t)len);
    size_t n = 0;
    ssize_t got;
    while ((got = read(fd, w->reply + n, sizeof(w->reply) - 1 - n)) > 0)
        n += (size_t)got;
    w->reply[n] = '\0';
    close(fd);
    return atoi(w->reply + strlen("HTTP/1.1 "));
}

static int visit(struct world *w, const char *method, const char *path,
                 const char *host, const char *more)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n",
             method, path, host, more);
    return send_raw(w, text);
}

static int post(struct world *w, const char *path, const char *more)
{
    char text[512];
    snprintf(text, sizeof(text),
             "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
             "Content-Length: 2\r\n%s\r\n{}",
             path, more);
    return send_raw(w, text);
}

static void every_reply_keeps_other_origins_out(void **state)
{
    struct world *w = *state;
    static const char *const paths[] = { "/",
                                         "/s/" ID,
                                         "/enrol",
                                         "/page/approve.js",
                                         "/page/file.js",
                                         "/page/page.css",
                                         "/v1/sessions",
                                         "/no/such/path" };
    static const char *const wanted[] = {
        "Content-Security-Policy: default-src 'none'; script-src 'self'; ",
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        "X-Content-Type-Options: nosniff\r\n",
        "Referrer-Policy: no-referrer\r\n",
        "Cross-Origin-Resource-Policy: same-origin\r\n",
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        visit(w, "GET", paths[i], "localhost", "");
        for (size_t j = 0; j < sizeof(wanted) / sizeof(*wanted); j++)
            if (!strstr(w->reply, wanted[j]))
                fail_msg("%s lacks %s", paths[i], wanted[j]);
        assert_null(strstr(w->reply, "unsafe-"));
    }
}

static void the_files_hold_nothing_inline_and_name_no_other_place(void **state)
{
    struct world *w = *state;
    static const char *const paths[] = { "/",
                                         "/s/" ID,
                                         "/enrol",
                                         "/page/page.css",
                                         "/page/common.js",
                                         "/page/descriptor.js",
                                         "/page/approve.js",
                                         "/page/list.js",
                                         "/page/enrol.js" };
    static const char *const never[] = {
        "<style", "style=", " onclick", "innerHTML",
        "eval(",  "//cdn",  "@import",  "document.write"
    };
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        assert_int_equal(visit(w, "GET", paths[i], "localhost", ""), 200);
        const char *body = strstr(w->reply, "\r\n\r\n");
        for (size_t j = 0; j < sizeof(never) / sizeof(*never); j++)
            if (strstr(body, never[j]))
                fail_msg("%s holds %s", paths[i], never[j]);
    }
}

static void a_foreign_name_reads_nothing(void **state)
{
    struct world *w = *state;
    assert_int_equal(visit(w, "GET", "/", "evil.test", ""), 403);
    assert_int_equal(visit(w, "GET", "/v1/sessions", "evil.test", ""), 403);
    assert_int_equal(atomic_load(&w->n_asked), 0);
}

static void questions_reach_the_host_with_checked_ids(void **state)
{
    struct world *w = *state;
    const char *good = "/v1/session/" ID "/state";
    assert_int_equal(visit(w, "GET", good, "localhost", ""), 200);
    assert_string_equal(w->path, good);
    assert_int_equal(visit(w, "GET", "/v1/approvers/" ID, "localhost", ""),
                     200);
    assert_int_equal(visit(w, "GET", "/v1/session/" ID "/x", "localhost", ""),
                     400);
    assert_int_equal(visit(w, "GET", "/v1/session/../keys", "localhost", ""),
                     400);
    assert_int_equal(visit(w, "GET", "/v1/approvers/1", "localhost", ""), 400);
    assert_int_equal(visit(w, "GET", "/v1/keys", "localhost", ""), 404);
    assert_int_equal(visit(w, "GET", "/v1/audit", "localhost", ""), 404);
    assert_int_equal(post(w, "/v1/sign", JSON), 404);
    assert_int_equal(post(w, "/v1/policy", JSON), 404);
    assert_int_equal(post(w, "/v1/invite", JSON), 404);
    assert_int_equal(atomic_load(&w->n_asked), 2);
}

static void only_our_own_page_posts(void **state)
{
    struct world *w = *state;
    assert_int_equal(post(w, "/v1/approval", JSON), 200);
    assert_string_equal(w->body, "{}");
    assert_int_equal(
            post(w, "/v1/approval", JSON "Origin: http://localhost\r\n"), 200);
    assert_int_equal(
            post(w, "/v1/approval", JSON "Origin: http://evil.test\r\n"), 403);
    assert_int_equal(post(w, "/v1/approval", "Content-Type: text/plain\r\n"),
                     400);
    static char large[20000 + 256];
    int n = snprintf(large, sizeof(large),
                     "POST /v1/approval HTTP/1.1\r\nHost: localhost\r\n"
                     "Connection: close\r\nContent-Length: 20000\r\n" JSON
                     "\r\n");
    memset(large + n, 'x', 20000);
    assert_int_equal(send_raw(w, large), 413);
    assert_int_equal(atomic_load(&w->n_asked), 2);
}

static void a_flood_is_refused(void **state)
{
    struct world *w = *state;
    int refused = 0;
    for (int i = 0; i < 200 && !refused; i++)
        refused = post(w, "/v1/enrol", JSON) != 200;
    assert_true(refused);
    assert_non_null(strstr(w->reply, "too many requests"));
    /* and reading goes on, within its own bounds */
    assert_int_equal(visit(w, "GET", "/v1/sessions", "localhost", ""), 200);
    refused = 0;
    for (int i = 0; i < 2000 && !refused; i++)
        refused = visit(w, "GET", "/v1/sessions", "localhost", "") != 200;
    assert_true(refused);
    assert_int_equal(visit(w, "GET", "/", "localhost", ""), 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_reply_keeps_other_origins_out),
        TEST(the_files_hold_nothing_inline_and_name_no_other_place),
        TEST(a_foreign_name_reads_nothing),
        TEST(questions_reach_the_host_with_checked_ids),
        TEST(only_our_own_page_posts),
        TEST(a_flood_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

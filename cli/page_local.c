/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page on the approver's own machine: the very files a sidecar serves, but
 * from this process, on a port of localhost for as long as it takes. What they
 * ask is asked of the sidecar behind MPC_SIDECAR, which cannot change what is
 * shown: id and bytes must fit, here as in the browser.
 */
#include "cli/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/enc.h"
#include "page/page.h"

#define ASK_MS    10000
#define LINGER_MS 3000 /* for the page to show how it ended */

extern char **environ;

struct local {
    const char *wanted; /* the post that ends it */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool done;
    json_t *reply; /* to that post */
};

/* ---- answers --------------------------------------------------------------- */

/* "/v1/session/ID" alone: those bytes must have that id. */
static enum rc check_descriptor(const char *path, const struct http_answer *a)
{
    static const char prefix[] = "/v1/session/";
    uint8_t want[32];
    uint8_t have[32];
    size_t n = sizeof(prefix) - 1;
    if (strncmp(path, prefix, n) != 0 || strlen(path) != n + 64)
        return RC_OK;
    TRY(enc_unhex(want, 32, path + n, 64));
    policy_session_id(have, a->body, a->body_len);
    if (memcmp(want, have, 32) == 0)
        return RC_OK;
    enum rc rc = rc_raise(RC_VERIFY, "the sidecar's descriptor is of another "
                                     "session");
    rc_hint("do not approve; ask another sidecar, and tell an operator");
    return rc;
}

static void say_done(struct local *l, const struct http_answer *a)
{
    pthread_mutex_lock(&l->lock);
    if (!l->done)
        l->reply = json_loadb((const char *)a->body, a->body_len, 0, NULL);
    l->done = true;
    pthread_cond_signal(&l->moved);
    pthread_mutex_unlock(&l->lock);
}

/* The server's one thread: a client of its own for each question. */
static enum rc on_ask(struct http_call *call, const char *path,
                      const uint8_t *body, size_t len, void *ctx)
{
    struct local *l = ctx;
    struct http_answer a = { 0 };
    TRY(cli_ask(&a, NULL, path, body, len, ASK_MS));
    enum rc rc = body ? RC_OK : check_descriptor(path, &a);
    if (rc == RC_OK)
        rc = http_reply(call, 200, NULL, a.body, a.body_len);
    if (rc == RC_OK && body && strcmp(path, l->wanted) == 0)
        say_done(l, &a);
    http_answer_free(&a);
    return rc;
}

/* ---- the browser ------------------------------------------------------------- */

/* Not waited for; where there is no screen, the address is enough. */
static void open_browser(const char *url)
{
    const char *program = getenv("BROWSER");
    posix_spawn_file_actions_t to;
    posix_spawnattr_t how;
    pid_t pid;
    if (!program || !*program)
        program = "xdg-open";
    if (!getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY") && !getenv("BROWSER"))
        return;
    if (posix_spawn_file_actions_init(&to) != 0)
        return;
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&to, fd, "/dev/null", O_RDWR, 0);
    const char *const argv[] = { program, url, NULL };
    if (posix_spawnattr_init(&how) == 0) {
        posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSID);
        if (posix_spawnp(&pid, program, &to, &how,
                         (char *const *)(uintptr_t)argv, environ) != 0)
            cli_note("%s cannot be started: open the address yourself",
                     program);
        posix_spawnattr_destroy(&how);
    }
    posix_spawn_file_actions_destroy(&to);
}

/* ---- as long as it takes ------------------------------------------------------- */

static struct timespec in_ms(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static bool wait_done(struct local *l, int64_t until_s)
{
    int64_t left = until_s - clock_now_s();
    struct timespec end = in_ms(left > 0 ? left * 1000 : 0);
    pthread_mutex_lock(&l->lock);
    int e = 0;
    while (!l->done && e == 0)
        e = pthread_cond_timedwait(&l->moved, &l->lock, &end);
    bool done = l->done;
    pthread_mutex_unlock(&l->lock);
    return done;
}

static enum rc serve(struct local *l, const char *path, int64_t until_s)
{
    struct page_host host = { .ask = on_ask, .ctx = l };
    struct http_server_config c = { .kind = HTTP_ON_TCP, .threads = 1 };
    struct http_server *server;
    struct page *page;
    uint16_t port;
    char url[256];
    TRY(page_new(&page, &host));
    page_server(&c, page);
    enum rc rc = sock_tcp_listen(&c.listen_fd, &port, "127.0.0.1:0");
    if (rc == RC_OK)
        rc = http_server_start(&server, &c);
    if (rc != RC_OK) {
        page_free(page);
        return rc;
    }
    snprintf(url, sizeof(url), "http://localhost:%u%s", port, path);
    cli_note("open %s", url);
    open_browser(url);
    bool done = wait_done(l, until_s);
    if (done) {
        struct timespec linger = { .tv_sec = LINGER_MS / 1000 };
        nanosleep(&linger, NULL);
    }
    http_server_stop(server);
    page_free(page);
    return done ? RC_OK
                : rc_raise(RC_EXPIRED, "its time passed before the page was "
                                       "used");
}

enum rc cli_page_local(json_t **out, const char *path, const char *wanted,
                       int64_t until_s)
{
    struct local l = { .wanted = wanted,
                       .lock = PTHREAD_MUTEX_INITIALIZER,
                       .moved = PTHREAD_COND_INITIALIZER };
    enum rc rc = serve(&l, path, until_s);
    if (rc == RC_OK && !l.reply)
        rc = rc_raise(RC_PARSE, "the sidecar's reply is no JSON");
    if (rc == RC_OK)
        *out = l.reply;
    else
        json_decref(l.reply);
    return rc;
}

enum rc cli_page_approve(const char *id)
{
    struct policy_session s;
    char path[80];
    TRY(cli_ask_session(&s, id));
    snprintf(path, sizeof(path), "/s/%s", id);
    json_t *o = NULL;
    TRY(cli_page_local(&o, path, "/v1/approval", s.expires));
    if (cli_json())
        return cli_say_json(o);
    json_decref(o);
    return RC_OK;
}

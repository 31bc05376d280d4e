/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "home.h"

#include <ftw.h>
#include <sys/stat.h>

#include "base/clock.h"

void home_make(struct home *h)
{
    strcpy(h->dir, "/tmp/mpc-http-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    snprintf(h->sock, sizeof(h->sock), "%s/s", h->dir);
    snprintf(h->unix_url, sizeof(h->unix_url), "unix:%s", h->sock);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void home_remove(struct home *h)
{
    assert_int_equal(nftw(h->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int home_listen(char url[64], const char *scheme)
{
    int fd;
    uint16_t port;
    assert_ok(sock_tcp_listen(&fd, &port, "127.0.0.1:0"));
    snprintf(url, 64, "%s://127.0.0.1:%u", scheme, port);
    return fd;
}

void outcome_done(const struct http_reply_view *v, void *arg)
{
    struct outcome *o = arg;
    o->n_done++;
    o->rc = v->rc;
    o->problem = v->problem;
    o->status = v->status;
    snprintf(o->body, sizeof(o->body), "%.*s", (int)v->body_len,
             v->body_len ? (const char *)v->body : "");
    snprintf(o->why, sizeof(o->why), "%s", v->why);
}

void home_drive(struct http_loop *l, const int *n_done, int want)
{
    int64_t until = clock_mono_ms() + HOME_WAIT_MS;
    while (*n_done < want) {
        assert_ok(http_loop_run(l, 100));
        if (clock_mono_ms() > until)
            fail_msg("%d of %d done", *n_done, want);
    }
}

int64_t home_soon(void)
{
    return clock_mono_ms() + HOME_WAIT_MS;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 to the sidecar over its Unix socket, by hand: one connection a
 * request, every wait bounded by one deadline, no signal, nothing kept. So a
 * fork, a thread or an unload of the host can not meet us half way.
 */
#include "provider/inner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/sock.h"

#define PARTS                                                                  \
    (sizeof(((struct prov_request *)0)->body) / sizeof(struct prov_part))
#define HEAD_MAX (PROV_POLICY_SIZE + 1024)

/* connect() itself waits when the sidecar's backlog is full; bound that. */
static enum rc bound_connect(int fd, const char *path, int64_t deadline_ms)
{
    int64_t left = deadline_ms - clock_mono_ms();
    if (left <= 0)
        return rc_raise(RC_TIMEOUT, "%s: deadline passed", path);
    struct timeval tv = { .tv_sec = left / 1000,
                          .tv_usec = (left % 1000) * 1000 };
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) != 0)
        return rc_raise(RC_IO, "%s: %s", path, strerror(errno));
    return RC_OK;
}

static enum rc connect_failed(const char *path, int why)
{
    static const struct {
        int why;
        enum rc rc;
        const char *hint;
    } known[] = {
        { ENOENT, RC_UNREACHABLE,
          "start it (systemctl start mpc-sidecar, or mpcsign dev up), or set "
          "MPC_SIDECAR to its socket" },
        { ECONNREFUSED, RC_UNREACHABLE,
          "it has ended: start it again (systemctl start mpc-sidecar, or "
          "mpcsign dev start); its log says why" },
        { EACCES, RC_AUTH,
          "the owner and group of the socket and its directory say who may "
          "sign: join that group" },
        { EAGAIN, RC_TIMEOUT, "the sidecar is overloaded: try again" },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].why == why) {
            enum rc rc = rc_raise(known[i].rc, "sidecar %s: %s", path,
                                  strerror(why));
            rc_hint("%s", known[i].hint);
            return rc;
        }
    return rc_raise(RC_UNREACHABLE, "sidecar %s: %s", path, strerror(why));
}

static enum rc reach_one(int *out, const char *path, int64_t deadline_ms)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    OWNED_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return rc_raise(RC_IO, "socket: %s", strerror(errno));
    do {
        TRY(bound_connect(fd, path, deadline_ms));
        if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0) {
            *out = TAKE_FD(fd);
            return RC_OK;
        }
    } while (errno == EINTR);
    return connect_failed(path, errno);
}

/* The first of the list that is there. */
static enum rc reach(int *out, const char *list, int64_t deadline_ms)
{
    for (;;) {
        char path[PROV_PATH_SIZE];
        int len = (int)strcspn(list, ",");
        snprintf(path, sizeof(path), "%.*s", len, list);
        enum rc rc = reach_one(out, path, deadline_ms);
        if (rc != RC_UNREACHABLE || !list[len])
            return rc;
        list += len + 1;
    }
}

static enum rc head(char out[HEAD_MAX], size_t *len, const struct prov *p,
                    const struct prov_request *q)
{
    size_t body = 0;
    for (size_t i = 0; i < PARTS; i++)
        body += q->body[i].len;
    int n = snprintf(out, HEAD_MAX,
                     "%s %s HTTP/1.1\r\n"
                     "Host: localhost\r\n"
                     "Connection: close\r\n"
                     "Content-Length: %zu\r\n"
                     "%s%s%s%s%s%s\r\n",
                     q->method, q->target, body,
                     q->type ? "Content-Type: " : "", q->type ? q->type : "",
                     q->type ? "\r\n" : "",
                     p->want[0] ? "MPC-Policy-Want: " : "", p->want,
                     p->want[0] ? "\r\n" : "");
    if (n < 0 || n >= HEAD_MAX)
        return rc_raise(RC_TOO_LARGE, "request head: over %d bytes", HEAD_MAX);
    *len = (size_t)n;
    return RC_OK;
}

static enum rc send_all(int fd, const struct prov *p,
                        const struct prov_request *q)
{
    char text[HEAD_MAX];
    size_t len = 0;
    TRY(head(text, &len, p, q));
    TRY(sock_write(fd, text, len, q->deadline_ms));
    for (size_t i = 0; i < PARTS; i++)
        TRY(sock_write(fd, q->body[i].p, q->body[i].len, q->deadline_ms));
    return RC_OK;
}

/*
 * A sidecar may answer and close before it has read all (a body too large,
 * a caller it does not serve): then its words matter, not our broken pipe.
 */
static enum rc exchange(struct prov_reply *out, int *status, int fd,
                        const struct prov *p, const struct prov_request *q)
{
    enum rc sent = send_all(fd, p, q);
    if (sent != RC_OK && sent != RC_UNREACHABLE)
        return sent;
    return prov_reply_read(out, status, fd, q->max_reply, q->deadline_ms);
}

static enum rc with_hint(enum rc rc)
{
    if (!rc_hint_text()[0])
        rc_hint("see mpcsign doctor, and the sidecar's log");
    return rc;
}

static enum rc explain(enum rc rc, const struct prov *p)
{
    if (rc == RC_TIMEOUT) {
        rc = rc_raise(rc, "sidecar %s: no answer in %u s", p->sidecar,
                      p->timeout_s);
        rc_hint("see mpcsign status; `timeout` in the provider's section of "
                "openssl.cnf allows more seconds");
        return rc;
    }
    return with_hint(rc_prefix(rc, "sidecar %s: ", p->sidecar));
}

enum rc prov_call(struct prov_reply *out, const struct prov *p,
                  const struct prov_request *q)
{
    TRY(prov_usable(p));
    OWNED_FD fd = -1;
    struct prov_reply r = { 0 };
    int status = 0;
    enum rc rc = reach(&fd, p->sidecar, q->deadline_ms);
    if (rc != RC_OK)
        return with_hint(rc);
    rc = exchange(&r, &status, fd, p, q);
    if (rc != RC_OK)
        return explain(rc, p);
    if (status / 100 == 2) {
        *out = r;
        return RC_OK;
    }
    rc = prov_reply_problem(status, &r);
    free(r.body);
    return rc;
}

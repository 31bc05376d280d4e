/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_listen: the approval page for browsers. Handshakes and slow readers
 * stay in a small pool of its own; what is asked goes to the loop, which alone
 * talks to the node, and is answered as to a stranger.
 */
#include "sidecar/do.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define PAGE_THREADS   2
#define PAGE_LIMIT_S   10
#define PAGE_QUEUE_MAX 64

/* A question on its way to the loop; all but next is lent by the call. */
struct asked {
    struct asked *next;
    struct http_call *call;
    const char *path;
    const uint8_t *body; /* NULL: GET */
    size_t len;
};

/* Pool thread. The call is deferred first: the loop may answer at once. */
static enum rc on_page(struct http_call *call, const char *path,
                       const uint8_t *body, size_t len, void *ctx)
{
    struct sidecar *sc = ctx;
    struct asked *a = malloc(sizeof(*a));
    if (!a)
        return rc_raise(RC_NOMEM, "page: out of memory");
    *a = (struct asked){ NULL, call, path, body, len };
    pthread_mutex_lock(&sc->lock);
    bool room = sc->n_asked < PAGE_QUEUE_MAX;
    if (room) {
        http_defer(call);
        *sc->asked_end = a;
        sc->asked_end = &a->next;
        sc->n_asked++;
    }
    pthread_mutex_unlock(&sc->lock);
    if (room) {
        http_loop_wake(sc->loop);
        return RC_OK;
    }
    free(a);
    enum rc rc = rc_raise(RC_NOMEM, "page: %d questions wait already",
                          PAGE_QUEUE_MAX);
    rc_hint("try again in a moment");
    return rc;
}

static struct asked *take_all(struct sidecar *sc)
{
    pthread_mutex_lock(&sc->lock);
    struct asked *all = sc->asked;
    sc->asked = NULL;
    sc->asked_end = &sc->asked;
    sc->n_asked = 0;
    pthread_mutex_unlock(&sc->lock);
    return all;
}

void pages_pump(struct sidecar *sc)
{
    for (struct asked *a = take_all(sc), *next; a; a = next) {
        next = a->next;
        node_on_local(sc->node, (uint64_t)(uintptr_t)a->call, NODE_STRANGER,
                      a->path, a->body, a->len);
        free(a);
    }
}

/* ---- names -------------------------------------------------------------------------- */

enum rc pages_rp_id(char out[POLICY_RP_ID_MAX], const struct sidecar *sc)
{
    const char *origin = conf_get(sc->d.conf, "page_origin");
    const char *given = conf_get(sc->d.conf, "page_rp_id");
    const char *host = "localhost";
    if (origin)
        TRY(page_origin_check(origin));
    if (given && *given)
        host = given;
    else if (origin)
        host = strstr(origin, "://") + 3;
    size_t n = strcspn(host, ":");
    if (n == 0 || n >= POLICY_RP_ID_MAX)
        return rc_raise(RC_ARG,
                        "page_rp_id: want a domain of at most %d "
                        "characters",
                        POLICY_RP_ID_MAX - 1);
    memcpy(out, host, n);
    out[n] = '\0';
    return RC_OK;
}

/* ---- start and end ------------------------------------------------------------------ */

/* Passkeys and approvals are no matter for plain text on a network. */
static enum rc check_exposed(int fd, bool tls, const char *origin,
                             const char *addr)
{
    if (sock_is_loopback(fd))
        return RC_OK;
    if (!tls) {
        enum rc rc = rc_raise(
                RC_ARG, "page_listen = %s: plain http only on loopback", addr);
        rc_hint("set page_tls_cert and page_tls_key, or listen on 127.0.0.1");
        return rc;
    }
    if (origin)
        return RC_OK;
    enum rc rc = rc_raise(RC_ARG, "page_origin is missing: browsers must know "
                                  "the page by one name");
    rc_hint("as page_origin = https://sign.example.org:8443");
    return rc;
}

static enum rc tls_files(struct http_tls_files *out, const struct sidecar *sc)
{
    out->cert = conf_get(sc->d.conf, "page_tls_cert");
    out->key = conf_get(sc->d.conf, "page_tls_key");
    if (!out->cert == !out->key)
        return RC_OK;
    return rc_raise(RC_ARG, "page_tls_cert and page_tls_key: one is missing");
}

static enum rc serve_on(struct sidecar *sc, const char *addr)
{
    struct page_host host = { .ask = on_page,
                              .ctx = sc,
                              .origin = conf_get(sc->d.conf, "page_origin") };
    struct http_server_config c = { .threads = PAGE_THREADS,
                                    .request_limit_s = PAGE_LIMIT_S };
    OWNED_FD fd = -1;
    TRY(tls_files(&c.tls, sc));
    c.kind = c.tls.cert ? HTTP_ON_TLS : HTTP_ON_TCP;
    TRY(sock_tcp_listen(&fd, NULL, addr));
    TRY(check_exposed(fd, c.tls.cert, host.origin, addr));
    TRY(page_new(&sc->page, &host));
    page_server(&c, sc->page);
    c.listen_fd = TAKE_FD(fd);
    TRY(http_server_start(&sc->pages, &c));
    log_info("page.listen", "addr=%s tls=%d", addr, c.tls.cert != NULL);
    return RC_OK;
}

enum rc pages_open(struct sidecar *sc)
{
    const char *addr = conf_get(sc->d.conf, "page_listen");
    sc->asked_end = &sc->asked;
    if (!addr || !*addr)
        return RC_OK;
    enum rc rc = serve_on(sc, addr);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "page: ");
}

/* What still waits was answered by http_server_stop(). */
void pages_close(struct sidecar *sc)
{
    http_server_stop(sc->pages);
    if (sc->asked_end)
        for (struct asked *a = take_all(sc), *next; a; a = next) {
            next = a->next;
            free(a);
        }
    page_free(sc->page);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The approval page: plain HTML, CSS and JavaScript in the program, and the
 * few rows of the sidecar's API they need. A sidecar serves it on page_listen,
 * an approver's own mpcsign on localhost: the same bytes.
 *
 * Nothing here has authority. Who calls is a stranger: what is posted is
 * judged as such by whoever answers, and by every other sidecar.
 */
#ifndef PAGE_PAGE_H
#define PAGE_PAGE_H

#include "base/rc.h"
#include "http/http.h"

#define PAGE_MAX_RECORD  (16 * 1024)  /* POST /v1/approval */
#define PAGE_MAX_SESSION (512 * 1024) /* POST /v1/session */
#define PAGE_MAX_ENROL   (32 * 1024)  /* POST /v1/enrol */
#define PAGE_ORIGIN_MAX  256

/*
 * Who knows the answers: `path` is one of the rows that a sidecar's Unix
 * socket has too, the ids in it are checked; body NULL is a GET. Answers the
 * call, at once or later, as an http_handler does.
 */
struct page_host {
    enum rc (*ask)(struct http_call *call, const char *path,
                   const uint8_t *body, size_t len, void *ctx);
    void *ctx;
    /*
     * "https://sign.example.org:8443": what browsers are to call it by. NULL:
     * loopback names only.
     */
    const char *origin;
};

struct page;
/* host is copied, its origin too. RC_ARG: no origin as a browser says it. */
MUST_CHECK enum rc page_new(struct page **out, const struct page_host *host);
void page_free(struct page *p);

/*
 * Fills in routes, ctx and guard: the caller adds kind, listen_fd, threads and
 * TLS files. `p` outlives the server.
 */
void page_server(struct http_server_config *out, struct page *p);

/* Is this the origin of a page: scheme, host and port, nothing behind? */
MUST_CHECK enum rc page_origin_check(const char *origin);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 in both directions: a server of route rows on libmicrohttpd and a
 * client of lanes on libcurl, with the TLS hooks attestation stands on.
 *
 * The server decides who calls by the listener and by the TLS handshake, and
 * checks a row's `who` and body limit before the body is read; handlers do
 * not. All peer TLS is 1.3 with a client certificate demanded in the
 * handshake, no tickets, no early data.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/rc.h"
#include "base/sock.h"

#define HTTP_URI_MAX 256 /* a node URI, mpc://deployment/role/node */

/* ---- what both ends know about a TLS connection ---------------------- */

struct http_tls {
    char peer_uri[HTTP_URI_MAX]; /* the peer certificate's one SAN URI */
    uint8_t peer_spki[32];       /* SHA-256 of SubjectPublicKeyInfo, DER */
    uint8_t own_spki[32];
    uint8_t exporter[32]; /* RFC 9266 tls-exporter of this connection */
};

/* Our certificate, key and the deployment's CA, as PEM files. */
struct http_tls_files {
    const char *ca;
    const char *cert;
    const char *key;
};

/* ---- server ---------------------------------------------------------- */

enum http_who {
    HTTP_PUBLIC, /* anyone who can connect: public port, plain TCP */
    HTTP_LOCAL,  /* Unix socket; uid known */
    HTTP_CERT,   /* peer listener: certificate verified, not yet attested */
    HTTP_PEER,   /* peer listener, and the guard says attested */
};

struct http_call;
struct http_server;

/*
 * A handler returns RC_OK after http_reply*() or http_defer(); any other code
 * becomes problem+json from rc_text() and rc_hint_text().
 */
typedef enum rc http_handler(struct http_call *call, void *ctx);

struct http_route {
    const char *method; /* "GET" also answers HEAD */
    const char *path;   /* exact, or a prefix when it ends in '/' and '*' */
    enum http_who who;
    size_t max_body; /* bytes; over it: 413, and no byte of it is kept */
    http_handler *handler;
};

/*
 * Asked for every call on the peer listener whose row says HTTP_PEER, before
 * its body is read; and for every reply on that listener, to add headers. Of a
 * call that was let in, `still` is asked before its handler runs, when the body
 * has taken its time, and before its answer goes out: not RC_OK, and that is
 * the answer.
 */
struct http_guard {
    enum rc (*check)(struct http_call *call, void *ctx);
    void (*reply)(struct http_call *call, void *ctx);    /* may be NULL */
    enum rc (*still)(struct http_call *call, void *ctx); /* may be NULL */
    /*
     * A TLS handshake came to nothing, so there is no call to refuse: from
     * which address, and why as far as it is known here. Whoever sends no byte
     * of TLS is not told of. In the server's thread; may be NULL.
     */
    void (*stranger)(const char *from, const char *why, void *ctx);
    /* frees what http_conn_set() stored, when the connection closes */
    void (*conn_free)(void *state);
    void *ctx;
};

enum http_listen_kind {
    HTTP_ON_UNIX, /* routes with HTTP_PUBLIC and HTTP_LOCAL */
    HTTP_ON_TCP,  /* routes with HTTP_PUBLIC only */
    HTTP_ON_TLS,  /* the same over TLS; nobody is asked for a certificate */
    HTTP_ON_PEER, /* mutual TLS: HTTP_PUBLIC, HTTP_CERT, HTTP_PEER */
};

struct http_server_config {
    enum http_listen_kind kind;
    int listen_fd;                   /* taken over; from sock_*_listen() */
    const struct http_route *routes; /* ends with method NULL */
    void *ctx;                       /* handed to handlers */
    struct http_tls_files tls;       /* HTTP_ON_PEER; _TLS: no ca */
    struct http_guard guard;         /* HTTP_ON_PEER */
    /*
     * 0: external, driven by http_loop_run() in the caller's thread.
     * >0: own pool of that many threads; handlers run there.
     */
    unsigned threads;
    unsigned request_limit_s; /* whole request must arrive by then; 10 */
};

MUST_CHECK enum rc http_server_start(struct http_server **out,
                                     const struct http_server_config *config);
/*
 * Answers 503 to what is deferred, then closes; waits at most a second for
 * answers to leave. An external one: in the loop's thread. NULL is fine.
 */
void http_server_stop(struct http_server *s);

/* -- a call, inside a handler -- */
const char *http_call_method(const struct http_call *c);
const char *http_call_path(const struct http_call *c);
/* The part of the path that a '*' row matched. */
const char *http_call_rest(const struct http_call *c);
/* NULL when absent. */
const char *http_call_query(const struct http_call *c, const char *name);
const char *http_call_header(const struct http_call *c, const char *name);
/* The same, and NULL when it is there several times. */
const char *http_call_header_once(const struct http_call *c, const char *name);
const uint8_t *http_call_body(const struct http_call *c, size_t *len);
/* RC_AUTH when the call did not come by a Unix socket. */
MUST_CHECK enum rc http_call_peer(struct sock_peer *out,
                                  const struct http_call *c);
/*
 * Where a TCP caller calls from, to count by; IPv4 as ::ffff:a.b.c.d. RC_AUTH
 * on a Unix socket.
 */
MUST_CHECK enum rc http_call_address(uint8_t out[16],
                                     const struct http_call *c);
/* NULL on a connection without mutual TLS; borrowed for the call. */
const struct http_tls *http_call_tls(const struct http_call *c);

/*
 * State of this connection, kept until it closes (guard.conn_free). What it
 * replaces is the caller's again.
 */
void http_conn_set(struct http_call *c, void *state);
void *http_conn_get(const struct http_call *c);

/* -- answering -- */
/* Extra header for the coming reply; copied. */
MUST_CHECK enum rc http_reply_header(struct http_call *c, const char *name,
                                     const char *value);
/* The body is copied. type NULL: application/json. */
MUST_CHECK enum rc http_reply(struct http_call *c, int status, const char *type,
                              const void *body, size_t len);
/* problem+json from the thread's last error: {code, message, hint} */
MUST_CHECK enum rc http_reply_problem(struct http_call *c, enum rc rc);
/*
 * Answer later, from any thread, with http_reply*() on the same call: it is
 * resumed by that. A call must be answered exactly once; http_server_stop()
 * answers what is left, and after it the call must not be touched. Valid on
 * every kind of listener; called in the handler, before or after the call is
 * handed to another thread. What was borrowed from the call stays until it
 * is answered. A caller who goes away is not noticed: keep a deadline.
 */
void http_defer(struct http_call *c);

/* ---- client ---------------------------------------------------------- */
/*
 * One http_client per process thread that drives it. A *lane* is one
 * connection to one peer carrying one request at a time; the client opens up
 * to `lanes` per peer and queues beyond. Never retries by itself, except that
 * libcurl may resend on a kept connection that died before a reply byte:
 * calls between daemons are idempotent for that reason.
 *
 * Bodies over 1 MiB wait for "100 Continue", so that a refusal arrives. The
 * first client of a process ignores SIGPIPE, where it was at its default.
 */
struct http_client;
struct http_peer;
struct http_lane;

struct http_reply_view {
    enum rc rc; /* RC_OK: a reply arrived (any status) */
    int status; /* HTTP status, 0 when none */
    const uint8_t *body;
    size_t body_len;
    const char *why; /* text of the failure; or problem+json's message */
    const char *hint;
    enum rc problem; /* rc of a problem+json reply, else RC_OK */
};
/* Called once per request, in the driving thread; borrowed data. */
typedef void http_done(const struct http_reply_view *reply, void *arg);

/*
 * The client's side of attestation. When a lane has a fresh connection,
 * `opened` must bind it (it may run requests on that lane with
 * http_lane_send) and say so with http_lane_ready(); requests wait. `gate`
 * runs before each request's first byte, on every connection, also reused
 * ones; not RC_OK: nothing is sent. A gate that answers RC_ORDER means "this
 * connection is not the one that was bound": the lane is bound again and the
 * request retried, as often as the peer has lanes; so it is when a server
 * answers `attestation_required` (it has forgotten the binding, and done
 * nothing). `reply` judges each reply's MPC-Policy header (NULL: none, or
 * several) before done is called; RC_ORDER there is as RC_ORDER of the gate.
 *
 * gate and reply are not asked for the guard's own http_lane_send() requests;
 * request_header is, and the peer's URI is checked for those too. `seal` is
 * asked for those, when they have a body: it may fill in, in place, what only
 * the connection it goes out on can tell. gate and seal run inside libcurl:
 * they may raise, but send nothing. `closed` hands back a state
 * that was set, whenever the binding ends: unbound, failed, or freed. A binding
 * that waits for another thread says http_lane_wait(); `resume` is asked at
 * each step of the client from then on, until it answers true. A guard sees
 * https peers only; http and unix lanes are ready at once.
 */
struct http_client_guard {
    void (*opened)(struct http_lane *lane, void *ctx);
    enum rc (*gate)(struct http_lane *lane, const struct http_tls *tls,
                    void *ctx);
    enum rc (*seal)(struct http_lane *lane, const struct http_tls *tls,
                    void *body, size_t body_len, void *ctx); /* or NULL */
    enum rc (*reply)(struct http_lane *lane, const char *policy_header,
                     void *ctx);
    const char *(*request_header)(void *ctx); /* MPC-Policy value or NULL */
    bool (*resume)(struct http_lane *lane, void *ctx); /* or NULL */
    void (*closed)(struct http_lane *lane, void *state, void *ctx);
    void *ctx;
};

MUST_CHECK enum rc http_client_new(struct http_client **out,
                                   const struct http_tls_files *tls,
                                   const struct http_client_guard *guard);
void http_client_free(struct http_client *c);

/*
 * base_url "https://127.0.0.1:4433", "http://…" or "unix:/path". uri: the
 * node URI its certificate must carry (mpc://…), NULL for plain and unix.
 */
MUST_CHECK enum rc http_peer_new(struct http_peer **out, struct http_client *c,
                                 const char *base_url, const char *uri,
                                 unsigned lanes);
/* What is under way ends with RC_UNREACHABLE, told at the next step. */
void http_peer_free(struct http_peer *p);
const char *http_peer_uri(const struct http_peer *p);
/* A header for every request to this peer, as MPC-Policy-Want; copied. */
MUST_CHECK enum rc http_peer_header(struct http_peer *p, const char *name,
                                    const char *value);

/*
 * Start a request; body is copied. done is always called, also on failure to
 * start, but from the loop, not from in here (except without memory for the
 * request itself). deadline_ms on the clock_mono_ms() scale. max_reply: bytes.
 */
void http_send(struct http_peer *p, const char *method, const char *path,
               const void *body, size_t body_len, size_t max_reply,
               int64_t deadline_ms, http_done *done, void *arg);

/* -- for the guard -- */
struct http_peer *http_lane_peer(struct http_lane *l);
void http_lane_state_set(struct http_lane *l, void *state);
void *http_lane_state(struct http_lane *l);
/* A request on this lane before it is ready (the binding itself). */
void http_lane_send(struct http_lane *l, const char *method, const char *path,
                    const void *body, size_t body_len, size_t max_reply,
                    int64_t deadline_ms, http_done *done, void *arg);
/* The binding goes on when the guard's `resume` says so; and from any other
 * thread, while the lane is there: ask it soon. */
void http_lane_wait(struct http_lane *l);
void http_lane_wake(struct http_lane *l);
/*
 * The binding succeeded (RC_OK) or failed: queued requests go or fail. After
 * RC_BUSY they wait, and the lane tries again a little later.
 */
void http_lane_ready(struct http_lane *l, enum rc rc);
/* TLS facts of the lane's connection at its latest request; else NULL. */
const struct http_tls *http_lane_tls(const struct http_lane *l);
/*
 * The binding is gone (window over, policy epoch): bind before next use. With
 * a request under way it takes effect when that is done.
 */
void http_lane_unbind(struct http_lane *l);
/*
 * At that time (clock_mono_ms() scale; 0: never) the peer is bound anew in the
 * background, on a lane beside the others, which go on meanwhile: `opened` is
 * called for it, and it ends with http_lane_ready(). One at a time; what fails
 * is tried again, later each time; a peer that was asked nothing since the
 * last time is left alone, and so is one whose binding ended (until_ms): the
 * next request binds it.
 */
void http_peer_renew_at(struct http_peer *p, int64_t at_ms, int64_t until_ms);
/* It is that lane: it will carry no requests but the guard's. */
bool http_lane_renews(const struct http_lane *l);

/* -- one blocking request, for command-line tools and daemons' threads -- */
struct http_answer {
    int status;
    uint8_t *body; /* heap, NUL after the last byte */
    size_t body_len;
};
void http_answer_free(struct http_answer *a);
/*
 * RC_OK with a 2xx; a problem+json reply is raised as its own code and text.
 * Drives the client's loop until it is done; not from inside a callback.
 */
MUST_CHECK enum rc http_ask(struct http_answer *out, struct http_peer *p,
                            const char *method, const char *path,
                            const void *body, size_t body_len, size_t max_reply,
                            int64_t deadline_ms);

/* ---- the loop -------------------------------------------------------- */
/*
 * One thread serves external listeners and drives a client: the reactor.
 * http_loop_run() returns after at most max_ms or when http_loop_wake() was
 * called from another thread, and after each burst of work; call it again and
 * again. At most 8 servers. Free it before its client.
 */
struct http_loop;
MUST_CHECK enum rc http_loop_new(struct http_loop **out,
                                 struct http_client *client /* or NULL */);
void http_loop_add(struct http_loop *l, struct http_server *external);
MUST_CHECK enum rc http_loop_run(struct http_loop *l, int max_ms);
void http_loop_wake(struct http_loop *l); /* any thread, signal-safe not */
void http_loop_free(struct http_loop *l);

/* ---- framing of large bodies: u32be length, JSON, raw message -------- */
MUST_CHECK enum rc http_frame(uint8_t **out, size_t *out_len, const char *json,
                              size_t json_len, const void *raw, size_t raw_len);
MUST_CHECK enum rc http_unframe(const char **json, size_t *json_len,
                                const uint8_t **raw, size_t *raw_len,
                                const void *body, size_t body_len);

#endif

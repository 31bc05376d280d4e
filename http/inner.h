/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share and nobody else sees. */
#ifndef HTTP_INNER_H
#define HTTP_INNER_H

#include "http/http.h"

#include <curl/curl.h>
#include <microhttpd.h>
#include <openssl/x509.h>
#include <pthread.h>

#define HTTP_HEADERS_MAX    8         /* extra headers of one reply */
#define HTTP_IDLE_S         120       /* a kept connection may rest so long */
#define HTTP_REPLY_S        60        /* a client may take so long to read */
#define HTTP_PEM_MAX        (1 << 20) /* certificate and key files */
#define HTTP_LOOP_SERVERS   8
#define HTTP_EXPORTER_LABEL "EXPORTER-Channel-Binding" /* RFC 9266 */
#define HTTP_WHY_SIZE       512
#define HTTP_HINT_SIZE      256
#define HTTP_STRANGER_MAX   256

/* ---- server ---------------------------------------------------------- */

/* One accepted connection; made and freed in microhttpd's notification. */
struct http_conn {
    struct http_conn *prev;
    struct http_conn *next;
    struct http_server *server;
    int fd;
    int64_t due_ms; /* cut at this time; 0: our turn. Under server->lock */
    bool peer_known;
    struct sock_peer peer;
    bool verified; /* the handshake's verify function said yes */
    bool exported; /* tls.exporter is filled */
    bool shown;    /* a certificate came, whatever is in it */
    int said;      /* last handshake message of the other end; 0: none yet */
    char why[HTTP_STRANGER_MAX]; /* what verify() had against it */
    struct http_tls tls;
    void *state; /* the guard's */
};

struct http_header {
    char *name;
    char *value;
};

/*
 * One call. Lives as long as microhttpd's request, and while an application
 * holds it deferred. The fields from `refs` on are under server->lock.
 */
struct http_call {
    struct http_server *server;
    struct MHD_Connection *mhd;
    struct http_conn *conn;
    const struct http_route *row;
    const char *method;
    const char *path;
    const char *rest;
    uint8_t *body;
    size_t body_len;
    size_t body_cap;
    bool refused; /* by its headers: the body is dropped, then answered */
    bool let_in;  /* the guard's check passed */
    bool ran;     /* the handler was called */
    bool busy;    /* counted in server->n_busy */
    bool slept;   /* was suspended: microhttpd calls again after resume */

    unsigned refs; /* microhttpd's, and the application's while deferred */
    bool deferred; /* in server->deferred */
    bool suspended;
    bool answered; /* somebody has the right to answer: answerer */
    pthread_t answerer;
    bool published; /* status and response are final */
    struct http_header headers[HTTP_HEADERS_MAX];
    unsigned n_headers;
    int status;
    struct MHD_Response *response;
    struct http_call *prev;
    struct http_call *next;
};

struct http_server {
    struct http_server_config config;
    struct MHD_Daemon *daemon;
    bool fd_given;          /* the listening socket is microhttpd's to close */
    struct http_loop *loop; /* when external and added */
    uint8_t own_spki[32];
    int64_t limit_ms;
    pthread_mutex_t lock;
    pthread_cond_t moved; /* n_busy fell, or stopping was set */
    struct http_conn *conns;
    unsigned n_conns;
    struct http_call *deferred;
    unsigned n_busy; /* calls between handler and last reply byte */
    bool stopping;
    bool reaping; /* the reaper thread runs */
    pthread_t reaper;
};

/* conn.c */
void http_conn_notify(void *server, struct MHD_Connection *mhd, void **context,
                      enum MHD_ConnectionNotificationCode code);
struct http_conn *http_conn_of(struct MHD_Connection *mhd);
/* The connection must have done its part by now + ms; 0 stops the clock. */
void http_conn_due(struct http_conn *c, int64_t ms);
/* As above, but never later than what is set already. */
void http_conn_due_sooner(struct http_conn *c, int64_t ms);
void http_conn_reap(struct http_server *s);

/* call.c */
enum MHD_Result http_call_access(void *server, struct MHD_Connection *mhd,
                                 const char *path, const char *method,
                                 const char *version, const char *data,
                                 size_t *data_len, void **context);
void http_call_completed(void *server, struct MHD_Connection *mhd,
                         void **context, enum MHD_RequestTerminationCode how);
void http_call_release(struct http_call *c);
/* RC_OK unless the guard takes back that it let the call in. */
MUST_CHECK enum rc http_call_still(struct http_call *c);

/* reply.c */
/* Hand the built reply to microhttpd, in its thread. */
enum MHD_Result http_reply_queue(struct http_call *c);
/* problem+json with a status of its own choice */
enum rc http_reply_problem_as(struct http_call *c, int status, enum rc rc);
/* 503 to every deferred call that has no answer. */
void http_reply_stopping(struct http_server *s);

/* route.c */
/* NULL when no row fits; *known: the path exists with another method. */
const struct http_route *http_route_find(const struct http_route *rows,
                                         enum http_listen_kind kind,
                                         const char *method, const char *path,
                                         const char **rest, bool *known);
/* The methods that path knows, for the Allow header. */
void http_route_allow(char *out, size_t cap, const struct http_route *rows,
                      enum http_listen_kind kind, const char *path);

/* tls_server.c */
struct http_tls_pem {
    char *ca;
    char *cert;
    char *key; /* wiped by http_tls_pem_wipe() */
    size_t key_len;
};
enum rc http_tls_server_load(struct http_tls_pem *out, uint8_t spki[32],
                             const struct http_tls_files *files, bool mutual);
void http_tls_pem_wipe(struct http_tls_pem *pem);
/* Before the handshake: demand a certificate and judge it in there. */
void http_tls_server_demand(struct http_conn *c, struct MHD_Connection *mhd);
/* Why its handshake came to nothing. */
const char *http_tls_server_why(const struct http_conn *c);
/* After it: the exporter. RC_AUTH when the handshake did not verify. */
enum rc http_tls_server_facts(struct http_conn *c, struct MHD_Connection *mhd);

/* ---- client ---------------------------------------------------------- */

struct http_request {
    struct http_request *next;
    char method[8];
    const char *path;
    const uint8_t *body;
    size_t body_len;
    size_t max_reply;
    int64_t deadline_ms;
    http_done *done;
    void *arg;
    bool binding; /* the guard's own, by http_lane_send() */
    /* once a lane that had to be bound again, for either end's reason */
    unsigned gate_retries;
    unsigned server_retries;
    /* what came of it */
    uint8_t *reply;
    size_t reply_len;
    size_t reply_cap;
    bool overflow;
    enum rc stopped; /* by the check before the first byte */
    enum rc rc;
    char why[HTTP_WHY_SIZE];
    char hint[HTTP_HINT_SIZE];
    char mem[]; /* path and body */
};

struct http_queue {
    struct http_request *head;
    struct http_request *tail;
};

enum http_lane_state { LANE_UNBOUND, LANE_BINDING, LANE_READY };

struct http_lane {
    struct http_lane *next;
    struct http_peer *peer;
    unsigned index;
    enum http_lane_state state;
    bool unbind_due; /* when the running request ends */
    bool ended;      /* a renewing one: free it at the next pump */
    bool waits;      /* the guard is asked to resume it at each step */
    CURL *easy;
    struct curl_slist *connect_to;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    struct http_request *now;
    struct http_queue own; /* the guard's requests */
    int64_t rest_until_ms; /* its binding failed: not again before */
    bool tls_known;
    struct http_tls tls;
    void *guard_state;
};

struct http_peer {
    struct http_peer *next;
    struct http_client *client;
    unsigned id;
    bool tls;
    char *uri;
    char *unix_path; /* NULL: TCP */
    char *host;      /* as in the URL, for Host: and CONNECT_TO */
    char *port;
    char *prefix; /* path in front of every request's */
    struct curl_slist *headers;
    unsigned max_lanes;
    unsigned n_lanes;
    struct http_lane *lanes;
    struct http_queue queue;
    bool dirty;       /* pump before waiting */
    int64_t again_ms; /* pump at this time; 0: never */
    /* binding anew in the background: renew.c */
    struct http_lane *renewal; /* not in lanes; NULL: none runs */
    int64_t renew_ms;          /* 0: never */
    int64_t renew_until_ms;    /* too late after that */
    unsigned renew_fails;      /* one after the other */
    bool asked;                /* a request went out since the last one */
};

/* Certificate, key and CA, parsed once. */
struct http_tls_client {
    X509_STORE *store;
    X509 *cert;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
    uint8_t own_spki[32];
};

struct http_client {
    CURLM *multi;
    bool has_tls;
    struct http_tls_client tls;
    bool guarded;
    struct http_client_guard guard;
    struct http_peer *peers;
    unsigned n_ids;
    struct http_queue failed; /* done() is due, from the next step */
    bool stepping;
};

/* client.c */
/* Everything that can be done without waiting. */
void http_client_step(struct http_client *c);
/* Longest wait, at most max_ms. */
int http_client_timeout(const struct http_client *c, int max_ms);
/* This request ends with the thread's last error, at the next step. */
void http_client_fail(struct http_client *c, struct http_request *r,
                      enum rc rc);
void http_request_free(struct http_request *r);
struct http_request *http_request_new(const char *method, const char *path,
                                      const void *body, size_t body_len,
                                      size_t max_reply, int64_t deadline_ms,
                                      http_done *done, void *arg);
/* Tells its owner and frees it. */
void http_request_end(struct http_request *r,
                      const struct http_reply_view *view);
void http_request_keep_error(struct http_request *r, enum rc rc);

/* peer.c */
void http_queue_put(struct http_queue *q, struct http_request *r);
void http_queue_put_first(struct http_queue *q, struct http_request *r);
struct http_request *http_queue_take(struct http_queue *q);
void http_peer_pump(struct http_peer *p);
/* Fails what is past its deadline. */
void http_peer_expire(struct http_peer *p, int64_t now_ms);
bool http_peer_guarded(const struct http_peer *p);

/* renew.c */
void http_renew_pump(struct http_peer *p);
void http_renew_expire(struct http_peer *p, int64_t now_ms);
/* http_lane_ready() of the renewing lane. */
void http_renew_ready(struct http_lane *l, enum rc rc);

/* lane.c */
/* In no list yet; index: part of its host name, one of a kind per peer. */
enum rc http_lane_make(struct http_lane **out, struct http_peer *p,
                       unsigned index);
enum rc http_lane_new(struct http_lane **out, struct http_peer *p);
void http_lane_free(struct http_lane *l);
void http_lane_start(struct http_lane *l, struct http_request *r);
/* curl is done with the lane's request. */
void http_lane_finish(struct http_lane *l, CURLcode code);

/* tls_client.c */
enum rc http_tls_client_load(struct http_tls_client *out,
                             const struct http_tls_files *files);
void http_tls_client_wipe(struct http_tls_client *t);
/* Set up a lane's handle. */
enum rc http_tls_client_apply(CURL *easy, struct http_tls_client *t);
/* Only inside CURLOPT_PREREQFUNCTION. known: *tls is of an earlier request */
enum rc http_tls_client_facts(struct http_tls *tls, bool known, CURL *easy,
                              const struct http_tls_client *t);

/* loop.c */
void http_loop_remove(struct http_loop *l, struct http_server *s);

/* problem.c */
/* Heap text, NULL without memory. */
char *http_problem_encode(enum rc rc, const char *why, const char *hint);
/* RC_OK when body is no problem document. */
enum rc http_problem_decode(const uint8_t *body, size_t len, char *why,
                            size_t why_cap, char *hint, size_t hint_cap);

#endif

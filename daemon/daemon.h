/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What our three daemons share: the command line, configuration, the guest
 * device, genesis, the attested channel, the peer listener, readiness and
 * the end. A daemon's main() reads as a list of these calls.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/attest.h"
#include "base/conf.h"
#include "base/rc.h"
#include "http/http.h"

struct daemon_program {
    const char *name;     /* "mpc-sidecar" */
    const char *section;  /* of its config file: "mpc_sidecar" */
    const char *summary;  /* one line for --help */
    const char *tls_cert; /* "SIDECAR_TLS_CERT": key and environment */
    const char *tls_key;
    const struct conf_option *options; /* its own, ends with key NULL */
};

struct daemon {
    const struct daemon_program *program;
    const char *file; /* the configuration's */
    struct conf *conf;
    struct conf *reloaded; /* since SIGHUP: what attestation.c reads again */
    uint64_t files_state;
    int64_t look_ms;
    struct conf_option *options; /* common and own */
    const char *deployment;
    const char *uri;
    const char *state_dir;
    int64_t window_s; /* of the channel */
    struct attest_guest *guest;
    bool guest_simulated;
    struct attest_roots roots;
    uint8_t *genesis; /* exact bytes, checked against the pin */
    size_t genesis_len;
    uint8_t genesis_sha256[32];
    struct http_tls_files tls;        /* as a server */
    struct http_tls_files client_tls; /* as a client */
    struct attest_channel *channel;
    struct http_server *peers;
    char pid_file[512];
};

/*
 * Command line (-c FILE, -t, --help, --version), configuration, guest device
 * and genesis; no thread and no listening socket yet. Returns RC_OK, or an
 * error already told on stderr. *done: --help or such was served, exit with
 * *status.
 */
MUST_CHECK enum rc daemon_open(struct daemon *d, bool *done, int *status,
                               const struct daemon_program *program, int argc,
                               char **argv);
/*
 * The Ed25519 key kept sealed in the file at path, made on first use. sk is
 * libsodium's 64 bytes, the caller's locked memory. RC_STORE: cannot be
 * unsealed here.
 */
MUST_CHECK enum rc daemon_sealed_seed(const struct daemon *d, const char *path,
                                      uint8_t sk[64]);
/* The firmware level that what we seal is bound to; made on first use. */
MUST_CHECK enum rc daemon_seal_tcb(const struct daemon *d, uint64_t *tcb);
/* The attested channel, with what our files say of peers; host answers for
 * policy, daemon_rules() for what a policy document says of machines. */
MUST_CHECK enum rc daemon_channel(struct daemon *d,
                                  const struct attest_channel_host *host);
/*
 * The attestation policy of the policy in force (NULL: it has none), each
 * time it changes. Says in the log when it would exclude ourselves.
 */
MUST_CHECK enum rc daemon_rules(struct daemon *d, const char *json, size_t len);
/* For an attest_channel_host: a line in the log. */
void daemon_on_refused(void *ctx, const char *uri, const char *method,
                       const char *path, enum rc rc, const char *why);
void daemon_on_news(void *ctx, const char *uri, enum attest_news news);
/* attestation.c, called by the others here */
MUST_CHECK enum rc daemon_attestation_check(const struct conf *c);
MUST_CHECK enum rc daemon_attestation_open(struct daemon *d,
                                           struct attest_channel_config *c);
void daemon_attestation_self(struct daemon *d);
/*
 * The peer listener on config key `listen`. routes must begin with the
 * rows of DAEMON_ATTEST_ROUTES; ctx is a struct whose first member is a
 * `struct daemon *`.
 */
MUST_CHECK enum rc daemon_listen(struct daemon *d,
                                 const struct http_route *routes, void *ctx,
                                 unsigned threads);
enum rc daemon_on_hello(struct http_call *call, void *ctx);
enum rc daemon_on_evidence(struct http_call *call, void *ctx);
enum rc daemon_on_bind(struct http_call *call, void *ctx);
#define DAEMON_ATTEST_ROUTES                                                   \
    { "POST", "/v1/attest/hello", HTTP_CERT, 4096, daemon_on_hello },          \
            { "POST", "/v1/attest/bind", HTTP_CERT, 4096, daemon_on_bind },    \
    {                                                                          \
        "POST", "/v1/attest/evidence", HTTP_CERT, 65536, daemon_on_evidence    \
    }

/* pid file, event, sd_notify READY=1. */
MUST_CHECK enum rc daemon_ready(struct daemon *d);
/* SIGTERM or SIGINT came. */
bool daemon_stopping(void);
/* SIGHUP came since this was last asked. */
bool daemon_reload_asked(void);
/* A few times a second, in the main thread: SIGHUP, changed files. */
void daemon_tick(struct daemon *d);
/* Ticks until it stops (for daemons without a loop of their own). */
void daemon_wait(struct daemon *d);
/* Called once from a signal's safe point: wakes a loop (may be NULL). */
void daemon_close(struct daemon *d);

#endif

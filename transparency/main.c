/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpc-log: the append-only log. Its own Ed25519 key signs checkpoints; what
 * keeps it honest is that every sidecar is a witness.
 */
#include <stdio.h>
#include <string.h>

#include "base/conf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "transparency/log.h"

#define PEER_THREADS   4
#define PUBLIC_THREADS 2

/* clang-format off */
static const struct conf_option options[] = {
    { "public_listen", NULL, "127.0.0.1:0", "public reads: checkpoint, tiles" },
    { 0 },
};
static const struct daemon_program program = {
    "mpc-log", "mpc_log",
    "Transparency log: nothing is signed that is not in here first.",
    "LOG_TLS_CERT", "LOG_TLS_KEY", options,
};
/* clang-format on */

/* The log's secret key, sealed at rest by the guest; made on first start. */
static enum rc open_key(struct log_server *ls, uint8_t sk[64])
{
    char path[600];
    char name[TLOG_NAME_MAX];
    snprintf(path, sizeof(path), "%s/log.key", ls->d.state_dir);
    snprintf(name, sizeof(name), "%s/log", ls->d.deployment);
    TRY(daemon_sealed_seed(&ls->d, path, sk));
    return tlog_vkey_make(&ls->vkey, name, TLOG_SIG_ED25519, sk + 32);
}

static enum rc open_public(struct log_server *ls)
{
    const char *listen;
    uint16_t port;
    struct http_server_config c = { .kind = HTTP_ON_TCP,
                                    .routes = log_public_routes,
                                    .ctx = ls,
                                    .threads = PUBLIC_THREADS,
                                    .request_limit_s = 10 };
    TRY(conf_need(&listen, ls->d.conf, "public_listen"));
    TRY(sock_tcp_listen(&c.listen_fd, &port, listen));
    TRY(http_server_start(&ls->public, &c));
    log_info("listening", "public=%s port=%u", listen, port);
    return RC_OK;
}

static enum rc start(struct log_server *ls)
{
    uint8_t *sk = secret_new(64);
    if (!sk)
        return RC_NOMEM;
    enum rc rc = open_key(ls, sk);
    if (rc == RC_OK)
        rc = tlog_store_open(&ls->store, ls->d.state_dir, &ls->vkey, sk);
    secret_free(sk);
    TRY(rc);
    TRY(daemon_chain_open(&ls->chain, &ls->d, &ls->vkey));
    struct attest_channel_host host = daemon_chain_host(ls->chain);
    TRY(daemon_channel(&ls->d, &host));
    TRY(open_public(ls));
    TRY(daemon_listen(&ls->d, log_peer_routes, ls, PEER_THREADS));
    return daemon_ready(&ls->d);
}

int main(int argc, char **argv)
{
    struct log_server ls = { .daemon = NULL };
    bool done = false;
    int status = 0;
    ls.daemon = &ls.d;
    enum rc rc = daemon_open(&ls.d, &done, &status, &program, argc, argv);
    if (rc == RC_OK && !done) {
        rc = start(&ls);
        if (rc == RC_OK)
            daemon_wait();
        http_server_stop(ls.public);
        http_server_stop(TAKE(ls.d.peers));
    }
    if (rc != RC_OK) {
        log_rc(LOG_ERROR, "exit", rc);
        status = rc_exit(rc);
    }
    tlog_store_free(ls.store);
    daemon_close(&ls.d);
    daemon_chain_free(ls.chain);
    return status;
}

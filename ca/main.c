/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpc-ca: code-signing certificates that live for minutes. Its key is any
 * OSSL_STORE URI, by default a threshold key whose signers judge every
 * certificate by themselves, so that this process can mint nothing alone.
 */
#include "ca/server.h"

#include "base/conf.h"
#include "base/log.h"

/* A round may take seconds; attestation must not wait behind it. */
#define PEER_THREADS   8
#define PUBLIC_THREADS 1

/* clang-format off */
static const struct conf_option options[] = {
    { "key", "MPC_CA_KEY", "mpc:ca", "OSSL_STORE URI of the issuer key" },
    { "root", NULL, NULL, "its root certificate, PEM; may appear later" },
    { "sidecar", "MPC_SIDECAR", "", "Unix socket of the sidecar, for mpc: keys" },
    { "openssl_modules", "OPENSSL_MODULES", "",
      "directory of mpc.so, where OPENSSL_CONF does not load it" },
    { "log_url", NULL, NULL, "attested port of mpc-log: leaves with its SCT" },
    { "public_listen", NULL, NULL, "ADDRESS:PORT where everybody gets the root" },
    { 0 },
};
static const struct daemon_program program = {
    "mpc-ca", "mpc_ca",
    "Code-signing certificates that live for minutes.",
    "CA_TLS_CERT", "CA_TLS_KEY", options,
};
/* clang-format on */

/* Whoever holds such a key may sign what no signer has judged. */
static void warn_alone(const struct ca_server *ca)
{
    if (!ca_server_threshold(ca))
        log_warn("ca.key",
                 "key=%s why=\"no threshold key: no signer judges what this "
                 "process signs\"",
                 conf_get(ca->d.conf, "key"));
}

static enum rc open_public(struct ca_server *ca)
{
    const char *listen = conf_get(ca->d.conf, "public_listen");
    uint16_t port;
    struct http_server_config c = { .kind = HTTP_ON_TCP,
                                    .routes = ca_public_routes,
                                    .ctx = ca,
                                    .threads = PUBLIC_THREADS,
                                    .request_limit_s = 10 };
    if (!listen || !*listen)
        return RC_OK;
    TRY(sock_tcp_listen(&c.listen_fd, &port, listen));
    TRY(http_server_start(&ca->public, &c));
    log_info("listening", "public=%s port=%u", listen, port);
    return RC_OK;
}

static enum rc start(struct ca_server *ca)
{
    uint8_t measurement[ATTEST_MEASUREMENT_LEN], ak[32];
    const char *root;
    TRY(conf_need(&root, ca->d.conf, "root"));
    TRY(ca_provider_load(ca));
    TRY(daemon_chain_open(&ca->chain, &ca->d, NULL));
    struct attest_channel_host host = daemon_chain_host(ca->chain);
    TRY(daemon_channel(&ca->d, &host));
    TRY(daemon_chain_rules(ca->chain));
    attest_channel_own(ca->d.channel, ca->own_hash, measurement, ak,
                       &ca->simulated);
    warn_alone(ca);
    TRY(ca_promise_open(ca));
    TRY(open_public(ca));
    TRY(daemon_listen(&ca->d, ca_peer_routes, ca, PEER_THREADS));
    return daemon_ready(&ca->d);
}

int main(int argc, char **argv)
{
    struct ca_server ca = { .lock = PTHREAD_MUTEX_INITIALIZER,
                            .asking = PTHREAD_MUTEX_INITIALIZER };
    bool done = false;
    int status = 0;
    ca.daemon = &ca.d;
    enum rc rc = daemon_open(&ca.d, &done, &status, &program, argc, argv);
    if (rc == RC_OK && !done) {
        rc = start(&ca);
        if (rc == RC_OK)
            daemon_wait(&ca.d);
        http_server_stop(TAKE(ca.d.peers));
        http_server_stop(TAKE(ca.public));
        ca_promise_close(&ca);
    }
    if (rc != RC_OK) {
        log_rc(LOG_ERROR, "exit", rc);
        status = rc_exit(rc);
    }
    daemon_close(&ca.d);
    daemon_chain_free(ca.chain);
    ca_server_key_drop(&ca);
    ca_ready_wipe(&ca);
    return status;
}

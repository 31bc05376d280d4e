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
#include "base/own.h"
#include "base/secret.h"
#include "transparency/log.h"

#define PEER_THREADS   4
#define PUBLIC_THREADS 2
#define CLOSE_MS       2000

/* clang-format off */
static const struct conf_option options[] = {
    { "public_listen", NULL, "127.0.0.1:0", "public reads: checkpoint, tiles" },
    { "append_per_s", NULL, "10000", "entries a second of one peer; 0: any" },
    { "search", NULL, "yes", "keep an index of digests in memory" },
    { "witnesses", NULL, "", "tlog-policy file: witnesses with their URLs" },
    { 0 },
};
static const struct daemon_program program = {
    "mpc-log", "mpc_log",
    "Transparency log: nothing is signed that is not in here first.",
    "LOG_TLS_CERT", "LOG_TLS_KEY", options,
};
/* clang-format on */

/* The log's secret key, sealed at rest by the guest; made on first start. */
static enum rc open_key(struct log_server *ls, struct tlog_vkey *vkey,
                        uint8_t sk[64])
{
    char path[600];
    char name[TLOG_NAME_MAX];
    snprintf(path, sizeof(path), "%s/log.key", ls->d.state_dir);
    snprintf(name, sizeof(name), "%s/log", ls->d.deployment);
    TRY(daemon_sealed_seed(&ls->d, path, sk));
    return tlog_vkey_make(vkey, name, TLOG_SIG_ED25519, sk + 32);
}

static enum rc open_public(struct log_server *ls)
{
    const char *listen;
    uint16_t port;
    struct http_server_config c = { .kind = HTTP_ON_TCP,
                                    .routes = log_public_routes,
                                    .ctx = &ls->public,
                                    .threads = PUBLIC_THREADS,
                                    .request_limit_s = 10 };
    TRY(conf_need(&listen, ls->d.conf, "public_listen"));
    TRY(sock_tcp_listen(&c.listen_fd, &port, listen));
    TRY(http_server_start(&ls->server, &c));
    log_info("listening", "public=%s port=%u", listen, port);
    return RC_OK;
}

static enum rc open_store(struct log_server *ls)
{
    struct tlog_vkey vkey;
    struct tlog_store *store = NULL;
    uint8_t *sk = secret_new(64);
    if (!sk)
        return RC_NOMEM;
    enum rc rc = open_key(ls, &vkey, sk);
    if (rc == RC_OK)
        rc = tlog_store_open(&store, ls->d.state_dir, &vkey, sk);
    secret_free(sk);
    TRY(rc);
    log_public_init(&ls->public, store, &vkey);
    ls->public.simulated = ls->d.guest_simulated;
    return RC_OK;
}

/* Sealed like the first; its seed is all that is kept. */
static enum rc open_promise(struct log_server *ls)
{
    char path[600];
    uint8_t *sk = secret_new(64);
    if (!sk)
        return RC_NOMEM;
    snprintf(path, sizeof(path), "%s/sigstore.key", ls->d.state_dir);
    enum rc rc = daemon_sealed_seed(&ls->d, path, sk);
    if (rc == RC_OK)
        rc = log_promise_open(&ls->promise, &ls->public, ls->d.deployment, sk);
    secret_free(sk);
    return rc;
}

static enum rc open_append(struct log_server *ls)
{
    int64_t per_s;
    bool search;
    TRY(conf_int(&per_s, ls->d.conf, "append_per_s", 0, 1000000));
    TRY(conf_bool(&search, ls->d.conf, "search"));
    if (search)
        TRY(log_find_start(&ls->public.find, &ls->public));
    return log_appender_start(&ls->appender, &ls->public, (unsigned)per_s);
}

/* A sidecar cosigns as <deployment>/node<id>: the policy knows its URI. */
static enum rc cosigner_uri(void *ctx, char out[HTTP_URI_MAX], const char *name)
{
    struct log_server *ls = ctx;
    char node[TLOG_NAME_MAX];
    enum rc rc = rc_raise(RC_UNKNOWN,
                          "%s is no node of the policy; an https URL is an "
                          "attested sidecar's",
                          name);
    const struct policy *p = policy_chain_head(daemon_chain_lock(ls->chain));
    for (unsigned i = 0; i < p->n_nodes; i++) {
        snprintf(node, sizeof(node), "%s/node%u", ls->d.deployment,
                 p->node[i].id);
        if (strcmp(node, name) != 0)
            continue;
        snprintf(out, HTTP_URI_MAX, "%s", p->node[i].uri);
        rc = RC_OK;
    }
    daemon_chain_unlock(ls->chain);
    return rc;
}

/* After the channel: those elsewhere are asked over it. */
static enum rc open_witnesses(struct log_server *ls)
{
    const char *path = conf_get(ls->d.conf, "witnesses");
    OWNED_MEM uint8_t *text = NULL;
    OWNED_MEM struct tlog_trust *trust = NULL;
    size_t len;
    if (!path || !*path)
        return RC_OK;
    trust = calloc(1, sizeof(*trust));
    if (!trust)
        return rc_raise(RC_NOMEM, "witnesses: out of memory");
    TRY(file_read(&text, &len, path, TLOG_TRUST_TEXT_MAX));
    if (tlog_trust_read(trust, (char *)text, len) != RC_OK)
        return rc_prefix(RC_PARSE, "%s: ", path);
    struct log_attested attested = {
        .tls = ls->d.client_tls,
        .guard = attest_channel_client_guard(ls->d.channel),
        .uri = cosigner_uri,
        .ctx = ls,
    };
    return log_witnesses_start(&ls->witnesses, &ls->public, ls->appender,
                               TAKE(trust), ls->d.state_dir, &attested);
}

static enum rc start(struct log_server *ls)
{
    TRY(open_store(ls));
    TRY(open_promise(ls));
    TRY(open_append(ls));
    TRY(daemon_chain_open(&ls->chain, &ls->d, &ls->public.vkey));
    struct attest_channel_host host = daemon_chain_host(ls->chain);
    TRY(daemon_channel(&ls->d, &host));
    TRY(daemon_chain_rules(ls->chain));
    TRY(open_witnesses(ls));
    TRY(open_public(ls));
    TRY(daemon_listen(&ls->d, log_peer_routes, ls, PEER_THREADS));
    return daemon_ready(&ls->d);
}

/* What calls still wait for comes before their servers go. */
static void stop(struct log_server *ls)
{
    log_appender_close(ls->appender, CLOSE_MS);
    log_witnesses_stop(ls->witnesses);
    http_server_stop(ls->server);
    http_server_stop(TAKE(ls->d.peers));
    log_find_stop(ls->public.find);
    tlog_store_free(ls->public.store);
    log_appender_free(ls->appender);
    log_promise_close(&ls->promise);
}

int main(int argc, char **argv)
{
    struct log_server ls = { .daemon = NULL };
    bool done = false;
    int status = 0;
    ls.daemon = &ls.d;
    if (argc > 1 && strcmp(argv[1], "export") == 0)
        return log_export_main(argc - 2, argv + 2);
    enum rc rc = daemon_open(&ls.d, &done, &status, &program, argc, argv);
    if (rc == RC_OK && !done) {
        rc = start(&ls);
        if (rc == RC_OK)
            daemon_wait(&ls.d);
        stop(&ls);
    }
    if (rc != RC_OK) {
        log_rc(LOG_ERROR, "exit", rc);
        status = rc_exit(rc);
    }
    daemon_close(&ls.d);
    daemon_chain_free(ls.chain);
    return status;
}

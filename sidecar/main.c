/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpc-sidecar: opens the guest device, forks the vault, then everything that
 * has threads and sockets. The order is the point: what the vault inherits is
 * one socketpair and its own line to the device.
 */
#include "sidecar/do.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "base/rand.h"
#include "ca/ca.h"
#include "sidecar/audit_line.h"
#include "sidecar/master.h"

#define PEER_THREADS      4
#define TICK_MS           200
/* Its lead waits ROUND_MS for the whole call. */
#define AUTHORISER_MS_MAX 2000

/* clang-format off */
static const struct conf_option options[] = {
    { "node", NULL, NULL, "our node id, 1..65535" },
    { "socket", NULL, "/run/mpc/sidecar.sock", "Unix socket for local callers" },
    { "socket_mode", NULL, "0660", "its mode, octal" },
    { "socket_group", NULL, NULL, "its group; default the sidecar's own" },
    { "peers", NULL, NULL, "ID=URL of the other nodes, comma separated" },
    { "log_url", NULL, NULL, "attested port of mpc-log" },
    { "ca_url", NULL, NULL, "attested port of mpc-ca" },
    { "page_listen", NULL, NULL, "ADDRESS:PORT of the approval page; off" },
    { "page_origin", NULL, NULL, "as browsers see it: https://NAME[:PORT]" },
    { "page_rp_id", NULL, NULL, "domain that passkeys are made for" },
    { "page_tls_cert", NULL, NULL, "its certificate, PEM; https" },
    { "page_tls_key", NULL, NULL, "its key, PEM" },
    { "REQUIRED_ENGINEERS", "REQUIRED_ENGINEERS", "-1",
      "raises what profiles ask; never lowers" },
    { "REQUIRED_STEWARDS", "REQUIRED_STEWARDS", "-1", "the same" },
    { "audit_keep_days", NULL, "400", "age of the oldest audit rows; 0: all" },
    { "callers", NULL, NULL, "UID=NAME of local callers, comma separated" },
    { "session_users", NULL, NULL,
      "callers who may use sessions that others requested" },
    { "master_key", NULL, "snp+peers",
      "snp, snp+peers, pkcs11 or passphrase; the first of a list seals" },
    { "pkcs11_module", NULL, NULL, "the token's PKCS#11 module, a file" },
    { "pkcs11_token", NULL, NULL, "the token's label" },
    { "pkcs11_key", NULL, NULL, "labels of AES-256 keys; the first seals" },
    { "pkcs11_pin_file", NULL, NULL, "holds the user PIN" },
    { "passphrase_file", NULL, NULL, "simulation only; default: asked for" },
    { "authoriser", NULL, NULL,
      "unix:/PATH[:/URI] or http://127.0.0.1:PORT/URI, asked before a share" },
    { "authoriser_timeout_ms", NULL, "1000", "no answer by then is a no" },
    { 0 },
};
static const struct daemon_program program = {
    "mpc-sidecar", "mpc_sidecar",
    "Holds one share of each key; leads or follows signing rounds.",
    "SIDECAR_TLS_CERT", "SIDECAR_TLS_KEY", options,
};
/* clang-format on */

/* ---- the world ------------------------------------------------------------------------- */

static int64_t now_s(void *ctx)
{
    (void)ctx;
    return clock_now_s();
}

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return clock_mono_ms();
}

static enum rc random_bytes(void *ctx, void *out, size_t len)
{
    (void)ctx;
    return rand_bytes(out, len);
}

static void ak_sign(void *ctx, uint8_t sig[64], const uint8_t leaf[32])
{
    struct sidecar *sc = ctx;
    attest_channel_sign_intent(sc->d.channel, sig, leaf);
}

static void log_forked(void *ctx, const char *log)
{
    (void)ctx;
    log_error("log.forked", "log=%s evidence=/v1/fork", log);
}

static enum rc judge_machines(struct sidecar *sc)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(node_attestation(sc->node, &json, &len));
    return daemon_rules(&sc->d, json, len);
}

static void policy_changed(void *ctx)
{
    struct sidecar *sc = ctx;
    attest_channel_reset(sc->d.channel);
    enum rc rc = judge_machines(sc);
    if (rc != RC_OK)
        log_rc(LOG_ERROR, "attest.rules", rc); /* those before stand */
}

static enum rc attestation(void *ctx, const char *json, size_t len)
{
    struct attest_rules rules;
    bool has;
    (void)ctx;
    return attest_rules_shared(&rules, &has, json, len);
}

static bool is_simulated(void *ctx)
{
    struct sidecar *sc = ctx;
    uint8_t hash[32];
    uint8_t measurement[ATTEST_MEASUREMENT_LEN];
    uint8_t ak[32];
    bool simulated;
    attest_channel_own(sc->d.channel, hash, measurement, ak, &simulated);
    return simulated;
}

static enum rc tbs_check(void *ctx, const struct policy_chain *chain,
                         const struct policy_session *session,
                         const uint8_t issuer_key[32],
                         const struct wire_birth *birth, const uint8_t *tbs,
                         size_t tbs_len)
{
    TRY(ca_tbs_check(chain, session, issuer_key, birth, tbs, tbs_len,
                     clock_now_s()));
    return ca_tbs_marks(tbs, tbs_len, is_simulated(ctx));
}

static enum rc tbs_birth(void *ctx, uint64_t *index, const uint8_t *tbs,
                         size_t tbs_len)
{
    (void)ctx;
    return ca_tbs_birth(index, tbs, tbs_len);
}

static enum rc leaf_life(void *ctx, int64_t *from, int64_t *to,
                         const uint8_t *der, size_t len)
{
    (void)ctx;
    return ca_life(from, to, der, len);
}

/* A peer's thread; the loop has its own way, through peers_send(). */
static enum rc authorise(void *ctx, const char *json, size_t len,
                         int64_t deadline_ms, uint8_t **body, size_t *body_len)
{
    struct sidecar *sc = ctx;
    return authoriser_ask(sc->authoriser, json, len, deadline_ms, body,
                          body_len);
}

static void tell_audit(void *ctx, const struct wire_audit_row *row)
{
    const struct sidecar *sc = ctx;
    audit_line_write(row, sc->d.guest_simulated);
    if (strncmp(row->detail, AUDIT_GLASS, strlen(AUDIT_GLASS)) == 0)
        log_warn("break_glass", "session=%s lead=%s why=\"%s\"", row->session,
                 row->actor, row->detail);
    if (strcmp(row->method, AUDIT_COUNTER) == 0)
        log_warn("approval.counter", "session=%s why=\"%s\"", row->session,
                 row->detail);
}

/* ---- what the channel asks ------------------------------------------------------------------ */

static enum rc allowed(void *ctx, const char *uri, uint8_t (*hashes)[32],
                       unsigned *n, enum attest_role *role)
{
    struct sidecar *sc = ctx;
    enum policy_role r;
    uint16_t id;
    TRY(node_allowed(sc->node, uri, hashes, n, &r, &id));
    *role = r == POLICY_CA    ? ATTEST_CA
            : r == POLICY_LOG ? ATTEST_LOG
                              : ATTEST_SIDECAR;
    return RC_OK;
}

static void policy_head(void *ctx, struct wire_policy_head *head)
{
    struct sidecar *sc = ctx;
    node_policy_head(sc->node, head);
}

static void peer_head(void *ctx, const char *uri,
                      const struct wire_policy_head *head)
{
    struct sidecar *sc = ctx;
    uint32_t from;
    if (routes_caller(&from, sc, uri) == RC_OK)
        peers_heard(sc, from, head);
}

/* ---- steps of the start ------------------------------------------------------------------------ */

/* Master keys from outside: by a helper that ends here. */
static enum rc ask_masters(int *fd, struct vault_config *out,
                           const struct sidecar *sc)
{
    const char *list;
    const struct conf *conf = sc->d.conf;
    struct master_config c = { .module = conf_get(conf, "pkcs11_module"),
                               .token = conf_get(conf, "pkcs11_token"),
                               .keys = conf_get(conf, "pkcs11_key"),
                               .pin_file = conf_get(conf, "pkcs11_pin_file"),
                               .passphrase = conf_get(conf, "passphrase_file"),
                               .state_dir = sc->d.state_dir,
                               .simulated = sc->d.guest_simulated,
                               .node = sc->id };
    memcpy(c.cluster, sc->d.genesis_sha256, 32);
    TRY(conf_need(&list, conf, "master_key"));
    TRY(vault_master_parse(out->master, &out->n_masters, list));
    return master_run(fd, out->master, out->n_masters, &c);
}

static enum rc fork_vault(struct sidecar *sc)
{
    const char *device;
    int64_t id;
    TRY(conf_int(&id, sc->d.conf, "node", 1, UINT16_MAX));
    sc->id = (uint16_t)id;
    TRY(conf_need(&device, sc->d.conf, "device"));
    struct vault_config c = { .node = sc->id };
    /* a connection of the vault's own: it is closed here, kept there */
    OWN_S(attest_guest) *guest = NULL;
    TRY(attest_guest_open(&guest, device));
    TRY(daemon_seal_tcb(&sc->d, &c.tcb_version));
    TRY(attest_measure_file(c.measurement, "/proc/self/exe"));
    memcpy(c.cluster, sc->d.genesis_sha256, 32);
    c.seal_simulated = attest_guest_simulated(guest);
    OWNED_FD masters = -1;
    TRY(ask_masters(&masters, &c, sc));
    c.master_fd = masters;
    sc->master = c.master[0];
    TRY(attest_guest_lend(&c.seal_fd, guest));
    return vault_spawn(&sc->vault, &c);
}

static enum rc open_node(struct sidecar *sc)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/state.db", sc->d.state_dir);
    TRY(store_open(&sc->store, path));
    store_audit_watch(sc->store, tell_audit, sc);
    int64_t keep_days;
    int64_t authorise_ms;
    TRY(conf_int(&keep_days, sc->d.conf, "audit_keep_days", 0, 36500));
    TRY(conf_int(&authorise_ms, sc->d.conf, "authoriser_timeout_ms", 10,
                 AUTHORISER_MS_MAX));
    struct world w = {
        .now_s = now_s,
        .now_ms = now_ms,
        .random = random_bytes,
        .send = peers_send,
        .later = peers_later,
        .answer = routes_answer,
        .ak_sign = ak_sign,
        .log_forked = log_forked,
        .policy_changed = policy_changed,
        .tbs_check = tbs_check,
        .tbs_birth = tbs_birth,
        .leaf_life = leaf_life,
        .standing = announce_judge,
        .authorise = sc->authoriser ? authorise : NULL,
        .authorise_ms = authorise_ms,
        .simulated = is_simulated,
        .attestation = attestation,
        .store = sc->store,
        .vault = sc->vault,
        .ctx = sc,
    };
    int64_t engineers;
    int64_t stewards;
    char rp_id[POLICY_RP_ID_MAX];
    TRY(pages_rp_id(rp_id, sc));
    TRY(conf_int(&engineers, sc->d.conf, "REQUIRED_ENGINEERS", -1, 64));
    TRY(conf_int(&stewards, sc->d.conf, "REQUIRED_STEWARDS", -1, 64));
    struct node_config c = { .id = sc->id,
                             .deployment = sc->d.deployment,
                             .genesis = sc->d.genesis,
                             .genesis_len = sc->d.genesis_len,
                             .required_engineers = (int)engineers,
                             .required_stewards = (int)stewards,
                             .audit_keep_s = keep_days * 86400,
                             .simulated = sc->d.guest_simulated,
                             .master = sc->master,
                             .page_origin = conf_get(sc->d.conf, "page_origin"),
                             .rp_id = rp_id };
    memcpy(c.genesis_sha256, sc->d.genesis_sha256, 32);
    TRY(node_new(&sc->node, &c, &w));
    char why[700];
    if (keys_new_problem(why, sizeof(why), sc->node))
        log_warn("node.keys_new", "why=\"%s\"", why);
    return RC_OK;
}

/* Into the log, as CA and log have it, and into the audit record. */
static void refused(void *ctx, const char *uri, const char *method,
                    const char *path, enum rc rc, const char *why)
{
    daemon_on_refused(ctx, uri, method, path, rc, why);
    routes_refused(ctx, uri, method, path, rc, why);
}

static enum rc open_channel(struct sidecar *sc)
{
    struct attest_channel_host host = { .allowed = allowed,
                                        .policy_head = policy_head,
                                        .peer_head = peer_head,
                                        .refused = refused,
                                        .news = daemon_on_news,
                                        .ctx = sc };
    TRY(daemon_channel(&sc->d, &host));
    TRY(judge_machines(sc));
    uint8_t hash[32];
    uint8_t measurement[ATTEST_MEASUREMENT_LEN];
    uint8_t ak[32];
    bool simulated;
    attest_channel_own(sc->d.channel, hash, measurement, ak, &simulated);
    enc_hex(sc->own_hash, hash, 32);
    return RC_OK;
}

/* What chmod(1) takes, and nothing above the nine bits. */
static enum rc socket_mode(mode_t *out, const struct sidecar *sc)
{
    const char *text;
    char *end;
    TRY(conf_need(&text, sc->d.conf, "socket_mode"));
    unsigned long mode = strtoul(text, &end, 8);
    if (!*text || *end || mode > 0777)
        return rc_raise(RC_ARG, "socket_mode: %.20s, want octal 0 to 0777",
                        text);
    *out = (mode_t)mode;
    return RC_OK;
}

static enum rc open_local(struct sidecar *sc)
{
    const char *path;
    mode_t mode;
    TRY(conf_need(&path, sc->d.conf, "socket"));
    TRY(socket_mode(&mode, sc));
    struct http_server_config c = { .kind = HTTP_ON_UNIX,
                                    .routes = sidecar_local_routes,
                                    .ctx = sc,
                                    .request_limit_s = 20 };
    TRY(sock_unix_listen_group(&c.listen_fd, path, mode,
                               conf_get(sc->d.conf, "socket_group")));
    TRY(http_server_start(&sc->local, &c));
    http_loop_add(sc->loop, sc->local);
    return RC_OK;
}

/* What a wrong word in the configuration stops, before anything runs. */
static enum rc read_callers(struct sidecar *sc)
{
    const char *where = conf_get(sc->d.conf, "authoriser");
    TRY(callers_parse(&sc->callers, conf_get(sc->d.conf, "callers"),
                      conf_get(sc->d.conf, "session_users")));
    return where ? authoriser_new(&sc->authoriser, where) : RC_OK;
}

static enum rc start(struct sidecar *sc)
{
    TRY(read_callers(sc));
    TRY(fork_vault(sc));
    TRY(open_node(sc));
    TRY(open_channel(sc));
    TRY(peers_open(sc));
    TRY(http_loop_new(&sc->loop, sc->client));
    TRY(open_local(sc));
    TRY(pages_open(sc));
    TRY(daemon_listen(&sc->d, sidecar_peer_routes, sc, PEER_THREADS));
    TRY(announce_standing(sc));
    return daemon_ready(&sc->d);
}

/* A sidecar without its vault can do nothing: whoever runs it starts anew. */
static enum rc vault_lives(const struct sidecar *sc)
{
    struct pollfd p = { .fd = vault_fd(sc->vault), .events = POLLIN };
    if (poll(&p, 1, 0) > 0)
        return rc_raise(RC_STORE, "the vault process ended");
    return RC_OK;
}

/* After a tick nothing waits, unless the disk refuses it: said once. */
static void watch_audit(struct sidecar *sc)
{
    unsigned waiting = store_audit_waiting(sc->store);
    bool stuck = waiting >= STORE_AUDIT_STUCK;
    if (stuck && !sc->audit_stuck)
        log_error("audit.stuck",
                  "rows=%u why=\"state.db refuses them; no share "
                  "is released meanwhile\"",
                  waiting);
    if (!stuck && sc->audit_stuck)
        log_info("audit.back", "rows=%u", waiting);
    sc->audit_stuck = stuck;
}

static enum rc serve(struct sidecar *sc)
{
    int64_t next_tick = 0;
    while (!daemon_stopping()) {
        int64_t now = clock_mono_ms();
        if (now >= next_tick) {
            TRY(vault_lives(sc));
            daemon_tick(&sc->d);
            node_tick(sc->node);
            watch_audit(sc);
            next_tick = now + TICK_MS;
        }
        int64_t left = next_tick - clock_mono_ms();
        TRY(http_loop_run(sc->loop, left > 0 ? (int)left : 0));
        peers_pump(sc);
        pages_pump(sc);
        node_settle(sc->node);
    }
    return RC_OK;
}

static void stop(struct sidecar *sc)
{
    http_server_stop(sc->local);
    pages_close(sc);
    http_server_stop(TAKE(sc->d.peers));
    peers_close(sc);
    http_loop_free(sc->loop);
    if (sc->node)
        node_settle(sc->node);
    if (sc->store && store_audit_flush(sc->store) != RC_OK)
        log_rc(LOG_ERROR, "audit.stuck", RC_STORE);
    node_free(sc->node);
    store_free(sc->store);
    vault_free(sc->vault);
    authoriser_free(sc->authoriser);
}

int main(int argc, char **argv)
{
    struct sidecar sc = { .lock = PTHREAD_MUTEX_INITIALIZER };
    bool done = false;
    int status = 0;
    sc.daemon = &sc.d;
    enum rc rc = daemon_open(&sc.d, &done, &status, &program, argc, argv);
    if (rc == RC_OK && !done) {
        rc = start(&sc);
        if (rc == RC_OK)
            rc = serve(&sc);
        stop(&sc);
    }
    if (rc != RC_OK) {
        log_rc(LOG_ERROR, "exit", rc);
        status = rc_exit(rc);
    }
    daemon_close(&sc.d);
    return status;
}

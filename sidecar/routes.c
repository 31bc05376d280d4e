/* SPDX-License-Identifier: Apache-2.0 */
/* Rows: who may call what, how large; each handler hands over to the node. */
#include "sidecar/do.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/enc.h"
#include "base/log.h"

#define MAX_SIGN   (WIRE_MESSAGE_MAX + 8192)
#define MAX_HEAD   (2 * WIRE_NOTE_MAX)
#define MAX_PUT    (1024 * 1024)
#define MAX_ROUND2 (WIRE_MESSAGE_MAX + 4u * 1024 * 1024)

/* ---- local callers ------------------------------------------------------------------ */

/* A caller that set TEE_POLICY_HASH wants us to be one of those. */
static enum rc check_wanted(struct sidecar *sc, struct http_call *call)
{
    const char *want = http_call_header(call, "MPC-Policy-Want");
    if (!want || strstr(want, sc->own_hash))
        return RC_OK;
    enum rc rc = rc_raise(RC_POLICY_HASH,
                          "policy_mismatch: this sidecar is %s, the caller's "
                          "TEE_POLICY_HASH allows %.200s",
                          sc->own_hash, want);
    rc_hint("set TEE_POLICY_HASH to the sidecar's hash, or leave it unset");
    return rc;
}

static bool is_post(const struct http_call *call)
{
    return strcmp(http_call_method(call), "POST") == 0;
}

/*
 * When the process began, in ticks since boot: with its id, which process it
 * is. The 22nd field of its stat; the second, its name, may hold anything.
 */
static uint64_t began(pid_t pid)
{
    char path[64];
    char text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = pid > 0 ? fopen(path, "re") : NULL;
    if (!f)
        return 0;
    size_t len = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[len] = '\0';
    const char *at = strrchr(text, ')');
    for (unsigned field = 2; at && field < 22; field++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    return at ? strtoull(at, NULL, 10) : 0;
}

/* Only a session's own key asks which process it is. */
static bool asks_key(const char *path)
{
    return strncmp(path, "/v1/key/", 8) == 0 ||
           strncmp(path, "/v1/cert/", 9) == 0 || strcmp(path, "/v1/sign") == 0;
}

static enum rc caller_of(struct node_caller *out, const struct sidecar *sc,
                         const struct http_call *call)
{
    struct sock_peer peer;
    TRY(http_call_peer(&peer, call));
    callers_find(out, &sc->callers, &peer);
    if (asks_key(http_call_path(call)))
        out->start = began(peer.pid);
    return RC_OK;
}

/* A call that the node itself has not seen; rc_text() is left as it is. */
static enum rc audited(struct sidecar *sc, struct http_call *call,
                       const struct node_caller *who, enum rc rc)
{
    struct wire_audit_row row = { 0 };
    node_audit_caller(&row, who, is_post(call), http_call_path(call));
    snprintf(row.result, sizeof(row.result), "%s", rc_slug(rc));
    if (rc != RC_OK)
        snprintf(row.detail, sizeof(row.detail), "%s", rc_text());
    node_audit(sc->node, &row);
    return rc;
}

static enum rc on_local(struct http_call *call, void *ctx)
{
    struct sidecar *sc = ctx;
    struct node_caller who;
    TRY(caller_of(&who, sc, call));
    enum rc rc = check_wanted(sc, call);
    if (rc != RC_OK)
        return audited(sc, call, &who, rc);
    size_t len = 0;
    const uint8_t *body = NULL;
    if (is_post(call)) {
        body = http_call_body(call, &len);
        if (!body)
            body = (const uint8_t *)"";
    }
    const char *path = http_call_path(call);
    const char *session = http_call_query(call, "session");
    char target[512];
    if (session && !body && asks_key(path)) {
        snprintf(target, sizeof(target), "%.300s?session=%.80s", path, session);
        path = target;
    }
    node_on_local_as(sc->node, (uint64_t)(uintptr_t)call, &who, path, body,
                     len);
    http_defer(call); /* no wait for what was answered at once */
    return RC_OK;
}

/* ?slot=KIND: the node knows it as a part of the path. */
static enum rc on_bundle(struct http_call *call, void *ctx)
{
    struct sidecar *sc = ctx;
    struct node_caller who;
    char path[192];
    const char *slot = http_call_query(call, "slot");
    TRY(caller_of(&who, sc, call));
    enum rc rc = check_wanted(sc, call);
    if (rc != RC_OK)
        return audited(sc, call, &who, rc);
    snprintf(path, sizeof(path), "%.150s%s%.16s", http_call_path(call),
             slot ? "/" : "", slot ? slot : "");
    node_on_local_as(sc->node, (uint64_t)(uintptr_t)call, &who, path, NULL, 0);
    http_defer(call);
    return RC_OK;
}

void routes_answer(void *ctx, uint64_t id, enum rc rc, const char *json,
                   size_t len)
{
    struct http_call *call = (struct http_call *)(uintptr_t)id;
    (void)ctx;
    if (rc != RC_OK)
        log_rc(LOG_INFO, "refused", rc);
    enum rc sent = rc == RC_OK ? http_reply(call, 200, NULL, json, len)
                               : http_reply_problem(call, rc);
    if (sent != RC_OK)
        log_rc(LOG_WARN, "reply", sent);
}

static json_t *peer_json(const struct attest_peer *p)
{
    char hash[65];
    char ak[65];
    return json_pack("{s:s, s:s, s:s, s:b}", "uri", p->uri, "policy_hash",
                     enc_hex(hash, p->hash, 32), "ak", enc_hex(ak, p->ak, 32),
                     "simulated", (int)p->simulated);
}

/* The guest device; a lost one is a problem that only a person ends. */
static void put_device(json_t *o, const struct sidecar *sc)
{
    struct attest_guest_state s;
    attest_guest_state(&s, sc->d.guest);
    json_object_set_new(
            o, "device",
            json_pack("{s:s, s:s}", "kind", s.kind, "state", s.state));
    if (s.health == ATTEST_GUEST_LOST)
        json_array_append_new(json_object_get(o, "problems"),
                              json_string("attestation lost: relaunch the VM "
                                          "(stop and start it): peers refuse "
                                          "this node when their window ends"));
}

static json_t *caller_json(const struct node_caller *who)
{
    return json_pack("{s:I, s:s?, s:b}", "uid", (json_int_t)who->uid, "name",
                     who->name, "own_sessions", (int)who->own_sessions);
}

/* The node's status and what the channel knows, in one object. */
static enum rc tell_status(struct sidecar *sc, struct http_call *call,
                           const struct node_caller *who)
{
    TRY(check_wanted(sc, call));
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(node_status(sc->node, &json, &len));
    json_t *o = json_loadb(json, len, 0, NULL);
    uint8_t hash[32];
    uint8_t measurement[ATTEST_MEASUREMENT_LEN];
    uint8_t ak[32];
    bool simulated;
    char hex[ENC_HEX_SIZE(ATTEST_MEASUREMENT_LEN)];
    attest_channel_own(sc->d.channel, hash, measurement, ak, &simulated);
    json_object_set_new(o, "policy_hash", json_string(sc->own_hash));
    json_object_set_new(
            o, "measurement",
            json_string(enc_hex(hex, measurement, sizeof(measurement))));
    json_object_set_new(o, "ak", json_string(enc_hex(hex, ak, 32)));
    json_object_set_new(o, "simulated", json_boolean(simulated));
    put_device(o, sc);
    if (attest_channel_self(sc->d.channel) != RC_OK)
        json_object_set_new(o, "attestation", json_string(rc_text()));
    json_object_set_new(o, "vault_pid",
                        json_integer((json_int_t)vault_pid(sc->vault)));
    json_t *attested = json_array();
    struct attest_peer peers[64];
    unsigned n = attest_channel_peers(sc->d.channel, peers, 64);
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(attested, peer_json(&peers[i]));
    json_object_set_new(o, "attested", attested);
    json_object_set_new(o, "caller", caller_json(who));
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (!text)
        return rc_raise(RC_NOMEM, "status: out of memory");
    enum rc rc = http_reply(call, 200, NULL, text, strlen(text));
    free(text);
    return rc;
}

static enum rc on_status(struct http_call *call, void *ctx)
{
    struct sidecar *sc = ctx;
    struct node_caller who;
    TRY(caller_of(&who, sc, call));
    return audited(sc, call, &who, tell_status(sc, call, &who));
}

/* ---- audit ---------------------------------------------------------------------- */

static enum rc since_of(uint64_t *out, const struct http_call *call)
{
    const char *text = http_call_query(call, "since");
    char *end;
    *out = 0;
    if (!text)
        return RC_OK;
    size_t digits = strspn(text, "0123456789");
    *out = strtoull(text, &end, 10);
    if (digits == 0 || digits > 18 || *end)
        return rc_raise(RC_ARG, "since: %.20s: want the number of a row", text);
    return RC_OK;
}

static enum rc tell_rows(struct sidecar *sc, struct http_call *call)
{
    OWNED_MEM char *json = NULL;
    uint64_t since;
    size_t len;
    TRY(check_wanted(sc, call));
    TRY(since_of(&since, call));
    TRY(node_audit_rows(sc->node, since, &json, &len));
    return http_reply(call, 200, NULL, json, len);
}

static enum rc on_audit(struct http_call *call, void *ctx)
{
    struct sidecar *sc = ctx;
    struct node_caller who;
    TRY(caller_of(&who, sc, call));
    return audited(sc, call, &who, tell_rows(sc, call));
}

/* ---- the witness: the log's own callers, and whoever may open the socket ----- */

/* A witness' statuses are not all our codes. */
static enum rc rc_of_status(int status)
{
    return status == 200   ? RC_OK
           : status == 404 ? RC_UNKNOWN
           : status == 409 ? RC_CONFLICT
           : status == 422 ? RC_LOG
           : status == 403 ? RC_AUTH
           : status == 400 ? RC_PARSE
                           : RC_INTERNAL;
}

static void audit_witness(struct sidecar *sc, const struct node_witnessed *w,
                          struct wire_audit_row *row)
{
    enum rc rc = rc_of_status(w->status);
    snprintf(row->result, sizeof(row->result), "%s", rc_slug(rc));
    if (rc != RC_OK)
        snprintf(row->detail, sizeof(row->detail), "%d: %s", w->status,
                 w->status == 404 || w->status == 409 ? "" : rc_text());
    node_audit(sc->node, row);
}

static enum rc witnessed(struct http_call *call, struct sidecar *sc,
                         struct wire_audit_row *row)
{
    struct node_witnessed w;
    if (strcmp(http_call_method(call), "POST") == 0) {
        size_t len = 0;
        const uint8_t *body = http_call_body(call, &len);
        node_on_add_checkpoint(sc->node, &w, body ? body : (const uint8_t *)"",
                               len);
    } else {
        node_witness_head(sc->node, &w, http_call_path(call) + 1);
    }
    if (w.status != 200 && w.status != 404 && w.status != 409)
        log_info("witness.refused", "status=%d why=\"%s\"", w.status,
                 rc_text());
    audit_witness(sc, &w, row);
    return http_reply(call, w.status, w.type, w.body, w.len);
}

static enum rc on_local_witness(struct http_call *call, void *ctx)
{
    struct sidecar *sc = ctx;
    struct wire_audit_row row = { 0 };
    struct node_caller who;
    TRY(caller_of(&who, sc, call));
    enum rc rc = check_wanted(sc, call);
    if (rc != RC_OK)
        return audited(sc, call, &who, rc);
    node_audit_caller(&row, &who, is_post(call), http_call_path(call));
    return witnessed(call, sc, &row);
}

/* clang-format off */
const struct http_route sidecar_local_routes[] = {
    { "POST", "/v1/sign",       HTTP_LOCAL, MAX_SIGN,        on_local },
    { "POST", "/v1/session",    HTTP_LOCAL, 512 * 1024,      on_local },
    { "POST", "/v1/approval",   HTTP_LOCAL, 64 * 1024,       on_local },
    { "POST", "/v1/policy",     HTTP_LOCAL, 1024 * 1024,     on_local },
    { "POST", "/v1/invite",     HTTP_LOCAL, 4096,            on_local },
    { "POST", "/v1/enrol",      HTTP_LOCAL, 64 * 1024,       on_local },
    { "GET",  "/v1/enrolments", HTTP_LOCAL, 0,               on_local },
    { "GET",  "/v1/invite/*",   HTTP_LOCAL, 0,               on_local },
    { "GET",  "/v1/approvers/*", HTTP_LOCAL, 0,              on_local },
    { "POST", "/v1/sigstore",     HTTP_LOCAL, 64 * 1024,     on_local },
    { "GET",  "/v1/sigstore/key", HTTP_LOCAL, 0,             on_local },
    { "POST", "/v1/key/create", HTTP_LOCAL, 512 * 1024,      on_local },
    { "POST", "/v1/key/change", HTTP_LOCAL, 512 * 1024,      on_local },
    { "POST", "/v1/key/backup", HTTP_LOCAL, 512 * 1024,      on_local },
    { "POST", "/v1/key/export", HTTP_LOCAL, 512 * 1024,      on_local },
    { "POST", "/v1/key/recover", HTTP_LOCAL, 1024 * 1024,    on_local },
    { "GET",  "/v1/keys",       HTTP_LOCAL, 0,               on_local },
    { "GET",  "/v1/policy",     HTTP_LOCAL, 0,               on_local },
    { "POST", "/v1/policy/proposal",   HTTP_LOCAL, 1024 * 1024, on_local },
    { "GET",  "/v1/policy/proposal/*", HTTP_LOCAL, 0,           on_local },
    { "GET",  "/v1/fork",       HTTP_LOCAL, 0,               on_local },
    { "GET",  "/v1/status",     HTTP_LOCAL, 0,               on_status },
    { "GET",  "/v1/audit",      HTTP_LOCAL, 0,               on_audit },
    { "GET",  "/v1/key/*",      HTTP_LOCAL, 0,               on_local },
    { "GET",  "/v1/cert/*",     HTTP_LOCAL, 0,               on_local },
    { "GET",  "/v1/ca/chain",   HTTP_LOCAL, 0,               on_local },
    { "POST", "/v1/ca/root",    HTTP_LOCAL, 64 * 1024,       on_local },
    { "GET",  "/v1/bundle/*",   HTTP_LOCAL, 0,               on_bundle },
    { "GET",  "/v1/session/*",  HTTP_LOCAL, 0,               on_local },
    { "GET",  "/v1/sessions",   HTTP_LOCAL, 0,               on_local },
    { "POST", "/add-checkpoint", HTTP_LOCAL, TLOG_ADD_CHECKPOINT_MAX,
      on_local_witness },
    { "GET",  "/*",             HTTP_LOCAL, 0,               on_local_witness },
    { 0 },
};
/* clang-format on */

/* ---- attested peers -------------------------------------------------------------------- */

enum rc routes_caller(uint32_t *from, struct sidecar *sc, const char *uri)
{
    uint8_t hashes[POLICY_MAX_HASHES][32];
    unsigned n;
    enum policy_role role;
    uint16_t id;
    TRY(node_allowed(sc->node, uri, hashes, &n, &role, &id));
    *from = role == POLICY_LOG ? WORLD_LOG : role == POLICY_CA ? WORLD_CA : id;
    return RC_OK;
}

/* "POLICY_HASH/AK", what the channel holds of this connection's peer. */
#define ATTESTATION_SIZE 130
static const char *attestation_text(char out[ATTESTATION_SIZE],
                                    const struct attest_peer *p)
{
    enc_hex(out, p->hash, 32);
    out[64] = '/';
    enc_hex(out + 65, p->ak, 32);
    return out;
}

static void peer_row(struct wire_audit_row *row, const struct attest_peer *p,
                     const struct http_call *call)
{
    char text[ATTESTATION_SIZE];
    snprintf(row->actor, sizeof(row->actor), "%s", p->uri);
    snprintf(row->attestation, sizeof(row->attestation), "%s",
             attestation_text(text, p));
    snprintf(row->method, sizeof(row->method), "%s %s", http_call_method(call),
             http_call_path(call));
}

static enum rc peer_refused(struct sidecar *sc, const struct http_call *call,
                            const struct attest_peer *p, enum rc rc)
{
    struct wire_audit_row row = { 0 };
    peer_row(&row, p, call);
    snprintf(row.result, sizeof(row.result), "%s", rc_slug(rc));
    snprintf(row.detail, sizeof(row.detail), "%s", rc_text());
    node_audit(sc->node, &row);
    return rc;
}

void routes_refused(void *ctx, const char *uri, const char *method,
                    const char *path, enum rc rc, const char *why)
{
    struct sidecar *sc = ctx;
    struct wire_audit_row row = { 0 };
    snprintf(row.actor, sizeof(row.actor), "%s", uri ? uri : "");
    snprintf(row.method, sizeof(row.method), "%s %s", method, path);
    snprintf(row.result, sizeof(row.result), "%s", rc_slug(rc));
    snprintf(row.detail, sizeof(row.detail), "%s", why ? why : "");
    node_audit(sc->node, &row);
}

static enum rc on_peer(struct http_call *call, void *ctx)
{
    struct sidecar *sc = ctx;
    struct attest_peer peer;
    char attestation[ATTESTATION_SIZE];
    struct node_from from = { .uri = peer.uri };
    TRY(attest_channel_peer(&peer, call));
    enum rc rc = routes_caller(&from.id, sc, peer.uri);
    if (rc != RC_OK)
        return peer_refused(sc, call, &peer, rc);
    from.attestation = attestation_text(attestation, &peer);
    size_t len = 0;
    const uint8_t *body = NULL;
    if (is_post(call)) {
        body = http_call_body(call, &len);
        if (!body)
            body = (const uint8_t *)"";
    }
    OWNED_MEM char *json = NULL;
    size_t json_len = 0;
    rc = node_on_peer_as(sc->node, &from, http_call_path(call), body, len,
                         &json, &json_len);
    if (rc != RC_OK) {
        log_rc(LOG_INFO, "peer.refused", rc);
        return rc;
    }
    return http_reply(call, 200, NULL, json, json_len);
}

/* The log and other sidecars: who signs certificates has no part in it. */
static enum rc on_peer_witness(struct http_call *call, void *ctx)
{
    struct sidecar *sc = ctx;
    struct attest_peer peer;
    struct wire_audit_row row = { 0 };
    uint32_t from;
    TRY(attest_channel_peer(&peer, call));
    enum rc rc = routes_caller(&from, sc, peer.uri);
    if (rc == RC_OK && from == WORLD_CA)
        rc = rc_raise(RC_AUTH, "witness: only the log and sidecars may call");
    if (rc != RC_OK)
        return peer_refused(sc, call, &peer, rc);
    peer_row(&row, &peer, call);
    return witnessed(call, sc, &row);
}

/* clang-format off */
const struct http_route sidecar_peer_routes[] = {
    DAEMON_ATTEST_ROUTES,
    { "POST", "/v1/frost/commit",   HTTP_PEER, 4096,        on_peer },
    { "POST", "/v1/frost/round2",   HTTP_PEER, MAX_ROUND2,  on_peer },
    { "POST", "/v1/head",           HTTP_PEER, MAX_HEAD,    on_peer },
    { "POST", "/v1/cosign",         HTTP_PEER, TLOG_ADD_CHECKPOINT_MAX,
      on_peer },
    { "GET",  "/v1/standing",       HTTP_PEER, 0,           on_peer },
    { "POST", "/v1/session/put",    HTTP_PEER, MAX_PUT,     on_peer },
    { "POST", "/v1/piece/split",    HTTP_PEER, 16 * 1024,   on_peer },
    { "POST", "/v1/piece/keep",     HTTP_PEER, 64 * 1024,   on_peer },
    { "POST", "/v1/piece/acked",    HTTP_PEER, 64 * 1024,   on_peer },
    { "POST", "/v1/piece/ask",      HTTP_PEER, 4096,        on_peer },
    { "POST", "/v1/epoch/start",    HTTP_PEER, 512 * 1024,  on_peer },
    { "POST", "/v1/epoch/deal",     HTTP_PEER, 4096 * 1024, on_peer },
    { "POST", "/v1/epoch/finish",   HTTP_PEER, 64 * 1024,   on_peer },
    { "POST", "/v1/epoch/activate", HTTP_PEER, 1024 * 1024, on_peer },
    { "POST", "/v1/once/start",     HTTP_PEER, 512 * 1024,  on_peer },
    { "POST", "/v1/once/deal",      HTTP_PEER, 4096 * 1024, on_peer },
    { "POST", "/v1/once/finish",    HTTP_PEER, 64 * 1024,   on_peer },
    { "POST", "/v1/once/birth",     HTTP_PEER, 1024 * 1024, on_peer },
    { "POST", "/v1/once/close",     HTTP_PEER, 4096,        on_peer },
    { "POST", "/v1/epoch/look",     HTTP_PEER, 4096,        on_peer },
    { "POST", "/v1/epoch/begin",    HTTP_PEER, 3072 * 1024, on_peer },
    { "POST", "/v1/epoch/share",    HTTP_PEER, 4096 * 1024, on_peer },
    { "POST", "/v1/epoch/prepare",  HTTP_PEER, 64 * 1024,   on_peer },
    { "POST", "/v1/epoch/live",     HTTP_PEER, 2048 * 1024, on_peer },
    { "POST", "/v1/epoch/retire",   HTTP_PEER, 64 * 1024,   on_peer },
    { "POST", "/v1/epoch/destroy",  HTTP_PEER, 3072 * 1024, on_peer },
    { "POST", "/v1/epoch/gone",     HTTP_PEER, 2048 * 1024, on_peer },
    { "POST", "/v1/backup",         HTTP_PEER, 512 * 1024,  on_peer },
    { "POST", "/v1/policy",         HTTP_PEER, 1024 * 1024, on_peer },
    { "GET",  "/v1/policy",         HTTP_PEER, 0,           on_peer },
    { "POST", "/add-checkpoint",    HTTP_PEER, TLOG_ADD_CHECKPOINT_MAX,
      on_peer_witness },
    { "GET",  "/*",                 HTTP_PEER, 0,           on_peer_witness },
    { 0 },
};
/* clang-format on */

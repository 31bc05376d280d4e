/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the sidecar of this machine, over its Unix socket. */
#include "cli/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"

#define SIDECAR_DEFAULT "/run/mpc/sidecar.sock"

OWNED_STRUCT(http_client);

const char *cli_sidecar(void)
{
    const char *path = getenv("MPC_SIDECAR");
    if (!path || !*path)
        return SIDECAR_DEFAULT;
    return strncmp(path, "unix:", 5) == 0 ? path + 5 : path;
}

/* What TEE_POLICY_HASH allows goes along; set but empty allows nobody. */
static enum rc put_want(struct http_peer *p)
{
    const char *want = getenv("TEE_POLICY_HASH");
    if (!want)
        return RC_OK;
    if (!*want)
        return rc_raise(RC_POLICY_HASH, "TEE_POLICY_HASH: set but empty, it "
                                        "allows no sidecar");
    return http_peer_header(p, "MPC-Policy-Want", want);
}

/* Asked first, because libcurl's words for it name made-up hosts. */
static enum rc knock(const char *socket)
{
    OWNED_FD fd = -1;
    enum rc rc = sock_unix_connect(&fd, socket);
    if (rc == RC_OK)
        return RC_OK;
    rc = rc_raise(RC_UNREACHABLE, "no sidecar answers at %.200s", socket);
    rc_hint("is mpc-sidecar running, and MPC_SIDECAR right?");
    return rc;
}

enum rc cli_ask(struct http_answer *out, const char *socket, const char *path,
                const void *body, size_t len, int timeout_ms)
{
    char url[512];
    if (!socket)
        socket = cli_sidecar();
    snprintf(url, sizeof(url), "unix:%s", socket);
    TRY(knock(socket));
    OWN_S(http_client) *client = NULL;
    struct http_peer *peer; /* the client's */
    TRY(http_client_new(&client, NULL, NULL));
    TRY(http_peer_new(&peer, client, url, NULL, 1));
    TRY(put_want(peer));
    return http_ask(out, peer, body ? "POST" : "GET", path, body, len,
                    CLI_REPLY_MAX, clock_mono_ms() + timeout_ms);
}

/* Of the list: asking for a session's own key by name would make one. */
enum rc cli_ask_key(struct wire_key *out, const char *name)
{
    struct http_answer a;
    WIRE(keys) keys = { 0 };
    TRY(cli_ask(&a, NULL, "/v1/keys", NULL, 0, CLI_ASK_MS));
    enum rc rc = wire_keys_decode(&keys, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    for (size_t i = 0; i < keys.keys.n; i++) {
        struct wire_key *k = &keys.keys.at[i];
        if (strcmp(k->name, name) != 0)
            continue;
        if (k->epoch == 0 && strcmp(k->lifetime, "ephemeral") != 0) {
            static const uint8_t none[32];
            if (memcmp(k->group_key, none, 32) != 0)
                return rc_raise(RC_UNKNOWN,
                                "key %s: it was destroyed, and its name is "
                                "not used again",
                                name);
            rc = rc_raise(RC_UNKNOWN, "key %s: not created yet", name);
            rc_hint("mpcsign key create %s", name);
            return rc;
        }
        *out = *k;
        memset(k, 0, sizeof(*k)); /* moved */
        return RC_OK;
    }
    rc = rc_raise(RC_UNKNOWN, "key %s: no such profile", name);
    rc_hint("mpcsign key list shows the keys there are");
    return rc;
}

static enum rc parse_object(json_t **out, const struct http_answer *a)
{
    json_error_t error;
    json_t *o = json_loadb((const char *)a->body, a->body_len,
                           JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(o)) {
        json_decref(o);
        return rc_raise(RC_PARSE,
                        "the sidecar's answer is no JSON object "
                        "(position %d)",
                        error.position);
    }
    *out = o;
    return RC_OK;
}

enum rc cli_ask_json(json_t **out, const char *socket, const char *path)
{
    struct http_answer a;
    TRY(cli_ask(&a, socket, path, NULL, 0, CLI_ASK_MS));
    enum rc rc = parse_object(out, &a);
    http_answer_free(&a);
    return rc;
}

enum rc cli_json_hex(uint8_t *out, size_t len, const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_string(v) || enc_unhex(out, len, json_string_value(v),
                                        json_string_length(v)) != RC_OK)
        return rc_raise(RC_PARSE, "%s: want %zu bytes of hex", key, len);
    return RC_OK;
}

enum rc cli_cluster_ask(struct cli_cluster *out, const char *socket)
{
    OWNED(json_t) *o = NULL;
    TRY(cli_ask_json(&o, socket, "/v1/status"));
    const json_t *policy = json_object_get(o, "policy");
    struct cli_cluster c = { 0 };
    TRY(cli_json_hex(c.genesis, 32, policy, "genesis"));
    TRY(cli_json_hex(c.policy, 32, policy, "sha256"));
    c.version = (uint64_t)json_integer_value(
            json_object_get(policy, "version"));
    c.simulated = json_is_true(json_object_get(o, "simulated"));
    *out = c;
    return RC_OK;
}

enum rc cli_ask_sign(struct wire_signed *out, const char *socket,
                     const char *key, const char *session, const uint8_t *msg,
                     size_t len, int wait_ms)
{
    WIRE(sign) ask = { .wait_ms = (uint64_t)wait_ms };
    OWNED_MEM char *json = NULL;
    OWNED_MEM uint8_t *body = NULL;
    size_t json_len;
    size_t body_len;
    if (strlen(key) >= sizeof(ask.key) ||
        strlen(session) >= sizeof(ask.session))
        return rc_raise(RC_ARG, "key or session name: too long");
    snprintf(ask.key, sizeof(ask.key), "%s", key);
    snprintf(ask.session, sizeof(ask.session), "%s", session);
    TRY(wire_sign_encode(&json, &json_len, &ask));
    TRY(http_frame(&body, &body_len, json, json_len, msg, len));
    struct http_answer a;
    TRY(cli_ask(&a, socket, "/v1/sign", body, body_len, wait_ms + 2000));
    enum rc rc = wire_signed_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

const char *cli_session_or_env(const char *given)
{
    const char *env = given ? given : getenv("MPC_SESSION");
    return env && *env ? env : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From running daemons to a cluster that signs: version 2 of the policy with
 * what was born inside, the keys of all persistent profiles, and the root of
 * the issuer. Each step is done once and found done afterwards.
 */
#include "cli/dev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "cli/ca.h"

#define LOG_MS    30000
#define POLICY_MS 30000
#define CERT_MS   20000
#define SIGN_MS   15000
#define NOTE_MS   1000
#define STEP_MS   50

/* bob and carol approve what dev asks for. */
struct crew {
    char keys[DEV_PATH];
    struct cli_list approvers;
    struct cli_people people;
};

static enum rc crew_of(struct crew *out, const struct dev *d)
{
    TRY(dev_path(out->keys, d, "persons", NULL));
    out->approvers = (struct cli_list){ { "bob", "carol" }, 2 };
    out->people = (struct cli_people){ out->keys, "dev", &out->approvers };
    return RC_OK;
}

static enum rc node_sock(char out[DEV_PATH], const struct dev *d, unsigned id)
{
    char name[16];
    snprintf(name, sizeof(name), "node%u", id);
    return dev_sock(out, d, name, "sidecar");
}

/* ---- waiting for what nodes say ----------------------------------------- */

typedef bool node_says(const json_t *status);

static bool has_log(const json_t *status)
{
    return json_is_object(json_object_get(status, "log"));
}

static bool has_version2(const json_t *status)
{
    const json_t *p = json_object_get(status, "policy");
    return json_integer_value(json_object_get(p, "version")) >= 2;
}

/* Until every node says so. */
static enum rc wait_nodes(const struct dev *d, node_says *says,
                          const char *what, int ms)
{
    int64_t began = clock_mono_ms();
    bool noted = false;
    for (unsigned id = 1; id <= d->n;) {
        char sock[DEV_PATH];
        OWNED(json_t) *status = NULL;
        TRY(dev_interrupted());
        TRY(node_sock(sock, d, id));
        TRY(cli_ask_json(&status, sock, "/v1/status"));
        if (says(status)) {
            id++;
            continue;
        }
        int64_t waited = clock_mono_ms() - began;
        if (waited > ms) {
            enum rc rc = rc_raise(RC_TIMEOUT, "node%u: %s, waited %d s", id,
                                  what, ms / 1000);
            rc_hint("its log is %s/node%u/log", d->dir, id);
            return rc;
        }
        if (waited > NOTE_MS && !noted) {
            cli_note("node%u: %s …", id, what);
            noted = true;
        }
        dev_sleep_ms(STEP_MS);
    }
    return RC_OK;
}

/* ---- version 2 ---------------------------------------------------------- */

static enum rc ask_born(struct dev_born *out, const struct dev *d)
{
    for (unsigned id = 1; id <= d->n; id++) {
        char sock[DEV_PATH];
        OWNED(json_t) *o = NULL;
        TRY(node_sock(sock, d, id));
        TRY(cli_ask_json(&o, sock, "/v1/status"));
        TRY(cli_json_hex(out->identity[id - 1], 32, o, "identity"));
        TRY(cli_json_hex(out->box[id - 1], 32, o, "box"));
        const char *vkey = json_string_value(
                json_object_get(json_object_get(o, "log"), "vkey"));
        if (!vkey || strlen(vkey) >= sizeof(out->log))
            return rc_raise(RC_PARSE, "node%u: names no log", id);
        if (id > 1 && strcmp(vkey, out->log) != 0)
            return rc_raise(RC_LOG, "node%u and node1 saw different logs", id);
        snprintf(out->log, sizeof(out->log), "%s", vkey);
    }
    return RC_OK;
}

static enum rc submit(const struct dev *d, const char *sock, const char *text,
                      size_t len)
{
    struct crew crew;
    struct cli_cluster cluster;
    struct policy_session s;
    WIRE(policy) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t json_len;
    struct http_answer a;
    TRY(crew_of(&crew, d));
    TRY(cli_cluster_ask(&cluster, sock));
    TRY(cli_session_begin(&s, POLICY_S_POLICY, &cluster, NULL,
                          "policy version 2: what was born inside"));
    policy_session_artifact(&s, "policy.json", text, len);
    TRY(cli_session_sign(&m.session, &s, &crew.people));
    TRY(wire_blob_set(&m.policy, text, len));
    TRY(wire_policy_encode(&json, &json_len, &m));
    TRY(cli_ask(&a, sock, "/v1/policy", json, json_len, POLICY_MS));
    http_answer_free(&a);
    return RC_OK;
}

static enum rc put_version2(const struct dev *d, const char *sock)
{
    OWNED_MEM struct dev_born *born = calloc(1, sizeof(*born));
    OWNED_MEM char *text = NULL;
    size_t len;
    if (!born)
        return rc_raise(RC_NOMEM, "policy: out of memory");
    TRY(wait_nodes(d, has_log, "has not reached the log", LOG_MS));
    TRY(ask_born(born, d));
    TRY(dev_version2(&text, &len, d, born));
    enum rc rc = submit(d, sock, text, len);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "policy version 2: ");
}

/* The version in force as a file: what `verify --policy` reads. */
static enum rc write_policy(const struct dev *d, const char *sock)
{
    char path[DEV_PATH];
    struct http_answer a;
    WIRE(policies) all = { 0 };
    TRY(cli_ask(&a, sock, "/v1/policy", NULL, 0, POLICY_MS));
    enum rc rc = wire_policies_decode(&all, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    if (all.versions.n < 2)
        return rc_raise(RC_PARSE, "policy: node1 holds %zu versions",
                        all.versions.n);
    const struct wire_blob *b = &all.versions.at[all.versions.n - 1].policy;
    TRY(dev_path(path, d, "policy.json", NULL));
    return file_write(path, b->p, b->len, 0644);
}

static enum rc govern(const struct dev *d, const char *sock)
{
    struct cli_cluster cluster;
    TRY(cli_cluster_ask(&cluster, sock));
    if (cluster.version < 2)
        TRY(put_version2(d, sock));
    TRY(wait_nodes(d, has_version2, "still under policy version 1", POLICY_MS));
    return write_policy(d, sock);
}

/* ---- keys --------------------------------------------------------------- */

static enum rc make_keys(const struct dev *d, const char *sock)
{
    struct crew crew;
    struct http_answer a;
    WIRE(keys) keys = { 0 };
    TRY(crew_of(&crew, d));
    TRY(cli_ask(&a, sock, "/v1/keys", NULL, 0, SIGN_MS));
    enum rc rc = wire_keys_decode(&keys, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    for (size_t i = 0; i < keys.keys.n; i++) {
        const struct wire_key *k = &keys.keys.at[i];
        WIRE(key) made = { 0 };
        if (k->epoch || strcmp(k->lifetime, "persistent") != 0)
            continue;
        TRY(dev_interrupted());
        rc = cli_key_create(&made, sock, k->name, &crew.people);
        if (rc != RC_OK)
            return rc_prefix(rc, "key %s: ", k->name);
    }
    return RC_OK;
}

/* ---- the root ----------------------------------------------------------- */

/* The ceremony of `mpcsign ca init`, with everybody's key at hand. */
static enum rc root_session(char hex[65], const struct dev *d,
                            const struct ca_root *r)
{
    struct crew crew;
    struct policy_session s;
    WIRE(session) m = { 0 };
    TRY(crew_of(&crew, d));
    TRY(ca_root_session(&s, r, "the root of this cluster's certificates"));
    TRY(cli_session_sign(&m, &s, &crew.people));
    TRY(ca_root_bring(r, &m));
    enc_hex(hex, s.id, 32);
    return RC_OK;
}

static enum rc make_root(const struct dev *d, const char *sock)
{
    char path[DEV_PATH];
    char session[65];
    OWNED_MEM struct ca_root *r = calloc(1, sizeof(*r));
    TRY(dev_path(path, d, "ca.pem", NULL));
    if (!r)
        return rc_raise(RC_NOMEM, "out of memory");
    if (access(path, R_OK) == 0)
        return RC_OK;
    r->socket = sock;
    r->key = "ca";
    r->file = path;
    r->cluster = DEV_CLUSTER;
    r->simulated = true;
    TRY(ca_root_prepare(r));
    TRY(root_session(session, d, r));
    TRY(ca_root_sign(r, session));
    return ca_hand_in(sock, r->der, r->der_len);
}

/* The whole way once: a leaf from the CA, signed by the nodes. */
static enum rc try_certificate(const char *sock)
{
    struct http_answer a;
    enum rc rc = cli_ask(&a, sock, "/v1/cert/release", NULL, 0, CERT_MS);
    if (rc != RC_OK)
        return rc_prefix(rc, "a certificate for release: ");
    http_answer_free(&a);
    return RC_OK;
}

enum rc dev_found(const struct dev *d)
{
    char sock[DEV_PATH];
    TRY(node_sock(sock, d, 1));
    TRY(govern(d, sock));
    TRY(make_keys(d, sock));
    enum rc rc = make_root(d, sock);
    if (rc != RC_OK)
        return rc_prefix(rc, "root: ");
    return try_certificate(sock);
}

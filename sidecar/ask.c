/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that only read: keys, certificates, status. */
#include "sidecar/epoch_views.h"
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/enc.h"

/* ---- keys ------------------------------------------------------------------------ */

static enum rc fill_key(struct wire_key *out, const struct key *k,
                        const struct policy_profile *p)
{
    snprintf(out->name, sizeof(out->name), "%s", p->name);
    snprintf(out->class, sizeof(out->class), "%s", policy_class_name(p->class));
    snprintf(out->lifetime, sizeof(out->lifetime), "%s",
             p->ephemeral ? "ephemeral" : "persistent");
    out->threshold = p->threshold;
    out->max_message = p->max_message;
    TRY(wire_list_new(&out->nodes, p->n_nodes));
    for (unsigned i = 0; i < p->n_nodes; i++)
        out->nodes.at[i] = p->nodes[i];
    if (!k)
        return RC_OK;
    const struct wire_cert *c = keys_cert(k);
    memcpy(out->group_key, k->group_key, 32);
    out->epoch = k->live.gone ? 0 : c->epoch;
    out->birth = k->birth;
    out->threshold = c->threshold; /* the policy may want another already */
    free(out->nodes.at);
    out->nodes.at = NULL;
    TRY(wire_list_new(&out->nodes, c->votes.n));
    for (size_t i = 0; i < c->votes.n; i++)
        out->nodes.at[i] = c->votes.at[i].node;
    return RC_OK;
}

/* Under lock. */
static enum rc find_key(struct wire_key *out, struct node *n, const char *name)
{
    const struct policy *policy = policy_chain_head(n->chain);
    const struct policy_profile *p = policy_profile_find(policy, name);
    struct key *k = p ? node_key_by_name(n, policy_profile_key(policy, p)->name)
                      : NULL;
    if (k)
        return fill_key(out, k, p);
    enum rc rc = rc_raise(RC_UNKNOWN, "key %s: %s", name,
                          !p             ? "no such profile"
                          : p->ephemeral ? "made by its session, not before"
                                         : "not created yet");
    if (p)
        rc_hint("mpcsign key create %s", name);
    else
        rc_hint("mpcsign key list shows the keys there are");
    return rc;
}

/* Under lock. A key of one session: by its own birth. */
static enum rc describe(struct wire_key *out, struct node *n,
                        const struct key *k)
{
    const struct policy_profile *p = policy_profile_find(
            policy_chain_head(n->chain), k->name);
    if (!p)
        return rc_raise(RC_POLICY_CHANGED, "key %s: its profile is gone",
                        k->name);
    return fill_key(out, k, p);
}

static void answer_key(struct node *n, uint64_t call, const char *name,
                       const struct key *key)
{
    WIRE(key) out = { 0 };
    char *json = NULL;
    size_t len = 0;
    node_lock(n);
    enum rc rc = key ? describe(&out, n, key) : find_key(&out, n, name);
    node_unlock(n);
    if (rc == RC_OK)
        rc = wire_key_encode(&json, &len, &out);
    node_answer(n, call, rc, json, len);
}

void ask_key(struct node *n, uint64_t call, const char *name)
{
    size_t whole = strlen(name);
    if (whole > 7 && strcmp(name + whole - 7, "/change") == 0) {
        change_on_get(n, call, name);
        return;
    }
    if (whole > 8 && strcmp(name + whole - 8, "/holders") == 0) {
        char key[256];
        snprintf(key, sizeof(key), "%.*s", (int)(whole - 8), name);
        epoch_on_holders(n, call, key);
        return;
    }
    answer_key(n, call, name, NULL);
}

void ask_key_of(struct node *n, uint64_t call, const struct key *key)
{
    answer_key(n, call, NULL, key);
}

static enum rc fill_keys(struct wire_keys *out, struct node *n)
{
    const struct policy *p = policy_chain_head(n->chain);
    TRY(wire_list_new(&out->keys, p->n_profiles));
    for (unsigned i = 0; i < p->n_profiles; i++)
        TRY(fill_key(&out->keys.at[i],
                     node_key_by_name(
                             n, policy_profile_key(p, &p->profile[i])->name),
                     &p->profile[i]));
    return RC_OK;
}

void ask_keys(struct node *n, uint64_t call)
{
    WIRE(keys) out = { 0 };
    char *json = NULL;
    size_t len = 0;
    node_lock(n);
    enum rc rc = fill_keys(&out, n);
    node_unlock(n);
    if (rc == RC_OK)
        rc = wire_keys_encode(&json, &len, &out);
    node_answer(n, call, rc, json, len);
}

/* ---- certificates: of the keys there are; certs.c asks the CA --------------------- */

/* Under lock. */
static enum rc ask_issue(char **json, size_t *len, uint8_t group_key[32],
                         struct node *n, const char *name, const struct key *k)
{
    const struct policy *policy = policy_chain_head(n->chain);
    const struct policy_profile *p = policy_profile_find(policy, name);
    if (p) /* a certificate is its key's, whoever may use that */
        p = policy_profile_key(policy, p);
    if (p && !k)
        k = node_key_by_name(n, p->name);
    if (!p || !k)
        return rc_raise(RC_UNKNOWN, "key %s: not created", name);
    if (k->live.gone)
        return rc_raise(RC_UNKNOWN, "key %s: it was destroyed", name);
    if (!p->has_certificate)
        return rc_raise(RC_POLICY, "key %s: its profile has no certificates",
                        name);
    WIRE(issue) ask = { 0 };
    snprintf(ask.profile, sizeof(ask.profile), "%s", p->name);
    TRY(birth_copy(&ask.birth, &k->evidence));
    memcpy(group_key, k->group_key, 32);
    return wire_issue_encode(json, len, &ask);
}

static void answer_cert(struct node *n, uint64_t call, const char *name,
                        const struct key *key)
{
    OWNED_MEM char *json = NULL;
    size_t len = 0;
    uint8_t group_key[32];
    node_lock(n);
    enum rc rc = ask_issue(&json, &len, group_key, n, name, key);
    node_unlock(n);
    if (rc != RC_OK)
        node_answer(n, call, rc, NULL, 0);
    else
        cert_ask(n, call, name, group_key, key != NULL, json, len);
}

void ask_cert(struct node *n, uint64_t call, const char *name)
{
    answer_cert(n, call, name, NULL);
}

void ask_cert_of(struct node *n, uint64_t call, const struct key *key)
{
    answer_cert(n, call, key->name, key);
}

/* ---- status ------------------------------------------------------------------------------ */

static json_t *hex_json(const uint8_t *p, size_t len)
{
    char hex[ENC_HEX_SIZE(64)];
    return json_string(enc_hex(hex, p, len));
}

static json_t *keys_json(struct node *n)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < n->n_keys; i++) {
        const struct key *k = &n->key[i];
        json_array_append_new(
                list,
                json_pack("{s:s, s:o, s:I, s:i, s:i, s:b, s:o}", "name",
                          k->name, "group_key", hex_json(k->group_key, 32),
                          "epoch", (json_int_t)k->live.epoch, "threshold",
                          (int)k->live.t, "nodes", (int)keys_cert(k)->votes.n,
                          "share", (int)k->live.have_share, "backup",
                          custody_json(n, k)));
    }
    return list;
}

static json_t *peers_json(struct node *n)
{
    json_t *list = json_array();
    const struct policy *p = policy_chain_head(n->chain);
    int64_t now = n->w.now_ms(n->w.ctx);
    for (unsigned i = 0; i < p->n_nodes; i++) {
        struct peer *peer = node_peer(n, p->node[i].id);
        if (p->node[i].id == n->id || !peer)
            continue;
        json_array_append_new(
                list,
                json_pack("{s:i, s:s, s:b, s:b, s:s}", "node",
                          (int)p->node[i].id, "uri", p->node[i].uri, "usable",
                          (int)(peer->down_until_ms <= now), "leaving",
                          (int)p->node[i].leaving, "why", peer->why));
    }
    return list;
}

/* Numbers that the policy's persons cannot meet: nothing is ever approved. */
static void add_unmet(json_t *list, const struct node *n)
{
    const struct policy *p = policy_chain_head(n->chain);
    const struct policy_raise raise = node_raise(n);
    unsigned engineers = 0;
    unsigned stewards = 0;
    for (unsigned i = 0; i < p->n_persons; i++) {
        engineers += p->person[i].engineer;
        stewards += p->person[i].steward;
    }
    if (raise.engineers > engineers || raise.stewards > stewards)
        json_array_append_new(
                list, json_sprintf("REQUIRED_ENGINEERS and REQUIRED_STEWARDS "
                                   "ask for %u and %u, the policy has %u and "
                                   "%u: this node approves nothing",
                                   raise.engineers, raise.stewards, engineers,
                                   stewards));
}

static json_t *problems_json(const struct node *n)
{
    json_t *list = json_array();
    add_unmet(list, n);
    if (store_audit_waiting(n->w.store) >= STORE_AUDIT_STUCK)
        json_array_append_new(list,
                              json_string("audit: state.db refuses its rows; "
                                          "no share is released meanwhile"));
    if (n->forked)
        json_array_append_new(
                list, json_sprintf("log %s has forked: both checkpoints are in "
                                   "state.db and at GET /v1/fork",
                                   n->log.name));
    if (n->log_problem[0])
        json_array_append_new(list, json_string(n->log_problem));
    for (unsigned i = 0; i < n->n_problems; i++)
        json_array_append_new(list, json_string(n->problem[i]));
    char line[700];
    if (keys_new_problem(line, sizeof(line), n))
        json_array_append_new(list, json_string(line));
    pieces_problems(n, list);
    for (unsigned i = 0; i < n->n_keys; i++) {
        char text[400];
        if (epoch_problem(text, sizeof(text), &n->key[i]))
            json_array_append_new(list, json_string(text));
    }
    return list;
}

/* null, or which log and where both its checkpoints are. */
static json_t *fork_json(const struct node *n)
{
    if (!n->forked)
        return json_null();
    return json_pack("{s:s, s:I, s:s}", "log", n->log.name, "shown_by",
                     (json_int_t)n->fork.node, "evidence",
                     n->fork_stored ? "state.db, value fork; GET /v1/fork"
                                    : "GET /v1/fork; the disk refused it");
}

/* How far the record goes; note it, and compare with mpcsign audit --head. */
static json_t *audit_json(struct node *n)
{
    uint64_t seq;
    uint8_t hash[32];
    store_audit_head(n->w.store, &seq, hash);
    return json_pack("{s:I, s:o, s:i}", "rows", (json_int_t)seq, "head",
                     hex_json(hash, 32), "waiting",
                     (int)store_audit_waiting(n->w.store));
}

/* REQUIRED_ENGINEERS and REQUIRED_STEWARDS of this node. */
static json_t *required_json(const struct node *n)
{
    const struct policy_raise raise = node_raise(n);
    return json_pack("{s:i, s:i}", "engineers", (int)raise.engineers,
                     "stewards", (int)raise.stewards);
}

/* What an operator should do, one line each with its command. */
static json_t *next_json(const struct node *n)
{
    json_t *list = custody_next_json(n);
    epoch_views_next(list, n);
    return list;
}

enum rc node_status(struct node *n, char **out, size_t *len)
{
    char vkey[TLOG_VKEY_MAX];
    json_t *audit = audit_json(n);
    json_t *glass = glass_json(n);
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    json_t *log = n->has_log
                          ? json_pack("{s:s, s:I, s:o}", "vkey",
                                      tlog_vkey_text(vkey, &n->log), "head",
                                      (json_int_t)n->head, "fork", fork_json(n))
                          : json_null();
    json_t *o = json_pack(
            "{s:i, s:s, s:o, s:o, s:{s:I, s:o, s:o}, s:o, s:o, "
            "s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
            "node", (int)n->id, "deployment", n->deployment, "identity",
            hex_json(n->keys.identity, 32), "box", hex_json(n->keys.box, 32),
            "policy", "version", (json_int_t)p->version, "sha256",
            hex_json(p->sha256, 32), "genesis",
            hex_json(policy_chain_genesis(n->chain), 32), "log", log, "keys",
            keys_json(n), "peers", peers_json(n), "problems", problems_json(n),
            "required", required_json(n), "audit", audit, "break_glass", glass,
            "once", once_json(n), "epochs", epoch_views_json(n), "next",
            next_json(n));
    if (o)
        json_object_set_new(o, "master_key",
                            json_string(vault_master_name(n->master)));
    node_unlock(n);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    if (!text)
        return rc_raise(RC_NOMEM, "status: out of memory");
    *out = text;
    *len = strlen(text);
    return RC_OK;
}

void ask_status(struct node *n, uint64_t call)
{
    char *json = NULL;
    size_t len = 0;
    enum rc rc = node_status(n, &json, &len);
    node_answer(n, call, rc, json, len);
}

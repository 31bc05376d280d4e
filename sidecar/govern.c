/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Governing: policy versions come in force (checked against the version
 * before, logged, handed to everyone), the log's key is learnt once and held,
 * and entries that are owed to the log are sent until it has them.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#define GOVERN_MS    8000
#define ASK_EVERY_MS 1000

struct govern {
    uint64_t call;
    struct wire_policy policy; /* owned; its proof is filled when logged */
    struct wire_policy_head head;
    int64_t deadline_ms;
    unsigned waiting;
};

void govern_free(struct node *n)
{
    if (!n->govern)
        return;
    wire_policy_free(&n->govern->policy);
    free(n->govern);
    n->govern = NULL;
}

/* ---- judging a version ----------------------------------------------------------- */

struct checked {
    struct policy *next;
    struct policy_approved approved;
};

/* Under lock. now_s 0: as of the session's own time (it is logged). */
static enum rc check(struct checked *out, struct node *n,
                     const struct wire_policy *in, int64_t now_s)
{
    struct tlog_blob approvals[POLICY_MAX_APPROVALS];
    const struct wire_session *s = &in->session;
    if (s->approvals.n > POLICY_MAX_APPROVALS)
        return rc_raise(RC_PARSE, "policy: %zu approvals", s->approvals.n);
    for (size_t i = 0; i < s->approvals.n; i++)
        approvals[i] = (struct tlog_blob){ s->approvals.at[i].p,
                                           s->approvals.at[i].len };
    struct tlog_blob descriptor = { s->descriptor.p, s->descriptor.len };
    struct tlog_blob requester = { s->requester.p, s->requester.len };
    if (now_s == 0) {
        struct policy_session parsed;
        TRY(policy_session_parse(&parsed, descriptor.p, descriptor.len));
        now_s = parsed.created;
    }
    return policy_chain_check(&out->next, &out->approved, n->chain,
                              in->policy.p, in->policy.len, &descriptor,
                              &requester, approvals, (unsigned)s->approvals.n,
                              now_s);
}

/* ---- in force ------------------------------------------------------------------------ */

enum rc govern_roster(struct node *n, const struct tlog_proof *proof)
{
    const struct policy *p = policy_chain_head(n->chain);
    if (!p->has_log)
        return RC_OK; /* version 1 names no keys */
    OWNED_MEM struct tlog_roster *roster = calloc(1, sizeof(*roster));
    OWNED_MEM char *text = malloc(TLOG_ROSTER_MAX);
    OWNED_MEM uint8_t *sealed = malloc(VAULT_SEALED_KEYS_MAX);
    if (!roster || !text || !sealed)
        return rc_raise(RC_NOMEM, "roster: out of memory");
    uint8_t hash[32];
    size_t len;
    TRY(policy_roster(roster, hash, p));
    if (n->keys.has_roster && memcmp(hash, n->keys.roster, 32) == 0)
        return RC_OK;
    TRY(tlog_roster_encode(text, TLOG_ROSTER_MAX, &len, roster));
    size_t sealed_len = VAULT_SEALED_KEYS_MAX;
    TRY(vault_roster_set(n->w.vault, text, len, proof, sealed, &sealed_len));
    TRY(store_put(n->w.store, "node_keys", sealed, sealed_len));
    n->keys.has_roster = true;
    memcpy(n->keys.roster, hash, 32);
    return RC_OK;
}

/* Under lock. Takes the version; the vault's roster follows. */
static enum rc take(struct node *n, struct checked *c,
                    const struct wire_policy *in)
{
    struct tlog_proof proof;
    enum rc rc = RC_OK;
    if (in->proof.n != 1)
        rc = rc_raise(RC_LOG, "policy: in force only with its log proof");
    else if (!n->has_log || !c->next->has_log ||
             strcmp(n->log.name, c->next->log.name) != 0 ||
             memcmp(n->log.key, c->next->log.key, 32) != 0)
        rc = rc_raise(RC_POLICY, "policy: names another log than node%u holds",
                      n->id);
    if (rc == RC_OK)
        rc = proof_from_wire(&proof, &in->proof.at[0]);
    if (rc == RC_OK)
        rc = policy_chain_take(n->chain, c->next, &c->approved, &proof);
    if (rc != RC_OK) {
        policy_free(c->next);
        return rc;
    }
    return govern_roster(n, &proof);
}

static enum rc adopt(struct node *n, const struct wire_policy *in)
{
    struct checked c = { 0 };
    node_lock(n);
    enum rc rc = check(&c, n, in, 0);
    uint64_t version = 0;
    if (rc == RC_OK) {
        version = c.next->version;
        rc = take(n, &c, in);
    }
    node_unlock(n);
    TRY(rc);
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_policy_encode(&json, &len, in));
    TRY(store_policy_add(n->w.store, version, json, len));
    if (n->w.policy_changed)
        n->w.policy_changed(n->w.ctx);
    return RC_OK;
}

/* A version already in force is fine: retries are idempotent. */
static enum rc adopt_or_have(struct node *n, const struct wire_policy *in)
{
    uint8_t hash[32];
    crypto_hash_sha256(hash, in->policy.p, in->policy.len);
    node_lock(n);
    bool have = policy_chain_by_hash(n->chain, hash) != NULL;
    node_unlock(n);
    return have ? RC_OK : adopt(n, in);
}

enum rc govern_take(struct node *n, const uint8_t *body, size_t len,
                    char **reply, size_t *reply_len)
{
    WIRE(policy) in = { 0 };
    TRY(wire_policy_decode(&in, (const char *)body, len));
    TRY(adopt_or_have(n, &in));
    struct wire_policy_head head;
    node_policy_head(n, &head);
    return wire_policy_head_encode(reply, reply_len, &head);
}

static enum rc load_one(void *ctx, const char *name, uint64_t version,
                        const uint8_t *json, size_t len, const uint8_t *b,
                        size_t b_len)
{
    struct node *n = ctx;
    (void)name;
    (void)version;
    (void)b;
    (void)b_len;
    WIRE(policy) in = { 0 };
    TRY(wire_policy_decode(&in, (const char *)json, len));
    struct checked c = { 0 };
    TRY(check(&c, n, &in, 0));
    struct tlog_proof proof;
    enum rc rc = in.proof.n == 1
                         ? proof_from_wire(&proof, &in.proof.at[0])
                         : rc_raise(RC_STORE, "policy at rest has no proof");
    if (rc == RC_OK)
        rc = policy_chain_take(n->chain, c.next, &c.approved, &proof);
    if (rc != RC_OK)
        policy_free(c.next);
    return rc;
}

enum rc govern_load(struct node *n)
{
    return store_policies(n->w.store, load_one, n);
}

/* ---- the chain, for whoever asks --------------------------------------------------------- */

static enum rc collect_one(void *ctx, const char *name, uint64_t version,
                           const uint8_t *json, size_t len, const uint8_t *b,
                           size_t b_len)
{
    struct wire_policies *all = ctx;
    (void)name;
    (void)b;
    (void)b_len;
    if (version < 2 || version > all->versions.n)
        return rc_raise(RC_STORE, "policy versions at rest have a gap");
    return wire_policy_decode(&all->versions.at[version - 1],
                              (const char *)json, len);
}

enum rc govern_chain(struct node *n, char **reply, size_t *reply_len)
{
    WIRE(policies) all = { 0 };
    node_lock(n);
    uint64_t versions = policy_chain_head(n->chain)->version;
    const struct policy *genesis = policy_chain_at(n->chain, 1);
    enum rc rc = wire_list_new(&all.versions, versions);
    if (rc == RC_OK)
        rc = wire_blob_set(&all.versions.at[0].policy, genesis->bytes,
                           genesis->bytes_len);
    node_unlock(n);
    TRY(rc);
    TRY(store_policies(n->w.store, collect_one, &all));
    return wire_policies_encode(reply, reply_len, &all);
}

void govern_on_policies(struct node *n, uint64_t call)
{
    char *json = NULL;
    size_t len = 0;
    enum rc rc = govern_chain(n, &json, &len);
    node_answer(n, call, rc, json, len);
}

/* ---- a new version: check, log, tell everyone --------------------------------------------- */

static void answer(struct node *n, enum rc rc)
{
    struct govern *g = n->govern;
    uint64_t call = g->call;
    char *json = NULL;
    size_t len = 0;
    if (rc == RC_OK)
        rc = wire_policy_head_encode(&json, &len, &g->head);
    govern_free(n);
    node_answer(n, call, rc, json, len);
}

/* Who did not hear it now asks for it when it attests. */
static void told(struct node *n, void *arg, uint32_t extra, enum rc rc,
                 const uint8_t *body, size_t len)
{
    (void)extra;
    (void)rc;
    (void)body;
    (void)len;
    if (n->govern == arg && --n->govern->waiting == 0)
        answer(n, RC_OK);
}

static void tell_everyone(struct node *n)
{
    struct govern *g = n->govern;
    OWNED_MEM char *json = NULL;
    size_t len;
    enum rc rc = wire_policy_encode(&json, &len, &g->policy);
    if (rc != RC_OK) {
        answer(n, rc);
        return;
    }
    uint32_t to[POLICY_MAX_NODES + 2];
    unsigned n_to = 0;
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    for (unsigned i = 0; i < p->n_nodes; i++)
        if (p->node[i].id != n->id)
            to[n_to++] = p->node[i].id;
    node_unlock(n);
    to[n_to++] = WORLD_LOG;
    to[n_to++] = WORLD_CA;
    g->waiting = n_to;
    for (unsigned i = 0; i < n_to; i++)
        node_send(n, to[i], "/v1/policy", json, len, g->deadline_ms, told, g,
                  to[i]);
}

static void logged(struct node *n, void *arg, uint32_t extra, enum rc rc,
                   const uint8_t *body, size_t len)
{
    struct govern *g = arg;
    (void)extra;
    if (n->govern != g)
        return;
    WIRE(appended) in = { 0 };
    if (rc == RC_OK)
        rc = wire_appended_decode(&in, (const char *)body, len);
    if (rc == RC_OK && in.proofs.n != 1)
        rc = rc_raise(RC_LOG, "log: %zu proofs for one policy", in.proofs.n);
    if (rc == RC_OK)
        rc = wire_list_new(&g->policy.proof, 1);
    if (rc == RC_OK)
        rc = proof_copy(&g->policy.proof.at[0], &in.proofs.at[0]);
    if (rc == RC_OK)
        rc = adopt_or_have(n, &g->policy);
    if (rc != RC_OK) {
        answer(n, rc);
        return;
    }
    node_policy_head(n, &g->head);
    tell_everyone(n);
}

/* Under lock: the entry that would put it in force. */
static enum rc entry_of(char *text, size_t *len, struct node *n,
                        const struct wire_policy *in)
{
    struct checked c = { 0 };
    struct tlog_policy entry;
    if (!n->has_log)
        return rc_raise(RC_ORDER, "node%u has not reached the log yet", n->id);
    TRY(check(&c, n, in, n->w.now_s(n->w.ctx)));
    enum rc rc = policy_entry(&entry, c.next, &c.approved);
    policy_free(c.next);
    TRY(rc);
    return tlog_policy_encode(text, len, &entry);
}

static enum rc submit(struct node *n, const uint8_t *body, size_t len)
{
    struct govern *g = n->govern;
    TRY(wire_policy_decode(&g->policy, (const char *)body, len));
    if (g->policy.proof.n != 0)
        return rc_raise(RC_ARG, "proof: must be empty, this node logs it");
    char text[TLOG_ENTRY_MAX + 1];
    size_t text_len;
    node_lock(n);
    enum rc rc = entry_of(text, &text_len, n, &g->policy);
    node_unlock(n);
    TRY(rc);
    WIRE(append) ask = { 0 };
    TRY(wire_list_new(&ask.entries, 1));
    TRY(wire_text_set(&ask.entries.at[0], text, text_len));
    OWNED_MEM char *json = NULL;
    size_t json_len;
    TRY(wire_append_encode(&json, &json_len, &ask));
    g->deadline_ms = n->w.now_ms(n->w.ctx) + GOVERN_MS;
    node_send(n, WORLD_LOG, "/v1/log/append", json, json_len, g->deadline_ms,
              logged, g, 0);
    return RC_OK;
}

void govern_on_policy(struct node *n, uint64_t call, const uint8_t *body,
                      size_t len)
{
    enum rc rc = RC_OK;
    if (n->govern)
        rc = rc_raise(RC_ORDER, "another policy is being put in force");
    else if (!(n->govern = calloc(1, sizeof(*n->govern))))
        rc = rc_raise(RC_NOMEM, "policy: out of memory");
    if (rc != RC_OK) {
        node_answer(n, call, rc, NULL, 0);
        return;
    }
    n->govern->call = call;
    rc = submit(n, body, len);
    if (rc != RC_OK)
        answer(n, rc);
}

/* ---- catching up ---------------------------------------------------------------------------- */

static void chain_came(struct node *n, void *arg, uint32_t from, enum rc rc,
                       const uint8_t *body, size_t len)
{
    (void)arg;
    (void)from;
    WIRE(policies) all = { 0 };
    if (rc == RC_OK)
        rc = wire_policies_decode(&all, (const char *)body, len);
    for (size_t i = 1; rc == RC_OK && i < all.versions.n; i++)
        rc = adopt_or_have(n, &all.versions.at[i]);
}

void node_peer_head(struct node *n, uint32_t from,
                    const struct wire_policy_head *head)
{
    struct wire_policy_head own;
    node_policy_head(n, &own);
    if (head->version > own.version && n->has_log)
        node_send(n, from, "/v1/policy", NULL, 0,
                  n->w.now_ms(n->w.ctx) + GOVERN_MS, chain_came, NULL, from);
}

/* ---- the log's key, and what is owed to the log ------------------------------------------------ */

static enum rc hold_log_key(struct node *n, const uint8_t *body, size_t len)
{
    WIRE(vkey) in = { 0 };
    struct tlog_vkey key;
    TRY(wire_vkey_decode(&in, (const char *)body, len));
    TRY(tlog_vkey_parse(&key, in.vkey.p));
    char want[TLOG_NAME_MAX];
    snprintf(want, sizeof(want), "%s/log", n->deployment);
    if (strcmp(key.name, want) != 0)
        return rc_raise(RC_LOG, "log: calls itself %s, want %s", key.name,
                        want);
    TRY(store_put(n->w.store, "log_vkey", in.vkey.p, in.vkey.len));
    node_lock(n);
    if (!n->has_log) {
        n->log = key;
        n->has_log = true;
    }
    node_unlock(n);
    return RC_OK;
}

static void log_key_came(struct node *n, void *arg, uint32_t extra, enum rc rc,
                         const uint8_t *body, size_t len)
{
    (void)arg;
    (void)extra;
    n->asking_log = false;
    if (rc == RC_OK)
        rc = hold_log_key(n, body, len);
    n->ask_after_ms = n->w.now_ms(n->w.ctx) + (rc == RC_OK ? 0 : ASK_EVERY_MS);
}

struct owed {
    struct wire_append ask;
    uint64_t last;
};
static enum rc owe_one(void *ctx, const char *name, uint64_t number,
                       const uint8_t *text, size_t len, const uint8_t *b,
                       size_t b_len)
{
    struct owed *o = ctx;
    (void)name;
    (void)b;
    (void)b_len;
    o->last = number;
    return wire_text_set(&o->ask.entries.at[o->ask.entries.n++],
                         (const char *)text, len);
}

static void flushed(struct node *n, void *arg, uint32_t extra, enum rc rc,
                    const uint8_t *body, size_t len)
{
    (void)arg;
    (void)body;
    (void)len;
    n->flushing = false;
    if (rc == RC_OK)
        rc = store_outbox_done(n->w.store, extra);
    if (rc != RC_OK)
        n->ask_after_ms = n->w.now_ms(n->w.ctx) + ASK_EVERY_MS;
}

static enum rc flush(struct node *n)
{
    struct owed o = { 0 };
    WIRE(append) ask = { 0 };
    TRY(wire_list_new(&ask.entries, WIRE_MAX_APPEND));
    o.ask = ask;
    o.ask.entries.n = 0;
    enum rc rc = store_outbox(n->w.store, WIRE_MAX_APPEND, owe_one, &o);
    ask = o.ask;
    TRY(rc);
    if (ask.entries.n == 0)
        return RC_OK;
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_append_encode(&json, &len, &ask));
    n->flushing = true;
    node_send(n, WORLD_LOG, "/v1/log/append", json, len,
              n->w.now_ms(n->w.ctx) + GOVERN_MS, flushed, NULL,
              (uint32_t)o.last);
    return RC_OK;
}

void govern_tick(struct node *n)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    if (now < n->ask_after_ms)
        return;
    if (!n->has_log && !n->asking_log) {
        n->asking_log = true;
        node_send(n, WORLD_LOG, "/v1/log/vkey", NULL, 0, now + GOVERN_MS,
                  log_key_came, NULL, 0);
    } else if (n->has_log && !n->flushing && flush(n) != RC_OK) {
        n->ask_after_ms = now + ASK_EVERY_MS;
    }
}

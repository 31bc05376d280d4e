/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's life and its events: what comes in is handed to the file that
 * decides it. Holds public state only; every secret is behind world.vault.
 */
#include "sidecar/epoch_views.h"
#include "sidecar/new_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

/* ---- looking things up ------------------------------------------------------ */

uint64_t node_head(struct node *n)
{
    node_lock(n);
    uint64_t head = n->head;
    node_unlock(n);
    return head;
}

bool node_is_leaving(struct node *n, uint16_t id)
{
    node_lock(n);
    const struct policy_node *node = policy_node_find(
            policy_chain_head(n->chain), id);
    bool leaving = node && node->leaving;
    node_unlock(n);
    return leaving;
}

struct peer *node_peer(struct node *n, uint16_t id)
{
    for (unsigned i = 0; i < n->n_peers; i++)
        if (n->peer[i].id == id)
            return &n->peer[i];
    if (n->n_peers == POLICY_MAX_NODES)
        return NULL;
    struct peer *p = &n->peer[n->n_peers++];
    *p = (struct peer){ .id = id };
    return p;
}

/* ---- sending and answering ---------------------------------------------------- */

/* 0: out of memory; fn was told. */
static uint64_t new_ticket(struct node *n, reply_fn *fn, void *arg,
                           uint32_t extra)
{
    struct ticket *t = calloc(1, sizeof(*t));
    if (!t) {
        (void)rc_raise(RC_NOMEM, "send: out of memory");
        fn(n, arg, extra, RC_NOMEM, NULL, 0);
        return 0;
    }
    *t = (struct ticket){ .next = n->tickets,
                          .id = ++n->last_ticket,
                          .fn = fn,
                          .arg = arg,
                          .extra = extra };
    n->tickets = t;
    return t->id;
}

void node_send(struct node *n, uint32_t to, const char *path, const char *body,
               size_t len, int64_t deadline_ms, reply_fn *fn, void *arg,
               uint32_t extra)
{
    uint64_t id = new_ticket(n, fn, arg, extra);
    if (id)
        n->w.send(n->w.ctx, to, path, body, len, deadline_ms, id);
}

void node_later(struct node *n, reply_fn *fn, void *arg, uint32_t extra)
{
    uint64_t id = new_ticket(n, fn, arg, extra);
    if (!id)
        return;
    if (n->w.later)
        n->w.later(n->w.ctx, id);
    else
        node_on_reply(n, id, RC_OK, NULL, 0);
}

void node_on_reply(struct node *n, uint64_t id, enum rc rc, const uint8_t *body,
                   size_t len)
{
    struct ticket **at = &n->tickets;
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    if (!*at)
        return; /* answered already, or from before a restart */
    struct ticket t = **at;
    free(*at);
    *at = t.next;
    t.fn(n, t.arg, t.extra, rc, body, len);
}

void node_answer(struct node *n, uint64_t call, enum rc rc, char *json,
                 size_t len)
{
    audit_call_end(n, call, rc);
    n->w.answer(n->w.ctx, call, rc, json, len);
    free(json);
}

/* ---- life --------------------------------------------------------------------------- */

static enum rc load_head(struct node *n)
{
    OWNED_MEM uint8_t *note = NULL;
    size_t len;
    enum rc rc = store_get(n->w.store, "head", &note, &len);
    if (rc == RC_UNKNOWN || (rc == RC_OK && len == 0))
        return RC_OK;
    TRY(rc);
    if (len >= sizeof(n->head_note))
        return rc_raise(RC_STORE, "head: %zu bytes at rest", len);
    TRY(vault_head_set(n->w.vault, (const char *)note, len));
    struct tlog_checkpoint cp;
    TRY(tlog_checkpoint_open(&cp, (const char *)note, len, &n->log));
    memcpy(n->head_note, note, len + 1);
    n->head = n->stored_head = cp.size;
    n->head_root = cp.root;
    return RC_OK;
}

static enum rc load_log_key(struct node *n)
{
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    enum rc rc = store_get(n->w.store, "log_vkey", &text, &len);
    if (rc == RC_UNKNOWN)
        return RC_OK;
    TRY(rc);
    TRY(tlog_vkey_parse(&n->log, (const char *)text));
    n->has_log = true;
    return RC_OK;
}

static enum rc load_all(struct node *n)
{
    TRY(keys_open(n));
    TRY(load_log_key(n));
    TRY(govern_load(n));
    if (n->has_log && n->keys.has_roster)
        TRY(load_head(n));
    TRY(gossip_load(n));
    TRY(abort_load(n));
    TRY(spread_load(n));
    TRY(keys_load(n));
    return pieces_load(n);
}

/* Who takes something back is not kept waiting by those who sign. */
static void release_lock_init(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr,
                                  PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attr);
    pthread_rwlockattr_destroy(&attr);
}

enum rc node_new(struct node **out, const struct node_config *c,
                 const struct world *world)
{
    struct node *n = calloc(1, sizeof(*n));
    if (!n)
        return rc_raise(RC_NOMEM, "node: out of memory");
    pthread_mutex_init(&n->lock, NULL);
    pthread_mutex_init(&n->head_lock, NULL);
    pthread_mutex_init(&n->policy_lock, NULL);
    pthread_mutex_init(&n->once_lock, NULL);
    release_lock_init(&n->release_lock);
    n->w = *world;
    n->id = c->id;
    snprintf(n->deployment, sizeof(n->deployment), "%s", c->deployment);
    n->required_engineers = c->required_engineers;
    n->required_stewards = c->required_stewards;
    n->audit_keep_s = c->audit_keep_s;
    n->simulated = c->simulated;
    n->master = c->master ? c->master : VAULT_SNP;
    snprintf(n->page_origin, sizeof(n->page_origin), "%s",
             c->page_origin ? c->page_origin : "");
    snprintf(n->rp_id, sizeof(n->rp_id), "%s",
             c->rp_id ? c->rp_id : "localhost");
    enum rc rc = policy_chain_new(&n->chain, c->genesis, c->genesis_len,
                                  c->genesis_sha256);
    if (rc == RC_OK)
        rc = load_all(n);
    if (rc == RC_OK)
        custody_start(n);
    if (rc != RC_OK) {
        node_free(n);
        return rc;
    }
    *out = n;
    return RC_OK;
}

void node_free(struct node *n)
{
    if (!n)
        return;
    for (unsigned i = 0; i < n->n_keys; i++) {
        struct key *k = &n->key[i];
        round_drop(k->round);
        lead_jobs_free(k->queue);
        wire_birth_free(&k->evidence);
        wire_birth_free(&k->live.cert);
        wire_cert_free(&k->live.old);
        wire_birth_free(&k->live.shown);
    }
    bundle_free(n); /* holds keys of sessions */
    standing_free(n);
    once_runs_free(n);
    once_free(n);
    while (n->tickets) {
        struct ticket *next = n->tickets->next;
        free(n->tickets);
        n->tickets = next;
    }
    drive_free(n);
    cert_free(n);
    pieces_free(n);
    change_free(n);
    epoch_keep_free(n);
    epoch_views_free(n);
    custody_free(n);
    govern_free(n);
    policy_chain_free(n->chain);
    epoch_answers_free(n);
    gossip_free(n);
    abort_free(n);
    audit_free(n);
    spread_free(n);
    free(n->unstored);
    pthread_mutex_destroy(&n->lock);
    pthread_mutex_destroy(&n->head_lock);
    pthread_mutex_destroy(&n->policy_lock);
    pthread_mutex_destroy(&n->once_lock);
    pthread_rwlock_destroy(&n->release_lock);
    free(n->counted);
    free(n);
}

void node_tick(struct node *n)
{
    node_settle(n);
    audit_page_tick(n);
    audit_tick(n);
    govern_tick(n);
    gossip_tick(n);
    abort_tick(n);
    spread_tick(n);
    drive_tick(n);
    once_tick(n);
    standing_tick(n);
    pieces_tick(n);
    change_tick(n);
    epoch_tick(n);
    custody_tick(n);
    lead_tick(n);
    bundle_tick(n);
    int64_t now = n->w.now_ms(n->w.ctx);
    if (now < n->expire_after_ms)
        return;
    n->expire_after_ms = now + EXPIRE_EVERY_MS;
    /* a disk that fails here fails louder where something is kept */
    if (store_expire(n->w.store, n->w.now_s(n->w.ctx) - KEEP_EXPIRED_S) !=
        RC_OK)
        n->expire_after_ms = now + EXPIRE_EVERY_MS / 10;
    audit_expire(n);
    glass_expire(n);
    once_expire(n);
}

/* ---- events ---------------------------------------------------------------------------- */

struct local_get {
    const char *prefix;
    void (*fn)(struct node *n, uint64_t call, const char *rest);
};
static const struct local_get local_gets[] = {
    { "/v1/session/", session_on_get }, /* ID, ID/state */
    { "/v1/bundle/", bundle_on_get },
    { "/v1/policy/proposal/", govern_on_get_proposal },
    { "/v1/approvers/", approvers_on_get },
    { "/v1/invite/", enrol_on_look },
};

/* "NAME", with "?session=HEX" where the caller has one; only a session's own
 * key depends on it. */
static void on_get_key(struct node *n, uint64_t call,
                       const struct node_caller *who, const char *key,
                       bool cert)
{
    char name[256];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(key, "?"), key);
    if (once_is(n, key))
        once_on_key(n, call, who, key, cert);
    else if (cert)
        ask_cert(n, call, name);
    else
        ask_key(n, call, name);
}

static void on_get(struct node *n, uint64_t call, const struct node_caller *who,
                   const char *path)
{
    if (strncmp(path, "/v1/key/", 8) == 0)
        on_get_key(n, call, who, path + 8, false);
    else if (strncmp(path, "/v1/cert/", 9) == 0)
        on_get_key(n, call, who, path + 9, true);
    else if (strcmp(path, "/v1/keys") == 0)
        ask_keys(n, call);
    else if (strcmp(path, "/v1/status") == 0)
        ask_status(n, call);
    else if (strcmp(path, "/v1/policy") == 0)
        govern_on_policies(n, call);
    else if (strcmp(path, "/v1/fork") == 0)
        gossip_on_fork(n, call);
    else if (strcmp(path, "/v1/enrolments") == 0)
        enrol_on_list(n, call);
    else if (strcmp(path, "/v1/sessions") == 0)
        session_on_list(n, call);
    else if (strcmp(path, "/v1/sigstore/key") == 0)
        ask_sigstore_key(n, call);
    else if (strcmp(path, "/v1/ca/chain") == 0)
        cert_on_chain(n, call);
    else {
        for (size_t i = 0; i < sizeof(local_gets) / sizeof(*local_gets); i++) {
            size_t len = strlen(local_gets[i].prefix);
            if (strncmp(path, local_gets[i].prefix, len) == 0) {
                local_gets[i].fn(n, call, path + len);
                return;
            }
        }
        node_answer(n, call, rc_raise(RC_UNKNOWN, "no such path"), NULL, 0);
    }
}

void node_on_local_as(struct node *n, uint64_t call,
                      const struct node_caller *who, const char *path,
                      const uint8_t *body, size_t len)
{
    audit_call_open(n, call, who, body != NULL, path);
    if (!body)
        on_get(n, call, who, path);
    else if (strcmp(path, "/v1/sign") == 0)
        lead_on_sign(n, call, who, body, len);
    else if (strcmp(path, "/v1/session") == 0)
        session_on_local(n, call, who, body, len);
    else if (strcmp(path, "/v1/approval") == 0)
        session_on_approval(n, call, body, len);
    else if (strcmp(path, "/v1/key/create") == 0)
        drive_on_create(n, call, body, len);
    else if (strcmp(path, "/v1/key/change") == 0)
        change_on_post(n, call, body, len);
    else if (strcmp(path, "/v1/key/backup") == 0)
        custody_on_backup(n, call, body, len);
    else if (strcmp(path, "/v1/key/export") == 0)
        custody_on_export(n, call, body, len);
    else if (strcmp(path, "/v1/key/recover") == 0)
        recover_on_share(n, call, body, len);
    else if (strcmp(path, "/v1/policy") == 0)
        govern_on_policy(n, call, body, len);
    else if (strcmp(path, "/v1/policy/proposal") == 0)
        govern_on_proposal(n, call, body, len);
    else if (strcmp(path, "/v1/invite") == 0)
        enrol_on_invite(n, call, body, len);
    else if (strcmp(path, "/v1/sigstore") == 0)
        ask_sigstore(n, call, body, len);
    else if (strcmp(path, "/v1/enrol") == 0)
        enrol_on_enrol(n, call, body, len);
    else if (strcmp(path, "/v1/ca/root") == 0)
        cert_on_root(n, call, body, len);
    else
        node_answer(n, call, rc_raise(RC_UNKNOWN, "no such path"), NULL, 0);
}

void node_on_local(struct node *n, uint64_t call, uid_t uid, const char *path,
                   const uint8_t *body, size_t len)
{
    const struct node_caller who = { .uid = uid };
    node_on_local_as(n, call, &who, path, body, len);
}

static enum rc on_peer(struct node *n, const struct node_from *from,
                       const char *path, const uint8_t *body, size_t len,
                       char **reply, size_t *reply_len)
{
    if (strcmp(path, "/v1/policy") == 0)
        return body ? govern_take(n, body, len, reply, reply_len)
                    : govern_chain(n, reply, reply_len);
    if (from->id > UINT16_MAX)
        return rc_raise(RC_AUTH, "%s: only sidecars may call this", path);
    uint16_t id = (uint16_t)from->id;
    if (strcmp(path, "/v1/frost/commit") == 0)
        return follow_commit(n, id, body, len, reply, reply_len);
    if (strcmp(path, FOLLOW_ROUND2) == 0)
        return follow_on_round2(n, from, body, len, reply, reply_len);
    if (strcmp(path, "/v1/head") == 0)
        return gossip_on_peer(n, id, body, len, reply, reply_len);
    if (strcmp(path, "/v1/standing") == 0)
        return standing_on_peer(n, reply, reply_len);
    if (strcmp(path, "/v1/cosign") == 0)
        return bundle_on_cosign(n, body, len, reply, reply_len);
    if (strcmp(path, "/v1/session/put") == 0)
        return session_on_put(n, id, body, len, reply, reply_len);
    if (strncmp(path, "/v1/piece/", 10) == 0)
        return pieces_on_peer(n, id, path + 10, body, len, reply, reply_len);
    if (strcmp(path, "/v1/backup") == 0)
        return custody_on_peer(n, body, len, reply, reply_len);
    if (strncmp(path, "/v1/epoch/", 10) == 0)
        return epoch_on_peer(n, path + 10, body, len, reply, reply_len);
    if (strncmp(path, "/v1/once/", 9) == 0)
        return once_on_peer(n, id, path + 9, body, len, reply, reply_len);
    return rc_raise(RC_UNKNOWN, "no such path");
}

enum rc node_on_peer_as(struct node *n, const struct node_from *from,
                        const char *path, const uint8_t *body, size_t len,
                        char **reply, size_t *reply_len)
{
    enum rc rc = on_peer(n, from, path, body, len, reply, reply_len);
    if (rc == RC_OK && strcmp(path, FOLLOW_ROUND2) == 0)
        return rc; /* a row for each share says it */
    struct wire_audit_row row = { 0 };
    audit_peer(&row, n, from, body != NULL, path);
    audit_result(&row, rc, rc_text());
    node_audit(n, &row);
    return rc;
}

enum rc node_on_peer(struct node *n, uint32_t from, const char *path,
                     const uint8_t *body, size_t len, char **reply,
                     size_t *reply_len)
{
    const struct node_from who = { .id = from };
    return node_on_peer_as(n, &who, path, body, len, reply, reply_len);
}

/* ---- looking in ---------------------------------------------------------------------------- */

enum rc node_allowed(struct node *n, const char *uri, uint8_t (*hashes)[32],
                     unsigned *n_hashes, enum policy_role *role, uint16_t *id)
{
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    enum rc rc = policy_uri_find(role, id, p, uri);
    if (rc == RC_OK) {
        *n_hashes = p->n_measurements[*role];
        memcpy(hashes, p->measurement[*role], 32 * (size_t)*n_hashes);
    }
    node_unlock(n);
    return rc;
}

void node_policy_head(struct node *n, struct wire_policy_head *out)
{
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    out->version = p->version;
    memcpy(out->sha256, p->sha256, 32);
    node_unlock(n);
}

enum rc node_attestation(struct node *n, char **json, size_t *len)
{
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    bool has = p->attestation != NULL;
    *len = p->attestation_len;
    *json = has ? strdup(p->attestation) : NULL;
    node_unlock(n);
    return has && !*json ? rc_raise(RC_NOMEM, "attestation policy") : RC_OK;
}

void node_keys(struct node *n, struct vault_keys *out)
{
    node_lock(n);
    *out = n->keys;
    node_unlock(n);
}

enum rc node_log_later(struct node *n, const char *entry)
{
    return store_outbox_add(n->w.store, &entry, 1);
}

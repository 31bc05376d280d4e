/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backups: each active epoch's share, sealed by the vault to this node's own
 * custodians, one a key at rest. Who may have them is judged at each node: a
 * session of type backup under the steward rule.
 */
#include "sidecar/custody.h"

#include <stdio.h>
#include <string.h>

#include "custody/custody.h"
#include "sidecar/inner.h"

#define AGAIN_MS  10000 /* after one that could not be made */
#define GATHER_MS 8000

/* ---- what is at rest ----------------------------------------------------- */

struct row {
    char name[POLICY_NAME_MAX];
    bool have;
    struct custody_backup of;
    char why[400]; /* none was made for what lives now, or "" */
    int64_t after_ms;
};
struct custody {
    struct row row[POLICY_MAX_PROFILES]; /* beside node->key */
};

/* The epoch that signs. */
static uint64_t live_epoch(const struct key *k)
{
    return k->live.epoch;
}
static bool live_share(const struct key *k)
{
    return k->live.have_share && !k->live.gone;
}

/* Under lock; NULL when there is no memory. */
static struct row *row_of(struct node *n, const struct key *k)
{
    if (!n->custody)
        n->custody = calloc(1, sizeof(*n->custody));
    if (!n->custody)
        return NULL;
    struct row *r = &n->custody->row[k - n->key];
    snprintf(r->name, sizeof(r->name), "%s", k->name);
    return r;
}

void custody_free(struct node *n)
{
    free(n->custody);
    n->custody = NULL;
}

static void value_name(char out[POLICY_NAME_MAX + 8], const char *key)
{
    snprintf(out, POLICY_NAME_MAX + 8, "backup/%s", key);
}

/* RC_UNKNOWN: none. */
static enum rc at_rest(struct node *n, const char *name, uint8_t **out,
                       size_t *len, struct custody_backup *of)
{
    char value[POLICY_NAME_MAX + 8];
    value_name(value, name);
    TRY(store_get(n->w.store, value, out, len));
    enum rc rc = custody_backup_read(of, *out, *len);
    return rc == RC_OK ? RC_OK : rc_prefix(RC_STORE, "backup at rest: ");
}

/* ---- making -------------------------------------------------------------- */

/* Of this epoch, for those whom the policy in force names. Under lock. */
static bool is_current(const struct node *n, const struct row *r,
                       uint64_t epoch)
{
    const struct policy_node *us = policy_node_find(policy_chain_head(n->chain),
                                                    n->id);
    return r->have && us && r->of.epoch == epoch &&
           r->of.n_custodians == us->n_custodians &&
           memcmp(r->of.custodian, us->custodian,
                  (size_t)us->n_custodians * 32) == 0;
}

static bool has_custodians(const struct node *n)
{
    const struct policy_node *us = policy_node_find(policy_chain_head(n->chain),
                                                    n->id);
    return us && us->n_custodians > 0;
}

static enum rc make(struct node *n, const char *name, const uint8_t id[32],
                    uint64_t epoch, struct custody_backup *of)
{
    uint8_t sealed[VAULT_BACKUP_MAX];
    char value[POLICY_NAME_MAX + 8];
    size_t len;
    value_name(value, name);
    TRY(vault_backup(n->w.vault, sealed, &len, id, epoch));
    TRY(custody_backup_read(of, sealed, len));
    return store_put(n->w.store, value, sealed, len);
}

void custody_on_active(struct node *n, struct key *k)
{
    struct custody_backup of;
    char name[POLICY_NAME_MAX];
    uint8_t id[32];
    node_lock(n);
    uint64_t epoch = live_epoch(k);
    bool able = live_share(k) && has_custodians(n);
    snprintf(name, sizeof(name), "%s", k->name);
    memcpy(id, k->id, 32);
    node_unlock(n);
    if (!able)
        return;
    enum rc rc = make(n, name, id, epoch, &of);
    node_lock(n);
    struct row *r = row_of(n, k);
    if (r && rc == RC_OK) {
        r->have = true;
        r->of = of;
        r->why[0] = '\0';
    } else if (r) {
        snprintf(r->why, sizeof(r->why), "%.*s", (int)sizeof(r->why) - 1,
                 rc_text());
    }
    if (r)
        r->after_ms = n->w.now_ms(n->w.ctx) + AGAIN_MS;
    node_unlock(n);
}

/* What an earlier life left. */
static void look(struct node *n, const char *name, unsigned i)
{
    OWNED_MEM uint8_t *p = NULL;
    size_t len;
    struct custody_backup of;
    enum rc rc = at_rest(n, name, &p, &len, &of);
    node_lock(n);
    struct row *r = row_of(n, &n->key[i]);
    if (r && rc == RC_OK) {
        r->have = true;
        r->of = of;
    }
    node_unlock(n);
}

void custody_start(struct node *n)
{
    for (unsigned i = 0; i < n->n_keys; i++)
        look(n, n->key[i].name, i);
}

/* Under lock: is there something to do for this key now? */
static bool is_due(struct node *n, const struct key *k)
{
    struct row *r = row_of(n, k);
    return r && live_share(k) && has_custodians(n) && n->keys.has_roster &&
           n->w.now_ms(n->w.ctx) >= r->after_ms &&
           !is_current(n, r, live_epoch(k));
}

void custody_tick(struct node *n)
{
    for (unsigned i = 0; i < node_n_keys(n); i++) {
        node_lock(n);
        bool due = is_due(n, &n->key[i]);
        node_unlock(n);
        if (due)
            custody_on_active(n, &n->key[i]);
    }
}

/* ---- status -------------------------------------------------------------- */

static const struct row *row_seen(const struct node *n, const struct key *k)
{
    return n->custody ? &n->custody->row[k - n->key] : NULL;
}

json_t *custody_json(const struct node *n, const struct key *k)
{
    const struct row *r = row_seen(n, k);
    if (!r || !r->have)
        return json_null();
    return json_pack("{s:I, s:I, s:i, s:b}", "epoch", (json_int_t)r->of.epoch,
                     "made", (json_int_t)(r->of.created_ms / 1000),
                     "custodians", (int)r->of.n_custodians, "current",
                     (int)is_current(n, r, live_epoch(k)));
}

static void next_of(json_t *list, const struct node *n, const struct key *k)
{
    const struct row *r = row_seen(n, k);
    bool member = k->live.member && !k->live.gone;
    if (!member || !live_share(k) || k->live.waits || !has_custodians(n))
        return;
    if (r && r->why[0])
        json_array_append_new(
                list, json_sprintf("key %s: no backup of epoch %llu: "
                                   "%s",
                                   k->name, (unsigned long long)live_epoch(k),
                                   r->why));
}

json_t *custody_next_json(const struct node *n)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < n->n_keys; i++)
        next_of(list, n, &n->key[i]);
    if (n->n_keys && !has_custodians(n))
        json_array_append_new(
                list,
                json_sprintf("node%u has no custodians, so its shares have no "
                             "backup: mpcsign custodian new, then a policy "
                             "with that key in the node's custodians",
                             n->id));
    return list;
}

/* ---- handing out --------------------------------------------------------- */

/* Under lock: a session of type backup of a key that is known here. */
static enum rc judge(struct key **out, struct node *n,
                     const struct wire_session *in)
{
    struct judged j;
    TRY(session_judge(&j, n, in));
    if (j.s.type != POLICY_S_BACKUP)
        return rc_raise(RC_POLICY, "session: not a backup");
    struct key *k = node_key_by_name(n, j.s.profile);
    if (!k)
        return rc_raise(RC_UNKNOWN, "key %s: not created", j.s.profile);
    if (memcmp(j.s.key, k->id, 32) != 0)
        return rc_raise(RC_POLICY, "session: of another key than %s", k->name);
    *out = k;
    return RC_OK;
}

static enum rc judge_body(struct key **out, struct node *n, const uint8_t *body,
                          size_t len)
{
    WIRE(session) in = { 0 };
    TRY(wire_session_decode(&in, (const char *)body, len));
    node_lock(n);
    enum rc rc = judge(out, n, &in);
    node_unlock(n);
    return rc;
}

/* Why there is none travels as words: the others' are wanted all the same. */
static enum rc fill(struct wire_backup *out, struct node *n, const char *name)
{
    OWNED_MEM uint8_t *p = NULL;
    size_t len;
    struct custody_backup of;
    out->node = n->id;
    if (at_rest(n, name, &p, &len, &of) != RC_OK) {
        node_lock(n);
        bool none = !has_custodians(n);
        node_unlock(n);
        const char *why = none ? "the policy names no custodians for this node"
                               : rc_text();
        return wire_text_set(&out->why, why, strlen(why));
    }
    out->epoch = of.epoch;
    TRY(wire_text_set(&out->why, "", 0));
    return wire_blob_set(&out->sealed, p, len);
}

enum rc custody_on_peer(struct node *n, const uint8_t *body, size_t len,
                        char **reply, size_t *reply_len)
{
    struct key *k;
    WIRE(backup) out = { 0 };
    TRY(judge_body(&k, n, body, len));
    TRY(fill(&out, n, k->name));
    return wire_backup_encode(reply, reply_len, &out);
}

/* ---- gathering ----------------------------------------------------------- */

struct gathering {
    uint64_t call;
    unsigned waiting;
    struct wire_backups out; /* owned */
};

static void gather_end(struct node *n, struct gathering *g, enum rc rc)
{
    char *json = NULL;
    size_t len = 0;
    if (rc == RC_OK)
        rc = wire_backups_encode(&json, &len, &g->out);
    node_answer(n, g->call, rc, json, len);
    wire_backups_free(&g->out);
    free(g);
}

static void came(struct node *n, void *arg, uint32_t at, enum rc rc,
                 const uint8_t *body, size_t len)
{
    struct gathering *g = arg;
    struct wire_backup *b = &g->out.backups.at[at];
    WIRE(backup) in = { 0 };
    if (rc == RC_OK)
        rc = wire_backup_decode(&in, (const char *)body, len);
    if (rc == RC_OK && in.node != b->node)
        rc = rc_raise(RC_PARSE, "backup of another node");
    if (rc == RC_OK) {
        struct wire_backup empty = *b;
        *b = in;
        in = empty;
    } else if (wire_text_set(&b->why, rc_text(), strlen(rc_text())) != RC_OK) {
        b->epoch = 0; /* without words */
    }
    if (--g->waiting == 0)
        gather_end(n, g, RC_OK);
}

/* Under lock. */
static enum rc gather_fill(struct gathering *g, const struct key *k)
{
    snprintf(g->out.name, sizeof(g->out.name), "%s", k->name);
    const struct wire_cert *c = keys_cert(k);
    TRY(keys_live_wire(&g->out.key, k));
    TRY(wire_list_new(&g->out.backups, c->votes.n));
    for (size_t i = 0; i < c->votes.n; i++)
        g->out.backups.at[i].node = c->votes.at[i].node;
    return RC_OK;
}

static void gather_ask(struct node *n, struct gathering *g, const char *name,
                       const uint8_t *body, size_t len)
{
    int64_t deadline_ms = n->w.now_ms(n->w.ctx) + GATHER_MS;
    size_t nodes = g->out.backups.n;
    g->waiting = (unsigned)nodes + 1; /* and this function */
    for (size_t i = 0; i < nodes; i++) {
        struct wire_backup *b = &g->out.backups.at[i];
        if (b->node != n->id) {
            node_send(n, (uint32_t)b->node, "/v1/backup", (const char *)body,
                      len, deadline_ms, came, g, (uint32_t)i);
            continue;
        }
        enum rc rc = fill(b, n, name);
        if (rc != RC_OK)
            b->epoch = 0; /* without words */
        g->waiting--;
    }
    if (--g->waiting == 0)
        gather_end(n, g, RC_OK);
}

void custody_on_backup(struct node *n, uint64_t call, const uint8_t *body,
                       size_t len)
{
    struct key *k;
    char name[POLICY_NAME_MAX] = "";
    struct gathering *g = calloc(1, sizeof(*g));
    enum rc rc = g ? judge_body(&k, n, body, len)
                   : rc_raise(RC_NOMEM, "backup: out of memory");
    if (rc == RC_OK) {
        g->call = call;
        node_lock(n);
        rc = gather_fill(g, k);
        snprintf(name, sizeof(name), "%s", k->name);
        node_unlock(n);
    }
    if (rc == RC_OK) {
        gather_ask(n, g, name, body, len);
        return;
    }
    if (g)
        wire_backups_free(&g->out);
    free(g);
    node_answer(n, call, rc, NULL, 0);
}

/* ---- this node's own sealed share ---------------------------------------- */

struct wanted {
    const char *name;
    uint64_t epoch;
    struct wire_sealed_share *out;
};

static enum rc pick(void *ctx, const char *name, uint64_t number,
                    const uint8_t *json, size_t json_len, const uint8_t *sealed,
                    size_t sealed_len)
{
    struct wanted *w = ctx;
    (void)json;
    (void)json_len;
    if (strcmp(name, w->name) != 0 || number != w->epoch || !sealed_len)
        return RC_OK;
    w->out->epoch = number;
    return wire_blob_set(&w->out->sealed, sealed, sealed_len);
}

static enum rc export_share(char **json, size_t *json_len, struct node *n,
                            const uint8_t *body, size_t len)
{
    struct key *k;
    WIRE(sealed_share) out = { .node = n->id };
    TRY(judge_body(&k, n, body, len));
    node_lock(n);
    bool here = live_share(k);
    uint64_t epoch = live_epoch(k);
    node_unlock(n);
    if (!here)
        return rc_raise(RC_UNKNOWN, "key %s: node%u holds no share of it",
                        k->name, n->id);
    struct wanted w = { k->name, epoch, &out };
    TRY(store_epochs(n->w.store, pick, &w));
    if (out.epoch == 0) { /* not its first epoch */
        OWNED_MEM uint8_t *sealed = NULL;
        size_t sealed_len;
        TRY(store_move_sealed(n->w.store, k->name, w.epoch, &sealed,
                              &sealed_len));
        out.epoch = w.epoch;
        TRY(wire_blob_set(&out.sealed, sealed, sealed_len));
    }
    return wire_sealed_share_encode(json, json_len, &out);
}

void custody_on_export(struct node *n, uint64_t call, const uint8_t *body,
                       size_t len)
{
    char *json = NULL;
    size_t json_len = 0;
    enum rc rc = export_share(&json, &json_len, n, body, len);
    node_answer(n, call, rc, json, json_len);
}

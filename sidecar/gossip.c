/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gossip of heads: sidecars show each other the newest checkpoint they have
 * cosigned. One that is not known to be of our history is put to the log,
 * which must show how both grow into its newest; what it cannot reconcile is
 * a fork: kept as evidence, and nothing leaves under that log any more.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#define GREET_MS         1500 /* a peer's time to answer */
#define GREET_EVERY_MS   30000
#define COMPARE_EVERY_MS 1000

typedef unsigned long long llu;

/* ---- a fork ----------------------------------------------------------------- */

/* Durable, once: what was found first stands. */
static void store_fork(struct node *n)
{
    OWNED_MEM char *json = NULL;
    size_t len = 0;
    node_lock(n);
    enum rc rc = wire_fork_encode(&json, &len, &n->fork);
    node_unlock(n);
    if (rc == RC_OK)
        rc = store_put_once(n->w.store, "fork", json, len);
    if (rc != RC_OK && rc != RC_CONFLICT)
        return; /* the next tick tries again; no share leaves meanwhile */
    node_lock(n);
    n->fork_stored = true;
    node_unlock(n);
}

static enum rc fork_fill(struct wire_fork *out, const char *log, uint32_t from,
                         const char *ours, const char *theirs)
{
    out->node = from <= UINT16_MAX ? from : 0;
    TRY(wire_text_set(&out->log, log, strlen(log)));
    TRY(wire_text_set(&out->ours, ours, strlen(ours)));
    return wire_text_set(&out->theirs, theirs, strlen(theirs));
}

/* Not under lock. */
static void fork_found(struct node *n, uint32_t from, const char *ours,
                       const char *theirs)
{
    node_lock(n);
    bool first = !n->forked;
    n->forked = true; /* whatever fails after this */
    if (first && fork_fill(&n->fork, n->log.name, from, ours, theirs) != RC_OK)
        snprintf(n->log_problem, sizeof(n->log_problem),
                 "log: no memory to keep both checkpoints of its fork");
    node_unlock(n);
    if (!first)
        return;
    store_fork(n);
    if (n->w.log_forked)
        n->w.log_forked(n->w.ctx, n->log.name);
}

static enum rc forked(const struct node *n)
{
    enum rc rc = rc_raise(RC_LOG,
                          "log %s has forked: node%u holds two of its "
                          "checkpoints that no history has both",
                          n->log.name, n->id);
    rc_hint("both are kept: GET /v1/fork on the sidecar's socket; nothing is "
            "signed under this log");
    return rc;
}

enum rc gossip_check(const struct node *n)
{
    if (n->forked)
        return forked(n);
    if (n->settled)
        return RC_OK;
    if (n->log_problem[0])
        return rc_raise(RC_HEAD_BEHIND, "node%u: %s", n->id, n->log_problem);
    return rc_raise(RC_ORDER,
                    "node%u has just started: it asks its peers what they have "
                    "seen of the log",
                    n->id);
}

/* ---- hearing ------------------------------------------------------------------ */

enum known { KNOWN_OURS, KNOWN_OTHER, KNOWN_NOT };

/* Under lock. */
static enum known known(const struct node *n, const struct tlog_checkpoint *cp)
{
    if (cp->size == n->head)
        return tlog_hash_equal(&cp->root, &n->head_root) ? KNOWN_OURS
                                                         : KNOWN_OTHER;
    for (unsigned i = 0; i < HEADS_MAX; i++)
        if (n->heads[i].size == cp->size)
            return tlog_hash_equal(&cp->root, &n->heads[i].root) ? KNOWN_OURS
                                                                 : KNOWN_OTHER;
    return KNOWN_NOT;
}

/* Under lock. One of each peer at a time: it is asked about soon. */
static void put_told(struct node *n, uint32_t from, const char *note,
                     const struct tlog_checkpoint *cp)
{
    for (unsigned i = 0; i < n->n_told; i++)
        if (n->told[i].from == from)
            return;
    if (n->n_told == TOLD_MAX)
        return;
    char *copy = strdup(note);
    if (!copy)
        return; /* it will be told again */
    n->told[n->n_told++] = (struct told){ .from = from,
                                          .h = { cp->size, cp->root },
                                          .note = copy };
}

void gossip_hear(struct node *n, uint32_t from, const char *note, size_t len,
                 bool cosigned)
{
    char bare[TLOG_NOTE_MAX];
    char ours[TLOG_NOTE_MAX] = "";
    struct tlog_checkpoint cp;
    struct tlog_vkey log;
    node_lock(n);
    bool able = n->has_log && !n->forked;
    log = n->log;
    node_unlock(n);
    if (!able || len == 0 || head_bare(bare, &cp, &log, note, len) != RC_OK ||
        cp.size == 0)
        return;
    node_lock(n);
    enum known what = known(n, &cp);
    if (what == KNOWN_NOT)
        put_told(n, from, bare, &cp);
    if (what == KNOWN_OTHER)
        snprintf(ours, sizeof(ours), "%s", n->head_note);
    else if (cosigned && cp.size > n->peers_head)
        n->peers_head = cp.size;
    node_unlock(n);
    if (what == KNOWN_OTHER)
        fork_found(n, from, ours, bare);
}

static enum rc own_head(char **json, size_t *len, struct node *n)
{
    WIRE(head) m = { 0 };
    node_lock(n);
    enum rc rc = wire_text_set(&m.head, n->head_note, strlen(n->head_note));
    node_unlock(n);
    TRY(rc);
    return wire_head_encode(json, len, &m);
}

enum rc gossip_on_peer(struct node *n, uint16_t from, const uint8_t *body,
                       size_t len, char **reply, size_t *reply_len)
{
    WIRE(head) in = { 0 };
    TRY(wire_head_decode(&in, (const char *)body, len));
    gossip_hear(n, from, in.head.p, in.head.len, true);
    return own_head(reply, reply_len, n);
}

/* ---- telling -------------------------------------------------------------------- */

/* first: one of those that were asked at the start. */
static void greeted(struct node *n, void *first, uint32_t from, enum rc rc,
                    const uint8_t *body, size_t len)
{
    WIRE(head) in = { 0 };
    if (rc == RC_OK && wire_head_decode(&in, (const char *)body, len) == RC_OK)
        gossip_hear(n, from, in.head.p, in.head.len, true);
    if (first)
        n->unheard--;
    gossip_tick(n);
}

static void greet(struct node *n, uint16_t to, bool first)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    enum rc rc = own_head(&json, &len, n);
    if (rc != RC_OK) {
        greeted(n, first ? n : NULL, to, rc, NULL, 0);
        return;
    }
    node_send(n, to, "/v1/head", json, len, n->w.now_ms(n->w.ctx) + GREET_MS,
              greeted, first ? n : NULL, to);
}

void gossip_greet(struct node *n, uint16_t to)
{
    node_lock(n);
    bool able = n->has_log && n->keys.has_roster;
    node_unlock(n);
    if (able)
        greet(n, to, false);
}

static void greet_all(struct node *n, bool first)
{
    uint16_t to[POLICY_MAX_NODES];
    unsigned n_to = 0;
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    for (unsigned i = 0; i < p->n_nodes; i++)
        if (p->node[i].id != n->id)
            to[n_to++] = p->node[i].id;
    node_unlock(n);
    if (first)
        n->unheard = n_to; /* before the first send: it may fail at once */
    for (unsigned i = 0; i < n_to; i++)
        greet(n, to[i], first);
}

/* ---- comparing: the log shows growth from all of them ----------------------------- */

/* *shown: the log answered for this size at all. RC_LOG: it does not grow. */
static enum rc grows(bool *shown, struct tlog_path *path,
                     const struct wire_appended *in, const struct head *from,
                     const struct tlog_checkpoint *to)
{
    const struct wire_growth *g = proof_growth(in, from->size);
    *shown = g != NULL && from->size <= to->size;
    if (!*shown)
        return RC_OK;
    TRY(path_from_wire(path, g->path.at, g->path.n));
    return tlog_consistency_check(path, from->size, &from->root, to->size,
                                  &to->root);
}

/* Under lock. Until the log shows it, nothing is relied on. */
static void problem(struct node *n, uint64_t size, uint32_t who, uint64_t seen)
{
    char name[32];
    snprintf(name, sizeof(name), who == 0 ? "somebody" : "node%u", who);
    snprintf(n->log_problem, sizeof(n->log_problem),
             "log %s shows %llu entries, %s holds its signature over %llu: it "
             "has shrunk, or an old copy of it runs",
             n->log.name, (llu)size, name, (llu)seen);
    n->settled = false;
}

/* Takes each that is shown to be of this history off the list. */
static bool compare_told(struct node *n, const struct wire_appended *in,
                         const struct tlog_checkpoint *cp, struct told *bad)
{
    struct tlog_path path;
    bool shown;
    bool fork = false;
    unsigned kept = 0;
    node_lock(n);
    n->log_problem[0] = '\0';
    for (unsigned i = 0; i < n->n_told; i++) {
        struct told t = n->told[i];
        if (!fork && grows(&shown, &path, in, &t.h, cp) != RC_OK) {
            fork = true;
            *bad = t; /* its note moves too */
            continue;
        }
        if (!fork && shown) {
            free(t.note);
            continue;
        }
        /* what was heard since may be of what the log got since */
        if (t.h.size > cp->size && t.asked)
            problem(n, cp->size, t.from, t.h.size);
        n->told[kept++] = t;
    }
    n->n_told = kept;
    node_unlock(n);
    return fork;
}

/*
 * We follow: what was just shown to extend ours becomes our newest, unless
 * the log still owes us what our peers have seen.
 */
static enum rc follow(struct node *n, const char *note,
                      const struct tlog_checkpoint *cp,
                      const struct tlog_path *path)
{
    char line[TLOG_SIG_LINE_MAX];
    node_lock(n);
    bool newer = cp->size > n->head && cp->size >= n->peers_head;
    node_unlock(n);
    if (!newer)
        return RC_OK;
    enum rc rc = vault_cosign(n->w.vault, line, note, strlen(note), path);
    if (rc == RC_HEAD_BEHIND)
        return RC_OK; /* a signature was faster */
    TRY(rc);
    return head_keep(n, note, strlen(note), line);
}

/* The log's newest, included and signed. */
static enum rc read_newest(char note[TLOG_NOTE_MAX], struct tlog_checkpoint *cp,
                           const struct node *n, const struct wire_appended *in)
{
    struct tlog_proof proof;
    if (in->proofs.n != 1)
        return rc_raise(RC_LOG, "log: %zu proofs for one entry", in->proofs.n);
    TRY(proof_from_wire(&proof, &in->proofs.at[0]));
    TRY(tlog_proof_check(&proof, &n->log, NULL));
    return head_bare(note, cp, &n->log, proof.checkpoint,
                     strlen(proof.checkpoint));
}

static enum rc compare(struct node *n, const struct wire_appended *in)
{
    char note[TLOG_NOTE_MAX];
    char ours[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    struct tlog_path path = { .n = 0 };
    struct told bad;
    bool shown = true;
    TRY(read_newest(note, &cp, n, in));
    node_lock(n);
    snprintf(ours, sizeof(ours), "%s", n->head_note);
    if (n->compare.size > cp.size)
        problem(n, cp.size, n->id, n->compare.size);
    node_unlock(n);
    if (n->compare.size > cp.size)
        return RC_OK;
    if (n->compare.size &&
        grows(&shown, &path, in, &n->compare, &cp) != RC_OK) {
        fork_found(n, 0, ours, note);
        return RC_OK;
    }
    if (!shown)
        return rc_raise(RC_LOG, "log: no growth from %llu",
                        (llu)n->compare.size);
    if (compare_told(n, in, &cp, &bad)) {
        fork_found(n, bad.from, note, bad.note);
        free(bad.note);
        return RC_OK;
    }
    return follow(n, note, &cp, &path);
}

/* At the start jobs wait for each peer's word: none waits its turn. */
static bool asks_at_once(struct node *n)
{
    bool any = false;
    node_lock(n);
    for (unsigned i = 0; i < n->n_told && !n->settled; i++)
        any = any || !n->told[i].asked;
    node_unlock(n);
    return any;
}

static void compared(struct node *n, void *arg, uint32_t extra, enum rc rc,
                     const uint8_t *body, size_t len)
{
    WIRE(appended) in = { 0 };
    (void)arg;
    (void)extra;
    n->comparing = false;
    if (rc == RC_OK)
        rc = wire_appended_decode(&in, (const char *)body, len);
    if (rc == RC_OK)
        rc = compare(n, &in);
    if (rc != RC_OK) {
        node_lock(n);
        snprintf(n->log_problem, sizeof(n->log_problem), "%.399s", rc_text());
        node_unlock(n);
    }
    n->compare_after_ms = n->w.now_ms(n->w.ctx) + COMPARE_EVERY_MS;
    gossip_tick(n);
}

/* Ours and those told, each size once. Under lock. */
static enum rc ask_sizes(struct wire_append *ask, struct node *n)
{
    uint64_t sizes[TOLD_MAX + 1];
    size_t n_sizes = 0;
    n->compare = (struct head){ n->head, n->head_root };
    if (n->head)
        sizes[n_sizes++] = n->head;
    for (unsigned i = 0; i < n->n_told; i++) {
        bool have = false;
        n->told[i].asked = true;
        for (size_t j = 0; j < n_sizes; j++)
            have = have || sizes[j] == n->told[i].h.size;
        if (!have)
            sizes[n_sizes++] = n->told[i].h.size;
    }
    TRY(wire_list_new(&ask->sizes, n_sizes));
    if (n_sizes)
        memcpy(ask->sizes.at, sizes, n_sizes * sizeof(*sizes));
    return RC_OK;
}

/*
 * The log is asked by appending what it has: the entry that put the newest
 * policy in force. It answers with the same index and its newest checkpoint.
 */
static enum rc ask_log(struct node *n)
{
    WIRE(policy) p = { 0 };
    WIRE(append) ask = { 0 };
    struct wire_policy_head head;
    OWNED_MEM char *json = NULL;
    size_t len;
    node_policy_head(n, &head);
    TRY(govern_version(&p, n, head.version));
    TRY(wire_list_new(&ask.entries, 1));
    TRY(wire_text_set(&ask.entries.at[0], p.proof.at[0].entry.p,
                      p.proof.at[0].entry.len));
    node_lock(n);
    enum rc rc = ask_sizes(&ask, n);
    node_unlock(n);
    TRY(rc);
    TRY(wire_append_encode(&json, &len, &ask));
    n->comparing = true;
    node_send(n, WORLD_LOG, "/v1/log/append", json, len,
              n->w.now_ms(n->w.ctx) + GOVERN_MS, compared, NULL, 0);
    return RC_OK;
}

/* ---- life -------------------------------------------------------------------------- */

enum rc gossip_load(struct node *n)
{
    OWNED_MEM uint8_t *json = NULL;
    size_t len;
    /* without a roster there is no head that could have been lost */
    n->settled = !n->has_log || !n->keys.has_roster;
    n->greeted = n->settled;
    enum rc rc = store_get(n->w.store, "fork", &json, &len);
    if (rc == RC_UNKNOWN)
        return RC_OK;
    TRY(rc);
    n->forked = n->fork_stored = true;
    return wire_fork_decode(&n->fork, (const char *)json, len);
}

/* The peers have answered, and all of it is of our history. */
static void settle(struct node *n)
{
    node_lock(n);
    bool now = !n->settled && n->greeted && n->unheard == 0 && n->n_told == 0 &&
               !n->forked;
    n->settled = n->settled || now;
    node_unlock(n);
    if (now)
        lead_pump(n); /* jobs have waited for it */
}

void gossip_tick(struct node *n)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    node_lock(n);
    bool able = n->has_log && n->keys.has_roster && !n->forked;
    bool unstored = n->forked && !n->fork_stored;
    bool any = n->n_told > 0;
    node_unlock(n);
    if (unstored)
        store_fork(n);
    if (!able)
        return;
    if (!n->greeted || now >= n->greet_after_ms) {
        bool first = !n->greeted;
        n->greeted = true;
        n->greet_after_ms = now + GREET_EVERY_MS;
        greet_all(n, first);
    }
    if (any && !n->comparing &&
        (now >= n->compare_after_ms || asks_at_once(n)) && ask_log(n) != RC_OK)
        n->compare_after_ms = now + COMPARE_EVERY_MS;
    settle(n);
}

void gossip_on_fork(struct node *n, uint64_t call)
{
    char *json = NULL;
    size_t len = 0;
    node_lock(n);
    enum rc rc = n->forked ? wire_fork_encode(&json, &len, &n->fork)
                           : rc_raise(RC_UNKNOWN, "log: no fork was seen");
    node_unlock(n);
    node_answer(n, call, rc, json, len);
}

void gossip_free(struct node *n)
{
    for (unsigned i = 0; i < n->n_told; i++)
        free(n->told[i].note);
    wire_fork_free(&n->fork);
}

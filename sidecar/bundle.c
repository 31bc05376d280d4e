/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/bundle/SESSION: the evidence of a finished signature. Its receipt
 * is put into the log, whoever else still owes it, and the nodes of the key
 * are asked to cosign the checkpoint that has it: a node that moved on says
 * from where, and everybody is asked once more over a newer one. The caller
 * waits, but not for ever.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

#define COSIGN_MS  1500
#define APPEND_MS  4000
#define AGAIN_MS   300
#define ROUNDS_MAX 6

struct bundle_node {
    uint16_t id;
    uint64_t head;
    char line[TLOG_SIG_LINE_MAX]; /* of this round; or "" */
};
struct bundle_ask {
    struct bundle_ask *next;
    uint64_t call;
    bool answered;
    unsigned waiting; /* replies outstanding: freed after the last */
    int64_t deadline_ms;
    int64_t after_ms;             /* no append before this */
    struct wire_bundle out;       /* owned */
    char *receipt;                /* owned */
    struct tlog_hash leaf;        /* of the intent */
    struct tlog_checkpoint shown; /* to the signers */
    struct bundle_node node[TLOG_MAX_NODES];
    unsigned n_nodes;
    unsigned rounds;
    bool again; /* somebody knows a newer head */
    bool logged;
    struct wire_proof proof; /* of this round; owned */
    struct wire_growth growth;
    struct tlog_checkpoint cp;
    char why[400]; /* the last failure */
};

static void ask_free(struct bundle_ask *a)
{
    wire_bundle_free(&a->out);
    wire_proof_free(&a->proof);
    wire_growth_free(&a->growth);
    free(a->receipt);
    free(a);
}

static void drop(struct node *n, struct bundle_ask *a)
{
    struct bundle_ask **at = &n->bundles;
    while (*at && *at != a)
        at = &(*at)->next;
    if (*at)
        *at = a->next;
    ask_free(a);
}

static void answer(struct node *n, struct bundle_ask *a, enum rc rc, char *json,
                   size_t len)
{
    a->answered = true;
    node_answer(n, a->call, rc, json, len);
    if (a->waiting == 0)
        drop(n, a);
}

/* One of what is outstanding came back; false: and nobody waits any more. */
static bool one_less(struct node *n, struct bundle_ask *a)
{
    a->waiting--;
    if (!a->answered)
        return true;
    if (a->waiting == 0)
        drop(n, a);
    return false;
}

/* ---- the end ----------------------------------------------------------------- */

static enum rc standing_copy(struct wire_standing *out,
                             const struct wire_standing *in)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_standing_encode(&json, &len, in));
    return wire_standing_decode(out, json, len);
}

/* RC_ORDER: a signer's report is not here yet. */
static enum rc put_evidence(struct node *n, struct bundle_ask *a)
{
    for (size_t i = 0; n->w.standing && i < a->out.signers.n; i++) {
        struct wire_bundle_signer *s = &a->out.signers.at[i];
        uint16_t id = (uint16_t)s->node;
        if (s->evidence.n)
            continue;
        const struct wire_standing *from = standing_of(n, id, &a->leaf,
                                                       s->ak_signature);
        if (!from) {
            standing_ask(n, id);
            return rc_raise(RC_ORDER,
                            "node%u's standing report, of the boot in which it "
                            "signed, cannot be had",
                            id);
        }
        TRY(wire_list_new(&s->evidence, 1));
        TRY(standing_copy(&s->evidence.at[0], from));
    }
    return RC_OK;
}

static enum rc encode(char **json, size_t *len, struct bundle_ask *a)
{
    TRY(wire_bundle_digest(a->out.digest, &a->out));
    TRY(wire_bundle_encode(json, len, &a->out));
    if (*len <= WIRE_BUNDLE_MAX)
        return RC_OK;
    free(TAKE(*json));
    return rc_raise(RC_TOO_LARGE, "bundle: %zu bytes, at most %d", *len,
                    WIRE_BUNDLE_MAX);
}

static enum rc too_late(const struct bundle_ask *a)
{
    enum rc rc = rc_raise(RC_TIMEOUT, "bundle: signed, but after %d s %s",
                          BUNDLE_WAIT_MS / 1000,
                          a->why[0] ? a->why : "the log has not answered");
    rc_hint("the signature is good; ask the same sidecar for its evidence "
            "again");
    return rc;
}

static void finish(struct node *n, struct bundle_ask *a)
{
    char *json = NULL;
    size_t len = 0;
    enum rc rc = put_evidence(n, a);
    if (rc == RC_ORDER) {
        snprintf(a->why, sizeof(a->why), "%.399s", rc_text());
        if (n->w.now_ms(n->w.ctx) < a->deadline_ms)
            return; /* the next tick looks again */
        rc = too_late(a);
    }
    if (rc == RC_OK)
        rc = encode(&json, &len, a);
    answer(n, a, rc, json, len);
}

/* ---- cosignatures -------------------------------------------------------------- */

static void append(struct node *n, struct bundle_ask *a);

/* This round has more lines than the ones before: it stands in the bundle. */
static enum rc take_round(struct bundle_ask *a)
{
    struct wire_bundle *b = &a->out;
    unsigned lines = 0;
    for (unsigned i = 0; i < a->n_nodes; i++)
        lines += a->node[i].line[0] != '\0';
    if (a->logged && lines <= b->cosigners.n)
        return RC_OK;
    if (!b->receipt.n)
        TRY(wire_list_new(&b->receipt, 1));
    wire_proof_free(&b->receipt.at[0]);
    TRY(proof_copy(&b->receipt.at[0], &a->proof));
    free(TAKE(b->growth.at));
    TRY(wire_list_new(&b->growth, a->growth.path.n));
    if (b->growth.n)
        memcpy(b->growth.at, a->growth.path.at,
               b->growth.n * sizeof(*b->growth.at));
    for (size_t i = 0; i < b->cosigners.n; i++)
        free(b->cosigners.at[i].line.p);
    free(TAKE(b->cosigners.at));
    TRY(wire_list_new(&b->cosigners, lines));
    for (unsigned i = 0, at = 0; i < a->n_nodes; i++) {
        if (!a->node[i].line[0])
            continue;
        b->cosigners.at[at].node = a->node[i].id;
        TRY(wire_text_set(&b->cosigners.at[at++].line, a->node[i].line,
                          strlen(a->node[i].line)));
    }
    a->logged = true;
    return RC_OK;
}

static void round_done(struct node *n, struct bundle_ask *a)
{
    enum rc rc = take_round(a);
    if (rc != RC_OK)
        answer(n, a, rc, NULL, 0);
    else if (a->again && a->rounds < ROUNDS_MAX &&
             n->w.now_ms(n->w.ctx) < a->deadline_ms - APPEND_MS)
        append(n, a);
    else
        finish(n, a);
}

/* Its line, if it is one over this checkpoint by that node. */
static void take_line(struct node *n, struct bundle_ask *a,
                      struct bundle_node *node, const char *line)
{
    char name[TLOG_NAME_MAX];
    struct tlog_vkey key;
    node_lock(n);
    const struct policy_node *p = policy_node_find(policy_chain_head(n->chain),
                                                   node->id);
    node_unlock(n);
    snprintf(name, sizeof(name), "%s/node%u", n->deployment, node->id);
    if (!p || !p->has_keys || strlen(line) >= sizeof(node->line) ||
        tlog_vkey_make(&key, name, TLOG_SIG_COSIGNATURE, p->identity) !=
                RC_OK ||
        tlog_cosignature_check(line, &a->cp, &key, NULL) != RC_OK)
        return;
    snprintf(node->line, sizeof(node->line), "%s", line);
}

static void take_cosigned(struct node *n, struct bundle_ask *a,
                          struct bundle_node *node,
                          const struct wire_cosigned *in)
{
    if (in->line.len) {
        take_line(n, a, node, in->line.p);
        return;
    }
    a->again = a->again || in->head != node->head;
    node->head = in->head;
}

static void cosign_came(struct node *n, void *arg, uint32_t i, enum rc rc,
                        const uint8_t *body, size_t len)
{
    struct bundle_ask *a = arg;
    WIRE(cosigned) in = { 0 };
    if (!one_less(n, a))
        return;
    if (rc == RC_OK)
        rc = wire_cosigned_decode(&in, (const char *)body, len);
    if (rc == RC_OK)
        take_cosigned(n, a, &a->node[i], &in);
    if (a->waiting == 0)
        round_done(n, a);
}

/* C2SP's add-checkpoint from its head; *len 0: this log cannot show it yet. */
static enum rc cosign_body(char out[TLOG_ADD_CHECKPOINT_MAX], size_t *len,
                           const struct bundle_ask *a,
                           const struct wire_appended *in, uint64_t head)
{
    struct tlog_path path = { .n = 0 };
    const struct wire_growth *g = proof_growth(in, head);
    *len = 0;
    if (head > a->cp.size || (head > 0 && head < a->cp.size && !g))
        return RC_OK;
    if (g)
        TRY(path_from_wire(&path, g->path.at, g->path.n));
    return tlog_add_checkpoint_write(out, TLOG_ADD_CHECKPOINT_MAX, len, head,
                                     &path, a->proof.checkpoint.p);
}

static enum rc cosigned_from(struct wire_cosigned *out, struct node *n,
                             const uint8_t *body, size_t len)
{
    OWNED_MEM struct node_witnessed *w = calloc(1, sizeof(*w));
    if (!w)
        return rc_raise(RC_NOMEM, "cosign: out of memory");
    node_on_add_checkpoint(n, w, body, len);
    out->head = node_head(n);
    if (w->status == 200)
        return wire_text_set(&out->line, w->body, w->len);
    if (w->status == 409)
        return wire_text_set(&out->line, "", 0);
    return rc_raise(w->status == 400 ? RC_PARSE : RC_LOG, "cosign: %.200s",
                    w->body);
}

enum rc bundle_on_cosign(struct node *n, const uint8_t *body, size_t len,
                         char **reply, size_t *reply_len)
{
    WIRE(cosigned) out = { 0 };
    TRY(cosigned_from(&out, n, body, len));
    return wire_cosigned_encode(reply, reply_len, &out);
}

static void ask_node(struct node *n, struct bundle_ask *a, unsigned i,
                     const struct wire_appended *in)
{
    char body[TLOG_ADD_CHECKPOINT_MAX];
    size_t len;
    struct bundle_node *node = &a->node[i];
    const struct peer *peer = node_peer(n, node->id);
    int64_t now = n->w.now_ms(n->w.ctx);
    node->line[0] = '\0';
    if (cosign_body(body, &len, a, in, node->head) != RC_OK)
        return;
    if (len == 0) {
        a->again = true;
    } else if (node->id == n->id) {
        WIRE(cosigned) own = { 0 };
        if (cosigned_from(&own, n, (const uint8_t *)body, len) == RC_OK)
            take_cosigned(n, a, node, &own);
    } else if (peer && peer->down_until_ms <= now) {
        a->waiting++;
        node_send(n, node->id, "/v1/cosign", body, len, now + COSIGN_MS,
                  cosign_came, a, i);
    }
}

/* ---- the receipt ---------------------------------------------------------------- */

static enum rc take_appended(struct node *n, struct bundle_ask *a,
                             const struct wire_appended *in)
{
    OWNED_MEM struct tlog_proof *proof = calloc(1, sizeof(*proof));
    const struct wire_growth *g = proof_growth(in, a->shown.size);
    char bare[TLOG_NOTE_MAX];
    struct tlog_path path;
    if (!proof || in->proofs.n != 1)
        return rc_raise(RC_LOG, "log: %zu proofs of one entry", in->proofs.n);
    wire_proof_free(&a->proof);
    wire_growth_free(&a->growth);
    TRY(proof_copy(&a->proof, &in->proofs.at[0]));
    TRY(proof_from_wire(proof, &a->proof));
    TRY(tlog_proof_check(proof, &n->log, &a->cp));
    TRY(head_bare(bare, &a->cp, &n->log, proof->checkpoint,
                  strlen(proof->checkpoint)));
    TRY(wire_text_set(&a->proof.checkpoint, bare, strlen(bare)));
    if (!g)
        return rc_raise(RC_LOG, "log: it does not show how it grew from %llu",
                        (unsigned long long)a->shown.size);
    TRY(path_from_wire(&path, g->path.at, g->path.n));
    TRY(tlog_consistency_check(&path, a->shown.size, &a->shown.root, a->cp.size,
                               &a->cp.root));
    TRY(wire_list_new(&a->growth.path, g->path.n));
    if (g->path.n)
        memcpy(a->growth.path.at, g->path.at, g->path.n * sizeof(*g->path.at));
    return RC_OK;
}

static void came(struct node *n, void *arg, uint32_t extra, enum rc rc,
                 const uint8_t *body, size_t len)
{
    struct bundle_ask *a = arg;
    WIRE(appended) in = { 0 };
    (void)extra;
    if (!one_less(n, a))
        return;
    if (rc == RC_OK)
        rc = wire_appended_decode(&in, (const char *)body, len);
    if (rc == RC_OK)
        rc = take_appended(n, a, &in);
    if (rc != RC_OK) {
        snprintf(a->why, sizeof(a->why),
                 "its receipt is not in the log: %.340s", rc_text());
        a->after_ms = n->w.now_ms(n->w.ctx) + AGAIN_MS;
        return; /* a tick tries again, or gives up */
    }
    a->waiting++; /* a reply may come at once */
    for (unsigned i = 0; i < a->n_nodes; i++)
        ask_node(n, a, i, &in);
    if (one_less(n, a) && a->waiting == 0)
        round_done(n, a);
}

static void add_size(struct wire_append *ask, uint64_t size)
{
    for (size_t i = 0; i < ask->sizes.n; i++)
        if (ask->sizes.at[i] == size)
            return;
    if (size && ask->sizes.n < WIRE_MAX_NODES)
        ask->sizes.at[ask->sizes.n++] = size;
}

static enum rc write_append(char **json, size_t *len,
                            const struct bundle_ask *a)
{
    WIRE(append) ask = { 0 };
    TRY(wire_list_new(&ask.entries, 1));
    TRY(wire_text_set(&ask.entries.at[0], a->receipt, strlen(a->receipt)));
    TRY(wire_list_new(&ask.sizes, WIRE_MAX_NODES));
    ask.sizes.n = 0;
    add_size(&ask, a->shown.size);
    for (unsigned i = 0; i < a->n_nodes; i++)
        add_size(&ask, a->node[i].head);
    return wire_append_encode(json, len, &ask);
}

/* The same entry again is the same entry: who was first does not matter. */
static void append(struct node *n, struct bundle_ask *a)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    enum rc rc = write_append(&json, &len, a);
    if (rc != RC_OK) {
        answer(n, a, rc, NULL, 0);
        return;
    }
    a->rounds++;
    a->again = false;
    a->waiting++;
    node_send(n, WORLD_LOG, "/v1/log/append", json, len,
              n->w.now_ms(n->w.ctx) + APPEND_MS, came, a, 0);
}

void bundle_tick(struct node *n)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    struct bundle_ask *next;
    for (struct bundle_ask *a = n->bundles; a; a = next) {
        next = a->next;
        if (a->answered || (a->waiting && now < a->deadline_ms))
            continue;
        if (a->logged)
            finish(n, a);
        else if (now >= a->deadline_ms)
            answer(n, a, too_late(a), NULL, 0);
        else if (now >= a->after_ms)
            append(n, a);
    }
}

/* ---- the question ---------------------------------------------------------------- */

static bool is_of(const struct seen *s, const char *hex, const char *slot)
{
    uint8_t id[32];
    char text[65];
    if (!s->used || (slot && strcmp(slot, s->item.slot) != 0))
        return false;
    policy_session_id(id, s->item.session.descriptor.p,
                      s->item.session.descriptor.len);
    return strcmp(enc_hex(text, id, 32), hex) == 0;
}

/* The newest of them. */
static const struct seen *find_seen(const struct node *n, const char *hex,
                                    const char *slot)
{
    for (unsigned i = 1; i <= SEEN_MAX; i++) {
        const struct seen *s =
                &n->seen[(n->next_seen + SEEN_MAX - i) % SEEN_MAX];
        if (is_of(s, hex, slot))
            return s;
    }
    return NULL;
}

/* Those of its profile, signers or not: a fork cannot hide from most. */
static void put_nodes(struct bundle_ask *a, struct node *n, const char *profile)
{
    const struct policy_profile *f = policy_profile_find(
            policy_chain_head(n->chain), profile);
    for (unsigned i = 0; f && i < f->n_nodes; i++) {
        struct bundle_node *to = &a->node[a->n_nodes++];
        const struct peer *peer = node_peer(n, f->nodes[i]);
        to->id = f->nodes[i];
        to->head = to->id == n->id ? n->head : peer ? peer->head : 0;
    }
}

static enum rc begin(struct bundle_ask *a, struct node *n, const char *rest)
{
    char hex[65];
    const char *slash = strchr(rest, '/');
    snprintf(hex, sizeof(hex), "%.*s",
             slash ? (int)(slash - rest) : (int)strlen(rest), rest);
    const struct seen *s = find_seen(n, hex, slash ? slash + 1 : NULL);
    if (!s) {
        enum rc rc = rc_raise(RC_UNKNOWN,
                              "bundle: this node did not lead session %.16s "
                              "lately%s%.8s",
                              hex, slash ? ", slot " : "",
                              slash ? slash + 1 : "");
        rc_hint("ask the sidecar that led it, soon after signing");
        return rc;
    }
    a->receipt = s->receipt ? strdup(s->receipt) : NULL;
    if (!a->receipt)
        return rc_raise(RC_NOMEM, "bundle: out of memory");
    node_lock(n);
    enum rc rc = bundle_fill(&a->out, n, s);
    put_nodes(a, n, s->key->name);
    struct tlog_vkey log = n->log;
    node_unlock(n);
    TRY(rc);
    tlog_leaf_hash(&a->leaf, a->out.intent.entry.p, a->out.intent.entry.len);
    return tlog_checkpoint_open(&a->shown, a->out.intent.checkpoint.p,
                                a->out.intent.checkpoint.len, &log);
}

static unsigned count_asks(const struct node *n)
{
    unsigned count = 0;
    for (const struct bundle_ask *a = n->bundles; a; a = a->next)
        count++;
    return count;
}

void bundle_on_get(struct node *n, uint64_t call, const char *rest)
{
    struct bundle_ask *a = NULL;
    enum rc rc = RC_OK;
    if (count_asks(n) >= BUNDLE_ASKS_MAX)
        rc = rc_raise(RC_NODES, "bundle: %d callers wait for one already",
                      BUNDLE_ASKS_MAX);
    else if (!(a = calloc(1, sizeof(*a))))
        rc = rc_raise(RC_NOMEM, "bundle: out of memory");
    if (rc == RC_OK)
        rc = begin(a, n, rest);
    if (rc != RC_OK) {
        if (a)
            ask_free(a);
        node_answer(n, call, rc, NULL, 0);
        return;
    }
    a->call = call;
    a->deadline_ms = n->w.now_ms(n->w.ctx) + BUNDLE_WAIT_MS;
    a->next = n->bundles;
    n->bundles = a;
    append(n, a);
}

void bundle_free(struct node *n)
{
    while (n->bundles) {
        struct bundle_ask *next = n->bundles->next;
        ask_free(n->bundles);
        n->bundles = next;
    }
    for (unsigned i = 0; i < SEEN_MAX; i++)
        bundle_seen_free(&n->seen[i]);
    for (unsigned i = 0; i < CHAINS_MAX; i++)
        wire_chain_free(&n->chains[i].chain);
}

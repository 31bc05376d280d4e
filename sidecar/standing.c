/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standing evidence: which hardware holds a node's keys, said once a boot.
 * Ours goes to the log before anything is signed; the peers' are fetched once
 * a boot over the attached channel, judged, and kept for bundles. Public data.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/hash.h"

#define ASK_MS       4000
#define LOG_AGAIN_MS 500

/* ---- ours ----------------------------------------------------------------- */

enum rc node_standing(struct node *n, struct wire_standing *s,
                      const char *entry)
{
    char *copy = strdup(entry);
    if (!copy)
        return rc_raise(RC_NOMEM, "standing evidence: out of memory");
    node_lock(n);
    n->standing.s = *s;
    n->standing.entry = copy;
    node_unlock(n);
    memset(s, 0, sizeof(*s));
    return node_log_later(n, entry); /* whatever becomes of this process */
}

enum rc standing_check(const struct node *n)
{
    TRY(gossip_check(n));
    if (!n->w.standing || n->standing.json)
        return RC_OK;
    return rc_raise(RC_ORDER,
                    "node%u has just started: its evidence is not in the log "
                    "yet",
                    n->id);
}

/* Inclusion of exactly this evidence under the log's key. */
static enum rc check_logged(const struct wire_standing *s, uint16_t id,
                            const struct tlog_vkey *log)
{
    OWNED_MEM struct tlog_proof *proof = calloc(1, sizeof(*proof));
    struct tlog_evidence e;
    uint8_t report[32];
    if (!proof)
        return rc_raise(RC_NOMEM, "standing evidence: out of memory");
    TRY(proof_from_wire(proof, &s->logged));
    TRY(tlog_evidence_decode(&e, proof->entry, proof->entry_len));
    TRY(tlog_proof_check(proof, log, NULL));
    hash256(report, s->report.p, s->report.len);
    if (e.node != id || memcmp(e.ak, s->ak, 32) != 0 ||
        memcmp(e.report, report, 32) != 0)
        return rc_raise(RC_VERIFY, "standing evidence: the log has another");
    return RC_OK;
}

/* Under lock. */
static enum rc take_logged(struct node *n, const uint8_t *body, size_t len)
{
    WIRE(appended) in = { 0 };
    struct wire_standing *s = &n->standing.s;
    size_t json_len;
    TRY(wire_appended_decode(&in, (const char *)body, len));
    if (in.proofs.n != 1)
        return rc_raise(RC_LOG, "log: %zu proofs of one entry", in.proofs.n);
    wire_proof_free(&s->logged);
    TRY(proof_copy(&s->logged, &in.proofs.at[0]));
    TRY(check_logged(s, n->id, &n->log));
    return wire_standing_encode(&n->standing.json, &json_len, s);
}

static void logged(struct node *n, void *arg, uint32_t extra, enum rc rc,
                   const uint8_t *body, size_t len)
{
    (void)arg;
    (void)extra;
    n->asking_standing = false;
    if (rc == RC_OK) {
        node_lock(n);
        rc = take_logged(n, body, len);
        node_unlock(n);
    }
    if (rc == RC_OK)
        lead_pump(n); /* jobs that waited for it */
    else
        n->standing_after_ms = n->w.now_ms(n->w.ctx) + LOG_AGAIN_MS;
}

void standing_tick(struct node *n)
{
    WIRE(append) ask = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    int64_t now = n->w.now_ms(n->w.ctx);
    if (!n->standing.entry || n->standing.json || !n->has_log ||
        n->asking_standing || now < n->standing_after_ms)
        return;
    enum rc rc = wire_list_new(&ask.entries, 1);
    if (rc == RC_OK)
        rc = wire_text_set(&ask.entries.at[0], n->standing.entry,
                           strlen(n->standing.entry));
    if (rc == RC_OK)
        rc = wire_append_encode(&json, &len, &ask);
    if (rc != RC_OK)
        return; /* out of memory: the next tick tries again */
    n->asking_standing = true;
    node_send(n, WORLD_LOG, "/v1/log/append", json, len, now + GOVERN_MS,
              logged, NULL, 0);
}

enum rc standing_on_peer(struct node *n, char **reply, size_t *reply_len)
{
    node_lock(n);
    char *json = n->standing.json ? strdup(n->standing.json) : NULL;
    bool has = n->standing.json != NULL;
    node_unlock(n);
    if (!json)
        return rc_raise(has ? RC_NOMEM : RC_ORDER,
                        "node%u: its evidence is not in the log yet", n->id);
    *reply = json;
    *reply_len = strlen(json);
    return RC_OK;
}

/* ---- the peers' ------------------------------------------------------------ */

static enum rc judge(struct node *n, uint16_t id, const struct wire_standing *s)
{
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    const struct policy_node *node = policy_node_find(p, id);
    struct tlog_vkey log = n->log;
    node_unlock(n); /* p stays good as long as the chain */
    if (!node || !node->has_keys)
        return rc_raise(RC_POLICY, "node%u: not in the policy", id);
    TRY(n->w.standing(n->w.ctx, s, p, node));
    return check_logged(s, id, &log);
}

static void keep(struct peer_standing *p, struct wire_standing *s)
{
    unsigned at = p->next % STANDING_BOOTS;
    for (unsigned i = 0; i < STANDING_BOOTS; i++)
        if (p->at[i].report.len && memcmp(p->at[i].ak, s->ak, 32) == 0)
            at = i; /* of the same boot: again */
    if (at == p->next % STANDING_BOOTS)
        p->next++;
    wire_standing_free(&p->at[at]);
    p->at[at] = *s;
    memset(s, 0, sizeof(*s));
}

static void came(struct node *n, void *arg, uint32_t id, enum rc rc,
                 const uint8_t *body, size_t len)
{
    struct peer *peer = node_peer(n, (uint16_t)id);
    WIRE(standing) s = { 0 };
    (void)arg;
    if (!peer)
        return;
    peer->standing.asking = false;
    if (rc == RC_OK)
        rc = wire_standing_decode(&s, (const char *)body, len);
    if (rc == RC_OK)
        rc = judge(n, (uint16_t)id, &s);
    if (rc != RC_OK)
        return; /* asked again when it is wanted */
    peer->standing.fresh = true;
    keep(&peer->standing, &s);
}

void standing_ask(struct node *n, uint16_t id)
{
    struct peer *peer = node_peer(n, id);
    if (!n->w.standing || id == n->id || !peer || peer->standing.asking)
        return;
    peer->standing.asking = true;
    node_send(n, id, "/v1/standing", NULL, 0, n->w.now_ms(n->w.ctx) + ASK_MS,
              came, NULL, id);
}

void standing_meet(struct node *n, uint16_t id)
{
    const struct peer *peer = node_peer(n, id);
    if (peer && !peer->standing.fresh)
        standing_ask(n, id);
}

static bool is_by(const struct wire_standing *s, const uint8_t *msg, size_t len,
                  const uint8_t sig[64])
{
    return s->report.len &&
           crypto_sign_verify_detached(sig, msg, len, s->ak) == 0;
}

const struct wire_standing *standing_of(struct node *n, uint16_t id,
                                        const struct tlog_hash *leaf,
                                        const uint8_t sig[64])
{
    static const char tag[] = "mpc/intent/v1"; /* FORMATS section 2 */
    uint8_t msg[sizeof(tag) + 32];
    memcpy(msg, tag, sizeof(tag));
    memcpy(msg + sizeof(tag), leaf->b, 32);
    if (id == n->id)
        return n->standing.json && is_by(&n->standing.s, msg, sizeof(msg), sig)
                       ? &n->standing.s
                       : NULL;
    const struct peer *peer = node_peer(n, id);
    for (unsigned i = 0; peer && i < STANDING_BOOTS; i++)
        if (is_by(&peer->standing.at[i], msg, sizeof(msg), sig))
            return &peer->standing.at[i];
    return NULL;
}

void peer_standing_free(struct peer_standing *p)
{
    for (unsigned i = 0; i < STANDING_BOOTS; i++)
        wire_standing_free(&p->at[i]);
}

void standing_free(struct node *n)
{
    wire_standing_free(&n->standing.s);
    free(n->standing.entry);
    free(n->standing.json);
    for (unsigned i = 0; i < n->n_peers; i++)
        peer_standing_free(&n->peer[i].standing);
}

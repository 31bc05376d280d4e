/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every intent ends: in a receipt, or in an abort that its lead logs. The
 * intents of a round are kept while the log has them; those of a job that
 * ended without a signature, and after a restart all that are left, go to the
 * log once more to learn their index, and then an mpc-abort/1 for each.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#define ABORT_EVERY_MS 1000
#define ABORT_TEXT_MAX 128 /* three short lines */

enum rc abort_watch(struct node *n, const struct round *r)
{
    struct store_intent in[WIRE_MAX_BATCH];
    for (unsigned s = 0; s < r->n_shots; s++) {
        const struct wire_text *e = &r->shot[s].item.intent.entry;
        struct tlog_hash leaf;
        tlog_leaf_hash(&leaf, e->p, e->len);
        memcpy(in[s].leaf, leaf.b, 32);
        in[s].job = r->shot[s].serial;
        in[s].entry = e->p;
    }
    return store_intents_add(n->w.store, in, r->n_shots);
}

static void over(struct node *n, struct job *job, const char *reason)
{
    if (!job->watched)
        return;
    if (n->n_ended == ENDED_MAX)
        node_settle(n);
    if (n->n_ended == ENDED_MAX)
        return; /* the disk fails: a restart aborts it */
    struct store_end *e = &n->ended[n->n_ended++];
    *e = (struct store_end){ .job = job->serial, .reason = reason };
    if (!job->opened && (!reason || job->burnt)) {
        e->slot_ended = true;
        memcpy(e->session, job->parsed.id, 32);
        snprintf(e->slot, sizeof(e->slot), "%s", policy_kind_name(job->kind));
        e->expires = job->parsed.expires;
    }
    job->watched = false;
    n->orphans = n->orphans || reason;
}

void abort_job_signed(struct node *n, struct job *job)
{
    over(n, job, NULL);
}

void abort_job(struct node *n, struct job *job, enum rc rc)
{
    over(n, job, rc_slug(rc == RC_OK ? RC_TIMEOUT : rc));
}

/* ---- orphans ----------------------------------------------------------------- */

struct orphans {
    struct wire_append ask;
    uint8_t leaf[WIRE_MAX_APPEND][32];
    char reason[WIRE_MAX_APPEND][33];
    unsigned n;
};

static enum rc take_orphan(void *ctx, const char *reason, uint64_t number,
                           const uint8_t *entry, size_t len,
                           const uint8_t *leaf, size_t leaf_len)
{
    struct orphans *o = ctx;
    (void)number;
    if (o->n == WIRE_MAX_APPEND || leaf_len != 32)
        return rc_raise(RC_STORE, "intents at rest: %zu bytes for a leaf",
                        leaf_len);
    TRY(wire_text_set(&o->ask.entries.at[o->n], (const char *)entry, len));
    memcpy(o->leaf[o->n], leaf, 32);
    snprintf(o->reason[o->n], sizeof(o->reason[0]), "%.32s", reason);
    o->n++;
    return RC_OK;
}

/* The log's answer says where this very entry stands. */
static enum rc abort_text(char text[ABORT_TEXT_MAX], const struct node *n,
                          const struct orphans *o, unsigned i,
                          const struct wire_proof *in)
{
    struct tlog_proof proof;
    struct tlog_hash leaf;
    struct tlog_abort a = { 0 };
    char whole[TLOG_ENTRY_MAX + 1];
    size_t len;
    TRY(proof_from_wire(&proof, in));
    tlog_leaf_hash(&leaf, proof.entry, proof.entry_len);
    if (memcmp(leaf.b, o->leaf[i], 32) != 0)
        return rc_raise(RC_LOG, "log: proof %u is of another entry", i);
    TRY(tlog_proof_check(&proof, &n->log, NULL));
    a.intent = proof.index;
    snprintf(a.reason, sizeof(a.reason), "%s", o->reason[i]);
    TRY(tlog_abort_encode(whole, &len, &a));
    snprintf(text, ABORT_TEXT_MAX, "%s", whole);
    return RC_OK;
}

static enum rc abort_all(struct node *n, const struct orphans *o,
                         const struct wire_appended *in)
{
    char text[WIRE_MAX_APPEND][ABORT_TEXT_MAX];
    const char *texts[WIRE_MAX_APPEND];
    if (in->proofs.n != o->n)
        return rc_raise(RC_LOG, "log: %zu proofs for %u intents", in->proofs.n,
                        o->n);
    for (unsigned i = 0; i < o->n; i++) {
        TRY(abort_text(text[i], n, o, i, &in->proofs.at[i]));
        texts[i] = text[i];
    }
    return store_intents_aborted(n->w.store, (const uint8_t(*)[32])o->leaf,
                                 texts, o->n);
}

static void orphans_free(struct orphans *o)
{
    if (!o)
        return;
    wire_append_free(&o->ask);
    free(o);
}

static void found(struct node *n, void *arg, uint32_t extra, enum rc rc,
                  const uint8_t *body, size_t len)
{
    struct orphans *o = TAKE(n->aborting);
    WIRE(appended) in = { 0 };
    (void)arg;
    (void)extra;
    if (rc == RC_OK)
        rc = wire_appended_decode(&in, (const char *)body, len);
    if (rc == RC_OK)
        rc = abort_all(n, o, &in);
    if (rc != RC_OK)
        n->abort_after_ms = n->w.now_ms(n->w.ctx) + ABORT_EVERY_MS;
    orphans_free(o);
}

static enum rc find_orphans(struct node *n)
{
    struct orphans *o = calloc(1, sizeof(*o));
    if (!o)
        return rc_raise(RC_NOMEM, "intents: out of memory");
    OWNED_MEM char *json = NULL;
    size_t len;
    enum rc rc = wire_list_new(&o->ask.entries, WIRE_MAX_APPEND);
    if (rc == RC_OK)
        rc = store_intents_orphans(n->w.store, WIRE_MAX_APPEND, take_orphan, o);
    o->ask.entries.n = o->n;
    if (rc == RC_OK && o->n)
        rc = wire_append_encode(&json, &len, &o->ask);
    if (rc != RC_OK || o->n == 0) {
        n->orphans = rc != RC_OK;
        orphans_free(o);
        return rc;
    }
    n->aborting = o;
    node_send(n, WORLD_LOG, "/v1/log/append", json, len,
              n->w.now_ms(n->w.ctx) + GOVERN_MS, found, NULL, 0);
    return RC_OK;
}

/* ---- life -------------------------------------------------------------------- */

enum rc abort_load(struct node *n)
{
    return store_intents_orphan(n->w.store, "restarted", &n->orphans);
}

void abort_tick(struct node *n)
{
    int64_t now = n->w.now_ms(n->w.ctx);
    if (!n->orphans || n->aborting || !n->has_log || n->n_ended ||
        now < n->abort_after_ms)
        return;
    if (find_orphans(n) != RC_OK)
        n->abort_after_ms = now + ABORT_EVERY_MS;
}

void abort_free(struct node *n)
{
    orphans_free(n->aborting);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passes between a node and the log besides signing: the log's key is
 * learnt once and held, and entries that are owed to it are sent until it has
 * them.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#define ASK_EVERY_MS     1000
#define RECEIPT_TEXT_MAX 256 /* three short lines */

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

/* ---- receipts --------------------------------------------------------------- */

void govern_receipt(struct node *n, const struct receipt *r)
{
    if (n->n_receipts == RECEIPTS_MAX)
        node_settle(n);
    if (n->n_receipts == RECEIPTS_MAX)
        return; /* the disk fails: an intent without receipt is the alarm */
    n->receipt[n->n_receipts++] = *r;
}

enum rc govern_receipt_text(char text[TLOG_ENTRY_MAX + 1],
                            const struct receipt *r)
{
    struct tlog_receipt out = { .intent = r->intent,
                                .has_certificate = r->has_certificate };
    size_t len;
    memcpy(out.signature, r->signature, 32);
    memcpy(out.certificate, r->certificate, 32);
    return tlog_receipt_encode(text, &len, &out);
}

void node_settle(struct node *n)
{
    const char *texts[RECEIPTS_MAX];
    if (n->n_receipts == 0 && n->n_ended == 0) {
        audit_settle(n);
        return;
    }
    OWNED_MEM char *all = malloc(n->n_receipts * (size_t)RECEIPT_TEXT_MAX + 1);
    enum rc rc = all ? RC_OK : rc_raise(RC_NOMEM, "receipts: out of memory");
    for (unsigned i = 0; rc == RC_OK && i < n->n_receipts; i++) {
        char text[TLOG_ENTRY_MAX + 1];
        rc = govern_receipt_text(text, &n->receipt[i]);
        texts[i] = all + i * (size_t)RECEIPT_TEXT_MAX;
        snprintf(all + i * (size_t)RECEIPT_TEXT_MAX, RECEIPT_TEXT_MAX, "%s",
                 text);
    }
    if (rc == RC_OK)
        rc = store_settle(n->w.store, texts, n->n_receipts, n->ended,
                          n->n_ended);
    if (rc == RC_OK)
        n->n_receipts = n->n_ended = 0;
}

/* ---- what is owed ------------------------------------------------------------ */

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

static enum rc flush(struct node *n);

static void flushed(struct node *n, void *arg, uint32_t extra, enum rc rc,
                    const uint8_t *body, size_t len)
{
    (void)body;
    (void)len;
    n->flushing = false;
    if (rc == RC_OK)
        rc = store_outbox_done(n->w.store, (uint64_t)(uintptr_t)arg);
    if (rc == RC_OK && extra == WIRE_MAX_APPEND)
        rc = flush(n); /* there may be more: not at the pace of ticks */
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
              n->w.now_ms(n->w.ctx) + GOVERN_MS, flushed,
              (void *)(uintptr_t)o.last, (uint32_t)ask.entries.n);
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

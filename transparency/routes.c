/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpc-log's rows: reading is public and carries no authority (C2SP
 * tlog-tiles); appending is for attested sidecars only.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "transparency/log.h"

/* ---- public reads ---------------------------------------------------------------- */

#define IMMUTABLE "public, max-age=604800, immutable"

static enum rc on_checkpoint(struct http_call *call, void *ctx)
{
    struct log_server *ls = ctx;
    char note[TLOG_NOTE_MAX];
    TRY(tlog_store_checkpoint(ls->store, note));
    TRY(http_reply_header(call, "Cache-Control", "no-cache"));
    return http_reply(call, 200, "text/plain; charset=utf-8", note,
                      strlen(note));
}

static enum rc on_tile(struct http_call *call, void *ctx)
{
    struct log_server *ls = ctx;
    int level;
    uint64_t n;
    unsigned width;
    OWNED_MEM uint8_t *tile = NULL;
    size_t len;
    TRY(tlog_tile_parse(&level, &n, &width, http_call_rest(call)));
    TRY(tlog_store_tile(ls->store, &tile, &len, level, n, width));
    TRY(http_reply_header(call, "Cache-Control", IMMUTABLE));
    return http_reply(call, 200, "application/octet-stream", tile, len);
}

static enum rc on_vkey(struct http_call *call, void *ctx)
{
    struct log_server *ls = ctx;
    char text[TLOG_VKEY_MAX];
    WIRE(vkey) out = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    tlog_vkey_text(text, &ls->vkey);
    TRY(wire_text_set(&out.vkey, text, strlen(text)));
    TRY(wire_vkey_encode(&json, &len, &out));
    return http_reply(call, 200, NULL, json, len);
}

/* ---- append ------------------------------------------------------------------------- */

/* Several entries wait for one commit: the last to finish resumes the call. */
struct batch {
    pthread_mutex_t lock;
    pthread_cond_t done;
    unsigned left;
    enum rc rc;
    char why[256];
    uint64_t index[WIRE_MAX_APPEND];
};
struct waiter {
    struct batch *batch;
    unsigned at;
};

static void appended(enum rc rc, const struct tlog_proof *proof, void *arg)
{
    struct waiter *w = arg;
    struct batch *b = w->batch;
    pthread_mutex_lock(&b->lock);
    if (rc == RC_OK) {
        b->index[w->at] = proof->index;
    } else {
        b->rc = rc;
        snprintf(b->why, sizeof(b->why), "%s", rc_text());
    }
    if (--b->left == 0)
        pthread_cond_signal(&b->done);
    pthread_mutex_unlock(&b->lock);
}

static enum rc append_all(struct log_server *ls, struct batch *b,
                          const struct wire_append *in)
{
    struct waiter w[WIRE_MAX_APPEND];
    b->left = (unsigned)in->entries.n;
    for (size_t i = 0; i < in->entries.n; i++) {
        w[i] = (struct waiter){ b, (unsigned)i };
        enum rc rc = tlog_store_append_async(ls->store, in->entries.at[i].p,
                                             in->entries.at[i].len, appended,
                                             &w[i]);
        if (rc != RC_OK)
            appended(rc, NULL, &w[i]);
    }
    pthread_mutex_lock(&b->lock);
    while (b->left > 0)
        pthread_cond_wait(&b->done, &b->lock);
    pthread_mutex_unlock(&b->lock);
    return b->rc == RC_OK ? RC_OK : rc_raise(b->rc, "append: %s", b->why);
}

static enum rc path_to_wire(struct wire_hash **at, size_t *n,
                            const struct tlog_path *path)
{
    TRY(wire_list_alloc((void **)at, n, sizeof(**at), path->n));
    for (unsigned i = 0; i < path->n; i++)
        memcpy((*at)[i].b, path->hash[i].b, 32);
    return RC_OK;
}

static enum rc fill_proof(struct wire_proof *out, struct log_server *ls,
                          const struct wire_text *entry, uint64_t index,
                          const char *note, uint64_t size)
{
    struct tlog_path path;
    TRY(tlog_store_inclusion(ls->store, &path, index, size));
    TRY(wire_text_set(&out->entry, entry->p, entry->len));
    TRY(wire_text_set(&out->checkpoint, note, strlen(note)));
    out->index = index;
    return path_to_wire(&out->path.at, &out->path.n, &path);
}

static enum rc fill_growth(struct wire_growth *out, struct log_server *ls,
                           uint64_t from, uint64_t size)
{
    struct tlog_path path = { .n = 0 };
    if (from > 0)
        TRY(tlog_store_consistency(ls->store, &path, from, size));
    out->from = from;
    out->to = size;
    return path_to_wire(&out->path.at, &out->path.n, &path);
}

/* A size this log does not have gets no answer: a signer's claim of it must
 * not cost the others their proofs. */
static enum rc fill_growths(struct wire_appended *out, struct log_server *ls,
                            const struct wire_append *in, uint64_t size)
{
    size_t known = 0;
    for (size_t i = 0; i < in->sizes.n; i++)
        known += in->sizes.at[i] <= size;
    TRY(wire_list_new(&out->growth, known));
    size_t at = 0;
    for (size_t i = 0; i < in->sizes.n; i++)
        if (in->sizes.at[i] <= size)
            TRY(fill_growth(&out->growth.at[at++], ls, in->sizes.at[i], size));
    return RC_OK;
}

static enum rc answer(struct wire_appended *out, struct log_server *ls,
                      const struct wire_append *in, const struct batch *b)
{
    char note[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    TRY(tlog_store_checkpoint(ls->store, note));
    TRY(tlog_checkpoint_open(&cp, note, strlen(note), &ls->vkey));
    TRY(wire_list_new(&out->proofs, in->entries.n));
    for (size_t i = 0; i < in->entries.n; i++)
        TRY(fill_proof(&out->proofs.at[i], ls, &in->entries.at[i], b->index[i],
                       note, cp.size));
    return fill_growths(out, ls, in, cp.size);
}

static enum rc on_append(struct http_call *call, void *ctx)
{
    struct log_server *ls = ctx;
    struct attest_peer peer;
    TRY(attest_channel_peer(&peer, call));
    if (peer.role != ATTEST_SIDECAR)
        return rc_raise(RC_AUTH, "append: only sidecars may");
    size_t body_len;
    const uint8_t *body = http_call_body(call, &body_len);
    WIRE(append) in = { 0 };
    TRY(wire_append_decode(&in, (const char *)body, body_len));
    for (size_t i = 0; i < in.entries.n; i++)
        if (tlog_entry_kind(in.entries.at[i].p, in.entries.at[i].len) ==
            TLOG_OPAQUE)
            return rc_raise(RC_PARSE, "entries[%zu]: not an entry of ours", i);
    struct batch b = { .lock = PTHREAD_MUTEX_INITIALIZER,
                       .done = PTHREAD_COND_INITIALIZER };
    enum rc rc = append_all(ls, &b, &in);
    pthread_mutex_destroy(&b.lock);
    pthread_cond_destroy(&b.done);
    if (rc == RC_STORE) {
        log_rc(LOG_ERROR, "stopping", rc); /* never retry a failed sync */
        raise(SIGTERM);
    }
    TRY(rc);
    WIRE(appended) out = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(answer(&out, ls, &in, &b));
    TRY(wire_appended_encode(&json, &len, &out));
    return http_reply(call, 200, NULL, json, len);
}

static enum rc on_policy(struct http_call *call, void *ctx)
{
    struct log_server *ls = ctx;
    return daemon_chain_post(call, ls->chain);
}

/* clang-format off */
const struct http_route log_public_routes[] = {
    { "GET", "/checkpoint",  HTTP_PUBLIC, 0, on_checkpoint },
    { "GET", "/tile/*",      HTTP_PUBLIC, 0, on_tile },
    { "GET", "/v1/log/vkey", HTTP_PUBLIC, 0, on_vkey },
    { 0 },
};
const struct http_route log_peer_routes[] = {
    DAEMON_ATTEST_ROUTES,
    { "POST", "/v1/log/append", HTTP_PEER, 256 * 1024,  on_append },
    { "GET",  "/v1/log/vkey",   HTTP_PEER, 0,           on_vkey },
    { "POST", "/v1/policy",     HTTP_PEER, 1024 * 1024, on_policy },
    { 0 },
};
/* clang-format on */

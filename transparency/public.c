/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading, which carries no authority: C2SP tlog-tiles, and for those who do
 * not want to compute paths themselves, proofs and a search.
 */
#include "transparency/public.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/own.h"
#include "transparency/promise.h"
#include "wire/wire.h"

#define IMMUTABLE  "public, max-age=31536000, immutable"
#define SHORT      "public, max-age=1"
#define TEXT       "text/plain; charset=utf-8"
#define SEARCH_MAX 100

void log_public_init(struct log_public *p, struct tlog_store *store,
                     const struct tlog_vkey *vkey)
{
    memset(p, 0, sizeof(*p));
    p->store = store;
    p->vkey = *vkey;
    pthread_mutex_init(&p->mu, NULL);
}

void log_public_note(struct log_public *p, char note[TLOG_NOTE_MAX],
                     struct tlog_checkpoint *cp)
{
    pthread_mutex_lock(&p->mu);
    bool have = p->want_cosigned && p->cosigned[0];
    if (have) {
        memcpy(note, p->cosigned, strlen(p->cosigned) + 1);
        if (cp)
            *cp = p->cosigned_cp;
    }
    pthread_mutex_unlock(&p->mu);
    if (!have)
        tlog_store_head(p->store, note, cp);
}

static enum rc fetch_own(uint8_t **out, size_t *len, uint64_t n, unsigned width,
                         struct log_public *p)
{
    return tlog_store_tile(p->store, out, len, -1, n, width);
}

enum rc log_public_entry(struct log_public *p, uint8_t **out, size_t *len,
                         uint64_t index)
{
    OWNED_MEM uint8_t *bundle = NULL;
    size_t bundle_len = 0;
    /* so wide that it ends with the entry */
    TRY(fetch_own(&bundle, &bundle_len, index / 256, index % 256 + 1, p));
    const uint8_t *at = bundle;
    for (uint64_t i = 0; i < index % 256; i++)
        at += 2 + ((size_t)at[0] << 8 | at[1]);
    size_t n = (size_t)at[0] << 8 | at[1];
    *out = malloc(n + 1);
    if (!*out)
        return rc_raise(RC_NOMEM, "entry: out of memory");
    memcpy(*out, at + 2, n);
    (*out)[n] = 0;
    *len = n;
    return RC_OK;
}

enum rc log_public_proof(struct log_public *p, struct tlog_proof *out,
                         uint64_t index)
{
    struct tlog_checkpoint cp;
    OWNED_MEM uint8_t *entry = NULL;
    TRY(log_public_entry(p, &entry, &out->entry_len, index));
    log_public_note(p, out->checkpoint, &cp);
    if (cp.size <= index) /* not cosigned yet */
        tlog_store_head(p->store, out->checkpoint, &cp);
    TRY(tlog_store_inclusion(p->store, &out->path, index, cp.size));
    memcpy(out->entry, entry, out->entry_len + 1);
    out->index = index;
    return RC_OK;
}

/* ---- C2SP tlog-tiles ----------------------------------------------------- */

static enum rc on_checkpoint(struct http_call *call, void *ctx)
{
    char note[TLOG_NOTE_MAX];
    log_public_note(ctx, note, NULL);
    TRY(http_reply_header(call, "Cache-Control", "no-cache"));
    return http_reply(call, 200, TEXT, note, strlen(note));
}

static enum rc on_tile(struct http_call *call, void *ctx)
{
    struct log_public *p = ctx;
    int level;
    uint64_t n;
    unsigned width;
    OWNED_MEM uint8_t *tile = NULL;
    size_t len;
    TRY(tlog_tile_parse(&level, &n, &width, http_call_rest(call)));
    TRY(tlog_store_tile(p->store, &tile, &len, level, n, width));
    TRY(http_reply_header(call, "Cache-Control", IMMUTABLE));
    return http_reply(call, 200, "application/octet-stream", tile, len);
}

/* ---- ours ---------------------------------------------------------------- */

enum rc log_on_vkey(struct http_call *call, void *ctx)
{
    struct log_public *p = ctx;
    char text[TLOG_VKEY_MAX];
    WIRE(vkey) out = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    tlog_vkey_text(text, &p->vkey);
    TRY(wire_text_set(&out.vkey, text, strlen(text)));
    TRY(wire_vkey_encode(&json, &len, &out));
    return http_reply(call, 200, NULL, json, len);
}

/* Of its second key, SubjectPublicKeyInfo in DER. */
static enum rc on_sigstore_key(struct http_call *call, void *ctx)
{
    const struct log_public *p = ctx;
    if (!p->promise)
        return rc_raise(RC_UNKNOWN, "this log has no ECDSA key");
    return http_reply(call, 200, "application/octet-stream",
                      tlog_p256_spki(p->promise->key), TLOG_P256_SPKI_LEN);
}

/* An index, or the leaf hash of an entry that somebody holds. */
static enum rc read_which(uint64_t *index, struct log_public *p,
                          const char *text)
{
    struct tlog_hash leaf;
    size_t len = strlen(text);
    if (len == ENC_HEX_LEN(32) && enc_unhex(leaf.b, 32, text, len) == RC_OK)
        return tlog_store_find(p->store, index, &leaf);
    if (enc_undec(index, text, len) != RC_OK)
        return rc_raise(RC_UNKNOWN, "want an index or a leaf hash in hex");
    return RC_OK;
}

/* A .tlog-proof file; where the entry is, is said in it. */
static enum rc on_proof(struct http_call *call, void *ctx)
{
    struct log_public *p = ctx;
    char text[TLOG_PROOF_TEXT_MAX];
    uint64_t index;
    size_t len;
    OWNED_MEM struct tlog_proof *proof = malloc(sizeof(*proof));
    if (!proof)
        return rc_raise(RC_NOMEM, "proof: out of memory");
    TRY(read_which(&index, p, http_call_rest(call)));
    TRY(log_public_proof(p, proof, index));
    TRY(tlog_proof_write(text, sizeof(text), &len, proof));
    TRY(http_reply_header(call, "Cache-Control", SHORT));
    return http_reply(call, 200, TEXT, text, len);
}

static enum rc on_entry(struct http_call *call, void *ctx)
{
    struct log_public *p = ctx;
    uint64_t index;
    OWNED_MEM uint8_t *entry = NULL;
    size_t len;
    TRY(read_which(&index, p, http_call_rest(call)));
    TRY(log_public_entry(p, &entry, &len, index));
    TRY(http_reply_header(call, "Cache-Control", IMMUTABLE));
    TRY(http_reply_header(call, "X-Content-Type-Options", "nosniff"));
    return http_reply(call, 200, TEXT, entry, len);
}

static enum rc read_before(uint64_t *out, struct http_call *call)
{
    const char *before = http_call_query(call, "before");
    *out = TLOG_NO_INDEX;
    return before ? enc_undec(out, before, strlen(before)) : RC_OK;
}

/* {"indexed": n, "entries": [newest first]} */
static enum rc on_search(struct http_call *call, void *ctx)
{
    struct log_public *p = ctx;
    const char *rest = http_call_rest(call);
    uint8_t digest[32];
    uint64_t before;
    uint64_t at[SEARCH_MAX];
    uint64_t indexed;
    char json[64 + 22 * SEARCH_MAX];
    if (!p->find)
        return rc_raise(RC_UNKNOWN, "search: this log has none");
    TRY(enc_unhex(digest, 32, rest, strlen(rest)));
    TRY(read_before(&before, call));
    unsigned n = log_find_digest(p->find, at, SEARCH_MAX, digest, before,
                                 &indexed);
    int len = snprintf(json, sizeof(json), "{\"indexed\":%llu,\"entries\":[",
                       (unsigned long long)indexed);
    for (unsigned i = 0; i < n; i++)
        len += snprintf(json + len, sizeof(json) - (size_t)len, "%s%llu",
                        i ? "," : "", (unsigned long long)at[i]);
    len += snprintf(json + len, sizeof(json) - (size_t)len, "]}");
    TRY(http_reply_header(call, "Cache-Control", SHORT));
    return http_reply(call, 200, NULL, json, (size_t)len);
}

/* clang-format off */
const struct http_route log_public_routes[] = {
    { "GET", "/checkpoint",      HTTP_PUBLIC, 0, on_checkpoint },
    { "GET", "/tile/*",          HTTP_PUBLIC, 0, on_tile },
    { "GET", "/v1/log/vkey",     HTTP_PUBLIC, 0, log_on_vkey },
    { "GET", "/v1/log/proof/*",  HTTP_PUBLIC, 0, on_proof },
    { "GET", "/v1/log/entry/*",  HTTP_PUBLIC, 0, on_entry },
    { "GET", "/v1/log/search/*", HTTP_PUBLIC, 0, on_search },
    { "GET", "/v1/sigstore/key", HTTP_PUBLIC, 0, on_sigstore_key },
    { "GET", "/health",          HTTP_PUBLIC, 0, log_on_health },
    { "GET", "/metrics",         HTTP_PUBLIC, 0, log_on_metrics },
    { "GET", "/",                HTTP_PUBLIC, 0, log_on_page },
    { "GET", "/entry/*",         HTTP_PUBLIC, 0, log_on_page_entry },
    { "GET", "/search",          HTTP_PUBLIC, 0, log_on_page_search },
    { "GET", "/page/*",          HTTP_PUBLIC, 0, log_on_page_file },
    { 0 },
};
/* clang-format on */

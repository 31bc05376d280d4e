/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCTs for the CA and entries for Sigstore's clients; see promise.h. They come
 * once a signature at most, so each holds its thread for its one commit.
 */
#include "transparency/promise.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"
#include "base/log.h"

#define SECURE_HEAP 65536

enum rc log_promise_open(struct log_promise *p, struct log_public *public,
                         const char *deployment, const uint8_t seed[32])
{
    /* where memory may not be locked it is OpenSSL's ordinary heap */
    if (!CRYPTO_secure_malloc_initialized() &&
        CRYPTO_secure_malloc_init(SECURE_HEAP, 32) != 1)
        log_info("key.unlocked", "key=p256");
    TRY(tlog_rekor_host(p->host, deployment));
    TRY(tlog_p256_new(&p->key, seed));
    public->promise = p;
    return RC_OK;
}

void log_promise_close(struct log_promise *p)
{
    tlog_p256_free(p->key);
    p->key = NULL;
}

enum rc log_promise_spki(const struct log_promise *p, struct http_call *call)
{
    WIRE(spki) out = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_blob_set(&out.spki, tlog_p256_spki(p->key), TLOG_P256_SPKI_LEN));
    TRY(wire_spki_encode(&json, &len, &out));
    return http_reply(call, 200, NULL, json, len);
}

/* ---- certificates -------------------------------------------------------- */

/* One SEQUENCE, no byte more: the rest of it is the signers' to judge. */
static enum rc check_tbs(const struct wire_blob *tbs)
{
    struct bytes_reader r = bytes_reader(tbs->p, tbs->len);
    uint8_t tag = bytes_get_u8(&r);
    size_t len = bytes_get_u8(&r);
    if (len == 0x81)
        len = bytes_get_u8(&r);
    else if (len == 0x82)
        len = bytes_get_u16(&r);
    if (r.failed || tag != 0x30 || len != r.left)
        return rc_raise(RC_PARSE, "sct: tbs: not one DER SEQUENCE");
    return RC_OK;
}

/* Seconds are the clock's; the milliseconds beside them are the real ones. */
static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)clock_now_s() * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

enum rc log_promise_sct(const struct log_promise *p, struct http_call *call)
{
    WIRE(sct_ask) in = { 0 };
    WIRE(sct) out = { 0 };
    OWNED_MEM char *json = NULL;
    uint8_t list[TLOG_SCT_LIST_MAX], digest[32];
    char hex[ENC_HEX_SIZE(32)];
    size_t len;
    const uint8_t *body = http_call_body(call, &len);
    TRY(wire_sct_ask_decode(&in, (const char *)body, len));
    TRY(check_tbs(&in.tbs));
    TRY(tlog_sct_make(list, &len, p->key, in.issuer_key_hash, in.tbs.p,
                      in.tbs.len, now_ms()));
    TRY(wire_blob_set(&out.list, list, len));
    TRY(wire_sct_encode(&json, &len, &out));
    hash256(digest, in.tbs.p, in.tbs.len);
    log_info("sct.given", "tbs=%s", enc_hex(hex, digest, 32));
    return http_reply(call, 200, NULL, json, len);
}

/* ---- entries ------------------------------------------------------------- */

static enum rc judge(const struct wire_text *entry)
{
    struct tlog_dsse d;
    uint8_t key[32];
    TRY(tlog_dsse_decode(&d, entry->p, entry->len));
    return tlog_dsse_check(key, &d, clock_now_s());
}

static enum rc append(uint64_t *index, struct log_public *public,
                      struct log_appender *a, const struct wire_text *entry,
                      const char *uri)
{
    OWNED_MEM struct tlog_proof *proof = malloc(sizeof(*proof));
    if (!proof)
        return rc_raise(RC_NOMEM, "entry: out of memory");
    TRY(log_appender_admit(a, uri, 1));
    enum rc rc = tlog_store_append(public->store, proof, entry->p, entry->len);
    log_appender_done(a);
    if (rc == RC_STORE) {
        log_rc(LOG_ERROR, "stopping", rc);
        raise(SIGTERM); /* never retry a failed sync */
    }
    TRY(rc);
    *index = proof->index;
    return RC_OK;
}

static enum rc put_set(struct wire_rekor *out, const struct log_promise *p,
                       const struct wire_text *entry, uint64_t index)
{
    OWNED_MEM char *msg = NULL;
    uint8_t sig[TLOG_P256_SIG_MAX];
    size_t msg_len, sig_len;
    int64_t now = clock_now_s();
    TRY(tlog_set_message(&msg, &msg_len, entry->p, entry->len, index, now,
                         tlog_p256_id(p->key)));
    TRY(tlog_p256_sign(sig, &sig_len, p->key, msg, msg_len));
    out->index = index;
    out->integrated = (uint64_t)now;
    return wire_blob_set(&out->set, sig, sig_len);
}

/* Path and note lead to the same, newest tree. */
static enum rc put_proof(struct wire_rekor *out, const struct log_promise *p,
                         struct tlog_store *store, uint64_t index)
{
    char note[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    struct tlog_path path;
    tlog_store_head(store, note, &cp);
    TRY(tlog_store_inclusion(store, &path, index, cp.size));
    TRY(tlog_rekor_note(note, p->host, p->key, cp.size, &cp.root));
    TRY(wire_text_set(&out->checkpoint, note, strlen(note)));
    TRY(wire_list_new(&out->path, path.n));
    for (unsigned i = 0; i < path.n; i++)
        memcpy(out->path.at[i].b, path.hash[i].b, 32);
    return RC_OK;
}

enum rc log_promise_entry(const struct log_promise *p, struct log_appender *a,
                          struct http_call *call, const char *uri)
{
    WIRE(rekor_ask) in = { 0 };
    WIRE(rekor) out = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    uint64_t index;
    struct log_public *public = log_appender_public(a);
    const uint8_t *body = http_call_body(call, &len);
    TRY(wire_rekor_ask_decode(&in, (const char *)body, len));
    TRY(judge(&in.entry));
    enum rc rc = append(&index, public, a, &in.entry, uri);
    if (rc == RC_NOMEM && http_reply_header(call, "Retry-After", "1") != RC_OK)
        return RC_NOMEM;
    TRY(rc);
    TRY(put_set(&out, p, &in.entry, index));
    TRY(put_proof(&out, p, public->store, index));
    TRY(wire_rekor_encode(&json, &len, &out));
    return http_reply(call, 200, NULL, json, len);
}

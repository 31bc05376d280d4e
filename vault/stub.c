/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door's functions: each writes one request, makes one call and reads one
 * reply. Public data and boxes only.
 */
#include "vault/inner.h"

#include <string.h>

/* A request under way. */
struct out {
    uint8_t *buf;
    struct bytes_writer w;
};

static inline void out_free(struct out *o)
{
    free(o->buf);
}
#define OUT __attribute__((cleanup(out_free))) struct out

static enum rc out_new(struct out *o, size_t cap)
{
    o->buf = malloc(cap);
    if (!o->buf)
        return rc_raise(RC_NOMEM, "vault: %zu bytes", cap);
    o->w = bytes_writer(o->buf, cap);
    return RC_OK;
}

/* Sends, and puts a reader over the reply. */
static enum rc ask(struct vault *v, struct bytes_reader *r, uint8_t *reply,
                   size_t cap, uint8_t op, const struct bytes_writer *w)
{
    size_t len = 0;
    if (w->failed)
        return rc_raise(RC_TOO_LARGE, "vault: the request is too large");
    const struct vault_request req = { .op = op,
                                       .body = w->buf,
                                       .body_len = w->len };
    TRY(vault_call(v, reply, cap, &len, &req));
    *r = bytes_reader(reply, len);
    return RC_OK;
}

/* LP32 into the caller's buffer; 0 bytes leave it as it is. */
static size_t take_sealed(struct bytes_reader *r, uint8_t *sealed)
{
    size_t len;
    const uint8_t *p = bytes_take_lp32(r, &len);
    if (len > VAULT_SEALED_KEYS_MAX) {
        r->failed = true;
        return 0;
    }
    if (len)
        memcpy(sealed, p, len);
    return len;
}

/* ---- keys, roster, head ------------------------------------------------ */

enum rc vault_open(struct vault *v, struct vault_keys *keys, uint8_t *sealed,
                   size_t *sealed_len)
{
    OUT o = { .buf = NULL };
    OUT in = { .buf = NULL };
    struct bytes_reader r;
    struct vault_keys k = { .has_roster = false };
    TRY(out_new(&o, VAULT_SEALED_KEYS_MAX + 4));
    TRY(out_new(&in, VAULT_REPLY_MAX));
    bytes_put_lp32(&o.w, sealed, *sealed_len);
    TRY(ask(v, &r, in.buf, VAULT_REPLY_MAX, VAULT_OP_OPEN, &o.w));
    bytes_get(&r, k.identity, 32);
    bytes_get(&r, k.box, 32);
    bytes_get(&r, k.boot, 16);
    k.has_roster = bytes_get_u8(&r) == 1;
    if (k.has_roster)
        bytes_get(&r, k.roster, 32);
    size_t len = take_sealed(&r, sealed);
    TRY(bytes_end(&r, "vault open"));
    *keys = k;
    *sealed_len = len;
    return RC_OK;
}

enum rc vault_roster_set(struct vault *v, const char *text, size_t text_len,
                         const struct tlog_proof *proof, uint8_t *sealed,
                         size_t *sealed_len)
{
    static const struct tlog_proof none;
    OUT o = { .buf = NULL };
    OUT in = { .buf = NULL };
    struct bytes_reader r;
    TRY(out_new(&o, TLOG_ROSTER_MAX + 16384));
    TRY(out_new(&in, VAULT_REPLY_MAX));
    bytes_put_lp32(&o.w, text, text_len);
    vault_put_proof(&o.w, proof ? proof : &none);
    TRY(ask(v, &r, in.buf, VAULT_REPLY_MAX, VAULT_OP_ROSTER, &o.w));
    size_t len = take_sealed(&r, sealed);
    TRY(bytes_end(&r, "vault roster"));
    *sealed_len = len;
    return RC_OK;
}

enum rc vault_head_set(struct vault *v, const char *note, size_t note_len)
{
    OUT o = { .buf = NULL };
    struct bytes_reader r;
    uint8_t reply[1];
    TRY(out_new(&o, TLOG_NOTE_MAX + 2));
    bytes_put_lp16(&o.w, note, note_len);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_HEAD, &o.w));
    return bytes_end(&r, "vault head");
}

/* ---- making a key ------------------------------------------------------ */

enum rc vault_dkg_begin(struct vault *v, struct frost_dealing *package,
                        const struct vault_dkg_terms *terms)
{
    uint8_t buf[512];
    uint8_t reply[2 + (FROST_MAX_SIGNERS + 2) * 32];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    struct frost_dealing p;
    if (terms->n > TLOG_MAX_NODES)
        return rc_raise(RC_ARG, "dkg: %u nodes", terms->n);
    vault_put_dkg_terms(&w, terms);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_DKG_BEGIN, &w));
    vault_get_package(&r, &p);
    TRY(bytes_end(&r, "vault dkg begin"));
    *package = p;
    return RC_OK;
}

enum rc vault_dkg_deal(struct vault *v, uint8_t (*boxes)[VAULT_BOX_LEN],
                       const uint8_t session[32],
                       const struct frost_dealing *packages, unsigned n)
{
    uint8_t reply[TLOG_MAX_NODES * VAULT_BOX_LEN];
    OUT o = { .buf = NULL };
    struct bytes_reader r;
    if (n > TLOG_MAX_NODES)
        return rc_raise(RC_ARG, "dkg: %u packages", n);
    TRY(out_new(&o, VAULT_BODY_MAX));
    bytes_put(&o.w, session, 32);
    bytes_put_u16(&o.w, (uint16_t)n);
    for (unsigned i = 0; i < n; i++)
        vault_put_package(&o.w, &packages[i]);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_DKG_DEAL, &o.w));
    const uint8_t *p = bytes_take(&r, (size_t)n * VAULT_BOX_LEN);
    TRY(bytes_end(&r, "vault dkg deal"));
    memcpy(boxes, p, (size_t)n * VAULT_BOX_LEN);
    return RC_OK;
}

static enum rc result_read(struct vault_dkg_result *out, struct bytes_reader *r)
{
    struct vault_dkg_result d = { .sealed_len = 0 };
    bytes_get(r, d.group_key, 32);
    bytes_get(r, d.transcript, 32);
    d.parent = bytes_get_u64(r);
    bytes_get(r, d.y, 32);
    unsigned n = bytes_get_u16(r);
    if (n > TLOG_MAX_NODES)
        return rc_raise(RC_INTERNAL, "vault dkg: %u members", n);
    for (unsigned i = 0; i < n; i++)
        bytes_get(r, d.ys[i], 32);
    const uint8_t *sealed = bytes_take_lp16(r, &d.sealed_len);
    TRY(bytes_end(r, "vault dkg finish"));
    if (d.sealed_len > sizeof(d.sealed))
        return rc_raise(RC_INTERNAL, "vault dkg: sealed share too large");
    memcpy(d.sealed, sealed, d.sealed_len);
    *out = d;
    return RC_OK;
}

enum rc vault_dkg_finish(struct vault *v, struct vault_dkg_result *out,
                         const uint8_t session[32],
                         const uint8_t (*boxes)[VAULT_BOX_LEN], unsigned n)
{
    uint8_t reply[sizeof(struct vault_dkg_result) + 16];
    OUT o = { .buf = NULL };
    struct bytes_reader r;
    if (n > TLOG_MAX_NODES)
        return rc_raise(RC_ARG, "dkg: %u boxes", n);
    TRY(out_new(&o, 34 + (size_t)n * VAULT_BOX_LEN));
    bytes_put(&o.w, session, 32);
    bytes_put_u16(&o.w, (uint16_t)n);
    bytes_put(&o.w, boxes, (size_t)n * VAULT_BOX_LEN);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_DKG_FINISH, &o.w));
    return result_read(out, &r);
}

/* ---- votes ------------------------------------------------------------- */

static enum rc ask_signature(struct vault *v, uint8_t sig[64], uint8_t op,
                             const struct bytes_writer *w)
{
    uint8_t reply[64];
    struct bytes_reader r;
    TRY(ask(v, &r, reply, sizeof(reply), op, w));
    const uint8_t *p = bytes_take(&r, 64);
    TRY(bytes_end(&r, "vault signature"));
    memcpy(sig, p, 64);
    return RC_OK;
}

enum rc vault_vote(struct vault *v, uint8_t vote[64], const uint8_t session[32],
                   const uint8_t *sealed, size_t sealed_len)
{
    return vault_epoch_vote(v, vote, session, 0, sealed, sealed_len);
}

enum rc vault_epoch_vote(struct vault *v, uint8_t vote[64],
                         const uint8_t session[32], uint64_t epoch,
                         const uint8_t *sealed, size_t sealed_len)
{
    uint8_t buf[42 + VAULT_SEALED_SHARE_MAX];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    bytes_put(&w, session, 32);
    bytes_put_u64(&w, epoch);
    bytes_put_lp16(&w, sealed, sealed ? sealed_len : 0);
    return ask_signature(v, vote, VAULT_OP_VOTE, &w);
}

enum rc vault_activate(struct vault *v, uint8_t ack[64],
                       const struct tlog_epoch_terms *terms,
                       const struct tlog_vote *votes, unsigned n,
                       const uint8_t *sealed, size_t sealed_len)
{
    OUT o = { .buf = NULL };
    TRY(out_new(&o, 32768));
    vault_put_epoch_terms(&o.w, terms);
    vault_put_votes(&o.w, votes, n);
    bytes_put_lp16(&o.w, sealed, sealed ? sealed_len : 0);
    return ask_signature(v, ack, VAULT_OP_ACTIVATE, &o.w);
}

enum rc vault_forget(struct vault *v, const uint8_t key[32], uint64_t epoch)
{
    uint8_t buf[40];
    uint8_t reply[1];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    bytes_put(&w, key, 32);
    bytes_put_u64(&w, epoch);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_FORGET, &w));
    return bytes_end(&r, "vault forget");
}

/* ---- a key for one session ---------------------------------------------- */

enum rc vault_dkg_narrow(struct vault *v, const uint8_t session[32],
                         const uint16_t *ids, unsigned n)
{
    uint8_t buf[34 + 2 * TLOG_MAX_NODES];
    uint8_t reply[1];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    if (n > TLOG_MAX_NODES)
        return rc_raise(RC_ARG, "dkg: %u participants", n);
    bytes_put(&w, session, 32);
    bytes_put_u16(&w, (uint16_t)n);
    for (unsigned i = 0; i < n; i++)
        bytes_put_u16(&w, ids[i]);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_DKG_NARROW, &w));
    return bytes_end(&r, "vault dkg narrow");
}

enum rc vault_session_end(struct vault *v, const uint8_t session[32])
{
    uint8_t buf[32];
    uint8_t reply[1];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    bytes_put(&w, session, 32);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_SESSION_END, &w));
    return bytes_end(&r, "vault session end");
}

enum rc vault_held(struct vault *v, struct vault_holds *out)
{
    uint8_t buf[1];
    uint8_t reply[16];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_HELD, &w));
    out->shares = bytes_get_u32(&r);
    out->once = bytes_get_u32(&r);
    out->dkgs = bytes_get_u32(&r);
    out->nonces = bytes_get_u32(&r);
    return bytes_end(&r, "vault held");
}

/* ---- custodians -------------------------------------------------------- */

enum rc vault_backup(struct vault *v, uint8_t *out, size_t *len,
                     const uint8_t key[32], uint64_t epoch)
{
    uint8_t buf[40];
    uint8_t reply[2 + VAULT_BACKUP_MAX];
    size_t n;
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    bytes_put(&w, key, 32);
    bytes_put_u64(&w, epoch);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_BACKUP, &w));
    const uint8_t *p = bytes_take_lp16(&r, &n);
    TRY(bytes_end(&r, "vault backup"));
    memcpy(out, p, n);
    *len = n;
    return RC_OK;
}

enum rc vault_recover(struct vault *v, uint16_t *node,
                      const uint8_t parcel[VAULT_PARCEL_LEN],
                      const struct tlog_epoch_terms *terms,
                      const struct tlog_vote *votes, unsigned n)
{
    uint8_t reply[2];
    OUT o = { .buf = NULL };
    struct bytes_reader r;
    TRY(out_new(&o, 32768));
    bytes_put(&o.w, parcel, VAULT_PARCEL_LEN);
    vault_put_epoch_terms(&o.w, terms);
    vault_put_votes(&o.w, votes, n);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_RECOVER, &o.w));
    uint16_t whose = bytes_get_u16(&r);
    TRY(bytes_end(&r, "vault recover"));
    *node = whose;
    return RC_OK;
}

/* ---- signing ----------------------------------------------------------- */

enum rc vault_commit(struct vault *v, struct vault_commitment *out,
                     unsigned count, const uint8_t key[32], uint64_t epoch,
                     uint16_t lead)
{
    uint8_t buf[64];
    uint8_t reply[VAULT_MAX_COMMIT * sizeof(struct vault_commitment)];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    if (count == 0 || count > VAULT_MAX_COMMIT)
        return rc_raise(RC_ARG, "commit: %u nonces, want 1 to %d", count,
                        VAULT_MAX_COMMIT);
    bytes_put(&w, key, 32);
    bytes_put_u64(&w, epoch);
    bytes_put_u16(&w, lead);
    bytes_put_u16(&w, (uint16_t)count);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_COMMIT, &w));
    if (r.left != (size_t)count * (VAULT_NONCE_ID_LEN + 64))
        return rc_raise(RC_INTERNAL, "vault commit: %zu bytes", r.left);
    for (unsigned i = 0; i < count; i++) {
        bytes_get(&r, out[i].nonce_id, VAULT_NONCE_ID_LEN);
        bytes_get(&r, out[i].hiding, 32);
        bytes_get(&r, out[i].binding, 32);
    }
    return RC_OK;
}

enum rc vault_sign(struct vault *v, struct vault_sign_reply *out,
                   const struct vault_sign_request *in)
{
    uint8_t reply[VAULT_ANSWER_MAX];
    OUT o = { .buf = NULL };
    size_t len = 0;
    size_t line_len;
    struct vault_sign_reply s = { .cosigned = false };
    TRY(out_new(&o, 32768));
    vault_put_sign(&o.w, in);
    if (o.w.failed)
        return rc_raise(RC_TOO_LARGE, "sign: the request is too large");
    const struct vault_request req = { .op = VAULT_OP_SIGN,
                                       .body = o.buf,
                                       .body_len = o.w.len,
                                       .msg = in->msg,
                                       .msg_len = in->msg_len };
    TRY(vault_call(v, reply, sizeof(reply), &len, &req));
    struct bytes_reader r = bytes_reader(reply, len);
    bytes_get(&r, s.share, 32);
    bytes_get(&r, s.group_commitment, 32);
    s.cosigned = bytes_get_u8(&r) == 1;
    const uint8_t *line = bytes_take_lp16(&r, &line_len);
    TRY(bytes_end(&r, "vault sign"));
    if (line_len >= sizeof(s.cosignature))
        return rc_raise(RC_INTERNAL, "vault sign: cosignature too long");
    memcpy(s.cosignature, line, line_len);
    *out = s;
    return RC_OK;
}

/* ---- witnessing -------------------------------------------------------- */

enum rc vault_cosign(struct vault *v, char line[TLOG_SIG_LINE_MAX],
                     const char *note, size_t note_len,
                     const struct tlog_path *consistency)
{
    uint8_t reply[2 + TLOG_SIG_LINE_MAX];
    OUT o = { .buf = NULL };
    struct bytes_reader r;
    size_t len;
    if (note_len > TLOG_NOTE_MAX)
        return rc_raise(RC_TOO_LARGE, "cosign: note of %zu bytes, at most %d",
                        note_len, TLOG_NOTE_MAX);
    TRY(out_new(&o, TLOG_NOTE_MAX + 4096));
    bytes_put_lp16(&o.w, note, note_len);
    vault_put_path(&o.w, consistency);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_COSIGN, &o.w));
    const uint8_t *p = bytes_take_lp16(&r, &len);
    TRY(bytes_end(&r, "vault cosign"));
    if (len >= TLOG_SIG_LINE_MAX)
        return rc_raise(RC_INTERNAL, "vault cosign: line too long");
    memcpy(line, p, len);
    line[len] = '\0';
    return RC_OK;
}

/* ---- moving a key ------------------------------------------------------ */

enum rc vault_epoch_begin(struct vault *v, struct frost_dealing *package,
                          const struct vault_epoch_terms *terms)
{
    uint8_t reply[2 + (FROST_MAX_SIGNERS + 2) * 32];
    OUT o = { .buf = NULL };
    struct bytes_reader r;
    struct frost_dealing p;
    if (terms->n > TLOG_MAX_NODES || terms->n_dealers > TLOG_MAX_NODES)
        return rc_raise(RC_ARG, "epoch: %u nodes, %u dealers", terms->n,
                        terms->n_dealers);
    TRY(out_new(&o, 32768));
    vault_put_epoch_asked(&o.w, terms);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_EPOCH_BEGIN, &o.w));
    vault_get_package(&r, &p);
    TRY(bytes_end(&r, "vault epoch begin"));
    *package = p;
    return RC_OK;
}

enum rc vault_epoch_deal(struct vault *v, uint8_t (*boxes)[VAULT_BOX_LEN],
                         unsigned *n_boxes, const uint8_t session[32],
                         uint64_t epoch, const struct frost_dealing *packages,
                         unsigned n)
{
    uint8_t reply[2 + TLOG_MAX_NODES * VAULT_BOX_LEN];
    OUT o = { .buf = NULL };
    struct bytes_reader r;
    if (n > TLOG_MAX_NODES)
        return rc_raise(RC_ARG, "epoch: %u packages", n);
    TRY(out_new(&o, VAULT_BODY_MAX));
    bytes_put(&o.w, session, 32);
    bytes_put_u64(&o.w, epoch);
    bytes_put_u16(&o.w, (uint16_t)n);
    for (unsigned i = 0; i < n; i++)
        vault_put_package(&o.w, &packages[i]);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_EPOCH_DEAL, &o.w));
    unsigned count = bytes_get_u16(&r);
    if (count > TLOG_MAX_NODES)
        return rc_raise(RC_INTERNAL, "vault epoch: %u boxes", count);
    const uint8_t *p = bytes_take(&r, (size_t)count * VAULT_BOX_LEN);
    TRY(bytes_end(&r, "vault epoch deal"));
    if (count)
        memcpy(boxes, p, (size_t)count * VAULT_BOX_LEN);
    *n_boxes = count;
    return RC_OK;
}

enum rc vault_epoch_finish(struct vault *v, struct vault_dkg_result *out,
                           const uint8_t session[32], uint64_t epoch,
                           const uint8_t (*boxes)[VAULT_BOX_LEN], unsigned n)
{
    uint8_t reply[sizeof(struct vault_dkg_result) + 16];
    OUT o = { .buf = NULL };
    struct bytes_reader r;
    if (n > TLOG_MAX_NODES)
        return rc_raise(RC_ARG, "epoch: %u boxes", n);
    TRY(out_new(&o, 42 + (size_t)n * VAULT_BOX_LEN));
    bytes_put(&o.w, session, 32);
    bytes_put_u64(&o.w, epoch);
    bytes_put_u16(&o.w, (uint16_t)n);
    bytes_put(&o.w, boxes, (size_t)n * VAULT_BOX_LEN);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_EPOCH_FINISH, &o.w));
    return result_read(out, &r);
}

enum rc vault_epoch_moved(struct vault *v, const struct tlog_epoch_terms *terms,
                          const struct tlog_vote *votes, unsigned n)
{
    uint8_t reply[1];
    OUT o = { .buf = NULL };
    struct bytes_reader r;
    TRY(out_new(&o, 32768));
    vault_put_epoch_terms(&o.w, terms);
    vault_put_votes(&o.w, votes, n);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_EPOCH_MOVED, &o.w));
    return bytes_end(&r, "vault epoch moved");
}

enum rc vault_epoch_retire(struct vault *v,
                           const struct tlog_epoch_terms *terms,
                           const struct tlog_vote *votes,
                           const uint8_t (*acks)[64], unsigned n)
{
    uint8_t reply[1];
    OUT o = { .buf = NULL };
    struct bytes_reader r;
    TRY(out_new(&o, 65536));
    vault_put_epoch_terms(&o.w, terms);
    vault_put_votes(&o.w, votes, n);
    bytes_put(&o.w, acks, (size_t)n * 64);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_EPOCH_RETIRE, &o.w));
    return bytes_end(&r, "vault epoch retire");
}

static enum rc ask_destroy(struct vault *v, uint8_t word[64],
                           const uint8_t key[32], uint64_t epoch, bool erase)
{
    uint8_t buf[41];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    bytes_put(&w, key, 32);
    bytes_put_u64(&w, epoch);
    bytes_put_u8(&w, erase);
    return ask_signature(v, word, VAULT_OP_DESTROY, &w);
}

enum rc vault_destroy_word(struct vault *v, uint8_t word[64],
                           const uint8_t key[32], uint64_t epoch)
{
    return ask_destroy(v, word, key, epoch, false);
}

enum rc vault_destroy(struct vault *v, const uint8_t key[32])
{
    uint8_t none[64];
    return ask_destroy(v, none, key, 0, true);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The door's functions for pieces; as stub.c. Boxes and signatures only. */
#include "vault/inner.h"

#include <string.h>

/* As much as any of these says at once. */
#define ASK_MAX (64 + TLOG_MAX_NODES * (2 + VAULT_PIECE_BOX_LEN))

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

enum rc vault_piece_split(struct vault *v, struct vault_piece *out, unsigned *n,
                          const struct vault_dkg_terms *terms)
{
    uint8_t buf[512];
    uint8_t reply[ASK_MAX];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    if (terms->n > TLOG_MAX_NODES)
        return rc_raise(RC_ARG, "pieces: %u nodes", terms->n);
    vault_put_dkg_terms(&w, terms);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_PIECE_SPLIT, &w));
    unsigned count = bytes_get_u16(&r);
    if (count > TLOG_MAX_NODES)
        return rc_raise(RC_INTERNAL, "vault split: %u pieces", count);
    for (unsigned i = 0; i < count; i++) {
        out[i].node = bytes_get_u16(&r);
        bytes_get(&r, out[i].box, VAULT_PIECE_BOX_LEN);
    }
    TRY(bytes_end(&r, "vault split"));
    *n = count;
    return RC_OK;
}

enum rc vault_piece_keep(struct vault *v,
                         uint8_t sealed[VAULT_SEALED_PIECE_MAX], size_t *len,
                         const uint8_t session[32], uint64_t epoch, uint16_t t,
                         const struct vault_piece *piece)
{
    uint8_t buf[256];
    uint8_t reply[2 + VAULT_SEALED_PIECE_MAX];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    size_t n;
    bytes_put(&w, session, 32);
    bytes_put_u64(&w, epoch);
    bytes_put_u16(&w, t);
    bytes_put_u16(&w, piece->node);
    bytes_put(&w, piece->box, VAULT_PIECE_BOX_LEN);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_PIECE_KEEP, &w));
    const uint8_t *p = bytes_take_lp16(&r, &n);
    TRY(bytes_end(&r, "vault keep"));
    memcpy(sealed, p, n); /* no larger than the reply */
    *len = n;
    return RC_OK;
}

enum rc vault_piece_kept(struct vault *v, uint8_t ack[64],
                         const uint8_t *sealed, size_t len)
{
    uint8_t buf[2 + VAULT_SEALED_PIECE_MAX];
    uint8_t reply[64];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    bytes_put_lp16(&w, sealed, len);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_PIECE_KEPT, &w));
    const uint8_t *p = bytes_take(&r, 64);
    TRY(bytes_end(&r, "vault kept"));
    memcpy(ack, p, 64);
    return RC_OK;
}

enum rc vault_piece_acked(struct vault *v, unsigned *missing,
                          const uint8_t session[32], uint64_t epoch,
                          const struct vault_piece_ack *acks, unsigned n)
{
    uint8_t buf[ASK_MAX];
    uint8_t reply[2];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    if (n > TLOG_MAX_NODES)
        return rc_raise(RC_ARG, "pieces: %u acknowledgements", n);
    bytes_put(&w, session, 32);
    bytes_put_u64(&w, epoch);
    bytes_put_u16(&w, (uint16_t)n);
    for (unsigned i = 0; i < n; i++) {
        bytes_put_u16(&w, acks[i].node);
        bytes_put(&w, acks[i].sig, 64);
    }
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_PIECE_ACKED, &w));
    unsigned left = bytes_get_u16(&r);
    TRY(bytes_end(&r, "vault acked"));
    *missing = left;
    return RC_OK;
}

enum rc vault_piece_give(struct vault *v, uint8_t box[VAULT_PIECE_BOX_LEN],
                         uint16_t owner, const uint8_t boot[16],
                         const uint8_t *sealed, size_t len)
{
    uint8_t buf[32 + VAULT_SEALED_PIECE_MAX];
    uint8_t reply[VAULT_PIECE_BOX_LEN];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    bytes_put_u16(&w, owner);
    bytes_put(&w, boot, 16);
    bytes_put_lp16(&w, sealed, len);
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_PIECE_GIVE, &w));
    const uint8_t *p = bytes_take(&r, VAULT_PIECE_BOX_LEN);
    TRY(bytes_end(&r, "vault give"));
    memcpy(box, p, VAULT_PIECE_BOX_LEN);
    return RC_OK;
}

enum rc vault_piece_join(struct vault *v, bool *whole, uint16_t *bad,
                         unsigned *n_bad, const uint8_t session[32],
                         uint64_t epoch, uint16_t t,
                         const struct vault_piece *pieces, unsigned n)
{
    uint8_t buf[ASK_MAX];
    uint8_t reply[3 + 2 * TLOG_MAX_NODES];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    struct bytes_reader r;
    if (n > TLOG_MAX_NODES)
        return rc_raise(RC_ARG, "pieces: %u of them", n);
    bytes_put(&w, session, 32);
    bytes_put_u64(&w, epoch);
    bytes_put_u16(&w, t);
    bytes_put_u16(&w, (uint16_t)n);
    for (unsigned i = 0; i < n; i++) {
        bytes_put_u16(&w, pieces[i].node);
        bytes_put(&w, pieces[i].box, VAULT_PIECE_BOX_LEN);
    }
    TRY(ask(v, &r, reply, sizeof(reply), VAULT_OP_PIECE_JOIN, &w));
    bool got = bytes_get_u8(&r) == 1;
    unsigned wrong = bytes_get_u16(&r);
    if (wrong > n)
        return rc_raise(RC_INTERNAL, "vault join: %u of %u bad", wrong, n);
    for (unsigned i = 0; i < wrong; i++)
        bad[i] = bytes_get_u16(&r);
    TRY(bytes_end(&r, "vault join"));
    *whole = got;
    *n_bad = wrong;
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Others' pieces: taken out of their box, sealed under this node's first
 * master key alone (they must open before any share does), acknowledged once
 * read back, and given back to their owner, boxed to its present life.
 */
#include "vault/piece.h"

#include <string.h>

#include "base/clock.h"
#include "base/rand.h"

/* ---- keep, kept -------------------------------------------------------- */

/* A key of its own per (session, owner), under our first master key. */
static void piece_key(uint8_t out[32], const struct vault_core *core,
                      unsigned base, const struct piece_of *of)
{
    static const char tag[] = "mpc/piece-kept/v1";
    uint8_t info[sizeof(tag) + PIECE_OF_LEN];
    uint8_t node_id[32];
    WIPED_BYTES(mek, 32);
    WIPED_BYTES(prk, 32);
    memcpy(info, tag, sizeof(tag));
    size_t len = sizeof(tag) + vault_piece_put_of(info + sizeof(tag), of);
    vault_node_id(node_id, core);
    vault_mek(mek, core, base, of->epoch, NULL);
    vault_hkdf_extract(prk, node_id, 32, mek, 32);
    vault_hkdf_expand(out, prk, info, len);
}

static enum rc piece_seal(struct bytes_writer *out,
                          const struct vault_core *core,
                          const struct piece_of *of,
                          const struct boxed_piece *in)
{
    const struct tlog_roster_node *owner;
    uint8_t sealed[VAULT_MSH1_HEADER + PIECE_CT_LEN];
    struct vault_msh1 h = { .kind = VAULT_KIND_PIECE,
                            .epoch = of->epoch,
                            .node = of->owner,
                            .t = of->t,
                            .provider = (uint16_t)core->base[0].provider,
                            .created_ms = (uint64_t)clock_now_s() * 1000,
                            .ct_len = PIECE_CT_LEN };
    WIPED_BYTES(key, 32);
    WIPED_BYTES(plain, 64);
    TRY(vault_roster_node(&owner, core, of->owner));
    TRY(rand_bytes(h.nonce, 12));
    memcpy(h.key, of->session, 32);
    vault_node_id(h.node_id, core);
    memcpy(h.roster, core->roster->hash, 32);
    memcpy(h.y, owner->identity, 32);
    memcpy(h.mek_id, core->base[0].mek_id, 16);
    vault_msh1_encode(sealed, &h);
    memcpy(plain, in->piece.le, 32);
    memcpy(plain + 32, in->tag, 32);
    piece_key(key, core, 0, of);
    TRY(vault_aead_seal(sealed + VAULT_MSH1_HEADER, key, h.nonce, plain,
                        sizeof(plain), sealed, VAULT_MSH1_HEADER));
    bytes_put_lp16(out, sealed, sizeof(sealed));
    return RC_OK;
}

static enum rc piece_header(unsigned *base, struct piece_of *of,
                            const struct vault_core *core,
                            const struct vault_msh1 *h)
{
    uint8_t node_id[32];
    const struct tlog_roster_node *owner;
    if (h->kind != VAULT_KIND_PIECE || h->ct_len != PIECE_CT_LEN)
        return rc_raise(RC_STORE, "piece: of kind %u, want a piece", h->kind);
    vault_node_id(node_id, core);
    if (memcmp(h->node_id, node_id, 32) != 0)
        return rc_raise(RC_STORE, "piece: sealed by a node with other keys");
    TRY(vault_roster_node(&owner, core, h->node));
    if (memcmp(owner->identity, h->y, 32) != 0)
        return rc_raise(RC_STORE, "piece: node %u had other keys then",
                        h->node);
    *of = (struct piece_of){
        .epoch = h->epoch, .t = h->t, .owner = h->node, .holder = core->node
    };
    memcpy(of->session, h->key, 32);
    return vault_base_find(base, core, "piece", h->provider, h->mek_id);
}

/* out->run is left alone. */
static enum rc piece_unseal(struct boxed_piece *out, struct piece_of *of,
                            const struct vault_core *core,
                            const uint8_t *sealed, size_t len)
{
    struct vault_msh1 h;
    unsigned base;
    WIPED_BYTES(key, 32);
    WIPED_BYTES(plain, 64);
    TRY(vault_msh1_decode(&h, sealed, len));
    TRY(piece_header(&base, of, core, &h));
    piece_key(key, core, base, of);
    TRY(vault_aead_open(plain, key, h.nonce, sealed + VAULT_MSH1_HEADER,
                        PIECE_CT_LEN, sealed, VAULT_MSH1_HEADER));
    memcpy(out->piece.le, plain, 32);
    memcpy(out->tag, plain + 32, 32);
    return RC_OK;
}

enum rc vault_on_piece_keep(struct vault_core *core, struct bytes_writer *out,
                            struct bytes_reader *in,
                            const struct vault_request *req)
{
    (void)req;
    struct piece_of of = { .holder = core->node };
    uint8_t run[32];
    WIPED(boxed_piece) got;
    bytes_get(in, of.session, 32);
    of.epoch = bytes_get_u64(in);
    of.t = bytes_get_u16(in);
    of.owner = bytes_get_u16(in);
    const uint8_t *box = bytes_take(in, VAULT_PIECE_BOX_LEN);
    TRY(bytes_end(in, "piece keep"));
    if (of.owner == core->node)
        return rc_raise(RC_ARG, "piece: our own");
    vault_piece_run_there(run, core, &of);
    TRY(vault_piece_unbox(&got, core, of.owner, run, box));
    return piece_seal(out, core, &of, &got);
}

enum rc vault_on_piece_kept(struct vault_core *core, struct bytes_writer *out,
                            struct bytes_reader *in,
                            const struct vault_request *req)
{
    (void)req;
    size_t len;
    uint8_t sig[64];
    uint8_t text[PIECE_ACK_TEXT];
    struct piece_of of;
    WIPED(boxed_piece) got;
    const uint8_t *sealed = bytes_take_lp16(in, &len);
    TRY(bytes_end(in, "piece kept"));
    TRY(piece_unseal(&got, &of, core, sealed, len));
    size_t text_len = vault_piece_ack_text(text, &of, got.tag);
    crypto_sign_detached(sig, NULL, text, text_len, core->secret->identity);
    bytes_put(out, sig, sizeof(sig));
    return RC_OK;
}

/* ---- give -------------------------------------------------------------- */

enum rc vault_on_piece_give(struct vault_core *core, struct bytes_writer *out,
                            struct bytes_reader *in,
                            const struct vault_request *req)
{
    (void)req;
    uint8_t boot[16];
    uint8_t box[VAULT_PIECE_BOX_LEN];
    size_t len;
    struct piece_of of;
    WIPED(boxed_piece) got;
    uint16_t owner = bytes_get_u16(in);
    bytes_get(in, boot, 16);
    const uint8_t *sealed = bytes_take_lp16(in, &len);
    TRY(bytes_end(in, "piece give"));
    TRY(piece_unseal(&got, &of, core, sealed, len));
    if (of.owner != owner)
        return rc_raise(RC_AUTH, "piece: of node %u, not of node %u", of.owner,
                        owner);
    vault_piece_run_back(got.run, boot, &of);
    TRY(vault_piece_box(box, core, owner, &got));
    bytes_put(out, box, sizeof(box));
    return RC_OK;
}

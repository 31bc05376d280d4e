/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of everything sealed, MSH1: 260 bytes, big-endian, of which all
 * are the ciphertext's associated data (notes/custody.md section 3.2). Public;
 * read from a disk that is not trusted.
 */
#include "vault/inner.h"

#include <string.h>

#define MAGIC        "MSH1"
#define VERSION      1
#define AEAD_A256GCM 1
#define TAG_LEN      16

void vault_msh1_encode(uint8_t out[VAULT_MSH1_HEADER],
                       const struct vault_msh1 *h)
{
    struct bytes_writer w = bytes_writer(out, VAULT_MSH1_HEADER);
    bytes_put(&w, MAGIC, 4);
    bytes_put_u16(&w, VERSION);
    bytes_put_u16(&w, h->kind);
    bytes_put_u16(&w, AEAD_A256GCM);
    bytes_put_u16(&w, VAULT_MSH1_HEADER);
    bytes_put(&w, h->key, 32);
    bytes_put_u64(&w, h->epoch);
    bytes_put_u16(&w, h->node);
    bytes_put_u16(&w, h->t);
    bytes_put_u16(&w, h->n);
    bytes_put_u16(&w, h->provider);
    bytes_put(&w, h->node_id, 32);
    bytes_put(&w, h->roster, 32);
    bytes_put(&w, h->transcript, 32);
    bytes_put(&w, h->group_key, 32);
    bytes_put(&w, h->y, 32);
    bytes_put(&w, h->mek_id, 16);
    bytes_put(&w, h->nonce, 12);
    bytes_put_u64(&w, h->created_ms);
    bytes_put_u32(&w, h->ct_len);
}

/* What every version of it begins with. */
static enum rc preamble(struct vault_msh1 *h, struct bytes_reader *r)
{
    const uint8_t *magic = bytes_take(r, 4);
    uint16_t version = bytes_get_u16(r);
    h->kind = bytes_get_u16(r);
    uint16_t aead = bytes_get_u16(r);
    uint16_t header = bytes_get_u16(r);
    if (r->failed || memcmp(magic, MAGIC, 4) != 0)
        return rc_raise(RC_STORE, "sealed: does not begin as MSH1 does");
    if (version != VERSION || aead != AEAD_A256GCM ||
        header != VAULT_MSH1_HEADER) {
        enum rc rc = rc_raise(RC_STORE,
                              "sealed: MSH1 version %u, cipher %u, header of "
                              "%u bytes; this program reads %u, %u, %u",
                              version, aead, header, VERSION, AEAD_A256GCM,
                              VAULT_MSH1_HEADER);
        rc_hint("run the program that sealed it, or repair this node");
        return rc;
    }
    return RC_OK;
}

enum rc vault_msh1_decode(struct vault_msh1 *out, const uint8_t *in, size_t len)
{
    struct vault_msh1 h = { .kind = 0 };
    struct bytes_reader r = bytes_reader(in, len);
    TRY(preamble(&h, &r));
    bytes_get(&r, h.key, 32);
    h.epoch = bytes_get_u64(&r);
    h.node = bytes_get_u16(&r);
    h.t = bytes_get_u16(&r);
    h.n = bytes_get_u16(&r);
    h.provider = bytes_get_u16(&r);
    bytes_get(&r, h.node_id, 32);
    bytes_get(&r, h.roster, 32);
    bytes_get(&r, h.transcript, 32);
    bytes_get(&r, h.group_key, 32);
    bytes_get(&r, h.y, 32);
    bytes_get(&r, h.mek_id, 16);
    bytes_get(&r, h.nonce, 12);
    h.created_ms = bytes_get_u64(&r);
    h.ct_len = bytes_get_u32(&r);
    if (r.failed || h.ct_len != r.left || h.ct_len < TAG_LEN)
        return rc_raise(RC_STORE, "sealed: %zu bytes, not as long as it says",
                        len);
    *out = h;
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed shares, MSH1 (notes/custody.md section 3.2): a header of 260 bytes
 * that is the AAD, then share and members' hash under AES-256-GCM with a key
 * of its own per (key, epoch, node). Under snp+peers that key comes from a
 * secret that the peers hold, too (piece.c). A random nonce is safe under it: one
 * such key seals one share. GCM does not commit to its key, so the share is
 * checked against its verifying share as well.
 */
#include "vault/inner.h"

#include <string.h>

#include "base/clock.h"
#include "base/rand.h"

#define PLAIN_LEN (32 + 32) /* share, members' hash */
#define TAG_LEN   16
#define CT_LEN    (PLAIN_LEN + TAG_LEN)

/* ---- cipher and keys --------------------------------------------------- */

enum rc vault_aead_seal(uint8_t *ct, const uint8_t key[32],
                        const uint8_t nonce[12], const uint8_t *plain,
                        size_t len, const uint8_t *aad, size_t aad_len)
{
    unsigned long long ct_len;
    if (crypto_aead_aes256gcm_encrypt(ct, &ct_len, plain, len, aad, aad_len,
                                      NULL, nonce, key) != 0)
        return rc_raise(RC_INTERNAL, "sealing failed");
    return RC_OK;
}

enum rc vault_aead_open(uint8_t *plain, const uint8_t key[32],
                        const uint8_t nonce[12], const uint8_t *ct,
                        size_t ct_len, const uint8_t *aad, size_t aad_len)
{
    unsigned long long len;
    if (crypto_aead_aes256gcm_decrypt(plain, &len, NULL, ct, ct_len, aad,
                                      aad_len, nonce, key) != 0)
        return rc_raise(RC_STORE, "sealed data: damaged, or sealed under "
                                  "another key");
    return RC_OK;
}

/* with: what peers hold of it, or NULL */
static void share_key(uint8_t out[32], const struct vault_core *core,
                      unsigned base, const struct vault_share *pub,
                      const struct frost_scalar *with)
{
    uint8_t salt[32 + 8];
    uint8_t info[64];
    uint8_t node_id[32];
    WIPED_BYTES(mek, 32);
    WIPED_BYTES(prk, 32);
    struct bytes_writer s = bytes_writer(salt, sizeof(salt));
    bytes_put(&s, pub->key, 32);
    bytes_put_u64(&s, pub->terms.epoch);
    struct bytes_writer i = bytes_writer(info, sizeof(info));
    bytes_put_tag(&i, "mpc/share/v1");
    vault_node_id(node_id, core);
    bytes_put(&i, node_id, 32);
    vault_mek(mek, core, base, pub->terms.epoch, with);
    vault_hkdf_extract(prk, salt, s.len, mek, 32);
    vault_hkdf_expand(out, prk, info, i.len);
}

/* ---- sealing ----------------------------------------------------------- */

static enum rc header_make(struct vault_msh1 *h, const struct vault_core *core,
                           const struct vault_share *pub)
{
    *h = (struct vault_msh1){ .kind = VAULT_KIND_SHARE,
                              .epoch = pub->terms.epoch,
                              .node = core->node,
                              .t = pub->terms.t,
                              .n = pub->terms.n,
                              .provider = (uint16_t)core->seals,
                              .created_ms = (uint64_t)clock_now_s() * 1000,
                              .ct_len = CT_LEN };
    memcpy(h->key, pub->key, 32);
    vault_node_id(h->node_id, core);
    memcpy(h->roster, pub->roster, 32);
    memcpy(h->transcript, pub->terms.transcript, 32);
    memcpy(h->group_key, pub->terms.group_key, 32);
    memcpy(h->y, pub->y, 32);
    memcpy(h->mek_id, core->base[0].mek_id, 16);
    return rand_bytes(h->nonce, 12);
}

enum rc vault_share_seal(struct vault_core *core,
                         uint8_t out[VAULT_SEALED_SHARE_MAX], size_t *len,
                         const struct vault_share *pub,
                         const struct frost_scalar *share)
{
    struct vault_msh1 h;
    const struct frost_scalar *with = NULL;
    unsigned at;
    WIPED_BYTES(key, 32);
    WIPED_BYTES(plain, PLAIN_LEN);
    if (core->seals == VAULT_SNP_PEERS) {
        TRY(vault_split_for(core, &at, pub));
        with = &core->secret->split[at];
    }
    TRY(header_make(&h, core, pub));
    vault_msh1_encode(out, &h);
    memcpy(plain, share->le, 32);
    memcpy(plain + 32, pub->members, 32);
    share_key(key, core, 0, pub, with);
    TRY(vault_aead_seal(out + VAULT_MSH1_HEADER, key, h.nonce, plain, PLAIN_LEN,
                        out, VAULT_MSH1_HEADER));
    *len = VAULT_MSH1_HEADER + CT_LEN;
    return RC_OK;
}

/* ---- opening ----------------------------------------------------------- */

/*
 * The header against what we expect, so that the error can say what it is;
 * the cipher binds every byte of it as well.
 */
static enum rc header_agrees(const struct vault_core *core,
                             const struct vault_msh1 *h,
                             const struct vault_share *pub)
{
    uint8_t node_id[32];
    if (h->kind != VAULT_KIND_SHARE || h->ct_len != CT_LEN)
        return rc_raise(RC_STORE, "sealed share: of kind %u, want a share",
                        h->kind);
    if (h->node != core->node)
        return rc_raise(RC_STORE, "sealed share: of node %u, this is node %u",
                        h->node, core->node);
    vault_node_id(node_id, core);
    if (memcmp(h->node_id, node_id, 32) != 0)
        return rc_raise(RC_STORE, "sealed share: of a node %u with other keys",
                        core->node);
    if (memcmp(h->key, pub->key, 32) != 0 ||
        memcmp(h->group_key, pub->terms.group_key, 32) != 0)
        return rc_raise(RC_STORE, "sealed share: of another key");
    if (h->epoch != pub->terms.epoch)
        return rc_raise(RC_STORE, "sealed share: of epoch %llu, want %llu",
                        (unsigned long long)h->epoch,
                        (unsigned long long)pub->terms.epoch);
    if (h->t != pub->terms.t || h->n != pub->terms.n ||
        memcmp(h->transcript, pub->terms.transcript, 32) != 0)
        return rc_raise(RC_STORE, "sealed share: of other terms");
    return RC_OK;
}

static enum rc share_matches(const struct frost_scalar *share,
                             const uint8_t y[32])
{
    struct frost_point got;
    if (frost_scalar_base(&got, share) != RC_OK)
        return rc_prefix(RC_STORE, "sealed share: ");
    if (memcmp(got.b, y, 32) != 0)
        return rc_raise(RC_STORE, "sealed share: not that of its Y");
    return RC_OK;
}

static enum rc waits_for_peers(void)
{
    enum rc rc = rc_raise(RC_ORDER, "sealed share: waits for its peers' "
                                    "pieces");
    rc_hint("start other members of the key; they serve them by themselves");
    return rc;
}

/* What peers hold of it, where its header says that they do. */
static enum rc peers_part(const struct frost_scalar **with,
                          struct vault_core *core, const struct vault_msh1 *h,
                          const struct vault_share *pub)
{
    unsigned at;
    *with = NULL;
    if (h->provider != VAULT_SNP_PEERS)
        return RC_OK;
    const struct vault_split *s = vault_split_find(
            core, &at, pub->terms.session, pub->terms.epoch);
    if (!s || !s->whole)
        return waits_for_peers();
    *with = &core->secret->split[at];
    return RC_OK;
}

enum rc vault_share_unseal(struct vault_core *core, struct vault_share *pub,
                           struct frost_scalar *share, const uint8_t *sealed,
                           size_t len)
{
    struct vault_msh1 h;
    const struct frost_scalar *with;
    unsigned base;
    WIPED_BYTES(key, 32);
    WIPED_BYTES(plain, PLAIN_LEN);
    WIPED(frost_scalar) s;
    TRY(vault_msh1_decode(&h, sealed, len));
    TRY(header_agrees(core, &h, pub));
    TRY(vault_base_find(&base, core, "sealed share", h.provider, h.mek_id));
    TRY(peers_part(&with, core, &h, pub));
    share_key(key, core, base, pub, with);
    TRY(vault_aead_open(plain, key, h.nonce, sealed + VAULT_MSH1_HEADER, CT_LEN,
                        sealed, VAULT_MSH1_HEADER));
    if (frost_scalar_decode(&s, plain) != RC_OK)
        return rc_prefix(RC_STORE, "sealed share: ");
    TRY(share_matches(&s, h.y));
    memcpy(pub->roster, h.roster, 32);
    memcpy(pub->y, h.y, 32);
    memcpy(pub->members, plain + 32, 32);
    *share = s;
    return RC_OK;
}

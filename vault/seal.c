/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed shares, MSH1 (notes/custody.md section 3.2): a header of 260 bytes
 * that is the AAD, then share and members' hash under AES-256-GCM with a key
 * of its own per (key, epoch, node). A random nonce is safe under it: one
 * such key seals one share. GCM does not commit to its key, so the share is
 * checked against its verifying share as well.
 */
#include "vault/inner.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/rand.h"
#include "base/secret.h"

#define MAGIC        "MSH1"
#define VERSION      1
#define KIND_SHARE   1
#define AEAD_A256GCM 1
#define HEADER_LEN   260
#define PROVIDER_SNP 1
#define PLAIN_LEN    (32 + 32) /* share, members' hash */
#define TAG_LEN      16
#define CT_LEN       (PLAIN_LEN + TAG_LEN)

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

void vault_mek(uint8_t out[32], const struct vault_core *core, uint64_t epoch)
{
    uint8_t info[128];
    struct bytes_writer w = bytes_writer(info, sizeof(info));
    bytes_put_tag(&w, "mpc/mek/v1");
    bytes_put_u16(&w, core->node);
    bytes_put(&w, core->measurement, 48);
    if (epoch)
        bytes_put_u64(&w, epoch);
    else
        bytes_put(&w, "keys", 4);
    vault_hkdf_expand(out, core->secret->root, info, w.len);
}

static void share_key(uint8_t out[32], const struct vault_core *core,
                      const struct vault_share *pub)
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
    hash256(node_id, core->identity, 32);
    bytes_put(&i, node_id, 32);
    vault_mek(mek, core, pub->terms.epoch);
    vault_hkdf_extract(prk, salt, s.len, mek, 32);
    vault_hkdf_expand(out, prk, info, i.len);
}

/* ---- the header -------------------------------------------------------- */

static void put_header(struct bytes_writer *w, const struct vault_core *core,
                       const struct vault_share *pub, const uint8_t nonce[12],
                       uint64_t created_ms)
{
    uint8_t node_id[32];
    hash256(node_id, core->identity, 32);
    bytes_put(w, MAGIC, 4);
    bytes_put_u16(w, VERSION);
    bytes_put_u16(w, KIND_SHARE);
    bytes_put_u16(w, AEAD_A256GCM);
    bytes_put_u16(w, HEADER_LEN);
    bytes_put(w, pub->key, 32);
    bytes_put_u64(w, pub->terms.epoch);
    bytes_put_u16(w, core->node);
    bytes_put_u16(w, pub->terms.t);
    bytes_put_u16(w, pub->terms.n);
    bytes_put_u16(w, PROVIDER_SNP);
    bytes_put(w, node_id, 32);
    bytes_put(w, pub->roster, 32);
    bytes_put(w, pub->terms.transcript, 32);
    bytes_put(w, pub->terms.group_key, 32);
    bytes_put(w, pub->y, 32);
    bytes_put(w, core->mek_id, 16);
    bytes_put(w, nonce, 12);
    bytes_put_u64(w, created_ms);
    bytes_put_u32(w, CT_LEN);
}

enum rc vault_share_seal(struct vault_core *core,
                         uint8_t out[VAULT_SEALED_SHARE_MAX], size_t *len,
                         const struct vault_share *pub,
                         const struct frost_scalar *share)
{
    uint8_t nonce[12];
    WIPED_BYTES(key, 32);
    WIPED_BYTES(plain, PLAIN_LEN);
    struct bytes_writer w = bytes_writer(out, VAULT_SEALED_SHARE_MAX);
    TRY(rand_bytes(nonce, sizeof(nonce)));
    put_header(&w, core, pub, nonce, (uint64_t)clock_now_s() * 1000);
    TRY(bytes_written(&w));
    memcpy(plain, share->le, 32);
    memcpy(plain + 32, pub->members, 32);
    share_key(key, core, pub);
    TRY(vault_aead_seal(out + HEADER_LEN, key, nonce, plain, PLAIN_LEN, out,
                        HEADER_LEN));
    *len = HEADER_LEN + CT_LEN;
    return RC_OK;
}

/* ---- opening ----------------------------------------------------------- */

/*
 * Reads what only the header knows (roster, Y, nonce, time), then writes the
 * header again from what we expect: they must be the same bytes.
 */
static enum rc header_agrees(const struct vault_core *core,
                             struct vault_share *pub, uint8_t nonce[12],
                             const uint8_t *sealed, size_t len)
{
    uint8_t want[HEADER_LEN];
    if (len != HEADER_LEN + CT_LEN || memcmp(sealed, MAGIC, 4) != 0)
        return rc_raise(RC_STORE, "sealed share: %zu bytes, want MSH1 of %d",
                        len, HEADER_LEN + CT_LEN);
    struct bytes_reader r = bytes_reader(sealed, len);
    (void)bytes_take(&r, 92);
    bytes_get(&r, pub->roster, 32);
    (void)bytes_take(&r, 32 + 32);
    bytes_get(&r, pub->y, 32);
    (void)bytes_take(&r, 16);
    bytes_get(&r, nonce, 12);
    uint64_t created_ms = bytes_get_u64(&r);
    struct bytes_writer w = bytes_writer(want, sizeof(want));
    put_header(&w, core, pub, nonce, created_ms);
    TRY(bytes_written(&w));
    for (unsigned i = 0; i < HEADER_LEN; i++)
        if (sealed[i] != want[i])
            return rc_raise(RC_STORE,
                            "sealed share: another key, epoch, node or "
                            "master key (header byte %u)",
                            i);
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

enum rc vault_share_unseal(const struct vault_core *core,
                           struct vault_share *pub, struct frost_scalar *share,
                           const uint8_t *sealed, size_t len)
{
    uint8_t nonce[12];
    WIPED_BYTES(key, 32);
    WIPED_BYTES(plain, PLAIN_LEN);
    WIPED(frost_scalar) s;
    TRY(header_agrees(core, pub, nonce, sealed, len));
    share_key(key, core, pub);
    TRY(vault_aead_open(plain, key, nonce, sealed + HEADER_LEN, CT_LEN, sealed,
                        HEADER_LEN));
    if (frost_scalar_decode(&s, plain) != RC_OK)
        return rc_prefix(RC_STORE, "sealed share: ");
    TRY(share_matches(&s, pub->y));
    memcpy(pub->members, plain + 32, 32);
    *share = s;
    return RC_OK;
}

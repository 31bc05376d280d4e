/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon's own signing key at rest: an Ed25519 seed under a key that the
 * guest derives for this measurement on this chip. The seed exists in the
 * clear only in the caller's locked memory.
 *
 * File: "MPCK1\0" ‖ nonce[12] ‖ AES-256-GCM(seed[32]) ‖ tag[16]; the name
 * of the deployment is associated data.
 */
#include "daemon/daemon.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/rand.h"

#define MAGIC     "MPCK1"
#define NONCE_LEN crypto_aead_aes256gcm_NPUBBYTES
#define BOX_LEN   (32 + crypto_aead_aes256gcm_ABYTES)
#define FILE_LEN  (sizeof(MAGIC) + NONCE_LEN + BOX_LEN)

static enum rc seal(uint8_t out[FILE_LEN], const struct daemon *d,
                    const uint8_t key[32], const uint8_t seed[32])
{
    uint8_t nonce[NONCE_LEN];
    uint8_t box[BOX_LEN];
    unsigned long long len;
    TRY(rand_bytes(nonce, sizeof(nonce)));
    if (crypto_aead_aes256gcm_encrypt(
                box, &len, seed, 32, (const uint8_t *)d->deployment,
                strlen(d->deployment), NULL, nonce, key) != 0)
        return rc_raise(RC_STORE, "sealing the key failed");
    struct bytes_writer w = bytes_writer(out, FILE_LEN);
    bytes_put_tag(&w, MAGIC);
    bytes_put(&w, nonce, sizeof(nonce));
    bytes_put(&w, box, sizeof(box));
    return bytes_written(&w);
}

static enum rc unseal(uint8_t seed[32], const struct daemon *d,
                      const uint8_t key[32], const uint8_t *file, size_t len)
{
    if (len != FILE_LEN || memcmp(file, MAGIC, sizeof(MAGIC)) != 0)
        return rc_raise(RC_STORE, "sealed key: not a file of ours");
    const uint8_t *nonce = file + sizeof(MAGIC);
    unsigned long long out_len;
    if (crypto_aead_aes256gcm_decrypt(seed, &out_len, NULL, nonce + NONCE_LEN,
                                      BOX_LEN, (const uint8_t *)d->deployment,
                                      strlen(d->deployment), nonce, key) != 0) {
        enum rc rc = rc_raise(RC_STORE, "sealed key: cannot be unsealed here");
        rc_hint("the program or the machine changed since it was sealed");
        return rc;
    }
    return RC_OK;
}

/*
 * The firmware level sealing is bound to: that of the first start, kept in
 * the clear. After a firmware upgrade the old level still derives the key;
 * older firmware than it never does.
 */
enum rc daemon_seal_tcb(const struct daemon *d, uint64_t *tcb)
{
    char path[600];
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    snprintf(path, sizeof(path), "%s/seal.tcb", d->state_dir);
    enum rc rc = file_read(&text, &len, path, 16);
    if (rc == RC_OK) {
        uint8_t be[8];
        TRY(enc_unhex(be, sizeof(be), (const char *)text, len));
        struct bytes_reader r = bytes_reader(be, sizeof(be));
        *tcb = bytes_get_u64(&r);
        return attest_guest_tcb_check(*tcb, d->guest);
    }
    if (rc != RC_UNKNOWN)
        return rc;
    uint64_t now;
    char out[17];
    TRY(attest_guest_committed_tcb(&now, d->guest));
    snprintf(out, sizeof(out), "%016llx", (unsigned long long)now);
    TRY(file_write(path, out, 16, 0600));
    *tcb = now;
    return RC_OK;
}

enum rc daemon_sealed_seed(const struct daemon *d, const char *path,
                           uint8_t sk[64])
{
    WIPED_BYTES(key, 32);
    WIPED_BYTES(seed, 32);
    uint8_t pk[32];
    OWNED_MEM uint8_t *file = NULL;
    size_t len;
    if (!crypto_aead_aes256gcm_is_available())
        return rc_raise(RC_STORE, "this processor has no AES instructions");
    uint64_t tcb;
    TRY(daemon_seal_tcb(d, &tcb));
    TRY(attest_guest_derive(key, d->guest, tcb));
    enum rc rc = file_read(&file, &len, path, FILE_LEN);
    if (rc == RC_OK) {
        TRY(unseal(seed, d, key, file, len));
    } else if (rc == RC_UNKNOWN) {
        uint8_t out[FILE_LEN];
        TRY(rand_bytes(seed, 32));
        TRY(seal(out, d, key, seed));
        TRY(file_write(path, out, sizeof(out), 0600));
        log_info("key.made", "file=%s", path);
    } else {
        return rc;
    }
    crypto_sign_seed_keypair(pk, sk, seed);
    return RC_OK;
}

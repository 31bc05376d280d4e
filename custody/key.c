/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A custodian's key as a file: "mpc-custodian-key/1 ", the hex of
 *
 *     u8 kdf (0 none, 1 Argon2id) || u32 ops || u32 KiB || salt[16] ||
 *     nonce[12] || public[32] || secret[32]
 *
 * and a newline; with a passphrase the last is secret[32] and a tag of 16
 * under ChaCha20-Poly1305, everything before it being the AAD.
 */
#include "custody/inner.h"

#include <string.h>

#include "base/enc.h"
#include "base/rand.h"

#define FIRST     "mpc-custodian-key/1 "
#define FIRST_LEN (sizeof(FIRST) - 1)
#define AAD_LEN   (1 + 4 + 4 + 16 + 12 + 32)
#define TAG_LEN   16
#define BYTES_MAX (AAD_LEN + 32 + TAG_LEN)
#define OPS       3
#define KIB       (256u * 1024)
/* what a file may ask of the machine that reads it */
#define OPS_MAX   16
#define KIB_MAX   (1024u * 1024)

struct kdf {
    uint8_t which;
    uint32_t ops, kib;
    uint8_t salt[16];
    uint8_t nonce[12];
};

static enum rc derive(uint8_t key[32], const struct kdf *k,
                      const char *passphrase, size_t len)
{
    if (crypto_pwhash(key, 32, passphrase, len, k->salt, k->ops,
                      (size_t)k->kib * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return rc_raise(RC_NOMEM, "custodian key: Argon2id wants %u MiB",
                        k->kib / 1024);
    return RC_OK;
}

static void put_aad(struct bytes_writer *w, const struct kdf *k,
                    const uint8_t public[32])
{
    bytes_put_u8(w, k->which);
    bytes_put_u32(w, k->ops);
    bytes_put_u32(w, k->kib);
    bytes_put(w, k->salt, 16);
    bytes_put(w, k->nonce, 12);
    bytes_put(w, public, 32);
}

void custody_key_make(struct custody_key *out)
{
    crypto_box_keypair(out->public, out->secret);
}

enum rc custody_key_write(char text[CUSTODY_KEY_TEXT_MAX], size_t *len,
                          const struct custody_key *key, const char *passphrase,
                          size_t pass_len)
{
    WIPED_BYTES(bytes, BYTES_MAX);
    WIPED_BYTES(wrap, 32);
    struct kdf k = { .which = passphrase ? 1 : 0 };
    size_t n = AAD_LEN + 32;
    if (passphrase) {
        k.ops = OPS;
        k.kib = KIB;
        TRY(rand_bytes(k.salt, sizeof(k.salt)));
        TRY(rand_bytes(k.nonce, sizeof(k.nonce)));
        TRY(derive(wrap, &k, passphrase, pass_len));
    }
    struct bytes_writer w = bytes_writer(bytes, BYTES_MAX);
    put_aad(&w, &k, key->public);
    TRY(bytes_written(&w));
    if (!passphrase) {
        memcpy(bytes + AAD_LEN, key->secret, 32);
    } else {
        (void)crypto_aead_chacha20poly1305_ietf_encrypt(
                bytes + AAD_LEN, NULL, key->secret, 32, bytes, AAD_LEN, NULL,
                k.nonce, wrap);
        n += TAG_LEN;
    }
    memcpy(text, FIRST, FIRST_LEN);
    /* constant time, unlike a table of digits */
    sodium_bin2hex(text + FIRST_LEN, CUSTODY_KEY_TEXT_MAX - FIRST_LEN, bytes,
                   n);
    *len = FIRST_LEN + 2 * n;
    text[(*len)++] = '\n';
    text[*len] = '\0';
    return RC_OK;
}

/* bytes [BYTES_MAX], secret. */
static enum rc read_bytes(uint8_t *bytes, size_t *n, struct kdf *k,
                          uint8_t public[32], const char *text, size_t len)
{
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    if (len < FIRST_LEN || memcmp(text, FIRST, FIRST_LEN) != 0)
        return rc_raise(RC_PARSE, "custodian key: does not begin with "
                                  "mpc-custodian-key/1");
    const char *end;
    if (sodium_hex2bin(bytes, BYTES_MAX, text + FIRST_LEN, len - FIRST_LEN,
                       NULL, n, &end) != 0 ||
        end != text + len)
        return rc_raise(RC_PARSE, "custodian key: not hex, or too long");
    struct bytes_reader r = bytes_reader(bytes, *n);
    k->which = bytes_get_u8(&r);
    k->ops = bytes_get_u32(&r);
    k->kib = bytes_get_u32(&r);
    bytes_get(&r, k->salt, 16);
    bytes_get(&r, k->nonce, 12);
    bytes_get(&r, public, 32);
    if (r.failed || k->which > 1 || r.left != 32u + (k->which ? TAG_LEN : 0u))
        return rc_raise(RC_PARSE, "custodian key: of another form");
    if (k->which &&
        (k->ops < 1 || k->ops > OPS_MAX || k->kib < 8 || k->kib > KIB_MAX))
        return rc_raise(RC_PARSE,
                        "custodian key: asks for %u passes over %u KiB, at "
                        "most %d and %u",
                        k->ops, k->kib, OPS_MAX, KIB_MAX);
    return RC_OK;
}

enum rc custody_key_locked(bool *locked, const char *text, size_t len)
{
    WIPED_BYTES(bytes, BYTES_MAX);
    struct kdf k;
    uint8_t public[32];
    size_t n;
    TRY(read_bytes(bytes, &n, &k, public, text, len));
    *locked = k.which != 0;
    return RC_OK;
}

enum rc custody_key_read(struct custody_key *out, const char *text, size_t len,
                         const char *passphrase, size_t pass_len)
{
    WIPED_BYTES(bytes, BYTES_MAX);
    WIPED_BYTES(wrap, 32);
    WIPED(custody_key) key;
    struct kdf k;
    uint8_t public[32];
    size_t n;
    TRY(read_bytes(bytes, &n, &k, public, text, len));
    if (!k.which) {
        memcpy(key.secret, bytes + AAD_LEN, 32);
    } else {
        if (!passphrase)
            return rc_raise(RC_AUTH, "custodian key: wants its passphrase");
        TRY(derive(wrap, &k, passphrase, pass_len));
        if (crypto_aead_chacha20poly1305_ietf_decrypt(
                    key.secret, NULL, NULL, bytes + AAD_LEN, 32 + TAG_LEN,
                    bytes, AAD_LEN, k.nonce, wrap) != 0)
            return rc_raise(RC_AUTH, "custodian key: another passphrase, or "
                                     "the file was altered");
    }
    if (crypto_scalarmult_base(key.public, key.secret) != 0 ||
        memcmp(key.public, public, 32) != 0)
        return rc_raise(RC_PARSE, "custodian key: its halves do not fit");
    *out = key;
    return RC_OK;
}

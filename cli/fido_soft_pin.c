/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PIN of the software security key: CTAP2 authenticatorClientPIN, protocol
 * 1. It counts no tries: a test must not block it.
 */
#include "cli/fido_soft.h"

#include <string.h>

#include "base/hash.h"

#define GET_RETRIES   1
#define GET_AGREEMENT 2
#define GET_TOKEN     5
#define TRIES         7

OWNED_BY(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free);

/* AES-256-CBC, zero IV, no padding, whole blocks. */
static bool cipher(uint8_t *out, const uint8_t *in, int len,
                   const uint8_t key[32], bool encrypt)
{
    static const uint8_t iv[16];
    int n;
    OWNED(EVP_CIPHER_CTX) *c = EVP_CIPHER_CTX_new();
    return c &&
           EVP_CipherInit_ex(c, EVP_aes_256_cbc(), NULL, key, iv, encrypt) ==
                   1 &&
           EVP_CIPHER_CTX_set_padding(c, 0) == 1 &&
           EVP_CipherUpdate(c, out, &n, in, len) == 1 && n == len;
}

static bool shared_with(uint8_t out[32], const struct soft_pin *p,
                        const cbor_item_t *cose)
{
    uint8_t mine[65];
    uint8_t theirs[65] = { 4 };
    const uint8_t *x;
    const uint8_t *y;
    OWNED(EVP_PKEY) *key = NULL;
    if (!soft_bytes(&x, soft_at(cose, -2), 32) ||
        !soft_bytes(&y, soft_at(cose, -3), 32))
        return false;
    memcpy(theirs + 1, x, 32);
    memcpy(theirs + 33, y, 32);
    return soft_pair(&key, mine, p->ecdh) && soft_shared(out, key, theirs);
}

static uint8_t agreement(const struct soft_pin *p, struct bytes_writer *w)
{
    uint8_t point[65];
    OWNED(EVP_PKEY) *key = NULL;
    if (!soft_pair(&key, point, p->ecdh))
        return SOFT_BAD_CBOR;
    soft_put_head(w, 5, 1);
    soft_put_head(w, 0, 1);
    soft_put_cose(w, "\x38\x18", 2, point); /* ECDH-ES+HKDF-256 */
    return SOFT_OK;
}

static uint8_t token(const struct soft_pin *p, struct bytes_writer *w,
                     const cbor_item_t *map)
{
    WIPED_BYTES(key, 32);
    WIPED_BYTES(said, 16);
    WIPED_BYTES(want, 32);
    uint8_t sealed[32];
    const uint8_t *in;
    if (!shared_with(key, p, soft_at(map, 3)) ||
        !soft_bytes(&in, soft_at(map, 6), 16) ||
        !cipher(said, in, 16, key, false))
        return SOFT_BAD_CBOR;
    hash256(want, p->text, strlen(p->text));
    if (sodium_memcmp(said, want, 16) != 0)
        return SOFT_PIN_WRONG;
    if (!cipher(sealed, p->token, 32, key, true))
        return SOFT_BAD_CBOR;
    soft_put_head(w, 5, 1);
    soft_put_head(w, 0, 2);
    soft_put_bytes(w, sealed, 32);
    return SOFT_OK;
}

uint8_t soft_pin_run(struct soft_pin *p, struct bytes_writer *w,
                     const cbor_item_t *map)
{
    switch (soft_int(soft_at(map, 2))) {
    case GET_RETRIES:
        soft_put_head(w, 5, 1);
        soft_put_head(w, 0, 3);
        soft_put_head(w, 0, TRIES);
        return SOFT_OK;
    case GET_AGREEMENT:
        return agreement(p, w);
    case GET_TOKEN:
        return token(p, w, map);
    default:
        return SOFT_BAD_CMD;
    }
}

uint8_t soft_pin_check(const struct soft_pin *p, const cbor_item_t *auth,
                       const uint8_t hash[32])
{
    uint8_t want[32];
    const uint8_t *said;
    if (!p->text[0])
        return SOFT_OK;
    if (!soft_bytes(&said, auth, 16))
        return SOFT_PIN_NEEDED;
    crypto_auth_hmacsha256(want, hash, 32, p->token);
    return sodium_memcmp(want, said, 16) == 0 ? SOFT_OK : SOFT_PIN_AUTH;
}

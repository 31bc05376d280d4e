/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF-SHA256, RFC 5869, on libsodium's HMAC. All of it is secret. */
#include "vault/inner.h"

#include <sodium.h>

void vault_hkdf_extract(uint8_t prk[32], const void *salt, size_t salt_len,
                        const void *ikm, size_t ikm_len)
{
    crypto_auth_hmacsha256_state st;
    crypto_auth_hmacsha256_init(&st, salt, salt_len);
    crypto_auth_hmacsha256_update(&st, ikm, ikm_len);
    crypto_auth_hmacsha256_final(&st, prk);
    sodium_memzero(&st, sizeof(st));
}

void vault_hkdf_expand(uint8_t out[32], const uint8_t prk[32], const void *info,
                       size_t info_len)
{
    static const uint8_t first = 0x01;
    crypto_auth_hmacsha256_state st;
    crypto_auth_hmacsha256_init(&st, prk, 32);
    crypto_auth_hmacsha256_update(&st, info, info_len);
    crypto_auth_hmacsha256_update(&st, &first, 1);
    crypto_auth_hmacsha256_final(&st, out);
    sodium_memzero(&st, sizeof(st));
}

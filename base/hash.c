/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-2 by libsodium, so that the vault needs nothing else. */
#include "base/hash.h"

#include <sodium.h>

void hash256(uint8_t out[HASH256_LEN], const void *p, size_t len)
{
    crypto_hash_sha256(out, p, len);
}

void hash512(uint8_t out[HASH512_LEN], const void *p, size_t len)
{
    crypto_hash_sha512(out, p, len);
}

void hash256_parts(uint8_t out[HASH256_LEN], const struct hash_part *parts,
                   size_t n_parts)
{
    crypto_hash_sha256_state st;
    crypto_hash_sha256_init(&st);
    for (size_t i = 0; i < n_parts; i++)
        crypto_hash_sha256_update(&st, parts[i].p, parts[i].len);
    crypto_hash_sha256_final(&st, out);
    sodium_memzero(&st, sizeof(st));
}

void hash512_parts(uint8_t out[HASH512_LEN], const struct hash_part *parts,
                   size_t n_parts)
{
    crypto_hash_sha512_state st;
    crypto_hash_sha512_init(&st);
    for (size_t i = 0; i < n_parts; i++)
        crypto_hash_sha512_update(&st, parts[i].p, parts[i].len);
    crypto_hash_sha512_final(&st, out);
    sodium_memzero(&st, sizeof(st));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and SHA-512 in one call; over public data unless a caller says so. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH256_LEN 32
#define HASH512_LEN 64

struct hash_part {
    const void *p;
    size_t len;
};

void hash256(uint8_t out[HASH256_LEN], const void *p, size_t len);
void hash512(uint8_t out[HASH512_LEN], const void *p, size_t len);
/* The concatenation of the parts. */
void hash256_parts(uint8_t out[HASH256_LEN], const struct hash_part *parts,
                   size_t n_parts);
void hash512_parts(uint8_t out[HASH512_LEN], const struct hash_part *parts,
                   size_t n_parts);

#endif

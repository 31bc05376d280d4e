/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the software security key: CBOR, keys and its PIN. */
#ifndef CLI_FIDO_SOFT_H
#define CLI_FIDO_SOFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cbor.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/own.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(EVP_PKEY_CTX, EVP_PKEY_CTX_free);

#define SOFT_OK         0x00
#define SOFT_BAD_CMD    0x01
#define SOFT_BAD_CBOR   0x12
#define SOFT_BAD_ALG    0x26
#define SOFT_NO_CRED    0x2e
#define SOFT_PIN_WRONG  0x31
#define SOFT_PIN_AUTH   0x33
#define SOFT_PIN_NEEDED 0x36

/* ---- CBOR (fido_soft_cbor.c) -------------------------------------------- */

void soft_put_head(struct bytes_writer *w, uint8_t major, size_t n);
void soft_put_bytes(struct bytes_writer *w, const void *p, size_t len);
void soft_put_text(struct bytes_writer *w, const char *text);
/* {1: 2, 3: alg, -1: 1, -2: x, -3: y}; alg as its CBOR byte or two. */
void soft_put_cose(struct bytes_writer *w, const char *alg, size_t alg_len,
                   const uint8_t point[65]);
/* Member of a map, by small integer or by name; NULL when it has none. */
const cbor_item_t *soft_at(const cbor_item_t *map, int key);
const cbor_item_t *soft_named(const cbor_item_t *map, const char *key);
bool soft_bytes(const uint8_t **out, const cbor_item_t *v, size_t len);
unsigned soft_int(const cbor_item_t *v); /* 0 for what is none */

/* ---- P-256 (fido_soft_key.c) -------------------------------------------- */

/* The pair that follows from these 64 bytes. */
bool soft_pair(EVP_PKEY **out, uint8_t point[65], const uint8_t from[64]);
bool soft_sign(uint8_t out[80], size_t *len, EVP_PKEY *key,
               const struct bytes_writer *auth, const uint8_t hash[32]);
/* SHA-256 of the x coordinate that both have. */
bool soft_shared(uint8_t out[32], EVP_PKEY *mine, const uint8_t theirs[65]);

/* ---- its PIN (fido_soft_pin.c) ------------------------------------------ */

struct soft_pin {
    char text[64]; /* "": none is set */
    uint8_t ecdh[64];
    uint8_t token[32];
};
/* authenticatorClientPIN, protocol 1. Returns the status. */
uint8_t soft_pin_run(struct soft_pin *p, struct bytes_writer *w,
                     const cbor_item_t *map);
/* Has the platform the token, for this client data hash? */
uint8_t soft_pin_check(const struct soft_pin *p, const cbor_item_t *auth,
                       const uint8_t hash[32]);

#endif

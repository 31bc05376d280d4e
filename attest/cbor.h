/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much CBOR (RFC 8949) as evidence is made of, strictly: definite lengths
 * in their shortest form, and nothing is copied. Inside the room only.
 */
#ifndef ATTEST_CBOR_H
#define ATTEST_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cbor {
    const uint8_t *p;
    size_t left;
};
struct cbor_bytes {
    const uint8_t *p; /* NULL: null */
    size_t len;
};
/* Each takes one item, or returns false and the cursor is of no more use. */
bool attest_cbor_uint(struct cbor *c, uint64_t *out);
bool attest_cbor_bytes(struct cbor *c, struct cbor_bytes *out);
bool attest_cbor_text(struct cbor *c, struct cbor_bytes *out);
bool attest_cbor_bytes_or_null(struct cbor *c, struct cbor_bytes *out);
/* Only the head: the items follow, *n of them (a map: pairs). */
bool attest_cbor_array(struct cbor *c, uint64_t *n);
bool attest_cbor_map(struct cbor *c, uint64_t *n);
/* Writes the head of a byte string; returns its length, 1..9. */
size_t attest_cbor_put_bytes_head(uint8_t out[9], uint64_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the shared vectors. A missing or odd field fails the test. */
#ifndef TESTS_FROST_VECTORS_H
#define TESTS_FROST_VECTORS_H

#include "test.h"

#include <jansson.h>

#include "frost/frost.h"

/* testdata()/frost/NAME; the caller decrefs. */
json_t *vec_load(const char *name);
/* A member that must be there. */
json_t *vec_get(const json_t *obj, const char *key);
const char *vec_str(const json_t *obj, const char *key);
/* Hex of exactly len bytes. */
void vec_hex(const json_t *text, void *out, size_t len);
void vec_hex_of(const json_t *obj, const char *key, void *out, size_t len);
/* Any length; the caller frees. */
uint8_t *vec_bytes(const json_t *obj, const char *key, size_t *len);
/* A number, also where it is written as a string. */
unsigned vec_uint(const json_t *obj, const char *key);
/* A number 1..65535, or a scalar in hex. */
struct frost_id vec_id(const json_t *v);
/* The elements of an array whose "identifier" is id. */
json_t *vec_find(const json_t *array, const struct frost_id *id);

/* Member `key` of obj is exactly these bytes. */
#define assert_vec(obj, key, got, len)                                         \
    do {                                                                       \
        uint8_t want_[256];                                                    \
        assert_true((len) <= sizeof(want_));                                   \
        vec_hex_of((obj), (key), want_, (len));                                \
        assert_memory_equal((got), want_, (len));                              \
    } while (0)

#endif

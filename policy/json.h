/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict JSON for the documents of this room: every member required, no
 * other, none twice, sizes bounded. Errors name the member by its path, never
 * by its contents. Inside the room only.
 */
#ifndef POLICY_JSON_H
#define POLICY_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/own.h"
#include "base/rc.h"

OWNED_BY(json_t, json_decref);

/* Largest integer that every JSON reader agrees on: 2^53 - 1. */
#define POLICY_JSON_INT_MAX 9007199254740991

/* An object whose members are known to be exactly the expected ones. */
struct policy_obj {
    const json_t *v;
    char at[64]; /* where it stands: "policy.persons[3]" */
};

/* The whole text is one JSON value. RC_TOO_LARGE over max bytes. */
MUST_CHECK enum rc policy_json_open(json_t **out, const void *bytes, size_t len,
                                    size_t max, const char *what);

/*
 * v must be an object with exactly these keys (the list ends with NULL); one
 * that begins with ? may be absent.
 */
MUST_CHECK enum rc policy_obj_of(struct policy_obj *out, const json_t *v,
                                 const char *const *keys, const char *fmt, ...)
        PRINTF_LIKE(4, 5);
/* The same for the member `key` of o. */
MUST_CHECK enum rc policy_obj_in(struct policy_obj *out,
                                 const struct policy_obj *o, const char *key,
                                 const char *const *keys);

/* Borrowed text of an array's element; at says of which array. */
MUST_CHECK enum rc policy_json_text(const char **out, const json_t *v,
                                    const char *at);

bool policy_obj_has(const struct policy_obj *o, const char *key);
bool policy_obj_null(const struct policy_obj *o, const char *key);
/* Text without control characters, 0..cap-1 bytes. */
MUST_CHECK enum rc policy_obj_text(char *out, size_t cap,
                                   const struct policy_obj *o, const char *key);
/* A name: [a-z0-9._-]{1,64}. out has POLICY_NAME_MAX bytes. */
MUST_CHECK enum rc policy_obj_name(char *out, const struct policy_obj *o,
                                   const char *key);
MUST_CHECK enum rc policy_obj_hex(uint8_t *out, size_t len,
                                  const struct policy_obj *o, const char *key);
MUST_CHECK enum rc policy_obj_b64u(uint8_t *out, size_t cap, size_t *len,
                                   const struct policy_obj *o, const char *key);
MUST_CHECK enum rc policy_obj_int(int64_t *out, const struct policy_obj *o,
                                  const char *key, int64_t min, int64_t max);
MUST_CHECK enum rc policy_obj_bool(bool *out, const struct policy_obj *o,
                                   const char *key);
/* The same for a member that may be absent: false. */
MUST_CHECK enum rc policy_obj_true(bool *out, const struct policy_obj *o,
                                   const char *key);
/* An array of at most max elements; borrowed. */
MUST_CHECK enum rc policy_obj_array(const json_t **out,
                                    const struct policy_obj *o, const char *key,
                                    size_t max);
/* "v" is 1. */
MUST_CHECK enum rc policy_obj_v1(const struct policy_obj *o);

/*
 * What a person reads before approving: no control characters, and none that
 * turn or hide text (bidirectional controls).
 */
bool policy_text_plain(const char *text);
bool policy_name_ok(const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program and its sidecar. The message to sign is no member: it follows the
 * JSON as raw bytes.
 */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row sign_rows[] = {
    STR(sign, key),
    STR(sign, session),
    U64(sign, wait_ms, WIRE_MAX_U32),
    { 0 },
};
WIRE_CODEC(sign);

static const struct wire_row signed_rows[] = {
    HEX(signed, signature),
    HEX(signed, group_key),
    HEX(signed, session),
    STR(signed, slot),
    U64(signed, attempt, WIRE_MAX_U64),
    U64(signed, epoch, WIRE_MAX_U64),
    U64(signed, intent, WIRE_MAX_U64),
    { 0 },
};
WIRE_CODEC(signed);

static const struct wire_row key_rows[] = {
    STR(key, name),
    STR(key, class),
    STR(key, lifetime),
    HEX(key, group_key),
    U64(key, epoch, WIRE_MAX_U64),
    U64(key, threshold, WIRE_MAX_NODES),
    U64S(key, nodes, WIRE_MAX_NODES, WIRE_MAX_NODE_ID),
    U64(key, birth, WIRE_MAX_U64),
    U64(key, max_message, WIRE_MAX_U64),
    { 0 },
};
WIRE_CODEC(key);

static const struct wire_row keys_rows[] = {
    STRUCTS(keys, keys, 0, WIRE_MAX_KEYS, key),
    { 0 },
};
WIRE_CODEC(keys);
/* clang-format on */

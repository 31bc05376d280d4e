/* SPDX-License-Identifier: Apache-2.0 */
/* The log's own calls, and what sidecars tell each other of it. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row append_rows[] = {
    TEXTS(append, entries, 1, WIRE_MAX_APPEND, WIRE_ENTRY_MAX),
    U64S(append, sizes, WIRE_MAX_NODES, WIRE_MAX_U64),
    { 0 },
};
WIRE_CODEC(append);

static const struct wire_row appended_rows[] = {
    STRUCTS(appended, proofs, 1, WIRE_MAX_APPEND, proof),
    STRUCTS(appended, growth, 0, WIRE_MAX_NODES, growth),
    { 0 },
};
WIRE_CODEC(appended);

static const struct wire_row head_rows[] = {
    TEXT(head, head, WIRE_NOTE_MAX),
    { 0 },
};
WIRE_CODEC(head);

static const struct wire_row fork_rows[] = {
    TEXT(fork, log, WIRE_LINE_MAX),
    U64(fork, node, WIRE_MAX_NODE_ID),
    TEXT(fork, ours, WIRE_NOTE_MAX),
    TEXT(fork, theirs, WIRE_NOTE_MAX),
    { 0 },
};
WIRE_CODEC(fork);

static const struct wire_row vkey_rows[] = {
    TEXT(vkey, vkey, WIRE_LINE_MAX),
    { 0 },
};
WIRE_CODEC(vkey);
/* clang-format on */

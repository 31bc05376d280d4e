/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs against the log: inclusion of an entry, growth between two sizes. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row proof_rows[] = {
    TEXT(proof, entry, WIRE_ENTRY_MAX),
    U64(proof, index, WIRE_MAX_U64),
    HASHES(proof, path, WIRE_MAX_PATH),
    TEXT(proof, checkpoint, WIRE_NOTE_MAX),
    { 0 },
};
WIRE_CODEC(proof);

static const struct wire_row growth_rows[] = {
    U64(growth, from, WIRE_MAX_U64),
    U64(growth, to, WIRE_MAX_U64),
    HASHES(growth, path, WIRE_MAX_PATH),
    { 0 },
};
WIRE_CODEC(growth);
/* clang-format on */

/* SPDX-License-Identifier: Apache-2.0 */
/* The log's calls for clients of Sigstore. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row sct_ask_rows[] = {
    HEX(sct_ask, issuer_key_hash),
    BLOB(sct_ask, tbs, WIRE_CERT_MAX),
    { 0 },
};
WIRE_CODEC(sct_ask);

static const struct wire_row sct_rows[] = {
    BLOB(sct, list, WIRE_SCT_MAX),
    { 0 },
};
WIRE_CODEC(sct);

static const struct wire_row export_rows[] = {
    TEXT(export, entry, WIRE_ENTRY_MAX),
    BLOB(export, statement, WIRE_STATEMENT_MAX),
    { 0 },
};
WIRE_CODEC(export);

static const struct wire_row rekor_ask_rows[] = {
    TEXT(rekor_ask, entry, WIRE_ENTRY_MAX),
    { 0 },
};
WIRE_CODEC(rekor_ask);

static const struct wire_row rekor_rows[] = {
    U64(rekor, index, WIRE_MAX_U64),
    U64(rekor, integrated, WIRE_MAX_U64),
    BLOB(rekor, set, WIRE_ECDSA_MAX),
    HASHES(rekor, path, WIRE_MAX_PATH),
    TEXT(rekor, checkpoint, WIRE_NOTE_MAX),
    { 0 },
};
WIRE_CODEC(rekor);

static const struct wire_row spki_rows[] = {
    BLOB(spki, spki, WIRE_SPKI_MAX),
    { 0 },
};
WIRE_CODEC(spki);
/* clang-format on */

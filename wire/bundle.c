/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence of one signature, as it is kept in a file. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row bundle_signer_rows[] = {
    U64(bundle_signer, node, WIRE_MAX_NODE_ID),
    TEXT(bundle_signer, cosignature, WIRE_LINE_MAX),
    HEX(bundle_signer, ak_signature),
    STRUCTS(bundle_signer, evidence, 0, 1, evidence),
    { 0 },
};
WIRE_TABLE(bundle_signer);

static const struct wire_row bundle_rows[] = {
    U64(bundle, v, 1),
    STR(bundle, kind),
    STR(bundle, profile),
    HEX(bundle, signature),
    HEX(bundle, group_key),
    HEX(bundle, policy),
    NEST(bundle, session, session),
    NEST(bundle, intent, proof),
    STRUCTS(bundle, signers, 0, WIRE_MAX_NODES, bundle_signer),
    NEST(bundle, birth, birth),
    STRUCTS(bundle, issuer, 0, 1, birth),
    BLOBS(bundle, chain, WIRE_MAX_CHAIN, WIRE_CERT_MAX),
    { 0 },
};
WIRE_CODEC(bundle);
/* clang-format on */

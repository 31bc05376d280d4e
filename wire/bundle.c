/* SPDX-License-Identifier: Apache-2.0 */
/* The evidence of one signature, as it is kept in a file. */
#include "base/hash.h"
#include "base/own.h"
#include "wire/codec.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct wire_row standing_rows[] = {
    HEX(standing, ak),
    BLOB(standing, report, WIRE_REPORT_MAX),
    BLOB(standing, vek, WIRE_CERT_MAX),
    BLOBS(standing, chain, WIRE_MAX_CHAIN, WIRE_CERT_MAX),
    BLOB(standing, hcl, WIRE_HCL_MAX),
    BLOB(standing, quote, WIRE_QUOTE_MAX),
    BLOB(standing, quote_signature, WIRE_QUOTE_MAX),
    NEST(standing, logged, proof),
    { 0 },
};
WIRE_CODEC(standing);

static const struct wire_row cosigned_rows[] = {
    U64(cosigned, head, WIRE_MAX_U64),
    TEXT(cosigned, line, WIRE_LINE_MAX),
    { 0 },
};
WIRE_CODEC(cosigned);

static const struct wire_row bundle_signer_rows[] = {
    U64(bundle_signer, node, WIRE_MAX_NODE_ID),
    TEXT(bundle_signer, cosignature, WIRE_LINE_MAX),
    HEX(bundle_signer, ak_signature),
    STRUCTS(bundle_signer, evidence, 0, 1, standing),
    { 0 },
};
WIRE_TABLE(bundle_signer);

static const struct wire_row bundle_cosigner_rows[] = {
    U64(bundle_cosigner, node, WIRE_MAX_NODE_ID),
    TEXT(bundle_cosigner, line, WIRE_LINE_MAX),
    { 0 },
};
WIRE_TABLE(bundle_cosigner);

static const struct wire_row bundle_rows[] = {
    U64(bundle, v, WIRE_BUNDLE_V),
    HEX(bundle, digest),
    STR(bundle, kind),
    STR(bundle, profile),
    HEX(bundle, signature),
    HEX(bundle, group_key),
    HEX(bundle, policy),
    BLOB(bundle, message, WIRE_BUNDLE_MESSAGE_MAX),
    NEST(bundle, session, session),
    NEST(bundle, intent, proof),
    STRUCTS(bundle, signers, 0, WIRE_MAX_NODES, bundle_signer),
    STRUCTS(bundle, receipt, 0, 1, proof),
    HASHES(bundle, growth, WIRE_MAX_PATH),
    STRUCTS(bundle, cosigners, 0, WIRE_MAX_NODES, bundle_cosigner),
    NEST(bundle, birth, birth),
    BLOBS(bundle, chain, WIRE_MAX_CHAIN, WIRE_CERT_MAX),
    STRUCTS(bundle, issuer, 0, 1, birth),
    { 0 },
};
WIRE_CODEC(bundle);

static const struct wire_row trust_rows[] = {
    U64(trust, v, 1),
    HEX(trust, genesis),
    TEXT(trust, log, WIRE_LINE_MAX),
    BLOB(trust, root, WIRE_CERT_MAX),
    STRUCTS(trust, versions, 1, WIRE_MAX_VERSIONS, policy),
    { 0 },
};
WIRE_CODEC(trust);
/* clang-format on */

enum rc wire_bundle_digest(uint8_t out[32], const struct wire_bundle *b)
{
    static const char tag[] = "mpc/bundle/v2"; /* with its NUL */
    struct wire_bundle copy = *b;              /* borrows all it points to */
    OWNED_MEM char *json = NULL;
    size_t len;
    memset(copy.digest, 0, sizeof(copy.digest));
    TRY(wire_bundle_encode(&json, &len, &copy));
    const struct hash_part parts[] = { { tag, sizeof(tag) }, { json, len } };
    hash256_parts(out, parts, 2);
    return RC_OK;
}

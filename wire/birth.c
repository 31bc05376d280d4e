/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate of an epoch and the birth of a key. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row vote_rows[] = {
    U64(vote, node, WIRE_MAX_NODE_ID),
    HEX(vote, identity),
    HEX(vote, y),
    HEX(vote, sig),
    { 0 },
};
WIRE_TABLE(vote);

static const struct wire_row cert_rows[] = {
    HEX(cert, session),
    HEX(cert, group_key),
    U64(cert, epoch, WIRE_MAX_U64),
    U64(cert, parent, WIRE_MAX_U64),
    U64(cert, threshold, WIRE_MAX_NODES),
    HEX(cert, transcript),
    STRUCTS(cert, votes, 0, WIRE_MAX_NODES, vote),
    { 0 },
};
WIRE_CODEC(cert);

static const struct wire_row birth_rows[] = {
    NEST(birth, proof, proof),
    BLOB(birth, descriptor, WIRE_DESCRIPTOR_MAX),
    BLOB(birth, requester, WIRE_APPROVAL_MAX),
    BLOBS(birth, approvals, WIRE_MAX_APPROVALS, WIRE_APPROVAL_MAX),
    NEST(birth, cert, cert),
    { 0 },
};
WIRE_CODEC(birth);
/* clang-format on */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One signature between sidecars: commitments, the batch of round 2 and its
 * shares. Signature shares are public once sent; nonces never are here.
 */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row commit_rows[] = {
    HEX(commit, key),
    U64(commit, epoch, WIRE_MAX_U64),
    U64(commit, count, WIRE_MAX_NEXT),
    { 0 },
};
WIRE_CODEC(commit);

static const struct wire_row commitment_rows[] = {
    HEX(commitment, nonce),
    HEX(commitment, hiding),
    HEX(commitment, binding),
    { 0 },
};
WIRE_TABLE(commitment);

static const struct wire_row commitments_rows[] = {
    HEX(commitments, boot),
    U64(commitments, head, WIRE_MAX_U64),
    STRUCTS(commitments, next, 0, WIRE_MAX_NEXT, commitment),
    { 0 },
};
WIRE_CODEC(commitments);

static const struct wire_row signer_rows[] = {
    U64(signer, node, WIRE_MAX_NODE_ID),
    HEX(signer, nonce),
    HEX(signer, hiding),
    HEX(signer, binding),
    { 0 },
};
WIRE_TABLE(signer);

static const struct wire_row round2_item_rows[] = {
    NEST(round2_item, session, session),
    HEX(round2_item, key),
    U64(round2_item, epoch, WIRE_MAX_U64),
    STR(round2_item, slot),
    U64(round2_item, attempt, WIRE_MAX_U64),
    STRUCTS(round2_item, signers, 0, WIRE_MAX_NODES, signer),
    NEST(round2_item, intent, proof),
    NEST(round2_item, growth, growth),
    U64(round2_item, message_len, WIRE_MAX_U32),
    STRUCTS(round2_item, birth, 0, 1, birth),
    { 0 },
};
WIRE_CODEC(round2_item);

static const struct wire_row round2_rows[] = {
    STRUCTS(round2, items, 1, WIRE_MAX_BATCH, round2_item),
    U64(round2, want_next, WIRE_MAX_NEXT),
    { 0 },
};
WIRE_CODEC(round2);

static const struct wire_row round2_result_rows[] = {
    STR(round2_result, code),
    TEXT(round2_result, message, WIRE_LINE_MAX),
    HEX(round2_result, share),
    HEX(round2_result, group_commitment),
    TEXT(round2_result, cosignature, WIRE_LINE_MAX),
    TEXT(round2_result, head, WIRE_NOTE_MAX),
    HEX(round2_result, ak_signature),
    { 0 },
};
WIRE_CODEC(round2_result);

static const struct wire_row round2_reply_rows[] = {
    STRUCTS(round2_reply, items, 1, WIRE_MAX_BATCH, round2_result),
    U64(round2_reply, head, WIRE_MAX_U64),
    STRUCTS(round2_reply, next, 0, WIRE_MAX_NEXT, commitment),
    { 0 },
};
WIRE_CODEC(round2_reply);
/* clang-format on */

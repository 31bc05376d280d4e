/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of what sealed shares need, between sidecars; always boxed. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row piece_rows[] = {
    U64(piece, node, WIRE_MAX_NODE_ID),
    HEX(piece, box),
    { 0 },
};
WIRE_TABLE(piece);

static const struct wire_row piece_ack_rows[] = {
    U64(piece_ack, node, WIRE_MAX_NODE_ID),
    HEX(piece_ack, sig),
    { 0 },
};
WIRE_TABLE(piece_ack);

static const struct wire_row piece_split_rows[] = {
    HEX(piece_split, session),
    U64(piece_split, epoch, WIRE_MAX_U64),
    U64(piece_split, threshold, WIRE_MAX_NODES),
    U64S(piece_split, nodes, WIRE_MAX_NODES, WIRE_MAX_NODE_ID),
    { 0 },
};
WIRE_CODEC(piece_split);

static const struct wire_row pieces_rows[] = {
    STRUCTS(pieces, pieces, 0, WIRE_MAX_NODES, piece),
    { 0 },
};
WIRE_CODEC(pieces);

static const struct wire_row piece_keep_rows[] = {
    HEX(piece_keep, session),
    U64(piece_keep, epoch, WIRE_MAX_U64),
    U64(piece_keep, threshold, WIRE_MAX_NODES),
    STRUCTS(piece_keep, pieces, 0, WIRE_MAX_NODES, piece),
    { 0 },
};
WIRE_CODEC(piece_keep);

static const struct wire_row piece_acks_rows[] = {
    STRUCTS(piece_acks, acks, 0, WIRE_MAX_NODES, piece_ack),
    { 0 },
};
WIRE_CODEC(piece_acks);

static const struct wire_row piece_acked_rows[] = {
    HEX(piece_acked, session),
    U64(piece_acked, epoch, WIRE_MAX_U64),
    STRUCTS(piece_acked, acks, 0, WIRE_MAX_NODES, piece_ack),
    { 0 },
};
WIRE_CODEC(piece_acked);

static const struct wire_row piece_missing_rows[] = {
    U64(piece_missing, missing, WIRE_MAX_NODES),
    { 0 },
};
WIRE_CODEC(piece_missing);

static const struct wire_row piece_ask_rows[] = {
    HEX(piece_ask, session),
    U64(piece_ask, epoch, WIRE_MAX_U64),
    HEX(piece_ask, boot),
    { 0 },
};
WIRE_CODEC(piece_ask);

static const struct wire_row piece_given_rows[] = {
    HEX(piece_given, box),
    { 0 },
};
WIRE_CODEC(piece_given);
/* clang-format on */

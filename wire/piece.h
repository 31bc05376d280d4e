/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of what sealed shares need besides their own machine: between
 * sidecars, boxed. Part of wire/wire.h, which includes it last.
 */
#ifndef WIRE_PIECE_H
#define WIRE_PIECE_H

#include "wire/wire.h"

struct wire_piece {
    uint64_t node; /* in an answer to split the holder, in keep the owner */
    uint8_t box[136];
};
/* An owner's or a holder's word: in an answer the owner, in acked the holder */
struct wire_piece_ack {
    uint64_t node;
    uint8_t sig[64];
};
/* POST /v1/piece/split: by the terms of an epoch that was started there */
struct wire_piece_split {
    uint8_t session[32];
    uint64_t epoch;
    uint64_t threshold;
    WIRE_LIST(uint64_t) nodes; /* all members, ascending */
};
WIRE_MESSAGE(piece_split);
struct wire_pieces {
    WIRE_LIST(struct wire_piece) pieces; /* empty: it seals without peers */
};
WIRE_MESSAGE(pieces);
/* POST /v1/piece/keep; answer: piece_acks */
struct wire_piece_keep {
    uint8_t session[32];
    uint64_t epoch;
    uint64_t threshold;
    WIRE_LIST(struct wire_piece) pieces;
};
WIRE_MESSAGE(piece_keep);
struct wire_piece_acks {
    WIRE_LIST(struct wire_piece_ack) acks;
};
WIRE_MESSAGE(piece_acks);
/* POST /v1/piece/acked; answer: piece_missing */
struct wire_piece_acked {
    uint8_t session[32];
    uint64_t epoch;
    WIRE_LIST(struct wire_piece_ack) acks;
};
WIRE_MESSAGE(piece_acked);
struct wire_piece_missing {
    uint64_t missing;
};
WIRE_MESSAGE(piece_missing);
/* POST /v1/piece/ask: the caller's own piece, for this life of its vault */
struct wire_piece_ask {
    uint8_t session[32];
    uint64_t epoch;
    uint8_t boot[16];
};
WIRE_MESSAGE(piece_ask);
struct wire_piece_given {
    uint8_t box[136];
};
WIRE_MESSAGE(piece_given);

#endif

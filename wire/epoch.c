/* SPDX-License-Identifier: Apache-2.0 */
/* Making a key between sidecars; shares travel only boxed. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row epoch_start_rows[] = {
    NEST(epoch_start, session, session),
    U64(epoch_start, epoch, WIRE_MAX_U64),
    { 0 },
};
WIRE_CODEC(epoch_start);

static const struct wire_row package_rows[] = {
    U64(package, node, WIRE_MAX_NODE_ID),
    HASHES(package, commitment, WIRE_MAX_NODES),
    HEX(package, pok_r),
    HEX(package, pok_z),
    { 0 },
};
WIRE_CODEC(package);

static const struct wire_row epoch_deal_rows[] = {
    HEX(epoch_deal, session),
    STRUCTS(epoch_deal, packages, 0, WIRE_MAX_NODES, package),
    { 0 },
};
WIRE_CODEC(epoch_deal);

static const struct wire_row box_rows[] = {
    U64(box, node, WIRE_MAX_NODE_ID),
    HEX(box, box),
    { 0 },
};
WIRE_TABLE(box);

static const struct wire_row boxes_rows[] = {
    STRUCTS(boxes, boxes, 0, WIRE_MAX_NODES, box),
    { 0 },
};
WIRE_CODEC(boxes);

static const struct wire_row epoch_finish_rows[] = {
    HEX(epoch_finish, session),
    STRUCTS(epoch_finish, boxes, 0, WIRE_MAX_NODES, box),
    { 0 },
};
WIRE_CODEC(epoch_finish);

static const struct wire_row epoch_vote_rows[] = {
    HEX(epoch_vote, group_key),
    HEX(epoch_vote, transcript),
    NEST(epoch_vote, vote, vote),
    { 0 },
};
WIRE_CODEC(epoch_vote);

static const struct wire_row ack_rows[] = {
    U64(ack, node, WIRE_MAX_NODE_ID),
    HEX(ack, ack),
    { 0 },
};
WIRE_CODEC(ack);
/* clang-format on */

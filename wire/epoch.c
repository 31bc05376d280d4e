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

static const struct wire_row epoch_live_rows[] = {
    NEST(epoch_live, birth, birth),
    MAYBE(epoch_live, live, birth),
    { 0 },
};
WIRE_CODEC(epoch_live);

static const struct wire_row epoch_where_rows[] = {
    U64(epoch_where, node, WIRE_MAX_NODE_ID),
    U64(epoch_where, epoch, WIRE_MAX_U64),
    BOOL(epoch_where, share),
    BOOL(epoch_where, retired),
    MAYBE(epoch_where, ack, ack),
    MAYBE(epoch_where, newer, epoch_live),
    { 0 },
};
WIRE_CODEC(epoch_where);

static const struct wire_row epoch_look_rows[] = {
    STR(epoch_look, name),
    HEX(epoch_look, session),
    U64(epoch_look, epoch, WIRE_MAX_U64),
    { 0 },
};
WIRE_CODEC(epoch_look);

static const struct wire_row epoch_voted_rows[] = {
    U64(epoch_voted, epoch, WIRE_MAX_U64),
    U64(epoch_voted, parent, WIRE_MAX_U64),
    NEST(epoch_voted, vote, epoch_vote),
    { 0 },
};
WIRE_CODEC(epoch_voted);

static const struct wire_row epoch_found_rows[] = {
    U64(epoch_found, node, WIRE_MAX_NODE_ID),
    U64(epoch_found, number, WIRE_MAX_U64),
    U64(epoch_found, epoch, WIRE_MAX_U64),
    BOOL(epoch_found, share),
    U64(epoch_found, brought, WIRE_MAX_NODE_ID),
    MAYBE(epoch_found, word, ack),
    MAYBE(epoch_found, gone, birth),
    MAYBE(epoch_found, voted, epoch_voted),
    MAYBE(epoch_found, newer, epoch_live),
    { 0 },
};
WIRE_CODEC(epoch_found);

static const struct wire_row epoch_begin_rows[] = {
    NEST(epoch_begin, session, session),
    U64(epoch_begin, epoch, WIRE_MAX_U64),
    NEST(epoch_begin, parent, epoch_live),
    U64S(epoch_begin, dealers, WIRE_MAX_NODES, WIRE_MAX_NODE_ID),
    U64S(epoch_begin, at, WIRE_MAX_NODES, WIRE_MAX_NODE_ID),
    { 0 },
};
WIRE_CODEC(epoch_begin);

static const struct wire_row epoch_share_rows[] = {
    HEX(epoch_share, session),
    U64(epoch_share, epoch, WIRE_MAX_U64),
    STRUCTS(epoch_share, packages, 0, WIRE_MAX_NODES, package),
    { 0 },
};
WIRE_CODEC(epoch_share);

static const struct wire_row epoch_prepare_rows[] = {
    STR(epoch_prepare, name),
    HEX(epoch_prepare, session),
    U64(epoch_prepare, epoch, WIRE_MAX_U64),
    STRUCTS(epoch_prepare, boxes, 0, WIRE_MAX_NODES, box),
    { 0 },
};
WIRE_CODEC(epoch_prepare);

static const struct wire_row epoch_retire_rows[] = {
    STR(epoch_retire, name),
    U64(epoch_retire, epoch, WIRE_MAX_U64),
    STRUCTS(epoch_retire, acks, 0, WIRE_MAX_NODES, ack),
    { 0 },
};
WIRE_CODEC(epoch_retire);

static const struct wire_row epoch_destroy_rows[] = {
    NEST(epoch_destroy, session, session),
    NEST(epoch_destroy, key, epoch_live),
    { 0 },
};
WIRE_CODEC(epoch_destroy);

static const struct wire_row change_node_rows[] = {
    U64(change_node, node, WIRE_MAX_NODE_ID),
    BOOL(change_node, deals),
    BOOL(change_node, receives),
    STR(change_node, step),
    STR(change_node, what),
    { 0 },
};
WIRE_TABLE(change_node);

static const struct wire_row change_rows[] = {
    STR(change, name),
    STR(change, type),
    STR(change, state),
    STR(change, why),
    HEX(change, session),
    U64(change, epoch, WIRE_MAX_U64),
    U64(change, parent, WIRE_MAX_U64),
    STRUCTS(change, nodes, 0, WIRE_MAX_NODES, change_node),
    { 0 },
};
WIRE_CODEC(change);
/* clang-format on */

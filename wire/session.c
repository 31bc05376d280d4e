/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and approvals: exact bytes in blobs, never re-serialised. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row session_rows[] = {
    BLOB(session, descriptor, WIRE_DESCRIPTOR_MAX),
    BLOB(session, requester, WIRE_APPROVAL_MAX),
    BLOBS(session, approvals, WIRE_MAX_APPROVALS, WIRE_APPROVAL_MAX),
    { 0 },
};
WIRE_CODEC(session);

static const struct wire_row approval_rows[] = {
    HEX(approval, session),
    BLOB(approval, record, WIRE_APPROVAL_MAX),
    { 0 },
};
WIRE_CODEC(approval);

static const struct wire_row session_id_rows[] = {
    HEX(session_id, session),
    { 0 },
};
WIRE_CODEC(session_id);

static const struct wire_row decided_rows[] = {
    HEX(decided, session),
    U64(decided, nodes, WIRE_MAX_NODES),
    U64(decided, need, WIRE_MAX_NODES),
    BOOL(decided, stands),
    { 0 },
};
WIRE_CODEC(decided);

/* ---- between sidecars ---------------------------------------------------- */

static const struct wire_row session_put_rows[] = {
    STRUCTS(session_put, sessions, 0, WIRE_MAX_PUT, session),
    { 0 },
};
WIRE_CODEC(session_put);

static const struct wire_row session_known_rows[] = {
    HEX(session_known, session),
    STR(session_known, code),
    HASHES(session_known, known, WIRE_MAX_APPROVALS + 1),
    { 0 },
};
WIRE_TABLE(session_known);

static const struct wire_row session_held_rows[] = {
    STRUCTS(session_held, sessions, 0, WIRE_MAX_PUT, session_known),
    { 0 },
};
WIRE_CODEC(session_held);

/* ---- for people ----------------------------------------------------------- */

static const struct wire_row artifact_rows[] = {
    STR(artifact, name),
    U64(artifact, size, WIRE_MAX_U64),
    HEX(artifact, sha256),
    HEX(artifact, sha512),
    { 0 },
};
WIRE_TABLE(artifact);

static const struct wire_row places_rows[] = {
    U64(places, engineer, WIRE_MAX_U32),
    U64(places, steward, WIRE_MAX_U32),
    { 0 },
};
WIRE_TABLE(places);

static const struct wire_row said_rows[] = {
    STR(said, person),
    STR(said, role),
    STR(said, decision),
    STR(said, kind),
    STR(said, way),
    U64(said, nodes, WIRE_MAX_NODES),
    { 0 },
};
WIRE_TABLE(said);

static const struct wire_row slot_state_rows[] = {
    STR(slot_state, kind),
    STR(slot_state, state),
    U64(slot_state, attempts, WIRE_MAX_U64),
    { 0 },
};
WIRE_TABLE(slot_state);

static const struct wire_row acks_rows[] = {
    U64(acks, deny, WIRE_MAX_NODES),
    U64(acks, need, WIRE_MAX_NODES),
    { 0 },
};
WIRE_TABLE(acks);

static const struct wire_row session_state_rows[] = {
    HEX(session_state, session),
    STR(session_state, state),
    STR(session_state, type),
    STR(session_state, profile),
    STR(session_state, requester),
    STR(session_state, reason),
    MAYBE(session_state, artifact, artifact),
    U64(session_state, created, WIRE_MAX_U64),
    U64(session_state, expires, WIRE_MAX_U64),
    NEST(session_state, required, places),
    NEST(session_state, have, places),
    STRUCTS(session_state, records, 0, WIRE_MAX_APPROVALS, said),
    STRUCTS(session_state, slots, 0, WIRE_MAX_SLOTS, slot_state),
    NEST(session_state, acks, acks),
    BOOL(session_state, break_glass),
    BOOL(session_state, simulated),
    { 0 },
};
WIRE_CODEC(session_state);

static const struct wire_row session_row_rows[] = {
    HEX(session_row, session),
    STR(session_row, state),
    STR(session_row, type),
    STR(session_row, profile),
    STR(session_row, requester),
    MAYBE(session_row, artifact, artifact),
    U64(session_row, created, WIRE_MAX_U64),
    U64(session_row, expires, WIRE_MAX_U64),
    { 0 },
};
WIRE_TABLE(session_row);

static const struct wire_row sessions_rows[] = {
    STRUCTS(sessions, sessions, 0, WIRE_MAX_SESSIONS, session_row),
    { 0 },
};
WIRE_CODEC(sessions);
/* clang-format on */

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
/* clang-format on */

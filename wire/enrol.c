/* SPDX-License-Identifier: Apache-2.0 */
/* Invites and what comes of them: proposals to the stewards. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row invite_rows[] = {
    STR(invite, person),
    STR(invite, role),
    U64(invite, ttl_s, WIRE_MAX_INVITE_S),
    { 0 },
};
WIRE_CODEC(invite);

static const struct wire_row enrol_rows[] = {
    HEX(enrol, code),
    STR(enrol, person),
    STR(enrol, kind),
    BLOB(enrol, signature, WIRE_ENROL_MAX),
    BLOB(enrol, client_data, WIRE_ENROL_MAX),
    BLOB(enrol, attestation_object, WIRE_ENROL_MAX),
    { 0 },
};
WIRE_CODEC(enrol);
/* clang-format on */

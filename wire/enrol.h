/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invites and enrolments, docs/APPROVE.md. Part of wire/wire.h, which includes
 * it last.
 */
#ifndef WIRE_ENROL_H
#define WIRE_ENROL_H

#include "wire/wire.h"

#define WIRE_MAX_INVITE_S (7 * 86400)
#define WIRE_ENROL_MAX    8192
/* POST /v1/invite: a code for this person, to register one credential. */
struct wire_invite {
    char person[WIRE_NAME_MAX];
    char role[WIRE_NAME_MAX];
    uint64_t ttl_s;
};
WIRE_MESSAGE(invite);
/* POST /v1/enrol: by whoever holds the code; kind says which blobs are. */
struct wire_enrol {
    uint8_t code[16];
    char person[WIRE_NAME_MAX];
    char kind[12];              /* webauthn, sshsig or sshsig-sk */
    struct wire_blob signature; /* SSHSIG over the challenge */
    struct wire_blob client_data;
    struct wire_blob attestation_object;
};
WIRE_MESSAGE(enrol);

#endif

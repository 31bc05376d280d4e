/* SPDX-License-Identifier: Apache-2.0 */
/* WebAuthn Level 3, the relying party's side. Inside the room only. */
#ifndef POLICY_WEBAUTHN_H
#define POLICY_WEBAUTHN_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/policy.h"

#define POLICY_CLIENT_DATA_MAX 4096
#define POLICY_ATTESTATION_MAX 4096
#define POLICY_AUTH_DATA_LEN   37 /* without key and extensions */

struct policy_part {
    const uint8_t *p;
    size_t len;
};

/* ---- clientDataJSON -------------------------------------------------------- */

struct policy_client_want {
    const char *type;             /* webauthn.get or webauthn.create */
    struct policy_part challenge; /* the bytes, not their text */
    const char *const *origin;    /* entries, as in a credential */
    unsigned n_origins;
};
/*
 * The origin, once all else holds. Unknown members are ignored, as browsers
 * add them at random; a repeated one is refused.
 */
MUST_CHECK enum rc policy_client_data_check(
        char origin[POLICY_ORIGIN_MAX], const struct policy_client_want *want,
        struct policy_part client_data);

/* ---- authenticatorData ----------------------------------------------------- */

enum {                     /* its flags */
       POLICY_A_UP = 0x01, /* somebody was there */
       POLICY_A_UV = 0x04, /* and it was the owner: PIN, finger */
       POLICY_A_BE = 0x08, /* the key may be synced */
       POLICY_A_BS = 0x10, /* and it is */
       POLICY_A_AT = 0x40, /* a new key follows */
       POLICY_A_ED = 0x80  /* extensions follow */
};
/* rpIdHash, UP and UV; BS only with BE. */
MUST_CHECK enum rc policy_auth_flags_check(const uint8_t *auth_data,
                                           const char *rp_id);

/* ---- an assertion ---------------------------------------------------------- */

struct policy_assertion {
    struct policy_part client_data;
    struct policy_part auth_data;
    struct policy_part signature;
};
/*
 * Does c sign challenge here? In the order of notes/custody 2.2, a name for
 * each check in front of its text.
 */
MUST_CHECK enum rc policy_webauthn_check(char origin[POLICY_ORIGIN_MAX],
                                         uint32_t *counter,
                                         const struct policy_credential *c,
                                         struct policy_part challenge,
                                         const struct policy_assertion *a);

/* ---- a registration -------------------------------------------------------- */

struct policy_attestation {
    bool packed;                  /* self-attested; else "none" */
    struct policy_part auth_data; /* borrowed */
    struct policy_part signature; /* packed only */
    int64_t alg;
};
/* policy_webauthn_register, over a challenge of any length. */
MUST_CHECK enum rc policy_registration_check(
        struct policy_credential *out, struct policy_part challenge,
        const char *rp_id, const char *const *origins, unsigned n_origins,
        struct policy_part client_data, struct policy_part object);
MUST_CHECK enum rc policy_attestation_parse(struct policy_attestation *out,
                                            struct policy_part object);

#endif

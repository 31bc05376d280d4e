/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of the policy as they travel; what they say is room policy's. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row policy_rows[] = {
    BLOB(policy, policy, WIRE_POLICY_MAX),
    NEST(policy, session, session),
    STRUCTS(policy, proof, 0, 1, proof),
    { 0 },
};
WIRE_CODEC(policy);

static const struct wire_row policies_rows[] = {
    STRUCTS(policies, versions, 0, WIRE_MAX_VERSIONS, policy),
    { 0 },
};
WIRE_CODEC(policies);

static const struct wire_row policy_head_rows[] = {
    U64(policy_head, version, WIRE_MAX_U64),
    HEX(policy_head, sha256),
    { 0 },
};
WIRE_CODEC(policy_head);
/* clang-format on */

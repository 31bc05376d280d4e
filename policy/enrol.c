/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enrolment: what an invited person signs to prove that they hold the
 * credential they propose. The invite's code is a secret of its bearer and is
 * only hashed here; its caller wipes it.
 */
#include "policy/policy.h"

#include <string.h>

#include "base/hash.h"

void policy_invite_id(uint8_t out[32], const uint8_t code[16])
{
    static const char tag[] = "mpc/invite/v1";
    const struct hash_part parts[] = { { tag, sizeof(tag) }, { code, 16 } };
    hash256_parts(out, parts, 2);
}

void policy_enrol_challenge(uint8_t out[32], const uint8_t cluster[32],
                            const uint8_t invite_id[32], const char *person)
{
    static const char tag[] = "mpc/enrol/v1";
    uint8_t len = (uint8_t)strnlen(person, UINT8_MAX);
    const struct hash_part parts[] = {
        { tag, sizeof(tag) }, { cluster, 32 }, { invite_id, 32 },
        { &len, 1 },          { person, len },
    };
    hash256_parts(out, parts, sizeof(parts) / sizeof(parts[0]));
}

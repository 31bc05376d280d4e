/* SPDX-License-Identifier: Apache-2.0 */
/* The ways a person may approve, and a credential's counter. */
#include "policy/policy.h"

#include <string.h>

static const char *const names[POLICY__WAYS] = {
    [POLICY_W_SSH] = "ssh",
    [POLICY_W_FIDO2] = "fido2",
    [POLICY_W_LOCAL_PAGE] = "local-page",
    [POLICY_W_SIDECAR_PAGE] = "sidecar-page",
};

const char *policy_way_name(enum policy_way way)
{
    return (unsigned)way < POLICY__WAYS ? names[way] : "unknown";
}

enum rc policy_way_parse(enum policy_way *out, const char *name)
{
    for (unsigned i = 0; i < POLICY__WAYS; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum policy_way)i;
            return RC_OK;
        }
    return rc_raise(RC_UNKNOWN,
                    "way to approve: want ssh, fido2, local-page or "
                    "sidecar-page");
}

bool policy_counter_ok(uint32_t last, uint32_t now, bool same)
{
    return same || now > last || (now == 0 && last == 0);
}

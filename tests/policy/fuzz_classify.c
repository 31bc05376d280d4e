/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes have one kind or are refused, and checking them is total. */
#include <assert.h>
#include <string.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    enum policy_kind kind, again;
    if (policy_classify(&kind, data, len) != RC_OK)
        return 0;
    assert(policy_classify(&again, data, len) == RC_OK && again == kind);
    for (unsigned class = 0; class <= POLICY_TLS; class ++) {
        struct policy_profile f = { .name = "f",
                                    .class = (enum policy_class) class,
                                    .max_message = 65536 };
        struct policy_session s = { .profile = "f", .has_profile = true };
        memset(f.kinds, 1, sizeof(f.kinds));
        memset(s.slot, 1, sizeof(s.slot));
        if (policy_payload_check(&again, &f, &s, data, len) == RC_OK)
            assert(again == kind);
        policy_session_artifact(&s, "other", "other bytes", 11);
        if (policy_payload_check(&again, &f, &s, data, len) == RC_OK)
            assert(len == 11 || kind == POLICY_CMS || kind == POLICY_DSSE);
    }
    return 0;
}

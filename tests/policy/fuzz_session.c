/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a descriptor; what is read is written and read again. */
#include <assert.h>
#include <string.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct policy_session s, back;
    char text[POLICY_DESCRIPTOR_MAX];
    size_t n;
    if (policy_session_parse(&s, data, len) != RC_OK)
        return 0;
    back = s;
    assert(policy_session_write(text, &n, &back) == RC_OK);
    assert(back.type == s.type && back.n_slots == s.n_slots);
    assert(memcmp(back.slot, s.slot, sizeof(s.slot)) == 0);
    assert(strcmp(back.reason, s.reason) == 0);
    assert(strcmp(back.artifact_name, s.artifact_name) == 0);
    assert(memcmp(back.key, s.key, 32) == 0);
    assert(back.expires == s.expires && back.created == s.created);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a policy: refused, or a struct that answers questions. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct policy *p = NULL;
    if (policy_parse(&p, data, len) != RC_OK) {
        assert(!p);
        return 0;
    }
    assert(p->bytes_len == len && memcmp(p->bytes, data, len) == 0);
    for (unsigned i = 0; i < p->n_profiles; i++)
        assert(p->profile[i].threshold >= 2 &&
               p->profile[i].threshold <= p->profile[i].n_signers &&
               policy_profile_key(p, &p->profile[i]));
    struct tlog_roster *r = malloc(sizeof(*r));
    uint8_t hash[32];
    assert((policy_roster(r, hash, p) == RC_OK) == p->has_log);
    free(r);
    policy_free(p);
    return 0;
}

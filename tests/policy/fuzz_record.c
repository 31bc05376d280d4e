/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a record, an SSHSIG and a key file: none is ever believed. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct policy *p;
    static const uint8_t session[32];
    if (!p) { /* one person whose secret key nobody has */
        p = calloc(1, sizeof(*p));
        assert(p);
        p->n_persons = 1;
        p->person[0].id[0] = 'a';
        p->person[0].steward = true;
        static const char *const kinds[] = { POLICY_SSHSIG, POLICY_SSHSIG_SK,
                                             POLICY_WEBAUTHN };
        p->person[0].credential = calloc(3, sizeof(struct policy_credential));
        assert(p->person[0].credential);
        for (unsigned i = 0; i < 3; i++) {
            struct policy_credential *c = &p->person[0].credential[i];
            strcpy(c->kind, kinds[i]);
            memset(c->key, 0x5a, 32);
            c->raw_id_len = 1;
            c->alg = POLICY_ES256;
        }
        p->person[0].n_credentials = 3;
    }
    struct policy_record r;
    assert(policy_record_check(&r, p, session, data, len) != RC_OK);
    char out[POLICY_RECORD_MAX];
    size_t n;
    assert(policy_record_sshsig(out, &n, session, POLICY_D_APPROVE, "steward",
                                "a", p->person[0].credential[0].key,
                                (const char *)data, len) != RC_OK);
    uint8_t sk[64];
    if (policy_ssh_key_read(sk, (const char *)data, len) == RC_OK)
        sodium_memzero(sk, sizeof(sk));
    return 0;
}

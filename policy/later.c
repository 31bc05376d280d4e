/* SPDX-License-Identifier: Apache-2.0 */
/* Declared, and clearly failing until each has its own file. */
#include "policy/policy.h"

#include <string.h>

#define NOT_YET(...) rc_raise(RC_UNKNOWN, "not yet: %s", __func__)

enum rc policy_record_webauthn(char out[POLICY_RECORD_MAX], size_t *len,
                               const uint8_t session[32],
                               enum policy_decision decision, const char *role,
                               const char *person, const void *credential,
                               size_t credential_len, const void *client_data,
                               size_t client_data_len, const void *auth_data,
                               size_t auth_data_len, const void *signature,
                               size_t signature_len)
{
    (void)out, (void)len, (void)session, (void)decision, (void)role;
    (void)person, (void)credential, (void)credential_len, (void)client_data;
    (void)client_data_len, (void)auth_data, (void)auth_data_len;
    (void)signature, (void)signature_len;
    return NOT_YET();
}

enum rc policy_webauthn_register(struct policy_credential *out,
                                 const uint8_t challenge[32], const char *rp_id,
                                 const char *const *origins, unsigned n_origins,
                                 const void *client_data,
                                 size_t client_data_len,
                                 const void *attestation_object,
                                 size_t attestation_object_len)
{
    (void)out, (void)challenge, (void)rp_id, (void)origins, (void)n_origins;
    (void)client_data, (void)client_data_len, (void)attestation_object;
    (void)attestation_object_len;
    return NOT_YET();
}

enum rc policy_sshsig_register(struct policy_credential *out,
                               const uint8_t challenge[32], const char *sshsig,
                               size_t sshsig_len)
{
    (void)out, (void)challenge, (void)sshsig, (void)sshsig_len;
    return NOT_YET();
}

void policy_credential_words(char out[POLICY_WORDS_MAX],
                             const struct policy_credential *c)
{
    (void)c;
    strcpy(out, "not yet");
}

enum rc policy_approval_check(struct policy_record *out, const struct policy *p,
                              const struct policy_session *s, const void *bytes,
                              size_t len, int64_t now_s)
{
    (void)now_s;
    return policy_record_check(out, p, s->id, bytes, len);
}

enum rc policy_required(struct policy_missing *out, const struct policy *p,
                        const struct policy_session *s,
                        const struct tlog_blob *requester,
                        const struct tlog_blob *approvals, unsigned n_approvals,
                        int64_t now_s, const struct policy_raise *raise)
{
    (void)out, (void)p, (void)s, (void)requester, (void)approvals;
    (void)n_approvals, (void)now_s, (void)raise;
    return NOT_YET();
}

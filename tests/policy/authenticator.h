/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Software authenticators: a WebAuthn one of each algorithm, its signatures by
 * OpenSSL, and an SSH security key by libsodium. They set any flag they are
 * told to. Test keys only.
 */
#ifndef TESTS_POLICY_AUTHENTICATOR_H
#define TESTS_POLICY_AUTHENTICATOR_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "policy/policy.h"

struct auth {
    enum policy_alg alg;
    EVP_PKEY *key;
    uint8_t id[32];
    uint8_t cose[POLICY_COSE_MAX];
    size_t cose_len;
};
void auth_new(struct auth *a, enum policy_alg alg, const char *name);
void auth_free(struct auth *a);

/* What an authenticator and its browser hand back. */
struct auth_said {
    char client_data[6000];
    uint8_t auth_data[512];
    size_t auth_data_len;
    uint8_t signature[512];
    size_t signature_len;
};
/* more: further members with a comma in front, or "" */
void auth_client_data(char out[6000], const char *type,
                      const uint8_t challenge[32], const char *origin,
                      const char *more);
/* Authenticator data, and the signature over it and out->client_data. */
void auth_assert(struct auth_said *out, const struct auth *a, const char *rp_id,
                 uint8_t flags, uint32_t counter);
void auth_sign(struct auth_said *io, const struct auth *a);
/* A registration's attestationObject over client_data. */
size_t auth_object(uint8_t out[1024], const struct auth *a,
                   const char *client_data, const char *rp_id, uint8_t flags,
                   bool packed);

/* The row of policy.json, as text. */
void auth_row(char out[POLICY_CREDENTIAL_MAX], const struct auth *a,
              const char *rp_id, const char *const *origins, unsigned n,
              bool backup_eligible);

/* An unarmoured SSHSIG of kind sshsig-sk; returns its length. */
size_t auth_sk(uint8_t out[1024], const uint8_t sk[64], const char *application,
               uint8_t flags, uint32_t counter, const uint8_t challenge[32]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebAuthn a second time, sharing nothing with policy/: CBOR by libcbor, any
 * COSE key that OpenSSL knows, signatures by EVP. It judges signatures only.
 */
#ifndef TESTS_POLICY_ORACLE_H
#define TESTS_POLICY_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

struct oracle_bytes {
    uint8_t *p;
    size_t len;
};
struct oracle_credential {
    char fmt[24];
    struct oracle_bytes auth_data; /* heap */
    struct oracle_bytes id;        /* within auth_data */
    struct oracle_bytes cose;      /* within auth_data */
};
/* Out of an attestationObject; fails the test when it cannot be read. */
void oracle_open(struct oracle_credential *out, const uint8_t *object,
                 size_t len);
void oracle_close(struct oracle_credential *c);
/* Is it by this key? */
bool oracle_verify(const uint8_t *cose, size_t cose_len,
                   const uint8_t *auth_data, size_t auth_data_len,
                   const uint8_t *client_data, size_t client_data_len,
                   const uint8_t *sig, size_t sig_len);
/* The COSE algorithm, 0 when the key cannot be read. */
int64_t oracle_alg(const uint8_t *cose, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FIDO2 security keys, through libfido2. mpcsign is the WebAuthn client: it
 * writes the client data itself, with the origin cli:mpcsign. The private key
 * never leaves the device; a PIN is in memory until the device answered, then
 * wiped.
 */
#ifndef CLI_FIDO_H
#define CLI_FIDO_H

#include <stdint.h>

#include <fido.h>

#include "base/rc.h"
#include "policy/policy.h"

#define FIDO_CLIENT_DATA 512
#define FIDO_AUTH_DATA   2048
#define FIDO_SIGNATURE   512
#define FIDO_NAME        "auto" /* the only device, or asked for */

/* ---- using one (fido.c) ------------------------------------------------- */

struct fido_said { /* an assertion */
    uint8_t credential[POLICY_RAW_ID_MAX];
    size_t credential_len;
    char client_data[FIDO_CLIENT_DATA];
    size_t client_data_len;
    uint8_t auth_data[FIDO_AUTH_DATA]; /* raw, not wrapped in CBOR */
    size_t auth_data_len;
    uint8_t signature[FIDO_SIGNATURE];
    size_t signature_len;
};
/*
 * Has the device sign the challenge with one of this person's credentials
 * that allow the origin cli:mpcsign; user verification is asked for.
 *
 * device   a path, "auto", or in simulating builds soft:FILE
 * RC_UNKNOWN  no device, or none of the credentials is in it
 * RC_TIMEOUT  nobody touched it      RC_AUTH  PIN wrong or blocked
 */
MUST_CHECK enum rc fido_assert_by(struct fido_said *out, const char *device,
                                  const struct policy_person *who,
                                  const uint8_t challenge[32]);

struct fido_made { /* a registration, as policy_webauthn_register() takes it */
    char client_data[FIDO_CLIENT_DATA];
    size_t client_data_len;
    uint8_t attestation[FIDO_AUTH_DATA + 64];
    size_t attestation_len;
};
/* Makes a credential (ES256, attestation none) for person in the device. */
MUST_CHECK enum rc fido_make_by(struct fido_made *out, const char *device,
                                const char *rp_id, const char *person,
                                const uint8_t challenge[32]);

/* ---- which one (fido_device.c) ------------------------------------------ */

void fido_dev_close_free(fido_dev_t *dev);
OWNED_BY(fido_dev_t, fido_dev_close_free);
/* Opens it; says at the terminal what to choose and touch. */
MUST_CHECK enum rc fido_open(fido_dev_t **out, const char *device);
/* Made of software: nobody to touch it. Never in a release. */
bool fido_is_soft(const char *device);
/* A libfido2 code in our words; never RC_OK. dev: for the tries left. */
enum rc fido_failed(int code, const char *doing, fido_dev_t *dev);

#ifdef MPC_SIMULATED_TEE
/* ---- a device of software, for tests (fido_soft.c) ---------------------- */
#define FIDO_SOFT "soft:"
/* A new one in that file; the caller's to remove. */
MUST_CHECK enum rc fido_soft_make(const char *file);
/* Lets dev speak to one; its path is that of the file. */
MUST_CHECK enum rc fido_soft_attach(fido_dev_t *dev, const char *file);
#endif

#endif

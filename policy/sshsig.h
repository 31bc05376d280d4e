/* SPDX-License-Identifier: Apache-2.0 */
/* SSHSIG, as OpenSSH's PROTOCOL.sshsig has it. Inside the room only. */
#ifndef POLICY_SSHSIG_H
#define POLICY_SSHSIG_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/webauthn.h"

#define POLICY_SSHSIG_MAX 1024 /* unarmoured bytes */

struct policy_sshsig {  /* parsed, not believed; borrows the blob */
    bool sk;            /* made by a security key */
    const uint8_t *key; /* [32] */
    const uint8_t *sig; /* [64] */
    struct policy_part space;
    struct policy_part reserved;
    struct policy_part hash;
    struct policy_part application; /* sk */
    uint8_t flags;
    uint32_t counter;
};
#define POLICY_SK_UP 0x01
#define POLICY_SK_UV 0x04

/* RC_PARSE when it is no SSHSIG of an Ed25519 key. */
MUST_CHECK enum rc policy_sshsig_parse(struct policy_sshsig *out,
                                       const uint8_t *blob, size_t len);
/*
 * Is it a signature by this credential over the base64url text of challenge,
 * in our namespace? A name for each check in front of its text.
 */
MUST_CHECK enum rc policy_sshsig_check(const struct policy_sshsig *s,
                                       const uint8_t challenge[32],
                                       const struct policy_credential *c);
/* The credential of whoever made it; not checked. */
void policy_sshsig_credential(struct policy_credential *out,
                              const struct policy_sshsig *s);
/* Armoured or raw in, raw out. */
MUST_CHECK enum rc policy_sshsig_open(uint8_t out[POLICY_SSHSIG_MAX],
                                      size_t *len, const char *in,
                                      size_t in_len);
/*
 * The bytes between a PEM-like header and footer, newlines ignored. Public
 * or secret: the caller wipes out.
 */
MUST_CHECK enum rc policy_armour_open(uint8_t *out, size_t cap, size_t *len,
                                      const char *text, size_t text_len,
                                      const char *begin, const char *end);

#endif

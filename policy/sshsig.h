/* SPDX-License-Identifier: Apache-2.0 */
/* SSHSIG, as OpenSSH's PROTOCOL.sshsig has it. Inside the room only. */
#ifndef POLICY_SSHSIG_H
#define POLICY_SSHSIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"

#define POLICY_SSHSIG_MAX 1024 /* unarmoured bytes */

/*
 * Is this blob a signature by key over the base64url text of challenge, in
 * our namespace? RC_PARSE, or RC_VERIFY saying which part differs.
 */
MUST_CHECK enum rc policy_sshsig_check(const uint8_t *blob, size_t len,
                                       const uint8_t challenge[32],
                                       const uint8_t key[32]);
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

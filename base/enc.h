/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text encodings of bytes, by libsodium and strict: lower-case hex, standard
 * base64 with padding (notes, PEM bodies), unpadded base64url (JSON, WebAuthn).
 * Decoders want the exact alphabet and, where a size is given, that size.
 */
#ifndef BASE_ENC_H
#define BASE_ENC_H

#include <stdint.h>

#include "base/rc.h"

#define ENC_HEX_LEN(n)  ((n)*2)
#define ENC_HEX_SIZE(n) ((n)*2 + 1)               /* with NUL */
#define ENC_B64_SIZE(n) ((((n) + 2) / 3) * 4 + 1) /* either alphabet, NUL */

/* out has ENC_HEX_SIZE(len) bytes; returns out. */
char *enc_hex(char *out, const void *src, size_t len);
/* hex is hex_len characters and must decode to exactly len bytes. */
MUST_CHECK enum rc enc_unhex(void *out, size_t len, const char *hex,
                             size_t hex_len);

/* out has ENC_B64_SIZE(len) bytes; returns out. */
char *enc_b64(char *out, const void *src, size_t len);
char *enc_b64u(char *out, const void *src, size_t len);
/* At most cap bytes out; *len is the number written. */
MUST_CHECK enum rc enc_unb64(void *out, size_t cap, size_t *len,
                             const char *b64, size_t b64_len);
MUST_CHECK enum rc enc_unb64u(void *out, size_t cap, size_t *len,
                              const char *b64, size_t b64_len);

/* Decimal without sign or leading zero, as in log entries and notes. */
MUST_CHECK enum rc enc_undec(uint64_t *out, const char *text, size_t len);

#endif

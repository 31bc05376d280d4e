/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CUSTODY_INNER_H
#define CUSTODY_INNER_H

#include "custody/custody.h"

#include "base/bytes.h"

/* The 260 bytes; nonce is that of the ciphertext behind them. */
void custody_header_put(struct bytes_writer *w, const struct custody_backup *b,
                        const uint8_t nonce[12]);
/* All but the custodians; RC_PARSE. custodians_id and nonce may be NULL. */
MUST_CHECK enum rc custody_header_get(struct custody_backup *out,
                                      uint8_t custodians_id[16],
                                      uint8_t nonce[12],
                                      const uint8_t p[CUSTODY_HEADER_LEN]);
/* share*B == y: RC_STORE. */
MUST_CHECK enum rc custody_share_matches(const struct frost_scalar *share,
                                         const uint8_t y[32]);

#endif

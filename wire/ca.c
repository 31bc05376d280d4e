/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate authority's call. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row issue_rows[] = {
    STR(issue, profile),
    NEST(issue, birth, birth),
    { 0 },
};
WIRE_CODEC(issue);

static const struct wire_row chain_rows[] = {
    BLOBS(chain, chain, WIRE_MAX_CHAIN, WIRE_CERT_MAX),
    { 0 },
};
WIRE_CODEC(chain);
/* clang-format on */

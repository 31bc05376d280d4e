/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence and the exchange that binds it to a channel. */
#include "wire/codec.h"

/* clang-format off */
static const struct wire_row evidence_rows[] = {
    BLOB(evidence, report, WIRE_REPORT_MAX),
    BLOB(evidence, vek, WIRE_CERT_MAX),
    BLOBS(evidence, chain, WIRE_MAX_CHAIN, WIRE_CERT_MAX),
    HEX(evidence, ak),
    U64(evidence, boot, WIRE_MAX_U64),
    BLOB(evidence, hcl, WIRE_HCL_MAX),
    BLOB(evidence, quote, WIRE_QUOTE_MAX),
    BLOB(evidence, quote_signature, WIRE_QUOTE_MAX),
    { 0 },
};
WIRE_CODEC(evidence);

static const struct wire_row hello_rows[] = {
    HEX(hello, nonce),
    NEST(hello, policy, policy_head),
    { 0 },
};
WIRE_CODEC(hello);

static const struct wire_row hello_reply_rows[] = {
    HEX(hello_reply, nonce),
    NEST(hello_reply, policy, policy_head),
    NEST(hello_reply, evidence, evidence),
    { 0 },
};
WIRE_CODEC(hello_reply);

static const struct wire_row attested_rows[] = {
    U64(attested, expires_in_s, WIRE_MAX_U32),
    { 0 },
};
WIRE_CODEC(attested);

static const struct wire_row bind_rows[] = {
    HEX(bind, ak),
    HEX(bind, evidence_id),
    HEX(bind, signature),
    NEST(bind, policy, policy_head),
    { 0 },
};
WIRE_CODEC(bind);

static const struct wire_row bound_rows[] = {
    HEX(bound, signature),
    NEST(bound, policy, policy_head),
    U64(bound, expires_in_s, WIRE_MAX_U32),
    { 0 },
};
WIRE_CODEC(bound);
/* clang-format on */

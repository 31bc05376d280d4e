/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and the evidence bundle. Part of wire/wire.h, which includes it
 * last.
 */
#ifndef WIRE_BUNDLE_H
#define WIRE_BUNDLE_H

#include "wire/wire.h"

/* ---- CA ------------------------------------------------------------------ */

/* POST /v1/ca/issue */
struct wire_issue {
    char profile[WIRE_NAME_MAX];
    struct wire_birth birth; /* of the key to certify */
};
WIRE_MESSAGE(issue);
/* Leaf first; DER each. */
struct wire_chain {
    WIRE_LIST(struct wire_blob) chain;
};
WIRE_MESSAGE(chain);

/* ---- evidence bundle, NAME.mpc.json and GET /v1/bundle/SESSION --------- */

struct wire_bundle_signer {
    uint64_t node;
    struct wire_text cosignature; /* line over the intent's checkpoint; or "" */
    uint8_t ak_signature[64];     /* AK over the intent */
    WIRE_LIST(struct wire_evidence) evidence; /* standing report: 0 or 1 */
};
struct wire_bundle {
    uint64_t v;   /* 1 */
    char kind[8]; /* payload kind of the signed bytes */
    char profile[WIRE_NAME_MAX];
    uint8_t signature[64];
    uint8_t group_key[32];
    uint8_t policy[32]; /* H of the policy version it was judged under */
    struct wire_session session;
    struct wire_proof intent;
    WIRE_LIST(struct wire_bundle_signer) signers;
    struct wire_birth birth;             /* of the signing key */
    WIRE_LIST(struct wire_birth) issuer; /* of the issuer's key: 0 or 1 */
    WIRE_LIST(struct wire_blob) chain;   /* DER, leaf first; may be empty */
};
WIRE_MESSAGE(bundle);

#endif

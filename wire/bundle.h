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

/* ---- standing evidence --------------------------------------------------- */

/*
 * GET /v1/standing between sidecars: the report of this boot over the node's
 * keys (FORMATS section 2), and its mpc-evidence/1 entry in the log.
 */
struct wire_standing {
    uint8_t ak[32];
    struct wire_blob report;
    struct wire_blob vek;
    WIRE_LIST(struct wire_blob)
    chain;                /* ASK, ARK; each signed the one before */
    struct wire_blob hcl; /* a vTPM's three, or all empty */
    struct wire_blob quote;
    struct wire_blob quote_signature;
    struct wire_proof logged;
};
WIRE_MESSAGE(standing);

/* POST /v1/cosign between sidecars; the request is C2SP's add-checkpoint. */
struct wire_cosigned {
    uint64_t head;         /* this node's newest size */
    struct wire_text line; /* empty: it must be asked from that size */
};
WIRE_MESSAGE(cosigned);

/* ---- evidence bundle, NAME.mpc.json and GET /v1/bundle/SESSION --------- */

#define WIRE_BUNDLE_V           2
#define WIRE_BUNDLE_MAX         (8 * 1024 * 1024) /* as JSON */
#define WIRE_BUNDLE_MESSAGE_MAX (1024 * 1024)

struct wire_bundle_signer {
    uint64_t node;
    struct wire_text cosignature; /* line over the intent's checkpoint; or "" */
    uint8_t ak_signature[64];     /* AK over the intent */
    WIRE_LIST(struct wire_standing) evidence; /* 0 or 1 */
};
struct wire_bundle_cosigner {
    uint64_t node;
    struct wire_text line; /* over the receipt's checkpoint */
};
struct wire_bundle {
    uint64_t v;                  /* WIRE_BUNDLE_V */
    uint8_t digest[32];          /* of all the rest: wire_bundle_digest() */
    char kind[8];                /* payload kind of the signed bytes */
    char profile[WIRE_NAME_MAX]; /* whose key it is */
    uint8_t signature[64];
    uint8_t group_key[32];
    uint8_t policy[32];       /* H of the policy version it was judged under */
    struct wire_blob message; /* cms, dsse: the signed bytes; else empty */
    struct wire_session session; /* the approvals that counted, no others */
    struct wire_proof intent;    /* as the signers were shown it */
    WIRE_LIST(struct wire_bundle_signer) signers; /* ascending */
    WIRE_LIST(struct wire_proof) receipt;         /* 0 or 1 */
    WIRE_LIST(struct wire_hash) growth; /* intent's checkpoint -> receipt's */
    WIRE_LIST(struct wire_bundle_cosigner) cosigners; /* ascending */
    struct wire_birth birth;                          /* of the signing key */
    WIRE_LIST(struct wire_blob) chain;   /* the receipt's leaf, root; or none */
    WIRE_LIST(struct wire_birth) issuer; /* of the root's key, with a chain */
};
WIRE_MESSAGE(bundle);

/*
 * H("mpc/bundle/v2\0" || the bundle as it is encoded, digest all zero): what
 * tells damage from less evidence. It proves nothing that the rest does not.
 */
MUST_CHECK enum rc wire_bundle_digest(uint8_t out[32],
                                      const struct wire_bundle *b);

/* ---- mpcsign trust export ------------------------------------------------ */

/* What a verifier must hold to believe bundles; public, and not signed. */
struct wire_trust {
    uint64_t v;            /* 1 */
    uint8_t genesis[32];   /* H of version 1: compare it with what you know */
    struct wire_text log;  /* its vkey */
    struct wire_blob root; /* certificate, DER; or empty */
    WIRE_LIST(struct wire_policy) versions; /* with their proofs, from 1 */
};
WIRE_MESSAGE(trust);

#endif

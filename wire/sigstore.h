/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log signs with its second key, ECDSA P-256, for clients of
 * Sigstore: docs/SIGSTORE.md. Part of wire/wire.h, which includes it last.
 */
#ifndef WIRE_SIGSTORE_H
#define WIRE_SIGSTORE_H

#include "wire/wire.h"

#define WIRE_SCT_MAX   256   /* a list of one SCT */
#define WIRE_REKOR_MAX 16384 /* an entry: a certificate, twice in base64 */
#define WIRE_ECDSA_MAX 80    /* a P-256 signature, DER */
/*
 * POST /v1/log/sct, by a CA: the log's promise for a certificate about to be
 * issued, RFC 6962 section 3.2.
 */
struct wire_sct_ask {
    uint8_t issuer_key_hash[32]; /* H(SubjectPublicKeyInfo) of the issuer */
    struct wire_blob tbs;        /* TBSCertificate without the SCT extension */
};
WIRE_MESSAGE(sct_ask);
/* A SignedCertificateTimestampList: what stands in the extension's inner
 * OCTET STRING. */
struct wire_sct {
    struct wire_blob list;
};
WIRE_MESSAGE(sct);

/* POST /v1/sigstore on a socket, POST /v1/log/sigstore: a dsse 0.0.1 entry. */
struct wire_rekor_ask {
    struct wire_text entry;
};
WIRE_MESSAGE(rekor_ask);
struct wire_rekor {
    uint64_t index;
    uint64_t integrated;  /* s: when the log signed `set` first */
    struct wire_blob set; /* signed entry timestamp, ECDSA over SHA-256 */
    WIRE_LIST(struct wire_hash) path;
    struct wire_text checkpoint; /* "<host> - <tree>", one ECDSA line */
};
WIRE_MESSAGE(rekor);

#endif

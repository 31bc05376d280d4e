/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log signs with its second key, ECDSA P-256, for clients of
 * Sigstore: docs/SIGSTORE.md. Part of wire/wire.h, which includes it last.
 */
#ifndef WIRE_SIGSTORE_H
#define WIRE_SIGSTORE_H

#include "wire/wire.h"

#define WIRE_SCT_MAX       256 /* a list of one SCT */
#define WIRE_ECDSA_MAX     80  /* a P-256 signature, DER */
#define WIRE_STATEMENT_MAX 16384
#define WIRE_SPKI_MAX      512
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

/*
 * POST /v1/sigstore on a socket: a dsse 0.0.1 entry, and the statement that
 * was signed, so that the sidecar sees what it has logged.
 */
struct wire_export {
    struct wire_text entry;
    struct wire_blob statement;
};
WIRE_MESSAGE(export);
/* POST /v1/log/sigstore: the entry alone. Both are answered by: */
struct wire_rekor_ask {
    struct wire_text entry; /* <= WIRE_ENTRY_MAX */
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

/* GET /v1/sigstore/key between daemons and on a socket; the log's public port
 * gives the DER itself. */
struct wire_spki {
    struct wire_blob spki; /* SubjectPublicKeyInfo of the log's ECDSA key */
};
WIRE_MESSAGE(spki);

#endif

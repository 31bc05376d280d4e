/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signature as clients of Sigstore take it (docs/SIGSTORE.md): an in-toto
 * statement about one file, signed as DSSE; its entry in our log; a bundle
 * v0.3; and the trusted root that such a client is given once.
 */
#ifndef CLI_SIGSTORE_H
#define CLI_SIGSTORE_H

#include <openssl/x509.h>

#include "cli/inner.h"

/* ---- what is signed (sigstore_statement.c) ------------------------------ */

#define SIGSTORE_BUNDLE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define SIGSTORE_ROOT                                                          \
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1"

struct sigstore_statement {
    char *json; /* owned */
    size_t len;
    uint8_t *pae; /* owned: what the sidecar is to sign, kind dsse */
    size_t pae_len;
};
void sigstore_statement_free(struct sigstore_statement *s);
OWNED_STRUCT(sigstore_statement);
/*
 * The statement about a file by a key that has this chain. session: of the
 * signature, hex; NULL where the sidecar opens one by itself. The intent's
 * index is not known before signing: clients find it by the signature.
 */
MUST_CHECK enum rc sigstore_statement(struct sigstore_statement *out,
                                      const char *file,
                                      const struct cli_content *content,
                                      const struct wire_chain *chain,
                                      const char *session);

/* ---- the bundle (sigstore.c) -------------------------------------------- */

/*
 * Has the sidecar put the entry into the log and writes the bundle, heap
 * text; all of it is verified before. chain: of the key, leaf first, valid
 * still. RC_EXPIRED: sign again.
 */
MUST_CHECK enum rc sigstore_bundle(char **json, size_t *len,
                                   const struct sigstore_statement *s,
                                   const uint8_t signature[64],
                                   const struct wire_chain *chain);
/*
 * All of it: statement, signature, entry, bundle. by: the sidecar's answer,
 * for evidence.
 */
MUST_CHECK enum rc sigstore_sign(struct wire_signed *by, char **json,
                                 size_t *len, const char *file,
                                 const struct cli_content *content,
                                 const char *key, const char *session,
                                 const struct wire_chain *chain, int wait_ms);
/* The JSON of both, without asking anybody. */
MUST_CHECK enum rc sigstore_bundle_json(char **json, size_t *len,
                                        const struct sigstore_statement *s,
                                        const struct tlog_dsse *d,
                                        const struct wire_rekor *r,
                                        const uint8_t log_id[32]);

/* ---- the trusted root (sigstore_root.c) --------------------------------- */

/* The log's ECDSA key, as it told the sidecar over the attested channel. */
MUST_CHECK enum rc sigstore_log_key(struct wire_spki *out);
/*
 * What a client is to trust: the log by both its keys, its SCTs, and the CA of
 * this root (DER). Heap text. Valid from the root's first second.
 */
MUST_CHECK enum rc sigstore_trusted_root(char **json, size_t *len,
                                         const struct tlog_vkey *log,
                                         const struct wire_spki *spki,
                                         const void *root, size_t root_len);

/* ---- a leaf (sigstore_leaf.c) ------------------------------------------- */

/* What its signing context says, FORMATS section 4. */
struct sigstore_leaf {
    char cluster[POLICY_NAME_MAX];  /* of mpc://<cluster>/ca */
    char deployment[TLOG_NAME_MAX]; /* of the log's name */
    char log[TLOG_NAME_MAX];
    uint8_t key[32]; /* the group key */
    uint64_t threshold;
    uint64_t signers;
    uint64_t birth;
    bool has_sct;
};
MUST_CHECK enum rc sigstore_leaf_read(struct sigstore_leaf *out,
                                      const void *der, size_t len);
/*
 * The SCT in it is the log's, over what the issuer signed; without one
 * RC_UNKNOWN. issuer: its certificate, DER.
 */
MUST_CHECK enum rc sigstore_sct_check(const void *leaf, size_t leaf_len,
                                      const void *issuer, size_t issuer_len,
                                      const struct wire_spki *spki);

#endif

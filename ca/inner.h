/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the CA: one builder per kind of certificate. Who issues calls it
 * with values it chose; who judges calls it with the values it read, and
 * compares bytes. There is no second description of what a leaf is.
 */
#ifndef CA_INNER_H
#define CA_INNER_H

#include <openssl/x509.h>

#include "ca/ca.h"

OWNED_BY(X509, X509_free);
OWNED_BY(X509_NAME, X509_NAME_free);
OWNED_BY(X509_EXTENSION, X509_EXTENSION_free);
OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);
OWNED_BY(ASN1_OBJECT, ASN1_OBJECT_free);
OWNED_BY(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free);

#define CA_SERIAL_LEN 20
#define CA_URI_SIZE   (POLICY_NAME_MAX + 96)

/* What an issuer chooses; all else follows from keys, policy and birth. */
struct ca_stamp {
    uint8_t serial[CA_SERIAL_LEN]; /* top bits 01: positive, full length */
    int64_t not_before;
    bool simulated;
    uint8_t tee_hash[32];    /* leaf only: one of the policy's for the CA */
    uint8_t sct[CA_SCT_MAX]; /* leaf only: a list that ca_sct_read() took */
    size_t sct_len;          /* 0: none */
};
/* A fresh serial. */
MUST_CHECK enum rc ca_stamp_fresh(struct ca_stamp *out, int64_t not_before,
                                  bool simulated);
/*
 * The choices a certificate shows, each a possible one; RC_POLICY names the
 * field. leaf: also its tee_hash and SCT list.
 */
MUST_CHECK enum rc ca_stamp_read(struct ca_stamp *out, const X509 *x,
                                 bool leaf);

/* The SCT list of x, where it has one (sct.c). */
MUST_CHECK enum rc ca_stamp_sct(struct ca_stamp *s, const X509 *x);

/* What a leaf says, all of it from a birth that was believed. */
struct ca_facts {
    const struct policy_profile *profile; /* in force */
    char cluster[POLICY_NAME_MAX];
    uint8_t group_key[32];
    uint8_t session[32];
    bool has_artifact; /* ephemeral keys only */
    uint8_t artifact[32];
    uint64_t threshold;
    uint8_t signer[TLOG_MAX_NODES][32]; /* H(identity), ascending */
    unsigned n_signers;
    uint8_t approvals[32];
    uint8_t policy[32];
    char log_origin[TLOG_NAME_MAX];
    uint64_t birth;
};
/* ca_birth_check, and that this key gets certificates at all, and now. */
MUST_CHECK enum rc ca_facts_of(struct ca_facts *out,
                               const struct policy_chain *chain,
                               const struct wire_birth *birth, int64_t now_s);

/* ---- builders (leaf.c, root.c) ------------------------------------------ */

MUST_CHECK enum rc ca_leaf_build(X509 **out, const struct ca_facts *facts,
                                 const uint8_t issuer_key[32],
                                 const struct ca_stamp *stamp);
MUST_CHECK enum rc ca_root_build(X509 **out, const char *cluster,
                                 const uint8_t group_key[32],
                                 const struct ca_stamp *stamp);
/* Is x, its signature aside, what ca_root_build makes for this key? */
MUST_CHECK enum rc ca_root_check(const char *cluster, const uint8_t key[32],
                                 const X509 *x, const uint8_t *tbs,
                                 size_t tbs_len);

/* ---- pieces (piece.c) ----------------------------------------------------- */

/* "mpc://[simulated.]<cluster>/<path>" */
void ca_uri(char out[CA_URI_SIZE], const char *cluster, bool simulated,
            const char *path);
/* Version, serial, issuer "<cluster> root", times, key. */
MUST_CHECK enum rc ca_put_head(X509 *x, const char *cluster,
                               const struct ca_stamp *stamp, int64_t life_s,
                               const uint8_t key[32]);
MUST_CHECK enum rc ca_root_name(X509_NAME **out, const char *cluster);
/* Key usage, critical; bit numbers of RFC 5280 section 4.2.1.3. */
#define CA_KU_SIGNATURE 0
#define CA_KU_CERT_SIGN 5
#define CA_KU_CRL_SIGN  6
MUST_CHECK enum rc ca_put_usage(X509 *x, const int *bits, unsigned n);
MUST_CHECK enum rc ca_put_key_id(X509 *x, const uint8_t key[32]);
MUST_CHECK enum rc ca_put_authority(X509 *x, const uint8_t issuer_key[32]);
MUST_CHECK enum rc ca_put_san(X509 *x, const char *uri, bool critical);
/* value is the extension's DER; not critical. */
MUST_CHECK enum rc ca_put_raw(X509 *x, const char *oid, const void *value,
                              size_t len);
/* DER UTF8String. */
MUST_CHECK enum rc ca_put_text(X509 *x, const char *oid, const char *text);
MUST_CHECK enum rc ca_put_simulated(X509 *x);
/* An extension of its own, the list inside an OCTET STRING (sct.c). */
MUST_CHECK enum rc ca_put_sct(X509 *x, const uint8_t *list, size_t len);
/* Borrows an extension's DER; RC_UNKNOWN when x has none. */
MUST_CHECK enum rc ca_get_raw(const uint8_t **value, size_t *len, const X509 *x,
                              const char *oid);
/* x has it, once, and none after it. */
bool ca_ext_is_last(const X509 *x, const char *oid);

/* ---- the signing context, FORMATS section 4 (context.c) -------------------- */

MUST_CHECK enum rc ca_put_context(X509 *x, const struct ca_facts *facts);
/* The first field in which two of them differ; "DER" when one is none. */
const char *ca_context_differs(const ASN1_OCTET_STRING *a,
                               const ASN1_OCTET_STRING *b);
/* The birth index in the extension's DER. */
MUST_CHECK enum rc ca_context_birth(uint64_t *index, const uint8_t *der,
                                    size_t len);

/* ---- bytes (assemble.c) ----------------------------------------------------- */

/* Names Ed25519 as the algorithm inside, last thing of a builder. */
MUST_CHECK enum rc ca_put_algorithm(X509 *x);
/* The TBSCertificate of what was built. */
MUST_CHECK enum rc ca_tbs_of(uint8_t out[CA_DER_MAX], size_t *len, X509 *x);
/* As a certificate with a signature of zeros: RC_PARSE. */
MUST_CHECK enum rc ca_tbs_open(X509 **out, const uint8_t *tbs, size_t tbs_len);
/* RC_POLICY naming the field unless made is exactly these bytes (differs.c). */
#define CA_FIELD_SIZE 128
MUST_CHECK enum rc ca_same(X509 *made, const X509 *x, const uint8_t *tbs,
                           size_t tbs_len);

/* ---- errors ------------------------------------------------------------------ */

/*
 * Raises what OpenSSL left in its queue and empties it. The provider's own
 * reasons are result codes and win over rc.
 */
enum rc ca_ssl_raise(enum rc rc, const char *what);

#endif

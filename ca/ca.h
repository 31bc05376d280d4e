/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CA: minutes-long code-signing leaves over a threshold key (DESIGN
 * section 7, notes transparency.md section 6, FORMATS section 4). This
 * library builds what is to be signed and judges it: mpc-ca builds, and every
 * issuer-class signer judges the same bytes by itself with ca_tbs_check. A
 * broken CA can mint nothing. Public data only.
 */
#ifndef CA_CA_H
#define CA_CA_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "base/own.h"
#include "base/rc.h"
#include "policy/policy.h"
#include "transparency/transparency.h"
#include "wire/wire.h"

#define CA_DER_MAX    16384
#define CA_MAX_TTL_S  600
#define CA_BACKDATE_S 30
#define CA_ROOT_YEARS 10
/*
 * How far a leaf's issuer and its signers may disagree about now: the issuer
 * ahead of a signer, and behind it (a signing round takes its time).
 */
#define CA_AHEAD_S    60
#define CA_BEHIND_S   120

/* FORMATS section 4; the rest are Fulcio's. */
#define CA_OID_CONTEXT     "1.3.6.1.4.1.32473.1.2"
#define CA_OID_SIMULATED   "1.3.6.1.4.1.32473.1.3"
#define CA_OID_SCT         "1.3.6.1.4.1.11129.2.4.2" /* RFC 6962 */
#define CA_OID_ISSUER      "1.3.6.1.4.1.57264.1.8"   /* mpc://<cluster>/ca */
#define CA_OID_BUILDER     "1.3.6.1.4.1.57264.1.10"  /* sha256:<tee hash> */
#define CA_OID_ENVIRONMENT "1.3.6.1.4.1.57264.1.11"  /* amd-sev-snp */
#define CA_OID_RUN         "1.3.6.1.4.1.57264.1.21"  /* urn:mpc:session:<id> */

/*
 * Is this birth believable by itself under this chain: its entry is in the
 * log the chain names; endorsements are the votes of all members over one
 * set of terms, each by the identity the policy version of the birth names;
 * its session is a key-create (ephemeral: sign), judged as of its own time and
 * approved; class, threshold and participants match the profile: all its nodes
 * for a persistent key, at least t of them for an ephemeral one.
 *
 * profile  out, borrowed from the chain's version in force
 */
MUST_CHECK enum rc ca_birth_check(const struct policy_profile **profile,
                                  struct tlog_birth *entry,
                                  struct policy_session *session,
                                  const struct policy_chain *chain,
                                  const struct wire_birth *birth);

/*
 * TBSCertificate of the root: self-issued for the issuer key, CN
 * "<cluster> root", CA:TRUE pathlen 0, keyCertSign|cRLSign, SKI; simulated
 * marks as FORMATS section 4. DER out.
 */
MUST_CHECK enum rc ca_root_tbs(uint8_t out[CA_DER_MAX], size_t *len,
                               const char *cluster, const uint8_t group_key[32],
                               bool simulated, int64_t now_s);

/*
 * The key of a root as above, DER, self-signed, of this cluster. RC_PARSE,
 * RC_VERIFY or RC_POLICY say why it is none.
 */
MUST_CHECK enum rc ca_root_open(uint8_t key[32], const char *cluster,
                                const uint8_t *der, size_t len);

/*
 * TBSCertificate of a leaf for the key of this birth, which is checked again
 * here. Serial and time are the caller's choice, and so are tee_hash (one of
 * those the policy in force allows the CA) and simulated; the rest follows
 * from chain, birth and the issuer's key.
 */
struct ca_leaf {
    const struct policy_chain *chain;
    const struct wire_birth *birth;
    const uint8_t *issuer; /* its certificate, DER: a root, as below */
    size_t issuer_len;
    const uint8_t *tee_hash; /* [32] the CA's own, for OID .10 */
    bool simulated;
    int64_t now_s;
};
MUST_CHECK enum rc ca_leaf_tbs(uint8_t out[CA_DER_MAX], size_t *len,
                               const struct ca_leaf *leaf);

/*
 * A list of one SCT, TLS-encoded (RFC 6962 section 3.3): version 1, no
 * extensions, ECDSA with SHA-256, nothing around it. RC_POLICY names what is
 * not so. Whether its log signed it is not known here.
 */
#define CA_SCT_MAX 255
struct ca_sct {
    uint8_t log_id[32];
    uint64_t at_ms;
};
MUST_CHECK enum rc ca_sct_read(struct ca_sct *out, const uint8_t *list,
                               size_t len);
/* The TBSCertificate with this list as its last extension. */
MUST_CHECK enum rc ca_tbs_promise(uint8_t out[CA_DER_MAX], size_t *out_len,
                                  const uint8_t *tbs, size_t tbs_len,
                                  const uint8_t *list, size_t len);

/* SEQUENCE { tbs, Ed25519, signature }: the certificate. */
MUST_CHECK enum rc ca_assemble(uint8_t out[CA_DER_MAX], size_t *len,
                               const uint8_t *tbs, size_t tbs_len,
                               const uint8_t signature[64]);

/* The birth index a leaf's TBSCertificate names; RC_UNKNOWN: a root. */
MUST_CHECK enum rc ca_tbs_birth(uint64_t *index, const uint8_t *tbs,
                                size_t tbs_len);

/*
 * What an issuer-class signer asks before it lends its share. A leaf: parses
 * strictly, nothing unknown; issuer is a root of issuer_key; not before/after
 * within the profile's lifetime and around now; key = the birth's, birth
 * believed by ca_birth_check; every extension exactly what ca_leaf_tbs would
 * write (critical bits too), and after them at most one SCT list as
 * ca_sct_read() takes it, of the time of issuing; never CA:TRUE; an ephemeral
 * key only while its session lasts (RC_EXPIRED) and the policy that this was
 * made under is in force (RC_POLICY_CHANGED). A root: only in a session of
 * type root whose artifact is exactly these bytes, self-issued for issuer_key.
 * RC_POLICY names the field.
 *
 * birth  NULL for a root
 */
MUST_CHECK enum rc ca_tbs_check(const struct policy_chain *chain,
                                const struct policy_session *session,
                                const uint8_t issuer_key[32],
                                const struct wire_birth *birth,
                                const uint8_t *tbs, size_t tbs_len,
                                int64_t now_s);
/*
 * And this: its marks of simulated hardware, which stand together or not at
 * all in what ca_tbs_check() took, stand just where the signer's own hardware
 * is simulated. RC_POLICY.
 */
MUST_CHECK enum rc ca_tbs_marks(const uint8_t *tbs, size_t tbs_len,
                                bool simulated);

/*
 * Issues with a key of any OSSL_STORE URI: builds, signs (EVP_DigestSign),
 * verifies, assembles. chain out: leaf, then the issuer; free with
 * wire_chain_free().
 */
MUST_CHECK enum rc ca_issue(struct wire_chain *out, EVP_PKEY *issuer_key,
                            const struct ca_leaf *leaf);
/*
 * The second half of it, which may take as long as a signing round: what
 * ca_leaf_tbs() wrote is signed, verified under this issuer and assembled.
 */
MUST_CHECK enum rc ca_sign(struct wire_chain *out, EVP_PKEY *issuer_key,
                           const uint8_t *tbs, size_t tbs_len,
                           const uint8_t *issuer, size_t issuer_len);
/*
 * A root signed by the key at hand, which is then no threshold key: nobody
 * else judges it, or what it signs later.
 */
MUST_CHECK enum rc ca_root_self(uint8_t out[CA_DER_MAX], size_t *len,
                                EVP_PKEY *key, const char *cluster,
                                bool simulated, int64_t now_s);
/* From when to when a certificate is valid, UTC seconds. */
MUST_CHECK enum rc ca_life(int64_t *from, int64_t *to, const uint8_t *der,
                           size_t len);
/* The private key behind a URI ("mpc:ca", "file:ca.pem", …). */
MUST_CHECK enum rc ca_key_open(EVP_PKEY **out, const char *uri);

#endif

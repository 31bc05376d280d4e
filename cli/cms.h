/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CMS signatures (RFC 5652) by threshold Ed25519 keys, as RFC 8419 wants them:
 * SHA-512, signed attributes, pure Ed25519 over those. Only calls that stay in
 * later OpenSSL; the library itself never signs here, the sidecar does, and
 * stock OpenSSL 3.0 cannot verify Ed25519 in CMS, so that is done here too.
 */
#ifndef CLI_CMS_H
#define CLI_CMS_H

#include <openssl/cms.h>
#include <openssl/x509v3.h>

#include "cli/inner.h"

#define CMS_FILE_MAX (CLI_CONTENT_MAX + 1024 * 1024)

OWNED_BY(CMS_ContentInfo, CMS_ContentInfo_free);
OWNED_BY(X509, X509_free);
OWNED_BY(BIO, BIO_free_all);
typedef STACK_OF(X509) cms_certs;
void cms_certs_free(cms_certs *list);
OWNED_BY(cms_certs, cms_certs_free);

/* ---- making (cms_make.c) ------------------------------------------------ */

/*
 * Has the sidecar sign the attributes for this content. chain is of the key,
 * leaf first, and goes in whole; content->bytes goes in where they are kept.
 * by is the sidecar's answer, for evidence.
 */
MUST_CHECK enum rc cms_make(CMS_ContentInfo **out, struct wire_signed *by,
                            const char *key, const char *session,
                            const struct wire_chain *chain,
                            const struct cli_content *content);
/*
 * The DER SET OF the signed attributes: the bytes that are signed. heap, to be
 * freed by OPENSSL_free().
 */
MUST_CHECK enum rc cms_attributes(uint8_t **der, size_t *len,
                                  const CMS_SignerInfo *si);

/* DER, or with a label PEM: heap. */
#define CMS_PEM      "CMS"
#define CMS_PEM_GIT  "SIGNED MESSAGE"
#define CMS_PEM_PKCS "PKCS7"
MUST_CHECK enum rc cms_write(uint8_t **out, size_t *len, CMS_ContentInfo *cms,
                             const char *label);
/* DER or PEM of one of those labels. */
MUST_CHECK enum rc cms_read(CMS_ContentInfo **out, const uint8_t *bytes,
                            size_t len);

/* ---- judging (cms_judge.c) ---------------------------------------------- */

struct cms_signer {
    X509 *leaf;       /* owned */
    cms_certs *certs; /* owned: all that came along */
    bool has_time;
    int64_t time_s; /* signingTime: the signer's own word */
};
void cms_signer_free(struct cms_signer *s);
OWNED_STRUCT(cms_signer);

/*
 * One signer, Ed25519 and SHA-512, its attributes as the RFCs want them, and
 * its signature over them by the certificate that came along. Whose
 * certificate that is remains open.
 */
MUST_CHECK enum rc cms_judge_signature(struct cms_signer *out,
                                       CMS_ContentInfo *cms);
/* messageDigest is this one. */
MUST_CHECK enum rc cms_judge_digest(CMS_ContentInfo *cms,
                                    const uint8_t digest[64]);

/* ---- trusting (cms_trust.c) --------------------------------------------- */

/* The leaf leads to a root of that PEM file, at that time. */
MUST_CHECK enum rc cms_judge_chain(const struct cms_signer *s,
                                   const char *roots, int64_t at_s);
/* Its key may sign code. */
MUST_CHECK enum rc cms_judge_codesign(const struct cms_signer *s);
/* Any certificate that came along says that its hardware is simulated. */
bool cms_is_simulated(const struct cms_signer *s);
/* Who signed, for people: no control characters. */
void cms_signer_name(char *out, size_t cap, const struct cms_signer *s);

/*
 * --ca, else MPC_CA, else ca.pem of the dev directory; RC_ARG without any.
 */
MUST_CHECK enum rc cms_roots(char out[CLI_PATH], const char *given);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* To-be-signed bytes of every kind, made by OpenSSL or by hand. */
#ifndef TESTS_POLICY_MESSAGES_H
#define TESTS_POLICY_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#define MSG_MAX 4096
struct msg {
    uint8_t b[MSG_MAX];
    size_t len;
};

/* The fixture's Ed25519 key of that name, and a P-256 key for old callers. */
EVP_PKEY *msg_key(const char *name);
EVP_PKEY *msg_ec_key(void);
X509 *msg_cert(EVP_PKEY *subject);

/* About the public key of `name`. */
struct msg msg_tbs(const char *name);
struct msg msg_csr(const char *name);
struct msg msg_crl(void);
struct msg msg_whole_cert(void);
struct msg msg_ocsp_response(void);
struct msg msg_ocsp_request(void);
/* ProtectedPart of a real `ir`, and the CertRequest inside. */
struct msg msg_cmp(struct msg *cert_request);
/* SignedAttributes that OpenSSL's CMS made over these bytes, SHA-512. */
struct msg msg_cms(const void *content, size_t len);
struct msg msg_dsse(const char *type, const char *body);
struct msg msg_tls13(const char *context, size_t hash_len);
struct msg msg_tls12(void);
struct msg msg_tls12_transcript(void);
struct msg msg_text(const void *p, size_t len);

/* DER by hand: tag, length, content. */
struct msg msg_der(uint8_t tag, const struct msg *parts, size_t n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients of Sigstore read of our log (docs/SIGSTORE.md): an entry of
 * Rekor's kind dsse 0.0.1 in the same tree, and what the log's second key,
 * ECDSA P-256, signs about it. Part of transparency/transparency.h, which
 * includes it last. The entry is pure; the rest needs libcrypto.
 */
#ifndef TRANSPARENCY_SIGSTORE_H
#define TRANSPARENCY_SIGSTORE_H

#include "transparency/transparency.h"

/* ---- the entry (dsse.c) -------------------------------------------------- */

/* What fits an entry of 4096 bytes: more than 20 participants in a leaf. */
#define TLOG_DSSE_CERT_MAX 2000

/*
 * {"apiVersion":"0.0.1","kind":"dsse","spec":{...}} as RFC 8785 writes it,
 * nothing else: one text for one entry, as for our own.
 */
struct tlog_dsse {
    uint8_t envelope[32]; /* SHA-256 of the envelope */
    uint8_t payload[32];  /* SHA-256 of what is in it */
    uint8_t signature[64];
    uint8_t cert[TLOG_DSSE_CERT_MAX]; /* the leaf, DER */
    size_t cert_len;
};
/* Begins like one: TLOG_DSSE. */
bool tlog_dsse_like(const char *text, size_t len);
/* RC_TOO_LARGE: a certificate too long for an entry. */
MUST_CHECK enum rc tlog_dsse_encode(char out[TLOG_ENTRY_MAX + 1], size_t *len,
                                    const struct tlog_dsse *in);
MUST_CHECK enum rc tlog_dsse_decode(struct tlog_dsse *out, const char *text,
                                    size_t len);

/* ---- its certificate (dsse_cert.c) --------------------------------------- */

/*
 * Is it one certificate of an Ed25519 key, valid now? Who issued it is the
 * caller's to judge. key: that key. RC_PARSE, RC_EXPIRED.
 */
MUST_CHECK enum rc tlog_dsse_check(uint8_t key[32], const struct tlog_dsse *in,
                                   int64_t now_s);
/* Was it signed by this key? RC_VERIFY. */
MUST_CHECK enum rc tlog_dsse_issued(const struct tlog_dsse *in,
                                    const uint8_t issuer[32]);
/* The entry of a statement signed with that certificate's key. */
MUST_CHECK enum rc tlog_dsse_fill(struct tlog_dsse *out, const void *statement,
                                  size_t statement_len,
                                  const uint8_t signature[64], const void *cert,
                                  size_t cert_len);
/* DSSE's pre-authentication encoding of an in-toto statement; *out heap. */
MUST_CHECK enum rc tlog_dsse_pae(uint8_t **out, size_t *len,
                                 const void *statement, size_t statement_len);
#define TLOG_DSSE_TYPE "application/vnd.in-toto+json"

/* ---- the log's second key (p256.c) --------------------------------------- */

#define TLOG_P256_SPKI_LEN 91
#define TLOG_P256_SIG_MAX  72 /* DER */

struct tlog_p256;
/*
 * seed: 32 secret bytes, the same key each time. The private half stands in
 * OpenSSL's secure heap, where the program has one.
 */
MUST_CHECK enum rc tlog_p256_new(struct tlog_p256 **out,
                                 const uint8_t seed[32]);
void tlog_p256_free(struct tlog_p256 *k);
/* SubjectPublicKeyInfo, DER; borrowed. Its SHA-256 is the log's id. */
const uint8_t *tlog_p256_spki(const struct tlog_p256 *k);
const uint8_t *tlog_p256_id(const struct tlog_p256 *k);
/* ECDSA over SHA-256, DER. */
MUST_CHECK enum rc tlog_p256_sign(uint8_t sig[TLOG_P256_SIG_MAX],
                                  size_t *sig_len, const struct tlog_p256 *k,
                                  const void *p, size_t len);
/* RC_PARSE: no P-256 key; RC_VERIFY. */
MUST_CHECK enum rc tlog_p256_verify(const uint8_t *spki, size_t spki_len,
                                    const void *p, size_t len,
                                    const uint8_t *sig, size_t sig_len);

/* ---- what it signs (sct.c, rekor.c) -------------------------------------- */

/*
 * RFC 6962 section 3.2, precert_entry: one SCT over this TBSCertificate, which
 * has no SCT list, as a SignedCertificateTimestampList.
 */
#define TLOG_SCT_LIST_MAX (4 + 1 + 32 + 8 + 2 + 4 + TLOG_P256_SIG_MAX)
MUST_CHECK enum rc tlog_sct_make(uint8_t list[TLOG_SCT_LIST_MAX],
                                 size_t *list_len, const struct tlog_p256 *k,
                                 const uint8_t issuer_key_hash[32],
                                 const uint8_t *tbs, size_t tbs_len,
                                 uint64_t at_ms);
/* Such a list, exactly one SCT: *at_ms is its time. RC_PARSE, RC_VERIFY. */
MUST_CHECK enum rc tlog_sct_check(uint64_t *at_ms, const uint8_t *list,
                                  size_t list_len, const uint8_t *spki,
                                  size_t spki_len,
                                  const uint8_t issuer_key_hash[32],
                                  const uint8_t *tbs, size_t tbs_len);

/* What a signed entry timestamp is over; *out heap text. */
MUST_CHECK enum rc tlog_set_message(char **out, size_t *len, const char *entry,
                                    size_t entry_len, uint64_t index,
                                    int64_t integrated,
                                    const uint8_t log_id[32]);

/*
 * The name of the log as these clients see it: "log.<deployment>", and in a
 * checkpoint's first line "log.<deployment> - <tree>", tree being the first
 * 63 bits of the key's id.
 */
MUST_CHECK enum rc tlog_rekor_host(char out[TLOG_NAME_MAX],
                                   const char *deployment);
/* The checkpoint of that size with one line, of this key. */
MUST_CHECK enum rc tlog_rekor_note(char out[TLOG_NOTE_MAX], const char *host,
                                   const struct tlog_p256 *k, uint64_t size,
                                   const struct tlog_hash *root);
/* Opens one: exactly one line, the key's, over this host and tree. RC_LOG. */
MUST_CHECK enum rc tlog_rekor_open(struct tlog_checkpoint *out,
                                   const char *note, size_t len,
                                   const char *host, const uint8_t *spki,
                                   size_t spki_len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CMS signature without a private key at hand: OpenSSL builds the structure
 * around the leaf's public key, the sidecar signs the attributes' bytes.
 */
#include "cli/cms.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/clock.h"

#define WAIT_MS 10000

OWNED_BY(ASN1_TIME, ASN1_TIME_free);
static void free_any(ASN1_SEQUENCE_ANY *list)
{
    sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
}
OWNED_BY(ASN1_SEQUENCE_ANY, free_any);

void cms_certs_free(cms_certs *list)
{
    sk_X509_pop_free(list, X509_free);
}

static enum rc openssl_failed(const char *what)
{
    char why[200];
    ERR_error_string_n(ERR_peek_last_error(), why, sizeof(why));
    ERR_clear_error();
    return rc_raise(RC_INTERNAL, "%s: %s", what, why);
}

/* ---- the structure ------------------------------------------------------ */

static enum rc open_chain(cms_certs **out, const struct wire_chain *chain)
{
    OWNED(cms_certs) *list = sk_X509_new_null();
    for (size_t i = 0; list && i < chain->chain.n; i++) {
        const unsigned char *at = chain->chain.at[i].p;
        OWNED(X509) *x = d2i_X509(NULL, &at, (long)chain->chain.at[i].len);
        ERR_clear_error();
        if (!x)
            return rc_raise(RC_PARSE, "certificate %zu of the chain: not DER",
                            i);
        if (sk_X509_push(list, x) > 0)
            x = NULL; /* the list's */
    }
    if (!list || sk_X509_num(list) != (int)chain->chain.n || !chain->chain.n)
        return rc_raise(RC_NOMEM, "chain: empty, or out of memory");
    *out = TAKE(list);
    return RC_OK;
}

/* A string of our own: OpenSSL's is marked for streaming, and would come out
 * in pieces (BER). */
static bool embed(CMS_ContentInfo *cms, const struct cli_content *c)
{
    ASN1_OCTET_STRING **at;
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    if (!s || ASN1_OCTET_STRING_set(s, c->bytes, (int)c->size) != 1 ||
        CMS_set_detached(cms, 0) != 1 || !(at = CMS_get0_content(cms))) {
        ASN1_OCTET_STRING_free(s);
        return false;
    }
    ASN1_OCTET_STRING_free(*at);
    *at = s;
    return true;
}

static enum rc begin(CMS_ContentInfo **out, CMS_SignerInfo **si,
                     cms_certs *certs, const struct cli_content *content)
{
    X509 *leaf = sk_X509_value(certs, 0);
    OWNED(CMS_ContentInfo) *cms = CMS_sign(
            NULL, NULL, certs, NULL, CMS_PARTIAL | CMS_BINARY | CMS_DETACHED);
    if (!cms || (content->bytes && !embed(cms, content)))
        return openssl_failed("CMS");
    /* CADES: signingCertificateV2, so that no other leaf of this key can be
     * put in this one's place */
    *si = CMS_add1_signer(cms, leaf, X509_get0_pubkey(leaf), EVP_sha512(),
                          CMS_PARTIAL | CMS_BINARY | CMS_NOCERTS |
                                  CMS_NOSMIMECAP | CMS_CADES);
    if (!*si)
        return openssl_failed("CMS signer");
    *out = TAKE(cms);
    return RC_OK;
}

/* ---- the attributes ----------------------------------------------------- */

/* A time outside of the certificate's would never verify. */
static enum rc check_clock(X509 *leaf, time_t now_s)
{
    if (X509_cmp_time(X509_get0_notBefore(leaf), &now_s) < 0 &&
        X509_cmp_time(X509_get0_notAfter(leaf), &now_s) > 0)
        return RC_OK;
    char when[CLOCK_TEXT_SIZE];
    enum rc rc = rc_raise(RC_EXPIRED,
                          "the fresh certificate is not valid at %s, this "
                          "machine's time",
                          clock_text(when, (int64_t)now_s));
    rc_hint("the clocks of this machine and of the CA differ: set them");
    return rc;
}

static enum rc put_attributes(CMS_ContentInfo *cms, CMS_SignerInfo *si,
                              X509 *leaf, const uint8_t digest[64])
{
    time_t now_s = (time_t)clock_now_s();
    TRY(check_clock(leaf, now_s));
    OWNED(ASN1_TIME) *now = ASN1_TIME_set(NULL, now_s);
    if (!now ||
        CMS_signed_add1_attr_by_NID(si, NID_pkcs9_contentType, V_ASN1_OBJECT,
                                    CMS_get0_eContentType(cms), -1) != 1 ||
        CMS_signed_add1_attr_by_NID(si, NID_pkcs9_signingTime,
                                    ASN1_STRING_type(now), now, -1) != 1 ||
        CMS_signed_add1_attr_by_NID(si, NID_pkcs9_messageDigest,
                                    V_ASN1_OCTET_STRING, digest, 64) != 1)
        return openssl_failed("CMS attributes");
    return RC_OK;
}

static bool push_attribute(ASN1_SEQUENCE_ANY *list, X509_ATTRIBUTE *a)
{
    unsigned char *der = NULL;
    int len = i2d_X509_ATTRIBUTE(a, &der);
    const unsigned char *at = der;
    ASN1_TYPE *any = len > 0 ? d2i_ASN1_TYPE(NULL, &at, len) : NULL;
    OPENSSL_free(der);
    if (any && sk_ASN1_TYPE_push(list, any) > 0)
        return true;
    ASN1_TYPE_free(any);
    return false;
}

enum rc cms_attributes(uint8_t **der, size_t *len, const CMS_SignerInfo *si)
{
    OWNED(ASN1_SEQUENCE_ANY) *list = sk_ASN1_TYPE_new_null();
    int n = CMS_signed_get_attr_count(si);
    if (n <= 0)
        return rc_raise(RC_VERIFY, "CMS: no signed attributes");
    for (int i = 0; i < n; i++)
        if (!list || !push_attribute(list, CMS_signed_get_attr(si, i)))
            return openssl_failed("CMS attributes");
    unsigned char *out = NULL;
    int out_len = i2d_ASN1_SET_ANY(list, &out); /* sorts, as DER wants */
    if (out_len <= 0)
        return openssl_failed("CMS attributes");
    *der = out;
    *len = (size_t)out_len;
    return RC_OK;
}

/* ---- the signature ------------------------------------------------------ */

static enum rc check_signed(const struct wire_signed *by, X509 *leaf,
                            const uint8_t *der, size_t len)
{
    uint8_t pub[32];
    size_t n = sizeof(pub);
    EVP_PKEY *key = X509_get0_pubkey(leaf);
    if (!key || EVP_PKEY_get_raw_public_key(key, pub, &n) != 1 ||
        n != sizeof(pub) || memcmp(pub, by->group_key, 32) != 0) {
        ERR_clear_error();
        return rc_raise(RC_VERIFY, "the certificate is of another key than "
                                   "the one that signed");
    }
    if (crypto_sign_verify_detached(by->signature, der, len, pub) != 0)
        return rc_raise(RC_VERIFY, "the sidecar's signature does not verify");
    return RC_OK;
}

static enum rc sign_attributes(struct wire_signed *by, CMS_SignerInfo *si,
                               const char *key, const char *session, X509 *leaf)
{
    uint8_t *der = NULL;
    size_t len = 0;
    X509_ALGOR *how = NULL;
    TRY(cms_attributes(&der, &len, si));
    enum rc rc = cli_ask_sign(by, NULL, key, session ? session : "", der, len,
                              WAIT_MS);
    if (rc == RC_OK)
        rc = check_signed(by, leaf, der, len);
    OPENSSL_free(der);
    TRY(rc);
    CMS_SignerInfo_get0_algs(si, NULL, NULL, NULL, &how);
    if (!how ||
        X509_ALGOR_set0(how, OBJ_nid2obj(NID_ED25519), V_ASN1_UNDEF, NULL) !=
                1 ||
        ASN1_STRING_set(CMS_SignerInfo_get0_signature(si), by->signature, 64) !=
                1)
        return openssl_failed("CMS signature");
    return RC_OK;
}

enum rc cms_make(CMS_ContentInfo **out, struct wire_signed *by, const char *key,
                 const char *session, const struct wire_chain *chain,
                 const struct cli_content *content)
{
    OWNED(cms_certs) *certs = NULL;
    OWNED(CMS_ContentInfo) *cms = NULL;
    CMS_SignerInfo *si = NULL; /* cms's */
    TRY(open_chain(&certs, chain));
    TRY(begin(&cms, &si, certs, content));
    X509 *leaf = sk_X509_value(certs, 0);
    TRY(put_attributes(cms, si, leaf, content->sha512));
    TRY(sign_attributes(by, si, key, session, leaf));
    *out = TAKE(cms);
    return RC_OK;
}

/* ---- bytes -------------------------------------------------------------- */

static enum rc to_pem(uint8_t **out, size_t *len, const uint8_t *der,
                      size_t der_len, const char *label)
{
    OWNED(BIO) *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (!bio || PEM_write_bio(bio, label, "", der, (long)der_len) <= 0)
        return openssl_failed("CMS as PEM");
    long n = BIO_get_mem_data(bio, &text);
    uint8_t *copy = malloc((size_t)n);
    if (!copy)
        return rc_raise(RC_NOMEM, "CMS: out of memory");
    memcpy(copy, text, (size_t)n);
    *out = copy;
    *len = (size_t)n;
    return RC_OK;
}

enum rc cms_write(uint8_t **out, size_t *len, CMS_ContentInfo *cms,
                  const char *label)
{
    int n = i2d_CMS_ContentInfo(cms, NULL);
    OWNED_MEM uint8_t *der = n > 0 ? malloc((size_t)n) : NULL;
    unsigned char *at = der;
    if (!der || i2d_CMS_ContentInfo(cms, &at) != n)
        return openssl_failed("CMS");
    if (label)
        return to_pem(out, len, der, (size_t)n, label);
    *out = TAKE(der);
    *len = (size_t)n;
    return RC_OK;
}

static enum rc from_der(CMS_ContentInfo **out, const uint8_t *der, size_t len)
{
    const unsigned char *at = der;
    OWNED(CMS_ContentInfo) *cms = d2i_CMS_ContentInfo(NULL, &at, (long)len);
    ERR_clear_error();
    if (!cms || at != der + len ||
        OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
        return rc_raise(RC_PARSE, "not a CMS signature, DER or PEM");
    *out = TAKE(cms);
    return RC_OK;
}

enum rc cms_read(CMS_ContentInfo **out, const uint8_t *bytes, size_t len)
{
    char *label = NULL;
    char *header = NULL;
    unsigned char *der = NULL;
    long der_len = 0;
    if (len > CMS_FILE_MAX)
        return rc_raise(RC_TOO_LARGE, "CMS: over %u bytes", CMS_FILE_MAX);
    if (len > 0 && bytes[0] == 0x30)
        return from_der(out, bytes, len);
    OWNED(BIO) *bio = BIO_new_mem_buf(bytes, (int)len);
    bool pem = bio && PEM_read_bio(bio, &label, &header, &der, &der_len) == 1;
    ERR_clear_error();
    enum rc rc = pem && (strcmp(label, CMS_PEM) == 0 ||
                         strcmp(label, CMS_PEM_GIT) == 0 ||
                         strcmp(label, CMS_PEM_PKCS) == 0)
                         ? from_der(out, der, (size_t)der_len)
                         : rc_raise(RC_PARSE, "not a CMS signature, DER or "
                                              "PEM");
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(der);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a CMS signature what it says? Strict where a verifier may be: one signer,
 * each attribute once, the algorithms of RFC 8419 and no other. Anything else
 * is refused with its name; openssl cms -verify judges those.
 */
#include "cli/cms.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/ess.h>

OWNED_BY(ESS_SIGNING_CERT_V2, ESS_SIGNING_CERT_V2_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);

void cms_signer_free(struct cms_signer *s)
{
    X509_free(s->leaf);
    cms_certs_free(s->certs);
    *s = (struct cms_signer){ 0 };
}

/* ---- the one signer ----------------------------------------------------- */

static enum rc the_signer(CMS_SignerInfo **out, CMS_ContentInfo *cms)
{
    STACK_OF(CMS_SignerInfo) *list = CMS_get0_SignerInfos(cms);
    int n = list ? sk_CMS_SignerInfo_num(list) : 0;
    if (n != 1)
        return rc_raise(RC_VERIFY, "CMS: %d signers, want 1", n);
    *out = sk_CMS_SignerInfo_value(list, 0);
    return RC_OK;
}

static enum rc check_algorithms(CMS_SignerInfo *si)
{
    X509_ALGOR *digest;
    X509_ALGOR *how;
    const ASN1_OBJECT *oid;
    int param;
    char name[80];
    CMS_SignerInfo_get0_algs(si, NULL, NULL, &digest, &how);
    X509_ALGOR_get0(&oid, NULL, NULL, digest);
    if (OBJ_obj2nid(oid) != NID_sha512) {
        OBJ_obj2txt(name, sizeof(name), oid, 0);
        return rc_raise(RC_VERIFY, "CMS: digest %s, want SHA-512 (RFC 8419)",
                        name);
    }
    X509_ALGOR_get0(&oid, &param, NULL, how);
    if (OBJ_obj2nid(oid) == NID_ED25519 && param == V_ASN1_UNDEF)
        return RC_OK;
    OBJ_obj2txt(name, sizeof(name), oid, 0);
    enum rc rc = rc_raise(RC_VERIFY, "CMS: signature by %s, want plain Ed25519",
                          name);
    rc_hint("openssl cms -verify judges other algorithms");
    return rc;
}

/* ---- its attributes ----------------------------------------------------- */

/* The value of an attribute that is there once, with one value; else NULL. */
static const ASN1_TYPE *only_value(const CMS_SignerInfo *si, int nid)
{
    int at = CMS_signed_get_attr_by_NID(si, nid, -1);
    if (at < 0 || CMS_signed_get_attr_by_NID(si, nid, at) >= 0)
        return NULL;
    X509_ATTRIBUTE *a = CMS_signed_get_attr(si, at);
    return X509_ATTRIBUTE_count(a) == 1 ? X509_ATTRIBUTE_get0_type(a, 0) : NULL;
}

static enum rc check_type(CMS_ContentInfo *cms, const CMS_SignerInfo *si)
{
    const ASN1_TYPE *v = only_value(si, NID_pkcs9_contentType);
    if (!v || ASN1_TYPE_get(v) != V_ASN1_OBJECT ||
        OBJ_cmp(v->value.object, CMS_get0_eContentType(cms)) != 0)
        return rc_raise(RC_VERIFY, "CMS: contentType is missing, repeated or "
                                   "not the content's");
    return RC_OK;
}

static enum rc read_time(struct cms_signer *s, const CMS_SignerInfo *si)
{
    struct tm tm;
    if (CMS_signed_get_attr_by_NID(si, NID_pkcs9_signingTime, -1) < 0)
        return RC_OK;
    const ASN1_TYPE *v = only_value(si, NID_pkcs9_signingTime);
    int type = v ? ASN1_TYPE_get(v) : V_ASN1_UNDEF;
    if ((type != V_ASN1_UTCTIME && type != V_ASN1_GENERALIZEDTIME) ||
        ASN1_TIME_to_tm(v->value.asn1_string, &tm) != 1) {
        ERR_clear_error();
        return rc_raise(RC_VERIFY, "CMS: signingTime is repeated or no time");
    }
    s->time_s = (int64_t)timegm(&tm);
    s->has_time = true;
    return RC_OK;
}

static enum rc message_digest(uint8_t out[64], const CMS_SignerInfo *si)
{
    const ASN1_TYPE *v = only_value(si, NID_pkcs9_messageDigest);
    if (!v || ASN1_TYPE_get(v) != V_ASN1_OCTET_STRING ||
        ASN1_STRING_length(v->value.octet_string) != 64)
        return rc_raise(RC_VERIFY, "CMS: messageDigest is missing, repeated or "
                                   "not 64 bytes");
    memcpy(out, ASN1_STRING_get0_data(v->value.octet_string), 64);
    return RC_OK;
}

/* Leaf first, as the check of signingCertificateV2 wants them; borrowed. */
static STACK_OF(X509) * leaf_first(const struct cms_signer *s)
{
    STACK_OF(X509) *list = sk_X509_new_null();
    bool ok = list && sk_X509_push(list, s->leaf) > 0;
    for (int i = 0; ok && i < sk_X509_num(s->certs); i++) {
        X509 *x = sk_X509_value(s->certs, i);
        ok = x == s->leaf || sk_X509_push(list, x) > 0;
    }
    if (!ok) {
        sk_X509_free(list);
        return NULL;
    }
    return list;
}

/* Where the signer says which certificate is meant, it is the leaf: another
 * one of the same key cannot be put in its place. */
static enum rc check_meant(const struct cms_signer *s, const CMS_SignerInfo *si)
{
    int nid = NID_id_smime_aa_signingCertificateV2;
    if (CMS_signed_get_attr_by_NID(si, nid, -1) < 0)
        return RC_OK;
    const ASN1_TYPE *v = only_value(si, nid);
    OWNED(ESS_SIGNING_CERT_V2) *meant = NULL;
    if (v && ASN1_TYPE_get(v) == V_ASN1_SEQUENCE) {
        const unsigned char *at = ASN1_STRING_get0_data(v->value.sequence);
        meant = d2i_ESS_SIGNING_CERT_V2(NULL, &at,
                                        ASN1_STRING_length(v->value.sequence));
    }
    STACK_OF(X509) *list = leaf_first(s);
    bool ok = meant && list &&
              OSSL_ESS_check_signing_certs(NULL, meant, list, 1) > 0;
    sk_X509_free(list);
    ERR_clear_error();
    return ok ? RC_OK
              : rc_raise(RC_VERIFY, "CMS: signingCertificateV2 means another "
                                    "certificate");
}

/* ---- its signature ------------------------------------------------------ */

static enum rc find_leaf(struct cms_signer *s, CMS_ContentInfo *cms,
                         CMS_SignerInfo *si)
{
    s->certs = CMS_get1_certs(cms);
    int n = s->certs ? sk_X509_num(s->certs) : 0;
    for (int i = 0; i < n; i++) {
        X509 *x = sk_X509_value(s->certs, i);
        if (CMS_SignerInfo_cert_cmp(si, x) != 0)
            continue;
        X509_up_ref(x);
        s->leaf = x;
        return RC_OK;
    }
    return rc_raise(RC_VERIFY,
                    "CMS: the signer's certificate is not among "
                    "the %d that came along",
                    n);
}

static enum rc check_signature(const struct cms_signer *s, CMS_SignerInfo *si)
{
    uint8_t *der = NULL;
    size_t len;
    EVP_PKEY *key = X509_get0_pubkey(s->leaf);
    if (!key || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
        ERR_clear_error();
        return rc_raise(RC_VERIFY, "CMS: the certificate's key is not Ed25519");
    }
    TRY(cms_attributes(&der, &len, si));
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    ASN1_OCTET_STRING *sig = CMS_SignerInfo_get0_signature(si);
    bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(ctx, ASN1_STRING_get0_data(sig),
                               (size_t)ASN1_STRING_length(sig), der, len) == 1;
    OPENSSL_free(der);
    ERR_clear_error();
    return ok ? RC_OK
              : rc_raise(RC_VERIFY, "CMS: the signature does not verify over "
                                    "the signed attributes");
}

static enum rc judge(struct cms_signer *s, CMS_ContentInfo *cms)
{
    CMS_SignerInfo *si; /* cms's */
    uint8_t digest[64];
    TRY(the_signer(&si, cms));
    TRY(check_algorithms(si));
    if (CMS_signed_get_attr_count(si) <= 0)
        return rc_raise(RC_VERIFY, "CMS: no signed attributes");
    TRY(check_type(cms, si));
    TRY(message_digest(digest, si)); /* which one: cms_judge_digest */
    TRY(read_time(s, si));
    TRY(find_leaf(s, cms, si));
    TRY(check_meant(s, si));
    return check_signature(s, si);
}

enum rc cms_judge_signature(struct cms_signer *out, CMS_ContentInfo *cms)
{
    struct cms_signer s = { 0 };
    enum rc rc = judge(&s, cms);
    if (rc == RC_OK)
        *out = s;
    else
        cms_signer_free(&s);
    return rc;
}

enum rc cms_judge_digest(CMS_ContentInfo *cms, const uint8_t digest[64])
{
    CMS_SignerInfo *si;
    uint8_t signed_digest[64];
    TRY(the_signer(&si, cms));
    TRY(message_digest(signed_digest, si));
    if (memcmp(signed_digest, digest, 64) == 0)
        return RC_OK;
    enum rc rc = rc_raise(RC_VERIFY, "CMS: signed for other content");
    rc_hint("text that openssl cms -sign took without -binary was changed to "
            "CRLF lines before it was signed");
    return rc;
}

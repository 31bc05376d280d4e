/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CMS SignedAttributes: known by their shape, signed only when every
 * attribute is one we understand and the digest is the approved one.
 */
#include "policy/forms.h"

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

static void free_any(ASN1_SEQUENCE_ANY *list)
{
    sk_ASN1_TYPE_pop_free(list, ASN1_TYPE_free);
}
OWNED_BY(ASN1_SEQUENCE_ANY, free_any);
OWNED_BY(X509_ATTRIBUTE, X509_ATTRIBUTE_free);

/* NULL unless msg is exactly one SET. */
static ASN1_SEQUENCE_ANY *set_of(const uint8_t *msg, size_t len)
{
    if (len < 2 || len > INT32_MAX || msg[0] != 0x31)
        return NULL;
    const unsigned char *at = msg;
    ASN1_SEQUENCE_ANY *list = d2i_ASN1_SET_ANY(NULL, &at, (long)len);
    if (list && at != msg + len) {
        free_any(list);
        return NULL;
    }
    return list;
}

/* NULL unless the element is exactly one Attribute. */
static X509_ATTRIBUTE *attribute_of(const ASN1_TYPE *any)
{
    if (ASN1_TYPE_get(any) != V_ASN1_SEQUENCE)
        return NULL;
    const unsigned char *at = any->value.sequence->data;
    const unsigned char *end = at + any->value.sequence->length;
    X509_ATTRIBUTE *a = d2i_X509_ATTRIBUTE(NULL, &at,
                                           any->value.sequence->length);
    if (a && at != end) {
        X509_ATTRIBUTE_free(a);
        return NULL;
    }
    return a;
}

bool policy_cms_is(const uint8_t *msg, size_t len)
{
    OWNED(ASN1_SEQUENCE_ANY) *list = set_of(msg, len);
    int n = list ? sk_ASN1_TYPE_num(list) : 0;
    for (int i = 0; i < n; i++) {
        OWNED(X509_ATTRIBUTE) *a = attribute_of(sk_ASN1_TYPE_value(list, i));
        if (!a)
            return false;
    }
    return n > 0;
}

/* ---- may they be signed? --------------------------------------------------- */

enum known { CONTENT_TYPE, MESSAGE_DIGEST, TIME, CAPABILITIES, CERTIFICATE };
#define N_KNOWN 5

static int known_of(X509_ATTRIBUTE *a)
{
    static const int nids[N_KNOWN] = {
        [CONTENT_TYPE] = NID_pkcs9_contentType,
        [MESSAGE_DIGEST] = NID_pkcs9_messageDigest,
        [TIME] = NID_pkcs9_signingTime,
        [CAPABILITIES] = NID_SMIMECapabilities,
        [CERTIFICATE] = NID_id_smime_aa_signingCertificateV2,
    };
    int nid = OBJ_obj2nid(X509_ATTRIBUTE_get0_object(a));
    for (int i = 0; nid != NID_undef && i < N_KNOWN; i++)
        if (nids[i] == nid)
            return i;
    return -1;
}

static enum rc check_digest(const struct policy_session *s,
                            const ASN1_TYPE *value)
{
    if (ASN1_TYPE_get(value) != V_ASN1_OCTET_STRING)
        return rc_raise(RC_POLICY, "cms: messageDigest is no OCTET STRING");
    const ASN1_OCTET_STRING *d = value->value.octet_string;
    if (!s->has_artifact)
        return RC_OK;
    if (ASN1_STRING_length(d) != 64)
        return rc_raise(RC_POLICY,
                        "cms: messageDigest has %d bytes, want SHA-512's 64",
                        ASN1_STRING_length(d));
    if (memcmp(ASN1_STRING_get0_data(d), s->artifact_sha512, 64) != 0)
        return rc_raise(RC_POLICY, "cms: messageDigest is not the approved "
                                   "artifact's SHA-512");
    return RC_OK;
}

static enum rc check_value(const struct policy_session *s, enum known what,
                           const ASN1_TYPE *value)
{
    if (what == MESSAGE_DIGEST)
        return check_digest(s, value);
    /* an approved file is not to come back as a time stamp, say */
    if (what == CONTENT_TYPE && s->has_artifact &&
        (ASN1_TYPE_get(value) != V_ASN1_OBJECT ||
         OBJ_obj2nid(value->value.object) != NID_pkcs7_data))
        return rc_raise(RC_POLICY, "cms: contentType is not data");
    return RC_OK;
}

static enum rc check_attribute(const struct policy_session *s, bool *seen,
                               const ASN1_TYPE *any)
{
    OWNED(X509_ATTRIBUTE) *a = attribute_of(any);
    if (!a)
        return rc_raise(RC_POLICY, "cms: not an Attribute");
    int what = known_of(a);
    if (what < 0)
        return rc_raise(RC_POLICY,
                        "cms: an attribute other than contentType, "
                        "messageDigest, signingTime, SMIMECapabilities and "
                        "signingCertificateV2");
    if (seen[what] || X509_ATTRIBUTE_count(a) != 1)
        return rc_raise(RC_POLICY,
                        "cms: attribute %d repeated or without "
                        "exactly one value",
                        what);
    seen[what] = true;
    return check_value(s, (enum known)what, X509_ATTRIBUTE_get0_type(a, 0));
}

enum rc policy_cms_check(const struct policy_session *s, const uint8_t *msg,
                         size_t len)
{
    OWNED(ASN1_SEQUENCE_ANY) *list = set_of(msg, len);
    bool seen[N_KNOWN] = { false };
    int n = list ? sk_ASN1_TYPE_num(list) : 0;
    for (int i = 0; i < n; i++)
        TRY(check_attribute(s, seen, sk_ASN1_TYPE_value(list, i)));
    if (!seen[CONTENT_TYPE] || !seen[MESSAGE_DIGEST])
        return rc_raise(RC_POLICY, "cms: want contentType and messageDigest");
    return RC_OK;
}

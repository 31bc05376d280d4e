/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "messages.h"

#include <openssl/cmp.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>

#include "fixture.h"

struct msg msg_text(const void *p, size_t len)
{
    struct msg m = { .len = len };
    assert_true(len <= MSG_MAX);
    if (len)
        memcpy(m.b, p, len);
    return m;
}

struct msg msg_der(uint8_t tag, const struct msg *parts, size_t n)
{
    struct msg m = { 0 };
    size_t len = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        len += parts[i].len;
    assert_true(len + 4 <= MSG_MAX);
    m.b[at++] = tag;
    if (len > 0xff)
        m.b[at++] = 0x82, m.b[at++] = (uint8_t)(len >> 8);
    else if (len > 0x7f)
        m.b[at++] = 0x81;
    m.b[at++] = (uint8_t)len;
    for (size_t i = 0; i < n; at += parts[i++].len)
        memcpy(m.b + at, parts[i].b, parts[i].len);
    m.len = at;
    return m;
}

/* Takes what i2d made. */
static struct msg of_der(unsigned char *der, int len)
{
    assert_true(len > 0);
    struct msg m = msg_text(der, (size_t)len);
    OPENSSL_free(der);
    return m;
}

/* The nth element within a constructed one. */
static struct msg child(const struct msg *m, int n)
{
    const unsigned char *at = m->b, *start = at;
    long len;
    int tag, class;
    assert_int_equal(
            ASN1_get_object(&at, &len, &tag, &class, (long)m->len) & 0x80, 0);
    const unsigned char *end = at + len;
    for (int i = 0; i <= n; i++) {
        assert_true(at < end);
        start = at;
        ASN1_get_object(&at, &len, &tag, &class, end - at);
        at += len;
    }
    return msg_text(start, (size_t)(at - start));
}

EVP_PKEY *msg_key(const char *name)
{
    uint8_t pk[32], sk[64];
    fx_key(pk, sk, name);
    EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, sk, 32);
    assert_non_null(k);
    return k;
}

EVP_PKEY *msg_ec_key(void)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    assert_non_null(k);
    return k;
}

static void name_it(X509_NAME *n)
{
    assert_int_equal(X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC,
                                                (const uint8_t *)"dev", -1, -1,
                                                0),
                     1);
}

X509 *msg_cert(EVP_PKEY *subject)
{
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 300);
    name_it(X509_get_subject_name(x));
    name_it(X509_get_issuer_name(x));
    X509_set_pubkey(x, subject);
    const EVP_MD *md = EVP_PKEY_is_a(subject, "EC") ? EVP_sha256() : NULL;
    assert_true(X509_sign(x, subject, md) > 0);
    return x;
}

struct msg msg_tbs(const char *name)
{
    EVP_PKEY *k = msg_key(name);
    X509 *x = msg_cert(k);
    unsigned char *der = NULL;
    int len = i2d_re_X509_tbs(x, &der);
    X509_free(x);
    EVP_PKEY_free(k);
    return of_der(der, len);
}

struct msg msg_whole_cert(void)
{
    EVP_PKEY *k = msg_key("release");
    X509 *x = msg_cert(k);
    unsigned char *der = NULL;
    int len = i2d_X509(x, &der);
    X509_free(x);
    EVP_PKEY_free(k);
    return of_der(der, len);
}

struct msg msg_csr(const char *name)
{
    EVP_PKEY *k = msg_key(name);
    X509_REQ *r = X509_REQ_new();
    X509_REQ_set_version(r, X509_REQ_VERSION_1);
    name_it(X509_REQ_get_subject_name(r));
    X509_REQ_set_pubkey(r, k);
    assert_true(X509_REQ_sign(r, k, NULL) > 0);
    unsigned char *der = NULL;
    int len = i2d_re_X509_REQ_tbs(r, &der);
    X509_REQ_free(r);
    EVP_PKEY_free(k);
    return of_der(der, len);
}

struct msg msg_crl(void)
{
    EVP_PKEY *k = msg_key("ca");
    X509_CRL *c = X509_CRL_new();
    X509_NAME *n = X509_NAME_new();
    ASN1_TIME *t = X509_gmtime_adj(NULL, 0);
    name_it(n);
    X509_CRL_set_version(c, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(c, n);
    X509_CRL_set1_lastUpdate(c, t);
    X509_CRL_set1_nextUpdate(c, t);
    assert_true(X509_CRL_sign(c, k, NULL) > 0);
    unsigned char *der = NULL;
    int len = i2d_re_X509_CRL_tbs(c, &der);
    ASN1_TIME_free(t);
    X509_NAME_free(n);
    X509_CRL_free(c);
    EVP_PKEY_free(k);
    return of_der(der, len);
}

struct msg msg_ocsp_response(void)
{
    EVP_PKEY *k = msg_ec_key();
    X509 *x = msg_cert(k);
    OCSP_BASICRESP *r = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha256(), x, x);
    ASN1_TIME *t = X509_gmtime_adj(NULL, 0);
    assert_non_null(OCSP_basic_add1_status(r, id, V_OCSP_CERTSTATUS_GOOD, 0,
                                           NULL, t, NULL));
    assert_int_equal(OCSP_basic_sign(r, x, k, EVP_sha256(), NULL, 0), 1);
    unsigned char *der = NULL;
    OCSP_RESPDATA *data = (OCSP_RESPDATA *)(uintptr_t)OCSP_resp_get0_respdata(
            r);
    int len = i2d_OCSP_RESPDATA(data, &der);
    ASN1_TIME_free(t);
    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(r);
    X509_free(x);
    EVP_PKEY_free(k);
    return of_der(der, len);
}

struct msg msg_ocsp_request(void)
{
    EVP_PKEY *k = msg_ec_key();
    X509 *x = msg_cert(k);
    OCSP_REQUEST *r = OCSP_REQUEST_new();
    assert_non_null(
            OCSP_request_add0_id(r, OCSP_cert_to_id(EVP_sha256(), x, x)));
    unsigned char *der = NULL;
    int len = i2d_OCSP_REQUEST(r, &der);
    struct msg whole = of_der(der, len);
    OCSP_REQUEST_free(r);
    X509_free(x);
    EVP_PKEY_free(k);
    return child(&whole, 0);
}

static OSSL_CMP_MSG *catch_request(OSSL_CMP_CTX *ctx, const OSSL_CMP_MSG *req)
{
    struct msg *out = OSSL_CMP_CTX_get_transfer_cb_arg(ctx);
    unsigned char *der = NULL;
    int len = i2d_OSSL_CMP_MSG(req, &der);
    *out = of_der(der, len);
    return NULL; /* nobody answers */
}

struct msg msg_cmp(struct msg *cert_request)
{
    struct msg whole = { 0 };
    EVP_PKEY *k = msg_key("release");
    X509_NAME *n = X509_NAME_new();
    OSSL_CMP_CTX *ctx = OSSL_CMP_CTX_new(NULL, NULL);
    name_it(n);
    OSSL_CMP_CTX_set1_recipient(ctx, n);
    OSSL_CMP_CTX_set1_subjectName(ctx, n);
    OSSL_CMP_CTX_set1_referenceValue(ctx, (const uint8_t *)"ref", 3);
    OSSL_CMP_CTX_set1_secretValue(ctx, (const uint8_t *)"pass", 4);
    OSSL_CMP_CTX_set_transfer_cb(ctx, catch_request);
    OSSL_CMP_CTX_set_transfer_cb_arg(ctx, &whole);
    OSSL_CMP_CTX_set_log_cb(ctx, NULL);
    OSSL_CMP_CTX_set_log_verbosity(ctx, 0);
    EVP_PKEY_up_ref(k);
    OSSL_CMP_CTX_set0_newPkey(ctx, 1, k);
    X509 *none = OSSL_CMP_exec_IR_ses(ctx);
    assert_null(none);
    assert_true(whole.len > 0);
    OSSL_CMP_CTX_free(ctx);
    X509_NAME_free(n);
    EVP_PKEY_free(k);

    struct msg part[2] = { child(&whole, 0), child(&whole, 1) };
    if (cert_request) {
        struct msg list = child(&part[1], 0), first = child(&list, 0);
        *cert_request = child(&first, 0);
    }
    return msg_der(0x30, part, 2);
}

static int by_der(const void *a, const void *b)
{
    const struct msg *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int cmp = memcmp(x->b, y->b, n);
    return cmp ? cmp : (x->len > y->len) - (x->len < y->len);
}

struct msg msg_cms(const void *content, size_t len)
{
    EVP_PKEY *k = msg_ec_key();
    X509 *x = msg_cert(k);
    BIO *in = BIO_new_mem_buf(content, (int)len);
    unsigned flags = CMS_BINARY | CMS_DETACHED | CMS_PARTIAL;
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, in, flags);
    CMS_SignerInfo *si = CMS_add1_signer(cms, x, k, EVP_sha512(),
                                         flags | CMS_CADES);
    assert_non_null(si);
    assert_int_equal(CMS_final(cms, in, NULL, flags), 1);
    struct msg part[8];
    int n = CMS_signed_get_attr_count(si);
    assert_in_range(n, 3, 8);
    for (int i = 0; i < n; i++) {
        unsigned char *der = NULL;
        int der_len = i2d_X509_ATTRIBUTE(CMS_signed_get_attr(si, i), &der);
        part[i] = of_der(der, der_len);
    }
    qsort(part, (size_t)n, sizeof(part[0]), by_der);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
    X509_free(x);
    EVP_PKEY_free(k);
    return msg_der(0x31, part, (size_t)n);
}

struct msg msg_dsse(const char *type, const char *body)
{
    struct msg m = { 0 };
    int n = snprintf((char *)m.b, sizeof(m.b), "DSSEv1 %zu %s %zu %s",
                     strlen(type), type, strlen(body), body);
    assert_in_range(n, 1, MSG_MAX - 1);
    m.len = (size_t)n;
    return m;
}

struct msg msg_tls13(const char *context, size_t hash_len)
{
    struct msg m = { 0 };
    size_t n = strlen(context);
    memset(m.b, ' ', 64);
    memcpy(m.b + 64, context, n + 1);
    memset(m.b + 64 + n + 1, 0xc5, hash_len);
    m.len = 64 + n + 1 + hash_len;
    return m;
}

struct msg msg_tls12(void)
{
    struct msg m = { .len = 68 + 32 };
    memset(m.b, 0x77, m.len);
    memcpy(m.b + 64, "\x03\x00\x1d\x20", 4);
    return m;
}

struct msg msg_tls12_transcript(void)
{
    /* ClientHello, ServerHello, Certificate (none), ServerHelloDone */
    static const uint8_t tail[] = { 2, 0, 0, 38, 3, 3,  0,    0,    0, 0,  0,
                                    0, 0, 0, 0,  0, 0,  0,    0,    0, 0,  0,
                                    0, 0, 0, 0,  0, 0,  0,    0,    0, 0,  0,
                                    0, 0, 0, 0,  0, 0,  0xc0, 0x2b, 0, 11, 0,
                                    0, 3, 0, 0,  0, 14, 0,    0,    0 };
    struct msg m = { .len = 4 + 40 };
    memcpy(m.b, "\x01\x00\x00\x28\x03\x03", 6);
    memcpy(m.b + m.len, tail, sizeof(tail));
    m.len += sizeof(tail);
    return m;
}

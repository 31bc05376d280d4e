/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What are these bytes? A signature says nothing of what was meant, so bytes
 * that some verifier would take for a certificate, a handshake or an envelope
 * are never signed as "raw". Parsing is lenient on purpose: whatever might be
 * read as a form is that form.
 */
#include "policy/forms.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/cmp.h>
#include <openssl/crmf.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>

#include "base/enc.h"

/* ---- DER ------------------------------------------------------------------- */

/* The whole message, to the last byte, is one of OpenSSL's types. */
#define DECODES(name, type)                                                    \
    static bool name(const uint8_t *msg, size_t len)                           \
    {                                                                          \
        const unsigned char *at = msg;                                         \
        type *v = d2i_##type(NULL, &at, (long)len);                            \
        bool whole = v && at == msg + len;                                     \
        type##_free(v);                                                        \
        return whole;                                                          \
    }                                                                          \
    struct decodes_needs_semicolon_##name

DECODES(is_tbs, X509_CINF);
DECODES(is_csr, X509_REQ_INFO);
DECODES(is_crl, X509_CRL_INFO);
DECODES(is_ocsp_response, OCSP_RESPDATA);
DECODES(is_ocsp_request, OCSP_REQINFO);
DECODES(is_cmp_message, OSSL_CMP_MSG);
DECODES(is_crmf, OSSL_CRMF_MSG);

static bool is_ocsp(const uint8_t *msg, size_t len)
{
    return is_ocsp_response(msg, len) || is_ocsp_request(msg, len);
}

/* Elements of the outermost SEQUENCE; -1 when they do not fill it. */
static int children(const uint8_t *msg, size_t len)
{
    const unsigned char *at = msg;
    long n;
    int tag, class, count = 0;
    /* bit 0: indefinite length, whose end only the decoder finds */
    if (ASN1_get_object(&at, &n, &tag, &class, (long)len) & 0x81)
        return -1;
    const unsigned char *end = at + n;
    while (at < end) {
        if (ASN1_get_object(&at, &n, &tag, &class, end - at) & 0x81)
            return -1;
        at += n;
        count++;
    }
    return count;
}

/* CertRequest, what proves possession in CRMF: a CertReqMsg of it alone. */
static bool is_cert_request(const uint8_t *msg, size_t len)
{
    int total = ASN1_object_size(1, (int)len, V_ASN1_SEQUENCE);
    OWNED_MEM uint8_t *wrapped = total > 0 ? malloc((size_t)total) : NULL;
    if (!wrapped)
        return false;
    unsigned char *at = wrapped;
    ASN1_put_object(&at, 1, (int)len, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    memcpy(at, msg, len);
    return is_crmf(wrapped, (size_t)total);
}

/* ProtectedPart is a PKIMessage without protection and certificates. */
static bool is_cmp(const uint8_t *msg, size_t len)
{
    int n = children(msg, len);
    if ((n == 2 || n < 0) && is_cmp_message(msg, len))
        return true;
    return is_cert_request(msg, len);
}

/* ---- DSSE ------------------------------------------------------------------ */

static bool dsse_field(const uint8_t **value, size_t *value_len,
                       const uint8_t **at, const uint8_t *end)
{
    const uint8_t *space = memchr(*at, ' ', (size_t)(end - *at));
    uint64_t n;
    if (!space ||
        enc_undec(&n, (const char *)*at, (size_t)(space - *at)) != RC_OK ||
        n > (uint64_t)(end - space - 1))
        return false;
    *value = space + 1;
    *value_len = n;
    *at = space + 1 + n;
    return true;
}

#define DSSE     "DSSEv1 "
#define DSSE_LEN 7

static bool is_dsse_like(const uint8_t *msg, size_t len)
{
    return len >= DSSE_LEN && memcmp(msg, DSSE, DSSE_LEN) == 0;
}

bool policy_dsse_parse(struct policy_dsse *out, const uint8_t *msg, size_t len)
{
    if (!is_dsse_like(msg, len))
        return false;
    const uint8_t *at = msg + DSSE_LEN, *end = msg + len, *type;
    if (!dsse_field(&type, &out->type_len, &at, end) || at == end ||
        *at++ != ' ')
        return false;
    out->type = (const char *)type;
    return dsse_field(&out->body, &out->body_len, &at, end) && at == end;
}

/* ---- TLS ------------------------------------------------------------------- */

#define TLS13_PAD 64

static size_t tls13_context(const uint8_t *msg, size_t len)
{
    if (len <= TLS13_PAD)
        return 0;
    for (unsigned i = 0; i < TLS13_PAD; i++)
        if (msg[i] != ' ')
            return 0;
    size_t n = 0;
    while (TLS13_PAD + n < len && msg[TLS13_PAD + n] >= 0x20 &&
           msg[TLS13_PAD + n] < 0x7f)
        n++;
    return TLS13_PAD + n < len && msg[TLS13_PAD + n] == 0 ? n : 0;
}

/* RFC 8446 4.4.3: 64 spaces, context, NUL, transcript hash. */
static bool is_tls13(const uint8_t *msg, size_t len)
{
    static const char server[] = "TLS 1.3, server CertificateVerify";
    static const char client[] = "TLS 1.3, client CertificateVerify";
    size_t n = tls13_context(msg, len);
    if (n != sizeof(server) - 1 || (memcmp(msg + TLS13_PAD, server, n) != 0 &&
                                    memcmp(msg + TLS13_PAD, client, n) != 0))
        return false;
    size_t hash = len - TLS13_PAD - n - 1;
    return hash == 32 || hash == 48 || hash == 64;
}

/* RFC 8422 5.4: both randoms, named_curve, group, one point. */
static bool is_tls12_params(const uint8_t *msg, size_t len)
{
    return len > 68 && msg[64] == 3 && msg[65] == 0 && msg[67] == len - 68;
}

/*
 * RFC 5246 7.4.8: a client with an Ed25519 key signs every handshake message
 * so far: ClientHello, ServerHello, ..., each type, u24 length, body.
 */
static bool is_tls12_transcript(const uint8_t *msg, size_t len)
{
    size_t at = 0;
    unsigned n = 0;
    for (; len - at >= 4; n++) {
        size_t body = (size_t)msg[at + 1] << 16 | (size_t)msg[at + 2] << 8 |
                      msg[at + 3];
        if (body > len - at - 4 || msg[at] > 24 || (n < 2 && msg[at] != n + 1))
            return false;
        at += 4 + body;
    }
    return n >= 2 && at == len;
}

static bool is_tls12(const uint8_t *msg, size_t len)
{
    return is_tls12_params(msg, len) || is_tls12_transcript(msg, len);
}

/* ---- which ----------------------------------------------------------------- */

static bool is_dsse(const uint8_t *msg, size_t len)
{
    struct policy_dsse d;
    return policy_dsse_parse(&d, msg, len);
}

struct form {
    enum policy_form form;
    int tag; /* first byte, or -1 for any */
    bool (*is)(const uint8_t *msg, size_t len);
};
static const struct form forms[] = {
    { POLICY_F_CMS, 0x31, policy_cms_is }, { POLICY_F_TBS, 0x30, is_tbs },
    { POLICY_F_CSR, 0x30, is_csr },        { POLICY_F_CRL, 0x30, is_crl },
    { POLICY_F_OCSP, 0x30, is_ocsp },      { POLICY_F_CMP, 0x30, is_cmp },
    { POLICY_F_DSSE, 'D', is_dsse },       { POLICY_F_TLS13, ' ', is_tls13 },
    { POLICY_F_TLS12, -1, is_tls12 },
};
#define N_FORMS (sizeof(forms) / sizeof(forms[0]))

enum policy_kind policy_form_kind(enum policy_form form)
{
    static const enum policy_kind kinds[] = {
        [POLICY_F_RAW] = POLICY_RAW,     [POLICY_F_CMS] = POLICY_CMS,
        [POLICY_F_DSSE] = POLICY_DSSE,   [POLICY_F_TBS] = POLICY_X509,
        [POLICY_F_CSR] = POLICY_X509,    [POLICY_F_CRL] = POLICY_X509,
        [POLICY_F_OCSP] = POLICY_OCSP,   [POLICY_F_CMP] = POLICY_CMP,
        [POLICY_F_TLS12] = POLICY_TLS12, [POLICY_F_TLS13] = POLICY_TLS13,
    };
    return kinds[form];
}

/* Nothing reads these as we would; nothing honest makes them either. */
static enum rc check_raw(const uint8_t *msg, size_t len)
{
    if (is_dsse_like(msg, len))
        return rc_raise(RC_POLICY, "message: begins as DSSE, but its lengths "
                                   "are wrong");
    if (tls13_context(msg, len))
        return rc_raise(RC_POLICY, "message: signs a TLS context other than "
                                   "CertificateVerify");
    return RC_OK;
}

static enum rc find_form(enum policy_form *out, const uint8_t *msg, size_t len)
{
    enum policy_form found = POLICY_F_RAW;
    for (size_t i = 0; len && i < N_FORMS; i++) {
        if ((forms[i].tag >= 0 && forms[i].tag != msg[0]) ||
            !forms[i].is(msg, len))
            continue;
        if (found != POLICY_F_RAW)
            return rc_raise(RC_POLICY, "message: reads as %s and as %s at once",
                            policy_kind_name(policy_form_kind(found)),
                            policy_kind_name(policy_form_kind(forms[i].form)));
        found = forms[i].form;
    }
    if (found == POLICY_F_RAW)
        TRY(check_raw(msg, len));
    *out = found;
    return RC_OK;
}

enum rc policy_form_of(enum policy_form *out, const uint8_t *msg, size_t len)
{
    if (len > 64 * 1024 * 1024) /* the decoders count in int */
        return rc_raise(RC_TOO_LARGE, "message: %zu bytes", len);
    /* what is not a certificate is no error worth keeping */
    ERR_set_mark();
    enum rc rc = find_form(out, msg, len);
    ERR_pop_to_mark();
    return rc;
}

enum rc policy_classify(enum policy_kind *out, const void *msg, size_t len)
{
    enum policy_form form;
    TRY(policy_form_of(&form, msg, len));
    *out = policy_form_kind(form);
    return RC_OK;
}

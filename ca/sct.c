/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's promise inside a leaf, RFC 6962 section 3.3: a list of exactly one
 * SCT, the last extension, over the TBSCertificate without it. So one
 * signature of the issuer is enough. Public data only.
 */
#include "ca/inner.h"

#include <string.h>

#include <openssl/ec.h>

#include "base/bytes.h"

#define SCT_V1       0
#define SCT_SHA256   4 /* RFC 5246 section 7.4.1.4.1 */
#define SCT_ECDSA    3
#define SCT_SIG_MIN  8
#define SCT_SIG_MAX  72 /* DER of two P-256 scalars */
#define SCT_SCALAR   32
#define SCT_BEFORE_S CA_AHEAD_S  /* the log's clock and the CA's */
#define SCT_AFTER_S  CA_BEHIND_S /* and the signers' round is later */

OWNED_BY(ECDSA_SIG, ECDSA_SIG_free);

static enum rc bad(const char *what)
{
    return rc_raise(RC_POLICY, "certificate.sct: %s", what);
}

static bool is_scalar(const BIGNUM *n)
{
    return !BN_is_zero(n) && !BN_is_negative(n) &&
           BN_num_bytes(n) <= SCT_SCALAR;
}

/* The log's key is not known here: this is its form, and no more. */
static enum rc check_signature(const uint8_t *der, size_t len)
{
    uint8_t again[SCT_SIG_MAX + 8], *end = again;
    const uint8_t *at = der;
    if (!der || len < SCT_SIG_MIN || len > SCT_SIG_MAX)
        return bad("signature: want 8 to 72 bytes of DER");
    OWNED(ECDSA_SIG) *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
    if (!sig || at != der + len || !is_scalar(ECDSA_SIG_get0_r(sig)) ||
        !is_scalar(ECDSA_SIG_get0_s(sig)) ||
        i2d_ECDSA_SIG(sig, NULL) != (int)len ||
        i2d_ECDSA_SIG(sig, &end) != (int)len || memcmp(again, der, len) != 0) {
        (void)ca_ssl_raise(RC_POLICY, "sct"); /* empties the queue */
        return bad("signature: want ECDSA with SHA-256 over P-256, DER");
    }
    return RC_OK;
}

enum rc ca_sct_read(struct ca_sct *out, const uint8_t *list, size_t len)
{
    struct ca_sct s = { .at_ms = 0 };
    size_t n, more, sig_len;
    if (len > CA_SCT_MAX)
        return bad("list longer than one SCT can be");
    struct bytes_reader all = bytes_reader(list, len);
    const uint8_t *scts = bytes_take_lp16(&all, &n);
    if (all.failed || all.left || n == 0)
        return bad("list: its length is wrong, or nothing is in it");
    struct bytes_reader in = bytes_reader(scts, n);
    const uint8_t *one = bytes_take_lp16(&in, &n);
    if (in.failed || in.left)
        return bad("list: want exactly one");
    struct bytes_reader r = bytes_reader(one, n);
    bool v1 = bytes_get_u8(&r) == SCT_V1;
    bytes_get(&r, s.log_id, sizeof(s.log_id));
    s.at_ms = bytes_get_u64(&r);
    (void)bytes_take_lp16(&r, &more);
    bool ecdsa = bytes_get_u8(&r) == SCT_SHA256;
    ecdsa = bytes_get_u8(&r) == SCT_ECDSA && ecdsa;
    const uint8_t *sig = bytes_take_lp16(&r, &sig_len);
    if (r.failed || r.left)
        return bad("its length is wrong");
    if (!v1)
        return bad("want version 1");
    if (more)
        return bad("want no extensions");
    if (!ecdsa)
        return bad("want ECDSA with SHA-256");
    TRY(check_signature(sig, sig_len));
    *out = s;
    return RC_OK;
}

/* ---- in a certificate ----------------------------------------------------- */

/* The list inside the extension's OCTET STRING, borrowed. */
static enum rc unwrap(const uint8_t **list, size_t *len, const uint8_t *der,
                      size_t der_len)
{
    size_t head = der_len >= 2 && der[1] == 0x81 ? 3 : 2;
    size_t n = der_len > head ? der[head - 1] : 0;
    /* short form below 128, one more byte from there on */
    if (der_len <= head || der[0] != V_ASN1_OCTET_STRING ||
        (n < 0x80) != (head == 2) || n != der_len - head)
        return bad("want an OCTET STRING of 1 to 255 bytes, DER");
    *list = der + head;
    *len = n;
    return RC_OK;
}

static enum rc check_time(const struct ca_sct *sct, int64_t not_before)
{
    int64_t issued = not_before + CA_BACKDATE_S;
    if (sct->at_ms / 1000 > INT64_MAX)
        return bad("timestamp: out of range");
    int64_t at = (int64_t)(sct->at_ms / 1000);
    if (at < issued - SCT_BEFORE_S || at > issued + SCT_AFTER_S)
        return bad("timestamp: not of the time of issuing");
    return RC_OK;
}

enum rc ca_stamp_sct(struct ca_stamp *s, const X509 *x)
{
    const uint8_t *der, *list;
    size_t der_len, len;
    struct ca_sct sct;
    enum rc rc = ca_get_raw(&der, &der_len, x, CA_OID_SCT);
    s->sct_len = 0;
    if (rc == RC_UNKNOWN)
        return RC_OK; /* a log that promises nothing */
    TRY(rc);
    if (!ca_ext_is_last(x, CA_OID_SCT))
        return bad("want it once, as the last extension");
    TRY(unwrap(&list, &len, der, der_len));
    TRY(ca_sct_read(&sct, list, len));
    TRY(check_time(&sct, s->not_before));
    memcpy(s->sct, list, len);
    s->sct_len = len;
    return RC_OK;
}

enum rc ca_put_sct(X509 *x, const uint8_t *list, size_t len)
{
    uint8_t der[CA_SCT_MAX + 4];
    struct bytes_writer w = bytes_writer(der, sizeof(der));
    bytes_put_u8(&w, V_ASN1_OCTET_STRING);
    if (len >= 0x80)
        bytes_put_u8(&w, 0x81);
    bytes_put_u8(&w, (uint8_t)len);
    bytes_put(&w, list, len);
    TRY(bytes_written(&w));
    return ca_put_raw(x, CA_OID_SCT, der, w.len);
}

enum rc ca_tbs_promise(uint8_t out[CA_DER_MAX], size_t *out_len,
                       const uint8_t *tbs, size_t tbs_len, const uint8_t *list,
                       size_t len)
{
    struct ca_sct sct;
    OWNED(X509) *x = NULL;
    TRY(ca_sct_read(&sct, list, len));
    TRY(ca_tbs_open(&x, tbs, tbs_len));
    if (X509_get_ext_by_NID(x, NID_ct_precert_scts, -1) >= 0)
        return rc_raise(RC_EXISTS, "certificate.sct: there is one already");
    TRY(ca_put_sct(x, list, len));
    return ca_tbs_of(out, out_len, x);
}

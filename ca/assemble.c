/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between a certificate and its TBSCertificate. Every certificate here is
 * Ed25519 (RFC 8410), so what stands around the TBS is fixed bytes.
 */
#include "ca/inner.h"

#include <string.h>

#include <openssl/objects.h>

#include "base/bytes.h"

/* AlgorithmIdentifier of Ed25519, then the head of a 64-byte BIT STRING. */
static const uint8_t tail[] = { 0x30, 0x05, 0x06, 0x03, 0x2b,
                                0x65, 0x70, 0x03, 0x41, 0x00 };

static void put_sequence(struct bytes_writer *w, size_t len)
{
    bytes_put_u8(w, 0x30);
    if (len < 0x80) {
        bytes_put_u8(w, (uint8_t)len);
    } else if (len < 0x100) {
        bytes_put_u8(w, 0x81);
        bytes_put_u8(w, (uint8_t)len);
    } else {
        bytes_put_u8(w, 0x82);
        bytes_put_u16(w, (uint16_t)len);
    }
}

/* Writes without looking; who calls parses the whole. */
static enum rc wrap(uint8_t out[CA_DER_MAX], size_t *len, const uint8_t *tbs,
                    size_t tbs_len, const uint8_t signature[64])
{
    if (tbs_len > CA_DER_MAX - sizeof(tail) - 64 - 4)
        return rc_raise(RC_TOO_LARGE, "TBSCertificate: %zu bytes", tbs_len);
    struct bytes_writer w = bytes_writer(out, CA_DER_MAX);
    put_sequence(&w, tbs_len + sizeof(tail) + 64);
    bytes_put(&w, tbs, tbs_len);
    bytes_put(&w, tail, sizeof(tail));
    bytes_put(&w, signature, 64);
    TRY(bytes_written(&w));
    *len = w.len;
    return RC_OK;
}

static enum rc parse(X509 **out, const uint8_t *der, size_t len,
                     const uint8_t *tbs, size_t tbs_len)
{
    const uint8_t *at = der;
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)len);
    if (!x || at != der + len)
        return ca_ssl_raise(RC_PARSE, "TBSCertificate");
    const X509_ALGOR *alg = X509_get0_tbs_sigalg(x);
    if (OBJ_obj2nid(alg->algorithm) != NID_ED25519 || alg->parameter)
        return rc_raise(RC_PARSE, "TBSCertificate.signature: want Ed25519");
    /* the encoding it came in is the encoding it has */
    uint8_t again[CA_DER_MAX];
    size_t again_len;
    TRY(ca_tbs_of(again, &again_len, x));
    if (again_len != tbs_len || memcmp(again, tbs, tbs_len) != 0)
        return rc_raise(RC_PARSE, "TBSCertificate: not DER");
    *out = TAKE(x);
    return RC_OK;
}

enum rc ca_tbs_open(X509 **out, const uint8_t *tbs, size_t tbs_len)
{
    static const uint8_t zero[64];
    uint8_t der[CA_DER_MAX];
    size_t len;
    TRY(wrap(der, &len, tbs, tbs_len, zero));
    return parse(out, der, len, tbs, tbs_len);
}

enum rc ca_assemble(uint8_t out[CA_DER_MAX], size_t *len, const uint8_t *tbs,
                    size_t tbs_len, const uint8_t signature[64])
{
    uint8_t der[CA_DER_MAX];
    size_t der_len;
    OWNED(X509) *x = NULL;
    TRY(wrap(der, &der_len, tbs, tbs_len, signature));
    TRY(parse(&x, der, der_len, tbs, tbs_len));
    memcpy(out, der, der_len);
    *len = der_len;
    return RC_OK;
}

/*
 * OpenSSL sets the inner algorithm only by signing. This key is no key, it is
 * zeros, and its signature is thrown away.
 */
enum rc ca_put_algorithm(X509 *x)
{
    static const uint8_t zero[32];
    OWNED(EVP_PKEY) *nobody = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519,
                                                           NULL, zero, 32);
    if (!nobody || X509_sign(x, nobody, NULL) <= 0)
        return ca_ssl_raise(RC_INTERNAL, "certificate: algorithm");
    return RC_OK;
}

enum rc ca_tbs_of(uint8_t out[CA_DER_MAX], size_t *len, X509 *x)
{
    uint8_t *end = out;
    int need = i2d_re_X509_tbs(x, NULL);
    if (need <= 0)
        return ca_ssl_raise(RC_INTERNAL, "TBSCertificate");
    if (need > CA_DER_MAX)
        return rc_raise(RC_TOO_LARGE, "TBSCertificate: %d bytes", need);
    *len = (size_t)i2d_re_X509_tbs(x, &end);
    return RC_OK;
}

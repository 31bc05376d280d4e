/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate in a dsse entry, as far as anyone can judge it alone, and
 * the bytes that its signature is over. Public data.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/enc.h"
#include "base/hash.h"
#include "transparency/transparency.h"

OWNED_BY(X509, X509_free);
OWNED_BY(EVP_PKEY, EVP_PKEY_free);

static enum rc key_of(uint8_t key[32], const X509 *x)
{
    size_t len = 32;
    EVP_PKEY *pub = X509_get0_pubkey(x);
    bool ok = pub && EVP_PKEY_get_base_id(pub) == EVP_PKEY_ED25519 &&
              EVP_PKEY_get_raw_public_key(pub, key, &len) == 1 && len == 32;
    ERR_clear_error();
    return ok ? RC_OK
              : rc_raise(RC_PARSE, "dsse: certificate: its key is not Ed25519");
}

enum rc tlog_dsse_check(uint8_t key[32], const struct tlog_dsse *in,
                        int64_t now_s)
{
    const unsigned char *at = in->cert;
    uint8_t found[32];
    time_t now = (time_t)now_s;
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)in->cert_len);
    ERR_clear_error();
    if (!x || at != in->cert + in->cert_len)
        return rc_raise(RC_PARSE, "dsse: verifier: not one certificate");
    TRY(key_of(found, x));
    /* 0 is an error of theirs, and so no time to rely on */
    if (X509_cmp_time(X509_get0_notBefore(x), &now) >= 0)
        return rc_raise(RC_EXPIRED, "dsse: certificate: not valid yet");
    if (X509_cmp_time(X509_get0_notAfter(x), &now) <= 0) {
        rc_raise(RC_EXPIRED, "dsse: certificate: has expired");
        rc_hint("its signature must reach the log within the certificate's "
                "minutes: sign again");
        return RC_EXPIRED;
    }
    memcpy(key, found, 32);
    return RC_OK;
}

enum rc tlog_dsse_issued(const struct tlog_dsse *in, const uint8_t issuer[32])
{
    const unsigned char *at = in->cert;
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)in->cert_len);
    OWNED(EVP_PKEY) *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                                       issuer, 32);
    bool ok = x && key && X509_verify(x, key) == 1;
    ERR_clear_error();
    return ok ? RC_OK
              : rc_raise(RC_VERIFY, "dsse: certificate: not issued by that "
                                    "key");
}

/* The envelope with its members sorted and no space, RFC 8785. */
static enum rc envelope_hash(uint8_t out[32], const void *statement,
                             size_t statement_len, const uint8_t sig[64])
{
    static const char head[] = "{\"payload\":\"";
    static const char middle[] = "\",\"payloadType\":\"" TLOG_DSSE_TYPE
                                 "\",\"signatures\":[{\"sig\":\"";
    static const char tail[] = "\"}]}";
    char sig_b64[ENC_B64_SIZE(64)];
    OWNED_MEM char *b64 = malloc(ENC_B64_SIZE(statement_len));
    if (!b64)
        return rc_raise(RC_NOMEM, "dsse: out of memory");
    enc_b64(b64, statement, statement_len);
    enc_b64(sig_b64, sig, 64);
    const struct hash_part parts[] = {
        { head, sizeof(head) - 1 },     { b64, strlen(b64) },
        { middle, sizeof(middle) - 1 }, { sig_b64, strlen(sig_b64) },
        { tail, sizeof(tail) - 1 },
    };
    hash256_parts(out, parts, 5);
    return RC_OK;
}

enum rc tlog_dsse_fill(struct tlog_dsse *out, const void *statement,
                       size_t statement_len, const uint8_t signature[64],
                       const void *cert, size_t cert_len)
{
    struct tlog_dsse d = { .cert_len = cert_len };
    if (cert_len == 0 || cert_len > TLOG_DSSE_CERT_MAX)
        return rc_raise(RC_TOO_LARGE,
                        "dsse: a certificate of %zu bytes, an entry of the "
                        "log has room for %d",
                        cert_len, TLOG_DSSE_CERT_MAX);
    memcpy(d.cert, cert, cert_len);
    memcpy(d.signature, signature, 64);
    hash256(d.payload, statement, statement_len);
    TRY(envelope_hash(d.envelope, statement, statement_len, signature));
    *out = d;
    return RC_OK;
}

enum rc tlog_dsse_pae(uint8_t **out, size_t *len, const void *statement,
                      size_t statement_len)
{
    char head[96];
    int n = snprintf(head, sizeof(head), "DSSEv1 %zu " TLOG_DSSE_TYPE " %zu ",
                     sizeof(TLOG_DSSE_TYPE) - 1, statement_len);
    uint8_t *pae = malloc((size_t)n + statement_len);
    if (!pae)
        return rc_raise(RC_NOMEM, "dsse: out of memory");
    memcpy(pae, head, (size_t)n);
    memcpy(pae + n, statement, statement_len);
    *len = (size_t)n + statement_len;
    *out = pae;
    return RC_OK;
}

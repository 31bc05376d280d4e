/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Issuing with a key that need not be here: any OSSL_STORE URI. Holds a
 * handle to that key, never key bytes of its own.
 */
#include "ca/inner.h"

#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/ui.h>

OWNED_BY(OSSL_STORE_CTX, OSSL_STORE_close);
OWNED_BY(OSSL_STORE_INFO, OSSL_STORE_INFO_free);

enum rc ca_key_open(EVP_PKEY **out, const char *uri)
{
    char what[128];
    snprintf(what, sizeof(what), "key %.100s", uri);
    ERR_clear_error();
    /* UI_null: a daemon asks nobody for a passphrase */
    OWNED(OSSL_STORE_CTX) *store = OSSL_STORE_open_ex(
            uri, NULL, NULL, UI_null(), NULL, NULL, NULL, NULL);
    if (!store || !OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY))
        return ca_ssl_raise(RC_UNKNOWN, what);
    while (!OSSL_STORE_eof(store)) {
        OWNED(OSSL_STORE_INFO) *info = OSSL_STORE_load(store);
        if (!info || OSSL_STORE_INFO_get_type(info) != OSSL_STORE_INFO_PKEY)
            continue;
        *out = OSSL_STORE_INFO_get1_PKEY(info);
        ERR_clear_error();
        return *out ? RC_OK : ca_ssl_raise(RC_NOMEM, what);
    }
    return ca_ssl_raise(RC_UNKNOWN, what);
}

static enum rc sign(uint8_t signature[64], EVP_PKEY *key, const uint8_t *tbs,
                    size_t tbs_len)
{
    size_t len = 64;
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    ERR_clear_error();
    if (!ctx ||
        EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) != 1 ||
        EVP_DigestSign(ctx, signature, &len, tbs, tbs_len) != 1)
        return ca_ssl_raise(RC_UNREACHABLE, "issuer key");
    if (len != 64)
        return rc_raise(RC_VERIFY, "issuer key: signature of %zu bytes", len);
    return RC_OK;
}

/* The key at hand is the one the issuer certificate is for. */
static enum rc check_pair(X509 **out, EVP_PKEY *key, const uint8_t *issuer,
                          size_t issuer_len)
{
    const uint8_t *at = issuer;
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)issuer_len);
    EVP_PKEY *pub = x ? X509_get0_pubkey(x) : NULL;
    if (!pub)
        return ca_ssl_raise(RC_PARSE, "issuer");
    if (EVP_PKEY_eq(pub, key) != 1)
        return ca_ssl_raise(RC_ARG, "issuer: certificate and key are no pair");
    *out = TAKE(x);
    return RC_OK;
}

static enum rc verify(const uint8_t *der, size_t len, X509 *issuer)
{
    const uint8_t *at = der;
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)len);
    if (!x || X509_verify(x, X509_get0_pubkey(issuer)) != 1)
        return ca_ssl_raise(RC_VERIFY, "leaf: the issuer key's signature");
    return RC_OK;
}

enum rc ca_root_self(uint8_t out[CA_DER_MAX], size_t *len, EVP_PKEY *key,
                     const char *cluster, bool simulated, int64_t now_s)
{
    uint8_t pub[32], again[32], tbs[CA_DER_MAX], der[CA_DER_MAX], signature[64];
    size_t pub_len = sizeof(pub), tbs_len, der_len;
    if (EVP_PKEY_get_raw_public_key(key, pub, &pub_len) != 1 ||
        pub_len != sizeof(pub))
        return ca_ssl_raise(RC_ARG, "key: want Ed25519");
    TRY(ca_root_tbs(tbs, &tbs_len, cluster, pub, simulated, now_s));
    TRY(sign(signature, key, tbs, tbs_len));
    TRY(ca_assemble(der, &der_len, tbs, tbs_len, signature));
    TRY(ca_root_open(again, cluster, der, der_len));
    memcpy(out, der, der_len);
    *len = der_len;
    return RC_OK;
}

enum rc ca_life(int64_t *from, int64_t *to, const uint8_t *der, size_t len)
{
    const uint8_t *at = der;
    struct tm a, b;
    OWNED(X509) *x = len <= CA_DER_MAX ? d2i_X509(NULL, &at, (long)len) : NULL;
    if (!x || !ASN1_TIME_to_tm(X509_get0_notBefore(x), &a) ||
        !ASN1_TIME_to_tm(X509_get0_notAfter(x), &b))
        return ca_ssl_raise(RC_PARSE, "certificate: validity");
    *from = timegm(&a);
    *to = timegm(&b);
    return RC_OK;
}

static enum rc chain_of(struct wire_chain *out, const uint8_t *leaf,
                        size_t leaf_len, const uint8_t *issuer,
                        size_t issuer_len)
{
    WIRE(chain) chain = { 0 };
    TRY(wire_list_new(&chain.chain, 2));
    TRY(wire_blob_set(&chain.chain.at[0], leaf, leaf_len));
    TRY(wire_blob_set(&chain.chain.at[1], issuer, issuer_len));
    *out = chain;
    memset(&chain, 0, sizeof(chain)); /* moved */
    return RC_OK;
}

enum rc ca_sign(struct wire_chain *out, EVP_PKEY *issuer_key,
                const uint8_t *tbs, size_t tbs_len, const uint8_t *issuer,
                size_t issuer_len)
{
    uint8_t der[CA_DER_MAX], signature[64];
    size_t der_len;
    OWNED(X509) *x = NULL;
    TRY(check_pair(&x, issuer_key, issuer, issuer_len));
    TRY(sign(signature, issuer_key, tbs, tbs_len));
    TRY(ca_assemble(der, &der_len, tbs, tbs_len, signature));
    TRY(verify(der, der_len, x));
    return chain_of(out, der, der_len, issuer, issuer_len);
}

enum rc ca_issue(struct wire_chain *out, EVP_PKEY *issuer_key,
                 const struct ca_leaf *leaf)
{
    uint8_t tbs[CA_DER_MAX];
    size_t tbs_len;
    TRY(ca_leaf_tbs(tbs, &tbs_len, leaf));
    return ca_sign(out, issuer_key, tbs, tbs_len, leaf->issuer,
                   leaf->issuer_len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate of an Ed25519 key, as plain as one can be. */
#ifndef TESTS_TRANSPARENCY_LEAF_H
#define TESTS_TRANSPARENCY_LEAF_H

#include <openssl/x509.h>

#include "transparency/transparency.h"

/* key: public; issuer: the 32-byte seed that signs. Returns its length. */
static inline size_t leaf_make(uint8_t out[TLOG_DSSE_CERT_MAX],
                               const uint8_t key[32], const uint8_t issuer[32],
                               int64_t from_s, int64_t to_s)
{
    X509 *x = X509_new();
    EVP_PKEY *pub = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key,
                                                32);
    EVP_PKEY *sk = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, issuer,
                                                32);
    uint8_t *end = out;
    assert_true(x && pub && sk);
    assert_true(X509_set_version(x, 2));
    assert_true(ASN1_INTEGER_set(X509_get_serialNumber(x), 7));
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from_s));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), (time_t)to_s));
    assert_true(X509_set_pubkey(x, pub));
    assert_true(X509_sign(x, sk, NULL) > 0);
    int len = i2d_X509(x, NULL);
    assert_true(len > 0 && len <= TLOG_DSSE_CERT_MAX);
    assert_int_equal(i2d_X509(x, &end), len);
    X509_free(x);
    EVP_PKEY_free(pub);
    EVP_PKEY_free(sk);
    return (size_t)len;
}

#endif

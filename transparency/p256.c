/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's second key: ECDSA on P-256, made of a sealed seed. Clients of
 * Sigstore take no other for a log's promises. The private half is kept by
 * OpenSSL, in its secure heap where the program opened one.
 */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "base/hash.h"
#include "transparency/transparency.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(EVP_PKEY_CTX, EVP_PKEY_CTX_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);
OWNED_BY(BIGNUM, BN_clear_free);
OWNED_BY(BN_CTX, BN_CTX_free);
OWNED_BY(EC_GROUP, EC_GROUP_free);
OWNED_BY(EC_POINT, EC_POINT_free);
OWNED_BY(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free);
OWNED_BY(OSSL_PARAM, OSSL_PARAM_free);
OWNED_STRUCT(tlog_p256);

#define POINT_LEN 65

struct tlog_p256 {
    EVP_PKEY *key;
    uint8_t spki[TLOG_P256_SPKI_LEN];
    uint8_t id[32];
};

static enum rc failed(enum rc rc, const char *what)
{
    ERR_clear_error();
    return rc_raise(rc, "p256: %s", what);
}

/* FIPS 186-5 A.2.1: of more bits than the order has, so evenly spread. */
static bool scalar_of(BIGNUM *out, const uint8_t seed[32], const BIGNUM *order,
                      BN_CTX *ctx)
{
    WIPED_BYTES(wide, 64);
    static const char label[] = "mpc/log/p256/v1";
    const struct hash_part parts[] = { { label, sizeof(label) }, { seed, 32 } };
    OWNED(BIGNUM) *wider = BN_secure_new();
    OWNED(BIGNUM) *top = BN_dup(order);
    hash512_parts(wide, parts, 2);
    if (!wider || !top || !BN_sub_word(top, 1) ||
        !BN_bin2bn(wide, sizeof(wide), wider))
        return false;
    BN_set_flags(wider, BN_FLG_CONSTTIME);
    return BN_mod(out, wider, top, ctx) && BN_add_word(out, 1);
}

static bool point_of(uint8_t out[POINT_LEN], const EC_GROUP *group,
                     const BIGNUM *d, BN_CTX *ctx)
{
    OWNED(EC_POINT) *q = EC_POINT_new(group);
    return q && EC_POINT_mul(group, q, d, NULL, NULL, ctx) &&
           EC_POINT_point2oct(group, q, POINT_CONVERSION_UNCOMPRESSED, out,
                              POINT_LEN, ctx) == POINT_LEN;
}

static EVP_PKEY *key_of(const BIGNUM *d, const uint8_t point[POINT_LEN])
{
    OWNED(OSSL_PARAM_BLD) *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (!bld ||
        !OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                         "prime256v1", 0) ||
        !OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
                                          POINT_LEN) ||
        !OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d))
        return NULL;
    OWNED(OSSL_PARAM) *params = OSSL_PARAM_BLD_to_param(bld);
    OWNED(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
        return NULL;
    return key;
}

static EVP_PKEY *derive(const uint8_t seed[32])
{
    uint8_t point[POINT_LEN];
    OWNED(EC_GROUP) *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    OWNED(BN_CTX) *ctx = BN_CTX_secure_new();
    OWNED(BIGNUM) *d = BN_secure_new();
    if (!group || !ctx || !d ||
        !scalar_of(d, seed, EC_GROUP_get0_order(group), ctx) ||
        !point_of(point, group, d, ctx))
        return NULL;
    return key_of(d, point);
}

enum rc tlog_p256_new(struct tlog_p256 **out, const uint8_t seed[32])
{
    OWN_S(tlog_p256) *k = calloc(1, sizeof(*k));
    if (!k)
        return failed(RC_NOMEM, "out of memory");
    k->key = derive(seed);
    unsigned char *at = k->spki;
    if (!k->key || i2d_PUBKEY(k->key, NULL) != TLOG_P256_SPKI_LEN ||
        i2d_PUBKEY(k->key, &at) != TLOG_P256_SPKI_LEN)
        return failed(RC_INTERNAL, "OpenSSL makes no key");
    hash256(k->id, k->spki, sizeof(k->spki));
    *out = TAKE(k);
    return RC_OK;
}

void tlog_p256_free(struct tlog_p256 *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->key);
    free(k);
}

const uint8_t *tlog_p256_spki(const struct tlog_p256 *k)
{
    return k->spki;
}

const uint8_t *tlog_p256_id(const struct tlog_p256 *k)
{
    return k->id;
}

enum rc tlog_p256_sign(uint8_t sig[TLOG_P256_SIG_MAX], size_t *sig_len,
                       const struct tlog_p256 *k, const void *p, size_t len)
{
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    size_t n = TLOG_P256_SIG_MAX;
    if (!ctx ||
        EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->key) != 1 ||
        EVP_DigestSign(ctx, sig, &n, p, len) != 1)
        return failed(RC_INTERNAL, "signing failed");
    *sig_len = n;
    return RC_OK;
}

static EVP_PKEY *read_spki(const uint8_t *spki, size_t len)
{
    const unsigned char *at = spki;
    char group[32];
    OWNED(EVP_PKEY) *key = len <= 512 ? d2i_PUBKEY(NULL, &at, (long)len) : NULL;
    if (!key || at != spki + len || !EVP_PKEY_is_a(key, "EC") ||
        EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1 ||
        strcmp(group, "prime256v1") != 0)
        return NULL;
    return TAKE(key);
}

enum rc tlog_p256_verify(const uint8_t *spki, size_t spki_len, const void *p,
                         size_t len, const uint8_t *sig, size_t sig_len)
{
    OWNED(EVP_PKEY) *key = read_spki(spki, spki_len);
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    if (!key)
        return failed(RC_PARSE, "want a SubjectPublicKeyInfo on P-256");
    if (!ctx || EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestVerify(ctx, sig, sig_len, p, len) != 1)
        return failed(RC_VERIFY, "signature does not verify");
    return RC_OK;
}

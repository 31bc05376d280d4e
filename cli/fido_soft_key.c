/* SPDX-License-Identifier: Apache-2.0 */
/* The P-256 keys of the software security key, made from bytes of its seed. */
#include "cli/fido_soft.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "base/hash.h"

OWNED_BY(EC_GROUP, EC_GROUP_free);
OWNED_BY(EC_POINT, EC_POINT_free);
OWNED_BY(BIGNUM, BN_clear_free);
OWNED_BY(BN_CTX, BN_CTX_free);
OWNED_BY(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free);
OWNED_BY(OSSL_PARAM, OSSL_PARAM_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);

/* d NULL: the public half alone. */
static bool build(EVP_PKEY **out, const BIGNUM *d, const uint8_t point[65])
{
    OWNED(OSSL_PARAM_BLD) *b = OSSL_PARAM_BLD_new();
    OWNED(EVP_PKEY_CTX) *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!b || !c ||
        !OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME,
                                         "prime256v1", 0) ||
        !OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point,
                                          65) ||
        (d && !OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, d)))
        return false;
    OWNED(OSSL_PARAM) *p = OSSL_PARAM_BLD_to_param(b);
    return p && EVP_PKEY_fromdata_init(c) == 1 &&
           EVP_PKEY_fromdata(c, out, d ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                             p) == 1;
}

bool soft_pair(EVP_PKEY **out, uint8_t point[65], const uint8_t from[64])
{
    OWNED(EC_GROUP) *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    OWNED(BN_CTX) *c = BN_CTX_new();
    OWNED(BIGNUM) *wide = BN_bin2bn(from, 64, NULL);
    OWNED(BIGNUM) *d = BN_secure_new();
    OWNED(EC_POINT) *q = g ? EC_POINT_new(g) : NULL;
    return c && wide && d && q &&
           BN_mod(d, wide, EC_GROUP_get0_order(g), c) == 1 &&
           EC_POINT_mul(g, q, d, NULL, NULL, c) == 1 &&
           EC_POINT_point2oct(g, q, POINT_CONVERSION_UNCOMPRESSED, point, 65,
                              c) == 65 &&
           build(out, d, point);
}

bool soft_sign(uint8_t out[80], size_t *len, EVP_PKEY *key,
               const struct bytes_writer *auth, const uint8_t hash[32])
{
    OWNED(EVP_MD_CTX) *c = EVP_MD_CTX_new();
    *len = 80;
    return c && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
           EVP_DigestSignUpdate(c, auth->buf, auth->len) == 1 &&
           EVP_DigestSignUpdate(c, hash, 32) == 1 &&
           EVP_DigestSignFinal(c, out, len) == 1;
}

bool soft_shared(uint8_t out[32], EVP_PKEY *mine, const uint8_t theirs[65])
{
    WIPED_BYTES(x, 32);
    size_t len = sizeof(x);
    OWNED(EVP_PKEY) *peer = NULL;
    OWNED(EVP_PKEY_CTX) *c = EVP_PKEY_CTX_new(mine, NULL);
    if (!c || !build(&peer, NULL, theirs) || EVP_PKEY_derive_init(c) != 1 ||
        EVP_PKEY_derive_set_peer(c, peer) != 1 ||
        EVP_PKEY_derive(c, x, &len) != 1 || len != sizeof(x))
        return false;
    hash256(out, x, sizeof(x));
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "oracle.h"

#include <cbor.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>

/* ---- CBOR ------------------------------------------------------------------ */

static cbor_item_t *member(const cbor_item_t *map, const char *name)
{
    struct cbor_pair *pair = cbor_map_handle(map);
    for (size_t i = 0; i < cbor_map_size(map); i++)
        if (cbor_isa_string(pair[i].key) &&
            cbor_string_length(pair[i].key) == strlen(name) &&
            memcmp(cbor_string_handle(pair[i].key), name, strlen(name)) == 0)
            return pair[i].value;
    fail_msg("oracle: no %s", name);
    return NULL;
}

static int64_t number(const cbor_item_t *v)
{
    if (cbor_isa_uint(v))
        return (int64_t)cbor_get_int(v);
    return cbor_isa_negint(v) ? -1 - (int64_t)cbor_get_int(v) : INT64_MIN;
}

static cbor_item_t *label(const cbor_item_t *map, int64_t n)
{
    struct cbor_pair *pair = cbor_map_handle(map);
    for (size_t i = 0; i < cbor_map_size(map); i++)
        if (number(pair[i].key) == n)
            return pair[i].value;
    return NULL;
}

void oracle_open(struct oracle_credential *out, const uint8_t *object,
                 size_t len)
{
    struct cbor_load_result r;
    cbor_item_t *root = cbor_load(object, len, &r);
    assert_non_null(root);
    const cbor_item_t *fmt = member(root, "fmt"),
                      *ad = member(root, "authData");
    snprintf(out->fmt, sizeof(out->fmt), "%.*s", (int)cbor_string_length(fmt),
             cbor_string_handle(fmt));
    out->auth_data.len = cbor_bytestring_length(ad);
    out->auth_data.p = malloc(out->auth_data.len);
    assert_non_null(out->auth_data.p);
    memcpy(out->auth_data.p, cbor_bytestring_handle(ad), out->auth_data.len);
    cbor_decref(&root);

    uint8_t *p = out->auth_data.p;
    assert_true(out->auth_data.len > 55);
    out->id.len = (size_t)p[53] << 8 | p[54];
    out->id.p = p + 55;
    assert_true(out->auth_data.len > 55 + out->id.len);
    out->cose.p = p + 55 + out->id.len;
    cbor_item_t *key = cbor_load(out->cose.p,
                                 out->auth_data.len - 55 - out->id.len, &r);
    assert_non_null(key);
    out->cose.len = r.read;
    cbor_decref(&key);
}

void oracle_close(struct oracle_credential *c)
{
    free(c->auth_data.p);
    c->auth_data.p = NULL;
}

/* ---- keys ------------------------------------------------------------------ */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    return key;
}

static EVP_PKEY *ec_of(const cbor_item_t *map)
{
    static const char *const curves[] = { NULL, "P-256", "P-384", "P-521" };
    uint8_t point[1 + 2 * 66] = { 4 };
    int64_t crv = number(label(map, -1));
    const cbor_item_t *x = label(map, -2), *y = label(map, -3);
    size_t n = cbor_bytestring_length(x);
    if (crv < 1 || crv > 3 || n > 66 || cbor_bytestring_length(y) != n)
        return NULL;
    memcpy(point + 1, cbor_bytestring_handle(x), n);
    memcpy(point + 1 + n, cbor_bytestring_handle(y), n);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                    curves[crv], 0);
    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
                                     1 + 2 * n);
    return from_params("EC", bld);
}

static EVP_PKEY *rsa_of(const cbor_item_t *map)
{
    const cbor_item_t *n = label(map, -1), *e = label(map, -2);
    BIGNUM *bn = BN_bin2bn(cbor_bytestring_handle(n),
                           (int)cbor_bytestring_length(n), NULL),
           *be = BN_bin2bn(cbor_bytestring_handle(e),
                           (int)cbor_bytestring_length(e), NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn);
    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be);
    EVP_PKEY *key = from_params("RSA", bld);
    BN_free(bn);
    BN_free(be);
    return key;
}

static EVP_PKEY *okp_of(const cbor_item_t *map)
{
    const cbor_item_t *x = label(map, -2);
    return EVP_PKEY_new_raw_public_key(
            number(label(map, -1)) == 6 ? EVP_PKEY_ED25519 : EVP_PKEY_ED448,
            NULL, cbor_bytestring_handle(x), cbor_bytestring_length(x));
}

static EVP_PKEY *key_of(int64_t *alg, const uint8_t *cose, size_t len)
{
    struct cbor_load_result r;
    EVP_PKEY *key = NULL;
    cbor_item_t *map = cbor_load(cose, len, &r);
    if (!map)
        return NULL;
    *alg = number(label(map, 3));
    switch (number(label(map, 1))) {
    case 1:
        key = okp_of(map);
        break;
    case 2:
        key = ec_of(map);
        break;
    case 3:
        key = rsa_of(map);
        break;
    default:
        break;
    }
    cbor_decref(&map);
    return key;
}

int64_t oracle_alg(const uint8_t *cose, size_t len)
{
    int64_t alg = 0;
    EVP_PKEY *key = key_of(&alg, cose, len);
    EVP_PKEY_free(key);
    return key ? alg : 0;
}

/* ---- signatures ------------------------------------------------------------ */

bool oracle_verify(const uint8_t *cose, size_t cose_len,
                   const uint8_t *auth_data, size_t auth_data_len,
                   const uint8_t *client_data, size_t client_data_len,
                   const uint8_t *sig, size_t sig_len)
{
    int64_t alg = 0;
    EVP_PKEY *key = key_of(&alg, cose, cose_len);
    if (!key)
        return false;
    const char *md = alg == -8 || alg == -53 ? NULL
                     : alg == -35            ? "SHA384"
                     : alg == -36            ? "SHA512"
                                             : "SHA256";
    uint8_t tbs[512];
    assert_true(auth_data_len + 32 <= sizeof(tbs));
    memcpy(tbs, auth_data, auth_data_len);
    SHA256(client_data, client_data_len, tbs + auth_data_len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = EVP_DigestVerifyInit_ex(ctx, NULL, md, NULL, NULL, key, NULL) ==
                      1 &&
              EVP_DigestVerify(ctx, sig, sig_len, tbs, auth_data_len + 32) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "authenticator.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/hash.h"

/* ---- keys ------------------------------------------------------------------ */

static void put(struct auth *a, const void *p, size_t len)
{
    assert_true(a->cose_len + len <= sizeof(a->cose));
    memcpy(a->cose + a->cose_len, p, len);
    a->cose_len += len;
}

static void put_hex(struct auth *a, const char *hex)
{
    uint8_t bytes[64];
    size_t len = strlen(hex) / 2;
    assert_ok(enc_unhex(bytes, len, hex, strlen(hex)));
    put(a, bytes, len);
}

static void new_ec(struct auth *a, const char *curve, size_t size,
                   const char *head, const char *mid)
{
    uint8_t point[1 + 2 * 48];
    size_t len = 0;
    a->key = EVP_EC_gen(curve);
    assert_non_null(a->key);
    assert_true(EVP_PKEY_get_octet_string_param(a->key, OSSL_PKEY_PARAM_PUB_KEY,
                                                point, sizeof(point), &len));
    assert_int_equal(len, 1 + 2 * size);
    put_hex(a, head);
    put(a, point + 1, size);
    put_hex(a, mid);
    put(a, point + 1 + size, size);
}

static void new_rsa(struct auth *a)
{
    uint8_t n[256];
    BIGNUM *bn = NULL;
    a->key = EVP_RSA_gen(2048);
    assert_non_null(a->key);
    assert_true(EVP_PKEY_get_bn_param(a->key, OSSL_PKEY_PARAM_RSA_N, &bn));
    assert_int_equal(BN_bn2binpad(bn, n, sizeof(n)), sizeof(n));
    BN_free(bn);
    put_hex(a, "a4010303390100"
               "20590100");
    put(a, n, sizeof(n));
    put_hex(a, "2143010001");
}

static void new_ed(struct auth *a)
{
    uint8_t x[32];
    size_t len = sizeof(x);
    a->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(a->key);
    assert_true(EVP_PKEY_get_raw_public_key(a->key, x, &len));
    put_hex(a, "a4010103272006215820");
    put(a, x, sizeof(x));
}

void auth_new(struct auth *a, enum policy_alg alg, const char *name)
{
    *a = (struct auth){ .alg = alg };
    hash256(a->id, name, strlen(name));
    switch (alg) {
    case POLICY_ES256:
        new_ec(a, "P-256", 32, "a5010203262001215820", "225820");
        break;
    case POLICY_ES384:
        new_ec(a, "P-384", 48, "a501020338222002215830", "225830");
        break;
    case POLICY_EDDSA:
        new_ed(a);
        break;
    case POLICY_RS256:
        new_rsa(a);
        break;
    }
}

void auth_free(struct auth *a)
{
    EVP_PKEY_free(a->key);
    a->key = NULL;
}

/* ---- assertions ------------------------------------------------------------ */

void auth_client_data(char out[6000], const char *type,
                      const uint8_t challenge[32], const char *origin,
                      const char *more)
{
    char text[ENC_B64_SIZE(32)];
    int n = snprintf(out, 6000,
                     "{\"type\":\"%s\",\"challenge\":\"%s\",\"origin\":\"%s\","
                     "\"crossOrigin\":false%s}",
                     type, enc_b64u(text, challenge, 32), origin, more);
    assert_true(n > 0 && n < 6000);
}

static void sign(uint8_t *sig, size_t *len, const struct auth *a,
                 const uint8_t *auth_data, size_t auth_data_len,
                 const char *client_data)
{
    uint8_t tbs[1024];
    memcpy(tbs, auth_data, auth_data_len);
    hash256(tbs + auth_data_len, client_data, strlen(client_data));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const char *md = a->alg == POLICY_EDDSA   ? NULL
                     : a->alg == POLICY_ES384 ? "SHA384"
                                              : "SHA256";
    *len = 512;
    assert_true(EVP_DigestSignInit_ex(ctx, NULL, md, NULL, NULL, a->key, NULL));
    assert_true(EVP_DigestSign(ctx, sig, len, tbs, auth_data_len + 32));
    EVP_MD_CTX_free(ctx);
}

void auth_sign(struct auth_said *io, const struct auth *a)
{
    sign(io->signature, &io->signature_len, a, io->auth_data, io->auth_data_len,
         io->client_data);
}

static void put_bytes(struct bytes_writer *w, const uint8_t *p, size_t len)
{
    bytes_put_u8(w, len > 255 ? 0x59 : 0x58);
    if (len > 255)
        bytes_put_u8(w, (uint8_t)(len >> 8));
    bytes_put_u8(w, (uint8_t)len);
    bytes_put(w, p, len);
}

static void put_name(struct bytes_writer *w, const char *name)
{
    bytes_put_u8(w, (uint8_t)(0x60 | strlen(name)));
    bytes_put(w, name, strlen(name));
}

static void put_alg(struct bytes_writer *w, enum policy_alg alg)
{
    unsigned n = (unsigned)(-1 - (int)alg);
    bytes_put_u8(w, n < 24 ? (uint8_t)(0x20 | n) : n < 256 ? 0x38 : 0x39);
    if (n > 255)
        bytes_put_u8(w, (uint8_t)(n >> 8));
    if (n >= 24)
        bytes_put_u8(w, (uint8_t)n);
}

static size_t head(uint8_t out[37], const char *rp_id, uint8_t flags,
                   uint32_t counter)
{
    struct bytes_writer w = bytes_writer(out, 37);
    uint8_t hash[32];
    hash256(hash, rp_id, strlen(rp_id));
    bytes_put(&w, hash, sizeof(hash));
    bytes_put_u8(&w, flags);
    bytes_put_u32(&w, counter);
    return w.len;
}

void auth_assert(struct auth_said *out, const struct auth *a, const char *rp_id,
                 uint8_t flags, uint32_t counter)
{
    out->auth_data_len = head(out->auth_data, rp_id, flags, counter);
    auth_sign(out, a);
}

/* ---- registrations --------------------------------------------------------- */

size_t auth_object(uint8_t out[1024], const struct auth *a,
                   const char *client_data, const char *rp_id, uint8_t flags,
                   bool packed)
{
    uint8_t ad[512], sig[512];
    size_t sig_len = 0;
    struct bytes_writer d = bytes_writer(ad, sizeof(ad));
    d.len = head(ad, rp_id, flags, 0);
    bytes_put(&d, "authenticatorid.", 16);
    bytes_put_lp16(&d, a->id, sizeof(a->id));
    bytes_put(&d, a->cose, a->cose_len);
    assert_ok(bytes_written(&d));
    sign(sig, &sig_len, a, ad, d.len, client_data);

    struct bytes_writer w = bytes_writer(out, 1024);
    bytes_put_u8(&w, 0xa3);
    put_name(&w, "fmt");
    put_name(&w, packed ? "packed" : "none");
    put_name(&w, "attStmt");
    bytes_put_u8(&w, packed ? 0xa2 : 0xa0);
    if (packed) {
        put_name(&w, "alg");
        put_alg(&w, a->alg);
        put_name(&w, "sig");
        put_bytes(&w, sig, sig_len);
    }
    put_name(&w, "authData");
    put_bytes(&w, ad, d.len);
    assert_ok(bytes_written(&w));
    return w.len;
}

void auth_row(char out[POLICY_CREDENTIAL_MAX], const struct auth *a,
              const char *rp_id, const char *const *origins, unsigned n,
              bool backup_eligible)
{
    struct policy_credential c = { .kind = POLICY_WEBAUTHN,
                                   .alg = a->alg,
                                   .cose_len = a->cose_len,
                                   .raw_id_len = sizeof(a->id),
                                   .n_origins = n,
                                   .backup_eligible = backup_eligible };
    size_t len = 0;
    memcpy(c.raw_id, a->id, sizeof(a->id));
    memcpy(c.cose, a->cose, a->cose_len);
    snprintf(c.rp_id, sizeof(c.rp_id), "%s", rp_id);
    for (unsigned i = 0; i < n; i++)
        snprintf(c.origin[i], sizeof(c.origin[i]), "%s", origins[i]);
    assert_ok(policy_credential_write(out, POLICY_CREDENTIAL_MAX, &len, &c));
}

/* ---- an SSH security key --------------------------------------------------- */

static void put_text(struct bytes_writer *w, const char *text)
{
    bytes_put_lp32(w, text, strlen(text));
}

size_t auth_sk(uint8_t out[1024], const uint8_t sk[64], const char *application,
               uint8_t flags, uint32_t counter, const uint8_t challenge[32])
{
    static const char alg[] = "sk-ssh-ed25519@openssh.com";
    char text[ENC_B64_SIZE(32)];
    uint8_t digest[64], inner[256], tbs[128], hash[32], key[256], sig[64],
            value[256];
    enc_b64u(text, challenge, 32);
    hash512(digest, text, strlen(text));
    struct bytes_writer i = bytes_writer(inner, sizeof(inner));
    bytes_put(&i, "SSHSIG", 6);
    put_text(&i, "approve@mpcsign");
    put_text(&i, "");
    put_text(&i, "sha512");
    bytes_put_lp32(&i, digest, sizeof(digest));

    struct bytes_writer t = bytes_writer(tbs, sizeof(tbs));
    hash256(hash, application, strlen(application));
    bytes_put(&t, hash, 32);
    bytes_put_u8(&t, flags);
    bytes_put_u32(&t, counter);
    hash256(hash, inner, i.len);
    bytes_put(&t, hash, 32);
    crypto_sign_ed25519_detached(sig, NULL, tbs, t.len, sk);

    struct bytes_writer k = bytes_writer(key, sizeof(key));
    put_text(&k, alg);
    bytes_put_lp32(&k, sk + 32, 32);
    put_text(&k, application);
    struct bytes_writer v = bytes_writer(value, sizeof(value));
    put_text(&v, alg);
    bytes_put_lp32(&v, sig, sizeof(sig));
    bytes_put_u8(&v, flags);
    bytes_put_u32(&v, counter);

    struct bytes_writer w = bytes_writer(out, 1024);
    bytes_put(&w, "SSHSIG", 6);
    bytes_put_u32(&w, 1);
    bytes_put_lp32(&w, key, k.len);
    put_text(&w, "approve@mpcsign");
    put_text(&w, "");
    put_text(&w, "sha512");
    bytes_put_lp32(&w, value, v.len);
    assert_ok(bytes_written(&w));
    return w.len;
}

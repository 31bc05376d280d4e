/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our keys as SubjectPublicKeyInfo and as text, without any other provider.
 * None has import_object, so keys of other providers never come here. Asked
 * for the private key as PEM, a key writes its reference, which is a key file
 * like any other; the encoder of other forms says why there is nothing to
 * encode.
 */
#include "provider/inner.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/enc.h"

/* The context is the provider's: an encoder here has nothing to remember. */
static void *newctx(void *provctx)
{
    return provctx;
}

static void freectx(void *vctx)
{
    (void)vctx;
}

static int public_only(void *provctx, int selection)
{
    (void)provctx;
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 &&
           (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0;
}

static int private_only(void *provctx, int selection)
{
    (void)provctx;
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0;
}

static int any(void *provctx, int selection)
{
    (void)provctx;
    return (selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0;
}

static int put(const struct prov *p, OSSL_CORE_BIO *out, const char *func,
               const void *data, size_t len)
{
    size_t done = 0;
    if (p->core.bio_write && p->core.bio_write(out, data, len, &done) &&
        done == len)
        return 1;
    return prov_fail(p, func,
                     rc_raise(RC_IO, "wrote %zu of %zu bytes", done, len));
}

/* SubjectPublicKeyInfo of Ed25519: RFC 8410 section 4. */
void prov_spki(uint8_t der[PROV_SPKI_LEN], const struct prov_key *k)
{
    static const uint8_t front[12] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                       0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
    memcpy(der, front, sizeof(front));
    memcpy(der + sizeof(front), k->pub, PROV_PUB_LEN);
}

/* obj_abstract is for objects that we were to build ourselves: none. */
static const struct prov_key *object(const struct prov *p, const void *obj,
                                     const char *func)
{
    const struct prov_key *k = obj;
    if (k && k->has_public)
        return k;
    prov_fail(p, func, rc_raise(RC_ARG, "no public key to encode"));
    return NULL;
}

static int encode_der(void *vctx, OSSL_CORE_BIO *out, const void *obj,
                      const OSSL_PARAM abstract[], int selection,
                      OSSL_PASSPHRASE_CALLBACK *cb, void *cbarg)
{
    const struct prov_key *k = object(vctx, obj, __func__);
    (void)abstract;
    (void)selection;
    (void)cb;
    (void)cbarg;
    if (!k)
        return 0;
    uint8_t der[PROV_SPKI_LEN];
    prov_spki(der, k);
    return put(vctx, out, __func__, der, sizeof(der));
}

static int encode_pem(void *vctx, OSSL_CORE_BIO *out, const void *obj,
                      const OSSL_PARAM abstract[], int selection,
                      OSSL_PASSPHRASE_CALLBACK *cb, void *cbarg)
{
    const struct prov_key *k = object(vctx, obj, __func__);
    (void)abstract;
    (void)selection;
    (void)cb;
    (void)cbarg;
    if (!k)
        return 0;
    uint8_t der[PROV_SPKI_LEN];
    char b64[ENC_B64_SIZE(PROV_SPKI_LEN)]; /* 60 characters: one line */
    char text[160];
    prov_spki(der, k);
    int n = snprintf(text, sizeof(text),
                     "-----BEGIN PUBLIC KEY-----\n%s\n"
                     "-----END PUBLIC KEY-----\n",
                     enc_b64(b64, der, sizeof(der)));
    return put(vctx, out, __func__, text, (size_t)n);
}

/* As `openssl pkey -text` prints a public key: 15 bytes a line. */
static size_t text_of(char *out, size_t size, const struct prov_key *k,
                      bool whole)
{
    size_t n = 0;
#define ADD(...) n += (size_t)snprintf(out + n, size - n, __VA_ARGS__)
    if (whole && k->signs)
        ADD("ED25519 Threshold-Key:\nname:\n    mpc:%s\n", k->name);
    else
        ADD("ED25519 Public-Key:\n");
    ADD("pub:");
    for (size_t i = 0; i < PROV_PUB_LEN; i++)
        ADD("%s%02x%s", i % 15 == 0 ? "\n    " : "", k->pub[i],
            i + 1 < PROV_PUB_LEN ? ":" : "\n");
#undef ADD
    return n;
}

static int encode_text(void *vctx, OSSL_CORE_BIO *out, const void *obj,
                       const OSSL_PARAM abstract[], int selection,
                       OSSL_PASSPHRASE_CALLBACK *cb, void *cbarg)
{
    const struct prov_key *k = object(vctx, obj, __func__);
    (void)abstract;
    (void)cb;
    (void)cbarg;
    if (!k)
        return 0;
    char text[512];
    size_t n = text_of(text, sizeof(text), k,
                       selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY);
    return put(vctx, out, __func__, text, n);
}

static int refuse_private(void *vctx, OSSL_CORE_BIO *out, const void *obj,
                          const OSSL_PARAM abstract[], int selection,
                          OSSL_PASSPHRASE_CALLBACK *cb, void *cbarg)
{
    const struct prov_key *k = obj;
    (void)out;
    (void)abstract;
    (void)selection;
    (void)cb;
    (void)cbarg;
    enum rc rc = rc_raise(RC_ARG,
                          "key %s can not be written: it is shared among "
                          "machines and whole on none",
                          k ? k->name : "");
    rc_hint("use it as mpc:NAME; -pubout writes its public key");
    return prov_fail(vctx, __func__, rc);
}

static int encode_reference(void *vctx, OSSL_CORE_BIO *out, const void *obj,
                            const OSSL_PARAM abstract[], int selection,
                            OSSL_PASSPHRASE_CALLBACK *cb, void *cbarg)
{
    const struct prov_key *k = object(vctx, obj, __func__);
    (void)abstract;
    (void)selection;
    (void)cb;
    (void)cbarg;
    if (!k)
        return 0;
    enum rc rc = prov_key_can_sign(k);
    if (rc != RC_OK)
        return prov_fail(vctx, __func__, rc);
    char pem[PROV_PEM_SIZE];
    size_t len = prov_ref_pem(pem, sizeof(pem), k);
    return put(vctx, out, __func__, pem, len);
}

/* Who asks for a cipher believes that there is a secret. */
static int no_cipher(void *vctx, const OSSL_PARAM params[])
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params,
                                                  OSSL_ENCODER_PARAM_CIPHER);
    const char *name = NULL;
    if (!p || (OSSL_PARAM_get_utf8_string_ptr(p, &name) && (!name || !*name)))
        return 1;
    enum rc rc = rc_raise(RC_ARG, "a key reference is not encrypted: nothing "
                                  "in it is secret");
    rc_hint("write it without a cipher");
    return prov_fail(vctx, __func__, rc);
}

static const OSSL_PARAM *settable(void *provctx)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_utf8_string(OSSL_ENCODER_PARAM_CIPHER, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)provctx;
    return list;
}

/* clang-format off */
#define ENCODER(name, which, function)                                         \
    const OSSL_DISPATCH name[] = {                                             \
        PROV_ENTRY(OSSL_FUNC_ENCODER_NEWCTX, newctx),                          \
        PROV_ENTRY(OSSL_FUNC_ENCODER_FREECTX, freectx),                        \
        PROV_ENTRY(OSSL_FUNC_ENCODER_DOES_SELECTION, which),                   \
        PROV_ENTRY(OSSL_FUNC_ENCODER_ENCODE, function),                        \
        PROV_TABLE_END                                                         \
    }
ENCODER(prov_encoder_spki_der, public_only, encode_der);
ENCODER(prov_encoder_spki_pem, public_only, encode_pem);
ENCODER(prov_encoder_text, any, encode_text);
ENCODER(prov_encoder_private, private_only, refuse_private);
const OSSL_DISPATCH prov_encoder_reference[] = {
    PROV_ENTRY(OSSL_FUNC_ENCODER_NEWCTX, newctx),
    PROV_ENTRY(OSSL_FUNC_ENCODER_FREECTX, freectx),
    PROV_ENTRY(OSSL_FUNC_ENCODER_DOES_SELECTION, private_only),
    PROV_ENTRY(OSSL_FUNC_ENCODER_SETTABLE_CTX_PARAMS, settable),
    PROV_ENTRY(OSSL_FUNC_ENCODER_SET_CTX_PARAMS, no_cipher),
    PROV_ENTRY(OSSL_FUNC_ENCODER_ENCODE, encode_reference),
    PROV_TABLE_END
};
/* clang-format on */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing and verifying, one-shot or in pieces. Only a real signature asks
 * the sidecar: initialising, a length query, and copying a context do not.
 *
 * There is no sign() of a prepared digest on purpose: `cms -sign -noattr`
 * would use it and yield Ed25519 over a hash, which nobody can verify.
 */
#include "provider/inner.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct prov_sigctx {
    struct prov *prov;
    struct prov_key *key;         /* ours, or NULL before init */
    struct prov_message *message; /* ours, or NULL before the first piece */
};

static void *newctx(void *provctx, const char *propq)
{
    struct prov_sigctx *c = calloc(1, sizeof(*c));
    (void)propq;
    if (!c) {
        prov_fail(provctx, __func__, rc_raise(RC_NOMEM, "signature context"));
        return NULL;
    }
    c->prov = provctx;
    return c;
}

static void freectx(void *vctx)
{
    struct prov_sigctx *c = vctx;
    if (!c)
        return;
    prov_key_free(c->key);
    prov_message_free(c->message);
    free(c);
}

static void *dupctx(void *vctx)
{
    const struct prov_sigctx *c = vctx;
    struct prov_sigctx *copy = newctx(c->prov, NULL);
    if (!copy)
        return NULL;
    copy->key = c->key ? prov_key_ref(c->key) : NULL;
    copy->message = c->message ? prov_message_ref(c->message) : NULL;
    return copy;
}

/* ---- parameters ---------------------------------------------------------- */

/* Ed25519 hashes by itself; callers that name its hash mean the same thing. */
static enum rc digest_ok(const char *name)
{
    static const char *const fine[] = { "",        "UNDEF",
                                        "SHA512",  "SHA2-512",
                                        "SHA-512", "2.16.840.1.101.3.4.2.3" };
    if (!name)
        return RC_OK;
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        if (strcasecmp(name, fine[i]) == 0)
            return RC_OK;
    enum rc rc = rc_raise(RC_ARG,
                          "digest %.32s: Ed25519 signs the message "
                          "itself, with SHA-512 inside",
                          name);
    rc_hint("give no digest, or sha512");
    return rc;
}

/* 1 where the parameter is absent or equals one of the two values. */
static int text_is(const OSSL_PARAM params[], const char *key, const char *want)
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, key);
    const char *value = NULL;
    return !p || (OSSL_PARAM_get_utf8_string_ptr(p, &value) && value &&
                  strcasecmp(value, want) == 0);
}

/*
 * Only the pure mode exists: a wish for another instance or for a context
 * must fail rather than be passed over.
 */
static enum rc params_ok(const OSSL_PARAM params[])
{
    if (!params)
        return RC_OK;
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params,
                                                  OSSL_SIGNATURE_PARAM_DIGEST);
    const char *digest = NULL;
    if (p && !OSSL_PARAM_get_utf8_string_ptr(p, &digest))
        return rc_raise(RC_ARG, "digest: not text");
    TRY(digest_ok(digest));
    if (!text_is(params, "instance", "Ed25519")) {
        enum rc rc = rc_raise(RC_ARG, "instance: only Ed25519 is offered");
        rc_hint("leave the instance out: Ed25519 without prehash is meant");
        return rc;
    }
    p = OSSL_PARAM_locate_const(params, "context-string");
    if (p && p->data_size != 0)
        return rc_raise(RC_ARG,
                        "context-string: %zu bytes, pure Ed25519 has "
                        "none",
                        p->data_size);
    return RC_OK;
}

static int set_ctx_params(void *vctx, const OSSL_PARAM params[])
{
    const struct prov_sigctx *c = vctx;
    enum rc rc = params_ok(params);
    return rc == RC_OK ? 1 : prov_fail(c->prov, __func__, rc);
}

static const OSSL_PARAM *settable(void *vctx, void *provctx)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string("instance", NULL, 0),
        OSSL_PARAM_octet_string("context-string", NULL, 0),
        OSSL_PARAM_END,
    };
    (void)vctx;
    (void)provctx;
    return list;
}

/* AlgorithmIdentifier of Ed25519: RFC 8410, parameters absent. */
static int get_ctx_params(void *vctx, OSSL_PARAM params[])
{
    static const uint8_t ed25519[] = {
        0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70
    };
    (void)vctx;
    OSSL_PARAM *p = OSSL_PARAM_locate(params,
                                      OSSL_SIGNATURE_PARAM_ALGORITHM_ID);
    return !p || OSSL_PARAM_set_octet_string(p, ed25519, sizeof(ed25519));
}

static const OSSL_PARAM *gettable(void *vctx, void *provctx)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_octet_string(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)vctx;
    (void)provctx;
    return list;
}

/* ---- init ---------------------------------------------------------------- */

/* keydata NULL: once more with the key the context has. */
static enum rc init(struct prov_sigctx *c, const char *digest, void *keydata,
                    const OSSL_PARAM params[])
{
    TRY(digest_ok(digest));
    TRY(params_ok(params));
    if (!keydata && !c->key)
        return rc_raise(RC_ARG, "no key");
    if (keydata) {
        prov_key_free(c->key);
        c->key = prov_key_ref(keydata);
    }
    prov_message_free(c->message);
    c->message = NULL;
    return c->key->has_public ? RC_OK : rc_raise(RC_ARG, "key is empty");
}

static int sign_init(void *vctx, const char *digest, void *keydata,
                     const OSSL_PARAM params[])
{
    struct prov_sigctx *c = vctx;
    enum rc rc = init(c, digest, keydata, params);
    if (rc == RC_OK)
        rc = prov_key_can_sign(c->key);
    return rc == RC_OK ? 1 : prov_fail(c->prov, __func__, rc);
}

static int verify_init(void *vctx, const char *digest, void *keydata,
                       const OSSL_PARAM params[])
{
    struct prov_sigctx *c = vctx;
    enum rc rc = init(c, digest, keydata, params);
    return rc == RC_OK ? 1 : prov_fail(c->prov, __func__, rc);
}

/* ---- pieces -------------------------------------------------------------- */

static enum rc add(struct prov_sigctx *c, const void *p, size_t len)
{
    if (!c->message && !(c->message = prov_message_new()))
        return RC_NOMEM;
    return prov_message_add(&c->message, p, len);
}

/* Refuses what is over the limit before holding it. */
static enum rc sign_add(struct prov_sigctx *c, const void *p, size_t len)
{
    size_t have = 0;
    if (c->message)
        (void)prov_message_get(c->message, &have);
    if (len > SIZE_MAX - have)
        return rc_raise(RC_TOO_LARGE, "message: %zu bytes more", len);
    TRY(prov_key_fits(c->key, have + len));
    return add(c, p, len);
}

static int sign_update(void *vctx, const unsigned char *data, size_t len)
{
    struct prov_sigctx *c = vctx;
    enum rc rc = sign_add(c, data, len);
    return rc == RC_OK ? 1 : prov_fail(c->prov, __func__, rc);
}

static int verify_update(void *vctx, const unsigned char *data, size_t len)
{
    struct prov_sigctx *c = vctx;
    enum rc rc = add(c, data, len);
    return rc == RC_OK ? 1 : prov_fail(c->prov, __func__, rc);
}

static const uint8_t *gathered(const struct prov_sigctx *c, size_t *len)
{
    *len = 0;
    return c->message ? prov_message_get(c->message, len) : (const uint8_t *)"";
}

/* ---- the signature ------------------------------------------------------- */

static enum rc sign(uint8_t *sig, size_t size, const struct prov_sigctx *c,
                    const uint8_t *msg, size_t len)
{
    if (!c->key)
        return rc_raise(RC_ARG, "no key");
    if (size < PROV_SIG_LEN)
        return rc_raise(RC_ARG, "signature buffer: %zu bytes, want %d", size,
                        PROV_SIG_LEN);
    TRY(prov_key_can_sign(c->key));
    TRY(prov_key_fits(c->key, len));
    return prov_ask_sign(sig, c->key, msg ? msg : (const uint8_t *)"", len);
}

static int sign_oneshot(void *vctx, unsigned char *sig, size_t *siglen,
                        size_t sigsize, const unsigned char *msg, size_t len)
{
    const struct prov_sigctx *c = vctx;
    if (sig) {
        enum rc rc = sign(sig, sigsize, c, msg, len);
        if (rc != RC_OK)
            return prov_fail(c->prov, __func__, rc);
    }
    *siglen = PROV_SIG_LEN;
    return 1;
}

static int sign_final(void *vctx, unsigned char *sig, size_t *siglen,
                      size_t sigsize)
{
    size_t len;
    const uint8_t *msg = gathered(vctx, &len);
    return sign_oneshot(vctx, sig, siglen, sigsize, msg, len);
}

static int verify_oneshot(void *vctx, const unsigned char *sig, size_t siglen,
                          const unsigned char *msg, size_t len)
{
    const struct prov_sigctx *c = vctx;
    if (!c->key)
        return prov_fail(c->prov, __func__, rc_raise(RC_ARG, "no key"));
    enum rc rc = prov_verify(c->prov, c->key->pub, sig, siglen,
                             msg ? msg : (const uint8_t *)"", len);
    return rc == RC_OK ? 1 : prov_fail(c->prov, __func__, rc);
}

static int verify_final(void *vctx, const unsigned char *sig, size_t siglen)
{
    size_t len;
    const uint8_t *msg = gathered(vctx, &len);
    return verify_oneshot(vctx, sig, siglen, msg, len);
}

/* clang-format off */
const OSSL_DISPATCH prov_signature[] = {
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, newctx),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, freectx),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_DUPCTX, dupctx),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sign_init),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, sign_update),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, sign_final),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign_oneshot),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT, verify_init),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_UPDATE, verify_update),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_FINAL, verify_final),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_VERIFY, verify_oneshot),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS, get_ctx_params),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS, gettable),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, set_ctx_params),
    PROV_ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, settable),
    PROV_TABLE_END
};
/* clang-format on */

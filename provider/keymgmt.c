/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key management "ED25519": keys come in by reference from our own STORE
 * loader, or as public keys from anywhere. A private key is neither taken nor
 * given: ordinary software keys fall back to the default provider, and an
 * export of ours is refused with a reason.
 */
#include "provider/inner.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <sodium.h>
#include <string.h>

#define KEY_BITS          256
#define KEY_SECURITY_BITS 128
#define KEY_NAME_PARAM    "mpc-key-name"
#define SESSION_PARAM     "mpc-session"
#define BUNDLE_PARAM      "mpc-bundle"

static void *new_data(void *provctx)
{
    struct prov_key *k = prov_key_new(provctx);
    if (!k)
        prov_fail(provctx, __func__, RC_NOMEM);
    return k;
}

static void free_data(void *keydata)
{
    prov_key_free(keydata);
}

/* The reference is a pointer to our own key, which is taken out of it. */
static void *load(const void *reference, size_t size)
{
    struct prov_key **slot = (struct prov_key **)(uintptr_t)reference;
    if (size != sizeof(*slot))
        return NULL;
    struct prov_key *k = *slot;
    *slot = NULL;
    return k;
}

static void *dup_data(const void *keydata, int selection)
{
    const struct prov_key *k = keydata;
    if (k->signs && !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)) {
        struct prov_key *pub = prov_key_public(k);
        if (!pub)
            prov_fail(k->prov, __func__, RC_NOMEM);
        return pub;
    }
    return prov_key_ref((struct prov_key *)(uintptr_t)keydata);
}

static int has(const void *keydata, int selection)
{
    const struct prov_key *k = keydata;
    if (!k)
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) && !k->signs)
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) && !k->has_public)
        return 0;
    return 1;
}

/*
 * Two keys are the same when their public keys are: there is nothing else to
 * compare, also where a caller asks about private halves.
 */
static int match(const void *keydata1, const void *keydata2, int selection)
{
    const struct prov_key *a = keydata1;
    const struct prov_key *b = keydata2;
    if (!(selection & OSSL_KEYMGMT_SELECT_KEYPAIR))
        return 1;
    return a->has_public && b->has_public &&
           memcmp(a->pub, b->pub, sizeof(a->pub)) == 0;
}

static int validate(const void *keydata, int selection, int checktype)
{
    const struct prov_key *k = keydata;
    (void)checktype;
    if (!has(keydata, selection))
        return 0;
    if (!(selection & OSSL_KEYMGMT_SELECT_KEYPAIR))
        return 1;
    if (crypto_core_ed25519_is_valid_point(k->pub))
        return 1;
    return prov_fail(k->prov, __func__,
                     rc_raise(RC_VERIFY, "public key is no point of the prime "
                                         "order group"));
}

/* ---- parameters ---------------------------------------------------------- */

static const OSSL_PARAM *gettable(void *provctx)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_utf8_string(KEY_NAME_PARAM, NULL, 0),
        OSSL_PARAM_utf8_string(SESSION_PARAM, NULL, 0),
        OSSL_PARAM_octet_string(BUNDLE_PARAM, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)provctx;
    return list;
}

static int set_int(OSSL_PARAM params[], const char *key, int value)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, key);
    return !p || OSSL_PARAM_set_int(p, value);
}

static int set_text(OSSL_PARAM params[], const char *key, const char *value)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, key);
    return !p || OSSL_PARAM_set_utf8_string(p, value);
}

static int set_public(OSSL_PARAM params[], const char *key,
                      const struct prov_key *k)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, key);
    return !p || !k->has_public ||
           OSSL_PARAM_set_octet_string(p, k->pub, sizeof(k->pub));
}

/* The session that the key names, else that of its newest signature. */
static int set_session(OSSL_PARAM params[], struct prov_key *k)
{
    char session[65] = "";
    OSSL_PARAM *p = OSSL_PARAM_locate(params, SESSION_PARAM);
    if (!p)
        return 1;
    if (k->session[0])
        return OSSL_PARAM_set_utf8_string(p, k->session);
    (void)prov_evidence_session(session, k);
    return OSSL_PARAM_set_utf8_string(p, session);
}

static enum rc set_octets(void *arg, const uint8_t *json, size_t len)
{
    if (OSSL_PARAM_set_octet_string(arg, json, len))
        return RC_OK;
    enum rc rc = rc_raise(RC_ARG, "evidence: %zu bytes do not fit", len);
    rc_hint("ask for its size first, without a buffer");
    return rc;
}

/* Left alone before the first signature: there is none yet. */
static int set_bundle(OSSL_PARAM params[], struct prov_key *k)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, BUNDLE_PARAM);
    enum rc rc = p ? prov_evidence_bundle(k, set_octets, p) : RC_OK;
    return rc == RC_OK ? 1 : prov_fail(k->prov, __func__, rc);
}

static int get_params(void *keydata, OSSL_PARAM params[])
{
    struct prov_key *k = keydata;
    return set_int(params, OSSL_PKEY_PARAM_BITS, KEY_BITS) &&
           set_int(params, OSSL_PKEY_PARAM_SECURITY_BITS, KEY_SECURITY_BITS) &&
           set_int(params, OSSL_PKEY_PARAM_MAX_SIZE, PROV_SIG_LEN) &&
           /* as the default provider says it: the digest is part of Ed25519 */
           set_text(params, OSSL_PKEY_PARAM_MANDATORY_DIGEST, "") &&
           set_public(params, OSSL_PKEY_PARAM_PUB_KEY, k) &&
           set_public(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, k) &&
           set_text(params, KEY_NAME_PARAM, k->name) &&
           set_session(params, k) && set_bundle(params, k);
}

/* ---- in and out ---------------------------------------------------------- */

static const OSSL_PARAM *types(int selection)
{
    static const OSSL_PARAM public_only[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_END,
    };
    return selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY ? public_only : NULL;
}

static enum rc exportable(const struct prov_key *k, int selection)
{
    if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) {
        enum rc rc = rc_raise(RC_ARG,
                              "key %s can not be exported: it is shared among "
                              "machines and whole on none",
                              k->name);
        rc_hint("use it as mpc:%s; its public key can be exported", k->name);
        return rc;
    }
    if (!k->has_public)
        return rc_raise(RC_ARG, "key is empty");
    return RC_OK;
}

static int export_data(void *keydata, int selection, OSSL_CALLBACK *cb,
                       void *arg)
{
    const struct prov_key *k = keydata;
    enum rc rc = exportable(k, selection);
    if (rc != RC_OK)
        return prov_fail(k->prov, __func__, rc);
    return prov_key_export(k, cb, arg);
}

/* The host tries us and others in turn, so a refusal needs no words. */
static int import_data(void *keydata, int selection, const OSSL_PARAM params[])
{
    struct prov_key *k = keydata;
    const OSSL_PARAM *pub = OSSL_PARAM_locate_const(params,
                                                    OSSL_PKEY_PARAM_PUB_KEY);
    void *to = k->pub;
    size_t len = 0;
    if (!(selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) || k->has_public ||
        OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PRIV_KEY) || !pub ||
        pub->data_size != sizeof(k->pub) ||
        !OSSL_PARAM_get_octet_string(pub, &to, sizeof(k->pub), &len) ||
        len != sizeof(k->pub))
        return 0;
    k->has_public = true;
    return 1;
}

static const char *operation_name(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "mpc-ed25519" : NULL;
}

/* clang-format off */
const OSSL_DISPATCH prov_keymgmt[] = {
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_NEW, new_data),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_FREE, free_data),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_LOAD, load),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_DUP, dup_data),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_HAS, has),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_MATCH, match),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_VALIDATE, validate),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, get_params),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, gettable),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_EXPORT, export_data),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, types),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, import_data),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, types),
    PROV_ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, operation_name),
    PROV_TABLE_END
};
/* clang-format on */

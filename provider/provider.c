/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of mpc.so: OSSL_provider_init and the tables of what we offer.
 *
 * Two signature entries share one implementation and must stay two: written
 * as aliases of one algorithm, a fetch of "mpc-ed25519" would be satisfied by
 * the default provider's ED25519.
 */
#include "provider/inner.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <sodium.h>
#include <stdlib.h>

/* clang-format off */
static const OSSL_ALGORITHM keymgmts[] = {
    { PROV_KEY_NAMES, PROV_PROPS, prov_keymgmt, "Threshold Ed25519 keys" },
    { NULL, NULL, NULL, NULL }
};
static const OSSL_ALGORITHM signatures[] = {
    { "mpc-ed25519", PROV_PROPS, prov_signature, "Threshold Ed25519" },
    { PROV_KEY_NAMES, PROV_PROPS, prov_signature, "Threshold Ed25519" },
    { NULL, NULL, NULL, NULL }
};
static const OSSL_ALGORITHM stores[] = {
    { PROV_NAME, PROV_PROPS, prov_store, "Keys mpc:NAME" },
    { NULL, NULL, NULL, NULL }
};
static const OSSL_ALGORITHM encoders[] = {
    { PROV_KEY_NAMES, PROV_PROPS ",output=der,structure=SubjectPublicKeyInfo",
      prov_encoder_spki_der, "Public key, DER" },
    { PROV_KEY_NAMES, PROV_PROPS ",output=pem,structure=SubjectPublicKeyInfo",
      prov_encoder_spki_pem, "Public key, PEM" },
    { PROV_KEY_NAMES, PROV_PROPS ",output=text",
      prov_encoder_text, "Text" },
    { PROV_KEY_NAMES, PROV_PROPS ",output=der,structure=PrivateKeyInfo",
      prov_encoder_private, "Refuses: no private key exists" },
    { PROV_KEY_NAMES, PROV_PROPS ",output=pem,structure=PrivateKeyInfo",
      prov_encoder_reference, "Key reference, PEM" },
    { NULL, NULL, NULL, NULL }
};
/* The first only where decode-public-keys says so. */
static const OSSL_ALGORITHM decoders[] = {
    { PROV_KEY_NAMES, PROV_PROPS ",input=der,structure=SubjectPublicKeyInfo",
      prov_decoder_spki, "Public key" },
    { "DER", PROV_PROPS ",input=pem", prov_decoder_pem,
      "Key reference, PEM" },
    { PROV_KEY_NAMES, PROV_PROPS ",input=der,structure=" PROV_REF_STRUCTURE,
      prov_decoder_reference, "Key reference" },
    { PROV_KEY_NAMES, PROV_PROPS ",input=der,structure=PrivateKeyInfo",
      prov_decoder_pkcs8, "Key reference in PKCS#8" },
    { NULL, NULL, NULL, NULL }
};
/* clang-format on */

static const OSSL_ALGORITHM *query(void *provctx, int operation, int *no_cache)
{
    const struct prov *p = provctx;
    *no_cache = 0;
    switch (operation) {
    case OSSL_OP_KEYMGMT:
        *no_cache = !prov_host_others_first(p);
        return *no_cache ? NULL : keymgmts;
    case OSSL_OP_SIGNATURE:
        return signatures;
    case OSSL_OP_STORE:
        return stores;
    case OSSL_OP_ENCODER:
        return encoders;
    case OSSL_OP_DECODER:
        return p->decode_public ? decoders : decoders + 1;
    default:
        return NULL;
    }
}

/* What the host may ask about us; `why` is there where status is 0. */
static const OSSL_PARAM *gettable(void *provctx)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_DEFN(OSSL_PROV_PARAM_NAME, OSSL_PARAM_UTF8_PTR, NULL, 0),
        OSSL_PARAM_DEFN(OSSL_PROV_PARAM_VERSION, OSSL_PARAM_UTF8_PTR, NULL, 0),
        OSSL_PARAM_DEFN(OSSL_PROV_PARAM_BUILDINFO, OSSL_PARAM_UTF8_PTR, NULL,
                        0),
        OSSL_PARAM_DEFN(OSSL_PROV_PARAM_STATUS, OSSL_PARAM_INTEGER, NULL, 0),
        OSSL_PARAM_DEFN("mpc-sidecar", OSSL_PARAM_UTF8_PTR, NULL, 0),
        OSSL_PARAM_DEFN("mpc-evidence-dir", OSSL_PARAM_UTF8_PTR, NULL, 0),
        OSSL_PARAM_DEFN("mpc-legacy-bridge", OSSL_PARAM_INTEGER, NULL, 0),
        OSSL_PARAM_DEFN("mpc-decode-public-keys", OSSL_PARAM_INTEGER, NULL, 0),
        OSSL_PARAM_DEFN("mpc-timeout", OSSL_PARAM_INTEGER, NULL, 0),
        OSSL_PARAM_DEFN("mpc-why", OSSL_PARAM_UTF8_PTR, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)provctx;
    return list;
}

static int get_params(void *provctx, OSSL_PARAM params[])
{
    const struct prov *p = provctx;
    const struct {
        const char *key;
        const char *value;
    } texts[] = {
        { OSSL_PROV_PARAM_NAME, "mpcsign threshold signing" },
        { OSSL_PROV_PARAM_VERSION, MPC_VERSION },
        { OSSL_PROV_PARAM_BUILDINFO, MPC_VERSION },
        { "mpc-sidecar", p->sidecar },
        { "mpc-evidence-dir", p->evidence_dir },
        { "mpc-why", p->why },
    };
    const struct {
        const char *key;
        int value;
    } numbers[] = {
        { OSSL_PROV_PARAM_STATUS, p->unusable == RC_OK },
        { "mpc-legacy-bridge", p->legacy_bridge },
        { "mpc-decode-public-keys", p->decode_public },
        { "mpc-timeout", (int)p->timeout_s },
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        OSSL_PARAM *at = OSSL_PARAM_locate(params, texts[i].key);
        if (at && !OSSL_PARAM_set_utf8_ptr(at, texts[i].value))
            return 0;
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        OSSL_PARAM *at = OSSL_PARAM_locate(params, numbers[i].key);
        if (at && !OSSL_PARAM_set_int(at, numbers[i].value))
            return 0;
    }
    return 1;
}

static void teardown(void *provctx)
{
    struct prov *p = provctx;
    prov_bridge_down(p);
    prov_verify_end(p);
    prov_release(p);
}

/* clang-format off */
static const OSSL_DISPATCH dispatch[] = {
    PROV_ENTRY(OSSL_FUNC_PROVIDER_TEARDOWN, teardown),
    PROV_ENTRY(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, gettable),
    PROV_ENTRY(OSSL_FUNC_PROVIDER_GET_PARAMS, get_params),
    PROV_ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
    PROV_ENTRY(OSSL_FUNC_PROVIDER_GET_REASON_STRINGS, prov_reasons),
    PROV_TABLE_END
};
/* clang-format on */

static void take_core(struct prov_core *c, const OSSL_DISPATCH *in)
{
    for (; in->function_id != 0; in++) {
        switch (in->function_id) {
        case OSSL_FUNC_CORE_GET_PARAMS:
            c->get_params = OSSL_FUNC_core_get_params(in);
            break;
        case OSSL_FUNC_CORE_NEW_ERROR:
            c->new_error = OSSL_FUNC_core_new_error(in);
            break;
        case OSSL_FUNC_CORE_SET_ERROR_DEBUG:
            c->set_error_debug = OSSL_FUNC_core_set_error_debug(in);
            break;
        case OSSL_FUNC_CORE_VSET_ERROR:
            c->vset_error = OSSL_FUNC_core_vset_error(in);
            break;
        case OSSL_FUNC_CORE_SET_ERROR_MARK:
            c->set_error_mark = OSSL_FUNC_core_set_error_mark(in);
            break;
        case OSSL_FUNC_CORE_CLEAR_LAST_ERROR_MARK:
            c->clear_error_mark = OSSL_FUNC_core_clear_last_error_mark(in);
            break;
        case OSSL_FUNC_CORE_POP_ERROR_TO_MARK:
            c->pop_error_mark = OSSL_FUNC_core_pop_error_to_mark(in);
            break;
        case OSSL_FUNC_BIO_READ_EX:
            c->bio_read = OSSL_FUNC_BIO_read_ex(in);
            break;
        case OSSL_FUNC_BIO_GETS:
            c->bio_gets = OSSL_FUNC_BIO_gets(in);
            break;
        case OSSL_FUNC_BIO_WRITE_EX:
            c->bio_write = OSSL_FUNC_BIO_write_ex(in);
            break;
        default:
            break;
        }
    }
}

__attribute__((visibility("default"))) int OSSL_provider_init(
        const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
        const OSSL_DISPATCH **out, void **provctx)
{
    struct prov_core core = { 0 };
    take_core(&core, in);
    struct prov *p = calloc(1, sizeof(*p));
    if (!p)
        return 0;
    p->handle = handle;
    p->dispatch = in;
    p->core = core;
    p->host = prov_host(handle, in);
    if (sodium_init() < 0) {
        free(p);
        return 0;
    }
    atomic_init(&p->refs, 1);
    prov_settings(p);
    if (p->legacy_bridge)
        prov_bridge_up(p);
    *provctx = p;
    *out = dispatch;
    return 1;
}

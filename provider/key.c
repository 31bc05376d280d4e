/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key as this process knows it: name and public key, counted references.
 * There is no private half to hold.
 */
#include "provider/inner.h"

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

struct prov_key *prov_key_new(const struct prov *p)
{
    struct prov_key *k = calloc(1, sizeof(*k));
    if (!k) {
        (void)rc_raise(RC_NOMEM, "key: %zu bytes", sizeof(*k));
        return NULL;
    }
    atomic_init(&k->refs, 1);
    atomic_init(&k->last, NULL);
    k->prov = p;
    return k;
}

struct prov_key *prov_key_ref(struct prov_key *k)
{
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

void prov_key_free(struct prov_key *k)
{
    if (!k || atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1)
        return;
    prov_evidence_free(atomic_load(&k->last));
    free(k);
}

struct prov_key *prov_key_public(const struct prov_key *k)
{
    struct prov_key *pub = prov_key_new(k->prov);
    if (!pub)
        return NULL;
    pub->has_public = k->has_public;
    memcpy(pub->pub, k->pub, sizeof(pub->pub));
    return pub;
}

enum rc prov_key_can_sign(const struct prov_key *k)
{
    if (k->signs)
        return RC_OK;
    enum rc rc = rc_raise(RC_ARG, "this is a public key: it cannot sign");
    rc_hint("load the key as mpc:NAME");
    return rc;
}

enum rc prov_key_fits(const struct prov_key *k, size_t len)
{
    if (len <= k->max_message)
        return RC_OK;
    enum rc rc = rc_raise(RC_TOO_LARGE,
                          "message: %zu bytes, key %s takes at most %llu", len,
                          k->name, (unsigned long long)k->max_message);
    rc_hint("sign a CMS or DSSE statement about the file instead: it holds the "
            "digest only");
    return rc;
}

int prov_key_export(const struct prov_key *k, OSSL_CALLBACK *cb, void *arg)
{
    uint8_t pub[PROV_PUB_LEN];
    memcpy(pub, k->pub, sizeof(pub));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, pub,
                                          sizeof(pub)),
        OSSL_PARAM_construct_end(),
    };
    return cb(params, arg);
}

int prov_key_give(struct prov_key **k, OSSL_CALLBACK *cb, void *arg)
{
    int type = OSSL_OBJECT_PKEY;
    char name[] = "ED25519";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, k,
                                          sizeof(*k)),
        OSSL_PARAM_construct_end(),
    };
    prov_host_fetch_first((*k)->prov);
    return cb(params, arg);
}

int prov_key_export_object(void *vctx, const void *reference, size_t size,
                           OSSL_CALLBACK *cb, void *arg)
{
    const struct prov_key *k;
    (void)vctx;
    if (size != sizeof(k))
        return 0;
    memcpy(&k, reference, sizeof(k));
    return k && !k->signs ? prov_key_export(k, cb, arg) : 0;
}

enum rc prov_key_fetch(struct prov_key **out, const struct prov *p,
                       const struct prov_uri *uri)
{
    WIRE(key) from = { 0 };
    TRY(prov_ask_key(&from, p, uri));
    struct prov_key *k = prov_key_new(p);
    if (!k)
        return RC_NOMEM;
    k->has_public = true;
    k->signs = true;
    memcpy(k->pub, from.group_key, sizeof(k->pub));
    memcpy(k->name, uri->name, sizeof(k->name));
    memcpy(k->session, uri->session, sizeof(k->session));
    k->session_by_env = uri->session_by_env;
    memcpy(k->class, from.class, sizeof(k->class));
    k->max_message = from.max_message < WIRE_MESSAGE_MAX ? from.max_message
                                                         : WIRE_MESSAGE_MAX;
    *out = k;
    return RC_OK;
}

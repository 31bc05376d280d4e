/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSSL_STORE scheme "mpc": mpc:NAME is the key, then its certificates, leaf
 * first, where the caller did not ask for something else.
 *
 * Opening only remembers the URI: OpenSSL tries each URI as a file name first
 * and keeps that complaint on the queue when opening fails. Failures here are
 * told by the first load, alone, and the load after it finds the end.
 */
#include "provider/inner.h"

#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <openssl/store.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define URI_MAX     512
#define SUBJECT_MAX 4096

enum step {
    STEP_START,
    STEP_CHAIN, /* the key is out; certificates may follow */
    STEP_CERTS, /* chain fetched; `next` is the one to hand out */
    STEP_FAILED,
    STEP_END,
};

struct store {
    struct prov *prov;
    char text[URI_MAX]; /* as given, "" when it was longer */
    struct prov_uri uri;
    int expect;               /* OSSL_STORE_INFO_*, 0 for anything */
    struct wire_blob subject; /* a Name: only certificates of it; or empty */
    enum step step;
    bool artifact; /* only this class has certificates */
    struct wire_chain chain;
    size_t next;
};

static void *open_uri(void *provctx, const char *uri)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s) {
        prov_fail(provctx, __func__, rc_raise(RC_NOMEM, "store"));
        return NULL;
    }
    s->prov = provctx;
    if (strlen(uri) < sizeof(s->text))
        memcpy(s->text, uri, strlen(uri) + 1);
    return s;
}

static int close_store(void *vctx)
{
    struct store *s = vctx;
    if (s) {
        wire_chain_free(&s->chain);
        free(s->subject.p);
    }
    free(s);
    return 1;
}

static int eof(void *vctx)
{
    const struct store *s = vctx;
    return s->step == STEP_END;
}

static const OSSL_PARAM *settable(void *provctx)
{
    static const OSSL_PARAM list[] = {
        OSSL_PARAM_int(OSSL_STORE_PARAM_EXPECT, NULL),
        OSSL_PARAM_octet_string(OSSL_STORE_PARAM_SUBJECT, NULL, 0),
        OSSL_PARAM_END,
    };
    (void)provctx;
    return list;
}

/* Other searches are refused: passed over, they would find everything. */
static enum rc set_search(struct store *s, const OSSL_PARAM params[])
{
    static const char *const others[] = { OSSL_STORE_PARAM_ISSUER,
                                          OSSL_STORE_PARAM_SERIAL,
                                          OSSL_STORE_PARAM_FINGERPRINT,
                                          OSSL_STORE_PARAM_ALIAS };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (OSSL_PARAM_locate_const(params, others[i])) {
            enum rc rc = rc_raise(RC_ARG, "certificates are found by subject "
                                          "only");
            rc_hint("search by subject, or load all certificates");
            return rc;
        }
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params,
                                                  OSSL_STORE_PARAM_SUBJECT);
    const void *name;
    size_t len;
    if (!p)
        return RC_OK;
    if (!OSSL_PARAM_get_octet_string_ptr(p, &name, &len) || len == 0 ||
        len > SUBJECT_MAX)
        return rc_raise(RC_ARG, "subject: want a name of 1..%d bytes",
                        SUBJECT_MAX);
    return wire_blob_set(&s->subject, name, len);
}

static int set_ctx_params(void *vctx, const OSSL_PARAM params[])
{
    struct store *s = vctx;
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params,
                                                  OSSL_STORE_PARAM_EXPECT);
    if (p && !OSSL_PARAM_get_int(p, &s->expect))
        return 0;
    enum rc rc = set_search(s, params);
    return rc == RC_OK ? 1 : prov_fail(s->prov, "mpc_store_find", rc);
}

/* ---- what is asked of the sidecar ---------------------------------------- */

static enum rc fetch_key(struct prov_key **out, struct store *s)
{
    if (!s->text[0])
        return rc_raise(RC_TOO_LARGE, "key URI: over %d bytes", URI_MAX - 1);
    TRY(prov_uri_parse(&s->uri, s->text));
    struct prov_key *k;
    TRY(prov_key_fetch(&k, s->prov, &s->uri));
    k->signs = s->expect != OSSL_STORE_INFO_PUBKEY;
    s->artifact = strcmp(k->class, "artifact") == 0;
    *out = k;
    return RC_OK;
}

/*
 * Where certificates are only taken along, having none is no failure; where
 * they are what was asked for, it is.
 */
static enum rc fetch_chain(struct store *s)
{
    bool asked = s->expect == OSSL_STORE_INFO_CERT || s->subject.len > 0;
    s->step = STEP_CERTS;
    s->next = 0;
    if (!s->artifact && asked) {
        enum rc rc = rc_raise(RC_UNKNOWN,
                              "key %s is no artifact key: it has "
                              "no certificate",
                              s->uri.name);
        rc_hint("mpcsign key show %s tells its class", s->uri.name);
        return rc;
    }
    if (!s->artifact)
        return RC_OK;
    enum rc rc = prov_ask_chain(&s->chain, s->prov, &s->uri);
    if (rc == RC_UNKNOWN && !asked)
        return RC_OK;
    TRY(rc);
    if (asked && s->chain.chain.n == 0)
        return rc_raise(RC_UNKNOWN, "key %s has no certificate", s->uri.name);
    return RC_OK;
}

/* ---- handing out --------------------------------------------------------- */

static int give_cert(struct wire_blob *der, OSSL_CALLBACK *cb, void *arg)
{
    int type = OSSL_OBJECT_CERT;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_DATA, der->p,
                                          der->len),
        OSSL_PARAM_construct_end(),
    };
    return cb(params, arg);
}

/* The failure goes on the queue now, the end is seen by the next load. */
static int failed(struct store *s, enum rc rc)
{
    s->step = STEP_FAILED;
    return prov_fail(s->prov, "mpc_store_load", rc);
}

static int load_key(struct store *s, OSSL_CALLBACK *cb, void *arg)
{
    struct prov_key *key = NULL;
    enum rc rc = fetch_key(&key, s);
    if (rc != RC_OK)
        return failed(s, rc);
    s->step = s->expect == 0 ? STEP_CHAIN : STEP_END;
    int given = prov_key_give(&key, cb, arg);
    prov_key_free(key); /* still here when it was exported, not loaded */
    return given;
}

/* Nothing more: no object and no failure (a 0 would read as one in 3.0). */
static int ended(struct store *s)
{
    s->step = STEP_END;
    return 1;
}

static bool wanted(const struct store *s, const struct wire_blob *cert)
{
    return s->subject.len == 0 ||
           prov_cert_subject_is(
                   (struct prov_der){ cert->p, cert->len },
                   (struct prov_der){ s->subject.p, s->subject.len });
}

/* The next one that is wanted, or the end. */
static void seek(struct store *s)
{
    while (s->next < s->chain.chain.n &&
           !wanted(s, &s->chain.chain.at[s->next]))
        s->next++;
    if (s->next == s->chain.chain.n)
        s->step = STEP_END;
}

static int load_cert(struct store *s, OSSL_CALLBACK *cb, void *arg)
{
    seek(s);
    if (s->step == STEP_END)
        return ended(s);
    int given = give_cert(&s->chain.chain.at[s->next++], cb, arg);
    seek(s);
    return given;
}

static int load_chain(struct store *s, OSSL_CALLBACK *cb, void *arg)
{
    enum rc rc = fetch_chain(s);
    return rc == RC_OK ? load_cert(s, cb, arg) : failed(s, rc);
}

/* Certificates alone: the key is asked for its class and not handed out. */
static int load_only_chain(struct store *s, OSSL_CALLBACK *cb, void *arg)
{
    struct prov_key *key = NULL;
    enum rc rc = fetch_key(&key, s);
    prov_key_free(key);
    return rc == RC_OK ? load_chain(s, cb, arg) : failed(s, rc);
}

static int load_first(struct store *s, OSSL_CALLBACK *cb, void *arg)
{
    if (s->subject.len > 0 && s->expect == 0)
        return load_only_chain(s, cb, arg);
    switch (s->expect) {
    case 0:
    case OSSL_STORE_INFO_PKEY:
    case OSSL_STORE_INFO_PUBKEY:
        return s->subject.len > 0 ? ended(s) : load_key(s, cb, arg);
    case OSSL_STORE_INFO_CERT:
        return load_only_chain(s, cb, arg);
    default: /* CRLs, parameters, names: there are none */
        return ended(s);
    }
}

static int load(void *vctx, OSSL_CALLBACK *cb, void *arg,
                OSSL_PASSPHRASE_CALLBACK *pw_cb, void *pw_arg)
{
    struct store *s = vctx;
    (void)pw_cb;
    (void)pw_arg;
    switch (s->step) {
    case STEP_START:
        return load_first(s, cb, arg);
    case STEP_CHAIN:
        return load_chain(s, cb, arg);
    case STEP_CERTS:
        return load_cert(s, cb, arg);
    default: /* after a failure, which stays one */
        s->step = STEP_END;
        return 0;
    }
}

/* clang-format off */
const OSSL_DISPATCH prov_store[] = {
    PROV_ENTRY(OSSL_FUNC_STORE_OPEN, open_uri),
    PROV_ENTRY(OSSL_FUNC_STORE_SETTABLE_CTX_PARAMS, settable),
    PROV_ENTRY(OSSL_FUNC_STORE_SET_CTX_PARAMS, set_ctx_params),
    PROV_ENTRY(OSSL_FUNC_STORE_LOAD, load),
    PROV_ENTRY(OSSL_FUNC_STORE_EOF, eof),
    PROV_ENTRY(OSSL_FUNC_STORE_CLOSE, close_store),
    PROV_ENTRY(OSSL_FUNC_STORE_EXPORT_OBJECT, prov_key_export_object),
    PROV_TABLE_END
};
/* clang-format on */

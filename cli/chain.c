/* SPDX-License-Identifier: Apache-2.0 */
/* Fresh certificates of a key, from the CA by way of the sidecar. */
#include "cli/inner.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "ca/ca.h"

#define CERT_MS 10000

OWNED_BY(X509, X509_free);
OWNED_BY(BIO, BIO_free_all);
OWNED_BY(ASN1_OBJECT, ASN1_OBJECT_free);

/* ---- none, and why ------------------------------------------------------ */

static enum rc ask_class(char out[12], const char *name)
{
    WIRE(key) key = { 0 };
    TRY(cli_ask_key(&key, name));
    memcpy(out, key.class, sizeof(key.class));
    return RC_OK;
}

/* Keys of servers and of the CA itself have none, by design. */
static enum rc explain_none(enum rc rc, const char *name)
{
    char class[12];
    char why[512];
    snprintf(why, sizeof(why), "%s", rc_text());
    if (rc != RC_POLICY || ask_class(class, name) != RC_OK)
        return rc_raise(rc, "%s", why);
    rc = rc_raise(RC_POLICY, "%s", why);
    if (strcmp(class, "tls") == 0)
        rc_hint("a tls key signs its own: openssl req -x509 -key mpc:%s, or "
                "openssl req -new -key mpc:%s for another CA",
                name, name);
    else if (strcmp(class, "issuer") == 0)
        rc_hint("an issuer's certificate is the root: `root` of mpc-ca's "
                "configuration, ca.pem in a dev directory");
    return rc;
}

/* ---- asking ------------------------------------------------------------- */

enum rc cli_ask_chain(struct wire_chain *out, const char *name,
                      const char *session)
{
    char path[256];
    struct http_answer a;
    bool bound = session && *session;
    snprintf(path, sizeof(path), "/v1/cert/%.80s%s%.64s", name,
             bound ? "?session=" : "", bound ? session : "");
    enum rc rc = cli_ask(&a, NULL, path, NULL, 0, CERT_MS);
    if (rc != RC_OK)
        return rc == RC_POLICY ? explain_none(rc, name) : rc;
    rc = wire_chain_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    if (out->chain.n == 0)
        return rc_raise(RC_UNKNOWN, "the CA answered with no certificate");
    return RC_OK;
}

enum rc cli_chain_pem(char **out, size_t *out_len,
                      const struct wire_chain *chain)
{
    OWNED(BIO) *bio = BIO_new(BIO_s_mem());
    for (size_t i = 0; bio && i < chain->chain.n; i++) {
        const unsigned char *at = chain->chain.at[i].p;
        OWNED(X509) *x = d2i_X509(NULL, &at, (long)chain->chain.at[i].len);
        bool ok = x && PEM_write_bio_X509(bio, x) == 1;
        ERR_clear_error();
        if (!ok)
            return rc_raise(RC_PARSE, "certificate %zu of the chain: not DER",
                            i);
    }
    char *text = NULL;
    long len = bio ? BIO_get_mem_data(bio, &text) : 0;
    char *copy = len > 0 ? strndup(text, (size_t)len) : NULL;
    if (!copy)
        return rc_raise(RC_NOMEM, "certificates: out of memory");
    *out = copy;
    *out_len = (size_t)len;
    return RC_OK;
}

bool cli_is_simulated(const X509 *x)
{
    OWNED(ASN1_OBJECT) *oid = OBJ_txt2obj(CA_OID_SIMULATED, 1);
    return oid && X509_get_ext_by_OBJ(x, oid, -1) >= 0;
}

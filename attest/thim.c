/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates beside a vTPM: what Azure's metadata service answers at
 * /metadata/THIM/amd/certification, kept in a file by whoever fetched it, or
 * the same certificates as plain PEM. No daemon asks the network. Public data
 * only; whether they are AMD's is the verifier's to say.
 */
#include "attest/vtpm.h"

#include <string.h>

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/file.h"

OWNED_BY(BIO, BIO_free_all);
OWNED_BY(X509, X509_free);
OWNED_BY(json_t, json_decref);

#define CERTS_MAX 4 /* VEK, ASK, ARK, and one to spare */

struct certs {
    X509 *at[CERTS_MAX];
    unsigned n;
};
static void free_certs(struct certs *c)
{
    for (unsigned i = 0; i < c->n; i++)
        X509_free(c->at[i]);
}

/* All there are in a text, behind those that are there. */
static enum rc add_pem(struct certs *c, const char *pem, size_t len,
                       const char *what)
{
    OWNED(BIO) *bio = BIO_new_mem_buf(pem, (int)len);
    unsigned before = c->n;
    X509 *x;
    while (bio && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (c->n == CERTS_MAX) {
            X509_free(x);
            return rc_raise(RC_TOO_LARGE, "%s: more than %u certificates", what,
                            CERTS_MAX);
        }
        c->at[c->n++] = x;
    }
    ERR_clear_error();
    return c->n > before
                   ? RC_OK
                   : rc_raise(RC_PARSE, "%s: no certificate in PEM", what);
}

static enum rc add_member(struct certs *c, const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    if (!json_is_string(v))
        return rc_raise(RC_PARSE, "%s: not there, or no text", name);
    return add_pem(c, json_string_value(v), json_string_length(v), name);
}

/* Other members are Azure's (tcbm, cacheControl) and say nothing here. */
static enum rc add_json(struct certs *c, const char *text, size_t len)
{
    json_error_t e;
    OWNED(json_t) *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    if (!json_is_object(o))
        return rc_raise(RC_PARSE, "not a JSON object, line %d", o ? 1 : e.line);
    TRY(add_member(c, o, "vcekCert"));
    if (c->n != 1)
        return rc_raise(RC_PARSE, "vcekCert: %u certificates, want 1", c->n);
    return add_member(c, o, "certificateChain");
}

static enum rc put(struct wire_blob *out, X509 *x)
{
    unsigned char *der = NULL;
    int len = i2d_X509(x, &der);
    if (len <= 0)
        return rc_raise(RC_NOMEM, "certificate: out of memory");
    enum rc rc = len <= ATTEST_CERT_MAX
                         ? wire_blob_set(out, der, (size_t)len)
                         : rc_raise(RC_TOO_LARGE, "certificate: %d bytes", len);
    OPENSSL_free(der);
    return rc;
}

static enum rc put_all(struct wire_evidence *out, const struct certs *c)
{
    TRY(put(&out->vek, c->at[0]));
    if (c->n == 1)
        return RC_OK;
    TRY(wire_list_new(&out->chain, c->n - 1));
    for (unsigned i = 1; i < c->n; i++)
        TRY(put(&out->chain.at[i - 1], c->at[i]));
    return RC_OK;
}

static enum rc take(struct wire_evidence *out, const char *text, size_t len)
{
    __attribute__((cleanup(free_certs))) struct certs c = { .n = 0 };
    size_t blank = strspn(text, " \t\r\n");
    TRY(text[blank] == '{' ? add_json(&c, text, len)
                           : add_pem(&c, text, len, "certificates"));
    return put_all(out, &c);
}

enum rc attest_thim_take(struct wire_evidence *out, const char *path)
{
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    enum rc rc = file_read(&bytes, &len, path, ATTEST_THIM_MAX);
    if (rc == RC_OK) {
        rc = take(out, (const char *)bytes, len);
        if (rc != RC_OK)
            rc = rc_prefix(rc, "%s: ", path);
    }
    if (rc != RC_OK)
        rc_hint("fetch it: curl -H Metadata:true "
                "http://169.254.169.254/metadata/THIM/amd/certification");
    return rc;
}

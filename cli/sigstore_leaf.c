/* SPDX-License-Identifier: Apache-2.0 */
/* What a leaf says of its key, and the log's timestamp in it. */
#include "cli/sigstore.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/hash.h"
#include "ca/ca.h"

OWNED_BY(X509, X509_free);
OWNED_BY(X509_EXTENSION, X509_EXTENSION_free);
OWNED_BY(ASN1_OBJECT, ASN1_OBJECT_free);
OWNED_BY(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free);

static enum rc open_one(X509 **out, const void *der, size_t len)
{
    const unsigned char *at = der;
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)len);
    ERR_clear_error();
    if (!x || at != (const unsigned char *)der + len)
        return rc_raise(RC_PARSE, "certificate: not DER");
    *out = TAKE(x);
    return RC_OK;
}

/* ---- its extensions ----------------------------------------------------- */

/* The DER in an extension, borrowed. */
static enum rc value_of(const unsigned char **der, long *len, const X509 *x,
                        const char *oid)
{
    OWNED(ASN1_OBJECT) *o = OBJ_txt2obj(oid, 1);
    int at = o ? X509_get_ext_by_OBJ(x, o, -1) : -1;
    if (at < 0)
        return rc_raise(RC_UNKNOWN, "leaf: no extension %s", oid);
    const ASN1_OCTET_STRING *s = X509_EXTENSION_get_data(X509_get_ext(x, at));
    *der = ASN1_STRING_get0_data(s);
    *len = ASN1_STRING_length(s);
    return RC_OK;
}

/* One element of DER: its tag, and what is in it. */
struct der {
    int tag; /* with the class: 0x80 for [0] */
    const unsigned char *p;
    long len;
};

static bool take(struct der *out, const unsigned char **at, long *left)
{
    int tag, class;
    const unsigned char *p = *at;
    if (*left <= 0 ||
        ASN1_get_object(&p, &out->len, &tag, &class, *left) & 0x81)
        return false;
    out->tag = class | tag;
    out->p = p;
    *left -= p + out->len - *at;
    *at = p + out->len;
    return true;
}

static bool number(uint64_t *out, const struct der *d)
{
    if (d->len < 1 || d->len > 8 || d->p[0] & 0x80)
        return false;
    *out = 0;
    for (long i = 0; i < d->len; i++)
        *out = *out << 8 | d->p[i];
    return true;
}

static bool text(char *out, size_t cap, const struct der *d)
{
    if (d->len <= 0 || (size_t)d->len >= cap || memchr(d->p, 0, (size_t)d->len))
        return false;
    memcpy(out, d->p, (size_t)d->len);
    out[d->len] = '\0';
    return true;
}

/* FORMATS section 4: integers are version, threshold, signers, [4] birth. */
static bool read_context(struct sigstore_leaf *l, const unsigned char *p,
                         long len)
{
    struct der d;
    uint64_t version = 0;
    uint64_t *const numbers[] = { &version, &l->threshold, &l->signers };
    unsigned n = 0;
    bool birth = false, log = false;
    if (!take(&d, &p, &len) || d.tag != V_ASN1_SEQUENCE || len != 0)
        return false;
    p = d.p;
    len = d.len;
    while (take(&d, &p, &len)) {
        if (d.tag == V_ASN1_INTEGER && n < 3) {
            if (!number(numbers[n++], &d))
                return false;
        } else if (d.tag == (V_ASN1_CONTEXT_SPECIFIC | 3)) {
            log = text(l->log, sizeof(l->log), &d);
        } else if (d.tag == (V_ASN1_CONTEXT_SPECIFIC | 4)) {
            birth = number(&l->birth, &d);
        }
    }
    return n == 3 && version == 1 && log && birth;
}

/* "mpc://<cluster>/ca", a DER UTF8String. */
static bool read_cluster(struct sigstore_leaf *l, const unsigned char *p,
                         long len)
{
    static const char head[] = "mpc://", tail[] = "/ca";
    struct der d;
    char uri[POLICY_NAME_MAX + 16];
    size_t head_len = sizeof(head) - 1, tail_len = sizeof(tail) - 1;
    if (!take(&d, &p, &len) || d.tag != V_ASN1_UTF8STRING ||
        !text(uri, sizeof(uri), &d))
        return false;
    size_t n = strlen(uri);
    if (n <= head_len + tail_len || memcmp(uri, head, head_len) != 0 ||
        strcmp(uri + n - tail_len, tail) != 0)
        return false;
    uri[n - tail_len] = '\0';
    return snprintf(l->cluster, sizeof(l->cluster), "%s", uri + head_len) <
           (int)sizeof(l->cluster);
}

static bool read_deployment(struct sigstore_leaf *l)
{
    size_t n = strlen(l->log);
    if (n <= 4 || strcmp(l->log + n - 4, "/log") != 0)
        return false;
    memcpy(l->deployment, l->log, n - 4);
    l->deployment[n - 4] = '\0';
    return true;
}

enum rc sigstore_leaf_read(struct sigstore_leaf *out, const void *der,
                           size_t len)
{
    struct sigstore_leaf l = { .has_sct = false };
    OWNED(X509) *x = NULL;
    const unsigned char *p;
    long n;
    size_t key_len = sizeof(l.key);
    TRY(open_one(&x, der, len));
    EVP_PKEY *key = X509_get0_pubkey(x);
    if (!key || EVP_PKEY_get_raw_public_key(key, l.key, &key_len) != 1 ||
        key_len != 32) {
        ERR_clear_error();
        return rc_raise(RC_PARSE, "leaf: its key is not Ed25519");
    }
    TRY(value_of(&p, &n, x, CA_OID_CONTEXT));
    if (!read_context(&l, p, n) || !read_deployment(&l))
        return rc_raise(RC_PARSE, "leaf: signing context is malformed");
    TRY(value_of(&p, &n, x, CA_OID_ISSUER));
    if (!read_cluster(&l, p, n))
        return rc_raise(RC_PARSE, "leaf: issuer is not mpc://CLUSTER/ca");
    l.has_sct = X509_get_ext_by_NID(x, NID_ct_precert_scts, -1) >= 0;
    *out = l;
    return RC_OK;
}

/* ---- the log's promise -------------------------------------------------- */

static enum rc key_hash(uint8_t out[32], const X509 *x)
{
    unsigned char *spki = NULL;
    int len = i2d_PUBKEY(X509_get0_pubkey(x), &spki);
    if (len <= 0)
        return rc_raise(RC_NOMEM, "issuer: out of memory");
    hash256(out, spki, (size_t)len);
    OPENSSL_free(spki);
    return RC_OK;
}

/* Takes the SCT list out of x; what is left is what the log saw. */
static enum rc take_list(ASN1_OCTET_STRING **list, X509 *x)
{
    int at = X509_get_ext_by_NID(x, NID_ct_precert_scts, -1);
    OWNED(X509_EXTENSION) *e = at < 0 ? NULL : X509_delete_ext(x, at);
    if (!e) {
        rc_raise(RC_UNKNOWN, "leaf: no timestamp of the log (SCT)");
        rc_hint("cosign takes it with --insecure-ignore-sct only; could the "
                "CA reach the log?");
        return RC_UNKNOWN;
    }
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(e);
    const unsigned char *p = ASN1_STRING_get0_data(value);
    *list = d2i_ASN1_OCTET_STRING(NULL, &p, ASN1_STRING_length(value));
    ERR_clear_error();
    return *list ? RC_OK : rc_raise(RC_PARSE, "leaf: SCT list is malformed");
}

enum rc sigstore_sct_check(const void *leaf, size_t leaf_len,
                           const void *issuer, size_t issuer_len,
                           const struct wire_spki *spki)
{
    OWNED(X509) *x = NULL;
    OWNED(X509) *ca = NULL;
    OWNED(ASN1_OCTET_STRING) *list = NULL;
    uint8_t issuer_hash[32];
    unsigned char *tbs = NULL;
    uint64_t at_ms;
    TRY(open_one(&x, leaf, leaf_len));
    TRY(open_one(&ca, issuer, issuer_len));
    TRY(key_hash(issuer_hash, ca));
    TRY(take_list(&list, x));
    int len = i2d_re_X509_tbs(x, &tbs);
    if (len <= 0)
        return rc_raise(RC_NOMEM, "leaf: out of memory");
    enum rc rc = tlog_sct_check(&at_ms, ASN1_STRING_get0_data(list),
                                (size_t)ASN1_STRING_length(list), spki->spki.p,
                                spki->spki.len, issuer_hash, tbs, (size_t)len);
    OPENSSL_free(tbs);
    return rc;
}

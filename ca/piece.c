/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of a certificate, each a call that either stands in x or raises.
 * OpenSSL's own encoders, so there is no DER of ours to get wrong. Public
 * data only.
 */
#include "ca/inner.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/hash.h"

OWNED_BY(GENERAL_NAMES, GENERAL_NAMES_free);
OWNED_BY(GENERAL_NAME, GENERAL_NAME_free);
OWNED_BY(AUTHORITY_KEYID, AUTHORITY_KEYID_free);
OWNED_BY(ASN1_BIT_STRING, ASN1_BIT_STRING_free);
OWNED_BY(ASN1_TIME, ASN1_TIME_free);
OWNED_BY(ASN1_INTEGER, ASN1_INTEGER_free);
OWNED_BY(ASN1_UTF8STRING, ASN1_UTF8STRING_free);

/* ---- errors ---------------------------------------------------------------- */

static bool of_our_provider(unsigned long e)
{
    const char *lib = ERR_lib_error_string(e);
    int reason = ERR_GET_REASON(e);
    return lib && strcmp(lib, "mpc") == 0 && reason > 0 && reason < RC__COUNT;
}

enum rc ca_ssl_raise(enum rc rc, const char *what)
{
    char text[320] = "";
    const char *data;
    int flags;
    bool ours = false;
    unsigned long e;
    while ((e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        if (ours)
            continue; /* what libcrypto adds to it says less */
        const char *reason = ERR_reason_error_string(e);
        bool more = data && (flags & ERR_TXT_STRING) && data[0];
        snprintf(text, sizeof(text), ": %s%s%s", reason ? reason : "failed",
                 more ? ": " : "", more ? data : "");
        ours = of_our_provider(e);
        if (ours)
            rc = (enum rc)ERR_GET_REASON(e);
    }
    return rc_raise(rc, "%s%s", what, text);
}

/* ---- names and times --------------------------------------------------------- */

void ca_uri(char out[CA_URI_SIZE], const char *cluster, bool simulated,
            const char *path)
{
    snprintf(out, CA_URI_SIZE, "mpc://%s%s/%s", simulated ? "simulated." : "",
             cluster, path);
}

enum rc ca_root_name(X509_NAME **out, const char *cluster)
{
    char cn[POLICY_NAME_MAX + 8];
    OWNED(X509_NAME) *name = X509_NAME_new();
    snprintf(cn, sizeof(cn), "%s root", cluster);
    if (strlen(cn) > 64) /* ub-common-name, RFC 5280 appendix A.1 */
        return rc_raise(RC_ARG, "cluster: too long for the root's common name, "
                                "at most 59 characters");
    if (!name ||
        !X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                    (const uint8_t *)cn, -1, -1, 0))
        return ca_ssl_raise(RC_NOMEM, "issuer name");
    *out = TAKE(name);
    return RC_OK;
}

static enum rc put_times(X509 *x, int64_t not_before, int64_t not_after)
{
    OWNED(ASN1_TIME) *from = ASN1_TIME_set(NULL, (time_t)not_before);
    OWNED(ASN1_TIME) *to = ASN1_TIME_set(NULL, (time_t)not_after);
    if (!from || !to || !X509_set1_notBefore(x, from) ||
        !X509_set1_notAfter(x, to))
        return ca_ssl_raise(RC_ARG, "validity");
    return RC_OK;
}

static enum rc put_serial(X509 *x, const uint8_t serial[CA_SERIAL_LEN])
{
    OWNED(ASN1_INTEGER) *n = ASN1_INTEGER_new();
    if (!n || !ASN1_STRING_set(n, serial, CA_SERIAL_LEN) ||
        !X509_set_serialNumber(x, n))
        return ca_ssl_raise(RC_NOMEM, "serial");
    return RC_OK;
}

static enum rc put_key(X509 *x, const uint8_t key[32])
{
    OWNED(EVP_PKEY) *pub = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                                       key, 32);
    if (!pub || !X509_set_pubkey(x, pub))
        return ca_ssl_raise(RC_ARG, "subject key");
    return RC_OK;
}

enum rc ca_put_head(X509 *x, const char *cluster, const struct ca_stamp *stamp,
                    int64_t life_s, const uint8_t key[32])
{
    OWNED(X509_NAME) *issuer = NULL;
    TRY(ca_root_name(&issuer, cluster));
    if (!X509_set_version(x, X509_VERSION_3) ||
        !X509_set_issuer_name(x, issuer))
        return ca_ssl_raise(RC_NOMEM, "certificate");
    TRY(put_serial(x, stamp->serial));
    TRY(put_times(x, stamp->not_before, stamp->not_before + life_s));
    return put_key(x, key);
}

/* ---- extensions ----------------------------------------------------------------- */

static enum rc put(X509 *x, int nid, void *value, bool critical)
{
    if (!value ||
        X509_add1_ext_i2d(x, nid, value, critical, X509V3_ADD_APPEND) != 1)
        return ca_ssl_raise(RC_NOMEM, OBJ_nid2sn(nid));
    return RC_OK;
}

enum rc ca_put_usage(X509 *x, const int *bits, unsigned n)
{
    OWNED(ASN1_BIT_STRING) *usage = ASN1_BIT_STRING_new();
    for (unsigned i = 0; usage && i < n; i++)
        if (!ASN1_BIT_STRING_set_bit(usage, bits[i], 1))
            return ca_ssl_raise(RC_NOMEM, "key usage");
    return put(x, NID_key_usage, usage, true);
}

/* RFC 7093 section 2, method 1: the first 160 bits of SHA-256 of the key. */
static ASN1_OCTET_STRING *key_id(const uint8_t key[32])
{
    uint8_t h[32];
    hash256(h, key, 32);
    OWNED(ASN1_OCTET_STRING) *id = ASN1_OCTET_STRING_new();
    if (!id || !ASN1_OCTET_STRING_set(id, h, 20))
        return NULL;
    return TAKE(id);
}

enum rc ca_put_key_id(X509 *x, const uint8_t key[32])
{
    OWNED(ASN1_OCTET_STRING) *id = key_id(key);
    return put(x, NID_subject_key_identifier, id, false);
}

enum rc ca_put_authority(X509 *x, const uint8_t issuer_key[32])
{
    OWNED(AUTHORITY_KEYID) *a = AUTHORITY_KEYID_new();
    if (a && !(a->keyid = key_id(issuer_key)))
        return ca_ssl_raise(RC_NOMEM, "authority key identifier");
    return put(x, NID_authority_key_identifier, a, false);
}

enum rc ca_put_san(X509 *x, const char *uri, bool critical)
{
    OWNED(GENERAL_NAMES) *names = GENERAL_NAMES_new();
    OWNED(GENERAL_NAME) *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    if (name && text)
        GENERAL_NAME_set0_value(name, GEN_URI, text); /* the name's now */
    else
        ASN1_IA5STRING_free(text);
    if (!names || !name || !text || !ASN1_STRING_set(text, uri, -1) ||
        sk_GENERAL_NAME_push(names, name) <= 0)
        return ca_ssl_raise(RC_NOMEM, "subject alternative name");
    name = NULL; /* the list's now */
    return put(x, NID_subject_alt_name, names, critical);
}

enum rc ca_put_raw(X509 *x, const char *oid, const void *value, size_t len)
{
    OWNED(ASN1_OBJECT) *obj = OBJ_txt2obj(oid, 1);
    OWNED(ASN1_OCTET_STRING) *octets = ASN1_OCTET_STRING_new();
    if (!obj || !octets || !ASN1_OCTET_STRING_set(octets, value, (int)len))
        return ca_ssl_raise(RC_NOMEM, oid);
    OWNED(X509_EXTENSION) *ext = X509_EXTENSION_create_by_OBJ(NULL, obj, 0,
                                                              octets);
    if (!ext || !X509_add_ext(x, ext, -1))
        return ca_ssl_raise(RC_NOMEM, oid);
    return RC_OK;
}

enum rc ca_put_text(X509 *x, const char *oid, const char *text)
{
    OWNED(ASN1_UTF8STRING) *s = ASN1_UTF8STRING_new();
    uint8_t der[512], *end = der;
    if (!s || !ASN1_STRING_set(s, text, -1))
        return ca_ssl_raise(RC_NOMEM, oid);
    int len = i2d_ASN1_UTF8STRING(s, NULL);
    if (len <= 0 || (size_t)len > sizeof(der))
        return ca_ssl_raise(RC_INTERNAL, oid);
    (void)i2d_ASN1_UTF8STRING(s, &end);
    return ca_put_raw(x, oid, der, (size_t)len);
}

enum rc ca_put_simulated(X509 *x)
{
    static const uint8_t null[] = { 0x05, 0x00 };
    return ca_put_raw(x, CA_OID_SIMULATED, null, sizeof(null));
}

enum rc ca_get_raw(const uint8_t **value, size_t *len, const X509 *x,
                   const char *oid)
{
    OWNED(ASN1_OBJECT) *obj = OBJ_txt2obj(oid, 1);
    if (!obj)
        return ca_ssl_raise(RC_NOMEM, oid);
    int at = X509_get_ext_by_OBJ(x, obj, -1);
    if (at < 0)
        return rc_raise(RC_UNKNOWN, "certificate: no extension %s", oid);
    const ASN1_OCTET_STRING *octets = X509_EXTENSION_get_data(
            X509_get_ext(x, at));
    *value = ASN1_STRING_get0_data(octets);
    *len = (size_t)ASN1_STRING_length(octets);
    return RC_OK;
}

bool ca_ext_is_last(const X509 *x, const char *oid)
{
    OWNED(ASN1_OBJECT) *obj = OBJ_txt2obj(oid, 1);
    int at = obj ? X509_get_ext_by_OBJ(x, obj, -1) : -1;
    return at >= 0 && at == X509_get_ext_count(x) - 1;
}

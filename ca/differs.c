/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In which field a certificate is not the one that key, birth and policy say:
 * for people, and for the record. Bytes have decided before.
 */
#include "ca/inner.h"

#include <stdio.h>
#include <string.h>

/* ---- extensions ------------------------------------------------------------ */

/* clang-format off */
static const struct {
    const char *oid;
    const char *name;
} own[] = {
    { CA_OID_CONTEXT,     "context" },
    { CA_OID_SIMULATED,   "simulated" },
    { CA_OID_ISSUER,      "issuer uri" },
    { CA_OID_BUILDER,     "build signer" },
    { CA_OID_ENVIRONMENT, "environment" },
    { CA_OID_RUN,         "session uri" },
};
/* clang-format on */

static void name_of(char out[CA_FIELD_SIZE], const ASN1_OBJECT *o)
{
    char oid[80];
    int nid = OBJ_obj2nid(o);
    OBJ_obj2txt(oid, (int)sizeof(oid), o, 1);
    snprintf(out, CA_FIELD_SIZE, "%s",
             nid == NID_undef ? oid : OBJ_nid2sn(nid));
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strcmp(own[i].oid, oid) == 0)
            snprintf(out, CA_FIELD_SIZE, "%s", own[i].name);
}

static bool same_value(X509_EXTENSION *a, X509_EXTENSION *b)
{
    return ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(a),
                                 X509_EXTENSION_get_data(b)) == 0;
}

static bool same_kind(X509_EXTENSION *a, X509_EXTENSION *b)
{
    return OBJ_cmp(X509_EXTENSION_get_object(a),
                   X509_EXTENSION_get_object(b)) == 0;
}

/* The first place where they are not the same; each may end before. */
static void extension_differs(char out[CA_FIELD_SIZE], const X509 *made,
                              const X509 *x)
{
    int n = X509_get_ext_count(made), more = X509_get_ext_count(x);
    for (int i = 0; i < n || i < more; i++) {
        X509_EXTENSION *e = i < n ? X509_get_ext(made, i) : NULL;
        X509_EXTENSION *f = i < more ? X509_get_ext(x, i) : NULL;
        char name[CA_FIELD_SIZE];
        name_of(name, X509_EXTENSION_get_object(e ? e : f));
        bool kind = e && f && same_kind(e, f);
        bool value = kind && same_value(e, f);
        if (value &&
            X509_EXTENSION_get_critical(e) == X509_EXTENSION_get_critical(f))
            continue;
        if (value)
            snprintf(out, CA_FIELD_SIZE, "%s, critical or not,", name);
        else if (kind && strcmp(name, "context") == 0)
            snprintf(out, CA_FIELD_SIZE, "context.%s",
                     ca_context_differs(X509_EXTENSION_get_data(e),
                                        X509_EXTENSION_get_data(f)));
        else if (!e)
            snprintf(out, CA_FIELD_SIZE, "one more extension, %s,", name);
        else
            snprintf(out, CA_FIELD_SIZE, "%s", name);
        return;
    }
    snprintf(out, CA_FIELD_SIZE, "encoding");
}

/* ---- all of it ----------------------------------------------------------------- */

static bool same_name(const X509_NAME *a, const X509_NAME *b)
{
    const uint8_t *p, *q;
    size_t p_len, q_len;
    return X509_NAME_get0_der(a, &p, &p_len) &&
           X509_NAME_get0_der(b, &q, &q_len) && p_len == q_len &&
           memcmp(p, q, p_len) == 0;
}

static const char *field_differs(const X509 *a, const X509 *b)
{
    if (X509_get_version(a) != X509_get_version(b))
        return "version";
    if (!same_name(X509_get_issuer_name(a), X509_get_issuer_name(b)))
        return "issuer";
    if (ASN1_TIME_compare(X509_get0_notBefore(a), X509_get0_notBefore(b)) != 0)
        return "notBefore";
    if (ASN1_TIME_compare(X509_get0_notAfter(a), X509_get0_notAfter(b)) != 0)
        return "notAfter";
    if (!same_name(X509_get_subject_name(a), X509_get_subject_name(b)))
        return "subject";
    if (X509_PUBKEY_eq(X509_get_X509_PUBKEY(a), X509_get_X509_PUBKEY(b)) != 1)
        return "subjectPublicKey";
    return NULL;
}

enum rc ca_same(X509 *made, const X509 *x, const uint8_t *tbs, size_t tbs_len)
{
    uint8_t want[CA_DER_MAX];
    char name[CA_FIELD_SIZE];
    size_t len;
    TRY(ca_tbs_of(want, &len, made));
    if (len == tbs_len && memcmp(want, tbs, len) == 0)
        return RC_OK;
    const char *field = field_differs(made, x);
    if (!field)
        extension_differs(name, made, x);
    return rc_raise(RC_POLICY,
                    "certificate: %s is not what key, birth and policy say",
                    field ? field : name);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MpcSigningContext, FORMATS section 4: what a leaf says about the birth of
 * its key. Public data only.
 */
#include "ca/inner.h"

#include <string.h>

#include <openssl/asn1t.h>
#include <openssl/err.h>

DEFINE_STACK_OF(ASN1_OCTET_STRING)

typedef struct {
    ASN1_INTEGER *version;
    ASN1_OCTET_STRING *session;
    ASN1_OCTET_STRING *artifact; /* [0], may be NULL */
    ASN1_INTEGER *threshold;
    ASN1_INTEGER *signers;
    STACK_OF(ASN1_OCTET_STRING) * participants;
    ASN1_OCTET_STRING *approvals;
    ASN1_OCTET_STRING *policy;
    ASN1_UTF8STRING *log_origin; /* [3] */
    ASN1_INTEGER *birth;         /* [4] */
} CA_CONTEXT;

/* clang-format off */
ASN1_SEQUENCE(CA_CONTEXT) = {
    ASN1_SIMPLE(CA_CONTEXT, version, ASN1_INTEGER),
    ASN1_SIMPLE(CA_CONTEXT, session, ASN1_OCTET_STRING),
    ASN1_IMP_OPT(CA_CONTEXT, artifact, ASN1_OCTET_STRING, 0),
    ASN1_SIMPLE(CA_CONTEXT, threshold, ASN1_INTEGER),
    ASN1_SIMPLE(CA_CONTEXT, signers, ASN1_INTEGER),
    ASN1_SEQUENCE_OF(CA_CONTEXT, participants, ASN1_OCTET_STRING),
    ASN1_SIMPLE(CA_CONTEXT, approvals, ASN1_OCTET_STRING),
    ASN1_SIMPLE(CA_CONTEXT, policy, ASN1_OCTET_STRING),
    ASN1_IMP(CA_CONTEXT, log_origin, ASN1_UTF8STRING, 3),
    ASN1_IMP(CA_CONTEXT, birth, ASN1_INTEGER, 4),
} static_ASN1_SEQUENCE_END(CA_CONTEXT)
/* clang-format on */

static void context_free(CA_CONTEXT *c)
{
    ASN1_item_free((ASN1_VALUE *)c, ASN1_ITEM_rptr(CA_CONTEXT));
}
OWNED_BY(CA_CONTEXT, context_free);

static bool put_signers(CA_CONTEXT *c, const struct ca_facts *f)
{
    for (unsigned i = 0; i < f->n_signers; i++) {
        OWNED(ASN1_OCTET_STRING) *one = ASN1_OCTET_STRING_new();
        if (!one || !ASN1_OCTET_STRING_set(one, f->signer[i], 32) ||
            sk_ASN1_OCTET_STRING_push(c->participants, one) <= 0)
            return false;
        one = NULL; /* the stack's now */
    }
    return true;
}

static bool put_artifact(CA_CONTEXT *c, const struct ca_facts *f)
{
    if (!f->has_artifact)
        return true;
    c->artifact = ASN1_OCTET_STRING_new();
    return c->artifact && ASN1_OCTET_STRING_set(c->artifact, f->artifact, 32);
}

static bool fill(CA_CONTEXT *c, const struct ca_facts *f)
{
    return ASN1_INTEGER_set_uint64(c->version, 1) &&
           ASN1_OCTET_STRING_set(c->session, f->session, 32) &&
           put_artifact(c, f) &&
           ASN1_INTEGER_set_uint64(c->threshold, f->threshold) &&
           ASN1_INTEGER_set_uint64(c->signers, f->n_signers) &&
           put_signers(c, f) &&
           ASN1_OCTET_STRING_set(c->approvals, f->approvals, 32) &&
           ASN1_OCTET_STRING_set(c->policy, f->policy, 32) &&
           ASN1_STRING_set(c->log_origin, f->log_origin, -1) &&
           ASN1_INTEGER_set_uint64(c->birth, f->birth);
}

enum rc ca_put_context(X509 *x, const struct ca_facts *facts)
{
    OWNED(CA_CONTEXT) *c = (CA_CONTEXT *)ASN1_item_new(
            ASN1_ITEM_rptr(CA_CONTEXT));
    uint8_t der[CA_DER_MAX], *end = der;
    if (!c || !fill(c, facts))
        return ca_ssl_raise(RC_NOMEM, "signing context");
    int len = ASN1_item_i2d((ASN1_VALUE *)c, NULL, ASN1_ITEM_rptr(CA_CONTEXT));
    if (len <= 0 || (size_t)len > sizeof(der))
        return ca_ssl_raise(RC_INTERNAL, "signing context");
    (void)ASN1_item_i2d((ASN1_VALUE *)c, &end, ASN1_ITEM_rptr(CA_CONTEXT));
    return ca_put_raw(x, CA_OID_CONTEXT, der, (size_t)len);
}

/* NULL: not one context, or more than that. */
static CA_CONTEXT *open_context(const uint8_t *der, size_t len)
{
    const uint8_t *at = der;
    if (len > CA_DER_MAX)
        return NULL;
    OWNED(CA_CONTEXT) *c = (CA_CONTEXT *)ASN1_item_d2i(
            NULL, &at, (long)len, ASN1_ITEM_rptr(CA_CONTEXT));
    return c && at == der + len ? TAKE(c) : NULL;
}

static bool same_list(const STACK_OF(ASN1_OCTET_STRING) * a,
                      const STACK_OF(ASN1_OCTET_STRING) * b)
{
    int n = sk_ASN1_OCTET_STRING_num(a);
    if (n != sk_ASN1_OCTET_STRING_num(b))
        return false;
    for (int i = 0; i < n; i++)
        if (ASN1_STRING_cmp(sk_ASN1_OCTET_STRING_value(a, i),
                            sk_ASN1_OCTET_STRING_value(b, i)) != 0)
            return false;
    return true;
}

/* Strings; NULL for what is left out. */
static bool same(const ASN1_STRING *a, const ASN1_STRING *b)
{
    return a && b ? ASN1_STRING_cmp(a, b) == 0 : a == b;
}

static const char *differs(const CA_CONTEXT *a, const CA_CONTEXT *b)
{
    return !same(a->version, b->version)                  ? "version"
           : !same(a->session, b->session)                ? "session"
           : !same(a->artifact, b->artifact)              ? "artifact"
           : !same(a->threshold, b->threshold)            ? "threshold"
           : !same(a->signers, b->signers)                ? "signers"
           : !same_list(a->participants, b->participants) ? "participants"
           : !same(a->approvals, b->approvals)            ? "approvals"
           : !same(a->policy, b->policy)                  ? "policy"
           : !same(a->log_origin, b->log_origin)          ? "logOrigin"
           : !same(a->birth, b->birth)                    ? "birth"
                                                          : "DER";
}

const char *ca_context_differs(const ASN1_OCTET_STRING *a,
                               const ASN1_OCTET_STRING *b)
{
    OWNED(CA_CONTEXT) *x = open_context(ASN1_STRING_get0_data(a),
                                        (size_t)ASN1_STRING_length(a));
    OWNED(CA_CONTEXT) *y = open_context(ASN1_STRING_get0_data(b),
                                        (size_t)ASN1_STRING_length(b));
    ERR_clear_error();
    return x && y ? differs(x, y) : "DER";
}

enum rc ca_context_birth(uint64_t *index, const uint8_t *der, size_t len)
{
    uint64_t birth;
    OWNED(CA_CONTEXT) *c = open_context(der, len);
    if (!c)
        return ca_ssl_raise(RC_PARSE, "signing context");
    if (!ASN1_INTEGER_get_uint64(&birth, c->birth))
        return ca_ssl_raise(RC_PARSE, "signing context: birth");
    *index = birth;
    return RC_OK;
}

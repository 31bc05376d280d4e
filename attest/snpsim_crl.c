/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated ARK's revocation list, as AMD publishes one: a file for
 * `attest verify --crl` and for the daemons.
 */
#include "attest/snpsim.h"

#include <string.h>

#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/clock.h"

OWNED_BY(X509_CRL, X509_CRL_free);
OWNED_BY(X509_REVOKED, X509_REVOKED_free);
OWNED_BY(ASN1_INTEGER, ASN1_INTEGER_free);
OWNED_BY(ASN1_TIME, ASN1_TIME_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);

#define YEAR_S (365 * 86400L)
#define EARLY  (-3600L)

static enum rc failed(const char *what)
{
    return rc_raise(RC_INTERNAL, "simulated CRL: %s failed", what);
}

static enum rc parse(X509 **out, const struct snpsim_cert *c)
{
    const unsigned char *p = c->der;
    *out = d2i_X509(NULL, &p, (long)c->len);
    return *out ? RC_OK : rc_raise(RC_PARSE, "ark.der or ask.der: unreadable");
}

static enum rc blank(X509_CRL **out, X509 *ark)
{
    time_t now = (time_t)clock_now_s();
    OWNED(X509_CRL) *crl = X509_CRL_new();
    OWNED(ASN1_TIME) *from = X509_time_adj(NULL, EARLY, &now);
    OWNED(ASN1_TIME) *to = X509_time_adj(NULL, YEAR_S, &now);
    if (!crl || !from || !to || X509_CRL_set_version(crl, 1) != 1 ||
        X509_CRL_set_issuer_name(crl, X509_get_subject_name(ark)) != 1 ||
        X509_CRL_set1_lastUpdate(crl, from) != 1 ||
        X509_CRL_set1_nextUpdate(crl, to) != 1)
        return failed("making it");
    *out = TAKE(crl);
    return RC_OK;
}

static enum rc list_as_revoked(X509_CRL *crl, X509 *cert)
{
    time_t now = (time_t)clock_now_s();
    OWNED(X509_REVOKED) *r = X509_REVOKED_new();
    OWNED(ASN1_TIME) *at = X509_time_adj(NULL, EARLY, &now);
    if (!r || !at ||
        X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(cert)) != 1 ||
        X509_REVOKED_set_revocationDate(r, at) != 1 ||
        X509_CRL_add0_revoked(crl, r) != 1)
        return failed("revoking");
    (void)TAKE(r);
    return RC_OK;
}

/* Number 1 stays: nobody of ours compares numbers. */
static enum rc finish(X509_CRL *crl, EVP_PKEY *key)
{
    OWNED(ASN1_INTEGER) *number = ASN1_INTEGER_new();
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pk = NULL; /* belongs to ctx */
    if (!number || !ctx || ASN1_INTEGER_set(number, 1) != 1 ||
        X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) != 1 ||
        X509_CRL_sort(crl) != 1 ||
        EVP_DigestSignInit(ctx, &pk, EVP_sha384(), NULL, key) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(pk, RSA_PKCS1_PSS_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pk, 48) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(pk, EVP_sha384()) != 1 ||
        X509_CRL_sign_ctx(crl, ctx) <= 0)
        return failed("signing it");
    return RC_OK;
}

enum rc snpsim_crl(const char *dir, bool revoke_ask)
{
    struct snpsim_cert der;
    OWNED(X509) *ark = NULL;
    OWNED(X509) *ask = NULL;
    OWNED(X509_CRL) *crl = NULL;
    OWNED(EVP_PKEY) *key = NULL;
    TRY(snpsim_get_cert(&der, dir, "ark.der"));
    TRY(parse(&ark, &der));
    TRY(snpsim_get_cert(&der, dir, "ask.der"));
    TRY(parse(&ask, &der));
    enum rc rc = snpsim_get_key(&key, dir, "ark.key");
    if (rc == RC_UNKNOWN)
        rc_hint("the ARK's key is where it was made: the directory that "
                "`init --roots` named");
    TRY(rc);
    TRY(blank(&crl, ark));
    if (revoke_ask)
        TRY(list_as_revoked(crl, ask));
    TRY(finish(crl, key));
    unsigned char *out = NULL;
    int len = i2d_X509_CRL(crl, &out);
    if (len <= 0)
        return failed("encoding it");
    rc = snpsim_put(dir, "crl.der", out, (size_t)len, 0644);
    OPENSSL_free(out);
    return rc;
}

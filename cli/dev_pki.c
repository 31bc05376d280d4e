/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deployment's PKI of a dev cluster: who is who on the wire. Ed25519
 * throughout; keys are files of 0600 below a directory of 0700.
 */
#include "cli/dev.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/file.h"
#include "base/rand.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(X509, X509_free);
OWNED_BY(X509_EXTENSION, X509_EXTENSION_free);
OWNED_BY(BIO, BIO_free_all);

#define LIFE_S (10L * 365 * 86400)

static enum rc failed(const char *what)
{
    return rc_raise(RC_INTERNAL, "PKI: %s failed", what);
}

static enum rc put_cert(const char *path, X509 *x)
{
    OWNED(BIO) *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    if (!bio || PEM_write_bio_X509(bio, x) != 1)
        return failed("writing a certificate");
    long len = BIO_get_mem_data(bio, &pem);
    return file_write(path, pem, (size_t)len, 0644);
}

static enum rc put_key(const char *path, EVP_PKEY *key)
{
    OWNED(BIO) *bio = BIO_new(BIO_s_secmem());
    char *pem = NULL;
    if (!bio ||
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return failed("writing a key");
    long len = BIO_get_mem_data(bio, &pem);
    return file_write(path, pem, (size_t)len, 0600);
}

static enum rc add(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    OWNED(X509_EXTENSION) *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (!e || X509_add_ext(x, e, -1) != 1)
        return failed("adding an extension");
    return RC_OK;
}

static enum rc put_serial(X509 *x)
{
    uint8_t serial[16];
    TRY(rand_bytes(serial, sizeof(serial)));
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40); /* positive, full */
    BIGNUM *n = BN_bin2bn(serial, sizeof(serial), NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
    BN_free(n);
    return ok ? RC_OK : failed("making a serial number");
}

/* issuer NULL: self-issued. */
static enum rc blank(X509 **out, const char *name, EVP_PKEY *key, X509 *issuer)
{
    OWNED(X509) *x = X509_new();
    if (!x || X509_set_version(x, 2) != 1 ||
        !X509_gmtime_adj(X509_getm_notBefore(x), -3600) ||
        !X509_gmtime_adj(X509_getm_notAfter(x), LIFE_S) ||
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                   (const unsigned char *)name, -1, -1,
                                   0) != 1 ||
        X509_set_pubkey(x, key) != 1 ||
        X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x)) !=
                1)
        return failed("making a certificate");
    TRY(put_serial(x));
    *out = TAKE(x);
    return RC_OK;
}

static enum rc make_ca(X509 **out, EVP_PKEY *key)
{
    OWNED(X509) *x = NULL;
    TRY(blank(&x, DEV_CLUSTER " deployment", key, NULL));
    TRY(add(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
    TRY(add(x, x, NID_key_usage, "critical,keyCertSign,cRLSign"));
    TRY(add(x, x, NID_subject_key_identifier, "hash"));
    if (X509_sign(x, key, NULL) <= 0)
        return failed("signing a certificate");
    *out = TAKE(x);
    return RC_OK;
}

static enum rc make_leaf(X509 **out, const struct dev_who *w, EVP_PKEY *key,
                         X509 *ca, EVP_PKEY *ca_key)
{
    char san[128];
    OWNED(X509) *x = NULL;
    snprintf(san, sizeof(san), "URI:mpc://" DEV_CLUSTER "/%s%s%s", w->uri_role,
             w->id ? "/" : "", w->id ? w->name : "");
    TRY(blank(&x, w->name, key, ca));
    TRY(add(x, ca, NID_basic_constraints, "critical,CA:FALSE"));
    TRY(add(x, ca, NID_key_usage, "critical,digitalSignature"));
    TRY(add(x, ca, NID_ext_key_usage, "serverAuth,clientAuth"));
    TRY(add(x, ca, NID_subject_alt_name, san));
    TRY(add(x, ca, NID_authority_key_identifier, "keyid:always"));
    if (X509_sign(x, ca_key, NULL) <= 0)
        return failed("signing a certificate");
    *out = TAKE(x);
    return RC_OK;
}

static enum rc leaf(const struct dev *d, const struct dev_who *w, X509 *ca,
                    EVP_PKEY *ca_key)
{
    char name[32];
    char path[DEV_PATH];
    OWNED(EVP_PKEY) *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    OWNED(X509) *x = NULL;
    if (!key)
        return failed("making a key");
    TRY(make_leaf(&x, w, key, ca, ca_key));
    snprintf(name, sizeof(name), "%s.crt", w->name); /* ca.pem is the CA's */
    TRY(dev_path(path, d, "pki", name));
    TRY(put_cert(path, x));
    snprintf(name, sizeof(name), "%s.key", w->name);
    TRY(dev_path(path, d, "pki", name));
    return put_key(path, key);
}

enum rc dev_pki(const struct dev *d)
{
    char path[DEV_PATH];
    TRY(dev_path(path, d, "pki", NULL));
    TRY(file_mkdirs(path, 0700));
    OWNED(EVP_PKEY) *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    OWNED(X509) *ca = NULL;
    if (!key)
        return failed("making a key");
    TRY(make_ca(&ca, key));
    /* its key ends with this process: nobody issues another node later */
    TRY(dev_path(path, d, "pki", "ca.pem"));
    TRY(put_cert(path, ca));
    struct dev_who w;
    for (unsigned i = 0; dev_who_at(&w, d, i); i++)
        TRY(leaf(d, &w, ca, key));
    return RC_OK;
}

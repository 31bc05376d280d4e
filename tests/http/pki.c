/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "pki.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static EVP_PKEY *make_key(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_non_null(key);
    return key;
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

static X509 *make_cert(const char *name, EVP_PKEY *key, int64_t from_s,
                       int64_t to_s)
{
    static long serial = 1;
    X509 *cert = X509_new();
    assert_non_null(cert);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    return cert;
}

static void write_cert(const char *path, X509 *cert)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, cert), 1);
    fclose(f);
}

static void write_key(const char *path, EVP_PKEY *key)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL),
                     1);
    fclose(f);
}

void pki_make(struct pki *p, const char *dir, const char *name)
{
    EVP_PKEY *key = make_key();
    X509 *ca = make_cert(name, key, -3600, 86400);
    X509_set_issuer_name(ca, X509_get_subject_name(ca));
    extend(ca, ca, NID_basic_constraints, "critical,CA:TRUE");
    extend(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(ca, ca, NID_subject_key_identifier, "hash");
    assert_true(X509_sign(ca, key, NULL) > 0);
    *p = (struct pki){ .dir = dir, .name = name, .ca_key = key, .ca_cert = ca };
    snprintf(p->ca_path, sizeof(p->ca_path), "%s/%s.pem", dir, name);
    write_cert(p->ca_path, ca);
}

void pki_wipe(struct pki *p)
{
    X509_free(p->ca_cert);
    EVP_PKEY_free(p->ca_key);
}

void pki_leaf(struct pki_id *out, const struct pki *p, const char *name,
              const char *san, int64_t from_s, int64_t to_s)
{
    EVP_PKEY *key = make_key();
    X509 *cert = make_cert(name, key, from_s, to_s);
    X509_set_issuer_name(cert, X509_get_subject_name(p->ca_cert));
    extend(cert, p->ca_cert, NID_basic_constraints, "critical,CA:FALSE");
    extend(cert, p->ca_cert, NID_key_usage, "critical,digitalSignature");
    extend(cert, p->ca_cert, NID_ext_key_usage, "serverAuth,clientAuth");
    if (san)
        extend(cert, p->ca_cert, NID_subject_alt_name, san);
    assert_true(X509_sign(cert, p->ca_key, NULL) > 0);
    snprintf(out->ca, sizeof(out->ca), "%s", p->ca_path);
    snprintf(out->cert, sizeof(out->cert), "%s/%s-%s.pem", p->dir, p->name,
             name);
    snprintf(out->key, sizeof(out->key), "%s/%s-%s.key", p->dir, p->name, name);
    write_cert(out->cert, cert);
    write_key(out->key, key);
    X509_free(cert);
    EVP_PKEY_free(key);
}

struct http_tls_files pki_files(const struct pki_id *id)
{
    return (struct http_tls_files){ id->ca, id->cert, id->key };
}

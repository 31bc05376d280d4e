/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "attest/layout.h"
#include "attest/roots.h"
#include "base/hash.h"

static EVP_PKEY *ark_key, *ask_key;

void forge_setup(void)
{
    ark_key = EVP_RSA_gen(4096);
    ask_key = EVP_RSA_gen(4096);
    assert_non_null(ark_key);
    assert_non_null(ask_key);
}

void forge_teardown(void)
{
    EVP_PKEY_free(ark_key);
    EVP_PKEY_free(ask_key);
}

static X509_NAME *name_of(const struct forge *f, const char *cn)
{
    const char *const rows[][2] = { { "OU", "Engineering" },
                                    { "C", "US" },
                                    { "L", "Santa Clara" },
                                    { "ST", "CA" },
                                    { "O", f->org ? f->org : ATTEST_SIM_ORG },
                                    { "CN", cn } };
    X509_NAME *n = X509_NAME_new();
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(X509_NAME_add_entry_by_txt(
                                 n, rows[i][0], MBSTRING_ASC,
                                 (const unsigned char *)rows[i][1], -1, -1, 0),
                         1);
    return n;
}

static X509 *cert(const struct forge *f, EVP_PKEY *key, long serial,
                  const char *subject, const char *issuer, int days)
{
    X509 *c = X509_new();
    X509_NAME *s = name_of(f, subject);
    X509_NAME *i = name_of(f, issuer);
    X509_set_version(c, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c), serial);
    X509_set_subject_name(c, s);
    X509_set_issuer_name(c, i);
    assert_int_equal(X509_set_pubkey(c, key), 1);
    X509_gmtime_adj(X509_getm_notBefore(c), days * 86400L - 3600);
    X509_gmtime_adj(X509_getm_notAfter(c), (days + 10) * 86400L);
    X509_NAME_free(s);
    X509_NAME_free(i);
    return c;
}

static void extend(X509 *c, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, c, c, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    X509_add_ext(c, e, -1);
    X509_EXTENSION_free(e);
}

static void sign(const struct forge *f, EVP_MD_CTX *ctx, EVP_PKEY *key)
{
    EVP_PKEY_CTX *pk = NULL;
    const EVP_MD *md = f->md ? f->md : EVP_sha384();
    assert_int_equal(EVP_DigestSignInit(ctx, &pk, md, NULL, key), 1);
    EVP_PKEY_CTX_set_rsa_padding(pk, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(pk, f->salt ? f->salt : 48);
    EVP_PKEY_CTX_set_rsa_mgf1_md(pk, f->mgf ? f->mgf : EVP_sha384());
}

static void sign_cert(const struct forge *f, X509 *c, EVP_PKEY *key)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    sign(f, ctx, key);
    assert_true(X509_sign_ctx(c, ctx) > 0);
    EVP_MD_CTX_free(ctx);
}

static void add_raw(X509 *c, const char *oid, const void *der, size_t len)
{
    char full[64];
    snprintf(full, sizeof(full), SNP_OID "%s", oid);
    ASN1_OBJECT *o = OBJ_txt2obj(full, 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(s, der, (int)len);
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, s);
    assert_non_null(e);
    X509_add_ext(c, e, -1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(o);
}

/* CHIP_ID of every forged report: 64 bytes of this */
#define CHIP 0x3C

static void add_amd(X509 *c, const struct forge *f)
{
    uint8_t hwid[64];
    memset(hwid, CHIP, sizeof(hwid));
    const struct forge_ext rows[] = {
        { "1", "\x02\x01\x00", 3, false },
        { "2", "\x16\x05Genoa", 7, false },
        { "3.1", "\x02\x01\x0A", 3, false },
        { "3.2", "\x02\x01\x00", 3, false },
        { "3.3", "\x02\x01\x18", 3, false },
        { "3.4", "\x02\x01\x00", 3, false },
        { "3.5", "\x02\x01\x00", 3, false },
        { "3.6", "\x02\x01\x00", 3, false },
        { "3.7", "\x02\x01\x00", 3, false },
        { "3.8", "\x02\x02\x00\x90", 4, false },
        { "4", (const char *)hwid, 64, false },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct forge_ext *e = &rows[i];
        for (size_t k = 0; k < 2; k++) {
            if (f->ext[k].oid && strcmp(f->ext[k].oid, e->oid) == 0)
                e = &f->ext[k];
        }
        if (e->twice)
            add_raw(c, e->oid, e->der, e->len);
        if (e->der)
            add_raw(c, e->oid, e->der, e->len);
    }
    for (size_t k = 0; k < 2; k++) { /* those that are not among AMD's */
        if (f->ext[k].oid && (strcmp(f->ext[k].oid, "5") == 0 ||
                              strcmp(f->ext[k].oid, "3.9") == 0))
            add_raw(c, f->ext[k].oid, f->ext[k].der, f->ext[k].len);
    }
}

static const uint8_t tcb[8] = { 0x0A, 0, 0, 0, 0, 0, 0x18, 0x90 };

static void report(uint8_t r[ATTEST_REPORT_LEN], const struct forge *f,
                   EVP_PKEY *key)
{
    memset(r, 0, ATTEST_REPORT_LEN);
    r[SNP_VERSION] = f->version ? f->version : 5;
    r[SNP_POLICY + 2] = 3;
    r[SNP_SIGNATURE_ALGO] = 1;
    memset(r + SNP_REPORT_ID_MA, 0xFF, 32);
    r[SNP_FMS] = 0x19;
    r[SNP_FMS + 1] = 0x11;
    memset(r + SNP_CHIP_ID, f->no_chip ? 0 : CHIP, 64);
    memcpy(r + SNP_CURRENT_TCB, tcb, 8);
    memcpy(r + SNP_REPORTED_TCB, tcb, 8);
    memcpy(r + SNP_COMMITTED_TCB, tcb, 8);
    memcpy(r + SNP_LAUNCH_TCB, tcb, 8);
    for (size_t i = 0; i < 3; i++) {
        if (f->byte[i].at)
            r[f->byte[i].at] = f->byte[i].value;
    }
    uint8_t der[160];
    size_t len = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &len, r, SNP_SIGNED_LEN), 1);
    EVP_MD_CTX_free(ctx);
    const unsigned char *p = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
    assert_non_null(sig);
    BN_bn2lebinpad(ECDSA_SIG_get0_r(sig), r + SNP_SIG_R, SNP_SIG_FIELD);
    BN_bn2lebinpad(ECDSA_SIG_get0_s(sig), r + SNP_SIG_S, SNP_SIG_FIELD);
    ECDSA_SIG_free(sig);
}

static void put(struct wire_blob *out, X509 *c)
{
    unsigned char *der = NULL;
    int len = i2d_X509(c, &der);
    assert_true(len > 0);
    assert_ok(wire_blob_set(out, der, (size_t)len));
    OPENSSL_free(der);
    X509_free(c);
}

static const char ark_cn[] = "ARK-Genoa" ATTEST_SIM_SUFFIX;

static void put_roots(struct wire_evidence *out, const struct forge *f,
                      const char *ask_cn)
{
    X509 *ark = cert(f, ark_key, 1, ark_cn, ark_cn, 0);
    extend(ark, NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(ark, NID_basic_constraints, "critical,CA:TRUE");
    sign_cert(f, ark, ark_key);
    X509 *ask = cert(f, ask_key, 2, ask_cn, ark_cn, 0);
    extend(ask, NID_basic_constraints,
           f->ask_basic ? f->ask_basic : "critical,CA:TRUE,pathlen:0");
    if (!f->ask_basic)
        extend(ask, NID_key_usage, "critical,keyCertSign");
    sign_cert(f, ask, ark_key);
    assert_ok(wire_list_new(&out->chain, 2));
    put(&out->chain.at[0], ask);
    put(&out->chain.at[1], ark);
}

void forge_make(struct wire_evidence *out, struct attest_roots *roots,
                const struct forge *f)
{
    const char *ask_cn = f->ask_cn ? f->ask_cn : "SEV-Genoa" ATTEST_SIM_SUFFIX;
    const char *leaf_cn = f->leaf_cn ? f->leaf_cn
                                     : "SEV-VCEK" ATTEST_SIM_SUFFIX;
    put_roots(out, f, ask_cn);
    hash256(roots->simulated_ark, out->chain.at[1].p, out->chain.at[1].len);
    roots->allow_simulated = true;
    EVP_PKEY *key = EVP_EC_gen(f->leaf_curve ? f->leaf_curve : "P-384");
    X509 *leaf = cert(f, key, 0, leaf_cn, f->leaf_by_ark ? ark_cn : ask_cn,
                      f->leaf_days);
    add_amd(leaf, f);
    sign_cert(f, leaf, f->leaf_by_ark ? ark_key : ask_key);
    put(&out->vek, leaf);
    uint8_t r[ATTEST_REPORT_LEN];
    report(r, f, key);
    assert_ok(wire_blob_set(&out->report, r, sizeof(r)));
    EVP_PKEY_free(key);
}

void forge_crl(struct wire_blob *out, const struct forge *f, bool revoked)
{
    X509_CRL *crl = X509_CRL_new();
    X509_NAME *n = name_of(f, ark_cn);
    ASN1_TIME *t = ASN1_TIME_new();
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, n);
    X509_CRL_set1_lastUpdate(crl, X509_gmtime_adj(t, -3600));
    if (revoked) {
        X509_REVOKED *r = X509_REVOKED_new();
        ASN1_INTEGER *serial = ASN1_INTEGER_new();
        ASN1_INTEGER_set(serial, 2);
        X509_REVOKED_set_serialNumber(r, serial);
        X509_REVOKED_set_revocationDate(r, t);
        X509_CRL_add0_revoked(crl, r);
        ASN1_INTEGER_free(serial);
    }
    X509_CRL_set1_nextUpdate(crl, X509_gmtime_adj(t, 86400));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    sign(f, ctx, ark_key);
    assert_true(X509_CRL_sign_ctx(crl, ctx) > 0);
    EVP_MD_CTX_free(ctx);
    unsigned char *der = NULL;
    int len = i2d_X509_CRL(crl, &der);
    assert_true(len > 0);
    assert_ok(wire_blob_set(out, der, (size_t)len));
    OPENSSL_free(der);
    X509_CRL_free(crl);
    X509_NAME_free(n);
    ASN1_TIME_free(t);
}

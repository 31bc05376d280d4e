/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated chain: AMD's profile to the byte of each extension, under
 * names that nobody can take for AMD's. The keys it writes protect nothing
 * but a simulation; they are 0600 all the same.
 */
#include "attest/snpsim.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "attest/layout.h"
#include "attest/names.h"
#include "attest/roots.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rand.h"

OWNED_BY(X509_NAME, X509_NAME_free);
OWNED_BY(X509_EXTENSION, X509_EXTENSION_free);
OWNED_BY(ASN1_OBJECT, ASN1_OBJECT_free);
OWNED_BY(ASN1_OCTET_STRING, ASN1_OCTET_STRING_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);

#define YEAR_S (365 * 86400L)
#define EARLY  (-3600L) /* a clock a little behind shall not stop a demo */

static enum rc failed(const char *what)
{
    return rc_raise(RC_INTERNAL, "simulated PKI: %s failed", what);
}

/* ---- certificates ------------------------------------------------------ */

static bool name_add(X509_NAME *n, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(n, field, MBSTRING_ASC,
                                      (const unsigned char *)value, -1, -1,
                                      0) == 1;
}

static X509_NAME *name_of(const struct attest_names *names, const char *cn)
{
    OWNED(X509_NAME) *n = X509_NAME_new();
    if (!n || !name_add(n, "OU", "Engineering") || !name_add(n, "C", "US") ||
        !name_add(n, "L", "Santa Clara") || !name_add(n, "ST", "CA") ||
        !name_add(n, "O", names->org) || !name_add(n, "CN", cn))
        return NULL;
    return TAKE(n);
}

static enum rc blank(X509 **out, EVP_PKEY *key, long serial,
                     const struct attest_names *names, const char *subject,
                     const char *issuer, long from_s, long life_s)
{
    OWNED(X509) *cert = X509_new();
    OWNED(X509_NAME) *s = name_of(names, subject);
    OWNED(X509_NAME) *i = name_of(names, issuer);
    time_t now = (time_t)clock_now_s();
    if (!cert || !s || !i || X509_set_version(cert, 2) != 1 ||
        ASN1_INTEGER_set(X509_get_serialNumber(cert), serial) != 1 ||
        X509_set_subject_name(cert, s) != 1 ||
        X509_set_issuer_name(cert, i) != 1 || X509_set_pubkey(cert, key) != 1 ||
        !X509_time_adj(X509_getm_notBefore(cert), from_s, &now) ||
        !X509_time_adj(X509_getm_notAfter(cert), from_s + life_s, &now))
        return failed("making a certificate");
    *out = TAKE(cert);
    return RC_OK;
}

static enum rc add_conf(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    OWNED(X509_EXTENSION) *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (!e || X509_add_ext(cert, e, -1) != 1)
        return failed("adding an extension");
    return RC_OK;
}

static enum rc add_raw(X509 *cert, const char *oid, const void *p, size_t len)
{
    char full[64];
    snprintf(full, sizeof(full), SNP_OID "%s", oid);
    OWNED(ASN1_OBJECT) *o = OBJ_txt2obj(full, 1);
    OWNED(ASN1_OCTET_STRING) *s = ASN1_OCTET_STRING_new();
    if (!o || !s || ASN1_OCTET_STRING_set(s, p, (int)len) != 1)
        return failed("making an extension");
    OWNED(X509_EXTENSION) *e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, s);
    if (!e || X509_add_ext(cert, e, -1) != 1)
        return failed("adding an extension");
    return RC_OK;
}

static enum rc sign(X509 *cert, EVP_PKEY *key)
{
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pk = NULL; /* belongs to ctx */
    if (!ctx || EVP_DigestSignInit(ctx, &pk, EVP_sha384(), NULL, key) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(pk, RSA_PKCS1_PSS_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pk, 48) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(pk, EVP_sha384()) != 1 ||
        X509_sign_ctx(cert, ctx) <= 0)
        return failed("signing a certificate");
    return RC_OK;
}

static enum rc make_ark(X509 **out, EVP_PKEY *key, const struct attest_names *n)
{
    OWNED(X509) *cert = NULL;
    TRY(blank(&cert, key, 0x20000, n, n->root, n->root, EARLY, 25 * YEAR_S));
    TRY(add_conf(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign"));
    TRY(add_conf(cert, cert, NID_subject_key_identifier, "hash"));
    TRY(add_conf(cert, cert, NID_basic_constraints, "critical,CA:TRUE"));
    TRY(sign(cert, key));
    *out = TAKE(cert);
    return RC_OK;
}

static enum rc make_ask(X509 **out, EVP_PKEY *key, X509 *ark, EVP_PKEY *ark_key,
                        const struct attest_names *n)
{
    OWNED(X509) *cert = NULL;
    TRY(blank(&cert, key, 0x20001, n, n->signer, n->root, EARLY, 25 * YEAR_S));
    TRY(add_conf(cert, ark, NID_subject_key_identifier, "hash"));
    TRY(add_conf(cert, ark, NID_authority_key_identifier, "keyid:always"));
    TRY(add_conf(cert, ark, NID_basic_constraints,
                 "critical,CA:TRUE,pathlen:0"));
    TRY(add_conf(cert, ark, NID_key_usage, "critical,keyCertSign"));
    TRY(sign(cert, ark_key));
    *out = TAKE(cert);
    return RC_OK;
}

/* INTEGER, as AMD writes it */
static enum rc add_spl(X509 *cert, const char *oid, uint8_t value)
{
    const uint8_t low[] = { 2, 1, value };
    const uint8_t high[] = { 2, 2, 0, value };
    return value < 0x80 ? add_raw(cert, oid, low, sizeof(low))
                        : add_raw(cert, oid, high, sizeof(high));
}

static enum rc add_spls(X509 *cert, const struct snpsim_product *p,
                        const struct attest_tcb *t)
{
    bool turin = p->product == ATTEST_TURIN;
    TRY(add_spl(cert, "3.1", t->bl));
    TRY(add_spl(cert, "3.2", t->tee));
    if (!turin)
        TRY(add_spl(cert, "3.4", 0));
    TRY(add_spl(cert, "3.5", 0));
    TRY(add_spl(cert, "3.6", 0));
    TRY(add_spl(cert, "3.7", 0));
    TRY(add_spl(cert, "3.3", t->snp));
    TRY(add_spl(cert, "3.8", t->ucode));
    return turin ? add_spl(cert, "3.9", t->fmc) : RC_OK;
}

struct vcek_is {
    long from_s; /* from now */
    struct attest_tcb spl;
};

static enum rc make_vcek(X509 **out, EVP_PKEY *key, EVP_PKEY *ask_key,
                         const struct snpsim_product *p, const uint8_t chip[64],
                         const struct vcek_is *is)
{
    struct attest_names n = attest_names_of(p->product, true, false);
    uint8_t name[32];
    size_t name_len = strlen(p->in_vcek);
    OWNED(X509) *cert = NULL;
    name[0] = 0x16; /* IA5String */
    name[1] = (uint8_t)name_len;
    memcpy(name + 2, p->in_vcek, name_len);
    TRY(blank(&cert, key, 0, &n, n.leaf, n.signer, is->from_s, 7 * YEAR_S));
    TRY(add_spl(cert, "1", p->product == ATTEST_TURIN));
    TRY(add_raw(cert, "2", name, name_len + 2));
    TRY(add_spls(cert, p, &is->spl));
    TRY(add_raw(cert, "4", chip, p->hwid_len));
    TRY(sign(cert, ask_key));
    *out = TAKE(cert);
    return RC_OK;
}

/* ---- init and load ----------------------------------------------------- */

static enum rc make_roots(const char *dir, const struct attest_names *n)
{
    OWNED(EVP_PKEY) *ark_key = EVP_RSA_gen(4096);
    OWNED(EVP_PKEY) *ask_key = EVP_RSA_gen(4096);
    if (!ark_key || !ask_key)
        return failed("making an RSA key");
    OWNED(X509) *ark = NULL;
    OWNED(X509) *ask = NULL;
    TRY(make_ark(&ark, ark_key, n));
    TRY(make_ask(&ask, ask_key, ark, ark_key, n));
    TRY(snpsim_put_key(dir, "ark.key", ark_key));
    TRY(snpsim_put_key(dir, "ask.key", ask_key));
    TRY(snpsim_put_cert(dir, "ask.der", ask));
    return snpsim_put_cert(dir, "ark.der", ark);
}

static enum rc copy_roots(const char *dir, const char *roots)
{
    static const char *const names[] = { "ask.der", "ark.der" };
    struct snpsim_cert cert;
    for (size_t i = 0; i < 2; i++) {
        TRY(snpsim_get_cert(&cert, roots, names[i]));
        TRY(snpsim_put(dir, names[i], cert.der, cert.len, 0644));
    }
    return RC_OK;
}

static enum rc chip_id(uint8_t out[64], const char *chip)
{
    if (!chip)
        return rand_bytes(out, 64);
    static const char tag[] = "mpc-snpsim chip";
    const struct hash_part parts[] = { { tag, sizeof(tag) },
                                       { chip, strlen(chip) } };
    hash512_parts(out, parts, 2);
    return RC_OK;
}

/* The good certificate, one of other firmware, one of yesterday's. */
static enum rc make_veks(const char *dir, EVP_PKEY *key, EVP_PKEY *ask_key,
                         const struct snpsim_product *p, const uint8_t id[64])
{
    const char *names[] = { "vcek.der", "vcek-stale.der", "vcek-old.der" };
    struct vcek_is is[3];
    for (size_t i = 0; i < 3; i++)
        is[i] = (struct vcek_is){ EARLY, p->spl };
    is[1].spl.snp--;
    is[2].from_s = -7 * YEAR_S - 86400;
    for (size_t i = 3; i-- > 0;) { /* the good one last: it marks the end */
        OWNED(X509) *vcek = NULL;
        TRY(make_vcek(&vcek, key, ask_key, p, id, &is[i]));
        TRY(snpsim_put_cert(dir, names[i], vcek));
    }
    return RC_OK;
}

static enum rc make_chip(const char *dir, const char *roots, const char *chip,
                         const struct snpsim_product *p)
{
    uint8_t id[64];
    WIPED_BYTES(root, 32);
    OWNED(EVP_PKEY) *ask_key = NULL;
    OWNED(EVP_PKEY) *key = EVP_EC_gen("P-384");
    if (!key)
        return failed("making a P-384 key");
    TRY(chip_id(id, chip));
    memset(id + p->hwid_len, 0, sizeof(id) - p->hwid_len);
    TRY(rand_bytes(root, sizeof(root)));
    TRY(snpsim_get_key(&ask_key, roots, "ask.key"));
    TRY(snpsim_put_key(dir, "vcek.key", key));
    TRY(snpsim_put(dir, "root.key", root, sizeof(root), 0600));
    TRY(snpsim_put(dir, "chip_id", id, sizeof(id), 0644));
    TRY(snpsim_put(dir, "product", p->name, strlen(p->name), 0644));
    return make_veks(dir, key, ask_key, p, id);
}

static enum rc choose(const struct snpsim_product **out, const char *roots,
                      const char *product)
{
    if (roots && product)
        return rc_raise(RC_ARG, "--product: that of --roots stands");
    if (roots)
        return snpsim_get_product(out, roots);
    *out = snpsim_product(product ? product : "genoa");
    return *out ? RC_OK
                : rc_raise(RC_ARG, "--product: want milan, genoa or turin");
}

enum rc snpsim_init(const char *dir, const char *roots, const char *chip,
                    const char *product)
{
    char have[SNPSIM_PATH];
    const struct snpsim_product *p = NULL;
    TRY(snpsim_path(have, dir, "vcek.der"));
    if (access(have, F_OK) == 0)
        return rc_raise(RC_EXISTS, "%s is there already", have);
    TRY(choose(&p, roots, product));
    struct attest_names n = attest_names_of(p->product, true, false);
    TRY(file_mkdirs(dir, 0700));
    if (roots) {
        TRY(copy_roots(dir, roots));
    } else {
        TRY(make_roots(dir, &n));
        TRY(snpsim_crl(dir, false));
    }
    return make_chip(dir, roots ? roots : dir, chip, p);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated chain: AMD's profile to the byte of each extension, under
 * names that nobody can take for AMD's. The keys it writes protect nothing
 * but a simulation; they are 0600 all the same.
 */
#include "attest/snpsim.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
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
OWNED_BY(BIO, BIO_free_all);

#define YEAR_S    (365 * 86400L)
#define PEM_MAX   8192
#define NAME_SIZE 512

static enum rc failed(const char *what)
{
    return rc_raise(RC_INTERNAL, "simulated PKI: %s failed", what);
}

/* ---- files ------------------------------------------------------------- */

static enum rc path_of(char out[NAME_SIZE], const char *dir, const char *name)
{
    if (snprintf(out, NAME_SIZE, "%s/%s", dir, name) >= NAME_SIZE)
        return rc_raise(RC_ARG, "directory name too long");
    return RC_OK;
}

static enum rc put(const char *dir, const char *name, const void *p, size_t len,
                   mode_t mode)
{
    char path[NAME_SIZE];
    TRY(path_of(path, dir, name));
    return file_write(path, p, len, mode);
}

static enum rc get(void *out, size_t cap, size_t *len, const char *dir,
                   const char *name)
{
    char path[NAME_SIZE];
    TRY(path_of(path, dir, name));
    OWNED_MEM uint8_t *p = NULL;
    TRY(file_read(&p, len, path, cap));
    memcpy(out, p, *len);
    sodium_memzero(p, *len);
    return RC_OK;
}

static enum rc put_key(const char *dir, const char *name, EVP_PKEY *key)
{
    OWNED(BIO) *bio = BIO_new(BIO_s_secmem());
    char *pem = NULL;
    if (!bio ||
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return failed("writing a key");
    long len = BIO_get_mem_data(bio, &pem);
    return put(dir, name, pem, (size_t)len, 0600);
}

static enum rc get_key(EVP_PKEY **out, const char *dir, const char *name)
{
    WIPED_BYTES(pem, PEM_MAX);
    size_t len;
    TRY(get(pem, sizeof(pem), &len, dir, name));
    OWNED(BIO) *bio = BIO_new_mem_buf(pem, (int)len);
    OWNED(EVP_PKEY) *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)
                               : NULL;
    if (!key)
        return rc_raise(RC_PARSE, "%s/%s: no private key", dir, name);
    *out = TAKE(key);
    return RC_OK;
}

static enum rc get_cert(struct snpsim_cert *out, const char *dir,
                        const char *name)
{
    return get(out->der, sizeof(out->der), &out->len, dir, name);
}

static enum rc put_cert(const char *dir, const char *name, X509 *cert)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    if (len <= 0)
        return failed("encoding a certificate");
    enum rc rc = put(dir, name, der, (size_t)len, 0644);
    OPENSSL_free(der);
    return rc;
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
                     const char *issuer, long life_s)
{
    OWNED(X509) *cert = X509_new();
    OWNED(X509_NAME) *s = name_of(names, subject);
    OWNED(X509_NAME) *i = name_of(names, issuer);
    time_t now = (time_t)clock_now_s();
    if (!cert || !s || !i || X509_set_version(cert, 2) != 1 ||
        ASN1_INTEGER_set(X509_get_serialNumber(cert), serial) != 1 ||
        X509_set_subject_name(cert, s) != 1 ||
        X509_set_issuer_name(cert, i) != 1 || X509_set_pubkey(cert, key) != 1 ||
        /* a clock that is a little behind shall not stop a demo */
        !X509_time_adj(X509_getm_notBefore(cert), -3600, &now) ||
        !X509_time_adj(X509_getm_notAfter(cert), life_s, &now))
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
    TRY(blank(&cert, key, 0x20000, n, n->root, n->root, 25 * YEAR_S));
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
    TRY(blank(&cert, key, 0x20001, n, n->signer, n->root, 25 * YEAR_S));
    TRY(add_conf(cert, ark, NID_subject_key_identifier, "hash"));
    TRY(add_conf(cert, ark, NID_authority_key_identifier, "keyid:always"));
    TRY(add_conf(cert, ark, NID_basic_constraints,
                 "critical,CA:TRUE,pathlen:0"));
    TRY(add_conf(cert, ark, NID_key_usage, "critical,keyCertSign"));
    TRY(sign(cert, ark_key));
    *out = TAKE(cert);
    return RC_OK;
}

static enum rc make_vcek(X509 **out, EVP_PKEY *key, EVP_PKEY *ask_key,
                         const struct attest_names *n, const uint8_t chip[64])
{
    static const struct {
        const char *oid;
        uint8_t value;
    } spl[] = {
        { "3.1", SNPSIM_BL },  { "3.2", SNPSIM_TEE },
        { "3.4", 0 },          { "3.5", 0 },
        { "3.6", 0 },          { "3.7", 0 },
        { "3.3", SNPSIM_SNP }, { "3.8", SNPSIM_UCODE },
    };
    OWNED(X509) *cert = NULL;
    TRY(blank(&cert, key, 0, n, n->leaf, n->signer, 7 * YEAR_S));
    TRY(add_raw(cert, "1", "\x02\x01\x00", 3));
    TRY(add_raw(cert, "2", "\x16\x05Genoa", 7));
    for (size_t i = 0; i < sizeof(spl) / sizeof(*spl); i++) {
        const uint8_t der[3] = { 2, 1, spl[i].value }; /* all below 0x80 */
        TRY(add_raw(cert, spl[i].oid, der, sizeof(der)));
    }
    TRY(add_raw(cert, "4", chip, 64));
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
    TRY(put_key(dir, "ark.key", ark_key));
    TRY(put_key(dir, "ask.key", ask_key));
    TRY(put_cert(dir, "ask.der", ask));
    return put_cert(dir, "ark.der", ark);
}

static enum rc copy_roots(const char *dir, const char *roots)
{
    struct snpsim_cert cert;
    TRY(get_cert(&cert, roots, "ask.der"));
    TRY(put(dir, "ask.der", cert.der, cert.len, 0644));
    TRY(get_cert(&cert, roots, "ark.der"));
    return put(dir, "ark.der", cert.der, cert.len, 0644);
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

static enum rc make_chip(const char *dir, const char *roots, const char *chip,
                         const struct attest_names *n)
{
    uint8_t id[64];
    WIPED_BYTES(root, 32);
    OWNED(EVP_PKEY) *ask_key = NULL;
    OWNED(EVP_PKEY) *key = EVP_EC_gen("P-384");
    OWNED(X509) *vcek = NULL;
    if (!key)
        return failed("making a P-384 key");
    TRY(chip_id(id, chip));
    TRY(rand_bytes(root, sizeof(root)));
    TRY(get_key(&ask_key, roots, "ask.key"));
    TRY(make_vcek(&vcek, key, ask_key, n, id));
    TRY(put_key(dir, "vcek.key", key));
    TRY(put(dir, "root.key", root, sizeof(root), 0600));
    TRY(put(dir, "chip_id", id, sizeof(id), 0644));
    return put_cert(dir, "vcek.der", vcek);
}

enum rc snpsim_init(const char *dir, const char *roots, const char *chip)
{
    char have[NAME_SIZE];
    TRY(path_of(have, dir, "vcek.der"));
    if (access(have, F_OK) == 0)
        return rc_raise(RC_EXISTS, "%s is there already", have);
    struct attest_names n = attest_names_of(ATTEST_GENOA, true, false);
    TRY(file_mkdirs(dir, 0700));
    TRY(roots ? copy_roots(dir, roots) : make_roots(dir, &n));
    return make_chip(dir, roots ? roots : dir, chip, &n);
}

enum rc snpsim_load(struct snpsim_chip *out, const char *dir)
{
    size_t id_len;
    size_t root_len;
    TRY(get(out->chip_id, sizeof(out->chip_id), &id_len, dir, "chip_id"));
    TRY(get(out->root, sizeof(out->root), &root_len, dir, "root.key"));
    if (id_len != sizeof(out->chip_id) || root_len != sizeof(out->root))
        return rc_raise(RC_PARSE, "%s: chip_id or root.key cut short", dir);
    TRY(get_cert(&out->vcek, dir, "vcek.der"));
    TRY(get_cert(&out->ask, dir, "ask.der"));
    TRY(get_cert(&out->ark, dir, "ark.der"));
    return get_key(&out->vcek_key, dir, "vcek.key");
}

void snpsim_chip_free(struct snpsim_chip *c)
{
    EVP_PKEY_free(c->vcek_key);
    sodium_memzero(c, sizeof(*c));
}

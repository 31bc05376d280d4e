/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a simulated chip and its chain; keys are 0600. */
#include "attest/snpsim.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/pem.h>

#include "base/file.h"

OWNED_BY(BIO, BIO_free_all);

#define PEM_MAX 8192

enum rc snpsim_path(char out[SNPSIM_PATH], const char *dir, const char *name)
{
    if (snprintf(out, SNPSIM_PATH, "%s/%s", dir, name) >= SNPSIM_PATH)
        return rc_raise(RC_ARG, "directory name too long");
    return RC_OK;
}

enum rc snpsim_put(const char *dir, const char *name, const void *p, size_t len,
                   mode_t mode)
{
    char path[SNPSIM_PATH];
    TRY(snpsim_path(path, dir, name));
    return file_write(path, p, len, mode);
}

enum rc snpsim_get(void *out, size_t cap, size_t *len, const char *dir,
                   const char *name)
{
    char path[SNPSIM_PATH];
    TRY(snpsim_path(path, dir, name));
    OWNED_MEM uint8_t *p = NULL;
    TRY(file_read(&p, len, path, cap));
    memcpy(out, p, *len);
    sodium_memzero(p, *len);
    return RC_OK;
}

enum rc snpsim_put_key(const char *dir, const char *name, EVP_PKEY *key)
{
    OWNED(BIO) *bio = BIO_new(BIO_s_secmem());
    char *pem = NULL;
    if (!bio ||
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        return rc_raise(RC_INTERNAL, "simulated PKI: writing a key failed");
    long len = BIO_get_mem_data(bio, &pem);
    return snpsim_put(dir, name, pem, (size_t)len, 0600);
}

enum rc snpsim_get_key(EVP_PKEY **out, const char *dir, const char *name)
{
    WIPED_BYTES(pem, PEM_MAX);
    size_t len;
    TRY(snpsim_get(pem, sizeof(pem), &len, dir, name));
    OWNED(BIO) *bio = BIO_new_mem_buf(pem, (int)len);
    OWNED(EVP_PKEY) *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)
                               : NULL;
    if (!key)
        return rc_raise(RC_PARSE, "%s/%s: no private key", dir, name);
    *out = TAKE(key);
    return RC_OK;
}

enum rc snpsim_get_cert(struct snpsim_cert *out, const char *dir,
                        const char *name)
{
    return snpsim_get(out->der, sizeof(out->der), &out->len, dir, name);
}

enum rc snpsim_put_cert(const char *dir, const char *name, X509 *cert)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    if (len <= 0)
        return rc_raise(RC_INTERNAL,
                        "simulated PKI: encoding a certificate failed");
    enum rc rc = snpsim_put(dir, name, der, (size_t)len, 0644);
    OPENSSL_free(der);
    return rc;
}

enum rc snpsim_get_product(const struct snpsim_product **out, const char *dir)
{
    char name[16] = "";
    size_t len;
    enum rc rc = snpsim_get(name, sizeof(name) - 1, &len, dir, "product");
    if (rc != RC_OK && rc != RC_UNKNOWN) /* older directories are Genoa's */
        return rc;
    const struct snpsim_product *p = snpsim_product(rc == RC_OK ? name
                                                                : "genoa");
    if (!p)
        return rc_raise(RC_PARSE, "%s/product: no product we play", dir);
    *out = p;
    return RC_OK;
}

/* Absent where an older version made the directory: then the good one. */
static enum rc get_wrong(struct snpsim_cert *out,
                         const struct snpsim_cert *good, const char *dir,
                         const char *name)
{
    enum rc rc = snpsim_get_cert(out, dir, name);
    if (rc == RC_UNKNOWN)
        *out = *good;
    return rc == RC_UNKNOWN ? RC_OK : rc;
}

enum rc snpsim_load(struct snpsim_chip *out, const char *dir)
{
    size_t id_len;
    size_t root_len;
    TRY(snpsim_get(out->chip_id, sizeof(out->chip_id), &id_len, dir,
                   "chip_id"));
    TRY(snpsim_get(out->root, sizeof(out->root), &root_len, dir, "root.key"));
    if (id_len != sizeof(out->chip_id) || root_len != sizeof(out->root))
        return rc_raise(RC_PARSE, "%s: chip_id or root.key cut short", dir);
    TRY(snpsim_get_cert(&out->vcek, dir, "vcek.der"));
    TRY(get_wrong(&out->vcek_stale, &out->vcek, dir, "vcek-stale.der"));
    TRY(get_wrong(&out->vcek_old, &out->vcek, dir, "vcek-old.der"));
    TRY(snpsim_get_cert(&out->ask, dir, "ask.der"));
    TRY(snpsim_get_cert(&out->ark, dir, "ark.der"));
    TRY(snpsim_get_product(&out->product, dir));
    return snpsim_get_key(&out->vcek_key, dir, "vcek.key");
}

void snpsim_chip_free(struct snpsim_chip *c)
{
    EVP_PKEY_free(c->vcek_key);
    sodium_memzero(c, sizeof(*c));
}

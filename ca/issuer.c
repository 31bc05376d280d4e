/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The issuer of mpc-ca: a key behind a URI and a root in a file. Neither need
 * be there when the daemon starts; the first is made by the sidecars, the
 * second approved by stewards.
 */
#include "ca/server.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>

#include "base/file.h"
#include "ca/inner.h"

OWNED_BY(BIO, BIO_free);

#define ROOT_PEM_MAX 65536
#define SIGN_S       "6" /* a sidecar waits 8 s for a leaf */

enum rc ca_provider_load(struct ca_server *ca)
{
    const char *key, *sidecar = conf_get(ca->d.conf, "sidecar");
    TRY(conf_need(&key, ca->d.conf, "key"));
    /* the provider reads it from here; no thread runs yet */
    if (sidecar && *sidecar && setenv("MPC_SIDECAR", sidecar, 1) != 0)
        return rc_raise(RC_NOMEM, "MPC_SIDECAR");
    /* so that the signers' reason is told before who asks has given up */
    if (setenv("MPC_TIMEOUT", SIGN_S, 0) != 0)
        return rc_raise(RC_NOMEM, "MPC_TIMEOUT");
    if (!ca_server_threshold(ca) || OSSL_PROVIDER_available(NULL, "mpc"))
        return RC_OK;
    const char *dir = conf_get(ca->d.conf, "openssl_modules");
    if (dir && *dir && !OSSL_PROVIDER_set_default_search_path(NULL, dir))
        return ca_ssl_raise(RC_NOMEM, "openssl_modules");
    /* default first: all other algorithms stay with it */
    if (!OSSL_PROVIDER_load(NULL, "default") ||
        !OSSL_PROVIDER_load(NULL, "mpc")) {
        enum rc rc = ca_ssl_raise(RC_UNKNOWN, "provider mpc");
        rc_hint("set openssl_modules to the directory of mpc.so");
        return rc;
    }
    return RC_OK;
}

bool ca_server_threshold(const struct ca_server *ca)
{
    const char *key = conf_get(ca->d.conf, "key");
    return key && strncmp(key, "mpc:", 4) == 0;
}

enum rc ca_server_key(EVP_PKEY **out, struct ca_server *ca)
{
    const char *uri;
    TRY(conf_need(&uri, ca->d.conf, "key"));
    pthread_mutex_lock(&ca->lock);
    EVP_PKEY *key = ca->key;
    if (key && !EVP_PKEY_up_ref(key))
        key = NULL;
    pthread_mutex_unlock(&ca->lock);
    if (!key) {
        TRY(ca_key_open(&key, uri)); /* may ask the sidecar: unlocked */
        EVP_PKEY *old = NULL;
        if (EVP_PKEY_up_ref(key)) {
            pthread_mutex_lock(&ca->lock);
            old = ca->key;
            ca->key = key;
            pthread_mutex_unlock(&ca->lock);
        }
        EVP_PKEY_free(old);
    }
    *out = key;
    return RC_OK;
}

void ca_server_key_drop(struct ca_server *ca)
{
    pthread_mutex_lock(&ca->lock);
    EVP_PKEY *old = TAKE(ca->key);
    pthread_mutex_unlock(&ca->lock);
    EVP_PKEY_free(old);
}

static enum rc no_root(const char *path)
{
    enum rc rc = rc_raise(RC_ORDER, "root: no certificate at %s yet", path);
    rc_hint("it is made once: mpcsign ca init");
    return rc;
}

enum rc ca_server_root(uint8_t out[CA_DER_MAX], size_t *len,
                       const struct ca_server *ca)
{
    const char *path;
    OWNED_MEM uint8_t *pem = NULL;
    size_t pem_len;
    TRY(conf_need(&path, ca->d.conf, "root"));
    enum rc rc = file_read(&pem, &pem_len, path, ROOT_PEM_MAX);
    if (rc == RC_UNKNOWN)
        return no_root(path);
    TRY(rc);
    OWNED(BIO) *bio = BIO_new_mem_buf(pem, (int)pem_len);
    OWNED(X509) *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    if (!x)
        return ca_ssl_raise(RC_PARSE, "root: want a certificate, PEM");
    uint8_t *end = out;
    int n = i2d_X509(x, NULL);
    if (n <= 0 || n > CA_DER_MAX)
        return rc_raise(RC_TOO_LARGE, "root: %d bytes", n);
    *len = (size_t)i2d_X509(x, &end);
    return RC_OK;
}

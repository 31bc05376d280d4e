/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's TLS, on OpenSSL under libcurl: TLS 1.3 only, our certificate,
 * the deployment's CA and no other, and what is known of a connection. Files
 * are read once, so a sandboxed process can still connect. The key stays in
 * OpenSSL's memory; nothing here prints or returns it.
 */
#include "http/inner.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"

OWNED_BY(X509, X509_free);
OWNED_BY(BIO, BIO_free_all);
OWNED_BY(GENERAL_NAMES, GENERAL_NAMES_free);

static enum rc ssl_error(const char *what)
{
    unsigned long e = ERR_get_error();
    const char *reason = ERR_reason_error_string(e);
    ERR_clear_error();
    return rc_raise(RC_AUTH, "%s: %s", what, reason ? reason : "not usable");
}

/* ---- our files ------------------------------------------------------- */

static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)arg;
    return -1; /* never ask on the terminal */
}

static enum rc open_pem(BIO **out, uint8_t **text, size_t *len,
                        const char *path)
{
    if (!path)
        return rc_raise(RC_ARG, "TLS needs three files: ca, cert and key");
    TRY(file_read(text, len, path, HTTP_PEM_MAX));
    *out = BIO_new_mem_buf(*text, (int)*len);
    return *out ? RC_OK : rc_raise(RC_NOMEM, "%s", path);
}

static enum rc load_ca(X509_STORE *store, const char *path)
{
    OWNED_MEM uint8_t *text = NULL;
    OWNED(BIO) *bio = NULL;
    size_t len;
    unsigned n = 0;
    TRY(open_pem(&bio, &text, &len, path));
    for (;; n++) {
        OWNED(X509) *ca = PEM_read_bio_X509(bio, NULL, no_password, NULL);
        if (!ca)
            break;
        if (!X509_STORE_add_cert(store, ca))
            return ssl_error(path);
    }
    ERR_clear_error(); /* the end of the file counts as an error there */
    return n ? RC_OK : rc_raise(RC_PARSE, "%s: no certificate", path);
}

static enum rc load_chain(struct http_tls_client *t, const char *path)
{
    OWNED_MEM uint8_t *text = NULL;
    OWNED(BIO) *bio = NULL;
    size_t len;
    TRY(open_pem(&bio, &text, &len, path));
    t->cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    if (!t->cert)
        return ssl_error(path);
    for (;;) {
        OWNED(X509) *next = PEM_read_bio_X509(bio, NULL, no_password, NULL);
        if (!next)
            break;
        if (!sk_X509_push(t->chain, next))
            return rc_raise(RC_NOMEM, "%s", path);
        next = NULL;
    }
    ERR_clear_error();
    return RC_OK;
}

static enum rc read_key(struct http_tls_client *t, const char *path,
                        uint8_t **text, size_t *len)
{
    OWNED(BIO) *bio = NULL;
    TRY(open_pem(&bio, text, len, path));
    t->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    return t->key ? RC_OK : ssl_error(path);
}

static enum rc load_key(struct http_tls_client *t, const char *path)
{
    uint8_t *text = NULL;
    size_t len = 0;
    enum rc rc = read_key(t, path, &text, &len);
    if (text)
        sodium_memzero(text, len);
    free(text);
    TRY(rc);
    if (X509_check_private_key(t->cert, t->key) != 1) {
        ERR_clear_error();
        return rc_raise(RC_ARG, "%s: not the certificate's key", path);
    }
    return RC_OK;
}

/* ---- facts of a certificate ------------------------------------------ */

static enum rc spki_hash(uint8_t out[32], const X509 *cert)
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    if (len <= 0)
        return ssl_error("certificate's public key");
    hash256(out, der, (size_t)len);
    OPENSSL_free(der);
    return RC_OK;
}

static enum rc copy_uri(char out[HTTP_URI_MAX], const ASN1_STRING *text)
{
    const unsigned char *p = ASN1_STRING_get0_data(text);
    int len = ASN1_STRING_length(text);
    if (len <= 0 || len >= HTTP_URI_MAX)
        return rc_raise(RC_AUTH, "certificate: a URI of %d bytes", len);
    for (int i = 0; i < len; i++)
        if (p[i] <= ' ' || p[i] > '~')
            return rc_raise(RC_AUTH, "certificate: its URI is malformed");
    memcpy(out, p, (size_t)len);
    out[len] = '\0';
    return RC_OK;
}

/* Exactly one SAN of type URI; other types say nothing here. */
static enum rc one_uri(char out[HTTP_URI_MAX], const X509 *cert)
{
    OWNED(GENERAL_NAMES) *names = X509_get_ext_d2i(cert, NID_subject_alt_name,
                                                   NULL, NULL);
    int n_uris = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        TRY(copy_uri(out, name->d.uniformResourceIdentifier));
        n_uris++;
    }
    if (n_uris != 1)
        return rc_raise(RC_AUTH, "certificate: %d URIs, want one", n_uris);
    return RC_OK;
}

enum rc http_tls_client_load(struct http_tls_client *out,
                             const struct http_tls_files *files)
{
    /* the caller wipes *out whatever comes of this */
    out->store = X509_STORE_new();
    out->chain = sk_X509_new_null();
    if (!out->store || !out->chain)
        return rc_raise(RC_NOMEM, "TLS client");
    TRY(load_ca(out->store, files->ca));
    TRY(load_chain(out, files->cert));
    TRY(load_key(out, files->key));
    return spki_hash(out->own_spki, out->cert);
}

void http_tls_client_wipe(struct http_tls_client *t)
{
    X509_STORE_free(t->store);
    X509_free(t->cert);
    sk_X509_pop_free(t->chain, X509_free);
    EVP_PKEY_free(t->key);
    *t = (struct http_tls_client){ 0 };
}

/* ---- a connection ---------------------------------------------------- */

/* libcurl has made a context and filled it from nowhere; ours goes in. */
static CURLcode on_context(CURL *easy, void *context, void *arg)
{
    (void)easy;
    SSL_CTX *ctx = context;
    struct http_tls_client *t = arg;
    bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
              SSL_CTX_use_certificate(ctx, t->cert) == 1 &&
              SSL_CTX_use_PrivateKey(ctx, t->key) == 1;
    for (int i = 0; ok && i < sk_X509_num(t->chain); i++)
        ok = SSL_CTX_add1_chain_cert(ctx, sk_X509_value(t->chain, i)) == 1;
    SSL_CTX_set1_cert_store(ctx, t->store);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return ok ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

enum rc http_tls_client_apply(CURL *easy, struct http_tls_client *t)
{
    /*
     * The host name in the URL is our label for the lane, so it is not
     * verified; the certificate's URI is, before each request.
     */
    CURLcode e[] = {
        curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                         (long)CURL_SSLVERSION_TLSv1_3),
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L),
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L),
        curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L),
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL),
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL),
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context),
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, t),
    };
    for (size_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
        if (e[i] != CURLE_OK)
            return rc_raise(RC_INTERNAL, "TLS option %zu: %s", i,
                            curl_easy_strerror(e[i]));
    return RC_OK;
}

static enum rc export(uint8_t out[32], SSL *ssl) {
    if (SSL_version(ssl) != TLS1_3_VERSION ||
        SSL_session_reused(
                ssl)) return rc_raise(RC_AUTH,
                                      "not a fresh TLS 1.3 connection");
    if (SSL_get_verify_result(ssl) != X509_V_OK) return rc_raise(
            RC_AUTH, "server certificate: %s",
            X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    if (SSL_export_keying_material(ssl, out, 32, HTTP_EXPORTER_LABEL,
                                   strlen(HTTP_EXPORTER_LABEL), NULL, 0,
                                   0) != 1) return ssl_error("TLS exporter");
    return RC_OK;
}

enum rc http_tls_client_facts(struct http_tls *tls, bool known, CURL *easy,
                              const struct http_tls_client *t)
{
    const struct curl_tlssessioninfo *info = NULL;
    struct http_tls now = { 0 };
    if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK ||
        !info || info->backend != CURLSSLBACKEND_OPENSSL || !info->internals)
        return rc_raise(RC_INTERNAL, "TLS connection without facts");
    SSL *ssl = info->internals;
    TRY(export(now.exporter, ssl));
    /* same exporter, same connection: the certificates are the same too */
    if (known && memcmp(now.exporter, tls->exporter, 32) == 0)
        return RC_OK;
    OWNED(X509) *cert = SSL_get1_peer_certificate(ssl);
    if (!cert)
        return rc_raise(RC_AUTH, "server without a certificate");
    TRY(one_uri(now.peer_uri, cert));
    TRY(spki_hash(now.peer_spki, cert));
    memcpy(now.own_spki, t->own_spki, sizeof(now.own_spki));
    *tls = now;
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* TLS and HTTP/1.1 as no library of ours would let us speak them. */
#include "attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/hash.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(X509, X509_free);
OWNED_BY(BIO, BIO_free_all);
OWNED_BY(GENERAL_NAMES, GENERAL_NAMES_free);

#define HEAD_MAX 8192

static enum rc ssl_said(const char *what)
{
    unsigned long e = ERR_get_error();
    enum rc rc = rc_raise(RC_AUTH, "%s: %s", what,
                          e ? ERR_reason_error_string(e) : "closed");
    ERR_clear_error();
    return rc;
}

/* ---- who we claim to be ------------------------------------------------- */

/*
 * A key whose public half is the certificate's and whose private half is
 * not: what somebody has who copied a certificate and made up the rest.
 */
static enum rc fake_key(EVP_PKEY **out, const X509 *cert)
{
    uint8_t public[32];
    uint8_t private[32];
    size_t len = sizeof(public);
    EVP_PKEY *theirs = X509_get0_pubkey(cert);
    if (EVP_PKEY_get_raw_public_key(theirs, public, &len) != 1)
        return ssl_said("the certificate's key");
    randombytes_buf(private, sizeof(private));
    OSSL_PARAM p[] = {
        OSSL_PARAM_construct_octet_string("pub", public, sizeof(public)),
        OSSL_PARAM_construct_octet_string("priv", private, sizeof(private)),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "ED25519", NULL);
    bool ok = ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
              EVP_PKEY_fromdata(ctx, out, EVP_PKEY_KEYPAIR, p) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok ? RC_OK : ssl_said("a made-up key");
}

static enum rc use_cert(struct line *l, const struct attack *a,
                        const struct line_how *how)
{
    if (how->nameless)
        return RC_OK;
    if (SSL_CTX_use_certificate_chain_file(l->ctx, a->cert) != 1)
        return ssl_said(a->cert);
    X509 *cert = SSL_CTX_get0_certificate(l->ctx);
    OWNED(EVP_PKEY) *key = NULL;
    if (how->keyless)
        TRY(fake_key(&key, cert));
    if (key ? SSL_CTX_use_PrivateKey(l->ctx, key) != 1
            : SSL_CTX_use_PrivateKey_file(l->ctx, a->key, SSL_FILETYPE_PEM) !=
                        1)
        return ssl_said(a->key);
    return RC_OK;
}

static enum rc spki(uint8_t out[32], const X509 *cert)
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    if (len <= 0)
        return ssl_said("a certificate's key");
    hash256(out, der, (size_t)len);
    OPENSSL_free(der);
    return RC_OK;
}

/* ---- a connection ------------------------------------------------------- */

static enum rc facts(struct line *l)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    OWNED(X509) *theirs = SSL_get1_peer_certificate(l->ssl);
    X509 *ours = SSL_get_certificate(l->ssl);
    if (!theirs)
        return rc_raise(RC_AUTH, "the server shows no certificate");
    TRY(spki(l->tls.peer_spki, theirs));
    if (ours)
        TRY(spki(l->tls.own_spki, ours));
    if (SSL_export_keying_material(l->ssl, l->tls.exporter, 32, label,
                                   sizeof(label) - 1, NULL, 0, 0) != 1)
        return ssl_said("exporter");
    return RC_OK;
}

static enum rc shake(struct line *l, const char *to, const struct line_how *how)
{
    BIO *bio = BIO_new_connect(to);
    if (!bio || BIO_do_connect(bio) != 1) {
        BIO_free_all(bio);
        return rc_raise(RC_UNREACHABLE, "nobody at %s", to);
    }
    struct timeval wait = { .tv_sec = 20 };
    setsockopt((int)BIO_get_fd(bio, NULL), SOL_SOCKET, SO_RCVTIMEO, &wait,
               sizeof(wait));
    l->ssl = SSL_new(l->ctx);
    SSL_set_bio(l->ssl, bio, bio);
    if (how->session)
        SSL_set_session(l->ssl, how->session);
    SSL_set_connect_state(l->ssl);
    size_t n;
    if (how->early &&
        SSL_write_early_data(l->ssl, how->early, strlen(how->early), &n) != 1)
        return ssl_said("early data");
    if (SSL_do_handshake(l->ssl) != 1)
        return ssl_said("handshake");
    return facts(l);
}

enum rc line_open(struct line *l, const struct attack *a, const char *to,
                  const struct line_how *how)
{
    static const struct line_how usual = { .version = 0 };
    how = how ? how : &usual;
    line_close(l);
    l->ctx = SSL_CTX_new(TLS_client_method());
    int version = how->version ? how->version : TLS1_3_VERSION;
    if (!l->ctx || SSL_CTX_set_min_proto_version(l->ctx, version) != 1 ||
        SSL_CTX_set_max_proto_version(l->ctx, version) != 1 ||
        SSL_CTX_load_verify_file(l->ctx, a->ca) != 1)
        return ssl_said("TLS");
    SSL_CTX_set_verify(l->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(l->ctx, SSL_SESS_CACHE_CLIENT);
    TRY(use_cert(l, a, how));
    snprintf(l->tls.peer_uri, sizeof(l->tls.peer_uri), "%s",
             a->other && strcmp(to, a->other) == 0 ? a->other_uri : a->to_uri);
    return shake(l, to, how);
}

void line_close(struct line *l)
{
    SSL_free(l->ssl);
    SSL_CTX_free(l->ctx);
    *l = (struct line){ .fair = false };
}

/* ---- answers ------------------------------------------------------------ */

void answer_clear(struct answer *a)
{
    free(a->body);
    *a = (struct answer){ .status = 0 };
}

void answer_shut(struct answer *out, const char *why)
{
    answer_clear(out);
    snprintf(out->code, sizeof(out->code), "handshake");
    snprintf(out->message, sizeof(out->message), "%s", why);
}

/* problem+json, or nothing to note. */
static void note_problem(struct answer *out)
{
    json_t *o = json_loadb(out->body, out->body_len, 0, NULL);
    const char *code = json_string_value(json_object_get(o, "code"));
    const char *message = json_string_value(json_object_get(o, "message"));
    if (out->status >= 400 && code)
        snprintf(out->code, sizeof(out->code), "%s", code);
    if (out->status >= 400 && message)
        snprintf(out->message, sizeof(out->message), "%s", message);
    json_decref(o);
}

/* Until the empty line; false: the connection ended before. */
static bool read_head(char head[HEAD_MAX], const struct line *l)
{
    size_t n = 0;
    while (n + 1 < HEAD_MAX) {
        if (SSL_read(l->ssl, head + n, 1) != 1)
            return false;
        head[++n] = '\0';
        if (n >= 4 && memcmp(head + n - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

static bool read_body(struct answer *out, const struct line *l, size_t len)
{
    out->body = calloc(1, len + 1);
    while (out->body && out->body_len < len) {
        int n = SSL_read(l->ssl, out->body + out->body_len,
                         (int)(len - out->body_len));
        if (n <= 0)
            return false;
        out->body_len += (size_t)n;
    }
    return out->body != NULL;
}

void line_read(struct answer *out, const struct line *l)
{
    char head[HEAD_MAX] = "";
    answer_clear(out);
    ERR_clear_error();
    if (!read_head(head, l)) {
        (void)!ssl_said("no answer");
        answer_shut(out, rc_text());
        return;
    }
    const char *length = strcasestr(head, "\r\nContent-Length:");
    size_t len = length ? strtoul(length + 17, NULL, 10) : 0;
    out->status = atoi(head + sizeof("HTTP/1.1"));
    if (out->status == 100) {
        line_read(out, l);
        return;
    }
    if (len > ATTACK_BODY_MAX || !read_body(out, l, len)) {
        answer_shut(out, "an answer cut short");
        return;
    }
    note_problem(out);
}

void line_write(const struct line *l, const char *bytes, size_t len)
{
    if (len > 0 && SSL_write(l->ssl, bytes, (int)len) != (int)len)
        ERR_clear_error(); /* reading will tell */
}

void line_ask(struct answer *out, const struct line *l, const struct attack *a,
              const char *method, const char *path, const char *headers,
              const void *body, size_t len)
{
    char head[1024];
    char policy[96];
    snprintf(policy, sizeof(policy), "MPC-Policy: %s\r\n", a->hand.hash);
    int n = snprintf(head, sizeof(head),
                     "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n"
                     "\r\n",
                     method, path, headers ? headers : policy, len);
    line_write(l, head, (size_t)n);
    line_write(l, body, len);
    line_read(out, l);
}

void line_call(struct answer *out, const struct line *l, const struct attack *a,
               const char *headers)
{
    bool log = strstr(l->tls.peer_uri, "/log/") != NULL;
    bool ca = strstr(l->tls.peer_uri, "/ca/") != NULL;
    if (log || ca)
        line_ask(out, l, a, "POST", log ? "/v1/log/append" : "/v1/ca/issue",
                 headers, "{}", 2);
    else
        line_ask(out, l, a, "GET", "/v1/policy", headers, NULL, 0);
}

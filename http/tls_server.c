/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's TLS hooks, on GnuTLS. microhttpd alone only *asks* for a
 * client certificate and lets anybody in; here the handshake itself demands
 * one of the deployment's CA with exactly one URI in it, and fails without.
 * Holds no key beyond http_server_start().
 */
#include "http/inner.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"

#define CHAIN_MAX    8
#define SPKI_DER_MAX 2048

typedef struct gnutls_x509_crt_int gnutls_crt;
typedef struct gnutls_x509_privkey_int gnutls_privkey;
typedef struct gnutls_pubkey_st gnutls_pub;
OWNED_BY(gnutls_crt, gnutls_x509_crt_deinit);
OWNED_BY(gnutls_privkey, gnutls_x509_privkey_deinit);
OWNED_BY(gnutls_pub, gnutls_pubkey_deinit);

static enum rc tls_error(const char *what, int e)
{
    return rc_raise(RC_AUTH, "%s: %s", what, gnutls_strerror(e));
}

/* ---- facts of a certificate ------------------------------------------ */

static enum rc spki_hash(uint8_t out[32], gnutls_x509_crt_t cert)
{
    OWNED(gnutls_pub) *key = NULL;
    uint8_t der[SPKI_DER_MAX];
    size_t len = sizeof(der);
    int e = gnutls_pubkey_init(&key);
    if (e >= 0)
        e = gnutls_pubkey_import_x509(key, cert, 0);
    if (e >= 0)
        e = gnutls_pubkey_export(key, GNUTLS_X509_FMT_DER, der, &len);
    if (e < 0)
        return tls_error("certificate's public key", e);
    hash256(out, der, len);
    return RC_OK;
}

static bool printable(const char *uri, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (uri[i] <= ' ' || uri[i] > '~')
            return false;
    return len > 0;
}

/* Exactly one SAN of type URI; other types say nothing here. */
static enum rc one_uri(char out[HTTP_URI_MAX], gnutls_x509_crt_t cert)
{
    char uri[HTTP_URI_MAX] = "";
    unsigned n_uris = 0;
    for (unsigned i = 0;; i++) {
        char name[HTTP_URI_MAX];
        size_t len = sizeof(name) - 1;
        unsigned type = 0;
        int e = gnutls_x509_crt_get_subject_alt_name2(cert, i, name, &len,
                                                      &type, NULL);
        if (e == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        if (e < 0)
            return tls_error("certificate's subject names", e);
        if (type != GNUTLS_SAN_URI)
            continue;
        if (!printable(name, len))
            return rc_raise(RC_AUTH, "certificate: its URI is malformed");
        memcpy(uri, name, len);
        uri[len] = '\0';
        n_uris++;
    }
    if (n_uris != 1)
        return rc_raise(RC_AUTH, "certificate: %u URIs, want one", n_uris);
    memcpy(out, uri, sizeof(uri));
    return RC_OK;
}

/* ---- our own files --------------------------------------------------- */

void http_tls_pem_wipe(struct http_tls_pem *pem)
{
    if (pem->key)
        sodium_memzero(pem->key, pem->key_len);
    free(pem->key);
    free(pem->cert);
    free(pem->ca);
    *pem = (struct http_tls_pem){ 0 };
}

static gnutls_datum_t datum(char *pem)
{
    return (gnutls_datum_t){ (unsigned char *)pem, (unsigned)strlen(pem) };
}

static enum rc same_key(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key)
{
    uint8_t a[64];
    uint8_t b[64];
    size_t a_len = sizeof(a);
    size_t b_len = sizeof(b);
    int e = gnutls_x509_crt_get_key_id(cert, 0, a, &a_len);
    if (e >= 0)
        e = gnutls_x509_privkey_get_key_id(key, 0, b, &b_len);
    if (e < 0)
        return tls_error("key id", e);
    if (a_len != b_len || memcmp(a, b, a_len) != 0)
        return rc_raise(RC_ARG, "TLS key and certificate do not belong "
                                "together");
    return RC_OK;
}

/* microhttpd would start with bad files and fail every handshake. */
static enum rc check_pem(uint8_t spki[32], struct http_tls_pem *pem,
                         const struct http_tls_files *files)
{
    OWNED(gnutls_crt) *cert = NULL;
    OWNED(gnutls_privkey) *key = NULL;
    gnutls_datum_t cert_pem = datum(pem->cert);
    gnutls_datum_t key_pem = datum(pem->key);
    if (gnutls_x509_crt_init(&cert) < 0 || gnutls_x509_privkey_init(&key) < 0)
        return rc_raise(RC_NOMEM, "TLS certificate");
    int e = gnutls_x509_crt_import(cert, &cert_pem, GNUTLS_X509_FMT_PEM);
    if (e < 0)
        return tls_error(files->cert, e);
    e = gnutls_x509_privkey_import(key, &key_pem, GNUTLS_X509_FMT_PEM);
    if (e < 0)
        return tls_error(files->key, e);
    TRY(same_key(cert, key));
    return spki_hash(spki, cert);
}

static enum rc read_pem(char **out, size_t *len, const char *path)
{
    uint8_t *text = NULL;
    if (!path)
        return rc_raise(RC_ARG, "a TLS listener needs its files: cert and key, "
                                "and ca where peers call");
    TRY(file_read(&text, len, path, HTTP_PEM_MAX));
    *out = (char *)text;
    return RC_OK;
}

enum rc http_tls_server_load(struct http_tls_pem *out, uint8_t spki[32],
                             const struct http_tls_files *files, bool mutual)
{
    size_t len;
    /* the caller wipes *out whatever comes of this */
    if (mutual)
        TRY(read_pem(&out->ca, &len, files->ca));
    TRY(read_pem(&out->cert, &len, files->cert));
    TRY(read_pem(&out->key, &out->key_len, files->key));
    return check_pem(spki, out, files);
}

/* ---- the handshake --------------------------------------------------- */

/* GnuTLS has a sentence for each bit of the status. */
static enum rc untrusted(unsigned status)
{
    gnutls_datum_t said = { NULL, 0 };
    gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &said,
                                                 0);
    enum rc rc = rc_raise(RC_AUTH, "client certificate: status 0x%x: %.200s",
                          status, said.data ? (const char *)said.data : "");
    gnutls_free(said.data);
    return rc;
}

static enum rc verify_chain(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
    };
    unsigned status = 0;
    int e = gnutls_certificate_verify_peers(session, &purpose, 1, &status);
    if (e < 0)
        return tls_error("client certificate", e);
    return status ? untrusted(status) : RC_OK;
}

static enum rc verify_peer(struct http_conn *c, gnutls_session_t session)
{
    TRY(verify_chain(session));
    unsigned n = 0;
    const gnutls_datum_t *list = gnutls_certificate_get_peers(session, &n);
    if (!list || n == 0 || n > CHAIN_MAX)
        return rc_raise(RC_AUTH, "client certificates: %u, want 1..%d", n,
                        CHAIN_MAX);
    OWNED(gnutls_crt) *cert = NULL;
    if (gnutls_x509_crt_init(&cert) < 0)
        return rc_raise(RC_NOMEM, "client certificate");
    int e = gnutls_x509_crt_import(cert, &list[0], GNUTLS_X509_FMT_DER);
    if (e < 0)
        return tls_error("client certificate", e);
    TRY(one_uri(c->tls.peer_uri, cert));
    return spki_hash(c->tls.peer_spki, cert);
}

/* Not 0: the handshake ends, no handler ever runs. */
static int verify(gnutls_session_t session)
{
    struct http_conn *c = gnutls_session_get_ptr(session);
    if (verify_peer(c, session) != RC_OK) {
        snprintf(c->why, sizeof(c->why), "%s", rc_text());
        return GNUTLS_E_CERTIFICATE_ERROR;
    }
    memcpy(c->tls.own_spki, c->server->own_spki, sizeof(c->tls.own_spki));
    c->verified = true;
    return 0;
}

/* ---- a handshake that fails ------------------------------------------ */

#define EMPTY_CERTIFICATE 4 /* bytes: no context, a list of length 0 */

/*
 * GnuTLS judges an empty certificate list and the proof of the key by itself,
 * and microhttpd keeps its verdict: what was said last tells.
 */
static int on_message(gnutls_session_t session, unsigned type, unsigned when,
                      unsigned incoming, const gnutls_datum_t *body)
{
    struct http_conn *c = gnutls_session_get_ptr(session);
    (void)when;
    if (!incoming)
        return 0;
    c->said = (int)type;
    if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT)
        c->shown = body->size > EMPTY_CERTIFICATE;
    return 0;
}

const char *http_tls_server_why(const struct http_conn *c)
{
    if (c->why[0])
        return c->why;
    if (c->said == GNUTLS_HANDSHAKE_CLIENT_HELLO)
        return "it ended after the client hello: not TLS 1.3, or the caller "
               "left";
    if (!c->shown)
        return "no client certificate";
    if (c->said == GNUTLS_HANDSHAKE_CERTIFICATE_PKT)
        return "the caller left after its certificate";
    return "client certificate: the caller does not prove that it has its key";
}

static gnutls_session_t session_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
            mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info ? info->tls_session : NULL;
}

void http_tls_server_demand(struct http_conn *c, struct MHD_Connection *mhd)
{
    gnutls_session_t session = session_of(mhd);
    if (!session)
        return; /* c->verified stays false: its calls are refused */
    /* microhttpd uses the pointer for pre-shared keys only: none here */
    gnutls_session_set_ptr(session, c);
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
    gnutls_session_set_verify_function(session, verify);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY,
                                       GNUTLS_HOOK_PRE, on_message);
}

enum rc http_tls_server_facts(struct http_conn *c, struct MHD_Connection *mhd)
{
    if (!c->verified)
        return rc_raise(RC_AUTH, "no verified client certificate");
    if (c->exported)
        return RC_OK;
    gnutls_session_t session = session_of(mhd);
    if (!session || gnutls_protocol_get_version(session) != GNUTLS_TLS1_3 ||
        gnutls_session_is_resumed(session))
        return rc_raise(RC_AUTH, "not a fresh TLS 1.3 connection");
    int e = gnutls_prf_rfc5705(
            session, strlen(HTTP_EXPORTER_LABEL), HTTP_EXPORTER_LABEL, 0, NULL,
            sizeof(c->tls.exporter), (char *)c->tls.exporter);
    if (e < 0)
        return tls_error("TLS exporter", e);
    c->exported = true;
    return RC_OK;
}

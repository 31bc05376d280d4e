/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key references: files for tools that take no URI. They hold the text
 * mpc:NAME and nothing secret.
 */
#include "cli/inner.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

OWNED_BY(BIO, BIO_free_all);
OWNED_BY(ASN1_OBJECT, ASN1_OBJECT_free);
OWNED_BY(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free);

/* ---- names -------------------------------------------------------------- */

static enum rc check_name(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len >= WIRE_NAME_MAX)
        return rc_raise(RC_ARG, "NAME: %zu characters, want 1..%d", len,
                        WIRE_NAME_MAX - 1);
    size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    if (good != len)
        return rc_raise(RC_ARG,
                        "NAME: character %zu is not one of a-z 0-9 . _ -",
                        good + 1);
    return RC_OK;
}

static enum rc check_session(const char *hex)
{
    if (strlen(hex) != 64 || strspn(hex, "0123456789abcdef") != 64)
        return rc_raise(RC_ARG, "--session: want 64 lower case hex digits, as "
                                "mpcsign request printed them");
    return RC_OK;
}

enum rc cli_ref_text(char out[CLI_REF_MAX], const char *name,
                     const char *session)
{
    if (strncmp(name, "mpc:", 4) == 0)
        name += 4;
    TRY(check_name(name));
    if (session)
        TRY(check_session(session));
    snprintf(out, CLI_REF_MAX, "mpc:%s%s%s", name, session ? "?session=" : "",
             session ? session : "");
    return RC_OK;
}

/* ---- forms -------------------------------------------------------------- */

static bool write_plain(BIO *bio, const char *text)
{
    return PEM_write_bio(bio, "MPC KEY REFERENCE", "",
                         (const unsigned char *)text, (long)strlen(text)) > 0;
}

/* PKCS#8 under our OID: what a tool takes for a private key, and OpenSSL's
 * older half hands to whoever claimed the OID. */
static bool write_bridge(BIO *bio, const char *text)
{
    OWNED(PKCS8_PRIV_KEY_INFO) *p8 = PKCS8_PRIV_KEY_INFO_new();
    OWNED(ASN1_OBJECT) *oid = OBJ_txt2obj(CLI_REF_OID, 1);
    size_t len = strlen(text);
    unsigned char *body = OPENSSL_memdup(text, len);
    if (!p8 || !oid || !body ||
        PKCS8_pkey_set0(p8, oid, 0, V_ASN1_UNDEF, NULL, body, (int)len) != 1) {
        OPENSSL_free(body);
        return false;
    }
    oid = NULL; /* p8's, as is body */
    return PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, p8) == 1;
}

enum rc cli_ref_pem(char **out, size_t *out_len, const char *text, bool bridge)
{
    OWNED(BIO) *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    bool ok = bio &&
              (bridge ? write_bridge(bio, text) : write_plain(bio, text));
    long len = ok ? BIO_get_mem_data(bio, &pem) : 0;
    char *copy = len > 0 ? strndup(pem, (size_t)len) : NULL;
    ERR_clear_error();
    if (!copy)
        return rc_raise(RC_NOMEM, "key reference: out of memory");
    *out = copy;
    *out_len = (size_t)len;
    return RC_OK;
}

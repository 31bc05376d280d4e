/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making the root of the CA. Signers sign one root for each issuer key, so its
 * TBSCertificate stays in a file until its signature is in another: whatever
 * fails in between, the next call goes on with the same bytes.
 */
#include "cli/ca.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"

OWNED_BY(X509, X509_free);
OWNED_BY(BIO, BIO_free_all);
OWNED_BY(EVP_PKEY, EVP_PKEY_free);

#define ROOT_PEM_MAX 65536

/* ---- the CA ------------------------------------------------------------- */

enum rc ca_ask_root(struct wire_chain *out, const char *socket)
{
    struct http_answer a;
    TRY(cli_ask(&a, socket, "/v1/ca/chain", NULL, 0, CA_ASK_MS));
    enum rc rc = wire_chain_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    return out->chain.n > 0
                   ? RC_OK
                   : rc_raise(RC_UNKNOWN, "the CA answered with no root");
}

enum rc ca_hand_in(const char *socket, const uint8_t *der, size_t len)
{
    WIRE(chain) chain = { 0 };
    OWNED_MEM char *json = NULL;
    size_t json_len;
    struct http_answer a;
    TRY(wire_list_new(&chain.chain, 1));
    TRY(wire_blob_set(&chain.chain.at[0], der, len));
    TRY(wire_chain_encode(&json, &json_len, &chain));
    TRY(cli_ask(&a, socket, "/v1/ca/root", json, json_len, CA_ASK_MS));
    http_answer_free(&a);
    return RC_OK;
}

/* ---- files -------------------------------------------------------------- */

static enum rc tbs_file(char out[CLI_PATH], const struct ca_root *r)
{
    if (snprintf(out, CLI_PATH, "%s.tbs", r->file) >= CLI_PATH)
        return rc_raise(RC_ARG, "%.64s…: name too long", r->file);
    return RC_OK;
}

/* Another key's, or another cluster's, is not ours to overwrite. */
static enum rc in_the_way(const char *file, enum rc rc)
{
    char why[512];
    snprintf(why, sizeof(why), "%s", rc_text());
    rc = rc_raise(rc, "%s is there and is no root of this key: %s", file, why);
    rc_hint("move it away, or name another --out");
    return rc;
}

/* A root that was signed before. RC_UNKNOWN: no such file. */
static enum rc read_root(struct ca_root *r)
{
    OWNED_MEM uint8_t *pem = NULL;
    size_t len;
    uint8_t key[32];
    uint8_t *end = r->der;
    TRY(file_read(&pem, &len, r->file, ROOT_PEM_MAX));
    OWNED(BIO) *bio = BIO_new_mem_buf(pem, (int)len);
    OWNED(X509) *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    int n = x ? i2d_X509(x, NULL) : -1;
    ERR_clear_error();
    if (n <= 0 || n > CA_DER_MAX)
        return in_the_way(r->file, rc_raise(RC_PARSE, "want PEM"));
    len = (size_t)i2d_X509(x, &end);
    enum rc rc = ca_root_open(key, r->cluster, r->der, len);
    if (rc == RC_OK && memcmp(key, r->group_key, 32) != 0)
        rc = rc_raise(RC_CONFLICT, "another key's");
    if (rc != RC_OK)
        return in_the_way(r->file, rc);
    r->der_len = len;
    return RC_OK;
}

/* As a certificate with a signature of zeros, its key read. */
static enum rc check_tbs(const struct ca_root *r)
{
    static const uint8_t zero[64];
    uint8_t der[CA_DER_MAX];
    uint8_t key[32];
    size_t len;
    size_t key_len = sizeof(key);
    TRY(ca_assemble(der, &len, r->tbs, r->tbs_len, zero));
    const unsigned char *at = der;
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)len);
    EVP_PKEY *pub = x ? X509_get0_pubkey(x) : NULL;
    if (!pub || EVP_PKEY_get_raw_public_key(pub, key, &key_len) != 1 ||
        key_len != sizeof(key) || memcmp(key, r->group_key, 32) != 0) {
        ERR_clear_error();
        return rc_raise(RC_CONFLICT, "another key's");
    }
    return RC_OK;
}

/* One that an earlier call began; RC_UNKNOWN: none. */
static enum rc read_tbs(struct ca_root *r)
{
    char path[CLI_PATH];
    OWNED_MEM uint8_t *tbs = NULL;
    size_t len;
    TRY(tbs_file(path, r));
    TRY(file_read(&tbs, &len, path, CA_DER_MAX));
    memcpy(r->tbs, tbs, len);
    r->tbs_len = len;
    enum rc rc = check_tbs(r);
    return rc == RC_OK ? RC_OK : in_the_way(path, rc);
}

static enum rc new_tbs(struct ca_root *r)
{
    char path[CLI_PATH];
    TRY(tbs_file(path, r));
    TRY(ca_root_tbs(r->tbs, &r->tbs_len, r->cluster, r->group_key, r->simulated,
                    clock_now_s()));
    return file_write(path, r->tbs, r->tbs_len, 0644);
}

static enum rc write_root(struct ca_root *r, const uint8_t *der, size_t len)
{
    char path[CLI_PATH];
    const unsigned char *at = der;
    char *pem = NULL;
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)len);
    OWNED(BIO) *bio = BIO_new(BIO_s_mem());
    if (!x || !bio || PEM_write_bio_X509(bio, x) != 1)
        return rc_raise(RC_INTERNAL, "root: not a certificate");
    long pem_len = BIO_get_mem_data(bio, &pem);
    TRY(file_write(r->file, pem, (size_t)pem_len, 0644));
    memmove(r->der, der, len);
    r->der_len = len;
    TRY(tbs_file(path, r));
    (void)unlink(path); /* of no more use, and of no harm */
    return RC_OK;
}

/* ---- the ceremony ------------------------------------------------------- */

static enum rc ask_group_key(struct ca_root *r)
{
    char path[128];
    struct http_answer a;
    WIRE(key) key = { 0 };
    snprintf(path, sizeof(path), "/v1/key/%.80s", r->key);
    TRY(cli_ask(&a, r->socket, path, NULL, 0, CLI_ASK_MS));
    enum rc rc = wire_key_decode(&key, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    if (strcmp(key.class, "issuer") != 0) {
        rc = rc_raise(RC_ARG, "key %s: class %s, a root is of an issuer key",
                      r->key, key.class);
        rc_hint("name the CA's key with --key");
        return rc;
    }
    memcpy(r->group_key, key.group_key, 32);
    return RC_OK;
}

enum rc ca_root_prepare(struct ca_root *r)
{
    TRY(ask_group_key(r));
    enum rc rc = read_root(r);
    if (rc == RC_UNKNOWN)
        rc = read_tbs(r);
    return rc == RC_UNKNOWN ? new_tbs(r) : rc;
}

enum rc ca_root_session(struct policy_session *out, const struct ca_root *r,
                        const char *reason)
{
    struct cli_cluster cluster;
    TRY(cli_cluster_ask(&cluster, r->socket));
    TRY(cli_session_begin(out, POLICY_S_ROOT, &cluster, r->key, reason));
    out->has_key = true;
    hash256(out->key, r->group_key, 32);
    out->slot[POLICY_X509] = true;
    policy_session_artifact(out, "root.tbs", r->tbs, r->tbs_len);
    return RC_OK;
}

enum rc ca_root_is_asked(const struct ca_root *r,
                         const struct policy_session *s)
{
    struct policy_session mine = { 0 };
    policy_session_artifact(&mine, "", r->tbs, r->tbs_len);
    if (s->type == POLICY_S_ROOT && s->artifact_size == r->tbs_len &&
        memcmp(mine.artifact_sha256, s->artifact_sha256, 32) == 0 &&
        memcmp(mine.artifact_sha512, s->artifact_sha512, 64) == 0)
        return RC_OK;
    enum rc rc = rc_raise(RC_VERIFY,
                          "that session does not ask for the root "
                          "in %s.tbs",
                          r->file);
    rc_hint("without --session a new one is made for it");
    return rc;
}

enum rc ca_root_bring(const struct ca_root *r,
                      const struct wire_session *session)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    struct http_answer a;
    TRY(wire_session_encode(&json, &len, session));
    TRY(cli_ask(&a, r->socket, "/v1/session", json, len, CLI_ASK_MS));
    http_answer_free(&a);
    return RC_OK;
}

/* In force from here on, so looked at as everybody will. */
static enum rc finish(struct ca_root *r, const uint8_t signature[64])
{
    uint8_t der[CA_DER_MAX];
    uint8_t key[32];
    size_t len;
    TRY(ca_assemble(der, &len, r->tbs, r->tbs_len, signature));
    TRY(ca_root_open(key, r->cluster, der, len));
    if (memcmp(key, r->group_key, 32) != 0)
        return rc_raise(RC_VERIFY, "root: of another key than %s", r->key);
    return write_root(r, der, len);
}

enum rc ca_root_sign(struct ca_root *r, const char *session)
{
    struct wire_signed out;
    enum rc rc = cli_ask_sign(&out, r->socket, r->key, session, r->tbs,
                              r->tbs_len, CA_SIGN_MS);
    if (rc == RC_OK)
        return finish(r, out.signature);
    if (!strstr(rc_text(), "signed another root"))
        return rc;
    /* whoever made that one has it, or its TBSCertificate */
    char why[512];
    snprintf(why, sizeof(why), "%s", rc_text());
    rc = rc_raise(RC_CONFLICT, "the key %s has a root, or one was begun: %s",
                  r->key, why);
    rc_hint("go on with the file (.tbs or .pem) of that ceremony, in the place "
            "of --out; a lost one costs the key: make another issuer key");
    return rc;
}

/* Who reads a token's URI is a matter of openssl.cnf, which mpcsign reads for
 * nothing else (main.c). */
static enum rc load_providers(void)
{
    if (CONF_modules_load_file(NULL, NULL, CONF_MFLAGS_IGNORE_MISSING_FILE) ==
        1)
        return RC_OK;
    ERR_clear_error();
    enum rc rc = rc_raise(RC_PARSE, "openssl.cnf: cannot be loaded");
    rc_hint("openssl list -providers says why; OPENSSL_CONF names it");
    return rc;
}

enum rc ca_root_alone(struct ca_root *r, const char *uri)
{
    OWNED(EVP_PKEY) *key = NULL;
    size_t len = 32;
    uint8_t der[CA_DER_MAX];
    TRY(load_providers());
    TRY(ca_key_open(&key, uri));
    if (EVP_PKEY_get_raw_public_key(key, r->group_key, &len) != 1 ||
        len != 32) {
        ERR_clear_error();
        return rc_raise(RC_ARG, "key %s: want Ed25519", uri);
    }
    enum rc rc = read_root(r);
    if (rc != RC_UNKNOWN)
        return rc;
    TRY(ca_root_self(der, &len, key, r->cluster, r->simulated, clock_now_s()));
    return write_root(r, der, len);
}

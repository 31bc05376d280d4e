/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CA that was taken over: it has the socket of a sidecar and mpc:ca, as
 * mpc-ca has, and an honest leaf to begin with. What it would like to sign
 * instead, one lie each; every one must be refused for its own reason.
 *
 *     broken_ca LEAF.pem CLUSTER [BIRTH KEY]
 *
 * CLUSTER is the name of the cluster; BIRTH the log index of another key's
 * birth and KEY that key, hex. OPENSSL_CONF loads the provider.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "../ca/lies.h"
#include "base/clock.h"
#include "base/enc.h"
#include "ca/inner.h"

#define WHY_MAX 2048

static EVP_PKEY *issuer;
static X509 *leaf;
static unsigned n_wrong;

/* As mpc-ca asks; the reason is left in why. */
static bool sign(char why[WHY_MAX], const uint8_t *msg, size_t len)
{
    uint8_t signature[64];
    size_t n = sizeof(signature);
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    ERR_clear_error();
    why[0] = '\0';
    if (EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, issuer, NULL) == 1 &&
        EVP_DigestSign(ctx, signature, &n, msg, len) == 1)
        return true;
    (void)!ca_ssl_raise(RC_INTERNAL, "refused");
    snprintf(why, WHY_MAX, "%s", rc_text());
    return false;
}

/* One of "a|b|c" stands in why. */
static bool says(const char *why, const char *wanted)
{
    char copy[256];
    char *save = NULL;
    snprintf(copy, sizeof(copy), "%s", wanted);
    for (char *w = strtok_r(copy, "|", &save); w;
         w = strtok_r(NULL, "|", &save))
        if (strstr(why, w))
            return true;
    return false;
}

static void try(const char *name, const uint8_t *msg, size_t len,
                const char *wanted)
{
    char why[WHY_MAX];
    bool signed_ = sign(why, msg, len);
    bool good = wanted ? !signed_ && says(why, wanted) : signed_;
    printf("%s\t%s\t%s\t%s\n", good ? "ok" : "WRONG", name,
           signed_ ? "signed" : "refused", why);
    fflush(stdout);
    n_wrong += !good;
}

/* Of any shape that the changes gave it. */
static void try_leaf(const char *name, X509 *x, const char *wanted)
{
    uint8_t tbs[CA_DER_MAX];
    uint8_t *end = tbs;
    int len = i2d_re_X509_tbs(x, NULL);
    if (len <= 0 || len > CA_DER_MAX)
        abort();
    len = i2d_re_X509_tbs(x, &end);
    try(name, tbs, (size_t)len, wanted);
    X509_free(x);
}

/* The leaf without the log's SCT, which is over other bytes anyway. */
static X509 *plain(void)
{
    X509 *x = X509_dup(leaf);
    X509_EXTENSION_free(X509_delete_ext(
            x, X509_get_ext_by_NID(x, NID_ct_precert_scts, -1)));
    return x;
}

static void all_lies(void)
{
    for (unsigned i = 0; i < n_lies; i++) {
        X509 *x = plain();
        lies[i].change(x);
        try_leaf(lies[i].name, x,
                 lies[i].cluster ? lies[i].cluster : lies[i].text);
    }
}

/* The promise that was made, at another place: only where there is one. */
static void moved_promise(void)
{
    int at = X509_get_ext_by_NID(leaf, NID_ct_precert_scts, -1);
    if (at < 0)
        return;
    X509 *x = X509_dup(leaf);
    X509_EXTENSION *e = X509_delete_ext(x, at);
    X509_add_ext(x, e, at - 1);
    X509_EXTENSION_free(e);
    try_leaf("promise-moved", x, "certificate.sct");
}

/* The trial's leaf as real hardware's would be, extension and name. */
static void unmarked(const char *cluster)
{
    static const char path[] = "/group/";
    ASN1_OBJECT *oid = OBJ_txt2obj(CA_OID_SIMULATED, 1);
    X509 *x = plain();
    X509 *other = X509_new();
    X509_EXTENSION *san = X509_get_ext(
            x, X509_get_ext_by_NID(x, NID_subject_alt_name, -1));
    const ASN1_OCTET_STRING *der = X509_EXTENSION_get_data(san);
    const char *group = memmem(ASN1_STRING_get0_data(der),
                               (size_t)ASN1_STRING_length(der), path,
                               sizeof(path) - 1);
    char uri[CA_URI_SIZE];
    if (!group)
        abort();
    snprintf(uri, sizeof(uri), "mpc://%s%.15s", cluster, group);
    if (ca_put_san(other, uri, true) != RC_OK)
        abort();
    X509_EXTENSION_set_data(san,
                            X509_EXTENSION_get_data(X509_get_ext(other, 0)));
    X509_EXTENSION_free(X509_delete_ext(x, X509_get_ext_by_OBJ(x, oid, -1)));
    ASN1_OBJECT_free(oid);
    X509_free(other);
    try_leaf("unmarked", x, "not marked as simulated");
}

/* A leaf for a key of another class, by that key's own birth. */
static void other_class(const char *birth, const char *hex)
{
    uint8_t key[32];
    X509 *x = plain();
    if (enc_unhex(key, sizeof(key), hex, strlen(hex)) != RC_OK)
        abort();
    EVP_PKEY *pub = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key,
                                                sizeof(key));
    X509_set_pubkey(x, pub);
    EVP_PKEY_free(pub);
    lie_birth(x, strtoull(birth, NULL, 10));
    try_leaf("other-class", x, "gets no leaf");
}

/* A second root, as if mpc-ca could make one: no session of that type. */
static void another_root(const char *cluster)
{
    uint8_t tbs[CA_DER_MAX];
    uint8_t key[32];
    size_t len = sizeof(key);
    if (EVP_PKEY_get_raw_public_key(issuer, key, &len) != 1 ||
        ca_root_tbs(tbs, &len, cluster, key, true, clock_now_s()) != RC_OK)
        abort();
    try("another-root", tbs, len, "basicConstraints");
}

static void no_certificates(void)
{
    static const uint8_t text[] = "what is not a certificate at all";
    uint8_t der[CA_DER_MAX];
    uint8_t *end = der;
    try("text", text, sizeof(text) - 1, "raw");
    X509_REQ *csr = X509_REQ_new();
    X509_REQ_set_pubkey(csr, issuer);
    int len = i2d_re_X509_REQ_tbs(csr, &end);
    X509_REQ_free(csr);
    try("csr", der, (size_t)len, "TBSCertificate");
    X509 *x = plain();
    end = der;
    len = i2d_re_X509_tbs(x, &end);
    X509_free(x);
    der[len] = 0;
    try("a-byte-more", der, (size_t)len + 1, "raw|TBSCertificate");
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 5) {
        fprintf(stderr, "usage: broken_ca LEAF.pem CLUSTER [BIRTH KEY]\n");
        return 2;
    }
    FILE *f = fopen(argv[1], "r");
    leaf = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    if (!leaf || ca_key_open(&issuer, "mpc:ca") != RC_OK) {
        fprintf(stderr, "broken_ca: no leaf, or no key: %s\n", rc_text());
        return 1;
    }
    fclose(f);
    try_leaf("honest", X509_dup(leaf), NULL);
    try_leaf("honest-without-promise", plain(), NULL);
    all_lies();
    moved_promise();
    unmarked(argv[2]);
    if (argc == 5)
        other_class(argv[3], argv[4]);
    another_root(argv[2]);
    no_certificates();
    try_leaf("honest-again", X509_dup(leaf), NULL);
    EVP_PKEY_free(issuer);
    X509_free(leaf);
    return n_wrong ? 1 : 0;
}

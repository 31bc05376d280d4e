/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificate that came along: the leaf is the signing key's and was valid
 * when the log's witnesses cosigned; its root is trusted because the birth of
 * the root's key names an issuer profile of the policy; or, where the CA's key
 * was born elsewhere, because the reader pinned that root.
 */
#include "cli/verify_inner.h"

#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/clock.h"

OWNED_BY(X509, X509_free);

static enum rc open_one(X509 **out, const struct wire_blob *der)
{
    const unsigned char *at = der->p;
    X509 *x = d2i_X509(NULL, &at, (long)der->len);
    ERR_clear_error();
    if (!x || at != der->p + der->len) {
        X509_free(x);
        return rc_raise(RC_PARSE, "a certificate is not DER");
    }
    *out = x;
    return RC_OK;
}

static bool has_key(X509 *x, const uint8_t want[32])
{
    uint8_t got[32];
    size_t len = sizeof(got);
    EVP_PKEY *key = X509_get0_pubkey(x);
    bool ok = key && EVP_PKEY_get_raw_public_key(key, got, &len) == 1 &&
              len == sizeof(got) && memcmp(got, want, sizeof(got)) == 0;
    ERR_clear_error();
    return ok;
}

static enum rc check_signed(X509 *leaf, X509 *root)
{
    EVP_PKEY *key = X509_get0_pubkey(root);
    bool ok = key && X509_verify(leaf, key) == 1 &&
              X509_verify(root, key) == 1 &&
              X509_NAME_cmp(X509_get_issuer_name(leaf),
                            X509_get_subject_name(root)) == 0 &&
              X509_check_ca(root) == 1 && X509_check_ca(leaf) == 0;
    ERR_clear_error();
    return ok ? RC_OK
              : rc_raise(RC_VERIFY, "the root did not sign the leaf, or is no "
                                    "root");
}

/* At every cosigner's time: their word is the only clock here. */
static enum rc check_time(const struct verify *v, X509 *leaf)
{
    if (!v->timed)
        return rc_raise(RC_VERIFY, "no cosignature tells the time");
    time_t first = (time_t)v->first_s;
    time_t last = (time_t)v->last_s;
    if (X509_cmp_time(X509_get0_notBefore(leaf), &first) >= 0 ||
        X509_cmp_time(X509_get0_notAfter(leaf), &last) <= 0)
        return rc_raise(RC_VERIFY, "the certificate was not valid when the "
                                   "checkpoint was cosigned");
    return RC_OK;
}

/* By the birth of its key, by the reader's own copy, or by both. */
static enum rc check_root(const struct verify *v, X509 *root)
{
    const struct wire_bundle *b = &v->bundle;
    const struct wire_blob *mine = &v->trust->root;
    const struct wire_blob *der = &b->chain.at[1];
    if (mine->len &&
        (mine->len != der->len || memcmp(mine->p, der->p, der->len) != 0))
        return rc_raise(RC_VERIFY, "another root than the one trusted");
    if (b->issuer.n ? !has_key(root, b->issuer.at[0].cert.group_key)
                    : !mine->len)
        return rc_raise(RC_VERIFY, "no birth of the root's key came along%s",
                        b->issuer.n ? ""
                                    : ", and the policy given pins no root "
                                      "(trust export --root)");
    return RC_OK;
}

static enum rc check(struct verify *v, X509 *leaf, X509 *root)
{
    const struct wire_bundle *b = &v->bundle;
    if (!has_key(leaf, b->group_key))
        return rc_raise(RC_VERIFY, "the leaf is of another key");
    TRY(check_signed(leaf, root));
    TRY(check_root(v, root));
    TRY(verify_context(v, leaf));
    return check_time(v, leaf);
}

static int64_t seconds(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void tell(struct verify *v, X509 *leaf)
{
    int64_t from = seconds(X509_get0_notBefore(leaf));
    int64_t to = seconds(X509_get0_notAfter(leaf));
    char a[CLOCK_TEXT_SIZE];
    char b[CLOCK_TEXT_SIZE];
    verify_pass(v, "certificate",
                "the key's, for this %s, good from %s to %s, and signed then",
                v->ephemeral ? "session" : "profile", clock_text(a, from),
                clock_text(b, to));
    verify_fact(v, "certificate",
                json_pack("{s:I, s:I}", "not_before", (json_int_t)from,
                          "not_after", (json_int_t)to));
}

static void check_two(struct verify *v)
{
    OWNED(X509) *leaf = NULL;
    OWNED(X509) *root = NULL;
    enum rc rc = open_one(&leaf, &v->bundle.chain.at[0]);
    if (rc == RC_OK)
        rc = open_one(&root, &v->bundle.chain.at[1]);
    if (rc == RC_OK)
        rc = check(v, leaf, root);
    if (leaf && root)
        v->simulated = v->simulated || cli_is_simulated(leaf) ||
                       cli_is_simulated(root);
    if (rc == RC_OK)
        tell(v, leaf);
    else
        verify_mark(v, "certificate", rc,
                    "the signing key's leaf, by a root whose key was born for "
                    "an issuer profile or that is pinned, good when it was "
                    "signed",
                    "%s", "");
}

void verify_chain(struct verify *v)
{
    const struct wire_bundle *b = &v->bundle;
    if (b->chain.n == 0)
        verify_pass(v, "certificate", "none in the bundle");
    else if (b->chain.n != 2)
        verify_fail(v, "certificate", "leaf and root", "%zu certificates",
                    b->chain.n);
    else
        check_two(v);
    if (b->chain.n == 0 && b->issuer.n)
        verify_fail(v, "issuer", "none without a certificate",
                    "the birth of a key that nothing here is signed by");
    else if (b->issuer.n)
        verify_birth(v, "issuer", &b->issuer.at[0],
                     b->issuer.at[0].cert.group_key, "issuer", NULL);
}

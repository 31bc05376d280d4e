/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Nitro Enclaves' attestation documents: a COSE_Sign1 (RFC 9052) over a
 * CBOR map of PCRs, signed by a certificate that lives three hours and chains
 * to one root, which is pinned here. Judged over the bytes as they came.
 * Public data only.
 */
#include "attest/inner.h"

#include <stdio.h>
#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "attest/cbor.h"
#include "base/enc.h"
#include "base/hash.h"

OWNED_BY(X509, X509_free);
OWNED_BY(X509_STORE, X509_STORE_free);
OWNED_BY(X509_STORE_CTX, X509_STORE_CTX_free);
OWNED_BY(ECDSA_SIG, ECDSA_SIG_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);
static void free_borrowers(STACK_OF(X509) * s)
{
    sk_X509_free(s);
}
typedef STACK_OF(X509) x509_stack;
OWNED_BY(x509_stack, free_borrowers);

#define MAX_BUNDLE 8
#define CERT_MAX   1024
#define FIELD_MAX  1024 /* public_key, user_data, nonce */
#define SIG_LEN    96

/* aws.nitro-enclaves, 2019-10-28 to 2049-10-28: SHA-256 of its DER */
static const uint8_t root_pin[32] = { 0x64, 0x1a, 0x03, 0x21, 0xa3, 0xe2, 0x44,
                                      0xef, 0xe4, 0x56, 0x46, 0x31, 0x95, 0xd6,
                                      0x06, 0x31, 0x7e, 0xd7, 0xcd, 0xcc, 0x3c,
                                      0x17, 0x56, 0xe0, 0x98, 0x93, 0xf3, 0xc6,
                                      0x8f, 0x79, 0xbb, 0x5b };
/* {1: -35}: ES384 */
static const uint8_t protected_es384[] = { 0xA1, 0x01, 0x38, 0x22 };

struct doc {
    struct cbor_bytes head, payload, signature; /* of the COSE_Sign1 */
    struct cbor_bytes cert, bundle[MAX_BUNDLE];
    unsigned n_bundle;
    X509 *leaf, *ca[MAX_BUNDLE]; /* ca[0]: the root */
};

/* ---- reading ------------------------------------------------------------ */

static const char *read_cose(struct doc *d, const struct wire_blob *blob)
{
    struct cbor c = { blob->p, blob->len };
    uint64_t n = 0;
    uint64_t pairs = 0;
    if (!blob->p || blob->len > ATTEST_NITRO_MAX)
        return "missing or too large";
    if (!attest_cbor_array(&c, &n) || n != 4)
        return "not an array of four";
    if (!attest_cbor_bytes(&c, &d->head) ||
        d->head.len != sizeof(protected_es384) ||
        memcmp(d->head.p, protected_es384, d->head.len) != 0)
        return "protected header is not ES384 alone";
    if (!attest_cbor_map(&c, &pairs) || pairs != 0)
        return "unprotected header is not empty";
    if (!attest_cbor_bytes(&c, &d->payload))
        return "no payload";
    if (!attest_cbor_bytes(&c, &d->signature) || d->signature.len != SIG_LEN)
        return "signature is not of 96 bytes";
    return c.left ? "bytes after the end" : NULL;
}

static bool read_pcrs(struct attest_nitro *out, struct cbor *c)
{
    uint64_t n = 0;
    if (!attest_cbor_map(c, &n) || n == 0 || n > ATTEST_NITRO_PCRS)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t k = 0;
        struct cbor_bytes v;
        if (!attest_cbor_uint(c, &k) || k >= ATTEST_NITRO_PCRS ||
            out->has_pcr[k] || !attest_cbor_bytes(c, &v) ||
            v.len != sizeof(out->pcr[k]))
            return false;
        memcpy(out->pcr[k], v.p, v.len);
        out->has_pcr[k] = true;
    }
    return out->has_pcr[0] && out->has_pcr[1] && out->has_pcr[2];
}

static bool read_bundle(struct doc *d, struct cbor *c)
{
    uint64_t n = 0;
    if (!attest_cbor_array(c, &n) || n == 0 || n > MAX_BUNDLE)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        struct cbor_bytes *b = &d->bundle[d->n_bundle++];
        if (!attest_cbor_bytes(c, b) || b->len == 0 || b->len > CERT_MAX)
            return false;
    }
    return true;
}

static bool read_field(struct wire_blob *out, struct cbor *c)
{
    struct cbor_bytes b;
    if (!attest_cbor_bytes_or_null(c, &b) || b.len > FIELD_MAX)
        return false;
    /* borrowed of the document, as attest.h says */
    *out = (struct wire_blob){ (uint8_t *)(uintptr_t)b.p, b.len };
    return true;
}

static bool read_module(struct attest_nitro *out, struct cbor *c)
{
    struct cbor_bytes t;
    if (!attest_cbor_text(c, &t) || t.len == 0 || t.len >= sizeof(out->module))
        return false;
    for (size_t i = 0; i < t.len; i++)
        if (t.p[i] < 0x21 || t.p[i] > 0x7E)
            return false;
    memcpy(out->module, t.p, t.len);
    out->module[t.len] = '\0';
    return true;
}

static bool read_value(struct attest_nitro *out, struct doc *d, unsigned key,
                       struct cbor *c)
{
    struct cbor_bytes b = { 0 };
    switch (key) {
    case 0:
        return read_module(out, c);
    case 1:
        return attest_cbor_text(c, &b) && b.len == 6 &&
               memcmp(b.p, "SHA384", 6) == 0;
    case 2:
        return attest_cbor_uint(c, &out->timestamp_ms) &&
               out->timestamp_ms > 0 && out->timestamp_ms <= INT64_MAX;
    case 3:
        return read_pcrs(out, c);
    case 4:
        return attest_cbor_bytes(c, &d->cert) && d->cert.len > 0 &&
               d->cert.len <= CERT_MAX;
    case 5:
        return read_bundle(d, c);
    case 6:
        return read_field(&out->public_key, c);
    case 7:
        return read_field(&out->user_data, c);
    default:
        return read_field(&out->nonce, c);
    }
}

/* Every member once, in any order, no other. NULL: read; else which not. */
static const char *read_payload(struct attest_nitro *out, struct doc *d)
{
    static const char *const keys[] = {
        "module_id", "digest",     "timestamp", "pcrs", "certificate",
        "cabundle",  "public_key", "user_data", "nonce"
    };
    const unsigned n_keys = sizeof(keys) / sizeof(*keys);
    bool seen[sizeof(keys) / sizeof(*keys)] = { false };
    struct cbor c = { d->payload.p, d->payload.len };
    uint64_t n = 0;
    if (!attest_cbor_map(&c, &n) || n != n_keys)
        return "not a map of its nine members";
    for (uint64_t i = 0; i < n; i++) {
        struct cbor_bytes name;
        unsigned k = 0;
        if (!attest_cbor_text(&c, &name))
            return "a member without a name";
        while (k < n_keys && (strlen(keys[k]) != name.len ||
                              memcmp(keys[k], name.p, name.len) != 0))
            k++;
        if (k == n_keys || seen[k])
            return "a member unknown or twice";
        seen[k] = true;
        if (!read_value(out, d, k, &c))
            return keys[k];
    }
    return c.left ? "bytes after the end" : NULL;
}

static X509 *parse(const struct cbor_bytes *der)
{
    const unsigned char *p = der->p;
    OWNED(X509) *x = d2i_X509(NULL, &p, (long)der->len);
    return x && p == der->p + der->len ? TAKE(x) : NULL;
}

/* ---- judging ------------------------------------------------------------ */

static void mark_root(struct attest_verdict *v, const struct doc *d)
{
    uint8_t got[32];
    char a[ENC_HEX_SIZE(32)];
    char b[ENC_HEX_SIZE(32)];
    hash256(got, d->bundle[0].p, d->bundle[0].len);
    attest_mark(v, "N3", "root", memcmp(got, root_pin, 32) == 0,
                enc_hex(a, root_pin, 32), "%s", enc_hex(b, got, 32));
}

static bool p384(X509 *cert)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    char group[32] = "";
    return key && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
           strcmp(group, "secp384r1") == 0;
}

/* Root, issuers in between, leaf: all of them and no other path. */
static const char *path_refuses(const struct doc *d)
{
    OWNED(X509_STORE) *store = X509_STORE_new();
    OWNED(X509_STORE_CTX) *ctx = X509_STORE_CTX_new();
    OWNED(x509_stack) *between = sk_X509_new_null();
    if (!d->leaf || !p384(d->leaf))
        return "the leaf is not a certificate with a P-384 key";
    if (X509_check_ca(d->leaf) ||
        !(X509_get_key_usage(d->leaf) & KU_DIGITAL_SIGNATURE))
        return "the leaf is a CA, or not for signatures";
    for (unsigned i = 0; i < d->n_bundle; i++)
        if (!d->ca[i] || !p384(d->ca[i]))
            return "the bundle holds what is no certificate with a P-384 key";
    if (!store || !ctx || !between)
        return "out of memory";
    for (unsigned i = 1; i < d->n_bundle; i++)
        if (!sk_X509_push(between, d->ca[i]))
            return "out of memory";
    if (X509_STORE_add_cert(store, d->ca[0]) != 1 ||
        X509_STORE_CTX_init(ctx, store, d->leaf, between) != 1)
        return "out of memory";
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME |
                                          X509_V_FLAG_CHECK_SS_SIGNATURE);
    if (X509_verify_cert(ctx) != 1)
        return X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
    if (sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) != (int)d->n_bundle + 1)
        return "the bundle holds more than the path";
    return NULL;
}

static void mark_path(struct attest_verdict *v, const struct doc *d)
{
    const char *bad = path_refuses(d);
    attest_mark(v, "N4", "chain", !bad,
                "leaf to root through the whole bundle, P-384", "%s",
                bad ? bad : "so");
}

static bool valid_at(X509 *x, time_t when)
{
    return x && X509_cmp_time(X509_get0_notBefore(x), &when) < 0 &&
           X509_cmp_time(X509_get0_notAfter(x), &when) > 0;
}

static void mark_times(struct attest_verdict *v, const struct doc *d,
                       const struct attest_nitro *facts, int64_t now_s)
{
    unsigned bad = !valid_at(d->leaf, (time_t)now_s);
    for (unsigned i = 0; i < d->n_bundle; i++)
        bad += !valid_at(d->ca[i], (time_t)now_s);
    char text[96];
    snprintf(text, sizeof(text),
             "%u of %u are not (the leaf lives three hours: --at)", bad,
             d->n_bundle + 1);
    attest_mark(v, "N5", "validity", bad == 0, "all valid at the clock", "%s",
                bad ? text : "so");
    int64_t made_s = (int64_t)(facts->timestamp_ms / 1000);
    attest_mark(v, "N6", "made",
                made_s <= now_s && valid_at(d->leaf, (time_t)made_s),
                "in the leaf's life and not after the clock",
                "%lld, clock %lld", (long long)made_s, (long long)now_s);
}

/* Sig_structure of RFC 9052 section 4.4, the payload being the last of it. */
static bool signed_by_leaf(const struct doc *d)
{
    static const uint8_t front[] = { 0x84, 0x6A, 'S',  'i',  'g',  'n',
                                     'a',  't',  'u',  'r',  'e',  '1',
                                     0x44, 0xA1, 0x01, 0x38, 0x22, 0x40 };
    OWNED(ECDSA_SIG) *sig = ECDSA_SIG_new();
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    BIGNUM *r = BN_bin2bn(d->signature.p, SIG_LEN / 2, NULL);
    BIGNUM *s = BN_bin2bn(d->signature.p + SIG_LEN / 2, SIG_LEN / 2, NULL);
    if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return false;
    }
    uint8_t der[128]; /* SEQUENCE of two INTEGERs of at most 49 bytes */
    unsigned char *p = der;
    int len = i2d_ECDSA_SIG(sig, NULL);
    if (!ctx || len <= 0 || (size_t)len > sizeof(der) ||
        i2d_ECDSA_SIG(sig, &p) != len)
        return false;
    uint8_t head[9];
    size_t n = attest_cbor_put_bytes_head(head, d->payload.len);
    return p384(d->leaf) &&
           EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL,
                                X509_get0_pubkey(d->leaf)) == 1 &&
           EVP_DigestVerifyUpdate(ctx, front, sizeof(front)) == 1 &&
           EVP_DigestVerifyUpdate(ctx, head, n) == 1 &&
           EVP_DigestVerifyUpdate(ctx, d->payload.p, d->payload.len) == 1 &&
           EVP_DigestVerifyFinal(ctx, der, (size_t)len) == 1;
}

static bool is_zero(const uint8_t *p, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= p[i];
    return any == 0;
}

/* A debug enclave has zeros in all three that are measured of its image. */
static void mark_debug(struct attest_verdict *v, const struct attest_nitro *n)
{
    bool debug = is_zero(n->pcr[0], 48) || is_zero(n->pcr[1], 48) ||
                 is_zero(n->pcr[2], 48);
    attest_mark(v, "N8", "no debug", !debug, "PCR0, PCR1 and PCR2 not zero",
                "%s", debug ? "zeros: a debug enclave" : "so");
}

static void mark_pcrs(struct attest_verdict *v, const struct attest_nitro *n,
                      const struct attest_nitro_want *want)
{
    for (unsigned i = 0; want && i < ATTEST_NITRO_PCRS; i++) {
        char what[16];
        char a[ENC_HEX_SIZE(48)];
        char b[ENC_HEX_SIZE(48)];
        if (!want->has_pcr[i])
            continue;
        snprintf(what, sizeof(what), "PCR%u", i);
        bool ok = n->has_pcr[i] &&
                  sodium_memcmp(n->pcr[i], want->pcr[i], 48) == 0;
        attest_mark(v, "N9", what, ok, enc_hex(a, want->pcr[i], 48), "%s",
                    n->has_pcr[i] ? enc_hex(b, n->pcr[i], 48) : "not there");
    }
}

static void unread(struct attest_verdict *v, const char *id, const char *what)
{
    attest_mark(v, id, what, false, "a document that can be read", "not read");
}

static void judge(struct attest_verdict *v, struct attest_nitro *facts,
                  struct doc *d, const struct wire_blob *blob,
                  const struct attest_nitro_want *want, int64_t now_s)
{
    const char *bad = read_cose(d, blob);
    attest_mark(v, "N1", "COSE_Sign1", !bad,
                "four members, ES384, nothing after", "%s", bad ? bad : "so");
    const char *bad2 = bad ? "not read" : read_payload(facts, d);
    attest_mark(v, "N2", "payload", !bad2, "its nine members, each in bounds",
                "%s%s", bad2 ? "wrong: " : "so", bad2 ? bad2 : "");
    if (bad2) {
        unread(v, "N3", "root");
        unread(v, "N4", "chain");
        unread(v, "N5", "validity");
        unread(v, "N6", "made");
        unread(v, "N7", "document signature");
        unread(v, "N8", "no debug");
        return;
    }
    d->leaf = parse(&d->cert);
    for (unsigned i = 0; i < d->n_bundle; i++)
        d->ca[i] = parse(&d->bundle[i]);
    mark_root(v, d);
    mark_path(v, d);
    mark_times(v, d, facts, now_s);
    bool ok = d->leaf && signed_by_leaf(d);
    attest_mark(v, "N7", "document signature", ok, "by the leaf's key", "%s",
                ok ? "so" : "does not verify");
    mark_debug(v, facts);
    mark_pcrs(v, facts, want);
}

enum rc attest_nitro_verify(struct attest_verdict *out,
                            struct attest_nitro *facts,
                            const struct wire_blob *document,
                            const struct attest_nitro_want *want, int64_t now_s)
{
    struct doc d = { 0 };
    memset(out, 0, sizeof(*out));
    memset(facts, 0, sizeof(*facts));
    judge(out, facts, &d, document, want, now_s);
    X509_free(d.leaf);
    for (unsigned i = 0; i < d.n_bundle; i++)
        X509_free(d.ca[i]);
    ERR_clear_error();
    return attest_verdict_end(out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vTPM's quote: TPMS_ATTEST and its signature, as a stranger sent them. On
 * Azure REPORT_DATA binds the vTPM's attestation key HCLAkPub and HOST_DATA is
 * the cloud's; what our report data and genesis are bound by is the quote's
 * extraData. TPM 2.0 Library Part 2, 10.12.8 and 11.3.4. Public data only.
 */
#include "attest/inner.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <sodium.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/hash.h"

OWNED_BY(BIGNUM, BN_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);
OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(EVP_PKEY_CTX, EVP_PKEY_CTX_free);
OWNED_BY(OSSL_PARAM, OSSL_PARAM_free);
OWNED_BY(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free);

#define TPM_GENERATED 0xFF544347u
#define TYPE_QUOTE    0x8018
#define NAME_MAX_LEN  68 /* of a TPM2B_NAME: algorithm and digest */
#define SELECT_MAX    4  /* bytes: 32 PCRs */
#define ALG_SHA256    0x000B
#define ALG_RSASSA    0x0014
#define ALG_RSAPSS    0x0016

/* ---- reading ----------------------------------------------------------- */

/* Length-prefixed, at most max bytes, copied. */
static enum rc read_sized(uint8_t *out, size_t *len, size_t max,
                          struct bytes_reader *r, const char *what)
{
    const uint8_t *p = bytes_take_lp16(r, len);
    if (*len > max)
        return rc_raise(RC_PARSE, "quote: %s of %zu bytes, at most %zu", what,
                        *len, max);
    if (p && out)
        memcpy(out, p, *len);
    return RC_OK;
}

static enum rc read_head(struct bytes_reader *r)
{
    uint32_t magic = bytes_get_u32(r);
    uint16_t type = bytes_get_u16(r);
    if (magic != TPM_GENERATED)
        return rc_raise(RC_PARSE, "quote: magic 0x%08x: no TPM made this",
                        magic);
    if (type != TYPE_QUOTE)
        return rc_raise(RC_PARSE, "quote: type 0x%04x, want 0x%04x", type,
                        TYPE_QUOTE);
    return RC_OK;
}

static enum rc read_clock(struct attest_quote *q, struct bytes_reader *r)
{
    q->clock_ms = bytes_get_u64(r);
    q->resets = bytes_get_u32(r);
    q->restarts = bytes_get_u32(r);
    uint8_t safe = bytes_get_u8(r);
    q->firmware = bytes_get_u64(r);
    if (safe > 1)
        return rc_raise(RC_PARSE, "quote: safe is %u, want 0 or 1", safe);
    q->safe = safe;
    return RC_OK;
}

static enum rc read_banks(struct attest_quote *q, struct bytes_reader *r)
{
    uint32_t n = bytes_get_u32(r);
    if (n > ATTEST_QUOTE_BANKS)
        return rc_raise(RC_PARSE, "quote: %u PCR selections, at most %u", n,
                        ATTEST_QUOTE_BANKS);
    for (uint32_t i = 0; i < n; i++) {
        q->bank[i].hash = bytes_get_u16(r);
        uint8_t size = bytes_get_u8(r);
        if (size > SELECT_MAX)
            return rc_raise(RC_PARSE, "quote: PCR selection of %u bytes", size);
        for (uint8_t k = 0; k < size; k++)
            q->bank[i].pcrs |= (uint32_t)bytes_get_u8(r) << 8 * k;
    }
    q->n_banks = n;
    return RC_OK;
}

enum rc attest_quote_read(struct attest_quote *out, const uint8_t *p,
                          size_t len)
{
    struct attest_quote q = { .n_banks = 0 };
    size_t name;
    if (len > WIRE_QUOTE_MAX)
        return rc_raise(RC_PARSE, "quote: %zu bytes, at most %u", len,
                        WIRE_QUOTE_MAX);
    struct bytes_reader r = bytes_reader(p, len);
    TRY(read_head(&r));
    TRY(read_sized(NULL, &name, NAME_MAX_LEN, &r, "qualified signer"));
    TRY(read_sized(q.extra, &q.extra_len, sizeof(q.extra), &r, "extra data"));
    TRY(read_clock(&q, &r));
    TRY(read_banks(&q, &r));
    TRY(read_sized(q.pcr_digest, &q.pcr_digest_len, sizeof(q.pcr_digest), &r,
                   "PCR digest"));
    TRY(bytes_end(&r, "quote"));
    *out = q;
    return RC_OK;
}

/* ---- its signature ----------------------------------------------------- */

static EVP_PKEY *key_of(const struct attest_rsa *ak)
{
    OWNED(BIGNUM) *n = BN_bin2bn(ak->n, (int)ak->n_len, NULL);
    OWNED(BIGNUM) *e = BN_bin2bn(ak->e, (int)ak->e_len, NULL);
    OWNED(OSSL_PARAM_BLD) *bld = OSSL_PARAM_BLD_new();
    OWNED(EVP_PKEY_CTX) *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (!n || !e || !bld || !ctx ||
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) != 1)
        return NULL;
    OWNED(OSSL_PARAM) *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY *key = NULL;
    if (!params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return NULL;
    return key;
}

static bool verifies(const struct attest_rsa *ak, int padding,
                     const uint8_t *sig, size_t sig_len,
                     const struct wire_blob *said)
{
    OWNED(EVP_PKEY) *key = key_of(ak);
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pk = NULL; /* ctx's own */
    return key && ctx &&
           EVP_DigestVerifyInit(ctx, &pk, EVP_sha256(), NULL, key) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(pk, padding) == 1 &&
           EVP_DigestVerify(ctx, sig, sig_len, said->p, said->len) == 1;
}

/* TPMT_SIGNATURE over the quote's bytes as they came; TPM's PSS salt is of
 * any length. */
static enum rc check_signature(const struct wire_blob *blob,
                               const struct wire_blob *quote,
                               const struct attest_rsa *ak)
{
    struct bytes_reader r = bytes_reader(blob->p, blob->len);
    uint16_t scheme = bytes_get_u16(&r);
    uint16_t hash = bytes_get_u16(&r);
    size_t len;
    const uint8_t *sig = bytes_take_lp16(&r, &len);
    TRY(bytes_end(&r, "quote's signature"));
    if ((scheme != ALG_RSASSA && scheme != ALG_RSAPSS) || hash != ALG_SHA256)
        return rc_raise(RC_PARSE,
                        "quote's signature: scheme 0x%04x with hash 0x%04x",
                        scheme, hash);
    int padding = scheme == ALG_RSASSA ? RSA_PKCS1_PADDING
                                       : RSA_PKCS1_PSS_PADDING;
    return verifies(ak, padding, sig, len, quote)
                   ? RC_OK
                   : rc_raise(RC_ATTEST, "not signed by HCLAkPub");
}

/* ---- judging ----------------------------------------------------------- */

void attest_quote_data(uint8_t out[32], const uint8_t report_data[64],
                       const uint8_t *genesis)
{
    static const uint8_t none[32];
    const struct hash_part parts[] = {
        { "mpc/vtpm/v1", sizeof("mpc/vtpm/v1") },
        { report_data, 64 },
        { genesis ? genesis : none, 32 },
    };
    hash256_parts(out, parts, sizeof(parts) / sizeof(*parts));
}

bool attest_quote_is(const struct wire_evidence *e)
{
    return e->hcl.len || e->quote.len || e->quote_signature.len;
}

/* H4 */
static bool mark_quote(struct attest_verdict *v, struct attest_quote *q,
                       const struct wire_evidence *e)
{
    struct attest_rsa ak;
    const uint8_t *p = e->quote.p ? e->quote.p : (const uint8_t *)"";
    enum rc rc = attest_quote_read(q, p, e->quote.p ? e->quote.len : 0);
    if (rc == RC_OK)
        rc = attest_hcl_ak(&ak, &e->hcl);
    if (rc == RC_OK)
        rc = check_signature(&e->quote_signature, &e->quote, &ak);
    attest_mark(v, "H4", "vTPM quote", rc == RC_OK,
                "a TPM's quote, RSA with SHA-256 by HCLAkPub", "%s",
                rc == RC_OK ? "so" : rc_text());
    return rc == RC_OK;
}

/* H5 */
static bool mark_extra(struct attest_verdict *v, const struct attest_quote *q,
                       const struct attest_want *want)
{
    uint8_t data[32];
    char a[ENC_HEX_SIZE(32)];
    char b[ENC_HEX_SIZE(ATTEST_QUOTE_EXTRA)];
    attest_quote_data(data, want->report_data, want->host_data);
    bool ok = q->extra_len == sizeof(data) &&
              sodium_memcmp(q->extra, data, sizeof(data)) == 0;
    attest_mark(v, "H5", "quote is over report data and genesis", ok,
                enc_hex(a, data, sizeof(data)), "%s",
                q->extra_len ? enc_hex(b, q->extra, q->extra_len) : "nothing");
    return ok;
}

/* So far every row about the blob and its quote holds. */
static bool all_hold(const struct attest_verdict *v)
{
    for (unsigned i = 0; i < v->n_checks; i++) {
        if (v->check[i].id[0] == 'H' && !v->check[i].ok)
            return false;
    }
    return true;
}

/* Whose machines are elsewhere has no reason to take a quote for a report. */
static bool is_wanted(const struct attest_want *want)
{
    if (!want->rules && !want->rules_too)
        return !want->peer || want->vtpm;
    return (!want->rules || want->rules->vtpm) &&
           (!want->rules_too || want->rules_too->vtpm);
}

void attest_quote_judge(struct attest_verdict *v,
                        const struct wire_evidence *evidence,
                        struct attest_want *want)
{
    struct attest_quote q = { .n_banks = 0 };
    if (!is_wanted(want))
        attest_mark(v, "H4", "vTPM", false, "none, by the attestation policy",
                    "evidence through a vTPM");
    bool bound = mark_quote(v, &q, evidence);
    if (want->report_data)
        bound &= mark_extra(v, &q, want);
    bound &= all_hold(v);
    const char *actual = bound ? "so" : "the quote does not stand";
    if (want->report_data)
        attest_mark(v, "P2", "report data", bound, "bound by the quote", "%s",
                    actual);
    /* who wants the genesis and no report data gets no answer from a hash */
    if (want->host_data)
        attest_mark(v, "P9", "genesis", bound && want->report_data,
                    "bound by the quote", "%s",
                    want->report_data ? actual : "no report data to judge by");
    want->report_data = NULL;
    want->host_data = NULL;
}

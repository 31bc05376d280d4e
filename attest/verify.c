/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check list: evidence in, a verdict with every row out. A row that could
 * not be judged is a row that failed. Public data only.
 */
#include "attest/inner.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/enc.h"
#include "base/hash.h"

OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);

void attest_mark(struct attest_verdict *v, const char *id, const char *what,
                 bool ok, const char *expected, const char *actual, ...)
{
    if (v->n_checks >= ATTEST_MAX_CHECKS) {
        /* more rows than ours: the last one says so and fails */
        v->check[ATTEST_MAX_CHECKS - 1].ok = false;
        return;
    }
    struct attest_check *c = &v->check[v->n_checks++];
    c->ok = ok;
    snprintf(c->id, sizeof(c->id), "%s", id);
    snprintf(c->what, sizeof(c->what), "%s", what);
    snprintf(c->expected, sizeof(c->expected), "%s", expected);
    va_list ap;
    va_start(ap, actual);
    vsnprintf(c->actual, sizeof(c->actual), actual, ap);
    va_end(ap);
}

void attest_warn(struct attest_verdict *v)
{
    if (v->n_checks > 0 && v->check[v->n_checks - 1].ok)
        v->check[v->n_checks - 1].warn = true;
}

static void judge(struct attest_verdict *v,
                  const struct wire_evidence *evidence,
                  const struct attest_roots *roots,
                  const struct attest_want *want, int64_t now_s)
{
    bool sized = evidence->report.p &&
                 evidence->report.len == ATTEST_REPORT_LEN;
    attest_mark(v, "F1", "report size", sized, "1184 bytes", "%zu bytes",
                evidence->report.len);
    if (!sized)
        return;
    const uint8_t *raw = evidence->report.p;
    attest_report_read(&v->report, raw);
    attest_report_format(v, raw);
    struct attest_chain chain = { 0 };
    attest_chain_judge(&chain, v, evidence, roots, want, now_s);
    attest_binding_judge(v, raw, chain.vek, want);
    struct attest_want rest = *want;
    bool vtpm = attest_quote_is(evidence);
    if (vtpm || want->hcl)
        attest_hcl_judge(v, raw, vtpm ? &evidence->hcl : want->hcl);
    if (vtpm)
        attest_quote_judge(v, evidence, &rest);
    attest_rules_judge(v, raw, &rest);
    attest_chain_free(&chain);
}

enum rc attest_verify(struct attest_verdict *out,
                      const struct wire_evidence *evidence,
                      const struct attest_roots *roots,
                      const struct attest_want *want, int64_t now_s)
{
    static const struct attest_want nothing = { 0 };
    memset(out, 0, sizeof(*out));
    judge(out, evidence, roots, want ? want : &nothing, now_s);
    ERR_clear_error();
    return attest_verdict_end(out);
}

enum rc attest_verdict_end(struct attest_verdict *out)
{
    const struct attest_check *first = NULL;
    unsigned failed = 0;
    for (unsigned i = 0; i < out->n_checks; i++) {
        if (out->check[i].ok)
            continue;
        failed++;
        if (!first)
            first = &out->check[i];
    }
    if (first)
        return rc_raise(RC_ATTEST, "%s %s: want %s, got %s (%u failed)",
                        first->id, first->what, first->expected, first->actual,
                        failed);
    out->ok = true;
    return RC_OK;
}

void attest_policy_hash(uint8_t out[32],
                        const uint8_t measurement[ATTEST_MEASUREMENT_LEN])
{
    hash256(out, measurement, ATTEST_MEASUREMENT_LEN);
}

enum rc attest_hashes_parse(uint8_t (*out)[32], unsigned *n, const char *text)
{
    uint8_t got[ATTEST_MAX_HASHES][32];
    unsigned count = 0;
    const char *p = text;
    while (*p) {
        size_t len = strcspn(p, ",");
        if (count == ATTEST_MAX_HASHES)
            return rc_raise(RC_PARSE, "TEE_POLICY_HASH: more than %u hashes",
                            ATTEST_MAX_HASHES);
        if (enc_unhex(got[count], 32, p, len) != RC_OK)
            return rc_raise(RC_PARSE,
                            "TEE_POLICY_HASH: hash %u is not 64 lower-case "
                            "hex digits",
                            count + 1);
        count++;
        p += len;
        if (*p == ',' && *++p == '\0')
            return rc_raise(RC_PARSE, "TEE_POLICY_HASH: ends with a comma");
    }
    memcpy(out, got, count * sizeof(got[0]));
    *n = count;
    return RC_OK;
}

static enum rc measure(uint8_t out[ATTEST_MEASUREMENT_LEN], FILE *f,
                       const char *path)
{
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha384(), NULL) != 1)
        return rc_raise(RC_NOMEM, "SHA-384");
    uint8_t buf[16384];
    size_t n;
    while ((n = fread(buf, 1, sizeof(buf), f)) > 0) {
        if (EVP_DigestUpdate(ctx, buf, n) != 1)
            return rc_raise(RC_INTERNAL, "SHA-384");
    }
    if (ferror(f))
        return rc_raise(RC_IO, "%s: cannot be read", path);
    unsigned len = ATTEST_MEASUREMENT_LEN;
    if (EVP_DigestFinal_ex(ctx, out, &len) != 1)
        return rc_raise(RC_INTERNAL, "SHA-384");
    return RC_OK;
}

enum rc attest_measure_file(uint8_t out[ATTEST_MEASUREMENT_LEN],
                            const char *path)
{
    FILE *f = fopen(path, "rbe");
    if (!f)
        return rc_raise(RC_IO, "%s: %m", path);
    enum rc rc = measure(out, f, path);
    fclose(f);
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * B1..B5: the report belongs to this certificate and the certificate to this
 * chip at this firmware. The signature is taken over the bytes as they came,
 * never over fields written out again. Public data only.
 */
#include "attest/inner.h"

#include <stdio.h>
#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "attest/layout.h"
#include "base/enc.h"

OWNED_BY(ECDSA_SIG, ECDSA_SIG_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);

static ECDSA_SIG *signature(const uint8_t *raw)
{
    OWNED(ECDSA_SIG) *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_lebin2bn(raw + SNP_SIG_R, SNP_SIG_USED, NULL);
    BIGNUM *s = BN_lebin2bn(raw + SNP_SIG_S, SNP_SIG_USED, NULL);
    if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return NULL;
    }
    return TAKE(sig);
}

bool attest_report_signed(const uint8_t *raw, X509 *vek)
{
    OWNED(ECDSA_SIG) *sig = signature(raw);
    OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
    EVP_PKEY *key = vek ? X509_get0_pubkey(vek) : NULL;
    if (!sig || !ctx || !key)
        return false;
    uint8_t der[128]; /* SEQUENCE of two INTEGERs of at most 49 bytes */
    unsigned char *p = der;
    int len = i2d_ECDSA_SIG(sig, NULL);
    if (len <= 0 || (size_t)len > sizeof(der) || i2d_ECDSA_SIG(sig, &p) != len)
        return false;
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL, key) == 1 &&
           EVP_DigestVerify(ctx, der, (size_t)len, raw, SNP_SIGNED_LEN) == 1;
}

static bool product_fits(const char *name, enum attest_product product)
{
    const char *want = attest_product_name(product);
    size_t len = strlen(want);
    return strncmp(name, want, len) == 0 &&
           (name[len] == '\0' || name[len] == '-');
}

/* B2 */
static bool mark_family(struct attest_verdict *v, const struct attest_vek *vek)
{
    unsigned version = v->product == ATTEST_TURIN ? 1 : 0;
    char want[64];
    snprintf(want, sizeof(want), "structVersion %u, productName %s", version,
             attest_product_name(v->product));
    bool ok = vek->version == version && product_fits(vek->product, v->product);
    attest_mark(v, "B2", "VEK extensions", ok, want,
                "structVersion %u, productName %s", vek->version, vek->product);
    return ok;
}

/* B3 */
static void mark_tcb(struct attest_verdict *v, const struct attest_vek *vek)
{
    const struct attest_tcb *r = &v->report.reported;
    bool ok = memcmp(r, &vek->tcb, sizeof(*r)) == 0 &&
              !(vek->spl[0] | vek->spl[1] | vek->spl[2] | vek->spl[3]);
    char want[96];
    char got[96];
    attest_tcb_text(want, sizeof(want), &vek->tcb);
    attest_tcb_text(got, sizeof(got), r);
    attest_mark(v, "B3", "reported TCB is the VEK's", ok, want, "%s", got);
}

static bool provider_is(const struct attest_vek *vek,
                        const struct attest_rules *rules)
{
    return !rules || strcmp(vek->csp, rules->csp_id) == 0;
}

/* B4; a VLEK is bound to a provider instead of a chip. Under a policy the
 * provider is one it names. */
static void mark_provider(struct attest_verdict *v,
                          const struct attest_vek *vek,
                          const struct attest_want *by)
{
    const struct attest_rules *rules = by->rules ? by->rules : by->rules_too;
    bool ok = vek->csp[0] && !vek->hwid_len && provider_is(vek, by->rules) &&
              provider_is(vek, by->rules_too);
    char want[160];
    snprintf(want, sizeof(want), "%s",
             !rules             ? "CSP_ID and no HWID"
             : rules->csp_id[0] ? rules->csp_id
                                : "no VLEK: csp_id is null");
    attest_mark(v, "B4", "VLEK provider", ok, want, "CSP_ID %s%s",
                vek->csp[0] ? vek->csp : "missing",
                vek->hwid_len ? ", HWID present" : "");
}

static void mark_chip(struct attest_verdict *v, const struct attest_vek *vek,
                      const struct attest_want *by)
{
    static const uint8_t zero[64] = { 0 };
    const uint8_t *chip = v->report.chip_id;
    if (SNP_KEY_SIGNER(v->report.key_info) == SNP_KEY_VLEK) {
        mark_provider(v, vek, by);
        return;
    }
    size_t len = v->product == ATTEST_TURIN ? 8 : 64;
    bool masked = memcmp(chip, zero, 64) == 0;
    bool shaped = vek->hwid_len == len && !vek->csp[0];
    bool same = !masked && memcmp(chip, vek->hwid, len) == 0 &&
                memcmp(chip + len, zero, 64 - len) == 0;
    bool let = masked && (by->rules || by->rules_too) &&
               (!by->rules || by->rules->masked_chip) &&
               (!by->rules_too || by->rules_too->masked_chip);
    char want[ENC_HEX_SIZE(64)];
    char got[ENC_HEX_SIZE(64)];
    attest_mark(v, "B4", "chip id is the VEK's", shaped && (same || let),
                enc_hex(want, vek->hwid, vek->hwid_len), "%s",
                masked ? "masked: zeros" : enc_hex(got, chip, 64));
    if (let)
        attest_warn(v); /* bound to no chip any more */
}

/* B5 */
static void mark_order(struct attest_verdict *v)
{
    const struct attest_report *r = &v->report;
    char current[64];
    char reported[64];
    char committed[64];
    attest_tcb_text(current, sizeof(current), &r->current);
    attest_tcb_text(reported, sizeof(reported), &r->reported);
    attest_tcb_text(committed, sizeof(committed), &r->committed);
    bool ok = attest_tcb_le(&r->reported, &r->current) &&
              attest_tcb_le(&r->committed, &r->current);
    char want[160];
    snprintf(want, sizeof(want), "reported and committed <= current %s",
             current);
    attest_mark(v, "B5", "TCB order", ok, want, "reported %s, committed %s",
                reported, committed);
}

/* What needs the VEK's extensions, when they cannot be read. */
static void mark_unread(struct attest_verdict *v, const char *why)
{
    attest_mark(v, "B2", "VEK extensions", false, "AMD's, each once", "%s",
                why);
    attest_mark(v, "B3", "reported TCB is the VEK's", false, "the VEK's TCB",
                "not read: %s", why);
    attest_mark(v, "B4", "chip id is the VEK's", false, "the VEK's HWID",
                "not read: %s", why);
}

void attest_binding_judge(struct attest_verdict *v, const uint8_t *raw,
                          X509 *vek, const struct attest_want *want)
{
    bool ok = attest_report_signed(raw, vek);
    attest_mark(v, "B1", "report signature", ok, "by the VEK's key", "%s",
                ok    ? "so"
                : vek ? "does not verify"
                      : "no VEK");
    struct attest_vek facts;
    if (!vek) {
        mark_unread(v, "no VEK");
    } else if (attest_vek_read(&facts, vek) != RC_OK) {
        mark_unread(v, rc_text());
    } else {
        mark_family(v, &facts);
        mark_tcb(v, &facts);
        mark_chip(v, &facts, want);
    }
    mark_order(v);
}

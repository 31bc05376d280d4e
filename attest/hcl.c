/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure's HCL blob, as the vTPM keeps it at NV index 0x01400001: a header of
 * 32 bytes, the report, then runtime data whose hash the report carries. The
 * guest there never chooses REPORT_DATA; it is bound by the key HCLAkPub
 * among the runtime data. Every number in it is judged before it is used.
 * Public data only.
 */
#include "attest/inner.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/enc.h"

OWNED_BY(json_t, json_decref);

#define REPORT_AT   32
#define REPORT_END  (REPORT_AT + ATTEST_REPORT_LEN)
#define CLAIMS_LEN  20 /* five words before the JSON */
#define TYPE_VTPM   2
#define REPORT_SNP  2
#define MODULUS_MIN 256 /* bytes: RSA-2048 */
#define N_HASHES    3

static uint32_t word(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

bool attest_hcl_is(const uint8_t *p, size_t len)
{
    return len >= 4 && memcmp(p, "HCLA", 4) == 0;
}

static enum rc read_header(const uint8_t *p, size_t len)
{
    if (!attest_hcl_is(p, len))
        return rc_raise(RC_PARSE, "HCL blob: does not begin with HCLA");
    if (len < REPORT_END + CLAIMS_LEN || len > ATTEST_HCL_MAX)
        return rc_raise(RC_PARSE, "HCL blob: %zu bytes, want %u to %u", len,
                        REPORT_END + CLAIMS_LEN, ATTEST_HCL_MAX);
    if (word(p + 4) != 1 && word(p + 4) != 2)
        return rc_raise(RC_PARSE, "HCL blob: header version %u, want 1 or 2",
                        word(p + 4));
    if (word(p + 12) != TYPE_VTPM)
        return rc_raise(RC_PARSE, "HCL blob: request type %u, want %u",
                        word(p + 12), TYPE_VTPM);
    return RC_OK;
}

/* The words before the JSON. data_size counts them too. */
static enum rc read_claims(struct attest_hcl *out, const uint8_t *p, size_t len)
{
    const uint8_t *c = p + REPORT_END;
    size_t left = len - REPORT_END - CLAIMS_LEN;
    if (word(c + 8) != REPORT_SNP)
        return rc_raise(RC_PARSE, "HCL blob: report type %u, want %u (SNP)",
                        word(c + 8), REPORT_SNP);
    if (word(c + 12) < 1 || word(c + 12) > N_HASHES)
        return rc_raise(RC_PARSE, "HCL blob: hash type %u, want 1..%u",
                        word(c + 12), N_HASHES);
    if (word(c + 16) == 0 || word(c + 16) > left)
        return rc_raise(RC_PARSE,
                        "HCL blob: runtime data of %u bytes, %zu are there",
                        word(c + 16), left);
    if (word(c) != word(c + 16) + CLAIMS_LEN)
        return rc_raise(RC_PARSE, "HCL blob: data size %u, runtime data %u",
                        word(c), word(c + 16));
    out->hash_type = word(c + 12);
    out->data = c + CLAIMS_LEN;
    out->data_len = word(c + 16);
    return RC_OK;
}

enum rc attest_hcl_read(struct attest_hcl *out, const uint8_t *p, size_t len)
{
    struct attest_hcl hcl = { 0 };
    TRY(read_header(p, len));
    hcl.report = p + REPORT_AT;
    TRY(read_claims(&hcl, p, len));
    *out = hcl;
    return RC_OK;
}

/* H2: the hash fills the front of REPORT_DATA, zeros the rest. */
static void mark_bound(struct attest_verdict *v, const struct attest_hcl *hcl)
{
    static const char *const names[] = { "SHA-256", "SHA-384", "SHA-512" };
    const EVP_MD *const mds[] = { EVP_sha256(), EVP_sha384(), EVP_sha512() };
    uint8_t want[64] = { 0 };
    unsigned n = 0;
    bool hashed = EVP_Digest(hcl->data, hcl->data_len, want, &n,
                             mds[hcl->hash_type - 1], NULL) == 1;
    char a[ENC_HEX_SIZE(64)];
    char b[ENC_HEX_SIZE(64)];
    char what[48];
    snprintf(what, sizeof(what), "%s of the runtime data is REPORT_DATA",
             names[hcl->hash_type - 1]);
    attest_mark(v, "H2", what,
                hashed && memcmp(want, v->report.report_data, 64) == 0,
                enc_hex(a, want, 64), "%s",
                enc_hex(b, v->report.report_data, 64));
}

/* The key by this id in "keys"; NULL: not once. */
static const json_t *find_key(const json_t *root, const char *kid)
{
    const json_t *hit = NULL;
    size_t i;
    json_t *k;
    json_array_foreach (json_object_get(root, "keys"), i, k) {
        const char *id = json_string_value(json_object_get(k, "kid"));
        if (!id || strcmp(id, kid) != 0)
            continue;
        if (hit)
            return NULL;
        hit = k;
    }
    return hit;
}

static bool number(uint8_t *out, size_t cap, size_t *len, const json_t *key,
                   const char *name)
{
    const char *text = json_string_value(json_object_get(key, name));
    return text && enc_unb64u(out, cap, len, text, strlen(text)) == RC_OK;
}

/* With an exponent of one anybody signs. */
static bool strong_exponent(const struct attest_rsa *ak)
{
    uint64_t e = 0;
    for (size_t i = 0; i < ak->e_len; i++)
        e = e << 8 | ak->e[i];
    return e & 1 && e >= 65537;
}

/* The words of what is wrong with HCLAkPub, or NULL. */
static const char *ak_refuses(struct attest_rsa *ak, const json_t *root)
{
    const json_t *key = find_key(root, "HCLAkPub");
    const char *kty = json_string_value(json_object_get(key, "kty"));
    if (!key)
        return "not there, or twice";
    if (!kty || strcmp(kty, "RSA") != 0)
        return "not an RSA key";
    if (!number(ak->n, sizeof(ak->n), &ak->n_len, key, "n") ||
        ak->n_len < MODULUS_MIN || !(ak->n[ak->n_len - 1] & 1))
        return "its modulus is not one of 2048 to 4096 bits";
    if (!number(ak->e, sizeof(ak->e), &ak->e_len, key, "e") ||
        !strong_exponent(ak))
        return "its exponent is not odd and at least 65537";
    return NULL;
}

/* The same of the runtime data as it came. */
static const char *runtime_refuses(struct attest_rsa *ak,
                                   const struct attest_hcl *hcl)
{
    OWNED(json_t) *root = json_loadb((const char *)hcl->data, hcl->data_len,
                                     JSON_REJECT_DUPLICATES, NULL);
    return root ? ak_refuses(ak, root) : "not JSON";
}

enum rc attest_hcl_ak(struct attest_rsa *out, const struct wire_blob *blob)
{
    struct attest_hcl hcl;
    struct attest_rsa ak = { .n_len = 0 };
    const uint8_t *p = blob->p ? blob->p : (const uint8_t *)"";
    TRY(attest_hcl_read(&hcl, p, blob->p ? blob->len : 0));
    const char *bad = runtime_refuses(&ak, &hcl);
    if (bad)
        return rc_raise(RC_PARSE, "HCLAkPub: %s", bad);
    *out = ak;
    return RC_OK;
}

void attest_hcl_judge(struct attest_verdict *v, const uint8_t *raw,
                      const struct wire_blob *blob)
{
    struct attest_hcl hcl;
    const uint8_t *p = blob->p ? blob->p : (const uint8_t *)"";
    enum rc rc = attest_hcl_read(&hcl, p, blob->p ? blob->len : 0);
    bool same = rc == RC_OK && memcmp(hcl.report, raw, ATTEST_REPORT_LEN) == 0;
    attest_mark(v, "H1", "HCL blob", same,
                "HCLA, version 1 or 2, this report, its runtime data", "%s",
                rc != RC_OK ? rc_text()
                : same      ? "so"
                            : "another report");
    if (rc != RC_OK) {
        attest_mark(v, "H2", "runtime data is REPORT_DATA", false,
                    "a blob that can be read", "not read");
        attest_mark(v, "H3", "HCLAkPub", false, "a blob that can be read",
                    "not read");
        return;
    }
    mark_bound(v, &hcl);
    struct attest_rsa ak = { .n_len = 0 };
    const char *bad = runtime_refuses(&ak, &hcl);
    char actual[64];
    snprintf(actual, sizeof(actual), "RSA-%zu", ak.n_len * 8);
    attest_mark(v, "H3", "HCLAkPub", !bad, "one RSA key of that name", "%s",
                bad ? bad : actual);
}

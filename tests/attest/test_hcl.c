/* SPDX-License-Identifier: Apache-2.0 */
/* Azure's HCL blobs: genuine ones, and each field wrong in its turn. */
#include "snpdata.h"

#define CLAIMS (32 + ATTEST_REPORT_LEN)

static const struct attest_want cli = { .min_version = 2 };

static const struct {
    const char *name, *chain;
} genuine[] = {
    { "genoa-v3-azure-1", "amd/genoa-ask-ark.pem" },
    { "genoa-v3-azure-2", "amd/genoa-ask-ark.pem" },
    { "milan-v2-azure", "amd/milan-ask-ark.pem" },
    { "milan-v3-azure-1", "amd/milan-ask-ark.pem" },
};
#define N_GENUINE (sizeof(genuine) / sizeof(*genuine))

static void load(struct wire_evidence *e, struct wire_blob *hcl, size_t i)
{
    char path[128];
    snprintf(path, sizeof(path), "azure/%s.hcl.bin", genuine[i].name);
    snp_file(hcl, path, 0, 0);
    snprintf(path, sizeof(path), "veks/%s.vcek.der", genuine[i].name);
    snp_file(&e->vek, path, 0, 0);
    snp_chain(e, genuine[i].chain);
    struct attest_hcl read;
    assert_ok(attest_hcl_read(&read, hcl->p, hcl->len));
    assert_ptr_equal(read.report, hcl->p + 32);
    assert_ok(wire_blob_set(&e->report, read.report, ATTEST_REPORT_LEN));
}

/* 2026-11-22 */
static enum rc judge(struct attest_verdict *v, const struct wire_evidence *e,
                     const struct wire_blob *hcl)
{
    struct attest_want want = cli;
    want.hcl = hcl;
    return attest_verify(v, e, NULL, &want, 1795305600);
}

static void genuine_blobs_pass(void **state)
{
    (void)state;
    testdata();
    for (size_t i = 0; i < N_GENUINE; i++) {
        WIRE(evidence) e = { 0 };
        struct wire_blob hcl = { 0 };
        struct attest_verdict v;
        load(&e, &hcl, i);
        assert_ok(judge(&v, &e, &hcl));
        assert_true(snp_row(&v, "H1")->ok && snp_row(&v, "H2")->ok);
        assert_string_equal(snp_row(&v, "H3")->actual, "RSA-2048");
        free(hcl.p);
    }
}

static void a_blob_whose_report_nobody_here_signed_is_refused(void **state)
{
    (void)state;
    testdata();
    struct wire_blob hcl = { 0 };
    snp_file(&hcl, "negative/azure-milan-v2-no-vek.hcl.bin", 0, 0);
    for (size_t i = 0; i < N_GENUINE; i++) {
        WIRE(evidence) e = { 0 };
        struct wire_blob other = { 0 };
        struct attest_verdict v;
        load(&e, &other, i);
        memcpy(e.report.p, hcl.p + 32, ATTEST_REPORT_LEN);
        assert_rc(judge(&v, &e, &hcl), RC_ATTEST);
        assert_true(snp_row(&v, "H1")->ok && snp_row(&v, "H2")->ok);
        assert_false(snp_row(&v, "B1")->ok);
        assert_string_equal(snp_row(&v, "B1")->actual, "does not verify");
        assert_false(snp_row(&v, "B4")->ok);
        free(other.p);
    }
    WIRE(evidence) e = { 0 }; /* nor with no certificate at all */
    struct attest_verdict v;
    assert_ok(wire_blob_set(&e.report, hcl.p + 32, ATTEST_REPORT_LEN));
    assert_rc(judge(&v, &e, &hcl), RC_ATTEST);
    assert_string_equal(snp_row(&v, "B1")->actual, "no VEK");
    free(hcl.p);
}

static void changed_runtime_data_is_refused(void **state)
{
    (void)state;
    testdata();
    WIRE(evidence) e = { 0 };
    struct wire_blob hcl = { 0 };
    struct attest_verdict v;
    load(&e, &hcl, 0);
    struct attest_hcl read;
    assert_ok(attest_hcl_read(&read, hcl.p, hcl.len));
    for (size_t at = 0; at < read.data_len; at += 7) {
        uint8_t *byte = hcl.p + (read.data - hcl.p) + at;
        *byte ^= 1;
        assert_rc(judge(&v, &e, &hcl), RC_ATTEST);
        assert_false(snp_row(&v, "H2")->ok);
        *byte ^= 1;
    }
    free(hcl.p);
}

static void fields_are_named_when_they_are_wrong(void **state)
{
    (void)state;
    testdata();
    static const struct {
        size_t at;
        uint8_t value;
        const char *word;
    } rows[] = {
        { 0, 'X', "HCLA" },
        { 4, 3, "header version 3" },
        { 12, 1, "request type 1" },
        { CLAIMS + 8, 4, "report type 4" }, /* TDX */
        { CLAIMS + 12, 0, "hash type 0" },
        { CLAIMS + 12, 4, "hash type 4" },
        { CLAIMS + 18, 1, "are there" },
        { CLAIMS + 19, 0xFF, "are there" },
        { CLAIMS, 0, "data size" },
        { 32 + 0x90, 0xFF, "another report" },
    };
    WIRE(evidence) e = { 0 };
    struct wire_blob hcl = { 0 };
    struct attest_verdict v;
    load(&e, &hcl, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t was = hcl.p[rows[i].at];
        hcl.p[rows[i].at] = rows[i].value;
        assert_rc(judge(&v, &e, &hcl), RC_ATTEST);
        assert_false(snp_row(&v, "H1")->ok);
        if (!strstr(snp_row(&v, "H1")->actual, rows[i].word))
            fail_msg("%s: %s", rows[i].word, snp_row(&v, "H1")->actual);
        hcl.p[rows[i].at] = was;
    }
    assert_ok(judge(&v, &e, &hcl));
    for (size_t len = 0; len < CLAIMS + 20 + 64; len += 61) {
        struct wire_blob cut = { hcl.p, len };
        assert_rc(judge(&v, &e, &cut), RC_ATTEST);
        assert_true(snp_failed_only(&v, "H1 H2 H3"));
    }
    free(hcl.p);
}

/* 256 bytes of ones: long enough, and odd */
#define ONES_48                                                                \
    "________________________________________________________________"
#define N_2048 ONES_48 ONES_48 ONES_48 ONES_48 ONES_48 "_____________________w"

/* Runtime data of our own making: the binding breaks, and so do the keys. */
static void ak_must_be_one_rsa_key(void **state)
{
    (void)state;
    testdata();
    static const struct {
        const char *json, *word;
    } rows[] = {
        { "not json", "not JSON" },
        { "{}", "not there" },
        { "{\"keys\":[{\"kid\":\"HCLEkPub\"}]}", "not there" },
        { "{\"keys\":[{\"kid\":\"HCLAkPub\"},{\"kid\":\"HCLAkPub\"}]}",
          "twice" },
        { "{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"EC\"}]}", "not an RSA" },
        { "{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"n\":\"AQAB\","
          "\"e\":\"AQAB\"}]}",
          "modulus" },
        { "{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"n\":\"" N_2048
          "\",\"e\":\"AQ\"}]}",
          "exponent" },
        { "{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"n\":\"" N_2048
          "\",\"e\":\"AQAA\"}]}",
          "exponent" },
    };
    WIRE(evidence) e = { 0 };
    struct wire_blob hcl = { 0 };
    struct attest_verdict v;
    load(&e, &hcl, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint32_t len = (uint32_t)strlen(rows[i].json);
        uint8_t made[4096];
        memcpy(made, hcl.p, CLAIMS + 20);
        for (unsigned k = 0; k < 4; k++) {
            made[CLAIMS + k] = (uint8_t)((len + 20) >> 8 * k);
            made[CLAIMS + 16 + k] = (uint8_t)(len >> 8 * k);
        }
        memcpy(made + CLAIMS + 20, rows[i].json, len);
        struct wire_blob blob = { made, CLAIMS + 20 + len };
        assert_rc(judge(&v, &e, &blob), RC_ATTEST);
        assert_true(snp_failed_only(&v, "H2 H3"));
        if (!strstr(snp_row(&v, "H3")->actual, rows[i].word))
            fail_msg("%s: %s", rows[i].word, snp_row(&v, "H3")->actual);
    }
    free(hcl.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genuine_blobs_pass),
        cmocka_unit_test(a_blob_whose_report_nobody_here_signed_is_refused),
        cmocka_unit_test(changed_runtime_data_is_refused),
        cmocka_unit_test(fields_are_named_when_they_are_wrong),
        cmocka_unit_test(ak_must_be_one_rsa_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes: the report's format checks, certificate tables, hash lists. */
#include "snpdata.h"

#include "attest/certs.h"
#include "attest/layout.h"
#include "base/enc.h"

static void sample(uint8_t raw[ATTEST_REPORT_LEN])
{
    struct wire_blob b = { 0 };
    snp_file(&b, "reports/turin-v5-ms.bin", 0, ATTEST_REPORT_LEN);
    memcpy(raw, b.p, ATTEST_REPORT_LEN);
    free(b.p);
}

static void fields_stand_where_amd_puts_them(void **state)
{
    (void)state;
    uint8_t raw[ATTEST_REPORT_LEN];
    sample(raw);
    struct attest_report r;
    assert_ok(attest_report_parse(&r, raw, sizeof(raw)));
    assert_int_equal(r.version, 5);
    assert_int_equal(r.family, 0x1A);
    assert_int_equal(r.reported.fmc, 1);
    assert_int_equal(r.reported.bl, 1);
    assert_int_equal(r.reported.tee, 1);
    assert_int_equal(r.reported.snp, 4);
    assert_int_equal(r.reported.ucode, 0x51);
    assert_int_equal(r.platform_info, 0x65);
}

static void format_checks_name_their_row(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        const char *id;
        const char *why;
    } rows[] = {
        { SNP_VERSION, 6, "F2", "version of the future" },
        { SNP_VERSION, 1, "F2", "version of the past" },
        { SNP_POLICY + 2, 0, "F3", "bit 17 must be one" },
        { SNP_POLICY + 7, 1, "F3", "reserved policy bit" },
        { 0x4C, 1, "F4", "reserved word" },
        { 0x19F, 1, "F4", "behind FMS" },
        { 0x29F, 1, "F4", "end of the signed part" },
        { SNP_REPORTED_TCB + 4, 1, "F4", "reserved TCB byte" },
        { 0x49F, 1, "F4", "last byte" },
        { SNP_SIGNATURE_ALGO, 2, "F5", "unknown algorithm" },
        { SNP_KEY_INFO, 0x1C, "F6", "signed by nobody" },
        { SNP_KEY_INFO, 0x02, "F6", "masked chip key" },
        { SNP_KEY_INFO + 3, 1, "F6", "reserved key info" },
        { SNP_SIG_R + 71, 1, "F7", "r too long" },
        { SNP_SIG_S + 48, 1, "F7", "s too long" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t raw[ATTEST_REPORT_LEN];
        sample(raw);
        raw[rows[i].at] = rows[i].value;
        struct attest_report r;
        if (attest_report_parse(&r, raw, sizeof(raw)) != RC_PARSE ||
            strncmp(rc_text(), rows[i].id, 2) != 0)
            fail_msg("%s: %s", rows[i].why, rc_text());
    }
    uint8_t raw[ATTEST_REPORT_LEN + 1] = { 0 };
    struct attest_report r;
    assert_rc(attest_report_parse(&r, raw, ATTEST_REPORT_LEN - 1), RC_PARSE);
    assert_rc(attest_report_parse(&r, raw, ATTEST_REPORT_LEN + 1), RC_PARSE);
    sample(raw);
    memset(raw + SNP_SIG_R, 0, SNP_SIG_FIELD);
    assert_rc(attest_report_parse(&r, raw, ATTEST_REPORT_LEN), RC_PARSE);
}

static void hash_lists_are_strict(void **state)
{
    (void)state;
    uint8_t got[ATTEST_MAX_HASHES][32];
    unsigned n = 99;
    assert_ok(attest_hashes_parse(got, &n, ""));
    assert_int_equal(n, 0);
    char a[ENC_HEX_SIZE(32)];
    char b[ENC_HEX_SIZE(32)];
    uint8_t bytes[32];
    memset(bytes, 0xA5, 32);
    enc_hex(a, bytes, 32);
    memset(bytes, 0x5A, 32);
    enc_hex(b, bytes, 32);
    char text[17 * 65 + 1];
    snprintf(text, sizeof(text), "%s,%s", a, b);
    assert_ok(attest_hashes_parse(got, &n, text));
    assert_int_equal(n, 2);
    assert_memory_equal(got[1], bytes, 32);
    static const char *const bad[] = { "%s,",   ",%s",   "%s,,%s", " %s",
                                       "%s %s", "%.63s", "%s0" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        snprintf(text, sizeof(text), bad[i], a, b);
#pragma GCC diagnostic pop
        assert_rc(attest_hashes_parse(got, &n, text), RC_PARSE);
    }
    text[0] = '\0';
    for (int i = 0; i < 17; i++) {
        strcat(text, i ? "," : "");
        strcat(text, a);
    }
    assert_rc(attest_hashes_parse(got, &n, text), RC_PARSE);
    a[0] = 'A';
    assert_rc(attest_hashes_parse(got, &n, a), RC_PARSE);
}

/* ---- the host's certificate table -------------------------------------- */

static const uint8_t vcek_guid[16] = { 0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64,
                                       0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9,
                                       0x3b, 0xe8, 0xac, 0xcd };
static const uint8_t ark_guid[16] = { 0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03,
                                      0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6,
                                      0x01, 0x4c, 0xd0, 0xae };

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static void put_entry(uint8_t *p, const uint8_t guid[16], uint32_t off,
                      uint32_t len)
{
    memcpy(p, guid, 16);
    put32(p + 16, off);
    put32(p + 20, len);
}

static void certificate_table_yields_der_and_pem(void **state)
{
    (void)state;
    uint8_t table[8192] = { 0 };
    struct wire_blob der = { 0 };
    struct wire_blob pem = { 0 };
    snp_file(&der, "veks/genoa-v3-ms.vcek.der", 0, 0);
    snp_file(&pem, "amd/genoa-ask-ark.pem", 0, 0);
    put_entry(table, vcek_guid, 4096, 1500); /* padded by the host */
    memcpy(table + 4096, der.p, der.len);
    put_entry(table + 24, ark_guid, 96, 2400); /* the first of two in PEM */
    memcpy(table + 96, pem.p, 2400);
    WIRE(evidence) e = { 0 };
    assert_ok(attest_certs_take(&e, table, sizeof(table)));
    assert_int_equal(e.vek.len, der.len);
    assert_memory_equal(e.vek.p, der.p, der.len);
    assert_int_equal(e.chain.n, 1);
    assert_true(e.chain.at[0].len > 1000 && e.chain.at[0].p[0] == 0x30);
    free(der.p);
    free(pem.p);
}

static void certificate_table_numbers_are_bounded(void **state)
{
    (void)state;
    static const struct {
        uint32_t off, len;
        const char *why;
    } rows[] = {
        { 4095, 2, "ends outside" },
        { 5000, 1, "starts outside" },
        { 0xFFFFFFFF, 2, "offset plus length wraps" },
        { 16, 0xFFFFFFF0, "length wraps" },
        { 100, 0, "empty" },
        { 100, 64, "no certificate" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t table[4096] = { 0 };
        put_entry(table, vcek_guid, rows[i].off, rows[i].len);
        WIRE(evidence) e = { 0 };
        if (attest_certs_take(&e, table, sizeof(table)) != RC_PARSE)
            fail_msg("%s", rows[i].why);
    }
    uint8_t endless[24 * 40];
    memset(endless, 0x11, sizeof(endless));
    WIRE(evidence) e = { 0 };
    assert_rc(attest_certs_take(&e, endless, 24), RC_PARSE);
    assert_rc(attest_certs_take(&e, endless, sizeof(endless)), RC_TOO_LARGE);
    uint8_t empty[24] = { 0 };
    assert_ok(attest_certs_take(&e, empty, sizeof(empty)));
    assert_int_equal(e.vek.len, 0);
}

static void unknown_guest_devices_are_refused(void **state)
{
    (void)state;
    struct attest_guest *g = NULL;
    assert_rc(attest_guest_open(&g, "tdx"), RC_ARG);
    assert_null(g);
    if (access("/dev/sev-guest", F_OK) != 0)
        assert_rc(attest_guest_open(&g, "sev-guest"), RC_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_stand_where_amd_puts_them),
        cmocka_unit_test(format_checks_name_their_row),
        cmocka_unit_test(hash_lists_are_strict),
        cmocka_unit_test(certificate_table_yields_der_and_pem),
        cmocka_unit_test(certificate_table_numbers_are_bounded),
        cmocka_unit_test(unknown_guest_devices_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thing wrong at a time, everything signed properly: each row of the
 * check list has a case that only it catches.
 */
#include "forge.h"
#include "snpdata.h"

#include "attest/layout.h"
#include "attest/roots.h"
#include "base/clock.h"

static int setup(void **state)
{
    (void)state;
    forge_setup();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    forge_teardown();
    return 0;
}

static void check(const struct forge *f, const char *failing, const char *why)
{
    WIRE(evidence) e = { 0 };
    struct attest_roots roots = { 0 };
    const struct attest_want want = { .peer = true };
    struct attest_verdict v;
    forge_make(&e, &roots, f);
    enum rc rc = attest_verify(&v, &e, &roots, &want, clock_now_s());
    if (rc != (failing[0] ? RC_ATTEST : RC_OK) || !snp_failed_only(&v, failing))
        fail_msg("%s: %s", why, rc_text());
}

static void what_is_right_passes(void **state)
{
    (void)state;
    check(&(struct forge){ 0 }, "", "nothing wrong");
}

static void chains_keep_to_the_profile(void **state)
{
    (void)state;
    const struct {
        struct forge f;
        const char *failing, *why;
    } rows[] = {
        { { .salt = 32 }, "C4", "salt of 32" },
        { { .md = EVP_sha256() }, "C4", "SHA-256" },
        { { .mgf = EVP_sha256() }, "C4", "MGF1 with SHA-256" },
        { { .leaf_curve = "P-256" }, "C4", "VEK on P-256" },
        { { .ask_basic = "critical,CA:FALSE" }, "C4", "ASK is no CA" },
        { { .leaf_by_ark = true }, "C4 C5", "VEK signed by the ARK" },
        { { .leaf_days = -20 }, "C6", "VEK expired" },
        { { .leaf_days = 5 }, "C6", "VEK not yet valid" },
        { { .leaf_cn = "SEV-VCEK" }, "C5", "a leaf named like AMD's" },
        { { .leaf_cn = "SEV-VLEK" ATTEST_SIM_SUFFIX }, "C5", "VLEK's name" },
        { { .ask_cn = "SEV-Milan" ATTEST_SIM_SUFFIX },
          "C3 C4 C5 C6",
          "ASK of another product" },
        { { .org = ATTEST_AMD_ORG }, "C3 C4 C5 C6", "AMD's organisation" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(&rows[i].f, rows[i].failing, rows[i].why);
}

#define EXT(id, bytes)                                                         \
    {                                                                          \
        .ext = { { .oid = id, .der = bytes, .len = sizeof(bytes) - 1 } }       \
    }

/* What the VEK does not say cannot be compared either. */
#define UNREAD "B2 B3 B4"

static void extensions_have_one_form_and_come_once(void **state)
{
    (void)state;
    const struct {
        struct forge f;
        const char *failing, *why;
    } rows[] = {
        { { .ext = { { .oid = "3.3" } } }, UNREAD, "snpSPL missing" },
        { { .ext = { { .oid = "3.4" } } }, UNREAD, "spl4 missing" },
        { { .ext = { { "3.1", "\x02\x01\x0A", 3, true } } }, UNREAD, "twice" },
        { EXT("3.9", "\x02\x01\x01"), UNREAD, "FMC on Genoa" },
        { EXT("3.1", "\x02\x02\x00\x0A"), UNREAD, "needless zero" },
        { EXT("3.8", "\x02\x01\x90"), UNREAD, "negative" },
        { EXT("3.1", "\x02\x01\x0A\x00"), UNREAD, "trailing byte" },
        { EXT("1", "\x02\x01\x01"), UNREAD, "structVersion of Turin" },
        { EXT("1", "\x02\x01\x02"), UNREAD, "structVersion of the future" },
        { EXT("2", "\x16\x05Milan"), "B2", "product of another chip" },
        { EXT("2", "\x16\x06Genoax"), "B2", "product with a tail" },
        { EXT("2", "\x0C\x05Genoa"), UNREAD, "UTF8String" },
        { EXT("4", "123456789"), UNREAD, "HWID of nine bytes" },
        { EXT("3.5", "\x02\x01\x01"), "B3", "spl5 is not zero" },
        { EXT("3.1", "\x02\x01\x09"), "B3", "another boot loader" },
        { EXT("3.8", "\x02\x02\x00\x91"), "B3", "another microcode" },
        { EXT("4", "12345678"), "B4", "Turin's short HWID" },
        { EXT("5", "\x16\x03xyz"), "B4", "CSP_ID in a VCEK" },
        { { .ext = { { .oid = "4" } } }, "B4", "no HWID" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(&rows[i].f, rows[i].failing, rows[i].why);
}

static void wrapped_hwid_is_accepted(void **state)
{
    (void)state;
    char der[66] = { 4, 64 };
    memset(der + 2, 0x3C, 64);
    check(&(struct forge){ .ext = { { "4", der, sizeof(der), false } } }, "",
          "HWID in an OCTET STRING");
}

static void reports_keep_to_the_rules(void **state)
{
    (void)state;
    const struct {
        struct forge f;
        const char *failing, *why;
    } rows[] = {
        { { .byte = { { SNP_VERSION + 1, 1 } } }, "F2", "version 261" },
        { { .byte = { { SNP_POLICY + 2, 1 } } }, "F3", "bit 17 zero" },
        { { .byte = { { SNP_POLICY + 3, 4 } } }, "F3", "policy bit 26" },
        { { .byte = { { 0x208, 1 } } }, "F4", "reserved byte" },
        { { .byte = { { SNP_SIGNATURE_ALGO, 2 } } }, "F5", "algorithm 2" },
        { { .byte = { { SNP_KEY_INFO, 2 } } }, "F6", "masked" },
        { { .byte = { { SNP_FMS, 0x18 } } },
          "C1 C2 C3 C4 C5 C6 B2",
          "unknown family" },
        { { .byte = { { SNP_CHIP_ID, 0 } } }, "B4", "another chip" },
        { { .byte = { { SNP_CURRENT_TCB, 9 } } }, "B5", "current is older" },
        { { .byte = { { SNP_COMMITTED_TCB + 7, 0x91 } } },
          "B5",
          "committed is newer" },
        { { .byte = { { SNP_POLICY + 2, 0xB } } }, "P3", "debug" },
        { { .byte = { { SNP_POLICY + 2, 7 } } }, "P4", "migration" },
        { { .byte = { { SNP_REPORT_ID_MA + 31, 0 } } }, "P4", "an agent" },
        { { .byte = { { SNP_VMPL, 1 } } }, "P5", "VMPL 1" },
        { { .byte = { { SNP_COMMITTED_TCB + 6, 0x16 } } },
          "P6",
          "committed below the floor" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(&rows[i].f, rows[i].failing, rows[i].why);
}

static void versions_3_to_5_pass(void **state)
{
    (void)state;
    for (uint8_t version = 1; version <= 6; version++) {
        const char *failing = version == 1   ? "F2 C1 C2 C3 C4 C5 C6 B2 P15"
                              : version == 2 ? "F4 C1 C2 C3 C4 C5 C6 B2 P15"
                              : version == 6 ? "F2"
                                             : "";
        check(&(struct forge){ .version = version }, failing, "versions");
    }
}

static void unknown_platform_bits_warn(void **state)
{
    (void)state;
    const struct {
        size_t at;
        uint8_t value;
        bool warns;
    } rows[] = { { SNP_PLATFORM_INFO, 0xBF, false },
                 { SNP_PLATFORM_INFO, 0x40, true },
                 { SNP_PLATFORM_INFO + 7, 0x80, true } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        WIRE(evidence) e = { 0 };
        struct attest_roots roots = { 0 };
        struct attest_verdict v;
        forge_make(
                &e, &roots,
                &(struct forge){ .byte = { { rows[i].at, rows[i].value } } });
        assert_ok(attest_verify(&v, &e, &roots, NULL, clock_now_s()));
        assert_true(snp_row(&v, "P8")->ok);
        assert_int_equal(snp_row(&v, "P8")->warn, rows[i].warns);
    }
}

/* Wrong in every part at once: each part says so. */
static void all_failures_are_reported(void **state)
{
    (void)state;
    check(&(struct forge){ .salt = 32,
                           .leaf_cn = "SEV-VCEK",
                           .leaf_days = -20,
                           .ext = { { .oid = "3.3" } },
                           .byte = { { SNP_POLICY + 2, 0xF },
                                     { SNP_CURRENT_TCB, 9 },
                                     { SNP_VMPL, 1 } } },
          "C4 C5 C6 B2 B3 B4 B5 P3 P4 P5", "everything wrong");
}

static void revoked_ask_is_refused(void **state)
{
    (void)state;
    const struct forge f = { 0 };
    WIRE(evidence) e = { 0 };
    struct attest_roots roots = { 0 };
    struct attest_verdict v;
    forge_make(&e, &roots, &f);
    for (int revoked = 0; revoked < 2; revoked++) {
        struct wire_blob crl = { 0 };
        forge_crl(&crl, &f, revoked);
        const struct attest_want want = { .crl = &crl };
        assert_rc(attest_verify(&v, &e, &roots, &want, clock_now_s()),
                  revoked ? RC_ATTEST : RC_OK);
        assert_int_equal(snp_row(&v, "C7")->ok, !revoked);
        free(crl.p);
    }
    assert_true(snp_failed_only(&v, "C7"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right_passes),
        cmocka_unit_test(chains_keep_to_the_profile),
        cmocka_unit_test(extensions_have_one_form_and_come_once),
        cmocka_unit_test(wrapped_hwid_is_accepted),
        cmocka_unit_test(reports_keep_to_the_rules),
        cmocka_unit_test(versions_3_to_5_pass),
        cmocka_unit_test(unknown_platform_bits_warn),
        cmocka_unit_test(all_failures_are_reported),
        cmocka_unit_test(revoked_ask_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

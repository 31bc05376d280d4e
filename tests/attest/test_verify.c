/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier against AMD's own hardware: what must pass, what must not. */
#include "snpdata.h"

#include "attest/layout.h"
#include "base/hash.h"

static struct snp_case cases[SNP_CASES];

static int setup(void **state)
{
    (void)state;
    if (access(getenv("MPC_TESTDATA") ? getenv("MPC_TESTDATA")
                                      : MPC_SOURCE_DIR "/../shared/testdata",
               R_OK) == 0)
        snp_load(cases);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    snp_free(cases);
    return 0;
}

static const struct attest_want cli = { .min_version = 2 };

static struct snp_case *named(const char *name)
{
    testdata();
    for (size_t i = 0; i < SNP_CASES; i++) {
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    }
    fail_msg("no case %s", name);
    return NULL;
}

static void genuine_evidence_passes(void **state)
{
    (void)state;
    testdata();
    for (size_t i = 0; i < SNP_CASES; i++) {
        struct attest_verdict v;
        if (cases[i].debug)
            continue;
        enum rc rc = attest_verify(&v, &cases[i].evidence, NULL, &cli,
                                   snp_time(&cases[i]));
        if (rc != RC_OK)
            fail_msg("%s: %s", cases[i].name, rc_text());
        assert_true(v.ok);
        assert_false(v.simulated);
        assert_non_null(snp_row(&v, "B1"));
        assert_non_null(snp_row(&v, "P3"));
        assert_non_null(snp_row(&v, "P4"));
    }
}

static void reissued_vcek_passes_too(void **state)
{
    (void)state;
    struct snp_case *c = named("milan-v3-ms");
    struct wire_evidence e = c->evidence;
    e.vek = (struct wire_blob){ 0 };
    snp_file(&e.vek, "veks/milan-v3-ms.vcek-2.der", 0, 0);
    struct attest_verdict v;
    assert_ok(attest_verify(&v, &e, NULL, &cli, snp_time(c)));
    free(e.vek.p);
}

static void debug_policy_is_refused(void **state)
{
    (void)state;
    struct snp_case *c = named("milan-v2-google");
    struct attest_verdict v;
    assert_rc(attest_verify(&v, &c->evidence, NULL, &cli, snp_time(c)),
              RC_ATTEST);
    assert_false(v.ok);
    assert_true(snp_failed_only(&v, "P3"));
}

static void every_wrong_pair_fails(void **state)
{
    (void)state;
    testdata();
    for (size_t r = 0; r < SNP_CASES; r++) {
        for (size_t k = 0; k < SNP_CASES; k++) {
            if (r == k)
                continue;
            /* the certificate brings its own chain: the pair alone is wrong */
            struct wire_evidence e = cases[k].evidence;
            e.report = cases[r].evidence.report;
            struct attest_verdict v;
            assert_rc(attest_verify(&v, &e, NULL, &cli, snp_time(&cases[k])),
                      RC_ATTEST);
            assert_false(v.ok);
            if (snp_row(&v, "B1")->ok)
                fail_msg("%s verifies with %s", cases[r].name, cases[k].name);
        }
    }
}

/* The matrix by the one row that tells pairs apart. */
static void of_121_pairings_exactly_11_verify(void **state)
{
    (void)state;
    testdata();
    unsigned pairs = 0;
    unsigned verified = 0;
    for (size_t r = 0; r < SNP_CASES; r++) {
        for (size_t k = 0; k < SNP_CASES; k++) {
            struct wire_evidence e = cases[k].evidence;
            e.report = cases[r].evidence.report;
            struct attest_verdict v;
            enum rc rc = attest_verify(&v, &e, NULL, &cli, snp_time(&cases[k]));
            bool genuine = rc == RC_OK ||
                           (cases[r].debug && snp_failed_only(&v, "P3"));
            assert_int_equal(genuine, r == k);
            pairs++;
            verified += genuine;
        }
    }
    assert_int_equal(pairs, 121);
    assert_int_equal(verified, 11);
}

static void turins_unknown_platform_bit_warns(void **state)
{
    (void)state;
    struct snp_case *c = named("turin-v5-ms");
    struct attest_verdict v;
    assert_ok(attest_verify(&v, &c->evidence, NULL, &cli, snp_time(c)));
    assert_true(snp_row(&v, "P8")->ok);
    assert_true(snp_row(&v, "P8")->warn);
    assert_non_null(strstr(snp_row(&v, "P8")->actual, "0x40"));
}

static void another_products_chain_fails(void **state)
{
    (void)state;
    struct snp_case *genoa = named("genoa-v3-ms");
    struct snp_case *milan = named("milan-v3-ms");
    struct snp_case *vlek = named("vlek-milan-v2-openanolis");
    const struct {
        struct snp_case *leaf, *chain;
        const char *why;
    } rows[] = {
        { genoa, milan, "genoa VCEK with the milan chain" },
        { milan, genoa, "milan VCEK with the genoa chain" },
        { milan, vlek, "VCEK with the ASVK chain" },
        { vlek, milan, "VLEK with the ASK chain" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct wire_evidence e = rows[i].leaf->evidence;
        e.chain.at = rows[i].chain->evidence.chain.at;
        struct attest_verdict v;
        assert_rc(attest_verify(&v, &e, NULL, &cli, snp_time(rows[i].leaf)),
                  RC_ATTEST);
        bool other = rows[i].leaf == genoa || rows[i].chain == genoa;
        if (snp_row(&v, "C4")->ok || snp_row(&v, "C2")->ok == other)
            fail_msg("%s", rows[i].why);
    }
}

static void missing_and_surplus_certificates_fail(void **state)
{
    (void)state;
    struct snp_case *c = named("milan-v3-ms");
    struct wire_evidence e = c->evidence;
    struct attest_verdict v;
    e.chain.n = 1; /* the ARK is gone */
    assert_rc(attest_verify(&v, &e, NULL, &cli, snp_time(c)), RC_ATTEST);
    assert_true(snp_failed_only(&v, "C2 C4 C5 C6"));
    e.chain.n = 0;
    assert_rc(attest_verify(&v, &e, NULL, &cli, snp_time(c)), RC_ATTEST);
    assert_false(snp_row(&v, "C3")->ok);
    struct wire_blob many[5] = { c->evidence.chain.at[0],
                                 c->evidence.chain.at[1],
                                 c->evidence.chain.at[1],
                                 c->evidence.chain.at[1],
                                 c->evidence.chain.at[1] };
    e.chain.at = many;
    e.chain.n = 5;
    assert_rc(attest_verify(&v, &e, NULL, &cli, snp_time(c)), RC_ATTEST);
    assert_true(snp_failed_only(&v, "C0"));
    e = c->evidence;
    e.vek = (struct wire_blob){ 0 };
    assert_rc(attest_verify(&v, &e, NULL, &cli, snp_time(c)), RC_ATTEST);
    assert_false(snp_row(&v, "B1")->ok);
    assert_false(snp_row(&v, "B2")->ok);
}

static void trailing_bytes_after_a_certificate_fail(void **state)
{
    (void)state;
    struct snp_case *c = named("milan-v3-ms");
    struct wire_evidence e = c->evidence;
    e.vek = (struct wire_blob){ 0 };
    uint8_t longer[2048] = { 0 };
    memcpy(longer, c->evidence.vek.p, c->evidence.vek.len);
    e.vek.p = longer;
    e.vek.len = c->evidence.vek.len + 1;
    struct attest_verdict v;
    assert_rc(attest_verify(&v, &e, NULL, &cli, snp_time(c)), RC_ATTEST);
    assert_false(snp_row(&v, "C0")->ok);
}

static void edited_vceks_fail_in_the_chain_only(void **state)
{
    (void)state;
    struct snp_case *c = named("milan-v3-ms");
    static const char *const files[] = {
        "negative/vcek-bad-signature-legacy.der",
        "negative/vcek-bad-signature-hwid-der-wrapped.der",
    };
    for (size_t i = 0; i < 2; i++) {
        struct wire_evidence e = c->evidence;
        e.vek = (struct wire_blob){ 0 };
        snp_file(&e.vek, files[i], 0, 0);
        struct attest_verdict v;
        assert_rc(attest_verify(&v, &e, NULL, &cli, snp_time(c)), RC_ATTEST);
        assert_true(snp_row(&v, "B2")->ok); /* both HWID forms are read */
        /* of another chip, too; the chain is what tells the edit */
        assert_false(snp_row(&v, "C4")->ok);
        assert_true(snp_row(&v, "C2")->ok && snp_row(&v, "C3")->ok);
        assert_true(snp_row(&v, "C5")->ok && snp_row(&v, "C6")->ok);
        assert_false(snp_row(&v, "B1")->ok);
        free(e.vek.p);
    }
}

static void reports_without_their_vek_verify_with_none(void **state)
{
    (void)state;
    testdata();
    struct wire_blob orphan[2] = { { 0 } };
    snp_file(&orphan[0], "negative/milan-v4-gce-no-vek.bin", 0,
             ATTEST_REPORT_LEN);
    snp_file(&orphan[1], "negative/azure-milan-v2-no-vek.hcl.bin", 32,
             ATTEST_REPORT_LEN);
    for (size_t o = 0; o < 2; o++) {
        struct attest_report parsed;
        assert_ok(attest_report_parse(&parsed, orphan[o].p, orphan[o].len));
        for (size_t i = 0; i < SNP_CASES; i++) {
            struct wire_evidence e = cases[i].evidence;
            e.report = orphan[o];
            struct attest_verdict v;
            assert_rc(attest_verify(&v, &e, NULL, &cli, snp_time(&cases[i])),
                      RC_ATTEST);
            assert_false(snp_row(&v, "B1")->ok);
        }
        free(orphan[o].p);
    }
}

static void genuine_veks_of_other_chips_sign_nothing_here(void **state)
{
    (void)state;
    testdata();
    static const char *const files[] = { "negative/milan-vcek-no-report.der",
                                         "negative/turin-vcek-no-report.der" };
    for (size_t f = 0; f < 2; f++) {
        struct snp_case *c = named(f ? "turin-v5-ms" : "milan-v3-ms");
        struct wire_evidence e = c->evidence;
        e.vek = (struct wire_blob){ 0 };
        snp_file(&e.vek, files[f], 0, 0);
        struct attest_verdict v;
        assert_rc(attest_verify(&v, &e, NULL, &cli, snp_time(c)), RC_ATTEST);
        assert_true(snp_row(&v, "C4")->ok); /* the certificate is genuine */
        assert_false(snp_row(&v, "B1")->ok);
        assert_false(snp_row(&v, "B4")->ok); /* of another chip */
        free(e.vek.p);
    }
}

/* Every 7th bit of the signed part and of r and s, by the whole verifier. */
static void every_sampled_flip_of_report_and_signature_fails(void **state)
{
    (void)state;
    static const char *const names[] = { "turin-v5-ms", "milan-v2-virtee" };
    for (size_t n = 0; n < 2; n++) {
        struct snp_case *c = named(names[n]);
        struct wire_evidence e = c->evidence;
        uint8_t raw[ATTEST_REPORT_LEN];
        e.report.p = raw;
        unsigned flips = 0;
        for (size_t bit = n; bit < SNP_TAIL * 8; bit += 7) {
            memcpy(raw, c->evidence.report.p, sizeof(raw));
            raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct attest_verdict v;
            if (attest_verify(&v, &e, NULL, &cli, snp_time(c)) != RC_ATTEST ||
                v.ok)
                fail_msg("%s: bit %zu may be flipped", c->name, bit);
            flips++;
        }
        assert_true(flips > 900);
    }
}

static void flips_behind_the_signature_fail(void **state)
{
    (void)state;
    struct snp_case *c = named("milan-v3-ms");
    struct wire_evidence e = c->evidence;
    uint8_t raw[ATTEST_REPORT_LEN];
    e.report.p = raw;
    for (size_t at = SNP_TAIL; at < ATTEST_REPORT_LEN; at++) {
        memcpy(raw, c->evidence.report.p, sizeof(raw));
        raw[at] ^= 0x80;
        struct attest_verdict v;
        assert_rc(attest_verify(&v, &e, NULL, &cli, snp_time(c)), RC_ATTEST);
        assert_true(snp_failed_only(&v, "F4"));
    }
}

/* A changed certificate fails, wherever it changed. */
static void flips_of_the_vek_fail(void **state)
{
    (void)state;
    struct snp_case *c = named("genoa-v3-ms");
    struct wire_evidence e = c->evidence;
    uint8_t der[2048];
    assert_true(c->evidence.vek.len <= sizeof(der));
    e.vek.p = der;
    for (size_t at = 0; at < c->evidence.vek.len; at += 3) {
        memcpy(der, c->evidence.vek.p, c->evidence.vek.len);
        der[at] ^= (uint8_t)(1 << at % 8);
        struct attest_verdict v;
        if (attest_verify(&v, &e, NULL, &cli, snp_time(c)) == RC_OK)
            fail_msg("byte %zu of the VEK may be changed", at);
    }
}

static void time_is_judged_at_the_injected_clock(void **state)
{
    (void)state;
    struct snp_case *vlek = named("vlek-milan-v2-openanolis");
    struct attest_verdict v;
    assert_rc(attest_verify(&v, &vlek->evidence, NULL, &cli, 1795305600),
              RC_ATTEST);
    assert_true(snp_failed_only(&v, "C6"));
    struct snp_case *milan = named("milan-v3-ms");
    assert_rc(attest_verify(&v, &milan->evidence, NULL, &cli, 1000000000),
              RC_ATTEST);
    assert_true(snp_failed_only(&v, "C6"));
}

static void version_2_is_no_peer(void **state)
{
    (void)state;
    struct snp_case *c = named("milan-v2-virtee");
    const struct attest_want silent = { 0 };
    struct attest_verdict v;
    assert_rc(attest_verify(&v, &c->evidence, NULL, &silent, snp_time(c)),
              RC_ATTEST);
    assert_true(snp_failed_only(&v, "P15"));
}

static void wanted_values_are_compared(void **state)
{
    (void)state;
    struct snp_case *c = named("turin-v5-ms");
    struct attest_report r;
    assert_ok(attest_report_parse(&r, c->evidence.report.p, ATTEST_REPORT_LEN));
    uint8_t hash[2][32] = { { 1 } };
    attest_policy_hash(hash[1], r.measurement);
    uint8_t data[64];
    uint8_t host[32];
    memcpy(data, r.report_data, 64);
    memcpy(host, r.host_data, 32);
    struct attest_want want = { .hashes = (const uint8_t(*)[32])hash,
                                .n_hashes = 2,
                                .report_data = data,
                                .host_data = host,
                                .min_version = 5 };
    struct attest_verdict v;
    assert_ok(attest_verify(&v, &c->evidence, NULL, &want, snp_time(c)));
    want.n_hashes = 1;
    assert_rc(attest_verify(&v, &c->evidence, NULL, &want, snp_time(c)),
              RC_ATTEST);
    assert_true(snp_failed_only(&v, "P1"));
    want.n_hashes = 0; /* an empty set allows nothing */
    assert_rc(attest_verify(&v, &c->evidence, NULL, &want, snp_time(c)),
              RC_ATTEST);
    data[63] ^= 1;
    host[0] ^= 1;
    assert_rc(attest_verify(&v, &c->evidence, NULL, &want, snp_time(c)),
              RC_ATTEST);
    assert_true(snp_failed_only(&v, "P1 P2 P9")); /* all, not the first */
}

static void vmpl_is_judged_for_peers(void **state)
{
    (void)state;
    struct snp_case *c = named("vlek-milan-v2-openanolis");
    const struct attest_want want = { .min_version = 2, .peer = true };
    struct attest_verdict v;
    assert_rc(attest_verify(&v, &c->evidence, NULL, &want, snp_time(c)),
              RC_ATTEST);
    assert_false(snp_row(&v, "P5")->ok);
    assert_false(snp_row(&v, "P6")->ok); /* SNP SPL 0x15 */
}

static void crl_counts_when_it_is_there(void **state)
{
    (void)state;
    struct snp_case *milan = named("milan-v2-virtee");
    struct wire_blob crl = { 0 };
    struct wire_blob genoa = { 0 };
    snp_file(&crl, "crl/milan-crl6-20250506.der", 0, 0);
    snp_file(&genoa, "crl/genoa-crl4-20241023.der", 0, 0);
    struct attest_want want = { .min_version = 2, .crl = &crl };
    struct attest_verdict v;
    /* 2025-06-01: the CRL is fresh */
    assert_ok(attest_verify(&v, &milan->evidence, NULL, &want, 1748736000));
    assert_true(snp_row(&v, "C7")->ok);
    assert_rc(attest_verify(&v, &milan->evidence, NULL, &want, 1795305600),
              RC_ATTEST);
    assert_true(snp_failed_only(&v, "C7")); /* stale */
    assert_non_null(strstr(snp_row(&v, "C7")->actual, "nextUpdate"));
    assert_rc(attest_verify(&v, &milan->evidence, NULL, &want, 1740000000),
              RC_ATTEST); /* 2025-02-19: the CRL is of a later day */
    assert_true(snp_failed_only(&v, "C7"));
    assert_string_equal(snp_row(&v, "C7")->actual, "not yet in force");
    want.crl = &genoa;
    assert_rc(attest_verify(&v, &milan->evidence, NULL, &want, 1748736000),
              RC_ATTEST);
    assert_true(snp_failed_only(&v, "C7")); /* of another ARK */
    crl.p[crl.len - 1] ^= 1;
    want.crl = &crl;
    assert_rc(attest_verify(&v, &milan->evidence, NULL, &want, 1748736000),
              RC_ATTEST);
    assert_true(snp_failed_only(&v, "C7"));
    want.crl = NULL;
    want.need_crl = true;
    assert_rc(attest_verify(&v, &milan->evidence, NULL, &want, 1748736000),
              RC_ATTEST);
    assert_true(snp_failed_only(&v, "C7"));
    assert_string_equal(snp_row(&v, "C7")->actual, "none came");
    want.need_crl = false;
    assert_ok(attest_verify(&v, &milan->evidence, NULL, &want, 1748736000));
    assert_null(snp_row(&v, "C7"));
    free(crl.p);
    free(genoa.p);
}

/* No root but AMD's counts, whatever the evidence claims. */
static void unpinned_root_is_refused(void **state)
{
    (void)state;
    struct snp_case *c = named("milan-v3-ms");
    struct wire_evidence e = c->evidence;
    uint8_t ark[2048];
    struct wire_blob chain[2] = { e.chain.at[0], e.chain.at[1] };
    memcpy(ark, chain[1].p, chain[1].len);
    ark[chain[1].len - 1] ^= 1; /* same names, same key, not the pin */
    chain[1].p = ark;
    e.chain.at = chain;
    struct attest_roots roots = { 0 };
    hash256(roots.simulated_ark, ark, chain[1].len);
    struct attest_verdict v;
    assert_rc(attest_verify(&v, &e, &roots, &cli, snp_time(c)), RC_ATTEST);
    assert_false(snp_row(&v, "C2")->ok);
    assert_false(v.simulated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genuine_evidence_passes),
        cmocka_unit_test(reissued_vcek_passes_too),
        cmocka_unit_test(debug_policy_is_refused),
        cmocka_unit_test(every_wrong_pair_fails),
        cmocka_unit_test(of_121_pairings_exactly_11_verify),
        cmocka_unit_test(turins_unknown_platform_bit_warns),
        cmocka_unit_test(another_products_chain_fails),
        cmocka_unit_test(missing_and_surplus_certificates_fail),
        cmocka_unit_test(trailing_bytes_after_a_certificate_fail),
        cmocka_unit_test(edited_vceks_fail_in_the_chain_only),
        cmocka_unit_test(reports_without_their_vek_verify_with_none),
        cmocka_unit_test(genuine_veks_of_other_chips_sign_nothing_here),
        cmocka_unit_test(every_sampled_flip_of_report_and_signature_fails),
        cmocka_unit_test(flips_behind_the_signature_fail),
        cmocka_unit_test(flips_of_the_vek_fail),
        cmocka_unit_test(time_is_judged_at_the_injected_clock),
        cmocka_unit_test(version_2_is_no_peer),
        cmocka_unit_test(wanted_values_are_compared),
        cmocka_unit_test(vmpl_is_judged_for_peers),
        cmocka_unit_test(crl_counts_when_it_is_there),
        cmocka_unit_test(unpinned_root_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

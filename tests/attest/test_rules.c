/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attestation policies: what each member refuses and lets pass, over evidence
 * that is right in all else, and how strictly the file is read. Each policy is
 * the template of docs/ with a few members changed.
 */
#include "forge.h"
#include "snpdata.h"

#include <jansson.h>

#include "attest/layout.h"
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

static json_t *template(void)
{
    json_t *o = json_load_file(MPC_SOURCE_DIR "/docs/attest-policy.json",
                               JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    return o;
}

/* Sets "products.Genoa.launch" to a JSON value; NULL removes it. */
static void edit(json_t *o, const char *path, const char *value)
{
    char word[64];
    for (;;) {
        size_t len = strcspn(path, ".");
        assert_true(len < sizeof(word));
        memcpy(word, path, len);
        word[len] = '\0';
        if (!path[len])
            break;
        o = json_object_get(o, word);
        path += len + 1;
    }
    assert_true(json_is_object(o));
    if (!value) {
        json_object_del(o, word);
        return;
    }
    json_t *v = json_loads(value, JSON_DECODE_ANY, NULL);
    assert_non_null(v);
    assert_int_equal(json_object_set_new(o, word, v), 0);
}

static enum rc parse(struct attest_rules *out, json_t *o)
{
    char *text = json_dumps(o, 0);
    assert_non_null(text);
    assert_true(attest_rules_is(text, strlen(text)) ||
                !json_object_get(o, "type") ||
                strcmp(json_string_value(json_object_get(o, "type")),
                       "mpc-attest-policy") != 0);
    enum rc rc = attest_rules_parse(out, text, strlen(text));
    free(text);
    return rc;
}

/* The template, but nothing that our evidence cannot have. */
static json_t *relaxed(void)
{
    json_t *o = template();
    edit(o, "measurements", "null");
    edit(o, "platform.must_set", "[]");
    edit(o, "crl", "\"off\"");
    return o;
}

static void check(const char *path, const char *value, const struct forge *f,
                  const char *failing, const char *why)
{
    WIRE(evidence) e = { 0 };
    struct attest_roots roots = { 0 };
    struct attest_rules rules;
    struct attest_verdict v;
    json_t *o = relaxed();
    if (path)
        edit(o, path, value);
    assert_ok(parse(&rules, o));
    json_decref(o);
    const struct attest_want want = { .rules = &rules };
    forge_make(&e, &roots, f);
    enum rc rc = attest_verify(&v, &e, &roots, &want, clock_now_s());
    if (rc != (failing[0] ? RC_ATTEST : RC_OK) || !snp_failed_only(&v, failing))
        fail_msg("%s: %s", why, rc_text());
}

#define DIGEST_0                                                               \
    "[\"0000000000000000000000000000000000000000000000000000000000000000"      \
    "00000000000000000000000000000000\"]"
#define DIGEST_1                                                               \
    "[\"0100000000000000000000000000000000000000000000000000000000000000"      \
    "00000000000000000000000000000000\"]"
#define HEX_32(d) "\"" d d d d "\""
#define D8        "0000000000000000"
#define ONE_8     "0100000000000000"
#define CHIP_64                                                                \
    "\"3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c"       \
    "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c\""
#define TCB(bl, snp, ucode)                                                    \
    "{\"bl\":" #bl ",\"tee\":0,\"snp\":" #snp ",\"ucode\":" #ucode "}"
#define FW(major, minor, build)                                                \
    "{\"major\":" #major ",\"minor\":" #minor ",\"build\":" #build "}"
#define GENOA "products.Genoa."

static void each_member_passes_and_refuses(void **state)
{
    (void)state;
    const struct forge right = { 0 };
    const struct forge fw = { .byte = { { SNP_COMMITTED_BUILD, 21 },
                                        { SNP_COMMITTED_BUILD + 1, 55 },
                                        { SNP_COMMITTED_BUILD + 2, 1 } } };
    const struct forge launched = { .byte = { { SNP_LAUNCH_MIT, 5 },
                                              { SNP_CURRENT_MIT, 7 } } };
    const struct forge author = { .byte = { { SNP_KEY_INFO, 1 } } };
    const struct forge host = { .byte = { { SNP_HOST_DATA, 1 } } };
    const struct forge ids = { .byte = { { SNP_FAMILY_ID, 1 },
                                         { SNP_IMAGE_ID, 1 } } };
    const struct forge keyed = { .byte = { { SNP_ID_KEY_DIGEST, 1 } } };
    const struct forge svn = { .byte = { { SNP_GUEST_SVN, 4 } } };
    const struct forge masked = { .no_chip = true };
    const struct forge vmpl = { .byte = { { SNP_VMPL, 1 } } };
    const struct forge odd = { .byte = { { SNP_PLATFORM_INFO, 0x64 } } };
    const struct forge cxl = { .byte = { { SNP_POLICY + 2, 0x23 } } };
    const struct {
        const char *path, *value;
        const struct forge *f;
        const char *failing, *why;
    } rows[] = {
        { NULL, NULL, &right, "", "nothing asked for beyond the template" },
        { "min_version", "5", &right, "", "version 5 of a version 5" },
        { "products.Milan", "null", &right, "", "Genoa stays allowed" },
        { GENOA "reported", TCB(10, 24, 144), &right, "", "just the floor" },
        { GENOA "reported", TCB(11, 24, 144), &right, "P6", "boot loader" },
        { GENOA "committed", TCB(10, 25, 144), &right, "P6", "SNP firmware" },
        { GENOA "launch", TCB(10, 24, 145), &right, "P6", "microcode" },
        { GENOA "firmware", FW(1, 55, 21), &fw, "", "just this firmware" },
        { GENOA "firmware", FW(1, 54, 99), &fw, "", "a newer minor" },
        { GENOA "firmware", FW(1, 55, 22), &fw, "P7", "an older build" },
        { GENOA "firmware", FW(2, 0, 0), &fw, "P7", "an older major" },
        { "vmpl", "[0]", &vmpl, "P5", "VMPL 1" },
        { "vmpl", "[1, 2]", &vmpl, "", "VMPL 1 allowed" },
        { "vmpl", "[1]", &right, "P5", "VMPL 0 is not in the list" },
        { "vmpl", "null", &vmpl, "", "any VMPL" },
        { "guest_policy.must_set", "[\"SMT\"]", &right, "", "SMT is allowed" },
        { "guest_policy.must_set", "[\"RAPL_DIS\"]", &right, "P8", "unset" },
        { "guest_policy.must_clear", "[\"SMT\"]", &right, "P8", "set" },
        { "guest_policy.must_clear", "[]", &cxl, "", "CXL allowed" },
        { NULL, NULL, &cxl, "P8", "the template forbids CXL" },
        { "platform.must_set", "[\"ECC_EN\"]", &odd, "", "ECC" },
        { "platform.must_set", "[\"ECC_EN\"]", &right, "P8", "no ECC" },
        { "platform.must_clear", "[\"ECC_EN\"]", &odd, "P8", "ECC refused" },
        { "platform.unknown", "\"warn\"", &odd, "", "bit 6 warns" },
        { "platform.unknown", "\"refuse\"", &odd, "P8", "bit 6 fails" },
        { "host_data", HEX_32(D8), &right, "", "host data" },
        { "host_data", HEX_32(D8), &host, "P9", "other host data" },
        { "family_id", "\"" D8 D8 "\"", &right, "", "family" },
        { "family_id", "\"" D8 D8 "\"", &ids, "P9", "another family" },
        { "family_id", "\"" ONE_8 D8 "\"", &ids, "", "that family" },
        { "image_id", "\"" D8 D8 "\"", &ids, "P9", "another image" },
        { "id_keys", DIGEST_1, &keyed, "", "its ID key" },
        { "id_keys", DIGEST_1, &right, "P10", "no ID key" },
        { "author_keys", DIGEST_0, &author, "", "its author key" },
        { "author_keys", DIGEST_0, &right, "P10", "not enabled" },
        { "author_keys", DIGEST_1, &author, "P10", "another author" },
        { "min_guest_svn", "4", &svn, "", "its SVN" },
        { "min_guest_svn", "5", &svn, "P11", "an older one" },
        { "mitigations_at_launch", "[0, 2]", &launched, "", "both there" },
        { "mitigations_at_launch", "[1]", &launched, "P12", "not at launch" },
        { "mitigations_now", "[1]", &launched, "", "there now" },
        { "mitigations_now", "[63]", &launched, "P12", "not there" },
        { "chips", "[" CHIP_64 "]", &right, "", "its chip" },
        { "chips", "[\"3c3c3c3c3c3c3c3c\"]", &right, "P13", "another chip" },
        { "masked_chip", "false", &masked, "B4", "no chip id" },
        { "masked_chip", "true", &masked, "", "no chip id, allowed" },
        { "crl", "\"require\"", &right, "C7", "no CRL" },
        { "crl", "\"if-present\"", &right, "", "none came" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(rows[i].path, rows[i].value, rows[i].f, rows[i].failing,
              rows[i].why);
}

static void a_product_left_out_is_refused(void **state)
{
    (void)state;
    json_t *o = relaxed();
    struct attest_rules rules;
    struct attest_verdict v;
    WIRE(evidence) e = { 0 };
    struct attest_roots roots = { 0 };
    edit(o, "products.Milan",
         "{\"reported\":null,\"committed\":null,\"launch\":null,"
         "\"firmware\":null}");
    edit(o, "products.Genoa", "null");
    assert_ok(parse(&rules, o));
    json_decref(o);
    forge_make(&e, &roots, &(struct forge){ 0 });
    const struct attest_want want = { .rules = &rules };
    assert_rc(attest_verify(&v, &e, &roots, &want, clock_now_s()), RC_ATTEST);
    assert_true(snp_failed_only(&v, "P14"));
    assert_string_equal(snp_row(&v, "P14")->expected, "Milan");
}

static void measurements_count_by_role(void **state)
{
    (void)state;
    json_t *o = relaxed();
    struct attest_rules rules;
    struct attest_verdict v;
    WIRE(evidence) e = { 0 };
    struct attest_roots roots = { 0 };
    /* SHA-256 of 48 zeros: the measurement of all forged reports */
    edit(o, "measurements",
         "{\"sidecar\":[],\"log\":[],\"ca\":[\"17b0761f87b081d5cf10757ccc89f12b"
         "e355c70e2e29df288b65b30710dcbcd1\"]}");
    assert_ok(parse(&rules, o));
    json_decref(o);
    forge_make(&e, &roots, &(struct forge){ 0 });
    for (unsigned roles = 0; roles < 8; roles++) {
        const struct attest_want want = { .rules = &rules, .roles = roles };
        bool ca = roles == 0 || (roles & 2);
        assert_rc(attest_verify(&v, &e, &roots, &want, clock_now_s()),
                  ca ? RC_OK : RC_ATTEST);
        assert_true(snp_failed_only(&v, ca ? "" : "P1"));
    }
    /* a caller's own set narrows the policy's, it does not replace it */
    uint8_t other[1][32] = { { 1 } };
    const struct attest_want both = { .rules = &rules,
                                      .hashes = (const uint8_t(*)[32])other,
                                      .n_hashes = 1 };
    assert_rc(attest_verify(&v, &e, &roots, &both, clock_now_s()), RC_ATTEST);
    assert_true(snp_failed_only(&v, "P1"));
}

static void a_revoked_ask_is_refused_unless_crl_is_off(void **state)
{
    (void)state;
    static const struct {
        const char *mode;
        bool revoked, ok;
    } rows[] = {
        { "\"require\"", false, true },    { "\"require\"", true, false },
        { "\"if-present\"", false, true }, { "\"if-present\"", true, false },
        { "\"off\"", true, true },
    };
    const struct forge f = { 0 };
    WIRE(evidence) e = { 0 };
    struct attest_roots roots = { 0 };
    forge_make(&e, &roots, &f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct wire_blob crl = { 0 };
        struct attest_rules rules;
        struct attest_verdict v;
        json_t *o = relaxed();
        edit(o, "crl", rows[i].mode);
        assert_ok(parse(&rules, o));
        json_decref(o);
        forge_crl(&crl, &f, rows[i].revoked);
        const struct attest_want want = { .rules = &rules, .crl = &crl };
        assert_rc(attest_verify(&v, &e, &roots, &want, clock_now_s()),
                  rows[i].ok ? RC_OK : RC_ATTEST);
        assert_true(snp_failed_only(&v, rows[i].ok ? "" : "C7"));
        free(crl.p);
    }
}

/* AWS's genuine VLEK: its provider is named, or it is refused. */
static void a_vlek_needs_its_provider_named(void **state)
{
    (void)state;
    testdata();
    static const struct {
        const char *csp;
        bool ok;
    } rows[] = { { "null", false },
                 { "\"CN=cc-us-east-2.amazonaws.com\"", true },
                 { "\"CN=cc-us-east-1.amazonaws.com\"", false },
                 { "\"CN=cc-us-east-2.amazonaws.co\"", false } };
    struct snp_case cases[SNP_CASES];
    snp_load(cases);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct attest_rules rules;
        struct attest_verdict v;
        json_t *o = relaxed();
        edit(o, "csp_id", rows[i].csp);
        edit(o, "min_version", "2");
        edit(o, "vmpl", "[1]");
        edit(o, "products.Milan",
             "{\"reported\":null,\"committed\":null,\"launch\":null,"
             "\"firmware\":null}");
        assert_ok(parse(&rules, o));
        json_decref(o);
        const struct attest_want want = { .rules = &rules, .min_version = 2 };
        for (size_t k = 0; k < SNP_CASES; k++) {
            if (!cases[k].vlek)
                continue;
            assert_rc(attest_verify(&v, &cases[k].evidence, NULL, &want,
                                    snp_time(&cases[k])),
                      rows[i].ok ? RC_OK : RC_ATTEST);
            assert_true(snp_failed_only(&v, rows[i].ok ? "" : "B4"));
        }
    }
    snp_free(cases);
}

static void a_policy_lowers_no_version_of_the_caller(void **state)
{
    (void)state;
    json_t *o = relaxed();
    struct attest_rules rules;
    struct attest_verdict v;
    WIRE(evidence) e = { 0 };
    struct attest_roots roots = { 0 };
    edit(o, "min_version", "2");
    assert_ok(parse(&rules, o));
    json_decref(o);
    forge_make(&e, &roots, &(struct forge){ .version = 3 });
    assert_int_equal(e.report.p[SNP_VERSION], 3);
    const struct attest_want want = { .rules = &rules, .min_version = 5 };
    assert_rc(attest_verify(&v, &e, &roots, &want, clock_now_s()), RC_ATTEST);
    assert_true(snp_failed_only(&v, "P15"));
}

static void the_template_is_strict(void **state)
{
    (void)state;
    json_t *o = template();
    struct attest_rules r;
    assert_ok(parse(&r, o));
    json_decref(o);
    assert_int_equal(r.min_version, 3);
    assert_true(r.has_measurements); /* and none is allowed before filled in */
    assert_int_equal(
            r.n_measurements[0] + r.n_measurements[1] + r.n_measurements[2], 0);
    assert_false(r.product[ATTEST_MILAN].allowed);
    assert_int_equal(r.product[ATTEST_GENOA].committed.snp, 0x17);
    assert_int_equal(r.vmpls, 1);
    assert_int_equal(r.crl, ATTEST_CRL_REQUIRE);
    assert_false(r.masked_chip);
    assert_false(r.vtpm);
    assert_string_equal(r.csp_id, "");
}

static void files_are_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value, *names;
    } rows[] = {
        { "crl", NULL, "no member crl" },
        { "crl", "\"never\"", "if-present, require, off" },
        { "crl", "null", ".crl" },
        { "extra", "1", "unknown members" },
        { "type", "\"mpc-policy\"", ".type" },
        { "v", "2", ".v" },
        { "min_version", "1", "2 to 5" },
        { "min_version", "6", "2 to 5" },
        { "min_guest_svn", "-1", ".min_guest_svn" },
        { "min_guest_svn", "4294967296", ".min_guest_svn" },
        { "masked_chip", "0", "true or false" },
        { "vtpm", NULL, "no member vtpm" },
        { "vtpm", "\"yes\"", "true or false" },
        { "measurements.ca", NULL, "measurements: no member ca" },
        { "measurements.ca", "[\"00\"]", "measurements.ca: want 64" },
        { "measurements.ca", "[1]", "measurements.ca: want 64" },
        { "measurements", "[]", "measurements: want an object" },
        { "products.Venice", "null", "products: 1 unknown" },
        { "products.Genoa", "null", "at least one" },
        { "products.Genoa.launch.fmc", "1", "launch: 1 unknown" },
        { "products.Genoa.launch.snp", "256", "0 to 255" },
        { "products.Genoa.launch", "{}", "no member" },
        { "vmpl", "[4]", "vmpl[0]: want 0 to 3" },
        { "vmpl", "[]", "want a list of 1 to 4" },
        { "guest_policy.must_set", "[\"DEBUG\"]", "must_set and must_clear" },
        { "guest_policy.must_set", "[\"smt\"]",
          "must_set[0]: want one of SMT" },
        { "guest_policy.must_set", "[\"CXL_ALLOW\"]", "and must_clear" },
        { "platform.must_set", "[7]", "must_set[0]: want one of SMT_EN" },
        { "platform.unknown", "true", "warn, refuse" },
        { "mitigations_now", "[64]", "0 to 63" },
        { "mitigations_now", "[]", "want a list" },
        { "host_data", "\"00\"", "64 lower-case" },
        { "host_data", "[]", "64 lower-case" },
        { "id_keys", "[]", "want a list of 1" },
        { "id_keys", "[\"00\"]", "96 lower-case" },
        { "chips", "[\"00\"]", "128 lower-case" },
        { "csp_id", "\"\"", "csp_id" },
        { "csp_id", "7", "csp_id" },
    };
    struct attest_rules r;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        json_t *o = template();
        edit(o, rows[i].path, rows[i].value);
        assert_rc(parse(&r, o), RC_PARSE);
        if (!strstr(rc_text(), rows[i].names))
            fail_msg("%s: %s", rows[i].names, rc_text());
        json_decref(o);
    }
    json_t *o = template(); /* both always refused: no policy asks for them */
    edit(o, "guest_policy.must_clear", "[]");
    edit(o, "guest_policy.must_set", "[\"MIGRATE_MA\"]");
    assert_rc(parse(&r, o), RC_PARSE);
    assert_non_null(strstr(rc_text(), "always refused"));
    json_decref(o);
    assert_rc(attest_rules_parse(&r, "{\"v\":1,\"v\":1}", 13), RC_PARSE);
    assert_rc(attest_rules_parse(&r, "{", 1), RC_PARSE);
    assert_rc(attest_rules_parse(&r, "", 0), RC_PARSE);
    assert_rc(attest_rules_parse(&r, "[]", 2), RC_PARSE);
    char *big = calloc(1, ATTEST_RULES_MAX + 1);
    assert_rc(attest_rules_parse(&r, big, ATTEST_RULES_MAX + 1), RC_TOO_LARGE);
    assert_false(attest_rules_is(big, ATTEST_RULES_MAX + 1));
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_member_passes_and_refuses),
        cmocka_unit_test(a_product_left_out_is_refused),
        cmocka_unit_test(measurements_count_by_role),
        cmocka_unit_test(a_revoked_ask_is_refused_unless_crl_is_off),
        cmocka_unit_test(a_vlek_needs_its_provider_named),
        cmocka_unit_test(a_policy_lowers_no_version_of_the_caller),
        cmocka_unit_test(the_template_is_strict),
        cmocka_unit_test(files_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

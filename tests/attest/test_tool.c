/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign attest as people run it: words in, exit code and output out. */
#include "../cli/run.h"

static const char *data(const char *name)
{
    static char path[4][600];
    static unsigned next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof(path[0]), "%s/snp/%s", testdata(), name);
    return out;
}

static const char template[] = MPC_SOURCE_DIR "/docs/attest-policy.json";

static bool failed(const json_t *verdict, const char *id)
{
    size_t i;
    json_t *c;
    json_array_foreach (json_object_get(verdict, "checks"), i, c)
        if (json_is_false(json_object_get(c, "ok")) &&
            strcmp(json_string_value(json_object_get(c, "id")), id) == 0)
            return true;
    return false;
}

static unsigned n_failed(const json_t *verdict)
{
    unsigned n = 0;
    size_t i;
    json_t *c;
    json_array_foreach (json_object_get(verdict, "checks"), i, c)
        n += json_is_false(json_object_get(c, "ok"));
    return n;
}

static void hcl_blobs_are_known_by_their_first_bytes(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "attest", "verify", "-o", "json", "--report",
        data("azure/genoa-v3-azure-1.hcl.bin"), "--vek",
        data("veks/genoa-v3-azure-1.vcek.der"), "--chain",
        data("amd/genoa-ask-ark.pem"), "--at", "2026-06-01T00:00:00Z");
    assert_code(&r, 0);
    json_t *o = run_json(&r);
    assert_true(json_is_true(json_object_get(o, "ok")));
    assert_non_null(strstr(r.out, "\"H2\""));
    json_decref(o);
    run_free(&r);
    RUN(&r, "attest", "verify", "-o", "json", "--report",
        data("negative/azure-milan-v2-no-vek.hcl.bin"), "--vek",
        data("veks/milan-v2-azure.vcek.der"), "--chain",
        data("amd/milan-ask-ark.pem"), "--at", "2026-06-01T00:00:00Z");
    assert_code(&r, 7);
    o = run_json(&r);
    assert_true(failed(o, "B1") && failed(o, "B4"));
    assert_int_equal(n_failed(o), 2);
    json_decref(o);
    run_free(&r);
}

/* The template allows nothing until it is filled in, and wants a CRL. */
static void an_attestation_policy_is_judged_by(void **state)
{
    (void)state;
    struct run r;
    const char *words[RUN_WORDS + 1] = {
        "attest",   "verify",
        "-o",       "json",
        "--report", data("reports/genoa-v3-ms.bin"),
        "--vek",    data("veks/genoa-v3-ms.vcek.der"),
        "--chain",  data("amd/genoa-ask-ark.pem"),
        "--at",     "2025-01-01T00:00:00Z",
        "--policy", template
    };
    run_mpcsign(&r, words);
    assert_code(&r, 7);
    json_t *o = run_json(&r);
    assert_true(failed(o, "P1") && failed(o, "C7"));
    json_decref(o);
    run_free(&r);
    char dir[64];
    char path[96];
    dir_make(dir);
    snprintf(path, sizeof(path), "%s/policy.json", dir);
    o = json_load_file(template, 0, NULL);
    json_object_set_new(o, "measurements", json_null());
    assert_int_equal(json_dump_file(o, path, 0), 0);
    json_decref(o);
    words[13] = path;
    words[14] = "--crl";
    words[15] = data("crl/genoa-crl4-20241023.der");
    run_mpcsign(&r, words);
    o = run_json(&r);
    assert_false(failed(o, "P1") || failed(o, "C7") || failed(o, "P14"));
    json_decref(o);
    run_free(&r);
    dir_remove(dir);
}

static void roles_take_their_own_measurements_only(void **state)
{
    (void)state;
    char dir[64];
    char path[96];
    struct run r;
    dir_make(dir);
    snprintf(path, sizeof(path), "%s/policy.json", dir);
    RUN(&r, "attest", "policy-hash", "--report",
        data("reports/genoa-v3-ms.bin"));
    assert_code(&r, 0);
    assert_int_equal(strlen(r.out), 65);
    json_t *o = json_load_file(template, 0, NULL);
    json_array_append_new(
            json_object_get(json_object_get(o, "measurements"), "log"),
            json_stringn(r.out, 64));
    assert_int_equal(json_dump_file(o, path, 0), 0);
    json_decref(o);
    run_free(&r);
    static const struct {
        const char *role;
        bool listed;
    } rows[] = { { "sidecar", false }, { "ca", false }, { "log", true } };
    for (size_t i = 0; i < 3; i++) {
        RUN(&r, "attest", "verify", "--report", data("reports/genoa-v3-ms.bin"),
            "--vek", data("veks/genoa-v3-ms.vcek.der"), "--chain",
            data("amd/genoa-ask-ark.pem"), "--policy", path, "--role",
            rows[i].role, "-o", "json");
        assert_code(&r, 7); /* no CRL */
        o = run_json(&r);
        assert_int_equal(failed(o, "P1"), !rows[i].listed);
        json_decref(o);
        run_free(&r);
    }
    dir_remove(dir);
}

static void show_prints_what_a_person_asks(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *says[6];
    } rows[] = {
        { "reports/turin-v5-ms.bin",
          { "Turin (family 0x1a", "fmc 1, bl 1, tee 1, snp 4, microcode 81",
            "bit 6: not known", "mitigations     0x3f", "firmware 1.55.65",
            "NOT VERIFIED" } },
        { "reports/milan-v2-google.bin",
          { "WARNING         a debug guest", "version 2 does not",
            "DEBUG: the host may read", "NOT VERIFIED", NULL, NULL } },
        { "reports/vlek-milan-v2-openanolis.bin",
          { "VLEK (a key of the provider)", "a VLEK names no chip",
            "VMPL            1", "NOT VERIFIED", NULL, NULL } },
        { "azure/milan-v2-azure.hcl.bin",
          { "in an Azure HCL blob", "SHA-256 of the runtime data",
            "HCLAkPub: RSA-2048", "NOT VERIFIED",
            "74b49d07fbc911878176b882829c8afea4a34e9b443bec38feb8d28cb6829d6f",
            NULL } },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct run r;
        RUN(&r, "attest", "show", data(rows[i].file));
        assert_code(&r, 0);
        for (size_t k = 0; k < 6 && rows[i].says[k]; k++)
            if (!strstr(r.out, rows[i].says[k]))
                fail_msg("%s: no \"%s\" in\n%s", rows[i].file, rows[i].says[k],
                         r.out);
        run_free(&r);
        RUN(&r, "attest", "show", data(rows[i].file), "-o", "json");
        assert_code(&r, 0);
        json_t *o = run_json(&r);
        assert_true(json_is_false(json_object_get(o, "verified")));
        json_decref(o);
        run_free(&r);
    }
}

static void show_tells_what_is_out_of_shape(void **state)
{
    (void)state;
    char dir[64];
    char path[96];
    struct run r;
    dir_make(dir);
    snprintf(path, sizeof(path), "%s/r", dir);
    uint8_t raw[1185] = { 5 };
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(raw, 1, 1184, f), 1184);
    fclose(f);
    RUN(&r, "attest", "show", path);
    assert_code(&r, 0);
    assert_non_null(strstr(r.out, "WARNING         F3"));
    assert_non_null(strstr(r.out, "WARNING         F7"));
    run_free(&r);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(raw, 1, 1185, f), 1185);
    fclose(f);
    RUN(&r, "attest", "show", path);
    assert_true(r.code != 0);
    assert_non_null(strstr(r.err, "1185 bytes, want 1184"));
    assert_non_null(strstr(r.err, "--offset"));
    run_free(&r);
    RUN(&r, "attest", "show", path, "--offset", "1");
    assert_code(&r, 0);
    run_free(&r);
    dir_remove(dir);
}

#define ABC                                                                    \
    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"         \
    "8086072ba1e7cc2358baeca134c825a7"
#define ABC_HASH                                                               \
    "c47cc088b7f8657a65899f33c4a4192fc43dd4b10307d5fe45d0410b1cb6ef51"

static void policy_hash_is_alone_on_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *words[5];
        const char *why;
    } bad[] = {
        { { NULL }, "nothing to hash" },
        { { "00" }, "too short" },
        { { ABC "00" }, "too long" },
        { { ABC, "--report", "/dev/null" }, "both" },
        { { ABC, "--offset", "1" }, "an offset into nothing" },
    };
    struct run r;
    RUN(&r, "attest", "policy-hash", ABC);
    assert_code(&r, 0);
    assert_string_equal(r.out, ABC_HASH "\n");
    run_free(&r);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *words[8] = { "attest", "policy-hash" };
        for (size_t k = 0; k < 5; k++)
            words[2 + k] = bad[i].words[k];
        print_message("%s\n", bad[i].why);
        run_mpcsign(&r, words);
        assert_code(&r, 2);
        assert_string_equal(r.out, "");
        run_free(&r);
    }
}

static const char *nitro(const char *name)
{
    static char path[600];
    snprintf(path, sizeof(path), "%s/nitro/%s", testdata(), name);
    return path;
}

#define PCR0                                                                   \
    "0=0f0b6b3e05d75450ab3cc91e6e105d2ffcb43edb4a4b7eccd63c9d2cf6e38c864"      \
    "ff6cfe0b8209f8b37059e8cc73469a0"

static void nitro_documents_are_a_kind_of_their_own(void **state)
{
    (void)state;
    static const char file[] = "doc-2023-09-21-userdata.cbor";
    static const struct {
        const char *words[5];
        int code;
        const char *failing, *why;
    } rows[] = {
        { { "--at", "2023-09-21T23:09:57Z" }, 0, NULL, "at its time" },
        { { NULL }, 7, "N5", "today" },
        { { "--at", "2023-09-21T23:09:57Z", "--pcr", PCR0 }, 0, NULL, "PCR0" },
        { { "--at", "2023-09-21T23:09:57Z", "--pcr", "1" PCR0 },
          7,
          "N9",
          "PCR10 is another" },
        { { "--pcr", "0=00" }, 2, NULL, "too short" },
        { { "--pcr", "32=00" }, 2, NULL, "no such PCR" },
        { { "--vek", "/dev/null" }, 2, NULL, "a certificate of its own" },
        { { "--kind", "tdx" }, 2, NULL, "another kind" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *words[RUN_WORDS + 1] = { "attest", "verify",   "-o",
                                             "json",   "--report", nitro(file),
                                             "--kind", "nitro" };
        bool kind = rows[i].words[0] && strcmp(rows[i].words[0], "--kind") == 0;
        for (size_t k = 0; k < 5; k++)
            words[(kind ? 6 : 8) + k] = rows[i].words[k];
        struct run r;
        print_message("%s\n", rows[i].why);
        run_mpcsign(&r, words);
        assert_code(&r, rows[i].code);
        json_t *o = run_json(&r);
        if (rows[i].code != 2)
            assert_string_equal(json_string_value(json_object_get(o, "kind")),
                                "nitro");
        if (rows[i].failing)
            assert_true(failed(o, rows[i].failing) && n_failed(o) == 1);
        json_decref(o);
        run_free(&r);
    }
    struct run r;
    RUN(&r, "attest", "verify", "--kind", "nitro", "--report", nitro(file));
    assert_code(&r, 7);
    assert_non_null(strstr(r.out, "FAIL N5"));
    assert_non_null(strstr(r.out, "user data  48656c6c6f20"));
    run_free(&r);
    RUN(&r, "attest", "verify", "--report", nitro(file));
    assert_code(&r, 2);
    assert_non_null(strstr(r.err, "--vek is missing"));
    run_free(&r);
}

#ifdef MPC_SIMULATED_TEE
/* SHA-384 of the file, as FIPS 180-4's example has it for "abc". */
static void measure_is_what_the_simulator_would_say(void **state)
{
    (void)state;
    char dir[64];
    char path[96];
    struct run r;
    dir_make(dir);
    snprintf(path, sizeof(path), "%s/program", dir);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite("abc", 1, 3, f), 3);
    fclose(f);
    RUN(&r, "attest", "measure", path);
    assert_code(&r, 0);
    assert_string_equal(r.out,
                        "measurement  " ABC "\npolicy hash  " ABC_HASH "\n");
    run_free(&r);
    RUN(&r, "attest", "measure", path, "-o", "json");
    json_t *o = run_json(&r);
    assert_true(json_is_true(json_object_get(o, "simulated")));
    json_decref(o);
    run_free(&r);
    RUN(&r, "attest", "measure", "/nonexistent/program");
    assert_true(r.code != 0);
    assert_non_null(strstr(r.err, "nonexistent"));
    run_free(&r);
    dir_remove(dir);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hcl_blobs_are_known_by_their_first_bytes),
        cmocka_unit_test(an_attestation_policy_is_judged_by),
        cmocka_unit_test(roles_take_their_own_measurements_only),
        cmocka_unit_test(show_prints_what_a_person_asks),
        cmocka_unit_test(show_tells_what_is_out_of_shape),
        cmocka_unit_test(policy_hash_is_alone_on_its_line),
        cmocka_unit_test(nitro_documents_are_a_kind_of_their_own),
#ifdef MPC_SIMULATED_TEE
        cmocka_unit_test(measure_is_what_the_simulator_would_say),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

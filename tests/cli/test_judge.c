/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that judge files of others: FROST vectors and SNP reports. */
#include "run.h"

static const char *data(const char *name)
{
    static char path[4][600];
    static unsigned next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof(path[0]), "%s/%s", testdata(), name);
    return out;
}

/* ---- vectors ------------------------------------------------------------ */

static void published_vectors_pass(void **state)
{
    (void)state;
    static const char *const files[] = {
        "frost/rfc9591/frost-ed25519-sha512.json",
        "frost/zf/vectors.json",
        "frost/zf/vectors-big-identifier.json",
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        struct run r;
        RUN(&r, "frost", "vectors", data(files[i]));
        assert_code(&r, 0);
        assert_null(strstr(r.out, "FAIL"));
        assert_non_null(strstr(r.out, "PASS  sig\n"));
        run_free(&r);
    }
}

/* Any one value changed must be seen. */
static void a_changed_vector_fails(void **state)
{
    (void)state;
    static const char *const keys[] = { "hiding_nonce", "binding_nonce",
                                        "hiding_nonce_commitment",
                                        "binding_nonce_commitment" };
    char dir[64];
    char path[96];
    dir_make(dir);
    snprintf(path, sizeof(path), "%s/v.json", dir);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        json_t *root = json_load_file(
                data("frost/rfc9591/frost-ed25519-sha512.json"), 0, NULL);
        json_t *rows = json_object_get(
                json_object_get(root, "round_one_outputs"), "outputs");
        json_t *row = json_array_get(rows, 1);
        char text[65];
        snprintf(text, sizeof(text), "%s",
                 json_string_value(json_object_get(row, keys[i])));
        text[3] = text[3] == '0' ? '1' : '0';
        json_object_set_new(row, keys[i], json_string(text));
        assert_int_equal(json_dump_file(root, path, 0), 0);
        json_decref(root);
        struct run r;
        RUN(&r, "frost", "vectors", path);
        assert_code(&r, 10);
        assert_non_null(strstr(r.out, keys[i]));
        assert_non_null(strstr(r.out, "FAIL"));
        run_free(&r);
    }
    dir_remove(dir);
}

static void another_file_is_no_vector(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "frost", "vectors", data("frost/zf/samples.json"));
    assert_code(&r, 1);
    run_free(&r);
}

/* ---- reports ------------------------------------------------------------ */

#define SNP(name) "snp/" name

static void reports_of_real_hardware_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *report, *offset, *vek, *chain, *at;
        int code;
        const char *failed; /* id that must be among the failed */
        const char *why;
    } cases[] = {
        { SNP("reports/milan-v2-virtee.bin"), "0",
          SNP("veks/milan-v2-virtee.vcek.der"), SNP("amd/milan-ask-ark.pem"),
          NULL, 0, NULL, "a plain good Milan" },
        { SNP("azure/genoa-v3-azure-1.hcl.bin"), "32",
          SNP("veks/genoa-v3-azure-1.vcek.der"), SNP("amd/genoa-ask-ark.pem"),
          NULL, 0, NULL, "inside Azure's blob" },
        { SNP("reports/turin-v5-ms.bin"), "0", SNP("veks/turin-v5-ms.vcek.der"),
          SNP("amd/turin-ask-ark.pem"), NULL, 0, NULL, "Turin's layout" },
        { SNP("reports/vlek-milan-v2-openanolis.bin"), "0",
          SNP("veks/vlek-milan-v2-openanolis.vlek.der"),
          SNP("amd/milan-asvk-ark.pem"), "2024-06-01T00:00:00Z", 0, NULL,
          "a VLEK in its time" },
        { SNP("reports/vlek-milan-v2-openanolis.bin"), "0",
          SNP("veks/vlek-milan-v2-openanolis.vlek.der"),
          SNP("amd/milan-asvk-ark.pem"), "2026-01-01T00:00:00Z", 7, "C6",
          "after it" },
        { SNP("reports/milan-v2-google.bin"), "0",
          SNP("veks/milan-v2-google.vcek.der"), SNP("amd/milan-ask-ark.pem"),
          NULL, 7, "P3", "genuine, but a debug guest" },
        { SNP("azure/genoa-v3-azure-1.hcl.bin"), "0",
          SNP("veks/genoa-v3-azure-1.vcek.der"), SNP("amd/genoa-ask-ark.pem"),
          NULL, 7, NULL, "the wrong place in the file" },
        { SNP("reports/milan-v2-virtee.bin"), "0",
          SNP("veks/milan-v2-trustee.vcek.der"), SNP("amd/milan-ask-ark.pem"),
          NULL, 7, "B1", "another chip's certificate" },
        { SNP("reports/genoa-v3-ms.bin"), "0", SNP("veks/genoa-v3-ms.vcek.der"),
          SNP("amd/milan-ask-ark.pem"), NULL, 7, "C2",
          "another product's "
          "root" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct run r;
        print_message("%s\n", cases[i].why);
        const char *at = cases[i].at ? cases[i].at : "2026-06-01T00:00:00Z";
        RUN(&r, "attest", "verify", "-o", "json", "--report",
            data(cases[i].report), "--offset", cases[i].offset, "--vek",
            data(cases[i].vek), "--chain", data(cases[i].chain), "--at", at);
        assert_code(&r, cases[i].code);
        json_t *o = run_json(&r);
        assert_true(json_is_true(json_object_get(o, "ok")) ==
                    (cases[i].code == 0));
        bool seen = !cases[i].failed;
        size_t k;
        json_t *c;
        json_array_foreach (json_object_get(o, "checks"), k, c)
            if (json_is_false(json_object_get(c, "ok")) && cases[i].failed &&
                strcmp(json_string_value(json_object_get(c, "id")),
                       cases[i].failed) == 0)
                seen = true;
        assert_true(seen);
        json_decref(o);
        run_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_pass),
        cmocka_unit_test(a_changed_vector_fails),
        cmocka_unit_test(another_file_is_no_vector),
        cmocka_unit_test(reports_of_real_hardware_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

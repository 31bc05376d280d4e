/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: tables of arguments, exit codes, and how errors look. */
#include "run.h"

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "cli/inner.h"

/* ---- the table of words ------------------------------------------------- */

struct words {
    const char *file;
    const char *name;
    bool loud;
    struct cli_list list;
    struct cli_list each;
};

static enum rc read_words(struct words *w, const char *const *words)
{
    char *argv[RUN_WORDS + 1] = { NULL };
    int argc = 0;
    const struct cli_arg rows[] = {
        { .name = "FILE", .text = &w->file, .need = true, .help = "" },
        { .name = "--name", .brief = "-n", .text = &w->name, .help = "" },
        { .name = "--loud", .flag = &w->loud, .help = "" },
        { .name = "--list", .list = &w->list, .help = "" },
        { .name = "--each", .list = &w->each, .once = true, .help = "" },
        { 0 },
    };
    bool done;
    *w = (struct words){ 0 };
    while (words[argc]) {
        argv[argc] = (char *)(uintptr_t)words[argc];
        argc++;
    }
    return cli_args(&done, rows, argc, argv);
}

static void words_are_read_by_their_table(void **state)
{
    (void)state;
    static const struct {
        const char *words[9];
        enum rc rc;
        const char *why;
    } cases[] = {
        { { "v", "f" }, RC_OK, "a positional" },
        { { "v", "f", "--name", "x" }, RC_OK, "an option behind it" },
        { { "v", "-n", "x", "f" }, RC_OK, "its short form, before it" },
        { { "v", "--", "--name" }, RC_OK, "behind -- all are positionals" },
        { { "v", "-" }, RC_OK, "a dash alone is a name" },
        { { "v", "f", "--list", "a", "b", "--loud" }, RC_OK, "a list" },
        { { "v", "--each", "a", "f", "--each", "b" }, RC_OK, "one a time" },
        { { "v" }, RC_ARG, "what is needed is missing" },
        { { "v", "f", "g" }, RC_ARG, "a word too many" },
        { { "v", "f", "--nane", "x" }, RC_ARG, "an unknown option" },
        { { "v", "f", "--name" }, RC_ARG, "no value" },
        { { "v", "f", "-n", "x", "-n", "y" }, RC_ARG, "twice" },
        { { "v", "f", "--list" }, RC_ARG, "an empty list" },
        { { "v", "f", "-o", "xml" }, RC_ARG, "an output we do not have" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct words w;
        print_message("%s\n", cases[i].why);
        assert_rc(read_words(&w, cases[i].words), cases[i].rc);
    }
}

static void lists_end_where_they_should(void **state)
{
    (void)state;
    struct words w;
    assert_ok(read_words(&w, (const char *const[]){ "v", "f", "--list", "a",
                                                    "b", "--loud", NULL }));
    assert_int_equal(w.list.n, 2);
    assert_string_equal(w.list.at[1], "b");
    assert_true(w.loud);
    assert_ok(read_words(&w, (const char *const[]){ "v", "--each", "a", "f",
                                                    "--each", "b", NULL }));
    assert_int_equal(w.each.n, 2);
    assert_string_equal(w.file, "f");
}

static void numbers_are_whole_and_within_bounds(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "x", "3x", "0", "9", "-1", "99999999999999999999"
    };
    int64_t n;
    assert_ok(cli_number(&n, "--n", "3", 1, 8));
    assert_int_equal(n, 3);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_rc(cli_number(&n, "--n", bad[i], 1, 8), RC_ARG);
}

/* ---- key references ----------------------------------------------------- */

static void a_reference_is_its_text_in_pem(void **state)
{
    (void)state;
    static const char session[] =
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const char pem[] = "-----BEGIN MPC KEY REFERENCE-----\n"
                              "bXBjOnJlbGVhc2U=\n"
                              "-----END MPC KEY REFERENCE-----\n";
    char text[96];
    struct run r;
    RUN(&r, "key", "ref", "release", "--offline");
    assert_code(&r, 0);
    assert_string_equal(r.out, pem);
    run_free(&r);
    RUN(&r, "key", "ref", "mpc:release", "--offline");
    assert_code(&r, 0);
    assert_string_equal(r.out, pem);
    run_free(&r);
    RUN(&r, "key", "ref", "release", "--session", session, "--offline", "-o",
        "json");
    assert_code(&r, 0);
    json_t *o = run_json(&r);
    snprintf(text, sizeof(text), "mpc:release?session=%s", session);
    assert_string_equal(json_string_value(json_object_get(o, "key")), text);
    json_decref(o);
    run_free(&r);
}

static void the_bridge_form_is_pkcs8_under_our_oid(void **state)
{
    (void)state;
    struct run r;
    const ASN1_OBJECT *oid;
    const X509_ALGOR *alg;
    const unsigned char *body;
    const void *param;
    int param_type;
    int len;
    char name[64];
    RUN(&r, "key", "ref", "release", "--cms", "--offline");
    assert_code(&r, 0);
    assert_non_null(strstr(r.out, "-----BEGIN PRIVATE KEY-----\n"));
    BIO *bio = BIO_new_mem_buf(r.out, -1);
    PKCS8_PRIV_KEY_INFO *p8 = PEM_read_bio_PKCS8_PRIV_KEY_INFO(bio, NULL, NULL,
                                                               NULL);
    assert_non_null(p8);
    assert_int_equal(PKCS8_pkey_get0(&oid, &body, &len, &alg, p8), 1);
    OBJ_obj2txt(name, sizeof(name), oid, 1);
    assert_string_equal(name, "1.3.6.1.4.1.32473.1.1");
    X509_ALGOR_get0(NULL, &param_type, &param, alg);
    assert_int_equal(param_type, V_ASN1_UNDEF); /* absent, not NULL */
    assert_int_equal(len, 11);
    assert_memory_equal(body, "mpc:release", 11);
    assert_null(PKCS8_pkey_get0_attrs(p8));
    PKCS8_PRIV_KEY_INFO_free(p8);
    BIO_free(bio);
    run_free(&r);
}

static void a_reference_names_a_key_that_can_be(void **state)
{
    (void)state;
    static const struct {
        const char *words[8];
        int code;
        const char *says;
    } cases[] = {
        { { "key", "ref" }, 2, "NAME is missing" },
        { { "key", "ref", "", "--offline" }, 2, "want 1..64" },
        { { "key", "ref", "Release", "--offline" }, 2, "character 1" },
        { { "key", "ref", "rel/ease", "--offline" }, 2, "character 4" },
        { { "key", "ref", "release?session=00", "--offline" },
          2,
          "character 8" },
        { { "key", "ref", "release", "--session", "12", "--offline" },
          2,
          "64 lower case" },
        { { "key", "ref", "release", "--offline", "-O", "/nonexistent/f" },
          1,
          "/nonexistent" },
        { { "key", "ref", "release" }, 8, "no sidecar answers" },
    };
    setenv("MPC_SIDECAR", "/nonexistent/sidecar.sock", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct run r;
        print_message("%s\n", cases[i].says);
        run_mpcsign(&r, cases[i].words);
        assert_code(&r, cases[i].code);
        assert_non_null(strstr(r.err, cases[i].says));
        run_free(&r);
    }
}

/* ---- exit codes --------------------------------------------------------- */

static void exit_codes_are_as_documented(void **state)
{
    (void)state;
    static const struct {
        const char *words[8];
        int code;
        const char *says; /* on stderr, or NULL */
        const char *why;
    } cases[] = {
        { { "--help" }, 0, NULL, "help is no failure" },
        { { "--version" }, 0, NULL, "nor is the version" },
        { { "sign", "--help" }, 0, NULL, "nor a verb's own help" },
        { { "key", "create", "--help" }, 0, NULL, "of two words" },
        { { "no-such-verb" }, 2, "no verb", "usage" },
        { { "key" }, 2, "one of its verbs", "half a verb" },
        { { "key", "smash" }, 2, "smash", "the wrong other half" },
        { { "sign" }, 2, "FILE is missing", "usage" },
        { { "verify", "/dev/null" }, 2, "--bundle is missing", "usage" },
        { { "status" }, 8, "no sidecar answers", "nobody there" },
        { { "sign", "/nonexistent/file" }, 1, "nonexistent", "no such file" },
        { { "log", "fsck", "http://127.0.0.1:1", "--vkey", "x" },
          1,
          NULL,
          "not a key" },
        { { "attest", "verify", "--report", "/dev/null", "--vek", "/dev/null",
            "--chain" },
          2,
          "--chain",
          "no value" },
    };
    setenv("MPC_SIDECAR", "/nonexistent/sidecar.sock", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct run r;
        print_message("%s\n", cases[i].why);
        run_mpcsign(&r, cases[i].words);
        assert_code(&r, cases[i].code);
        if (cases[i].says && !strstr(r.err, cases[i].says))
            fail_msg("does not say \"%s\": %s", cases[i].says, r.err);
        if (cases[i].code)
            assert_string_equal(r.out, "");
        run_free(&r);
    }
}

static void a_json_error_is_one_document_on_stdout(void **state)
{
    (void)state;
    static const struct {
        const char *words[5];
        const char *name;
        int code;
    } cases[] = {
        { { "status", "-o", "json" }, "unreachable", 8 },
        { { "sign", "--output", "json" }, "bad_argument", 2 },
        { { "no-such-verb", "-o", "json" }, "bad_argument", 2 },
    };
    setenv("MPC_SIDECAR", "/nonexistent/sidecar.sock", 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct run r;
        run_mpcsign(&r, cases[i].words);
        json_t *o = run_json(&r);
        int code;
        const char *name;
        const char *message;
        const char *hint;
        assert_int_equal(json_unpack_ex(o, NULL, JSON_STRICT,
                                        "{s:{s:i, s:s, s:s, s:s}}", "error",
                                        "code", &code, "name", &name, "message",
                                        &message, "hint", &hint),
                         0);
        assert_int_equal(code, cases[i].code);
        assert_int_equal(r.code, cases[i].code);
        assert_string_equal(name, cases[i].name);
        assert_true(*message);
        assert_string_equal(r.err, "");
        json_decref(o);
        run_free(&r);
    }
}

static void an_empty_policy_hash_allows_no_sidecar(void **state)
{
    (void)state;
    char dir[64];
    char path[96];
    int fd;
    struct run r;
    dir_make(dir);
    snprintf(path, sizeof(path), "%s/s", dir);
    assert_ok(sock_unix_listen(&fd, path, 0600)); /* never answers */
    setenv("MPC_SIDECAR", path, 1);
    setenv("TEE_POLICY_HASH", "", 1);
    RUN(&r, "status");
    assert_code(&r, 6);
    run_free(&r);
    unsetenv("TEE_POLICY_HASH");
    close(fd);
    dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_read_by_their_table),
        cmocka_unit_test(lists_end_where_they_should),
        cmocka_unit_test(numbers_are_whole_and_within_bounds),
        cmocka_unit_test(a_reference_is_its_text_in_pem),
        cmocka_unit_test(the_bridge_form_is_pkcs8_under_our_oid),
        cmocka_unit_test(a_reference_names_a_key_that_can_be),
        cmocka_unit_test(exit_codes_are_as_documented),
        cmocka_unit_test(a_json_error_is_one_document_on_stdout),
        cmocka_unit_test(an_empty_policy_hash_allows_no_sidecar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

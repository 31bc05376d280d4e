/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real openssl program with mpc.so, against a fake sidecar. Under
 * sanitizers the module can not be loaded into a program built without them:
 * then only the cases that need no openssl run, and that is printed.
 */
#include "shell.h"

#include "base/own.h"

#define ONLY    "-provider mpc"
#define MPC_1ST "-provider mpc -provider default"
#define MPC_2ND "-provider default -provider mpc"

/* ---- signing ------------------------------------------------------------- */

static void stock_openssl_verifies(const char *file)
{
    assert_sh("/dev/null",
              "openssl pkeyutl -verify -rawin -pubin -inkey pub.pem -in %s "
              "-sigfile sig",
              file);
}

static void signs_with_every_order_of_providers(void **state)
{
    static const char *const orders[] = { MPC_1ST, MPC_2ND, ONLY };
    (void)state;
    file_of("msg", 64);
    for (size_t i = 0; i < 3; i++) {
        unsigned before = fake.signs;
        assert_sh("/dev/null",
                  "openssl pkey %s -in mpc:release -pubout "
                  "-out pub.pem",
                  orders[i]);
        assert_int_equal(fake.signs, before);
        assert_sh("/dev/null",
                  "rm -f sig; openssl pkeyutl -sign %s -inkey "
                  "mpc:release -rawin -in msg -out sig",
                  orders[i]);
        assert_int_equal(fake.signs, before + 1);
        OWNED_MEM char *err = text_of("err");
        assert_string_equal(err, "");
        stock_openssl_verifies("msg");
        assert_sh("/dev/null",
                  "openssl pkeyutl -verify %s -inkey mpc:release "
                  "-rawin -in msg -sigfile sig",
                  orders[i]);
        assert_sh("/dev/null",
                  "openssl pkeyutl -verify %s -pubin -inkey mpc:release "
                  "-rawin -in msg -sigfile sig",
                  orders[i]);
        assert_int_equal(fake.signs, before + 1);
    }
}

static void a_changed_file_does_not_verify(void **state)
{
    (void)state;
    file_of("msg", 64);
    file_of("msg2", 65);
    assert_sh("/dev/null", "openssl pkeyutl -sign " MPC_1ST
                           " -inkey mpc:release -rawin -in msg -out sig");
    assert_int_not_equal(sh("/dev/null",
                            "openssl pkeyutl -verify " ONLY
                            " -inkey mpc:release -rawin -in msg2 -sigfile sig"),
                         0);
}

static void signs_files_of_every_size(void **state)
{
    static const size_t sizes[] = { 1, 100 * 1000, 16u << 20 };
    (void)state;
    assert_sh("/dev/null",
              "openssl pkey " ONLY " -in mpc:release -pubout -out pub.pem");
    for (size_t i = 0; i < 3; i++) {
        unsigned before = fake.signs;
        file_of("msg", sizes[i]);
        assert_sh("/dev/null", "openssl pkeyutl -sign " MPC_1ST
                               " -inkey mpc:release -rawin -in msg -out sig");
        assert_int_equal(fake.signs, before + 1);
        stock_openssl_verifies("msg");
    }
}

static void one_byte_over_the_limit_is_one_error_with_both_sizes(void **state)
{
    (void)state;
    unsigned before = fake.signs;
    file_of("msg", (16u << 20) + 1);
    assert_int_not_equal(sh("/dev/null",
                            "openssl pkeyutl -sign " MPC_1ST " -inkey "
                            "mpc:release -rawin -in msg -out sig"),
                         0);
    assert_one_error("message: 16777217 bytes, key release takes at most "
                     "16777216");
    assert_int_equal(fake.signs, before);
}

/*
 * OpenSSL 3.0's pkeyutl can not take an empty file with -rawin, whoever holds
 * the key: it fails alike with a stock software key, before any provider is
 * asked. Where it can (3.5), ours must work too.
 */
static void empty_files_go_as_far_as_with_a_stock_key(void **state)
{
    (void)state;
    file_of("msg", 0);
    assert_sh("/dev/null", "openssl genpkey -algorithm ed25519 -out soft.pem");
    assert_sh("/dev/null",
              "openssl pkey " ONLY " -in mpc:release -pubout -out pub.pem");
    int stock = sh("/dev/null", "openssl pkeyutl -sign -inkey soft.pem -rawin "
                                "-in msg -out sig");
    int ours = sh("/dev/null", "openssl pkeyutl -sign " MPC_1ST
                               " -inkey mpc:release -rawin -in msg -out sig");
    print_message("empty file: stock key exits %d, ours %d\n", stock, ours);
    assert_int_equal(ours, stock);
    if (ours == 0)
        stock_openssl_verifies("msg");
}

/* ---- public and private halves ------------------------------------------- */

static void public_key_and_text_need_no_default_provider(void **state)
{
    (void)state;
    unsigned before = fake.signs;
    assert_sh("/dev/null",
              "openssl pkey " ONLY " -in mpc:release -noout -text_pub");
    OWNED_MEM char *text = text_of("out");
    assert_non_null(strstr(text, "ED25519 Public-Key:\npub:\n    "));
    assert_sh("/dev/null",
              "openssl pkey " ONLY " -in mpc:release -noout -text");
    OWNED_MEM char *whole = text_of("out");
    assert_non_null(strstr(whole, "mpc:release"));
    assert_sh("/dev/null", "openssl pkey " ONLY
                           " -in mpc:release -pubout -outform DER -out pub");
    assert_sh("/dev/null", "openssl pkey " ONLY
                           " -in mpc:release -pubout -out pub.pem && openssl "
                           "pkey -pubin -in pub.pem -outform DER -out pub2 && "
                           "cmp pub pub2");
    assert_sh("/dev/null", "openssl pkey -pubin -in pub.pem -noout -text_pub");
    OWNED_MEM char *stock = text_of("out");
    assert_string_equal(text, stock);
    assert_sh("/dev/null", "openssl pkey " ONLY
                           " -pubin -in mpc:release -outform DER -out pub3 && "
                           "cmp pub pub3");
    assert_int_equal(fake.signs, before);
}

static void writing_the_private_key_is_refused_with_words(void **state)
{
    static const char *const orders[] = { ONLY, MPC_1ST, MPC_2ND };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_not_equal(sh("/dev/null",
                                "openssl pkey %s -in mpc:release -outform DER "
                                "-out key",
                                orders[i]),
                             0);
        OWNED_MEM char *err = text_of("err");
        assert_non_null(strstr(err, "whole on none"));
        OWNED_MEM char *key = text_of("key");
        assert_string_equal(key, "");
    }
}

/* ---- configuration ------------------------------------------------------- */

#define DROP_IN MPC_SOURCE_DIR "/openssl.cnf.d/mpc.cnf"

static void sign_by(const char *conf)
{
    unsigned before = fake.signs;
    file_of("msg", 100);
    assert_sh(conf, "openssl pkey -in mpc:release -pubout -out pub.pem");
    assert_sh(conf, "openssl pkeyutl -sign -inkey mpc:release -rawin -in msg "
                    "-out sig");
    assert_int_equal(fake.signs, before + 1);
    stock_openssl_verifies("msg");
}

static void default_provider_works_by(const char *conf)
{
    assert_sh(conf, "openssl list -providers | tr -d ' ' | tr '\\n' ' '");
    OWNED_MEM char *out = text_of("out");
    assert_non_null(strstr(out, "default "));
    assert_non_null(strstr(out, "mpc "));
    assert_sh(conf, "openssl dgst -sha256 msg");
    assert_sh(conf, "openssl genpkey -algorithm ed25519 -out soft.pem && "
                    "openssl pkeyutl -sign -inkey soft.pem -rawin -in msg "
                    "-out sig2 && openssl pkey -in soft.pem -text -noout");
}

static void drop_in_works_alone(void **state)
{
    (void)state;
    sign_by(DROP_IN);
    default_provider_works_by(DROP_IN);
}

static void drop_in_works_after_stock_files(void **state)
{
    /* what Debian 12 and 13 ship, as far as providers are concerned */
    static const char *const stock[] = {
        "openssl_conf = openssl_init\n[openssl_init]\n"
        "# providers = provider_sect\n[rr]\ncmd = rr\n",
        "openssl_conf = openssl_init\n[openssl_init]\n"
        "providers = provider_sect\n[provider_sect]\ndefault = default_sect\n"
        "[default_sect]\n# activate = 1\n[rr]\ncmd = rr\n",
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char conf[1024];
        int n = snprintf(conf, sizeof(conf), "%s.include %s\n", stock[i],
                         MPC_SOURCE_DIR "/openssl.cnf.d");
        fake_file(&fake, "a.cnf", conf, (size_t)n);
        sign_by("a.cnf");
        default_provider_works_by("a.cnf");
    }
    if (access("/etc/ssl/openssl.cnf", R_OK) == 0) {
        assert_sh("/dev/null",
                  "cat /etc/ssl/openssl.cnf >b.cnf && echo "
                  "'.include " MPC_SOURCE_DIR "/openssl.cnf.d' >>b.cnf");
        sign_by("b.cnf");
        default_provider_works_by("b.cnf");
    }
}

/* The comments of the drop-in, taken at their word. */
static void drop_in_works_with_every_setting_on(void **state)
{
    (void)state;
    assert_sh("/dev/null",
              "mkdir evidence && sed -E -e 's/^#(timeout)/\\1/' -e "
              "'s/^#(legacy-bridge|decode-public-keys) = no$/\\1 = yes/' -e "
              "\"s|^#(evidence-dir) = .*|\\1 = $PWD/evidence|\" " DROP_IN
              " >all.cnf && test $(grep -cE "
              "'^(timeout|legacy-bridge|decode-public-keys|evidence-dir) = ' "
              "all.cnf) = 4");
    sign_by("all.cnf");
    default_provider_works_by("all.cnf");
    assert_sh("/dev/null",
              "test evidence/$(sha256sum <sig | cut -c 1-64).mpc.json = "
              "evidence/*");
}

/* ---- failures ------------------------------------------------------------ */

static void every_failure_of_a_signature_is_one_readable_line(void **state)
{
    static const struct {
        enum fake_mode mode;
        const char *words;
    } cases[] = {
        { FAKE_REFUSES, "approvals are missing:" },
        { FAKE_REFUSES, "bob has not approved; mpcsign approve" },
        { FAKE_GARBAGE, "no HTTP/1.1 status line" },
        { FAKE_CLOSES, "sidecar not reachable:" },
        { FAKE_WRONG_SIGNATURE, "does not verify with key release" },
    };
    (void)state;
    file_of("msg", 10);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake.sign_mode = cases[i].mode;
        assert_int_not_equal(sh("/dev/null",
                                "openssl pkeyutl -sign " MPC_1ST " -inkey "
                                "mpc:release -rawin -in msg -out sig"),
                             0);
        assert_one_error(cases[i].words);
    }
    fake.sign_mode = FAKE_OK;
}

static void an_absent_sidecar_is_one_line_with_a_remedy(void **state)
{
    static const char *const orders[] = { MPC_1ST, MPC_2ND, ONLY };
    (void)state;
    file_of("msg", 10);
    for (size_t i = 0; i < 3; i++) {
        assert_int_not_equal(sh("/dev/null",
                                "MPC_SIDECAR=/nonexistent/s.sock openssl "
                                "pkeyutl -sign %s -inkey mpc:release -rawin "
                                "-in msg -out sig",
                                orders[i]),
                             0);
        assert_one_error("or set MPC_SIDECAR");
    }
}

static void lists_show_what_is_offered(void **state)
{
    (void)state;
    assert_sh("/dev/null", "openssl list -signature-algorithms " MPC_2ND);
    OWNED_MEM char *sigs = text_of("out");
    assert_non_null(strstr(sigs, "mpc-ed25519 @ mpc"));
    assert_sh("/dev/null", "openssl list -store-loaders " MPC_2ND);
    OWNED_MEM char *loaders = text_of("out");
    assert_non_null(strstr(loaders, "mpc @ mpc"));
}

static void certificate_requests_take_one_signature(void **state)
{
    (void)state;
    unsigned before = fake.signs;
    assert_sh("/dev/null", "openssl req -new " MPC_2ND
                           " -key mpc:release -subj /CN=x -out csr.pem");
    assert_int_equal(fake.signs, before + 1);
    assert_sh("/dev/null", "openssl req -in csr.pem -verify -noout");
    assert_sh("/dev/null", "openssl req -new -x509 " MPC_2ND
                           " -key mpc:release -subj /CN=x -out crt.pem");
    assert_int_equal(fake.signs, before + 2);
    assert_sh("/dev/null", "openssl verify -CAfile crt.pem crt.pem");
}

/* ---- without openssl ----------------------------------------------------- */

static void module_exports_one_symbol(void **state)
{
    (void)state;
    assert_sh("/dev/null", NM_PROGRAM
              " -D --defined-only " MODULES
              "/mpc.so | awk '{print $NF}' | grep -v '^__\\|^_edata\\|^_end' | "
              "sort | tr '\\n' ' '");
    OWNED_MEM char *out = text_of("out");
    assert_string_equal(out, "OSSL_provider_init ");
}

int main(void)
{
#ifndef MPC_SANITIZED
    const struct CMUnitTest with_openssl[] = {
        cmocka_unit_test(signs_with_every_order_of_providers),
        cmocka_unit_test(a_changed_file_does_not_verify),
        cmocka_unit_test(signs_files_of_every_size),
        cmocka_unit_test(one_byte_over_the_limit_is_one_error_with_both_sizes),
        cmocka_unit_test(empty_files_go_as_far_as_with_a_stock_key),
        cmocka_unit_test(public_key_and_text_need_no_default_provider),
        cmocka_unit_test(writing_the_private_key_is_refused_with_words),
        cmocka_unit_test(drop_in_works_alone),
        cmocka_unit_test(drop_in_works_after_stock_files),
        cmocka_unit_test(drop_in_works_with_every_setting_on),
        cmocka_unit_test(every_failure_of_a_signature_is_one_readable_line),
        cmocka_unit_test(an_absent_sidecar_is_one_line_with_a_remedy),
        cmocka_unit_test(lists_show_what_is_offered),
        cmocka_unit_test(certificate_requests_take_one_signature),
        cmocka_unit_test(module_exports_one_symbol),
    };
    return cmocka_run_group_tests(with_openssl, shell_up, shell_down);
#else
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(module_exports_one_symbol),
    };
    (void)signs_with_every_order_of_providers;
    (void)a_changed_file_does_not_verify;
    (void)signs_files_of_every_size;
    (void)one_byte_over_the_limit_is_one_error_with_both_sizes;
    (void)empty_files_go_as_far_as_with_a_stock_key;
    (void)public_key_and_text_need_no_default_provider;
    (void)writing_the_private_key_is_refused_with_words;
    (void)drop_in_works_alone;
    (void)drop_in_works_after_stock_files;
    (void)drop_in_works_with_every_setting_on;
    (void)every_failure_of_a_signature_is_one_readable_line;
    (void)an_absent_sidecar_is_one_line_with_a_remedy;
    (void)lists_show_what_is_offered;
    (void)certificate_requests_take_one_signature;
    print_message("sanitized build: only module_exports_one_symbol runs here; "
                  "the module is exercised by the other test_provider_*\n");
    return cmocka_run_group_tests(alone, shell_up, shell_down);
#endif
}

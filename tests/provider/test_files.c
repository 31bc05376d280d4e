/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key references as files, used by the real openssl program wherever a key
 * file would be.
 */
#include "shell.h"

#include "base/own.h"

#define MPC_1ST "-provider mpc -provider default"
#define MPC_2ND "-provider default -provider mpc"

/* Not mpc alone: it is the default provider that opens files. */
static const char *const orders[] = { MPC_2ND, MPC_1ST };
#define ORDERS (sizeof(orders) / sizeof(orders[0]))

/* PKCS#8, as mpcsign key ref NAME --cms writes it: "mpc:release". */
static const char pkcs8_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MB4CAQAwDAYKKwYBBAGB/VkBAQQLbXBjOnJlbGVhc2U=\n"
                                "-----END PRIVATE KEY-----\n";
static const char ref_pem[] = "-----BEGIN MPC KEY REFERENCE-----\n"
                              "bXBjOnJlbGVhc2U=\n"
                              "-----END MPC KEY REFERENCE-----\n";

static int each_up(void **state)
{
    fake_file(&fake, "ref.pem", ref_pem, sizeof(ref_pem) - 1);
    fake_file(&fake, "p8.pem", pkcs8_pem, sizeof(pkcs8_pem) - 1);
    file_of("msg", 64);
    fake.key_mode = fake.sign_mode = FAKE_OK;
    (void)state;
    return 0;
}

static void sign_by(const char *order, const char *key)
{
    unsigned before = fake.signs;
    assert_sh("/dev/null",
              "rm -f sig pub.pem; openssl pkey %s -in %s -pubout -out pub.pem",
              order, key);
    assert_int_equal(fake.signs, before);
    assert_sh("/dev/null",
              "openssl pkeyutl -sign %s -inkey %s -rawin -in msg -out sig",
              order, key);
    assert_int_equal(fake.signs, before + 1);
    OWNED_MEM char *err = text_of("err");
    assert_string_equal(err, "");
    assert_sh("/dev/null", "openssl pkeyutl -verify -rawin -pubin -inkey "
                           "pub.pem -in msg -sigfile sig");
}

static void a_reference_signs_as_a_key_file_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < ORDERS; i++) {
        sign_by(orders[i], "ref.pem");
        sign_by(orders[i], "p8.pem");
    }
}

static void a_written_key_is_a_reference_that_signs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ORDERS; i++) {
        assert_sh("/dev/null",
                  "rm -f new.pem; openssl pkey %s -in mpc:release -out new.pem",
                  orders[i]);
        OWNED_MEM char *pem = text_of("new.pem");
        assert_string_equal(pem, ref_pem);
        sign_by(orders[i], "new.pem");
    }
}

static void a_reference_keeps_the_session_it_was_given(void **state)
{
    static const char hex[] = "00112233445566778899aabbccddeeff"
                              "00112233445566778899aabbccddeeff";
    (void)state;
    assert_sh("/dev/null",
              "openssl pkey " MPC_2ND
              " -in 'mpc:release?session=%s' -out new.pem",
              hex);
    sign_by(MPC_2ND, "new.pem");
    assert_string_equal(fake.session, hex);
    assert_sh("/dev/null",
              "MPC_SESSION=%s openssl pkey " MPC_2ND
              " -in mpc:release -out new.pem",
              hex);
    OWNED_MEM char *pem = text_of("new.pem");
    assert_string_equal(pem, ref_pem);
}

static void every_other_private_form_is_refused_with_words(void **state)
{
    static const char *const lines[] = {
        "pkey -in ref.pem -outform DER -out key " MPC_2ND,
        "pkcs12 -export -inkey ref.pem -nocerts -passout pass:x -out "
        "key " MPC_2ND,
        "pkcs8 -topk8 -in ref.pem -outform DER -nocrypt -out key " MPC_2ND,
        "pkey -in ref.pem -aes256 -passout pass:x -out key " MPC_2ND,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (sh("/dev/null", "rm -f key; openssl %s", lines[i]) == 0)
            fail_msg("%s", lines[i]);
        OWNED_MEM char *err = text_of("err");
        if (!strstr(err, "whole on none") && !strstr(err, "not encrypted"))
            fail_msg("%s:\n%s", lines[i], err);
        assert_sh("/dev/null", "! test -s key");
    }
}

/* haproxy, and many others: certificate first or last, and text between. */
static void a_reference_is_found_beside_certificates(void **state)
{
    (void)state;
    assert_sh("/dev/null", "openssl req -new -x509 " MPC_2ND
                           " -key ref.pem -subj /CN=x -out crt.pem");
    assert_sh("/dev/null",
              "cat crt.pem ref.pem >a.pem; cat ref.pem crt.pem >b.pem; "
              "{ echo what; cat crt.pem; echo ever; cat crt.pem ref.pem; } "
              ">c.pem");
    for (size_t i = 0; i < ORDERS; i++) {
        sign_by(orders[i], "a.pem");
        sign_by(orders[i], "b.pem");
        sign_by(orders[i], "c.pem");
    }
    assert_sh("/dev/null", "openssl x509 " MPC_2ND " -in b.pem -noout");
    assert_sh("/dev/null", "openssl x509 " MPC_2ND " -in a.pem -noout");
}

static void a_reference_that_is_no_good_is_one_error(void **state)
{
    static const struct {
        const char *body;
        const char *words;
    } cases[] = {
        { "bXBjOlJlbGVhc2U=", "character 1 of the name" },
        { "bXBjOnJlbGVhc2UK", "character 8 of the name" },
        { "ZmlsZTp4", "does not begin with mpc:" },
        { "", "does not begin with mpc:" },
        { "bXBjOnJlbGVhc2U", "not base64; write it again" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char pem[200];
        int n = snprintf(pem, sizeof(pem),
                         "-----BEGIN MPC KEY REFERENCE-----\n%s\n"
                         "-----END MPC KEY REFERENCE-----\n",
                         cases[i].body);
        fake_file(&fake, "bad.pem", pem, (size_t)n);
        for (size_t j = 0; j < ORDERS; j++) {
            unsigned before = fake.keys;
            assert_int_not_equal(sh("/dev/null",
                                    "openssl pkey %s -in bad.pem -noout",
                                    orders[j]),
                                 0);
            assert_one_error(cases[i].words);
            assert_int_equal(fake.keys, before);
        }
    }
}

static void an_absent_sidecar_is_one_error_for_files_too(void **state)
{
    static const char *const files[] = { "ref.pem", "p8.pem" };
    (void)state;
    for (size_t i = 0; i < ORDERS; i++)
        for (size_t j = 0; j < 2; j++) {
            /* there the default provider comes before us, and is heard */
            if (j == 1 && strcmp(orders[i], MPC_1ST) == 0)
                continue;
            assert_int_not_equal(sh("/dev/null",
                                    "MPC_SIDECAR=/nonexistent/s.sock openssl "
                                    "pkeyutl -sign %s -inkey %s -rawin -in msg "
                                    "-out sig",
                                    orders[i], files[j]),
                                 0);
            assert_one_error("or set MPC_SIDECAR");
        }
    unsigned before = fake.keys;
    fake.key_mode = FAKE_REFUSES;
    assert_int_not_equal(
            sh("/dev/null", "openssl pkey " MPC_2ND " -in ref.pem -noout"), 0);
    assert_one_error("bob has not approved; mpcsign approve");
    assert_int_equal(fake.keys, before + 1);
}

static size_t der_of(const char *name, uint8_t *to, size_t size)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", fake.dir, name);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    size_t len = fread(to, 1, size, in);
    assert_true(len > 0 && len < size);
    fclose(in);
    return len;
}

static void a_key_names_the_root_that_a_chain_is_verified_with(void **state)
{
    (void)state;
    assert_sh("/dev/null",
              "openssl req -x509 -newkey ed25519 -nodes -keyout ca.key -out "
              "ca.pem -subj '/CN=the root' && "
              "openssl req -newkey ed25519 -nodes -keyout l.key -subj /CN=leaf "
              "-out l.csr && openssl x509 -req -in l.csr -CA ca.pem -CAkey "
              "ca.key -CAcreateserial -out l.pem && "
              "openssl x509 -in ca.pem -outform DER -out ca.der && "
              "openssl x509 -in l.pem -outform DER -out l.der");
    fake.cert_len = der_of("l.der", fake.cert, sizeof(fake.cert));
    fake.root_len = der_of("ca.der", fake.root, sizeof(fake.root));
    for (size_t i = 0; i < ORDERS; i++)
        assert_sh("/dev/null",
                  "openssl verify %s -no-CAfile -no-CApath -CAstore "
                  "mpc:release l.pem",
                  orders[i]);
    assert_sh("/dev/null", "openssl x509 -in ca.pem -noout -subject && openssl "
                           "x509 " MPC_2ND " -in mpc:release -outform DER "
                           "-out x.der && cmp x.der l.der");
    fake.root_len = 0;
    assert_int_not_equal(sh("/dev/null", "openssl verify " MPC_2ND
                                         " -no-CAfile -no-CApath -CAstore "
                                         "mpc:release l.pem"),
                         0);
    fake.cert_len = 0;
}

/* All by names: who signs, with what, and whom to trust. */
static void a_cms_message_is_verified_with_the_root_that_a_key_names(
        void **state)
{
    static const char conf[] =
            "openssl_conf = i\n[i]\nproviders = p\n[p]\ndefault = d\nmpc = "
            "m\n[d]\nactivate = 1\n[m]\nactivate = 1\nlegacy-bridge = yes\n"
            "decode-public-keys = yes\n[req]\ndistinguished_name = n\n[n]\n";
    (void)state;
    fake_file(&fake, "all.cnf", conf, sizeof(conf) - 1);
    assert_sh("all.cnf",
              "openssl req -x509 -newkey ed25519 -nodes -keyout ca.key -out "
              "ca.pem -subj '/CN=the root' -addext "
              "basicConstraints=critical,CA:true && "
              "openssl req -new -key ref.pem -subj /CN=leaf -out k.csr && "
              "openssl x509 -req -in k.csr -CA ca.pem -CAkey ca.key "
              "-CAcreateserial -outform DER -out k.der && "
              "openssl x509 -in ca.pem -outform DER -out ca.der");
    fake.cert_len = der_of("k.der", fake.cert, sizeof(fake.cert));
    fake.root_len = der_of("ca.der", fake.root, sizeof(fake.root));
    unsigned before = fake.signs;
    assert_sh("all.cnf",
              "openssl cms -sign -binary -in msg -signer mpc:release "
              "-inkey p8.pem -outform DER -out m.p7s");
    assert_int_equal(fake.signs, before + 1);
    assert_sh("all.cnf", "openssl cms -verify -binary -content msg -inform DER "
                         "-in m.p7s -no-CAfile -no-CApath -CAstore mpc:release "
                         "-purpose any -out m && cmp m msg");
    assert_int_not_equal(sh("all.cnf",
                            "openssl cms -verify -binary -content msg -inform "
                            "DER -in m.p7s -no-CAfile -no-CApath -purpose any "
                            "-out m"),
                         0);
    fake.cert_len = fake.root_len = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_reference_signs_as_a_key_file_does, each_up),
        cmocka_unit_test_setup(a_written_key_is_a_reference_that_signs,
                               each_up),
        cmocka_unit_test_setup(a_reference_keeps_the_session_it_was_given,
                               each_up),
        cmocka_unit_test_setup(every_other_private_form_is_refused_with_words,
                               each_up),
        cmocka_unit_test_setup(a_reference_is_found_beside_certificates,
                               each_up),
        cmocka_unit_test_setup(a_reference_that_is_no_good_is_one_error,
                               each_up),
        cmocka_unit_test_setup(an_absent_sidecar_is_one_error_for_files_too,
                               each_up),
        cmocka_unit_test_setup(
                a_key_names_the_root_that_a_chain_is_verified_with, each_up),
        cmocka_unit_test_setup(
                a_cms_message_is_verified_with_the_root_that_a_key_names,
                each_up),
    };
    return cmocka_run_group_tests(tests, shell_up, shell_down);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often each openssl command signs: once where it signs, else never; and
 * the commands that can not, which must say so and sign nothing.
 */
#include "shell.h"

#include "base/own.h"

#define WITH "-provider default -provider mpc"

static const char ref_pem[] = "-----BEGIN MPC KEY REFERENCE-----\n"
                              "bXBjOnJlbGVhc2U=\n"
                              "-----END MPC KEY REFERENCE-----\n";

/* Everything that the commands below read, but for what they make. */
static int prepare(void **state)
{
    static const char ca_cnf[] =
            "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nserial = serial\n"
            "new_certs_dir = .\ncertificate = ca.pem\ndefault_days = 1\n"
            "default_crl_days = 1\npolicy = p\ncrlnumber = serial\n[p]\n"
            "commonName = supplied\n"
            "[tsa]\nserial = serial\ncrypto_device = builtin\n"
            "default_policy = 1.2.3\nother_policies = 1.2.4\n"
            "digests = sha256\nsigner_digest = sha256\naccuracy = secs:1\n"
            "ordering = yes\ntsa_name = yes\ness_cert_id_chain = no\n"
            "[tsa_default]\n[ts]\n";
    shell_up(state);
    fake_file(&fake, "ref.pem", ref_pem, sizeof(ref_pem) - 1);
    fake_file(&fake, "ca.cnf", ca_cnf, sizeof(ca_cnf) - 1);
    file_of("msg", 64);
    assert_sh("/dev/null",
              "touch index.txt && echo 01 >serial && "
              "openssl req -new -x509 " WITH
              " -key ref.pem -subj /CN=root -addext "
              "basicConstraints=critical,CA:true -out ca.pem && "
              "openssl req -new -x509 " WITH
              " -key ref.pem -subj /CN=tsa -addext "
              "extendedKeyUsage=critical,timeStamping -out tsa.pem && "
              "openssl req -newkey ed25519 -nodes -keyout l.key -subj /CN=leaf "
              "-out l.csr");
    return 0;
}

static void assert_signs(const char *line, unsigned want)
{
    unsigned before = fake.signs;
    if (sh("/dev/null", "openssl %s", line) != 0)
        fail_msg("openssl %s: %s", line, text_of("err"));
    if (fake.signs - before != want)
        fail_msg("openssl %s: %u signatures, want %u", line,
                 (unsigned)(fake.signs - before), want);
}

static void commands_that_sign_do_it_once(void **state)
{
    static const char *const lines[] = {
        "pkeyutl -sign -inkey mpc:release -rawin -in msg -out sig " WITH,
        "pkeyutl -sign -inkey ref.pem -rawin -in msg -out sig " WITH,
        "req -new -key mpc:release -subj /CN=x -out x.csr " WITH,
        "req -new -key ref.pem -sha256 -subj /CN=x -out x.csr " WITH,
        "req -new -x509 -key ref.pem -subj /CN=x -out x.pem " WITH,
        "x509 -req -in l.csr -CA ca.pem -CAkey mpc:release -CAcreateserial "
        "-out l.pem " WITH,
        "x509 -req -in l.csr -CA ca.pem -CAkey ref.pem -out l.pem " WITH,
        "x509 -in ca.pem -signkey ref.pem -out c2.pem " WITH,
        "ca -batch -config ca.cnf -keyfile mpc:release -in l.csr -notext "
        "-md sha256 -out l2.pem " WITH,
        "ca -config ca.cnf -keyfile ref.pem -gencrl -out crl.pem " WITH,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_signs(lines[i], 1);
    assert_sh("/dev/null",
              "openssl verify -CAfile ca.pem l.pem l2.pem && openssl crl -in "
              "crl.pem -CAfile ca.pem -noout 2>&1 | grep 'verify OK'");
}

static void commands_that_only_read_never_sign(void **state)
{
    static const char *const lines[] = {
        "pkey -in mpc:release -pubout -out pub.pem " WITH,
        "pkey -in ref.pem -pubout -outform DER -out pub.der " WITH,
        "pkey -in mpc:release -text -noout " WITH,
        "pkey -in mpc:release -check -noout " WITH,
        "pkey -in mpc:release -out again.pem " WITH,
        "storeutl -keys " WITH " mpc:release",
        "x509 -in ca.pem -noout -text " WITH,
        "req -in l.csr -verify -noout " WITH,
        "verify " WITH " -CAfile ca.pem ca.pem",
        "list -providers " WITH,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_signs(lines[i], 0);
}

/* PKCS#7 and a signature without attributes: neither exists for Ed25519. */
static void commands_that_can_not_sign_say_so(void **state)
{
    static const struct {
        const char *line;
        const char *words;
    } cases[] = {
        { "smime -sign -md sha512 -in msg -signer ca.pem -inkey ref.pem -out "
          "o " WITH,
          "signing not supported for this key type" },
        { "smime -sign -in msg -signer ca.pem -inkey ref.pem -out o " WITH,
          "PKCS7_sign_add_signer" },
        { "cms -sign -noattr -md sha512 -in msg -signer ca.pem -inkey ref.pem "
          "-out o " WITH,
          "operation not supported for this keytype" },
        { "pkcs12 -export -inkey ref.pem -in ca.pem -passout pass:x -out "
          "o " WITH,
          "whole on none" },
        { "dgst -sha512 -sign ref.pem -out o " WITH " msg",
          "Key type not supported" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned before = fake.signs;
        if (sh("/dev/null", "rm -f o; openssl %s", cases[i].line) == 0)
            fail_msg("openssl %s: succeeded", cases[i].line);
        OWNED_MEM char *err = text_of("err");
        if (!strstr(err, cases[i].words))
            fail_msg("openssl %s: want \"%s\", got:\n%s", cases[i].line,
                     cases[i].words, err);
        assert_int_equal(fake.signs, before);
        /* CMS writes its MIME head before it knows */
        assert_int_not_equal(sh("/dev/null", "openssl cms -in o -cmsout -noout"
                                             " 2>/dev/null"),
                             0);
    }
}

/* That protocol's own way of failing: a reply that says so. */
static void a_timestamp_is_rejected_in_its_reply(void **state)
{
    (void)state;
    unsigned before = fake.signs;
    assert_sh("/dev/null",
              "openssl ts -query -data msg -sha256 -out q && openssl ts -reply "
              "-config ca.cnf -section tsa -queryfile q -signer tsa.pem -inkey "
              "ref.pem -out o " WITH " && openssl ts -reply -in o -text");
    OWNED_MEM char *out = text_of("out");
    assert_non_null(strstr(out, "Status: Rejected."));
    assert_non_null(strstr(out, "Error during signature generation"));
    assert_non_null(strstr(out, "TST info:\nNot included."));
    assert_int_equal(fake.signs, before);
}

/* Where mpc can not be loaded, or nobody answers, the rest goes on. */
static void a_missing_module_or_sidecar_breaks_nothing_else(void **state)
{
    static const char head[] =
            "openssl_conf = i\n[i]\nproviders = p\nconfig_diagnostics = 1\n"
            "[p]\n";
    static const char *const confs[] = {
        "default = d\nmpc = m\n[d]\nactivate = 1\n[m]\nactivate = 1\n"
        "module = /nonexistent/mpc.so\n",
        "mpc = m\ndefault = d\n[d]\nactivate = 1\n[m]\nactivate = 1\n"
        "module = /nonexistent/mpc.so\n",
        "default = d\nmpc = m\n[d]\nactivate = 1\n[m]\nactivate = 1\n"
        "decode-public-keys = yes\nlegacy-bridge = yes\n",
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char conf[512];
        int n = snprintf(conf, sizeof(conf), "%s%s", head, confs[i]);
        fake_file(&fake, "x.cnf", conf, (size_t)n);
        assert_sh(
                "x.cnf",
                "export MPC_SIDECAR=/nonexistent/s.sock; "
                "openssl dgst -sha256 msg && "
                "openssl genpkey -algorithm ed25519 -out s.pem && "
                "openssl pkeyutl -sign -inkey s.pem -rawin -in msg -out s && "
                "openssl pkey -in s.pem -pubout -out s.pub && "
                "openssl pkeyutl -verify -pubin -inkey s.pub -rawin -in msg "
                "-sigfile s && "
                "openssl req -new -x509 -newkey rsa:2048 -nodes -keyout r.pem "
                "-subj /CN=x -out r.crt && openssl verify -CAfile r.crt r.crt");
        assert_int_not_equal(sh("x.cnf",
                                "MPC_SIDECAR=/nonexistent/s.sock openssl "
                                "pkeyutl -sign -inkey mpc:release -rawin -in "
                                "msg -out s"),
                             0);
        OWNED_MEM char *err = text_of("err");
        assert_non_null(strstr(err, i < 2 ? "unregistered scheme"
                                          : "or set MPC_SIDECAR"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_that_sign_do_it_once),
        cmocka_unit_test(commands_that_only_read_never_sign),
        cmocka_unit_test(commands_that_can_not_sign_say_so),
        cmocka_unit_test(a_timestamp_is_rejected_in_its_reply),
        cmocka_unit_test(a_missing_module_or_sidecar_breaks_nothing_else),
    };
    return cmocka_run_group_tests(tests, prepare, shell_down);
}

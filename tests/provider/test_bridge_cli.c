/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stock openssl program with a key file of the bridge: nothing is given
 * to it but OPENSSL_CONF.
 */
#include "shell.h"

#include "base/own.h"

#define CMS "openssl cms -sign -binary -in msg -signer cert.pem "

static const char pkcs8_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MB4CAQAwDAYKKwYBBAGB/VkBAQQLbXBjOnJlbGVhc2U=\n"
                                "-----END PRIVATE KEY-----\n";

static void conf_of(const char *name, const char *order)
{
    char conf[512];
    int n = snprintf(conf, sizeof(conf),
                     "openssl_conf = init\n[init]\nproviders = provs\n"
                     "[provs]\n%s\n[dflt]\nactivate = 1\n[mpc]\nactivate = 1\n"
                     "module = " MODULES "/mpc.so\nlegacy-bridge = yes\n"
                     "decode-public-keys = yes\n"
                     "[req]\ndistinguished_name = dn\n[dn]\n",
                     order);
    assert_true(n > 0 && (size_t)n < sizeof(conf));
    fake_file(&fake, name, conf, (size_t)n);
}

/* A certificate of the fake's key, made with the half that only a fake has. */
static void certificate(void)
{
    uint8_t der[48] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                        0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
    memcpy(der + 16, fake.sk, 32);
    fake_file(&fake, "soft.der", der, sizeof(der));
    assert_sh("/dev/null",
              "printf '[req]\\ndistinguished_name = dn\\n[dn]\\n"
              "[x]\\nsubjectKeyIdentifier = hash\\n"
              "basicConstraints = CA:TRUE\\n' >req.cnf; "
              "OPENSSL_CONF=req.cnf openssl req -new -x509 -key soft.der "
              "-keyform DER -subj /CN=release -extensions x -out cert.pem");
}

static int up(void **state)
{
    shell_up(state);
    conf_of("first.cnf", "default = dflt\nmpc = mpc");
    conf_of("last.cnf", "mpc = mpc\ndefault = dflt");
    fake_file(&fake, "release.pem", pkcs8_pem, sizeof(pkcs8_pem) - 1);
    file_of("msg", 1000);
    certificate();
    return 0;
}

static int each(void **state)
{
    (void)state;
    fake.key_mode = fake.sign_mode = FAKE_OK;
    return 0;
}

/* rc 0, not a word, and `signs` signatures. */
#define assert_quiet(signs_wanted, conf, ...)                                  \
    do {                                                                       \
        unsigned before_ = fake.signs;                                         \
        assert_sh(conf, __VA_ARGS__);                                          \
        OWNED_MEM char *err_ = text_of("err");                                 \
        assert_string_equal(err_, "");                                         \
        assert_int_equal(fake.signs, before_ + (signs_wanted));                \
    } while (0)

static void cms_signs_and_verifies_by_configuration_alone(void **state)
{
    static const char *const confs[] = { "first.cnf", "last.cnf" };
    static const char *const flags[] = { "", "-nodetach", "-md sha512",
                                         "-nosmimecap -cades", "-keyid" };
    (void)state;
    for (size_t i = 0; i < 10; i++) {
        const char *conf = confs[i % 2];
        assert_quiet(1, conf,
                     CMS "-inkey release.pem %s -outform DER -out msg.p7s",
                     flags[i / 2]);
        assert_sh(conf, "openssl cms -verify -binary -inform DER -in msg.p7s "
                        "-content msg -CAfile cert.pem -purpose any "
                        "-out verified && cmp msg verified");
        assert_int_not_equal(sh(conf, "printf y >>msg2; openssl cms -verify "
                                      "-binary -inform DER -in msg.p7s "
                                      "-content msg2 -CAfile cert.pem "
                                      "-purpose any -out /dev/null"),
                             0);
    }
}

static void the_same_file_serves_the_other_commands(void **state)
{
    (void)state;
    assert_quiet(0, "first.cnf",
                 "openssl pkey -in release.pem -pubout -out pub.pem");
    assert_quiet(1, "first.cnf",
                 "openssl pkeyutl -sign -rawin -inkey release.pem -in msg "
                 "-out sig");
    assert_sh("/dev/null", "openssl pkeyutl -verify -rawin -pubin -inkey "
                           "pub.pem -in msg -sigfile sig");
    assert_quiet(1, "first.cnf",
                 "openssl req -new -key release.pem -subj /CN=x -out csr.pem");
    assert_sh("/dev/null", "openssl req -verify -in csr.pem -noout");
    assert_quiet(1, "first.cnf",
                 "openssl req -new -x509 -key release.pem -subj /CN=x "
                 "-out self.pem");
    assert_sh("/dev/null", "openssl verify -CAfile self.pem self.pem");
    assert_quiet(1, "first.cnf",
                 "openssl x509 -req -in csr.pem -CA cert.pem -CAkey "
                 "release.pem -days 1 -out leaf.pem 2>/dev/null");
    assert_sh("/dev/null", "openssl verify -CAfile cert.pem leaf.pem");
    assert_quiet(0, "first.cnf", "openssl pkey -in release.pem -noout -text");
    OWNED_MEM char *text = text_of("out");
    assert_non_null(strstr(text, "mpc:release"));
    assert_quiet(0, "first.cnf",
                 "openssl genpkey -algorithm ED25519 -out new.pem");
    assert_quiet(0, "first.cnf",
                 "openssl pkeyutl -sign -rawin -inkey new.pem -in msg "
                 "-out sig");
}

/* Ours is the first line, and no signature was made. */
static void refused(const char *line, const char *words)
{
    unsigned before = fake.signs;
    assert_int_not_equal(sh("first.cnf", "%s", line), 0);
    OWNED_MEM char *err = text_of("err");
    const char *first = strstr(err, ":error:");
    const char *ours = strstr(err, ":mpc:");
    if (!ours || ours > strchr(first, '\n') || !strstr(ours, words))
        fail_msg("%s: want \"%s\", got:\n%s", line, words, err);
    assert_int_equal(fake.signs, before);
}

static void what_nobody_could_verify_is_refused(void **state)
{
    (void)state;
    refused(CMS "-noattr -inkey release.pem -outform DER -out bad.p7s",
            "leave out -noattr");
    refused(CMS "-md sha256 -inkey release.pem -outform DER -out bad.p7s",
            "it must be sha512");
    refused("openssl smime -sign -binary -in msg -signer cert.pem "
            "-inkey release.pem -outform DER -out bad.p7s",
            "PKCS#7 has no Ed25519");
    refused("openssl pkeyutl -sign -inkey release.pem -in msg -out bad.p7s",
            "give -rawin");
    assert_sh("/dev/null", "test ! -s bad.p7s");
}

/* A time stamp is PKCS#7, and its openssl.cnf names the key file. */
static void time_stamps_are_refused(void **state)
{
    (void)state;
    assert_sh("/dev/null",
              "cat first.cnf >ts.cnf && printf '[tsa]\\ndefault_tsa = t\\n"
              "[t]\\nserial = serial\\nsigner_cert = tsa.pem\\n"
              "signer_key = release.pem\\nsigner_digest = sha512\\n"
              "default_policy = 1.2.3.4\\ndigests = sha512\\n"
              "[req]\\ndistinguished_name = dn\\n[dn]\\n[x]\\n"
              "extendedKeyUsage = critical,timeStamping\\n' >>ts.cnf && "
              "OPENSSL_CONF=ts.cnf openssl req -new -x509 -key soft.der "
              "-keyform DER -subj /CN=tsa -extensions x -out tsa.pem && "
              "openssl ts -query -data msg -sha512 -out query.tsq");
    unsigned before = fake.signs;
    int rc = sh("ts.cnf", "openssl ts -reply -config ts.cnf -section t "
                          "-queryfile query.tsq -out bad.tsr");
    OWNED_MEM char *err = text_of("err");
    OWNED_MEM char *out = text_of("out");
    if (!strstr(err, "PKCS#7 has no Ed25519"))
        fail_msg("ts: rc %d, got:\n%s%s", rc, out, err);
    assert_int_equal(fake.signs, before);
    /* stock ts exits with 0 even so: its answer says that there is none */
    assert_sh("first.cnf", "openssl ts -reply -in bad.tsr -text | "
                           "grep -q 'Status: Rejected'");
}

static void the_private_half_is_refused(void **state)
{
    (void)state;
    refused("openssl pkey -in release.pem -out bad.pem", "can not be exported");
    refused("openssl pkey -in release.pem -outform DER -out bad.pem",
            "can not be exported");
    refused("openssl pkcs12 -export -inkey release.pem -in cert.pem "
            "-passout pass:x -out bad.pem",
            "can not be exported");
    assert_sh("/dev/null", "test ! -s bad.pem");
}

static void a_failure_is_told_in_one_line(void **state)
{
    (void)state;
    fake.key_mode = FAKE_REFUSES;
    assert_int_not_equal(sh("first.cnf", CMS "-inkey release.pem -out bad.p7s"),
                         0);
    assert_one_error("bob has not approved; mpcsign approve");
    fake.key_mode = FAKE_OK;
    fake.sign_mode = FAKE_REFUSES; /* which counts: it was asked */
    assert_int_not_equal(sh("first.cnf", CMS "-inkey release.pem -out bad.p7s"),
                         0);
    OWNED_MEM char *err = text_of("err");
    assert_non_null(strstr(err, "bob has not approved; mpcsign approve"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cms_signs_and_verifies_by_configuration_alone,
                               each),
        cmocka_unit_test_setup(the_same_file_serves_the_other_commands, each),
        cmocka_unit_test_setup(what_nobody_could_verify_is_refused, each),
        cmocka_unit_test_setup(time_stamps_are_refused, each),
        cmocka_unit_test_setup(the_private_half_is_refused, each),
        cmocka_unit_test_setup(a_failure_is_told_in_one_line, each),
    };
    return cmocka_run_group_tests(tests, up, shell_down);
}

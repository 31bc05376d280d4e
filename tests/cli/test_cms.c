/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and CMS signatures by a real cluster. */
#include "cluster.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* ---- certificates ------------------------------------------------------- */

static X509 *next_certificate(BIO *bio)
{
    return PEM_read_bio_X509(bio, NULL, NULL, NULL);
}

static void a_certificate_is_the_keys_under_the_root(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "cert", "mpc:release", in("chain.pem"));
    assert_code(&r, 0);
    assert_string_equal(r.out, "");
    run_free(&r);
    BIO *file = BIO_new_file(in("chain.pem"), "r");
    X509 *leaf = next_certificate(file);
    X509 *root = next_certificate(file);
    assert_non_null(leaf);
    assert_non_null(root);
    assert_null(next_certificate(file));
    assert_int_equal(X509_verify(leaf, X509_get0_pubkey(root)), 1);
    assert_int_equal(X509_check_ca(leaf), 0);
    BIO *trusted = BIO_new_file(in("c/ca.pem"), "r");
    X509 *ca = next_certificate(trusted);
    assert_int_equal(X509_cmp(root, ca), 0);
    X509_free(ca);
    X509_free(root);
    X509_free(leaf);
    BIO_free(trusted);
    BIO_free(file);
}

static void keys_without_certificates_say_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int code;
        const char *says;
    } cases[] = {
        { "web", 6, "openssl req -x509 -key mpc:web" },
        { "ca", 6, "the root" },
        { "nothing", 1, "key nothing" },
        { "Web", 2, "character 1" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct run r;
        RUN(&r, "cert", cases[i].name);
        assert_code(&r, cases[i].code);
        assert_string_equal(r.out, "");
        if (!strstr(r.err, cases[i].says))
            fail_msg("%s: %s", cases[i].name, r.err);
        run_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_the_keys_under_the_root),
        cmocka_unit_test(keys_without_certificates_say_what_to_do),
    };
    return cmocka_run_group_tests(tests, cluster_setup, cluster_teardown);
}

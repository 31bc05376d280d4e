/* SPDX-License-Identifier: Apache-2.0 */
/* mpc:NAME through OSSL_STORE, against a fake sidecar. */
#include "test.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/store.h>
#include <openssl/x509.h>

#include "base/own.h"
#include "rig.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(X509, X509_free);

static void the_uri_and_its_session_reach_the_sidecar(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release?session=" HEX64);
    uint8_t sig[64];
    assert_string_equal(rig_fake.target, "/v1/key/release?session=" HEX64);
    assert_int_equal(rig_sign(rig_both, key, "hello", 5, sig), 1);
    assert_string_equal(rig_fake.session, HEX64);
    OWNED(EVP_PKEY) *plain = rig_need_key(rig_both, "mpc:release");
    assert_string_equal(rig_fake.target, "/v1/key/release");
    assert_int_equal(rig_sign(rig_both, plain, "hello", 5, sig), 1);
    assert_string_equal(rig_fake.session, "");
}

static void expectation_decides_what_comes(void **state)
{
    (void)state;
    OWNED(X509) *x = rig_certificate(rig_both);
    uint8_t *der = NULL;
    int len = i2d_X509(x, &der);
    assert_true(len > 0 && (size_t)len <= sizeof(rig_fake.cert));
    memcpy(rig_fake.cert, der, (size_t)len);
    rig_fake.cert_len = (size_t)len;
    OPENSSL_free(der);

    unsigned certs = rig_fake.certs;
    OSSL_STORE_INFO *info = rig_load(rig_both, "mpc:release",
                                     OSSL_STORE_INFO_PUBKEY);
    assert_non_null(info);
    OWNED(EVP_PKEY) *pub = OSSL_STORE_INFO_get1_PUBKEY(info);
    OSSL_STORE_INFO_free(info);
    assert_non_null(pub);
    uint8_t sig[64];
    assert_int_equal(rig_sign(rig_both, pub, "hello", 5, sig), 0);
    ERR_clear_error();
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    assert_int_equal(rig_fake.certs, certs);

    info = rig_load(rig_both, "mpc:release", OSSL_STORE_INFO_CERT);
    assert_non_null(info);
    assert_int_equal(X509_cmp(OSSL_STORE_INFO_get0_CERT(info), x), 0);
    OSSL_STORE_INFO_free(info);
    assert_int_equal(rig_fake.certs, certs + 1);

    assert_null(rig_load(rig_both, "mpc:release", OSSL_STORE_INFO_CRL));
    ERR_clear_error();
}

static unsigned kinds(const char *uri, int seen[4])
{
    OSSL_STORE_CTX *s = OSSL_STORE_open_ex(uri, rig_both, NULL, NULL, NULL,
                                           NULL, NULL, NULL);
    unsigned n = 0;
    assert_non_null(s);
    while (!OSSL_STORE_eof(s)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(s);
        if (info && n < 4)
            seen[n++] = OSSL_STORE_INFO_get_type(info);
        OSSL_STORE_INFO_free(info);
    }
    assert_int_equal(OSSL_STORE_error(s), 0);
    OSSL_STORE_close(s);
    return n;
}

static void without_expectation_the_key_then_its_certificates_come(void **state)
{
    (void)state;
    int seen[4];
    OWNED(X509) *x = rig_certificate(rig_both);
    uint8_t *to = rig_fake.cert;
    rig_fake.cert_len = (size_t)i2d_X509(x, &to);
    assert_int_equal(kinds("mpc:release", seen), 2);
    assert_int_equal(seen[0], OSSL_STORE_INFO_PKEY);
    assert_int_equal(seen[1], OSSL_STORE_INFO_CERT);
    rig_fake.cert_len = 0; /* none: the key alone, and no error */
    assert_int_equal(kinds("mpc:release", seen), 1);
    assert_int_equal(ERR_peek_error(), 0);
}

static void only_artifact_keys_have_certificates(void **state)
{
    (void)state;
    int seen[4];
    unsigned certs = rig_fake.certs;
    rig_fake.class = "issuer";
    assert_int_equal(kinds("mpc:ca", seen), 1);
    assert_null(rig_load(rig_both, "mpc:ca", OSSL_STORE_INFO_CERT));
    rig_assert_one_error("issuer", "not found", "key ca is no artifact key");
    assert_int_equal(rig_fake.certs, certs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(the_uri_and_its_session_reach_the_sidecar),
        RIG(expectation_decides_what_comes),
        RIG(without_expectation_the_key_then_its_certificates_come),
        RIG(only_artifact_keys_have_certificates),
    };
    return cmocka_run_group_tests(tests, rig_up, rig_down);
}

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

/* Both certificates of a chain; the caller frees them. */
static void serve_chain(X509 **leaf, X509 **root)
{
    *leaf = rig_named_certificate(rig_both, "leaf");
    *root = rig_named_certificate(rig_both, "the root");
    uint8_t *to = rig_fake.cert;
    rig_fake.cert_len = (size_t)i2d_X509(*leaf, &to);
    to = rig_fake.root;
    rig_fake.root_len = (size_t)i2d_X509(*root, &to);
}

/* The certificates that a search by this name finds; only one is kept. */
static unsigned found(const char *uri, const X509_NAME *name, int expect,
                      X509 **one)
{
    OSSL_STORE_CTX *s = OSSL_STORE_open_ex(uri, rig_both, NULL, NULL, NULL,
                                           NULL, NULL, NULL);
    X509_NAME *copy = X509_NAME_dup(name);
    OSSL_STORE_SEARCH *search = OSSL_STORE_SEARCH_by_name(copy);
    unsigned n = 0;
    assert_int_equal(OSSL_STORE_supports_search(s, OSSL_STORE_SEARCH_BY_NAME),
                     1);
    assert_int_equal(OSSL_STORE_find(s, search), 1);
    if (expect)
        assert_int_equal(OSSL_STORE_expect(s, expect), 1);
    while (!OSSL_STORE_eof(s)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(s);
        if (info) {
            assert_int_equal(OSSL_STORE_INFO_get_type(info),
                             OSSL_STORE_INFO_CERT);
            X509_free(*one);
            *one = OSSL_STORE_INFO_get1_CERT(info);
            n++;
        }
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(s);
    OSSL_STORE_SEARCH_free(search);
    X509_NAME_free(copy);
    return n;
}

static void a_search_by_subject_finds_its_certificates_alone(void **state)
{
    (void)state;
    OWNED(X509) *leaf = NULL, *root = NULL, *one = NULL;
    serve_chain(&leaf, &root);
    static const int expects[] = { 0, OSSL_STORE_INFO_CERT };
    for (size_t i = 0; i < 2; i++) {
        int e = expects[i];
        assert_int_equal(
                found("mpc:release", X509_get_subject_name(root), e, &one), 1);
        assert_int_equal(X509_cmp(one, root), 0);
        assert_int_equal(
                found("mpc:release", X509_get_subject_name(leaf), e, &one), 1);
        assert_int_equal(X509_cmp(one, leaf), 0);
    }
    OWNED(X509) *other = rig_named_certificate(rig_both, "other");
    unsigned certs = rig_fake.certs;
    assert_int_equal(
            found("mpc:release", X509_get_subject_name(other), 0, &one), 0);
    assert_int_equal(found("mpc:release", X509_get_subject_name(root),
                           OSSL_STORE_INFO_PKEY, &one),
                     0);
    assert_int_equal(rig_fake.certs, certs + 1);
    assert_int_equal(ERR_peek_error(), 0);
}

/* As names are: without regard to case and to space at either end. */
static void names_are_compared_as_names(void **state)
{
    (void)state;
    OWNED(X509) *leaf = NULL, *root = NULL, *one = NULL;
    serve_chain(&leaf, &root);
    OWNED(X509) *like = rig_named_certificate(rig_both, " The  ROOT");
    assert_int_equal(found("mpc:release", X509_get_subject_name(like), 0, &one),
                     1);
    assert_int_equal(X509_cmp(one, root), 0);
}

static void searches_that_are_not_offered_are_refused(void **state)
{
    (void)state;
    OWNED(X509) *leaf = NULL, *root = NULL;
    serve_chain(&leaf, &root);
    OSSL_STORE_CTX *s = OSSL_STORE_open_ex("mpc:release", rig_both, NULL, NULL,
                                           NULL, NULL, NULL, NULL);
    X509_NAME *name = X509_NAME_dup(X509_get_subject_name(root));
    OSSL_STORE_SEARCH *search = OSSL_STORE_SEARCH_by_issuer_serial(
            name, X509_get_serialNumber(root));
    ERR_clear_error();
    assert_int_not_equal(OSSL_STORE_find(s, search), 1);
    rig_assert_one_error("issuer", "not possible with this key",
                         "found by subject only");
    OSSL_STORE_SEARCH_free(search);
    X509_NAME_free(name);
    OSSL_STORE_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(the_uri_and_its_session_reach_the_sidecar),
        RIG(expectation_decides_what_comes),
        RIG(without_expectation_the_key_then_its_certificates_come),
        RIG(only_artifact_keys_have_certificates),
        RIG(a_search_by_subject_finds_its_certificates_alone),
        RIG(names_are_compared_as_names),
        RIG(searches_that_are_not_offered_are_refused),
    };
    return cmocka_run_group_tests(tests, rig_up, rig_down);
}

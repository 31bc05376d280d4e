/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of the legacy bridge through libcrypto, against a fake sidecar: what
 * CMS_sign() makes of them, what else they do, and what they refuse.
 */
#define OPENSSL_API_COMPAT 10101
#include "bridged.h"

#include <openssl/cms.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <sodium.h>

#include "base/own.h"

OWNED_BY(BIO, BIO_free);
OWNED_BY(CMS_ContentInfo, CMS_ContentInfo_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);
OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(X509, X509_free);
OWNED_BY(X509_REQ, X509_REQ_free);

#define CONTENT "content to sign\n"

static OSSL_LIB_CTX *ctx;

static int up(void **state)
{
    rig_up(state);
    ctx = rig_context(DEFAULT_FIRST, BRIDGE_ON);
    return 0;
}

static int down(void **state)
{
    OSSL_LIB_CTX_free(ctx);
    return rig_down(state);
}

static EVP_PKEY *need(void)
{
    EVP_PKEY *key = bridged(ctx, BRIDGE_RELEASE);
    if (!key)
        ERR_print_errors_fp(stderr);
    assert_non_null(key);
    assert_int_equal(ERR_peek_error(), 0);
    return key;
}

/* ---- CMS ----------------------------------------------------------------- */

static CMS_ContentInfo *sign_cms(const EVP_MD *md, unsigned flags)
{
    OWNED(EVP_PKEY) *key = need();
    OWNED(X509) *cert = rig_certificate(ctx);
    OWNED(BIO) *in = BIO_new_mem_buf(CONTENT, -1);
    unsigned all = flags | CMS_BINARY | CMS_PARTIAL;
    OWNED(CMS_ContentInfo) *cms = CMS_sign_ex(NULL, NULL, NULL, in, all, ctx,
                                              NULL);
    assert_non_null(cms);
    if (!CMS_add1_signer(cms, cert, key, md, all) ||
        !CMS_final(cms, in, NULL, all))
        return NULL;
    return TAKE(cms);
}

/* One TLV of DER; what lies inside, and what comes after. */
struct tlv {
    const uint8_t *p; /* with its head */
    size_t len;
    const uint8_t *in;
    const uint8_t *end;
};

static struct tlv tlv_at(const uint8_t *p, const uint8_t *end)
{
    struct tlv t = { .p = p, .in = p };
    long len;
    int tag, class;
    assert_int_not_equal(
            ASN1_get_object(&t.in, &len, &tag, &class, end - p) & 0x80, 0x80);
    t.end = t.in + len;
    t.len = (size_t)(t.end - p);
    return t;
}

/* The nth element in t. */
static struct tlv nth(struct tlv t, unsigned n)
{
    struct tlv e = tlv_at(t.in, t.end);
    while (n-- > 0)
        e = tlv_at(e.end, t.end);
    return e;
}

static void assert_tlv(struct tlv t, const char *want, size_t len)
{
    assert_int_equal(t.len, len);
    assert_memory_equal(t.p, want, len);
}

/* The first SignerInfo of SignedData that holds one certificate. */
static struct tlv signer_info(const uint8_t *der, size_t len)
{
    struct tlv content = tlv_at(der, der + len);
    struct tlv data = nth(nth(content, 1), 0);
    return nth(nth(data, 4), 0);
}

/* signedAttrs are signed as the SET they are, not as the [0] they travel as. */
static void assert_signed(struct tlv attrs, struct tlv sig)
{
    uint8_t set[512];
    assert_true(attrs.len <= sizeof(set));
    memcpy(set, attrs.p, attrs.len);
    assert_int_equal(set[0], 0xa0);
    set[0] = 0x31;
    assert_int_equal(sig.end - sig.in, 64);
    rig_assert_good(sig.in, set, attrs.len);
}

static void a_cms_signature_is_as_rfc_8419_wants_it(void **state)
{
    static const EVP_MD *(*const mds[])(void) = { NULL, EVP_sha512 };
    static const unsigned flags[] = { 0, CMS_NOSMIMECAP, CMS_DETACHED };
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        unsigned before = rig_fake.signs;
        OWNED(CMS_ContentInfo) *cms = sign_cms(mds[i % 2] ? mds[i % 2]() : NULL,
                                               flags[i / 2]);
        assert_non_null(cms);
        assert_int_equal(rig_fake.signs, before + 1);
        uint8_t *der = NULL;
        int len = i2d_CMS_ContentInfo(cms, &der);
        assert_true(len > 0);
        struct tlv si = signer_info(der, (size_t)len);
        assert_tlv(nth(si, 2),
                   "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03", 13);
        assert_tlv(nth(si, 4), "\x30\x05\x06\x03\x2b\x65\x70", 7);
        assert_signed(nth(si, 3), nth(si, 5));
        OPENSSL_free(der);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

/* What is signed is about the content: its SHA-512, and nothing else. */
static void the_signed_attributes_hold_the_content_s_digest(void **state)
{
    (void)state;
    uint8_t want[64];
    crypto_hash_sha512(want, (const uint8_t *)CONTENT, strlen(CONTENT));
    OWNED(CMS_ContentInfo) *cms = sign_cms(NULL, 0);
    assert_non_null(cms);
    CMS_SignerInfo *si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
    const ASN1_OCTET_STRING *md = CMS_signed_get0_data_by_OBJ(
            si, OBJ_nid2obj(NID_pkcs9_messageDigest), -3, V_ASN1_OCTET_STRING);
    assert_non_null(md);
    assert_int_equal(ASN1_STRING_length(md), 64);
    assert_memory_equal(ASN1_STRING_get0_data(md), want, 64);
}

static void cms_without_attributes_or_with_another_digest_is_refused(
        void **state)
{
    (void)state;
    unsigned before = rig_fake.signs;
    assert_null(sign_cms(EVP_sha256(), 0));
    rig_assert_told("sha256", "CMS digest SHA256: with Ed25519 it must be "
                              "sha512");
    assert_null(sign_cms(NULL, CMS_NOATTR));
    rig_assert_told("noattr", "cms: leave out -noattr");
    assert_int_equal(rig_fake.signs, before);
}

static void pkcs7_is_refused(void **state)
{
    (void)state;
    unsigned before = rig_fake.signs;
    OWNED(EVP_PKEY) *key = need();
    OWNED(X509) *cert = rig_certificate(ctx);
    OWNED(BIO) *in = BIO_new_mem_buf(CONTENT, -1);
    assert_null(PKCS7_sign_ex(cert, key, NULL, in, PKCS7_BINARY, ctx, NULL));
    rig_assert_told("pkcs7", "PKCS#7 has no Ed25519");
    assert_int_equal(rig_fake.signs, before);
}

/* ---- everything else a key does ------------------------------------------ */

static void it_signs_at_once_and_in_pieces(void **state)
{
    static const char *const parts[] = { "hel", "", "lo" };
    (void)state;
    OWNED(EVP_PKEY) *key = need();
    uint8_t sig[64];
    size_t len = 64;
    assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 1);
    rig_assert_good(sig, "hello", 5);
    assert_int_equal(rig_sign(ctx, key, "", 0, sig), 1);
    rig_assert_good(sig, "", 0);
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, "SHA512", ctx, NULL, key, NULL), 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(EVP_DigestSignUpdate(md, parts[i], strlen(parts[i])),
                         1);
    unsigned before = rig_fake.signs;
    assert_int_equal(EVP_DigestSignFinal(md, NULL, &len), 1);
    assert_int_equal(rig_fake.signs, before); /* asking the size is free */
    assert_int_equal(EVP_DigestSignFinal(md, sig, &len), 1);
    assert_int_equal(rig_fake.signs, before + 1);
    rig_assert_good(sig, "hello", 5);
    /* the context is as it was: more may follow */
    assert_int_equal(EVP_DigestSignUpdate(md, "!", 1), 1);
    assert_int_equal(EVP_DigestSign(md, sig, &len, (const uint8_t *)"?", 1), 1);
    rig_assert_good(sig, "hello!?", 7);
    len = 63;
    assert_int_equal(EVP_DigestSignFinal(md, sig, &len), 0);
    rig_assert_told("short", "signature buffer: 63 bytes");
}

/* The digest it computed before must not swallow the message. */
static void a_context_that_hashed_before_signs_the_message(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need();
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    uint8_t sig[64], hash[64];
    size_t len = 64;
    assert_int_equal(EVP_DigestInit_ex(md, EVP_sha256(), NULL), 1);
    assert_int_equal(EVP_DigestUpdate(md, "before", 6), 1);
    assert_int_equal(EVP_DigestFinal_ex(md, hash, NULL), 1);
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, ctx, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSignUpdate(md, "hello", 5), 1);
    assert_int_equal(EVP_DigestSignFinal(md, sig, &len), 1);
    rig_assert_good(sig, "hello", 5);
}

static void it_is_the_key_of_its_certificate(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need();
    OWNED(EVP_PKEY) *twin = need();
    OWNED(EVP_PKEY) *soft = rig_software_key(ctx, false);
    OWNED(EVP_PKEY) *other = EVP_PKEY_Q_keygen(ctx, NULL, "ED25519");
    OWNED(EVP_PKEY) *provided = rig_need_key(ctx, "mpc:release");
    OWNED(X509) *cert = rig_certificate(ctx);
    assert_int_equal(X509_check_private_key(cert, key), 1);
    assert_int_equal(EVP_PKEY_eq(key, twin), 1);
    assert_int_equal(EVP_PKEY_eq(key, soft), 1);
    assert_int_equal(EVP_PKEY_eq(soft, key), 1);
    assert_int_equal(EVP_PKEY_eq(key, provided), 1);
    assert_int_equal(EVP_PKEY_eq(provided, key), 1);
    assert_int_equal(EVP_PKEY_eq(key, other), 0);
    assert_int_equal(EVP_PKEY_eq(other, key), 0);
    assert_int_equal(EVP_PKEY_get_id(key), EVP_PKEY_ED25519);
    assert_int_equal(EVP_PKEY_is_a(key, "ED25519"), 1);
    assert_int_equal(EVP_PKEY_get_size(key), 64);
    assert_int_equal(EVP_PKEY_get_bits(key), 256);
    assert_int_equal(EVP_PKEY_get_security_bits(key), 128);
    uint8_t *ours = NULL, *theirs = NULL;
    int len = i2d_PUBKEY(key, &ours);
    assert_int_equal(len, 44);
    assert_int_equal(i2d_PUBKEY(soft, &theirs), len);
    assert_memory_equal(ours, theirs, (size_t)len);
    OPENSSL_free(ours);
    OPENSSL_free(theirs);
}

static void it_signs_and_verifies_what_has_a_signature_in_it(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need();
    OWNED(EVP_PKEY) *soft = rig_software_key(ctx, false);
    OWNED(X509_REQ) *q = X509_REQ_new();
    assert_int_equal(X509_REQ_set_pubkey(q, key), 1);
    assert_int_equal(X509_REQ_sign(q, key, NULL), 64);
    assert_int_equal(X509_REQ_get_signature_nid(q), NID_ED25519);
    assert_int_equal(X509_REQ_verify(q, soft), 1);
    assert_int_equal(X509_REQ_verify(q, key), 1);
    uint8_t sig[64];
    assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 1);
    assert_int_equal(rig_verify(ctx, key, sig, 64, "hello", false), 1);
    sig[3] ^= 1;
    assert_int_equal(rig_verify(ctx, key, sig, 64, "hello", false), 0);
}

static void a_copy_is_the_public_key_alone(void **state)
{
    (void)state;
    EVP_PKEY *key = need();
    OWNED(EVP_PKEY) *copy = EVP_PKEY_dup(key);
    OWNED(EVP_PKEY) *soft = rig_software_key(ctx, false);
    uint8_t sig[64];
    EVP_PKEY_free(key);
    assert_non_null(copy);
    assert_int_equal(EVP_PKEY_eq(copy, soft), 1);
    unsigned before = rig_fake.signs;
    assert_int_equal(rig_sign(ctx, copy, "hello", 5, sig), 0);
    assert_int_equal(rig_fake.signs, before);
    ERR_clear_error();
}

/* ---- refusals ------------------------------------------------------------ */

static void its_private_half_is_nowhere(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need();
    uint8_t raw[32], *der = NULL;
    size_t len = sizeof(raw);
    assert_int_equal(EVP_PKEY_get_raw_private_key(key, raw, &len), 0);
    rig_assert_told("raw", "key release can not be exported");
    assert_null(EVP_PKEY2PKCS8(key));
    rig_assert_told("pkcs8", "key release can not be exported");
    assert_true(i2d_PrivateKey(key, &der) <= 0);
    rig_assert_told("der", "key release can not be exported");
    OWNED(BIO) *out = BIO_new(BIO_s_mem());
    assert_int_equal(
            PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 0);
    rig_assert_told("pem", "key release can not be exported");
    assert_int_equal(BIO_pending(out), 0);
}

static void a_digest_made_elsewhere_is_not_signed(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need();
    EVP_PKEY_CTX *p = EVP_PKEY_CTX_new_from_pkey(ctx, key, NULL);
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    assert_non_null(p);
    assert_true(EVP_PKEY_sign_init(p) <= 0);
    EVP_PKEY_CTX_free(p);
    rig_assert_told("sign", "Ed25519 signs messages");
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, "SHA256", ctx, NULL, key, NULL), 0);
    rig_assert_told("sha256", ": Ed25519 signs the message itself");
}

static void a_failing_sidecar_is_one_error(void **state)
{
    static const struct {
        enum fake_mode mode;
        const char *reason;
        const char *words;
    } cases[] = {
        { FAKE_REFUSES, "approvals are missing", "bob has not approved" },
        { FAKE_CLOSES, "sidecar not reachable", "closed" },
        { FAKE_WRONG_SIGNATURE, "signature does not verify", "key release" },
    };
    (void)state;
    OWNED(EVP_PKEY) *key = need();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t sig[64];
        rig_fake.sign_mode = cases[i].mode;
        assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 0);
        rig_assert_one_error("sign", cases[i].reason, cases[i].words);
    }
}

static void a_message_over_the_limit_is_refused_before_it_is_held(void **state)
{
    (void)state;
    rig_fake.max_message = 4;
    OWNED(EVP_PKEY) *key = need();
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    uint8_t sig[64];
    unsigned before = rig_fake.signs;
    assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 0);
    rig_assert_one_error("once", "too large", "message: 5 bytes");
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, ctx, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSignUpdate(md, "hell", 4), 1);
    assert_int_equal(EVP_DigestSignUpdate(md, "o", 1), 0);
    rig_assert_one_error("pieces", "too large", "message: 5 bytes");
    assert_int_equal(rig_fake.signs, before);
}

static void a_file_that_does_not_load_says_why(void **state)
{
    static const struct {
        const char *pem;
        enum fake_mode mode;
        const char *words;
    } cases[] = {
        { BRIDGE_RELEASE, FAKE_REFUSES, "mpcsign approve" },
        { BRIDGE_RELEASE, FAKE_CLOSES, "closed" },
        { BRIDGE_RELEASE, FAKE_NOT_MADE, "has not been made" },
        /* an attribute, a NUL, no URI, parameters NULL */
        { BRIDGE_FILE("MCACAQAwDAYKKwYBBAGB/VkBAQQLbXBjOnJlbGVhc2WgAA=="),
          FAKE_OK, "more than one text" },
        { BRIDGE_FILE("MBkCAQAwDAYKKwYBBAGB/VkBAQQGbXBjOgBh"), FAKE_OK,
          "has a NUL" },
        { BRIDGE_FILE("MBQCAQAwDAYKKwYBBAGB/VkBAQQBeA=="), FAKE_OK,
          "begin with mpc:" },
        { BRIDGE_FILE("MCACAQAwDgYKKwYBBAGB/VkBAQUABAttcGM6cmVsZWFzZQ=="),
          FAKE_OK, "more than one text" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_fake.key_mode = cases[i].mode;
        assert_null(bridged(ctx, cases[i].pem));
        rig_assert_told(cases[i].pem, cases[i].words);
        fake_file(&rig_fake, "k.pem", cases[i].pem, strlen(cases[i].pem));
        char uri[160];
        snprintf(uri, sizeof(uri), "file:%s/k.pem", rig_fake.dir);
        assert_null(rig_key(ctx, uri));
        rig_assert_told(uri, cases[i].words);
    }
}

/* Else anybody's certificate could hold Ed25519 keys under another name. */
static void our_oid_is_no_second_name_of_ed25519(void **state)
{
    static const uint8_t head[] = { 0x30, 0x31, 0x30, 0x0c, 0x06, 0x0a, 0x2b,
                                    0x06, 0x01, 0x04, 0x01, 0x81, 0xfd, 0x59,
                                    0x01, 0x01, 0x03, 0x21, 0x00 };
    (void)state;
    OWNED(EVP_PKEY) *key = need();
    uint8_t spki[sizeof(head) + 32];
    memcpy(spki, head, sizeof(head));
    memcpy(spki + sizeof(head), rig_fake.pk, 32);
    const uint8_t *at = spki;
    assert_null(d2i_PUBKEY_ex(NULL, &at, sizeof(spki), ctx, NULL));
    ERR_clear_error();
    at = spki + sizeof(head);
    assert_null(EVP_PKEY_new_raw_private_key(
            OBJ_txt2nid("1.3.6.1.4.1.32473.1.1"), NULL, at, 32));
    ERR_clear_error();
}

/* Nothing in the process is asked to go through the engine by itself. */
static void the_engine_is_nobody_s_default(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = need();
    OWNED(EVP_PKEY) *soft = rig_software_key(ctx, true);
    ENGINE_register_all_complete();
    assert_null(ENGINE_get_pkey_meth_engine(EVP_PKEY_ED25519));
    assert_null(ENGINE_get_pkey_asn1_meth_engine(EVP_PKEY_ED25519));
    assert_null(ENGINE_by_id("mpc-bridge"));
    ERR_clear_error();
    assert_non_null(EVP_PKEY_get0_engine(key));
    assert_null(EVP_PKEY_get0_engine(soft));
    /* and it signs with none but its own keys */
    EVP_PKEY_CTX *p = EVP_PKEY_CTX_new(soft, EVP_PKEY_get0_engine(key));
    OWNED(EVP_MD_CTX) *md = EVP_MD_CTX_new();
    assert_non_null(p);
    EVP_MD_CTX_set_pkey_ctx(md, p);
    assert_int_equal(EVP_DigestSignInit(md, NULL, NULL, NULL, soft), 0);
    rig_assert_told("foreign", "no key of ours");
    EVP_PKEY_CTX_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(a_cms_signature_is_as_rfc_8419_wants_it),
        RIG(the_signed_attributes_hold_the_content_s_digest),
        RIG(cms_without_attributes_or_with_another_digest_is_refused),
        RIG(pkcs7_is_refused),
        RIG(it_signs_at_once_and_in_pieces),
        RIG(a_context_that_hashed_before_signs_the_message),
        RIG(it_is_the_key_of_its_certificate),
        RIG(it_signs_and_verifies_what_has_a_signature_in_it),
        RIG(a_copy_is_the_public_key_alone),
        RIG(its_private_half_is_nowhere),
        RIG(a_digest_made_elsewhere_is_not_signed),
        RIG(a_failing_sidecar_is_one_error),
        RIG(a_message_over_the_limit_is_refused_before_it_is_held),
        RIG(a_file_that_does_not_load_says_why),
        RIG(our_oid_is_no_second_name_of_ed25519),
        RIG(the_engine_is_nobody_s_default),
    };
    return cmocka_run_group_tests(tests, up, down);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients of Sigstore read: held against a bundle that cosign,
 * sigstore-go and sigstore-js took (testdata/tlog/sigstore-interop), and our
 * own against our own.
 */
#include "test.h"

#include <openssl/x509v3.h>

#include "base/hash.h"
#include "vectors.h"

OWNED_BY(X509, X509_free);
OWNED_BY(json_t, json_decref);
OWNED_STRUCT(tlog_p256);

#define SAMPLE "sigstore-interop/D_dsse_ed_dsse1_ec_v1ck_SET.sigstore.json"
#define ROOT   "sigstore-interop/trusted_root.json"
#define ROOM   8192
#define P256_VECTOR                                                            \
    "04056a5947c844b5804b4af15e70d295836b2cd21ff02474bd"                       \
    "cf5dc139f2267870402067edc6f6ed125ef15a9bc79f2c8125"                       \
    "e5d3b17adaac4bb5890619e9ec96b4"

/* A member by its path, "a.b.0.c". */
static const json_t *at(const json_t *o, const char *path)
{
    char word[64];
    while (*path) {
        size_t n = strcspn(path, ".");
        memcpy(word, path, n);
        word[n] = '\0';
        o = json_is_array(o) ? json_array_get(o, (size_t)atoi(word))
                             : json_object_get(o, word);
        path += n + (path[n] == '.');
    }
    assert_non_null(o);
    return o;
}

static size_t bytes(uint8_t out[ROOM], const json_t *o, const char *path)
{
    size_t len;
    const char *text = json_string_value(at(o, path));
    assert_non_null(text);
    assert_ok(enc_unb64(out, ROOM, &len, text, strlen(text)));
    return len;
}

struct sample {
    json_t *bundle;
    json_t *root;
    const json_t *entry;
    uint8_t body[ROOM];
    size_t body_len;
    uint8_t log[ROOM]; /* the ECDSA key */
    size_t log_len;
};

static void open_sample(struct sample *s)
{
    s->bundle = vectors_load(SAMPLE);
    s->root = vectors_load(ROOT);
    s->entry = at(s->bundle, "verificationMaterial.tlogEntries.0");
    s->body_len = bytes(s->body, s->entry, "canonicalizedBody");
    s->log_len = bytes(s->log, s->root, "tlogs.2.publicKey.rawBytes");
}

static void close_sample(struct sample *s)
{
    json_decref(s->bundle);
    json_decref(s->root);
}

/* ---- the entry ----------------------------------------------------------- */

static void an_accepted_entry_is_written_to_the_byte(void **state)
{
    struct sample s;
    struct tlog_dsse d;
    uint8_t got[ROOM], digest[32];
    char text[TLOG_ENTRY_MAX + 1];
    size_t len;
    (void)state;
    open_sample(&s);
    assert_int_equal(tlog_entry_kind((char *)s.body, s.body_len), TLOG_DSSE);
    assert_ok(tlog_dsse_decode(&d, (char *)s.body, s.body_len));
    assert_int_equal(bytes(got, s.bundle, "dsseEnvelope.signatures.0.sig"), 64);
    assert_memory_equal(got, d.signature, 64);
    assert_int_equal(
            bytes(got, s.bundle, "verificationMaterial.certificate.rawBytes"),
            d.cert_len);
    assert_memory_equal(got, d.cert, d.cert_len);
    len = bytes(got, s.bundle, "dsseEnvelope.payload");
    hash256(digest, got, len);
    assert_memory_equal(digest, d.payload, 32);
    assert_ok(tlog_dsse_encode(text, &len, &d));
    assert_int_equal(len, s.body_len);
    assert_memory_equal(text, s.body, len);
    close_sample(&s);
}

static void its_signature_is_over_dsse_s_encoding(void **state)
{
    struct sample s;
    struct tlog_dsse d, made;
    uint8_t payload[ROOM], key[32];
    OWNED_MEM uint8_t *pae = NULL;
    size_t len, pae_len;
    (void)state;
    open_sample(&s);
    assert_ok(tlog_dsse_decode(&d, (char *)s.body, s.body_len));
    assert_ok(tlog_dsse_check(key, &d, 1795312955));
    len = bytes(payload, s.bundle, "dsseEnvelope.payload");
    assert_ok(tlog_dsse_pae(&pae, &pae_len, payload, len));
    assert_int_equal(
            crypto_sign_verify_detached(d.signature, pae, pae_len, key), 0);
    /* and its digests are of that envelope */
    assert_ok(tlog_dsse_fill(&made, payload, len, d.signature, d.cert,
                             d.cert_len));
    assert_memory_equal(&made, &d, sizeof(d));
    /* its five minutes */
    assert_rc(tlog_dsse_check(key, &d, 1795312955 + 300), RC_EXPIRED);
    assert_rc(tlog_dsse_check(key, &d, 1795312955 - 300), RC_EXPIRED);
    close_sample(&s);
}

/* One text for one entry: a byte more, less or other is none. */
static void what_is_not_that_text_is_no_entry(void **state)
{
    struct sample s;
    struct tlog_dsse d, other;
    char text[TLOG_ENTRY_MAX + 2];
    (void)state;
    open_sample(&s);
    assert_ok(tlog_dsse_decode(&d, (char *)s.body, s.body_len));
    assert_rc(tlog_dsse_decode(&d, (char *)s.body, s.body_len - 1), RC_PARSE);
    memcpy(text, s.body, s.body_len);
    text[s.body_len] = '\n';
    assert_rc(tlog_dsse_decode(&d, text, s.body_len + 1), RC_PARSE);
    for (size_t i = 0; i < s.body_len; i++) {
        text[i] ^= 0x20; /* a letter's case, a mark for a control byte */
        enum rc rc = tlog_dsse_decode(&other, text, s.body_len);
        if (i < 88 || i >= s.body_len - 5)
            assert_rc(rc, RC_PARSE);
        if (rc == RC_OK) /* of base64: another signature or certificate */
            assert_memory_not_equal(&other, &d, sizeof(d));
        text[i] ^= 0x20;
    }
    assert_ok(tlog_dsse_decode(&other, text, s.body_len));
    const char *spaced[] = { "{ \"apiVersion\"", "{\"kind\":\"dsse\"", "",
                             "{\"apiVersion\":\"0.0.2\"" };
    for (size_t i = 0; i < 4; i++)
        assert_false(tlog_dsse_like(spaced[i], strlen(spaced[i])));
    close_sample(&s);
}

static void a_certificate_too_long_for_an_entry_is_said_so(void **state)
{
    static struct tlog_dsse d;
    struct tlog_dsse back;
    char text[TLOG_ENTRY_MAX + 1];
    size_t len;
    (void)state;
    for (d.cert_len = 1; d.cert_len <= TLOG_DSSE_CERT_MAX; d.cert_len++) {
        assert_ok(tlog_dsse_encode(text, &len, &d));
        assert_ok(tlog_dsse_decode(&back, text, len));
        assert_int_equal(back.cert_len, d.cert_len);
    }
    assert_rc(tlog_dsse_encode(text, &len, &d), RC_TOO_LARGE);
    d.cert_len = 0;
    assert_rc(tlog_dsse_encode(text, &len, &d), RC_TOO_LARGE);
    uint8_t key[32];
    d.cert_len = 40; /* zeros */
    assert_rc(tlog_dsse_check(key, &d, 0), RC_PARSE);
}

/* ---- what the accepted log signed ---------------------------------------- */

static void an_accepted_entry_timestamp_verifies(void **state)
{
    struct sample s;
    uint8_t set[ROOM], id[32];
    OWNED_MEM char *msg = NULL;
    size_t set_len, len;
    (void)state;
    open_sample(&s);
    hash256(id, s.log, s.log_len);
    set_len = bytes(set, s.entry, "inclusionPromise.signedEntryTimestamp");
    assert_ok(tlog_set_message(&msg, &len, (char *)s.body, s.body_len, 300,
                               1795312955, id));
    assert_ok(tlog_p256_verify(s.log, s.log_len, msg, len, set, set_len));
    msg[len - 2] ^= 1;
    assert_rc(tlog_p256_verify(s.log, s.log_len, msg, len, set, set_len),
              RC_VERIFY);
    close_sample(&s);
}

static void an_accepted_certificate_s_sct_verifies(void **state)
{
    struct sample s;
    uint8_t der[ROOM], spki[ROOM], root[ROOM], issuer[32];
    uint8_t *tbs = NULL;
    uint64_t at_ms;
    (void)state;
    open_sample(&s);
    const uint8_t *p = der;
    size_t len = bytes(der, s.bundle,
                       "verificationMaterial.certificate.rawBytes");
    OWNED(X509) *x = d2i_X509(NULL, &p, (long)len);
    assert_non_null(x);
    p = root;
    len = bytes(root, s.root,
                "certificateAuthorities.0.certChain.certificates.0.rawBytes");
    OWNED(X509) *ca = d2i_X509(NULL, &p, (long)len);
    assert_non_null(ca);
    uint8_t *issuer_spki = NULL;
    int n = i2d_PUBKEY(X509_get0_pubkey(ca), &issuer_spki);
    hash256(issuer, issuer_spki, (size_t)n);
    OPENSSL_free(issuer_spki);
    int where = X509_get_ext_by_NID(x, NID_ct_precert_scts, -1);
    X509_EXTENSION *e = X509_delete_ext(x, where);
    assert_non_null(e);
    const uint8_t *inner = ASN1_STRING_get0_data(X509_EXTENSION_get_data(e));
    size_t list_len = inner[1]; /* OCTET STRING under 128 bytes */
    assert_int_equal(inner[0], 4);
    int tbs_len = i2d_re_X509_tbs(x, &tbs);
    size_t spki_len = bytes(spki, s.root, "ctlogs.0.publicKey.rawBytes");
    assert_ok(tlog_sct_check(&at_ms, inner + 2, list_len, spki, spki_len,
                             issuer, tbs, (size_t)tbs_len));
    assert_int_equal(at_ms, UINT64_C(1795312955000));
    tbs[20] ^= 1;
    assert_rc(tlog_sct_check(&at_ms, inner + 2, list_len, spki, spki_len,
                             issuer, tbs, (size_t)tbs_len),
              RC_VERIFY);
    /* another log's key */
    assert_rc(tlog_sct_check(&at_ms, inner + 2, list_len, s.log, s.log_len,
                             issuer, tbs, (size_t)tbs_len),
              RC_VERIFY);
    OPENSSL_free(tbs);
    X509_EXTENSION_free(e);
    close_sample(&s);
}

static void an_accepted_checkpoint_has_one_line_of_that_key(void **state)
{
    struct sample s;
    struct tlog_checkpoint cp;
    (void)state;
    open_sample(&s);
    const char *note = json_string_value(
            at(s.entry, "inclusionProof.checkpoint.envelope"));
    /* its tree is a number of its own, and said to be so last of all */
    assert_rc(tlog_rekor_open(&cp, note, strlen(note), "log.mpc.example", s.log,
                              s.log_len),
              RC_LOG);
    assert_non_null(strstr(rc_text(), "of another log than log.mpc.example"));
    close_sample(&s);
}

/* ---- our own ------------------------------------------------------------- */

static struct tlog_p256 *a_key(uint8_t first)
{
    struct tlog_p256 *k = NULL;
    uint8_t seed[32];
    for (unsigned i = 0; i < 32; i++)
        seed[i] = (uint8_t)(first + i);
    assert_ok(tlog_p256_new(&k, seed));
    return k;
}

static void a_seed_is_one_key_always(void **state)
{
    OWN_S(tlog_p256) *a = a_key(0);
    OWN_S(tlog_p256) *b = a_key(0);
    OWN_S(tlog_p256) *c = a_key(1);
    uint8_t point[65];
    (void)state;
    assert_memory_equal(tlog_p256_spki(a), tlog_p256_spki(b), 91);
    assert_memory_not_equal(tlog_p256_spki(a), tlog_p256_spki(c), 91);
    /* SHA-512("mpc/log/p256/v1" 00, 00 01 .. 1f) mod (n - 1) + 1, times G */
    vectors_hex(point, 65, P256_VECTOR);
    assert_memory_equal(tlog_p256_spki(a) + 26, point, 65);
}

static void a_list_holds_one_sct_that_verifies(void **state)
{
    OWN_S(tlog_p256) *k = a_key(0);
    uint8_t list[TLOG_SCT_LIST_MAX + 1], issuer[32] = { 7 }, tbs[300] = { 0 };
    size_t len;
    uint64_t at_ms;
    const uint8_t *spki = tlog_p256_spki(k);
    (void)state;
    for (unsigned i = 0; i < 50; i++) { /* signatures of several lengths */
        tbs[0] = (uint8_t)i;
        assert_ok(tlog_sct_make(list, &len, k, issuer, tbs, sizeof(tbs),
                                1795312955123));
        assert_ok(tlog_sct_check(&at_ms, list, len, spki, 91, issuer, tbs,
                                 sizeof(tbs)));
        assert_int_equal(at_ms, UINT64_C(1795312955123));
    }
    for (size_t i = 0; i < len; i++) {
        list[i] ^= 1;
        assert_int_not_equal(tlog_sct_check(&at_ms, list, len, spki, 91, issuer,
                                            tbs, sizeof(tbs)),
                             RC_OK);
        list[i] ^= 1;
    }
    for (size_t cut = 0; cut < len; cut++)
        assert_int_not_equal(tlog_sct_check(&at_ms, list, cut, spki, 91, issuer,
                                            tbs, sizeof(tbs)),
                             RC_OK);
    assert_rc(tlog_sct_check(&at_ms, list, len + 1, spki, 91, issuer, tbs,
                             sizeof(tbs)),
              RC_PARSE);
    issuer[0] = 8;
    assert_rc(tlog_sct_check(&at_ms, list, len, spki, 91, issuer, tbs,
                             sizeof(tbs)),
              RC_VERIFY);
}

static void a_checkpoint_has_one_line_and_names_its_tree(void **state)
{
    OWN_S(tlog_p256) *k = a_key(0);
    OWN_S(tlog_p256) *other = a_key(1);
    struct tlog_checkpoint cp;
    struct tlog_hash root = { { 9 } };
    char note[TLOG_NOTE_MAX], host[TLOG_NAME_MAX];
    const uint8_t *spki = tlog_p256_spki(k);
    (void)state;
    assert_ok(tlog_rekor_host(host, "mpc.example"));
    assert_string_equal(host, "log.mpc.example");
    assert_ok(tlog_rekor_note(note, host, k, 308, &root));
    assert_ok(tlog_rekor_open(&cp, note, strlen(note), host, spki, 91));
    assert_int_equal(cp.size, 308);
    assert_memory_equal(cp.root.b, root.b, 32);
    assert_int_equal(strspn(strstr(note, " - ") + 3, "0123456789"),
                     strcspn(strstr(note, " - ") + 3, "\n"));
    assert_rc(tlog_rekor_open(&cp, note, strlen(note), "log.other", spki, 91),
              RC_LOG);
    assert_rc(tlog_rekor_open(&cp, note, strlen(note), host,
                              tlog_p256_spki(other), 91),
              RC_LOG);
    strstr(note, "\n308\n")[3] = '9';
    assert_rc(tlog_rekor_open(&cp, note, strlen(note), host, spki, 91), RC_LOG);
    /* the sixth client of six refused a second line */
    assert_ok(tlog_rekor_note(note, host, k, 308, &root));
    char *line = strstr(note, "\xe2\x80\x94");
    OWNED_MEM char *again = strdup(line);
    strcat(note, again);
    assert_rc(tlog_rekor_open(&cp, note, strlen(note), host, spki, 91), RC_LOG);
    assert_rc(tlog_rekor_host(host, "a b"), RC_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_accepted_entry_is_written_to_the_byte),
        cmocka_unit_test(its_signature_is_over_dsse_s_encoding),
        cmocka_unit_test(what_is_not_that_text_is_no_entry),
        cmocka_unit_test(a_certificate_too_long_for_an_entry_is_said_so),
        cmocka_unit_test(an_accepted_entry_timestamp_verifies),
        cmocka_unit_test(an_accepted_certificate_s_sct_verifies),
        cmocka_unit_test(an_accepted_checkpoint_has_one_line_of_that_key),
        cmocka_unit_test(a_seed_is_one_key_always),
        cmocka_unit_test(a_list_holds_one_sct_that_verifies),
        cmocka_unit_test(a_checkpoint_has_one_line_and_names_its_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

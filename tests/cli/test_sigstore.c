/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles and trusted roots, member by member against those that cosign,
 * sigstore-go and sigstore-js took (testdata/tlog/sigstore-interop).
 */
#include "test.h"

#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "base/hash.h"
#include "ca/ca.h"
#include "cli/sigstore.h"

OWNED_BY(X509, X509_free);

#define SAMPLE "sigstore-interop/D_dsse_ed_dsse1_ec_v1ck_SET.sigstore.json"
#define ROOT   "sigstore-interop/trusted_root.json"
#define ROOM   8192

static json_t *load(const char *name)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/tlog/%s", testdata(), name);
    json_t *o = json_load_file(path, 0, NULL);
    assert_non_null(o);
    return o;
}

/* A member by its path, "a.b.0.c". */
static json_t *at(json_t *o, const char *path)
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

static const char *text(json_t *o, const char *path)
{
    const char *s = json_string_value(at(o, path));
    assert_non_null(s);
    return s;
}

static size_t bytes(uint8_t out[ROOM], json_t *o, const char *path)
{
    size_t len;
    const char *s = text(o, path);
    assert_ok(enc_unb64(out, ROOM, &len, s, strlen(s)));
    return len;
}

static void set_blob(struct wire_blob *out, json_t *o, const char *path)
{
    uint8_t raw[ROOM];
    size_t len = bytes(raw, o, path);
    assert_ok(wire_blob_set(out, raw, len));
}

/* ---- the bundle ---------------------------------------------------------- */

/* From the parts of an accepted one, that one. */
static void a_bundle_is_made_as_an_accepted_one(void **state)
{
    (void)state;
    OWNED(json_t) *sample = load(SAMPLE);
    json_t *e = at(sample, "verificationMaterial.tlogEntries.0");
    uint8_t raw[ROOM], id[ROOM];
    struct sigstore_statement s = { .json = NULL };
    struct tlog_dsse d;
    WIRE(rekor) r = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_int_equal(bytes(id, e, "logId.keyId"), 32);
    len = bytes(raw, e, "canonicalizedBody");
    assert_ok(tlog_dsse_decode(&d, (char *)raw, len));
    r.index = strtoull(text(e, "logIndex"), NULL, 10);
    r.integrated = strtoull(text(e, "integratedTime"), NULL, 10);
    set_blob(&r.set, e, "inclusionPromise.signedEntryTimestamp");
    json_t *hashes = at(e, "inclusionProof.hashes");
    assert_ok(wire_list_new(&r.path, json_array_size(hashes)));
    for (size_t i = 0; i < r.path.n; i++) {
        char path[8];
        snprintf(path, sizeof(path), "%zu", i);
        assert_int_equal(bytes(raw, hashes, path), 32);
        memcpy(r.path.at[i].b, raw, 32);
    }
    const char *note = text(e, "inclusionProof.checkpoint.envelope");
    assert_ok(wire_text_set(&r.checkpoint, note, strlen(note)));
    s.len = bytes(raw, sample, "dsseEnvelope.payload");
    s.json = (char *)raw;
    assert_ok(sigstore_bundle_json(&json, &len, &s, &d, &r, id));
    assert_int_equal(strlen(json), len);
    OWNED(json_t) *made = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_equal(made, sample));
}

/* ---- the trusted root ---------------------------------------------------- */

/* The same members, types and mediaType; lists by their first element. */
static void same_shape(json_t *a, json_t *b)
{
    const char *key;
    json_t *value;
    assert_int_equal(json_typeof(a), json_typeof(b));
    if (json_is_array(a)) {
        assert_true(json_array_size(a) > 0 && json_array_size(b) > 0);
        same_shape(json_array_get(a, 0), json_array_get(b, 0));
    }
    if (!json_is_object(a))
        return;
    assert_int_equal(json_object_size(a), json_object_size(b));
    json_object_foreach (a, key, value)
        same_shape(value, at(b, key));
}

static void a_trusted_root_is_made_as_an_accepted_one(void **state)
{
    (void)state;
    OWNED(json_t) *sample = load(ROOT);
    uint8_t key[ROOM], root[ROOM];
    struct tlog_vkey log;
    WIRE(spki) spki = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_int_equal(bytes(key, sample, "tlogs.0.publicKey.rawBytes"), 44);
    assert_ok(tlog_vkey_make(&log, "mpc.example/log", TLOG_SIG_ED25519,
                             key + 12));
    set_blob(&spki.spki, sample, "tlogs.2.publicKey.rawBytes");
    size_t root_len = bytes(
            root, sample,
            "certificateAuthorities.0.certChain.certificates.0.rawBytes");
    assert_ok(sigstore_trusted_root(&json, &len, &log, &spki, root, root_len));
    OWNED(json_t) *made = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    /* no timestamp authority of ours: the log tells the time */
    json_object_del(sample, "timestampAuthorities");
    same_shape(made, sample);
    assert_string_equal(text(made, "mediaType"), text(sample, "mediaType"));
    assert_int_equal(json_array_size(at(made, "tlogs")), 2);
    /* its own host and keys, and since when: from its certificate */
    assert_true(json_equal(at(made, "tlogs.1"), at(sample, "tlogs.2")));
    assert_true(json_equal(at(made, "tlogs.0.publicKey"),
                           at(sample, "tlogs.0.publicKey")));
    assert_true(json_equal(at(made, "ctlogs.0"), at(made, "tlogs.1")));
    assert_true(json_equal(at(made, "certificateAuthorities.0.certChain"),
                           at(sample, "certificateAuthorities.0.certChain")));
    /* what cannot be one */
    free(json);
    json = NULL;
    assert_rc(
            sigstore_trusted_root(&json, &len, &log, &spki, root, root_len - 1),
            RC_PARSE);
    assert_ok(tlog_vkey_make(&log, "elsewhere", TLOG_SIG_ED25519, key + 12));
    assert_rc(sigstore_trusted_root(&json, &len, &log, &spki, root, root_len),
              RC_ARG);
}

/* ---- leaves -------------------------------------------------------------- */

static void an_sct_is_checked_before_anything_is_written(void **state)
{
    (void)state;
    OWNED(json_t) *sample = load(SAMPLE);
    OWNED(json_t) *trusted = load(ROOT);
    uint8_t leaf[ROOM], root[ROOM];
    WIRE(spki) ct = { 0 };
    WIRE(spki) other = { 0 };
    size_t leaf_len = bytes(leaf, sample,
                            "verificationMaterial.certificate.rawBytes");
    size_t root_len = bytes(
            root, trusted,
            "certificateAuthorities.0.certChain.certificates.0.rawBytes");
    set_blob(&ct.spki, trusted, "ctlogs.0.publicKey.rawBytes");
    set_blob(&other.spki, trusted, "tlogs.2.publicKey.rawBytes");
    assert_ok(sigstore_sct_check(leaf, leaf_len, root, root_len, &ct));
    assert_rc(sigstore_sct_check(leaf, leaf_len, root, root_len, &other),
              RC_VERIFY);
    assert_rc(sigstore_sct_check(leaf, leaf_len, leaf, leaf_len, &ct),
              RC_VERIFY);
    assert_rc(sigstore_sct_check(root, root_len, root, root_len, &ct),
              RC_UNKNOWN);
}

static void put_ext(X509 *x, const char *oid, const uint8_t *der, size_t len)
{
    ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
    ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
    assert_true(o && s && ASN1_OCTET_STRING_set(s, der, (int)len));
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, s);
    assert_true(e && X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(s);
    ASN1_OBJECT_free(o);
}

/* SEQUENCE { 1, session, [0]?, threshold, 3, …, [3] log, [4] birth } */
static size_t a_context(uint8_t out[128], uint8_t threshold, const char *log)
{
    struct bytes_writer w = bytes_writer(out, 128);
    size_t n = strlen(log);
    bytes_put_u16(
            &w, (uint16_t)(0x3000 | (uint8_t)(3 + 4 + 3 + 3 + 2 + 2 + n + 4)));
    bytes_put(&w, "\x02\x01\x01\x04\x02ss\x02\x01", 9);
    bytes_put_u8(&w, threshold);
    bytes_put(&w, "\x02\x01\x03\x30\x00\x83", 6);
    bytes_put_u8(&w, (uint8_t)n);
    bytes_put(&w, log, n);
    bytes_put(&w, "\x84\x02\x01\x02", 4);
    assert_ok(bytes_written(&w));
    return w.len;
}

static size_t a_leaf(uint8_t out[ROOM], const uint8_t *context, size_t len)
{
    static const uint8_t issuer[] = "\x0c\x10mpc://example/ca";
    uint8_t pk[32] = { 5 };
    OWNED(X509) *x = X509_new();
    EVP_PKEY *pub = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pk, 32);
    EVP_PKEY *sk = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, pk, 32);
    assert_true(x && pub && sk && X509_set_version(x, 2));
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), 0));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), 300));
    assert_true(X509_set_pubkey(x, pub));
    put_ext(x, CA_OID_ISSUER, issuer, sizeof(issuer) - 1);
    if (context)
        put_ext(x, CA_OID_CONTEXT, context, len);
    assert_true(X509_sign(x, sk, NULL) > 0);
    uint8_t *end = out;
    int n = i2d_X509(x, &end);
    EVP_PKEY_free(pub);
    EVP_PKEY_free(sk);
    assert_true(n > 0);
    return (size_t)n;
}

static void a_statement_says_what_is_known_before_it_is_signed(void **state)
{
    (void)state;
    uint8_t context[128], leaf[ROOM];
    WIRE(chain) chain = { 0 };
    struct sigstore_statement s = { .json = NULL };
    struct cli_content content = { .sha256 = { 0xab } };
    size_t len = a_context(context, 2, "example/log");
    len = a_leaf(leaf, context, len);
    assert_ok(wire_list_new(&chain.chain, 1));
    assert_ok(wire_blob_set(&chain.chain.at[0], leaf, len));
    assert_ok(sigstore_statement(&s, "dir/a \"b\".tar", &content, &chain,
                                 "5e55"));
    OWNED(json_t) *o = json_loads(s.json, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_object_size(o), 4);
    assert_string_equal(text(o, "_type"), "https://in-toto.io/Statement/v1");
    assert_string_equal(text(o, "subject.0.name"), "a \"b\".tar");
    assert_memory_equal(text(o, "subject.0.digest.sha256"), "ab00", 4);
    assert_string_equal(text(o, "predicateType"),
                        "https://example/threshold-signature/v1");
    assert_string_equal(text(o, "predicate.session"), "5e55");
    assert_string_equal(text(o, "predicate.threshold"), "2-of-3");
    assert_string_equal(text(o, "predicate.log"), "example/log");
    assert_int_equal(json_integer_value(at(o, "predicate.birth")), 0x102);
    assert_int_equal(strlen(text(o, "predicate.key")), 64);
    /* DSSEv1 SP len SP type SP len SP body */
    char head[96];
    int n = snprintf(head, sizeof(head),
                     "DSSEv1 28 application/vnd.in-toto+json %zu ", s.len);
    assert_memory_equal(s.pae, head, (size_t)n);
    assert_int_equal(s.pae_len, (size_t)n + s.len);
    assert_memory_equal(s.pae + n, s.json, s.len);
    sigstore_statement_free(&s);
    /* no session: none is made up */
    assert_ok(sigstore_statement(&s, "a", &content, &chain, NULL));
    assert_null(strstr(s.json, "session"));
    sigstore_statement_free(&s);
}

static void a_leaf_that_is_not_ours_says_so(void **state)
{
    (void)state;
    uint8_t context[128], leaf[ROOM];
    struct sigstore_leaf l;
    size_t n = a_context(context, 2, "example/log");
    size_t len = a_leaf(leaf, context, n);
    assert_ok(sigstore_leaf_read(&l, leaf, len));
    assert_string_equal(l.cluster, "example");
    assert_string_equal(l.deployment, "example");
    assert_false(l.has_sct);
    assert_rc(sigstore_leaf_read(&l, leaf, len - 1), RC_PARSE);
    len = a_leaf(leaf, NULL, 0);
    assert_rc(sigstore_leaf_read(&l, leaf, len), RC_UNKNOWN);
    for (size_t cut = 1; cut < n; cut++) {
        len = a_leaf(leaf, context, cut);
        assert_rc(sigstore_leaf_read(&l, leaf, len), RC_PARSE);
    }
    n = a_context(context, 2, "example");
    len = a_leaf(leaf, context, n);
    assert_rc(sigstore_leaf_read(&l, leaf, len), RC_PARSE);
    n = a_context(context, 0x82, "example/log"); /* negative */
    len = a_leaf(leaf, context, n);
    assert_rc(sigstore_leaf_read(&l, leaf, len), RC_PARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bundle_is_made_as_an_accepted_one),
        cmocka_unit_test(a_trusted_root_is_made_as_an_accepted_one),
        cmocka_unit_test(an_sct_is_checked_before_anything_is_written),
        cmocka_unit_test(a_statement_says_what_is_known_before_it_is_signed),
        cmocka_unit_test(a_leaf_that_is_not_ours_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

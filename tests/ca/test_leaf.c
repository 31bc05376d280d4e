/* SPDX-License-Identifier: Apache-2.0 */
/* What is issued, in the eyes of OpenSSL's own programs and of Fulcio's. */
#include "world.h"

#include <sys/wait.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"

static struct world w;

static int open_world(void **state)
{
    (void)state;
    world_open(&w);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

/* ---- running openssl ------------------------------------------------------------- */

static void put_pem(const char *dir, const char *name, const uint8_t *der,
                    size_t len)
{
    char path[256];
    const uint8_t *at = der;
    X509 *x = d2i_X509(NULL, &at, (long)len);
    assert_non_null(x);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, x), 1);
    fclose(f);
    X509_free(x);
}

/* Runs in dir; its output is kept in out.txt and borrowed until the next. */
static int run(const char *dir, const char *command, const char **output)
{
    static char text[65536];
    char line[1024], path[256];
    snprintf(line, sizeof(line),
             "cd %s && OPENSSL_CONF=/dev/null %s >out.txt 2>&1", dir, command);
    int status = system(line);
    uint8_t *all = NULL;
    size_t len;
    snprintf(path, sizeof(path), "%s/out.txt", dir);
    assert_ok(file_read(&all, &len, path, sizeof(text) - 1));
    memcpy(text, all, len + 1);
    free(all);
    *output = text;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void wipe_dir(const char *dir)
{
    char line[256];
    snprintf(line, sizeof(line), "rm -rf %s", dir);
    assert_int_equal(system(line), 0);
}

static void put_chain(char *dir, const struct wire_birth *b, bool simulated)
{
    uint8_t tbs[CA_DER_MAX], der[CA_DER_MAX];
    size_t tbs_len, len;
    assert_non_null(mkdtemp(dir));
    world_leaf(tbs, &tbs_len, &w, b, simulated);
    world_sign(der, &len, &w, tbs, tbs_len);
    put_pem(dir, "leaf.pem", der, len);
    put_pem(dir, "root.pem", w.root, w.root_len);
}

/* ---- the tests --------------------------------------------------------------------- */

static void openssl_verifies_a_leaf_under_its_root(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-ca-XXXXXX", command[256];
    const char *out;
    WIRE(birth) b = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    put_chain(dir, &b, false);
    static const struct {
        const char *options;
        int at_s;
        int exit;
        const char *why;
    } cases[] = {
        { "", 0, 0, "plain" },
        { "-x509_strict -policy_check", 0, 0, "every rule of RFC 5280" },
        { "-purpose smimesign", 0, 0, "email protection, for cms -verify" },
        { "-purpose sslserver", 0, 2, "no server" },
        { "", -CA_BACKDATE_S, 0, "the first second" },
        { "", -CA_BACKDATE_S - 1, 2, "before" },
        { "", 299, 0, "the last second but one" },
        { "", 300, 2, "the last second, which OpenSSL counts out" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(command, sizeof(command),
                 "openssl verify %s -attime %d -CAfile root.pem leaf.pem",
                 cases[i].options, WORLD_NOW + cases[i].at_s);
        int status = run(dir, command, &out);
        if (status != cases[i].exit)
            fail_msg("%s: exit %d, want %d: %s", cases[i].why, status,
                     cases[i].exit, out);
    }
    wipe_dir(dir);
}

static void want_text(const char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("not in the text: %s\n%s", what, text);
}

static void openssl_reads_every_field(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-ca-XXXXXX", hex[ENC_HEX_SIZE(32)], want[128];
    const char *out;
    WIRE(birth) b = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    put_chain(dir, &b, false);
    assert_int_equal(run(dir, "openssl x509 -in leaf.pem -noout -text", &out),
                     0);
    want_text(out, "Version: 3 (0x2)");
    want_text(out, "Issuer: CN = test root");
    want_text(out, "Subject: \n");
    want_text(out, "X509v3 Key Usage: critical\n                Digital "
                   "Signature\n");
    want_text(out, "Code Signing, E-mail Protection\n");
    want_text(out, "X509v3 Subject Alternative Name: critical\n");
    snprintf(want, sizeof(want), "URI:mpc://test/group/%s\n",
             enc_hex(hex, b.cert.group_key, 4));
    want_text(out, want);
    want_text(out, "mpc://test/ca");
    snprintf(want, sizeof(want), "sha256:%s", enc_hex(hex, w.ca_hash, 32));
    want_text(out, want);
    want_text(out, "amd-sev-snp");
    snprintf(want, sizeof(want), "urn:mpc:session:%s",
             enc_hex(hex, b.cert.session, 32));
    want_text(out, want);
    want_text(out, CA_OID_CONTEXT);
    assert_null(strstr(out, "CA:TRUE"));
    assert_null(strstr(out, CA_OID_SIMULATED));
    assert_null(strstr(out, "<INVALID"));
    assert_int_equal(run(dir, "openssl x509 -in root.pem -noout -text", &out),
                     0);
    want_text(out, "Subject: CN = test root");
    want_text(out, "X509v3 Basic Constraints: critical\n                "
                   "CA:TRUE, pathlen:0\n");
    want_text(out, "X509v3 Key Usage: critical\n                Certificate "
                   "Sign, CRL Sign\n");
    wipe_dir(dir);
}

static void simulation_marks_leaf_and_root(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-ca-XXXXXX";
    const char *out;
    uint8_t tbs[CA_DER_MAX], der[CA_DER_MAX];
    size_t tbs_len, len;
    struct world s = w; /* with a marked root */
    WIRE(birth) b = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    assert_ok(ca_root_tbs(tbs, &tbs_len, "test", w.issuer.pk, true, WORLD_NOW));
    world_sign(s.root, &s.root_len, &s, tbs, tbs_len);
    assert_non_null(mkdtemp(dir));
    world_leaf(tbs, &tbs_len, &s, &b, true);
    world_sign(der, &len, &s, tbs, tbs_len);
    put_pem(dir, "leaf.pem", der, len);
    put_pem(dir, "root.pem", s.root, s.root_len);
    static const char *const files[] = { "leaf.pem", "root.pem" };
    for (int i = 0; i < 2; i++) {
        char command[128];
        snprintf(command, sizeof(command), "openssl x509 -in %s -noout -text",
                 files[i]);
        assert_int_equal(run(dir, command, &out), 0);
        want_text(out, "URI:mpc://simulated.test/");
        want_text(out, CA_OID_SIMULATED);
        assert_null(strstr(out, CA_OID_SIMULATED ": critical"));
    }
    assert_int_equal(run(dir,
                         "openssl verify -no_check_time -x509_strict -CAfile "
                         "root.pem leaf.pem",
                         &out),
                     0);
    wipe_dir(dir);
}

/* One DER element; returns its contents. */
static const uint8_t *element(const uint8_t **at, uint8_t tag, size_t *len)
{
    assert_int_equal((*at)[0], tag);
    size_t head = 2;
    *len = (*at)[1];
    if (*len >= 0x80) {
        head = 2 + (*len & 0x7f);
        assert_in_range(head, 3, 4);
        *len = head == 3 ? (*at)[2] : (size_t)((*at)[2] << 8 | (*at)[3]);
    }
    const uint8_t *body = *at + head;
    *at = body + *len;
    return body;
}

static void want_element(const uint8_t **at, uint8_t tag, const void *bytes,
                         size_t len)
{
    size_t have;
    const uint8_t *body = element(at, tag, &have);
    assert_int_equal(have, len);
    assert_memory_equal(body, bytes, len);
}

/* FORMATS section 4, read byte by byte without the encoder's templates. */
static void context_is_laid_out_as_formats_says(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    uint8_t tbs[CA_DER_MAX], der[CA_DER_MAX], h[3][32];
    size_t tbs_len, len;
    struct tlog_birth e;
    world_birth(&b, &w,
                &(struct world_plan){ .profile = "once",
                                      .sign_session = true,
                                      .artifact = true });
    assert_ok(tlog_birth_decode(&e, b.proof.entry.p, b.proof.entry.len));
    world_leaf(tbs, &tbs_len, &w, &b, false);
    world_sign(der, &len, &w, tbs, tbs_len);
    const uint8_t *at = der;
    X509 *x = d2i_X509(NULL, &at, (long)len);
    ASN1_OBJECT *oid = OBJ_txt2obj(CA_OID_CONTEXT, 1);
    int place = X509_get_ext_by_OBJ(x, oid, -1);
    assert_true(place >= 0);
    const ASN1_OCTET_STRING *ext = X509_EXTENSION_get_data(
            X509_get_ext(x, place));
    at = ASN1_STRING_get0_data(ext);
    const uint8_t *end = at + ASN1_STRING_length(ext);
    const uint8_t *in = element(&at, 0x30, &len);
    assert_ptr_equal(at, end);
    want_element(&in, 0x02, "\x01", 1);
    want_element(&in, 0x04, e.session, 32);
    uint8_t artifact[32];
    hash256(artifact, "app", 3);
    want_element(&in, 0x80, artifact, 32);
    want_element(&in, 0x02, "\x02", 1);
    want_element(&in, 0x02, "\x03", 1);
    const uint8_t *p = element(&in, 0x30, &len);
    assert_int_equal(len, 3 * 34);
    for (unsigned i = 0; i < 3; i++)
        hash256(h[i], w.node[i].pk, 32);
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t *one = element(&p, 0x04, &len);
        bool known = false;
        for (unsigned k = 0; k < 3; k++)
            known = known || memcmp(one, h[k], 32) == 0;
        assert_true(known);
        assert_true(i == 0 || memcmp(one - 34, one, 32) < 0);
    }
    want_element(&in, 0x04, e.approvals, 32);
    want_element(&in, 0x04, e.policy, 32);
    want_element(&in, 0x83, "test/log", 8);
    uint8_t index = (uint8_t)b.proof.index;
    want_element(&in, 0x84, &index, 1);
    assert_ptr_equal(in, end);
    ASN1_OBJECT_free(oid);
    X509_free(x);
}

static void persistent_key_binds_no_artifact(void **state)
{
    (void)state;
    WIRE(birth) once = { 0 }, release = { 0 };
    uint8_t a[CA_DER_MAX], hash[32];
    size_t n;
    hash256(hash, "app", 3);
    world_birth(&once, &w,
                &(struct world_plan){ .profile = "once",
                                      .sign_session = true,
                                      .artifact = true });
    world_birth(&release, &w, &(struct world_plan){ 0 });
    world_leaf(a, &n, &w, &once, false);
    assert_non_null(memmem(a, n, hash, 32));
    world_leaf(a, &n, &w, &release, false);
    assert_null(memmem(a, n, hash, 32));
}

static void serials_are_positive_long_and_fresh(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    uint8_t tbs[CA_DER_MAX], der[CA_DER_MAX], seen[20][20];
    size_t tbs_len, len;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    for (unsigned i = 0; i < 20; i++) {
        world_leaf(tbs, &tbs_len, &w, &b, false);
        world_sign(der, &len, &w, tbs, tbs_len);
        const uint8_t *at = der;
        X509 *x = d2i_X509(NULL, &at, (long)len);
        const ASN1_INTEGER *n = X509_get0_serialNumber(x);
        assert_int_equal(ASN1_STRING_type(n), V_ASN1_INTEGER);
        assert_int_equal(ASN1_STRING_length(n), 20);
        memcpy(seen[i], ASN1_STRING_get0_data(n), 20);
        for (unsigned j = 0; j < i; j++)
            assert_memory_not_equal(seen[j], seen[i], 20);
        X509_free(x);
    }
}

static void birth_index_is_read_back(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    uint8_t tbs[CA_DER_MAX];
    size_t len;
    uint64_t index = 0;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    world_leaf(tbs, &len, &w, &b, false);
    assert_ok(ca_tbs_birth(&index, tbs, len));
    assert_int_equal(index, b.proof.index);
    assert_ok(ca_root_tbs(tbs, &len, "test", w.issuer.pk, false, WORLD_NOW));
    assert_rc(ca_tbs_birth(&index, tbs, len), RC_UNKNOWN);
    assert_rc(ca_tbs_birth(&index, tbs, len - 1), RC_PARSE);
    assert_rc(ca_tbs_birth(&index, (const uint8_t *)"", 0), RC_PARSE);
    assert_int_equal(index, b.proof.index);
}

static void issuing_signs_and_returns_the_chain(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    WIRE(chain) chain = { 0 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    struct ca_leaf leaf = { .chain = w.chain,
                            .birth = &b,
                            .issuer = w.root,
                            .issuer_len = w.root_len,
                            .tee_hash = w.ca_hash,
                            .now_s = WORLD_NOW };
    EVP_PKEY *key = world_issuer_key(&w);
    assert_ok(ca_issue(&chain, key, &leaf));
    assert_int_equal(chain.chain.n, 2);
    assert_int_equal(chain.chain.at[1].len, w.root_len);
    assert_memory_equal(chain.chain.at[1].p, w.root, w.root_len);
    const uint8_t *at = chain.chain.at[0].p;
    X509 *x = d2i_X509(NULL, &at, (long)chain.chain.at[0].len);
    assert_int_equal(X509_verify(x, key), 1);
    X509_free(x);
    EVP_PKEY_free(key);
}

static void issuing_wants_the_issuers_own_key(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    WIRE(chain) chain = { 0 };
    uint8_t seed[32] = { 7 };
    world_birth(&b, &w, &(struct world_plan){ 0 });
    struct ca_leaf leaf = { .chain = w.chain,
                            .birth = &b,
                            .issuer = w.root,
                            .issuer_len = w.root_len,
                            .tee_hash = w.ca_hash,
                            .now_s = WORLD_NOW };
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed,
                                                 32);
    assert_rc(ca_issue(&chain, key, &leaf), RC_ARG);
    assert_int_equal(chain.chain.n, 0);
    EVP_PKEY_free(key);
}

static void issuer_must_be_the_root_of_this_cluster(void **state)
{
    (void)state;
    WIRE(birth) b = { 0 };
    uint8_t tbs[CA_DER_MAX], out[CA_DER_MAX];
    size_t tbs_len, len;
    world_birth(&b, &w, &(struct world_plan){ 0 });
    struct world other = w;
    assert_ok(ca_root_tbs(tbs, &tbs_len, "elsewhere", w.issuer.pk, false,
                          WORLD_NOW));
    world_sign(other.root, &other.root_len, &w, tbs, tbs_len);
    struct ca_leaf leaf = { .chain = w.chain,
                            .birth = &b,
                            .issuer = other.root,
                            .issuer_len = other.root_len,
                            .tee_hash = w.ca_hash,
                            .now_s = WORLD_NOW };
    assert_rc(ca_leaf_tbs(out, &len, &leaf), RC_POLICY);
    assert_non_null(strstr(rc_text(), "issuer"));
    leaf.issuer = w.root;
    leaf.issuer_len = w.root_len - 1;
    assert_rc(ca_leaf_tbs(out, &len, &leaf), RC_PARSE);
    /* a root signed by somebody else */
    memcpy(other.root, w.root, w.root_len);
    other.root[w.root_len - 1] ^= 1;
    leaf.issuer = other.root;
    leaf.issuer_len = w.root_len;
    assert_rc(ca_leaf_tbs(out, &len, &leaf), RC_VERIFY);
}

static void assembling_wants_one_certificate(void **state)
{
    (void)state;
    uint8_t tbs[CA_DER_MAX], out[CA_DER_MAX], sig[64] = { 0 };
    size_t n, len;
    assert_ok(ca_root_tbs(tbs, &n, "test", w.issuer.pk, false, WORLD_NOW));
    assert_ok(ca_assemble(out, &len, tbs, n, sig));
    assert_rc(ca_assemble(out, &len, tbs, n - 1, sig), RC_PARSE);
    tbs[n] = 0;
    assert_rc(ca_assemble(out, &len, tbs, n + 1, sig), RC_PARSE);
    assert_rc(ca_assemble(out, &len, tbs, 0, sig), RC_PARSE);
    assert_rc(ca_assemble(out, &len, tbs, CA_DER_MAX, sig), RC_TOO_LARGE);
}

static void cluster_must_fit_a_common_name(void **state)
{
    (void)state;
    uint8_t tbs[CA_DER_MAX];
    size_t n;
    char name[65];
    memset(name, 'a', 64);
    name[64] = 0;
    assert_rc(ca_root_tbs(tbs, &n, name, w.issuer.pk, false, WORLD_NOW),
              RC_ARG);
    name[59] = 0;
    assert_ok(ca_root_tbs(tbs, &n, name, w.issuer.pk, false, WORLD_NOW));
}

static void key_is_opened_by_uri(void **state)
{
    (void)state;
    char dir[] = "/tmp/test-ca-XXXXXX", path[64], uri[80];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/ca.pem", dir);
    snprintf(uri, sizeof(uri), "file:%s", path);
    EVP_PKEY *key = world_issuer_key(&w), *back = NULL;
    FILE *f = fopen(path, "w");
    assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL),
                     1);
    fclose(f);
    assert_ok(ca_key_open(&back, uri));
    assert_int_equal(EVP_PKEY_eq(key, back), 1);
    EVP_PKEY_free(back);
    back = NULL;
    /* locked with a passphrase: nobody is asked, it just fails */
    f = fopen(path, "w");
    assert_int_equal(PEM_write_PrivateKey(f, key, EVP_aes_128_cbc(),
                                          (const unsigned char *)"secret", 6,
                                          NULL, NULL),
                     1);
    fclose(f);
    assert_rc(ca_key_open(&back, uri), RC_UNKNOWN);
    /* a file without a key */
    put_pem(dir, "ca.pem", w.root, w.root_len);
    assert_rc(ca_key_open(&back, uri), RC_UNKNOWN);
    assert_rc(ca_key_open(&back, "file:/nonexistent/ca.pem"), RC_UNKNOWN);
    assert_rc(ca_key_open(&back, "nosuchscheme:ca"), RC_UNKNOWN);
    assert_null(back);
    EVP_PKEY_free(key);
    wipe_dir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_verifies_a_leaf_under_its_root),
        cmocka_unit_test(openssl_reads_every_field),
        cmocka_unit_test(simulation_marks_leaf_and_root),
        cmocka_unit_test(context_is_laid_out_as_formats_says),
        cmocka_unit_test(persistent_key_binds_no_artifact),
        cmocka_unit_test(serials_are_positive_long_and_fresh),
        cmocka_unit_test(birth_index_is_read_back),
        cmocka_unit_test(issuing_signs_and_returns_the_chain),
        cmocka_unit_test(issuing_wants_the_issuers_own_key),
        cmocka_unit_test(issuer_must_be_the_root_of_this_cluster),
        cmocka_unit_test(assembling_wants_one_certificate),
        cmocka_unit_test(cluster_must_fit_a_common_name),
        cmocka_unit_test(key_is_opened_by_uri),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and CMS signatures by a real cluster. */
#include "cluster.h"

#include <openssl/pem.h>

#include "base/clock.h"
#include "cli/cms.h"

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

/* ---- signatures --------------------------------------------------------- */

static void sign_file(const char *out, const char *how)
{
    struct run r;
    if (how)
        RUN(&r, "cms", "sign", at.file, "-O", out, how);
    else
        RUN(&r, "cms", "sign", at.file, "-O", out);
    assert_code(&r, 0);
    assert_string_equal(r.out, "");
    run_free(&r);
}

static size_t read_bytes(uint8_t *out, size_t cap, const char *path)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t len = fread(out, 1, cap, f);
    assert_true(len > 0 && len < cap);
    fclose(f);
    return len;
}

static void what_is_signed_verifies_and_nothing_else(void **state)
{
    (void)state;
    char content[160];
    char detached[160];
    char embedded[160];
    char other[160];
    snprintf(content, sizeof(content), "%s", at.file);
    snprintf(detached, sizeof(detached), "%s", in("d.p7s"));
    snprintf(embedded, sizeof(embedded), "%s", in("e.pem"));
    snprintf(other, sizeof(other), "%s", in("other"));
    write_bytes(other, "other", 5);
    sign_file(detached, NULL);
    struct run r;
    RUN(&r, "cms", "sign", content, "-O", embedded, "--embed", "--pem");
    assert_code(&r, 0);
    run_free(&r);
    const struct {
        const char *words[12];
        int code;
        const char *says; /* on either stream */
        const char *why;
    } cases[] = {
        { { content, "--cms", detached, "--allow-simulated" },
          0,
          "Ed25519 by mpc://simulated.dev/group/",
          "as signed" },
        { { content, "--cms", detached, "--allow-simulated", "--purpose",
            "any" },
          0,
          "ok   purpose",
          "for any purpose" },
        { { "--cms", embedded, "--allow-simulated", "-O", in("out") },
          0,
          "ok   content",
          "the content is inside" },
        { { content, "--cms", embedded, "--allow-simulated" },
          0,
          "ok   content",
          "inside and beside" },
        { { other, "--cms", embedded, "--allow-simulated" },
          10,
          "FAIL content",
          "inside, but not beside" },
        { { other, "--cms", detached, "--allow-simulated" },
          10,
          "signed for other content",
          "other content" },
        { { content, "--cms", detached },
          7,
          "simulated hardware is refused",
          "simulation is not for free" },
        { { content, "--cms", detached, "--allow-simulated", "--at",
            "2030-01-01T00:00:00Z" },
          10,
          "expired",
          "after its minutes" },
        { { content, "--cms", detached, "--allow-simulated", "--ca",
            in("c/pki/ca.pem") },
          10,
          "FAIL certificate",
          "under another root" },
        { { content, "--cms", detached, "--ca", content },
          10,
          "no certificates in PEM",
          "under no root" },
        { { "--cms", detached }, 2, "FILE is missing", "no content at all" },
        { { content, "--cms", content }, 1, "not a CMS signature", "no CMS" },
        { { content, "--cms", in("app.pem") },
          1,
          "not a CMS signature",
          "PEM of something else" },
        { { content, "--cms", in("none") }, 1, "none", "no such file" },
        { { content, "--cms", detached, "--at", "yesterday" },
          2,
          "--at",
          "no time" },
        { { content, "--cms", detached, "--purpose", "fun" },
          2,
          "codesign or any",
          "no purpose" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *words[RUN_WORDS + 1] = { "cms", "verify" };
        for (size_t k = 0; cases[i].words[k]; k++)
            words[k + 2] = cases[i].words[k];
        print_message("%s\n", cases[i].why);
        run_mpcsign(&r, words);
        assert_code(&r, cases[i].code);
        if (!strstr(r.out, cases[i].says) && !strstr(r.err, cases[i].says))
            fail_msg("says nothing of %s:\n%s%s", cases[i].says, r.out, r.err);
        run_free(&r);
    }
}

static void embedded_content_comes_out_whole(void **state)
{
    (void)state;
    uint8_t want[8192];
    uint8_t got[8192];
    struct run r;
    sign_file(in("e.p7s"), "--nodetach");
    RUN(&r, "cms", "verify", "--cms", in("e.p7s"), "--content", in("out"),
        "--allow-simulated", "-o", "json");
    assert_code(&r, 0);
    json_t *o = run_json(&r);
    assert_true(json_is_true(json_object_get(o, "ok")));
    json_decref(o);
    run_free(&r);
    size_t len = read_bytes(want, sizeof(want), at.file);
    assert_int_equal(read_bytes(got, sizeof(got), in("out")), len);
    assert_memory_equal(got, want, len);
}

/* An empty file is content too, inside or not. */
static void nothing_can_be_signed_as_well(void **state)
{
    (void)state;
    static const char *const how[] = { "--pem", "--embed" };
    struct run r;
    write_bytes(in("empty"), "", 0);
    for (size_t i = 0; i < 2; i++) {
        RUN(&r, "cms", "sign", in("empty"), how[i]);
        assert_code(&r, 0);
        run_free(&r);
        RUN(&r, "cms", "verify", in("empty"), "--allow-simulated");
        assert_code(&r, 0);
        run_free(&r);
    }
    RUN(&r, "cms", "verify", "--cms", in("empty.p7s"), "--allow-simulated");
    assert_code(&r, 0);
    run_free(&r);
}

/* The signer's part begins behind the certificates; its version is the one
 * byte in it that says nothing. */
static void any_bit_of_the_signers_part_counts(void **state)
{
    (void)state;
    uint8_t der[8192];
    static const uint8_t version[] = { 0x02, 0x01, 0x01 };
    struct run r;
    sign_file(in("bits.p7s"), NULL);
    size_t len = read_bytes(der, sizeof(der), in("bits.p7s"));
    size_t begin = len - 430;
    unsigned passed = 0;
    for (size_t i = begin; i < len; i += 3) {
        der[i] ^= 1;
        write_bytes(in("bit.p7s"), der, len);
        der[i] ^= 1;
        RUN(&r, "cms", "verify", at.file, "--cms", in("bit.p7s"),
            "--allow-simulated");
        if (r.code != 10 && r.code != 1) {
            passed++;
            if (memcmp(der + i - 2, version, 3) != 0)
                fail_msg("byte %zu of %zu: exit %d\n%s%s", i, len, r.code,
                         r.out, r.err);
        }
        run_free(&r);
    }
    assert_in_range(passed, 0, 1);
}

/* Another leaf's DER, and how long it is: the CA forgets what it issued. */
static size_t fresh_leaf(uint8_t der[4096], ASN1_INTEGER **serial)
{
    static const char *const keep[] = { "ca", "node1" }; /* a leaf, both */
    struct run r;
    for (int i = 0; i < 2; i++) {
        RUN(&r, "dev", "restart", keep[i], "--dir", at.dir);
        assert_code(&r, 0);
        run_free(&r);
    }
    RUN(&r, "cert", "release", in("fresh.pem"));
    assert_code(&r, 0);
    run_free(&r);
    BIO *file = BIO_new_file(in("fresh.pem"), "r");
    X509 *leaf = next_certificate(file);
    assert_non_null(leaf);
    unsigned char *end = der;
    int len = i2d_X509(leaf, NULL);
    assert_in_range(len, 1, 4096);
    assert_int_equal(i2d_X509(leaf, &end), len);
    *serial = ASN1_INTEGER_dup(X509_get0_serialNumber(leaf));
    X509_free(leaf);
    BIO_free(file);
    return (size_t)len;
}

static bool replace(uint8_t *in_here, size_t len, const void *old,
                    const void *new, size_t n)
{
    uint8_t *found = memmem(in_here, len, old, n);
    if (found)
        memcpy(found, new, n);
    return found != NULL;
}

/*
 * Which certificate is meant stands in the signed attributes: what names the
 * signer outside of them could be turned to any other leaf of the same key.
 */
static void another_leaf_of_the_key_is_not_meant(void **state)
{
    (void)state;
    uint8_t cms[8192];
    uint8_t other[4096];
    ASN1_INTEGER *serial;
    struct run r;
    sign_file(in("m.p7s"), NULL);
    size_t len = read_bytes(cms, sizeof(cms), in("m.p7s"));
    const unsigned char *p = cms;
    CMS_ContentInfo *parsed = d2i_CMS_ContentInfo(NULL, &p, (long)len);
    STACK_OF(X509) *certs = CMS_get1_certs(parsed); /* in no order */
    assert_int_equal(sk_X509_num(certs), 2);
    X509 *leaf = sk_X509_value(certs, X509_check_ca(sk_X509_value(certs, 0)));
    unsigned char *mine = NULL;
    size_t mine_len = (size_t)i2d_X509(leaf, &mine);
    const ASN1_INTEGER *mine_serial = X509_get0_serialNumber(leaf);
    /* of one length, so that it fits in its place */
    for (unsigned tries = 0;
         fresh_leaf(other, &serial) != mine_len ||
         ASN1_STRING_length(serial) != ASN1_STRING_length(mine_serial);
         tries++) {
        assert_in_range(tries, 0, 20);
        ASN1_INTEGER_free(serial);
    }
    size_t n = (size_t)ASN1_STRING_length(serial);
    assert_memory_not_equal(other, mine, mine_len);
    assert_true(replace(cms, len, mine, other, mine_len));
    /* the first that is left names the signer, the second is signed */
    assert_true(replace(cms, len, ASN1_STRING_get0_data(mine_serial),
                        ASN1_STRING_get0_data(serial), n));
    write_bytes(in("other.p7s"), cms, len);
    RUN(&r, "cms", "verify", at.file, "--cms", in("other.p7s"),
        "--allow-simulated");
    assert_code(&r, 10);
    assert_non_null(strstr(r.out, "signingCertificateV2 means another"));
    run_free(&r);
    ASN1_INTEGER_free(serial);
    OPENSSL_free(mine);
    sk_X509_pop_free(certs, X509_free);
    CMS_ContentInfo_free(parsed);
}

/* ---- clocks ------------------------------------------------------------- */

static int64_t shift_s;

static int64_t shifted(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec + shift_s;
}

/* A time that its own certificate contradicts would never verify. */
static void a_wrong_clock_signs_nothing(void **state)
{
    (void)state;
    struct cli_content content; /* no bytes of it are kept */
    WIRE(chain) chain = { 0 };
    struct wire_signed by;
    CMS_ContentInfo *cms = NULL;
    assert_ok(cli_content_read(&content, at.file, false));
    assert_ok(cli_ask_chain(&chain, "release", NULL));
    clock_replace(shifted, NULL);
    for (shift_s = -3600; shift_s <= 3600; shift_s += 7200)
        assert_rc(cms_make(&cms, &by, "release", NULL, &chain, &content),
                  RC_EXPIRED);
    clock_replace(NULL, NULL);
    assert_ok(cms_make(&cms, &by, "release", NULL, &chain, &content));
    CMS_ContentInfo_free(cms);
}

/* ---- sessions ----------------------------------------------------------- */

static void ask(char id[65], const char *slots)
{
    static const struct {
        const char *who;
        const char *role;
    } approvers[] = { { "alice", "engineer" },
                      { "bob", "steward" },
                      { "carol", "steward" } };
    struct run r;
    RUN(&r, "request", at.file, "--profile", "guarded", "--slots", slots);
    assert_code(&r, 0);
    memcpy(id, r.out, 64);
    id[64] = '\0';
    run_free(&r);
    for (size_t i = 0; i < 3; i++) {
        RUN(&r, "approve", id, "--as", approvers[i].who, "--role",
            approvers[i].role, "--file", at.file);
        assert_code(&r, 0);
        run_free(&r);
    }
}

static void verify_cms(const char *path)
{
    struct run r;
    RUN(&r, "cms", "verify", at.file, "--cms", path, "--allow-simulated");
    assert_code(&r, 0);
    run_free(&r);
}

static void sign_makes_both_where_both_are_allowed(void **state)
{
    (void)state;
    char id[65];
    struct run r;
    ask(id, "raw,cms");
    RUN(&r, "sign", at.file, "--profile", "guarded", "--session", id, "-s",
        in("g.sig"), "--cms", in("g.p7s"), "--bundle", in("g.json"));
    assert_code(&r, 0);
    run_free(&r);
    verify_cms(in("g.p7s"));
    RUN(&r, "verify", at.file, "--bundle", in("g.json"), "--policy", at.policy,
        "--allow-simulated");
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "sign", at.file, "--cms", in("r.p7s"), "-s", in("r.sig"));
    assert_code(&r, 0); /* and without a session */
    run_free(&r);
    verify_cms(in("r.p7s"));
    assert_int_equal(access(in("r.sig"), F_OK), 0);
}

static void a_session_with_the_cms_slot_alone_makes_that(void **state)
{
    (void)state;
    char id[65];
    struct run r;
    ask(id, "cms");
    RUN(&r, "sign", at.file, "--profile", "guarded", "--session", id, "--cms",
        in("h.p7s"), "-s", in("h.sig"));
    assert_code(&r, 2);
    run_free(&r);
    RUN(&r, "cms", "sign", in("app.pem"), "--profile", "guarded", "--session",
        id, "-O", in("h.p7s"));
    assert_code(&r, 6); /* not what was approved */
    run_free(&r);
    assert_int_not_equal(access(in("h.p7s"), F_OK), 0);
    RUN(&r, "sign", at.file, "--profile", "guarded", "--session", id, "--cms",
        in("h.p7s"), "-o", "json");
    assert_code(&r, 0);
    json_t *o = run_json(&r);
    assert_true(json_is_null(json_object_get(o, "signature")));
    assert_string_equal(json_string_value(json_object_get(o, "kind")), "cms");
    json_decref(o);
    run_free(&r);
    verify_cms(in("h.p7s"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_the_keys_under_the_root),
        cmocka_unit_test(keys_without_certificates_say_what_to_do),
        cmocka_unit_test(what_is_signed_verifies_and_nothing_else),
        cmocka_unit_test(embedded_content_comes_out_whole),
        cmocka_unit_test(nothing_can_be_signed_as_well),
        cmocka_unit_test(any_bit_of_the_signers_part_counts),
        cmocka_unit_test(another_leaf_of_the_key_is_not_meant),
        cmocka_unit_test(a_wrong_clock_signs_nothing),
        cmocka_unit_test(sign_makes_both_where_both_are_allowed),
        cmocka_unit_test(a_session_with_the_cms_slot_alone_makes_that),
    };
    return cmocka_run_group_tests(tests, cluster_setup, cluster_teardown);
}

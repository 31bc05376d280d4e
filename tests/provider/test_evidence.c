/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of signatures: on the key, and in evidence-dir. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <sys/stat.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/own.h"
#include "rig.h"
#include "wire/wire.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(OSSL_LIB_CTX, OSSL_LIB_CTX_free);

/* A bundle of exactly this signature. */
static void assert_bundle_of(const uint8_t *json, size_t len,
                             const uint8_t sig[64])
{
    WIRE(bundle) b = { 0 };
    assert_ok(wire_bundle_decode(&b, (const char *)json, len));
    assert_memory_equal(b.signature, sig, 64);
    assert_memory_equal(b.group_key, rig_fake.pk, 32);
}

static size_t bundle_on(EVP_PKEY *key, uint8_t *out, size_t size)
{
    size_t len = 0;
    return EVP_PKEY_get_octet_string_param(key, "mpc-bundle", out, size,
                                           &len) == 1
                   ? len
                   : 0;
}

static void a_key_has_the_bundle_of_its_newest_signature(void **state)
{
    (void)state;
    uint8_t json[8192], sig[64];
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    unsigned before = rig_fake.bundles;
    assert_int_equal(bundle_on(key, json, sizeof(json)), 0);
    assert_int_equal(ERR_peek_error(), 0); /* absent is no failure */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rig_sign(rig_both, key, "hello", 4 + i, sig), 1);
        assert_int_equal(rig_fake.bundles, before + i);
        size_t want = bundle_on(key, NULL, 0);
        assert_true(want > 0);
        size_t len = bundle_on(key, json, sizeof(json));
        assert_int_equal(len, want);
        assert_bundle_of(json, len, sig);
        assert_int_equal(rig_fake.bundles, before + i + 1);
    }
    assert_int_equal(bundle_on(key, json, 5), 0);
    rig_assert_one_error("small", "not possible with this key", "do not fit");
    assert_int_equal(bundle_on(key, json, sizeof(json)) > 0, 1);
}

/* In pieces, the host signs on a copy of the context: the key still knows. */
static void a_signature_in_pieces_leaves_its_bundle_too(void **state)
{
    (void)state;
    uint8_t json[8192], sig[64];
    size_t sig_len = sizeof(sig);
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    assert_int_equal(
            EVP_DigestSignInit_ex(md, NULL, NULL, rig_both, NULL, key, NULL),
            1);
    assert_int_equal(EVP_DigestSignUpdate(md, "hello", 5), 1);
    assert_int_equal(EVP_DigestSignFinal(md, sig, &sig_len), 1);
    EVP_MD_CTX_free(md);
    assert_bundle_of(json, bundle_on(key, json, sizeof(json)), sig);
}

static void a_key_tells_the_session_it_signed_in(void **state)
{
    (void)state;
    char session[65], want[65];
    uint8_t sig[64], id[32];
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    assert_int_equal(EVP_PKEY_get_utf8_string_param(key, "mpc-session", session,
                                                    sizeof(session), NULL),
                     1);
    assert_string_equal(session, "");
    assert_int_equal(rig_sign(rig_both, key, "hello", 5, sig), 1);
    assert_int_equal(EVP_PKEY_get_utf8_string_param(key, "mpc-session", session,
                                                    sizeof(session), NULL),
                     1);
    hash256(id, sig, sizeof(sig));
    assert_string_equal(session, enc_hex(want, id, sizeof(id)));
    OWNED(EVP_PKEY) *named = rig_need_key(rig_both,
                                          "mpc:release?session=" HEX64);
    assert_int_equal(EVP_PKEY_get_utf8_string_param(named, "mpc-session",
                                                    session, sizeof(session),
                                                    NULL),
                     1);
    assert_string_equal(session, HEX64);
}

static void a_bundle_that_can_not_be_had_is_one_error(void **state)
{
    static const struct {
        enum fake_mode mode;
        const char *reason;
        const char *words;
    } cases[] = {
        { FAKE_REFUSES, "approvals are missing", "mpcsign approve" },
        { FAKE_BAD_JSON, "malformed", "sidecar's evidence: " },
        { FAKE_WRONG_SIGNATURE, "conflicts with an earlier one",
          "of another signature; ask for it" },
        { FAKE_CLOSES, "sidecar not reachable", "closed" },
    };
    (void)state;
    uint8_t json[8192], sig[64];
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    assert_int_equal(rig_sign(rig_both, key, "hello", 5, sig), 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_fake.bundle_mode = cases[i].mode;
        assert_int_equal(bundle_on(key, json, sizeof(json)), 0);
        rig_assert_one_error("bundle", cases[i].reason, cases[i].words);
    }
    rig_fake.bundle_mode = FAKE_OK; /* and it is not lost by that */
    assert_bundle_of(json, bundle_on(key, json, sizeof(json)), sig);
}

/*
 * Threads that sign with one key and ask it what it knows: each answer is a
 * bundle or none, of whichever signature was the newest just then.
 */
static void *sign_and_ask(void *arg)
{
    EVP_PKEY *key = arg;
    unsigned good = 0;
    for (uint32_t i = 0; i < 100; i++) {
        uint8_t json[8192], sig[64];
        char session[65];
        good += rig_sign(rig_both, key, &i, sizeof(i), sig) == 1 &&
                EVP_PKEY_get_utf8_string_param(key, "mpc-session", session,
                                               sizeof(session), NULL) == 1;
        size_t len = bundle_on(key, json, sizeof(json));
        WIRE(bundle) b = { 0 };
        if (len > 0 && wire_bundle_decode(&b, (const char *)json, len) != RC_OK)
            good = 0;
        ERR_clear_error(); /* the fake keeps only the latest */
    }
    return good == 100 ? key : NULL;
}

static void threads_share_what_a_key_knows(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_and_ask, key),
                         0);
    for (size_t i = 0; i < 4; i++) {
        void *good;
        pthread_join(threads[i], &good);
        assert_non_null(good);
    }
}

/* ---- evidence-dir -------------------------------------------------------- */

static OSSL_LIB_CTX *context_with_dir(char path[160], const char *name)
{
    char extra[256];
    snprintf(path, 160, "%s/%s", rig_fake.dir, name);
    snprintf(extra, sizeof(extra), "evidence-dir = %s", path);
    return rig_context(DEFAULT_FIRST, extra);
}

static unsigned files_in(const char *path)
{
    unsigned n = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static void each_signature_leaves_one_file_named_by_it(void **state)
{
    (void)state;
    char path[160], file[300], hex[65];
    OWNED(OSSL_LIB_CTX) *ctx = context_with_dir(path, "evidence");
    assert_int_equal(mkdir(path, 0700), 0);
    mode_t mask = umask(0077);
    OWNED(EVP_PKEY) *key = rig_need_key(ctx, "mpc:release");
    for (unsigned i = 0; i < 3; i++) {
        uint8_t sig[64], digest[32], *json, again[8192];
        size_t len;
        struct stat st;
        unsigned before = rig_fake.bundles;
        assert_int_equal(rig_sign(ctx, key, "hello", 3 + i, sig), 1);
        rig_assert_good(sig, "hello", 3 + i);
        assert_int_equal(files_in(path), i + 1);
        hash256(digest, sig, sizeof(sig));
        snprintf(file, sizeof(file), "%s/%s.mpc.json", path,
                 enc_hex(hex, digest, sizeof(digest)));
        assert_ok(file_read(&json, &len, file, 1 << 20));
        assert_bundle_of(json, len, sig);
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_int_equal(bundle_on(key, again, sizeof(again)), len);
        assert_memory_equal(again, json, len);
        assert_int_equal(rig_fake.bundles, before + 1); /* asked once */
        free(json);
    }
    umask(mask);
}

static void where_nothing_can_be_written_nothing_is_signed(void **state)
{
    (void)state;
    char path[160];
    uint8_t sig[64] = { 0 };
    static const uint8_t untouched[64];
    OWNED(OSSL_LIB_CTX) *ctx = context_with_dir(path, "absent");
    OWNED(EVP_PKEY) *key = rig_need_key(ctx, "mpc:release");
    unsigned before = rig_fake.signs;
    assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 0);
    rig_assert_one_error("absent", "input or output failed",
                         "/absent: nothing signed: No such file or directory; "
                         "make it writable");
    assert_int_equal(rig_fake.signs, before);
    assert_memory_equal(sig, untouched, 64);
}

static void evidence_that_fails_keeps_the_signature_back(void **state)
{
    (void)state;
    char path[160], file[300];
    uint8_t sig[64] = { 0 }, made[64], digest[32];
    char hex[65];
    static const uint8_t untouched[64];
    OWNED(OSSL_LIB_CTX) *ctx = context_with_dir(path, "late");
    assert_int_equal(mkdir(path, 0700), 0);
    OWNED(EVP_PKEY) *key = rig_need_key(ctx, "mpc:release");
    rig_fake.bundle_mode = FAKE_PLAIN_500;
    assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 0);
    rig_assert_one_error("500", "malformed", "signed, and not handed out: ");
    assert_memory_equal(sig, untouched, 64);
    assert_int_equal(files_in(path), 0);
    /* a directory stands where the file would go */
    memcpy(made, rig_fake.signature, 64);
    hash256(digest, made, sizeof(made));
    snprintf(file, sizeof(file), "%s/%s.mpc.json", path,
             enc_hex(hex, digest, sizeof(digest)));
    assert_int_equal(mkdir(file, 0700), 0);
    rig_fake.bundle_mode = FAKE_OK;
    assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 0);
    rig_assert_one_error("directory", "input or output failed", "rename to ");
    assert_memory_equal(sig, untouched, 64);
    assert_int_equal(files_in(path), 1); /* and no temporary is left */
}

static void a_relative_directory_is_a_mistake(void **state)
{
    (void)state;
    OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST, "evidence-dir = e");
    assert_null(rig_key(ctx, "mpc:release"));
    rig_assert_one_error("relative", "malformed", "want an absolute path");
}

/* ---- what the provider says of itself ------------------------------------ */

static void the_provider_tells_its_settings(void **state)
{
    (void)state;
    OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST,
                                           "timeout = 7\nlegacy-bridge = yes");
    OWNED(OSSL_LIB_CTX) *wrong = rig_context(DEFAULT_FIRST,
                                             "decode-public-keys = maybe");
    OSSL_LIB_CTX *each[] = { ctx, wrong };
    for (size_t i = 0; i < 2; i++) {
        char *sidecar = NULL, *why = NULL, *version = NULL;
        int status = -1, timeout = -1;
        OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_ptr("mpc-sidecar", &sidecar, 0),
            OSSL_PARAM_construct_utf8_ptr("mpc-why", &why, 0),
            OSSL_PARAM_construct_utf8_ptr("version", &version, 0),
            OSSL_PARAM_construct_int("status", &status),
            OSSL_PARAM_construct_int("mpc-timeout", &timeout),
            OSSL_PARAM_construct_end(),
        };
        OSSL_PROVIDER *p = OSSL_PROVIDER_load(each[i], "mpc");
        assert_int_equal(OSSL_PROVIDER_get_params(p, params), 1);
        OSSL_PROVIDER_unload(p);
        assert_string_equal(sidecar, rig_fake.path);
        assert_string_equal(version, MPC_VERSION);
        assert_int_equal(timeout, i == 0 ? 7 : 10);
        assert_int_equal(status, i == 0);
        assert_string_equal(why,
                            i == 0 ? "" : "decode-public-keys: want yes or no");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(a_key_has_the_bundle_of_its_newest_signature),
        RIG(a_signature_in_pieces_leaves_its_bundle_too),
        RIG(a_key_tells_the_session_it_signed_in),
        RIG(a_bundle_that_can_not_be_had_is_one_error),
        RIG(threads_share_what_a_key_knows),
        RIG(each_signature_leaves_one_file_named_by_it),
        RIG(where_nothing_can_be_written_nothing_is_signed),
        RIG(evidence_that_fails_keeps_the_signature_back),
        RIG(a_relative_directory_is_a_mistake),
        RIG(the_provider_tells_its_settings),
    };
    return cmocka_run_group_tests(tests, rig_up, rig_down);
}

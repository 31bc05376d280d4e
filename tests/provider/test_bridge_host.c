/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge is one for the process: hosts with threads, with other Ed25519
 * keys, with several contexts, and with contexts that end before their keys.
 */
#define OPENSSL_API_COMPAT 10101
#include "bridged.h"

#include <openssl/engine.h>
#include <openssl/err.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/wait.h>

#include "base/own.h"

OWNED_BY(BIO, BIO_free);
OWNED_BY(EVP_MD_CTX, EVP_MD_CTX_free);
OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(OSSL_LIB_CTX, OSSL_LIB_CTX_free);

#ifdef MPC_SANITIZED
#define ROUNDS 50
#define CYCLES 100
#else
#define ROUNDS 300
#define CYCLES 1000
#endif
#define ORDINARY 4
#define BRIDGED  4

/* ---- ordinary keys, while others load bridge keys ------------------------ */

struct work {
    OSSL_LIB_CTX *ctx;
    unsigned good;
};

/* A key that goes out as PKCS#8 and comes back. */
static EVP_PKEY *there_and_back(OSSL_LIB_CTX *ctx, const EVP_PKEY *key)
{
    OWNED(BIO) *file = BIO_new(BIO_s_mem());
    if (PEM_write_bio_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1)
        return NULL;
    return PEM_read_bio_PrivateKey_ex(file, NULL, NULL, NULL, ctx, NULL);
}

/* The old ways to say what type a key is of. */
static bool typed_by_default(const char *name, int type)
{
    OWNED(EVP_PKEY) *key = EVP_PKEY_new();
    bool set = name ? EVP_PKEY_set_type_str(key, name, -1)
                    : EVP_PKEY_set_type(key, type);
    return set && !EVP_PKEY_get0_engine(key) &&
           EVP_PKEY_get0_asn1(key) ==
                   EVP_PKEY_asn1_find(NULL, EVP_PKEY_ED25519);
}

static bool ordinary(OSSL_LIB_CTX *ctx)
{
    uint8_t sig[64], raw[32], priv[32];
    size_t len = 32, priv_len = 32;
    OWNED(EVP_PKEY) *made = EVP_PKEY_Q_keygen(ctx, NULL, "ED25519");
    OWNED(EVP_PKEY) *read = made ? there_and_back(ctx, made) : NULL;
    if (!read || EVP_PKEY_get_raw_public_key(made, raw, &len) != 1 ||
        EVP_PKEY_get_raw_private_key(read, priv, &priv_len) != 1)
        return false;
    OWNED(EVP_PKEY) *from = EVP_PKEY_new_raw_private_key_ex(ctx, "ED25519",
                                                            NULL, priv, 32);
    OWNED(EVP_PKEY) *old = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                                       raw, 32);
    return from && old && rig_sign(ctx, read, "hello", 5, sig) &&
           crypto_sign_verify_detached(sig, (const uint8_t *)"hello", 5, raw) ==
                   0 &&
           rig_sign(ctx, from, "hello", 5, sig) &&
           rig_verify(ctx, made, sig, 64, "hello", false) == 1 &&
           rig_verify(NULL, old, sig, 64, "hello", false) == 1 &&
           EVP_PKEY_eq(made, from) == 1 && !EVP_PKEY_get0_engine(made) &&
           !EVP_PKEY_get0_engine(read) && !EVP_PKEY_get0_engine(from) &&
           !EVP_PKEY_get0_engine(old) && typed_by_default("ED25519", 0) &&
           typed_by_default(NULL, EVP_PKEY_ED25519);
}

static void *ordinary_many(void *arg)
{
    struct work *w = arg;
    for (unsigned i = 0; i < ROUNDS; i++)
        w->good += ordinary(w->ctx);
    return NULL;
}

static void *bridged_many(void *arg)
{
    struct work *w = arg;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        OWNED(EVP_PKEY) *key = bridged(w->ctx, BRIDGE_RELEASE);
        uint8_t sig[64];
        w->good += key && rig_sign(w->ctx, key, &i, sizeof(i), sig) &&
                   crypto_sign_verify_detached(sig, (uint8_t *)&i, sizeof(i),
                                               rig_fake.pk) == 0;
    }
    return NULL;
}

static void ordinary_keys_are_untouched_while_others_load(void **state)
{
    (void)state;
    OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST, BRIDGE_ON);
    struct work w[ORDINARY + BRIDGED];
    pthread_t threads[ORDINARY + BRIDGED];
    unsigned before = rig_fake.signs;
    for (size_t i = 0; i < ORDINARY + BRIDGED; i++) {
        /* in the provider's context, and in one that has never heard of it */
        w[i] = (struct work){ i % 2 || i >= ORDINARY ? ctx : NULL, 0 };
        assert_int_equal(
                pthread_create(&threads[i], NULL,
                               i < ORDINARY ? ordinary_many : bridged_many,
                               &w[i]),
                0);
    }
    for (size_t i = 0; i < ORDINARY + BRIDGED; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(w[i].good, ROUNDS);
    }
    assert_int_equal(rig_fake.signs, before + BRIDGED * ROUNDS);
}

/* ---- several contexts ---------------------------------------------------- */

static OSSL_LIB_CTX *context_of(const struct fake *f)
{
    char extra[200];
    snprintf(extra, sizeof(extra), BRIDGE_ON "\nsidecar = %s", f->path);
    return rig_context(DEFAULT_FIRST, extra);
}

static void assert_held_by(EVP_PKEY *key, const struct fake *f)
{
    uint8_t raw[32], sig[64];
    size_t len = 32;
    assert_non_null(key);
    assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &len), 1);
    assert_memory_equal(raw, f->pk, 32);
    assert_int_equal(rig_sign(NULL, key, "hello", 5, sig), 1);
    assert_int_equal(crypto_sign_verify_detached(sig, (const uint8_t *)"hello",
                                                 5, f->pk),
                     0);
}

static void a_key_is_of_the_context_that_it_is_read_in(void **state)
{
    (void)state;
    struct fake other;
    fake_start(&other);
    unsetenv("MPC_SIDECAR");
    OSSL_LIB_CTX *a = context_of(&rig_fake), *b = context_of(&other);
    for (int i = 0; i < 2; i++) {
        OWNED(EVP_PKEY) *of_a = bridged(a, BRIDGE_RELEASE);
        OWNED(EVP_PKEY) *of_b = bridged(b, BRIDGE_RELEASE);
        assert_held_by(of_a, &rig_fake);
        assert_held_by(of_b, &other);
    }
    /* where the provider is not loaded, the newest context that has it */
    OWNED(EVP_PKEY) *of_none = bridged(NULL, BRIDGE_RELEASE);
    assert_held_by(of_none, &other);
    OSSL_LIB_CTX_free(b);
    OWNED(EVP_PKEY) *of_older = bridged(NULL, BRIDGE_RELEASE);
    assert_held_by(of_older, &rig_fake);
    OSSL_LIB_CTX_free(a);
    ERR_clear_error();
    assert_null(bridged(NULL, BRIDGE_RELEASE));
    rig_assert_told("none", "legacy-bridge = yes");
    setenv("MPC_SIDECAR", rig_fake.path, 1);
    fake_stop(&other);
}

/* With the setting off, the file is a key of the provider, not the bridge's. */
static void without_the_setting_there_is_no_bridge(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = bridged(rig_both, BRIDGE_RELEASE);
    assert_non_null(key);
    assert_non_null(EVP_PKEY_get0_provider(key));
    assert_null(EVP_PKEY_get0_engine(key));
}

/* ---- keys that stay ------------------------------------------------------ */

static void a_key_whose_context_has_ended_fails_and_no_more(void **state)
{
    (void)state;
    OSSL_LIB_CTX *ctx = rig_context(DEFAULT_FIRST, BRIDGE_ON);
    OWNED(EVP_PKEY) *key = bridged(ctx, BRIDGE_RELEASE);
    OWNED(EVP_PKEY) *soft = rig_software_key(rig_both, false);
    OWNED(EVP_MD_CTX) *begun = EVP_MD_CTX_new();
    uint8_t sig[64];
    size_t len = 64;
    assert_non_null(key);
    assert_int_equal(
            EVP_DigestSignInit_ex(begun, NULL, NULL, NULL, NULL, key, NULL), 1);
    assert_int_equal(EVP_DigestSignUpdate(begun, "hel", 3), 1);
    OSSL_LIB_CTX_free(ctx);
    ERR_clear_error();
    unsigned before = rig_fake.signs;
    assert_int_equal(rig_sign(NULL, key, "hello", 5, sig), 0);
    rig_assert_one_error("new", "not possible now", "has been unloaded");
    assert_int_equal(EVP_DigestSignFinal(begun, sig, &len), 0);
    rig_assert_one_error("begun", "not possible now", "has been unloaded");
    assert_int_equal(rig_fake.signs, before);
    /* its public half is its own */
    assert_int_equal(EVP_PKEY_eq(key, soft), 1);
}

static void *sign_until_told(void *arg)
{
    EVP_PKEY *key = arg;
    uint8_t sig[64];
    for (int i = 0; i < 10000 && rig_sign(NULL, key, "hello", 5, sig); i++)
        continue;
    unsigned long e = ERR_peek_error();
    return (void *)(uintptr_t)(e && strstr(ERR_reason_error_string(e),
                                           "not possible now"));
}

static void a_context_may_end_while_its_keys_sign(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CYCLES / 50; i++) {
        OSSL_LIB_CTX *ctx = rig_context(DEFAULT_FIRST, BRIDGE_ON);
        OWNED(EVP_PKEY) *key = bridged(ctx, BRIDGE_RELEASE);
        pthread_t threads[BRIDGED];
        unsigned before = rig_fake.signs;
        assert_non_null(key);
        for (size_t t = 0; t < BRIDGED; t++)
            assert_int_equal(
                    pthread_create(&threads[t], NULL, sign_until_told, key), 0);
        while (rig_fake.signs < before + 8)
            usleep(100);
        OSSL_LIB_CTX_free(ctx);
        for (size_t t = 0; t < BRIDGED; t++) {
            void *told;
            pthread_join(threads[t], &told);
            assert_non_null(told);
        }
    }
}

/* ---- over and over ------------------------------------------------------- */

static void contexts_come_and_go_with_their_keys(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CYCLES; i++) {
        OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST, BRIDGE_ON);
        OWNED(EVP_PKEY) *key = bridged(ctx, BRIDGE_RELEASE);
        uint8_t sig[64];
        assert_non_null(key);
        assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 1);
        EVP_PKEY_free(TAKE(key)); /* before its context */
    }
}

struct host {
    char conf[160];
    unsigned good;
};

static void *host_many(void *arg)
{
    struct host *h = arg;
    for (unsigned i = 0; i < CYCLES / 20; i++) {
        OWNED(OSSL_LIB_CTX) *ctx = OSSL_LIB_CTX_new();
        if (!ctx || OSSL_LIB_CTX_load_config(ctx, h->conf) != 1)
            continue;
        EVP_PKEY *key = bridged(ctx, BRIDGE_RELEASE);
        uint8_t sig[64];
        h->good += key && rig_sign(ctx, key, "hello", 5, sig);
        EVP_PKEY_free(key);
    }
    return NULL;
}

static void threads_with_contexts_of_their_own_do_not_meet(void **state)
{
    (void)state;
    struct host h[BRIDGED] = { 0 };
    pthread_t threads[BRIDGED];
    OSSL_LIB_CTX_free(rig_context(DEFAULT_FIRST, BRIDGE_ON)); /* its file */
    for (size_t i = 0; i < BRIDGED; i++) {
        snprintf(h[i].conf, sizeof(h[i].conf), "%s/ctx.cnf", rig_fake.dir);
        assert_int_equal(pthread_create(&threads[i], NULL, host_many, &h[i]),
                         0);
    }
    for (size_t i = 0; i < BRIDGED; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(h[i].good, CYCLES / 20);
    }
}

/* As OSSL_PROVIDER_load(NULL, ...) and CONF_modules_load_file() say it: the
 * core then has NULL for a context, which is no sign of another libcrypto. */
static void null_is_the_default_context(void **state)
{
    (void)state;
    char conf[160];
    uint8_t sig[64];
    OSSL_LIB_CTX_free(rig_context(DEFAULT_FIRST, BRIDGE_ON)); /* its file */
    snprintf(conf, sizeof(conf), "%s/ctx.cnf", rig_fake.dir);
    assert_int_equal(OSSL_LIB_CTX_load_config(NULL, conf), 1);
    OWNED(EVP_PKEY) *key = bridged(NULL, BRIDGE_RELEASE);
    if (!key)
        ERR_print_errors_fp(stderr);
    assert_non_null(key);
    assert_int_equal(rig_sign(NULL, key, "hello", 5, sig), 1);
}

/* ---- the first of the process -------------------------------------------- */

#define FIRST_S 20

/*
 * A process that has not looked at its own configuration yet, loading the
 * provider into contexts of its threads: the provider comes once more, from
 * the configuration, while the first is being set up.
 */
static int be_the_first(void)
{
    struct host h[BRIDGED] = { 0 };
    pthread_t threads[BRIDGED];
    unsigned good = 0;
    alarm(FIRST_S); /* it hangs, or it does not */
    for (size_t i = 0; i < BRIDGED; i++) {
        snprintf(h[i].conf, sizeof(h[i].conf), "%s", getenv("OPENSSL_CONF"));
        if (pthread_create(&threads[i], NULL, host_many, &h[i]) != 0)
            return 1;
    }
    for (size_t i = 0; i < BRIDGED; i++) {
        pthread_join(threads[i], NULL);
        good += h[i].good;
    }
    EVP_PKEY *key = bridged(NULL, BRIDGE_RELEASE);
    int rc = key && good == BRIDGED * (CYCLES / 20) ? 0 : 1;
    EVP_PKEY_free(key);
    return rc;
}

static void the_configuration_of_the_process_may_name_it_too(void **state)
{
    char conf[160];
    (void)state;
    OSSL_LIB_CTX_free(rig_context(DEFAULT_FIRST, BRIDGE_ON)); /* its file */
    snprintf(conf, sizeof(conf), "%s/ctx.cnf", rig_fake.dir);
    fake_idle(&rig_fake);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("OPENSSL_CONF", conf, 1);
        execl("/proc/self/exe", "test_bridge_host", "first", (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "first") == 0)
        return be_the_first();
    const struct CMUnitTest tests[] = {
        RIG(ordinary_keys_are_untouched_while_others_load),
        RIG(a_key_is_of_the_context_that_it_is_read_in),
        RIG(without_the_setting_there_is_no_bridge),
        RIG(a_key_whose_context_has_ended_fails_and_no_more),
        RIG(a_context_may_end_while_its_keys_sign),
        RIG(contexts_come_and_go_with_their_keys),
        RIG(threads_with_contexts_of_their_own_do_not_meet),
        RIG(the_configuration_of_the_process_may_name_it_too),
        RIG(null_is_the_default_context), /* last: it stays configured */
    };
    return cmocka_run_group_tests(tests, rig_up, rig_down);
}

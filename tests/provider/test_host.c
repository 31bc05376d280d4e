/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that run threads, fork, and unload the module again. */
#include "test.h"

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/wait.h>

#include "base/own.h"
#include "rig.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(OSSL_LIB_CTX, OSSL_LIB_CTX_free);

/* ---- threads, forks, unloading ------------------------------------------- */

#define THREADS 8
#define ROUNDS  500

struct work {
    EVP_PKEY *key;
    uint32_t id;
    unsigned rounds;
    unsigned good;
};

static void *many(void *arg)
{
    struct work *w = arg;
    for (uint32_t i = 0; i < w->rounds; i++) {
        uint32_t msg[2] = { w->id, i };
        uint8_t sig[64];
        if (rig_sign(rig_both, w->key, msg, sizeof(msg), sig) &&
            crypto_sign_verify_detached(sig, (uint8_t *)msg, sizeof(msg),
                                        rig_fake.pk) == 0)
            w->good++;
    }
    return NULL;
}

#define CHILDREN     4
#define CHILD_ROUNDS 100

/* Children that begin when the other end of their pipe is closed. */
static void fork_children(pid_t children[CHILDREN], int gate[2], EVP_PKEY *key)
{
    assert_int_equal(pipe(gate), 0);
    fake_idle(&rig_fake);
    for (uint32_t i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] > 0)
            continue;
        char nothing;
        close(gate[1]);
        if (read(gate[0], &nothing, 1) != 0)
            _exit(2);
        struct work own = { key, 100 + i, CHILD_ROUNDS, 0 };
        many(&own);
        _exit(own.good == own.rounds ? 0 : 1);
    }
    close(gate[0]);
}

static void threads_and_forked_children_sign_at_once(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    struct work w[THREADS];
    pthread_t threads[THREADS];
    pid_t children[CHILDREN];
    int gate[2];
    unsigned before = rig_fake.signs;
    fork_children(children, gate, key);
    close(gate[1]);
    for (uint32_t i = 0; i < THREADS; i++) {
        w[i] = (struct work){ key, i, ROUNDS, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, many, &w[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(w[i].good, ROUNDS);
    }
    for (size_t i = 0; i < CHILDREN; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(rig_fake.signs,
                     before + THREADS * ROUNDS + CHILDREN * CHILD_ROUNDS);
}

/* ---- forks between one request and the next ------------------------------ */

#define FORKS   60
#define PATIENT 60 /* seconds; a child that hangs is ended by its alarm */

struct busy {
    EVP_PKEY *key;
    atomic_bool stop;
    unsigned good;
    unsigned bad;
};

static void *sign_without_end(void *arg)
{
    struct busy *b = arg;
    struct work w = { b->key, 7, 1, 0 };
    while (!atomic_load(&b->stop)) {
        w.good = 0;
        many(&w);
        *(w.good ? &b->good : &b->bad) += 1;
    }
    return NULL;
}

static int child_signs(EVP_PKEY *key, uint32_t id)
{
    struct work w = { key, 1000 + id, 3, 0 };
    uint8_t bundle[8192];
    size_t len = 0;
    alarm(PATIENT);
    many(&w);
    /* of whichever signature was the last: only that it answers matters */
    (void)EVP_PKEY_get_octet_string_param(key, "mpc-bundle", bundle,
                                          sizeof(bundle), &len);
    return w.good == w.rounds ? 0 : 1;
}

static void a_fork_while_threads_sign_leaves_no_lock_behind(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    struct busy b[2] = { { .key = key }, { .key = key } };
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(
                pthread_create(&threads[i], NULL, sign_without_end, &b[i]), 0);
    for (uint32_t i = 0; i < FORKS; i++) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(child_signs(key, i));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        atomic_store(&b[i].stop, true);
        pthread_join(threads[i], NULL);
        assert_true(b[i].good > 0);
        assert_int_equal(b[i].bad, 0);
    }
}

static void *verify_many(void *arg)
{
    struct work *w = arg;
    uint8_t sig[64];
    crypto_sign_detached(sig, NULL, (const uint8_t *)"hello", 5, rig_fake.sk);
    for (unsigned i = 0; i < w->rounds; i++)
        w->good += rig_verify(rig_both, w->key, sig, 64, "hello", false) == 1;
    return NULL;
}

static void threads_verify_at_once(void **state)
{
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    struct work w[THREADS];
    pthread_t threads[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        w[i] = (struct work){ key, i, 50, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, verify_many, &w[i]),
                         0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(w[i].good, 50);
    }
}

/* Load, sign, verify (which makes the child context), unload: all gone. */
static void use_and_unload(OSSL_LIB_CTX *ctx)
{
    OSSL_PROVIDER *mpc = OSSL_PROVIDER_load(ctx, "mpc");
    assert_non_null(mpc);
    EVP_PKEY *key = rig_need_key(ctx, "mpc:release");
    uint8_t sig[64];
    assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 1);
    assert_int_equal(rig_verify(ctx, key, sig, 64, "hello", false), 1);
    EVP_PKEY_free(key);
    assert_int_equal(OSSL_PROVIDER_unload(mpc), 1);
    assert_int_equal(OSSL_PROVIDER_available(ctx, "mpc"), 0);
}

static OSSL_LIB_CTX *bare_context(OSSL_PROVIDER **dflt)
{
    OSSL_LIB_CTX *ctx = OSSL_LIB_CTX_new();
    assert_int_equal(OSSL_PROVIDER_set_default_search_path(ctx, MODULES), 1);
    *dflt = OSSL_PROVIDER_load(ctx, "default");
    assert_non_null(*dflt);
    return ctx;
}

static void loads_and_unloads_twenty_times_in_contexts_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        OSSL_PROVIDER *dflt;
        OWNED(OSSL_LIB_CTX) *ctx = bare_context(&dflt);
        use_and_unload(ctx);
        assert_int_equal(OSSL_PROVIDER_unload(dflt), 1);
    }
}

static void loads_and_unloads_twenty_times_in_one_context(void **state)
{
    (void)state;
    OSSL_PROVIDER *dflt;
    OWNED(OSSL_LIB_CTX) *ctx = bare_context(&dflt);
    for (int i = 0; i < 20; i++)
        use_and_unload(ctx);
    OWNED(EVP_PKEY) *soft = EVP_PKEY_Q_keygen(ctx, NULL, "ED25519");
    assert_non_null(soft);
    assert_int_equal(OSSL_PROVIDER_unload(dflt), 1);
}

#ifdef MPC_SANITIZED
static void (*const not_here)(void **) __attribute__((unused)) =
        a_fork_while_threads_sign_leaves_no_lock_behind;
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(threads_and_forked_children_sign_at_once),
        RIG(threads_verify_at_once),
#ifndef MPC_SANITIZED /* whose allocator does not survive such a fork */
        RIG(a_fork_while_threads_sign_leaves_no_lock_behind),
#endif
        RIG(loads_and_unloads_twenty_times_in_contexts_of_its_own),
        RIG(loads_and_unloads_twenty_times_in_one_context),
    };
    return cmocka_run_group_tests(tests, rig_up, rig_down);
}

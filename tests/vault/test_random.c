/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source of randomness fails, at each of its calls in each operation of
 * the vault: RC_IO, nothing answered, nothing half done, and the same
 * operation succeeds once the source is back.
 */
#include "cluster.h"

#include "base/rand.h"

/* ---- a source that fails at its k-th call -------------------------------- */

static unsigned calls, fails_at;

static int failing(void *out, size_t len)
{
    if (calls++ == fails_at)
        return -1;
    randombytes_buf(out, len);
    return 0;
}

/* Tries op with the source failing at each call; how many it makes, out. */
#define EACH_CALL(n_calls, op, check)                                          \
    do {                                                                       \
        for (fails_at = 0;; fails_at++) {                                      \
            calls = 0;                                                         \
            rand_replace(failing);                                             \
            const enum rc each_rc = (op);                                      \
            rand_replace(NULL);                                                \
            if (calls <= fails_at) {                                           \
                assert_ok(each_rc);                                            \
                break;                                                         \
            }                                                                  \
            assert_int_equal(each_rc, RC_IO);                                  \
            check;                                                             \
        }                                                                      \
        (n_calls) = fails_at;                                                  \
    } while (0)

static const uint8_t untouched[VAULT_SEALED_KEYS_MAX];
#define UNTOUCHED(x)                                                           \
    do {                                                                       \
        assert_true(sizeof(x) <= sizeof(untouched));                           \
        assert_memory_equal(&(x), untouched, sizeof(x));                       \
    } while (0)

/* ---- the operations ------------------------------------------------------- */

static int restore(void **state)
{
    (void)state;
    rand_replace(NULL);
    return 0;
}

static void starting_and_opening(void **state)
{
    (void)state;
    unsigned n;
    struct cluster *c = cluster_new(LOCAL);
    const struct vault_config config = node_config(c, 0);
    struct vault *v = NULL;
    struct vault_keys keys = { .identity = { 0 } };
    uint8_t sealed[VAULT_SEALED_KEYS_MAX] = { 0 };
    size_t len = 0;
    EACH_CALL(n, vault_local(&v, &config), assert_null(v));
    assert_int_equal(n, 3); /* self test, nonce ids, boot id */
    EACH_CALL(n, vault_open(v, &keys, sealed, &len), {
        UNTOUCHED(keys);
        UNTOUCHED(sealed);
        assert_int_equal(len, 0);
    });
    assert_true(n >= 2); /* two key pairs, a sealing nonce */
    vault_free(v);
    cluster_free(c);
}

static void making_a_key(void **state)
{
    (void)state;
    unsigned n;
    static struct made_key k;
    struct cluster *c = cluster_ready(LOCAL);
    uint8_t in[NODES][VAULT_BOX_LEN];
    memset(&k, 0, sizeof(k));
    dkg_terms(&k, 1, true);
    const uint8_t *session = k.terms.session;
    EACH_CALL(n, vault_dkg_begin(c->v[0], &k.packages[0], &k.terms),
              UNTOUCHED(k.packages[0].commitment));
    assert_int_equal(n, 1);
    for (unsigned i = 1; i < NODES; i++)
        assert_ok(vault_dkg_begin(c->v[i], &k.packages[i], &k.terms));
    EACH_CALL(n,
              vault_dkg_deal(c->v[0], k.boxes[0], session, k.packages, NODES),
              UNTOUCHED(k.boxes[0]));
    assert_int_equal(n, NODES); /* a nonce each box */
    for (unsigned i = 1; i < NODES; i++)
        assert_ok(vault_dkg_deal(c->v[i], k.boxes[i], session, k.packages,
                                 NODES));
    for (unsigned i = 0; i < NODES; i++)
        memcpy(in[i], k.boxes[i][0], VAULT_BOX_LEN);
    EACH_CALL(n,
              vault_dkg_finish(c->v[0], &k.result[0], session,
                               (const uint8_t(*)[VAULT_BOX_LEN])in, NODES),
              UNTOUCHED(k.result[0]));
    assert_true(n >= 1); /* the share's sealing nonce */
    cluster_free(c);
}

static void committing(void **state)
{
    (void)state;
    unsigned n;
    static struct made_key k;
    static struct attempt a;
    struct cluster *c = cluster_ready(LOCAL);
    struct vault_commitment out[4];
    key_make(c, &k, 1, true);
    memset(out, 0, sizeof(out));
    EACH_CALL(n, vault_commit(c->v[0], out, 4, k.key, 1, 1), UNTOUCHED(out));
    assert_int_equal(n, 8); /* two a nonce */
    /* and nobody's nonces were lost or left behind by it */
    attempt_make(c, &a, &k, "m", 1);
    attempt_publish(c, &a);
    attempt_finish(c, &a, &k);
    cluster_free(c);
}

/* What a vault committed to dies with it: no state brings a nonce back. */
static void a_restart_forgets_every_nonce(void **state)
{
    (void)state;
    static struct made_key k;
    static struct attempt a;
    struct vault_sign_reply reply;
    struct cluster *c = cluster_ready(LOCAL);
    key_make(c, &k, 1, true);
    attempt_make(c, &a, &k, "m", 1);
    attempt_publish(c, &a);
    node_start(c, 0);
    node_open(c, 0);
    uint8_t ack[64];
    assert_ok(vault_activate(c->v[0], ack, &k.epoch, k.votes, NODES,
                             k.result[0].sealed, k.result[0].sealed_len));
    c->head[0] = 0;
    assert_rc(attempt_sign(c, &reply, &a, &k, 0), RC_UNKNOWN);
    attempt_make(c, &a, &k, "m", 1);
    attempt_publish(c, &a);
    attempt_finish(c, &a, &k);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(starting_and_opening, restore),
        cmocka_unit_test_teardown(making_a_key, restore),
        cmocka_unit_test_teardown(committing, restore),
        cmocka_unit_test(a_restart_forgets_every_nonce),
    };
    return cmocka_run_group_tests_name("randomness fails", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Randomness that has plainly failed, at each place where a call takes some:
 * the call is refused and nothing is half written. tests/vault does the same
 * with a source that fails.
 */
#include "kit.h"

#include "frost/inner.h"

#define T 4

static struct kit_group g; /* 3 of 5 */
static struct frost_group group;

static int make_group(void **state)
{
    kit_init(state);
    kit_group_make(&g, 3, 5);
    group = kit_public(&g);
    return 0;
}

/* Breaks draw k of n: zero, or that of `how` places after it again. */
static void spoil(uint8_t (*random)[32], unsigned n, unsigned k, unsigned how)
{
    kit_randoms(random, n);
    if (how == 0)
        memset(random[k], 0, 32);
    else
        memcpy(random[k], random[(k + how) % n], 32);
}

static void commit_refuses_broken_randomness(void **state)
{
    (void)state;
    uint8_t random[2][32];
    struct frost_nonce nonce;
    kit_randoms(random, 2);
    memset(&nonce, 0xee, sizeof(nonce));
    assert_rc(frost_commit(&nonce, &kit_ready, &g.ids[0], &g.shares[0],
                           random[0], random[0]),
              RC_ARG);
    assert_true(kit_all_zero(&nonce, sizeof(nonce)));
    /*
     * One of them zero is not refused: hashed with the share it still makes
     * a nonce nobody can guess. That is what RFC 9591's hedging is for.
     */
    memset(random[0], 0, 32);
    assert_ok(frost_commit(&nonce, &kit_ready, &g.ids[0], &g.shares[0],
                           random[0], random[1]));
    assert_false(kit_all_zero(&nonce.hiding, 32));
}

static void dealers_refuse_broken_randomness(void **state)
{
    (void)state;
    static struct frost_poly poly;
    static struct frost_dealing dealing;
    uint8_t random[T + 1][32];
    const uint8_t(*rnd)[32] = (const uint8_t(*)[32])random;
    for (unsigned how = 0; how <= T; how++)
        for (unsigned k = 0; k <= T; k++) {
            /* the proof's nonce is hedged: nothing shows that it was zero */
            if (how == 0 && k == T)
                continue;
            memset(&poly, 0xee, sizeof(poly));
            memset(&dealing, 0xee, sizeof(dealing));
            spoil(random, T + 1, k, how);
            assert_rc(frost_dkg_deal(&poly, &dealing, &kit_ready, &g.ids[0], T,
                                     rnd),
                      RC_ARG);
            assert_true(kit_all_zero(&poly, sizeof(poly)));
            assert_true(kit_all_zero(&dealing, sizeof(dealing)));
            if (k >= T - 1 || how >= T - 1)
                continue;
            spoil(random, T - 1, k, how);
            assert_rc(frost_refresh_deal(&poly, &dealing, &kit_ready, T, rnd),
                      RC_ARG);
            assert_true(kit_all_zero(&poly, sizeof(poly)));
            assert_true(kit_all_zero(&dealing, sizeof(dealing)));
            assert_rc(frost_reshare_deal(&poly, &dealing, &kit_ready, &group,
                                         g.ids, 3, 0, &g.shares[0], T, rnd),
                      RC_ARG);
            assert_true(kit_all_zero(&poly, sizeof(poly)));
            assert_true(kit_all_zero(&dealing, sizeof(dealing)));
        }
}

static void helpers_refuse_broken_randomness(void **state)
{
    (void)state;
    struct frost_scalar deltas[T];
    uint8_t random[T][32];
    for (unsigned how = 0; how < T - 1; how++)
        for (unsigned k = 0; k < T - 1; k++) {
            memset(deltas, 0xee, sizeof(deltas));
            spoil(random, T - 1, k, how);
            assert_rc(frost_repair_delta(deltas, &kit_ready, &group, g.ids, T,
                                         0, &g.shares[0], &g.ids[4],
                                         (const uint8_t(*)[32])random),
                      RC_ARG);
            assert_true(kit_all_zero(deltas, sizeof(deltas)));
        }
}

static void self_test_refuses_broken_randomness(void **state)
{
    (void)state;
    uint8_t sample[2][32];
    struct frost_ready ready;
    for (unsigned i = 0; i < 4; i++) {
        kit_randoms(sample, 2);
        memset(&ready, 0xee, sizeof(ready));
        if (i == 0)
            memcpy(sample[0], sample[1], 32);
        else if (i == 1)
            memset(sample[0], 0, 32);
        else if (i == 2)
            memset(sample[1], 0xff, 32);
        else
            memset(sample, 0x42, sizeof(sample));
        assert_rc(frost_init(&ready, (const uint8_t(*)[32])sample),
                  RC_INTERNAL);
        assert_true(kit_all_zero(&ready, sizeof(ready)));
    }
}

/* Without the token no secret is made, and what was there is wiped. */
static void nothing_secret_is_made_before_the_self_test(void **state)
{
    (void)state;
    static struct frost_poly poly;
    static struct frost_dealing dealing;
    const struct frost_ready tokens[] = { { 0 }, { 1 }, { UINT64_MAX } };
    struct frost_scalar deltas[T];
    struct frost_nonce nonce;
    uint8_t random[T + 1][32];
    const uint8_t(*rnd)[32] = (const uint8_t(*)[32])random;
    for (unsigned i = 0; i < 3; i++) {
        const struct frost_ready *ready = &tokens[i];
        kit_randoms(random, T + 1);
        memset(&nonce, 0xee, sizeof(nonce));
        assert_rc(frost_commit(&nonce, ready, &g.ids[0], &g.shares[0],
                               random[0], random[1]),
                  RC_ORDER);
        assert_true(kit_all_zero(&nonce, sizeof(nonce)));
        assert_rc(frost_dkg_deal(&poly, &dealing, ready, &g.ids[0], T, rnd),
                  RC_ORDER);
        assert_rc(frost_refresh_deal(&poly, &dealing, ready, T, rnd), RC_ORDER);
        assert_rc(frost_reshare_deal(&poly, &dealing, ready, &group, g.ids, 3,
                                     0, &g.shares[0], T, rnd),
                  RC_ORDER);
        assert_true(kit_all_zero(&poly, sizeof(poly)));
        assert_rc(frost_repair_delta(deltas, ready, &group, g.ids, T, 0,
                                     &g.shares[0], &g.ids[4], rnd),
                  RC_ORDER);
        assert_true(kit_all_zero(deltas, sizeof(deltas)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commit_refuses_broken_randomness),
        cmocka_unit_test(dealers_refuse_broken_randomness),
        cmocka_unit_test(helpers_refuse_broken_randomness),
        cmocka_unit_test(self_test_refuses_broken_randomness),
        cmocka_unit_test(nothing_secret_is_made_before_the_self_test),
    };
    return cmocka_run_group_tests(tests, make_group, NULL);
}

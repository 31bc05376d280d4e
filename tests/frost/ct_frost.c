/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constant time, judged by memcheck: every secret is undefined memory here,
 * so a branch or an index that depends on one is reported. To be run under
 * valgrind with ct.supp, in a build with -DMPC_CT_CHECK; a run outside of
 * valgrind, or one that would see nothing, fails.
 */
#include "kit.h"

#include <valgrind/memcheck.h>

#include "base/secret.h"

#ifndef MPC_CT_CHECK
#error "build with -DMPC_CT_CHECK: base/secret.c must open what is public"
#endif

#define SECRET(x) (void)VALGRIND_MAKE_MEM_UNDEFINED(&(x), sizeof(x))
#define PUBLIC(x) ct_public(&(x), sizeof(x))

static struct kit_group g;

static int make_group(void **state)
{
    kit_init(state);
    assert_true(RUNNING_ON_VALGRIND);
    kit_group_make(&g, 2, 3);
    return 0;
}

/* Without this a checker that sees nothing would be content. */
static bool tainted(const void *p, size_t len)
{
    uint8_t bits[64];
    assert_true(len <= sizeof(bits));
    assert_int_equal(VALGRIND_GET_VBITS(p, bits, len), 1);
    return !kit_all_zero(bits, len);
}

static void checker_sees_secrets(void **state)
{
    (void)state;
    uint8_t secret[32] = { 1 };
    assert_false(tainted(secret, sizeof(secret)));
    SECRET(secret);
    assert_true(tainted(secret, sizeof(secret)));
    PUBLIC(secret);
    assert_false(tainted(secret, sizeof(secret)));
}

/* ---- signing ----------------------------------------------------------- */

static void sign_and_sum(struct frost_cache *cache)
{
    static struct kit_round r;
    kit_round_start(&r, &g, 2);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t random[2][32];
        struct frost_scalar share = g.shares[i];
        kit_randoms(random, 2);
        SECRET(random);
        SECRET(share);
        assert_ok(frost_commit(&r.nonces[i], &kit_ready, &g.ids[i], &share,
                               random[0], random[1]));
        r.list[i] = r.nonces[i].commitment;
    }
    struct frost_package p = kit_package(&r, NULL, 0);
    p.cache = cache;
    for (unsigned i = 0; i < 2; i++) {
        struct frost_scalar share = g.shares[i];
        struct frost_point sum;
        SECRET(share);
        assert_ok(
                frost_sign(&r.shares[i].z, &sum, &r.nonces[i], &share, 2, &p));
        /* tainted to the end, and public from here on */
        assert_true(tainted(&r.shares[i].z, 32));
        PUBLIC(r.shares[i].z);
    }
    uint8_t sig[FROST_SIG_LEN];
    assert_ok(frost_aggregate(sig, &p, r.shares, g.ys, NULL, NULL));
}

static void committing_and_signing_are_constant_time(void **state)
{
    (void)state;
    static struct frost_cache cache;
    sign_and_sum(NULL);
    sign_and_sum(&cache);
    sign_and_sum(&cache);
}

/* ---- dealing: DKG, refresh, reshare ------------------------------------ */

static struct frost_poly polys[3];
static struct frost_dealing dealings[3];

/* Sub-shares to member 0, secret as they come out of a box. */
static void sub_shares(struct frost_scalar *subs)
{
    for (unsigned i = 0; i < 3; i++) {
        uint8_t le[32];
        assert_ok(frost_sub_share(&subs[i], &polys[i], &g.ids[0]));
        assert_true(tainted(&subs[i], 32));
        memcpy(le, subs[i].le, sizeof(le));
        assert_ok(frost_scalar_decode(&subs[i], le));
        assert_ok(frost_sub_share_check(&subs[i], &dealings[i], &g.ids[0]));
    }
}

static void key_generation_is_constant_time(void **state)
{
    (void)state;
    struct frost_scalar subs[3], share;
    struct frost_point key, ys[3];
    struct frost_culprits named;
    const struct frost_dealt dealt = { 3, g.ids, dealings, subs };
    for (unsigned i = 0; i < 3; i++) {
        uint8_t random[3][32];
        kit_randoms(random, 3);
        SECRET(random);
        assert_ok(frost_dkg_deal(&polys[i], &dealings[i], &kit_ready, &g.ids[i],
                                 2, (const uint8_t(*)[32])random));
        PUBLIC(dealings[i].pok_z);
        assert_ok(frost_dkg_check(&dealings[i], &g.ids[i], 2));
    }
    sub_shares(subs);
    assert_ok(frost_dkg_finish(&share, &key, ys, &dealt, &dealings[0], 0,
                               &named));
    assert_true(tainted(&share, 32));
    /* finding a culprit looks at the good ones as well */
    subs[1].le[0] ^= 1;
    assert_rc(
            frost_dkg_finish(&share, &key, ys, &dealt, &dealings[0], 0, &named),
            RC_CHEATER);
    assert_int_equal(named.n, 1);
}

static void refresh_is_constant_time(void **state)
{
    (void)state;
    const struct frost_group old = kit_public(&g);
    struct frost_scalar subs[3], share, mine = g.shares[0];
    struct frost_point ys[3];
    const struct frost_dealt dealt = { 3, g.ids, dealings, subs };
    for (unsigned i = 0; i < 3; i++) {
        uint8_t random[1][32];
        kit_randoms(random, 1);
        SECRET(random);
        assert_ok(frost_refresh_deal(&polys[i], &dealings[i], &kit_ready, 2,
                                     (const uint8_t(*)[32])random));
        assert_ok(frost_refresh_check(&dealings[i], &g.ids[i], 2));
    }
    sub_shares(subs);
    SECRET(mine);
    assert_ok(frost_refresh_finish(&share, ys, &old, &mine, &dealt,
                                   &dealings[0], 0, NULL));
    assert_true(tainted(&share, 32));
}

static void reshare_is_constant_time(void **state)
{
    (void)state;
    const struct frost_group old = kit_public(&g);
    struct frost_scalar subs[3], share;
    struct frost_point ys[3];
    const struct frost_dealt dealt = { 3, g.ids, dealings, subs };
    for (unsigned i = 0; i < 3; i++) {
        uint8_t random[2][32];
        struct frost_scalar mine = g.shares[i];
        kit_randoms(random, 2);
        SECRET(random);
        SECRET(mine);
        assert_ok(frost_reshare_deal(&polys[i], &dealings[i], &kit_ready, &old,
                                     g.ids, 3, i, &mine, 3,
                                     (const uint8_t(*)[32])random));
        assert_ok(frost_reshare_check(&dealings[i], &old, g.ids, 3, i, 3));
    }
    sub_shares(subs);
    assert_ok(frost_reshare_finish(&share, ys, &old, 3, g.ids, 3, 0, &dealt,
                                   &dealings[0], NULL));
    assert_true(tainted(&share, 32));
}

/* ---- repair and enrolment ---------------------------------------------- */

/* Members 0 and 1 help target; sigmas out. */
static void help(struct frost_scalar sigma[2], const struct frost_id *target)
{
    const struct frost_group group = kit_public(&g);
    struct frost_scalar delta[2][2], got[2];
    for (unsigned i = 0; i < 2; i++) {
        uint8_t random[1][32];
        struct frost_scalar mine = g.shares[i];
        kit_randoms(random, 1);
        SECRET(random);
        SECRET(mine);
        assert_ok(frost_repair_delta(delta[i], &kit_ready, &group, g.ids, 2, i,
                                     &mine, target,
                                     (const uint8_t(*)[32])random));
    }
    for (unsigned j = 0; j < 2; j++) {
        got[0] = delta[0][j];
        got[1] = delta[1][j];
        assert_ok(frost_repair_sigma(&sigma[j], got, 2));
        assert_true(tainted(&sigma[j], 32));
    }
}

static void repair_and_enrolment_are_constant_time(void **state)
{
    (void)state;
    const struct frost_group group = kit_public(&g);
    struct frost_scalar sigma[2], share;
    struct frost_id four;
    struct frost_point y;
    help(sigma, &g.ids[2]);
    assert_ok(frost_repair_finish(&share, &group, &g.ids[2], sigma, 2));
    assert_true(tainted(&share, 32));
    assert_ok(frost_id_from_u16(&four, 4));
    help(sigma, &four);
    assert_ok(frost_enrol_finish(&share, &y, &group, &four, sigma, 2));
    assert_true(tainted(&share, 32));
    assert_false(tainted(&y, 32));
}

/* ---- the rest ---------------------------------------------------------- */

static void starting_and_scalars_are_constant_time(void **state)
{
    (void)state;
    struct frost_ready ready;
    struct frost_scalar s = g.shares[0], out;
    struct frost_point y;
    uint8_t sample[2][32];
    kit_randoms(sample, 2);
    SECRET(sample);
    assert_ok(frost_init(&ready, (const uint8_t(*)[32])sample));
    SECRET(s);
    assert_ok(frost_scalar_base(&y, &s));
    assert_ok(frost_scalar_decode(&out, s.le));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checker_sees_secrets),
        cmocka_unit_test(committing_and_signing_are_constant_time),
        cmocka_unit_test(key_generation_is_constant_time),
        cmocka_unit_test(refresh_is_constant_time),
        cmocka_unit_test(reshare_is_constant_time),
        cmocka_unit_test(repair_and_enrolment_are_constant_time),
        cmocka_unit_test(starting_and_scalars_are_constant_time),
    };
    return cmocka_run_group_tests(tests, make_group, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Repair of a lost share, and a share for one more member. */
#include "kit.h"

#include "frost/inner.h"

#define MAX 8

static struct kit_group g; /* 3 of 5 */
static struct frost_group group;
static struct frost_scalar deltas[MAX][MAX]; /* by sender, by receiver */
static struct frost_scalar sigmas[MAX];

static int make_group(void **state)
{
    kit_init(state);
    kit_group_make(&g, 3, 5);
    group = kit_public(&g);
    return 0;
}

/* Members `who` help target; sigmas out. */
static void help(const unsigned *who, unsigned n, const struct frost_id *target)
{
    struct frost_id helpers[MAX];
    uint8_t random[MAX][32];
    for (unsigned i = 0; i < n; i++)
        helpers[i] = g.ids[who[i]];
    for (unsigned i = 0; i < n; i++) {
        kit_randoms(random, n);
        assert_ok(frost_repair_delta(deltas[i], &kit_ready, &group, helpers, n,
                                     i, &g.shares[who[i]], target,
                                     (const uint8_t(*)[32])random));
    }
    for (unsigned j = 0; j < n; j++) {
        struct frost_scalar got[MAX];
        for (unsigned i = 0; i < n; i++)
            got[i] = deltas[i][j];
        assert_ok(frost_repair_sigma(&sigmas[j], got, n));
    }
}

static void any_t_others_bring_a_share_back(void **state)
{
    (void)state;
    static const unsigned three[] = { 0, 1, 3 }, four[] = { 0, 1, 2, 3 };
    struct frost_scalar share;
    help(three, 3, &g.ids[4]);
    assert_ok(frost_repair_finish(&share, &group, &g.ids[4], sigmas, 3));
    assert_memory_equal(&share, &g.shares[4], sizeof(share));
    help(three, 3, &g.ids[2]);
    assert_ok(frost_repair_finish(&share, &group, &g.ids[2], sigmas, 3));
    assert_memory_equal(&share, &g.shares[2], sizeof(share));
    help(four, 4, &g.ids[4]);
    assert_ok(frost_repair_finish(&share, &group, &g.ids[4], sigmas, 4));
    assert_memory_equal(&share, &g.shares[4], sizeof(share));
}

/* ZF 3.0 returns a key package without looking; ours looks. */
static void repair_refuses_what_is_not_the_lost_share(void **state)
{
    (void)state;
    static const unsigned who[] = { 0, 1, 3 };
    struct frost_scalar share, before;
    memset(&before, 0x55, sizeof(before));
    share = before;
    help(who, 3, &g.ids[4]);
    sigmas[1].le[0] ^= 1;
    assert_rc(frost_repair_finish(&share, &group, &g.ids[4], sigmas, 3),
              RC_VERIFY);
    sigmas[1].le[0] ^= 1;
    assert_rc(frost_repair_finish(&share, &group, &g.ids[2], sigmas, 3),
              RC_VERIFY);
    assert_rc(frost_repair_finish(&share, &group, &g.ids[4], sigmas, 2),
              RC_VERIFY);
    memset(&sigmas[2], 0xff, 32);
    assert_rc(frost_repair_finish(&share, &group, &g.ids[4], sigmas, 3),
              RC_PARSE);
    assert_memory_equal(&share, &before, sizeof(share));
    /* nor nothing, where the group is wrong about the member */
    static struct kit_group bent;
    bent = g;
    bent.ys[4] = frost_identity;
    const struct frost_group wrong = kit_public(&bent);
    const struct frost_scalar nothing[2] = { { .le = { 0 } } };
    assert_rc(frost_repair_finish(&share, &wrong, &g.ids[4], nothing, 2),
              RC_VERIFY);
    assert_memory_equal(&share, &before, sizeof(share));
    /* nor one of a number that is not of the group */
    struct frost_id six;
    assert_ok(frost_id_from_u16(&six, 6));
    help(who, 3, &six);
    assert_rc(frost_repair_finish(&share, &group, &six, sigmas, 3), RC_ARG);
}

static void an_enrolled_member_signs_with_the_others(void **state)
{
    (void)state;
    static const unsigned who[] = { 0, 2, 4 };
    static struct kit_group more;
    static struct kit_round r;
    uint8_t sig[FROST_SIG_LEN];
    more = g;
    more.n = 6;
    assert_ok(frost_id_from_u16(&more.ids[5], 77));
    help(who, 3, &more.ids[5]);
    assert_ok(frost_enrol_finish(&more.shares[5], &more.ys[5], &group,
                                 &more.ids[5], sigmas, 3));
    const struct frost_group now = kit_public(&more);
    assert_ok(frost_group_check(&now));
    kit_round_start(&r, &more, 6);
    kit_sign_all(&r, "m", 1);
    assert_ok(kit_aggregate(&r, sig, "m", 1, NULL));
    assert_true(kit_openssl_verifies(sig, &g.key, "m", 1));
    sigmas[0].le[0] ^= 1;
    assert_rc(frost_enrol_finish(&more.shares[5], &more.ys[5], &group,
                                 &more.ids[5], sigmas, 3),
              RC_VERIFY);
    /* who is of the group is repaired, never enrolled again */
    assert_rc(frost_enrol_finish(&more.shares[5], &more.ys[5], &group,
                                 &g.ids[1], sigmas, 3),
              RC_ARG);
}

static void helpers_are_t_others_with_their_own_shares(void **state)
{
    (void)state;
    uint8_t random[MAX][32];
    struct frost_id helpers[MAX];
    kit_randoms(random, MAX);
    const uint8_t(*rnd)[32] = (const uint8_t(*)[32])random;
    memcpy(helpers, g.ids, sizeof(helpers));
    memset(deltas[0], 0x11, sizeof(deltas[0]));
    assert_rc(frost_repair_delta(deltas[0], &kit_ready, &group, helpers, 2, 0,
                                 &g.shares[0], &g.ids[4], rnd),
              RC_ARG); /* too few */
    assert_true(kit_all_zero(deltas[0], 2 * 32));
    assert_rc(frost_repair_delta(deltas[0], &kit_ready, &group, helpers, 5, 0,
                                 &g.shares[0], &g.ids[4], rnd),
              RC_ARG); /* the target among them */
    assert_rc(frost_repair_delta(deltas[0], &kit_ready, &group, helpers, 3, 0,
                                 &g.shares[1], &g.ids[4], rnd),
              RC_ARG); /* not our share */
    assert_rc(frost_repair_delta(deltas[0], &kit_ready, &group, helpers, 3, 3,
                                 &g.shares[0], &g.ids[4], rnd),
              RC_ARG); /* we are not one */
    helpers[1] = helpers[0];
    assert_rc(frost_repair_delta(deltas[0], &kit_ready, &group, helpers, 3, 0,
                                 &g.shares[0], &g.ids[4], rnd),
              RC_ARG); /* one twice */
    assert_ok(frost_id_from_u16(&helpers[1], 2));
    assert_ok(frost_id_from_u16(&helpers[2], 99));
    assert_rc(frost_repair_delta(deltas[0], &kit_ready, &group, helpers, 3, 0,
                                 &g.shares[0], &g.ids[4], rnd),
              RC_ARG); /* a stranger */
    const struct frost_id zero = { .le = { 0 } };
    assert_rc(frost_repair_delta(deltas[0], &kit_ready, &group, g.ids, 3, 0,
                                 &g.shares[0], &zero, rnd),
              RC_ARG); /* f(0) is the key */
}

/* All but one delta of a helper: as good as nothing. */
static void deltas_hide_the_share_of_a_helper(void **state)
{
    (void)state;
    static const unsigned who[] = { 0, 1, 3 };
    struct frost_scalar sum = { .le = { 0 } }, lambda;
    const struct frost_id helpers[] = { g.ids[0], g.ids[1], g.ids[3] };
    help(who, 3, &g.ids[4]);
    for (unsigned j = 0; j < 3; j++)
        frost_scalar_add(&sum, &sum, &deltas[0][j]);
    frost_lagrange(&lambda, helpers, 3, 0, &g.ids[4]);
    frost_scalar_mul(&lambda, &lambda, &g.shares[0]);
    assert_memory_equal(&sum, &lambda, sizeof(sum));
    /* each single one is fresh in each run */
    const struct frost_scalar first[3] = { deltas[0][0], deltas[0][1],
                                           deltas[0][2] };
    help(who, 3, &g.ids[4]);
    for (unsigned j = 0; j < 3; j++)
        assert_memory_not_equal(&deltas[0][j], &first[j], 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_t_others_bring_a_share_back),
        cmocka_unit_test(repair_refuses_what_is_not_the_lost_share),
        cmocka_unit_test(an_enrolled_member_signs_with_the_others),
        cmocka_unit_test(helpers_are_t_others_with_their_own_shares),
        cmocka_unit_test(deltas_hide_the_share_of_a_helper),
    };
    return cmocka_run_group_tests(tests, make_group, NULL);
}

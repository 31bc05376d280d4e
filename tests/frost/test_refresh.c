/* SPDX-License-Identifier: Apache-2.0 */
/* Refresh: same key, new shares; and each lie a dealer may tell. */
#include "kit.h"

#include "frost/inner.h"

#define N 5
#define T 3

static struct kit_group g;
static struct frost_group old;
static struct frost_poly polys[N];
static struct frost_dealing dealings[N];
static struct frost_scalar subs[N];

static int make_group(void **state)
{
    kit_init(state);
    kit_group_make(&g, T, N);
    old = kit_public(&g);
    return 0;
}

static void deal_all(unsigned n)
{
    uint8_t random[T][32];
    for (unsigned i = 0; i < n; i++) {
        kit_randoms(random, T - 1);
        assert_ok(frost_refresh_deal(&polys[i], &dealings[i], &kit_ready, T,
                                     (const uint8_t(*)[32])random));
        assert_ok(frost_refresh_check(&dealings[i], &g.ids[i], T));
        assert_true(kit_all_zero(&dealings[i].pok_r, 64));
    }
}

/* Member me of the first n; its share out. */
static enum rc finish(struct frost_scalar *share, struct frost_point *ys,
                      unsigned n, unsigned me, struct frost_culprits *culprits)
{
    const struct frost_dealt dealt = { n, g.ids, dealings, subs };
    return frost_refresh_finish(share, ys, &old, &g.shares[me], &dealt,
                                &dealings[me], me, culprits);
}

static void sub_shares_to(unsigned me, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_ok(frost_sub_share(&subs[i], &polys[i], &g.ids[me]));
}

/* Everybody, or all but the last two. */
static void refreshed_shares_sign_for_the_same_key(void **state)
{
    (void)state;
    static struct kit_group fresh;
    static struct kit_round r;
    uint8_t sig[FROST_SIG_LEN];
    for (unsigned n = N; n >= T; n -= N - T) {
        struct frost_point ys[N];
        fresh = g;
        fresh.n = n;
        deal_all(n);
        for (unsigned me = 0; me < n; me++) {
            sub_shares_to(me, n);
            assert_ok(finish(&fresh.shares[me], ys, n, me, NULL));
            assert_memory_not_equal(&fresh.shares[me], &g.shares[me], 32);
        }
        memcpy(fresh.ys, ys, sizeof(ys));
        const struct frost_group now = kit_public(&fresh);
        assert_ok(frost_group_check(&now));
        kit_round_start(&r, &fresh, n);
        kit_sign_all(&r, "m", 1);
        assert_ok(kit_aggregate(&r, sig, "m", 1, NULL));
        assert_true(kit_openssl_verifies(sig, &g.key, "m", 1));
    }
}

/* An old share among new ones is no share at all. */
static void old_and_new_shares_do_not_mix(void **state)
{
    (void)state;
    static struct kit_group mixed;
    static struct kit_round r;
    struct frost_point ys[N];
    struct frost_culprits named;
    uint8_t sig[FROST_SIG_LEN];
    mixed = g;
    deal_all(N);
    for (unsigned me = 1; me < N; me++) {
        sub_shares_to(me, N);
        assert_ok(finish(&mixed.shares[me], ys, N, me, NULL));
    }
    memcpy(mixed.ys, ys, sizeof(ys));
    kit_round_start(&r, &mixed, T);
    kit_sign_all(&r, "m", 1);
    assert_rc(kit_aggregate(&r, sig, "m", 1, &named), RC_CHEATER);
    assert_int_equal(named.n, 1);
    assert_int_equal(frost_id_to_u16(&named.id[0]), 1);
}

/* ZF 2.2.0: fewer coefficients would weaken the key without a word. */
static void refresh_cannot_lower_the_threshold(void **state)
{
    (void)state;
    struct frost_scalar share;
    struct frost_point ys[N];
    uint8_t random[T][32];
    deal_all(N);
    kit_randoms(random, T - 2);
    assert_ok(frost_refresh_deal(&polys[1], &dealings[1], &kit_ready, T - 1,
                                 (const uint8_t(*)[32])random));
    assert_rc(frost_refresh_check(&dealings[1], &g.ids[1], T), RC_PARSE);
    sub_shares_to(0, N);
    assert_rc(finish(&share, ys, N, 0, NULL), RC_ARG);

    deal_all(N);
    kit_randoms(random, T);
    assert_ok(frost_refresh_deal(&polys[1], &dealings[1], &kit_ready, T + 1,
                                 (const uint8_t(*)[32])random));
    assert_rc(frost_refresh_check(&dealings[1], &g.ids[1], T), RC_PARSE);
    sub_shares_to(0, N);
    assert_rc(finish(&share, ys, N, 0, NULL), RC_ARG);

    /* all of them in league: t is the old group's, not theirs */
    for (unsigned i = 0; i < N; i++)
        assert_ok(frost_refresh_deal(&polys[i], &dealings[i], &kit_ready, T - 1,
                                     (const uint8_t(*)[32])random));
    sub_shares_to(0, N);
    assert_rc(finish(&share, ys, N, 0, NULL), RC_ARG);
    /* and fewer members than t cannot stay */
    deal_all(N);
    sub_shares_to(0, N);
    assert_rc(finish(&share, ys, T - 1, 0, NULL), RC_ARG);
}

static void refresh_cannot_change_the_key(void **state)
{
    (void)state;
    struct frost_scalar share;
    struct frost_point ys[N];
    deal_all(N);
    /* a constant that is not zero, with its true commitment */
    polys[2].coeff[0].le[0] = 5;
    assert_ok(
            frost_scalar_base(&dealings[2].commitment[0], &polys[2].coeff[0]));
    assert_rc(frost_refresh_check(&dealings[2], &g.ids[2], T), RC_PARSE);
    sub_shares_to(0, N);
    assert_rc(finish(&share, ys, N, 0, NULL), RC_ARG);
}

static void wrong_sub_shares_name_their_dealers(void **state)
{
    (void)state;
    struct frost_scalar share, before;
    struct frost_point ys[N];
    struct frost_culprits named = { .n = 9 };
    memset(&before, 0x44, sizeof(before));
    share = before;
    deal_all(N);
    sub_shares_to(0, N);
    subs[1].le[0] ^= 1;
    memset(&subs[4], 0xff, sizeof(subs[4]));
    assert_rc(finish(&share, ys, N, 0, &named), RC_CHEATER);
    assert_int_equal(named.n, 2);
    assert_int_equal(frost_id_to_u16(&named.id[0]), 2);
    assert_int_equal(frost_id_to_u16(&named.id[1]), 5);
    assert_memory_equal(&share, &before, sizeof(share));
    /* errors that cancel make a good share all the same */
    const struct frost_scalar one = { .le = { 1 } };
    sub_shares_to(0, N);
    frost_scalar_add(&subs[1], &subs[1], &one);
    frost_scalar_sub(&subs[2], &subs[2], &one);
    assert_ok(finish(&share, ys, N, 0, &named));
    assert_int_equal(named.n, 0);
}

static void another_share_than_ours_is_refused(void **state)
{
    (void)state;
    struct frost_scalar share;
    struct frost_point ys[N];
    const struct frost_dealt dealt = { N, g.ids, dealings, subs };
    deal_all(N);
    sub_shares_to(0, N);
    assert_rc(frost_refresh_finish(&share, ys, &old, &g.shares[1], &dealt,
                                   &dealings[0], 0, NULL),
              RC_ARG);
    assert_rc(frost_refresh_finish(&share, ys, &old, &g.shares[0], &dealt,
                                   &dealings[0], N, NULL),
              RC_ARG);
}

/* One honest dealer is enough, so none may be left out or swapped. */
static void who_deals_is_who_stays(void **state)
{
    (void)state;
    struct frost_scalar share;
    struct frost_point ys[N];
    struct frost_id ids[N];
    static struct frost_dealing mine;
    struct frost_dealt dealt = { N, ids, dealings, subs };
    deal_all(N);
    sub_shares_to(0, N);
    /* a stranger among them, or alone */
    memcpy(ids, g.ids, sizeof(ids));
    assert_ok(frost_id_from_u16(&ids[4], 500));
    assert_rc(frost_refresh_finish(&share, ys, &old, &g.shares[0], &dealt,
                                   &dealings[0], 0, NULL),
              RC_ARG);
    dealt.n = 1;
    dealt.dealers = &ids[4];
    assert_rc(frost_refresh_finish(&share, ys, &old, &g.shares[0], &dealt,
                                   &dealings[0], 0, NULL),
              RC_ARG);
    /* ours came back as another one */
    mine = dealings[0];
    mine.commitment[1] = dealings[1].commitment[1];
    dealt = (struct frost_dealt){ N, g.ids, dealings, subs };
    assert_rc(frost_refresh_finish(&share, ys, &old, &g.shares[0], &dealt,
                                   &mine, 0, NULL),
              RC_CONFLICT);
}

/*
 * The last to deal chooses a point so that node 2's verifying share vanishes.
 * It cannot know the polynomial behind it, so its sub-shares are wrong, and
 * node 2 is not the one who is named.
 */
static void a_rushing_dealer_cannot_hide_behind_its_victim(void **state)
{
    (void)state;
    struct frost_scalar share, minus = { .le = { 0 } }, x, inverse;
    struct frost_point ys[N];
    struct frost_culprits named;
    static const struct frost_scalar zero;
    struct ge sum[T], at, part;
    deal_all(N);
    /* without dealer 5: F(2) + Y_2, to be made up for by its C_1 */
    const struct frost_dealt others = { N - 1, g.ids, dealings, NULL };
    assert_ok(frost_dealt_sum(sum, &others));
    frost_points_at(&at, sum, T, &g.ids[1]);
    assert_true(frost_ge_decode(&part, &g.ys[1]));
    at = ge_add(&at, &part);
    x = frost_id_scalar(&g.ids[1]);
    frost_scalar_mul(&minus, &x, &x);
    assert_true(frost_ge_decode(&part, &dealings[4].commitment[2]));
    frost_msm(&part, &minus, &part, 1); /* its C_2, at x^2 */
    at = ge_add(&at, &part);
    assert_int_equal(crypto_core_ed25519_scalar_invert(inverse.le, x.le), 0);
    frost_scalar_sub(&minus, &zero, &inverse);
    frost_msm(&at, &minus, &at, 1);
    frost_ge_encode(&dealings[4].commitment[1], &at);
    assert_ok(frost_refresh_check(&dealings[4], &g.ids[4], T));
    for (unsigned me = 0; me < 2; me++) {
        sub_shares_to(me, N);
        assert_rc(finish(&share, ys, N, me, &named), RC_CHEATER);
        assert_int_equal(named.n, 1);
        assert_int_equal(frost_id_to_u16(&named.id[0]), 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refreshed_shares_sign_for_the_same_key),
        cmocka_unit_test(old_and_new_shares_do_not_mix),
        cmocka_unit_test(refresh_cannot_lower_the_threshold),
        cmocka_unit_test(refresh_cannot_change_the_key),
        cmocka_unit_test(wrong_sub_shares_name_their_dealers),
        cmocka_unit_test(another_share_than_ours_is_refused),
        cmocka_unit_test(who_deals_is_who_stays),
        cmocka_unit_test(a_rushing_dealer_cannot_hide_behind_its_victim),
    };
    return cmocka_run_group_tests(tests, make_group, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Key generation: whole ceremonies, and each lie a dealer may tell. */
#include "kit.h"

#include "frost/inner.h"

#define N 3
#define T 2

static struct frost_id ids[N];
static struct frost_poly polys[N];
static struct frost_dealing dealings[N];
static struct frost_scalar subs[N];  /* dealt to ids[0] */
static struct frost_culprits blamed; /* by the last finish() */

static void deal_all(void)
{
    uint8_t random[T + 1][32];
    for (unsigned i = 0; i < N; i++) {
        assert_ok(frost_id_from_u16(&ids[i], (uint16_t)(i + 1)));
        kit_randoms(random, T + 1);
        assert_ok(frost_dkg_deal(&polys[i], &dealings[i], &kit_ready, &ids[i],
                                 T, (const uint8_t(*)[32])random));
        assert_ok(frost_sub_share(&subs[i], &polys[i], &ids[0]));
    }
}

static enum rc finish(void)
{
    struct frost_scalar share, before;
    struct frost_point key, ys[N];
    memset(&before, 0x33, sizeof(before));
    share = before;
    const struct frost_dealt dealt = { N, ids, dealings, subs };
    enum rc rc = frost_dkg_finish(&share, &key, ys, &dealt, &dealings[0], 0,
                                  &blamed);
    if (rc != RC_OK)
        assert_memory_equal(&share, &before, sizeof(share));
    return rc;
}

static void keys_made_together_sign_together(void **state)
{
    (void)state;
    static const struct {
        unsigned t, n;
    } sizes[] = { { 2, 2 }, { 2, 3 }, { 3, 5 }, { 7, 10 } };
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        static struct kit_group g;
        static struct kit_round r;
        uint8_t sig[FROST_SIG_LEN];
        kit_group_make(&g, sizes[i].t, sizes[i].n);
        for (unsigned n = g.t; n <= g.n; n += g.n - g.t ? g.n - g.t : 1) {
            kit_round_start(&r, &g, n);
            kit_sign_all(&r, "together", 8);
            assert_ok(kit_aggregate(&r, sig, "together", 8, NULL));
            assert_true(kit_openssl_verifies(sig, &g.key, "together", 8));
        }
        for (unsigned k = 0; k < g.n; k++) {
            struct frost_point y;
            assert_ok(frost_scalar_base(&y, &g.shares[k]));
            assert_memory_equal(&y, &g.ys[k], sizeof(y));
        }
    }
}

static void dkg_refuses_t_plus_one_commitments(void **state)
{
    (void)state;
    static struct frost_poly secret;
    static struct frost_dealing dealing;
    uint8_t random[T + 2][32];
    deal_all();
    /* all in order, but of degree T: the key would need T + 1 */
    kit_randoms(random, T + 2);
    assert_ok(frost_dkg_deal(&secret, &dealing, &kit_ready, &ids[1], T + 1,
                             (const uint8_t(*)[32])random));
    assert_ok(frost_dkg_check(&dealing, &ids[1], T + 1));
    assert_rc(frost_dkg_check(&dealing, &ids[1], T), RC_PARSE);
    dealings[1] = dealing;
    assert_ok(frost_sub_share(&subs[1], &secret, &ids[0]));
    assert_rc(finish(), RC_ARG);
}

static void dkg_refuses_fewer_commitments(void **state)
{
    (void)state;
    deal_all();
    dealings[1].t = T - 1;
    assert_rc(frost_dkg_check(&dealings[1], &ids[1], T), RC_PARSE);
    assert_rc(frost_dkg_check(&dealings[1], &ids[1], T - 1), RC_ARG);
    assert_rc(finish(), RC_ARG);
    dealings[1].t = FROST_MAX_SIGNERS + 1;
    assert_rc(frost_dkg_check(&dealings[1], &ids[1], FROST_MAX_SIGNERS + 1),
              RC_ARG);
    assert_rc(frost_sub_share_check(&subs[1], &dealings[1], &ids[0]), RC_ARG);
}

static void dkg_refuses_wrong_proof_of_possession(void **state)
{
    (void)state;
    struct frost_dealing bent;
    deal_all();
    for (unsigned i = 0; i < N; i++)
        assert_ok(frost_dkg_check(&dealings[i], &ids[i], T));
    /* somebody else's dealing under our name */
    assert_rc(frost_dkg_check(&dealings[0], &ids[1], T), RC_VERIFY);

    bent = dealings[0];
    bent.pok_z.le[0] ^= 1;
    assert_rc(frost_dkg_check(&bent, &ids[0], T), RC_VERIFY);
    bent = dealings[0];
    memset(&bent.pok_z, 0, sizeof(bent.pok_z));
    assert_rc(frost_dkg_check(&bent, &ids[0], T), RC_VERIFY);
    bent = dealings[0];
    bent.pok_z.le[31] |= 0x80;
    assert_rc(frost_dkg_check(&bent, &ids[0], T), RC_PARSE);
    bent = dealings[0];
    bent.pok_r = dealings[1].pok_r;
    assert_rc(frost_dkg_check(&bent, &ids[0], T), RC_VERIFY);
    bent = dealings[0];
    bent.commitment[0] = dealings[1].commitment[0];
    assert_rc(frost_dkg_check(&bent, &ids[0], T), RC_VERIFY);
}

/* A rogue key: chosen to cancel the others, so its secret is not known. */
static void dkg_refuses_a_rogue_constant_term(void **state)
{
    (void)state;
    struct frost_scalar rogue, zero = { .le = { 0 } };
    deal_all();
    frost_scalar_add(&rogue, &polys[0].coeff[0], &polys[1].coeff[0]);
    frost_scalar_sub(&rogue, &zero, &rogue);
    assert_ok(frost_scalar_base(&dealings[2].commitment[0], &rogue));
    assert_rc(frost_dkg_check(&dealings[2], &ids[2], T), RC_VERIFY);
    /* and the sum is refused even where nobody checked */
    assert_rc(finish(), RC_VERIFY);
}

/* Every dealer honest in form, all of them in league: f(0) sums to zero. */
static void dkg_refuses_a_group_key_that_is_the_identity(void **state)
{
    (void)state;
    struct frost_scalar last, zero = { .le = { 0 } };
    uint8_t random[T + 1][32];
    deal_all();
    frost_scalar_add(&last, &polys[0].coeff[0], &polys[1].coeff[0]);
    frost_scalar_sub(&last, &zero, &last);
    kit_randoms(random, T + 1);
    memcpy(random[0], last.le, 32);
    assert_ok(frost_dkg_deal(&polys[2], &dealings[2], &kit_ready, &ids[2], T,
                             (const uint8_t(*)[32])random));
    assert_ok(frost_dkg_check(&dealings[2], &ids[2], T));
    assert_ok(frost_sub_share(&subs[2], &polys[2], &ids[0]));
    assert_ok(frost_sub_share_check(&subs[2], &dealings[2], &ids[0]));
    assert_rc(finish(), RC_VERIFY);
}

/* The proof's nonce as the secret itself: mu/(1+c) is it. */
static void dkg_refuses_a_proof_that_tells_its_secret(void **state)
{
    (void)state;
    struct frost_dealing bent;
    uint8_t random[T + 1][32];
    deal_all();
    bent = dealings[0];
    assert_ok(frost_dkg_prove(&bent, &polys[0], &ids[0], &polys[0].coeff[0]));
    assert_memory_equal(&bent.pok_r, &bent.commitment[0], 32);
    assert_rc(frost_dkg_check(&bent, &ids[0], T), RC_VERIFY);
    /* a source of period two or three would lead there */
    kit_randoms(random, T + 1);
    memcpy(random[T], random[0], 32);
    assert_rc(frost_dkg_deal(&polys[0], &bent, &kit_ready, &ids[0], T,
                             (const uint8_t(*)[32])random),
              RC_ARG);
}

/* As in test_refresh.c: the victim of the last dealer is not blamed. */
static void a_rushing_dealer_cannot_hide_behind_its_victim(void **state)
{
    (void)state;
    struct frost_scalar minus, x;
    static const struct frost_scalar zero;
    struct ge sum[T], at, part;
    deal_all();
    /* C_1 of the last so that F(2) = 0; its C_0 and proof are honest */
    const struct frost_dealt others = { N - 1, ids, dealings, NULL };
    assert_ok(frost_dealt_sum(sum, &others));
    frost_points_at(&at, sum, T, &ids[1]);
    assert_true(frost_ge_decode(&part, &dealings[N - 1].commitment[0]));
    at = ge_add(&at, &part);
    x = frost_id_scalar(&ids[1]);
    assert_int_equal(crypto_core_ed25519_scalar_invert(minus.le, x.le), 0);
    frost_scalar_sub(&minus, &zero, &minus);
    frost_msm(&at, &minus, &at, 1);
    frost_ge_encode(&dealings[N - 1].commitment[1], &at);
    assert_ok(frost_dkg_check(&dealings[N - 1], &ids[N - 1], T));
    assert_rc(finish(), RC_CHEATER);
    assert_int_equal(blamed.n, 1);
    assert_int_equal(frost_id_to_u16(&blamed.id[0]), N);
}

static void dkg_refuses_identity_constant_term(void **state)
{
    (void)state;
    deal_all();
    for (unsigned k = 0; k < T; k++) {
        struct frost_dealing bent = dealings[1];
        bent.commitment[k] = frost_identity;
        assert_rc(frost_dkg_check(&bent, &ids[1], T), RC_PARSE);
    }
    /* the dealer that would send it */
    uint8_t random[T + 1][32];
    kit_randoms(random, T + 1);
    memset(random[0], 0, sizeof(random[0]));
    assert_rc(frost_dkg_deal(&polys[1], &dealings[1], &kit_ready, &ids[1], T,
                             (const uint8_t(*)[32])random),
              RC_ARG);
    assert_true(kit_all_zero(&polys[1], sizeof(polys[1])));
    assert_true(kit_all_zero(&dealings[1], sizeof(dealings[1])));
}

static void sub_share_off_the_polynomial_is_refused(void **state)
{
    (void)state;
    deal_all();
    for (unsigned i = 0; i < N; i++)
        assert_ok(frost_sub_share_check(&subs[i], &dealings[i], &ids[0]));
    /* meant for another, or dealt by another */
    assert_rc(frost_sub_share_check(&subs[1], &dealings[1], &ids[1]),
              RC_VERIFY);
    assert_rc(frost_sub_share_check(&subs[1], &dealings[2], &ids[0]),
              RC_VERIFY);
    struct frost_scalar bent = subs[1];
    bent.le[0] ^= 1;
    assert_rc(frost_sub_share_check(&bent, &dealings[1], &ids[0]), RC_VERIFY);
    memset(&bent, 0, sizeof(bent));
    assert_rc(frost_sub_share_check(&bent, &dealings[1], &ids[0]), RC_VERIFY);
    bent = subs[1];
    bent.le[31] |= 0x80;
    assert_rc(frost_sub_share_check(&bent, &dealings[1], &ids[0]), RC_PARSE);
    /* summed unchecked, it still makes no share */
    subs[1].le[0] ^= 1;
    assert_rc(finish(), RC_CHEATER);
    assert_int_equal(blamed.n, 1);
    assert_int_equal(frost_id_to_u16(&blamed.id[0]), 2);
    subs[2].le[31] |= 0x80; /* what libsodium would not see */
    assert_rc(finish(), RC_CHEATER);
    assert_int_equal(blamed.n, 2);
    assert_int_equal(frost_id_to_u16(&blamed.id[1]), 3);
}

/* f(x) = a - a*x/x0 is zero at x0: allowed, if it lies where it should. */
static void sub_share_of_zero_is_judged_like_any_other(void **state)
{
    (void)state;
    uint8_t random[T + 1][32];
    struct frost_scalar minus, sub, zero = { .le = { 0 } };
    deal_all();
    kit_randoms(random, T + 1);
    random[0][31] = 0; /* below L as it stands */
    memcpy(minus.le, random[0], 32);
    frost_scalar_sub(&minus, &zero, &minus);
    memcpy(random[1], minus.le, 32);
    assert_ok(frost_dkg_deal(&polys[1], &dealings[1], &kit_ready, &ids[1], T,
                             (const uint8_t(*)[32])random));
    assert_ok(frost_dkg_check(&dealings[1], &ids[1], T));
    assert_ok(frost_sub_share(&sub, &polys[1], &ids[0]));
    assert_true(kit_all_zero(&sub, sizeof(sub)));
    assert_ok(frost_sub_share_check(&sub, &dealings[1], &ids[0]));
    assert_rc(frost_sub_share_check(&subs[0], &dealings[1], &ids[0]),
              RC_VERIFY);
    subs[1] = sub;
    assert_ok(finish());
}

static void finish_wants_its_participants_in_order(void **state)
{
    (void)state;
    struct frost_scalar share;
    struct frost_point key, ys[N];
    deal_all();
    assert_ok(finish());
    struct frost_dealt dealt = { N, ids, dealings, subs };
    assert_rc(frost_dkg_finish(&share, &key, ys, &dealt, &dealings[0], N, NULL),
              RC_ARG);
    /* our share, put at another's place */
    assert_rc(frost_dkg_finish(&share, &key, ys, &dealt, &dealings[1], 1, NULL),
              RC_CHEATER);
    dealt.n = 1;
    assert_rc(frost_dkg_finish(&share, &key, ys, &dealt, &dealings[0], 0, NULL),
              RC_ARG);
    dealt.n = FROST_MAX_SIGNERS + 1;
    assert_rc(frost_dkg_finish(&share, &key, ys, &dealt, &dealings[0], 0, NULL),
              RC_ARG);
    struct frost_id swap = ids[1];
    ids[1] = ids[2];
    ids[2] = swap;
    assert_rc(finish(), RC_ARG);
    ids[1] = ids[0];
    assert_rc(finish(), RC_ARG);
}

static void thresholds_out_of_range_are_refused(void **state)
{
    (void)state;
    static uint8_t random[FROST_MAX_SIGNERS + 2][32];
    static const unsigned bad[] = { 0, 1, FROST_MAX_SIGNERS + 1, 0xffffffff };
    deal_all();
    kit_randoms(random, FROST_MAX_SIGNERS + 2);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_rc(frost_dkg_deal(&polys[0], &dealings[0], &kit_ready, &ids[0],
                                 bad[i], (const uint8_t(*)[32])random),
                  RC_ARG);
        assert_rc(frost_dkg_check(&dealings[1], &ids[1], bad[i]), RC_ARG);
        polys[1].t = bad[i];
        assert_rc(frost_sub_share(&subs[0], &polys[1], &ids[0]), RC_ARG);
    }
    /* more than there are participants: the key could never sign */
    deal_all();
    for (unsigned i = 0; i < N; i++)
        assert_ok(frost_dkg_deal(&polys[i], &dealings[i], &kit_ready, &ids[i],
                                 N + 1, (const uint8_t(*)[32])random));
    assert_rc(finish(), RC_ARG);
}

static void largest_polynomial_fits(void **state)
{
    (void)state;
    static uint8_t random[FROST_MAX_SIGNERS + 1][32];
    deal_all();
    kit_randoms(random, FROST_MAX_SIGNERS + 1);
    assert_ok(frost_dkg_deal(&polys[0], &dealings[0], &kit_ready, &ids[0],
                             FROST_MAX_SIGNERS, (const uint8_t(*)[32])random));
    assert_ok(frost_dkg_check(&dealings[0], &ids[0], FROST_MAX_SIGNERS));
    assert_ok(frost_sub_share(&subs[0], &polys[0], &ids[2]));
    assert_ok(frost_sub_share_check(&subs[0], &dealings[0], &ids[2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_made_together_sign_together),
        cmocka_unit_test(dkg_refuses_t_plus_one_commitments),
        cmocka_unit_test(dkg_refuses_fewer_commitments),
        cmocka_unit_test(dkg_refuses_wrong_proof_of_possession),
        cmocka_unit_test(dkg_refuses_a_rogue_constant_term),
        cmocka_unit_test(dkg_refuses_a_group_key_that_is_the_identity),
        cmocka_unit_test(dkg_refuses_a_proof_that_tells_its_secret),
        cmocka_unit_test(a_rushing_dealer_cannot_hide_behind_its_victim),
        cmocka_unit_test(dkg_refuses_identity_constant_term),
        cmocka_unit_test(sub_share_off_the_polynomial_is_refused),
        cmocka_unit_test(sub_share_of_zero_is_judged_like_any_other),
        cmocka_unit_test(finish_wants_its_participants_in_order),
        cmocka_unit_test(thresholds_out_of_range_are_refused),
        cmocka_unit_test(largest_polynomial_fits),
    };
    return cmocka_run_group_tests(tests, kit_init, NULL);
}

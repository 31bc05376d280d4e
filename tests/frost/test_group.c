/* SPDX-License-Identifier: Apache-2.0 */
/* The public half of a key, and the transcript of how it was made. */
#include "kit.h"

#include "frost/inner.h"

static struct kit_group g; /* 3 of 5 */

static int make_group(void **state)
{
    kit_init(state);
    kit_group_make(&g, 3, 5);
    return 0;
}

static void whatever_does_not_fit_is_found(void **state)
{
    (void)state;
    static struct kit_group bent;
    struct frost_group group = kit_public(&bent);
    bent = g;
    group = kit_public(&bent);
    assert_ok(frost_group_check(&group));
    for (unsigned i = 0; i < g.n; i++) {
        bent = g;
        bent.ys[i] = g.ys[(i + 1) % g.n];
        assert_rc(frost_group_check(&group), RC_VERIFY);
        bent.ys[i] = frost_identity;
        assert_rc(frost_group_check(&group), RC_PARSE);
        bent = g;
        memset(&bent.ids[i], 0, sizeof(bent.ids[i]));
        assert_rc(frost_group_check(&group), RC_ARG);
    }
    bent = g;
    bent.key = g.ys[0];
    assert_rc(frost_group_check(&group), RC_VERIFY);
    bent.key = frost_identity;
    assert_rc(frost_group_check(&group), RC_PARSE);
    bent = g;
    for (unsigned t = 0; t < 9; t++) {
        group.t = t;
        /* of degree 2: fewer than 3 do not determine it, more do as well */
        assert_rc(frost_group_check(&group), t == 2           ? RC_VERIFY
                                             : t < 2 || t > 5 ? RC_ARG
                                                              : RC_OK);
    }
}

/* Change one thing at a time: another hash each time. */
static void a_transcript_binds_all_it_names(void **state)
{
    (void)state;
    static struct frost_dealing dealings[3];
    uint8_t roster[32] = { 1 }, session[32] = { 2 }, hash[32], first[32];
    struct frost_transcript t = { .roster = roster,
                                  .session = session,
                                  .epoch = 1,
                                  .t = 2,
                                  .n_dealers = 3,
                                  .dealers = g.ids,
                                  .dealings = dealings,
                                  .n_receivers = 3,
                                  .receivers = g.ids,
                                  .ys = g.ys };
    for (unsigned i = 0; i < 3; i++)
        dealings[i].t = 2;
    assert_ok(frost_transcript_hash(first, &t));
    for (unsigned i = 0; i < 11; i++) {
        struct frost_transcript other = t;
        uint8_t *byte = i == 0   ? roster
                        : i == 1 ? session
                        : i == 2 ? dealings[1].commitment[1].b
                        : i == 3 ? dealings[2].pok_r.b
                        : i == 4 ? dealings[0].pok_z.le
                                 : NULL;
        if (byte)
            byte[31] ^= 1;
        other.epoch += i == 5;
        other.parent += i == 6;
        other.t += i == 7;
        other.n_dealers -= i == 8;
        other.n_receivers -= i == 9;
        other.receivers += i == 10;
        assert_ok(frost_transcript_hash(hash, &other));
        assert_memory_not_equal(hash, first, sizeof(hash));
        if (byte)
            byte[31] ^= 1;
    }
    /* only a new key's dealings carry proofs */
    t.parent = 7;
    assert_ok(frost_transcript_hash(first, &t));
    dealings[0].pok_z.le[0] ^= 1;
    assert_ok(frost_transcript_hash(hash, &t));
    assert_memory_equal(hash, first, sizeof(hash));
    /* the format has numbers only */
    struct frost_id ids[3] = { g.ids[0], g.ids[1] };
    ids[2].le[9] = 1;
    t.dealers = ids;
    assert_rc(frost_transcript_hash(hash, &t), RC_ARG);
}

/*
 * One dealer tells one receiver another polynomial (Least Authority on
 * frost-tools, issue C). Each finds its share in order; the transcripts they
 * compare do not agree, so the key is not used.
 */
static void an_equivocating_dealer_splits_the_transcript(void **state)
{
    (void)state;
    static struct frost_poly polys[3], second;
    static struct frost_dealing seen[2][3];
    struct frost_id ids[3];
    uint8_t random[3][32], hash[2][32];
    const uint8_t zeros[32] = { 0 };
    const uint8_t(*rnd)[32] = (const uint8_t(*)[32])random;
    for (unsigned i = 0; i < 3; i++) {
        assert_ok(frost_id_from_u16(&ids[i], (uint16_t)(i + 1)));
        kit_randoms(random, 3);
        assert_ok(frost_dkg_deal(&polys[i], &seen[0][i], &kit_ready, &ids[i], 2,
                                 rnd));
        seen[1][i] = seen[0][i];
    }
    kit_randoms(random, 3);
    assert_ok(
            frost_dkg_deal(&second, &seen[1][2], &kit_ready, &ids[2], 2, rnd));
    for (unsigned me = 0; me < 2; me++) {
        struct frost_scalar subs[3], share;
        struct frost_point key, ys[3];
        const struct frost_dealt dealt = { 3, ids, seen[me], subs };
        for (unsigned i = 0; i < 3; i++) {
            assert_ok(frost_dkg_check(&seen[me][i], &ids[i], 2));
            assert_ok(frost_sub_share(&subs[i],
                                      me == 1 && i == 2 ? &second : &polys[i],
                                      &ids[me]));
        }
        assert_ok(frost_dkg_finish(&share, &key, ys, &dealt, &seen[me][me], me,
                                   NULL));
        const struct frost_transcript t = { zeros, zeros,    1, 0,   2, 3,
                                            ids,   seen[me], 3, ids, ys };
        assert_ok(frost_transcript_hash(hash[me], &t));
    }
    assert_memory_not_equal(hash[0], hash[1], 32);
}

/* bip-frost-dkg issue 22: what comes back as ours is compared with ours. */
static void our_own_dealing_cannot_be_swapped_on_the_way(void **state)
{
    (void)state;
    static struct frost_poly polys[2], other;
    static struct frost_dealing dealings[2], mine;
    struct frost_scalar subs[2], share;
    struct frost_point key, ys[2];
    uint8_t random[3][32];
    const uint8_t(*rnd)[32] = (const uint8_t(*)[32])random;
    for (unsigned i = 0; i < 2; i++) {
        kit_randoms(random, 3);
        assert_ok(frost_dkg_deal(&polys[i], &dealings[i], &kit_ready, &g.ids[i],
                                 2, rnd));
    }
    mine = dealings[0];
    kit_randoms(random, 3);
    assert_ok(frost_dkg_deal(&other, &dealings[0], &kit_ready, &g.ids[0], 2,
                             rnd));
    assert_ok(frost_sub_share(&subs[0], &other, &g.ids[0]));
    assert_ok(frost_sub_share(&subs[1], &polys[1], &g.ids[0]));
    const struct frost_dealt dealt = { 2, g.ids, dealings, subs };
    assert_rc(frost_dkg_finish(&share, &key, ys, &dealt, &mine, 0, NULL),
              RC_CONFLICT);
    assert_ok(
            frost_dkg_finish(&share, &key, ys, &dealt, &dealings[0], 0, NULL));
    mine = dealings[0];
    mine.pok_z.le[0] ^= 1;
    assert_rc(frost_dkg_finish(&share, &key, ys, &dealt, &mine, 0, NULL),
              RC_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_does_not_fit_is_found),
        cmocka_unit_test(a_transcript_binds_all_it_names),
        cmocka_unit_test(an_equivocating_dealer_splits_the_transcript),
        cmocka_unit_test(our_own_dealing_cannot_be_swapped_on_the_way),
    };
    return cmocka_run_group_tests(tests, make_group, NULL);
}

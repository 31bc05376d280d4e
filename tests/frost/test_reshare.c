/* SPDX-License-Identifier: Apache-2.0 */
/* Reshare: another group of any shape for the same key. */
#include "kit.h"

#include "frost/inner.h"

#define MAX 16

static struct kit_group g; /* 3 of 5 */
static struct frost_group old;
static struct frost_poly polys[MAX];
static struct frost_dealing dealings[MAX];
static struct frost_scalar subs[MAX];

static int make_group(void **state)
{
    kit_init(state);
    kit_group_make(&g, 3, 5);
    old = kit_public(&g);
    return 0;
}

/* The first n_quorum of `from` deal to a group of threshold t. */
static void deal_all(const struct kit_group *from, unsigned n_quorum,
                     unsigned t)
{
    const struct frost_group group = kit_public(from);
    uint8_t random[MAX][32];
    for (unsigned i = 0; i < n_quorum; i++) {
        kit_randoms(random, t);
        assert_ok(frost_reshare_deal(&polys[i], &dealings[i], &kit_ready,
                                     &group, from->ids, n_quorum, i,
                                     &from->shares[i], t,
                                     (const uint8_t(*)[32])random));
        assert_ok(frost_reshare_check(&dealings[i], &group, from->ids, n_quorum,
                                      i, t));
    }
}

static void sub_shares_to(const struct frost_id *id, unsigned n_quorum)
{
    for (unsigned i = 0; i < n_quorum; i++)
        assert_ok(frost_sub_share(&subs[i], &polys[i], id));
}

/* `to` has t, n and ids; its shares and verifying shares out. */
static void reshare(struct kit_group *to, const struct kit_group *from,
                    unsigned n_quorum)
{
    const struct frost_group group = kit_public(from);
    const struct frost_dealt dealt = { n_quorum, from->ids, dealings, subs };
    deal_all(from, n_quorum, to->t);
    for (unsigned me = 0; me < to->n; me++) {
        struct frost_point ys[MAX];
        const unsigned at = frost_ids_find(from->ids, n_quorum, &to->ids[me]);
        sub_shares_to(&to->ids[me], n_quorum);
        assert_ok(frost_reshare_finish(
                &to->shares[me], ys, &group, to->t, to->ids, to->n, me, &dealt,
                at < n_quorum ? &dealings[at] : NULL, NULL));
        if (me == 0)
            memcpy(to->ys, ys, to->n * sizeof(*ys));
        assert_memory_equal(to->ys, ys, to->n * sizeof(*ys));
    }
    to->key = from->key;
    const struct frost_group fresh = kit_public(to);
    assert_ok(frost_group_check(&fresh));
}

static void assert_signs(const struct kit_group *who)
{
    static struct kit_round r;
    uint8_t sig[FROST_SIG_LEN];
    kit_round_start(&r, who, who->t);
    kit_sign_all(&r, "moved", 5);
    assert_ok(kit_aggregate(&r, sig, "moved", 5, NULL));
    assert_true(kit_openssl_verifies(sig, &g.key, "moved", 5));
}

/* 3 of 5 to 2 of 3 to 4 of 7 with strangers to 2 of 2 with none of the first. */
static void a_key_moves_through_groups_of_every_shape(void **state)
{
    (void)state;
    static const struct {
        unsigned t, n, quorum, first; /* ids are first, first + 1, ... */
    } steps[] = {
        { 2, 3, 3, 1 }, { 4, 7, 2, 2 }, { 5, 5, 7, 4 }, { 2, 2, 5, 900 }
    };
    static struct kit_group from, to;
    from = g;
    for (unsigned i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        memset(&to, 0, sizeof(to));
        to.t = steps[i].t;
        to.n = steps[i].n;
        for (unsigned k = 0; k < to.n; k++)
            assert_ok(frost_id_from_u16(&to.ids[k],
                                        (uint16_t)(steps[i].first + k)));
        reshare(&to, &from, steps[i].quorum);
        assert_signs(&to);
        from = to;
    }
}

static void members_may_have_derived_identifiers(void **state)
{
    (void)state;
    static struct kit_group to;
    static const char *const names[] = { "alice", "bob", "carol" };
    memset(&to, 0, sizeof(to));
    to.t = 2;
    to.n = 3;
    for (unsigned i = 0; i < 3; i++)
        assert_ok(frost_id_derive(&to.ids[i], names[i], strlen(names[i])));
    for (unsigned i = 0; i < 3; i++) /* into rising order */
        for (unsigned k = 0; k + 1 < 3; k++)
            if (frost_id_cmp(&to.ids[k], &to.ids[k + 1]) > 0) {
                const struct frost_id swap = to.ids[k];
                to.ids[k] = to.ids[k + 1];
                to.ids[k + 1] = swap;
            }
    reshare(&to, &g, 3);
    assert_signs(&to);
    struct frost_id again;
    assert_ok(frost_id_derive(&again, "alice", 5));
    assert_true(frost_ids_find(to.ids, 3, &again) < 3);
    assert_int_equal(frost_id_to_u16(&again), 0);
}

static void a_dealer_can_only_deal_its_own_part(void **state)
{
    (void)state;
    struct frost_dealing bent;
    deal_all(&g, 3, 2);
    /* of another quorum: the weights differ */
    assert_rc(frost_reshare_check(&dealings[0], &old, g.ids, 4, 0, 2),
              RC_VERIFY);
    /* under another's name */
    assert_rc(frost_reshare_check(&dealings[0], &old, g.ids, 3, 1, 2),
              RC_VERIFY);
    /* another constant, truly committed to */
    bent = dealings[0];
    bent.commitment[0] = dealings[0].commitment[1];
    assert_rc(frost_reshare_check(&bent, &old, g.ids, 3, 0, 2), RC_VERIFY);
    bent = dealings[0];
    bent.commitment[0] = frost_identity;
    assert_rc(frost_reshare_check(&bent, &old, g.ids, 3, 0, 2), RC_PARSE);
    bent = dealings[0];
    bent.commitment[1] = frost_identity;
    assert_rc(frost_reshare_check(&bent, &old, g.ids, 3, 0, 2), RC_PARSE);
    /* another threshold than agreed */
    assert_rc(frost_reshare_check(&dealings[0], &old, g.ids, 3, 0, 3),
              RC_PARSE);
}

static void a_share_of_another_epoch_is_not_dealt(void **state)
{
    (void)state;
    static const uint8_t zeros[sizeof(struct frost_poly)];
    uint8_t random[2][32];
    kit_randoms(random, 2);
    assert_rc(frost_reshare_deal(&polys[0], &dealings[0], &kit_ready, &old,
                                 g.ids, 3, 0, &g.shares[1], 2,
                                 (const uint8_t(*)[32])random),
              RC_ARG);
    assert_memory_equal(&polys[0], zeros, sizeof(polys[0]));
    /* fewer than t cannot deal at all */
    assert_rc(frost_reshare_deal(&polys[0], &dealings[0], &kit_ready, &old,
                                 g.ids, 2, 0, &g.shares[0], 2,
                                 (const uint8_t(*)[32])random),
              RC_ARG);
}

static void another_key_cannot_come_out(void **state)
{
    (void)state;
    static struct kit_group to;
    struct frost_scalar share;
    struct frost_point ys[MAX];
    to = g;
    to.t = 2;
    to.n = 3;
    deal_all(&g, 3, 2);
    sub_shares_to(&to.ids[0], 3);
    /* unchecked, its constant replaced: the sum is not the key */
    dealings[1].commitment[0] = dealings[1].commitment[1];
    const struct frost_dealt dealt = { 3, g.ids, dealings, subs };
    assert_rc(frost_reshare_finish(&share, ys, &old, 2, to.ids, 3, 0, &dealt,
                                   &dealings[0], NULL),
              RC_VERIFY);
    /* a dealer left out */
    deal_all(&g, 4, 2);
    sub_shares_to(&to.ids[0], 4);
    assert_rc(frost_reshare_finish(&share, ys, &old, 2, to.ids, 3, 0, &dealt,
                                   &dealings[0], NULL),
              RC_VERIFY);
    /* more of them needed to sign than there are */
    deal_all(&g, 3, 4);
    sub_shares_to(&to.ids[0], 3);
    assert_rc(frost_reshare_finish(&share, ys, &old, 4, to.ids, 3, 0, &dealt,
                                   &dealings[0], NULL),
              RC_ARG);
}

static void our_own_dealing_must_come_back_as_it_was(void **state)
{
    (void)state;
    struct frost_scalar share;
    struct frost_point ys[MAX];
    const struct frost_dealt dealt = { 3, g.ids, dealings, subs };
    deal_all(&g, 3, 2);
    sub_shares_to(&g.ids[1], 3);
    /* member 2 of the new group is of the quorum: it must say what it sent */
    assert_ok(frost_reshare_finish(&share, ys, &old, 2, g.ids, 3, 1, &dealt,
                                   &dealings[1], NULL));
    assert_rc(frost_reshare_finish(&share, ys, &old, 2, g.ids, 3, 1, &dealt,
                                   &dealings[2], NULL),
              RC_CONFLICT);
    assert_rc(frost_reshare_finish(&share, ys, &old, 2, g.ids, 3, 1, &dealt,
                                   NULL, NULL),
              RC_CONFLICT);
    /* and member 4 has nothing to compare */
    sub_shares_to(&g.ids[3], 3);
    assert_ok(frost_reshare_finish(&share, ys, &old, 2, &g.ids[2], 3, 1, &dealt,
                                   NULL, NULL));
}

static void wrong_sub_shares_name_their_dealers(void **state)
{
    (void)state;
    struct frost_scalar share;
    struct frost_point ys[MAX];
    struct frost_culprits named;
    const struct frost_dealt dealt = { 3, g.ids, dealings, subs };
    deal_all(&g, 3, 2);
    sub_shares_to(&g.ids[4], 3);
    subs[2].le[7] ^= 0x10;
    assert_rc(frost_reshare_finish(&share, ys, &old, 2, &g.ids[3], 2, 1, &dealt,
                                   NULL, &named),
              RC_CHEATER);
    assert_int_equal(named.n, 1);
    assert_int_equal(frost_id_to_u16(&named.id[0]), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_moves_through_groups_of_every_shape),
        cmocka_unit_test(members_may_have_derived_identifiers),
        cmocka_unit_test(a_dealer_can_only_deal_its_own_part),
        cmocka_unit_test(a_share_of_another_epoch_is_not_dealt),
        cmocka_unit_test(another_key_cannot_come_out),
        cmocka_unit_test(our_own_dealing_must_come_back_as_it_was),
        cmocka_unit_test(wrong_sub_shares_name_their_dealers),
    };
    return cmocka_run_group_tests(tests, make_group, NULL);
}

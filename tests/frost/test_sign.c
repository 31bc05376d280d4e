/* SPDX-License-Identifier: Apache-2.0 */
/* What a signer refuses, and that its nonce is gone either way. */
#include "kit.h"

#include "frost/inner.h"

static struct kit_group g;
static struct kit_round r;

static int make_group(void **state)
{
    kit_init(state);
    kit_group_make(&g, 3, 5);
    return 0;
}

/* Signer 0 must refuse the round as it stands, and lose its nonce. */
static void refused(enum rc want)
{
    const struct frost_scalar untouched = { .le = { 0x5a } };
    r.shares[0].z = untouched;
    assert_rc(kit_sign_one(&r, 0, "msg", 3), want);
    assert_memory_equal(&r.shares[0].z, &untouched, sizeof(untouched));
    assert_true(kit_all_zero(&r.nonces[0], sizeof(r.nonces[0])));
    assert_rc(kit_sign_one(&r, 0, "msg", 3), RC_ORDER);
}

static void nonce_is_spent_once(void **state)
{
    (void)state;
    kit_round_start(&r, &g, 3);
    assert_ok(kit_sign_one(&r, 0, "msg", 3));
    assert_true(kit_all_zero(&r.nonces[0], sizeof(r.nonces[0])));
    refused(RC_ORDER);
    /* nor for another message */
    assert_rc(kit_sign_one(&r, 0, "other", 5), RC_ORDER);
}

static void list_without_us_is_refused(void **state)
{
    (void)state;
    kit_round_start(&r, &g, 4);
    memmove(&r.list[0], &r.list[1], 3 * sizeof(r.list[0]));
    r.n = 3;
    refused(RC_ARG);
}

static void altered_own_commitment_is_refused(void **state)
{
    (void)state;
    struct frost_point other;
    kit_round_start(&r, &g, 3);
    other = r.list[1].hiding;
    r.list[0].hiding = other;
    refused(RC_ARG);

    kit_round_start(&r, &g, 3);
    r.list[0].binding = other;
    refused(RC_ARG);

    kit_round_start(&r, &g, 3);
    r.list[0].binding.b[31] ^= 0x80;
    refused(RC_ARG);

    /* our points under another's name */
    kit_round_start(&r, &g, 3);
    assert_ok(frost_id_from_u16(&r.list[2].id, 5));
    r.list[1].hiding = r.list[0].hiding;
    r.list[1].binding = r.list[0].binding;
    memmove(&r.list[0], &r.list[1], 2 * sizeof(r.list[0]));
    assert_ok(frost_id_from_u16(&r.list[2].id, 6));
    refused(RC_ARG);
}

static void unsorted_or_repeated_list_is_refused(void **state)
{
    (void)state;
    static const struct {
        unsigned to, from;
        bool swap;
        const char *why;
    } cases[] = {
        { 1, 2, true, "swapped" },
        { 2, 1, false, "another twice" },
        { 1, 0, false, "ours twice" },
        { 0, 2, true, "ours last" },
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        print_message("%s\n", cases[i].why);
        kit_round_start(&r, &g, 3);
        const struct frost_commitment before = r.list[cases[i].to];
        r.list[cases[i].to] = r.list[cases[i].from];
        if (cases[i].swap)
            r.list[cases[i].from] = before;
        refused(RC_ARG);
    }
}

static void identifier_over_the_order_is_refused(void **state)
{
    (void)state;
    kit_round_start(&r, &g, 3);
    /* 3 + L, the same member in other bytes: passes for a fourth by bytes */
    static const uint8_t order[32] = {
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,        0xd6,
        0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10,
    };
    sodium_add(r.list[2].id.le, order, sizeof(order));
    refused(RC_ARG);
}

static void too_few_commitments_are_refused(void **state)
{
    (void)state;
    kit_round_start(&r, &g, 2);
    refused(RC_ARG);
    kit_round_start(&r, &g, 3);
    r.n = 1;
    refused(RC_ARG);
    kit_round_start(&r, &g, 3);
    r.n = 0;
    refused(RC_ARG);
}

/* A threshold of one or none is no threshold key. */
static void threshold_below_two_is_refused(void **state)
{
    (void)state;
    for (unsigned min = 0; min < 2; min++) {
        struct frost_scalar z;
        kit_round_start(&r, &g, 3);
        const struct frost_package p = kit_package(&r, NULL, 0);
        assert_rc(frost_sign(&z, NULL, &r.nonces[0], &g.shares[0], min, &p),
                  RC_ARG);
    }
}

static void too_many_commitments_are_refused(void **state)
{
    (void)state;
    static struct frost_commitment list[FROST_MAX_SIGNERS + 1];
    struct frost_scalar z;
    kit_round_start(&r, &g, 3);
    for (unsigned i = 0; i <= FROST_MAX_SIGNERS; i++) {
        list[i] = r.list[0];
        assert_ok(frost_id_from_u16(&list[i].id, (uint16_t)(i + 1)));
    }
    struct frost_package p = { &g.key, NULL, 0, list, FROST_MAX_SIGNERS + 1,
                               NULL };
    assert_rc(frost_sign(&z, NULL, &r.nonces[0], &g.shares[0], 3, &p), RC_ARG);
    assert_true(kit_all_zero(&r.nonces[0], sizeof(r.nonces[0])));
    kit_round_start(&r, &g, 3);
    list[0] = r.list[0];
    p.n = FROST_MAX_SIGNERS;
    assert_ok(frost_sign(&z, NULL, &r.nonces[0], &g.shares[0], 3, &p));
}

static void bad_share_is_refused(void **state)
{
    (void)state;
    struct frost_scalar bad[2] = { { .le = { 0 } }, { .le = { 0 } } }, z;
    memset(bad[1].le, 0xff, sizeof(bad[1].le));
    uint8_t random[2][32];
    struct frost_nonce nonce;
    for (unsigned i = 0; i < 2; i++) {
        kit_randoms(random, 2);
        assert_rc(frost_commit(&nonce, &kit_ready, &g.ids[0], &bad[i],
                               random[0], random[1]),
                  RC_ARG);
        assert_true(kit_all_zero(&nonce, sizeof(nonce)));
        kit_round_start(&r, &g, 3);
        const struct frost_package p = kit_package(&r, NULL, 0);
        assert_rc(frost_sign(&z, NULL, &r.nonces[0], &bad[i], 3, &p), RC_ARG);
    }
}

static void repeated_randomness_is_refused(void **state)
{
    (void)state;
    uint8_t random[32];
    struct frost_nonce nonce;
    kit_random(random, sizeof(random));
    assert_rc(frost_commit(&nonce, &kit_ready, &g.ids[0], &g.shares[0], random,
                           random),
              RC_ARG);
    assert_true(kit_all_zero(&nonce, sizeof(nonce)));
}

/* A wrong z for every other package: the share binds all of it. */
static void share_depends_on_the_whole_package(void **state)
{
    (void)state;
    uint8_t random[2][32];
    static struct kit_round first;
    kit_randoms(random, 2);
    for (unsigned i = 0; i < 3; i++) {
        kit_round_start(&r, &g, 4);
        assert_ok(frost_commit(&r.nonces[0], &kit_ready, &g.ids[0],
                               &g.shares[0], random[0], random[1]));
        if (i > 0) /* same peers' commitments as the first time */
            memcpy(r.list, first.list, sizeof(r.list));
        r.list[0] = r.nonces[0].commitment;
        if (i == 1)
            r.n = 3;
        assert_ok(kit_sign_one(&r, 0, i == 2 ? "b" : "a", 1));
        if (i == 0)
            first = r;
        else
            assert_memory_not_equal(&r.shares[0].z, &first.shares[0].z, 32);
    }
}

/* ZF 0.6.0: another key in the package, another binding factor. */
static void share_depends_on_the_group_key(void **state)
{
    (void)state;
    struct frost_factors ours, other;
    kit_round_start(&r, &g, 3);
    struct frost_package p = kit_package(&r, "m", 1);
    frost_binding_factors(&ours, &p);
    p.group_key = &g.ys[0];
    frost_binding_factors(&other, &p);
    for (unsigned i = 0; i < 3; i++)
        assert_memory_not_equal(&ours.rho[i], &other.rho[i], 32);
}

static void empty_message_is_signed(void **state)
{
    (void)state;
    uint8_t sig[FROST_SIG_LEN];
    kit_round_start(&r, &g, 3);
    kit_sign_all(&r, NULL, 0);
    assert_ok(kit_aggregate(&r, sig, NULL, 0, NULL));
    assert_ok(frost_verify(sig, &g.key, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonce_is_spent_once),
        cmocka_unit_test(list_without_us_is_refused),
        cmocka_unit_test(altered_own_commitment_is_refused),
        cmocka_unit_test(unsorted_or_repeated_list_is_refused),
        cmocka_unit_test(identifier_over_the_order_is_refused),
        cmocka_unit_test(too_few_commitments_are_refused),
        cmocka_unit_test(threshold_below_two_is_refused),
        cmocka_unit_test(too_many_commitments_are_refused),
        cmocka_unit_test(bad_share_is_refused),
        cmocka_unit_test(repeated_randomness_is_refused),
        cmocka_unit_test(share_depends_on_the_whole_package),
        cmocka_unit_test(share_depends_on_the_group_key),
        cmocka_unit_test(empty_message_is_signed),
    };
    return cmocka_run_group_tests(tests, make_group, NULL);
}

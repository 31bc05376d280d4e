/* SPDX-License-Identifier: Apache-2.0 */
/* From shares to a signature: what verifies, and who is named when not. */
#include "kit.h"

#include "frost/inner.h"

static const uint8_t msg[3] = { 'm', 's', 'g' };
static const uint8_t msh[3] = { 'm', 's', 'h' };
static struct kit_group g;
static struct kit_round r;

static int make_group(void **state)
{
    kit_init(state);
    kit_group_make(&g, 3, 5);
    return 0;
}

static void signed_round(unsigned n)
{
    kit_round_start(&r, &g, n);
    kit_sign_all(&r, msg, 3);
}

static void signature_verifies_with_openssl(void **state)
{
    (void)state;
    uint8_t sig[FROST_SIG_LEN];
    for (unsigned n = g.t; n <= g.n; n++) {
        signed_round(n);
        assert_ok(kit_aggregate(&r, sig, msg, 3, NULL));
        assert_true(kit_openssl_verifies(sig, &g.key, msg, 3));
        assert_false(kit_openssl_verifies(sig, &g.key, msh, 3));
        assert_ok(frost_verify(sig, &g.key, msg, 3));
        assert_rc(frost_verify(sig, &g.key, msh, 3), RC_VERIFY);
    }
}

/* L, so that z + L is z in other bytes. */
static const uint8_t order[32] = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,        0xd6,
    0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10,
};

/* One kind of wrong share; the errors +-1 +-2 +-4 ... never cancel out. */
static void spoil(struct frost_scalar *z, unsigned kind, unsigned i)
{
    if (kind == 0)
        z->le[0] ^= (uint8_t)(1u << i);
    else if (kind == 1)
        memset(z->le, 0, 32);
    else if (kind == 2)
        memset(z->le, 0xff, 32);
    else if (kind == 3)
        z->le[31] |= 0x80; /* what libsodium would not see */
    else
        sodium_add(z->le, order, sizeof(order)); /* what the sum forgives */
}

/* Every pattern of cheating among five, by each kind of wrong share. */
static void aggregate_names_every_cheater(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 5; kind++)
        for (unsigned mask = 1; mask < 32; mask++) {
            uint8_t sig[FROST_SIG_LEN] = { 0 };
            struct frost_culprits named = { .n = 99 };
            unsigned at = 0;
            signed_round(5);
            for (unsigned i = 0; i < 5; i++)
                if (mask & 1u << i)
                    spoil(&r.shares[i].z, kind, i);
            assert_rc(kit_aggregate(&r, sig, msg, 3, &named), RC_CHEATER);
            assert_true(kit_all_zero(sig, sizeof(sig)));
            for (unsigned i = 0; i < 5; i++)
                if (mask & 1u << i)
                    assert_int_equal(frost_id_to_u16(&named.id[at++]), i + 1);
            assert_int_equal(named.n, at);
        }
}

/* Two errors that cancel in the sum make a good signature. */
static void errors_that_cancel_do_no_harm(void **state)
{
    (void)state;
    const struct frost_scalar one = { .le = { 1 } };
    uint8_t sig[FROST_SIG_LEN];
    struct frost_culprits named = { .n = 99 };
    signed_round(3);
    frost_scalar_add(&r.shares[0].z, &r.shares[0].z, &one);
    frost_scalar_sub(&r.shares[1].z, &r.shares[1].z, &one);
    assert_ok(kit_aggregate(&r, sig, msg, 3, &named));
    assert_int_equal(named.n, 0);
    assert_true(kit_openssl_verifies(sig, &g.key, msg, 3));
}

static void aggregate_never_returns_a_bad_signature(void **state)
{
    (void)state;
    uint8_t sig[FROST_SIG_LEN], before[FROST_SIG_LEN];
    memset(before, 0x77, sizeof(before));
    memcpy(sig, before, sizeof(sig));
    struct frost_culprits named = { .n = 99 };

    signed_round(3);
    struct frost_package p = kit_package(&r, msg, 3);
    r.shares[1].z.le[3] ^= 4;
    /* without the verifying shares there is nobody to name */
    assert_rc(frost_aggregate(sig, &p, r.shares, NULL, NULL, &named),
              RC_VERIFY);
    assert_int_equal(named.n, 0);
    /* names may be left out */
    assert_rc(kit_aggregate(&r, sig, msg, 3, NULL), RC_CHEATER);

    signed_round(3);
    assert_rc(kit_aggregate(&r, sig, "other", 5, NULL), RC_CHEATER);

    /* another group's key: all shares are wrong for it */
    static struct kit_group other;
    kit_group_make(&other, 2, 2);
    signed_round(3);
    p = kit_package(&r, msg, 3);
    p.group_key = &other.key;
    assert_rc(frost_aggregate(sig, &p, r.shares, r.ys, NULL, &named),
              RC_CHEATER);
    assert_int_equal(named.n, 3);

    /* two of a key that needs three, who agree to ignore that */
    kit_round_start(&r, &g, 2);
    p = kit_package(&r, msg, 3);
    for (unsigned i = 0; i < 2; i++)
        assert_ok(frost_sign(&r.shares[i].z, NULL, &r.nonces[i], &g.shares[i],
                             2, &p));
    assert_rc(kit_aggregate(&r, sig, msg, 3, &named), RC_VERIFY);
    assert_int_equal(named.n, 0);
    assert_memory_equal(sig, before, sizeof(sig));
}

static void shares_of_others_or_in_another_order_are_refused(void **state)
{
    (void)state;
    uint8_t sig[FROST_SIG_LEN];
    signed_round(3);
    struct frost_sig_share swap = r.shares[0];
    r.shares[0] = r.shares[1];
    r.shares[1] = swap;
    assert_rc(kit_aggregate(&r, sig, msg, 3, NULL), RC_ARG);
    signed_round(3);
    r.shares[2].id = g.ids[4];
    assert_rc(kit_aggregate(&r, sig, msg, 3, NULL), RC_ARG);
    signed_round(3);
    r.n = 1;
    assert_rc(kit_aggregate(&r, sig, msg, 3, NULL), RC_ARG);
}

static void bad_points_of_a_package_are_malformed(void **state)
{
    (void)state;
    uint8_t sig[FROST_SIG_LEN];
    struct frost_point order2 = { .b = { 0xec } };
    memset(order2.b + 1, 0xff, 30);
    order2.b[31] = 0x7f;
    for (unsigned i = 0; i < 5; i++) {
        signed_round(3);
        if (i == 0)
            kit_add(&r.list[1].hiding, &order2);
        else if (i == 1)
            kit_add(&r.list[1].binding, &order2);
        else if (i == 2)
            r.list[1].binding = frost_identity;
        else if (i == 3)
            r.list[1].hiding = frost_identity;
        else
            memset(&r.list[1].hiding, 0xff, 32);
        assert_rc(kit_aggregate(&r, sig, msg, 3, NULL), RC_PARSE);
    }
    signed_round(3);
    r.shares[0].z.le[0] ^= 1;
    r.ys[2] = frost_identity;
    assert_rc(kit_aggregate(&r, sig, msg, 3, NULL), RC_PARSE);
}

static void share_verifies_alone(void **state)
{
    (void)state;
    signed_round(4);
    const struct frost_package p = kit_package(&r, msg, 3);
    const struct frost_package p_h = kit_package(&r, msh, 3);
    for (unsigned i = 0; i < 4; i++) {
        struct frost_sig_share s = r.shares[i];
        assert_ok(frost_share_verify(&s, &r.ys[i], &p));
        assert_rc(frost_share_verify(&s, &r.ys[i], &p_h), RC_VERIFY);
        assert_rc(frost_share_verify(&s, &r.ys[(i + 1) % 4], &p), RC_VERIFY);
        s.id = g.ids[4];
        assert_rc(frost_share_verify(&s, &r.ys[i], &p), RC_ARG);
        s = r.shares[i];
        s.z.le[31] |= 0x80; /* what libsodium would not see */
        assert_rc(frost_share_verify(&s, &r.ys[i], &p), RC_PARSE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_verifies_with_openssl),
        cmocka_unit_test(aggregate_names_every_cheater),
        cmocka_unit_test(errors_that_cancel_do_no_harm),
        cmocka_unit_test(aggregate_never_returns_a_bad_signature),
        cmocka_unit_test(shares_of_others_or_in_another_order_are_refused),
        cmocka_unit_test(bad_points_of_a_package_are_malformed),
        cmocka_unit_test(share_verifies_alone),
    };
    return cmocka_run_group_tests(tests, make_group, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers, and the self test that opens the room. */
#include "kit.h"

#include "frost/inner.h"

static void self_test_can_run_again(void **state)
{
    (void)state;
    kit_init(state);
    kit_init(state);
}

static void zero_identifier_is_refused(void **state)
{
    (void)state;
    struct frost_id id, zero = { .le = { 0 } };
    const struct frost_scalar share = { .le = { 7 } };
    const struct frost_scalar untouched = { .le = { 9 } };
    struct frost_scalar out = untouched;
    static struct frost_poly secret;
    static struct frost_dealing dealing;
    struct frost_nonce nonce;
    uint8_t random[3][32];
    kit_randoms(random, 3);

    assert_rc(frost_id_from_u16(&id, 0), RC_ARG);
    assert_rc(frost_id_decode(&id, zero.le), RC_PARSE);
    assert_rc(frost_commit(&nonce, &kit_ready, &zero, &share, random[0],
                           random[1]),
              RC_ARG);
    assert_rc(frost_dkg_deal(&secret, &dealing, &kit_ready, &zero, 2,
                             (const uint8_t(*)[32])random),
              RC_ARG);
    assert_ok(frost_id_from_u16(&id, 1));
    assert_ok(frost_dkg_deal(&secret, &dealing, &kit_ready, &id, 2,
                             (const uint8_t(*)[32])random));
    /* f(0) would be the secret itself */
    assert_rc(frost_sub_share(&out, &secret, &zero), RC_ARG);
    assert_memory_equal(&out, &untouched, sizeof(out));
    assert_rc(frost_sub_share_check(&secret.coeff[0], &dealing, &zero), RC_ARG);
    assert_rc(frost_dkg_check(&dealing, &zero, 2), RC_ARG);
}

/* As ZF says since 2.0.0: neither in (test_encodings) nor out. */
static void identity_is_never_given_out(void **state)
{
    (void)state;
    const struct frost_scalar zero = { .le = { 0 } };
    struct frost_point before, y;
    memset(&before, 0x77, sizeof(before));
    y = before;
    assert_rc(frost_scalar_base(&y, &zero), RC_ARG);
    assert_memory_equal(&y, &before, sizeof(y));
    assert_rc(frost_point_decode(&y, frost_identity.b), RC_PARSE);
    assert_memory_equal(&y, &before, sizeof(y));
}

static void zero_identifier_in_a_list_is_refused(void **state)
{
    (void)state;
    static struct kit_group g;
    static struct kit_round r;
    kit_group_make(&g, 2, 3);
    kit_round_start(&r, &g, 3);
    memset(&r.list[0].id, 0, sizeof(r.list[0].id));
    assert_rc(kit_sign_one(&r, 1, "m", 1), RC_ARG);
}

static void numbers_become_identifiers_and_back(void **state)
{
    (void)state;
    static const uint16_t numbers[] = { 1, 2, 255, 256, 257, 65535 };
    struct frost_id id, before = { .le = { 0 } };
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        assert_ok(frost_id_from_u16(&id, numbers[i]));
        assert_int_equal(frost_id_to_u16(&id), numbers[i]);
        assert_true(frost_id_cmp(&before, &id) < 0);
        assert_true(frost_id_cmp(&id, &before) > 0);
        assert_int_equal(frost_id_cmp(&id, &id), 0);
        before = id;
    }
    id.le[2] = 1; /* 65536 and more */
    assert_int_equal(frost_id_to_u16(&id), 0);
}

/* 0x0100 is more than 0xff although its first byte is less. */
static void identifiers_compare_as_numbers(void **state)
{
    (void)state;
    struct frost_id a, b;
    assert_ok(frost_id_from_u16(&a, 0xff));
    assert_ok(frost_id_from_u16(&b, 0x100));
    assert_true(frost_id_cmp(&a, &b) < 0);
    memset(&a, 0xff, sizeof(a));
    memset(&b, 0, sizeof(b));
    a.le[31] = 0;
    b.le[31] = 1;
    assert_true(frost_id_cmp(&a, &b) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(self_test_can_run_again),
        cmocka_unit_test(zero_identifier_is_refused),
        cmocka_unit_test(identity_is_never_given_out),
        cmocka_unit_test(zero_identifier_in_a_list_is_refused),
        cmocka_unit_test(numbers_become_identifiers_and_back),
        cmocka_unit_test(identifiers_compare_as_numbers),
    };
    return cmocka_run_group_tests(tests, kit_init, NULL);
}

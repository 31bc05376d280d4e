/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splitting and joining in constant time, judged by memcheck as ct_frost is:
 * the secret, and each piece, is undefined memory here.
 */
#include "test.h"

#include <valgrind/memcheck.h>

#include "vault/piece.h"

#define SECRET(x) (void)VALGRIND_MAKE_MEM_UNDEFINED(&(x), sizeof(x))

/* A run that would see nothing fails. */
static bool tainted(const void *p, size_t len)
{
    uint8_t bits[64];
    assert_true(len <= sizeof(bits));
    assert_int_equal(VALGRIND_GET_VBITS(p, bits, len), 1);
    for (size_t i = 0; i < len; i++)
        if (bits[i])
            return true;
    return false;
}

static void splitting_and_joining_are_constant_time(void **state)
{
    (void)state;
    static const uint8_t session[32] = { 7 };
    static const uint16_t ids[] = { 2, 3, 5, 65535 };
    assert_true(RUNNING_ON_VALGRIND);
    for (uint16_t t = 2; t <= 5; t++) {
        struct frost_scalar secret;
        struct frost_scalar back;
        struct pieces p;
        assert_ok(vault_piece_secret(&secret));
        struct frost_scalar kept = secret;
        SECRET(secret);
        assert_true(tainted(&secret, sizeof(secret)));
        for (unsigned i = 0; i + 1 < t; i++) {
            vault_piece_at(&p.of[i], &secret, t, session, ids[i]);
            assert_true(tainted(&p.of[i], sizeof(p.of[i])));
        }
        assert_ok(vault_piece_sum(&back, &p, ids, t - 1u));
        assert_true(tainted(&back, sizeof(back)));
        (void)VALGRIND_MAKE_MEM_DEFINED(&back, sizeof(back));
        assert_memory_equal(back.le, kept.le, 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitting_and_joining_are_constant_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

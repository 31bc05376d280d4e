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

static void committing_and_signing_are_constant_time(void **state)
{
    (void)state;
    struct frost_nonce nonces[2];
    struct frost_commitment list[2];
    struct frost_sig_share shares[2];
    for (unsigned i = 0; i < 2; i++) {
        uint8_t random[2][32];
        struct frost_scalar share = g.shares[i];
        kit_randoms(random, 2);
        SECRET(random);
        SECRET(share);
        assert_ok(frost_commit(&nonces[i], &g.ids[i], &share, random[0],
                               random[1]));
        list[i] = nonces[i].commitment;
        shares[i].id = g.ids[i];
    }
    for (unsigned i = 0; i < 2; i++) {
        struct frost_scalar share = g.shares[i];
        SECRET(share);
        assert_ok(frost_sign(&shares[i].z, &nonces[i], &share, &g.key, 2, NULL,
                             0, list, 2));
        /* tainted to the end, and public from here on */
        assert_true(tainted(&shares[i].z, 32));
        PUBLIC(shares[i].z);
    }
    uint8_t sig[FROST_SIG_LEN];
    assert_ok(frost_aggregate(sig, &g.key, NULL, 0, list, shares, g.ys, NULL,
                              NULL, 2));
}

static void key_generation_is_constant_time(void **state)
{
    (void)state;
    static struct frost_dkg_secret secrets[3];
    static struct frost_dkg_package packages[3];
    struct frost_scalar subs[3], share;
    struct frost_point key, ys[3];
    for (unsigned i = 0; i < 3; i++) {
        uint8_t random[3][32];
        kit_randoms(random, 3);
        SECRET(random);
        assert_ok(frost_dkg_deal(&secrets[i], &packages[i], &g.ids[i], 2,
                                 (const uint8_t(*)[32])random));
        PUBLIC(packages[i].pok_z);
        assert_ok(frost_dkg_package_check(&packages[i], &g.ids[i], 2));
        assert_ok(frost_dkg_sub_share(&subs[i], &secrets[i], &g.ids[0]));
        uint8_t le[32];
        memcpy(le, subs[i].le, sizeof(le));
        assert_ok(frost_scalar_decode(&subs[i], le));
        assert_ok(frost_dkg_sub_share_check(&subs[i], &packages[i], &g.ids[0]));
    }
    assert_ok(frost_dkg_finish(&share, &key, ys, g.ids, packages, subs, 3, 0));
    assert_true(tainted(&share, 32));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checker_sees_secrets),
        cmocka_unit_test(committing_and_signing_are_constant_time),
        cmocka_unit_test(key_generation_is_constant_time),
    };
    return cmocka_run_group_tests(tests, make_group, NULL);
}

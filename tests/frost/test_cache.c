/* SPDX-License-Identifier: Apache-2.0 */
/* A cache changes no answer, whatever lies in it. */
#include "kit.h"

#include "frost/inner.h"

static struct kit_group g;
static struct kit_round r;
static struct frost_cache cache;

static int make_group(void **state)
{
    kit_init(state);
    kit_group_deal(&g, 3, 5);
    return 0;
}

static enum rc sign_with(struct frost_cache *with, unsigned i)
{
    struct frost_package p = kit_package(&r, "msg", 3);
    p.cache = with;
    return frost_sign(&r.shares[i].z, NULL, &r.nonces[i], &g.shares[r.who[i]],
                      g.t, &p);
}

/* The same nonces twice, which only a test may do. */
static void shares_are_the_same_with_and_without(void **state)
{
    (void)state;
    memset(&cache, 0, sizeof(cache));
    for (unsigned round = 0; round < 20; round++) {
        kit_round_start(&r, &g, 3 + round % 3);
        for (unsigned i = 0; i < r.n; i++) {
            const struct frost_nonce again = r.nonces[i];
            struct frost_scalar cold;
            assert_ok(sign_with(NULL, i));
            cold = r.shares[i].z;
            r.nonces[i] = again;
            assert_ok(sign_with(&cache, i)); /* fills it */
            assert_memory_equal(&r.shares[i].z, &cold, sizeof(cold));
            r.nonces[i] = again;
            assert_ok(sign_with(&cache, i)); /* uses it */
            assert_memory_equal(&r.shares[i].z, &cold, sizeof(cold));
        }
        uint8_t sig[FROST_SIG_LEN];
        assert_ok(kit_aggregate(&r, sig, "msg", 3, NULL));
    }
}

static void a_bad_point_never_enters(void **state)
{
    (void)state;
    struct frost_commitment bad;
    struct ge out;
    memset(&cache, 0, sizeof(cache));
    kit_round_start(&r, &g, 3);
    assert_ok(frost_commitment_check(&r.list[0], &cache));
    bad = r.list[1];
    bad.binding = frost_identity;
    for (unsigned i = 0; i < 3; i++)
        assert_rc(frost_commitment_check(&bad, &cache), RC_PARSE);
    /* an empty place holds zeros, which are the bytes of a point too */
    memset(&bad.hiding, 0, sizeof(bad.hiding));
    assert_true(frost_ge_decode_any(&out, &bad.hiding));
    assert_rc(frost_commitment_check(&bad, &cache), RC_PARSE);
    assert_rc(frost_commitment_check(&bad, NULL), RC_PARSE);
    /* in the place of a good one, with all bits but the sign the same */
    bad = r.list[0];
    bad.hiding.b[30] ^= 1;
    assert_int_equal(frost_commitment_check(&bad, &cache),
                     frost_commitment_check(&bad, NULL));
}

static void sets_and_signers_are_told_apart(void **state)
{
    (void)state;
    memset(&cache, 0, sizeof(cache));
    for (unsigned turn = 0; turn < 2; turn++)
        for (unsigned n = 2; n <= 5; n++)
            for (unsigned me = 0; me < n; me++) {
                struct frost_scalar cold, warm;
                frost_lagrange(&cold, g.ids, n, me, NULL);
                frost_cache_lagrange(&warm, g.ids, n, me, &cache);
                assert_memory_equal(&warm, &cold, sizeof(cold));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_the_same_with_and_without),
        cmocka_unit_test(a_bad_point_never_enters),
        cmocka_unit_test(sets_and_signers_are_told_apart),
    };
    return cmocka_run_group_tests(tests, make_group, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our arithmetic on public points against libsodium's, and the subgroup
 * against its definition, [L]P = 0. The fuzz target goes on where this ends.
 */
#include "kit.h"

#include "frost/inner.h"

/* p - 1, p, p + 1, ... as encodings of y, and both signs. */
static void edge(struct frost_point *out, unsigned i)
{
    memset(out, 0, sizeof(*out));
    if (i < 20) {
        out->b[0] = (uint8_t)i;
    } else {
        memset(out->b, 0xff, 31);
        out->b[31] = 0x7f;
        out->b[0] = (uint8_t)(0xed - 20 + (i - 20)); /* p - 20 .. p + 18 */
    }
}

static void decoding_agrees_at_the_edges_of_the_field(void **state)
{
    (void)state;
    unsigned good = 0;
    for (unsigned i = 0; i < 59; i++)
        for (unsigned sign = 0; sign < 2; sign++) {
            struct frost_point p, again;
            struct ge g;
            edge(&p, i);
            p.b[31] |= (uint8_t)(sign << 7);
            const bool ours = frost_ge_decode(&g, &p);
            assert_int_equal(ours, crypto_core_ed25519_is_valid_point(p.b));
            good += ours;
            if (!frost_ge_decode_any(&g, &p))
                continue;
            frost_ge_encode(&again, &g);
            assert_memory_equal(&again, &p, sizeof(p));
        }
    assert_true(good > 0);
}

/* 8 * (a point) + each of the eight points of small order. */
static void every_coset_of_the_subgroup_is_told_apart(void **state)
{
    (void)state;
    static const struct frost_point order8 = {
        .b = { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
               0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
               0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a }
    };
    for (unsigned i = 0; i < 500; i++) {
        struct frost_scalar s;
        struct frost_point p;
        struct ge g;
        kit_random(s.le, sizeof(s.le));
        s.le[31] &= 0x0f;
        assert_ok(frost_scalar_base(&p, &s));
        for (unsigned k = 0; k < 8; k++) {
            assert_int_equal(frost_ge_decode(&g, &p), k == 0);
            assert_int_equal(crypto_core_ed25519_is_valid_point(p.b), k == 0);
            assert_true(frost_ge_decode_any(&g, &p));
            kit_add(&p, &order8);
        }
        assert_true(frost_ge_decode(&g, &p)); /* once around */
    }
}

/* Any bytes: half of them are points, an eighth of those are of the group. */
static void random_bytes_are_judged_as_libsodium_judges_them(void **state)
{
    (void)state;
    unsigned on_curve = 0, in_group = 0;
    for (unsigned i = 0; i < 4000; i++) {
        struct frost_point p;
        struct ge g;
        kit_random(p.b, sizeof(p.b));
        on_curve += frost_ge_decode_any(&g, &p);
        const bool ours = frost_ge_decode(&g, &p);
        in_group += ours;
        assert_int_equal(ours, crypto_core_ed25519_is_valid_point(p.b));
    }
    assert_in_range(on_curve, 1800, 2200);
    assert_in_range(in_group, 150, 350);
}

static void sodium_sum(struct frost_point *out, const struct frost_scalar *s,
                       const struct frost_point *p, unsigned n)
{
    *out = frost_identity;
    for (unsigned i = 0; i < n; i++) {
        struct frost_point one = frost_identity;
        if (!sodium_is_zero(s[i].le, 32))
            assert_int_equal(
                    crypto_scalarmult_ed25519_noclamp(one.b, s[i].le, p[i].b),
                    0);
        kit_add(out, &one);
    }
}

/* Scalars with runs of ones and zeros, where a recoding goes wrong first. */
static void some_scalar(struct frost_scalar *s, unsigned kind)
{
    static const struct frost_scalar zero, one = { .le = { 1 } };
    memset(s, 0, sizeof(*s));
    if (kind == 0)
        return;
    if (kind == 1)
        frost_scalar_sub(s, &zero, &one); /* L - 1 */
    else if (kind == 2)
        memset(s->le, 0xff, 31);
    else if (kind == 3)
        s->le[15] = 0x10;
    else
        kit_random(s->le, 32);
    if (kind > 3)
        s->le[31] &= 0x0f;
}

static void sums_agree_with_libsodium(void **state)
{
    (void)state;
    static const unsigned sizes[] = { 0, 1, 2, 3, 5, 63, 64, 65, 128 };
    static struct frost_scalar s[128];
    static struct frost_point p[128];
    static struct ge g[128];
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct frost_point want, got;
        struct ge sum;
        for (unsigned k = 0; k < sizes[i]; k++) {
            some_scalar(&s[k], (i + k) % 6);
            crypto_core_ed25519_random(p[k].b);
            assert_true(frost_ge_decode(&g[k], &p[k]));
        }
        sodium_sum(&want, s, p, sizes[i]);
        frost_msm(&sum, s, g, sizes[i]);
        frost_ge_encode(&got, &sum);
        assert_memory_equal(&got, &want, sizeof(want));
    }
}

static void a_point_and_its_negative_cancel(void **state)
{
    (void)state;
    static const struct frost_scalar zero, one = { .le = { 1 } };
    struct frost_scalar s[2] = { one };
    struct ge g[2] = { frost_ge_base, frost_ge_base }, sum;
    frost_scalar_sub(&s[1], &zero, &one);
    frost_msm(&sum, s, g, 2);
    assert_true(frost_ge_is_identity(&sum));
    sum = ge_add(&sum, &frost_ge_base);
    assert_false(frost_ge_is_identity(&sum));
}

static void small_multiples_are_sums(void **state)
{
    (void)state;
    static const uint32_t factors[] = { 0,          1,         2,     3,
                                        255,        256,       65535, 65537,
                                        0x80000000, 0xffffffff };
    for (unsigned i = 0; i < sizeof(factors) / sizeof(*factors); i++) {
        struct frost_scalar s = { .le = { 0 } };
        struct frost_point want, got;
        for (unsigned k = 0; k < 4; k++)
            s.le[k] = (uint8_t)(factors[i] >> (8 * k));
        const struct ge p = frost_ge_mul_small(&frost_ge_base, factors[i]);
        frost_ge_encode(&got, &p);
        assert_true(frost_base_or_identity(&want, &s));
        assert_memory_equal(&got, &want, sizeof(want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_agrees_at_the_edges_of_the_field),
        cmocka_unit_test(every_coset_of_the_subgroup_is_told_apart),
        cmocka_unit_test(random_bytes_are_judged_as_libsodium_judges_them),
        cmocka_unit_test(sums_agree_with_libsodium),
        cmocka_unit_test(a_point_and_its_negative_cancel),
        cmocka_unit_test(small_multiples_are_sums),
    };
    return cmocka_run_group_tests(tests, kit_init, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The accept and reject lists of encodings.json, and what they rest on. */
#include "vectors.h"

#include "frost/inner.h"
#include "kit.h"

static bool flag(const json_t *row, const char *key)
{
    const json_t *v = vec_get(row, key);
    assert_true(json_is_boolean(v));
    return json_is_true(v);
}

static void elements_are_judged_as_listed(void **state)
{
    (void)state;
    json_t *root = vec_load("derived/encodings.json");
    size_t i;
    unsigned good = 0, bad = 0;
    json_t *row;
    json_array_foreach (vec_get(root, "elements"), i, row) {
        uint8_t b[32];
        struct frost_point p, zero = { .b = { 0 } };
        const bool valid = flag(row, "valid");
        memset(&p, 0, sizeof(p));
        vec_hex_of(row, "hex", b, sizeof(b));
        const enum rc rc = frost_point_decode(&p, b);
        if (rc != (valid ? RC_OK : RC_PARSE))
            fail_msg("element %zu (%s): %s", i, vec_str(row, "reason"),
                     rc_slug(rc));
        assert_memory_equal(p.b, valid ? b : zero.b, sizeof(b));
        valid ? good++ : bad++;
    }
    assert_int_equal(good, 5);
    assert_int_equal(bad, 25);
    json_decref(root);
}

static void scalars_are_judged_as_listed(void **state)
{
    (void)state;
    json_t *root = vec_load("derived/encodings.json");
    size_t i;
    json_t *row;
    json_array_foreach (vec_get(root, "scalars"), i, row) {
        uint8_t le[32];
        struct frost_scalar s;
        struct frost_id id;
        struct frost_point p;
        const bool scalar = flag(row, "valid_scalar");
        const bool ident = flag(row, "valid_identifier");
        vec_hex_of(row, "hex", le, sizeof(le));
        if (frost_scalar_decode(&s, le) != (scalar ? RC_OK : RC_PARSE))
            fail_msg("scalar %zu (%s)", i, vec_str(row, "reason"));
        if (frost_id_decode(&id, le) != (ident ? RC_OK : RC_PARSE))
            fail_msg("identifier %zu (%s)", i, vec_str(row, "reason"));
        /* bit 255, which libsodium ignores, must not slip through here */
        memcpy(s.le, le, sizeof(le));
        if (frost_scalar_base(&p, &s) != (ident ? RC_OK : RC_ARG))
            fail_msg("base %zu (%s)", i, vec_str(row, "reason"));
    }
    assert_int_equal(i, 13);
    json_decref(root);
}

/* Each bad element, in each place where a point can come in. */
static void torsion_points_are_refused(void **state)
{
    (void)state;
    json_t *root = vec_load("derived/encodings.json");
    static struct kit_group g;
    static struct kit_round r;
    static struct frost_poly secret;
    static struct frost_dealing dealing, bent;
    uint8_t random[3][32];
    kit_group_make(&g, 2, 3);
    kit_randoms(random, 3);
    assert_ok(frost_dkg_deal(&secret, &dealing, &kit_ready, &g.ids[0], 2,
                             (const uint8_t(*)[32])random));
    size_t i;
    json_t *row;
    json_array_foreach (vec_get(root, "elements"), i, row) {
        struct frost_point bad;
        if (flag(row, "valid"))
            continue;
        vec_hex_of(row, "hex", bad.b, sizeof(bad.b));
        print_message("%s\n", vec_str(row, "reason"));

        kit_round_start(&r, &g, 2);
        r.list[1].hiding = bad;
        assert_rc(kit_sign_one(&r, 0, "m", 1), RC_PARSE);
        kit_round_start(&r, &g, 2);
        r.list[1].binding = bad;
        assert_rc(kit_sign_one(&r, 0, "m", 1), RC_PARSE);

        for (unsigned k = 0; k < 2; k++) {
            bent = dealing;
            bent.commitment[k] = bad;
            assert_rc(frost_dkg_check(&bent, &g.ids[0], 2), RC_PARSE);
        }
        bent = dealing;
        bent.pok_r = bad;
        assert_rc(frost_dkg_check(&bent, &g.ids[0], 2), RC_PARSE);
    }
    json_decref(root);
}

/* The order's comparison, near L and at each byte. */
static void canonical_check_agrees_with_reduction(void **state)
{
    (void)state;
    struct frost_scalar top = { .le = { 0 } }; /* L - 1 = 0 - 1 */
    const struct frost_scalar zero = { .le = { 0 } };
    const struct frost_scalar one = { .le = { 1 } };
    frost_scalar_sub(&top, &zero, &one);
    assert_true(frost_scalar_is_canonical(top.le));
    for (unsigned i = 0; i < 256; i++) {
        struct frost_scalar s = top, reduced;
        uint8_t wide[64] = { 0 };
        s.le[i / 8] ^= (uint8_t)(1u << (i % 8));
        memcpy(wide, s.le, 32);
        frost_scalar_reduce(&reduced, wide);
        assert_int_equal(frost_scalar_is_canonical(s.le),
                         memcmp(reduced.le, s.le, 32) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_judged_as_listed),
        cmocka_unit_test(scalars_are_judged_as_listed),
        cmocka_unit_test(torsion_points_are_refused),
        cmocka_unit_test(canonical_check_agrees_with_reduction),
    };
    return cmocka_run_group_tests(tests, kit_init, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What frost_verify() accepts, on the published edge cases. The answer to
 * each of CCTV's questions is written down here, so that another libsodium
 * cannot change it unseen; docs/FROST.md says what it means.
 */
#include "vectors.h"

#include "frost/inner.h"
#include "kit.h"

static bool verifies(const json_t *row, const char *key, const char *sig,
                     const uint8_t *msg, size_t len)
{
    struct frost_point k;
    uint8_t s[FROST_SIG_LEN];
    vec_hex_of(row, key, k.b, 32);
    vec_hex_of(row, sig, s, sizeof(s));
    return frost_verify(s, &k, msg, len) == RC_OK;
}

static void wycheproof_is_judged_as_listed(void **state)
{
    (void)state;
    json_t *root = vec_load("ed25519-verify/wycheproof-ed25519_test.json");
    size_t g, i;
    unsigned n = 0;
    json_t *group, *row;
    json_array_foreach (vec_get(root, "testGroups"), g, group)
        json_array_foreach (vec_get(group, "tests"), i, row) {
            struct frost_point key;
            uint8_t sig[FROST_SIG_LEN] = { 0 };
            size_t sig_len, len;
            uint8_t *msg = vec_bytes(row, "msg", &len);
            uint8_t *raw = vec_bytes(row, "sig", &sig_len);
            vec_hex_of(vec_get(group, "publicKey"), "pk", key.b, 32);
            /* another length than 64 does not fit frost_verify()'s type */
            bool ok = sig_len == sizeof(sig);
            if (ok) {
                memcpy(sig, raw, sizeof(sig));
                ok = frost_verify(sig, &key, msg, len) == RC_OK;
            }
            if (ok != (strcmp(vec_str(row, "result"), "valid") == 0))
                fail_msg("Wycheproof %u: %s", vec_uint(row, "tcId"),
                         vec_str(row, "comment"));
            free(msg);
            free(raw);
            n++;
        }
    assert_int_equal(n, 151);
    json_decref(root);
}

static bool has_flag(const json_t *row, const char *flag)
{
    size_t i;
    json_t *v;
    json_array_foreach (json_object_get(row, "flags"), i, v)
        if (strcmp(json_string_value(v), flag) == 0)
            return true;
    return false;
}

/*
 * Cofactorless, so no residue of low order is forgiven; and neither A nor R
 * may be of low order or written in another way than the canonical one. A
 * component of low order beside a good one is let pass where it cancels.
 */
static bool accepted_by_rule(const json_t *row)
{
    return !has_flag(row, "low_order_R") && !has_flag(row, "low_order_A") &&
           !has_flag(row, "low_order_residue") &&
           !has_flag(row, "non_canonical_R") &&
           !has_flag(row, "non_canonical_A") && !has_flag(row, "reencoded_k");
}

static void cctv_is_judged_by_the_stated_rule(void **state)
{
    (void)state;
    json_t *root = vec_load("ed25519-verify/cctv-ed25519vectors.json");
    size_t i;
    unsigned accepted = 0;
    json_t *row;
    json_array_foreach (root, i, row) {
        const char *msg = vec_str(row, "msg");
        const bool ok = verifies(row, "key", "sig", (const uint8_t *)msg,
                                 strlen(msg));
        accepted += ok;
        if (ok != accepted_by_rule(row))
            fail_msg("CCTV %u: %s", vec_uint(row, "number"),
                     ok ? "accepted" : "refused");
    }
    assert_int_equal(i, 914);
    assert_int_equal(accepted, 43);
    json_decref(root);
}

/* "Taming the many EdDSAs": of twelve only number 3, as libsodium's row. */
static void speccheck_is_judged_as_the_paper_says_of_libsodium(void **state)
{
    (void)state;
    json_t *root = vec_load("ed25519-verify/speccheck-cases.json");
    size_t i;
    json_t *row;
    json_array_foreach (root, i, row) {
        size_t len;
        uint8_t *msg = vec_bytes(row, "message", &len);
        assert_int_equal(verifies(row, "pub_key", "signature", msg, len),
                         i == 3);
        free(msg);
    }
    assert_int_equal(i, 12);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wycheproof_is_judged_as_listed),
        cmocka_unit_test(cctv_is_judged_by_the_stated_rule),
        cmocka_unit_test(speccheck_is_judged_as_the_paper_says_of_libsodium),
    };
    return cmocka_run_group_tests(tests, kit_init, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other implementations published besides signing and DKG vectors, as
 * far as it is about the same values: ZF frost-core's samples, encodings and
 * repair sums, and the public mathematics of COCKTAIL-DKG, whose channels and
 * transcripts are its own.
 */
#include "vectors.h"

#include "frost/inner.h"
#include "kit.h"

/* ---- ZF frost-core ---------------------------------------------------------- */

static void zf_samples_decode(void **state)
{
    (void)state;
    json_t *root = vec_load("zf/samples.json");
    json_t *bad = vec_load("zf/elements.json");
    struct frost_point p;
    struct frost_scalar s;
    struct frost_id id;
    uint8_t b[64];
    vec_hex_of(root, "identifier", b, 32);
    assert_ok(frost_id_decode(&id, b));
    assert_int_equal(frost_id_to_u16(&id), 42);
    vec_hex_of(root, "element1", b, 32);
    assert_ok(frost_point_decode(&p, b));
    vec_hex_of(root, "element2", b, 32);
    assert_ok(frost_point_decode(&p, b));
    vec_hex_of(root, "scalar1", b, 32);
    assert_ok(frost_scalar_decode(&s, b));
    vec_hex_of(root, "proof_of_knowledge", b, 64);
    assert_ok(frost_point_decode(&p, b));
    assert_ok(frost_scalar_decode(&s, b + 32));
    /* 31 bytes and a half are none, so the file's element is padded there */
    const char *hex = vec_str(vec_get(bad, "elements"), "invalid_element");
    size_t len = strlen(hex) / 2;
    assert_true(len <= 32);
    memset(b, 0, sizeof(b));
    vec_hex(vec_get(vec_get(bad, "elements"), "invalid_element"), b, len);
    assert_rc(frost_point_decode(&p, b), RC_PARSE);
    json_decref(root);
    json_decref(bad);
}

/* 00 || CRC-32 of the suite's name: what stands before ZF's encodings. */
#define HEADER 5

/* The values inside, in order: i identifier, p point, s scalar, - a byte. */
static void snapshot(const json_t *root, const char *name, bool header,
                     const char *parts)
{
    size_t len;
    uint8_t *raw = vec_bytes(root, name, &len);
    const uint8_t *at = raw + (header ? HEADER : 0);
    if (header)
        assert_memory_equal(raw, "\x00\xb1\x69\xf0\xda", HEADER);
    for (const char *c = parts; *c; c++) {
        struct frost_id id;
        struct frost_point p;
        struct frost_scalar s;
        if (*c == '-') {
            at++;
            continue;
        }
        if (*c == 'i')
            assert_ok(frost_id_decode(&id, at));
        else if (*c == 'p')
            assert_ok(frost_point_decode(&p, at));
        else
            assert_ok(frost_scalar_decode(&s, at));
        at += 32;
    }
    if (at != raw + len)
        fail_msg("%s: %zu bytes, read %td", name, len, at - raw);
    free(raw);
}

static void zf_encodings_hold_our_values(void **state)
{
    (void)state;
    json_t *root = vec_load("zf/serialization-snapshots.json");
    snapshot(root, "key_package", true, "ispp-");
    snapshot(root, "public_key_package", true, "-ipp");
    snapshot(root, "public_key_package_new", true, "-ipp--");
    snapshot(root, "round1_package", true, "-p-ps");
    snapshot(root, "round1_secret_package", false, "i-ss-p--");
    snapshot(root, "round2_package", true, "s");
    snapshot(root, "round2_secret_package", false, "i-ps--");
    snapshot(root, "secret_share", true, "is-p");
    snapshot(root, "signature_share", false, "s");
    snapshot(root, "signing_commitments", true, "pp");
    snapshot(root, "signing_package", true, "-i-----pp------------");
    snapshot(root, "signing_nonces", true, "ss-----pp");
    json_decref(root);
}

static void zf_repair_sums_are_reproduced(void **state)
{
    (void)state;
    json_t *root = vec_load("zf/repair-share.json");
    const json_t *random = vec_get(root, "scalar_generation");
    const json_t *sigmas = vec_get(root, "sigma_generation");
    struct frost_scalar part[4], sum;
    char name[32];
    for (unsigned i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "random_scalar_%u", i + 1);
        vec_hex_of(random, name, part[i].le, 32);
    }
    assert_ok(frost_repair_sigma(&sum, part, 3));
    assert_vec(random, "random_scalar_sum", sum.le, 32);
    for (unsigned i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "sigma_%u", i + 1);
        vec_hex_of(sigmas, name, part[i].le, 32);
    }
    assert_ok(frost_repair_sigma(&sum, part, 4));
    assert_vec(sigmas, "sigma_sum", sum.le, 32);
    json_decref(root);
}

/* ---- COCKTAIL-DKG ------------------------------------------------------------ */

/* z*B = R + c*C0, with COCKTAIL's own challenge. */
static void check_pop(const json_t *row, const struct frost_dealing *d)
{
    const json_t *how = vec_get(row, "pop_intermediate");
    uint8_t pop[64], digest[HASH512_LEN];
    size_t len;
    uint8_t *input = vec_bytes(how, "challenge_input", &len);
    struct frost_scalar c, z;
    struct frost_point r, zb;
    struct ge c0, rp, sum;
    hash512(digest, input, len);
    frost_scalar_reduce(&c, digest);
    assert_vec(how, "challenge", c.le, 32);
    vec_hex_of(row, "pop", pop, sizeof(pop));
    assert_ok(frost_point_decode(&r, pop));
    assert_ok(frost_scalar_decode(&z, pop + 32));
    assert_true(frost_ge_decode(&c0, &d->commitment[0]));
    assert_true(frost_ge_decode(&rp, &r));
    frost_msm(&sum, &c, &c0, 1);
    sum = ge_add(&sum, &rp);
    frost_ge_encode(&r, &sum);
    assert_ok(frost_scalar_base(&zb, &z));
    assert_memory_equal(&zb, &r, sizeof(r));
    free(input);
}

static void read_dealing(struct frost_dealing *d, const json_t *row)
{
    size_t k;
    json_t *v;
    memset(d, 0, sizeof(*d));
    json_array_foreach (vec_get(row, "vss_commitment"), k, v) {
        struct frost_point p;
        uint8_t b[32];
        vec_hex(v, b, sizeof(b));
        assert_ok(frost_point_decode(&p, b));
        d->commitment[k] = p;
    }
    d->t = (unsigned)k;
}

static void cocktail_case(const json_t *in)
{
    static struct frost_dealing dealings[16];
    struct frost_id ids[16];
    struct frost_point ys[16], key, at;
    struct ge sum[16], f;
    const unsigned n = vec_uint(in, "n"), t = vec_uint(in, "t");
    size_t i;
    json_t *row;
    assert_true(n <= 16);
    json_array_foreach (vec_get(in, "round1"), i, row) {
        ids[i] = vec_id(vec_get(row, "participant_id"));
        read_dealing(&dealings[i], row);
        assert_int_equal(dealings[i].t, t);
        check_pop(row, &dealings[i]);
    }
    assert_int_equal(i, n);
    const struct frost_dealt dealt = { n, ids, dealings, NULL };
    assert_ok(frost_dealt_sum(sum, &dealt));
    frost_ge_encode(&key, &sum[0]);
    assert_vec(in, "group_public_key", key.b, 32);
    json_array_foreach (vec_get(in, "round2"), i, row) {
        struct frost_scalar share;
        vec_hex_of(row, "secret_share", share.le, 32);
        assert_ok(frost_scalar_base(&ys[i], &share));
        assert_vec(row, "verification_share", ys[i].b, 32);
        frost_points_at(&f, sum, t, &ids[i]);
        frost_ge_encode(&at, &f);
        assert_memory_equal(&at, &ys[i], sizeof(at));
    }
    const struct frost_group group = { t, n, ids, ys, &key };
    assert_ok(frost_group_check(&group));
    const json_t *back = json_object_get(in, "recovery");
    if (!back)
        return;
    const struct frost_id who = vec_id(vec_get(back, "participant_id"));
    assert_vec(back, "recovered_verification_share",
               ys[frost_ids_find(ids, n, &who)].b, 32);
}

static void cocktail_keys_are_consistent(void **state)
{
    (void)state;
    json_t *root = vec_load("dkg-cocktail/cocktail-dkg-ed25519-sha512.json");
    size_t i;
    json_t *row;
    json_array_foreach (vec_get(root, "vectors"), i, row)
        cocktail_case(row);
    assert_int_equal(i, 4);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zf_samples_decode),
        cmocka_unit_test(zf_encodings_hold_our_values),
        cmocka_unit_test(zf_repair_sums_are_reproduced),
        cmocka_unit_test(cocktail_keys_are_consistent),
    };
    return cmocka_run_group_tests(tests, kit_init, NULL);
}

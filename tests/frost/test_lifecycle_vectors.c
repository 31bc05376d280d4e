/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refresh, reshare, repair and enrolment against values computed with
 * noble-curves: each polynomial, sub-share and result, and a signature with
 * the shares that came out.
 */
#include "vectors.h"

#include "frost/inner.h"
#include "kit.h"

static json_t *file;
static struct kit_group base; /* the group all of them start from */

/* Identifiers, shares and verifying shares of an array. */
static void read_group(struct kit_group *g, const json_t *rows, unsigned t,
                       const char *share, const char *y)
{
    size_t i;
    json_t *row;
    memset(g, 0, sizeof(*g));
    g->t = t;
    g->n = (unsigned)json_array_size(rows);
    g->key = base.key;
    json_array_foreach (rows, i, row) {
        g->ids[i] = vec_id(vec_get(row, "identifier"));
        vec_hex_of(row, share, g->shares[i].le, 32);
        vec_hex_of(row, y, g->ys[i].b, 32);
    }
}

static int load(void **state)
{
    kit_init(state);
    /* without the test data each test says that it is skipped */
    if (access(MPC_SOURCE_DIR "/../shared/testdata", R_OK) != 0 &&
        !getenv("MPC_TESTDATA"))
        return 0;
    file = vec_load("derived/lifecycle-vectors.json");
    const json_t *in = vec_get(file, "base");
    vec_hex_of(in, "group_public_key", base.key.b, 32);
    const struct frost_point key = base.key;
    read_group(&base, vec_get(in, "shares"), vec_uint(in, "min_signers"),
               "signing_share", "verifying_share");
    base.key = key;
    const struct frost_group group = kit_public(&base);
    assert_ok(frost_group_check(&group));
    return 0;
}

static int unload(void **state)
{
    (void)state;
    json_decref(file);
    return 0;
}

/* The session of a case, with the randomness it gives. */
static void sign_session(const struct kit_group *g, const json_t *session)
{
    static struct kit_round r;
    uint8_t sig[FROST_SIG_LEN], rand_d[32], rand_e[32];
    size_t i, len;
    json_t *row;
    uint8_t *msg = vec_bytes(session, "message", &len);
    memset(&r, 0, sizeof(r));
    r.group = g;
    json_array_foreach (vec_get(session, "participants"), i, row) {
        const struct frost_id id = vec_id(vec_get(row, "identifier"));
        r.who[i] = frost_ids_find(g->ids, g->n, &id);
        assert_true(r.who[i] < g->n);
        vec_hex_of(row, "hiding_nonce_randomness", rand_d, 32);
        vec_hex_of(row, "binding_nonce_randomness", rand_e, 32);
        assert_ok(frost_commit(&r.nonces[i], &kit_ready, &id,
                               &g->shares[r.who[i]], rand_d, rand_e));
        r.list[i] = r.nonces[i].commitment;
        r.shares[i].id = id;
        r.ys[i] = g->ys[r.who[i]];
        r.n++;
    }
    kit_sign_all(&r, msg, len);
    json_array_foreach (vec_get(session, "participants"), i, row)
        assert_vec(row, "sig_share", r.shares[i].z.le, 32);
    assert_ok(kit_aggregate(&r, sig, msg, len, NULL));
    assert_vec(session, "sig", sig, sizeof(sig));
    free(msg);
}

/* ---- dealings ------------------------------------------------------------ */

static struct frost_poly polys[8];
static struct frost_dealing dealings[8];
static struct frost_id dealers[8];
static unsigned n_dealers;

static struct frost_dealt dealt_to(struct frost_scalar *subs,
                                   const struct frost_id *to)
{
    for (unsigned i = 0; i < n_dealers; i++) {
        assert_ok(frost_sub_share(&subs[i], &polys[i], to));
        assert_ok(frost_sub_share_check(&subs[i], &dealings[i], to));
    }
    return (struct frost_dealt){ n_dealers, dealers, dealings, subs };
}

/* Coefficients from `first` on are canonical, so they serve as randomness. */
static void read_random(uint8_t (*random)[32], const json_t *coeffs,
                        unsigned first)
{
    for (size_t k = first; k < json_array_size(coeffs); k++)
        vec_hex(json_array_get(coeffs, k), random[k - first], 32);
}

static void assert_commitments(const struct frost_dealing *d, unsigned first,
                               const json_t *want)
{
    size_t k;
    json_t *v;
    assert_int_equal(json_array_size(want), d->t - first);
    json_array_foreach (want, k, v) {
        uint8_t b[32];
        vec_hex(v, b, sizeof(b));
        assert_memory_equal(d->commitment[k + first].b, b, sizeof(b));
    }
}

static void deal_zero(const json_t *row)
{
    uint8_t random[8][32];
    struct frost_dealing *d = &dealings[n_dealers];
    read_random(random, vec_get(row, "zero_polynomial"), 1);
    assert_ok(frost_refresh_deal(&polys[n_dealers], d, &kit_ready, base.t,
                                 (const uint8_t(*)[32])random));
    assert_commitments(d, 1, vec_get(row, "commitment_without_identity"));
    assert_ok(frost_refresh_check(d, &dealers[n_dealers], base.t));
    n_dealers++;
}

static void refresh_by_a_dealer_is_reproduced(void **state)
{
    (void)state;
    static struct kit_group want;
    testdata();
    const json_t *in = vec_get(file, "refresh_dealer");
    read_group(&want, vec_get(in, "shares"), base.t, "new_signing_share",
               "new_verifying_share");
    n_dealers = 0;
    dealers[0] = base.ids[0]; /* whoever it was */
    deal_zero(in);
    /* our own refresh has no dealer: the sums are made by hand */
    for (unsigned i = 0; i < base.n; i++) {
        struct frost_scalar sub;
        struct frost_point y;
        (void)dealt_to(&sub, &base.ids[i]);
        assert_vec(json_array_get(vec_get(in, "shares"), i), "refreshing_share",
                   sub.le, 32);
        frost_scalar_add(&sub, &sub, &base.shares[i]);
        assert_memory_equal(&sub, &want.shares[i], sizeof(sub));
        assert_ok(frost_scalar_base(&y, &sub));
        assert_memory_equal(&y, &want.ys[i], sizeof(y));
    }
    sign_session(&want, vec_get(in, "session"));
}

static void refresh_by_all_is_reproduced(void **state)
{
    (void)state;
    static struct kit_group want;
    size_t i;
    json_t *row;
    testdata();
    const json_t *in = vec_get(file, "refresh_distributed");
    read_group(&want, vec_get(in, "participants"), base.t, "new_signing_share",
               "new_verifying_share");
    n_dealers = 0;
    json_array_foreach (vec_get(in, "participants"), i, row) {
        dealers[i] = vec_id(vec_get(row, "identifier"));
        deal_zero(row);
    }
    const struct frost_group old = kit_public(&base);
    for (unsigned me = 0; me < base.n; me++) {
        struct frost_scalar subs[8], share;
        struct frost_point ys[8];
        const struct frost_dealt dealt = dealt_to(subs, &base.ids[me]);
        assert_ok(frost_refresh_finish(&share, ys, &old, &base.shares[me],
                                       &dealt, &dealings[me], me, NULL));
        assert_memory_equal(&share, &want.shares[me], sizeof(share));
        assert_memory_equal(ys, want.ys, base.n * sizeof(*ys));
    }
    sign_session(&want, vec_get(in, "session"));
}

/* ---- reshare -------------------------------------------------------------- */

static void deal_part(const json_t *row, const struct frost_group *old,
                      const struct frost_id *quorum, unsigned n, unsigned me,
                      unsigned new_t)
{
    uint8_t random[8][32];
    const unsigned at = frost_ids_find(base.ids, base.n, &quorum[me]);
    struct frost_scalar lambda;
    frost_lagrange(&lambda, quorum, n, me, NULL);
    assert_vec(row, "lagrange", lambda.le, 32);
    read_random(random, vec_get(row, "polynomial"), 1);
    assert_ok(frost_reshare_deal(&polys[me], &dealings[me], &kit_ready, old,
                                 quorum, n, me, &base.shares[at], new_t,
                                 (const uint8_t(*)[32])random));
    assert_commitments(&dealings[me], 0, vec_get(row, "vss_commitment"));
    assert_ok(frost_reshare_check(&dealings[me], old, quorum, n, me, new_t));

    const char *to;
    json_t *v;
    json_object_foreach (vec_get(row, "subshares"), to, v) {
        json_t *name = json_string(to);
        const struct frost_id id = vec_id(name);
        struct frost_scalar sub;
        uint8_t sent[32];
        vec_hex(v, sent, sizeof(sent));
        assert_ok(frost_sub_share(&sub, &polys[me], &id));
        assert_memory_equal(sub.le, sent, sizeof(sent));
        json_decref(name);
    }
}

static void reshare_case(const json_t *in)
{
    static struct kit_group want;
    const struct frost_group old = kit_public(&base);
    const unsigned new_t = vec_uint(in, "new_min_signers");
    size_t i;
    json_t *v;
    read_group(&want, vec_get(in, "shares"), new_t, "signing_share",
               "verifying_share");
    json_array_foreach (vec_get(in, "old_quorum"), i, v)
        dealers[i] = vec_id(v);
    n_dealers = (unsigned)i;
    json_array_foreach (vec_get(in, "dealers"), i, v)
        deal_part(v, &old, dealers, n_dealers, (unsigned)i, new_t);
    for (unsigned me = 0; me < want.n; me++) {
        struct frost_scalar subs[8], share;
        struct frost_point ys[8];
        const struct frost_dealt dealt = dealt_to(subs, &want.ids[me]);
        const unsigned at = frost_ids_find(dealers, n_dealers, &want.ids[me]);
        assert_ok(frost_reshare_finish(
                &share, ys, &old, new_t, want.ids, want.n, me, &dealt,
                at < n_dealers ? &dealings[at] : NULL, NULL));
        assert_memory_equal(&share, &want.shares[me], sizeof(share));
        assert_memory_equal(ys, want.ys, want.n * sizeof(*ys));
    }
    const struct frost_group fresh = kit_public(&want);
    assert_ok(frost_group_check(&fresh));
    assert_vec(in, "group_public_key", base.key.b, 32);
    sign_session(&want, vec_get(in, "session"));
}

static void reshares_are_reproduced(void **state)
{
    (void)state;
    size_t i;
    json_t *row;
    testdata();
    json_array_foreach (vec_get(file, "reshare"), i, row)
        reshare_case(row);
    assert_int_equal(i, 3);
}

/* ---- repair and enrolment -------------------------------------------------- */

/* Member `id`, in hex, of an object whose names are identifiers. */
static const json_t *by_id(const json_t *object, const struct frost_id *id)
{
    char hex[65];
    sodium_bin2hex(hex, sizeof(hex), id->le, sizeof(id->le));
    return vec_get(object, hex);
}

static void repair_case(const char *name, bool enrol)
{
    const json_t *in = vec_get(file, name);
    const struct frost_group group = kit_public(&base);
    const struct frost_id target = vec_id(vec_get(in, "target"));
    struct frost_id helpers[8];
    struct frost_scalar delta[8][8], got[8], sigma[8], share;
    struct frost_point y;
    unsigned n = 0;
    size_t k;
    json_t *v;
    json_array_foreach (vec_get(in, "helpers"), k, v)
        helpers[n++] = vec_id(v);
    for (unsigned i = 0; i < n; i++) {
        const json_t *sent = by_id(vec_get(in, "deltas_sent"), &helpers[i]);
        const unsigned at = frost_ids_find(base.ids, base.n, &helpers[i]);
        struct frost_scalar zeta;
        uint8_t random[8][32], want[32];
        frost_lagrange(&zeta, helpers, n, i, &target);
        vec_hex(by_id(vec_get(in, "zeta"), &helpers[i]), want, 32);
        assert_memory_equal(zeta.le, want, 32);
        for (unsigned j = 0; j < n; j++)
            vec_hex(by_id(sent, &helpers[j]), random[j], 32);
        assert_ok(frost_repair_delta(delta[i], &kit_ready, &group, helpers, n,
                                     i, &base.shares[at], &target,
                                     (const uint8_t(*)[32])random));
        /* the last one is what makes the sum right */
        assert_memory_equal(delta[i], random, n * 32);
    }
    for (unsigned j = 0; j < n; j++) {
        uint8_t want[32];
        for (unsigned i = 0; i < n; i++)
            got[i] = delta[i][j];
        assert_ok(frost_repair_sigma(&sigma[j], got, n));
        vec_hex(by_id(vec_get(in, "sigmas"), &helpers[j]), want, 32);
        assert_memory_equal(sigma[j].le, want, 32);
    }
    if (enrol) {
        assert_ok(frost_enrol_finish(&share, &y, &group, &target, sigma, n));
        assert_vec(in, "verifying_share", y.b, 32);
    } else {
        assert_ok(frost_repair_finish(&share, &group, &target, sigma, n));
    }
    assert_vec(in, "share", share.le, 32);
}

static void repairs_are_reproduced(void **state)
{
    (void)state;
    testdata();
    repair_case("repair", false);
    repair_case("repair_extra_helper", false);
}

static void enrolment_is_reproduced(void **state)
{
    (void)state;
    testdata();
    repair_case("enrol", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refresh_by_a_dealer_is_reproduced),
        cmocka_unit_test(refresh_by_all_is_reproduced),
        cmocka_unit_test(reshares_are_reproduced),
        cmocka_unit_test(repairs_are_reproduced),
        cmocka_unit_test(enrolment_is_reproduced),
    };
    return cmocka_run_group_tests(tests, load, unload);
}

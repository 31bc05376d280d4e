/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key generation transcripts of ZF frost-core and noble-curves. Both say
 * which coefficients each dealer drew; the proof's nonce follows from its
 * answer, so our dealer is held to the whole dealing, byte for byte.
 */
#include "vectors.h"

#include "frost/inner.h"
#include "kit.h"

struct ceremony {
    unsigned t, n;
    struct frost_id ids[KIT_MAX];
    struct frost_poly polys[KIT_MAX];
    struct frost_dealing dealings[KIT_MAX];
    struct frost_scalar shares[KIT_MAX];
    struct frost_point ys[KIT_MAX];
    struct frost_point key;
};
static struct ceremony c;

static void read_dealing(struct frost_dealing *p, const json_t *row,
                         const char *commitments)
{
    uint8_t pok[64];
    size_t k;
    json_t *v;
    memset(p, 0, sizeof(*p));
    json_array_foreach (vec_get(row, commitments), k, v) {
        assert_true(k < c.t);
        vec_hex(v, p->commitment[k].b, 32);
    }
    p->t = (unsigned)k;
    vec_hex_of(row, "proof_of_knowledge", pok, sizeof(pok));
    memcpy(p->pok_r.b, pok, 32);
    memcpy(p->pok_z.le, pok + 32, 32);
}

/*
 * Deal again: the commitments must come out the same. Our proof's nonce is
 * hedged, so theirs is made by itself, with k = mu - c*a0.
 */
static void deal_again(unsigned i, const uint8_t (*coeff)[32],
                       const struct frost_dealing *want)
{
    uint8_t random[KIT_MAX + 1][32];
    struct frost_scalar a0, k, challenge;
    memcpy(random, coeff, c.t * sizeof(*coeff));
    memcpy(a0.le, coeff[0], 32);
    frost_hdkg(&challenge, &c.ids[i], &want->commitment[0], &want->pok_r);
    frost_scalar_mul(&k, &challenge, &a0);
    frost_scalar_sub(&k, &want->pok_z, &k);
    kit_random(random[c.t], 32);
    assert_ok(frost_dkg_deal(&c.polys[i], &c.dealings[i], &kit_ready, &c.ids[i],
                             c.t, (const uint8_t(*)[32])random));
    assert_ok(frost_dkg_check(&c.dealings[i], &c.ids[i], c.t));
    assert_ok(frost_dkg_prove(&c.dealings[i], &c.polys[i], &c.ids[i], &k));
    assert_memory_equal(&c.dealings[i], want, sizeof(*want));
    assert_ok(frost_dkg_check(want, &c.ids[i], c.t));
}

static void finish_all(void)
{
    for (unsigned me = 0; me < c.n; me++) {
        struct frost_scalar subs[KIT_MAX], share;
        struct frost_point key, ys[KIT_MAX];
        for (unsigned i = 0; i < c.n; i++) {
            assert_ok(frost_sub_share(&subs[i], &c.polys[i], &c.ids[me]));
            assert_ok(frost_sub_share_check(&subs[i], &c.dealings[i],
                                            &c.ids[me]));
        }
        const struct frost_dealt dealt = { c.n, c.ids, c.dealings, subs };
        assert_ok(frost_dkg_finish(&share, &key, ys, &dealt, &c.dealings[me],
                                   me, NULL));
        assert_memory_equal(&share, &c.shares[me], sizeof(share));
        assert_memory_equal(&key, &c.key, sizeof(key));
        assert_memory_equal(ys, c.ys, c.n * sizeof(*ys));
    }
}

static void zf_dkg_is_reproduced(void **state)
{
    (void)state;
    json_t *root = vec_load("zf/vectors_dkg.json");
    const json_t *in = vec_get(root, "inputs");
    memset(&c, 0, sizeof(c));
    c.t = vec_uint(vec_get(root, "config"), "MIN_PARTICIPANTS");
    c.n = vec_uint(vec_get(root, "config"), "MAX_PARTICIPANTS");
    assert_int_equal(c.t, 2);
    assert_int_equal(c.n, 3);
    vec_hex_of(in, "verifying_key", c.key.b, 32);
    static const char *const names[3] = { "1", "2", "3" };
    for (unsigned i = 0; i < c.n; i++) {
        const json_t *row = vec_get(in, names[i]);
        static struct frost_dealing want;
        uint8_t coeff[2][32];
        c.ids[i] = vec_id(vec_get(row, "identifier"));
        read_dealing(&want, row, "vss_commitments");
        vec_hex_of(row, "signing_key", coeff[0], 32);
        vec_hex_of(row, "coefficient", coeff[1], 32);
        deal_again(i, (const uint8_t(*)[32])coeff, &want);
        vec_hex_of(row, "signing_share", c.shares[i].le, 32);
        vec_hex_of(row, "verifying_share", c.ys[i].b, 32);
    }
    /* the file lists what each *received*, by sender */
    for (unsigned to = 0; to < c.n; to++)
        for (unsigned from = 0; from < c.n; from++) {
            struct frost_scalar sub;
            assert_ok(frost_sub_share(&sub, &c.polys[from], &c.ids[to]));
            if (from != to)
                assert_vec(vec_get(vec_get(in, names[to]), "signing_shares"),
                           names[from], sub.le, 32);
        }
    finish_all();
    json_decref(root);
}

/* ---- noble-curves ---------------------------------------------------- */

static void read_participant(const json_t *row, unsigned i)
{
    static struct frost_dealing want;
    uint8_t coeff[KIT_MAX][32];
    size_t k;
    json_t *v;
    c.ids[i] = vec_id(vec_get(row, "identifier"));
    read_dealing(&want, row, "vss_commitment");
    json_array_foreach (vec_get(row, "coefficients"), k, v) {
        assert_true(k < c.t);
        vec_hex(v, coeff[k], 32);
    }
    deal_again(i, (const uint8_t(*)[32])coeff, &want);
    vec_hex_of(row, "signing_share", c.shares[i].le, 32);
    vec_hex_of(row, "verifying_share", c.ys[i].b, 32);

    const char *to;
    unsigned n_sent = 0;
    json_object_foreach (vec_get(row, "round2_shares_sent"), to, v) {
        json_t *name = json_string(to);
        const struct frost_id id = vec_id(name);
        struct frost_scalar sub;
        uint8_t sent[32];
        vec_hex(v, sent, sizeof(sent));
        assert_ok(frost_sub_share(&sub, &c.polys[i], &id));
        assert_memory_equal(sub.le, sent, sizeof(sent));
        json_decref(name);
        n_sent++;
    }
    assert_int_equal(n_sent, c.n - 1);
}

/* The session signed with the fresh key. */
static void sign_session(const json_t *session)
{
    struct frost_nonce nonces[KIT_MAX];
    struct frost_commitment list[KIT_MAX];
    struct frost_sig_share shares[KIT_MAX];
    unsigned who[KIT_MAX], n = 0;
    uint8_t rand_d[32], rand_e[32], sig[FROST_SIG_LEN];
    size_t msg_len, j;
    uint8_t *msg = vec_bytes(session, "message", &msg_len);
    json_t *row;
    json_array_foreach (vec_get(session, "participants"), j, row) {
        assert_true(n < c.n);
        shares[n].id = vec_id(vec_get(row, "identifier"));
        for (who[n] = 0; frost_id_cmp(&c.ids[who[n]], &shares[n].id) != 0;
             who[n]++)
            assert_true(who[n] < c.n);
        vec_hex_of(row, "hiding_nonce_randomness", rand_d, 32);
        vec_hex_of(row, "binding_nonce_randomness", rand_e, 32);
        assert_ok(frost_commit(&nonces[n], &kit_ready, &shares[n].id,
                               &c.shares[who[n]], rand_d, rand_e));
        list[n] = nonces[n].commitment;
        n++;
    }
    const struct frost_package p = { &c.key, msg, msg_len, list, n, NULL };
    for (unsigned i = 0; i < n; i++) {
        assert_ok(frost_sign(&shares[i].z, NULL, &nonces[i], &c.shares[who[i]],
                             c.t, &p));
        assert_vec(json_array_get(vec_get(session, "participants"), i),
                   "sig_share", shares[i].z.le, 32);
        assert_ok(frost_share_verify(&shares[i], &c.ys[who[i]], &p));
    }
    assert_ok(frost_aggregate(sig, &p, shares, NULL, NULL, NULL));
    assert_vec(session, "sig", sig, sizeof(sig));
    assert_true(kit_openssl_verifies(sig, &c.key, msg, msg_len));
    free(msg);
}

static void noble_dkgs_are_reproduced(void **state)
{
    (void)state;
    json_t *root = vec_load("derived/noble-dkg-vectors.json");
    size_t i, j;
    json_t *row, *participant;
    json_array_foreach (vec_get(root, "cases"), i, row) {
        memset(&c, 0, sizeof(c));
        c.t = vec_uint(row, "min_signers");
        c.n = vec_uint(row, "max_signers");
        assert_true(c.n <= KIT_MAX);
        vec_hex_of(row, "group_public_key", c.key.b, 32);
        json_array_foreach (vec_get(row, "participants"), j, participant) {
            assert_true(j < c.n);
            read_participant(participant, (unsigned)j);
        }
        assert_int_equal(j, c.n);
        finish_all();
        sign_session(vec_get(row, "signing_session"));
    }
    assert_int_equal(i, 4);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zf_dkg_is_reproduced),
        cmocka_unit_test(noble_dkgs_are_reproduced),
    };
    return cmocka_run_group_tests(tests, kit_init, NULL);
}

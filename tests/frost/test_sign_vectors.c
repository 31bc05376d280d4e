/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published signing vectors, every intermediate value byte for byte: RFC 9591
 * appendix E.1, ZF frost-ed25519's own, and those made with noble-curves.
 */
#include "vectors.h"

#include "frost/inner.h"
#include "kit.h"

/* What a session of any of the files says, in one shape. */
struct session {
    struct frost_point key;
    unsigned min;
    uint8_t *msg;
    size_t msg_len;
    unsigned n;
    struct frost_nonce nonces[FROST_MAX_SIGNERS];
    struct frost_commitment list[FROST_MAX_SIGNERS];
    struct frost_sig_share shares[FROST_MAX_SIGNERS];
    struct frost_scalar secrets[FROST_MAX_SIGNERS];
    struct frost_point ys[FROST_MAX_SIGNERS];
    uint8_t sig[FROST_SIG_LEN];
};

/* Round one of the signer in `row`, appended to the session. */
static void commit(struct session *s, const json_t *row,
                   const struct frost_scalar *secret)
{
    uint8_t rand_d[32], rand_e[32];
    assert_true(s->n < FROST_MAX_SIGNERS);
    struct frost_nonce *nonce = &s->nonces[s->n];
    const struct frost_id id = vec_id(vec_get(row, "identifier"));
    vec_hex_of(row, "hiding_nonce_randomness", rand_d, 32);
    vec_hex_of(row, "binding_nonce_randomness", rand_e, 32);
    assert_ok(frost_commit(nonce, &kit_ready, &id, secret, rand_d, rand_e));
    assert_vec(row, "hiding_nonce", nonce->hiding.le, 32);
    assert_vec(row, "binding_nonce", nonce->binding.le, 32);
    assert_vec(row, "hiding_nonce_commitment", nonce->commitment.hiding.b, 32);
    assert_vec(row, "binding_nonce_commitment", nonce->commitment.binding.b,
               32);
    s->list[s->n] = nonce->commitment;
    s->shares[s->n].id = id;
    s->secrets[s->n] = *secret;
    assert_ok(frost_scalar_base(&s->ys[s->n], secret));
    s->n++;
}

/* The binding factors, and lambda where the file gives it. */
static void check_factors(const struct session *s, const json_t *rows)
{
    const struct frost_package p = { &s->key, s->msg, s->msg_len,
                                     s->list, s->n,   NULL };
    static struct frost_factors f;
    struct frost_id ids[FROST_MAX_SIGNERS];
    struct frost_scalar all[FROST_MAX_SIGNERS];
    frost_list_ids(ids, &p);
    frost_lagrange_all(all, ids, s->n, NULL);
    uint8_t input[FROST_BINDING_INPUT_LEN];
    frost_binding_factors(&f, &p);
    frost_binding_input(input, &p);
    for (unsigned i = 0; i < s->n; i++) {
        const json_t *row = vec_find(rows, &s->list[i].id);
        memcpy(input + sizeof(input) - 32, s->list[i].id.le, 32);
        assert_vec(row, "binding_factor_input", input, sizeof(input));
        assert_vec(row, "binding_factor", f.rho[i].le, 32);
        struct frost_scalar lambda;
        frost_lagrange(&lambda, ids, s->n, i, NULL);
        assert_memory_equal(&lambda, &all[i], sizeof(lambda));
        if (json_object_get(row, "lagrange"))
            assert_vec(row, "lagrange", lambda.le, 32);
    }
}

static void check_signature(struct session *s, const json_t *shares)
{
    uint8_t sig[FROST_SIG_LEN];
    static struct frost_cache cache; /* every second one signs with it */
    struct frost_point r;
    struct frost_package p = {
        &s->key, s->msg, s->msg_len, s->list, s->n, NULL
    };
    for (unsigned i = 0; i < s->n; i++) {
        p.cache = i % 2 ? &cache : NULL;
        assert_ok(frost_sign(&s->shares[i].z, &r, &s->nonces[i], &s->secrets[i],
                             s->min, &p));
        assert_vec(vec_find(shares, &s->list[i].id), "sig_share",
                   s->shares[i].z.le, 32);
    }
    /* one is enough here: each costs as much as all of them */
    assert_ok(frost_share_verify(&s->shares[s->n - 1], &s->ys[s->n - 1], &p));
    assert_ok(frost_aggregate(sig, &p, s->shares, s->ys, NULL, NULL));
    assert_memory_equal(sig, s->sig, sizeof(sig));
    assert_memory_equal(&r, s->sig, sizeof(r));
    assert_ok(frost_aggregate(sig, &p, s->shares, NULL, &r, NULL));
    assert_memory_equal(sig, s->sig, sizeof(sig));
    assert_true(kit_openssl_verifies(sig, &s->key, s->msg, s->msg_len));
}

/* The dealer of the vectors, as a polynomial: f(id) are the shares. */
static void check_dealer(const json_t *in)
{
    static struct frost_poly f;
    size_t i;
    json_t *row;
    vec_hex_of(in, "group_secret_key", f.coeff[0].le, 32);
    json_array_foreach (vec_get(in, "share_polynomial_coefficients"), i, row)
        vec_hex(row, f.coeff[i + 1].le, 32);
    f.t = (unsigned)i + 1;
    json_array_foreach (vec_get(in, "participant_shares"), i, row) {
        const struct frost_id id = vec_id(vec_get(row, "identifier"));
        struct frost_scalar share;
        assert_ok(frost_sub_share(&share, &f, &id));
        assert_vec(row, "participant_share", share.le, 32);
    }
    assert_true(i > 0);
}

/* The layout of the RFC's file, which ZF's files share. */
static void rfc_file(const char *name, const char *key_name)
{
    json_t *root = vec_load(name);
    const json_t *in = vec_get(root, "inputs");
    static struct session s;
    memset(&s, 0, sizeof(s));
    s.min = vec_uint(vec_get(root, "config"), "MIN_PARTICIPANTS");
    vec_hex_of(in, key_name, s.key.b, 32);
    s.msg = vec_bytes(in, "message", &s.msg_len);
    vec_hex_of(vec_get(root, "final_output"), "sig", s.sig, sizeof(s.sig));
    check_dealer(in);

    const json_t *ones = vec_get(vec_get(root, "round_one_outputs"), "outputs");
    const json_t *twos = vec_get(vec_get(root, "round_two_outputs"), "outputs");
    size_t i;
    json_t *row;
    json_array_foreach (ones, i, row) {
        const struct frost_id id = vec_id(vec_get(row, "identifier"));
        struct frost_scalar secret;
        vec_hex_of(vec_find(vec_get(in, "participant_shares"), &id),
                   "participant_share", secret.le, 32);
        commit(&s, row, &secret);
    }
    assert_int_equal(s.n,
                     vec_uint(vec_get(root, "config"), "NUM_PARTICIPANTS"));
    check_factors(&s, ones);
    check_signature(&s, twos);
    free(s.msg);
    json_decref(root);
}

static void rfc_9591_vector_is_reproduced(void **state)
{
    (void)state;
    rfc_file("rfc9591/frost-ed25519-sha512.json", "group_public_key");
}

static void zf_vector_is_reproduced(void **state)
{
    (void)state;
    rfc_file("zf/vectors.json", "verifying_key_key");
}

static void zf_vector_with_big_identifiers_is_reproduced(void **state)
{
    (void)state;
    rfc_file("zf/vectors-big-identifier.json", "verifying_key_key");
}

/* ---- noble-curves ---------------------------------------------------- */

static void noble_session(const json_t *group, const json_t *session)
{
    static struct session s;
    memset(&s, 0, sizeof(s));
    s.min = vec_uint(group, "min_signers");
    vec_hex_of(group, "group_public_key", s.key.b, 32);
    s.msg = vec_bytes(session, "message", &s.msg_len);
    vec_hex_of(session, "sig", s.sig, sizeof(s.sig));

    const json_t *rows = vec_get(session, "participants");
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        const struct frost_id id = vec_id(vec_get(row, "identifier"));
        const json_t *member = vec_find(vec_get(group, "shares"), &id);
        struct frost_scalar secret;
        vec_hex_of(member, "signing_share", secret.le, 32);
        commit(&s, row, &secret);
        assert_vec(member, "verifying_share", s.ys[s.n - 1].b, 32);
    }
    assert_int_equal(s.n, json_array_size(vec_get(session, "signers")));
    check_factors(&s, rows);
    check_signature(&s, rows);
    free(s.msg);
}

static void noble_sessions_are_reproduced(void **state)
{
    (void)state;
    json_t *root = vec_load("derived/noble-sign-vectors.json");
    size_t i, j;
    unsigned n_sessions = 0;
    json_t *group, *session;
    json_array_foreach (vec_get(root, "cases"), i, group)
        json_array_foreach (vec_get(group, "sessions"), j, session) {
            print_message("%s, session %zu\n", vec_str(group, "name"), j);
            noble_session(group, session);
            n_sessions++;
        }
    assert_int_equal(n_sessions, 19);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_9591_vector_is_reproduced),
        cmocka_unit_test(zf_vector_is_reproduced),
        cmocka_unit_test(zf_vector_with_big_identifiers_is_reproduced),
        cmocka_unit_test(noble_sessions_are_reproduced),
    };
    return cmocka_run_group_tests(tests, kit_init, NULL);
}

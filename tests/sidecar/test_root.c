/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One root for each issuer key: what a signer remembers of the one it signed.
 * The signer alone with its store, and a cluster that judges as mpc-sidecar
 * does.
 */
#include "test.h"

#include "base/clock.h"
#include "base/enc.h"
#include "base/hash.h"
#include "ca/ca.h"
#include "sidecar/inner.h"
#include "story.h"

struct desk {
    char dir[DIR_MAX], path[DIR_MAX + 16];
    struct node n;
};

static void reopen(struct desk *d)
{
    store_free(TAKE(d->n.w.store));
    assert_ok(store_open(&d->n.w.store, d->path));
}

static enum rc vacant(struct desk *d, uint8_t key, const char *tbs)
{
    struct policy_session s = { .type = POLICY_S_ROOT };
    struct key k = { .name = "ca", .id = { key } };
    return session_root_free(&d->n, &s, &k, (const uint8_t *)tbs, strlen(tbs));
}

static enum rc once(struct desk *d, enum policy_session_type type, uint8_t key,
                    const char *tbs)
{
    struct policy_session s = { .type = type };
    struct key k = { .name = "ca", .id = { key } };
    return session_root_once(&d->n, &s, &k, (const uint8_t *)tbs, strlen(tbs));
}

static void one_root_for_each_issuer_key(void **state)
{
    (void)state;
    struct desk *d = calloc(1, sizeof(*d));
    assert_non_null(d);
    dir_make(d->dir);
    snprintf(d->path, sizeof(d->path), "%s/state.db", d->dir);
    assert_ok(store_open(&d->n.w.store, d->path));
    assert_ok(vacant(d, 1, "root"));
    assert_ok(vacant(d, 1, "another root")); /* judging decides nothing */
    assert_ok(once(d, POLICY_S_ROOT, 1, "root"));
    for (unsigned life = 0; life < 2; life++) {
        assert_ok(once(d, POLICY_S_ROOT, 1, "root"));
        assert_rc(once(d, POLICY_S_ROOT, 1, "another root"), RC_CONFLICT);
        assert_non_null(strstr(rc_text(), "another root for ca"));
        assert_ok(vacant(d, 1, "root"));
        assert_rc(vacant(d, 1, "another root"), RC_POLICY);
        assert_ok(once(d, POLICY_S_SIGN, 1, "a leaf"));
        assert_ok(once(d, POLICY_S_SIGN, 1, "and another"));
        reopen(d);
    }
    assert_ok(once(d, POLICY_S_ROOT, 2, "another root"));
    store_free(d->n.w.store);
    dir_remove(d->dir);
    free(d);
}

/* ---- a cluster ------------------------------------------------------------ */

#define PLAIN                                                                  \
    "\"name\":\"second\",\"lifetime\":\"persistent\",\"class\":\"artifact\","  \
    "\"threshold\":2,\"nodes\":[1,2,3],\"required\":{\"engineer\":0,"          \
    "\"steward\":0},\"kinds\":[\"raw\",\"cms\",\"dsse\"]"
#define ISSUER                                                                 \
    "\"name\":\"second\",\"lifetime\":\"persistent\",\"class\":\"issuer\","    \
    "\"threshold\":2,\"nodes\":[1,2,3],\"required\":{\"engineer\":0,"          \
    "\"steward\":0},\"kinds\":[\"x509\"]"

static enum rc tbs_check(void *ctx, const struct policy_chain *chain,
                         const struct policy_session *session,
                         const uint8_t issuer_key[32],
                         const struct wire_birth *birth, const uint8_t *tbs,
                         size_t tbs_len)
{
    (void)ctx;
    return ca_tbs_check(chain, session, issuer_key, birth, tbs, tbs_len,
                        clock_now_s());
}

struct root {
    uint8_t tbs[CA_DER_MAX];
    size_t len;
};

static void root_make(struct root *r, const struct wire_key *key)
{
    assert_ok(ca_root_tbs(r->tbs, &r->len, "dev", key->group_key, true,
                          clock_now_s()));
}

/* A session of its own, approved by these, and its signature asked for. */
static unsigned root_sign(struct sim *s, const struct root *r,
                          const struct wire_key *key,
                          const char *const *stewards)
{
    WIRE(session) w = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    char hex[ENC_HEX_SIZE(32)];
    struct policy_session p = sim_session(s, POLICY_S_ROOT, "second");
    p.has_key = true;
    hash256(p.key, key->group_key, 32);
    p.slot[POLICY_X509] = true;
    p.n_slots = 1;
    policy_session_artifact(&p, "root.tbs", r->tbs, r->len);
    p.has_artifact = true;
    sim_session_wire(s, &w, &p, "steward", stewards);
    assert_ok(wire_session_encode(&json, &len, &w));
    sim_want_ok(s, sim_ask(s, 1, "/v1/session", json, len));
    return sim_sign(s, 1, "second", enc_hex(hex, p.id, 32), r->tbs, r->len,
                    10000);
}

static void signers_help_to_one_root_alone(void **state)
{
    (void)state;
    static const char *const one[] = { "bob", NULL };
    struct root *first = calloc(1, sizeof(*first));
    struct root *second = calloc(1, sizeof(*second));
    WIRE(key) key = { 0 };
    struct sim *s = sim_new(1, 3);
    assert_true(first && second);
    s->tbs_check = tbs_check;
    sim_boot(s);
    sim_want_ok(s, sim_policy_next(s, 1, PLAIN, ISSUER));
    sim_run(s, 500);
    unsigned call = sim_key_create(s, 1, "second", sim_stewards);
    sim_want_ok(s, call);
    assert_ok(wire_key_decode(&key, s->call[call].json, s->call[call].len));
    sim_run(s, 500);
    root_make(first, &key);
    root_make(second, &key); /* another serial */

    sim_want(s, root_sign(s, first, &key, one), RC_NOT_APPROVED);
    sim_want_ok(s, root_sign(s, first, &key, sim_stewards));
    for (unsigned life = 0; life < 2; life++) {
        call = root_sign(s, second, &key, sim_stewards);
        sim_want(s, call, RC_POLICY);
        says(s, call, "signed another root for second already");
        /* what was lost on its way to a file is signed again */
        sim_want_ok(s, root_sign(s, first, &key, sim_stewards));
        for (unsigned i = 1; i <= 3; i++) {
            sim_crash(s, i);
            sim_start(s, i);
        }
        sim_run(s, 500);
    }
    done(s);
    free(first);
    free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_root_for_each_issuer_key),
        cmocka_unit_test_teardown(signers_help_to_one_root_alone, sim_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

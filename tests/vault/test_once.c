/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of one session in the vault: fewer may take part than began, they sign
 * in their session only, and nothing is left of them. */
#include "cluster.h"

#include "vault/inner.h"

static const char msg[] = "once";

struct fixture {
    struct cluster *c;
    struct made_key key;
    struct attempt a;
    struct vault_sign_reply reply;
};

static int setup(void **state)
{
    enum mode mode = *(const enum mode *)*state;
    struct fixture *f = calloc(1, sizeof(*f));
    f->c = cluster_ready(mode);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cluster_free(f->c);
    free(f);
    return 0;
}

static void holds(struct fixture *f, unsigned i, unsigned shares, unsigned once,
                  unsigned dkgs, unsigned nonces)
{
    struct vault_holds h;
    assert_ok(vault_held(f->c->v[i], &h));
    assert_int_equal(h.shares, shares);
    assert_int_equal(h.once, once);
    assert_int_equal(h.dkgs, dkgs);
    assert_int_equal(h.nonces, nonces);
}

/* ---- its end ------------------------------------------------------------------ */

static void a_session_ends_with_its_share(void **state)
{
    struct fixture *f = *state;
    struct vault_commitment out[4];
    struct made_key *other = calloc(1, sizeof(*other));
    key_make(f->c, other, 1, true);
    key_make(f->c, &f->key, 2, false);
    assert_ok(vault_commit(f->c->v[0], out, 4, f->key.key, 1, 2));
    holds(f, 0, 1, 1, 0, 4);
    assert_ok(vault_session_end(f->c->v[0], f->key.terms.session));
    holds(f, 0, 1, 0, 0, 0);
    assert_rc(vault_commit(f->c->v[0], out, 1, f->key.key, 1, 2), RC_UNKNOWN);
    /* again, and of nothing at all: fine */
    assert_ok(vault_session_end(f->c->v[0], f->key.terms.session));
    memset(f->key.terms.session, 9, 32);
    assert_ok(vault_session_end(f->c->v[0], f->key.terms.session));
    /* a persistent share is out of its reach */
    assert_ok(vault_session_end(f->c->v[0], other->terms.session));
    holds(f, 0, 1, 0, 0, 0);
    attempt_make(f->c, &f->a, other, msg, sizeof(msg));
    attempt_publish(f->c, &f->a);
    attempt_finish(f->c, &f->a, other);
    free(other);
}

static void a_session_ends_with_its_dkg(void **state)
{
    struct fixture *f = *state;
    struct frost_dealing p;
    dkg_terms(&f->key, 1, false);
    assert_ok(vault_dkg_begin(f->c->v[0], &p, &f->key.terms));
    holds(f, 0, 0, 0, 1, 0);
    assert_ok(vault_session_end(f->c->v[0], f->key.terms.session));
    holds(f, 0, 0, 0, 0, 0);
    assert_rc(vault_dkg_deal(f->c->v[0], f->key.boxes[0], f->key.terms.session,
                             f->key.packages, NODES),
              RC_UNKNOWN);
    /* and is not begun again */
    assert_rc(vault_dkg_begin(f->c->v[0], &p, &f->key.terms), RC_EXISTS);
}

static void a_prepared_share_ends_with_it_too(void **state)
{
    struct fixture *f = *state;
    uint8_t ack[64];
    dkg_terms(&f->key, 1, false);
    dkg_run(f->c, &f->key);
    dkg_vote(f->c, &f->key);
    holds(f, 1, 0, 1, 0, 0);
    assert_ok(vault_session_end(f->c->v[1], f->key.terms.session));
    holds(f, 1, 0, 0, 0, 0);
    assert_rc(vault_activate(f->c->v[1], ack, &f->key.epoch, f->key.votes,
                             NODES, NULL, 0),
              RC_UNKNOWN);
}

/* ---- its session ----------------------------------------------------------------- */

static void a_share_of_one_session_signs_in_no_other(void **state)
{
    struct fixture *f = *state;
    key_make(f->c, &f->key, 1, false);
    attempt_make(f->c, &f->a, &f->key, msg, sizeof(msg));
    f->a.intent.session[5] ^= 1;
    attempt_publish(f->c, &f->a);
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_VERIFY);
    attempt_make(f->c, &f->a, &f->key, msg, sizeof(msg));
    attempt_publish(f->c, &f->a);
    attempt_finish(f->c, &f->a, &f->key);
}

/* ---- who takes part ----------------------------------------------------------------- */

static void begin_all(struct fixture *f, bool persistent)
{
    dkg_terms(&f->key, 1, persistent);
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_begin(f->c->v[i], &f->key.packages[i],
                                  &f->key.terms));
}

static enum rc narrow(struct fixture *f, unsigned i, const uint16_t *ids,
                      unsigned n)
{
    return vault_dkg_narrow(f->c->v[i], f->key.terms.session, ids, n);
}

static void fewer_take_part_only_before_dealing(void **state)
{
    struct fixture *f = *state;
    struct made_key *k = &f->key;
    static const uint16_t two[] = { 1, 2 }, one[] = { 1 }, wrong[] = { 2, 1 },
                          strange[] = { 1, 7 }, others[] = { 2, 3 },
                          all[] = { 1, 2, 3 };
    uint8_t boxes[2][2][VAULT_BOX_LEN];
    begin_all(f, false);
    assert_rc(narrow(f, 0, one, 1), RC_ARG);
    assert_rc(narrow(f, 0, wrong, 2), RC_ARG);
    assert_rc(narrow(f, 0, strange, 2), RC_ARG);
    assert_rc(narrow(f, 0, others, 2), RC_ARG); /* without itself */
    assert_ok(narrow(f, 0, all, 3));
    assert_ok(narrow(f, 0, two, 2));
    assert_rc(narrow(f, 0, all, 3), RC_ARG); /* nobody comes back */
    assert_ok(narrow(f, 1, two, 2));
    for (unsigned i = 0; i < 2; i++) {
        assert_rc(vault_dkg_deal(f->c->v[i], k->boxes[i], k->terms.session,
                                 k->packages, 3),
                  RC_ARG);
        assert_ok(vault_dkg_deal(f->c->v[i], boxes[i], k->terms.session,
                                 k->packages, 2));
    }
    assert_rc(narrow(f, 0, two, 2), RC_ORDER);
    struct vault_dkg_result r[2];
    for (unsigned i = 0; i < 2; i++) {
        uint8_t mine[2][VAULT_BOX_LEN];
        memcpy(mine[0], boxes[0][i], VAULT_BOX_LEN);
        memcpy(mine[1], boxes[1][i], VAULT_BOX_LEN);
        assert_ok(vault_dkg_finish(f->c->v[i], &r[i], k->terms.session,
                                   (const uint8_t(*)[VAULT_BOX_LEN])mine, 2));
    }
    assert_memory_equal(r[0].group_key, r[1].group_key, 32);
    assert_memory_equal(r[0].transcript, r[1].transcript, 32);
    memset(k->terms.session, 9, 32);
    assert_rc(narrow(f, 0, two, 2), RC_UNKNOWN);
}

static void a_persistent_key_is_made_by_all(void **state)
{
    struct fixture *f = *state;
    static const uint16_t two[] = { 1, 2 };
    begin_all(f, true);
    assert_rc(narrow(f, 0, two, 2), RC_POLICY);
}

static const enum mode spawned = SPAWNED;
static const enum mode local = LOCAL;

#define T(name, mode)                                                          \
    {                                                                          \
#name, name, setup, teardown, (void *)(uintptr_t)&mode                 \
    }
#define ALL(mode)                                                              \
    T(a_session_ends_with_its_share, mode),                                    \
            T(a_session_ends_with_its_dkg, mode),                              \
            T(a_prepared_share_ends_with_it_too, mode),                        \
            T(a_share_of_one_session_signs_in_no_other, mode),                 \
            T(fewer_take_part_only_before_dealing, mode),                      \
            T(a_persistent_key_is_made_by_all, mode)

int main(void)
{
    const struct CMUnitTest in_child[] = { ALL(spawned) };
    const struct CMUnitTest in_process[] = { ALL(local) };
    int failed = cmocka_run_group_tests_name("spawned", in_child, NULL, NULL);
    return failed +
           cmocka_run_group_tests_name("local", in_process, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A key that moves from epoch to epoch, and what cannot move it. */
#include "cluster.h"

#include "base/hash.h"
#include "vault/inner.h"

static const char msg[] = "release 1.0";

/* One move: who deals, who receives, and what was said. */
struct move {
    struct vault_epoch_terms terms;
    struct frost_dealing package[NODES]; /* [dealer] */
    uint8_t box[NODES][TLOG_MAX_NODES][VAULT_BOX_LEN];
    struct vault_dkg_result result[NODES]; /* [node - 1] */
    struct tlog_epoch_terms epoch;
    struct tlog_vote votes[NODES];
    uint8_t acks[NODES][64];
};

struct fixture {
    struct cluster *c;
    struct made_key key;
    struct move m, other;
    struct attempt a;
};

static int setup(void **state)
{
    enum mode mode = *(const enum mode *)*state;
    struct fixture *f = calloc(1, sizeof(*f));
    f->c = cluster_ready(mode);
    key_make(f->c, &f->key, 1, true);
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

/* ---- the steps ----------------------------------------------------------- */

static void ids(uint16_t *out, uint16_t *n, const char *list)
{
    *n = 0;
    for (; *list; list++)
        out[(*n)++] = (uint16_t)(*list - '0');
}

/* dealers and members as digits: "12", "123" */
static void terms(struct fixture *f, struct move *m, uint8_t session,
                  uint64_t epoch, const char *dealers, const char *members)
{
    memset(m, 0, sizeof(*m));
    memset(m->terms.session, session, 32);
    m->terms.epoch = epoch;
    m->terms.t = 2;
    ids(m->terms.ids, &m->terms.n, members);
    ids(m->terms.dealer, &m->terms.n_dealers, dealers);
    ids(m->terms.dealer_at, &m->terms.n_dealers, dealers);
    m->terms.parent = f->key.epoch;
    m->terms.votes = f->key.votes;
    m->terms.n_votes = f->key.epoch.n;
}

static bool has(const uint16_t *id, unsigned n, unsigned node)
{
    for (unsigned i = 0; i < n; i++)
        if (id[i] == node)
            return true;
    return false;
}

static bool deals(const struct move *m, unsigned node)
{
    return has(m->terms.dealer, m->terms.n_dealers, node);
}

static bool receives(const struct move *m, unsigned node)
{
    return has(m->terms.ids, m->terms.n, node);
}

static void begin(struct fixture *f, struct move *m)
{
    unsigned at = 0;
    for (unsigned i = 1; i <= NODES; i++) {
        struct frost_dealing p;
        if (!deals(m, i) && !receives(m, i))
            continue;
        assert_ok(vault_epoch_begin(f->c->v[i - 1], &p, &m->terms));
        assert_int_equal(p.t != 0, deals(m, i));
        if (deals(m, i))
            m->package[at++] = p;
    }
}

static enum rc deal_one(struct fixture *f, struct move *m, unsigned node,
                        const struct frost_dealing *packages)
{
    uint8_t boxes[TLOG_MAX_NODES][VAULT_BOX_LEN];
    unsigned n, at = 0;
    TRY(vault_epoch_deal(f->c->v[node - 1], boxes, &n, m->terms.session,
                         m->terms.epoch, packages, m->terms.n_dealers));
    assert_int_equal(n, deals(m, node) ? m->terms.n : 0);
    while (at < m->terms.n_dealers && m->terms.dealer[at] != node)
        at++;
    if (n)
        memcpy(m->box[at], boxes, (size_t)n * VAULT_BOX_LEN);
    return RC_OK;
}

static void deal(struct fixture *f, struct move *m)
{
    for (unsigned i = 1; i <= NODES; i++)
        if (deals(m, i) || receives(m, i))
            assert_ok(deal_one(f, m, i, m->package));
}

static enum rc finish_one(struct fixture *f, struct move *m, unsigned node)
{
    uint8_t in[NODES][VAULT_BOX_LEN];
    unsigned at = 0;
    while (at < m->terms.n && m->terms.ids[at] != node)
        at++;
    for (unsigned i = 0; i < m->terms.n_dealers; i++)
        memcpy(in[i], m->box[i][at], VAULT_BOX_LEN);
    return vault_epoch_finish(f->c->v[node - 1], &m->result[node - 1],
                              m->terms.session, m->terms.epoch,
                              (const uint8_t(*)[VAULT_BOX_LEN])in,
                              m->terms.n_dealers);
}

static void finish(struct fixture *f, struct move *m)
{
    for (unsigned i = 0; i < m->terms.n; i++)
        assert_ok(finish_one(f, m, m->terms.ids[i]));
}

static void vote(struct fixture *f, struct move *m)
{
    for (unsigned i = 0; i < m->terms.n; i++) {
        unsigned at = m->terms.ids[i] - 1u;
        struct tlog_vote *v = &m->votes[i];
        const struct vault_dkg_result *r = &m->result[at];
        v->node = m->terms.ids[i];
        memcpy(v->identity, f->c->keys[at].identity, 32);
        memcpy(v->y, r->ys[i], 32);
        assert_ok(vault_epoch_vote(f->c->v[at], v->sig, m->terms.session,
                                   m->terms.epoch, r->sealed, r->sealed_len));
        memcpy(m->epoch.session, m->terms.session, 32);
        memcpy(m->epoch.group_key, r->group_key, 32);
        memcpy(m->epoch.transcript, r->transcript, 32);
    }
    m->epoch.epoch = m->terms.epoch;
    m->epoch.parent = m->terms.parent.epoch;
    m->epoch.t = m->terms.t;
    m->epoch.n = m->terms.n;
    assert_ok(tlog_votes_check(&m->epoch, TLOG_VOTE_PREPARED, m->votes,
                               m->terms.n));
}

static void activate(struct fixture *f, struct move *m)
{
    for (unsigned i = 0; i < m->terms.n; i++)
        assert_ok(vault_activate(f->c->v[m->terms.ids[i] - 1], m->acks[i],
                                 &m->epoch, m->votes, m->terms.n, NULL, 0));
}

static enum rc retire(struct fixture *f, const struct move *m, unsigned node)
{
    return vault_epoch_retire(f->c->v[node - 1], &m->epoch, m->votes,
                              (const uint8_t(*)[64])m->acks, m->terms.n);
}

static void prepare(struct fixture *f, struct move *m)
{
    begin(f, m);
    deal(f, m);
    finish(f, m);
    vote(f, m);
}

/* The key as the tests of signing know it. */
static void follow(struct fixture *f, const struct move *m)
{
    f->key.terms.epoch = m->epoch.epoch;
    f->key.epoch = m->epoch;
    memcpy(f->key.votes, m->votes, sizeof(f->key.votes));
    memcpy(f->key.result[0].ys, m->result[m->terms.ids[0] - 1].ys,
           sizeof(f->key.result[0].ys));
}

static void signs(struct fixture *f)
{
    attempt_make(f->c, &f->a, &f->key, msg, sizeof(msg));
    attempt_publish(f->c, &f->a);
    attempt_finish(f->c, &f->a, &f->key);
}

/* ---- moving ---------------------------------------------------------------- */

static void a_key_moves_and_signs_under_the_same_public_key(void **state)
{
    static const char *const moves[][2] = {
        { "123", "123" }, /* refresh */
        { "12", "123" },  /* repair of node 3 */
        { "123", "12" },  /* node 3 leaves */
        { "12", "123" },  /* and comes back */
    };
    struct fixture *f = *state;
    uint8_t group[32];
    memcpy(group, f->key.result[0].group_key, 32);
    for (uint64_t i = 0; i < 4; i++) {
        terms(f, &f->m, (uint8_t)(10 + i), i + 2, moves[i][0], moves[i][1]);
        prepare(f, &f->m);
        assert_memory_equal(f->m.epoch.group_key, group, 32);
        activate(f, &f->m);
        for (unsigned node = 1; node <= NODES; node++) {
            if (!receives(&f->m, node))
                assert_ok(vault_epoch_moved(f->c->v[node - 1], &f->m.epoch,
                                            f->m.votes, f->m.terms.n));
            assert_ok(retire(f, &f->m, node));
            assert_ok(retire(f, &f->m, node));
        }
        follow(f, &f->m);
        signs(f);
    }
}

static void a_prepared_share_survives_a_restart(void **state)
{
    struct fixture *f = *state;
    terms(f, &f->m, 10, 2, "123", "123");
    prepare(f, &f->m);
    node_start(f->c, 0);
    node_open(f->c, 0);
    assert_ok(vault_activate(f->c->v[0], f->m.acks[0], &f->m.epoch, f->m.votes,
                             NODES, f->m.result[0].sealed,
                             f->m.result[0].sealed_len));
    for (unsigned i = 1; i < NODES; i++)
        assert_ok(vault_activate(f->c->v[i], f->m.acks[i], &f->m.epoch,
                                 f->m.votes, NODES, NULL, 0));
    follow(f, &f->m);
    signs(f);
}

static void the_old_epoch_signs_until_the_new_one_is_certified(void **state)
{
    struct fixture *f = *state;
    struct vault_commitment c;
    terms(f, &f->m, 10, 2, "123", "123");
    prepare(f, &f->m);
    signs(f);
    assert_rc(vault_commit(f->c->v[0], &c, 1, f->key.key, 2, 1),
              RC_EPOCH_MOVED);
    activate(f, &f->m);
    assert_rc(vault_commit(f->c->v[0], &c, 1, f->key.key, 1, 1),
              RC_EPOCH_MOVED);
    assert_ok(vault_commit(f->c->v[0], &c, 1, f->key.key, 2, 1));
}

static void who_leaves_signs_no_more(void **state)
{
    struct fixture *f = *state;
    struct vault_commitment c;
    terms(f, &f->m, 10, 2, "123", "12");
    prepare(f, &f->m);
    assert_ok(vault_commit(f->c->v[2], &c, 1, f->key.key, 1, 1));
    assert_ok(vault_epoch_moved(f->c->v[2], &f->m.epoch, f->m.votes, 2));
    assert_rc(vault_commit(f->c->v[2], &c, 1, f->key.key, 1, 1),
              RC_EPOCH_MOVED);
}

/* ---- what is refused --------------------------------------------------------- */

static void terms_out_of_bounds_are_refused(void **state)
{
    struct fixture *f = *state;
    struct vault *v = f->c->v[0];
    struct frost_dealing p;
    struct tlog_vote votes[NODES];
    terms(f, &f->m, 10, 2, "123", "123");
    const struct vault_epoch_terms good = f->m.terms;
    struct vault_epoch_terms *t = &f->m.terms;
#define REFUSED(change, rc)                                                    \
    do {                                                                       \
        *t = good;                                                             \
        change;                                                                \
        assert_rc(vault_epoch_begin(v, &p, t), rc);                            \
    } while (0)
    REFUSED(t->t = 1, RC_ARG);
    REFUSED(t->t = 4, RC_ARG);
    REFUSED(t->epoch = 1, RC_ARG);
    REFUSED(t->n_dealers = 1, RC_ARG);
    REFUSED(t->dealer[1] = 1, RC_ARG);
    REFUSED((t->dealer[2] = 4, t->dealer_at[2] = 4), RC_ARG);
    REFUSED(t->dealer_at[2] = 2, RC_ARG);
    REFUSED(t->ids[1] = 1, RC_ARG);
    REFUSED(t->ids[2] = 9, RC_UNKNOWN);
    REFUSED(t->n_votes = 2, RC_VERIFY);
    REFUSED(t->parent.t = 3, RC_VERIFY);
    REFUSED(t->parent.epoch = 0, RC_ARG);
    REFUSED(t->parent.transcript[0] ^= 1, RC_VERIFY);
    REFUSED(t->parent.group_key[0] ^= 1, RC_VERIFY);
    memcpy(votes, good.votes, sizeof(votes));
    votes[1].y[0] ^= 1;
    REFUSED(t->votes = votes, RC_VERIFY);
#undef REFUSED
    *t = good;
    assert_ok(vault_epoch_begin(v, &p, t));
    assert_rc(vault_epoch_begin(v, &p, t), RC_EXISTS);
    t->epoch = 3; /* another try of the session has another number */
    assert_ok(vault_epoch_begin(v, &p, t));
}

/* A parent that never was live here, or is no more. */
static void only_the_live_epoch_deals(void **state)
{
    struct fixture *f = *state;
    struct frost_dealing p;
    terms(f, &f->m, 10, 2, "123", "123");
    prepare(f, &f->m);
    struct made_key before = f->key;
    follow(f, &f->m); /* certified, and activated nowhere */
    terms(f, &f->other, 11, 3, "123", "123");
    assert_rc(vault_epoch_begin(f->c->v[0], &p, &f->other.terms),
              RC_EPOCH_MOVED);
    activate(f, &f->m);
    f->key = before;
    terms(f, &f->other, 12, 4, "123", "123");
    assert_rc(vault_epoch_begin(f->c->v[0], &p, &f->other.terms),
              RC_EPOCH_MOVED);
}

static void a_late_run_does_not_bring_an_epoch_back(void **state)
{
    struct fixture *f = *state;
    terms(f, &f->other, 11, 3, "123", "123");
    begin(f, &f->other);
    deal(f, &f->other);
    terms(f, &f->m, 10, 2, "123", "123");
    prepare(f, &f->m);
    activate(f, &f->m);
    assert_rc(finish_one(f, &f->other, 1), RC_EPOCH_MOVED);
}

static void a_dealer_of_something_else_is_named(void **state)
{
    struct fixture *f = *state;
    struct frost_dealing bad[NODES];
    terms(f, &f->m, 10, 2, "123", "123");
    terms(f, &f->other, 11, 3, "12", "123");
    begin(f, &f->m);
    begin(f, &f->other);
    /* its constant is another one: as if it were one of two, not of three */
    memcpy(bad, f->m.package, sizeof(bad));
    bad[1] = f->other.package[1];
    assert_rc(deal_one(f, &f->m, 1, bad), RC_CHEATER);
    assert_non_null(strstr(rc_text(), "node 2"));
    /* a commitment less lowers the threshold */
    memcpy(bad, f->m.package, sizeof(bad));
    bad[2].t = 1;
    assert_rc(deal_one(f, &f->m, 1, bad), RC_CHEATER);
    assert_non_null(strstr(rc_text(), "node 3"));
    /* and ours is ours */
    memcpy(bad, f->m.package, sizeof(bad));
    bad[0].commitment[1] = bad[1].commitment[1];
    assert_rc(deal_one(f, &f->m, 1, bad), RC_CONFLICT);
    deal(f, &f->m);
}

/* A dealer that shows two packages: each is right, the sums are not one. */
static void a_split_view_is_seen_in_the_votes(void **state)
{
    struct fixture *f = *state;
    struct frost_dealing two[NODES];
    terms(f, &f->m, 10, 2, "123", "123");
    terms(f, &f->other, 11, 3, "123", "123");
    begin(f, &f->m);
    begin(f, &f->other);
    memcpy(two, f->m.package, sizeof(two));
    two[2] = f->other.package[2]; /* node 3's other one, to node 1 */
    assert_ok(deal_one(f, &f->m, 1, two));
    assert_ok(deal_one(f, &f->m, 2, f->m.package));
    assert_ok(deal_one(f, &f->m, 3, f->m.package));
    /* what node 3 dealt is not on what node 1 was shown */
    assert_rc(finish_one(f, &f->m, 1), RC_CHEATER);
    assert_non_null(strstr(rc_text(), "node 3"));
    assert_ok(finish_one(f, &f->m, 2));
}

static void a_box_of_another_try_is_refused(void **state)
{
    struct fixture *f = *state;
    terms(f, &f->m, 10, 2, "123", "123");
    terms(f, &f->other, 10, 3, "123", "123"); /* the same session */
    begin(f, &f->m);
    deal(f, &f->m);
    begin(f, &f->other);
    deal(f, &f->other);
    uint8_t kept[VAULT_BOX_LEN];
    memcpy(kept, f->m.box[1][0], VAULT_BOX_LEN);
    memcpy(f->m.box[1][0], f->other.box[1][0], VAULT_BOX_LEN);
    assert_rc(finish_one(f, &f->m, 1), RC_VERIFY);
    memcpy(f->m.box[1][0], kept, VAULT_BOX_LEN);
    assert_ok(finish_one(f, &f->m, 1));
}

static void votes_of_another_epoch_do_not_activate(void **state)
{
    struct fixture *f = *state;
    uint8_t ack[64];
    terms(f, &f->m, 10, 2, "123", "123");
    prepare(f, &f->m);
    struct tlog_epoch_terms t = f->m.epoch;
    assert_rc(vault_activate(f->c->v[0], ack, &t, f->key.votes, NODES, NULL, 0),
              RC_VERIFY);
    t.parent = 0;
    assert_rc(vault_activate(f->c->v[0], ack, &t, f->m.votes, NODES, NULL, 0),
              RC_VERIFY);
    t = f->m.epoch;
    t.n = 2;
    assert_rc(vault_activate(f->c->v[0], ack, &t, f->m.votes, 2, NULL, 0),
              RC_VERIFY);
    assert_rc(vault_epoch_moved(f->c->v[0], &t, f->m.votes, 2), RC_VERIFY);
    assert_ok(vault_activate(f->c->v[0], ack, &f->m.epoch, f->m.votes, NODES,
                             NULL, 0));
}

static void nothing_is_erased_before_all_have_acknowledged(void **state)
{
    struct fixture *f = *state;
    uint8_t ack[64];
    terms(f, &f->m, 10, 2, "123", "123");
    prepare(f, &f->m);
    assert_rc(retire(f, &f->m, 1), RC_VERIFY); /* zeros */
    for (unsigned i = 0; i < 2; i++)
        assert_ok(vault_activate(f->c->v[i], f->m.acks[i], &f->m.epoch,
                                 f->m.votes, NODES, NULL, 0));
    memcpy(f->m.acks[2], f->m.acks[1], 64);
    assert_rc(retire(f, &f->m, 1), RC_VERIFY); /* one twice */
    memcpy(f->m.acks[2], f->m.votes[2].sig, 64);
    assert_rc(retire(f, &f->m, 1), RC_VERIFY); /* a vote is none */
    assert_ok(vault_activate(f->c->v[2], ack, &f->m.epoch, f->m.votes, NODES,
                             NULL, 0));
    memcpy(f->m.acks[2], ack, 64);
    /* who has lost its new share keeps the old one */
    assert_ok(vault_forget(f->c->v[1], f->key.key, 2));
    assert_rc(retire(f, &f->m, 2), RC_ORDER);
    assert_ok(retire(f, &f->m, 1));
}

/* A run that was begun holds a part of the share that it would deal. */
static void what_was_to_be_dealt_goes_with_the_share(void **state)
{
    struct fixture *f = *state;
    terms(f, &f->other, 20, 9, "123", "123");
    begin(f, &f->other);
    terms(f, &f->m, 10, 2, "123", "123");
    prepare(f, &f->m);
    activate(f, &f->m);
    for (unsigned node = 1; node <= NODES; node++) {
        assert_ok(retire(f, &f->m, node));
        assert_rc(deal_one(f, &f->other, node, f->other.package), RC_UNKNOWN);
    }
    follow(f, &f->m);
    terms(f, &f->other, 21, 10, "123", "123");
    begin(f, &f->other);
    assert_ok(retire(f, &f->m, 1)); /* those of its own epoch go on */
    assert_ok(deal_one(f, &f->other, 1, f->other.package));
    assert_ok(vault_destroy(f->c->v[1], f->key.key));
    assert_rc(deal_one(f, &f->other, 2, f->other.package), RC_UNKNOWN);
}

static const enum mode spawned = SPAWNED;
static const enum mode local = LOCAL;

#define T(name, mode)                                                          \
    {                                                                          \
#name, name, setup, teardown, (void *)(uintptr_t)&mode                 \
    }
#define ALL(mode)                                                              \
    T(a_key_moves_and_signs_under_the_same_public_key, mode),                  \
            T(a_prepared_share_survives_a_restart, mode),                      \
            T(the_old_epoch_signs_until_the_new_one_is_certified, mode),       \
            T(who_leaves_signs_no_more, mode),                                 \
            T(terms_out_of_bounds_are_refused, mode),                          \
            T(only_the_live_epoch_deals, mode),                                \
            T(a_late_run_does_not_bring_an_epoch_back, mode),                  \
            T(a_dealer_of_something_else_is_named, mode),                      \
            T(a_split_view_is_seen_in_the_votes, mode),                        \
            T(a_box_of_another_try_is_refused, mode),                          \
            T(votes_of_another_epoch_do_not_activate, mode),                   \
            T(nothing_is_erased_before_all_have_acknowledged, mode),           \
            T(what_was_to_be_dealt_goes_with_the_share, mode)

int main(void)
{
    const struct CMUnitTest in_child[] = { ALL(spawned) };
    const struct CMUnitTest in_process[] = { ALL(local) };
    int failed = cmocka_run_group_tests_name("spawned", in_child, NULL, NULL);
    return failed +
           cmocka_run_group_tests_name("local", in_process, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Keys made by DKG, their votes, and shares at rest. */
#include "cluster.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "vault/inner.h"

static const char msg[] = "release 1.0";

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
    dkg_terms(&f->key, 1, true);
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

static void signs(struct fixture *f)
{
    attempt_make(f->c, &f->a, &f->key, msg, sizeof(msg));
    attempt_publish(f->c, &f->a);
    attempt_finish(f->c, &f->a, &f->key);
}

static enum rc activate(struct fixture *f, unsigned i, bool sealed)
{
    uint8_t ack[64];
    return vault_activate(f->c->v[i], ack, &f->key.epoch, f->key.votes, NODES,
                          sealed ? f->key.result[i].sealed : NULL,
                          sealed ? f->key.result[i].sealed_len : 0);
}

/* ---- DKG ------------------------------------------------------------------ */

static void a_made_key_signs(void **state)
{
    struct fixture *f = *state;
    key_make(f->c, &f->key, 1, true);
    signs(f);
    /* and an ephemeral one beside it */
    key_make(f->c, &f->key, 2, false);
    signs(f);
}

/* T of FORMATS section 2, written out a second time. */
static void transcript_is_that_of_the_format(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[4096];
    uint8_t hash[32];
    const struct made_key *k = &f->key;
    dkg_run(f->c, &f->key);
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    bytes_put_tag(&w, "mpc/transcript/v1");
    hash256(hash, f->c->roster_text, f->c->roster_len);
    bytes_put(&w, hash, 32);
    bytes_put(&w, k->terms.session, 32);
    bytes_put_u64(&w, 1);
    bytes_put_u64(&w, 0);
    bytes_put_u16(&w, 2);
    bytes_put_u16(&w, NODES);
    for (unsigned i = 0; i < NODES; i++) {
        uint8_t pok[64];
        memcpy(pok, k->packages[i].pok_r.b, 32);
        memcpy(pok + 32, k->packages[i].pok_z.le, 32);
        bytes_put_u16(&w, (uint16_t)(i + 1));
        bytes_put_u16(&w, 2);
        bytes_put(&w, k->packages[i].commitment[0].b, 32);
        bytes_put(&w, k->packages[i].commitment[1].b, 32);
        bytes_put_lp16(&w, pok, 64);
    }
    bytes_put_u16(&w, NODES);
    for (unsigned i = 0; i < NODES; i++) {
        bytes_put_u16(&w, (uint16_t)(i + 1));
        bytes_put(&w, k->result[0].ys[i], 32);
    }
    assert_ok(bytes_written(&w));
    hash256(hash, buf, w.len);
    assert_memory_equal(hash, k->result[2].transcript, 32);
}

static void a_session_begins_once(void **state)
{
    struct fixture *f = *state;
    struct frost_dealing again;
    dkg_run(f->c, &f->key);
    assert_rc(vault_dkg_begin(f->c->v[0], &again, &f->key.terms), RC_EXISTS);
}

static void terms_out_of_bounds_are_refused(void **state)
{
    struct fixture *f = *state;
    struct frost_dealing p;
    const struct vault_dkg_terms good = f->key.terms;
    struct vault_dkg_terms *t = &f->key.terms;
    struct vault *v = f->c->v[0];
    t->t = 1;
    assert_rc(vault_dkg_begin(v, &p, t), RC_ARG);
    t->t = 4;
    assert_rc(vault_dkg_begin(v, &p, t), RC_ARG);
    *t = good;
    t->epoch = 0;
    assert_rc(vault_dkg_begin(v, &p, t), RC_ARG);
    *t = good;
    t->parent = 1;
    assert_rc(vault_dkg_begin(v, &p, t), RC_ARG);
    *t = good;
    t->ids[1] = t->ids[0];
    assert_rc(vault_dkg_begin(v, &p, t), RC_ARG);
    *t = good;
    t->ids[0] = 2; /* 2 and 3: not us */
    t->ids[1] = 3;
    t->n = 2;
    assert_rc(vault_dkg_begin(v, &p, t), RC_ARG);
    *t = good;
    t->n = TLOG_MAX_NODES + 1;
    assert_rc(vault_dkg_begin(v, &p, t), RC_ARG);
    *t = good;
    assert_ok(vault_dkg_begin(v, &p, t));
}

static void a_bad_package_names_its_dealer(void **state)
{
    struct fixture *f = *state;
    struct made_key *k = &f->key;
    const uint8_t *session = k->terms.session;
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_begin(f->c->v[i], &k->packages[i], &k->terms));
    struct frost_dealing good = k->packages[1];
    k->packages[1].pok_z.le[0] ^= 1;
    assert_rc(vault_dkg_deal(f->c->v[0], k->boxes[0], session, k->packages, 3),
              RC_CHEATER);
    assert_non_null(strstr(rc_text(), "node 2"));
    k->packages[1] = k->packages[2]; /* another's package */
    assert_rc(vault_dkg_deal(f->c->v[0], k->boxes[0], session, k->packages, 3),
              RC_CHEATER);
    k->packages[1] = good;
    /* ours is not what we sent */
    good = k->packages[0];
    k->packages[0] = k->packages[1];
    assert_rc(vault_dkg_deal(f->c->v[0], k->boxes[0], session, k->packages, 3),
              RC_CONFLICT);
    k->packages[0] = good;
    assert_rc(vault_dkg_deal(f->c->v[0], k->boxes[0], session, k->packages, 2),
              RC_ARG);
    assert_ok(vault_dkg_deal(f->c->v[0], k->boxes[0], session, k->packages, 3));
    assert_rc(vault_dkg_deal(f->c->v[0], k->boxes[0], session, k->packages, 3),
              RC_ORDER);
}

static void a_bad_box_names_its_dealer(void **state)
{
    struct fixture *f = *state;
    struct made_key *k = &f->key;
    uint8_t in[NODES][VAULT_BOX_LEN];
    const uint8_t(*boxes)[VAULT_BOX_LEN] = (const uint8_t(*)[VAULT_BOX_LEN])in;
    const uint8_t *session = k->terms.session;
    struct vault_dkg_result r;
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_begin(f->c->v[i], &k->packages[i], &k->terms));
    memset(in, 0, sizeof(in));
    assert_rc(vault_dkg_finish(f->c->v[0], &r, session, boxes, 3), RC_ORDER);
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_deal(f->c->v[i], k->boxes[i], session, k->packages,
                                 3));
    for (unsigned i = 0; i < NODES; i++)
        memcpy(in[i], k->boxes[i][0], VAULT_BOX_LEN);
    for (unsigned at = 0; at < VAULT_BOX_LEN; at++) {
        in[2][at] ^= 1;
        assert_rc(vault_dkg_finish(f->c->v[0], &r, session, boxes, 3),
                  RC_VERIFY);
        assert_non_null(strstr(rc_text(), "node 3"));
        in[2][at] ^= 1;
    }
    /* what 3 dealt to 2; what 2 dealt to us in 3's place */
    memcpy(in[2], k->boxes[2][1], VAULT_BOX_LEN);
    assert_rc(vault_dkg_finish(f->c->v[0], &r, session, boxes, 3), RC_VERIFY);
    memcpy(in[2], k->boxes[1][0], VAULT_BOX_LEN);
    assert_rc(vault_dkg_finish(f->c->v[0], &r, session, boxes, 3), RC_VERIFY);
    /* our own to 3, handed back as 3's to us: the keys are the same */
    memcpy(in[2], k->boxes[0][2], VAULT_BOX_LEN);
    assert_rc(vault_dkg_finish(f->c->v[0], &r, session, boxes, 3), RC_VERIFY);
    assert_non_null(strstr(rc_text(), "to or from another"));
    memcpy(in[2], k->boxes[2][0], VAULT_BOX_LEN);
    assert_rc(vault_dkg_finish(f->c->v[0], &r, session, boxes, 2), RC_ARG);
    assert_ok(vault_dkg_finish(f->c->v[0], &r, session, boxes, 3));
    assert_rc(vault_dkg_finish(f->c->v[0], &r, session, boxes, 3), RC_UNKNOWN);
}

/*
 * A dealer that knows how to box, and boxes another number than its
 * polynomial's: nobody but it can have made this one.
 */
static void a_wrong_sub_share_names_its_dealer(void **state)
{
    struct fixture *f = *state;
    struct made_key *k = &f->key;
    uint8_t in[NODES][VAULT_BOX_LEN], plain[64];
    const uint8_t(*boxes)[VAULT_BOX_LEN] = (const uint8_t(*)[VAULT_BOX_LEN])in;
    struct vault_dkg_result r;
    if (f->c->mode != LOCAL)
        return; /* its secrets are out of a test's reach, as they should be */
    const struct vault_core *two = f->c->v[1]->core;
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_begin(f->c->v[i], &k->packages[i], &k->terms));
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_deal(f->c->v[i], k->boxes[i], k->terms.session,
                                 k->packages, 3));
    for (unsigned i = 0; i < NODES; i++)
        memcpy(in[i], k->boxes[i][0], VAULT_BOX_LEN);
    assert_int_equal(sodium_mprotect_readonly(two->secret), 0);
    assert_int_equal(crypto_box_open_easy(plain, in[1] + 24, 80, in[1],
                                          f->c->keys[0].box, two->secret->box),
                     0);
    plain[32] ^= 1; /* the sub-share, behind what run it is of */
    assert_int_equal(crypto_box_easy(in[1] + 24, plain, 64, in[1],
                                     f->c->keys[0].box, two->secret->box),
                     0);
    assert_int_equal(sodium_mprotect_noaccess(two->secret), 0);
    assert_rc(vault_dkg_finish(f->c->v[0], &r, k->terms.session, boxes, 3),
              RC_CHEATER);
    assert_non_null(strstr(rc_text(), "node 2: "));
    memcpy(in[1], k->boxes[1][0], VAULT_BOX_LEN);
    assert_ok(vault_dkg_finish(f->c->v[0], &r, k->terms.session, boxes, 3));
}

/* An honest box, so it opens; but it says which run it is of. */
static void a_box_of_another_session_is_refused(void **state)
{
    struct fixture *f = *state;
    struct made_key *k = &f->key;
    struct made_key *other = calloc(1, sizeof(*other));
    uint8_t in[NODES][VAULT_BOX_LEN];
    const uint8_t(*boxes)[VAULT_BOX_LEN] = (const uint8_t(*)[VAULT_BOX_LEN])in;
    struct vault_dkg_result r;
    dkg_terms(other, 2, true);
    dkg_run(f->c, other);
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_begin(f->c->v[i], &k->packages[i], &k->terms));
    for (unsigned i = 0; i < NODES; i++)
        assert_ok(vault_dkg_deal(f->c->v[i], k->boxes[i], k->terms.session,
                                 k->packages, 3));
    for (unsigned i = 0; i < NODES; i++)
        memcpy(in[i], k->boxes[i][0], VAULT_BOX_LEN);
    memcpy(in[2], other->boxes[2][0], VAULT_BOX_LEN);
    assert_rc(vault_dkg_finish(f->c->v[0], &r, k->terms.session, boxes, 3),
              RC_VERIFY);
    assert_non_null(strstr(rc_text(), "node 3 is of another run"));
    memcpy(in[2], k->boxes[2][0], VAULT_BOX_LEN);
    assert_ok(vault_dkg_finish(f->c->v[0], &r, k->terms.session, boxes, 3));
    free(other);
}

static void too_many_dkgs_drop_the_oldest(void **state)
{
    struct fixture *f = *state;
    struct made_key *k = &f->key;
    struct frost_dealing p;
    for (unsigned i = 0; i < 3; i++)
        assert_ok(vault_dkg_begin(f->c->v[i], &k->packages[i], &k->terms));
    struct vault_dkg_terms flood = k->terms;
    for (unsigned i = 0; i < 64; i++) {
        memset(flood.session, (int)(100 + i), 32);
        assert_ok(vault_dkg_begin(f->c->v[0], &p, &flood));
    }
    assert_rc(vault_dkg_deal(f->c->v[0], k->boxes[0], k->terms.session,
                             k->packages, 3),
              RC_UNKNOWN);
    assert_ok(vault_dkg_deal(f->c->v[1], k->boxes[1], k->terms.session,
                             k->packages, 3));
}

/* ---- votes ---------------------------------------------------------------- */

static void prepared_share_cannot_sign(void **state)
{
    struct fixture *f = *state;
    struct vault_commitment out[1];
    dkg_run(f->c, &f->key);
    assert_rc(vault_commit(f->c->v[0], out, 1, f->key.key, 1, 1), RC_ORDER);
    dkg_vote(f->c, &f->key);
    assert_rc(vault_commit(f->c->v[0], out, 1, f->key.key, 1, 1), RC_ORDER);
    /* not even when the others are active */
    assert_ok(activate(f, 1, false));
    assert_ok(activate(f, 2, false));
    assert_rc(vault_commit(f->c->v[0], out, 1, f->key.key, 1, 1), RC_ORDER);
    assert_ok(activate(f, 0, false));
    signs(f);
}

static void prepared_share_signs_no_request(void **state)
{
    struct fixture *f = *state;
    struct made_key *other = calloc(1, sizeof(*other));
    key_make(f->c, other, 2, false);
    dkg_run(f->c, &f->key);
    dkg_vote(f->c, &f->key);
    /* nonces of an active key, a request for the prepared one */
    attempt_make(f->c, &f->a, other, msg, sizeof(msg));
    memcpy(f->a.intent.key, f->key.key, 32);
    attempt_publish(f->c, &f->a);
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_ORDER);
    free(other);
}

static void votes_of_strangers_do_not_activate(void **state)
{
    struct fixture *f = *state;
    struct made_key *k = &f->key;
    uint8_t pk[32], sk[64], bytes[TLOG_VOTE_MESSAGE_MAX];
    size_t len;
    dkg_run(f->c, k);
    dkg_vote(f->c, k);
    const struct made_key good = *k;
    /* a stranger's own valid signature in node 3's place */
    crypto_sign_keypair(pk, sk);
    memcpy(k->votes[2].identity, pk, 32);
    tlog_vote_message(bytes, &len, TLOG_VOTE_PREPARED, &k->epoch, 3,
                      k->votes[2].y);
    crypto_sign_detached(k->votes[2].sig, NULL, bytes, len, sk);
    assert_ok(tlog_votes_check(&k->epoch, TLOG_VOTE_PREPARED, k->votes, 3));
    assert_rc(activate(f, 0, false), RC_VERIFY);
    /* the same under node 3's name */
    memcpy(k->votes[2].identity, f->c->keys[2].identity, 32);
    assert_rc(activate(f, 0, false), RC_VERIFY);
    /* as a fourth node */
    *k = good;
    k->votes[2].node = 4;
    assert_rc(activate(f, 0, false), RC_VERIFY);
    /* one vote missing, though the terms say so too */
    *k = good;
    uint8_t ack[64];
    assert_rc(vault_activate(f->c->v[0], ack, &k->epoch, k->votes, 2, NULL, 0),
              RC_VERIFY);
    k->epoch.n = 2;
    assert_rc(vault_activate(f->c->v[0], ack, &k->epoch, k->votes, 2, NULL, 0),
              RC_VERIFY);
    /* one vote twice */
    *k = good;
    k->votes[2] = k->votes[1];
    assert_rc(activate(f, 0, false), RC_VERIFY);
    /* honest votes */
    *k = good;
    assert_ok(activate(f, 0, false));
    assert_ok(activate(f, 0, false)); /* again */
}

static void votes_over_other_terms_do_not_activate(void **state)
{
    struct fixture *f = *state;
    struct made_key *other = calloc(1, sizeof(*other));
    dkg_run(f->c, &f->key);
    dkg_vote(f->c, &f->key);
    dkg_terms(other, 2, true);
    dkg_run(f->c, other);
    dkg_vote(f->c, other);
    const struct made_key good = f->key;
    memcpy(f->key.votes, other->votes, sizeof(f->key.votes));
    assert_rc(activate(f, 0, false), RC_VERIFY);
    f->key = good;
    f->key.epoch.t = 3;
    assert_rc(activate(f, 0, false), RC_VERIFY);
    f->key = good;
    f->key.epoch.transcript[0] ^= 1;
    assert_rc(activate(f, 0, false), RC_VERIFY);
    f->key = good;
    f->key.votes[1].y[0] ^= 1;
    assert_rc(activate(f, 0, false), RC_VERIFY);
    f->key = good;
    assert_ok(activate(f, 0, false));
    free(other);
}

static void a_persistent_share_votes_only_when_it_came_back(void **state)
{
    struct fixture *f = *state;
    uint8_t vote[64];
    struct made_key *other = calloc(1, sizeof(*other));
    dkg_run(f->c, &f->key);
    dkg_terms(other, 2, true);
    dkg_run(f->c, other);
    const uint8_t *session = f->key.terms.session;
    struct vault *v = f->c->v[0];
    assert_rc(vault_vote(v, vote, session, NULL, 0), RC_ORDER);
    assert_rc(vault_vote(v, vote, session, other->result[0].sealed,
                         other->result[0].sealed_len),
              RC_STORE);
    assert_rc(vault_vote(v, vote, session, f->key.result[1].sealed,
                         f->key.result[1].sealed_len),
              RC_STORE);
    assert_ok(vault_vote(v, vote, session, f->key.result[0].sealed,
                         f->key.result[0].sealed_len));
    uint8_t unknown[32] = { 3 };
    assert_rc(vault_vote(v, vote, unknown, NULL, 0), RC_UNKNOWN);
    free(other);
}

/* ---- at rest ---------------------------------------------------------------- */

static void restart_keeps_identity_roster_and_shares(void **state)
{
    struct fixture *f = *state;
    struct vault_keys before[NODES];
    key_make(f->c, &f->key, 1, true);
    signs(f);
    memcpy(before, f->c->keys, sizeof(before));
    struct attempt old;
    attempt_make(f->c, &old, &f->key, msg, sizeof(msg));
    attempt_publish(f->c, &old);
    for (unsigned i = 0; i < NODES; i++) {
        node_start(f->c, i);
        node_open(f->c, i);
        assert_memory_equal(f->c->keys[i].identity, before[i].identity, 32);
        assert_memory_equal(f->c->keys[i].box, before[i].box, 32);
        assert_true(f->c->keys[i].has_roster);
        assert_memory_not_equal(f->c->keys[i].boot, before[i].boot, 16);
        assert_rc(activate(f, i, false), RC_UNKNOWN); /* no share by itself */
        assert_ok(activate(f, i, true));
    }
    /* commitments died with the process, the share did not */
    assert_rc(attempt_sign(f->c, &f->reply, &old, &f->key, 0), RC_UNKNOWN);
    signs(f);
}

static void sealed_share_opens_only_on_the_same_node_and_key(void **state)
{
    struct fixture *f = *state;
    uint8_t ack[64];
    struct made_key *other = calloc(1, sizeof(*other));
    key_make(f->c, &f->key, 1, true);
    key_make(f->c, other, 2, true);
    node_start(f->c, 0);
    node_open(f->c, 0);
    /* node 2's share, and another key's, in ours' place */
    assert_rc(vault_activate(f->c->v[0], ack, &f->key.epoch, f->key.votes, 3,
                             f->key.result[1].sealed,
                             f->key.result[1].sealed_len),
              RC_STORE);
    assert_rc(vault_activate(f->c->v[0], ack, &f->key.epoch, f->key.votes, 3,
                             other->result[0].sealed,
                             other->result[0].sealed_len),
              RC_STORE);
    assert_ok(activate(f, 0, true));
    /* the same node's keys on another chip never open, so neither do these */
    f->c->seal_key[0][0] ^= 1;
    node_start(f->c, 0);
    size_t len = f->c->sealed_len[0];
    assert_rc(vault_open(f->c->v[0], &f->c->keys[0], f->c->sealed[0], &len),
              RC_UNKNOWN);
    free(other);
}

static void flipped_bit_in_a_sealed_share_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t ack[64];
    uint8_t sealed[VAULT_SEALED_SHARE_MAX + 1];
    key_make(f->c, &f->key, 1, true);
    const struct vault_dkg_result *r = &f->key.result[0];
    node_start(f->c, 0);
    node_open(f->c, 0);
    assert_memory_equal(r->sealed, "MSH1", 4);
    for (size_t i = 0; i < r->sealed_len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(sealed, r->sealed, r->sealed_len);
            sealed[i] ^= (uint8_t)(1u << bit);
            enum rc rc = vault_activate(f->c->v[0], ack, &f->key.epoch,
                                        f->key.votes, 3, sealed, r->sealed_len);
            if (rc != RC_STORE)
                fail_msg("byte %zu bit %u: %s", i, bit, rc_slug(rc));
        }
    memcpy(sealed, r->sealed, r->sealed_len);
    sealed[r->sealed_len] = 0;
    assert_rc(vault_activate(f->c->v[0], ack, &f->key.epoch, f->key.votes, 3,
                             sealed, r->sealed_len + 1),
              RC_STORE);
    assert_rc(vault_activate(f->c->v[0], ack, &f->key.epoch, f->key.votes, 3,
                             sealed, r->sealed_len - 1),
              RC_STORE);
    assert_ok(activate(f, 0, true));
}

static void nothing_sealed_or_answered_holds_the_share(void **state)
{
    struct fixture *f = *state;
    /* two sealings of nearly the same header: ciphertexts share nothing */
    key_make(f->c, &f->key, 1, true);
    const struct vault_dkg_result *r = f->key.result;
    for (unsigned i = 1; i < NODES; i++)
        assert_memory_not_equal(r[0].sealed + 260, r[i].sealed + 260, 32);
    /* the plaintext's second half is public: it must not show */
    struct bytes_writer w;
    uint8_t buf[256], members[32];
    w = bytes_writer(buf, sizeof(buf));
    bytes_put_tag(&w, "mpc/members/v1");
    for (unsigned i = 0; i < NODES; i++) {
        bytes_put_u16(&w, (uint16_t)(i + 1));
        bytes_put(&w, r[0].ys[i], 32);
    }
    hash256(members, buf, w.len);
    assert_null(memmem(r[0].sealed, r[0].sealed_len, members, 32));
}

static const enum mode spawned = SPAWNED;
static const enum mode local = LOCAL;

#define T(name, mode)                                                          \
    {                                                                          \
#name, name, setup, teardown, (void *)(uintptr_t)&mode                 \
    }
#define ALL(mode)                                                              \
    T(a_made_key_signs, mode), T(transcript_is_that_of_the_format, mode),      \
            T(a_session_begins_once, mode),                                    \
            T(terms_out_of_bounds_are_refused, mode),                          \
            T(a_bad_package_names_its_dealer, mode),                           \
            T(a_bad_box_names_its_dealer, mode),                               \
            T(a_wrong_sub_share_names_its_dealer, mode),                       \
            T(a_wrong_sub_share_names_its_dealer, mode),                       \
            T(a_box_of_another_session_is_refused, mode),                      \
            T(too_many_dkgs_drop_the_oldest, mode),                            \
            T(prepared_share_cannot_sign, mode),                               \
            T(prepared_share_signs_no_request, mode),                          \
            T(votes_of_strangers_do_not_activate, mode),                       \
            T(votes_over_other_terms_do_not_activate, mode),                   \
            T(a_persistent_share_votes_only_when_it_came_back, mode),          \
            T(restart_keeps_identity_roster_and_shares, mode),                 \
            T(sealed_share_opens_only_on_the_same_node_and_key, mode),         \
            T(flipped_bit_in_a_sealed_share_is_refused, mode),                 \
            T(nothing_sealed_or_answered_holds_the_share, mode)

int main(void)
{
    const struct CMUnitTest in_child[] = { ALL(spawned) };
    const struct CMUnitTest in_process[] = { ALL(local) };
    int failed = cmocka_run_group_tests_name("spawned", in_child, NULL, NULL);
    return failed +
           cmocka_run_group_tests_name("local", in_process, NULL, NULL);
}

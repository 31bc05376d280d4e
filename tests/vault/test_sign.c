/* SPDX-License-Identifier: Apache-2.0 */
/* The promise: no share without everything that must hold before it. */
#include "cluster.h"

#include "base/clock.h"
#include "base/hash.h"

static const char msg[] = "release 1.0";
#define MSG msg, sizeof(msg)

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
    key_make(f->c, &f->key, 1, false);
    attempt_make(f->c, &f->a, &f->key, MSG);
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

/*
 * Refused, and nothing lost: the same nonces sign under an honest intent.
 */
static void refused_then_signs(struct fixture *f, enum rc want)
{
    struct attempt fresh;
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), want);
    struct attempt honest = f->a;
    attempt_make(f->c, &fresh, &f->key, MSG);
    honest.intent = fresh.intent;
    honest.msg = fresh.msg;
    honest.msg_len = fresh.msg_len;
    attempt_publish(f->c, &honest);
    assert_ok(attempt_sign(f->c, &f->reply, &honest, &f->key, 0));
}

static void signature_verifies_and_head_is_cosigned(void **state)
{
    struct fixture *f = *state;
    struct tlog_vkey node1;
    struct tlog_checkpoint cp;
    attempt_publish(f->c, &f->a);
    attempt_finish(f->c, &f->a, &f->key);

    attempt_make(f->c, &f->a, &f->key, MSG);
    attempt_publish(f->c, &f->a);
    assert_ok(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0));
    assert_true(f->reply.cosigned);
    assert_ok(tlog_vkey_make(&node1, "vault.test/node1", TLOG_SIG_COSIGNATURE,
                             f->c->keys[0].identity));
    assert_ok(tlog_proof_check(&f->a.proof, &f->c->log.vkey, &cp));
    int64_t at = 0;
    assert_ok(tlog_cosignature_check(f->reply.cosignature, &cp, &node1, &at));
    assert_true(at > 0 && at <= clock_now_s());
}

static void refuses_without_proof(void **state)
{
    struct fixture *f = *state;
    char entry[TLOG_ENTRY_MAX + 1];
    size_t len;
    static const char other[] = "another entry";
    /* never logged: proven with the path of another entry */
    log_append(&f->c->log, other, sizeof(other));
    log_append(&f->c->log, other, sizeof(other));
    assert_ok(tlog_intent_encode(entry, &len, &f->a.intent));
    log_prove(&f->c->log, &f->a.proof, entry, len, 1);
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_LOG);
    /* logged, but the path is missing */
    attempt_publish(f->c, &f->a);
    struct tlog_proof whole = f->a.proof;
    f->a.proof.path.n = 0;
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_LOG);
    /* no checkpoint */
    f->a.proof = whole;
    f->a.proof.checkpoint[0] = '\0';
    enum rc rc = attempt_sign(f->c, &f->reply, &f->a, &f->key, 0);
    assert_true(rc == RC_PARSE || rc == RC_LOG);
    /* no entry at all */
    f->a.proof = whole;
    f->a.proof.entry_len = 0;
    refused_then_signs(f, RC_PARSE);
}

static void refuses_another_messages_proof(void **state)
{
    struct fixture *f = *state;
    static const char evil[] = "release 6.66";
    attempt_publish(f->c, &f->a);
    f->a.msg = (const uint8_t *)evil;
    f->a.msg_len = sizeof(evil);
    refused_then_signs(f, RC_VERIFY);
}

static void refuses_another_salt(void **state)
{
    struct fixture *f = *state;
    attempt_publish(f->c, &f->a);
    f->a.salt[0] ^= 1;
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_VERIFY);
}

static void refuses_another_logs_checkpoint(void **state)
{
    struct fixture *f = *state;
    struct test_log *stranger = calloc(1, sizeof(*stranger));
    struct test_log mine = f->c->log;
    log_init(stranger, 2);
    f->c->log = *stranger;
    attempt_publish(f->c, &f->a);
    f->c->log = mine;
    free(stranger);
    refused_then_signs(f, RC_LOG);
}

static void refuses_an_intent_of_another_key(void **state)
{
    struct fixture *f = *state;
    struct made_key *other = calloc(1, sizeof(*other));
    key_make(f->c, other, 2, true);
    memcpy(f->a.intent.key, other->key, 32);
    attempt_publish(f->c, &f->a);
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_VERIFY);
    /* asked for that key: the nonce was made for the first */
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, other, 0), RC_CONFLICT);
    /* a key nobody has */
    memset(f->a.intent.key, 9, 32);
    memset(other->key, 9, 32);
    attempt_publish(f->c, &f->a);
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, other, 0), RC_UNKNOWN);
    free(other);
    refused_then_signs(f, RC_VERIFY);
}

static void refuses_an_intent_of_another_epoch(void **state)
{
    struct fixture *f = *state;
    f->a.intent.epoch = 2;
    attempt_publish(f->c, &f->a);
    f->key.terms.epoch = 2; /* the request agrees, the share does not */
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_EPOCH_MOVED);
    f->key.terms.epoch = 1;
    refused_then_signs(f, RC_EPOCH_MOVED);
}

static void refuses_an_intent_of_another_signer_set(void **state)
{
    struct fixture *f = *state;
    uint8_t ids[2][32];
    memcpy(ids[0], f->c->keys[0].identity, 32);
    memcpy(ids[1], f->c->keys[2].identity, 32); /* 1 and 3, not 2 */
    tlog_participants(f->a.intent.participants, (const uint8_t(*)[32])ids, 2);
    attempt_publish(f->c, &f->a);
    refused_then_signs(f, RC_POLICY);
}

static void refuses_a_package_that_is_not_of_members(void **state)
{
    struct fixture *f = *state;
    attempt_publish(f->c, &f->a);
    const struct attempt good = f->a;
    /* below the threshold, with an intent that says so too */
    f->a.n = 1;
    tlog_participants(f->a.intent.participants,
                      (const uint8_t(*)[32])f->c->keys[0].identity, 1);
    attempt_publish(f->c, &f->a);
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_POLICY);
    /* not in the roster */
    f->a = good;
    f->a.signers[1].node = 9;
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_POLICY);
    /* one signer twice */
    f->a = good;
    f->a.signers[1] = f->a.signers[0];
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_POLICY);
    /* without us */
    f->a = good;
    f->a.signers[0].node = 2;
    f->a.signers[1].node = 3;
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_POLICY);
    f->a = good;
    attempt_finish(f->c, &f->a, &f->key);
}

static void refuses_an_expired_intent(void **state)
{
    struct fixture *f = *state;
    f->a.intent.expires = clock_now_s() - 1;
    attempt_publish(f->c, &f->a);
    refused_then_signs(f, RC_EXPIRED);
}

static void refuses_an_intent_that_stays_good_too_long(void **state)
{
    struct fixture *f = *state;
    f->a.intent.expires = clock_now_s() + 3600;
    attempt_publish(f->c, &f->a);
    refused_then_signs(f, RC_EXPIRED);
}

static void refuses_a_used_nonce(void **state)
{
    struct fixture *f = *state;
    struct attempt next;
    attempt_publish(f->c, &f->a);
    assert_ok(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0));
    /* everything new and honest but the nonce */
    attempt_make(f->c, &next, &f->key, MSG);
    next.intent.attempt = 2;
    attempt_publish(f->c, &next);
    next.own[0] = f->a.own[0];
    memcpy(next.signers[0].hiding, f->a.signers[0].hiding, 32);
    memcpy(next.signers[0].binding, f->a.signers[0].binding, 32);
    assert_rc(attempt_sign(f->c, &f->reply, &next, &f->key, 0), RC_CONFLICT);
}

static void refuses_a_nonce_never_handed_out(void **state)
{
    struct fixture *f = *state;
    attempt_publish(f->c, &f->a);
    for (unsigned i = 0; i < VAULT_NONCE_ID_LEN; i++) {
        struct attempt bad = f->a;
        bad.own[0].nonce_id[i] ^= 1;
        assert_rc(attempt_sign(f->c, &f->reply, &bad, &f->key, 0), RC_UNKNOWN);
    }
    assert_ok(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0));
}

static void a_long_spent_nonce_is_known_as_spent(void **state)
{
    struct fixture *f = *state;
    struct attempt first = f->a;
    attempt_publish(f->c, &first);
    assert_ok(attempt_sign(f->c, &f->reply, &first, &f->key, 0));
    for (unsigned i = 0; i < 256; i++) { /* its answer falls out of memory */
        attempt_make(f->c, &f->a, &f->key, MSG);
        attempt_publish(f->c, &f->a);
        assert_ok(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0));
    }
    attempt_publish(f->c, &first);
    assert_rc(attempt_sign(f->c, &f->reply, &first, &f->key, 0), RC_ORDER);
}

static void refuses_a_second_package_for_a_nonce(void **state)
{
    struct fixture *f = *state;
    struct attempt second = f->a;
    struct vault_commitment other;
    attempt_publish(f->c, &f->a);
    second.proof = f->a.proof;
    assert_ok(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0));
    /* same message and intent; node 2 shows another commitment */
    assert_ok(vault_commit(f->c->v[1], &other, 1, f->key.key, 1, 1));
    memcpy(second.signers[1].hiding, other.hiding, 32);
    memcpy(second.signers[1].binding, other.binding, 32);
    assert_rc(attempt_sign(f->c, &f->reply, &second, &f->key, 0), RC_CONFLICT);
}

static void refuses_our_commitment_altered(void **state)
{
    struct fixture *f = *state;
    attempt_publish(f->c, &f->a);
    const struct attempt good = f->a;
    memcpy(f->a.signers[0].hiding, good.signers[1].hiding, 32);
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_CONFLICT);
    f->a = good;
    memcpy(f->a.signers[0].binding, good.signers[1].binding, 32);
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_CONFLICT);
    f->a = good;
    attempt_finish(f->c, &f->a, &f->key);
}

static void refuses_a_nonce_of_another_lead(void **state)
{
    struct fixture *f = *state;
    attempt_publish(f->c, &f->a);
    f->a.lead = 2;
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_CONFLICT);
    f->a.lead = 1; /* nothing was spent by the stranger's try */
    attempt_finish(f->c, &f->a, &f->key);
}

static void same_request_gets_the_same_answer(void **state)
{
    struct fixture *f = *state;
    struct vault_sign_reply again;
    attempt_publish(f->c, &f->a);
    const struct vault_sign_request q = attempt_request(f->c, &f->a, &f->key,
                                                        0);
    assert_ok(vault_sign(f->c->v[0], &f->reply, &q));
    for (unsigned i = 0; i < 3; i++) {
        memset(&again, 0xFF, sizeof(again));
        assert_ok(vault_sign(f->c->v[0], &again, &q));
        assert_memory_equal(again.share, f->reply.share, 32);
        assert_true(again.cosigned);
        assert_string_equal(again.cosignature, f->reply.cosignature);
    }
    /* one bit of another request is not the same request */
    struct vault_sign_request other = q;
    other.salt[31] ^= 1;
    assert_rc(vault_sign(f->c->v[0], &again, &other), RC_CONFLICT);
}

static void a_failed_share_is_never_tried_again(void **state)
{
    struct fixture *f = *state;
    attempt_publish(f->c, &f->a);
    struct attempt bad = f->a;
    memset(bad.signers[1].hiding, 0xFF, 32); /* not a point */
    assert_rc(attempt_sign(f->c, &f->reply, &bad, &f->key, 0), RC_PARSE);
    assert_rc(attempt_sign(f->c, &f->reply, &bad, &f->key, 0), RC_PARSE);
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_CONFLICT);
}

/* ---- heads -------------------------------------------------------------- */

static void refuses_a_checkpoint_that_goes_back(void **state)
{
    struct fixture *f = *state;
    struct attempt late;
    attempt_make(f->c, &late, &f->key, MSG);
    attempt_publish(f->c, &late); /* size 1 */
    attempt_publish(f->c, &f->a); /* size 2 */
    assert_ok(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0));
    /* size 1 was never a head of ours: it is behind, and nothing is lost */
    struct vault_sign_request q = attempt_request(f->c, &late, &f->key, 0);
    q.consistency = NULL;
    assert_rc(vault_sign(f->c->v[0], &f->reply, &q), RC_HEAD_BEHIND);
    /* with a proof that it leads to our head it passes, not cosigned */
    log_consistency(&f->c->log, &late.consistency, 1, 2);
    q.consistency = &late.consistency;
    assert_ok(vault_sign(f->c->v[0], &f->reply, &q));
    assert_false(f->reply.cosigned);
}

static void an_older_head_of_ours_passes_without_cosignature(void **state)
{
    struct fixture *f = *state;
    struct attempt old, next;
    attempt_make(f->c, &old, &f->key, MSG);
    attempt_make(f->c, &next, &f->key, MSG);
    attempt_publish(f->c, &f->a); /* size 1, accepted below */
    old.proof = f->a.proof;
    assert_ok(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0));
    attempt_publish(f->c, &next);
    assert_ok(attempt_sign(f->c, &f->reply, &next, &f->key, 0));
    assert_true(f->reply.cosigned);
    assert_ok(attempt_sign(f->c, &f->reply, &old, &f->key, 0));
    assert_false(f->reply.cosigned);
}

static void a_proof_from_an_older_head_is_behind_not_a_fork(void **state)
{
    struct fixture *f = *state;
    struct attempt b, c;
    attempt_make(f->c, &b, &f->key, MSG);
    attempt_make(f->c, &c, &f->key, MSG);
    attempt_publish(f->c, &f->a);
    assert_ok(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0));
    attempt_publish(f->c, &b);
    assert_ok(attempt_sign(f->c, &f->reply, &b, &f->key, 0));
    attempt_publish(f->c, &c);
    f->c->head[0] = 1; /* what the lead last saw */
    assert_rc(attempt_sign(f->c, &f->reply, &c, &f->key, 0), RC_HEAD_BEHIND);
    f->c->head[0] = 2;
    assert_ok(attempt_sign(f->c, &f->reply, &c, &f->key, 0));
}

static void refuses_a_log_that_forks(void **state)
{
    struct fixture *f = *state;
    static const char other[] = "forked";
    struct attempt b;
    attempt_make(f->c, &b, &f->key, MSG);
    b.intent.attempt = 2;
    attempt_publish(f->c, &f->a);
    assert_ok(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0));
    /* the same log key over another history, same size and larger */
    tlog_leaf_hash(&f->c->log.leaf[0], other, sizeof(other));
    f->c->log.n = 0;
    attempt_publish(f->c, &b);
    assert_rc(attempt_sign(f->c, &f->reply, &b, &f->key, 0), RC_LOG);
    attempt_publish(f->c, &b);
    assert_rc(attempt_sign(f->c, &f->reply, &b, &f->key, 0), RC_LOG);
    /* larger without any proof */
    struct vault_sign_request q = attempt_request(f->c, &b, &f->key, 0);
    q.consistency = NULL;
    assert_rc(vault_sign(f->c->v[0], &f->reply, &q), RC_LOG);
}

/* The log's note of a size, with node 1's cosignature. */
static void cosigned_note(struct fixture *f, char note[TLOG_NOTE_MAX],
                          struct attempt *a)
{
    attempt_publish(f->c, a);
    assert_ok(attempt_sign(f->c, &f->reply, a, &f->key, 0));
    assert_true(f->reply.cosigned);
    log_note(&f->c->log, note, f->c->log.n);
    assert_ok(tlog_note_add(note, TLOG_NOTE_MAX, f->reply.cosignature));
}

static void head_from_before_a_restart_never_goes_back(void **state)
{
    struct fixture *f = *state;
    char one[TLOG_NOTE_MAX], two[TLOG_NOTE_MAX], bare[TLOG_NOTE_MAX];
    struct attempt b;
    struct vault *v;
    attempt_make(f->c, &b, &f->key, MSG);
    cosigned_note(f, one, &f->a);
    cosigned_note(f, two, &b);
    log_note(&f->c->log, bare, 2);
    /* restart: keys and roster come back, the head does not by itself */
    node_start(f->c, 0);
    node_open(f->c, 0);
    v = f->c->v[0];
    assert_rc(vault_head_set(v, bare, strlen(bare)), RC_VERIFY);
    two[0] ^= 1;
    assert_rc(vault_head_set(v, two, strlen(two)), RC_LOG);
    two[0] ^= 1;
    assert_ok(vault_head_set(v, two, strlen(two)));
    assert_ok(vault_head_set(v, two, strlen(two)));
    assert_rc(vault_head_set(v, one, strlen(one)), RC_HEAD_BEHIND);
    f->c->head[0] = 2;
    /* another root of that size is a fork from the first request on */
    struct made_key *k = calloc(1, sizeof(*k));
    key_make(f->c, k, 3, false);
    attempt_make(f->c, &b, k, MSG);
    f->c->log.n = 1;
    attempt_publish(f->c, &b);
    assert_rc(attempt_sign(f->c, &f->reply, &b, k, 0), RC_LOG);
    free(k);
    /* once there is a head, only proofs move it */
    node_start(f->c, 0);
    node_open(f->c, 0);
    v = f->c->v[0];
    assert_ok(vault_head_set(v, one, strlen(one)));
    assert_rc(vault_head_set(v, two, strlen(two)), RC_ORDER);
}

/* ---- pool --------------------------------------------------------------- */

static void a_lead_beyond_its_part_loses_its_own_oldest(void **state)
{
    struct fixture *f = *state;
    struct vault_commitment out[VAULT_MAX_COMMIT];
    struct attempt theirs;
    /* one nonce reserved to lead 2 survives whatever lead 1 asks for */
    attempt_make(f->c, &theirs, &f->key, MSG);
    assert_ok(vault_commit(f->c->v[0], &theirs.own[0], 1, f->key.key, 1, 2));
    memcpy(theirs.signers[0].hiding, theirs.own[0].hiding, 32);
    memcpy(theirs.signers[0].binding, theirs.own[0].binding, 32);
    theirs.lead = 2;
    for (unsigned i = 0; i < 4096 / NODES / VAULT_MAX_COMMIT + 1; i++)
        assert_ok(vault_commit(f->c->v[0], out, VAULT_MAX_COMMIT, f->key.key, 1,
                               1));
    attempt_publish(f->c, &f->a);
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_ORDER);
    attempt_publish(f->c, &theirs);
    assert_ok(attempt_sign(f->c, &f->reply, &theirs, &f->key, 0));
}

static void commit_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct vault_commitment out[1];
    assert_rc(vault_commit(f->c->v[0], out, 0, f->key.key, 1, 1), RC_ARG);
    assert_rc(vault_commit(f->c->v[0], out, VAULT_MAX_COMMIT + 1, f->key.key, 1,
                           1),
              RC_ARG);
    /* a lead nobody knows */
    assert_rc(vault_commit(f->c->v[0], out, 1, f->key.key, 1, 77), RC_UNKNOWN);
    assert_rc(vault_commit(f->c->v[0], out, 1, f->key.key, 2, 1),
              RC_EPOCH_MOVED);
}

static void a_forgotten_key_signs_no_more(void **state)
{
    struct fixture *f = *state;
    attempt_publish(f->c, &f->a);
    assert_ok(vault_forget(f->c->v[0], f->key.key, 1));
    assert_ok(vault_forget(f->c->v[0], f->key.key, 1));
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_UNKNOWN);
}

/* ---- messages ------------------------------------------------------------ */

static void message_of_any_size_signs(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = { 0, 1, 65536, 65537, 1u << 20 };
    uint8_t *big = malloc(1u << 20);
    memset(big, 0x42, 1u << 20);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        attempt_make(f->c, &f->a, &f->key, big, sizes[i]);
        attempt_publish(f->c, &f->a);
        attempt_finish(f->c, &f->a, &f->key);
    }
    free(big);
}

static void large_message_arrives_by_sealed_memfd(void **state)
{
    struct fixture *f = *state;
    uint8_t *big = malloc(VAULT_MAX_MESSAGE + 1);
    for (size_t i = 0; i <= VAULT_MAX_MESSAGE; i++)
        big[i] = (uint8_t)(i * 31 + (i >> 12));
    attempt_make(f->c, &f->a, &f->key, big, VAULT_MAX_MESSAGE);
    attempt_publish(f->c, &f->a);
    attempt_finish(f->c, &f->a, &f->key);
    /* one byte more is too much */
    attempt_make(f->c, &f->a, &f->key, big, VAULT_MAX_MESSAGE + 1);
    attempt_publish(f->c, &f->a);
    assert_rc(attempt_sign(f->c, &f->reply, &f->a, &f->key, 0), RC_TOO_LARGE);
    free(big);
}

static const enum mode spawned = SPAWNED;
static const enum mode local = LOCAL;

#define T(name, mode)                                                          \
    {                                                                          \
#name, name, setup, teardown, (void *)(uintptr_t)&mode                 \
    }
#define ALL(mode)                                                              \
    T(signature_verifies_and_head_is_cosigned, mode),                          \
            T(refuses_without_proof, mode),                                    \
            T(refuses_another_messages_proof, mode),                           \
            T(refuses_another_salt, mode),                                     \
            T(refuses_another_logs_checkpoint, mode),                          \
            T(refuses_an_intent_of_another_key, mode),                         \
            T(refuses_an_intent_of_another_epoch, mode),                       \
            T(refuses_an_intent_of_another_signer_set, mode),                  \
            T(refuses_a_package_that_is_not_of_members, mode),                 \
            T(refuses_an_expired_intent, mode),                                \
            T(refuses_an_intent_that_stays_good_too_long, mode),               \
            T(refuses_a_used_nonce, mode),                                     \
            T(refuses_a_nonce_never_handed_out, mode),                         \
            T(a_long_spent_nonce_is_known_as_spent, mode),                     \
            T(refuses_a_second_package_for_a_nonce, mode),                     \
            T(refuses_our_commitment_altered, mode),                           \
            T(refuses_a_nonce_of_another_lead, mode),                          \
            T(same_request_gets_the_same_answer, mode),                        \
            T(a_failed_share_is_never_tried_again, mode),                      \
            T(refuses_a_checkpoint_that_goes_back, mode),                      \
            T(an_older_head_of_ours_passes_without_cosignature, mode),         \
            T(a_proof_from_an_older_head_is_behind_not_a_fork, mode),          \
            T(refuses_a_log_that_forks, mode),                                 \
            T(head_from_before_a_restart_never_goes_back, mode),               \
            T(a_lead_beyond_its_part_loses_its_own_oldest, mode),              \
            T(commit_is_bounded, mode),                                        \
            T(a_forgotten_key_signs_no_more, mode),                            \
            T(message_of_any_size_signs, mode),                                \
            T(large_message_arrives_by_sealed_memfd, mode)

int main(void)
{
    const struct CMUnitTest in_child[] = { ALL(spawned) };
    const struct CMUnitTest in_process[] = { ALL(local) };
    int failed = cmocka_run_group_tests_name("spawned", in_child, NULL, NULL);
    return failed +
           cmocka_run_group_tests_name("local", in_process, NULL, NULL);
}

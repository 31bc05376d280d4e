/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "fixture.h"

#include "base/hash.h"

/* A chain and one proposal on its way in. */
struct town {
    struct policy_chain *chain;
    char *text; /* of the proposed version */
    char descriptor[POLICY_DESCRIPTOR_MAX];
    struct tlog_blob descriptor_blob;
    struct policy_session s;
    struct fx_record request;
    struct fx_record yes[2];
    struct tlog_blob approvals[2];
    struct policy *next;
    struct policy_approved approved;
    struct tlog_proof proof;
};

static int town_new(void **state)
{
    struct town *t = calloc(1, sizeof(*t));
    if (!t)
        return -1;
    json_t *j = fx_policy_json(1, fx_zeros);
    char *text = fx_text(j);
    uint8_t hash[32];
    hash256(hash, text, strlen(text));
    assert_ok(policy_chain_new(&t->chain, text, strlen(text), hash));
    free(text);
    json_decref(j);
    *state = t;
    return 0;
}

static int town_free(void **state)
{
    struct town *t = *state;
    policy_free(t->next);
    policy_chain_free(t->chain);
    free(t->text);
    free(t);
    return 0;
}

static const struct policy *at(const struct town *t, uint64_t version)
{
    return policy_chain_at(t->chain, version);
}

/* dev proposes these bytes under `parent`, bob and carol agree. */
static void agree(struct town *t, const struct policy *parent)
{
    size_t len = 0;
    t->s = fx_session(parent, POLICY_S_POLICY, NULL);
    memcpy(t->s.cluster, policy_chain_genesis(t->chain), 32);
    policy_session_artifact(&t->s, "policy.json", t->text, strlen(t->text));
    fx_seal(&t->s, t->descriptor, &len);
    t->descriptor_blob = (struct tlog_blob){ (const uint8_t *)t->descriptor,
                                             len };
    fx_record(&t->request, t->s.id, POLICY_D_REQUEST, "requester", "dev");
    t->approvals[0] = fx_record(&t->yes[0], t->s.id, POLICY_D_APPROVE,
                                "steward", "bob");
    t->approvals[1] = fx_record(&t->yes[1], t->s.id, POLICY_D_APPROVE,
                                "steward", "carol");
}

/* A version after `parent`, with one change. */
static void propose(struct town *t, const struct policy *parent,
                    const char *path, const char *value)
{
    json_t *j = fx_policy_json((unsigned)parent->version + 1, parent->sha256);
    if (path)
        fx_patch(j, path, value);
    free(t->text);
    t->text = fx_text(j);
    json_decref(j);
    agree(t, parent);
}

static enum rc check(struct town *t)
{
    policy_free(t->next);
    t->next = NULL;
    return policy_chain_check(&t->next, &t->approved, t->chain, t->text,
                              strlen(t->text), &t->descriptor_blob,
                              &t->request.blob, t->approvals, 2, FX_NOW);
}

/* The entry of t->next at index 0 or 1 of a log of two. */
static void log_it(struct town *t, unsigned index, const char *log_name)
{
    struct tlog_policy entry;
    struct tlog_vkey vkey;
    uint8_t sk[64];
    assert_ok(policy_entry(&entry, t->next, &t->approved));
    assert_ok(tlog_policy_encode(t->proof.entry, &t->proof.entry_len, &entry));
    struct tlog_hash leaf, other, root;
    tlog_leaf_hash(&leaf, t->proof.entry, t->proof.entry_len);
    tlog_leaf_hash(&other, "other", 5);
    tlog_node_hash(&root, index ? &other : &leaf, index ? &leaf : &other);
    t->proof.index = index;
    t->proof.path.n = 1;
    t->proof.path.hash[0] = other;
    fx_log(&vkey, sk, log_name);
    struct tlog_checkpoint cp = { .size = 2, .root = root };
    strcpy(cp.origin, vkey.name);
    assert_ok(tlog_checkpoint_sign(
            t->proof.checkpoint, sizeof(t->proof.checkpoint), &cp, &vkey, sk));
}

static enum rc take(struct town *t)
{
    enum rc rc = policy_chain_take(t->chain, t->next, &t->approved, &t->proof);
    if (rc == RC_OK)
        t->next = NULL;
    return rc;
}

static void enact(struct town *t, const char *path, const char *value,
                  unsigned index)
{
    propose(t, policy_chain_head(t->chain), path, value);
    assert_ok(check(t));
    log_it(t, index, "log");
    assert_ok(take(t));
}

static void versions_follow_each_other(void **state)
{
    struct town *t = *state;
    enact(t, NULL, NULL, 0);
    assert_int_equal(policy_chain_head(t->chain)->version, 2);
    enact(t, "steward_rule.steward", "1", 1);
    const struct policy *head = policy_chain_head(t->chain);
    assert_int_equal(head->version, 3);
    assert_ptr_equal(policy_chain_by_hash(t->chain, head->sha256), head);
    assert_ptr_equal(at(t, 3), head);
    assert_memory_equal(policy_chain_genesis(t->chain), at(t, 1)->sha256, 32);
    assert_null(at(t, 0));
    assert_null(at(t, 4));
    assert_null(policy_chain_by_hash(t->chain, fx_zeros));
}

static void genesis_is_the_pinned_one(void **state)
{
    struct town *t = *state;
    const struct policy *p = at(t, 1);
    struct policy_chain *c = NULL;
    uint8_t pin[32];
    memcpy(pin, p->sha256, 32);
    pin[31] ^= 1;
    assert_rc(policy_chain_new(&c, p->bytes, p->bytes_len, pin), RC_POLICY);
    json_t *j = fx_policy_json(2, pin);
    char *text = fx_text(j);
    hash256(pin, text, strlen(text));
    assert_rc(policy_chain_new(&c, text, strlen(text), pin), RC_POLICY);
    assert_null(c);
    free(text);
    json_decref(j);
}

static void what_does_not_fit_the_chain_is_refused(void **state)
{
    struct town *t = *state;
    static const struct {
        const char *why;
        const char *path;
        const char *value;
        enum rc rc;
    } cases[] = {
        { "a version skipped", "version", "4", RC_ORDER },
        { "a wrong prev", "prev",
          "\"000000000000000000000000000000000000000000000000000000000000000"
          "1\"",
          RC_POLICY },
        { "another cluster", "cluster", "\"prod\"", RC_POLICY },
        { "a policy that is none", "steward_rule.steward", "9", RC_POLICY },
    };
    enact(t, NULL, NULL, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        propose(t, at(t, 2), cases[i].path, cases[i].value);
        enum rc rc = check(t);
        if (rc != cases[i].rc || t->next)
            fail_msg("%s: %s (%s)", cases[i].why, rc_slug(rc), rc_text());
    }
    /* the version held, once more */
    propose(t, at(t, 1), NULL, NULL);
    assert_rc(check(t), RC_EXISTS);
}

static void the_log_key_never_changes(void **state)
{
    struct town *t = *state;
    struct tlog_vkey other;
    uint8_t sk[64];
    char text[TLOG_VKEY_MAX], quoted[TLOG_VKEY_MAX + 2];
    fx_log(&other, sk, "another log");
    snprintf(quoted, sizeof(quoted), "\"%s\"", tlog_vkey_text(text, &other));
    enact(t, NULL, NULL, 1);
    propose(t, at(t, 2), "log", quoted);
    assert_rc(check(t), RC_POLICY);
    /* not even in a rival of version 2 */
    propose(t, at(t, 1), "log", quoted);
    assert_rc(check(t), RC_POLICY);
}

static void the_stewards_of_the_version_before_decide(void **state)
{
    struct town *t = *state;
    enact(t, "persons.3.roles", "[]", 0); /* bob is no steward any more */
    propose(t, at(t, 2), NULL, NULL);
    assert_rc(check(t), RC_POLICY);
    t->approvals[0] = fx_record(&t->yes[0], t->s.id, POLICY_D_APPROVE,
                                "steward", "erin");
    assert_ok(check(t));
    /* one alone is not enough */
    t->approvals[0] = t->approvals[1];
    assert_rc(check(t), RC_NOT_APPROVED);
}

static void the_session_must_be_about_these_bytes(void **state)
{
    struct town *t = *state;
    propose(t, at(t, 1), NULL, NULL);
    char *other = strdup(t->text);
    propose(t, at(t, 1), "steward_rule.steward", "1");
    free(t->text);
    t->text = other; /* approved was another text */
    assert_rc(check(t), RC_POLICY);
    /* a session under a policy that is not the parent's */
    agree(t, at(t, 1));
    assert_ok(check(t));
    struct policy *stranger = fx_policy(2);
    agree(t, stranger);
    assert_rc(check(t), RC_POLICY_CHANGED);
    policy_free(stranger);
    /* a session that creates a key */
    size_t len = 0;
    t->s = fx_session(at(t, 1), POLICY_S_KEY_CREATE, "release");
    fx_seal(&t->s, t->descriptor, &len);
    t->descriptor_blob.len = len;
    assert_rc(check(t), RC_POLICY);
}

static void only_its_own_entry_puts_it_in_force(void **state)
{
    struct town *t = *state;
    propose(t, at(t, 1), NULL, NULL);
    assert_ok(check(t));
    /* each field of the entry in turn */
    static const char *const fields[] = { "version ", "sha256 ", "prev ",
                                          "roster ", "approvals " };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        log_it(t, 0, "log");
        char *v = strstr(t->proof.entry, fields[i]);
        assert_non_null(v);
        v += strlen(fields[i]);
        *v = *v == '3' ? '4' : '3';
        assert_rc(take(t), RC_LOG);
        assert_int_equal(strncmp(fields[i], strrchr(rc_text(), ' ') + 1,
                                 strlen(fields[i]) - 1),
                         0);
    }
    log_it(t, 0, "log");
    t->proof.index = 1;
    assert_int_not_equal(take(t), RC_OK);
    log_it(t, 0, "another log");
    assert_int_not_equal(take(t), RC_OK);
    log_it(t, 0, "log");
    t->proof.path.hash[0].b[0] ^= 1;
    assert_int_not_equal(take(t), RC_OK);
    log_it(t, 0, "log");
    t->approved.root[0] ^= 1; /* counted otherwise than logged */
    assert_rc(take(t), RC_LOG);
    assert_int_equal(policy_chain_head(t->chain)->version, 1);
    t->approved.root[0] ^= 1;
    assert_ok(take(t));
}

static void the_lower_index_wins_a_tie(void **state)
{
    struct town *t = *state;
    enact(t, "steward_rule.steward", "1", 1);
    const struct policy *first = policy_chain_head(t->chain);
    uint8_t hash[32];
    memcpy(hash, first->sha256, 32);

    propose(t, at(t, 1), NULL, NULL); /* a rival, earlier in the log */
    assert_ok(check(t));
    log_it(t, 0, "log");
    assert_ok(take(t));
    assert_memory_not_equal(policy_chain_head(t->chain)->sha256, hash, 32);
    assert_int_equal(policy_chain_head(t->chain)->version, 2);
    assert_null(policy_chain_by_hash(t->chain, hash));
    assert_int_equal(first->steward_rule, 1); /* borrowed, still good */

    /* and the one that lost does not come back */
    propose(t, at(t, 1), "steward_rule.steward", "1");
    assert_ok(check(t));
    log_it(t, 1, "log");
    assert_rc(take(t), RC_CONFLICT);
    assert_memory_not_equal(policy_chain_head(t->chain)->sha256, hash, 32);
}

static void a_fork_below_the_head_is_refused(void **state)
{
    struct town *t = *state;
    enact(t, NULL, NULL, 1);
    enact(t, "steward_rule.steward", "1", 1);
    propose(t, at(t, 1), "steward_rule.steward", "1");
    assert_rc(check(t), RC_CONFLICT);
}

static void a_logged_version_is_judged_at_its_time(void **state)
{
    struct town *t = *state;
    propose(t, at(t, 1), NULL, NULL);
    assert_rc(policy_chain_check(&t->next, &t->approved, t->chain, t->text,
                                 strlen(t->text), &t->descriptor_blob,
                                 &t->request.blob, t->approvals, 2,
                                 FX_NOW + 86400),
              RC_EXPIRED);
    assert_ok(policy_chain_check(&t->next, &t->approved, t->chain, t->text,
                                 strlen(t->text), &t->descriptor_blob,
                                 &t->request.blob, t->approvals, 2,
                                 POLICY_AT_ITS_TIME));
}

#define town_test(f) cmocka_unit_test_setup_teardown(f, town_new, town_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        town_test(versions_follow_each_other),
        town_test(genesis_is_the_pinned_one),
        town_test(what_does_not_fit_the_chain_is_refused),
        town_test(the_log_key_never_changes),
        town_test(the_stewards_of_the_version_before_decide),
        town_test(the_session_must_be_about_these_bytes),
        town_test(only_its_own_entry_puts_it_in_force),
        town_test(the_lower_index_wins_a_tie),
        town_test(a_fork_below_the_head_is_refused),
        town_test(a_logged_version_is_judged_at_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

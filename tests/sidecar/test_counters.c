/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records by authenticators: the counters of those that count, and records
 * that hold but cannot count, whoever brings them.
 */
#include "test.h"

#include "people.h"

#include "../policy/authenticator.h"
#include "base/hash.h"

/* ---- erin and her security key ------------------------------------------------ */

static void key_of(uint8_t pk[32], uint8_t sk[64], const char *name)
{
    uint8_t seed[32];
    hash256(seed, name, strlen(name));
    crypto_sign_seed_keypair(pk, sk, seed);
}

static struct sim *cluster_with(const char *from, const char *to)
{
    struct sim *s = cluster(guarded);
    sim_want_ok(s, sim_policy_next(s, 1, from, to));
    sim_run(s, 500);
    return s;
}

static struct sim *cluster_with_erin(void)
{
    uint8_t pk[32], sk[64];
    char b64[ENC_B64_SIZE(32)], to[512];
    key_of(pk, sk, "erin");
    snprintf(to, sizeof(to),
             "\"persons\":[{\"id\":\"erin\",\"roles\":[\"engineer\"],"
             "\"credentials\":[{\"kind\":\"sshsig-sk\",\"key\":\"%s\","
             "\"application\":\"ssh:\",\"verify_required\":false}]},",
             enc_b64u(b64, pk, 32));
    return cluster_with("\"persons\":[", to);
}

static void erins(struct wire_blob *out, const uint8_t session[32],
                  enum policy_decision decision, uint32_t counter)
{
    uint8_t pk[32], sk[64], challenge[32], blob[1024];
    char text[POLICY_RECORD_MAX];
    size_t len;
    key_of(pk, sk, "erin");
    policy_challenge(challenge, session, decision, "engineer", "erin");
    size_t n = auth_sk(blob, sk, "ssh:", 1, counter, challenge);
    assert_ok(policy_record_sshsig(text, &len, session, decision, "engineer",
                                   "erin", pk, (const char *)blob, n));
    assert_ok(wire_blob_set(out, text, len));
}

static unsigned erin_decides(struct sim *s, unsigned id, const char *hex,
                             enum policy_decision decision, uint32_t counter)
{
    WIRE(approval) a = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(enc_unhex(a.session, 32, hex, 64));
    erins(&a.record, a.session, decision, counter);
    assert_ok(wire_approval_encode(&json, &len, &a));
    return sim_ask(s, id, "/v1/approval", json, len);
}

static unsigned erin_approves(struct sim *s, unsigned id, const char *hex,
                              uint32_t counter)
{
    return erin_decides(s, id, hex, POLICY_D_APPROVE, counter);
}

/* How often the node's audit chain has it. */
static unsigned rows(struct sim *s, unsigned id, const char *text)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    unsigned n = 0;
    assert_ok(node_audit_rows(s->node[id].node, 0, &json, &len));
    for (const char *at = json; (at = strstr(at, text)) != NULL; at++)
        n++;
    return n;
}

static void want_rows(struct sim *s, unsigned want, const char *text)
{
    for (unsigned id = 1; id <= 3; id++)
        if (rows(s, id, text) != want)
            sim_fail(s, "node%u: %u rows say %s, want %u", id,
                     rows(s, id, text), text, want);
}

static const char step[] = AUDIT_COUNTER;

/* ---- counters ------------------------------------------------------------------ */

static void a_counter_that_goes_back_is_on_every_record_and_no_refusal(
        void **st)
{
    (void)st;
    struct sim *s = cluster_with_erin();
    char first[65], second[65], third[65];
    request(s, 1, first, "first");
    request(s, 1, second, "second");
    request(s, 1, third, "third");
    sim_want_ok(s, erin_approves(s, 1, first, 9));
    sim_run(s, 300);
    want_rows(s, 0, step);
    sim_want_ok(s, erin_approves(s, 2, second, 7));
    sim_run(s, 300);
    want_rows(s, 1, step);
    want_rows(s, 1, "erin: credential ");
    want_rows(s, 1, "counts 7, and 9 was seen");
    /* 9 stays the measure */
    sim_want_ok(s, erin_approves(s, 3, third, 8));
    sim_run(s, 300);
    want_rows(s, 1, "counts 8, and 9 was seen");
    sim_want_ok(s, decide(s, 1, second, POLICY_D_APPROVE, "steward", "bob"));
    sim_want_ok(s, decide(s, 1, second, POLICY_D_APPROVE, "steward", "carol"));
    sim_run(s, 300);
    sim_want_ok(s, sign_as(s, 2, second, "second", 5000));
    done(s);
}

static void the_last_counter_survives_a_restart(void **state)
{
    (void)state;
    struct sim *s = cluster_with_erin();
    char first[65], second[65];
    request(s, 1, first, "first");
    request(s, 1, second, "second");
    sim_want_ok(s, erin_approves(s, 1, first, 9));
    sim_run(s, 300);
    for (unsigned id = 1; id <= 3; id++)
        sim_crash(s, id);
    for (unsigned id = 1; id <= 3; id++)
        sim_start(s, id);
    sim_run(s, 1000);
    want_rows(s, 0, step); /* offered once more, nothing new */
    sim_want_ok(s, erin_approves(s, 1, second, 9));
    sim_run(s, 300);
    want_rows(s, 1, "counts 9, and 9 was seen");
    done(s);
}

static void the_same_record_again_is_no_step_back(void **state)
{
    (void)state;
    struct sim *s = cluster_with_erin();
    char first[65], second[65];
    request(s, 1, first, "first");
    request(s, 1, second, "second");
    sim_run(s, 300);
    for (unsigned id = 1; id <= 3; id++)
        sim_want_ok(s, erin_approves(s, id, first, 9));
    sim_want_ok(s, erin_approves(s, 1, second, 10));
    sim_run(s, 300);
    for (unsigned id = 1; id <= 3; id++)
        sim_want_ok(s, erin_approves(s, id, first, 9));
    sim_run(s, 300);
    want_rows(s, 0, step);
    done(s);
}

static void of_two_in_one_message_the_larger_is_kept(void **state)
{
    (void)state;
    struct sim *s = cluster_with_erin();
    char first[65], second[65];
    sim_crash(s, 3);
    request(s, 1, first, "first");
    request(s, 1, second, "second");
    sim_want_ok(s, erin_approves(s, 1, first, 9));
    sim_want_ok(s, erin_decides(s, 1, first, POLICY_D_REVOKE, 7));
    sim_start(s, 3);
    sim_gossip(s);
    sim_run(s, 12000);
    sim_want_ok(s, erin_approves(s, 3, second, 8));
    assert_int_equal(rows(s, 3, "counts 8, and 9 was seen"), 1);
    done(s);
}

static void an_authenticator_that_does_not_count_is_left_alone(void **state)
{
    (void)state;
    struct sim *s = cluster_with_erin();
    char first[65], second[65];
    request(s, 1, first, "first");
    request(s, 1, second, "second");
    sim_want_ok(s, erin_approves(s, 1, first, 0));
    sim_want_ok(s, erin_approves(s, 1, second, 0));
    sim_run(s, 300);
    want_rows(s, 0, step);
    done(s);
}

/* ---- by a round ------------------------------------------------------------------ */

static void no_puts(struct sim *s, uint32_t from, uint32_t to, const char *path,
                    bool reply, uint8_t **body, size_t *len)
{
    (void)s;
    (void)from;
    (void)to;
    (void)body;
    if (!reply && strcmp(path, "/v1/session/put") == 0)
        *len = 0;
}

static void what_only_a_round_brings_is_kept_and_its_counter_too(void **state)
{
    (void)state;
    struct sim *s = cluster_with_erin();
    char first[65], second[65];
    sim_crash(s, 3);
    request(s, 2, first, "first");
    sim_want_ok(s, erin_approves(s, 2, first, 9));
    s->tamper = no_puts; /* node 1 tells nobody */
    request(s, 1, second, "second");
    sim_want_ok(s, erin_approves(s, 1, second, 7));
    sim_want_ok(s, decide(s, 1, second, POLICY_D_APPROVE, "steward", "bob"));
    sim_want_ok(s, decide(s, 1, second, POLICY_D_APPROVE, "steward", "carol"));
    assert_int_equal(rows(s, 2, step), 0);
    sim_want_ok(s, sign_as(s, 1, second, "second", 5000));
    assert_int_equal(rows(s, 2, "counts 7, and 9 was seen"), 1);
    want_state(s, 2, second, "signing");
    s->tamper = NULL;
    done(s);
}

/* ---- records that cannot count ----------------------------------------------------- */

/* Of alice's, by this key of hers. */
static void alices(struct wire_blob *out, const uint8_t session[32],
                   const char *key)
{
    uint8_t pk[32], sk[64], challenge[32], blob[1024];
    char text[POLICY_RECORD_MAX];
    size_t blob_len, len;
    key_of(pk, sk, key);
    policy_challenge(challenge, session, POLICY_D_APPROVE, "engineer", "alice");
    assert_ok(policy_sshsig_make(blob, sizeof(blob), &blob_len, challenge, sk));
    assert_ok(policy_record_sshsig(text, &len, session, POLICY_D_APPROVE,
                                   "engineer", "alice", pk, (const char *)blob,
                                   blob_len));
    assert_ok(wire_blob_set(out, text, len));
}

/* A key whose records come bytewise before those of alice's first. */
static void find_smaller(char key[16])
{
    const uint8_t session[32] = { 0 };
    struct wire_blob own = { 0 };
    sim_record(&own, session, POLICY_D_APPROVE, "engineer", "alice");
    for (unsigned i = 0;; i++) {
        struct wire_blob other = { 0 };
        snprintf(key, 16, "spare%u", i);
        alices(&other, session, key);
        bool found = memcmp(other.p, own.p, own.len) < 0;
        free(other.p);
        if (found)
            break;
    }
    free(own.p);
}

static void a_record_that_cannot_count_takes_no_place_of_one_that_does(
        void **st)
{
    (void)st;
    uint8_t pk[32], sk[64], id[32];
    char spare[16], to[512], b64[ENC_B64_SIZE(32)], hex[65];
    find_smaller(spare);
    key_of(pk, sk, spare);
    snprintf(to, sizeof(to),
             "{\"id\":\"alice\",\"roles\":[\"engineer\"],\"credentials\":["
             "{\"kind\":\"sshsig\",\"key\":\"%s\",\"not_after\":1},",
             enc_b64u(b64, pk, 32));
    struct sim *s = cluster_with("{\"id\":\"alice\",\"roles\":[\"engineer\"],"
                                 "\"credentials\":[",
                                 to);
    request(s, 1, hex, "app");
    approve_all(s, 1, hex);
    sim_run(s, 300);
    assert_ok(enc_unhex(id, 32, hex, 64));
    /* as a peer brings it, and as a caller does */
    WIRE(session_put) put = { 0 };
    WIRE(session_held) held = { 0 };
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    OWNED_MEM char *path = NULL;
    size_t len, reply_len;
    assert_true(asprintf(&path, "/v1/session/%s", hex) > 0);
    unsigned get = sim_ask(s, 1, path, NULL, 0);
    sim_want_ok(s, get);
    assert_ok(wire_list_new(&put.sessions, 1));
    struct wire_session *in = &put.sessions.at[0];
    assert_ok(wire_blob_set(&in->descriptor, s->call[get].json,
                            s->call[get].len));
    sim_record(&in->requester, id, POLICY_D_REQUEST, "requester", "dev");
    assert_ok(wire_list_new(&in->approvals, 1));
    alices(&in->approvals.at[0], id, spare);
    assert_ok(wire_session_put_encode(&json, &len, &put));
    assert_ok(node_on_peer(s->node[2].node, 1, "/v1/session/put",
                           (uint8_t *)json, len, &reply, &reply_len));
    assert_ok(wire_session_held_decode(&held, reply, reply_len));
    assert_string_equal(held.sessions.at[0].code, "ok");
    assert_int_equal(held.sessions.at[0].known.n, 1); /* the requester's */
    WIRE(session) again = { 0 };
    char same[65];
    again = *in; /* moved */
    memset(in, 0, sizeof(*in));
    sim_want(s, people_put(s, 1, &again, same), RC_EXPIRED);
    want_state(s, 2, hex, "approved");
    sim_want_ok(s, sign_as(s, 2, hex, "app", 5000));
    done(s);
}

/* ---- strangers -------------------------------------------------------------------- */

static void a_stranger_keeps_no_session_that_nobody_signed(void **state)
{
    (void)state;
    static const char *const release[] = { "release", NULL };
    struct sim *s = cluster(release);
    WIRE(session) wire = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    WIRE(key) key = { 0 };
    unsigned get = sim_ask(s, 1, "/v1/key/release", NULL, 0);
    sim_want_ok(s, get);
    assert_ok(wire_key_decode(&key, s->call[get].json, s->call[get].len));
    struct policy_session in = sim_session(s, POLICY_S_SIGN, "release");
    in.has_key = in.slot[POLICY_RAW] = true;
    hash256(in.key, key.group_key, 32);
    snprintf(in.requester, sizeof(in.requester), "uid.1000.node1");
    sim_session_wire(s, &wire, &in, "steward", NULL);
    assert_ok(wire_blob_set(&wire.requester, "", 0));
    assert_ok(wire_session_encode(&json, &len, &wire));
    sim_want(s, sim_ask_as(s, 1, NODE_STRANGER, "/v1/session", json, len),
             RC_NOT_APPROVED);
    sim_want_ok(s, sim_ask(s, 1, "/v1/session", json, len));
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(a_counter_that_goes_back_is_on_every_record_and_no_refusal),
        T(the_last_counter_survives_a_restart),
        T(the_same_record_again_is_no_step_back),
        T(of_two_in_one_message_the_larger_is_kept),
        T(an_authenticator_that_does_not_count_is_left_alone),
        T(what_only_a_round_brings_is_kept_and_its_counter_too),
        T(a_record_that_cannot_count_takes_no_place_of_one_that_does),
        T(a_stranger_keeps_no_session_that_nobody_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

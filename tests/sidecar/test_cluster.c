/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios of a whole cluster: one story each, no chance in them. */
#include "test.h"

#include "story.h"

#include "base/enc.h"

static const char *const release[] = { "release", NULL };
static const char *const two_keys[] = { "release", "second", NULL };
static const char *const small[] = { "small", NULL };

/* ---- signing ---------------------------------------------------------------- */

static void three_nodes_sign(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct wire_signed out;
    for (unsigned id = 1; id <= 3; id++) {
        char msg[32];
        snprintf(msg, sizeof(msg), "message of node%u", id);
        unsigned call = sign(s, id, msg);
        sim_want_ok(s, call);
        assert_true(sim_signature(s, call, &out));
        assert_int_equal(out.attempt, 1);
        assert_int_equal(out.epoch, 1);
        assert_string_equal(out.slot, "raw");
    }
    /* the message may be empty */
    sim_want_ok(s, sim_sign(s, 1, "release", "", "", 0, 10000));
    done(s);
}

static void the_bundle_opens_the_intent(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct wire_signed out;
    char path[128], hex[65];
    unsigned call = sign(s, 2, "bundle me");
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &out));
    snprintf(path, sizeof(path), "/v1/bundle/%s",
             enc_hex(hex, out.session, 32));
    unsigned get = sim_ask(s, 2, path, NULL, 0);
    sim_want_ok(s, get);
    WIRE(bundle) b = { 0 };
    struct policy_session session;
    struct tlog_intent in;
    uint8_t commitment[32];
    assert_ok(wire_bundle_decode(&b, s->call[get].json, s->call[get].len));
    assert_ok(policy_session_parse(&session, b.session.descriptor.p,
                                   b.session.descriptor.len));
    assert_ok(tlog_intent_decode(&in, b.intent.entry.p, b.intent.entry.len));
    tlog_commitment(commitment, session.nonce, (const uint8_t *)"bundle me", 9);
    assert_memory_equal(commitment, in.commitment, 32);
    assert_memory_equal(b.signature, out.signature, 64);
    assert_int_equal(b.signers.n, 2);
    /* a version that comes later is not the one it was judged under */
    uint8_t before[32];
    memcpy(before, s->policy_sha256, 32);
    assert_memory_equal(b.policy, before, 32);
    sim_want_ok(s, sim_policy_next(s, 1, NULL, NULL));
    sim_run(s, 1000);
    WIRE(bundle) later = { 0 };
    get = sim_ask(s, 2, path, NULL, 0);
    sim_want_ok(s, get);
    assert_ok(wire_bundle_decode(&later, s->call[get].json, s->call[get].len));
    assert_memory_not_equal(s->policy_sha256, before, 32);
    assert_memory_equal(later.policy, before, 32);
    sim_want(s, sim_ask(s, 1, path, NULL, 0), RC_UNKNOWN);
    done(s);
}

static void one_dead_node_costs_a_retry_not_a_failure(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct wire_signed out;
    for (unsigned dead = 1; dead <= 3; dead++) {
        sim_crash(s, dead);
        for (unsigned i = 0; i < 6; i++) {
            unsigned lead = dead % 3 + 1;
            unsigned call = sign(s, lead, "with one node dead");
            sim_want_ok(s, call);
            assert_true(sim_signature(s, call, &out));
            assert_true(took(s, call) < 1000);
        }
        sim_start(s, dead);
        sim_run(s, 2000);
    }
    done(s);
}

static void two_dead_nodes_are_named_in_the_error_within_the_deadline(void **st)
{
    (void)st;
    struct sim *s = cluster(release);
    sim_crash(s, 2);
    sim_crash(s, 3);
    unsigned call = sign(s, 1, "nobody helps");
    unsigned short_one = sim_sign(s, 1, "release", "", "hurry", 5, 500);
    sim_want(s, call, RC_NODES);
    says(s, call, "node2");
    says(s, call, "node3");
    says(s, call, "needs 2 of 3 nodes, has 1");
    assert_true(strlen(s->call[call].hint) > 0);
    assert_true(took(s, call) < 5000);
    sim_want(s, short_one, RC_NODES);
    assert_true(took(s, short_one) < 1000);
    /* and again when they hang instead of refusing */
    sim_start(s, 2);
    sim_start(s, 3);
    s->node[2].hung = s->node[3].hung = true;
    sim_run(s, 15000);
    call = sign(s, 1, "nobody answers");
    sim_want(s, call, RC_NODES);
    says(s, call, "node2");
    says(s, call, "node3");
    assert_true(took(s, call) <= 10500);
    done(s);
}

static void work_resumes_when_they_are_back(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    sim_crash(s, 2);
    sim_crash(s, 3);
    unsigned call = sign(s, 1, "patience");
    sim_run(s, 1500);
    assert_int_equal(s->call[call].answers, 0);
    sim_start(s, 3);
    sim_want_ok(s, call);
    sim_start(s, 2);
    for (unsigned id = 1; id <= 3; id++)
        sim_want_ok(s, sign(s, id, "all back"));
    done(s);
}

static void dead_log_means_no_signature_and_says_so(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    sim_want_ok(s, sign(s, 1, "before"));
    unsigned shares = s->n_shares;
    s->log_down = true;
    unsigned call = sim_sign(s, 1, "release", "", "dark", 4, 3000);
    sim_want(s, call, RC_LOG);
    says(s, call, "log");
    assert_non_null(strstr(s->call[call].hint, "mpc-log"));
    assert_true(took(s, call) <= 3500);
    s->log_down = false;
    s->log_hung = true;
    call = sim_sign(s, 1, "release", "", "slow", 4, 3000);
    assert_true(sim_wait(s, call, 4000));
    assert_true(s->call[call].rc == RC_LOG || s->call[call].rc == RC_TIMEOUT);
    says(s, call, "log");
    call = sim_sign(s, 1, "release", "", "short", 5, 1000);
    sim_want(s, call, RC_TIMEOUT);
    says(s, call, "waiting for the log");
    assert_true(took(s, call) <= 1200);
    assert_int_equal(s->n_shares, shares);
    s->log_hung = false;
    call = sign(s, 1, "light");
    sim_want_ok(s, call);
    done(s);
}

static void hung_peer_is_passed_over(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    s->node[2].hung = true;
    for (unsigned i = 0; i < 8; i++) {
        unsigned call = sign(s, 1, "past it");
        sim_want_ok(s, call);
        assert_true(took(s, call) < 3500);
        /* it rests after the first time, so later ones do not wait for it */
        if (i > 1)
            assert_true(took(s, call) < 100);
    }
    done(s);
}

static void sixteen_callers_are_batched(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    sim_want_ok(s, sign(s, 1, "first"));
    unsigned before = s->n_rounds;
    unsigned calls[17];
    for (unsigned i = 0; i < 17; i++) {
        char msg[32];
        snprintf(msg, sizeof(msg), "caller %u", i);
        calls[i] = sign(s, 1, msg);
    }
    for (unsigned i = 0; i < 17; i++)
        sim_want_ok(s, calls[i]);
    assert_int_equal(s->n_rounds - before, 2); /* one, then the sixteen */
    done(s);
}

static void message_over_the_limit_is_refused(void **state)
{
    (void)state;
    struct sim *s = cluster(small);
    char msg[101];
    memset(msg, 'x', sizeof(msg));
    sim_want_ok(s, sim_sign(s, 1, "small", "", msg, 100, 10000));
    unsigned call = sim_sign(s, 1, "small", "", msg, 101, 10000);
    sim_want(s, call, RC_TOO_LARGE);
    says(s, call, "101");
    assert_int_equal(took(s, call), 0);
    done(s);
}

static void callers_mistakes_are_answered_at_once(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    const struct {
        const char *why, *path, *body;
        size_t len;
        enum rc want;
    } cases[] = {
        { "no such path", "/v1/nothing", "{}", 2, RC_UNKNOWN },
        { "no such path, read", "/v1/nothing", NULL, 0, RC_UNKNOWN },
        { "an empty frame", "/v1/sign", "", 0, RC_PARSE },
        { "a frame shorter than it says", "/v1/sign", "\0\0\0\011{}", 6,
          RC_PARSE },
        { "no JSON", "/v1/session", "x", 1, RC_PARSE },
        { "no JSON", "/v1/approval", "x", 1, RC_PARSE },
        { "no JSON", "/v1/policy", "x", 1, RC_PARSE },
        { "no JSON", "/v1/key/create", "x", 1, RC_PARSE },
        { "a key of no profile", "/v1/key/nobody", NULL, 0, RC_UNKNOWN },
        { "a session nobody knows",
          "/v1/session/"
          "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
          NULL, 0, RC_UNKNOWN },
        { "a session that is no hash", "/v1/session/xyz", NULL, 0, RC_PARSE },
        { "a certificate of a profile without", "/v1/cert/release", NULL, 0,
          RC_POLICY },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        unsigned call = sim_ask(s, 1, cases[i].path, cases[i].body,
                                cases[i].len);
        if (!s->call[call].answers || s->call[call].rc != cases[i].want)
            sim_fail(s, "%s: %s", cases[i].why, rc_slug(s->call[call].rc));
    }
    sim_want(s, sim_sign(s, 1, "second", "", "x", 1, 1000), RC_UNKNOWN);
    sim_want(s, sim_sign(s, 1, "nobody", "", "x", 1, 1000), RC_UNKNOWN);
    done(s);
}

/* ---- repeats and heads ---------------------------------------------------------- */

struct caught {
    uint32_t to;
    uint8_t *body;
    size_t len;
    uint8_t *reply;
    size_t reply_len;
};
static void catch_round2(struct sim *s, uint32_t from, uint32_t to,
                         const char *path, bool reply, uint8_t **body,
                         size_t *len)
{
    struct caught *c = s->tamper_ctx;
    (void)from;
    if (strcmp(path, "/v1/frost/round2") != 0 || (reply ? c->reply : c->body))
        return;
    uint8_t *copy = malloc(*len);
    assert_non_null(copy);
    memcpy(copy, *body, *len);
    c->to = to;
    *(reply ? &c->reply : &c->body) = copy;
    *(reply ? &c->reply_len : &c->len) = *len;
}

static void repeat_of_round_two_gets_the_same_answer(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct caught c = { 0 };
    s->tamper = catch_round2;
    s->tamper_ctx = &c;
    sim_want_ok(s, sign(s, 1, "once"));
    sim_want_ok(s, sign(s, 1, "twice"));
    assert_non_null(c.body);
    WIRE(round2_reply) first = { 0 };
    WIRE(round2_reply) again = { 0 };
    OWNED_MEM char *reply = NULL;
    size_t len;
    struct node *n = s->node[c.to].node;
    assert_ok(wire_round2_reply_decode(&first, (char *)c.reply, c.reply_len));
    assert_ok(node_on_peer(n, 1, "/v1/frost/round2", c.body, c.len, &reply,
                           &len));
    assert_ok(wire_round2_reply_decode(&again, reply, len));
    assert_string_equal(again.items.at[0].code, "ok");
    assert_memory_equal(first.items.at[0].share, again.items.at[0].share, 32);
    /* another lead cannot have it */
    char *stolen = NULL;
    assert_ok(node_on_peer(n, 6 - 1 - c.to, "/v1/frost/round2", c.body, c.len,
                           &stolen, &len));
    WIRE(round2_reply) refused = { 0 };
    assert_ok(wire_round2_reply_decode(&refused, stolen, len));
    assert_string_not_equal(refused.items.at[0].code, "ok");
    free(stolen);
    free(c.body);
    free(c.reply);
    done(s);
}

static void head_behind_is_resent(void **state)
{
    (void)state;
    struct sim *s = cluster(two_keys);
    struct wire_signed out;
    unsigned calls[60];
    for (unsigned i = 0; i < 60; i++) {
        char msg[32];
        snprintf(msg, sizeof(msg), "crossing %u", i);
        calls[i] = sim_sign(s, i % 3 + 1, i % 2 ? "second" : "release", "", msg,
                            strlen(msg), 10000);
        sim_run(s, 3);
    }
    for (unsigned i = 0; i < 60; i++) {
        sim_want_ok(s, calls[i]);
        assert_true(sim_signature(s, calls[i], &out));
        if (out.attempt != 1)
            sim_fail(s, "call %u took attempt %llu", i,
                     (unsigned long long)out.attempt);
    }
    assert_true(s->n_behind > 0); /* or this tested nothing */
    done(s);
}

static void restart_of_every_node_keeps_keys_policy_and_head(void **state)
{
    (void)state;
    struct sim *s = cluster(two_keys);
    for (unsigned id = 1; id <= 3; id++)
        sim_want_ok(s, sign(s, id, "before"));
    sim_want_ok(s, sim_policy_next(s, 2, "\"max_message\":100",
                                   "\"max_message\":200"));
    sim_run(s, 1000);
    for (unsigned id = 1; id <= 3; id++)
        sim_want_ok(s, sign(s, id, "after the change"));
    for (unsigned id = 1; id <= 3; id++)
        sim_crash(s, id);
    for (unsigned id = 1; id <= 3; id++) {
        assert_non_null(strstr(s->node[id].status, "\"version\":3"));
        assert_non_null(strstr(s->node[id].status, "\"name\":\"second\""));
        sim_start(s, id); /* fails when its status differs */
    }
    for (unsigned id = 1; id <= 3; id++)
        sim_want_ok(s, sign(s, id, "after"));
    done(s);
}

static void a_forked_log_gets_no_second_cosignature(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    for (unsigned i = 0; i < 4; i++)
        sim_want_ok(s, sign(s, 1, "one history"));
    sim_log_fork(s, 3);
    for (unsigned i = 0; i < 4; i++)
        sim_want_ok(s, sign(s, 1, "still the first"));
    unsigned call = sim_sign(s, 3, "release", "", "the other", 9, 3000);
    assert_true(sim_wait(s, call, 3500));
    assert_int_equal(s->call[call].rc, RC_HEAD_BEHIND);
    says(s, call, "log dev/log shows"); /* less than the others have seen */
    assert_true(s->n_cosigned > 0);
    done(s);
}

/* ---- a cheater ------------------------------------------------------------------------ */

static void flip_shares_of_node2(struct sim *s, uint32_t from, uint32_t to,
                                 const char *path, bool reply, uint8_t **body,
                                 size_t *len)
{
    (void)s;
    (void)from;
    if (!reply || to != 2 || strcmp(path, "/v1/frost/round2") != 0)
        return;
    WIRE(round2_reply) m = { 0 };
    char *json = NULL;
    assert_ok(wire_round2_reply_decode(&m, (char *)*body, *len));
    m.items.at[0].share[3] ^= 4;
    assert_ok(wire_round2_reply_encode(&json, len, &m));
    free(*body);
    *body = (uint8_t *)json;
}

static void a_cheater_is_named_and_passed_over(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct wire_signed out;
    s->tamper = flip_shares_of_node2;
    bool retried = false;
    for (unsigned i = 0; i < 4; i++) {
        unsigned call = sign(s, 1, "in spite of it");
        sim_want_ok(s, call);
        assert_true(sim_signature(s, call, &out));
        retried = retried || out.attempt > 1;
    }
    assert_true(retried);
    sim_crash(s, 3);
    unsigned call = sign(s, 1, "only the cheater is left");
    sim_want(s, call, RC_NODES);
    says(s, call, "node2: wrong signature share");
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(three_nodes_sign),
        T(the_bundle_opens_the_intent),
        T(one_dead_node_costs_a_retry_not_a_failure),
        T(two_dead_nodes_are_named_in_the_error_within_the_deadline),
        T(work_resumes_when_they_are_back),
        T(dead_log_means_no_signature_and_says_so),
        T(hung_peer_is_passed_over),
        T(sixteen_callers_are_batched),
        T(message_over_the_limit_is_refused),
        T(callers_mistakes_are_answered_at_once),
        T(repeat_of_round_two_gets_the_same_answer),
        T(head_behind_is_resent),
        T(restart_of_every_node_keeps_keys_policy_and_head),
        T(a_forked_log_gets_no_second_cosignature),
        T(a_cheater_is_named_and_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

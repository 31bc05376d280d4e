/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sidecar keeps of the CA's answers, and what it says when there is
 * none. The CA is made up, and counts.
 */
#include "test.h"

#include "base/clock.h"
#include "story.h"

#define TTL_S  300
#define BACK_S 30

enum ca_mood { ANSWERS, REFUSES, HANGS, GONE };
static struct {
    enum ca_mood mood;
    unsigned leaves; /* issued so far */
    unsigned asked;
    int64_t issued;
    const char *root;
    char given[64]; /* the root that was handed in */
} ca;

static enum rc say_chain(char **reply, size_t *len, const char *text)
{
    WIRE(chain) chain = { 0 };
    assert_ok(wire_list_new(&chain.chain, 1));
    assert_ok(wire_blob_set(&chain.chain.at[0], text, strlen(text)));
    return wire_chain_encode(reply, len, &chain);
}

static enum rc on_ca(struct sim *s, const char *path, const uint8_t *body,
                     size_t len, char **reply, size_t *reply_len)
{
    char text[32];
    (void)s;
    if (strcmp(path, "/v1/policy") == 0)
        return rc_raise(RC_UNREACHABLE, "no versions here");
    ca.asked++;
    if (ca.mood == HANGS)
        return RC_TIMEOUT;
    if (ca.mood == GONE)
        return rc_raise(RC_UNREACHABLE, "connection refused");
    if (ca.mood == REFUSES)
        return rc_raise(RC_POLICY, "birth: not believed");
    if (strcmp(path, "/v1/ca/chain") == 0) {
        assert_null(body);
        return say_chain(reply, reply_len, ca.root);
    }
    if (strcmp(path, "/v1/ca/root") == 0) {
        WIRE(chain) in = { 0 };
        assert_ok(wire_chain_decode(&in, (const char *)body, len));
        snprintf(ca.given, sizeof(ca.given), "%.*s", (int)in.chain.at[0].len,
                 (const char *)in.chain.at[0].p);
        return say_chain(reply, reply_len, ca.given);
    }
    assert_string_equal(path, "/v1/ca/issue");
    WIRE(issue) in = { 0 };
    assert_ok(wire_issue_decode(&in, (const char *)body, len));
    assert_string_equal(in.profile, "second");
    ca.issued = clock_now_s();
    snprintf(text, sizeof(text), "leaf %u", ++ca.leaves);
    return say_chain(reply, reply_len, text);
}

static enum rc leaf_life(void *ctx, int64_t *from, int64_t *to,
                         const uint8_t *der, size_t len)
{
    (void)ctx;
    assert_true(len > 5 && memcmp(der, "leaf ", 5) == 0);
    *from = ca.issued - BACK_S;
    *to = ca.issued + TTL_S;
    return RC_OK;
}

#define RULES                                                                  \
    "\"threshold\":2,\"nodes\":[1,2,3],\"required\":{\"engineer\":0,"          \
    "\"steward\":0},\"kinds\":[\"raw\",\"cms\",\"dsse\"],"                     \
    "\"max_message\":65536,\"certificate\":"
#define SECOND                                                                 \
    "\"name\":\"second\",\"lifetime\":\"persistent\",\"class\":"               \
    "\"artifact\"," RULES

static struct sim *certified(void)
{
    struct sim *s = sim_new(1, 3);
    memset(&ca, 0, sizeof(ca));
    ca.root = "root";
    s->ca = on_ca;
    s->leaf_life = leaf_life;
    sim_boot(s);
    sim_want_ok(s, sim_policy_next(s, 1, SECOND "null",
                                   SECOND "{\"ttl_s\":300,\"eku\":"
                                          "[\"code_signing\"],\"san\":[]}"));
    sim_run(s, 500);
    sim_want_ok(s, sim_key_create(s, 1, "second", sim_stewards));
    sim_run(s, 500);
    return s;
}

static unsigned ask(struct sim *s, enum rc want)
{
    unsigned call = sim_ask(s, 1, "/v1/cert/second", NULL, 0);
    sim_want(s, call, want);
    return call;
}

/* The leaf that a call was answered with is the nth. */
static void is_leaf(struct sim *s, unsigned call, unsigned nth)
{
    char text[32];
    WIRE(chain) chain = { 0 };
    snprintf(text, sizeof(text), "leaf %u", nth);
    assert_ok(wire_chain_decode(&chain, s->call[call].json, s->call[call].len));
    assert_int_equal(chain.chain.at[0].len, strlen(text));
    assert_memory_equal(chain.chain.at[0].p, text, strlen(text));
}

static void run_s(struct sim *s, int64_t seconds)
{
    sim_run(s, seconds * 1000);
}

static void a_leaf_is_kept_for_four_fifths_of_its_life(void **state)
{
    (void)state;
    struct sim *s = certified();
    is_leaf(s, ask(s, RC_OK), 1);
    is_leaf(s, ask(s, RC_OK), 1);
    run_s(s, (TTL_S + BACK_S) * 4 / 5 - BACK_S - 2);
    is_leaf(s, ask(s, RC_OK), 1);
    assert_int_equal(ca.asked, 1);
    run_s(s, 3);
    is_leaf(s, ask(s, RC_OK), 2);
    assert_int_equal(ca.asked, 2);
    /* what it was issued under is in force no more */
    sim_want_ok(s, sim_policy_next(s, 1, SECOND "null",
                                   SECOND "{\"ttl_s\":299,\"eku\":"
                                          "[\"code_signing\"],\"san\":[]}"));
    sim_run(s, 500);
    is_leaf(s, ask(s, RC_OK), 3);
    done(s);
}

static void a_silent_ca_costs_new_leaves_only(void **state)
{
    (void)state;
    static const struct {
        enum ca_mood mood;
        enum rc rc;
    } moods[] = { { GONE, RC_UNREACHABLE }, { HANGS, RC_TIMEOUT } };
    for (size_t i = 0; i < sizeof(moods) / sizeof(*moods); i++) {
        struct sim *s = certified();
        char until[CLOCK_TEXT_SIZE];
        char words[128];
        is_leaf(s, ask(s, RC_OK), 1);
        ca.mood = moods[i].mood;
        run_s(s, 60);
        is_leaf(s, ask(s, RC_OK), 1);
        run_s(s, 200);
        unsigned call = ask(s, moods[i].rc);
        snprintf(words, sizeof(words),
                 "no new certificate for second, its last one is valid until "
                 "%s; persistent keys go on signing, ephemeral sessions cannot",
                 clock_text(until, ca.issued + TTL_S));
        says(s, call, words);
        if (!strstr(s->call[call].hint, "mpcsign dev start ca"))
            sim_fail(s, "no remedy: %s", s->call[call].hint);
        sim_want_ok(s, sim_sign(s, 1, "second", "", "m", 1, 10000));
        run_s(s, 60);
        call = ask(s, moods[i].rc);
        says(s, call, "no new certificate for second; persistent keys");
        ca.mood = ANSWERS;
        is_leaf(s, ask(s, RC_OK), 2);
        done(s);
    }
}

static void a_refusal_of_the_ca_is_handed_on(void **state)
{
    (void)state;
    struct sim *s = certified();
    ca.mood = REFUSES;
    unsigned call = ask(s, RC_POLICY);
    says(s, call, "ca: birth: not believed");
    ca.mood = ANSWERS;
    is_leaf(s, ask(s, RC_OK), 1);
    done(s);
}

static unsigned chain(struct sim *s, enum rc want)
{
    unsigned call = sim_ask(s, 1, "/v1/ca/chain", NULL, 0);
    sim_want(s, call, want);
    return call;
}

static void the_root_is_asked_for_and_handed_in(void **state)
{
    (void)state;
    struct sim *s = certified();
    OWNED_MEM char *json = NULL;
    size_t len;
    ca.mood = GONE;
    says(s, chain(s, RC_UNREACHABLE), "mpc-ca does not answer");
    ca.mood = ANSWERS;
    assert_non_null(s->call[chain(s, RC_OK)].json);
    is_leaf(s, ask(s, RC_OK), 1);
    assert_ok(say_chain(&json, &len, "a new root"));
    sim_want_ok(s, sim_ask(s, 1, "/v1/ca/root", json, len));
    assert_string_equal(ca.given, "a new root");
    is_leaf(s, ask(s, RC_OK), 2); /* the other was of another root */
    sim_want(s, sim_ask(s, 1, "/v1/ca/root", "{}", 2), RC_PARSE);
    /* a root is a root for years; but none is taken for handed in */
    ca.mood = GONE;
    chain(s, RC_OK);
    sim_want(s, sim_ask(s, 1, "/v1/ca/root", json, len), RC_UNREACHABLE);
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_leaf_is_kept_for_four_fifths_of_its_life,
                                  sim_teardown),
        cmocka_unit_test_teardown(a_silent_ca_costs_new_leaves_only,
                                  sim_teardown),
        cmocka_unit_test_teardown(a_refusal_of_the_ca_is_handed_on,
                                  sim_teardown),
        cmocka_unit_test_teardown(the_root_is_asked_for_and_handed_in,
                                  sim_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The external authoriser has its say before every share, the lead's own
 * included: anything but a plain yes is a no, and the caller and the audit
 * chain hear why.
 */
#include "test.h"

#include <jansson.h>

#include "story.h"

static const char *const release[] = { "release", NULL };

/* What each node's authoriser answers; NULL: it is gone. */
static const char *answer[SIM_NODES + 1];
static bool hangs[SIM_NODES + 1];
static unsigned asked[SIM_NODES + 1];
static char last_question[4096];

static enum rc say(struct sim *s, unsigned node, const char *json, size_t len,
                   uint8_t **body, size_t *body_len)
{
    (void)s;
    asked[node]++;
    assert_true(len < sizeof(last_question));
    memcpy(last_question, json, len);
    last_question[len] = '\0';
    if (hangs[node])
        return RC_TIMEOUT;
    if (!answer[node])
        return rc_raise(RC_UNREACHABLE, "connection refused");
    *body = (uint8_t *)strdup(answer[node]);
    *body_len = strlen(answer[node]);
    return RC_OK;
}

static void all_say(const char *text)
{
    for (unsigned i = 0; i <= SIM_NODES; i++) {
        answer[i] = text;
        hangs[i] = false;
        asked[i] = 0;
    }
}

static struct sim *authorised(void)
{
    struct sim *s = sim_new(1, 3);
    s->authoriser = say;
    all_say("{\"allow\":true}");
    sim_ready(s, release);
    sim_crash(s, 3); /* both that are left must say yes */
    sim_want_ok(s, sign(s, 1, "before"));
    return s;
}

static void a_yes_lets_every_share_go(void **state)
{
    (void)state;
    struct sim *s = authorised();
    all_say("{\"allow\":true}");
    sim_want_ok(s, sign(s, 1, "one"));
    assert_int_equal(asked[1], 1); /* the lead's own share too */
    assert_int_equal(asked[2], 1);
    all_say("{\"allow\":true,\"reason\":\"why not\"}");
    sim_want_ok(s, sign(s, 2, "two"));
    done(s);
}

static void it_is_told_what_is_signed_for_whom(void **state)
{
    (void)state;
    struct sim *s = authorised();
    unsigned call = sign(s, 1, "hello");
    sim_want_ok(s, call);
    json_t *q = json_loads(last_question, JSON_REJECT_DUPLICATES, NULL);
    json_t *approvals, *participants, *artifact;
    const char *session, *profile, *key, *kind, *requester, *sha256;
    json_int_t expires;
    int lead, simulated;
    assert_non_null(q);
    assert_int_equal(
            json_unpack_ex(q, NULL, JSON_STRICT,
                           "{s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:i, s:I, "
                           "s:b}",
                           "session", &session, "profile", &profile, "key",
                           &key, "artifact", &artifact, "kind", &kind,
                           "requester", &requester, "approvals", &approvals,
                           "participants", &participants, "lead", &lead,
                           "expires", &expires, "simulated", &simulated),
            0);
    assert_string_equal(profile, "release");
    assert_string_equal(kind, "raw");
    assert_string_equal(requester, "uid.1000.node1");
    assert_int_equal(strlen(session), 64);
    assert_int_equal(strlen(key), 64);
    assert_int_equal(json_array_size(approvals), 0);
    assert_int_equal(json_array_size(participants), 2);
    assert_int_equal(lead, 1);
    assert_int_equal(json_unpack(artifact, "{s:s}", "sha256", &sha256), 0);
    assert_string_equal(sha256, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa742"
                                "5e73043362938b9824");
    json_decref(q);
    done(s);
}

/* One node's authoriser says this; no share, and the words go round. */
static void refused(struct sim *s, unsigned node, const char *words)
{
    unsigned shares = s->n_shares;
    unsigned call = sign(s, 1, words);
    /* ours ends it; of the two that are left one is too few */
    sim_want(s, call, node == 1 ? RC_DENIED : RC_NODES);
    says(s, call, words);
    OWNED_MEM char *json = NULL;
    size_t len;
    bool found = false;
    assert_ok(node_audit_rows(s->node[node].node, 0, &json, &len));
    WIRE(audit) in = { 0 };
    assert_ok(wire_audit_decode(&in, json, len));
    for (size_t i = 0; i < in.rows.n; i++)
        found = found ||
                (strcmp(in.rows.at[i].method, "POST /v1/frost/round2") == 0 &&
                 strcmp(in.rows.at[i].result, rc_slug(RC_DENIED)) == 0 &&
                 strstr(in.rows.at[i].detail, words));
    assert_true(found);
    if (node == 2) /* the lead asks its own and has said yes, perhaps */
        assert_int_equal(s->n_shares, shares);
}

static void a_no_stops_the_share_and_says_why(void **state)
{
    (void)state;
    for (unsigned node = 1; node <= 2; node++) {
        struct sim *s = authorised();
        answer[node] = "{\"allow\":false,\"reason\":\"not on a Friday\"}";
        refused(s, node, "authoriser: denied: not on a Friday");
        answer[node] = "{\"allow\":true}";
        sim_want_ok(s, sign(s, 1, "on a Monday"));
        done(s);
    }
}

static void whatever_is_no_yes_is_a_no(void **state)
{
    static const char *const garbage[] = {
        "",
        "yes",
        "true",
        "{}",
        "[true]",
        "{\"allow\":1}",
        "{\"allow\":\"true\"}",
        "{\"allow\":null}",
        "{\"allow\":true,\"allow\":true}",
        "{\"allow\":true,\"allow\":false}",
        "{\"allow\":true,\"more\":1}",
        "{\"allow\":true}x",
        "{\"allow\":true,\"reason\":5}",
        "{\"Allow\":true}",
    };
    (void)state;
    struct sim *s = authorised();
    for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++)
        for (unsigned node = 1; node <= 2; node++) {
            all_say("{\"allow\":true}");
            answer[node] = garbage[i];
            refused(s, node, "authoriser: its answer is not");
        }
    done(s);
}

static void an_authoriser_that_is_gone_or_hangs_is_a_no(void **state)
{
    (void)state;
    struct sim *s = authorised();
    for (unsigned node = 1; node <= 2; node++) {
        all_say("{\"allow\":true}");
        answer[node] = NULL;
        refused(s, node, "authoriser: no answer");
        all_say("{\"allow\":true}");
        hangs[node] = true;
        refused(s, node, "authoriser: no answer");
    }
    all_say("{\"allow\":true}");
    sim_want_ok(s, sign(s, 1, "it is back"));
    done(s);
}

static void one_nodes_no_leaves_the_others_free(void **state)
{
    (void)state;
    struct sim *s = authorised();
    sim_start(s, 3);
    sim_run(s, 2000);
    answer[2] = "{\"allow\":false}";
    for (unsigned i = 0; i < 4; i++) {
        char text[16];
        snprintf(text, sizeof(text), "of two %u", i);
        sim_want_ok(s, sign(s, 1, text));
    }
    done(s);
}

static void an_answer_is_for_one_share(void **state)
{
    (void)state;
    struct sim *s = authorised();
    all_say("{\"allow\":true}");
    sim_want_ok(s, sign(s, 1, "same"));
    sim_want_ok(s, sign(s, 1, "same"));
    assert_int_equal(asked[1], 2);
    assert_int_equal(asked[2], 2);
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(a_yes_lets_every_share_go),
        T(it_is_told_what_is_signed_for_whom),
        T(a_no_stops_the_share_and_says_why),
        T(whatever_is_no_yes_is_a_no),
        T(an_authoriser_that_is_gone_or_hangs_is_a_no),
        T(one_nodes_no_leaves_the_others_free),
        T(an_answer_is_for_one_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

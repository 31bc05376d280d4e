/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes that are leaving sign no more, and who breaks the glass is not
 * overlooked: by the profile's own numbers, with the other profile's key.
 */
#include "test.h"

#include "story.h"

#include "base/enc.h"
#include "base/hash.h"

static const char *const keys[] = { "guarded", "release", NULL };

/* ---- leaving --------------------------------------------------------------- */

static void leave(struct sim *s, const char *node)
{
    char from[64];
    char to[96];
    snprintf(from, sizeof(from), "\"uri\":\"mpc://dev/sidecar/%s\"", node);
    snprintf(to, sizeof(to), "%s,\"leaving\":true", from);
    sim_want_ok(s, sim_policy_next(s, 1, from, to));
    sim_run(s, 500);
}

static unsigned shares_of(struct sim *s, unsigned id)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    unsigned n = 0;
    WIRE(audit) in = { 0 };
    assert_ok(node_audit_rows(s->node[id].node, 0, &json, &len));
    assert_ok(wire_audit_decode(&in, json, len));
    for (size_t i = 0; i < in.rows.n; i++)
        n += strstr(in.rows.at[i].detail, "share of") == in.rows.at[i].detail;
    return n;
}

static void a_leaving_node_is_not_asked_and_lends_no_share(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    leave(s, "node3");
    unsigned before = shares_of(s, 3);
    for (unsigned i = 0; i < 6; i++) {
        char text[16];
        snprintf(text, sizeof(text), "message %u", i);
        sim_want_ok(s, sign(s, 1 + i % 2, text));
    }
    assert_int_equal(shares_of(s, 3), before);
    done(s);
}

static void it_leads_with_the_others_shares(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    leave(s, "node3");
    unsigned before = shares_of(s, 3);
    sim_want_ok(s, sign(s, 3, "through the leaving one"));
    assert_int_equal(shares_of(s, 3), before);
    done(s);
}

static void without_it_too_few_are_left_and_it_says_so(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    leave(s, "node3");
    sim_crash(s, 2);
    unsigned call = sign(s, 1, "nobody is left");
    sim_want(s, call, RC_NODES);
    says(s, call, "node3: leaving");
    done(s);
}

/* ---- break glass -------------------------------------------------------------- */

static const char emergency[] =
        "\"profiles\":[{\"name\":\"emergency\",\"lifetime\":\"persistent\","
        "\"class\":\"artifact\",\"threshold\":2,\"nodes\":[1,2,3],"
        "\"required\":{\"engineer\":0,\"steward\":2},\"kinds\":[\"raw\"],"
        "\"max_message\":65536,\"certificate\":null,\"sidecar_page\":false,"
        "\"break_glass\":true,\"key_of\":\"guarded\"},";

static const char artifact[] = "the fix";

/* A session of dev's, approved by both stewards; its call. */
static unsigned put(struct sim *s, char hex[65], const char *reason)
{
    WIRE(session) wire = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct policy_session in = sim_session(s, POLICY_S_SIGN, "emergency");
    unsigned get = sim_ask(s, 1, "/v1/key/emergency", NULL, 0);
    WIRE(key) key = { 0 };
    sim_want_ok(s, get);
    assert_ok(wire_key_decode(&key, s->call[get].json, s->call[get].len));
    in.has_key = in.has_artifact = in.slot[POLICY_RAW] = true;
    hash256(in.key, key.group_key, 32);
    snprintf(in.reason, sizeof(in.reason), "%s", reason);
    policy_session_artifact(&in, "fix", artifact, strlen(artifact));
    sim_session_wire(s, &wire, &in, "steward", sim_stewards);
    assert_ok(wire_session_encode(&json, &len, &wire));
    enc_hex(hex, in.id, 32);
    return sim_ask(s, 1, "/v1/session", json, len);
}

static unsigned sign_with(struct sim *s, const char *key, const char *session)
{
    return sim_sign(s, 1, key, session, artifact, strlen(artifact), 5000);
}

static const char glass[] = "BREAK GLASS: share of guarded";

static void who_breaks_the_glass_is_on_every_signers_record(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    char session[65];
    sim_want_ok(s, sim_policy_next(s, 1, "\"profiles\":[", emergency));
    sim_run(s, 500);
    sim_crash(s, 3);
    sim_want_ok(s, put(s, session, "the site is down, both engineers are ill"));
    sim_want(s, sign_with(s, "release", session), RC_POLICY); /* not its key */
    sim_want(s, sign_with(s, "guarded", session), RC_POLICY); /* its name */
    sim_want_ok(s, sign_with(s, "emergency", session));
    for (unsigned id = 1; id <= 2; id++) {
        OWNED_MEM char *json = NULL;
        size_t len;
        assert_ok(node_audit_rows(s->node[id].node, 0, &json, &len));
        assert_non_null(strstr(json, glass));
        OWNED_MEM char *status = NULL;
        assert_ok(node_status(s->node[id].node, &status, &len));
        const char *list = strstr(status, "\"break_glass\":[{");
        assert_non_null(list);
        assert_non_null(strstr(list, session));
        assert_non_null(strstr(list, "the site is down"));
        assert_non_null(strstr(list, "\"requester\":\"dev\""));
    }
    done(s);
}

static void the_glass_is_not_broken_without_a_reason(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    char session[65];
    sim_want_ok(s, sim_policy_next(s, 1, "\"profiles\":[", emergency));
    sim_run(s, 500);
    sim_want(s, put(s, session, "because"), RC_POLICY);
    done(s);
}

static void it_signs_by_its_own_name_and_never_without_a_session(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    char session[65];
    sim_want_ok(s, sim_policy_next(s, 1, "\"profiles\":[", emergency));
    sim_run(s, 500);
    sim_want_ok(s, put(s, session, "the site is down, both engineers are ill"));
    sim_want(s, sign_with(s, "emergency", ""), RC_NOT_APPROVED);
    sim_want_ok(s, sign_with(s, "emergency", session));
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(a_leaving_node_is_not_asked_and_lends_no_share),
        T(it_leads_with_the_others_shares),
        T(without_it_too_few_are_left_and_it_says_so),
        T(who_breaks_the_glass_is_on_every_signers_record),
        T(the_glass_is_not_broken_without_a_reason),
        T(it_signs_by_its_own_name_and_never_without_a_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

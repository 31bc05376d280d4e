/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile that signs with another one's key: its own numbers of people, the
 * same key, and both say which of the two it was.
 */
#include "test.h"

#include "people.h"

static const char urgent[] =
        "\"profiles\":[{\"name\":\"urgent\",\"lifetime\":\"persistent\","
        "\"class\":\"artifact\",\"threshold\":2,\"nodes\":[1,2,3],"
        "\"required\":{\"engineer\":0,\"steward\":2},"
        "\"kinds\":[\"raw\",\"cms\",\"dsse\"],\"max_message\":65536,"
        "\"certificate\":null,\"sidecar_page\":false,\"break_glass\":true,"
        "\"key_of\":\"guarded\"},";
static const char reason[] = "the registry is on fire, see ticket 4711";

static struct sim *cluster_with_urgent(void)
{
    struct sim *s = cluster(guarded);
    sim_want_ok(s, sim_policy_next(s, 1, "\"profiles\":[", urgent));
    sim_run(s, 500);
    return s;
}

static unsigned sign_urgent(struct sim *s, unsigned id, const char *hex)
{
    return sim_sign(s, id, "urgent", hex, "app", 3, 5000);
}

static char question[4096];

static enum rc allow(struct sim *s, unsigned node, const char *json, size_t len,
                     uint8_t **body, size_t *body_len)
{
    static const char yes[] = "{\"allow\":true}";
    (void)s;
    (void)node;
    assert_true(len < sizeof(question));
    memcpy(question, json, len);
    question[len] = '\0';
    *body = (uint8_t *)strdup(yes);
    *body_len = strlen(yes);
    return RC_OK;
}

static void the_authoriser_hears_its_name_and_who_counts(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 3);
    s->authoriser = allow;
    sim_ready(s, guarded);
    sim_want_ok(s, sim_policy_next(s, 1, "\"profiles\":[", urgent));
    sim_run(s, 500);
    WIRE(session) wire = { 0 };
    char hex[65];
    people_session_for(s, &wire, "urgent", "app", reason);
    sim_want_ok(s, people_put(s, 1, &wire, hex));
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "engineer", "dave"));
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_REVOKE, "engineer", "dave"));
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "steward", "bob"));
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "steward", "carol"));
    sim_want_ok(s, sign_urgent(s, 1, hex));
    assert_non_null(strstr(question, "\"profile\":\"urgent\""));
    assert_non_null(strstr(question, "\"bob\""));
    assert_non_null(strstr(question, "\"carol\""));
    assert_null(strstr(question, "\"dave\"")); /* took it back */
    done(s);
}

static void its_certificate_is_its_keys(void **state)
{
    (void)state;
    struct sim *s = cluster_with_urgent();
    unsigned call = sim_ask(s, 1, "/v1/cert/urgent", NULL, 0);
    sim_want(s, call, RC_POLICY); /* guarded has none here; it does exist */
    says(s, call, "has no certificates");
    done(s);
}

static void it_signs_with_the_other_profiles_key(void **state)
{
    (void)state;
    struct sim *s = cluster_with_urgent();
    WIRE(session) wire = { 0 };
    WIRE(session_state) st = { 0 };
    WIRE(key) key = { 0 };
    struct wire_signed out;
    char hex[65];
    people_session_for(s, &wire, "urgent", "app", reason);
    sim_want_ok(s, people_put(s, 1, &wire, hex));
    sim_want(s, sign_urgent(s, 1, hex), RC_NOT_APPROVED);
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "steward", "bob"));
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "steward", "carol"));
    sim_run(s, 100);
    look(s, 2, hex, &st);
    assert_true(st.break_glass);
    assert_string_equal(st.state, "approved");
    /* not under the other name: its numbers are others */
    sim_want(s, sign_as(s, 2, hex, "app", 5000), RC_POLICY);
    unsigned call = sign_urgent(s, 2, hex);
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &out));
    unsigned get = sim_ask(s, 1, "/v1/key/urgent", NULL, 0);
    sim_want_ok(s, get);
    assert_ok(wire_key_decode(&key, s->call[get].json, s->call[get].len));
    assert_memory_equal(out.group_key, key.group_key, 32);
    done(s);
}

static void the_other_profile_keeps_its_own_numbers(void **state)
{
    (void)state;
    struct sim *s = cluster_with_urgent();
    char hex[65];
    request(s, 1, hex, "app");
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "steward", "bob"));
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "steward", "carol"));
    sim_run(s, 100);
    sim_want(s, sign_as(s, 1, hex, "app", 5000), RC_NOT_APPROVED);
    sim_want(s, sign_urgent(s, 1, hex), RC_NOT_APPROVED);
    sim_want_ok(s, decide(s, 1, hex, POLICY_D_APPROVE, "engineer", "alice"));
    sim_run(s, 100);
    sim_want(s, sign_urgent(s, 1, hex), RC_POLICY);
    assert_int_equal(s->n_shares, 0);
    sim_want_ok(s, sign_as(s, 1, hex, "app", 5000));
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(the_authoriser_hears_its_name_and_who_counts),
        T(its_certificate_is_its_keys),
        T(it_signs_with_the_other_profiles_key),
        T(the_other_profile_keeps_its_own_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

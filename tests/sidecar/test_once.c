/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of one session: made for it, good for its slots, gone with it. */
#include "test.h"

#include "once.h"

/* ---- callers without a session ---------------------------------------------------- */

static void a_caller_gets_a_key_and_signs_with_it(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    uint8_t key[32];
    struct wire_signed out;
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), key);
    assert_int_equal(once_holders(s), 3);
    unsigned call = once_sign(s, 1, &me, "once", "", "one message");
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &out));
    assert_memory_equal(out.group_key, key, 32);
    assert_int_equal(out.epoch, 1);
    assert_int_equal(out.attempt, 1);
    sim_run(s, 500);
    once_nothing_left(s);
    done(s);
}

/* START, DEAL, FINISH, the log, BIRTH; then the log and one round. */
static void it_costs_seven_round_trips(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    unsigned call = once_sign(s, 1, &me, "once", "", "quick");
    sim_want_ok(s, call);
    /* a message takes 1 to 4 ms, either way */
    assert_in_range(took(s, call), 14, 7 * 8);
    done(s);
}

static void the_same_process_finds_its_key_for_a_minute(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    struct node_caller child = once_caller(101);
    struct node_caller reborn = me;
    struct node_caller other = me;
    uint8_t first[32], key[32];
    reborn.start++;
    other.uid++;
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), first);
    sim_run(s, 50000);
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), key);
    assert_memory_equal(key, first, 32);
    once_key(s, once_get(s, 1, &child, "/v1/key/once"), key);
    assert_memory_not_equal(key, first, 32);
    once_key(s, once_get(s, 1, &reborn, "/v1/key/once"), key);
    assert_memory_not_equal(key, first, 32);
    once_key(s, once_get(s, 1, &other, "/v1/key/once"), key);
    assert_memory_not_equal(key, first, 32);
    sim_run(s, 11000);
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), key);
    assert_memory_not_equal(key, first, 32);
    done(s);
}

static void a_process_that_cannot_be_seen_names_a_session(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller nobody = once_caller(0);
    struct wire_signed out;
    unsigned call = once_get(s, 1, &nobody, "/v1/key/once");
    sim_want(s, call, RC_AUTH);
    assert_non_null(strstr(s->call[call].hint, "MPC_SESSION"));
    nobody.start = 0;
    nobody.pid = 5;
    sim_want(s, once_get(s, 1, &nobody, "/v1/key/once"), RC_AUTH);
    /* who only signs needs not be found again */
    call = once_sign(s, 1, &nobody, "once", "", "blind");
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &out));
    done(s);
}

/* Somebody holds its public key: another key is no answer. */
static void a_used_key_is_gone(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    uint8_t first[32], key[32];
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), first);
    sim_want_ok(s, once_sign(s, 1, &me, "once", "", "first"));
    unsigned call = once_sign(s, 1, &me, "once", "", "second");
    sim_want(s, call, RC_SLOT_BURNT);
    says(s, call, "key is gone");
    /* loaded again it is another one */
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), key);
    assert_memory_not_equal(key, first, 32);
    sim_want_ok(s, once_sign(s, 1, &me, "once", "", "second"));
    /* and who never saw one is given one each time */
    struct node_caller blind = once_caller(7);
    sim_want_ok(s, once_sign(s, 1, &blind, "once", "", "third"));
    sim_want_ok(s, once_sign(s, 1, &blind, "once", "", "fourth"));
    sim_run(s, 500);
    once_nothing_left(s);
    done(s);
}

static void an_unused_key_ends_by_every_members_clock(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    uint8_t key[32];
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), key);
    sim_crash(s, 1); /* nobody is there to close it */
    assert_int_equal(once_holders(s), 2);
    sim_run(s, 110000);
    assert_int_equal(once_holders(s), 2);
    sim_run(s, 15000);
    once_nothing_left(s);
    done(s);
}

static void many_at_once_have_keys_of_their_own(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    unsigned call[24];
    struct node_caller who[24];
    struct wire_signed out[24];
    for (unsigned i = 0; i < 24; i++) {
        who[i] = once_caller((pid_t)(100 + i));
        call[i] = once_sign(s, 1 + i % 3, &who[i], "once", "", "mine");
    }
    for (unsigned i = 0; i < 24; i++) {
        sim_want_ok(s, call[i]);
        assert_true(sim_signature(s, call[i], &out[i]));
        for (unsigned k = 0; k < i; k++)
            assert_memory_not_equal(out[i].group_key, out[k].group_key, 32);
    }
    sim_run(s, 500);
    once_nothing_left(s);
    done(s);
}

static void a_caller_has_so_many_and_no_more(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller who[40];
    unsigned call[40];
    for (unsigned i = 0; i < 40; i++) {
        who[i] = once_caller((pid_t)(100 + i));
        call[i] = once_get(s, 1, &who[i], "/v1/key/once");
        sim_run(s, 100);
    }
    for (unsigned i = 0; i < 32; i++)
        sim_want_ok(s, call[i]);
    for (unsigned i = 32; i < 40; i++) {
        sim_want(s, call[i], RC_BUSY);
        says(s, call[i], "at most 32");
        assert_non_null(strstr(s->call[call[i]].hint, "try again"));
    }
    /* others are not kept out by it */
    struct node_caller other = once_caller(1);
    other.uid++;
    sim_want_ok(s, once_get(s, 1, &other, "/v1/key/once"));
    /* and a used one makes room */
    sim_want_ok(s, once_sign(s, 1, &who[0], "once", "", "used"));
    sim_want_ok(s, once_get(s, 1, &who[39], "/v1/key/once"));
    done(s);
}

/* ---- sessions that were approved ---------------------------------------------------- */

static void a_quorum_profile_wants_its_session(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    unsigned call = once_get(s, 1, &me, "/v1/key/guarded-once");
    sim_want(s, call, RC_NOT_APPROVED);
    says(s, call, "needs approval");
    sim_want(s, once_sign(s, 1, &me, "guarded-once", "", "x"), RC_NOT_APPROVED);
    assert_int_equal(once_births(s), 0);
    done(s);
}

/* Nobody signed it, and nobody has to: a caller's own words for its file. */
static void a_caller_may_write_its_own_session(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    struct node_caller later = once_caller(200);
    struct policy_session in = sim_session(s, POLICY_S_SIGN, "once");
    WIRE(session) wire = { 0 };
    struct wire_signed out;
    char text[POLICY_DESCRIPTOR_MAX], hex[65], path[128];
    uint8_t key[32];
    size_t len;
    snprintf(in.requester, sizeof(in.requester), "uid.%d.node1", SIM_UID);
    in.slot[POLICY_RAW] = true;
    in.has_artifact = true;
    in.expires = in.created + 120;
    policy_session_artifact(&in, "app", "app", 3);
    assert_ok(policy_session_write(text, &len, &in));
    assert_ok(wire_blob_set(&wire.descriptor, text, len));
    sim_want_ok(s, people_put(s, 1, &wire, hex));
    snprintf(path, sizeof(path), "/v1/key/once?session=%s", hex);
    once_key(s, once_get(s, 1, &me, path), key);
    /* any process of it: the session is its name */
    sim_want(s, once_sign(s, 1, &me, "once", hex, "other"), RC_POLICY);
    unsigned call = once_sign(s, 1, &later, "once", hex, "app");
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &out));
    assert_memory_equal(out.group_key, key, 32);
    sim_run(s, 300);
    once_nothing_left(s);
    done(s);
}

static void get_in(struct sim *s, unsigned id, const char *hex, uint8_t key[32])
{
    char path[160];
    struct node_caller me = once_caller(5);
    snprintf(path, sizeof(path), "/v1/key/guarded-once?session=%s", hex);
    once_key(s, once_get(s, id, &me, path), key);
}

static void an_approved_session_makes_one_key_for_all_its_slots(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    char hex[65];
    uint8_t first[32], key[32];
    struct wire_signed out;
    struct node_caller me = once_caller(100);
    once_approved(s, 2, hex, "app", true);
    sim_run(s, 1000);
    /* any process, and from another node than it was approved at */
    get_in(s, 1, hex, first);
    unsigned call = once_sign(s, 1, &me, "guarded-once", hex, "app");
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &out));
    assert_memory_equal(out.group_key, first, 32);
    /* its other slot is still open */
    get_in(s, 1, hex, key);
    assert_memory_equal(key, first, 32);
    sim_run(s, 500);
    assert_int_equal(once_holders(s), 3);
    call = once_sign(s, 1, &me, "guarded-once", hex, "app");
    sim_want(s, call, RC_SLOT_BURNT);
    /* or another message in its slot */
    sim_want(s, once_sign(s, 1, &me, "guarded-once", hex, "other"), RC_POLICY);
    assert_int_equal(once_births(s), 1);
    done(s);
}

static void the_last_slot_ends_the_key(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    char hex[65];
    struct node_caller me = once_caller(100);
    once_approved(s, 1, hex, "app", false);
    sim_want_ok(s, once_sign(s, 1, &me, "guarded-once", hex, "app"));
    sim_run(s, 500);
    once_nothing_left(s);
    for (unsigned id = 1; id <= 3; id++) {
        unsigned call = once_sign(s, id, &me, "guarded-once", hex, "app");
        sim_want(s, call, RC_SLOT_BURNT);
    }
    assert_int_equal(once_births(s), 1);
    done(s);
}

static void two_nodes_lead_the_same_key(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    char hex[65];
    uint8_t first[32], key[32];
    struct node_caller me = once_caller(100);
    once_approved(s, 1, hex, "app", true);
    sim_run(s, 1000);
    get_in(s, 1, hex, first);
    sim_run(s, 100);
    get_in(s, 3, hex, key);
    assert_memory_equal(key, first, 32);
    sim_want_ok(s, once_sign(s, 3, &me, "guarded-once", hex, "app"));
    done(s);
}

/* What people take back ends the key, born or not. */
static void denied_after_its_birth_it_is_gone(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    char hex[65];
    uint8_t key[32];
    struct node_caller me = once_caller(100);
    once_approved(s, 1, hex, "app", false);
    sim_run(s, 1000);
    get_in(s, 1, hex, key);
    assert_int_equal(once_holders(s), 3);
    sim_want_ok(s, deny(s, 3, hex));
    sim_run(s, 1000);
    once_nothing_left(s);
    unsigned call = once_sign(s, 1, &me, "guarded-once", hex, "app");
    assert_true(sim_wait(s, call, 20000));
    assert_int_not_equal(s->call[call].rc, RC_OK);
    done(s);
}

static void another_policy_ends_it(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    char hex[65];
    uint8_t key[32];
    struct node_caller me = once_caller(100);
    once_approved(s, 1, hex, "app", false);
    get_in(s, 1, hex, key);
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), key);
    sim_want_ok(s, sim_policy_next(s, 2, NULL, NULL));
    sim_run(s, 500);
    once_nothing_left(s);
    unsigned call = once_sign(s, 1, &me, "once", "", "late");
    sim_want(s, call, RC_SLOT_BURNT);
    says(s, call, "another policy");
    uint8_t fresh[32];
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), fresh);
    assert_memory_not_equal(fresh, key, 32);
    sim_want_ok(s, once_sign(s, 1, &me, "once", "", "late"));
    call = once_sign(s, 1, &me, "guarded-once", hex, "app");
    assert_true(sim_wait(s, call, 20000));
    assert_int_not_equal(s->call[call].rc, RC_OK);
    /* a fresh one under the new policy */
    struct node_caller next = once_caller(200);
    sim_want_ok(s, once_sign(s, 1, &next, "once", "", "new"));
    done(s);
}

/* ---- who only leads ------------------------------------------------------------------- */

static void one_more_than_the_threshold_takes_part(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 5);
    static const char *const none[] = { NULL };
    struct node_caller me = once_caller(100);
    sim_ready(s, none);
    for (unsigned id = 1; id <= 5; id++) {
        sim_want_ok(s, once_sign(s, id, &me, "once", "", "mine"));
        sim_run(s, 300);
        once_nothing_left(s);
    }
    unsigned call = once_get(s, 1, &me, "/v1/key/once");
    WIRE(key) key = { 0 };
    sim_want_ok(s, call);
    assert_ok(wire_key_decode(&key, s->call[call].json, s->call[call].len));
    assert_int_equal(key.nodes.n, 4); /* t is 3 */
    assert_int_equal(once_holders(s), 4);
    done(s);
}

static void a_node_that_does_not_sign_leads(void **state)
{
    (void)state;
    static const char was[] = "\"once\",\"lifetime\":\"ephemeral\",\"class\":"
                              "\"artifact\",\"threshold\":2,\"nodes\":[1,2,3]";
    static const char is[] = "\"once\",\"lifetime\":\"ephemeral\",\"class\":"
                             "\"artifact\",\"threshold\":2,\"nodes\":[2,3]";
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    uint8_t key[32];
    sim_want_ok(s, sim_policy_next(s, 1, was, is));
    sim_run(s, 500);
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), key);
    assert_int_equal(once_holders(s), 2);
    sim_want_ok(s, once_sign(s, 1, &me, "once", "", "led only"));
    sim_run(s, 300);
    once_nothing_left(s);
    done(s);
}

static void evidence_is_there_when_the_key_is_gone(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    struct wire_signed out;
    char path[128], hex[65];
    unsigned call = once_sign(s, 1, &me, "once", "", "kept");
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &out));
    snprintf(path, sizeof(path), "/v1/bundle/%s",
             enc_hex(hex, out.session, 32));
    /* long after anything of the key is known, as long as it is asked for */
    for (unsigned i = 0; i < 3; i++) {
        unsigned ask = sim_ask(s, 1, path, NULL, 0);
        WIRE(bundle) b = { 0 };
        sim_want_ok(s, ask);
        assert_ok(wire_bundle_decode(&b, s->call[ask].json, s->call[ask].len));
        assert_memory_equal(b.group_key, out.group_key, 32);
        assert_memory_equal(b.birth.cert.group_key, out.group_key, 32);
        sim_run(s, 700000);
    }
    done(s);
}

/* Who signed first asks for the certificate's key afterwards. */
static void an_ended_key_is_still_told_by_its_session(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    struct node_caller other = once_caller(100);
    struct wire_signed out;
    char path[128], hex[65];
    uint8_t key[32];
    unsigned call = once_sign(s, 1, &me, "once", "", "signed");
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &out));
    snprintf(path, sizeof(path), "/v1/key/once?session=%s",
             enc_hex(hex, out.session, 32));
    once_key(s, once_get(s, 1, &me, path), key);
    assert_memory_equal(key, out.group_key, 32);
    other.uid++;
    assert_int_not_equal(s->call[once_get(s, 1, &other, path)].rc, RC_OK);
    call = once_sign(s, 1, &me, "once", hex, "signed");
    sim_want(s, call, RC_SLOT_BURNT);
    sim_want(s, once_get(s, 1, &me, "/v1/key/once?session=12"), RC_PARSE);
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(a_caller_gets_a_key_and_signs_with_it),
        T(it_costs_seven_round_trips),
        T(the_same_process_finds_its_key_for_a_minute),
        T(a_process_that_cannot_be_seen_names_a_session),
        T(a_used_key_is_gone),
        T(an_unused_key_ends_by_every_members_clock),
        T(many_at_once_have_keys_of_their_own),
        T(a_caller_has_so_many_and_no_more),
        T(a_quorum_profile_wants_its_session),
        T(a_caller_may_write_its_own_session),
        T(an_approved_session_makes_one_key_for_all_its_slots),
        T(the_last_slot_ends_the_key),
        T(two_nodes_lead_the_same_key),
        T(denied_after_its_birth_it_is_gone),
        T(another_policy_ends_it),
        T(one_more_than_the_threshold_takes_part),
        T(a_node_that_does_not_sign_leads),
        T(an_ended_key_is_still_told_by_its_session),
        T(evidence_is_there_when_the_key_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

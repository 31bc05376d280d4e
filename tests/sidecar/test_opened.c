/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios of sessions that a caller opens where nobody approves. */
#include "test.h"

#include "people.h"

static const char *const release[] = { "release", NULL };

static void key_of(struct sim *s, uint8_t out[32])
{
    WIRE(key) key = { 0 };
    unsigned get = sim_ask(s, 1, "/v1/key/release", NULL, 0);
    sim_want_ok(s, get);
    assert_ok(wire_key_decode(&key, s->call[get].json, s->call[get].len));
    crypto_hash_sha256(out, key.group_key, 32);
}

/* Unsigned, for raw and dsse of these bytes, as that caller. */
static unsigned put_at(struct sim *s, unsigned node, char hex[65],
                       const char *requester, const char *msg)
{
    WIRE(session) wire = { 0 };
    struct policy_session in = sim_session(s, POLICY_S_SIGN, "release");
    char text[POLICY_DESCRIPTOR_MAX];
    size_t len;
    in.has_key = true;
    key_of(s, in.key);
    in.slot[POLICY_RAW] = in.slot[POLICY_DSSE] = true;
    policy_session_artifact(&in, "app", msg, strlen(msg));
    snprintf(in.requester, sizeof(in.requester), "%s", requester);
    assert_ok(policy_session_write(text, &len, &in));
    assert_ok(wire_blob_set(&wire.descriptor, text, len));
    assert_ok(wire_blob_set(&wire.requester, "", 0));
    return people_put(s, node, &wire, hex);
}

static unsigned put(struct sim *s, char hex[65], const char *msg)
{
    return put_at(s, 1, hex, "uid.1000.node1", msg);
}

static unsigned sign_in(struct sim *s, const char *hex, const char *msg)
{
    return sim_sign(s, 1, "release", hex, msg, strlen(msg), 5000);
}

static void its_slots_are_good_for_its_artifact(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    char hex[65];
    sim_want_ok(s, put(s, hex, "app"));
    sim_want(s, sign_in(s, hex, "another"), RC_POLICY);
    unsigned call = sign_in(s, hex, "app");
    sim_want_ok(s, call);
    WIRE(signed) made = { 0 };
    char of[65];
    assert_ok(wire_signed_decode(&made, s->call[call].json, s->call[call].len));
    assert_string_equal(enc_hex(of, made.session, 32), hex);
    done(s);
}

static void who_asks_is_what_the_socket_says(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    char hex[65];
    unsigned call = put_at(s, 1, hex, "uid.1001.node1", "app");
    sim_want(s, call, RC_AUTH);
    says(s, call, "this caller is uid.1000.node1");
    call = put_at(s, 2, hex, "uid.1000.node1", "app");
    sim_want(s, call, RC_AUTH);
    says(s, call, "this caller is uid.1000.node2");
    sim_want(s, put_at(s, 1, hex, "dev", "app"), RC_NOT_APPROVED);
    done(s);
}

/* 64 that are open are enough, but a used one is none. */
static void used_ones_make_room(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    char hex[65];
    for (unsigned i = 0; i < 80; i++) {
        sim_want_ok(s, put(s, hex, "app"));
        sim_want_ok(s, sign_in(s, hex, "app"));
        sim_run(s, 300);
    }
    for (unsigned i = 0; i < 64; i++)
        sim_want_ok(s, put(s, hex, "app"));
    unsigned call = put(s, hex, "app");
    sim_want(s, call, RC_TOO_LARGE);
    says(s, call, "unsigned callers has 64 open here");
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(its_slots_are_good_for_its_artifact,
                                  sim_teardown),
        cmocka_unit_test_teardown(who_asks_is_what_the_socket_says,
                                  sim_teardown),
        cmocka_unit_test_teardown(used_ones_make_room, sim_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

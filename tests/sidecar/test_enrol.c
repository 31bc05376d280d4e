/* SPDX-License-Identifier: Apache-2.0 */
/* Invites and enrolments: each refusal, and what is proposed in the end. */
#include "test.h"

#include "story.h"

#include <jansson.h>
#include <sodium.h>

#include "base/enc.h"

static const char *const none[] = { NULL };

struct invited {
    uint8_t code[16];
    char person[WIRE_NAME_MAX];
};

static json_t *answer(struct sim *s, unsigned call)
{
    sim_want_ok(s, call);
    json_t *o = json_loadb(s->call[call].json, s->call[call].len, 0, NULL);
    assert_non_null(o);
    return o;
}

static unsigned ask_invite(struct sim *s, const char *person, const char *role,
                           uint64_t ttl_s)
{
    WIRE(invite) m = { .ttl_s = ttl_s };
    OWNED_MEM char *json = NULL;
    size_t len;
    strcpy(m.person, person);
    strcpy(m.role, role);
    assert_ok(wire_invite_encode(&json, &len, &m));
    return sim_ask(s, 1, "/v1/invite", json, len);
}

static struct invited invite(struct sim *s, const char *person,
                             const char *role)
{
    struct invited out = { { 0 }, "" };
    json_t *o = answer(s, ask_invite(s, person, role, 600));
    assert_ok(enc_unhex(out.code, 16,
                        json_string_value(json_object_get(o, "code")), 32));
    strcpy(out.person, person);
    json_decref(o);
    return out;
}

/* A registration by the SSH key of this number. */
static unsigned enrol(struct sim *s, const struct invited *in,
                      const char *person, uint8_t number)
{
    WIRE(enrol) m = { .kind = "sshsig" };
    uint8_t seed[32] = { number };
    uint8_t pk[32], sk[64], id[32], challenge[32];
    uint8_t sig[512];
    size_t sig_len;
    OWNED_MEM char *json = NULL;
    size_t len;
    crypto_sign_seed_keypair(pk, sk, seed);
    policy_invite_id(id, in->code);
    policy_enrol_challenge(challenge, s->genesis_sha256, id, in->person);
    assert_ok(policy_sshsig_make(sig, sizeof(sig), &sig_len, challenge, sk));
    memcpy(m.code, in->code, 16);
    strcpy(m.person, person);
    assert_ok(wire_blob_set(&m.signature, sig, sig_len));
    assert_ok(wire_enrol_encode(&json, &len, &m));
    return sim_ask(s, 1, "/v1/enrol", json, len);
}

static size_t n_enrolments(struct sim *s)
{
    json_t *o = answer(s, sim_ask(s, 1, "/v1/enrolments", NULL, 0));
    size_t n = json_array_size(json_object_get(o, "enrolments"));
    json_decref(o);
    return n;
}

static void an_invite_makes_one_proposal_and_one_spare(void **state)
{
    (void)state;
    struct sim *s = cluster(none);
    struct invited in = invite(s, "erin", "steward");
    json_t *o = answer(s, enrol(s, &in, "erin", 1));
    const char *spare = json_string_value(json_object_get(o, "spare"));
    assert_int_equal(strlen(spare), 32);
    assert_true(strlen(json_string_value(json_object_get(o, "words"))) > 10);
    struct invited second = { { 0 }, "erin" };
    assert_ok(enc_unhex(second.code, 16, spare, 32));
    json_decref(o);
    assert_int_equal(n_enrolments(s), 1);
    o = answer(s, enrol(s, &second, "erin", 2));
    assert_string_equal(json_string_value(json_object_get(o, "spare")), "");
    json_decref(o);
    assert_int_equal(n_enrolments(s), 2);
    sim_want(s, enrol(s, &second, "erin", 3), RC_CONFLICT);
    sim_free(s);
}

static void a_code_is_good_once(void **state)
{
    (void)state;
    struct sim *s = cluster(none);
    struct invited in = invite(s, "erin", "steward");
    sim_want_ok(s, enrol(s, &in, "erin", 1));
    unsigned call = enrol(s, &in, "erin", 2);
    sim_want(s, call, RC_CONFLICT);
    says(s, call, "used already");
    /* and not after the sidecar was down either */
    sim_crash(s, 1);
    sim_start(s, 1);
    sim_want(s, enrol(s, &in, "erin", 2), RC_CONFLICT);
    assert_int_equal(n_enrolments(s), 1);
    sim_free(s);
}

static void a_code_has_an_end(void **state)
{
    (void)state;
    struct sim *s = cluster(none);
    struct invited in = invite(s, "erin", "steward");
    s->now_ms += 601 * 1000;
    unsigned call = enrol(s, &in, "erin", 1);
    sim_want(s, call, RC_EXPIRED);
    says(s, call, "expired");
    assert_int_equal(n_enrolments(s), 0);
    sim_free(s);
}

static void a_code_is_for_one_person(void **state)
{
    (void)state;
    struct sim *s = cluster(none);
    struct invited in = invite(s, "erin", "steward");
    unsigned call = enrol(s, &in, "mallory", 1);
    sim_want(s, call, RC_AUTH);
    says(s, call, "not for mallory");
    /* a mistake costs nothing */
    sim_want_ok(s, enrol(s, &in, "erin", 1));
    sim_free(s);
}

static void a_code_nobody_gave_is_unknown(void **state)
{
    (void)state;
    struct sim *s = cluster(none);
    struct invited in = { { 7 }, "erin" };
    sim_want(s, enrol(s, &in, "erin", 1), RC_UNKNOWN);
    sim_free(s);
}

/* Signed for another invite, or by nobody: the challenge binds both. */
static void a_registration_for_another_invite_is_refused(void **state)
{
    (void)state;
    struct sim *s = cluster(none);
    struct invited a = invite(s, "erin", "steward");
    struct invited b = invite(s, "erin", "steward");
    WIRE(enrol) m = { .kind = "sshsig" };
    uint8_t seed[32] = { 1 };
    uint8_t pk[32], sk[64], id[32], challenge[32], sig[512];
    size_t sig_len, len;
    OWNED_MEM char *json = NULL;
    crypto_sign_seed_keypair(pk, sk, seed);
    policy_invite_id(id, a.code);
    policy_enrol_challenge(challenge, s->genesis_sha256, id, "erin");
    assert_ok(policy_sshsig_make(sig, sizeof(sig), &sig_len, challenge, sk));
    memcpy(m.code, b.code, 16);
    strcpy(m.person, "erin");
    assert_ok(wire_blob_set(&m.signature, sig, sig_len));
    assert_ok(wire_enrol_encode(&json, &len, &m));
    unsigned call = sim_ask(s, 1, "/v1/enrol", json, len);
    sim_run(s, 100);
    assert_int_equal(s->call[call].answers, 1);
    assert_int_not_equal(s->call[call].rc, RC_OK);
    assert_int_equal(n_enrolments(s), 0);
    sim_free(s);
}

static void an_invite_needs_a_name_a_role_and_a_time(void **state)
{
    (void)state;
    struct sim *s = cluster(none);
    sim_want(s, ask_invite(s, "Erin", "steward", 60), RC_ARG);
    sim_want(s, ask_invite(s, "", "steward", 60), RC_ARG);
    sim_want(s, ask_invite(s, "erin", "queen", 60), RC_ARG);
    sim_want(s, ask_invite(s, "erin", "steward", 0), RC_ARG);
    sim_free(s);
}

static void an_invite_tells_its_bearer_what_it_is_for(void **state)
{
    (void)state;
    struct sim *s = cluster(none);
    struct invited in = invite(s, "alice", "engineer");
    uint8_t id[32];
    char hex[65], path[96];
    policy_invite_id(id, in.code);
    snprintf(path, sizeof(path), "/v1/invite/%s", enc_hex(hex, id, 32));
    json_t *o = answer(s, sim_ask(s, 1, path, NULL, 0));
    assert_string_equal(json_string_value(json_object_get(o, "person")),
                        "alice");
    assert_string_equal(json_string_value(json_object_get(o, "rp_id")),
                        "localhost");
    assert_string_equal(json_string_value(json_object_get(o, "cluster")),
                        enc_hex(hex, s->genesis_sha256, 32));
    json_decref(o);
    sim_free(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, sim_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_invite_makes_one_proposal_and_one_spare),
        TEST(a_code_is_good_once),
        TEST(a_code_has_an_end),
        TEST(a_code_is_for_one_person),
        TEST(a_code_nobody_gave_is_unknown),
        TEST(a_registration_for_another_invite_is_refused),
        TEST(an_invite_needs_a_name_a_role_and_a_time),
        TEST(an_invite_tells_its_bearer_what_it_is_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

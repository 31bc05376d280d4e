/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy document says of people's credentials and of break-glass. */
#include "test.h"

#include "authenticator.h"
#include "fixture.h"

#include "base/enc.h"

static struct auth phone;
static char row[POLICY_CREDENTIAL_MAX];

static int group_new(void **state)
{
    static const char *const origins[] = { "http://localhost",
                                           "https://sign.localhost:8443",
                                           "cli:mpcsign" };
    (void)state;
    auth_new(&phone, POLICY_ES256, "erin's phone");
    auth_row(row, &phone, "localhost", origins, 3, false);
    return 0;
}

static int group_free(void **state)
{
    (void)state;
    auth_free(&phone);
    return 0;
}

/*
 * erin (persons.5) has a phone beside her SSH key, carol (persons.4) a
 * security key, and profiles.5 breaks the glass for guarded (profiles.3).
 */
static json_t *document(unsigned version)
{
    uint8_t prev[32], pk[32];
    char sk[256], b64[ENC_B64_SIZE(32)];
    memset(prev, version > 1 ? 7 : 0, sizeof(prev));
    json_t *j = fx_policy_json(version, prev);
    fx_patch(j, "persons.5.credentials.+", row);
    fx_key(pk, NULL, "carol's security key");
    snprintf(sk, sizeof(sk),
             "{\"kind\":\"sshsig-sk\",\"key\":\"%s\",\"application\":\"ssh:\","
             "\"verify_required\":false}",
             enc_b64u(b64, pk, 32));
    fx_patch(j, "persons.4.credentials.+", sk);
    fx_patch(j, "profiles.+",
             "{\"name\":\"night\",\"lifetime\":\"persistent\",\"class\":"
             "\"artifact\",\"threshold\":2,\"nodes\":[1,2,3],\"required\":{"
             "\"engineer\":0,\"steward\":2},\"kinds\":[\"raw\"],"
             "\"max_message\":4096,\"certificate\":null,\"sidecar_page\":"
             "false,\"break_glass\":true,\"key_of\":\"guarded\","
             "\"max_ttl_s\":600}");
    return j;
}

static void optional_members_are_read(void **state)
{
    (void)state;
    json_t *j = document(2);
    fx_patch(j, "persons.5.credentials.1.not_after", "1900000000");
    fx_patch(j, "persons.5.credentials.0.revoked", "true");
    fx_patch(j, "nodes.2.leaving", "true");
    fx_patch(j, "page_origins", "[\"http://localhost:8443\"]");
    fx_patch(j, "profiles.3.approve_with", "[\"fido2\",\"ssh\"]");
    struct policy *p = fx_policy_of(j);
    json_decref(j);

    const struct policy_person *erin = policy_person_find(p, "erin");
    assert_true(erin->credential[0].revoked);
    const struct policy_credential *c = &erin->credential[1];
    assert_string_equal(c->kind, "webauthn");
    assert_int_equal(c->alg, POLICY_ES256);
    assert_int_equal(c->not_after, 1900000000);
    assert_int_equal(c->raw_id_len, 32);
    assert_string_equal(c->rp_id, "localhost");
    assert_int_equal(c->n_origins, 3);
    assert_string_equal(c->origin[2], "cli:mpcsign");
    const struct policy_credential *sk =
            &policy_person_find(p, "carol")->credential[1];
    assert_string_equal(sk->kind, "sshsig-sk");
    assert_string_equal(sk->application, "ssh:");
    assert_false(sk->verify_required);

    assert_true(p->node[2].leaving);
    assert_string_equal(p->page_origin[0], "http://localhost:8443");
    const struct policy_profile *f = policy_profile_find(p, "guarded");
    assert_true(f->way[POLICY_W_SSH] && f->way[POLICY_W_FIDO2]);
    assert_false(f->way[POLICY_W_LOCAL_PAGE] || f->way[POLICY_W_SIDECAR_PAGE]);
    assert_int_equal(f->n_nodes, 3);
    assert_int_equal(f->n_signers, 2); /* node 3 deals and does not sign */
    assert_int_equal(f->signers[1], 2);
    assert_int_equal(f->max_ttl_s, POLICY_SESSION_MAX_S);
    assert_ptr_equal(policy_profile_key(p, f), f);
    const struct policy_profile *night = policy_profile_find(p, "night");
    assert_true(night->break_glass);
    assert_int_equal(night->max_ttl_s, 600);
    assert_ptr_equal(policy_profile_key(p, night), f);
    policy_free(p);
}

static void what_is_absent_means_what_it_meant(void **state)
{
    (void)state;
    struct policy *p = fx_policy(1);
    const struct policy_profile *f = policy_profile_find(p, "guarded");
    assert_true(f->way[POLICY_W_SSH] && f->way[POLICY_W_FIDO2] &&
                f->way[POLICY_W_LOCAL_PAGE]);
    assert_false(f->way[POLICY_W_SIDECAR_PAGE]);
    assert_false(f->break_glass || f->has_key_of);
    policy_free(p);
    json_t *j = fx_policy_json(1, fx_zeros);
    fx_patch(j, "profiles.3.sidecar_page", "true");
    p = fx_policy_of(j);
    json_decref(j);
    assert_true(policy_profile_find(p, "guarded")->way[POLICY_W_SIDECAR_PAGE]);
    policy_free(p);
}

struct bad {
    const char *why;
    const char *path;
    const char *value;
    enum rc rc;
    const char *says; /* in the error's text */
};
#define KEY32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"
#define PHONE "persons.5.credentials.1"
#define SK    "persons.4.credentials.1"
/* clang-format off */
static const struct bad bads[] = {
    { "a kind nobody knows", PHONE ".kind", "\"passkey\"", RC_PARSE, "kind" },
    { "no kind", PHONE ".kind", NULL, RC_PARSE, "kind" },
    { "a passkey without id", PHONE ".id", NULL, RC_PARSE, "id" },
    { "an empty id", PHONE ".id", "\"\"", RC_PARSE, "id" },
    { "a member of another kind", PHONE ".application", "\"ssh:\"", RC_PARSE, "unknown" },
    { "alg as text", PHONE ".alg", "\"ES256\"", RC_PARSE, "alg" },
    { "an EC key as EdDSA", PHONE ".alg", "-8", RC_PARSE, "alg" },
    { "an EC key as RSA", PHONE ".alg", "-257", RC_PARSE, "alg" },
    { "alg 0", PHONE ".alg", "0", RC_PARSE, "alg" },
    { "a key that is no COSE key", PHONE ".key", "\"" KEY32 "\"", RC_PARSE, "COSE" },
    { "no backup_eligible", PHONE ".backup_eligible", NULL, RC_PARSE, "backup_eligible" },
    { "an rp_id with a slash", PHONE ".rp_id", "\"localhost/\"", RC_PARSE, "rp_id" },
    { "an empty rp_id", PHONE ".rp_id", "\"\"", RC_PARSE, "rp_id" },
    { "no origins", PHONE ".origins", "[]", RC_PARSE, "origins" },
    { "nine origins", PHONE ".origins", "[0,0,0,0,0,0,0,0,0]", RC_TOO_LARGE, "origins" },
    { "http to another host", PHONE ".origins", "[\"http://sign.localhost\"]", RC_PARSE, "origins[0]" },
    { "an origin with a path", PHONE ".origins", "[\"https://localhost/\"]", RC_PARSE, "origins[0]" },
    { "an origin with capitals", PHONE ".origins", "[\"https://Localhost\"]", RC_PARSE, "origins[0]" },
    { "an origin with port 0", PHONE ".origins", "[\"http://localhost:0\"]", RC_PARSE, "origins[0]" },
    { "an origin with port 65536", PHONE ".origins", "[\"http://localhost:65536\"]", RC_PARSE, "origins[0]" },
    { "an origin that is a number", PHONE ".origins", "[7]", RC_PARSE, "origins[0]" },
    { "an origin outside rp_id", PHONE ".origins", "[\"https://notlocalhost\"]", RC_PARSE, "rp_id" },
    { "an origin above rp_id", PHONE ".rp_id", "\"a.localhost\"", RC_PARSE, "rp_id" },
    { "not_after in the past of time", PHONE ".not_after", "0", RC_PARSE, "not_after" },
    { "revoked as number", PHONE ".revoked", "1", RC_PARSE, "revoked" },
    { "a security key for the web", SK ".application", "\"https://a\"", RC_PARSE, "application" },
    { "a security key without application", SK ".application", NULL, RC_PARSE, "application" },
    { "a security key, verified or not", SK ".verify_required", NULL, RC_PARSE, "verify_required" },
    { "a short security key", SK ".key", "\"AAAA\"", RC_PARSE, "key" },
    { "leaving as number", "nodes.1.leaving", "1", RC_PARSE, "leaving" },
    { "a way nobody knows", "profiles.3.approve_with", "[\"mail\"]", RC_PARSE, "approve_with" },
    { "a way twice", "profiles.3.approve_with", "[\"ssh\",\"ssh\"]", RC_PARSE, "approve_with" },
    { "two members at odds", "profiles.3.approve_with", "[\"ssh\",\"sidecar-page\"]", RC_PARSE, "sidecar_page" },
    { "ways that too few have", "profiles.3.approve_with", "[\"fido2\"]", RC_POLICY, "approve_with" },
    { "no way at all", "profiles.3.approve_with", "[]", RC_POLICY, "approve_with" },
    { "a session of no time", "profiles.3.max_ttl_s", "0", RC_PARSE, "max_ttl_s" },
    { "a session of two days", "profiles.3.max_ttl_s", "172800", RC_PARSE, "max_ttl_s" },
    { "page origins as text", "page_origins", "\"https://a\"", RC_PARSE, "page_origins" },
    { "a page at the CLI", "page_origins", "[\"cli:mpcsign\"]", RC_PARSE, "page_origins" },
    { "a page twice", "page_origins", "[\"https://a\",\"https://a\"]", RC_POLICY, "page_origins" },
    { "key_of without the glass", "profiles.5.break_glass", "false", RC_POLICY, "break_glass" },
    { "fewer stewards than may change the policy", "profiles.5.required.steward", "1", RC_POLICY, "steward" },
    { "the key of nobody", "profiles.5.key_of", "\"other\"", RC_POLICY, "key_of" },
    { "the key of itself", "profiles.5.key_of", "\"night\"", RC_POLICY, "key_of" },
    { "a key of minutes", "profiles.5.key_of", "\"once\"", RC_POLICY, "key_of" },
    { "another class's key", "profiles.5.key_of", "\"ca\"", RC_POLICY, "key_of" },
    { "another threshold", "profiles.5.threshold", "3", RC_POLICY, "key_of" },
    { "other nodes", "profiles.5.nodes", "[1,2]", RC_POLICY, "key_of" },
    { "more than the key signs", "profiles.5.kinds", "[\"raw\",\"ocsp\"]", RC_POLICY, "kinds" },
    { "a night of minutes", "profiles.5.lifetime", "\"ephemeral\"", RC_POLICY, "key_of" },
};
/* clang-format on */

static enum rc parse(const json_t *j)
{
    struct policy *p = NULL;
    char *text = fx_text(j);
    enum rc rc = policy_parse(&p, text, strlen(text));
    free(text);
    policy_free(p);
    return rc;
}

static void what_breaks_a_rule_is_refused_by_name(void **state)
{
    (void)state;
    json_t *good = document(1);
    assert_ok(parse(good));
    json_decref(good);
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        json_t *j = document(1);
        fx_patch(j, bads[i].path, bads[i].value);
        enum rc rc = parse(j);
        if (rc != bads[i].rc || !strstr(rc_text(), bads[i].says))
            fail_msg("%s: %s (%s), want %s naming %s", bads[i].why, rc_slug(rc),
                     rc_text(), rc_slug(bads[i].rc), bads[i].says);
        json_decref(j);
    }
}

static void a_key_or_id_stands_once_revoked_or_not(void **state)
{
    (void)state;
    json_t *j = document(1);
    fx_patch(j, "persons.1.credentials.+", row); /* alice has erin's phone */
    fx_patch(j, "persons.5.credentials.1.revoked", "true");
    assert_rc(parse(j), RC_POLICY);
    assert_non_null(strstr(rc_text(), "twice"));
    json_decref(j);
    /* the same id with another key */
    struct auth other;
    static const char *const origins[] = { "http://localhost" };
    char text[POLICY_CREDENTIAL_MAX];
    auth_new(&other, POLICY_EDDSA, "another");
    memcpy(other.id, phone.id, sizeof(other.id));
    auth_row(text, &other, "localhost", origins, 1, false);
    j = document(1);
    fx_patch(j, "persons.1.credentials.+", text);
    assert_rc(parse(j), RC_POLICY);
    json_decref(j);
    /* one Ed25519 key as SSH key and as passkey */
    uint8_t pk[32];
    fx_key(pk, NULL, "alice");
    memcpy(other.id, "alone", 5);
    memcpy(other.cose + other.cose_len - 32, pk, 32);
    auth_row(text, &other, "localhost", origins, 1, false);
    j = document(1);
    fx_patch(j, "persons.5.credentials.+", text);
    assert_rc(parse(j), RC_POLICY);
    assert_non_null(strstr(rc_text(), "twice"));
    json_decref(j);
    auth_free(&other);
}

/* Who cannot approve in the profile's ways fills no place of its quorum. */
static void revoked_credentials_meet_no_quorum(void **state)
{
    (void)state;
    json_t *j = document(1);
    fx_patch(j, "persons.3.credentials.0.revoked", "true");
    fx_patch(j, "persons.5.credentials.0.revoked", "true");
    assert_ok(parse(j)); /* carol, and erin by her phone */
    fx_patch(j, "persons.5.credentials.1.revoked", "true");
    assert_rc(parse(j), RC_POLICY);
    assert_non_null(strstr(rc_text(), "steward_rule"));
    json_decref(j);
}

static void leaving_nodes_do_not_count_to_the_threshold(void **state)
{
    (void)state;
    json_t *j = document(2);
    fx_patch(j, "nodes.2.leaving", "true");
    assert_ok(parse(j));
    fx_patch(j, "nodes.1.leaving", "true");
    assert_rc(parse(j), RC_POLICY);
    assert_non_null(strstr(rc_text(), "leaving"));
    json_decref(j);
}

static void words_are_of_the_key_alone(void **state)
{
    (void)state;
    struct policy_credential c = { .kind = "sshsig" };
    char words[POLICY_WORDS_MAX], again[POLICY_WORDS_MAX];
    fx_key(c.key, NULL, "alice");
    policy_credential_words(words, &c);
    c.not_after = 7;
    c.revoked = true;
    policy_credential_words(again, &c);
    assert_string_equal(words, again);
    c.key[0] ^= 1;
    policy_credential_words(again, &c);
    assert_string_not_equal(words, again);
}

static void rows_are_read_as_they_are_written(void **state)
{
    (void)state;
    json_t *j = document(1);
    fx_patch(j, "persons.5.credentials.1.not_after", "1900000000");
    fx_patch(j, "persons.4.credentials.1.revoked", "true");
    struct policy *p = fx_policy_of(j);
    json_decref(j);
    unsigned n = 0;
    for (unsigned i = 0; i < p->n_persons; i++)
        for (unsigned k = 0; k < p->person[i].n_credentials; k++, n++) {
            char text[POLICY_CREDENTIAL_MAX];
            size_t len = 0;
            struct policy_credential back;
            const struct policy_credential *c = &p->person[i].credential[k];
            assert_ok(policy_credential_write(text, sizeof(text), &len, c));
            assert_int_equal(len, strlen(text));
            assert_ok(policy_credential_parse(&back, text, len));
            assert_memory_equal(&back, c, sizeof(back));
            assert_rc(policy_credential_parse(&back, text, len - 1), RC_PARSE);
        }
    assert_int_equal(n, 8);
    policy_free(p);
}

static void an_invite_binds_cluster_code_and_person(void **state)
{
    (void)state;
    static const uint8_t code[16] = { 1 }, cluster[32] = { 2 };
    uint8_t id[32], a[32], b[32];
    policy_invite_id(id, code);
    policy_enrol_challenge(a, cluster, id, "alice");
    policy_enrol_challenge(b, cluster, id, "bob");
    assert_memory_not_equal(a, b, 32);
    policy_enrol_challenge(b, id, cluster, "alice");
    assert_memory_not_equal(a, b, 32);
    policy_enrol_challenge(b, cluster, id, "alice");
    assert_memory_equal(a, b, 32);
}

static void ways_have_names_both_ways(void **state)
{
    (void)state;
    for (unsigned i = 0; i < POLICY__WAYS; i++) {
        enum policy_way back;
        assert_ok(policy_way_parse(&back, policy_way_name((enum policy_way)i)));
        assert_int_equal(back, i);
    }
    enum policy_way unused;
    assert_rc(policy_way_parse(&unused, "SSH"), RC_UNKNOWN);
}

static void a_counter_goes_forward_or_is_none(void **state)
{
    (void)state;
    assert_true(policy_counter_ok(0, 0, false)); /* passkeys do not count */
    assert_true(policy_counter_ok(0, 1, false));
    assert_true(policy_counter_ok(7, 8, false));
    assert_true(policy_counter_ok(7, 7, true)); /* delivered again */
    assert_false(policy_counter_ok(7, 7, false));
    assert_false(policy_counter_ok(7, 6, false));
    assert_false(policy_counter_ok(7, 0, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optional_members_are_read),
        cmocka_unit_test(what_is_absent_means_what_it_meant),
        cmocka_unit_test(what_breaks_a_rule_is_refused_by_name),
        cmocka_unit_test(a_key_or_id_stands_once_revoked_or_not),
        cmocka_unit_test(revoked_credentials_meet_no_quorum),
        cmocka_unit_test(leaving_nodes_do_not_count_to_the_threshold),
        cmocka_unit_test(words_are_of_the_key_alone),
        cmocka_unit_test(rows_are_read_as_they_are_written),
        cmocka_unit_test(an_invite_binds_cluster_code_and_person),
        cmocka_unit_test(ways_have_names_both_ways),
        cmocka_unit_test(a_counter_goes_forward_or_is_none),
    };
    return cmocka_run_group_tests(tests, group_new, group_free);
}

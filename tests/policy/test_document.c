/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "fixture.h"

#include "base/hash.h"

static void a_good_policy_is_read_whole(void **state)
{
    (void)state;
    struct policy *p = fx_policy(2);
    uint8_t hash[32], key[32];
    hash256(hash, p->bytes, p->bytes_len);
    assert_memory_equal(hash, p->sha256, 32);
    assert_string_equal(p->cluster, "dev");
    assert_int_equal(p->version, 2);
    assert_int_equal(p->n_persons, 6);
    assert_int_equal(p->steward_rule, 2);
    assert_int_equal(p->n_measurements[POLICY_SIDECAR], 1);
    assert_int_equal(p->n_measurements[POLICY_LOG], 0);
    const struct policy_person *bob = policy_person_find(p, "bob");
    assert_non_null(bob);
    assert_true(bob->steward && !bob->engineer);
    fx_key(key, NULL, "bob");
    hash256(hash, key, 32);
    assert_memory_equal(bob->credential[0].key, key, 32);
    assert_memory_equal(bob->credential[0].id, hash, 32);
    assert_null(policy_person_find(p, "mallory"));
    policy_free(p);
}

static void a_profile_is_read_whole(void **state)
{
    (void)state;
    struct policy *p = fx_policy(1);
    const struct policy_profile *r = policy_profile_find(p, "release");
    assert_non_null(r);
    assert_true(r->has_certificate && r->eku_code_signing &&
                r->eku_email_protection && !r->eku_server_auth);
    assert_int_equal(r->cert_ttl_s, 300);
    assert_string_equal(r->san[0], "mpc://dev/release");
    const struct policy_profile *g = policy_profile_find(p, "guarded");
    assert_int_equal(g->engineers, 1);
    assert_int_equal(g->stewards, 2);
    assert_int_equal(g->threshold, 2);
    assert_int_equal(g->n_nodes, 3);
    assert_false(g->has_certificate);
    assert_true(policy_profile_find(p, "once")->ephemeral);
    assert_int_equal(policy_profile_find(p, "ca")->class, POLICY_ISSUER);
    assert_null(policy_profile_find(p, "nothing"));
    policy_free(p);
}

static void uris_lead_to_roles(void **state)
{
    (void)state;
    struct policy *p = fx_policy(1);
    enum policy_role role;
    uint16_t node;
    assert_ok(policy_uri_find(&role, &node, p, "mpc://dev/sidecar/node2"));
    assert_int_equal(role, POLICY_SIDECAR);
    assert_int_equal(node, 2);
    assert_ok(policy_uri_find(&role, &node, p, "mpc://dev/ca/ca"));
    assert_int_equal(role, POLICY_CA);
    assert_ok(policy_uri_find(&role, &node, p, "mpc://dev/log/log"));
    assert_int_equal(role, POLICY_LOG);
    assert_rc(policy_uri_find(&role, &node, p, "mpc://dev/sidecar/node"),
              RC_UNKNOWN);
    assert_rc(policy_uri_find(&role, &node, p, ""), RC_UNKNOWN);
    policy_free(p);
}

static void the_roster_is_the_policys_keys(void **state)
{
    (void)state;
    struct policy *p = fx_policy(2), *genesis = fx_policy(1);
    struct tlog_roster *r = calloc(1, sizeof(*r));
    uint8_t hash[32], again[32], key[32];
    assert_ok(policy_roster(r, hash, p));
    assert_int_equal(r->n, 3);
    fx_key(key, NULL, "identity3");
    assert_memory_equal(tlog_roster_find(r, 3)->identity, key, 32);
    assert_true(memcmp(r->node[0].custodian[0], r->node[0].custodian[1], 32) <
                0);
    char *text = malloc(TLOG_ROSTER_MAX);
    size_t len;
    assert_ok(tlog_roster_encode(text, TLOG_ROSTER_MAX, &len, r));
    hash256(again, text, len);
    assert_memory_equal(hash, again, 32);
    assert_rc(policy_roster(r, hash, genesis), RC_ORDER);
    free(text);
    free(r);
    policy_free(p);
    policy_free(genesis);
}

struct bad {
    const char *why;
    unsigned version;
    const char *path;
    const char *value;
    enum rc rc;
};
#define H64 "0000000000000000000000000000000000000000000000000000000000000001"
#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"
/* clang-format off */
static const struct bad bads[] = {
    { "another format", 1, "v", "2", RC_PARSE },
    { "v is text", 1, "v", "\"1\"", RC_PARSE },
    { "a member missing", 1, "cluster", NULL, RC_PARSE },
    { "a member too many", 1, "extra", "1", RC_PARSE },
    { "cluster with capitals", 1, "cluster", "\"Dev\"", RC_PARSE },
    { "cluster empty", 1, "cluster", "\"\"", RC_PARSE },
    { "version 0", 1, "version", "0", RC_PARSE },
    { "version is real", 1, "version", "1.0", RC_PARSE },
    { "version beyond 2^53", 2, "version", "9007199254740992", RC_PARSE },
    { "genesis with a past", 1, "prev", "\"" H64 "\"", RC_POLICY },
    { "prev with capitals", 2, "prev", "\"A000000000000000000000000000000000000000000000000000000000000001\"", RC_PARSE },
    { "prev short", 2, "prev", "\"00\"", RC_PARSE },
    { "version 2 without a past", 2, "prev", "\"0000000000000000000000000000000000000000000000000000000000000000\"", RC_POLICY },
    { "persons no array", 1, "persons", "{}", RC_PARSE },
    { "a person twice", 1, "persons.1.id", "\"dev\"", RC_POLICY },
    { "a person with a space", 1, "persons.1.id", "\"a b\"", RC_PARSE },
    { "a person named as a socket caller", 1, "persons.1.id", "\"uid.1000.node1\"", RC_POLICY },
    { "a person without roles", 1, "persons.1.roles", NULL, RC_PARSE },
    { "an unknown role", 1, "persons.1.roles", "[\"root\"]", RC_PARSE },
    { "the role requester", 1, "persons.1.roles", "[\"requester\"]", RC_PARSE },
    { "a role twice", 1, "persons.1.roles", "[\"engineer\",\"engineer\"]", RC_PARSE },
    { "a role that is a number", 1, "persons.1.roles", "[1]", RC_PARSE },
    { "a person with more members", 1, "persons.1.name", "\"A\"", RC_PARSE },
    { "nine credentials", 1, "persons.1.credentials", "[0,0,0,0,0,0,0,0,0]", RC_TOO_LARGE },
    { "a kind not known here", 1, "persons.1.credentials.0.kind", "\"pgp\"", RC_PARSE },
    { "a short key", 1, "persons.1.credentials.0.key", "\"AAAA\"", RC_PARSE },
    { "a padded key", 1, "persons.1.credentials.0.key", "\"" KEY "=\"", RC_PARSE },
    { "one key for two persons", 1, "persons.1", "{\"id\":\"x\",\"roles\":[],\"credentials\":[{\"kind\":\"sshsig\",\"key\":\"" KEY "\"},{\"kind\":\"sshsig\",\"key\":\"" KEY "\"}]}", RC_POLICY },
    { "no stewards needed", 1, "steward_rule.steward", "0", RC_PARSE },
    { "more stewards than there are", 1, "steward_rule.steward", "4", RC_POLICY },
    { "a rule for engineers", 1, "steward_rule.engineer", "1", RC_PARSE },
    { "measurements of no role", 1, "measurements.vault", "[]", RC_PARSE },
    { "a measurement twice", 1, "measurements.log", "[\"" H64 "\",\"" H64 "\"]", RC_POLICY },
    { "a measurement no hash", 1, "measurements.log", "[\"\"]", RC_PARSE },
    { "a measurement no text", 1, "measurements.log", "[7]", RC_PARSE },
    { "seventeen measurements", 1, "measurements.log", "[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]", RC_TOO_LARGE },
    { "node 0", 1, "nodes.0.id", "0", RC_PARSE },
    { "node 65536", 1, "nodes.2.id", "65536", RC_PARSE },
    { "a node twice", 1, "nodes.1.id", "1", RC_POLICY },
    { "nodes descending", 1, "nodes.0.id", "9", RC_POLICY },
    { "two nodes, one URI", 1, "nodes.1.uri", "\"mpc://dev/sidecar/node1\"", RC_POLICY },
    { "a node's URI for the CA", 1, "services.ca", "\"mpc://dev/sidecar/node1\"", RC_POLICY },
    { "one URI for CA and log", 1, "services.ca", "\"mpc://dev/log/log\"", RC_POLICY },
    { "a URI of another scheme", 1, "nodes.1.uri", "\"https://dev/\"", RC_PARSE },
    { "a URI of scheme only", 1, "nodes.1.uri", "\"mpc://\"", RC_PARSE },
    { "a URI with a query", 1, "nodes.1.uri", "\"mpc://dev/a?b\"", RC_PARSE },
    { "genesis with node keys", 1, "nodes.1.identity", "\"" H64 "\"", RC_PARSE },
    { "version 2, a node without its key", 2, "nodes.1.identity", NULL, RC_PARSE },
    { "version 2, a node without box key", 2, "nodes.1.box", NULL, RC_PARSE },
    { "version 2, a node without custodians", 2, "nodes.1.custodians", NULL, RC_PARSE },
    { "nine custodians", 2, "nodes.1.custodians", "[0,0,0,0,0,0,0,0,0]", RC_TOO_LARGE },
    { "one custodian twice", 2, "nodes.1.custodians", "[\"" H64 "\",\"" H64 "\"]", RC_POLICY },
    { "genesis with a log", 1, "log", "\"dev/log+00000000+AAAA\"", RC_PARSE },
    { "version 2 without a log", 2, "log", "null", RC_PARSE },
    { "a log key that is none", 2, "log", "\"dev/log\"", RC_PARSE },
    { "a profile twice", 1, "profiles.1.name", "\"release\"", RC_POLICY },
    { "a lifetime of its own", 1, "profiles.0.lifetime", "\"eternal\"", RC_PARSE },
    { "a class of its own", 1, "profiles.0.class", "\"log\"", RC_PARSE },
    { "threshold 1", 1, "profiles.0.threshold", "1", RC_PARSE },
    { "threshold over the nodes", 1, "profiles.0.threshold", "4", RC_POLICY },
    { "1 of 1", 1, "profiles.0.nodes", "[1]", RC_POLICY },
    { "a node nobody knows", 1, "profiles.0.nodes", "[1,2,4]", RC_POLICY },
    { "holders descending", 1, "profiles.0.nodes", "[2,1,3]", RC_PARSE },
    { "a holder twice", 1, "profiles.0.nodes", "[1,1,2]", RC_PARSE },
    { "a holder as text", 1, "profiles.0.nodes", "[1,2,\"3\"]", RC_PARSE },
    { "stewards that cannot be found", 1, "profiles.3.required.steward", "4", RC_POLICY },
    { "erin in two places", 1, "profiles.3.required", "{\"engineer\":3,\"steward\":3}", RC_POLICY },
    { "less than nobody", 1, "profiles.3.required.steward", "-1", RC_PARSE },
    { "a role of its own", 1, "profiles.3.required.boss", "1", RC_PARSE },
    { "no kinds", 1, "profiles.0.kinds", "[]", RC_PARSE },
    { "an unknown kind", 1, "profiles.0.kinds", "[\"pgp\"]", RC_PARSE },
    { "a kind twice", 1, "profiles.0.kinds", "[\"raw\",\"raw\"]", RC_PARSE },
    { "handshakes by class artifact", 1, "profiles.0.kinds", "[\"tls13\"]", RC_POLICY },
    { "files by class tls", 1, "profiles.1.kinds", "[\"raw\"]", RC_POLICY },
    { "files by an issuer", 1, "profiles.4.kinds", "[\"x509\",\"raw\"]", RC_POLICY },
    { "envelopes by an issuer", 1, "profiles.4.kinds", "[\"cms\"]", RC_POLICY },
    { "class tls with a quorum", 1, "profiles.1.required.steward", "1", RC_POLICY },
    { "requests with a quorum", 1, "profiles.3.kinds", "[\"raw\",\"x509\"]", RC_POLICY },
    { "requests for a key of minutes", 1, "profiles.2.kinds", "[\"raw\",\"x509\"]", RC_POLICY },
    { "an issuer of minutes", 1, "profiles.4.lifetime", "\"ephemeral\"", RC_POLICY },
    { "an issuer that asks the CA", 1, "profiles.4.certificate", "{\"ttl_s\":1,\"eku\":[\"code_signing\"],\"san\":[]}", RC_POLICY },
    { "messages of nothing", 1, "profiles.0.max_message", "0", RC_PARSE },
    { "messages over 16 MiB", 1, "profiles.0.max_message", "16777217", RC_PARSE },
    { "a certificate that is text", 1, "profiles.0.certificate", "\"yes\"", RC_PARSE },
    { "a certificate without eku", 1, "profiles.0.certificate.eku", NULL, RC_PARSE },
    { "a certificate for nothing", 1, "profiles.0.certificate.eku", "[]", RC_PARSE },
    { "an eku of its own", 1, "profiles.0.certificate.eku", "[\"any\"]", RC_PARSE },
    { "an eku twice", 1, "profiles.0.certificate.eku", "[\"code_signing\",\"code_signing\"]", RC_PARSE },
    { "a san that is empty", 1, "profiles.0.certificate.san", "[\"\"]", RC_PARSE },
    { "a certificate for two days", 1, "profiles.0.certificate.ttl_s", "172800", RC_PARSE },
    { "sidecar_page as number", 1, "profiles.0.sidecar_page", "0", RC_PARSE },
};
/* clang-format on */

static void what_breaks_a_rule_is_refused(void **state)
{
    (void)state;
    uint8_t prev[32];
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        memset(prev, bads[i].version > 1 ? 7 : 0, sizeof(prev));
        json_t *j = fx_policy_json(bads[i].version, prev);
        fx_patch(j, bads[i].path, bads[i].value);
        char *text = fx_text(j);
        struct policy *p = NULL;
        enum rc rc = policy_parse(&p, text, strlen(text));
        if (rc != bads[i].rc || p)
            fail_msg("%s: %s (%s), want %s", bads[i].why, rc_slug(rc),
                     rc_text(), rc_slug(bads[i].rc));
        free(text);
        json_decref(j);
    }
}

static void a_key_stands_for_one_holder(void **state)
{
    (void)state;
    static const char *const to[] = { "nodes.0.box", "nodes.2.identity",
                                      "nodes.0.custodians.0" };
    uint8_t prev[32] = { 7 };
    for (size_t i = 0; i < 3; i++) {
        json_t *j = fx_policy_json(2, prev);
        char *key = fx_text(json_object_get(
                json_array_get(json_object_get(j, "nodes"), 1), "identity"));
        fx_patch(j, to[i], key);
        char *text = fx_text(j);
        struct policy *p = NULL;
        assert_rc(policy_parse(&p, text, strlen(text)), RC_POLICY);
        free(key);
        free(text);
        json_decref(j);
    }
}

static void bytes_that_are_not_one_json_object_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        const char *text;
    } cases[] = {
        { "nothing", "" },
        { "an array", "[]" },
        { "a repeated member", "{\"v\":1,\"v\":1}" },
        { "something after it", "{} {}" },
        { "NUL in a string", "{\"v\":\"\\u0000\"}" },
        { "bad UTF-8", "{\"v\":\"\xff\"}" },
        { "cut off", "{\"v\":1" },
    };
    struct policy *p = NULL;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (policy_parse(&p, cases[i].text, strlen(cases[i].text)) != RC_PARSE)
            fail_msg("%s: taken", cases[i].why);
    char *big = calloc(1, POLICY_MAX_BYTES + 1);
    assert_rc(policy_parse(&p, big, POLICY_MAX_BYTES + 1), RC_TOO_LARGE);
    free(big);
    assert_null(p);
}

static void errors_never_quote_the_document(void **state)
{
    (void)state;
    static const char text[] = "{\"secret-word\":1,";
    struct policy *p = NULL;
    assert_rc(policy_parse(&p, text, strlen(text)), RC_PARSE);
    assert_null(strstr(rc_text(), "secret-word"));
}

/* bob and carol can approve what dev asks: the rule of 2 stays possible. */
static void a_quorum_needs_a_requester_outside_it(void **state)
{
    (void)state;
    json_t *j = fx_policy_json(1, fx_zeros);
    fx_patch(j, "profiles.3", NULL);
    fx_patch(j, "persons", "[]");
    struct policy *p = NULL;
    char *text = fx_text(j);
    assert_rc(policy_parse(&p, text, strlen(text)), RC_POLICY);
    free(text);
    json_decref(j);

    j = fx_policy_json(1, fx_zeros);
    fx_patch(j, "profiles.3", NULL);
    for (unsigned i = 0; i < 3; i++)
        fx_patch(j, "persons.0", NULL); /* dev, alice, dave */
    p = fx_policy_of(j);                /* bob, carol, erin: one may ask */
    policy_free(p);
    fx_patch(j, "persons.2", NULL);
    text = fx_text(j);
    p = NULL;
    assert_rc(policy_parse(&p, text, strlen(text)), RC_POLICY);
    free(text);
    json_decref(j);
}

static void kinds_have_names_both_ways(void **state)
{
    (void)state;
    for (unsigned k = 0; k < POLICY__KINDS; k++) {
        enum policy_kind back;
        assert_ok(policy_kind_parse(&back,
                                    policy_kind_name((enum policy_kind)k)));
        assert_int_equal(back, k);
    }
    enum policy_kind unused;
    assert_rc(policy_kind_parse(&unused, "RAW"), RC_UNKNOWN);
}

static void an_attestation_policy_is_handed_on(void **state)
{
    (void)state;
    uint8_t prev[32] = { 0 };
    struct policy *p = fx_policy(1);
    assert_null(p->attestation);
    policy_free(p);
    json_t *j = fx_policy_json(1, prev);
    fx_patch(j, "attestation", "{\"type\":\"x\",\"crl\":null}");
    p = fx_policy_of(j);
    assert_string_equal(p->attestation, "{\"type\":\"x\",\"crl\":null}");
    assert_int_equal(p->attestation_len, strlen(p->attestation));
    policy_free(p);
    fx_patch(j, "attestation", "[]");
    char *text = fx_text(j);
    assert_rc(policy_parse(&p, text, strlen(text)), RC_PARSE);
    assert_non_null(strstr(rc_text(), "policy.attestation"));
    free(text);
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_policy_is_read_whole),
        cmocka_unit_test(a_profile_is_read_whole),
        cmocka_unit_test(uris_lead_to_roles),
        cmocka_unit_test(the_roster_is_the_policys_keys),
        cmocka_unit_test(what_breaks_a_rule_is_refused),
        cmocka_unit_test(a_key_stands_for_one_holder),
        cmocka_unit_test(bytes_that_are_not_one_json_object_are_refused),
        cmocka_unit_test(errors_never_quote_the_document),
        cmocka_unit_test(a_quorum_needs_a_requester_outside_it),
        cmocka_unit_test(kinds_have_names_both_ways),
        cmocka_unit_test(an_attestation_policy_is_handed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

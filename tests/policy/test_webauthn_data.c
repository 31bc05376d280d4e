/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The assertions and registrations of others: browsers, authenticators and the
 * specification's own vectors, judged by us and by the oracle. What ours
 * refuses is named here with the check that does it.
 */
#include "test.h"

#include "oracle.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "base/enc.h"
#include "base/hash.h"
#include "policy/credential.h"
#include "policy/webauthn.h"

/* ---- reading --------------------------------------------------------------- */

static json_t *load(const char *name)
{
    char path[700];
    json_error_t e;
    snprintf(path, sizeof(path), "%s/webauthn/%s", testdata(), name);
    json_t *j = json_load_file(path, 0, &e);
    if (!j)
        fail_msg("%s: %s", path, e.text);
    return j;
}

struct buf {
    uint8_t p[16384];
    size_t len;
};

static void bytes_of(struct buf *out, const json_t *v, bool hex)
{
    char text[16384];
    assert_true(json_string_length(v) < sizeof(text));
    snprintf(text, sizeof(text), "%s", json_string_value(v));
    size_t n = strcspn(text, "="); /* some of py_webauthn's are plain base64 */
    for (char *c = text; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    if (hex) {
        out->len = n / 2;
        assert_ok(enc_unhex(out->p, out->len, text, n));
    } else {
        assert_ok(enc_unb64u(out->p, sizeof(out->p), &out->len, text, n));
    }
}

static struct policy_part part(const struct buf *b)
{
    return (struct policy_part){ b->p, b->len };
}

/* A response's members, whatever the file calls its surroundings. */
struct said {
    struct buf client_data;
    struct buf auth_data;
    struct buf signature;
};

static void said_of(struct said *out, const json_t *response, bool hex)
{
    bytes_of(&out->client_data, json_object_get(response, "clientDataJSON"),
             hex);
    bytes_of(&out->auth_data, json_object_get(response, "authenticatorData"),
             hex);
    bytes_of(&out->signature, json_object_get(response, "signature"), hex);
}

static bool oracle_says_of(const struct oracle_bytes *cose,
                           const struct said *s)
{
    return oracle_verify(cose->p, cose->len, s->auth_data.p, s->auth_data.len,
                         s->client_data.p, s->client_data.len, s->signature.p,
                         s->signature.len);
}

static bool oracle_says(struct policy_credential *c, const struct said *s)
{
    return oracle_says_of(&(struct oracle_bytes){ c->cose, c->cose_len }, s);
}

static enum rc we_say(const struct policy_credential *c,
                      const struct buf *challenge, const struct said *s)
{
    char origin[POLICY_ORIGIN_MAX];
    uint32_t counter;
    const struct policy_assertion a = { part(&s->client_data),
                                        part(&s->auth_data),
                                        part(&s->signature) };
    return policy_webauthn_check(origin, &counter, c, part(challenge), &a);
}

/* check: NULL for good, or the name in front of our refusal. */
static void expect(const char *what, enum rc rc, const char *check)
{
    char want[48];
    snprintf(want, sizeof(want), "%s: ", check ? check : "");
    if (check ? rc == RC_OK || !strstr(rc_text(), want) : rc != RC_OK)
        fail_msg("%s: %s (%s), want %s", what, rc_slug(rc), rc ? rc_text() : "",
                 check ? check : "ok");
}

/*
 * The credential an attestationObject holds, whatever attests it. A key that
 * is too long for us is left out; o keeps it, the caller closes it.
 */
static void credential_of(struct policy_credential *c,
                          struct oracle_credential *o, const struct buf *object,
                          const char *rp_id, const char *origin)
{
    oracle_open(o, object->p, object->len);
    *c = (struct policy_credential){ .kind = POLICY_WEBAUTHN };
    c->alg = (enum policy_alg)oracle_alg(o->cose.p, o->cose.len);
    assert_true(o->id.len <= sizeof(c->raw_id));
    c->cose_len = o->cose.len <= sizeof(c->cose) ? o->cose.len : 0;
    memcpy(c->cose, o->cose.p, c->cose_len);
    memcpy(c->raw_id, o->id.p, o->id.len);
    c->raw_id_len = o->id.len;
    c->backup_eligible = (o->auth_data.p[32] & POLICY_A_BE) != 0;
    snprintf(c->rp_id, sizeof(c->rp_id), "%s", rp_id);
    snprintf(c->origin[0], sizeof(c->origin[0]), "%s", origin);
    c->n_origins = 1;
}

/* ---- the specification ----------------------------------------------------- */

struct w3c {
    const char *name;
    const char *registration; /* the check that refuses it, or NULL */
    const char *assertion;
};
/* clang-format off */
static const struct w3c w3c[] = {
    { "none-es256", "approval_verification", "approval_verification" },
    { "packed-self-es256", NULL, "approval_verification" },
    { "none-es256-crossOrigin", "approval_cross_origin", "approval_cross_origin" },
    { "none-es256-topOrigin", "approval_cross_origin", "approval_cross_origin" },
    { "none-es256-long-credential-id", "approval_verification", NULL },
    { "packed-es256", "enrol_attestation", NULL },
    { "packed-es384", "enrol_attestation", NULL },
    { "packed-es512", "enrol_attestation", "approval_verification" },
    { "packed-rs256", "enrol_attestation", "approval_verification" },
    { "packed-eddsa", "enrol_attestation", "approval_verification" },
    { "packed-ed448", "enrol_attestation", "approval_signature" },
    { "tpm-es256", "enrol_attestation", NULL },
    { "android-key-es256", "enrol_attestation", "approval_verification" },
    { "apple-es256", "enrol_attestation", "approval_verification" },
    { "fido-u2f-es256", "enrol_attestation", "approval_verification" },
};
/* clang-format on */

static void the_specifications_vectors(void **state)
{
    (void)state;
    json_t *file = load("w3c-webauthn-vectors.json");
    const json_t *list = json_object_get(file, "vectors");
    size_t n = sizeof(w3c) / sizeof(w3c[0]);
    assert_int_equal(json_array_size(list), n);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        const json_t *in = json_object_get(v, "registration");
        static const char *const origins[] = { "https://example.org" };
        struct buf challenge, object;
        struct policy_credential c, r;
        struct said s;
        assert_string_equal(json_string_value(json_object_get(v, "name")),
                            w3c[i].name);
        bytes_of(&challenge, json_object_get(in, "challenge"), true);
        bytes_of(&object, json_object_get(in, "attestationObject"), true);
        bytes_of(&s.client_data, json_object_get(in, "clientDataJSON"), true);
        enum rc rc = policy_registration_check(
                &r, part(&challenge), "example.org", origins, 1,
                part(&s.client_data), part(&object));
        expect(w3c[i].name, rc, w3c[i].registration);
        struct oracle_credential o;
        credential_of(&c, &o, &object, "example.org", origins[0]);
        if (rc == RC_OK) {
            assert_memory_equal(r.cose, c.cose, c.cose_len);
            assert_memory_equal(r.raw_id, c.raw_id, c.raw_id_len);
        }
        in = json_object_get(v, "authentication");
        bytes_of(&challenge, json_object_get(in, "challenge"), true);
        said_of(&s, in, true);
        assert_true(
                oracle_says_of(&o.cose, &s)); /* all 15 are good signatures */
        expect(w3c[i].name, we_say(&c, &challenge, &s), w3c[i].assertion);
        s.signature.p[s.signature.len - 1] ^= 1;
        assert_false(oracle_says_of(&o.cose, &s));
        assert_int_not_equal(we_say(&c, &challenge, &s), RC_OK);
        oracle_close(&o);
    }
    json_decref(file);
}

/* ---- Chromium -------------------------------------------------------------- */

/* Registers as its page would have; false when the browser refused. */
static bool chromium_register(struct policy_credential *c, const json_t *v,
                              const char *challenge_name, const char *rp_id,
                              const char *origin, const char *check,
                              const char *what)
{
    const json_t *r = json_object_get(json_object_get(v, "registration"),
                                      "response");
    struct buf challenge, client, object;
    if (!r)
        return false;
    bytes_of(&challenge, json_object_get(v, challenge_name), false);
    bytes_of(&client, json_object_get(r, "clientDataJSON"), false);
    bytes_of(&object, json_object_get(r, "attestationObject"), false);
    const char *const origins[] = { origin };
    enum rc rc = policy_registration_check(c, part(&challenge), rp_id, origins,
                                           1, part(&client), part(&object));
    expect(what, rc, check);
    return rc == RC_OK;
}

static void assertion_of(struct said *s, const json_t *v, const char *name)
{
    said_of(s, json_object_get(json_object_get(v, name), "response"), false);
}

static void chromium_with_each_algorithm(void **state)
{
    (void)state;
    json_t *file = load("chromium-virtual-authenticator.json");
    const char *origin = json_string_value(json_object_get(file, "origin"));
    size_t i, covered = 0;
    json_t *v;
    json_array_foreach (json_object_get(file, "cases"), i, v) {
        const char *name = json_string_value(json_object_get(v, "name"));
        bool other = strcmp(name, "ML-DSA-44") == 0;
        struct policy_credential c;
        struct buf challenge;
        struct said s;
        if (!chromium_register(&c, v, "challenge_register", "localhost", origin,
                               other ? "enrol_key" : NULL, name))
            continue;
        covered++;
        bytes_of(&challenge, json_object_get(v, "challenge_assert"), false);
        assertion_of(&s, v, "assertion");
        assert_true(oracle_says(&c, &s));
        expect(name, we_say(&c, &challenge, &s), NULL);
        assertion_of(&s, v, "assertion2");
        assert_true(oracle_says(&c, &s));
        expect(name, we_say(&c, &challenge, &s), NULL);
        challenge.p[0] ^= 1;
        expect(name, we_say(&c, &challenge, &s), "approval_challenge");
    }
    assert_int_equal(covered, 3); /* ES256, EdDSA, RS256 */
    json_decref(file);
}

static void chromium_without_its_owner_or_a_touch(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *check;
        bool good; /* as a signature */
    } cases[] = {
        { "assert_uv_discouraged_but_verified", "approval_verification", true },
        { "assert_uv_discouraged_not_verified", "approval_verification", true },
        { "override_isBadUV", "approval_verification", true },
        { "override_isBadUP", "approval_presence", true },
        { "override_isBogusSignature", "approval_verification", false },
    };
    json_t *file = load("chromium-virtual-authenticator.json");
    const char *origin = json_string_value(json_object_get(file, "origin"));
    const json_t *flags = json_object_get(file, "flags");
    struct buf challenge, object;
    struct policy_credential c;
    bytes_of(&challenge, json_object_get(flags, "challenge"), false);
    bytes_of(&object,
             json_object_get(
                     json_object_get(json_object_get(flags, "registration_"
                                                            "direct"),
                                     "response"),
                     "attestationObject"),
             false);
    struct oracle_credential o;
    credential_of(&c, &o, &object, "localhost", origin);
    oracle_close(&o);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct said s;
        assertion_of(&s, flags, cases[i].name);
        assert_int_equal(oracle_says(&c, &s), cases[i].good);
        expect(cases[i].name, we_say(&c, &challenge, &s), cases[i].check);
    }
    json_decref(file);
}

static void a_synced_passkey_is_believed_as_enrolled(void **state)
{
    (void)state;
    json_t *file = load("chromium-virtual-authenticator.json");
    const char *origin = json_string_value(json_object_get(file, "origin"));
    const json_t *v = json_object_get(file, "synced");
    struct policy_credential c;
    struct buf challenge;
    struct said s;
    assert_true(chromium_register(&c, v, "challenge", "localhost", origin, NULL,
                                  "synced"));
    assert_true(c.backup_eligible);
    bytes_of(&challenge, json_object_get(v, "challenge"), false);
    assertion_of(&s, v, "assertion");
    expect("synced", we_say(&c, &challenge, &s), NULL);
    assertion_of(&s, v, "assertion_discoverable");
    expect("synced", we_say(&c, &challenge, &s), NULL);
    c.backup_eligible = false;
    expect("synced", we_say(&c, &challenge, &s), "approval_backup");
    v = json_object_get(file, "u2f"); /* CTAP1 knows no owner */
    assert_false(chromium_register(&c, v, "challenge", "localhost", origin,
                                   "approval_verification", "u2f"));
    json_decref(file);
}

static void a_parent_domain_and_chromiums_random_member(void **state)
{
    (void)state;
    json_t *file = load("chromium-parent-rpid.json");
    const char *there = json_string_value(
            json_object_get(file, "origin_assert"));
    struct policy_credential c;
    struct buf challenge;
    struct said s;
    assert_true(chromium_register(
            &c, file, "challenge_register", "example.test",
            json_string_value(json_object_get(file, "origin_register")), NULL,
            "parent"));
    bytes_of(&challenge, json_object_get(file, "challenge_assert"), false);
    assertion_of(&s, file, "assertion_extra_key");
    expect("elsewhere", we_say(&c, &challenge, &s), "approval_origin");
    snprintf(c.origin[0], sizeof(c.origin[0]), "%s", there);
    s.client_data.p[s.client_data.len] = 0;
    assert_non_null(strstr((char *)s.client_data.p, "other_keys_can_be_added"));
    expect("random member", we_say(&c, &challenge, &s), NULL);
    assertion_of(&s, file, "assertion_plain");
    expect("plain", we_say(&c, &challenge, &s), NULL);
    snprintf(c.rp_id, sizeof(c.rp_id), "sidecar2.example.test");
    expect("child", we_say(&c, &challenge, &s), "approval_rp_id");
    json_decref(file);
}

/* ---- py_webauthn ----------------------------------------------------------- */

static const json_t *credential_in(json_t **parsed, const json_t *args)
{
    const json_t *v = json_object_get(args, "credential");
    if (!json_is_string(v))
        return v;
    *parsed = json_loads(json_string_value(v), 0, NULL);
    return *parsed;
}

/* Its first string, or the one that is not https where it is a list. */
static const char *origin_in(const json_t *args)
{
    const json_t *v = json_object_get(args, "expected_origin");
    return json_string_value(json_is_array(v) ? json_array_get(v, 1) : v);
}

/* clang-format off */
static const struct {
    const char *test;
    const char *check;
} python[] = { /* in the file's order: 7 assertions, 17 registrations */
    { "test_verify_authentication_response_with_EC2_public_key", "approval_verification" },
    { "test_verify_authentication_response_with_RSA_public_key", NULL },
    { "test_raises_exception_on_incorrect_public_key", "approval_signature" },
    { "test_raises_exception_on_uv_required_but_false", "approval_verification" },
    { "test_verify_authentication_response_with_OKP_public_key", "approval_verification" },
    { "test_supports_multiple_expected_origins", NULL },
    { "test_supports_already_parsed_credential", NULL },
    { "test_verifies_none_attestation_response", NULL },
    { "test_supports_multiple_expected_origins", NULL },
    { "test_raises_when_root_cert_invalid_for_response", "enrol_attestation" },
    { "test_verifies_registration_over_cable", NULL },
    { "test_supports_already_parsed_credential", NULL },
    { "test_verify_attestation_android_key_hardware_authority", "enrol_attestation" },
    { "test_verify_attestation_apple_passkey", "enrol_attestation" },
    { "test_verify_attestation_from_yubikey_firefox", "enrol_attestation" },
    { "test_verify_attestation_from_fido_conformance", "enrol_attestation" },
    { "test_verify_attestation_with_unsupported_token_binding_status", "enrol_attestation" },
    { "test_verify_attestation_with_unsupported_token_binding", "enrol_attestation" },
    { "test_verify_attestation_from_yubikey_firefox", "enrol_attestation" },
    { "test_verify_attestation_with_okp_public_key", "enrol_attestation" },
    { "test_verify_attestation_surface_pro_4", "enrol_attestation" },
    { "test_verify_attestation_dell_xps_13", "enrol_attestation" },
    { "test_verify_attestation_lenovo_carbon_x1", "enrol_attestation" },
    { "test_verify_tpm_with_ecc_public_area_type", "enrol_attestation" },
};
/* clang-format on */

static void assertion_case(const json_t *args, const json_t *credential,
                           const char *what, const char *check)
{
    struct policy_credential c = { .kind = POLICY_WEBAUTHN, .n_origins = 1 };
    struct buf challenge, cose;
    struct said s;
    said_of(&s, json_object_get(credential, "response"), false);
    bytes_of(&challenge, json_object_get(args, "expected_challenge"), false);
    bytes_of(&cose, json_object_get(args, "credential_public_key"), false);
    memcpy(c.cose, cose.p, cose.len);
    c.cose_len = cose.len;
    c.alg = (enum policy_alg)oracle_alg(cose.p, cose.len);
    c.backup_eligible = (s.auth_data.p[32] & POLICY_A_BE) != 0;
    snprintf(c.rp_id, sizeof(c.rp_id), "%s",
             json_string_value(json_object_get(args, "expected_rp_id")));
    snprintf(c.origin[0], sizeof(c.origin[0]), "%s", origin_in(args));
    assert_int_equal(oracle_says(&c, &s), !check || strcmp(check, "approval_"
                                                                  "signature"));
    expect(what, we_say(&c, &challenge, &s), check);
}

static void registration_case(const json_t *args, const json_t *credential,
                              const char *what, const char *check)
{
    const json_t *r = json_object_get(credential, "response");
    struct policy_credential c;
    struct buf challenge, client, object;
    bytes_of(&challenge, json_object_get(args, "expected_challenge"), false);
    bytes_of(&client, json_object_get(r, "clientDataJSON"), false);
    bytes_of(&object, json_object_get(r, "attestationObject"), false);
    const char *const origins[] = { origin_in(args) };
    expect(what,
           policy_registration_check(
                   &c, part(&challenge),
                   json_string_value(json_object_get(args, "expected_rp_id")),
                   origins, 1, part(&client), part(&object)),
           check);
}

static void python_and_real_authenticators(void **state)
{
    (void)state;
    json_t *file = load("py_webauthn-vectors.json");
    const json_t *list = json_object_get(file, "cases");
    size_t n = sizeof(python) / sizeof(python[0]);
    assert_int_equal(json_array_size(list), n);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        const json_t *args = json_object_get(v, "args");
        const char *test = json_string_value(json_object_get(v, "test"));
        json_t *parsed = NULL;
        const json_t *credential = credential_in(&parsed, args);
        assert_string_equal(test, python[i].test);
        (i < 7 ? assertion_case : registration_case)(args, credential, test,
                                                     python[i].check);
        json_decref(parsed);
    }
    json_decref(file);
}

/* ---- ECDSA can be rewritten ------------------------------------------------ */

static void a_malleated_signature_is_the_same_approval(void **state)
{
    (void)state;
    json_t *file = load("chromium-virtual-authenticator.json");
    const char *origin = json_string_value(json_object_get(file, "origin"));
    const json_t *v = json_array_get(json_object_get(file, "cases"), 0);
    struct policy_credential c;
    struct buf challenge;
    struct said s;
    assert_true(chromium_register(&c, v, "challenge_register", "localhost",
                                  origin, NULL, "ES256"));
    bytes_of(&challenge, json_object_get(v, "challenge_assert"), false);
    assertion_of(&s, v, "assertion");
    const uint8_t *der = s.signature.p;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)s.signature.len);
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BIGNUM *other = BN_new();
    assert_true(
            BN_sub(other, EC_GROUP_get0_order(group), ECDSA_SIG_get0_s(sig)));
    assert_true(ECDSA_SIG_set0(sig, BN_dup(ECDSA_SIG_get0_r(sig)), other));
    uint8_t *out = s.signature.p;
    s.signature.len = (size_t)i2d_ECDSA_SIG(sig, &out);
    expect("malleated", we_say(&c, &challenge, &s), NULL);
    s.signature.p[s.signature.len++] = 0; /* a byte after the DER */
    expect("trailing", we_say(&c, &challenge, &s), "approval_signature");
    ECDSA_SIG_free(sig);
    EC_GROUP_free(group);
    json_decref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_specifications_vectors),
        cmocka_unit_test(chromium_with_each_algorithm),
        cmocka_unit_test(chromium_without_its_owner_or_a_touch),
        cmocka_unit_test(a_synced_passkey_is_believed_as_enrolled),
        cmocka_unit_test(a_parent_domain_and_chromiums_random_member),
        cmocka_unit_test(python_and_real_authenticators),
        cmocka_unit_test(a_malleated_signature_is_the_same_approval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "fixture.h"

#include "base/hash.h"

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    struct policy *p = fx_policy(1);
    struct policy_session s = fx_session(p, POLICY_S_SIGN, "guarded"), back;
    char text[POLICY_DESCRIPTOR_MAX];
    size_t len = 0;
    policy_session_artifact(&s, "app.tar.gz", "bytes", 5);
    assert_ok(policy_session_write(text, &len, &s));
    assert_int_equal(strlen(text), len);
    assert_ok(policy_session_parse(&back, text, len));
    assert_memory_equal(back.id, s.id, 32);
    assert_memory_equal(back.artifact_sha512, s.artifact_sha512, 64);
    assert_memory_equal(back.nonce, s.nonce, 32);
    assert_memory_equal(back.key, s.key, 32);
    assert_int_equal(back.expires, FX_NOW + 900);
    assert_int_equal(back.n_slots, 3);
    assert_string_equal(back.requester, "dev");
    assert_int_equal(back.artifact_size, 5);
    policy_free(p);
}

static void the_id_is_the_hash_of_the_exact_bytes(void **state)
{
    (void)state;
    struct policy *p = fx_policy(1);
    struct policy_session s = fx_session(p, POLICY_S_KEY_CREATE, "guarded");
    char text[POLICY_DESCRIPTOR_MAX];
    size_t len = 0;
    fx_seal(&s, text, &len);
    uint8_t joined[16 + POLICY_DESCRIPTOR_MAX] = "mpc/session/v1", want[32];
    memcpy(joined + 15, text, len);
    hash256(want, joined, 15 + len);
    assert_memory_equal(s.id, want, 32);

    /* the same members in other bytes are another session */
    struct policy_session other;
    text[len] = ' ';
    assert_ok(policy_session_parse(&other, text, len + 1));
    assert_memory_not_equal(other.id, s.id, 32);
    policy_free(p);
}

static void every_type_is_written_and_read(void **state)
{
    (void)state;
    struct policy *p = fx_policy(1);
    for (int t = POLICY_S_SIGN; t <= POLICY_S_BACKUP; t++) {
        enum policy_session_type type = (enum policy_session_type)t, back;
        struct policy_session s = fx_session(
                p, type, type == POLICY_S_POLICY ? NULL : "guarded");
        if (type == POLICY_S_POLICY || type == POLICY_S_ROOT)
            policy_session_artifact(&s, "x", "x", 1);
        fx_seal(&s, NULL, NULL);
        assert_ok(policy_session_type_parse(&back,
                                            policy_session_type_name(type)));
        assert_int_equal(back, type);
    }
    policy_free(p);
}

struct bad {
    const char *why;
    const char *type; /* the session that is changed */
    const char *path;
    const char *value;
};
#define H64                                                                    \
    "\"0000000000000000000000000000000000000000000000000000000000000001\""
#define ARTIFACT                                                               \
    "{\"name\":\"a\",\"size\":1,\"sha256\":" H64 ",\"sha512\":"                \
    "\"00000000000000000000000000000000000000000000000000000000000000000000"   \
    "000000000000000000000000000000000000000000000000000000000000\"}"
/* clang-format off */
static const struct bad bads[] = {
    { "another format", "sign", "v", "2" },
    { "a member missing", "sign", "reason", NULL },
    { "a member too many", "sign", "epoch", "1" },
    { "an unknown type", "sign", "type", "\"steal\"" },
    { "another mode", "sign", "mode", "\"ed25519ph\"" },
    { "cluster short", "sign", "cluster", "\"00\"" },
    { "nonce missing", "sign", "nonce", "null" },
    { "nonce with capitals", "sign", "nonce", "\"AA00000000000000000000000000000000000000000000000000000000000000\"" },
    { "policy missing", "sign", "policy", "null" },
    { "requester empty", "sign", "requester", "\"\"" },
    { "requester with a slash", "sign", "requester", "\"a/b\"" },
    { "requester null", "sign", "requester", "null" },
    { "reason with a line feed", "sign", "reason", "\"a\\nb\"" },
    { "reason with an escape", "sign", "reason", "\"\\u001b[2J\"" },
    { "reason with C1 control", "sign", "reason", "\"\\u009b\"" },
    { "reason that turns the text", "sign", "reason", "\"\\u202e\"" },
    { "reason with hidden joiners", "sign", "reason", "\"\\u200b\"" },
    { "profile as number", "sign", "profile", "1" },
    { "sign without a profile", "sign", "profile", "null" },
    { "sign without slots", "sign", "slots", "[]" },
    { "slot unknown", "sign", "slots", "[\"pgp\"]" },
    { "slot twice", "sign", "slots", "[\"raw\",\"raw\"]" },
    { "slot as number", "sign", "slots", "[0]" },
    { "nine slots", "sign", "slots", "[0,0,0,0,0,0,0,0,0]" },
    { "artifact without size", "sign", "artifact.size", NULL },
    { "artifact of negative size", "sign", "artifact.size", "-1" },
    { "artifact without name", "sign", "artifact.name", "\"\"" },
    { "artifact named over two lines", "sign", "artifact.name", "\"a\\nb\"" },
    { "artifact with a short sha512", "sign", "artifact.sha512", H64 },
    { "artifact with more", "sign", "artifact.md5", "\"\"" },
    { "artifact as text", "sign", "artifact", "\"app\"" },
    { "expires before created", "sign", "expires", "1" },
    { "expires with created", "sign", "expires", "1800000000" },
    { "more than 24 hours", "sign", "expires", "1800086401" },
    { "created before 1970", "sign", "created", "-1" },
    { "created as text", "sign", "created", "\"now\"" },
    { "policy with a profile", "policy", "profile", "\"release\"" },
    { "policy with a key", "policy", "key", H64 },
    { "policy without an artifact", "policy", "artifact", "null" },
    { "policy with slots", "policy", "slots", "[\"raw\"]" },
    { "key-create with a key", "key-create", "key", H64 },
    { "key-create with an artifact", "key-create", "artifact", ARTIFACT },
    { "key-create with slots", "key-create", "slots", "[\"raw\"]" },
    { "key-create without a profile", "key-create", "profile", "null" },
    { "root with another slot", "root", "slots", "[\"raw\"]" },
    { "root with two slots", "root", "slots", "[\"x509\",\"raw\"]" },
    { "root without its key", "root", "key", "null" },
    { "root without an artifact", "root", "artifact", "null" },
    { "refresh without its key", "refresh", "key", "null" },
    { "destroy with an artifact", "destroy", "artifact", ARTIFACT },
    { "backup with slots", "backup", "slots", "[\"raw\"]" },
};
/* clang-format on */

static json_t *good(const struct policy *p, const char *name)
{
    enum policy_session_type type = POLICY_S_SIGN;
    assert_ok(policy_session_type_parse(&type, name));
    struct policy_session s = fx_session(
            p, type, type == POLICY_S_POLICY ? NULL : "guarded");
    if (type == POLICY_S_SIGN || type == POLICY_S_POLICY ||
        type == POLICY_S_ROOT)
        policy_session_artifact(&s, "app", "app", 3);
    char text[POLICY_DESCRIPTOR_MAX];
    size_t len = 0;
    fx_seal(&s, text, &len);
    return json_loadb(text, len, 0, NULL);
}

static void what_breaks_a_rule_is_refused(void **state)
{
    (void)state;
    struct policy *p = fx_policy(1);
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        json_t *j = good(p, bads[i].type);
        fx_patch(j, bads[i].path, bads[i].value);
        char *text = fx_text(j);
        struct policy_session s;
        enum rc rc = policy_session_parse(&s, text, strlen(text));
        if (rc != RC_PARSE && rc != RC_TOO_LARGE)
            fail_msg("%s: %s", bads[i].why, rc_slug(rc));
        free(text);
        json_decref(j);
    }
    policy_free(p);
}

static void a_descriptor_ends_at_8_kib(void **state)
{
    (void)state;
    char *big = malloc(POLICY_DESCRIPTOR_MAX);
    memset(big, ' ', POLICY_DESCRIPTOR_MAX);
    struct policy_session s;
    assert_rc(policy_session_parse(&s, big, POLICY_DESCRIPTOR_MAX),
              RC_TOO_LARGE);
    free(big);
}

static void a_bad_session_is_not_written(void **state)
{
    (void)state;
    struct policy *p = fx_policy(1);
    struct policy_session s = fx_session(p, POLICY_S_SIGN, "release");
    char text[POLICY_DESCRIPTOR_MAX] = "untouched";
    size_t len = 7;
    s.expires = s.created + POLICY_SESSION_MAX_S + 1;
    assert_rc(policy_session_write(text, &len, &s), RC_PARSE);
    s.expires = s.created + 1;
    s.reason[0] = (char)0xff;
    assert_rc(policy_session_write(text, &len, &s), RC_ARG);
    assert_string_equal(text, "untouched");
    assert_int_equal(len, 7);
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_id_is_the_hash_of_the_exact_bytes),
        cmocka_unit_test(every_type_is_written_and_read),
        cmocka_unit_test(what_breaks_a_rule_is_refused),
        cmocka_unit_test(a_descriptor_ends_at_8_kib),
        cmocka_unit_test(a_bad_session_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

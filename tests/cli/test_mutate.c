/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every member of a bundle changed, removed, or swapped with that of another
 * bundle of the same cluster, profile and file, one at a time: no change
 * verifies, and the check that says so is the one it concerns. The second
 * time round the digest is made new, as somebody would who means it.
 */
#include "cluster.h"

#include <sodium.h>

#include "base/file.h"
#include "cli/verify.h"
#include "mutate.h"

#define FILE_BYTES 4000

static struct verify_trust *trust;

/* ---- bundles ------------------------------------------------------------------ */

static json_t *sign_as(const char *profile, const char *name)
{
    struct run r;
    const char *path = in(name);
    RUN(&r, "sign", at.file, "--profile", profile, "-s", in("sig"), "--bundle",
        path);
    assert_code(&r, 0);
    run_free(&r);
    json_t *o = json_load_file(path, 0, NULL);
    assert_non_null(o);
    return o;
}

static void approve(const char *id, const char *person, const char *role)
{
    struct run r;
    RUN(&r, "approve", id, "--as", person, "--role", role, "--yes");
    assert_code(&r, 0);
    run_free(&r);
}

/* Of an approved session of guarded, by this kind of slot. */
static json_t *sign_guarded(const char *profile, const char *slot)
{
    struct run r;
    char id[65];
    char path[128];
    struct http_answer a;
    RUN(&r, "request", at.file, "--profile", profile, "--slots", "raw,cms",
        "--reason", "a release that is tested");
    assert_code(&r, 0);
    snprintf(id, sizeof(id), "%.64s", r.out);
    run_free(&r);
    approve(id, "alice", "engineer");
    approve(id, "bob", "steward");
    approve(id, "carol", "steward");
    RUN(&r, "sign", at.file, "--profile", profile, "--session", id, "-s",
        in("sig"), "--cms", in("p7s"));
    assert_code(&r, 0);
    run_free(&r);
    snprintf(path, sizeof(path), "/v1/bundle/%s?slot=%s", id, slot);
    assert_ok(cli_ask(&a, NULL, path, NULL, 0, 15000));
    json_t *o = json_loadb((const char *)a.body, a.body_len, 0, NULL);
    assert_non_null(o);
    http_answer_free(&a);
    return o;
}

/* ---- judging a changed one ------------------------------------------------------- */

/* A change under this member is found by one of these. */
static const struct {
    const char *member;
    const char *checks;
} finds[] = {
    { "v", "bundle" },
    { "digest", "bundle whole" },
    { "kind", "bundle kind intent artifact signature" },
    { "profile", "bundle intent" },
    { "signature", "bundle signature receipt" },
    { "group_key", "bundle signature" },
    { "policy", "bundle intent" },
    { "message", "bundle kind signature" },
    { "session", "bundle intent approvals" },
    { "intent", "bundle log attested intent" },
    { "signers", "bundle signers attested cosigned" },
    { "receipt", "bundle receipt" },
    { "growth", "bundle history" },
    { "cosigners", "bundle cosigned" },
    { "birth", "bundle birth intent" },
    { "chain", "bundle receipt certificate" },
    { "issuer", "bundle issuer certificate" },
    { "more", "bundle" },
};

/*
 * What only the digest sees: a bundle with fewer cosignatures is a true one
 * of a day on which fewer nodes answered, and verify says how many there are.
 */
static bool only_less(const char *where, const char *how)
{
    bool row = strcmp(where, "cosigners") == 0 ||
               (strncmp(where, "cosigners.", 10) == 0 &&
                !strchr(where + 10, '.'));
    size_t len = strlen(where);
    bool line = strncmp(where, "signers.", 8) == 0 && len > 12 &&
                strcmp(where + len - 12, ".cosignature") == 0;
    return (row &&
            (strcmp(how, "removed") == 0 || strcmp(how, "emptied") == 0)) ||
           (line &&
            (strcmp(how, "empty") == 0 || strcmp(how, "without line 0") == 0));
}

struct judging {
    const char *only; /* members; NULL: all */
    unsigned n;
    unsigned bad;
    unsigned less;
};

static bool names(const char *list, const char *word)
{
    size_t len = strlen(word);
    if (len == 0)
        return false;
    for (const char *at_word = strstr(list, word); at_word;
         at_word = strstr(at_word + 1, word))
        if ((at_word == list || at_word[-1] == ' ') &&
            (at_word[len] == ' ' || at_word[len] == '\0'))
            return true;
    return false;
}

static const char *expected(const char *where)
{
    size_t len = strcspn(where, ".!");
    for (size_t i = 0; i < sizeof(finds) / sizeof(*finds); i++)
        if (strlen(finds[i].member) == len &&
            strncmp(finds[i].member, where, len) == 0)
            return finds[i].checks;
    return "bundle";
}

/* One of the checks it concerns has failed and says what it wanted. */
static bool found(const struct verify_result *r, const char *list)
{
    size_t i;
    json_t *c;
    bool is = false;
    json_array_foreach (r->checks, i, c) {
        if (json_is_true(json_object_get(c, "ok")))
            continue;
        assert_non_null(json_string_value(json_object_get(c, "expected")));
        assert_non_null(json_string_value(json_object_get(c, "actual")));
        is = is || names(list, json_string_value(json_object_get(c, "id")));
    }
    return is;
}

/* All that is wrong is told before the test fails. */
static bool refused(const char *json, size_t len, const char *where,
                    const char *how, const char *list, bool less)
{
    struct verify_result r;
    const struct verify_ask ask = { .file = at.file,
                                    .bundle = (const uint8_t *)json,
                                    .bundle_len = len,
                                    .trust = trust,
                                    .allow_simulated = true };
    enum rc rc = verify_run(&r, &ask);
    bool good = rc == RC_VERIFY ? found(&r, list) : less && rc == RC_OK;
    if (!good)
        print_message("%s, %s: %s; found by none of %s\n", where, how,
                      rc == RC_OK ? "VERIFIES" : rc_text(), list);
    verify_result_free(&r);
    return good;
}

/* The digest made new; false: it is no bundle any more. */
static bool seal(char **json, size_t *len, const char *text)
{
    WIRE(bundle) b = { 0 };
    if (wire_bundle_decode(&b, text, strlen(text)) != RC_OK)
        return false;
    assert_ok(wire_bundle_digest(b.digest, &b));
    assert_ok(wire_bundle_encode(json, len, &b));
    return true;
}

static void judge_changed(void *ctx, json_t *changed, const char *where,
                          const char *how)
{
    struct judging *j = ctx;
    char list[128];
    char *sealed = NULL;
    size_t len;
    snprintf(list, sizeof(list), "%.*s", (int)strcspn(where, ".!"), where);
    if (j->only && !names(j->only, list))
        return;
    char *text = json_dumps(changed, JSON_COMPACT);
    assert_non_null(text);
    bool less = only_less(where, how);
    j->n++;
    j->less += less;
    snprintf(list, sizeof(list), "%s whole", expected(where));
    j->bad += !refused(text, strlen(text), where, how, list, false);
    if (strcmp(where, "digest") != 0 && seal(&sealed, &len, text))
        j->bad += !refused(sealed, len, where, how, expected(where), less);
    free(sealed);
    free(text);
}

static void every_change(json_t *a, json_t *b, const char *only)
{
    struct judging j = { .only = only };
    struct verify_result r;
    char *text = json_dumps(a, JSON_INDENT(2)); /* as somebody may keep it */
    const struct verify_ask ask = { .file = at.file,
                                    .bundle = (const uint8_t *)text,
                                    .bundle_len = strlen(text),
                                    .trust = trust,
                                    .allow_simulated = true };
    enum rc rc = verify_run(&r, &ask);
    if (rc != RC_OK)
        fail_msg("%s", json_dumps(r.checks, JSON_INDENT(1)));
    assert_true(r.fork_proof);
    verify_result_free(&r);
    mutate_all(a, b, judge_changed, &j);
    print_message("%u changes, %u of them only weaken\n", j.n, j.less);
    assert_int_equal(j.bad, 0);
    assert_true(j.n > 20);
    free(text);
    json_decref(a);
    json_decref(b);
}

static void of_a_bundle_with_a_certificate(void **state)
{
    (void)state;
    json_t *a = sign_as("release", "a.json");
    every_change(a, sign_as("release", "b.json"), NULL);
}

static void of_a_bundle_of_a_key_for_one_session(void **state)
{
    (void)state;
    json_t *a = sign_as("once", "a.json");
    every_change(a, sign_as("once", "b.json"), "birth chain group_key");
}

static void of_a_bundle_with_approvals(void **state)
{
    (void)state;
    json_t *a = sign_guarded("guarded", "raw");
    every_change(a, sign_guarded("guarded", "raw"), "session intent policy");
}

static void of_a_bundle_of_cms(void **state)
{
    (void)state;
    json_t *a = sign_guarded("guarded", "cms");
    every_change(a, sign_guarded("guarded", "cms"),
                 "kind message signature profile");
}

static int setup(void **state)
{
    cluster_setup(state);
    assert_ok(verify_trust_new(&trust));
    assert_ok(verify_trust_ask(trust, NULL));
    return 0;
}

static int teardown(void **state)
{
    verify_trust_free(trust);
    return cluster_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_bundle_with_a_certificate),
        cmocka_unit_test(of_a_bundle_of_a_key_for_one_session),
        cmocka_unit_test(of_a_bundle_with_approvals),
        cmocka_unit_test(of_a_bundle_of_cms),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

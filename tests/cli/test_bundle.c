/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundle of a real cluster: it verifies offline, and changed in any way it
 * is refused by the check that the change concerns.
 */
#include "cluster.h"

/* ---- a bundle, as it is ------------------------------------------------- */

static void the_bundle_verifies_offline(void **state)
{
    (void)state;
    struct run r;
    const char *sidecar = getenv("MPC_SIDECAR");
    char kept[256];
    snprintf(kept, sizeof(kept), "%s", sidecar);
    setenv("MPC_SIDECAR", "/nonexistent", 1);
    RUN(&r, "verify", at.file, "--bundle", at.bundle, "--policy", at.policy,
        "--allow-simulated");
    assert_code(&r, 0);
    assert_null(strstr(r.out, "FAIL"));
    run_free(&r);
    setenv("MPC_SIDECAR", kept, 1);
}

static void simulated_is_refused_without_a_word(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "verify", at.file, "--bundle", at.bundle, "--policy", at.policy,
        "-o", "json");
    assert_code(&r, 7);
    json_t *o = run_json(&r);
    assert_true(json_is_false(json_object_get(o, "ok")));
    assert_true(json_is_true(json_object_get(o, "simulated")));
    json_decref(o);
    run_free(&r);
}

/* ---- and changed -------------------------------------------------------- */

/* "signers.0.evidence": the value there, NULL when missing. */
static json_t *walk(json_t *o, const char *path, char last[64])
{
    char copy[160];
    char *save = NULL;
    snprintf(copy, sizeof(copy), "%s", path);
    char *word = strtok_r(copy, ".", &save);
    for (;;) {
        char *next = strtok_r(NULL, ".", &save);
        if (!next) {
            snprintf(last, 64, "%s", word);
            return o;
        }
        o = json_is_array(o) ? json_array_get(o, strtoul(word, NULL, 10))
                             : json_object_get(o, word);
        assert_non_null(o);
        word = next;
    }
}

static json_t *get(json_t *o, const char *last)
{
    json_t *v = json_is_array(o) ? json_array_get(o, strtoul(last, NULL, 10))
                                 : json_object_get(o, last);
    assert_non_null(v);
    return v;
}

/* Another character at this place, of the same alphabet as hex and base64. */
static void twist(json_t *text, size_t at_char)
{
    char *copy = strdup(json_string_value(text));
    assert_true(at_char < strlen(copy));
    copy[at_char] = copy[at_char] == '1' ? '2' : '1';
    assert_int_equal(json_string_set(text, copy), 0);
    free(copy);
}

/* The first line of an entry that begins with word gets another value. */
static void twist_line(json_t *text, const char *word)
{
    const char *s = json_string_value(text);
    const char *at_line = strstr(s, word);
    assert_non_null(at_line);
    twist(text, (size_t)(at_line - s) + strlen(word) + 1);
}

struct change {
    const char *path;
    size_t at_char;     /* to twist; or */
    const char *line;   /* the line of an entry whose value to twist; or */
    const char *cut;    /* "cut": the list becomes empty */
    const char *failed; /* the check that says so */
};

static void apply(json_t *root, const struct change *c)
{
    char last[64];
    json_t *o = walk(root, c->path, last);
    json_t *v = get(o, last);
    if (c->cut)
        assert_int_equal(json_array_clear(v), 0);
    else if (c->line)
        twist_line(v, c->line);
    else if (json_is_integer(v))
        assert_int_equal(json_integer_set(v, json_integer_value(v) + 1), 0);
    else
        twist(v, c->at_char);
}

static bool has_failed(const json_t *result, const char *id)
{
    size_t i;
    json_t *c;
    json_array_foreach (json_object_get(result, "checks"), i, c)
        if (json_is_false(json_object_get(c, "ok")) &&
            strcmp(json_string_value(json_object_get(c, "id")), id) == 0)
            return true;
    return false;
}

static void every_change_is_seen_by_its_check(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct change changes[] = {
        { "signature", 4, NULL, NULL, "signature" },
        { "group_key", 4, NULL, NULL, "signature" },
        { "policy", 4, NULL, NULL, "intent" },
        { "profile", 0, NULL, NULL, "intent" },
        { "kind", 0, NULL, NULL, "kind" },
        { "v", 0, NULL, NULL, "bundle" },
        { "session.descriptor", 400, NULL, NULL, NULL },
        { "intent.entry", 0, "commitment", NULL, "commitment" },
        { "intent.entry", 0, "\nkey", NULL, "intent" },
        { "intent.entry", 0, "\nsession", NULL, "intent" },
        { "intent.entry", 0, "approvals", NULL, "approvals" },
        { "intent.entry", 0, "participants", NULL, "signers" },
        { "intent.entry", 0, "\npolicy", NULL, "policy" },
        { "intent.entry", 0, "birth", NULL, "intent" },
        { "intent.entry", 0, "expires", NULL, "log" },
        { "intent.index", 0, NULL, NULL, "log" },
        { "intent.path.0", 4, NULL, NULL, "log" },
        { "intent.path", 0, NULL, "cut", "log" },
        { "intent.checkpoint", 12, NULL, NULL, "log" },
        { "signers", 0, NULL, "cut", "signers" },
        { "signers.0.node", 0, NULL, NULL, "signers" },
        { "signers.0.cosignature", 40, NULL, NULL, "cosigned" },
        { "signers.0.ak_signature", 4, NULL, NULL, "attested" },
        { "signers.0.evidence.0.ak", 4, NULL, NULL, "attested" },
        { "signers.0.evidence.0.report", 200, NULL, NULL, "attested" },
        { "signers.0.evidence.0.chain", 0, NULL, "cut", "attested" },
        { "signers.0.evidence", 0, NULL, "cut", "attested" },
        { "birth.proof.entry", 0, "threshold", NULL, "birth" },
        { "birth.proof.index", 0, NULL, NULL, "birth" },
        { "birth.descriptor", 400, NULL, NULL, "birth" },
        { "birth.requester", 300, NULL, NULL, "birth" },
        { "birth.approvals.0", 300, NULL, NULL, "birth" },
        { "birth.approvals", 0, NULL, "cut", "birth" },
        { "birth.cert.votes.1.sig", 4, NULL, NULL, "birth" },
        { "birth.cert.votes.1.identity", 4, NULL, NULL, "birth" },
        { "birth.cert.votes.1.y", 4, NULL, NULL, "birth" },
        { "birth.cert.transcript", 4, NULL, NULL, "birth" },
        { "birth.cert.group_key", 4, NULL, NULL, "birth" },
        { "issuer.0.proof.entry", 0, "approvals", NULL, "issuer" },
        { "issuer.0.cert.group_key", 4, NULL, NULL, "certificate" },
        { "issuer", 0, NULL, "cut", "certificate" },
        { "chain.0", 300, NULL, NULL, "certificate" },
        { "chain.1", 300, NULL, NULL, "certificate" },
    };
    /* clang-format on */
    const char *changed = in("changed.json");
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        const struct change *c = &changes[i];
        json_t *root = json_load_file(at.bundle, 0, NULL);
        assert_non_null(root);
        apply(root, c);
        assert_int_equal(json_dump_file(root, changed, 0), 0);
        json_decref(root);
        struct run r;
        print_message("%s %s%s\n", c->path, c->line ? c->line : "",
                      c->cut ? c->cut : "");
        RUN(&r, "verify", at.file, "--bundle", changed, "--policy", at.policy,
            "--allow-simulated", "-o", "json");
        assert_code(&r, 10);
        json_t *o = run_json(&r);
        if (c->failed && !has_failed(o, c->failed))
            fail_msg("%s passed: %s", c->failed, r.out);
        json_decref(o);
        run_free(&r);
    }
}

/* ---- what was made before, and what is said ------------------------------ */

static const json_t *check_of(const json_t *result, const char *id)
{
    size_t i;
    json_t *c;
    json_array_foreach (json_object_get(result, "checks"), i, c)
        if (strcmp(json_string_value(json_object_get(c, "id")), id) == 0)
            return c;
    return NULL;
}

static void a_bundle_of_before_says_what_it_lacks(void **state)
{
    (void)state;
    static const char *const since[] = { "digest", "receipt", "growth",
                                         "cosigners", "message" };
    struct run r;
    const char *old = in("old.json");
    json_t *root = json_load_file(at.bundle, 0, NULL);
    assert_non_null(root);
    json_object_set_new(root, "v", json_integer(1));
    for (size_t i = 0; i < sizeof(since) / sizeof(*since); i++)
        json_object_del(root, since[i]);
    assert_int_equal(json_dump_file(root, old, 0), 0);
    json_decref(root);
    RUN(&r, "verify", at.file, "--bundle", old, "--policy", at.policy,
        "--allow-simulated");
    assert_code(&r, 10);
    assert_non_null(strstr(r.out, "FAIL bundle"));
    assert_non_null(strstr(r.out, "bundle.digest: missing"));
    assert_non_null(strstr(r.out, "version 1, from before"));
    run_free(&r);
}

static void json_has_what_was_expected_and_what_is_there(void **state)
{
    (void)state;
    struct run r;
    const char *other = in("other.txt");
    write_bytes(other, "other", 5);
    RUN(&r, "verify", other, "--bundle", at.bundle, "--policy", at.policy,
        "--allow-simulated", "-o", "json");
    assert_code(&r, 10);
    json_t *o = run_json(&r);
    const json_t *bad = check_of(o, "signature");
    const json_t *good = check_of(o, "receipt");
    assert_non_null(json_string_value(json_object_get(bad, "expected")));
    assert_non_null(json_string_value(json_object_get(bad, "actual")));
    assert_true(json_is_null(json_object_get(good, "expected")));
    assert_true(json_is_null(json_object_get(good, "actual")));
    assert_non_null(json_string_value(json_object_get(good, "words")));
    assert_true(json_is_true(json_object_get(o, "fork_proof")));
    json_decref(o);
    run_free(&r);
}

static void a_trust_export_does_for_all_versions(void **state)
{
    (void)state;
    struct run r;
    const char *trust = in("trust.json");
    RUN(&r, "trust", "export", "--out", trust);
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "verify", at.file, "--bundle", at.bundle, "--policy", trust,
        "--allow-simulated");
    assert_code(&r, 0);
    assert_non_null(strstr(r.out, "2 policy versions, each approved"));
    run_free(&r);
    /* alone, and whole: a version's proof is another's */
    RUN(&r, "verify", at.file, "--bundle", at.bundle, "--policy", trust,
        "--policy", at.policy);
    assert_code(&r, 2);
    run_free(&r);
    json_t *root = json_load_file(trust, 0, NULL);
    json_t *v2 = json_array_get(json_object_get(root, "versions"), 1);
    json_array_clear(
            json_object_get(json_object_get(v2, "session"), "approvals"));
    assert_int_equal(json_dump_file(root, trust, 0), 0);
    json_decref(root);
    RUN(&r, "verify", at.file, "--bundle", at.bundle, "--policy", trust);
    assert_true(r.code != 0);
    assert_non_null(strstr(r.err, "trust: version 2"));
    run_free(&r);
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);
    assert_non_null(f);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 1000);
    fclose(f);
    return text;
}

static void the_page_is_whole_and_asks_nobody(void **state)
{
    (void)state;
    struct run r;
    const char *page = in("page.html");
    RUN(&r, "verify", at.file, "--bundle", at.bundle, "--policy", at.policy,
        "--allow-simulated", "--html", page);
    assert_code(&r, 0);
    run_free(&r);
    char *text = read_text(page);
    assert_non_null(strstr(text, "default-src 'none'; style-src 'sha256-"));
    assert_non_null(strstr(text, "This signature holds"));
    assert_non_null(strstr(text, "SIMULATED"));
    assert_non_null(strstr(text, "</html>"));
    static const char *const never[] = { "<script", "http://", "https://",
                                         "src=",    "href=",   "url(",
                                         "style=" };
    for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
        assert_null(strstr(text, never[i]));
    free(text);
    /* and of one that fails */
    RUN(&r, "verify", at.policy, "--bundle", at.bundle, "--policy", at.policy,
        "--allow-simulated", "--html", page);
    assert_code(&r, 10);
    run_free(&r);
    text = read_text(page);
    assert_non_null(strstr(text, "This signature does not hold"));
    assert_non_null(strstr(text, "expected: "));
    free(text);
}

static void another_file_or_policy_fails(void **state)
{
    (void)state;
    struct run r;
    const char *other = in("other.bin");
    const char *genesis = in("c/genesis.json");
    write_bytes(other, "other", 5);
    RUN(&r, "verify", other, "--bundle", at.bundle, "--policy", at.policy,
        "--allow-simulated");
    assert_code(&r, 10);
    assert_non_null(strstr(r.out, "FAIL signature"));
    assert_non_null(strstr(r.out, "FAIL artifact"));
    assert_non_null(strstr(r.out, "FAIL commitment"));
    run_free(&r);
    RUN(&r, "verify", at.file, "--bundle", at.bundle, "--policy", genesis,
        "--allow-simulated");
    assert_code(&r, 10);
    assert_non_null(strstr(r.out, "FAIL policy"));
    assert_non_null(strstr(r.out, "FAIL log"));
    run_free(&r);
    /* with the version before it, all the same */
    RUN(&r, "verify", at.file, "--bundle", at.bundle, "--policy", at.policy,
        "--policy", genesis, "--allow-simulated");
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "verify", at.file, "--bundle", at.file, "--policy", at.policy);
    assert_code(&r, 10);
    run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bundle_verifies_offline),
        cmocka_unit_test(simulated_is_refused_without_a_word),
        cmocka_unit_test(every_change_is_seen_by_its_check),
        cmocka_unit_test(a_bundle_of_before_says_what_it_lacks),
        cmocka_unit_test(json_has_what_was_expected_and_what_is_there),
        cmocka_unit_test(a_trust_export_does_for_all_versions),
        cmocka_unit_test(the_page_is_whole_and_asks_nobody),
        cmocka_unit_test(another_file_or_policy_fails),
    };
    return cmocka_run_group_tests(tests, cluster_setup, cluster_teardown);
}

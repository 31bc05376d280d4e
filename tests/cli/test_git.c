/* SPDX-License-Identifier: Apache-2.0 */
/* git signs commits and tags with a threshold key, and verifies them. */
#include "cluster.h"

#define PROGRAM MPC_BUILD_DIR "/bin/mpcsign-git-x509"

static char repository[96];

static void git_code(struct run *r, int code, const char *const *more)
{
    const char *words[RUN_WORDS + 1] = { "-C", repository };
    for (unsigned i = 0; more[i]; i++)
        words[i + 2] = more[i];
    run_tool(r, "git", words);
    assert_code(r, code);
}
#define GIT(r, code, ...)                                                      \
    git_code((r), (code), (const char *const[]){ __VA_ARGS__, NULL })

static void set(const char *name, const char *value)
{
    struct run r;
    GIT(&r, 0, "config", name, value);
    run_free(&r);
}

static int repository_setup(void **state)
{
    int failed = cluster_setup(state);
    char ca[160];
    snprintf(repository, sizeof(repository), "%s/r", at.top);
    snprintf(ca, sizeof(ca), "%s", in("c/ca.pem"));
    setenv("HOME", at.top, 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    unsetenv("MPC_DEV"); /* roots come from git's configuration here */
    unsetenv("MPC_CA");
    struct run r;
    RUN_TOOL(&r, "git", "init", "-q", repository);
    assert_code(&r, 0);
    run_free(&r);
    set("user.name", "A Person");
    set("user.email", "person@localhost");
    set("gpg.format", "x509");
    set("gpg.x509.program", PROGRAM);
    set("user.signingkey", "mpc:release");
    set("mpc.ca", ca);
    set("mpc.allowSimulated", "true");
    GIT(&r, 0, "commit", "-q", "-S", "--allow-empty", "-m", "one");
    run_free(&r);
    return failed;
}

/* ---- as git does it ----------------------------------------------------- */

static void a_commit_verifies(void **state)
{
    (void)state;
    struct run r;
    GIT(&r, 0, "verify-commit", "--raw", "HEAD");
    assert_non_null(strstr(r.err, "[GNUPG:] GOODSIG "));
    assert_non_null(strstr(r.err, "[GNUPG:] VALIDSIG "));
    assert_non_null(strstr(r.err, "[GNUPG:] TRUST_FULLY"));
    run_free(&r);
    GIT(&r, 0, "log", "-1", "--format=%G? %GT %GS");
    assert_memory_equal(r.out, "G fully mpc://simulated.dev/group/", 34);
    run_free(&r);
    GIT(&r, 0, "cat-file", "commit", "HEAD");
    assert_non_null(strstr(r.out, "gpgsig -----BEGIN SIGNED MESSAGE-----"));
    run_free(&r);
}

static void a_tag_verifies(void **state)
{
    (void)state;
    struct run r;
    GIT(&r, 0, "tag", "-s", "-m", "first", "v1");
    run_free(&r);
    GIT(&r, 0, "verify-tag", "v1");
    assert_non_null(strstr(r.err, "Good signature by mpc://"));
    run_free(&r);
}

static void a_changed_commit_does_not(void **state)
{
    (void)state;
    struct run r;
    GIT(&r, 0, "cat-file", "commit", "HEAD");
    size_t len = strlen(r.out);
    assert_memory_equal(r.out + len - 4, "one\n", 4);
    memcpy(r.out + len - 4, "two\n", 4);
    write_bytes(in("changed"), r.out, len);
    run_free(&r);
    GIT(&r, 0, "hash-object", "-t", "commit", "-w", in("changed"));
    char id[65];
    snprintf(id, sizeof(id), "%s", r.out);
    id[strcspn(id, "\n")] = '\0';
    run_free(&r);
    GIT(&r, 1, "verify-commit", "--raw", id);
    assert_non_null(strstr(r.err, "[GNUPG:] BADSIG "));
    assert_null(strstr(r.err, "GOODSIG"));
    run_free(&r);
}

/* Without a root, under another, or simulated: it cannot be checked. */
static void trust_is_configured_or_there_is_none(void **state)
{
    (void)state;
    char other[160];
    snprintf(other, sizeof(other), "mpc.ca=%s", in("c/pki/ca.pem"));
    const struct {
        const char *setting;
        const char *why;
    } cases[] = {
        { "mpc.ca=/nonexistent", "no such file" },
        { other, "another root" },
        { "mpc.allowSimulated=false", "simulated hardware" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct run r;
        print_message("%s\n", cases[i].why);
        GIT(&r, 1, "-c", cases[i].setting, "verify-commit", "--raw", "HEAD");
        assert_non_null(strstr(r.err, "[GNUPG:] ERRSIG "));
        assert_null(strstr(r.err, "GOODSIG"));
        run_free(&r);
        GIT(&r, 0, "-c", cases[i].setting, "log", "-1", "--format=%G?");
        assert_string_equal(r.out, "E\n");
        run_free(&r);
    }
}

static void what_cannot_sign_makes_no_commit(void **state)
{
    (void)state;
    static const char *const keys[] = { "user.signingkey=person@localhost",
                                        "user.signingkey=mpc:web",
                                        "user.signingkey=mpc:nothing",
                                        "user.signingkey=mpc:guarded" };
    struct run r;
    GIT(&r, 0, "rev-parse", "HEAD");
    char *head = strdup(r.out);
    run_free(&r);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        print_message("%s\n", keys[i]);
        GIT(&r, 128, "-c", keys[i], "commit", "-S", "--allow-empty", "-m", "x");
        run_free(&r);
    }
    GIT(&r, 0, "rev-parse", "HEAD");
    assert_string_equal(r.out, head);
    run_free(&r);
    free(head);
}

/* ---- by hand ------------------------------------------------------------ */

static void it_says_what_git_hides(void **state)
{
    (void)state;
    static const struct {
        const char *words[8];
        int code;
        const char *says;
        const char *why;
    } cases[] = {
        { { "--status-fd=2", "-bsau", "A <a@b>" },
          2,
          "git config user.signingkey",
          "no key's name" },
        { { "--status-fd=2", "-bsau", "mpc:web" },
          6,
          "no certificates",
          "a key without certificates" },
        { { "-sau", "mpc:release" }, 2, "-bsau KEY", "not detached" },
        { { "--status-fd=77", "-bsau", "mpc:release" }, 2, "77", "no such fd" },
        { { "--status-fd=1" }, 2, "nothing to do", "neither" },
        { { "--status-fd=1", "--export" }, 2, "--export", "not ours" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct run r;
        print_message("%s\n", cases[i].why);
        run_tool(&r, PROGRAM, cases[i].words);
        assert_code(&r, cases[i].code);
        assert_non_null(strstr(r.err, cases[i].says));
        run_free(&r);
    }
}

/* Judged at the time in the signature, unless another is named. */
static void a_commit_is_judged_at_its_own_time(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "git-x509", "--status-fd=2", "-bsau", "mpc:release");
    assert_code(&r, 0);
    assert_non_null(strstr(r.err, "[GNUPG:] SIG_CREATED D "));
    write_bytes(in("empty.sig"), r.out, strlen(r.out));
    run_free(&r);
    RUN(&r, "git-x509", "--status-fd=1", "--ca", in("c/ca.pem"),
        "--allow-simulated", "--verify", in("empty.sig"), "-");
    assert_code(&r, 0);
    assert_non_null(strstr(r.out, "\n[GNUPG:] GOODSIG "));
    run_free(&r);
    RUN(&r, "git-x509", "--status-fd=1", "--ca", in("c/ca.pem"), "--at",
        "2030-01-01T00:00:00Z", "--allow-simulated", "--verify",
        in("empty.sig"), "-");
    assert_code(&r, 10);
    assert_non_null(strstr(r.out, "\n[GNUPG:] ERRSIG "));
    run_free(&r);
    RUN(&r, "git-x509", "--status-fd=1", "--ca", in("c/ca.pem"),
        "--allow-simulated", "--verify", in("app.pem"), "-");
    assert_code(&r, 1);
    assert_non_null(strstr(r.out, "\n[GNUPG:] NODATA "));
    run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_verifies),
        cmocka_unit_test(a_tag_verifies),
        cmocka_unit_test(a_changed_commit_does_not),
        cmocka_unit_test(trust_is_configured_or_there_is_none),
        cmocka_unit_test(what_cannot_sign_makes_no_commit),
        cmocka_unit_test(it_says_what_git_hides),
        cmocka_unit_test(a_commit_is_judged_at_its_own_time),
    };
    return cmocka_run_group_tests(tests, repository_setup, cluster_teardown);
}

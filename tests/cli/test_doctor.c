/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor, with one thing wrong at a time: it names that, and the fix. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/sock.h"
#include "cli/doctor.h"

#define MODULE   MPC_BUILD_DIR "/lib/ossl-modules/mpc.so"
#define NOBODY   65534
#define ANSWERED 200 /* a child's exit code when it saw what it should */

static char top[64];

static const char *in(const char *name)
{
    static char path[4][128];
    static unsigned next;
    char *out = path[next++ % 4];
    snprintf(out, sizeof(path[0]), "%s/%s", top, name);
    return out;
}

static int setup(void **state)
{
    (void)state;
    dir_make(top);
    unsetenv("TEE_POLICY_HASH");
    unsetenv("OPENSSL_MODULES");
    unsetenv("MPC_DEV");
    setenv("MPC_SIDECAR", in("none.sock"), 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dir_remove(top);
    return 0;
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* ---- what it said ------------------------------------------------------- */

static const json_t *find(const json_t *o, const char *id, const char *level)
{
    size_t i;
    json_t *c;
    json_array_foreach (json_object_get(o, "checks"), i, c)
        if (strcmp(json_string_value(json_object_get(c, "id")), id) == 0 &&
            strcmp(json_string_value(json_object_get(c, "level")), level) == 0)
            return c;
    return NULL;
}

static void expect(const json_t *o, const char *id, const char *level,
                   const char *words, const char *fix)
{
    const json_t *c = find(o, id, level);
    OWNED_MEM char *all = json_dumps(o, JSON_INDENT(1));
    if (!c)
        fail_msg("no %s of %s:\n%s", level, id, all);
    const char *got = json_string_value(json_object_get(c, "words"));
    if (words && !strstr(got, words))
        fail_msg("%s says \"%s\", not \"%s\"", id, got, words);
    const char *how = json_string_value(json_object_get(c, "fix"));
    if (fix && (!how || !strstr(how, fix)))
        fail_msg("%s wants \"%s\", not \"%s\"", id, how ? how : "", fix);
}

static json_t *examine(int code, const char *const *more)
{
    const char *words[RUN_WORDS + 1] = { "openssl", "doctor", "-o", "json" };
    struct run r;
    for (unsigned i = 0; more[i]; i++)
        words[i + 4] = more[i];
    run_mpcsign(&r, words);
    assert_code(&r, code);
    assert_string_equal(r.err, "");
    json_t *o = run_json(&r);
    assert_true(json_is_true(json_object_get(o, "ok")) == (code == 0));
    run_free(&r);
    return o;
}
#define EXAMINE(code, ...)                                                     \
    examine((code), (const char *const[]){ __VA_ARGS__, NULL })

/* ---- configurations ----------------------------------------------------- */

#define HEAD     "openssl_conf = init\n[init]\nproviders = provs\n"
#define NAMED    "[provs]\ndefault = def\nmpc = ours\n"
#define ON       "[def]\nactivate = 1\n"
#define OURS     "[ours]\nmodule = " MODULE "\nactivate = 1\n"
#define IS_3_0() (OPENSSL_version_major() == 3 && OPENSSL_version_minor() == 0)

static void each_mistake_is_named_with_its_fix(void **state)
{
    (void)state;
    const char *warn_or_fail = IS_3_0() ? "warn" : "fail";
    const struct {
        const char *text;
        const char *id;
        const char *level;
        const char *words;
        const char *fix;
        const char *also; /* fails as well, by what OpenSSL then does */
    } cases[] = {
        { "[init]\nproviders = provs\n" NAMED ON OURS, "sections", "fail",
          "no `openssl_conf", "OPENSSL_CONF", "signature" },
        { "openssl_conf = init\n[init]\n# providers = provs\n", "sections",
          "fail", "commented out", ".include", "signature" },
        { "openssl_conf = init\n[init]\nother = provs\n", "sections", "fail",
          "no `providers", ".include", "signature" },
        { HEAD, "sections", "fail", "no such section", "write it",
          "signature" },
        { HEAD "[provs]\nmpc = ours\n" OURS, "default", "fail", "not named",
          "default = default_sect", "ordinary" },
        { HEAD NAMED "[def]\nnothing = 1\n" OURS, "default", "fail",
          "not activated", "activate = 1", "ordinary" },
        { HEAD NAMED "[def]\nactivate = 0\n" OURS, "default", warn_or_fail,
          "activate = 0", "activate = 1", NULL },
        { HEAD "[provs]\nmpc = ours\ndefault = def\n" ON OURS, "order", "warn",
          "before default", "put `default", NULL },
        { HEAD "[provs]\ndefault = def\n" ON, "mpc", "fail", "not named",
          "mpc = mpc_sect", "signature" },
        { HEAD NAMED ON "[ours]\nmodule = " MODULE "\n", "mpc", "fail",
          "not activated", "activate = 1", "signature" },
        { HEAD "[provs]\ndefault = def\nsigner = ours\n" ON OURS, "mpc", "warn",
          "called signer", "name it mpc", NULL },
        { HEAD NAMED ON "[ours]\nactivate = 1\nmodule = /none/mpc.so\n",
          "module", "fail", "No such file", MODULE, "signature" },
        { HEAD NAMED ON "[ours]\nactivate = 1\nmodule = mpc.so\n", "module",
          "fail", "ossl-modules/mpc.so", "OPENSSL_MODULES", "signature" },
        { HEAD "alg_section = algs\n" NAMED ON OURS
               "[algs]\ndefault_properties = ?provider=mpc\n",
          "properties", "fail", "?provider=mpc", "remove", "ordinary" },
        { HEAD NAMED ON OURS "timeout = soon\n", "settings", "fail", "timeout",
          "timeout = 10", NULL },
        { HEAD NAMED ON OURS "legacy-bridge = 1\n", "settings", "fail",
          "want yes or no", "legacy-bridge = yes", NULL },
        { HEAD NAMED ON OURS "evidence-dir = here\n", "settings", "fail",
          "absolute", NULL, NULL },
        { HEAD NAMED ON OURS "evidence-dir = /none\n", "settings", "warn",
          "No such file", "comment the line out", NULL },
        { HEAD NAMED ON OURS "sidecars = /x\n", "settings", "warn", "sidecars",
          "provider-mpc(7)", NULL },
        { HEAD NAMED ON "[ours\nactivate = 1\n", "file", "fail", "line 9",
          "correct it", "library" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        print_message("%zu: %s\n", i, cases[i].words);
        write_text(in("a.cnf"), cases[i].text);
        json_t *o = EXAMINE(1, "--conf", in("a.cnf"));
        expect(o, cases[i].id, cases[i].level, cases[i].words, cases[i].fix);
        if (cases[i].also)
            expect(o, cases[i].also, "fail", NULL, NULL);
        expect(o, "socket", "fail", "no such socket", "start it");
        json_decref(o);
    }
}

static void a_good_configuration_has_no_other_failure(void **state)
{
    (void)state;
    static const char *const good[] = { "file",    "sections", "default",
                                        "mpc",     "order",    "bridge",
                                        "module",  "library",  "signature",
                                        "ordinary" };
    write_text(in("a.cnf"), HEAD NAMED ON OURS "timeout = 3\n");
    json_t *o = EXAMINE(1, "--conf", in("a.cnf"));
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        expect(o, good[i], "ok", NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(o, "failed")), 1);
    assert_int_equal(json_integer_value(json_object_get(o, "warned")), 0);
    json_decref(o);
}

/* OPENSSL_MODULES is where a configuration without `module` looks. */
static void the_module_directory_is_the_effective_one(void **state)
{
    (void)state;
    write_text(in("a.cnf"), HEAD NAMED ON "[ours]\nactivate = 1\n");
    setenv("OPENSSL_MODULES", MPC_BUILD_DIR "/lib/ossl-modules", 1);
    json_t *o = EXAMINE(1, "--conf", in("a.cnf"));
    expect(o, "module", "ok", MODULE, NULL);
    expect(o, "signature", "ok", NULL, NULL);
    json_decref(o);
    setenv("OPENSSL_MODULES", top, 1);
    o = EXAMINE(1, "--conf", in("a.cnf"));
    expect(o, "module", "fail", "by OPENSSL_MODULES", MODULE);
    json_decref(o);
    unsetenv("OPENSSL_MODULES");
}

static void an_unreadable_file_is_said(void **state)
{
    (void)state;
    json_t *o = EXAMINE(1, "--conf", in("none.cnf"));
    expect(o, "file", "fail", "No such file", "correct OPENSSL_CONF");
    expect(o, "signature", "fail", NULL, NULL);
    json_decref(o);
}

static void a_bridge_file_wants_the_bridge(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "key", "ref", "release", "--cms", "--offline", "-O", in("b.pem"));
    assert_code(&r, 0);
    run_free(&r);
    write_text(in("a.cnf"), HEAD NAMED ON OURS);
    json_t *o = EXAMINE(1, "--conf", in("a.cnf"), "--key", in("b.pem"));
    expect(o, "bridge", "fail", "which is off", "legacy-bridge = yes");
    json_decref(o);
    write_text(in("a.cnf"), HEAD NAMED ON OURS "legacy-bridge = yes\n"
                                               "decode-public-keys = yes\n");
    o = EXAMINE(1, "--conf", in("a.cnf"), "--key", in("b.pem"));
    expect(o, "bridge", "ok", "on", NULL);
    json_decref(o);
}

static void a_privileged_program_hears_no_environment(void **state)
{
    (void)state;
    write_text(in("tool"), "#!/bin/sh\n");
    assert_int_equal(chmod(in("tool"), 0755), 0);
    json_t *o = EXAMINE(1, "--program", in("tool"));
    expect(o, "program", "ok", "hears", NULL);
    json_decref(o);
    assert_int_equal(chmod(in("tool"), 04755), 0);
    o = EXAMINE(1, "--program", in("tool"));
    expect(o, "program", "fail", "set-user-ID", "system's openssl.cnf");
    json_decref(o);
}

/* ---- modules ------------------------------------------------------------ */

static void broken_modules_take_nobody_down(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *words;
        bool library; /* OpenSSL itself ends by it */
    } cases[] = {
        { MPC_BUILD_DIR "/tests/doctor_breaks.so", "signal 6", true },
        { MPC_BUILD_DIR "/tests/doctor_lacks.so", "mpc_test_is_nowhere",
          false },
        { MPC_BUILD_DIR "/tests/doctor_plain.so", "no provider", false },
    };
    char text[1024];
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        print_message("%s\n", cases[i].words);
        snprintf(text, sizeof(text),
                 HEAD NAMED ON "[ours]\nactivate = 1\nmodule = %s\n",
                 cases[i].file);
        write_text(in("a.cnf"), text);
        json_t *o = EXAMINE(1, "--conf", in("a.cnf"));
        expect(o, "module", "fail", cases[i].words, NULL);
        expect(o, cases[i].library ? "library" : "signature", "fail",
               cases[i].library ? "signal 6" : NULL, NULL);
        json_decref(o);
    }
    write_text(in("junk.so"), "no ELF");
    json_t *o = EXAMINE(1, "--module", in("junk.so"));
    expect(o, "module", "fail", "junk.so", "build it");
    json_decref(o);
}

/* ---- sockets ------------------------------------------------------------ */

static void left_over(const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    close(fd);
}

static void nobody_behind_the_socket_is_told_apart(void **state)
{
    (void)state;
    char longer[200];
    left_over(in("left.sock"));
    write_text(in("file"), "no socket");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[0] = '/';
    longer[sizeof(longer) - 1] = '\0';
    const struct {
        const char *path;
        const char *words;
        const char *fix;
    } cases[] = {
        { in("none.sock"), "no such socket", "MPC_SIDECAR" },
        { in("left.sock"), "nobody listens", "left over" },
        { in("file"), "is no socket", "MPC_SIDECAR" },
        { longer, "at most 107", "shorter" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        setenv("MPC_SIDECAR", cases[i].path, 1);
        json_t *o = EXAMINE(1, "--conf", "/dev/null");
        expect(o, "socket", "fail", cases[i].words, cases[i].fix);
        json_decref(o);
    }
    setenv("MPC_SIDECAR", in("none.sock"), 1);
}

/* In a child that is nobody: root may connect to anything. */
static int seen_as_nobody(const char *words, const char *fix)
{
    struct doctor d = { .name = "mpc" };
    if (geteuid() == 0 &&
        (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        return 1;
    cli_json_set(true);
    if (cli_checks_begin(&d.checks) != RC_OK)
        return 2;
    doctor_socket(&d);
    const json_t *c = json_array_get(d.checks.list, 0);
    const char *said = json_string_value(json_object_get(c, "words"));
    const char *how = json_string_value(json_object_get(c, "fix"));
    bool ok = said && strstr(said, words) && strstr(said, "you are ") && how &&
              strstr(how, fix);
    if (!ok)
        print_message("said: %s; fix: %s\n", said ? said : "", how ? how : "");
    cli_checks_end(&d.checks);
    return ok ? ANSWERED : 3;
}

static void as_nobody(const char *words, const char *fix)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(seen_as_nobody(words, fix));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ANSWERED);
}

static void who_may_not_is_told_who_may(void **state)
{
    (void)state;
    int fd;
    char path[128];
    assert_int_equal(chmod(top, 0755), 0);
    assert_int_equal(mkdir(in("d"), 0755), 0);
    snprintf(path, sizeof(path), "%s", in("d/s.sock"));
    assert_ok(sock_unix_listen(&fd, path, 0600));
    setenv("MPC_SIDECAR", path, 1);
    assert_int_equal(chmod(path, 0400), 0);
    as_nobody("mode 0400", "socket_group");
    assert_int_equal(chmod(path, 0060), 0);
    if (geteuid() == 0) /* as its owner we would not be asked for the group */
        as_nobody("mode 0060", "adduser");
    assert_int_equal(chmod(in("d"), 0600), 0);
    as_nobody("no way through", "chmod a+x");
    assert_int_equal(chmod(in("d"), 0700), 0);
    close(fd);
    setenv("MPC_SIDECAR", in("none.sock"), 1);
}

/* ---- a sidecar without keys --------------------------------------------- */

static void answer(int fd, const char *body)
{
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                     strlen(body), body);
    (void)!write(fd, text, (size_t)n);
}

static void reply_to(int fd)
{
    static const char nothing[] = "{\"keys\":[]}";
    static const char status[] = "{\"node\":7,\"deployment\":\"empty\","
                                 "\"problems\":[\"the log is far away\"]}";
    char ask[4096];
    ssize_t n = recv(fd, ask, sizeof(ask) - 1, 0);
    if (n <= 0)
        return; /* a knock */
    ask[n] = '\0';
    answer(fd, strstr(ask, "/v1/keys") ? nothing : status);
}

static void serve(int listening)
{
    for (;;) {
        int fd = accept(listening, NULL, NULL);
        if (fd < 0) {
            usleep(2000); /* the listener does not block */
            continue;
        }
        reply_to(fd);
        close(fd);
    }
}

static void a_sidecar_without_keys_cannot_sign(void **state)
{
    (void)state;
    int fd;
    assert_ok(sock_unix_listen(&fd, in("s.sock"), 0600));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        serve(fd);
    close(fd);
    setenv("MPC_SIDECAR", in("s.sock"), 1);
    write_text(in("a.cnf"), HEAD NAMED ON OURS);
    json_t *o = EXAMINE(1, "--conf", in("a.cnf"));
    expect(o, "sidecar", "ok", "node 7 of empty", NULL);
    expect(o, "sidecar", "warn", "the log is far away", NULL);
    expect(o, "keys", "fail", "none of its 0 profiles", "key create");
    json_decref(o);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    setenv("MPC_SIDECAR", in("none.sock"), 1);
}

static void an_unusable_policy_hash_is_seen_first(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "not hex" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        setenv("TEE_POLICY_HASH", bad[i], 1);
        json_t *o = EXAMINE(1, "--conf", "/dev/null");
        expect(o, "policy-hash", "fail", "TEE_POLICY_HASH", "unset it");
        json_decref(o);
    }
    unsetenv("TEE_POLICY_HASH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_named_with_its_fix),
        cmocka_unit_test(a_good_configuration_has_no_other_failure),
        cmocka_unit_test(the_module_directory_is_the_effective_one),
        cmocka_unit_test(an_unreadable_file_is_said),
        cmocka_unit_test(a_bridge_file_wants_the_bridge),
        cmocka_unit_test(a_privileged_program_hears_no_environment),
        cmocka_unit_test(broken_modules_take_nobody_down),
        cmocka_unit_test(nobody_behind_the_socket_is_told_apart),
        cmocka_unit_test(who_may_not_is_told_who_may),
        cmocka_unit_test(a_sidecar_without_keys_cannot_sign),
        cmocka_unit_test(an_unusable_policy_hash_is_seen_first),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

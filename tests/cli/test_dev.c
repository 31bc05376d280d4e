/* SPDX-License-Identifier: Apache-2.0 */
/* A real cluster, all processes of it: used, approved, hurt and taken down. */
#include "cluster.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- a cluster ---------------------------------------------------------- */

static void second_up_changes_nothing(void **state)
{
    (void)state;
    struct run first;
    struct run second;
    RUN(&first, "dev", "env", "--dir", at.dir);
    RUN(&second, "dev", "up", "--dir", at.dir);
    assert_code(&first, 0);
    assert_code(&second, 0);
    assert_string_equal(first.out, second.out);
    run_free(&first);
    run_free(&second);
}

static void status_and_keys_are_told(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "status", "-o", "json");
    assert_code(&r, 0);
    json_t *o = run_json(&r);
    assert_true(json_is_true(json_object_get(o, "simulated")));
    json_decref(o);
    run_free(&r);
    RUN(&r, "status");
    assert_non_null(strstr(r.out, "SIMULATED"));
    run_free(&r);
    RUN(&r, "key", "show", "release", "-o", "json");
    assert_code(&r, 0);
    o = run_json(&r);
    assert_int_equal(json_string_length(json_object_get(o, "group_key")), 64);
    assert_int_equal(json_integer_value(json_object_get(o, "epoch")), 1);
    assert_int_equal(json_integer_value(json_object_get(o, "threshold")), 2);
    assert_int_equal(json_array_size(json_object_get(o, "nodes")), 3);
    json_decref(o);
    run_free(&r);
    RUN(&r, "policy", "show");
    assert_non_null(strstr(r.out, "any single sidecar's caller may use it"));
    run_free(&r);
}

static void keys_are_made_once_and_by_stewards(void **state)
{
    (void)state;
    static const struct {
        const char *words[10];
        int code;
        const char *why;
    } cases[] = {
        { { "key", "create", "release", "--as", "dev", "--approve", "bob",
            "carol" },
          1,
          "it exists" },
        { { "key", "create", "nothing", "--as", "dev", "--approve", "bob",
            "carol" },
          1,
          "no such profile" },
        { { "key", "create", "release", "--as", "dev", "--approve", "bob" },
          3,
          "one steward is not two" },
        { { "key", "create", "release", "--as", "dev", "--approve", "bob",
            "alice" },
          6,
          "an engineer is no steward" },
        { { "key", "create", "release", "--as", "bob", "--approve", "bob",
            "carol" },
          3,
          "who asks does not approve" },
        { { "key", "create", "release", "--as", "dev", "--approve", "../bob" },
          2,
          "a path is no person" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct run r;
        print_message("%s\n", cases[i].why);
        run_mpcsign(&r, cases[i].words);
        assert_code(&r, cases[i].code);
        run_free(&r);
    }
}

/* What tools that want a file find in the directory, and make themselves. */
static void key_references_lie_ready(void **state)
{
    (void)state;
    static const struct {
        const char *words[5];
        const char *file;
    } cases[] = {
        { { "key", "ref", "release", "--cms" }, "c/release.pem" },
        { { "key", "ref", "web" }, "c/web.pem" },
    };
    struct run r;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char pem[512] = "";
        FILE *f = fopen(in(cases[i].file), "r");
        assert_non_null(f);
        assert_true(fread(pem, 1, sizeof(pem) - 1, f) > 0);
        fclose(f);
        run_mpcsign(&r, cases[i].words);
        assert_code(&r, 0);
        assert_string_equal(r.out, pem);
        run_free(&r);
    }
    RUN(&r, "key", "ref", "once"); /* a key a session: nothing to ask for */
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "key", "ref", "nothing", "-O", in("nothing.pem"));
    assert_code(&r, 1);
    assert_non_null(strstr(r.err, "no such profile"));
    assert_int_not_equal(access(in("nothing.pem"), F_OK), 0);
    run_free(&r);
}

/* All is well, down to the key's own bytes; then another measurement. */
static void the_doctor_finds_a_cluster_healthy(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "key", "show", "release", "-o", "json");
    assert_code(&r, 0);
    json_t *o = run_json(&r);
    char key[65];
    snprintf(key, sizeof(key), "%s",
             json_string_value(json_object_get(o, "group_key")));
    json_decref(o);
    run_free(&r);
    RUN(&r, "openssl", "doctor", "--conf", in("c/openssl.cnf"));
    assert_code(&r, 0);
    assert_null(strstr(r.out, "FAIL"));
    assert_null(strstr(r.out, "warn"));
    assert_non_null(strstr(r.out, "ok   key          mpc:release is Ed25519 "));
    assert_non_null(strstr(r.out, key));
    run_free(&r);
    static const char *const files[] = { "c/release.pem", "c/web.pem" };
    for (size_t i = 0; i < 2; i++) {
        RUN(&r, "openssl", "doctor", "--conf", in("c/openssl.cnf"), "--key",
            in(files[i]));
        assert_code(&r, 0);
        run_free(&r);
    }
    char *want = strdup(getenv("TEE_POLICY_HASH"));
    setenv("TEE_POLICY_HASH", key, 1);
    RUN(&r, "openssl", "doctor", "--conf", in("c/openssl.cnf"));
    assert_code(&r, 1);
    assert_non_null(strstr(r.out, "FAIL policy-hash"));
    assert_non_null(strstr(r.out, "TEE_POLICY_HASH must have it"));
    run_free(&r);
    setenv("TEE_POLICY_HASH", want, 1);
    free(want);
}

/* A session for at.file, its id in hex. */
static void request(char id[65])
{
    struct run r;
    RUN(&r, "request", at.file, "--profile", "guarded", "--reason", "a test");
    assert_code(&r, 0);
    assert_int_equal(strlen(r.out), 65); /* alone, and a newline */
    memcpy(id, r.out, 64);
    id[64] = '\0';
    run_free(&r);
}

static void decide(const char *verb, const char *id, const char *who,
                   const char *role, int code)
{
    struct run r;
    RUN(&r, verb, id, "--as", who, "--role", role, "--file", at.file);
    assert_code(&r, code);
    run_free(&r);
}

static void sign_guarded(const char *id, int code)
{
    struct run r;
    RUN(&r, "sign", at.file, "--profile", "guarded", "--session", id, "-s",
        in("guarded.sig"), "--bundle", in("guarded.json"));
    assert_code(&r, code);
    run_free(&r);
}

static void a_guarded_key_wants_an_engineer_and_two_stewards(void **state)
{
    (void)state;
    char id[65];
    struct run r;
    RUN(&r, "sign", at.file, "--profile", "guarded", "--no-wait");
    assert_code(&r, 3);
    run_free(&r);
    request(id);
    sign_guarded(id, 3);
    decide("approve", id, "alice", "engineer", 0);
    decide("approve", id, "bob", "steward", 0);
    decide("approve", id, "bob", "steward", 0); /* again is still one */
    decide("approve", id, "dev", "steward", 6);
    decide("approve", id, "alice", "steward", 6);
    sign_guarded(id, 3);
    decide("approve", id, "carol", "steward", 0);
    sign_guarded(id, 0);
    RUN(&r, "verify", at.file, "--bundle", in("guarded.json"), "--policy",
        at.policy, "--allow-simulated");
    assert_code(&r, 0);
    assert_non_null(strstr(r.out, "1 engineers and 2 stewards approved"));
    run_free(&r);
}

static void a_denial_ends_a_session(void **state)
{
    (void)state;
    char id[65];
    request(id);
    decide("approve", id, "alice", "engineer", 0);
    decide("approve", id, "bob", "steward", 0);
    decide("deny", id, "carol", "steward", 0);
    sign_guarded(id, 4);
    request(id);
    decide("approve", id, "alice", "engineer", 0);
    decide("approve", id, "bob", "steward", 0);
    decide("approve", id, "carol", "steward", 0);
    decide("revoke", id, "carol", "steward", 0);
    sign_guarded(id, 3);
}

static void another_file_is_not_approved(void **state)
{
    (void)state;
    char id[65];
    struct run r;
    const char *other = in("not.bin");
    write_bytes(other, "not this", 8);
    request(id);
    RUN(&r, "approve", id, "--as", "alice", "--role", "engineer", "--file",
        other);
    assert_code(&r, 10);
    run_free(&r);
    decide("approve", id, "alice", "engineer", 0);
    decide("approve", id, "bob", "steward", 0);
    decide("approve", id, "carol", "steward", 0);
    RUN(&r, "sign", other, "--profile", "guarded", "--session", id);
    assert_code(&r, 6);
    run_free(&r);
    RUN(&r, "approve", "00", "--as", "alice", "--role", "engineer");
    assert_code(&r, 2);
    run_free(&r);
}

static void the_log_is_whole(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "log", "fsck", getenv("MPC_LOG_URL"), "--vkey",
        getenv("MPC_LOG_VKEY"));
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "log", "fsck", getenv("MPC_LOG_URL"), "--vkey",
        "dev/log+b1d09365+ATaX3h1kXmz6lxX1WnPOnzW4rfksfI8U+24fXgEcFB3w");
    assert_code(&r, 12);
    run_free(&r);
}

static void one_node_may_be_gone_and_come_back(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "dev", "kill", "node2");
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "sign", at.file, "-s", in("two.sig"));
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "dev", "kill", "node3");
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "sign", at.file, "-s", in("one.sig"));
    assert_code(&r, 8);
    assert_int_not_equal(access(in("one.sig"), F_OK), 0);
    run_free(&r);
    RUN(&r, "dev", "start", "node2");
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "sign", at.file, "-s", in("back.sig"));
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "dev", "up", "--dir", at.dir); /* brings node3 back */
    assert_code(&r, 0);
    run_free(&r);
}

static void down_and_up_keeps_keys(void **state)
{
    (void)state;
    struct run before;
    struct run after;
    struct run r;
    RUN(&before, "key", "show", "release", "-o", "json");
    RUN(&r, "dev", "down", "--dir", at.dir);
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "dev", "status", "--dir", at.dir, "-o", "json");
    assert_null(strstr(r.out, "ready"));
    run_free(&r);
    RUN(&r, "status");
    assert_code(&r, 8);
    run_free(&r);
    cluster_up();
    RUN(&after, "key", "show", "release", "-o", "json");
    assert_string_equal(before.out, after.out);
    run_free(&before);
    run_free(&after);
}

static void an_interrupted_up_leaves_nothing(void **state)
{
    (void)state;
    char dir[96];
    int status;
    snprintf(dir, sizeof(dir), "%s/interrupted", at.top);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execl(MPC_BUILD_DIR "/bin/mpcsign", "mpcsign", "dev", "up", "--dir",
              dir, (char *)NULL);
        _exit(127);
    }
    char sign[128];
    snprintf(sign, sizeof(sign), "%s/lock", dir);
    while (access(sign, F_OK) != 0 && waitpid(pid, &status, WNOHANG) == 0)
        usleep(1000);
    kill(pid, SIGINT);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_int_not_equal(access(dir, F_OK), 0);
}

static void copy_program(const char *from, const char *to, bool patched)
{
    static uint8_t bytes[64 * 1024 * 1024];
    FILE *f = fopen(from, "rb");
    assert_non_null(f);
    size_t len = fread(bytes, 1, sizeof(bytes) - 1, f);
    assert_true(feof(f));
    fclose(f);
    bytes[len] = 0; /* behind all that an ELF file says: it runs the same */
    unlink(to);
    write_bytes(to, bytes, len + patched);
    assert_int_equal(chmod(to, 0755), 0);
}

static void copy_build(void)
{
    static const char *const files[] = {
        "bin/mpcsign", "bin/mpc-sidecar", "bin/mpc-ca",
        "bin/mpc-log", "bin/mpc-snpsim",  "lib/ossl-modules/mpc.so"
    };
    assert_int_equal(mkdir(in("b"), 0700), 0);
    assert_int_equal(mkdir(in("b/bin"), 0700), 0);
    assert_int_equal(mkdir(in("b/lib"), 0700), 0);
    assert_int_equal(mkdir(in("b/lib/ossl-modules"), 0700), 0);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        char from[512];
        char to[64];
        snprintf(from, sizeof(from), MPC_BUILD_DIR "/%s", files[i]);
        snprintf(to, sizeof(to), "b/%s", files[i]);
        copy_program(from, in(to), false);
    }
}

/* One byte more in a daemon is another measurement, and nobody talks to it. */
static void a_patched_daemon_is_refused_by_its_peers(void **state)
{
    (void)state;
    char dir[96];
    char program[96];
    char kept[256];
    struct run r;
    snprintf(dir, sizeof(dir), "%s/patched", at.top);
    snprintf(program, sizeof(program), "%s/b/bin/mpcsign", at.top);
    snprintf(kept, sizeof(kept), "%s", getenv("MPC_SIDECAR"));
    copy_build();
    run_program = program;
    RUN(&r, "dev", "up", "--dir", dir); /* beside the other one */
    assert_code(&r, 0);
    take_environment(r.out);
    unsetenv("OPENSSL_CONF");
    run_free(&r);
    copy_program(in("b/bin/mpc-sidecar"), in("b/bin/mpc-sidecar"), true);
    RUN(&r, "dev", "kill", "node3", "--dir", dir);
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "sign", at.file, "-s", in("before.sig"));
    assert_code(&r, 0);
    run_free(&r);
    /* what it had sealed as it was stays shut, and it is no peer of anybody */
    RUN(&r, "dev", "restart", "node2", "--dir", dir);
    assert_code(&r, 0);
    run_free(&r);
    RUN(&r, "sign", at.file, "-s", in("after.sig"));
    assert_code(&r, 8);
    assert_non_null(strstr(r.err, "TEE_POLICY_HASH mismatch"));
    run_free(&r);
    RUN(&r, "dev", "up", "--dir", dir);
    assert_code(&r, 6);
    assert_non_null(strstr(r.err, "another build"));
    run_free(&r);
    RUN(&r, "dev", "down", "--purge", "--dir", dir);
    assert_code(&r, 0);
    run_free(&r);
    run_program = NULL;
    /* and the other one is as it was */
    setenv("MPC_SIDECAR", kept, 1);
    unsetenv("TEE_POLICY_HASH");
    setenv("MPC_DEV", at.dir, 1);
    RUN(&r, "sign", at.file, "-s", in("other.sig"));
    assert_code(&r, 0);
    run_free(&r);
}

static void a_foreign_directory_is_left_alone(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "dev", "up", "--dir", at.top); /* holds files, no cluster */
    assert_code(&r, 1);
    run_free(&r);
    RUN(&r, "dev", "down", "--purge", "--dir", at.top);
    assert_code(&r, 1);
    run_free(&r);
    assert_int_equal(access(at.file, R_OK), 0);
    RUN(&r, "dev", "up", "--dir", "/tmp/a$b");
    assert_code(&r, 2);
    run_free(&r);
    RUN(&r, "dev", "kill", "node9");
    assert_code(&r, 2);
    run_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_up_changes_nothing),
        cmocka_unit_test(status_and_keys_are_told),
        cmocka_unit_test(key_references_lie_ready),
        cmocka_unit_test(the_doctor_finds_a_cluster_healthy),
        cmocka_unit_test(keys_are_made_once_and_by_stewards),
        cmocka_unit_test(a_guarded_key_wants_an_engineer_and_two_stewards),
        cmocka_unit_test(a_denial_ends_a_session),
        cmocka_unit_test(another_file_is_not_approved),
        cmocka_unit_test(the_log_is_whole),
        cmocka_unit_test(one_node_may_be_gone_and_come_back),
        cmocka_unit_test(down_and_up_keeps_keys),
        cmocka_unit_test(an_interrupted_up_leaves_nothing),
        cmocka_unit_test(a_patched_daemon_is_refused_by_its_peers),
        cmocka_unit_test(a_foreign_directory_is_left_alone),
    };
    return cmocka_run_group_tests(tests, cluster_setup, cluster_teardown);
}

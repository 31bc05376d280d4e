/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong: one readable error each, with a remedy, and nothing else. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/store.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/own.h"
#include "base/sock.h"
#include "rig.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);
OWNED_BY(OSSL_LIB_CTX, OSSL_LIB_CTX_free);

/* ---- failures ------------------------------------------------------------ */

/* While held, stderr goes to a file; afterwards that file must be empty. */
static int quiet_begin(void)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/stderr", rig_fake.dir);
    fflush(stderr);
    int saved = dup(2);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(saved >= 0 && fd >= 0);
    assert_int_equal(dup2(fd, 2), 2);
    close(fd);
    return saved;
}

static void quiet_end(int saved)
{
    struct stat st;
    fflush(stderr);
    assert_int_equal(fstat(2, &st), 0);
    dup2(saved, 2);
    close(saved);
    assert_int_equal(st.st_size, 0);
}

static void a_bad_answer_to_a_signature_is_one_error(void **state)
{
    static const struct {
        enum fake_mode mode;
        const char *reason;
        const char *words;
    } cases[] = {
        { FAKE_REFUSES, "approvals are missing",
          "bob has not approved; mpcsign approve" },
        { FAKE_REFUSES_RAW, "signing quorum not reached",
          "one of two node2  is away; see" },
        { FAKE_PLAIN_500, "malformed", "HTTP status 500" },
        { FAKE_GARBAGE, "malformed", "no HTTP/1.1 status line; see" },
        { FAKE_CHUNKED, "malformed", "Transfer-Encoding" },
        { FAKE_BAD_JSON, "malformed", "sidecar's signature: " },
        { FAKE_HUGE, "too large", "1099511627776 bytes" },
        { FAKE_SHORT, "sidecar not reachable", "closed" },
        { FAKE_CLOSES, "sidecar not reachable", "closed" },
        { FAKE_WRONG_SIGNATURE, "signature does not verify",
          "with key release; nothing was returned" },
        { FAKE_OTHER_KEY, "signature does not verify", "another key" },
        { FAKE_EARLY, "too large", "body over its limit; send less" },
    };
    (void)state;
    OWNED(EVP_PKEY) *key = rig_need_key(rig_both, "mpc:release");
    OWNED_MEM uint8_t *msg = calloc(1, 1 << 20);
    static const uint8_t untouched[64];
    int saved = quiet_begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t sig[64] = { 0 };
        unsigned before = rig_fake.signs;
        rig_fake.sign_mode = cases[i].mode;
        assert_int_equal(rig_sign(rig_both, key, msg, 1 << 20, sig), 0);
        assert_memory_equal(sig, untouched, 64);
        assert_int_equal(rig_fake.signs, before + 1);
        rig_assert_one_error("sign", cases[i].reason, cases[i].words);
    }
    quiet_end(saved);
}

static void a_bad_answer_about_a_key_is_one_error(void **state)
{
    static const struct {
        enum fake_mode mode;
        const char *reason;
        const char *words;
    } cases[] = {
        { FAKE_REFUSES, "approvals are missing", "mpcsign approve" },
        { FAKE_PLAIN_500, "malformed", "HTTP status 500" },
        { FAKE_GARBAGE, "malformed", "no HTTP/1.1 status line" },
        { FAKE_BAD_JSON, "malformed", "sidecar's key: " },
        { FAKE_HUGE, "too large", "at most" },
        { FAKE_CLOSES, "sidecar not reachable", "closed" },
        { FAKE_OTHER_NAME, "malformed", "names another key" },
        { FAKE_NOT_MADE, "not possible now", "mpcsign key create release" },
    };
    (void)state;
    int saved = quiet_begin();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_fake.key_mode = cases[i].mode;
        assert_null(rig_key(rig_both, "mpc:release"));
        rig_assert_one_error("key", cases[i].reason, cases[i].words);
        assert_null(rig_load(rig_both, "mpc:release", OSSL_STORE_INFO_CERT));
        rig_assert_one_error("certificate", cases[i].reason, cases[i].words);
    }
    quiet_end(saved);
}

static void a_bad_uri_is_one_error(void **state)
{
    (void)state;
    assert_null(rig_key(rig_both, "mpc:Release"));
    rig_assert_one_error("upper case", "malformed", "a key is mpc:NAME");
    assert_null(rig_key(rig_both, "mpc:release?slot=raw"));
    rig_assert_one_error("parameter", "malformed", "unknown parameter");
    OWNED_MEM char *endless = malloc(100000);
    memset(endless, 'a', 99999);
    memcpy(endless, "mpc:", 4);
    endless[99999] = '\0';
    assert_null(rig_key(rig_both, endless));
    rig_assert_one_error("endless", "too large", "key URI");
}

/* A context whose sidecar is at this path of the rig's directory. */
static OSSL_LIB_CTX *context_at(const char *name)
{
    char extra[200];
    snprintf(extra, sizeof(extra), "sidecar = unix:%s/%s", rig_fake.dir, name);
    unsetenv("MPC_SIDECAR");
    OSSL_LIB_CTX *ctx = rig_context(DEFAULT_FIRST, extra);
    setenv("MPC_SIDECAR", rig_fake.path, 1);
    return ctx;
}

static void an_absent_sidecar_is_one_error_with_a_remedy(void **state)
{
    (void)state;
    OWNED(OSSL_LIB_CTX) *ctx = context_at("nobody.sock");
    int saved = quiet_begin();
    assert_null(rig_key(ctx, "mpc:release"));
    rig_assert_one_error("absent", "sidecar not reachable",
                         "/nobody.sock: No such file or directory; start it");
    quiet_end(saved);
}

static void a_dead_sidecar_is_another_error_with_another_remedy(void **state)
{
    (void)state;
    char path[120];
    int fd;
    snprintf(path, sizeof(path), "%s/dead.sock", rig_fake.dir);
    assert_ok(sock_unix_listen(&fd, path, 0600));
    close(fd);
    OWNED(OSSL_LIB_CTX) *ctx = context_at("dead.sock");
    assert_null(rig_key(ctx, "mpc:release"));
    rig_assert_one_error("dead", "sidecar not reachable",
                         "/dead.sock: Connection refused; it has ended");
}

static void the_next_of_several_sidecars_answers_for_a_dead_one(void **state)
{
    (void)state;
    char extra[400];
    snprintf(extra, sizeof(extra), "sidecar = %s/nobody.sock , unix:%s",
             rig_fake.dir, rig_fake.path);
    unsetenv("MPC_SIDECAR");
    OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST, extra);
    setenv("MPC_SIDECAR", rig_fake.path, 1);
    OWNED(EVP_PKEY) *key = rig_key(ctx, "mpc:release");
    assert_non_null(key);
}

/* Root may do all, so a child who is nobody tries. */
static void a_forbidden_socket_says_who_may_sign(void **state)
{
    (void)state;
    char path[120];
    snprintf(path, sizeof(path), "%s/locked", rig_fake.dir);
    assert_int_equal(mkdir(path, 0), 0);
    OWNED(OSSL_LIB_CTX) *ctx = context_at("locked/s.sock");
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            _exit(2);
        EVP_PKEY *key = rig_key(ctx, "mpc:release");
        const char *data;
        unsigned long e = ERR_get_error_all(NULL, NULL, NULL, &data, NULL);
        bool good = !key && e &&
                    strcmp(ERR_reason_error_string(e), "not permitted") == 0 &&
                    strstr(data, "Permission denied; the owner and group") &&
                    ERR_get_error() == 0;
        _exit(good ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(rmdir(path), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_silent_sidecar_meets_the_deadline(void **state)
{
    (void)state;
    OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST, "timeout = 1");
    OWNED(EVP_PKEY) *key = rig_need_key(ctx, "mpc:release");
    uint8_t sig[64];
    int saved = quiet_begin();
    rig_fake.sign_mode = FAKE_SILENT;
    assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 0);
    rig_assert_one_error("silent", "no answer in time",
                         "no answer in 1 s; see");
    rig_fake.sign_mode = FAKE_DRIPS; /* never idle, never done */
    assert_int_equal(rig_sign(ctx, key, "hello", 5, sig), 0);
    rig_assert_one_error("drips", "no answer in time", "no answer in 1 s; see");
    quiet_end(saved);
}

/* A stopped sidecar whose backlog is full keeps even connect() waiting. */
static void a_full_backlog_meets_the_deadline(void **state)
{
    (void)state;
    char path[120], extra[200];
    int fd, waiting[16];
    size_t n = 0;
    snprintf(path, sizeof(path), "%s/full.sock", rig_fake.dir);
    snprintf(extra, sizeof(extra), "timeout = 1\nsidecar = %s", path);
    assert_ok(sock_unix_listen(&fd, path, 0600));
    assert_int_equal(listen(fd, 0), 0);
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    memcpy(sa.sun_path, path, strlen(path));
    bool full = false;
    while (!full && n < 16) {
        waiting[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        full = connect(waiting[n++], (struct sockaddr *)&sa, sizeof(sa)) != 0;
    }
    assert_true(full);
    unsetenv("MPC_SIDECAR");
    OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST, extra);
    setenv("MPC_SIDECAR", rig_fake.path, 1);
    assert_null(rig_key(ctx, "mpc:release"));
    rig_assert_one_error("full", "no answer in time", "overloaded");
    while (n > 0)
        close(waiting[--n]);
    close(fd);
}

static void wrong_settings_are_told_when_used_and_break_nothing(void **state)
{
    static const struct {
        const char *env;
        const char *extra;
        const char *reason;
        const char *words;
    } cases[] = {
        { NULL, "timeout = soon", "malformed", "timeout:" },
        { NULL, "timeout = 0", "malformed", "1..3600" },
        { "", "", "TEE_POLICY_HASH does not match", "0 bytes" },
        { "ab\r\nX: y", "", "TEE_POLICY_HASH does not match", "hex" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].env)
            setenv("TEE_POLICY_HASH", cases[i].env, 1);
        OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST, cases[i].extra);
        unsetenv("TEE_POLICY_HASH");
        OWNED(EVP_PKEY) *soft = EVP_PKEY_Q_keygen(ctx, NULL, "ED25519");
        assert_non_null(soft);
        assert_null(rig_key(ctx, "mpc:release"));
        rig_assert_one_error(cases[i].extra, cases[i].reason, cases[i].words);
    }
}

static void the_wanted_policy_is_sent(void **state)
{
    (void)state;
    setenv("TEE_POLICY_HASH", HEX64, 1);
    OWNED(OSSL_LIB_CTX) *ctx = rig_context(DEFAULT_FIRST, "");
    unsetenv("TEE_POLICY_HASH");
    OWNED(EVP_PKEY) *key = rig_need_key(ctx, "mpc:release");
    assert_string_equal(rig_fake.want, HEX64);
    OWNED(EVP_PKEY) *other = rig_need_key(rig_both, "mpc:release");
    assert_string_equal(rig_fake.want, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG(a_bad_answer_to_a_signature_is_one_error),
        RIG(a_bad_answer_about_a_key_is_one_error),
        RIG(a_bad_uri_is_one_error),
        RIG(an_absent_sidecar_is_one_error_with_a_remedy),
        RIG(a_dead_sidecar_is_another_error_with_another_remedy),
        RIG(the_next_of_several_sidecars_answers_for_a_dead_one),
        RIG(a_forbidden_socket_says_who_may_sign),
        RIG(a_silent_sidecar_meets_the_deadline),
        RIG(a_full_backlog_meets_the_deadline),
        RIG(wrong_settings_are_told_when_used_and_break_nothing),
        RIG(the_wanted_policy_is_sent),
    };
    return cmocka_run_group_tests(tests, rig_up, rig_down);
}

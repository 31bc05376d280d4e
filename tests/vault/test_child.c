/* SPDX-License-Identifier: Apache-2.0 */
/* The child process: its walls, its frames, its end. */
#include "cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/sock.h"
#include "vault/inner.h"

static const uint8_t seal_key[32] = { 1, 2, 3 };

static struct vault *spawn(void)
{
    const struct vault_config config = { .node = 1,
                                         .seal_fd = -1,
                                         .test_seal_key = seal_key };
    struct vault *v = NULL;
    assert_ok(vault_spawn(&v, &config));
    return v;
}

static void open_keys(struct vault *v)
{
    static uint8_t sealed[VAULT_SEALED_KEYS_MAX];
    struct vault_keys keys;
    size_t len = 0;
    assert_ok(vault_open(v, &keys, sealed, &len));
}

/* ---- walls ------------------------------------------------------------- */

static void forbidden_system_call_ends_in_sigsys(void **state)
{
    (void)state;
    for (uint8_t which = 0; which <= 6; which++) {
        struct vault *v = spawn();
        uint8_t reply[64];
        size_t len;
        const struct vault_request req = { .op = VAULT_OP_TRESPASS,
                                           .body = &which,
                                           .body_len = 1 };
        assert_rc(vault_call(v, reply, sizeof(reply), &len, &req),
                  RC_UNREACHABLE);
        if (!WIFSIGNALED(v->status) || WTERMSIG(v->status) != SIGSYS)
            fail_msg("call %u: status %x", which, v->status);
        assert_non_null(strstr(rc_text(), "signal 31"));
        vault_free(v);
    }
}

static void the_local_vault_never_trespasses(void **state)
{
    (void)state;
    const struct vault_config config = { .node = 1,
                                         .seal_fd = -1,
                                         .test_seal_key = seal_key };
    struct vault *v = NULL;
    uint8_t which = 0;
    uint8_t reply[64];
    size_t len;
    const struct vault_request req = { .op = VAULT_OP_TRESPASS,
                                       .body = &which,
                                       .body_len = 1 };
    assert_ok(vault_local(&v, &config));
    assert_rc(vault_call(v, reply, sizeof(reply), &len, &req), RC_ORDER);
    assert_int_equal(vault_pid(v), 0);
    assert_int_equal(vault_fd(v), -1);
    vault_free(v);
}

/* May a process of the same uid read that one's memory? */
static bool readable(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    int fd = open(path, O_RDONLY);
    if (fd >= 0)
        close(fd);
    bool traced = ptrace(PTRACE_SEIZE, pid, 0, 0) == 0;
    if (traced)
        ptrace(PTRACE_DETACH, pid, 0, 0);
    return fd >= 0 || traced;
}

/* 0 when an ordinary child is readable and the vault is not. */
static int watch_as_ordinary_user(void)
{
    if (geteuid() == 0 &&
        (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
        return 10;
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
        return 11;
    pid_t control = fork();
    if (control == 0) {
        pause();
        _exit(0);
    }
    struct vault *v = spawn();
    int bad = !readable(control) ? 12 : readable(vault_pid(v)) ? 13 : 0;
    kill(control, SIGKILL);
    waitpid(control, NULL, 0);
    vault_free(v);
    return bad;
}

static void child_is_not_dumpable(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(watch_as_ordinary_user());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A line of /proc/PID/FILE that starts with key. */
static void proc_line(char out[256], pid_t pid, const char *file,
                      const char *key)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(out, 256, f))
        if (strncmp(out, key, strlen(key)) == 0) {
            fclose(f);
            return;
        }
    fclose(f);
    fail_msg("%s: no %s", path, key);
}

static void child_is_filtered_and_gains_nothing(void **state)
{
    (void)state;
    struct vault *v = spawn();
    char line[256];
    proc_line(line, vault_pid(v), "status", "Seccomp:");
    assert_string_equal(line, "Seccomp:\t2\n");
    proc_line(line, vault_pid(v), "status", "NoNewPrivs:");
    assert_string_equal(line, "NoNewPrivs:\t1\n");
#ifndef __SANITIZE_THREAD__ /* it has one of its own */
    proc_line(line, vault_pid(v), "status", "Threads:");
    assert_string_equal(line, "Threads:\t1\n");
#endif
    if (geteuid() == 0) { /* of another user's, as it is not dumpable */
        unsigned n = 0;
        proc_line(line, vault_pid(v), "limits", "Max core file size");
        assert_int_equal(sscanf(line, "Max core file size %*u %u", &n), 1);
        assert_int_equal(n, 0);
    }
    vault_free(v);
}

static void child_keeps_no_other_descriptor(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(pipe(pair), 0); /* not even close-on-exec */
    struct vault *v = spawn();
    close(pair[1]);
    char byte;
    assert_int_equal(read(pair[0], &byte, 1), 0); /* nobody else has it */
    close(pair[0]);
    unsigned n = 0;
    /* the list of a process that is not dumpable is root's to read */
    for (int fd = 0; fd < 1024 && geteuid() == 0; fd++) {
        char path[64], to[64] = "";
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)vault_pid(v), fd);
        if (readlink(path, to, sizeof(to) - 1) < 0)
            continue;
        n++;
        if (fd > 2)
            assert_non_null(strstr(to, "socket:"));
    }
    if (geteuid() == 0)
        assert_int_equal(n, 4); /* three to nowhere, and our socket */
    vault_free(v);
}

static void secrets_are_locked_in_memory(void **state)
{
    (void)state;
    struct vault *v = spawn();
    char line[256];
    unsigned long kb = 0;
    proc_line(line, vault_pid(v), "status", "VmLck:");
    assert_int_equal(sscanf(line, "VmLck: %lu", &kb), 1);
#ifndef MPC_SANITIZED /* sanitizers turn mlock into nothing */
    assert_true(kb * 1024 >=
                sizeof(struct vault_secrets) + sizeof(struct vault_pool));
#endif
    vault_free(v);
}

/* ---- frames ------------------------------------------------------------- */

/* Sends raw bytes, and reads one reply; its rc, or -1 when it closed. */
static int raw_call(struct vault *v, const void *bytes, size_t len, int fd)
{
    uint8_t head[VAULT_HEADER_LEN];
    uint8_t body[1024];
    struct vault_header h;
    const uint8_t *p = bytes;
    assert_true(len >= VAULT_HEADER_LEN);
    assert_ok(vault_header_send(v->sock, p, fd));
    assert_ok(sock_write(v->sock, p + VAULT_HEADER_LEN, len - VAULT_HEADER_LEN,
                         -1));
    int64_t deadline = clock_mono_ms() + 20000;
    enum rc rc = sock_read(v->sock, head, sizeof(head), deadline);
    if (rc == RC_UNREACHABLE)
        return -1;
    assert_ok(rc);
    assert_ok(vault_header_decode(&h, head));
    assert_true(h.body_len <= sizeof(body));
    assert_ok(sock_read(v->sock, body, h.body_len, deadline));
    return h.tag;
}

static void truncated_and_oversized_frames_are_refused(void **state)
{
    (void)state;
    uint8_t frame[VAULT_HEADER_LEN + 64] = { 0 };
    struct vault_header h = { .op = VAULT_OP_OPEN };
    struct vault *v = spawn();
    /* whole frames whose body is not what the operation wants */
    for (uint32_t len = 0; len <= 64; len++) {
        memset(frame, 0xEE, sizeof(frame));
        h.body_len = len;
        vault_header_encode(frame, &h);
        assert_int_equal(raw_call(v, frame, VAULT_HEADER_LEN + len, -1),
                         RC_PARSE);
    }
    /* no such operation; too large for this one */
    h = (struct vault_header){ .op = 99 };
    vault_header_encode(frame, &h);
    assert_int_equal(raw_call(v, frame, VAULT_HEADER_LEN, -1), RC_PARSE);
    h = (struct vault_header){ .op = VAULT_OP_TRESPASS, .body_len = 17 };
    vault_header_encode(frame, &h);
    assert_int_equal(raw_call(v, frame, VAULT_HEADER_LEN + 17, -1),
                     RC_TOO_LARGE);
    open_keys(v); /* all that cost nothing */
    vault_free(v);
}

static void frames_out_of_step_end_the_child(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct vault_header h;
        int rc;
    } cases[] = {
        { "body too large",
          { VAULT_BODY_MAX + 1, VAULT_OP_OPEN, 0, 0 },
          RC_TOO_LARGE },
        { "body of 4 GiB", { UINT32_MAX, VAULT_OP_OPEN, 0, 0 }, RC_TOO_LARGE },
        { "inline too large",
          { 0, VAULT_OP_SIGN, VAULT_INLINE, VAULT_INLINE_MAX + 1 },
          RC_TOO_LARGE },
        { "memfd too large",
          { 0, VAULT_OP_SIGN, VAULT_MEMFD, VAULT_MAX_MESSAGE + 1 },
          RC_TOO_LARGE },
        { "length without message", { 0, VAULT_OP_SIGN, 0, 1 }, RC_TOO_LARGE },
        { "no such carrier", { 0, VAULT_OP_SIGN, 3, 0 }, RC_PARSE },
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t frame[VAULT_HEADER_LEN];
        struct vault *v = spawn();
        struct vault_keys keys;
        uint8_t sealed[VAULT_SEALED_KEYS_MAX];
        size_t len = 0;
        vault_header_encode(frame, &cases[i].h);
        int rc = raw_call(v, frame, sizeof(frame), -1);
        if (rc != cases[i].rc)
            fail_msg("%s: %d", cases[i].why, rc);
        assert_rc(vault_open(v, &keys, sealed, &len), RC_UNREACHABLE);
        assert_true(WIFEXITED(v->status) && WEXITSTATUS(v->status) == 0);
        vault_free(v);
    }
    /* reserved bytes; half a frame and then nothing */
    struct vault *v = spawn();
    uint8_t frame[VAULT_HEADER_LEN] = { [4] = VAULT_OP_OPEN, [7] = 1 };
    assert_int_equal(raw_call(v, frame, sizeof(frame), -1), RC_PARSE);
    vault_free(v);
    v = spawn();
    assert_ok(sock_write(v->sock, frame, 5, -1));
    shutdown(v->sock, SHUT_WR);
    struct pollfd p = { .fd = vault_fd(v), .events = POLLIN };
    assert_int_equal(poll(&p, 1, 20000), 1);
    vault_free(v);
}

/* ---- messages by memfd ----------------------------------------------------- */

#define LEN      4096
#define MF_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int memfd(size_t len, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)len), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static int send_memfd(struct vault *v, int fd, uint8_t carrier, uint32_t len)
{
    uint8_t frame[VAULT_HEADER_LEN];
    const struct vault_header h = { .op = VAULT_OP_SIGN,
                                    .tag = carrier,
                                    .msg_len = len };
    vault_header_encode(frame, &h);
    return raw_call(v, frame, sizeof(frame), fd);
}

static void an_unsealed_memfd_is_refused(void **state)
{
    (void)state;
    struct vault *v = spawn();
    static const int too_few[] = { 0, MF_SEALS & ~F_SEAL_WRITE,
                                   MF_SEALS & ~F_SEAL_SHRINK,
                                   MF_SEALS & ~F_SEAL_GROW,
                                   MF_SEALS & ~F_SEAL_SEAL };
    for (unsigned i = 0; i < sizeof(too_few) / sizeof(too_few[0]); i++) {
        int fd = memfd(LEN, too_few[i]);
        assert_int_equal(send_memfd(v, fd, VAULT_MEMFD, LEN), RC_PARSE);
        close(fd);
    }
    /* sealed, of another length than said */
    int fd = memfd(LEN, MF_SEALS);
    assert_int_equal(send_memfd(v, fd, VAULT_MEMFD, LEN + 1), RC_PARSE);
    assert_int_equal(send_memfd(v, fd, VAULT_MEMFD, LEN - 1), RC_PARSE);
    assert_int_equal(send_memfd(v, fd, VAULT_MEMFD, 0), RC_PARSE);
    /* unasked; missing; no memfd at all */
    assert_int_equal(send_memfd(v, fd, VAULT_NO_MESSAGE, 0), RC_PARSE);
    assert_int_equal(send_memfd(v, -1, VAULT_MEMFD, LEN), RC_PARSE);
    int null = open("/dev/zero", O_RDONLY);
    assert_int_equal(send_memfd(v, null, VAULT_MEMFD, LEN), RC_PARSE);
    close(null);
    /* the right one gets as far as the vault's state */
    assert_int_equal(send_memfd(v, fd, VAULT_MEMFD, LEN), RC_ORDER);
    close(fd);
    open_keys(v);
    vault_free(v);
}

static void descriptors_do_not_pile_up(void **state)
{
    (void)state;
    struct vault *v = spawn();
    int fd = memfd(LEN, MF_SEALS);
    for (unsigned i = 0; i < 64; i++) /* its limit is 16 */
        assert_int_equal(send_memfd(v, fd, VAULT_NO_MESSAGE, 0), RC_PARSE);
    assert_int_equal(send_memfd(v, fd, VAULT_MEMFD, LEN), RC_ORDER);
    close(fd);
    vault_free(v);
}

/* ---- its end -------------------------------------------------------------- */

static void dead_child_is_a_clear_error(void **state)
{
    (void)state;
    struct vault *v = spawn();
    struct vault_keys keys;
    uint8_t sealed[VAULT_SEALED_KEYS_MAX];
    size_t len = 0;
    struct pollfd p = { .fd = vault_fd(v), .events = POLLIN };
    open_keys(v);
    assert_int_equal(poll(&p, 1, 0), 0); /* quiet while it lives */
    kill(vault_pid(v), SIGKILL);
    assert_int_equal(poll(&p, 1, 20000), 1);
    assert_true(p.revents & POLLIN);
    for (unsigned i = 0; i < 2; i++) {
        assert_rc(vault_open(v, &keys, sealed, &len), RC_UNREACHABLE);
        assert_non_null(strstr(rc_text(), "ended by signal 9"));
        assert_true(rc_hint_text()[0] != '\0');
    }
    vault_free(v);
}

static void a_terminals_interrupt_does_not_end_it(void **state)
{
    (void)state;
    struct vault *v = spawn();
    kill(vault_pid(v), SIGINT);
    kill(vault_pid(v), SIGTERM);
    kill(vault_pid(v), SIGHUP);
    open_keys(v);
    vault_free(v);
}

static void free_leaves_no_process(void **state)
{
    (void)state;
    struct vault *v = spawn();
    pid_t pid = vault_pid(v);
    vault_free(v);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    vault_free(NULL);
}

static void a_forked_parent_may_not_call(void **state)
{
    (void)state;
    struct vault *v = spawn();
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t sealed[VAULT_SEALED_KEYS_MAX];
        struct vault_keys keys;
        size_t len = 0;
        bool refused = vault_open(v, &keys, sealed, &len) == RC_INTERNAL;
        vault_free(v); /* must not end the child of another process */
        _exit(refused ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    open_keys(v);
    vault_free(v);
}

static void *hammer(void *arg)
{
    struct vault *v = arg;
    uint8_t key[32] = { 0 };
    for (unsigned i = 0; i < 200; i++)
        if (vault_forget(v, key, 1) != RC_ORDER) /* no roster yet */
            return arg;
    return NULL;
}

static void calls_from_many_threads_stay_whole(void **state)
{
    (void)state;
    pthread_t thread[4];
    struct vault *v = spawn();
    open_keys(v);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, hammer, v), 0);
    for (unsigned i = 0; i < 4; i++) {
        void *bad = NULL;
        pthread_join(thread[i], &bad);
        assert_null(bad);
    }
    vault_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forbidden_system_call_ends_in_sigsys),
        cmocka_unit_test(the_local_vault_never_trespasses),
        cmocka_unit_test(child_is_not_dumpable),
        cmocka_unit_test(child_is_filtered_and_gains_nothing),
        cmocka_unit_test(child_keeps_no_other_descriptor),
        cmocka_unit_test(secrets_are_locked_in_memory),
        cmocka_unit_test(truncated_and_oversized_frames_are_refused),
        cmocka_unit_test(frames_out_of_step_end_the_child),
        cmocka_unit_test(an_unsealed_memfd_is_refused),
        cmocka_unit_test(descriptors_do_not_pile_up),
        cmocka_unit_test(dead_child_is_a_clear_error),
        cmocka_unit_test(a_terminals_interrupt_does_not_end_it),
        cmocka_unit_test(free_leaves_no_process),
        cmocka_unit_test(a_forked_parent_may_not_call),
        cmocka_unit_test(calls_from_many_threads_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

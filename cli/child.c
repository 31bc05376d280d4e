/* SPDX-License-Identifier: Apache-2.0 */
/* Another program, run to its end, for what it prints. */
#include "cli/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"

extern char **environ;

/* in -1: nothing to read, and what it complains of is dropped. */
static enum rc start(pid_t *pid, const char *program, const char *const *argv,
                     int out, int in)
{
    posix_spawn_file_actions_t to;
    if (posix_spawn_file_actions_init(&to) != 0)
        return rc_raise(RC_NOMEM, "%s: out of memory", program);
    if (in < 0) {
        posix_spawn_file_actions_addopen(&to, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&to, 2, "/dev/null", O_WRONLY, 0);
    } else {
        posix_spawn_file_actions_adddup2(&to, in, 0);
    }
    posix_spawn_file_actions_adddup2(&to, out, 1);
    int why = posix_spawnp(pid, program, &to, NULL,
                           (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&to);
    return why == 0 ? RC_OK
                    : rc_raise(why == ENOENT ? RC_UNKNOWN : RC_IO, "%s: %s",
                               program, strerror(why));
}

/* Until the end, the deadline or cap; what is over it is read and dropped. */
static enum rc drain(char *out, size_t cap, int fd, int64_t deadline_ms)
{
    size_t len = 0;
    char dropped[512];
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int64_t left = deadline_ms - clock_mono_ms();
        int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (ready == 0)
            return rc_raise(RC_TIMEOUT, "no end in time");
        bool full = len + 1 >= cap;
        ssize_t n = ready < 0 ? -1
                              : read(fd, full ? dropped : out + len,
                                     full ? sizeof(dropped) : cap - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rc_raise(RC_IO, "%s", strerror(errno));
        if (n == 0)
            break;
        len += full ? 0 : (size_t)n;
    }
    out[len] = '\0';
    return RC_OK;
}

static enum rc run(char *out, size_t cap, int *status, const char *program,
                   const char *const *argv, int in, int timeout_ms)
{
    int pipes[2];
    pid_t pid;
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return rc_raise(RC_IO, "pipe: %s", strerror(errno));
    OWNED_FD from = pipes[0];
    enum rc rc = start(&pid, program, argv, pipes[1], in);
    close(pipes[1]);
    TRY(rc);
    rc = drain(out, cap, from, clock_mono_ms() + timeout_ms);
    if (rc != RC_OK)
        kill(pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        continue;
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "%s: ", program);
}

enum rc cli_child(char *out, size_t cap, int *status, const char *program,
                  const char *const *argv, int timeout_ms)
{
    return run(out, cap, status, program, argv, -1, timeout_ms);
}

enum rc cli_child_with(char *out, size_t cap, int *status, const char *program,
                       const char *const *argv, const void *input, size_t len,
                       int timeout_ms)
{
    int pipes[2];
    if (len > PIPE_BUF)
        return rc_raise(RC_ARG, "%s: at most %d bytes of input", program,
                        PIPE_BUF);
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return rc_raise(RC_IO, "pipe: %s", strerror(errno));
    OWNED_FD in = pipes[0];
    /* the pipe takes it all before anybody reads */
    ssize_t n = write(pipes[1], input, len);
    close(pipes[1]);
    if (n != (ssize_t)len)
        return rc_raise(RC_IO, "pipe: %s", strerror(errno));
    return run(out, cap, status, program, argv, in, timeout_ms);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a dev cluster. Each is a session of its own with a pid
 * file; a pid is believed only while that process's command line names our
 * file, so that nothing else is ever signalled.
 */
#include "cli/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"

#define READY_MS 60000 /* sanitized builds on a busy machine */
#define STOP_MS  5000
#define NOTE_MS  1000
#define STEP_MS  20
#define TAIL_LEN 1500
#define MAX_ARGS 10
#define READY_FD 3
#define CMDLINE  8192

/* ---- Ctrl-C ------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

void dev_catch_interrupt(void)
{
    struct sigaction sa = { .sa_handler = on_interrupt };
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
}

enum rc dev_interrupted(void)
{
    return interrupted ? rc_raise(RC_ORDER, "interrupted") : RC_OK;
}

void dev_sleep_ms(int ms)
{
    poll(NULL, 0, ms);
}

/* ---- pids --------------------------------------------------------------- */

/* Does /proc/PID/cmdline hold this word? Not for a zombie: its is empty. */
static bool runs_with(pid_t pid, const char *word)
{
    char path[64];
    char text[CMDLINE];
    snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)pid);
    OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (n <= 0)
        return false;
    text[n] = '\0';
    for (ssize_t at = 0; at < n; at += (ssize_t)strlen(text + at) + 1)
        if (strcmp(text + at, word) == 0)
            return true;
    return false;
}

static pid_t pid_in(const char *file, const char *word)
{
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    if (file_read(&text, &len, file, 32) != RC_OK)
        return 0;
    long pid = strtol((const char *)text, NULL, 10);
    return pid > 1 && runs_with((pid_t)pid, word) ? (pid_t)pid : 0;
}

/* What tells our processes from all others: a file they were started with. */
static pid_t pid_of(const struct dev *d, const char *who, const char *pid_name,
                    const char *a, const char *b)
{
    char file[DEV_PATH];
    char word[DEV_PATH];
    if (dev_path(file, d, who, pid_name) != RC_OK ||
        dev_path(word, d, a, b) != RC_OK)
        return 0;
    return pid_in(file, word);
}

pid_t dev_pid(const struct dev *d, const struct dev_who *w)
{
    return pid_of(d, w->name, "daemon.pid", w->name, "daemon.cnf");
}

pid_t dev_sim_pid(const struct dev *d, const struct dev_who *w)
{
    return pid_of(d, w->name, "sim.pid", "sim", w->name);
}

bool dev_is_ready(const struct dev *d, const struct dev_who *w)
{
    pid_t pid = dev_pid(d, w);
    return pid > 0 &&
           pid_of(d, w->name, "ready.pid", w->name, "daemon.cnf") == pid;
}

/* ---- starting ----------------------------------------------------------- */

struct start {
    const char *program;
    const char *argv[MAX_ARGS];
    const char *log;  /* file */
    const char *hash; /* TEE_POLICY_HASH, or NULL */
    int ready;        /* becomes READY_FD; -1 */
};

/* Only what its own configuration says: the caller's shell may be another
 * cluster's. REQUIRED_* raise what a policy asks and pass through. */
static void clean_environment(const struct start *s)
{
    static const char *const ours[] = {
        "OPENSSL_CONF",    "OPENSSL_MODULES", "MPC_SIDECAR",
        "MPC_SESSION",     "MPC_CA_KEY",      "CLIENT_TLS_CA",
        "CLIENT_TLS_CERT", "CLIENT_TLS_KEY",  "SIDECAR_TLS_CERT",
        "SIDECAR_TLS_KEY", "CA_TLS_CERT",     "CA_TLS_KEY",
        "LOG_TLS_CERT",    "LOG_TLS_KEY",     "NOTIFY_SOCKET",
        "TEE_POLICY_HASH", "MPC_TIMEOUT",
    };
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
        unsetenv(ours[i]);
    if (s->hash)
        setenv("TEE_POLICY_HASH", s->hash, 1);
}

/* In the child: never returns. */
static void become(const struct start *s)
{
    int null = open("/dev/null", O_RDWR);
    int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    setsid();
    if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 ||
        dup2(log, 2) < 0)
        _exit(127);
    if (s->ready >= 0 && s->ready != READY_FD && dup2(s->ready, READY_FD) < 0)
        _exit(127);
    int rest = s->ready >= 0 ? READY_FD + 1 : READY_FD;
    /* gone with exec, not before: spawn() waits for that */
    (void)close_range((unsigned)rest, ~0u, CLOSE_RANGE_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    clean_environment(s);
    execv(s->program, (char *const *)(uintptr_t)s->argv);
    dprintf(2, "%s: %s\n", s->program, strerror(errno));
    _exit(127);
}

/* Returns once the child is that program (or could not become it): from then
 * on its command line tells that it is ours. */
static enum rc spawn(pid_t *out, const struct start *s)
{
    int ends[2];
    char c;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return rc_raise(RC_IO, "pipe: %s", strerror(errno));
    OWNED_FD in = ends[0];
    OWNED_FD low = ends[1];
    OWNED_FD high = fcntl(low, F_DUPFD_CLOEXEC, READY_FD + 1);
    fflush(stdout);
    pid_t pid = high < 0 ? -1 : fork();
    if (pid < 0)
        return rc_raise(RC_IO, "fork: %s", strerror(errno));
    if (pid == 0)
        become(s);
    close(TAKE_FD(low));
    close(TAKE_FD(high));
    while (read(in, &c, 1) < 0 && errno == EINTR)
        ;
    *out = pid;
    return RC_OK;
}

static enum rc put_pid(const struct dev *d, const char *who, const char *name,
                       pid_t pid)
{
    char path[DEV_PATH];
    char text[32];
    int n = snprintf(text, sizeof(text), "%ld\n", (long)pid);
    TRY(dev_path(path, d, who, name));
    return file_write(path, text, (size_t)n, 0600);
}

/* ---- simulators --------------------------------------------------------- */

/* Runs to its end; its words come with the error. */
static enum rc run(const struct start *s)
{
    pid_t pid;
    int status = 0;
    TRY(spawn(&pid, s));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return rc_raise(RC_IO, "waitpid: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return dev_interrupted();
    return rc_raise(RC_IO, "%s %s: failed, see %s", s->argv[0], s->argv[1],
                    s->log);
}

static enum rc init_one(const struct dev *d, const struct dev_who *w)
{
    char program[DEV_PATH + 32];
    char dir[DEV_PATH];
    char have[DEV_PATH + 32];
    char roots[DEV_PATH];
    char log[DEV_PATH];
    char chip[32];
    snprintf(program, sizeof(program), "%s/mpc-snpsim", d->bin);
    snprintf(chip, sizeof(chip), "%s", w->name);
    TRY(dev_path(dir, d, "sim", w->name));
    TRY(dev_path(roots, d, "sim", "log"));
    TRY(dev_path(log, d, w->name, "sim.log"));
    snprintf(have, sizeof(have), "%s/vcek.der", dir);
    if (access(have, R_OK) == 0)
        return RC_OK;
    struct start s = { .program = program,
                       .argv = { "mpc-snpsim", "init", dir, "--chip", chip },
                       .log = log,
                       .ready = -1 };
    if (strcmp(w->name, "log") != 0) { /* whose ARK and ASK all share */
        s.argv[5] = "--roots";
        s.argv[6] = roots;
    }
    return run(&s);
}

enum rc dev_sim_init(const struct dev *d)
{
    struct dev_who w;
    for (unsigned i = 0; dev_who_at(&w, d, i); i++)
        TRY(init_one(d, &w));
    return RC_OK;
}

static enum rc wait_line(int fd, const char *who, const char *log)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char c;
    int64_t until = clock_mono_ms() + READY_MS;
    while (clock_mono_ms() < until) {
        TRY(dev_interrupted());
        if (poll(&p, 1, 200) <= 0)
            continue;
        if (read(fd, &c, 1) == 1)
            return RC_OK;
        return rc_raise(RC_IO, "simulator of %s: ended, see %s", who, log);
    }
    return rc_raise(RC_TIMEOUT, "simulator of %s: not ready, see %s", who, log);
}

static enum rc host_data(char hex[65], const struct dev *d)
{
    char path[DEV_PATH];
    OWN_S(policy) *genesis = NULL;
    TRY(dev_path(path, d, "genesis.json", NULL));
    TRY(cli_policy_read(&genesis, path));
    enc_hex(hex, genesis->sha256, 32);
    return RC_OK;
}

enum rc dev_sim_start(const struct dev *d, const struct dev_who *w)
{
    char program[DEV_PATH + 32];
    char dir[DEV_PATH];
    char sock[DEV_PATH];
    char log[DEV_PATH];
    char hex[65];
    char fd[8];
    int ends[2];
    pid_t pid;
    if (dev_sim_pid(d, w) > 0)
        return RC_OK;
    snprintf(program, sizeof(program), "%s/mpc-snpsim", d->bin);
    snprintf(fd, sizeof(fd), "%d", READY_FD);
    TRY(dev_path(dir, d, "sim", w->name));
    TRY(dev_sock(sock, d, w->name, "sim"));
    TRY(dev_path(log, d, w->name, "sim.log"));
    TRY(host_data(hex, d));
    if (pipe2(ends, O_CLOEXEC) != 0)
        return rc_raise(RC_IO, "pipe: %s", strerror(errno));
    OWNED_FD in = ends[0];
    OWNED_FD out = ends[1];
    struct start s = { .program = program,
                       .argv = { "mpc-snpsim", "serve", dir, "--socket", sock,
                                 "--host-data", hex, "--ready-fd", fd },
                       .log = log,
                       .ready = out };
    TRY(spawn(&pid, &s));
    close(TAKE_FD(out));
    TRY(put_pid(d, w->name, "sim.pid", pid));
    return wait_line(in, w->name, log);
}

/* ---- daemons ------------------------------------------------------------ */

enum rc dev_start(const struct dev *d, const struct dev_who *w, bool honour)
{
    char program[DEV_PATH + 32];
    char conf[DEV_PATH];
    char log[DEV_PATH];
    char ready[DEV_PATH];
    char name[32];
    pid_t pid;
    if (dev_pid(d, w) > 0)
        return RC_OK;
    snprintf(program, sizeof(program), "%s/%s", d->bin, w->program);
    snprintf(name, sizeof(name), "%s", w->program);
    TRY(dev_path(conf, d, w->name, "daemon.cnf"));
    TRY(dev_path(log, d, w->name, "log"));
    TRY(dev_path(ready, d, w->name, "ready.pid"));
    unlink(ready);
    struct start s = { .program = program,
                       .argv = { name, "-c", conf },
                       .log = log,
                       .hash = honour ? getenv("TEE_POLICY_HASH") : NULL,
                       .ready = -1 };
    TRY(spawn(&pid, &s));
    return put_pid(d, w->name, "daemon.pid", pid);
}

/* The end of its log, from a line's beginning. */
static void show_tail(const struct dev *d, const struct dev_who *w)
{
    char path[DEV_PATH];
    char text[TAIL_LEN + 1];
    if (dev_path(path, d, w->name, "log") != RC_OK)
        return;
    OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    if (size <= 0)
        return;
    off_t from = size > TAIL_LEN ? size - TAIL_LEN : 0;
    ssize_t n = pread(fd, text, TAIL_LEN, from);
    if (n <= 0)
        return;
    text[n] = '\0';
    const char *begin = from ? strchr(text, '\n') : NULL;
    fprintf(stderr, "---- the end of %s\n%s----\n", path,
            begin ? begin + 1 : text);
}

static enum rc died(const struct dev *d, const struct dev_who *w)
{
    show_tail(d, w);
    enum rc rc = rc_raise(RC_IO, "%s: %s ended while starting", w->name,
                          w->program);
    rc_hint("its log is %s/%s/log", d->dir, w->name);
    return rc;
}

enum rc dev_wait(const struct dev *d, const struct dev_who *w)
{
    int64_t began = clock_mono_ms();
    bool noted = false;
    while (!dev_is_ready(d, w)) {
        int64_t waited = clock_mono_ms() - began;
        TRY(dev_interrupted());
        if (dev_pid(d, w) == 0)
            return died(d, w);
        if (waited > NOTE_MS && !noted) {
            cli_note("waiting for %s …", w->name);
            noted = true;
        }
        if (waited > READY_MS) {
            show_tail(d, w);
            return rc_raise(RC_TIMEOUT, "%s: not ready after %d s", w->name,
                            READY_MS / 1000);
        }
        dev_sleep_ms(STEP_MS);
    }
    return RC_OK;
}

/* ---- ending ------------------------------------------------------------- */

/* Our own child, when this process started it: leaves no zombie. */
static void reap(pid_t pid)
{
    (void)waitpid(pid, NULL, WNOHANG);
}

static bool wait_gone(pid_t pid, const char *word, int ms)
{
    int64_t until = clock_mono_ms() + ms;
    while (runs_with(pid, word)) {
        reap(pid);
        if (clock_mono_ms() > until)
            return false;
        dev_sleep_ms(STEP_MS);
    }
    reap(pid);
    return true;
}

/* soft: SIGTERM first. What its session still holds ends with it. */
static enum rc end(pid_t pid, const char *word, const char *who, bool soft)
{
    if (pid <= 0)
        return RC_OK;
    if (soft) {
        kill(pid, SIGTERM);
        if (!wait_gone(pid, word, STOP_MS))
            cli_note("%s: does not end, killing it", who);
    }
    if (runs_with(pid, word))
        kill(pid, SIGKILL);
    bool gone = wait_gone(pid, word, STOP_MS);
    kill(-pid, SIGKILL); /* its vault, should it still be there */
    return gone ? RC_OK
                : rc_raise(RC_IO, "%s: pid %ld does not end", who, (long)pid);
}

static enum rc end_daemon(const struct dev *d, const struct dev_who *w,
                          bool soft)
{
    char word[DEV_PATH];
    TRY(dev_path(word, d, w->name, "daemon.cnf"));
    return end(dev_pid(d, w), word, w->name, soft);
}

enum rc dev_kill(const struct dev *d, const struct dev_who *w)
{
    return end_daemon(d, w, false);
}

enum rc dev_stop(const struct dev *d, const struct dev_who *w)
{
    return end_daemon(d, w, true);
}

enum rc dev_stop_all(const struct dev *d)
{
    struct dev_who w;
    enum rc rc = RC_OK;
    for (unsigned i = 0; dev_who_at(&w, d, i); i++) {
        pid_t pid = dev_pid(d, &w);
        if (pid > 0)
            kill(pid, SIGTERM); /* all at once; then wait for each */
    }
    for (unsigned i = 0; dev_who_at(&w, d, i); i++) {
        enum rc one = end_daemon(d, &w, true);
        rc = rc == RC_OK ? one : rc;
    }
    for (unsigned i = 0; dev_who_at(&w, d, i); i++) {
        char word[DEV_PATH];
        enum rc one = dev_path(word, d, "sim", w.name);
        if (one == RC_OK)
            one = end(dev_sim_pid(d, &w), word, w.name, true);
        rc = rc == RC_OK ? one : rc;
    }
    return rc;
}

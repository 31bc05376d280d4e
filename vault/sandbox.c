/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the vault's child may still do: the table below and nothing else. A
 * forbidden call ends the process with SIGSYS. Nothing here opens a file or a
 * socket, starts a process or looks into one.
 */
#include "vault/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <linux/sev-guest.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* clang-format off */
static const int allowed[] = {
    /* the socketpair, and a message by memfd */
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(lseek),
    SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom),
    SCMP_SYS(sendto), SCMP_SYS(poll), SCMP_SYS(ppoll),
    /* memory */
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),
    SCMP_SYS(mlock), SCMP_SYS(munlock),
    /* time and randomness; clocks are mostly vDSO */
    SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
    SCMP_SYS(futex), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(exit), SCMP_SYS(exit_group),
#ifdef MPC_SANITIZED
    /* the sanitizers' own bookkeeping and reports */
    SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(sched_yield),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(tgkill),
    SCMP_SYS(sigaltstack), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
#endif
};

/* Allowed only when one argument, under a mask, has one value. */
static const struct narrow {
    int call;
    unsigned arg;
    uint64_t mask;
    uint64_t value;
    bool device; /* only when the sealing key comes by ioctl */
} narrowed[] = {
    { SCMP_SYS(fcntl), 1, UINT32_MAX, F_GET_SEALS, false },
    { SCMP_SYS(ioctl), 1, UINT32_MAX, SNP_GET_DERIVED_KEY, true },
#ifndef MPC_SANITIZED
    /* no new code */
    { SCMP_SYS(mmap), 2, PROT_EXEC, 0, false },
    { SCMP_SYS(mprotect), 2, PROT_EXEC, 0, false },
#endif
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int rules_add(scmp_filter_ctx ctx, bool device)
{
    int e = 0;
    for (unsigned i = 0; i < COUNT(allowed) && e == 0; i++)
        if (allowed[i] >= 0) /* this machine has it */
            e = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
    for (unsigned i = 0; i < COUNT(narrowed) && e == 0; i++) {
        const struct narrow *n = &narrowed[i];
        if (n->device && !device)
            continue;
        e = seccomp_rule_add(
                ctx, SCMP_ACT_ALLOW, n->call, 1,
                SCMP_CMP64(n->arg, SCMP_CMP_MASKED_EQ, n->mask, n->value));
    }
    return e;
}

enum rc vault_sandbox_enter(bool device)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return rc_raise(RC_INTERNAL, "sandbox: no filter");
    int e = rules_add(ctx, device);
    if (e == 0)
        e = seccomp_load(ctx);
    seccomp_release(ctx);
    if (e != 0) {
        enum rc rc = rc_raise(RC_INTERNAL, "sandbox: seccomp: errno %d", -e);
        rc_hint("the kernel must allow seccomp filters (CONFIG_SECCOMP)");
        return rc;
    }
    return RC_OK;
}

/* ---- before the filter ------------------------------------------------- */

static enum rc close_range_checked(unsigned from, unsigned to)
{
    if (from > to || close_range(from, to, 0) == 0)
        return RC_OK;
    return rc_raise(RC_INTERNAL, "sandbox: close descriptors: errno %d", errno);
}

static void sort3(int fd[3])
{
    for (unsigned i = 0; i < 2; i++)
        for (unsigned j = 0; j < 2 - i; j++)
            if (fd[j] > fd[j + 1]) {
                int swap = fd[j];
                fd[j] = fd[j + 1];
                fd[j + 1] = swap;
            }
}

/*
 * Standard streams lead nowhere; sanitizers keep stderr for their report.
 * keep: [3], -1 where there is none.
 */
static enum rc close_others(int keep[3])
{
    sort3(keep);
    for (unsigned i = 0; i < 3; i++)
        if (keep[i] >= 0 && keep[i] < 3)
            return rc_raise(RC_INTERNAL,
                            "sandbox: a standard stream is closed");
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        return rc_raise(RC_INTERNAL, "sandbox: /dev/null: errno %d", errno);
#ifndef MPC_SANITIZED
    if (dup2(null, 2) < 0)
        return rc_raise(RC_INTERNAL, "sandbox: /dev/null: errno %d", errno);
#endif
    unsigned from = 3;
    for (unsigned i = 0; i < 3; i++) {
        if (keep[i] < 0)
            continue;
        if ((unsigned)keep[i] > from)
            TRY(close_range_checked(from, (unsigned)keep[i] - 1));
        from = (unsigned)keep[i] + 1;
    }
    return close_range_checked(from, UINT32_MAX);
}

/*
 * The parent decides when we end, by closing its side: a terminal's ^C or a
 * service manager's SIGTERM reaches the whole group while it still signs.
 */
static enum rc signals(void)
{
    static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };
    sigset_t none;
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            (void)signal(s, SIG_DFL); /* two real-time ones are libc's */
    for (unsigned i = 0; i < COUNT(ignored); i++)
        if (signal(ignored[i], SIG_IGN) == SIG_ERR)
            return rc_raise(RC_INTERNAL, "sandbox: signals: errno %d", errno);
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        return rc_raise(RC_INTERNAL, "sandbox: signals: errno %d", errno);
    return RC_OK;
}

static enum rc limits(void)
{
    const struct rlimit none = { 0, 0 };
    const struct rlimit files = { 16, 16 };
    struct rlimit locked;
    if (getrlimit(RLIMIT_MEMLOCK, &locked) != 0)
        return rc_raise(RC_INTERNAL, "sandbox: limits: errno %d", errno);
    locked.rlim_cur = locked.rlim_max;
    (void)setrlimit(RLIMIT_MEMLOCK, &locked);
    if (setrlimit(RLIMIT_FSIZE, &none) != 0 ||
        setrlimit(RLIMIT_NPROC, &none) != 0 ||
        setrlimit(RLIMIT_NOFILE, &files) != 0)
        return rc_raise(RC_INTERNAL, "sandbox: limits: errno %d", errno);
    return RC_OK;
}

#define STACK_TOUCHED (512u * 1024)

/*
 * Long-lived secrets are locked one by one and refused otherwise; this locks
 * the stack and the rest as far as the limit allows.
 */
static void lock_memory(void)
{
    volatile uint8_t stack[STACK_TOUCHED];
    for (size_t i = 0; i < sizeof(stack); i += 4096)
        stack[i] = 0; /* so that it is there to be locked */
    (void)mlockall(MCL_CURRENT);
}

enum rc vault_sandbox_prepare(int sock, int seal_fd, int master_fd)
{
    int keep[3] = { sock, seal_fd, master_fd };
    TRY(close_others(keep));
    TRY(signals());
    TRY(limits());
    (void)prctl(PR_SET_NAME, "mpc-vault", 0, 0, 0);
    lock_memory();
    return RC_OK;
}

/* ---- tests ------------------------------------------------------------- */

#ifdef MPC_SIMULATED_TEE
/* Tries what must end the child; the local vault refuses to. */
enum rc vault_on_trespass(struct vault_core *core, struct bytes_writer *out,
                          struct bytes_reader *in,
                          const struct vault_request *req)
{
    (void)req;
    long got = -1;
    uint8_t which = bytes_get_u8(in);
    TRY(bytes_end(in, "trespass"));
    if (!core->child)
        return rc_raise(RC_ORDER, "trespass: not in a sandbox");
    switch (which) {
    case 0:
        got = syscall(SYS_openat, AT_FDCWD, "/etc/hostname", O_RDONLY);
        break;
    case 1:
        got = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
        break;
    case 2:
        got = syscall(SYS_execve, "/bin/true", NULL, NULL);
        break;
    case 3:
        got = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        break;
    case 4:
        got = syscall(SYS_ptrace, 0, 0, 0, 0);
        break;
    case 5:
        got = syscall(SYS_fcntl, 0, F_DUPFD, 0);
        break;
    case 6:
        got = syscall(SYS_ioctl, 0, SNP_GET_DERIVED_KEY, 0);
        break;
    default:
        return rc_raise(RC_ARG, "trespass: no such case");
    }
    bytes_put_u64(out, (uint64_t)got);
    return RC_OK;
}
#endif

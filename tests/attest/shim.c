/* SPDX-License-Identifier: Apache-2.0 */
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/sev-guest.h>

#define DEVICE "/dev/sev-guest"
#define TSM    "/sys/kernel/config/tsm/report"
#define FDS    1024
#define EXPORT __attribute__((visibility("default")))

EXPORT struct shim shim;

enum kind { NONE, SEV, TSM_ROOT, TSM_ENTRY, TSM_IN, TSM_LEVEL, TSM_FAILS };
static enum kind kinds[FDS];
static int fails_with[FDS];
static uint64_t generation;

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static enum kind kind_of(int fd)
{
    return fd >= 0 && fd < FDS ? kinds[fd] : NONE;
}

static int remember(int fd, enum kind k)
{
    if (fd >= 0 && fd < FDS)
        kinds[fd] = k;
    return fd;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

/* ---- scripted by files ------------------------------------------------- */

static size_t load(const char *name, void *out, size_t cap)
{
    char path[512];
    const char *dir = getenv("MPC_SHIM");
    snprintf(path, sizeof(path), "%s/%s", dir ? dir : "", name);
    FILE *f = dir ? fopen(path, "r") : NULL;
    if (!f)
        return 0;
    size_t n = fread(out, 1, cap, f);
    fclose(f);
    return n;
}

__attribute__((constructor)) static void start(void)
{
    if (!getenv("MPC_SHIM"))
        return;
    char text[128] = "";
    load("has", text, sizeof(text) - 1);
    shim.has_ioctl = strstr(text, "sev-guest") != NULL;
    shim.has_tsm = strstr(text, "tsm") != NULL;
    load("report", shim.report, sizeof(shim.report));
    shim.table_len = (uint32_t)load("table", shim.table, sizeof(shim.table));
    memset(text, 0, sizeof(text));
    struct shim_answer *a = &shim.script[0];
    if (load("error", text, sizeof(text) - 1) &&
        sscanf(text, "%d %u %u", &a->error, &a->fw, &a->vmm) == 3)
        shim.n_script = 1;
}

static void count(void)
{
    char path[512];
    const char *dir = getenv("MPC_SHIM");
    shim.calls++;
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    shim.all_blocked = (shim.calls == 1 || shim.all_blocked) &&
                       sigismember(&now, SIGINT) && sigismember(&now, SIGTERM);
    snprintf(path, sizeof(path), "%s/calls", dir ? dir : "");
    FILE *f = dir ? fopen(path, "a") : NULL;
    if (!f)
        return;
    fputs("request\n", f);
    fclose(f);
}

/* The answer of this request; its place in the script. */
static struct shim_answer turn(void)
{
    static const struct shim_answer well;
    count();
    if (shim.n_script == 0)
        return well;
    unsigned i = (unsigned)shim.calls - 1;
    return shim.script[i < shim.n_script ? i : shim.n_script - 1];
}

/* ---- /dev/sev-guest ---------------------------------------------------- */

static int refuse(struct snp_guest_request_ioctl *io,
                  const struct shim_answer *a)
{
    io->fw_error = a->fw;
    io->vmm_error = a->vmm;
    return fail(a->error);
}

static uint32_t pages(uint32_t len)
{
    return (len + 4095) / 4096 * 4096;
}

static int give_report(struct snp_guest_request_ioctl *io)
{
    static const struct shim_answer room = { .error = EIO, .vmm = 1 };
    struct snp_ext_report_req *req = (void *)(uintptr_t)io->req_data;
    struct snp_report_resp *resp = (void *)(uintptr_t)io->resp_data;
    uint32_t want = pages(shim.table_len);
    if (shim.greedy)
        want = pages(req->certs_len + 1);
    if (req->certs_len < want) {
        req->certs_len = want;
        return refuse(io, &room);
    }
    if (req->certs_len % 4096 || req->certs_address % 4096)
        return fail(EINVAL);
    if (shim.table_len)
        memcpy((void *)(uintptr_t)req->certs_address, shim.table,
               shim.table_len);
    uint32_t size = shim.size ? shim.size : SHIM_REPORT;
    memset(resp->data, 0, sizeof(resp->data));
    memcpy(resp->data, &shim.status, 4);
    memcpy(resp->data + 4, &size, 4);
    memcpy(resp->data + 32, shim.report, SHIM_REPORT);
    return 0;
}

static int give_key(struct snp_guest_request_ioctl *io)
{
    struct snp_derived_key_resp *resp = (void *)(uintptr_t)io->resp_data;
    shim.keys++;
    memcpy(resp->data, &shim.status, 4);
    memset(resp->data + 32, 0x4b, 32);
    return 0;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    if (kind_of(fd) != SEV) {
        int (*real)(int, unsigned long, ...) = next("ioctl");
        return real(fd, request, arg);
    }
    struct snp_guest_request_ioctl *io = arg;
    struct shim_answer a = turn();
    if (a.error)
        return refuse(io, &a);
    if (io->msg_version != 1)
        return fail(EINVAL);
    return request == SNP_GET_EXT_REPORT    ? give_report(io)
           : request == SNP_GET_DERIVED_KEY ? give_key(io)
                                            : fail(ENOTTY);
}

/* ---- configfs-tsm ------------------------------------------------------ */

static int answer_file(const void *p, size_t len, int error)
{
    int fd = memfd_create("shim", MFD_CLOEXEC);
    if (fd < 0)
        return fd;
    ssize_t (*real)(int, const void *, size_t) = next("write");
    if (real(fd, p, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    if (!error || fd >= FDS)
        return remember(fd, NONE);
    fails_with[fd] = error;
    return remember(fd, TSM_FAILS);
}

/* Reading outblob is what makes the kernel ask the firmware. */
static int out_file(void)
{
    if (!shim.inblob_len)
        return answer_file("", 0, EINVAL);
    struct shim_answer a = turn();
    if (!a.error)
        a.error = shim.outblob_error;
    unsigned len = shim.out_len ? shim.out_len : SHIM_REPORT;
    uint8_t out[SHIM_REPORT * 2] = { 0 };
    memcpy(out, shim.report, SHIM_REPORT);
    if (shim.disturb) {
        shim.disturb--;
        generation++;
    }
    return answer_file(out, len, a.error);
}

static int tsm_open(const char *file)
{
    char text[64];
    if (strcmp(file, "provider") == 0) {
        int n = snprintf(text, sizeof(text), "%s\n",
                         shim.provider ? shim.provider : "sev_guest");
        return answer_file(text, (size_t)n, 0);
    }
    if (strcmp(file, "generation") == 0) {
        int n = snprintf(text, sizeof(text), "%llu\n",
                         (unsigned long long)generation);
        return answer_file(text, (size_t)n, 0);
    }
    if (strcmp(file, "privlevel_floor") == 0 && !shim.no_privlevel) {
        int n = snprintf(text, sizeof(text), "%u\n", shim.floor);
        return answer_file(text, (size_t)n, 0);
    }
    if (strcmp(file, "outblob") == 0)
        return out_file();
    if (strcmp(file, "auxblob") == 0 && !shim.no_auxblob)
        return answer_file(shim.table, shim.table_len, shim.auxblob_error);
    if (strcmp(file, "inblob") == 0)
        return remember(memfd_create("shim", MFD_CLOEXEC), TSM_IN);
    if (strcmp(file, "privlevel") == 0 && !shim.no_privlevel)
        return remember(memfd_create("shim", MFD_CLOEXEC), TSM_LEVEL);
    return fail(ENOENT);
}

EXPORT int mkdirat(int fd, const char *path, mode_t mode)
{
    if (kind_of(fd) != TSM_ROOT) {
        int (*real)(int, const char *, mode_t) = next("mkdirat");
        return real(fd, path, mode);
    }
    if (shim.mkdir_error)
        return fail(shim.mkdir_error);
    generation = 0;
    shim.inblob_len = 0;
    shim.entries++;
    shim.made++;
    return 0;
}

EXPORT int unlinkat(int fd, const char *path, int flags)
{
    if (kind_of(fd) != TSM_ROOT) {
        int (*real)(int, const char *, int) = next("unlinkat");
        return real(fd, path, flags);
    }
    if (!(flags & AT_REMOVEDIR) || shim.entries == 0)
        return fail(ENOENT);
    shim.entries--;
    return 0;
}

EXPORT ssize_t write(int fd, const void *p, size_t len)
{
    enum kind k = kind_of(fd);
    if (k != TSM_IN && k != TSM_LEVEL) {
        ssize_t (*real)(int, const void *, size_t) = next("write");
        return real(fd, p, len);
    }
    generation++;
    if (k == TSM_LEVEL) {
        shim.level = *(const char *)p;
        return (ssize_t)len;
    }
    if (shim.inblob_error)
        return fail(shim.inblob_error);
    shim.inblob_writes++;
    shim.inblob_len = len < 64 ? (unsigned)len : 64;
    memcpy(shim.inblob, p, shim.inblob_len);
    return (ssize_t)len;
}

EXPORT ssize_t read(int fd, void *p, size_t len)
{
    if (kind_of(fd) == TSM_FAILS)
        return fail(fails_with[fd]);
    ssize_t (*real)(int, void *, size_t) = next("read");
    return real(fd, p, len);
}

/* ---- names ------------------------------------------------------------- */

static int known(const char *path)
{
    if (strcmp(path, DEVICE) == 0)
        return shim.has_ioctl ? remember(memfd_create("sev", MFD_CLOEXEC), SEV)
                              : fail(ENOENT);
    if (!shim.has_tsm)
        return fail(ENOENT);
    int (*real)(int, const char *, int, ...) = next("openat");
    return remember(real(AT_FDCWD, "/", O_DIRECTORY | O_CLOEXEC), TSM_ROOT);
}

static mode_t mode_of(int flags, va_list ap)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

static bool ours(const char *path)
{
    return strcmp(path, DEVICE) == 0 || strcmp(path, TSM) == 0;
}

EXPORT int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    if (ours(path))
        return known(path);
    int (*real)(const char *, int, ...) = next("open");
    return remember(real(path, flags, mode), NONE);
}

EXPORT int openat(int fd, const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    if (kind_of(fd) == TSM_ENTRY)
        return tsm_open(path);
    int (*real)(int, const char *, int, ...) = next("openat");
    if (kind_of(fd) == TSM_ROOT)
        return remember(real(AT_FDCWD, "/", O_DIRECTORY | O_CLOEXEC),
                        TSM_ENTRY);
    return remember(real(fd, path, flags, mode), NONE);
}

EXPORT int close(int fd)
{
    if (fd >= 0 && fd < FDS)
        kinds[fd] = NONE;
    int (*real)(int) = next("close");
    return real(fd);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * configfs-tsm (Linux 6.7 and newer): a report is a directory that we make
 * and take away, its request a file written once, its answer files read to
 * their end. The kernel counts requests in `generation`: where it is not what
 * ours make it, somebody else wrote in between and nothing of it counts.
 */
#include "attest/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/certs.h"
#include "base/enc.h"
#include "base/rand.h"

#define TSM_DIR      "/sys/kernel/config/tsm/report"
#define TRIES        3
#define TEXT_MAX     64
#define PROVIDER_SNP "sev_guest"

struct entry {
    int dir; /* TSM_DIR's, borrowed */
    int fd;  /* its own directory; -1: not made */
    char name[40];
    sigset_t before;
};

/* ---- an entry, made and taken away ------------------------------------- */

/* What errno means in this file system, for a person. */
static const char *meaning(int error)
{
    switch (error) {
    case ENXIO:
        return "no provider: this guest's firmware interface is not loaded";
    case EBUSY:
        return "another request is under way, or wrote over ours";
    case EINVAL:
        return "the kernel refuses the request";
    case EFBIG:
        return "the answer is larger than the kernel keeps";
    case EIO:
        return "the firmware or the host refused";
    default:
        return strerror(error);
    }
}

static enum rc failed(struct attest_guest *g, const char *what, int error)
{
    if (error == ENOTTY)
        return attest_guest_lose(g);
    if (error == ETIMEDOUT) {
        attest_guest_note(g, ATTEST_GUEST_THROTTLED);
        enum rc rc = rc_raise(RC_TIMEOUT, "configfs-tsm: %s: throttled", what);
        rc_hint("the host let the request wait for a minute; the kernel may "
                "have given up its key: if the next request says so, "
                "relaunch the VM and ask the host why it throttles");
        return rc;
    }
    attest_guest_note(g, ATTEST_GUEST_FAILED);
    return rc_raise(RC_IO, "configfs-tsm: %s: %s", what, meaning(error));
}

static enum rc entry_make(struct entry *e, struct attest_guest *g)
{
    uint8_t word[8];
    char hex[ENC_HEX_SIZE(8)];
    TRY(rand_bytes(word, sizeof(word)));
    snprintf(e->name, sizeof(e->name), "mpc-%ld-%s", (long)getpid(),
             enc_hex(hex, word, sizeof(word)));
    /* An entry that outlives us is left to the next reboot, and a request
     * cut off costs the kernel its key: signals wait until it is gone. */
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &e->before);
    int error = mkdirat(g->fd, e->name, 0700) == 0 ? 0 : errno;
    if (error == 0) {
        e->dir = g->fd;
        e->fd = openat(g->fd, e->name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        if (e->fd >= 0)
            return RC_OK;
        error = errno;
        unlinkat(g->fd, e->name, AT_REMOVEDIR);
    }
    pthread_sigmask(SIG_SETMASK, &e->before, NULL);
    e->fd = -1;
    enum rc rc = failed(g, "mkdir", error);
    if (error == ENXIO)
        rc_hint("modprobe sev-guest, and see dmesg for why it does not load");
    return rc;
}

static void entry_end(struct entry *e)
{
    if (e->fd < 0)
        return;
    close(e->fd);
    unlinkat(e->dir, e->name, AT_REMOVEDIR);
    e->fd = -1;
    pthread_sigmask(SIG_SETMASK, &e->before, NULL);
}
#define OWNED_ENTRY __attribute__((cleanup(entry_end))) struct entry

/* ---- its files --------------------------------------------------------- */

/* To the end of the file; RC_UNKNOWN: there is none. */
static enum rc read_all(uint8_t *out, size_t cap, size_t *len,
                        const struct entry *e, struct attest_guest *g,
                        const char *file)
{
    OWNED_FD fd = openat(e->fd, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return rc_raise(RC_UNKNOWN, "configfs-tsm: no %s", file);
    if (fd < 0)
        return failed(g, file, errno);
    size_t at = 0;
    for (;;) {
        ssize_t n = read(fd, out + at, cap - at);
        if (n == 0)
            break;
        if (n < 0)
            return failed(g, file, errno);
        at += (size_t)n;
        if (at == cap)
            return rc_raise(RC_TOO_LARGE, "configfs-tsm: %s over %zu bytes",
                            file, cap - 1);
    }
    *len = at;
    return RC_OK;
}

/* A line without its end. */
static enum rc read_text(char out[TEXT_MAX], const struct entry *e,
                         struct attest_guest *g, const char *file)
{
    size_t len = 0;
    TRY(read_all((uint8_t *)out, TEXT_MAX, &len, e, g, file));
    if (len && out[len - 1] == '\n')
        len--;
    out[len] = '\0';
    return RC_OK;
}

static enum rc read_generation(uint64_t *out, const struct entry *e,
                               struct attest_guest *g)
{
    char text[TEXT_MAX];
    TRY(read_text(text, e, g, "generation"));
    if (enc_undec(out, text, strlen(text)) != RC_OK)
        return rc_raise(RC_IO, "configfs-tsm: generation is no number");
    return RC_OK;
}

/* One write; the kernel takes a binary file when it is closed. */
static enum rc write_once(const struct entry *e, struct attest_guest *g,
                          const char *file, const void *p, size_t len)
{
    int fd = openat(e->fd, file, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return failed(g, file, errno);
    ssize_t n = write(fd, p, len);
    int error = n < 0 ? errno : 0;
    if (close(fd) != 0 && error == 0)
        error = errno;
    if (error)
        return failed(g, file, error);
    return (size_t)n == len ? RC_OK
                            : rc_raise(RC_IO,
                                       "configfs-tsm: %s took %zd of %zu "
                                       "bytes",
                                       file, n, len);
}

static enum rc check_provider(const struct entry *e, struct attest_guest *g)
{
    char name[TEXT_MAX];
    TRY(read_text(name, e, g, "provider"));
    if (strcmp(name, PROVIDER_SNP) == 0)
        return RC_OK;
    enum rc rc = rc_raise(RC_IO, "configfs-tsm: provider is %.32s, want %s",
                          name, PROVIDER_SNP);
    rc_hint("this is another kind of guest: mpcsign runs in SEV-SNP ones");
    return rc;
}

/* ---- a report ---------------------------------------------------------- */

static enum rc answer(struct wire_evidence *out, const struct entry *e,
                      struct attest_guest *g)
{
    uint8_t report[ATTEST_REPORT_LEN + 1];
    size_t len = 0;
    TRY(read_all(report, sizeof(report), &len, e, g, "outblob"));
    if (len != ATTEST_REPORT_LEN)
        return rc_raise(RC_IO, "configfs-tsm: outblob of %zu bytes, want %u",
                        len, ATTEST_REPORT_LEN);
    TRY(wire_blob_set(&out->report, report, len));
    OWNED_MEM uint8_t *table = malloc(ATTEST_TABLE_MAX + 1);
    if (!table)
        return rc_raise(RC_NOMEM, "configfs-tsm: out of memory");
    enum rc rc = read_all(table, ATTEST_TABLE_MAX + 1, &len, e, g, "auxblob");
    if (rc == RC_UNKNOWN) /* the host has no certificates */
        return RC_OK;
    TRY(rc);
    return attest_certs_take(out, table, len);
}

/* The best level this guest may speak for: 0, or what is left to it below an
 * SVSM. Kernels that do not know the question have no such file. */
static enum rc choose_level(uint64_t *writes, const struct entry *e,
                            struct attest_guest *g)
{
    char floor[TEXT_MAX];
    enum rc rc = read_text(floor, e, g, "privlevel_floor");
    if (rc == RC_UNKNOWN)
        return RC_OK;
    TRY(rc);
    if (strlen(floor) != 1 || floor[0] < '0' || floor[0] > '3')
        return rc_raise(RC_IO, "configfs-tsm: privlevel_floor is not 0..3");
    ++*writes;
    return write_once(e, g, "privlevel", floor, 1);
}

/* *again: somebody else's request came in between. */
static enum rc attempt(struct wire_evidence *out, bool *again,
                       const struct entry *e, struct attest_guest *g,
                       const uint8_t data[64])
{
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t writes = 1; /* inblob */
    *again = false;
    TRY(read_generation(&first, e, g));
    TRY(choose_level(&writes, e, g));
    TRY(write_once(e, g, "inblob", data, 64));
    TRY(answer(out, e, g));
    TRY(read_generation(&last, e, g));
    *again = last != first + writes;
    return RC_OK;
}

static enum rc tsm_report(struct wire_evidence *out, struct attest_guest *g,
                          const uint8_t data[64])
{
    for (unsigned i = 0; i < TRIES; i++) {
        OWNED_ENTRY e = { .fd = -1 };
        WIRE(evidence) got = { 0 };
        bool again;
        TRY(entry_make(&e, g));
        TRY(check_provider(&e, g));
        TRY(attempt(&got, &again, &e, g, data));
        if (again)
            continue;
        *out = got;
        memset(&got, 0, sizeof(got));
        return RC_OK;
    }
    enum rc rc = rc_raise(RC_IO,
                          "configfs-tsm: generation changed under each "
                          "of %d requests",
                          TRIES);
    rc_hint("another program writes into our entries under " TSM_DIR
            ": find it, only one may ask");
    return rc;
}

static enum rc tsm_open(struct attest_guest *g, const char *argument)
{
    (void)argument;
    g->fd = open(TSM_DIR, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (g->fd < 0) {
        enum rc rc = rc_raise(RC_IO, TSM_DIR ": %s", strerror(errno));
        rc_hint("needs Linux 6.7 or newer with configfs mounted; sev-guest "
                "is the other way");
        return rc;
    }
    OWNED_ENTRY e = { .fd = -1 };
    TRY(entry_make(&e, g));
    return check_provider(&e, g);
}

const struct attest_backend attest_backend_tsm = {
    .name = "configfs-tsm",
    .psp = true,
    .automatic = true,
    .open = tsm_open,
    .report = tsm_report,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev/sev-guest: reports with the host's certificates, and derived keys, by
 * ioctl. Each request is made once; the one second call there is asks again
 * with room for the certificates, which the kernel documents as harmless.
 */
#include "attest/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/sev-guest.h>

#include "attest/certs.h"
#include "attest/guest.h"
#include "attest/layout.h"

#define SEV_DEVICE "/dev/sev-guest"
#define REPORT_AT  0x20 /* in snp_report_resp.data */
#define KEY_AT     0x20 /* in snp_derived_key_resp.data */
#define VMM_LEN    1    /* certificate buffer too small: certs_len says */
#define VMM_BUSY   2    /* throttled */
#define FW_NONE    0xff /* kernels set it: the firmware was not reached */
#define PAGE       4096u
#define MIX        (GUEST_MIX_POLICY | GUEST_MIX_MEASUREMENT | GUEST_MIX_TCB)

static enum rc sev_open(struct attest_guest *g, const char *argument)
{
    (void)argument;
    g->fd = open(SEV_DEVICE, O_RDWR | O_CLOEXEC);
    if (g->fd >= 0)
        return RC_OK;
    enum rc rc = rc_raise(RC_IO, SEV_DEVICE ": %s", strerror(errno));
    rc_hint("run as an SEV-SNP guest, and let this user read and write the "
            "device");
    return rc;
}

/* ---- one ioctl --------------------------------------------------------- */

/*
 * 0 or errno. A signal that cuts a request off costs the kernel its key, so
 * none reaches this thread until the request is over.
 */
static int call(int fd, unsigned long request,
                struct snp_guest_request_ioctl *io)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    io->msg_version = 1;
    io->fw_error = FW_NONE;
    io->vmm_error = 0;
    int error = ioctl(fd, request, io) == 0 ? 0 : errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

const char *attest_firmware_name(uint32_t code)
{
    static const char *const names[] = {
        [0x01] = "INVALID_PLATFORM_STATE",
        [0x02] = "INVALID_GUEST_STATE",
        [0x03] = "INVALID_CONFIG",
        [0x04] = "INVALID_LENGTH",
        [0x05] = "ALREADY_OWNED",
        [0x06] = "INVALID_CERTIFICATE",
        [0x07] = "POLICY_FAILURE",
        [0x08] = "INACTIVE",
        [0x09] = "INVALID_ADDRESS",
        [0x0a] = "BAD_SIGNATURE",
        [0x0b] = "BAD_MEASUREMENT",
        [0x0c] = "ASID_OWNED",
        [0x0d] = "INVALID_ASID",
        [0x0e] = "WBINVD_REQUIRED",
        [0x0f] = "DF_FLUSH_REQUIRED",
        [0x10] = "INVALID_GUEST",
        [0x11] = "INVALID_COMMAND",
        [0x12] = "ACTIVE",
        [0x13] = "HWERROR_PLATFORM",
        [0x14] = "HWERROR_UNSAFE",
        [0x15] = "UNSUPPORTED",
        [0x16] = "INVALID_PARAM",
        [0x17] = "RESOURCE_LIMIT",
        [0x18] = "SECURE_DATA_INVALID",
        [0x1f] = "RMP_INIT_REQUIRED",
        [0x20] = "BAD_SVN",
        [0x21] = "BAD_VERSION",
        [0x22] = "SHUTDOWN_REQUIRED",
        [0x23] = "UPDATE_FAILED",
        [0x24] = "RESTORE_REQUIRED",
        [0x25] = "RMP_INIT_FAILED",
        [0x26] = "INVALID_KEY",
        [0x27] = "INVALID_KEY_SELECTION",
    };
    const char *name = NULL;
    if (code < sizeof(names) / sizeof(*names))
        name = names[code];
    return name ? name : "unknown";
}

static const char *vmm_name(uint32_t code)
{
    return code == VMM_LEN    ? "INVALID_LEN"
           : code == VMM_BUSY ? "BUSY"
                              : "unknown";
}

/* What firmware and host said: kernels up to 6.1 leave garbage there unless
 * errno is EIO, so it is read with no other. */
static void details(char *out, size_t size, int error,
                    const struct snp_guest_request_ioctl *io)
{
    *out = '\0';
    if (error != EIO && error != ETIMEDOUT)
        return;
    int n = 0;
    if (error == EIO && io->fw_error != 0 && io->fw_error != FW_NONE)
        n = snprintf(out, size, "; firmware 0x%x %s", io->fw_error,
                     attest_firmware_name(io->fw_error));
    if (io->vmm_error == VMM_BUSY || (error == EIO && io->vmm_error != 0))
        snprintf(out + n, size - (size_t)n, "; host 0x%x %s", io->vmm_error,
                 vmm_name(io->vmm_error));
}

static enum rc failed(struct attest_guest *g, int error,
                      const struct snp_guest_request_ioctl *io)
{
    char more[96];
    if (error == ENOTTY)
        return attest_guest_lose(g);
    details(more, sizeof(more), error, io);
    if (error == ETIMEDOUT || error == EBUSY || error == EAGAIN) {
        attest_guest_note(g, ATTEST_GUEST_THROTTLED);
        enum rc rc = rc_raise(RC_TIMEOUT, "sev-guest: throttled: %s%s",
                              strerror(error), more);
        rc_hint("the host let the request wait for a minute; the kernel may "
                "have given up its key: if the next request says so, "
                "relaunch the VM and ask the host why it throttles");
        return rc;
    }
    attest_guest_note(g, ATTEST_GUEST_FAILED);
    return rc_raise(RC_IO, "sev-guest: %s%s", strerror(error), more);
}

/* ---- a report ---------------------------------------------------------- */

struct sev_call {
    struct snp_ext_report_req req;
    struct snp_report_resp resp;
    struct snp_guest_request_ioctl io;
    void *pages;
    size_t pages_len;
};
static void sev_unmap(struct sev_call *c)
{
    if (c->pages)
        munmap(c->pages, c->pages_len);
    c->pages = NULL;
}

static enum rc map(struct sev_call *c, size_t want)
{
    sev_unmap(c);
    c->pages_len = (want + PAGE - 1) / PAGE * PAGE;
    if (want == 0)
        return RC_OK;
    void *p = mmap(NULL, c->pages_len, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return rc_raise(RC_NOMEM, "sev-guest: certificate pages");
    c->pages = p;
    return RC_OK;
}

static int ask(struct sev_call *c, int fd, const uint8_t data[64])
{
    memset(&c->req, 0, sizeof(c->req));
    memset(&c->resp, 0, sizeof(c->resp));
    memset(&c->io, 0, sizeof(c->io));
    memcpy(c->req.data.user_data, data, 64);
    c->req.certs_address = (uintptr_t)c->pages;
    c->req.certs_len = (uint32_t)c->pages_len;
    c->io.req_data = (uintptr_t)&c->req;
    c->io.resp_data = (uintptr_t)&c->resp;
    return call(fd, SNP_GET_EXT_REPORT, &c->io);
}

static bool wants_room(const struct sev_call *c, int error)
{
    return error == EIO && c->io.vmm_error == VMM_LEN;
}

/* With the room it took last time; where that is too little, once more with
 * what the host asks for. */
static enum rc ask_with_room(struct sev_call *c, struct attest_guest *g,
                             const uint8_t data[64])
{
    TRY(map(c, g->certs_len));
    int error = ask(c, g->fd, data);
    if (!wants_room(c, error))
        return error ? failed(g, error, &c->io) : RC_OK;
    uint32_t want = c->req.certs_len;
    if (want == 0 || want > ATTEST_TABLE_MAX)
        return rc_raise(RC_TOO_LARGE,
                        "sev-guest: the host asks for room for %u bytes of "
                        "certificates, at most %u",
                        want, ATTEST_TABLE_MAX);
    TRY(map(c, want));
    error = ask(c, g->fd, data);
    if (wants_room(c, error))
        return rc_raise(RC_IO,
                        "sev-guest: the host asked for room for %u bytes of "
                        "certificates, was given them, and asks again",
                        want);
    TRY(error ? failed(g, error, &c->io) : RC_OK);
    g->certs_len = want;
    return RC_OK;
}

static enum rc take(struct wire_evidence *out, const struct sev_call *c)
{
    uint32_t status;
    uint32_t size;
    memcpy(&status, c->resp.data, sizeof(status));
    memcpy(&size, c->resp.data + 4, sizeof(size));
    if (status != 0)
        return rc_raise(RC_IO, "sev-guest: report refused, status 0x%x %s",
                        status, attest_firmware_name(status));
    if (size != ATTEST_REPORT_LEN)
        return rc_raise(RC_IO, "sev-guest: report of %u bytes, want %u", size,
                        ATTEST_REPORT_LEN);
    TRY(wire_blob_set(&out->report, c->resp.data + REPORT_AT,
                      ATTEST_REPORT_LEN));
    return attest_certs_take(out, c->pages, c->pages_len);
}

static enum rc sev_report(struct wire_evidence *out, struct attest_guest *g,
                          const uint8_t data[64])
{
    __attribute__((cleanup(sev_unmap))) struct sev_call c = { 0 };
    TRY(ask_with_room(&c, g, data));
    return take(out, &c);
}

/* ---- a derived key ----------------------------------------------------- */

static enum rc sev_derive(uint8_t key[32], struct attest_guest *g,
                          uint64_t tcb_version)
{
    struct snp_derived_key_req req = { .guest_field_select = MIX,
                                       .tcb_version = tcb_version };
    struct snp_derived_key_resp resp = { .data = { 0 } };
    struct snp_guest_request_ioctl io = {
        .req_data = (uintptr_t)&req,
        .resp_data = (uintptr_t)&resp,
    };
    int error = call(g->fd, SNP_GET_DERIVED_KEY, &io);
    uint32_t status;
    memcpy(&status, resp.data, sizeof(status));
    if (error == 0 && status == 0)
        memcpy(key, resp.data + KEY_AT, 32);
    sodium_memzero(&resp, sizeof(resp));
    if (error)
        return failed(g, error, &io);
    return status == 0 ? RC_OK
                       : rc_raise(RC_STORE,
                                  "sev-guest: derived key refused, status "
                                  "0x%x %s",
                                  status, attest_firmware_name(status));
}

const struct attest_backend attest_backend_sev_guest = {
    .name = "sev-guest",
    .psp = true,
    .automatic = true,
    .open = sev_open,
    .report = sev_report,
    .derive = sev_derive,
};

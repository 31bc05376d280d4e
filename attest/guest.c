/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collecting: one report over 64 bytes of ours, with the certificates the
 * platform hands out. Backends in a table: /dev/sev-guest, and in builds
 * that simulate, mpc-snpsim's socket. Public data only.
 *
 * The kernel gives up its key to the firmware for good when a request is
 * cut off or throttled too long: after that every call says ENOTTY until the
 * machine is launched anew. So: one owner, no retries here.
 */
#include "attest/attest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/sev-guest.h>

#include "attest/certs.h"
#include "attest/guest.h"
#include "attest/inner.h"
#include "attest/layout.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/sock.h"

#define SEV_DEVICE     "/dev/sev-guest"
#define REPORT_AT      0x20 /* in snp_report_resp.data */
#define VMM_LEN        1    /* certificate buffer too small: certs_len says */
#define PAGE           4096u
#define SIM_TIMEOUT_MS 10000

/* ---- /dev/sev-guest ---------------------------------------------------- */

static enum rc sev_open(int *fd)
{
    int got = open(SEV_DEVICE, O_RDWR | O_CLOEXEC);
    if (got < 0) {
        enum rc rc = rc_raise(RC_IO, SEV_DEVICE ": %s", strerror(errno));
        rc_hint("run as an SEV-SNP guest, and let this user read and write "
                "the device");
        return rc;
    }
    *fd = got;
    return RC_OK;
}

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
}

static int sev_ask(struct sev_call *c, int fd, const uint8_t data[64])
{
    memset(&c->req, 0, sizeof(c->req));
    memset(&c->resp, 0, sizeof(c->resp));
    memset(&c->io, 0, sizeof(c->io));
    memcpy(c->req.data.user_data, data, 64);
    c->req.certs_address = (uintptr_t)c->pages;
    c->req.certs_len = (uint32_t)c->pages_len;
    c->io.msg_version = 1;
    c->io.req_data = (uintptr_t)&c->req;
    c->io.resp_data = (uintptr_t)&c->resp;
    return ioctl(fd, SNP_GET_EXT_REPORT, &c->io) == 0 ? 0 : errno;
}

static enum rc sev_failed(const struct sev_call *c, int error)
{
    if (error != ENOTTY)
        return rc_raise(RC_IO, "sev-guest: %s, firmware 0x%x, host 0x%x",
                        strerror(error), c->io.fw_error, c->io.vmm_error);
    enum rc rc = rc_raise(RC_ATTEST,
                          "sev-guest: the kernel has no key to the firmware "
                          "any more");
    rc_hint("attestation is lost for this launch: relaunch the VM");
    return rc;
}

/* The first call learns how many pages of certificates the host has. */
static enum rc sev_size(struct sev_call *c, int fd, const uint8_t data[64],
                        bool *done)
{
    int error = sev_ask(c, fd, data);
    *done = error == 0;
    if (error == 0)
        return RC_OK;
    if (error != EIO || c->io.vmm_error != VMM_LEN)
        return sev_failed(c, error);
    uint32_t want = c->req.certs_len;
    if (want == 0 || want > ATTEST_TABLE_MAX)
        return rc_raise(RC_TOO_LARGE, "sev-guest: %u bytes of certificates",
                        want);
    c->pages_len = (want + PAGE - 1) / PAGE * PAGE;
    c->pages = mmap(NULL, c->pages_len, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (c->pages != MAP_FAILED)
        return RC_OK;
    c->pages = NULL;
    return rc_raise(RC_NOMEM, "sev-guest: certificate pages");
}

static enum rc sev_take(struct wire_evidence *out, const struct sev_call *c)
{
    uint32_t status;
    uint32_t size;
    memcpy(&status, c->resp.data, sizeof(status));
    memcpy(&size, c->resp.data + 4, sizeof(size));
    if (status != 0 || size != ATTEST_REPORT_LEN)
        return rc_raise(RC_IO, "sev-guest: status 0x%x, report of %u bytes",
                        status, size);
    TRY(wire_blob_set(&out->report, c->resp.data + REPORT_AT,
                      ATTEST_REPORT_LEN));
    return attest_certs_take(out, c->pages, c->pages_len);
}

static enum rc sev_report(struct wire_evidence *out, int fd,
                          const uint8_t data[64])
{
    __attribute__((cleanup(sev_unmap))) struct sev_call c = { 0 };
    bool done;
    TRY(sev_size(&c, fd, data, &done));
    if (!done) {
        int error = sev_ask(&c, fd, data);
        if (error != 0)
            return sev_failed(&c, error);
    }
    return sev_take(out, &c);
}

/* ---- the simulator ----------------------------------------------------- */

#ifdef MPC_SIMULATED_TEE
static enum rc sim_exchange(uint8_t *body, size_t cap, size_t *len, int fd,
                            uint8_t op, const uint8_t *what, size_t what_len)
{
    uint8_t req[GUEST_HEAD_LEN + GUEST_BODY_MAX];
    struct bytes_writer w = bytes_writer(req, sizeof(req));
    bytes_put(&w, GUEST_MAGIC, GUEST_MAGIC_LEN);
    bytes_put_u8(&w, op);
    bytes_put_lp32(&w, what, what_len);
    TRY(bytes_written(&w));
    int64_t deadline = clock_mono_ms() + SIM_TIMEOUT_MS;
    TRY(sock_write(fd, req, w.len, deadline));
    uint8_t head[GUEST_REPLY_HEAD];
    TRY(sock_read(fd, head, sizeof(head), deadline));
    struct bytes_reader rd = bytes_reader(head, sizeof(head));
    uint8_t status = bytes_get_u8(&rd);
    uint32_t n = bytes_get_u32(&rd);
    if (n > cap)
        return rc_raise(RC_TOO_LARGE, "simulator: reply of %u bytes", n);
    TRY(sock_read(fd, body, n, deadline));
    if (status != GUEST_OK)
        return rc_raise(RC_IO, "simulator: status 0x%x", status);
    *len = n;
    return RC_OK;
}

/* After a failure the stream may be out of step: it ends there. */
enum rc attest_sim_ask(uint8_t *body, size_t cap, size_t *len, int fd,
                       uint8_t op, const uint8_t *what, size_t what_len)
{
    enum rc rc = sim_exchange(body, cap, len, fd, op, what, what_len);
    if (rc != RC_OK)
        shutdown(fd, SHUT_RDWR);
    return rc;
}

static enum rc sim_report(struct wire_evidence *out, int fd,
                          const uint8_t data[64])
{
    uint8_t body[GUEST_REPLY_MAX];
    size_t len = 0;
    TRY(attest_sim_ask(body, sizeof(body), &len, fd, GUEST_OP_REPORT, data,
                       GUEST_REPORT_BODY));
    struct bytes_reader rd = bytes_reader(body, len);
    const uint8_t *cert[3];
    size_t cert_len[3];
    const uint8_t *report = bytes_take(&rd, ATTEST_REPORT_LEN);
    for (unsigned i = 0; i < 3; i++)
        cert[i] = bytes_take_lp32(&rd, &cert_len[i]);
    TRY(bytes_end(&rd, "simulator's report"));
    TRY(wire_blob_set(&out->report, report, ATTEST_REPORT_LEN));
    TRY(wire_blob_set(&out->vek, cert[0], cert_len[0]));
    TRY(wire_list_new(&out->chain, 2));
    TRY(wire_blob_set(&out->chain.at[0], cert[1], cert_len[1]));
    return wire_blob_set(&out->chain.at[1], cert[2], cert_len[2]);
}
#endif

/* ---- the door ---------------------------------------------------------- */

enum rc attest_guest_open(int *fd, bool *simulated, const char *device)
{
    if (strcmp(device, "sev-guest") == 0) {
        *simulated = false;
        return sev_open(fd);
    }
#ifdef MPC_SIMULATED_TEE
    if (strncmp(device, "sim:", 4) == 0) {
        *simulated = true;
        return sock_unix_connect(fd, device + 4);
    }
#endif
    enum rc rc = rc_raise(RC_ARG, "guest device: this build knows no such one");
    rc_hint("sev-guest"
#ifdef MPC_SIMULATED_TEE
            ", or sim:/path/to/socket"
#endif
    );
    return rc;
}

enum rc attest_guest_report(struct wire_evidence *out, int fd, bool simulated,
                            const uint8_t report_data[64])
{
    WIRE(evidence) e = { 0 };
#ifdef MPC_SIMULATED_TEE
    TRY(simulated ? sim_report(&e, fd, report_data)
                  : sev_report(&e, fd, report_data));
#else
    if (simulated)
        return rc_raise(RC_ARG, "this build knows no simulated device");
    TRY(sev_report(&e, fd, report_data));
#endif
    if (e.report.len != ATTEST_REPORT_LEN ||
        memcmp(e.report.p + SNP_REPORT_DATA, report_data, 64) != 0)
        return rc_raise(RC_IO, "guest device: a report over other data");
    *out = e;
    memset(&e, 0, sizeof(e));
    return RC_OK;
}

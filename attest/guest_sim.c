/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated guest device: mpc-snpsim at the other end of a Unix socket,
 * protocol in guest.h. Not in a build without MPC_SIMULATED_TEE.
 */
#include "attest/backend.h"

#ifdef MPC_SIMULATED_TEE

#include <sys/socket.h>

#include "attest/guest.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/sock.h"

#define TIMEOUT_MS 10000
#define MIX        (GUEST_MIX_POLICY | GUEST_MIX_MEASUREMENT | GUEST_MIX_TCB)

static enum rc sim_open(struct attest_guest *g, const char *path)
{
    return sock_unix_connect(&g->fd, path);
}

/* As the real device's errors, so that a daemon meets them alike. */
static enum rc refused(struct attest_guest *g, unsigned status)
{
    if (status == GUEST_LOST)
        return attest_guest_lose(g);
    if (status != GUEST_BUSY)
        return rc_raise(RC_IO, "simulator: status 0x%x", status);
    attest_guest_note(g, ATTEST_GUEST_THROTTLED);
    enum rc rc = rc_raise(RC_TIMEOUT, "simulator: throttled");
    rc_hint("mpc-snpsim fault none ends it");
    return rc;
}

static enum rc exchange(uint8_t *body, size_t cap, size_t *len,
                        unsigned *status, int fd, uint8_t op,
                        const uint8_t *what, size_t what_len)
{
    uint8_t req[GUEST_HEAD_LEN + GUEST_BODY_MAX];
    struct bytes_writer w = bytes_writer(req, sizeof(req));
    bytes_put(&w, GUEST_MAGIC, GUEST_MAGIC_LEN);
    bytes_put_u8(&w, op);
    bytes_put_lp32(&w, what, what_len);
    TRY(bytes_written(&w));
    int64_t deadline = clock_mono_ms() + TIMEOUT_MS;
    TRY(sock_write(fd, req, w.len, deadline));
    uint8_t head[GUEST_REPLY_HEAD];
    TRY(sock_read(fd, head, sizeof(head), deadline));
    struct bytes_reader rd = bytes_reader(head, sizeof(head));
    *status = bytes_get_u8(&rd);
    uint32_t n = bytes_get_u32(&rd);
    if (n > cap)
        return rc_raise(RC_TOO_LARGE, "simulator: reply of %u bytes", n);
    TRY(sock_read(fd, body, n, deadline));
    *len = n;
    return RC_OK;
}

/* After a broken exchange the stream may be out of step: it ends there. */
static enum rc ask(uint8_t *body, size_t cap, size_t *len,
                   struct attest_guest *g, uint8_t op, const uint8_t *what,
                   size_t what_len)
{
    unsigned status;
    enum rc rc = exchange(body, cap, len, &status, g->fd, op, what, what_len);
    if (rc != RC_OK) {
        shutdown(g->fd, SHUT_RDWR);
        return rc;
    }
    return status == GUEST_OK ? RC_OK : refused(g, status);
}

/* A certificate of no bytes: the host has none. */
static enum rc take_chain(struct wire_evidence *out, const uint8_t *const p[2],
                          const size_t len[2])
{
    size_t n = (len[0] != 0) + (len[1] != 0);
    if (n == 0)
        return RC_OK;
    TRY(wire_list_new(&out->chain, n));
    size_t at = 0;
    for (unsigned i = 0; i < 2; i++)
        if (len[i])
            TRY(wire_blob_set(&out->chain.at[at++], p[i], len[i]));
    return RC_OK;
}

static enum rc sim_report(struct wire_evidence *out, struct attest_guest *g,
                          const uint8_t data[64])
{
    uint8_t body[GUEST_REPLY_MAX];
    size_t len = 0;
    TRY(ask(body, sizeof(body), &len, g, GUEST_OP_REPORT, data,
            GUEST_REPORT_BODY));
    struct bytes_reader rd = bytes_reader(body, len);
    const uint8_t *cert[3];
    size_t cert_len[3];
    const uint8_t *report = bytes_take(&rd, ATTEST_REPORT_LEN);
    for (unsigned i = 0; i < 3; i++)
        cert[i] = bytes_take_lp32(&rd, &cert_len[i]);
    TRY(bytes_end(&rd, "simulator's report"));
    TRY(wire_blob_set(&out->report, report, ATTEST_REPORT_LEN));
    if (cert_len[0])
        TRY(wire_blob_set(&out->vek, cert[0], cert_len[0]));
    return take_chain(out, cert + 1, cert_len + 1);
}

static enum rc sim_derive(uint8_t key[32], struct attest_guest *g,
                          uint64_t tcb_version)
{
    uint8_t what[GUEST_KEY_BODY];
    struct bytes_writer w = bytes_writer(what, sizeof(what));
    size_t len = 0;
    bytes_put_u64(&w, MIX);
    bytes_put_u32(&w, 0); /* VMPL */
    bytes_put_u32(&w, 0); /* guest SVN, not mixed */
    bytes_put_u64(&w, tcb_version);
    TRY(bytes_written(&w));
    TRY(ask(key, GUEST_KEY_LEN, &len, g, GUEST_OP_KEY, what, sizeof(what)));
    return len == GUEST_KEY_LEN
                   ? RC_OK
                   : rc_raise(RC_STORE, "simulator: key of %zu bytes", len);
}

const struct attest_backend attest_backend_sim = {
    .name = "sim:",
    .simulated = true,
    .open = sim_open,
    .report = sim_report,
    .derive = sim_derive,
};

#endif

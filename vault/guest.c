/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the sealing key comes from: the guest's own derived key, bound to
 * chip, firmware level, guest policy and measurement. Asked for once, in the
 * vault; the caller keeps only what HKDF makes of it, and wipes it.
 */
#include "vault/inner.h"

#include <errno.h>
#include <linux/sev-guest.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/sock.h"

/* guest_field_select: what the key depends on besides the chip */
#define MIX_POLICY      (1u << 0)
#define MIX_MEASUREMENT (1u << 3)
#define MIX_TCB         (1u << 5)
#define MIX             (MIX_POLICY | MIX_MEASUREMENT | MIX_TCB)

/* The firmware's answer: status, reserved, key. */
#define RESP_KEY_AT 32

static enum rc refused(int error)
{
    if (error != ENOTTY)
        return rc_raise(RC_STORE, "sealing key: sev-guest: errno %d", error);
    enum rc rc = rc_raise(RC_STORE, "sealing key: attestation lost: relaunch "
                                    "the VM: the kernel has no key to the "
                                    "firmware any more");
    rc_hint("stop and start the VM: a reboot inside keeps the launch");
    return rc;
}

static enum rc ask_device(uint8_t key[32], int fd, uint64_t tcb_version)
{
    struct snp_derived_key_req req = { .guest_field_select = MIX,
                                       .tcb_version = tcb_version };
    struct snp_derived_key_resp resp = { .data = { 0 } };
    struct snp_guest_request_ioctl call = {
        .msg_version = 1,
        .req_data = (uint64_t)(uintptr_t)&req,
        .resp_data = (uint64_t)(uintptr_t)&resp,
    };
    /* Once: a kernel that gave up its key to the firmware never gets it back,
     * and one that is throttled has waited long enough itself. */
    int failed = ioctl(fd, SNP_GET_DERIVED_KEY, &call);
    int why = errno;
    uint32_t status;
    memcpy(&status, resp.data, sizeof(status));
    if (!failed && status == 0)
        memcpy(key, resp.data + RESP_KEY_AT, 32);
    sodium_memzero(&resp, sizeof(resp));
    if (failed)
        return refused(why);
    if (status != 0)
        return rc_raise(RC_STORE, "sealing key: firmware status %u", status);
    return RC_OK;
}

#ifdef MPC_SIMULATED_TEE
#define SIM_MAGIC       "MPCSIM1\n"
#define SIM_OP_KEY      2
#define SIM_BODY_LEN    24
#define SIM_REQUEST_LEN (8 + 1 + 4 + SIM_BODY_LEN)
#define SIM_DEADLINE_MS 10000

static enum rc ask_simulator(uint8_t key[32], int fd, uint64_t tcb_version)
{
    uint8_t req[SIM_REQUEST_LEN];
    struct bytes_writer w = bytes_writer(req, sizeof(req));
    bytes_put(&w, SIM_MAGIC, 8);
    bytes_put_u8(&w, SIM_OP_KEY);
    bytes_put_u32(&w, SIM_BODY_LEN);
    bytes_put_u64(&w, MIX);
    bytes_put_u32(&w, 0); /* vmpl */
    bytes_put_u32(&w, 0); /* guest_svn, not mixed */
    bytes_put_u64(&w, tcb_version);
    TRY(bytes_written(&w));
    int64_t deadline = clock_mono_ms() + SIM_DEADLINE_MS;
    TRY(sock_write(fd, req, sizeof(req), deadline));

    uint8_t head[5];
    TRY(sock_read(fd, head, sizeof(head), deadline));
    struct bytes_reader r = bytes_reader(head, sizeof(head));
    unsigned status = bytes_get_u8(&r);
    uint32_t len = bytes_get_u32(&r);
    if (status != 0)
        return rc_raise(RC_STORE, "sealing key: simulator says %u", status);
    if (len != 32)
        return rc_raise(RC_STORE, "sealing key: %u bytes, want 32", len);
    return sock_read(fd, key, 32, deadline);
}
#endif

enum rc vault_guest_key(uint8_t key[32], const struct vault_config *config)
{
#ifdef MPC_SIMULATED_TEE
    if (config->test_seal_key) {
        memcpy(key, config->test_seal_key, 32);
        return RC_OK;
    }
    if (config->seal_fd >= 0 && config->seal_simulated)
        return ask_simulator(key, config->seal_fd, config->tcb_version);
#else
    if (config->test_seal_key || config->seal_simulated)
        return rc_raise(RC_INTERNAL, "sealing key: not in this build");
#endif
    if (config->seal_fd < 0)
        return rc_raise(RC_STORE, "sealing key: no guest device");
    return ask_device(key, config->seal_fd, config->tcb_version);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key derived by the guest's firmware, bound to chip, firmware level, guest
 * policy and measurement: what a daemon seals its own files with. The caller
 * wipes it. (The vault asks for its own by itself and sees none of this.)
 */
#include "attest/attest.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/sev-guest.h>

#include "attest/guest.h"
#include "attest/inner.h"
#include "base/bytes.h"

#define MIX          (GUEST_MIX_POLICY | GUEST_MIX_MEASUREMENT | GUEST_MIX_TCB)
#define KEY_AT       32    /* in snp_derived_key_resp.data */
#define COMMITTED_AT 0x1E0 /* in a report */

static enum rc sev_derive(uint8_t key[32], int fd, uint64_t tcb_version)
{
    struct snp_derived_key_req req = { .guest_field_select = MIX,
                                       .tcb_version = tcb_version };
    struct snp_derived_key_resp resp = { .data = { 0 } };
    struct snp_guest_request_ioctl call = {
        .msg_version = 1,
        .req_data = (uint64_t)(uintptr_t)&req,
        .resp_data = (uint64_t)(uintptr_t)&resp,
    };
    int failed = ioctl(fd, SNP_GET_DERIVED_KEY, &call);
    int why = errno;
    uint32_t status;
    memcpy(&status, resp.data, sizeof(status));
    if (!failed && status == 0)
        memcpy(key, resp.data + KEY_AT, 32);
    sodium_memzero(&resp, sizeof(resp));
    if (failed || status != 0)
        return rc_raise(RC_STORE, "derived key: %s, firmware status %u",
                        failed ? strerror(why) : "ok", status);
    return RC_OK;
}

#ifdef MPC_SIMULATED_TEE
static enum rc sim_derive(uint8_t key[32], int fd, uint64_t tcb_version)
{
    uint8_t what[GUEST_KEY_BODY];
    struct bytes_writer w = bytes_writer(what, sizeof(what));
    size_t len;
    bytes_put_u64(&w, MIX);
    bytes_put_u32(&w, 0); /* VMPL */
    bytes_put_u32(&w, 0); /* guest SVN, not mixed */
    bytes_put_u64(&w, tcb_version);
    TRY(bytes_written(&w));
    TRY(attest_sim_ask(key, GUEST_KEY_LEN, &len, fd, GUEST_OP_KEY, what,
                       sizeof(what)));
    return len == GUEST_KEY_LEN
                   ? RC_OK
                   : rc_raise(RC_STORE, "simulator: key of %zu bytes", len);
}
#endif

enum rc attest_guest_derive(uint8_t key[32], int fd, bool simulated,
                            uint64_t tcb_version)
{
#ifdef MPC_SIMULATED_TEE
    if (simulated)
        return sim_derive(key, fd, tcb_version);
#else
    if (simulated)
        return rc_raise(RC_ARG, "this build knows no simulated device");
#endif
    return sev_derive(key, fd, tcb_version);
}

static enum rc own_report(struct wire_evidence *e, struct attest_report *r,
                          int fd, bool simulated)
{
    static const uint8_t no_data[64];
    TRY(attest_guest_report(e, fd, simulated, no_data));
    return attest_report_parse(r, e->report.p, e->report.len);
}

enum rc attest_guest_committed_tcb(uint64_t *tcb, int fd, bool simulated)
{
    WIRE(evidence) e = { 0 };
    struct attest_report r;
    TRY(own_report(&e, &r, fd, simulated));
    uint64_t v = 0;
    for (unsigned i = 8; i-- > 0;) /* little-endian */
        v = v << 8 | e.report.p[COMMITTED_AT + i];
    *tcb = v;
    return RC_OK;
}

enum rc attest_guest_tcb_check(uint64_t tcb, int fd, bool simulated)
{
    WIRE(evidence) e = { 0 };
    struct attest_report r;
    enum attest_product product;
    TRY(own_report(&e, &r, fd, simulated));
    if (!attest_report_product(&product, &r))
        return rc_raise(RC_STORE, "seal level: this processor is unknown");
    /* byte 6 of a family 19h level, byte 3 of a family 1Ah one */
    unsigned snp = (unsigned)(tcb >> (product == ATTEST_TURIN ? 24 : 48)) &
                   0xff;
    if (snp >= attest_snp_floor(product))
        return RC_OK;
    return rc_raise(RC_STORE,
                    "seal level: SNP SPL %u, at least %u: firmware that can "
                    "be broken would derive this key",
                    snp, attest_snp_floor(product));
}

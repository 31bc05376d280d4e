/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the simulated device does wrong when it is told to, so that every
 * refusal of the verifier and every error of a device can be seen to happen.
 */
#include "attest/snpsim.h"

#include <stdlib.h>
#include <string.h>

#include "attest/guest.h"
#include "attest/layout.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/sock.h"

/* clang-format off */
const char snpsim_fault_help[] =
        "Faults, refused by whom for what; they add up until `none`:\n"
        "  throttle        device: busy, as after a minute of the kernel's\n"
        "  lost            device: ENOTTY; final for whoever hears it\n"
        "  other-data      device: the report is over other REPORT_DATA\n"
        "  stale-cert      B3: the VCEK is for another TCB than the reported\n"
        "  expired-cert    C6: the VCEK's time has passed\n"
        "  no-certs        C0: the host has no certificates\n"
        "  masked-chip     B4: CHIP_ID is zeros\n"
        "  debug           P3: the guest policy allows debugging\n"
        "  migrate         P4: the guest policy allows migration\n"
        "  product=NAME    C1..C5, B2: the report is milan's, genoa's, turin's\n"
        "  version=N       F2, P15: report version\n"
        "  vmpl=N          P5: a report from another privilege level\n"
        "  platform=HEX    P8: PLATFORM_INFO\n"
        "  none            all is well again; what is lost stays lost\n"
        "A revoked ASK (C7) is a list: mpc-snpsim crl DIR --revoke-ask\n";
/* clang-format on */

static const struct {
    const char *name;
    size_t at; /* of a bool */
} switches[] = {
    { "throttle", offsetof(struct snpsim_faults, throttle) },
    { "lost", offsetof(struct snpsim_faults, lost) },
    { "other-data", offsetof(struct snpsim_faults, other_data) },
    { "stale-cert", offsetof(struct snpsim_faults, stale_cert) },
    { "expired-cert", offsetof(struct snpsim_faults, old_cert) },
    { "no-certs", offsetof(struct snpsim_faults, no_certs) },
    { "masked-chip", offsetof(struct snpsim_faults, masked) },
};

static enum rc number(uint64_t *out, bool *has, const char *text,
                      const char *name, uint64_t max)
{
    if (enc_undec(out, text, strlen(text)) != RC_OK || *out > max)
        return rc_raise(RC_ARG, "fault %s: want a number to %llu", name,
                        (unsigned long long)max);
    *has = true;
    return RC_OK;
}

static enum rc platform(struct snpsim_faults *f, const char *text)
{
    char *end = NULL;
    size_t len = strlen(text);
    if (len == 0 || len > 16 || strspn(text, "0123456789abcdef") != len)
        return rc_raise(RC_ARG, "fault platform: want up to 16 hex digits");
    f->platform = strtoull(text, &end, 16);
    f->has_platform = true;
    return RC_OK;
}

static enum rc with_value(struct snpsim_faults *f, const char *word)
{
    const char *value = strchr(word, '=') + 1;
    if (strncmp(word, "version=", 8) == 0)
        return number(&f->version, &f->has_version, value, "version",
                      UINT32_MAX);
    if (strncmp(word, "vmpl=", 5) == 0)
        return number(&f->vmpl, &f->has_vmpl, value, "vmpl", UINT32_MAX);
    if (strncmp(word, "platform=", 9) == 0)
        return platform(f, value);
    if (strncmp(word, "product=", 8) == 0 &&
        (f->product = snpsim_product(value)))
        return RC_OK;
    return rc_raise(RC_ARG, "fault %.40s: unknown; see --help", word);
}

enum rc snpsim_fault_set(struct snpsim_faults *f, const char *word)
{
    struct snpsim_faults next = *f;
    for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++) {
        if (strcmp(word, switches[i].name) != 0)
            continue;
        *(bool *)((char *)f + switches[i].at) = true;
        return RC_OK;
    }
    if (strcmp(word, "none") == 0)
        next = (struct snpsim_faults){ 0 };
    else if (strcmp(word, "debug") == 0)
        next.policy |= SNP_POLICY_DEBUG;
    else if (strcmp(word, "migrate") == 0)
        next.policy |= SNP_POLICY_MIGRATE_MA;
    else if (strchr(word, '='))
        TRY(with_value(&next, word));
    else
        return rc_raise(RC_ARG, "fault %.40s: unknown; see --help", word);
    *f = next;
    return RC_OK;
}

enum rc snpsim_fault_send(const char *socket, const char *word)
{
    OWNED_FD fd = -1;
    uint8_t req[GUEST_HEAD_LEN + GUEST_BODY_MAX];
    struct bytes_writer w = bytes_writer(req, sizeof(req));
    bytes_put(&w, GUEST_MAGIC, GUEST_MAGIC_LEN);
    bytes_put_u8(&w, GUEST_OP_FAULT);
    bytes_put_lp32(&w, word, strlen(word));
    if (bytes_written(&w) != RC_OK)
        return rc_raise(RC_ARG, "fault %.40s: unknown; see --help", word);
    TRY(sock_unix_connect(&fd, socket));
    int64_t deadline = clock_mono_ms() + 10000;
    TRY(sock_write(fd, req, w.len, deadline));
    uint8_t head[GUEST_REPLY_HEAD];
    TRY(sock_read(fd, head, sizeof(head), deadline));
    return head[0] == GUEST_OK
                   ? RC_OK
                   : rc_raise(RC_ARG, "fault %.40s: the simulator refuses it",
                              word);
}

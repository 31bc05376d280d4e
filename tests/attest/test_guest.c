/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The /dev/sev-guest backend against a kernel played by this file: the
 * linker sends its ioctl() here (--wrap=ioctl). Report and certificates are
 * genuine, so what comes out goes through the whole verifier.
 */
#include "snpdata.h"

#include <errno.h>
#include <sys/ioctl.h>

#include <linux/sev-guest.h>

#include "attest/certs.h"
#include "base/hash.h"

static struct {
    struct wire_evidence evidence;
    uint8_t table[16384];
    uint32_t table_len;
    int calls;
    int error; /* of every call */
    uint32_t vmm;
    uint32_t status;
    uint32_t size;
} fake;

static void put_entry(uint8_t *p, const char *guid, size_t off, size_t len)
{
    for (size_t i = 0; i < 16; i++) {
        unsigned byte;
        assert_int_equal(sscanf(guid + 2 * i, "%2x", &byte), 1);
        p[i] = (uint8_t)byte;
    }
    for (unsigned i = 0; i < 4; i++) {
        p[16 + i] = (uint8_t)(off >> 8 * i);
        p[20 + i] = (uint8_t)(len >> 8 * i);
    }
}

/* At the start of each test: without data it is skipped there. */
static void load(void)
{
    memset(&fake, 0, sizeof(fake));
    fake.size = ATTEST_REPORT_LEN;
    struct wire_evidence *e = &fake.evidence;
    snp_file(&e->report, "reports/turin-v5-ms.bin", 0, ATTEST_REPORT_LEN);
    snp_file(&e->vek, "veks/turin-v5-ms.vcek.der", 0, 0);
    snp_chain(e, "amd/turin-ask-ark.pem");
    const struct {
        const char *guid;
        const struct wire_blob *blob;
    } rows[] = {
        { "63da758de6644564adc5f4b93be8accd", &e->vek },
        { "4ab7b379bbac4fe4a02f05aef327c782", &e->chain.at[0] },
        { "c0b406a4a803495297433fb6014cd0ae", &e->chain.at[1] },
    };
    size_t at = 4 * 24;
    for (size_t i = 0; i < 3; i++) {
        put_entry(fake.table + 24 * i, rows[i].guid, at, rows[i].blob->len);
        memcpy(fake.table + at, rows[i].blob->p, rows[i].blob->len);
        at += rows[i].blob->len;
    }
    fake.table_len = 8192;
    assert_true(at < fake.table_len);
}

static int unload(void **state)
{
    (void)state;
    wire_evidence_free(&fake.evidence);
    return 0;
}

static int fail_call(struct snp_guest_request_ioctl *io, int error,
                     uint32_t vmm)
{
    io->vmm_error = vmm;
    errno = error;
    return -1;
}

int __wrap_ioctl(int fd, unsigned long request, void *arg);

/* As the kernel answers SNP_GET_EXT_REPORT. */
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
    assert_int_equal(fd, 99);
    assert_int_equal(request, SNP_GET_EXT_REPORT);
    struct snp_guest_request_ioctl *io = arg;
    assert_int_equal(io->msg_version, 1);
    struct snp_ext_report_req *req = (void *)(uintptr_t)io->req_data;
    struct snp_report_resp *resp = (void *)(uintptr_t)io->resp_data;
    fake.calls++;
    for (size_t i = 0; i < sizeof(req->data.rsvd); i++)
        assert_int_equal(req->data.rsvd[i], 0);
    if (fake.error)
        return fail_call(io, fake.error, fake.vmm);
    if (req->certs_len < fake.table_len) {
        req->certs_len = fake.table_len;
        return fail_call(io, EIO, 1);
    }
    if (fake.table_len) {
        assert_int_equal(req->certs_address % 4096, 0);
        assert_int_equal(req->certs_len % 4096, 0);
        memcpy((void *)(uintptr_t)req->certs_address, fake.table,
               fake.table_len);
    }
    memcpy(resp->data, &fake.status, 4);
    memcpy(resp->data + 4, &fake.size, 4);
    memcpy(resp->data + 32, fake.evidence.report.p, ATTEST_REPORT_LEN);
    return 0;
}

static enum rc ask(struct wire_evidence *out)
{
    return attest_guest_report(out, 99, false, fake.evidence.report.p + 0x50);
}

static void report_and_certificates_come_in_two_calls(void **state)
{
    (void)state;
    load();
    WIRE(evidence) e = { 0 };
    assert_ok(ask(&e));
    assert_int_equal(fake.calls, 2);
    const struct attest_want want = { .min_version = 5, .peer = true };
    struct attest_verdict v;
    assert_ok(attest_verify(&v, &e, NULL, &want, 1795305600));
    assert_int_equal(v.product, ATTEST_TURIN);
}

static void host_without_certificates_needs_one_call(void **state)
{
    (void)state;
    load();
    WIRE(evidence) e = { 0 };
    fake.table_len = 0;
    assert_ok(ask(&e));
    assert_int_equal(fake.calls, 1);
    assert_int_equal(e.vek.len, 0);
    struct attest_verdict v;
    assert_rc(attest_verify(&v, &e, NULL, NULL, 1795305600), RC_ATTEST);
}

static void lost_key_is_said_and_not_asked_for_again(void **state)
{
    (void)state;
    load();
    WIRE(evidence) e = { 0 };
    fake.error = ENOTTY;
    assert_rc(ask(&e), RC_ATTEST);
    assert_non_null(strstr(rc_hint_text(), "relaunch"));
    assert_int_equal(fake.calls, 1);
}

static void other_failures_are_passed_on_once(void **state)
{
    (void)state;
    load();
    WIRE(evidence) e = { 0 };
    fake.error = ETIMEDOUT; /* throttled for a minute */
    fake.vmm = 2;
    assert_rc(ask(&e), RC_IO);
    fake.error = EIO;
    fake.vmm = 0;
    assert_rc(ask(&e), RC_IO);
    assert_int_equal(fake.calls, 2);
    assert_null(e.report.p);
}

static void answers_that_cannot_be_are_refused(void **state)
{
    (void)state;
    load();
    WIRE(evidence) e = { 0 };
    fake.table_len = ATTEST_TABLE_MAX + 4096;
    assert_rc(ask(&e), RC_TOO_LARGE);
    fake.table_len = 8192;
    fake.status = 0x16;
    assert_rc(ask(&e), RC_IO);
    fake.status = 0;
    fake.size = ATTEST_REPORT_LEN - 1;
    assert_rc(ask(&e), RC_IO);
    fake.size = ATTEST_REPORT_LEN;
    uint8_t other[64] = { 1 };
    assert_rc(attest_guest_report(&e, 99, false, other), RC_IO);
    memset(fake.table, 0x11, sizeof(fake.table));
    assert_rc(ask(&e), RC_TOO_LARGE);
    assert_null(e.report.p);
}

int main(void)
{
#define LOADED(f) cmocka_unit_test_teardown(f, unload)
    const struct CMUnitTest tests[] = {
        LOADED(report_and_certificates_come_in_two_calls),
        LOADED(host_without_certificates_needs_one_call),
        LOADED(lost_key_is_said_and_not_asked_for_again),
        LOADED(other_failures_are_passed_on_once),
        LOADED(answers_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

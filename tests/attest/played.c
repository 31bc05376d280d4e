/* SPDX-License-Identifier: Apache-2.0 */
#include "played.h"

#include "attest/backend.h"

const char *const played_guids[3] = { "63da758de6644564adc5f4b93be8accd",
                                      "4ab7b379bbac4fe4a02f05aef327c782",
                                      "c0b406a4a803495297433fb6014cd0ae" };

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

uint32_t played_table(uint8_t *out, const struct played_row *rows, size_t n)
{
    size_t at = 24 * (n + 1);
    memset(out, 0, at);
    for (size_t i = 0; i < n; i++) {
        put_entry(out + 24 * i, rows[i].guid, at, rows[i].blob->len);
        memcpy(out + at, rows[i].blob->p, rows[i].blob->len);
        at += rows[i].blob->len;
    }
    return (uint32_t)at;
}

void played_load(void)
{
    WIRE(evidence) e = { 0 };
    snp_file(&e.report, "reports/turin-v5-ms.bin", 0, ATTEST_REPORT_LEN);
    snp_file(&e.vek, "veks/turin-v5-ms.vcek.der", 0, 0);
    snp_chain(&e, "amd/turin-ask-ark.pem");
    memset(&shim, 0, sizeof(shim));
    shim.has_ioctl = true;
    shim.has_tsm = true;
    memcpy(shim.report, e.report.p, ATTEST_REPORT_LEN);
    const struct played_row rows[] = { { played_guids[0], &e.vek },
                                       { played_guids[1], &e.chain.at[0] },
                                       { played_guids[2], &e.chain.at[1] } };
    shim.table_len = played_table(shim.table, rows, 3);
    attest_guest_forget();
    attest_guest_pace(0);
}

const uint8_t *played_data(void)
{
    return shim.report + 0x50;
}

void played_verify(const struct wire_evidence *e)
{
    const struct attest_want want = { .min_version = 5, .peer = true };
    struct attest_verdict v;
    assert_ok(attest_verify(&v, e, NULL, &want, PLAYED_NOW));
    assert_int_equal(v.product, ATTEST_TURIN);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware level that keys are derived at: which one this machine has,
 * and whether one that a file names is good enough. Public data only.
 */
#include "attest/attest.h"

#include "attest/inner.h"

#define COMMITTED_AT 0x1E0 /* in a report */

static enum rc own_report(struct wire_evidence *e, struct attest_report *r,
                          struct attest_guest *g)
{
    static const uint8_t no_data[64];
    TRY(attest_guest_report(e, g, no_data));
    return attest_report_parse(r, e->report.p, e->report.len);
}

enum rc attest_guest_committed_tcb(uint64_t *tcb, struct attest_guest *g)
{
    WIRE(evidence) e = { 0 };
    struct attest_report r;
    TRY(own_report(&e, &r, g));
    uint64_t v = 0;
    for (unsigned i = 8; i-- > 0;) /* little-endian */
        v = v << 8 | e.report.p[COMMITTED_AT + i];
    *tcb = v;
    return RC_OK;
}

enum rc attest_guest_tcb_check(uint64_t tcb, struct attest_guest *g)
{
    WIRE(evidence) e = { 0 };
    struct attest_report r;
    enum attest_product product;
    TRY(own_report(&e, &r, g));
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

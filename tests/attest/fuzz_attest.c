/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything a stranger's evidence reaches: report, certificates, the host's
 * table. Nothing a fuzzer makes may verify.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attest/certs.h"
#include "attest/inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void try_vek(const uint8_t *data, size_t len)
{
    const unsigned char *p = data;
    X509 *cert = d2i_X509(NULL, &p, (long)len);
    struct attest_vek vek;
    if (cert && attest_vek_read(&vek, cert) == RC_OK)
        assert(vek.hwid_len <= sizeof(vek.hwid) && vek.version <= 1);
    X509_free(cert);
}

/* The report first, then the VEK, the whole also as a chain. */
static void try_verify(const uint8_t *data, size_t len)
{
    size_t cut = len < ATTEST_REPORT_LEN ? len : ATTEST_REPORT_LEN;
    uint8_t *copy = malloc(len ? len : 1);
    assert(copy);
    memcpy(copy, data, len);
    struct wire_blob chain[2] = { { copy, len }, { copy + cut, len - cut } };
    struct wire_evidence e = { .report = { copy, cut },
                               .vek = { copy + cut, len - cut } };
    e.chain.at = chain;
    e.chain.n = 2;
    struct attest_verdict v;
    enum rc rc = attest_verify(&v, &e, NULL, NULL, 1795305600);
    assert(rc == RC_ATTEST && !v.ok);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1 || len > 65536)
        return 0;
    struct attest_report r;
    struct wire_evidence e = { 0 };
    switch (data[0] % 4) {
    case 0:
        (void)!attest_report_parse(&r, data + 1, len - 1);
        break;
    case 1:
        try_vek(data + 1, len - 1);
        break;
    case 2:
        (void)!attest_certs_take(&e, data + 1, len - 1);
        wire_evidence_free(&e);
        break;
    default:
        try_verify(data + 1, len - 1);
    }
    return 0;
}

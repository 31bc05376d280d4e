/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything a stranger's evidence reaches: report, certificates, the host's
 * table, Azure's blob, Nitro documents; and the policy file. Nothing a fuzzer makes may verify.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attest/certs.h"
#include "attest/inner.h"
#include "attest/layout.h"

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

/* What is read lies inside; rows are judged of any bytes. */
static void try_hcl(const uint8_t *data, size_t len)
{
    static const uint8_t nothing[ATTEST_REPORT_LEN];
    uint8_t *copy = malloc(len ? len : 1);
    assert(copy);
    memcpy(copy, data, len);
    struct attest_hcl hcl;
    enum rc rc = attest_hcl_read(&hcl, copy, len);
    if (rc == RC_OK) {
        assert(hcl.report >= copy &&
               hcl.report + ATTEST_REPORT_LEN <= copy + len);
        assert(hcl.data > hcl.report && hcl.data + hcl.data_len <= copy + len);
    }
    struct attest_verdict v;
    memset(&v, 0, sizeof(v));
    attest_report_read(&v.report, rc == RC_OK ? hcl.report : nothing);
    const struct wire_blob blob = { copy, len };
    attest_hcl_judge(&v, rc == RC_OK ? hcl.report : nothing, &blob);
    assert(v.n_checks == 3 && v.check[0].ok == (rc == RC_OK));
    free(copy);
}

static void whole_certificate(const struct wire_blob *der)
{
    const unsigned char *p = der->p;
    assert(der->len > 0 && der->len <= ATTEST_CERT_MAX);
    X509 *cert = d2i_X509(NULL, &p, (long)der->len);
    assert(cert && p == der->p + der->len);
    X509_free(cert);
}

/* The host's table, behind a report by a VCEK and one by a VLEK: what comes
 * out of it is whole certificates. */
static void try_table(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    assert(copy);
    memcpy(copy, data, len);
    for (unsigned vlek = 0; vlek < 2; vlek++) {
        uint8_t report[ATTEST_REPORT_LEN] = { 0 };
        struct wire_evidence e = { 0 };
        report[SNP_KEY_INFO] = (uint8_t)(vlek << 2);
        if (wire_blob_set(&e.report, report, sizeof(report)) != RC_OK)
            abort();
        if (attest_certs_take(&e, copy, len) == RC_OK) {
            if (e.vek.p)
                whole_certificate(&e.vek);
            assert(e.chain.n <= 2);
            for (size_t i = 0; i < e.chain.n; i++)
                whole_certificate(&e.chain.at[i]);
        }
        wire_evidence_free(&e);
    }
    free(copy);
}

/* A policy that was read holds only what a judge can count by. */
static void try_rules(const uint8_t *data, size_t len)
{
    struct attest_rules r;
    if (attest_rules_parse(&r, data, len) != RC_OK)
        return;
    assert(attest_rules_is(data, len));
    assert(r.min_version >= 2 && r.min_version <= 5);
    assert(r.n_chips <= ATTEST_MAX_PINS && r.n_id_keys <= ATTEST_MAX_PINS &&
           r.n_author_keys <= ATTEST_MAX_PINS);
    assert(r.product[0].allowed || r.product[1].allowed ||
           r.product[2].allowed);
    assert(!(r.policy.set & r.policy.clear) &&
           !(r.platform.set & r.platform.clear));
    assert(memchr(r.csp_id, 0, sizeof(r.csp_id)));
    struct attest_verdict v;
    memset(&v, 0, sizeof(v));
    attest_floors_judge(&v, &r);
    assert(v.n_checks > 0 && v.n_checks < ATTEST_MAX_CHECKS);
}

/* Neither a document nor the CBOR in it is trusted to be one. */
static void try_nitro(const uint8_t *data, size_t len)
{
    struct attest_verdict v;
    struct attest_nitro n;
    uint8_t *copy = malloc(len ? len : 1);
    assert(copy);
    memcpy(copy, data, len);
    const struct wire_blob doc = { copy, len };
    enum rc rc = attest_nitro_verify(&v, &n, &doc, NULL, 1795305600);
    assert(rc == RC_ATTEST && !v.ok);
    const struct wire_blob *fields[] = { &n.public_key, &n.user_data,
                                         &n.nonce };
    for (unsigned i = 0; i < 3; i++)
        assert(!fields[i]->p || (fields[i]->p >= copy &&
                                 fields[i]->p + fields[i]->len <= copy + len));
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1 || len > 65536)
        return 0;
    struct attest_report r;
    switch (data[0] % 7) {
    case 0:
        (void)!attest_report_parse(&r, data + 1, len - 1);
        break;
    case 1:
        try_vek(data + 1, len - 1);
        break;
    case 2:
        try_table(data + 1, len - 1);
        break;
    case 3:
        try_verify(data + 1, len - 1);
        break;
    case 4:
        try_hcl(data + 1, len - 1);
        break;
    case 5:
        try_rules(data + 1, len - 1);
        break;
    default:
        try_nitro(data + 1, len - 1);
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where AMD's key distribution service keeps the certificates of a report.
 * It is asked by whoever runs us, never by us.
 */
#include "cli/attest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

#define KDS              "https://kdsintf.amd.com"
#define KEY_SIGNER(info) ((info) >> 2 & 7)
#define TURIN_HWID       8

/* The product as C1 sees it; NULL: version 2 does not say. */
static enum rc product_of(const char **out, const struct wire_blob *report)
{
    static const char *const products[] = { "Milan", "Genoa", "Turin" };
    OWNED_MEM struct attest_verdict *v = calloc(1, sizeof(*v));
    if (!v)
        return rc_raise(RC_NOMEM, "verdict: out of memory");
    struct wire_evidence e = { .report = *report };
    (void)!attest_verify(v, &e, NULL, NULL, 0);
    *out = NULL;
    for (unsigned i = 0; i < v->n_checks; i++)
        if (strcmp(v->check[i].id, "C1") == 0 && v->check[i].ok)
            *out = products[v->product];
    return RC_OK;
}

static bool masked(const uint8_t chip[64])
{
    static const uint8_t zeros[64];
    return memcmp(chip, zeros, sizeof(zeros)) == 0;
}

/* By the reported TCB: the one that its key is derived for. */
static void vcek_url(char out[CLI_URL_MAX], const struct attest_report *r,
                     const char *product)
{
    bool turin = strcmp(product, "Turin") == 0;
    char hwid[ENC_HEX_SIZE(64)];
    char fmc[16] = "";
    const struct attest_tcb *t = &r->reported;
    enc_hex(hwid, r->chip_id, turin ? TURIN_HWID : 64);
    if (turin)
        snprintf(fmc, sizeof(fmc), "fmcSPL=%u&", t->fmc);
    snprintf(out, CLI_URL_MAX,
             KDS "/vcek/v1/%s/%s?%sblSPL=%u&teeSPL=%u&snpSPL=%u&ucodeSPL=%u",
             product, hwid, fmc, t->bl, t->tee, t->snp, t->ucode);
}

enum rc cli_kds_read(struct cli_kds *out, const struct wire_blob *report)
{
    struct attest_report r;
    const char *product = NULL;
    struct cli_kds k = { 0 };
    TRY(attest_report_parse(&r, report->p, report->len));
    TRY(product_of(&product, report));
    k.vlek = KEY_SIGNER(r.key_info) == 1;
    const char *kind = k.vlek ? "vlek" : "vcek";
    if (!product)
        k.why = "the report does not say its product: version 2 of it has no "
                "such field";
    else if (k.vlek)
        k.why = "a VLEK comes from the cloud provider, with the report: ask "
                "it why its host gives none";
    else if (masked(r.chip_id))
        k.why = "the host masks the chip id: only it can give the VCEK";
    else
        vcek_url(k.vek, &r, product);
    if (product) {
        snprintf(k.chain, sizeof(k.chain), KDS "/%s/v1/%s/cert_chain", kind,
                 product);
        snprintf(k.crl, sizeof(k.crl), KDS "/vcek/v1/%s/crl", product);
    }
    *out = k;
    return RC_OK;
}

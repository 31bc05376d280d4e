/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vTPM's quote and the blob that names its key. What our reader takes,
 * libtss2 reads alike; and near a quote that stands, made by a TPM that is no
 * more, no other stands.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tss2/tss2_mu.h>

#include "attest/inner.h"
#include "base/file.h"

enum part { HCL, QUOTE, SIGNATURE, N_PARTS };

static struct wire_blob genuine[N_PARTS];
static struct attest_hcl genuine_hcl;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* u16be length and bytes of each. */
static bool split(struct wire_blob out[N_PARTS], uint8_t *p, size_t len)
{
    size_t at = 0;
    for (unsigned i = 0; i < N_PARTS; i++) {
        if (len - at < 2)
            return false;
        size_t n = (size_t)p[at] << 8 | p[at + 1];
        at += 2;
        if (n > len - at)
            return false;
        out[i] = (struct wire_blob){ p + at, n };
        at += n;
    }
    return at == len;
}

/* Every row of blob and quote holds; nobody asks who signed the report. */
static bool stands(const struct wire_blob part[N_PARTS])
{
    static uint8_t nothing[ATTEST_REPORT_LEN];
    uint8_t data[64];
    uint8_t genesis[32];
    struct attest_hcl hcl;
    memset(data, 0xA5, sizeof(data));
    memset(genesis, 0x5A, sizeof(genesis));
    bool read = attest_hcl_read(&hcl, part[HCL].p, part[HCL].len) == RC_OK;
    const struct wire_evidence e = {
        .report = { read ? part[HCL].p + (hcl.report - part[HCL].p) : nothing,
                    ATTEST_REPORT_LEN },
        .hcl = part[HCL],
        .quote = part[QUOTE],
        .quote_signature = part[SIGNATURE],
    };
    const struct attest_want want = { .report_data = data,
                                      .host_data = genesis };
    struct attest_verdict v;
    enum rc rc = attest_verify(&v, &e, NULL, &want, 1795305600);
    assert(rc == RC_ATTEST && !v.ok); /* there is no VEK */
    unsigned held = 0;
    bool p2 = false;
    for (unsigned i = 0; i < v.n_checks; i++) {
        held += v.check[i].id[0] == 'H' && v.check[i].ok;
        p2 |= strcmp(v.check[i].id, "P2") == 0 && v.check[i].ok;
    }
    assert(!attest_quote_is(&e) || p2 == (held == 5));
    return held == 5;
}

/* What we read of it, read by others. */
static void compare(const struct wire_blob *b)
{
    struct attest_quote q;
    TPMS_ATTEST said;
    size_t at = 0;
    if (attest_quote_read(&q, b->p, b->len) != RC_OK)
        return;
    TSS2_RC r = Tss2_MU_TPMS_ATTEST_Unmarshal(b->p, b->len, &at, &said);
    assert(r == TSS2_RC_SUCCESS && at == b->len);
    assert(said.type == TPM2_ST_ATTEST_QUOTE);
    const TPMS_QUOTE_INFO *info = &said.attested.quote;
    assert(said.extraData.size == q.extra_len &&
           memcmp(said.extraData.buffer, q.extra, q.extra_len) == 0);
    assert(info->pcrDigest.size == q.pcr_digest_len &&
           memcmp(info->pcrDigest.buffer, q.pcr_digest, q.pcr_digest_len) == 0);
    assert(info->pcrSelect.count == q.n_banks);
    assert(said.clockInfo.clock == q.clock_ms && said.clockInfo.safe == q.safe);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    setenv("TSS2_LOG", "all+NONE", 1);
    static uint8_t *bytes; /* kept: genuine points into it */
    size_t len;
    if (file_read(&bytes, &len, MPC_SOURCE_DIR "/tests/fuzz/seeds/quote/whole",
                  65536) != RC_OK)
        abort();
    assert(split(genuine, bytes, len));
    assert(attest_hcl_read(&genuine_hcl, genuine[HCL].p, genuine[HCL].len) ==
           RC_OK);
    assert(stands(genuine));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct wire_blob part[N_PARTS];
    struct attest_hcl hcl;
    if (len > 65536)
        return 0;
    uint8_t *copy = malloc(len ? len : 1);
    assert(copy);
    memcpy(copy, data, len);
    const struct wire_blob all = { copy, len };
    compare(&all);
    if (split(part, copy, len)) {
        compare(&part[QUOTE]);
        if (stands(part)) {
            assert(attest_hcl_read(&hcl, part[HCL].p, part[HCL].len) == RC_OK);
            assert(hcl.data_len == genuine_hcl.data_len &&
                   memcmp(hcl.data, genuine_hcl.data, hcl.data_len) == 0);
            for (unsigned i = QUOTE; i < N_PARTS; i++)
                assert(part[i].len == genuine[i].len &&
                       memcmp(part[i].p, genuine[i].p, part[i].len) == 0);
        }
    }
    free(copy);
    return 0;
}

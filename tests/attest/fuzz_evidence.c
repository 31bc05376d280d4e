/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole evidence that verifies, made with keys that nobody kept, and what is
 * near it: whatever differs from it in a byte that counts must be refused.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attest/inner.h"
#include "base/file.h"
#include "base/hash.h"

#define NOW_S 1795655784 /* a minute after it was made */

enum part { REPORT, VEK, ASK, ARK, CRL, N_PARTS };

static struct wire_blob genuine[N_PARTS];
static struct attest_roots roots = { .allow_simulated = true };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The report, then u16be length and bytes of each certificate and the CRL. */
static bool split(struct wire_blob out[N_PARTS], uint8_t *p, size_t len)
{
    if (len < ATTEST_REPORT_LEN)
        return false;
    out[REPORT] = (struct wire_blob){ p, ATTEST_REPORT_LEN };
    size_t at = ATTEST_REPORT_LEN;
    for (unsigned i = VEK; i < N_PARTS; i++) {
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

static bool verifies(const struct wire_blob part[N_PARTS])
{
    struct wire_blob chain[2] = { part[ASK], part[ARK] };
    struct wire_evidence e = { .report = part[REPORT], .vek = part[VEK] };
    e.chain.at = chain;
    e.chain.n = 2;
    const struct attest_want want = { .peer = true,
                                      .crl = &part[CRL],
                                      .need_crl = true };
    struct attest_verdict v;
    enum rc rc = attest_verify(&v, &e, &roots, &want, NOW_S);
    assert(v.ok == (rc == RC_OK));
    assert(!v.ok || v.simulated);
    return v.ok;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    static uint8_t *bytes; /* kept: genuine points into it */
    size_t len;
    if (file_read(&bytes, &len,
                  MPC_SOURCE_DIR "/tests/fuzz/seeds/evidence/whole",
                  65536) != RC_OK)
        abort();
    assert(split(genuine, bytes, len));
    hash256(roots.simulated_ark, genuine[ARK].p, genuine[ARK].len);
    assert(verifies(genuine));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct wire_blob part[N_PARTS];
    if (len > 65536)
        return 0;
    uint8_t *copy = malloc(len ? len : 1);
    assert(copy);
    memcpy(copy, data, len);
    if (split(part, copy, len) && verifies(part)) {
        for (unsigned i = 0; i < N_PARTS; i++)
            assert(part[i].len == genuine[i].len &&
                   memcmp(part[i].p, genuine[i].p, part[i].len) == 0);
    }
    free(copy);
    return 0;
}

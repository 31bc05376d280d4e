/* SPDX-License-Identifier: Apache-2.0 */
/*
 * P1..P15: what a genuine report must say to be wanted. No debug and no
 * migration are always judged; no caller can switch them off. Public data
 * only.
 */
#include "attest/inner.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "attest/layout.h"
#include "base/enc.h"

/* As many allowed hashes as the row holds. */
static void hashes_text(char *out, size_t size, const uint8_t (*h)[32],
                        unsigned n)
{
    const unsigned shown = n < 2 ? n : 2;
    char hex[ENC_HEX_SIZE(32)];
    size_t at = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < shown; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? "," : "",
                               enc_hex(hex, h[i], 32));
    if (n == 0)
        snprintf(out, size, "none: the allowed set is empty");
    else if (n > shown)
        snprintf(out + at, size - at, " and %u more", n - shown);
}

static void mark_measurement(struct attest_verdict *v, const uint8_t (*set)[32],
                             unsigned n)
{
    uint8_t hash[32];
    attest_policy_hash(hash, v->report.measurement);
    int hits = 0;
    for (unsigned i = 0; i < n; i++)
        hits |= sodium_memcmp(hash, set[i], 32) == 0;
    char expected[160];
    char hex[ENC_HEX_SIZE(32)];
    hashes_text(expected, sizeof(expected), set, n);
    attest_mark(v, "P1", "measurement hash", hits != 0, expected, "%s",
                enc_hex(hex, hash, 32));
}

/* What the policy lists for the roles asked for. */
static void mark_measurements_of(struct attest_verdict *v,
                                 const struct attest_rules *rules,
                                 unsigned roles)
{
    uint8_t set[3 * ATTEST_MAX_HASHES][32];
    unsigned n = 0;
    for (unsigned k = 0; k < 3; k++) {
        if (roles && !(roles >> k & 1))
            continue;
        memcpy(set[n], rules->measurement[k], rules->n_measurements[k] * 32);
        n += rules->n_measurements[k];
    }
    mark_measurement(v, (const uint8_t(*)[32])set, n);
}

void attest_mark_equal(struct attest_verdict *v, const char *id,
                       const char *what, const uint8_t *want,
                       const uint8_t *got, size_t len)
{
    if (!want)
        return;
    char a[ENC_HEX_SIZE(64)];
    char b[ENC_HEX_SIZE(64)];
    attest_mark(v, id, what, sodium_memcmp(want, got, len) == 0,
                enc_hex(a, want, len), "%s", enc_hex(b, got, len));
}

static void mark_migration(struct attest_verdict *v, const uint8_t *raw)
{
    uint8_t none[32];
    memset(none, 0xFF, sizeof(none));
    bool agent = memcmp(raw + SNP_REPORT_ID_MA, none, sizeof(none)) != 0;
    bool bit = v->report.policy & SNP_POLICY_MIGRATE_MA;
    attest_mark(v, "P4", "no migration", !bit && !agent,
                "MIGRATE_MA 0, REPORT_ID_MA all ff", "MIGRATE_MA %d, %s", bit,
                agent ? "bound to an agent" : "no agent");
}

/* P5 and P6, the rules between our own daemons. */
/* AMD-SB-3019: below these the microcode signature can be forged */
unsigned attest_snp_floor(enum attest_product product)
{
    return product == ATTEST_MILAN ? 0x18 : product == ATTEST_GENOA ? 0x17 : 0;
}

static void mark_peer(struct attest_verdict *v, const struct attest_want *by)
{
    const struct attest_report *r = &v->report;
    if (!(by->rules && by->rules->vmpls) &&
        !(by->rules_too && by->rules_too->vmpls))
        attest_mark(v, "P5", "VMPL", r->vmpl == 0, "0", "%u", r->vmpl);
    unsigned floor = attest_snp_floor(v->product);
    char want[32];
    snprintf(want, sizeof(want), "SNP SPL >= %u", floor);
    attest_mark(v, "P6", "TCB floor",
                r->reported.snp >= floor && r->committed.snp >= floor, want,
                "reported %u, committed %u", r->reported.snp, r->committed.snp);
}

/* P8: bits AMD gave a meaning after this was written fail nothing here,
 * unless the deployment's policy says so. */
static void mark_unknown_bits(struct attest_verdict *v, bool strict)
{
    uint64_t info = v->report.platform_info;
    uint64_t unknown = info & ~SNP_PLATFORM_KNOWN;
    attest_mark(v, "P8", "unknown platform bits", !unknown || !strict, "none",
                "0x%llx of 0x%llx", (unsigned long long)unknown,
                (unsigned long long)info);
    if (unknown)
        attest_warn(v);
}

static void mark_policy(struct attest_verdict *v,
                        const struct attest_rules *rules, unsigned roles)
{
    if (rules && rules->has_measurements)
        mark_measurements_of(v, rules, roles);
    if (rules)
        attest_floors_judge(v, rules);
}

static bool strict(const struct attest_rules *rules)
{
    return rules && rules->platform_strict;
}

static uint32_t least(uint32_t min, const struct attest_rules *rules)
{
    return rules && rules->min_version > min ? rules->min_version : min;
}

void attest_rules_judge(struct attest_verdict *v, const uint8_t *raw,
                        const struct attest_want *want)
{
    const struct attest_report *r = &v->report;
    if (want->hashes)
        mark_measurement(v, want->hashes, want->n_hashes);
    attest_mark_equal(v, "P2", "report data", want->report_data, r->report_data,
                      64);
    attest_mark(v, "P3", "no debug", !(r->policy & SNP_POLICY_DEBUG), "DEBUG 0",
                "DEBUG %d", (r->policy & SNP_POLICY_DEBUG) != 0);
    mark_migration(v, raw);
    if (want->peer)
        mark_peer(v, want);
    mark_unknown_bits(v, strict(want->rules) || strict(want->rules_too));
    attest_mark_equal(v, "P9", "host data", want->host_data, r->host_data, 32);
    mark_policy(v, want->rules, want->roles);
    mark_policy(v, want->rules_too, want->roles);
    uint32_t min = want->min_version ? want->min_version : 3;
    min = least(least(min, want->rules), want->rules_too);
    char expected[32];
    snprintf(expected, sizeof(expected), ">= %u", min);
    attest_mark(v, "P15", "minimum version", r->version >= min, expected, "%u",
                r->version);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report's bytes: fields by an offset table and the format checks F1..F7.
 * Public data only.
 */
#include "attest/inner.h"

#include <stdio.h>
#include <string.h>

#include "attest/layout.h"

static uint64_t le(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | p[n];
    return v;
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)le(p, 4);
}

static bool all(const uint8_t *p, size_t len, uint8_t value)
{
    uint8_t diff = 0;
    for (size_t i = 0; i < len; i++)
        diff |= (uint8_t)(p[i] ^ value);
    return diff == 0;
}

/* Family 1Ah moved every component and put the FMC first. */
static struct attest_tcb tcb(const uint8_t *p, bool turin)
{
    if (turin)
        return (struct attest_tcb){
            .fmc = p[0], .bl = p[1], .tee = p[2], .snp = p[3], .ucode = p[7]
        };
    return (struct attest_tcb){
        .bl = p[0], .tee = p[1], .snp = p[6], .ucode = p[7]
    };
}

/* Build, minor, major: in that order. */
static struct attest_firmware firmware(const uint8_t *p)
{
    return (struct attest_firmware){ .build = p[0],
                                     .minor = p[1],
                                     .major = p[2] };
}

void attest_report_read(struct attest_report *out, const uint8_t *raw)
{
    struct attest_report r = {
        .version = le32(raw + SNP_VERSION),
        .guest_svn = le32(raw + SNP_GUEST_SVN),
        .policy = le(raw + SNP_POLICY, 8),
        .vmpl = le32(raw + SNP_VMPL),
        .platform_info = le(raw + SNP_PLATFORM_INFO, 8),
        .key_info = le32(raw + SNP_KEY_INFO),
    };
    memcpy(r.report_data, raw + SNP_REPORT_DATA, sizeof(r.report_data));
    memcpy(r.measurement, raw + SNP_MEASUREMENT, sizeof(r.measurement));
    memcpy(r.host_data, raw + SNP_HOST_DATA, sizeof(r.host_data));
    memcpy(r.chip_id, raw + SNP_CHIP_ID, sizeof(r.chip_id));
    memcpy(r.report_id, raw + SNP_REPORT_ID, sizeof(r.report_id));
    memcpy(r.report_id_ma, raw + SNP_REPORT_ID_MA, sizeof(r.report_id_ma));
    memcpy(r.family_id, raw + SNP_FAMILY_ID, sizeof(r.family_id));
    memcpy(r.image_id, raw + SNP_IMAGE_ID, sizeof(r.image_id));
    memcpy(r.id_key, raw + SNP_ID_KEY_DIGEST, sizeof(r.id_key));
    memcpy(r.author_key, raw + SNP_AUTHOR_DIGEST, sizeof(r.author_key));
    r.fw_current = firmware(raw + SNP_CURRENT_BUILD);
    r.fw_committed = firmware(raw + SNP_COMMITTED_BUILD);
    r.mit_launch = r.version >= 5 ? le(raw + SNP_LAUNCH_MIT, 8) : 0;
    r.mit_current = r.version >= 5 ? le(raw + SNP_CURRENT_MIT, 8) : 0;
    r.has_fms = r.version >= 3;
    if (r.has_fms) {
        r.family = raw[SNP_FMS];
        r.model = raw[SNP_FMS + 1];
        r.stepping = raw[SNP_FMS + 2];
    }
    bool turin = r.has_fms && r.family >= 0x1A;
    r.current = tcb(raw + SNP_CURRENT_TCB, turin);
    r.reported = tcb(raw + SNP_REPORTED_TCB, turin);
    r.committed = tcb(raw + SNP_COMMITTED_TCB, turin);
    r.launch = tcb(raw + SNP_LAUNCH_TCB, turin);
    *out = r;
}

bool attest_report_product(enum attest_product *out,
                           const struct attest_report *r)
{
    static const struct {
        uint8_t family, from, to;
        enum attest_product product;
    } rows[] = {
        { 0x19, 0x00, 0x0F, ATTEST_MILAN },
        { 0x19, 0x10, 0x1F, ATTEST_GENOA },
        { 0x19, 0xA0, 0xAF, ATTEST_GENOA },
        { 0x1A, 0x00, 0x11, ATTEST_TURIN },
    };
    for (size_t i = 0; r->has_fms && i < sizeof(rows) / sizeof(*rows); i++) {
        if (r->family == rows[i].family && r->model >= rows[i].from &&
            r->model <= rows[i].to) {
            *out = rows[i].product;
            return true;
        }
    }
    return false;
}

const char *attest_product_name(enum attest_product p)
{
    static const char *const names[] = { [ATTEST_MILAN] = "Milan",
                                         [ATTEST_GENOA] = "Genoa",
                                         [ATTEST_TURIN] = "Turin" };
    return names[p];
}

void attest_tcb_text(char *out, size_t size, const struct attest_tcb *t)
{
    snprintf(out, size, "fmc=%u bl=%u tee=%u snp=%u ucode=%u", t->fmc, t->bl,
             t->tee, t->snp, t->ucode);
}

bool attest_tcb_le(const struct attest_tcb *a, const struct attest_tcb *b)
{
    return a->fmc <= b->fmc && a->bl <= b->bl && a->tee <= b->tee &&
           a->snp <= b->snp && a->ucode <= b->ucode;
}

/* Must be zero in these versions. The reserved TCB bytes are in tcb_rows. */
static const struct {
    uint16_t off, len;
    uint8_t from, to;
} zero_rows[] = {
    { 0x04C, 4, 2, 5 },   { 0x188, 24, 2, 2 },     { 0x18B, 21, 3, 5 },
    { 0x1EB, 1, 2, 5 },   { 0x1EF, 1, 2, 5 },      { 0x1F8, 168, 2, 4 },
    { 0x208, 152, 5, 5 }, { SNP_TAIL, 368, 2, 5 },
};
static const uint16_t tcb_rows[] = { SNP_CURRENT_TCB, SNP_REPORTED_TCB,
                                     SNP_COMMITTED_TCB, SNP_LAUNCH_TCB };

/* Offset of the first reserved byte that is not zero; -1: none. */
static int stray(const struct attest_report *r, const uint8_t *raw)
{
    for (size_t i = 0; i < sizeof(zero_rows) / sizeof(*zero_rows); i++) {
        if (r->version >= zero_rows[i].from && r->version <= zero_rows[i].to &&
            !all(raw + zero_rows[i].off, zero_rows[i].len, 0))
            return zero_rows[i].off;
    }
    bool turin = r->family >= 0x1A;
    for (size_t i = 0; i < sizeof(tcb_rows) / sizeof(*tcb_rows); i++) {
        int off = tcb_rows[i] + (turin ? 4 : 2);
        if (!all(raw + off, turin ? 3 : 4, 0))
            return off;
    }
    return -1;
}

static void mark_stray(struct attest_verdict *v, const uint8_t *raw)
{
    int off = stray(&v->report, raw);
    if (off < 0)
        attest_mark(v, "F4", "reserved bytes", true, "zero", "zero");
    else
        attest_mark(v, "F4", "reserved bytes", false, "zero",
                    "not zero in the field at 0x%03x", (unsigned)off);
}

static void mark_key_info(struct attest_verdict *v)
{
    uint32_t info = v->report.key_info;
    uint32_t signer = SNP_KEY_SIGNER(info);
    bool ok = (signer == SNP_KEY_VCEK || signer == SNP_KEY_VLEK) &&
              !(info & SNP_KEY_MASKED) && info >> 5 == 0;
    attest_mark(v, "F6", "signing key", ok,
                "VCEK (0) or VLEK (1), not masked, rest zero",
                "KEY_INFO 0x%08x: signer %u%s", info, signer,
                info & SNP_KEY_MASKED ? ", masked" : "");
}

static bool scalar_fits(const uint8_t *p)
{
    return all(p + SNP_SIG_USED, SNP_SIG_FIELD - SNP_SIG_USED, 0) &&
           !all(p, SNP_SIG_USED, 0);
}

void attest_report_format(struct attest_verdict *v, const uint8_t *raw)
{
    const struct attest_report *r = &v->report;
    attest_mark(v, "F2", "report version",
                r->version >= SNP_VERSION_MIN && r->version <= SNP_VERSION_MAX,
                "2..5", "%u", r->version);
    attest_mark(v, "F3", "policy word",
                (r->policy & SNP_POLICY_RESERVED_1) &&
                        !(r->policy & ~SNP_POLICY_KNOWN),
                "bit 17 one, bits 63:26 zero", "0x%llx",
                (unsigned long long)r->policy);
    mark_stray(v, raw);
    uint32_t algo = le32(raw + SNP_SIGNATURE_ALGO);
    attest_mark(v, "F5", "signature algorithm", algo == 1,
                "1 (ECDSA P-384, SHA-384)", "%u", algo);
    mark_key_info(v);
    bool fits = scalar_fits(raw + SNP_SIG_R) && scalar_fits(raw + SNP_SIG_S);
    attest_mark(v, "F7", "signature encoding", fits,
                "r and s not zero, upper 24 bytes zero", "%s",
                fits ? "so" : "not so");
}

enum rc attest_report_parse(struct attest_report *out, const uint8_t *raw,
                            size_t len)
{
    if (len != ATTEST_REPORT_LEN)
        return rc_raise(RC_PARSE, "F1 report: %zu bytes, want %u", len,
                        ATTEST_REPORT_LEN);
    struct attest_verdict v = { 0 };
    attest_report_read(&v.report, raw);
    attest_report_format(&v, raw);
    for (unsigned i = 0; i < v.n_checks; i++) {
        if (!v.check[i].ok)
            return rc_raise(RC_PARSE, "%s %s: want %s, got %s", v.check[i].id,
                            v.check[i].what, v.check[i].expected,
                            v.check[i].actual);
    }
    *out = v.report;
    return RC_OK;
}

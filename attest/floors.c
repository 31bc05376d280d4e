/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows that a deployment's attestation policy adds: product, firmware
 * floors, bits, pins. What it does not speak of gets no row. Public data only.
 */
#include "attest/inner.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "attest/bits.h"
#include "attest/layout.h"
#include "base/enc.h"

/* P14 */
static void mark_product(struct attest_verdict *v,
                         const struct attest_rules *rules)
{
    char want[64] = "";
    for (unsigned i = 0; i < 3; i++) {
        size_t at = strlen(want);
        if (rules->product[i].allowed)
            snprintf(want + at, sizeof(want) - at, "%s%s", at ? ", " : "",
                     attest_product_name(i));
    }
    attest_mark(v, "P14", "allowed product", rules->product[v->product].allowed,
                want, "%s", attest_product_name(v->product));
}

static void mark_tcb(struct attest_verdict *v, const char *what, bool has,
                     const struct attest_tcb *floor,
                     const struct attest_tcb *got)
{
    char a[64];
    char b[64];
    char want[80];
    if (!has)
        return;
    attest_tcb_text(a, sizeof(a), floor);
    attest_tcb_text(b, sizeof(b), got);
    snprintf(want, sizeof(want), "at least %s", a);
    attest_mark(v, "P6", what, attest_tcb_le(floor, got), want, "%s", b);
}

static bool firmware_le(const struct attest_firmware *a,
                        const struct attest_firmware *b)
{
    if (a->major != b->major)
        return a->major < b->major;
    if (a->minor != b->minor)
        return a->minor < b->minor;
    return a->build <= b->build;
}

/* P7 */
static void mark_firmware(struct attest_verdict *v,
                          const struct attest_firmware *floor,
                          const struct attest_firmware *got)
{
    char want[64];
    snprintf(want, sizeof(want), "at least %u.%u.%u", floor->major,
             floor->minor, floor->build);
    attest_mark(v, "P7", "committed firmware", firmware_le(floor, got), want,
                "%u.%u.%u", got->major, got->minor, got->build);
}

/* P8: says which bits stand wrong, by name. */
static void mark_bits(struct attest_verdict *v, const char *what,
                      const struct attest_bit *bits,
                      const struct attest_mask *mask, uint64_t got)
{
    char set[80];
    char clear[80];
    char want[160];
    char off[80];
    char on[80];
    if (!(mask->set | mask->clear))
        return;
    uint64_t missing = mask->set & ~got;
    uint64_t surplus = mask->clear & got;
    attest_bits_text(set, sizeof(set), bits, mask->set);
    attest_bits_text(clear, sizeof(clear), bits, mask->clear);
    attest_bits_text(off, sizeof(off), bits, missing);
    attest_bits_text(on, sizeof(on), bits, surplus);
    snprintf(want, sizeof(want), "set: %s; clear: %s", set, clear);
    attest_mark(v, "P8", what, !missing && !surplus, want,
                "0x%llx; not set: %s; not clear: %s", (unsigned long long)got,
                off, on);
}

/* P5 */
static void mark_vmpl(struct attest_verdict *v, uint8_t vmpls)
{
    char want[32] = "";
    uint32_t got = v->report.vmpl;
    if (!vmpls)
        return;
    for (unsigned i = 0; i < 4; i++) {
        size_t at = strlen(want);
        if (vmpls >> i & 1)
            snprintf(want + at, sizeof(want) - at, "%s%u", at ? ", " : "", i);
    }
    attest_mark(v, "P5", "VMPL", got < 4 && (vmpls >> got & 1), want, "%u",
                got);
}

/* P10, P13: one of a list. */
static void mark_among(struct attest_verdict *v, const char *id,
                       const char *what, const uint8_t *list, unsigned n,
                       const uint8_t *got, size_t len)
{
    char hex[ENC_HEX_SIZE(64)];
    char want[160];
    int hits = 0;
    if (n == 0)
        return;
    for (unsigned i = 0; i < n; i++)
        hits |= sodium_memcmp(list + i * len, got, len) == 0;
    snprintf(want, sizeof(want), "%s%s", n > 1 ? "one of several, first " : "",
             enc_hex(hex, list, len));
    attest_mark(v, id, what, hits != 0, want, "%s", enc_hex(hex, got, len));
}

static void mark_keys(struct attest_verdict *v,
                      const struct attest_rules *rules)
{
    const struct attest_report *r = &v->report;
    mark_among(v, "P10", "ID key", rules->id_key[0], rules->n_id_keys,
               r->id_key, 48);
    if (rules->n_author_keys && !(r->key_info & SNP_KEY_AUTHOR))
        attest_mark(v, "P10", "author key", false, "AUTHOR_KEY_EN 1",
                    "AUTHOR_KEY_EN 0");
    else
        mark_among(v, "P10", "author key", rules->author_key[0],
                   rules->n_author_keys, r->author_key, 48);
}

static void mark_svn(struct attest_verdict *v, uint32_t min)
{
    char want[32];
    if (min == 0)
        return;
    snprintf(want, sizeof(want), ">= %u", min);
    attest_mark(v, "P11", "guest SVN", v->report.guest_svn >= min, want, "%u",
                v->report.guest_svn);
}

/* P12: mitigations taken when it was launched, and now. */
static void mark_mitigations(struct attest_verdict *v, const char *what,
                             uint64_t want, uint64_t got)
{
    char text[48];
    if (!want)
        return;
    snprintf(text, sizeof(text), "all of 0x%llx", (unsigned long long)want);
    attest_mark(v, "P12", what, (got & want) == want, text, "0x%llx%s",
                (unsigned long long)got,
                v->report.version < 5 ? " (none before version 5)" : "");
}

static void mark_floors(struct attest_verdict *v, const struct attest_floor *f)
{
    const struct attest_report *r = &v->report;
    mark_tcb(v, "reported TCB floor", f->has_reported, &f->reported,
             &r->reported);
    mark_tcb(v, "committed TCB floor", f->has_committed, &f->committed,
             &r->committed);
    mark_tcb(v, "launch TCB floor", f->has_launch, &f->launch, &r->launch);
    if (f->has_firmware)
        mark_firmware(v, &f->firmware, &r->fw_committed);
}

void attest_floors_judge(struct attest_verdict *v,
                         const struct attest_rules *rules)
{
    const struct attest_report *r = &v->report;
    mark_vmpl(v, rules->vmpls);
    mark_floors(v, &rules->product[v->product]);
    mark_bits(v, "guest policy bits", attest_policy_bits, &rules->policy,
              r->policy);
    mark_bits(v, "platform bits", attest_platform_bits, &rules->platform,
              r->platform_info);
    attest_mark_equal(v, "P9", "host data",
                      rules->has_host_data ? rules->host_data : NULL,
                      r->host_data, 32);
    attest_mark_equal(v, "P9", "family id",
                      rules->has_family_id ? rules->family_id : NULL,
                      r->family_id, 16);
    attest_mark_equal(v, "P9", "image id",
                      rules->has_image_id ? rules->image_id : NULL, r->image_id,
                      16);
    mark_keys(v, rules);
    mark_svn(v, rules->min_guest_svn);
    mark_mitigations(v, "mitigations at launch", rules->mit_launch,
                     r->mit_launch);
    mark_mitigations(v, "mitigations now", rules->mit_current, r->mit_current);
    mark_among(v, "P13", "chip", rules->chip[0], rules->n_chips, r->chip_id,
               64);
    mark_product(v, rules);
}

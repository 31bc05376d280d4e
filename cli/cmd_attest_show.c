/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign attest show: a report as a person would want to read it. It is not
 * judged, and says so; what looks wrong in it stands in its own lines.
 */
#include "cli/attest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

#define KEY_AUTHOR       1u
#define KEY_SIGNER(info) ((info) >> 2 & 7)
#define POLICY_DEBUG     (UINT64_C(1) << 19)
#define POLICY_MIGRATE   (UINT64_C(1) << 18)

static bool filled(const uint8_t *p, size_t len, uint8_t with)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != with)
            return false;
    return true;
}

/* ---- the report as JSON -------------------------------------------------- */

static int put_hex(json_t *o, const char *key, const uint8_t *p, size_t len)
{
    char hex[ENC_HEX_SIZE(64)];
    return json_object_set_new(o, key, json_string(enc_hex(hex, p, len)));
}

static json_t *tcb_json(const struct attest_tcb *t)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i}", "fmc", t->fmc, "bl", t->bl,
                     "tee", t->tee, "snp", t->snp, "ucode", t->ucode);
}

static json_t *firmware_json(const struct attest_firmware *f)
{
    return json_pack("{s:i, s:i, s:i}", "major", f->major, "minor", f->minor,
                     "build", f->build);
}

static int put_word(json_t *o, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
    return json_object_set_new(o, key, json_string(text));
}

static const char *signer_name(uint32_t key_info)
{
    static const char *const names[] = { "VCEK", "VLEK" };
    uint32_t signer = KEY_SIGNER(key_info);
    return signer < 2 ? names[signer] : "nobody";
}

static json_t *names_json(const struct attest_bit *bits, uint64_t word)
{
    json_t *list = json_array();
    for (; bits->name; bits++)
        if (word >> bits->bit & 1)
            json_array_append_new(list, json_string(bits->name));
    return list;
}

static json_t *report_json(const struct attest_report *r, const char *product,
                           const char *hash)
{
    json_t *o = json_pack(
            "{s:b, s:I, s:s?, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, "
            "s:o, s:o, s:o}",
            "verified", 0, "version", (json_int_t)r->version, "product",
            product, "policy_hash", hash, "signer", signer_name(r->key_info),
            "vmpl", (json_int_t)r->vmpl, "guest_svn", (json_int_t)r->guest_svn,
            "policy_bits", names_json(attest_policy_bits, r->policy),
            "platform_bits", names_json(attest_platform_bits, r->platform_info),
            "current", tcb_json(&r->current), "reported",
            tcb_json(&r->reported), "committed", tcb_json(&r->committed),
            "launch", tcb_json(&r->launch), "firmware_current",
            firmware_json(&r->fw_current), "firmware_committed",
            firmware_json(&r->fw_committed));
    if (!o)
        return NULL;
    put_word(o, "policy", r->policy);
    put_word(o, "platform_info", r->platform_info);
    put_word(o, "key_info", r->key_info);
    put_word(o, "mitigations_at_launch", r->mit_launch);
    put_word(o, "mitigations_now", r->mit_current);
    put_hex(o, "measurement", r->measurement, sizeof(r->measurement));
    put_hex(o, "report_data", r->report_data, sizeof(r->report_data));
    put_hex(o, "host_data", r->host_data, sizeof(r->host_data));
    put_hex(o, "family_id", r->family_id, sizeof(r->family_id));
    put_hex(o, "image_id", r->image_id, sizeof(r->image_id));
    put_hex(o, "id_key", r->id_key, sizeof(r->id_key));
    put_hex(o, "author_key", r->author_key, sizeof(r->author_key));
    put_hex(o, "report_id", r->report_id, sizeof(r->report_id));
    put_hex(o, "report_id_ma", r->report_id_ma, sizeof(r->report_id_ma));
    put_hex(o, "chip_id", r->chip_id, sizeof(r->chip_id));
    return o;
}

/* ---- the report in words ------------------------------------------------- */

static enum rc line(const char *name, const char *fmt, ...) PRINTF_LIKE(2, 3);
static enum rc line(const char *name, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return cli_say_line("%-15s %s", name, text);
}

/* Bytes, or the words for none of them. */
static enum rc hex_line(const char *name, const uint8_t *p, size_t len,
                        const char *none)
{
    char hex[ENC_HEX_SIZE(64)];
    return line(name, "%s", filled(p, len, 0) ? none : enc_hex(hex, p, len));
}

static enum rc say_bits(const struct attest_bit *bits, uint64_t word,
                        uint64_t silent)
{
    for (const struct attest_bit *b = bits; b->name; b++) {
        silent |= UINT64_C(1) << b->bit;
        if (word >> b->bit & 1)
            TRY(line("", "%s: %s", b->name, b->meaning));
    }
    for (unsigned i = 0; i < 64; i++)
        if ((word & ~silent) >> i & 1)
            TRY(line("", "bit %u: not known to this version", i));
    return RC_OK;
}

static enum rc say_identity(const struct attest_report *r, const char *product,
                            const char *hash)
{
    if (r->has_fms)
        TRY(line("product", "%s (family 0x%02x, model 0x%02x, stepping %u)",
                 product ? product : "unknown", r->family, r->model,
                 r->stepping));
    else
        TRY(line("product", "not said: version %u does not", r->version));
    TRY(hex_line("measurement", r->measurement, sizeof(r->measurement),
                 "none: zeros"));
    TRY(line("policy hash", "%s (what TEE_POLICY_HASH lists)", hash));
    TRY(hex_line("report data", r->report_data, sizeof(r->report_data),
                 "zeros: bound to nothing"));
    TRY(hex_line("host data", r->host_data, sizeof(r->host_data),
                 "zeros: the host gave none"));
    TRY(line("VMPL", "%u%s", r->vmpl,
             r->vmpl == 0 ? " (the most privileged level)" : ""));
    return line("guest SVN", "%u", r->guest_svn);
}

static enum rc say_policy(const struct attest_report *r)
{
    TRY(line("guest policy", "0x%llx, firmware ABI at least %u.%u",
             (unsigned long long)r->policy, (unsigned)(r->policy >> 8 & 0xFF),
             (unsigned)(r->policy & 0xFF)));
    /* below 16 the ABI; 17 is always one */
    TRY(say_bits(attest_policy_bits, r->policy, 0x2FFFF));
    TRY(line("platform", "0x%llx", (unsigned long long)r->platform_info));
    return say_bits(attest_platform_bits, r->platform_info, 0);
}

static enum rc say_keys(const struct attest_report *r)
{
    bool vlek = KEY_SIGNER(r->key_info) == 1;
    TRY(line("signed by", "%s%s", signer_name(r->key_info),
             vlek                           ? " (a key of the provider)"
             : KEY_SIGNER(r->key_info) == 0 ? " (a key of this chip)"
                                            : ""));
    TRY(hex_line("chip id", r->chip_id, sizeof(r->chip_id),
                 vlek ? "zeros: a VLEK names no chip"
                      : "masked: bound to no chip"));
    TRY(hex_line("ID key", r->id_key, sizeof(r->id_key), "none"));
    TRY(hex_line("author key", r->author_key, sizeof(r->author_key),
                 r->key_info & KEY_AUTHOR ? "zeros" : "none"));
    TRY(hex_line("family id", r->family_id, sizeof(r->family_id), "zeros"));
    TRY(hex_line("image id", r->image_id, sizeof(r->image_id), "zeros"));
    TRY(hex_line("report id", r->report_id, sizeof(r->report_id), "zeros"));
    if (filled(r->report_id_ma, sizeof(r->report_id_ma), 0xFF))
        return line("migration", "no agent");
    return hex_line("migration", r->report_id_ma, sizeof(r->report_id_ma),
                    "an agent of zeros");
}

static enum rc tcb_line(const char *name, const struct attest_tcb *t,
                        const struct attest_firmware *f, bool turin)
{
    char fmc[16] = "";
    char fw[32] = "";
    if (turin)
        snprintf(fmc, sizeof(fmc), "fmc %u, ", t->fmc);
    if (f)
        snprintf(fw, sizeof(fw), " (firmware %u.%u.%u)", f->major, f->minor,
                 f->build);
    return line(name, "%sbl %u, tee %u, snp %u, microcode %u%s", fmc, t->bl,
                t->tee, t->snp, t->ucode, fw);
}

static enum rc say_levels(const struct attest_report *r)
{
    bool turin = r->has_fms && r->family >= 0x1A;
    TRY(tcb_line("TCB current", &r->current, &r->fw_current, turin));
    TRY(tcb_line("TCB committed", &r->committed, &r->fw_committed, turin));
    TRY(tcb_line("TCB reported", &r->reported, NULL, turin));
    TRY(tcb_line("TCB at launch", &r->launch, NULL, turin));
    if (r->version < 5)
        return RC_OK;
    return line("mitigations", "0x%llx at launch, 0x%llx now",
                (unsigned long long)r->mit_launch,
                (unsigned long long)r->mit_current);
}

/* Rows of the format and of the blob, and what makes a report worthless. */
static bool is_shape(const struct attest_check *c)
{
    return c->id[0] == 'F' || c->id[0] == 'H';
}

static enum rc say_warnings(const struct attest_verdict *v)
{
    const struct attest_report *r = &v->report;
    for (unsigned i = 0; i < v->n_checks; i++) {
        const struct attest_check *c = &v->check[i];
        if (is_shape(c) && !c->ok)
            TRY(line("WARNING", "%s %s: %s, want %s", c->id, c->what, c->actual,
                     c->expected));
    }
    if (r->policy & POLICY_DEBUG)
        TRY(line("WARNING", "a debug guest: its host can read and change it"));
    if (r->policy & POLICY_MIGRATE)
        TRY(line("WARNING", "may be migrated: its state can be in two places"));
    return RC_OK;
}

static enum rc say_text(const struct attest_verdict *v, const char *product,
                        const char *hash, const struct cli_report *from,
                        const struct attest_quote *quote)
{
    const struct attest_report *r = &v->report;
    TRY(line("report", "version %u%s", r->version,
             from->hcl.p ? ", in an Azure HCL blob" : ""));
    TRY(say_identity(r, product, hash));
    TRY(say_policy(r));
    TRY(say_keys(r));
    TRY(say_levels(r));
    for (unsigned i = 0; i < v->n_checks; i++)
        if (v->check[i].id[0] == 'H' && v->check[i].ok)
            TRY(line("blob", "%s: %s", v->check[i].what,
                     v->check[i].id[1] == '2' ? "yes" : v->check[i].actual));
    if (quote)
        TRY(cli_quote_say(quote));
    TRY(say_warnings(v));
    return line("NOT VERIFIED", "anybody can write such bytes; see mpcsign "
                                "attest verify");
}

/* ---- the verb ------------------------------------------------------------ */

static json_t *shape_json(const struct attest_verdict *v)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < v->n_checks; i++) {
        const struct attest_check *c = &v->check[i];
        if (is_shape(c))
            json_array_append_new(list,
                                  json_pack("{s:s, s:b, s:s, s:s, s:s}", "id",
                                            c->id, "ok", (int)c->ok, "what",
                                            c->what, "expected", c->expected,
                                            "actual", c->actual));
    }
    return list;
}

static const struct attest_check *row(const struct attest_verdict *v,
                                      const char *id)
{
    for (unsigned i = 0; i < v->n_checks; i++)
        if (strcmp(v->check[i].id, id) == 0)
            return &v->check[i];
    return NULL;
}

/* The verifier reads the fields and judges the shape; that there is no
 * certificate here is its other rows, which are left out. */
static enum rc read_fields(struct attest_verdict *v,
                           const struct cli_report *from)
{
    struct wire_evidence e = { .report = from->report };
    struct attest_want want = { .hcl = from->hcl.p ? &from->hcl : NULL };
    (void)!attest_verify(v, &e, NULL, &want, 0);
    if (row(v, "F1")->ok)
        return RC_OK;
    enum rc rc = rc_raise(RC_PARSE, "report: %zu bytes, want %u",
                          from->report.len, ATTEST_REPORT_LEN);
    rc_hint("--offset says where in the file the report begins");
    return rc;
}

static enum rc show(const struct cli_report *from,
                    const struct attest_quote *quote)
{
    static const char *const products[] = { "Milan", "Genoa", "Turin" };
    uint8_t bytes[32];
    char hash[ENC_HEX_SIZE(32)];
    OWNED_MEM struct attest_verdict *v = calloc(1, sizeof(*v));
    if (!v)
        return rc_raise(RC_NOMEM, "verdict: out of memory");
    TRY(read_fields(v, from));
    const struct attest_check *c1 = row(v, "C1");
    const char *product = c1 && c1->ok ? products[v->product] : NULL;
    attest_policy_hash(bytes, v->report.measurement);
    enc_hex(hash, bytes, 32);
    if (!cli_json())
        return say_text(v, product, hash, from, quote);
    json_t *o = report_json(&v->report, product, hash);
    if (o)
        json_object_set_new(o, "checks", shape_json(v));
    if (o && quote)
        json_object_set_new(o, "quote", cli_quote_json(quote));
    return cli_say_json(o);
}

enum rc cmd_attest_show(int argc, char **argv)
{
    const char *file = NULL;
    const char *offset = NULL;
    const char *quote_file = NULL;
    const struct cli_arg rows[] = {
        { .name = "FILE",
          .text = &file,
          .need = true,
          .help = "the report, or an Azure HCL blob" },
        { .name = "--offset",
          .text = &offset,
          .help = "where in that file the report begins" },
        { .name = "--quote",
          .text = &quote_file,
          .help = "a vTPM's quote to be read beside it" },
        { 0 },
    };
    bool done;
    struct cli_report from;
    struct attest_quote quote;
    TRY(cli_args(&done, rows, argc, argv));
    if (done)
        return RC_OK;
    if (quote_file)
        TRY(cli_quote_read(&quote, quote_file));
    TRY(cli_report_read(&from, file, offset));
    enum rc rc = show(&from, quote_file ? &quote : NULL);
    cli_report_free(&from);
    return rc;
}

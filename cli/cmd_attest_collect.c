/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign attest collect: a report of the guest this runs in, and the
 * certificates that its host hands out, as files for `attest verify`. What
 * the host lacks is named with where AMD keeps it; nothing is fetched.
 */
#include "cli/attest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"

OWNED_BY(X509, X509_free);
OWNED_BY(BIO, BIO_free_all);

#define PATH_SIZE 512

enum file { REPORT, VEK, ASK, ARK, CHAIN, QUOTE, QUOTE_SIG, N_FILES };
static const char *const names[N_FILES] = {
    "report.bin", "vek.der",   "ask.der",   "ark.der",
    "chain.pem",  "quote.bin", "quote.sig",
};

struct options {
    const char *device;
    const char *report_data, *nonce;
    const char *out, *report, *certs;
    bool force;
};
struct collected {
    char path[N_FILES][PATH_SIZE];
    bool written[N_FILES];
    bool there[N_FILES]; /* now, whoever wrote it */
    uint8_t data[64];
    bool simulated;
    const char *device;
    struct cli_kds kds;
};

/* ---- before the device is asked ----------------------------------------- */

static enum rc place(struct collected *c, enum file f, const char *dir)
{
    if (snprintf(c->path[f], PATH_SIZE, "%s/%s", dir, names[f]) >= PATH_SIZE)
        return rc_raise(RC_ARG, "%.40s…: the name is too long", dir);
    return RC_OK;
}

static enum rc check_options(const struct options *o)
{
    if (o->report_data && o->nonce)
        return rc_raise(RC_ARG, "--report-data and --nonce: one of them");
    if (o->out && (o->report || o->certs))
        return rc_raise(RC_ARG, "--out DIR, or --report FILE and --certs DIR");
    if (o->out || (o->report && o->certs))
        return RC_OK;
    enum rc rc = rc_raise(RC_ARG, o->report || o->certs
                                          ? "--report FILE and --certs DIR go "
                                            "together"
                                          : "--out DIR is missing");
    rc_hint("--out DIR puts all files there");
    return rc;
}

static enum rc place_all(struct collected *c, const struct options *o)
{
    const char *certs = o->out ? o->out : o->certs;
    for (unsigned f = VEK; f < N_FILES; f++)
        TRY(place(c, f, certs));
    if (o->out)
        return place(c, REPORT, o->out);
    if (snprintf(c->path[REPORT], PATH_SIZE, "%s", o->report) >= PATH_SIZE)
        return rc_raise(RC_ARG, "--report: the name is too long");
    return RC_OK;
}

/* Nothing is overwritten, and the device not asked in vain. */
static enum rc keep_what_is_there(const struct collected *c)
{
    for (unsigned f = 0; f < N_FILES; f++) {
        if (access(c->path[f], F_OK) != 0)
            continue;
        enum rc rc = rc_raise(RC_EXISTS, "%s is there already", c->path[f]);
        rc_hint("another --out, or --force");
        return rc;
    }
    return RC_OK;
}

static enum rc read_data(uint8_t out[64], const struct options *o)
{
    OWNED_MEM uint8_t *nonce = NULL;
    size_t len;
    memset(out, 0, 64);
    if (o->report_data &&
        enc_unhex(out, 64, o->report_data, strlen(o->report_data)) != RC_OK)
        return rc_raise(RC_ARG, "--report-data: want 128 lower-case hex "
                                "digits, 64 bytes");
    if (!o->nonce)
        return RC_OK;
    TRY(file_read(&nonce, &len, o->nonce, CLI_EVIDENCE_MAX));
    const struct hash_part part = { nonce, len };
    hash512_parts(out, &part, 1);
    return RC_OK;
}

/* ---- writing ------------------------------------------------------------- */

static enum rc put(struct collected *c, enum file f, const void *p, size_t len)
{
    TRY(file_write(c->path[f], p, len, 0644));
    c->written[f] = true;
    return RC_OK;
}

static X509 *parse(const struct wire_blob *der)
{
    const unsigned char *at = der->p;
    X509 *x = d2i_X509(NULL, &at, (long)der->len);
    ERR_clear_error();
    return x;
}

static bool is_root(X509 *x)
{
    return X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) ==
           0;
}

/* ASK and ARK as they came; for `--chain` both in one file. */
static enum rc put_chain(struct collected *c, const struct wire_evidence *e)
{
    OWNED(BIO) *pem = BIO_new(BIO_s_mem());
    if (!pem)
        return rc_raise(RC_NOMEM, "chain: out of memory");
    for (size_t i = 0; i < e->chain.n; i++) {
        const struct wire_blob *der = &e->chain.at[i];
        OWNED(X509) *x = parse(der);
        if (!x || PEM_write_bio_X509(pem, x) != 1)
            return rc_raise(RC_PARSE, "the host's certificate %zu is none", i);
        TRY(put(c, is_root(x) ? ARK : ASK, der->p, der->len));
    }
    char *text = NULL;
    long len = BIO_get_mem_data(pem, &text);
    if (!c->written[ASK] || !c->written[ARK])
        return RC_OK; /* half a chain is of no use to anybody */
    return put(c, CHAIN, text, (size_t)len);
}

static enum rc put_all(struct collected *c, const struct wire_evidence *e,
                       const struct options *o)
{
    TRY(file_mkdirs(o->out ? o->out : o->certs, 0755));
    /* a vTPM's: the report in its blob, and the quote beside it */
    const struct wire_blob *report = e->hcl.len ? &e->hcl : &e->report;
    TRY(put(c, REPORT, report->p, report->len));
    if (e->quote.len)
        TRY(put(c, QUOTE, e->quote.p, e->quote.len));
    if (e->quote_signature.len)
        TRY(put(c, QUOTE_SIG, e->quote_signature.p, e->quote_signature.len));
    if (e->vek.len)
        TRY(put(c, VEK, e->vek.p, e->vek.len));
    TRY(put_chain(c, e));
    for (unsigned f = 0; f < N_FILES; f++)
        c->there[f] = access(c->path[f], F_OK) == 0;
    return RC_OK;
}

/* ---- saying -------------------------------------------------------------- */

/* For a shell: in quotes where it needs them. */
static void quoted(char out[2 * PATH_SIZE], const char *path)
{
    const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789_-+./:,@%=";
    if (strspn(path, plain) == strlen(path)) {
        snprintf(out, 2 * PATH_SIZE, "%s", path);
        return;
    }
    size_t at = 0;
    out[at++] = '\'';
    for (; *path && at + 6 < 2 * PATH_SIZE; path++) {
        if (*path == '\'')
            at += (size_t)snprintf(out + at, 2 * PATH_SIZE - at, "'\\''");
        else
            out[at++] = *path;
    }
    out[at++] = '\'';
    out[at] = '\0';
}

/* What a quote is judged by; "" without one. */
static void quote_words(char out[5 * PATH_SIZE], const struct collected *c)
{
    char quote[2 * PATH_SIZE];
    char sig[2 * PATH_SIZE];
    char data[ENC_HEX_SIZE(64)];
    quoted(quote, c->path[QUOTE]);
    quoted(sig, c->path[QUOTE_SIG]);
    out[0] = '\0';
    if (c->written[QUOTE])
        snprintf(out, 5 * PATH_SIZE,
                 " --quote %s --quote-signature %s --report-data %s", quote,
                 sig, enc_hex(data, c->data, 64));
}

#define COMMAND_SIZE (12 * PATH_SIZE)
static void next_command(char out[COMMAND_SIZE], const struct collected *c)
{
    char report[2 * PATH_SIZE];
    char vek[2 * PATH_SIZE];
    char chain[2 * PATH_SIZE];
    quoted(report, c->path[REPORT]);
    quoted(vek, c->path[VEK]);
    quoted(chain, c->path[CHAIN]);
    char with[5 * PATH_SIZE];
    quote_words(with, c);
    snprintf(out, COMMAND_SIZE,
             "mpcsign attest verify --report %s --vek %s --chain %s%s%s",
             report, vek, chain, with,
             c->simulated ? " --allow-simulated" : "");
}

static const char *url_of(const struct collected *c, enum file f)
{
    return f == VEK ? c->kds.vek : c->kds.chain;
}

/* Why AMD's service does not help either; "" where it does. */
static const char *why_not(const struct collected *c, enum file f)
{
    if (c->simulated)
        return "a simulator's certificates are in the directory it was made "
               "in, and nowhere else";
    return *url_of(c, f) || !c->kds.why ? "" : c->kds.why;
}

static json_t *missing_json(const struct collected *c)
{
    json_t *list = json_array();
    for (unsigned f = VEK; f < N_FILES; f++) {
        if ((f != VEK && f != CHAIN) || c->there[f])
            continue;
        const char *why = why_not(c, f);
        const char *url = *why ? "" : url_of(c, f);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s*, s:s*}", "what",
                                        f == VEK ? "vek" : "chain", "file",
                                        c->path[f], "url", *url ? url : NULL,
                                        "why", *why ? why : NULL));
    }
    return list;
}

static enum rc say_json(const struct collected *c)
{
    static const char *const keys[N_FILES] = {
        "report", "vek", "ask", "ark", "chain", "quote", "quote_signature"
    };
    char data[ENC_HEX_SIZE(64)];
    char command[COMMAND_SIZE];
    next_command(command, c);
    json_t *files = json_object();
    for (unsigned f = 0; f < N_FILES; f++)
        if (c->written[f])
            json_object_set_new(files, keys[f], json_string(c->path[f]));
    return cli_say_json(json_pack(
            "{s:s, s:b, s:s, s:o, s:o, s:s}", "device", c->device, "simulated",
            (int)c->simulated, "report_data", enc_hex(data, c->data, 64),
            "files", files, "missing", missing_json(c), "next", command));
}

static enum rc say_missing(const struct collected *c, enum file f,
                           const char *what)
{
    if (c->there[f])
        return RC_OK;
    const char *why = why_not(c, f);
    TRY(cli_say("missing      %s: the host gave none\n", what));
    if (*why)
        return cli_say("             %s\n", why);
    char path[2 * PATH_SIZE];
    quoted(path, c->path[f]);
    return cli_say("  fetch      curl -fo %s '%s'\n", path, url_of(c, f));
}

static enum rc say_text(const struct collected *c)
{
    static const char *const what[N_FILES] = { "report", "VEK",   "ASK",
                                               "ARK",    "chain", "quote",
                                               "its sig" };
    static const uint8_t zeros[64];
    char command[COMMAND_SIZE];
    if (c->simulated)
        cli_banner(false);
    TRY(cli_say("device       %s\n", c->device));
    for (unsigned f = 0; f < N_FILES; f++)
        if (c->written[f])
            TRY(cli_say("%-12s %s\n", what[f], c->path[f]));
        else if (c->there[f])
            TRY(cli_say("%-12s %s (was there; the host gave none)\n", what[f],
                        c->path[f]));
    if (memcmp(c->data, zeros, sizeof(zeros)) == 0)
        TRY(cli_say("note         REPORT_DATA is zeros: whoever wants to know "
                    "that it is fresh gives you a --nonce\n"));
    TRY(say_missing(c, VEK, c->kds.vlek ? "VLEK" : "VCEK"));
    TRY(say_missing(c, CHAIN, c->kds.vlek ? "ASVK and ARK" : "ASK and ARK"));
    next_command(command, c);
    TRY(cli_say("next         %s\n", command));
    if (!c->simulated && *c->kds.crl)
        TRY(cli_say("             and --crl, from %s\n", c->kds.crl));
    return RC_OK;
}

/* ---- the verb ------------------------------------------------------------ */

static enum rc ask_device(struct wire_evidence *e, struct collected *c,
                          const char *device)
{
    OWN_S(attest_guest) *g = NULL;
    struct attest_guest_state state;
    TRY(attest_guest_open(&g, device));
    attest_guest_state(&state, g);
    c->device = state.kind;
    c->simulated = state.simulated;
    return attest_guest_report(e, g, c->data);
}

static enum rc collect(const struct options *o)
{
    struct collected c = { 0 };
    WIRE(evidence) e = { 0 };
    TRY(check_options(o));
    TRY(place_all(&c, o));
    if (!o->force)
        TRY(keep_what_is_there(&c));
    TRY(read_data(c.data, o));
    TRY(ask_device(&e, &c, o->device ? o->device : "auto"));
    TRY(put_all(&c, &e, o));
    TRY(cli_kds_read(&c.kds, &e.report));
    return cli_json() ? say_json(&c) : say_text(&c);
}

enum rc cmd_attest_collect(int argc, char **argv)
{
    struct options o = { 0 };
    const struct cli_arg rows[] = {
        { .name = "--device",
          .text = &o.device,
          .help = "auto, sev-guest, configfs-tsm or another [auto]" },
        { .name = "--report-data",
          .text = &o.report_data,
          .help = "the 64 bytes the report is over, hex [zeros]" },
        { .name = "--nonce",
          .text = &o.nonce,
          .help = "over the SHA-512 of this file instead" },
        { .name = "--out",
          .text = &o.out,
          .help = "directory for all files, made if need be" },
        { .name = "--report", .text = &o.report, .help = "the report's file" },
        { .name = "--certs",
          .text = &o.certs,
          .help = "directory for the certificates" },
        { .name = "--force",
          .flag = &o.force,
          .help = "overwrite files that are there" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    return done ? RC_OK : collect(&o);
}

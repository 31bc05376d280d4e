/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign attest verify: an SEV-SNP report from anywhere, against the root of
 * its product. Without --policy no more is asked of it than to be genuine, no
 * debug guest and not to be migrated.
 */
#include "cli/attest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"

#define MAX_CERTS 4

OWNED_BY(X509, X509_free);
OWNED_BY(BIO, BIO_free_all);

struct options {
    const char *report;
    const char *offset;
    const char *vek;
    const char *chain;
    const char *crl;
    const char *at;
    const char *policy;
    const char *role;
    const char *kind;
    const char *quote, *quote_signature;
    const char *report_data, *genesis; /* hex */
    struct cli_list pcrs;
    bool allow_simulated;
};
struct allowed {
    uint8_t hash[POLICY__ROLES * POLICY_MAX_HASHES][32];
    unsigned n;
};

/* ---- reading ------------------------------------------------------------ */

static enum rc put_der(struct wire_blob *out, X509 *x)
{
    unsigned char *der = NULL;
    int len = i2d_X509(x, &der);
    if (len <= 0)
        return rc_raise(RC_NOMEM, "certificate: out of memory");
    enum rc rc = wire_blob_set(out, der, (size_t)len);
    OPENSSL_free(der);
    return rc;
}

/* PEM, several in a row; or one DER. */
static enum rc read_certs(X509 *out[MAX_CERTS], unsigned *n, const char *path)
{
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    TRY(file_read(&bytes, &len, path, CLI_EVIDENCE_MAX));
    const unsigned char *at = bytes;
    *n = 0;
    if ((out[0] = d2i_X509(NULL, &at, (long)len)) != NULL) {
        *n = 1;
    } else {
        OWNED(BIO) *bio = BIO_new_mem_buf(bytes, (int)len);
        while (bio && *n < MAX_CERTS &&
               (out[*n] = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
            ++*n;
    }
    ERR_clear_error();
    return *n ? RC_OK : rc_raise(RC_PARSE, "%s: no certificate", path);
}

static enum rc put_certs(struct wire_evidence *e, const struct options *o)
{
    X509 *x[MAX_CERTS] = { NULL };
    unsigned n = 0;
    enum rc rc = read_certs(x, &n, o->vek);
    if (rc == RC_OK)
        rc = put_der(&e->vek, x[0]);
    for (unsigned i = 0; i < n; i++)
        X509_free(x[i]);
    TRY(rc);
    rc = read_certs(x, &n, o->chain);
    if (rc == RC_OK)
        rc = wire_list_new(&e->chain, n);
    for (unsigned i = 0; i < n; i++) {
        if (rc == RC_OK)
            rc = put_der(&e->chain.at[i], x[i]);
        X509_free(x[i]);
    }
    return rc;
}

static bool wanted(unsigned roles, unsigned role)
{
    return !roles || (roles >> role & 1);
}

/* A deployment's policy.json: its measurements. */
static enum rc read_allowed(struct allowed *out, unsigned roles,
                            const char *path)
{
    OWN_S(policy) *p = NULL;
    TRY(cli_policy_read(&p, path));
    for (unsigned r = 0; r < POLICY__ROLES; r++)
        for (unsigned i = 0; wanted(roles, r) && i < p->n_measurements[r]; i++)
            memcpy(out->hash[out->n++], p->measurement[r][i], 32);
    return RC_OK;
}

static enum rc read_role(unsigned *roles, const char *name)
{
    static const char *const names[] = { "sidecar", "ca", "log" };
    if (!name)
        return RC_OK;
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) == 0) {
            *roles = 1u << i;
            return RC_OK;
        }
    }
    return rc_raise(RC_ARG, "--role: want sidecar, ca or log");
}

/* Either kind of policy, told apart by what the file says it is. */
static enum rc read_policy(struct attest_want *want, struct allowed *allowed,
                           struct attest_rules *rules, const struct options *o)
{
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    TRY(read_role(&want->roles, o->role));
    if (!o->policy)
        return o->role ? rc_raise(RC_ARG, "--role: only with --policy") : RC_OK;
    TRY(file_read(&bytes, &len, o->policy, CLI_EVIDENCE_MAX));
    if (attest_rules_is(bytes, len)) {
        enum rc rc = attest_rules_parse(rules, bytes, len);
        want->rules = rules;
        return rc == RC_OK ? RC_OK : rc_prefix(rc, "%s: ", o->policy);
    }
    TRY(read_allowed(allowed, want->roles, o->policy));
    want->hashes = (const uint8_t(*)[32])allowed->hash;
    want->n_hashes = allowed->n;
    want->min_version = 3;
    return RC_OK;
}

/* What the report, or the quote beside it, must be over. */
struct expected {
    uint8_t report_data[64], genesis[32];
};
static enum rc read_hex(const uint8_t **out, uint8_t *to, size_t len,
                        const char *name, const char *hex)
{
    if (!hex)
        return RC_OK;
    if (enc_unhex(to, len, hex, strlen(hex)) != RC_OK)
        return rc_raise(RC_ARG, "%s: want %zu lower-case hex digits", name,
                        2 * len);
    *out = to;
    return RC_OK;
}

static enum rc read_expected(struct attest_want *want, struct expected *x,
                             const struct options *o)
{
    TRY(read_hex(&want->report_data, x->report_data, 64, "--report-data",
                 o->report_data));
    TRY(read_hex(&want->host_data, x->genesis, 32, "--genesis", o->genesis));
    /* a quote over anything at all is an old one of somebody's */
    return o->quote && !o->report_data
                   ? rc_raise(RC_ARG, "--report-data is missing: what the "
                                      "quote must be over")
                   : RC_OK;
}

/* The root of a simulator is whoever signs itself in the chain. */
static void allow_any_root(struct attest_roots *out,
                           const struct wire_evidence *e)
{
    out->allow_simulated = true;
    for (size_t i = 0; i < e->chain.n; i++) {
        const unsigned char *at = e->chain.at[i].p;
        OWNED(X509) *x = d2i_X509(NULL, &at, (long)e->chain.at[i].len);
        if (x && X509_NAME_cmp(X509_get_subject_name(x),
                               X509_get_issuer_name(x)) == 0)
            hash256(out->simulated_ark, e->chain.at[i].p, e->chain.at[i].len);
    }
}

/* ---- saying ------------------------------------------------------------- */

json_t *cli_rows_json(const struct attest_verdict *v)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < v->n_checks; i++) {
        const struct attest_check *c = &v->check[i];
        json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:s, s:s, s:s}",
                                              "id", c->id, "ok", (int)c->ok,
                                              "warn", (int)c->warn, "what",
                                              c->what, "expected", c->expected,
                                              "actual", c->actual));
    }
    return list;
}

enum rc cli_rows_say(const struct attest_verdict *v)
{
    for (unsigned i = 0; i < v->n_checks; i++) {
        const struct attest_check *c = &v->check[i];
        TRY(cli_say("%-4s %-4s %s: %s%s%s%s\n",
                    !c->ok    ? "FAIL"
                    : c->warn ? "warn"
                              : "ok",
                    c->id, c->what, c->actual, c->ok ? "" : " (want ",
                    c->ok ? "" : c->expected, c->ok ? "" : ")"));
    }
    return RC_OK;
}

static enum rc say_text(const struct attest_verdict *v, const char *hash)
{
    if (v->simulated)
        cli_banner(false);
    TRY(cli_rows_say(v));
    return cli_say("hash %s\n", hash);
}

static enum rc say(const struct attest_verdict *v, enum rc rc)
{
    uint8_t hash[32];
    char hex[65];
    attest_policy_hash(hash, v->report.measurement);
    enc_hex(hex, hash, 32);
    if (!cli_json()) {
        char text[512];
        snprintf(text, sizeof(text), "%s", rc == RC_OK ? "" : rc_text());
        TRY(say_text(v, hex));
        return rc == RC_OK ? RC_OK : rc_raise(rc, "%s", text);
    }
    json_t *o = json_pack("{s:b, s:b, s:s, s:o}", "ok", (int)v->ok, "simulated",
                          (int)v->simulated, "policy_hash", hex, "checks",
                          cli_rows_json(v));
    if (o && rc != RC_OK)
        json_object_set_new(o, "error", cli_error_json(rc));
    TRY(cli_say_json(o));
    if (rc != RC_OK)
        cli_told();
    return rc;
}

/* ---- the verb ----------------------------------------------------------- */

static enum rc judge(const struct options *o, const struct cli_report *from,
                     struct wire_blob *crl, int64_t now_s)
{
    WIRE(evidence) e = { 0 };
    struct attest_roots roots = { 0 };
    struct allowed allowed = { .n = 0 };
    struct attest_rules rules = { 0 };
    struct attest_want want = { .min_version = 2 };
    struct expected expected;
    TRY(read_expected(&want, &expected, o));
    TRY(wire_blob_set(&e.report, from->report.p, from->report.len));
    if (from->hcl.p)
        want.hcl = &from->hcl;
    TRY(cli_quote_take(&e, from, o->quote, o->quote_signature));
    TRY(put_certs(&e, o));
    TRY(read_policy(&want, &allowed, &rules, o));
    if (o->crl) {
        TRY(file_read(&crl->p, &crl->len, o->crl, ATTEST_CRL_MAX));
        want.crl = crl;
    }
    if (o->allow_simulated)
        allow_any_root(&roots, &e);
    OWNED_MEM struct attest_verdict *v = calloc(1, sizeof(*v));
    if (!v)
        return rc_raise(RC_NOMEM, "verdict: out of memory");
    return say(v, attest_verify(v, &e, &roots, &want, now_s));
}

static enum rc run_snp(const struct options *o, int64_t now_s)
{
    struct cli_report from = { 0 };
    struct wire_blob crl = { 0 };
    if (!o->vek || !o->chain)
        return rc_raise(RC_ARG, "%s is missing", o->vek ? "--chain" : "--vek");
    if (o->pcrs.n)
        return rc_raise(RC_ARG, "--pcr: only with --kind nitro");
    TRY(cli_report_read(&from, o->report, o->offset));
    enum rc rc = judge(o, &from, &crl, now_s);
    free(crl.p);
    cli_report_free(&from);
    return rc;
}

static enum rc run_nitro(const struct options *o, int64_t now_s)
{
    if (o->offset || o->vek || o->chain || o->crl || o->policy || o->role ||
        o->quote || o->quote_signature || o->report_data || o->genesis ||
        o->allow_simulated)
        return rc_raise(RC_ARG, "--kind nitro takes --report, --at and --pcr: "
                                "its certificates are in the document");
    return cli_nitro_verify(o->report, now_s, &o->pcrs);
}

static enum rc run(const struct options *o)
{
    int64_t now_s = clock_now_s();
    if (o->at)
        TRY(cli_time(&now_s, "--at", o->at));
    if (!o->kind || strcmp(o->kind, "snp") == 0)
        return run_snp(o, now_s);
    if (strcmp(o->kind, "nitro") == 0)
        return run_nitro(o, now_s);
    return rc_raise(RC_ARG, "--kind: want snp or nitro");
}

enum rc cmd_attest_verify(int argc, char **argv)
{
    struct options o = { 0 };
    const struct cli_arg rows[] = {
        { .name = "--report",
          .text = &o.report,
          .need = true,
          .help = "file with the 1184 bytes, or an Azure HCL blob" },
        { .name = "--offset",
          .text = &o.offset,
          .help = "where in that file they begin" },
        { .name = "--vek",
          .text = &o.vek,
          .help = "VCEK or VLEK certificate, DER or PEM" },
        { .name = "--chain", .text = &o.chain, .help = "ASK and ARK, PEM" },
        { .name = "--crl", .text = &o.crl, .help = "the ARK's CRL, DER" },
        { .name = "--at",
          .text = &o.at,
          .help = "judge as of this time, 2026-11-22T03:35:00Z" },
        { .name = "--policy",
          .text = &o.policy,
          .help = "an attestation policy, or a policy.json: its measurements" },
        { .name = "--role",
          .text = &o.role,
          .help = "only what the policy lists for sidecar, ca or log" },
        { .name = "--report-data",
          .text = &o.report_data,
          .help = "128 hex digits the report, or the quote, must be over" },
        { .name = "--genesis",
          .text = &o.genesis,
          .help = "64 hex digits: HOST_DATA, or what the quote has for it" },
        { .name = "--quote",
          .text = &o.quote,
          .help = "Azure: the vTPM's quote beside the blob, TPMS_ATTEST" },
        { .name = "--quote-signature",
          .text = &o.quote_signature,
          .help = "and its signature, TPMT_SIGNATURE" },
        { .name = "--kind", .text = &o.kind, .help = "snp or nitro [snp]" },
        { .name = "--pcr",
          .list = &o.pcrs,
          .once = true,
          .help = "nitro: this PCR must be so, N=HEX; repeat" },
        { .name = "--allow-simulated",
          .flag = &o.allow_simulated,
          .help = "accept a root that is not AMD's" },
        { 0 },
    };
    bool done;
    TRY(cli_args(&done, rows, argc, argv));
    return done ? RC_OK : run(&o);
}

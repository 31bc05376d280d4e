/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle judged: the list of checks, and what they come to. */
#include "cli/verify_inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define WORDS_MAX 700

/* ---- marking ------------------------------------------------------------ */

static void mark(struct verify *v, const char *id, bool ok,
                 const char *expected, const char *words)
{
    v->ok = v->ok && ok;
    json_t *c = json_pack("{s:s, s:b, s:s?, s:s?, s:s}", "id", id, "ok",
                          (int)ok, "expected", ok ? NULL : expected, "actual",
                          ok ? NULL : words, "words", words);
    if (!c || json_array_append_new(v->checks, c) != 0)
        v->ok = false; /* out of memory, or words that are no UTF-8 */
}

void verify_pass(struct verify *v, const char *id, const char *fmt, ...)
{
    char words[WORDS_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    mark(v, id, true, NULL, words);
}

void verify_fail(struct verify *v, const char *id, const char *expected,
                 const char *fmt, ...)
{
    char words[WORDS_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    mark(v, id, false, expected, words);
}

void verify_mark(struct verify *v, const char *id, enum rc rc,
                 const char *expected, const char *fmt, ...)
{
    char words[WORDS_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    mark(v, id, rc == RC_OK, expected, rc == RC_OK ? words : rc_text());
}

void verify_fact(struct verify *v, const char *name, json_t *value)
{
    if (value)
        json_object_set_new(v->facts, name, value);
}

/* ---- what several checks need -------------------------------------------- */

const struct policy *verify_policy(const struct verify *v,
                                   const uint8_t sha256[32])
{
    for (unsigned i = 0; i < v->trust->n; i++)
        if (memcmp(v->trust->at[i]->sha256, sha256, 32) == 0)
            return v->trust->at[i];
    return NULL;
}

static bool is_bare(const char *note)
{
    const char *line = strstr(note, "\n\n");
    const char *lf = line ? strchr(line + 2, '\n') : NULL;
    return lf && lf[1] == '\0';
}

enum rc verify_proof(struct tlog_proof *out, struct tlog_checkpoint *cp,
                     const struct verify *v, const struct wire_proof *in)
{
    TRY(cli_proof(out, in));
    if (!v->newest->has_log)
        return rc_raise(RC_LOG, "the policy names no log");
    TRY(tlog_proof_check(out, &v->newest->log, cp));
    if (!is_bare(out->checkpoint))
        return rc_raise(RC_LOG, "the checkpoint has lines besides the log's");
    return RC_OK;
}

static enum rc judge_records(struct policy_approved *by, const struct verify *v,
                             const struct verify_records *r, bool requester,
                             struct tlog_blob at[POLICY_MAX_APPROVALS])
{
    unsigned n;
    const struct tlog_blob who = { r->requester->p, r->requester->len };
    TRY(cli_blobs(at, &n, r->at, r->n));
    return policy_judge(by, r->p, v->genesis, r->s, requester ? &who : NULL, at,
                        n, POLICY_AT_ITS_TIME);
}

enum rc verify_records(struct policy_approved *by, const struct verify *v,
                       const struct verify_records *r)
{
    struct tlog_blob at[POLICY_MAX_APPROVALS];
    struct policy_approved bare;
    uint8_t root[32];
    bool requester = r->requester->len > 0;
    TRY(judge_records(by, v, r, requester, at));
    if (memcmp(by->root, r->root, 32) != 0)
        return rc_raise(RC_VERIFY, "the log has other approvals");
    tlog_approvals_root(root, at, (unsigned)r->n);
    if (memcmp(root, r->root, 32) != 0)
        return rc_raise(RC_VERIFY, "records that were not counted, or not "
                                   "ascending by person");
    if (requester && judge_records(&bare, v, r, false, at) == RC_OK)
        return rc_raise(RC_VERIFY, "a requester's record that the rule does "
                                   "not ask for");
    return RC_OK;
}

/* ---- the whole ------------------------------------------------------------ */

/* A bundle of the format before this one, or none at all: which member? */
static void refuse_bundle(struct verify *v, enum rc rc)
{
    char why[400];
    snprintf(why, sizeof(why), "%.399s", rc_text());
    json_t *o = json_loadb((const char *)v->ask->bundle, v->ask->bundle_len, 0,
                           NULL);
    const json_t *version = json_object_get(o, "v");
    bool old = json_is_integer(version) &&
               json_integer_value(version) < WIRE_BUNDLE_V;
    (void)rc;
    verify_fail(v, "bundle", "a bundle of version 2, all members, no others",
                "%s%s", why,
                old ? " (a bundle of version 1, from before bundles held "
                      "receipts: sign again to have one)"
                    : "");
    json_decref(o);
}

static void check_digest(struct verify *v)
{
    uint8_t got[32];
    enum rc rc = wire_bundle_digest(got, &v->bundle);
    if (rc == RC_OK && memcmp(got, v->bundle.digest, 32) != 0)
        rc = rc_raise(RC_VERIFY, "changed or damaged since it was made");
    verify_mark(v, "whole", rc, "the digest of all other members",
                "as its sidecar made it");
}

static void check_hardware(struct verify *v)
{
    bool others = v->ok; /* the hardware has an exit code of its own */
    if (v->simulated && !v->ask->allow_simulated)
        verify_fail(v, "hardware", "AMD hardware",
                    "SIMULATED: no AMD hardware stands behind this");
    else
        verify_pass(v, "hardware", "%s",
                    v->simulated ? "SIMULATED: no AMD hardware stands behind "
                                   "this, and that was allowed"
                                 : "not simulated");
    v->ok = others;
}

static void judge(struct verify *v)
{
    enum rc rc = verify_bundle(v);
    if (rc != RC_OK) {
        verify_mark(v, "bundle", rc, "members that can be read", "%s", "");
        return;
    }
    check_digest(v);
    verify_log(v);
    if (v->under)
        verify_birth(v, "birth", &v->bundle.birth, v->bundle.group_key,
                     v->intent.class, v->bundle.profile);
    verify_signers(v);
    verify_chain(v);
    check_hardware(v);
    verify_facts(v);
}

static void say_trust(struct verify *v)
{
    const struct verify_trust *t = v->trust;
    if (t->chain)
        verify_pass(v, "trust",
                    "%u policy versions, each approved by the one before and "
                    "logged",
                    t->n);
    else
        verify_pass(v, "trust", "policy version%s %llu%s as given",
                    t->n > 1 ? "s" : "", (unsigned long long)t->at[0]->version,
                    t->n > 1 ? " and later ones," : "");
}

/* cosigners are <deployment>/node<id>, the log is <deployment>/log */
static void name_deployment(struct verify *v)
{
    const char *name = v->newest->has_log ? v->newest->log.name
                                          : v->newest->cluster;
    size_t len = strlen(name);
    if (v->newest->has_log && len > 4 && strcmp(name + len - 4, "/log") == 0)
        len -= 4;
    snprintf(v->deployment, sizeof(v->deployment), "%.*s", (int)len, name);
}

static enum rc read_content(struct verify *v)
{
    if (v->ask->file)
        return cli_content_read(&v->content, v->ask->file, true);
    v->content.size = v->ask->data_len;
    hash256(v->content.sha256, v->ask->data, v->ask->data_len);
    hash512(v->content.sha512, v->ask->data, v->ask->data_len);
    v->content.bytes = malloc(v->ask->data_len + 1);
    if (!v->content.bytes)
        return rc_raise(RC_NOMEM, "verify: out of memory");
    if (v->ask->data_len)
        memcpy(v->content.bytes, v->ask->data, v->ask->data_len);
    return RC_OK;
}

static enum rc begin(struct verify *v)
{
    v->checks = json_array();
    v->facts = json_object();
    v->ok = true;
    v->trust = v->ask->trust;
    if (!v->checks || !v->facts)
        return rc_raise(RC_NOMEM, "verify: out of memory");
    if (v->trust->n == 0)
        return rc_raise(RC_ARG, "verify: no policy to judge it by");
    v->newest = v->trust->at[v->trust->n - 1];
    name_deployment(v);
    return read_content(v);
}

static enum rc verdict(const struct verify *v)
{
    if (!v->ok)
        return rc_raise(RC_VERIFY, "verification failed");
    if (v->simulated && !v->ask->allow_simulated) {
        enum rc rc = rc_raise(RC_ATTEST, "simulated hardware is refused");
        rc_hint("--allow-simulated accepts it, for trials only");
        return rc;
    }
    return RC_OK;
}

static void verify_end(struct verify *v)
{
    wire_bundle_free(&v->bundle);
    cli_content_free(&v->content);
    json_decref(v->checks);
    json_decref(v->facts);
    free(v);
}

enum rc verify_run(struct verify_result *out, const struct verify_ask *ask)
{
    struct verify *v = calloc(1, sizeof(*v));
    memset(out, 0, sizeof(*out));
    if (!v)
        return rc_raise(RC_NOMEM, "verify: out of memory");
    v->ask = ask;
    enum rc rc = begin(v);
    if (rc != RC_OK) {
        verify_end(v);
        return rc;
    }
    say_trust(v);
    rc = wire_bundle_decode(&v->bundle, (const char *)ask->bundle,
                            ask->bundle_len);
    if (rc == RC_OK)
        judge(v);
    else
        refuse_bundle(v, rc);
    rc = verdict(v);
    *out = (struct verify_result){ .ok = rc == RC_OK,
                                   .simulated = v->simulated,
                                   .fork_proof = v->fork_proof,
                                   .checks = json_incref(v->checks),
                                   .facts = json_incref(v->facts) };
    verify_end(v);
    return rc;
}

void verify_result_free(struct verify_result *r)
{
    json_decref(r->checks);
    json_decref(r->facts);
    memset(r, 0, sizeof(*r));
}

enum rc verify_print(const struct verify_result *r)
{
    size_t i;
    json_t *c;
    json_array_foreach (r->checks, i, c) {
        bool ok = json_is_true(json_object_get(c, "ok"));
        const char *want = json_string_value(json_object_get(c, "expected"));
        TRY(cli_say_line(
                "%-4s %-12s %s%s%s", ok ? "ok" : "FAIL",
                json_string_value(json_object_get(c, "id")),
                json_string_value(json_object_get(c, "words")),
                ok || !want ? "" : "; expected: ", ok || !want ? "" : want));
    }
    return RC_OK;
}

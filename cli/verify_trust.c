/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom the reader trusts: policy files as they are, or an export whose every
 * version was approved by the one before and stands in the log it names.
 */
#include "cli/verify_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"

#define TRUST_MAX (64 * 1024 * 1024)

enum rc verify_trust_new(struct verify_trust **out)
{
    *out = calloc(1, sizeof(**out));
    return *out ? RC_OK : rc_raise(RC_NOMEM, "trust: out of memory");
}

void verify_trust_free(struct verify_trust *t)
{
    if (!t)
        return;
    for (unsigned i = 0; i < t->n_own; i++)
        policy_free(t->own[i]);
    policy_chain_free(t->chain);
    free(t->root.p);
    free(t);
}

/* ---- policy files ---------------------------------------------------------- */

static enum rc link_own(struct verify_trust *t)
{
    for (unsigned i = 0; i < t->n_own; i++)
        t->at[i] = t->own[i];
    t->n = t->n_own;
    for (unsigned i = 1; i < t->n; i++)
        for (unsigned j = i; j > 0 && t->at[j - 1]->version > t->at[j]->version;
             j--) {
            const struct policy *swap = t->at[j];
            t->at[j] = t->at[j - 1];
            t->at[j - 1] = swap;
        }
    return RC_OK;
}

/* Ascending; each names the one before: the newest is what is trusted. */
static enum rc check_links(const struct verify_trust *t)
{
    for (unsigned i = 1; i < t->n; i++)
        if (t->at[i]->version != t->at[i - 1]->version + 1 ||
            memcmp(t->at[i]->prev, t->at[i - 1]->sha256, 32) != 0)
            return rc_raise(RC_POLICY,
                            "--policy: version %llu does not follow on the "
                            "version %llu given",
                            (unsigned long long)t->at[i]->version,
                            (unsigned long long)t->at[i - 1]->version);
    return RC_OK;
}

static enum rc add_policy(struct verify_trust *t, const void *bytes, size_t len)
{
    if (t->chain)
        return rc_raise(RC_ARG, "--policy: a trust export is given alone");
    if (t->n_own == WIRE_MAX_VERSIONS)
        return rc_raise(RC_ARG, "--policy: at most %d files",
                        WIRE_MAX_VERSIONS);
    TRY(policy_parse(&t->own[t->n_own], bytes, len));
    t->n_own++;
    return link_own(t);
}

/* ---- an export -------------------------------------------------------------- */

static enum rc add_version(struct policy_chain *chain,
                           const struct wire_policy *in)
{
    struct policy *next = NULL;
    struct policy_approved by;
    struct tlog_blob approvals[POLICY_MAX_APPROVALS];
    const struct wire_session *s = &in->session;
    struct tlog_blob descriptor = { s->descriptor.p, s->descriptor.len };
    struct tlog_blob requester = { s->requester.p, s->requester.len };
    OWNED_MEM struct tlog_proof *proof = calloc(1, sizeof(*proof));
    unsigned n;
    if (!proof)
        return rc_raise(RC_NOMEM, "trust: out of memory");
    if (in->proof.n != 1)
        return rc_raise(RC_LOG, "a version without its log proof");
    TRY(cli_proof(proof, &in->proof.at[0]));
    TRY(cli_blobs(approvals, &n, s->approvals.at, s->approvals.n));
    TRY(policy_chain_check(&next, &by, chain, in->policy.p, in->policy.len,
                           &descriptor, requester.len ? &requester : NULL,
                           approvals, n, POLICY_AT_ITS_TIME));
    enum rc rc = policy_chain_take(chain, next, &by, proof);
    if (rc != RC_OK)
        policy_free(next);
    return rc;
}

static enum rc check_log_key(const struct verify_trust *t,
                             const struct wire_text *text)
{
    struct tlog_vkey key;
    const struct policy *newest = t->at[t->n - 1];
    if (!newest->has_log)
        return text->len == 0 ? RC_OK
                              : rc_raise(RC_LOG, "log: its policy names none");
    TRY(tlog_vkey_parse(&key, text->p));
    if (strcmp(key.name, newest->log.name) != 0 ||
        key.type != newest->log.type ||
        memcmp(key.key, newest->log.key, 32) != 0)
        return rc_raise(RC_LOG, "log: not the one its policy names");
    return RC_OK;
}

enum rc verify_trust_take(struct verify_trust *t, const struct wire_trust *in)
{
    if (t->n)
        return rc_raise(RC_ARG, "--policy: a trust export is given alone");
    const struct wire_blob *genesis = &in->versions.at[0].policy;
    TRY(policy_chain_new(&t->chain, genesis->p, genesis->len, in->genesis));
    for (size_t i = 1; i < in->versions.n; i++) {
        enum rc rc = add_version(t->chain, &in->versions.at[i]);
        if (rc != RC_OK)
            return rc_prefix(rc, "trust: version %zu: ", i + 1);
    }
    for (size_t i = 0; i < in->versions.n; i++)
        t->at[i] = policy_chain_at(t->chain, i + 1);
    t->n = (unsigned)in->versions.n;
    TRY(wire_blob_set(&t->root, in->root.p, in->root.len));
    return check_log_key(t, &in->log);
}

static enum rc add_export(struct verify_trust *t, const void *json, size_t len)
{
    WIRE(trust) in = { 0 };
    TRY(wire_trust_decode(&in, json, len));
    if (in.v != 1)
        return rc_raise(RC_PARSE, "trust.v: %llu, want 1",
                        (unsigned long long)in.v);
    return verify_trust_take(t, &in);
}

/* Only an export has "versions" at its top. */
static bool is_export(const void *json, size_t len)
{
    json_t *o = json_loadb(json, len, 0, NULL);
    bool is = json_object_get(o, "versions") != NULL;
    json_decref(o);
    return is;
}

enum rc verify_trust_read(struct verify_trust *t, const char *path)
{
    OWNED_MEM uint8_t *bytes = NULL;
    size_t len;
    TRY(file_read(&bytes, &len, path, TRUST_MAX));
    enum rc rc = is_export(bytes, len) ? add_export(t, bytes, len)
                                       : add_policy(t, bytes, len);
    return rc == RC_OK ? check_links(t) : rc_prefix(rc, "%s: ", path);
}

/* ---- a sidecar ---------------------------------------------------------------- */

enum rc verify_trust_fetch(struct wire_trust *out, const char *socket)
{
    struct http_answer a;
    struct policy *newest;
    char vkey[TLOG_VKEY_MAX] = "";
    WIRE(policies) in = { 0 };
    TRY(cli_ask(&a, socket, "/v1/policy", NULL, 0, CLI_ASK_MS));
    enum rc rc = wire_policies_decode(&in, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    TRY(rc);
    if (in.versions.n == 0)
        return rc_raise(RC_POLICY, "the sidecar holds no policy");
    const struct wire_blob *last = &in.versions.at[in.versions.n - 1].policy;
    TRY(policy_parse(&newest, last->p, last->len));
    if (newest->has_log)
        tlog_vkey_text(vkey, &newest->log);
    policy_free(newest);
    memset(out, 0, sizeof(*out));
    out->v = 1;
    hash256(out->genesis, in.versions.at[0].policy.p,
            in.versions.at[0].policy.len);
    TRY(wire_text_set(&out->log, vkey, strlen(vkey)));
    TRY(wire_blob_set(&out->root, "", 0));
    out->versions.at = TAKE(in.versions.at);
    out->versions.n = in.versions.n;
    in.versions.n = 0;
    return RC_OK;
}

enum rc verify_trust_ask(struct verify_trust *t, const char *socket)
{
    WIRE(trust) in = { 0 };
    TRY(verify_trust_fetch(&in, socket));
    return verify_trust_take(t, &in);
}

enum rc verify_trust_pin(struct verify_trust *t, const struct wire_blob *root)
{
    free(TAKE(t->root.p));
    return wire_blob_set(&t->root, root->p, root->len);
}

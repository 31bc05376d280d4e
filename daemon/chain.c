/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy chain as a CA or a log holds it: verified like everywhere else,
 * one file a version in state_dir, and the answers the channel asks for.
 * (Sidecars keep theirs in state.db and also govern the vault's roster.)
 */
#include "daemon/chain.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/own.h"

#define MAX_JSON (1024 * 1024)

struct daemon_chain {
    pthread_mutex_t lock;
    struct daemon *d;
    struct policy_chain *chain;
    struct tlog_vkey only_log; /* versions may name no other */
    bool has_only_log;
};

/* ---- taking a version ---------------------------------------------------------- */

static enum rc check(struct policy **next, struct policy_approved *approved,
                     const struct policy_chain *chain,
                     const struct wire_policy *in)
{
    struct tlog_blob approvals[POLICY_MAX_APPROVALS];
    const struct wire_session *s = &in->session;
    if (s->approvals.n > POLICY_MAX_APPROVALS)
        return rc_raise(RC_PARSE, "policy: %zu approvals", s->approvals.n);
    for (size_t i = 0; i < s->approvals.n; i++)
        approvals[i] = (struct tlog_blob){ s->approvals.at[i].p,
                                           s->approvals.at[i].len };
    struct tlog_blob descriptor = { s->descriptor.p, s->descriptor.len };
    struct tlog_blob requester = { s->requester.p, s->requester.len };
    /* It is logged, so it is judged as of its own time. */
    struct policy_session parsed;
    TRY(policy_session_parse(&parsed, descriptor.p, descriptor.len));
    return policy_chain_check(
            next, approved, chain, in->policy.p, in->policy.len, &descriptor,
            &requester, approvals, (unsigned)s->approvals.n, parsed.created);
}

static enum rc proof_of(struct tlog_proof *out, const struct wire_policy *in)
{
    if (in->proof.n != 1)
        return rc_raise(RC_LOG, "policy: in force only with its log proof");
    const struct wire_proof *p = &in->proof.at[0];
    if (p->entry.len > TLOG_ENTRY_MAX || p->checkpoint.len >= TLOG_NOTE_MAX ||
        p->path.n > TLOG_PATH_MAX)
        return rc_raise(RC_PARSE, "policy: proof too long");
    memset(out, 0, sizeof(*out));
    memcpy(out->entry, p->entry.p, p->entry.len);
    out->entry_len = p->entry.len;
    out->index = p->index;
    memcpy(out->checkpoint, p->checkpoint.p, p->checkpoint.len);
    out->path.n = (unsigned)p->path.n;
    for (size_t i = 0; i < p->path.n; i++)
        memcpy(out->path.hash[i].b, p->path.at[i].b, 32);
    return RC_OK;
}

/* One that we could not judge peers by never comes in force. */
static enum rc attestation_reads(const struct policy *next)
{
    OWNED_MEM struct attest_rules *rules = calloc(1, sizeof(*rules));
    bool has;
    if (!rules)
        return rc_raise(RC_NOMEM, "attestation policy");
    enum rc rc = attest_rules_shared(rules, &has, next->attestation,
                                     next->attestation_len);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "policy.attestation: ");
}

/* Under lock. */
static enum rc take(struct daemon_chain *c, const struct wire_policy *in,
                    uint64_t *version)
{
    struct policy *next = NULL;
    struct policy_approved approved;
    struct tlog_proof proof;
    TRY(check(&next, &approved, c->chain, in));
    *version = next->version;
    enum rc rc = attestation_reads(next);
    if (rc == RC_OK)
        rc = proof_of(&proof, in);
    if (rc == RC_OK && c->has_only_log &&
        (!next->has_log || memcmp(next->log.key, c->only_log.key, 32) != 0))
        rc = rc_raise(RC_POLICY, "policy: names another log than this one");
    if (rc == RC_OK)
        rc = policy_chain_take(c->chain, next, &approved, &proof);
    if (rc != RC_OK)
        policy_free(next);
    return rc;
}

/* ---- at rest ------------------------------------------------------------------------ */

static void file_of(char out[600], const struct daemon_chain *c,
                    uint64_t version)
{
    snprintf(out, 600, "%s/policy-%llu.json", c->d->state_dir,
             (unsigned long long)version);
}

static enum rc load_all(struct daemon_chain *c)
{
    for (uint64_t version = 2;; version++) {
        char path[600];
        OWNED_MEM uint8_t *json = NULL;
        size_t len;
        file_of(path, c, version);
        enum rc rc = file_read(&json, &len, path, MAX_JSON);
        if (rc == RC_UNKNOWN)
            return RC_OK;
        TRY(rc);
        WIRE(policy) in = { 0 };
        uint64_t taken;
        TRY(wire_policy_decode(&in, (const char *)json, len));
        TRY(take(c, &in, &taken));
    }
}

enum rc daemon_chain_open(struct daemon_chain **out, struct daemon *d,
                          const struct tlog_vkey *only_log)
{
    struct daemon_chain *c = calloc(1, sizeof(*c));
    if (!c)
        return rc_raise(RC_NOMEM, "policy chain: out of memory");
    pthread_mutex_init(&c->lock, NULL);
    c->d = d;
    if (only_log) {
        c->only_log = *only_log;
        c->has_only_log = true;
    }
    enum rc rc = policy_chain_new(&c->chain, d->genesis, d->genesis_len,
                                  d->genesis_sha256);
    if (rc == RC_OK)
        rc = load_all(c);
    if (rc != RC_OK) {
        daemon_chain_free(c);
        return rc;
    }
    *out = c;
    return RC_OK;
}

void daemon_chain_free(struct daemon_chain *c)
{
    if (!c)
        return;
    policy_chain_free(c->chain);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- what the channel asks ------------------------------------------------------------- */

static enum rc allowed(void *ctx, const char *uri, uint8_t (*hashes)[32],
                       unsigned *n, enum attest_role *role)
{
    struct daemon_chain *c = ctx;
    enum policy_role r;
    uint16_t id;
    pthread_mutex_lock(&c->lock);
    const struct policy *p = policy_chain_head(c->chain);
    enum rc rc = policy_uri_find(&r, &id, p, uri);
    if (rc == RC_OK) {
        *n = p->n_measurements[r];
        memcpy(hashes, p->measurement[r], 32 * (size_t)*n);
        *role = r == POLICY_CA    ? ATTEST_CA
                : r == POLICY_LOG ? ATTEST_LOG
                                  : ATTEST_SIDECAR;
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}

static void head(void *ctx, struct wire_policy_head *out)
{
    struct daemon_chain *c = ctx;
    pthread_mutex_lock(&c->lock);
    const struct policy *p = policy_chain_head(c->chain);
    out->version = p->version;
    memcpy(out->sha256, p->sha256, 32);
    pthread_mutex_unlock(&c->lock);
}

/* A CA or log does not go and fetch: whoever needs it to know, tells it. */
static void peer_head(void *ctx, const char *uri,
                      const struct wire_policy_head *theirs)
{
    struct wire_policy_head own;
    head(ctx, &own);
    if (theirs->version > own.version)
        log_warn("policy.behind", "own=%llu theirs=%llu peer=%s",
                 (unsigned long long)own.version,
                 (unsigned long long)theirs->version, uri);
}

struct attest_channel_host daemon_chain_host(struct daemon_chain *c)
{
    return (struct attest_channel_host){ .allowed = allowed,
                                         .policy_head = head,
                                         .peer_head = peer_head,
                                         .refused = daemon_on_refused,
                                         .news = daemon_on_news,
                                         .ctx = c };
}

enum rc daemon_chain_rules(struct daemon_chain *c)
{
    OWNED_MEM char *json = NULL;
    pthread_mutex_lock(&c->lock);
    const struct policy *p = policy_chain_head(c->chain);
    size_t len = p->attestation_len;
    if (p->attestation)
        json = strdup(p->attestation);
    bool bad = p->attestation && !json;
    pthread_mutex_unlock(&c->lock);
    if (bad)
        return rc_raise(RC_NOMEM, "attestation policy");
    return daemon_rules(c->d, json, len);
}

const struct policy_chain *daemon_chain_lock(struct daemon_chain *c)
{
    pthread_mutex_lock(&c->lock);
    return c->chain;
}

void daemon_chain_unlock(struct daemon_chain *c)
{
    pthread_mutex_unlock(&c->lock);
}

/* ---- POST and GET /v1/policy --------------------------------------------------------------- */

static enum rc keep(struct daemon_chain *c, uint64_t version,
                    const struct wire_policy *in)
{
    char path[600];
    OWNED_MEM char *json = NULL;
    size_t len;
    file_of(path, c, version);
    TRY(wire_policy_encode(&json, &len, in));
    return file_write(path, json, len, 0600);
}

static enum rc adopt(struct daemon_chain *c, const struct wire_policy *in)
{
    uint8_t hash[32];
    uint64_t version = 0;
    hash256(hash, in->policy.p, in->policy.len);
    pthread_mutex_lock(&c->lock);
    bool have = policy_chain_by_hash(c->chain, hash) != NULL;
    enum rc rc = have ? RC_OK : take(c, in, &version);
    pthread_mutex_unlock(&c->lock);
    TRY(rc);
    if (have)
        return RC_OK;
    /* In force from here: whoever it no longer allows is out at once. */
    attest_channel_reset(c->d->channel);
    rc = daemon_chain_rules(c);
    if (rc == RC_OK)
        rc = keep(c, version, in);
    if (rc != RC_OK) {
        /* Going on would forget a version at the next start. */
        log_rc(LOG_ERROR, "stopping", rc);
        raise(SIGTERM);
        return rc;
    }
    log_info("policy.in_force", "version=%llu", (unsigned long long)version);
    return RC_OK;
}

enum rc daemon_chain_post(struct http_call *call, struct daemon_chain *c)
{
    size_t body_len;
    const uint8_t *body = http_call_body(call, &body_len);
    WIRE(policy) in = { 0 };
    TRY(wire_policy_decode(&in, (const char *)body, body_len));
    TRY(adopt(c, &in));
    struct wire_policy_head now;
    OWNED_MEM char *json = NULL;
    size_t len;
    head(c, &now);
    TRY(wire_policy_head_encode(&json, &len, &now));
    return http_reply(call, 200, NULL, json, len);
}

static enum rc read_version(struct wire_policy *out,
                            const struct daemon_chain *c, uint64_t version)
{
    char path[600];
    OWNED_MEM uint8_t *json = NULL;
    size_t len;
    file_of(path, c, version);
    TRY(file_read(&json, &len, path, MAX_JSON));
    return wire_policy_decode(out, (const char *)json, len);
}

/* Where all nodes are new, nobody else has them. */
enum rc daemon_chain_get(struct http_call *call, struct daemon_chain *c)
{
    WIRE(policies) all = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct wire_policy_head now;
    head(c, &now);
    TRY(wire_list_new(&all.versions, now.version));
    TRY(wire_blob_set(&all.versions.at[0].policy, c->d->genesis,
                      c->d->genesis_len));
    for (uint64_t v = 2; v <= now.version; v++)
        TRY(read_version(&all.versions.at[v - 1], c, v));
    TRY(wire_policies_encode(&json, &len, &all));
    return http_reply(call, 200, NULL, json, len);
}

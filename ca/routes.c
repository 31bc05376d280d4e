/* SPDX-License-Identifier: Apache-2.0 */
/* mpc-ca's rows: sidecars ask for leaves, and tell it policy versions. */
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "ca/server.h"

OWNED_BY(EVP_PKEY, EVP_PKEY_free);

#define ISSUE_MAX (1024 * 1024) /* a birth: votes of 128 nodes, 32 records */

/* What is asked, judged; then what it takes to sign it. */
struct asked {
    uint8_t policy[32]; /* in force */
    uint64_t birth;
    int64_t ttl_s;
    int64_t now_s;
    uint8_t root[CA_DER_MAX];
    size_t root_len;
    uint8_t tbs[CA_DER_MAX];
    size_t tbs_len;
};

/* Under the chain's lock. */
static enum rc judge(struct asked *a, const struct policy_chain *chain,
                     const struct wire_issue *in)
{
    const struct policy_profile *profile;
    struct tlog_birth entry;
    struct policy_session session;
    TRY(ca_birth_check(&profile, &entry, &session, chain, &in->birth));
    if (strcmp(profile->name, in->profile) != 0)
        return rc_raise(RC_POLICY, "profile: asked for %s, born for %s",
                        in->profile, profile->name);
    memcpy(a->policy, policy_chain_head(chain)->sha256, 32);
    a->birth = in->birth.proof.index;
    a->ttl_s = profile->cert_ttl_s;
    return RC_OK;
}

/* Under the chain's lock. */
static enum rc build(struct asked *a, const struct ca_server *ca,
                     const struct policy_chain *chain,
                     const struct wire_issue *in)
{
    struct ca_leaf leaf = { .chain = chain,
                            .birth = &in->birth,
                            .issuer = a->root,
                            .issuer_len = a->root_len,
                            .tee_hash = ca->own_hash,
                            .simulated = ca->simulated,
                            .now_s = a->now_s };
    return ca_leaf_tbs(a->tbs, &a->tbs_len, &leaf);
}

static enum rc sign(struct wire_chain *out, struct ca_server *ca,
                    const struct asked *a)
{
    OWNED(EVP_PKEY) *key = NULL;
    TRY(ca_server_key(&key, ca));
    enum rc rc = ca_sign(out, key, a->tbs, a->tbs_len, a->root, a->root_len);
    if (rc != RC_OK)
        ca_server_key_drop(ca);
    return rc;
}

/* The lock is let go before the round: policy may come in meanwhile. */
static enum rc issue(struct wire_chain *out, struct ca_server *ca,
                     struct asked *a, const struct wire_issue *in)
{
    TRY(ca_server_root(a->root, &a->root_len, ca));
    const struct policy_chain *chain = daemon_chain_lock(ca->chain);
    enum rc rc = build(a, ca, chain, in);
    daemon_chain_unlock(ca->chain);
    TRY(rc);
    FAILPOINT(ca_judged);
    TRY(sign(out, ca, a));
    FAILPOINT(ca_signed);
    return ca_ready_put(ca, a->policy, a->birth, a->now_s, a->ttl_s, out);
}

static enum rc answer(struct wire_chain *out, bool *fresh, struct ca_server *ca,
                      const struct wire_issue *in)
{
    OWNED_MEM struct asked *a = calloc(1, sizeof(*a));
    if (!a)
        return rc_raise(RC_NOMEM, "issue: out of memory");
    a->now_s = clock_now_s();
    const struct policy_chain *chain = daemon_chain_lock(ca->chain);
    enum rc rc = judge(a, chain, in);
    daemon_chain_unlock(ca->chain);
    TRY(rc);
    *fresh = ca_ready_get(out, ca, a->policy, a->birth, a->now_s) != RC_OK;
    return *fresh ? issue(out, ca, a, in) : RC_OK;
}

static enum rc on_issue(struct http_call *call, void *ctx)
{
    struct ca_server *ca = ctx;
    struct attest_peer peer;
    TRY(attest_channel_peer(&peer, call));
    if (peer.role != ATTEST_SIDECAR)
        return rc_raise(RC_AUTH, "issue: only sidecars may");
    size_t body_len;
    const uint8_t *body = http_call_body(call, &body_len);
    WIRE(issue) in = { 0 };
    WIRE(chain) out = { 0 };
    bool fresh;
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_issue_decode(&in, (const char *)body, body_len));
    enum rc rc = answer(&out, &fresh, ca, &in);
    if (rc != RC_OK) {
        log_rc(LOG_WARN, "ca.refused", rc);
        return rc;
    }
    log_info("ca.issued", "profile=%s birth=%llu fresh=%s peer=%s", in.profile,
             (unsigned long long)in.birth.proof.index, fresh ? "yes" : "no",
             peer.uri);
    TRY(wire_chain_encode(&json, &len, &out));
    return http_reply(call, 200, NULL, json, len);
}

static enum rc on_policy(struct http_call *call, void *ctx)
{
    struct ca_server *ca = ctx;
    return daemon_chain_post(call, ca->chain);
}

/* clang-format off */
const struct http_route ca_peer_routes[] = {
    DAEMON_ATTEST_ROUTES,
    { "POST", "/v1/ca/issue", HTTP_PEER, ISSUE_MAX,   on_issue },
    { "POST", "/v1/policy",   HTTP_PEER, 1024 * 1024, on_policy },
    { 0 },
};
/* clang-format on */

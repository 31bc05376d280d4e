/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mpc-ca does when it is asked: a leaf, judged, built, promised by the
 * log and signed by the issuer key; and the root, which it is given once.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "ca/inner.h"
#include "ca/server.h"

OWNED_BY(BIO, BIO_free_all);

/* ---- a leaf --------------------------------------------------------------- */

/* What is asked, judged; then what it takes to sign it. */
struct asked {
    uint8_t policy[32]; /* in force */
    uint64_t birth;
    bool once; /* an ephemeral key */
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
    a->once = profile->ephemeral;
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

/* Who asks cannot see behind us: what is down, what it stops, what to do.
 * RC_NODES, for we answer ourselves. */
static enum rc outage(enum rc rc, const struct ca_server *ca, bool log_down)
{
    char why[512];
    bool silent = rc == RC_UNREACHABLE || rc == RC_TIMEOUT || rc == RC_NODES;
    if (!silent && !(log_down && (rc == RC_HEAD_BEHIND || rc == RC_LOG)))
        return rc;
    snprintf(why, sizeof(why), "%s", rc_text());
    if (log_down)
        rc = rc_raise(RC_NODES,
                      "the log does not answer (%s): until it does nothing is "
                      "signed, with any key; leaves that were issued stay "
                      "valid to their end",
                      why);
    else
        rc = rc_raise(RC_NODES,
                      "the issuer key %s does not sign (%s): until it does "
                      "nobody gets a new certificate; leaves that were issued "
                      "stay valid to their end, and keys sign without one",
                      conf_get(ca->d.conf, "key"), why);
    rc_hint("%s", log_down ? "systemctl start mpc-log (mpcsign dev start log)"
                           : "start the sidecar that mpc-ca asks, and enough "
                             "others: mpcsign status");
    return rc;
}

static enum rc sign(struct wire_chain *out, struct ca_server *ca,
                    const struct asked *a, bool log_down)
{
    OWNED(EVP_PKEY) *key = NULL;
    enum rc rc = ca_server_key(&key, ca);
    if (rc == RC_OK)
        rc = ca_sign(out, key, a->tbs, a->tbs_len, a->root, a->root_len);
    if (rc == RC_OK)
        return RC_OK;
    ca_server_key_drop(ca);
    return outage(rc, ca, log_down);
}

/* The lock is let go before the round: policy may come in meanwhile. */
static enum rc issue(struct wire_chain *out, struct ca_server *ca,
                     struct asked *a, const struct wire_issue *in)
{
    bool log_down;
    TRY(ca_server_root(a->root, &a->root_len, ca));
    const struct policy_chain *chain = daemon_chain_lock(ca->chain);
    enum rc rc = build(a, ca, chain, in);
    daemon_chain_unlock(ca->chain);
    TRY(rc);
    FAILPOINT(ca_judged);
    TRY(ca_promise_get(ca, a->tbs, &a->tbs_len, a->root, a->root_len,
                       &log_down));
    TRY(sign(out, ca, a, log_down));
    FAILPOINT(ca_signed);
    return ca_ready_put(ca, a->policy, a->birth, a->now_s, a->ttl_s, a->once,
                        out);
}

enum rc ca_serve_leaf(struct wire_chain *out, bool *fresh, struct ca_server *ca,
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

/* ---- the root ------------------------------------------------------------- */

static enum rc chain_of_one(struct wire_chain *out, const uint8_t *der,
                            size_t len)
{
    WIRE(chain) chain = { 0 };
    TRY(wire_list_new(&chain.chain, 1));
    TRY(wire_blob_set(&chain.chain.at[0], der, len));
    *out = chain;
    memset(&chain, 0, sizeof(chain)); /* moved */
    return RC_OK;
}

enum rc ca_serve_root(struct wire_chain *out, struct ca_server *ca)
{
    uint8_t der[CA_DER_MAX];
    size_t len;
    TRY(ca_server_root(der, &len, ca));
    return chain_of_one(out, der, len);
}

/* A root of this cluster and of the very key that is here. */
static enum rc check_root(struct ca_server *ca, const uint8_t *der, size_t len)
{
    char cluster[POLICY_NAME_MAX];
    uint8_t key[32], own[32];
    size_t own_len = sizeof(own);
    OWNED(EVP_PKEY) *mine = NULL;
    const struct policy_chain *chain = daemon_chain_lock(ca->chain);
    snprintf(cluster, sizeof(cluster), "%s", policy_chain_head(chain)->cluster);
    daemon_chain_unlock(ca->chain);
    TRY(ca_root_open(key, cluster, der, len));
    enum rc rc = ca_server_key(&mine, ca);
    if (rc != RC_OK)
        return outage(rc, ca, false);
    if (EVP_PKEY_get_raw_public_key(mine, own, &own_len) != 1 ||
        own_len != sizeof(own) || memcmp(own, key, sizeof(own)) != 0) {
        ERR_clear_error();
        return rc_raise(RC_ARG, "root: of another key than %s",
                        conf_get(ca->d.conf, "key"));
    }
    return RC_OK;
}

static enum rc keep_root(const struct ca_server *ca, const uint8_t *der,
                         size_t len)
{
    const char *path;
    const uint8_t *at = der;
    char *pem = NULL;
    OWNED(X509) *x = d2i_X509(NULL, &at, (long)len);
    OWNED(BIO) *bio = BIO_new(BIO_s_mem());
    TRY(conf_need(&path, ca->d.conf, "root"));
    if (!x || !bio || PEM_write_bio_X509(bio, x) != 1)
        return ca_ssl_raise(RC_INTERNAL, "root");
    long pem_len = BIO_get_mem_data(bio, &pem);
    enum rc rc = file_write(path, pem, (size_t)pem_len, 0644);
    if (rc == RC_OK)
        return RC_OK;
    rc = rc_prefix(rc, "root: cannot be kept: ");
    rc_hint("copy the root to %s of mpc-ca's host", path);
    return rc;
}

/* It stays the one it is; to be given the same again is no mistake. */
enum rc ca_serve_take(struct wire_chain *out, struct ca_server *ca,
                      const struct wire_chain *in)
{
    uint8_t have[CA_DER_MAX];
    size_t len;
    if (in->chain.n != 1)
        return rc_raise(RC_PARSE,
                        "chain: %zu certificates, want the root "
                        "alone",
                        in->chain.n);
    const struct wire_blob *root = &in->chain.at[0];
    TRY(check_root(ca, root->p, root->len));
    enum rc rc = ca_server_root(have, &len, ca);
    if (rc == RC_ORDER) {
        TRY(keep_root(ca, root->p, root->len));
        log_info("ca.root", "bytes=%zu", root->len);
        return chain_of_one(out, root->p, root->len);
    }
    TRY(rc);
    if (len != root->len || memcmp(have, root->p, len) != 0)
        return rc_raise(RC_EXISTS, "root: mpc-ca has another one");
    return chain_of_one(out, have, len);
}

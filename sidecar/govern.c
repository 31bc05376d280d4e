/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Governing: a policy version is judged against the one before, taken with
 * its log proof, kept, and followed by the vault's roster.
 */
#include "sidecar/new_keys.h"

#include <stdio.h>
#include <string.h>

/* ---- judging a version ----------------------------------------------------------- */

/* One version as it is at rest. */
struct found {
    uint64_t version;
    struct wire_policy policy;
};

/*
 * Every vote of a live key must be under the roster that comes (DESIGN
 * section 5), or no vault would take its share again after a restart.
 */
static bool names(const struct policy_node *node, const struct wire_vote *v)
{
    return node && node->has_keys &&
           memcmp(node->identity, v->identity, 32) == 0;
}

/* now: a holder that it names no more is lost already. */
static enum rc keeps_holders(const struct policy *next,
                             const struct policy *now, const struct key *k,
                             const struct wire_cert *cert)
{
    for (size_t i = 0; i < cert->votes.n; i++) {
        const struct wire_vote *v = &cert->votes.at[i];
        const struct policy_node *node = policy_node_find(next,
                                                          (uint16_t)v->node);
        const char *how = !node             ? "drops"
                          : !names(node, v) ? "gives another identity to"
                                            : NULL;
        if (!names(policy_node_find(now, (uint16_t)v->node), v))
            continue;
        if (how)
            return rc_raise(RC_POLICY,
                            "policy version %llu: %s node%llu, which holds a "
                            "share of key %s",
                            (unsigned long long)next->version, how,
                            (unsigned long long)v->node, k->name);
    }
    return RC_OK;
}

/*
 * Under lock. logged: the version is in force already, and only a node that
 * has a share to keep stands against it. Who has none may have missed epochs
 * between, of which only the versions that come will let it hear.
 */
static enum rc fits(const struct policy *next, const struct node *n,
                    bool logged)
{
    const struct policy *now = policy_chain_head(n->chain);
    if (n->w.attestation) {
        enum rc rc = n->w.attestation(n->w.ctx, next->attestation,
                                      next->attestation_len);
        if (rc != RC_OK)
            return rc_prefix(rc, "policy.attestation: ");
    }
    if (logged && !n->keys.has_roster)
        return RC_OK; /* no share opens here: others have them to keep */
    for (unsigned i = 0; i < n->n_keys; i++)
        if (!n->key[i].live.shown.cert.votes.n && /* else nobody holds it */
            (n->key[i].live.member || !logged))
            TRY(keeps_holders(next, now, &n->key[i], keys_cert(&n->key[i])));
    /* who has left holds its old share until it is retired */
    for (unsigned i = 0; i < n->n_keys; i++)
        TRY(keeps_holders(next, now, &n->key[i], &n->key[i].live.old));
    return RC_OK;
}

enum rc govern_fits(const struct policy *next, const struct node *n)
{
    return fits(next, n, false);
}

/* Under lock. */
enum rc govern_check(struct govern_checked *out, struct node *n,
                     const struct wire_policy *in, int64_t now_s)
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
    struct govern_checked c = { 0 };
    TRY(policy_chain_check(&c.next, &c.approved, n->chain, in->policy.p,
                           in->policy.len, &descriptor,
                           requester.len ? &requester : NULL, approvals,
                           (unsigned)s->approvals.n, now_s));
    enum rc rc = fits(c.next, n, now_s == POLICY_AT_ITS_TIME);
    if (rc != RC_OK) {
        policy_free(c.next);
        return rc;
    }
    *out = c;
    return RC_OK;
}

/* ---- in force ------------------------------------------------------------------------ */
/*
 * In this order, under policy_lock: into the chain, to the disk, into the
 * vault. What a crash or a full disk leaves undone is done by the next
 * settle(): the vault's roster never is of a version that is not at rest.
 */

static enum rc find_version(void *ctx, const char *name, uint64_t version,
                            const uint8_t *json, size_t len, const uint8_t *b,
                            size_t b_len)
{
    struct found *f = ctx;
    (void)name;
    (void)b;
    (void)b_len;
    if (version != f->version)
        return RC_OK;
    return wire_policy_decode(&f->policy, (const char *)json, len);
}

enum rc govern_version(struct wire_policy *out, struct node *n,
                       uint64_t version)
{
    struct found f = { .version = version };
    TRY(store_policies(n->w.store, find_version, &f));
    if (f.policy.proof.n != 1) {
        wire_policy_free(&f.policy);
        return rc_raise(RC_STORE, "policy version %llu: not at rest",
                        (unsigned long long)version);
    }
    *out = f.policy;
    return RC_OK;
}

static enum rc set_roster(struct node *n, const struct tlog_roster *roster,
                          const uint8_t hash[32], uint64_t version)
{
    WIRE(policy) in = { 0 };
    struct tlog_proof proof;
    OWNED_MEM char *text = malloc(TLOG_ROSTER_MAX);
    OWNED_MEM uint8_t *sealed = malloc(VAULT_SEALED_KEYS_MAX);
    if (!text || !sealed)
        return rc_raise(RC_NOMEM, "roster: out of memory");
    size_t len;
    size_t sealed_len = VAULT_SEALED_KEYS_MAX;
    TRY(govern_version(&in, n, version));
    TRY(proof_from_wire(&proof, &in.proof.at[0]));
    TRY(tlog_roster_encode(text, TLOG_ROSTER_MAX, &len, roster));
    TRY(vault_roster_set(n->w.vault, text, len, &proof, sealed, &sealed_len));
    TRY(store_put(n->w.store, "node_keys", sealed, sealed_len));
    node_lock(n);
    n->keys.has_roster = true;
    memcpy(n->keys.roster, hash, 32);
    node_unlock(n);
    return RC_OK;
}

/* The vault's roster follows the newest version. */
static enum rc follow_roster(struct node *n)
{
    OWNED_MEM struct tlog_roster *roster = calloc(1, sizeof(*roster));
    uint8_t hash[32];
    if (!roster)
        return rc_raise(RC_NOMEM, "roster: out of memory");
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    uint64_t version = p->version;
    /* version 1 names no keys; one without this vault's is not for it */
    bool same = !p->has_log || !policy_node_find(p, n->id) || keys_are_new(n);
    enum rc rc = same ? RC_OK : policy_roster(roster, hash, p);
    if (rc == RC_OK && !same)
        same = n->keys.has_roster && memcmp(hash, n->keys.roster, 32) == 0;
    node_unlock(n);
    TRY(rc);
    return same ? RC_OK : set_roster(n, roster, hash, version);
}

/* Under policy_lock. */
static enum rc settle(struct node *n)
{
    if (n->unstored) {
        TRY(store_policy_add(n->w.store, n->unstored_version, n->unstored,
                             n->unstored_len));
        free(TAKE(n->unstored));
    }
    return follow_roster(n);
}

/* Under lock. */
static enum rc take(struct node *n, struct govern_checked *c,
                    const struct wire_policy *in)
{
    struct tlog_proof proof;
    enum rc rc = RC_OK;
    if (in->proof.n != 1)
        rc = rc_raise(RC_LOG, "policy: in force only with its log proof");
    else if (!n->has_log || !c->next->has_log ||
             strcmp(n->log.name, c->next->log.name) != 0 ||
             memcmp(n->log.key, c->next->log.key, 32) != 0)
        rc = rc_raise(RC_POLICY, "policy: names another log than node%u holds",
                      n->id);
    if (rc == RC_OK)
        rc = proof_from_wire(&proof, &in->proof.at[0]);
    if (rc == RC_OK)
        rc = policy_chain_take(n->chain, c->next, &c->approved, &proof);
    if (rc != RC_OK)
        policy_free(c->next);
    return rc;
}

/* Under policy_lock. */
static enum rc adopt(struct node *n, const struct wire_policy *in)
{
    struct govern_checked c = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(settle(n));
    TRY(wire_policy_encode(&json, &len, in));
    /* no share that was judged by the version before leaves after this */
    pthread_rwlock_wrlock(&n->release_lock);
    node_lock(n);
    enum rc rc = govern_check(&c, n, in, POLICY_AT_ITS_TIME);
    if (rc == RC_OK) {
        n->unstored_version = c.next->version;
        rc = take(n, &c, in);
    }
    node_unlock(n);
    pthread_rwlock_unlock(&n->release_lock);
    TRY(rc);
    n->unstored = TAKE(json);
    n->unstored_len = len;
    rc = settle(n);
    if (n->w.policy_changed)
        n->w.policy_changed(n->w.ctx);
    return rc;
}

/* A version already in force is fine: retries are idempotent. */
enum rc govern_adopt(struct node *n, const struct wire_policy *in)
{
    uint8_t hash[32];
    crypto_hash_sha256(hash, in->policy.p, in->policy.len);
    pthread_mutex_lock(&n->policy_lock);
    node_lock(n);
    bool have = policy_chain_by_hash(n->chain, hash) != NULL;
    node_unlock(n);
    enum rc rc = have ? settle(n) : adopt(n, in);
    pthread_mutex_unlock(&n->policy_lock);
    return rc;
}

enum rc govern_take(struct node *n, const uint8_t *body, size_t len,
                    char **reply, size_t *reply_len)
{
    WIRE(policy) in = { 0 };
    TRY(wire_policy_decode(&in, (const char *)body, len));
    TRY(govern_adopt(n, &in));
    struct wire_policy_head head;
    node_policy_head(n, &head);
    return wire_policy_head_encode(reply, reply_len, &head);
}

static enum rc load_one(void *ctx, const char *name, uint64_t version,
                        const uint8_t *json, size_t len, const uint8_t *b,
                        size_t b_len)
{
    struct node *n = ctx;
    (void)name;
    (void)version;
    (void)b;
    (void)b_len;
    WIRE(policy) in = { 0 };
    TRY(wire_policy_decode(&in, (const char *)json, len));
    struct govern_checked c = { 0 };
    TRY(govern_check(&c, n, &in, POLICY_AT_ITS_TIME));
    struct tlog_proof proof;
    enum rc rc = in.proof.n == 1
                         ? proof_from_wire(&proof, &in.proof.at[0])
                         : rc_raise(RC_STORE, "policy at rest has no proof");
    if (rc == RC_OK)
        rc = policy_chain_take(n->chain, c.next, &c.approved, &proof);
    if (rc != RC_OK)
        policy_free(c.next);
    return rc;
}

enum rc govern_load(struct node *n)
{
    TRY(store_policies(n->w.store, load_one, n));
    return follow_roster(n);
}

/* ---- the chain, for whoever asks --------------------------------------------------------- */

static enum rc collect_one(void *ctx, const char *name, uint64_t version,
                           const uint8_t *json, size_t len, const uint8_t *b,
                           size_t b_len)
{
    struct wire_policies *all = ctx;
    (void)name;
    (void)b;
    (void)b_len;
    if (version < 2 || version > all->versions.n)
        return rc_raise(RC_STORE, "policy versions at rest have a gap");
    return wire_policy_decode(&all->versions.at[version - 1],
                              (const char *)json, len);
}

enum rc govern_chain(struct node *n, char **reply, size_t *reply_len)
{
    WIRE(policies) all = { 0 };
    node_lock(n);
    uint64_t versions = policy_chain_head(n->chain)->version;
    const struct policy *genesis = policy_chain_at(n->chain, 1);
    enum rc rc = wire_list_new(&all.versions, versions);
    if (rc == RC_OK)
        rc = wire_blob_set(&all.versions.at[0].policy, genesis->bytes,
                           genesis->bytes_len);
    node_unlock(n);
    TRY(rc);
    TRY(store_policies(n->w.store, collect_one, &all));
    return wire_policies_encode(reply, reply_len, &all);
}

void govern_on_policies(struct node *n, uint64_t call)
{
    char *json = NULL;
    size_t len = 0;
    enum rc rc = govern_chain(n, &json, &len);
    node_answer(n, call, rc, json, len);
}

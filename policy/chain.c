/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain of policy versions in force. A version enters only by the
 * stewards of the one before it and with its place in the log; of two, the
 * earlier in the log stands. Public data.
 */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

OWNED_STRUCT(policy);

struct link {
    struct policy *p;
    uint64_t index; /* of its entry; TLOG_NO_INDEX for genesis */
};
struct policy_chain {
    struct link *link; /* version v is link[v - 1] */
    size_t n;
    struct policy **gone; /* replaced, but perhaps borrowed */
    size_t n_gone;
};

/* Only stewards make versions grow; still not without end. */
#define CHAIN_MAX 65536

static void *grown(void *list, size_t n, size_t size)
{
    return n >= CHAIN_MAX ? NULL : reallocarray(list, n + 1, size);
}

static enum rc chain_add(struct policy_chain *c, struct policy *p,
                         uint64_t index)
{
    struct link *link = grown(c->link, c->n, sizeof(*link));
    if (!link)
        return rc_raise(RC_NOMEM, "policy chain: %zu versions", c->n);
    c->link = link;
    c->link[c->n++] = (struct link){ p, index };
    return RC_OK;
}

static enum rc chain_swap_head(struct policy_chain *c, struct policy *p,
                               uint64_t index)
{
    struct policy **gone = grown(c->gone, c->n_gone, sizeof(struct policy *));
    if (!gone)
        return rc_raise(RC_NOMEM, "policy chain: %zu replaced", c->n_gone);
    c->gone = gone;
    c->gone[c->n_gone++] = c->link[c->n - 1].p;
    c->link[c->n - 1] = (struct link){ p, index };
    return RC_OK;
}

OWNED_STRUCT(policy_chain);

enum rc policy_chain_new(struct policy_chain **out, const void *genesis,
                         size_t len, const uint8_t genesis_sha256[32])
{
    uint8_t sha256[32];
    hash256(sha256, genesis, len);
    if (memcmp(sha256, genesis_sha256, 32) != 0)
        return rc_raise(RC_POLICY,
                        "genesis policy: hash begins %02x%02x%02x"
                        "%02x, pinned is %02x%02x%02x%02x",
                        sha256[0], sha256[1], sha256[2], sha256[3],
                        genesis_sha256[0], genesis_sha256[1], genesis_sha256[2],
                        genesis_sha256[3]);
    OWN_S(policy) *p = NULL;
    TRY(policy_parse(&p, genesis, len));
    if (p->version != 1)
        return rc_raise(RC_POLICY, "genesis policy: version %llu, want 1",
                        (unsigned long long)p->version);
    OWN_S(policy_chain) *c = calloc(1, sizeof(*c));
    if (!c)
        return rc_raise(RC_NOMEM, "policy chain");
    TRY(chain_add(c, p, TLOG_NO_INDEX));
    p = NULL; /* the chain's now */
    *out = TAKE(c);
    return RC_OK;
}

void policy_chain_free(struct policy_chain *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++)
        policy_free(c->link[i].p);
    for (size_t i = 0; i < c->n_gone; i++)
        policy_free(c->gone[i]);
    free(c->link);
    free(c->gone);
    free(c);
}

const struct policy *policy_chain_head(const struct policy_chain *c)
{
    return c->link[c->n - 1].p;
}

const struct policy *policy_chain_at(const struct policy_chain *c,
                                     uint64_t version)
{
    return version >= 1 && version <= c->n ? c->link[version - 1].p : NULL;
}

const struct policy *policy_chain_by_hash(const struct policy_chain *c,
                                          const uint8_t sha256[32])
{
    for (size_t i = c->n; i-- > 0;)
        if (memcmp(c->link[i].p->sha256, sha256, 32) == 0)
            return c->link[i].p;
    return NULL;
}

const uint8_t *policy_chain_genesis(const struct policy_chain *c)
{
    return c->link[0].p->sha256;
}

/* ---- may it come next? ----------------------------------------------------- */

static bool same_log(const struct policy *a, const struct policy *b)
{
    return strcmp(a->log.name, b->log.name) == 0 &&
           a->log.type == b->log.type &&
           memcmp(a->log.key, b->log.key, 32) == 0;
}

static enum rc check_version(const struct policy_chain *c,
                             const struct policy *p)
{
    unsigned long long head = c->n, v = p->version;
    if (policy_chain_by_hash(c, p->sha256))
        return rc_raise(RC_EXISTS, "policy version %llu: held already", v);
    if (v > head + 1) {
        enum rc rc = rc_raise(RC_ORDER,
                              "policy version %llu: the head is "
                              "%llu",
                              v, head);
        rc_hint("fetch versions %llu to %llu first", head + 1, v - 1);
        return rc;
    }
    /* once lived under, a version is not undone: people must look */
    if (v < head || v == 1)
        return rc_raise(RC_CONFLICT,
                        "policy version %llu: another one is in "
                        "force, and the head is %llu",
                        v, head);
    return RC_OK;
}

/* What next must be to the chain, approvals aside. *parent is borrowed. */
static enum rc check_link(const struct policy **parent,
                          const struct policy_chain *c, const struct policy *p)
{
    TRY(check_version(c, p));
    unsigned long long v = p->version;
    const struct policy *from = policy_chain_at(c, v - 1);
    const struct policy *head = policy_chain_head(c);
    if (memcmp(p->prev, from->sha256, 32) != 0)
        return rc_raise(RC_POLICY,
                        "policy version %llu: prev is not the hash "
                        "of version %llu",
                        v, v - 1);
    if (strcmp(p->cluster, from->cluster) != 0)
        return rc_raise(RC_POLICY, "policy version %llu: cluster renamed", v);
    if (head->has_log && !same_log(head, p))
        return rc_raise(RC_POLICY, "policy version %llu: names another log", v);
    *parent = from;
    return RC_OK;
}

static enum rc check_subject(const struct policy_session *s,
                             const struct policy *p)
{
    uint8_t sha512[64];
    hash512(sha512, p->bytes, p->bytes_len);
    if (s->type != POLICY_S_POLICY)
        return rc_raise(RC_POLICY,
                        "policy version %llu: its session is of "
                        "type %s",
                        (unsigned long long)p->version,
                        policy_session_type_name(s->type));
    if (s->artifact_size != p->bytes_len ||
        memcmp(s->artifact_sha256, p->sha256, 32) != 0 ||
        memcmp(s->artifact_sha512, sha512, 64) != 0)
        return rc_raise(RC_POLICY,
                        "policy version %llu: its session is about "
                        "other bytes",
                        (unsigned long long)p->version);
    return RC_OK;
}

enum rc policy_chain_check(struct policy **next,
                           struct policy_approved *approved,
                           const struct policy_chain *c, const void *bytes,
                           size_t len, const struct tlog_blob *descriptor,
                           const struct tlog_blob *requester,
                           const struct tlog_blob *approvals,
                           unsigned n_approvals, int64_t now_s)
{
    OWN_S(policy) *p = NULL;
    const struct policy *parent;
    struct policy_session s;
    struct policy_approved by;
    TRY(policy_parse(&p, bytes, len));
    TRY(check_link(&parent, c, p));
    TRY(policy_session_parse(&s, descriptor->p, descriptor->len));
    TRY(check_subject(&s, p));
    TRY(policy_judge(&by, parent, policy_chain_genesis(c), &s, requester,
                     approvals, n_approvals, now_s));
    *approved = by;
    *next = TAKE(p);
    return RC_OK;
}

/* ---- in force -------------------------------------------------------------- */

enum rc policy_entry(struct tlog_policy *out, const struct policy *next,
                     const struct policy_approved *approved)
{
    OWNED_MEM struct tlog_roster *roster = malloc(sizeof(*roster));
    if (!roster)
        return rc_raise(RC_NOMEM, "roster");
    struct tlog_policy e = { .version = next->version };
    TRY(policy_roster(roster, e.roster, next));
    memcpy(e.sha256, next->sha256, 32);
    memcpy(e.prev, next->prev, 32);
    memcpy(e.approvals, approved->root, 32);
    *out = e;
    return RC_OK;
}

static enum rc check_entry(const struct tlog_policy *want,
                           const struct tlog_proof *proof)
{
    struct tlog_policy have;
    TRY(tlog_policy_decode(&have, proof->entry, proof->entry_len));
    const char *differs = have.version != want->version           ? "version"
                          : memcmp(have.sha256, want->sha256, 32) ? "sha256"
                          : memcmp(have.prev, want->prev, 32)     ? "prev"
                          : memcmp(have.roster, want->roster, 32) ? "roster"
                          : memcmp(have.approvals, want->approvals, 32)
                                  ? "approvals"
                                  : NULL;
    if (differs)
        return rc_raise(RC_LOG,
                        "policy version %llu: its entry has another "
                        "%s",
                        (unsigned long long)want->version, differs);
    return RC_OK;
}

enum rc policy_chain_take(struct policy_chain *c, struct policy *next,
                          const struct policy_approved *approved,
                          const struct tlog_proof *proof)
{
    const struct policy *parent;
    struct tlog_policy want;
    TRY(check_link(&parent, c, next));
    TRY(policy_entry(&want, next, approved));
    TRY(check_entry(&want, proof));
    TRY(tlog_proof_check(proof, &next->log, NULL));
    if (next->version == c->n + 1)
        return chain_add(c, next, proof->index);
    if (proof->index >= c->link[c->n - 1].index)
        return rc_raise(RC_CONFLICT,
                        "policy version %llu: another one stands earlier in "
                        "the log",
                        (unsigned long long)next->version);
    return chain_swap_head(c, next, proof->index);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: judged against the policy in force, and opened for a socket peer
 * where the profile asks for nobody. The descriptor is exact bytes everywhere;
 * its hash is its id.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/hash.h"

#define SOCKET_SESSION_S 600 /* life of a session opened for a socket peer */

static struct tlog_blob blob(const struct wire_blob *b)
{
    return (struct tlog_blob){ b->p, b->len };
}

/*
 * What was taken back first, so that a denial is what one hears of; then what
 * was brought, bytes that are there already left out.
 */
struct records {
    struct tlog_blob at[POLICY_MAX_APPROVALS];
    unsigned n;
};

static enum rc add_records(struct records *r, const struct wire_session *in)
{
    for (size_t i = 0; i < in->approvals.n; i++) {
        struct tlog_blob b = blob(&in->approvals.at[i]);
        bool have = false;
        for (unsigned k = 0; k < r->n; k++)
            have = have || (r->at[k].len == b.len &&
                            memcmp(r->at[k].p, b.p, b.len) == 0);
        if (have)
            continue;
        if (r->n == POLICY_MAX_APPROVALS)
            return rc_raise(RC_PARSE, "session: more than %d records",
                            POLICY_MAX_APPROVALS);
        r->at[r->n++] = b;
    }
    return RC_OK;
}

enum rc session_judge(struct judged *out, struct node *n,
                      const struct wire_session *in)
{
    WIRE(session) noes = { 0 };
    struct records r = { .n = 0 };
    struct tlog_blob requester = blob(&in->requester);
    TRY(policy_session_parse(&out->s, in->descriptor.p, in->descriptor.len));
    if (n->noes)
        TRY(session_noes(&noes, n, out->s.id));
    TRY(add_records(&r, &noes));
    TRY(add_records(&r, in));
    const struct policy_raise raise = node_raise(n);
    return policy_judge_raised(&out->approved, policy_chain_head(n->chain),
                               policy_chain_genesis(n->chain), &out->s,
                               requester.len ? &requester : NULL, r.at, r.n,
                               n->w.now_s(n->w.ctx), &raise);
}

enum rc session_led_by(const struct policy_session *s,
                       const struct wire_session *in, uint16_t lead)
{
    char node[16];
    size_t len = strlen(s->requester);
    size_t tail = (size_t)snprintf(node, sizeof(node), ".node%u", lead);
    if (in->requester.len ||
        (len > tail && strcmp(s->requester + len - tail, node) == 0))
        return RC_OK;
    return rc_raise(RC_AUTH,
                    "session: nobody signed it, and its requester %s is none "
                    "that node%u can have seen",
                    s->requester, lead);
}

enum rc session_add_noes(struct wire_session *s, struct node *n)
{
    WIRE(session) noes = { 0 };
    WIRE(session) both = { 0 };
    struct records r = { .n = 0 };
    uint8_t id[32];
    policy_session_id(id, s->descriptor.p, s->descriptor.len);
    TRY(session_noes(&noes, n, id));
    if (noes.approvals.n == 0)
        return RC_OK;
    TRY(add_records(&r, &noes));
    TRY(add_records(&r, s));
    TRY(wire_list_new(&both.approvals, r.n));
    for (unsigned i = 0; i < r.n; i++)
        TRY(wire_blob_set(&both.approvals.at[i], r.at[i].p, r.at[i].len));
    TRY(wire_blob_set(&both.descriptor, s->descriptor.p, s->descriptor.len));
    TRY(wire_blob_set(&both.requester, s->requester.p, s->requester.len));
    wire_session_free(s);
    *s = both;
    memset(&both, 0, sizeof(both)); /* moved */
    return RC_OK;
}

enum rc session_open(struct wire_session *out, struct judged *j, struct node *n,
                     const struct policy_profile *profile,
                     enum policy_kind kind, uid_t uid, const uint8_t *msg,
                     size_t msg_len)
{
    const struct policy *p = policy_chain_head(n->chain);
    struct policy_session s = { .type = POLICY_S_SIGN, .n_slots = 1 };
    memcpy(s.cluster, policy_chain_genesis(n->chain), 32);
    memcpy(s.policy, p->sha256, 32);
    s.has_profile = true;
    snprintf(s.profile, sizeof(s.profile), "%s", profile->name);
    struct key *k = node_key_by_name(n, policy_profile_key(p, profile)->name);
    if (k) {
        s.has_key = true;
        memcpy(s.key, k->id, 32);
    }
    s.slot[kind] = true;
    if (kind == POLICY_RAW) {
        policy_session_artifact(&s, "message", msg, msg_len);
        s.has_artifact = true;
    }
    snprintf(s.requester, sizeof(s.requester), "uid.%u.node%u", (unsigned)uid,
             n->id);
    snprintf(s.reason, sizeof(s.reason), "local caller");
    TRY(n->w.random(n->w.ctx, s.nonce, sizeof(s.nonce)));
    s.created = n->w.now_s(n->w.ctx);
    s.expires = s.created + SOCKET_SESSION_S;

    char text[POLICY_DESCRIPTOR_MAX];
    size_t len;
    TRY(policy_session_write(text, &len, &s));
    TRY(wire_blob_set(&out->descriptor, text, len));
    return session_judge(j, n, out);
}

/* ---- one root for each issuer key, DESIGN section 7 ---------------------------- */

#define ROOT_NAME (5 + ENC_HEX_SIZE(32))

static void root_name(char out[ROOT_NAME], const struct key *key)
{
    memcpy(out, "root:", 5);
    enc_hex(out + 5, key->id, 32);
}

static enum rc another_root(enum rc rc, const struct node *n,
                            const struct key *key)
{
    return rc_raise(rc, "root: node%u signed another root for %s already",
                    n->id, key->name);
}

enum rc session_root_free(struct node *n, const struct policy_session *s,
                          const struct key *key, const uint8_t *tbs, size_t len)
{
    char name[ROOT_NAME];
    uint8_t hash[32];
    OWNED_MEM uint8_t *kept = NULL;
    size_t kept_len;
    if (s->type != POLICY_S_ROOT)
        return RC_OK;
    root_name(name, key);
    hash256(hash, tbs, len);
    enum rc rc = store_get(n->w.store, name, &kept, &kept_len);
    if (rc == RC_UNKNOWN)
        return RC_OK;
    TRY(rc);
    return kept_len == 32 && memcmp(kept, hash, 32) == 0
                   ? RC_OK
                   : another_root(RC_POLICY, n, key);
}

/* Whatever the stewards approve later, this signer helps to sign no second. */
enum rc session_root_once(struct node *n, const struct policy_session *s,
                          const struct key *key, const uint8_t *tbs, size_t len)
{
    char name[ROOT_NAME];
    uint8_t hash[32];
    if (s->type != POLICY_S_ROOT)
        return RC_OK;
    root_name(name, key);
    hash256(hash, tbs, len);
    enum rc rc = store_put_once(n->w.store, name, hash, 32);
    return rc == RC_CONFLICT ? another_root(rc, n, key) : rc;
}

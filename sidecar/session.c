/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: judged against the policy in force, opened for a socket peer
 * where the profile asks for nobody, kept and handed on. The descriptor is
 * exact bytes everywhere; its hash is its id.
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

enum rc session_judge(struct judged *out, struct node *n,
                      const struct wire_session *in)
{
    struct tlog_blob approvals[POLICY_MAX_APPROVALS];
    if (in->approvals.n > POLICY_MAX_APPROVALS)
        return rc_raise(RC_PARSE, "session: %zu approvals, at most %d",
                        in->approvals.n, POLICY_MAX_APPROVALS);
    for (size_t i = 0; i < in->approvals.n; i++)
        approvals[i] = blob(&in->approvals.at[i]);
    struct tlog_blob requester = blob(&in->requester);
    TRY(policy_session_parse(&out->s, in->descriptor.p, in->descriptor.len));
    const struct policy_raise raise = node_raise(n);
    return policy_judge_raised(&out->approved, policy_chain_head(n->chain),
                               policy_chain_genesis(n->chain), &out->s,
                               requester.len ? &requester : NULL, approvals,
                               (unsigned)in->approvals.n, n->w.now_s(n->w.ctx),
                               &raise);
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
    struct key *k = node_key_by_name(n, profile->name);
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

/*
 * One root per issuer key (DESIGN section 7): whatever the stewards approve
 * later, this signer helps to sign no second one.
 */
enum rc session_root_once(struct node *n, const struct policy_session *s,
                          const struct key *key, const uint8_t *tbs, size_t len)
{
    char name[5 + ENC_HEX_SIZE(32)] = "root:";
    uint8_t hash[32];
    if (s->type != POLICY_S_ROOT)
        return RC_OK;
    enc_hex(name + 5, key->id, 32);
    hash256(hash, tbs, len);
    enum rc rc = store_put_once(n->w.store, name, hash, 32);
    return rc == RC_CONFLICT
                   ? rc_raise(RC_CONFLICT,
                              "root: node%u signed another root for %s already",
                              n->id, key->name)
                   : rc;
}

/* ---- kept sessions ----------------------------------------------------------- */

enum rc session_keep(struct node *n, const uint8_t id[32], int64_t expires,
                     const struct wire_session *s)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(wire_session_encode(&json, &len, s));
    return store_session_put(n->w.store, id, json, len, expires);
}

enum rc session_load(struct wire_session *out, struct node *n,
                     const uint8_t id[32])
{
    OWNED_MEM uint8_t *json = NULL;
    size_t len;
    enum rc rc = store_session_get(n->w.store, id, &json, &len);
    if (rc == RC_UNKNOWN) {
        char hex[65];
        rc = rc_raise(RC_UNKNOWN, "session %.8s: not known here",
                      enc_hex(hex, id, 32));
        rc_hint("mpcsign request makes one");
    }
    TRY(rc);
    return wire_session_decode(out, (const char *)json, len);
}

/* Records of one session that hold, one of each person, role and decision. */
struct kept {
    const struct wire_blob *at[POLICY_MAX_APPROVALS]; /* lent */
    struct policy_record r[POLICY_MAX_APPROVALS];
    unsigned n;
};

static enum rc check_record(struct policy_record *out, struct node *n,
                            const struct policy_session *s,
                            const struct wire_blob *record)
{
    node_lock(n);
    enum rc rc = policy_record_check(out, policy_chain_head(n->chain), s->id,
                                     record->p, record->len);
    node_unlock(n);
    return rc;
}

static bool same(const struct policy_record *a, const struct policy_record *b)
{
    return a->decision == b->decision && strcmp(a->person, b->person) == 0 &&
           strcmp(a->role, b->role) == 0;
}

static enum rc keep_record(struct kept *k, struct node *n,
                           const struct policy_session *s,
                           const struct wire_blob *record)
{
    struct policy_record r;
    TRY(check_record(&r, n, s, record));
    if (r.decision == POLICY_D_REQUEST)
        return rc_raise(RC_POLICY, "session: a requester's record among the "
                                   "approvals");
    for (unsigned i = 0; i < k->n; i++)
        if (same(&k->r[i], &r))
            return RC_OK;
    if (k->n == POLICY_MAX_APPROVALS)
        return rc_raise(RC_TOO_LARGE, "session: more than %d records",
                        POLICY_MAX_APPROVALS);
    k->r[k->n] = r;
    k->at[k->n++] = record;
    return RC_OK;
}

static enum rc check_request(struct node *n, const struct policy_session *s,
                             const struct wire_blob *record)
{
    struct policy_record r;
    TRY(check_record(&r, n, s, record));
    if (r.decision != POLICY_D_REQUEST || strcmp(r.person, s->requester) != 0)
        return rc_raise(RC_POLICY,
                        "session: the requester's record is by %s as %s, want "
                        "%s as requester",
                        r.person, r.role, s->requester);
    return RC_OK;
}

/* What is at rest already, where it holds, and then what comes. */
static enum rc merge(struct wire_session *out, struct node *n,
                     const struct policy_session *s,
                     const struct wire_session *have,
                     const struct wire_session *in)
{
    const struct wire_blob *requester = &have->requester;
    struct kept k = { .n = 0 };
    if (in->requester.len)
        TRY(check_request(n, s, &in->requester));
    if (!requester->len || check_request(n, s, requester) != RC_OK)
        requester = &in->requester;
    for (size_t i = 0; i < have->approvals.n; i++)
        if (keep_record(&k, n, s, &have->approvals.at[i]) != RC_OK)
            continue; /* junk must not block the session */
    for (size_t i = 0; i < in->approvals.n; i++)
        TRY(keep_record(&k, n, s, &in->approvals.at[i]));
    TRY(wire_blob_set(&out->descriptor, in->descriptor.p, in->descriptor.len));
    TRY(wire_blob_set(&out->requester, requester->p, requester->len));
    TRY(wire_list_new(&out->approvals, k.n));
    for (unsigned i = 0; i < k.n; i++)
        TRY(wire_blob_set(&out->approvals.at[i], k.at[i]->p, k.at[i]->len));
    return RC_OK;
}

/* Approvals that came before stay: the session is the same, bytes for bytes. */
static enum rc keep_more(struct node *n, const struct policy_session *s,
                         const struct wire_session *in)
{
    WIRE(session) have = { 0 };
    WIRE(session) both = { 0 };
    enum rc rc = session_load(&have, n, s->id);
    if (rc != RC_OK && rc != RC_UNKNOWN)
        return rc;
    TRY(merge(&both, n, s, &have, in));
    return session_keep(n, s->id, s->expires, &both);
}

static enum rc accept_session(struct node *n, const uint8_t *body, size_t len,
                              struct wire_session_id *id)
{
    WIRE(session) in = { 0 };
    TRY(wire_session_decode(&in, (const char *)body, len));
    struct policy_session s;
    TRY(policy_session_parse(&s, in.descriptor.p, in.descriptor.len));
    struct judged j;
    node_lock(n);
    enum rc rc = session_judge(&j, n, &in);
    node_unlock(n);
    /* A session is kept while its approvals are still coming in. */
    if (rc != RC_OK && rc != RC_NOT_APPROVED)
        return rc;
    memcpy(id->session, s.id, 32);
    return keep_more(n, &s, &in);
}

static void answer_id(struct node *n, uint64_t call, enum rc rc,
                      const struct wire_session_id *id)
{
    char *json = NULL;
    size_t len = 0;
    if (rc == RC_OK)
        rc = wire_session_id_encode(&json, &len, id);
    node_answer(n, call, rc, json, len);
}

void session_on_local(struct node *n, uint64_t call, const uint8_t *body,
                      size_t len)
{
    struct wire_session_id id = { 0 };
    enum rc rc = accept_session(n, body, len, &id);
    answer_id(n, call, rc, &id);
}

static enum rc accept_approval(struct node *n, const uint8_t *body, size_t len,
                               struct wire_session_id *id)
{
    WIRE(approval) in = { 0 };
    TRY(wire_approval_decode(&in, (const char *)body, len));
    WIRE(session) have = { 0 };
    TRY(session_load(&have, n, in.session));
    struct policy_session s;
    TRY(policy_session_parse(&s, have.descriptor.p, have.descriptor.len));
    struct wire_session one = { .descriptor = have.descriptor };
    one.approvals.at = &in.record; /* lent */
    one.approvals.n = 1;
    memcpy(id->session, in.session, 32);
    return keep_more(n, &s, &one);
}

void session_on_approval(struct node *n, uint64_t call, const uint8_t *body,
                         size_t len)
{
    struct wire_session_id id = { 0 };
    enum rc rc = accept_approval(n, body, len, &id);
    answer_id(n, call, rc, &id);
}

/* The exact descriptor bytes, so that anyone can hash what they approve. */
static enum rc descriptor_of(struct node *n, const char *hex, char **out,
                             size_t *len)
{
    uint8_t id[32];
    TRY(enc_unhex(id, 32, hex, strlen(hex)));
    WIRE(session) s = { 0 };
    TRY(session_load(&s, n, id));
    *out = malloc(s.descriptor.len + 1);
    if (!*out)
        return rc_raise(RC_NOMEM, "session: out of memory");
    memcpy(*out, s.descriptor.p, s.descriptor.len);
    (*out)[s.descriptor.len] = '\0';
    *len = s.descriptor.len;
    return RC_OK;
}

void session_on_get(struct node *n, uint64_t call, const char *hex)
{
    char *json = NULL;
    size_t len = 0;
    enum rc rc = descriptor_of(n, hex, &json, &len);
    node_answer(n, call, rc, json, len);
}

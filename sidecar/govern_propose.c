/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A version that waits for its stewards: its exact bytes are kept beside the
 * session that proposes it, so that whoever approves can read what they are
 * asked for. Kept is not judged: a version is judged when it is put in force.
 */
#include "sidecar/inner.h"

#include <string.h>

#include "base/enc.h"
#include "base/hash.h"
#include "base/own.h"

OWNED_STRUCT(policy);

/* Where the bytes stand: beside the session, and gone when it expires. */
static void place(uint8_t out[32], const uint8_t session[32])
{
    static const char tag[] = "proposal";
    const struct hash_part parts[] = { { tag, sizeof(tag) }, { session, 32 } };
    hash256_parts(out, parts, 2);
}

/* Under lock. What could never be put in force is said at once. */
static enum rc check(struct node *n, const struct wire_policy *in)
{
    struct govern_checked c = { 0 };
    OWN_S(policy) *next = NULL;
    enum rc rc = govern_check(&c, n, in, n->w.now_s(n->w.ctx));
    policy_free(c.next);
    if (rc != RC_NOT_APPROVED)
        return rc;
    TRY(policy_parse(&next, in->policy.p, in->policy.len));
    return govern_fits(next, n);
}

static enum rc propose(struct node *n, const uint8_t *body, size_t len,
                       struct wire_session_id *id)
{
    WIRE(policy) in = { 0 };
    struct session_known known;
    OWNED_MEM char *json = NULL;
    struct policy_session s;
    uint8_t at[32];
    size_t json_len;
    TRY(wire_policy_decode(&in, (const char *)body, len));
    if (in.proof.n != 0)
        return rc_raise(RC_ARG, "proof: must be empty, nothing is logged yet");
    TRY(policy_session_parse(&s, in.session.descriptor.p,
                             in.session.descriptor.len));
    node_lock(n);
    enum rc rc = check(n, &in);
    node_unlock(n);
    TRY(rc);
    /* its session first: no more of them than a requester may have of those */
    TRY(session_take(&known, n, 0, &in.session));
    TRY(wire_policy_encode(&json, &json_len, &in));
    place(at, s.id);
    TRY(store_session_beside(n->w.store, at, json, json_len, s.expires));
    memcpy(id->session, s.id, 32);
    return RC_OK;
}

void govern_on_proposal(struct node *n, uint64_t call, const uint8_t *body,
                        size_t len)
{
    struct wire_session_id id = { 0 };
    char *json = NULL;
    size_t json_len = 0;
    enum rc rc = propose(n, body, len, &id);
    if (rc == RC_OK)
        rc = wire_session_id_encode(&json, &json_len, &id);
    node_answer(n, call, rc, json, json_len);
}

/* The bytes as they were proposed, with the approvals that are here by now. */
static enum rc proposal(struct node *n, const char *hex, char **json,
                        size_t *len)
{
    uint8_t id[32];
    uint8_t at[32];
    OWNED_MEM uint8_t *kept = NULL;
    size_t kept_len;
    WIRE(policy) out = { 0 };
    WIRE(session) now = { 0 };
    TRY(enc_unhex(id, 32, hex, strlen(hex)));
    place(at, id);
    enum rc rc = store_session_get(n->w.store, at, &kept, &kept_len);
    if (rc == RC_UNKNOWN) {
        rc = rc_raise(RC_UNKNOWN, "proposal %.8s: not at node%u", hex, n->id);
        rc_hint("give the file that was proposed with --file");
    }
    TRY(rc);
    TRY(wire_policy_decode(&out, (const char *)kept, kept_len));
    if (session_load(&now, n, id) == RC_OK) {
        wire_session_free(&out.session);
        out.session = now;
        memset(&now, 0, sizeof(now));
    }
    return wire_policy_encode(json, len, &out);
}

void govern_on_get_proposal(struct node *n, uint64_t call, const char *hex)
{
    char *json = NULL;
    size_t len = 0;
    enum rc rc = proposal(n, hex, &json, &len);
    node_answer(n, call, rc, json, len);
}

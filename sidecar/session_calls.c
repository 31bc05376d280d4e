/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions and records that come: from local callers, whose denials wait until
 * they stand, and from peers, which hear what is held.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

/* ---- local callers ---------------------------------------------------------------- */

/* Who asks and signs nothing is what the socket says, not what they say. */
static enum rc check_caller(const struct node *n, const struct node_caller *who,
                            const struct wire_session *in)
{
    struct policy_session s;
    char uid[32];
    if (in->requester.len)
        return RC_OK;
    TRY(policy_session_parse(&s, in->descriptor.p, in->descriptor.len));
    snprintf(uid, sizeof(uid), "uid.%u.node%u", (unsigned)who->uid, n->id);
    if (strncmp(s.requester, "uid.", 4) != 0 || strcmp(s.requester, uid) == 0)
        return RC_OK; /* a person who has not signed is refused for that */
    return rc_raise(RC_AUTH, "session: requester %s, this caller is %s",
                    s.requester, uid);
}

static enum rc accept_session(struct node *n, const struct node_caller *who,
                              const uint8_t *body, size_t len,
                              struct wire_session_id *id)
{
    WIRE(session) in = { 0 };
    struct session_known known;
    TRY(wire_session_decode(&in, (const char *)body, len));
    /* what nobody signed is counted together: not for whoever finds the page */
    if (who->uid == NODE_STRANGER && in.requester.len == 0)
        return rc_raise(RC_NOT_APPROVED, "session: not signed by its "
                                         "requester");
    TRY(check_caller(n, who, &in));
    TRY(session_take(&known, n, 0, &in));
    policy_session_id(id->session, in.descriptor.p, in.descriptor.len);
    return RC_OK;
}

void session_on_local(struct node *n, uint64_t call,
                      const struct node_caller *who, const uint8_t *body,
                      size_t len)
{
    struct wire_session_id id = { 0 };
    char *json = NULL;
    size_t json_len = 0;
    enum rc rc = accept_session(n, who, body, len, &id);
    if (rc == RC_OK)
        audit_call_session(n, call, id.session);
    if (rc == RC_OK)
        rc = wire_session_id_encode(&json, &json_len, &id);
    node_answer(n, call, rc, json, json_len);
    if (rc == RC_OK)
        spread_pump(n);
}

/* What is decided must still make a difference. */
static enum rc check_life(struct node *n, const struct policy_session *s,
                          const struct wire_session *have,
                          enum policy_decision decision)
{
    enum life_state state;
    enum life_event event = decision == POLICY_D_DENY     ? LIFE_DENY
                            : decision == POLICY_D_REVOKE ? LIFE_REVOKE
                                                          : LIFE_APPROVAL;
    TRY(session_life(&state, n, s, have));
    enum rc rc = life_step(&state, event, false);
    if (rc == RC_POLICY_CHANGED || rc == RC_EXPIRED || rc == RC_SLOT_BURNT)
        rc_hint("request a new session: mpcsign request");
    return rc;
}

static enum rc accept_approval(struct node *n, const struct wire_approval *in,
                               struct session_known *known, bool *back)
{
    WIRE(session) have = { 0 };
    struct policy_session s;
    struct policy_record r;
    TRY(session_load(&have, n, in->session));
    TRY(policy_session_parse(&s, have.descriptor.p, have.descriptor.len));
    TRY(session_record(&r, n, &s, &in->record));
    TRY(check_life(n, &s, &have, r.decision));
    struct wire_session one = { .descriptor = have.descriptor };
    struct wire_blob record = in->record; /* lent, both */
    one.approvals.at = &record;
    one.approvals.n = 1;
    TRY(session_take(known, n, 0, &one));
    *back = session_takes_back(&r);
    return RC_OK;
}

void session_on_approval(struct node *n, uint64_t call, const uint8_t *body,
                         size_t len)
{
    WIRE(approval) in = { 0 };
    struct session_known known = { .n = 0 };
    bool back = false;
    enum rc rc = wire_approval_decode(&in, (const char *)body, len);
    if (rc == RC_OK)
        audit_call_session(n, call, in.session);
    if (rc == RC_OK)
        rc = accept_approval(n, &in, &known, &back);
    if (rc != RC_OK)
        node_answer(n, call, rc, NULL, 0);
    else
        spread_wait(n, call, in.session, known.kept, back);
}

/* ---- peers ---------------------------------------------------------------------------- */

/* All of it is here already: nothing to verify, nothing to write. */
static bool have_all(struct session_known *known, struct node *n, uint16_t from,
                     const struct wire_session *in)
{
    uint8_t id[32];
    known->n = 0;
    policy_session_id(id, in->descriptor.p, in->descriptor.len);
    if (in->requester.len)
        session_know(known, &in->requester);
    for (size_t i = 0; i < in->approvals.n; i++)
        session_know(known, &in->approvals.at[i]);
    node_lock(n);
    bool all = spread_has(n, id, known);
    if (all)
        spread_heard(n, from, id, known);
    node_unlock(n);
    return all;
}

void session_hear(struct node *n, uint16_t from, const struct wire_session *in)
{
    struct session_known known;
    if (in->requester.len == 0 || have_all(&known, n, from, in))
        return;
    if (session_take(&known, n, from, in) != RC_OK)
        return; /* the judge says what is wrong with it */
}

static enum rc put_one(struct wire_session_known *out, struct node *n,
                       uint16_t from, const struct wire_session *in)
{
    struct session_known known;
    enum rc rc = have_all(&known, n, from, in)
                         ? RC_OK
                         : session_take(&known, n, from, in);
    if (rc == RC_STORE || rc == RC_NOMEM || rc == RC_INTERNAL)
        return rc; /* ours, not theirs: none of it was acknowledged */
    policy_session_id(out->session, in->descriptor.p, in->descriptor.len);
    snprintf(out->code, sizeof(out->code), "%s", rc_slug(rc));
    if (rc != RC_OK)
        return RC_OK;
    TRY(wire_list_new(&out->known, known.n));
    for (unsigned i = 0; i < known.n; i++)
        memcpy(out->known.at[i].b, known.hash[i], 32);
    return RC_OK;
}

enum rc session_on_put(struct node *n, uint16_t from, const uint8_t *body,
                       size_t len, char **reply, size_t *reply_len)
{
    WIRE(session_put) in = { 0 };
    WIRE(session_held) out = { 0 };
    TRY(wire_session_put_decode(&in, (const char *)body, len));
    TRY(wire_list_new(&out.sessions, in.sessions.n));
    for (size_t i = 0; i < in.sessions.n; i++)
        TRY(put_one(&out.sessions.at[i], n, from, &in.sessions.at[i]));
    return wire_session_held_encode(reply, reply_len, &out);
}

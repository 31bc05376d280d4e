/* SPDX-License-Identifier: Apache-2.0 */
/* What people do with a guarded session, in few words. */
#ifndef TESTS_SIDECAR_PEOPLE_H
#define TESTS_SIDECAR_PEOPLE_H

#include "story.h"

#include <sodium.h>

#include "base/enc.h"

static const char *const guarded[] = { "guarded", NULL };

/* A session for this profile and these bytes, requested by dev. */
static inline void people_session_for(struct sim *s, struct wire_session *out,
                                      const char *profile, const char *msg,
                                      const char *reason)
{
    struct policy_session session = sim_session(s, POLICY_S_SIGN, profile);
    snprintf(session.reason, sizeof(session.reason), "%s", reason);
    WIRE(key) key = { 0 };
    unsigned up = 1;
    while (!s->node[up].up)
        up++;
    unsigned get = sim_ask(s, up, "/v1/key/guarded", NULL, 0);
    sim_want_ok(s, get);
    assert_ok(wire_key_decode(&key, s->call[get].json, s->call[get].len));
    session.has_key = true;
    crypto_hash_sha256(session.key, key.group_key, 32);
    session.slot[POLICY_RAW] = true;
    session.has_artifact = true;
    policy_session_artifact(&session, "app", msg, strlen(msg));
    sim_session_wire(s, out, &session, "steward", NULL);
}

static inline void people_session(struct sim *s, struct wire_session *out,
                                  const char *msg)
{
    people_session_for(s, out, "guarded", msg, "simulated");
}

static inline unsigned people_put(struct sim *s, unsigned id,
                                  const struct wire_session *wire, char hex[65])
{
    OWNED_MEM char *json = NULL;
    size_t len;
    uint8_t hash[32];
    policy_session_id(hash, wire->descriptor.p, wire->descriptor.len);
    enc_hex(hex, hash, 32);
    assert_ok(wire_session_encode(&json, &len, wire));
    return sim_ask(s, id, "/v1/session", json, len);
}

static inline void request(struct sim *s, unsigned id, char hex[65],
                           const char *msg)
{
    WIRE(session) wire = { 0 };
    people_session(s, &wire, msg);
    sim_want_ok(s, people_put(s, id, &wire, hex));
}

static inline unsigned decide(struct sim *s, unsigned id, const char *hex,
                              enum policy_decision decision, const char *role,
                              const char *person)
{
    WIRE(approval) a = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(enc_unhex(a.session, 32, hex, 64));
    sim_record(&a.record, a.session, decision, role, person);
    assert_ok(wire_approval_encode(&json, &len, &a));
    return sim_ask(s, id, "/v1/approval", json, len);
}

static inline unsigned deny(struct sim *s, unsigned id, const char *hex)
{
    return decide(s, id, hex, POLICY_D_DENY, "engineer", "dave");
}

/* alice as engineer, bob and carol as stewards: enough. */
static inline void approve_all(struct sim *s, unsigned id, const char *hex)
{
    sim_want_ok(s, decide(s, id, hex, POLICY_D_APPROVE, "engineer", "alice"));
    sim_want_ok(s, decide(s, id, hex, POLICY_D_APPROVE, "steward", "bob"));
    sim_want_ok(s, decide(s, id, hex, POLICY_D_APPROVE, "steward", "carol"));
}

static inline unsigned sign_as(struct sim *s, unsigned id, const char *hex,
                               const char *msg, unsigned wait_ms)
{
    return sim_sign(s, id, "guarded", hex, msg, strlen(msg), wait_ms);
}

/* The state as this node shows it; freed by the caller. */
static inline void look(struct sim *s, unsigned id, const char *hex,
                        struct wire_session_state *out)
{
    char path[128];
    snprintf(path, sizeof(path), "/v1/session/%s/state", hex);
    unsigned call = sim_ask(s, id, path, NULL, 0);
    sim_want_ok(s, call);
    assert_ok(wire_session_state_decode(out, s->call[call].json,
                                        s->call[call].len));
}

static inline void want_state(struct sim *s, unsigned id, const char *hex,
                              const char *want)
{
    WIRE(session_state) st = { 0 };
    look(s, id, hex, &st);
    if (strcmp(st.state, want) != 0)
        sim_fail(s, "node%u: session is %s, want %s", id, st.state, want);
}

static inline void want_decided(struct sim *s, unsigned call, unsigned nodes,
                                bool stands)
{
    WIRE(decided) d = { 0 };
    sim_want_ok(s, call);
    assert_ok(wire_decided_decode(&d, s->call[call].json, s->call[call].len));
    if (d.nodes < nodes || d.stands != stands)
        sim_fail(s, "decided: %u nodes, need %u, stands %d, want %u and %d",
                 (unsigned)d.nodes, (unsigned)d.need, d.stands, nodes, stands);
}

#endif

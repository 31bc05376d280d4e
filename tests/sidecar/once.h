/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of sessions' own keys share. */
#ifndef TESTS_SIDECAR_ONCE_H
#define TESTS_SIDECAR_ONCE_H

#include "people.h"

static inline struct sim *once_cluster(unsigned nodes)
{
    static const char *const none[] = { NULL };
    struct sim *s = sim_new(1, nodes);
    sim_ready(s, none);
    sim_gossip(s);
    sim_run(s, 300);
    return s;
}

/* A process of its own. */
static inline struct node_caller once_caller(pid_t pid)
{
    return (struct node_caller){ .uid = SIM_UID,
                                 .pid = pid,
                                 .start = 1000 + (uint64_t)pid };
}

static inline unsigned once_get(struct sim *s, unsigned id,
                                const struct node_caller *who, const char *path)
{
    s->caller = who;
    unsigned call = sim_ask(s, id, path, NULL, 0);
    s->caller = NULL;
    return call;
}

static inline unsigned once_sign(struct sim *s, unsigned id,
                                 const struct node_caller *who, const char *key,
                                 const char *session, const char *text)
{
    s->caller = who;
    unsigned call = sim_sign(s, id, key, session, text, strlen(text), 10000);
    s->caller = NULL;
    return call;
}

/* The public key that a call was answered with. */
static inline void once_key(struct sim *s, unsigned call, uint8_t out[32])
{
    WIRE(key) key = { 0 };
    sim_want_ok(s, call);
    assert_ok(wire_key_decode(&key, s->call[call].json, s->call[call].len));
    assert_int_equal(key.epoch, 1);
    memcpy(out, key.group_key, 32);
}

/* Nodes whose vault holds something of a session's key; what is at rest of it
 * is nowhere. */
static inline unsigned once_holders(struct sim *s)
{
    unsigned holders = 0;
    for (unsigned id = 1; id <= s->n; id++) {
        struct vault_holds h;
        if (!s->node[id].up)
            continue;
        assert_ok(vault_held(s->node[id].vault, &h));
        holders += h.once || h.dkgs;
    }
    return holders;
}

static inline void once_nothing_left(struct sim *s)
{
    if (once_holders(s))
        sim_fail(s, "%u nodes hold something of a session's key",
                 once_holders(s));
}

/* An approved session of guarded-once for these bytes. */
static inline void once_approved(struct sim *s, unsigned id, char hex[65],
                                 const char *msg, bool cms)
{
    WIRE(session) wire = { 0 };
    struct policy_session in = sim_session(s, POLICY_S_SIGN, "guarded-once");
    in.slot[POLICY_RAW] = true;
    in.slot[POLICY_CMS] = cms;
    in.has_artifact = true;
    policy_session_artifact(&in, "app", msg, strlen(msg));
    sim_session_wire(s, &wire, &in, "steward", NULL);
    sim_want_ok(s, people_put(s, id, &wire, hex));
    sim_want_ok(s, decide(s, id, hex, POLICY_D_APPROVE, "engineer", "alice"));
    sim_want_ok(s, decide(s, id, hex, POLICY_D_APPROVE, "steward", "bob"));
    sim_want_ok(s, decide(s, id, hex, POLICY_D_APPROVE, "steward", "carol"));
}

/* Births in the log. */
static inline unsigned once_births(const struct sim *s)
{
    unsigned births = 0;
    for (uint64_t i = 0; i < s->log.n; i++)
        births += strncmp(s->log.entry[i], "mpc-birth/1\n", 12) == 0;
    return births;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting a policy version in force: check it, log it, take it, tell everyone;
 * and catching up, ours and that of others. The judging is in govern.c.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

struct govern {
    uint64_t call;
    struct wire_policy policy; /* owned; its proof is filled when logged */
    struct wire_policy_head head;
    int64_t deadline_ms;
    unsigned waiting;
};

void govern_free(struct node *n)
{
    if (!n->govern)
        return;
    wire_policy_free(&n->govern->policy);
    free(n->govern);
    n->govern = NULL;
}

/* ---- a new version: check, log, tell everyone --------------------------------------------- */

static void answer(struct node *n, enum rc rc)
{
    struct govern *g = n->govern;
    uint64_t call = g->call;
    char *json = NULL;
    size_t len = 0;
    if (rc == RC_OK)
        rc = wire_policy_head_encode(&json, &len, &g->head);
    govern_free(n);
    node_answer(n, call, rc, json, len);
}

/* Who did not hear it now asks for it when it attests. */
static void told(struct node *n, void *arg, uint32_t extra, enum rc rc,
                 const uint8_t *body, size_t len)
{
    (void)extra;
    (void)rc;
    (void)body;
    (void)len;
    if (n->govern == arg && --n->govern->waiting == 0)
        answer(n, RC_OK);
}

static void tell_everyone(struct node *n)
{
    struct govern *g = n->govern;
    OWNED_MEM char *json = NULL;
    size_t len;
    enum rc rc = wire_policy_encode(&json, &len, &g->policy);
    if (rc != RC_OK) {
        answer(n, rc);
        return;
    }
    uint32_t to[POLICY_MAX_NODES + 2];
    unsigned n_to = 0;
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    for (unsigned i = 0; i < p->n_nodes; i++)
        if (p->node[i].id != n->id)
            to[n_to++] = p->node[i].id;
    node_unlock(n);
    to[n_to++] = WORLD_LOG;
    to[n_to++] = WORLD_CA;
    g->waiting = n_to;
    for (unsigned i = 0; i < n_to; i++)
        node_send(n, to[i], "/v1/policy", json, len, g->deadline_ms, told, g,
                  to[i]);
}

static void logged(struct node *n, void *arg, uint32_t extra, enum rc rc,
                   const uint8_t *body, size_t len)
{
    struct govern *g = arg;
    (void)extra;
    if (n->govern != g)
        return;
    WIRE(appended) in = { 0 };
    if (rc == RC_OK)
        rc = wire_appended_decode(&in, (const char *)body, len);
    if (rc == RC_OK && in.proofs.n != 1)
        rc = rc_raise(RC_LOG, "log: %zu proofs for one policy", in.proofs.n);
    if (rc == RC_OK)
        rc = wire_list_new(&g->policy.proof, 1);
    if (rc == RC_OK)
        rc = proof_copy(&g->policy.proof.at[0], &in.proofs.at[0]);
    if (rc == RC_OK)
        rc = govern_adopt(n, &g->policy);
    if (rc != RC_OK) {
        answer(n, rc);
        return;
    }
    node_policy_head(n, &g->head);
    tell_everyone(n);
}

/* Under lock: the entry that would put it in force. */
static enum rc entry_of(char *text, size_t *len, struct node *n,
                        const struct wire_policy *in)
{
    struct govern_checked c = { 0 };
    struct tlog_policy entry;
    if (!n->has_log)
        return rc_raise(RC_ORDER, "node%u has not reached the log yet", n->id);
    TRY(govern_check(&c, n, in, n->w.now_s(n->w.ctx)));
    enum rc rc = policy_entry(&entry, c.next, &c.approved);
    policy_free(c.next);
    TRY(rc);
    return tlog_policy_encode(text, len, &entry);
}

static enum rc submit(struct node *n, const uint8_t *body, size_t len)
{
    struct govern *g = n->govern;
    TRY(wire_policy_decode(&g->policy, (const char *)body, len));
    if (g->policy.proof.n != 0)
        return rc_raise(RC_ARG, "proof: must be empty, this node logs it");
    TRY(session_add_noes(&g->policy.session, n));
    char text[TLOG_ENTRY_MAX + 1];
    size_t text_len;
    node_lock(n);
    enum rc rc = entry_of(text, &text_len, n, &g->policy);
    node_unlock(n);
    TRY(rc);
    WIRE(append) ask = { 0 };
    TRY(wire_list_new(&ask.entries, 1));
    TRY(wire_text_set(&ask.entries.at[0], text, text_len));
    OWNED_MEM char *json = NULL;
    size_t json_len;
    TRY(wire_append_encode(&json, &json_len, &ask));
    g->deadline_ms = n->w.now_ms(n->w.ctx) + GOVERN_MS;
    node_send(n, WORLD_LOG, "/v1/log/append", json, json_len, g->deadline_ms,
              logged, g, 0);
    return RC_OK;
}

void govern_on_policy(struct node *n, uint64_t call, const uint8_t *body,
                      size_t len)
{
    enum rc rc = RC_OK;
    if (n->govern)
        rc = rc_raise(RC_ORDER, "another policy is being put in force");
    else if (!(n->govern = calloc(1, sizeof(*n->govern))))
        rc = rc_raise(RC_NOMEM, "policy: out of memory");
    if (rc != RC_OK) {
        node_answer(n, call, rc, NULL, 0);
        return;
    }
    n->govern->call = call;
    rc = submit(n, body, len);
    if (rc != RC_OK)
        answer(n, rc);
}

/* ---- catching up ---------------------------------------------------------------------------- */

static void chain_came(struct node *n, void *arg, uint32_t from, enum rc rc,
                       const uint8_t *body, size_t len)
{
    (void)arg;
    (void)from;
    WIRE(policies) all = { 0 };
    if (rc == RC_OK)
        rc = wire_policies_decode(&all, (const char *)body, len);
    for (size_t i = 1; rc == RC_OK && i < all.versions.n; i++)
        rc = govern_adopt(n, &all.versions.at[i]);
    if (rc == RC_OK)
        lead_pump(n);
}

void govern_ask(struct node *n, uint32_t from)
{
    node_send(n, from, "/v1/policy", NULL, 0, n->w.now_ms(n->w.ctx) + GOVERN_MS,
              chain_came, NULL, from);
}

void node_peer_head(struct node *n, uint32_t from,
                    const struct wire_policy_head *head)
{
    struct wire_policy_head own;
    node_policy_head(n, &own);
    node_lock(n);
    bool has_log = n->has_log;
    node_unlock(n);
    if (head->version > own.version && has_log)
        govern_ask(n, from);
    if (from > UINT16_MAX)
        return;
    gossip_greet(n, (uint16_t)from);
    spread_meet(n, (uint16_t)from);
    standing_meet(n, (uint16_t)from);
}

/*
 * Handing the newest version to a node that is behind: from the newest
 * backwards to the first it can take, then forwards again.
 */
#define TELL_UP 0x80000000u

static void tell_version(struct node *n, uint16_t to, uint64_t version,
                         bool up);

static void taken(struct node *n, void *arg, uint32_t extra, enum rc rc,
                  const uint8_t *body, size_t len)
{
    uint16_t to = (uint16_t)(extra & UINT16_MAX);
    bool up = (extra & TELL_UP) != 0;
    uint64_t version = (uint64_t)(uintptr_t)arg;
    struct wire_policy_head own;
    (void)body;
    (void)len;
    node_policy_head(n, &own);
    if (rc == RC_OK && version < own.version)
        tell_version(n, to, version + 1, true);
    else if (rc == RC_ORDER && !up && version > 2)
        tell_version(n, to, version - 1, false);
}

static void tell_version(struct node *n, uint16_t to, uint64_t version, bool up)
{
    WIRE(policy) p = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    if (govern_version(&p, n, version) != RC_OK ||
        wire_policy_encode(&json, &len, &p) != RC_OK)
        return; /* it will be told again */
    node_send(n, to, "/v1/policy", json, len, n->w.now_ms(n->w.ctx) + GOVERN_MS,
              taken, (void *)(uintptr_t)version, to | (up ? TELL_UP : 0));
}

void govern_tell(struct node *n, uint16_t to)
{
    struct wire_policy_head own;
    node_policy_head(n, &own);
    if (own.version > 1)
        tell_version(n, to, own.version, false);
}

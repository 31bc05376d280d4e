/* SPDX-License-Identifier: Apache-2.0 */
/* Where a cluster stands with one of its nodes: policy, keys, and what the
 * node says of itself. */
#include "cli/node.h"

#include <stdio.h>
#include <string.h>

static enum rc ask_keys(struct wire_keys *out)
{
    struct http_answer a;
    TRY(cli_ask(&a, NULL, "/v1/keys", NULL, 0, CLI_ASK_MS));
    enum rc rc = wire_keys_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

static unsigned id_of(const json_t *status)
{
    return (unsigned)json_integer_value(json_object_get(status, "node"));
}

static enum rc read_own(struct node_view *v, const json_t *status)
{
    if (id_of(status) != v->id)
        return rc_raise(RC_ARG, "--at: that is node%u, want node%u",
                        id_of(status), v->id);
    TRY(cli_json_hex(v->identity, 32, status, "identity"));
    TRY(cli_json_hex(v->box, 32, status, "box"));
    v->version = (uint64_t)json_integer_value(
            json_object_get(json_object_get(status, "policy"), "version"));
    v->reached = true;
    return RC_OK;
}

static enum rc look(struct node_view *v, const char *socket)
{
    OWNED(json_t) *own = NULL;
    TRY(cli_policy_newest(&v->policy));
    TRY(ask_keys(&v->keys));
    TRY(cli_ask_json(&v->driver, NULL, "/v1/status"));
    if (!socket && id_of(v->driver) == v->id)
        return read_own(v, v->driver);
    if (!socket || cli_ask_json(&own, socket, "/v1/status") != RC_OK)
        return RC_OK; /* not reached */
    return read_own(v, own);
}

enum rc node_look(struct node_view *out, unsigned id, const char *socket)
{
    *out = (struct node_view){ .id = id };
    enum rc rc = look(out, socket);
    if (rc != RC_OK)
        node_look_end(out);
    return rc;
}

void node_look_end(struct node_view *v)
{
    policy_free(v->policy);
    wire_keys_free(&v->keys);
    json_decref(v->driver);
    *v = (struct node_view){ 0 };
}

const struct policy_node *node_look_row(const struct node_view *v)
{
    return policy_node_find(v->policy, (uint16_t)v->id);
}

bool node_look_is_new(const struct node_view *v)
{
    const struct policy_node *row = node_look_row(v);
    return v->reached && row &&
           (memcmp(row->identity, v->identity, 32) != 0 ||
            memcmp(row->box, v->box, 32) != 0);
}

/* ---- keys ---------------------------------------------------------------- */

static bool is_made(const struct wire_key *k)
{
    return k->epoch > 0 && strcmp(k->lifetime, "persistent") == 0;
}

bool node_look_holds(const struct node_view *v, const struct wire_key *k)
{
    for (size_t i = 0; is_made(k) && i < k->nodes.n; i++)
        if (k->nodes.at[i] == v->id)
            return true;
    return false;
}

bool node_look_holds_any(const struct node_view *v)
{
    for (size_t i = 0; i < v->keys.keys.n; i++)
        if (node_look_holds(v, &v->keys.keys.at[i]))
            return true;
    return false;
}

bool node_look_listed(const struct node_view *v, const struct wire_key *k)
{
    const struct policy_profile *f = policy_profile_find(v->policy, k->name);
    for (unsigned i = 0; f && is_made(k) && i < f->n_nodes; i++)
        if (f->nodes[i] == v->id)
            return true;
    return false;
}

bool node_look_settled(const struct node_view *v, const struct wire_key *k)
{
    const struct policy_profile *f = policy_profile_find(v->policy, k->name);
    if (!f || f->has_key_of || !is_made(k))
        return true;
    bool same = f->threshold == k->threshold && f->n_signers == k->nodes.n;
    for (unsigned i = 0; same && i < f->n_signers; i++)
        same = k->nodes.at[i] == f->signers[i];
    return same;
}

/* ---- whether the others are enough --------------------------------------- */

/* Each of its nodes is asked, now. */
static enum rc ask_holders(struct wire_change *out, const char *name)
{
    char path[128];
    struct http_answer a;
    snprintf(path, sizeof(path), "/v1/key/%.64s/holders", name);
    TRY(cli_ask(&a, NULL, path, NULL, 0, CLI_ASK_MS));
    enum rc rc = wire_change_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

static enum rc check_spare(const struct node_view *v, const struct wire_key *k)
{
    char down[300] = "";
    unsigned live = 0;
    WIRE(change) c = { 0 };
    TRY(ask_holders(&c, k->name));
    for (size_t i = 0; i < c.nodes.n; i++) {
        const struct wire_change_node *n = &c.nodes.at[i];
        size_t at = strlen(down);
        if (n->node == v->id)
            continue;
        live += n->deals;
        if (!n->deals)
            snprintf(down + at, sizeof(down) - at, "; node%llu: %.90s",
                     (unsigned long long)n->node, n->what);
    }
    if (live >= k->threshold)
        return RC_OK;
    enum rc rc = rc_raise(RC_NODES,
                          "key %s: without node%u %u nodes hold live shares, "
                          "needs %llu%s",
                          k->name, v->id, live,
                          (unsigned long long)k->threshold, down);
    rc_hint("start those that are down, or add a node first: mpcsign node add");
    return rc;
}

enum rc node_look_spare(const struct node_view *v)
{
    for (size_t i = 0; i < v->keys.keys.n; i++)
        if (node_look_holds(v, &v->keys.keys.at[i]))
            TRY(check_spare(v, &v->keys.keys.at[i]));
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpcsign node add | remove | upgrade: what they share. Each looks where the
 * cluster stands and does the next step, so that a command that was
 * interrupted goes on when it is run again. Public data.
 */
#ifndef CLI_NODE_H
#define CLI_NODE_H

#include "cli/policy.h"

/* Who asks and who approves; the fields are those of the options. */
struct cli_asker {
    const char *who;
    const char *ssh_key;
    const char *reason;
    const char *keys;
    const char *timeout;
    struct cli_list approvers;
};

/* ---- keys (cmd_key_change.c) --------------------------------------------- */

/* A reshare of that key, approved, driven and shown. */
MUST_CHECK enum rc cli_key_reshare(const struct cli_asker *who,
                                   const char *name);

/* ---- where it stands (node_look.c) --------------------------------------- */

struct node_view {
    unsigned id;
    struct policy *policy; /* in force; owned */
    struct wire_keys keys; /* owned */
    json_t *driver;        /* status of the sidecar asked; owned */
    /* of the node's own sidecar */
    bool reached;
    uint8_t identity[32];
    uint8_t box[32];
    uint64_t version; /* of the policy there */
};
/* socket: the node's own sidecar, or NULL: it may be the one asked. */
MUST_CHECK enum rc node_look(struct node_view *out, unsigned id,
                             const char *socket);
void node_look_end(struct node_view *v);
/* Its row in the policy; NULL: there is none. */
const struct policy_node *node_look_row(const struct node_view *v);
/* Its own sidecar answers, with keys that the policy does not name. */
bool node_look_is_new(const struct node_view *v);
/* The key is made, and the node is in its epoch; the profile lists it. */
bool node_look_holds(const struct node_view *v, const struct wire_key *k);
bool node_look_listed(const struct node_view *v, const struct wire_key *k);
bool node_look_holds_any(const struct node_view *v);
/* Threshold and nodes of the epoch are what the profile says. */
bool node_look_settled(const struct node_view *v, const struct wire_key *k);
/* RC_NODES: a key that it holds has fewer than t other live holders. */
MUST_CHECK enum rc node_look_spare(const struct node_view *v);

/* ---- the next version (node_version.c) ------------------------------------ */

/* The document of the version after the one in force, to be edited. */
MUST_CHECK enum rc node_version_begin(json_t **out, const struct node_view *v);
/* The node's row in it; NULL: there is none. */
json_t *node_version_row(json_t *doc, unsigned id);
MUST_CHECK enum rc node_version_leaving(json_t *doc, unsigned id);
/* Its keys as its sidecar says them, and not leaving. */
MUST_CHECK enum rc node_version_keys(json_t *doc, const struct node_view *v);
/* Measurements of sidecars: put in, or taken out. */
MUST_CHECK enum rc node_version_allow(json_t *doc, const struct cli_list *in,
                                      const struct cli_list *out);
/* In force when this returns: by keys at hand, or proposed and waited for. */
MUST_CHECK enum rc node_version_put(json_t *doc, const struct cli_asker *who,
                                    const char *what);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Who and what a policy names, and the roster it implies. */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

const struct policy_person *policy_person_find(const struct policy *p,
                                               const char *id)
{
    for (unsigned i = 0; i < p->n_persons; i++)
        if (strcmp(p->person[i].id, id) == 0)
            return &p->person[i];
    return NULL;
}

const struct policy_profile *policy_profile_find(const struct policy *p,
                                                 const char *name)
{
    for (unsigned i = 0; i < p->n_profiles; i++)
        if (strcmp(p->profile[i].name, name) == 0)
            return &p->profile[i];
    return NULL;
}

const struct policy_node *policy_node_find(const struct policy *p, uint16_t id)
{
    for (unsigned i = 0; i < p->n_nodes; i++)
        if (p->node[i].id == id)
            return &p->node[i];
    return NULL;
}

const struct policy_profile *policy_profile_key(const struct policy *p,
                                                const struct policy_profile *f)
{
    return f->has_key_of ? policy_profile_find(p, f->key_of) : f;
}

enum rc policy_uri_find(enum policy_role *role, uint16_t *node,
                        const struct policy *p, const char *uri)
{
    for (unsigned i = 0; i < p->n_nodes; i++)
        if (strcmp(p->node[i].uri, uri) == 0) {
            *role = POLICY_SIDECAR;
            *node = p->node[i].id;
            return RC_OK;
        }
    for (unsigned r = POLICY_CA; r < POLICY__ROLES; r++)
        if (strcmp(p->service[r], uri) == 0) {
            *role = (enum policy_role)r;
            *node = 0;
            return RC_OK;
        }
    return rc_raise(RC_UNKNOWN,
                    "URI: no node or service of policy version "
                    "%llu",
                    (unsigned long long)p->version);
}

static void roster_node(struct tlog_roster_node *out,
                        const struct policy_node *in)
{
    out->id = in->id;
    memcpy(out->identity, in->identity, sizeof(out->identity));
    memcpy(out->box, in->box, sizeof(out->box));
    memcpy(out->custodian, in->custodian, sizeof(out->custodian));
    out->n_custodians = in->n_custodians;
}

enum rc policy_roster(struct tlog_roster *out, uint8_t hash[32],
                      const struct policy *p)
{
    if (!p->has_log)
        return rc_raise(RC_ORDER,
                        "roster: policy version %llu has no log and "
                        "node keys yet",
                        (unsigned long long)p->version);
    OWNED_MEM struct tlog_roster *r = calloc(1, sizeof(*r));
    OWNED_MEM char *text = malloc(TLOG_ROSTER_MAX);
    if (!r || !text)
        return rc_raise(RC_NOMEM, "roster: %d bytes", TLOG_ROSTER_MAX);
    r->log = p->log;
    for (unsigned i = 0; i < p->n_nodes; i++)
        roster_node(&r->node[r->n++], &p->node[i]);
    size_t len = 0;
    TRY(tlog_roster_encode(text, TLOG_ROSTER_MAX, &len, r));
    hash256(hash, text, len);
    *out = *r;
    return RC_OK;
}

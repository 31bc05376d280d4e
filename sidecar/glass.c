/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Break-glass sessions: they sign with another profile's key under their own
 * numbers, and nobody shall overlook it. Whoever lends a share to one keeps
 * that for 30 days, says it in its audit row, and shows it in status.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/enc.h"

#define KEEP_S (30 * 86400)
#define PREFIX "break_glass/"

enum rc glass_profile(const struct policy_profile **out, const struct node *n,
                      const struct key *key, const struct policy_session *s)
{
    const struct policy *p = policy_chain_head(n->chain);
    const char *name = s->has_profile ? s->profile : key->name;
    const struct policy_profile *f = policy_profile_find(p, name);
    if (!f)
        return rc_raise(RC_POLICY, "profile %s is not in the policy in force",
                        name);
    const struct policy_profile *of = policy_profile_key(p, f);
    if (!of || strcmp(of->name, key->name) != 0)
        return rc_raise(RC_POLICY, "session is for %s, not for %s", name,
                        key->name);
    *out = f;
    return RC_OK;
}

enum rc glass_note(struct node *n, const struct policy_session *s)
{
    char name[128];
    char hex[65];
    enc_hex(hex, s->id, 32);
    /* by when it was made: the same for every share, ascending */
    snprintf(name, sizeof(name), PREFIX "%012lld/%s", (long long)s->created,
             hex);
    json_auto_t *o = json_pack("{s:s, s:s, s:s, s:s, s:I}", "session", hex,
                               "profile", s->profile, "requester", s->requester,
                               "reason", s->reason, "created",
                               (json_int_t)s->created);
    OWNED_MEM char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (!text)
        return rc_raise(RC_NOMEM, "break glass: out of memory");
    return store_put_once(n->w.store, name, text, strlen(text));
}

static enum rc add(void *ctx, const char *name, uint64_t number,
                   const uint8_t *json, size_t len, const uint8_t *b,
                   size_t b_len)
{
    json_t *o = json_loadb((const char *)json, len, 0, NULL);
    (void)name;
    (void)number;
    (void)b;
    (void)b_len;
    if (o)
        json_array_append_new(ctx, o);
    return RC_OK;
}

json_t *glass_json(struct node *n)
{
    json_t *list = json_array();
    /* what cannot be read is told by whatever reads the store next */
    if (list && store_values(n->w.store, PREFIX, add, list) != RC_OK)
        json_array_clear(list);
    return list;
}

void glass_expire(struct node *n)
{
    char before[64];
    long long at = (long long)(n->w.now_s(n->w.ctx) - KEEP_S);
    snprintf(before, sizeof(before), PREFIX "%012lld", at > 0 ? at : 0);
    if (store_drop(n->w.store, PREFIX, before) != RC_OK)
        return; /* tried again with everything else that expires */
}

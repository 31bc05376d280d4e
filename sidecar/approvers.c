/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may decide about a session, with which passkeys, and which ways of
 * approving count: what a page needs to ask the right authenticator. Advice
 * only: what it collects is judged by every sidecar.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/enc.h"

static bool has_approved(const struct policy_missing *m, const char *person)
{
    for (unsigned i = 0; i < m->n_said; i++)
        if (strcmp(m->said[i].person, person) == 0 &&
            m->said[i].decision == POLICY_D_APPROVE && m->said[i].counts)
            return true;
    return false;
}

static json_t *roles_json(const struct policy_person *p, bool sign)
{
    json_t *list = json_array();
    if (p->engineer && sign)
        json_array_append_new(list, json_string("engineer"));
    if (p->steward)
        json_array_append_new(list, json_string("steward"));
    return list;
}

static json_t *credentials_json(const struct policy_person *p, int64_t now)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < p->n_credentials; i++) {
        const struct policy_credential *c = &p->credential[i];
        char id[ENC_B64_SIZE(POLICY_RAW_ID_MAX)];
        if (c->revoked || (c->not_after && now >= c->not_after))
            continue;
        json_t *o = json_pack("{s:s}", "kind", c->kind);
        if (c->raw_id_len) {
            json_object_set_new(
                    o, "id",
                    json_string(enc_b64u(id, c->raw_id, c->raw_id_len)));
            json_object_set_new(o, "rp_id", json_string(c->rp_id));
        }
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *persons_json(const struct policy *p,
                            const struct policy_session *s,
                            const struct policy_missing *m, int64_t now)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < p->n_persons; i++) {
        const struct policy_person *who = &p->person[i];
        bool sign = s->type == POLICY_S_SIGN;
        if (strcmp(who->id, s->requester) == 0 ||
            !(who->steward || (who->engineer && sign)))
            continue;
        json_array_append_new(
                list, json_pack("{s:s, s:o, s:b, s:o}", "id", who->id, "roles",
                                roles_json(who, sign), "approved",
                                (int)has_approved(m, who->id), "credentials",
                                credentials_json(who, now)));
    }
    return list;
}

/* Without a profile there is no list: every way but a sidecar's page. */
static json_t *ways_json(const struct policy *p, const struct policy_session *s)
{
    const struct policy_profile *f = NULL;
    if (s->has_profile)
        f = policy_profile_find(p, s->profile);
    json_t *list = json_array();
    for (unsigned w = 0; w < POLICY__WAYS; w++)
        if (f ? f->way[w] : w != POLICY_W_SIDECAR_PAGE)
            json_array_append_new(
                    list, json_string(policy_way_name((enum policy_way)w)));
    return list;
}

/* Under lock. */
static enum rc describe(json_t **out, struct node *n,
                        const struct wire_session *in)
{
    const struct policy *p = policy_chain_head(n->chain);
    const int64_t now = n->w.now_s(n->w.ctx);
    struct policy_session s;
    struct tally t;
    TRY(policy_session_parse(&s, in->descriptor.p, in->descriptor.len));
    TRY(session_count(&t, n, &s, in));
    json_t *origins = json_array();
    for (unsigned i = 0; i < p->n_page_origins; i++)
        json_array_append_new(origins, json_string(p->page_origin[i]));
    *out = json_pack("{s:o, s:o, s:o}", "persons",
                     persons_json(p, &s, &t.m, now), "ways", ways_json(p, &s),
                     "page_origins", origins);
    return RC_OK;
}

void approvers_on_get(struct node *n, uint64_t call, const char *hex)
{
    uint8_t id[32];
    WIRE(session) in = { 0 };
    json_t *o = NULL;
    char *text = NULL;
    enum rc rc = enc_unhex(id, 32, hex, strlen(hex));
    if (rc == RC_OK)
        rc = session_load(&in, n, id);
    if (rc == RC_OK) {
        node_lock(n);
        rc = describe(&o, n, &in);
        node_unlock(n);
    }
    if (rc == RC_OK) {
        text = o ? json_dumps(o, JSON_COMPACT) : NULL;
        if (!text)
            rc = rc_raise(RC_NOMEM, "approvers: out of memory");
    }
    json_decref(o);
    node_answer(n, call, rc, text, text ? strlen(text) : 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session as people see it: where it is in its life, who has decided what.
 * Computed from what this node keeps and knows, each time.
 */
#include "sidecar/inner.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"

/* ---- its life ------------------------------------------------------------------- */

struct slots {
    struct store_slot at[POLICY__KINDS];
    bool any_marked;
    bool all_used;
    bool all_ended;
};

static enum rc read_slots(struct slots *out, struct node *n,
                          const struct policy_session *s)
{
    *out = (struct slots){ .all_used = s->n_slots > 0,
                           .all_ended = s->n_slots > 0 };
    for (unsigned k = 0; k < POLICY__KINDS; k++) {
        struct store_slot *slot = &out->at[k];
        if (!s->slot[k])
            continue;
        TRY(store_slot_get(n->w.store, s->id,
                           policy_kind_name((enum policy_kind)k), slot));
        out->any_marked = out->any_marked || slot->marked || slot->used ||
                          slot->burnt;
        out->all_used = out->all_used && slot->used;
        out->all_ended = out->all_ended && (slot->used || slot->burnt);
    }
    return RC_OK;
}

static enum life_state life(struct node *n, const struct policy_session *s,
                            const struct tally *t, const struct slots *slots)
{
    node_lock(n);
    const struct policy *p = policy_chain_head(n->chain);
    bool outdated = memcmp(s->policy, p->sha256, 32) != 0;
    node_unlock(n);
    const struct life_facts facts = {
        .enough = t->enough,
        .marked = slots->any_marked,
        .used = slots->all_used,
        .burnt = slots->all_ended && !slots->all_used,
        .denied = t->m.denied,
        .expired = n->w.now_s(n->w.ctx) >= s->expires,
        .outdated = outdated,
    };
    return life_of(&facts);
}

static enum rc look(enum life_state *state, struct tally *t,
                    struct slots *slots, struct node *n,
                    const struct policy_session *s,
                    const struct wire_session *in)
{
    TRY(read_slots(slots, n, s));
    node_lock(n);
    session_tally(t, n, s, in);
    node_unlock(n);
    *state = life(n, s, t, slots);
    return RC_OK;
}

enum rc session_life(enum life_state *out, struct node *n,
                     const struct policy_session *s,
                     const struct wire_session *in)
{
    struct tally t;
    struct slots slots;
    return look(out, &t, &slots, n, s, in);
}

/* ---- GET /v1/session/ID/state ----------------------------------------------------- */

static enum rc fill_artifact(struct wire_artifact **at, size_t *n,
                             const struct policy_session *s)
{
    TRY(wire_list_alloc((void **)at, n, sizeof(**at), s->has_artifact));
    if (!s->has_artifact)
        return RC_OK;
    snprintf((*at)->name, sizeof((*at)->name), "%s", s->artifact_name);
    (*at)->size = s->artifact_size;
    memcpy((*at)->sha256, s->artifact_sha256, 32);
    memcpy((*at)->sha512, s->artifact_sha512, 64);
    return RC_OK;
}

static void fill_said(struct wire_said *out, const struct policy_said *r)
{
    snprintf(out->person, sizeof(out->person), "%s", r->person);
    snprintf(out->role, sizeof(out->role), "%s", r->role);
    snprintf(out->decision, sizeof(out->decision), "%s",
             policy_decision_name(r->decision));
    snprintf(out->kind, sizeof(out->kind), "%s", r->kind);
    snprintf(out->way, sizeof(out->way), "%s", policy_way_name(r->way));
}

/* Under lock. */
static enum rc fill_records(struct wire_session_state *out, struct node *n,
                            const struct policy_session *s,
                            const struct tally *t)
{
    const uint8_t none[32] = { 0 };
    uint64_t nodes;
    TRY(wire_list_new(&out->records, t->m.n_said));
    spread_count(n, s->id, none, &nodes, &out->acks.need);
    for (unsigned i = 0; i < t->m.n_said; i++) {
        struct wire_said *said = &out->records.at[i];
        uint64_t need;
        fill_said(said, &t->m.said[i]);
        spread_count(n, s->id, t->hash[i], &said->nodes, &need);
        if (t->m.said[i].decision == POLICY_D_DENY &&
            said->nodes > out->acks.deny)
            out->acks.deny = said->nodes;
    }
    return RC_OK;
}

static enum rc fill_slots(struct wire_session_state *out,
                          const struct policy_session *s,
                          const struct slots *slots)
{
    size_t at = 0;
    TRY(wire_list_new(&out->slots, s->n_slots));
    for (unsigned k = 0; k < POLICY__KINDS; k++) {
        const struct store_slot *slot = &slots->at[k];
        if (!s->slot[k])
            continue;
        struct wire_slot_state *to = &out->slots.at[at++];
        snprintf(to->kind, sizeof(to->kind), "%s",
                 policy_kind_name((enum policy_kind)k));
        snprintf(to->state, sizeof(to->state), "%s",
                 slot->used     ? "used"
                 : slot->burnt  ? "burnt"
                 : slot->marked ? "marked"
                                : "open");
        to->attempts = slot->attempts;
    }
    return RC_OK;
}

static enum rc fill_state(struct wire_session_state *out, struct node *n,
                          const struct policy_session *s,
                          const struct wire_session *in)
{
    enum life_state state;
    struct tally t;
    struct slots slots;
    TRY(look(&state, &t, &slots, n, s, in));
    memcpy(out->session, s->id, 32);
    snprintf(out->state, sizeof(out->state), "%s", life_state_name(state));
    snprintf(out->type, sizeof(out->type), "%s",
             policy_session_type_name(s->type));
    snprintf(out->profile, sizeof(out->profile), "%s", s->profile);
    snprintf(out->requester, sizeof(out->requester), "%s", s->requester);
    snprintf(out->reason, sizeof(out->reason), "%s", s->reason);
    TRY(fill_artifact(&out->artifact.at, &out->artifact.n, s));
    out->created = (uint64_t)s->created;
    out->expires = (uint64_t)s->expires;
    out->required = (struct wire_places){ t.m.need_engineers,
                                          t.m.need_stewards };
    out->have = (struct wire_places){ t.m.have_engineers, t.m.have_stewards };
    node_lock(n);
    enum rc rc = fill_records(out, n, s, &t);
    node_unlock(n);
    TRY(rc);
    out->break_glass = t.break_glass;
    out->simulated = n->w.simulated && n->w.simulated(n->w.ctx);
    return fill_slots(out, s, &slots);
}

static enum rc state_of(struct node *n, const uint8_t id[32], char **json,
                        size_t *len)
{
    WIRE(session) in = { 0 };
    WIRE(session_state) out = { 0 };
    struct policy_session s;
    TRY(session_load(&in, n, id));
    TRY(policy_session_parse(&s, in.descriptor.p, in.descriptor.len));
    TRY(fill_state(&out, n, &s, &in));
    return wire_session_state_encode(json, len, &out);
}

/* The exact descriptor bytes, so that anyone can hash what they approve. */
static enum rc descriptor_of(struct node *n, const uint8_t id[32], char **out,
                             size_t *len)
{
    WIRE(session) s = { 0 };
    TRY(session_load(&s, n, id));
    *out = malloc(s.descriptor.len + 1);
    if (!*out)
        return rc_raise(RC_NOMEM, "session: out of memory");
    memcpy(*out, s.descriptor.p, s.descriptor.len);
    (*out)[s.descriptor.len] = '\0';
    *len = s.descriptor.len;
    return RC_OK;
}

void session_on_get(struct node *n, uint64_t call, const char *rest)
{
    uint8_t id[32];
    char *json = NULL;
    size_t len = 0;
    const char *slash = strchr(rest, '/');
    bool state = slash && strcmp(slash, "/state") == 0;
    enum rc rc = slash && !state ? rc_raise(RC_UNKNOWN, "no such path")
                                 : enc_unhex(id, 32, rest,
                                             slash ? (size_t)(slash - rest)
                                                   : strlen(rest));
    if (rc == RC_OK)
        rc = state ? state_of(n, id, &json, &len)
                   : descriptor_of(n, id, &json, &len);
    node_answer(n, call, rc, json, len);
    if (rc == RC_OK && state)
        spread_again(n, id); /* somebody cares: who else holds it? */
}

/* ---- GET /v1/sessions ---------------------------------------------------------------- */

struct list {
    struct node *n;
    struct wire_sessions out;
    size_t at;
};

static enum rc list_one(void *ctx, const char *name, uint64_t expires,
                        const uint8_t *id, size_t id_len, const uint8_t *json,
                        size_t len)
{
    struct list *l = ctx;
    WIRE(session) in = { 0 };
    struct policy_session s;
    enum life_state state;
    (void)name;
    (void)expires;
    (void)id;
    (void)id_len;
    if (wire_session_decode(&in, (const char *)json, len) != RC_OK ||
        policy_session_parse(&s, in.descriptor.p, in.descriptor.len) != RC_OK)
        return RC_OK; /* one bad row hides no other */
    TRY(session_life(&state, l->n, &s, &in));
    struct wire_session_row *row = &l->out.sessions.at[l->at];
    memcpy(row->session, s.id, 32);
    snprintf(row->state, sizeof(row->state), "%s", life_state_name(state));
    snprintf(row->type, sizeof(row->type), "%s",
             policy_session_type_name(s.type));
    snprintf(row->profile, sizeof(row->profile), "%s", s.profile);
    snprintf(row->requester, sizeof(row->requester), "%s", s.requester);
    row->created = (uint64_t)s.created;
    row->expires = (uint64_t)s.expires;
    TRY(fill_artifact(&row->artifact.at, &row->artifact.n, &s));
    l->at++;
    return RC_OK;
}

static enum rc list_all(char **json, size_t *len, struct node *n)
{
    struct list l = { .n = n };
    enum rc rc = wire_list_new(&l.out.sessions, WIRE_MAX_SESSIONS);
    if (rc == RC_OK)
        rc = store_sessions(n->w.store, INT64_MIN, WIRE_MAX_SESSIONS, list_one,
                            &l);
    l.out.sessions.n = l.at;
    if (rc == RC_OK)
        rc = wire_sessions_encode(json, len, &l.out);
    l.out.sessions.n = l.out.sessions.at ? WIRE_MAX_SESSIONS : 0;
    wire_sessions_free(&l.out);
    return rc;
}

void session_on_list(struct node *n, uint64_t call)
{
    char *json = NULL;
    size_t len = 0;
    enum rc rc = list_all(&json, &len, n);
    node_answer(n, call, rc, json, len);
}

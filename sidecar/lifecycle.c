/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table. A receipt always ends in used: that signature exists, whatever
 * came too late to stop it. What is refused changes nothing.
 */
#include "sidecar/lifecycle.h"

#include <stdio.h>
#include <string.h>

struct cell {
    enum rc refused; /* RC_OK: the event is taken */
    enum life_state enough;
    enum life_state missing; /* where approvals are missing afterwards */
};

/* clang-format off */
#define TO(state)         { RC_OK, LIFE_##state, LIFE_##state }
#define EITHER(yes, no)   { RC_OK, LIFE_##yes, LIFE_##no }
#define NO(rc)            { RC_##rc, LIFE_OPEN, LIFE_OPEN }
static const struct cell table[LIFE__STATES][LIFE__EVENTS] = {
    [LIFE_OPEN] = {
        [LIFE_APPROVAL] = EITHER(APPROVED, OPEN),
        [LIFE_DENY]     = TO(DENIED),
        [LIFE_REVOKE]   = EITHER(APPROVED, OPEN),
        [LIFE_EXPIRY]   = TO(EXPIRED),
        [LIFE_MARK]     = NO(NOT_APPROVED),
        [LIFE_SHARE]    = NO(NOT_APPROVED),
        [LIFE_RECEIPT]  = TO(USED),
        [LIFE_FAILURE]  = TO(BURNT),
        [LIFE_POLICY]   = TO(POLICY_CHANGED),
    },
    [LIFE_APPROVED] = {
        [LIFE_APPROVAL] = TO(APPROVED),
        [LIFE_DENY]     = TO(DENIED),
        [LIFE_REVOKE]   = EITHER(APPROVED, OPEN),
        [LIFE_EXPIRY]   = TO(EXPIRED),
        [LIFE_MARK]     = TO(SIGNING),
        [LIFE_SHARE]    = NO(ORDER),
        [LIFE_RECEIPT]  = TO(USED),
        [LIFE_FAILURE]  = TO(BURNT),
        [LIFE_POLICY]   = TO(POLICY_CHANGED),
    },
    [LIFE_SIGNING] = {
        [LIFE_APPROVAL] = TO(SIGNING),
        [LIFE_DENY]     = TO(DENIED),
        [LIFE_REVOKE]   = EITHER(SIGNING, OPEN),
        [LIFE_EXPIRY]   = TO(EXPIRED),
        [LIFE_MARK]     = TO(SIGNING),
        [LIFE_SHARE]    = TO(SIGNING),
        [LIFE_RECEIPT]  = TO(USED),
        [LIFE_FAILURE]  = TO(BURNT),
        [LIFE_POLICY]   = TO(POLICY_CHANGED),
    },
    [LIFE_USED] = {
        [LIFE_APPROVAL] = NO(ORDER),
        [LIFE_DENY]     = NO(ORDER),
        [LIFE_REVOKE]   = NO(ORDER),
        [LIFE_EXPIRY]   = TO(USED),
        [LIFE_MARK]     = NO(ORDER),
        [LIFE_SHARE]    = NO(ORDER),
        [LIFE_RECEIPT]  = TO(USED),
        [LIFE_FAILURE]  = TO(USED),
        [LIFE_POLICY]   = TO(USED),
    },
    [LIFE_DENIED] = {
        [LIFE_APPROVAL] = NO(DENIED),
        [LIFE_DENY]     = TO(DENIED),
        [LIFE_REVOKE]   = TO(DENIED),
        [LIFE_EXPIRY]   = TO(DENIED),
        [LIFE_MARK]     = NO(DENIED),
        [LIFE_SHARE]    = NO(DENIED),
        [LIFE_RECEIPT]  = TO(USED),
        [LIFE_FAILURE]  = TO(DENIED),
        [LIFE_POLICY]   = TO(DENIED),
    },
    [LIFE_EXPIRED] = {
        [LIFE_APPROVAL] = NO(EXPIRED),
        [LIFE_DENY]     = NO(EXPIRED),
        [LIFE_REVOKE]   = NO(EXPIRED),
        [LIFE_EXPIRY]   = TO(EXPIRED),
        [LIFE_MARK]     = NO(EXPIRED),
        [LIFE_SHARE]    = NO(EXPIRED),
        [LIFE_RECEIPT]  = TO(USED),
        [LIFE_FAILURE]  = TO(EXPIRED),
        [LIFE_POLICY]   = TO(EXPIRED),
    },
    [LIFE_BURNT] = {
        [LIFE_APPROVAL] = NO(SLOT_BURNT),
        [LIFE_DENY]     = TO(BURNT),
        [LIFE_REVOKE]   = TO(BURNT),
        [LIFE_EXPIRY]   = TO(BURNT),
        [LIFE_MARK]     = NO(SLOT_BURNT),
        [LIFE_SHARE]    = NO(SLOT_BURNT),
        [LIFE_RECEIPT]  = TO(USED),
        [LIFE_FAILURE]  = TO(BURNT),
        [LIFE_POLICY]   = TO(BURNT),
    },
    [LIFE_POLICY_CHANGED] = {
        [LIFE_APPROVAL] = NO(POLICY_CHANGED),
        [LIFE_DENY]     = NO(POLICY_CHANGED),
        [LIFE_REVOKE]   = NO(POLICY_CHANGED),
        [LIFE_EXPIRY]   = TO(POLICY_CHANGED),
        [LIFE_MARK]     = NO(POLICY_CHANGED),
        [LIFE_SHARE]    = NO(POLICY_CHANGED),
        [LIFE_RECEIPT]  = TO(USED),
        [LIFE_FAILURE]  = TO(POLICY_CHANGED),
        [LIFE_POLICY]   = TO(POLICY_CHANGED),
    },
};
static const char *const states[LIFE__STATES] = {
    "open", "approved", "signing", "used", "denied", "expired", "burnt",
    "policy_changed",
};
static const char *const events[LIFE__EVENTS] = {
    "approval", "deny", "revoke", "expiry", "mark", "share", "receipt",
    "failure after a mark", "policy change",
};
/* clang-format on */

const char *life_state_name(enum life_state state)
{
    return states[state];
}

const char *life_event_name(enum life_event event)
{
    return events[event];
}

enum rc life_step(enum life_state *state, enum life_event event, bool enough)
{
    const struct cell *c = &table[*state][event];
    if (c->refused != RC_OK)
        return rc_raise(c->refused, "session: %s, takes no %s", states[*state],
                        events[event]);
    *state = enough ? c->enough : c->missing;
    return RC_OK;
}

/* What a cell refuses came too late: the state stays. */
static void step(enum life_state *state, enum life_event event, bool enough)
{
    const struct cell *c = &table[*state][event];
    if (c->refused == RC_OK)
        *state = enough ? c->enough : c->missing;
}

enum life_state life_of(const struct life_facts *f)
{
    enum life_state state = LIFE_OPEN;
    /* a slot is marked only when it was enough, whatever was taken back since */
    step(&state, LIFE_APPROVAL, f->enough || f->marked);
    if (f->marked)
        step(&state, LIFE_MARK, true);
    if (!f->enough)
        step(&state, LIFE_REVOKE, false);
    if (f->used)
        step(&state, LIFE_RECEIPT, f->enough);
    if (f->burnt)
        step(&state, LIFE_FAILURE, f->enough);
    if (f->denied)
        step(&state, LIFE_DENY, f->enough);
    if (f->outdated)
        step(&state, LIFE_POLICY, f->enough);
    if (f->expired)
        step(&state, LIFE_EXPIRY, f->enough);
    return state;
}

/* ---- printed ---------------------------------------------------------------- */

static void add(char *out, size_t cap, const char *text)
{
    size_t at = strlen(out);
    if (at < cap)
        snprintf(out + at, cap - at, "%s", text);
}

static void add_cell(char *out, size_t cap, const struct cell *c)
{
    char text[96];
    if (c->refused != RC_OK)
        snprintf(text, sizeof(text), " *%s* |", rc_slug(c->refused));
    else if (c->enough == c->missing)
        snprintf(text, sizeof(text), " %s |", states[c->enough]);
    else
        snprintf(text, sizeof(text), " %s / %s |", states[c->enough],
                 states[c->missing]);
    add(out, cap, text);
}

void life_table(char *out, size_t cap)
{
    out[0] = '\0';
    add(out, cap, "| |");
    for (unsigned e = 0; e < LIFE__EVENTS; e++) {
        add(out, cap, " ");
        add(out, cap, events[e]);
        add(out, cap, " |");
    }
    add(out, cap, "\n|---|");
    for (unsigned e = 0; e < LIFE__EVENTS; e++)
        add(out, cap, "---|");
    for (unsigned s = 0; s < LIFE__STATES; s++) {
        add(out, cap, "\n| **");
        add(out, cap, states[s]);
        add(out, cap, "** |");
        for (unsigned e = 0; e < LIFE__EVENTS; e++)
            add_cell(out, cap, &table[s][e]);
    }
    add(out, cap, "\n");
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a session as a table, state by event. Pure: what is known of a
 * session goes in, its state comes out, the same way on every node.
 * docs/SESSIONS.md prints the table; a test holds it to this one.
 */
#ifndef SIDECAR_LIFECYCLE_H
#define SIDECAR_LIFECYCLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/rc.h"

enum life_state {
    LIFE_OPEN,     /* approvals are missing */
    LIFE_APPROVED, /* it may sign */
    LIFE_SIGNING,  /* a slot is marked: good for that message only */
    LIFE_USED,     /* every slot has its signature */
    LIFE_DENIED,
    LIFE_EXPIRED,
    LIFE_BURNT, /* a slot failed after its mark */
    LIFE_POLICY_CHANGED,
    LIFE__STATES
};
enum life_event {
    LIFE_APPROVAL,
    LIFE_DENY,
    LIFE_REVOKE,
    LIFE_EXPIRY,
    LIFE_MARK,
    LIFE_SHARE,
    LIFE_RECEIPT,
    LIFE_FAILURE, /* after a mark */
    LIFE_POLICY,  /* another version is in force */
    LIFE__EVENTS
};
const char *life_state_name(enum life_state state);
const char *life_event_name(enum life_event event);

/*
 * enough  what is approved once the event has happened meets the rule
 * Fails   with the code of the cell where the event is refused; *state stays
 */
MUST_CHECK enum rc life_step(enum life_state *state, enum life_event event,
                             bool enough);

/* What a node knows of a session. */
struct life_facts {
    bool enough;
    bool marked;   /* any slot */
    bool used;     /* all slots, and there is one */
    bool burnt;    /* all slots have ended, one of them without */
    bool denied;   /* a valid denial is held */
    bool expired;  /* by this node's clock */
    bool outdated; /* made under another policy */
};
enum life_state life_of(const struct life_facts *facts);

/* The table as the docs print it; NUL-terminated, cap at least 4096. */
void life_table(char *out, size_t cap);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the room: what a monitor remembers. Public data. */
#ifndef TRANSPARENCY_ALARM_H
#define TRANSPARENCY_ALARM_H

#include "transparency/watch.h"

enum affair_state { AFFAIR_OPEN, AFFAIR_SETTLED, AFFAIR_TOLD };

/* One message for one slot, with all its attempts. */
struct tlog_affair {
    uint8_t id[32];   /* H of session, slot, key and commitment */
    uint8_t slot[32]; /* H of session and slot; the id, without a session */
    uint64_t first;   /* index of its first intent */
    uint64_t last;
    int64_t expires; /* of the last attempt to expire */
    enum affair_state state;
};
struct tlog_watch {
    struct tlog_affair *affair;
    size_t n;
    size_t cap;
    size_t settled; /* affairs before this one are not open */
    /* intents ascending by index, with their affairs */
    struct watch_intent {
        uint64_t index;
        uint64_t affair;
    } * intent;
    size_t n_intents;
    size_t intent_cap;
    /* affair + 1 by id and, the slot's first, by slot; a power of two each */
    uint64_t *by_id;
    uint64_t *by_slot;
    size_t table_cap;
    uint8_t key[16];
};

/* Adds an affair to list and tables, or an intent; room is made. RC_NOMEM. */
MUST_CHECK enum rc tlog_watch_add_affair(struct tlog_watch *w,
                                         const struct tlog_affair *a);
MUST_CHECK enum rc tlog_watch_add_intent(struct tlog_watch *w, uint64_t index,
                                         uint64_t affair);

#endif

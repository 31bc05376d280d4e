/* SPDX-License-Identifier: Apache-2.0 */
/* mpcsign log watch, inside: one round of a monitor, and its words. */
#ifndef CLI_LOG_WATCH_H
#define CLI_LOG_WATCH_H

#include "cli/log.h"

OWNED_STRUCT(tlog_watch);

struct log_monitor {
    /* what it was told */
    struct cli_log log;
    char state[CLI_PATH];
    int64_t grace_s;
    bool all;    /* show every entry */
    bool by_key; /* or those of filter.key */
    bool quiet;
    /* what it keeps */
    struct tlog_watch *watch;
    struct tlog_follow follow;
    bool saved; /* there is a state file */
    /* what one round found; verified when log_monitor_round() returns OK */
    struct cli_log_filter filter;
    uint64_t from;
    json_t *entries; /* to be shown */
    json_t *alarms;  /* {kind, words, index?, other?, evidence?} */
    bool standing; /* the alarm is the log itself: told again while it lasts */
    bool failed;   /* no memory for one of them */
};
/* State from its file, or from nothing. */
MUST_CHECK enum rc log_monitor_open(struct log_monitor *m);
void log_monitor_close(struct log_monitor *m);
/*
 * Reads what is new, verifies it and fills entries and alarms; a log that is
 * caught lying is an alarm too. Any other code: the log could not be read,
 * and nothing changed.
 */
MUST_CHECK enum rc log_monitor_round(struct log_monitor *m, int64_t now_s);
/* After the round was told: what was seen is seen. */
MUST_CHECK enum rc log_monitor_keep(struct log_monitor *m);

#endif

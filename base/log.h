/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: a name and key=value pairs, on stderr as text (journald's <N>
 * prefix) or as one JSON object per line. Only programs log; libraries
 * return. Session, peer and digest are welcome; message bodies, shares and
 * nonces are not.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/rc.h"

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

/*
 * json: one object per line instead of text. tag is put on every line (say
 * "simulated=yes"); NULL for none. Default: text, LOG_INFO, no tag.
 */
void log_setup(enum log_level max, bool json, const char *tag);

/*
 *     log_event(LOG_INFO, "sign.done", "session=%s signers=%u", hex, n);
 * Pairs are `key=value` separated by single spaces; a value that may hold a
 * space is last, or quoted by the caller.
 */
void log_event(enum log_level level, const char *event, const char *pairs, ...)
        PRINTF_LIKE(3, 4);

#define log_error(event, ...) log_event(LOG_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...)  log_event(LOG_WARN, event, __VA_ARGS__)
#define log_info(event, ...)  log_event(LOG_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_event(LOG_DEBUG, event, __VA_ARGS__)

/* The last raised error as an event: rc, text, hint, where. */
void log_rc(enum log_level level, const char *event, enum rc rc);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the program: appends of attested sidecars. A call waits for its
 * commit without holding a thread, so that as many as there are share one.
 */
#ifndef TRANSPARENCY_APPEND_H
#define TRANSPARENCY_APPEND_H

#include "transparency/public.h"
#include "transparency/quota.h"

struct log_appender;

/* per_s: entries a second each peer may append; 0: no limit. */
MUST_CHECK enum rc log_appender_start(struct log_appender **out,
                                      struct log_public *p, unsigned per_s);
/*
 * Nothing is taken any more, what waits is answered, at most wait_ms; then no
 * call is touched again. Before the server of those calls stops.
 */
void log_appender_close(struct log_appender *a, int wait_ms);
/* After the store is freed. NULL is fine. */
void log_appender_free(struct log_appender *a);

/* Until then every append is refused with this; NULL: go on. */
void log_appender_hold(struct log_appender *a, const char *why);
bool log_appender_held(struct log_appender *a);

/*
 * May this peer append so many now? RC_OK is a claim that ends with
 * log_appender_done(); closing waits for it. RC_NOMEM: over its quota.
 */
MUST_CHECK enum rc log_appender_admit(struct log_appender *a, const char *uri,
                                      unsigned n);
void log_appender_done(struct log_appender *a);
struct log_public *log_appender_public(struct log_appender *a);

/*
 * A body that is a wire_append; the call is answered later, on RC_OK. uri: who
 * asks, for the quota.
 */
MUST_CHECK enum rc log_append(struct log_appender *a, struct http_call *call,
                              const char *uri);

#endif

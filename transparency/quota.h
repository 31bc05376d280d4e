/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much one peer may append: a bucket each that holds ten seconds' worth
 * and refills steadily. So one sidecar that runs wild leaves the log to the
 * others. Not thread-safe; time comes in.
 */
#ifndef TRANSPARENCY_QUOTA_H
#define TRANSPARENCY_QUOTA_H

#include "http/http.h"

#define QUOTA_PEERS   256
#define QUOTA_BURST_S 10

struct log_quota {
    unsigned per_s; /* entries a second; 0: no limit */
    struct quota_peer {
        char uri[HTTP_URI_MAX];
        int64_t level; /* entries it may still append, in thousandths */
        int64_t at_ms;
    } peer[QUOTA_PEERS];
    unsigned n;
};
/*
 * RC_NOMEM: over its quota, or too many peers; nothing was taken then.
 * RC_ARG: more entries than a full bucket holds.
 */
MUST_CHECK enum rc log_quota_take(struct log_quota *q, const char *uri,
                                  unsigned entries, int64_t now_ms);

#endif

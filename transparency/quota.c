/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets of appends; see quota.h. */
#include "transparency/quota.h"

#include <stdio.h>
#include <string.h>

static struct quota_peer *find(struct log_quota *q, const char *uri,
                               int64_t now_ms)
{
    for (unsigned i = 0; i < q->n; i++)
        if (strcmp(q->peer[i].uri, uri) == 0)
            return &q->peer[i];
    if (q->n == QUOTA_PEERS)
        return NULL;
    struct quota_peer *p = &q->peer[q->n++];
    snprintf(p->uri, sizeof(p->uri), "%s", uri);
    p->level = (int64_t)q->per_s * QUOTA_BURST_S * 1000;
    p->at_ms = now_ms;
    return p;
}

enum rc log_quota_take(struct log_quota *q, const char *uri, unsigned entries,
                       int64_t now_ms)
{
    const int64_t full = (int64_t)q->per_s * QUOTA_BURST_S * 1000;
    const int64_t want = (int64_t)entries * 1000;
    if (q->per_s == 0)
        return RC_OK;
    if (want > full)
        return rc_raise(RC_ARG, "append: %u entries at once, the quota is %u",
                        entries, q->per_s * QUOTA_BURST_S);
    struct quota_peer *p = find(q, uri, now_ms);
    if (!p)
        return rc_raise(RC_NOMEM, "append: over %d peers", QUOTA_PEERS);
    int64_t passed = now_ms - p->at_ms;
    if (passed > QUOTA_BURST_S * 1000)
        passed = QUOTA_BURST_S * 1000; /* no overflow after a long night */
    if (passed > 0) {
        p->level += passed * q->per_s;
        p->at_ms = now_ms;
    }
    if (p->level > full)
        p->level = full;
    if (p->level < want) {
        rc_raise(RC_NOMEM,
                 "append: %s is over its quota of %u entries a "
                 "second",
                 uri, q->per_s);
        rc_hint("wait a second, or raise append_per_s in the log's "
                "configuration");
        return RC_NOMEM;
    }
    p->level -= want;
    return RC_OK;
}

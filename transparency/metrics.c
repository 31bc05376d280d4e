/* SPDX-License-Identifier: Apache-2.0 */
/* Is it well, and how is it doing: /health and, for Prometheus, /metrics. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "transparency/public.h"

#define TEXT "text/plain; charset=utf-8"

enum rc log_on_health(struct http_call *call, void *ctx)
{
    struct log_public *p = ctx;
    struct tlog_store_stats st;
    tlog_store_stats(p->store, &st);
    TRY(http_reply_header(call, "Cache-Control", "no-store"));
    if (st.stopped)
        return http_reply(call, 503, TEXT, "stopped\n", 8);
    return http_reply(call, 200, TEXT, "ok\n", 3);
}

struct out {
    char text[8192];
    size_t len;
};

static void metric(struct out *o, const char *name, const char *type,
                   const char *help, double value)
{
    int n = snprintf(o->text + o->len, sizeof(o->text) - o->len,
                     "# HELP mpc_log_%s %s\n# TYPE mpc_log_%s %s\n"
                     "mpc_log_%s %.17g\n",
                     name, help, name, type, name, value);
    if (n > 0 && (size_t)n < sizeof(o->text) - o->len)
        o->len += (size_t)n;
}

static void histogram(struct out *o, const struct tlog_store_stats *st)
{
    uint64_t sum = 0;
    char *at = o->text + o->len;
    size_t cap = sizeof(o->text) - o->len;
    size_t n = (size_t)snprintf(
            at, cap,
            "# HELP mpc_log_commit_seconds Write, sync and sign of a batch.\n"
            "# TYPE mpc_log_commit_seconds histogram\n");
    for (unsigned i = 0; i < TLOG_STORE_BUCKETS; i++) {
        sum += st->commit_bucket[i];
        n += (size_t)snprintf(at + n, cap - n,
                              "mpc_log_commit_seconds_bucket{le=\"%g\"} %llu\n",
                              (double)(64u << i) / 1e6,
                              (unsigned long long)sum);
    }
    n += (size_t)snprintf(at + n, cap - n,
                          "mpc_log_commit_seconds_bucket{le=\"+Inf\"} %llu\n"
                          "mpc_log_commit_seconds_sum %.6f\n"
                          "mpc_log_commit_seconds_count %llu\n",
                          (unsigned long long)st->batches,
                          (double)st->commit_us / 1e6,
                          (unsigned long long)st->batches);
    o->len += n;
}

enum rc log_on_metrics(struct http_call *call, void *ctx)
{
    struct log_public *p = ctx;
    struct tlog_store_stats st;
    struct out o = { .len = 0 };
    tlog_store_stats(p->store, &st);
    pthread_mutex_lock(&p->mu);
    bool cosigned = p->want_cosigned;
    double cosigned_size = (double)p->cosigned_cp.size;
    double behind = p->witnesses_behind;
    pthread_mutex_unlock(&p->mu);
    metric(&o, "entries", "gauge", "Entries in the tree.", (double)st.size);
    metric(&o, "bytes", "gauge", "Bytes of records on disk.", (double)st.bytes);
    metric(&o, "appended_total", "counter", "New entries.",
           (double)st.appended);
    metric(&o, "duplicates_total", "counter",
           "Entries that were there already.", (double)st.duplicates);
    metric(&o, "queued", "gauge", "Entries waiting for a commit.",
           (double)st.queued);
    metric(&o, "refused_quota_total", "counter",
           "Appends refused: a peer over its quota.",
           (double)atomic_load(&p->refused_quota));
    metric(&o, "refused_total", "counter", "Appends refused otherwise.",
           (double)atomic_load(&p->refused_other));
    metric(&o, "up", "gauge", "0 after an error that stopped the log.",
           st.stopped ? 0 : 1);
    if (cosigned) {
        metric(&o, "cosigned_entries", "gauge",
               "Size of the newest checkpoint with a quorum.", cosigned_size);
        metric(&o, "witnesses_behind", "gauge",
               "Witnesses that have not cosigned it.", behind);
    }
    histogram(&o, &st);
    TRY(http_reply_header(call, "Cache-Control", "no-store"));
    return http_reply(call, 200, "text/plain; version=0.0.4; charset=utf-8",
                      o.text, o.len);
}

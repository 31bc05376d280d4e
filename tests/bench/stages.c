/* SPDX-License-Identifier: Apache-2.0 */
/* The stack of stages under way, and the count of syncs. */
#include "stages.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX 8

/* ---- syncs ------------------------------------------------------------------ */

static atomic_ulong n_syncs;

/* In place of libc's: SQLite and the log call these. */
__attribute__((visibility("default"))) int fdatasync(int fd)
{
    atomic_fetch_add(&n_syncs, 1);
    return (int)syscall(SYS_fdatasync, fd);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
    atomic_fetch_add(&n_syncs, 1);
    return (int)syscall(SYS_fsync, fd);
}

unsigned long stage_syncs(void)
{
    return atomic_load(&n_syncs);
}

/* ---- stages ------------------------------------------------------------------ */

static struct {
    double from_us;
    double inner_us;
    unsigned long syncs;
} under_way[DEPTH_MAX];
static unsigned depth;

void stage_begin(void)
{
    if (depth == DEPTH_MAX)
        bench_die("stages: over %d deep", DEPTH_MAX);
    under_way[depth].inner_us = 0;
    under_way[depth].syncs = stage_syncs();
    under_way[depth++].from_us = bench_now_us();
}

struct stage_cost stage_end(void)
{
    double now = bench_now_us();
    if (depth == 0)
        bench_die("stages: one ends that never began");
    depth--;
    double all = now - under_way[depth].from_us;
    struct stage_cost cost = { .all_us = all,
                               .own_us = all - under_way[depth].inner_us,
                               .syncs = stage_syncs() -
                                        under_way[depth].syncs };
    if (depth > 0)
        under_way[depth - 1].inner_us += all;
    return cost;
}

void stage_add(struct stage *s, struct stage_cost cost, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        bench_add(&s->all, cost.all_us / count);
        bench_add(&s->own, cost.own_us / count);
    }
    if (count)
        s->syncs += (double)cost.syncs;
}

void stage_keep(struct stage *s, unsigned count)
{
    stage_add(s, stage_end(), count);
}

void stage_line(struct stage *s, unsigned batch, const char *more)
{
    char name[64];
    if (s->all.n == 0)
        bench_die("stage %s: nothing was measured", s->name);
    snprintf(name, sizeof(name), "stage.%s", s->name);
    bench_line(name, &s->all, 0,
               ",\"stage\":\"%s\",\"batch\":%u,\"own_p50_us\":%.1f,"
               "\"syncs\":%.3f%s",
               s->name, batch, bench_quantile(&s->own, 0.5),
               s->syncs / (double)s->all.n, more);
    bench_free(&s->all);
    bench_free(&s->own);
    s->syncs = 0;
}

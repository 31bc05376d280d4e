/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stages of a signature. A stage begins and ends around a door of the real
 * code; stages nest, so each has a time of its own and one with what it
 * called. Durable syncs of the whole process are counted into them.
 */
#ifndef TESTS_BENCH_STAGES_H
#define TESTS_BENCH_STAGES_H

#include "bench.h"

struct stage {
    const char *name;
    struct bench_series all; /* with what it called */
    struct bench_series own; /* without */
    double syncs;            /* in all of them together */
};

/* The main thread's. Ends in the order opposite to beginning. */
void stage_begin(void);
struct stage_cost {
    double all_us;
    double own_us;
    unsigned long syncs;
};
struct stage_cost stage_end(void);
/* Ends it and keeps it as `count` equal ones; count 0 drops it. */
void stage_keep(struct stage *s, unsigned count);
void stage_add(struct stage *s, struct stage_cost cost, unsigned count);
/*
 * {"bench":"stage.NAME",…,"stage":NAME,"batch":…,"own_p50_us":…,"syncs":…MORE}
 * and empties it.
 */
void stage_line(struct stage *s, unsigned batch, const char *more);

/* fdatasync() and fsync() of this process so far (syncs.c). */
unsigned long stage_syncs(void);

/* Each prints its own lines; in the current directory, which they leave. */
void stage_provider(unsigned n);
void stage_log(unsigned n);

#endif

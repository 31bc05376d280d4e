/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the bench programs share: times of one thing, and the line that says
 * them. One JSON object a line on stdout; no time is ever judged here.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#define BENCH_SAMPLES_MAX 2000000 /* of one series; later ones are dropped */

struct bench_series {
    double *us; /* owned */
    size_t n;
    size_t cap;
};

/* Microseconds on a clock that never steps. */
double bench_now_us(void);
/* Out of memory ends the program. */
void bench_add(struct bench_series *s, double us);
void bench_free(struct bench_series *s);

/* The q-th part of the sorted series, 0..1; 0 of an empty one. Sorts it. */
double bench_quantile(struct bench_series *s, double q);
double bench_sum(const struct bench_series *s);

/*
 * {"bench":NAME,"n":…,"p50_us":…,"p99_us":…,"per_s":…MORE}
 *
 * per_s  0: as many as fit one after another
 * more   further members with a comma in front, or ""
 */
void bench_line(const char *name, struct bench_series *s, double per_s,
                const char *more, ...) __attribute__((format(printf, 4, 5)));

/* "bench: …" on stderr, exit 1. */
_Noreturn void bench_die(const char *fmt, ...)
        __attribute__((format(printf, 1, 2)));
/* 1..max, or ends the program naming the flag. */
unsigned bench_number(const char *flag, const char *text, unsigned max);

#endif

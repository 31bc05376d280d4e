/* SPDX-License-Identifier: Apache-2.0 */
/* Series of times, and their line. */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double bench_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void bench_die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "bench: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    exit(1);
}

unsigned bench_number(const char *flag, const char *text, unsigned max)
{
    char *end = NULL;
    unsigned long v = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || v == 0 || v > max)
        bench_die("%s: want a number from 1 to %u", flag, max);
    return (unsigned)v;
}

void bench_add(struct bench_series *s, double us)
{
    if (s->n == BENCH_SAMPLES_MAX)
        return;
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 1024;
        double *more = realloc(s->us, cap * sizeof(*more));
        if (!more)
            bench_die("out of memory");
        s->us = more;
        s->cap = cap;
    }
    s->us[s->n++] = us;
}

void bench_free(struct bench_series *s)
{
    free(s->us);
    *s = (struct bench_series){ .us = NULL };
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_quantile(struct bench_series *s, double q)
{
    if (s->n == 0)
        return 0;
    qsort(s->us, s->n, sizeof(*s->us), by_value);
    size_t at = (size_t)(q * (double)s->n);
    return s->us[at < s->n ? at : s->n - 1];
}

double bench_sum(const struct bench_series *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->n; i++)
        sum += s->us[i];
    return sum;
}

void bench_line(const char *name, struct bench_series *s, double per_s,
                const char *more, ...)
{
    double sum = bench_sum(s);
    if (per_s <= 0 && sum > 0)
        per_s = (double)s->n * 1e6 / sum;
    printf("{\"bench\":\"%s\",\"n\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"per_s\":%.1f",
           name, s->n, bench_quantile(s, 0.5), bench_quantile(s, 0.99), per_s);
    va_list ap;
    va_start(ap, more);
    vprintf(more, ap);
    va_end(ap);
    printf("}\n");
    fflush(stdout);
}

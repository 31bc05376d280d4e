/* SPDX-License-Identifier: Apache-2.0 */
/* The load on a log: closed loops over plain HTTP, one epoll. */
#ifndef TESTS_BENCH_BENCH_LOG_H
#define TESTS_BENCH_BENCH_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_LOG_TIMES_MAX 1000000
#define BENCH_LOG_CONNS_MAX 256

struct bench_log_times {
    double took_us;
    size_t n;
    double us[BENCH_LOG_TIMES_MAX];
};

/* An intent like any other, and like no other; returns its length. */
size_t bench_log_intent(char *out);
/*
 * Appends one entry a request on that many connections for so long; each
 * answer must be a 200 with a proof in it. 0, or an exit status.
 */
int bench_log_load(struct bench_log_times *out, uint16_t port, bool rpc,
                   unsigned connections, unsigned seconds);

#endif

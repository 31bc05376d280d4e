/* SPDX-License-Identifier: Apache-2.0 */
/* Latencies of the room, one JSON object a line. */
#include "kit.h"

#include <time.h>

#define RUNS 400

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void report(const char *what, const struct kit_group *g, double *us)
{
    double sum = 0;
    for (unsigned i = 0; i < RUNS; i++)
        sum += us[i];
    qsort(us, RUNS, sizeof(*us), by_value);
    printf("{\"bench\":\"frost.%s.%u_of_%u\",\"n\":%d,\"p50_us\":%.1f,"
           "\"p99_us\":%.1f,\"per_s\":%.0f}\n",
           what, g->t, g->n, RUNS, us[RUNS / 2], us[RUNS * 99 / 100],
           RUNS * 1e6 / sum);
}

static void bench_group(unsigned t, unsigned n)
{
    static struct kit_group g;
    static struct kit_round r;
    static double commit[RUNS], sign[RUNS], aggregate[RUNS], verify[RUNS];
    static const uint8_t msg[150];
    kit_group_make(&g, t, n);
    for (unsigned i = 0; i < RUNS; i++) {
        uint8_t sig[FROST_SIG_LEN];
        double at = now_us();
        kit_round_start(&r, &g, t);
        commit[i] = (now_us() - at) / t;
        at = now_us();
        kit_sign_all(&r, msg, sizeof(msg));
        sign[i] = (now_us() - at) / t;
        at = now_us();
        assert_ok(kit_aggregate(&r, sig, msg, sizeof(msg), NULL, NULL));
        aggregate[i] = now_us() - at;
        at = now_us();
        assert_ok(frost_share_verify(&r.shares[0], &r.ys[0], &g.key, msg,
                                     sizeof(msg), r.list, r.n));
        verify[i] = now_us() - at;
    }
    report("commit", &g, commit);
    report("sign", &g, sign);
    report("aggregate", &g, aggregate);
    report("share_verify", &g, verify);
}

int main(void)
{
    if (frost_init() != RC_OK)
        return 1;
    bench_group(2, 3);
    bench_group(3, 5);
    bench_group(7, 10);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable appends, each answered with its proof: closed-loop threads, 600-byte
 * entries, in the current directory or the one named.
 *
 *     bench_tlog_store [DIR]
 */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "transparency/transparency.h"

#define TOTAL 20000

struct adder {
    struct tlog_store *s;
    unsigned id;
    unsigned n;
    double *us;
    bool failed;
};

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void *run(void *arg)
{
    struct adder *a = arg;
    struct tlog_proof *p = calloc(1, sizeof(*p));
    char entry[600];
    memset(entry, 'x', sizeof(entry));
    for (unsigned i = 0; p && i < a->n; i++) {
        snprintf(entry, 32, "thread %04u entry %010u", a->id, i);
        entry[strlen(entry)] = '\n';
        double from = now_us();
        a->failed |= tlog_store_append(a->s, p, entry, sizeof(entry)) != RC_OK;
        a->us[i] = now_us() - from;
    }
    a->failed |= !p;
    free(p);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void remove_dir(const char *dir)
{
    char path[512];
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

static int bench(const char *where, unsigned n_threads)
{
    char dir[256];
    uint8_t pk[32];
    uint8_t sk[64];
    struct tlog_vkey log;
    struct tlog_store *s = NULL;
    struct adder a[64];
    pthread_t thread[64];
    unsigned n = n_threads == 1 ? TOTAL / 10 : TOTAL;
    double *us = calloc(n, sizeof(*us));
    snprintf(dir, sizeof(dir), "%s/tlog-bench-XXXXXX", where);
    crypto_sign_keypair(pk, sk);
    if (!us || !mkdtemp(dir) ||
        tlog_vkey_make(&log, "bench/log", TLOG_SIG_ED25519, pk) != RC_OK ||
        tlog_store_open(&s, dir, &log, sk) != RC_OK) {
        fprintf(stderr, "bench: %s\n", rc_text());
        return 1;
    }
    bool failed = false;
    unsigned each = n / n_threads;
    double from = now_us();
    for (unsigned i = 0; i < n_threads; i++) {
        a[i] = (struct adder){ s, i, each, us + (size_t)i * each, false };
        failed |= pthread_create(&thread[i], NULL, run, &a[i]) != 0;
    }
    for (unsigned i = 0; i < n_threads; i++) {
        pthread_join(thread[i], NULL);
        failed |= a[i].failed;
    }
    double took = now_us() - from;
    n = each * n_threads;
    qsort(us, n, sizeof(*us), by_value);
    printf("{\"bench\":\"tlog.append.%u\",\"n\":%u,\"p50_us\":%.0f,"
           "\"p99_us\":%.0f,\"per_s\":%.0f}\n",
           n_threads, n, us[n / 2], us[n * 99ULL / 100], n / took * 1e6);
    tlog_store_free(s);
    remove_dir(dir);
    free(us);
    return failed;
}

int main(int argc, char **argv)
{
    const char *where = argc > 1 ? argv[1] : ".";
    if (sodium_init() < 0)
        return 1;
    int bad = 0;
    for (unsigned threads = 1; threads <= 64; threads *= 8)
        bad |= bench(where, threads);
    return bad;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log as a server: appends over loopback HTTP, each answered with its
 * proof, on a real disk; beside it, taken before and after each run, what a
 * bare write and fdatasync of one entry costs there. log.http: the storage
 * and the HTTP room alone, entry in, tlog-proof out; log.rpc: the program's
 * own code and JSON. Then memory and start-up by the million.
 *
 *     bench_log [-c CONNECTIONS] [-s SECONDS] [-m MILLIONS] [DIR]
 *
 * The load comes from another process: its clients are closed loops.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sodium.h>

#include "bench.h"
#include "bench_log.h"
#include "transparency/append.h"
#include "transparency/watch.h"

#define BARE_N 400

struct place {
    char dir[512];
    struct tlog_vkey vkey;
    uint8_t sk[64];
};

static struct place place_new(const char *where)
{
    struct place p;
    uint8_t pk[32];
    snprintf(p.dir, sizeof(p.dir), "%s/log-bench-XXXXXX", where);
    crypto_sign_keypair(pk, p.sk);
    if (!mkdtemp(p.dir))
        bench_die("%s: %s", p.dir, strerror(errno));
    if (tlog_vkey_make(&p.vkey, "bench/log", TLOG_SIG_ED25519, pk) != RC_OK)
        bench_die("%s", rc_text());
    return p;
}

static void place_remove(const struct place *p)
{
    char path[800];
    DIR *d = opendir(p->dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", p->dir, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(p->dir);
}

static struct tlog_store *store_open(const struct place *p)
{
    struct tlog_store *s = NULL;
    if (tlog_store_open(&s, p->dir, &p->vkey, p->sk) != RC_OK)
        bench_die("%s", rc_text());
    return s;
}

/* ---- the bare disk ------------------------------------------------------- */

/*
 * One entry after another, appended to a plain file and synced: the latency of
 * one sync, and the rate of who syncs each entry.
 */
static void bare(const struct place *p, struct bench_series *out)
{
    char path[600];
    static char text[TLOG_ENTRY_MAX + 1];
    snprintf(path, sizeof(path), "%s/bare", p->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        bench_die("%s: %s", path, strerror(errno));
    for (unsigned i = 0; i < BARE_N; i++) {
        size_t len = bench_log_intent(text);
        double from = bench_now_us();
        if (write(fd, text, len) != (ssize_t)len || fdatasync(fd) != 0)
            bench_die("%s: %s", path, strerror(errno));
        bench_add(out, bench_now_us() - from);
    }
    close(fd);
    unlink(path);
}

/* ---- over HTTP ----------------------------------------------------------- */

struct served {
    struct log_public public;
    struct log_appender *a;
    struct http_server *server;
};

static enum rc on_append(struct http_call *call, void *ctx)
{
    struct served *s = ctx;
    return log_append(s->a, call, "mpc://bench/sidecar/node1");
}

/*
 * The storage and the HTTP room alone: a raw entry in, a tlog-proof out. The
 * committer itself writes the answer.
 */
static void raw_done(enum rc rc, const struct tlog_proof *proof, void *arg)
{
    char text[TLOG_PROOF_TEXT_MAX];
    size_t len;
    if (rc == RC_OK)
        rc = tlog_proof_write(text, sizeof(text), &len, proof);
    if (rc == RC_OK)
        rc = http_reply(arg, 200, "text/plain", text, len);
    else
        rc = http_reply_problem(arg, rc);
    (void)rc;
}

static enum rc on_raw(struct http_call *call, void *ctx)
{
    struct served *s = ctx;
    size_t len;
    const uint8_t *body = http_call_body(call, &len);
    http_defer(call);
    enum rc rc = tlog_store_append_async(s->public.store, body, len, raw_done,
                                         call);
    return rc == RC_OK ? RC_OK : http_reply_problem(call, rc);
}

static const struct http_route routes[] = {
    { "POST", "/add", HTTP_PUBLIC, TLOG_ENTRY_MAX, on_raw },
    { "POST", "/v1/log/append", HTTP_PUBLIC, 256 * 1024, on_append },
    { 0 },
};

static uint16_t serve(struct served *s, const struct place *p)
{
    uint16_t port;
    struct http_server_config c = { .kind = HTTP_ON_TCP,
                                    .routes = routes,
                                    .ctx = s,
                                    .threads = 2,
                                    .request_limit_s = 60 };
    log_public_init(&s->public, store_open(p), &p->vkey);
    if (log_appender_start(&s->a, &s->public, 0) != RC_OK ||
        sock_tcp_listen(&c.listen_fd, &port, "127.0.0.1:0") != RC_OK ||
        http_server_start(&s->server, &c) != RC_OK)
        bench_die("%s", rc_text());
    return port;
}

static void serve_end(struct served *s)
{
    log_appender_close(s->a, 5000);
    http_server_stop(s->server);
    tlog_store_free(s->public.store);
    log_appender_free(s->a);
}

/* Times come back through memory that both processes see. */
static void load(struct bench_series *out, uint16_t port, bool rpc,
                 unsigned connections, unsigned seconds, double *took_us)
{
    struct bench_log_times *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (t == MAP_FAILED)
        bench_die("no memory");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(bench_log_load(t, port, rpc, connections, seconds));
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child ||
        !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        bench_die("the load ended with status %d", status);
    for (size_t i = 0; i < t->n; i++)
        bench_add(out, t->us[i]);
    *took_us = t->took_us;
    munmap(t, sizeof(*t));
}

static void over_http(const char *where, bool rpc, unsigned connections,
                      unsigned seconds)
{
    struct place p = place_new(where);
    struct served s = { .a = NULL };
    struct bench_series disk = { 0 };
    struct bench_series times = { 0 };
    struct tlog_store_stats st;
    char name[32];
    double took_us;
    bare(&p, &disk);
    uint16_t port = serve(&s, &p);
    load(&times, port, rpc, connections, seconds, &took_us);
    tlog_store_stats(s.public.store, &st);
    serve_end(&s);
    bare(&p, &disk);
    double sync_us = bench_quantile(&disk, 0.5);
    double bare_per_s = (double)disk.n / bench_sum(&disk) * 1e6;
    double per_s = (double)times.n / took_us * 1e6;
    snprintf(name, sizeof(name), "log.%s.%u", rpc ? "rpc" : "http",
             connections);
    bench_line(name, &times, per_s,
               ",\"fdatasync_us\":%.0f,\"bare_per_s\":%.0f,"
               "\"p50_in_fdatasync\":%.2f,\"p99_in_fdatasync\":%.1f,"
               "\"rate_in_bare\":%.2f,\"rate_in_median_sync\":%.2f,"
               "\"entries_a_commit\":%.1f",
               sync_us, bare_per_s, bench_quantile(&times, 0.5) / sync_us,
               bench_quantile(&times, 0.99) / sync_us, per_s / bare_per_s,
               per_s * sync_us / 1e6,
               (double)st.appended / (double)(st.batches ? st.batches : 1));
    bench_free(&times);
    bench_free(&disk);
    place_remove(&p);
}

/* ---- by the million ------------------------------------------------------ */

struct tally {
    pthread_mutex_t mu;
    pthread_cond_t wake;
    uint64_t done;
};

static void count_one(enum rc rc, const struct tlog_proof *proof, void *arg)
{
    struct tally *t = arg;
    (void)proof;
    if (rc != RC_OK)
        bench_die("%s", rc_text());
    pthread_mutex_lock(&t->mu);
    t->done++;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->mu);
}

static void fill(struct tlog_store *s, uint64_t n)
{
    static char text[TLOG_ENTRY_MAX + 1];
    struct tally t = { .mu = PTHREAD_MUTEX_INITIALIZER,
                       .wake = PTHREAD_COND_INITIALIZER };
    for (uint64_t i = 0; i < n; i++) {
        size_t len = bench_log_intent(text);
        if (tlog_store_append_async(s, text, len, count_one, &t) != RC_OK)
            bench_die("%s", rc_text());
        pthread_mutex_lock(&t.mu);
        while (i + 1 - t.done > 3000)
            pthread_cond_wait(&t.wake, &t.mu);
        pthread_mutex_unlock(&t.mu);
    }
    pthread_mutex_lock(&t.mu);
    while (t.done < n)
        pthread_cond_wait(&t.wake, &t.mu);
    pthread_mutex_unlock(&t.mu);
}

/* Resident memory of this process, in bytes. */
static double resident(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f || fscanf(f, "%*s %lu", &pages) != 1)
        bench_die("no /proc/self/statm");
    fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double index_all(struct tlog_store *s, uint64_t n)
{
    struct tlog_index *x = NULL;
    double before = resident();
    if (tlog_index_new(&x) != RC_OK)
        bench_die("%s", rc_text());
    for (uint64_t i = 0; i < n; i += 256) {
        uint8_t *bundle = NULL;
        size_t len;
        unsigned width = n - i < 256 ? (unsigned)(n - i) : 256;
        if (tlog_store_tile(s, &bundle, &len, -1, i / 256, width) != RC_OK)
            bench_die("%s", rc_text());
        const uint8_t *at = bundle;
        for (unsigned j = 0; j < width; j++) {
            size_t entry_len = (size_t)at[0] << 8 | at[1];
            if (tlog_index_add(x, i + j, at + 2, entry_len) != RC_OK)
                bench_die("%s", rc_text());
            at += 2 + entry_len;
        }
        free(bundle);
    }
    double used = resident() - before;
    tlog_index_free(x);
    return used;
}

/* In a process of its own, so that its memory is that of a fresh start. */
static void measure_start(const struct place *p, uint64_t n)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        double before = resident();
        double from = bench_now_us();
        struct tlog_store *s = store_open(p);
        double took = bench_now_us() - from;
        double used = resident() - before;
        double search = index_all(s, n);
        struct tlog_store_stats st;
        tlog_store_stats(s, &st);
        printf("{\"bench\":\"log.start\",\"n\":%llu,\"s_per_million\":%.2f,"
               "\"memory_per_entry\":%.0f,\"search_memory_per_entry\":%.0f,"
               "\"disk_per_entry\":%.0f}\n",
               (unsigned long long)n, took / (double)n, used / (double)n,
               search / (double)n, (double)st.bytes / (double)n);
        fflush(stdout);
        tlog_store_free(s);
        _exit(0);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        bench_die("the start ended with status %d", status);
}

static void by_the_million(const char *where, unsigned millions)
{
    struct place p = place_new(where);
    uint64_t n = (uint64_t)millions * 1000000;
    struct tlog_store *s = store_open(&p);
    double from = bench_now_us();
    fill(s, n);
    double took = bench_now_us() - from;
    printf("{\"bench\":\"log.fill\",\"n\":%llu,\"per_s\":%.0f}\n",
           (unsigned long long)n, (double)n / took * 1e6);
    tlog_store_free(s);
    measure_start(&p, n);
    place_remove(&p);
}

int main(int argc, char **argv)
{
    static const unsigned connections[] = { 1, 8, 64, 256 };
    unsigned only = 0;
    unsigned seconds = 3;
    unsigned millions = 1;
    const char *where = ".";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
            only = bench_number("-c", argv[++i], BENCH_LOG_CONNS_MAX);
        else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc)
            seconds = bench_number("-s", argv[++i], 600);
        else if (strcmp(argv[i], "-m") == 0 && i + 1 < argc)
            millions = bench_number("-m", argv[++i], 100);
        else
            where = argv[i];
    }
    if (sodium_init() < 0)
        bench_die("libsodium does not start");
    signal(SIGPIPE, SIG_IGN);
    for (unsigned rpc = 0; rpc < 2; rpc++)
        for (size_t i = 0; i < (only ? 1 : 4); i++)
            over_http(where, rpc, only ? only : connections[i], seconds);
    if (only)
        return 0;
    by_the_million(where, millions);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 under load: eight threads of a child append as fast as they can and
 * note each answer in memory that outlives it; it is killed at a moment nobody
 * chose; then the store is opened again, and every answer ever given must hold.
 *
 *     kill_log [ROUNDS] [DIR]
 *
 * ctest runs a few rounds; a release is worth two hundred.
 */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "logdir.h"

#define N_THREADS 8
#define ACKS_MAX  20000 /* a round and thread */

struct ack {
    uint64_t index;
    struct tlog_hash leaf;
    struct tlog_checkpoint cp;
};
struct shared {
    struct {
        atomic_uint n; /* acks that are whole */
        struct ack ack[ACKS_MAX];
    } thread[N_THREADS];
    char failed[256];
};
/* All acknowledged entries so far, by index. */
struct memory {
    struct tlog_hash *leaf;
    uint8_t *known;
    uint64_t cap;
    uint64_t n;
    uint64_t checkpoints;
};

struct adder {
    struct tlog_store *s;
    const struct tlog_vkey *log;
    struct shared *shared;
    unsigned id;
    unsigned round;
};

static void *add_loop(void *arg)
{
    struct adder *a = arg;
    struct tlog_proof *p = calloc(1, sizeof(*p));
    char entry[600];
    for (unsigned i = 0; p && i < ACKS_MAX; i++) {
        struct ack *ack = &a->shared->thread[a->id].ack[i];
        /* short and long ones, and one in seven that others add, too */
        int len = i % 7 == 0
                          ? snprintf(entry, sizeof(entry), "round %u all %u\n",
                                     a->round, i)
                          : snprintf(entry, sizeof(entry),
                                     "round %u thread %u entry %u %0*u\n",
                                     a->round, a->id, i, (int)(1 + i % 500), 0);
        if (tlog_store_append(a->s, p, entry, (size_t)len) != RC_OK ||
            tlog_proof_check(p, a->log, &ack->cp) != RC_OK) {
            snprintf(a->shared->failed, sizeof(a->shared->failed), "%s",
                     rc_text());
            _exit(3);
        }
        ack->index = p->index;
        tlog_leaf_hash(&ack->leaf, entry, (size_t)len);
        atomic_store(&a->shared->thread[a->id].n, i + 1);
    }
    free(p);
    return NULL;
}

static _Noreturn void child(const struct logdir *d, struct shared *shared,
                            unsigned round, int ready)
{
    static struct adder a[N_THREADS];
    pthread_t thread[N_THREADS];
    struct tlog_store *s = NULL;
    if (tlog_store_open(&s, d->dir, &d->log, d->sk) != RC_OK) {
        snprintf(shared->failed, sizeof(shared->failed), "%s", rc_text());
        _exit(2);
    }
    if (write(ready, "", 1) != 1)
        _exit(4);
    for (unsigned i = 0; i < N_THREADS; i++) {
        a[i] = (struct adder){ s, &d->log, shared, i, round };
        if (pthread_create(&thread[i], NULL, add_loop, &a[i]) != 0)
            _exit(5);
    }
    for (;;)
        pause();
}

static void remember(struct memory *m, const struct ack *ack)
{
    while (ack->index >= m->cap) {
        uint64_t cap = m->cap ? 2 * m->cap : 65536;
        m->leaf = reallocarray(m->leaf, cap, sizeof(*m->leaf));
        m->known = realloc(m->known, cap);
        assert_non_null(m->leaf);
        assert_non_null(m->known);
        memset(m->known + m->cap, 0, cap - m->cap);
        m->cap = cap;
    }
    /* one entry, one index, for ever */
    if (m->known[ack->index])
        assert_memory_equal(m->leaf[ack->index].b, ack->leaf.b, 32);
    m->n += !m->known[ack->index];
    m->known[ack->index] = 1;
    m->leaf[ack->index] = ack->leaf;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = ((const struct tlog_checkpoint *)a)->size;
    uint64_t y = ((const struct tlog_checkpoint *)b)->size;
    return (x > y) - (x < y);
}

/* Each checkpoint of the round is a past of the next, the last one of now. */
static void check_chain(struct tlog_store *s, struct memory *m,
                        struct tlog_checkpoint *cp, size_t n,
                        const struct tlog_checkpoint *before,
                        const struct tlog_checkpoint *now)
{
    struct tlog_path path;
    struct tlog_checkpoint last = *before;
    qsort(cp, n, sizeof(*cp), by_size);
    cp[n] = *now;
    for (size_t i = 0; i <= n; i++) {
        if (i > 0 && cp[i].size == last.size) {
            assert_memory_equal(cp[i].root.b, last.root.b, 32);
            continue;
        }
        assert_ok(tlog_store_consistency(s, &path, last.size, cp[i].size));
        assert_ok(tlog_consistency_check(&path, last.size, &last.root,
                                         cp[i].size, &cp[i].root));
        last = cp[i];
        m->checkpoints++;
    }
}

static void check_round(struct tlog_store *s, struct memory *m,
                        struct shared *shared,
                        const struct tlog_checkpoint *before,
                        const struct tlog_checkpoint *now)
{
    struct tlog_checkpoint *cp = calloc(N_THREADS * ACKS_MAX + 1, sizeof(*cp));
    struct tlog_path path;
    size_t n = 0;
    assert_non_null(cp);
    for (unsigned t = 0; t < N_THREADS; t++)
        for (unsigned i = 0; i < atomic_load(&shared->thread[t].n); i++) {
            const struct ack *ack = &shared->thread[t].ack[i];
            remember(m, ack);
            cp[n++] = ack->cp;
        }
    check_chain(s, m, cp, n, before, now);
    for (uint64_t i = 0; i < m->cap; i++) {
        if (!m->known[i] || i < before->size)
            continue;
        assert_true(i < now->size);
        assert_ok(tlog_store_inclusion(s, &path, i, now->size));
        assert_ok(tlog_inclusion_check(&path, i, now->size, &m->leaf[i],
                                       &now->root));
    }
    free(cp);
}

static void run_and_kill(const struct logdir *d, struct shared *shared,
                         unsigned round)
{
    int ready[2];
    char byte;
    int status;
    assert_int_equal(pipe(ready), 0);
    memset(shared->failed, 0, sizeof(shared->failed));
    for (unsigned t = 0; t < N_THREADS; t++)
        atomic_store(&shared->thread[t].n, 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ready[0]);
        child(d, shared, round, ready[1]);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1)
        fail_msg("round %u: did not come up: %s", round, shared->failed);
    close(ready[0]);
    struct timespec t = { 0, 1000000 + (long)randombytes_uniform(150000000) };
    nanosleep(&t, NULL);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        fail_msg("round %u: %s", round, shared->failed);
}

static void run(unsigned rounds, const char *where)
{
    struct logdir d = logdir_new_in(where);
    struct memory m = { .n = 0 };
    struct tlog_checkpoint before = { .size = 0 };
    struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    for (unsigned round = 0; round < rounds; round++) {
        run_and_kill(&d, shared, round);
        struct tlog_store *s = logdir_open(&d);
        struct tlog_checkpoint now = logdir_head(&d, s);
        check_round(s, &m, shared, &before, &now);
        before = now;
        tlog_store_free(s);
    }
    struct tlog_store *s = logdir_open(&d);
    logdir_check(&d, s, before.size);
    tlog_store_free(s);
    printf("%u rounds: %llu entries acknowledged, %llu in the log, %llu "
           "checkpoints consistent\n",
           rounds, (unsigned long long)m.n, (unsigned long long)before.size,
           (unsigned long long)m.checkpoints);
    munmap(shared, sizeof(*shared));
    free(m.leaf);
    free(m.known);
    logdir_free(&d);
}

static unsigned n_rounds = 4;
static const char *dir = "/tmp";

static void what_was_acknowledged_survives_every_kill(void **state)
{
    (void)state;
    run(n_rounds, dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_acknowledged_survives_every_kill),
    };
    if (argc > 1)
        n_rounds = (unsigned)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        dir = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}

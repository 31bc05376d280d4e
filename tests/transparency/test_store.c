/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <pthread.h>
#include <semaphore.h>

#include "base/bytes.h"
#include "logdir.h"
#include "vectors.h"

/* Waits for many asynchronous appends. */
struct tally {
    pthread_mutex_t mu;
    pthread_cond_t wake;
    unsigned good;
    unsigned bad;
    uint64_t last_index;
};

static struct tally tally_new(void)
{
    struct tally t = { .good = 0 };
    pthread_mutex_init(&t.mu, NULL);
    pthread_cond_init(&t.wake, NULL);
    return t;
}

static void count_one(enum rc rc, const struct tlog_proof *proof, void *arg)
{
    struct tally *t = arg;
    pthread_mutex_lock(&t->mu);
    if (rc == RC_OK) {
        t->good++;
        t->last_index = proof->index;
    } else {
        t->bad++;
    }
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->mu);
}

static void tally_wait(struct tally *t, unsigned total)
{
    pthread_mutex_lock(&t->mu);
    while (t->good + t->bad < total)
        pthread_cond_wait(&t->wake, &t->mu);
    pthread_mutex_unlock(&t->mu);
}

/* Entries from..to, at most `chunk` of them waiting. */
static void add_many(struct tlog_store *s, uint64_t from, uint64_t to)
{
    const unsigned chunk = 2000;
    struct tally t = tally_new();
    unsigned asked = 0;
    char entry[64];
    for (uint64_t i = from; i < to; i++) {
        size_t len = logdir_entry(entry, i);
        assert_ok(tlog_store_append_async(s, entry, len, count_one, &t));
        if (++asked % chunk == 0)
            tally_wait(&t, asked);
    }
    tally_wait(&t, asked);
    assert_int_equal(t.good, to - from);
    assert_int_equal(t.last_index, to - 1);
}

static void sizes_around_a_tile_read_back(void **state)
{
    (void)state;
    static const uint64_t sizes[] = { 0, 1, 2, 255, 256, 257, 511, 512, 513 };
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    uint64_t have = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (; have < sizes[i]; have++)
            logdir_add(&d, s, have);
        logdir_check(&d, s, have);
        tlog_store_free(s);
        s = logdir_open(&d);
        logdir_check(&d, s, have);
    }
    tlog_store_free(s);
    logdir_free(&d);
}

static void sizes_around_the_second_level_read_back(void **state)
{
    (void)state;
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    add_many(s, 0, 65535);
    logdir_check(&d, s, 65535);
    for (uint64_t i = 65535; i < 65537; i++) {
        logdir_add(&d, s, i);
        logdir_check(&d, s, i + 1);
    }
    struct tlog_checkpoint before = logdir_head(&d, s);
    tlog_store_free(s);
    s = logdir_open(&d);
    struct tlog_checkpoint after = logdir_head(&d, s);
    assert_memory_equal(before.root.b, after.root.b, 32);
    logdir_check(&d, s, 65537);
    tlog_store_free(s);
    logdir_free(&d);
}

#define N_ALL 300
static void every_proof_of_every_size_holds(void **state)
{
    (void)state;
    static struct tlog_hash leaf[N_ALL];
    static struct tlog_hash root[N_ALL + 1];
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    struct tlog_path path;
    add_many(s, 0, N_ALL);
    for (uint64_t i = 0; i <= N_ALL; i++) {
        char entry[64];
        tlog_root(&root[i], leaf, i);
        if (i < N_ALL)
            tlog_leaf_hash(&leaf[i], entry, logdir_entry(entry, i));
    }
    for (uint64_t size = 0; size <= N_ALL; size++) {
        for (uint64_t i = 0; i < size; i++) {
            assert_ok(tlog_store_inclusion(s, &path, i, size));
            assert_ok(tlog_inclusion_check(&path, i, size, &leaf[i],
                                           &root[size]));
        }
        for (uint64_t old = 0; old <= size; old++) {
            assert_ok(tlog_store_consistency(s, &path, old, size));
            assert_ok(tlog_consistency_check(&path, old, &root[old], size,
                                             &root[size]));
        }
    }
    tlog_store_free(s);
    logdir_free(&d);
}

static void what_is_outside_does_not_exist(void **state)
{
    (void)state;
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    struct tlog_path path;
    uint8_t *p = NULL;
    size_t len;
    add_many(s, 0, 257);
    assert_rc(tlog_store_inclusion(s, &path, 257, 257), RC_UNKNOWN);
    assert_rc(tlog_store_inclusion(s, &path, 0, 258), RC_UNKNOWN);
    assert_rc(tlog_store_inclusion(s, &path, 0, 0), RC_UNKNOWN);
    assert_rc(tlog_store_consistency(s, &path, 1, 258), RC_UNKNOWN);
    assert_rc(tlog_store_consistency(s, &path, 3, 2), RC_UNKNOWN);
    static const struct {
        int level;
        uint64_t n;
        unsigned width;
        enum rc want;
    } tiles[] = {
        { 0, 0, 0, RC_OK },
        { 0, 0, 256, RC_OK },
        { 0, 0, 255, RC_OK },
        { 0, 1, 1, RC_OK },
        { 0, 1, 2, RC_UNKNOWN },
        { 0, 1, 0, RC_UNKNOWN },
        { 0, 2, 1, RC_UNKNOWN },
        { 1, 0, 1, RC_OK },
        { 1, 0, 2, RC_UNKNOWN },
        { 1, 0, 0, RC_UNKNOWN },
        { 2, 0, 1, RC_UNKNOWN },
        { 8, 0, 1, RC_UNKNOWN },
        { 63, 0, 1, RC_UNKNOWN },
        { 64, 0, 1, RC_UNKNOWN },
        { -2, 0, 1, RC_UNKNOWN },
        { 0, 0, 257, RC_UNKNOWN },
        { -1, 0, 0, RC_OK },
        { -1, 1, 1, RC_OK },
        { -1, 1, 2, RC_UNKNOWN },
        { -1, 0, 3, RC_OK },
        { 0, UINT64_MAX, 1, RC_UNKNOWN },
        { 0, UINT64_MAX / 256 + 1, 1, RC_UNKNOWN },
        { -1, UINT64_MAX / 256 + 1, 1, RC_UNKNOWN },
    };
    for (size_t i = 0; i < sizeof(tiles) / sizeof(tiles[0]); i++) {
        enum rc rc = tlog_store_tile(s, &p, &len, tiles[i].level, tiles[i].n,
                                     tiles[i].width);
        if (rc != tiles[i].want)
            fail_msg("tile case %zu: %s", i, rc_slug(rc));
        if (rc == RC_OK)
            free(p);
    }
    tlog_store_free(s);
    logdir_free(&d);
}

static void the_same_entry_keeps_its_index(void **state)
{
    (void)state;
    static struct tlog_proof p;
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    add_many(s, 0, 20);
    assert_ok(tlog_store_append(s, &p, "entry 3\n", 8));
    assert_int_equal(p.index, 3);
    assert_ok(tlog_proof_check(&p, &d.log, NULL));
    assert_int_equal(logdir_head(&d, s).size, 20);
    /* in one batch, too */
    struct tally t = tally_new();
    for (unsigned i = 0; i < 50; i++)
        assert_ok(tlog_store_append_async(s, "twin\n", 5, count_one, &t));
    tally_wait(&t, 50);
    assert_int_equal(t.good, 50);
    assert_int_equal(t.last_index, 20);
    assert_int_equal(logdir_head(&d, s).size, 21);
    tlog_store_free(s);
    s = logdir_open(&d);
    assert_ok(tlog_store_append(s, &p, "twin\n", 5));
    assert_int_equal(p.index, 20);
    logdir_check(&d, s, 21);
    tlog_store_free(s);
    logdir_free(&d);
}

static void entries_are_short_ascii(void **state)
{
    (void)state;
    static struct tlog_proof p;
    static char big[TLOG_ENTRY_MAX + 1];
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    memset(big, 'x', sizeof(big));
    assert_rc(tlog_store_append(s, &p, "", 0), RC_PARSE);
    assert_rc(tlog_store_append(s, &p, "a\r\n", 3), RC_PARSE);
    assert_rc(tlog_store_append(s, &p, "a\0b", 3), RC_PARSE);
    assert_rc(tlog_store_append(s, &p, "caf\xc3\xa9", 5), RC_PARSE);
    assert_rc(tlog_store_append(s, &p, "\x7f", 1), RC_PARSE);
    assert_rc(tlog_store_append(s, &p, big, sizeof(big)), RC_TOO_LARGE);
    assert_ok(tlog_store_append(s, &p, big, TLOG_ENTRY_MAX));
    assert_int_equal(p.index, 0);
    assert_int_equal(p.entry_len, TLOG_ENTRY_MAX);
    assert_ok(tlog_proof_check(&p, &d.log, NULL));
    logdir_check(&d, s, 1);
    tlog_store_free(s);
    logdir_free(&d);
}

static void a_full_record_reads_back(void **state)
{
    (void)state;
    static char big[TLOG_ENTRY_MAX];
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    struct tally t = tally_new();
    memset(big, 'x', sizeof(big));
    for (unsigned i = 0; i < 2500; i++) {
        char number[8];
        snprintf(number, sizeof(number), "%07u", i);
        memcpy(big, number, 7);
        assert_ok(tlog_store_append_async(s, big, sizeof(big), count_one, &t));
    }
    tally_wait(&t, 2500);
    assert_int_equal(t.good, 2500);
    tlog_store_free(s);
    s = logdir_open(&d);
    logdir_check(&d, s, 2500);
    tlog_store_free(s);
    logdir_free(&d);
}

/* Our store makes the sample log to the byte. */
static void sample_log_comes_out_again(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned width;
    } bundles[] = { { "000", 256 }, { "001", 256 }, { "002.p/88", 88 } };
    static const char *const tiles[] = { "0/000", "0/001", "0/002.p/88",
                                         "1/000.p/2" };
    static struct tlog_proof proof;
    json_auto_t *keys = vectors_load("sample-log/keys.json");
    struct logdir d = logdir_new();
    uint8_t seed[32];
    char name[128];
    vectors_hex(seed, 32, vectors_text(keys, "log_seed_hex"));
    logdir_key(&d, "log.example/sample", seed);
    struct tlog_store *s = logdir_open(&d);
    for (size_t b = 0; b < 3; b++) {
        size_t len;
        size_t got_len;
        uint8_t *got = NULL;
        snprintf(name, sizeof(name), "sample-log/log/tile/entries/%s",
                 bundles[b].name);
        OWNED_MEM char *want = vectors_file(name, &len);
        struct bytes_reader r = bytes_reader(want, len);
        for (unsigned i = 0; i < bundles[b].width; i++) {
            size_t n;
            const uint8_t *entry = bytes_take_lp16(&r, &n);
            assert_ok(tlog_store_append(s, &proof, entry, n));
            assert_int_equal(proof.index, b * 256 + i);
        }
        assert_ok(bytes_end(&r, name));
        assert_ok(tlog_store_tile(s, &got, &got_len, -1, b, bundles[b].width));
        assert_int_equal(got_len, len);
        assert_memory_equal(got, want, len);
        free(got);
    }
    for (size_t i = 0; i < 4; i++) {
        size_t len;
        size_t got_len;
        uint8_t *got = NULL;
        snprintf(name, sizeof(name), "sample-log/log/tile/%s", tiles[i]);
        OWNED_MEM char *want = vectors_file(name, &len);
        snprintf(name, sizeof(name), "tile/%s", tiles[i]);
        assert_ok(logdir_fetch(&got, &got_len, name, s));
        assert_int_equal(got_len, len);
        assert_memory_equal(got, want, len);
        free(got);
    }
    size_t len;
    char note[TLOG_NOTE_MAX];
    OWNED_MEM char *want = vectors_file("sample-log/log/checkpoint", &len);
    assert_ok(tlog_store_checkpoint(s, note));
    /* the sample carries cosignatures after the same first lines */
    assert_memory_equal(note, want, strlen(note));
    tlog_store_free(s);
    logdir_free(&d);
}

/* ---- many threads ---- */

#define N_THREADS 8
#define N_EACH    150
struct adder {
    const struct logdir *d;
    struct tlog_store *s;
    unsigned id;
    uint64_t index[N_EACH];
    unsigned failures;
};

static void *add_loop(void *arg)
{
    struct adder *a = arg;
    struct tlog_proof *p = calloc(1, sizeof(*p));
    struct tlog_checkpoint was = { .size = 0 };
    for (unsigned i = 0; p && i < N_EACH; i++) {
        char entry[64];
        struct tlog_checkpoint cp = { .size = 0 };
        struct tlog_path path;
        /* every third entry is everybody's */
        unsigned who = i % 3 == 0 ? 99 : a->id;
        int len = snprintf(entry, sizeof(entry), "thread %u entry %u\n", who,
                           i);
        bool ok = tlog_store_append(a->s, p, entry, (size_t)len) == RC_OK &&
                  tlog_proof_check(p, &a->d->log, &cp) == RC_OK &&
                  tlog_store_consistency(a->s, &path, was.size, cp.size) ==
                          RC_OK &&
                  tlog_consistency_check(&path, was.size, &was.root, cp.size,
                                         &cp.root) == RC_OK;
        a->failures += !ok;
        a->index[i] = p->index;
        was = cp;
    }
    free(p);
    return NULL;
}

static void *read_loop(void *arg)
{
    struct adder *a = arg;
    for (unsigned i = 0; i < 20; i++) {
        struct tlog_path path;
        struct tlog_checkpoint cp = logdir_head(a->d, a->s);
        uint8_t *p = NULL;
        size_t len;
        if (cp.size == 0)
            continue;
        unsigned width = (unsigned)(cp.size < 256 ? cp.size : 256);
        for (int level = -1; level < 1; level++) {
            a->failures += tlog_store_tile(a->s, &p, &len, level, 0, width) !=
                           RC_OK;
            free(p);
            p = NULL;
        }
        a->failures += tlog_store_inclusion(a->s, &path, cp.size - 1,
                                            cp.size) != RC_OK;
    }
    return NULL;
}

static void eight_threads_append_at_once(void **state)
{
    (void)state;
    static struct adder a[N_THREADS + 1];
    static bool taken[N_THREADS * N_EACH];
    pthread_t thread[N_THREADS + 1];
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    for (unsigned i = 0; i <= N_THREADS; i++) {
        a[i] = (struct adder){ .d = &d, .s = s, .id = i };
        assert_int_equal(pthread_create(&thread[i], NULL,
                                        i < N_THREADS ? add_loop : read_loop,
                                        &a[i]),
                         0);
    }
    for (unsigned i = 0; i <= N_THREADS; i++)
        pthread_join(thread[i], NULL);
    uint64_t unique = 0;
    for (unsigned i = 0; i <= N_THREADS; i++)
        assert_int_equal(a[i].failures, 0);
    for (unsigned i = 0; i < N_THREADS; i++)
        for (unsigned j = 0; j < N_EACH; j++) {
            assert_true(a[i].index[j] < N_THREADS * N_EACH);
            if (j % 3 == 0) {
                assert_int_equal(a[i].index[j], a[0].index[j]);
                unique += i == 0;
            } else {
                assert_false(taken[a[i].index[j]]);
                unique++;
            }
            taken[a[i].index[j]] = true;
        }
    logdir_check(&d, s, unique);
    tlog_store_free(s);
    logdir_free(&d);
}

static void closing_commits_what_waits(void **state)
{
    (void)state;
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    struct tally t = tally_new();
    char entry[64];
    for (uint64_t i = 0; i < 500; i++) {
        size_t len = logdir_entry(entry, i);
        assert_ok(tlog_store_append_async(s, entry, len, count_one, &t));
    }
    tlog_store_free(s);
    assert_int_equal(t.good, 500);
    s = logdir_open(&d);
    logdir_check(&d, s, 500);
    tlog_store_free(s);
    logdir_free(&d);
}

/* Holds the committer in a callback until told. */
struct gate {
    sem_t entered;
    sem_t leave;
};

static void hold(enum rc rc, const struct tlog_proof *proof, void *arg)
{
    struct gate *g = arg;
    (void)rc;
    (void)proof;
    sem_post(&g->entered);
    sem_wait(&g->leave);
}

static void a_full_queue_says_so(void **state)
{
    (void)state;
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    struct tally t = tally_new();
    struct gate g;
    char entry[64];
    sem_init(&g.entered, 0, 0);
    sem_init(&g.leave, 0, 0);
    assert_ok(tlog_store_append_async(s, "gate\n", 5, hold, &g));
    sem_wait(&g.entered);
    unsigned taken = 0;
    enum rc rc = RC_OK;
    while (taken < 100000) {
        size_t len = logdir_entry(entry, taken);
        rc = tlog_store_append_async(s, entry, len, count_one, &t);
        if (rc != RC_OK)
            break;
        taken++;
    }
    assert_int_equal(rc, RC_NOMEM);
    assert_int_equal(taken, 4096);
    sem_post(&g.leave);
    tally_wait(&t, taken);
    assert_int_equal(t.good, taken);
    logdir_check(&d, s, taken + 1);
    tlog_store_free(s);
    logdir_free(&d);
    sem_destroy(&g.entered);
    sem_destroy(&g.leave);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_around_a_tile_read_back),
        cmocka_unit_test(sizes_around_the_second_level_read_back),
        cmocka_unit_test(every_proof_of_every_size_holds),
        cmocka_unit_test(what_is_outside_does_not_exist),
        cmocka_unit_test(the_same_entry_keeps_its_index),
        cmocka_unit_test(entries_are_short_ascii),
        cmocka_unit_test(a_full_record_reads_back),
        cmocka_unit_test(sample_log_comes_out_again),
        cmocka_unit_test(eight_threads_append_at_once),
        cmocka_unit_test(closing_commits_what_waits),
        cmocka_unit_test(a_full_queue_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

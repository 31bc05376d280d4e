/* SPDX-License-Identifier: Apache-2.0 */
/* A log longer than one of its files. */
#include "test.h"

#include <pthread.h>

#include "logdir.h"
#include "transparency/segment.h"

/* Entries of the largest size: one more than fit into a segment, and some. */
#define N_ENTRIES (SEGMENT_BYTES / TLOG_ENTRY_MAX + 300)

struct tally {
    pthread_mutex_t mu;
    pthread_cond_t wake;
    uint64_t good;
    uint64_t asked;
};

static void count_one(enum rc rc, const struct tlog_proof *proof, void *arg)
{
    struct tally *t = arg;
    (void)proof;
    pthread_mutex_lock(&t->mu);
    t->good += rc == RC_OK;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->mu);
}

static void fill(struct tlog_store *s)
{
    static char big[TLOG_ENTRY_MAX];
    struct tally t = { .mu = PTHREAD_MUTEX_INITIALIZER,
                       .wake = PTHREAD_COND_INITIALIZER };
    memset(big, 'x', sizeof(big));
    for (uint64_t i = 0; i < N_ENTRIES; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%09llu", (unsigned long long)i);
        memcpy(big, number, 9);
        assert_ok(tlog_store_append_async(s, big, sizeof(big), count_one, &t));
        pthread_mutex_lock(&t.mu);
        t.asked++;
        while (t.asked - t.good > 2000)
            pthread_cond_wait(&t.wake, &t.mu);
        pthread_mutex_unlock(&t.mu);
    }
    pthread_mutex_lock(&t.mu);
    while (t.good < t.asked)
        pthread_cond_wait(&t.wake, &t.mu);
    pthread_mutex_unlock(&t.mu);
}

static void spoil(const struct logdir *d, const char *name, uint64_t at)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", d->dir, name);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
    int c = fgetc(f);
    assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
    assert_int_not_equal(fputc((c == EOF ? 0 : c) ^ 1, f), EOF);
    assert_int_equal(fclose(f), 0);
}

static void move(const struct logdir *d, const char *from, const char *to)
{
    char a[128];
    char b[128];
    snprintf(a, sizeof(a), "%s/%s", d->dir, from);
    snprintf(b, sizeof(b), "%s/%s", d->dir, to);
    assert_int_equal(rename(a, b), 0);
}

static void refused(const struct logdir *d, const char *why)
{
    struct tlog_store *none = NULL;
    assert_rc(tlog_store_open(&none, d->dir, &d->log, d->sk), RC_STORE);
    assert_null(none);
    if (!strstr(rc_text(), why))
        fail_msg("\"%s\" does not say \"%s\"", rc_text(), why);
}

static void a_log_goes_on_in_the_next_segment(void **state)
{
    (void)state;
    struct logdir d = logdir_new();
    struct tlog_store *s = logdir_open(&d);
    fill(s);
    logdir_check(&d, s, N_ENTRIES);
    struct tlog_checkpoint was = logdir_head(&d, s);
    tlog_store_free(s);
    s = logdir_open(&d);
    struct tlog_checkpoint is = logdir_head(&d, s);
    assert_memory_equal(was.root.b, is.root.b, 32);
    logdir_check(&d, s, N_ENTRIES);
    tlog_store_free(s);

    /* what a finished segment may not hold or lack */
    spoil(&d, "entries.000000", SEGMENT_BYTES - 1);
    refused(&d, "entries.000000 damaged");
    spoil(&d, "entries.000000", SEGMENT_BYTES - 1);
    spoil(&d, "entries.000000", SEGMENT_BYTES / 2);
    refused(&d, "entries.000000 damaged");
    spoil(&d, "entries.000000", SEGMENT_BYTES / 2);
    move(&d, "entries.000001", "entries.000002");
    refused(&d, "not entries.000001");
    move(&d, "entries.000000", "kept");
    refused(&d, "not entries.000000");
    /* one in the place of another */
    move(&d, "entries.000002", "entries.000000");
    refused(&d, "does not begin as segment 0");
    move(&d, "entries.000000", "entries.000001");
    move(&d, "kept", "entries.000000");
    s = logdir_open(&d);
    logdir_check(&d, s, N_ENTRIES);
    tlog_store_free(s);

    /* begun, but nothing was written: as after a death in between */
    move(&d, "entries.000001", "kept");
    refused(&d, "entries are lost");
    logdir_write(&d, "entries.000001", "", 0);
    refused(&d, "entries are lost");
    move(&d, "kept", "entries.000001");
    char head[SEGMENT_HEAD_MAX];
    size_t len = tlog_segment_head(head, &d.log, 2, N_ENTRIES);
    for (size_t cut = 0; cut <= len; cut += len / 2) {
        logdir_write(&d, "entries.000002", head, cut);
        s = logdir_open(&d);
        assert_int_equal(logdir_head(&d, s).size, N_ENTRIES);
        tlog_store_free(s);
    }
    s = logdir_open(&d);
    static struct tlog_proof p;
    assert_ok(tlog_store_append(s, &p, "after\n", 6));
    assert_int_equal(p.index, N_ENTRIES);
    tlog_store_free(s);
    s = logdir_open(&d);
    logdir_check(&d, s, N_ENTRIES + 1);
    tlog_store_free(s);
    logdir_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_goes_on_in_the_next_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

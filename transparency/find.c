/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search's index, filled by a thread of its own from what is published:
 * appending never waits for it. It lags a moment, and after a start longer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/log.h"
#include "transparency/public.h"
#include "transparency/watch.h"

#define IDLE_MS 100

struct log_find {
    struct log_public *p;
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    bool stop;
    struct tlog_index *index;
};

static enum rc add_bundle(struct log_find *f, uint64_t from, unsigned width)
{
    OWNED_MEM uint8_t *bundle = NULL;
    size_t len = 0;
    size_t n;
    enum rc rc = RC_OK;
    uint64_t first = from / 256 * 256;
    TRY(tlog_store_tile(f->p->store, &bundle, &len, -1, from / 256, width));
    struct bytes_reader r = bytes_reader(bundle, len);
    pthread_mutex_lock(&f->mu);
    for (unsigned i = 0; i < width && rc == RC_OK; i++) {
        const uint8_t *entry = bytes_take_lp16(&r, &n);
        if (entry && first + i >= from)
            rc = tlog_index_add(f->index, first + i, entry, n);
    }
    pthread_mutex_unlock(&f->mu);
    return rc;
}

static enum rc catch_up(struct log_find *f, bool *more)
{
    struct tlog_store_stats st;
    tlog_store_stats(f->p->store, &st);
    uint64_t from = tlog_index_size(f->index); /* only this thread adds */
    *more = from < st.size;
    if (!*more)
        return RC_OK;
    uint64_t left = st.size - from / 256 * 256;
    return add_bundle(f, from, left < 256 ? (unsigned)left : 256);
}

/* Until the time is over or stop is asked for. */
static bool sleep_on(struct log_find *f, bool busy)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += IDLE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&f->mu);
    if (!busy && !f->stop)
        pthread_cond_timedwait(&f->wake, &f->mu, &until);
    bool stop = f->stop;
    pthread_mutex_unlock(&f->mu);
    return stop;
}

static void *run(void *arg)
{
    struct log_find *f = arg;
    bool more = true;
    while (!sleep_on(f, more)) {
        enum rc rc = catch_up(f, &more);
        if (rc != RC_OK) {
            log_rc(LOG_WARN, "search.stopped", rc);
            break;
        }
    }
    return NULL;
}

enum rc log_find_start(struct log_find **out, struct log_public *p)
{
    OWNED_MEM struct log_find *f = calloc(1, sizeof(*f));
    if (!f)
        return rc_raise(RC_NOMEM, "search: out of memory");
    f->p = p;
    TRY(tlog_index_new(&f->index));
    pthread_mutex_init(&f->mu, NULL);
    pthread_condattr_t steady; /* a clock that steps must not stop it */
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&f->wake, &steady);
    pthread_condattr_destroy(&steady);
    int err = pthread_create(&f->thread, NULL, run, f);
    if (err != 0) {
        tlog_index_free(f->index);
        return rc_raise(RC_INTERNAL, "search: thread: %s", strerror(err));
    }
    *out = TAKE(f);
    return RC_OK;
}

void log_find_stop(struct log_find *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->mu);
    f->stop = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->mu);
    pthread_join(f->thread, NULL);
    tlog_index_free(f->index);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->mu);
    free(f);
}

unsigned log_find_digest(struct log_find *f, uint64_t *out, unsigned max,
                         const uint8_t digest[32], uint64_t before,
                         uint64_t *indexed)
{
    pthread_mutex_lock(&f->mu);
    unsigned n = tlog_index_find(f->index, out, max, digest, before);
    if (indexed)
        *indexed = tlog_index_size(f->index);
    pthread_mutex_unlock(&f->mu);
    return n;
}

unsigned log_find_cites(struct log_find *f, uint64_t *out, unsigned max,
                        uint64_t intent)
{
    pthread_mutex_lock(&f->mu);
    unsigned n = tlog_index_cites(f->index, out, max, intent);
    pthread_mutex_unlock(&f->mu);
    return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The committer: one thread that takes whatever was queued while it synced,
 * writes it as one record, syncs, signs, publishes, answers. No timers. It
 * never signs a size that is not synced; after a failed write or sync nobody
 * knows what the disk holds, so nothing is ever tried again.
 */
#include "transparency/store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/failpoint.h"

enum rc tlog_store_reserve(struct tlog_store *s, size_t more)
{
    TRY(tlog_tree_reserve(&s->tree, more));
    if (s->running)
        TRY(tlog_seen_reserve(&s->seen, &s->tree, more));
    size_t cap = s->place_cap ? s->place_cap : 1024;
    while (cap < s->tree.n + more)
        cap *= 2;
    if (cap == s->place_cap)
        return RC_OK;
    uint64_t *place = reallocarray(s->place, cap, sizeof(*place));
    if (!place)
        return rc_raise(RC_NOMEM, "log: places of %zu entries", cap);
    s->place = place;
    s->place_cap = cap;
    return RC_OK;
}

void tlog_store_push(struct tlog_store *s, const struct tlog_hash *leaf,
                     uint64_t place)
{
    uint64_t index = s->tree.n;
    s->place[index] = place;
    tlog_tree_push(&s->tree, leaf);
    if (s->seen.cap) /* recovery fills the table when it knows the size */
        tlog_seen_add(&s->seen, &s->tree, index);
}

/*
 * In place and not synced: its root is a function of durable entries, so any
 * older one is extended by what is recovered; a dying process cannot tear
 * a write this small, and a note that a power cut spoils is made again. Notes
 * of one log never get shorter.
 */
static enum rc write_checkpoint(struct tlog_store *s, const char *note)
{
    enum rc rc = tlog_write_at(s->checkpoint_fd, note, strlen(note), 0);
    return rc == RC_OK ? RC_OK : rc_prefix(rc, "checkpoint: ");
}

enum rc tlog_store_publish(struct tlog_store *s)
{
    struct tlog_checkpoint cp = { .size = s->synced };
    char note[TLOG_NOTE_MAX];
    assert(s->synced == s->tree.n); /* nothing else is ever signed */
    memcpy(cp.origin, s->log.name, sizeof(cp.origin));
    /* the tree is ours to read without the lock: only we change it */
    tlog_tree_root(&s->tree, &cp.root, cp.size);
    TRY(tlog_checkpoint_sign(note, sizeof(note), &cp, &s->log, s->sk));
    TRY(write_checkpoint(s, note));
    pthread_mutex_lock(&s->mu);
    s->size = cp.size;
    s->head = cp;
    memcpy(s->checkpoint, note, strlen(note) + 1);
    pthread_mutex_unlock(&s->mu);
    return RC_OK;
}

/* At most one record's worth of what waits; NULL: stop and nothing waits. */
static struct store_request *take_queue(struct tlog_store *s)
{
    pthread_mutex_lock(&s->mu);
    while (!s->first && !s->stop)
        pthread_cond_wait(&s->wake, &s->mu);
    struct store_request *list = s->first;
    struct store_request **cut = &s->first;
    for (size_t n = 0; *cut && n < BATCH_ENTRIES_MAX; n++) {
        cut = &(*cut)->next;
        s->n_queued--;
    }
    struct store_request *rest = *cut;
    if (!rest)
        s->last = &s->first;
    *cut = NULL; /* when nothing was taken, cut is s->first itself */
    s->first = rest;
    pthread_mutex_unlock(&s->mu);
    return list;
}

/* A record that might not fit into the rest of its segment begins the next. */
static enum rc make_room(struct tlog_store *s, const struct store_request *list)
{
    size_t len = BATCH_HEAD;
    for (const struct store_request *r = list; r; r = r->next)
        len += 2 + r->len;
    if (tlog_segment_fits(s->end, len))
        return RC_OK;
    return tlog_segment_begin(&s->seg, &s->end, s->seg.number + 1, s->synced);
}

/* Gives each request its index; new entries go into the record. */
static enum rc stage(struct tlog_store *s, struct store_request *list)
{
    pthread_mutex_lock(&s->mu);
    enum rc rc = tlog_store_reserve(s, BATCH_ENTRIES_MAX);
    tlog_batch_start(&s->batch, s->tree.n);
    for (struct store_request *r = list; r && rc == RC_OK; r = r->next) {
        r->index = tlog_seen_find(&s->seen, &s->tree, &r->leaf);
        if (r->index != TLOG_NO_INDEX)
            continue;
        r->index = s->tree.n;
        size_t at = tlog_batch_add(&s->batch, r->entry, r->len);
        tlog_store_push(s, &r->leaf, s->end + at);
    }
    pthread_mutex_unlock(&s->mu);
    return rc;
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void count(struct tlog_store *s, const struct store_request *list,
                  uint64_t took_us)
{
    uint64_t asked = 0;
    for (; list; list = list->next)
        asked++;
    pthread_mutex_lock(&s->mu);
    struct tlog_store_stats *t = &s->stats;
    t->bytes = s->end;
    t->appended += s->batch.count;
    t->duplicates += asked - s->batch.count;
    if (s->batch.count > 0) {
        t->batches++;
        t->commit_us += took_us;
        for (unsigned i = 0; i < TLOG_STORE_BUCKETS; i++)
            if (took_us <= UINT64_C(64) << i) {
                t->commit_bucket[i]++;
                break;
            }
    }
    pthread_mutex_unlock(&s->mu);
}

static enum rc write_record(struct tlog_store *s)
{
    if (s->batch.count == 0) /* only entries we had */
        return RC_OK;
    tlog_batch_seal(&s->batch);
    TRY(tlog_segment_write(&s->seg, s->batch.buf, s->batch.len, s->end));
    FAILPOINT(log_written);
    if (fdatasync(s->seg.fd) != 0)
        return rc_raise(RC_STORE, "log: fdatasync: %s", strerror(errno));
    FAILPOINT(log_synced);
    s->end += s->batch.len;
    s->synced = s->batch.first + s->batch.count;
    return tlog_store_publish(s);
}

static void fill_proof(struct tlog_store *s, const struct store_request *r)
{
    struct tlog_proof *p = &s->proof;
    memcpy(p->entry, r->entry, r->len);
    p->entry[r->len] = '\0';
    p->entry_len = r->len;
    p->index = r->index;
    /* only this thread publishes and changes the tree */
    tlog_tree_inclusion(&s->tree, &p->path, r->index, s->size);
    memcpy(p->checkpoint, s->checkpoint, strlen(s->checkpoint) + 1);
}

static void answer(struct tlog_store *s, struct store_request *list, enum rc rc)
{
    while (list) {
        struct store_request *r = list;
        list = r->next;
        if (rc == RC_OK)
            fill_proof(s, r);
        r->done(rc, rc == RC_OK ? &s->proof : NULL, r->arg);
        free(r);
    }
}

/* From now on nothing is taken; whoever waits is told why. */
static void die(struct tlog_store *s, struct store_request *list)
{
    pthread_mutex_lock(&s->mu);
    s->dead = true;
    snprintf(s->why, sizeof(s->why), "%s", rc_text());
    struct store_request *rest = s->first;
    s->first = NULL;
    s->last = &s->first;
    s->n_queued = 0;
    pthread_mutex_unlock(&s->mu);
    answer(s, list, RC_STORE);
    answer(s, rest, RC_STORE);
}

void *tlog_store_commit_loop(void *arg)
{
    struct tlog_store *s = arg;
    struct store_request *list;
    while ((list = take_queue(s)) != NULL) {
        enum rc rc = make_room(s, list);
        if (rc != RC_OK) {
            die(s, list);
            continue;
        }
        rc = stage(s, list);
        if (rc != RC_OK) { /* no memory: nothing was begun */
            answer(s, list, rc);
            continue;
        }
        uint64_t from = now_us();
        rc = write_record(s);
        if (rc != RC_OK) {
            die(s, list);
            continue;
        }
        count(s, list, now_us() - from);
        answer(s, list, RC_OK);
    }
    return NULL;
}

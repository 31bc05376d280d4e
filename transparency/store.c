/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's door: open and free, queueing an entry, and what readers get.
 * Readers see only what is published, that is synced and signed.
 */
#include "transparency/store.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/secret.h"
#include "transparency/sha.h"

OWNED_STRUCT(tlog_store);

static enum rc check_key(const struct tlog_vkey *log, const uint8_t sk[64])
{
    if (log->type != TLOG_SIG_ED25519)
        return rc_raise(RC_ARG, "log: key of type %u signs no checkpoints",
                        log->type);
    /* libsodium keeps the public half behind the seed */
    if (memcmp(sk + 32, log->key, 32) != 0)
        return rc_raise(RC_ARG, "log: secret key is not that of %s", log->name);
    return RC_OK;
}

static enum rc store_new(struct tlog_store **out, const struct tlog_vkey *log)
{
    struct tlog_store *s = calloc(1, sizeof(*s));
    if (!s)
        return rc_raise(RC_NOMEM, "log: out of memory");
    s->dir_fd = -1;
    s->checkpoint_fd = -1;
    s->log = *log;
    s->seg = (struct tlog_segments){ .dir_fd = -1, .log = &s->log, .fd = -1 };
    s->last = &s->first;
    pthread_mutex_init(&s->mu, NULL);
    pthread_cond_init(&s->wake, NULL);
    *out = s;
    return RC_OK;
}

enum rc tlog_store_open(struct tlog_store **out, const char *dir,
                        const struct tlog_vkey *log, const uint8_t sk[64])
{
    OWN_S(tlog_store) *s = NULL;
    if (sodium_init() < 0)
        return rc_raise(RC_INTERNAL, "log: libsodium does not start");
    TRY(check_key(log, sk));
    TRY(store_new(&s, log));
    s->sk = secret_new(64);
    s->batch.buf = malloc(BATCH_MAX);
    if (!s->sk || !s->batch.buf)
        return rc_raise(RC_NOMEM, "log: out of memory");
    memcpy(s->sk, sk, 64);
    TRY(tlog_seen_init(&s->seen));
    TRY(tlog_store_recover(s, dir));
    TRY(tlog_store_publish(s));
    /* what an earlier, spoilt file held behind it */
    if (ftruncate(s->checkpoint_fd, (off_t)strlen(s->checkpoint)) != 0)
        return rc_raise(RC_STORE, "log: checkpoint: %s", strerror(errno));
    int err = pthread_create(&s->committer, NULL, tlog_store_commit_loop, s);
    if (err != 0)
        return rc_raise(RC_INTERNAL, "log: thread: %s", strerror(err));
    s->running = true;
    *out = TAKE(s);
    return RC_OK;
}

void tlog_store_free(struct tlog_store *s)
{
    if (!s)
        return;
    if (s->running) {
        pthread_mutex_lock(&s->mu);
        s->stop = true; /* what is queued is still committed */
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->mu);
        pthread_join(s->committer, NULL);
    }
    if (s->seg.fd >= 0)
        close(s->seg.fd);
    if (s->checkpoint_fd >= 0)
        close(s->checkpoint_fd);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    tlog_tree_clear(&s->tree);
    tlog_seen_clear(&s->seen);
    free(s->place);
    free(s->batch.buf);
    secret_free(s->sk);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->mu);
    free(s);
}

/* FORMATS section 1: ASCII, at most 4096 bytes. */
static enum rc check_entry(const char *entry, size_t len)
{
    if (len == 0)
        return rc_raise(RC_PARSE, "entry: empty");
    if (len > TLOG_ENTRY_MAX)
        return rc_raise(RC_TOO_LARGE, "entry: %zu bytes, at most %d", len,
                        TLOG_ENTRY_MAX);
    for (size_t i = 0; i < len; i++)
        if ((entry[i] < ' ' && entry[i] != '\n') || entry[i] > '~')
            return rc_raise(RC_PARSE, "entry: byte %zu is not plain ASCII", i);
    return RC_OK;
}

static enum rc enqueue(struct tlog_store *s, struct store_request *r)
{
    enum rc rc = RC_OK;
    pthread_mutex_lock(&s->mu);
    if (s->dead)
        rc = rc_raise(RC_STORE, "log stopped: %s", s->why);
    else if (s->n_queued == STORE_QUEUE_MAX)
        rc = rc_raise(RC_NOMEM, "log: %d entries wait already",
                      STORE_QUEUE_MAX);
    else {
        *s->last = r;
        s->last = &r->next;
        s->n_queued++;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->mu);
    return rc;
}

enum rc tlog_store_append_async(struct tlog_store *s, const void *entry,
                                size_t len, tlog_appended *done, void *arg)
{
    TRY(check_entry(entry, len));
    OWNED_MEM struct store_request *r = calloc(1, sizeof(*r) + len);
    if (!r)
        return rc_raise(RC_NOMEM, "log: out of memory");
    r->done = done;
    r->arg = arg;
    r->len = len;
    memcpy(r->entry, entry, len);
    tlog_sha_leaf(&r->leaf, entry, len);
    TRY(enqueue(s, r));
    (void)TAKE(r); /* the committer's now, maybe gone already */
    return RC_OK;
}

/* A thread that waits for its own entry. */
struct waiter {
    pthread_mutex_t mu;
    pthread_cond_t wake;
    bool done;
    enum rc rc;
    char why[256];
    struct tlog_proof *proof;
};

static void wake_waiter(enum rc rc, const struct tlog_proof *proof, void *arg)
{
    struct waiter *w = arg;
    pthread_mutex_lock(&w->mu);
    w->done = true;
    w->rc = rc;
    if (rc == RC_OK)
        *w->proof = *proof;
    else /* texts belong to a thread: carry it over */
        strncpy(w->why, rc_text(), sizeof(w->why) - 1);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mu);
}

enum rc tlog_store_append(struct tlog_store *s, struct tlog_proof *proof,
                          const void *entry, size_t len)
{
    struct waiter w = { .proof = proof };
    pthread_mutex_init(&w.mu, NULL);
    pthread_cond_init(&w.wake, NULL);
    enum rc rc = tlog_store_append_async(s, entry, len, wake_waiter, &w);
    if (rc == RC_OK) {
        pthread_mutex_lock(&w.mu);
        while (!w.done)
            pthread_cond_wait(&w.wake, &w.mu);
        pthread_mutex_unlock(&w.mu);
        rc = w.rc == RC_OK ? RC_OK : rc_raise(w.rc, "%s", w.why);
    }
    pthread_cond_destroy(&w.wake);
    pthread_mutex_destroy(&w.mu);
    return rc;
}

void tlog_store_head(struct tlog_store *s, char note[TLOG_NOTE_MAX],
                     struct tlog_checkpoint *cp)
{
    pthread_mutex_lock(&s->mu);
    memcpy(note, s->checkpoint, strlen(s->checkpoint) + 1);
    if (cp)
        *cp = s->head;
    pthread_mutex_unlock(&s->mu);
}

enum rc tlog_store_checkpoint(struct tlog_store *s, char out[TLOG_NOTE_MAX])
{
    tlog_store_head(s, out, NULL);
    return RC_OK;
}

static enum rc outside(uint64_t at, uint64_t size)
{
    return rc_raise(RC_UNKNOWN, "log: %llu is outside the tree of %llu",
                    (unsigned long long)at, (unsigned long long)size);
}

enum rc tlog_store_inclusion(struct tlog_store *s, struct tlog_path *out,
                             uint64_t index, uint64_t size)
{
    pthread_mutex_lock(&s->mu);
    uint64_t have = s->size;
    bool ok = size <= have && index < size;
    if (ok)
        tlog_tree_inclusion(&s->tree, out, index, size);
    pthread_mutex_unlock(&s->mu);
    return ok ? RC_OK : outside(size > have ? size : index, have);
}

enum rc tlog_store_consistency(struct tlog_store *s, struct tlog_path *out,
                               uint64_t old_size, uint64_t size)
{
    pthread_mutex_lock(&s->mu);
    uint64_t have = s->size;
    bool ok = size <= have && old_size <= size;
    if (ok)
        tlog_tree_consistency(&s->tree, out, old_size, size);
    pthread_mutex_unlock(&s->mu);
    return ok ? RC_OK : outside(size > have ? size : old_size, have);
}

enum rc tlog_store_root(struct tlog_store *s, struct tlog_hash *out,
                        uint64_t size)
{
    pthread_mutex_lock(&s->mu);
    uint64_t have = s->size;
    if (size <= have)
        tlog_tree_root(&s->tree, out, size);
    pthread_mutex_unlock(&s->mu);
    return size <= have ? RC_OK : outside(size, have);
}

enum rc tlog_store_find(struct tlog_store *s, uint64_t *index,
                        const struct tlog_hash *leaf)
{
    pthread_mutex_lock(&s->mu);
    uint64_t at = tlog_seen_find(&s->seen, &s->tree, leaf);
    bool ok = at < s->size;
    pthread_mutex_unlock(&s->mu);
    if (!ok)
        return rc_raise(RC_UNKNOWN, "log: no such entry");
    *index = at;
    return RC_OK;
}

void tlog_store_stats(struct tlog_store *s, struct tlog_store_stats *out)
{
    pthread_mutex_lock(&s->mu);
    *out = s->stats;
    out->size = s->size;
    out->queued = s->n_queued;
    out->stopped = s->dead;
    pthread_mutex_unlock(&s->mu);
}

static enum rc hash_tile(struct tlog_store *s, uint8_t **out, size_t *len,
                         unsigned level, uint64_t n, unsigned width)
{
    size_t bytes = width * sizeof(struct tlog_hash);
    OWNED_MEM uint8_t *tile = malloc(bytes);
    if (!tile)
        return rc_raise(RC_NOMEM, "log: out of memory");
    pthread_mutex_lock(&s->mu);
    /* 256^8 entries are more than there can be */
    uint64_t have = level < 8 ? s->size >> (8 * level) : 0;
    bool ok = n <= have >> 8 && n * 256 + width <= have;
    if (ok)
        memcpy(tile, &s->tree.level[8 * level].h[n * 256], bytes);
    pthread_mutex_unlock(&s->mu);
    if (!ok)
        return rc_raise(RC_UNKNOWN, "log: no such tile");
    *len = bytes;
    *out = TAKE(tile);
    return RC_OK;
}

/* Entries of one bundle without what stands between records. */
static enum rc pack_bundle(struct bytes_writer *w, const uint8_t *span,
                           size_t span_len, const uint64_t *place,
                           unsigned width)
{
    for (unsigned i = 0; i < width; i++) {
        size_t at = (size_t)(place[i] - place[0]);
        struct bytes_reader r = bytes_reader(span + at, span_len - at);
        size_t n;
        const uint8_t *entry = bytes_take_lp16(&r, &n);
        if (!entry)
            return rc_raise(RC_STORE, "log: entry is cut off in the file");
        bytes_put_lp16(w, entry, n);
    }
    return bytes_written(w);
}

static enum rc bundle(struct tlog_store *s, uint8_t **out, size_t *len,
                      uint64_t n, unsigned width)
{
    uint64_t place[256];
    pthread_mutex_lock(&s->mu);
    uint64_t have = s->size;
    bool ok = n <= have >> 8 && n * 256 + width <= have;
    if (ok)
        memcpy(place, &s->place[n * 256], width * sizeof(place[0]));
    pthread_mutex_unlock(&s->mu);
    if (!ok)
        return rc_raise(RC_UNKNOWN, "log: no such bundle");
    uint8_t last[2];
    TRY(tlog_segment_read(&s->seg, last, sizeof(last), place[width - 1]));
    size_t span_len = (size_t)(place[width - 1] - place[0]) + 2 +
                      ((size_t)last[0] << 8 | last[1]);
    OWNED_MEM uint8_t *span = malloc(span_len);
    OWNED_MEM uint8_t *packed = malloc(span_len);
    if (!span || !packed)
        return rc_raise(RC_NOMEM, "log: out of memory");
    TRY(tlog_segment_read(&s->seg, span, span_len, place[0]));
    struct bytes_writer w = bytes_writer(packed, span_len);
    TRY(pack_bundle(&w, span, span_len, place, width));
    *len = w.len;
    *out = TAKE(packed);
    return RC_OK;
}

enum rc tlog_store_tile(struct tlog_store *s, uint8_t **out, size_t *len,
                        int level, uint64_t n, unsigned width)
{
    if (width == 0)
        width = 256;
    if (width > 256 || level < -1 || level > 63)
        return rc_raise(RC_UNKNOWN, "log: no such tile");
    if (level < 0)
        return bundle(s, out, len, n, width);
    return hash_tile(s, out, len, (unsigned)level, n, width);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An append from its body to its answer. The committer only counts down; one
 * thread writes the answers, so that the next batch does not wait for them.
 */
#include "transparency/append.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "wire/wire.h"

/* Several entries wait for one commit: the last to finish hands the call on. */
struct pending {
    struct log_appender *a;
    struct pending *next;
    struct http_call *call;
    struct wire_append in;
    unsigned left;
    enum rc rc;
    char why[256];
    struct pending_entry {
        struct pending *p;
        uint64_t index;
    } entry[WIRE_MAX_APPEND];
};
struct log_appender {
    struct log_public *public;
    pthread_t thread;
    pthread_mutex_t mu; /* all below */
    pthread_cond_t wake;
    struct pending *first;
    struct pending **last;
    unsigned n_pending; /* begun and not answered */
    bool closed;        /* calls are gone or going */
    bool stop;
    char held[256];
    struct log_quota quota;
    /* held while a call is answered, so that closing can wait for that */
    pthread_mutex_t answering;
};

static void pending_free(struct pending *p)
{
    if (!p)
        return;
    wire_append_free(&p->in);
    free(p);
}
OWNED_STRUCT(pending);

/* ---- the answer ---------------------------------------------------------- */

static enum rc path_to_wire(struct wire_hash **at, size_t *n,
                            const struct tlog_path *path)
{
    TRY(wire_list_alloc((void **)at, n, sizeof(**at), path->n));
    for (unsigned i = 0; i < path->n; i++)
        memcpy((*at)[i].b, path->hash[i].b, 32);
    return RC_OK;
}

static enum rc fill_proof(struct wire_proof *out, struct tlog_store *store,
                          const struct wire_text *entry, uint64_t index,
                          const char *note, uint64_t size)
{
    struct tlog_path path;
    TRY(tlog_store_inclusion(store, &path, index, size));
    TRY(wire_text_set(&out->entry, entry->p, entry->len));
    TRY(wire_text_set(&out->checkpoint, note, strlen(note)));
    out->index = index;
    return path_to_wire(&out->path.at, &out->path.n, &path);
}

static enum rc fill_growth(struct wire_growth *out, struct tlog_store *store,
                           uint64_t from, uint64_t size)
{
    struct tlog_path path = { .n = 0 };
    if (from > 0)
        TRY(tlog_store_consistency(store, &path, from, size));
    out->from = from;
    out->to = size;
    return path_to_wire(&out->path.at, &out->path.n, &path);
}

/* A size this log does not have gets no answer: a signer's claim of it must
 * not cost the others their proofs. */
static enum rc fill_growths(struct wire_appended *out, struct tlog_store *store,
                            const struct wire_append *in, uint64_t size)
{
    size_t known = 0;
    for (size_t i = 0; i < in->sizes.n; i++)
        known += in->sizes.at[i] <= size;
    TRY(wire_list_new(&out->growth, known));
    size_t at = 0;
    for (size_t i = 0; i < in->sizes.n; i++)
        if (in->sizes.at[i] <= size)
            TRY(fill_growth(&out->growth.at[at++], store, in->sizes.at[i],
                            size));
    return RC_OK;
}

static enum rc fill(struct wire_appended *out, const struct pending *p)
{
    struct log_public *public = p->a->public;
    char note[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    tlog_store_head(public->store, note, &cp);
    TRY(wire_list_new(&out->proofs, p->in.entries.n));
    for (size_t i = 0; i < p->in.entries.n; i++)
        TRY(fill_proof(&out->proofs.at[i], public->store, &p->in.entries.at[i],
                       p->entry[i].index, note, cp.size));
    return fill_growths(out, public->store, &p->in, cp.size);
}

static enum rc reply(const struct pending *p)
{
    if (p->rc != RC_OK)
        return rc_raise(p->rc, "append: %s", p->why);
    WIRE(appended) out = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    TRY(fill(&out, p));
    TRY(wire_appended_encode(&json, &len, &out));
    return http_reply(p->call, 200, NULL, json, len);
}

static void answer(struct pending *p)
{
    struct log_appender *a = p->a;
    pthread_mutex_lock(&a->answering);
    pthread_mutex_lock(&a->mu);
    bool closed = a->closed;
    pthread_mutex_unlock(&a->mu);
    enum rc rc = closed ? RC_OK : reply(p);
    if (rc != RC_OK && rc != RC_ORDER) { /* answered by the server's stop */
        atomic_fetch_add(&a->public->refused_other, 1);
        if (http_reply_problem(p->call, rc) != RC_OK)
            log_rc(LOG_DEBUG, "append.unanswered", rc);
    }
    pthread_mutex_unlock(&a->answering);
    if (p->rc == RC_STORE && !closed) {
        rc_raise(RC_STORE, "%s", p->why);
        log_rc(LOG_ERROR, "stopping", RC_STORE);
        raise(SIGTERM); /* never retry a failed sync */
    }
    pending_free(p);
    log_appender_done(a);
}

static void *run(void *arg)
{
    struct log_appender *a = arg;
    for (;;) {
        pthread_mutex_lock(&a->mu);
        while (!a->first && !a->stop)
            pthread_cond_wait(&a->wake, &a->mu);
        struct pending *p = a->first;
        if (p) {
            a->first = p->next;
            if (!a->first)
                a->last = &a->first;
        }
        pthread_mutex_unlock(&a->mu);
        if (!p)
            return NULL;
        answer(p);
    }
}

/* ---- the commit ---------------------------------------------------------- */

/* From the committer, or for an entry that was not even queued. */
static void appended(enum rc rc, const struct tlog_proof *proof, void *arg)
{
    struct pending_entry *e = arg;
    struct pending *p = e->p;
    struct log_appender *a = p->a;
    pthread_mutex_lock(&a->mu);
    if (rc == RC_OK) {
        e->index = proof->index;
    } else {
        p->rc = rc;
        snprintf(p->why, sizeof(p->why), "%s", rc_text());
    }
    if (--p->left == 0) {
        *a->last = p;
        a->last = &p->next;
        pthread_cond_signal(&a->wake);
    }
    pthread_mutex_unlock(&a->mu);
}

static void append_all(struct pending *p)
{
    size_t n = p->in.entries.n; /* after the last one p may be gone */
    struct tlog_store *store = p->a->public->store;
    for (size_t i = 0; i < n; i++) {
        struct pending_entry *e = &p->entry[i];
        const struct wire_text *t = &p->in.entries.at[i];
        enum rc rc = tlog_store_append_async(store, t->p, t->len, appended, e);
        if (rc != RC_OK)
            appended(rc, NULL, e);
    }
}

enum rc log_appender_admit(struct log_appender *a, const char *uri, unsigned n)
{
    enum rc rc = RC_OK;
    pthread_mutex_lock(&a->mu);
    if (a->closed)
        rc = rc_raise(RC_UNREACHABLE, "append: the log is stopping");
    else if (a->held[0])
        rc = rc_raise(RC_ORDER, "append: %s", a->held);
    else
        rc = log_quota_take(&a->quota, uri, n, clock_mono_ms());
    if (rc == RC_OK)
        a->n_pending++;
    pthread_mutex_unlock(&a->mu);
    if (rc == RC_NOMEM)
        atomic_fetch_add(&a->public->refused_quota, 1);
    else if (rc != RC_OK)
        atomic_fetch_add(&a->public->refused_other, 1);
    return rc;
}

struct log_public *log_appender_public(struct log_appender *a)
{
    return a->public;
}

void log_appender_done(struct log_appender *a)
{
    pthread_mutex_lock(&a->mu);
    a->n_pending--;
    pthread_mutex_unlock(&a->mu);
}

static enum rc check_kind(const struct wire_text *entry, size_t i)
{
    enum tlog_kind kind = tlog_entry_kind(entry->p, entry->len);
    if (kind == TLOG_OPAQUE)
        return rc_raise(RC_PARSE, "entries[%zu]: not an entry of ours", i);
    if (kind == TLOG_DSSE)
        return rc_raise(RC_PARSE, "entries[%zu]: for /v1/log/sigstore", i);
    return RC_OK;
}

static enum rc read_body(struct pending *p, struct http_call *call)
{
    size_t len;
    const uint8_t *body = http_call_body(call, &len);
    TRY(wire_append_decode(&p->in, (const char *)body, len));
    for (size_t i = 0; i < p->in.entries.n; i++)
        TRY(check_kind(&p->in.entries.at[i], i));
    return RC_OK;
}

static enum rc check_lineage(struct log_appender *a, const struct pending *p)
{
    for (size_t i = 0; i < p->in.entries.n; i++)
        TRY(tlog_lineage_check(a->public->store, p->in.entries.at[i].p,
                               p->in.entries.at[i].len));
    return RC_OK;
}

enum rc log_append(struct log_appender *a, struct http_call *call,
                   const char *uri)
{
    OWN_S(pending) *p = calloc(1, sizeof(*p));
    if (!p)
        return rc_raise(RC_NOMEM, "append: out of memory");
    TRY(read_body(p, call));
    enum rc rc = log_appender_admit(a, uri, (unsigned)p->in.entries.n);
    if (rc == RC_NOMEM && http_reply_header(call, "Retry-After", "1") != RC_OK)
        return RC_NOMEM;
    TRY(rc);
    rc = check_lineage(a, p);
    if (rc != RC_OK) {
        log_appender_done(a);
        return rc;
    }
    p->a = a;
    p->call = call;
    p->left = (unsigned)p->in.entries.n;
    for (unsigned i = 0; i < p->left; i++)
        p->entry[i].p = p;
    http_defer(call);
    append_all(TAKE(p));
    return RC_OK;
}

/* ---- its life ------------------------------------------------------------ */

enum rc log_appender_start(struct log_appender **out, struct log_public *p,
                           unsigned per_s)
{
    OWNED_MEM struct log_appender *a = calloc(1, sizeof(*a));
    if (!a)
        return rc_raise(RC_NOMEM, "append: out of memory");
    a->public = p;
    a->last = &a->first;
    a->quota.per_s = per_s;
    pthread_mutex_init(&a->mu, NULL);
    pthread_mutex_init(&a->answering, NULL);
    pthread_cond_init(&a->wake, NULL);
    int err = pthread_create(&a->thread, NULL, run, a);
    if (err != 0)
        return rc_raise(RC_INTERNAL, "append: thread: %s", strerror(err));
    *out = TAKE(a);
    return RC_OK;
}

void log_appender_hold(struct log_appender *a, const char *why)
{
    pthread_mutex_lock(&a->mu);
    snprintf(a->held, sizeof(a->held), "%s", why ? why : "");
    pthread_mutex_unlock(&a->mu);
}

bool log_appender_held(struct log_appender *a)
{
    pthread_mutex_lock(&a->mu);
    bool held = a->held[0] != '\0';
    pthread_mutex_unlock(&a->mu);
    return held;
}

void log_appender_close(struct log_appender *a, int wait_ms)
{
    static const char why[] = "the log is stopping";
    if (!a)
        return;
    log_appender_hold(a, why);
    for (bool busy = true; busy && wait_ms > 0; wait_ms -= 5) {
        nanosleep(&(struct timespec){ 0, 5 * 1000000L }, NULL);
        pthread_mutex_lock(&a->mu);
        busy = a->n_pending > 0;
        pthread_mutex_unlock(&a->mu);
    }
    pthread_mutex_lock(&a->answering);
    pthread_mutex_lock(&a->mu);
    a->closed = true;
    pthread_mutex_unlock(&a->mu);
    pthread_mutex_unlock(&a->answering);
}

void log_appender_free(struct log_appender *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->mu);
    a->closed = true;
    a->stop = true; /* what waits is freed first */
    pthread_cond_signal(&a->wake);
    pthread_mutex_unlock(&a->mu);
    pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->wake);
    pthread_mutex_destroy(&a->answering);
    pthread_mutex_destroy(&a->mu);
    free(a);
}

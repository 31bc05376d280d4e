/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking witnesses: at the start, what they have seen, so that an old copy of
 * the log does not run; then, again and again, to cosign the newest checkpoint,
 * which the public port shows once a quorum has.
 */
#include "transparency/witness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/own.h"

#define ASK_MS   3000
#define PACE_MS  250  /* between rounds, so that nobody syncs without end */
#define RETRY_MS 1000 /* while a quorum is missing */

OWNED_STRUCT(http_client);

struct log_witnesses {
    struct log_public *p;
    struct log_appender *a;
    struct tlog_trust *trust;
    char dir[512];
    char head_path[ENC_HEX_SIZE(32) + 16]; /* /<sha256 of origin>/checkpoint */
    struct http_client *client;
    struct http_loop *loop;
    struct witness {
        struct http_peer *peer; /* NULL: no URL */
        uint64_t known;         /* the size it holds, as far as we know */
        bool seen;              /* it answered at the start */
        bool silent;            /* the last call failed: say so once */
    } w[TLOG_TRUST_MAX];
    pthread_t thread;
    bool running;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    bool stop;
};

/* ---- one call ------------------------------------------------------------ */

struct ask {
    bool done;
    enum rc rc;
    int status;
    size_t len;
    char body[TLOG_NOTE_MAX];
    char why[256];
};

static void on_done(const struct http_reply_view *v, void *arg)
{
    struct ask *a = arg;
    a->done = true;
    a->rc = v->rc;
    a->status = v->status;
    snprintf(a->why, sizeof(a->why), "%s", v->why ? v->why : "");
    if (v->rc != RC_OK)
        return;
    a->len = v->body_len < sizeof(a->body) ? v->body_len : 0;
    if (a->len)
        memcpy(a->body, v->body, a->len);
    a->body[a->len] = '\0';
}

/* RC_OK: an answer of some status. */
static enum rc ask(struct ask *out, struct log_witnesses *ws, unsigned i,
                   const char *method, const char *path, const char *body,
                   size_t len)
{
    out->done = false;
    http_send(ws->w[i].peer, method, path, body, len, sizeof(out->body) - 1,
              clock_mono_ms() + ASK_MS, on_done, out);
    while (!out->done)
        TRY(http_loop_run(ws->loop, 1000));
    bool fell_silent = out->rc != RC_OK && !ws->w[i].silent;
    ws->w[i].silent = out->rc != RC_OK;
    if (fell_silent)
        log_warn("witness.silent", "name=%s why=\"%s\"",
                 ws->trust->witness[i].name, out->why);
    return out->rc == RC_OK ? RC_OK : rc_raise(out->rc, "%s", out->why);
}

/* ---- at the start -------------------------------------------------------- */

static void keep_evidence(const struct log_witnesses *ws, const char *name,
                          const char *note)
{
    uint8_t h[32];
    char hex[ENC_HEX_SIZE(32)];
    char path[600];
    hash256(h, note, strlen(note));
    snprintf(path, sizeof(path), "%s/evidence-%.16s", ws->dir,
             enc_hex(hex, h, 32));
    if (file_write(path, note, strlen(note), 0644) != RC_OK)
        log_rc(LOG_ERROR, "evidence.lost", RC_IO);
    log_error("witness.contradicts", "name=%s note=%s", name, path);
}

/* Signed by our own key, so it was us: larger or another past is a rollback. */
static enum rc judge_head(struct log_witnesses *ws, unsigned i,
                          const char *note, size_t len)
{
    const char *name = ws->trust->witness[i].name;
    struct tlog_checkpoint cp;
    struct tlog_hash root;
    struct tlog_store_stats st;
    TRY(tlog_checkpoint_open(&cp, note, len, &ws->p->vkey));
    tlog_store_stats(ws->p->store, &st);
    if (cp.size <= st.size) {
        TRY(tlog_store_root(ws->p->store, &root, cp.size));
        if (tlog_hash_equal(&root, &cp.root)) {
            ws->w[i].known = cp.size;
            return RC_OK;
        }
    }
    keep_evidence(ws, name, note);
    rc_raise(RC_STORE,
             cp.size > st.size
                     ? "log: witness %s has seen %llu entries of this log, "
                       "here are %llu: this is an old copy"
                     : "log: witness %s has seen other entries among the "
                       "first %llu; here are %llu: this is another history",
             name, (unsigned long long)cp.size, (unsigned long long)st.size);
    rc_hint("put the newest state directory back; nothing may be signed from "
            "this one");
    return RC_STORE;
}

/* RC_STORE ends the log; any other failure is one answer fewer. */
static enum rc look(struct log_witnesses *ws, unsigned i)
{
    OWNED_MEM struct ask *a = calloc(1, sizeof(*a));
    if (!a)
        return rc_raise(RC_NOMEM, "witness: out of memory");
    TRY(ask(a, ws, i, "GET", ws->head_path, NULL, 0));
    if (a->status == 404) { /* it has seen nothing of us */
        ws->w[i].seen = true;
        return RC_OK;
    }
    if (a->status != 200)
        return rc_raise(RC_IO, "witness: status %d", a->status);
    TRY(judge_head(ws, i, a->body, a->len));
    ws->w[i].seen = true;
    return RC_OK;
}

static bool seen_by_quorum(const struct log_witnesses *ws)
{
    uint64_t who = 0;
    for (unsigned i = 0; i < ws->trust->n_witnesses; i++)
        who |= (uint64_t)ws->w[i].seen << i;
    return tlog_trust_quorum(ws->trust, who);
}

static enum rc look_at_all(struct log_witnesses *ws)
{
    for (unsigned i = 0; i < ws->trust->n_witnesses; i++) {
        if (!ws->w[i].peer || ws->w[i].seen)
            continue;
        enum rc rc = look(ws, i);
        if (rc == RC_STORE)
            return rc;
        if (rc != RC_OK)
            log_rc(LOG_DEBUG, "witness.unread", rc);
    }
    log_appender_hold(ws->a, seen_by_quorum(ws)
                                     ? NULL
                                     : "the log waits for a quorum of its "
                                       "witnesses to say what they have seen");
    return RC_OK;
}

/* ---- cosignatures -------------------------------------------------------- */

struct round {
    struct tlog_checkpoint cp;
    char note[TLOG_NOTE_MAX];     /* as signed by the log */
    char cosigned[TLOG_NOTE_MAX]; /* with lines added */
    uint64_t who;
};

/* Lines of this witness that verify go into the note. */
static bool take_lines(struct log_witnesses *ws, unsigned i, struct round *r,
                       char *lines)
{
    bool any = false;
    char line[TLOG_SIG_LINE_MAX];
    for (char *lf; (lf = strchr(lines, '\n')); lines = lf + 1) {
        snprintf(line, sizeof(line), "%.*s", (int)(lf + 1 - lines), lines);
        if (tlog_cosignature_check(line, &r->cp, &ws->trust->witness[i].key,
                                   NULL) == RC_OK &&
            tlog_note_add(r->cosigned, sizeof(r->cosigned), line) == RC_OK)
            any = true;
    }
    return any;
}

static enum rc post(struct log_witnesses *ws, unsigned i, struct ask *a,
                    const struct round *r)
{
    struct tlog_path path = { .n = 0 };
    char body[TLOG_ADD_CHECKPOINT_MAX];
    size_t len;
    uint64_t old = ws->w[i].known;
    if (old > 0)
        TRY(tlog_store_consistency(ws->p->store, &path, old, r->cp.size));
    TRY(tlog_add_checkpoint_write(body, sizeof(body), &len, old, &path,
                                  r->note));
    return ask(a, ws, i, "POST", "/add-checkpoint", body, len);
}

/*
 * It holds another size than we thought: sidecars also cosign what they sign
 * under. A size we do not have yet is no news, for it may be newer than this
 * round; that it is signed is what counts, and the start asked for that.
 */
static bool take_size(struct log_witnesses *ws, unsigned i, const struct ask *a,
                      const struct round *r)
{
    uint64_t size;
    if (a->len == 0 || enc_undec(&size, a->body, a->len - 1) != RC_OK ||
        size > r->cp.size || size == ws->w[i].known)
        return false;
    ws->w[i].known = size;
    return true;
}

static enum rc cosign(struct log_witnesses *ws, unsigned i, struct round *r)
{
    OWNED_MEM struct ask *a = calloc(1, sizeof(*a));
    if (!a)
        return rc_raise(RC_NOMEM, "witness: out of memory");
    TRY(post(ws, i, a, r));
    if (a->status == 409 && take_size(ws, i, a, r))
        TRY(post(ws, i, a, r));
    if (a->status != 200)
        return rc_raise(RC_LOG, "witness %s: status %d %s",
                        ws->trust->witness[i].name, a->status, a->why);
    ws->w[i].known = r->cp.size;
    if (!take_lines(ws, i, r, a->body))
        return rc_raise(RC_VERIFY,
                        "witness %s: no line of its key in the "
                        "answer",
                        ws->trust->witness[i].name);
    r->who |= UINT64_C(1) << i;
    return RC_OK;
}

static void publish(struct log_witnesses *ws, const struct round *r)
{
    unsigned n = ws->trust->n_witnesses;
    pthread_mutex_lock(&ws->p->mu);
    if (tlog_trust_quorum(ws->trust, r->who)) {
        memcpy(ws->p->cosigned, r->cosigned, sizeof(r->cosigned));
        ws->p->cosigned_cp = r->cp;
    }
    ws->p->witnesses_behind = n - (unsigned)__builtin_popcountll(r->who);
    pthread_mutex_unlock(&ws->p->mu);
}

static enum rc round_of_all(struct log_witnesses *ws, uint64_t *done_size)
{
    OWNED_MEM struct round *r = calloc(1, sizeof(*r));
    if (!r)
        return rc_raise(RC_NOMEM, "witness: out of memory");
    tlog_store_head(ws->p->store, r->note, &r->cp);
    if (r->cp.size == *done_size)
        return RC_OK;
    memcpy(r->cosigned, r->note, strlen(r->note) + 1);
    unsigned urls = 0;
    for (unsigned i = 0; i < ws->trust->n_witnesses; i++) {
        enum rc rc = ws->w[i].peer ? cosign(ws, i, r) : RC_OK;
        urls += ws->w[i].peer != NULL;
        if (rc != RC_OK)
            log_rc(LOG_DEBUG, "witness.refused", rc);
    }
    publish(ws, r);
    if ((unsigned)__builtin_popcountll(r->who) == urls)
        *done_size = r->cp.size; /* else the next round asks again */
    return RC_OK;
}

/* ---- the thread ---------------------------------------------------------- */

static bool pause_for(struct log_witnesses *ws, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&ws->mu);
    if (!ws->stop)
        pthread_cond_timedwait(&ws->wake, &ws->mu, &until);
    bool stop = ws->stop;
    pthread_mutex_unlock(&ws->mu);
    return stop;
}

static void *run(void *arg)
{
    struct log_witnesses *ws = arg;
    uint64_t done_size = TLOG_NO_INDEX;
    enum rc rc = RC_OK;
    while (!seen_by_quorum(ws) && !pause_for(ws, RETRY_MS)) {
        rc = look_at_all(ws);
        if (rc != RC_OK)
            break;
    }
    while (rc == RC_OK && !pause_for(ws, PACE_MS))
        rc = round_of_all(ws, &done_size);
    if (rc == RC_STORE) { /* found out late: the same end */
        log_rc(LOG_ERROR, "stopping", rc);
        log_appender_hold(ws->a, "this log is an old copy of itself");
        raise(SIGTERM);
    } else if (rc != RC_OK) {
        log_rc(LOG_ERROR, "witnesses.stopped", rc);
    }
    return NULL;
}

static enum rc open_peer(struct log_witnesses *ws, unsigned i,
                         const struct log_attested *attested)
{
    const struct tlog_trust_witness *w = &ws->trust->witness[i];
    char uri[HTTP_URI_MAX];
    bool https = strncmp(w->url, "https:", 6) == 0;
    if (https && attested &&
        attested->uri(attested->ctx, uri, w->key.name) != RC_OK)
        return rc_prefix(RC_ARG, "witness %s: ", w->name);
    if (http_peer_new(&ws->w[i].peer, ws->client, w->url,
                      https && attested ? uri : NULL, 1) != RC_OK)
        return rc_prefix(RC_ARG, "witness %s: ", w->name);
    return RC_OK;
}

static enum rc open_peers(struct log_witnesses *ws,
                          const struct log_attested *attested)
{
    uint8_t h[32];
    char hex[ENC_HEX_SIZE(32)];
    hash256(h, ws->p->vkey.name, strlen(ws->p->vkey.name));
    snprintf(ws->head_path, sizeof(ws->head_path), "/%s/checkpoint",
             enc_hex(hex, h, 32));
    TRY(http_client_new(&ws->client, attested ? &attested->tls : NULL,
                        attested ? &attested->guard : NULL));
    TRY(http_loop_new(&ws->loop, ws->client));
    for (unsigned i = 0; i < ws->trust->n_witnesses; i++)
        if (ws->trust->witness[i].url[0])
            TRY(open_peer(ws, i, attested));
    return RC_OK;
}

static void log_witnesses_free(struct log_witnesses *ws)
{
    http_loop_free(ws->loop);
    http_client_free(ws->client);
    pthread_cond_destroy(&ws->wake);
    pthread_mutex_destroy(&ws->mu);
    free(ws->trust);
    free(ws);
}

OWNED_STRUCT(log_witnesses);

enum rc log_witnesses_start(struct log_witnesses **out, struct log_public *p,
                            struct log_appender *a, struct tlog_trust *trust,
                            const char *dir,
                            const struct log_attested *attested)
{
    OWN_S(log_witnesses) *ws = calloc(1, sizeof(*ws));
    if (!ws) {
        free(trust);
        return rc_raise(RC_NOMEM, "witness: out of memory");
    }
    ws->p = p;
    ws->a = a;
    ws->trust = trust;
    snprintf(ws->dir, sizeof(ws->dir), "%s", dir);
    pthread_mutex_init(&ws->mu, NULL);
    pthread_condattr_t steady; /* a clock that steps must not stop it */
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&ws->wake, &steady);
    pthread_condattr_destroy(&steady);
    TRY(open_peers(ws, attested));
    TRY(look_at_all(ws));
    pthread_mutex_lock(&p->mu);
    p->want_cosigned = true;
    pthread_mutex_unlock(&p->mu);
    int err = pthread_create(&ws->thread, NULL, run, ws);
    if (err != 0)
        return rc_raise(RC_INTERNAL, "witness: thread: %s", strerror(err));
    ws->running = true;
    *out = TAKE(ws);
    return RC_OK;
}

void log_witnesses_stop(struct log_witnesses *ws)
{
    if (!ws)
        return;
    pthread_mutex_lock(&ws->mu);
    ws->stop = true;
    pthread_cond_signal(&ws->wake);
    pthread_mutex_unlock(&ws->mu);
    if (ws->running)
        pthread_join(ws->thread, NULL);
    log_witnesses_free(ws);
}

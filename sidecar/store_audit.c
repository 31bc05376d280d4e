/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit chain at rest. A row is noted at once, in memory, by whichever
 * thread has something to say; it becomes durable, in the order it was noted,
 * with the next transaction that carries rows: that of the marks before a
 * share, that of node_settle(), or a flush. What was noted before a share is
 * at rest before the share exists. Public data; texts are made printable here.
 */
#include "sidecar/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

#define NOTED_MAX  4096  /* rows that wait for a disk that refuses them */
#define PRUNE_ROWS 20000 /* of one transaction */

/* ---- noting ---------------------------------------------------------------- */

static void make_printable(char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            *text = '?';
}

static struct store_noted *new_noted(const struct wire_audit_row *row)
{
    struct store_noted *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->row = *row;
    make_printable(e->row.actor);
    make_printable(e->row.method);
    make_printable(e->row.detail);
    return e;
}

void store_audit_note(struct store *s, const struct wire_audit_row *row)
{
    struct store_noted *e = new_noted(row);
    pthread_mutex_lock(&s->note_lock);
    if (!e || s->n_noted == NOTED_MAX) {
        s->n_lost++;
        free(e);
    } else {
        *s->noted_end = e;
        s->noted_end = &e->next;
        s->n_noted++;
    }
    pthread_mutex_unlock(&s->note_lock);
}

unsigned store_audit_waiting(struct store *s)
{
    pthread_mutex_lock(&s->note_lock);
    unsigned n = s->n_noted + (s->n_lost != 0);
    pthread_mutex_unlock(&s->note_lock);
    return n;
}

static void take_noted(struct store_audit *a, struct store *s)
{
    pthread_mutex_lock(&s->note_lock);
    a->first = s->noted;
    a->end = a->first ? s->noted_end : &a->first;
    a->n = s->n_noted;
    a->lost = s->n_lost;
    s->noted = NULL;
    s->noted_end = &s->noted;
    s->n_noted = 0;
    s->n_lost = 0;
    pthread_mutex_unlock(&s->note_lock);
}

/* In front of what was noted meanwhile. */
static void give_back(struct store_audit *a, struct store *s)
{
    pthread_mutex_lock(&s->note_lock);
    if (a->first) {
        *a->end = s->noted;
        if (!s->noted)
            s->noted_end = a->end;
        s->noted = a->first;
    }
    s->n_noted += a->n;
    s->n_lost += a->lost;
    pthread_mutex_unlock(&s->note_lock);
    a->first = NULL;
}

/* ---- writing --------------------------------------------------------------- */

static enum rc broken(struct store *s)
{
    enum rc rc = rc_raise(RC_STORE, "state.db: audit: cannot be kept: %s",
                          sqlite3_errmsg(s->db));
    rc_hint("no share is released without its audit row: check the disk and "
            "its free space");
    return rc;
}

static enum rc insert(struct store *s, const struct wire_audit_row *r)
{
    sqlite3_stmt *st = s->audit_insert;
    if (!st &&
        sqlite3_prepare_v3(s->db,
                           "INSERT INTO audit VALUES(?1,?2,?3,?4,?5,?6,?7,?8,"
                           "?9,?10)",
                           -1, SQLITE_PREPARE_PERSISTENT, &s->audit_insert,
                           NULL) != SQLITE_OK)
        return broken(s);
    st = s->audit_insert;
    store_bind_u64(st, 1, r->seq);
    store_bind_u64(st, 2, r->at);
    store_bind_text(st, 3, r->actor);
    store_bind_text(st, 4, r->method);
    store_bind_text(st, 5, r->attestation);
    store_bind_text(st, 6, r->session);
    store_bind_text(st, 7, r->result);
    store_bind_text(st, 8, r->detail);
    store_bind_blob(st, 9, r->prev, 32);
    store_bind_blob(st, 10, r->hash, 32);
    int e = sqlite3_step(st);
    enum rc rc = e == SQLITE_DONE ? RC_OK : broken(s);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return rc;
}

/* The next of the chain; the chain itself moves when it is committed. */
static enum rc put(struct store_audit *a, struct store *s,
                   struct wire_audit_row *r)
{
    r->seq = a->seq + 1;
    memcpy(r->prev, a->hash, 32);
    wire_audit_hash(r->hash, r);
    TRY(insert(s, r));
    a->seq = r->seq;
    memcpy(a->hash, r->hash, 32);
    return RC_OK;
}

/* What this transaction itself has to say, behind all that was noted. */
enum rc store_audit_put(struct store_audit *a, struct store *s,
                        const struct wire_audit_row *row)
{
    struct store_noted *e = new_noted(row);
    if (!e)
        return rc_raise(RC_NOMEM, "state.db: audit: out of memory");
    *a->own_end = e;
    a->own_end = &e->next;
    return put(a, s, &e->row);
}

static enum rc put_lost(struct store_audit *a, struct store *s)
{
    struct wire_audit_row r = { .at = a->first ? a->first->row.at : s->audit_at,
                                .method = "audit lost",
                                .result = "storage" };
    snprintf(r.detail, sizeof(r.detail), "%llu rows could not be kept",
             (unsigned long long)a->lost);
    return store_audit_put(a, s, &r);
}

enum rc store_audit_begin(struct store_audit *a, struct store *s)
{
    take_noted(a, s);
    a->seq = s->audit_seq;
    memcpy(a->hash, s->audit_hash, 32);
    a->own_end = &a->own;
    enum rc rc = RC_OK;
    for (struct store_noted *e = a->first; rc == RC_OK && e; e = e->next)
        rc = put(a, s, &e->row);
    if (rc == RC_OK && a->lost)
        rc = put_lost(a, s);
    return rc;
}

void store_audit_end(struct store_audit *a, struct store *s, enum rc rc)
{
    if (!a->own_end)
        return; /* it never began */
    if (rc == RC_OK) {
        s->audit_seq = a->seq;
        memcpy(s->audit_hash, a->hash, 32);
        if (a->first)
            s->audit_at = a->first->row.at;
    } else {
        give_back(a, s);
    }
    a->failed = rc != RC_OK;
}

static void tell_list(struct store *s, struct store_noted *e, bool tell)
{
    while (e) {
        struct store_noted *next = e->next;
        if (tell && s->audited)
            s->audited(s->audited_ctx, &e->row);
        free(e);
        e = next;
    }
}

void store_audit_tell(struct store_audit *a, struct store *s)
{
    tell_list(s, a->first, !a->failed);
    tell_list(s, a->own, !a->failed);
}

static enum rc flush(struct store_audit *a, struct store *s)
{
    LOCKED(s);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = store_end(s, store_audit_begin(a, s));
    store_audit_end(a, s, rc);
    return rc;
}

enum rc store_audit_flush(struct store *s)
{
    struct store_audit a = { 0 };
    if (store_audit_waiting(s) == 0)
        return RC_OK;
    enum rc rc = flush(&a, s);
    store_audit_tell(&a, s);
    return rc;
}

/* ---- retention ---------------------------------------------------------------- */

/* The last of the oldest rows that are all older than `before`. */
static enum rc find_old(struct store *s, int64_t before, uint64_t *seq,
                        char hash[65])
{
    STATEMENT *st = NULL;
    int step;
    *seq = 0;
    TRY(store_prepare(&st, s, "SELECT seq, at, hash FROM audit ORDER BY seq"));
    for (unsigned i = 0; i < PRUNE_ROWS; i++) {
        step = sqlite3_step(st);
        if (step == SQLITE_DONE)
            break;
        if (step != SQLITE_ROW)
            return store_broken(s, "read");
        if (sqlite3_column_int64(st, 1) >= before ||
            sqlite3_column_bytes(st, 2) != 32)
            break;
        *seq = (uint64_t)sqlite3_column_int64(st, 0);
        enc_hex(hash, sqlite3_column_blob(st, 2), 32);
    }
    return RC_OK;
}

static enum rc delete_to(struct store *s, uint64_t seq)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, "DELETE FROM audit WHERE seq<=?1"));
    store_bind_u64(st, 1, seq);
    return store_run(s, st, NULL);
}

static enum rc prune(struct store_audit *a, struct store *s, int64_t before,
                     int64_t now_s)
{
    struct wire_audit_row r = { .at = (uint64_t)now_s,
                                .method = WIRE_AUDIT_PRUNE,
                                .result = "ok" };
    char hash[65];
    uint64_t seq;
    LOCKED(s);
    TRY(find_old(s, before, &seq, hash));
    if (seq == 0)
        return RC_OK;
    snprintf(r.detail, sizeof(r.detail), "rows up to %llu, hash %s",
             (unsigned long long)seq, hash);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = store_audit_begin(a, s);
    if (rc == RC_OK)
        rc = store_audit_put(a, s, &r);
    if (rc == RC_OK)
        rc = delete_to(s, seq);
    rc = store_end(s, rc);
    store_audit_end(a, s, rc);
    return rc;
}

enum rc store_audit_prune(struct store *s, int64_t before, int64_t now_s)
{
    struct store_audit a = { 0 };
    enum rc rc = prune(&a, s, before, now_s);
    store_audit_tell(&a, s);
    return rc;
}

/* ---- reading ------------------------------------------------------------------ */

/* What was written is printable and has its size; anything else was changed. */
static enum rc read_text(char *out, size_t size, sqlite3_stmt *st, int col,
                         uint64_t seq)
{
    const char *text = (const char *)sqlite3_column_text(st, col);
    size_t len = (size_t)sqlite3_column_bytes(st, col);
    bool ok = text && len < size;
    for (size_t i = 0; ok && i < len; i++)
        ok = text[i] >= 0x20 && text[i] <= 0x7e;
    if (!ok)
        return rc_raise(RC_VERIFY, "audit: row %llu: its %s is no text of ours",
                        (unsigned long long)seq, sqlite3_column_name(st, col));
    memcpy(out, text, len);
    out[len] = '\0';
    return RC_OK;
}

static enum rc read_hash(uint8_t out[32], sqlite3_stmt *st, int col,
                         uint64_t seq)
{
    if (sqlite3_column_bytes(st, col) != 32)
        return rc_raise(RC_VERIFY, "audit: row %llu: its %s is no hash",
                        (unsigned long long)seq, sqlite3_column_name(st, col));
    memcpy(out, sqlite3_column_blob(st, col), 32);
    return RC_OK;
}

static enum rc read_row(struct wire_audit_row *r, sqlite3_stmt *st)
{
    r->seq = (uint64_t)sqlite3_column_int64(st, 0);
    r->at = (uint64_t)sqlite3_column_int64(st, 1);
    if (r->at > WIRE_MAX_U64)
        return rc_raise(RC_VERIFY, "audit: row %llu: its time is negative",
                        (unsigned long long)r->seq);
    TRY(read_text(r->actor, sizeof(r->actor), st, 2, r->seq));
    TRY(read_text(r->method, sizeof(r->method), st, 3, r->seq));
    TRY(read_text(r->attestation, sizeof(r->attestation), st, 4, r->seq));
    TRY(read_text(r->session, sizeof(r->session), st, 5, r->seq));
    TRY(read_text(r->result, sizeof(r->result), st, 6, r->seq));
    TRY(read_text(r->detail, sizeof(r->detail), st, 7, r->seq));
    TRY(read_hash(r->prev, st, 8, r->seq));
    return read_hash(r->hash, st, 9, r->seq);
}

enum rc store_audit_rows(struct store *s, struct wire_audit *out,
                         uint64_t since)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    int step;
    TRY(store_prepare(&st, s,
                      "SELECT * FROM audit WHERE seq>?1 ORDER BY seq"
                      " LIMIT ?2"));
    store_bind_u64(st, 1, since);
    store_bind_u64(st, 2, WIRE_MAX_AUDIT);
    TRY(wire_list_new(&out->rows, WIRE_MAX_AUDIT));
    out->rows.n = 0;
    while ((step = sqlite3_step(st)) == SQLITE_ROW &&
           out->rows.n < WIRE_MAX_AUDIT) {
        TRY(read_row(&out->rows.at[out->rows.n], st));
        out->rows.n++;
    }
    if (step != SQLITE_DONE && out->rows.n < WIRE_MAX_AUDIT)
        return store_broken(s, "read");
    memcpy(out->head, s->audit_hash, 32);
    return RC_OK;
}

void store_audit_head(struct store *s, uint64_t *seq, uint8_t hash[32])
{
    LOCKED(s);
    *seq = s->audit_seq;
    memcpy(hash, s->audit_hash, 32);
}

void store_audit_watch(struct store *s,
                       void (*fn)(void *ctx, const struct wire_audit_row *row),
                       void *ctx)
{
    s->audited = fn;
    s->audited_ctx = ctx;
}

/* ---- life --------------------------------------------------------------------- */

enum rc store_audit_open(struct store *s)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT seq, hash, at FROM audit ORDER BY seq DESC"
                      " LIMIT 1"));
    int step = sqlite3_step(st);
    if (step == SQLITE_DONE)
        return RC_OK;
    if (step != SQLITE_ROW || sqlite3_column_bytes(st, 1) != 32)
        return store_broken(s, "audit");
    s->audit_seq = (uint64_t)sqlite3_column_int64(st, 0);
    memcpy(s->audit_hash, sqlite3_column_blob(st, 1), 32);
    s->audit_at = (uint64_t)sqlite3_column_int64(st, 2);
    return RC_OK;
}

void store_audit_close(struct store *s)
{
    tell_list(s, s->noted, false);
    sqlite3_finalize(s->audit_insert);
}

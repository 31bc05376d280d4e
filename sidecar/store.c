/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable state: one SQLite file, WAL, synchronous=FULL. Holds sealed blobs,
 * public documents and marks; never a secret in the clear. Any error of the
 * disk is RC_STORE: what was not said to be kept, was not.
 */
#include "sidecar/sidecar.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>
#include <sqlite3.h>

#include "base/enc.h"

#define APPLICATION_ID 0x4d504373 /* "MPCs" */
#define SCHEMA         1

struct store {
    sqlite3 *db;
    pthread_mutex_t lock;
};

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS kv(name TEXT PRIMARY KEY, value BLOB)"
        " WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS policy(version INTEGER PRIMARY KEY,"
        " json BLOB NOT NULL);"
        "CREATE TABLE IF NOT EXISTS epoch(key TEXT NOT NULL,"
        " epoch INTEGER NOT NULL, session BLOB NOT NULL UNIQUE,"
        " state TEXT NOT NULL, sealed BLOB, birth BLOB,"
        " PRIMARY KEY(key, epoch));"
        "CREATE TABLE IF NOT EXISTS session(id BLOB PRIMARY KEY,"
        " json BLOB NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS slot(session BLOB NOT NULL,"
        " slot TEXT NOT NULL, message BLOB NOT NULL, expires INTEGER NOT NULL,"
        " PRIMARY KEY(session, slot)) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS mark(session BLOB NOT NULL,"
        " slot TEXT NOT NULL, attempt INTEGER NOT NULL,"
        " request BLOB NOT NULL, PRIMARY KEY(session, slot, attempt))"
        " WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS outbox(id INTEGER PRIMARY KEY"
        " AUTOINCREMENT, entry TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS audit(seq INTEGER PRIMARY KEY,"
        " at INTEGER NOT NULL, line TEXT NOT NULL, hash BLOB NOT NULL);";

/* ---- statements ------------------------------------------------------------------ */

static void finalize(sqlite3_stmt **st)
{
    sqlite3_finalize(*st);
}
#define STATEMENT __attribute__((cleanup(finalize))) sqlite3_stmt

static enum rc broken(struct store *s, const char *what)
{
    enum rc rc = rc_raise(RC_STORE, "state.db: %s: %s", what,
                          sqlite3_errmsg(s->db));
    rc_hint("check the disk and its free space; nothing acknowledged is lost");
    return rc;
}

static enum rc prepare(sqlite3_stmt **st, struct store *s, const char *sql)
{
    if (sqlite3_prepare_v2(s->db, sql, -1, st, NULL) != SQLITE_OK)
        return broken(s, "prepare");
    return RC_OK;
}

static void bind_blob(sqlite3_stmt *st, int at, const void *p, size_t len)
{
    /* NULL would bind SQL NULL: an empty blob is a blob */
    sqlite3_bind_blob64(st, at, p ? p : "", len, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *st, int at, const char *text)
{
    sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

static void bind_u64(sqlite3_stmt *st, int at, uint64_t v)
{
    sqlite3_bind_int64(st, at, (sqlite3_int64)v);
}

/* Runs a statement that returns no row. *changed (may be NULL): rows. */
static enum rc run(struct store *s, sqlite3_stmt *st, int *changed)
{
    if (sqlite3_step(st) != SQLITE_DONE)
        return broken(s, "write");
    if (changed)
        *changed = sqlite3_changes(s->db);
    return RC_OK;
}

static enum rc exec(struct store *s, const char *sql)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return broken(s, "exec");
    return RC_OK;
}

static enum rc copy_blob(uint8_t **out, size_t *len, sqlite3_stmt *st, int col)
{
    size_t n = (size_t)sqlite3_column_bytes(st, col);
    uint8_t *p = malloc(n + 1);
    if (!p)
        return rc_raise(RC_NOMEM, "state.db: out of memory");
    if (n)
        memcpy(p, sqlite3_column_blob(st, col), n);
    p[n] = '\0';
    *out = p;
    *len = n;
    return RC_OK;
}

/* One blob of one row; RC_UNKNOWN when there is none. */
static enum rc one_blob(struct store *s, sqlite3_stmt *st, uint8_t **out,
                        size_t *len, const char *what)
{
    int step = sqlite3_step(st);
    if (step == SQLITE_DONE)
        return rc_raise(RC_UNKNOWN, "%s: not in state.db", what);
    if (step != SQLITE_ROW)
        return broken(s, "read");
    return copy_blob(out, len, st, 0);
}

/* ---- life --------------------------------------------------------------------------- */

static enum rc set_up(struct store *s)
{
    TRY(exec(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                "PRAGMA secure_delete=ON; PRAGMA foreign_keys=ON;"
                "PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=1000;"));
    sqlite3_busy_timeout(s->db, 2000);
    TRY(exec(s, schema));
    char sql[128];
    snprintf(sql, sizeof(sql),
             "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             APPLICATION_ID, SCHEMA);
    return exec(s, sql);
}

enum rc store_open(struct store **out, const char *path)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s)
        return rc_raise(RC_NOMEM, "state.db: out of memory");
    pthread_mutex_init(&s->lock, NULL);
    mode_t old = umask(0077);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                SQLITE_OPEN_NOMUTEX;
    int e = sqlite3_open_v2(path, &s->db, flags, NULL);
    enum rc rc = e == SQLITE_OK ? set_up(s) : broken(s, path);
    umask(old);
    if (rc != RC_OK) {
        store_free(s);
        return rc;
    }
    *out = s;
    return RC_OK;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void unlock(struct store **s)
{
    pthread_mutex_unlock(&(*s)->lock);
}
/* Serialises this function: SQLite is opened without its own mutex. */
#define LOCKED(s)                                                              \
    pthread_mutex_lock(&(s)->lock);                                            \
    __attribute__((cleanup(unlock), unused)) struct store *locked_ = (s)

/* ---- small named values ------------------------------------------------------------------ */

enum rc store_put(struct store *s, const char *name, const void *p, size_t len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s,
                "INSERT INTO kv VALUES(?1,?2) ON CONFLICT(name)"
                " DO UPDATE SET value=?2"));
    bind_text(st, 1, name);
    bind_blob(st, 2, p, len);
    return run(s, st, NULL);
}

enum rc store_get(struct store *s, const char *name, uint8_t **out, size_t *len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s, "SELECT value FROM kv WHERE name=?1"));
    bind_text(st, 1, name);
    return one_blob(s, st, out, len, name);
}

/* ---- policies -------------------------------------------------------------------------------- */

enum rc store_policy_add(struct store *s, uint64_t version, const char *json,
                         size_t len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s, "INSERT OR REPLACE INTO policy VALUES(?1,?2)"));
    bind_u64(st, 1, version);
    bind_blob(st, 2, json, len);
    return run(s, st, NULL);
}

/* A row in the caller's hands: copied, so it may call the store itself. */
struct kept_row {
    char name[128];
    uint64_t number;
    uint8_t *a;
    size_t a_len;
    uint8_t *b;
    size_t b_len;
};
struct kept {
    struct kept_row *at;
    size_t n;
};
static void kept_free(struct kept *k)
{
    for (size_t i = 0; i < k->n; i++) {
        free(k->at[i].a);
        free(k->at[i].b);
    }
    free(k->at);
}
#define KEPT __attribute__((cleanup(kept_free))) struct kept

/* columns: name, number, a, b */
static enum rc keep_row(struct kept *k, sqlite3_stmt *st)
{
    struct kept_row *more = realloc(k->at, (k->n + 1) * sizeof(*more));
    if (!more)
        return rc_raise(RC_NOMEM, "state.db: out of memory");
    k->at = more;
    struct kept_row *row = &more[k->n];
    memset(row, 0, sizeof(*row));
    snprintf(row->name, sizeof(row->name), "%s",
             (const char *)sqlite3_column_text(st, 0));
    row->number = (uint64_t)sqlite3_column_int64(st, 1);
    k->n++;
    TRY(copy_blob(&row->a, &row->a_len, st, 2));
    return copy_blob(&row->b, &row->b_len, st, 3);
}

static enum rc keep_rows(struct kept *k, struct store *s, const char *sql)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s, sql));
    int step;
    while ((step = sqlite3_step(st)) == SQLITE_ROW)
        TRY(keep_row(k, st));
    return step == SQLITE_DONE ? RC_OK : broken(s, "read");
}

static enum rc each(struct store *s, const char *sql, store_row *row, void *ctx)
{
    KEPT k = { 0 };
    TRY(keep_rows(&k, s, sql));
    for (size_t i = 0; i < k.n; i++)
        TRY(row(ctx, k.at[i].name, k.at[i].number, k.at[i].a, k.at[i].a_len,
                k.at[i].b, k.at[i].b_len));
    return RC_OK;
}

enum rc store_policies(struct store *s, store_row *row, void *ctx)
{
    return each(s,
                "SELECT 'policy', version, json, x'' FROM policy"
                " ORDER BY version",
                row, ctx);
}

/* ---- epochs --------------------------------------------------------------------------------------- */

enum rc store_epoch_start(struct store *s, const char *key, uint64_t epoch,
                          const uint8_t session[32])
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s,
                "INSERT OR IGNORE INTO epoch(key,epoch,session,state)"
                " VALUES(?1,?2,?3,'STARTED')"));
    bind_text(st, 1, key);
    bind_u64(st, 2, epoch);
    bind_blob(st, 3, session, 32);
    int changed;
    TRY(run(s, st, &changed));
    return changed == 1 ? RC_OK
                        : rc_raise(RC_CONFLICT,
                                   "epoch %llu of %s was started before",
                                   (unsigned long long)epoch, key);
}

enum rc store_epoch_prepare(struct store *s, const uint8_t session[32],
                            const uint8_t *sealed, size_t len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s,
                "UPDATE epoch SET sealed=?2, state='PREPARED'"
                " WHERE session=?1 AND state='STARTED'"));
    bind_blob(st, 1, session, 32);
    bind_blob(st, 2, sealed, len);
    int changed;
    TRY(run(s, st, &changed));
    return changed == 1 ? RC_OK
                        : rc_raise(RC_ORDER, "epoch: not started, or past it");
}

enum rc store_epoch_sealed(struct store *s, const uint8_t session[32],
                           uint8_t **sealed, size_t *len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s,
                "SELECT sealed FROM epoch WHERE session=?1"
                " AND sealed IS NOT NULL"));
    bind_blob(st, 1, session, 32);
    return one_blob(s, st, sealed, len, "sealed share");
}

enum rc store_epoch_activate(struct store *s, const char *key, uint64_t epoch,
                             const uint8_t session[32], const char *birth,
                             size_t len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s,
                "INSERT INTO epoch(key,epoch,session,state,birth)"
                " VALUES(?1,?2,?3,'ACTIVE',?4)"
                " ON CONFLICT(key,epoch) DO UPDATE SET state='ACTIVE',"
                " birth=?4 WHERE session=?3"));
    bind_text(st, 1, key);
    bind_u64(st, 2, epoch);
    bind_blob(st, 3, session, 32);
    bind_blob(st, 4, birth, len);
    int changed;
    TRY(run(s, st, &changed));
    return changed == 1
                   ? RC_OK
                   : rc_raise(RC_CONFLICT,
                              "epoch %llu of %s belongs to another session",
                              (unsigned long long)epoch, key);
}

enum rc store_epochs(struct store *s, store_row *row, void *ctx)
{
    return each(s,
                "SELECT key, epoch, birth, COALESCE(sealed, x'') FROM epoch"
                " WHERE state='ACTIVE' ORDER BY key, epoch",
                row, ctx);
}

enum rc store_epoch_newest(struct store *s, const char *key, uint64_t *epoch)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s,
                "SELECT COALESCE(MAX(epoch),0) FROM epoch"
                " WHERE key=?1"));
    bind_text(st, 1, key);
    if (sqlite3_step(st) != SQLITE_ROW)
        return broken(s, "read");
    *epoch = (uint64_t)sqlite3_column_int64(st, 0);
    return RC_OK;
}

/* ---- sessions -------------------------------------------------------------------------------------- */

enum rc store_session_put(struct store *s, const uint8_t id[32],
                          const char *json, size_t len, int64_t expires)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s,
                "INSERT INTO session VALUES(?1,?2,?3)"
                " ON CONFLICT(id) DO UPDATE SET json=?2"));
    bind_blob(st, 1, id, 32);
    bind_blob(st, 2, json, len);
    sqlite3_bind_int64(st, 3, expires);
    return run(s, st, NULL);
}

enum rc store_session_get(struct store *s, const uint8_t id[32], uint8_t **json,
                          size_t *len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s, "SELECT json FROM session WHERE id=?1"));
    bind_blob(st, 1, id, 32);
    return one_blob(s, st, json, len, "session");
}

/* ---- marks -------------------------------------------------------------------------------------------- */

/* The slot's one message: set now, or the same as before. */
static enum rc mark_slot(struct store *s, struct store_mark *m)
{
    STATEMENT *st = NULL;
    TRY(prepare(&st, s,
                "INSERT INTO slot VALUES(?1,?2,?3,?4)"
                " ON CONFLICT DO NOTHING"));
    bind_blob(st, 1, m->session, 32);
    bind_text(st, 2, m->slot);
    bind_blob(st, 3, m->message, 32);
    sqlite3_bind_int64(st, 4, m->expires);
    int changed;
    TRY(run(s, st, &changed));
    if (changed)
        return RC_OK;
    STATEMENT *get = NULL;
    TRY(prepare(&get, s,
                "SELECT message FROM slot WHERE session=?1"
                " AND slot=?2"));
    bind_blob(get, 1, m->session, 32);
    bind_text(get, 2, m->slot);
    if (sqlite3_step(get) != SQLITE_ROW)
        return broken(s, "read");
    if (sqlite3_column_bytes(get, 0) != 32 ||
        memcmp(sqlite3_column_blob(get, 0), m->message, 32) != 0)
        m->rc = RC_CONFLICT;
    return RC_OK;
}

static enum rc mark_attempt(struct store *s, struct store_mark *m)
{
    STATEMENT *st = NULL;
    TRY(prepare(&st, s,
                "INSERT INTO mark VALUES(?1,?2,?3,?4)"
                " ON CONFLICT DO NOTHING"));
    bind_blob(st, 1, m->session, 32);
    bind_text(st, 2, m->slot);
    bind_u64(st, 3, m->attempt);
    bind_blob(st, 4, m->request, 32);
    int changed;
    TRY(run(s, st, &changed));
    if (changed)
        return RC_OK;
    STATEMENT *get = NULL;
    TRY(prepare(&get, s,
                "SELECT request FROM mark WHERE session=?1"
                " AND slot=?2 AND attempt=?3"));
    bind_blob(get, 1, m->session, 32);
    bind_text(get, 2, m->slot);
    bind_u64(get, 3, m->attempt);
    if (sqlite3_step(get) != SQLITE_ROW)
        return broken(s, "read");
    if (sqlite3_column_bytes(get, 0) != 32 ||
        memcmp(sqlite3_column_blob(get, 0), m->request, 32) != 0)
        m->rc = RC_CONFLICT;
    return RC_OK;
}

static enum rc mark_one(struct store *s, struct store_mark *m)
{
    m->rc = RC_OK;
    if (m->attempt == 0 || m->attempt > m->max_attempts) {
        m->rc = RC_SLOT_BURNT;
        return RC_OK;
    }
    TRY(mark_slot(s, m));
    return m->rc == RC_OK ? mark_attempt(s, m) : RC_OK;
}

enum rc store_marks(struct store *s, struct store_mark *marks, unsigned n)
{
    LOCKED(s);
    TRY(exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = RC_OK;
    for (unsigned i = 0; rc == RC_OK && i < n; i++)
        rc = mark_one(s, &marks[i]);
    if (rc == RC_OK)
        rc = exec(s, "COMMIT");
    if (rc != RC_OK)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* ---- outbox --------------------------------------------------------------------------------------------- */

enum rc store_outbox_add(struct store *s, const char *const *texts, unsigned n)
{
    LOCKED(s);
    TRY(exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = RC_OK;
    for (unsigned i = 0; rc == RC_OK && i < n; i++) {
        STATEMENT *st = NULL;
        rc = prepare(&st, s, "INSERT INTO outbox(entry) VALUES(?1)");
        if (rc != RC_OK)
            break;
        bind_text(st, 1, texts[i]);
        rc = run(s, st, NULL);
    }
    if (rc == RC_OK)
        rc = exec(s, "COMMIT");
    if (rc != RC_OK)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

enum rc store_outbox(struct store *s, unsigned max, store_row *row, void *ctx)
{
    char sql[128];
    snprintf(sql, sizeof(sql),
             "SELECT 'outbox', id, entry, x'' FROM outbox ORDER BY id"
             " LIMIT %u",
             max);
    return each(s, sql, row, ctx);
}

enum rc store_outbox_done(struct store *s, uint64_t up_to)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s, "DELETE FROM outbox WHERE id<=?1"));
    bind_u64(st, 1, up_to);
    return run(s, st, NULL);
}

/* ---- audit ------------------------------------------------------------------------------------------------ */

static void audit_hash(uint8_t out[32], const void *prev, size_t prev_len,
                       int64_t at, const char *line)
{
    char stamp[24];
    int n = snprintf(stamp, sizeof(stamp), "%lld\n", (long long)at);
    crypto_hash_sha256_state st;
    crypto_hash_sha256_init(&st);
    crypto_hash_sha256_update(&st, prev, prev_len);
    crypto_hash_sha256_update(&st, (const uint8_t *)stamp, (size_t)n);
    crypto_hash_sha256_update(&st, (const uint8_t *)line, strlen(line));
    crypto_hash_sha256_final(&st, out);
}

enum rc store_audit(struct store *s, int64_t at, const char *line)
{
    LOCKED(s);
    STATEMENT *last = NULL;
    TRY(prepare(&last, s,
                "SELECT hash, seq FROM audit ORDER BY seq DESC"
                " LIMIT 1"));
    uint8_t prev[32] = { 0 };
    sqlite3_int64 seq = 0;
    if (sqlite3_step(last) == SQLITE_ROW &&
        sqlite3_column_bytes(last, 0) == 32) {
        memcpy(prev, sqlite3_column_blob(last, 0), 32);
        seq = sqlite3_column_int64(last, 1);
    }
    uint8_t hash[32];
    audit_hash(hash, prev, 32, at, line);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s, "INSERT INTO audit VALUES(?1,?2,?3,?4)"));
    sqlite3_bind_int64(st, 1, seq + 1);
    sqlite3_bind_int64(st, 2, at);
    bind_text(st, 3, line);
    bind_blob(st, 4, hash, 32);
    return run(s, st, NULL);
}

enum rc store_audit_verify(struct store *s, uint64_t *n_lines)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(prepare(&st, s, "SELECT seq, at, line, hash FROM audit ORDER BY seq"));
    uint8_t prev[32] = { 0 };
    uint64_t n = 0;
    int step;
    while ((step = sqlite3_step(st)) == SQLITE_ROW) {
        uint8_t want[32];
        audit_hash(want, prev, 32, sqlite3_column_int64(st, 1),
                   (const char *)sqlite3_column_text(st, 2));
        n++;
        if ((uint64_t)sqlite3_column_int64(st, 0) != n ||
            sqlite3_column_bytes(st, 3) != 32 ||
            memcmp(sqlite3_column_blob(st, 3), want, 32) != 0)
            return rc_raise(RC_VERIFY, "audit: line %llu was changed",
                            (unsigned long long)n);
        memcpy(prev, want, 32);
    }
    if (step != SQLITE_DONE)
        return broken(s, "read");
    *n_lines = n;
    return RC_OK;
}

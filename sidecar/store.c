/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable state: one SQLite file, WAL, synchronous=FULL. Holds sealed blobs,
 * public documents and marks; never a secret in the clear. Any error of the
 * disk is RC_STORE: what was not said to be kept, was not.
 */
#include "sidecar/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define APPLICATION_ID 0x4d504373 /* "MPCs" */
#define SCHEMA         2          /* 2: audit */

static const char schema[] =
        "CREATE TABLE IF NOT EXISTS kv(name TEXT PRIMARY KEY, value BLOB)"
        " WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS policy(version INTEGER PRIMARY KEY,"
        " json BLOB NOT NULL);"
        "CREATE TABLE IF NOT EXISTS epoch(key TEXT NOT NULL,"
        " epoch INTEGER NOT NULL, session BLOB NOT NULL UNIQUE,"
        " state TEXT NOT NULL, sealed BLOB, birth BLOB,"
        " PRIMARY KEY(key, epoch));"
        "CREATE TABLE IF NOT EXISTS key_move(key TEXT NOT NULL,"
        " epoch INTEGER NOT NULL, session BLOB NOT NULL,"
        " state TEXT NOT NULL, sealed BLOB, vote BLOB, cert BLOB,"
        " PRIMARY KEY(key, epoch)) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS key_gone(key TEXT PRIMARY KEY,"
        " epoch INTEGER NOT NULL, word BLOB, shown BLOB) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS session(id BLOB PRIMARY KEY,"
        " json BLOB NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS session_more(id BLOB PRIMARY KEY,"
        " requester TEXT NOT NULL, created INTEGER NOT NULL,"
        " expires INTEGER NOT NULL, noes BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE INDEX IF NOT EXISTS session_requester"
        " ON session_more(requester, expires);"
        "CREATE INDEX IF NOT EXISTS session_created ON session_more(created);"
        "CREATE TABLE IF NOT EXISTS slot_end(session BLOB NOT NULL,"
        " slot TEXT NOT NULL, used INTEGER NOT NULL,"
        " expires INTEGER NOT NULL, PRIMARY KEY(session, slot))"
        " WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS slot(session BLOB NOT NULL,"
        " slot TEXT NOT NULL, message BLOB NOT NULL, expires INTEGER NOT NULL,"
        " PRIMARY KEY(session, slot)) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS mark(session BLOB NOT NULL,"
        " slot TEXT NOT NULL, attempt INTEGER NOT NULL,"
        " request BLOB NOT NULL, PRIMARY KEY(session, slot, attempt))"
        " WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS outbox(id INTEGER PRIMARY KEY"
        " AUTOINCREMENT, entry TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS intent(leaf BLOB PRIMARY KEY,"
        " job INTEGER NOT NULL, reason TEXT NOT NULL, entry TEXT NOT NULL)"
        " WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS audit(seq INTEGER PRIMARY KEY,"
        " at INTEGER NOT NULL, actor TEXT NOT NULL, method TEXT NOT NULL,"
        " attestation TEXT NOT NULL, session TEXT NOT NULL,"
        " result TEXT NOT NULL, detail TEXT NOT NULL, prev BLOB NOT NULL,"
        " hash BLOB NOT NULL);"
        "CREATE TABLE IF NOT EXISTS counter(credential BLOB PRIMARY KEY,"
        " last INTEGER NOT NULL, record BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS invite(id BLOB PRIMARY KEY,"
        " person TEXT NOT NULL, role TEXT NOT NULL, expires INTEGER NOT NULL,"
        " spare INTEGER NOT NULL, used INTEGER NOT NULL, credential BLOB)"
        " WITHOUT ROWID;";

/* ---- statements ------------------------------------------------------------------ */

enum rc store_broken(struct store *s, const char *what)
{
    enum rc rc = rc_raise(RC_STORE, "state.db: %s: %s", what,
                          sqlite3_errmsg(s->db));
    rc_hint("check the disk and its free space; nothing acknowledged is lost");
    return rc;
}

enum rc store_prepare(sqlite3_stmt **st, struct store *s, const char *sql)
{
    if (sqlite3_prepare_v2(s->db, sql, -1, st, NULL) != SQLITE_OK)
        return store_broken(s, "prepare");
    return RC_OK;
}

void store_bind_blob(sqlite3_stmt *st, int at, const void *p, size_t len)
{
    /* NULL would bind SQL NULL: an empty blob is a blob */
    sqlite3_bind_blob64(st, at, p ? p : "", len, SQLITE_STATIC);
}

void store_bind_text(sqlite3_stmt *st, int at, const char *text)
{
    sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

void store_bind_u64(sqlite3_stmt *st, int at, uint64_t v)
{
    sqlite3_bind_int64(st, at, (sqlite3_int64)v);
}

/* Runs a statement that returns no row. *changed (may be NULL): rows. */
enum rc store_run(struct store *s, sqlite3_stmt *st, int *changed)
{
    if (sqlite3_step(st) != SQLITE_DONE)
        return store_broken(s, "write");
    if (changed)
        *changed = sqlite3_changes(s->db);
    return RC_OK;
}

enum rc store_exec(struct store *s, const char *sql)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return store_broken(s, "exec");
    return RC_OK;
}

enum rc store_end(struct store *s, enum rc rc)
{
    if (rc == RC_OK)
        rc = store_exec(s, "COMMIT");
    if (rc != RC_OK)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

enum rc store_copy_blob(uint8_t **out, size_t *len, sqlite3_stmt *st, int col)
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

enum rc store_one_blob(struct store *s, sqlite3_stmt *st, uint8_t **out,
                       size_t *len, const char *what)
{
    int step = sqlite3_step(st);
    if (step == SQLITE_DONE)
        return rc_raise(RC_UNKNOWN, "%s: not in state.db", what);
    if (step != SQLITE_ROW)
        return store_broken(s, "read");
    return store_copy_blob(out, len, st, 0);
}

/* ---- life --------------------------------------------------------------------------- */

static enum rc pragma(struct store *s, const char *sql, int *value)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, sql));
    if (sqlite3_step(st) != SQLITE_ROW)
        return store_broken(s, "read");
    *value = sqlite3_column_int(st, 0);
    return RC_OK;
}

static enum rc set_up(struct store *s)
{
    TRY(store_exec(
            s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
               "PRAGMA secure_delete=ON; PRAGMA foreign_keys=ON;"
               "PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=1000;"));
    sqlite3_busy_timeout(s->db, 2000);
    int id;
    int version;
    TRY(pragma(s, "PRAGMA application_id", &id));
    TRY(pragma(s, "PRAGMA user_version", &version));
    if ((id != 0 && id != APPLICATION_ID) || version > SCHEMA) {
        enum rc rc = rc_raise(RC_STORE,
                              "state.db: of another program or a later "
                              "version (id %x, version %d)",
                              (unsigned)id, version);
        rc_hint("give the state directory of this sidecar");
        return rc;
    }
    TRY(store_exec(s, schema));
    TRY(store_pieces_open(s));
    char sql[128];
    snprintf(sql, sizeof(sql),
             "PRAGMA application_id=%d; PRAGMA user_version=%d;",
             APPLICATION_ID, SCHEMA);
    TRY(store_exec(s, sql));
    return store_audit_open(s);
}

enum rc store_open(struct store **out, const char *path)
{
    struct store *s = calloc(1, sizeof(*s));
    if (!s)
        return rc_raise(RC_NOMEM, "state.db: out of memory");
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->note_lock, NULL);
    s->noted_end = &s->noted;
    mode_t old = umask(0077);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                SQLITE_OPEN_NOMUTEX;
    int e = sqlite3_open_v2(path, &s->db, flags, NULL);
    enum rc rc = e == SQLITE_OK ? set_up(s) : store_broken(s, path);
    umask(old);
    if (rc != RC_OK) {
        store_free(s);
        return rc;
    }
    /* a crash may have come between an erasure and its checkpoint; where it
     * fails, the disk's next write says so */
    (void)sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                    NULL, NULL);
    *out = s;
    return RC_OK;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    store_audit_close(s);
    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->note_lock);
    free(s);
}

/* ---- small named values ------------------------------------------------------------------ */

enum rc store_put(struct store *s, const char *name, const void *p, size_t len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT INTO kv VALUES(?1,?2) ON CONFLICT(name)"
                      " DO UPDATE SET value=?2"));
    store_bind_text(st, 1, name);
    store_bind_blob(st, 2, p, len);
    return store_run(s, st, NULL);
}

enum rc store_get(struct store *s, const char *name, uint8_t **out, size_t *len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, "SELECT value FROM kv WHERE name=?1"));
    store_bind_text(st, 1, name);
    return store_one_blob(s, st, out, len, name);
}

enum rc store_put_once(struct store *s, const char *name, const void *p,
                       size_t len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    STATEMENT *get = NULL;
    OWNED_MEM uint8_t *have = NULL;
    size_t have_len;
    int changed;
    TRY(store_prepare(&st, s,
                      "INSERT INTO kv VALUES(?1,?2) ON CONFLICT DO NOTHING"));
    store_bind_text(st, 1, name);
    store_bind_blob(st, 2, p, len);
    TRY(store_run(s, st, &changed));
    if (changed)
        return RC_OK;
    TRY(store_prepare(&get, s, "SELECT value FROM kv WHERE name=?1"));
    store_bind_text(get, 1, name);
    TRY(store_one_blob(s, get, &have, &have_len, name));
    return have_len == len && (len == 0 || memcmp(have, p, len) == 0)
                   ? RC_OK
                   : rc_raise(RC_CONFLICT, "%s: set before, to another value",
                              name);
}

/* ---- policies -------------------------------------------------------------------------------- */

enum rc store_policy_add(struct store *s, uint64_t version, const char *json,
                         size_t len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, "INSERT OR REPLACE INTO policy VALUES(?1,?2)"));
    store_bind_u64(st, 1, version);
    store_bind_blob(st, 2, json, len);
    return store_run(s, st, NULL);
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
    TRY(store_copy_blob(&row->a, &row->a_len, st, 2));
    return store_copy_blob(&row->b, &row->b_len, st, 3);
}

static enum rc keep_rows(struct kept *k, struct store *s, const char *sql)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, sql));
    int step;
    while ((step = sqlite3_step(st)) == SQLITE_ROW)
        TRY(keep_row(k, st));
    return step == SQLITE_DONE ? RC_OK : store_broken(s, "read");
}

enum rc store_each(struct store *s, const char *sql, store_row *row, void *ctx)
{
    KEPT k = { 0 };
    TRY(keep_rows(&k, s, sql));
    for (size_t i = 0; i < k.n; i++)
        TRY(row(ctx, k.at[i].name, k.at[i].number, k.at[i].a, k.at[i].a_len,
                k.at[i].b, k.at[i].b_len));
    return RC_OK;
}

/* Prefixes are our own words: nothing to escape, and '~' sorts behind. */
enum rc store_values(struct store *s, const char *prefix, store_row *row,
                     void *ctx)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT name, 0, value, x'' FROM kv WHERE name >= '%s'"
             " AND name < '%s~' ORDER BY name",
             prefix, prefix);
    return store_each(s, sql, row, ctx);
}

enum rc store_drop(struct store *s, const char *prefix, const char *before)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, "DELETE FROM kv WHERE name>=?1 AND name<?2"));
    store_bind_text(st, 1, prefix);
    store_bind_text(st, 2, before);
    return store_run(s, st, NULL);
}

enum rc store_policies(struct store *s, store_row *row, void *ctx)
{
    return store_each(s,
                      "SELECT 'policy', version, json, x'' FROM policy"
                      " ORDER BY version",
                      row, ctx);
}

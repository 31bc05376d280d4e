/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the store: what its files share. store.c holds values and
 * policies; store_epochs.c epochs; store_sessions.c sessions; store_marks.c marks and outbox;
 * store_intents.c what went to the log and has not ended; store_audit.c who
 * did what.
 */
#ifndef SIDECAR_STORE_H
#define SIDECAR_STORE_H

#include <pthread.h>

#include <sqlite3.h>

#include "sidecar/sidecar.h"

/* An audit row in memory. */
struct store_noted {
    struct store_noted *next;
    struct wire_audit_row row;
};
struct store {
    sqlite3 *db;
    pthread_mutex_t lock;
    /* the audit chain; noted rows under note_lock, never held across I/O */
    pthread_mutex_t note_lock;
    struct store_noted *noted, **noted_end;
    unsigned n_noted;
    uint64_t n_lost;
    sqlite3_stmt *audit_insert;
    uint64_t audit_seq; /* of the newest row at rest */
    uint8_t audit_hash[32];
    uint64_t audit_at;
    void (*audited)(void *ctx, const struct wire_audit_row *row);
    void *audited_ctx;
};

static inline void store_finalize(sqlite3_stmt **st)
{
    sqlite3_finalize(*st);
}
#define STATEMENT __attribute__((cleanup(store_finalize))) sqlite3_stmt

static inline void store_unlock(struct store **s)
{
    pthread_mutex_unlock(&(*s)->lock);
}
/* Serialises this function: SQLite is opened without its own mutex. */
#define LOCKED(s)                                                              \
    pthread_mutex_lock(&(s)->lock);                                            \
    __attribute__((cleanup(store_unlock), unused)) struct store *locked_ = (s)

/* RC_STORE with SQLite's own words. */
enum rc store_broken(struct store *s, const char *what);
MUST_CHECK enum rc store_prepare(sqlite3_stmt **st, struct store *s,
                                 const char *sql);
void store_bind_blob(sqlite3_stmt *st, int at, const void *p, size_t len);
void store_bind_text(sqlite3_stmt *st, int at, const char *text);
void store_bind_u64(sqlite3_stmt *st, int at, uint64_t v);
/* Runs a statement that returns no row. *changed (may be NULL): rows. */
MUST_CHECK enum rc store_run(struct store *s, sqlite3_stmt *st, int *changed);
/* heap, with a NUL behind it */
MUST_CHECK enum rc store_copy_blob(uint8_t **out, size_t *len, sqlite3_stmt *st,
                                   int col);
/* One blob of one row; RC_UNKNOWN when there is none. */
MUST_CHECK enum rc store_one_blob(struct store *s, sqlite3_stmt *st,
                                  uint8_t **out, size_t *len, const char *what);
MUST_CHECK enum rc store_pieces_open(struct store *s);
MUST_CHECK enum rc store_exec(struct store *s, const char *sql);
/* Each row of "name, number, a, b", outside the lock. */
MUST_CHECK enum rc store_each(struct store *s, const char *sql, store_row *row,
                              void *ctx);
/* Ends the transaction that BEGIN opened: COMMIT when rc is RC_OK. */
MUST_CHECK enum rc store_end(struct store *s, enum rc rc);
/* What was deleted is gone from the write-ahead log as well. LOCKED. */
MUST_CHECK enum rc store_checkpoint(struct store *s);

/*
 * store_audit.c: rows that ride in somebody's transaction. Zeroed; begin
 * after BEGIN, end after store_end() with its result, both LOCKED; tell when
 * that is over.
 */
struct store_audit {
    struct store_noted *first, **end; /* were noted */
    struct store_noted *own, **own_end;
    unsigned n;
    uint64_t lost;
    uint64_t seq;
    uint8_t hash[32];
    bool failed;
};
MUST_CHECK enum rc store_audit_begin(struct store_audit *a, struct store *s);
MUST_CHECK enum rc store_audit_put(struct store_audit *a, struct store *s,
                                   const struct wire_audit_row *row);
void store_audit_end(struct store_audit *a, struct store *s, enum rc rc);
void store_audit_tell(struct store_audit *a, struct store *s);
MUST_CHECK enum rc store_audit_open(struct store *s);
void store_audit_close(struct store *s);

#endif

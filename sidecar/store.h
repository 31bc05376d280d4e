/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the store: what its files share. store.c holds values, policies,
 * and epochs; store_sessions.c sessions; store_marks.c marks and outbox;
 * store_intents.c what went to the log and has not ended.
 */
#ifndef SIDECAR_STORE_H
#define SIDECAR_STORE_H

#include <pthread.h>

#include <sqlite3.h>

#include "sidecar/sidecar.h"

struct store {
    sqlite3 *db;
    pthread_mutex_t lock;
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
MUST_CHECK enum rc store_exec(struct store *s, const char *sql);
/* Each row of "name, number, a, b", outside the lock. */
MUST_CHECK enum rc store_each(struct store *s, const char *sql, store_row *row,
                              void *ctx);
/* Ends the transaction that BEGIN opened: COMMIT when rc is RC_OK. */
MUST_CHECK enum rc store_end(struct store *s, enum rc rc);

#endif

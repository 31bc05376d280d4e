/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Epochs at rest: births (table epoch), and the moves after them (key_move).
 * A number is burnt before any randomness is drawn for it, and is never used
 * again; a share is here before anybody hears of it; what certifies an epoch
 * is here before its share signs; older shares go only when the newer epoch
 * is acknowledged by all.
 */
#include "sidecar/store.h"

#include <string.h>

/* ---- births ------------------------------------------------------------------- */

enum rc store_epoch_start(struct store *s, const char *key, uint64_t epoch,
                          const uint8_t session[32])
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT OR IGNORE INTO epoch(key,epoch,session,state)"
                      " SELECT ?1,?2,?3,'STARTED' WHERE NOT EXISTS(SELECT 1"
                      " FROM key_move WHERE key=?1 AND epoch=?2)"));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    store_bind_blob(st, 3, session, 32);
    int changed;
    TRY(store_run(s, st, &changed));
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
    TRY(store_prepare(&st, s,
                      "UPDATE epoch SET sealed=?2, state='PREPARED'"
                      " WHERE session=?1 AND state='STARTED'"));
    store_bind_blob(st, 1, session, 32);
    store_bind_blob(st, 2, sealed, len);
    int changed;
    TRY(store_run(s, st, &changed));
    return changed == 1 ? RC_OK
                        : rc_raise(RC_ORDER, "epoch: not started, or past it");
}

enum rc store_epoch_sealed(struct store *s, const uint8_t session[32],
                           uint8_t **sealed, size_t *len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT sealed FROM epoch WHERE session=?1"
                      " AND sealed IS NOT NULL"));
    store_bind_blob(st, 1, session, 32);
    return store_one_blob(s, st, sealed, len, "sealed share");
}

static enum rc activate(struct store *s, const char *key, uint64_t epoch,
                        const uint8_t session[32], const char *birth,
                        size_t len)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT INTO epoch(key,epoch,session,state,birth)"
                      " VALUES(?1,?2,?3,'ACTIVE',?4)"
                      " ON CONFLICT(key,epoch) DO UPDATE SET state='ACTIVE',"
                      " birth=?4 WHERE session=?3"));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    store_bind_blob(st, 3, session, 32);
    store_bind_blob(st, 4, birth, len);
    int changed;
    TRY(store_run(s, st, &changed));
    return changed == 1
                   ? RC_OK
                   : rc_raise(RC_CONFLICT,
                              "epoch %llu of %s belongs to another session",
                              (unsigned long long)epoch, key);
}

/* A name has one birth: shares of attempts at it that were given up. */
static enum rc erase_given_up(struct store *s, const char *key, uint64_t epoch,
                              int *erased)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "UPDATE epoch SET sealed=NULL, state='ABORTED' WHERE"
                      " key=?1 AND epoch<>?2 AND birth IS NULL AND sealed IS"
                      " NOT NULL"));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    return store_run(s, st, erased);
}

enum rc store_epoch_activate(struct store *s, const char *key, uint64_t epoch,
                             const uint8_t session[32], const char *birth,
                             size_t len)
{
    LOCKED(s);
    int erased = 0;
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = activate(s, key, epoch, session, birth, len);
    if (rc == RC_OK)
        rc = erase_given_up(s, key, epoch, &erased);
    TRY(store_end(s, rc));
    return erased ? store_checkpoint(s) : RC_OK;
}

enum rc store_epochs(struct store *s, store_row *row, void *ctx)
{
    return store_each(
            s,
            "SELECT key, epoch, birth, CASE WHEN EXISTS(SELECT 1 FROM"
            " key_move m WHERE m.key=epoch.key AND m.epoch>epoch.epoch AND"
            " m.state='CERTIFIED') THEN x'' ELSE COALESCE(sealed, x'') END"
            " FROM epoch WHERE state='ACTIVE' ORDER BY key, epoch",
            row, ctx);
}

enum rc store_epoch_newest(struct store *s, const char *key, uint64_t *epoch)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT COALESCE(MAX(epoch),0) FROM (SELECT epoch FROM"
                      " epoch WHERE key=?1 UNION ALL SELECT epoch FROM"
                      " key_move WHERE key=?1)"));
    store_bind_text(st, 1, key);
    if (sqlite3_step(st) != SQLITE_ROW)
        return store_broken(s, "read");
    *epoch = (uint64_t)sqlite3_column_int64(st, 0);
    return RC_OK;
}

/* ---- moves -------------------------------------------------------------------- */

/* One statement over (key, epoch, session?, blob?) that must change a row. */
static enum rc must_change(struct store *s, sqlite3_stmt *st, enum rc rc,
                           const char *key, uint64_t epoch, const char *why)
{
    int changed;
    TRY(store_run(s, st, &changed));
    if (changed == 1)
        return RC_OK;
    return rc_raise(rc, "epoch %llu of %s: %s", (unsigned long long)epoch, key,
                    why);
}

enum rc store_move_start(struct store *s, const char *key, uint64_t epoch,
                         const uint8_t session[32])
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT OR IGNORE INTO key_move(key,epoch,session,state)"
                      " SELECT ?1,?2,?3,'STARTED' WHERE NOT EXISTS(SELECT 1"
                      " FROM epoch WHERE key=?1 AND epoch>=?2) AND NOT"
                      " EXISTS(SELECT 1 FROM key_move WHERE key=?1 AND"
                      " epoch>=?2)"));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    store_bind_blob(st, 3, session, 32);
    return must_change(s, st, RC_CONFLICT, key, epoch,
                       "it or a later number was used before");
}

enum rc store_move_prepare(struct store *s, const char *key, uint64_t epoch,
                           const uint8_t *sealed, size_t len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "UPDATE key_move SET sealed=?3, state='PREPARED'"
                      " WHERE key=?1 AND epoch=?2 AND state='STARTED'"));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    store_bind_blob(st, 3, sealed, len);
    return must_change(s, st, RC_ORDER, key, epoch, "not started, or past it");
}

enum rc store_move_sealed(struct store *s, const char *key, uint64_t epoch,
                          uint8_t **sealed, size_t *len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT sealed FROM key_move WHERE key=?1 AND epoch=?2"
                      " AND sealed IS NOT NULL"));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    return store_one_blob(s, st, sealed, len, "sealed share");
}

enum rc store_move_vote(struct store *s, const char *key, uint64_t epoch,
                        const char *json, size_t len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "UPDATE key_move SET vote=?3 WHERE key=?1 AND epoch=?2"
                      " AND state='PREPARED'"));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    store_bind_blob(st, 3, json, len);
    return must_change(s, st, RC_ORDER, key, epoch, "not prepared");
}

enum rc store_move_voted(struct store *s, const char *key,
                         const uint8_t session[32], uint8_t **json, size_t *len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT vote FROM key_move WHERE key=?1 AND session=?2"
                      " AND state='PREPARED' AND vote IS NOT NULL"
                      " ORDER BY epoch DESC LIMIT 1"));
    store_bind_text(st, 1, key);
    store_bind_blob(st, 2, session, 32);
    return store_one_blob(s, st, json, len, "vote");
}

enum rc store_move_made(struct store *s, const uint8_t session[32],
                        uint64_t *epoch)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT COALESCE(MAX(epoch),0) FROM key_move WHERE"
                      " session=?1 AND cert IS NOT NULL"));
    store_bind_blob(st, 1, session, 32);
    if (sqlite3_step(st) != SQLITE_ROW)
        return store_broken(s, "read");
    *epoch = (uint64_t)sqlite3_column_int64(st, 0);
    return RC_OK;
}

enum rc store_move_certify(struct store *s, const char *key, uint64_t epoch,
                           const uint8_t session[32], const char *json,
                           size_t len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT INTO key_move(key,epoch,session,state,cert)"
                      " VALUES(?1,?2,?3,'CERTIFIED',?4)"
                      " ON CONFLICT(key,epoch) DO UPDATE SET cert=?4,"
                      " state='CERTIFIED', session=?3, sealed=CASE WHEN"
                      " session=?3 THEN sealed END, vote=CASE WHEN session=?3"
                      " THEN vote END WHERE session=?3 OR cert IS NULL"));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    store_bind_blob(st, 3, session, 32);
    store_bind_blob(st, 4, json, len);
    return must_change(s, st, RC_CONFLICT, key, epoch,
                       "belongs to another session");
}

enum rc store_moves(struct store *s, store_row *row, void *ctx)
{
    return store_each(s,
                      "SELECT key, epoch, cert, COALESCE(sealed, x'')"
                      " FROM key_move a WHERE state='CERTIFIED' AND epoch="
                      "(SELECT MAX(epoch) FROM key_move b WHERE b.key=a.key"
                      " AND b.state='CERTIFIED') ORDER BY key",
                      row, ctx);
}

static enum rc old_from(struct store *s, const char *sql, const char *key,
                        uint64_t epoch, uint8_t **json, size_t *len)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, sql));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    return store_one_blob(s, st, json, len, "older share");
}

enum rc store_move_old(struct store *s, const char *key, uint64_t epoch,
                       uint8_t **json, size_t *len)
{
    LOCKED(s);
    enum rc rc = old_from(s,
                          "SELECT COALESCE(cert, x'') FROM key_move WHERE"
                          " key=?1 AND epoch<?2 AND sealed IS NOT NULL"
                          " ORDER BY cert IS NULL, epoch DESC LIMIT 1",
                          key, epoch, json, len);
    if (rc != RC_UNKNOWN)
        return rc;
    return old_from(s,
                    "SELECT COALESCE(birth, x'') FROM epoch WHERE key=?1 AND"
                    " epoch<?2 AND sealed IS NOT NULL ORDER BY birth IS NULL,"
                    " epoch DESC LIMIT 1",
                    key, epoch, json, len);
}

enum rc store_move_prepared(struct store *s, const char *key, uint64_t above,
                            uint64_t *epoch)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT COALESCE(MAX(epoch),0) FROM key_move WHERE"
                      " key=?1 AND epoch>?2 AND state='PREPARED'"));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, above);
    if (sqlite3_step(st) != SQLITE_ROW)
        return store_broken(s, "read");
    *epoch = (uint64_t)sqlite3_column_int64(st, 0);
    return RC_OK;
}

enum rc store_move_signed(struct store *s, const char *key, uint64_t epoch,
                          bool *yes)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT EXISTS(SELECT 1 FROM key_move WHERE key=?1 AND"
                      " epoch<?2 AND sealed IS NOT NULL AND cert IS NOT NULL)"
                      " OR EXISTS(SELECT 1 FROM epoch WHERE key=?1 AND"
                      " epoch<?2 AND sealed IS NOT NULL AND birth IS NOT"
                      " NULL)"));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    if (sqlite3_step(st) != SQLITE_ROW)
        return store_broken(s, "read");
    *yes = sqlite3_column_int64(st, 0) != 0;
    return RC_OK;
}

static enum rc erase_before(struct store *s, const char *sql, const char *key,
                            uint64_t epoch)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, sql));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    return store_run(s, st, NULL);
}

/* secure_delete zeroes the pages; the log of writes must not keep them. */
enum rc store_checkpoint(struct store *s)
{
    int e = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                      NULL, NULL);
    return e == SQLITE_OK || e == SQLITE_BUSY ? RC_OK
                                              : store_broken(s, "checkpoint");
}

static enum rc erase_all_before(struct store *s, const char *key,
                                uint64_t epoch)
{
    TRY(erase_before(
            s,
            "UPDATE key_move SET sealed=NULL, vote=NULL, state=CASE WHEN cert"
            " IS NULL THEN 'ABORTED' ELSE 'RETIRED' END"
            " WHERE key=?1 AND epoch<?2",
            key, epoch));
    TRY(erase_before(s,
                     "UPDATE epoch SET sealed=NULL"
                     " WHERE key=?1 AND epoch<?2",
                     key, epoch));
    return erase_before(s, "DELETE FROM piece WHERE key=?1 AND epoch<?2", key,
                        epoch);
}

enum rc store_move_retire(struct store *s, const char *key, uint64_t epoch)
{
    LOCKED(s);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    TRY(store_end(s, erase_all_before(s, key, epoch)));
    return store_checkpoint(s);
}

/* ---- keys that are destroyed ------------------------------------------------------ */

static enum rc put_gone(struct store *s, const char *key, uint64_t epoch,
                        const uint8_t *word, const char *json, size_t len)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT INTO key_gone VALUES(?1,?2,?3,?4)"
                      " ON CONFLICT(key) DO UPDATE SET"
                      " word=COALESCE(word,?3), shown=COALESCE(shown,?4)"));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    if (word)
        store_bind_blob(st, 3, word, 64);
    if (json)
        store_bind_blob(st, 4, json, len);
    return store_run(s, st, NULL);
}

enum rc store_gone_put(struct store *s, const char *key, uint64_t epoch,
                       const uint8_t *word, const char *json, size_t len)
{
    LOCKED(s);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = put_gone(s, key, epoch, word, json, len);
    if (rc == RC_OK)
        rc = erase_before(s,
                          "UPDATE key_move SET sealed=NULL, vote=NULL"
                          " WHERE key=?1 AND epoch<?2",
                          key, INT64_MAX);
    if (rc == RC_OK)
        rc = erase_before(s,
                          "UPDATE epoch SET sealed=NULL"
                          " WHERE key=?1 AND epoch<?2",
                          key, INT64_MAX);
    /* not before all gave their word: who has not must unseal for it */
    if (rc == RC_OK && json)
        rc = erase_before(s, "DELETE FROM piece WHERE key=?1 AND epoch<?2", key,
                          INT64_MAX);
    TRY(store_end(s, rc));
    return store_checkpoint(s);
}

enum rc store_gone(struct store *s, store_row *row, void *ctx)
{
    return store_each(s,
                      "SELECT key, epoch, COALESCE(shown, x''),"
                      " COALESCE(word, x'') FROM key_gone ORDER BY key",
                      row, ctx);
}

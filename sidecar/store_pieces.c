/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Others' pieces at rest, sealed: one row for each run and owner. A run is a
 * session with the number it was tried under; its key's name is that which it
 * was started under here, by birth (table epoch) or by move (key_move).
 */
#include "sidecar/store.h"

#include <stdio.h>
#include <string.h>

enum rc store_pieces_open(struct store *s)
{
    return store_exec(s,
                      "CREATE TABLE IF NOT EXISTS piece("
                      "session BLOB NOT NULL, epoch INTEGER NOT NULL,"
                      " owner INTEGER NOT NULL, key TEXT NOT NULL,"
                      " sealed BLOB NOT NULL,"
                      " PRIMARY KEY(session, epoch, owner)) WITHOUT ROWID;"
                      "CREATE TEMP VIEW run AS SELECT key, epoch, session,"
                      " state, sealed FROM epoch UNION ALL SELECT key, epoch,"
                      " session, state, sealed FROM key_move");
}

enum rc store_piece_started(struct store *s, const uint8_t session[32],
                            uint64_t epoch)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT 1 FROM run WHERE session=?1 AND epoch=?2"
                      " AND state='STARTED'"));
    store_bind_blob(st, 1, session, 32);
    store_bind_u64(st, 2, epoch);
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW)
        return RC_OK;
    return step == SQLITE_DONE
                   ? rc_raise(RC_UNKNOWN, "pieces: no such epoch is being made")
                   : store_broken(s, "read");
}

enum rc store_piece_put(struct store *s, const uint8_t session[32],
                        uint64_t epoch, uint16_t owner, const uint8_t *sealed,
                        size_t len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT OR IGNORE INTO piece SELECT session, epoch, ?3,"
                      " key, ?4 FROM run WHERE session=?1 AND epoch=?2"
                      " AND state='STARTED'"));
    store_bind_blob(st, 1, session, 32);
    store_bind_u64(st, 2, epoch);
    store_bind_u64(st, 3, owner);
    store_bind_blob(st, 4, sealed, len);
    return store_run(s, st, NULL);
}

enum rc store_piece_get(struct store *s, const uint8_t session[32],
                        uint64_t epoch, uint16_t owner,
                        char name[POLICY_NAME_MAX], uint8_t **sealed,
                        size_t *len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT sealed, key FROM piece"
                      " WHERE session=?1 AND epoch=?2 AND owner=?3"));
    store_bind_blob(st, 1, session, 32);
    store_bind_u64(st, 2, epoch);
    store_bind_u64(st, 3, owner);
    enum rc rc = store_one_blob(s, st, sealed, len, "piece of that node");
    if (rc == RC_OK && name)
        snprintf(name, POLICY_NAME_MAX, "%s",
                 (const char *)sqlite3_column_text(st, 1));
    return rc;
}

enum rc store_pieces_drop(struct store *s, const char *key, uint64_t epoch)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, "DELETE FROM piece WHERE key=?1 AND epoch<=?2"));
    store_bind_text(st, 1, key);
    store_bind_u64(st, 2, epoch);
    TRY(store_run(s, st, NULL));
    return store_checkpoint(s);
}

enum rc store_pieces_prepared(struct store *s, store_row *row, void *ctx)
{
    return store_each(s,
                      "SELECT key, epoch, session, sealed FROM run"
                      " WHERE state='PREPARED' AND sealed IS NOT NULL"
                      " ORDER BY key, epoch",
                      row, ctx);
}

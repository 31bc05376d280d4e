/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions at rest: the descriptor with its records, those records alone that
 * take something back, and what became of its slots. Public data.
 */
#include "sidecar/store.h"

#include <stdio.h>
#include <string.h>

/* ---- keeping ---------------------------------------------------------------- */

static enum rc put_json(struct store *s, const uint8_t id[32], const char *json,
                        size_t len, int64_t expires)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT INTO session VALUES(?1,?2,?3)"
                      " ON CONFLICT(id) DO UPDATE SET json=?2"));
    store_bind_blob(st, 1, id, 32);
    store_bind_blob(st, 2, json, len);
    sqlite3_bind_int64(st, 3, expires);
    return store_run(s, st, NULL);
}

enum rc store_session_beside(struct store *s, const uint8_t at[32],
                             const char *json, size_t len, int64_t expires)
{
    LOCKED(s);
    return put_json(s, at, json, len, expires);
}

static enum rc put_more(struct store *s, const struct store_session *in)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT INTO session_more VALUES(?1,?2,?3,?4,?5)"
                      " ON CONFLICT(id) DO UPDATE SET noes=?5"));
    store_bind_blob(st, 1, in->id, 32);
    store_bind_text(st, 2, in->requester);
    sqlite3_bind_int64(st, 3, in->created);
    sqlite3_bind_int64(st, 4, in->expires);
    store_bind_blob(st, 5, in->noes, in->noes_len);
    return store_run(s, st, NULL);
}

static enum rc put_counter(struct store *s, const struct store_counter *c)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT INTO counter VALUES(?1,?2,?3)"
                      " ON CONFLICT(credential) DO UPDATE SET last=?2,"
                      " record=?3 WHERE last<?2"));
    store_bind_blob(st, 1, c->credential, 32);
    store_bind_u64(st, 2, c->value);
    store_bind_blob(st, 3, c->record, 32);
    return store_run(s, st, NULL);
}

enum rc store_session_put(struct store *s, const struct store_session *in)
{
    LOCKED(s);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = put_json(s, in->id, in->json, in->json_len, in->expires);
    if (rc == RC_OK)
        rc = put_more(s, in);
    for (unsigned i = 0; rc == RC_OK && i < in->n_counters; i++)
        rc = put_counter(s, &in->counter[i]);
    return store_end(s, rc);
}

/* ---- reading ---------------------------------------------------------------- */

enum rc store_session_get(struct store *s, const uint8_t id[32], uint8_t **json,
                          size_t *len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, "SELECT json FROM session WHERE id=?1"));
    store_bind_blob(st, 1, id, 32);
    return store_one_blob(s, st, json, len, "session");
}

enum rc store_session_noes(struct store *s, const uint8_t id[32],
                           uint8_t **json, size_t *len)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT noes FROM session_more WHERE id=?1"
                      " AND length(noes)>0"));
    store_bind_blob(st, 1, id, 32);
    int step = sqlite3_step(st);
    *json = NULL;
    *len = 0;
    if (step == SQLITE_DONE)
        return RC_OK;
    if (step != SQLITE_ROW)
        return store_broken(s, "read");
    return store_copy_blob(json, len, st, 0);
}

enum rc store_counter_get(struct store *s, const uint8_t credential[32],
                          struct store_counter *out)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    struct store_counter found = { 0 };
    memcpy(found.credential, credential, 32);
    TRY(store_prepare(&st, s,
                      "SELECT last, record FROM counter WHERE credential=?1"));
    store_bind_blob(st, 1, credential, 32);
    int step = sqlite3_step(st);
    if (step != SQLITE_DONE) {
        if (step != SQLITE_ROW || sqlite3_column_bytes(st, 1) != 32)
            return store_broken(s, "read");
        found.value = (uint32_t)sqlite3_column_int64(st, 0);
        memcpy(found.record, sqlite3_column_blob(st, 1), 32);
    }
    *out = found;
    return RC_OK;
}

enum rc store_session_any_noes(struct store *s, bool *any)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT EXISTS(SELECT 1 FROM session_more"
                      " WHERE length(noes)>0)"));
    if (sqlite3_step(st) != SQLITE_ROW)
        return store_broken(s, "read");
    *any = sqlite3_column_int(st, 0) != 0;
    return RC_OK;
}

enum rc store_sessions_of(struct store *s, const char *requester, int64_t now_s,
                          unsigned *live, unsigned *all)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT count(*), COALESCE(sum(expires>?2 AND NOT EXISTS"
                      "(SELECT 1 FROM slot_end e WHERE e.session=m.id"
                      " AND e.used=1)),0)"
                      " FROM session_more m WHERE requester=?1"));
    store_bind_text(st, 1, requester);
    sqlite3_bind_int64(st, 2, now_s);
    if (sqlite3_step(st) != SQLITE_ROW)
        return store_broken(s, "read");
    *all = (unsigned)sqlite3_column_int(st, 0);
    *live = (unsigned)sqlite3_column_int(st, 1);
    return RC_OK;
}

enum rc store_sessions(struct store *s, int64_t after_s, unsigned max,
                       store_row *row, void *ctx)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT 'session', m.expires, s.id, s.json"
             " FROM session_more m JOIN session s ON s.id=m.id"
             " WHERE m.expires>%lld ORDER BY m.created DESC, m.id LIMIT %u",
             (long long)after_s, max);
    return store_each(s, sql, row, ctx);
}

/* ---- slots ------------------------------------------------------------------ */

/* message and attempts, where the slot is marked. */
static enum rc read_marks(struct store *s, const uint8_t session[32],
                          const char *slot, struct store_slot *out)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT message, (SELECT COALESCE(max(attempt),0) FROM"
                      " mark WHERE session=?1 AND slot=?2) FROM slot"
                      " WHERE session=?1 AND slot=?2"));
    store_bind_blob(st, 1, session, 32);
    store_bind_text(st, 2, slot);
    int step = sqlite3_step(st);
    if (step == SQLITE_DONE)
        return RC_OK;
    if (step != SQLITE_ROW || sqlite3_column_bytes(st, 0) != 32)
        return store_broken(s, "read");
    out->marked = true;
    memcpy(out->message, sqlite3_column_blob(st, 0), 32);
    out->attempts = (uint64_t)sqlite3_column_int64(st, 1);
    return RC_OK;
}

static enum rc read_end(struct store *s, const uint8_t session[32],
                        const char *slot, struct store_slot *out)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT used FROM slot_end WHERE session=?1"
                      " AND slot=?2"));
    store_bind_blob(st, 1, session, 32);
    store_bind_text(st, 2, slot);
    int step = sqlite3_step(st);
    if (step == SQLITE_DONE)
        return RC_OK;
    if (step != SQLITE_ROW)
        return store_broken(s, "read");
    out->used = sqlite3_column_int(st, 0) != 0;
    out->burnt = !out->used;
    return RC_OK;
}

enum rc store_slot_get(struct store *s, const uint8_t session[32],
                       const char *slot, struct store_slot *out)
{
    struct store_slot found = { 0 };
    LOCKED(s);
    TRY(read_marks(s, session, slot, &found));
    TRY(read_end(s, session, slot, &found));
    *out = found;
    return RC_OK;
}

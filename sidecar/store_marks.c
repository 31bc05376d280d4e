/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks and the outbox. A mark is what makes a slot good for
 * one message only: durable before the vault computes. Public data.
 */
#include "sidecar/store.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

/* ---- marks -------------------------------------------------------------------------------------------- */

/* What stands there already must be these 32 bytes. */
static enum rc same_as(struct store_mark *m, struct store *s, sqlite3_stmt *get,
                       const uint8_t want[32])
{
    if (sqlite3_step(get) != SQLITE_ROW)
        return store_broken(s, "read");
    if (sqlite3_column_bytes(get, 0) != 32 ||
        memcmp(sqlite3_column_blob(get, 0), want, 32) != 0)
        m->rc = RC_CONFLICT;
    if (m->rc != RC_OK)
        m->why = "slot: this attempt is taken by another request";
    return RC_OK;
}

/* The slot's one message: set now, or the same as before. */
static enum rc mark_slot(struct store *s, struct store_mark *m)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT INTO slot VALUES(?1,?2,?3,?4)"
                      " ON CONFLICT DO NOTHING"));
    store_bind_blob(st, 1, m->session, 32);
    store_bind_text(st, 2, m->slot);
    store_bind_blob(st, 3, m->message, 32);
    sqlite3_bind_int64(st, 4, m->expires);
    int changed;
    TRY(store_run(s, st, &changed));
    if (changed)
        return RC_OK;
    STATEMENT *get = NULL;
    TRY(store_prepare(&get, s,
                      "SELECT message FROM slot WHERE session=?1"
                      " AND slot=?2"));
    store_bind_blob(get, 1, m->session, 32);
    store_bind_text(get, 2, m->slot);
    TRY(same_as(m, s, get, m->message));
    m->other_message = m->rc == RC_CONFLICT;
    if (m->other_message)
        m->why = "slot: taken by another message, it is good for one";
    return RC_OK;
}

static enum rc mark_attempt(struct store *s, struct store_mark *m)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT INTO mark VALUES(?1,?2,?3,?4)"
                      " ON CONFLICT DO NOTHING"));
    store_bind_blob(st, 1, m->session, 32);
    store_bind_text(st, 2, m->slot);
    store_bind_u64(st, 3, m->attempt);
    store_bind_blob(st, 4, m->request, 32);
    int changed;
    TRY(store_run(s, st, &changed));
    if (changed)
        return RC_OK;
    STATEMENT *get = NULL;
    TRY(store_prepare(&get, s,
                      "SELECT request FROM mark WHERE session=?1"
                      " AND slot=?2 AND attempt=?3"));
    store_bind_blob(get, 1, m->session, 32);
    store_bind_text(get, 2, m->slot);
    store_bind_u64(get, 3, m->attempt);
    return same_as(m, s, get, m->request);
}

static enum rc mark_one(struct store *s, struct store_mark *m)
{
    m->rc = RC_OK;
    m->other_message = false;
    if (m->attempt == 0 || m->attempt > m->max_attempts) {
        m->rc = RC_SLOT_BURNT;
        m->why = "slot: no attempts left";
        return RC_OK;
    }
    TRY(mark_slot(s, m));
    return m->rc == RC_OK ? mark_attempt(s, m) : RC_OK;
}

/* What is said of a mark is durable with it, or the mark is not made. */
static enum rc audit_one(struct store_audit *a, struct store *s,
                         const struct store_mark *m)
{
    if (!m->row)
        return RC_OK;
    struct wire_audit_row row = *m->row;
    snprintf(row.result, sizeof(row.result), "%s",
             rc_slug(m->other_message ? RC_SLOT_BURNT : m->rc));
    if (m->rc != RC_OK)
        snprintf(row.detail, sizeof(row.detail), "%s", m->why);
    return store_audit_put(a, s, &row);
}

static enum rc mark_all(struct store_audit *a, struct store *s,
                        struct store_mark *marks, unsigned n)
{
    LOCKED(s);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = store_audit_begin(a, s);
    for (unsigned i = 0; rc == RC_OK && i < n; i++) {
        rc = mark_one(s, &marks[i]);
        if (rc == RC_OK)
            rc = audit_one(a, s, &marks[i]);
    }
    rc = store_end(s, rc);
    store_audit_end(a, s, rc);
    return rc;
}

enum rc store_marks(struct store *s, struct store_mark *marks, unsigned n)
{
    struct store_audit a = { 0 };
    enum rc rc = mark_all(&a, s, marks, n);
    store_audit_tell(&a, s);
    return rc;
}

enum rc store_expire(struct store *s, int64_t before)
{
    static const char *const sql[] = {
        "DELETE FROM mark WHERE (session, slot) IN"
        " (SELECT session, slot FROM slot WHERE expires < ?1)",
        "DELETE FROM slot WHERE expires < ?1",
        "DELETE FROM slot_end WHERE expires < ?1",
        "DELETE FROM session WHERE expires < ?1",
        "DELETE FROM session_more WHERE expires < ?1",
    };
    LOCKED(s);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < sizeof(sql) / sizeof(*sql); i++) {
        STATEMENT *st = NULL;
        rc = store_prepare(&st, s, sql[i]);
        if (rc != RC_OK)
            break;
        sqlite3_bind_int64(st, 1, before);
        rc = store_run(s, st, NULL);
    }
    return store_end(s, rc);
}

/* ---- outbox --------------------------------------------------------------------------------------------- */

enum rc store_outbox_add(struct store *s, const char *const *texts, unsigned n)
{
    LOCKED(s);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = RC_OK;
    for (unsigned i = 0; rc == RC_OK && i < n; i++) {
        STATEMENT *st = NULL;
        rc = store_prepare(&st, s, "INSERT INTO outbox(entry) VALUES(?1)");
        if (rc != RC_OK)
            break;
        store_bind_text(st, 1, texts[i]);
        rc = store_run(s, st, NULL);
    }
    return store_end(s, rc);
}

enum rc store_outbox(struct store *s, unsigned max, store_row *row, void *ctx)
{
    char sql[128];
    snprintf(sql, sizeof(sql),
             "SELECT 'outbox', id, entry, x'' FROM outbox ORDER BY id"
             " LIMIT %u",
             max);
    return store_each(s, sql, row, ctx);
}

enum rc store_outbox_done(struct store *s, uint64_t up_to)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, "DELETE FROM outbox WHERE id<=?1"));
    store_bind_u64(st, 1, up_to);
    return store_run(s, st, NULL);
}

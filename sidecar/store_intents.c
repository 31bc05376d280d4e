/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intents that went to the log and whose end is not known yet. Each belongs to
 * a job of this life; once its job has ended without a signature it is an
 * orphan, and leaves with the abort entry that names it. Public data.
 */
#include "sidecar/store.h"

#include <stdio.h>

static enum rc add_one(struct store *s, const struct store_intent *in)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT INTO intent VALUES(?1,?2,'',?3)"
                      " ON CONFLICT DO UPDATE SET job=?2"));
    store_bind_blob(st, 1, in->leaf, 32);
    store_bind_u64(st, 2, in->job);
    store_bind_text(st, 3, in->entry);
    return store_run(s, st, NULL);
}

enum rc store_intents_add(struct store *s, const struct store_intent *in,
                          unsigned n)
{
    LOCKED(s);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = RC_OK;
    for (unsigned i = 0; rc == RC_OK && i < n; i++)
        rc = add_one(s, &in[i]);
    return store_end(s, rc);
}

enum rc store_intents_orphan(struct store *s, const char *reason, bool *any)
{
    LOCKED(s);
    STATEMENT *st = NULL;
    STATEMENT *get = NULL;
    TRY(store_prepare(&st, s,
                      "UPDATE intent SET job=0, reason=?1 WHERE job<>0"));
    store_bind_text(st, 1, reason);
    TRY(store_run(s, st, NULL));
    TRY(store_prepare(&get, s, "SELECT EXISTS(SELECT 1 FROM intent)"));
    if (sqlite3_step(get) != SQLITE_ROW)
        return store_broken(s, "read");
    *any = sqlite3_column_int(get, 0) != 0;
    return RC_OK;
}

enum rc store_intents_orphans(struct store *s, unsigned max, store_row *row,
                              void *ctx)
{
    char sql[160];
    snprintf(sql, sizeof(sql),
             "SELECT reason, 0, entry, leaf FROM intent WHERE job=0"
             " ORDER BY leaf LIMIT %u",
             max);
    return store_each(s, sql, row, ctx);
}

/* ---- what ends ------------------------------------------------------------- */

/* Used is for good; burnt can still become it. */
static enum rc end_slot(struct store *s, const struct store_end *e)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT INTO slot_end VALUES(?1,?2,?3,?4)"
                      " ON CONFLICT DO UPDATE SET used=max(used,?3)"));
    store_bind_blob(st, 1, e->session, 32);
    store_bind_text(st, 2, e->slot);
    store_bind_u64(st, 3, e->reason == NULL);
    sqlite3_bind_int64(st, 4, e->expires);
    return store_run(s, st, NULL);
}

static enum rc end_one(struct store *s, const struct store_end *e)
{
    if (e->slot_ended)
        TRY(end_slot(s, e));
    if (e->job == 0)
        return RC_OK;
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      e->reason ? "UPDATE intent SET job=0, reason=?2"
                                  " WHERE job=?1"
                                : "DELETE FROM intent WHERE job=?1"));
    store_bind_u64(st, 1, e->job);
    if (e->reason)
        store_bind_text(st, 2, e->reason);
    return store_run(s, st, NULL);
}

static enum rc owe_one(struct store *s, const char *text)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, "INSERT INTO outbox(entry) VALUES(?1)"));
    store_bind_text(st, 1, text);
    return store_run(s, st, NULL);
}

static enum rc settle(struct store_audit *a, struct store *s,
                      const char *const *texts, unsigned n_texts,
                      const struct store_end *ends, unsigned n_ends)
{
    LOCKED(s);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = store_audit_begin(a, s);
    for (unsigned i = 0; rc == RC_OK && i < n_texts; i++)
        rc = owe_one(s, texts[i]);
    for (unsigned i = 0; rc == RC_OK && i < n_ends; i++)
        rc = end_one(s, &ends[i]);
    rc = store_end(s, rc);
    store_audit_end(a, s, rc);
    return rc;
}

enum rc store_settle(struct store *s, const char *const *texts,
                     unsigned n_texts, const struct store_end *ends,
                     unsigned n_ends)
{
    struct store_audit a = { 0 };
    enum rc rc = settle(&a, s, texts, n_texts, ends, n_ends);
    store_audit_tell(&a, s);
    return rc;
}

static enum rc drop_one(struct store *s, const uint8_t leaf[32])
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s, "DELETE FROM intent WHERE leaf=?1 AND job=0"));
    store_bind_blob(st, 1, leaf, 32);
    return store_run(s, st, NULL);
}

enum rc store_intents_aborted(struct store *s, const uint8_t (*leaves)[32],
                              const char *const *texts, unsigned n)
{
    LOCKED(s);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = RC_OK;
    for (unsigned i = 0; rc == RC_OK && i < n; i++) {
        rc = owe_one(s, texts[i]);
        if (rc == RC_OK)
            rc = drop_one(s, leaves[i]);
    }
    return store_end(s, rc);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invites, by the hash of their code, and the credential that each became.
 * The code itself is nowhere at rest.
 */
#include "sidecar/store.h"

#include <stdio.h>
#include <string.h>

#define KEEP_UNUSED_S (7 * 86400) /* past its end, to say "expired" */

static enum rc add(struct store *s, const struct store_invite *in)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "INSERT INTO invite VALUES(?1,?2,?3,?4,?5,0,NULL)"));
    store_bind_blob(st, 1, in->id, 32);
    store_bind_text(st, 2, in->person);
    store_bind_text(st, 3, in->role);
    store_bind_u64(st, 4, (uint64_t)in->expires);
    store_bind_u64(st, 5, in->spare);
    return store_run(s, st, NULL);
}

static enum rc forget(struct store *s, int64_t now)
{
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "DELETE FROM invite WHERE used=0 AND expires<?1"));
    store_bind_u64(st, 1, (uint64_t)(now - KEEP_UNUSED_S));
    return store_run(s, st, NULL);
}

enum rc store_invite_add(struct store *s, const struct store_invite *in,
                         int64_t now)
{
    LOCKED(s);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = forget(s, now);
    if (rc == RC_OK)
        rc = add(s, in);
    return store_end(s, rc);
}

enum rc store_invite_get(struct store_invite *out, struct store *s,
                         const uint8_t id[32])
{
    LOCKED(s);
    STATEMENT *st = NULL;
    TRY(store_prepare(&st, s,
                      "SELECT person,role,expires,spare,used FROM invite"
                      " WHERE id=?1"));
    store_bind_blob(st, 1, id, 32);
    int step = sqlite3_step(st);
    if (step == SQLITE_DONE)
        return rc_raise(RC_UNKNOWN, "invite: not known here");
    if (step != SQLITE_ROW)
        return store_broken(s, "read");
    memcpy(out->id, id, 32);
    snprintf(out->person, sizeof(out->person), "%s",
             (const char *)sqlite3_column_text(st, 0));
    snprintf(out->role, sizeof(out->role), "%s",
             (const char *)sqlite3_column_text(st, 1));
    out->expires = sqlite3_column_int64(st, 2);
    out->spare = sqlite3_column_int(st, 3) != 0;
    out->used = sqlite3_column_int64(st, 4);
    return RC_OK;
}

/* The condition is in the statement: of two at once one changes a row. */
static enum rc use(struct store *s, const uint8_t id[32], int64_t now,
                   const char *json, size_t len)
{
    STATEMENT *st = NULL;
    int changed;
    TRY(store_prepare(&st, s,
                      "UPDATE invite SET used=?2, credential=?3"
                      " WHERE id=?1 AND used=0"));
    store_bind_blob(st, 1, id, 32);
    store_bind_u64(st, 2, (uint64_t)now);
    store_bind_blob(st, 3, json, len);
    TRY(store_run(s, st, &changed));
    return changed ? RC_OK
                   : rc_raise(RC_CONFLICT, "invite: it was used already");
}

enum rc store_invite_use(struct store *s, const uint8_t id[32], int64_t now,
                         const char *json, size_t len,
                         const struct store_invite *spare)
{
    LOCKED(s);
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    enum rc rc = use(s, id, now, json, len);
    if (rc == RC_OK && spare)
        rc = add(s, spare);
    return store_end(s, rc);
}

enum rc store_enrolments(struct store *s, store_row *row, void *ctx)
{
    return store_each(s,
                      "SELECT person||' '||role, used, id, credential"
                      " FROM invite WHERE used>0 ORDER BY used DESC, id"
                      " LIMIT 256",
                      row, ctx);
}

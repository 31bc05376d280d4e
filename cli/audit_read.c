/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where audit rows come from: a running sidecar, page by page, or a copy of
 * its state.db, which is opened read-only and may hold anything.
 */
#include "cli/audit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#define PAGE_MS 15000

/* ---- a sidecar -------------------------------------------------------------- */

static enum rc page(struct wire_audit *out, uint64_t after)
{
    char path[64];
    struct http_answer a;
    snprintf(path, sizeof(path), "/v1/audit?since=%llu",
             (unsigned long long)after);
    TRY(cli_ask(&a, NULL, path, NULL, 0, PAGE_MS));
    enum rc rc = wire_audit_decode(out, (const char *)a.body, a.body_len);
    http_answer_free(&a);
    return rc;
}

/* Every page asked for makes a row itself: what was there first is the end. */
enum rc audit_read_sidecar(uint64_t after, audit_row_fn *fn, void *ctx)
{
    uint8_t head[32];
    for (bool first = true, last = false; !last; first = false) {
        WIRE(audit) in = { 0 };
        TRY(page(&in, after));
        if (first)
            memcpy(head, in.head, 32);
        last = in.rows.n == 0;
        for (size_t i = 0; i < in.rows.n && !last; i++) {
            TRY(fn(ctx, &in.rows.at[i]));
            after = in.rows.at[i].seq;
            last = memcmp(in.rows.at[i].hash, head, 32) == 0;
        }
    }
    return RC_OK;
}

/* ---- a copy of state.db -------------------------------------------------------- */

static void finalize(sqlite3_stmt **st)
{
    sqlite3_finalize(*st);
}
static void close_db(sqlite3 **db)
{
    sqlite3_close(*db);
}

static enum rc db_broken(sqlite3 *db, const char *path)
{
    return rc_raise(RC_STORE, "%s: %s", path,
                    db ? sqlite3_errmsg(db) : "out of memory");
}

/* Printable ASCII that fits: what a sidecar writes. */
static enum rc text(char *out, size_t size, sqlite3_stmt *st, int col,
                    uint64_t seq)
{
    const char *s = (const char *)sqlite3_column_text(st, col);
    size_t len = (size_t)sqlite3_column_bytes(st, col);
    bool ok = sqlite3_column_type(st, col) != SQLITE_NULL && s && len < size;
    for (size_t i = 0; ok && i < len; i++)
        ok = s[i] >= 0x20 && s[i] <= 0x7e;
    if (!ok)
        return rc_raise(RC_VERIFY,
                        "audit: row %llu: its %s is not what a "
                        "sidecar writes",
                        (unsigned long long)seq, sqlite3_column_name(st, col));
    memcpy(out, s, len);
    out[len] = '\0';
    return RC_OK;
}

static enum rc hash(uint8_t out[32], sqlite3_stmt *st, int col, uint64_t seq)
{
    if (sqlite3_column_bytes(st, col) != 32)
        return rc_raise(RC_VERIFY, "audit: row %llu: its %s is no hash",
                        (unsigned long long)seq, sqlite3_column_name(st, col));
    memcpy(out, sqlite3_column_blob(st, col), 32);
    return RC_OK;
}

static enum rc db_row(struct wire_audit_row *r, sqlite3_stmt *st)
{
    r->seq = (uint64_t)sqlite3_column_int64(st, 0);
    r->at = (uint64_t)sqlite3_column_int64(st, 1);
    TRY(text(r->actor, sizeof(r->actor), st, 2, r->seq));
    TRY(text(r->method, sizeof(r->method), st, 3, r->seq));
    TRY(text(r->attestation, sizeof(r->attestation), st, 4, r->seq));
    TRY(text(r->session, sizeof(r->session), st, 5, r->seq));
    TRY(text(r->result, sizeof(r->result), st, 6, r->seq));
    TRY(text(r->detail, sizeof(r->detail), st, 7, r->seq));
    TRY(hash(r->prev, st, 8, r->seq));
    return hash(r->hash, st, 9, r->seq);
}

/* A copy without its -wal is complete, and needs no file beside it. */
static enum rc open_db(sqlite3 **db, const char *path)
{
    char uri[1100];
    char wal[1024];
    if (strlen(path) > 900 || strpbrk(path, "?#%"))
        return rc_raise(RC_ARG, "--db: %.80s: a path without ? # %%", path);
    if (access(path, R_OK) != 0)
        return rc_raise(RC_IO, "--db: %.200s: %s", path, strerror(errno));
    snprintf(wal, sizeof(wal), "%s-wal", path);
    snprintf(uri, sizeof(uri), "file:%s?mode=ro%s", path,
             access(wal, F_OK) == 0 ? "" : "&immutable=1");
    int e = sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                            NULL);
    return e == SQLITE_OK ? RC_OK : db_broken(*db, path);
}

enum rc audit_read_db(const char *path, uint64_t after, audit_row_fn *fn,
                      void *ctx)
{
    __attribute__((cleanup(close_db))) sqlite3 *db = NULL;
    __attribute__((cleanup(finalize))) sqlite3_stmt *st = NULL;
    int step;
    TRY(open_db(&db, path));
    if (sqlite3_prepare_v2(db,
                           "SELECT seq, at, actor, method, attestation,"
                           " session, result, detail, prev, hash FROM audit"
                           " WHERE seq>?1 ORDER BY seq",
                           -1, &st, NULL) != SQLITE_OK)
        return db_broken(db, path);
    sqlite3_bind_int64(st, 1, (sqlite3_int64)after);
    while ((step = sqlite3_step(st)) == SQLITE_ROW) {
        struct wire_audit_row r;
        TRY(db_row(&r, st));
        TRY(fn(ctx, &r));
    }
    return step == SQLITE_DONE ? RC_OK : db_broken(db, path);
}

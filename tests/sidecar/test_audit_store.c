/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit chain at rest: rows in the order they were noted, one with the
 * marks they speak of, and any change behind the store's back is found.
 */
#include "test.h"

#include <pthread.h>

#include <sodium.h>

#include "base/enc.h"
#include "kept.h"

static struct wire_audit_row row_of(uint64_t at, const char *detail)
{
    struct wire_audit_row r = { .at = at };
    snprintf(r.actor, sizeof(r.actor), "mpc://dev/sidecar/node1");
    snprintf(r.method, sizeof(r.method), "POST /v1/frost/round2");
    snprintf(r.attestation, sizeof(r.attestation), "aa/bb");
    snprintf(r.session, sizeof(r.session), "%064d", 7);
    snprintf(r.result, sizeof(r.result), "ok");
    snprintf(r.detail, sizeof(r.detail), "%s", detail);
    return r;
}

static void note(struct fixture *f, uint64_t at, const char *detail)
{
    const struct wire_audit_row r = row_of(at, detail);
    store_audit_note(f->s, &r);
}

/* Rows 1 to n, one hour apart. */
static void fill(struct fixture *f, unsigned n)
{
    for (unsigned i = 1; i <= n; i++) {
        char text[32];
        snprintf(text, sizeof(text), "row %u", i);
        note(f, 3600ull * i, text);
    }
    assert_ok(store_audit_flush(f->s));
}

/* Walks over everything; head may be NULL. *last: rows there are. */
static enum rc walk(struct fixture *f, const uint8_t *head, uint64_t *last)
{
    struct wire_audit_walk w = { .wants_head = head != NULL };
    if (head)
        memcpy(w.head, head, 32);
    uint64_t since = 0;
    for (;;) {
        WIRE(audit) in = { 0 };
        TRY(store_audit_rows(f->s, &in, since));
        if (in.rows.n == 0)
            break;
        for (size_t i = 0; i < in.rows.n; i++) {
            TRY(wire_audit_next(&w, &in.rows.at[i]));
            since = in.rows.at[i].seq;
        }
    }
    *last = w.n;
    return wire_audit_end(&w);
}

static void holds(struct fixture *f, uint64_t want)
{
    uint64_t n = 0;
    enum rc rc = walk(f, NULL, &n);
    if (rc != RC_OK)
        fail_msg("%s", rc_text());
    assert_int_equal(n, want);
}

static void broken(struct fixture *f, const char *what)
{
    uint64_t n;
    enum rc rc = walk(f, NULL, &n);
    if (rc != RC_VERIFY || !strstr(rc_text(), what))
        fail_msg("want %s, got %s (%s)", what, rc_slug(rc), rc_text());
}

static struct wire_audit_row last_row(struct fixture *f)
{
    uint64_t seq;
    uint8_t hash[32];
    WIRE(audit) in = { 0 };
    store_audit_head(f->s, &seq, hash);
    assert_ok(store_audit_rows(f->s, &in, seq - 1));
    assert_int_equal(in.rows.n, 1);
    assert_memory_equal(in.rows.at[0].hash, hash, 32);
    return in.rows.at[0];
}

/* ---- the chain ------------------------------------------------------------ */

static void rows_follow_from_each_other(void **state)
{
    struct fixture *f = *state;
    fill(f, 3);
    holds(f, 3);
    reopen(f);
    note(f, 99999, "after a restart");
    assert_ok(store_audit_flush(f->s));
    holds(f, 4);
    assert_int_equal(last_row(f).seq, 4);
}

/* docs/AUDIT.md, by hand: so that another program can recompute it. */
static void the_hash_is_of_the_bytes_that_the_document_says(void **state)
{
    (void)state;
    const struct wire_audit_row r = {
        .seq = 1, .at = 0x0102, .actor = "a", .method = "GET /", .result = "ok"
    };
    static const char bytes[] = "mpc/audit/v1\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\1"
                                "\0\0\0\0\0\0\1\2"
                                "\0\1a"
                                "\0\5GET /"
                                "\0\0"
                                "\0\0"
                                "\0\2ok"
                                "\0\0";
    uint8_t want[32];
    uint8_t have[32];
    crypto_hash_sha256(want, (const uint8_t *)bytes, sizeof(bytes) - 1);
    wire_audit_hash(have, &r);
    assert_memory_equal(have, want, 32);
}

static void texts_are_made_printable(void **state)
{
    struct fixture *f = *state;
    note(f, 1, "a\nb\x80\"c");
    assert_ok(store_audit_flush(f->s));
    assert_string_equal(last_row(f).detail, "a?b?\"c");
    holds(f, 1);
}

static void told(void *ctx, const struct wire_audit_row *row)
{
    uint64_t *next = ctx;
    assert_int_equal(row->seq, ++*next);
}

static void a_row_is_told_once_it_is_at_rest(void **state)
{
    struct fixture *f = *state;
    uint64_t next = 0;
    store_audit_watch(f->s, told, &next);
    note(f, 1, "first");
    assert_int_equal(next, 0);
    assert_ok(store_audit_flush(f->s));
    assert_int_equal(next, 1);
}

static void a_database_without_a_chain_gets_one(void **state)
{
    struct fixture *f = *state;
    assert_ok(store_put(f->s, "kept", "x", 1));
    meddle(f, "DROP TABLE audit; PRAGMA user_version=1");
    reopen(f);
    OWNED_MEM uint8_t *kept = NULL;
    size_t len;
    assert_ok(store_get(f->s, "kept", &kept, &len));
    fill(f, 2);
    holds(f, 2);
}

/* ---- with the marks -------------------------------------------------------- */

static struct store_mark mark_of(uint8_t message, uint64_t attempt,
                                 const struct wire_audit_row *row)
{
    struct store_mark m = { .slot = "raw",
                            .attempt = attempt,
                            .expires = 1000,
                            .max_attempts = 5,
                            .row = row };
    memset(m.message, message, 32);
    return m;
}

static void a_mark_and_its_row_are_one(void **state)
{
    struct fixture *f = *state;
    const struct wire_audit_row r = row_of(2, "share of release");
    struct store_mark m[3] = { mark_of(1, 1, &r), mark_of(2, 1, &r),
                               mark_of(1, 9, &r) };
    note(f, 1, "before");
    assert_ok(store_marks(f->s, m, 3));
    WIRE(audit) in = { 0 };
    assert_ok(store_audit_rows(f->s, &in, 0));
    assert_int_equal(in.rows.n, 4);
    assert_string_equal(in.rows.at[0].detail, "before");
    assert_string_equal(in.rows.at[1].result, "ok");
    assert_string_equal(in.rows.at[1].detail, "share of release");
    assert_string_equal(in.rows.at[2].result, rc_slug(RC_SLOT_BURNT));
    assert_non_null(strstr(in.rows.at[2].detail, "another message"));
    assert_string_equal(in.rows.at[3].result, rc_slug(RC_SLOT_BURNT));
    holds(f, 4);
}

static const char refuses[] = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN"
                              " SELECT RAISE(ABORT, 'no space'); END";

static void no_mark_without_its_row(void **state)
{
    struct fixture *f = *state;
    const struct wire_audit_row r = row_of(2, "share");
    struct store_mark m = mark_of(1, 1, &r);
    fill(f, 1);
    note(f, 1, "before");
    meddle(f, refuses);
    assert_rc(store_marks(f->s, &m, 1), RC_STORE);
    assert_non_null(strstr(rc_text(), "audit"));
    meddle(f, "DROP TRIGGER full");
    struct store_mark other = mark_of(2, 1, &r); /* the slot was not taken */
    assert_ok(store_marks(f->s, &other, 1));
    assert_int_equal(other.rc, RC_OK);
    holds(f, 3);
    assert_string_equal(last_row(f).detail, "share");
}

static void what_the_disk_refused_is_kept_in_order_or_counted(void **state)
{
    struct fixture *f = *state;
    meddle(f, refuses);
    for (unsigned i = 0; i < 4096 + 7; i++)
        note(f, i, "x");
    assert_rc(store_audit_flush(f->s), RC_STORE);
    assert_rc(store_audit_flush(f->s), RC_STORE);
    meddle(f, "DROP TRIGGER full");
    assert_ok(store_audit_flush(f->s));
    holds(f, 4096 + 1);
    const struct wire_audit_row r = last_row(f);
    assert_string_equal(r.method, "audit lost");
    assert_string_equal(r.detail, "7 rows could not be kept");
}

/* ---- what is changed behind its back ------------------------------------------ */

static void flip(struct fixture *f, const char *column, unsigned byte)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    char sql[160];
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    snprintf(sql, sizeof(sql), "SELECT CAST(%s AS BLOB) FROM audit WHERE seq=2",
             column);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    uint8_t value[600];
    size_t len = (size_t)sqlite3_column_bytes(st, 0);
    assert_true(byte < len && len <= sizeof(value));
    memcpy(value, sqlite3_column_blob(st, 0), len);
    sqlite3_finalize(st);
    value[byte] ^= 1;
    bool blob = strcmp(column, "prev") == 0 || strcmp(column, "hash") == 0;
    snprintf(sql, sizeof(sql), "UPDATE audit SET %s=%s WHERE seq=2", column,
             blob                        ? "?1"
             : strcmp(column, "at") == 0 ? "CAST(CAST(?1 AS TEXT) AS INTEGER)"
                                         : "CAST(?1 AS TEXT)");
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_blob(st, 1, value, (int)len, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static unsigned length(struct fixture *f, const char *column)
{
    WIRE(audit) in = { 0 };
    assert_ok(store_audit_rows(f->s, &in, 1));
    const struct wire_audit_row *r = &in.rows.at[0];
    return (unsigned)(strcmp(column, "actor") == 0    ? strlen(r->actor)
                      : strcmp(column, "method") == 0 ? strlen(r->method)
                      : strcmp(column, "attestation") == 0
                              ? strlen(r->attestation)
                      : strcmp(column, "session") == 0 ? strlen(r->session)
                      : strcmp(column, "result") == 0  ? strlen(r->result)
                      : strcmp(column, "detail") == 0  ? strlen(r->detail)
                      : strcmp(column, "at") == 0      ? 4
                                                       : 32);
}

static void each_byte_of_a_row_that_changes_is_found(void **state)
{
    static const char *const columns[] = { "at",          "actor",   "method",
                                           "attestation", "session", "result",
                                           "detail",      "prev",    "hash" };
    struct fixture *f = *state;
    fill(f, 3);
    for (size_t c = 0; c < sizeof(columns) / sizeof(*columns); c++) {
        unsigned len = length(f, columns[c]);
        for (unsigned i = 0; i < len; i++) {
            flip(f, columns[c], i);
            broken(f, "row 2");
            flip(f, columns[c], i);
        }
        holds(f, 3);
    }
}

static void rows_that_are_missing_or_elsewhere_are_found(void **state)
{
    static const struct {
        const char *sql;
        const char *says;
    } cases[] = {
        { "DELETE FROM audit WHERE seq=3", "row 3: missing" },
        { "DELETE FROM audit WHERE seq=1", "row 2: is the oldest" },
        { "UPDATE audit SET seq=99 WHERE seq=3;"
          "UPDATE audit SET seq=3 WHERE seq=4;"
          "UPDATE audit SET seq=4 WHERE seq=99",
          "row 3: does not follow" },
        { "UPDATE audit SET seq=0 WHERE seq=1", "row 0" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        meddle(f, "DELETE FROM audit");
        reopen(f);
        fill(f, 5);
        meddle(f, cases[i].sql);
        if (strstr(cases[i].sql, "seq=0")) /* not among rows after 0 */
            broken(f, "row 2: is the oldest");
        else
            broken(f, cases[i].says);
    }
}

static void rows_cut_off_at_the_end_need_a_head_that_was_noted(void **state)
{
    struct fixture *f = *state;
    uint64_t seq;
    uint64_t n;
    uint8_t head[32];
    fill(f, 5);
    store_audit_head(f->s, &seq, head);
    note(f, 99999, "later");
    assert_ok(store_audit_flush(f->s));
    assert_ok(walk(f, head, &n)); /* the chain only grew */
    meddle(f, "DELETE FROM audit WHERE seq>=5");
    holds(f, 4); /* by itself nothing shows */
    assert_rc(walk(f, head, &n), RC_VERIFY);
    assert_non_null(strstr(rc_text(), "row 4 is the newest"));
}

/* ---- retention ------------------------------------------------------------------ */

static void old_rows_go_and_the_chain_still_holds(void **state)
{
    struct fixture *f = *state;
    fill(f, 10);
    assert_ok(store_audit_prune(f->s, 3600 * 4 + 1, 99999));
    holds(f, 10 - 4 + 1);
    assert_string_equal(last_row(f).method, WIRE_AUDIT_PRUNE);
    assert_ok(store_audit_prune(f->s, 3600 * 4 + 1, 99999)); /* nothing left */
    holds(f, 7);
    assert_ok(store_audit_prune(f->s, 200000, 200000)); /* every one */
    holds(f, 1);
    reopen(f);
    note(f, 200001, "after");
    assert_ok(store_audit_flush(f->s));
    holds(f, 2);
    meddle(f, "DELETE FROM audit WHERE seq=(SELECT MIN(seq) FROM audit)");
    broken(f, "is the oldest");
}

static void a_clock_that_steps_back_prunes_no_young_row(void **state)
{
    struct fixture *f = *state;
    note(f, 5000, "young");
    note(f, 10, "old, behind a young one");
    assert_ok(store_audit_flush(f->s));
    assert_ok(store_audit_prune(f->s, 1000, 6000));
    holds(f, 2);
}

/* ---- threads --------------------------------------------------------------------- */

#define EACH 200
static void *noting(void *arg)
{
    struct fixture *f = arg;
    for (unsigned i = 0; i < EACH; i++) {
        note(f, i, "from a thread");
        if (i % 16 == 0)
            assert_ok(store_audit_flush(f->s));
    }
    return NULL;
}

static void threads_note_side_by_side(void **state)
{
    struct fixture *f = *state;
    pthread_t at[4];
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&at[i], NULL, noting, f), 0);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(at[i], NULL);
    assert_ok(store_audit_flush(f->s));
    holds(f, 4 * EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(rows_follow_from_each_other),
        T(the_hash_is_of_the_bytes_that_the_document_says),
        T(texts_are_made_printable),
        T(a_row_is_told_once_it_is_at_rest),
        T(a_database_without_a_chain_gets_one),
        T(a_mark_and_its_row_are_one),
        T(no_mark_without_its_row),
        T(what_the_disk_refused_is_kept_in_order_or_counted),
        T(each_byte_of_a_row_that_changes_is_found),
        T(rows_that_are_missing_or_elsewhere_are_found),
        T(rows_cut_off_at_the_end_need_a_head_that_was_noted),
        T(old_rows_go_and_the_chain_still_holds),
        T(a_clock_that_steps_back_prunes_no_young_row),
        T(threads_note_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a directory of its own, for the tests of what is at rest. */
#ifndef TESTS_SIDECAR_KEPT_H
#define TESTS_SIDECAR_KEPT_H

#include <sqlite3.h>

#include "dir.h"
#include "sidecar/sidecar.h"

struct fixture {
    char dir[DIR_MAX];
    char path[128];
    struct store *s;
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    dir_make(f->dir);
    snprintf(f->path, sizeof(f->path), "%s/state.db", f->dir);
    assert_ok(store_open(&f->s, f->path));
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    store_free(f->s);
    dir_remove(f->dir);
    free(f);
    return 0;
}

static inline void reopen(struct fixture *f)
{
    store_free(f->s);
    f->s = NULL;
    assert_ok(store_open(&f->s, f->path));
}

/* Runs SQL behind the store's back. */
static inline void meddle(struct fixture *f, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

#endif

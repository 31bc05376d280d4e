/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that runs out: the n-th allocation of whatever is under test fails.
 * The program is linked with --wrap, so that our rooms' own calls come here,
 * and jansson and SQLite are given the same allocator. The test's own sources
 * call plenty_malloc() instead and never fail.
 */
#include "nomem_alloc.h"

#include <jansson.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

static unsigned countdown; /* 0: none fails */
static unsigned failed;

void nomem_arm(unsigned n)
{
    countdown = n;
    failed = 0;
}

bool nomem_disarm(void)
{
    countdown = 0;
    return failed > 0;
}

static bool fails(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    failed++;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}

void *plenty_malloc(size_t n)
{
    return __real_malloc(n);
}

void *plenty_calloc(size_t n, size_t size)
{
    return __real_calloc(n, size);
}

/* ---- SQLite: the size stands before the block ------------------------------- */

static void *db_malloc(int n)
{
    size_t *p = fails() ? NULL : __real_malloc(sizeof(size_t) * 2 + (size_t)n);
    if (!p)
        return NULL;
    p[0] = (size_t)n;
    return p + 2;
}

static void db_free(void *p)
{
    if (p)
        free((size_t *)p - 2);
}

static int db_size(void *p)
{
    return p ? (int)((size_t *)p)[-2] : 0;
}

static void *db_realloc(void *p, int n)
{
    size_t *old = (size_t *)p - 2;
    size_t *q = fails() ? NULL
                        : __real_realloc(old, sizeof(size_t) * 2 + (size_t)n);
    if (!q)
        return NULL;
    q[0] = (size_t)n;
    return q + 2;
}

static int db_roundup(int n)
{
    return (n + 7) & ~7;
}

static int db_init(void *ctx)
{
    (void)ctx;
    return SQLITE_OK;
}

static void db_end(void *ctx)
{
    (void)ctx;
}

bool nomem_start(void)
{
    static const sqlite3_mem_methods methods = { db_malloc,  db_free,
                                                 db_realloc, db_size,
                                                 db_roundup, db_init,
                                                 db_end,     NULL };
    json_set_alloc_funcs(__wrap_malloc, free);
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both directions of the engine share: freeing by table, the path in
 * error texts, and the helpers a caller fills a message with. Holds public
 * data only; secrets never become messages except sealed.
 */
#include "wire/codec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- free ---------------------------------------------------------------- */

static void free_rows(const struct wire_row *rows, void *m);

static void free_value(const struct wire_row *row, void *member)
{
    struct wire_any_list *list = member;
    switch (row->kind) {
    case WIRE_BLOB:
        free(((struct wire_blob *)member)->p);
        break;
    case WIRE_TEXT:
        free(((struct wire_text *)member)->p);
        break;
    case WIRE_STRUCT:
        free_rows(row->table->rows, member);
        break;
    case WIRE_ARRAY:
    case WIRE_MAYBE:
        for (size_t i = 0; list->at && i < list->n; i++)
            free_value(row->item, (char *)list->at + i * row->size);
        free(list->at);
        break;
    case WIRE_HEX:
    case WIRE_STR:
    case WIRE_U64:
    case WIRE_BOOL:
        break;
    }
}

static void free_rows(const struct wire_row *rows, void *m)
{
    for (const struct wire_row *row = rows; row->name; row++)
        free_value(row, (char *)m + row->offset);
}

void wire_free(const struct wire_table *table, void *m)
{
    if (!m)
        return;
    free_rows(table->rows, m);
    memset(m, 0, table->size);
}

/* ---- error texts --------------------------------------------------------- */

/* Appends the path to out, outermost name first; returns the length. */
static size_t path_print(const struct wire_path *path, char *out, size_t cap)
{
    size_t used = path->up ? path_print(path->up, out, cap) : 0;
    int n;
    if (!path->name)
        n = snprintf(out + used, cap - used, "[%zu]", path->index);
    else
        n = snprintf(out + used, cap - used, "%s%s", path->up ? "." : "",
                     path->name);
    if (n < 0 || (size_t)n >= cap - used)
        return cap - 1; /* cut: what follows prints nothing */
    return used + (size_t)n;
}

enum rc wire_refuse_at(const char *file, int line, const struct wire_path *path,
                       enum rc rc, const char *fmt, ...)
{
    char where[200];
    char what[200];
    path_print(path, where, sizeof(where));
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return rc_raise_at(file, line, rc, "%s: %s", where, what);
}

/* ---- members ------------------------------------------------------------- */

bool wire_printable(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
            return false;
    return true;
}

/* A heap copy with a zero byte behind it, so that p is never NULL. */
static void *copy(const void *p, size_t len)
{
    char *new = malloc(len + 1);
    if (!new)
        return NULL;
    if (len)
        memcpy(new, p, len);
    new[len] = '\0';
    return new;
}

enum rc wire_blob_set(struct wire_blob *b, const void *p, size_t len)
{
    uint8_t *new = copy(p, len);
    if (!new)
        return rc_raise(RC_NOMEM, "message: blob of %zu bytes", len);
    free(b->p);
    *b = (struct wire_blob){ new, len };
    return RC_OK;
}

enum rc wire_text_set(struct wire_text *t, const char *p, size_t len)
{
    if (len && memchr(p, '\0', len))
        return rc_raise(RC_ARG, "message: text with a NUL inside");
    char *new = copy(p, len);
    if (!new)
        return rc_raise(RC_NOMEM, "message: text of %zu bytes", len);
    free(t->p);
    *t = (struct wire_text){ new, len };
    return RC_OK;
}

enum rc wire_list_alloc(void **at, size_t *n, size_t size, size_t count)
{
    if (*at)
        return rc_raise(RC_ARG, "message: this list has elements already");
    if (count == 0) {
        *n = 0;
        return RC_OK;
    }
    void *new = calloc(count, size);
    if (!new)
        return rc_raise(RC_NOMEM, "message: list of %zu", count);
    *at = new;
    *n = count;
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How two policy documents differ, member by member. It reads JSON only and
 * knows no rule of policy/: a member of a later version is shown as well.
 */
#include "cli/policy.h"
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_LEN 256
#define DEEP_MAX     16

/* By which member the rows of a list are known. */
static const char *const names[] = { "id", "name", "key", NULL };

static enum rc walk(struct cli_diffs *out, const char *path, const json_t *a,
                    const json_t *b, unsigned depth);

static char *compact(const json_t *v)
{
    return v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS)
             : NULL;
}

static enum rc add(struct cli_diffs *out, const char *path, const json_t *a,
                   const json_t *b)
{
    if (out->n == CLI_DIFF_MAX) {
        out->more = true;
        return RC_OK;
    }
    struct cli_diff *d = &out->at[out->n++];
    *d = (struct cli_diff){ .sign = !a   ? '+'
                                    : !b ? '-'
                                         : '~',
                            .path = strdup(path),
                            .from = compact(a),
                            .to = compact(b) };
    if (!d->path || (a && !d->from) || (b && !d->to))
        return rc_raise(RC_NOMEM, "policy: out of memory");
    return RC_OK;
}

/* ---- lists ----------------------------------------------------------------- */

/* What this row is called, or NULL: then its place is its name. */
static const char *name_of(const json_t *row, char number[24])
{
    for (unsigned i = 0; names[i]; i++) {
        const json_t *v = json_object_get(row, names[i]);
        if (json_is_string(v))
            return json_string_value(v);
        if (json_is_integer(v)) {
            snprintf(number, 24, "%lld", (long long)json_integer_value(v));
            return number;
        }
    }
    return NULL;
}

static const json_t *find(const json_t *list, const char *name)
{
    size_t i;
    json_t *row;
    json_array_foreach ((json_t *)(uintptr_t)list, i, row) {
        char number[24];
        const char *is = name_of(row, number);
        if (is && strcmp(is, name) == 0)
            return row;
    }
    return NULL;
}

static bool all_named(const json_t *list)
{
    size_t i;
    json_t *row;
    json_array_foreach ((json_t *)(uintptr_t)list, i, row) {
        char number[24];
        if (!json_is_object(row) || !name_of(row, number))
            return false;
    }
    return true;
}

static enum rc walk_rows(struct cli_diffs *out, const char *path,
                         const json_t *in, const json_t *other, bool removed,
                         unsigned depth)
{
    size_t i;
    json_t *row;
    json_array_foreach ((json_t *)(uintptr_t)in, i, row) {
        char number[24];
        char at[PATH_MAX_LEN];
        const char *name = name_of(row, number);
        const json_t *twin = find(other, name);
        snprintf(at, sizeof(at), "%s[%.64s]", path, name);
        if (removed && !twin)
            TRY(add(out, at, row, NULL));
        else if (!removed)
            TRY(twin ? walk(out, at, twin, row, depth + 1)
                     : add(out, at, NULL, row));
    }
    return RC_OK;
}

/* ---- objects --------------------------------------------------------------- */

static void member_path(char out[PATH_MAX_LEN], const char *path,
                        const char *key)
{
    snprintf(out, PATH_MAX_LEN, "%s%s%.64s", path, *path ? "." : "", key);
}

static enum rc walk_members(struct cli_diffs *out, const char *path,
                            const json_t *a, const json_t *b, unsigned depth)
{
    const char *key;
    json_t *v;
    char at[PATH_MAX_LEN];
    json_object_foreach ((json_t *)(uintptr_t)b, key, v) {
        const json_t *was = json_object_get(a, key);
        member_path(at, path, key);
        TRY(was ? walk(out, at, was, v, depth + 1) : add(out, at, NULL, v));
    }
    json_object_foreach ((json_t *)(uintptr_t)a, key, v) {
        member_path(at, path, key);
        if (!json_object_get(b, key))
            TRY(add(out, at, v, NULL));
    }
    return RC_OK;
}

static enum rc walk(struct cli_diffs *out, const char *path, const json_t *a,
                    const json_t *b, unsigned depth)
{
    if (json_equal((json_t *)(uintptr_t)a, (json_t *)(uintptr_t)b))
        return RC_OK;
    if (depth < DEEP_MAX && json_is_object(a) && json_is_object(b))
        return walk_members(out, path, a, b, depth);
    if (depth < DEEP_MAX && json_is_array(a) && json_is_array(b) &&
        all_named(a) && all_named(b) && json_array_size(b) > 0) {
        TRY(walk_rows(out, path, b, a, false, depth));
        return walk_rows(out, path, a, b, true, depth);
    }
    return add(out, path, a, b);
}

/* ---- the door -------------------------------------------------------------- */

static enum rc load(json_t **out, const void *p, size_t len)
{
    json_error_t error;
    *out = json_loadb(p, len, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(*out))
        return RC_OK;
    return rc_raise(RC_PARSE, "policy: no JSON object (line %d, column %d)",
                    error.line, error.column);
}

enum rc cli_policy_diff(struct cli_diffs *out, const void *a, size_t a_len,
                        const void *b, size_t b_len)
{
    OWNED(json_t) *from = NULL;
    OWNED(json_t) *to = NULL;
    *out = (struct cli_diffs){ .n = 0 };
    TRY(load(&from, a, a_len));
    TRY(load(&to, b, b_len));
    enum rc rc = walk(out, "", from, to, 0);
    if (rc != RC_OK)
        cli_diffs_free(out);
    return rc;
}

void cli_diffs_free(struct cli_diffs *d)
{
    for (unsigned i = 0; i < d->n; i++) {
        free(d->at[i].path);
        free(d->at[i].from);
        free(d->at[i].to);
    }
    d->n = 0;
}

/* Whole, however long: people approve by it. Cut, it could hide a key. */
static enum rc say_value(char *value)
{
    return cli_say("%s", state_plain(value, strlen(value) + 1, value));
}

enum rc cli_diffs_say(struct cli_diffs *d)
{
    for (unsigned i = 0; i < d->n; i++) {
        struct cli_diff *x = &d->at[i];
        TRY(cli_say("%c %s  ", x->sign,
                    state_plain(x->path, strlen(x->path) + 1, x->path)));
        if (x->from)
            TRY(say_value(x->from));
        if (x->sign == '~')
            TRY(cli_say(" -> "));
        if (x->to)
            TRY(say_value(x->to));
        TRY(cli_say("\n"));
    }
    if (d->more)
        return cli_say("… and more than %d changes\n", CLI_DIFF_MAX);
    return d->n ? RC_OK : cli_say("no difference\n");
}

json_t *cli_diffs_json(const struct cli_diffs *d)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < d->n; i++) {
        const struct cli_diff *x = &d->at[i];
        const char change[2] = { x->sign, '\0' };
        json_t *from = x->from ? json_loads(x->from, JSON_DECODE_ANY, NULL)
                               : json_null();
        json_t *to = x->to ? json_loads(x->to, JSON_DECODE_ANY, NULL)
                           : json_null();
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "change",
                                              change, "path", x->path, "from",
                                              from, "to", to));
    }
    return list;
}

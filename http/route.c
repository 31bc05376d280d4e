/* SPDX-License-Identifier: Apache-2.0 */
/* Which row answers a call, given the listener it came by. Pure. */
#include "http/inner.h"

#include <stdio.h>
#include <string.h>

/* A row that this kind of listener does not serve does not exist there. */
static bool served(const struct http_route *row, enum http_listen_kind kind)
{
    switch (row->who) {
    case HTTP_PUBLIC:
        return true;
    case HTTP_LOCAL:
        return kind == HTTP_ON_UNIX;
    case HTTP_CERT:
    case HTTP_PEER:
        return kind == HTTP_ON_PEER;
    }
    return false;
}

static size_t prefix_len(const char *pattern)
{
    size_t len = strlen(pattern);
    if (len >= 2 && pattern[len - 2] == '/' && pattern[len - 1] == '*')
        return len - 1;
    return 0;
}

/* Length of the match plus one, an exact one counting most; 0 is none. */
static size_t fits(const char *pattern, const char *path, const char **rest)
{
    size_t n = prefix_len(pattern);
    if (n == 0) {
        *rest = "";
        return strcmp(pattern, path) == 0 ? SIZE_MAX : 0;
    }
    if (strncmp(pattern, path, n) != 0)
        return 0;
    *rest = path + n;
    return n + 1;
}

static bool same_method(const char *row, const char *method)
{
    if (strcmp(row, method) == 0)
        return true;
    return strcmp(row, "GET") == 0 && strcmp(method, "HEAD") == 0;
}

const struct http_route *http_route_find(const struct http_route *rows,
                                         enum http_listen_kind kind,
                                         const char *method, const char *path,
                                         const char **rest, bool *known)
{
    const struct http_route *best = NULL;
    size_t best_fit = 0;
    *known = false;
    *rest = "";
    for (const struct http_route *row = rows; row->method; row++) {
        const char *r;
        size_t fit = served(row, kind) ? fits(row->path, path, &r) : 0;
        if (fit == 0)
            continue;
        *known = true;
        if (fit > best_fit && same_method(row->method, method)) {
            best = row;
            best_fit = fit;
            *rest = r;
        }
    }
    return best;
}

void http_route_allow(char *out, size_t cap, const struct http_route *rows,
                      enum http_listen_kind kind, const char *path)
{
    size_t len = 0;
    out[0] = '\0';
    for (const struct http_route *row = rows; row->method; row++) {
        const char *rest;
        if (!served(row, kind) || fits(row->path, path, &rest) == 0)
            continue;
        int n = snprintf(out + len, cap - len, "%s%s", len ? ", " : "",
                         row->method);
        if (n < 0 || (size_t)n >= cap - len)
            return;
        len += (size_t)n;
    }
}

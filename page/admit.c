/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which requests a browser may make here: those it was sent to by our own
 * name, from our own page. Pure.
 */
#include "page/inner.h"

#include <stdio.h>
#include <string.h>

/* host[:port] of an origin; NULL when it is none. */
static const char *authority(const char *origin)
{
    if (strncmp(origin, "https://", 8) == 0)
        return origin + 8;
    if (strncmp(origin, "http://", 7) == 0)
        return origin + 7;
    return NULL;
}

enum rc page_origin_check(const char *origin)
{
    const char *at = authority(origin);
    size_t n = at ? strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") : 0;
    if (n > 0 && !at[n] && strlen(origin) < PAGE_ORIGIN_MAX)
        return RC_OK;
    enum rc rc = rc_raise(RC_ARG, "page_origin: %.80s: no origin", origin);
    rc_hint("as https://sign.example.org or http://localhost:8443: lower "
            "case, nothing behind the port");
    return rc;
}

/* localhost, 127.0.0.1 or [::1], with any port or none */
static bool is_loopback(const char *host)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
    for (unsigned i = 0; i < 3; i++) {
        size_t n = strlen(names[i]);
        if (strncmp(host, names[i], n) == 0 &&
            (host[n] == '\0' || host[n] == ':'))
            return true;
    }
    return false;
}

enum rc page_host_check(const char *origin, const char *host)
{
    if (host && is_loopback(host))
        return RC_OK;
    if (host && *origin && strcmp(authority(origin), host) == 0)
        return RC_OK;
    enum rc rc = rc_raise(RC_AUTH, "Host: %.80s: not a name of this page",
                          host ? host : "none");
    rc_hint("open %s, or set page_origin to the name browsers use",
            *origin ? origin : "http://localhost at its port");
    return rc;
}

enum rc page_post_check(const char *host, const char *origin, const char *type)
{
    static const char json[] = "application/json";
    const char *from = origin ? authority(origin) : NULL;
    if (origin && (!from || !host || strcmp(from, host) != 0))
        return rc_raise(RC_AUTH,
                        "Origin: %.80s: another page may not post "
                        "here",
                        origin);
    if (!type || strncmp(type, json, strlen(json)) != 0)
        return rc_raise(RC_ARG, "Content-Type: %.40s, want application/json",
                        type ? type : "none");
    return RC_OK;
}

bool page_is_id(const char *text, const char *tail)
{
    return strspn(text, "0123456789abcdef") == 64 &&
           strcmp(text + 64, tail) == 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mpc:NAME and mpc:NAME?session=HEX. Names are what policies allow, so there
 * is nothing to unescape; anything else is refused by position.
 */
#include "provider/inner.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static enum rc take_name(char out[WIRE_NAME_MAX], const char *from, size_t len)
{
    if (len == 0 || len >= WIRE_NAME_MAX)
        return rc_raise(RC_PARSE, "key URI: name of %zu characters, want 1..%d",
                        len, WIRE_NAME_MAX - 1);
    for (size_t i = 0; i < len; i++)
        if (!name_char(from[i]))
            return rc_raise(RC_PARSE,
                            "key URI: character %zu of the name is not one of "
                            "a-z 0-9 . _ -",
                            i + 1);
    memcpy(out, from, len);
    out[len] = '\0';
    return RC_OK;
}

static enum rc take_session(char out[65], const char *from, size_t len,
                            const char *where)
{
    if (len != 64)
        return rc_raise(RC_PARSE, "%s: session of %zu characters, want 64",
                        where, len);
    for (size_t i = 0; i < len; i++)
        if (!strchr("0123456789abcdef", from[i]))
            return rc_raise(RC_PARSE,
                            "%s: character %zu of the session is not lower "
                            "case hex",
                            where, i + 1);
    memcpy(out, from, len);
    out[len] = '\0';
    return RC_OK;
}

static enum rc take_parameter(struct prov_uri *u, const char *from, size_t len)
{
    static const char session[] = "session=";
    size_t n = sizeof(session) - 1;
    if (len < n || memcmp(from, session, n) != 0)
        return rc_raise(RC_PARSE,
                        "key URI: unknown parameter, only session=HEX is one");
    if (u->session[0])
        return rc_raise(RC_PARSE, "key URI: session is given twice");
    return take_session(u->session, from + n, len - n, "key URI");
}

static enum rc parse(struct prov_uri *u, const char *uri)
{
    if (strncasecmp(uri, "mpc:", 4) != 0)
        return rc_raise(RC_PARSE, "key URI: does not begin with mpc:");
    const char *name = uri + 4;
    size_t len = strcspn(name, "?");
    TRY(take_name(u->name, name, len));
    const char *at = name + len;
    while (*at) {
        at++; /* '?' or '&' */
        size_t n = strcspn(at, "&");
        TRY(take_parameter(u, at, n));
        at += n;
    }
    return RC_OK;
}

static enum rc session_of_environment(struct prov_uri *u)
{
    const char *env = secure_getenv("MPC_SESSION");
    if (u->session[0] || !env || !env[0])
        return RC_OK;
    enum rc rc = take_session(u->session, env, strlen(env), "MPC_SESSION");
    if (rc != RC_OK)
        rc_hint("unset it, or set it to what mpcsign request printed");
    else
        u->session_by_env = true;
    return rc;
}

enum rc prov_uri_parse(struct prov_uri *out, const char *uri)
{
    struct prov_uri u = { 0 };
    enum rc rc = parse(&u, uri);
    if (rc != RC_OK) {
        rc_hint("a key is mpc:NAME or mpc:NAME?session=HEX, with HEX as "
                "printed by mpcsign request");
        return rc;
    }
    TRY(session_of_environment(&u));
    *out = u;
    return RC_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who calls by the Unix socket: the kernel says the uid, the configuration
 * what that uid is called. `callers = 1000=dev, 33=workload:nginx` names
 * persons and workloads; once it is set, a caller uses sessions that its own
 * name requested, and `session_users` are those who may use any.
 */
#include "sidecar/callers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rc.h"

#define WORKLOAD "workload:"

static bool is_name(const char *name)
{
    if (strncmp(name, WORKLOAD, strlen(WORKLOAD)) == 0)
        name += strlen(WORKLOAD);
    size_t len = strlen(name);
    return len >= 1 && len <= 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len &&
           strncmp(name, "uid.", 4) != 0; /* what an unmapped caller is */
}

static enum rc bad(const char *key, const char *part, const char *want)
{
    enum rc rc = rc_raise(RC_ARG, "%s: %.80s: want %s", key, part, want);
    rc_hint("callers = 1000=alice, 33=workload:nginx; session_users = "
            "workload:nginx, root");
    return rc;
}

static enum rc parse_uid(uid_t *out, char **rest, char *part)
{
    errno = 0;
    char *end;
    unsigned long uid = strtoul(part, &end, 10);
    if (*part < '0' || *part > '9' || end == part || *end != '=' || errno ||
        uid >= UINT32_MAX)
        return bad("callers", part, "UID=NAME, the uid as a number");
    *out = (uid_t)uid;
    *rest = end + 1;
    return RC_OK;
}

static enum rc add(struct callers *c, char *part)
{
    uid_t uid = 0;
    char *name = part;
    TRY(parse_uid(&uid, &name, part));
    if (!is_name(name))
        return bad("callers", part,
                   "a person or workload:NAME, [a-z0-9._-], 1 to 64");
    for (unsigned i = 0; i < c->n; i++)
        if (c->at[i].uid == uid)
            return bad("callers", part, "each uid once");
    if (c->n == CALLERS_MAX)
        return bad("callers", part, "at most 64 of them");
    c->at[c->n].uid = uid;
    snprintf(c->at[c->n++].name, sizeof(c->at[0].name), "%s", name);
    return RC_OK;
}

static enum rc allow(struct callers *c, char *part)
{
    bool found = strcmp(part, "root") == 0;
    c->root = c->root || found;
    for (unsigned i = 0; i < c->n; i++)
        if (strcmp(c->at[i].name, part) == 0)
            found = c->at[i].any_session = true;
    return found ? RC_OK
                 : bad("session_users", part, "root, or a name of callers");
}

static enum rc each(struct callers *c, const char *list,
                    enum rc (*fn)(struct callers *c, char *part))
{
    OWNED_MEM char *copy = strdup(list);
    char *save = NULL;
    if (!copy)
        return rc_raise(RC_NOMEM, "callers: out of memory");
    for (char *part = strtok_r(copy, ", \t", &save); part;
         part = strtok_r(NULL, ", \t", &save))
        TRY(fn(c, part));
    return RC_OK;
}

enum rc callers_parse(struct callers *out, const char *callers,
                      const char *session_users)
{
    struct callers c = { .n = 0 };
    if (callers)
        TRY(each(&c, callers, add));
    c.set = c.n > 0;
    if (callers && !c.set)
        return rc_raise(RC_ARG, "callers: empty; leave it out, or name some");
    if (session_users && !c.set)
        return rc_raise(RC_ARG, "session_users: means nothing without callers");
    if (session_users)
        TRY(each(&c, session_users, allow));
    *out = c;
    return RC_OK;
}

void callers_find(struct node_caller *out, const struct callers *c,
                  const struct sock_peer *peer)
{
    *out = (struct node_caller){ .uid = peer->uid,
                                 .pid = peer->pid,
                                 .own_sessions = c->set };
    if (c->root && peer->uid == 0)
        out->own_sessions = false;
    for (unsigned i = 0; i < c->n; i++) {
        if (c->at[i].uid != peer->uid)
            continue;
        out->name = c->at[i].name;
        if (c->at[i].any_session)
            out->own_sessions = false;
    }
}

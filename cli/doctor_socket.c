/* SPDX-License-Identifier: Apache-2.0 */
/* The sidecar's socket: which one, whose, and may who runs this connect? */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#define GROUPS_MAX 128
#define WAIT_S     5
#define START      "start it: systemctl start mpc-sidecar, or mpcsign dev up"

/* ---- names -------------------------------------------------------------- */

static void user_name(char out[64], uid_t uid)
{
    const struct passwd *p = getpwuid(uid);
    snprintf(out, 64, "%s", p ? p->pw_name : "?");
}

static void group_name(char out[64], gid_t gid)
{
    const struct group *g = getgrgid(gid);
    snprintf(out, 64, "%s", g ? g->gr_name : "?");
}

static void who_am_i(char *out, size_t cap)
{
    gid_t groups[GROUPS_MAX];
    char name[64];
    user_name(name, geteuid());
    int n = getgroups(GROUPS_MAX, groups);
    int at = snprintf(out, cap, "you are %s (uid %u), groups", name,
                      (unsigned)geteuid());
    group_name(name, getegid());
    at += snprintf(out + at, cap - (size_t)at, " %s", name);
    for (int i = 0; i < n && (size_t)at + 80 < cap; i++) {
        if (groups[i] == getegid())
            continue;
        group_name(name, groups[i]);
        at += snprintf(out + at, cap - (size_t)at, " %s", name);
    }
}

/* ---- which -------------------------------------------------------------- */

static bool choose(struct doctor *d)
{
    const char *env = getenv("MPC_SIDECAR");
    const char *conf = doctor_setting(d, "sidecar");
    const char *from = env && *env ? "MPC_SIDECAR"
                       : *conf     ? "sidecar of the configuration"
                                   : "the default";
    const char *path = env && *env ? env : *conf ? conf : cli_sidecar();
    if (strncmp(path, "unix:", 5) == 0)
        path += 5;
    snprintf(d->socket, sizeof(d->socket), "%s", path);
    if (env && *env && *conf && strcmp(env, conf) != 0)
        doctor_ok(d, "socket", "MPC_SIDECAR wins over the configuration's %s",
                  conf);
    if (strlen(path) <= DOCTOR_SOCKET_MAX)
        return true;
    doctor_fail(d, "socket", "use a shorter path",
                "%s: a socket path of %zu bytes, want at most %d", from,
                strlen(path), DOCTOR_SOCKET_MAX);
    return false;
}

/* ---- may we? ------------------------------------------------------------ */

/* The first directory on the way that we may not pass; false if none. */
static bool closed_directory(char out[DOCTOR_PATH], const char *path)
{
    char dir[DOCTOR_PATH];
    snprintf(dir, sizeof(dir), "%s", path);
    for (char *at = dir; (at = strchr(at + 1, '/')) != NULL;) {
        *at = '\0';
        if (faccessat(AT_FDCWD, dir, X_OK, AT_EACCESS) != 0 &&
            errno == EACCES) {
            snprintf(out, DOCTOR_PATH, "%s", dir);
            return true;
        }
        *at = '/';
    }
    return false;
}

/* Listed in /etc/group, but not yet in the groups of this process. */
static bool joins_later(const char *user, gid_t gid)
{
    const struct group *g = getgrgid(gid);
    for (char **m = g ? g->gr_mem : NULL; m && *m; m++)
        if (strcmp(*m, user) == 0)
            return true;
    return false;
}

static void say_denied(struct doctor *d)
{
    char who[512];
    char dir[DOCTOR_PATH];
    char user[64];
    char owner[64];
    char group[64];
    char fix[DOCTOR_FIX];
    struct stat st;
    who_am_i(who, sizeof(who));
    if (closed_directory(dir, d->socket)) {
        doctor_fail(d, "socket", "let its users pass: chmod a+x, or its group",
                    "%s: no way through %s; %s", d->socket, dir, who);
        return;
    }
    if (stat(d->socket, &st) != 0) {
        doctor_fail(d, "socket", NULL, "%s: %s", d->socket, strerror(errno));
        return;
    }
    user_name(user, geteuid());
    user_name(owner, st.st_uid);
    group_name(group, st.st_gid);
    if (!(st.st_mode & S_IWGRP))
        snprintf(fix, sizeof(fix),
                 "socket_mode = 0660 and socket_group in the sidecar's "
                 "configuration let a group in");
    else if (joins_later(user, st.st_gid))
        snprintf(fix, sizeof(fix),
                 "log in again: %s is in group %s, this session is not", user,
                 group);
    else
        snprintf(fix, sizeof(fix), "adduser %s %s, and log in again", user,
                 group);
    doctor_fail(d, "socket", fix,
                "%s: permission denied; it is %s:%s, mode "
                "%04o; %s",
                d->socket, owner, group, (unsigned)(st.st_mode & 07777), who);
}

/* ---- does anybody answer? ----------------------------------------------- */

static int try_connect(const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    struct timeval wait = { .tv_sec = WAIT_S };
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    OWNED_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) != 0 ||
        connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
        return errno;
    return 0;
}

/* connect() says of a plain file what it says of a left-over socket. */
static bool is_socket(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void say_failed(struct doctor *d, int why)
{
    switch (why == ECONNREFUSED && !is_socket(d->socket) ? ENOTSOCK : why) {
    case ENOENT:
        doctor_fail(d, "socket",
                    START ", or set MPC_SIDECAR to where it listens",
                    "%s: no such socket", d->socket);
        break;
    case ECONNREFUSED:
        doctor_fail(d, "socket", START "; the file is left over from before",
                    "%s: nobody listens", d->socket);
        break;
    case EACCES:
    case EPERM:
        say_denied(d);
        break;
    case EAGAIN:
        doctor_fail(d, "socket",
                    "see the sidecar's log: it hangs, or is "
                    "overloaded",
                    "%s: no answer in %d s", d->socket, WAIT_S);
        break;
    default:
        doctor_fail(d, "socket", "MPC_SIDECAR must name the sidecar's socket",
                    "%s: %s", d->socket,
                    why == ECONNREFUSED ? "is no socket" : strerror(why));
        break;
    }
}

void doctor_socket(struct doctor *d)
{
    char who[512];
    if (!choose(d))
        return;
    int why = try_connect(d->socket);
    if (why != 0) {
        say_failed(d, why);
        return;
    }
    d->reached = true;
    who_am_i(who, sizeof(who));
    doctor_ok(d, "socket", "%s takes connections; %s", d->socket, who);
}

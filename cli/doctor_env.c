/* SPDX-License-Identifier: Apache-2.0 */
/* Is the environment heard? Not by programs with privileges of their file. */
#include "cli/doctor.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static const char *privilege_of(const char *program, const struct stat *st)
{
    if (st->st_mode & S_ISUID)
        return "set-user-ID";
    if (st->st_mode & S_ISGID)
        return "set-group-ID";
    if (getxattr(program, "security.capability", NULL, 0) > 0)
        return "with file capabilities";
    return NULL;
}

static void check_program(struct doctor *d)
{
    struct stat st;
    if (stat(d->program, &st) != 0) {
        doctor_fail(d, "program", "name the program's file", "%s: %s",
                    d->program, strerror(errno));
        return;
    }
    const char *how = privilege_of(d->program, &st);
    if (how)
        doctor_fail(d, "program",
                    "put our sections into the system's openssl.cnf, with "
                    "module and sidecar in them",
                    "%s is %s: OPENSSL_CONF, OPENSSL_MODULES and MPC_SIDECAR "
                    "are ignored in it",
                    d->program, how);
    else
        doctor_ok(d, "program", "%s hears the environment", d->program);
}

void doctor_environment(struct doctor *d)
{
    if (d->program)
        check_program(d);
    if (getauxval(AT_SECURE))
        doctor_fail(d, "environment", "run it without privileges of its file",
                    "this process is privileged by its file: OPENSSL_CONF, "
                    "OPENSSL_MODULES and MPC_SIDECAR are ignored in it");
}

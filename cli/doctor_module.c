/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where OpenSSL looks for mpc.so, whether it is there, and whether it loads:
 * OpenSSL 3.0 keeps the loader's words to itself.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

static const char *modules_dir(void)
{
    const char *env = getenv("OPENSSL_MODULES");
    const char *built = OPENSSL_info(OPENSSL_INFO_MODULES_DIR);
    return env ? env : built ? built : "";
}

/* As OpenSSL: a relative name is below the module directory, none is NAME.so
 * in it. */
static void find(struct doctor *d)
{
    const char *given = doctor_setting(d, "module");
    if (d->module_file)
        snprintf(d->module, sizeof(d->module), "%s", d->module_file);
    else if (*given == '/')
        snprintf(d->module, sizeof(d->module), "%s", given);
    else if (*given)
        snprintf(d->module, sizeof(d->module), "%s/%s", modules_dir(), given);
    else
        snprintf(d->module, sizeof(d->module), "%s/%s.so", modules_dir(),
                 *d->name ? d->name : "mpc");
}

/* Where else it may be: beside us, or where packages put it. */
static bool find_elsewhere(char out[DOCTOR_PATH])
{
    static const char *const beside[] = {
        "../lib/ossl-modules", "../lib/x86_64-linux-gnu/ossl-modules",
        "../lib64/ossl-modules"
    };
    char self[DOCTOR_PATH];
    char path[2 * DOCTOR_PATH];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; i <= sizeof(beside) / sizeof(*beside); i++) {
        if (i < sizeof(beside) / sizeof(*beside))
            snprintf(path, sizeof(path), "%s/%s/mpc.so", self, beside[i]);
        else
            snprintf(path, sizeof(path), "%s/mpc.so",
                     OPENSSL_info(OPENSSL_INFO_MODULES_DIR));
        char *real = realpath(path, NULL);
        if (!real)
            continue;
        snprintf(out, DOCTOR_PATH, "%s", real);
        free(real);
        return true;
    }
    return false;
}

static void missing(struct doctor *d, const char *why)
{
    char there[DOCTOR_PATH];
    char fix[DOCTOR_PATH + 128];
    if (errno == EACCES)
        snprintf(fix, sizeof(fix), "let who runs the tool read it");
    else if (find_elsewhere(there))
        snprintf(fix, sizeof(fix),
                 "it is at %s: write `module = %s` in [%s], or set "
                 "OPENSSL_MODULES to its directory",
                 there, there, d->mpc ? d->mpc : "mpc_sect");
    else
        snprintf(fix, sizeof(fix),
                 "install it, and name it by `module = ...` in [%s]",
                 d->mpc ? d->mpc : "mpc_sect");
    doctor_fail(d, "module", fix, "%s%s: %s", d->module,
                *doctor_setting(d, "module") || d->module_file ? ""
                : getenv("OPENSSL_MODULES") ? " (by OPENSSL_MODULES)"
                                            : " (OpenSSL's directory)",
                why);
}

static void judge(struct doctor *d, const struct doctor_answer *a)
{
    char why[512];
    if (doctor_answer_get(why, sizeof(why), a, "dlerror", 0))
        doctor_fail(d, "module",
                    "build it for this machine's libraries, or install what "
                    "it needs",
                    "%s does not load: %s", d->module, why);
    else if (doctor_answer_whole(a) != RC_OK)
        doctor_fail(d, "module", "install it anew", "%s: %s", d->module,
                    rc_text());
    else if (!doctor_answer_is(a, "init", "1"))
        doctor_fail(d, "module", "name mpc.so",
                    "%s loads, but is no provider: no OSSL_provider_init",
                    d->module);
    else
        doctor_ok(d, "module", "%s loads", d->module);
}

void doctor_module(struct doctor *d)
{
    struct stat st;
    struct doctor_answer a;
    if (!d->mpc && !d->module_file)
        return; /* said already: nothing names it */
    find(d);
    if (stat(d->module, &st) != 0 || access(d->module, R_OK) != 0) {
        missing(d, strerror(errno));
        return;
    }
    if (doctor_probe(&a, "module", d->module) != RC_OK)
        doctor_fail(d, "module", NULL, "%s: %s", d->module, rc_text());
    else
        judge(d, &a);
}

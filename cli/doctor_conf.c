/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file that OpenSSL would read, followed to our provider:
 * openssl_conf -> providers -> default and mpc. Each link that is missing is
 * where most "it does not work" ends.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "base/file.h"

#define FILE_MAX (1024 * 1024)
#define DROP_IN                                                                \
    "set OPENSSL_CONF to a file that stands alone (openssl.cnf.d/mpc.cnf), "   \
    "or "                                                                      \
    "append `.include /etc/ssl/openssl.cnf.d` as the last line"

/* ---- the file ----------------------------------------------------------- */

static bool find_file(struct doctor *d)
{
    char *file = CONF_get1_default_config_file();
    const char *env = getenv("OPENSSL_CONF");
    const char *why = env ? "OPENSSL_CONF" : "OpenSSL's default";
    snprintf(d->conf_file, sizeof(d->conf_file), "%s", file ? file : "");
    OPENSSL_free(file);
    FILE *f = fopen(d->conf_file, "re");
    if (f) {
        fclose(f);
        doctor_ok(d, "file", "%s (%s)", d->conf_file, why);
        return true;
    }
    doctor_fail(d, "file",
                errno == EACCES ? "make it readable for who runs the tool"
                : env           ? "correct OPENSSL_CONF, or unset it"
                                : DROP_IN,
                "%s (%s): %s", d->conf_file, why, strerror(errno));
    return false;
}

static bool parse_file(struct doctor *d)
{
    long line = -1;
    d->conf = NCONF_new(NULL);
    if (d->conf && NCONF_load(d->conf, d->conf_file, &line) > 0)
        return true;
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    doctor_fail(d, "file", "correct it: OpenSSL reads nothing of such a file",
                "%s, line %ld: %s", d->conf_file, line, why ? why : "no sense");
    ERR_clear_error();
    NCONF_free(d->conf);
    d->conf = NULL;
    return false;
}

static const char *get(const struct doctor *d, const char *section,
                       const char *key)
{
    const char *value = NCONF_get_string(d->conf, section, key);
    ERR_clear_error();
    return value;
}

/* "# providers = ..." as Debian 12 ships it. */
static bool is_commented(const struct doctor *d, const char *key)
{
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    if (file_read(&text, &len, d->conf_file, FILE_MAX) != RC_OK)
        return false;
    for (char *save = NULL, *line = strtok_r((char *)text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        line += strspn(line, " \t");
        if (*line != '#')
            continue;
        line += strspn(line, "# \t");
        size_t n = strlen(key);
        if (strncmp(line, key, n) == 0 && line[n + strspn(line + n, " \t")] &&
            line[n + strspn(line + n, " \t")] == '=')
            return true;
    }
    return false;
}

/* ---- the sections ------------------------------------------------------- */

static bool find_init(struct doctor *d)
{
    d->init = get(d, NULL, "openssl_conf");
    if (!d->init) {
        doctor_fail(d, "sections", DROP_IN,
                    "no `openssl_conf = SECTION` before the first section: "
                    "nothing of the file is used");
        return false;
    }
    d->providers = get(d, d->init, "providers");
    if (d->providers && NCONF_get_section(d->conf, d->providers))
        return true;
    ERR_clear_error();
    if (d->providers)
        doctor_fail(d, "sections", "write it, or correct the name",
                    "[%s] says providers = %s, and there is no such section",
                    d->init, d->providers);
    else
        doctor_fail(d, "sections", DROP_IN,
                    "[%s] has no `providers = SECTION`%s", d->init,
                    is_commented(d, "providers")
                            ? ": the line is commented out, as Debian 12 "
                              "ships it"
                            : "");
    return false;
}

static bool is_ours(const struct doctor *d, const CONF_VALUE *v)
{
    const char *module = get(d, v->value, "module");
    const char *slash = module ? strrchr(module, '/') : NULL;
    const char *base = slash ? slash + 1 : module;
    return strcmp(v->name, "mpc") == 0 ||
           (base && (strcmp(base, "mpc.so") == 0 || strcmp(base, "mpc") == 0));
}

static bool in_3_0(void)
{
    return OPENSSL_version_major() == 3 && OPENSSL_version_minor() == 0;
}

/* OpenSSL 3.0 takes any `activate` as yes; later ones read its value. */
static void check_activate(struct doctor *d, const char *id,
                           const char *section, const char *name)
{
    char fix[DOCTOR_FIX];
    const char *value = get(d, section, "activate");
    bool no = value &&
              (strcmp(value, "0") == 0 || strcmp(value, "no") == 0 ||
               strcmp(value, "false") == 0 || strcmp(value, "off") == 0);
    if (!value) {
        snprintf(fix, sizeof(fix), "write `activate = 1` in [%s]", section);
        doctor_fail(d, id, fix, "%s is named in [%s] and not activated", name,
                    d->providers);
    } else if (no && in_3_0()) {
        snprintf(fix, sizeof(fix),
                 "write `activate = 1` in [%s], or comment the line out",
                 section);
        doctor_warn(d, id, fix,
                    "[%s] says activate = %s: OpenSSL 3.0 activates %s all the "
                    "same, later versions do not",
                    section, value, name);
    } else if (no) {
        snprintf(fix, sizeof(fix), "write `activate = 1` in [%s]", section);
        doctor_fail(d, id, fix, "[%s] says activate = %s: %s is off", section,
                    value, name);
    } else {
        doctor_ok(d, id, "%s is activated in [%s]", name, section);
    }
}

static void check_default(struct doctor *d, const CONF_VALUE *v)
{
    if (v) {
        check_activate(d, "default", v->value, "the default provider");
        return;
    }
    char fix[DOCTOR_FIX];
    snprintf(fix, sizeof(fix),
             "write `default = default_sect` first in [%s], and `activate = 1` "
             "in [default_sect]",
             d->providers);
    doctor_fail(d, "default", fix,
                "the default provider is not named in [%s]: with any other "
                "active, digests, TLS and ordinary keys are gone",
                d->providers);
}

static void check_mpc(struct doctor *d, const CONF_VALUE *v)
{
    char fix[DOCTOR_FIX];
    if (!v) {
        snprintf(fix, sizeof(fix),
                 "write `mpc = mpc_sect` in [%s], and [mpc_sect] as in "
                 "openssl.cnf.d/mpc.cnf",
                 d->providers);
        doctor_fail(d, "mpc", fix, "the mpc provider is not named in [%s]",
                    d->providers);
        return;
    }
    d->mpc = v->value;
    snprintf(d->name, sizeof(d->name), "%s", v->name);
    check_activate(d, "mpc", d->mpc, "the mpc provider");
    if (strcmp(v->name, "mpc") != 0)
        doctor_warn(d, "mpc", "name it mpc",
                    "it is called %s there: `-provider mpc` is another one",
                    v->name);
}

static void check_order(struct doctor *d, int at_default, int at_mpc)
{
    char fix[DOCTOR_FIX];
    if (at_default < 0 || at_mpc < 0)
        return;
    if (at_default < at_mpc) {
        doctor_ok(d, "order", "default comes before %s", d->name);
        return;
    }
    snprintf(fix, sizeof(fix), "put `default = ...` before `%s = ...` in [%s]",
             d->name, d->providers);
    doctor_warn(d, "order", fix,
                "%s comes before default: a program that brings its own "
                "libcrypto cannot make ordinary Ed25519 keys then",
                d->name);
}

static void follow(struct doctor *d)
{
    STACK_OF(CONF_VALUE) *list = NCONF_get_section(d->conf, d->providers);
    const CONF_VALUE *ours = NULL;
    const CONF_VALUE *defaults = NULL;
    int at_ours = -1;
    int at_default = -1;
    for (int i = 0; i < sk_CONF_VALUE_num(list); i++) {
        const CONF_VALUE *v = sk_CONF_VALUE_value(list, i);
        if (strcmp(v->name, "default") == 0) {
            defaults = v;
            at_default = i;
        } else if (!ours && is_ours(d, v)) {
            ours = v;
            at_ours = i;
        }
    }
    doctor_ok(d, "sections", "openssl_conf = %s, providers = %s", d->init,
              d->providers);
    check_default(d, defaults);
    check_mpc(d, ours);
    check_order(d, at_default, at_ours);
}

/* Properties of every fetch that names none. */
static void check_properties(struct doctor *d)
{
    const char *section = get(d, d->init, "alg_section");
    const char *value = section ? get(d, section, "default_properties") : NULL;
    if (!value)
        return;
    char fix[DOCTOR_FIX];
    snprintf(fix, sizeof(fix), "remove default_properties from [%s]", section);
    if (strstr(value, "provider"))
        doctor_fail(d, "properties", fix,
                    "default_properties = %s: every use of OpenSSL is steered "
                    "by it, genpkey fails or mpc is passed over",
                    value);
    else
        doctor_warn(d, "properties", fix,
                    "default_properties = %s: mpc is passed over unless it "
                    "has them",
                    value);
}

void doctor_conf(struct doctor *d)
{
    if (!find_file(d) || !parse_file(d) || !find_init(d))
        return;
    follow(d);
    check_properties(d);
}

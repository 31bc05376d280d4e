/* SPDX-License-Identifier: Apache-2.0 */
/* Options from environment, file and defaults; see conf.h. */
#include "base/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/conf.h>
#include <openssl/err.h>

#include "base/file.h"
#include "base/own.h"

#define CONF_FILE_MAX (256 * 1024)

OWNED_BY(CONF, NCONF_free);

struct conf {
    const struct conf_option *options;
    char **values; /* one per option, NULL where unset */
    size_t n;
};

/* CONF keeps no lines: find `key` at the start of one, for the message. */
static int line_of(const char *path, const char *key)
{
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    if (file_read(&text, &len, path, CONF_FILE_MAX) != RC_OK)
        return 0;
    int line = 1;
    size_t key_len = strlen(key);
    for (const char *p = (const char *)text; p && *p; line++) {
        p += strspn(p, " \t");
        const char *after = p + key_len;
        if (strncmp(p, key, key_len) == 0 && after[strspn(after, " \t")] == '=')
            return line;
        p = strchr(p, '\n');
        if (p)
            p++;
    }
    return 0;
}

static enum rc set_value(struct conf *c, const char *path, const CONF_VALUE *v)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->options[i].key, v->name) != 0)
            continue;
        if (strlen(v->value) > CONF_VALUE_MAX)
            return rc_raise(RC_PARSE, "%s:%d: %s: over %d bytes", path,
                            line_of(path, v->name), v->name, CONF_VALUE_MAX);
        c->values[i] = strdup(v->value);
        return c->values[i] ? RC_OK : rc_raise(RC_NOMEM, "config");
    }
    enum rc rc = rc_raise(RC_PARSE, "%s:%d: %s: unknown key", path,
                          line_of(path, v->name), v->name);
    rc_hint("see mpc.conf(5) for the keys of this program");
    return rc;
}

static enum rc load_file(struct conf *c, const char *path, const char *section)
{
    OWNED(CONF) *nc = NCONF_new(NULL);
    if (!nc)
        return rc_raise(RC_NOMEM, "config");
    long line = 0;
    ERR_clear_error();
    if (NCONF_load(nc, path, &line) <= 0) {
        if (line > 0)
            return rc_raise(RC_PARSE, "%s:%ld: not in openssl.cnf syntax", path,
                            line);
        return rc_raise(RC_IO, "%s: cannot be read", path);
    }
    STACK_OF(CONF_VALUE) *values = NCONF_get_section(nc, section);
    if (!values)
        return rc_raise(RC_PARSE, "%s: section [%s] is missing", path, section);
    for (int i = 0; i < sk_CONF_VALUE_num(values); i++)
        TRY(set_value(c, path, sk_CONF_VALUE_value(values, i)));
    return RC_OK;
}

enum rc conf_load(struct conf **out, const char *path, const char *section,
                  const struct conf_option *options)
{
    size_t n = 0;
    while (options[n].key)
        n++;
    struct conf *c = calloc(1, sizeof(*c));
    char **values = calloc(n + 1, sizeof(*values));
    if (!c || !values) {
        free(c);
        free(values);
        return rc_raise(RC_NOMEM, "config");
    }
    *c = (struct conf){ options, values, n };
    enum rc rc = path ? load_file(c, path, section) : RC_OK;
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        const char *env = options[i].env ? getenv(options[i].env) : NULL;
        const char *use = env ? env : values[i] ? NULL : options[i].dflt;
        if (!use)
            continue;
        free(values[i]);
        values[i] = strdup(use);
        if (!values[i])
            rc = rc_raise(RC_NOMEM, "config");
    }
    if (rc != RC_OK) {
        conf_free(c);
        return rc;
    }
    *out = c;
    return RC_OK;
}

void conf_free(struct conf *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++)
        free(c->values[i]);
    free(c->values);
    free(c);
}

const char *conf_get(const struct conf *c, const char *key)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->options[i].key, key) == 0)
            return c->values[i];
    return NULL;
}

static const char *env_of(const struct conf *c, const char *key)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->options[i].key, key) == 0)
            return c->options[i].env;
    return NULL;
}

enum rc conf_need(const char **out, const struct conf *c, const char *key)
{
    const char *v = conf_get(c, key);
    if (!v || !*v) {
        const char *env = env_of(c, key);
        enum rc rc = rc_raise(RC_ARG, "config: %s is not set", key);
        rc_hint("set it in the config file%s%s", env ? " or as " : "",
                env ? env : "");
        return rc;
    }
    *out = v;
    return RC_OK;
}

enum rc conf_bool(bool *out, const struct conf *c, const char *key)
{
    const char *v;
    TRY(conf_need(&v, c, key));
    static const char *const yes[] = { "yes", "true", "1", "on" };
    static const char *const no[] = { "no", "false", "0", "off" };
    for (int i = 0; i < 4; i++) {
        if (strcmp(v, yes[i]) == 0 || strcmp(v, no[i]) == 0) {
            *out = strcmp(v, yes[i]) == 0;
            return RC_OK;
        }
    }
    return rc_raise(RC_PARSE, "config: %s: want yes or no", key);
}

enum rc conf_int(int64_t *out, const struct conf *c, const char *key,
                 int64_t min, int64_t max)
{
    const char *v;
    TRY(conf_need(&v, c, key));
    char *end;
    long long n = strtoll(v, &end, 10);
    if (end == v || *end || n < min || n > max)
        return rc_raise(RC_PARSE,
                        "config: %s: %.40s: want a number, %lld to %lld", key,
                        v, (long long)min, (long long)max);
    *out = n;
    return RC_OK;
}

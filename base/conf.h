/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration: OpenSSL's own CONF syntax, one table of options per program,
 * environment over file, unknown keys refused with file and line.
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"

#define CONF_VALUE_MAX 1024

struct conf_option {
    const char *key;  /* in the file */
    const char *env;  /* environment variable that wins, or NULL */
    const char *dflt; /* default, or NULL for none */
    const char *help; /* one line */
};

struct conf;

/*
 * Reads section `section` of the file at path (path NULL: environment and
 * defaults only). RC_PARSE names file, line and key of what is unknown,
 * repeated or too long. Free with conf_free().
 *
 * options  ends with a row whose key is NULL; kept by reference
 */
MUST_CHECK enum rc conf_load(struct conf **out, const char *path,
                             const char *section,
                             const struct conf_option *options);
void conf_free(struct conf *c);

/* Borrowed; NULL where nothing is set and there is no default. */
const char *conf_get(const struct conf *c, const char *key);
/* RC_ARG naming the key when it is missing. */
MUST_CHECK enum rc conf_need(const char **out, const struct conf *c,
                             const char *key);
/* yes/no, true/false, 1/0 */
MUST_CHECK enum rc conf_bool(bool *out, const struct conf *c, const char *key);
MUST_CHECK enum rc conf_int(int64_t *out, const struct conf *c, const char *key,
                            int64_t min, int64_t max);

#endif

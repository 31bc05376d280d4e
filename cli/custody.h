/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `custodian` and `key backup | recover | export-share` share. A
 * custodian's key and the share it opens are in secret_new() memory of a
 * process that dumps no core, and are wiped.
 */
#ifndef CLI_CUSTODY_H
#define CLI_CUSTODY_H

#include "cli/inner.h"
#include "custody/custody.h"

/* secret_new() memory. */
struct custody_secrets {
    struct custody_key key;
    struct frost_scalar share;
    char text[CUSTODY_KEY_TEXT_MAX];
    char passphrase[256];
};

/*
 * One line of FILE, or from the terminal when file is NULL; twice where it is
 * new. Secret.
 */
MUST_CHECK enum rc custody_ask_passphrase(struct custody_secrets *s,
                                          const char *file, bool fresh);
/* Reads a custodian's key file into s->key, asking where it is locked. */
MUST_CHECK enum rc custody_read_key(struct custody_secrets *s, const char *path,
                                    const char *passphrase_file);

#endif

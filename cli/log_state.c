/* SPDX-License-Identifier: Apache-2.0 */
/* What a monitor keeps between two runs, and what it keeps as evidence. */
#include "cli/log.h"

#include <stdio.h>
#include <string.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"

OWNED_STRUCT(tlog_watch);

#define STATE_MAX ((size_t)4 * 1024 * 1024 * 1024)
#define SHORT     16 /* hex digits of a digest in a file's name */

static enum rc default_dir(char out[CLI_PATH])
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int n = -1;
    if (state && *state)
        n = snprintf(out, CLI_PATH, "%s/mpcsign", state);
    else if (home && *home)
        n = snprintf(out, CLI_PATH, "%s/.local/state/mpcsign", home);
    if (n < 0 || n >= CLI_PATH)
        return rc_raise(RC_ARG, "--state is missing, and neither "
                                "XDG_STATE_HOME nor HOME says where to keep "
                                "what was seen");
    return RC_OK;
}

enum rc cli_log_state_path(char out[CLI_PATH], const char *given,
                           const struct tlog_vkey *key)
{
    char dir[CLI_PATH];
    char vkey[TLOG_VKEY_MAX];
    char hex[65];
    uint8_t h[32];
    int n;
    if (given) {
        n = snprintf(out, CLI_PATH, "%s", given);
    } else {
        TRY(default_dir(dir));
        TRY(file_mkdirs(dir, 0700));
        tlog_vkey_text(vkey, key);
        hash256(h, vkey, strlen(vkey));
        n = snprintf(out, CLI_PATH, "%s/log-%.*s.watch", dir, SHORT,
                     enc_hex(hex, h, 32));
    }
    if (n < 1 || n >= CLI_PATH - 32) /* evidence has a longer name */
        return rc_raise(RC_ARG, "--state: want a path of at most %d bytes",
                        CLI_PATH - 33);
    return RC_OK;
}

enum rc cli_log_state_load(struct tlog_watch **w, struct tlog_follow *f,
                           bool *found, const char *path,
                           const struct tlog_vkey *key)
{
    OWNED_MEM uint8_t *text = NULL;
    size_t len;
    enum rc rc = file_read(&text, &len, path, STATE_MAX);
    if (found)
        *found = rc == RC_OK;
    if (rc == RC_UNKNOWN) {
        memset(f, 0, sizeof(*f));
        return tlog_watch_new(w);
    }
    TRY(rc);
    rc = tlog_watch_load(w, f, key, (const char *)text, len);
    if (rc == RC_OK)
        return RC_OK;
    rc = rc_prefix(rc, "%s: ", path);
    rc_hint("another --state begins anew, and cannot tell a fork from what "
            "was seen before");
    return rc;
}

enum rc cli_log_state_save(const char *path, const struct tlog_watch *w,
                           const struct tlog_follow *f,
                           const struct tlog_vkey *key)
{
    OWNED_MEM char *text = NULL;
    size_t len;
    TRY(tlog_watch_save(&text, &len, w, f, key));
    return file_write(path, text, len, 0600);
}

/* Named by what it holds: the same again is the same file. */
enum rc cli_log_evidence(char out[CLI_PATH], const char *state,
                         const char *note)
{
    uint8_t h[32];
    char hex[65];
    hash256(h, note, strlen(note));
    snprintf(out, CLI_PATH, "%.*s.note-%.*s", CLI_PATH - 32, state, SHORT,
             enc_hex(hex, h, 32));
    return file_write(out, note, strlen(note), 0644);
}

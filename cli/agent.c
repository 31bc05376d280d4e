/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the agent's keys is whose: ssh-add lists, the policy knows. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/session.h"

#define LIST_MAX 65536
#define LIST_MS  10000

static enum rc no_key(const char *why, const char *person)
{
    enum rc rc = rc_raise(RC_UNKNOWN, "no key to sign with: %s%s%s", why,
                          person ? " of " : "", person ? person : "");
    rc_hint("name one: --ssh-key FILE, or --device auto for a security key");
    return rc;
}

/* ssh-keygen wants a file that names the key. */
static enum rc write_line(char file[CLI_PATH], const char *line, size_t len)
{
    const char *dir = getenv("TMPDIR");
    OWNED_FD fd = -1;
    if (snprintf(file, CLI_PATH, "%s/mpcsign-XXXXXX",
                 dir && *dir ? dir : "/tmp") >= CLI_PATH)
        return rc_raise(RC_ARG, "TMPDIR: name too long");
    fd = mkostemp(file, O_CLOEXEC);
    if (fd < 0 || write(fd, line, len) != (ssize_t)len ||
        write(fd, "\n", 1) != 1)
        return rc_raise(RC_IO, "%s: cannot be written", file);
    return RC_OK;
}

enum rc agent_find(char file[CLI_PATH], const struct policy_person **who,
                   const struct policy *p, const char *person)
{
    static const char *const argv[] = { "ssh-add", "-L", NULL };
    OWNED_MEM char *list = malloc(LIST_MAX);
    int status;
    const char *agent = getenv("SSH_AUTH_SOCK");
    if (!agent || !*agent)
        return no_key("no ssh-agent runs, and no key file is named", NULL);
    if (!list)
        return rc_raise(RC_NOMEM, "agent: out of memory");
    TRY(cli_child(list, LIST_MAX, &status, argv[0], argv, LIST_MS));
    for (const char *at = list; status == 0 && *at;) {
        size_t len = strcspn(at, "\n");
        uint8_t key[32];
        const struct policy_person *owner = ssh_public_line(key, at, len) ==
                                                            RC_OK
                                                    ? ssh_owner(p, key)
                                                    : NULL;
        if (owner && (!person || strcmp(owner->id, person) == 0)) {
            *who = owner;
            return write_line(file, at, len);
        }
        at += len + (at[len] == '\n');
    }
    return no_key("the ssh-agent holds none", person ? person : "this policy");
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list is looked at, not parsed ahead: it may change at any moment. The
 * page that a test writes into is shared memory, so that a place in the vault,
 * which may open no file, sees it too.
 */
#include "base/failpoint.h"

#ifdef MPC_SIMULATED_TEE

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/own.h"

#define LIST_MAX 4096

/* clang-format off */
#define NAME(name) #name,
static const char *const names[FAILPOINT__COUNT] = { FAILPOINT_TABLE(NAME) };
/* clang-format on */

/* [LIST_MAX], or NULL. volatile: another process writes it. */
static const volatile char *list;

static char fixed[LIST_MAX];

static enum rc map_page(const char *dir)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%ld", dir, (long)getpid());
    OWNED_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, LIST_MAX) != 0)
        return rc_raise(RC_IO, "MPC_FAILPOINT: %s: %s", path, strerror(errno));
    void *p = mmap(NULL, LIST_MAX, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return rc_raise(RC_IO, "MPC_FAILPOINT: %s: %s", path, strerror(errno));
    list = p;
    return RC_OK;
}

enum rc failpoint_init(void)
{
    const char *text = getenv("MPC_FAILPOINT");
    if (!text || !*text)
        return RC_OK;
    if (*text == '/')
        return map_page(text);
    if (strlen(text) >= sizeof(fixed))
        return rc_raise(RC_ARG, "MPC_FAILPOINT: over %zu characters",
                        sizeof(fixed) - 1);
    memcpy(fixed, text, strlen(text) + 1);
    list = fixed;
    return RC_OK;
}

/* "NAME:WHAT" among the list's words. */
static bool listed(const char *words, const char *name, const char *what)
{
    char want[128];
    int len = snprintf(want, sizeof(want), "%s:%s", name, what);
    for (const char *at = words; (at = strstr(at, want)); at++) {
        bool begins = at == words || at[-1] == ',';
        char after = at[len];
        if (begins && (after == '\0' || after == ',' || after == '\n'))
            return true;
    }
    return false;
}

static void (*watcher)(enum failpoint at, const char *name);

void failpoint_watch(void (*seen)(enum failpoint at, const char *name))
{
    watcher = seen;
}

void failpoint_hit(enum failpoint at)
{
    char words[LIST_MAX + 1] = { 0 };
    if (watcher)
        watcher(at, names[at]);
    if (!list || !list[0])
        return;
    for (size_t i = 0; i < LIST_MAX && list[i]; i++)
        words[i] = list[i];
    if (listed(words, names[at], "kill"))
        raise(SIGKILL);
    if (listed(words, names[at], "stop"))
        raise(SIGSTOP); /* this thread too, at once */
}

#endif

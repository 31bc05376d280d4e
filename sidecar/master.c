/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper's life: forked, closed in, asked for keys, ended. Its error comes
 * back by a second pipe, in words.
 */
#include "sidecar/master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/own.h"
#include "base/secret.h"

#define HELPER_S  120 /* a person may have to type */
#define WORDS_MAX 1024

/* ---- inside the helper --------------------------------------------------- */

enum rc master_leave(int fd, enum vault_master m, const uint8_t key[32])
{
    WIPED_BYTES(record, VAULT_MASTER_RECORD);
    struct bytes_writer w = bytes_writer(record, VAULT_MASTER_RECORD);
    bytes_put_u16(&w, (uint16_t)m);
    bytes_put(&w, key, 32);
    /* less than PIPE_BUF: whole or not at all */
    if (write(fd, record, w.len) != (ssize_t)w.len)
        return rc_raise(RC_IO, "master key: cannot be handed over: %s",
                        strerror(errno));
    return RC_OK;
}

enum rc master_file(uint8_t *out, size_t *len, size_t cap, const char *what,
                    const char *path)
{
    OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rc_raise(RC_ARG, "%s: %s: %s", what, path, strerror(errno));
    size_t got = 0;
    ssize_t n;
    while (got < cap && (n = read(fd, out + got, cap - got)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rc_raise(RC_IO, "%s: %s: %s", what, path, strerror(errno));
        got += (size_t)n;
    }
    if (got == cap)
        return rc_raise(RC_TOO_LARGE, "%s: %s: %zu bytes and more", what, path,
                        cap);
    if (got > 0 && out[got - 1] == '\n')
        got--;
    if (got == 0)
        return rc_raise(RC_ARG, "%s: %s is empty", what, path);
    *len = got;
    return RC_OK;
}

/* A private process: what it holds ends with it. */
static enum rc close_in(int keep, int words)
{
    int low = keep < words ? keep : words;
    int high = keep < words ? words : keep;
    TRY(secret_process());
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGALRM, SIG_DFL);
    alarm(HELPER_S);
    if ((low > 3 && close_range(3, (unsigned)low - 1, 0) != 0) ||
        (high > low + 1 &&
         close_range((unsigned)low + 1, (unsigned)high - 1, 0) != 0) ||
        close_range((unsigned)high + 1, ~0u, 0) != 0)
        return rc_raise(RC_INTERNAL, "helper: close descriptors: %s",
                        strerror(errno));
    return RC_OK;
}

static enum rc ask_all(int fd, const enum vault_master *list, unsigned n,
                       const struct master_config *c)
{
    for (unsigned i = 0; i < n; i++) {
        if (list[i] == VAULT_PKCS11)
            TRY(master_pkcs11(fd, c));
        if (list[i] == VAULT_PASSPHRASE)
            TRY(master_passphrase(fd, c));
    }
    return RC_OK;
}

/* u8 rc, LP16 text, LP16 hint */
static void tell(int words, enum rc rc)
{
    uint8_t buf[WORDS_MAX];
    struct bytes_writer w = bytes_writer(buf, sizeof(buf));
    bytes_put_u8(&w, (uint8_t)rc);
    bytes_put_lp16(&w, rc_text(), strnlen(rc_text(), 600));
    bytes_put_lp16(&w, rc_hint_text(), strnlen(rc_hint_text(), 300));
    if (write(words, buf, w.len) < 0)
        _exit(1); /* the status says it, if not why */
}

static _Noreturn void helper(int fd, int words, const enum vault_master *list,
                             unsigned n, const struct master_config *c)
{
    enum rc rc = close_in(fd, words);
    if (rc == RC_OK)
        rc = ask_all(fd, list, n, c);
    if (rc != RC_OK)
        tell(words, rc);
    _exit(rc == RC_OK ? 0 : 1);
}

/* ---- outside ------------------------------------------------------------- */

static enum rc its_words(const uint8_t *buf, size_t len)
{
    struct bytes_reader r = bytes_reader(buf, len);
    size_t n_text;
    size_t n_hint;
    enum rc rc = (enum rc)bytes_get_u8(&r);
    const uint8_t *text = bytes_take_lp16(&r, &n_text);
    const uint8_t *hint = bytes_take_lp16(&r, &n_hint);
    if (r.failed || rc == RC_OK || (unsigned)rc >= RC__COUNT)
        return rc_raise(RC_INTERNAL, "master key: the helper ended and did "
                                     "not say why");
    char words[400];
    snprintf(words, sizeof(words), "%.*s", (int)n_hint, (const char *)hint);
    rc = rc_raise(rc, "%.*s", (int)n_text, (const char *)text);
    if (words[0])
        rc_hint("%s", words);
    return rc;
}

static enum rc wait_for(pid_t pid, int words)
{
    uint8_t buf[WORDS_MAX];
    size_t len = 0;
    int status;
    for (ssize_t n; len < sizeof(buf); len += (size_t)n) {
        n = read(words, buf + len, sizeof(buf) - len);
        if (n < 0 && errno == EINTR)
            n = 0;
        else if (n <= 0)
            break;
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return rc_raise(RC_INTERNAL, "master key: wait: %s",
                            strerror(errno));
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return rc_raise(RC_TIMEOUT, "master key: not there after %d s",
                        HELPER_S);
    if (WIFSIGNALED(status))
        return rc_raise(RC_INTERNAL,
                        "master key: the helper ended by signal "
                        "%d (a module's fault?)",
                        WTERMSIG(status));
    return status == 0 ? RC_OK : its_words(buf, len);
}

static enum rc passphrase_check(const enum vault_master *list, unsigned n,
                                const struct master_config *c)
{
    for (unsigned i = 0; i < n && !c->simulated; i++)
        if (list[i] == VAULT_PASSPHRASE) {
            enum rc rc = rc_raise(RC_ARG, "master_key: passphrase is for "
                                          "simulated hardware only");
            rc_hint("whoever knows it opens a copied disk anywhere: want "
                    "snp+peers or pkcs11");
            return rc;
        }
    return RC_OK;
}

enum rc master_run(int *fd, const enum vault_master *list, unsigned n,
                   const struct master_config *c)
{
    bool any = false;
    for (unsigned i = 0; i < n; i++)
        any = any || list[i] == VAULT_PKCS11 || list[i] == VAULT_PASSPHRASE;
    *fd = -1;
    if (!any)
        return RC_OK;
    TRY(passphrase_check(list, n, c));
    int keys[2];
    int words[2];
    if (pipe2(keys, O_CLOEXEC) != 0)
        return rc_raise(RC_IO, "master key: pipe: %s", strerror(errno));
    OWNED_FD keys_in = keys[0];
    if (pipe2(words, O_CLOEXEC) != 0) {
        close(keys[1]);
        return rc_raise(RC_IO, "master key: pipe: %s", strerror(errno));
    }
    OWNED_FD words_in = words[0];
    pid_t pid = fork();
    if (pid == 0)
        helper(keys[1], words[1], list, n, c);
    close(keys[1]);
    close(words[1]);
    if (pid < 0)
        return rc_raise(RC_IO, "master key: fork: %s", strerror(errno));
    TRY(wait_for(pid, words_in));
    *fd = TAKE_FD(keys_in);
    return RC_OK;
}

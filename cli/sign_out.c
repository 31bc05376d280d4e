/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mpcsign sign leaves behind: every file that was asked for, or none.
 * They are small and kept in memory until all is made and judged; then each
 * is written whole beside its name, and only then do they take their names.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/sign.h"

static const char *const options[SIGN_OUTPUTS] = { "-s", "--cms", "--sigstore",
                                                   "--cert", "--bundle" };

/* ---- before anybody is asked --------------------------------------------- */

static void dir_of(char out[PATH_MAX], const char *path)
{
    snprintf(out, PATH_MAX, "%s", path);
    char *slash = strrchr(out, '/');
    if (!slash)
        snprintf(out, PATH_MAX, ".");
    else
        slash[slash == out] = '\0';
}

/* A device or pipe is written to; anything else is replaced. */
static bool is_stream(const struct stat *st)
{
    return S_ISCHR(st->st_mode) || S_ISFIFO(st->st_mode);
}

static enum rc check_name(const char *option, const char *path)
{
    char dir[PATH_MAX];
    struct stat st;
    bool there = stat(path, &st) == 0;
    if (!*path || strlen(path) + 8 >= PATH_MAX)
        return rc_raise(RC_ARG, "%s: no such name is possible", option);
    if (there && is_stream(&st))
        return RC_OK;
    if (there && !S_ISREG(st.st_mode))
        return rc_raise(RC_ARG, "%s: %s is no file", option, path);
    dir_of(dir, path);
    if (access(dir, W_OK | X_OK) != 0)
        return rc_raise(RC_IO, "%s: nothing can be written in %s: %s", option,
                        dir, strerror(errno));
    return RC_OK;
}

/* Links followed, as far as they lead to something. */
static void resolve(char out[PATH_MAX], const char *path)
{
    char dir[PATH_MAX];
    char full[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (realpath(path, out))
        return;
    dir_of(dir, path);
    bool known = realpath(dir, full);
    int n = snprintf(out, PATH_MAX, "%s%s%s", known ? full : "",
                     known ? "/" : "", known && slash ? slash + 1 : path);
    if (n >= PATH_MAX)
        out[0] = '\0'; /* longer than any name: creating it says so */
}

static bool same_file(const char *a, const char *b)
{
    struct stat x;
    struct stat y;
    char to_a[PATH_MAX];
    char to_b[PATH_MAX];
    resolve(to_a, a);
    resolve(to_b, b);
    if (stat(a, &x) != 0 || stat(b, &y) != 0)
        return strcmp(to_a, to_b) == 0;
    return x.st_dev == y.st_dev && x.st_ino == y.st_ino && !is_stream(&x);
}

enum rc sign_out_check(const struct sign *g)
{
    for (unsigned i = 0; i < SIGN_OUTPUTS; i++) {
        const char *path = g->out[i].path;
        if (!path)
            continue;
        TRY(check_name(options[i], path));
        if (same_file(path, g->file))
            return rc_raise(RC_ARG, "%s: %s is what is to be signed",
                            options[i], path);
        for (unsigned k = 0; k < i; k++)
            if (g->out[k].path && same_file(path, g->out[k].path))
                return rc_raise(RC_ARG, "%s and %s: the same file %s",
                                options[k], options[i], path);
    }
    return RC_OK;
}

/* ---- all of them --------------------------------------------------------- */

struct staged {
    char path[PATH_MAX]; /* links followed */
    char tmp[PATH_MAX];  /* "": nothing beside it yet, or no more */
    int stream;          /* written to instead; -1 */
};

static enum rc write_all(int fd, const char *path, const struct sign_file *f)
{
    for (size_t at = 0; at < f->len;) {
        ssize_t n = write(fd, f->bytes + at, f->len - at);
        if (n < 0 && errno != EINTR)
            return rc_raise(RC_IO, "write %s: %s", path, strerror(errno));
        at += n > 0 ? (size_t)n : 0;
    }
    return RC_OK;
}

static enum rc open_stream(struct staged *s, const char *path)
{
    s->stream = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return s->stream >= 0
                   ? RC_OK
                   : rc_raise(RC_IO, "open %s: %s", path, strerror(errno));
}

static enum rc stage(struct staged *s, const struct sign_file *f)
{
    struct stat st;
    if (stat(f->path, &st) == 0 && is_stream(&st))
        return open_stream(s, f->path);
    resolve(s->path, f->path);
    if (snprintf(s->tmp, sizeof(s->tmp), "%s.XXXXXX", s->path) >=
        (int)sizeof(s->tmp))
        return rc_raise(RC_ARG, "%s: path too long", f->path);
    OWNED_FD fd = mkostemp(s->tmp, O_CLOEXEC);
    if (fd < 0) {
        enum rc rc = rc_raise(RC_IO, "create %s: %s", s->tmp, strerror(errno));
        s->tmp[0] = '\0';
        return rc;
    }
    TRY(write_all(fd, s->path, f));
    if (fchmod(fd, 0644) != 0 || fsync(fd) != 0)
        return rc_raise(RC_IO, "write %s: %s", s->tmp, strerror(errno));
    return RC_OK;
}

static enum rc sync_dir(const char *path)
{
    char dir[PATH_MAX];
    dir_of(dir, path);
    OWNED_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return rc_raise(RC_IO, "fsync %s: %s", dir, strerror(errno));
    return RC_OK;
}

static enum rc place(struct staged *s, const struct sign_file *f)
{
    if (s->stream >= 0)
        return write_all(s->stream, s->path, f);
    if (rename(s->tmp, s->path) != 0)
        return rc_raise(RC_IO, "rename to %s: %s", s->path, strerror(errno));
    s->tmp[0] = '\0';
    return sync_dir(s->path);
}

static enum rc stage_and_place(struct staged *s, const struct sign *g)
{
    for (unsigned i = 0; i < SIGN_OUTPUTS; i++)
        if (g->out[i].path)
            TRY(stage(&s[i], &g->out[i]));
    for (unsigned i = 0; i < SIGN_OUTPUTS; i++)
        if (g->out[i].path)
            TRY(place(&s[i], &g->out[i]));
    return RC_OK;
}

enum rc sign_out_commit(const struct sign *g)
{
    sigset_t stop;
    sigset_t was;
    struct staged *s = calloc(SIGN_OUTPUTS, sizeof(*s));
    if (!s)
        return rc_raise(RC_NOMEM, "outputs: out of memory");
    for (unsigned i = 0; i < SIGN_OUTPUTS; i++)
        s[i].stream = -1;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &stop, &was);
    enum rc rc = stage_and_place(s, g);
    for (unsigned i = 0; i < SIGN_OUTPUTS; i++) {
        if (s[i].tmp[0])
            unlink(s[i].tmp);
        if (s[i].stream >= 0)
            close(s[i].stream);
    }
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    free(s);
    return rc;
}

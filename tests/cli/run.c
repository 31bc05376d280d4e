/* SPDX-License-Identifier: Apache-2.0 */
/* See run.h. */
#include "run.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define OUTPUT_MAX (4 * 1024 * 1024)

const char *run_program;

static char *read_all(int fd)
{
    off_t len = lseek(fd, 0, SEEK_END);
    assert_in_range(len, 0, OUTPUT_MAX);
    char *text = malloc((size_t)len + 1);
    assert_non_null(text);
    assert_int_equal(pread(fd, text, (size_t)len, 0), len);
    text[len] = '\0';
    close(fd);
    return text;
}

static int scratch(void)
{
    char name[] = "/tmp/mpcsign-test-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    assert_true(fd >= 0);
    unlink(name);
    return fd;
}

static void become(const char *program, const char *const *words, int out,
                   int err)
{
    const char *slash = strrchr(program, '/');
    const char *argv[RUN_WORDS + 2] = { slash ? slash + 1 : program };
    for (unsigned i = 0; words[i] && i < RUN_WORDS; i++)
        argv[i + 1] = words[i];
    int null = open("/dev/null", O_RDONLY);
    if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    execvp(program, (char *const *)(uintptr_t)argv);
    _exit(127);
}

void run_tool(struct run *r, const char *program, const char *const *words)
{
    int out = scratch();
    int err = scratch();
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        become(program, words, out, err);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    r->out = read_all(out);
    r->err = read_all(err);
    if (!WIFEXITED(status))
        fail_msg("signal %d\n%s%s", WTERMSIG(status), r->out, r->err);
    r->code = WEXITSTATUS(status);
}

void run_mpcsign(struct run *r, const char *const *words)
{
    run_tool(r, run_program ? run_program : MPC_BUILD_DIR "/bin/mpcsign",
             words);
}

void run_free(struct run *r)
{
    free(r->out);
    free(r->err);
}

json_t *run_json(const struct run *r)
{
    json_error_t error;
    json_t *o = json_loads(r->out, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(o))
        fail_msg("not one JSON object (%s):\n%s%s", error.text, r->out, r->err);
    return o;
}

void dir_make(char out[64])
{
    snprintf(out, 64, "/tmp/mpcsign-test-XXXXXX");
    assert_non_null(mkdtemp(out));
}

static int remove_one(const char *path, const struct stat *st, int what,
                      struct FTW *at)
{
    (void)st;
    (void)what;
    (void)at;
    return remove(path);
}

void dir_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A process ends or halts where its list says, and nowhere else. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/failpoint.h"

#ifdef MPC_SIMULATED_TEE

/* What a child with this list comes to; the pipe lets the test go first. */
static pid_t begin(const char *list, int *go)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        close(ends[0]);
        *go = ends[1];
        return pid;
    }
    char c;
    close(ends[1]);
    setenv("MPC_FAILPOINT", list, 1);
    if (failpoint_init() != RC_OK)
        _exit(2);
    while (read(ends[0], &c, 1) == 1)
        FAILPOINT(follow_marked);
    _exit(0);
}

static int status_of(pid_t pid, int options)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, options), pid);
    return status;
}

static void step(int go)
{
    assert_int_equal(write(go, "x", 1), 1);
}

static void a_list_ends_the_process_at_its_place_only(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        int signal;
    } cases[] = {
        { "follow_marked:kill", SIGKILL },
        { "log_synced:stop,follow_marked:kill", SIGKILL },
        { "log_synced:kill", 0 },
        { "follow_marked:killed", 0 },
        { "not_follow_marked:kill", 0 },
        { "follow_marked", 0 },
        { "", 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int go;
        pid_t pid = begin(cases[i].list, &go);
        step(go);
        close(go);
        int status = status_of(pid, 0);
        assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                         cases[i].signal);
    }
}

static void put(const char *path, const char *list)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, list, strlen(list) + 1, 0),
                     (ssize_t)strlen(list) + 1);
    close(fd);
}

static void a_page_is_read_while_the_process_runs(void **state)
{
    (void)state;
    char dir[] = "/tmp/mpc-failpoint-XXXXXX";
    char path[64];
    int go;
    assert_non_null(mkdtemp(dir));
    pid_t pid = begin(dir, &go);
    snprintf(path, sizeof(path), "%s/%ld", dir, (long)pid);
    while (access(path, R_OK) != 0)
        usleep(1000);
    for (struct stat st = { 0 }; st.st_size < 4096;)
        assert_int_equal(stat(path, &st), 0);
    step(go); /* armed by nobody */
    put(path, "follow_marked:stop");
    step(go);
    assert_true(WIFSTOPPED(status_of(pid, WUNTRACED)));
    put(path, "follow_marked:kill");
    step(go);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(WTERMSIG(status_of(pid, 0)), SIGKILL);
    close(go);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_ends_the_process_at_its_place_only),
        cmocka_unit_test(a_page_is_read_while_the_process_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
int main(void)
{
    return 0;
}
#endif

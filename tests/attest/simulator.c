/* SPDX-License-Identifier: Apache-2.0 */
#include "simulator.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/hash.h"

#define SNPSIM MPC_BUILD_DIR "/bin/mpc-snpsim"

int run_program(char *const argv[], char *out, size_t out_size)
{
    int p[2];
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(p[1], 1);
        execv(argv[0], argv);
        _exit(127);
    }
    close(p[1]);
    size_t at = 0;
    char sink[256];
    ssize_t n;
    for (;;) {
        bool keep = out && at + 1 < out_size;
        n = keep ? read(p[0], out + at, out_size - 1 - at)
                 : read(p[0], sink, sizeof(sink));
        if (n <= 0)
            break;
        at += keep ? (size_t)n : 0;
    }
    close(p[0]);
    if (out)
        out[at] = '\0';
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void init(struct simulator *s, const char *option, const char *value,
                 const char *chip)
{
    memset(s, 0, sizeof(*s));
    strcpy(s->dir, "/tmp/mpc-sim-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->socket, sizeof(s->socket), "%s/sock", s->dir);
    snprintf(s->device, sizeof(s->device), "sim:%s", s->socket);
    char *argv[] = { (char *)(uintptr_t)SNPSIM,
                     (char *)(uintptr_t) "init",
                     s->dir,
                     (char *)(uintptr_t) "--chip",
                     (char *)(uintptr_t)chip,
                     (char *)(uintptr_t)(value ? option : NULL),
                     (char *)(uintptr_t)value,
                     NULL };
    assert_int_equal(run_program(argv, NULL, 0), 0);
    char path[128];
    snprintf(path, sizeof(path), "%s/ark.der", s->dir);
    uint8_t *der = NULL;
    size_t len;
    assert_ok(file_read(&der, &len, path, 8192));
    hash256(s->ark, der, len);
    free(der);
}

void simulator_init(struct simulator *s, const char *roots, const char *chip)
{
    init(s, "--roots", roots, chip);
}

void simulator_init_product(struct simulator *s, const char *product,
                            const char *chip)
{
    init(s, "--product", product, chip);
}

void simulator_start(struct simulator *s, const char *host_data_hex)
{
    int p[2];
    assert_int_equal(pipe(p), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        char fd[16];
        snprintf(fd, sizeof(fd), "%d", p[1]);
        close(p[0]);
        if (!freopen("/dev/null", "w", stderr))
            _exit(126);
        execl(SNPSIM, SNPSIM, "serve", s->dir, "--socket", s->socket,
              "--ready-fd", fd, "--host-data", host_data_hex, NULL);
        _exit(127);
    }
    close(p[1]);
    char word[16] = "";
    assert_int_equal(read(p[0], word, sizeof(word)), 6);
    assert_string_equal(word, "ready\n");
    close(p[0]);
}

void simulator_stop(struct simulator *s)
{
    int status;
    assert_true(s->pid > 0); /* kill(0) would be ourselves */
    assert_int_equal(kill(s->pid, SIGTERM), 0);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    s->pid = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_not_equal(access(s->socket, F_OK), 0);
}

void simulator_remove(struct simulator *s)
{
    static const char *const names[] = {
        "ark.der",  "ark.key",  "ask.der",        "ask.key",
        "vcek.der", "vcek.key", "root.key",       "chip_id",
        "product",  "crl.der",  "vcek-stale.der", "vcek-old.der"
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", s->dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(s->dir), 0);
}

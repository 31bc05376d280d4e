/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the person at the terminal. A secret read here is the caller's
 * to wipe. */
#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

bool prompt_possible(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* Up to a newline; what is over cap - 1 bytes is an error, not a cut. */
static enum rc read_line(char *out, size_t cap, int fd)
{
    size_t at = 0;
    for (;;) {
        char c;
        ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rc_raise(RC_IO, "terminal: %s", strerror(errno));
        if (n == 0 || c == '\n')
            break;
        if (at + 1 == cap)
            return rc_raise(RC_TOO_LARGE, "answer: at most %zu bytes", cap - 1);
        out[at++] = c;
    }
    out[at] = '\0';
    return RC_OK;
}

bool prompt_yes(const char *question)
{
    char answer[16];
    fprintf(stderr, "%s [y/N] ", question);
    return read_line(answer, sizeof(answer), STDIN_FILENO) == RC_OK &&
           (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
}

enum rc prompt_line(char *out, size_t cap, const char *question)
{
    fprintf(stderr, "%s ", question);
    return read_line(out, cap, STDIN_FILENO);
}

/* An interrupt must not leave a terminal without its echo. */
static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
#define N_SIGNALS (sizeof(signals) / sizeof(*signals))
static struct {
    int fd;
    struct termios was;
} quiet; /* what the handler puts right */

static void on_signal(int sig)
{
    (void)tcsetattr(quiet.fd, TCSAFLUSH, &quiet.was);
    signal(sig, SIG_DFL);
    raise(sig); /* it ends us on return */
}

static void catch_signals(struct sigaction before[N_SIGNALS])
{
    struct sigaction a = { .sa_handler = on_signal };
    for (size_t i = 0; i < N_SIGNALS; i++) {
        sigaction(signals[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &a, NULL);
    }
}

static enum rc read_quietly(char *out, size_t cap, const char *question)
{
    struct sigaction before[N_SIGNALS];
    struct termios now = quiet.was;
    now.c_lflag &= ~(tcflag_t)ECHO;
    enum rc rc = RC_OK;
    catch_signals(before);
    if (tcsetattr(quiet.fd, TCSAFLUSH, &now) != 0)
        rc = rc_raise(RC_IO, "terminal: its echo cannot be turned off");
    if (rc == RC_OK) {
        dprintf(quiet.fd, "%s ", question); /* nothing before it counts */
        rc = read_line(out, cap, quiet.fd);
    }
    (void)tcsetattr(quiet.fd, TCSAFLUSH, &quiet.was);
    dprintf(quiet.fd, "\n");
    for (size_t i = 0; i < N_SIGNALS; i++)
        sigaction(signals[i], &before[i], NULL);
    return rc;
}

enum rc prompt_secret(char *out, size_t cap, const char *question)
{
    struct termios was;
    OWNED_FD fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0 || tcgetattr(fd, &was) != 0) {
        enum rc rc = rc_raise(RC_ARG, "%s no terminal to ask at", question);
        rc_hint("run it from a terminal");
        return rc;
    }
    quiet.fd = fd;
    quiet.was = was;
    return read_quietly(out, cap, question);
}

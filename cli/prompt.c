/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the person at the terminal. A secret read here is the caller's
 * to wipe. */
#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
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

enum rc prompt_secret(char *out, size_t cap, const char *question)
{
    struct termios was;
    OWNED_FD fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0 || tcgetattr(fd, &was) != 0) {
        enum rc rc = rc_raise(RC_ARG, "%s no terminal to ask at", question);
        rc_hint("run it from a terminal");
        return rc;
    }
    struct termios quiet = was;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(fd, TCSAFLUSH, &quiet) != 0)
        return rc_raise(RC_IO, "terminal: its echo cannot be turned off");
    dprintf(fd, "%s ", question); /* nothing typed before it counts */
    enum rc rc = read_line(out, cap, fd);
    (void)tcsetattr(fd, TCSAFLUSH, &was);
    dprintf(fd, "\n");
    return rc;
}

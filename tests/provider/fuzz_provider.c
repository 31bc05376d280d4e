/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes from outside into mpc.so: key URIs from command lines and
 * replies from whatever listens on the socket. The first byte chooses.
 */
#include "provider/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define BODY_MAX 4096

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* What was accepted is put together again and must be the input. */
static void uri(const uint8_t *data, size_t size)
{
    char text[600], again[200];
    if (size >= sizeof(text))
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    struct prov_uri u;
    if (prov_uri_parse(&u, text) != RC_OK) {
        check(rc_hint_text()[0] != '\0');
        return;
    }
    snprintf(again, sizeof(again), "%s%s%s", u.name,
             u.session[0] ? "?session=" : "", u.session);
    check(strcmp(again, text + 4) == 0);
}

static void reply(const uint8_t *data, size_t size)
{
    int fd[2], status = 0;
    if (size > 60000 || socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
        return;
    check(write(fd[1], data, size) == (ssize_t)size);
    close(fd[1]);
    struct prov_reply r = { 0 };
    enum rc rc = prov_reply_read(&r, &status, fd[0], BODY_MAX,
                                 clock_mono_ms() + 60000);
    close(fd[0]);
    if (rc != RC_OK) {
        check(!r.body);
        return;
    }
    check(status >= 200 && status <= 999 && r.len <= BODY_MAX);
    check(prov_reply_problem(status, &r) != RC_OK);
    free(r.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    (data[0] & 1 ? uri : reply)(data + 1, size - 1);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shell lines in a directory of their own, with mpc.so and a fake sidecar
 * behind it: what the tests of real programs share.
 */
#ifndef TESTS_PROVIDER_SHELL_H
#define TESTS_PROVIDER_SHELL_H

#include "test.h"

#include "base/rc.h"
#include "fake.h"

#define MODULES MPC_BUILD_DIR "/lib/ossl-modules"

extern struct fake fake;

int shell_up(void **state);
int shell_down(void **state);

/*
 * Runs a shell line in the fake's directory; stdout and stderr go to files
 * `out` and `err` there. Returns the exit code.
 */
int sh(const char *conf, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Contents of a file of the directory; free() it. */
char *text_of(const char *name);
/* len letters x. */
void file_of(const char *name, size_t len);
/* `err` holds exactly one OpenSSL error, with these words. */
void assert_one_error(const char *words);

#define assert_sh(...)                                                         \
    do {                                                                       \
        if (sh(__VA_ARGS__) != 0)                                              \
            fail_msg("%s", text_of("err"));                                    \
    } while (0)

#endif

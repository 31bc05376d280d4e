/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the built mpcsign and keeps what it said. */
#ifndef TESTS_CLI_RUN_H
#define TESTS_CLI_RUN_H

#include "test.h"

#include <jansson.h>

struct run {
    int code; /* exit code; a signal fails the test */
    char *out;
    char *err;
};
#define RUN_WORDS 16
/* The program; MPC_BUILD_DIR/bin/mpcsign while NULL. */
extern const char *run_program;
/* words end with NULL; standard input is empty. */
void run_mpcsign(struct run *r, const char *const *words);
/* Another program, by PATH unless it has a slash. */
void run_tool(struct run *r, const char *program, const char *const *words);
#define RUN_TOOL(r, program, ...)                                              \
    run_tool((r), (program), (const char *const[]){ __VA_ARGS__, NULL })
#define RUN(r, ...) run_mpcsign((r), (const char *const[]){ __VA_ARGS__, NULL })
void run_free(struct run *r);
/* stdout is one JSON object; the caller decrefs. */
json_t *run_json(const struct run *r);
/* Fails, with all that was said, unless the exit code is this one. */
#define assert_code(r, want)                                                   \
    do {                                                                       \
        if ((r)->code != (want))                                               \
            fail_msg("exit %d, want %d\n%s%s", (r)->code, (want), (r)->out,    \
                     (r)->err);                                                \
    } while (0)

/* A fresh directory, short enough for sockets; removed by dir_remove(). */
void dir_make(char out[64]);
void dir_remove(const char *dir);

#endif

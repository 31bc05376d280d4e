/* SPDX-License-Identifier: Apache-2.0 */
/* What every test includes first: cmocka wants four std headers before it. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rc.h"

/* Fails with the error's own words. */
#define assert_rc(call, want)                                                  \
    do {                                                                       \
        enum rc got_ = (call);                                                 \
        if (got_ != (want))                                                    \
            fail_msg("%s: %s (%s), want %s", #call, rc_slug(got_), rc_text(),  \
                     rc_slug(want));                                           \
    } while (0)
#define assert_ok(call) assert_rc(call, RC_OK)

/*
 * Directory of the shared vectors: MPC_TESTDATA, else ../shared/testdata
 * beside the source. Missing: fails when CI is set, else skips the test.
 */
static inline const char *testdata(void)
{
    static char dir[512];
    const char *env = getenv("MPC_TESTDATA");
    snprintf(dir, sizeof(dir), "%s",
             env ? env : MPC_SOURCE_DIR "/../shared/testdata");
    if (access(dir, R_OK) == 0)
        return dir;
    if (getenv("CI"))
        fail_msg("no test data at %s: set MPC_TESTDATA", dir);
    print_message("skipped: no test data at %s\n", dir);
    skip();
    return NULL;
}

#endif

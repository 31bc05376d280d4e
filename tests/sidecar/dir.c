/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of the test's own; in memory where the machine has such. */
#include "test.h"

#include <ftw.h>

#include "dir.h"

void dir_make(char dir[DIR_MAX])
{
    const char *in = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(dir, DIR_MAX, "%s/mpc-sidecar-XXXXXX", in);
    assert_non_null(mkdtemp(dir));
}

static int gone(const char *path, const struct stat *st, int type,
                struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void dir_remove(const char *dir)
{
    assert_int_equal(nftw(dir, gone, 8, FTW_DEPTH | FTW_PHYS), 0);
}

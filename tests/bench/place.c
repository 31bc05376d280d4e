/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the simulated cluster of a bench keeps its state: on the disk under
 * the current directory, not in memory as its tests do, so that a sync costs
 * what it costs.
 */
#include "test.h"

#include <ftw.h>

#include "sidecar/dir.h"

void dir_make(char dir[DIR_MAX])
{
    snprintf(dir, DIR_MAX, "bench-XXXXXX");
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

/* SPDX-License-Identifier: Apache-2.0 */
/* The one source of randomness. getrandom(2), never a user-space generator. */
#include "base/rand.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

static int (*fake)(void *out, size_t len);

static int fill_real(uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t n = getrandom(out, len > 256 ? 256 : len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        out += n;
        len -= (size_t)n;
    }
    return 0;
}

enum rc rand_bytes(void *out, size_t len)
{
    if ((fake ? fake(out, len) : fill_real(out, len)) == 0)
        return RC_OK;
    memset(out, 0, len);
    return rc_raise(RC_IO, "randomness: getrandom failed");
}

void rand_replace(int (*fill)(void *out, size_t len))
{
    fake = fill;
}

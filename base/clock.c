/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks and their replacement in tests. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t (*fake_now)(void);
static int64_t (*fake_mono)(void);

int64_t clock_now_s(void)
{
    if (fake_now)
        return fake_now();
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec;
}

int64_t clock_mono_ms(void)
{
    if (fake_mono)
        return fake_mono();
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void clock_replace(int64_t (*now_s)(void), int64_t (*mono_ms)(void))
{
    fake_now = now_s;
    fake_mono = mono_ms;
}

char *clock_text(char out[CLOCK_TEXT_SIZE], int64_t at_s)
{
    time_t t = (time_t)at_s;
    struct tm tm;
    if (!gmtime_r(&t, &tm) ||
        strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(out, CLOCK_TEXT_SIZE, "?");
    return out;
}

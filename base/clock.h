/* SPDX-License-Identifier: Apache-2.0 */
/* Time, as an input: real by default, held still or moved by a test. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* UTC seconds since 1970. */
int64_t clock_now_s(void);
/* Milliseconds on a clock that never steps and counts sleep (BOOTTIME). */
int64_t clock_mono_ms(void);

/* From now on both clocks answer from these; NULL restores the real ones. */
void clock_replace(int64_t (*now_s)(void), int64_t (*mono_ms)(void));

#define CLOCK_TEXT_SIZE 21 /* 2026-11-22T03:35:00Z and NUL */
/* RFC 3339, UTC; returns out. */
char *clock_text(char out[CLOCK_TEXT_SIZE], int64_t at_s);

#endif

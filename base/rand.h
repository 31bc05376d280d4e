/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness, as an input: getrandom by default; a test can seed or fail it. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include "base/rc.h"

/* Fills out, or leaves it zero and returns RC_IO. */
MUST_CHECK enum rc rand_bytes(void *out, size_t len);

/* Replace the source (NULL restores); it returns 0 or -1. Tests only. */
void rand_replace(int (*fill)(void *out, size_t len));

#endif

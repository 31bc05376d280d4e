/* SPDX-License-Identifier: Apache-2.0 */
/* Put in front of each source of test_nomem: its own memory never runs out. */
#ifndef TESTS_SIDECAR_NOMEM_NAMES_H
#define TESTS_SIDECAR_NOMEM_NAMES_H

#include <stdlib.h>
#include <string.h>

void *plenty_malloc(size_t n);
void *plenty_calloc(size_t n, size_t size);
#define malloc(n)       plenty_malloc(n)
#define calloc(n, size) plenty_calloc(n, size)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIDECAR_NOMEM_ALLOC_H
#define TESTS_SIDECAR_NOMEM_ALLOC_H

#include <stdbool.h>

/* Before the first use of SQLite and jansson. */
bool nomem_start(void);
/* The n-th allocation from now on fails, that one alone. */
void nomem_arm(unsigned n);
/* No more; did one fail? */
bool nomem_disarm(void);

#endif

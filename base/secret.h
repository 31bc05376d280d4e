/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for secrets that outlive a function: locked, out of core dumps, with
 * guard pages, wiped when freed. Used by the vault process only.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/rc.h"

/* Zeroed; NULL (and RC_NOMEM text) when it cannot be had or locked. */
void *secret_new(size_t len);
/* Wipes, then frees; NULL is fine. */
void secret_free(void *p);

/*
 * This process holds secrets: no core dump, not dumpable, not traceable by
 * its own uid. Call first thing in the vault child.
 */
MUST_CHECK enum rc secret_process(void);

/*
 * One derived bit becomes public here: tells the constant-time checker that
 * branching on it is meant. No effect in ordinary builds.
 */
void ct_public(const void *p, size_t len);

#endif

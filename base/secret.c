/* SPDX-License-Identifier: Apache-2.0 */
/* Locked memory and a closed process; see secret.h. */
#include "base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <sodium.h>

#ifdef MPC_CT_CHECK
#include <valgrind/memcheck.h>
#endif

void *secret_new(size_t len)
{
    void *p = sodium_malloc(len);
    if (!p) {
        (void)rc_raise(RC_NOMEM, "locked memory: %zu bytes: %s", len,
                       strerror(errno));
        rc_hint("raise LimitMEMLOCK (ulimit -l) to 64 MiB");
        return NULL;
    }
    memset(p, 0, len);
    return p;
}

void secret_free(void *p)
{
    sodium_free(p);
}

enum rc secret_process(void)
{
    struct rlimit none = { 0, 0 };
    if (setrlimit(RLIMIT_CORE, &none) != 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return rc_raise(RC_INTERNAL, "close the process: %s", strerror(errno));
    return RC_OK;
}

void ct_public(const void *p, size_t len)
{
#ifdef MPC_CT_CHECK
    VALGRIND_MAKE_MEM_DEFINED(p, len);
#else
    (void)p;
    (void)len;
#endif
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules that the doctor must survive: BREAKS ends whoever loads it, LACKS
 * needs a function that is nowhere, and without either it is no provider.
 */
#include <stdlib.h>

#if defined(BREAKS)
static void __attribute__((constructor)) breaks(void)
{
    abort();
}
#elif defined(LACKS)
int mpc_test_is_nowhere(void);
int OSSL_provider_init(void);
__attribute__((visibility("default"))) int OSSL_provider_init(void)
{
    return mpc_test_is_nowhere();
}
#else
int mpc_test_is_no_provider(void);
__attribute__((visibility("default"))) int mpc_test_is_no_provider(void)
{
    return abs(-1);
}
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A release build has no simulation, no test key and no local vault. */
#include "test.h"

#include "vault/vault.h"

static void no_local_vault_and_no_test_key(void **state)
{
    (void)state;
    static const uint8_t key[32] = { 1 };
    struct vault *v = NULL;
    struct vault_config config = { .node = 1,
                                   .seal_fd = -1,
                                   .test_seal_key = key };
    assert_rc(vault_local(&v, &config), RC_INTERNAL);
    assert_rc(vault_spawn(&v, &config), RC_INTERNAL);
    config.test_seal_key = NULL;
    config.seal_simulated = true;
    assert_rc(vault_spawn(&v, &config), RC_INTERNAL);
    config.seal_simulated = false;
    assert_rc(vault_spawn(&v, &config), RC_STORE);
    assert_null(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_local_vault_and_no_test_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bridge as it is built where OpenSSL has no ENGINE: nothing happens but
 * one clear error when a key wants it.
 */
#include "test.h"

#include "provider/bridge.h"

static void a_key_for_the_bridge_is_refused_with_the_way_out(void **state)
{
    (void)state;
    struct prov p = { .legacy_bridge = true };
    atomic_init(&p.refs, 1);
    prov_bridge_up(&p);
    assert_rc(prov_bridge_offer(&p), RC_ARG);
    assert_non_null(strstr(rc_text(), "this OpenSSL has no ENGINE"));
    assert_non_null(strstr(rc_hint_text(), "legacy-bridge = no"));
    prov_bridge_down(&p);
}

static void no_context_offers_it(void **state)
{
    (void)state;
    struct prov p = { .legacy_bridge = true }, *home;
    prov_bridge_up(&p);
    assert_rc(prov_bridge_home(&home), RC_ORDER);
    prov_bridge_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_for_the_bridge_is_refused_with_the_way_out),
        cmocka_unit_test(no_context_offers_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

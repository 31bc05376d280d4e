/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One root for each issuer key: what a signer remembers of the one it signed.
 * The signer alone, with its store; a whole root is made in tests/cli.
 */
#include "test.h"

#include "dir.h"
#include "sidecar/inner.h"

struct desk {
    char dir[DIR_MAX], path[DIR_MAX + 16];
    struct node n;
};

static void reopen(struct desk *d)
{
    store_free(TAKE(d->n.w.store));
    assert_ok(store_open(&d->n.w.store, d->path));
}

static enum rc once(struct desk *d, enum policy_session_type type, uint8_t key,
                    const char *tbs)
{
    struct policy_session s = { .type = type };
    struct key k = { .name = "ca", .id = { key } };
    return session_root_once(&d->n, &s, &k, (const uint8_t *)tbs, strlen(tbs));
}

static void one_root_for_each_issuer_key(void **state)
{
    (void)state;
    struct desk *d = calloc(1, sizeof(*d));
    assert_non_null(d);
    dir_make(d->dir);
    snprintf(d->path, sizeof(d->path), "%s/state.db", d->dir);
    assert_ok(store_open(&d->n.w.store, d->path));
    assert_ok(once(d, POLICY_S_ROOT, 1, "root"));
    for (unsigned life = 0; life < 2; life++) {
        assert_ok(once(d, POLICY_S_ROOT, 1, "root"));
        assert_rc(once(d, POLICY_S_ROOT, 1, "another root"), RC_CONFLICT);
        assert_non_null(strstr(rc_text(), "another root for ca"));
        assert_ok(once(d, POLICY_S_SIGN, 1, "a leaf"));
        assert_ok(once(d, POLICY_S_SIGN, 1, "and another"));
        reopen(d);
    }
    assert_ok(once(d, POLICY_S_ROOT, 2, "another root"));
    store_free(d->n.w.store);
    dir_remove(d->dir);
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_root_for_each_issuer_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

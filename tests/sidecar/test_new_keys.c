/* SPDX-License-Identifier: Apache-2.0 */
/* A node whose own keys do not open: it starts empty, follows, says what to
 * do, and finds its old keys again where they open. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "story.h"

#include "sidecar/inner.h"

static const char *const release[] = { "release", NULL };

static void must_say(struct sim *s, unsigned id, const char *part)
{
    char *json = NULL;
    size_t len;
    assert_ok(node_status(s->node[id].node, &json, &len));
    if (!strstr(json, part))
        sim_fail(s, "node%u does not say %s: %s", id, part, json);
    free(json);
}

static void other_chip(struct sim *s, unsigned id)
{
    sim_crash(s, id);
    free(s->node[id].status); /* it forgets, by design */
    s->node[id].status = NULL;
    s->node[id].seal_key[0] ^= 1;
    sim_start(s, id);
}

static void own_keys(struct vault_keys *out, struct sim *s, unsigned id)
{
    node_keys(s->node[id].node, out);
}

static uint64_t version_at(struct sim *s, unsigned id)
{
    struct wire_policy_head head;
    node_policy_head(s->node[id].node, &head);
    return head.version;
}

static void on_another_chip_it_starts_empty_and_says_so(void **state)
{
    (void)state;
    struct vault_keys before, empty, again, back;
    struct sim *s = cluster(release);
    sim_want_ok(s, sign(s, 3, "before"));
    own_keys(&before, s, 3);
    other_chip(s, 3);
    own_keys(&empty, s, 3);
    assert_memory_not_equal(empty.identity, before.identity, 32);
    assert_false(empty.has_roster);
    must_say(s, 3, "mpcsign node upgrade 3 (sealed keys: sealed under another");
    must_say(s, 3, "\"share\":false");
    /* the others sign, and it follows the policy */
    sim_want_ok(s, sign(s, 1, "two of three"));
    s->node[3].keys = before; /* which the next version names still */
    sim_want_ok(s, sim_policy_next(s, 1, NULL, NULL));
    sim_gossip(s);
    sim_run(s, 20000);
    assert_int_equal(version_at(s, 3), version_at(s, 1));
    /* its new keys stay, however often it starts */
    sim_crash(s, 3);
    sim_start(s, 3);
    own_keys(&again, s, 3);
    assert_memory_equal(again.identity, empty.identity, 32);
    must_say(s, 3, "mpcsign node upgrade 3");
    /* on its own chip nothing was lost */
    other_chip(s, 3);
    own_keys(&back, s, 3);
    assert_memory_equal(back.identity, before.identity, 32);
    assert_true(back.has_roster);
    must_say(s, 3, "\"share\":true");
    sim_crash(s, 2);
    sim_want_ok(s, sign(s, 1, "with the one that came back"));
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_another_chip_it_starts_empty_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

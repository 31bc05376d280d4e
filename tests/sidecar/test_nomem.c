/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Out of memory at each allocation of a handler, one after another: a clear
 * error, nothing acknowledged is lost, and the same bytes asked again are
 * served. A peer's handlers are tried as each message arrives; then the
 * message itself comes and finds what was done.
 */
#include "test.h"

#include "nomem_alloc.h"
#include "story.h"

#define ALLOCATIONS_MAX 5000

static const char *const keys[] = { "release", NULL };

/* Peer paths that were tried, and at how many allocations. */
static struct {
    char path[64];
    unsigned times, most, errors;
} tried[16];
static unsigned n_tried;
static bool busy;

static void count(const char *path, unsigned allocations, unsigned errors)
{
    unsigned i = 0;
    while (i < n_tried && strcmp(tried[i].path, path) != 0)
        i++;
    assert_true(i < sizeof(tried) / sizeof(*tried));
    if (i == n_tried)
        snprintf(tried[n_tried++].path, sizeof(tried->path), "%s", path);
    tried[i].times++;
    tried[i].errors += errors;
    tried[i].most = allocations > tried[i].most ? allocations : tried[i].most;
}

/*
 * A disk that has no memory is a disk that failed; and to jansson a word that
 * it has no room for is the end of the text.
 */
static bool is_ours(enum rc rc, const char *words)
{
    return rc == RC_NOMEM || rc == RC_STORE || rc == RC_IO ||
           (rc == RC_PARSE && strstr(words, "not JSON"));
}

static void expect_said(struct sim *s, const char *path, unsigned at,
                        enum rc rc)
{
    if (!is_ours(rc, rc_text()))
        sim_fail(s, "%s, allocation %u: %s (%s)", path, at, rc_slug(rc),
                 rc_text());
    if (rc_text()[0] == '\0')
        sim_fail(s, "%s, allocation %u: no words", path, at);
}

/* Node 2 is asked with these bytes until memory is enough for all of it. */
static void try_peer(struct sim *s, uint32_t from, uint32_t to,
                     const char *path, bool reply, uint8_t **body, size_t *len)
{
    unsigned errors = 0;
    if (busy || reply || to != 2 || !s->node[2].up || !*body)
        return;
    busy = true;
    for (unsigned n = 1; n < ALLOCATIONS_MAX; n++) {
        char *json = NULL;
        size_t json_len;
        (void)rc_raise(RC_INTERNAL, "%s", "");
        nomem_arm(n);
        enum rc rc = node_on_peer(s->node[2].node, from, path, *body, *len,
                                  &json, &json_len);
        bool failed = nomem_disarm();
        if (rc == RC_OK) {
            free(json);
        } else {
            errors++;
            if (failed)
                expect_said(s, path, n, rc);
        }
        if (failed)
            continue;
        if (rc != RC_OK)
            sim_fail(s, "%s: after %u failed allocations: %s (%s)", path, n,
                     rc_slug(rc), rc_text());
        count(path, n - 1, errors);
        busy = false;
        return;
    }
    sim_fail(s, "%s: does not come to an end", path);
}

static void a_peers_handlers_survive_every_failed_allocation(void **state)
{
    (void)state;
    static const char *const wanted[] = { "/v1/policy", "/v1/frost/commit",
                                          "/v1/frost/round2", "/v1/head" };
    struct sim *s = sim_new(1, 3);
    sim_ready(s, keys);
    s->tamper = try_peer;
    sim_want_ok(s, sim_policy_next(s, 1, NULL, NULL));
    sim_run(s, 500);
    sim_crash(s, 3); /* so that node 2 signs */
    for (unsigned i = 0; i < 5; i++)
        sim_want_ok(s, sign(s, 1, "with little memory"));
    sim_start(s, 3);
    sim_gossip(s);
    sim_run(s, 2000);
    s->tamper = NULL;
    for (unsigned i = 0; i < n_tried; i++)
        print_message("%-18s %u times, up to %u allocations, %u errors\n",
                      tried[i].path, tried[i].times, tried[i].most,
                      tried[i].errors);
    for (unsigned w = 0; w < sizeof(wanted) / sizeof(*wanted); w++) {
        unsigned i = 0;
        while (i < n_tried && strcmp(tried[i].path, wanted[w]) != 0)
            i++;
        if (i == n_tried || tried[i].most == 0)
            fail_msg("%s was not tried", wanted[w]);
    }
    /* nothing acknowledged is lost: sim_crash() and sim_start() compare */
    sim_crash(s, 2);
    sim_start(s, 2);
    sim_gossip(s);
    sim_want_ok(s, sign(s, 2, "and all is well"));
    done(s);
}

/* ---- local calls ---------------------------------------------------------------- */

static void local(struct sim *s, const char *path, const void *body, size_t len)
{
    unsigned errors = 0;
    for (unsigned n = 1; n < ALLOCATIONS_MAX; n++) {
        nomem_arm(n);
        unsigned call = sim_ask(s, 1, path, body, len);
        bool failed = nomem_disarm();
        if (!sim_wait(s, call, 70000))
            sim_fail(s, "%s, allocation %u: never answered", path, n);
        enum rc rc = s->call[call].rc;
        errors += rc != RC_OK;
        if (rc != RC_OK && !is_ours(rc, s->call[call].why))
            sim_fail(s, "%s, allocation %u: %s (%s)", path, n, rc_slug(rc),
                     s->call[call].why);
        if (failed)
            continue;
        assert_int_equal(rc, RC_OK);
        print_message("%-18s up to %u allocations, %u errors\n", path, n - 1,
                      errors);
        return;
    }
    sim_fail(s, "%s: does not come to an end", path);
}

static void local_calls_survive_every_failed_allocation(void **state)
{
    (void)state;
    static const char *const gets[] = { "/v1/keys", "/v1/key/release",
                                        "/v1/status", "/v1/policy",
                                        "/v1/sessions" };
    struct sim *s = sim_new(2, 3);
    sim_ready(s, keys);
    for (unsigned i = 0; i < sizeof(gets) / sizeof(*gets); i++)
        local(s, gets[i], NULL, 0);
    sim_want_ok(s, sign(s, 1, "and it signs"));
    sim_crash(s, 1);
    sim_start(s, 1);
    sim_gossip(s);
    sim_want_ok(s, sign(s, 1, "still"));
    done(s);
}

static unsigned next_arm;
static bool next_failed;

static void arm(bool begins)
{
    if (begins)
        nomem_arm(next_arm);
    else
        next_failed = nomem_disarm();
}

/* The lead's own part, as far as the call goes by itself. */
static void a_lead_answers_at_every_failed_allocation(void **state)
{
    (void)state;
    unsigned errors = 0, n;
    struct sim *s = sim_new(3, 3);
    sim_ready(s, keys);
    s->calling = arm;
    for (n = 1; n < ALLOCATIONS_MAX && n < SIM_CALLS - 100; n++) {
        char text[32];
        snprintf(text, sizeof(text), "message %u", n);
        next_arm = n;
        unsigned call = sim_sign(s, 1, "release", "", text, strlen(text), 4000);
        if (!sim_wait(s, call, 70000))
            sim_fail(s, "sign, allocation %u: never answered", n);
        errors += s->call[call].rc != RC_OK;
        if (!next_failed)
            break;
    }
    s->calling = NULL;
    print_message("%-18s up to %u allocations, %u errors\n", "/v1/sign", n - 1,
                  errors);
    assert_true(n > 5);
    sim_run(s, 5000);
    sim_want_ok(s, sign(s, 1, "and it signs"));
    sim_run(s, 15000);
    sim_ends(s);
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(
                a_peers_handlers_survive_every_failed_allocation, sim_teardown),
        cmocka_unit_test_teardown(local_calls_survive_every_failed_allocation,
                                  sim_teardown),
        cmocka_unit_test_teardown(a_lead_answers_at_every_failed_allocation,
                                  sim_teardown),
    };
    if (!nomem_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

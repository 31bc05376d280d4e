/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares that need their peers, in a whole cluster: every order of coming
 * back, one that lies, messages that are lost, and what RETIRE leaves.
 */
#include "test.h"

#include "story.h"

#include "sidecar/inner.h"

static const char *const release[] = { "release", NULL };

static struct sim *peered(void)
{
    struct sim *s = sim_new(1, 3);
    s->master = VAULT_SNP_PEERS;
    sim_ready(s, release);
    return s;
}

static bool status_says(struct sim *s, unsigned id, const char *part)
{
    char *json = NULL;
    size_t len;
    assert_ok(node_status(s->node[id].node, &json, &len));
    bool says_so = strstr(json, part) != NULL;
    free(json);
    return says_so;
}

static void must_say(struct sim *s, unsigned id, const char *part)
{
    char *json = NULL;
    size_t len;
    if (status_says(s, id, part))
        return;
    assert_ok(node_status(s->node[id].node, &json, &len));
    sim_fail(s, "node%u does not say %s: %s", id, part, json);
}

static void all_down(struct sim *s)
{
    for (unsigned id = 1; id <= s->n; id++)
        sim_crash(s, id);
}

/* ---- coming back ------------------------------------------------------------- */

static void they_come_back_in_any_order(void **state)
{
    (void)state;
    static const unsigned orders[6][3] = { { 1, 2, 3 }, { 1, 3, 2 },
                                           { 2, 1, 3 }, { 2, 3, 1 },
                                           { 3, 1, 2 }, { 3, 2, 1 } };
    struct sim *s = peered();
    sim_want_ok(s, sign(s, 1, "before"));
    for (unsigned o = 0; o < 6; o++)
        for (int64_t apart = 0; apart <= 2000; apart += 1000) {
            all_down(s);
            for (unsigned i = 0; i < 3; i++) {
                sim_start(s, orders[o][i]);
                sim_run(s, apart);
                if (apart && i == 0) /* alone it has nothing to sign with */
                    must_say(s, orders[o][0],
                             "share waits for peers (has 0 of 1)");
                if (apart && i == 1) /* two are enough */
                    sim_want_ok(s, sign(s, orders[o][0], "two are back"));
            }
            sim_run(s, 2000);
            for (unsigned id = 1; id <= 3; id++) {
                must_say(s, id, "\"problems\":[]");
                must_say(s, id, "\"master_key\":\"snp+peers\"");
                sim_want_ok(s, sign(s, id, "all are back"));
            }
        }
    done(s);
}

static void one_after_another_while_two_sign(void **state)
{
    (void)state;
    struct sim *s = peered();
    for (unsigned id = 1; id <= 3; id++) {
        unsigned lead = id % 3 + 1;
        sim_crash(s, id);
        sim_want_ok(s, sign(s, lead, "two sign"));
        sim_start(s, id);
        sim_want_ok(s, sign(s, id, "it leads before its share is back"));
        sim_run(s, 2000);
        must_say(s, id, "\"problems\":[]");
    }
    done(s);
}

static void they_come_back_over_a_bad_network(void **state)
{
    (void)state;
    struct sim *s = peered();
    for (unsigned round = 0; round < 5; round++) {
        all_down(s);
        s->faults = (struct sim_faults){
            .drop = 200, .lose_reply = 200, .twice = 200, .slow = 200
        };
        for (unsigned id = 1; id <= 3; id++)
            sim_start(s, id);
        sim_run(s, 40000);
        s->faults = (struct sim_faults){ 0 };
        sim_run(s, 4000);
        for (unsigned id = 1; id <= 3; id++)
            must_say(s, id, "\"problems\":[]");
        sim_run(s, 12000); /* whoever was down to others is not any more */
        sim_want_ok(s, sign(s, 1, "after the storm"));
    }
    done(s);
}

/* ---- peers that do not ---------------------------------------------------------- */

static unsigned liar; /* whose pieces are bent on the way */

static void bend(struct sim *s, uint32_t from, uint32_t to, const char *path,
                 bool reply, uint8_t **body, size_t *len)
{
    (void)s;
    (void)from;
    if (!reply || to != liar || strcmp(path, "/v1/piece/ask") != 0)
        return;
    uint8_t *hex = *body + *len - 4; /* of the box's end */
    *hex = *hex == 'a' ? 'b' : 'a';
}

static void a_holder_that_lies_is_named_and_the_other_is_enough(void **state)
{
    (void)state;
    struct sim *s = peered();
    liar = 2;
    s->tamper = bend;
    sim_crash(s, 3);
    sim_crash(s, 1);
    sim_start(s, 1);
    sim_run(s, 1500);
    must_say(s, 1, "node2: gave another piece than it was given");
    must_say(s, 1, "has 0 of 1");
    sim_start(s, 3);
    sim_run(s, 8000);
    must_say(s, 1, "\"problems\":[]");
    sim_want_ok(s, sign(s, 1, "with node3's piece"));
    done(s);
}

static void a_retired_epochs_pieces_are_gone(void **state)
{
    (void)state;
    struct sim *s = peered();
    sim_crash(s, 1);
    assert_ok(pieces_forget(s->node[2].node, "release", 1));
    assert_ok(pieces_forget(s->node[3].node, "release", 1));
    sim_start(s, 1);
    sim_run(s, 5000);
    must_say(s, 1, "has 0 of 1");
    must_say(s, 1, "piece of that node: not in state.db");
    /* the others sign on; this one is for repair */
    sim_want_ok(s, sign(s, 2, "without it"));
    done(s);
}

/* ---- while a key is made ----------------------------------------------------------- */

static const char *lost;     /* path that gets lost */
static unsigned lost_at;     /* at this node */
static bool lost_reply_only; /* it was served */

static void lose(struct sim *s, uint32_t from, uint32_t to, const char *path,
                 bool reply, uint8_t **body, size_t *len)
{
    (void)s;
    (void)from;
    if (to != lost_at || strcmp(path, lost) != 0 || reply != lost_reply_only)
        return;
    free(*body); /* it is no message any more */
    *body = (uint8_t *)strdup("{");
    *len = 1;
}

static void no_share_is_sealed_whose_pieces_are_not_kept(void **state)
{
    (void)state;
    static const char *const paths[] = { "/v1/piece/split", "/v1/piece/keep",
                                         "/v1/piece/acked" };
    struct sim *s = sim_new(1, 3);
    s->master = VAULT_SNP_PEERS;
    sim_boot(s);
    s->tamper = lose;
    for (unsigned i = 0; i < 6; i++) {
        lost = paths[i / 2];
        lost_at = 2 + i % 2;
        lost_reply_only = i % 2;
        unsigned call = sim_key_create(s, 1, "release", sim_stewards);
        sim_wait(s, call, 60000);
        assert_int_not_equal(s->call[call].rc, RC_OK);
        says(s, call, lost_at == 2 ? "node2" : "node3");
        for (unsigned id = 1; id <= 3; id++)
            assert_true(status_says(s, id, "\"keys\":[]"));
    }
    s->tamper = NULL;
    sim_want_ok(s, sim_key_create(s, 1, "release", sim_stewards));
    all_down(s);
    for (unsigned id = 1; id <= 3; id++)
        sim_start(s, id);
    sim_run(s, 3000);
    sim_want_ok(s, sign(s, 1, "made at last"));
    done(s);
}

/* Its share opens a moment after it has started; a lead waits that long. */
static void who_has_just_started_is_waited_for(void **state)
{
    (void)state;
    struct sim *s = peered();
    sim_crash(s, 3);
    sim_crash(s, 2);
    s->tamper = lose;
    lost = "/v1/piece/ask";
    lost_at = 1;
    lost_reply_only = false;
    sim_start(s, 2);
    sim_run(s, 1500);
    assert_true(status_says(s, 2, "share waits for peers"));
    s->tamper = NULL;
    sim_want_ok(s, sign(s, 1, "soon"));
    done(s);
}

/* Sealed under snp before, under snp+peers from now on: both open. */
static void a_cluster_moves_to_peers_by_its_next_epochs(void **state)
{
    (void)state;
    static const char *const second[] = { "second", NULL };
    struct sim *s = sim_new(1, 3);
    sim_ready(s, release);
    all_down(s);
    s->master = VAULT_SNP_PEERS;
    for (unsigned id = 1; id <= 3; id++)
        sim_start(s, id);
    sim_gossip(s);
    sim_run(s, 3000);
    sim_want_ok(s, sign(s, 1, "still under snp"));
    sim_want_ok(s, sim_key_create(s, 1, second[0], sim_stewards));
    all_down(s);
    sim_start(s, 1);
    sim_run(s, 1500);
    must_say(s, 1, "key second, epoch 1: share waits for peers");
    assert_false(status_says(s, 1, "key release"));
    sim_start(s, 2);
    sim_run(s, 3000);
    sim_want_ok(s, sim_sign(s, 2, "second", "", "both", 4, 8000));
    sim_want_ok(s, sign(s, 2, "both"));
    done(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, sim_teardown)
    const struct CMUnitTest tests[] = {
        T(they_come_back_in_any_order),
        T(one_after_another_while_two_sign),
        T(they_come_back_over_a_bad_network),
        T(a_holder_that_lies_is_named_and_the_other_is_enough),
        T(a_retired_epochs_pieces_are_gone),
        T(no_share_is_sealed_whose_pieces_are_not_kept),
        T(who_has_just_started_is_waited_for),
        T(a_cluster_moves_to_peers_by_its_next_epochs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many short lives of a cluster under a seeded scheduler: messages are lost,
 * late, doubled; nodes crash between any two events; the log goes away; one
 * node may cheat. Nothing forbidden ever happens, and afterwards all is well.
 * MPC_SIM_SEED replays one run, MPC_SIM_RUNS says how many.
 */
#include "test.h"

#include "people.h"

#define FIRST_SEED   20261122
#define DEFAULT_RUNS 40
#define STEPS        60

static const char *const keys[] = { "release", "second", NULL };
static const char *const all_keys[] = { "guarded", "release", "second", NULL };

/* The sessions of this run that some node took. */
static struct {
    char hex[STEPS][65];
    unsigned n;
} asked;

static void cheat(struct sim *s, uint32_t from, uint32_t to, const char *path,
                  bool reply, uint8_t **body, size_t *len)
{
    const unsigned *cheater = s->tamper_ctx;
    char *json = NULL;
    (void)from;
    if (!reply || to != *cheater || strcmp(path, "/v1/frost/round2") != 0 ||
        sim_dice(s, 3) != 0)
        return;
    WIRE(round2_reply) m = { 0 };
    assert_ok(wire_round2_reply_decode(&m, (char *)*body, *len));
    struct wire_round2_result *r = &m.items.at[sim_dice(s, m.items.n)];
    if (strcmp(r->code, "ok") != 0)
        return;
    r->share[sim_dice(s, 31)] ^= (uint8_t)(1 + sim_dice(s, 255));
    assert_ok(wire_round2_reply_encode(&json, len, &m));
    free(*body);
    *body = (uint8_t *)json;
}

static struct sim_faults choose_faults(struct sim *s)
{
    struct sim_faults f = { 0 };
    if (sim_dice(s, 2))
        f.drop = (unsigned)sim_dice(s, 60);
    if (sim_dice(s, 2))
        f.lose_reply = (unsigned)sim_dice(s, 60);
    if (sim_dice(s, 2))
        f.twice = (unsigned)sim_dice(s, 200);
    if (sim_dice(s, 2))
        f.slow = (unsigned)sim_dice(s, 200);
    if (sim_dice(s, 2))
        f.crash = (unsigned)sim_dice(s, 12);
    return f;
}

static unsigned some_node(struct sim *s)
{
    unsigned id = 1 + (unsigned)sim_dice(s, s->n);
    return s->node[id].up ? id : 0;
}

/* Somebody asks for a signature, approves, denies, revokes or signs. */
static void people_step(struct sim *s, unsigned id)
{
    static const char *const who[] = { "alice", "bob", "carol", "dave" };
    bool steward[] = { false, true, true, sim_dice(s, 2) };
    if (asked.n == 0 || sim_dice(s, 4) == 0) {
        WIRE(session) wire = { 0 };
        people_session(s, &wire, "app");
        unsigned call = people_put(s, id, &wire, asked.hex[asked.n]);
        asked.n += s->call[call].answers && s->call[call].rc == RC_OK;
        return;
    }
    const char *hex = asked.hex[sim_dice(s, asked.n)];
    unsigned w = (unsigned)sim_dice(s, 4);
    uint64_t what = sim_dice(s, 12);
    if (what < 3)
        (void)sign_as(s, id, hex, "app", 500 + (unsigned)sim_dice(s, 5000));
    else
        (void)decide(s, id, hex,
                     what == 3   ? POLICY_D_DENY
                     : what == 4 ? POLICY_D_REVOKE
                                 : POLICY_D_APPROVE,
                     steward[w] ? "steward" : "engineer", who[w]);
}

static void one_step(struct sim *s, unsigned step)
{
    char msg[64];
    unsigned id = some_node(s);
    switch (sim_dice(s, 40)) {
    case 0:
        s->log_down = !s->log_down;
        break;
    case 1:
        s->log_hung = !s->log_hung;
        break;
    case 2:
        if (id)
            s->node[id].hung = !s->node[id].hung;
        break;
    case 3:
        if (id && s->version == 3)
            (void)sim_policy_next(s, id, NULL, NULL);
        break;
    case 4:
        if (id && s->version == 3)
            (void)sim_key_create(s, id, "small", sim_stewards);
        break;
    case 5:
        sim_gossip(s);
        break;
    case 6:
        sim_run(s, 3000);
        break;
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
    case 13:
        if (id)
            people_step(s, id);
        break;
    default:
        if (!id)
            break;
        snprintf(msg, sizeof(msg), "step %u by node%u", step, id);
        (void)sim_sign(s, id, keys[sim_dice(s, 2)], "", msg, strlen(msg),
                       500 + (unsigned)sim_dice(s, 10000));
    }
    sim_run(s, (int64_t)sim_dice(s, 60));
}

static void calm(struct sim *s)
{
    s->faults = (struct sim_faults){ 0 };
    s->tamper = NULL;
    s->log_down = s->log_hung = false;
    for (unsigned id = 1; id <= s->n; id++) {
        s->node[id].hung = false;
        if (!s->node[id].up)
            sim_start(s, id);
    }
    sim_run(s, 2000);
    sim_gossip(s);
    sim_run(s, 70000); /* the longest rest of a peer is over */
}

static void same_policy_everywhere(struct sim *s)
{
    struct wire_policy_head first, head;
    node_policy_head(s->node[1].node, &first);
    for (unsigned id = 2; id <= s->n; id++) {
        node_policy_head(s->node[id].node, &head);
        if (memcmp(&first, &head, sizeof(head)) != 0)
            sim_fail(s, "node1 and node%u live under different policies", id);
    }
}

static bool says_the_same(const struct wire_session_state *a,
                          const struct wire_session_state *b)
{
    if (a->records.n != b->records.n || a->have.engineer != b->have.engineer ||
        a->have.steward != b->have.steward)
        return false;
    for (size_t i = 0; i < a->records.n; i++) {
        bool has = false;
        for (size_t k = 0; k < b->records.n; k++)
            has = has || (strcmp(a->records.at[i].person,
                                 b->records.at[k].person) == 0 &&
                          strcmp(a->records.at[i].decision,
                                 b->records.at[k].decision) == 0);
        if (!has)
            return false;
    }
    return true;
}

/* Made under a policy that is not in force: it may have stayed where it was. */
static bool outdated(struct sim *s, const char *hex)
{
    char path[128];
    snprintf(path, sizeof(path), "/v1/session/%s", hex);
    for (unsigned id = 1; id <= s->n; id++) {
        struct policy_session session;
        unsigned call = sim_ask(s, id, path, NULL, 0);
        if (s->call[call].rc != RC_OK)
            continue;
        assert_ok(policy_session_parse(&session, s->call[call].json,
                                       s->call[call].len));
        return memcmp(session.policy, s->policy_sha256, 32) != 0;
    }
    sim_fail(s, "nobody knows session %.8s", hex);
    return false;
}

/* What people decided anywhere is known everywhere, and nothing else. */
static void same_sessions_everywhere(struct sim *s)
{
    for (unsigned i = 0; i < asked.n; i++) {
        WIRE(session_state) first = { 0 };
        if (outdated(s, asked.hex[i]))
            continue;
        look(s, 1, asked.hex[i], &first);
        for (unsigned id = 2; id <= s->n; id++) {
            WIRE(session_state) st = { 0 };
            look(s, id, asked.hex[i], &st);
            if (!says_the_same(&first, &st))
                sim_fail(s, "node1 and node%u know different things of %.8s",
                         id, asked.hex[i]);
        }
    }
}

static void signs_with_any_t_nodes(struct sim *s)
{
    for (unsigned id = 1; id <= s->n; id++) {
        for (unsigned k = 0; keys[k]; k++)
            sim_want_ok(s, sim_sign(s, id, keys[k], "", "calm", 4, 20000));
        unsigned dead = id % s->n + 1;
        sim_crash(s, dead);
        sim_want_ok(s, sim_sign(s, id, keys[0], "", "t of n", 6, 20000));
        sim_start(s, dead);
        sim_run(s, 1500);
    }
}

/* Whoever is called a cheater is the one. */
static void only_the_cheater_is_named(struct sim *s, unsigned cheater)
{
    static const char words[] = "wrong signature share from";
    char name[16];
    snprintf(name, sizeof(name), " node%u", cheater);
    for (unsigned i = 0; i < s->n_calls; i++) {
        const char *at = strstr(s->call[i].why, words);
        if (at && strcmp(at + sizeof(words) - 1, name) != 0)
            sim_fail(s, "node%u cheated, but: %s", cheater, s->call[i].why);
    }
}

struct totals {
    unsigned signatures, refusals, crashes, behind;
    unsigned by_rc[RC__COUNT]; /* refusals of signatures */
};

static void one_run(struct totals *t, uint64_t seed)
{
    struct wire_signed out;
    struct sim *s = sim_new(seed, seed % 4 == 0 ? 5 : 3);
    asked.n = 0;
    sim_ready(s, all_keys);
    /* dave may approve as either, and counts once */
    sim_want_ok(s, sim_policy_next(s, 1, "\"id\":\"dave\",\"roles\":[",
                                   "\"id\":\"dave\",\"roles\":"
                                   "[\"steward\","));
    sim_run(s, 300);
    unsigned cheater = sim_dice(s, 3) ? 0 : 1 + (unsigned)sim_dice(s, s->n);
    s->tamper_ctx = &cheater;
    s->tamper = cheater ? cheat : NULL;
    s->faults = choose_faults(s);
    for (unsigned step = 0; step < STEPS; step++)
        one_step(s, step);
    calm(s);
    sim_check(s);
    sim_ends(s);
    same_policy_everywhere(s);
    same_sessions_everywhere(s);
    signs_with_any_t_nodes(s);
    sim_check(s);
    sim_run(s, 5000);
    sim_ends(s);
    only_the_cheater_is_named(s, cheater);
    for (unsigned i = 0; i < s->n_calls; i++)
        if (sim_signature(s, i, &out))
            t->signatures++;
        else if (s->call[i].answers && s->call[i].msg)
            t->by_rc[s->call[i].rc]++, t->refusals++;
    t->crashes += s->n_crashes;
    t->behind += s->n_behind;
    sim_free(s);
}

static void nothing_forbidden_ever_happens(void **state)
{
    (void)state;
    struct totals t = { 0 };
    if (getenv("MPC_SIM_SEED")) {
        one_run(&t, sim_number("MPC_SIM_SEED", 0));
        return;
    }
    uint64_t runs = sim_number("MPC_SIM_RUNS", DEFAULT_RUNS);
    uint64_t first = sim_number("MPC_SIM_FIRST", FIRST_SEED);
    for (uint64_t i = 0; i < runs; i++)
        one_run(&t, first + i);
    print_message("%llu runs: %u signatures, %u refusals, %u crashes, "
                  "%u heads behind\n",
                  (unsigned long long)runs, t.signatures, t.refusals, t.crashes,
                  t.behind);
    for (unsigned i = 0; i < RC__COUNT; i++)
        if (t.by_rc[i])
            print_message("  %s: %u\n", rc_slug((enum rc)i), t.by_rc[i]);
    assert_true(t.signatures > runs);
    assert_true(runs < 10 || (t.crashes && t.refusals && t.behind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_forbidden_ever_happens, sim_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

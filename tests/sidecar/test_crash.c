/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operation on a key, and a node that ends between any two actions of
 * it: before each message, answer and commit of each node, once, and in pairs.
 * It starts again from what was at rest; the operation is asked for again.
 * Afterwards one epoch lives, its key signs, nothing older is at rest or in a
 * vault.
 *
 * A case is one number: operation * 1000000 + first * 1000 + second, the
 * actions counted from the start and, for the second crash, from the first.
 * MPC_SIM_SEED=NUMBER shows one again; MPC_CRASH_FIRST and MPC_CRASH_CASES run
 * a row of them, to the first that has no such action.
 */
#include "test.h"

#include "mover.h"
#include "story.h"

#include "base/failpoint.h"

#define OF_OP    1000000
#define OF_FIRST 1000
#define PAIRS    48 /* in ./check; the campaign has all */

enum op { CREATE, REFRESH, RESHARE, REPAIR, DESTROY, SIGN, OPS };
static const char *const op_name[OPS] = { "create", "refresh", "reshare",
                                          "repair", "destroy", "sign" };

static const char *const release[] = { "release", NULL };
static const char *const no_keys[] = { NULL };

/* ---- where ------------------------------------------------------------------- */

static struct {
    unsigned at;   /* end the node at this action; 0: at none */
    unsigned seen; /* actions so far */
    unsigned node; /* who ended */
    unsigned hits;
    char what[96];
} cut;

/* The places of base/failpoint.h; passed: since the last action. */
static struct {
    unsigned crashes;
    const char *name;
    bool passed;
} places[FAILPOINT__COUNT];

static void seen_place(enum failpoint at, const char *name)
{
    places[at].name = name;
    places[at].passed = true;
}

static void action(struct sim *s, unsigned node, const char *what)
{
    const char *after = NULL;
    bool now = cut.at && ++cut.seen == cut.at;
    for (unsigned i = 0; i < FAILPOINT__COUNT; i++) {
        if (!places[i].passed)
            continue;
        places[i].passed = false;
        after = places[i].name;
        places[i].crashes += now;
    }
    if (!now)
        return;
    cut.at = 0;
    cut.hits++;
    cut.node = node;
    snprintf(cut.what, sizeof(cut.what), "%s%s%s", after ? after : "",
             after ? ", before " : "", what);
    sim_doom(s, node);
}

/* ---- what is done --------------------------------------------------------------- */

struct trial {
    struct sim *s;
    enum op op;
    struct mover m;
    uint8_t group[32];
    unsigned last; /* call */
};

static const enum policy_session_type type_of[OPS] = {
    [REFRESH] = POLICY_S_REFRESH,
    [RESHARE] = POLICY_S_RESHARE,
    [REPAIR] = POLICY_S_REPAIR,
    [DESTROY] = POLICY_S_DESTROY,
};

static void prepare(struct trial *t, uint64_t seed, enum op op)
{
    WIRE(key) key = { 0 };
    t->op = op;
    t->s = sim_new(seed, op == RESHARE ? 4 : 3);
    sim_cut_watch(t->s);
    t->s->threshold = 2;
    t->s->holders = 0xE;
    if (op == CREATE || op == SIGN || seed % 2)
        t->s->master = VAULT_SNP;
    else
        t->s->master = VAULT_SNP_PEERS;
    sim_ready(t->s, op == CREATE ? no_keys : release);
    sim_run(t->s, 1000);
    if (op == REPAIR)
        mover_lose_share(t->s, 3);
    if (op == RESHARE)
        mover_layout(t->s, 1, 2, 0x1C, 0); /* node 1 leaves, 4 comes */
    if (op != CREATE) {
        mover_key(t->s, 1, "release", &key);
        memcpy(t->group, key.group_key, 32);
    }
    if (op != CREATE && op != SIGN)
        mover_approve(&t->m, t->s, 1, type_of[op], "release");
}

static unsigned ask(struct trial *t, unsigned via)
{
    t->last = t->op == CREATE
                      ? sim_key_create(t->s, via, "release", sim_stewards)
              : t->op == SIGN ? sign(t->s, via, "once more")
                              : mover_ask(&t->m, via);
    return t->last;
}

/* Runs until the cut, or some time after the answer; true: it came. */
static bool until_cut(struct trial *t, unsigned hits)
{
    struct sim *s = t->s;
    int64_t end = 0;
    for (unsigned ms = 0; ms < 40000 && cut.hits == hits; ms++) {
        if (end && s->now_ms > end)
            return false;
        if (!end && s->call[t->last].answers)
            end = s->now_ms + 1500; /* acknowledged and erased by then */
        if (s->node[s->call[t->last].node].life != s->call[t->last].life)
            return false;
        sim_run(s, 1);
    }
    return cut.hits > hits;
}

static void all_up(struct sim *s)
{
    for (unsigned i = 1; i <= s->n; i++)
        if (!s->node[i].up)
            sim_start(s, i);
    sim_run(s, 1500);
    sim_gossip(s);
}

/* Asked again until it is done; crashes may come meanwhile. */
static void goes_on(struct trial *t)
{
    struct sim *s = t->s;
    for (unsigned i = 0; i < 24; i++) {
        const struct sim_call *c;
        all_up(s);
        unsigned via = i % s->n + 1;
        if (t->op == SIGN && !s->node[via].up)
            continue;
        unsigned hits = cut.hits;
        if (!s->node[via].up)
            continue;
        unsigned call = ask(t, via);
        (void)until_cut(t, hits);
        c = &s->call[call];
        if (c->answers &&
            (c->rc == RC_OK || (t->op == CREATE && c->rc == RC_EXISTS)))
            return;
        sim_run(s, 2000);
    }
    sim_fail(s, "%s does not go on after %s at node%u: %s", op_name[t->op],
             cut.what, cut.node, s->call[t->last].why);
}

/* ---- what must be true then -------------------------------------------------------- */

/*
 * At rest and in memory: one share of this key on each member, or none. Of a
 * birth that was given up a vault may keep what it made, which no certificate
 * will ever make active, until it ends.
 */
static void vaults_hold(struct sim *s, enum op op)
{
    bool gone = op == DESTROY;
    for (unsigned i = 1; i <= s->n; i++) {
        struct vault_holds h;
        int rest = mover_count(s, i,
                               "SELECT (SELECT count(*) FROM epoch WHERE sealed"
                               " IS NOT NULL) + (SELECT count(*) FROM key_move"
                               " WHERE sealed IS NOT NULL)");
        unsigned want = !gone && (!s->holders || (s->holders & (1u << i)));
        assert_ok(vault_held(s->node[i].vault, &h));
        if ((op == CREATE ? h.shares < want : h.shares != want) ||
            rest != (int)want || h.dkgs)
            sim_fail(s,
                     "node%u has %u shares in its vault, %d at rest, %u "
                     "under way; want %u",
                     i, h.shares, rest, h.dkgs, want);
    }
}

/* Of each epoch that the log certifies there is one entry, by one parent. */
static void log_forks_nowhere(struct sim *s)
{
    for (uint64_t i = 0; i < s->log.n; i++)
        for (uint64_t k = 0; k < i; k++) {
            struct tlog_epoch a, b;
            const char *x = s->log.entry[i], *y = s->log.entry[k];
            if (tlog_epoch_decode(&a, x, strlen(x)) != RC_OK ||
                tlog_epoch_decode(&b, y, strlen(y)) != RC_OK ||
                a.epoch != b.epoch || strcmp(a.type, b.type) != 0)
                continue;
            if (memcmp(a.endorsements, b.endorsements, 32) != 0 &&
                strcmp(a.type, "destroy") != 0)
                sim_fail(s, "epoch %llu was certified twice",
                         (unsigned long long)a.epoch);
        }
}

static void settled(struct trial *t)
{
    struct sim *s = t->s;
    WIRE(key) key = { 0 };
    if (t->op == DESTROY) {
        for (unsigned i = 1; i <= s->n; i++)
            sim_want(s, sign(s, i, "never again"), RC_UNKNOWN);
    } else {
        mover_key(s, 1, "release", &key);
        mover_settled(s, "release", t->op == CREATE ? key.group_key : t->group);
    }
    vaults_hold(s, t->op);
    log_forks_nowhere(s);
    sim_check(s);
}

/* False: there are not so many actions. second 0: one crash. */
static bool one_case(enum op op, unsigned first, unsigned second)
{
    uint64_t seed = (uint64_t)op * OF_OP + first * OF_FIRST + second;
    struct trial t = { 0 };
    memset(&cut, 0, sizeof(cut));
    prepare(&t, seed, op);
    struct sim *s = t.s;
    s->boundary = action;
    failpoint_watch(seen_place);
    cut.at = first;
    (void)ask(&t, 1);
    bool hit = until_cut(&t, 0);
    if (hit) {
        cut.seen = 0;
        cut.at = second;
        sim_run(s, 300);
        goes_on(&t);
        if (second && cut.hits == 1)
            hit = false; /* it was over before */
    }
    s->boundary = NULL;
    cut.at = 0;
    all_up(s);
    sim_run(s, 12000);
    settled(&t);
    failpoint_watch(NULL);
    mover_free(&t.m);
    sim_free(s);
    return hit;
}

/* ---- all of them --------------------------------------------------------------------- */

static unsigned actions[OPS];

static void by_number(uint64_t number, bool *hit)
{
    *hit = one_case((enum op)(number / OF_OP % OPS),
                    (unsigned)(number / OF_FIRST % 1000),
                    (unsigned)(number % OF_FIRST));
}

/* Every one of them; under a sanitizer, each so many. */
static unsigned step(void)
{
    uint64_t n = sim_number("MPC_CRASH_STEP", 1);
    return n >= 1 && n <= PAIRS ? (unsigned)n : 1;
}

static void a_crash_between_any_two_actions(void **state)
{
    (void)state;
    bool hit;
    uint64_t seed = sim_number("MPC_SIM_SEED", 0);
    uint64_t first = sim_number("MPC_CRASH_FIRST", 0);
    uint64_t cases = first ? sim_number("MPC_CRASH_CASES", 1) : 0;
    if (seed) {
        by_number(seed, &hit);
        print_message("%s at node%u\n", hit ? cut.what : "no such action",
                      cut.node);
        return;
    }
    for (uint64_t i = 0; i < cases; i++) {
        by_number(first + i, &hit);
        if (!hit) {
            print_message("cases: %llu\n", (unsigned long long)i);
            return;
        }
    }
    if (cases)
        return;
    for (unsigned op = 0; op < OPS; op++) {
        while (one_case((enum op)op, actions[op] + 1, 0))
            actions[op] += step();
        print_message("%s: %u actions\n", op_name[op], actions[op]);
        assert_true(actions[op] > 10);
    }
}

/* Each place that these operations come by has been crashed at. */
static void no_place_was_left_out(void **state)
{
    (void)state;
    if (!actions[0] || step() > 1)
        return; /* of a part of them */
    for (unsigned i = 0; i < FAILPOINT__COUNT; i++) {
        const char *name = places[i].name;
        if (name)
            print_message("%s: %u crashes\n", name, places[i].crashes);
        assert_true(!name || places[i].crashes);
    }
    for (unsigned i = FAILPOINT_epoch_burnt; i <= FAILPOINT_change_logged; i++)
        assert_non_null(places[i].name);
    for (unsigned i = FAILPOINT_lead_gathered; i <= FAILPOINT_follow_shared;
         i++)
        assert_non_null(places[i].name);
}

static void two_crashes(void **state)
{
    (void)state;
    uint64_t chance = 20261126;
    unsigned hits = 0;
    if (!actions[0])
        return;
    unsigned pairs = PAIRS / step();
    for (unsigned i = 0; i < pairs; i++) {
        chance = chance * 6364136223846793005u + 1442695040888963407u;
        unsigned op = i % OPS;
        unsigned first = 1 + (unsigned)(chance >> 33) % actions[op];
        unsigned second = 1 + (unsigned)(chance >> 13) % actions[op];
        hits += one_case((enum op)op, first, second);
    }
    print_message("%u of %u pairs\n", hits, pairs);
    assert_true(hits > pairs / 3);
}

static int end(void **state)
{
    failpoint_watch(NULL);
    return sim_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_crash_between_any_two_actions, end),
        cmocka_unit_test_teardown(no_place_was_left_out, end),
        cmocka_unit_test_teardown(two_crashes, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

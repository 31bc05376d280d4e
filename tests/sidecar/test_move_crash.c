/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key that moves while nodes crash, once at every message of the move, and
 * in runs of chance under a signing load. Afterwards: one epoch, the same
 * group key, nothing older at rest, and it signs.
 * MPC_SIM_SEED replays one run, MPC_SIM_RUNS says how many, and no more than
 * those: what has no chance in it is for ./check.
 */
#include "test.h"

#include "mover.h"
#include "story.h"

#define FIRST_SEED   20261126
#define DEFAULT_RUNS 40

static const char *const release[] = { "release", NULL };

/* ---- a crash at each message --------------------------------------------------- */

struct cut {
    unsigned at;     /* the message of the move to crash at */
    unsigned seen;   /* so far */
    unsigned victim; /* node id; 0: its sender, 9: its receiver */
    bool reply;      /* at answers, not at requests */
    unsigned crash;  /* who is to go down now */
};

static void count(struct sim *s, uint32_t from, uint32_t to, const char *path,
                  bool reply, uint8_t **body, size_t *len)
{
    struct cut *c = s->tamper_ctx;
    (void)body;
    (void)len;
    bool log = to == WORLD_LOG && strcmp(path, "/v1/log/append") == 0;
    if (reply != c->reply || (strncmp(path, "/v1/epoch/", 10) != 0 && !log) ||
        strcmp(path, "/v1/epoch/look") == 0)
        return;
    if (++c->seen != c->at)
        return;
    uint32_t who = c->victim == 0 ? from : c->victim == 9 ? to : c->victim;
    c->crash = who <= s->n ? who : from;
}

/* Every other run seals under snp+peers. */
static enum vault_master peers_of(uint64_t seed)
{
    return seed % 2 ? VAULT_SNP_PEERS : VAULT_SNP;
}

/* False when the move had ended before. */
static bool crash_at(struct sim *s, struct cut *c, unsigned call)
{
    for (unsigned i = 0; i < 4000 && !c->crash && !s->call[call].answers; i++)
        sim_run(s, 1);
    if (!c->crash)
        return false;
    sim_crash(s, c->crash);
    return true;
}

static void goes_on(struct sim *s, struct mover *m)
{
    for (unsigned i = 0; i < 20; i++) {
        unsigned call = mover_ask(m, i % 3 + 1);
        if (!sim_wait(s, call, 40000))
            sim_fail(s, "the change was never answered");
        if (s->call[call].rc == RC_OK)
            return;
        sim_run(s, 3000);
    }
    sim_fail(s, "the change does not go on: %s", s->call[s->n_calls - 1].why);
}

static unsigned one_cut(uint64_t seed, unsigned at, unsigned victim, bool reply)
{
    struct sim *s = sim_new(seed, 3);
    struct cut cut = { .at = at, .victim = victim, .reply = reply };
    struct mover m;
    uint8_t group[32];
    WIRE(key) key = { 0 };
    s->master = peers_of(seed);
    sim_ready(s, release);
    sim_run(s, 1000);
    mover_key(s, 1, "release", &key);
    memcpy(group, key.group_key, 32);
    mover_approve(&m, s, 1, POLICY_S_REFRESH, "release");
    s->tamper = count;
    s->tamper_ctx = &cut;
    unsigned call = mover_ask(&m, 1);
    bool hit = crash_at(s, &cut, call);
    s->tamper = NULL;
    if (hit) {
        /* whatever happened, the two that are left sign */
        sim_run(s, 8000);
        unsigned lead = cut.crash % 3 + 1;
        sim_want_ok(s, sign(s, lead, "while one is down"));
        sim_start(s, cut.crash);
        sim_run(s, 2000);
        goes_on(s, &m);
    }
    sim_run(s, 10000);
    mover_settled(s, "release", group);
    mover_free(&m);
    unsigned seen = cut.seen;
    done(s);
    return hit ? seen : 0;
}

static void a_crash_at_any_message_loses_nothing(void **state)
{
    (void)state;
    static const unsigned victims[] = { 0, 9 };
    unsigned cuts = 0;
    for (unsigned reply = 0; reply < 2; reply++)
        for (unsigned v = 0; v < 2; v++)
            for (unsigned at = 1; one_cut(at, at, victims[v], reply); at++)
                cuts++;
    printf("%u crashes\n", cuts);
    assert_true(cuts > 40);
}

/* The one that drives is gone for good; another goes on with its session. */
static void another_node_goes_on(void **state)
{
    (void)state;
    for (unsigned at = 1; at < 40; at++) {
        struct sim *s = sim_new(at, 4);
        struct cut cut = { .at = at, .victim = 0 };
        struct mover m;
        WIRE(key) key = { 0 };
        s->threshold = 2;
        s->holders = 0xE; /* node 4 drives and holds nothing */
        sim_ready(s, release);
        mover_key(s, 4, "release", &key);
        mover_approve(&m, s, 4, POLICY_S_REFRESH, "release");
        s->tamper = count;
        s->tamper_ctx = &cut;
        cut.victim = 4;
        unsigned call = mover_ask(&m, 4);
        bool hit = crash_at(s, &cut, call);
        s->tamper = NULL;
        if (hit) {
            sim_run(s, 1000);
            sim_want_ok(s, mover_ask(&m, 2));
        }
        sim_run(s, 8000);
        mover_settled(s, "release", key.group_key);
        mover_free(&m);
        done(s);
        if (!hit)
            return;
    }
    fail_msg("the move has no end");
}

/* ---- chance ------------------------------------------------------------------------ */

static void sign_some(struct sim *s, unsigned *calls, unsigned *n)
{
    unsigned id = 1 + (unsigned)sim_dice(s, s->n);
    char msg[32];
    if (!s->node[id].up || *n == 900)
        return;
    snprintf(msg, sizeof(msg), "load %u", *n);
    calls[(*n)++] = sim_sign(s, id, "release", "", msg, strlen(msg), 8000);
}

static const unsigned layouts[][2] = { /* t, holders */
                                       { 2, 0xE },
                                       { 3, 0x3E },
                                       { 2, 0x1C },
                                       { 2, 0x38 }
};

static unsigned one_run(uint64_t seed, bool crashes)
{
    struct sim *s = sim_new(seed, 5);
    unsigned calls[900], n_calls = 0, moved = 0;
    uint8_t group[32];
    WIRE(key) key = { 0 };
    s->threshold = 2;
    s->holders = 0xE;
    s->master = peers_of(seed / 2);
    sim_ready(s, release);
    mover_key(s, 1, "release", &key);
    memcpy(group, key.group_key, 32);
    s->faults = (struct sim_faults){ .drop = 10,
                                     .lose_reply = 10,
                                     .twice = 30,
                                     .slow = 60,
                                     .crash = crashes ? 2 : 0 };
    for (unsigned i = 0; i < 5; i++) {
        struct mover m;
        enum policy_session_type type = POLICY_S_REFRESH;
        unsigned via = 1 + (unsigned)sim_dice(s, 5);
        if (i % 2 == 1 && !crashes) {
            struct sim_faults kept = s->faults;
            unsigned at = (unsigned)sim_dice(s, 4);
            memset(&s->faults, 0, sizeof(s->faults));
            mover_layout(s, via, layouts[at][0], layouts[at][1], 0);
            s->faults = kept;
            type = POLICY_S_RESHARE;
        }
        while (!s->node[via].up)
            sim_run(s, 200);
        mover_approve(&m, s, via, type, "release");
        for (unsigned tries = 0; tries < 8; tries++) {
            unsigned life = s->node[via].life;
            unsigned call = mover_ask(&m, via);
            for (unsigned k = 0; k < 120 && !s->call[call].answers; k++) {
                sign_some(s, calls, &n_calls);
                sim_run(s, 50);
                if (!s->node[via].up || s->node[via].life != life)
                    break;
            }
            if (s->call[call].answers && s->call[call].rc == RC_OK)
                break;
            via = 1 + (unsigned)sim_dice(s, 5);
            while (!s->node[via].up)
                sim_run(s, 200);
        }
        mover_free(&m);
    }
    memset(&s->faults, 0, sizeof(s->faults));
    for (unsigned i = 1; i <= 5; i++)
        if (!s->node[i].up)
            sim_start(s, i);
    sim_gossip(s);
    sim_run(s, 45000);
    /* who has lost nothing is in the newest epoch; the rest is repaired */
    sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
    sim_run(s, 8000);
    mover_settled(s, "release", group);
    for (unsigned i = 0; i < n_calls; i++) {
        const struct sim_call *c = &s->call[calls[i]];
        /* a lost message is a caller's, a moved key is not */
        if (c->answers && (c->rc == RC_EPOCH_MOVED || c->rc == RC_CHEATER ||
                           c->rc == RC_INTERNAL || c->rc == RC_CONFLICT ||
                           c->rc == RC_SLOT_BURNT || c->rc == RC_VERIFY))
            sim_fail(s, "call %u: %s (%s)", calls[i], rc_slug(c->rc), c->why);
    }
    wire_key_free(&key);
    mover_key(s, 1, "release", &key);
    moved = (unsigned)key.epoch;
    done(s);
    return moved;
}

static void moves_of_chance(void **state)
{
    (void)state;
    unsigned epochs = 0;
    uint64_t runs = sim_number("MPC_SIM_RUNS", DEFAULT_RUNS);
    uint64_t first = sim_number("MPC_SIM_FIRST", FIRST_SEED);
    if (getenv("MPC_SIM_SEED")) {
        first = sim_number("MPC_SIM_SEED", 0);
        runs = 1;
    }
    for (uint64_t i = 0; i < runs; i++)
        epochs += one_run(first + i, (first + i) % 2);
    printf("%llu runs, %u epochs\n", (unsigned long long)runs, epochs);
}

/* Not one caller notices, where nothing else is wrong. */
static void no_caller_notices_a_refresh(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    unsigned calls[900], n_calls = 0;
    WIRE(key) key = { 0 };
    mover_key(s, 1, "release", &key);
    for (unsigned i = 0; i < 50; i++) {
        unsigned call = mover_move(s, i % 3 + 1, POLICY_S_REFRESH, "release");
        while (!s->call[call].answers) {
            sign_some(s, calls, &n_calls);
            sim_run(s, 7);
        }
        sim_want_ok(s, call);
    }
    for (unsigned i = 0; i < n_calls; i++)
        sim_want_ok(s, calls[i]);
    mover_settled(s, "release", key.group_key);
    printf("%u signatures beside 50 refreshes\n", n_calls);
    done(s);
}

int main(void)
{
    const struct CMUnitTest by_chance[] = {
        cmocka_unit_test_teardown(moves_of_chance, sim_teardown),
    };
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(no_caller_notices_a_refresh),
        T(a_crash_at_any_message_loses_nothing),
        T(another_node_goes_on),
        T(moves_of_chance),
    };
    return getenv("MPC_SIM_RUNS") || getenv("MPC_SIM_SEED")
                   ? cmocka_run_group_tests(by_chance, NULL, NULL)
                   : cmocka_run_group_tests(tests, NULL, NULL);
}

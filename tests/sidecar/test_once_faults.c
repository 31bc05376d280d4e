/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a session's key while nodes are dead, hang, cheat or die at any of
 * its steps: it is made without them, or fails with one clear error; and
 * nothing of a share is left anywhere.
 */
#include "test.h"

#include "once.h"

#define FIRST_SEED   20261126
#define DEFAULT_RUNS 40
#define STEPS        40

static const char *const steps[] = { "/v1/once/start", "/v1/once/deal",
                                     "/v1/once/finish", "/v1/once/birth" };

/* Shares of an unused key end by their own clocks. */
static void all_gone(struct sim *s)
{
    s->tamper = NULL;
    for (unsigned id = 1; id <= s->n; id++)
        s->node[id].hung = false;
    sim_run(s, 130000);
    once_nothing_left(s);
}

/* ---- one of three, at each step ---------------------------------------------------- */

struct fault {
    const char *path;
    bool hang; /* else it crashes */
    unsigned node;
    unsigned n; /* so often it has happened */
};

static void strike(struct sim *s, uint32_t from, uint32_t to, const char *path,
                   bool reply, uint8_t **body, size_t *len)
{
    struct fault *f = s->tamper_ctx;
    (void)from;
    (void)body;
    (void)len;
    if (reply || f->n || to != f->node || strcmp(path, f->path) != 0)
        return;
    f->n++;
    if (f->hang)
        s->node[to].hung = true;
    else
        sim_crash(s, to);
}

static void one_dead_node_does_not_stop_a_caller(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct sim *s = once_cluster(3);
        struct fault f = { .path = steps[i / 2], .hang = i % 2, .node = 3 };
        struct node_caller me = once_caller(100);
        struct wire_signed out;
        s->tamper = strike;
        s->tamper_ctx = &f;
        unsigned call = once_sign(s, 1, &me, "once", "", "all the same");
        sim_want_ok(s, call);
        assert_true(sim_signature(s, call, &out));
        assert_int_equal(f.n, 1);
        if (took(s, call) > 4000)
            sim_fail(s, "%s: took %lld ms", f.path, (long long)took(s, call));
        all_gone(s);
        done(s);
    }
}

/* What was approved is not lost by a node that nobody knew to be dead. */
static void one_dead_node_does_not_waste_a_session(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool hang, lost;
    } cases[] = {
        { "/v1/once/start", false, false }, { "/v1/once/start", true, false },
        { "/v1/once/birth", false, false }, { "/v1/once/birth", true, false },
        { "/v1/once/deal", false, true },   { "/v1/once/deal", true, true },
        { "/v1/once/finish", false, true }, { "/v1/once/finish", true, true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sim *s = once_cluster(3);
        struct fault f = { .path = cases[i].path,
                           .hang = cases[i].hang,
                           .node = 3 };
        struct node_caller me = once_caller(100);
        char hex[65];
        once_approved(s, 1, hex, "app", false);
        sim_run(s, 1000);
        s->tamper = strike;
        s->tamper_ctx = &f;
        unsigned call = once_sign(s, 1, &me, "guarded-once", hex, "app");
        assert_true(sim_wait(s, call, 20000));
        if (!cases[i].lost) {
            sim_want_ok(s, call);
        } else {
            /* within those few milliseconds it is: and it says so */
            assert_int_not_equal(s->call[call].rc, RC_OK);
            says(s, call, "node3");
            assert_non_null(strstr(s->call[call].hint, "new session"));
            call = once_sign(s, 1, &me, "guarded-once", hex, "app");
            sim_want(s, call, RC_SLOT_BURNT);
        }
        all_gone(s);
        done(s);
    }
}

static void a_hung_node_costs_little_and_only_once(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    s->node[2].hung = true;
    unsigned call = once_sign(s, 1, &me, "once", "", "first");
    sim_want_ok(s, call);
    assert_in_range(took(s, call), 200, 4000);
    sim_run(s, 3000);
    me = once_caller(101);
    call = once_sign(s, 1, &me, "once", "", "second");
    sim_want_ok(s, call);
    assert_in_range(took(s, call), 0, 200);
    all_gone(s);
    done(s);
}

/* ---- too few ----------------------------------------------------------------------- */

static void without_enough_nodes_it_says_who_is_missing(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    char hex[65];
    once_approved(s, 1, hex, "app", false);
    sim_run(s, 1000);
    sim_crash(s, 2);
    sim_crash(s, 3);
    unsigned call = once_get(s, 1, &me, "/v1/key/once");
    sim_want(s, call, RC_NODES);
    says(s, call, "needs 2 of 3 nodes, has 1");
    says(s, call, "node2:");
    says(s, call, "node3:");
    call = once_sign(s, 1, &me, "guarded-once", hex, "app");
    sim_want(s, call, RC_NODES);
    /* nothing was dealt: the session is as good as before */
    sim_start(s, 2);
    sim_run(s, 2000);
    sim_gossip(s);
    sim_run(s, 300);
    sim_want_ok(s, once_sign(s, 1, &me, "guarded-once", hex, "app"));
    all_gone(s);
    done(s);
}

/* Who has just started asks its peers first; it is waited for. */
static void a_node_that_has_just_started_is_waited_for(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    char hex[65];
    once_approved(s, 1, hex, "app", false);
    sim_run(s, 1000);
    sim_crash(s, 2);
    sim_crash(s, 3);
    sim_start(s, 3);
    unsigned a = once_sign(s, 1, &me, "once", "", "a moment");
    unsigned b = once_sign(s, 1, &me, "guarded-once", hex, "app");
    sim_run(s, 200);
    sim_gossip(s);
    sim_want_ok(s, a);
    sim_want_ok(s, b);
    assert_int_equal(once_births(s), 2);
    all_gone(s);
    done(s);
}

static void without_the_log_there_is_no_key(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    s->log_down = true;
    unsigned call = once_get(s, 1, &me, "/v1/key/once");
    sim_want(s, call, RC_UNREACHABLE);
    says(s, call, "log");
    sim_run(s, 500);
    once_nothing_left(s);
    s->log_down = false;
    me = once_caller(101);
    sim_want_ok(s, once_sign(s, 1, &me, "once", "", "now"));
    all_gone(s);
    done(s);
}

/* ---- its lead dies -------------------------------------------------------------------- */

/* When the answer to this step is on its way back. */
static void behead(struct sim *s, uint32_t from, uint32_t to, const char *path,
                   bool reply, uint8_t **body, size_t *len)
{
    struct fault *f = s->tamper_ctx;
    (void)to;
    (void)body;
    (void)len;
    if (!reply || f->n || from != 1 || strcmp(path, f->path) != 0)
        return;
    f->n++;
    sim_crash(s, 1);
}

static void a_lead_that_dies_leaves_nothing(void **state)
{
    (void)state;
    static const char *const at[] = { "/v1/once/start",  "/v1/once/deal",
                                      "/v1/once/finish", "/v1/log/append",
                                      "/v1/once/birth",  "/v1/frost/round2",
                                      "/v1/once/close" };
    for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
        struct sim *s = once_cluster(3);
        struct fault f = { .path = at[i] };
        struct node_caller me = once_caller(100);
        s->tamper = behead;
        s->tamper_ctx = &f;
        (void)once_sign(s, 1, &me, "once", "", "never finished");
        sim_run(s, 3000);
        assert_int_equal(f.n, 1);
        s->tamper = NULL;
        sim_start(s, 1);
        sim_run(s, 2000);
        sim_gossip(s);
        /* the others go on with other sessions meanwhile, and it does too */
        me = once_caller(101);
        sim_want_ok(s, once_sign(s, 2, &me, "once", "", "another"));
        sim_want_ok(s, once_sign(s, 1, &me, "once", "", "and another"));
        all_gone(s);
        sim_ends(s);
        done(s);
    }
}

static void members_that_restart_have_lost_their_share(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    struct node_caller me = once_caller(100);
    uint8_t key[32];
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), key);
    sim_crash(s, 3);
    sim_start(s, 3);
    sim_run(s, 2000);
    assert_int_equal(once_holders(s), 2);
    /* two are left of three */
    sim_want_ok(s, once_sign(s, 1, &me, "once", "", "two are enough"));
    me = once_caller(101);
    once_key(s, once_get(s, 1, &me, "/v1/key/once"), key);
    for (unsigned id = 2; id <= 3; id++) {
        sim_crash(s, id);
        sim_start(s, id);
    }
    sim_run(s, 2000);
    sim_gossip(s);
    unsigned call = once_sign(s, 1, &me, "once", "", "one is not");
    assert_true(sim_wait(s, call, 20000));
    assert_int_not_equal(s->call[call].rc, RC_OK);
    says(s, call, "gone");
    all_gone(s);
    done(s);
}

/* ---- cheaters --------------------------------------------------------------------------- */

struct cheat {
    unsigned node;
    const char *path;
    unsigned n;
};

static void garble_package(uint8_t **body, size_t *len)
{
    WIRE(package) p = { 0 };
    char *json = NULL;
    assert_ok(wire_package_decode(&p, (char *)*body, *len));
    p.pok_z[0] ^= 1;
    assert_ok(wire_package_encode(&json, len, &p));
    free(*body);
    *body = (uint8_t *)json;
}

static void garble_boxes(uint8_t **body, size_t *len)
{
    WIRE(boxes) b = { 0 };
    char *json = NULL;
    assert_ok(wire_boxes_decode(&b, (char *)*body, *len));
    for (size_t i = 0; i < b.boxes.n; i++)
        b.boxes.at[i].box[50] ^= 1;
    assert_ok(wire_boxes_encode(&json, len, &b));
    free(*body);
    *body = (uint8_t *)json;
}

static void garble_vote(uint8_t **body, size_t *len)
{
    WIRE(epoch_vote) v = { 0 };
    char *json = NULL;
    assert_ok(wire_epoch_vote_decode(&v, (char *)*body, *len));
    v.transcript[0] ^= 1;
    assert_ok(wire_epoch_vote_encode(&json, len, &v));
    free(*body);
    *body = (uint8_t *)json;
}

static void cheat(struct sim *s, uint32_t from, uint32_t to, const char *path,
                  bool reply, uint8_t **body, size_t *len)
{
    struct cheat *c = s->tamper_ctx;
    (void)from;
    if (!reply || to != c->node || strcmp(path, c->path) != 0)
        return;
    c->n++;
    if (strcmp(path, "/v1/once/start") == 0)
        garble_package(body, len);
    else if (strcmp(path, "/v1/once/deal") == 0)
        garble_boxes(body, len);
    else
        garble_vote(body, len);
}

/* It may cheat as it likes: the key is made without it. */
static void a_cheater_does_not_stop_a_caller(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        for (unsigned who = 2; who <= 3; who++) {
            struct sim *s = once_cluster(3);
            struct cheat c = { .node = who, .path = steps[i] };
            struct node_caller me = once_caller(100);
            struct wire_signed out;
            s->tamper = cheat;
            s->tamper_ctx = &c;
            unsigned call = once_sign(s, 1, &me, "once", "", "honest");
            assert_true(sim_wait(s, call, 20000));
            if (s->call[call].rc != RC_OK)
                sim_fail(s, "%s by node%u: %s", steps[i], who,
                         s->call[call].why);
            assert_true(sim_signature(s, call, &out));
            assert_in_range(c.n, 1, 3);
            all_gone(s);
            done(s);
        }
}

static void a_cheater_is_named(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 3; i++) {
        struct sim *s = once_cluster(3);
        struct cheat c = { .node = 3, .path = steps[i] };
        struct node_caller me = once_caller(100);
        char hex[65];
        once_approved(s, 1, hex, "app", false);
        sim_run(s, 1000);
        s->tamper = cheat;
        s->tamper_ctx = &c;
        unsigned call = once_sign(s, 1, &me, "guarded-once", hex, "app");
        assert_true(sim_wait(s, call, 20000));
        assert_int_not_equal(s->call[call].rc, RC_OK);
        if (!strstr(s->call[call].why, "node 3") &&
            !strstr(s->call[call].why, "node3"))
            sim_fail(s, "%s: %s", steps[i], s->call[call].why);
        sim_run(s, 500);
        once_nothing_left(s);
        done(s);
    }
}

/* ---- all of it, by chance ---------------------------------------------------------------- */

static void every_message_twice_is_as_good_as_once(void **state)
{
    (void)state;
    struct sim *s = once_cluster(3);
    s->faults.twice = 1000;
    for (unsigned i = 0; i < 6; i++) {
        struct node_caller me = once_caller((pid_t)(100 + i));
        sim_want_ok(s, once_sign(s, 1 + i % 3, &me, "once", "", "twice"));
    }
    s->faults.twice = 0;
    sim_run(s, 500);
    assert_int_equal(once_births(s), 6);
    all_gone(s);
    done(s);
}

static void one_step(struct sim *s, unsigned step, char hex[65],
                     struct node_caller who[STEPS])
{
    unsigned id = 1 + (unsigned)sim_dice(s, s->n);
    char msg[64];
    if (!s->node[id].up)
        return;
    who[step] = once_caller((pid_t)(1 + sim_dice(s, 12)));
    snprintf(msg, sizeof(msg), "step %u", step);
    switch (sim_dice(s, 12)) {
    case 0:
        s->log_down = !s->log_down;
        break;
    case 1:
        s->node[id].hung = !s->node[id].hung;
        break;
    case 2:
        sim_crash(s, id);
        s->node[id].restart_ms = s->now_ms + 500;
        break;
    case 3:
    case 4:
        (void)once_get(s, id, &who[step], "/v1/key/once");
        break;
    case 5:
        (void)once_sign(s, id, &who[step], "guarded-once", hex, "app");
        break;
    case 6:
        sim_gossip(s);
        break;
    default:
        (void)once_sign(s, id, &who[step], "once", "", msg);
    }
    sim_run(s, (int64_t)sim_dice(s, 200));
}

/* Each birth in the log is of a session of its own. */
static void one_key_a_session(struct sim *s)
{
    for (uint64_t i = 0; i < s->log.n; i++)
        for (uint64_t k = 0; k < i; k++) {
            struct tlog_birth a, b;
            const char *x = s->log.entry[i];
            const char *y = s->log.entry[k];
            if (tlog_birth_decode(&a, x, strlen(x)) == RC_OK &&
                tlog_birth_decode(&b, y, strlen(y)) == RC_OK &&
                memcmp(a.session, b.session, 32) == 0 &&
                memcmp(a.key, b.key, 32) != 0)
                sim_fail(s, "births %llu and %llu are of one session",
                         (unsigned long long)k, (unsigned long long)i);
        }
}

static unsigned one_run(uint64_t seed)
{
    static const char *const none[] = { NULL };
    static struct node_caller who[STEPS];
    struct sim *s = sim_new(seed, seed % 4 == 0 ? 5 : 3);
    struct wire_signed out;
    char hex[65];
    unsigned good = 0;
    sim_ready(s, none);
    once_approved(s, 1, hex, "app", false);
    sim_run(s, 1000);
    s->faults = (struct sim_faults){ .drop = (unsigned)sim_dice(s, 40),
                                     .lose_reply = (unsigned)sim_dice(s, 40),
                                     .twice = (unsigned)sim_dice(s, 200),
                                     .slow = (unsigned)sim_dice(s, 100),
                                     .crash = (unsigned)sim_dice(s, 4) };
    for (unsigned step = 0; step < STEPS; step++)
        one_step(s, step, hex, who);
    s->faults = (struct sim_faults){ 0 };
    s->log_down = false;
    for (unsigned id = 1; id <= s->n; id++) {
        s->node[id].hung = false;
        if (!s->node[id].up)
            sim_start(s, id);
    }
    sim_run(s, 2000);
    sim_gossip(s);
    sim_run(s, 130000);
    sim_check(s);
    sim_ends(s);
    one_key_a_session(s);
    /* the approved session's key lives as long as that */
    for (unsigned id = 1; id <= s->n; id++) {
        struct vault_holds h;
        assert_ok(vault_held(s->node[id].vault, &h));
        if (h.once + h.dkgs > 1)
            sim_fail(s, "node%u holds %u shares, %u DKGs", id, h.once, h.dkgs);
    }
    struct node_caller me = once_caller(999);
    sim_want_ok(s, once_sign(s, 1, &me, "once", "", "calm"));
    for (unsigned i = 0; i < s->n_calls; i++)
        good += sim_signature(s, i, &out);
    sim_run(s, 800000); /* the approved session's end, too */
    once_nothing_left(s);
    sim_free(s);
    return good;
}

static void nothing_forbidden_ever_happens(void **state)
{
    (void)state;
    uint64_t runs = sim_number("MPC_SIM_RUNS", DEFAULT_RUNS);
    uint64_t first = sim_number("MPC_SIM_FIRST", FIRST_SEED);
    unsigned good = 0;
    if (getenv("MPC_SIM_SEED")) {
        (void)one_run(sim_number("MPC_SIM_SEED", 0));
        return;
    }
    for (uint64_t i = 0; i < runs; i++)
        good += one_run(first + i);
    print_message("%llu runs: %u signatures\n", (unsigned long long)runs, good);
    assert_true(good > runs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(one_dead_node_does_not_stop_a_caller),
        T(one_dead_node_does_not_waste_a_session),
        T(a_hung_node_costs_little_and_only_once),
        T(without_enough_nodes_it_says_who_is_missing),
        T(a_node_that_has_just_started_is_waited_for),
        T(without_the_log_there_is_no_key),
        T(a_lead_that_dies_leaves_nothing),
        T(members_that_restart_have_lost_their_share),
        T(a_cheater_does_not_stop_a_caller),
        T(a_cheater_is_named),
        T(every_message_twice_is_as_good_as_once),
        T(nothing_forbidden_ever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

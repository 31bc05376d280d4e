/* SPDX-License-Identifier: Apache-2.0 */
/* A key moves from epoch to epoch: named scenarios, no chance in them. */
#include "test.h"

#include "mover.h"
#include "story.h"

#include "base/hash.h"

static const char *const release[] = { "release", NULL };

static void group_of(struct sim *s, uint8_t group[32])
{
    WIRE(key) key = { 0 };
    mover_key(s, 1, "release", &key);
    memcpy(group, key.group_key, 32);
}

static void epoch_is(struct sim *s, uint64_t epoch, uint64_t t, size_t n)
{
    for (unsigned i = 1; i <= s->n; i++) {
        WIRE(key) key = { 0 };
        if (!s->node[i].up)
            continue;
        mover_key(s, i, "release", &key);
        if (key.epoch != epoch || key.threshold != t || key.nodes.n != n)
            sim_fail(s, "node%u: epoch %llu, %llu of %zu", i,
                     (unsigned long long)key.epoch,
                     (unsigned long long)key.threshold, key.nodes.n);
    }
}

static uint64_t mover_epoch(struct sim *s, unsigned id)
{
    WIRE(key) key = { 0 };
    mover_key(s, id, "release", &key);
    return key.epoch;
}

static void a_refresh_keeps_the_key(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    uint8_t group[32];
    group_of(s, group);
    sim_want_ok(s, sign(s, 1, "before"));
    for (unsigned i = 0; i < 4; i++) {
        sim_want_ok(s, mover_move(s, i % 3 + 1, POLICY_S_REFRESH, "release"));
        epoch_is(s, i + 2, 2, 3);
        mover_settled(s, "release", group);
    }
    for (unsigned i = 1; i <= 3; i++) {
        sim_crash(s, i);
        sim_start(s, i);
    }
    sim_run(s, 1500);
    epoch_is(s, 5, 2, 3);
    mover_settled(s, "release", group);
    done(s);
}

static void a_key_goes_to_more_nodes_and_back(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 5);
    uint8_t group[32];
    s->threshold = 2;
    s->holders = 0xE; /* nodes 1, 2, 3 */
    sim_ready(s, release);
    group_of(s, group);
    mover_settled(s, "release", group);
    mover_layout(s, 1, 3, 0x3E, 0);
    sim_want_ok(s, mover_move(s, 4, POLICY_S_RESHARE, "release"));
    epoch_is(s, 2, 3, 5);
    mover_settled(s, "release", group);
    mover_layout(s, 1, 2, 0x38, 0); /* 3, 4, 5 */
    sim_want_ok(s, mover_move(s, 1, POLICY_S_RESHARE, "release"));
    epoch_is(s, 3, 2, 3);
    mover_settled(s, "release", group);
    done(s);
}

/* Who leaves is marked so; it deals, signs no more, and holds nothing after. */
static void each_node_is_replaced(void **state)
{
    (void)state;
    static const struct {
        unsigned nodes, leaving;
    } step[] = { { 0x1E, 0x2 }, { 0x3C, 0x4 }, { 0x38, 0 } };
    struct sim *s = sim_new(1, 5);
    uint8_t group[32];
    s->threshold = 2;
    s->holders = 0xE;
    s->master = VAULT_SNP_PEERS;
    sim_ready(s, release);
    group_of(s, group);
    for (unsigned i = 0; i < 3; i++) {
        mover_layout(s, 1, 2, step[i].nodes, step[i].leaving);
        sim_want_ok(s, mover_move(s, 2, POLICY_S_RESHARE, "release"));
        mover_settled(s, "release", group);
    }
    epoch_is(s, 4, 2, 3);
    done(s);
}

static void a_lost_share_is_repaired(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    uint8_t group[32];
    group_of(s, group);
    mover_lose_share(s, 3);
    sim_want_ok(s, mover_move(s, 3, POLICY_S_REPAIR, "release"));
    epoch_is(s, 2, 2, 3);
    mover_settled(s, "release", group);
    mover_lose_share(s, 2);
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(node_status(s->node[2].node, &json, &len));
    if (!strstr(json, "mpcsign key repair release"))
        sim_fail(s, "node2 does not say what to do: %.800s", json);
    sim_want_ok(s, mover_move(s, 1, POLICY_S_REPAIR, "release"));
    mover_settled(s, "release", group);
    done(s);
}

static void a_node_that_is_down_is_named_and_reshared_out(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 4);
    uint8_t group[32];
    s->threshold = 2;
    s->holders = 0xE;
    sim_ready(s, release);
    group_of(s, group);
    sim_crash(s, 3);
    unsigned call = mover_move(s, 1, POLICY_S_REFRESH, "release");
    sim_want(s, call, RC_NODES);
    says(s, call, "node3");
    assert_non_null(strstr(s->call[call].hint, "reshare"));
    sim_want_ok(s, sign(s, 1, "all the same"));
    sim_crash(s, 2);
    call = mover_move(s, 1, POLICY_S_REFRESH, "release");
    sim_want(s, call, RC_NODES);
    says(s, call, "needs 2 of 3 holders, has 1");
    sim_start(s, 2);
    sim_run(s, 1500);
    mover_layout(s, 1, 2, 0x16 | 0x8, 0x8); /* 1, 2, 4; 3 is leaving */
    sim_want_ok(s, mover_move(s, 1, POLICY_S_RESHARE, "release"));
    mover_settled(s, "release", group);
    sim_start(s, 3);
    sim_gossip(s);
    sim_run(s, 12000); /* it hears that the key has left it */
    mover_settled(s, "release", group);
    done(s);
}

static void copy_file(const char *from, const char *to)
{
    char buf[4096];
    size_t n;
    FILE *a = fopen(from, "rb");
    if (!a)
        return; /* the store leaves none when it is closed */
    FILE *b = fopen(to, "wb");
    assert_non_null(b);
    while ((n = fread(buf, 1, sizeof(buf), a)) > 0)
        assert_int_equal(fwrite(buf, 1, n, b), n);
    fclose(a);
    fclose(b);
}

static void an_older_copy_of_a_disk_asks_for_repair(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    uint8_t group[32];
    char copy[DIR_MAX + 64];
    WIRE(key) key = { 0 };
    group_of(s, group);
    sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
    sim_crash(s, 3);
    snprintf(copy, sizeof(copy), "%s/older.db", s->dir);
    copy_file(s->node[3].db, copy);
    sim_start(s, 3);
    sim_run(s, 1500);
    for (unsigned i = 0; i < 2; i++)
        sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
    sim_crash(s, 3);
    free(TAKE(s->node[3].status)); /* it will not be as before */
    copy_file(copy, s->node[3].db);
    sim_start(s, 3);
    sim_run(s, 1500);
    mover_key(s, 3, "release", &key);
    assert_int_equal(key.epoch, 4); /* it has heard */
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(node_status(s->node[3].node, &json, &len));
    if (!strstr(json, "mpcsign key repair release"))
        sim_fail(s, "node3 does not ask for repair: %.800s", json);
    sim_want_ok(s, sign(s, 3, "it leads all the same"));
    sim_want_ok(s, sign(s, 1, "and is not asked"));
    sim_want_ok(s, mover_move(s, 3, POLICY_S_REPAIR, "release"));
    mover_settled(s, "release", group);
    done(s);
}

static void refused(struct sim *s, unsigned call, enum rc want,
                    const char *part)
{
    sim_want(s, call, want);
    says(s, call, part);
}

static void a_session_moves_its_own_key_once(void **state)
{
    (void)state;
    static const char *const two[] = { "release", "second", NULL };
    struct sim *s = cluster(two);
    struct mover m;
    mover_approve(&m, s, 1, POLICY_S_REFRESH, "release");
    sim_want_ok(s, mover_ask(&m, 1));
    sim_want_ok(s, mover_ask(&m, 2)); /* it is told how it ended */
    epoch_is(s, 2, 2, 3);
    /* and after another one it is used up */
    sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
    refused(s, mover_ask(&m, 1), RC_CONFLICT, "has made epoch 2");
    mover_free(&m);
    /* one that names the wrong key */
    struct policy_session bad = sim_session(s, POLICY_S_REFRESH, "release");
    WIRE(session) wire = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    bad.has_key = true;
    sim_session_wire(s, &wire, &bad, "steward", sim_stewards);
    assert_ok(wire_session_encode(&json, &len, &wire));
    refused(s, sim_ask(s, 1, "/v1/key/change", json, len), RC_POLICY,
            "another key");
    /* and one that too few stewards approved */
    static const char *const one[] = { "bob", NULL };
    WIRE(key) key = { 0 };
    WIRE(session) alone = { 0 };
    OWNED_MEM char *few = NULL;
    mover_key(s, 1, "release", &key);
    struct policy_session poor = sim_session(s, POLICY_S_REFRESH, "release");
    poor.has_key = true;
    hash256(poor.key, key.group_key, 32);
    sim_session_wire(s, &alone, &poor, "steward", one);
    assert_ok(wire_session_encode(&few, &len, &alone));
    sim_want(s, sim_ask(s, 1, "/v1/key/change", few, len), RC_NOT_APPROVED);
    done(s);
}

/* ---- members that lie, and carriers that change what they carry ---------------- */

struct lie {
    const char *path;
    uint32_t by; /* whose answer it is */
    void (*change)(char **json, size_t *len);
};

static void tell_lie(struct sim *s, uint32_t from, uint32_t to,
                     const char *path, bool reply, uint8_t **body, size_t *len)
{
    const struct lie *l = s->tamper_ctx;
    (void)from;
    if (!reply || to != l->by || strcmp(path, l->path) != 0)
        return;
    char *json = NULL;
    size_t json_len = *len;
    json = (char *)*body;
    l->change(&json, &json_len);
    free(*body);
    *body = (uint8_t *)json;
    *len = json_len;
}

static void another_constant(char **json, size_t *len)
{
    WIRE(package) m = { 0 };
    assert_ok(wire_package_decode(&m, *json, *len));
    m.commitment.at[0] = m.commitment.at[1];
    assert_ok(wire_package_encode(json, len, &m));
}

static void one_commitment_less(char **json, size_t *len)
{
    WIRE(package) m = { 0 };
    assert_ok(wire_package_decode(&m, *json, *len));
    m.commitment.n--;
    assert_ok(wire_package_encode(json, len, &m));
}

static void a_garbled_box(char **json, size_t *len)
{
    WIRE(boxes) m = { 0 };
    assert_ok(wire_boxes_decode(&m, *json, *len));
    m.boxes.at[0].box[50] ^= 1;
    assert_ok(wire_boxes_encode(json, len, &m));
}

static void boxes_in_disorder(char **json, size_t *len)
{
    WIRE(boxes) m = { 0 };
    assert_ok(wire_boxes_decode(&m, *json, *len));
    struct wire_box t = m.boxes.at[0];
    m.boxes.at[0] = m.boxes.at[1];
    m.boxes.at[1] = t;
    assert_ok(wire_boxes_encode(json, len, &m));
}

static void another_transcript(char **json, size_t *len)
{
    WIRE(epoch_voted) m = { 0 };
    assert_ok(wire_epoch_voted_decode(&m, *json, *len));
    m.vote.transcript[3] ^= 1;
    assert_ok(wire_epoch_voted_encode(json, len, &m));
}

static void a_forged_vote(char **json, size_t *len)
{
    WIRE(epoch_voted) m = { 0 };
    assert_ok(wire_epoch_voted_decode(&m, *json, *len));
    m.vote.vote.sig[3] ^= 1;
    assert_ok(wire_epoch_voted_encode(json, len, &m));
}

static void another_group_key(char **json, size_t *len)
{
    WIRE(epoch_voted) m = { 0 };
    assert_ok(wire_epoch_voted_decode(&m, *json, *len));
    m.vote.group_key[3] ^= 1;
    assert_ok(wire_epoch_voted_encode(json, len, &m));
}

/* Whoever it is: it is named, nothing is certified, and the key goes on. */
static void a_member_that_lies_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *why;
        struct lie lie;
        enum rc want;
    } cases[] = {
        { "deals another part of the key",
          { "/v1/epoch/begin", 2, another_constant },
          RC_CHEATER },
        { "lowers the threshold",
          { "/v1/epoch/begin", 3, one_commitment_less },
          RC_CHEATER },
        { "its box does not open",
          { "/v1/epoch/share", 2, a_garbled_box },
          RC_VERIFY },
        { "its boxes are each other's",
          { "/v1/epoch/share", 3, boxes_in_disorder },
          RC_VERIFY },
        { "votes for what nobody else saw",
          { "/v1/epoch/prepare", 2, another_transcript },
          RC_CHEATER },
        { "its vote is not its own",
          { "/v1/epoch/prepare", 3, a_forged_vote },
          RC_VERIFY },
        { "votes for another key",
          { "/v1/epoch/prepare", 3, another_group_key },
          RC_CHEATER },
    };
    struct sim *s = cluster(release);
    uint8_t group[32];
    group_of(s, group);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char name[16];
        struct lie lie = cases[i].lie;
        uint64_t before = mover_epoch(s, 1);
        s->tamper = tell_lie;
        s->tamper_ctx = &lie;
        unsigned call = mover_move(s, 1, POLICY_S_REFRESH, "release");
        sim_wait(s, call, 40000);
        s->tamper = NULL;
        snprintf(name, sizeof(name), "node%u", lie.by);
        if (s->call[call].rc != cases[i].want ||
            (!strstr(s->call[call].why, name) &&
             !strstr(s->call[call].why, lie.by == 2 ? "node 2" : "node 3")))
            sim_fail(s, "%s: %s (%s)", cases[i].why, rc_slug(s->call[call].rc),
                     s->call[call].why);
        if (mover_epoch(s, 1) != before)
            sim_fail(s, "%s: certified all the same", cases[i].why);
        sim_want_ok(s, sign(s, 2, cases[i].why));
        sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
        if (mover_epoch(s, 1) <= before)
            sim_fail(s, "%s: the next refresh did not come", cases[i].why);
    }
    mover_settled(s, "release", group);
    done(s);
}

/* ---- the end of a key -------------------------------------------------------------- */

static void a_destroyed_key_is_gone_everywhere(void **state)
{
    (void)state;
    static const char *const two[] = { "release", "second", NULL };
    struct sim *s = cluster(two);
    WIRE(key) key = { 0 };
    sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
    sim_crash(s, 3); /* not by halves */
    unsigned call = mover_move(s, 1, POLICY_S_DESTROY, "release");
    sim_want(s, call, RC_NODES);
    says(s, call, "node3");
    sim_want_ok(s, sign(s, 1, "not by halves"));
    sim_start(s, 3);
    sim_run(s, 1500);
    call = mover_move(s, 2, POLICY_S_DESTROY, "release");
    sim_want_ok(s, call);
    for (unsigned life = 0; life < 2; life++) {
        for (unsigned id = 1; id <= 3; id++) {
            WIRE(key) gone = { 0 };
            call = sign(s, id, "never again");
            sim_want(s, call, RC_UNKNOWN);
            says(s, call, "destroyed");
            mover_key(s, id, "release", &gone);
            assert_int_equal(gone.epoch, 0);
            assert_int_equal(mover_count(s, id,
                                         "SELECT (SELECT count(*) FROM epoch"
                                         " WHERE key='release' AND sealed IS"
                                         " NOT NULL) + (SELECT count(*) FROM"
                                         " key_move WHERE key='release' AND"
                                         " sealed IS NOT NULL)"),
                             0);
            sim_want_ok(s, sim_sign(s, id, "second", "", "other", 5, 5000));
            sim_crash(s, id);
            sim_start(s, id);
            sim_run(s, 1500);
        }
    }
    /* nothing brings it back, and its name is not used again */
    call = sim_key_create(s, 1, "release", sim_stewards);
    sim_want(s, call, RC_EXISTS);
    char last[64] = "";
    snprintf(last, sizeof(last), "\ntype destroy\nepoch 2\n");
    bool logged = false;
    for (uint64_t i = 0; i < s->log.n; i++)
        logged = logged || strstr(s->log.entry[i], last);
    assert_true(logged);
    done(s);
}

/* A crash between any two words: asked again, it ends the same. */
static void a_crash_while_destroying_is_gone_on_from(void **state)
{
    (void)state;
    for (unsigned ms = 1; ms < 40; ms += 2) {
        struct sim *s = cluster(release);
        struct mover m;
        unsigned who = ms % 3 + 1;
        mover_approve(&m, s, 1, POLICY_S_DESTROY, "release");
        unsigned call = mover_ask(&m, 1);
        sim_run(s, ms);
        sim_crash(s, who);
        sim_run(s, 7000);
        free(TAKE(s->node[who].status)); /* it may hear at once */
        sim_start(s, who);
        sim_run(s, 2000);
        call = mover_ask(&m, who);
        sim_want_ok(s, call);
        sim_run(s, 5000);
        for (unsigned id = 1; id <= 3; id++) {
            call = sign(s, id, "never again");
            sim_want(s, call, RC_UNKNOWN);
            assert_int_equal(mover_old_shares(s, id, 99), 0);
        }
        mover_free(&m);
        done(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(a_refresh_keeps_the_key),
        T(a_key_goes_to_more_nodes_and_back),
        T(each_node_is_replaced),
        T(a_lost_share_is_repaired),
        T(an_older_copy_of_a_disk_asks_for_repair),
        T(a_node_that_is_down_is_named_and_reshared_out),
        T(a_session_moves_its_own_key_once),
        T(a_member_that_lies_is_named),
        T(a_destroyed_key_is_gone_everywhere),
        T(a_crash_while_destroying_is_gone_on_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

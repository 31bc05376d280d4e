/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes show each other their newest heads: an old disk, an old log and a log
 * with two histories are noticed, and nothing is signed under any of them.
 */
#include "test.h"

#include "story.h"
#include "witness.h"

#include <stdio.h>

#include <sodium.h>

static const char *const release[] = { "release", NULL };

/* ---- small words --------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
    char buf[65536];
    size_t n;
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
        assert_int_equal(fwrite(buf, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void copy_name(struct sim *s, unsigned id, char *out, size_t size)
{
    snprintf(out, size, "%s.old", s->node[id].db);
}

/* A copy of the disk of a node, as it is now. */
static void back_up(struct sim *s, unsigned id)
{
    char name[512];
    copy_name(s, id, name, sizeof(name));
    sim_crash(s, id);
    copy_file(s->node[id].db, name); /* closed: all of it is in the file */
    sim_start(s, id);
    sim_run(s, 1000); /* it has asked its peers what they saw of the log */
}

/* It starts from that copy; what it said before is no measure of it. */
static void restore(struct sim *s, unsigned id)
{
    char name[512];
    copy_name(s, id, name, sizeof(name));
    sim_crash(s, id);
    free(s->node[id].status);
    s->node[id].status = NULL;
    copy_file(name, s->node[id].db);
    sim_start(s, id);
}

static uint64_t log_size(struct sim *s)
{
    char note[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    newest(s, note, &cp);
    return cp.size;
}

static void cosign_newest(struct sim *s, unsigned id)
{
    char body[TLOG_ADD_CHECKPOINT_MAX];
    request(s, body, told(s, id));
    assert_int_equal(add(s, id, body), 200);
}

static bool status_says(struct sim *s, unsigned id, const char *part)
{
    char *json = NULL;
    size_t len;
    assert_ok(node_status(s->node[id].node, &json, &len));
    bool has = strstr(json, part) != NULL;
    free(json);
    return has;
}

static enum rc commit(struct sim *s, unsigned id, unsigned lead)
{
    struct wire_commit ask = { .epoch = 1, .count = 1 };
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    size_t len;
    WIRE(key) key = { 0 };
    unsigned call = sim_ask(s, lead, "/v1/key/release", NULL, 0);
    sim_want_ok(s, call);
    assert_ok(wire_key_decode(&key, s->call[call].json, s->call[call].len));
    hash256(ask.key, key.group_key, 32);
    assert_ok(wire_commit_encode(&json, &len, &ask));
    return node_on_peer(s->node[id].node, lead, "/v1/frost/commit",
                        (uint8_t *)json, len, &reply, &len);
}

/* ---- an old disk ------------------------------------------------------------------ */

static void a_restored_state_db_catches_up_before_it_signs(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    char body[TLOG_ADD_CHECKPOINT_MAX];
    sim_want_ok(s, sign(s, 1, "before the copy"));
    cosign_newest(s, 3);
    back_up(s, 3);
    uint64_t old = told(s, 3);
    grow(s, 2);
    uint64_t between = log_size(s);
    request(s, body, old); /* what an old log could show it */
    for (unsigned i = 0; i < 4; i++) {
        grow(s, 1);
        for (unsigned id = 1; id <= 3; id++)
            cosign_newest(s, id);
    }
    uint64_t newest_seen = told(s, 3);
    assert_true(old < between && between < newest_seen);
    restore(s, 3);
    assert_int_equal(told(s, 3), old); /* so it was rolled back */
    /* before it has heard from its peers it goes nowhere */
    assert_rc(commit(s, 3, 1), RC_ORDER);
    assert_int_equal(add(s, 3, body), 503);
    sim_run(s, 100);
    /* by a proof of the log it is where its peers are, and not before */
    assert_true(told(s, 3) >= newest_seen);
    assert_int_equal(add(s, 3, body), 409);
    assert_ok(commit(s, 3, 1));
    sim_want_ok(s, sign(s, 3, "after"));
    done(s);
}

static void it_does_not_sign_while_the_log_hides_what_peers_saw(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct sim_log whole;
    sim_want_ok(s, sign(s, 1, "before the copy"));
    sim_run(s, 500);
    cosign_newest(s, 3);
    back_up(s, 3);
    uint64_t old = told(s, 3);
    grow(s, 8);
    for (unsigned id = 1; id <= 3; id++)
        cosign_newest(s, id);
    uint64_t seen = told(s, 1);
    /* both old: the disk of node3 and the log's, which is the newer one */
    sim_crash(s, 2); /* so that node1 is all it hears */
    sim_log_shrink(s, &whole, old + 3);
    restore(s, 3);
    sim_run(s, 5000);
    assert_true(status_says(s, 3, "has shrunk"));
    assert_int_equal(told(s, 3), old);
    unsigned call = sim_sign(s, 3, "release", "", "no", 2, 3000);
    sim_want(s, call, RC_HEAD_BEHIND);
    says(s, call, "has shrunk");
    assert_rc(commit(s, 3, 1), RC_HEAD_BEHIND);
    /* the whole log is back: so is it */
    sim_log_back(s, &whole);
    sim_run(s, 2500);
    assert_true(told(s, 3) >= seen);
    assert_false(status_says(s, 3, "has shrunk"));
    sim_want_ok(s, sign(s, 3, "yes"));
    done(s);
}

static void a_node_starts_where_no_peer_answers(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    sim_want_ok(s, sign(s, 1, "before"));
    sim_crash(s, 2);
    s->node[1].hung = true;
    sim_crash(s, 3);
    sim_start(s, 3);
    sim_run(s, 1000);
    assert_rc(commit(s, 3, 1), RC_ORDER); /* one may yet answer */
    sim_run(s, 1000);
    assert_ok(commit(s, 3, 1));
    s->node[1].hung = false;
    sim_run(s, 11000); /* whoever hung rests a while */
    sim_want_ok(s, sign(s, 3, "after"));
    done(s);
}

/* ---- an old log --------------------------------------------------------------------- */

static void under_a_shrunken_log_nothing_is_signed(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct sim_log whole;
    for (unsigned i = 0; i < 3; i++)
        sim_want_ok(s, sign(s, 1, "before"));
    sim_run(s, 500);
    grow(s, 30);
    for (unsigned id = 1; id <= 3; id++)
        cosign_newest(s, id);
    unsigned shares = s->n_shares;
    sim_log_shrink(s, &whole, log_size(s) - 20);
    for (unsigned id = 1; id <= 3; id++) {
        unsigned call = sim_sign(s, id, "release", "", "no", 2, 3000);
        assert_true(sim_wait(s, call, 4000));
        assert_int_not_equal(s->call[call].rc, RC_OK);
    }
    assert_int_equal(s->n_shares, shares);
    /* it has signed other entries in place of those: that stays a fork */
    sim_log_back(s, &whole);
    sim_run(s, 35000);
    for (unsigned id = 1; id <= 3; id++) {
        unsigned call = sim_sign(s, id, "release", "", "no", 2, 3000);
        if (s->node[id].forks)
            sim_want(s, call, RC_LOG);
    }
    assert_true(s->node[1].forks + s->node[2].forks + s->node[3].forks > 0);
    done(s);
}

/* ---- two histories -------------------------------------------------------------------- */

/* Node 3 cosigns what only it is shown: `more` entries past the branching. */
static void fork_for_node3(struct sim *s, unsigned more)
{
    struct sim_log *honest = calloc(1, sizeof(*honest));
    assert_non_null(honest);
    for (unsigned id = 1; id <= 3; id++)
        cosign_newest(s, id);
    sim_log_fork(s, 3);
    *honest = s->log; /* these three speak of s->log */
    s->log = *s->fork;
    if (more)
        grow(s, more);
    cosign_newest(s, 3);
    *s->fork = s->log;
    s->log = *honest;
    free(honest);
}

static void is_kept_as_evidence(struct sim *s, unsigned id)
{
    WIRE(fork) f = { 0 };
    struct tlog_checkpoint ours, theirs;
    unsigned call = sim_ask(s, id, "/v1/fork", NULL, 0);
    sim_want_ok(s, call);
    assert_ok(wire_fork_decode(&f, s->call[call].json, s->call[call].len));
    assert_string_equal(f.log.p, "dev/log");
    assert_ok(tlog_checkpoint_open(&ours, f.ours.p, f.ours.len, &s->vkey));
    assert_ok(
            tlog_checkpoint_open(&theirs, f.theirs.p, f.theirs.len, &s->vkey));
    assert_true(ours.size != theirs.size ||
                memcmp(ours.root.b, theirs.root.b, 32) != 0);
    assert_true(status_says(s, id, "\"fork\":{\"log\":\"dev/log\""));
    assert_true(status_says(s, id, "state.db"));
    assert_true(status_says(s, id, "\"problems\":[\"log dev/log has forked"));
}

static void signs_nothing(struct sim *s, unsigned id)
{
    char body[TLOG_ADD_CHECKPOINT_MAX];
    unsigned shares = s->n_shares;
    unsigned call = sim_sign(s, id, "release", "", "no", 2, 3000);
    sim_want(s, call, RC_LOG);
    says(s, call, "log dev/log has forked");
    assert_non_null(strstr(s->call[call].hint, "/v1/fork"));
    assert_int_equal(s->n_shares, shares);
    assert_rc(commit(s, id, id == 1 ? 2 : 1), RC_LOG);
    grow(s, 1);
    request(s, body, 1);
    assert_int_equal(add(s, id, body), 422);
}

static void two_roots_of_one_size_are_a_fork_without_the_log(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    sim_want_ok(s, sign(s, 1, "one history"));
    sim_run(s, 500);
    fork_for_node3(s, 0);
    grow(s, 1);
    cosign_newest(s, 1);
    cosign_newest(s, 2);
    assert_int_equal(told(s, 1), told(s, 3));
    s->log_down = true;
    sim_gossip(s); /* they attest to each other anew */
    sim_run(s, 100);
    s->log_down = false;
    for (unsigned id = 1; id <= 3; id++) {
        is_kept_as_evidence(s, id);
        assert_int_equal(s->node[id].forks, 1);
        signs_nothing(s, id);
    }
    /* it is on the disk, and stays true after a restart */
    for (unsigned id = 1; id <= 3; id++) {
        sim_crash(s, id);
        sim_start(s, id);
        is_kept_as_evidence(s, id);
        sim_run(s, 2000);
        signs_nothing(s, id);
    }
    sim_free(s);
}

static void heads_of_other_sizes_are_put_to_the_log(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    sim_want_ok(s, sign(s, 1, "one history"));
    sim_run(s, 500);
    fork_for_node3(s, 5);
    grow(s, 1);
    for (unsigned id = 1; id <= 2; id++)
        cosign_newest(s, id);
    assert_true(told(s, 1) < told(s, 3));
    sim_run(s, 32000); /* no longer than this */
    assert_int_equal(s->node[3].forks, 1);
    /* the others are shown a log that has not got as far: not yet a fork */
    for (unsigned id = 1; id <= 2; id++) {
        assert_int_equal(s->node[id].forks, 0);
        assert_true(status_says(s, id, "node3 holds its signature over"));
        unsigned call = sim_sign(s, id, "release", "", "no", 2, 3000);
        assert_true(sim_wait(s, call, 4000));
        assert_int_not_equal(s->call[call].rc, RC_OK);
    }
    grow(s, 20); /* by itself, a log may */
    sim_run(s, 2500);
    for (unsigned id = 1; id <= 3; id++)
        assert_int_equal(s->node[id].forks, 1);
    for (unsigned id = 1; id <= 3; id++) {
        is_kept_as_evidence(s, id);
        signs_nothing(s, id);
    }
    sim_free(s);
}

static void a_fork_that_the_disk_refuses_still_stops_the_node(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    sim_want_ok(s, sign(s, 1, "one history"));
    sim_run(s, 500);
    fork_for_node3(s, 0);
    grow(s, 1);
    cosign_newest(s, 1);
    break_disk(s, 1);
    sim_gossip(s);
    sim_run(s, 100);
    assert_true(status_says(s, 1, "the disk refused it"));
    signs_nothing(s, 1);
    mend_disk(s, 1);
    sim_run(s, 500);
    is_kept_as_evidence(s, 1);
    sim_free(s);
}

/* ---- what peers cannot do ------------------------------------------------------------- */

static void show_from(struct sim *s, unsigned id, unsigned from,
                      const char *note)
{
    WIRE(head) m = { 0 };
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    size_t len;
    assert_ok(wire_text_set(&m.head, note, strlen(note)));
    assert_ok(wire_head_encode(&json, &len, &m));
    assert_ok(node_on_peer(s->node[id].node, from, "/v1/head", (uint8_t *)json,
                           len, &reply, &len));
    WIRE(head) own = { 0 };
    assert_ok(wire_head_decode(&own, reply, len));
}

static void show(struct sim *s, unsigned id, const char *note)
{
    show_from(s, id, 2, note);
}

/* While the log's answer is under way, it grows, and a peer shows that. */
static void grow_meanwhile(struct sim *s, uint32_t from, uint32_t to,
                           const char *path, bool reply, uint8_t **body,
                           size_t *len)
{
    char note[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    unsigned *times = s->tamper_ctx;
    (void)body;
    (void)len;
    if (!reply || from != 1 || to != WORLD_LOG ||
        strcmp(path, "/v1/log/append") != 0 || *times == 0)
        return;
    --*times;
    grow(s, 2);
    newest(s, note, &cp);
    show_from(s, 1, 3, note);
}

static void a_head_newer_than_the_logs_answer_is_no_rollback(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    char note[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    unsigned times = 1;
    sim_want_ok(s, sign(s, 1, "before"));
    sim_run(s, 3000);
    s->tamper = grow_meanwhile;
    s->tamper_ctx = &times;
    grow(s, 1);
    newest(s, note, &cp);
    show_from(s, 1, 2, note);
    for (unsigned i = 0; i < 300 && times; i++)
        sim_run(s, 1);
    assert_int_equal(times, 0);
    for (unsigned i = 0; i < 300; i++) { /* at no time */
        sim_run(s, 5);
        assert_false(status_says(s, 1, "has shrunk"));
        assert_ok(commit(s, 1, 2));
    }
    assert_true(told(s, 1) >= cp.size + 2);
    done(s);
}

static void a_peer_that_makes_heads_up_changes_nothing(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    char note[TLOG_NOTE_MAX];
    struct tlog_checkpoint cp;
    struct tlog_vkey mine;
    uint8_t pk[32], sk[64];
    sim_want_ok(s, sign(s, 1, "before"));
    newest(s, note, &cp);
    /* signed by a key of its own, under the log's name */
    crypto_sign_seed_keypair(pk, sk, (const uint8_t[32]){ 9 });
    assert_ok(tlog_vkey_make(&mine, s->vkey.name, TLOG_SIG_ED25519, pk));
    cp.size += 1000;
    assert_ok(tlog_checkpoint_sign(note, sizeof(note), &cp, &mine, sk));
    show(s, 1, note);
    show(s, 1, "");
    show(s, 1, "not a note");
    /* the log's own line over other words */
    newest(s, note, &cp);
    *strchr(note, '\n') = '\r';
    show(s, 1, note);
    sim_run(s, 3000);
    assert_true(status_says(s, 1, "\"fork\":null"));
    sim_want_ok(s, sign(s, 1, "after"));
    assert_int_equal(s->node[1].forks, 0);
    done(s);
}

#define T(name) cmocka_unit_test_teardown(name, sim_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_restored_state_db_catches_up_before_it_signs),
        T(it_does_not_sign_while_the_log_hides_what_peers_saw),
        T(a_node_starts_where_no_peer_answers),
        T(under_a_shrunken_log_nothing_is_signed),
        T(two_roots_of_one_size_are_a_fork_without_the_log),
        T(heads_of_other_sizes_are_put_to_the_log),
        T(a_fork_that_the_disk_refuses_still_stops_the_node),
        T(a_head_newer_than_the_logs_answer_is_no_rollback),
        T(a_peer_that_makes_heads_up_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All nodes of a key are gone, or too many of them: custodians bring its
 * shares to new ones, and it goes on under the same public key.
 */
#include "test.h"

#include "custody/custody.h"
#include "mover.h"
#include "story.h"

#include <unistd.h>

#include "base/enc.h"
#include "base/hash.h"

static const char *const release[] = { "release", NULL };
static const char *const nobody[] = { NULL };

/* ---- custodians --------------------------------------------------------------- */

/* A cluster whose nodes have custodians, one each, and what these keep. */
struct kept {
    struct sim *s;
    uint8_t group[32];
    struct custody_key custodian[SIM_NODES + 1];
    struct wire_backups backups; /* owned */
};

static struct kept *with_custodians(unsigned nodes)
{
    char hex[ENC_HEX_SIZE(32)];
    struct kept *k = calloc(1, sizeof(*k));
    assert_non_null(k);
    struct sim *s = k->s = sim_new(1, nodes);
    s->threshold = 2;
    s->holders = 0xE;
    for (unsigned i = 1; i <= nodes; i++) {
        custody_key_make(&k->custodian[i]);
        snprintf(s->custodian[i], sizeof(s->custodian[i]), "%s",
                 enc_hex(hex, k->custodian[i].public, 32));
    }
    sim_ready(s, release);
    WIRE(key) key = { 0 };
    mover_key(s, 1, "release", &key);
    memcpy(k->group, key.group_key, 32);
    return k;
}

static void kept_free(struct kept *k)
{
    wire_backups_free(&k->backups);
    done(k->s);
    free(k);
}

static void session_of(struct kept *k, struct wire_session *out,
                       enum policy_session_type type, const char *const *people)
{
    struct policy_session s = sim_session(k->s, type, "release");
    s.has_key = true;
    hash256(s.key, k->group, 32);
    sim_session_wire(k->s, out, &s, "steward", people);
}

/* What custodians have from now on. */
static void fetch(struct kept *k)
{
    WIRE(session) wire = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    session_of(k, &wire, POLICY_S_BACKUP, sim_stewards);
    assert_ok(wire_session_encode(&json, &len, &wire));
    unsigned call = sim_ask(k->s, 1, "/v1/key/backup", json, len);
    sim_want_ok(k->s, call);
    wire_backups_free(&k->backups);
    assert_ok(wire_backups_decode(&k->backups, k->s->call[call].json,
                                  k->s->call[call].len));
}

/* The custodian of node `whose` brings its share to node `to`. */
static unsigned bring_by(struct kept *k, unsigned whose, unsigned to,
                         const char *const *people)
{
    WIRE(recover) m = { 0 };
    OWNED_MEM char *key = NULL;
    OWNED_MEM char *json = NULL;
    size_t len;
    struct frost_scalar share;
    struct custody_backup of;
    uint8_t parcel[CUSTODY_PARCEL_LEN];
    const struct wire_backup *b = &k->backups.backups.at[whose - 1];
    assert_ok(custody_backup_open(&share, &of, b->sealed.p, b->sealed.len,
                                  &k->custodian[whose]));
    assert_ok(
            custody_parcel_make(parcel, &of, &share, k->s->node[to].keys.box));
    assert_ok(wire_blob_set(&m.parcel, parcel, sizeof(parcel)));
    assert_ok(wire_epoch_live_encode(&key, &len, &k->backups.key));
    assert_ok(wire_epoch_live_decode(&m.key, key, len));
    session_of(k, &m.session, POLICY_S_RECOVER, people);
    assert_ok(wire_recover_encode(&json, &len, &m));
    return sim_ask(k->s, to, "/v1/key/recover", json, len);
}

static unsigned bring(struct kept *k, unsigned whose, unsigned to)
{
    return bring_by(k, whose, to, sim_stewards);
}

static unsigned move_by(struct kept *k, unsigned via, const char *const *people)
{
    WIRE(session) wire = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    session_of(k, &wire, POLICY_S_RECOVER, people);
    assert_ok(wire_session_encode(&json, &len, &wire));
    return sim_ask(k->s, via, "/v1/key/change", json, len);
}

static unsigned move(struct kept *k, unsigned via)
{
    return move_by(k, via, sim_stewards);
}

/* ---- losing nodes ---------------------------------------------------------------- */

/* Its disk and its chip. Started again it has nothing, and new keys. */
static void lose(struct kept *k, unsigned id)
{
    struct sim_node *n = &k->s->node[id];
    char path[DIR_MAX + 48];
    static const char *const tail[] = { "", "-wal", "-shm" };
    sim_crash(k->s, id);
    free(TAKE(n->status));
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s%s", n->db, tail[i]);
        (void)unlink(path);
    }
    memset(n->seal_key, (int)(0x50 + id), 32);
}

/* The log and the CA have the versions: here the first that is up. */
static void hand_chain(struct kept *k, const char *chain, size_t len)
{
    WIRE(policies) all = { 0 };
    assert_ok(wire_policies_decode(&all, chain, len));
    for (unsigned id = 1; id <= k->s->n; id++)
        for (size_t i = 1; k->s->node[id].up && i < all.versions.n; i++) {
            OWNED_MEM char *json = NULL;
            char *reply = NULL;
            size_t json_len, reply_len;
            assert_ok(
                    wire_policy_encode(&json, &json_len, &all.versions.at[i]));
            assert_ok(node_on_peer(k->s->node[id].node, WORLD_LOG, "/v1/policy",
                                   (const uint8_t *)json, json_len, &reply,
                                   &reply_len));
            free(reply);
        }
}

/* All of them; others in their place, whom a new version names. */
static void lose_all(struct kept *k)
{
    struct sim *s = k->s;
    unsigned call = sim_ask(s, 1, "/v1/policy", NULL, 0);
    sim_want_ok(s, call);
    OWNED_MEM char *chain = strdup(s->call[call].json);
    size_t len = s->call[call].len;
    for (unsigned i = 1; i <= s->n; i++)
        lose(k, i);
    for (unsigned i = 1; i <= s->n; i++)
        sim_start(s, i);
    sim_run(s, 500);
    hand_chain(k, chain, len);
    sim_want_ok(s, sim_policy_next(s, 1, NULL, NULL));
    sim_run(s, 500);
}

static void in_epoch(struct kept *k, uint64_t epoch)
{
    for (unsigned i = 1; i <= k->s->n; i++) {
        WIRE(key) key = { 0 };
        if (!k->s->node[i].up)
            continue;
        mover_key(k->s, i, "release", &key);
        assert_int_equal(key.epoch, epoch);
    }
}

static bool logged(struct sim *s, const char *part)
{
    bool found = false;
    for (uint64_t i = 0; i < s->log.n; i++)
        found = found || strstr(s->log.entry[i], part);
    return found;
}

/* Nothing that was brought is left: the vault has no such share to deal. */
static void nothing_brought(struct kept *k, uint64_t epoch)
{
    uint8_t id[32];
    uint8_t sealed[VAULT_BACKUP_MAX];
    size_t len;
    hash256(id, k->group, 32);
    for (unsigned i = 1; i <= k->s->n; i++) {
        if (!k->s->node[i].up)
            continue;
        OWNED_MEM char *status = sim_status(k->s, i);
        assert_null(strstr(status, "brought"));
        /* of a share that is gone it says that another is live */
        assert_rc(vault_backup(k->s->node[i].vault, sealed, &len, id, epoch),
                  RC_EPOCH_MOVED);
    }
}

/* ---- all nodes -------------------------------------------------------------------- */

static void all_are_lost_and_it_signs_again(void **state)
{
    (void)state;
    struct kept *k = with_custodians(3);
    struct sim *s = k->s;
    sim_want_ok(s, sign(s, 1, "before"));
    fetch(k);
    lose_all(k);
    sim_want(s, sign(s, 1, "nobody knows it"), RC_UNKNOWN);
    sim_want_ok(s, bring(k, 1, 2));
    unsigned call = move(k, 2);
    sim_want(s, call, RC_NODES);
    says(s, call, "needs 2 of 3 shares, 0 live and 1 were brought");
    sim_want(s, sign(s, 2, "one is not enough"), RC_NODES);
    sim_want_ok(s, bring(k, 3, 1)); /* to one that is not its own */
    sim_want_ok(s, move(k, 3));     /* driven by one that holds none */
    in_epoch(k, 2);
    mover_settled(s, "release", k->group);
    assert_true(logged(s, "\ntype recover\nepoch 2\nparent 1\n"));
    nothing_brought(k, 1);
    /* and goes on as any key does */
    sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
    mover_settled(s, "release", k->group);
    for (unsigned i = 1; i <= 3; i++) {
        sim_crash(s, i);
        sim_start(s, i);
    }
    sim_run(s, 1500);
    in_epoch(k, 3);
    mover_settled(s, "release", k->group);
    kept_free(k);
}

/* The certificate is that of a move, and its birth is long ago. */
static void it_is_the_newest_epoch_that_comes_back(void **state)
{
    (void)state;
    struct kept *k = with_custodians(3);
    struct sim *s = k->s;
    fetch(k);
    struct wire_backups old = k->backups;
    memset(&k->backups, 0, sizeof(k->backups)); /* moved */
    sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
    sim_want_ok(s, mover_move(s, 2, POLICY_S_REFRESH, "release"));
    sim_run(s, 1000);
    fetch(k);
    struct wire_backups newest = k->backups;
    lose_all(k);
    /* those of epoch 1: nobody here knows better, the log does */
    k->backups = old;
    sim_want_ok(s, bring(k, 1, 1));
    sim_want_ok(s, bring(k, 2, 2));
    unsigned call = move(k, 1);
    sim_want(s, call, RC_EPOCH_MOVED);
    says(s, call, "the key moved to epoch 3");
    assert_non_null(strstr(s->call[call].hint, "backups of that epoch"));
    sim_want(s, sign(s, 1, "not with those"), RC_NODES);
    /* a vault that took one of them is started again */
    for (unsigned i = 1; i <= 3; i++) {
        free(TAKE(s->node[i].status));
        sim_crash(s, i);
        free(TAKE(s->node[i].status));
        sim_start(s, i);
    }
    sim_run(s, 1500);
    k->backups = newest;
    sim_want_ok(s, bring(k, 1, 1));
    k->backups = old; /* known by now */
    call = bring(k, 2, 1);
    sim_want(s, call, RC_EPOCH_MOVED);
    says(s, call, "the share is of epoch 1, the key is in epoch 3");
    k->backups = newest;
    sim_want_ok(s, bring(k, 2, 2));
    sim_want_ok(s, move(k, 2));
    mover_settled(s, "release", k->group);
    k->backups = newest;
    wire_backups_free(&old);
    kept_free(k);
}

/* The number that the wrong shares burnt is that of the epoch they missed. */
static void a_number_that_was_burnt_in_vain_is_no_obstacle(void **state)
{
    (void)state;
    struct kept *k = with_custodians(3);
    struct sim *s = k->s;
    fetch(k);
    struct wire_backups old = k->backups;
    memset(&k->backups, 0, sizeof(k->backups)); /* moved */
    sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
    sim_run(s, 1000);
    fetch(k);
    struct wire_backups newest = k->backups;
    lose_all(k);
    k->backups = old;
    sim_want_ok(s, bring(k, 1, 1));
    sim_want_ok(s, bring(k, 2, 2));
    sim_want(s, move(k, 1), RC_EPOCH_MOVED);
    for (unsigned i = 1; i <= 2; i++) {
        sim_crash(s, i);
        free(TAKE(s->node[i].status)); /* what was brought is gone */
        sim_start(s, i);
    }
    sim_run(s, 1500);
    k->backups = newest;
    sim_want_ok(s, bring(k, 1, 2));
    sim_want_ok(s, bring(k, 3, 1));
    sim_want_ok(s, move(k, 2));
    mover_settled(s, "release", k->group);
    wire_backups_free(&old);
    kept_free(k);
}

/* ---- what is refused --------------------------------------------------------------- */

static void what_is_not_in_order_is_refused(void **state)
{
    (void)state;
    static const char *const one[] = { "bob", NULL };
    struct kept *k = with_custodians(3);
    struct sim *s = k->s;
    fetch(k);
    /* while its holders live */
    unsigned call = move(k, 1);
    sim_want(s, call, RC_CONFLICT);
    says(s, call, "3 of its holders live");
    assert_non_null(strstr(s->call[call].hint, "key repair release"));
    sim_want(s, bring(k, 1, 2), RC_EXISTS);
    lose_all(k);
    sim_want(s, bring_by(k, 1, 1, nobody), RC_NOT_APPROVED);
    sim_want(s, bring_by(k, 1, 1, one), RC_NOT_APPROVED);
    sim_want_ok(s, bring(k, 1, 1));
    /* one a vault; and one share at two of them is still one */
    sim_want(s, bring(k, 2, 1), RC_EXISTS);
    sim_want_ok(s, bring(k, 1, 2));
    call = move(k, 2);
    sim_want(s, call, RC_NODES);
    says(s, call, "0 live and 1 were brought");
    sim_want_ok(s, bring(k, 2, 3));
    sim_want(s, move_by(k, 3, nobody), RC_NOT_APPROVED);
    sim_want(s, move_by(k, 3, one), RC_NOT_APPROVED);
    /* a certificate that is another's */
    k->backups.key.birth.cert.votes.at[0].y[3] ^= 1;
    call = bring(k, 3, 3);
    assert_true(sim_wait(s, call, 10000));
    assert_int_not_equal(s->call[call].rc, RC_OK);
    k->backups.key.birth.cert.votes.at[0].y[3] ^= 1;
    sim_want_ok(s, move(k, 3));
    mover_settled(s, "release", k->group);
    kept_free(k);
}

/* ---- too many, not all ---------------------------------------------------------------- */

/* One lives, with its share; one that is brought makes two. */
static void one_that_lives_deals_beside_what_is_brought(void **state)
{
    (void)state;
    struct kept *k = with_custodians(5);
    struct sim *s = k->s;
    fetch(k);
    lose(k, 1);
    lose(k, 2);
    s->holders = 0xE | 0x30;
    s->leaving = 0x6; /* the lost ones; 4 and 5 in their place */
    sim_want_ok(s, sim_policy_next(s, 3, NULL, NULL));
    sim_run(s, 500);
    sim_want_ok(s, bring(k, 1, 4));
    sim_want_ok(s, move(k, 5));
    in_epoch(k, 2);
    mover_settled(s, "release", k->group);
    kept_free(k);
}

/* ---- crashes ----------------------------------------------------------------------------- */

/* Whenever one ends: what is needed is brought again, and it comes back. */
static void a_crash_meanwhile_is_gone_on_from(void **state)
{
    (void)state;
    for (unsigned ms = 1; ms < 60; ms += 4) {
        struct kept *k = with_custodians(3);
        struct sim *s = k->s;
        unsigned who = ms % 3 + 1;
        fetch(k);
        lose_all(k);
        sim_want_ok(s, bring(k, 1, 1));
        sim_want_ok(s, bring(k, 2, 2));
        (void)move(k, 1);
        sim_run(s, ms);
        sim_crash(s, who);
        free(TAKE(s->node[who].status)); /* what was brought is gone */
        sim_run(s, 7000);
        sim_start(s, who);
        sim_run(s, 4000);
        WIRE(key) key = { 0 };
        mover_key(s, who, "release", &key);
        if (key.epoch == 1) {
            for (unsigned i = 1; i <= 2; i++)
                if (who == i)
                    sim_want_ok(s, bring(k, i, i));
            sim_want_ok(s, move(k, who));
        }
        sim_run(s, 4000);
        mover_settled(s, "release", k->group);
        kept_free(k);
    }
}

/* ---- what an operator is told --------------------------------------------------------------- */

static bool tells(struct sim *s, unsigned id, const char *words)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(node_status(s->node[id].node, &json, &len));
    return strstr(json, words) != NULL;
}

/* A node that ends while a key moves: who waits for it, and what to do. */
static void status_says_whom_old_shares_wait_for(void **state)
{
    (void)state;
    struct kept *k = with_custodians(3);
    struct sim *s = k->s;
    bool waited = false;
    sim_run(s, 5000);
    assert_true(tells(s, 1, "\"live\":1,\"prepared\":0,\"retired\":true"));
    assert_true(tells(s, 1, "{\"node\":3,\"state\":\"ok\""));
    assert_true(tells(s, 1, "\"next\":[]"));
    for (unsigned ms = 4; ms < 60 && !waited; ms += 3) {
        unsigned call = mover_move(s, 1, POLICY_S_REFRESH, "release");
        sim_run(s, ms);
        sim_crash(s, 3);
        free(TAKE(s->node[3].status)); /* it may hear at once */
        (void)sim_wait(s, call, 40000);
        sim_run(s, 4000);
        waited = tells(s, 1, "\"waits_for\":[3]");
        if (waited) {
            assert_true(tells(s, 1,
                              "are kept until node3 acknowledges it: "
                              "start it, or mark it leaving and mpcsign "
                              "key reshare release"));
        }
        sim_start(s, 3);
        sim_run(s, 12000);
        assert_true(tells(s, 1, "\"waits_for\":[]"));
    }
    assert_true(waited);
    kept_free(k);
}

/* Too many lost, and then one: the commands are others. */
static void status_says_what_brings_a_key_back(void **state)
{
    (void)state;
    struct kept *k = with_custodians(3);
    struct sim *s = k->s;
    fetch(k);
    lose_all(k);
    sim_want_ok(s, bring(k, 1, 2));
    sim_run(s, 40000); /* they have asked each other */
    assert_true(tells(s, 3, "3 of its 3 shares are lost and 2 are needed"));
    assert_true(tells(s, 3, "mpcsign key recover release"));
    assert_true(tells(s, 2, "the share of node1 was brought here"));
    assert_true(tells(s, 1, "{\"node\":3,\"state\":\"lost\""));
    sim_want_ok(s, bring(k, 2, 1));
    sim_want_ok(s, move(k, 1));
    sim_run(s, 40000);
    for (unsigned i = 1; i <= 3; i++)
        assert_true(tells(s, i, "\"next\":[]"));
    kept_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(all_are_lost_and_it_signs_again),
        T(it_is_the_newest_epoch_that_comes_back),
        T(a_number_that_was_burnt_in_vain_is_no_obstacle),
        T(what_is_not_in_order_is_refused),
        T(one_that_lives_deals_beside_what_is_brought),
        T(a_crash_meanwhile_is_gone_on_from),
        T(status_says_whom_old_shares_wait_for),
        T(status_says_what_brings_a_key_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

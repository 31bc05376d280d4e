/* SPDX-License-Identifier: Apache-2.0 */
/* See mover.h. */
#include "test.h"

#include "mover.h"

#include <sqlite3.h>

#include "base/hash.h"

void mover_key(struct sim *s, unsigned via, const char *name,
               struct wire_key *out)
{
    char path[96];
    snprintf(path, sizeof(path), "/v1/key/%s", name);
    unsigned call = sim_ask(s, via, path, NULL, 0);
    sim_want_ok(s, call);
    assert_ok(wire_key_decode(out, s->call[call].json, s->call[call].len));
}

void mover_approve(struct mover *m, struct sim *s, unsigned via,
                   enum policy_session_type type, const char *name)
{
    WIRE(key) key = { 0 };
    WIRE(session) wire = { 0 };
    *m = (struct mover){ .s = s };
    mover_key(s, via, name, &key);
    struct policy_session session = sim_session(s, type, name);
    session.has_key = true;
    hash256(session.key, key.group_key, 32);
    sim_session_wire(s, &wire, &session, "steward", sim_stewards);
    memcpy(m->id, session.id, 32);
    assert_ok(wire_session_encode(&m->json, &m->len, &wire));
}

void mover_free(struct mover *m)
{
    free(m->json);
}

unsigned mover_ask(struct mover *m, unsigned via)
{
    return sim_ask(m->s, via, "/v1/key/change", m->json, m->len);
}

unsigned mover_move(struct sim *s, unsigned via, enum policy_session_type type,
                    const char *name)
{
    struct mover m;
    mover_approve(&m, s, via, type, name);
    unsigned call = mover_ask(&m, via);
    mover_free(&m);
    return call;
}

void mover_layout(struct sim *s, unsigned via, unsigned threshold,
                  unsigned holders, unsigned leaving)
{
    s->threshold = threshold;
    s->holders = holders;
    s->leaving = leaving;
    sim_want_ok(s, sim_policy_next(s, via, NULL, NULL));
    sim_run(s, 300);
    sim_gossip(s);
    sim_run(s, 300);
    for (unsigned i = 1; i <= s->n; i++) {
        struct wire_policy_head head;
        if (!s->node[i].up)
            continue;
        node_policy_head(s->node[i].node, &head);
        if (head.version != s->version)
            sim_fail(s, "node%u did not take policy version %llu", i,
                     (unsigned long long)s->version);
    }
}

void mover_lose_share(struct sim *s, unsigned id)
{
    sqlite3 *db;
    sim_crash(s, id);
    free(TAKE(s->node[id].status)); /* it will not be as before */
    assert_int_equal(sqlite3_open(s->node[id].db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE epoch SET sealed=NULL; UPDATE"
                                  " key_move SET sealed=NULL",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    sim_start(s, id);
    sim_run(s, 1500);
}

int mover_count(struct sim *s, unsigned node, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open(s->node[node].db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int got = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return got;
}

int mover_old_shares(struct sim *s, unsigned node, uint64_t epoch)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "SELECT (SELECT count(*) FROM epoch WHERE sealed IS NOT NULL AND"
             " epoch<%llu) + (SELECT count(*) FROM key_move WHERE sealed IS"
             " NOT NULL AND epoch<%llu)",
             (unsigned long long)epoch, (unsigned long long)epoch);
    return mover_count(s, node, sql);
}

void mover_settled(struct sim *s, const char *name, const uint8_t group[32])
{
    uint64_t epoch = 0;
    for (unsigned i = 1; i <= s->n; i++) {
        WIRE(key) key = { 0 };
        if (!s->node[i].up)
            continue;
        mover_key(s, i, name, &key);
        if (epoch && key.epoch != epoch)
            sim_fail(s, "node%u is in epoch %llu of %s, another in %llu", i,
                     (unsigned long long)key.epoch, name,
                     (unsigned long long)epoch);
        epoch = key.epoch;
        if (memcmp(key.group_key, group, 32) != 0)
            sim_fail(s, "node%u has another group key of %s", i, name);
        int old = mover_old_shares(s, i, epoch);
        if (old)
            sim_fail(s, "node%u keeps %d shares from before epoch %llu", i, old,
                     (unsigned long long)epoch);
    }
    for (unsigned i = 1; i <= s->n; i++) {
        struct wire_signed out;
        if (!s->node[i].up)
            continue;
        unsigned call = sim_sign(s, i, name, "", "settled", 7, 10000);
        sim_want_ok(s, call);
        assert_true(sim_signature(s, call, &out));
        assert_memory_equal(out.group_key, group, 32);
        assert_int_equal(out.epoch, epoch);
    }
}

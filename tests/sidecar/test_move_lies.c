/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes that were taken over, around a key that moves: messages kept and sent
 * again when their time is over, pieces that are to be replaced, a number that
 * is to end all numbers, and an epoch that a few made for themselves.
 */
#include "test.h"

#include "mover.h"
#include "story.h"

#include <sqlite3.h>

#include "base/file.h"
#include "base/hash.h"
#include "sidecar/inner.h"

static const char *const release[] = { "release", NULL };

static struct sim *peered(void)
{
    struct sim *s = sim_new(1, 3);
    s->master = VAULT_SNP_PEERS;
    return s;
}

static enum rc tell(struct sim *s, unsigned from, unsigned to, const char *path,
                    const void *body, size_t len)
{
    OWNED_MEM char *reply = NULL;
    size_t reply_len;
    return node_on_peer(s->node[to].node, from, path, body, len, &reply,
                        &reply_len);
}

/* ---- a message that is kept on its way -------------------------------------- */

struct kept {
    const char *path;
    uint32_t to;
    bool lost;     /* and does not arrive */
    uint8_t *body; /* owned; the first one */
    size_t len;
};

static void keep(struct sim *s, uint32_t from, uint32_t to, const char *path,
                 bool reply, uint8_t **body, size_t *len)
{
    struct kept *k = s->tamper_ctx;
    (void)from;
    if (reply || k->body || to != k->to || strcmp(path, k->path) != 0)
        return;
    k->body = malloc(*len);
    assert_non_null(k->body);
    memcpy(k->body, *body, *len);
    k->len = *len;
    if (!k->lost)
        return;
    free(*body); /* it is no message any more */
    *body = (uint8_t *)strdup("{");
    *len = 1;
}

static void keep_from_now(struct sim *s, struct kept *k)
{
    s->tamper = keep;
    s->tamper_ctx = k;
}

/* ---- pieces -------------------------------------------------------------------- */

static void want_problems(struct sim *s, unsigned id, bool any)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(node_status(s->node[id].node, &json, &len));
    if (any == (strstr(json, "\"problems\":[]") != NULL))
        sim_fail(s, "node%u: %.900s", id, json);
}

/* Split again, its share would be lost at the next start. */
static void a_live_share_is_not_split_again(void **state)
{
    (void)state;
    struct sim *s = peered();
    OWNED_MEM char *json = NULL;
    size_t len;
    sim_ready(s, release);
    WIRE(piece_split) m = { .epoch = 1, .threshold = 2 };
    memcpy(m.session, s->node[1].node->key[0].evidence.cert.session, 32);
    assert_ok(wire_list_new(&m.nodes, 3));
    for (unsigned i = 0; i < 3; i++)
        m.nodes.at[i] = i + 1;
    assert_ok(wire_piece_split_encode(&json, &len, &m));
    for (unsigned life = 0; life < 2; life++) {
        assert_rc(tell(s, 2, 1, "/v1/piece/split", json, len), RC_UNKNOWN);
        sim_crash(s, 1);
        sim_start(s, 1);
    }
    sim_run(s, 3000);
    want_problems(s, 1, false);
    done(s);
}

static int pieces_of(struct sim *s, unsigned node, uint64_t epoch)
{
    char sql[96];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM piece WHERE epoch=%llu",
             (unsigned long long)epoch);
    return mover_count(s, node, sql);
}

static void a_piece_neither_changes_nor_comes_back(void **state)
{
    (void)state;
    struct sim *s = peered();
    struct kept k = { .path = "/v1/piece/keep", .to = 2 };
    static const char sum[] = "SELECT sum(unicode(substr(hex(sealed),521,9)))"
                              " FROM piece";
    keep_from_now(s, &k);
    sim_ready(s, release);
    assert_non_null(k.body);
    assert_int_equal(pieces_of(s, 2, 1), 2);
    int before = mover_count(s, 2, sum);
    for (unsigned i = 0; i < 8; i++) /* it would be sealed anew each time */
        assert_ok(tell(s, 1, 2, "/v1/piece/keep", k.body, k.len));
    assert_int_equal(mover_count(s, 2, sum), before);
    sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
    sim_run(s, 4000);
    for (unsigned id = 1; id <= 3; id++) {
        assert_int_equal(pieces_of(s, id, 1), 0);
        assert_int_equal(pieces_of(s, id, 2), 2);
    }
    assert_rc(tell(s, 1, 2, "/v1/piece/keep", k.body, k.len), RC_UNKNOWN);
    assert_int_equal(pieces_of(s, 2, 1), 0);
    free(k.body);
    done(s);
}

/* ---- what is left on the disk --------------------------------------------------- */

static void blob_of(struct sim *s, unsigned id, const char *sql,
                    uint8_t out[64])
{
    sqlite3 *db;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open(s->node[id].db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int len = sqlite3_column_bytes(st, 0);
    assert_in_range(len, 64, 4096);
    memcpy(out, (const uint8_t *)sqlite3_column_blob(st, 0) + len - 64, 64);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static bool on_disk(struct sim *s, unsigned id, const uint8_t what[64])
{
    static const char *const suffix[] = { "", "-wal" };
    bool found = false;
    for (unsigned i = 0; i < 2; i++) {
        char path[DIR_MAX + 64];
        OWNED_MEM uint8_t *p = NULL;
        size_t len = 0;
        snprintf(path, sizeof(path), "%s%s", s->node[id].db, suffix[i]);
        if (file_read(&p, &len, path, 64u << 20) == RC_OK)
            found = found || memmem(p, len, what, 64);
    }
    return found;
}

static void what_is_retired_is_not_on_the_disk(void **state)
{
    (void)state;
    struct sim *s = peered();
    uint8_t share[SIM_NODES + 1][64];
    uint8_t piece[SIM_NODES + 1][64];
    sim_ready(s, release);
    for (unsigned id = 1; id <= 3; id++) {
        blob_of(s, id, "SELECT sealed FROM epoch", share[id]);
        blob_of(s, id, "SELECT sealed FROM piece", piece[id]);
        assert_true(on_disk(s, id, share[id]));
        assert_true(on_disk(s, id, piece[id]));
    }
    sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
    for (unsigned id = 1; id <= 3; id++) {
        assert_false(on_disk(s, id, share[id]));
        assert_false(on_disk(s, id, piece[id]));
        blob_of(s, id, "SELECT sealed FROM key_move", share[id]);
        blob_of(s, id, "SELECT sealed FROM piece", piece[id]);
    }
    sim_want_ok(s, mover_move(s, 1, POLICY_S_DESTROY, "release"));
    for (unsigned id = 1; id <= 3; id++) {
        assert_false(on_disk(s, id, share[id]));
        assert_false(on_disk(s, id, piece[id]));
    }
    done(s);
}

/* ---- numbers ---------------------------------------------------------------------- */

static void the_last_number(struct sim *s, uint32_t from, uint32_t to,
                            const char *path, bool reply, uint8_t **body,
                            size_t *len)
{
    WIRE(epoch_found) m = { 0 };
    char *json = NULL;
    (void)s;
    (void)from;
    if (!reply || to != 3 || strcmp(path, "/v1/epoch/look") != 0)
        return;
    assert_ok(wire_epoch_found_decode(&m, (const char *)*body, *len));
    m.number = INT64_MAX - 1;
    assert_ok(wire_epoch_found_encode(&json, len, &m));
    free(*body);
    *body = (uint8_t *)json;
}

static void a_number_far_away_stands_in_nobodys_way(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    WIRE(key) key = { 0 };
    s->tamper = the_last_number;
    sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
    mover_key(s, 1, "release", &key);
    assert_int_equal(key.epoch, 2);
    done(s);
}

/* ---- a run that ends late ------------------------------------------------------------ */

static void nobody_votes_for_a_key_that_is_destroyed(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    struct kept k = { .path = "/v1/epoch/prepare", .to = 3, .lost = true };
    keep_from_now(s, &k);
    unsigned call = mover_move(s, 1, POLICY_S_REFRESH, "release");
    sim_wait(s, call, 40000);
    assert_int_not_equal(s->call[call].rc, RC_OK);
    sim_want_ok(s, mover_move(s, 1, POLICY_S_DESTROY, "release"));
    enum rc rc = tell(s, 1, 3, "/v1/epoch/prepare", k.body, k.len);
    assert_int_not_equal(rc, RC_OK);
    assert_int_equal(mover_old_shares(s, 3, 99), 0);
    free(k.body);
    done(s);
}

/* It was to become a member, and the key took another way. */
static void nobody_votes_for_a_parent_that_is_over(void **state)
{
    (void)state;
    struct sim *s = sim_new(1, 4);
    struct kept k = { .path = "/v1/epoch/prepare", .to = 4, .lost = true };
    s->threshold = 2;
    s->holders = 0xE;
    sim_ready(s, release);
    mover_layout(s, 1, 2, 0x1E, 0);
    keep_from_now(s, &k);
    unsigned call = mover_move(s, 1, POLICY_S_RESHARE, "release");
    sim_wait(s, call, 40000);
    assert_int_not_equal(s->call[call].rc, RC_OK);
    assert_non_null(k.body);
    sim_want_ok(s, mover_move(s, 1, POLICY_S_REFRESH, "release"));
    assert_rc(tell(s, 1, 4, "/v1/epoch/prepare", k.body, k.len),
              RC_EPOCH_MOVED);
    assert_int_equal(mover_old_shares(s, 4, 99), 0);
    free(k.body);
    done(s);
}

/* ---- an epoch that two of three made for themselves ------------------------------------ */

struct coup {
    struct vault_epoch_terms terms;
    struct vault_dkg_result made[2];
    struct tlog_epoch_terms epoch;
    struct tlog_vote votes[2];
};

/* By their vaults alone: nodes 1 and 2 deal to themselves, and vote. */
static void coup_make(struct coup *c, struct sim *s, const uint8_t session[32],
                      const struct tlog_epoch_terms *parent,
                      const struct tlog_vote *votes)
{
    struct frost_dealing package[2];
    uint8_t box[2][TLOG_MAX_NODES][VAULT_BOX_LEN];
    uint8_t ack[64];
    unsigned n;
    struct vault_epoch_terms *t = &c->terms;
    *t = (struct vault_epoch_terms){ .epoch = parent->epoch + 1,
                                     .t = 2,
                                     .n = 2,
                                     .ids = { 1, 2 },
                                     .n_dealers = 2,
                                     .dealer = { 1, 2 },
                                     .dealer_at = { 1, 2 },
                                     .parent = *parent,
                                     .votes = votes,
                                     .n_votes = parent->n };
    memcpy(t->session, session, 32);
    for (unsigned i = 0; i < 2; i++)
        assert_ok(vault_epoch_begin(s->node[i + 1].vault, &package[i], t));
    for (unsigned i = 0; i < 2; i++)
        assert_ok(vault_epoch_deal(s->node[i + 1].vault, box[i], &n, session,
                                   t->epoch, package, 2));
    for (unsigned i = 0; i < 2; i++) {
        uint8_t in[2][VAULT_BOX_LEN];
        struct vault_dkg_result *r = &c->made[i];
        struct tlog_vote *v = &c->votes[i];
        memcpy(in[0], box[0][i], VAULT_BOX_LEN);
        memcpy(in[1], box[1][i], VAULT_BOX_LEN);
        assert_ok(vault_epoch_finish(s->node[i + 1].vault, r, session, t->epoch,
                                     (const uint8_t(*)[VAULT_BOX_LEN])in, 2));
        v->node = (uint16_t)(i + 1);
        memcpy(v->identity, s->node[i + 1].keys.identity, 32);
        memcpy(v->y, r->ys[i], 32);
        assert_ok(vault_epoch_vote(s->node[i + 1].vault, v->sig, session,
                                   t->epoch, r->sealed, r->sealed_len));
    }
    c->epoch = (struct tlog_epoch_terms){
        .epoch = t->epoch, .parent = parent->epoch, .t = 2, .n = 2
    };
    memcpy(c->epoch.session, session, 32);
    memcpy(c->epoch.group_key, c->made[0].group_key, 32);
    memcpy(c->epoch.transcript, c->made[0].transcript, 32);
    for (unsigned i = 0; i < 2; i++)
        assert_ok(vault_activate(s->node[i + 1].vault, ack, &c->epoch, c->votes,
                                 2, NULL, 0));
}

static void coup_entry(struct tlog_epoch *e, const struct coup *c,
                       const struct policy_session *session)
{
    uint8_t identities[2][32];
    *e = (struct tlog_epoch){ .epoch = c->epoch.epoch,
                              .parent = c->epoch.parent,
                              .threshold = 2,
                              .type = "refresh" };
    for (unsigned i = 0; i < 2; i++)
        memcpy(identities[i], c->votes[i].identity, 32);
    hash256(e->key, c->epoch.group_key, 32);
    memcpy(e->session, session->id, 32);
    memcpy(e->policy, session->policy, 32);
    tlog_participants(e->participants, (const uint8_t(*)[32])identities, 2);
    tlog_endorsements_root(e->endorsements, c->votes, 2);
}

static void coup_log(struct wire_proof *out, struct sim *s,
                     const struct tlog_epoch *e)
{
    char text[TLOG_ENTRY_MAX + 1];
    size_t text_len, len, reply_len;
    WIRE(append) ask = { 0 };
    WIRE(appended) got = { 0 };
    OWNED_MEM char *json = NULL;
    OWNED_MEM char *reply = NULL;
    assert_ok(tlog_epoch_encode(text, &text_len, e));
    assert_ok(wire_list_new(&ask.entries, 1));
    assert_ok(wire_text_set(&ask.entries.at[0], text, text_len));
    assert_ok(wire_append_encode(&json, &len, &ask));
    assert_ok(sim_log_serve(s, 1, "/v1/log/append", (uint8_t *)json, len,
                            &reply, &reply_len));
    assert_ok(wire_appended_decode(&got, reply, reply_len));
    *out = got.proofs.at[0]; /* moved */
    memset(&got.proofs.at[0], 0, sizeof(got.proofs.at[0]));
}

static void coup_show(struct wire_birth *out, struct sim *s,
                      const struct coup *c, struct mover *m)
{
    WIRE(session) w = { 0 };
    struct policy_session session;
    struct tlog_epoch e;
    struct wire_cert *cert = &out->cert;
    assert_ok(wire_session_decode(&w, m->json, m->len));
    assert_ok(policy_session_parse(&session, w.descriptor.p, w.descriptor.len));
    coup_entry(&e, c, &session);
    coup_log(&out->proof, s, &e);
    memcpy(cert->session, session.id, 32);
    memcpy(cert->group_key, c->epoch.group_key, 32);
    memcpy(cert->transcript, c->epoch.transcript, 32);
    cert->epoch = c->epoch.epoch;
    cert->parent = c->epoch.parent;
    cert->threshold = 2;
    assert_ok(wire_list_new(&cert->votes, 2));
    for (unsigned i = 0; i < 2; i++) {
        struct wire_vote *v = &cert->votes.at[i];
        v->node = c->votes[i].node;
        memcpy(v->identity, c->votes[i].identity, 32);
        memcpy(v->y, c->votes[i].y, 32);
        memcpy(v->sig, c->votes[i].sig, 64);
    }
    out->descriptor = w.descriptor;
    out->requester = w.requester;
    out->approvals.at = w.approvals.at;
    out->approvals.n = w.approvals.n;
    memset(&w, 0, sizeof(w)); /* moved */
}

/*
 * Their first epoch nobody else has seen: so the second one's parent is
 * unknown, and its two holders might be whoever held that.
 */
static void an_epoch_of_a_few_is_not_believed(void **state)
{
    (void)state;
    struct sim *s = cluster(release);
    OWNED_MEM struct coup *c = calloc(2, sizeof(*c));
    struct tlog_epoch_terms parent;
    struct tlog_vote votes[TLOG_MAX_NODES];
    WIRE(epoch_live) m = { 0 };
    WIRE(key) key = { 0 };
    OWNED_MEM char *json = NULL;
    struct mover approved;
    unsigned n;
    size_t len;
    const struct key *k = &s->node[3].node->key[0];
    static const uint8_t nobodys[32] = { 7 };
    mover_approve(&approved, s, 3, POLICY_S_REFRESH, "release");
    assert_non_null(c);
    assert_ok(cert_terms(&parent, votes, &n, &k->evidence.cert));
    coup_make(&c[0], s, nobodys, &parent, votes);
    coup_make(&c[1], s, approved.id, &c[0].epoch, c[0].votes);
    assert_ok(keys_live_wire(&m, k));
    assert_ok(wire_list_new(&m.live, 1));
    coup_show(&m.live.at[0], s, &c[1], &approved);
    assert_ok(wire_epoch_live_encode(&json, &len, &m));
    assert_rc(tell(s, 1, 3, "/v1/epoch/live", json, len), RC_POLICY);
    mover_key(s, 3, "release", &key);
    assert_int_equal(key.epoch, 1);
    mover_free(&approved);
    sim_free(s);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, sim_teardown)
    const struct CMUnitTest tests[] = {
        T(a_live_share_is_not_split_again),
        T(a_piece_neither_changes_nor_comes_back),
        T(what_is_retired_is_not_on_the_disk),
        T(a_number_far_away_stands_in_nobodys_way),
        T(nobody_votes_for_a_key_that_is_destroyed),
        T(nobody_votes_for_a_parent_that_is_over),
        T(an_epoch_of_a_few_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Backups for custodians: when they are made, for whom, and who gets them. */
#include "test.h"

#include "custody/custody.h"
#include "story.h"

#include "base/enc.h"
#include "base/hash.h"

static const char *const keys[] = { "release", NULL };
static const char *const nobody[] = { NULL };

/* The next version names this custodian for node 1. */
static void name_custodian(struct sim *s, const struct custody_key *k)
{
    char to[160];
    char hex[ENC_HEX_SIZE(32)];
    snprintf(to, sizeof(to), "\"custodians\":[\"%s\"]",
             enc_hex(hex, k->public, 32));
    sim_want_ok(s, sim_policy_next(s, 1, "\"custodians\":[]", to));
    sim_run(s, 1000);
}

static void backup_session(struct sim *s, struct wire_session *out,
                           enum policy_session_type type,
                           const uint8_t group_key[32],
                           const char *const *people)
{
    struct policy_session session = sim_session(s, type, "release");
    session.has_key = true;
    hash256(session.key, group_key, 32);
    sim_session_wire(s, out, &session, "steward", people);
}

static void group_key(struct sim *s, uint8_t out[32])
{
    WIRE(key) k = { 0 };
    unsigned call = sim_ask(s, 1, "/v1/key/release", NULL, 0);
    sim_want_ok(s, call);
    assert_ok(wire_key_decode(&k, s->call[call].json, s->call[call].len));
    memcpy(out, k.group_key, 32);
}

static unsigned ask_backup(struct sim *s, unsigned via,
                           enum policy_session_type type,
                           const char *const *people)
{
    WIRE(session) wire = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    uint8_t key[32];
    group_key(s, key);
    backup_session(s, &wire, type, key, people);
    assert_ok(wire_session_encode(&json, &len, &wire));
    return sim_ask(s, via, "/v1/key/backup", json, len);
}

/* Asks node `via`; what it says of node 1, and of the others. */
static void expect_backup(struct sim *s, unsigned via,
                          const struct custody_key *opens,
                          const struct custody_key *does_not)
{
    WIRE(backups) got = { 0 };
    struct frost_scalar share;
    struct custody_backup of;
    unsigned call = ask_backup(s, via, POLICY_S_BACKUP, sim_stewards);
    sim_want_ok(s, call);
    assert_ok(wire_backups_decode(&got, s->call[call].json, s->call[call].len));
    assert_string_equal(got.name, "release");
    assert_int_equal(got.backups.n, 3);
    const struct wire_backup *b = &got.backups.at[0];
    assert_int_equal(b->node, 1);
    assert_int_equal(b->epoch, 1);
    assert_ok(custody_backup_open(&share, &of, b->sealed.p, b->sealed.len,
                                  opens));
    assert_memory_equal(of.y, got.key.birth.cert.votes.at[0].y, 32);
    if (does_not)
        assert_rc(custody_backup_open(&share, &of, b->sealed.p, b->sealed.len,
                                      does_not),
                  RC_AUTH);
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(got.backups.at[i].sealed.len, 0);
        assert_non_null(strstr(got.backups.at[i].why.p, "no custodians"));
    }
}

static bool status_says(struct sim *s, unsigned id, const char *words)
{
    OWNED_MEM char *json = NULL;
    size_t len;
    assert_ok(node_status(s->node[id].node, &json, &len));
    return strstr(json, words) != NULL;
}

/* ---- made ---------------------------------------------------------------------- */

static void a_backup_is_made_when_custodians_are_named(void **state)
{
    (void)state;
    struct custody_key first, second;
    struct sim *s = sim_new(1, 3);
    sim_ready(s, keys);
    custody_key_make(&first);
    custody_key_make(&second);
    assert_true(status_says(s, 1, "node1 has no custodians"));
    assert_true(status_says(s, 1, "\"backup\":null"));
    name_custodian(s, &first);
    assert_false(status_says(s, 1, "node1 has no custodians"));
    assert_true(status_says(s, 2, "node2 has no custodians"));
    assert_true(status_says(s, 1, "\"custodians\":1,\"current\":true"));
    expect_backup(s, 1, &first, &second);
    expect_backup(s, 2, &first, &second); /* by another node */
    /* others are named: a new one takes its place */
    sim_run(s, 11000);
    name_custodian(s, &second);
    sim_run(s, 11000);
    expect_backup(s, 3, &second, &first);
    done(s);
}

static void a_key_made_later_has_its_backup_at_once(void **state)
{
    (void)state;
    struct custody_key custodian;
    struct sim *s = sim_new(2, 3);
    sim_boot(s);
    custody_key_make(&custodian);
    name_custodian(s, &custodian);
    unsigned call = sim_key_create(s, 2, "release", sim_stewards);
    sim_want_ok(s, call);
    assert_true(status_says(s, 1, "\"custodians\":1,\"current\":true"));
    expect_backup(s, 1, &custodian, NULL);
    done(s);
}

static void a_restart_keeps_it(void **state)
{
    (void)state;
    struct custody_key custodian;
    struct sim *s = sim_new(3, 3);
    sim_ready(s, keys);
    custody_key_make(&custodian);
    name_custodian(s, &custodian);
    sim_crash(s, 1);
    sim_start(s, 1);
    sim_run(s, 1000);
    assert_true(status_says(s, 1, "\"custodians\":1,\"current\":true"));
    expect_backup(s, 2, &custodian, NULL);
    done(s);
}

static void a_node_that_is_down_is_named_and_the_others_are_had(void **state)
{
    (void)state;
    WIRE(backups) got = { 0 };
    struct custody_key custodian;
    struct sim *s = sim_new(4, 3);
    sim_ready(s, keys);
    custody_key_make(&custodian);
    name_custodian(s, &custodian);
    sim_crash(s, 3);
    unsigned call = ask_backup(s, 2, POLICY_S_BACKUP, sim_stewards);
    assert_true(sim_wait(s, call, 20000));
    sim_want_ok(s, call);
    assert_ok(wire_backups_decode(&got, s->call[call].json, s->call[call].len));
    assert_int_not_equal(got.backups.at[0].sealed.len, 0);
    assert_int_equal(got.backups.at[2].sealed.len, 0);
    assert_true(got.backups.at[2].why.len > 0);
    done(s);
}

/* ---- handed out ------------------------------------------------------------------ */

static void stewards_decide_at_every_node(void **state)
{
    (void)state;
    struct custody_key custodian;
    struct sim *s = sim_new(5, 3);
    uint8_t key[32];
    sim_ready(s, keys);
    custody_key_make(&custodian);
    name_custodian(s, &custodian);
    sim_want(s, ask_backup(s, 1, POLICY_S_BACKUP, nobody), RC_NOT_APPROVED);
    sim_want(s, ask_backup(s, 1, POLICY_S_REFRESH, sim_stewards), RC_POLICY);
    /* a sidecar that was taken over asks its peer straight */
    group_key(s, key);
    for (unsigned i = 0; i < 4; i++) {
        static const struct {
            enum policy_session_type type;
            bool approved, other;
            enum rc rc;
        } cases[] = { { POLICY_S_BACKUP, false, false, RC_NOT_APPROVED },
                      { POLICY_S_REPAIR, true, false, RC_POLICY },
                      { POLICY_S_BACKUP, true, true, RC_POLICY },
                      { POLICY_S_BACKUP, true, false, RC_OK } };
        WIRE(session) wire = { 0 };
        OWNED_MEM char *json = NULL;
        OWNED_MEM char *reply = NULL;
        size_t len, reply_len;
        uint8_t other[32] = { 7 };
        backup_session(s, &wire, cases[i].type, cases[i].other ? other : key,
                       cases[i].approved ? sim_stewards : nobody);
        assert_ok(wire_session_encode(&json, &len, &wire));
        assert_rc(node_on_peer(s->node[1].node, 2, "/v1/backup",
                               (const uint8_t *)json, len, &reply, &reply_len),
                  cases[i].rc);
        /* and the log or the CA not at all */
        if (cases[i].rc == RC_OK) {
            char *more = NULL;
            assert_rc(node_on_peer(s->node[1].node, WORLD_CA, "/v1/backup",
                                   (const uint8_t *)json, len, &more,
                                   &reply_len),
                      RC_AUTH);
        }
    }
    done(s);
}

static void the_sealed_share_is_exported_to_stewards(void **state)
{
    (void)state;
    WIRE(session) wire = { 0 };
    WIRE(sealed_share) got = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    uint8_t key[32];
    struct sim *s = sim_new(6, 3);
    sim_ready(s, keys);
    group_key(s, key);
    backup_session(s, &wire, POLICY_S_BACKUP, key, sim_stewards);
    assert_ok(wire_session_encode(&json, &len, &wire));
    unsigned call = sim_ask(s, 2, "/v1/key/export", json, len);
    sim_want_ok(s, call);
    assert_ok(wire_sealed_share_decode(&got, s->call[call].json,
                                       s->call[call].len));
    assert_int_equal(got.node, 2);
    assert_int_equal(got.epoch, 1);
    assert_memory_equal(got.sealed.p, "MSH1", 4);
    done(s);
}

/* ---- brought back ------------------------------------------------------------------ */

/* A living node keeps its own: a second share of a key is one too many. */
static void a_node_that_holds_a_share_takes_no_other(void **state)
{
    (void)state;
    struct custody_key custodian;
    WIRE(backups) got = { 0 };
    WIRE(recover) m = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct frost_scalar share;
    struct custody_backup of;
    uint8_t parcel[CUSTODY_PARCEL_LEN];
    uint8_t key[32];
    struct sim *s = sim_new(7, 3);
    sim_ready(s, keys);
    group_key(s, key);
    custody_key_make(&custodian);
    name_custodian(s, &custodian);
    unsigned call = ask_backup(s, 1, POLICY_S_BACKUP, sim_stewards);
    sim_want_ok(s, call);
    assert_ok(wire_backups_decode(&got, s->call[call].json, s->call[call].len));
    assert_ok(custody_backup_open(&share, &of, got.backups.at[0].sealed.p,
                                  got.backups.at[0].sealed.len, &custodian));
    assert_ok(custody_parcel_make(parcel, &of, &share, s->node[2].keys.box));
    assert_ok(wire_blob_set(&m.parcel, parcel, sizeof(parcel)));
    m.key = got.key;
    memset(&got.key, 0, sizeof(got.key)); /* moved */
    backup_session(s, &m.session, POLICY_S_RECOVER, key, sim_stewards);
    assert_ok(wire_recover_encode(&json, &len, &m));
    sim_want(s, sim_ask(s, 2, "/v1/key/recover", json, len), RC_EXISTS);
    sim_want(s, sim_ask(s, 3, "/v1/key/recover", json, len), RC_VERIFY);
    sim_want_ok(s, sign(s, 2, "and signs as before"));
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_backup_is_made_when_custodians_are_named,
                                  sim_teardown),
        cmocka_unit_test_teardown(a_key_made_later_has_its_backup_at_once,
                                  sim_teardown),
        cmocka_unit_test_teardown(a_restart_keeps_it, sim_teardown),
        cmocka_unit_test_teardown(
                a_node_that_is_down_is_named_and_the_others_are_had,
                sim_teardown),
        cmocka_unit_test_teardown(stewards_decide_at_every_node, sim_teardown),
        cmocka_unit_test_teardown(the_sealed_share_is_exported_to_stewards,
                                  sim_teardown),
        cmocka_unit_test_teardown(a_node_that_holds_a_share_takes_no_other,
                                  sim_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

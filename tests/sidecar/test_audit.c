/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a whole cluster writes down: who asked for what, every share before it
 * is made, and why one was not. Refusals by name are in forge.c, for every
 * test that makes one.
 */
#include "test.h"

#include <sqlite3.h>

#include "story.h"

#include "base/enc.h"
#include "base/hash.h"

static const char *const keys[] = { "guarded", "release", NULL };

/* ---- reading --------------------------------------------------------------- */

struct rows {
    struct wire_audit_row at[4096];
    size_t n;
};
static struct rows rows;

static void read_rows(struct sim *s, unsigned id)
{
    struct wire_audit_walk w = { 0 };
    uint64_t since = 0;
    size_t got;
    rows.n = 0;
    do {
        OWNED_MEM char *json = NULL;
        size_t len;
        WIRE(audit) in = { 0 };
        assert_ok(node_audit_rows(s->node[id].node, since, &json, &len));
        assert_ok(wire_audit_decode(&in, json, len));
        got = in.rows.n;
        for (size_t i = 0; i < got; i++) {
            assert_true(rows.n < 4096);
            assert_ok(wire_audit_next(&w, &in.rows.at[i]));
            rows.at[rows.n++] = in.rows.at[i];
            since = in.rows.at[i].seq;
        }
    } while (got);
    assert_ok(wire_audit_end(&w));
}

/* Of the session and method; NULL: any. The first one. */
static const struct wire_audit_row *find(const char *session,
                                         const char *method)
{
    for (size_t i = 0; i < rows.n; i++)
        if ((!session || strcmp(rows.at[i].session, session) == 0) &&
            (!method || strcmp(rows.at[i].method, method) == 0))
            return &rows.at[i];
    return NULL;
}

static const char round2[] = "POST /v1/frost/round2";

static void meddle(struct sim *s, unsigned id, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(s->node[id].db, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* ---- what is written down ----------------------------------------------------- */

static void every_share_has_its_row_on_its_node(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    sim_crash(s, 3);
    struct wire_signed out;
    char session[65];
    unsigned call = sign(s, 1, "hello");
    sim_want_ok(s, call);
    assert_true(sim_signature(s, call, &out));
    enc_hex(session, out.session, 32);

    read_rows(s, 1);
    const struct wire_audit_row *r = find(session, "POST /v1/sign");
    assert_non_null(r);
    assert_string_equal(r->actor, "uid=1000");
    assert_string_equal(r->result, "ok");
    r = find(session, round2);
    assert_non_null(r);
    assert_string_equal(r->actor, "mpc://dev/sidecar/node1"); /* it led */
    assert_string_equal(r->result, "ok");

    read_rows(s, 2);
    assert_null(find(session, "POST /v1/sign"));
    r = find(session, round2);
    assert_non_null(r);
    assert_string_equal(r->actor, "mpc://dev/sidecar/node1");
    assert_string_equal(r->result, "ok");
    assert_non_null(strstr(r->detail, "share of release, raw, attempt 1"));
    assert_non_null(strstr(r->detail, "requested by uid.1000.node1"));
    done(s);
}

static unsigned count_of(const char *actor, const char *method)
{
    unsigned n = 0;
    for (size_t i = 0; i < rows.n; i++)
        n += strcmp(rows.at[i].actor, actor) == 0 &&
             strcmp(rows.at[i].method, method) == 0;
    return n;
}

static void who_is_refused_at_the_page_again_and_again_adds_few_rows(void **st)
{
    (void)st;
    struct sim *s = cluster(keys);
    for (unsigned i = 0; i < 200; i++)
        sim_want(s, sim_ask_as(s, 1, NODE_STRANGER, "/v1/approval", "{}", 2),
                 RC_PARSE);
    read_rows(s, 1);
    assert_int_equal(count_of("page", "POST /v1/approval"), 60);
    assert_int_equal(count_of("page", "page refused"), 0);
    sim_run(s, 61000);
    read_rows(s, 1);
    assert_int_equal(count_of("page", "page refused"), 1);
    const struct wire_audit_row *r = find(NULL, "page refused");
    assert_non_null(strstr(r->detail, "140 more calls"));
    sim_want(s, sim_ask_as(s, 1, NODE_STRANGER, "/v1/approval", "{}", 2),
             RC_PARSE);
    read_rows(s, 1);
    assert_int_equal(count_of("page", "POST /v1/approval"), 61);
    done(s);
}

static void a_refused_caller_is_written_down_with_the_reason(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    sim_want(s, sim_sign(s, 1, "guarded", "", "x", 1, 3000), RC_NOT_APPROVED);
    char session[65];
    memset(session, 'a', 64);
    session[64] = '\0';
    sim_want(s, sim_sign(s, 1, "guarded", session, "x", 1, 3000), RC_UNKNOWN);
    sim_want(s, sim_ask(s, 1, "/v1/nothing", NULL, 0), RC_UNKNOWN);
    read_rows(s, 1);
    const struct wire_audit_row *r = find("", "POST /v1/sign");
    assert_non_null(r);
    assert_string_equal(r->result, rc_slug(RC_NOT_APPROVED));
    assert_non_null(strstr(r->detail, "1 engineers"));
    r = find(session, "POST /v1/sign");
    assert_non_null(r);
    assert_string_equal(r->result, rc_slug(RC_UNKNOWN));
    assert_non_null(find("", "GET /v1/nothing"));
    done(s);
}

static void the_rows_outlive_a_crash_in_their_order(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    sim_want_ok(s, sign(s, 1, "before"));
    sim_run(s, 500);
    read_rows(s, 1);
    size_t n = rows.n;
    sim_crash(s, 1);
    sim_start(s, 1);
    sim_run(s, 500);
    sim_want_ok(s, sign(s, 1, "after"));
    read_rows(s, 1); /* and the chain holds */
    assert_true(rows.n > n);
    done(s);
}

/* ---- fail closed ------------------------------------------------------------------ */

static const char refuses[] = "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN"
                              " SELECT RAISE(ABORT, 'no space'); END";

static void no_share_leaves_a_node_that_cannot_write_it_down(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    sim_crash(s, 3);
    sim_want_ok(s, sign(s, 1, "before"));
    unsigned shares = s->n_shares;
    meddle(s, 2, refuses);
    unsigned call = sign(s, 1, "unwritten");
    sim_wait(s, call, 12000);
    assert_true(s->call[call].rc != RC_OK);
    says(s, call, "audit");
    assert_int_equal(s->n_shares, shares);
    meddle(s, 2, "DROP TRIGGER full");
    sim_run(s, 2000);
    sim_want_ok(s, sign(s, 1, "written"));
    read_rows(s, 2); /* what waited is there, in order */
    done(s);
}

static void nor_one_that_leads(void **state)
{
    (void)state;
    struct sim *s = cluster(keys);
    sim_want_ok(s, sign(s, 1, "before"));
    meddle(s, 1, refuses);
    unsigned call = sign(s, 1, "unwritten");
    sim_wait(s, call, 12000);
    assert_true(s->call[call].rc != RC_OK);
    says(s, call, "audit");
    meddle(s, 1, "DROP TRIGGER full");
    sim_run(s, 2000);
    sim_want_ok(s, sign(s, 1, "written"));
    done(s);
}

/* ---- whose session --------------------------------------------------------------- */

static const char artifact[] = "the artifact";

/* A session of dev's that alice, bob and carol have approved. */
static void approved(struct sim *s, char hex[65])
{
    static const char *const nobody[] = { NULL };
    WIRE(session) wire = { 0 };
    OWNED_MEM char *json = NULL;
    size_t len;
    struct policy_session in = sim_session(s, POLICY_S_SIGN, "guarded");
    unsigned get = sim_ask(s, 1, "/v1/key/guarded", NULL, 0);
    WIRE(key) key = { 0 };
    sim_want_ok(s, get);
    assert_ok(wire_key_decode(&key, s->call[get].json, s->call[get].len));
    in.has_key = in.has_artifact = in.slot[POLICY_RAW] = true;
    hash256(in.key, key.group_key, 32);
    policy_session_artifact(&in, "app", artifact, strlen(artifact));
    sim_session_wire(s, &wire, &in, "steward", nobody);
    assert_ok(wire_list_new(&wire.approvals, 3));
    sim_record(&wire.approvals.at[0], in.id, POLICY_D_APPROVE, "engineer",
               "alice");
    sim_record(&wire.approvals.at[1], in.id, POLICY_D_APPROVE, "steward",
               "bob");
    sim_record(&wire.approvals.at[2], in.id, POLICY_D_APPROVE, "steward",
               "carol");
    assert_ok(wire_session_encode(&json, &len, &wire));
    sim_want_ok(s, sim_ask(s, 1, "/v1/session", json, len));
    enc_hex(hex, in.id, 32);
}

static unsigned sign_as(struct sim *s, const struct node_caller *who,
                        const char *session)
{
    s->caller = who;
    unsigned call = sim_sign(s, 1, "guarded", session, artifact,
                             strlen(artifact), 5000);
    s->caller = NULL;
    return call;
}

static void an_approved_session_is_its_requesters(void **state)
{
    (void)state;
    const struct node_caller mallory = { .uid = 7,
                                         .name = "mallory",
                                         .own_sessions = true };
    const struct node_caller nobody = { .uid = 8, .own_sessions = true };
    const struct node_caller dev = { .uid = 9,
                                     .name = "dev",
                                     .own_sessions = true };
    const struct node_caller build = { .uid = 10, .name = "workload:build" };
    struct sim *s = cluster(keys);
    char session[65];
    approved(s, session);
    unsigned call = sign_as(s, &mallory, session);
    sim_want(s, call, RC_AUTH);
    says(s, call, "requested by dev; this caller is mallory");
    call = sign_as(s, &nobody, session);
    sim_want(s, call, RC_AUTH);
    says(s, call, "this caller is uid.8.node1");
    sim_want_ok(s, sign_as(s, &dev, session));
    approved(s, session);
    sim_want_ok(s, sign_as(s, &build, session)); /* of session_users */
    read_rows(s, 1);
    const struct wire_audit_row *r = find(session, "POST /v1/sign");
    assert_non_null(r);
    assert_string_equal(r->actor, "uid=10 name=workload:build");
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, sim_teardown)
        T(every_share_has_its_row_on_its_node),
        T(who_is_refused_at_the_page_again_and_again_adds_few_rows),
        T(a_refused_caller_is_written_down_with_the_reason),
        T(the_rows_outlive_a_crash_in_their_order),
        T(no_share_leaves_a_node_that_cannot_write_it_down),
        T(nor_one_that_leads),
        T(an_approved_session_is_its_requesters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
